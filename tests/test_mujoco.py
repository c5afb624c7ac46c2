# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="union-attr, index, arg-type"
"""The MuJoCo engine: real robot models against MuJoCo's own renderer, state, errors."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from skimage.metrics import structural_similarity

from heliograph.camera import Camera
from heliograph.engines.mujoco import MujocoEngine
from heliograph.errors import (
    ClosedError,
    ContextError,
    InvalidValueError,
    SceneError,
    UnknownNameError,
)
from heliograph.raster import RasterOptions
from heliograph.view import View

ALL = ("rgb", "depth", "normals", "segmentation")
# MuJoCo 3.2 knows the older word alone.
ORTHOGRAPHIC = (
    'projection="orthographic"'
    if hasattr(mujoco.MjModel, "cam_projection")
    else 'orthographic="true"'
)
SCENE = f"""<mujoco><worldbody><light pos="0 0 3"/><geom name="floor" type="plane" size="0 0 1"/>
<body name="arm" pos="0 0 .5"><joint name="hinge" axis="0 0 1"/>
<geom name="rod" type="box" size=".5 .1 .1" pos=".5 0 0" rgba="1 0 0 1"/></body>
<body name="free" mocap="true" pos="0 -1 .3"><geom name="ball" size=".3" rgba="0 0 1 1"/></body>
<camera name="top" pos="0 0 4"/>
<camera name="ortho" pos="0 0 4" {ORTHOGRAPHIC} fovy="3"/>
</worldbody></mujoco>"""


def model_path(package, inside):
    return Path(find_spec(package).submodule_search_locations[0]) / inside


HAND = model_path("gymnasium_robotics", "envs/assets/hand/manipulate_block.xml")


@pytest.fixture
def engine():
    made = MujocoEngine(SCENE, size=(120, 90))
    yield made
    made.close()


def identity(sample, camera, name):
    numbers = [i for i, label in sample.labels.items() if label.name == name]
    return sample[camera].segmentation == numbers[0]


@pytest.mark.parametrize(
    ("package", "inside"),
    [
        ("gymnasium_robotics", "envs/assets/hand/manipulate_block.xml"),
        ("gymnasium_robotics", "envs/assets/fetch/pick_and_place.xml"),
        ("gymnasium_robotics", "envs/assets/adroit_hand/adroit_door.xml"),
        ("dm_control", "suite/dog.xml"),
        ("dm_control", "suite/cartpole.xml"),
        ("dm_control", "third_party/kinova/jaco_arm.xml"),
    ],
)
def test_pictures_agree_with_mujocos_own_renderer(package, inside):
    path, size = model_path(package, inside), (320, 240)
    ours = MujocoEngine(path, size=size, options=RasterOptions(shadows=False))
    theirs = MujocoEngine(path, size=size, style="classic", options=RasterOptions(shadows=False))
    try:
        cameras = tuple(ours.cameras)
        state = ours.random_state(np.random.default_rng(3))
        mine = ours.render(View(cameras, ("rgb", "depth", "segmentation"), state))
        truth = theirs.render(View(cameras, ("rgb", "depth", "segmentation"), state))
    finally:
        ours.close()
        theirs.close()
    for name in cameras:
        a, b = mine[name], truth[name]
        assert (a.segmentation == b.segmentation).mean() >= 0.995
        nothing = np.isinf(a.depth) & np.isinf(b.depth)
        deep = [np.where(np.isinf(frame.depth), 1e9, frame.depth) for frame in (a, b)]
        assert (nothing | (np.abs(deep[0] - deep[1]) <= 1e-3 * deep[1])).mean() >= 0.995
        assert np.abs(a.rgb.astype(int) - b.rgb).mean() <= 3
        assert structural_similarity(a.rgb, b.rgb, channel_axis=2) >= 0.95


def test_the_state_moves_things_and_leaves_no_trace(engine):
    rest = engine.render(View(("top",), ALL))
    turned = engine.render(View(("top",), ALL, {"qpos": [np.pi / 2]}))
    rows, columns = np.nonzero(identity(turned, "top", "rod"))
    assert np.ptp(rows) > 2 * np.ptp(columns)
    moved = engine.render(View(("top",), ALL, {"mocap_pos": [[1.0, 1.0, 0.3]]}))
    rows, columns = np.nonzero(identity(moved, "top", "ball"))
    where = rest["top"].camera.project(np.array([1.0, 1.0, 0.4]))
    assert np.hypot(columns.mean() - where[0], rows.mean() - where[1]) < 2
    again = engine.render(View(("top",), ALL))
    for name in ALL:
        assert np.array_equal(rest["top"][name], again["top"][name])


@settings(max_examples=10, deadline=None)
@given(turns=arrays(float, (2, 4), elements=st.floats(0.1, 1.0)))
def test_the_first_view_does_not_decide_levels_of_detail(turns):
    """The ball's radius is 35 pixels, where another level begins."""
    ball = '<body><freejoint/><geom size="1"/></body><light pos="2 -2 4"/>'
    above = np.eye(4)
    above[2, 3] = 10
    view = Camera.orthographic(extent_y=4, width=140, height=140, world_from_camera=above)
    before, now = (View([view], ALL, state={"qpos": [0, 0, 0, *turn]}) for turn in turns)
    pictures = []
    for views in ([before, now], [now]):
        with closing(MujocoEngine(f"<mujoco><worldbody>{ball}</worldbody></mujoco>")) as engine:
            pictures.append([engine.render(each)["camera"] for each in views][-1])
    used, fresh = pictures
    assert all(np.array_equal(used[name], fresh[name]) for name in ALL)


