# mypy: allow-untyped-defs, allow-untyped-calls
"""ORRB's interface: formats against what must come out, and faults that are no more."""

import faulthandler
import gc
import json
import math
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heliograph.compat.orrb as orrb
from heliograph import Camera
from heliograph.compat.orrb import servers
from heliograph.compat.orrb.unity import UnityRandom

MJCF = """<mujoco>
  <worldbody>
    <light name="lamp" pos="0 0 5"/>
    <camera name="top" pos="0 0 3" xyaxes="1 0 0 0 1 0" fovy="60"/>
    <camera name="tilted" pos="0 -2 1" xyaxes="1 0 0 0 .447 .894" fovy="50"/>
    <geom name="zoo:floor" type="plane" size="1 1 .1" rgba=".2 .2 .9 1"/>
    <geom name="plain" type="box" size=".1 .1 .1" pos=".8 -.8 .1"/>
    <body name="ball">
      <joint name="x" type="slide" axis="1 0 0"/><joint name="y" type="slide" axis="0 1 0"/>
      <geom name="cube:ball" type="box" size=".2 .2 .2" pos="0 0 .2" rgba=".9 .1 .1 1"/>
    </body>
  </worldbody>
</mujoco>"""


def component(kind, name=None, **config):
    groups = {f"{key}Properties": value for key, value in config.items()}
    return {"type": kind, "name": name or kind, "config": groups}


TRACKER = component(
    "Tracker",
    string={
        "camera_names": "top",
        "tracked_object_names": "ball",
        "tracked_object_aliases": "cube",
    },
)
FOV = component("CameraRandomizer", float={"position_radius": 0, "quat_radius": 0, "fov_radius": 9})


@pytest.fixture
def make(tmp_path):
    opened = []

    def build(*components, servers=1, start=True, mjcf=MJCF, **fields):
        (tmp_path / "model.xml").write_text(mjcf)
        (tmp_path / "mapping").write_text("x, 1\ny, 0\n")
        (tmp_path / "config.json").write_text(json.dumps({"components": components}))
        config = orrb.RemoteRendererConfig()
        config.camera_names = ["top"]
        config.model_xml_path = "model.xml"
        config.model_mapping_path = "mapping"
        config.renderer_config_path = "config.json"
        config.asset_basedir = str(tmp_path)
        config.image_width, config.image_height = 48, 40
        for name, value in fields.items():
            setattr(config, name, value)
        pairs = [[0, 7000 + i] for i in range(servers)]
        renderer = orrb.RemoteRenderer("test", pairs, config)
        opened.append(renderer)
        if start:
            renderer.start()
        return renderer

    yield build
    for each in opened:
        each.shutdown()


def batch(count=1, seed=0, **more):
    return {"qpos": [[0.0, 0.0]] * count, "seed": seed, **more}


ALL = {"render_depth": True, "render_normals": True, "render_segmentation": True}


def test_formats_against_what_must_come_out(make):
    renderer = make(**ALL, render_alpha=True)
    asked: dict[str, Any] = {"qpos": np.array([[0.4, -0.3, 99.0]]), "seed": 3, "mine": "kept"}
    result = renderer.render_batch(asked)
    assert result is asked
    assert result["mine"] == "kept"
    shapes = {
        "top": ((1, 40, 48, 4), np.uint8),
        "top_depth": ((1, 40, 48), np.float32),
        "top_normals": ((1, 40, 48, 3), np.float32),
        "top_segmentation": ((1, 40, 48), np.uint8),
    }
    for key, (shape, dtype) in shapes.items():
        assert (result[key].shape, result[key].dtype) == (shape, dtype)
    assert set(result) == {"qpos", "seed", "mine", *shapes}
    # Half the picture's height is 3 m * tan 30 degrees at the floor, 2.6 m at the box's top.
    scale = 20 / math.tan(math.radians(30)) / 2.6
    column, row = round(24 - 0.3 * scale), round(20 + 0.4 * scale)  # row 0 is the bottom: y up
    assert result["top_segmentation"][0, row, column] == 1
    assert result["top"][0, row, column, 0] > 2 * result["top"][0, row, column, 2]
    assert result["top_depth"][0, row, column] == pytest.approx(2.6 * 19.9 / 20 + 0.1, abs=1e-4)
    assert result["top_normals"][0, row, column] == pytest.approx([0.5, 0.5, 1.0], abs=1e-6)
    assert result["top_segmentation"][0, 20, 16] == 2
    assert result["top_depth"][0, 20, 16] == pytest.approx(3 * 19.9 / 20 + 0.1, abs=1e-4)


