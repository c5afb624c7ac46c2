"""A camera that flies: it turns about what is up and its own x axis, and moves along its axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from heliograph import poses
from heliograph.camera import Camera
from heliograph.checks import check_integer
from heliograph.errors import InvalidValueError, shown

FAST: Final = 4.0
"""How much faster it is with `Motion.fast`."""
TURN: Final = 1.2
"""Radians a second that held keys turn it by."""
_STEEPEST: Final = math.radians(89)
_MOST_SPEED, _LEAST_SPEED = 1e6, 1e-6


@dataclass(frozen=True)
class Motion:
    """Which way somebody goes and turns; each from -1 to 1.

    Attributes:
        right, up, forward: `up` is the world's, the others are the camera's.
        yaw, pitch: to the left, upwards.
        fast: whether it hurries.
    """

    right: float = 0.0
    up: float = 0.0
    forward: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    fast: bool = False

    @property
    def moves(self) -> bool:
        """Whether it changes the pose."""
        return any((self.right, self.up, self.forward, self.yaw, self.pitch))


class Flight:
    """Where a camera is, and how it gets elsewhere.

    Args:
        start: where it begins; `reset` brings it back.
        speed: metres a second.
        up: (3,), what yaw turns about and `Motion.up` goes along; any length.

    Attributes:
        camera: as it is now.
        speed: metres a second.

    Raises:
        InvalidValueError: a speed that is not above 0, or an `up` that is no direction.
    """

    def __init__(
        self, start: Camera, speed: float = 1.0, up: Sequence[float] = (0.0, 0.0, 1.0)
    ) -> None:
        if not _LEAST_SPEED <= speed <= _MOST_SPEED:
            raise InvalidValueError(
                f"speed: expected metres a second from {_LEAST_SPEED:g} to {_MOST_SPEED:g}, got "
                f"{shown(speed)}"
            )
        direction = poses.check_vector(up, "up")
        if not direction.any():
            raise InvalidValueError("up: expected a direction such as (0, 0, 1), got zeros")
        self._up = direction / np.linalg.norm(direction)
        self._start = start
        self.camera = start
        self.speed = float(speed)

    def hurry(self, factor: float) -> None:
        """Multiply the speed."""
        self.speed = min(max(self.speed * factor, _LEAST_SPEED), _MOST_SPEED)

    def fly(self, motion: Motion, seconds: float) -> bool:
        """Move and turn for some time.

        Returns:
            Whether the pose changed.
        """
        if not motion.moves or seconds <= 0:
            return False
        self.turn(TURN * seconds * motion.yaw, TURN * seconds * motion.pitch)
        pose = self.camera.world_from_camera.copy()
        x, _, z = pose[:3, :3].T
        way = motion.right * x - motion.forward * z + motion.up * self._up
        pose[:3, 3] += seconds * self.speed * (FAST if motion.fast else 1.0) * way
        self.camera = self.camera.moved(pose)
        return True

    def turn(self, yaw: float, pitch: float) -> None:
        """Turn to the left and upwards, radians; never past straight up or down."""
        pose = self.camera.world_from_camera.copy()
        steep = math.asin(float(np.clip(-pose[:3, 2] @ self._up, -1.0, 1.0)))
        least, most = min(-_STEEPEST, steep), max(_STEEPEST, steep)  # it may start steeper
        pitch = min(max(steep + pitch, least), most) - steep
        pose[:3, :3] = _about(self._up, yaw) @ pose[:3, :3] @ _about(np.array([1.0, 0, 0]), pitch)
        self.camera = self.camera.moved(pose)

    def resize(self, width: int, height: int) -> None:
        """Draw pictures of this size, pixels, with the same vertical field of view."""
        self._start = _resized(self._start, width, height)
        self.camera = _resized(self.camera, width, height)

    def reset(self) -> None:
        """Go back to the start."""
        self.camera = self._start


def _about(axis: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """The rotation (3, 3) about an axis of length 1, as Rodrigues has it."""
    x, y, z = axis.tolist()
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    turn: NDArray[np.float64] = (
        np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
    )
    return turn


def _resized(camera: Camera, width: int, height: int) -> Camera:
    """The camera with as much of its world from top to bottom; more or less from left to right."""
    check_integer("width", width, 1)
    scale = check_integer("height", height, 1) / camera.height
    return camera.replace(
        width=width,
        height=height,
        fx=camera.fx * scale,
        fy=camera.fy * scale,
        cx=width / 2 + (camera.cx - camera.width / 2) * scale,
        cy=camera.cy * scale,
    )
