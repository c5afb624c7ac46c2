"""Priorities, cancelling, streams, versions of the scene, blobs, launchers: what a pool can do."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heliograph as hg
from heliograph.engine import CancelToken
from heliograph.engines.fake import FAIL, FakeEngine, Paint
from heliograph.errors import WorkerError
from heliograph.frame import Sample
from heliograph.passes import PASSES
from heliograph.pool import Launcher, Pool
from heliograph.transport.channel import Channel
from heliograph.transport.messages import Blob, RenderMany, ViewWire
from heliograph.transport.slots import Region
from heliograph.transport.status import StatusPage
from heliograph.transport.values import pack_array
from heliograph.worker.drawing import RenderExecutor

SIZE = {"size": (32, 24)}
MJCF = """<mujoco><worldbody><light pos="0 0 3"/>
<camera name="front" pos="0 -3 0" xyaxes="1 0 0 0 0 1"/><geom name="ball" size="0.5"/>
</worldbody></mujoco>"""


def fake(workers: int = 2, source: str = "blank", **settings: Any) -> Pool:
    return Pool("fake", source, workers, SIZE, **settings)


def eventually(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def slow(seconds: float, index: int = 0) -> hg.View:
    return hg.View(index=index, state={"sleep": seconds})


def right(sample: Sample, index: int) -> None:
    frame = next(iter(sample))
    assert sample.index == index
    assert (frame.rgb == index % 256).all()


def closed(stream: Iterator[Sample]) -> None:
    assert isinstance(stream, Generator)
    stream.close()


# Priorities and cancelling -----------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_an_urgent_view_does_not_wait_behind_a_batch(workers: int) -> None:
    count = 400
    with fake(workers) as pool:
        batch = pool.submit_batch({"seeds": np.arange(count), "sleep": np.full(count, 0.003)})
        eventually(batch.running)
        for index in range(5):
            before = time.time()
            sample = pool.render(hg.View(index=index), priority=1)
            right(sample, index)
            assert sample.provenance.begun >= before
            assert not batch.done()
        stacked = batch.result(60)
        assert (stacked["front"][:, 0, 0, 0] == np.arange(count) * 31 % 256).all()
        stats = pool.stats()
        assert (stats.done, stats.queued, stats.in_flight) == (count + 5, 0, 0)


def test_the_most_urgent_goes_first_and_among_equals_the_first() -> None:
    with fake(1, depth=1) as pool:
        first = pool.submit(slow(0.2))
        eventually(first.running)
        futures = [pool.submit(hg.View(index=i), priority=p) for i, p in enumerate([0, 2, 0, 1, 2])]
        begun = [future.result(10).provenance.begun for future in futures]
        assert np.argsort(begun).tolist() == [1, 4, 3, 0, 2]


@pytest.mark.parametrize("priority", [1.5, "high", 1 << 40, np.array([1, 2]), None])
def test_a_priority_is_a_whole_number(priority: Any) -> None:
    with fake(1) as pool, pytest.raises(hg.InvalidValueError, match="priority"):
        pool.render(hg.View(), priority=priority)


def test_what_a_worker_has_but_did_not_begin_is_cancelled() -> None:
    with fake(1, depth=3) as pool:
        first = pool.submit(slow(0.3))
        eventually(first.running)
        second, third = (pool.submit(slow(60, i)) for i in (1, 2))
        fourth = pool.submit(hg.View(index=3))
        assert not second.running()
        assert second.cancel()
        assert third.cancel()
        assert third.cancel()
        assert not first.cancel()
        right(fourth.result(10), 3)
        assert wait([second, third], 1).not_done == set()
        with pytest.raises(CancelledError):
            second.result()
        eventually(lambda: pool.stats().in_flight == 0)
        assert pool.stats().cancelled == 2


def test_a_batch_is_cancelled_until_any_of_it_has_begun() -> None:
    with fake(1) as pool:
        first = pool.submit(slow(0.3))
        eventually(first.running)
        batch = pool.submit_batch({"seeds": np.arange(50), "sleep": np.full(50, 5.0)})
        assert batch.cancel()
        assert first.result(5).index == 0
        right(pool.render(hg.View(index=7)), 7)
        begun = pool.submit_batch({"seeds": np.arange(5), "sleep": np.full(5, 0.05)})
        eventually(begun.running)
        assert not begun.cancel()
        assert begun.result(10)["front"].shape[0] == 5
        assert pool.stats().in_flight == 0


# Streams -----------------------------------------------------------------------------------------


def test_a_view_is_refined_as_in_this_process() -> None:
    view = hg.View(cameras=["front", "top"], passes=PASSES, state={"ball": (0, 0, 1)}, seed=1)
    with hg.open("fake", size=(64, 48)) as local, fake(2, "fake") as small:
        del small
        with Pool("fake", "fake", 2, {"size": (64, 48)}) as pool:
            made, expected = list(pool.refine(view)), list(local.refine(view))
            assert len(made) == len(expected) == 3
            for one, other in zip(made, expected, strict=True):
                assert (one.seed, one.index, one.labels) == (other.seed, other.index, other.labels)
                for frame in other:
                    assert one[frame.camera.name].camera == frame.camera
                    for name, array in frame.passes.items():
                        assert np.array_equal(one[frame.camera.name][name], array)
            made[0]["front"].rgb[:] = 0  # it is the caller's


def test_who_dies_over_a_refinement_has_its_rest_drawn_by_another() -> None:
    with fake(2) as pool:
        sizes = []
        for sample in pool.refine(slow(0.2)):
            sizes.append(sample["front"].rgb.shape[0])
            if len(sizes) < 3:
                busy = [each.pid for each in pool.stats().workers if each.in_flight]
                os.kill(busy[0], signal.SIGKILL)
        assert sizes == [6, 12, 24]
        assert pool.stats().died == 2


def test_a_refinement_that_fails_says_so() -> None:
    with fake(1) as pool:
        with pytest.raises(hg.EngineError, match="told to fail"):
            list(pool.refine(hg.View(state={"crash": FAIL})))
        with pytest.raises(hg.UnknownNameError):
            list(pool.refine(hg.View(cameras=["nope"])))
        assert len(list(pool.refine(hg.View()))) == 3


def test_what_cancels_a_refinement_is_a_token() -> None:
    wrong: Any = 3
    with fake(1) as pool, pytest.raises(hg.InvalidValueError, match="expected a CancelToken or No"):
        pool.refine(hg.View(), wrong)


def test_a_cancelled_refinement_ends_and_frees_its_worker() -> None:
    with fake(1) as pool:
        token = CancelToken()
        threading.Timer(0.3, token.cancel).start()
        assert list(pool.refine(slow(60), token)) == []
        right(pool.render(hg.View(index=3)), 3)
        cancelled = CancelToken()
        cancelled.cancel()
        assert list(pool.refine(hg.View(), cancelled)) == []
        left = pool.refine(slow(60))
        threading.Timer(0.2, lambda: None).start()
        stream = pool.refine(hg.View())
        next(stream)
        closed(stream)
        del left
        right(pool.render(hg.View(index=4)), 4)
        eventually(lambda: pool.stats().in_flight == 0)


def test_a_slow_reader_stops_who_publishes() -> None:
    with fake(1) as pool:
        stream = pool.published(ahead=3)
        taken = []
        samples = []
        for sample in stream:
            taken.append(time.time())
            samples.append(sample)
            time.sleep(0.03)
            if len(samples) == 12:
                break
        closed(stream)
        assert [sample.index for sample in samples] == list(range(12))
        for index, sample in enumerate(samples[4:]):  # 3 ahead, and one that was just taken
            assert sample.provenance.begun >= taken[index]
        right(pool.render(hg.View(index=9)), 9)


def test_other_views_are_drawn_between_two_that_are_published() -> None:
    with fake(1, deadline=0.6) as pool:
        stream = pool.published(ahead=2)
        right(next(stream), 0)
        for index in range(3):
            right(pool.render(hg.View(index=index + 40)), index + 40)
        time.sleep(1.5)  # a reader may take longer than the deadline
        right(next(stream), 1)
        assert pool.stats().died == 0
        os.kill(pool.pids[0], signal.SIGKILL)  # begun anew by another
        seen = [next(stream).index for _ in range(6)]
        assert 0 in seen
        closed(stream)


def test_who_publishes_nothing_says_so() -> None:
    with (
        hg.open(MJCF, size=(8, 8), workers=1) as pool,
        pytest.raises(hg.InvalidValueError, match="publishes nothing"),
    ):
        pool.published()
    with hg.open("fake", size=(8, 8)) as local:
        stream = local.published()
        assert [next(stream).index for _ in range(3)] == [0, 1, 2]


def test_streams_have_priorities() -> None:
    with fake(1) as pool:
        batch = pool.submit_batch(
            {"seeds": np.arange(300), "sleep": np.full(300, 0.003)}, priority=-5
        )
        eventually(batch.running)
        stream = pool.published(ahead=2)
        assert [next(stream).index for _ in range(20)] == list(range(20))
        assert len(list(pool.refine(hg.View(), priority=3))) == 3
        assert not batch.done()
        closed(stream)
        assert batch.result(30)["front"].shape[0] == 300


def test_a_token_that_was_cancelled_before_has_nothing_drawn() -> None:
    with fake(1) as pool:
        token = CancelToken()
        stream = pool.refine(slow(30), token)
        token.cancel()
        assert list(stream) == []
        assert pool.stats().in_flight == pool.stats().queued == 0
        lasting = CancelToken()
        for _ in range(20):
            assert len(list(pool.refine(hg.View(), lasting))) == 3
        assert lasting._calls == []


@pytest.mark.parametrize("ordered", [True, False])
def test_a_view_that_is_refused_is_a_failed_future_among_others(*, ordered: bool) -> None:
    with fake(2) as pool:
        views = [hg.View(index=0), hg.View(["nope"]), hg.View(index=2)]
        made = list(pool.futures(views, ordered=ordered))
        assert sorted(future.exception() is None for future in made) == [False, True, True]


# Versions of the scene ---------------------------------------------------------------------------


def test_changes_are_made_by_all_and_by_those_that_come_later() -> None:
    green, red = Paint("ball", (0.0, 1.0, 0.0)), Paint("globe", (1.0, 0.0, 0.0))
    size = {"size": (64, 48)}
    with hg.open("fake", size=size["size"]) as local:
        old = local.render(hg.View())["front"].rgb
        local.advance([green, red])
        new = local.render(hg.View())["front"].rgb
    assert not np.array_equal(old, new)
    with Pool("fake", "fake", 2, size) as pool:
        before = pool.submit_batch({"seeds": np.arange(8), "sleep": np.full(8, 0.05)})
        assert pool.advance(green) == 1
        assert pool.advance([red]) == 2
        samples = pool.render_batch([hg.View(index=i) for i in range(8)])
        assert all(np.array_equal(sample["front"].rgb, new) for sample in samples)
        assert {sample.provenance.scene_version for sample in samples} == {2}
        assert pool.scene.version == pool.provenance.scene_version == 2
        # What was ordered before shows what was the newest then.
        assert all(np.array_equal(rgb, old) for rgb in before.result(10)["front"])
        for pid in pool.pids:
            os.kill(pid, signal.SIGKILL)
        samples = pool.render_batch([hg.View(index=i) for i in range(8)])
        assert all(np.array_equal(sample["front"].rgb, new) for sample in samples)
        assert np.array_equal(pool.render(hg.View(scene_version=0))["front"].rgb, old)


def test_a_change_that_does_not_fit_changes_nothing() -> None:
    with fake(2, "fake") as pool:
        with pytest.raises(hg.UnknownNameError, match="cube"):
            pool.advance(Paint("cube", (0, 1, 0)))
        assert pool.provenance.scene_version == 0
        assert pool.advance(Paint("ball", (0, 1, 0))) == 1
        assert pool.stats().died == 0
    with (
        hg.open(MJCF, size=(8, 8), workers=1) as rigid,
        pytest.raises(hg.InvalidValueError, match="does not change"),
    ):
        rigid.advance(Paint("ball", (0, 1, 0)))


def test_scenes_change_under_views_that_are_on_their_way() -> None:
    scene = hg.Scene(
        hg.Sphere(key="ball", args=[0.3]),
        hg.CameraView(key="eye", position=[0, -3, 0], width=24, height=16),
    )
    with hg.open(scene, workers=2) as pool, hg.open(scene) as local:
        futures = []
        for step in range(40):
            change = hg.Update(hg.Sphere(key="ball", position=[0.02 * step, 0, 0]))
            assert pool.advance(change) == local.advance(change)
            view = hg.View(["eye"], ("segmentation", "depth"), index=step)
            futures.append((pool.submit(view), local.render(view)))
        for future, expected in futures:
            sample = future.result(20)
            assert sample.provenance.scene_version == expected.provenance.scene_version
            assert np.array_equal(sample["eye"].depth, expected["eye"].depth)
            assert np.array_equal(sample["eye"].segmentation, expected["eye"].segmentation)


def test_cameras_and_labels_are_those_of_the_newest_version() -> None:
    scene = hg.Scene(
        hg.Sphere(key="ball", args=[0.3]),
        hg.CameraView(key="eye", position=[0, -3, 0], width=24, height=16),
    )
    with hg.open(scene, workers=2) as pool, hg.open(scene) as local:
        changes = [
            hg.Add(hg.Box(key="box", position=[0.5, 0, 0])),
            hg.Add(hg.CameraView(key="side", position=[0, -4, 1], width=40, height=30)),
        ]
        for renderer in (pool, local):
            renderer.advance(changes)
        assert pool.cameras == local.cameras
        assert pool.labels == local.labels
        assert pool.scene.objects.names == local.scene.objects.names
        view = hg.View(["side"], PASSES, seed=1)
        for frame in local.render(view):
            sample = pool.render(view)
            assert sample.labels == local.labels
            for name, array in frame.passes.items():
                assert np.array_equal(sample["side"][name], array)
        stacked = pool.render_batch({"seeds": [1, 2], "cameras": ["side", "eye"]})
        assert stacked["side"].shape == (2, 30, 40, 3)


def resizable(side: int) -> hg.CameraView:
    return hg.CameraView(key="eye", position=[0, -3, 0], width=side, height=side)


def test_cameras_that_change_under_views_never_spoil_a_picture() -> None:
    scene = hg.Scene(hg.Sphere(key="ball", args=[0.3]), resizable(32))
    view = hg.View(["eye"], ("rgb", "segmentation"))
    true: dict[int, Any] = {}
    with hg.open(scene) as local:
        for side in (32, 64):
            local.advance(hg.Upsert(resizable(side)))
            true[side] = local.render(view)["eye"]
    seen: list[bool] = []
    with hg.open(scene, workers=2) as pool:
        stop = threading.Event()

        def draw() -> None:
            while not stop.is_set():
                sample = pool.render(view)
                side = 64 if sample.provenance.scene_version % 2 else 32
                ids = sample["eye"].segmentation
                seen.append(np.array_equal(ids, true[side].segmentation))
                pictures = pool.render_batch({"seeds": [1, 2], "cameras": ["eye"]})["eye"]
                seen.extend(np.array_equal(rgb, true[len(rgb)].rgb) for rgb in pictures)

        with ThreadPoolExecutor(2) as threads:
            drawing = [threads.submit(draw) for _ in range(2)]
            for turn in range(60):
                pool.advance(hg.Upsert(resizable(32 if turn % 2 else 64)))
            stop.set()
        assert [each.result() for each in drawing] == [None, None]
        assert pool.cameras["eye"].width == 32
    assert len(seen) > 20
    assert all(seen)


# Blobs -------------------------------------------------------------------------------------------


WALL = hg.Scene(
    hg.Plane(key="wall", args=[4, 4]),
    hg.CameraView(key="eye", position=[0, 0, 3], rotation=[0, 0, 0], width=24, height=16),
)


def papered(image: Any) -> hg.EditMaterials:
    """The wall with an image on it."""
    return hg.EditMaterials((("wall",),), texture=np.array([0]), images=(image,))


def test_a_texture_goes_once_to_each_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    put = Channel.put

    def counted(self: Channel, message: Any, descriptor: int | None = None) -> None:
        sent.append(message)
        put(self, message, descriptor)

    monkeypatch.setattr(Channel, "put", counted)
    images = [np.full((64, 64, 3), 40 * i, np.uint8) for i in range(3)]
    edits = [(papered(image),) for image in images]
    with hg.open(WALL, workers=2) as pool, hg.open(WALL) as local:
        views = [hg.View(["eye"], edits=edits[i % 3], index=i) for i in range(60)]
        for view, sample in zip(views, pool.map(views), strict=True):
            expected = local.render(view)["eye"].rgb
            assert np.array_equal(sample["eye"].rgb, expected)
        blobs = [message for message in sent if isinstance(message, Blob)]
        assert len(blobs) <= 6
        assert len({blob.digest for blob in blobs}) == 3
        stacked = pool.render_batch(
            {"seeds": np.arange(6), "edits": [edits[i % 3] for i in range(6)]}
        )
        for i in range(6):
            assert np.array_equal(stacked["eye"][i], local.render(views[i])["eye"].rgb)
        assert len([message for message in sent if isinstance(message, Blob)]) <= 6


def test_blobs_that_are_too_many_are_dropped_and_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("heliograph.pool.worker_handle.KEPT_BLOBS", 40_000)
    images = [np.full((64, 64, 3), 20 * i, np.uint8) for i in range(8)]
    with hg.open(WALL, workers=1) as pool, hg.open(WALL) as local:
        for turn in range(24):
            view = hg.View(["eye"], edits=(papered(images[turn * 5 % 8]),))
            assert np.array_equal(pool.render(view)["eye"].rgb, local.render(view)["eye"].rgb)


def test_blobs_of_orders_that_a_worker_has_are_not_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("heliograph.pool.worker_handle.KEPT_BLOBS", 30_000)
    images = [np.full((64, 64, 3), 20 * i, np.uint8) for i in range(8)]
    edits = [papered(image) for image in images]
    views = [hg.View(["eye"], edits=(edits[i * 3 % 8],), index=i) for i in range(40)]
    with hg.open(WALL, workers=1, depth=6) as pool, hg.open(WALL) as local:
        futures = [pool.submit(view, priority=i % 3) for i, view in enumerate(views)]
        for view, future in zip(views, futures, strict=True):
            expected = local.render(view)["eye"].rgb
            assert np.array_equal(future.result(20)["eye"].rgb, expected)


# Without shared memory ---------------------------------------------------------------------------


def test_without_shared_memory_samples_come_in_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more(*_: Any) -> Any:
        raise WorkerError("cannot get shared memory")

    views = [hg.View(cameras=["front", "top"], passes=PASSES, seed=2, index=i) for i in range(6)]
    with fake(2, "fake") as pool, hg.open("fake", size=SIZE["size"]) as local:
        monkeypatch.setattr("heliograph.pool.buffers.Region.create", no_more)
        samples = [*pool.map(views[:3]), *(pool.render(view) for view in views[3:])]
        for view, sample in zip(views, samples, strict=True):
            for frame in local.render(view):
                for name, array in frame.passes.items():
                    assert np.array_equal(sample[frame.camera.name][name], array)
        with pool.borrow(views[0]) as sample:
            assert sample.index == 0
        submit = pool.side_by_side(2)
        assert [submit(view).result().index for view in views[:4]] == [0, 1, 2, 3]
        with pytest.raises(WorkerError, match="cannot get shared memory"):
            pool.render_batch({"seeds": [1, 2]})


# Groups ------------------------------------------------------------------------------------------


class Grouped(FakeEngine):
    """Draws a batch at its end, where something may go wrong."""

    def render_many(self, views: Any, outs: Any = None) -> Any:
        made = super().render_many(views, outs)
        raise RuntimeError(f"lost at the end of {len(made)}")


def test_what_fails_as_a_group_is_drawn_one_by_one() -> None:
    executor = RenderExecutor(Grouped("blank", size=(16, 12)), StatusPage(Region.create(-1, 1)))
    executor.regions[0] = Region.create(0, 1 << 16)
    order = RenderMany(
        ticket=1,
        region=0,
        total=6,
        first=0,
        view=ViewWire([], ["rgb"], {}, None, None, 0),
        seeds=pack_array(np.arange(6)),
        indices=pack_array(np.arange(6)),
        state={"crash": pack_array(np.array([0, 0, FAIL, 0, 0, 0]))},
        poses={},
        edits=[],
    )
    done = executor.draw_many(order)
    assert done.count == 6
    assert list(done.problems) == [2]
    pictures = np.ndarray((6, 12, 16, 3), np.uint8, executor.regions[0].memory)
    assert [int(each[0, 0, 0]) for each in pictures[[0, 1, 3, 4, 5]]] == [0, 32, 96, 128, 160]


GROUPED = '''
import os
from heliograph.engines.fake import FakeEngine

class DiesAtTheEnd(FakeEngine):
    """A group with seed 13 in it dies, once all is drawn; so does seed 13 alone."""

    def __init__(self, source="blank", *, size=(320, 240)):
        super().__init__("blank", size=size)

    def render_many(self, views, outs=None):
        seen = []
        def watched():
            for view in views:
                seen.append(view.seed)
                yield view
        made = super().render_many(watched(), outs)
        if 13 in seen and len(seen) > 1:
            os._exit(9)
        return made

    def render(self, view, out=None):
        if view.seed == 13 and getattr(self, "alone", False):
            os._exit(9)
        return super().render(view, out)
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "dies_engine.py").write_text(GROUPED)
    facts = tmp_path / "dies_engine-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: dies-engine\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(
        "[heliograph.engines]\ndies = dies_engine:DiesAtTheEnd\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        patch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}".rstrip(":"))
        yield tmp_path


@pytest.mark.usefixtures("plugin")
def test_a_group_that_kills_at_its_end_blames_no_entry() -> None:
    with Pool("dies", "blank", 1, SIZE, max_kills=2) as pool:
        stacked = pool.render_batch({"seeds": np.arange(40)})
        assert (stacked["front"][:, 0, 0, 0] == np.arange(40) * 31 % 256).all()
        assert pool.stats().died >= 1


BROKEN = """
from heliograph.engines.fake import FakeEngine

