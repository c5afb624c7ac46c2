"""Poses as Nerfstudio Renderer's programs give them."""

from __future__ import annotations

import math
import warnings
from enum import Enum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heliograph import poses
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.poses import AngleUnit

Pose = NDArray[np.float64]


class RotationUnit(Enum):
    """The unit of Euler angles; the document's are degrees, later versions took radians."""

    DEGREES = "degrees"
    RADIANS = "radians"


def rotation_unit(name: str) -> RotationUnit:
    """The unit of a name.

    Raises:
        UnknownNameError: no such unit.
    """
    known = {each.value: each for each in RotationUnit}
    if name not in known:
        raise UnknownNameError.of("rotation_unit", name, known)
    return known[name]


def camera_pose(position: ArrayLike, rotation: ArrayLike | None, unit: RotationUnit) -> Pose:
    """The pose (4, 4), world_from_camera, of what `update_camera` is told.

    Args:
        position: (3,); or, without a rotation, the whole pose (4, 4).
        rotation: three angles about the fixed axes x, y and z, one after the other, as scipy's
            "xyz"; or a rotation matrix (3, 3).
        unit: of the angles.

    Raises:
        InvalidValueError: something else came.
    """
    if rotation is None:
        return poses.check_pose(position, "update_camera: a pose without a rotation")
    turn = poses.check_numbers(rotation, "rotation")
    if turn.shape == (4, 4):
        raise InvalidValueError(
            "rotation: expected three angles or (3, 3), got a whole pose (4, 4); give it alone: "
            "update_camera(pose)"
        )
    matrix = turn if turn.shape == (3, 3) else _of_angles(turn, unit)
    return poses.compose(position, matrix)


def _of_angles(angles: Pose, unit: RotationUnit) -> Pose:
    x, y, z = poses.check_vector(angles, "rotation")
    radians = unit is RotationUnit.RADIANS
    if radians and max(abs(x), abs(y), abs(z)) > 2 * math.pi:
        warnings.warn(
            f"rotation: {shown_angles(angles)} are more than a whole turn in radians; if they are "
            "degrees, give rotation_unit='degrees'",
            stacklevel=4,
        )
    kind = AngleUnit.RADIANS if radians else AngleUnit.DEGREES
    # About fixed axes, x first, is about the turned axes, z first.
    return poses.from_euler((z, y, x), "zyx", unit=kind)


def shown_angles(angles: Pose) -> str:
    """Angles for a message."""
    return f"({', '.join(f'{each:g}' for each in angles.tolist())})"
