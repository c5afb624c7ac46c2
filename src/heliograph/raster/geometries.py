"""Geometries: vertices and triangles in shared streams, and tables that plans are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from heliograph.checks import is_integer
from heliograph.errors import InvalidValueError, shown
from heliograph.raster import lod, shapes
from heliograph.raster.intake import (
    MOST,
    check_reach,
    checked_handles,
    checked_levels,
    flat_shaded,
    vertex_rows,
)
from heliograph.raster.ranges import Ranges
from heliograph.raster.table import MAX_LEVELS, GeometryTable
from heliograph.raster.types import Geometry, Shape

_ABREAST = 256
_BOX = 4  # place of the bounding box in a row of the table; the radius comes next


@dataclass
class _Block:
    """Where a geometry stands in the buffers.

    Its first vertex and their number, index ranges, whether it has texture coordinates of its own,
    and colours of its vertices, and which of the vertices that were given stands in which place
    (None: each in its own).
    """

    base: int
    count: int
    ranges: list[tuple[int, int]]
    own_uvs: bool
    tinted: bool = False
    order: NDArray[np.intp] | None = None


_REMOVED = _Block(0, 0, [(0, 0)], False)


class Stream(Protocol):
    """Rows of numbers that grow as they are written to."""

    def put(self, start: int, rows: NDArray[Any]) -> None:
        """Write rows (K, width) from row `start` on, where the next picture finds them."""


class GeometryStore:
    """All geometries of one rasterizer.

    Args:
        streams: where rows go: `in_position` and `in_normal` (3 float32), `in_uv` (2 float32),
            `in_colour` (4 float16) and `indices` (1 uint32).
        simplify: whether levels of detail are made.
    """

    def __init__(self, streams: Mapping[str, Stream], *, simplify: bool) -> None:
        self._simplify = simplify
        self._streams = streams
        self._streams["in_colour"].put(0, np.ones((1, 4)))  # few geometries have any
        self._vertices, self._indices = Ranges(), Ranges()
        self._rows: list[tuple[Any, ...]] = []
        self._blocks: list[_Block] = []
        self._free: list[int] = []
        self._tables: GeometryTable | None = None
        for shape in Shape:
            chain = shapes.levels(shape)
            block, points = self._levels_block([level for level, _ in chain])
            self._add_row(block, points[0], [error for _, error in chain], shape)

    def add(self, geometry: Geometry) -> int:
        """Take a geometry in; its handle.

        Raises:
            InvalidValueError: shapes, NaN or indices that cannot be drawn.
        """
        geometry = flat_shaded(geometry)
        positions = np.asarray(geometry.positions, np.float32)
        normals = np.asarray(geometry.normals, np.float32)
        triangles = lod.optimize(positions, np.asarray(geometry.triangles, np.uint32))
        chain = [(triangles, 0.0)]
        if self._simplify and geometry.simplify:
            uvs = None if geometry.uvs is None else np.asarray(geometry.uvs, np.float32)
            poses = tuple(np.asarray(pose, np.float32) for pose in geometry.poses)
            surface = lod.Surface(positions, normals, triangles, uvs, poses)
            chain = lod.levels(surface)[:MAX_LEVELS]
        levels, order = [level for level, _ in chain], None
        uvs, colours = geometry.uvs, geometry.colours
        if not geometry.poses:  # else to put them in order for every view would cost more
            order, levels = _in_order(levels, len(positions))
            uvs = None if uvs is None else np.asarray(uvs)[order]
            colours = None if colours is None else np.asarray(colours)[order]
        block = self._block(_picked(positions, order), _picked(normals, order), uvs, levels)
        block.order, block.tinted = order, colours is not None
        if colours is not None:
            self._streams["in_colour"].put(block.base, colours)
        return self._add_row(block, positions, [error for _, error in chain], geometry.surface)

    def add_levels(self, levels: Sequence[tuple[Geometry, float]]) -> int:
        """Take in one surface at several levels of detail, finest first, with errors in metres.

        Raises:
            InvalidValueError: shapes, NaN or indices that cannot be drawn.
        """
        levels = checked_levels(levels)
        chain = levels if self._simplify else levels[:1]
        block, points = self._levels_block([each for each, _ in chain])
        return self._add_row(block, np.concatenate(points), [error for _, error in chain], None)

    def remove(self, handle: int) -> None:
        """Forget a geometry that nothing shows any more; its handle is given out again.

        Raises:
            InvalidValueError: it was removed, is a built-in shape, or never was one.
        """
        self._check_added(handle)
        block = self._blocks[handle]
        self._blocks[handle] = _REMOVED  # first: nothing is given back twice, whatever happens
        self._set_row(handle, _row(_REMOVED, np.empty((0, 3)), [0.0], None))
        self._vertices.give(block.base, block.count)
        for first, count in block.ranges:
            self._indices.give(first, count)
        self._free.append(handle)

    @property
    def used(self) -> tuple[int, int]:
        """Rows of vertices and of indices up to the last that any geometry has."""
        return self._vertices.size, self._indices.size

    def has_uvs(self, handles: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which geometries have texture coordinates of their own."""
        known = checked_handles(handles, len(self._blocks))
        return np.array([self._blocks[handle].own_uvs for handle in known], bool)

    def radii(self, handles: NDArray[np.int32]) -> NDArray[np.float64]:
        """Radii (N,) of geometries' bounding spheres."""
        known = checked_handles(handles, len(self._blocks))
        found: NDArray[np.float64] = self.tables.radius[known]
        return found

    def update(self, handle: int, positions: NDArray[Any], normals: NDArray[Any]) -> None:
        """Move the vertices of a geometry (a skin, say); the triangles stay.

        Raises:
            InvalidValueError: another number of vertices than the geometry has, NaN or infinite
                ones, or no geometry.
        """
        self._check_added(handle)
        block, name = self._blocks[handle], f"geometry {handle}"
        positions = vertex_rows(name, "positions", positions, block.count)
        normals = vertex_rows(name, "normals", normals, block.count)
        box = _box(positions)
        check_reach(name, "positions", np.abs(box).sum(0))
        check_reach(name, "normals", normals, MOST)
        self._streams["in_position"].put(block.base, _picked(positions, block.order))
        self._streams["in_normal"].put(block.base, _picked(normals, block.order))
        radius = _radius(positions, box)
        self.tables.box[handle], self.tables.radius[handle] = box, radius
        row = self._rows[handle]  # for when the tables are made anew
        self._rows[handle] = (*row[:_BOX], box, radius, *row[_BOX + 2 :])

    def _check_added(self, handle: int) -> None:
        known = is_integer(handle, len(Shape), len(self._blocks) - 1)
        if not known or self._blocks[handle] is _REMOVED:
            raise InvalidValueError(
                f"geometry {shown(handle)} was removed, or never added; expected a handle of "
                "`add_geometry`"
            )

    @property
    def tables(self) -> GeometryTable:
        """Facts of all geometries as arrays."""
        if self._tables is None:
            columns = list(zip(*self._rows, strict=True))
            dtypes = (*[np.uint32] * 3, *[float] * 3, np.int64, float, bool, bool)
            arrays = [np.array(c, t) for c, t in zip(columns, dtypes, strict=True)]
            self._tables = GeometryTable(*arrays)
        return self._tables

    def _levels_block(self, levels: Sequence[Geometry]) -> tuple[_Block, list[NDArray[np.float32]]]:
        """Store levels that each have vertices of their own; where, and their positions."""
        points = [np.asarray(level.positions, np.float32) for level in levels]
        starts = np.cumsum([0, *map(len, points)]).tolist()
        triangles = [
            lod.optimize(each, np.asarray(level.triangles, np.uint32)) + start
            for each, level, start in zip(points, levels, starts, strict=False)
        ]
        normals = np.concatenate([np.asarray(level.normals) for level in levels])
        uvs = [
            np.zeros((len(level.positions), 2)) if level.uvs is None else level.uvs
            for level in levels
        ]
        positions = np.concatenate(points)
        return self._block(positions, normals, np.concatenate(uvs), triangles), points

    def _block(self, positions: Any, normals: Any, uvs: Any, levels: list[NDArray[Any]]) -> _Block:
        """Store vertices, and the triangles of each level, where there is room."""
        count = len(positions)
        base = self._vertices.take(count)
        self._streams["in_position"].put(base, positions)
        self._streams["in_normal"].put(base, normals)
        self._streams["in_uv"].put(base, np.zeros((count, 2)) if uvs is None else uvs)
        ranges = [(self._indices.take(level.size), level.size) for level in levels]
        for (first, _), level in zip(ranges, levels, strict=True):
            self._streams["indices"].put(first, level.reshape(-1, 1))
        return _Block(base, count, ranges, uvs is not None)

    def _add_row(
        self, block: _Block, positions: Any, errors: list[float], shape: Shape | None
    ) -> int:
        row = _row(block, positions, errors, shape)
        block.own_uvs = block.own_uvs and shape is None
        if self._free:
            handle = self._free.pop()
            self._blocks[handle] = block
            self._set_row(handle, row)
            return handle
        self._tables = None
        self._rows[len(self._blocks) :] = [row]
        self._blocks.append(block)
        return len(self._blocks) - 1

    def _set_row(self, handle: int, row: tuple[Any, ...]) -> None:
        self._rows[handle] = row
        if self._tables is not None:
            for column, value in zip(vars(self._tables).values(), row, strict=True):
                column[handle] = value


