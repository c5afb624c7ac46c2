"""The viewer with pages that are WebSocket clients, real engines and real recordings."""

import ast
import asyncio
import gc
import io
import json
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

import heliograph as hg
from heliograph.delivery.call import LocalRenderer
from heliograph.delivery.dataset import Dataset
from heliograph.delivery.pace import SCALES, Pace
from heliograph.engine import CancelToken
from heliograph.engines.fake import FakeEngine
from heliograph.engines.web.messages import CameraSpec, Viewport
from heliograph.engines.web.specs import camera_of, spec_of
from heliograph.engines.web.wire import Buffers
from heliograph.errors import EngineError, HeliographError, RecordError, SceneError
from heliograph.frame import Sample
from heliograph.live.trajectories import Trajectory
from heliograph.live.viewer.desk import Desk, Urgency
from heliograph.live.viewer.dropped import place_files
from heliograph.live.viewer.pictures import shown_pass
from heliograph.live.viewer.python_code import Opening, quoted, rendering_code
from heliograph.passes import PassName
from heliograph.record import record
from viewer_pages import PATIENCE, FakePage, opened, pixels

PASSES: tuple[PassName, ...] = ("rgb", "depth", "normals", "segmentation")
MJCF = """<mujoco>
  <worldbody>
    <light pos="0 0 3"/>
    <camera name="front" pos="0 -3 0" xyaxes="1 0 0 0 0 1"/>
    <camera name="top" pos="0 0 3"/>
    <body name="arm"><joint name="x" type="slide" axis="1 0 0" range="-1 1"/>
      <joint name="turn" axis="0 1 0"/>
      <geom name="ball" size="0.5" rgba="1 0 0 1"/>
      <geom name="box" type="box" size="0.2 0.3 0.4" pos="0.9 0 0"/></body>
  </worldbody>
</mujoco>"""
BACKGROUND = {
    "type": "background",
    "colour": {"hsv": [{"uniform": [0, 1]}, {"uniform": [0.1, 0.7]}, {"uniform": [0.4, 1]}]},
}
EYE = hg.Camera.look_at(
    eye=(2, -3, 1.5), target=(0, 0, 0), fov_y=0.9, width=96, height=64, name="view"
)


def eye(number: int) -> hg.Camera:
    return EYE.moved(
        hg.Camera.look_at(
            eye=(2 + 0.05 * number, -3, 1.5), target=(0, 0, 0), fov_y=0.9, width=96, height=64
        ).world_from_camera
    )


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "arm.xml"
    path.write_text(MJCF)
    return path


def fake(**options: Any) -> LocalRenderer:
    return LocalRenderer(FakeEngine(size=(32, 24), **options))


# What a page is shown.


def test_a_resting_camera_sees_what_the_renderer_draws_without_loss(model: Path) -> None:
    async def run() -> None:
        with (
            hg.view(model, size=(64, 48)) as viewer,
            hg.open(model, size=(64, 48), msaa=4) as renderer,
        ):
            async with opened(viewer) as page:
                assert page.configured.shows == "pictures"
                assert page.configured.title.startswith("arm.xml")
                assert [each.name for each in page.panel.cameras][:2] == ["front", "top"]
                assert page.facts["start"] == "fit"
                for name in PASSES:
                    await page.set("pass", name)
                    show, shown = await page.seen(EYE)
                    while show.facts["pass"] != name:
                        show, shown = await page.final(len(page.shows))
                    view = hg.View([EYE], (name,))
                    frame = renderer.render(view)["view"]
                    assert np.array_equal(shown, shown_pass(frame, name).pixels)
                    assert show.encoding == "png"
                    assert show.camera == spec_of(EYE)
                    assert (show.facts["scale"] is not None) == (name == "depth")

    asyncio.run(run())


def test_pictures_of_a_moving_camera_never_go_back_and_end_with_the_last() -> None:
    async def run() -> None:
        with fake() as renderer, hg.view(renderer) as viewer:
            async with opened(viewer) as page:
                for number in range(60):
                    await page.look(eye(number), moving=number < 59)
                    await asyncio.sleep(0.002)
                await page.until(
                    lambda: (
                        page.shows
                        and page.shows[-1][0].update == 60
                        and page.shows[-1][0].facts["final"]
                    )
                )
                updates = [show.update for show, _ in page.shows]
                assert updates == sorted(updates)
                _, shown = page.shows[-1]
                frame = renderer.render(hg.View([eye(59)]))["view"]
                assert np.array_equal(shown, frame.rgb)
                whole = [show for show, _ in page.shows if show.facts["final"]]
                assert all(show.encoding == "png" for show in whole)
                coarse = [show for show, _ in page.shows if not show.facts["final"]]
                assert all(show.encoding == "jpeg" for show in coarse)

    asyncio.run(run())


def _camera(view: hg.View) -> hg.Camera:
    """Its only camera."""
    (camera,) = view.cameras
    assert isinstance(camera, hg.Camera)
    return camera


def _across(view: hg.View) -> float:
    """Where the view's camera is along x, metres."""
    return float(_camera(view).world_from_camera[0, 3])


class Gated(LocalRenderer):
    """Draws a view once it is let to; knows which it drew."""

    def __init__(self) -> None:
        super().__init__(FakeEngine(size=(32, 24)))
        self.gate = threading.Semaphore(0)
        self.drawn: list[float] = []

    def refine(
        self, view: hg.View, cancel: Any = None, levels: Any = None, *, priority: int = 0
    ) -> Iterator[Sample]:
        self.gate.acquire()
        self.drawn.append(_across(view))
        yield self.render(view)


def test_a_slow_engine_draws_the_newest_and_skips_what_is_old() -> None:
    async def run() -> None:
        renderer = Gated()
        with renderer, hg.view(renderer) as viewer:
            async with opened(viewer) as page:
                for number in range(200):
                    await page.look(eye(number), moving=True)
                await page.ask("python")  # all of them have arrived
                for _ in range(10):
                    renderer.gate.release()
                await page.final()
                last = eye(199).world_from_camera[0, 3]
                assert renderer.drawn[-1] == last
                assert len(renderer.drawn) <= 4
                for _ in range(10):
                    renderer.gate.release()

    asyncio.run(run())


class Coarse(LocalRenderer):
    """Refines until it is told to stop, without an end."""

    def __init__(self) -> None:
        super().__init__(FakeEngine(size=(32, 24)))
        self.stopped = 0

    def refine(
        self, view: hg.View, cancel: Any = None, levels: Any = None, *, priority: int = 0
    ) -> Iterator[Sample]:
        yield self.render(view)
        if _across(view) > 4:
            return
        while not cancel.cancelled:
            yield self.render(view)
        self.stopped += 1


