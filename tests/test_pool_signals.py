"""Signals, interrupts, threads and garbage collection at any point of a pool: no hang, no loss."""

from __future__ import annotations

import faulthandler
import gc
import json
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, wait
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import heliograph as hg
from heliograph.errors import ClosedError, WorkerError
from heliograph.frame import Sample
from heliograph.pool import Pool

STORM = Path(__file__).with_name("signal_storm.py")
PARTS = ("loop.py", "pool.py", "dispatcher.py")


@pytest.fixture(autouse=True)
def _watchdog() -> Iterator[None]:
    faulthandler.dump_traceback_later(100, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def fake(workers: int = 2, **settings: Any) -> Pool:
    return Pool("fake", "blank", workers, {"size": (16, 12)}, **settings)


def blank_is_right(sample: Sample, index: int) -> None:
    assert sample.index == index
    assert (sample["front"].rgb == index % 256).all()


def storm(seed: int, calls: int, what: str) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, str(STORM), str(seed), str(calls), what],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counts: dict[str, int] = json.loads(done.stdout)
    return counts


@pytest.mark.parametrize("what", ["nothing", "calls"])
def test_thousands_of_signals_during_calls_change_nothing(what: str) -> None:
    counts = storm(1, 9000, what)
    assert counts["signals"] > 5000
    assert counts["descriptors"] < 250


@pytest.mark.parametrize("seed", [1, 2])
def test_hundreds_of_interrupts_during_calls_lose_nothing(seed: int) -> None:
    counts = storm(seed, 400, "raises")
    assert counts["interrupted"] > 100
    assert counts["descriptors"] < 150


class Closer:
    """Closes a pool before the n-th line that this thread runs in some of its parts."""

    def __init__(self, pool: Pool, at: int) -> None:
        self.pool = pool
        self.left = at

    def __call__(self, frame: Any, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.endswith(PARTS):
            return None
        self.left -= event == "line"
        if self.left == 0:
            self.left = -1
            sys.settrace(None)
            began = time.monotonic()
            self.pool.close()  # as a signal handler would that comes right here
            assert time.monotonic() - began < 5
        return self


def test_a_signal_handler_may_close_at_any_line_of_a_submit() -> None:
    at, closed = 1, True
    while closed:
        pool = fake(1)
        pool.render(hg.View())
        closer = Closer(pool, at)
        future: Future[Sample] = Future()
        sys.settrace(closer)
        try:
            future = pool.submit(hg.View(index=3))
        except ClosedError:
            future.cancel()
        finally:
            sys.settrace(None)
        closed = closer.left < 0
        if not closed:
            pool.close()
        wait([future], 5)
        assert future.done()
        pool._loop._thread.join(5)
        assert not pool._loop._thread.is_alive()
        at += 12
    assert at > 60


def test_a_signal_handler_may_close_at_any_line_of_a_wait() -> None:
    at, missed = 1, 0
    while missed < 5:  # an answer may be there before the wait begins, and leave fewer lines
        pool = fake(1)
        pool.render(hg.View())
        future = pool.submit(hg.View(index=3))
        closer = Closer(pool, at)
        sys.settrace(closer)
        try:
            future.result(10)
        except (ClosedError, CancelledError):
            assert closer.left < 0
        finally:
            sys.settrace(None)
        missed = 0 if closer.left < 0 else missed + 1
        pool.close()
        assert future.done()
        at += 3
    assert at > 30


def test_a_signal_that_comes_while_calls_are_made_may_close() -> None:
    def handle(*_: Any) -> None:
        pool.close()

    before = signal.signal(signal.SIGALRM, handle)
    chance, ends = random.Random(3), 0
    try:
        for _ in range(12):
            pool = fake(1)
            futures = []
            signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-6, 2e-3))
            try:
                for index in range(10_000):
                    futures.append(pool.submit(hg.View(index=index)))
                    if index % 7 == 0:
                        futures[-1].result(10)
            except (ClosedError, CancelledError):
                ends += 1
            pool.close()
            assert not wait(futures, 5).not_done
            assert not pool._loop._thread.is_alive()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert ends == 12


def test_a_signal_handler_s_own_error_is_no_failure_of_the_pool() -> None:
    def interrupt(frame: Any, event: str, _: Any) -> Any:
        if frame.f_code.co_name not in ("assign", "flush", "receive", "_sample"):
            return interrupt
        if event == "line":
            sys.settrace(None)
            raise TimeoutError("alarm")
        return interrupt

    with fake(1, deadline=None) as pool:
        for index in range(8):
            sys.settrace(interrupt)
            try:
                with pytest.raises(TimeoutError, match="alarm"):
                    pool.render(hg.View(index=index))
            finally:
                sys.settrace(None)
            blank_is_right(pool.submit(hg.View(index=index)).result(20), index)


def test_logging_that_waits_holds_up_no_caller() -> None:
    """A signal handler may come in a thread that holds a lock of logging's, and then submit."""
    with fake(2) as pool:
        logger, taken = logging.getLogger("heliograph.pool"), threading.RLock()
        waits = Waits(taken)
        logger.addHandler(waits)
        try:
            with taken:
                os.kill(pool.pids[0], signal.SIGKILL)
                assert waits.came.wait(10)
                for index in range(20):
                    blank_is_right(pool.render(hg.View(index=index)), index)
        finally:
            logger.removeHandler(waits)


