"""A model's height fields as the rasterizer takes them: tiles, each with levels of detail.

What is out of sight costs nothing, and what is far or even little. Every level of a tile has the
same border, so that tiles of different levels meet exactly.
"""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from heliograph.raster import Geometry
from heliograph.raster.shapes import grid_triangles

Array = NDArray[Any]
Levels = list[tuple[Geometry, float]]

_SIDE = 32  # cells along a tile
_STEEP = 4.0  # terrain is mostly seen at a slant, where an error of height shows more in depth
_NORMAL_STEPS = 1 << 14
_OUTWARD = np.array([(0, -1, 0), (1, 0, 0), (0, 1, 0), (-1, 0, 0)], float)


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
    name = f"hfield {model.hfield(index).name!r}"
    return [
        _tile(points, row, column, -base, name)
        for row in range(0, rows - 1, _SIDE)
        for column in range(0, columns - 1, _SIDE)
    ]


def _tile(points: Array, row: int, column: int, floor: float, name: str) -> Levels:
    """The levels of the tile that starts at this row and column of points (R, C, 3)."""
    mine = points[row : row + _SIDE + 1, column : column + _SIDE + 1]
    rows, columns = mine.shape[0] - 1, mine.shape[1] - 1
    last_row, last_column = row + rows == len(points) - 1, column + columns == points.shape[1] - 1
    walls = _walls(mine, floor, (row == 0, last_column, last_row, column == 0))
    grid = np.arange(mine.shape[0] * mine.shape[1]).reshape(mine.shape[:2])
    levels = [(_geometry(mine, grid_triangles(grid), walls, name), 0.0)]
    step = 2
    while step < max(rows, columns) - 1 and min(rows, columns) > 2:
        inner = _cut(rows - 2, columns - 2, step)
        gap = _gap(mine[1:-1, 1:-1, 2], *inner)
        sparse = grid[1:-1, 1:-1][np.ix_(*inner)]
        triangles = np.concatenate([grid_triangles(sparse), *_rings(grid, sparse, inner)])
        levels.append((_geometry(mine, triangles, walls, name), _STEEP * gap))
        step *= 2
    return levels


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


def _rings(grid: Array, sparse: Array, inner: tuple[Array, Array]) -> list[Array]:
    """Triangles between the border of a grid and what is left inside, a cell away from it."""
    rows, columns = (1 + cut for cut in inner)
    height, width = grid.shape[0] - 1, grid.shape[1] - 1
    return [
        _strip(grid[0], np.arange(width + 1), sparse[0], columns),
        _strip(grid[:, -1], np.arange(height + 1), sparse[:, -1], rows),
        _strip(grid[-1, ::-1], np.arange(width + 1), sparse[-1, ::-1], width - columns[::-1]),
        _strip(grid[::-1, 0], np.arange(height + 1), sparse[::-1, 0], height - rows[::-1]),
    ]


def _strip(outer: Array, at: Array, inner: Array, where: Array) -> Array:
    """Triangles (T, 3) between two rows of vertices at places along them, inner to the left."""
    # Each step along the outer row sees the inner vertex nearest to it, and the other way round.
    seen = np.searchsorted((where[1:] + where[:-1]) / 2, (at[1:] + at[:-1]) / 2)
    sees = np.searchsorted(seen, np.arange(1, len(inner)))
    return np.concatenate(
        [
            np.stack([outer[:-1], outer[1:], inner[seen]], 1),
            np.stack([outer[sees], inner[1:], inner[:-1]], 1),
        ]
    )


def _walls(points: Array, floor: float, there: tuple[bool, ...]) -> list[tuple[Array, Array]]:
    """Points (2, N, 3) and normal of each wall: at the least y, greatest x, greatest y, least x."""
    sides = (points[0], points[:, -1], points[-1, ::-1], points[::-1, 0])
    walls = []
    for side, outward, wall in zip(sides, _OUTWARD, there, strict=True):
        if wall:
            low = side.copy()
            low[:, 2] = floor
            walls.append((np.stack([side, low]), outward))
    return walls


def _geometry(
    points: Array, triangles: Array, walls: list[tuple[Array, Array]], name: str
) -> Geometry:
    """Triangles of a grid of points (R, C, 3), flat-shaded, and walls.

    Corners at one place share a vertex where their faces are parallel.
    """
    corners = points.reshape(-1, 3)[triangles]
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    whole = np.rint(flat * _NORMAL_STEPS).astype(np.int64).repeat(3, 0)
    keys = np.concatenate([triangles.reshape(-1, 1), whole], 1)
    _, first, vertex = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    positions, normals = [corners.reshape(-1, 3)[first]], [flat.repeat(3, 0)[first]]
    faces = [vertex.reshape(-1, 3)]
    for wall, outward in walls:
        grid = sum(map(len, positions)) + np.arange(wall[..., 0].size).reshape(wall.shape[:2])
        faces.append(grid_triangles(grid[::-1]))
        positions.append(wall.reshape(-1, 3))
        normals.append(np.tile(outward, (grid.size, 1)))
    return Geometry(
        np.concatenate(positions),
        np.concatenate(faces),
        np.concatenate(normals),
        simplify=False,
        name=name,
    )