def test_what_is_refined_is_shown_and_stops_for_a_newer_camera() -> None:
    async def run() -> None:
        renderer = Coarse()
        with renderer, hg.view(renderer) as viewer:
            async with opened(viewer) as page:
                await page.look(eye(0))
                await page.until(lambda: len(page.shows) > 3)
                assert not any(show.facts["final"] for show, _ in page.shows)
                show, _ = await page.seen(eye(100))
                assert show.facts["final"]
                assert renderer.stopped >= 1

    asyncio.run(run())


def test_each_page_has_a_camera_and_a_pass_of_its_own() -> None:
    async def run() -> None:
        with fake() as renderer, hg.view(renderer) as viewer:
            async with opened(viewer) as one, opened(viewer) as other:
                await other.set("pass", "segmentation")
                (_, first), (_, second) = await asyncio.gather(one.seen(eye(1)), other.seen(eye(2)))
                frame = renderer.render(hg.View([eye(2)], ("segmentation",)))["view"]
                assert np.array_equal(first, renderer.render(hg.View([eye(1)]))["view"].rgb)
                assert np.array_equal(second, shown_pass(frame, "segmentation").pixels)

    asyncio.run(run())


def test_a_page_that_comes_back_finds_its_look_again(model: Path) -> None:
    async def run() -> None:
        with hg.view(model) as viewer:
            async with opened(viewer) as page:
                await page.seen(EYE)
                await page.changed("joint:x", 0.5)
                session = page.configured.session
            async with opened(viewer, session) as page:
                assert page.configured.session == session
                assert page.control("joint:x")["value"] == 0.5
            async with opened(viewer, "no session") as page:
                assert page.configured.session != session
                assert page.control("joint:x")["value"] == 0

    asyncio.run(run())


def test_a_picture_is_no_larger_than_the_limit() -> None:
    async def run() -> None:
        with fake() as renderer, hg.view(renderer) as viewer:
            async with opened(viewer) as page:
                show, shown = await page.seen(EYE.resized(6000, 3000))
                assert shown.shape[:2] == (1024, 2048)
                assert show.camera.width == 2048

    asyncio.run(run())


# Controls.


def test_joints_move_within_their_ranges_and_go_back(model: Path) -> None:
    async def run() -> None:
        with hg.view(model) as viewer, hg.open(model, msaa=4) as renderer:
            async with opened(viewer) as page:
                await page.seen(EYE)
                slider = page.control("joint:x")
                assert (slider["min"], slider["max"], slider["unit"]) == (-1, 1, "m")
                for asked, got in ((0.5, 0.5), (7, 1), (-3, -1)):
                    _, shown = await page.changed("joint:x", asked)
                    await page.has("joint:x", got)
                    view = hg.View([EYE], state={"qpos": [got, 0]})
                    assert np.array_equal(shown, renderer.render(view)["view"].rgb)
                _, shown = await page.changed("rest", None)
                assert np.array_equal(shown, renderer.render(hg.View([EYE]))["view"].rgb)

    asyncio.run(run())


def test_seed_and_index_draw_the_randomization_of_that_sample(model: Path, tmp_path: Path) -> None:
    config = tmp_path / "dr.json"
    config.write_text(json.dumps({"randomizers": [BACKGROUND]}))

    async def run() -> None:
        with hg.open(model, randomize=config, seed=3) as renderer, hg.view(renderer) as viewer:
            async with opened(viewer) as page:
                await page.seen(EYE)
                assert page.control("seed")["value"] == 3
                _, other = await page.changed("index", 4)
                _, shown = await page.changed("seed", 8)
                view = hg.View([EYE], seed=8, index=4)
                assert np.array_equal(shown, renderer.render(view)["view"].rgb)
                assert not np.array_equal(shown, other)
                _, plain = await page.changed("randomize", False)
                assert np.array_equal(plain, renderer.render(hg.View([EYE]))["view"].rgb)

    asyncio.run(run())


@pytest.mark.parametrize("seed", [123456, 2**40 + 7])
def test_large_seeds_are_those_of_the_run(model: Path, tmp_path: Path, seed: int) -> None:
    config = tmp_path / "dr.json"
    config.write_text(json.dumps({"randomizers": [BACKGROUND]}))

    async def run() -> None:
        with hg.open(model, randomize=config, seed=seed) as renderer, hg.view(renderer) as viewer:
            async with opened(viewer) as page:
                _, shown = await page.seen(EYE)
                assert page.control("seed")["value"] == seed
                expected = renderer.render(hg.View([EYE], seed=seed))["view"].rgb
                assert np.array_equal(shown, expected)
                _, other = await page.changed("seed", 3)
                assert not np.array_equal(other, expected)
                _, again = await page.changed("seed", seed)
                assert np.array_equal(again, expected)
                assert page.control("seed")["max"] >= seed

    asyncio.run(run())


def test_random_states_are_those_of_the_run(model: Path) -> None:
    async def run() -> None:
        with hg.open(model, seed=2) as renderer, hg.view(renderer) as viewer:
            async with opened(viewer) as page:
                await page.seen(EYE)
                await page.changed("index", 5)
                _, shown = await page.changed("random_state", True)
                data = Dataset(renderer, 6, cameras=[EYE], state=renderer.random_state)
                assert np.array_equal(shown, data[5]["view"].rgb)
                await page.has("joint:x", data[5].state["qpos"][0])

    asyncio.run(run())


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("pass", "colour", "unknown pass 'colour'"),
        ("joint:x", "far", "x: expected a finite number"),
        ("joint:x", float("nan"), "x: expected a finite number"),
        ("joint:nose", 1, "unknown joint 'nose'"),
        ("index", -1, "index: expected a whole number from 0"),
        ("index", True, "index: expected a whole number from 0"),
        ("randomize", True, "unknown control 'randomize'"),
        ("no such", 1, "unknown control 'no such'"),
    ],
)
def test_what_a_control_does_not_take_is_told_and_changes_nothing(
    model: Path, name: Any, value: Any, told: Any
) -> None:
    async def run() -> None:
        with hg.view(model) as viewer:
            async with opened(viewer) as page:
                _, before = await page.seen(EYE)
                await page.set(name, value)
                await page.until(lambda: page.facts["note"])
                assert told in page.facts["note"]
                _, shown = await page.seen(EYE)
                assert np.array_equal(before, shown)
                await page.until(lambda: not page.facts["note"])

    asyncio.run(run())


