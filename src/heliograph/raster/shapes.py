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

SLICES = (8, 12, 20, 28, 48, 96)
"""Slices round the axis at each level of detail, coarsest first."""


def chord_error(slices: int) -> float:
    """Largest distance between a circle of radius 1 and its inscribed polygon."""
    return 1.0 - math.cos(math.pi / slices)


def levels(shape: Shape) -> list[tuple[Geometry, float]]:
    """Tessellations of a shape, finest first, each with its error for radius 1."""
    build = _BUILDERS[shape]
    if shape in (Shape.PLANE, Shape.BOX):
        return [(build(0), 0.0)]
    return [(build(slices), chord_error(slices)) for slices in reversed(SLICES)]


def _plane(_: int) -> Geometry:
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], float)
    return Geometry(corners, np.array([[0, 1, 2], [0, 2, 3]]), np.tile([0.0, 0, 1], (4, 1)))


def _box(_: int) -> Geometry:
    positions: list[Points] = []
    normals: list[Points] = []
    triangles: list[list[int]] = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            base = len(positions)
            for u, v in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
                corner, normal = np.zeros(3), np.zeros(3)
                corner[[axis, (axis + 1) % 3, (axis + 2) % 3]] = sign, u * sign, v
                normal[axis] = sign
                positions.append(corner)
                normals.append(normal)
            triangles += [[base, base + 1, base + 2], [base, base + 2, base + 3]]
    return Geometry(np.array(positions), np.array(triangles), np.array(normals))


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


_BUILDERS: dict[Shape, Callable[[int], Geometry]] = {
    Shape.PLANE: _plane,
    Shape.BOX: _box,
    Shape.SPHERE: _sphere,
    Shape.CYLINDER: _cylinder,
    Shape.TUBE: _tube,
    Shape.DOME_UP: _dome_up,
    Shape.DOME_DOWN: _dome_down,
}

SOLVERS: tuple[dict[str, str], ...] = (
    {},
    {"PLANE": "1"},
    {"SLAB": "1", "SLAB_AXES": "vec3(1.0)"},
    {"ROUND": "1", "ROUND_AXES": "vec3(1.0)"},
    {"ROUND": "1", "ROUND_AXES": "vec3(1.0, 1.0, 0.0)"},
    {
        **{"SLAB": "1", "SLAB_AXES": "vec3(0.0, 0.0, 1.0)"},
        **{"ROUND": "1", "ROUND_AXES": "vec3(1.0, 1.0, 0.0)"},
    },
)
"""Ways to compute the exact surface, as GLSL definitions; the first is none (plain triangles).

SLAB_AXES are the axes on which flat faces at -1 and 1 bound the shape; ROUND_AXES are the
coefficients a of its round part a . (x^2, y^2, z^2) = 1.
"""

SOLVER = {
    Shape.PLANE: 1,
    Shape.BOX: 2,
    Shape.SPHERE: 3,
    Shape.DOME_UP: 3,
    Shape.DOME_DOWN: 3,
    Shape.TUBE: 4,
    Shape.CYLINDER: 5,
}
"""Per shape, which of SOLVERS it needs."""
