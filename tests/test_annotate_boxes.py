# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type, union-attr"
"""Boxes of objects, against what the rasterizer draws and against arithmetic."""

import mujoco
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import heliograph as hg
from component_scenes import FRONT, draw
from heliograph.annotate import (
    edited_poses,
    loose_boxes,
    tight_boxes,
    unhidden,
    world_points,
    world_poses,
)
from heliograph.engines.components import ComponentEngine
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.poses import AngleUnit, compose, from_euler
from heliograph.randomize import ObjectPoses, Randomization
from heliograph.randomize.samplers import uniform

SEGMENTATION = ("segmentation",)
IDS = arrays(np.int32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 3))


def table(*components):
    engine = ComponentEngine(hg.Scene(*components))
    try:
        return engine.scene.objects
    finally:
        engine.close()


@given(IDS)
def test_a_tight_box_holds_just_the_pixels(ids):
    found = tight_boxes(ids)
    assert found.ids.tolist() == sorted(set(ids.ravel().tolist()) - {0})
    for number, box, area in zip(found.ids, found.xyxy, found.areas, strict=True):
        y, x = np.nonzero(ids == number)
        assert box.tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]
        assert area == len(x)
    assert np.array_equal(found.xywh[:, 2:], found.xyxy[:, 2:] - found.xyxy[:, :2])


def test_ids_of_instances_may_be_large():
    ids = np.zeros((4, 5), np.int32)
    ids[1:3, 2:4] = 2**24 - 1
    assert tight_boxes(ids).of(2**24 - 1).tolist() == [2, 1, 4, 3]
    assert np.isnan(tight_boxes(ids).of(7)).all()


@pytest.mark.parametrize("bad", [np.zeros(3, int), np.zeros((2, 2)), "x"])
def test_what_is_no_segmentation_is_refused(bad):
    with pytest.raises(InvalidValueError, match="segmentation: expected"):
        tight_boxes(bad)


@pytest.mark.parametrize("turn", [0, 0.5])
def test_a_loose_box_of_a_cube_is_where_its_edges_are_seen(turn):
    """Within 0.05 pixels: edges are looked for in a picture of 16 times as many pixels."""
    cube = hg.Box(
        key="cube", args=[0.81, 0.6, 0.53], position=[0.2, 0.1, -0.1], rotation=[0, 0, turn]
    )
    camera = FRONT.resized(16 * FRONT.width, 16 * FRONT.height)
    seen = tight_boxes(draw(hg.Scene(cube), camera, SEGMENTATION)["front"].segmentation).xyxy / 16
    assert np.abs(seen - loose_boxes(FRONT, table(cube)).xyxy).max() < 0.05


def test_a_box_through_the_camera_is_cut_at_the_near_plane():
    beam = hg.Box(key="beam", args=[0.2, 10, 0.2], position=[0, 0, -0.5])
    behind = hg.Box(key="behind", args=[1, 1, 1], position=[0, -9, 0])
    scene = table(beam, behind)
    seen = tight_boxes(draw(hg.Scene(beam), FRONT, SEGMENTATION)["front"].segmentation).xyxy[0]
    inside = loose_boxes(FRONT, scene)
    assert np.abs(inside.xyxy[0] - seen).max() <= 0.5
    assert np.isnan(inside.xyxy[1]).all()
    whole = loose_boxes(FRONT, scene, amodal=True).of(int(scene["beam"].id))
    near = FRONT.project([[-0.1, -4 + FRONT.near, -0.6], [0.1, -4 + FRONT.near, -0.4]])
    assert whole[3] == pytest.approx(near[0, 1]), "the near edge of its lower side"
    assert np.isfinite(whole).all()


def test_an_amodal_box_goes_on_outside_the_picture():
    cube = hg.Box(key="cube", args=[1, 1, 1], position=[2.0, 0, 0])
    scene = table(cube)
    whole, inside = loose_boxes(FRONT, scene, amodal=True), loose_boxes(FRONT, scene)
    corners = world_points(scene, "cube", np.array([[-0.5, -0.5, -0.5], [0.5, -0.5, 0.5]]))
    assert whole.xyxy[0, 3] == pytest.approx(FRONT.project(corners)[0, 1])
    assert whole.xyxy[0, 2] > FRONT.width == inside.xyxy[0, 2]


def test_an_object_off_the_picture_has_no_box_in_it():
    scene = table(hg.Box(key="cube", args=[1, 1, 1], position=[9, 0, 0]))
    assert np.isnan(loose_boxes(FRONT, scene).xyxy).all()
    assert np.isfinite(loose_boxes(FRONT, scene, amodal=True).xyxy).all()


def test_the_boxes_of_a_body_are_one():
    body = """<mujoco><worldbody><body name="b"><freejoint/>
    <geom name="left" type="box" size=".1 .1 .1" pos="-.5 0 0"/>
    <geom name="right" type="box" size=".1 .1 .1" pos=".5 0 .3"/></body></worldbody></mujoco>"""
    with hg.open(body, segment_by="body") as renderer:
        sample = renderer.render(hg.View([FRONT], SEGMENTATION))
        objects = renderer.scene.objects
    seen = tight_boxes(sample["front"].segmentation)
    loose = loose_boxes(FRONT, objects)
    assert seen.ids.tolist() == loose.ids.tolist()
    assert np.abs(seen.xyxy - loose.xyxy).max() <= 0.5


def test_what_moves_takes_along_what_is_fixed_to_it():
    scene = table(
        hg.Group(hg.Box(key="cube", position=[1, 0, 0]), key="group"), hg.Box(key="other")
    )
    pose = compose([0, 0, 5], from_euler([0, 0, 90], unit=AngleUnit.DEGREES))
    worlds = world_poses(scene, {"group": pose})
    assert np.allclose(worlds[scene.row("cube"), :3, 3], [0, 1, 5])
    assert np.array_equal(worlds[scene.row("other")], scene.poses[scene.row("other")])
    assert world_poses(scene) is scene.poses
    assert np.array_equal(world_poses(scene, worlds), worlds)


