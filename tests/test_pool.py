import errno
import gc
import hashlib
import linecache
import os
import queue
import random
import re
import shlex
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest

import heliograph as hg
from heliograph.engine import CancelToken, Capability, Engine, Outs, Renderer
from heliograph.engines.fake import EXIT, FAIL, HANG, KILL, Paint
from heliograph.errors import WorkerError
from heliograph.frame import Labels, Provenance, Sample, own_or_given
from heliograph.passes import PASSES, PassSpecs, select_passes
from heliograph.pool import Pool, PoolOptions
from heliograph.pool.buffers import MOST_LENT
from heliograph.scene import Description, Edit
from heliograph.testing import Verdict, check_engine
from heliograph.transport.scenes import pack_scene

ALL = PASSES
SIZE = {"size": (32, 24)}
MJCF = """<mujoco>
  <worldbody>
    <light pos="0 0 3"/>
    <camera name="front" pos="0 -3 0" xyaxes="1 0 0 0 0 1"/>
    <body>
      <joint name="slide" type="slide" axis="1 0 0"/><geom name="ball" size="0.5"/>
      <camera name="follows" pos="0 -2 0" xyaxes="1 0 0 0 0 1"/>
    </body>
  </worldbody>
</mujoco>"""


def fake(workers: int = 2, source: str = "blank", **settings: Any) -> Pool:
    return Pool("fake", source, workers, SIZE, **settings)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with fake(source="fake") as opened:
        yield opened


@pytest.fixture(scope="module")
def local() -> Iterator[hg.LocalRenderer]:
    with hg.open("fake", size=SIZE["size"]) as opened:
        yield opened


def digest(sample: Sample) -> str:
    made = hashlib.sha256()
    for frame in sample:
        for name in frame.passes:
            made.update(frame[name].tobytes())
    return made.hexdigest()


def same(one: Sample, other: Sample) -> None:
    assert list(one.frames) == list(other.frames)
    for name, frame in one.frames.items():
        assert frame.camera == other[name].camera
        assert list(frame.passes) == list(other[name].passes)
        for each in frame.passes:
            assert np.array_equal(frame[each], other[name][each])
    assert one.labels == other.labels
    assert (one.seed, one.index) == (other.seed, other.index)
    assert one.state.keys() == other.state.keys()


