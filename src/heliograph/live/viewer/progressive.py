"""Pictures while somebody moves a camera: how large they are, and which is drawn next.

`Desk` is a thread with one order a slot, the newest; the most urgent is drawn first. `Pace` chooses
the size of pictures from how long the last ones took, so that they follow the hand.
"""

from __future__ import annotations

import logging
import math
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

SCALES: Final = (1.0, 0.75, 0.5, 0.35, 0.25, 0.18, 0.125)
"""Sides of coarse pictures, as parts of the whole one's."""
_PATIENCE: Final = 3.0
"""Seconds that are waited for a job to end."""
_FLOOR: Final = 48
"""Pixels of the shorter side below which no coarse picture is made."""
_WARM_UP: Final = 2
"""Pictures after which times count: the first ones compile programs and load what they show."""
_EARLY, _LATE = 0.75, 1.2
"""Parts of the target: what would come before the one grows, what comes after the other shrinks."""
_WEIGHT: Final = 0.3
"""Of the newest time in a running mean."""
_GAIN: Final = 0.85
"""A smaller size is only kept where it takes at most this part of what the larger one took."""
_SURE: Final = 4
"""Pictures of a size after which its running mean is compared with another's."""
_FORGET: Final = 60
"""Pictures of a size after which what other sizes took is old: they may be tried again."""


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


class Pace:
    """The size of pictures of one kind while the camera moves.

    Pictures shrink where they come too late, and grow where larger ones would come in time, with
    room between the two, so that their size does not flicker. A size that is hardly faster than the
    next larger one is given up: not pixels cost time there.

    Args:
        target: seconds that a picture should take, from the order to its bytes.
    """

    def __init__(self, target: float = 1 / 30) -> None:
        self.target = target
        self._level = SCALES.index(0.5)
        self._times: dict[int, float] = {}
        """Running mean of seconds by level."""
        self._seen = -_WARM_UP
        """Pictures at this level whose times counted."""

    @property
    def scale(self) -> float:
        """The part of the whole picture's sides."""
        return SCALES[self._level]

    @property
    def whole_in_time(self) -> bool:
        """Whether whole pictures come in time."""
        return self._times.get(0, math.inf) <= _LATE * self.target

    def size(self, width: int, height: int) -> tuple[int, int]:
        """The size of the next picture, where the whole one has this size, pixels."""
        scale = max(self.scale, min(1.0, _FLOOR / min(width, height)))
        return max(1, round(width * scale)), max(1, round(height * scale))

    def took(self, seconds: float) -> None:
        """Tell how long a picture of the size asked for took."""
        self._seen += 1
        if self._seen <= 0:
            return
        level = self._level
        before = self._times.get(level, seconds)
        mean = self._times[level] = before + _WEIGHT * (seconds - before)
        if level and self._larger_is_better(level, mean):
            self._go(level - 1)
        elif mean > _LATE * self.target and self._smaller_is_better(level, mean):
            self._go(level + 1)
        elif self._seen % _FORGET == 0:
            self._times = {level: mean}

    def _larger_is_better(self, level: int, mean: float) -> bool:
        """Whether the next larger size would come in time, or costs hardly more than this one."""
        grown = mean * (SCALES[level - 1] / SCALES[level]) ** 2
        in_vain = self._seen == _SURE and not self._gains(level - 1, mean)
        return grown < _EARLY * self.target or in_vain

    def _smaller_is_better(self, level: int, mean: float) -> bool:
        """Whether there is a smaller size, and sizes still count."""
        if level + 1 == len(SCALES) or not self._gains(level - 1, mean):
            return False
        return self._times.get(level + 1, 0.0) <= _GAIN * mean

    def _gains(self, larger: int, mean: float) -> bool:
        """Whether this mean is much less than what a larger size took, if that is known."""
        return mean <= _GAIN * self._times.get(larger, math.inf)

    def _go(self, level: int) -> None:
        self._level, self._seen = level, 0