def test_depth_of_the_endless_floor_is_exact(engine):
    view = Camera.look_at(
        eye=(0, -3, 1), target=(0, 0, 0.2), fov_y=0.9, width=160, height=120, far=40, name="low"
    )
    sample = engine.render(View((view,), ALL))
    floor = identity(sample, "low", "floor")
    points = view.unproject(view.pixel_centres(), sample["low"].depth.astype(float))[floor]
    assert floor.sum() > 5000
    assert (np.abs(points[:, 2]) / sample["low"].depth[floor]).max() < 1e-5


def test_stepping_is_asked_for_and_repeatable(engine):
    order = View(("top",), ("segmentation",), {"qvel": [5.0], "steps": 100})
    first, rest = engine.render(order), engine.render(View(("top",), ("segmentation",)))
    second = engine.render(order)
    assert not np.array_equal(first["top"].segmentation, rest["top"].segmentation)
    assert np.array_equal(first["top"].segmentation, second["top"].segmentation)


def test_a_fresh_process_gives_the_same_bits(engine):
    code = (
        "import sys, hashlib; from heliograph.engines.mujoco import MujocoEngine;"
        "from heliograph.view import View; e = MujocoEngine(sys.argv[1], size=(120, 90));"
        f"s = e.render(View(('top', 'free'), {ALL!r}));"
        "print(hashlib.sha256(b''.join(a.tobytes() for f in s for a in f.passes.values()))"
        ".hexdigest())"
    )
    import hashlib

    sample = engine.render(View(("top", "free"), ALL))
    ours = hashlib.sha256(b"".join(a.tobytes() for f in sample for a in f.passes.values()))
    run = subprocess.run([sys.executable, "-c", code, SCENE], capture_output=True, text=True)
    assert run.stdout.strip() == ours.hexdigest()


@pytest.mark.parametrize("by", ["body", "category"])
def test_segments_by_body_and_category(by):
    engine = MujocoEngine(SCENE, size=(64, 48), segment_by=by)
    names = {label.name for label in engine.labels.values()}
    assert ({"arm", "free"} if by == "body" else {"plane", "box", "sphere"}) <= names
    seen = set(np.unique(engine.render(View(("top",), ("segmentation",)))["top"].segmentation))
    assert seen <= set(engine.labels)
    engine.close()


def test_coincident_surfaces_have_one_winner_in_every_pass():
    twins = """<mujoco><worldbody><light pos="0 0 3"/>
    <geom name="a" type="box" size=".5 .5 .5" rgba="1 0 0 1"/>
    <geom name="b" type="box" size=".5 .5 .5" rgba="0 1 0 1"/>
    <camera name="c" pos="2 -2 2" xyaxes="1 1 0 -1 1 2"/></worldbody></mujoco>"""
    engine = MujocoEngine(twins, size=(100, 100))
    frame = engine.render(View(("c",), ALL))["c"]
    engine.close()
    (winner,) = set(np.unique(frame.segmentation)) - {0}
    colour = frame.rgb[frame.segmentation == winner].max(0)
    assert (colour > 40).tolist() == [winner == 1, winner == 2, False]


