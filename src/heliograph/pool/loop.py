"""The pool's loop: it hears all workers, in a thread of its own or in one that waits for an answer.

A *step* takes what was posted and what the workers said, and is made with the lock held; what it
puts off, copies and futures, is done after it. Nothing here waits for a thread: who posts leaves
the call in a queue, and either makes the step or leaves it to whoever is inside. So a signal
handler may post at any time, even in a thread that is inside a step, and so may who collects
garbage.

Who waits for a future *leads*: it listens to the workers itself, and the pool's own thread rests,
so that an answer wakes one thread and not two. The leader says all the time that it is there; when
it does not, as an interrupt took it away, the pool's own thread goes on.
"""

from __future__ import annotations

import os
import select
import selectors
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from heliograph.errors import HeliographError, WorkerError

QUICK = 150e-6
"""Seconds; where the last view was drawn so soon, the next answer is looked out for as long without
sleep, as sleeping and waking would take a good part of that."""

_SLICE = 0.1
"""Seconds that a leader sleeps at a time, so that it is seen to be there."""

_SILENT = 0.5
"""Seconds after which a leader that says nothing is gone."""

_SHORT = 4e-3
"""Seconds that the pool's own thread rests on after a leader that came and went soon: who asks for
one sample after the other leads again at once, and to wake another thread each time costs more."""


class HasCallbacks(Protocol):
    """A future that may call what users added."""

    @property
    def has_callbacks(self) -> bool:
        """Whether anybody added anything."""


class PutOff(NamedTuple):
    """Something to be done after a step.

    Attributes:
        do: what; doing it twice must be as good as once, as an interrupt may come between.
        future: which it sets; what users added to be called then, only the pool's own thread calls.
    """

    do: Callable[[], object]
    future: HasCallbacks | None = None


Later = deque[PutOff]
Command = Callable[[Later], object]
Event = tuple[Any, int]
"""What a descriptor was registered with, and what it is ready for."""


class Core(Protocol):
    """What the loop runs; called with the lock held, except for `chores` and `end`."""

    def hear(self, events: Iterable[Event], later: Later) -> None:
        """Take what the workers say, then give them what there is to do."""

    def tick(self, later: Later) -> None:
        """Look whether anybody is late."""

    def repair(self, later: Later) -> None:
        """Make good what an interrupt left half done."""

    def cancel(self, target: Any, later: Later) -> None:
        """Nobody waits for something any more."""

    def close(self, later: Later) -> None:
        """The loop is to end."""

    def due(self, now: float) -> bool:
        """Whether it is time for `tick`."""

    def fail(self, error: HeliographError, later: Later) -> None:
        """Nothing goes on, as something is wrong with the pool itself."""

    def chores(self) -> Command | None:
        """Do what takes long; what to do with what came of it."""

    def pause(self) -> float:
        """Seconds until there is something to do in any case."""

    @property
    def busy(self) -> bool:
        """Whether anything is to be done for anybody."""

    @property
    def quick(self) -> bool:
        """Whether answers come so soon that it is better not to sleep."""

    @property
    def closed(self) -> bool:
        """Whether the loop is to end."""

    def end(self) -> None:
        """End all workers."""