class DiesAtTheEnd(FakeEngine):
    def render(self, view, out=None):
        return {}["a key of the engine's"]
"""


def test_an_error_of_an_engine_says_where_it_came_about(plugin: Path) -> None:
    (plugin / "dies_engine.py").write_text(BROKEN)
    with Pool("dies", "blank", 1, SIZE) as pool, pytest.raises(hg.EngineError) as caught:
        pool.render(hg.View())
    assert "KeyError" in str(caught.value)
    (note,) = caught.value.__notes__
    assert 'return {}["a key' in note


# Launchers ---------------------------------------------------------------------------------------


def test_a_wrapper_may_start_the_worker_in_a_session_of_its_own(tmp_path: Path) -> None:
    wrapper = tmp_path / "wrap"
    wrapper.write_text('#!/bin/sh\nsetsid "$@" &\nwait $!\n')
    wrapper.chmod(0o755)
    environment = {"HELIOGRAPH_MARK": "here", "HOME": None}
    launcher = Launcher((str(wrapper), sys.executable), environment, cwd=tmp_path)
    with fake(2, launcher=launcher) as pool:
        pids = pool.pids
        for pid in pids:
            assert Path(f"/proc/{pid}/cwd").readlink() == tmp_path
            told = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            assert b"HELIOGRAPH_MARK=here" in told
            assert not any(each.startswith(b"HOME=") for each in told)
            assert os.getsid(pid) == pid
        for index in range(20):
            right(pool.render(hg.View(index=index)), index)
        os.kill(pids[0], signal.SIGKILL)
        for index in range(20):
            right(pool.render(hg.View(index=index)), index)
        eventually(lambda: len(pool.pids) == 2)
        pids += pool.pids
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


def test_wrapped_workers_end_with_a_driver_that_is_killed(tmp_path: Path) -> None:
    wrapper = tmp_path / "wrap"
    wrapper.write_text('#!/bin/sh\nsetsid "$@" &\nwait $!\n')
    wrapper.chmod(0o755)
    script = f"""
        import time, sys, heliograph as hg
        from heliograph.pool import Launcher, Pool
        if __name__ == "__main__":
            pool = Pool("fake", "blank", 2, launcher=Launcher(({str(wrapper)!r}, sys.executable)))
            futures = [pool.submit(hg.View(state={{"sleep": 60}}))]
            print(*pool.pids, flush=True)
            time.sleep(60)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    pids = [int(each) for each in process.stdout.readline().split()]
    assert len(pids) == 2
    process.kill()
    process.communicate()
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


