"""The progressive queue: newest-best first, never back, nothing stuck, nothing kept."""

from __future__ import annotations

import asyncio
import gc
import random
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import heliograph as hg
from heliograph.delivery.pace import SLOW_SCALES, Pace
from heliograph.delivery.progressive import Level, Newest, QueuedImage
from heliograph.engine import LEVELS, CancelToken, Renderer
from heliograph.engines.fake import FakeEngine
from heliograph.errors import ClosedError, EngineError, InvalidValueError, UnknownNameError

SAMPLE = FakeEngine("fake").render(hg.View())
CAMERA = hg.Camera.look_at(eye=(2, 0, 1), target=(0, 0, 0), fov_y=0.9, width=160, height=120)


def image(update_id: int, level: int, *, final: bool = False) -> QueuedImage:
    return QueuedImage(SAMPLE, update_id, level, final, 1.0, 0.0, 0.0)


class Held(FakeEngine):
    """Draws each level when the test says so."""

    def __init__(self) -> None:
        super().__init__("fake")
        self.go = threading.Semaphore(0)
        self.begun = threading.Semaphore(0)
        self.drawn: list[tuple[float, float]] = []
        self.fails: set[float] = set()

    def refine(
        self,
        view: hg.View,
        cancel: CancelToken | None = None,
        levels: Sequence[float] | None = None,
    ) -> Iterator[hg.Sample]:
        where = float(view.cameras[0].world_from_camera[0, 3])  # type: ignore[union-attr]
        for part, sample in zip(levels or (), super().refine(view, None, levels), strict=True):
            self.begun.release()
            while not self.go.acquire(timeout=0.002) and not _is(cancel):
                continue
            if _is(cancel):
                return
            if where in self.fails:
                raise EngineError(f"cannot draw from {where}")
            self.drawn.append((where, part))
            yield sample


def _is(cancel: CancelToken | None) -> bool:
    return cancel is not None and cancel.cancelled


def at(x: float) -> hg.Camera:
    return CAMERA.moved(np.array([[1.0, 0, 0, x], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]))


@pytest.fixture
def held() -> Iterator[tuple[Held, hg.RenderQueue]]:
    engine = Held()
    with (
        hg.LocalRenderer(engine) as renderer,
        hg.RenderQueue(renderer, levels=(0.1, 0.5, 1.0)) as queue,
    ):
        yield engine, queue


# What everybody relies on.


def test_the_coarsest_comes_first_and_the_last_is_what_render_gives() -> None:
    with hg.open("fake") as renderer, hg.RenderQueue(renderer, levels=LEVELS) as queue:
        images: list[QueuedImage] = []
        queue.on_image(images.append)
        number = queue.update(CAMERA)
        last = queue.wait(final=True, timeout=10)
        assert number == 1
        queue.close()  # what is called with the last image may still run
        assert [each.level for each in images] == [0, 1, 2, 3]
        assert [each.camera.size for each in images] == [(20, 15), (40, 30), (80, 60), (160, 120)]
        assert [each.fraction for each in images] == list(LEVELS)
        assert [each.final for each in images] == [False, False, False, True]
        assert all(each.update_id == 1 and each.render_time >= 0 for each in images)
        assert last is images[-1]
        assert last.camera == CAMERA
        np.testing.assert_array_equal(
            last.frame.rgb, renderer.render(hg.View([CAMERA]))["camera"].rgb
        )
        assert 0 < last.age < 10
        assert last.passes == ("rgb",)


def test_an_image_is_read_once(held: tuple[Held, hg.RenderQueue]) -> None:
    engine, queue = held
    queue.update(at(1))
    engine.go.release()
    assert queue.wait(timeout=10).level == 0
    assert queue.get() is None
    engine.go.release(2)
    assert queue.wait(min_level=2, timeout=10).level == 2
    assert queue.get() is None


def test_a_newer_update_ends_what_is_drawn_once_some_of_it_is_there(
    held: tuple[Held, hg.RenderQueue],
) -> None:
    engine, queue = held
    queue.update(at(1))
    engine.go.release()
    assert queue.wait(timeout=10).update_id == 1
    queue.update(at(2))
    assert engine.begun.acquire(timeout=10)
    engine.go.release(4)  # the one that was cancelled may have taken one
    assert queue.wait(final=True, timeout=10).update_id == 2
    assert engine.drawn == [(1, 0.1), (2, 0.1), (2, 0.5), (2, 1.0)]
    assert queue.stats.cancelled == 1


