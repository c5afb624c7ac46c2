"""Hulls of what is seen, a little larger than it: what shows beyond it is a line round it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from heliograph.raster import Geometry

_MERGED = 1e-6
"""Corners nearer than this part of the whole are one."""
_PAIRS = 1 << 20
"""Pairs of corners that are looked at in one go."""

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


def hull(geometry: Geometry, pose: Floats, thickness: float, angle: float) -> Geometry:
    """Triangles whose corners are moved out along their mean normals.

    Args:
        geometry: triangles, counter-clockwise seen from outside.
        pose: (4, 4), where they are; the hull is there as well.
        thickness: how far corners move.
        angle: triangles that face farther than this (radians) from one another move apart.
    """
    points = np.asarray(geometry.positions, float) @ pose[:3, :3].T + pose[:3, 3]
    triangles = np.asarray(geometry.triangles, np.int64)
    if np.linalg.det(pose[:3, :3]) < 0:  # mirrored, so they face the other way
        triangles = triangles[:, ::-1]
    corners, vertex = _merged(points)
    owner = vertex[triangles]
    normals, angles = _faces(corners[owner])
    weighted = (angles[:, :, None] * normals[:, None]).reshape(-1, 3)
    if angle >= math.pi:
        count = len(corners)
        sums: Floats = np.stack([np.bincount(owner.ravel(), w, count) for w in weighted.T], 1)
        return _moved(corners, owner, sums, thickness)
    flat, facing = owner.ravel(), np.repeat(normals, 3, 0)
    sums = _creased(flat, weighted, facing, math.cos(angle))
    rows = np.arange(len(flat)).reshape(-1, 3)
    return _moved(corners[flat], rows, sums, thickness)


def _moved(points: Floats, triangles: Whole, ways: Floats, thickness: float) -> Geometry:
    lengths = np.linalg.norm(ways, axis=1, keepdims=True)
    ways = ways / np.where(lengths > 0, lengths, 1.0)
    up = np.where(lengths > 0, ways, (0.0, 0.0, 1.0))
    return Geometry(points + thickness * ways, triangles, up, None, False, "outline")


def _merged(points: Floats) -> tuple[Floats, Whole]:
    """Points (N, 3) that are there once, and which of them each is."""
    size = float(np.ptp(points, axis=0).max()) or 1.0
    grid = np.round((points - points.min(0)) / (size * _MERGED)).astype(np.int64)
    _, first, vertex = np.unique(grid, axis=0, return_index=True, return_inverse=True)
    return points[first], vertex.reshape(-1)


def _faces(corners: Floats) -> tuple[Floats, Floats]:
    """Normals (T, 3) of triangles (T, 3, 3), and their angles (T, 3); 0 where they have no area."""
    edges = np.roll(corners, -1, 1) - corners
    across = np.cross(edges[:, 0], edges[:, 1])
    lengths = np.linalg.norm(across, axis=1, keepdims=True)
    normals = across / np.where(lengths > 0, lengths, 1.0)
    back = -np.roll(edges, 1, 1)
    angles = np.arctan2(
        np.linalg.norm(np.cross(edges, back), axis=2), np.einsum("tcx,tcx->tc", edges, back)
    )
    return normals, angles * (lengths > 0)


def _creased(owner: Whole, weighted: Floats, facing: Floats, least: float) -> Floats:
    """For each corner (C,) the sum over those at its vertex that face within an angle of it.

    Args:
        owner: (C,) the vertex of each corner.
        weighted: (C, 3), what is added up.
        facing: (C, 3) unit normals.
        least: cosine of the angle.
    """
    order = np.argsort(owner, kind="stable")
    counts = np.bincount(owner)
    starts = np.concatenate([[0], counts.cumsum()])
    sums = np.zeros_like(weighted)
    ends = np.cumsum(counts**2)
    vertex = 0
    while vertex < len(counts):
        done = ends[vertex - 1] if vertex else 0
        stop = max(int(np.searchsorted(ends, done + _PAIRS, "right")), vertex + 1)
        some = counts[vertex:stop]
        mine = order[starts[vertex] : starts[stop]]
        each = np.repeat(np.arange(len(mine)), np.repeat(some, some))
        first = np.repeat(starts[vertex:stop] - starts[vertex], some**2)
        within = np.arange(len(each)) - np.repeat(np.cumsum(some**2) - some**2, some**2)
        other = first + within % np.repeat(some, some**2)
        alike = np.einsum("px,px->p", facing[mine[each]], facing[mine[other]]) >= least - 1e-9
        for axis in range(3):
            values = weighted[mine[other[alike]], axis]
            sums[mine, axis] = np.bincount(each[alike], values, len(mine))
        vertex = stop
    return sums