@pytest.mark.parametrize("argv", ["python", (), ("python", 3)])
def test_a_launcher_is_a_command(argv: Any) -> None:
    with pytest.raises(hg.InvalidValueError, match=r"launcher\.argv"):
        Launcher(argv)
    with pytest.raises(hg.InvalidValueError, match="launcher: expected a Launcher"):
        fake(1, launcher=argv)


@pytest.mark.parametrize("environment", [None, 3, [("A", "b")], {"A": 3}, {3: "b"}])
def test_a_launcher_s_environment_is_text_by_name(environment: Any) -> None:
    with pytest.raises(hg.InvalidValueError, match=r"launcher\.environment: expected"):
        Launcher(("python",), environment)


@pytest.mark.parametrize("cwd", [True, 3, b"/tmp"])
def test_a_launcher_s_folder_is_a_path(cwd: Any) -> None:
    with pytest.raises(hg.InvalidValueError, match=r"launcher\.cwd: expected a path or None, got"):
        Launcher(("python",), cwd=cwd)


def other_interpreter() -> str:
    """A newer Python than this one, where there is one; its own packages are none of ours."""
    versions = Path(sys.base_prefix).parent
    for folder in sorted(versions.glob("3.1[23].*"), reverse=True):
        return str(folder / "bin" / "python3")
    return shutil.which("python3.13") or shutil.which("python3.12") or sys.executable


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another interpreter with numpy, msgspec and our package, without what that needs."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([other_interpreter(), "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--no-compile"]
    subprocess.run([*pip, "--only-binary=:all:", "numpy", "msgspec"], check=True)
    root = Path(hg.__file__).parents[2]
    subprocess.run([*pip, "--no-deps", str(root)], check=True, cwd=folder)
    return folder / "bin" / "python"