def test_the_coarsest_level_is_finished_however_many_updates_come(
    held: tuple[Held, hg.RenderQueue],
) -> None:
    engine, queue = held
    queue.update(at(1))
    assert engine.begun.acquire(timeout=10)
    for x in range(2, 50):
        queue.update(at(x))
    engine.go.release()
    assert queue.wait(timeout=10).update_id == 1
    engine.go.release()
    assert queue.wait(timeout=10).update_id == 49
    assert engine.drawn == [(1, 0.1), (49, 0.1)]
    assert queue.stats.skipped == 47


def test_errors_reach_who_reads_and_the_queue_goes_on(held: tuple[Held, hg.RenderQueue]) -> None:
    engine, queue = held
    engine.fails = {1.0, 2.0, 3.0, 4.0}
    for x in (1, 2, 3, 4):
        queue.update(at(x))
        engine.go.release()
        with pytest.raises(EngineError, match=f"cannot draw from {x}"):
            queue.wait(timeout=10)
        assert queue.get() is None  # raised once
    queue.update(at(5))
    engine.go.release(3)
    assert queue.wait(final=True, timeout=10).update_id == 5
    assert queue.stats.failed == 4


def test_what_went_wrong_with_an_older_update_is_not_told_after_a_newer_image() -> None:
    newest = Newest()
    assert newest.offer(image(2, 0))
    assert not newest.fail(1, EngineError("old"))
    assert newest.take() is not None
    assert newest.take() is None


def test_a_name_is_looked_up_and_an_unknown_one_is_named() -> None:
    with hg.open("fake") as renderer, hg.RenderQueue(renderer) as queue:
        queue.update("front")
        assert queue.wait(final=True, timeout=10).camera == renderer.cameras["front"]
        queue.update("nobody")
        with pytest.raises(UnknownNameError, match=r"nobody.*front"):
            queue.wait(timeout=10)


def test_named_cameras_of_a_state_are_drawn_whole_alone() -> None:
    with hg.open("fake") as renderer, hg.RenderQueue(renderer) as queue:
        queue.update(hg.View(["front"], ("depth",), {"ball": (0, 0, 1)}))
        only = queue.wait(timeout=10)
        assert only.final
        assert only.level == 0
        assert only.camera.size == renderer.cameras["front"].size


def test_sizes_and_fields_of_view_of_levels() -> None:
    levels = [(16, 9), Level(32, 18), Level(64, 36, fov_y=1.2)]
    with hg.open("fake") as renderer, hg.RenderQueue(renderer, levels=levels) as queue:  # type: ignore[arg-type]  # of all sorts
        images: list[QueuedImage] = []
        queue.on_image(images.append)
        queue.update(CAMERA)
        queue.wait(final=True, timeout=10)
        queue.close()
        assert [each.camera.size for each in images] == [(16, 9), (32, 18), (64, 36)]
        assert images[2].camera.fov_y == pytest.approx(1.2)
        assert images[1].camera.fov_y == pytest.approx(CAMERA.fov_y)


def test_a_pinned_resolution_is_drawn_alone() -> None:
    with hg.open("fake") as renderer, hg.RenderQueue(renderer) as queue:
        queue.pin(0.25)
        queue.update(CAMERA)
        only = queue.wait(min_level=1, timeout=10)  # there is no better one
        assert only.final
        assert only.camera.size == (80, 60)
        queue.pin(None)
        queue.update(CAMERA)
        assert queue.wait(final=True, timeout=10).camera.size == (160, 120)


def test_views_have_their_own_passes_and_state() -> None:
    with hg.open("fake") as renderer, hg.RenderQueue(renderer) as queue:
        view = hg.View([CAMERA], ("depth", "normals"), {"ball": (0, 0, 1)})
        queue.update(view)
        last = queue.wait(final=True, timeout=10)
        assert last.passes == ("depth", "normals")
        np.testing.assert_array_equal(last.frame.depth, renderer.render(view)["camera"].depth)


