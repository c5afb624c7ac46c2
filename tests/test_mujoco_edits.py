# mypy: allow-untyped-defs, allow-untyped-calls
"""Edits of a view on the MuJoCo engine: each does what it says, and nothing of it stays."""

from __future__ import annotations

import numpy as np
import pytest

import heliograph as hg
from heliograph.camera import Camera
from heliograph.engines.mujoco import MujocoEngine
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.passes import PASSES
from heliograph.randomize import Facts
from heliograph.raster import RasterOptions
from heliograph.scene import (
    EditBackground,
    EditImage,
    EditLight,
    EditMaterial,
    EditMaterials,
    Hide,
    MoveCamera,
    MoveObject,
)
from heliograph.view import View

pytestmark = pytest.mark.usefixtures("backend")

MJCF = """<mujoco><visual>
<headlight ambient=".2 .2 .2" diffuse=".6 .6 .6" specular="0 0 0"/></visual>
<asset><material name="paint" rgba=".5 .5 .5 1" specular="0"/></asset>
<worldbody><light name="lamp" pos="0 0 5" active="true"/>
<geom name="wall" type="box" size="2 .1 2" pos="0 2 0" material="paint"/>
<body name="b"><joint axis="0 0 1"/>
<geom name="cube" type="box" size=".3 .3 .3" material="paint"/></body>
<camera name="eye" pos="0 -3 0" xyaxes="1 0 0 0 0 1" fovy="50"/></worldbody></mujoco>"""


HIDE = Hide(("cube",))


@pytest.fixture(scope="module")
def engine(backend):
    made = MujocoEngine(MJCF, size=(60, 60), options=RasterOptions(shadows=False))
    yield made
    made.close()


def shot(engine, *edits, **state):
    return engine.render(View(("eye",), PASSES, state, edits))["eye"]


def at_middle(frame, name):
    return frame[name][30, 30]


def test_a_colour_changes_rgb_alone_and_only_in_its_view(engine):
    before = shot(engine)
    red = shot(engine, EditMaterial(("cube",), rgba=(1.0, 0.0, 0.0, None)))
    assert at_middle(red, "rgb")[0] > 100
    assert at_middle(red, "rgb")[1:].tolist() == [0, 0]
    assert np.array_equal(red.rgb[2, 2], before.rgb[2, 2])
    for name in ("depth", "normals", "segmentation"):
        assert np.array_equal(red[name], before[name])
    after = shot(engine)
    assert all(np.array_equal(after[name], before[name]) for name in PASSES)


def test_emission_lights_up_and_a_texture_is_laid(engine):
    plain = at_middle(shot(engine), "rgb").astype(int).sum()
    bright = shot(engine, EditMaterial(("cube",), emission=1.0))
    assert at_middle(bright, "rgb").astype(int).sum() > plain + 60
    green = np.zeros((8, 8, 3), np.uint8)
    green[..., 1] = 255
    laid = shot(engine, EditMaterial(("cube",), texture=green))
    assert at_middle(laid, "rgb")[[0, 2]].tolist() == [0, 0]
    assert at_middle(laid, "rgb")[1] > 50


def test_a_texture_is_repeated_and_shifted(engine):
    halves = np.zeros((16, 16, 3), np.uint8)
    halves[:, 8:] = 255  # white on the right

    def whites(**how):
        frame = shot(engine, EditMaterial(("wall",), texture=halves, emission=1.0, **how), HIDE)
        return frame.rgb[30, frame.segmentation[30] > 0, 0] > 128

    plain, shifted = whites(), whites(offset=(0.5, 0.0))
    assert (plain == ~shifted).mean() > 0.9  # all but columns where the colours blend
    assert np.count_nonzero(np.diff(whites(repeat=(4.0, 1.0)))) > np.count_nonzero(np.diff(plain))


def test_moves_of_one_object_follow_each_other(engine):
    there, turn = np.eye(4), np.eye(4)
    there[:3, 3] = 0.3, -0.5, 0.2
    turn[:3, :3] = [[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]]
    turn[0, 3] = 0.2
    absolute = MoveObject("cube", there, relative=False)
    alone = shot(engine, absolute, qpos=[0.7])
    for before in (turn, there):
        for relative in (True, False):
            first = MoveObject("cube", before, 1.5, relative=relative)
            after = shot(engine, first, absolute, qpos=[0.7])
            assert all(np.array_equal(after[name], alone[name]) for name in PASSES)
    both = shot(engine, absolute, MoveObject("cube", turn), qpos=[0.7])
    composed = shot(engine, MoveObject("cube", there @ turn, relative=False), qpos=[0.7])
    assert all(np.array_equal(both[name], composed[name]) for name in PASSES)
    assert not np.array_equal(both.depth, alone.depth)


