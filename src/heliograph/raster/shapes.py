"""Tessellations of the built-in shapes, coarse to fine. All have half-extent 1."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.raster.drawables import Geometry, Shape

Points = NDArray[np.float64]
Triangles = NDArray[np.integer[Any]]

_SKIRT = 0.01  # domes reach a little into the tube below, so that no crack shows between

_UP = np.array([0.0, 0.0, 1.0])

_QUADS = 4  # a side of a box, as MuJoCo cuts it

SLICES = (8, 12, 16, 20, 24, 28, 36, 48, 64, 96)
"""Slices round the axis at each level of detail, coarsest first."""

_WHOLE_SLICES = 48


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
    return [(build(slices), chord_error(slices)) for slices in reversed(SLICES)]


def whole(shape: Shape) -> list[tuple[Geometry, float]]:
    """The one tessellation of a shape where there are no levels of detail, as `levels` has it."""
    if shape in (Shape.PLANE, Shape.LINE, Shape.BOX):
        return levels(shape)[:1]
    return [(_BUILDERS[shape](_WHOLE_SLICES), chord_error(_WHOLE_SLICES))]


def _plane(_: int) -> Geometry:
    return plane_grid(np.array([-1.0, 1.0]), np.array([-1.0, 1.0]))


def plane_grid(xs: Points, ys: Points) -> Geometry:
    """The square -1..1 at z = 0 facing +z, cut at these coordinates (both from -1 to 1)."""
    x, y = np.meshgrid(xs, ys)
    points = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], 1)
    grid = np.arange(x.size).reshape(x.shape)
    a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]
    triangles = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], 2).reshape(-1, 3)
    up = np.tile(_UP, (x.size, 1))
    return Geometry(points, triangles, up, simplify=False, surface=Shape.PLANE)


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
    rings[0] = rings[0] - (0, 0, _SKIRT)
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


def _dome_up(slices: int) -> Geometry:
    points, triangles = _dome(slices)
    return Geometry(points, triangles, points)


def _dome_down(slices: int) -> Geometry:
    points, triangles = _dome(slices)
    points = points * (1, 1, -1)
    return Geometry(points, triangles[:, ::-1], points)


def _sphere(slices: int) -> Geometry:
    points, triangles = _dome(slices)
    both = np.concatenate([points, points * (1, 1, -1)])
    faces = np.concatenate([triangles, triangles[:, ::-1] + len(points)])
    return Geometry(both, faces, both)


def _tube(slices: int) -> Geometry:
    circle = _circle(slices)
    points = np.concatenate([circle - _UP, circle + _UP])
    return Geometry(points, _band(0, slices, slices), np.concatenate([circle, circle]))


def _cylinder(slices: int) -> Geometry:
    tube, circle = _tube(slices), _circle(slices)
    top = np.concatenate([circle + _UP, [[0, 0, 1.0]]])
    bottom = top * (1, 1, -1)
    fan = _fan(0, slices, slices)
    side = len(tube.positions)
    triangles = [tube.triangles, fan + side, fan[:, ::-1] + side + len(top)]
    up = np.tile([0.0, 0, 1], (len(top), 1))
    return Geometry(
        np.concatenate([tube.positions, top, bottom]),
        np.concatenate(triangles),
        np.concatenate([np.asarray(tube.normals), up, -up]),
    )


_LIT_SLICES = 28  # as many as MuJoCo has
_ROUND = [float(n) if n < _LIT_SLICES else math.inf for n in reversed(SLICES)]
LIT_PIXELS = dict.fromkeys(Shape, _ROUND) | {
    Shape.PLANE: [math.inf],
    Shape.LINE: [math.inf],
    Shape.BOX: [math.inf, 12.0],
}
"""Per shape and level, up to which radius on the picture light per vertex looks right, pixels."""

_BUILDERS: dict[Shape, Callable[[int], Geometry]] = {
    Shape.PLANE: _plane,
    Shape.BOX: _box,
    Shape.SPHERE: _sphere,
    Shape.CYLINDER: _cylinder,
    Shape.TUBE: _tube,
    Shape.DOME_UP: _dome_up,
    Shape.DOME_DOWN: _dome_down,
    Shape.LINE: _line,
}

SOLVERS: tuple[dict[str, str], ...] = (
    {},
    {"FACE": "1"},
    {"ROUND": "1", "ROUND_AXES": "vec3(1.0)", "BALL": "1"},
    {"ROUND": "1", "ROUND_AXES": "vec3(1.0, 1.0, 0.0)", "BETWEEN_DOMES": "1"},
    {"ROUND": "1", "ROUND_AXES": "vec3(1.0, 1.0, 0.0)", "CAPS": "1"},
    {"SLAB": "1"},
)
"""Ways to compute the exact surface, as GLSL definitions; the first is none (plain triangles).

FACE takes the plane of each triangle's first corner; SLAB is the box from -1 to 1; ROUND_AXES are
the coefficients a of a round shape a . (x^2, y^2, z^2) = 1, BALL is round along all three, CAPS
ends it at z = -1 and 1, BETWEEN_DOMES lets a capsule's domes go on there.
"""

SOLVER = {
    Shape.PLANE: 1,
    Shape.BOX: 5,
    Shape.SPHERE: 2,
    Shape.DOME_UP: 2,
    Shape.DOME_DOWN: 2,
    Shape.TUBE: 3,
    Shape.CYLINDER: 4,
    Shape.LINE: 0,
}
"""Per shape, which of SOLVERS it needs."""
