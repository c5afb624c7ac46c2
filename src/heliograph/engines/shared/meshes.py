"""Mesh files and arrays to parts: geometry, texture, material, and where each part stands."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.colour import encoded, linear
from heliograph.engines.shared import gltf, obj
from heliograph.errors import MissingDependencyError, SceneError, UnknownNameError
from heliograph.raster import Geometry, Texture
from heliograph.requires import Requires
from heliograph.scene import Mesh, PointCloud, images
from heliograph.scene.files import read_scene_file, text_of

_STL_HEAD = 84


@dataclass(frozen=True, eq=False)
class Part:
    """One placed piece of a mesh.

    Attributes:
        geometry: its triangles.
        pose: mesh_from_part, (4, 4).
        material: properties as components have them, without images.
        kind: how light makes its colour.
        texture: its images, or None.
        troubles: what of the file is not shown, for warnings.
    """

    geometry: Geometry
    pose: NDArray[np.float64] = field(default_factory=lambda: np.eye(4))
    material: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "standard"
    texture: Texture | None = None
    troubles: tuple[str, ...] = ()


_CORNERS = np.concatenate([np.eye(3), -np.eye(3)])
"""Of the octahedron that a point of a cloud is."""
_FACES = np.array(
    [[0, 1, 2], [1, 3, 2], [3, 4, 2], [4, 0, 2], [1, 0, 5], [3, 1, 5], [4, 3, 5], [0, 4, 5]]
)


def parts_of(mesh: Mesh | PointCloud) -> list[Part]:
    """The parts of a mesh or a cloud; none for one without a source.

    Raises:
        SceneError: its file is missing or malformed.
    """
    if isinstance(mesh, PointCloud):
        return _points(mesh)
    source = mesh.get("src")
    if source is not None:
        return load(Path(source), moment_of(mesh))
    vertices = mesh.get("vertices")
    if vertices is None:
        return []
    faces, normals = mesh.get("faces"), mesh.get("normals")
    if normals is not None:
        normals = _completed(normals, vertices[faces], faces)
    geometry = Geometry(vertices, faces, normals, mesh.get("uvs"), name=f"mesh {mesh.key!r}")
    colours = mesh.get("colors")
    return [Part(geometry)] if colours is None else [_coloured(geometry, colours)]


def _points(cloud: PointCloud) -> list[Part]:
    """A cloud as one part: an octahedron for each point."""
    centres = cloud.get("vertices")
    if centres is None or not len(centres):
        return []
    count, reach = len(centres), _CORNERS * (cloud.get("size") / 2)
    positions = (centres[:, None] + reach).reshape(-1, 3)
    triangles = (np.arange(count)[:, None, None] * len(_CORNERS) + _FACES).reshape(-1, 3)
    normals = np.tile(_CORNERS, (count, 1))
    geometry = Geometry(positions, triangles, normals, None, False, f"points {cloud.key!r}")
    colours = cloud.get("colors")
    part = Part(geometry)
    if colours is not None:
        part = _coloured(geometry, np.repeat(colours, len(_CORNERS), 0))
    return [replace(part, kind="basic")]


def moment_of(mesh: Mesh) -> gltf.Moment:
    """The animation of its file that a mesh shows, and its time; without one the time is 0."""
    animation = mesh.get("animation")
    return (None, 0.0) if animation is None else (animation, mesh.get("time"))


def load(path: Path, moment: gltf.Moment = (None, 0.0)) -> list[Part]:
    """The parts of a file: one for each node that has triangles.

    Args:
        path: of the file.
        moment: the animation that it shows and its time.

    Raises:
        SceneError: the file is missing, malformed or has no triangles.
        UnknownNameError: it has no such animation.
    """
    with _one_line_errors(path):
        is_obj = path.suffix.lower() == ".obj"
        parts = list(_pieces(path) if is_obj else _nodes(path, moment))
    if moment[0] is not None:  # the next moment is another geometry
        parts = [replace(p, geometry=replace(p.geometry, simplify=False)) for p in parts]
    if not parts:
        raise SceneError(f"{path}: expected triangles, found none; is it damaged or empty?")
    for trouble in dict.fromkeys(each for part in parts for each in part.troubles):
        warnings.warn(f"{path}: {trouble}", stacklevel=2)
    return parts


def _pieces(path: Path) -> Iterator[Part]:
    """The parts of an OBJ file."""
    opened: dict[Path, Texture | None] = {}
    for piece in obj.read(path):
        if not np.isfinite(piece.positions).all():
            raise ValueError("vertices are not finite")
        name = f"{path.name}: {piece.name}"
        normals = None if piece.normals is None else _unit(piece.normals)
        geometry = Geometry(piece.positions, piece.triangles, normals, piece.uvs, name=name)
        image = piece.material.image
        if image is not None and image not in opened:
            opened[image] = _opened(image)
        texture = None if image is None else opened[image]
        if texture is None or piece.uvs is None:
            yield replace(_plain(geometry, piece), troubles=_troubles(piece, texture))
        else:
            yield Part(geometry, material=piece.material.properties, texture=texture)


def _plain(geometry: Geometry, piece: obj.Piece) -> Part:
    """A part without an image: its material's colour times those of its vertices.

    A material with an image is not meant for vertices that have colours instead: an object that
    names no material has that of the object before.
    """
    material = piece.material.properties
    if piece.colours is None:
        return Part(geometry, material=material)
    if piece.material.image is not None:
        material = {}
    colours = piece.colours * material.get("color", (1.0, 1.0, 1.0))
    part = _coloured(geometry, np.round(colours.clip(0, 1) * 255).astype(np.uint8))
    kept = {name: material[name] for name in material if name != "color"}
    return replace(part, material={**part.material, **kept})


def _troubles(piece: obj.Piece, texture: Texture | None) -> tuple[str, ...]:
    material = piece.material
    if material.missing:
        return (f"the image {material.missing!r} of material {piece.name!r} is not there",)
    if material.image is None or (piece.colours is not None and piece.uvs is None):
        return ()
    if texture is None:
        return (f"{material.image} of material {piece.name!r} is not a readable image",)
    return (_no_uvs(piece.name),)


def _no_uvs(name: str) -> str:
    return f"{name!r} has no texture coordinates, so the image of its material is not shown"


def _opened(path: Path) -> Texture | None:
    """An image file, or None where it cannot be read."""
    try:
        return Texture(images.read(path), name=path.name)
    except SceneError:
        return None


def _nodes(path: Path, moment: gltf.Moment) -> Iterator[Part]:
    """The parts of all other files."""
    data, suffix = _utf8(path), path.suffix.lower()
    if suffix not in gltf.SUFFIXES:
        yield from _placed(path, data, None)
        return
    read = _resolver(_trimesh(), path).get
    document = gltf.Document(data, read, binary=suffix == ".glb", moment=moment)
    unsupported = ", ".join(document.unsupported)
    troubles = (f"drawn without {unsupported}: not supported",) if unsupported else ()
    try:
        parts = [*_placed(path, document.numbered(), document)]
    except Exception:
        if not document.lacking:
            raise
        parts = []
    if document.lacking:  # some of which hold the vertices, of which trimesh makes zeros
        parts = [part for part in parts if np.ptp(part.geometry.positions, axis=0).any()]
        if not parts:
            raise SceneError(
                f"{path}: needs {', '.join(document.lacking)}, not supported; save it without"
            )
    for part in parts:
        yield replace(part, troubles=(*part.troubles, *troubles))


def _placed(path: Path, data: bytes, document: gltf.Document | None) -> Iterator[Part]:
    """The parts that trimesh finds in a file, where its nodes place them."""
    trimesh = _trimesh()
    scene = trimesh.load_scene(
        io.BytesIO(data),
        file_type=path.suffix.lower()[1:],
        process=False,
        resolver=_resolver(trimesh, path),
    )
    made: dict[str, Part] = {}
    for node in scene.graph.nodes_geometry:
        pose, name = scene.graph.get(node)
        if not len(getattr(scene.geometry[name], "faces", ())):
            continue
        if name not in made:
            made[name] = _part(scene.geometry[name], f"{path.name}: {name}", path, document)
        yield replace(made[name], pose=pose)


def _utf8(path: Path) -> bytes:
    """A file with all text of it in UTF-8, which is all that trimesh reads."""
    data = read_scene_file(path)
    if path.suffix.lower() == ".glb":
        return data
    text = len(data)
    if path.suffix.lower() == ".stl" and len(data) >= _STL_HEAD:
        count = int.from_bytes(data[_STL_HEAD - 4 : _STL_HEAD], "little")
        if len(data) == _STL_HEAD + 50 * count:  # binary: any 80 bytes, then numbers
            return bytes(_STL_HEAD - 4) + data[_STL_HEAD - 4 :]
    if path.suffix.lower() == ".ply" and b"format ascii" not in data[:256]:
        text = max(data.find(b"end_header"), 0)
    return text_of(data[:text]).encode() + data[text:]


def _resolver(trimesh: Any, path: Path) -> Any:
    """What opens the files that a file names: only regular ones."""

    class Resolver(trimesh.resolvers.FilePathResolver):  # type: ignore[misc]
        def get(self, name: str) -> Any:
            named = path.parent / name.strip()
            if named.exists() and not named.is_file():
                raise SceneError(f"{path}: names {named}, which is no regular file")
            return super().get(name)

    return Resolver(str(path))


def _trimesh() -> Any:
    with Requires("trimesh"):
        import trimesh

    return trimesh


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    log = logging.getLogger("trimesh")
    before, log.disabled = log.disabled, True
    try:
        yield
    except (MissingDependencyError, SceneError, UnknownNameError):
        raise
    except Exception as error:  # noqa: BLE001 -- readers of broken files raise whatever they like
        text = getattr(error, "name", None) == "charset_normalizer"  # which guesses encodings
        reason = "its text is not UTF-8" if text else next(iter(str(error).splitlines()), "")[:200]
        kind = path.suffix.lstrip(".").upper()
        raise SceneError(f"{path}: not a readable {kind} file ({reason})") from None
    finally:
        log.disabled = before


def _part(mesh: Any, name: str, path: Path, document: gltf.Document | None) -> Part:
    positions = np.asarray(mesh.vertices, float)
    if not np.isfinite(positions).all():
        raise ValueError("vertices are not finite")
    visual = mesh.visual
    worn = visual.material if visual.kind == "texture" else None
    uvs = None if worn is None else visual.uv
    geometry = Geometry(positions, np.asarray(mesh.faces), _normals(mesh), uvs, name=name)
    look = _look(worn, path) if document is None else document.look(worn)
    part = Part(
        geometry,
        material=look.material,
        kind=look.kind,
        texture=None if uvs is None else look.texture,
        troubles=look.troubles,
    )
    colours = _colours(visual)
    if look.texture is not None and uvs is None:
        part = replace(part, troubles=(*look.troubles, _no_uvs(name)))
    if colours is None:
        return part
    colours = _encoded(colours, is_linear=document is not None)
    colours[:, 3] = np.maximum(colours[:, 3], 255 * look.opaque)
    if visual.kind == "face":
        part, colours = replace(part, geometry=_split(geometry)), np.repeat(colours, 3, 0)
    return _tinted(part, colours)


def _colours(visual: Any) -> Any:
    """Colours (N, 3 or 4) of the vertices or the faces; None without."""
    if visual.kind == "texture":
        return visual.vertex_attributes.get("color")
    return getattr(visual, f"{visual.kind}_colors") if visual.kind else None


def _tinted(part: Part, colours: NDArray[np.uint8]) -> Part:
    """A part whose vertices have colours, which its material multiplies."""
    coloured = _coloured(part.geometry, colours)
    if coloured.geometry.colours is not None:
        return replace(part, geometry=coloured.geometry)
    tint, own = coloured.material, part.material
    colour, opacity = tint["color"], tint["opacity"] * own.get("opacity", 1.0)
    if "color" in own:
        colour = tuple(encoded(linear(colour) * linear(own["color"])).tolist())
    return replace(part, material={**own, "color": colour, "opacity": opacity})


def _normals(mesh: Any) -> NDArray[np.float64] | None:
    """The file's own normals; flat faces without."""
    if "vertex_normals" not in mesh._cache.cache:
        return None
    return _unit(np.array(mesh.vertex_normals, float))


