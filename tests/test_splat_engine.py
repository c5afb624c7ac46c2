"""The splat engine, and scenes turned into splats."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heliograph as hg
from heliograph.cli import main
from heliograph.engines.registry import engine_of
from heliograph.engines.shared.splats import joined, normals_from_depth
from heliograph.engines.splat import SplatEngine
from heliograph.engines.splat.from_scene import around, splat_scene
from heliograph.errors import MissingDependencyError
from heliograph.frame import Frame
from heliograph.passes import PassName
from heliograph.splats.files import read_splats, write_ply
from heliograph.splats.gaussians import Gaussians
from heliograph.testing import Verdict, check_engine
from splat_scenes import splats, wall

ALL: tuple[PassName, ...] = ("rgb", "depth", "normals", "segmentation", "alpha", "distance")
EYE = hg.Camera.look_at(
    eye=(0, -4, 0), target=(0, 0, 0), fov_y=0.9, width=121, height=91, name="eye"
)
MIDDLE = 45, 60
MJCF = """
<mujoco>
  <visual><headlight diffuse="0 0 0" ambient="1 1 1" specular="0 0 0"/></visual>
  <worldbody>
    <geom name="floor" type="box" size="2 2 .05" pos="0 0 -.05" rgba=".7 .6 .5 1"/>
    <geom name="box" type="box" size=".3 .4 .3" pos=".5 0 .3" rgba=".9 .2 .1 1"/>
    <geom name="ball" type="sphere" size=".4" pos="-.6 .2 .4" rgba=".1 .3 .9 1"/>
  </worldbody>