def test_what_is_not_there_is_zero(make):
    result = make(**ALL, render_alpha=True).render_batch(batch())
    nothing = result["top_depth"][0] == 0
    assert nothing.any()
    assert not nothing.all()
    assert not result["top_normals"][0][nothing].any()
    assert not result["top_segmentation"][0][nothing].any()
    assert np.array_equal(result["top"][0, ..., 3], np.where(nothing, 0, 255))
    # a geom without a colon is of no category, although it is there
    ids = result["top_segmentation"][0]
    assert (ids[~nothing] == 0).any()


def test_switches_of_the_encodings(make):
    fields = {"depth_encoding": "metric", "normals_encoding": "unit", "first_row": "top"}
    ours = make(**ALL, **fields, segmentation_encoding="ids").render_batch(batch())
    theirs = make(**ALL).render_batch(batch())
    assert np.isinf(ours["top_depth"]).any()
    flipped = theirs["top_depth"][:, ::-1]
    seen = np.isfinite(ours["top_depth"])
    assert np.allclose(ours["top_depth"][seen] * 19.9 / 20 + 0.1, flipped[seen], atol=1e-5)
    assert np.array_equal(ours["top"], theirs["top"][:, ::-1])
    normals = ours["top_normals"] * 0.5 + 0.5
    assert np.allclose(normals[seen], theirs["top_normals"][:, ::-1][seen], atol=1e-6)
    assert ours["top_segmentation"].dtype == np.int32
    assert ours["top_segmentation"].max() > 2
    with pytest.raises(orrb.RendererError, match="depth_encoding: expected one of orrb, metric"):
        make(start=False, depth_encoding="yards")


def test_seeds_win_over_seed_and_seed_counts_up(make):
    renderer = make(FOV)
    counted = renderer.render_batch(batch(3, seed=5))["top"]
    listed = renderer.render_batch(batch(3, seed=99, seeds=np.array([5, 6, 7])))["top"]
    turned = renderer.render_batch(batch(3, seeds=[7, 6, 5]))["top"]
    assert np.array_equal(counted, listed)
    assert np.array_equal(counted, turned[::-1])
    assert not np.array_equal(counted[0], counted[1])


def test_any_seed_of_int64_is_drawn(make):
    renderer = make(FOV)
    for seed in (2**31, 2**31 + 5, 2**63 - 1, -1):
        result = renderer.render_batch(batch(seed=seed))
        again = renderer.render_batch(batch(seeds=np.array([seed], np.int64)))
        assert np.array_equal(result["top"], again["top"])


WRONG = {
    "no 'qpos'": {"seed": 0},
    "neither 'seed'.*nor 'seeds'": {"qpos": [[0, 0]]},
    "seed: 9223372036854775808 is beyond int64": batch(seed=2**63),
    "is beyond int64": batch(2, seed=2**63 - 1),
    r"seeds\[0\]: .* is beyond int64": batch(seeds=[2**64]),
    "seeds: expected 1, one for each row": batch(seeds=[1, 2]),
    "seed: expected an integer, got 0.5": batch(seed=0.5),
    "rows of different lengths": {"qpos": [[0, 0], [0]], "seed": 0},
    r"NaN or infinity at index \[0, 1\]": {"qpos": [[0, math.nan]], "seed": 0},
    r"expected shape \(N, nq\)": {"qpos": [0.0, 0.0], "seed": 0},
    r"expected \(N, 2\) or more columns": {"qpos": [[0.0]], "seed": 0},
    "expected numbers": {"qpos": [["a", "b"]], "seed": 0},
}


def test_wrong_requests_raise_at_once_and_the_queue_gets_the_error(make):
    plain = make()
    for message, wrong in WRONG.items():
        before = dict(wrong)
        with pytest.raises(orrb.RendererError, match=message):
            plain.render_batch(wrong)
        assert wrong.keys() == before.keys()
        results: queue.Queue[Any] = queue.Queue()
        plain.render_batch_async(wrong, results)
        error = results.get(timeout=10)
        assert isinstance(error, orrb.RendererError)
        with pytest.raises(orrb.RendererError, match=message):
            error["top"]
    with pytest.raises(orrb.RendererError, match="expected a dict, got list"):
        plain.render_batch([])
    assert plain.render_batch(batch())["top"].any()
    assert plain.render_batch({"qpos": np.zeros((0, 2)), "seed": 0})["top"].shape == (0, 40, 48, 3)


