"""What the driver makes of each message."""

from __future__ import annotations

import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from heliograph.errors import WorkerError
from heliograph.frame import Labels
from heliograph.pool.batches import ChunkOrder
from heliograph.pool.orders import Later, SampleOrder
from heliograph.pool.process import Lease, WorkerProcess
from heliograph.transport.messages import (
    Done,
    DoneMany,
    Failed,
    Hello,
    Opened,
    TooSmall,
)
from heliograph.transport.problems import unpack_error
from heliograph.transport.slots import Region

if TYPE_CHECKING:
    from heliograph.pool.driver import Driver


LENT_FROM = 1 << 16
"""Bytes from which a sample keeps the memory that it was drawn into; copying less costs little."""


class Reception:
    """Takes the workers' messages; what needs no lock is put off.

    Args:
        driver: whose workers they are.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def hear(self, worker: WorkerProcess) -> str | None:
        """Receive what a worker says and take it; see `take`. Empty if it is gone."""
        worker.torn = True
        try:
            messages = worker.channel.receive()
        except WorkerError as error:
            worker.torn = False
            return f"said what is no message ({error.message})"
        if messages is None:
            worker.dying, worker.torn = True, False
            return ""
        return self.take(worker, messages)

    def take(self, worker: WorkerProcess, messages: list[Any]) -> str | None:
        """Take messages in order, then send new orders; what is wrong with the worker, if so.

        The lock is held.
        """
        worker.torn = True
        problem = next(filter(None, (self._one(worker, each) for each in messages)), None)
        worker.torn = False
        if problem:
            return problem
        if self._driver.queue:
            self._driver.dispatch()
        return None

    def _one(self, worker: WorkerProcess, message: Any) -> str:
        if isinstance(message, (Done, DoneMany, TooSmall)):
            return self._answer(worker, message)
        if isinstance(message, Failed):
            return self._failed(worker, message)
        if isinstance(message, Hello):
            return self._driver.crew.greet(worker, message)
        if isinstance(message, Opened):
            return self._opened(worker, message)
        return f"sent {type(message).__name__}, which is not for the driver"

    def _answer(self, worker: WorkerProcess, message: Done | DoneMany | TooSmall) -> str:
        labels = None
        if isinstance(message, Done):
            labels = worker.tables.hear(message.used.labels, message.used.table)
        lease = self._settled(worker, message.ticket)
        if lease is None:
            return ""
        order, later = lease.order, self._later(worker)
        if isinstance(order, SampleOrder) and isinstance(message, Done):
            later.append(partial(self._finish, order, message, lease.region, labels))
        elif isinstance(order, SampleOrder) and isinstance(message, TooSmall):
            order.nbytes = message.nbytes
            if order.block is None:
                self._driver.stock.give(lease.region)
            order.block = None
            self._driver.queue.appendleft(order)
        elif isinstance(order, ChunkOrder) and isinstance(message, DoneMany):
            later.append(partial(order.finish, message))
        else:
            error = WorkerError("a worker's answer does not fit its order")
            later.append(partial(order.fail, error))
        return ""

    def _finish(
        self, order: SampleOrder, done: Done, region: Region, labels: Labels | None
    ) -> None:
        if order.future.done():  # an interrupt hit behind it
            return
        if order.borrowed:
            order.lent = region
            order.finish(done, region.memory, labels)
            return
        if order.block is not None:
            order.finish(done, None, labels)
            return
        stock, memory = self._driver.stock, np.frombuffer(region.memory, np.uint8)
        if order.nbytes >= LENT_FROM and stock.lend(memory, region):
            order.finish(done, memory, labels)
        else:
            order.finish(done, region.memory, labels, copy=True)
            stock.give(region)

    def _failed(self, worker: WorkerProcess, message: Failed) -> str:
        error = unpack_error(message.problem)
        if not message.ticket:
            worker.refused = error
            return "could not open the scene"
        lease = self._settled(worker, message.ticket)
        if lease is not None:
            if lease.order.region is None:
                self._driver.stock.give(lease.region)
            self._later(worker).append(partial(lease.order.fail, error))
        return ""

    def _later(self, worker: WorkerProcess) -> deque[Later]:
        """Where to put what is to be done once the lock is free: by whom the worker is heard."""
        return self._driver.later if worker.attendant is None else worker.attendant.later

    def _settled(self, worker: WorkerProcess, ticket: int) -> Lease | None:
        """Strike a lease out of the ledger; None if it is not there (any more)."""
        lease = worker.leases.pop(ticket, None)
        if lease is not None:
            worker.done += lease.order.weight
            worker.since = time.monotonic()
            self._driver.crew.relieve(worker)
        return lease

    def _opened(self, worker: WorkerProcess, message: Opened) -> str:
        driver = self._driver
        problem = driver.crew.admit(worker, message)
        if not problem:
            # The same object for all, so that `sample.labels is pool.labels`.
            first = next(w.opened for w in driver.workers if w.opened is not None)
            worker.opened = first
            worker.tables.own(first.labels)
            if driver.crew.started >= driver.crew.count and not driver.ready.done():
                driver.later.append(partial(driver.ready.set_result, first))
        return problem
