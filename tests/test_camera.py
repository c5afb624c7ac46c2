"""Cameras: analytic projections, round trips, value semantics, and every bad input."""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from heliograph import poses
from heliograph.camera import MAX_SIZE, Camera, Projection
from heliograph.errors import InvalidValueError

Floats = NDArray[np.float64]
RIGHT_ANGLE = math.pi / 2


@st.composite
def rigid(draw: st.DrawFn) -> Floats:
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rotation = np.asarray(Rotation.random(rng=generator).as_matrix())
    return poses.compose(generator.uniform(-100, 100, 3), rotation)


@st.composite
def cameras(draw: st.DrawFn, projection: Projection | None = None) -> Camera:
    """Any pose, any size, non-square pixels, the principal point off the centre."""
    kind = projection or draw(st.sampled_from(Projection))
    width, height = draw(st.integers(1, 4000)), draw(st.integers(1, 4000))
    return Camera(
        name=draw(st.text(min_size=1, max_size=5)),
        world_from_camera=draw(rigid()),
        width=width,
        height=height,
        fx=draw(st.floats(10, 5000)),
        fy=draw(st.floats(10, 5000)),
        cx=draw(st.floats(-width, 2 * width)),
        cy=draw(st.floats(-height, 2 * height)),
        near=draw(st.floats(1e-3, 1)),
        far=draw(st.floats(2, 1e5)),
        projection=kind,
    )


def simple(**options: Any) -> Camera:
    """90 degrees wide and high, 200 x 200, at the origin, looking along -z."""
    return Camera.perspective(fov_y=RIGHT_ANGLE, width=200, height=200, **options)


def test_perspective_fields() -> None:
    camera = simple(name="top", near=0.1, far=10)
    assert camera.name == "top"
    assert camera.size == (200, 200)
    assert (camera.cx, camera.cy, camera.near, camera.far) == (100, 100, 0.1, 10)
    assert camera.fx == camera.fy == pytest.approx(100)
    assert camera.projection is Projection.PERSPECTIVE
    np.testing.assert_array_equal(camera.world_from_camera, np.eye(4))
    assert (simple().name, simple().near, simple().far) == ("camera", 0.01, 1000.0)


def test_a_known_point_falls_on_each_corner() -> None:
    camera = simple()
    corners = [[-1, 1, -1], [1, 1, -1], [-1, -1, -1], [1, -1, -1]]
    expected = [[0, 0], [200, 0], [0, 200], [200, 200]]
    np.testing.assert_allclose(camera.project(corners), expected, atol=1e-12)
    np.testing.assert_allclose(camera.project((0, 0, -7)), (100, 100))


def test_the_centre_of_the_first_pixel_is_half_half() -> None:
    camera = Camera.from_K([[2, 0, 2], [0, 2, 1], [0, 0, 1]], width=4, height=2)
    centres = camera.pixel_centres()
    assert centres.shape == (2, 4, 2)
    assert centres[0, 0].tolist() == [0.5, 0.5]
    assert centres[1, 3].tolist() == [3.5, 1.5]
    np.testing.assert_allclose(camera.unproject((0.5, 0.5), 4.0), (-3, 1, -4))