def eventually(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def descriptors(pid: int | str = "self") -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def gone(pids: list[int]) -> None:
    eventually(lambda: not any(alive(pid) for pid in pids), 3)


def blank_is_right(sample: Sample, index: int, seed: int = 0) -> None:
    frame = next(iter(sample))
    assert sample.index == index
    assert (frame.rgb == (index + 31 * seed) % 256).all()


def test_it_is_a_renderer(pool: Pool, local: hg.LocalRenderer) -> None:
    assert isinstance(pool, Renderer)
    assert pack_scene(pool.scene) == pack_scene(local.scene)  # array by array
    assert pool.provenance == local.provenance
    assert pool.capabilities == set(Capability) - {Capability.RENDER_MANY}
    assert pool.cameras == local.cameras
    assert pool.passes == local.passes
    assert pool.labels == local.labels


def test_samples_are_those_of_the_engine_in_this_process(
    pool: Pool, local: hg.LocalRenderer
) -> None:
    own = hg.Camera.look_at(
        eye=(2, 2, 2), target=(0, 0, 0), fov_y=0.7, width=17, height=9, name="mine"
    )
    views = [
        hg.View(),
        hg.View(cameras=("top", own, "plan"), passes=ALL, seed=4, index=7),
        hg.View(state={"ball": (0, 0, 1)}, edits=(Paint("ball", (0, 1, 0)),)),
        hg.View(cameras=(pool.cameras["top"],), passes=("segmentation", "depth")),
    ]
    for view in views:
        same(pool.render(view), local.render(view))
    for view, sample in zip(views, pool.map(views), strict=True):
        same(sample, local.render(view))
    for view, sample in zip(views, pool.render_batch(views), strict=True):
        same(sample, local.render(view))


class AsEngine(Engine):
    """A pool of one worker as an engine, for the conformance suite."""

    def __init__(self, *arguments: Any) -> None:
        self.pool = Pool(*arguments)

    @property
    def scene(self) -> Description:
        return self.pool.scene

    @property
    def cameras(self) -> Mapping[str, hg.Camera]:
        return self.pool.cameras

    @property
    def passes(self) -> PassSpecs:
        return self.pool.passes

    @property
    def labels(self) -> Labels:
        return self.pool.labels

    @property
    def capabilities(self) -> frozenset[Capability]:
        return self.pool.capabilities

    @property
    def provenance(self) -> Provenance:
        return self.pool.provenance

    def random_state(self, rng: np.random.Generator) -> Mapping[str, Any]:
        return self.pool.random_state(rng)

    def render(self, view: hg.View, out: Outs = None) -> Sample:
        sample = self.pool.render(view)
        if out is None:
            return sample
        cameras = [frame.camera for frame in sample]
        given = own_or_given(cameras, select_passes(view.pass_names, self.passes), out)
        frames = {}
        for frame, buffers in zip(sample, given, strict=True):
            for name, array in buffers.items():
                array[...] = frame[name]
            frames[frame.camera.name] = replace(frame, passes=buffers)
        return replace(sample, frames=frames)

    def refine(
        self,
        view: hg.View,
        cancel: CancelToken | None = None,
        levels: Sequence[float] | None = None,
    ) -> Iterator[Sample]:
        return self.pool.refine(view, cancel, levels)

    def advance(self, changes: Sequence[Edit]) -> int:
        return self.pool.advance(changes)

    def publish(self, cancel: CancelToken | None = None) -> Iterator[Sample]:
        return (each for each in self.pool.published() if not (cancel and cancel.cancelled))

    def close(self) -> None:
        self.pool.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_it_keeps_the_promises_of_engines(workers: int) -> None:
    def factory() -> Any:
        return AsEngine("fake", "fake", workers, {"size": (64, 48)})

    report = check_engine(
        factory,
        other_state={"ball": (0.2, 0.1, 1.0)},
        edits=(Paint("ball", (0, 1, 0)),),
        changes=(Paint("globe", (1, 1, 0)),),
    )
    assert report.of(Verdict.SKIPPED) == (
        "distance_is_along_the_ray",  # the fake engine has no such pass
        "refuses_changes_it_cannot_make",  # it can make changes
    )


def test_cameras_follow_the_state_as_in_this_process() -> None:
    with hg.open(MJCF, size=(16, 12)) as local, hg.open(MJCF, size=(16, 12), workers=1) as pool:
        for known in (local.cameras, pool.cameras):
            assert set(known) >= {"front", "follows"}
        view = hg.View(cameras=("follows",), passes=ALL, state={"qpos": [0.4]})
        same(pool.render(view), local.render(view))
        by_value = hg.View(cameras=(pool.cameras["follows"],), state={"qpos": [0.4]})
        assert pool.render(by_value)["follows"].camera == local.render(view)["follows"].camera


def test_scenes_of_components_travel_with_their_edits() -> None:
    scene = hg.Scene(
        hg.Sphere(key="ball", args=[0.5]),
        hg.CameraView(key="eye", position=[0, -3, 0], width=16, height=12),
    )
    view = hg.View(cameras=("eye",), passes=ALL, seed=1)
    added = hg.CameraView(key="new", position=[0, -2, 0.5], width=40, height=30)
    edits = [
        (hg.Update(hg.Sphere(key="ball", position=[0.3, 0, 0])),),
        (hg.Add(added), hg.Add(hg.Box(key="box"))),
    ]
    with hg.open(scene) as local, hg.open(scene, workers=2) as pool:
        assert local.scene.hash == pool.scene.hash
        same(pool.render(view), local.render(view))
        for each in edits:
            edited = hg.View(cameras=("eye",), passes=ALL, edits=each)
            same(pool.render(edited), local.render(edited))
        brought = hg.View(cameras=("new", "eye"), passes=ALL, edits=edits[1])
        same(pool.render(brought), local.render(brought))
        large = hg.View(cameras=("big",), edits=(hg.Add(added.changed(key="big")),), passes=ALL)
        same(pool.render(large), local.render(large))


def test_pictures_larger_than_guessed_find_room() -> None:
    scene = hg.Scene(hg.Sphere(key="ball"))
    edits = (hg.Add(hg.CameraView(key="big", position=[0, -3, 0], width=700, height=500)),)
    with hg.open(scene, size=(8, 8)) as local, hg.open(scene, size=(8, 8), workers=1) as pool:
        view = hg.View(cameras=("big",), edits=edits, passes=ALL)
        same(pool.render(view), local.render(view))


def test_compiled_models_are_refused_with_advice() -> None:
    model = mujoco.MjModel.from_xml_string(MJCF)
    with pytest.raises(hg.InvalidValueError, match="give the path"):
        hg.open(model, workers=1)
    with pytest.raises(hg.InvalidValueError, match=r"options\['visual'\]"):
        hg.open(MJCF, workers=1, visual=mujoco.MjvOption())


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_worker_counts_and_orders_change_no_pixel(workers: int, local: hg.LocalRenderer) -> None:
    rng = np.random.default_rng(5)
    places = rng.uniform((-0.6, -0.6, 0.4), (0.6, 0.6, 1.2), (40, 3))
    views = [
        hg.View(passes=ALL, state={"ball": places[i]}, seed=3, index=i) for i in range(len(places))
    ]
    expected = [digest(local.render(view)) for view in views]
    with fake(workers, "fake") as pool:
        assert [digest(sample) for sample in pool.map(views)] == expected
        order = rng.permutation(len(views)).tolist()
        shuffled = [views[i] for i in order]
        for size in (1, 7, 40):
            for start in range(0, len(views), size):
                got = pool.render_batch(shuffled[start : start + size])
                assert [digest(s) for s in got] == [expected[s.index] for s in got]
        got = list(pool.map(shuffled, ordered=False, window=5))
        assert sorted(sample.index for sample in got) == list(range(len(views)))
        assert all(digest(sample) == expected[sample.index] for sample in got)


def test_arrays_belong_to_the_caller(pool: Pool) -> None:
    view = hg.View(passes=ALL)
    first = pool.render(view)
    kept = digest(first)
    for _ in range(20):
        pool.render(hg.View(passes=ALL, state={"ball": (0, 0, 1)}))
    assert digest(first) == kept
    first["front"].rgb[:] = 0
    assert digest(pool.render(view)) == kept


def test_borrowed_views_need_no_copy_and_their_memory_comes_back(pool: Pool) -> None:
    expected = digest(pool.render(hg.View(passes=ALL)))
    for _ in range(30):
        with pool.borrow(hg.View(passes=ALL)) as sample:
            assert digest(sample) == expected
            assert not sample["front"].rgb.flags.owndata
            pool.render(hg.View(passes=ALL, state={"ball": (0, 0, 1)}))
            assert digest(sample) == expected
    with pytest.raises(hg.EngineError), pool.borrow(hg.View(state={"crash": FAIL})):
        pass
    with pytest.raises(ZeroDivisionError), pool.borrow(hg.View()):
        _ = 1 / 0


def test_errors_are_results_and_name_the_sample(pool: Pool) -> None:
    futures = [
        pool.submit(hg.View(state={"crash": FAIL if i % 3 == 0 else 0}, seed=7, index=i))
        for i in range(12)
    ]
    for i, future in enumerate(futures):
        error = future.exception(timeout=10)
        if i % 3:
            assert error is None
        else:
            assert isinstance(error, hg.EngineError)
            assert (error.seed, error.index) == (7, i)
            assert "told to fail" in str(error)


@pytest.mark.parametrize(
    ("view", "kind"),
    [
        (hg.View(cameras=("nope",), seed=1, index=2), hg.UnknownNameError),
        (hg.View(state={"nope": 1}, seed=1, index=2), hg.UnknownNameError),
        (hg.View(state={"ball": (1, 2)}, seed=1, index=2), hg.InvalidValueError),
        (hg.View(edits=(hg.Remove("x"),), seed=1, index=2), hg.InvalidValueError),
    ],
)
def test_wrong_views_fail_as_in_this_process(
    pool: Pool, local: hg.LocalRenderer, view: hg.View, kind: type[hg.HeliographError]
) -> None:
    with pytest.raises(kind) as theirs:
        local.render(view)
    with pytest.raises(kind) as ours:
        pool.render(view)
    assert str(ours.value) == str(theirs.value)


def test_what_is_no_view_is_refused(pool: Pool) -> None:
    with pytest.raises(hg.InvalidValueError, match=r"heliograph\.View"):
        pool.render("front")  # type: ignore[arg-type]


def test_pending_futures_can_be_cancelled() -> None:
    with fake(1, depth=1) as pool:
        slow = pool.submit(hg.View(state={"sleep": 0.2}))
        waiting = [pool.submit(hg.View(index=i)) for i in range(5)]
        eventually(slow.running)
        assert not any(future.running() for future in waiting)
        assert all(future.cancel() for future in waiting[:3])
        assert not slow.cancel()
        blank_is_right(waiting[4].result(5), 4)


def test_threads_share_a_pool(pool: Pool, local: hg.LocalRenderer) -> None:
    places = [(0.1 * i, 0, 0.5) for i in range(8)]
    views = [hg.View(state={"ball": place}) for place in places]
    expected = [digest(local.render(view)) for view in views]
    wrong: list[int] = []

    def run(i: int) -> None:
        wrong.extend(i for _ in range(20) if digest(pool.render(views[i])) != expected[i])

    threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_callbacks_must_not_wait_for_their_own_pool(pool: Pool) -> None:
    got: queue.Queue[Any] = queue.Queue()

    def callback(_: Future[Sample]) -> None:
        try:
            pool.render(hg.View())
        except WorkerError as error:
            got.put(error)

    pool.submit(hg.View(state={"sleep": 0.05})).add_done_callback(callback)
    assert "callback" in str(got.get(timeout=5))


# Exactly once, whatever dies ---------------------------------------------------------------------


def killer(pool: Pool, kills: int, stop: threading.Event, pause: float) -> list[int]:
    """Kill random workers until told to stop; returns what was killed."""
    rng, done = random.Random(1), list[int]()
    while not stop.is_set() and len(done) < kills:
        pids = pool.pids
        if pids:
            pid = rng.choice(pids)
            try:
                os.kill(pid, signal.SIGKILL)
                done.append(pid)
            except ProcessLookupError:
                pass
        time.sleep(pause * rng.random() * 2)
    return done


def under_fire(pool: Pool, views: list[hg.View], kills: int, pause: float) -> tuple[Any, int]:
    stop, dead = threading.Event(), list[int]()
    thread = threading.Thread(target=lambda: dead.extend(killer(pool, kills, stop, pause)))
    thread.start()
    try:
        rounds = []
        while True:
            rounds.append(list(pool.map(views, window=16)))
            if not thread.is_alive():
                break
    finally:
        stop.set()
        thread.join()
    return rounds, len(dead)


def test_ten_thousand_samples_survive_a_hundred_kills() -> None:
    seen: list[int] = []
    stop, dead = threading.Event(), list[int]()
    with fake(2, max_kills=50) as pool:
        thread = threading.Thread(target=lambda: dead.extend(killer(pool, 100, stop, 0.2)))
        thread.start()
        views = (hg.View(passes=("rgb", "depth"), seed=1, index=i) for i in range(10**9))
        try:
            for sample in pool.map(views, window=32):
                blank_is_right(sample, sample.index, 1)
                assert (sample["front"].depth == sample.index).all()
                seen.append(sample.index)
                if len(seen) >= 10_000 and not thread.is_alive():
                    break
        finally:
            stop.set()
            thread.join()
    assert len(dead) == 100
    assert seen == list(range(len(seen)))


def test_batches_survive_kills(local: hg.LocalRenderer) -> None:
    rng = np.random.default_rng(0)
    batch = {
        "ball": rng.uniform((-0.6, -0.6, 0.4), (0.6, 0.6, 1.2), (300, 3)),
        "seed": 5,
        "passes": ALL,
    }
    clean = local.render_batch(batch)
    with fake(2, "fake", max_kills=50) as pool:
        for _ in range(4):
            stop = threading.Event()
            thread = threading.Thread(target=killer, args=(pool, 5, stop, 0.1))
            thread.start()
            try:
                made = pool.render_batch(batch)
            finally:
                stop.set()
                thread.join()
            for key, array in clean.items():
                assert np.array_equal(made[key], array)


@pytest.mark.slow
def test_a_thousand_mujoco_samples_survive_twenty_kills() -> None:
    rng = np.random.default_rng(0)
    views = [
        hg.View(passes=ALL, state={"qpos": rng.uniform(-1, 1, 1)}, seed=0, index=i)
        for i in range(250)
    ]
    with hg.open(MJCF, size=(48, 36)) as local:
        clean = [digest(local.render(view)) for view in views]
    with Pool("mujoco", MJCF, 2, {"size": (48, 36)}, max_kills=50) as pool:
        kills = samples = 0
        while kills < 20 or samples < 1000:
            rounds, dead = under_fire(pool, views, 20, 0.2)
            kills += dead
            for made in rounds:
                samples += len(made)
                assert [digest(sample) for sample in made] == clean


@pytest.mark.parametrize(("crash", "how"), [(EXIT, "exited with status 3"), (KILL, "SIGKILL")])
def test_an_order_that_kills_is_given_up_and_the_rest_goes_on(crash: int, how: str) -> None:
    with fake(2) as pool:
        futures = [
            pool.submit(hg.View(state={"crash": crash if i == 5 else 0}, seed=2, index=i))
            for i in range(20)
        ]
        error = futures[5].exception(timeout=30)
        assert isinstance(error, WorkerError)
        assert (error.index, error.seed) == (5, 2)
        assert "3 workers died" in str(error)
        assert how in str(error)
        for i, future in enumerate(futures):
            if i != 5:
                blank_is_right(future.result(30), i, 2)
    assert error.repro is not None
    assert "\n" not in error.repro
    command = shlex.split(error.repro)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == (3 if crash == EXIT else -signal.SIGKILL)
    assert "seed 2, index 5" in done.stderr


def test_a_hang_is_a_death() -> None:
    with fake(2, deadline=0.3, max_kills=2) as pool:
        hung = pool.submit(hg.View(state={"crash": HANG}, seed=1, index=3))
        good = [pool.submit(hg.View(index=i)) for i in range(10)]
        for i, future in enumerate(good):
            blank_is_right(future.result(20), i)
        error = hung.exception(timeout=20)
        assert isinstance(error, WorkerError)
        assert "deadline of 0.3 s" in str(error)
        slow = [pool.submit(hg.View(state={"sleep": 0.1}, index=i)) for i in range(12)]
        for i, future in enumerate(slow):  # each in time, all together not
            blank_is_right(future.result(20), i)


def test_a_stopped_worker_is_replaced() -> None:
    with fake(2, deadline=0.5) as pool:
        before = set(pool.pids)
        for pid in before:
            os.kill(pid, signal.SIGSTOP)
        samples = list(pool.map(hg.View(index=i) for i in range(20)))
        for i, sample in enumerate(samples):
            blank_is_right(sample, i)
        assert set(pool.pids).isdisjoint(before)


def test_an_idle_worker_that_dies_is_replaced() -> None:
    with fake(2) as pool:
        before = set(pool.pids)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: len(pool.pids) == 2 and before.isdisjoint(pool.pids))
        blank_is_right(pool.render(hg.View(index=3)), 3)