def test_an_unknown_camera_is_an_error_at_the_start(make):
    with pytest.raises(orrb.RendererError, match="unknown camera 'tpo'; did you mean 'top'"):
        make(camera_names=["tpo"])


@pytest.mark.parametrize(
    ("components", "message"),
    [
        ([{"type": "Trakcer"}], r"config.json.*components\[0\].*did you mean 'Tracker'"),
        ([component("Hide", string={"geom_prefx": "x"})], "did you mean 'geom_prefix'"),
        ([component("Hide", bogus={})], "unknown property group 'bogusProperties'"),
    ],
)
def test_unknown_components_are_errors(make, components, message):
    with pytest.raises(orrb.RendererError, match=message):
        make(*components)


def test_a_tracked_object_that_is_not_there_is_an_error(make):
    wrong = {"camera_names": "top", "tracked_object_names": "bal"}
    with pytest.raises(orrb.RendererError, match="did you mean 'ball'"):
        make(component("Tracker", string=wrong))


def test_every_caller_gets_its_own_result(make):
    renderer = make(servers=2, render_segmentation=True)
    places = np.linspace(-0.6, 0.6, 8)

    def ask(place):
        given: dict[str, Any] = {"qpos": [[0.0, place]] * 3, "seed": 1, "who": place}
        for _ in range(4):
            result = renderer.render_batch(given)
            assert result is given
            columns = np.argwhere(result["top_segmentation"][0] == 1)[:, 1]
            assert (columns.mean() - 23.5) / (20 / math.tan(math.radians(30)) / 2.6) == (
                pytest.approx(place, abs=0.05)
            )

    with ThreadPoolExecutor(8) as callers:
        list(callers.map(ask, places))


def test_dead_workers_are_replaced_in_the_middle_of_a_batch(make):
    renderer = make(FOV, servers=2)
    clean = renderer.render_batch(batch(300))["top"]
    results: queue.Queue[Any] = queue.Queue()
    renderer.render_batch_async(batch(300), results)
    time.sleep(0.05)
    for pid in renderer.pids:
        os.kill(pid, signal.SIGKILL)
    assert np.array_equal(results.get(timeout=60)["top"], clean)


def test_workers_that_hang_are_replaced(make):
    renderer = make(FOV, deadline=1.5)
    clean = renderer.render_batch(batch(20))["top"]
    results: queue.Queue[Any] = queue.Queue()
    for pid in renderer.pids:
        os.kill(pid, signal.SIGSTOP)
    renderer.render_batch_async(batch(20), results)
    assert np.array_equal(results.get(timeout=60)["top"], clean)


def test_a_batch_is_drawn_as_it_was_when_it_came(make):
    renderer = make(TRACKER)
    results: queue.Queue[Any] = queue.Queue()
    states = np.zeros((50, 2))
    asked = {"qpos": states, "seed": 0}
    renderer.render_batch_async(asked, results)
    states += 0.5
    asked["seed"] = 2**70
    told = results.get(timeout=30)["tracker_cube_X_top"]
    assert told == pytest.approx(np.full((50, 2), 0.5), abs=1e-6)


PROGRAM = """
import queue, sys
import heliograph.compat.orrb as orrb
config = orrb.RemoteRendererConfig()
config.camera_names = ["top"]
config.model_xml_path, config.renderer_config_path = "model.xml", "config.json"
config.asset_basedir = sys.argv[1]
renderer = orrb.RemoteRenderer("forgotten", [[0, 7000]], config)
renderer.start()
results = queue.Queue()
for i in range(3):
    renderer.render_batch_async({"qpos": [[0.0, 0.0]] * 2000, "seed": i}, results)
print(*renderer.pids)
"""


def test_a_program_that_forgets_to_shut_down_ends_nevertheless(make, tmp_path):
    make(start=False)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    pids = [int(pid) for pid in done.stdout.split()]
    end = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_gpu_ids_mean_devices_only_where_there_are_gpus(monkeypatch, tmp_path):
    configs = orrb.utils.build_server_configs(2, 3, 7000, 0, 1)
    monkeypatch.setattr(servers, "_DEVICES", tmp_path)
    assert servers._by_device(configs) == {None: 6}
    (tmp_path / "nvidia0").touch()
    assert servers._by_device(configs) == {0: 3, 1: 3}


