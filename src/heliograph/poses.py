"""Poses and the conversions between conventions; the only place where axes are swapped.

A pose is `world_from_camera`, a 4x4 float64 matrix: right-handed world, Z up, metres; camera axes
are OpenGL's (x right, y up, looks along -z). Rotations are 3x3, right-handed and orthonormal.

Every function raises `InvalidValueError` for an argument that is not what its docstring says: a
wrong type, shape or member, NaN or infinity, a matrix that is no pose or no rotation. Results are
bit-identical however many points a call takes: no BLAS is involved.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from heliograph.errors import InvalidValueError, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike

Floats: TypeAlias = NDArray[np.float64]
EnumT = TypeVar("EnumT", bound=Enum)

TOLERANCE: Final = 1e-5
"""How far a rotation may be from orthonormal, and a last row from (0, 0, 0, 1)."""

_LAST_ROW: Final = (0.0, 0.0, 0.0, 1.0)
_SINGULAR: Final = 1e-6
_SAME_POINT: Final = 1e-12  # of their distance from the origin
_PARALLEL: Final = 1e-6
_GIMBAL: Final = 1e-12
_EULER_AXES: Final = ("xyz", "xzy", "yxz", "yzx", "zxy", "zyx")


class QuaternionOrder(Enum):
    """Where the scalar part stands: first (MuJoCo, Blender) or last (three.js, scipy, ROS)."""

    WXYZ = "wxyz"
    XYZW = "xyzw"


class AngleUnit(Enum):
    """The unit of Euler angles."""

    RADIANS = "radians"
    DEGREES = "degrees"


def as_array(value: object, name: str) -> NDArray[Any]:
    """Return an array of whatever numpy makes of a value, maybe the value's own memory.

    Raises:
        InvalidValueError: a ragged list, a number too large, a tensor that numpy cannot read.
    """
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise InvalidValueError(f"{name}: expected an array of numbers ({error})") from None


def check_numbers(value: ArrayLike, name: str) -> Floats:
    """Return a float64 copy of real numbers of any shape, NaN and infinity among them.

    Negative zeros become zeros, so that equal values have equal bytes.
    """
    array = as_array(value, name)
    if array.dtype.kind not in "iuf":
        came = f"{shown(value)} (dtype {array.dtype})"
        raise InvalidValueError(f"{name}: expected real numbers, got {came}")
    return array.astype(np.float64, order="C") + 0.0


def check_vectors(value: ArrayLike, name: str, length: int, *, nan: bool = False) -> Floats:
    """Return a float64 copy of an array of vectors.

    Args:
        value: (..., length) real numbers, all finite.
        name: what the message calls it.
        length: expected length of the last axis.
        nan: allow NaN, which stands for "no point".
    """
    array = check_numbers(value, name)
    if array.ndim == 0 or array.shape[-1] != length:
        raise InvalidValueError(f"{name}: expected shape (..., {length}), got {array.shape}")
    return _finite(array, name, nan=nan)


def check_vector(value: ArrayLike, name: str, length: int = 3) -> Floats:
    """Return a float64 copy of one vector, (length,) real numbers, all finite."""
    array = check_numbers(value, name)
    if array.shape != (length,):
        raise InvalidValueError(f"{name}: expected shape ({length},), got {array.shape}")
    return _finite(array, name)


def check_matrix(value: ArrayLike, name: str, size: int) -> Floats:
    """Return a float64 copy of a square matrix, (size, size) real numbers, all finite."""
    array = check_numbers(value, name)
    if array.shape != (size, size):
        raise InvalidValueError(f"{name}: expected shape ({size}, {size}), got {array.shape}")
    return _finite(array, name)


def check_pose(m: ArrayLike, name: str = "pose") -> Floats:
    """Return a float64 copy of a pose, (4, 4), its last row exactly (0, 0, 0, 1).

    The rotation must be right-handed and orthonormal to `TOLERANCE`; it is not altered.

    Raises:
        InvalidValueError: another shape, NaN or infinity, another last row, or a rotation that
            is singular, left-handed, scaled or sheared.
    """
    pose = check_matrix(m, name, 4)
    if max(abs(a - b) for a, b in zip(pose[3].tolist(), _LAST_ROW, strict=True)) > TOLERANCE:
        raise InvalidValueError(
            f"{name}: expected (0, 0, 0, 1) as last row, got {_listed(pose[3])}; if the "
            "translation stands there, the matrix is column-major (three.js): transpose it"
        )
    pose[3] = _LAST_ROW
    _check_orthonormal(pose[:3, :3], name)
    return pose


def check_rotation(m: ArrayLike, name: str = "rotation") -> Floats:
    """Return a float64 copy of a rotation, (3, 3), right-handed and orthonormal to `TOLERANCE`.

    Raises:
        InvalidValueError: another shape, NaN or infinity, singular, left-handed, scaled, sheared.
    """
    rotation = check_matrix(m, name, 3)
    _check_orthonormal(rotation, name)
    return rotation


def compose(position: ArrayLike, rotation: ArrayLike) -> Floats:
    """Return the pose (4, 4) with this position (3,), metres, and this rotation (3, 3)."""
    pose = np.eye(4)
    pose[:3, :3] = check_rotation(rotation)
    pose[:3, 3] = check_vector(position, "position")
    return pose


def invert(pose: ArrayLike) -> Floats:
    """Return the rigid inverse (4, 4): `camera_from_world` of `world_from_camera` and back.

    It transposes the rotation, so it is as exact as the rotation is orthonormal.
    """
    checked = check_pose(pose)
    inverse = np.eye(4)
    inverse[:3, :3] = checked[:3, :3].T
    inverse[:3, 3] = 0.0 - rotate(inverse[:3, :3], checked[:3, 3])
    return inverse


def rotate(rotation: Floats, vectors: Floats) -> Floats:
    """Return vectors (..., 3) turned by a rotation (3, 3); checks nothing."""
    x, y, z = vectors[..., 0:1], vectors[..., 1:2], vectors[..., 2:3]
    turned: Floats = x * rotation[:, 0] + y * rotation[:, 1] + z * rotation[:, 2]
    return turned


def transform(pose: ArrayLike, points: ArrayLike) -> Floats:
    """Return points (..., 3), metres, carried over by a pose; NaN stays NaN.

    With `world_from_camera` they go from the camera's axes to the world's.
    """
    checked = check_pose(pose)
    return rotate(checked[:3, :3], check_vectors(points, "points", 3, nan=True)) + checked[:3, 3]


def look_at(eye: ArrayLike, target: ArrayLike, up: ArrayLike = (0.0, 0.0, 1.0)) -> Floats:
    """Return the `world_from_camera` (4, 4) of a camera at `eye` that looks at `target`.

    Args:
        eye: position of the camera, (3,) metres.
        target: a point that appears at the principal point, (3,) metres.
        up: direction that points up in the image, (3,), any length. If the camera looks along
            it, the world axis furthest from the line of sight is taken, +y before +x before +z.

    Raises:
        InvalidValueError: `eye` and `target` are the same point, `up` is zero, or a bad vector.
    """
    position = check_vector(eye, "eye")
    ahead = _finite(check_vector(target, "target") - position, "target - eye")
    if np.abs(ahead).max() <= _SAME_POINT * np.abs([position, position + ahead]).max():
        raise InvalidValueError(
            f"look_at: expected two points, got eye and target both at {_listed(position)}; "
            "move the target along the direction to look in"
        )
    forward = _unit(ahead, "target - eye")
    right = _right(forward, _unit(check_vector(up, "up"), "up"))
    pose = np.eye(4)
    pose[:3] = np.column_stack((right, np.cross(right, forward), -forward, position)) + 0.0
    return pose


def opencv_from_opengl(pose: ArrayLike) -> Floats:
    """Return a pose (4, 4) with OpenCV's camera axes (x right, y down, looks along +z).

    Args:
        pose: `world_from_camera` with OpenGL's axes. For OpenCV's extrinsic matrix, invert the
            result.
    """
    flipped = check_pose(pose)
    flipped[:3, 1:3] = 0.0 - flipped[:3, 1:3]
    return flipped


def opengl_from_opencv(pose: ArrayLike) -> Floats:
    """Return a pose (4, 4) with OpenGL's camera axes (x right, y up, looks along -z).

    Args:
        pose: `world_from_camera` with OpenCV's axes; an OpenCV extrinsic matrix is its inverse.
    """
    return opencv_from_opengl(pose)


def from_threejs(elements: ArrayLike) -> Floats:
    """Return the pose (4, 4) of a three.js `Matrix4.elements`.

    Args:
        elements: (16,) numbers, column after column. World axes are kept as they are, so a
            Y-up scene stays Y-up.
    """
    return check_pose(check_vector(elements, "elements", 16).reshape(4, 4).T, "elements")


def to_threejs(pose: ArrayLike) -> list[float]:
    """Return the 16 numbers, column after column, of a three.js `Matrix4.elements`."""
    return [float(each) for each in check_pose(pose).T.flat]


def from_quaternion(q: ArrayLike, *, order: QuaternionOrder) -> Floats:
    """Return the rotation (3, 3) of a quaternion (4,), which need not have length 1.

    Raises:
        InvalidValueError: a bad vector, length 0, or an order that is no `QuaternionOrder`.
    """
    scalar_last = _member(order, QuaternionOrder, "order") is QuaternionOrder.XYZW
    unit = _unit(check_vector(q, "quaternion", 4), "quaternion")
    w, x, y, z = (np.roll(unit, 1) if scalar_last else unit).tolist()
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def to_quaternion(rotation: ArrayLike, *, order: QuaternionOrder) -> Floats:
    """Return the unit quaternion (4,) of a rotation (3, 3), of the two the one with w >= 0.

    Its largest part comes from the diagonal and the others from it (Shepperd 1978), so no
    rotation loses precision.
    """
    (a, b, c), (d, e, f), (g, h, i) = check_rotation(rotation).tolist()
    products = np.array(
        [
            [1 + a + e + i, h - f, c - g, d - b],
            [h - f, 1 + a - e - i, b + d, c + g],
            [c - g, b + d, 1 - a + e - i, f + h],
            [d - b, c + g, f + h, 1 - a - e + i],
        ]
    )
    q = _unit(products[int(np.argmax(products.diagonal()))], "rotation")
    q = (-q if q[0] < 0 else q) + 0.0
    scalar_last = _member(order, QuaternionOrder, "order") is QuaternionOrder.XYZW
    return np.roll(q, -1) if scalar_last else q


def from_euler(angles: ArrayLike, axes: str = "xyz", *, unit: AngleUnit) -> Floats:
    """Return the rotation (3, 3) of three turns, each about an axis of the turned body.

    Intrinsic turns, as in three.js: axes "xyz" is three.js's and scipy's "XYZ", and gives
    Rx(angles[0]) @ Ry(angles[1]) @ Rz(angles[2]).

    Args:
        angles: (3,), in the order of `axes`.
        axes: x, y and z in the order of the turns, in lower case.
        unit: the unit of the angles.
    """
    first, second, third = _axis_indices(axes)
    values = check_vector(angles, "angles")
    degrees = _member(unit, AngleUnit, "unit") is AngleUnit.DEGREES
    a, b, c = (np.deg2rad(values) if degrees else values).tolist()
    columns = rotate(_turn(first, a), rotate(_turn(second, b), _turn(third, c).T))
    return np.ascontiguousarray(columns.T)


def to_euler(rotation: ArrayLike, axes: str = "xyz", *, unit: AngleUnit) -> Floats:
    """Return the angles (3,) that `from_euler` makes this rotation (3, 3) of.

    The second angle lies within a quarter turn of 0, the others within half a turn. If the
    second is a quarter turn, only the sum or difference of the others is defined: the third is 0.
    """
    i, j, k = _axis_indices(axes)
    r = check_rotation(rotation)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    across = math.hypot(r[i, i], r[i, j])
    locked = across < _GIMBAL
    a = math.atan2(sign * r[k, j], r[j, j]) if locked else math.atan2(-sign * r[j, k], r[k, k])
    undone = math.cos(a) * r[j] + sign * math.sin(a) * r[k]
    c = 0.0 if locked else math.atan2(sign * undone[i], undone[j])
    angles = np.array([a, math.atan2(sign * r[i, k], across), c])
    return np.rad2deg(angles) if _member(unit, AngleUnit, "unit") is AngleUnit.DEGREES else angles


def _finite(array: Floats, name: str, *, nan: bool = False) -> Floats:
    bad = np.isinf(array) if nan else ~np.isfinite(array)
    if bad.any():
        where = tuple(int(each) for each in np.argwhere(bad)[0])
        raise InvalidValueError(
            f"{name}: expected finite numbers, got {float(array[where])} at index {where}"
        )
    return array


def _check_orthonormal(rotation: Floats, name: str) -> None:
    x, y, z = rotation.T.tolist()
    scale = [math.hypot(*axis) for axis in (x, y, z)]
    sizes = [each or 1.0 for each in scale]
    axes = [[part / size for part in axis] for axis, size in zip((x, y, z), sizes, strict=True)]
    determinant = _determinant(axes)
    if abs(determinant) < _SINGULAR:
        raise InvalidValueError(
            f"{name}: expected a rotation, got a singular matrix; two axes coincide or one is zero"
        )
    if determinant < 0:
        raise InvalidValueError(
            f"{name}: expected right-handed axes, got left-handed ones (negative determinant); "
            "an axis is mirrored: negate that column"
        )
    if max(abs(each - 1.0) for each in scale) > TOLERANCE:
        raise InvalidValueError(
            f"{name}: expected a rotation, got one scaled by {_listed(scale)}; divide its columns "
            "by that, and apply scale to objects, not to poses"
        )
    skew = max(abs(_dot(x, y)), abs(_dot(x, z)), abs(_dot(y, z)))
    if skew > TOLERANCE:
        raise InvalidValueError(
            f"{name}: expected orthogonal axes, got some {skew:.3g} off; for the nearest rotation "
            "take u, _, vt = numpy.linalg.svd(m[:3, :3]) and u @ vt"
        )


def _dot(a: list[float], b: list[float]) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _determinant(m: list[list[float]]) -> float:
    (a, b, c), (d, e, f), (g, h, i) = m
    return a * (e * i - f * h) + b * (f * g - d * i) + c * (d * h - e * g)


def _listed(values: Iterable[float]) -> str:
    return f"({', '.join(f'{each:.6g}' for each in values)})"


def _unit(vector: Floats, name: str) -> Floats:
    """Return the vector at length 1, without overflow or underflow on the way."""
    peak = float(np.abs(vector).max())
    if peak == 0.0:
        raise InvalidValueError(f"{name}: expected a vector of some length, got zeros")
    scaled = vector / peak
    unit: Floats = scaled / math.hypot(*scaled.tolist())
    return unit


def _right(forward: Floats, up: Floats) -> Floats:
    across = np.cross(forward, up)
    if math.hypot(*across.tolist()) < _PARALLEL:
        # argmin takes the first of equals: +y for a camera that looks straight down.
        axis = (1, 0, 2)[int(np.argmin(np.abs(forward[[1, 0, 2]])))]
        across = np.cross(forward, np.eye(3)[axis])
    return _unit(across, "right")


def _member(value: EnumT, kind: type[EnumT], name: str) -> EnumT:
    if not isinstance(value, kind):
        known = " or ".join(str(each) for each in kind)
        raise InvalidValueError(f"{name}: expected {known}, got {value!r}")
    return value


def _axis_indices(axes: str) -> list[int]:
    if axes not in _EULER_AXES:
        raise InvalidValueError(
            f"axes: expected one of {', '.join(_EULER_AXES)} (lower case; turns are about the "
            f"turned body's axes, so three.js's and scipy's 'XYZ' is 'xyz'), got {axes!r}"
        )
    return ["xyz".index(axis) for axis in axes]


def _turn(axis: int, angle: float) -> Floats:
    """Return the rotation (3, 3) by an angle, radians, about one axis (0 is x)."""
    j, k = (axis + 1) % 3, (axis + 2) % 3
    turn = np.eye(3)
    turn[j, j] = turn[k, k] = math.cos(angle)
    turn[k, j] = math.sin(angle)
    turn[j, k] = -turn[k, j]
    return turn