class Failing(LocalRenderer):
    """Fails as long as it is told to."""

    def __init__(self) -> None:
        super().__init__(FakeEngine(size=(32, 24)))
        self.error: Exception | None = None

    def refine(
        self, view: hg.View, cancel: Any = None, levels: Any = None, *, priority: int = 0
    ) -> Iterator[Sample]:
        if self.error is not None:
            raise self.error
        yield self.render(view)


@pytest.mark.parametrize("error", [EngineError("no light here"), RuntimeError("no light here")])
def test_errors_of_the_engine_reach_the_page_and_go_with_the_next_picture(error: Exception) -> None:
    async def run() -> None:
        renderer = Failing()
        with renderer, hg.view(renderer) as viewer:
            async with opened(viewer) as page:
                renderer.error = error
                await page.look(EYE)
                await page.until(lambda: "no light here" in page.facts["note"])
                for what in ("probe", "save"):
                    with pytest.raises(RuntimeError, match="no light here"):
                        await page.ask(what, x=0.5, y=0.5, format="npz")
                assert page.shows == []
                renderer.error = None
                await page.seen(eye(1))
                await page.until(lambda: not page.facts["note"])

    asyncio.run(run())


def test_a_camera_that_is_none_is_told() -> None:
    async def run() -> None:
        with fake() as renderer, hg.view(renderer) as viewer:
            async with opened(viewer) as page:
                spec = spec_of(EYE)
                await page.send(Viewport(1, _spec(spec, matrix=[0.0] * 16), False))
                await page.until(lambda: page.facts["note"])
                await page.send(Viewport(2, _spec(spec, projection=[1.0]), False))
                await page.until(lambda: "16 numbers" in page.facts["note"])
                await page.seen(EYE)

    asyncio.run(run())


def _spec(spec: CameraSpec, **changes: Any) -> CameraSpec:
    return msgspec.structs.replace(spec, **changes)


@given(
    fov=st.floats(0.1, 2.5),
    width=st.integers(1, 4000),
    height=st.integers(1, 4000),
    orthographic=st.booleans(),
    shift=st.floats(-0.4, 0.4),
)
def test_cameras_come_back_from_a_page(
    fov: float, width: int, height: int, orthographic: bool, shift: float
) -> None:
    camera = hg.Camera.perspective(
        fov_y=fov, width=width, height=height, world_from_camera=EYE.world_from_camera
    )
    kind = hg.Projection.ORTHOGRAPHIC if orthographic else hg.Projection.PERSPECTIVE
    camera = camera.replace(cx=(0.5 + shift) * width, cy=(0.5 - shift) * height, projection=kind)
    back = camera_of(spec_of(camera), "view")
    assert back.projection is kind
    assert back.size == camera.size
    assert np.allclose(back.K, camera.K, rtol=1e-12)
    assert np.array_equal(back.world_from_camera, camera.world_from_camera)


# Questions.


def test_a_probe_reads_exactly_what_is_in_the_passes(model: Path) -> None:
    async def run() -> None:
        with hg.view(model) as viewer, hg.open(model, msaa=4) as renderer:
            async with opened(viewer) as page:
                await page.seen(EYE)
                frame = renderer.render(hg.View([EYE], PASSES))["view"]
                rng = np.random.default_rng(0)
                at = [(48, 32), (0, 0), (95, 63), *rng.integers((96, 64), size=(60, 2)).tolist()]
                for x, y in at:
                    found, _ = await page.ask("probe", x=(x + 0.5) / 96, y=(y + 0.5) / 64)
                    assert (found["x"], found["y"]) == (x, y)
                    assert found["rgb"] == frame.rgb[y, x].tolist()
                    number = int(frame.segmentation[y, x])
                    assert found["id"] == number
                    if not number:
                        assert (found["depth"], found["normal"], found["name"]) == (None, None, "")
                        continue
                    assert found["depth"] == float(frame.depth[y, x])
                    assert found["normal"] == frame.normals[y, x].tolist()
                    assert found["name"] == frame.labels[number].name
                    assert found["category"] == frame.labels[number].category
                    there = EYE.unproject((x + 0.5, y + 0.5), frame.depth[y, x])
                    assert found["world"] == there.tolist()
                corner, _ = await page.ask("probe", x=1, y=1)
                assert (corner["x"], corner["y"]) == (95, 63)

    asyncio.run(run())


@pytest.mark.parametrize("value", [{}, {"x": 2, "y": 0}, {"x": "a", "y": 0}, {"x": 0, "y": -0.1}])
def test_a_probe_outside_the_picture_is_refused(value: Any) -> None:
    async def run() -> None:
        with fake() as renderer, hg.view(renderer) as viewer:
            async with opened(viewer) as page:
                await page.seen(EYE)
                with pytest.raises(RuntimeError, match="expected"):
                    await page.ask("probe", **value)
                with pytest.raises(RuntimeError, match="unknown question 'sing'"):
                    await page.ask("sing")

    asyncio.run(run())


def test_the_program_that_is_copied_draws_the_same_picture(model: Path) -> None:
    async def run() -> None:
        with hg.view(model, size=(64, 48), shadows=False) as viewer:
            async with opened(viewer) as page:
                await page.seen(EYE.replace(projection=hg.Projection.ORTHOGRAPHIC, fx=20, fy=20))
                _, shown = await page.changed("joint:turn", 0.7)
                answer, _ = await page.ask("python")
                names: dict[str, Any] = {}
                exec(answer["code"], names)
                assert np.array_equal(names["rgb"], shown)

    asyncio.run(run())


def test_the_program_for_a_renderer_of_ones_own_uses_it() -> None:
    async def run() -> None:
        with fake() as renderer, hg.view(renderer) as viewer:
            async with opened(viewer) as page:
                await page.set("pass", "depth")
                _, shown = await page.seen(EYE)
                names: dict[str, Any] = {"renderer": renderer}
                exec((await page.ask("python"))[0]["code"], names)
                assert np.array_equal(
                    shown, shown_pass(renderer.render(names["view"])["view"], "depth").pixels
                )
                assert names["depth"].dtype == np.float32

    asyncio.run(run())


@given(st.text())
def test_words_of_programs_are_in_double_quotes(text: Any) -> None:
    assert quoted(text)[0] == '"'
    assert ast.literal_eval(quoted(text)) == text


def test_programs_have_the_words_of_the_page_s_own() -> None:
    camera = EYE.replace(projection=hg.Projection.ORTHOGRAPHIC)
    lines = rendering_code(Opening(), hg.View([camera], ("rgb", "depth"), seed=3)).split("\n")
    assert lines[:3] == ["import heliograph as hg", "", "camera = hg.Camera("]
    assert "    width=96," in lines
    assert '    name="view",' in lines
    assert 'view = hg.View(cameras=[camera], passes=("rgb", "depth",), seed=3, index=0)' in lines


