"""Futures of a pool, and what a step puts off until the lock is free."""

from __future__ import annotations

import logging
import math
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures._base import CANCELLED, CANCELLED_AND_NOTIFIED, FINISHED
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, Protocol, TypeVar, cast

from heliograph.condition import Condition

_LOG = logging.getLogger("heliograph.pool")
_T = TypeVar("_T")

QUICK = 150e-6
"""Seconds; where the last view was drawn so soon, the next answer is looked out for as long without
sleep, as sleeping and waking would take a good part of that."""


_CANCELLED = (CANCELLED, CANCELLED_AND_NOTIFIED)
_DONE = (*_CANCELLED, FINISHED)
_SOON = 0.1
"""Seconds after which who waits looks around by itself."""


class Busy(Exception):  # noqa: N818 -- no error: it is done a little later
    """What is to be done needs a lock that its holder may keep for long, as a signal came there."""


class Waits(Protocol):
    """The loop, as futures see it."""

    def run_until(self, done: Callable[[], bool], timeout: float | None = None) -> None:
        """Run the loop in this thread, unless another one does, until something is done."""

    def cancel(self, target: Target) -> None:
        """Nobody waits for an order, or for all those of a batch, any more."""

    @property
    def elsewhere(self) -> bool:
        """Whether the pool belongs to another process, which this one was forked off."""

    def read(self, look: Callable[[], Any]) -> Any:
        """What there is to see between two steps."""


class Target(Protocol):
    """What a future stands for."""

    @property
    def begun(self) -> bool:
        """Whether a worker is at it."""


class PoolFuture(Future[_T]):
    """A future whose waiting thread runs the pool's loop, so that no other has to be woken for it.

    It is running only once a worker has begun what it stands for, and can be cancelled until then.

    Args:
        loop: runs the pool.
        target: what it stands for.
        finished: called with it once it is done, before its callbacks; maybe twice.
    """

    def __init__(
        self,
        loop: Waits,
        target: Target,
        finished: Callable[[PoolFuture[_T]], None] | None = None,
    ) -> None:
        super().__init__()
        self._condition = Condition()
        self._loop = loop
        self._target = weakref.ref(target)
        self._finished = finished
        self._sleepers: deque[SimpleQueue[None]] = deque()

    @property
    def has_callbacks(self) -> bool:
        """Whether anybody added a callback that was not called yet."""
        return self.done() and bool(self._done_callbacks)  # type: ignore[attr-defined]

    def done(self) -> bool:
        """As of `concurrent.futures.Future`, without a lock: what it says stays so."""
        return self._state in _DONE

    def cancelled(self) -> bool:
        """As of `concurrent.futures.Future`, without a lock."""
        return self._state in _CANCELLED

    def result(self, timeout: float | None = None) -> _T:
        """As of `concurrent.futures.Future`, without a lock."""
        error = self.exception(timeout)
        if error is not None:
            try:
                raise error
            finally:
                del error, self  # or they would hold each other
        return cast("_T", self._result)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """As of `concurrent.futures.Future`, without a lock."""
        self._wait(timeout)
        if self.cancelled():
            raise CancelledError
        return self._exception

    def cancel(self) -> bool:
        """Cancel it, unless a worker has begun it; whether it is cancelled."""
        target = self._target()
        if self._loop.elsewhere or target is None or self.running():
            return self.cancelled()
        if not self._loop.read(self._cancel):
            return self.cancelled()
        self._wake()
        self.call_back()
        self._loop.cancel(target)
        return True

    def running(self) -> bool:
        """Whether a worker has begun it and has not answered yet."""
        target = self._target()
        return not self.done() and target is not None and target.begun

    def settle(self, result: _T | None, error: BaseException | None = None) -> bool:
        """Give it what it waits for, and tell who waits; False if nobody does.

        Callbacks are called by `call_back`.

        Raises:
            Busy: its lock is in use, maybe under a signal handler.
        """
        if threading.get_ident() == threading.main_thread().ident:
            with self._condition:
                given = self._set(result, error)
        else:
            if not self._condition.acquire(timeout=_SOON):
                raise Busy
            try:
                given = self._set(result, error)
            finally:
                self._condition.release()
        self._wake()
        if self._finished is not None:
            self._finished(self)
        return given

    def call_back(self) -> None:
        """Call the callbacks, each once."""
        callbacks: list[Callable[[PoolFuture[_T]], object]] = self._done_callbacks  # type: ignore[attr-defined]
        while callbacks:
            with suppress(IndexError):  # another thread calls them as well
                self._call(callbacks.pop(0))

    def _call(self, callback: Callable[[PoolFuture[_T]], object]) -> None:
        try:
            callback(self)
        except Exception:  # noqa: BLE001 -- as of `concurrent.futures.Future`
            _LOG.exception("a callback of a future failed")
        except BaseException:  # `SystemExit` of a callback must not end who serves everybody
            if threading.current_thread() is threading.main_thread():
                raise
            _LOG.exception("a callback of a future wanted to end the thread of its pool")

    def _set(self, result: _T | None, error: BaseException | None) -> bool:
        """Have what came, and tell who waits; may be done again after an interrupt."""
        given = not self.cancelled()
        if not self.done():
            self._result, self._exception = result, error
            self._state = FINISHED
        elif self._state == CANCELLED:
            self._state = CANCELLED_AND_NOTIFIED
        for each in self._waiters:
            if self not in each.finished_futures:
                (each.add_result if given else each.add_cancelled)(self)
        return given

    def _cancel(self) -> bool:
        with self._condition:
            if not self.done():
                self._state = CANCELLED
            return self.cancelled()

    def _wake(self) -> None:
        while self._sleepers:
            with suppress(IndexError):  # another thread wakes them as well
                self._sleepers.pop().put(None)

    def _wait(self, timeout: float | None) -> None:
        """Run the loop until it is done; sleep while another thread does.

        Raises:
            TimeoutError: it took too long.
        """
        end = math.inf if timeout is None else time.monotonic() + timeout
        while not self.done():
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._loop.run_until(self.done, None if timeout is None else left)
            if self.done():
                return
            sleeper: SimpleQueue[None] = SimpleQueue()
            self._sleepers.append(sleeper)
            if not self.done():  # it may have been done just before it would have been woken
                with suppress(Empty):
                    sleeper.get(timeout=max(0.0, min(end - time.monotonic(), _SOON)))
            with suppress(ValueError):
                self._sleepers.remove(sleeper)


class PutOff(NamedTuple):
    """Something to be done after a step.

    Attributes:
        do: what; doing it twice must be as good as once, as an interrupt may come between.
        future: what it settles; callbacks are called by the pool's own thread.
    """

    do: Callable[[], object]
    future: PoolFuture[Any] | None = None


Later = deque[PutOff]
Command = Callable[[Later], object]
Event = tuple[Any, int]
"""What a descriptor was registered with, and what it is ready for."""