def test_a_pool_draws_for_a_queue_and_a_cancelled_view_keeps_no_worker_busy() -> None:
    with hg.open("fake", workers=1) as pool, hg.RenderQueue(pool, levels=(0.01, 1.0)) as queue:
        slow = hg.View([CAMERA], state={"sleep": 60.0})
        queue.update(slow)
        assert queue.wait(timeout=30).level == 0
        queue.update(hg.View([at(3)]))
        last = queue.wait(final=True, timeout=30)
        assert last.update_id == 2
        np.testing.assert_array_equal(last.frame.rgb, pool.render(hg.View([at(3)]))["camera"].rgb)


# Faults of queues that came before this one.


def test_a_step_of_the_clock_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with hg.open("fake") as renderer, hg.RenderQueue(renderer) as queue:
        queue.update(CAMERA)
        queue.wait(final=True, timeout=10)
        monkeypatch.setattr(time, "time", lambda: 0.0)
        queue.update(CAMERA)
        assert queue.wait(final=True, timeout=10).update_id == 2


def test_closing_frees_the_renderer_and_ends_who_waits() -> None:
    renderer = hg.open("fake")
    gone = weakref.ref(renderer)
    queue = hg.RenderQueue(renderer)
    queue.update(CAMERA)
    queue.wait(final=True, timeout=10)
    with ThreadPoolExecutor(1) as others:
        waiting = others.submit(queue.wait)
        time.sleep(0.05)
        queue.close()
        with pytest.raises(ClosedError, match="closed"):
            waiting.result(timeout=10)
    del renderer
    gc.collect()
    assert gone() is None
    with pytest.raises(ClosedError):
        queue.update(CAMERA)
    with pytest.raises(ClosedError):
        queue.get()
    queue.close()


def test_a_queue_that_nobody_holds_ends_its_thread_and_frees_the_renderer() -> None:
    renderer = hg.open("fake")
    gone = weakref.ref(renderer)
    queue = hg.RenderQueue(renderer)
    queue.update(CAMERA)
    queue.wait(final=True, timeout=10)
    del queue, renderer
    gc.collect()
    assert gone() is None
    assert all(each.name != "heliograph-queue" for each in threading.enumerate())


def test_an_idle_queue_takes_no_time_of_the_processor() -> None:
    with hg.open("fake") as renderer, hg.RenderQueue(renderer) as queue:
        queue.update(CAMERA)
        queue.wait(final=True, timeout=10)
        time.sleep(0.05)
        before = time.process_time()
        time.sleep(0.5)
        assert time.process_time() - before < 0.05


def test_a_callback_that_raises_or_leaves_disturbs_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with hg.open("fake") as renderer, hg.RenderQueue(renderer) as queue:
        seen: list[QueuedImage] = []

        def bad(_: QueuedImage) -> None:
            raise ValueError("mine")

        remove = queue.on_image(bad)
        queue.on_image(seen.append)
        queue.update(CAMERA)
        queue.wait(final=True, timeout=10)
        remove()
        remove()
    assert seen[-1].final
    assert "mine" in caplog.text


def test_images_come_to_a_loop_as_well() -> None:
    async def walk() -> list[int]:
        finals = []
        with hg.open("fake") as renderer, hg.RenderQueue(renderer) as queue:
            queue.update(CAMERA)
            async for each in queue:
                if each.final:
                    finals.append(each.update_id)
                    if len(finals) == 3:
                        break
                    queue.update(CAMERA)
        return finals

    assert asyncio.run(asyncio.wait_for(walk(), 20)) == [1, 2, 3]


def test_closing_ends_a_loop_that_waits() -> None:
    async def walk() -> int:
        with hg.open("fake") as renderer:
            queue = hg.RenderQueue(renderer)
            asyncio.get_running_loop().call_later(0.05, queue.close)
            return len([each async for each in queue])

    assert asyncio.run(asyncio.wait_for(walk(), 20)) == 0


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda r: hg.RenderQueue(r, levels=(0.5, 0.2, 1.0)), "ascend"),
        (lambda r: hg.RenderQueue(r, levels=(0.5,)), "ascend"),
        (lambda r: hg.RenderQueue(r, levels=()), "ascend"),
        (lambda r: hg.RenderQueue(r, levels=[(0, 10)]), "a side"),
        (lambda r: hg.RenderQueue(r, levels=[Level(8, 8, 4.0)]), "fov_y"),
        (lambda r: hg.RenderQueue(r, levels=["big"]), "expected parts"),  # type: ignore[arg-type]
        (lambda r: hg.RenderQueue(r, latency=0), "latency"),
        (lambda r: hg.RenderQueue(r).update(3), "Camera or a View"),  # type: ignore[arg-type]
        (lambda r: hg.RenderQueue(r).pin(2), "above 0 to 1"),
        (lambda r: hg.RenderQueue(r).wait(min_level=-1), "min_level"),
    ],
)
def test_bad_input_is_told(make: Callable[[Renderer], object], says: str) -> None:
    with hg.open("fake") as renderer, pytest.raises(InvalidValueError, match=says):
        make(renderer)