def test_what_is_shown_is_saved_whole(model: Path) -> None:
    async def run() -> None:
        with hg.view(model) as viewer, hg.open(model, msaa=4) as renderer:
            async with opened(viewer) as page:
                _, shown = await page.seen(EYE)
                frame = renderer.render(hg.View([EYE], renderer.passes))["view"]
                answer, body = await page.ask("save", format="npz")
                assert answer["name"].endswith(".npz")
                stored = np.load(io.BytesIO(body[answer["offset"] :][: answer["nbytes"]]))
                for name in renderer.passes:
                    assert np.array_equal(stored[name], frame[name])
                assert np.array_equal(stored["world_from_camera"], EYE.world_from_camera)
                answer, body = await page.ask("save", format="png")
                data = body[answer["offset"] :][: answer["nbytes"]]
                assert np.array_equal(pixels(data), shown)
                with pytest.raises(RuntimeError, match="unknown form 'gif'"):
                    await page.ask("save", format="gif")

    asyncio.run(run())


def test_thumbnails_show_what_the_scene_s_cameras_see_in_the_page_s_state(model: Path) -> None:
    async def run() -> None:
        with (
            hg.view(model, size=(64, 48)) as viewer,
            hg.open(model, size=(64, 48), msaa=4) as renderer,
        ):
            async with opened(viewer) as page:
                await page.seen(EYE)
                answer, body = await page.ask("thumbnail", camera="front", width=32, height=24)
                shown = pixels(body[answer["offset"] :][: answer["nbytes"]]).astype(int)
                small = renderer.cameras["front"].resized(32, 24)
                expected = renderer.render(hg.View([small]))["front"].rgb
                assert shown.shape == (24, 32, 3)
                assert np.abs(shown - expected).mean() < 6  # as JPEG
                with pytest.raises(RuntimeError, match="unknown camera 'nose'"):
                    await page.ask("thumbnail", camera="nose", width=32, height=24)
                with pytest.raises(RuntimeError, match="width: expected"):
                    await page.ask("thumbnail", camera="top", width=10**6, height=24)

    asyncio.run(run())


class Held(LocalRenderer):
    """Draws nothing until it is let to; knows how often it was asked."""

    def __init__(self) -> None:
        super().__init__(FakeEngine(size=(32, 24)))
        self.begun, self.let = threading.Event(), threading.Event()
        self.asked: list[hg.View] = []

    def refine(
        self, view: hg.View, cancel: Any = None, levels: Any = None, *, priority: int = 0
    ) -> Iterator[Sample]:
        self.asked.append(view)
        self.begun.set()
        assert self.let.wait(PATIENCE)
        yield self.render(view)


def test_of_a_camera_the_newest_thumbnail_is_drawn_and_the_other_is_told() -> None:
    async def run() -> None:
        with Held() as renderer, hg.view(renderer) as viewer:
            async with opened(viewer) as page:
                await page.look(EYE)
                await asyncio.to_thread(renderer.begun.wait)
                name = page.facts["start"]
                asking = [
                    asyncio.create_task(page.ask("thumbnail", camera=name, width=w, height=6))
                    for w in (8, 10)
                ]
                with pytest.raises(RuntimeError, match="superseded"):
                    await asking[0]
                renderer.let.set()
                answer, body = await asking[1]
                assert pixels(body[answer["offset"] :][: answer["nbytes"]]).shape == (6, 10, 3)

    asyncio.run(run())


def test_what_a_page_asked_is_not_drawn_after_it_has_left() -> None:
    async def run() -> None:
        with Held() as renderer, hg.view(renderer) as viewer:
            async with opened(viewer) as page:
                await page.look(EYE)
                await asyncio.to_thread(renderer.begun.wait)
                for _ in range(5):
                    asyncio.create_task(page.ask("save", format="npz"))  # noqa: RUF006
                await page.ask("python")  # all of them have arrived
            while not viewer._remembered:
                await asyncio.sleep(0.01)
            async with opened(viewer) as page:
                renderer.let.set()
                await page.seen(eye(1))
            passes = [view.pass_names for view in renderer.asked]
            assert set(passes) == {("rgb",)}

    asyncio.run(run())


def test_what_waits_to_be_saved_for_a_page_is_bounded() -> None:
    async def run() -> None:
        with Held() as renderer, hg.view(renderer) as viewer:
            async with opened(viewer) as page:
                await page.look(EYE)
                await asyncio.to_thread(renderer.begun.wait)
                asking = [asyncio.create_task(page.ask("save", format="npz")) for _ in range(20)]
                await page.ask("python")  # all of them have arrived
                refused = await asyncio.gather(*asking[16:], return_exceptions=True)
                assert all("save: expected at most 16" in str(error) for error in refused)
                assert not any(each.done() for each in asking[:16])
                renderer.let.set()
                await asyncio.gather(*asking[:16])
                await page.ask("save", format="npz")

    asyncio.run(run())


HANGS = """
import threading
import heliograph as hg
from heliograph.delivery.call import LocalRenderer
from heliograph.engines.fake import FakeEngine
begun = threading.Event()
class Hanging(LocalRenderer):
    def refine(self, view, cancel=None, *, priority=0):
        begun.set()
        threading.Event().wait()
    def close(self):
        threading.Event().wait()
viewer = hg.view(Hanging(FakeEngine(size=(32, 24))))
source = next(iter(viewer.sources.values()))
source._free = source._renderer.close
source.desk.put("", 0, lambda cancel: source._renderer.refine(None))
begun.wait()
viewer.close()
print("closed")
"""


def test_a_viewer_closes_and_its_program_ends_though_an_engine_hangs() -> None:
    words = [sys.executable, "-c", HANGS]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert ended.stdout == "closed\n"
    assert ended.stderr.count("is left to itself") == 2


def test_who_waits_for_a_picture_of_a_scene_that_is_left_is_told() -> None:
    async def run() -> None:
        with Held() as renderer, hg.view(renderer) as viewer:
            async with opened(viewer) as page:
                await page.look(EYE)
                await asyncio.to_thread(renderer.begun.wait)
                saving = asyncio.create_task(page.ask("save", format="npz"))
                await page.ask("python")
                assert await drop(page, {"ball.glb": glb()}) == {"opened": "ball.glb"}
                with pytest.raises(RuntimeError, match="superseded"):
                    await saving
                renderer.let.set()

    asyncio.run(run())


# Trajectories.


# Trajectories.