@given(st.floats(0.01, 3.1), st.integers(1, 4000), st.integers(1, 4000))
def test_field_of_view_and_calibration_agree(fov_y: float, width: int, height: int) -> None:
    camera = Camera.perspective(fov_y=fov_y, width=width, height=height)
    focal = height / 2 / math.tan(fov_y / 2)
    expected = np.array([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(camera.K, expected, rtol=1e-12)
    assert camera.fov_y == pytest.approx(fov_y, rel=1e-9)
    assert camera.fov_x == pytest.approx(2 * math.atan(width / 2 / focal), rel=1e-9)


def test_field_of_view_with_the_principal_point_on_an_edge() -> None:
    camera = simple().replace(cx=0.0, fx=200.0)
    assert camera.fov_x == pytest.approx(math.pi / 4)
    assert camera.fov_y == pytest.approx(RIGHT_ANGLE)


def test_a_calibration_matrix_keeps_every_number() -> None:
    matrix = [[210.5, 0.0, 99.25], [0.0, 190.25, 51.5], [0.0, 0.0, 1.0]]
    camera = Camera.from_K(matrix, width=200, height=100, name="left", far=5)
    assert camera.K.tolist() == matrix
    assert (camera.name, camera.far, camera.size) == ("left", 5, (200, 100))


def test_orthographic() -> None:
    camera = Camera.orthographic(extent_y=4.0, width=400, height=200, name="plan")
    assert camera.projection is Projection.ORTHOGRAPHIC
    assert (camera.fx, camera.fy, camera.fov_x, camera.fov_y) == (50, 50, 0, 0)
    points = [(-4, 2, -1), (4, -2, -9), (0, 0, 3)]
    np.testing.assert_allclose(camera.project(points), [(0, 0), (400, 200), (200, 100)])
    np.testing.assert_allclose(camera.unproject((0, 0), 9.0), (-4, 2, -9))


def test_look_at_puts_the_target_on_the_principal_point() -> None:
    camera = Camera.look_at(
        eye=(2, 0, 1), target=(0, 0, 0), fov_y=0.9, width=1280, height=720, name="eye"
    )
    np.testing.assert_allclose(camera.project((0, 0, 0)), (640, 360), atol=1e-9)
    assert camera.depth_of((0, 0, 0)) == pytest.approx(math.sqrt(5))
    above, beside = camera.project([(0, 0, 0.1), (0, 0.1, 0)])
    assert above[1] < 360
    assert beside[0] > 640
    assert camera.name == "eye"


@given(cameras(), st.integers(0, 2**32 - 1))
def test_unproject_undoes_project(camera: Camera, seed: int) -> None:
    generator = np.random.default_rng(seed)
    inside = generator.uniform((0, 0), camera.size, (3, 4, 2))
    depth = generator.uniform(0.1, 50, (3, 4))
    world = camera.unproject(inside, depth)
    assert world.shape == (3, 4, 3)
    np.testing.assert_allclose(camera.project(world), inside, atol=1e-6)
    np.testing.assert_allclose(camera.depth_of(world), depth, atol=1e-9)


@given(cameras(Projection.PERSPECTIVE), st.integers(0, 2**32 - 1))
def test_project_is_opencvs(camera: Camera, seed: int) -> None:
    generator = np.random.default_rng(seed)
    point = camera.unproject(generator.uniform((0, 0), camera.size), generator.uniform(0.1, 50))
    x, y, z = camera.K @ (camera.opencv_from_world @ [*point, 1.0])[:3]
    assert z == pytest.approx(float(camera.depth_of(point)), abs=1e-9)
    np.testing.assert_allclose(camera.project(point), (x / z, y / z), rtol=1e-6, atol=1e-6)


@given(cameras(), st.integers(0, 2**32 - 1))
def test_the_projection_matrix_agrees_with_project(camera: Camera, seed: int) -> None:
    generator = np.random.default_rng(seed)
    pixel = generator.uniform((0, 0), camera.size)
    depth = np.array([camera.near, camera.far, generator.uniform(camera.near, camera.far)])
    world = camera.unproject(pixel, depth)
    homogeneous = np.concatenate((world, np.ones((3, 1))), axis=1)
    clip = homogeneous @ camera.camera_from_world.T @ camera.projection_matrix.T
    ndc = clip[:, :3] / clip[:, 3:]
    seen = (1 + ndc[:, :2] * (1, -1)) / 2 * camera.size
    np.testing.assert_allclose(seen[1:], [pixel, pixel], atol=1e-3)
    own = np.array([[0, 0, -camera.near, 1.0], [0, 0, -camera.far, 1.0]])
    own = own @ camera.projection_matrix.T
    np.testing.assert_allclose(own[:, 2] / own[:, 3], (-1, 1), atol=1e-9)


@given(cameras())
def test_the_inverse_poses(camera: Camera) -> None:
    pose = camera.world_from_camera
    np.testing.assert_allclose(camera.camera_from_world @ pose, np.eye(4), atol=1e-11)
    flip = np.diag([1.0, -1.0, -1.0, 1.0])
    np.testing.assert_allclose(camera.opencv_from_world, flip @ camera.camera_from_world)


def test_points_not_in_front_are_nan_in_perspective_only() -> None:
    points = np.array([(0, 0, 1), (0, 0, 0), (1, 1, -0.0), (math.nan, 0, -1), (0, 0, -1e-9)])
    seen = simple().project(points)
    assert np.isnan(seen).any(axis=1).tolist() == [True, True, True, True, False]
    flat = Camera.orthographic(extent_y=2, width=2, height=2).project(points)
    assert np.isnan(flat).any(axis=1).tolist() == [False, False, False, True, False]
    assert simple().depth_of(points)[:2].tolist() == [-1, 0]
    assert np.isnan(simple().depth_of((math.nan, math.nan, math.nan)))


def test_empty_and_single_inputs_keep_their_shape() -> None:
    camera = simple()
    assert camera.project(np.empty((0, 3))).shape == (0, 2)
    assert camera.project((0, 0, -1)).shape == (2,)
    assert camera.depth_of(np.empty((2, 0, 3))).shape == (2, 0)
    assert camera.depth_of((0, 0, -1)).shape == ()
    assert camera.unproject(np.empty((0, 2)), 1.0).shape == (0, 3)
    assert camera.unproject((1, 2), [1.0, 2.0]).shape == (2, 3)


@pytest.mark.parametrize("projection", Projection)
def test_unproject_takes_a_depth_pass(projection: Projection) -> None:
    camera = simple().replace(projection=projection)
    depth = np.full((200, 200), 3.0, dtype=np.float32)
    depth[0, 0], depth[0, 1] = math.inf, math.nan
    points = camera.unproject(camera.pixel_centres(), depth)
    assert np.isnan(points[0, :2]).all()
    np.testing.assert_allclose(points.reshape(-1, 3)[2:, 2], -3.0)
    back = camera.project(points)
    np.testing.assert_allclose(back[1:], camera.pixel_centres()[1:], atol=1e-9)


@given(cameras(), st.integers(1, 4000), st.integers(1, 4000))
def test_resized_keeps_what_is_seen(camera: Camera, width: int, height: int) -> None:
    resized = camera.resized(width, height)
    assert resized.size == (width, height)
    assert resized.fov_x == pytest.approx(camera.fov_x)
    assert resized.fov_y == pytest.approx(camera.fov_y)
    point = camera.unproject((camera.width * 0.25, camera.height * 0.75), 2.0)
    np.testing.assert_allclose(resized.project(point), (width * 0.25, height * 0.75), atol=1e-5)
    np.testing.assert_allclose(resized.projection_matrix, camera.projection_matrix, rtol=1e-9)


def test_moved_and_replace_change_only_what_they_say() -> None:
    pose = poses.look_at((1, 2, 3), (0, 0, 0))
    moved = simple().moved(pose)
    assert moved == simple(world_from_camera=pose)
    assert simple().replace(name="b", width=10) == dataclasses.replace(simple(), name="b", width=10)
    with pytest.raises(InvalidValueError, match="near"):
        simple().replace(near=-1)
    with pytest.raises(TypeError, match="zoom"):
        simple().replace(zoom=2)  # type: ignore[call-arg]


def test_callers_arrays_are_copied_and_ours_are_read_only() -> None:
    pose = np.eye(4)
    camera = simple(world_from_camera=pose)
    before = hash(camera)
    pose[0, 3] = 5.0
    assert camera == simple()
    assert hash(camera) == before
    for each in (camera, copy.copy(camera), copy.deepcopy(camera)):
        with pytest.raises(ValueError, match="read-only"):
            each.world_from_camera[0, 3] = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        camera.width = 3  # type: ignore[misc]
    camera.K[0, 0] = -1
    with pytest.raises(ValueError, match="read-only"):
        camera.camera_from_world[0, 0] = -1
    assert camera == simple()


@given(cameras())
def test_equal_by_value(camera: Camera) -> None:
    twins = [copy.copy(camera), copy.deepcopy(camera), camera.replace()]
    twins.append(pickle.loads(pickle.dumps(camera)))
    for twin in twins:
        assert twin == camera
        assert hash(twin) == hash(camera)
        assert not twin.world_from_camera.flags.writeable
    assert len({camera, *twins}) == 1


@pytest.mark.parametrize(
    "changes",
    [
        *[{each: 1.5} for each in ("fx", "fy", "cx", "cy", "near", "far")],
        *[{each: 201} for each in ("width", "height")],
        {"name": "other"},
        {"projection": Projection.ORTHOGRAPHIC},
        {"world_from_camera": poses.look_at((0, 0, 0), (1, 0, 0))},
    ],
)
def test_every_field_counts(changes: Any) -> None:
    assert simple().replace(**changes) != simple()


def test_equality_of_zeros_and_of_other_things() -> None:
    pose = np.eye(4)
    pose[0, 1] = -0.0
    assert simple(world_from_camera=pose) == simple()
    assert hash(simple(world_from_camera=pose)) == hash(simple())
    assert simple() != "camera"


def test_numbers_become_plain_numbers() -> None:
    size: Any = {"width": np.int64(4), "height": np.uint8(3)}
    planes: Any = {"near": Fraction(1, 2), "far": 2}
    camera = Camera.perspective(fov_y=float(np.float32(1.0)), **size, **planes)
    assert {type(camera.width), type(camera.height)} == {int}
    assert {type(getattr(camera, each)) for each in ("fx", "cx", "near", "far")} == {float}


def test_repr_is_short_and_readable() -> None:
    camera = Camera.look_at(eye=(2, 0, 1), target=(0, 0, 0), fov_y=0.9, width=64, height=48)
    assert repr(camera) == "Camera('camera', 64x48, fov_y=0.9, at (2, 0, 1))"
    flat = Camera.orthographic(extent_y=4, width=64, height=48, name="plan")
    assert repr(flat) == "Camera('plan', 64x48, extent_y=4, at (0, 0, 0))"


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        *[(each, bad, f"{each}: expected a whole number of pixels from 1 to 16384")
          for each in ("width", "height")
          for bad in (0, -1, 1.0, True, "4", None, math.nan, MAX_SIZE + 1, 10**400)],
        *[(each, bad, f"{each}: expected a")
          for each in ("fx", "fy", "near", "far")
          for bad in (0, -1.0, math.nan, math.inf, True, "1", None, 10**400, 1j)],
        *[(each, bad, f"{each}: expected a")
          for each in ("cx", "cy")
          for bad in (math.nan, -math.inf, False, "1", None)],
        *[("name", bad, "name: expected a non-empty string") for bad in ("", None, 3, b"top")],
        ("near", 1000.0, r"near: expected less than far \(1000.0\), got 1000.0"),
        ("far", 0.001, "near: expected less than far"),
        ("projection", "perspective", "projection: expected a Projection, got 'perspective'"),
        ("world_from_camera", np.eye(3), r"world_from_camera: expected shape \(4, 4\)"),
        ("world_from_camera", np.full((4, 4), math.nan), "world_from_camera: expected finite"),
        ("world_from_camera", np.diag([0.0, 0, 0, 1]), "world_from_camera: .* singular"),
        ("world_from_camera", np.diag([1.0, 1, -1, 1]), "world_from_camera: .* left-handed"),
        ("world_from_camera", 2 * np.eye(4), "world_from_camera: .* last row"),
        ("world_from_camera", None, "world_from_camera: expected real numbers"),
    ],
)  # fmt: skip
def test_bad_fields_are_refused(field: str, value: Any, text: str) -> None:
    changes: Any = {field: value}
    with pytest.raises(InvalidValueError, match=text):
        simple().replace(**changes)