def test_workers_are_recycled_without_losing_a_sample() -> None:
    with fake(2, recycle_after=50) as pool:
        before = set(pool.pids)
        count = 0
        while before & set(pool.pids) and count < 100_000:
            for sample in pool.map(hg.View(index=i) for i in range(100)):
                blank_is_right(sample, sample.index)
            count += 100
        assert before.isdisjoint(pool.pids)
        eventually(lambda: len(pool.pids) == 2)


def test_workers_above_their_memory_limit_are_replaced() -> None:
    with fake(1, memory_limit=1 << 20) as pool:
        before = set(pool.pids)
        eventually(lambda: before.isdisjoint(pool.pids))
        blank_is_right(pool.render(hg.View(index=3)), 3)


# Bounded memory, nothing left behind -------------------------------------------------------------


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_a_slow_consumer_stops_the_workers_and_memory_stays_flat() -> None:
    taken = 0

    def views() -> Iterator[hg.View]:
        nonlocal taken
        for i in range(10**9):
            taken += 1
            yield hg.View(index=i)

    with Pool("fake", "blank", 2, {"size": (640, 480)}) as pool:
        for ordered in (True, False):
            taken = 0
            stream = pool.map(views(), ordered=ordered, window=6)
            next(stream)
            base = resident()
            time.sleep(0.5)
            assert taken <= 7
            assert resident() - base < 20 << 20
            for _ in range(50):
                next(stream)
            assert taken <= 57
            assert resident() - base < 20 << 20
            stream.close()  # type: ignore[attr-defined]


