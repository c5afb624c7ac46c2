"""A model's height fields as the rasterizer takes them: tiles, each with levels of detail.

What is out of sight costs nothing, and what is far or even little. Tiles of different levels do not
meet exactly: each has a skirt that reaches below its neighbours' largest error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from heliograph.raster import Geometry

Array = NDArray[Any]
Levels = list[tuple[Geometry, float]]

_SIDE = 32  # cells along a tile
_STEEP = 4.0  # terrain is mostly seen at a slant, where an error of height shows more in depth
_REACH = 2.0  # how many times its neighbours' error a skirt reaches down
_LEAST = 1e-3  # of a cell
_NORMAL_STEPS = 1 << 14
_OUTWARD = np.array([(0, -1, 0), (1, 0, 0), (0, 1, 0), (-1, 0, 0)], float)
_UP = np.array([0.0, 0.0, 1.0])


def tiles(model: mujoco.MjModel, index: int) -> list[Levels]:
    """The tiles of one height field, flat-shaded, with the walls down to its base.

    All are in the height field's own axes; levels are finest first, each with its error in metres.
    """
    rows, columns = int(model.hfield_nrow[index]), int(model.hfield_ncol[index])
    start = model.hfield_adr[index]
    x, y, top, base = model.hfield_size[index].tolist()
    heights = model.hfield_data[start : start + rows * columns].reshape(rows, columns)
    xs, ys = np.meshgrid(np.linspace(-x, x, columns), np.linspace(-y, y, rows))
    points = np.stack([xs, ys, heights.astype(float) * top], -1)
    found = [
        _tile(points, row, column)
        for row in range(0, rows - 1, _SIDE)
        for column in range(0, columns - 1, _SIDE)
    ]
    worst = max((tile.gaps[-1] for tile in found), default=0.0)
    name = f"hfield {model.hfield(index).name!r}"
    return [tile.levels(-base, worst, name) for tile in found]


@dataclass(frozen=True, eq=False)
class _Tile:
    """One tile.

    Attributes:
        points: (R, C, 3).
        outer: (4,) which of its sides are the height field's: at the least y, greatest x,
            greatest y, least x.
        cuts: per level, the rows and columns that are left.
        gaps: per level, how far it is from the finest one, metres of height.
    """

    points: Array
    outer: tuple[bool, ...]
    cuts: list[tuple[Array, Array]]
    gaps: list[float]

    def levels(self, floor: float, worst: float, name: str) -> Levels:
        """Its levels; `worst` is the largest gap of any tile."""
        # A level shows where the next one's error is too large, for its neighbours too.
        beside = [*self.gaps[1:], worst]
        return [
            (self._geometry(cut, floor, _REACH * reach, name), _STEEP * gap)
            for cut, gap, reach in zip(self.cuts, self.gaps, beside, strict=True)
        ]

    def _geometry(
        self, cut: tuple[Array, Array], floor: float, reach: float, name: str
    ) -> Geometry:
        points = self.points[np.ix_(*cut)]
        cell = float(np.abs(points[1, 1, :2] - points[0, 0, :2]).max())
        positions, triangles, normals = [[each] for each in _surface(points)]
        sides = (points[0], points[:, -1], points[-1, ::-1], points[::-1, 0])
        for side, outer, outward in zip(sides, self.outer, _OUTWARD, strict=True):
            low = side.copy()
            low[:, 2] = floor if outer else side[:, 2] - max(reach, _LEAST * cell)
            here = np.arange(len(side) - 1) + sum(map(len, positions))
            below = here + len(side)
            triangles += [
                np.stack([here, below, below + 1], 1),
                np.stack([here, below + 1, here + 1], 1),
            ]
            positions += [side, low]
            normals.append(np.tile(outward if outer else _UP, (2 * len(side), 1)))
        return Geometry(
            np.concatenate(positions),
            np.concatenate(triangles),
            np.concatenate(normals),
            simplify=False,
            name=name,
        )


def _tile(points: Array, row: int, column: int) -> _Tile:
    """The tile that starts at this row and column."""
    mine = points[row : row + _SIDE + 1, column : column + _SIDE + 1]
    last_row, last_column = row + _SIDE >= len(points) - 1, column + _SIDE >= points.shape[1] - 1
    rows, columns = mine.shape[0] - 1, mine.shape[1] - 1
    cuts, step = [_cut(rows, columns, 1)], 2
    while step < 2 * max(rows, columns):
        cuts.append(_cut(rows, columns, step))
        step *= 2
    gaps = [0.0, *(_gap(mine[..., 2], *cut) for cut in cuts[1:])]
    return _Tile(mine, (row == 0, last_column, last_row, column == 0), cuts, gaps)


def _cut(rows: int, columns: int, step: int) -> tuple[Array, Array]:
    """Every so many rows and columns, and the last ones."""
    return np.append(np.arange(0, rows, step), rows), np.append(
        np.arange(0, columns, step), columns
    )


def _gap(heights: Array, rows: Array, columns: Array) -> float:
    """The largest vertical distance of heights (R, C) from the triangles that are left of them."""
    i, v = _within(rows, heights.shape[0])
    j, u = _within(columns, heights.shape[1])
    left = heights[np.ix_(rows, columns)]
    a, b = left[i][:, j], left[i][:, j + 1]
    d, c = left[i + 1][:, j], left[i + 1][:, j + 1]
    v = v[:, None]
    here = np.where(u >= v, a + u * (b - a) + v * (c - b), a + v * (d - a) + u * (c - d))
    return float(np.abs(here - heights).max())


def _within(cuts: Array, count: int) -> tuple[Array, Array]:
    """The cell between cuts of each of so many places, and how far in it each is, 0 to 1."""
    places = np.arange(count)
    cell = np.minimum(np.searchsorted(cuts, places, side="right") - 1, len(cuts) - 2)
    return cell, (places - cuts[cell]) / (cuts[cell + 1] - cuts[cell])


def _surface(points: Array) -> tuple[Array, Array, Array]:
    """Positions, triangles and normals of a grid of points (R, C, 3), flat-shaded.

    Corners at one place share a vertex where their faces are parallel.
    """
    grid = np.arange(points.shape[0] * points.shape[1]).reshape(points.shape[:2])
    a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]
    halves = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], 2).reshape(-1, 3)
    corners = points.reshape(-1, 3)[halves]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    whole = np.rint(normals * _NORMAL_STEPS).astype(np.int64).repeat(3, 0)
    keys = np.concatenate([halves.reshape(-1, 1), whole], 1)
    _, first, vertex = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    places = corners.reshape(-1, 3)[first]
    return places, vertex.reshape(-1, 3), normals.repeat(3, 0)[first]