def test_servers_and_batches_change_no_pixel(make):
    parts = [FOV, component("PostProcessingRandomizer", bool={"enable_grain": True})]
    one = make(*parts).render_batch(batch(6))["top"]
    many = make(*parts, servers=2)
    again = np.concatenate([many.render_batch(batch(2, seed=2 * i))["top"] for i in range(3)])
    assert np.array_equal(one, again)


def test_grain_is_reproducible(make):
    grain = component(
        "PostProcessingRandomizer",
        bool={
            "enable_grain": True,
            "enable_bloom": False,
            "enable_color_grading": False,
            "enable_ambient_occlusion": False,
        },
        float={"grain_min_intensity": 0.8, "grain_max_intensity": 1.0},
    )
    renderer, clean = make(grain), make()
    first = renderer.render_batch(batch(2))["top"]
    time.sleep(1.1)  # ORRB's followed the clock
    assert np.array_equal(first, renderer.render_batch(batch(2))["top"])
    assert not np.array_equal(first, clean.render_batch(batch(2))["top"])


def test_depth_and_segmentation_follow_a_randomized_field_of_view(make):
    renderer = make(FOV, TRACKER, **ALL)
    result = renderer.render_batch(batch(6))
    bounds = result["tracker_cube_X_top_bbox"]
    wide = bounds[:, 1] - bounds[:, 0]
    assert np.ptp(wide) > 0.004
    for i in range(6):
        ball = result["top_segmentation"][i] == 1
        near = np.abs(result["top_depth"][i] - (2.6 * 19.9 / 20 + 0.1)) < 1e-3
        red = result["top"][i, ..., 0] > 2 * result["top"][i, ..., 2].astype(int)
        assert np.array_equal(ball & near, near)
        assert (ball == red).mean() > 0.99
    fov_y = 2 * np.arctan(0.2 / 2.6 / (wide * 48 / 40))
    assert np.ptp(np.degrees(fov_y)) < 9


def test_trackers_tell_where_things_are(make):
    renderer = make(TRACKER)
    result = renderer.render_batch({"qpos": [[0.4, -0.3], [0.0, 0.0]], "seed": 0})
    camera = Camera.look_at(
        eye=(0, 0, 3), target=(0, 0, 0), up=(0, 1, 0), fov_y=math.radians(60), width=48, height=40
    )
    corners = np.array([[x, y, z] for x in (-0.5, -0.1) for y in (0.2, 0.6) for z in (0, 0.4)])
    seen = camera.project(corners) / (48, 40)
    seen[:, 1] = 1 - seen[:, 1]
    expected = [seen[:, 0].min(), seen[:, 0].max(), seen[:, 1].min(), seen[:, 1].max()]
    assert result["tracker_cube_X_top_bbox"][0] == pytest.approx(expected, abs=1e-6)
    assert result["tracker_cube_X_top"][1] == pytest.approx([0.5, 0.5], abs=1e-6)
    assert result["tracker_cube_X_top"].dtype == np.float64


def test_a_tracker_repeats_nothing_on_update(make):
    renderer = make(TRACKER)
    before = renderer.render_batch(batch(2))
    for names in ("ball", "ball", "plain"):
        config = renderer.mutable_renderer_config()
        config.components[0].config.string_properties["tracked_object_names"] = names
        renderer.update(config)
    after = renderer.render_batch(batch(2))
    assert before.keys() == after.keys()
    assert after["tracker_cube_X_top"].shape == (2, 2)
    assert after["tracker_cube_X_top"][0, 0] > 0.6


SHAPES = """<mujoco>
  <asset><mesh name="tetra" vertex="0 0 0  1 0 0  0 1 0  0 0 1" scale=".3 .3 .3"/>
    <material name="lamps" rgba="1 .5 .5 1" emission=".5"/></asset>
  <worldbody>
    <light pos="0 0 5"/>
    <camera name="top" pos="0 0 3" xyaxes="1 0 0 0 1 0" fovy="60"/>
    <geom name="zoo:floor" type="plane" size="2 2 .1"/>
    <body name="cube:middle" pos="-.5 0 .2" euler="0 0 45">
      <joint name="x" type="slide" axis="0 0 1" range="0 .1"/>
      <geom name="cube:middle" type="box" size=".1 .1 .1"/>
      <geom name="cube:side" type="box" size=".02 .02 .02" pos="0 .8 0"/>
      <site name="led" type="sphere" size=".15" pos="0 -.6 .1" material="lamps"/>
    </body>
    <body pos=".5 .4 .1">
      <joint name="y" type="slide" axis="0 0 1" range="0 .1"/>
      <geom name="rod" type="capsule" size=".1 .2"/><geom name="thing" type="mesh" mesh="tetra"/>
    </body>
  </worldbody>
</mujoco>"""


