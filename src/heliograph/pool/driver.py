"""The driver: one thread that hears all workers, and the ledger of who has which order.

An order is in exactly one place: in the queue, leased to one worker, or finished. Each attempt is
a lease with a ticket of its own. An answer counts only if its ticket is still in the ledger of the
worker that sent it, so the first result wins and nothing counts twice. Leases of a dead worker go
back to the queue only once the process is surely dead, so nobody writes into memory given anew.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

from heliograph.errors import ClosedError, HeliographError, WorkerError
from heliograph.pool.attendant import Attendant
from heliograph.pool.crew import Crew
from heliograph.pool.hiring import Hiring
from heliograph.pool.inquest import Inquest
from heliograph.pool.orders import Later, Order
from heliograph.pool.poller import Poller
from heliograph.pool.process import Lease, WorkerProcess
from heliograph.pool.reception import Reception
from heliograph.pool.stock import Stock
from heliograph.transport.messages import Opened
from heliograph.transport.slots import Region

_GRACE = 0.5
_PATIENCE = 10.0  # a callback of the user's may hold the thread
_SILENT = 5.0  # an attendant that looks at its worker no more was interrupted twice
_CUT_OFF = "was cut off by an interrupt"


class Driver:
    """Shares orders out among workers; safe for threads.

    Args:
        crew: how workers are made.
    """

    def __init__(self, crew: Crew) -> None:
        self.ready: Future[Opened] = Future()
        self.later: deque[Later] = deque()
        self.queue: deque[Order] = deque()
        self.workers: list[WorkerProcess] = []
        self.lock = threading.Lock()
        self.crew = crew
        self.stock = Stock(self._forget)
        self.broken: HeliographError | None = None
        self.inquest = Inquest(crew)
        self._next = 1
        self._hand: Order | None = None
        self._closing = False
        self._abandoned = False
        self._ended = False
        self._pid = os.getpid()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poller = Poller()
        self._poller.add(self._wake, self._woken)
        self.reception = Reception(self)
        self.hiring = Hiring(self)
        self._checked = time.monotonic()
        # A daemon: a pool that nobody closed must not keep a program from ending.
        self._thread = threading.Thread(target=self._run, name="heliograph-pool", daemon=True)
        self._thread.start()

    @property
    def here(self) -> bool:
        """Whether this is the driver's own thread."""
        return threading.current_thread() is self._thread

    def submit(self, orders: Iterable[Order]) -> None:
        """Take orders; their futures get what comes of them.

        Raises:
            ClosedError: the pool is closed.
            WorkerError: no worker can be kept alive, or the process was forked.
        """
        try:
            with self.lock:
                self.check_open()
                self.queue.extend(orders)
                self.dispatch()
        except BaseException:
            self.wake()  # what an interrupt left half done is done there
            raise
        if self.later:
            self.wake()

    def take(self, nbytes: int) -> Region:
        """Memory for nobody else; the stock takes it back.

        Raises:
            ClosedError: the pool is closed.
        """
        with self.lock:
            self.check_open()
            return self.stock.take(nbytes)

    def wake(self) -> None:
        """Have the driver's thread look around."""
        with self.lock:
            if not self._ended:  # else the descriptor may be somebody else's by now
                os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """End all workers; whatever is not finished fails with `ClosedError`."""
        self._closing = True
        if self._pid != os.getpid() or self.here:
            return
        self.wake()
        self._thread.join(_PATIENCE)

    def abandon(self) -> None:
        """Nobody can order any more: close once all that was ordered is done.

        Called while garbage is collected, so it must not wait for the lock.
        """
        self._abandoned = True

    def dispatch(self) -> None:
        """Lease orders to workers that have room; the lock is held.

        Ctrl-C may end this anywhere: the order in hand is found again, and a worker that was being
        written to is torn.
        """
        self._mend()
        touched: dict[WorkerProcess, None] = {}
        while self.queue and (worker := self.crew.freest(self.workers)) is not None:
            order = self._hand = self.queue[0]
            self.queue.popleft()
            if order.begin():
                self._lease(worker, order)
                touched[worker] = None
            self._hand = None
        for worker in touched:
            if not worker.flush():
                self.later.append(self._woken)

    def idle(self) -> WorkerProcess | None:
        """The worker that the next order goes to, if it has nothing else to do; lock held."""
        worker = None if self.queue else self.crew.freest(self.workers)
        return worker if worker is not None and worker.idle else None

    def listen(self, worker: WorkerProcess, attendant: Attendant | None = None) -> None:
        """Who hears a worker from now on, this driver's thread or somebody else; lock held."""
        worker.attendant, worker.heard = attendant, attendant is None
        if worker in self.workers:
            self._poller.listen(worker.channel.fileno(), attendant is None, worker.writing)

    def reissue(self, orders: Iterable[Order]) -> None:
        """Put orders first in the queue again."""
        with self.lock:
            self.queue.extendleft(reversed(list(orders)))
            self.dispatch()

    def welcome(self, worker: WorkerProcess) -> None:
        """Listen to a new worker."""
        self._poller.add(worker.channel.fileno(), partial(self._hear, worker))
        self._poller.add(worker.pidfd, partial(self.lose, worker, ""))
        self._poller.add(worker.output, partial(self._read, worker))
        with self.lock:
            self.workers.append(worker)

    def unhear(self, worker: WorkerProcess) -> None:
        """Listen to a worker no more."""
        for each in (worker.channel.fileno(), worker.pidfd, worker.output):
            self._poller.remove(each)

    def lose(self, worker: WorkerProcess, why: str) -> None:
        """Bury a worker that is dead or shall be; its orders go to others.

        Args:
            worker: the worker.
            why: what was wrong with it; empty if it died by itself.
        """
        if worker not in self.workers:
            return
        worker.dying = True
        how = worker.kill()
        why = f"{why} and {how}" if why else how
        leases = self._bury(worker)
        left = [lease.order for lease in leases]
        try:
            if not self._closing:
                left = self.inquest.left(worker, leases, why)
        finally:
            self.reissue(left)
        worker.close()
        if not self._closing:
            self.hiring.replace(worker, why)

    def _bury(self, worker: WorkerProcess) -> list[Lease]:
        """Hear the last of a dead worker and strike it out; what it had still to do."""
        words = worker.last_words()
        with self.lock:
            worker.attendant = None
            if not worker.torn:
                self.reception.take(worker, words)
            self.workers.remove(worker)
            leases = list(worker.leases.values())
            worker.leases.clear()
        self.unhear(worker)
        for lease in leases:
            if lease.order.region is None:
                self.stock.give(lease.region)
        return leases

    def give_up(self, error: HeliographError) -> None:
        """No worker can be kept alive: everything fails, now and later."""
        with self.lock:
            self.broken = error
            queue, self.queue = list(self.queue), deque()
        if not self.ready.done():
            self.ready.set_exception(error)
        for order in queue:
            order.fail(WorkerError(error.message))

    def _run(self) -> None:
        try:
            for _ in range(self.crew.count):
                self.hiring.start()
            while not self._closing:
                self._step()
        except HeliographError as error:
            self.give_up(error)
        except BaseException as error:  # noqa: BLE001 -- nobody may wait forever for a dead thread
            self.give_up(WorkerError(f"the pool failed: {error!r}"))
        finally:
            self._shut()

    def _step(self) -> None:
        """Hear whoever has something to say, then look whether anybody is late."""
        self._poller.wait(min(self.crew.patience, self.hiring.due()))
        self._finish()
        self.hiring.tend()
        now = time.monotonic()
        if now - self._checked >= self.crew.patience:
            self._checked = now
            self._watch(now)
            self._finish()
            with self.lock:
                busy = self.later or self.queue or any(each.leases for each in self.workers)
            if self._abandoned and not busy:
                self._closing = True

    def _hear(self, worker: WorkerProcess) -> None:
        with self.lock:
            if worker.attendant is not None:
                self.listen(worker)
            torn = worker.torn
            problem = None if torn else self.reception.hear(worker)
        if torn:
            self._rescue()
        elif problem is not None:
            self.lose(worker, problem)
        elif worker.channel.pending or worker.writing:
            self._push(worker)
        self.renew(worker)
        self._finish()

    def _finish(self) -> None:
        """Do what was put off until the lock is free."""
        while self.later:
            self.later.popleft()()

    def _woken(self) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        self._rescue()

    def _rescue(self) -> None:
        """See to what interrupts may have left half done."""
        for worker in list(self.workers):
            with self.lock:
                torn = worker.torn and worker in self.workers
            if torn:
                worker.innocent = True
                self.lose(worker, _CUT_OFF)
            else:
                self._push(worker)
        with self.lock:
            self.dispatch()

    def _push(self, worker: WorkerProcess) -> None:
        """Send on what waits, and hear when there is room for more."""
        with self.lock:
            if worker.torn:
                return
            waits = worker.channel.pending and not worker.flush()
            if waits != worker.writing and worker in self.workers:
                worker.writing = waits
                self.listen(worker)

    def _read(self, worker: WorkerProcess) -> None:
        if worker.read_output() == 0:
            self._poller.remove(worker.output)

    def _watch(self, now: float) -> None:
        """Kill who is late, replace who is too large."""
        self._rescue()
        for worker in list(self.workers):
            self._relisten(worker, now)
            late = self.crew.late(worker, now)
            if late:
                self.lose(worker, late)
            elif self.crew.outgrown(worker):
                self.hiring.supersede(worker)
        with self.lock:
            self.stock.collect()

    def _relisten(self, worker: WorkerProcess, now: float) -> None:
        """Hear a worker that nobody hears, as who was to do it was interrupted."""
        with self.lock:
            attendant = worker.attendant
            if attendant is None or now - attendant.seen > _SILENT:
                self.listen(worker)

    def renew(self, worker: WorkerProcess) -> None:
        """Replace a worker that has done enough."""
        if self.crew.spent(worker) and worker in self.workers:
            self.hiring.supersede(worker)

    def _lease(self, worker: WorkerProcess, order: Order) -> None:
        region = order.region
        attendant = worker.attendant
        if attendant.order is not order if attendant else not worker.heard:
            self.listen(worker)
        try:
            if region is None:
                region = self.stock.take(order.nbytes)
            worker.torn = True
            self._next += 1
            worker.lease(Lease(self._next, order, region))
        except HeliographError as error:
            if region is not None and order.region is None:
                self.stock.give(region)
            self.later.append(partial(order.fail, error))
        worker.torn = False

    def _mend(self) -> None:
        """Find the order again that somebody had in hand when an interrupt hit; lock held."""
        order = self._hand
        if order is None:
            return
        if any(lease.order is order for each in self.workers for lease in each.leases.values()):
            self.queue = deque(each for each in self.queue if each is not order)
        elif order not in self.queue:
            self.queue.appendleft(order)
        self._hand = None

    def _forget(self, region: int) -> None:
        for worker in self.workers:
            worker.forget(region)

    def check_open(self) -> None:
        """Raise why there can be no orders, if so."""
        if self._pid != os.getpid():
            raise WorkerError(
                "this pool was opened before the process forked, and belongs to the parent; open "
                "one in the child, or start processes with the 'spawn' method"
            )
        if self.broken is not None:
            raise type(self.broken)(self.broken.message)
        if self._closing:
            raise ClosedError("this pool is closed")

    def _shut(self) -> None:
        """End everything, whatever state it is in."""
        self._closing = True
        with self.lock:
            self._mend()
            workers, self.workers = self.workers, []
            orders = [lease.order for worker in workers for lease in worker.leases.values()]
            orders += self.queue
            self.queue = deque()
            for worker in workers:
                worker.attendant = None  # so that nobody else finishes them
        try:
            self.crew.dismiss(workers, _GRACE)
            self._finish()
        finally:
            self._fail(orders)
        self._poller.close()
        with self.lock:
            self._ended = True
            os.close(self._wake)
            self.stock.close()

    def _fail(self, orders: Iterable[Order]) -> None:
        closed = self.broken.message if self.broken else "this pool is closed"
        for order in orders:
            order.fail(ClosedError(closed))
        if not self.ready.done():
            self.ready.set_exception(ClosedError("the pool was closed while it started"))
