"""Mirrors: the scene as a reflective plane shows it, drawn first and added to its colour."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.raster.instances import Placed
from heliograph.raster.types import DrawList, Light, LightKind

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reflection:
    """What is seen in a mirror, as another camera sees it that stands behind the mirror.

    Attributes:
        camera: the camera turned over to behind the mirror; its axes are left-handed.
        lights: the lights, without one that is wherever the camera is.
        point, normal: of the mirror, world.
    """

    camera: Camera
    lights: tuple[Light, ...]
    point: Matrix
    normal: Matrix

    def ahead(self, placed: Placed) -> NDArray[np.bool_]:
        """Which instances (N,) are in front of the mirror, by their bounding spheres' centres."""
        result: NDArray[np.bool_] = (placed.centre - self.point) @ self.normal > 1e-9
        return result


class Mirrors:
    """Finds what the first reflective plane of a scene reflects.

    What follows from the plane, from the kinds of lights and from all together is kept apart.
    """

    def __init__(self) -> None:
        self._pose = b""
        self._turn, self._normal = np.eye(4), np.zeros(3)
        self._looks: list[object] = []
        self._fixed: list[Light] = []
        self._seen: tuple[Camera, tuple[Light, ...], bytes] | None = None
        self._found: Reflection | None = None

    def find(self, scene: DrawList, placed: Placed, camera: Camera) -> Reflection | None:
        """None where nothing reflects or the camera is behind the mirror."""
        rows = placed.looks.mirrors
        rows = rows[scene.instances.visible[rows]] if len(rows) else rows
        if not len(rows):
            return None
        pose = placed.pose[rows[0]]
        key, seen = pose.tobytes(), self._seen
        same = seen is not None and seen[0] is camera and seen[1] is scene.lights
        if seen is None or not same or seen[2] != key:
            if key != self._pose:
                self._pose, (self._turn, self._normal) = key, _turned_over(pose)
            self._seen = camera, scene.lights, key
            self._found = self._reflection(scene.lights, np.array(pose[:, 3]), camera)
        return self._found

    def _reflection(
        self, lights: tuple[Light, ...], point: Matrix, camera: Camera
    ) -> Reflection | None:
        pose, normal = camera.world_from_camera, self._normal
        if (pose[:3, 3] - point) @ normal <= 0:
            return None
        there = camera.placed(self._turn @ pose)
        return Reflection(there, self._still(lights, pose), point, normal)

    def _still(self, lights: tuple[Light, ...], pose: Matrix) -> tuple[Light, ...]:
        """The lights where they are, though the camera is elsewhere."""
        looks = [light.look for light in lights]
        if looks != self._looks:
            self._looks, self._fixed = looks, [_fixed(light) for light in lights]
        if all(light.kind is not LightKind.HEAD for light in lights):
            return lights
        x, y, z = (-pose[:3, 2]).tolist()
        return tuple(
            fixed.moved(
                light.position, (x, y, z) if light.kind is LightKind.HEAD else light.direction
            )
            for light, fixed in zip(lights, self._fixed, strict=True)
        )


def _turned_over(pose: Matrix) -> tuple[Matrix, Matrix]:
    """The map (4, 4) to behind a plane's pose (3, 4), and the plane's normal."""
    normal, point = pose[:, 2] / np.linalg.norm(pose[:, 2]), pose[:, 3]
    turn = np.eye(4)
    turn[:3, :3] -= 2 * np.outer(normal, normal)
    turn[:3, 3] = 2 * (normal @ point) * normal
    return turn, normal


def _fixed(light: Light) -> Light:
    return replace(light, kind=LightKind.DIRECTIONAL) if light.kind is LightKind.HEAD else light