def test_only_one_classic_renderer_at_a_time():
    first = MujocoEngine(SCENE, style="classic")
    with pytest.raises(ContextError, match="close the first"):
        MujocoEngine(SCENE, style="classic")
    first.close()
    second = MujocoEngine(SCENE, style="classic", size=(64, 48))
    assert second.render(View(("top",), ("rgb",)))["top"].rgb.std() > 1
    with pytest.raises(UnknownNameError, match="normals"):
        second.render(View(("top",), ("normals",)))
    second.close()


def test_a_model_without_geoms_is_an_empty_picture():
    engine = MujocoEngine("<mujoco><worldbody/></mujoco>", size=(32, 24))
    frame = engine.render(View(("free",), ALL))["free"]
    assert not frame.segmentation.any()
    assert np.ptp(frame.rgb) == 0
    engine.close()


def test_a_model_that_its_owner_changes_stays_as_it_was():
    model = mujoco.MjModel.from_xml_string(SCENE)
    engine = MujocoEngine(model, size=(64, 48))
    before = engine.render(View(("top",), ("rgb",)))["top"].rgb
    model.geom_rgba[:] = 0
    assert np.array_equal(engine.render(View(("top",), ("rgb",)))["top"].rgb, before)
    engine.close()


@pytest.mark.parametrize(
    ("view", "error", "says"),
    [
        (View(("tip",)), UnknownNameError, "top"),
        (View(("top",), state={"qpos": [1, 2]}), InvalidValueError, r"nq = 1.*\(2,\)"),
        (View(("top",), state={"qpso": [1]}), UnknownNameError, "qpos"),
        (View(("top",), state={"steps": 1.5}), InvalidValueError, "integer"),
    ],
)
def test_wrong_views_say_what_was_expected_and_the_next_still_works(engine, view, error, says):
    with pytest.raises(error, match=says):
        engine.render(view)
    assert engine.render(View(("top",)))["top"].rgb.std() > 1


def test_scenes_that_cannot_be_loaded_say_why(tmp_path):
    with pytest.raises(SceneError, match="no such file"):
        MujocoEngine(tmp_path / "none.xml")
    broken = tmp_path / "broken.xml"
    broken.write_text("<mujoco>\n<worldbody>\n<geom sizee='1'/>\n</worldbody></mujoco>")
    with pytest.raises(SceneError, match=r"broken.xml.*sizee.*line 3"):
        MujocoEngine(broken)
    broken.write_text("<mujoco><asset><mesh file='gone.stl'/></asset></mujoco>")
    with pytest.raises(SceneError, match=r"gone\.stl"):
        MujocoEngine(broken)
    with pytest.raises(InvalidValueError, match="int"):
        MujocoEngine(3)


def test_closed_means_closed():
    engine = MujocoEngine(SCENE)
    engine.close()
    engine.close()
    with pytest.raises(ClosedError):
        engine.render(View(("top",)))


SOFT = """<mujoco><worldbody><light pos="0 0 3"/><geom type="plane" size="2 2 .1"/>
<flexcomp type="grid" count="6 6 1" spacing=".1 .1 .1" pos="-.25 -.25 .5" radius=".01" name="cloth"
 dim="2" mass="1" rgba="1 .4 .3 1"><edge equality="true"/></flexcomp>
<flexcomp type="grid" count="8 1 1" spacing=".1 .1 .1" pos="-.4 0 .2" radius=".03" name="rope"
 dim="1" mass="1" rgba=".3 1 .3 1"><edge equality="true"/></flexcomp>
<camera name="c" pos="0 -1.6 1.2" xyaxes="1 0 0 0 .5 1"/></worldbody></mujoco>"""


def test_flexes_show_as_in_mujoco():
    view = View(("c",), ("rgb", "depth", "segmentation"))
    frames = []
    for style in ("raster", "classic"):
        options = RasterOptions(shadows=False)
        engine = MujocoEngine(SOFT, size=(160, 120), style=style, options=options)
        state = engine.random_state(np.random.default_rng(1))
        frames += [engine.render(replace(view, state=state))["c"], engine.render(view)["c"]]
        names = {label.name: number for number, label in engine.labels.items()}
        engine.close()
    for ours, theirs in zip(frames[:2], frames[2:], strict=True):
        for name in ("cloth", "rope"):
            assert (theirs.segmentation == names[name]).sum() > 10
        assert (ours.segmentation == theirs.segmentation).mean() >= 0.995
        assert np.abs(ours.rgb.astype(int) - theirs.rgb).mean() < 1.5
    assert not np.array_equal(frames[0].segmentation, frames[1].segmentation)


