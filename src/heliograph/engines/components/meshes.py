"""Mesh files and arrays to parts: geometry, texture, material, and where each part stands."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.errors import MissingDependencyError, SceneError
from heliograph.raster import Geometry, Texture
from heliograph.scene import Mesh

_LINEAR_COLOURS = (".glb", ".gltf")  # glTF stores factors and vertex colours as linear light


@dataclass(frozen=True, eq=False)
class Part:
    """One placed piece of a mesh.

    Attributes:
        geometry: its triangles.
        pose: mesh_from_part, (4, 4).
        material: properties as components have them, with `map` as pixels.
        texture: pixels, or None.
    """

    geometry: Geometry
    pose: NDArray[np.float64] = field(default_factory=lambda: np.eye(4))
    material: Mapping[str, Any] = field(default_factory=dict)
    texture: Texture | None = None


def parts_of(mesh: Mesh) -> list[Part]:
    """The parts of a mesh component; none for one without a source.

    Raises:
        SceneError: its file is missing or malformed.
    """
    source = mesh.get("src")
    if source is not None:
        return load(Path(source))
    vertices = mesh.get("vertices")
    if vertices is None:
        return []
    geometry = Geometry(
        vertices, mesh.get("faces"), mesh.get("normals"), mesh.get("uvs"), name=f"mesh {mesh.key!r}"
    )
    colours = mesh.get("colors")
    return [Part(geometry)] if colours is None else [_coloured(geometry, colours)]


def load(path: Path) -> list[Part]:
    """The parts of a file: one for each node that has triangles.

    Raises:
        SceneError: the file is missing, malformed or has no triangles.
    """
    if not path.is_file():
        raise SceneError(f"{path}: no such file")
    parts = list(_nodes(path))
    if not parts:
        raise SceneError(f"{path}: expected triangles, found none; is it damaged or empty?")
    return parts


def _nodes(path: Path) -> Iterator[Part]:
    with _one_line_errors(path):
        scene = _trimesh().load_scene(path, process=False)
        made: dict[str, Part] = {}
        for node in scene.graph.nodes_geometry:
            pose, name = scene.graph.get(node)
            if not len(getattr(scene.geometry[name], "faces", ())):
                continue
            if name not in made:
                made[name] = _part(scene.geometry[name], f"{path.name}: {name}", path)
            yield Part(made[name].geometry, pose, made[name].material, made[name].texture)


def _trimesh() -> Any:
    try:
        import trimesh
    except ModuleNotFoundError as error:
        raise MissingDependencyError.of(str(error.name)) from None
    return trimesh


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    log = logging.getLogger("trimesh")
    before, log.disabled = log.disabled, True
    try:
        yield
    except Exception as error:  # noqa: BLE001 -- readers of broken files raise whatever they like
        reason = next(iter(str(error).splitlines()), "")[:200]
        kind = path.suffix.lstrip(".").upper()
        raise SceneError(f"{path}: not a readable {kind} file ({reason})") from None
    finally:
        log.disabled = before


def _part(mesh: Any, name: str, path: Path) -> Part:
    positions = np.asarray(mesh.vertices, float)
    if not np.isfinite(positions).all():
        raise ValueError("vertices are not finite")
    linear = path.suffix.lower() in _LINEAR_COLOURS
    kind = mesh.visual.kind
    uvs = getattr(mesh.visual, "uv", None) if kind == "texture" else None
    geometry = Geometry(positions, np.asarray(mesh.faces), _normals(mesh), uvs, name=name)
    if kind == "texture":
        material, texture = _material(mesh.visual.material, linear, path)
        return Part(geometry, material=material, texture=None if uvs is None else texture)
    if kind == "vertex":
        return _coloured(geometry, _encoded(mesh.visual.vertex_colors, linear))
    if kind == "face":
        split = _split(geometry)
        colours = np.repeat(_encoded(mesh.visual.face_colors, linear), 3, 0)
        return _coloured(split, colours)
    return Part(geometry)


def _normals(mesh: Any) -> NDArray[np.float64] | None:
    """The file's own normals; flat faces without."""
    if "vertex_normals" not in mesh._cache.cache:
        return None
    normals = np.array(mesh.vertex_normals, float)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return normals / length if (length > 0).all() and np.isfinite(normals).all() else None