def test_a_recorded_trajectory_replays_the_same_bits(model: Path, tmp_path: Path) -> None:
    async def run() -> tuple[str, list[Any]]:
        with hg.view(model, out=tmp_path / "kept") as viewer:
            async with opened(viewer) as page:
                await page.seen(eye(0))
                await page.set("record", True)
                shown = [(await page.seen(eye(0)))[1]]
                shown += [(await page.seen(eye(number)))[1] for number in range(1, 4)]
                shown.append((await page.changed("joint:turn", 0.5))[1])
                await page.set("record", False)
                await page.until(lambda: page.facts["files"])
                return page.facts["files"][0], shown

    file, shown = asyncio.run(run())
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == [
        "trajectory-0001.json",
        "trajectory-0001.npz",
    ]
    trajectory = hg.Trajectory.load(file)
    assert trajectory.source == str(model)
    assert trajectory.passes == ("rgb",)
    poses = [camera.world_from_camera for camera in trajectory.cameras()]
    assert np.array_equal(poses[1], eye(0).world_from_camera)
    assert np.array_equal(poses[-1], eye(3).world_from_camera)
    with hg.open(model, msaa=4) as renderer:
        drawn = [renderer.render(view)["camera"].rgb for view in trajectory.views()]
    assert all(np.array_equal(one, other) for one, other in zip(drawn[1:], shown, strict=True))


def test_a_page_that_leaves_keeps_what_it_recorded(tmp_path: Path) -> None:
    async def run() -> None:
        with fake() as renderer, hg.view(renderer, out=tmp_path) as viewer:
            async with opened(viewer) as page:
                await page.set("record", True)
                await page.seen(eye(0))
                await page.seen(eye(1))

    asyncio.run(run())
    assert len(Trajectory.load(tmp_path / "trajectory-0001.json")) == 2


def test_pages_are_served_while_a_trajectory_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let = threading.Event()
    save = Trajectory.save

    def slow(self: Trajectory, path: Path) -> None:
        assert let.wait(PATIENCE / 2)
        save(self, path)

    monkeypatch.setattr(Trajectory, "save", slow)

    async def record(page: FakePage, number: int) -> None:
        await page.set("record", True)
        await page.seen(eye(number))
        await page.set("record", False)

    async def run() -> None:
        with fake() as renderer, hg.view(renderer, out=tmp_path) as viewer:
            async with opened(viewer) as page, opened(viewer) as other:
                await asyncio.gather(record(page, 1), record(other, 2))
                await page.seen(eye(3))
                assert not page.facts["recording"]["on"]
                assert page.facts["files"] == []
                let.set()
                await page.until(lambda: page.facts["files"])
                await other.until(lambda: other.facts["files"])
                assert page.facts["files"] != other.facts["files"]
                for one, number in ((page, 1), (other, 2)):
                    pose = Trajectory.load(one.facts["files"][0]).world_from_camera[-1]
                    assert np.array_equal(pose, eye(number).world_from_camera)

    asyncio.run(run())


def test_a_trajectory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    async def run() -> None:
        with fake() as renderer, hg.view(renderer, out=tmp_path / "file") as viewer:
            async with opened(viewer) as page:
                await page.set("record", True)
                await page.seen(EYE)
                await page.set("record", False)
                await page.until(lambda: "press Record again" in page.facts["note"])
                assert "cannot be used" in page.facts["note"]
                (tmp_path / "file").unlink()
                await page.set("record", False)
                await page.until(lambda: page.facts["files"])
                poses = Trajectory.load(page.facts["files"][0]).world_from_camera
                assert np.array_equal(poses[-1], EYE.world_from_camera)

    asyncio.run(run())


@pytest.mark.parametrize("suffix", [".npz", ".json"])
def test_trajectories_come_back_as_they_were(tmp_path: Path, suffix: str) -> None:
    views = [
        hg.View([eye(i)], ("depth", "rgb"), {"qpos": np.array([i / 3, 0.1])}, seed=7, index=i)
        for i in range(5)
    ]
    views[2] = replace(views[2], seed=None)
    views[3] = replace(views[3], cameras=(eye(3).replace(projection=hg.Projection.ORTHOGRAPHIC),))
    made = Trajectory.of(views, [0, 0.1, 0.2, 0.2, 1 / 3], source="arm.xml")
    made.save(tmp_path / f"made{suffix}")
    back = Trajectory.load(tmp_path / f"made{suffix}")
    assert back.source == "arm.xml"
    assert np.array_equal(back.times, made.times)
    for one, other in zip(back.views(), views, strict=True):
        assert one.cameras[0] == _camera(other).replace(name="camera")
        assert (one.passes, one.seed, one.index) == (other.passes, other.seed, other.index)
        assert np.array_equal(one.state["qpos"], other.state["qpos"])
    assert back.views("normals")[0].passes == ("normals",)


def test_what_is_no_trajectory_is_told(tmp_path: Path) -> None:
    with pytest.raises(HeliographError, match="at least one row"):
        Trajectory.of([])
    with pytest.raises(HeliographError, match="one Camera each"):
        Trajectory.of([hg.View("front")])
    with pytest.raises(HeliographError, match="same state keys"):
        Trajectory.of([hg.View([EYE]), hg.View([EYE], state={"qpos": [1]})])
    with pytest.raises(HeliographError, match="never fall"):
        Trajectory.of([hg.View([EYE])] * 2, [1, 0])
    made = Trajectory.of([hg.View([EYE])])
    with pytest.raises(HeliographError, match=r"ends in \.npz or \.json"):
        made.save(tmp_path / "made.txt")
    with pytest.raises(RecordError, match="no such file"):
        Trajectory.load(tmp_path / "made.npz")