@pytest.mark.parametrize(
    ("fov_y", "text"),
    [
        (50, r"got 50.0; if these are degrees, pass fov_y=0.872665 \(math.radians\(50\)\)"),
        (math.pi, "below pi.*if these are degrees"),
        (200.0, "below pi, got 200.0$"),
        (0, "from 1e-06"),
        (5e-324, "from 1e-06"),
        (-1.0, "got -1.0"),
        (math.nan, "fov_y: expected a finite number"),
        (True, "fov_y: expected a number"),
        ("1", "fov_y: expected a number"),
    ],
)
def test_bad_fields_of_view_are_refused(fov_y: Any, text: str) -> None:
    with pytest.raises(InvalidValueError, match=text):
        Camera.perspective(fov_y=fov_y, width=4, height=4)


@pytest.mark.parametrize(
    ("K", "text"),
    [
        ([[100, 0.1, 50], [0, 100, 50], [0, 0, 1]], "without skew"),
        ([[100, 0, 50], [1, 100, 50], [0, 0, 1]], "K: expected"),
        ([[100, 0, 50], [0, 100, 50], [0, 0, 2]], "K: expected"),
        ([[0, 0, 50], [0, 100, 50], [0, 0, 1]], "fx: expected a finite number above 0"),
        (np.eye(4), r"K: expected shape \(3, 3\), got \(4, 4\)"),
        (np.full((3, 3), math.nan), "K: expected finite"),
        (None, "K: expected real numbers"),
    ],
)
def test_bad_calibration_matrices_are_refused(K: Any, text: str) -> None:  # noqa: N803
    with pytest.raises(InvalidValueError, match=text):
        Camera.from_K(K, width=100, height=100)