def test_five_thousand_samples_leave_nothing_behind() -> None:
    with fake(2) as pool:
        for sample in pool.map(hg.View(index=i) for i in range(500)):
            del sample
        for _ in range(4):
            pool.render_batch({"seed": 0, "sleep": np.zeros(20)})
        base, fds = resident(), descriptors()
        theirs = [descriptors(pid) for pid in pool.pids]
        for sample in pool.map(hg.View(index=i) for i in range(5000)):
            del sample
        for _ in range(50):
            pool.render_batch({"seed": 0, "sleep": np.zeros(20)})
        # A piece of memory or two more may have been needed at once than before.
        assert descriptors() - fds < 20
        assert all(descriptors(pid) - had < 20 for pid, had in zip(pool.pids, theirs, strict=True))
        assert resident() - base < 8 << 20


def test_closing_leaves_no_descriptor_thread_or_process() -> None:
    fake(1).close()
    gc.collect()
    fds, threads = descriptors(), threading.active_count()
    pids: list[int] = []
    for _ in range(5):
        with fake(2) as pool:
            list(pool.map(hg.View(index=i) for i in range(20)))
            pool.render_batch({"seed": 0, "sleep": np.zeros(20)})
            os.kill(pool.pids[0], signal.SIGKILL)
            pool.render(hg.View())
            pids += pool.pids
    del pool
    gc.collect()
    assert descriptors() <= fds  # what other tests left may be collected meanwhile
    assert threading.active_count() == threads
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)  # no zombies either


def sleeping(pool: Pool) -> list[Future[Sample]]:
    return [pool.submit(hg.View(state={"sleep": 60})) for _ in range(9)]