def _row(
    block: _Block, positions: Any, errors: list[float], shape: Shape | None
) -> tuple[Any, ...]:
    """A geometry's facts in the order of GeometryTable's fields."""
    spare = MAX_LEVELS - len(block.ranges)
    first, count = zip(*block.ranges, strict=True)
    box = _box(positions)
    lit = [] if shape is None else shapes.LIT_PIXELS[shape][: len(block.ranges)]
    return (
        (*first, *[0] * spare),
        (*count, *[0] * spare),
        block.base,
        (*errors, *[np.inf] * spare),
        box,
        _radius(positions, box),
        0 if shape is None else shapes.SOLVER[shape],
        [*lit, *[np.inf] * (MAX_LEVELS - len(lit))],
        shape is Shape.PLANE,
        block.tinted,
    )


def _box(positions: NDArray[Any]) -> NDArray[np.float64]:
    """Centre and half-sizes (2, 3) of the bounding box."""
    if not len(positions):
        return np.zeros((2, 3))
    low, high = (_over_rows(reduce, positions).astype(float) for reduce in (np.minimum, np.maximum))
    return np.stack([low + high, high - low]) / 2


def _radius(positions: NDArray[Any], box: NDArray[np.float64]) -> float:
    """Of the bounding sphere round the middle of the bounding box."""
    x, y, z = (np.subtract(positions[:, i], box[0, i], dtype=float) for i in range(3))
    return float(np.sqrt((x * x + y * y + z * z).max(initial=0)))  # a tenth of a sum over rows


