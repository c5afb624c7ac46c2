# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs
"""The NeRF engine: checkpoints of nerfstudio, their frames, and pictures of known geometry."""

from __future__ import annotations

import json
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import heliograph as hg
import nerf_scene
from heliograph.camera import Camera
from heliograph.engine import CancelToken
from heliograph.engines.nerf.checkpoint import load_checkpoint, newest_checkpoint
from heliograph.engines.nerf.engine import NerfEngine
from heliograph.engines.nerf.model import HashEncoding, NerfactoModel
from heliograph.engines.nerf.render import RayRenderer, Rays
from heliograph.errors import (
    ClosedError,
    InvalidValueError,
    SceneError,
    UnknownNameError,
)
from heliograph.testing import check_engine
from heliograph.testing.report import Verdict
from heliograph.view import View

SEEN_FROM = np.array([1.0, -0.9, 0.8])
TARGET = np.array([0.0, 0.0, -0.2])
MODEL = "_model.field.mlp_base.model.1.layers.0.weight"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The config of a run whose geometry is known."""
    return nerf_scene.write_run(tmp_path_factory.mktemp("nerf") / "run", nerf_scene.known_model())


@pytest.fixture
def own_run(tmp_path):
    """As `run`, to be spoilt."""
    return nerf_scene.write_run(tmp_path / "run", nerf_scene.known_model())


def looking(eye=SEEN_FROM, size=(48, 36), **options) -> Camera:
    width, height = size
    return Camera.look_at(
        eye=nerf_scene.to_capture(eye),
        target=nerf_scene.to_capture(TARGET),
        fov_y=nerf_scene.FOV,
        width=width,
        height=height,
        **options,
    )


def true_depth(camera: Camera) -> np.ndarray:
    """Metres along the axis to the nearest box, inf where there is none."""
    pixels = camera.pixel_centres().reshape(-1, 2)
    turn, moved = nerf_scene.TURN[:, :3], nerf_scene.TURN[:, 3]
    one, two = (
        (camera.unproject(pixels, depth) @ turn.T + moved) * nerf_scene.SCALE for depth in (1, 2)
    )
    way = two - one
    origin = one - way
    nearest = np.full(len(pixels), np.inf)
    for low, high in nerf_scene.BOXES:
        with np.errstate(divide="ignore"):
            sides = np.stack([(np.array(corner) - origin) / way for corner in (low, high)])
        enter, leave = sides.min(0).max(-1), sides.max(0).min(-1)
        hit = (enter < leave) & (leave > 0)
        nearest = np.where(hit, np.minimum(nearest, enter), nearest)
    return nearest.reshape(camera.height, camera.width)


def frame_of(engine, camera, *passes):
    return engine.render(View((camera,), passes))[camera.name]


# -- pictures


@pytest.mark.parametrize("name", ["depth", "median_depth"])
def test_depth_is_metric_and_along_the_axis_of_the_capture(run, name):
    """The frame of the capture is turned, moved and twice as large: all of it is undone."""
    with closing(NerfEngine(run)) as engine:
        camera = looking(size=(80, 60))
        seen, true = frame_of(engine, camera, name)[name], true_depth(camera)
    assert np.mean(np.isfinite(seen) == np.isfinite(true)) > 0.99
    both = np.isfinite(seen) & np.isfinite(true)
    error = np.abs(seen[both] / true[both] - 1)
    assert np.median(error) < 3e-4
    assert np.quantile(error, 0.95) < 3e-3


def test_the_model_s_own_frame_on_request(run):
    """There depths are half as many, for the capture is scaled by a half."""
    camera = looking()
    own = camera.replace(
        world_from_camera=_to_model(camera.world_from_camera),
        near=camera.near * nerf_scene.SCALE,
        far=camera.far * nerf_scene.SCALE,
    )
    with closing(NerfEngine(run)) as ours, closing(NerfEngine(run, frame="nerfstudio")) as theirs:
        metres, lengths = (
            frame_of(engine, each, "depth", "rgb")
            for engine, each in ((ours, camera), (theirs, own))
        )
    hit = np.isfinite(metres.depth)
    np.testing.assert_allclose(lengths.depth[hit], metres.depth[hit] * 0.5, rtol=1e-3)
    assert np.abs(lengths.rgb.astype(int) - metres.rgb).max() <= 1


def _to_model(pose):
    turn = np.vstack((nerf_scene.TURN, (0, 0, 0, 1)))
    moved = turn @ pose
    moved[:3, 3] *= nerf_scene.SCALE
    return moved


def test_colours_are_those_of_the_field(run):
    """The colour is a sigmoid of the place, so depth says what it must be."""
    camera = looking(size=(80, 60))
    with closing(NerfEngine(run)) as engine:
        frame = frame_of(engine, camera, "rgb", "depth", "alpha")
    sure = frame["alpha"] == 255
    points = camera.unproject(camera.pixel_centres()[sure], frame.depth[sure].astype(float))
    model = (points @ nerf_scene.TURN[:, :3].T + nerf_scene.TURN[:, 3]) * nerf_scene.SCALE
    expected = 255 / (1 + np.exp(-8 * ((model + 2) / 4 - 0.5)))
    assert sure.mean() > 0.4
    assert np.quantile(np.abs(frame.rgb[sure] - expected).max(-1), 0.98) < 1.5


def test_every_promise_of_an_engine_is_kept(tmp_path):
    run = nerf_scene.write_run(tmp_path / "run", nerf_scene.known_model(nerf_scene.FAST))
    found = check_engine(lambda: NerfEngine(run, normals="density"), camera=looking(size=(32, 48)))
    assert {"depth_is_in_metres", "near_and_far_cut", "normals_belong_to_the_surface"} <= {
        *found.of(Verdict.PASSED)
    }


def test_a_camera_that_is_orthographic_sees_the_floor_evenly(run):
    down = Camera.orthographic(
        extent_y=3,
        width=30,
        height=30,
        world_from_camera=_above((0, 0, 0.9)),
    )
    with closing(NerfEngine(run)) as engine:
        seen = frame_of(engine, down, "depth").depth
    true = true_depth(down)
    hit = np.isfinite(seen) & np.isfinite(true)
    assert hit.mean() > 0.9
    assert np.quantile(np.abs(seen[hit] / true[hit] - 1), 0.9) < 3e-3


def _above(point):
    pose = np.eye(4)
    pose[:3, 3] = nerf_scene.to_capture(point)
    pose[:3, :3] = nerf_scene.TURN[:, :3].T
    return pose


def test_what_is_left_out_does_not_show(run):
    """The pruned picture and the one of all samples are the same to a quarter of a grey level."""
    model = load_checkpoint(run).model
    rays = _some_rays()
    pruned, whole = (RayRenderer(model, prune=prune).render(rays) for prune in (True, False))
    assert (pruned.rgb - whole.rgb).abs().max() < 1e-3
    assert (pruned.accumulation - whole.accumulation).abs().max() < 2e-4
    assert (pruned.rgb - whole.rgb).abs().max() > 0


def _some_rays(count=400):
    rng = np.random.default_rng(3)
    origins = np.broadcast_to(SEEN_FROM, (count, 3))
    ways = TARGET + rng.uniform(-0.4, 0.4, (count, 3)) - origins
    ways /= np.linalg.norm(ways, axis=-1, keepdims=True)
    start, way = (torch.tensor(each.copy(), dtype=torch.float32) for each in (origins, ways))
    return Rays(start, way, torch.zeros(count, 1), torch.full((count, 1), 1e6))


@pytest.mark.parametrize("features", [1, 2, 4])
def test_hash_grids_blend_their_tables(features):
    """Against the formula, one corner of one cell at a time, in float64."""
    torch.manual_seed(1)
    grid = replace(
        nerf_scene.GRID, num_levels=3, base_res=4, max_res=19, features_per_level=features
    )
    encoding = HashEncoding(grid)
    points = torch.rand(50, 3)
    with torch.no_grad():
        encoding.hash_table.normal_()
        found = encoding(points).double()
    table, rows = encoding.hash_table.detach().double(), 2**grid.log2_hashmap_size
    for level, cells in enumerate((4, 8, 19)):
        at = points.double() * cells
        low = at.floor()
        expected = torch.zeros(50, features, dtype=torch.float64)
        for corner in np.ndindex(2, 2, 2):
            offset = torch.tensor(corner)
            blend = torch.where(offset == 1, at - low, 1 - at + low).prod(-1)
            x, y, z = (low.long() + offset).unbind(-1)
            row = (x ^ (y * 2654435761) ^ (z * 805459861)) % rows + level * rows
            expected += blend[:, None] * table[row]
        part = slice(level * features, (level + 1) * features)
        torch.testing.assert_close(found[:, part], expected, atol=1e-4, rtol=0)


# -- refinement


def test_threads_change_no_bit(run):
    camera = looking(size=(61, 45))
    pictures = []
    for threads in (1, 2, 3):
        with closing(NerfEngine(run, threads=threads)) as engine:
            pictures.append(frame_of(engine, camera, "rgb", "depth"))
    for other in pictures[1:]:
        assert other.rgb.tobytes() == pictures[0].rgb.tobytes()
        assert other.depth.tobytes() == pictures[0].depth.tobytes()


def test_refinement_computes_no_ray_twice(run, monkeypatch):
    counts = []
    whole = RayRenderer.render

    def counted(self, rays):
        counts.append(len(rays))
        return whole(self, rays)

    monkeypatch.setattr(RayRenderer, "render", counted)
    camera = looking(size=(64, 48))
    with closing(NerfEngine(run, threads=1)) as engine:
        samples = list(engine.refine(View((camera,))))
    assert sum(counts) == 64 * 48
    assert [sample["camera"].camera.size for sample in samples] == [
        (8, 6),
        (16, 12),
        (32, 24),
        (64, 48),
    ]


def test_a_coarse_picture_is_what_its_camera_sees(run):
    """The camera of a coarse frame is exactly that of its rays."""
    with closing(NerfEngine(run)) as engine:
        first = next(iter(engine.refine(View((looking(size=(96, 72)),), ("depth",)))))["camera"]
        again = frame_of(engine, first.camera, "depth")
    assert first.camera.size == (12, 9)
    hit = np.isfinite(first.depth) & np.isfinite(again.depth)
    np.testing.assert_allclose(first.depth[hit], again.depth[hit], rtol=1e-4)


def test_a_cancelled_view_stops_at_a_chunk(run, monkeypatch):
    drawn = []
    cancel = CancelToken()
    whole = RayRenderer.render

    def counted(self, rays):
        drawn.append(len(rays))
        if len(drawn) == 6:
            cancel.cancel()
        return whole(self, rays)

    monkeypatch.setattr(RayRenderer, "render", counted)
    with closing(NerfEngine(run, threads=1, chunk=64)) as engine:
        view = View((looking(size=(320, 240)),))
        assert list(engine.refine(view, cancel, levels=(1.0,))) == []
        assert len(drawn) == 6


def test_a_cancelled_view_is_left_soon_from_another_thread(run):
    """A chunk takes a few hundredths of a second; the whole picture would take many seconds."""
    cancel, left = CancelToken(), threading.Event()
    with closing(NerfEngine(run)) as engine:
        view = View((looking(size=(1280, 720)),))

        def draw() -> None:
            assert list(engine.refine(view, cancel, levels=(1.0,))) == []
            left.set()

        thread = threading.Thread(target=draw)
        thread.start()
        time.sleep(0.2)
        assert not left.is_set()
        cancel.cancel()
        assert left.wait(10)
        thread.join()


# -- what is opened


def test_a_run_opens_by_its_config_or_folder(run):
    for source in (run, run.parent, str(run)):
        with hg.open(source, size=(24, 18)) as renderer:
            assert renderer.provenance.engine == "nerf"
            assert renderer.render(hg.View())["fit"].rgb.shape == (18, 24, 3)


def test_the_cameras_of_the_capture_are_there_while_its_data_is(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    pose = looking().world_from_camera
    said = {
        "fl_x": 40.0,
        "fl_y": 41.0,
        "cx": 23.0,
        "cy": 19.0,
        "w": 48,
        "h": 36,
        "frames": [{"file_path": "images/frame_00001.png", "transform_matrix": pose.tolist()}],
    }
    (data / "transforms.json").write_text(json.dumps(said))
    config = nerf_scene.write_run(tmp_path / "run", nerf_scene.known_model(), str(data))
    with closing(NerfEngine(config)) as engine:
        assert list(engine.cameras) == ["frame_00001", "fit"]
        camera = engine.cameras["frame_00001"]
        assert (camera.fx, camera.fy, camera.cx, camera.cy) == (40, 41, 23, 19)
        np.testing.assert_allclose(camera.world_from_camera, pose)
        seen = frame_of(engine, camera, "depth").depth
    hit = np.isfinite(seen)
    assert np.median(np.abs(seen[hit] / true_depth(camera)[hit] - 1)) < 3e-4


def test_the_newest_checkpoint_is_taken(own_run):
    models = own_run.parent / "nerfstudio_models"
    (models / "step-000000999.ckpt").write_bytes(b"old")
    (models / "notes.txt").write_text("")
    assert newest_checkpoint(models).name == "step-000029999.ckpt"
    assert load_checkpoint(own_run).step == 29999


def test_predicted_normals_are_those_of_their_network(tmp_path):
    config = replace(nerf_scene.CONFIG, predict_normals=True)
    model = nerf_scene.known_model(config)
    with torch.no_grad():
        head: Any = model.field.field_head_pred_normals["net"]
        head.weight.zero_()
        head.bias.copy_(torch.tensor([0.0, 0, 9]))
    path = nerf_scene.write_run(tmp_path / "run", model)
    camera = looking()
    with closing(NerfEngine(path)) as engine:
        frame = frame_of(engine, camera, "normals", "depth")
    up = camera.world_from_camera[:3, :3].T @ nerf_scene.TURN[:, :3].T @ (0, 0, 1)
    hit = np.isfinite(frame.depth)
    np.testing.assert_allclose(frame.normals[hit], np.broadcast_to(up, (hit.sum(), 3)), atol=1e-5)
    assert not frame.normals[~hit].any()


def test_a_model_without_contraction_fills_its_box(tmp_path):
    config = replace(nerf_scene.CONFIG, disable_scene_contraction=True)
    path = nerf_scene.write_run(tmp_path / "run", nerf_scene.known_model(config))
    camera = looking()
    with closing(NerfEngine(path)) as engine:
        seen = frame_of(engine, camera, "depth").depth
    true = true_depth(camera)
    both = np.isfinite(seen) & np.isfinite(true)
    assert np.median(np.abs(seen[both] / true[both] - 1)) < 3e-4


def test_white_stands_behind_what_is_seen(tmp_path):
    config = replace(nerf_scene.CONFIG, background_color="white")
    path = nerf_scene.write_run(tmp_path / "run", nerf_scene.known_model(config))
    with closing(NerfEngine(path)) as engine:
        frame = frame_of(engine, looking(), "rgb", "depth")
    assert (frame.rgb[np.isinf(frame.depth)] == 255).all()


# -- bad input


def test_a_config_runs_no_code(own_run, tmp_path):
    """Every way in which PyYAML's own loaders would call something."""
    mark = tmp_path / "ran"
    text = own_run.read_text()
    calls = f"""
evil_apply: !!python/object/apply:os.system ["touch {mark}"]
evil_new: !!python/object/new:pathlib.Path ["{mark}"]
evil_name: !!python/name:os.system ''
evil_module: !!python/module:antigravity ''
evil_object: !!python/object:subprocess.Popen {{args: [touch, "{mark}"]}}
evil_tag: !touch {mark}
"""
    own_run.write_text(text + calls)
    with closing(NerfEngine(own_run)) as engine:
        frame_of(engine, looking(size=(8, 6)), "rgb")
    assert not mark.exists()


class Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def test_a_checkpoint_runs_code_only_where_it_is_trusted(own_run, tmp_path):
    mark = tmp_path / "ran"
    path = own_run.parent / "nerfstudio_models" / "step-000029999.ckpt"
    held = nerf_scene.state_of(nerf_scene.known_model()) | {"evil": Evil(mark)}
    torch.save(held, path)
    with pytest.raises(SceneError, match=r"asks for code to be run .*give trust=True"):
        NerfEngine(own_run)
    assert not mark.exists()
    NerfEngine(own_run, trust=True).close()
    assert mark.exists()


def spoilt(path: Path, key: str, value) -> None:
    held = nerf_scene.state_of(nerf_scene.known_model())
    if value is None:
        del held["pipeline"][key]
    else:
        held["pipeline"][key] = value
    torch.save(held, path.parent / "nerfstudio_models" / "step-000029999.ckpt")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            MODEL,
            torch.zeros(64, 32),
            r"layers.0.weight: expected \(16, 4\) numbers, got \(64, 32\)",
        ),
        (MODEL, None, r"layers.0.weight: expected \(16, 4\) numbers, got nothing"),
        ("_model.field.more", torch.zeros(3), r"field.more: expected nothing, got \(3,\) numbers"),
        ("_model.field.max_res", torch.tensor(2048), "field.max_res: expected 4, got 2048"),
        ("_model.field.mlp_base.model.params", torch.zeros(99), "trained with tiny-cuda-nn"),
    ],
)
def test_shapes_that_do_not_fit_are_named(own_run, key, value, message):
    spoilt(own_run, key, value)
    with pytest.raises(SceneError, match=message) as error:
        NerfEngine(own_run)
    assert "step-000029999.ckpt" in str(error.value)


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("config.yml", "config.yml: no such file"),
        ("dataparser_transforms.json", "dataparser_transforms.json: no such file"),
        ("nerfstudio_models/step-000029999.ckpt", "expected a checkpoint such as step-000029999"),
    ],
)
def test_missing_files_are_named(own_run, gone, message):
    (own_run.parent / gone).unlink()
    with pytest.raises(SceneError, match=message):
        NerfEngine(own_run)