def test_workers_run_under_another_python_without_our_packages(
    bare: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "numpy.py").write_text("raise RuntimeError('of another interpreter')\n")
    hue = {"degrees": {"uniform": [-60, 60]}}
    randomize = {
        "randomizers": [
            {"type": "joint_states", "state": {"ball": [{"normal": [0, 0.3, -1, 1]}, 0.1, 0.8]}},
            {"type": "postprocess", "steps": {"hue": hue, "brightness": {"amount": 0.1}}},
        ]
    }
    views = [hg.View(passes=("rgb", "depth"), seed=5, index=i) for i in range(20)]
    with hg.open("fake", size=(32, 24), randomize=randomize) as local:
        expected = [local.render(view) for view in views]
    # What is on this interpreter's path is none of the other one's.
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    options = {"randomize": randomize, **SIZE}
    with Pool("fake", "fake", 2, options, launcher=Launcher((str(bare),))) as pool:
        executable = {Path(f"/proc/{pid}/exe").resolve() for pid in pool.pids}
        assert executable == {bare.resolve()}
        told = pool.opened["worker"]  # which a recording's manifest holds
        assert set(told) == {"heliograph", "numpy"}
        for sample, other in zip(pool.map(views), expected, strict=True):
            assert sample.randomization == other.randomization
            assert np.array_equal(sample["front"].rgb, other["front"].rgb)
            assert np.array_equal(sample["front"].depth, other["front"].depth)