def hung(pool: Pool) -> list[Future[Sample]]:
    return [pool.submit(hg.View(state={"crash": HANG})) for _ in range(9)]


def stopped(pool: Pool) -> list[Future[Sample]]:
    for pid in pool.pids:
        os.kill(pid, signal.SIGSTOP)
    return [pool.submit(hg.View()) for _ in range(9)]


def killed(pool: Pool) -> list[Future[Sample]]:
    for pid in pool.pids:
        os.kill(pid, signal.SIGKILL)
    return []


def idle(_: Pool) -> list[Future[Sample]]:
    return []


@pytest.mark.parametrize("state", [sleeping, hung, stopped, killed, idle])
def test_close_is_prompt_in_every_state(state: Callable[[Pool], list[Future[Sample]]]) -> None:
    pool = fake(2)
    futures = state(pool)
    began = time.monotonic()
    pool.close()
    assert time.monotonic() - began < 2
    pool.close()
    for future in futures:
        assert isinstance(future.exception(timeout=1), hg.ClosedError)
    with pytest.raises(hg.ClosedError):
        pool.render(hg.View())
    with pytest.raises(hg.ClosedError):
        pool.render_batch({"seeds": [1]})


def test_close_ends_who_waits() -> None:
    pool = fake(1)
    threading.Timer(0.3, pool.close).start()
    with pytest.raises(hg.ClosedError):
        pool.render(hg.View(state={"sleep": 60}))