def test_waiting_in_vain_says_what_is_done(held: tuple[Held, hg.RenderQueue]) -> None:
    _, queue = held
    with pytest.raises(TimeoutError, match="no update was made"):
        queue.wait(timeout=0.01)
    queue.update(at(1))
    with pytest.raises(TimeoutError, match="update 1 is being drawn"):
        queue.wait(timeout=0.1)


def test_errors_are_told_though_updates_pour_in() -> None:
    class Broken(FakeEngine):
        def render(self, view: hg.View, out: object = None) -> hg.Sample:
            raise EngineError("broken")

    def fly(queue: hg.RenderQueue) -> None:
        while True:
            queue.update(CAMERA)
            queue.get()

    with (
        hg.LocalRenderer(Broken("fake")) as renderer,
        hg.RenderQueue(renderer) as queue,
        pytest.raises(EngineError, match="broken"),
    ):
        fly(queue)


def test_an_engine_that_yields_too_few_samples_is_told() -> None:
    class Short(FakeEngine):
        def refine(self, view: hg.View, *_: object, **__: object) -> Iterator[hg.Sample]:
            yield self.render(view)

    with (
        hg.LocalRenderer(Short("fake")) as renderer,
        hg.RenderQueue(renderer, levels=(0.1, 1.0)) as queue,
    ):
        queue.update(CAMERA)
        with pytest.raises(EngineError, match="expected 2 samples, got 1"):
            queue.wait(final=True, timeout=10)


def test_what_ends_a_program_does_not_end_the_queue() -> None:
    with hg.open("fake") as renderer, hg.RenderQueue(renderer) as queue:
        remove = queue.on_image(lambda _: sys.exit(3))
        queue.update(CAMERA)
        assert queue.wait(final=True, timeout=10).update_id == 1
        remove()
        queue.update(CAMERA)
        assert queue.wait(final=True, timeout=10).update_id == 2


@contextmanager
def interrupted(call: Callable[[], object]) -> Iterator[None]:
    """With something called in signal handlers, every third of a millisecond."""
    before = signal.signal(signal.SIGALRM, lambda *_: call())
    signal.setitimer(signal.ITIMER_REAL, 3e-4, 3e-4)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_updates_in_signal_handlers_have_ids_of_their_own_and_the_newest_is_shown() -> None:
    with hg.LocalRenderer(Erratic("fake")) as renderer, hg.RenderQueue(renderer) as queue:
        ids: list[int] = []
        with interrupted(lambda: ids.append(queue.update(CAMERA))):
            ids.extend([queue.update(CAMERA) for _ in range(30_000)])
        assert len(set(ids)) == len(ids)
        assert is_shown(queue, max(ids))


def test_a_queue_is_closed_in_a_signal_handler_without_waiting_for_what_it_interrupts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with hg.LocalRenderer(Erratic("fake")) as renderer:
        for _ in range(20):
            queue = hg.RenderQueue(renderer)
            with interrupted(queue.close), suppress(ClosedError, EngineError):
                while True:
                    queue.update(CAMERA)
                    queue.get()
    assert "left to itself" not in caplog.text


# Levels.


@pytest.mark.parametrize("scene", ["fake", hg.Scene(hg.Box(key="box", args=[1, 1, 1]))])
def test_every_engine_has_a_sample_of_each_level(scene: str | hg.Scene) -> None:
    with hg.open(scene) as renderer:
        samples = list(renderer.refine(hg.View([CAMERA]), levels=(0.25, 1.0)))
        assert [each["camera"].camera.size for each in samples] == [(80, 60), (160, 120)]
        np.testing.assert_array_equal(
            samples[1]["camera"].rgb, renderer.render(hg.View([CAMERA]))["camera"].rgb
        )
        with pytest.raises(InvalidValueError, match="levels"):
            list(renderer.refine(hg.View([CAMERA]), levels=(0.25,)))


