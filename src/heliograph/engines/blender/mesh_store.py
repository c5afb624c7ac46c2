"""What a scene of components uploads, kept as arrays until Blender shows it."""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.engines.shared import tessellate
from heliograph.engines.shared.tessellate import WHOLE
from heliograph.raster import Geometry, Shape, Texture, flat_shaded
from heliograph.raster.shapes import levels

_LENT = 32
_LENT_FROM = 1 << 30  # handles of what is lent; those of what stays are smaller

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Stored:
    """A geometry.

    Attributes:
        geometry: its triangles, with normals.
        box: (2, 3), its corners.
    """

    geometry: Geometry
    box: Points


class MeshStore:
    """Keeps geometry, textures and light from all around by handle; no handle is used twice."""

    def __init__(self) -> None:
        self._handles = count(len(Shape))
        self._geometries: dict[int, Stored] = {}
        self._textures: dict[int, Texture] = {}
        self._lent: OrderedDict[bytes, tuple[int, Texture]] = OrderedDict()
        self._lent_handles = count(_LENT_FROM)
        self._radiances: dict[int, NDArray[np.float32]] = {}

    def add_geometry(self, geometry: Geometry) -> int:
        """Take in triangles; see `heliograph.raster.store.AssetStore`."""
        handle = next(self._handles)
        self._geometries[handle] = _stored(geometry)
        return handle

    def update_geometry(self, handle: int, positions: NDArray[Any], normals: NDArray[Any]) -> None:
        """Move a geometry's vertices: positions and normals (V, 3); the triangles stay."""
        before = self._geometries[handle].geometry
        self._geometries[handle] = _stored(replace(before, positions=positions, normals=normals))

    def remove_geometry(self, handle: int) -> None:
        """Forget a geometry."""
        del self._geometries[handle]

    def add_texture(self, texture: Texture) -> int:
        """Take in pixels."""
        handle = next(self._handles)
        self._textures[handle] = texture
        return handle

    def lend_texture(self, texture: Texture) -> int:
        """A handle for pixels that may change with every view: equal pixels, equal handle."""
        pixels = np.ascontiguousarray(texture.pixels)
        shape = f"{pixels.shape} {texture.linear}".encode()
        key = hashlib.sha256(shape + pixels.tobytes()).digest()
        if key not in self._lent:
            self._lent[key] = next(self._lent_handles), texture
        self._lent.move_to_end(key)
        return self._lent[key][0]

    def trim(self) -> None:
        """Forget what was lent and not used lately; between two views."""
        while len(self._lent) > _LENT:
            self._lent.popitem(last=False)

    def remove_texture(self, handle: int) -> None:
        """Forget a texture."""
        del self._textures[handle]

    def add_radiance(self, radiance: NDArray[np.float32]) -> int:
        """Take in light from all around (H, W, 3), as `heliograph.raster.Rasterizer` does."""
        handle = next(self._handles)
        self._radiances[handle] = radiance
        return handle

    def remove_radiance(self, handle: int) -> None:
        """Forget light from all around."""
        del self._radiances[handle]

    def has_uvs(self, geometry: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which of these geometries (N,) have texture coordinates of their own."""
        found = [
            each < len(Shape) or self._geometries[each].geometry.uvs is not None
            for each in geometry.tolist()
        ]
        return np.array(found, bool)

    def radii(self, geometry: NDArray[np.int32]) -> NDArray[np.float64]:
        """Radii (N,) of these geometries' bounding spheres."""
        return np.array([self._radius(each) for each in geometry.tolist()], float)

    def geometry(self, handle: int, length: float = 0.0) -> Geometry:
        """The triangles of a geometry, with normals; of a shape fine ones.

        Args:
            handle: of it.
            length: of a capsule, as `Transforms.length` has it.
        """
        return shape(Shape(handle), length) if handle < len(Shape) else self._stored(handle)

    def has(self, handle: int) -> bool:
        """Whether a geometry is there."""
        return handle < len(Shape) or handle in self._geometries

    def keeps_texture(self, handle: int) -> bool:
        """Whether a texture is more than lent."""
        return handle in self._textures

    def has_texture(self, handle: int) -> bool:
        """Whether a texture is there, or none is asked for."""
        lent = any(each == handle for each, _ in self._lent.values())
        return handle < 0 or lent or self.keeps_texture(handle)

    def texture(self, handle: int) -> Texture:
        """The pixels of a handle."""
        if handle < _LENT_FROM:
            return self._textures[handle]
        return next(texture for each, texture in self._lent.values() if each == handle)

    def radiance(self, handle: int) -> NDArray[np.float32]:
        """The light from all around of a handle."""
        return self._radiances[handle]

    def _stored(self, handle: int) -> Geometry:
        return self._geometries[handle].geometry

    def _radius(self, handle: int) -> float:
        if handle < len(Shape):
            return math.sqrt(3.0) if handle == Shape.BOX else math.sqrt(2.0)
        low, high = self._geometries[handle].box
        return float(np.linalg.norm(high - low)) / 2


def _stored(geometry: Geometry) -> Stored:
    points = np.asarray(geometry.positions, float)
    box = np.stack([points.min(0), points.max(0)]) if len(points) else np.zeros((2, 3))
    return Stored(flat_shaded(geometry), box)


def shape(kind: Shape, length: float = 0.0) -> Geometry:
    """A shape of the rasterizer as triangles, with three.js's texture coordinates.

    Args:
        kind: which.
        length: of a capsule half the way between the centres of its ends, in its radii.
    """
    if kind in (Shape.PLANE, Shape.BOX):
        flat = levels(kind)[-1][0]
        return replace(flat, uvs=_flat_uvs(np.asarray(flat.positions), np.asarray(flat.normals)))
    if kind is Shape.SPHERE:
        return _upright(tessellate.sphere(WHOLE, (0.0, math.pi)))
    if kind is Shape.CYLINDER:
        return _upright(tessellate.cylinder(1.0, 1.0))
    return _upright(_capsule(length))


def _flat_uvs(points: Points, normals: Points) -> Points:
    """Texture coordinates (V, 2) of points on boxes and planes."""
    x, y, z = points.T
    nx, ny, nz = normals.T
    u = np.where(nx != 0, -nx * z, np.where(ny != 0, 1.0, nz) * x)
    v = np.where(ny != 0, -ny * z, y)
    return np.stack([u, v], 1) / 2 + 0.5


def _capsule(length: float) -> Geometry:
    """A capsule along y, of radius 1."""
    quarter, shift = math.pi / 2, np.array([0.0, length, 0.0])
    tube = tessellate.cylinder(1.0, 1.0, (-quarter, WHOLE[1]), caps=False)
    top = tessellate.sphere(WHOLE, (0.0, quarter))
    low = tessellate.sphere(WHOLE, (quarter, quarter))
    made = tessellate.joined(
        "capsule",
        [
            replace(tube, positions=np.asarray(tube.positions) * (1.0, length, 1.0)),
            replace(top, positions=np.asarray(top.positions) + shift),
            replace(low, positions=np.asarray(low.positions) - shift),
        ],
    )
    y, uvs = np.asarray(made.positions)[:, 1], np.array(made.uvs)
    ends = np.clip(y, -length, length)
    uvs[:, 1] = 0.5 + (ends + np.arcsin(np.clip(y - ends, -1, 1))) / (2 * length + math.pi)
    return replace(made, uvs=uvs)


def _upright(made: Geometry) -> Geometry:
    """What is along y, along z."""
    turn = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    positions, normals = (np.asarray(rows) @ turn.T for rows in (made.positions, made.normals))
    return replace(made, positions=positions, normals=normals)
