"""Cameras: where they stand, where they look, how wide."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from heliograph import poses
from heliograph.camera import Camera, Projection
from heliograph.errors import InvalidValueError, shown
from heliograph.randomize.facts import Facts
from heliograph.randomize.parameters import FIELD_OF_VIEW, METRES, POINT, SHAKE, TURN, drawn
from heliograph.randomize.randomizer import Drawn, Randomizer, Values
from heliograph.randomize.samplers import Sampler, constant, directions, on_dome, uniform, vector
from heliograph.scene.appearance import MoveCamera

_ORIGIN = vector(0.0, 0.0, 0.0)
_WIDEST = math.radians(179.0)
_NARROWEST = math.radians(0.1)
_UP = np.array([0.0, 0.0, 1.0])
_APART = 1e-12
"""How far a camera stands from its target at least, in parts of the target's coordinates."""
_COPIED: Sequence[str] = ("width", "height", "cx", "cy", "near", "far")
Move: TypeAlias = Callable[[int, str, Camera], dict[str, Any]]
"""The move of a camera by its row, its name and what it is so far."""


@dataclass(frozen=True, kw_only=True)
class CameraRandomizer(Randomizer):
    """Moves cameras; values are whole cameras, and whether relative.

    Attributes:
        cameras: prefixes of the cameras; all, where it is empty.
    """

    cameras: tuple[str, ...] = ()

    @abstractmethod
    def moves(self, rng: Generator, count: int) -> Move:
        """Draw numbers for so many cameras; what is returned makes the moves of them."""

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`; numbers are drawn for cameras that are not asked for, too."""
        names = scene.choose("cameras", self.cameras)
        move = self.moves(rng, len(names))
        shown = [(row, name) for row, name in enumerate(names) if scene.is_shown(name)]
        return {"cameras": [move(row, name, scene.cameras[name]) for row, name in shown]}

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`."""
        return Drawn(tuple(move_from_json(each) for each in values["cameras"]))


@dataclass(frozen=True, kw_only=True)
class CameraJitter(CameraRandomizer):
    """Shakes cameras: each moves along its own axes, turns about a random axis, zooms a little.

    Attributes:
        position: metres along each of its axes (one number is drawn for each axis), or a vector.
        rotation: radians about a random axis (`{"angle": [-2, 2]}` takes degrees).
        fov: added to the vertical field of view, radians.
    """

    position: Sampler = drawn(uniform(-0.02, 0.02), METRES)
    rotation: Sampler = drawn(uniform(-0.03, 0.03), SHAKE)
    fov: Sampler = drawn(uniform(-0.01, 0.01), SHAKE)
    type_name: ClassVar[str] = "camera_jitter"

    def moves(self, rng: Generator, count: int) -> Move:
        """See `CameraRandomizer.moves`."""
        shifts = self.position.vectors(rng, count, 3)
        axes, angles = directions(rng, count), self.rotation.rows(rng, count).tolist()
        wider = self.fov.rows(rng, count).tolist()

        def move(row: int, name: str, camera: Camera) -> dict[str, Any]:
            delta = rigid(turn(axes[row], angles[row]), shifts[row])
            return move_to_json(name, camera, delta, fov=camera.fov_y + wider[row], relative=True)

        return move


@dataclass(frozen=True, kw_only=True)
class CameraOrbit(CameraRandomizer):
    """Carries cameras around the vertical through a point, from where the scene has them.

    Attributes:
        centre: world metres.
        angle: radians.
    """

    centre: Sampler = drawn(_ORIGIN, POINT)
    angle: Sampler = drawn(uniform(0.0, 2 * math.pi), TURN)
    type_name: ClassVar[str] = "camera_orbit"

    def moves(self, rng: Generator, count: int) -> Move:
        """See `CameraRandomizer.moves`."""
        centres = self.centre.rows(rng, count)
        angles = self.angle.rows(rng, count).tolist()
        return lambda row, name, camera: move_to_json(
            name, camera, orbited(camera.world_from_camera, angles[row], centres[row])
        )


@dataclass(frozen=True, kw_only=True)
class CameraPlace(CameraRandomizer):
    """Puts cameras somewhere new, looking at a point.

    Attributes:
        position: where they stand as seen from the target, a vector in metres.
        target: world metres.
        roll: radians about the line of sight.
        fov: vertical field of view, radians; None keeps it.
    """

    position: Sampler = drawn(on_dome(uniform(1.0, 2.0)), replace(POINT, away=True))
    target: Sampler = drawn(_ORIGIN, POINT)
    roll: Sampler = drawn(constant(0.0), TURN)
    fov: Sampler | None = drawn(None, FIELD_OF_VIEW, optional=True)
    type_name: ClassVar[str] = "camera_place"

    def __post_init__(self) -> None:
        super().__post_init__()
        spans = [each.span or (0.0, 0.0) for each in (self.target, self.position)]
        reach, away = (max(abs(span[0]), abs(span[1])) for span in spans)
        if away < reach * _APART:
            raise InvalidValueError(
                f"target: expected numbers up to {away / _APART:g} beside a position of up to "
                f"{away:g} m, which is lost in rounding otherwise, got "
                f"{shown(self.target.to_json())}"
            )

    def moves(self, rng: Generator, count: int) -> Move:
        """See `CameraRandomizer.moves`."""
        targets, offsets = self.target.rows(rng, count), self.position.rows(rng, count)
        rolls = self.roll.rows(rng, count).tolist()
        fovs = [None] * count if self.fov is None else self.fov.rows(rng, count).tolist()

        def move(row: int, name: str, camera: Camera) -> dict[str, Any]:
            looking = poses.look_at(offsets[row], np.zeros(3))[:3, :3]
            pose = rigid(looking @ turn(_UP, rolls[row]), targets[row] + offsets[row])
            return move_to_json(name, camera, pose, fov=fovs[row])

        return move


@dataclass(frozen=True, kw_only=True)
class FieldOfView(CameraRandomizer):
    """Draws the vertical field of view of cameras anew.

    Attributes:
        fov: radians (`{"angle": [40, 60]}` takes degrees).
    """

    fov: Sampler = drawn(uniform(0.7, 1.0), FIELD_OF_VIEW)
    type_name: ClassVar[str] = "field_of_view"

    def moves(self, rng: Generator, count: int) -> Move:
        """See `CameraRandomizer.moves`."""
        fovs = self.fov.rows(rng, count).tolist()
        return lambda row, name, camera: move_to_json(
            name, camera, np.eye(4), fov=fovs[row], relative=True
        )


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
