"""What is on the rasterizer already: each geometry and texture once, by its content."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.engines.components import meshes
from heliograph.errors import SceneError
from heliograph.raster import Geometry, Rasterizer, Texture
from heliograph.scene import Mesh
from heliograph.scene.files import file_digest
from heliograph.scene.shapes import ARRAYS
from heliograph.scene.values import fingerprint

_NONE = -1


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of a mesh on the rasterizer.

    Attributes:
        geometry, texture: handles, -1 for no texture.
        pose: mesh_from_piece, (4, 4).
        material: properties as components have them.
        see_through: whether the texture has an opacity of its own.
        has_uvs: whether a texture can be put on it.
    """

    geometry: int
    texture: int
    pose: NDArray[np.float64]
    material: Any
    see_through: bool
    has_uvs: bool


class Assets:
    """Uploads, and remembers by content.

    Args:
        rasterizer: where to.
    """

    def __init__(self, rasterizer: Rasterizer) -> None:
        self._rasterizer = rasterizer
        self._geometries: dict[object, int] = {}
        self._textures: dict[object, int] = {}
        self._meshes: dict[object, list[Piece]] = {}
        self._bounds: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}

    def shape(self, key: object, make: Callable[[], Geometry]) -> int:
        """The handle of a generated geometry; made once for each key."""
        if key not in self._geometries:
            self._geometries[key] = self._upload(make())
        return self._geometries[key]

    def bounds(self, handle: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper corner (3,) of a geometry; built-in shapes reach from -1 to 1."""
        return self._bounds.get(handle, (np.full(3, -1.0), np.full(3, 1.0)))

    def mesh(self, mesh: Mesh) -> list[Piece]:
        """The pieces of a mesh.

        Raises:
            SceneError: its file is missing or malformed.
        """
        key = _source(mesh)
        if key not in self._meshes:
            self._meshes[key] = [self._piece(part) for part in meshes.parts_of(mesh)]
        return self._meshes[key]

    def image(self, source: str | NDArray[np.uint8]) -> tuple[int, bool]:
        """The handle of an image file or of pixels (H, W, C), and whether it is clear anywhere.

        Raises:
            SceneError: the file is missing or no image.
        """
        pixels = _read(source) if isinstance(source, str) else source
        return self._texture(Texture(pixels)), _clear(pixels)

    def _piece(self, part: meshes.Part) -> Piece:
        content = [part.geometry.positions, part.geometry.triangles]
        content += [a for a in (part.geometry.normals, part.geometry.uvs) if a is not None]
        handle = self.shape(_digest(*content), lambda: part.geometry)
        texture = part.texture
        return Piece(
            geometry=handle,
            texture=_NONE if texture is None else self._texture(texture),
            pose=part.pose,
            material=part.material,
            see_through=texture is not None and _clear(texture.pixels),
            has_uvs=part.geometry.uvs is not None,
        )

    def _texture(self, texture: Texture) -> int:
        key = _digest(texture.pixels)
        if key not in self._textures:
            self._textures[key] = self._rasterizer.add_texture(texture)
        return self._textures[key]

    def _upload(self, geometry: Geometry) -> int:
        handle = self._rasterizer.add_geometry(geometry)
        positions = np.asarray(geometry.positions, float)
        if len(positions):
            self._bounds[handle] = (positions.min(0), positions.max(0))
        return handle


def _source(mesh: Mesh) -> bytes:
    """Digest of what the pieces of a mesh are made from."""
    source = mesh.get("src")
    if source is not None:
        return fingerprint((Path(source).suffix.lower(), file_digest(source)))
    return fingerprint({name: mesh.get(name) for name in ARRAYS})


def _read(path: str) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            clear = "A" in image.getbands() or "transparency" in image.info
            return np.asarray(image.convert("RGBA" if clear else "RGB"))
    except FileNotFoundError:
        raise SceneError(f"{path}: no such file") from None
    except (OSError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise SceneError(f"{path}: not a readable image ({str(error)[:200]})") from None


def _clear(pixels: NDArray[np.uint8]) -> bool:
    return pixels.shape[2] == 4 and bool((pixels[:, :, 3] < 255).any())


def _digest(*arrays: Any) -> bytes:
    digest = hashlib.sha256()
    for array in arrays:
        rows = np.ascontiguousarray(array)
        digest.update(f"{rows.shape} {rows.dtype.str} ".encode())
        digest.update(rows.data if rows.size else b"")
    return digest.digest()
