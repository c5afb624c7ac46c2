"""ORRB's components on cameras."""

# ruff: noqa: RUF009 - the defaults are frozen values
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from heliograph import poses
from heliograph.compat.orrb import unity
from heliograph.compat.orrb.components.component import Component
from heliograph.compat.orrb.facts import OrrbFacts
from heliograph.poses import Floats, QuaternionOrder
from heliograph.randomize.cameras import move_from_json, move_to_json
from heliograph.randomize.randomizer import Drawn, Values

_UP = (0.0, 1.0, 0.0)


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

    def _cameras(self, scene: OrrbFacts) -> Sequence[str]:
        """The camera at the path, or all of them where it is on the root."""
        if not self.node:
            return scene.drawn_cameras
        scene.camera(self.node)
        return (self.node,)


@dataclass(frozen=True, kw_only=True)
class CameraRandomizer(CameraComponent):
    """Shakes or orbits the camera at the path, or all cameras.

    Takes of each camera eight numbers for the jitter (field of view, x, y, z, three of a turn whose
    up is the axis, angle) and one for the orbit, where it does them.

    Attributes:
        mode: jitter, orbit or both.
        position_radius: full width of the jitter along each axis of what the camera is fixed to,
            metres.
        quat_radius: full width of the turn about a random axis, radians.
        fov_radius: full width of the change of the vertical field of view, degrees.
        orbit_center: Unity world point whose vertical is orbited, by 0 to 360 degrees.
    """

    mode: CameraMode = CameraMode.JITTER
    position_radius: float = 0.02
    quat_radius: float = 0.03
    fov_radius: float = 1.0
    orbit_center: unity.Vector3 = unity.Vector3()

    def drawn(self, random: unity.UnityRandom, scene: OrrbFacts) -> Values:
        """See `Component.drawn`."""
        moves = []
        for name in self._cameras(scene):
            camera, fov, delta, angle = scene.cameras[name], 0.0, np.eye(4), 0.0
            if self.mode is not CameraMode.ORBIT:
                fov = random.spread(self.fov_radius)
                shift = [random.spread(self.position_radius) for _ in range(3)]
                axis = unity.up_of(random.rotation())
                turned = unity.camera_rotation(unity.about(axis, random.spread(self.quat_radius)))
                along = scene.axes.get(name, np.eye(3)) @ unity.vector(shift)
                delta = poses.compose(camera.world_from_camera[:3, :3].T @ along, turned)
            if self.mode is not CameraMode.JITTER:
                angle = random.range(0.0, 2 * math.pi)
            if not scene.is_shown(name):
                continue
            wider, stays = camera.fov_y + math.radians(fov), self.mode is CameraMode.JITTER
            pose = delta if stays else self._orbited(camera.world_from_camera @ delta, angle)
            moves.append(move_to_json(name, camera, pose, fov=wider, relative=stays))
        return {"cameras": moves}

    def _orbited(self, pose: Floats, angle: float) -> Floats:
        turn, centre = unity.rotation(unity.about(_UP, angle)), unity.vector(self.orbit_center)
        return poses.compose(turn @ (pose[:3, 3] - centre) + centre, turn @ pose[:3, :3])


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

    def drawn(self, random: unity.UnityRandom, scene: OrrbFacts) -> Values:
        """See `Component.drawn`; takes no numbers."""
        moves, fov = [], math.radians(self.field_of_view)
        for name in filter(scene.is_shown, self._cameras(scene)):
            camera = scene.cameras[name].replace(near=self.near_clip, far=self.far_clip)
            moves.append(move_to_json(name, camera, np.eye(4), fov=fov, relative=True))
        return {"cameras": moves}


@dataclass(frozen=True, kw_only=True)
class CameraCalibrator(CameraComponent):
    """Offsets one camera, and reports where it then is.

    Attributes:
        camera_name: the camera.
        local_position_delta: metres, along the axes of what the camera is fixed to.
        local_rotation_delta: a turn in the camera's own axes.
        fov_delta: degrees.
    """

    camera_name: str = ""
    local_position_delta: unity.Vector3 = unity.Vector3()
    local_rotation_delta: unity.Quaternion = unity.Quaternion()
    fov_delta: float = 0.0

    def drawn(self, random: unity.UnityRandom, scene: OrrbFacts) -> Values:
        """See `Component.drawn`; `position`, `rotation` (w, x, y, z) and `fov` are reported."""
        name = self.camera_name or self.node
        camera = scene.camera(name)
        along = scene.axes.get(name, np.eye(3)) @ unity.vector(self.local_position_delta)
        shift = camera.world_from_camera[:3, :3].T @ along
        delta = poses.compose(shift, unity.camera_rotation(self.local_rotation_delta))
        fov = camera.fov_y + math.radians(self.fov_delta)
        pose: Any = np.asarray(camera.world_from_camera @ delta)
        return {
            "cameras": [move_to_json(name, camera, delta, fov=fov, relative=True)],
            "position": pose[:3, 3].tolist(),
            "rotation": poses.to_quaternion(pose[:3, :3], order=QuaternionOrder.WXYZ).tolist(),
            "fov": math.degrees(fov),
        }
