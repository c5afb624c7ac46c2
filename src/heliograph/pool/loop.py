"""The pool's loop: it hears all workers, in a thread of its own or in one that waits for an answer.

A *step* takes what was posted and what the workers said, and is made with one lock held; what it
puts off, copies and futures, is done after it, in its order, with another lock held. Nobody waits
for anything else with a lock held, so a signal handler may post at any time: in a thread that is
inside a step it only leaves the call in a queue, for who is inside looks there again. Callbacks and
log records, which may wait for whatever their authors like, are for the pool's own thread, which
holds no lock meanwhile.

What is in a queue is taken out once it is done, so an interrupt (an exception out of a signal
handler, which may come between any two instructions of the main thread) has it done once more.

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
from typing import Any

from heliograph.errors import HeliographError, WorkerError
from heliograph.pool.dispatcher import Dispatcher
from heliograph.pool.futures import QUICK, Busy, Command, Event, Later
from heliograph.transport.patience import Patience

_SLICE = 0.1
"""Seconds that a leader sleeps at a time, so that it is seen to be there."""

_SILENT = 0.5
"""Seconds after which a leader that says nothing is gone."""

_SHORT = 4e-3
"""Seconds that the pool's own thread rests on after a leader that came and went soon: who asks for
one sample after the other leads again at once, and to wake another thread each time costs more."""

_RETRY = 0.01
"""Seconds after which what was in use is tried again."""


_LOOPS: weakref.WeakSet[Loop] = weakref.WeakSet()


def _leave_to_parent() -> None:
    """In a process that was forked off, no loop is its own."""
    for loop in _LOOPS:
        loop.elsewhere = True


os.register_at_fork(after_in_child=_leave_to_parent)


class Loop:
    """Runs a pool; safe for threads and for signal handlers.

    Args:
        core: what is run.
        selector: hears the workers; the core registers them.

    Attributes:
        elsewhere: whether the pool belongs to another process, which this one was forked off.
    """

    def __init__(self, core: Dispatcher, selector: selectors.BaseSelector) -> None:
        self._core = core
        self.elsewhere = False
        _LOOPS.add(self)
        self._selector = selector
        # That of the selector itself, which is quicker to ask so.
        self._number: int = selector.fileno()  # type: ignore[attr-defined]
        self._lock: Any = threading.RLock()
        self._delivery: Any = threading.RLock()
        self._inbox: deque[Command] = deque()
        self._later: Later = deque()
        self._left: deque[Callable[[], object]] = deque()  # for the pool's own thread
        self._torn = False
        self._patience = Patience()
        self._leader = 0
        self._seen = 0.0
        self._led_since = 0.0
        self._resting = False
        self._abandoned = False
        self._ended = False
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._leader_bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        for each in (self._bell, self._leader_bell):
            # Not before nobody can ring it any more: the number would be another's by then.
            weakref.finalize(self, os.close, each).atexit = False
        selector.register(self._leader_bell, selectors.EVENT_READ)
        # A daemon: a pool that nobody closed must not keep a program from ending.
        self._thread = threading.Thread(target=self._run, name="heliograph-pool", daemon=True)
        self._thread.start()

    @property
    def inside(self) -> bool:
        """Whether this is a signal handler that interrupted the loop at work in its own thread."""
        return bool(self._lock._is_owned() or self._delivery._is_owned())

    def check_process(self) -> None:
        """Check that this is the process that the pool belongs to.

        Raises:
            WorkerError: it was forked off that.
        """
        if self.elsewhere:
            raise WorkerError(
                "this pool was opened before the process forked, and belongs to the parent; open "
                "one in the child, or start processes with the 'spawn' method"
            )

    def post(self, command: Command) -> None:
        """Have something done in a step: in one of this thread, or by who is inside.

        In a process that was forked off it is nothing: the pool is the parent's.
        """
        if not self.elsewhere:
            self._work((), command)

    def cancel(self, target: Any) -> None:
        """Nobody waits for something any more."""
        self.post(lambda later: self._core.cancel(target, later))

    def read(self, look: Callable[[], Any]) -> Any:
        """What there is to see between two steps."""
        self.check_process()  # the lock may be held there for ever
        with self._lock:
            made = look()
        if self._inbox:  # a signal handler posted meanwhile
            self.wake()
        return made

    def wake(self) -> None:
        """Have the pool's own thread look around."""
        _ring(self._bell)

    def run_until(self, done: Callable[[], bool], timeout: float | None = None) -> None:
        """Lead until something is done; returns at once where another thread leads.

        Raises:
            WorkerError: this thread must not wait, as others wait for it.
        """
        self._check_thread()
        me = threading.get_ident()
        end = None if timeout is None else time.monotonic() + timeout
        try:
            if not self._lead(me):
                return
            if not self._resting:
                self.wake()
            if self._core.quick and self._patience.tries():
                self._patience.tell(self._look_out(done))
            while not done() and self._lead(me) and self._thread.is_alive():
                if end is not None and self._seen >= end:
                    return
                self._listen(_SLICE if end is None else min(_SLICE, end - self._seen))
        finally:
            self._stop_leading(me)

    def close(self, patience: float) -> None:
        """Wait for the pool's own thread to end, unless that waits for this one."""
        if self.elsewhere:
            return
        self.wake()
        if not self.inside and threading.current_thread() is not self._thread:
            self._thread.join(patience)

    def abandon(self) -> None:
        """Nobody can post any more: end once all is done; may be called by who collects garbage."""
        self._abandoned = True
        self.wake()

    def _look_out(self, done: Callable[[], bool]) -> bool:
        """Look for an answer without sleep; whether it came in time."""
        ready = select.poll()
        ready.register(self._number, select.POLLIN)
        end = time.perf_counter() + QUICK
        while not done() and time.perf_counter() < end:
            if ready.poll(0):
                self._work(self._select(0))
            else:
                os.sched_yield()  # the worker may be on this very core
        return done()

    def _listen(self, pause: float) -> None:
        """Wait for what the workers say, and take it."""
        heard = self._select(pause)
        if heard or self._inbox or self._later:
            self._work(heard)

    def _select(self, pause: float) -> list[Event]:
        heard: list[Event] = []
        try:
            ready = self._selector.select(pause)
        except (OSError, ValueError):  # it was closed, maybe by a signal handler right here
            if not self._ended:
                raise
            return []
        for key, mask in ready:
            if key.data is None:
                _silence(self._leader_bell)
            else:
                heard.append((key.data, mask))
        return heard

    def _lead(self, me: int) -> bool:
        """Be the one that listens, unless another thread is; whether that is so."""
        with self._lock:
            return self._lead_inside(me)

    def _lead_inside(self, me: int) -> bool:
        if self._leader != me:
            if self._led():
                return False
            self._led_since = time.monotonic()
        self._leader, self._seen = me, time.monotonic()
        return True

    def _led(self) -> bool:
        return bool(self._leader) and time.monotonic() - self._seen < _SILENT

    def _stop_leading(self, me: int) -> None:
        if self._leader == me:
            self._leader = 0
            self._seen = time.monotonic()  # later than whatever who still saw it calls now
            if self._resting and self._seen - self._led_since > _SHORT:
                self.wake()

    def _check_thread(self) -> None:
        self.check_process()
        if threading.current_thread() is self._thread:
            raise WorkerError(
                "a callback of a future waits for its own pool, which would never end; hand the "
                "work to another thread"
            )
        if self.inside:
            raise WorkerError(
                "a signal handler waits for a pool that it interrupted at work, which would never "
                "end; set a flag there, and wait elsewhere"
            )

    def _work(self, events: Iterable[Event], command: Command | None = None) -> None:
        """Make a step, and do what it put off."""
        try:
            if command is not None:
                self._inbox.append(command)
            self._step(events)
            self._finish()
        except BaseException:
            self.wake()  # what an interrupt left half done is done there
            raise

    def _step(self, events: Iterable[Event], own: Command | None = None) -> None:
        """Do what was posted and take what the workers say."""
        if self._lock._is_owned():  # a signal handler: who is inside looks into the inbox again
            return
        while True:
            # A call alone: at a `try` that begins in here an interrupt would keep the lock.
            with self._lock:
                self._step_inside(events, own)
            if not self._inbox:
                return
            events, own = (), None

    def _step_inside(self, events: Iterable[Event], own: Command | None) -> None:
        later, command = self._later, None
        try:
            if self._torn:
                self._core.repair(later)
            self._torn = True
            if own is not None:
                own(later)
            while self._inbox:
                command = self._inbox[0]
                command(later)
                self._inbox.popleft()
            command = None
            self._core.hear(events, later)
            self._torn = False
        except Exception as error:
            # In the main thread it may be a signal handler's; if not, it comes again elsewhere.
            if threading.current_thread() is threading.main_thread():
                raise
            if command is not None:
                self._inbox.popleft()
            if not isinstance(error, HeliographError):
                error = WorkerError(f"the pool failed: {error!r}")
            self._core.fail(error, later)

    def _finish(self) -> None:
        """Do what steps put off; callbacks are left to the pool's own thread."""
        if not (self._later or self._left) or self._delivery._is_owned():
            return  # if it is owned, this is a signal handler, and who is inside goes on
        worked = bool(self._later)
        while self._later:
            with self._delivery:
                self._do_first()
        if self._left:
            if self._ended or threading.current_thread() is self._thread:
                self._finish_left()
            else:
                self.wake()
        if worked and self._leader not in (0, threading.get_ident()):
            _ring(self._leader_bell)  # it may have been what that waits for

    def _do_first(self) -> None:
        if not self._later:  # another thread was quicker
            return
        do, future = self._later[0]
        try:
            do()
        except Busy:
            self._left.append(do)
        if future is not None and future.has_callbacks:
            self._left.append(future.call_back)
        self._later.popleft()

    def _finish_left(self) -> None:
        for _ in range(len(self._left)):
            do = self._left.popleft()
            try:
                do()
            except Busy:
                self._left.append(do)

    def _run(self) -> None:
        try:
            while not self._core.closed:
                self._round()
        except BaseException as error:  # noqa: BLE001 -- nobody may wait for ever for a dead thread
            reason = WorkerError(f"the pool failed: {error!r}")
            self._own(lambda later: self._core.fail(reason, later))
        finally:
            self._own(self._core.close)
            self._core.end()
            self._ended = True
            self._finish()
            while self._left:
                self._finish_left()
                time.sleep(_RETRY if self._left else 0)
            self._selector.close()

    def _round(self) -> None:
        """Listen, or rest while somebody else does; then do the chores."""
        self._step(self._hear())
        self._finish()
        came = self._core.chores()
        if came is not None:
            self._own(came)
        if self._core.due(time.monotonic()):
            self._own(self._core.tick)
        if self._abandoned and not (self._core.busy or self._inbox or self._left):
            self._own(self._core.close)

    def _hear(self) -> list[Event]:
        """Wait for what the workers say where nobody leads, or for the bell."""
        self._resting = True
        pause = min(self._core.pause(), _RETRY) if self._left else self._core.pause()
        now, led = time.monotonic(), self._led()
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        if led or now - self._seen < _SHORT:
            pause = min(pause, _SLICE if led and now - self._led_since > _SHORT else _SHORT)
        else:
            self._resting = False
            poll.register(self._number, select.POLLIN)
        poll.poll(pause * 1000)
        self._resting = False
        _silence(self._bell)
        with self._lock:  # or a leader that begins right now would not hear its bell
            return [] if self._led() else self._select(0)

    def _own(self, command: Command) -> None:
        """Make a step of one command of the pool's own thread."""
        self._step((), command)
        self._finish()


def _ring(bell: int) -> None:
    with suppress(BlockingIOError):  # so often rung that it is heard in any case
        os.eventfd_write(bell, 1)


def _silence(bell: int) -> None:
    with suppress(BlockingIOError):
        os.eventfd_read(bell)
