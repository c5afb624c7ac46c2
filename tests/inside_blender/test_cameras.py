"""Blender's cameras as values, and values as what Blender renders from."""

import itertools
import math

import bpy
import mathutils
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heliograph import poses
from heliograph.camera import Camera, Projection
from heliograph.engines.blender.cameras import NAME, camera_of, camera_set
from heliograph.errors import InvalidValueError, SceneError

CORNERS = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))


@pytest.fixture(autouse=True)
def _empty() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)


def new_camera() -> bpy.types.Object:
    eye = bpy.data.objects.new("Eye", bpy.data.cameras.new("Eye"))
    bpy.context.scene.collection.objects.link(eye)
    eye.matrix_world = mathutils.Matrix(poses.look_at((4.0, -5.0, 3.0), (0.0, 0.2, 0.1)).tolist())
    bpy.context.view_layer.update()
    return eye


def projected_by_blender(eye: bpy.types.Object, points: np.ndarray) -> np.ndarray:
    """Pixels where Blender's own matrices put points."""
    render = bpy.context.scene.render
    width = render.resolution_x * render.resolution_percentage // 100
    height = render.resolution_y * render.resolution_percentage // 100
    clip = np.array(
        eye.calc_matrix_camera(
            bpy.context.evaluated_depsgraph_get(),
            x=width,
            y=height,
            scale_x=render.pixel_aspect_x,
            scale_y=render.pixel_aspect_y,
        )
    ) @ np.linalg.inv(np.array(eye.matrix_world))
    at = np.c_[points, np.ones(len(points))] @ clip.T
    x, y = (at[:, :2] / at[:, 3:]).T
    return np.stack(((x + 1) / 2 * width, (1 - y) / 2 * height), axis=-1)


