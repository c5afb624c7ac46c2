"""What is drawn next: a thread with one order a slot, of which the most urgent is drawn first."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, TypeAlias

from heliograph.engine import CancelToken

_LOG = logging.getLogger("heliograph.live")

Job: TypeAlias = Callable[[CancelToken], None]
"""What is done for an order; it looks at the token where that is cheap, and tells errors itself."""

_PATIENCE: Final = 3.0
"""Seconds that are waited for a job to end."""


class Urgency(IntEnum):
    """What is drawn first."""

    QUESTION = 0
    MOVING = 1
    STILL = 2
    IDLE = 3


@dataclass(order=True)
class _Order:
    urgency: Urgency
    number: int
    slot: str = field(compare=False)
    job: Job = field(compare=False)
    not_before: float = field(compare=False)
    token: CancelToken = field(compare=False, default_factory=CancelToken)


class Desk:
    """Does jobs one at a time in a thread of its own, which sleeps where there is none.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._orders: dict[str, _Order] = {}
        self._changed = threading.Condition()
        self._running: _Order | None = None
        self._closed = False
        self._count = 0
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def put(self, slot: str, urgency: Urgency, job: Job, *, delay: float = 0.0) -> bool:
        """Order a job; the one that waits in the slot is replaced, and its turn is kept.

        Args:
            slot: of which the newest job counts.
            urgency: what is drawn first; of equal ones what was ordered first.
            job: does it.
            delay: seconds before which it is not begun.

        Returns:
            Whether one was replaced.
        """
        with self._changed:
            if self._closed:
                return False
            self._count += 1
            old = self._orders.get(slot)
            same = old is not None and old.urgency is urgency
            number = old.number if old is not None and same else self._count
            due = time.monotonic() + delay
            self._orders[slot] = _Order(urgency, number, slot, job, due)
            self._changed.notify()
            return old is not None

    def drop(self, slot: str) -> bool:
        """Forget what waits in a slot; if its job runs, that is asked to stop.

        Returns:
            Whether one waited.
        """
        with self._changed:
            if self._running is not None and self._running.slot == slot:
                self._running.token.cancel()
            return self._orders.pop(slot, None) is not None

    def close(self) -> None:
        """Forget what waits, and wait a moment for the job that runs; not from one of the jobs."""
        with self._changed:
            self._closed = True
            self._orders.clear()
            if self._running is not None:
                self._running.token.cancel()
            self._changed.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join(_PATIENCE)
            if self._thread.is_alive():
                _LOG.error("%s: hangs, and is left to itself", self._thread.name)

    def _work(self) -> None:
        while (order := self._next()) is not None:
            try:
                order.job(order.token)
            except Exception:  # noqa: BLE001 -- the next order is drawn all the same
                _LOG.exception("a job of the viewer failed")

    def _next(self) -> _Order | None:
        """The next order; waits for it."""
        with self._changed:
            self._running = None
            while not self._closed:
                now = time.monotonic()
                due = [order for order in self._orders.values() if order.not_before <= now]
                if due:
                    self._running = min(due)
                    del self._orders[self._running.slot]
                    return self._running
                waits = [order.not_before - now for order in self._orders.values()]
                self._changed.wait(min(waits) if waits else None)
        return None