def test_shapes_are_tracked_by_orrbs_names_in_boxes_along_the_world(make):
    nodes = ("cube:middle(primitive)", "cube:middle", "rod(top_sphere)", "rod(cylinder)", "rod")
    tracked = ",".join((*nodes, "tetra_mesh_0", "thing"))
    told = {"camera_names": "top", "tracked_object_names": tracked}
    told["tracked_object_aliases"] = "a,b,c,d,e,f,g"
    renderer = make(component("Tracker", string=told), mjcf=SHAPES, render_segmentation=True)
    result = renderer.render_batch({"qpos": [[0.0, 0.05]], "seed": 0})
    boxes = {name: result[f"tracker_{name}_X_top_bbox"][0] for name in "abcdefg"}
    assert np.array_equal(boxes["a"], boxes["b"])  # the geom, not the body with its side
    assert np.array_equal(boxes["c"], boxes["d"])
    assert np.array_equal(boxes["d"], boxes["e"])
    assert np.array_equal(boxes["f"], boxes["g"])
    # A cube turned by 45 degrees, 0.05 m up (columns are swapped by the mapping).
    half, near = 0.1 * math.sqrt(2), 3 - 0.35
    scale = 1 / (2 * math.tan(math.radians(30)) * near)
    left, _, low, high = boxes["a"]
    assert left == pytest.approx(0.5 + (-0.5 - half) * scale * 40 / 48, abs=1e-6)
    assert high - low == pytest.approx(2 * half * scale, abs=1e-6)
    wrong = {"camera_names": "top", "tracked_object_names": "cube:midle"}
    with pytest.raises(orrb.RendererError, match="did you mean 'cube:middle'"):
        make(component("Tracker", string=wrong), mjcf=SHAPES)


def test_joints_beyond_their_range_are_drawn_at_its_end(make):
    renderer = make(mjcf=SHAPES, render_depth=True)
    far = renderer.render_batch({"qpos": [[9.0, 9.0], [0.1, 0.1], [-9.0, -9.0], [0, 0]], "seed": 0})
    depth = far["top_depth"]
    assert np.array_equal(depth[0], depth[1])
    assert np.array_equal(depth[2], depth[3])
    assert not np.array_equal(depth[0], depth[2])
    assert far["qpos"][0] == [9.0, 9.0]


def test_lamps_that_are_sites_are_lit_or_spared(make):
    lit = component(
        "MaterialFixedHueRandomizer",
        string={"material_prefix": "lamps"},
        float={"emission_radius": 1, "max_emission": 1, "emission_probability": 1.1},
    )
    paint = component("MaterialRandomizer", string={"blacklist_prefix": "lamps"})
    plain, varied, spared = (
        make(*parts, mjcf=SHAPES).render_batch(batch(4))["top"] for parts in ((), (lit,), (paint,))
    )
    red = plain[0].astype(int)
    led = (red[..., 0] > red[..., 1] + 40) & (red[..., 0] > red[..., 2] + 40)
    assert led.sum() >= 8
    assert np.ptp(varied[:, led], axis=0).max() > 20
    assert np.array_equal(plain[:, 0], varied[:, 0])
    assert np.array_equal(plain[0][led], spared[1][led])
    assert not np.array_equal(plain[0][~led], spared[1][~led])


def test_a_geom_is_hidden_though_a_body_has_its_name(make):
    hide = component("Hide", string={"geom_prefix": "cube:middle"})
    plain, hidden = (
        make(*parts, mjcf=SHAPES, render_segmentation=True).render_batch(batch())
        for parts in ((), (hide,))
    )
    cube, side = ((each["top_segmentation"] == 1).sum() for each in (plain, hidden))
    assert cube > 4
    assert side <= 1  # the other geom of the category is less than a pixel


def test_pictures_may_be_written_to(make):
    result = make(**ALL, servers=2).render_batch(batch(5))
    for name in ("top", "top_depth", "top_normals", "top_segmentation"):
        result[name][2] = 1
        assert result[name].flags.writeable
        assert not (result[name][3] == 1).all()