def test_many_textures_do_not_pile_up(engine):
    rng = np.random.default_rng(0)
    for _ in range(300):
        shot(engine, EditMaterial(("cube",), texture=rng.integers(0, 255, (4, 4, 3), np.uint8)))
    assert len(engine._backend._rasterizer._textures._textures) <= 300


def test_what_is_hidden_is_in_no_pass(engine):
    frame = shot(engine, Hide(("cube",)))
    assert at_middle(frame, "segmentation") == at_middle(shot(engine), "segmentation") - 1
    assert at_middle(frame, "depth") == pytest.approx(4.9, rel=1e-5)
    assert np.isinf(shot(engine, Hide(("cube", "wall"))).depth).all()


def test_objects_move_with_depth_and_keep_their_state(engine):
    pose = np.eye(4)
    pose[1, 3] = -0.5
    near = shot(engine, MoveObject("cube", pose))
    assert at_middle(near, "depth") == pytest.approx(2.2, rel=1e-5)
    turned = shot(engine, MoveObject("cube", pose, relative=False), qpos=[0.7])
    assert at_middle(turned, "depth") == pytest.approx(2.2, rel=1e-5)
    wide = shot(engine, MoveObject("cube", np.eye(4), scale=(2.0, 1.0, 1.0)))
    count = (shot(engine).segmentation == 2).sum()
    assert (wide.segmentation == 2).sum() == pytest.approx(2 * count, rel=0.12)


def test_lights_change_go_out_and_are_added(engine):
    full = shot(engine).rgb.astype(int).sum()
    dark = shot(engine, EditLight("head", active=False), EditLight("lamp", active=False))
    assert dark.rgb.sum() == 0
    lamp = EditLight("extra", kind="point", position=(0, -3, 0), diffuse=(0.0, 0.0, 1.0))
    off = (EditLight("head", active=False), EditLight("lamp", active=False))
    blue = shot(engine, *off, lamp)
    assert at_middle(blue, "rgb")[2] > 50
    assert at_middle(blue, "rgb")[0] < 40  # its own specular light is white
    assert shot(engine, EditLight("lamp", diffuse=(0.0,) * 3)).rgb.astype(int).sum() <= full


def test_lights_that_are_off_can_be_switched_on():
    text = MJCF.replace('active="true"', 'active="false"')
    dim = MujocoEngine(text, size=(60, 60), options=RasterOptions(shadows=False))
    before, lit = shot(dim), shot(dim, EditLight("lamp", active=True))
    both = shot(dim, EditLight("lamp", active=True), EditLight("lamp", active=False))
    changed = shot(dim, EditLight("lamp", diffuse=(1.0, 1.0, 1.0)))
    dim.close()
    assert lit.rgb.astype(int).sum() > before.rgb.astype(int).sum()
    assert np.array_equal(both.rgb, before.rgb)
    assert np.array_equal(changed.rgb, before.rgb)  # changed, but still off


def test_cameras_move_and_the_frame_tells_how(engine):
    step = np.eye(4)
    step[2, 3] = -1.0  # one metre ahead
    frame = shot(engine, MoveCamera("eye", engine.cameras["eye"].moved(step), relative=True))
    assert at_middle(frame, "depth") == pytest.approx(1.7, rel=1e-5)
    assert frame.camera.name == "eye"
    assert frame.camera.world_from_camera[:3, 3].tolist() == pytest.approx([0, -2, 0])
    other = Camera.look_at(
        eye=(0, -5, 0), target=(0, 0, 0), fov_y=0.3, width=120, height=120, name="x"
    )
    frame = shot(engine, MoveCamera("eye", other))
    assert frame.rgb.shape == (60, 60, 3)
    assert frame.camera.fov_y == pytest.approx(0.3)
    assert at_middle(frame, "depth") == pytest.approx(4.7, rel=1e-5)


