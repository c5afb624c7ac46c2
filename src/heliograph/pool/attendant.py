"""Who waits for one sample hears its worker in person, which saves waking the driver's thread.

That is only possible while the order is the worker's only one. The driver's thread does not listen
to such a worker, but it still sees to its death and its deadlines, and it takes over, by taking the
attendant from the worker, whenever anything else comes up. All of that happens under the lock.
"""

from __future__ import annotations

import select
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from heliograph.pool.orders import Later, SampleOrder
from heliograph.pool.process import WorkerProcess

_QUICK = 150e-6
"""Seconds; whose last answer came so soon is looked at again and again, as sleeping and waking
would take a good part of that."""

if TYPE_CHECKING:
    from heliograph.pool.driver import Driver

_PATIENCE = 500
"""Milliseconds; the end of a worker is heard at once, so this matters only if that went astray."""


def attend(driver: Driver, order: SampleOrder) -> None:
    """Submit an order; where it is a worker's only one, hear that worker until it is done.

    The order's future gets what comes of it, maybe only after this.

    Raises:
        ClosedError: the pool is closed.
        WorkerError: no worker can be kept alive, or the process was forked.
    """
    attendant: Attendant | None = None
    try:
        with driver.lock:
            driver.check_open()
            worker = driver.idle()
            if worker is not None:
                attendant = worker.attendant = Attendant(driver, worker, order)
            driver.queue.append(order)
            driver.dispatch()
            if worker is not None and worker.heard:  # after it was sent: the worker draws meanwhile
                driver.listen(worker, attendant)
        if driver.later:
            driver.wake()
        if attendant is not None:
            attendant.wait()
    except BaseException:
        driver.wake()  # what an interrupt left half done is done there
        raise
    finally:
        if attendant is not None:
            attendant.leave()


class Attendant:
    """One thread that waits for one order at one worker; made and unmade under the lock.

    Attributes:
        order: the order.
        later: what to do once the lock is free.
        seen: when it looked at the worker last, seconds by the monotonic clock.
    """

    def __init__(self, driver: Driver, worker: WorkerProcess, order: SampleOrder) -> None:
        self.order = order
        self.later: deque[Later] = deque()
        self._driver = driver
        self._worker = worker
        self.seen = time.monotonic()
        self._poll = select.poll()
        self._poll.register(worker.channel, select.POLLIN)

    def wait(self) -> None:
        """Hear the worker until it has answered or somebody else sees to it."""
        worker = self._worker
        began = time.perf_counter()
        if worker.quick:
            while not self._poll.poll(0) and time.perf_counter() - began < _QUICK:
                pass
        while worker.leases and worker.attendant is self:
            self.seen = time.monotonic()
            self._poll.poll(_PATIENCE)
            self._hear()
        worker.quick = time.perf_counter() - began < _QUICK

    def _hear(self) -> None:
        driver, worker = self._driver, self._worker
        with driver.lock:
            if worker.attendant is not self:
                return
            problem = driver.reception.hear(worker)
            if problem is not None:
                driver.later.append(partial(driver.lose, worker, problem))
                driver.listen(worker)
        while self.later:
            self.later[0]()  # an interrupt leaves it to the driver's thread
            self.later.popleft()

    def leave(self) -> None:
        """The driver's thread does what this one could not.

        It listens to the worker again once it has something to do for somebody else.
        """
        driver, worker = self._driver, self._worker
        with driver.lock:
            driver.later.extend(self.later)
            if driver.crew.spent(worker):
                driver.later.append(partial(driver.renew, worker))
            if worker.attendant is self:
                worker.attendant = None
                if worker.leases:
                    driver.listen(worker)
        if driver.later or worker.torn:
            driver.wake()
