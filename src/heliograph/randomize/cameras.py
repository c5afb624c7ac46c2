"""Cameras: where they stand, where they look, how wide."""

# ruff: noqa: RUF009 - the defaults are frozen values
from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from heliograph import poses
from heliograph.camera import Camera, Projection
from heliograph.errors import InvalidValueError
from heliograph.randomize.facts import Facts
from heliograph.randomize.limits import check_one, check_span, check_vector
from heliograph.randomize.randomizer import Drawn, Randomizer, Values
from heliograph.randomize.samplers import Constant, OnDome, Sampler, Uniform, Vector, directions
from heliograph.scene.appearance import MoveCamera

_ORIGIN = Vector((Constant(0.0), Constant(0.0), Constant(0.0)))
_WIDEST = math.radians(179.0)
_NARROWEST = math.radians(0.1)


def _check_point(name: str, sampler: Sampler) -> None:
    if sampler.width != 3:
        raise InvalidValueError(f"{name}: expected three numbers, got {sampler.to_json()!r}")


_CHECKS: Mapping[str, Callable[[str, Sampler], None]] = {
    "position": check_vector,
    "centre": _check_point,
    "target": _check_point,
    "rotation": check_one,
    "angle": check_one,
    "roll": check_one,
    "fov": check_one,
}


class CameraRandomizer(Randomizer):
    """What all camera randomizers share: values are whole cameras, and whether relative."""

    def __post_init__(self) -> None:
        for name, check in _CHECKS.items():
            sampler: Sampler | None = getattr(self, name, None)
            if sampler is not None:
                check(name, sampler)
                check_span(name, sampler)

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`."""
        return Drawn(tuple(move_from_json(each) for each in values["cameras"]))


@dataclass(frozen=True, kw_only=True)
class CameraJitter(CameraRandomizer):
    """Shakes cameras: each moves along its own axes, turns about a random axis, zooms a little.

    Attributes:
        cameras: prefixes of the cameras; all, where it is empty.
        position: metres along each of its axes (one number is drawn for each axis), or a vector.
        rotation: radians about a random axis (`{"angle": [-2, 2]}` takes degrees).
        fov: added to the vertical field of view, radians.
    """

    cameras: tuple[str, ...] = ()
    position: Sampler = Uniform(-0.02, 0.02)
    rotation: Sampler = Uniform(-0.03, 0.03)
    fov: Sampler = Uniform(-0.01, 0.01)
    type_name: ClassVar[str] = "camera_jitter"

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`."""
        names = scene.choose("cameras", self.cameras)
        count = len(names)
        shifts = vectors(self.position, rng, count)
        axes, angles = directions(rng, count), self.rotation.rows(rng, count)
        wider = self.fov.rows(rng, count).tolist()
        moves = []
        for row, name in _shown(names, scene):
            camera = scene.cameras[name]
            delta = rigid(turn(axes[row], float(angles[row])), shifts[row])
            fov = camera.fov_y + wider[row]
            moves.append(move_to_json(name, camera, delta, fov=fov, relative=True))
        return {"cameras": moves}


@dataclass(frozen=True, kw_only=True)
class CameraOrbit(CameraRandomizer):
    """Carries cameras around the vertical through a point, from where the scene has them.

    Attributes:
        cameras: prefixes of the cameras; all, where it is empty.
        centre: world metres.
        angle: radians.
    """

    cameras: tuple[str, ...] = ()
    centre: Sampler = _ORIGIN
    angle: Sampler = Uniform(0.0, 2 * math.pi)
    type_name: ClassVar[str] = "camera_orbit"

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`."""
        names = scene.choose("cameras", self.cameras)
        centres = self.centre.rows(rng, len(names))
        angles = self.angle.rows(rng, len(names)).tolist()
        return {
            "cameras": [
                orbit_to_json(name, scene.cameras[name], angles[row], centres[row])
                for row, name in _shown(names, scene)
            ]
        }