def test_a_background_takes_the_place_of_a_sky(engine):
    frame = shot(engine, Hide(("cube", "wall")), EditBackground((1.0, 0.5, 0.0)))
    assert frame.rgb[5, 5].tolist() == [255, 128, 0]


@pytest.mark.parametrize(
    ("edit", "error", "text"),
    [
        (Hide(("cubes",)), UnknownNameError, "did you mean 'cube'"),
        (EditMaterial(("x",)), UnknownNameError, "unknown object 'x'"),
        (EditLight("lmp"), UnknownNameError, "did you mean 'lamp'"),
        (MoveCamera("ey", Camera.perspective(fov_y=1, width=9, height=9)), UnknownNameError, "eye"),
        (EditImage((("blur", {}),)), InvalidValueError, "EditImage cannot be applied here"),
    ],
)
def test_what_cannot_be_applied_is_refused(engine, edit, error, text):
    with pytest.raises(error, match=text):
        shot(engine, edit)
    assert shot(engine).segmentation.max() == 2


def test_the_object_table_tells_where_things_are_and_what_they_hold(engine):
    known = Facts.of(engine)
    assert known.bodies == {"world": ("wall", "cube"), "b": ("cube",)}
    assert known.colours["cube"] == (0.5, 0.5, 0.5, 1.0)
    assert known.poses["wall"][:3, 3].tolist() == [0, 2, 0]
    assert np.abs(known.boxes["cube"]).max() == pytest.approx(0.3)
    assert known.boxes["world"][:, 1].max() == pytest.approx(2.1)
    (joint,) = known.joints
    assert (joint.kind, joint.at, joint.low) == ("hinge", 0, None)


def test_materials_name_their_objects(engine):
    (paint,) = engine.scene.materials
    assert engine.scene.objects.wearers == {paint.name: ("wall", "cube")}


def test_a_material_names_everything_that_wears_it():
    text = """<mujoco><asset><material name="worn"/><material name="bare"/></asset><worldbody>
    <site name="mark" material="worn"/><site name="plain"/>
    <body><joint/><geom name="ball" size=".1" material="worn"/><site name="end" pos="0 0 1"/></body>
    <flexcomp name="rope" type="grid" dim="1" count="3 1 1" spacing=".1 .1 .1" material="worn"/>
    </worldbody><tendon><spatial name="wire" material="worn"><site site="mark"/><site site="end"/>
    </spatial></tendon></mujoco>"""
    engine = MujocoEngine(text, size=(16, 12))
    names = [material.name for material in engine.scene.materials]
    worn = engine.scene.objects.wearers
    engine.close()
    assert names == ["worn", "bare"]
    assert worn == {"worn": ("ball", "mark", "wire", "rope")}


def test_many_are_painted_as_one_by_one(engine):
    nan, checks = np.nan, np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8)
    many = EditMaterials(
        (("cube",), ("wall", "cube"), ("wall",)),
        rgba=np.array([[1, 0, 0, nan], [nan] * 4, [0, 0.5, 0, 0.4]]),
        specular=np.array([nan, 0.5, nan]),
        emission=np.array([0.3, nan, 0.1]),
        reflectance=np.array([nan, nan, 0.5]),
        texture=np.array([-1, 0, 1]),
        images=(checks, np.zeros((0, 0, 3), np.uint8)),
        repeat=np.array([[1, 1], [2, 3], [1, 1]]),
    )
    before = shot(engine)
    together, apart = shot(engine, many), shot(engine, *many.rows())
    for name in PASSES:
        assert np.array_equal(together[name], apart[name])
    assert not np.array_equal(together.rgb, before.rgb)
    again = shot(engine, many)
    assert np.array_equal(again.rgb, together.rgb)
    assert np.array_equal(shot(engine).rgb, before.rgb)


def test_looks_come_and_go_between_views(engine):
    plain = shot(engine)
    red = EditMaterials((("cube",),), rgba=np.array([[1, 0, 0, np.nan]]))
    clear = EditMaterials((("cube",),), rgba=np.array([[1, 0, 0, 0.5]]))
    gone = EditMaterials((("cube",),), rgba=np.array([[1, 0, 0, 0.0]]))
    seen = [at_middle(shot(engine, each), "rgb").tolist() for each in (red, clear, gone, red)]
    assert seen[0] == seen[3]
    assert len({tuple(each) for each in seen}) == 3
    assert np.array_equal(shot(engine).rgb, plain.rgb)
    moved = shot(engine, red, MoveObject("cube", np.eye(4), (2.0,) * 3, relative=True))
    assert (moved.segmentation == moved.segmentation[30, 30]).sum() > 1.5 * (
        plain.segmentation == plain.segmentation[30, 30]
    ).sum()


