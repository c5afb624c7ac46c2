"""The boxes round what components draw, as the page draws it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heliograph.engines.shared import meshes, tessellate
from heliograph.errors import SceneError
from heliograph.raster import Geometry
from heliograph.scene import Component, Mesh
from heliograph.scene.material import FileMaterial
from heliograph.scene.objects import CORNERS
from heliograph.scene.shapes import Shape

Corners = NDArray[np.float64]

_ROUND = 2 * math.pi
_UPRIGHT = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
"""Turns what is y-up into z-up."""


class Parts(NamedTuple):
    """What a component draws.

    Attributes:
        corners: (K, 8, 3), those of the boxes round its parts, in its own axes.
        said: what its file says of its material; of several, that of the first part.
    """

    corners: Corners
    said: FileMaterial | None = None


def drawn_of(component: Component) -> Parts:
    """What a component draws.

    Raises:
        SceneError: its file is missing or malformed.
    """
    if isinstance(component, Mesh):
        return _mesh(component)
    if isinstance(component, Shape) and type(component).__name__ in _REACH:
        sizes = component.args or (component.get("width"), component.get("height"))
        return Parts(_shape(type(component).__name__, sizes, component.arc))
    points = component.get("vertices") if "vertices" in component.SPEC else None
    if points is not None and len(points):
        margin = float(component.get("size")) / 2 if "size" in component.SPEC else 0.0
        return Parts(_box(points.min(0) - margin, points.max(0) + margin)[None])
    return Parts(np.empty((0, 8, 3)))


def _mesh(mesh: Mesh) -> Parts:
    try:
        parts = meshes.parts_of(mesh)
    except SceneError as error:
        raise SceneError(f"{type(mesh).__name__} {mesh.key!r} src: {error}") from None
    turn = _UPRIGHT if mesh.y_up else np.eye(4)
    shown = [part for part in parts if len(part.geometry.positions)]
    found = [_placed(turn @ part.pose, part.geometry) for part in shown]
    said = FileMaterial(shown[0].material, shown[0].kind) if shown else None
    return Parts(np.array(found).reshape(-1, 8, 3), said)


def _placed(pose: NDArray[np.float64], geometry: Geometry) -> Corners:
    positions = np.asarray(geometry.positions, float)
    box = _box(positions.min(0), positions.max(0))
    corners: Corners = box @ pose[:3, :3].T + pose[:3, 3]
    return corners


def _box(low: Corners, high: Corners) -> Corners:
    corners: Corners = low + CORNERS * (high - low)
    return corners


@lru_cache(maxsize=1024)
def _shape(name: str, args: tuple[float, ...], arc: tuple[float, ...]) -> Corners:
    low, high = _REACH[name](args, arc)
    corners = _box(low, high)[None]
    corners.flags.writeable = False
    return corners


Reach = tuple[Corners, Corners]
"""Lower and upper corner (3,)."""


def _even(x: float, y: float, z: float) -> Reach:
    high = np.array([x, y, z])
    return -high, high


def _cuboid(args: tuple[float, ...], _: tuple[float, ...]) -> Reach:
    width, height, depth = args
    return _even(width / 2, height / 2, depth / 2)


def _plane(args: tuple[float, ...], _: tuple[float, ...]) -> Reach:
    width, height = args
    return _even(width / 2, height / 2, 0.0)


def _sphere(args: tuple[float, ...], arc: tuple[float, ...]) -> Reach:
    (radius,), (phi_start, phi_length, theta_start, theta_length) = args, arc
    phi = phi_start, min(phi_length, _ROUND)
    theta = theta_start, min(theta_length, math.pi - theta_start)
    if (phi, theta) == (tessellate.WHOLE, (0.0, math.pi)):
        return _even(radius, radius, radius)
    return _scaled(tessellate.sphere(phi, theta), radius, radius)


def _cylinder(args: tuple[float, ...], arc: tuple[float, ...]) -> Reach:
    (top, bottom, height), (is_open, start, length) = args, arc
    wide, theta = max(top, bottom), (start, min(length, _ROUND))
    if theta == tessellate.WHOLE:
        return _even(wide, height / 2, wide)
    geometry = tessellate.cylinder(top / wide, bottom / wide, theta, caps=not is_open)
    return _scaled(geometry, wide, height / 2)


def _cone(args: tuple[float, ...], arc: tuple[float, ...]) -> Reach:
    radius, height = args
    return _cylinder((0.0, radius, height), arc)


def _capsule(args: tuple[float, ...], _: tuple[float, ...]) -> Reach:
    radius, length = args
    return _even(radius, length / 2 + radius, radius)


def _torus(args: tuple[float, ...], arc: tuple[float, ...]) -> Reach:
    radius, tube = args
    return _scaled(tessellate.torus(tube / radius, min(arc[0], _ROUND)), radius, radius)


def _circle(args: tuple[float, ...], arc: tuple[float, ...]) -> Reach:
    return _ring((0.0, *args), arc)


def _ring(args: tuple[float, ...], arc: tuple[float, ...]) -> Reach:
    inner, outer = args
    return _scaled(tessellate.ring(inner / outer, (arc[0], min(arc[1], _ROUND))), outer, outer)


def _scaled(geometry: Geometry, across: float, along: float) -> Reach:
    positions = np.asarray(geometry.positions, float) * (across, along, across)
    return positions.min(0), positions.max(0)


_REACH: Mapping[str, Callable[[tuple[float, ...], tuple[float, ...]], Reach]] = MappingProxyType(
    {
        "Box": _cuboid,
        "Capsule": _capsule,
        "Circle": _circle,
        "Cone": _cone,
        "Cylinder": _cylinder,
        "ImagePlane": _plane,
        "Plane": _plane,
        "Ring": _ring,
        "Sphere": _sphere,
        "Torus": _torus,
    }
)