def test_constructors_check_their_own_arguments() -> None:
    for extent in (0, -1, math.inf, "2"):
        value: Any = extent
        with pytest.raises(InvalidValueError, match="extent_y"):
            Camera.orthographic(extent_y=value, width=4, height=4)
    with pytest.raises(InvalidValueError, match="height"):
        Camera.orthographic(extent_y=1.0, width=4, height=0)
    with pytest.raises(InvalidValueError, match="width"):
        Camera.perspective(fov_y=1.0, width=0, height=4)
    with pytest.raises(InvalidValueError, match="eye and target both"):
        Camera.look_at(eye=(1, 1, 1), target=(1, 1, 1), fov_y=1.0, width=4, height=4)
    assert simple().resized(MAX_SIZE, 1).size == (16384, 1)
    with pytest.raises(InvalidValueError, match="width"):
        simple().resized(0, 4)
    with pytest.raises(InvalidValueError, match="world_from_camera"):
        simple().moved(np.zeros((4, 4)))


@pytest.mark.parametrize("points", [1.0, (1, 2), (1, 2, math.inf), "abc", None, [True] * 3])
def test_bad_points_are_refused(points: Any) -> None:
    with pytest.raises(InvalidValueError, match="points"):
        simple().project(points)
    with pytest.raises(InvalidValueError, match="points"):
        simple().depth_of(points)


@pytest.mark.parametrize(
    ("pixels", "depth", "text"),
    [
        ((1, 2, 3), 1.0, "pixels"),
        ((1, math.inf), 1.0, "pixels"),
        ((1, 2), "far", "depth: expected real numbers"),
        (np.zeros((5, 2)), np.ones(4), r"depth: expected shape \(5,\) .* got \(4,\)"),
    ],
)
def test_bad_pixels_and_depths_are_refused(pixels: Any, depth: Any, text: str) -> None:
    with pytest.raises(InvalidValueError, match=text):
        simple().unproject(pixels, depth)