</mujoco>
"""


TIPPED = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])


@pytest.fixture
def engine() -> Iterator[SplatEngine]:
    made = SplatEngine(wall())
    yield made
    made.close()


def drawn(engine: SplatEngine, *edits: hg.Edit, camera: Any = EYE, **order: Any) -> Frame:
    sample = engine.render(hg.View(camera, order.pop("passes", ALL), edits=edits, **order))
    return next(iter(sample))


def ground() -> Gaussians:
    """A floor of two colours, without an edge to be seen."""
    west = wall(x=(-6, 0), z=(-6, 6), spacing=0.15, colour=(0.6, 0.5, 0.4))
    east = wall(x=(0, 6), z=(-6, 6), spacing=0.15, colour=(0.2, 0.4, 0.6))
    return joined([west, east]).transformed(TIPPED)


def test_a_wall_is_where_it_is(engine: SplatEngine) -> None:
    frame = drawn(engine, passes=engine.passes)
    assert frame.depth[MIDDLE] == pytest.approx(4, rel=1e-4)
    assert frame["expected_depth"][MIDDLE] == pytest.approx(4, rel=1e-4)
    assert frame.normals[MIDDLE] == pytest.approx((0, 0, 1), abs=1e-3)
    assert frame.rgb[MIDDLE] == pytest.approx((255, 0, 0), abs=3)
    assert frame["alpha"][MIDDLE] >= 252
    assert frame.labels[int(frame.segmentation[MIDDLE])] == ("splat", "splat")
    assert frame.rgb[0, 0].tolist() == [0, 0, 0]
    assert np.isposinf(frame.depth[0, 0])
    column, _row = EYE.project((1, 0, 0))
    edge = np.flatnonzero(frame.segmentation[45])[-1]
    assert edge + 1 == pytest.approx(column, abs=1.5)


def test_passes_are_the_same_bits_alone_and_again(engine: SplatEngine) -> None:
    frame = drawn(engine, passes=engine.passes)
    drawn(engine, hg.MoveObject("splat", np.eye(4), scale=2))
    for name in engine.passes:
        assert np.array_equal(drawn(engine, passes=engine.passes[name])[name], frame[name])


@pytest.mark.parametrize("projection", ["perspective", "parallel"])
def test_normals_are_those_of_a_slanted_wall(projection: str) -> None:
    angle = 0.6
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    camera = EYE
    if projection == "parallel":
        camera = hg.Camera.orthographic(
            extent_y=1.5, width=121, height=91, world_from_camera=EYE.world_from_camera
        )
    engine = SplatEngine(wall().transformed(turn))
    frame = drawn(engine, camera=camera)
    engine.close()
    seen = np.isfinite(frame.depth)
    inside = seen & (np.abs(np.arange(121) - 60) < 20) & (np.abs(np.arange(91) - 45) < 15)[:, None]
    expected = (np.sin(angle), 0, np.cos(angle))
    assert np.abs(frame.normals[inside] - expected).max() < 0.05
    points = camera.unproject(camera.pixel_centres()[inside], frame.depth[inside])
    off = points @ turn[:3, :3] @ [0, 1, 0]
    assert np.abs(off).max() < 6e-3  # of 4 m


@pytest.mark.parametrize("projection", ["perspective", "parallel"])
def test_normals_of_a_plane_are_exact(projection: str) -> None:
    normal = np.array([0.3, -0.4, 0.8]) / np.linalg.norm([0.3, -0.4, 0.8])
    if projection == "parallel":
        camera = hg.Camera.orthographic(extent_y=2, width=50, height=40)
        start = camera.unproject(camera.pixel_centres(), np.zeros((40, 50)))
        depth = (start @ normal + 3 * normal[2]) / normal[2]
    else:
        camera = hg.Camera.perspective(fov_y=0.9, width=50, height=40)
        rays = camera.unproject(camera.pixel_centres(), np.ones((40, 50)))
        depth = -3 * normal[2] / (rays @ normal)
    depth[:5] = np.inf
    found = normals_from_depth(camera, depth.astype(np.float32))
    assert np.abs(found[5:] - normal).max() < 1e-4
    assert not found[:5].any()


def test_the_median_keeps_edges_that_the_mean_smears() -> None:
    near = wall(x=(-1, 0), y=0, opacity=0.6)
    engine = SplatEngine(joined([near, wall(x=(-2, 2), z=(-2, 2), y=2, spacing=0.1)]))
    frame = drawn(engine, passes=engine.passes)
    engine.close()
    row = frame.depth[45, 40:80]
    assert np.minimum(np.abs(row - 4), np.abs(row - 6)).max() < 0.02
    between = frame["expected_depth"][45, 40:80]
    assert ((between > 4.1) & (between < 5.9)).any()
    expected = SplatEngine(joined([near]), depth="expected")
    frame = drawn(expected, passes=expected.passes)
    expected.close()
    assert np.array_equal(frame.depth, frame["expected_depth"])


def test_edits_move_hide_and_change_the_background(engine: SplatEngine) -> None:
    step = np.eye(4)
    step[1, 3] = 1
    back = hg.MoveObject("splat", step)
    assert drawn(engine, back).depth[MIDDLE] == pytest.approx(5, rel=1e-3)
    assert drawn(engine, back, back).depth[MIDDLE] == pytest.approx(6, rel=1e-3)
    absolute = hg.MoveObject("splat", step, relative=False)
    assert drawn(engine, back, absolute).depth[MIDDLE] == pytest.approx(5, rel=1e-3)
    assert drawn(engine).depth[MIDDLE] == pytest.approx(4, rel=1e-3)
    hidden = drawn(engine, hg.Hide("splat"), hg.EditBackground((1, 0.5, 0)))
    assert not hidden.segmentation.any()
    assert (hidden.rgb == [255, 128, 0]).all()
    camera = hg.MoveCamera("fit", EYE)
    assert drawn(engine, camera, camera="fit").camera.world_from_camera == pytest.approx(
        EYE.world_from_camera
    )
    with pytest.raises(hg.InvalidValueError, match="EditMaterial"):
        drawn(engine, hg.EditMaterial("splat", rgba=(1, 0, 0, 1)))
    with pytest.raises(hg.UnknownNameError, match=r"'wall'.*'splat'"):
        drawn(engine, hg.Hide("wall"))


def test_captures_that_lie_on_their_side_are_set_upright(tmp_path: Path) -> None:
    point = splats(np.array([[1.0, 2.0, 3.0]]), (0.1, 0.1, 0.1), (1, 1, 1))
    places = {"z": (1, 2, 3), "-z": (1, -2, -3), "y": (1, -3, 2), "-y": (1, 3, -2)}
    for up, place in places.items():
        made = SplatEngine(point, up=up)  # type: ignore[arg-type]
        box = made.scene.objects["splat"].box
        made.close()
        assert box.mean(0) == pytest.approx(place, abs=1e-5)
    hashes = set()
    for scale in (1.0, 2.0):
        made = SplatEngine(point, world_from_capture=np.diag([scale, scale, scale, 1]))
        box = made.scene.objects["splat"].box
        hashes.add(made.scene.hash)
        made.close()
        assert box.mean(0) == pytest.approx(scale * np.array([1, 2, 3]), abs=1e-4)
        assert np.ptp(box, axis=0) == pytest.approx(scale * np.full(3, 0.6), rel=1e-3)
    assert len(hashes) == 2


def test_stray_splats_do_not_make_the_camera_look_from_afar() -> None:
    stray = splats(np.array([[500.0, 0, 0]]), (0.1, 0.1, 0.1), (1, 1, 1))
    plain, other = SplatEngine(wall()), SplatEngine(joined([wall(), stray]))
    places = [each.cameras["fit"].world_from_camera[:3, 3] for each in (plain, other)]
    plain.close()
    other.close()
    assert places[0] == pytest.approx(places[1], abs=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"up": "x"}, "up: expected one of z, -z, y, -y"),
        ({"world_from_capture": np.zeros((4, 4))}, "world_from_capture: expected an invertible"),
        ({"world_from_capture": np.eye(4), "up": "y"}, "not both"),
        ({"depth": "mode"}, "depth: expected one of"),
        ({"device": "tpu"}, "device: expected one of"),
        ({"device": "cuda"}, "gsplat knows no median depth"),
        ({"background": (2, 0, 0)}, "background: expected red, green and blue"),
    ],
)
def test_wrong_options_say_what_is_expected(options: dict[str, Any], message: str) -> None:
    with pytest.raises(hg.InvalidValueError, match=message):
        SplatEngine(wall(), **options)


def test_without_a_gpu_cuda_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingDependencyError, match="torch"):
        SplatEngine(wall(), device="cuda", depth="expected")


def test_without_the_native_module_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(hg, "_native", raising=False)
    monkeypatch.setitem(sys.modules, "heliograph._native", None)
    with pytest.raises(MissingDependencyError, match="native"):
        SplatEngine(wall())


def test_files_open_by_what_they_hold_here_and_in_workers(tmp_path: Path) -> None:
    path = tmp_path / "red wall.ply"
    write_ply(path, wall())
    assert engine_of(path) == "splat"
    assert engine_of(tmp_path / "red wall.ply") == "splat"
    with hg.open(path, size=(64, 48)) as local, hg.open(path, size=(64, 48), workers=1) as pool:
        assert local.scene.objects.names == ("red wall",)
        assert local.scene.hash == pool.scene.hash
        ours, theirs = (each.render(hg.View(passes=ALL))["fit"] for each in (local, pool))
        assert ours.segmentation.any()
        for name in ALL:
            assert np.array_equal(ours[name], theirs[name])
        levels = [each["fit"].camera.size for each in local.refine(hg.View())]
        assert levels == [(8, 6), (16, 12), (32, 24), (64, 48)]


def test_it_keeps_the_promises_of_engines() -> None:
    camera = hg.Camera.look_at(
        eye=(1.5, -2, 3), target=(0, 0, 0.3), fov_y=0.8, width=96, height=72, name="c"
    )
    made = ground()
    report = check_engine(lambda: SplatEngine(made), camera=camera, edits=[hg.Hide("splat")])
    assert set(report.of(Verdict.SKIPPED)) == {
        "no_state_leaks",
        "state_shows",
        "refuses_wrong_shapes",
        "random_states_are_the_generator_s",
        "versions_stay",
    }


def scene() -> hg.Scene:
    """Things whose light does not depend on who looks."""
    paint: Any = {"materialType": "lambert"}
    return hg.Scene(
        hg.Box(key="floor", args=[4, 4, 0.1], position=[0, 0, -0.05], color="tan", **paint),
        hg.Box(key="box", args=[0.6, 0.8, 0.6], position=[0.5, 0, 0.3], color="red", **paint),
        hg.Sphere(key="ball", args=[0.4], position=[-0.6, 0.2, 0.4], color="blue", **paint),
        hg.AmbientLight(),
        hg.DirectionalLight(position=[1, -2, 3], intensity=2),
        background="gray",
    )


def psnr(one: Any, other: Any) -> float:
    return float(-10 * np.log10(((one.astype(float) - other) ** 2).mean() / 255**2))


@pytest.mark.parametrize(
    ("source", "least"), [(scene(), 28), (MJCF, 26)], ids=["components", "mujoco"]
)
def test_a_scene_of_splats_looks_like_the_scene(source: Any, least: float) -> None:
    held_out = hg.Camera.look_at(
        eye=(1.2, -2.6, 1.9), target=(0, 0, 0.2), fov_y=0.8, width=320, height=240, name="new"
    )
    with hg.open(source, size=(320, 240)) as renderer:
        made = splat_scene(renderer, size=(480, 360), spacing=0.02)
        truth = renderer.render(hg.View([held_out], ALL))["new"]
    background = tuple((truth.rgb[0, 0] / 255).tolist())
    engine = SplatEngine(made, background=background)
    frame = drawn(engine, camera=held_out)
    engine.close()
    blank = psnr(np.broadcast_to(truth.rgb.mean((0, 1)), truth.rgb.shape), truth.rgb)
    assert psnr(frame.rgb, truth.rgb) > least > blank + 8
    both = np.isfinite(frame.depth) & np.isfinite(truth.depth)
    assert (np.isfinite(frame.depth) == np.isfinite(truth.depth)).mean() > 0.99
    off = np.abs(frame.depth[both] / truth.depth[both] - 1)
    assert np.median(off) < 2e-3
    assert (off < 0.01).mean() > 0.97
    cosine = (frame.normals[both] * truth.normals[both]).sum(-1)
    assert (cosine > np.cos(0.2)).mean() > 0.9


def test_cameras_around_a_box_see_all_of_it() -> None:
    low, high = np.array([1.0, 2, 3]), np.array([2.0, 5, 3.5])
    corners = np.stack(np.meshgrid(*zip(low, high, strict=True)), -1).reshape(-1, 3)
    for camera in around(low, high, (64, 48)):
        seen = camera.project(corners)
        assert (seen >= 0).all()
        assert (seen <= camera.size).all()
        depth = camera.depth_of(corners)
        assert (depth > camera.near).all()
        assert (depth < camera.far).all()


def test_spacing_decides_how_many_splats_there_are() -> None:
    with hg.open(scene(), size=(96, 72)) as renderer:
        counts = [len(splat_scene(renderer, ["fit"], spacing=each)) for each in (0.2, 0.1)]
        assert 2.5 * counts[0] < counts[1] < 4.5 * counts[0]
        with pytest.raises(hg.InvalidValueError, match="spacing: expected metres above 0"):
            splat_scene(renderer, spacing=0)
        away = EYE.moved(hg.poses.look_at((0, 0, 50), (0, 0, 60)))
        with pytest.raises(hg.SceneError, match="see nothing"):
            splat_scene(renderer, [away])


def test_the_command_writes_splats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "scene.xml").write_text(MJCF)
    out = tmp_path / "scene.ply"
    arguments = ["splat", str(tmp_path / "scene.xml"), str(out), "--size", "64x48"]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--spacing", "0.1"])
    assert ended.value.code == 0
    count = len(read_splats(out).positions)
    assert f"{count} splats" in capsys.readouterr().out
    assert count > 500
    with pytest.raises(SystemExit) as ended:
        main([*arguments[:2], str(tmp_path / "scene.glb")])
    assert ended.value.code == 2
    assert "written as .ply" in capsys.readouterr().err