@pytest.mark.parametrize("suffix", [".npz", ".json"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_trajectories_are_errors_of_ours(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, data: Any
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    path = folder / f"made{suffix}"
    Trajectory.of([hg.View([EYE], state={"qpos": [1, 2]})]).save(path)
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    with suppress(RecordError):  # and nothing else
        Trajectory.load(path)


# Recordings.


def fails_sometimes(view: hg.View) -> tuple[hg.View, dict[str, Any]]:
    crash = 3 if view.index == 2 else 0
    return replace(view, state={**view.state, "crash": crash}), {}


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    with fake() as renderer:
        names = [*renderer.cameras][:2]
        data = Dataset(
            renderer,
            6,
            cameras=names,
            passes=PASSES,
            state=lambda rng: {"ball": rng.uniform(-3, 3, 3)},
            randomize=fails_sometimes,
        )
        record(data, folder, shard_size=4, on_error=lambda error: None)
    return folder


def test_a_recording_is_shown_without_an_engine(run_folder: Path) -> None:
    recording = hg.Recording(run_folder)

    async def run() -> None:
        with hg.view(run_folder) as viewer:
            async with opened(viewer) as page:
                assert page.facts["kind"] == "run"
                assert page.facts["timeline"]["length"] == 5
                assert page.control("position")["max"] == 4
                first = next(iter(recording[0].frames))
                _, shown = await page.final()
                assert np.array_equal(shown, recording[0][first].rgb)
                for position in (4, 1):
                    show, shown = await page.changed("position", position)
                    assert np.array_equal(shown, recording[position][first].rgb)
                    assert show.facts["index"] == recording[position].index
                other = [*recording[0].frames][1]
                show, shown = await page.changed("camera", other)
                assert np.array_equal(shown, recording[1][other].rgb)
                assert show.camera.name == other
                await page.look(EYE, moving=True)  # a recorded picture has a camera of its own
                _, shown = await page.changed("pass", "depth")
                expected = shown_pass(recording[1][other], "depth").pixels
                assert np.array_equal(shown, expected)
                found, _ = await page.ask("probe", x=0.5, y=0.5)
                assert found["depth"] == float(recording[1][other].depth[12, 16])
                names: dict[str, Any] = {}
                exec((await page.ask("python"))[0]["code"], names)
                assert np.array_equal(names["depth"], recording[1][other].depth)

    asyncio.run(run())


def test_failed_samples_are_listed_and_indices_found(run_folder: Path) -> None:
    async def run() -> None:
        with hg.view(hg.Recording(run_folder)) as viewer:
            async with opened(viewer) as page:
                (failed,) = page.control("failed")["items"]
                assert failed["value"] == 2
                assert "told to fail" in failed["detail"]
                await page.final()
                show, _ = await page.changed("index_jump", 5)
                assert show.facts["index"] == 5
                await page.has("position", 4)
                await page.set("index_jump", 2)
                await page.until(lambda: "told to fail" in page.facts["note"])
                assert page.control("position")["value"] == 4

    asyncio.run(run())


def test_samples_are_found_by_what_is_in_sight(run_folder: Path) -> None:
    recording = hg.Recording(run_folder)
    with_ball = [
        position
        for position, sample in enumerate(recording)
        if any((frame.segmentation == 17).any() for frame in sample)
    ]
    assert 0 < len(with_ball) < 5
    indices = [sample.index for sample in recording]

    async def run() -> None:
        with hg.view(run_folder) as viewer:
            async with opened(viewer) as page:
                await page.final()
                await page.set("filter", "BALL")
                await page.until(
                    lambda: (
                        page.facts["timeline"]["searched"] == 5
                        and page.facts["timeline"]["found"] == with_ball
                    )
                )
                seen, position = [], 0
                while position != with_ball[-1]:
                    show, _ = await page.changed("next", None)
                    position = indices.index(show.facts["index"])
                    seen.append(position)
                assert seen == [position for position in with_ball if position > 0]
                await page.set("next", None)
                await page.until(lambda: "no later sample" in page.facts["note"])

    asyncio.run(run())


def test_a_recording_of_nothing_is_refused(tmp_path: Path) -> None:
    def always(view: hg.View) -> tuple[hg.View, dict[str, Any]]:
        return replace(view, state={"crash": 3}), {}

    with fake() as renderer:
        data = Dataset(renderer, 2, randomize=always)
        record(data, tmp_path / "run", on_error=lambda error: None)
    with pytest.raises(HeliographError, match="holds no sample"):
        hg.view(tmp_path / "run")


# What can be viewed, and how it ends.


def test_the_function_and_the_module_of_one_name_are_both_there() -> None:
    words = "import heliograph as hg; hg.View; import heliograph.view; assert hg.view.__doc__"
    assert subprocess.run([sys.executable, "-c", words], check=True).returncode == 0


def test_a_python_file_defines_what_is_viewed(tmp_path: Path) -> None:
    scene = tmp_path / "scene.py"
    scene.write_text("import heliograph as hg\nscene = hg.Scene(hg.Sphere(key='ball'))\n")
    with hg.view(scene) as viewer:
        assert [*viewer.sources] == ["scene.py"]
    scene.write_text("import heliograph as hg\nrenderer = hg.open('fake', size=(8, 8))\n")
    with hg.view(scene):
        pass
    scene.write_text("x = 1\n")
    with pytest.raises(SceneError, match="`scene` or `renderer`; it defines neither"):
        hg.view(scene)
    scene.write_text("def scene():\n    return None\n")
    with pytest.raises(SceneError, match=r"scene\.py: expected `scene` to be a scene, got a func"):
        hg.view(scene)
    scene.write_text("1 / 0\n")
    with pytest.raises(SceneError, match="ZeroDivisionError"):
        hg.view(scene)


def test_a_robot_that_mujoco_refuses_is_told_who_may_open_it(tmp_path: Path) -> None:
    robot = tmp_path / "arm.urdf"
    robot.write_text("<robot name='arm'><link/></robot>")
    with pytest.raises(SceneError, match=r"arm\.urdf: .*--engine components"):
        hg.view(robot)


def test_a_renderer_stays_open_and_what_was_opened_is_closed(model: Path) -> None:
    with fake() as renderer:
        with hg.view(renderer):
            pass
        renderer.render(hg.View())
    viewer = hg.view(model)
    viewer.close()
    viewer.close()
    assert "closed" in viewer._repr_html_()
    names = [thread.name for thread in threading.enumerate()]
    assert not any("heliograph viewer" in name for name in names)
    gc.collect()


def test_a_notebook_shows_the_page_in_a_frame_while_its_loop_runs() -> None:
    async def run() -> None:
        with fake() as renderer, hg.view(renderer) as viewer:
            assert "<iframe" in viewer._repr_html_()
            assert viewer.url.replace("&", "&amp;") in viewer._repr_html_()
            async with opened(viewer) as page:
                await page.seen(EYE)

    asyncio.run(run())


def test_it_is_reached_by_the_names_that_were_given(model: Path) -> None:
    async def ask(viewer: Any, name: str) -> int:
        async with (
            aiohttp.ClientSession() as client,
            client.get(viewer.url, headers={"Host": name}) as answer,
        ):
            return answer.status

    with hg.view(model, size=(32, 24), origins=["https://robots.example.org"]) as viewer:
        assert asyncio.run(ask(viewer, "robots.example.org")) == 200
        assert asyncio.run(ask(viewer, "evil.example.org")) == 403


def test_it_speaks_tls_where_it_is_given_a_context() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with fake() as renderer, hg.view(renderer, ssl=context) as viewer:
        assert viewer.url.startswith("https://127.0.0.1:")


def test_a_port_that_is_taken_is_told_and_nothing_is_left(model: Path) -> None:
    with hg.view(model) as viewer:
        port = int(viewer.url.split(":")[2].split("/")[0])
        before = threading.active_count()
        with pytest.raises(HeliographError, match=f"port {port} of 127.0.0.1 cannot be had"):
            hg.view(model, port=port)
        assert threading.active_count() == before


# Dropped files.


async def drop(page: FakePage, files: dict[str, bytes]) -> Any:
    """What the page is answered; an error as its text."""
    buffers = Buffers()
    places = [(name, *buffers.add(data)) for name, data in files.items()]
    listed = [{"name": name, "offset": at, "nbytes": nbytes} for name, at, nbytes in places]
    try:
        return (await page.ask("drop", buffers, files=listed))[0]
    except RuntimeError as error:
        return str(error)


def values(select: Any) -> list[Any]:
    return [option["value"] for option in select["options"]]


def glb() -> Any:
    return trimesh.creation.icosphere(radius=0.5).export(file_type="glb")


def test_a_dropped_mesh_is_one_more_scene() -> None:
    async def run() -> Path:
        with fake() as renderer, hg.view(renderer) as viewer:
            async with opened(viewer) as page:
                assert await drop(page, {"ball.glb": glb()}) == {"opened": "ball.glb"}
                await page.until(lambda: page.facts["scene"] == "ball.glb")
                assert page.configured.title.startswith("ball.glb")
                show, shown = await page.seen(EYE)
                assert show.facts["engine"] == "components"
                assert len(np.unique(shown.reshape(-1, 3), axis=0)) > 1
                folder = viewer._dropped["ball.glb"]
                assert folder.stat().st_mode & 0o77 == 0
                await page.set("scene", "fake")
                await page.until(lambda: page.facts["scene"] == "fake")
                assert await drop(page, {"ball.glb": glb()}) == {"opened": "ball.glb (2)"}
            return folder

    assert not asyncio.run(run()).exists()


def test_of_dropped_scenes_the_newest_and_those_in_sight_stay_open() -> None:
    def threads() -> int:
        names = [thread.name for thread in threading.enumerate()]
        return sum(name.startswith("heliograph viewer: ") for name in names)

    async def run() -> None:
        with fake() as renderer, hg.view(renderer) as viewer:
            async with opened(viewer) as kept, opened(viewer) as page:
                await drop(kept, {"kept.glb": glb()})
                await kept.seen(EYE)
                await drop(page, {"gone.glb": glb()})
                folders = dict(viewer._dropped)
                session = page.configured.session
            async with opened(viewer, kept.configured.session) as kept, opened(viewer) as page:
                assert kept.facts["scene"] == "kept.glb"
                for number in range(7):
                    assert "opened" in await drop(page, {f"{number}.glb": glb()})
                names = ["fake", "kept.glb", "3.glb", "4.glb", "5.glb", "6.glb"]
                await kept.until(lambda: values(kept.control("scene")) == names)
                await page.until(lambda: values(page.control("scene")) == names)
                while threads() > len(names) or folders["gone.glb"].exists():
                    await asyncio.sleep(0.01)
                assert [*viewer.sources] == names
                await kept.seen(eye(1))
                assert folders["kept.glb"].exists()
                assert all(folder.exists() for folder in viewer._dropped.values())
                await page.set("scene", "gone.glb")
                await page.until(lambda: "unknown scene 'gone.glb'" in page.facts["note"])
            async with opened(viewer, session) as page:
                assert page.facts["scene"] == "fake"

    asyncio.run(run())


def test_files_that_cannot_be_opened_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    async def run() -> None:
        with fake() as renderer, hg.view(renderer) as viewer:
            async with opened(viewer) as page:
                assert "bad.xml" in await drop(page, {"bad.xml": b"<mujoco><x/></mujoco>"})
                assert [*tmp_path.iterdir()] == []

    asyncio.run(run())


def test_dropped_folders_of_killed_processes_go_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with subprocess.Popen(["sleep", "300"]) as lives:
        stays = tmp_path / f"heliograph-dropped-{lives.pid}-a"
        other = tmp_path / "heliograph-dropped-mine-a"
        goes = tmp_path / f"heliograph-dropped-{2**22 + 1}-a"
        for folder in (stays, other, goes):
            folder.mkdir()
        with fake() as renderer, hg.view(renderer):
            assert {*tmp_path.iterdir()} == {stays, other}
        lives.kill()


def test_a_dropped_model_that_names_files_that_are_not_there_says_which() -> None:
    text = (
        b'<mujoco><compiler meshdir="meshes"/><asset><mesh name="a" file="a.stl"/>'
        b'<mesh name="b" file="b.stl"/></asset><worldbody><geom type="mesh" mesh="a"/>'
        b"</worldbody></mujoco>"
    )
    mesh = trimesh.creation.box().export(file_type="stl")

    async def run() -> None:
        with fake() as renderer, hg.view(renderer) as viewer:
            async with opened(viewer) as page:
                told = await drop(page, {"arm.xml": text, "a.stl": mesh})
                assert "arm.xml: names b.stl, which is not among" in told
                told = await drop(page, {"arm.xml": text, "a.stl": mesh, "b.stl": mesh})
                assert told == {"opened": "arm.xml"}
                told = await drop(page, {"bad.xml": b"<mujoco><x/></mujoco>"})
                assert "bad.xml" in told
                assert "heliograph-dropped" not in told
                assert "expected a scene that ends in" in await drop(page, {"a.py": b"print(1)"})
                large = np.random.default_rng(0).bytes(5 << 20)
                assert "bad.glb" in await drop(page, {"bad.glb": large})
                with pytest.raises(RuntimeError, match="nbytes: expected"):
                    await page.ask("drop", files=[{"name": "a.glb", "offset": 0, "nbytes": 9}])

    asyncio.run(run())


@pytest.mark.parametrize("name", ["../a.xml", "/etc/a.xml", "a/../../b.xml", "C:/a.xml", "a\0.xml"])
def test_dropped_names_stay_in_their_folder(tmp_path: Path, name: Any) -> None:
    with pytest.raises(SceneError, match="beside the scene"):
        place_files({name: b"<mujoco/>"}, tmp_path)
    inside = b'<mujoco><asset><mesh file="/etc/passwd"/></asset></mujoco>'
    with pytest.raises(SceneError, match="beside it"):
        place_files({"a.xml": inside}, tmp_path)
    assert [*tmp_path.iterdir()] == []


INCLUDES = b'<mujoco><include file="p.xml"/></mujoco>'
OBJ = b"mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"


def _glb(text: bytes) -> bytes:
    size = len(text).to_bytes(4, "little")
    return b"glTF" + (2).to_bytes(4, "little") + bytes(4) + size + b"JSON" + text


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (
            {"a.xml": INCLUDES, "p.xml": b'<m><include file="/etc/x.xml"/></m>'},
            "p.xml: names '/etc",
        ),
        (
            {"a.xml": INCLUDES, "p.xml": b'<m><mesh file="&#47;etc/x"/></m>'},
            "p.xml: names '/etc/x'",
        ),
        ({"a.xml": b'<mujoco><texture fileright="~/x.png"/></mujoco>'}, "a.xml: names '~/x.png'"),
        ({"a.xml": b'<mujoco><compiler texturedir="&#47;etc"/></mujoco>'}, "a.xml: names '/etc'"),
        ({"a.xml": b"<mujoco><texture filefront='a\\..\\..\\x'/></mujoco>"}, "a.xml: names"),
        ({"a.xml": b'<mujoco><include file="p.txt"/></mujoco>', "p.txt": b""}, "'p.txt'; expected"),
        ({"a.xml": b'<!DOCTYPE r [<!ENTITY s "/etc">]><robot n="&s;"/>'}, "a.xml: has a DOCTYPE"),
        ({"a.urdf": b'<robot><mesh filename="file:///etc/x"/></robot>'}, "names 'file:///etc/x'"),
        ({"a.urdf": b'<robot><mesh filename="C:/x"/></robot>'}, "a.urdf: names 'C:/x'"),
        ({"a.obj": OBJ, "a.mtl": b"newmtl m\nmap_Kd -s 1 1 1 /etc/x.png\n"}, "a.mtl: names '/etc"),
        ({"a.obj": OBJ, "a.mtl": b"newmtl m\rbump ../x.png\n"}, "a.mtl: names '../x.png'"),
        ({"a.obj": b"mtllib a.mtl \\\n ../b.mtl\n", "a.mtl": b""}, "a.obj: names '../b.mtl'"),
        ({"a.gltf": b'{"images":[{"uri":"%2e%2e/x.png"}]}', "x.png": b""}, "a.gltf: names '../x"),
        ({"a.glb": _glb(b'{"images":[{"uri":"/etc/x","uri":"y"}]}')}, "a.glb: names '/etc/x'"),
        ({"a.ply": b"ply\ncomment TextureFile ../x.png\nend_header\n"}, "a.ply: names '../x.png'"),
    ],
)
def test_dropped_files_name_none_that_was_not_dropped(
    tmp_path: Path, files: dict[str, bytes], told: Any
) -> None:
    with pytest.raises(SceneError) as error:
        place_files(files, tmp_path)
    assert told in str(error.value)
    assert [*tmp_path.iterdir()] == []


def test_xml_that_a_dropped_scene_does_not_lead_to_names_what_it_likes(tmp_path: Path) -> None:
    files = {"r/package.xml": b'<package path="../x"/>', "r/a.urdf": b'<robot name="r"/>'}
    assert place_files(files, tmp_path) == tmp_path / "r/a.urdf"


def test_a_dropped_robot_finds_its_meshes_wherever_they_were(tmp_path: Path) -> None:
    robot = (
        b'<robot name="r"><link name="base"><visual><geometry>'
        b'<mesh filename="package://r_description/meshes/base.stl"/>'
        b"</geometry></visual></link></robot>"
    )
    files = {"r/urdf/r.urdf": robot, "r/meshes/base.stl": b"solid"}
    path = place_files(files, tmp_path)
    assert path == tmp_path / "r/urdf/r.urdf"
    assert (path.parent / "r_description/meshes/base.stl").read_bytes() == b"solid"


# The pace, and who is next.


def test_pictures_shrink_until_they_come_in_time_and_grow_again() -> None:
    pace = Pace(target=0.03)
    for _ in range(200):
        width, height = pace.size(640, 480)
        pace.took(1e-3 + width * height * 1e-6)
    assert pace.size(640, 480)[0] * pace.size(640, 480)[1] * 1e-6 < 0.036
    assert pace.scale < 1
    assert not pace.whole_in_time
    for _ in range(200):
        width, height = pace.size(640, 480)
        pace.took(1e-3 + width * height * 1e-8)
    assert pace.scale == 1
    assert pace.whole_in_time


def test_the_first_pictures_do_not_count() -> None:
    pace = Pace(target=0.03)
    before = pace.scale
    for _ in range(2):
        pace.took(5.0)
    assert pace.scale == before


def test_pictures_are_not_made_small_where_that_does_not_help() -> None:
    pace = Pace(target=0.03)
    for _ in range(300):
        pace.took(0.2)
    assert pace.scale >= 0.35


@given(per_pixel=st.floats(1e-10, 1e-4), fixed=st.floats(0, 0.2))
def test_the_size_settles(per_pixel: float, fixed: float) -> None:
    pace = Pace(target=0.03)
    scales = []
    for _ in range(400):
        width, height = pace.size(640, 480)
        pace.took(fixed + per_pixel * width * height)
        scales.append(pace.scale)
    last = scales[200:]
    assert set(last) <= set(SCALES)
    assert sum(one != other for one, other in pairwise(last)) <= 12
    assert min(pace.size(640, 480)) >= 48
    assert pace.size(40, 30) == (40, 30)


def test_the_desk_does_the_most_urgent_first_and_of_a_slot_the_newest() -> None:
    desk = Desk("test")
    done: list[object] = []
    hold, ready = threading.Event(), threading.Event()

    def first(cancel: CancelToken) -> None:
        ready.set()
        hold.wait()
        done.append(("first", cancel.cancelled))

    desk.put("a", Urgency.STILL, first)
    ready.wait()
    desk.put("idle", Urgency.IDLE, lambda _: done.append("idle"))
    desk.put("still", Urgency.STILL, lambda _: done.append("old"))
    desk.put("other", Urgency.STILL, lambda _: done.append("other"))
    desk.put("still", Urgency.STILL, lambda _: done.append("new"))
    desk.put("moving", Urgency.MOVING, lambda _: done.append("moving"))
    desk.put("gone", Urgency.QUESTION, lambda _: done.append("gone"))
    desk.drop("gone")
    desk.drop("a")
    over = threading.Event()
    desk.put("last", Urgency.IDLE, lambda _: over.set())
    hold.set()
    over.wait()
    desk.close()
    assert done == [("first", True), "moving", "new", "other", "idle"]
    desk.put("late", Urgency.QUESTION, lambda _: done.append("late"))
    assert "late" not in done