# Suspended, counted, bounded ---------------------------------------------------------------------

SUSPENDED = """
    import time, heliograph as hg
    from heliograph.pool import Pool
    if __name__ == "__main__":
        with Pool("fake", "blank", 2, {"size": (32, 24)}, deadline=0.8) as pool:
            futures = [pool.submit(hg.View(index=i, state={"sleep": 0.5})) for i in range(4)]
            print(*pool.pids, flush=True)
            samples = [future.result() for future in futures]
            print(pool.stats().died, *(sample.index for sample in samples), flush=True)
"""


def test_a_suspended_machine_is_nobodys_fault() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SUSPENDED)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    pids = [process.pid, *map(int, process.stdout.readline().split())]
    time.sleep(0.2)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(2.0)
    for pid in reversed(pids):
        os.kill(pid, signal.SIGCONT)
    out, _ = process.communicate(timeout=30)
    assert out.split() == ["0", "0", "1", "2", "3"]


def test_statistics_tell_what_happened() -> None:
    with fake(2, max_kills=2) as pool:
        list(pool.map(hg.View(index=i) for i in range(50)))
        with pytest.raises(WorkerError):
            pool.render(hg.View(state={"crash": 2}))
        stats = pool.stats()
        assert (stats.done, stats.retried, stats.quarantined) == (50, 1, 1)
        assert stats.died == 2
        eventually(lambda: len(pool.stats().workers) == 2)
        eventually(lambda: {each.phase for each in pool.stats().workers} == {"ready"})
        workers = pool.stats().workers
        assert {worker.pid for worker in workers} == set(pool.pids)
        assert sum(worker.done for worker in workers) <= 50
        assert all(worker.rate >= 0 for worker in workers)