@given(per_pixel=st.floats(1e-9, 1e-2), fixed=st.floats(0, 0.05))
def test_the_first_level_settles_in_time_where_that_is_possible(
    per_pixel: float, fixed: float
) -> None:
    pace = Pace(0.1, scales=SLOW_SCALES, first=SLOW_SCALES[-1], floor=16)

    def seconds() -> float:
        width, height = pace.size(1280, 720)
        return fixed + per_pixel * width * height

    for _ in range(60):
        pace.took(seconds())
        pace.whole_took(fixed + per_pixel * 1280 * 720)  # as where nothing moves for a while
    smallest = fixed + per_pixel * 28 * 16
    assert seconds() <= 1.2001 * 0.1 or seconds() <= 1.05 * smallest
    whole = fixed + per_pixel * 1280 * 720
    assert pace.scale == 1 or whole > 0.74 * 0.1


# Never back, whatever happens in whatever order.


class Interleavings(RuleBasedStateMachine):
    """Updates, images, failures and reads in any order, against what they may lead to."""

    @initialize()
    def begin(self) -> None:
        self.newest = Newest()
        self.best = (0, -1)
        self.read = (0, -1)
        self.unread: tuple[int, int] | None = None

    @rule(update_id=st.integers(1, 30), level=st.integers(0, 5))
    def offer(self, update_id: int, level: int) -> None:
        forward = (update_id, level) > self.best
        assert self.newest.offer(image(update_id, level)) is forward
        if forward:
            self.best = self.unread = (update_id, level)

    @rule(update_id=st.integers(1, 30))
    def fail(self, update_id: int) -> None:
        assert self.newest.fail(update_id, EngineError("no")) is (update_id >= self.best[0])

    @rule()
    def take(self) -> None:
        try:
            found = self.newest.take()
        except EngineError:
            assert self.unread is None
            return
        key = None if found is None else (found.update_id, found.level)
        assert key == self.unread
        if key is not None:
            assert key > self.read
            self.read, self.unread = key, None

    @invariant()
    def newest_is_known(self) -> None:
        assert self.newest.update_id == self.best[0]


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)


class Erratic(FakeEngine):
    """Draws nothing, fails now and then, and stops where it is told to."""

    def refine(
        self,
        view: hg.View,
        cancel: CancelToken | None = None,
        levels: Sequence[float] | None = None,
    ) -> Iterator[hg.Sample]:
        for _ in levels or ():
            if cancel is not None and cancel.cancelled:
                return
            if random.random() < 0.02:
                raise EngineError("now and then")
            yield replace(SAMPLE, index=view.index)


def written(queue: hg.RenderQueue, count: int) -> int:
    """Update so often; the last id."""
    return [queue.update(CAMERA) for _ in range(count)][-1]


def read(queue: hg.RenderQueue, over: threading.Event) -> list[tuple[int, int]]:
    """All that is read until it is over."""
    keys = []
    while not over.is_set():
        with suppress(EngineError):
            found = queue.get()
            if found is not None:
                keys.append((found.update_id, found.level))
    return keys


def is_shown(queue: hg.RenderQueue, update_id: int) -> bool:
    """Whether a final image of an update, or of a newer one, comes; failed ones are made again."""
    while True:
        try:
            if queue.wait(final=True, timeout=20).update_id >= update_id:
                return True
        except EngineError:
            queue.update(CAMERA)


def test_a_hundred_thousand_updates_from_many_threads_never_lead_back() -> None:
    with (
        hg.LocalRenderer(Erratic("fake")) as renderer,
        hg.RenderQueue(renderer, levels=(0.1, 0.3, 1.0)) as queue,
        ThreadPoolExecutor(6) as threads,
    ):
        over = threading.Event()
        shown: list[tuple[int, int]] = []
        queue.on_image(lambda each: shown.append((each.update_id, each.level)))
        readers = [threads.submit(read, queue, over) for _ in range(2)]
        writers = [threads.submit(written, queue, 25_000) for _ in range(4)]
        assert max(each.result() for each in writers) == 100_000
        over.set()
        for reader in readers:
            keys = reader.result()
            assert keys == sorted(set(keys))
        assert is_shown(queue, queue.update(CAMERA))
        assert shown == sorted(set(shown))