def test_a_checkpoint_that_is_cut_short_is_refused(own_run):
    path = own_run.parent / "nerfstudio_models" / "step-000029999.ckpt"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(SceneError, match="cut short"):
        NerfEngine(own_run)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("NerfactoModel ''", "SplatfactoModel ''", "expected a nerfacto model .* got .*Splatfacto"),
        ("num_levels: 2\n    num_nerf", "num_levels: many\n    num_nerf", "expected an integer"),
        ("far_plane: 1000.0", "far_plane: .nan", "far_plane: expected a number above 0, got nan"),
        ("background_color: black", "background_color: plaid", "expected one of last_sample"),
        ("log2_hashmap_size: 13\n    max", "log2_hashmap_size: 60\n    max", "integer, 1 to 26"),
        ("pipeline:", "pipelines:", "pipeline: expected a mapping"),
        ("method_name: nerfacto", "method_name: [", "expected nerfstudio's config as YAML"),
    ],
)
def test_configs_that_make_no_sense_are_refused(own_run, old, new, message):
    text = own_run.read_text()
    assert old in text
    own_run.write_text(text.replace(old, new))
    with pytest.raises(SceneError, match=message):
        NerfEngine(own_run)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"transform": np.eye(3, 4).tolist(), "scale": 0}, "scale: expected a number above 0"),
        ({"transform": (2 * np.eye(3, 4)).tolist(), "scale": 1}, "transform: expected a rotation"),
        ({"transform": None, "scale": 1}, "transform: expected a rotation"),
        ([], "expected a JSON object"),
    ],
)
def test_transforms_that_make_no_sense_are_refused(own_run, said, message):
    (own_run.parent / "dataparser_transforms.json").write_text(json.dumps(said))
    with pytest.raises(SceneError, match=message):
        NerfEngine(own_run)