@dataclass(frozen=True, kw_only=True)
class CameraPlace(CameraRandomizer):
    """Puts cameras somewhere new, looking at a point.

    Attributes:
        cameras: prefixes of the cameras; all, where it is empty.
        position: metres from the target.
        target: world metres.
        roll: radians about the line of sight.
        fov: vertical field of view, radians; None keeps it.
    """

    cameras: tuple[str, ...] = ()
    position: Sampler = OnDome(Uniform(1.0, 2.0))
    target: Sampler = _ORIGIN
    roll: Sampler = Constant(0.0)
    fov: Sampler | None = None
    type_name: ClassVar[str] = "camera_place"

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`."""
        names = scene.choose("cameras", self.cameras)
        count = len(names)
        targets, offsets = self.target.rows(rng, count), self.position.rows(rng, count)
        rolls = self.roll.rows(rng, count).tolist()
        fovs = None if self.fov is None else self.fov.rows(rng, count).tolist()
        moves = []
        for row, name in _shown(names, scene):
            pose = poses.look_at(targets[row] + offsets[row], targets[row])
            pose[:3, :3] = pose[:3, :3] @ turn(_UP, rolls[row])
            fov = None if fovs is None else fovs[row]
            moves.append(move_to_json(name, scene.cameras[name], pose, fov=fov))
        return {"cameras": moves}


@dataclass(frozen=True, kw_only=True)
class FieldOfView(CameraRandomizer):
    """Draws the vertical field of view of cameras anew.

    Attributes:
        cameras: prefixes of the cameras; all, where it is empty.
        fov: radians (`{"angle": [40, 60]}` takes degrees).
    """

    cameras: tuple[str, ...] = ()
    fov: Sampler = Uniform(0.7, 1.0)
    type_name: ClassVar[str] = "field_of_view"

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`."""
        names = scene.choose("cameras", self.cameras)
        fovs = self.fov.rows(rng, len(names)).tolist()
        moves = []
        for row, name in _shown(names, scene):
            camera = scene.cameras[name]
            moves.append(move_to_json(name, camera, np.eye(4), fov=fovs[row], relative=True))
        return {"cameras": moves}


def _shown(names: Sequence[str], scene: Facts) -> list[tuple[int, str]]:
    """Rows and names of the cameras that are asked for; numbers are drawn for all."""
    return [(row, name) for row, name in enumerate(names) if scene.is_shown(name)]


def turn(axis: NDArray[Any], angle: float) -> NDArray[np.float64]:
    """The rotation (3, 3) by an angle, radians, about a unit axis (Rodrigues)."""
    x, y, z = axis.tolist()
    s, c = math.sin(angle), math.cos(angle)
    d = 1.0 - c
    return np.array(
        [
            [c + x * x * d, x * y * d - z * s, x * z * d + y * s],
            [y * x * d + z * s, c + y * y * d, y * z * d - x * s],
            [z * x * d - y * s, z * y * d + x * s, c + z * z * d],
        ]
    )


def vectors(sampler: Sampler, rng: Generator, count: int) -> NDArray[Any]:
    """Vectors (count, 3); a sampler of plain numbers draws each part."""
    if sampler.width == 3:
        return sampler.rows(rng, count)
    if sampler.width:
        raise InvalidValueError(f"expected one number or three, got {sampler!r}")
    return sampler.rows(rng, 3 * count).reshape(count, 3)


def rigid(rotation: NDArray[Any], position: Any) -> NDArray[np.float64]:
    """A pose (4, 4) of parts known to be sound."""
    pose = np.eye(4)
    pose[:3, :3] = rotation
    pose[:3, 3] = position
    return pose


def orbited(pose: NDArray[Any], angle: float, centre: NDArray[Any]) -> NDArray[np.float64]:
    """A pose (4, 4) carried around the vertical through a point (3,), radians."""
    rotation = turn(_UP, angle)
    return rigid(rotation @ pose[:3, :3], rotation @ (pose[:3, 3] - centre) + centre)


def orbit_to_json(name: str, camera: Camera, angle: float, centre: NDArray[Any]) -> dict[str, Any]:
    """The move of a camera that is carried around a point's vertical."""
    return move_to_json(name, camera, orbited(camera.world_from_camera, angle, centre))


def move_to_json(
    name: str,
    camera: Camera,
    pose: NDArray[Any],
    *,
    fov: float | None = None,
    relative: bool = False,
) -> dict[str, Any]:
    """What `MoveCamera` holds, for JSON; the field of view in degrees is there to be read.

    Args:
        name: the camera that is moved.
        camera: what it is so far.
        pose: (4, 4), where it goes.
        fov: vertical field of view, radians, pixels keeping their shape; None keeps it.
        relative: whether the pose is relative to where the state has it.
    """
    fx, fy, fov_y = camera.fx, camera.fy, camera.fov_y
    if fov is not None and camera.projection is Projection.PERSPECTIVE:
        fov_y = min(max(fov, _NARROWEST), _WIDEST)
        fy = camera.height / 2 / math.tan(fov_y / 2)
        fx *= fy / camera.fy
    return {
        "name": name,
        "relative": relative,
        "pose": pose.tolist(),
        "projection": camera.projection.value,
        "fov_y_degrees": math.degrees(fov_y),
        "fx": fx,
        "fy": fy,
        **{key: getattr(camera, key) for key in _COPIED},
    }


def move_from_json(values: dict[str, Any]) -> MoveCamera:
    """The edit that `move_to_json` wrote."""
    camera = Camera(
        name=values["name"],
        world_from_camera=values["pose"],
        projection=Projection(values["projection"]),
        fx=values["fx"],
        fy=values["fy"],
        **{key: values[key] for key in _COPIED},
    )
    return MoveCamera(values["name"], camera, relative=values["relative"])


_COPIED: Sequence[str] = ("width", "height", "cx", "cy", "near", "far")
_UP = np.array([0.0, 0.0, 1.0])