def test_the_order_of_numbers_is_orrbs(make):
    renderer = make(FOV, TRACKER)
    seed = 2**31 - 1
    bounds = renderer.render_batch(batch(seed=seed))["tracker_cube_X_top_bbox"][0]
    fov = 9 / 2 - 9 * (UnityRandom(seed).bits() % 2**23) / 8388607  # the first camera's first
    half = 0.2 / 2.6 / math.tan(math.radians(60 + fov) / 2) / 2
    assert bounds[3] - bounds[2] == pytest.approx(2 * half, abs=1e-6)


def test_updates_apply_to_batches_queued_after_and_keep_what_is_absent(make):
    properties = component("CameraProperties", float={"field_of_view": 60})
    renderer = make(properties, TRACKER, **ALL)
    results: queue.Queue[Any] = queue.Queue()
    before = batch(40)
    renderer.render_batch_async(before, results)
    renderer.update({"components": [component("CameraProperties", float={"field_of_view": 30})]})
    after = renderer.render_batch(batch())
    assert results.get(timeout=30) is before
    wide, narrow = (np.diff(each["tracker_cube_X_top_bbox"][0, :2])[0] for each in (before, after))
    assert np.ptp(before["tracker_cube_X_top_bbox"], axis=0).max() == 0
    assert narrow / wide == pytest.approx(
        math.tan(math.radians(30)) / math.tan(math.radians(15)), rel=1e-6
    )
    with pytest.raises(orrb.RendererError, match="did you mean 'field_of_view'"):
        renderer.update({"components": [component("CameraProperties", float={"field_of_vie": 30})]})
    assert np.array_equal(renderer.render_batch(batch())["top"], after["top"])


@pytest.mark.parametrize(
    "entry",
    [
        {**FOV, "name": "\udc80"},
        {**FOV, "path": "a/\udc80"},
        component("LookAt", string={"\udc80": "x"}),
        component("CameraCalibrator", string={"camera_name": "\udc80"}),
    ],
)
def test_an_update_with_what_is_no_text_changes_nothing(make, entry):
    renderer = make(FOV)
    before = renderer.render_batch(batch())["top"]
    with pytest.raises(orrb.RendererError, match=r"components\[0\]"):
        renderer.update({"components": [entry]})
    assert np.array_equal(renderer.render_batch(batch())["top"], before)


@pytest.mark.parametrize("wrong", [None, 3, []])
def test_what_no_batch_can_be_put_into_is_refused(make, wrong):
    renderer = make(start=False)
    with pytest.raises(orrb.RendererError, match=r"queue: expected a queue\.Queue"):
        renderer.render_batch_async(batch(), wrong)


def test_an_update_does_not_wait_for_what_is_queued(make):
    renderer = make(FOV)
    results: queue.Queue[Any] = queue.Queue()
    renderer.render_batch_async(batch(3000), results)
    for angle in range(20):
        renderer.update(
            {"components": [component("CameraRandomizer", float={"fov_radius": angle})]}
        )
    assert results.empty()


def test_arrays_go_when_nobody_looks_at_them(make):
    renderer = make(FOV, TRACKER)
    gc.disable()
    try:
        result = renderer.render_batch(batch(3))
        array = weakref.ref(result["top"])
        del result
        assert array() is None
    finally:
        gc.enable()


def test_several_pools_share_a_batch(make, monkeypatch):
    parts = [FOV, TRACKER]
    one = make(*parts, **ALL).render_batch(batch(7))
    monkeypatch.setattr(servers, "_by_device", lambda _: {None: 2, 0: 1})
    many = make(*parts, **ALL, servers=3)
    assert len(many.pids) == 3
    for count in (7, 1, 0):
        result = many.render_batch(batch(count))
        for key in one.keys() - {"qpos", "seed"}:
            assert np.array_equal(result[key], one[key][:count]), key


def test_before_and_after_the_workers_there_are_errors_and_no_waiting(make):
    renderer = make(start=False)
    with pytest.raises(orrb.RendererError, match=r"not started; call start\(\)"):
        renderer.render_batch(batch())
    renderer.start()
    renderer.start()
    results: queue.Queue[Any] = queue.Queue()
    for i in range(6):
        renderer.render_batch_async(batch(200, seed=i), results)
    renderer.shutdown()
    outcomes = [results.get(timeout=10) for _ in range(6)]
    assert any(isinstance(each, orrb.RendererError) for each in outcomes)
    assert not renderer.pids
    renderer.shutdown()
    with pytest.raises(orrb.RendererError, match="not started"):
        renderer.render_batch(batch())
    renderer.start()
    assert renderer.render_batch(batch())["top"].any()


