"""Workers started in place of others, and tried again where there is no room for them now."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from heliograph.errors import WorkerError
from heliograph.pool.process import Phase, WorkerProcess

if TYPE_CHECKING:
    from heliograph.pool.driver import Driver

MOST_ALONE = 10
"""How often in a row no worker can be started, while there is none, before the pool gives up."""

_SHORTEST, _LONGEST = 0.05, 1.0
_PAUSE = 10.0
"""Seconds until the next try after several workers in a row died as they started."""


class Hiring:
    """Starts workers; for the driver's thread only.

    Args:
        driver: whose workers they are.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._wanted = 0
        self._failures = 0
        self._alone = 0
        self._next = 0.0

    def start(self, heir_of: WorkerProcess | None = None) -> None:
        """Start a worker.

        Raises:
            WorkerError: the process, its descriptors or its memory are not to be had.
        """
        worker = self._driver.crew.hire(heir_of)
        try:
            self._driver.welcome(worker)
        except OSError as error:
            self._driver.unhear(worker)
            worker.kill()
            worker.close()
            raise WorkerError(f"cannot listen to a worker: {error}") from None

    def due(self) -> float:
        """Seconds until somebody is to be started; infinite if nobody is."""
        if not self._wanted or self._driver.broken is not None:
            return math.inf
        return max(0.0, self._next - time.monotonic())

    def tend(self) -> None:
        """Start those that are due."""
        while self._wanted and self._driver.broken is None and time.monotonic() >= self._next:
            if not self._try():
                return
            self._wanted -= 1

    def supersede(self, worker: WorkerProcess) -> None:
        """Start an heir; the old one works on until that is ready."""
        if time.monotonic() >= self._next:
            worker.has_heir = True
            worker.has_heir = self._try(worker)

    def replace(self, worker: WorkerProcess, why: str) -> None:
        """Start another in place of one that is dead, if there is to be one."""
        error = self._driver.crew.mourn(worker, why)
        if worker.phase is Phase.RETIRING:
            return
        if worker.has_heir:
            for heir in self._driver.workers:
                heir.heir_of = None if heir.heir_of is worker else heir.heir_of
        elif worker.heir_of is not None and worker.phase is Phase.STARTING:
            worker.heir_of.has_heir = False  # the one it was to replace is still there
        elif error is None:
            self._want(0.0 if not self._driver.workers else self._next)
        elif not self._driver.workers or not self._driver.ready.done():
            self._driver.give_up(error)
        elif worker.refused is None:
            self._want(time.monotonic() + _PAUSE)

    def _want(self, when: float) -> None:
        self._wanted += 1
        self._next = when
        self.tend()

    def _try(self, heir_of: WorkerProcess | None = None) -> bool:
        try:
            self.start(heir_of)
        except WorkerError as error:
            self._put_off(error)
            return False
        self._failures = self._alone = 0
        return True

    def _put_off(self, error: WorkerError) -> None:
        self._next = time.monotonic() + min(_LONGEST, _SHORTEST * 2 ** min(self._failures, 10))
        self._failures += 1
        if self._driver.workers:
            self._alone = 0
            return
        self._alone += 1
        if self._alone >= MOST_ALONE:
            self._wanted = 0
            self._driver.give_up(error)
