# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type, union-attr"
"""3D boxes, keypoints, and how much of objects is seen, against pictures and arithmetic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import heliograph as hg
from component_scenes import FRONT
from heliograph.annotate import (
    estimated_occlusion,
    keypoints,
    loose_boxes,
    occlusion,
    oriented_boxes,
    padded,
    tight_boxes,
    truncation,
    unhidden,
    view_alone,
)
from heliograph.annotate.silhouettes import seen_faces
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.frame import Frame
from heliograph.poses import AngleUnit, from_euler

PASSES = ("depth", "segmentation")
WALL = hg.Box(key="wall", args=[1, 0.1, 1])
SQUARE = hg.Box(key="square", args=[0.4, 0.02, 0.4], position=[0.5, 0.5, 0])
ORTHO = hg.Camera.orthographic(
    extent_y=1.2,
    width=160,
    height=120,
    name="ortho",
    world_from_camera=FRONT.world_from_camera,
    far=100,
)


def rendered(*components, camera=FRONT, passes=PASSES, **view):
    with hg.open(hg.Scene(*components)) as renderer:
        sample = renderer.render(hg.View([camera], passes, **view))
        return sample[camera.name], renderer.scene.objects


def wall_frame(depth=4.0):
    return Frame(FRONT, {"depth": np.full((120, 160), depth, np.float32)})


def test_a_turned_stretched_box_is_told_as_it_is():
    angles = (0.3, -0.4, 0.5)
    box = hg.Box(
        key="box", args=[0.4, 0.6, 0.8], rotation=angles, scale=[1, 2, 3], position=[1, 2, 3]
    )
    with hg.open(hg.Scene(box)) as renderer:
        objects = renderer.scene.objects
    found = oriented_boxes(objects)
    assert np.allclose(found.centres, [[1, 2, 3]])
    assert np.allclose(found.half_sizes, [[0.2, 0.6, 1.2]])
    assert np.allclose(found.rotations, from_euler(angles, unit=AngleUnit.RADIANS))
    assert found.place(int(objects["box"].id)) == 0
    with pytest.raises(UnknownNameError, match="77"):
        found.place(77)


def test_the_box_of_a_mirrored_sheared_object_holds_it():
    tilted = hg.Box(key="box", rotation=[0.2, 0.5, 0.9], scale=[-1, 1, 1])
    with hg.open(hg.Scene(hg.Group(tilted, key="group", scale=[1, 2, 0.5]))) as renderer:
        objects = renderer.scene.objects
    found = oriented_boxes(objects)
    pose = objects.poses[objects.row("box")]
    corners = objects.corners(objects.row("box")) @ pose[:3, :3].T
    inside = (corners - found.centres) @ found.rotations[0]
    assert np.linalg.det(found.rotations[0]) == pytest.approx(1)
    assert np.allclose(np.abs(inside).max(0), found.half_sizes[0]), "it touches every face"


def test_boxes_in_camera_axes_are_as_far_as_depth_says():
    box = hg.Box(key="box", args=[0.4, 0.4, 0.4], position=[0.3, 0, 0])
    frame, objects = rendered(box)
    seen = oriented_boxes(objects).seen_by(frame.camera)
    assert np.allclose(seen.centres, [[0.3, 0, -4]])
    assert -seen.corners[..., 2].max() == pytest.approx(frame.depth.min())
    assert np.allclose(seen.corners.mean(1), seen.centres)


def test_corners_fall_where_ids_end():
    box = hg.Box(key="box", args=[0.7, 0.5, 0.4], rotation=[0.3, 0.2, 0.4])
    camera = FRONT.resized(16 * FRONT.width, 16 * FRONT.height)
    frame, objects = rendered(box, camera=camera, passes=("segmentation",))
    corners = FRONT.project(oriented_boxes(objects).corners[0])
    projected = np.concatenate([corners.min(0), corners.max(0)])
    assert np.abs(tight_boxes(frame.segmentation).xyxy[0] / 16 - projected).max() < 0.05


def test_points_before_a_wall_are_seen_and_points_behind_are_not():
    points = np.array([[0.1, y, 0.1] for y in (-0.1, -0.04, 0.0, 0.04)])
    found = keypoints(wall_frame(), points, tolerance=0)
    assert found.visible.tolist() == [True, True, True, False]
    assert np.allclose(found.depth, points[:, 1] + 4)
    assert np.allclose(found.pixels, FRONT.project(points))
    assert keypoints(wall_frame(), points).visible.tolist() == [True, True, True, True]
    assert keypoints(wall_frame(), [0, 0.05, 0]).visible.tolist() is False


def test_points_outside_behind_and_missing_are_not_seen():
    points = [[9, 0, 0], [0, -9, 0], [0, -4 + FRONT.near / 2, 0], [0, 200, 0], [np.nan] * 3]
    found = keypoints(wall_frame(np.inf), points)
    assert not found.visible.any()
    assert np.isnan(found.pixels[[1, 4]]).all()
    assert found.depth[1] < 0
    assert keypoints(wall_frame(np.inf), [0, 90, 0]).visible


@given(st.floats(0, 160), st.floats(0, 120), st.floats(0.1, 90), st.floats(0.1, 90))
def test_a_point_is_seen_if_nothing_is_before_it(x, y, depth, wall):
    point = FRONT.unproject([x, y], depth)
    found = keypoints(wall_frame(wall), point, tolerance=1e-6)
    edge = min(x, y, 160 - x, 120 - y) < 1e-9
    near = abs(wall - depth) < 1e-4 * depth
    assert edge or near or found.visible == (depth <= wall)


def test_the_corners_of_a_box_are_seen_but_the_one_at_the_back():
    box = hg.Box(key="box", args=[0.8, 0.8, 0.8], rotation=[0.6, 0, 0.7])
    frame, objects = rendered(box)
    corners = oriented_boxes(objects).corners[0]
    found = keypoints(frame, corners)
    assert found.visible.sum() == 7
    assert found.depth[~found.visible] == found.depth.max()


@pytest.mark.parametrize("bad", [-0.1, np.nan])
def test_a_tolerance_below_zero_is_refused(bad):
    with pytest.raises(InvalidValueError, match="tolerance: expected"):
        keypoints(wall_frame(), [0, 0, 0], tolerance=bad)


@pytest.mark.parametrize("camera", [FRONT, ORTHO])
def test_half_of_a_square_behind_a_wall_is_hidden(camera):
    square = hg.Box(key="square", args=[0.4, 0.02, 0.4], position=[0.5, 0, 0])
    edge = 0.5 if camera is ORTHO else 0.5 * 3.5 / 3.99
    wall = hg.Box(key="wall", args=[1, 0.02, 1], position=[edge - 0.5, -0.49, 0])
    scene = hg.Scene(wall, square)
    with hg.open(scene) as renderer:
        view = hg.View([camera], ("segmentation",))
        ids, objects = renderer.render(view)[camera.name].segmentation, renderer.scene.objects
        number = int(objects["square"].id)
        alone = unhidden(renderer, view, objects, [number])[camera.name]
    row = 1 / alone.xywh[0, 2]
    assert occlusion(ids, alone) == pytest.approx(0.5, abs=row)
    boxes = oriented_boxes(objects)
    estimated = estimated_occlusion(camera, ids, boxes)
    assert estimated[boxes.place(number)] == pytest.approx(0.5, abs=2 * row)
    assert estimated[1 - boxes.place(number)] == pytest.approx(0, abs=row)


def test_what_is_alone_tells_the_amodal_box():
    front = hg.Box(key="front", args=[0.5, 0.1, 0.5], position=[0, -1, 0])
    behind = hg.Sphere(key="behind", args=[0.4])
    scene = hg.Scene(front, hg.Group(behind, key="group"))
    with hg.open(scene) as renderer:
        view = hg.View([FRONT], ("segmentation",), state={"behind": [0.1, 0, 0]})
        objects = renderer.scene.objects
        ids = [int(objects[name].id) for name in ("behind", "front")]
        found = unhidden(renderer, view, objects, ids)["front"]
    frame, _ = rendered(behind, state={"behind": [0.1, 0, 0]})
    expected = tight_boxes(frame.segmentation)
    assert np.array_equal(found.of(ids[0]), expected.xyxy[0])
    assert found.areas[found.ids.tolist().index(ids[0])] == expected.areas[0]


def test_all_of_a_body_stays_where_it_is_alone():
    text = """<mujoco><worldbody>
    <geom name="screen" type="box" size=".2 .1 .5" pos="-.4 -1 0"/>
    <body name="b"><geom name="left" type="box" size=".1 .1 .1" pos="-.5 0 0"/>
    <geom name="right" type="box" size=".1 .1 .1" pos=".5 0 .3"/></body></worldbody></mujoco>"""
    with hg.open(text, segment_by="body") as renderer:
        view, objects = hg.View([FRONT], ("segmentation",)), renderer.scene.objects
        number = int(objects["b"].id)
        found = unhidden(renderer, view, objects, [number])["front"]
        hidden = occlusion(renderer.render(view)["front"].segmentation, found)
    left, right = FRONT.project([[-0.6, 0, 0], [0.6, 0, 0]])[:, 0]
    assert np.allclose(found.of(number)[[0, 2]], [left, right], atol=1)
    assert hidden[0] == pytest.approx(0.5, abs=0.05)


def test_a_box_half_out_of_the_picture_is_half_truncated():
    edge = FRONT.unproject([160, 60], 4.0)
    half = hg.Box(key="half", args=[0.4, 1e-4, 0.4], position=edge)
    out = hg.Box(key="out", args=[0.4, 0.1, 0.4], position=[9, 0, 0])
    behind = hg.Box(key="behind", args=[0.4, 0.1, 0.4], position=[0, -9, 0])
    with hg.open(hg.Scene(half, out, behind)) as renderer:
        boxes = oriented_boxes(renderer.scene.objects)
        wide = padded(FRONT, 40)
        view = hg.View([FRONT, wide.replace(name="wide")], ("segmentation",))
        alone = unhidden(renderer, view, renderer.scene.objects, boxes.ids[:1].tolist())
    found = truncation(FRONT, boxes)
    assert found[0] == pytest.approx(0.5, abs=1e-3)
    assert found[1] == 1
    assert np.isnan(found[2])
    assert alone["front"].areas / alone["wide"].areas == pytest.approx(0.5, abs=0.05)
    assert alone["wide"].xyxy[0, 0] - 40 == alone["front"].xyxy[0, 0]


def test_an_id_that_nothing_has_is_refused():
    _, objects = rendered(WALL)
    with pytest.raises(InvalidValueError, match="id: expected one that the scene shows, got 99"):
        view_alone(hg.View([FRONT]), objects, 99)
    assert view_alone(hg.View([FRONT]), objects, 1).edits == ()


@pytest.mark.parametrize("camera", [FRONT, ORTHO], ids=["perspective", "orthographic"])
def test_silhouettes_of_boxes_anywhere_are_what_is_drawn(camera):
    """Also of boxes round the camera, behind it and half out of the picture."""
    rng = np.random.default_rng(5)
    camera = camera.replace(near=0.3)
    fine = camera.resized(8 * camera.width, 8 * camera.height)
    with hg.open(hg.Scene(hg.Box(key="box", material={"side": "double"}))) as renderer:
        objects, number = renderer.scene.objects, int(renderer.scene.objects["box"].id)
        for _ in range(60):
            pose = np.eye(4)
            pose[:3, :3] = from_euler(rng.uniform(0, 6, 3), unit=AngleUnit.RADIANS)
            pose[:3, :3] *= rng.uniform(0.1, 1.5, 3)
            pose[:3, 3] = rng.uniform((-1.2, -4.5, -1.2), (1.2, 2, 1.2))
            view = hg.View([fine], ("segmentation",), state={"box": pose})
            seen = tight_boxes(renderer.render(view)[camera.name].segmentation)
            worlds = {"box": pose}
            corners = oriented_boxes(objects, worlds).corners
            (area,) = seen_faces(camera, corners, inside=True).areas()
            if not len(seen.ids):
                assert not area > 0.1
                continue
            box = loose_boxes(camera, objects, worlds).xyxy[0]
            beyond = (seen.of(number) / 8 - box) * (-1, -1, 1, 1)
            assert beyond.max() <= 0.5 / 8
            assert beyond.min() >= -1, "but for a thin tip, which covers no pixel's centre"
            assert abs(area - seen.areas[0] / 64) <= (box[2:] - box[:2]).sum() / 16
