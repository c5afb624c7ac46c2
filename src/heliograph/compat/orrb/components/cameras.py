"""ORRB's components on cameras."""

# ruff: noqa: RUF009 - the defaults are frozen values
from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator

from heliograph import poses
from heliograph.camera import Camera
from heliograph.compat.orrb.components.component import Component
from heliograph.compat.orrb.unity import (
    Quaternion,
    Vector3,
    camera_rotation,
    vector,
)
from heliograph.poses import QuaternionOrder
from heliograph.randomize.cameras import (
    move_from_json,
    move_to_json,
    orbited,
    rigid,
    turn,
)
from heliograph.randomize.facts import Facts
from heliograph.randomize.randomizer import Drawn, Values
from heliograph.randomize.samplers import directions


class CameraMode(Enum):
    """What `CameraRandomizer` does."""

    JITTER = "Jitter"
    ORBIT = "Orbit"
    BOTH = "Both"


@dataclass(frozen=True, kw_only=True)
class CameraComponent(Component):
    """A component whose values are the cameras as they become."""

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`."""
        return Drawn(tuple(move_from_json(each) for each in values["cameras"]))


@dataclass(frozen=True, kw_only=True)
class CameraRandomizer(CameraComponent):
    """Shakes or orbits the camera at the path, or all cameras.

    Attributes:
        mode: jitter, orbit or both.
        position_radius: full width of the jitter along each of the camera's axes, metres.
        quat_radius: full width of the turn about a random axis, radians.
        fov_radius: full width of the change of the vertical field of view, degrees.
        orbit_center: Unity world point whose vertical is orbited, by 0 to 360 degrees.
    """

    mode: CameraMode = CameraMode.JITTER
    position_radius: float = 0.02
    quat_radius: float = 0.03
    fov_radius: float = 1.0
    orbit_center: Vector3 = Vector3()
    type_name: ClassVar[str] = "CameraRandomizer"

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`; every mode takes the same numbers from the stream."""
        moves = []
        for name in self.chosen_cameras(scene):
            numbers = rng.random(6) - 0.5
            axis = directions(rng, 1)[0]
            if scene.is_shown(name):
                moves.append(self._moved(name, scene.cameras[name], numbers, axis))
        return {"cameras": moves}

    def _moved(self, name: str, camera: Camera, numbers: Any, axis: Any) -> dict[str, Any]:
        delta, fov = np.eye(4), camera.fov_y
        if self.mode is not CameraMode.ORBIT:
            spin = turn(axis, float(numbers[3]) * self.quat_radius)
            delta = rigid(spin, numbers[:3] * self.position_radius)
            fov += math.radians(float(numbers[4]) * self.fov_radius)
        if self.mode is CameraMode.JITTER:
            return move_to_json(name, camera, delta, fov=fov, relative=True)
        angle = (float(numbers[5]) + 0.5) * 2 * math.pi
        pose = np.asarray(camera.world_from_camera @ delta)
        pose = orbited(pose, angle, vector(self.orbit_center))
        return move_to_json(name, camera, pose, fov=fov)


@dataclass(frozen=True, kw_only=True)
class CameraProperties(CameraComponent):
    """Sets near, far and field of view of the camera at the path, or of all.

    Attributes:
        near_clip, far_clip: metres.
        field_of_view: vertical, degrees.
    """

    near_clip: float = 0.1
    far_clip: float = 20.0
    field_of_view: float = 20.0
    type_name: ClassVar[str] = "CameraProperties"

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`; nothing is random."""
        moves, fov = [], math.radians(self.field_of_view)
        for name in self.chosen_cameras(scene):
            if scene.is_shown(name):
                camera = scene.cameras[name].replace(near=self.near_clip, far=self.far_clip)
                moves.append(move_to_json(name, camera, np.eye(4), fov=fov, relative=True))
        return {"cameras": moves}


@dataclass(frozen=True, kw_only=True)
class CameraCalibrator(CameraComponent):
    """Offsets one camera, and reports where it then is.

    Attributes:
        camera_name: the camera.
        local_position_delta: metres, Unity axes, along the world's axes.
        local_rotation_delta: a turn in the camera's own axes.
        fov_delta: degrees.
    """

    camera_name: str = ""
    local_position_delta: Vector3 = Vector3()
    local_rotation_delta: Quaternion = Quaternion()
    fov_delta: float = 0.0
    type_name: ClassVar[str] = "CameraCalibrator"

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`; `position`, `rotation` (w, x, y, z) and `fov` are reported."""
        name = self.camera_name or self.node
        camera = scene.camera(name)
        shift = camera.world_from_camera[:3, :3].T @ vector(self.local_position_delta)
        delta = poses.compose(shift, camera_rotation(self.local_rotation_delta))
        fov = camera.fov_y + math.radians(self.fov_delta)
        pose = np.asarray(camera.world_from_camera @ delta)
        return {
            "cameras": [move_to_json(name, camera, delta, fov=fov, relative=True)],
            "position": pose[:3, 3].tolist(),
            "rotation": poses.to_quaternion(pose[:3, :3], order=QuaternionOrder.WXYZ).tolist(),
            "fov": math.degrees(fov),
        }
