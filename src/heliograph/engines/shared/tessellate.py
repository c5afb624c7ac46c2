"""Triangles of what the rasterizer has no exact form of, with three.js's texture coordinates.

Arcs are (where they start, how far they go), radians, as three.js counts them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.raster import Geometry, Shape

SLICES = 128
"""Parts of a circle: no farther than 0.15 pixels from it where its radius is 500."""
_TUBE_SLICES = 48

Floats = NDArray[np.float64]
Arc = tuple[float, float]
WHOLE: Arc = (0.0, 2 * math.pi)


def plane() -> Geometry:
    """A square in the xy plane from -1 to 1 that faces +z."""
    points = np.array([[[x, y, 0.0] for x in (-1.0, 1.0)] for y in (-1.0, 1.0)])
    return _geometry("plane", points, np.zeros_like(points), np.zeros((2, 2, 2)))


def box() -> Geometry:
    """A cube from -1 to 1, without normals of its own."""
    square = np.asarray(plane().positions)
    front = square + np.array([0.0, 0.0, 1.0])
    turned = [front, front * (-1, 1, -1)]
    sides = [np.roll(face, shift, 1) for shift in range(3) for face in turned]
    triangles = np.concatenate([np.asarray(plane().triangles) + 4 * i for i in range(6)])
    return Geometry(np.concatenate(sides), triangles, None, None, False, "box")


def torus(tube: float, arc: float) -> Geometry:
    """A ring of radius 1 in the xy plane, of which `arc` is there."""
    around, across = _steps((0.0, arc)), np.linspace(0, 2 * math.pi, _TUBE_SLICES + 1)
    u, v = np.meshgrid(around, across)
    out = np.stack([np.cos(v) * np.cos(u), np.cos(v) * np.sin(u), np.sin(v)], -1)
    ring = np.stack([np.cos(u), np.sin(u), np.zeros_like(u)], -1)
    uvs = np.stack([u / arc, v / (2 * math.pi)], -1)
    return _geometry("torus", ring + tube * out, out, uvs)


def sphere(phi: Arc, theta: Arc) -> Geometry:
    """Part of a sphere of radius 1: `phi` round the y axis, `theta` down from the top."""
    latitude = math.pi / 2 - _steps(theta)[::-1]
    profile = np.stack([np.cos(latitude), np.sin(latitude)], 1)
    return _lathe("sphere", profile, profile, (phi[0] - math.pi / 2, phi[1]))


def cylinder(top: float, bottom: float, theta: Arc = WHOLE, *, caps: bool = True) -> Geometry:
    """A cylinder, stump or cone along y from -1 to 1 with these radii, or part of one."""
    slope = np.array([2.0, bottom - top]) / math.hypot(2.0, bottom - top)
    wall = np.array([[bottom, -1.0], [top, 1.0]])
    parts = [_lathe("cylinder", wall, np.array([slope, slope]), theta)]
    parts += [_cap(r, y, theta) for r, y in ((top, 1.0), (bottom, -1.0)) if caps and r > 0]
    return joined("cylinder", parts)


def ring(inner: float, theta: Arc) -> Geometry:
    """Part of a disc of radius 1 that faces +z, with a hole of radius `inner`."""
    angle = _steps(theta)
    rim = np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], -1)
    points = np.stack([rim, inner * rim])
    up = np.broadcast_to([0.0, 0.0, 1.0], points.shape)
    return _geometry("ring", points, up, points[..., :2] / 2 + 0.5, Shape.PLANE)


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


def _steps(arc: Arc) -> Floats:
    """The angles of an arc's points, ends included."""
    start, length = arc
    return start + np.linspace(0, length, math.ceil(length / (2 * math.pi) * SLICES - 1e-6) + 1)


def _lathe(name: str, profile: Floats, normals: Floats, arc: Arc) -> Geometry:
    """A profile turned round the y axis, from +z towards +x.

    Args:
        name: of the geometry.
        profile: (N, 2) points as (radius, y), evenly from the bottom to the top.
        normals: (N, 2) of them.
        arc: how far.
    """
    angle = _steps(arc)
    spin = np.stack([np.sin(angle), np.ones_like(angle), np.cos(angle)], 1)
    around, out = (rows[:, None, [0, 1, 0]] * spin for rows in (profile, normals))
    uvs = np.meshgrid(np.linspace(0, 1, len(angle)), np.linspace(0, 1, len(profile)))
    return _geometry(name, around, out, np.stack(uvs, -1))


def _cap(radius: float, y: float, arc: Arc) -> Geometry:
    """The cap of a cylinder at y = 1 (seen from above) or -1 (from below)."""
    angle = _steps(arc)
    flat = np.stack([np.sin(angle), np.cos(angle)], 1)
    rim = np.insert(flat * radius, 1, y, axis=1)
    points = np.stack([rim, np.broadcast_to([0.0, y, 0.0], rim.shape)])
    uvs = np.stack([flat[:, ::-1] * (0.5, 0.5 * y), np.zeros_like(flat)]) + 0.5
    if y < 0:
        points, uvs = points[::-1], uvs[::-1]
    return _geometry("cap", points, np.broadcast_to([0.0, y, 0.0], points.shape), uvs)


def _geometry(
    name: str, points: Floats, normals: Floats, uvs: Any, surface: Shape | None = None
) -> Geometry:
    """A grid (R, C, 3) as triangles, counter-clockwise seen from where columns run to the right."""
    rows, columns = points.shape[:2]
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    first = np.stack([corner, corner + 1, corner + columns + 1], 1)
    second = np.stack([corner, corner + columns + 1, corner + columns], 1)
    triangles = np.concatenate([first, second])
    flat = [array.reshape(-1, array.shape[-1]) for array in (points, normals, uvs)]
    return Geometry(flat[0], triangles, flat[1], flat[2], False, name, surface)