def run_script(text: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(text)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


DRIVER = """
    import heliograph as hg, sys
    from heliograph.pool import Pool
    with Pool("fake", "blank", 2, {"size": (64, 48)}) as pool:
        print(*pool.pids, flush=True)
        for sample in pool.map(hg.View(index=i, state={"sleep": %s}) for i in range(10**9)):
            pass
"""


def test_a_killed_driver_leaves_nothing() -> None:
    shm = sorted(Path("/dev/shm").iterdir())
    for i in range(20):
        process = run_script(DRIVER % ("60.0" if i % 2 else "0.0"), start_new_session=True)
        assert process.stdout is not None
        pids = [int(each) for each in process.stdout.readline().split()]
        assert len(pids) == 2
        time.sleep(0.01 * (i % 5))
        process.kill()
        process.communicate()
        gone(pids)
    assert sorted(Path("/dev/shm").iterdir()) == shm


def test_ctrl_c_ends_the_program_at_once() -> None:
    process = run_script(DRIVER % "60.0", start_new_session=True)
    assert process.stdout is not None
    pids = [int(each) for each in process.stdout.readline().split()]
    time.sleep(0.2)
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to all in its foreground
    _, errors = process.communicate(timeout=10)
    assert time.monotonic() - began < 3
    assert "KeyboardInterrupt" in errors
    assert process.returncode == -signal.SIGINT
    gone(pids)


def test_a_program_that_forgets_to_close_still_ends() -> None:
    process = run_script(
        """
        from heliograph.pool import Pool
        import heliograph as hg
        pool = Pool("fake", "blank", 1, {"size": (8, 8)})
        pool.submit(hg.View(state={"sleep": 60}))
        print(*pool.pids, flush=True)
        """
    )
    out, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    eventually(lambda: not alive(int(out)), 3)


def test_a_forked_child_is_told_off() -> None:
    process = run_script(
        """
        import os, warnings
        warnings.simplefilter("ignore")
        from heliograph.pool import Pool
        import heliograph as hg
        with Pool("fake", "blank", 1, {"size": (8, 8)}) as pool:
            child = os.fork()
            if not child:
                try:
                    pool.render(hg.View())
                except hg.HeliographError as error:
                    pool.close()
                    os._exit(7 if "forked" in str(error) else 1)
                os._exit(2)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            pool.render(hg.View())
        """
    )
    out, errors = process.communicate(timeout=20)
    assert (out.strip(), process.returncode) == ("7", 0), errors


# Starting ----------------------------------------------------------------------------------------


def test_what_the_engine_refuses_is_raised_as_it_is() -> None:
    with pytest.raises(hg.SceneError, match=r"'no such'.*the fake engine knows"):
        Pool("fake", "no such")
    with pytest.raises(hg.UnknownNameError, match="did you mean 'fake'"):
        Pool("fakee", "fake")
    with pytest.raises(hg.UnknownNameError, match="option of the fake engine 'sise'"):
        Pool("fake", "fake", 1, {"sise": 3})
    with pytest.raises(hg.SceneError, match="nonsense"):
        hg.open("<mujoco><nonsense/></mujoco>", workers=1)


@pytest.mark.parametrize("workers", [0, -1, 2.5, True, "two", None])
def test_bad_worker_counts_are_refused(workers: Any) -> None:
    with pytest.raises(hg.InvalidValueError, match="workers: expected"):
        Pool("fake", "fake", workers)


@pytest.mark.parametrize(
    "settings",
    [
        {"deadline": 0},
        {"deadline": float("nan")},
        {"max_kills": 0},
        {"recycle_after": -1},
        {"memory_limit": "1 GB"},
        {"depth": 1.5},
        {"cores": 0},
        {"python": 3},
        {"start_timeout": None},
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(hg.InvalidValueError, match=next(iter(settings))):
        PoolOptions(**settings)


def test_unknown_settings_are_named() -> None:
    with pytest.raises(hg.UnknownNameError, match="did you mean 'deadline'"):
        Pool("fake", "fake", dedline=3)  # type: ignore[call-arg]


def test_threads_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LP_NUM_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    cores = len(os.sched_getaffinity(0))
    assert PoolOptions().environment(1)["LP_NUM_THREADS"] == str(cores)
    assert PoolOptions().environment(1000)["LP_NUM_THREADS"] == "1"
    assert PoolOptions().environment(1)["OMP_NUM_THREADS"] == "5"
    assert PoolOptions(cores=3).environment(1)["OMP_NUM_THREADS"] == "3"


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_start_up_failures_show_the_last_output(tmp_path: Path) -> None:
    python = script(tmp_path / "python", "echo something is missing here; exit 5")
    with pytest.raises(WorkerError, match=r"(?s)exited with status 5.*something is missing here"):
        fake(2, python=python)
    with pytest.raises(WorkerError, match="cannot start a worker with /no/such/python"):
        fake(1, python="/no/such/python")


def test_an_interpreter_without_the_package_is_told_what_to_install(tmp_path: Path) -> None:
    python = script(tmp_path / "python", f'exec {shlex.quote(sys.executable)} -S "$@"')
    install = re.escape(f"{python} -m pip install --no-deps heliograph")
    with pytest.raises(WorkerError, match=f"(?s)No module named 'heliograph'.*{install}"):
        fake(1, python=python)


def test_another_interpreter_draws(tmp_path: Path) -> None:
    python = script(tmp_path / "python", f'exec {shlex.quote(sys.executable)} "$@"')
    with fake(1, python=python) as pool:
        blank_is_right(pool.render(hg.View(index=4)), 4)


def changed_worker(folder: Path, change: str) -> str:
    """An interpreter whose worker has something else in its package."""
    code = (
        "import sys, heliograph.worker.serve as serve, heliograph; "
        f"{change}; sys.argv = sys.argv[4:]; "
        "from heliograph.worker.__main__ import main; sys.exit(main(sys.argv))"
    )
    return script(
        folder / "python", f'exec {shlex.quote(sys.executable)} -c {shlex.quote(code)} "$@"'
    )


def test_another_protocol_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match=r"speaks protocol 99.*install the same versions"):
        fake(1, python=changed_worker(tmp_path, "serve.PROTOCOL = 99"))


def test_another_version_of_the_same_protocol_draws(tmp_path: Path) -> None:
    with fake(1, python=changed_worker(tmp_path, "heliograph.__version__ = '9.9'")) as pool:
        blank_is_right(pool.render(hg.View(index=4)), 4)


def test_a_worker_that_would_draw_other_random_numbers_is_refused(tmp_path: Path) -> None:
    python = changed_worker(tmp_path, "serve.random_digest = lambda: 'another'")
    with fake(1, python=python) as pool:  # nothing is random here
        blank_is_right(pool.render(hg.View(index=4)), 4)
    randomize = {"randomizers": [{"type": "camera_jitter"}]}
    with pytest.raises(WorkerError, match="draws other random numbers"):
        Pool("fake", "fake", 1, {"randomize": randomize, **SIZE}, python=python)


def test_a_worker_that_never_starts_is_given_up(tmp_path: Path) -> None:
    python = script(tmp_path / "python", "echo waiting; exec sleep 100")
    with pytest.raises(WorkerError, match=r"(?s)did not open the scene within 0.5 s.*waiting"):
        fake(1, python=python, start_timeout=0.5)


def test_a_worker_that_speaks_nonsense_is_given_up(tmp_path: Path) -> None:
    code = "import os, sys, time; os.write(int(sys.argv[-2]), b'nonsense' * 9); time.sleep(100)"
    python = script(
        tmp_path / "python", f'exec {shlex.quote(sys.executable)} -c {shlex.quote(code)} "$@"'
    )
    with pytest.raises(WorkerError, match="said what is no message"):
        fake(1, python=python)


def test_replacements_that_cannot_start_end_the_waiting(tmp_path: Path) -> None:
    flag = tmp_path / "broken"
    python = script(
        tmp_path / "python",
        f'[ -e {flag} ] && {{ echo gone; exit 1; }}; exec {shlex.quote(sys.executable)} "$@"',
    )
    with fake(1, python=python) as pool:
        future = pool.submit(hg.View(state={"sleep": 60}))
        eventually(future.running)
        flag.touch()
        for pid in pool.pids:
            os.kill(pid, signal.SIGKILL)
        assert isinstance(future.exception(timeout=20), WorkerError)
        with pytest.raises(WorkerError, match="gone"):
            pool.render(hg.View())


def test_a_scene_that_changed_on_disk_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "model.xml"
    path.write_text(MJCF)
    with Pool("mujoco", path, 1, {"size": (8, 8)}) as pool:
        path.write_text(MJCF.replace("0.5", "0.6"))
        os.kill(pool.pids[0], signal.SIGKILL)
        with pytest.raises(WorkerError, match="has changed since"):
            pool.render(hg.View())


def test_open_without_workers_is_an_engine_here() -> None:
    assert isinstance(hg.open("fake", workers=0), hg.LocalRenderer)
    with hg.open("fake", size=(8, 8), workers=1, deadline=5) as pool:
        assert isinstance(pool, Pool)
        assert pool.options.deadline == 5


@pytest.mark.parametrize("window", [0, -1, 1.5, True, "x"])
def test_bad_windows_are_refused(pool: Pool, window: Any) -> None:
    with pytest.raises(hg.InvalidValueError, match="window"):
        pool.map([], window=window).__next__()


def test_map_of_nothing_is_nothing(pool: Pool) -> None:
    assert list(pool.map([])) == []
    assert list(pool.map([], ordered=False)) == []
    assert pool.render_batch([]) == []


def test_who_waits_survives_the_death_of_the_worker_it_hears() -> None:
    with fake(1) as pool:
        for index in range(12):
            pid = pool.pids[0]
            killer = threading.Timer(0.03, os.kill, (pid, signal.SIGKILL))
            killer.start()
            blank_is_right(pool.render(hg.View(index=index, state={"sleep": 0.06})), index)
            killer.join()
        stats = pool.stats()
        assert (stats.retried, stats.done) == (12, 12)  # each was begun anew, and once


def test_threads_that_wait_for_one_worker_each_get_their_own() -> None:
    with fake(1) as pool, ThreadPoolExecutor(4) as threads:

        def work(first: int) -> None:
            for index in range(first, first + 400):
                blank_is_right(pool.render(hg.View(index=index)), index)

        works = [threads.submit(work, 1000 * i) for i in range(4)]
        for sample in pool.map(hg.View(index=index) for index in range(400)):
            blank_is_right(sample, sample.index)
        for each in works:
            each.result()


def test_a_hang_ends_who_waits_for_it_and_the_next_view_is_drawn() -> None:
    with fake(1, deadline=0.3, max_kills=2) as pool:
        with pytest.raises(WorkerError, match="did not answer within its deadline"):
            pool.render(hg.View(state={"crash": HANG}))
        blank_is_right(pool.render(hg.View(index=7)), 7)


def test_workers_are_recycled_under_who_waits() -> None:
    with fake(1, recycle_after=20) as pool:
        first = pool.pids
        for index in range(300):
            blank_is_right(pool.render(hg.View(index=index)), index)
        eventually(lambda: not set(first) & set(pool.pids))


class Interrupted(BaseException):
    """CameraPoses for Ctrl-C, which may come between any two instructions."""


class Interrupter:
    """Interrupts this thread before the n-th line that it runs under the pool or its transport."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self, frame: Any, event: str, _: Any) -> Any:
        path = frame.f_code.co_filename
        if "heliograph/pool" not in path and "heliograph/transport" not in path:
            return None
        # An interrupt never comes between a `with` and its lock.
        if event == "line" and not linecache.getline(path, frame.f_lineno).lstrip().startswith(
            "with "
        ):
            self.left -= 1
            if not self.left:
                raise Interrupted
        return self


def order_some(pool: Pool, first: int) -> list[Future[Sample]]:
    orders = [pool._order(hg.View(index=first + i)) for i in range(3)]
    futures: list[Future[Sample]] = [pool._future(order) for order in orders]
    pool._post(orders)
    return futures


def wait_for_one(pool: Pool, first: int) -> list[Future[Sample]]:
    blank_is_right(pool.render(hg.View(index=first)), first)
    return []


def draw_a_batch(pool: Pool, first: int) -> list[Future[Sample]]:
    made = pool.render_batch({"seed": 0, "index": np.arange(first, first + 5)})
    assert (made["front"][:, 0, 0, 0] == np.arange(first, first + 5) % 256).all()
    return []


@pytest.mark.parametrize("first", [1, 6])
@pytest.mark.parametrize("act", [order_some, wait_for_one, draw_a_batch])
def test_an_interrupt_anywhere_loses_no_order_and_no_worker_for_long(
    act: Callable[[Pool, int], list[Future[Sample]]], first: int
) -> None:
    with fake(2, deadline=None) as pool:
        futures, quiet = list[Future[Sample]](), 0
        for at in range(first, 3000, 11):
            sys.settrace(Interrupter(at))
            try:
                futures = act(pool, at % 200)
                quiet += 1
            except Interrupted:
                pass
            finally:
                sys.settrace(None)
            for i, future in enumerate(futures):
                blank_is_right(future.result(10), at % 200 + i)
            futures = []
            blank_is_right(pool.submit(hg.View(index=3)).result(10), 3)
            if quiet > 3:
                break
        assert at > 60
        eventually(lambda: pool.stats().in_flight == 0 == pool.stats().queued)
        eventually(lambda: len(pool.pids) == 2)


def no_more(*_: Any, **__: Any) -> Any:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


@pytest.mark.parametrize("what", ["pool.worker_handle.pair", "pool.worker_handle.os.pipe2"])
def test_a_replacement_that_finds_no_descriptor_is_tried_again(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake(2) as pool:
        with monkeypatch.context() as patched:
            patched.setattr(f"heliograph.{what}", no_more)
            futures = [pool.submit(hg.View(index=i, state={"sleep": 0.02})) for i in range(20)]
            victim = pool.pids[0]
            os.kill(victim, signal.SIGKILL)
            for i, future in enumerate(futures):
                blank_is_right(future.result(10), i)
            assert len(pool.pids) == 1
        eventually(lambda: len(pool.pids) == 2 and victim not in pool.pids)


def test_a_pool_that_can_start_nobody_any_more_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heliograph.pool.supervisor.MOST_ALONE", 3)
    with fake(1) as pool:
        monkeypatch.setattr("heliograph.pool.worker_handle.pair", no_more)
        futures = sleeping(pool)
        os.kill(pool.pids[0], signal.SIGKILL)
        for future in futures:
            assert "Too many open files" in str(future.exception(10))
        with pytest.raises(WorkerError, match="Too many open files"):
            pool.render(hg.View())
    with pytest.raises(WorkerError, match="Too many open files"):
        pool.render(hg.View())


def test_a_worker_that_is_half_started_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(1).close()
    gc.collect()
    before = descriptors()
    with monkeypatch.context() as patched:
        patched.setattr("heliograph.pool.worker_handle.os.pidfd_open", no_more)
        with pytest.raises(WorkerError, match=r"cannot start a worker.*Too many open files"):
            fake(1)
    gc.collect()
    assert descriptors() <= before


def test_heirs_that_find_no_descriptor_are_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake(1, recycle_after=5) as pool:
        before = pool.pids
        with monkeypatch.context() as patched:
            patched.setattr("heliograph.pool.worker_handle.pair", no_more)
            for sample in pool.map(hg.View(index=i) for i in range(50)):
                blank_is_right(sample, sample.index)
            assert pool.pids == before
        for i in range(500):
            pool.render(hg.View(index=i % 256, state={"sleep": 0.01}))
            if not set(before) & set(pool.pids):
                return
        raise AssertionError("it was never replaced")


def test_an_order_whose_memory_cannot_be_sent_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake(1) as pool:
        before = pool.pids
        with monkeypatch.context() as patched:
            patched.setattr("heliograph.transport.channel.os.dup", no_more)
            future = pool.submit(hg.View(index=1))
            with pytest.raises(WorkerError, match="Too many open files"):
                future.result(10)
            with pytest.raises(WorkerError, match="Too many open files"):
                pool.render_batch({"seed": 0, "sleep": np.zeros(3)})
        blank_is_right(pool.render(hg.View(index=2)), 2)
        assert pool.pids == before


def test_a_view_that_was_leased_to_a_dead_worker_is_not_blamed() -> None:
    with fake(1, max_kills=1) as pool:
        gate = threading.Event()
        first = pool.submit(hg.View(state={"sleep": 0.1}))
        first.add_done_callback(lambda _: gate.wait(10))  # the pool's own thread is held
        wait([first])
        time.sleep(0.05)
        os.kill(pool.pids[0], signal.SIGKILL)
        futures = [pool.submit(hg.View(index=i)) for i in range(5)]
        gate.set()
        for i, future in enumerate(futures):
            blank_is_right(future.result(10), i)


def writers() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name == "heliograph-queue"]


def test_a_full_queue_holds_up_nobody_and_no_other_queue() -> None:
    full: queue.Queue[Any] = queue.Queue(maxsize=1)
    other: queue.Queue[Any] = queue.Queue(maxsize=1)
    full.put("in the way")
    with fake(1) as pool:
        for count in (2, 3, 4):
            pool.render_batch_async({"seeds": np.arange(count)}, full)
        pool.render_batch_async({"seeds": [1]}, other)
        assert other.get(timeout=5)["front"].shape[0] == 1
        for index in range(20):
            blank_is_right(pool.submit(hg.View(index=index)).result(10), index)
        began = time.monotonic()
    assert time.monotonic() - began < 2
    assert full.get() == "in the way"
    for count in (2, 3, 4):  # in the order in which they came
        assert full.get(timeout=5)["front"].shape[0] == count
    eventually(lambda: not writers())


def test_a_full_queue_that_nobody_holds_is_forgotten() -> None:
    full: queue.Queue[Any] = queue.Queue(maxsize=1)
    full.put("in the way")
    with fake(1) as pool:
        pool.render_batch_async({"seeds": [1, 2]}, full)
        eventually(lambda: bool(writers()))
    del full
    eventually(lambda: not writers())


def test_views_of_a_batch_are_all_drawn_before_an_error_is_raised() -> None:
    with fake(1, depth=1) as pool:
        views = [hg.View(state={"crash": FAIL})]
        views += [hg.View(index=i, state={"sleep": 0.02}) for i in range(10)]
        with pytest.raises(hg.EngineError, match="told to fail"):
            pool.render_batch(views)
        stats = pool.stats()
        assert (stats.queued, stats.in_flight) == (0, 0)


def test_cancelled_futures_of_a_closed_pool_are_done() -> None:
    with fake(1, depth=1) as pool:
        futures = [pool.submit(hg.View(state={"sleep": 60})) for _ in range(3)]
        assert futures[2].cancel()
    assert not wait(futures, timeout=5).not_done


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_a_callback_does_not_end_the_pool(error: type[BaseException]) -> None:
    def callback(_: Any) -> None:
        raise error

    with fake(1) as pool:
        pool.submit(hg.View(state={"sleep": 0.05})).add_done_callback(callback)
        pool.submit_batch({"seed": 0, "sleep": np.full(2, 0.05)}).add_done_callback(callback)
        for index in range(10):
            blank_is_right(pool.submit(hg.View(index=index)).result(10), index)


def test_a_forgotten_pool_does_what_was_ordered_and_ends() -> None:
    threads = threading.active_count()
    pool = fake(1)
    pids = pool.pids
    done: queue.Queue[Any] = queue.Queue()
    future = pool.submit(hg.View(index=5, state={"sleep": 0.3}))
    pool.render_batch_async({"seeds": [1, 2]}, done)
    del pool
    gc.collect()
    blank_is_right(future.result(10), 5)
    assert done.get(timeout=10)["front"].shape[0] == 2
    eventually(lambda: threading.active_count() == threads)
    gone(pids)


def test_large_samples_use_memory_again_and_may_all_be_kept() -> None:
    with Pool("fake", "blank", 2, {"size": (200, 200)}) as pool:
        seen = {pool.render(hg.View(index=i))["front"].rgb.ctypes.data for i in range(40)}
        assert len(seen) <= 4
        kept = [pool.render(hg.View(index=i))["front"].rgb for i in range(MOST_LENT + 20)]
        part = pool.render(hg.View(index=77))["front"].rgb[:3, 5]
        gc.collect()
        list(pool.map(hg.View(index=1) for _ in range(20)))
        assert all((rgb == i).all() for i, rgb in enumerate(kept))
    assert (part == 77).all()
    kept[0][:] = 9
    assert (kept[1] == 1).all()


def test_a_worker_that_nobody_listened_to_is_heard_again() -> None:
    with fake(1) as pool:
        for turn in range(30):
            assert pool.render(hg.View(index=turn)).index == turn
            if turn % 3 == 0:
                assert pool.submit(hg.View(index=turn)).result(timeout=10).index == turn
        os.kill(pool.pids[0], signal.SIGKILL)
        assert pool.render(hg.View(index=5)).index == 5
        pool.render(hg.View(index=6))
        os.kill(pool.pids[0], signal.SIGSTOP)
        waiting = [pool.submit(hg.View(index=i)) for i in range(3)]
        os.kill(pool.pids[0], signal.SIGCONT)
        assert [each.result(timeout=10).index for each in waiting] == [0, 1, 2]
