"""Triangles of shapes that the rasterizer has no exact form of, or that carry three.js's uvs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.raster import Geometry

SLICES = 128
_TUBE_SLICES = 48

Floats = NDArray[np.float64]
Profile = tuple[Floats, Floats, Floats]
"""Points (N, 2) as (radius, y), normals (N, 2), and v (N,), from the bottom to the top."""


def torus(radius: float, tube: float) -> Geometry:
    """A ring in the xy plane."""
    around = np.linspace(0, 2 * math.pi, SLICES + 1)
    across = np.linspace(0, 2 * math.pi, _TUBE_SLICES + 1)
    u, v = np.meshgrid(around, across)
    out = np.stack([np.cos(v) * np.cos(u), np.cos(v) * np.sin(u), np.sin(v)], -1)
    ring = np.stack([np.cos(u), np.sin(u), np.zeros_like(u)], -1)
    uvs = np.stack([u, v], -1) / (2 * math.pi)
    return _geometry("torus", radius * ring + tube * out, out, uvs)


def sphere() -> Geometry:
    """A sphere of radius 1."""
    return _lathe("sphere", [_arc(-math.pi / 2, math.pi / 2, 0.0, (0.0, 1.0))], -math.pi / 2)


def capsule(length: float) -> Geometry:
    """A capsule of radius 1 along y; `length` is without its caps."""
    half, total = length / 2, math.pi + length
    low, high = math.pi / 2 / total, 1 - math.pi / 2 / total
    bottom = _arc(-math.pi / 2, 0, -half, (0.0, low))
    top = _arc(0, math.pi / 2, half, (high, 1.0))
    joined = tuple(np.concatenate(parts) for parts in zip(bottom, top, strict=True))
    return _lathe("capsule", [(joined[0], joined[1], joined[2])], -math.pi / 2)


def cylinder(top: float, bottom: float) -> Geometry:
    """A cylinder, stump or cone along y from -1 to 1 with these radii."""
    slope = np.array([2.0, bottom - top]) / math.hypot(2.0, bottom - top)
    wall = (np.array([[bottom, -1.0], [top, 1.0]]), np.array([slope, slope]), np.array([0.0, 1]))
    parts = [_lathe("cylinder", [wall], 0.0)]
    parts += [_disc(radius, y) for radius, y in ((top, 1.0), (bottom, -1.0)) if radius > 0]
    return joined("cylinder", parts)


def box() -> Geometry:
    """A box of half-extent 1 with the whole texture on each face."""
    faces = []
    for axis, sign in ((0, 1), (0, -1), (1, 1), (1, -1), (2, 1), (2, -1)):
        turn = np.zeros((3, 3))
        turn[axis, 2] = sign
        # As in three.js: u runs round the y axis, v up; on top and bottom v runs to -z and +z.
        across, up = {0: ((2, -sign), (1, 1)), 1: ((0, 1), (2, -sign)), 2: ((0, sign), (1, 1))}[
            axis
        ]
        turn[across[0], 0], turn[up[0], 1] = across[1], up[1]
        quad = plane()
        corners = (quad.positions + np.array([0, 0, 1])) @ turn.T
        normals = np.asarray(quad.normals) @ turn.T
        faces.append(Geometry(corners, quad.triangles, normals, quad.uvs))
    return joined("box", faces)


def plane() -> Geometry:
    """The square -1..1 that faces +z."""
    corners = np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    up = np.tile([0.0, 0, 1], (4, 1))
    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    return Geometry(corners, triangles, up, corners[:, :2] / 2 + 0.5, False, "plane")


def joined(name: str, parts: list[Geometry]) -> Geometry:
    """Geometries with normals and uvs as one."""
    starts = np.cumsum([0, *(len(part.positions) for part in parts)])
    pairs = zip(parts, starts, strict=False)
    return Geometry(
        np.concatenate([part.positions for part in parts]),
        np.concatenate([part.triangles + start for part, start in pairs]),
        np.concatenate([np.asarray(part.normals) for part in parts]),
        np.concatenate([np.asarray(part.uvs) for part in parts]),
        False,
        name,
    )


def _arc(start: float, end: float, y: float, v: tuple[float, float]) -> Profile:
    """Part of a circle of radius 1 about (0, y), by latitude."""
    steps = round((end - start) / (2 * math.pi) * SLICES)
    latitude = np.linspace(start, end, steps + 1)
    normals = np.stack([np.cos(latitude), np.sin(latitude)], 1)
    return normals + np.array([0.0, y]), normals, np.linspace(*v, steps + 1)


def _lathe(name: str, profiles: list[Profile], start: float) -> Geometry:
    """Profiles turned round the y axis; u begins at angle `start` from +z towards +x."""
    angle = np.linspace(0, 2 * math.pi, SLICES + 1) + start
    spin = np.stack([np.sin(angle), np.ones_like(angle), np.cos(angle)], 1)
    u = np.linspace(0, 1, SLICES + 1)
    parts = []
    for points, normals, v in profiles:
        around = points[:, None, [0, 1, 0]] * spin
        out = normals[:, None, [0, 1, 0]] * spin
        uvs = np.stack(np.meshgrid(u, v), -1)
        parts.append(_geometry(name, around, out, uvs))
    return joined(name, parts)


def _disc(radius: float, y: float) -> Geometry:
    """The cap of a cylinder at y = 1 (seen from above) or -1 (from below)."""
    angle = np.linspace(0, 2 * math.pi, SLICES, endpoint=False)
    flat = np.stack([np.sin(angle), np.cos(angle)], 1)
    rim = np.insert(flat * radius, 1, y, axis=1)
    positions = np.concatenate([rim, [[0.0, y, 0.0]]])
    here = np.arange(SLICES)
    triangles = np.stack([here, (here + 1) % SLICES, np.full(SLICES, SLICES)], 1)
    uvs = np.concatenate([flat[:, ::-1] * (0.5, 0.5 * y) + 0.5, [[0.5, 0.5]]])
    normals = np.tile([0.0, y, 0.0], (SLICES + 1, 1))
    return Geometry(positions, triangles if y > 0 else triangles[:, ::-1], normals, uvs)


def _geometry(name: str, points: Floats, normals: Floats, uvs: Any) -> Geometry:
    """A grid (R, C, 3) as triangles, counter-clockwise seen from where columns run to the right."""
    rows, columns = points.shape[:2]
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    first = np.stack([corner, corner + 1, corner + columns + 1], 1)
    second = np.stack([corner, corner + columns + 1, corner + columns], 1)
    triangles = np.concatenate([first, second])
    flat = [array.reshape(-1, array.shape[-1]) for array in (points, normals, uvs)]
    return Geometry(flat[0], triangles, flat[1], flat[2], False, name)