def _over_rows(reduce: np.ufunc, rows: NDArray[Any]) -> NDArray[Any]:
    """Minimum or maximum (3,) of rows (V, 3), many side by side: four times as fast."""
    whole = len(rows) // _ABREAST * _ABREAST
    many = reduce.reduce(rows[:whole].reshape(-1, 3 * _ABREAST)) if whole else rows[:0]
    result: NDArray[Any] = reduce.reduce(np.concatenate([many.reshape(-1, 3), rows[whole:]]))
    return result


def _in_order(
    levels: list[NDArray[np.uint32]], count: int
) -> tuple[NDArray[np.intp], list[NDArray[np.uint32]]]:
    """An order of the vertices (V,) in which each level's lie together, and the levels in it.

    Those of the coarsest level come first, as its triangles use them: what is drawn of a heavy mesh
    from afar then lies together in memory.
    """
    used = np.concatenate([*(level.ravel() for level in reversed(levels)), np.arange(count)])
    vertices, first = np.unique(used, return_index=True)
    order = vertices[np.argsort(first)].astype(np.intp)
    place = np.empty(count, np.uint32)
    place[order] = np.arange(count)
    return order, [place[level] for level in levels]


def _picked(rows: NDArray[Any], order: NDArray[np.intp] | None) -> NDArray[Any]:
    return rows if order is None else rows[order]
