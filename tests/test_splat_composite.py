"""Splats and meshes in one picture."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heliograph as hg
from heliograph.engines.components import ComponentEngine
from heliograph.errors import MissingDependencyError
from heliograph.frame import Frame
from heliograph.passes import PassName
from heliograph.splats.files import write_ply
from heliograph.testing import Verdict, check_engine
from splat_scenes import splats, wall

ALL: tuple[PassName, ...] = ("rgb", "depth", "normals", "segmentation", "alpha", "distance")
EYE = hg.Camera.look_at(
    eye=(0, -4, 0), target=(0, 0, 0), fov_y=0.9, width=121, height=91, name="eye"
)
UNLIT: dict[str, Any] = {"materialType": "basic"}

pytestmark = pytest.mark.usefixtures("backend")


@pytest.fixture
def red(tmp_path: Path) -> str:
    """A wall of x < 0 in the plane y = 0."""
    write_ply(tmp_path / "red.ply", wall(x=(-1, 0)))
    return str(tmp_path / "red.ply")


@pytest.fixture
def engine(red: str) -> Iterator[ComponentEngine]:
    made = ComponentEngine(scene(red))
    yield made
    made.close()


def scene(path: str, **props: Any) -> hg.Scene:
    """A wall of splats, a box behind it that sticks out to the right, a small one before it."""
    return hg.Scene(
        hg.Splat(key="wall", src=path, **props),
        hg.Box(key="behind", args=[1.6, 1, 1], position=[0, 1, 0], color="blue", **UNLIT),
        hg.Box(key="before", args=[0.2, 1, 0.2], position=[-0.3, -1, 0], color="lime", **UNLIT),
        background="white",
    )


def drawn(engine: ComponentEngine, *edits: hg.Edit, camera: Any = EYE, **order: Any) -> Frame:
    sample = engine.render(hg.View(camera, order.pop("passes", ALL), edits=edits, **order))
    return next(iter(sample))


def pixel(x: float, y: float, z: float) -> tuple[int, int]:
    """Row and column that shows a point."""
    column, row = EYE.project((x, y, z)).astype(int)
    return int(row), int(column)


WALL = pixel(-0.55, 0, 0.62)  # and still of the wall where it is 2 m farther
BEHIND = pixel(0.4, 0.5, 0.2)
BEFORE = pixel(-0.3, -1.5, 0.0)
COVERED = pixel(-0.6, 0, 0.3)  # the wall hides the box there
NOTHING = pixel(0.9, 0, 0.9)


def expect_pixel(frame: Frame, at: tuple[int, int], name: str, depth: float, rgb: Any) -> None:
    labels = frame.labels
    assert labels[int(frame.segmentation[at])].name == name
    assert frame.depth[at] == pytest.approx(depth, rel=1e-3)
    assert frame.normals[at] == pytest.approx((0, 0, 1), abs=0.02)
    assert frame.rgb[at] == pytest.approx(rgb, abs=4)
    assert frame["alpha"][at] >= 250
    ray = EYE.unproject((at[1] + 0.5, at[0] + 0.5), depth) - EYE.world_from_camera[:3, 3]
    assert frame["distance"][at] == pytest.approx(np.linalg.norm(ray), rel=1e-3)


def same(a: Frame, b: Frame) -> bool:
    return all(np.array_equal(a[name], b[name]) for name in a.passes)


def test_each_is_seen_where_it_is_in_front(engine: ComponentEngine) -> None:
    frame = drawn(engine)
    expect_pixel(frame, WALL, "wall", 4.0, (255, 0, 0))
    expect_pixel(frame, COVERED, "wall", 4.0, (255, 0, 0))
    expect_pixel(frame, BEHIND, "behind", 4.5, (0, 0, 255))
    expect_pixel(frame, BEFORE, "before", 2.5, (0, 255, 0))
    assert frame.rgb[NOTHING].tolist() == [255, 255, 255]
    assert np.isposinf(frame.depth[NOTHING])
    assert frame.segmentation[NOTHING] == 0
    assert frame["alpha"][NOTHING] == 0
    table = engine.scene.objects
    row = table["wall"]
    assert (row.category, row.material, row.seen) == ("splat", "", True)
    assert row.box[:, 0] == pytest.approx((-1, 0), abs=0.1)
    assert engine.labels[row.id].category == "splat"


def test_pictures_are_the_same_bits_each_time_and_pass_by_pass(engine: ComponentEngine) -> None:
    frame = drawn(engine)
    drawn(engine, hg.Hide("wall"))
    assert same(frame, drawn(engine))
    for name in ALL:
        assert same(drawn(engine, passes=(name,)), frame)
    views = [hg.View([EYE], ALL), hg.View([EYE.resized(40, 30)], ALL), hg.View([EYE], ("rgb",))]
    many = engine.render_many(views)
    for view, outcome in zip(views, many, strict=True):
        assert isinstance(outcome, hg.Sample)
        assert same(outcome["eye"], engine.render(view)["eye"])


def test_hidden_splats_leave_the_scene_without_them(engine: ComponentEngine, red: str) -> None:
    plain = hg.Scene(*scene(red).children[1:], background="white")
    other = ComponentEngine(plain)
    bare = drawn(other)
    other.close()
    unseen = hg.Update(hg.Splat(key="wall", visible=False))
    for edits in ([hg.Hide("wall")], [unseen], [hg.Remove("wall")]):
        frame = drawn(engine, *edits)
        for name in ALL:
            if name != "segmentation":
                assert np.array_equal(frame[name], bare[name])
        assert (frame.segmentation > 0).sum() == (bare.segmentation > 0).sum()
        assert "wall" not in {frame.labels[i].name for i in np.unique(frame.segmentation).tolist()}


def test_splats_move_by_edit_and_state_and_for_good(engine: ComponentEngine) -> None:
    pose = np.eye(4)
    pose[:3, 3] = (0, 2, 0)
    moved = drawn(engine, hg.MoveObject("wall", pose))
    assert moved.depth[WALL] == pytest.approx(6, rel=1e-3)
    assert moved.labels[int(moved.segmentation[COVERED])].name == "behind"
    assert moved.depth[COVERED] == pytest.approx(4.5, rel=1e-3)
    update = hg.Update(hg.Splat(key="wall", position=[0, 2, 0]))
    assert same(moved, drawn(engine, update))
    assert same(moved, drawn(engine, state={"wall": [0, 2, 0]}))
    before = drawn(engine)
    assert before.depth[WALL] == pytest.approx(4, rel=1e-3)
    assert engine.advance([update]) == 1
    assert same(moved, drawn(engine))
    assert same(before, drawn(engine, scene_version=0))


def test_splats_stand_where_their_parents_put_them(red: str) -> None:
    tree = hg.Scene(
        hg.Group(
            hg.Group(hg.Splat(key="wall", src=red), key="inner", scale=[0.5, 2, 0.5]),
            key="outer",
            position=[0.5, 1, 0],
            rotation=[0, 0, np.pi],
        )
    )
    engine = ComponentEngine(tree)
    frame = drawn(engine)
    engine.close()
    seen = np.isfinite(frame.depth)
    assert frame.depth[seen] == pytest.approx(5, rel=2e-3)
    rows, columns = np.nonzero(seen)
    low, high = EYE.project([(0.5, 1, 0.5), (1, 1, -0.5)])
    assert (columns.min(), rows.min()) == pytest.approx(low, abs=2)
    assert (columns.max(), rows.max()) == pytest.approx(high, abs=2)


def test_splats_of_several_objects_are_sorted_together(tmp_path: Path, red: str) -> None:
    # Discs of one stand between those of the other, along the same ray.
    positions = np.array([[0.3, y, 0.3] for y in (0.0, 1.0)])
    for name, shift, colour in (("a", 0.0, (1, 0, 0)), ("b", 0.5, (0, 0, 1))):
        made = splats(positions + np.array([0, shift, 0]), (0.3, 1e-3, 0.3), colour, 0.3)
        write_ply(tmp_path / f"{name}.ply", made)
    tree = hg.Scene(
        hg.Splat(key="a", src=tmp_path / "a.ply"), hg.Splat(key="b", src=tmp_path / "b.ply")
    )
    engine = ComponentEngine(tree)
    camera = EYE.moved(hg.poses.look_at((0.3, -4, 0.3), (0.3, 0, 0.3)))
    frame, at = drawn(engine, camera=camera), (45, 60)
    engine.close()
    through = 0.7
    red_light, blue = 0.3 * (1 + through**2), 0.3 * (through + through**3)
    assert frame.rgb[at] / 255 == pytest.approx((red_light, 0, blue), abs=0.02)
    # 0.3, then 0.51: the second disc, which is the first one of b.
    assert frame.labels[int(frame.segmentation[at])].name == "b"
    assert frame.depth[at] == pytest.approx(4.5, rel=1e-3)


def test_what_shines_through_splats_keeps_its_depth_and_id(tmp_path: Path) -> None:
    made = splats(np.zeros((1, 3)), (1.0, 1e-3, 1.0), (1, 0, 0), 0.4)
    write_ply(tmp_path / "veil.ply", made)
    box = hg.Box(key="box", args=[1, 1, 1], position=[0, 1, 0], color="blue", **UNLIT)
    engine = ComponentEngine(hg.Scene(hg.Splat(src=tmp_path / "veil.ply"), box))
    frame, at = drawn(engine), (45, 60)
    engine.close()
    assert frame.rgb[at] / 255 == pytest.approx((0.4, 0, 0.6), abs=0.02)
    assert frame.labels[int(frame.segmentation[at])].name == "box"
    assert frame.depth[at] == pytest.approx(4.5, rel=1e-3)
    assert frame["alpha"][at] == 255
    corner = 5, 5
    assert np.isposinf(frame.depth[corner])
    assert frame.segmentation[corner] == 0


def test_parallel_cameras_see_both(engine: ComponentEngine) -> None:
    camera = hg.Camera.orthographic(
        extent_y=3, width=90, height=90, world_from_camera=EYE.world_from_camera, name="flat"
    )
    frame = drawn(engine, camera=camera)
    for x, z, name, depth in ((-0.7, 0.8, "wall", 4), (0.4, 0.2, "behind", 4.5)):
        column, row = camera.project((x, 0, z)).astype(int)
        assert frame.labels[int(frame.segmentation[row, column])].name == name
        assert frame.depth[row, column] == pytest.approx(depth, rel=1e-3)


def test_a_file_that_is_written_anew_shows_once_it_is_named(
    engine: ComponentEngine, red: str
) -> None:
    before = drawn(engine)
    write_ply(Path(red), wall(x=(-1, 0), y=-0.5, colour=(0, 1, 1)))
    assert same(before, drawn(engine))
    engine.advance([hg.Update(hg.Splat(key="wall", src=red))])
    expect_pixel(drawn(engine), WALL, "wall", 3.5, (0, 255, 255))
    assert same(before, drawn(engine, scene_version=0))


def test_splats_come_and_go_without_a_trace(engine: ComponentEngine, tmp_path: Path) -> None:
    before = drawn(engine)
    for number in range(40):
        path = tmp_path / f"{number}.ply"
        write_ply(path, wall(y=0.01 * number, spacing=0.2))
        engine.advance([hg.Upsert(hg.Splat(key="new", src=path))])
        drawn(engine)
    assert len(engine._tree.assets.splats) <= 18  # those of 16 versions, and the wall
    engine.advance([hg.Remove("new")])
    after = drawn(engine)
    for name in ALL:
        assert np.array_equal(before[name], after[name])


def test_shadows_are_as_sharp_with_splats_far_away(tmp_path: Path) -> None:
    write_ply(tmp_path / "far.ply", splats(np.array([[900.0, 0, 0]]), (1, 1, 1), (1, 1, 1)))
    things = (
        hg.Box(key="floor", args=[4, 4, 0.1], position=[0, 0, -0.5]),
        hg.Box(key="box", args=[0.5, 0.5, 0.5]),
        hg.DirectionalLight(position=[1, -2, 3], castShadow=True),
    )
    pictures = []
    for far in ((), (hg.Splat(key="far", src=tmp_path / "far.ply"),)):
        engine = ComponentEngine(hg.Scene(*things, *far))
        pictures.append(drawn(engine).rgb)
        engine.close()
    assert np.array_equal(pictures[0], pictures[1])


def test_splats_without_a_file_or_without_any_in_it_show_nothing(tmp_path: Path) -> None:
    write_ply(tmp_path / "none.ply", splats(np.empty((0, 3)), (1, 1, 1), (1, 1, 1)))
    for splat in (hg.Splat(), hg.Splat(src=tmp_path / "none.ply")):
        engine = ComponentEngine(hg.Scene(splat))
        assert not drawn(engine).segmentation.any()
        engine.close()


def test_a_missing_or_malformed_file_names_the_splat(tmp_path: Path) -> None:
    for data in (None, b"ply", b"\x00" * 31):
        path = tmp_path / "a.ply"
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(hg.SceneError, match=r"Splat 's' src: .*a\.ply"):
            ComponentEngine(hg.Scene(hg.Splat(key="s", src=path)))


def test_workers_draw_the_same(engine: ComponentEngine, red: str, backend: Any) -> None:
    with hg.open(scene(red), workers=1, backend=backend) as pool:
        assert same(pool.render(hg.View([EYE], ALL))["eye"], drawn(engine))


def test_a_scene_with_splats_keeps_the_promises_of_engines(tmp_path: Path) -> None:
    made = wall(x=(-12, 12), z=(-12, 12), spacing=0.3)
    write_ply(tmp_path / "floor.ply", made)
    turned = [-np.pi / 2, 0, 0]
    tree = hg.Scene(
        hg.Splat(key="floor", src=tmp_path / "floor.ply", rotation=turned),
        hg.Box(key="box", args=[0.8, 0.8, 0.8], position=[0.2, 0.3, 0.4]),
        hg.Sphere(key="ball", args=[0.4], position=[-0.8, 0, 0.4]),
        hg.AmbientLight(),
        hg.CameraView(key="c", position=[1.5, -2, 3], lookAt=[0, 0, 0], fov=50),
    )
    report = check_engine(
        lambda: ComponentEngine(tree),
        other_state={"box": [1, 1, 0]},
        edits=[hg.Hide("floor")],
        changes=[hg.Update(hg.Splat(key="floor", position=[0, 0, 0.2]))],
    )
    assert set(report.of(Verdict.SKIPPED)) == {
        "random_states_are_the_generator_s",
        "refuses_changes_it_cannot_make",
    }


def test_without_the_native_module_the_error_says_so(
    red: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(hg, "_native", raising=False)
    monkeypatch.setitem(sys.modules, "heliograph._native", None)
    with pytest.raises(MissingDependencyError, match="native"):
        ComponentEngine(scene(red))