def _material(material: Any, linear: bool, path: Path) -> tuple[dict[str, Any], Texture | None]:
    found: dict[str, Any] = {}
    factor = getattr(material, "baseColorFactor", None)
    if factor is None:
        factor = None if linear else getattr(material, "diffuse", None)
    if factor is not None:
        red, green, blue, alpha = (_encoded(np.array([factor]), linear)[0] / 255).tolist()
        found = {"color": (red, green, blue), "opacity": alpha}
    for name, ours in (("roughnessFactor", "roughness"), ("metallicFactor", "metalness")):
        if getattr(material, name, None) is not None:
            found[ours] = float(getattr(material, name))
    if getattr(material, "emissiveFactor", None) is not None:
        found["emissive"] = tuple(np.clip(material.emissiveFactor, 0, 1) ** (1 / 2.2))
    found["side"] = "double" if getattr(material, "doubleSided", False) else "front"
    opaque = linear and getattr(material, "alphaMode", None) in (None, "OPAQUE")
    if opaque:
        found["opacity"] = 1.0
    image = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    return found, None if image is None else _image(image, opaque, path)


def _image(image: Any, opaque: bool, path: Path) -> Texture:
    alpha = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
    mode = "RGBA" if alpha and not opaque else "RGB"
    return Texture(np.asarray(image.convert(mode)), name=path.name)


def _encoded(colours: Any, linear: bool) -> NDArray[np.uint8]:
    """Colours (N, 4) uint8 as sRGB; opacity is never encoded."""
    values = np.array(colours)
    if values.dtype.kind == "f":
        values = np.round(np.clip(values, 0, 1) * 255)
    values = np.concatenate([values, np.full((len(values), 1), 255)], 1)[:, :4].astype(np.uint8)
    if linear:
        share = values[:, :3] / 255
        curve = np.where(share <= 0.0031308, 12.92 * share, 1.055 * share ** (1 / 2.4) - 0.055)
        values[:, :3] = np.round(curve * 255)
    return values


def _coloured(geometry: Geometry, colours: NDArray[Any]) -> Part:
    """A part with a colour for each vertex: one for all, or a texture with a cell per triangle."""
    if not len(colours) or (colours == colours[0]).all():
        red, green, blue, alpha = (*(colours[0] / 255).tolist(), 1.0)[:4]
        return Part(geometry, material={"color": (red, green, blue), "opacity": alpha})
    colours = (
        colours if len(colours) == len(geometry.positions) else colours[: len(geometry.positions)]
    )
    split = _split(geometry)
    texture, uvs = _palette(colours[np.asarray(geometry.triangles).ravel()])
    painted = Geometry(split.positions, split.triangles, split.normals, uvs, False, geometry.name)
    return Part(painted, texture=texture)


def _split(geometry: Geometry) -> Geometry:
    """The same triangles, each with vertices of its own."""
    flat = np.asarray(geometry.triangles).ravel()
    positions = np.asarray(geometry.positions)[flat]
    normals = None if geometry.normals is None else geometry.normals[flat]
    triangles = np.arange(len(flat)).reshape(-1, 3)
    return Geometry(positions, triangles, normals, None, False, geometry.name)


def _palette(corners: NDArray[Any]) -> tuple[Texture, NDArray[np.float64]]:
    """A texture of 2x2 texels per triangle whose bilinear look-up blends its three corners.

    Args:
        corners: (3 T, C) uint8.
    """
    count = len(corners) // 3
    side = int(np.ceil(np.sqrt(count)))
    order, fourth = _turned(corners.reshape(count, 3, -1).astype(int))
    first, second, third = (corners.reshape(count, 3, -1)[np.arange(count), o] for o in order.T)
    cells = np.zeros((side * side, 2, 2, corners.shape[1]), np.uint8)
    cells[:count] = np.stack([np.stack([first, second], 1), np.stack([third, fourth], 1)], 1)
    # Cell (row, column) to texels: rows of the picture run downwards, v upwards.
    grid = cells.reshape(side, side, 2, 2, -1).transpose(0, 2, 1, 3, 4)
    pixels = grid.reshape(2 * side, 2 * side, -1)
    row, column = np.divmod(np.arange(count), side)
    base = np.stack([2 * column, 2 * row], 1) + 0.5
    texels = np.empty((count, 3, 2))
    texels[np.arange(count)[:, None], order] = base[:, None] + [[0, 0], [1, 0], [0, 1]]
    uvs = texels.reshape(-1, 2) / (2 * side)
    uvs[:, 1] = 1 - uvs[:, 1]
    return Texture(np.ascontiguousarray(pixels), name="vertex colours"), uvs


def _turned(corners: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.uint8]]:
    """Which corner comes first, (T, 3), so that the fourth colour (T, C) is cut off least.

    Bilinear interpolation is linear on the triangle if the fourth is second + third - first.
    """
    orders = np.array([[0, 1, 2], [1, 2, 0], [2, 0, 1]])
    fourth = np.stack([corners[:, o[1]] + corners[:, o[2]] - corners[:, o[0]] for o in orders], 1)
    kept = np.clip(fourth, 0, 255)
    best = np.abs(fourth - kept).max(2).argmin(1)
    return orders[best], kept[np.arange(len(corners)), best].astype(np.uint8)