def test_a_moved_object_is_boxed_where_it_is_seen():
    cube = hg.Box(key="cube", args=[0.5, 0.5, 0.5])
    state = {"cube": [0.4, 0, 0.3]}
    sample = draw(hg.Scene(cube), FRONT, SEGMENTATION, state=state)
    pose = np.eye(4)
    pose[:3, 3] = state["cube"]
    seen = tight_boxes(sample["front"].segmentation).xyxy
    assert np.abs(loose_boxes(FRONT, table(cube), {"cube": pose}).xyxy - seen).max() <= 0.5


def test_poses_that_do_not_fit_are_refused():
    scene = table(hg.Box(key="cube"))
    with pytest.raises(UnknownNameError, match="cube"):
        world_poses(scene, {"cub": np.eye(4)})
    with pytest.raises(InvalidValueError, match="expected maps by name, or"):
        world_poses(scene, np.zeros((3, 4, 4)))


TURN = compose([0.3, 0, 0.1], from_euler([0.2, 0.3, 0.4], unit=AngleUnit.RADIANS))
MOVES = (
    hg.MoveObject("cube", TURN, (1, 2, 1)),
    hg.Hide("ball"),
    hg.MoveObject("cube", TURN),
    hg.MoveObject("child", compose([0.9, 0, -0.5], TURN[:3, :3]), relative=False),
)
MOVED_COMPONENTS = hg.Scene(
    hg.Box(
        hg.Box(key="child", args=[0.2, 0.2, 0.2], position=[-1, 0, 0.5]),
        key="cube",
        args=[0.3, 0.3, 0.3],
        position=[-0.5, 0, 0],
        rotation=[0, 0, 0.3],
    ),
    hg.Sphere(key="ball"),
)
MOVED_GEOMS = """<mujoco><worldbody>
<geom name="ball" type="sphere" size="1"/>
<body pos="-.5 0 0" euler="0 0 17"><geom name="cube" type="box" size=".15 .15 .15"/>
<geom name="child" type="box" size=".1 .1 .1" pos="-1 0 .5"/></body></worldbody></mujoco>"""


@pytest.mark.parametrize("source", [MOVED_COMPONENTS, MOVED_GEOMS])
@pytest.mark.parametrize("count", [1, 3, 4])
def test_what_edits_move_is_boxed_where_it_is_seen(source, count):
    camera = FRONT.resized(16 * FRONT.width, 16 * FRONT.height)
    edits = (hg.Hide("ball"), *MOVES[:count])
    with hg.open(source) as renderer:
        sample = renderer.render(hg.View([camera], SEGMENTATION, edits=edits))
        objects = renderer.scene.objects
    seen = tight_boxes(sample["front"].segmentation)
    loose = loose_boxes(FRONT, objects, edited_poses(objects, edits))
    for name in ("cube", "child"):
        number = int(objects[name].id)
        assert np.abs(seen.of(number) / 16 - loose.of(number)).max() < 0.05
    with pytest.raises(UnknownNameError, match="cube"):
        edited_poses(objects, [hg.MoveObject("cub", np.eye(4))])


def test_what_randomizers_move_is_boxed_where_it_is_seen():
    boxes = [hg.Box(key=f"box{i}", args=[0.3, 0.2, 0.4], position=[i - 1, 0, 0]) for i in range(3)]
    randomization = Randomization([ObjectPoses(position=uniform(-0.1, 0.1))])
    camera = FRONT.resized(16 * FRONT.width, 16 * FRONT.height)
    with hg.open(hg.Scene(*boxes), randomize=randomization, seed=3) as renderer:
        objects = renderer.scene.objects
        for sample in hg.samples(renderer, count=3, cameras=[camera], passes=SEGMENTATION):
            edits = randomization.replay(sample.randomization).edits
            seen = tight_boxes(sample["front"].segmentation)
            loose = loose_boxes(FRONT, objects, edited_poses(objects, edits))
            assert np.abs(seen.xyxy / 16 - loose.xyxy).max() < 0.05
            view = hg.View([camera], SEGMENTATION, seed=sample.seed, index=sample.index)
            alone = unhidden(renderer, view, objects, seen.ids)["front"]
            assert np.array_equal(alone.xyxy, seen.xyxy)


def test_a_state_of_mujoco_is_followed_by_the_poses_of_its_bodies():
    text = """<mujoco><worldbody><body name="b"><freejoint/>
    <geom name="left" type="box" size=".1 .1 .1" pos="-.5 0 0"/>
    <geom name="right" type="box" size=".1 .1 .1" pos=".5 0 .3"/></body></worldbody></mujoco>"""
    model = mujoco.MjModel.from_xml_string(text)
    data = mujoco.MjData(model)
    data.qpos[:] = (0.3, 0.2, 0.1, 0.8, 0, 0.6, 0)
    mujoco.mj_kinematics(model, data)
    pose = compose(data.body("b").xpos, data.body("b").xmat.reshape(3, 3))
    camera = FRONT.resized(16 * FRONT.width, 16 * FRONT.height)
    with hg.open(text) as renderer:
        view = hg.View([camera], SEGMENTATION, state={"qpos": data.qpos})
        seen = tight_boxes(renderer.render(view)["front"].segmentation)
        loose = loose_boxes(FRONT, renderer.scene.objects, {"b": pose})
    assert len(seen.ids) == 2
    assert np.abs(seen.xyxy / 16 - loose.xyxy).max() < 0.05