def test_range_finders_show_as_lines_with_ids():
    model = """<mujoco><worldbody><geom type="box" size=".1 2 2" pos="1 0 0"/>
    <body><site name="s" zaxis="1 0 0" size=".01"/></body>
    <camera name="c" pos="0 -3 0" xyaxes="1 0 0 0 0 1"/></worldbody>
    <sensor><rangefinder name="range" site="s"/></sensor></mujoco>"""
    engine = MujocoEngine(model, size=(80, 60))
    frame = engine.render(View(("c",), ("segmentation", "depth")))["c"]
    names = {label.name: number for number, label in engine.labels.items()}
    engine.close()
    rows, columns = np.nonzero(frame.segmentation == names["range"])
    assert set(rows) <= {28, 29, 30, 31}
    assert np.ptp(columns) > 10
    assert frame.depth[rows, columns] == pytest.approx(3.0, rel=1e-4)


def test_a_camera_by_value_stays_where_it_is():
    engine = MujocoEngine(
        """<mujoco><worldbody><body><joint type="slide" axis="1 0 0"/><geom size=".3"/>
        <camera name="cam" pos="0 -4 0" xyaxes="1 0 0 0 0 1"/></body></worldbody></mujoco>""",
        size=(32, 24),
    )
    given = engine.cameras["cam"]
    shown = {}
    for key, camera in (("name", "cam"), ("value", given), ("copy", given.replace())):
        frame = engine.render(View((camera,), ("depth",), {"qpos": [1.0]}))["cam"]
        shown[key] = frame.camera.world_from_camera[0, 3]
    engine.close()
    assert shown == {"name": 1.0, "value": 0.0, "copy": 0.0}


@pytest.mark.parametrize(
    ("given", "known"),
    [
        (("free",), ("free", "fit")),
        (("fit",), ("fit", "free")),
        (("", "camera0"), ("camera1", "camera0", "free", "fit")),
        (("camera1", "", ""), ("camera1", "camera2", "camera3", "free", "fit")),
    ],
)
def test_every_camera_of_the_model_has_a_name_and_follows_the_state(given, known):
    bodies = "".join(
        f'<body pos="0 {10 * i} 0"><joint type="slide" axis="1 0 0"/><geom size=".3"/>'
        f"<camera {f'name={name!r}' if name else ''}/></body>"
        for i, name in enumerate(given)
    )
    engine = MujocoEngine(f"<mujoco><worldbody>{bodies}</worldbody></mujoco>", size=(16, 12))
    order = View(known, ("depth",), {"qpos": np.arange(1.0, 1 + len(given))})
    frames = engine.render(order)
    engine.close()
    assert tuple(engine.cameras) == known
    for index, name in enumerate(known[: len(given)]):
        assert frames[name].camera.world_from_camera[:3, 3].tolist() == [index + 1, 10 * index, 0]