@settings(deadline=None, max_examples=60)
@given(
    kind=st.sampled_from(("PERSP", "ORTHO")),
    fit=st.sampled_from(("AUTO", "HORIZONTAL", "VERTICAL")),
    size=st.tuples(st.integers(4, 2000), st.integers(4, 2000)),
    percentage=st.sampled_from((25, 50, 100, 150)),
    aspect=st.tuples(st.floats(1.0, 3.0), st.floats(1.0, 3.0)),
    lens=st.floats(10.0, 150.0),
    shift=st.tuples(st.floats(-1.0, 1.0), st.floats(-1.0, 1.0)),
)
def test_a_cube_falls_where_blender_puts_it(
    kind: str,
    fit: str,
    size: tuple[int, int],
    percentage: int,
    aspect: tuple[float, float],
    lens: float,
    shift: tuple[float, float],
) -> None:
    eye, scene = bpy.data.objects.get("Eye") or new_camera(), bpy.context.scene
    data, render = eye.data, scene.render
    data.type, data.sensor_fit, data.lens, data.ortho_scale = kind, fit, lens, lens / 10
    data.sensor_width, data.sensor_height = 30.0, 20.0
    data.shift_x, data.shift_y = shift
    render.resolution_x, render.resolution_y = size
    render.resolution_percentage = percentage
    render.pixel_aspect_x, render.pixel_aspect_y = aspect
    camera = camera_of(scene, eye)
    assert camera.size == tuple(max(1, side * percentage // 100) for side in size)
    theirs = projected_by_blender(eye, CORNERS)
    span = np.abs(theirs).max() + max(camera.size)
    assert np.abs(camera.project(CORNERS) - theirs).max() <= 1e-5 * span


@settings(deadline=None, max_examples=60)
@given(
    projection=st.sampled_from(Projection),
    size=st.tuples(st.integers(1, 2000), st.integers(1, 2000)),
    field=st.floats(0.01, 30.0),
    stretch=st.floats(0.1, 10.0),
    centre=st.tuples(st.floats(-1.0, 2.0), st.floats(-1.0, 2.0)),
    eye=st.tuples(st.floats(-9, 9), st.floats(-9, 9), st.floats(1, 9)),
    near=st.floats(1e-5, 1.0),
)
def test_a_value_comes_back_as_it_was(
    projection: Projection,
    size: tuple[int, int],
    field: float,
    stretch: float,
    centre: tuple[float, float],
    eye: tuple[float, float, float],
    near: float,
) -> None:
    width, height = size
    camera = Camera(
        name=NAME,
        world_from_camera=poses.look_at(eye, (0.0, 0.0, 0.0), (0.1, 0.9, 0.3)),
        width=width,
        height=height,
        fx=width / field,
        fy=width / field * stretch,
        cx=width * centre[0],
        cy=height * centre[1],
        near=near,
        far=near * 1e5,
        projection=projection,
    )
    scene = bpy.context.scene
    with camera_set(scene, camera):
        back = camera_of(scene, scene.camera)
    assert back.size == (max(width, 4), max(height, 4))  # Blender draws no smaller ones
    assert back.projection is projection
    for name in ("fx", "fy", "near", "far"):
        assert getattr(back, name) == pytest.approx(getattr(camera, name), rel=1e-6)
    assert back.cx == pytest.approx(camera.cx, abs=1e-6 * (width + 4))
    assert back.cy == pytest.approx(camera.cy, abs=1e-6 * (4 + height + width * stretch))
    assert np.abs(back.world_from_camera - camera.world_from_camera).max() < 2e-6


def test_all_of_the_scene_is_as_it_was_afterwards() -> None:
    eye, scene = new_camera(), bpy.context.scene
    other = bpy.data.objects.new("Other", bpy.data.cameras.new("Other"))
    scene.timeline_markers.new("cut", frame=1).camera = other
    scene.camera = eye
    render = scene.render
    render.use_border = render.use_crop_to_border = render.use_multiview = True
    render.use_motion_blur, render.resolution_percentage = True, 50
    names = [each.identifier for each in render.bl_rna.properties if each.type != "POINTER"]
    before = {name: getattr(render, name) for name in names}
    objects = list(scene.objects), list(bpy.context.view_layer.objects)
    value = Camera.perspective(fov_y=1.0, width=64, height=48)
    with camera_set(scene, value):
        scene.frame_set(1)
        assert scene.camera.name == NAME
        assert (list(scene.objects), list(bpy.context.view_layer.objects)) == objects
        assert not render.use_border
        assert not scene.camera.data.dof.use_dof
    assert {name: getattr(render, name) for name in names} == before
    assert scene.camera == eye
    assert scene.timeline_markers["cut"].camera == other


def test_one_object_serves_all_and_a_new_file_loses_nothing() -> None:
    value = Camera.perspective(fov_y=1.0, width=64, height=48)
    for _ in range(2):
        for _ in range(3):
            with camera_set(bpy.context.scene, value):
                pass
        assert [each.name for each in bpy.data.cameras] == [NAME]
        bpy.ops.wm.read_factory_settings(use_empty=True)


def test_a_size_and_a_pose_may_be_given_and_scale_is_left_out() -> None:
    eye = new_camera()
    pose = poses.look_at((1.0, 2.0, 3.0), (0.0, 0.0, 0.0))
    camera = camera_of(bpy.context.scene, eye, (64, 48), pose @ np.diag([2.0, 3.0, 0.5, 1.0]))
    assert camera.size == (64, 48)
    assert np.abs(camera.world_from_camera - pose).max() < 1e-12
    assert camera.fov_x == pytest.approx(2 * math.atan(18 / 50))


def test_what_has_no_pinhole_model_is_refused() -> None:
    eye, scene = new_camera(), bpy.context.scene
    with pytest.raises(SceneError, match=r"'Eye'.*neither flat nor mirrored"):
        camera_of(scene, eye, matrix=np.diag([-1.0, 1.0, 1.0, 1.0]))
    with pytest.raises(SceneError, match=r"'Eye'.*neither flat nor mirrored"):
        camera_of(scene, eye, matrix=np.diag([1.0, 1.0, 0.0, 1.0]))
    eye.data.type = "PANO"
    with pytest.raises(SceneError, match=r"'Eye'.*got PANO"):
        camera_of(scene, eye)
    with pytest.raises(SceneError, match="got EMPTY"):
        camera_of(scene, bpy.data.objects.new("Nothing", None))
    wide = Camera.perspective(fov_y=1.0, width=64, height=48).replace(fx=0.1)
    with pytest.raises(InvalidValueError, match="within 200 times"), camera_set(scene, wide):
        pass