class Loop:
    """Runs a pool; safe for threads and for signal handlers.

    Args:
        core: what is run.
        selector: hears the workers; the core registers them.
    """

    def __init__(self, core: Core, selector: selectors.BaseSelector) -> None:
        self._core = core
        self._selector = selector
        self._lock: Any = threading.RLock()
        self._inbox: deque[Command] = deque()
        self._left: Later = deque()
        self._torn = False
        self._leader = 0
        self._seen = 0.0
        self._led_since = 0.0
        self._resting = False
        self._abandoned = False
        self._delivering: set[int] = set()
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        # Not before nobody can ring it any more: the number would be another's by then.
        weakref.finalize(self, os.close, self._bell).atexit = False
        selector.register(self._bell, selectors.EVENT_READ)
        # A daemon: a pool that nobody closed must not keep a program from ending.
        self._thread = threading.Thread(target=self._run, name="heliograph-pool", daemon=True)
        self._thread.start()

    @property
    def inside(self) -> bool:
        """Whether this is a signal handler that interrupted a step in its own thread."""
        return bool(self._lock._is_owned())

    def post(self, command: Command) -> None:
        """Have something done in a step: in one of this thread, or by who is inside."""
        self._inbox.append(command)
        later: Later = deque()
        try:
            self._step((), later)
            self._finish(later)
        except BaseException:
            self.wake()  # what an interrupt left half done is done there
            raise
        finally:
            self._leave(later)

    def cancel(self, target: Any) -> None:
        """Nobody waits for something any more."""
        self.post(lambda later: self._core.cancel(target, later))

    def read(self, look: Callable[[], Any]) -> Any:
        """What there is to see between two steps."""
        with self._lock:
            return look()

    def wake(self) -> None:
        """Have the pool's own thread look around."""
        with suppress(BlockingIOError):  # so often rung that it is heard in any case
            os.eventfd_write(self._bell, 1)

    def run_until(self, done: Callable[[], bool], timeout: float | None = None) -> None:
        """Lead until something is done; returns at once where another thread leads.

        Raises:
            WorkerError: this thread must not wait, as others wait for it.
        """
        me = threading.get_ident()
        self._check_thread(me)
        if self._led() and self._leader != me:
            return
        end = None if timeout is None else time.monotonic() + timeout
        before, self._leader = self._leader, me
        later: Later = deque()
        if not before:
            self._seen = self._led_since = time.monotonic()
        if not self._resting:
            self.wake()
        try:
            began = time.perf_counter()
            if self._core.quick:
                self._look_out(done, began, later)
            while not done() and self._thread.is_alive():
                self._seen = now = time.monotonic()
                if end is not None and now >= end:
                    return
                pause = _SLICE if end is None else min(_SLICE, end - now)
                self._listen(pause, later)
        finally:
            self._leader = before
            self._seen = time.monotonic()
            self._leave(later)
            if self._resting and self._seen - self._led_since > _SHORT:
                self.wake()

    def close(self, patience: float) -> None:
        """Wait for the pool's own thread to end, unless that waits for this one."""
        self.wake()
        if not self.inside and threading.current_thread() is not self._thread:
            self._thread.join(patience)

    def abandon(self) -> None:
        """Nobody can post any more: end once all is done; may be called by who collects garbage."""
        self._abandoned = True
        self.wake()

    def _look_out(self, done: Callable[[], bool], began: float, later: Later) -> None:
        while not done() and time.perf_counter() - began < QUICK:
            self._listen(0, later)
            os.sched_yield()  # the worker may be on this very core

    def _listen(self, pause: float, later: Later) -> None:
        """Wait for what the workers say, and take it."""
        try:
            events = self._selector.select(pause)
        except (OSError, ValueError):  # it was closed meanwhile
            return
        events = [each for each in events if each[0].fd != self._bell]
        if events or self._inbox:
            self._step([(key.data, mask) for key, mask in events], later)
            self._finish(later)
        elif pause:
            time.sleep(0)  # the bell is for the other thread, which takes a moment to hear it

    def _led(self) -> bool:
        return bool(self._leader) and time.monotonic() - self._seen < _SILENT

    def _check_thread(self, me: int) -> None:
        if me in self._delivering:
            raise WorkerError(
                "a callback of a future waits for its own pool, which would never end; hand the "
                "work to another thread"
            )
        if self.inside:
            raise WorkerError(
                "a signal handler waits for a pool that it interrupted at work, which would never "
                "end; set a flag there, and wait elsewhere"
            )

    def _step(self, events: Iterable[Event], later: Later) -> None:
        """Do what was posted and take what the workers say."""
        if self.inside:  # a signal handler: who is inside looks into the inbox again
            return
        while True:
            with (
                self._lock
            ):  # a call alone: at a `try` that begins here an interrupt keeps the lock
                self._step_inside(events, later)
            if not self._inbox:
                return
            events = ()

    def _step_inside(self, events: Iterable[Event], later: Later) -> None:
        try:
            if self._torn:
                self._core.repair(later)
            self._torn = True
            while self._inbox:
                self._inbox[0](later)
                self._inbox.popleft()
            self._core.hear(events, later)
            self._torn = False
        except HeliographError as error:
            self._core.fail(error, later)
        except Exception as error:  # noqa: BLE001 -- nobody may wait for ever
            self._core.fail(WorkerError(f"the pool failed: {error!r}"), later)

    def _finish(self, later: Later) -> None:
        """Do what a step put off."""
        own = threading.current_thread() is self._thread
        while later:
            do, future = later[0]
            if not own and future is not None and future.has_callbacks:
                self._left.append(later[0])
                self.wake()
            else:
                do()
            later.popleft()

    def _leave(self, later: Later) -> None:
        """What this thread could not finish, as it was interrupted, is for the pool's own."""
        if later:
            self._left.extend(later)
            later.clear()
            self.wake()

    def _run(self) -> None:
        try:
            while not self._core.closed:
                self._round()
        except BaseException as error:  # noqa: BLE001 -- nobody may wait for ever
            failure = WorkerError(f"the pool failed: {error!r}")
            self._locked(lambda later: self._core.fail(failure, later))
        finally:
            self._core.end()
            self._finish_left()
            self._selector.close()

    def _round(self) -> None:
        """Listen, or rest while somebody else does; then do the chores."""
        self._resting = True
        later: Later = deque()
        pause, now = self._core.pause(), time.monotonic()
        if self._led() or now - self._seen < _SHORT:
            poll = select.poll()
            poll.register(self._bell, select.POLLIN)
            poll.poll(min(pause, _SLICE if now - self._led_since > _SHORT else _SHORT) * 1000)
            self._resting = False
            events = []
        else:
            self._resting = False
            events = self._selector.select(pause)
        with suppress(BlockingIOError):
            os.eventfd_read(self._bell)
        heard = [(key.data, mask) for key, mask in events if key.fd != self._bell]
        self._step(heard, later)
        self._deliver(later)
        came = self._core.chores()
        if came is not None:
            self._locked(came)
        if self._core.due(time.monotonic()):
            self._locked(self._core.tick)
        if self._abandoned and not (self._core.busy or self._inbox or self._left):
            self._locked(self._core.close)

    def _locked(self, command: Command) -> None:
        """Make a step of one command, in the pool's own thread."""
        later: Later = deque()
        self._inbox.append(command)
        self._step((), later)
        self._deliver(later)

    def _deliver(self, later: Later) -> None:
        """Do what was put off, by this step and by other threads."""
        me = threading.get_ident()
        self._delivering.add(me)
        try:
            self._finish(later)
            self._finish_left()
        finally:
            self._delivering.discard(me)

    def _finish_left(self) -> None:
        while self._left:
            self._left.popleft().do()