@pytest.mark.parametrize("uniform", ["false", "true"])
def test_textures_lie_on_round_things_as_in_mujoco(tmp_path, uniform):
    x, y = np.meshgrid(np.arange(64), np.arange(64))
    pixels = np.stack([4 * x, 4 * y, 255 * ((x // 16 + y // 16) % 2)], -1).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "grid.png")
    model = f"""<mujoco><visual><headlight ambient=".7 .7 .7" specular="0 0 0"/></visual>
    <asset><texture name="c" type="2d" file="{tmp_path}/grid.png"/>
    <material name="m" texture="c" texrepeat="2 1.5" texuniform="{uniform}"/></asset><worldbody>
    <geom type="cylinder" size=".4 .5" pos="-1.5 0 0" material="m"/>
    <geom type="sphere" size=".5" pos="-.3 0 0" material="m"/>
    <geom type="capsule" size=".3 .4" pos=".7 0 0" material="m"/>
    <geom type="ellipsoid" size=".4 .3 .6" pos="1.7 0 0" material="m"/>
    <camera name="c" pos="0.1 -3 2" xyaxes="1 0 0 0 .55 .83"/></worldbody></mujoco>"""
    frames = []
    for style in ("raster", "classic"):
        options = RasterOptions(shadows=False)
        engine = MujocoEngine(model, size=(320, 160), style=style, options=options)
        frames.append(engine.render(View(("c",), ("rgb", "segmentation")))["c"])
        engine.close()
    inside = (frames[0].segmentation > 0) & (frames[1].segmentation > 0)
    gap = np.abs(frames[0].rgb.astype(int) - frames[1].rgb)[inside]
    assert inside.mean() > 0.15
    assert gap.mean() < 10


def test_boxes_turned_any_way_have_exact_depth_up_to_their_edges():
    rng = np.random.default_rng(0)
    view = Camera.look_at(
        eye=(0, -3, 0.5), target=(0, 0, 0), fov_y=0.7, width=200, height=200, name="e", far=50
    )
    ahead = view.unproject(view.pixel_centres(), np.ones((200, 200)))
    for _ in range(30):
        turn = " ".join(map(str, rng.normal(size=4)))
        body = f'<geom type="box" size=".5 .35 .2" quat="{turn}"/>'
        engine = MujocoEngine(f"<mujoco><worldbody>{body}</worldbody></mujoco>")
        frame = engine.render(View([view], ("depth", "segmentation")))["e"]
        axes, half = np.reshape(engine._poser.data.geom_xmat[0], (3, 3)), engine.model.geom_size[0]
        engine.close()
        eye = view.world_from_camera[:3, 3]
        start, ray = eye @ axes, (ahead - eye) @ axes
        ends = np.stack([(-half - start) / ray, (half - start) / ray])
        entry, leave = ends.min(0).max(-1), ends.max(0).min(-1)
        both = (frame.segmentation > 0) & (entry < leave)
        assert ((frame.segmentation > 0) != (entry < leave)).sum() <= 4
        assert both.sum() > 1000
        assert np.abs(frame.depth[both] / entry[both] - 1).max() < 2e-5  # float32, grazing rays


TEXTURED = """<mujoco><asset>
<texture name="t" type="{}" builtin="checker" rgb1=".2 .6 .3" rgb2=".7 .5 .2"
  width="64" height="{}"/>
<material name="m" texture="t" texrepeat="3 2" texuniform="{}"/>
<mesh name="k" vertex="-2 -1 0  2.5 -1 .4  2 1.2 0  -2 1 0  .3 0 -1 0 .2 .9"/>
<hfield name="h" nrow="30" ncol="40" size="3 2 1 .3"/></asset>
<worldbody><light pos="0 0 9" dir="0 0 -1" directional="true"/>
<geom type="{}" {} material="m" euler="20 10 30"/>
<camera name="c" pos="1 -6 5" xyaxes="1 .1 0 0 .6 .7"/></worldbody></mujoco>"""
SHAPES = {
    "hfield": 'hfield="h"',
    "mesh": 'mesh="k"',
    "box": 'size="2 1.3 .5"',
    "plane": 'size="2 1.5 .5"',
    "sphere": 'size="1.5"',
    "ellipsoid": 'size="2 1 .7"',
    "cylinder": 'size="1 .8"',
    "capsule": 'size=".7 .9"',
}


@pytest.mark.parametrize("uniform", ["false", "true"])
@pytest.mark.parametrize(("texture", "height"), [("2d", 64), ("cube", 384)])
@pytest.mark.parametrize("shape", SHAPES)
def test_textures_lie_as_mujoco_lays_them(shape, texture, height, uniform):
    text = TEXTURED.format(texture, height, uniform, shape, SHAPES[shape])
    model = mujoco.MjModel.from_xml_string(text)
    model.hfield_data[:] = np.random.default_rng(0).random(len(model.hfield_data)) * 0.3
    pictures = []
    for style in ("raster", "classic"):
        options = RasterOptions(shadows=False)
        engine = MujocoEngine(model, size=(160, 120), style=style, options=options)
        pictures.append(engine.render(View(cameras=["c"]))["c"].rgb.astype(int))
        engine.close()
    ours, theirs = pictures
    assert (theirs.sum(2) > 0).mean() > 0.03
    assert np.abs(ours - theirs).mean() < 0.6
