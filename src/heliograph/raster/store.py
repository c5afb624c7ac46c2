"""Geometries and textures on the GPU: shared buffers, and tables that plans are made from."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from heliograph.errors import InvalidValueError
from heliograph.raster import lod, shapes
from heliograph.raster.drawables import (
    Geometry,
    Shape,
    Texture,
    TextureKind,
    check_geometry,
)

MAX_LEVELS = 12
_MOST_LENT = 256
_CENTRE = 4  # place of the bounding sphere's centre in a row, as Tables lists its fields


@dataclass(eq=False)
class Tables:
    """Facts of all geometries as arrays; row g is geometry handle g.

    Attributes:
        first, count: (G, MAX_LEVELS) index ranges, finest level first.
        base: (G,) first vertex.
        error: (G, MAX_LEVELS) metres before scaling; inf where there is no such level.
        centre, radius: (G, 3), (G,) bounding spheres in object space.
        solver: (G,) how the shader computes the true surface, an index into `shapes.SOLVERS`.
        lit_pixels: (G, MAX_LEVELS) up to which radius on the picture light per vertex looks right.
    """

    first: NDArray[np.uint32]
    count: NDArray[np.uint32]
    base: NDArray[np.uint32]
    error: NDArray[np.float64]
    centre: NDArray[np.float64]
    radius: NDArray[np.float64]
    solver: NDArray[np.int64]
    lit_pixels: NDArray[np.float64]


class _Growing:
    """Rows that are appended; the whole is joined when asked for."""

    def __init__(self, width: int, dtype: type[np.generic]) -> None:
        self._rows: list[NDArray[Any]] = [np.empty((0, width), dtype)]
        self.size = 0
        self._dtype = dtype

    def add(self, rows: NDArray[Any]) -> int:
        """Append rows; where they start."""
        start = self.size
        self._rows.append(np.ascontiguousarray(rows, self._dtype))
        self.size += len(rows)
        return start

    def joined(self) -> NDArray[Any]:
        """All rows as one array."""
        if len(self._rows) > 1:
            self._rows = [np.concatenate(self._rows)]
        return self._rows[0]


class GeometryStore:
    """All geometries of one rasterizer in shared vertex and index buffers."""

    def __init__(self, gl: moderngl.Context, simplify: bool) -> None:
        self._gl = gl
        self._simplify = simplify
        self._positions = _Growing(3, np.float32)
        self._normals = _Growing(3, np.float32)
        self._uvs = _Growing(2, np.float32)
        self._indices = _Growing(1, np.uint32)
        self._rows: list[tuple[Any, ...]] = []
        self._vertices: list[int] = []
        self._own_uvs: list[bool] = []
        self._has_uvs = False
        self._tables: Tables | None = None
        self.buffers: dict[str, moderngl.Buffer] = {}
        self.version = 0
        for shape in Shape:
            self._add_shape(shape)

    def add(self, geometry: Geometry) -> int:
        """Take a geometry in; its handle.

        Raises:
            InvalidValueError: shapes, NaN or indices that cannot be drawn.
        """
        check_geometry(geometry)
        if geometry.normals is None:
            geometry = _flat(geometry)
        positions = np.asarray(geometry.positions, np.float32)
        normals = np.asarray(geometry.normals, np.float32)
        triangles = lod.optimize(positions, np.asarray(geometry.triangles, np.uint32))
        chain = [(triangles, 0.0)]
        if self._simplify and geometry.simplify:
            uvs = None if geometry.uvs is None else np.asarray(geometry.uvs, np.float32)
            surface = lod.Surface(positions, normals, triangles, uvs)
            chain = lod.levels(surface)[:MAX_LEVELS]
        base = self._add_vertices(positions, normals, geometry.uvs)
        ranges = [self._add_triangles(level) for level, _ in chain]
        errors = [geometry.stretch * error for _, error in chain]
        return self._add_row(base, positions, ranges, errors, geometry.surface)

    def has_uvs(self, handles: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which geometries have texture coordinates of their own."""
        return np.array([self._own_uvs[handle] for handle in handles], bool)

    def update(self, handle: int, positions: NDArray[Any], normals: NDArray[Any]) -> None:
        """Move the vertices of a geometry (a skin, say); the triangles stay.

        Raises:
            InvalidValueError: another number of vertices than the geometry has.
        """
        base, count = int(self._rows[handle][2]), self._vertices[handle]
        if positions.shape != (count, 3) or normals.shape != (count, 3):
            raise InvalidValueError(
                f"expected positions and normals ({count}, 3), got {positions.shape}, "
                f"{normals.shape}"
            )
        self.upload()
        kept = {"in_position": self._positions, "in_normal": self._normals}
        for name, rows in (("in_position", positions), ("in_normal", normals)):
            data = np.ascontiguousarray(rows, np.float32)
            kept[name].joined()[base : base + count] = data  # for when buffers are made anew
            self.buffers[name].write(data, offset=base * 12)
        centre, radius = _quick_sphere(positions)
        self.tables.centre[handle], self.tables.radius[handle] = centre, radius
        row = self._rows[handle]  # for when the tables are made anew
        self._rows[handle] = (*row[:_CENTRE], centre, radius, *row[_CENTRE + 2 :])

    @property
    def tables(self) -> Tables:
        """Facts of all geometries as arrays."""
        if self._tables is None:
            columns = list(zip(*self._rows, strict=True))
            dtypes = (*[np.uint32] * 3, *[float] * 3, np.int64, float)
            arrays = [np.array(c, t) for c, t in zip(columns, dtypes, strict=True)]
            self._tables = Tables(*arrays)
        return self._tables

    def upload(self) -> None:
        """Bring the buffers up to date; `version` tells vertex arrays when they are stale."""
        sources = {
            "in_position": self._positions,
            "in_normal": self._normals,
            "in_uv": self._uvs,
            "indices": self._indices,
        }
        if self.buffers and self.buffers["indices"].size == 4 * self._indices.size:
            return
        for buffer in self.buffers.values():
            buffer.release()
        self.buffers = {name: self._gl.buffer(rows.joined()) for name, rows in sources.items()}
        self.version += 1

    def _add_shape(self, shape: Shape) -> None:
        chain = shapes.levels(shape) if self._simplify else shapes.levels(shape)[1:2]
        chain = chain or shapes.levels(shape)
        base, ranges = self._positions.size, []
        points = []
        for level, _ in chain:
            start = self._add_vertices(level.positions, level.normals, level.uvs)
            triangles = lod.optimize(
                np.asarray(level.positions, np.float32), np.asarray(level.triangles, np.uint32)
            )
            ranges.append(self._add_triangles(triangles + (start - base)))
            points.append(np.asarray(level.positions, np.float32))
        self._add_row(base, np.concatenate(points), ranges, [e for _, e in chain], shape)

    def _add_vertices(self, positions: Any, normals: Any, uvs: Any) -> int:
        self._normals.add(normals)
        self._has_uvs = uvs is not None
        self._uvs.add(np.zeros((len(positions), 2)) if uvs is None else uvs)
        return self._positions.add(positions)

    def _add_triangles(self, triangles: NDArray[Any]) -> tuple[int, int]:
        return self._indices.add(triangles.reshape(-1, 1)), triangles.size

    def _add_row(
        self,
        base: int,
        positions: NDArray[np.float32],
        ranges: list[tuple[int, int]],
        errors: list[float],
        shape: Shape | None,
    ) -> int:
        spare = MAX_LEVELS - len(ranges)
        first, count = zip(*ranges, strict=True)
        solver = 0 if shape is None else shapes.SOLVER[shape]
        centre, radius = _sphere(positions)
        row = ((*first, *[0] * spare), (*count, *[0] * spare), base, (*errors, *[np.inf] * spare))
        lit = [] if shape is None else shapes.LIT_PIXELS[shape][: len(ranges)]
        lit = [*lit, *[np.inf] * (MAX_LEVELS - len(lit))]
        self._rows.append((*row, centre, radius, solver, lit))
        self._vertices.append(len(positions))
        self._own_uvs.append(shape is None and self._has_uvs)
        self._tables = None
        return len(self._rows) - 1


