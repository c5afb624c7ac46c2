"""Tessellations of the built-in shapes, coarse to fine. All have half-extent 1."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.raster.intake import row
from heliograph.raster.types import Geometry, Shape

Points = NDArray[np.float64]
Triangles = NDArray[np.integer[Any]]

_UP = np.array([0.0, 0.0, 1.0])

_QUADS = 4  # a side of a box, as MuJoCo cuts it

SLICES = (96, 64, 48, 36, 28, 24, 20, 16, 12, 8)
"""Slices round the axis at each level of detail of a round shape, finest first."""

BOX_LEVEL = len(SLICES)
"""The level of round shapes that is only a box around them, for programs that cast rays into it."""


def chord_error(slices: int) -> float:
    """Largest distance between a circle of radius 1 and its inscribed polygon."""
    return 1.0 - math.cos(math.pi / slices)


def levels(shape: Shape) -> list[tuple[Geometry, float]]:
    """Tessellations of a shape, finest first, each with its error for radius 1."""
    build = _BUILDERS[shape]
    if shape in (Shape.PLANE, Shape.LINE):
        return [(build(0), 0.0)]
    if shape is Shape.BOX:
        return [(build(_QUADS), 0.0), (build(1), 0.0)]
    polygons = [(build(slices), chord_error(slices)) for slices in SLICES]
    return [*polygons, (_box(1), math.inf)]


def _plane(_: int) -> Geometry:
    return plane_grid(np.array([-1.0, 1.0]), np.array([-1.0, 1.0]))


def plane_grid(xs: Points, ys: Points) -> Geometry:
    """The square -1..1 at z = 0 facing +z, cut at these coordinates (both from -1 to 1).

    Raises:
        InvalidValueError: they are not rows (N,) of finite numbers.
    """
    xs, ys = row("xs", xs), row("ys", ys)
    x, y = np.meshgrid(xs, ys)
    points = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], 1)
    grid = np.arange(x.size).reshape(x.shape)
    up = np.tile(_UP, (x.size, 1))
    return Geometry(points, grid_triangles(grid), up, simplify=False, surface=Shape.PLANE)


def grid_triangles(grid: NDArray[Any]) -> NDArray[Any]:
    """Two triangles (T, 3) for each cell of a grid of vertices."""
    a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]
    return np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], 2).reshape(-1, 3)


def _line(_: int) -> Geometry:
    # Both ends of a line are corners 0 and 1 of a triangle; line programs skip the third.
    points = np.array([[0.0, 0, 0], [0, 0, 1]])
    return Geometry(points, np.array([[0, 1, 1]]), np.tile(_UP, (2, 1)))


def _box(quads: int) -> Geometry:
    face = plane_grid(*[np.linspace(-1, 1, quads + 1)] * 2)
    flat, up = np.asarray(face.positions), np.asarray(face.normals)
    positions: list[Points] = []
    normals: list[Points] = []
    triangles: list[Triangles] = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            turn = np.zeros((3, 3))
            turn[[(axis + 1) % 3, (axis + 2) % 3, axis], [0, 1, 2]] = 1, sign, sign
            triangles.append(face.triangles + len(flat) * len(positions))
            positions.append((flat + _UP) @ turn.T)
            normals.append(up @ turn.T)
    return Geometry(np.concatenate(positions), np.concatenate(triangles), np.concatenate(normals))


def _circle(slices: int) -> Points:
    angle = np.arange(slices) * (2 * math.pi / slices)
    return np.stack([np.cos(angle), np.sin(angle), np.zeros(slices)], 1)


def _dome(slices: int) -> tuple[Points, Triangles]:
    """Half sphere z >= 0: rings from the equator up, then the pole."""
    stacks = max(2, slices // 4)
    rings = [
        _circle(slices) * math.cos(latitude) + (0, 0, math.sin(latitude))
        for latitude in np.arange(stacks) * (math.pi / 2 / stacks)
    ]
    points = np.concatenate([*rings, [[0, 0, 1]]])
    bands = [_band(i * slices, (i + 1) * slices, slices) for i in range(stacks - 1)]
    cap = _fan((stacks - 1) * slices, stacks * slices, slices)
    return points, np.concatenate([*bands, cap])


def _band(low: int, high: int, slices: int) -> Triangles:
    here = np.arange(slices)
    after = (here + 1) % slices
    first = np.stack([low + here, low + after, high + after], 1)
    second = np.stack([low + here, high + after, high + here], 1)
    return np.concatenate([first, second])


def _fan(ring: int, centre: int, slices: int) -> Triangles:
    here = np.arange(slices)
    after = (here + 1) % slices
    return np.stack([ring + here, ring + after, np.full(slices, centre)], 1)


def _sphere(slices: int) -> Geometry:
    points, triangles = _dome(slices)
    both = np.concatenate([points, points * (1, 1, -1)])
    faces = np.concatenate([triangles, triangles[:, ::-1] + len(points)])
    return Geometry(both, faces, both, _outward(both, faces, 3))


def _capsule(slices: int) -> Geometry:
    """A sphere in halves with a tube between; without a length the tube is nothing."""
    sphere, half = _sphere(slices), slices * max(2, slices // 4) + 1
    tube = _band(half, 0, slices)
    uvs = np.array(sphere.uvs)
    uvs[:, 0] = np.repeat([1.0, -1.0], half)
    return Geometry(sphere.positions, np.concatenate([sphere.triangles, tube]), sphere.normals, uvs)


def _cylinder(slices: int) -> Geometry:
    circle = _circle(slices)
    side, around = np.concatenate([circle - _UP, circle + _UP]), _band(0, slices, slices)
    top = np.concatenate([circle + _UP, [[0, 0, 1.0]]])
    fan = _fan(0, slices, slices)
    up = np.tile(_UP, (len(top), 1))
    points = np.concatenate([side, top, top * (1, 1, -1)])
    return Geometry(
        points,
        np.concatenate([around, fan + len(side), fan[:, ::-1] + len(side) + len(top)]),
        np.concatenate([circle, circle, up, -up]),
        _outward(points, around, 2),
    )


def _outward(points: Points, faces: Triangles, axes: int) -> Points:
    """Per corner (V, 2): 0, and how much wider triangles must be to contain the round shape."""
    a, b, c = points[faces].transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    within = (a * normal)[:, :axes].sum(1) / np.linalg.norm(normal[:, :axes], axis=1)
    return np.tile([0.0, 1 / within.min()], (len(points), 1))


_LIT_SLICES = 28  # as many as MuJoCo has
_SMALL = 35.0
_ROUND = [*(float(n) if n < _LIT_SLICES else math.inf for n in SLICES), math.inf]
LIT_PIXELS = dict.fromkeys(Shape, _ROUND) | {
    Shape.PLANE: [math.inf],
    Shape.LINE: [math.inf],
    Shape.BOX: [math.inf, 12.0],
}
"""Per shape and level, up to which radius on the picture light per vertex looks right, pixels."""

CAST_PIXELS = [math.inf if n >= _LIT_SLICES else _SMALL for n in (*SLICES, 0)]
"""Per level of a round shape, up to which radius on the picture it does where rays decide the
outline and light is per vertex: polygons of _LIT_SLICES, then a box and light per pixel."""

_BUILDERS: dict[Shape, Callable[[int], Geometry]] = {
    Shape.PLANE: _plane,
    Shape.BOX: _box,
    Shape.SPHERE: _sphere,
    Shape.CYLINDER: _cylinder,
    Shape.CAPSULE: _capsule,
    Shape.LINE: _line,
}

SOLVERS: tuple[tuple[str, ...], ...] = (
    (),
    ("EXACT", "FACE"),
    ("EXACT", "ROUND", "BALL"),
    ("EXACT", "ROUND", "CAPS"),
    ("EXACT", "ROUND", "CAPSULE"),
    ("EXACT", "SLAB"),
    ("CAPSULE",),
)
"""Ways to compute the exact surface, as names that the GLSL text tests; those without EXACT are
none (plain triangles).

FACE takes the plane of each triangle's first corner; SLAB is the box from -1 to 1; what is ROUND is
the unit sphere (BALL) or the tube round z, which CAPS end at z = -1 and 1, and half spheres at the
instance's own length (CAPSULE).
"""

SOLVER = {
    Shape.PLANE: 1,
    Shape.BOX: 5,
    Shape.SPHERE: 2,
    Shape.CYLINDER: 3,
    Shape.CAPSULE: 4,
    Shape.LINE: 0,
}
"""Per shape, which of SOLVERS it needs."""

CAST = tuple("ROUND" in names for names in SOLVERS)
"""Of which of SOLVERS rays can decide the outline."""

STRETCHED = 6
"""Which of SOLVERS draws a capsule's triangles as they are."""


def plain(solver: int) -> int:
    """Which of SOLVERS draws the same triangles as they are."""
    return STRETCHED if "CAPSULE" in SOLVERS[solver] else 0
