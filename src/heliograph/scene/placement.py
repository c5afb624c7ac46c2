"""Where a component stands: position, rotation, scale and matrix, from and to 4x4 maps."""

# No `from __future__ import annotations`: properties are read from them when this is imported.
from collections.abc import Mapping
from typing import Annotated, Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from heliograph.errors import InvalidValueError
from heliograph.poses import AngleUnit, QuaternionOrder, from_euler, from_quaternion, to_quaternion
from heliograph.scene import values as v
from heliograph.scene.props import Flag, Prop, Scale, Vector, properties

PARTS = ("position", "rotation", "quaternion", "scale")
_SHEAR = 1e-6

Matrix = NDArray[np.float64]

_NOWHERE = (0.0, 0.0, 0.0)


class PositionProps(TypedDict, total=False):
    """Where a component stands."""

    position: Annotated[Vector, Prop(v.vector(3), _NOWHERE, "(x, y, z) in its parent.", "m")]


class TurnProps(TypedDict, total=False):
    """How a component is turned and scaled in its parent, and whether it is seen."""

    rotation: Annotated[
        Vector, Prop(v.vector(3), None, "Euler angles (x, y, z), three.js's order XYZ.", "rad")
    ]
    quaternion: Annotated[
        Vector, Prop(v.quaternion, None, "(x, y, z, w) of any length, instead of `rotation`.")
    ]
    scale: Annotated[Scale, Prop(v.scale, (1.0, 1.0, 1.0), "One factor, or (x, y, z).")]
    matrix: Annotated[
        Vector, Prop(v.matrix, None, "16 numbers, column after column; wins over all of these.")
    ]
    visible: Annotated[Flag, Prop(v.flag, True, "Whether it and all below it are seen.")]


class PlacementProps(PositionProps, TurnProps, total=False):
    """What every component takes, all of it relative to its parent."""


PLACEMENT = properties(PlacementProps)


def matrix_of(props: Mapping[str, Any]) -> Matrix:
    """parent_from_component (4, 4) of checked properties; the matrix wins."""
    if "matrix" in props:
        return np.array(props["matrix"]).reshape(4, 4).T
    made = np.eye(4)
    made[:3, :3] = _rotation(props) * np.array(props.get("scale", (1.0, 1.0, 1.0)))
    made[:3, 3] = props.get("position", (0.0, 0.0, 0.0))
    return made


def _rotation(props: Mapping[str, Any]) -> Matrix:
    if "quaternion" in props:
        return from_quaternion(props["quaternion"], order=QuaternionOrder.XYZW)
    if "rotation" in props:
        return from_euler(props["rotation"], unit=AngleUnit.RADIANS)
    return np.eye(3)


def before(old: Mapping[str, Any], new: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The old properties, less those that would hide new ones."""
    rest = dict(old)
    if "matrix" in rest and "matrix" not in new and any(part in new for part in PARTS):
        rest.update(decomposed(matrix_of(rest), name))
        del rest["matrix"]
    for one, other in (("rotation", "quaternion"), ("quaternion", "rotation")):
        if one in new:
            rest.pop(other, None)
    return rest


def decomposed(matrix: Matrix, name: str) -> dict[str, tuple[float, ...]]:
    """Position, quaternion and scale of a map (4, 4); a mirrored one has a negative first scale.

    Raises:
        InvalidValueError: it is singular or sheared.
    """
    scale = np.linalg.norm(matrix[:3, :3], axis=0)
    if np.linalg.det(matrix[:3, :3]) < 0:
        scale[0] *= -1
    axes = matrix[:3, :3] / np.where(scale == 0, 1, scale)
    if not scale.all() or np.abs(axes.T @ axes - np.eye(3)).max() > _SHEAR:
        raise InvalidValueError(
            f"{name}: its matrix is singular or sheared, so it has no position, rotation and "
            "scale of its own to change; give a whole matrix"
        )
    turn = to_quaternion(axes, order=QuaternionOrder.XYZW)
    return {
        "position": tuple(matrix[:3, 3].tolist()),
        "quaternion": tuple(turn.tolist()),
        "scale": tuple(scale.tolist()),
    }


def rigid(world: Matrix) -> Matrix:
    """The pose (4, 4) nearest to a map by its z axis, then y: scale, shear and mirroring go."""
    z = world[:3, 2] / np.linalg.norm(world[:3, 2])
    y = world[:3, 1] - z * (z @ world[:3, 1])
    y = y / np.linalg.norm(y)
    pose = np.eye(4)
    pose[:3, :3] = np.column_stack([np.cross(y, z), y, z])
    pose[:3, 3] = world[:3, 3]
    return pose