def test_many_names_that_are_not_there_are_told(engine):
    with pytest.raises(UnknownNameError, match="cuve"):
        shot(engine, EditMaterials((("cube",), ("cuve",)), specular=np.array([0.1, 0.2])))


def test_a_model_without_lights_is_dim_as_in_mujoco_until_it_has_one():
    text = """<mujoco><visual><headlight active="0"/></visual><worldbody>
    <geom name="ball" type="sphere" size="1" rgba="1 .5 0 1"/>
    <camera name="eye" pos="0 0 4"/></worldbody></mujoco>"""
    engine = MujocoEngine(text, size=(60, 60))
    dim = engine.render(View(cameras=["eye"]))["eye"].rgb[30, 30]
    new = EditLight("new", kind="directional", position=(0, 0, 5), direction=(0, 0, 1))
    lit = engine.render(View(cameras=["eye"], edits=[new]))["eye"].rgb[30, 30]
    engine.close()
    assert dim.tolist() == [76, 38, 0]  # 0.3 of its colour
    assert lit.tolist() == [0, 0, 0]  # from behind


def test_what_is_transparent_counts_twice_as_in_mujoco():
    text = """<mujoco><visual><headlight ambient="1 1 1" diffuse="0 0 0" specular="0 0 0"/></visual>
    <worldbody><geom name="ball" type="sphere" size="1" rgba="1 1 1 {}"/>
    <camera name="eye" pos="0 0 4"/></worldbody></mujoco>"""
    view = View(cameras=["eye"])
    half, whole = (MujocoEngine(text.format(alpha), size=(60, 60)) for alpha in (0.5, 1))
    shown = half.render(view)["eye"].rgb[30, 30]
    edited = whole.render(
        View(cameras=["eye"], edits=[EditMaterial(("ball",), rgba=(1, 1, 1, 0.5))])
    )
    half.close()
    whole.close()
    assert shown.tolist() == [191] * 3
    assert edited["eye"].rgb[30, 30].tolist() == shown.tolist()


def test_only_planes_show_what_the_floor_mirrors() -> None:
    mjcf = """<mujoco><asset><material name="f" rgba=".5 .5 .5 1" reflectance=".9"/></asset>
    <worldbody><light pos="0 -1 4" dir="0 .2 -1" directional="true"/>
    <geom name="floor" type="plane" size="3 3 .1" material="f"/>
    <geom name="slab" type="capsule" size=".2 .6" pos="0 -.9 .4" euler="0 90 0"/>
    <geom type="sphere" size=".3" pos="0 .3 .5" rgba=".9 .1 .1 1"/>
    <camera name="c" pos="0 -2.2 1.6" xyaxes="1 0 0 0 .5 .87"/></worldbody></mujoco>"""
    with hg.open(mjcf, size=(160, 120)) as renderer:
        plain = renderer.render(hg.View(["c"]))["c"].rgb
        slab = hg.EditMaterial("slab", reflectance=0.8)
        shiny = renderer.render(hg.View(["c"], edits=[slab]))["c"].rgb
        dull = hg.EditMaterial("floor", reflectance=0)
        without = renderer.render(hg.View(["c"], edits=[dull]))["c"].rgb
    assert np.array_equal(plain, shiny)
    assert (plain.astype(int) - without).max() > 10  # the ball's image on the floor


@pytest.mark.parametrize(
    "edit",
    [EditLight("lamp", decay=1.0), EditLight("lamp", distance=1.0), EditLight("lamp", size=1.0)],
)
def test_what_the_classic_look_does_not_know_of_lights_is_refused(edit):
    lamp = "<light name='lamp' pos='0 0 2'/>"
    model = f"<mujoco><worldbody>{lamp}<geom size='1'/></worldbody></mujoco>"
    view = hg.View(edits=(edit,))
    refused = pytest.raises(InvalidValueError, match=r"lamp.*shading='standard'")
    with hg.open(model, size=(16, 16)) as classic, refused:
        classic.render(view)
    with hg.open(model, size=(16, 16), shading="standard") as standard:
        standard.render(view)