def _completed(
    normals: NDArray[np.float64], corners: NDArray[np.float64], faces: NDArray[np.uint32]
) -> NDArray[np.float64]:
    """Normals (V, 3) of length 1; those of length 0 are of a face (T, 3, 3) at that vertex."""
    longest = np.abs(normals).max(1, keepdims=True)
    if not longest.all():
        edges = corners[:, 1:] - corners[:, :1]
        across = np.cross(*(edges / (np.abs(edges).max() or 1.0)).swapaxes(0, 1))
        flat = np.tile([0.0, 0.0, 1.0], (len(normals), 1))
        solid = across.any(1)
        flat[faces[solid]] = across[solid, None]
        normals = np.where(longest > 0, normals, flat)
        longest = np.abs(normals).max(1, keepdims=True)
    scaled = normals / longest  # whose squares neither overflow nor vanish
    unit: NDArray[np.float64] = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
    return unit


def _unit(normals: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Normals of length 1; None if some have no direction."""
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return normals / length if (length > 0).all() and np.isfinite(normals).all() else None


def _look(material: Any, path: Path) -> gltf.Look:
    """What trimesh makes of a material that is none of glTF's."""
    found: dict[str, Any] = {}
    if getattr(material, "diffuse", None) is not None:
        red, green, blue, alpha = (np.array(material.diffuse) / 255).tolist()
        found = {"color": (red, green, blue), "opacity": alpha}
    image = getattr(material, "image", None)
    texture = None if image is None else Texture(images.pixels(image), name=path.name)
    return gltf.Look(found, texture=texture)


def _encoded(colours: Any, *, is_linear: bool) -> NDArray[np.uint8]:
    """Colours (N, 3 or 4) as sRGB (N, 4); opacity is never encoded."""
    values = np.array(colours)
    if values.dtype.kind != "f":
        values = values / np.iinfo(values.dtype).max
    values = np.concatenate([values, np.ones((len(values), 1))], 1)[:, :4].clip(0, 1)
    if is_linear:
        values[:, :3] = encoded(values[:, :3])
    return np.round(values * 255).astype(np.uint8)


def _coloured(geometry: Geometry, colours: NDArray[Any]) -> Part:
    """A part with a colour for each vertex, (V, 3 or 4) uint8 sRGB; one for all is a material's."""
    colours = colours[: len(geometry.positions)]
    if not len(colours) or (colours == colours[0]).all():
        red, green, blue, alpha = (*(colours[0] / 255).tolist(), 1.0)[:4]
        return Part(geometry, material={"color": (red, green, blue), "opacity": alpha})
    light = np.ones((len(colours), 4))
    light[:, : colours.shape[1]] = colours / 255
    light[:, :3] = linear(light[:, :3])
    return Part(replace(geometry, colours=light))


def _split(geometry: Geometry) -> Geometry:
    """The same triangles, each with vertices of its own."""
    flat = np.asarray(geometry.triangles).ravel()
    positions = np.asarray(geometry.positions)[flat]
    normals = None if geometry.normals is None else geometry.normals[flat]
    triangles = np.arange(len(flat)).reshape(-1, 3)
    return Geometry(positions, triangles, normals, None, False, geometry.name)
