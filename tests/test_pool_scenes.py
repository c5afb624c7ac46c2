"""Scenes that change under a pool: what is refused, hangs, lies, or cannot be made again."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heliograph as hg
from altered_workers import FEW_VERSIONS, MANY_SAMPLES, altered
from heliograph.engine import VERSIONS_KEPT
from heliograph.engines.fake import Paint
from heliograph.errors import WorkerError
from heliograph.pool import Pool
from heliograph.pool.futures import PoolFuture

SIZE = {"size": (16, 12)}
WAIT = 40
GREEN = Paint("ball", (0.0, 1.0, 0.0))
SCENE = hg.Scene(
    hg.Sphere(key="ball", radius=0.3),
    hg.CameraView(key="eye", position=[0, -3, 0], width=16, height=12),
)


def fake(workers: int = 2, source: str = "fake", **settings: Any) -> Pool:
    return Pool("fake", source, workers, SIZE, **settings)


def eventually(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def advanced(pool: Pool, change: Any, times: int = 1) -> int:
    """The last version, or an error where the pool waits for ever."""
    threads = ThreadPoolExecutor(1)
    try:
        futures = [threads.submit(pool.advance, change) for _ in range(times)]
        return [each.result(WAIT) for each in futures][-1]
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def ready(pool: Pool) -> int:
    return sum(each.phase == "ready" for each in pool.stats().workers)


@pytest.mark.parametrize(
    "change", [Paint("\udc80", (1, 0, 0)), Paint("ball", (10**30, 0, 0))], ids=["text", "number"]
)
def test_a_change_that_does_not_travel_fails_alone(change: Paint) -> None:
    with fake() as pool:
        with pytest.raises(WorkerError, match="does not travel"):
            pool.advance(change)
        assert pool.render(hg.View()).provenance.scene_version == 0
        assert pool.advance(GREEN) == 1
        assert pool.stats().died == 0


def test_a_change_whose_message_is_too_long_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake() as pool:
        monkeypatch.setattr("heliograph.transport.channel.MAX_MESSAGE", 1 << 10)
        with pytest.raises(WorkerError, match="a message of"):
            advanced(pool, [GREEN] * 100)
        assert pool.advance(GREEN) == 1
        assert pool.stats().died == 0


# Hangs and deaths ---------------------------------------------------------------------------------


def test_a_worker_that_hangs_over_a_change_is_replaced() -> None:
    with fake(deadline=1) as pool:
        pool.render(hg.View())
        for pid in pool.pids:
            os.kill(pid, signal.SIGSTOP)
        assert advanced(pool, GREEN) == 1
        assert pool.render(hg.View()).provenance.scene_version == 1
        assert pool.stats().died == 2


def test_a_worker_that_hangs_over_the_changes_before_it_came_is_replaced(tmp_path: Path) -> None:
    hang = """
advance = RenderExecutor.advance
def hang(self, order):
    while (FOLDER / "hang").exists():
        time.sleep(0.01)
    return advance(self, order)
RenderExecutor.advance = hang
"""
    with fake(deadline=1, launcher=altered(tmp_path, hang)) as pool:
        assert pool.advance(GREEN) == 1
        eventually(lambda: not any(map(pool._history.owed, pool._supervisor.workers)))
        (tmp_path / "hang").touch()
        os.kill(pool.pids[0], signal.SIGKILL)
        eventually(lambda: pool.stats().died >= 2)
        assert ready(pool) == 1
        assert pool.render(hg.View()).provenance.scene_version == 1
        (tmp_path / "hang").unlink()
        eventually(lambda: ready(pool) == 2)


def test_many_changes_may_take_longer_than_one_is_given(tmp_path: Path) -> None:
    slow = """
advance = FakeEngine.advance
def slow(self, changes):
    time.sleep(0.1)
    return advance(self, changes)