def _quick_sphere(positions: NDArray[Any]) -> tuple[NDArray[np.float64], float]:
    """A bounding sphere of the bounding box: looser, but a tenth of the work."""
    columns = np.ascontiguousarray(positions.T)
    low, high = columns.min(1).astype(float), columns.max(1).astype(float)
    return (low + high) / 2, float(np.linalg.norm(high - low)) / 2


def _sphere(positions: NDArray[Any]) -> tuple[NDArray[np.float64], float]:
    """A bounding sphere: centre of the box, distance of the farthest vertex."""
    if not len(positions):
        return np.zeros(3), 0.0
    centre = (positions.min(0).astype(float) + positions.max(0)) / 2
    return centre, float(np.sqrt(((positions - centre) ** 2).sum(1).max()))


def _flat(geometry: Geometry) -> Geometry:
    """Vertices split by face, each with its face's normal."""
    corners = np.asarray(geometry.positions)[geometry.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = np.repeat(normals / np.where(length > 0, length, 1), 3, 0)
    uvs = None if geometry.uvs is None else geometry.uvs[geometry.triangles.reshape(-1)]
    triangles = np.arange(corners.shape[0] * 3).reshape(-1, 3)
    return Geometry(corners.reshape(-1, 3), triangles, normals, uvs, False, name=geometry.name)


class TextureStore:
    """All textures of one rasterizer."""

    def __init__(self, gl: moderngl.Context) -> None:
        self._gl = gl
        self._textures: list[tuple[moderngl.Texture | moderngl.TextureCube, TextureKind]] = []
        self._lent: OrderedDict[bytes, int] = OrderedDict()

    def lend(self, texture: Texture) -> int:
        """A handle for pixels that may soon be forgotten; the oldest give way to new ones."""
        _check_texture(texture)
        text = repr((texture.kind, texture.pixels.shape)).encode()
        key = hashlib.blake2b(text + np.ascontiguousarray(texture.pixels).tobytes()).digest()
        if key not in self._lent:
            if len(self._lent) < _MOST_LENT:
                self._lent[key] = self.add(texture)
            else:
                _, handle = self._lent.popitem(last=False)
                self._textures[handle][0].release()
                self._textures[handle] = self._made(texture)
                self._lent[key] = handle
        self._lent.move_to_end(key)
        return self._lent[key]

    def add(self, texture: Texture) -> int:
        """Take a texture in; its handle.

        Raises:
            InvalidValueError: pixels of another shape or dtype than the kind takes.
        """
        _check_texture(texture)
        self._textures.append(self._made(texture))
        return len(self._textures) - 1

    def _made(
        self, texture: Texture
    ) -> tuple[moderngl.Texture | moderngl.TextureCube, TextureKind]:
        pixels = np.ascontiguousarray(texture.pixels)
        channels = pixels.shape[-1]
        made: moderngl.Texture | moderngl.TextureCube
        if texture.kind is TextureKind.CUBE:
            made = self._gl.texture_cube(pixels.shape[1:3], channels, pixels.tobytes(), alignment=1)
        else:
            size = (pixels.shape[1], pixels.shape[0])
            made = self._gl.texture(size, channels, pixels[::-1].tobytes(), alignment=1)
        made.build_mipmaps()
        made.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
        made.swizzle = {1: "RRR1", 3: "RGB1", 4: "RGBA"}[channels]
        return made, texture.kind

    def kind(self, handle: int) -> TextureKind:
        """The kind of a texture."""
        return self._textures[handle][1]

    def use(self, handle: int) -> None:
        """Bind a texture to unit 0."""
        self._textures[handle][0].use(0)


def _check_texture(texture: Texture) -> None:
    shape, cube = texture.pixels.shape, texture.kind is TextureKind.CUBE
    fits = len(shape) == 4 and shape[0] == 6 and shape[1] == shape[2] if cube else len(shape) == 3
    if not fits or shape[-1] not in (1, 3, 4) or 0 in shape or texture.pixels.dtype != np.uint8:
        expected = "(6, N, N, C)" if cube else "(H, W, C)"
        raise InvalidValueError(
            f"{texture.name}: expected uint8 pixels {expected} with C 1, 3 or 4, got {shape} "
            f"{texture.pixels.dtype}"
        )