def test_options_that_make_no_sense_are_refused(run):
    with pytest.raises(UnknownNameError, match="unknown frame 'colmap'"):
        NerfEngine(run, frame="colmap")  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="device: expected one that torch can use"):
        NerfEngine(run, device="abacus")
    with pytest.raises(SceneError, match="the model predicts none"):
        NerfEngine(run, normals="predicted")
    with pytest.raises(InvalidValueError, match="threads"):
        NerfEngine(run, threads=-1)


def test_closed_is_closed(run):
    engine = NerfEngine(run)
    engine.close()
    engine.close()
    with pytest.raises(ClosedError):
        engine.render(View())


def test_the_names_are_nerfstudio_s():
    """As nerfstudio 1.1.5 writes them for a model that predicts normals."""
    config = replace(nerf_scene.CONFIG, predict_normals=True, num_layers=2)
    names = set(NerfactoModel(config).state_dict())
    linear = {
        *(f"field.mlp_base.model.1.layers.{i}" for i in range(2)),
        *(f"field.mlp_head.layers.{i}" for i in range(3)),
        *(f"field.mlp_pred_normals.layers.{i}" for i in range(3)),
        "field.field_head_pred_normals.net",
        *(f"proposal_networks.{n}.mlp_base.1.layers.{i}" for n in (0, 1) for i in range(3)),
    }
    parts = ("field", "proposal_networks.0", "proposal_networks.1")
    numbers = ("aabb", "max_res", "num_levels", "log2_hashmap_size")
    assert names == {
        "device_indicator_param",
        "field.embedding_appearance.embedding.weight",
        "field.mlp_base.model.0.hash_table",
        *(f"{part}.{number}" for part in parts for number in numbers),
        *(f"proposal_networks.{n}.encoding.hash_table" for n in (0, 1)),
        *(f"proposal_networks.{n}.mlp_base.0.hash_table" for n in (0, 1)),
        *(f"{each}.{kind}" for each in linear for kind in ("weight", "bias")),
    }