def test_descriptors_are_bounded_for_varied_sizes() -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def camera(width: int) -> hg.Camera:
        return hg.Camera.perspective(fov_y=0.8, width=width, height=300, name="own")

    with fake(2) as pool:
        before = descriptors()
        for round_ in range(3):
            for width in range(50, 2500, 90):
                pool.render(hg.View(cameras=[camera(width + round_)]))
        gc.collect()
        time.sleep(1.3)  # memory is let go of once a second
        assert descriptors() - before <= 20
        theirs = [len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pool.pids]
        assert max(theirs) < 20


# Forks, and workers that lie ---------------------------------------------------------------------

FORKED = """
    import os, sys, warnings, heliograph as hg
    from heliograph.pool import Pool
    warnings.simplefilter("ignore")
    if __name__ == "__main__":
        with Pool("fake", "blank", 1, {"size": (8, 8)}) as pool:
            stream = pool.map(hg.View(index=i, state={"sleep": 0.1}) for i in range(9))
            next(stream)
            late = pool.submit(hg.View(index=9, state={"sleep": 0.4}))
            queued = pool.submit(hg.View(index=8))
            told = []
            child = os.fork()
            if not child:
                def tell(act):
                    try:
                        act()
                    except hg.HeliographError as error:
                        told.append("forked" in str(error))
                tell(lambda: next(pool.refine(hg.View())))
                for act in (pool.stats, late.result, lambda: queued.exception(1)):
                    tell(act)
                tell(queued.cancel)
                tell(stream.close)
                pool.close()
                os._exit(sum(told))
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            print(code, late.result().index, queued.result().index, *(s.index for s in stream))
"""


