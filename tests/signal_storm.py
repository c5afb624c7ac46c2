# mypy: allow-untyped-defs, allow-untyped-calls
"""A program whose pool is used while signals come; prints what it counted as JSON, and ends.

Arguments: a seed, how many calls, and what the signal handlers do: `nothing`, `calls` or `raises`.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import queue
import random
import signal
import sys
import time
from collections import Counter
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

import heliograph as hg
from heliograph.engine import CancelToken
from heliograph.engines.fake import Paint
from heliograph.errors import InvalidValueError, WorkerError

SIZE = {"size": (16, 12)}
DEPTH = 3
"""How many handlers make calls inside each other."""

WAIT = 20.0
"""Seconds after which anything that is not done never will be."""


class Interrupt(BaseException):
    """What a signal handler raises, as Ctrl-C does."""


class Storm:
    """Makes random calls of a pool while a timer sends signals to this thread.

    Args:
        seed: of all that is random.
        what: the handlers do.
    """

    def __init__(self, seed: int, what: str) -> None:
        self.random = random.Random(seed)
        self.what = what
        self.pool = hg.Pool("fake", "blank", 2, SIZE, deadline=None)
        self.futures: list[Any] = []
        self.counts: Counter[str] = Counter()
        self.busy = False
        self.depth = 0
        self.queue: queue.Queue[Any] = queue.Queue()
        self.queued = 0
        self.calls = [
            self.render,
            self.render,
            self.submit,
            self.submit,
            self.submit_and_cancel,
            self.submit_and_wait,
            self.map,
            self.map_as_finished,
            self.batch,
            self.views,
            self.submit_batch,
            self.borrow,
            self.refine,
            self.refine_cancelled,
            self.advance,
            self.look,
            self.batch_async,
            self.side_by_side,
            self.old_futures,
            self.asynchronous,
        ]

    def view(self, **changes):
        return hg.View(index=self.random.randrange(250), seed=self.random.randrange(9), **changes)

    # What a handler does -----------------------------------------------------------------------

    def handle(self, *_):
        if not self.busy:
            return
        self.counts["signals"] += 1
        if self.what == "raises":
            errors: list[BaseException] = [Interrupt(), KeyboardInterrupt(), TimeoutError("alarm")]
            raise self.random.choice(errors)
        if self.what == "calls" and self.depth < DEPTH:
            self.depth += 1
            try:
                self.random.choice([self.h_submit, self.h_cancel, self.h_stats, self.h_render])()
            finally:
                self.depth -= 1

    def h_submit(self):
        self.keep(self.view())

    def h_cancel(self):
        for _ in range(3):
            if self.futures:
                self.random.choice(self.futures)[1].cancel()

    def h_stats(self):
        self.pool.stats()
        self.pool.pids  # noqa: B018
        self.pool.cameras  # noqa: B018

    def h_render(self):
        view = self.view()
        try:
            check(self.pool.render(view), view)
            self.counts["handler renders"] += 1
        except WorkerError as error:
            if "a signal handler waits" not in error.message:
                raise
            self.counts["handler refusals"] += 1

    # Calls -------------------------------------------------------------------------------------

    def keep(self, view):
        future = self.pool.submit(view)
        self.futures.append((view, future))
        return future

    def render(self):
        view = self.view()
        check(self.pool.render(view), view)

    def submit(self):
        for _ in range(self.random.randrange(1, 4)):
            self.keep(self.view())

    def submit_and_cancel(self):
        self.keep(self.view()).cancel()

    def submit_and_wait(self):
        view = self.view()
        future = self.keep(view)
        try:
            check(future.result(self.random.choice([WAIT, 1e-4, 0])), view)
        except CancelledError:
            self.counts["cancelled"] += 1

    def map(self):
        views = [self.view() for _ in range(8)]
        for view, sample in zip(views[:4], self.pool.map(views), strict=False):
            check(sample, view)

    def map_as_finished(self):
        views = [self.view() for _ in range(6)]
        count = sum(1 for _ in self.pool.map(views, ordered=False))
        assert count == 6, count

    def columns(self):
        count = self.random.randrange(1, 9)
        return {
            "seeds": [self.random.randrange(9) for _ in range(count)],
            "index": np.array([self.random.randrange(250) for _ in range(count)]),
        }

    def batch(self):
        columns = self.columns()
        check_batch(self.pool.render_batch(columns), columns)

    def submit_batch(self):
        self.futures.append((columns := self.columns(), self.pool.submit_batch(columns)))

    def views(self):
        views = [self.view() for _ in range(self.random.randrange(1, 5))]
        for view, sample in zip(views, self.pool.render_batch(views), strict=True):
            check(sample, view)

    def borrow(self):
        view = self.view()
        with self.pool.borrow(view) as sample:
            check(sample, view)

    def refine(self):
        view = self.view()
        for sample in self.pool.refine(view):
            check(sample, view)
            if self.random.random() < 0.3:
                break

    def refine_cancelled(self):
        token = CancelToken()
        for _ in self.pool.refine(self.view(), token):
            token.cancel()

    def advance(self):
        if self.random.random() < 0.2:
            colour = (self.random.random(), 0.5, 0.5)
            self.pool.advance(Paint("ball", colour))

    def look(self):
        self.pool.stats()
        assert len(self.pool.pids) <= 4
        assert self.pool.scene.source == "blank"

    def batch_async(self):
        self.queued += 1
        self.pool.render_batch_async(self.columns(), self.queue)

    def side_by_side(self):
        submit = self.pool.side_by_side(2)
        views = [self.view(), self.view()]
        futures = [submit(view) for view in views]
        for view, future in zip(views, futures, strict=True):
            check(future.result(WAIT), view)

    def old_futures(self):
        for _ in range(3):
            if self.futures:
                view, future = self.random.choice(self.futures)
                try:
                    made = future.result(WAIT)
                except CancelledError:
                    continue
                (check if isinstance(view, hg.View) else check_batch)(made, view)

    def asynchronous(self):
        view = self.view()
        future = self.keep(view)
        future.add_done_callback(lambda _: None)
        try:
            check(future.result(WAIT), view)
        except CancelledError:
            self.counts["cancelled"] += 1

    # The run -----------------------------------------------------------------------------------

    def one(self, call):
        """A call, with signals in the middle."""
        first = self.random.choice([1e-6, 1e-5, 1e-4, 3e-4, 1e-3])
        every = 0.0 if self.what == "raises" else self.random.choice([1e-4, 3e-4, 1e-3])
        try:
            try:
                signal.setitimer(signal.ITIMER_REAL, self.random.uniform(first / 10, first), every)
                self.busy = True
                call()
            finally:
                self.busy = False
        except (Interrupt, KeyboardInterrupt, TimeoutError):
            self.counts["interrupted"] += 1
        except InvalidValueError as error:
            if "alarm" not in error.message:  # numpy's trouble with an array, by a handler
                raise
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        self.counts["calls"] += 1
        if len(self.futures) > 200:
            self.settled(100)

    def settled(self, count):
        for view, future in self.futures[:count]:
            try:
                made = future.result(WAIT)
            except CancelledError:
                continue
            (check if isinstance(view, hg.View) else check_batch)(made, view)
            assert future.done()
        del self.futures[:count]

    def ended(self):
        """All is as if nothing had come in between."""
        self.settled(len(self.futures))
        view = self.view()
        check(self.pool.render(view), view)
        eventually(lambda: self.pool.stats().queued == self.pool.stats().in_flight == 0)
        eventually(lambda: [each.phase for each in self.pool.stats().workers] == ["ready"] * 2)
        if self.what == "nothing":
            for _ in range(self.queued):
                assert isinstance(self.queue.get(timeout=WAIT), dict)
            assert self.pool.stats().died == 0
        self.counts["died"] = self.pool.stats().died


def check(sample, view):
    """It is the picture of that view."""
    rgb = sample["front"].rgb
    assert sample.index == view.index
    assert (rgb == (view.index + 31 * view.seed) % 256).all(), (view, rgb[0, 0])


def check_batch(made, columns):
    expected = (columns["index"] + 31 * np.array(columns["seeds"])) % 256
    assert (made["front"] == expected[:, None, None, None]).all()


def eventually(condition, tell=str):
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end, f"waited in vain; {tell()}"
        time.sleep(0.01)


def descriptors():
    """What each open descriptor is, by its number."""
    found = {}
    for each in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the descriptor that reads the folder
            found[int(each.name)] = str(each.readlink())
    return found


def main(seed, calls, what):
    faulthandler.dump_traceback_later(55, exit=True)
    before = len(descriptors())
    storm = Storm(seed, what)
    signal.signal(signal.SIGALRM, storm.handle)
    began = time.monotonic()
    while storm.counts["calls"] < calls:
        storm.one(storm.random.choice(storm.calls))
    storm.counts["ms"] = int((time.monotonic() - began) * 1000)
    storm.ended()
    storm.counts["descriptors"] = len(descriptors()) - before
    pids = storm.pool.pids
    storm.pool.close()
    assert all(future.done() for _, future in storm.futures)
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    counts = storm.counts
    del storm
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    gc.collect()
    eventually(lambda: len(descriptors()) <= before, lambda: f"left open: {descriptors()}")
    sys.stdout.write(json.dumps(counts) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
