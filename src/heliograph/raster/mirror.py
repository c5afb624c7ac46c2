"""Mirrors: the scene as a reflective plane shows it, drawn first and added to its colour."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.raster.prepared import PlacedInstances
from heliograph.raster.types import DrawList, Environment, Light, LightKind

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reflection:
    """What is seen in a mirror, as another camera sees it that stands behind the mirror.

    Attributes:
        camera: the camera turned over to behind the mirror; its axes are left-handed.
        lights: the lights; a head light shines from where the camera is, not from this one.
        point, normal: of the mirror, world.
    """

    camera: Camera
    lights: tuple[Light, ...]
    point: Matrix
    normal: Matrix

    def scene(self, scene: DrawList) -> DrawList:
        """What is drawn from there: the same things, with nothing but light behind them."""
        back = scene.environment
        return DrawList(
            scene.instances,
            self.lights,
            Environment(radiance=back.radiance, radiance_scale=back.radiance_scale),
            ambient=scene.ambient,
            gradient=scene.gradient,
            lighting=scene.lighting,
        )

    def ahead(self, placed: PlacedInstances) -> NDArray[np.bool_]:
        """Which instances (N,) are in front of the mirror, by their bounding spheres' centres."""
        # Not by BLAS, whose threads take longer to wake.
        away = ((placed.centre - self.point) * self.normal).sum(1)
        result: NDArray[np.bool_] = away > 1e-9
        return result


class Mirrors:
    """Finds what the first reflective plane of a scene reflects; kept while nothing of it moves."""

    def __init__(self) -> None:
        self._seen: tuple[Camera, tuple[Light, ...], bytes] | None = None
        self._found: Reflection | None = None

    def find(self, scene: DrawList, placed: PlacedInstances, camera: Camera) -> Reflection | None:
        """None where nothing reflects or the camera is behind the mirror."""
        rows = placed.prepared.mirrors
        rows = rows[scene.instances.transforms.visible[rows]] if len(rows) else rows
        if not len(rows):
            return None
        pose, seen = placed.pose[rows[0]], self._seen
        key = pose.tobytes()
        same = seen is not None and seen[0] is camera and seen[1] is scene.lights
        if seen is None or not same or seen[2] != key:
            self._seen = None
            self._found = _reflection(pose, scene.lights, camera)
            self._seen = camera, scene.lights, key
        return self._found


def _reflection(plane: Matrix, lights: tuple[Light, ...], camera: Camera) -> Reflection | None:
    """What a camera sees in a plane's pose (3, 4); None from behind it."""
    pose, point, normal = camera.world_from_camera, plane[:, 3].copy(), plane[:, 2]
    normal = normal / np.sqrt(normal @ normal)
    if (pose[:3, 3] - point) @ normal <= 0:
        return None
    turn = np.eye(4)
    turn[:3, :3] -= 2 * np.outer(normal, normal)
    turn[:3, 3] = 2 * (normal @ point) * normal
    if any(light.kind is LightKind.HEAD for light in lights):
        x, y, z = (-pose[:3, 2]).tolist()
        lights = tuple(
            replace(light, kind=LightKind.DIRECTIONAL, direction=(x, y, z))
            if light.kind is LightKind.HEAD
            else light
            for light in lights
        )
    return Reflection(camera.placed(turn @ pose), lights, point, normal)
