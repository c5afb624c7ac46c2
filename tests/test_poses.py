"""Poses: conversions against scipy and analytic truth, round trips, and every bad input."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from heliograph import poses
from heliograph.errors import InvalidValueError
from heliograph.poses import AngleUnit, QuaternionOrder

AXES = ["".join(each) for each in itertools.permutations("xyz")]
Floats = NDArray[np.float64]

coordinates = st.floats(-1e3, 1e3)
points3 = st.tuples(coordinates, coordinates, coordinates)
angles3 = st.tuples(*[st.floats(-math.pi, math.pi)] * 3)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def rotations(draw: st.DrawFn) -> Floats:
    return np.asarray(Rotation.random(rng=np.random.default_rng(draw(seeds))).as_matrix())


@st.composite
def rigid(draw: st.DrawFn) -> Floats:
    return poses.compose(draw(points3), draw(rotations()))


def edited(**cells: float) -> Floats:
    """Identity with cells set, as in edited(m03=1.0)."""
    pose = np.eye(4)
    for cell, value in cells.items():
        pose[int(cell[1]), int(cell[2])] = value
    return pose


@given(rigid())
def test_check_pose_returns_an_equal_copy(pose: Floats) -> None:
    checked = poses.check_pose(pose)
    assert checked.dtype == np.float64
    assert checked.flags.c_contiguous
    np.testing.assert_array_equal(checked, pose)
    checked[0, 3] += 1
    assert not np.array_equal(checked, pose)


def test_check_pose_normalizes_what_it_takes() -> None:
    np.testing.assert_array_equal(poses.check_pose(np.eye(4).tolist()), np.eye(4))
    np.testing.assert_array_equal(poses.check_pose(np.eye(4, dtype=np.int8)), np.eye(4))
    checked = poses.check_pose(np.asfortranarray(edited(m03=2.0)))
    assert checked.flags.c_contiguous
    assert checked[0, 3] == 2.0
    assert poses.check_pose(edited(m01=-0.0)).tobytes() == np.eye(4).tobytes()
    assert poses.check_pose(edited(m30=1e-7, m33=1.0 - 1e-7))[3].tolist() == [0, 0, 0, 1]


@given(rigid())
def test_check_pose_takes_float32(pose: Floats) -> None:
    np.testing.assert_array_equal(
        poses.check_pose(pose.astype(np.float32)), pose.astype(np.float32).astype(np.float64)
    )


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (np.eye(3), r"shape \(4, 4\), got \(3, 3\)"),
        (np.eye(4)[:3], r"got \(3, 4\)"),
        (np.stack([np.eye(4)] * 2), r"got \(2, 4, 4\)"),
        (1.0, r"got \(\)"),
        (None, "real numbers, got None"),
        ("pose", "real numbers, got 'pose'"),
        (np.eye(4, dtype=bool), "real numbers.*bool"),
        (np.eye(4) + 0j, "real numbers.*complex"),
        ([[1, 0], [0]], "array of numbers"),
        (edited(m03=math.nan), r"nan at index \(0, 3\)"),
        (edited(m11=math.inf), r"inf at index \(1, 1\)"),
        (edited(m30=1.0), "last row, got .1, 0, 0, 1.*column-major"),
        (edited(m33=0.0), "last row"),
        (edited(m00=0.0), "singular"),
        (edited(m00=0.0, m10=1.0), "singular"),
        (np.diag([0.0, 0.0, 0.0, 1.0]), "singular"),
        (np.diag([-1.0, 1.0, 1.0, 1.0]), "left-handed"),
        (np.diag([-2.0, -2.0, -2.0, 1.0]), "left-handed"),
        (np.diag([2.0, 2.0, 2.0, 1.0]), r"scaled by \(2, 2, 2\); divide"),
        (np.diag([1e200, 1e200, 1e200, 1.0]), "scaled"),
        (np.diag([1e-300, 1.0, 1.0, 1.0]), "scaled"),
        (edited(m11=1.0 + 2e-5), "scaled"),
        (edited(m01=0.6, m11=0.8), "orthogonal axes, got some 0.6 off.*svd"),
    ],
)
def test_check_pose_refuses(bad: Any, text: str) -> None:
    with pytest.raises(InvalidValueError, match=f"(?s)^eye: .*{text}"):
        poses.check_pose(bad, "eye")


@given(rigid(), st.sampled_from([0, 1, 2]))
def test_check_pose_refuses_any_mirrored_axis(pose: Floats, axis: int) -> None:
    pose[:3, axis] *= -1
    with pytest.raises(InvalidValueError, match="left-handed"):
        poses.check_pose(pose)


@pytest.mark.parametrize("bad", [np.eye(4), 2 * np.eye(3), -np.eye(3), np.full((3, 3), math.nan)])
def test_compose_refuses(bad: Any) -> None:
    with pytest.raises(InvalidValueError, match=r"^rotation: expected"):
        poses.compose((0, 0, 0), bad)
    with pytest.raises(InvalidValueError, match=r"^position: expected"):
        poses.compose(bad, np.eye(3))


@given(rigid())
def test_invert_undoes(pose: Floats) -> None:
    np.testing.assert_allclose(poses.invert(pose) @ pose, np.eye(4), atol=1e-11)
    np.testing.assert_allclose(poses.invert(poses.invert(pose)), pose, atol=1e-11)


@given(points3, rotations())
def test_compose_puts_both_in_place(position: tuple[float, ...], rotation: Floats) -> None:
    pose = poses.compose(position, rotation)
    np.testing.assert_array_equal(pose[:3], np.column_stack((rotation, position)))
    assert pose[3].tolist() == [0, 0, 0, 1]


@given(rigid(), points3)
def test_transform_is_the_homogeneous_product(pose: Floats, point: tuple[float, ...]) -> None:
    expected = (pose @ [*point, 1.0])[:3]
    np.testing.assert_allclose(poses.transform(pose, point), expected, atol=1e-10)


@given(rigid(), seeds)
def test_transform_does_not_depend_on_the_batch(pose: Floats, seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(5, 7, 3))
    together = poses.transform(pose, points)
    assert together.shape == (5, 7, 3)
    for i, j in np.ndindex(5, 7):
        assert together[i, j].tobytes() == poses.transform(pose, points[i, j]).tobytes()


def test_transform_takes_none_and_keeps_nan() -> None:
    assert poses.transform(np.eye(4), np.empty((0, 3))).shape == (0, 3)
    moved = poses.transform(edited(m03=1.0), np.array([[math.nan] * 3, [1, 2, 3]]))
    assert np.isnan(moved[0]).all()
    assert moved[1].tolist() == [2, 2, 3]


@pytest.mark.parametrize("points", [1.0, [1, 2], [[1, 2, math.inf]], [[True] * 3], "xyz"])
def test_transform_refuses_bad_points(points: Any) -> None:
    with pytest.raises(InvalidValueError, match="points"):
        poses.transform(np.eye(4), points)


def test_look_at_along_y_is_a_level_camera() -> None:
    pose = poses.look_at((0, -5, 1), (0, 3, 1))
    expected = [[1, 0, 0, 0], [0, 0, -1, -5], [0, 1, 0, 1], [0, 0, 0, 1]]
    np.testing.assert_allclose(pose, expected, atol=1e-15)


@given(points3, points3, points3)
def test_look_at_looks_at_the_target_with_up_upwards(
    eye: tuple[float, ...], target: tuple[float, ...], up: tuple[float, ...]
) -> None:
    distance = math.dist(eye, target)
    if distance < 1e-3 or math.hypot(*up) < 1e-3:
        return
    pose = poses.look_at(eye, target, up)
    poses.check_pose(pose)
    np.testing.assert_array_equal(pose[:3, 3], eye)
    seen = poses.transform(poses.invert(pose), target)
    np.testing.assert_allclose(seen, [0, 0, -distance], atol=1e-9)
    assert np.dot(pose[:3, 1], up) >= -2e-6 * math.hypot(*up)
    assert abs(np.dot(pose[:3, 0], up)) <= 2e-6 * math.hypot(*up)


@pytest.mark.parametrize(
    ("target", "up", "image_up"),
    [
        ((0, 0, -1), (0, 0, 1), [0, 1, 0]),
        ((0, 0, 1), (0, 0, 1), [0, 1, 0]),
        ((0, 1, 0), (0, 0, 1e-300), [0, 0, 1]),
        ((1, 0, 0), (1, 0, 0), [0, 1, 0]),
        ((0, 1, 0), (0, -3, 0), [1, 0, 0]),
    ],
)
def test_look_at_known_ups_of_any_length_and_along_the_view(
    target: Any, up: Any, image_up: list[int]
) -> None:
    assert poses.look_at((0, 0, 0), target, up)[:3, 1].tolist() == image_up


@pytest.mark.parametrize(
    ("eye", "target", "up", "text"),
    [
        ((1, 2, 3), (1, 2, 3), (0, 0, 1), r"eye and target both at \(1, 2, 3\)"),
        ((1, 2, 3), (1, 2, 3 + 1e-12), (0, 0, 1), "eye and target both"),
        ((1, 2, 3), (0, 0, 0), (0, 0, 0), "up: expected a vector of some length"),
        ((1, 2), (0, 0, 0), (0, 0, 1), "eye: expected shape"),
        ((1, 2, 3), (0, 0, math.nan), (0, 0, 1), "target: expected finite"),
        ((1, 2, 3), (0, 0, 0), (0, math.inf, 1), "up: expected finite"),
        ((1, 2, 3), "origin", (0, 0, 1), "target: expected real numbers"),
    ],
)
def test_look_at_refuses(eye: Any, target: Any, up: Any, text: str) -> None:
    with pytest.raises(InvalidValueError, match=text):
        poses.look_at(eye, target, up)


@given(rigid())
def test_opencv_and_threejs_round_trips(pose: Floats) -> None:
    opencv = poses.opencv_from_opengl(pose)
    np.testing.assert_array_equal(opencv, pose @ np.diag([1.0, -1.0, -1.0, 1.0]))
    np.testing.assert_array_equal(poses.opengl_from_opencv(opencv), pose)
    np.testing.assert_array_equal(poses.from_threejs(poses.to_threejs(pose)), pose)


def test_threejs_is_column_major() -> None:
    elements = [0, 1, 0, 0, -1, 0, 0, 0, 0, 0, 1, 0, 4, 5, 6, 1]
    pose = poses.from_threejs(elements)
    assert pose.tolist() == [[0, -1, 0, 4], [1, 0, 0, 5], [0, 0, 1, 6], [0, 0, 0, 1]]
    assert pose.flags.c_contiguous
    back = poses.to_threejs(pose)
    assert back == elements
    assert all(type(each) is float for each in back)


@pytest.mark.parametrize(
    "elements", [[1.0] * 15, np.eye(4), edited(m03=4.0).ravel(), [math.nan] * 16, None, "m"]
)
def test_threejs_refuses(elements: Any) -> None:
    with pytest.raises(InvalidValueError, match="elements"):
        poses.from_threejs(elements)


@given(rotations())
def test_quaternions_agree_with_scipy(rotation: Floats) -> None:
    xyzw = Rotation.from_matrix(rotation).as_quat(canonical=True)
    ours = poses.to_quaternion(rotation, order=QuaternionOrder.XYZW)
    np.testing.assert_allclose(ours, xyzw, atol=1e-14)
    np.testing.assert_array_equal(
        np.roll(ours, 1), poses.to_quaternion(rotation, order=QuaternionOrder.WXYZ)
    )


@given(rotations(), st.sampled_from(QuaternionOrder), st.floats(1e-300, 1e300))
def test_quaternion_round_trip_at_any_length(
    rotation: Floats, order: QuaternionOrder, length: float
) -> None:
    q = poses.to_quaternion(rotation, order=order) * length
    np.testing.assert_allclose(poses.from_quaternion(q, order=order), rotation, atol=1e-14)
    np.testing.assert_allclose(poses.from_quaternion(-q, order=order), rotation, atol=1e-14)


@pytest.mark.parametrize("axis", range(3))
def test_quaternion_of_a_half_turn(axis: int) -> None:
    rotation = -np.eye(3)
    rotation[axis, axis] = 1.0
    expected = [0.0] * 4
    expected[1 + axis] = 1.0
    assert poses.to_quaternion(rotation, order=QuaternionOrder.WXYZ).tolist() == expected


@given(st.tuples(*[st.floats(-10, 10)] * 4))
def test_every_quaternion_is_a_rotation_as_in_scipy(q: tuple[float, ...]) -> None:
    if math.hypot(*q) < 1e-6:
        return
    rotation = poses.from_quaternion(q, order=QuaternionOrder.XYZW)
    np.testing.assert_allclose(rotation, Rotation.from_quat(q).as_matrix(), atol=1e-14)
    poses.check_rotation(rotation)


@pytest.mark.parametrize(
    ("q", "order", "text"),
    [
        ((0, 0, 0, 0), QuaternionOrder.WXYZ, "quaternion: expected a vector of some length"),
        ((1, 0, 0), QuaternionOrder.WXYZ, r"quaternion: expected shape \(4,\)"),
        ((1, 0, 0, math.nan), QuaternionOrder.WXYZ, "quaternion: expected finite"),
        ((1, 0, 0, 0), "wxyz", "order: expected QuaternionOrder.WXYZ or .*got 'wxyz'"),
        ((1, 0, 0, 0), AngleUnit.DEGREES, "order: expected"),
    ],
)
def test_from_quaternion_refuses(q: Any, order: Any, text: str) -> None:
    with pytest.raises(InvalidValueError, match=text):
        poses.from_quaternion(q, order=order)


def test_to_quaternion_refuses() -> None:
    order: Any = None
    with pytest.raises(InvalidValueError, match="order"):
        poses.to_quaternion(np.eye(3), order=order)
    with pytest.raises(InvalidValueError, match=r"rotation: .*scaled"):
        poses.to_quaternion(2 * np.eye(3), order=QuaternionOrder.WXYZ)


@pytest.mark.parametrize("axes", AXES)
@given(angles3)
def test_euler_is_intrinsic_as_in_scipy(axes: str, angles: tuple[float, ...]) -> None:
    expected = Rotation.from_euler(axes.upper(), angles).as_matrix()
    ours = poses.from_euler(angles, axes, unit=AngleUnit.RADIANS)
    np.testing.assert_allclose(ours, expected, atol=1e-14)
    assert ours.flags.c_contiguous
    degrees = np.rad2deg(angles)
    np.testing.assert_allclose(
        poses.from_euler(degrees, axes, unit=AngleUnit.DEGREES), expected, atol=1e-14
    )


def test_euler_xyz_is_the_matrix_that_threejs_makes() -> None:
    # Matrix4.makeRotationFromEuler, order 'XYZ', element by element.
    x, y, z = 0.3, -0.7, 1.1
    (a, b), (c, d), (e, f) = [(math.cos(v), math.sin(v)) for v in (x, y, z)]
    expected = [
        [c * e, -c * f, d],
        [a * f + b * e * d, a * e - b * f * d, -b * c],
        [b * f - a * e * d, b * e + a * f * d, a * c],
    ]
    np.testing.assert_allclose(
        poses.from_euler((x, y, z), unit=AngleUnit.RADIANS), expected, atol=1e-15
    )


@pytest.mark.parametrize("axes", AXES)
@given(rotations(), st.sampled_from(AngleUnit))
def test_euler_round_trip(axes: str, rotation: Floats, unit: AngleUnit) -> None:
    angles = poses.to_euler(rotation, axes, unit=unit)
    np.testing.assert_allclose(poses.from_euler(angles, axes, unit=unit), rotation, atol=1e-13)
    seq: Any = axes.upper()
    expected = Rotation.from_matrix(rotation).as_euler(seq, unit is AngleUnit.DEGREES)
    np.testing.assert_allclose(angles, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("axes", AXES)
@given(
    st.floats(-3.1, 3.1),
    st.sampled_from([-math.pi / 2, math.pi / 2]),
    st.sampled_from([0.0, 1e-15, 1e-13, 1e-11, 1e-9, 1e-7, 1e-5]),
    st.floats(-3.1, 3.1),
)
def test_euler_round_trip_around_the_gimbal_lock(
    axes: str, first: float, second: float, off: float, third: float
) -> None:
    rotation = poses.from_euler((first, second - off, third), axes, unit=AngleUnit.RADIANS)
    angles = poses.to_euler(rotation, axes, unit=AngleUnit.RADIANS)
    back = poses.from_euler(angles, axes, unit=AngleUnit.RADIANS)
    np.testing.assert_allclose(back, rotation, atol=1e-11)


def test_to_euler_at_the_gimbal_lock_leaves_the_third_at_zero() -> None:
    rotation = poses.from_euler((10, 90, 20), unit=AngleUnit.DEGREES)
    np.testing.assert_allclose(poses.to_euler(rotation, unit=AngleUnit.DEGREES), (30, 90, 0))


@pytest.mark.parametrize("axes", ["XYZ", "xyx", "xy", "", None, "xyzz", ["x", "y", "z"]])
def test_euler_refuses_other_axes(axes: Any) -> None:
    with pytest.raises(InvalidValueError, match=r"axes: expected one of xyz, .*lower case"):
        poses.from_euler((0, 0, 0), axes, unit=AngleUnit.RADIANS)
    with pytest.raises(InvalidValueError, match="axes"):
        poses.to_euler(np.eye(3), axes, unit=AngleUnit.RADIANS)


@pytest.mark.parametrize("unit", ["degrees", None, 1, QuaternionOrder.WXYZ])
def test_euler_refuses_other_units(unit: Any) -> None:
    with pytest.raises(InvalidValueError, match=r"unit: expected AngleUnit.RADIANS or .*DEGREES"):
        poses.from_euler((0, 0, 0), unit=unit)
    with pytest.raises(TypeError, match="unit"):
        poses.from_euler((0, 0, 0))  # type: ignore[call-arg]
    with pytest.raises(InvalidValueError, match="unit"):
        poses.to_euler(np.eye(3), unit=unit)


@pytest.mark.parametrize("angles", [(0, 0), (0, 0, math.inf), 0.0, "abc", np.zeros((1, 3))])
def test_euler_refuses_bad_angles(angles: Any) -> None:
    with pytest.raises(InvalidValueError, match="angles"):
        poses.from_euler(angles, unit=AngleUnit.RADIANS)


@pytest.mark.parametrize("bad", [1.0, [1.0, 2.0], [[1.0, math.nan, 0.0]], [[1, 2, 3j]]])
def test_check_vectors_refuses(bad: Any) -> None:
    with pytest.raises(InvalidValueError, match=r"^sizes: "):
        poses.check_vectors(bad, "sizes", 3)


def test_check_numbers_copies_and_keeps_infinity() -> None:
    source = np.array([1.0, math.inf, math.nan])
    copy = poses.check_numbers(source, "values")
    source[:] = 0
    np.testing.assert_array_equal(copy, [1.0, math.inf, math.nan])
    with pytest.raises(InvalidValueError, match="values: expected real numbers"):
        poses.check_numbers([10**400], "values")