FakeEngine.advance = slow
"""
    with fake(1, deadline=2, launcher=altered(tmp_path, slow)) as pool:
        assert advanced(pool, GREEN, 30) == 30
        os.kill(pool.pids[0], signal.SIGKILL)
        assert pool.submit(hg.View()).result(WAIT).provenance.scene_version == 30
        assert pool.stats().died == 1


def test_a_change_is_not_blamed_for_views(tmp_path: Path) -> None:
    with fake(1, max_kills=2) as pool:
        poison = pool.submit(hg.View(state={"sleep": 0.3, "crash": 2}))
        eventually(poison.running)
        assert advanced(pool, GREEN) == 1
        with pytest.raises(WorkerError, match="given up: 2 workers"):
            poison.result(WAIT)


# Replacements -------------------------------------------------------------------------------------


def test_who_cannot_make_the_changes_again_did_not_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "m.obj"
    text = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"
    path.write_text(text)
    with Pool("components", SCENE, 2) as pool:
        assert pool.advance(hg.Add(hg.Mesh(key="m", src=str(path)))) == 1
        before = pool.render(hg.View(["eye"]))["eye"]
        path.unlink()
        os.kill(pool.pids[0], signal.SIGKILL)
        eventually(lambda: pool.stats().died >= 3)
        assert ready(pool) == 1
        assert pool._supervisor._not_before > time.monotonic()  # ever more rarely
        assert np.array_equal(pool.render(hg.View(["eye"]))["eye"].rgb, before.rgb)
        path.write_text(text)
        eventually(lambda: ready(pool) == 2)
        os.kill(pool.pids[0], signal.SIGKILL)
        assert np.array_equal(pool.render(hg.View(["eye"]))["eye"].rgb, before.rgb)
    errors = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert ["no such file" in each.getMessage() for each in errors] == [True]


def test_arrays_that_changes_share_are_kept_once() -> None:
    vertices = np.random.default_rng(0).normal(size=(3, 2000, 3))
    faces = np.arange(2000 // 3 * 3).reshape(-1, 3)
    with Pool("components", SCENE, 1) as pool:
        for step in range(9):
            mesh = hg.Mesh(key="m", vertices=vertices[step % 3].copy(), faces=faces)
            pool.advance(hg.Upsert(mesh))
        kept = {id(each) for order in pool._history._made for each in order.blobs.values()}
        assert len(kept) == 4


# Versions -----------------------------------------------------------------------------------------


def test_views_keep_their_version_however_many_change_the_scene_at_once() -> None:
    with Pool("components", SCENE, 1) as pool:
        futures = [pool.submit(hg.View(["eye"])) for _ in range(120)]
        changes = [hg.Update(hg.Sphere(key="ball", position=[i / 100, 0, 0])) for i in range(40)]
        with ThreadPoolExecutor(40) as threads:
            versions = list(threads.map(pool.advance, changes))
        assert sorted(versions) == list(range(1, 41))
        assert {each.result(WAIT).provenance.scene_version for each in futures} == {0}


def test_who_does_not_read_a_stream_holds_up_no_change(tmp_path: Path) -> None:
    launcher = altered(tmp_path, MANY_SAMPLES + FEW_VERSIONS)
    with fake(1, launcher=launcher) as pool:
        stream = pool.refine(hg.View())
        assert next(stream).provenance.scene_version == 0
        assert advanced(pool, GREEN, VERSIONS_KEPT + 4) == VERSIONS_KEPT + 4
        with pytest.raises(hg.InvalidValueError, match="scene_version: expected 5 to 20"):
            list(stream)
        assert pool.stats().died == 0


def test_a_change_that_nobody_waits_for_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: PoolFuture[int], timeout: float | None = None) -> int:
        raise KeyboardInterrupt

    with fake(2, "blank") as pool:
        slow = pool.submit(hg.View(state={"sleep": 2}))
        eventually(slow.running)
        newest = advanced(pool, (), VERSIONS_KEPT - 1)
        with monkeypatch.context() as patched:
            patched.setattr(PoolFuture, "result", interrupted)
            with pytest.raises(KeyboardInterrupt):
                pool.advance(())
        assert not slow.done()
        slow.result(WAIT)
        assert pool.advance(()) == newest + 1


# Lies ---------------------------------------------------------------------------------------------

LIES = {
    "a version": "answer.version = -7",
    "another version": "answer.version += 1",
    "no camera": "c = answer.cameras[0]; answer.cameras = ["
    "CameraWire(c.name, b'x', (-1, 0), c.intrinsics, 0., -1., 'zzz')]",
    "done": "answer = Done(order.ticket)",
    "described": "answer = self.describe(Describe(order.ticket))",
    "another ticket": "answer.ticket -= 1",
    "a refusal of another": "answer = Failed(order.ticket - 1, Problem('EngineError', 'x'))",
}
LIE = """
advance = RenderExecutor.advance
def lie(self, order):
    answer = advance(self, order)
    if (FOLDER / "once").exists() or (FOLDER / "always").exists():
        (FOLDER / "once").unlink(missing_ok=True)
        {}
    return answer
RenderExecutor.advance = lie
"""


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_who_lies_about_a_change_is_replaced(lie: str, tmp_path: Path) -> None:
    with fake(2, launcher=altered(tmp_path, LIE.format(lie))) as pool:
        (tmp_path / "once").touch()
        assert advanced(pool, GREEN) == 1
        assert pool.render(hg.View()).provenance.scene_version == 1
        eventually(lambda: pool.stats().died == 1)
        assert pool.cameras.keys() == {"front", "top", "plan"}


def test_where_all_lie_about_a_change_it_fails_alone(tmp_path: Path) -> None:
    with fake(1, launcher=altered(tmp_path, LIE.format(LIES["done"]))) as pool:
        (tmp_path / "always").touch()
        with pytest.raises(WorkerError, match="answered change 1 of the scene with Done"):
            advanced(pool, GREEN)
        assert pool.submit(hg.View()).result(WAIT).provenance.scene_version == 0
        (tmp_path / "always").unlink()
        assert advanced(pool, GREEN) == 1
