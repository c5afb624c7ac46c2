"""The engine that draws for ORRB's interface: its passes against MuJoCo's, alone and together."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import heliograph as hg
import standard_shading as ref
from heliograph.compat.orrb.engine import STREAMS, OrrbEngine, read_streams, stream_camera
from heliograph.compat.orrb.facts import shapes_of
from heliograph.compat.orrb.places import Places
from heliograph.engine import Engine
from heliograph.engines.mujoco import MujocoEngine
from heliograph.engines.registry import engine_of, make_engine
from heliograph.errors import InvalidValueError, SceneError, UnknownNameError
from heliograph.frame import allocate
from heliograph.passes import PASSES
from heliograph.raster import RasterOptions
from heliograph.scene.appearance import EditBackground, EditImage, EditLight
from heliograph.wrappers import GROUP_NBYTES
from memory import traced_peak

SIZE = (40, 30)
MJCF = """<mujoco><worldbody><light pos="0 0 3"/>
<camera name="front" pos="0 -3 .5" xyaxes="1 0 0 0 0 1"/>
<geom name="a:floor" type="plane" size="1 1 .1"/>
<body pos="0 0 .5"><joint name="x" type="slide" axis="1 0 0"/>
<geom name="b:ball" size=".4" rgba="1 0 0 1"/>
<camera name="hung" pos="0 -2 0" xyaxes="1 0 0 0 0 1"/></body></worldbody></mujoco>"""
NAMES = ("orrb_rgb", "orrb_depth", "orrb_normals", "orrb_segmentation")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with_orrb = make_engine("orrb", MJCF, {"size": SIZE})
    yield with_orrb
    with_orrb.close()


def text(*components: dict[str, Any]) -> np.ndarray[Any, Any]:
    return np.frombuffer(json.dumps({"components": components}).encode(), np.uint8)


def view(engine: Engine, x: float = 0.1, seed: int = 3, *parts: dict[str, Any], **more: Any) -> Any:
    state = {"qpos": [x], "components": text(*parts)}
    passes = [engine.passes[name] for name in NAMES]
    return hg.View(
        **{"cameras": ["front", "hung"], "passes": passes, **more}, state=state, seed=seed
    )


def arrays(sample: hg.Sample) -> dict[str, Any]:
    return {
        f"{frame.camera.name}/{name}": array.copy()
        for frame in sample
        for name, array in frame.passes.items()
    }


def same(first: hg.Sample, second: hg.Sample) -> bool:
    pairs = arrays(first), arrays(second)
    return all(np.array_equal(array, pairs[1][name]) for name, array in pairs[0].items())


SHAKE = {"type": "CameraRandomizer", "config": {"floatProperties": {"position_radius": 0.5}}}


def test_its_arrays_are_those_of_mujocos_engine_written_otherwise(engine: Engine) -> None:
    drawn = engine.render(view(engine))
    with MujocoEngineOf(MJCF) as plain:
        cameras = [frame.camera for frame in drawn]
        expected = plain.render(hg.View(cameras, PASSES, {"qpos": [0.1]}))
    for frame in drawn:
        own = expected[frame.camera.name]
        assert (frame.camera.near, frame.camera.far, frame.camera.size) == (0.1, 20.0, SIZE)
        hit = np.isfinite(own.depth)
        assert 0 < hit.mean() < 1
        depth = np.where(hit, own.depth * np.float32(19.9 / 20) + np.float32(0.1), 0)
        assert np.array_equal(frame["orrb_depth"][::-1], depth)
        normals = np.where(hit[..., None], own.normals * np.float32(0.5) + np.float32(0.5), 0)
        assert np.array_equal(frame["orrb_normals"][::-1], normals)
        assert np.array_equal(frame["orrb_segmentation"][::-1], own.segmentation)  # 1 and 2
        assert frame["orrb_segmentation"].dtype == np.uint8


GREY = """<mujoco><visual><headlight ambient="1 1 1"/></visual><worldbody>
<light name="lamp" pos="0 0 3" diffuse="0 0 0" castshadow="false"/><camera name="top" pos="0 0 2"/>
<geom name="floor" type="plane" size="3 3 1" material="m"/></worldbody>
<asset><material name="m" roughness=".99" rgba=".5 .5 .5 1"/></asset></mujoco>"""
RANGE = math.sqrt(1.5**2 + 3) + 1


def top_view(engine: Engine, *edits: Any, **order: Any) -> Any:
    passes = [engine.passes["orrb_rgb"]]
    frame = engine.render(hg.View(["top"], passes=passes, edits=edits, **order))["top"]
    return frame["orrb_rgb"].astype(float)


def test_light_is_orrbs() -> None:
    engine = make_engine("orrb", GREY, {"size": SIZE})
    dark = EditLight("head", diffuse=(0, 0, 0))  # its ambient part is nothing to ORRB
    strength = 2.0
    spot = EditLight(
        "lamp", kind="spot", position=(0, 0, 1.5), direction=(0, 0, -1), softness=1 / 3,
        diffuse=(strength,) * 3, cutoff=0.5, exponent=0, casts_shadow=False,
    )  # fmt: skip
    drawn = [top_view(engine, dark), top_view(engine, dark, spot)]
    camera = engine.cameras["top"]
    engine.close()
    x, y = np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5)
    flat = [(x - camera.cx) * 2 / camera.fx, (camera.cy - y) * 2 / camera.fy]
    points = np.stack([*flat, np.zeros_like(x)], -1)
    up, eye = np.broadcast_to([0, 0, 1.0], points.shape), ref.unit([0, 0, 2.0] - points)
    grey = ref.Standard(ref.srgb_decode(np.full(3, 0.5)), roughness=0.99)
    sky = ref.Light("ambient", np.pi * np.full(3, 0.2))
    power = np.full(3, np.pi * strength**2.2)
    lamp = ref.Light(
        "spot", power, position=np.array([0, 0, 1.5]), angle=0.5, penumbra=1 / 3, decay=0
    )
    squared = ref.dot(points - lamp.position, points - lamp.position) / RANGE**2
    around, direct = (grey.shade(up, eye, points, [each]) for each in (sky, lamp))
    expected = [ref.finish(around), ref.finish(around + direct / (1 + 25 * squared))]
    assert np.abs(drawn[0] - expected[0]).max() <= 2  # it was drawn at a quarter of its brightness
    assert np.abs(drawn[1] - expected[1]).max() <= 2
    assert np.ptp(expected[1][..., 0].astype(int)) > 60


SKY = """<mujoco><asset><texture type="skybox" builtin="flat" rgb1=".3 .5 .1" rgb2=".3 .5 .1"
width="8" height="48"/></asset><visual><rgba haze=".6 .2 .4 1"/></visual><worldbody>
<camera name="top" pos="0 -2 .3" xyaxes="1 0 0 0 0 1"/>{}</worldbody></mujoco>"""


def test_what_is_behind_everything_is_as_it_is_without_orrbs_light() -> None:
    grey = EditBackground((0.4, 0.1, 0.7))
    floor = "<geom type='plane' size='0 0 1' rgba='0 0 0 1'/>"
    for source, edits in (
        (SKY.format(""), ()),
        (SKY.format(""), (grey,)),
        (SKY.format(floor), ()),
        (MJCF.replace("front", "top"), (grey,)),
    ):
        engine = make_engine("orrb", source, {"size": SIZE})
        drawn, camera = top_view(engine, *edits), engine.cameras["top"]
        engine.close()
        with MujocoEngineOf(source) as plain:
            expected = plain.render(hg.View([camera], ["rgb", "depth"], edits=edits))["top"]
        behind = np.isinf(expected.depth)
        assert behind.mean() > 0.3
        assert np.abs(drawn[::-1] - expected.rgb.astype(float))[behind].max() <= 3


def test_a_gain_that_an_edit_gives_is_kept() -> None:
    engine = OrrbEngine(GREY, size=SIZE)
    plain, darker = (
        top_view(engine, EditImage((("linear_light", {"gain": gain}), ("display", {}))))
        for gain in (1.0, 0.25)
    )
    assert np.array_equal(plain, top_view(engine))
    engine.close()
    expected = 255 * ref.srgb_encode(0.25 * ref.srgb_decode(plain / 255))
    assert np.abs(darker - expected).max() <= 1


def test_light_beyond_white_is_graded_before_it_is_cut_off() -> None:
    engine = make_engine("orrb", GREY, {"size": SIZE})
    bright = EditLight(
        "lamp", kind="directional", direction=(0, 0, -1), diffuse=(2.5,) * 3, casts_shadow=False
    )
    grading = {"type": "PostProcessingRandomizer", "config": {"boolProperties": {}}}
    plain = top_view(engine, bright)
    graded = top_view(engine, bright, state={"components": text(grading)}, seed=1)
    engine.close()
    assert plain[15, 20, 0] == 255
    assert 200 < graded[15, 20, 0] < 255


def test_lights_of_components_are_as_bright_as_orrbs() -> None:
    engine = make_engine("orrb", GREY, {"size": SIZE})
    ranges = {f"{end}_scene_intensity": 1.5 for end in ("min", "max")}
    share = {"type": "LightRandomizer", "config": {"floatProperties": ranges}}
    own = EditLight("lamp", diffuse=(1.5, 1.5, 1.5))
    dark, by_hand = (top_view(engine, *edits)[15, 20] for edits in ((), (own,)))
    drawn = top_view(engine, seed=1, state={"components": text(share)})[15, 20]
    engine.close()
    assert np.abs(by_hand - drawn).max() <= 1
    assert (drawn > dark + 10).all()


def test_other_looks_are_refused() -> None:
    for options in ({"shading": "classic"}, {"tone_mapping": "aces"}, {"lighting": "pixel"}):
        with pytest.raises(InvalidValueError, match="expected n"):
            make_engine("orrb", MJCF, options)


class MujocoEngineOf:
    """An engine in a `with` block."""

    def __init__(self, source: str) -> None:
        self._engine = MujocoEngine(source, size=SIZE, options=RasterOptions(shading="standard"))

    def __enter__(self) -> MujocoEngine:
        return self._engine

    def __exit__(self, *_: object) -> None:
        self._engine.close()


def test_a_long_batch_takes_no_more_memory_than_a_short_one(engine: Engine) -> None:
    camera = hg.Camera.perspective(fov_y=1.0, width=200, height=200, name="big")
    orders = [view(engine, cameras=[camera], index=i) for i in range(40)]
    outs = [[allocate(camera, engine.passes)] for _ in orders]
    with traced_peak() as peak:
        outcomes = engine.render_many(iter(orders), iter(outs))
    assert all(isinstance(each, hg.Sample) for each in outcomes)
    assert same(engine.render(orders[-1]), outcomes[-1])  # type: ignore[arg-type]
    assert peak() < 1.25 * GROUP_NBYTES < 40 * 200 * 200 * 23


@pytest.mark.parametrize("names", [NAMES[2:3], NAMES[3:], NAMES[2:], NAMES[1:3], NAMES[::3]])
def test_passes_are_the_same_whichever_others_are_asked_for(
    engine: Engine, names: tuple[str, ...]
) -> None:
    both, some = (
        engine.render(view(engine, passes=[engine.passes[name] for name in each]))
        for each in (NAMES, names)
    )
    for camera in ("front", "hung"):
        assert list(some[camera].passes) == list(names)
        for name in names:
            assert np.array_equal(both[camera][name], some[camera][name]), name


def test_a_picture_of_nothing_is_zero(engine: Engine) -> None:
    away = hg.Camera.look_at(
        eye=(0, 0, 5), target=(0, 0, 9), up=(0, 1, 0), fov_y=0.5, width=9, height=7
    ).replace(name="away", far=20.0)
    frame = engine.render(view(engine, cameras=[away]))["away"]
    assert not any(frame[name].any() for name in NAMES[1:])


def test_a_view_depends_on_nothing_before_it(engine: Engine) -> None:
    views = [view(engine, x / 10, seed, SHAKE) for x, seed in ((0, 1), (3, 2), (0, 1), (3, 9))]
    first = [engine.render(each) for each in views]
    kept = [arrays(sample) for sample in first]
    many = engine.render_many(views[::-1])
    assert all(isinstance(each, hg.Sample) for each in many)
    for sample, before, again in zip(first, kept, reversed(many), strict=True):
        assert isinstance(again, hg.Sample)
        assert same(sample, again)
        now = arrays(sample)  # nobody writes to what was given away
        assert all(np.array_equal(now[name], array) for name, array in before.items())
    assert same(first[0], first[2])
    assert not same(first[1], first[3])


def test_it_draws_into_given_arrays_and_refuses_others(engine: Engine) -> None:
    asked = view(engine)
    out = [
        {name: np.empty(spec.shape_of(*SIZE[::-1]), spec.dtype) for name, spec in
         engine.passes.items()}
        for _ in range(2)
    ]  # fmt: skip
    sample = engine.render(asked, out)
    assert sample["front"]["orrb_depth"] is out[0]["orrb_depth"]
    assert same(sample, engine.render(asked))
    out[1]["orrb_rgb"] = np.empty((30, 40, 4), np.uint8)
    with pytest.raises(InvalidValueError, match="orrb_rgb"):
        engine.render(asked, out)


def test_cameras_are_shaken_along_the_axes_of_what_they_are_fixed_to() -> None:
    turned = MJCF.replace('<body pos="0 0 .5">', '<body pos="0 0 .5" euler="0 0 90">')
    straight, quarter = (OrrbEngine(source, size=SIZE) for source in (MJCF, turned))
    moves = []
    for engine in (straight, quarter):
        still = engine.render(view(engine, 0, 4))["hung"].camera.world_from_camera[:3, 3]
        shaken = engine.render(view(engine, 0, 4, SHAKE))["hung"].camera.world_from_camera[:3, 3]
        moves.append(shaken - still)
        engine.close()
    x, y, z = moves[0]
    np.testing.assert_allclose(moves[1], (-y, x, z), atol=1e-9)
    assert min(abs(x), abs(y)) > 1e-3


def test_what_trackers_tell_comes_as_one_more_picture(engine: Engine) -> None:
    names = {"camera_names": "front,hung", "tracked_object_names": "b:ball,a:floor"}
    tracker = {"type": "Tracker", "config": {"stringProperties": names}}
    twice = {**tracker, "name": "again"}
    asked = view(engine, 0.25, 3, tracker, twice, cameras=["front", *stream_camera(24)])
    sample = engine.render(asked)
    assert list(sample.frames) == ["front", STREAMS]
    told = read_streams(sample[STREAMS]["orrb_rgb"][None], 24)[0].reshape(4, 6)
    camera = sample["front"].camera
    middle = camera.project(np.array([[0.25, 0, 0.5]]))[0] / SIZE
    assert told[0, :2] == pytest.approx([middle[0], 1 - middle[1]], abs=1e-6)
    assert told[2, :2] == pytest.approx((0.5, 0.5), abs=1e-6)  # hung: it moves with the ball
    assert stream_camera(0) == []
    for name in NAMES[1:]:
        assert not sample[STREAMS][name].any()


def test_what_cannot_be_drawn_is_said(engine: Engine) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'front'"):
        engine.render(view(engine, cameras=["frnt"]))
    with pytest.raises(UnknownNameError, match="pass"):
        engine.render(view(engine, passes=("rgb",)))
    with pytest.raises(UnknownNameError, match="did you mean 'Tracker'"):
        engine.render(view(engine, 0, 3, {"type": "Traker"}))
    geoms = "".join(f'<geom name="g{i}:x" size=".1"/>' for i in range(256))
    crowd = f"<mujoco><worldbody>{geoms}</worldbody></mujoco>"
    with pytest.raises(SceneError, match=r"256 categories.*segmentation_encoding='ids'"):
        OrrbEngine(crowd)
    OrrbEngine(crowd, encoding={"segmentation_encoding": "ids"}).close()


def test_a_worker_imports_nothing_of_the_programs_side() -> None:
    code = "import sys, heliograph.compat.orrb.engine; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[1] for name in done.stdout.split() if name.startswith("heliograph.")}
    assert not loaded & {"pool", "delivery", "record", "cli", "worker", "transport"}


def test_it_opens_nothing_by_itself() -> None:
    assert engine_of(MJCF) == "mujoco"


def test_shapes_of_a_model_are_in_the_order_of_its_tree() -> None:
    mjcf = """<mujoco><asset><mesh name="m" vertex="0 0 0 1 0 0 0 1 0 0 0 1"/></asset><worldbody>
    <body name="one"><geom name="a" type="capsule" size=".1 .1"/><site name="s" type="capsule"
    size=".1 .1"/><body name="deep"><geom name="b" type="mesh" mesh="m"/></body>
    <geom name="late" size=".1"/></body>
    <body name="two"><geom name="c" size=".1"/></body><geom name="floor" size=".1"/>
    </worldbody></mujoco>"""
    with MujocoEngineOf(mjcf) as engine:
        places = Places(engine.model, engine, SIZE)
        shapes = places.facts(None, ()).shapes
        assert (
            len(shapes_of(engine.scene.objects)) == len(shapes) - 2
        )  # who knows no kinds of sites
    parts = ("top_sphere", "bottom_sphere", "cylinder")
    assert [shape.node for shape in shapes] == [
        "floor(primitive)",
        *(f"a({part})" for part in parts),
        "late(primitive)",
        *(f"s({part})" for part in parts),
        "m_mesh_0",
        "c(primitive)",
    ]