def test_a_forked_child_touches_nothing_of_its_parents_pool() -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FORKED)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    code, *rest = done.stdout.split()
    assert int(code) >= 4, done.stderr
    assert rest == ["9", "8", *map(str, range(1, 9))]


LIAR = """
import os, socket, sys
import heliograph.worker.drawing as drawing
import heliograph.worker.serve as serve
from heliograph.transport.messages import DoneMany, Problem

def lies(self, order):
    what = os.environ["LIE"]
    if what == "no entry":
        problems = {10**9: Problem("EngineError", "x")}
        return DoneMany(order.ticket, len(order.seeds.data) // 8, problems)
    if what == "too many":
        return DoneMany(order.ticket, 10**9, {})
    if what == "none":
        return DoneMany(order.ticket, 0, {})
    read, write = os.pipe()
    channel = self.server_channel
    socket.send_fds(channel.socket, [b"\\0"], [read])
    return DoneMany(order.ticket, 1, {})

made = serve._Server.__init__
def begun(self, channel):
    drawing.RenderExecutor.server_channel = channel
    made(self, channel)

serve._Server.__init__ = begun
drawing.RenderExecutor.draw_many = lies
from heliograph.worker.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("lie", ["no entry", "too many", "none", "descriptors"])
def test_a_worker_that_lies_spoils_its_own_order_alone(lie: str, tmp_path: Path) -> None:
    (tmp_path / "liar.py").write_text(LIAR)
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nshift 3\nexec {sys.executable} {tmp_path}/liar.py "$@"\n')
    wrapper.chmod(0o755)
    launcher = Launcher((str(wrapper),), {"LIE": lie, "PYTHONPATH": os.environ.get("PYTHONPATH")})
    before = len(list(Path("/proc/self/fd").iterdir()))
    with fake(1, launcher=launcher, max_kills=2) as pool:
        with pytest.raises(hg.HeliographError):
            pool.submit_batch({"seeds": np.arange(4)}).result(30)
        right(pool.submit(hg.View(index=3)).result(20), 3)
    gc.collect()
    assert (
        len(list(Path("/proc/self/fd").iterdir())) <= before + 4
    )  # what the pool keeps until it goes