class Waits(logging.Handler):
    """Waits for a lock that somebody else holds."""

    def __init__(self, lock: Any) -> None:
        super().__init__()
        self.taken = lock
        self.came = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.came.set()
        with self.taken:
            pass


def render_one(pool: Pool, index: int) -> None:
    blank_is_right(pool.render(hg.View(index=index)), index)


def submit_one(pool: Pool, index: int) -> None:
    future = pool.submit(hg.View(index=index))
    if index % 2:
        future.cancel()
    else:
        blank_is_right(future.result(20), index)


def map_some(pool: Pool, index: int) -> None:
    for sample in islice(pool.map(hg.View(index=index) for _ in range(4)), 1 + index % 4):
        blank_is_right(sample, index)


def refine_one(pool: Pool, index: int) -> None:
    assert pool.stats().workers is not None
    assert next(pool.refine(hg.View(index=index))).index == index


def draw_a_batch(pool: Pool, index: int) -> None:
    made = pool.render_batch({"seed": 0, "index": [index, index]})
    assert (made["front"] == index % 256).all()


def use(pool: Pool, seed: int, problems: list[BaseException]) -> None:
    """Random calls until the pool is closed."""
    chance = random.Random(seed)
    try:
        while True:
            act = chance.choice([render_one, submit_one, map_some, refine_one, draw_a_batch])
            act(pool, chance.randrange(200))
    except ClosedError:
        pass
    except BaseException as error:  # noqa: BLE001 -- the test raises it
        problems.append(error)


@pytest.fixture
def _quick_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_quick_switches")
@pytest.mark.parametrize("kills", [0, 4])
def test_threads_share_a_pool_until_another_one_closes_it(kills: int) -> None:
    pool, problems = fake(2), list[BaseException]()
    threads = [threading.Thread(target=use, args=(pool, i, problems)) for i in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(kills):
        time.sleep(0.4)
        pids = pool.pids
        if pids:
            os.kill(pids[0], signal.SIGKILL)
    time.sleep(0.5)
    closers = [threading.Thread(target=pool.close) for _ in range(2)]
    for thread in closers:
        thread.start()
    for thread in (*closers, *threads):
        thread.join(20)
        assert not thread.is_alive()
    assert not problems, problems
    pool.close()


def test_garbage_is_collected_at_any_point() -> None:
    class Cycle:
        """Holds things until garbage is collected."""

        def __init__(self, *held: Any) -> None:
            self.held: Any = (self, *held)

    before = gc.get_threshold()
    gc.set_threshold(3)
    try:
        with fake(2) as pool:
            for turn in range(60):
                Cycle(pool.submit(hg.View(index=turn)))
                Cycle(pool.render(hg.View(index=turn)), pool.submit_batch({"seeds": [1, 2]}))
                Cycle(pool.map(hg.View(index=turn) for _ in range(4)), pool.refine(hg.View()))
                next(Cycle(pool.refine(hg.View(index=turn))).held[1])
                if turn % 20 == 0:
                    Cycle(fake(1))
            blank_is_right(pool.render(hg.View(index=7)), 7)
            end = time.monotonic() + 20
            while (stats := pool.stats()).in_flight or stats.queued:
                assert time.monotonic() < end, stats
                time.sleep(0.01)
    finally:
        gc.set_threshold(*before)


def test_who_waits_in_a_callback_s_or_handler_s_place_is_told() -> None:
    with fake(1) as pool:
        raised: list[WorkerError] = []

        def wait_inside() -> None:
            try:
                pool.render(hg.View())
            except WorkerError as error:
                raised.append(error)

        pool._loop.read(wait_inside)
        assert "a signal handler waits" in str(raised[0])


def test_a_stream_whose_end_an_interrupt_kept_from_being_told_ends() -> None:
    class Interrupt(BaseException):
        """As Ctrl-C."""

    def interrupt(frame: Any, event: str, _: Any) -> Any:
        if frame.f_code.co_name == "cancel" and frame.f_code.co_filename.endswith("loop.py"):
            sys.settrace(None)
            raise Interrupt
        return interrupt

    with fake(1, depth=1) as pool:
        stream = pool.published()
        assert next(stream).index == 0
        sys.settrace(interrupt)
        try:
            with pytest.raises(Interrupt):
                stream.close()  # type: ignore[attr-defined]
        finally:
            sys.settrace(None)
        del stream
        blank_is_right(pool.submit(hg.View(index=5)).result(20), 5)
        end = time.monotonic() + 20
        while pool.stats().in_flight:
            assert time.monotonic() < end
            time.sleep(0.01)


def test_an_interrupt_while_a_worker_is_buried_loses_no_order() -> None:
    left = 0

    def interrupt(frame: Any, event: str, _: Any) -> Any:
        nonlocal left
        inside = frame.f_code.co_name in ("_bury", "bury", "remove_worker")
        left -= inside and event == "line"
        if left == 0:
            left = -1
            raise KeyboardInterrupt
        return interrupt

    with fake(1, deadline=None) as pool:
        for at in range(2, 40, 4):
            pool.render(hg.View())
            future = pool.submit(hg.View(index=at, state={"sleep": 0.1}))
            os.kill(pool.pids[0], signal.SIGKILL)
            left = at
            sys.settrace(interrupt)
            try:
                future.exception(20)
            except KeyboardInterrupt:
                pass
            finally:
                sys.settrace(None)
            blank_is_right(future.result(20), at)