@contextmanager
def alarms(seconds, interval, handler):
    """Signals while a block runs, and a traceback in place of waiting for ever."""
    faulthandler.dump_traceback_later(60, exit=True)
    before = signal.signal(signal.SIGALRM, lambda *_: handler())
    signal.setitimer(signal.ITIMER_REAL, seconds, interval)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        faulthandler.cancel_dump_traceback_later()


def test_a_signal_handler_may_shut_down_what_starts(make):
    renderer = make(start=False)
    with (
        alarms(0.2, 0, renderer.shutdown),
        pytest.raises(orrb.RendererError, match="shut down while it started"),
    ):
        renderer.start()
    assert not renderer.pids
    renderer.start()
    assert renderer.render_batch(batch())["top"].any()


def test_a_signal_handler_may_start_what_starts(make):
    renderer = make(start=False)
    with alarms(0.2, 0, renderer.start):
        renderer.start()
    assert len(renderer.pids) == 1
    assert renderer.render_batch(batch())["top"].any()


def test_signal_handlers_may_call_anything(make):
    renderer, results = make(FOV, TRACKER), queue.Queue[Any]()
    ran: list[int] = []
    errors: list[str] = []
    expected = renderer.render_batch(batch(2))["tracker_cube_X_top"]
    calls = [
        lambda: renderer.render_batch(batch(2)),
        lambda: renderer.render_batch_async(batch(2), results),
        lambda: renderer.update({"components": []}),
        renderer.mutable_renderer_config,
        renderer.start,
    ]

    def handle():
        if len(ran) < 200:
            ran.append(len(ran))
            try:
                calls[len(ran) % len(calls)]()
            except orrb.RendererError as error:  # said instead of waiting for ever
                errors.append(str(error))

    with alarms(0.001, 0.003, handle):
        while len(ran) < 200:
            for call in calls:
                call()
            assert np.array_equal(calls[0]()["tracker_cube_X_top"], expected)
    assert all("a signal handler waits for a pool that it interrupted" in each for each in errors)
    renderer.render_batch_async(batch(2, last=True), results)
    while "last" not in (result := results.get(timeout=20)):
        assert np.array_equal(result["tracker_cube_X_top"], expected)


def test_a_full_queue_has_one_thread_and_loses_nothing(make):
    renderer = make()
    narrow: queue.Queue[Any] = queue.Queue(maxsize=1)
    before = threading.active_count()
    for i in range(60):
        renderer.render_batch_async(batch(seed=i), narrow)
    renderer.render_batch(batch())  # they were all drawn before it
    assert threading.active_count() <= before + 1
    assert [narrow.get(timeout=10)["seed"] for _ in range(60)] == list(range(60))


def test_a_full_queue_stops_nobody_else(make):
    renderer = make()
    narrow: queue.Queue[Any] = queue.Queue(maxsize=1)
    for i in range(5):
        renderer.render_batch_async(batch(seed=i), narrow)
    done = threading.Event()

    def ask():
        renderer.render_batch(batch())
        done.set()

    threading.Thread(target=ask).start()
    assert done.wait(20)
    assert sorted(narrow.get(timeout=10)["seed"] for _ in range(5)) == [0, 1, 2, 3, 4]


def test_joints_that_components_draw_move_what_hangs_on_them(make):
    mjcf = MJCF.replace('type="slide" axis="1 0 0"', 'axis="0 0 1" range="-170 170"').replace(
        'pos="0 0 .2" rgba', 'pos=".5 0 .2" rgba'
    )
    renderer = make(component("JointRandomizer"), TRACKER, mjcf=mjcf, **ALL)
    result = renderer.render_batch(batch(4))
    for i in range(4):
        rows, columns = np.nonzero(result["top_segmentation"][i] == 1)
        told = result["tracker_cube_X_top"][i] * (48, 40)
        assert told == pytest.approx([columns.mean() + 0.5, rows.mean() + 0.5], abs=2.5)
    assert np.ptp(result["tracker_cube_X_top"], axis=0).max() > 0.1
