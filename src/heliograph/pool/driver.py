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
import weakref
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

from heliograph.errors import ClosedError, HeliographError, WorkerError
from heliograph.frame import Array
from heliograph.pool.attendant import Attendant
from heliograph.pool.crew import Crew
from heliograph.pool.orders import Later, Order
from heliograph.pool.poller import Poller
from heliograph.pool.process import Lease, Phase, WorkerProcess, was_at
from heliograph.pool.reception import Reception
from heliograph.transport.messages import Opened
from heliograph.transport.slots import Region, Regions
from heliograph.worker.replay import command

MOST_LENT = 64
"""How many batches may lie in shared memory with the caller; further ones are copied."""

_GRACE = 0.5
_PATIENCE = 10.0  # a callback of the user's may hold the thread
_TICK = 1.0


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
        self.regions = Regions(self._forget)
        self.broken: HeliographError | None = None
        self.kills = 0
        self._returned: deque[Region] = deque()
        self._lent: set[int] = set()
        self._next = 1
        self._closing = False
        self._ended = False
        self._pid = os.getpid()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poller = Poller()
        self._poller.add(self._wake, self._woken)
        self.reception = Reception(self)
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
        with self.lock:
            self.check_open()
            self.queue.extend(orders)
            self.dispatch()
        if self.later:
            self.wake()

    def take(self, nbytes: int) -> Region:
        """Memory for nobody else; `give` takes it back.

        Raises:
            ClosedError: the pool is closed.
        """
        with self.lock:
            self.check_open()
            self._collect()
            return self.regions.take(nbytes)

    def give(self, region: Region) -> None:
        """Take memory back; from any thread, even while garbage is collected."""
        self._returned.append(region)

    def lend(self, root: Array, region: Region) -> bool:
        """Take memory back once an array is gone; False if so much is lent that it must be copied.

        Every mapping holds a descriptor, and who collects batches must not run out of them.
        """
        if len(self._lent) >= MOST_LENT:
            return False
        self._lent.add(region.id)
        weakref.finalize(root, self._regained, region).atexit = False
        return True

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

    def dispatch(self) -> None:
        """Lease orders to workers that have room; the lock is held."""
        touched: dict[WorkerProcess, None] = {}
        while self.queue and (worker := self._freest()) is not None:
            order = self.queue.popleft()
            if order.begin():
                self._lease(worker, order)
                touched[worker] = None
        for worker in touched:
            if not worker.flush():
                self.later.append(self._woken)

    def idle(self) -> WorkerProcess | None:
        """The worker that the next order goes to, if it has nothing else to do; lock held."""
        worker = None if self.queue else self._freest()
        return worker if worker is not None and worker.idle else None

    def listen(self, worker: WorkerProcess, attendant: Attendant | None = None) -> None:
        """Who hears a worker from now on, this driver's thread or somebody else; lock held."""
        worker.attendant = attendant
        if worker in self.workers:
            self._poller.listen(worker.channel.fileno(), attendant is None, worker.writing)

    def reissue(self, orders: Iterable[Order]) -> None:
        """Put orders first in the queue again."""
        with self.lock:
            self.queue.extendleft(reversed(list(orders)))
            self.dispatch()

    def start(self, heir_of: WorkerProcess | None = None) -> None:
        """Start a worker."""
        worker = self.crew.hire(heir_of)
        self._poller.add(worker.channel.fileno(), partial(self._hear, worker))
        self._poller.add(worker.pidfd, partial(self.lose, worker, ""))
        self._poller.add(worker.output, partial(self._read, worker))
        with self.lock:
            self.workers.append(worker)

    def lose(self, worker: WorkerProcess, why: str) -> None:
        """Bury a worker that is dead or shall be; its orders go to others.

        Args:
            worker: the worker.
            why: what was wrong with it; empty if it died by itself.
        """
        if worker not in self.workers:
            return
        how = worker.kill()
        why = f"{why} and {how}" if why else how
        with self.lock:
            worker.attendant = None
            self.reception.take(worker, worker.last_words())
            self.workers.remove(worker)
            leases = list(worker.leases.values())
            worker.leases.clear()
        for each in (worker.channel.fileno(), worker.pidfd, worker.output):
            self._poller.remove(each)
        left = self._blamed(worker, leases, why)
        for lease in leases:
            if lease.order.region is None:
                self.give(lease.region)
        worker.close()
        self._replace(worker, why)
        self.reissue(left)

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
                self.start()
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
        self._poller.wait(self._patience())
        self._finish()
        now = time.monotonic()
        if now - self._checked >= self._patience():
            self._checked = now
            self._watch(now)

    def _patience(self) -> float:
        deadline = self.crew.options.deadline
        return _TICK if deadline is None else min(_TICK, deadline / 8)

    def _hear(self, worker: WorkerProcess) -> None:
        with self.lock:
            if worker.attendant is not None:
                self.listen(worker)
            problem = self.reception.hear(worker)
        if problem is not None:
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
        for worker in list(self.workers):
            self._push(worker)

    def _push(self, worker: WorkerProcess) -> None:
        """Send on what waits, and hear when there is room for more."""
        with self.lock:
            waits = worker.channel.pending and not worker.flush()
            if waits != worker.writing and worker in self.workers:
                worker.writing = waits
                self.listen(worker)

    def _read(self, worker: WorkerProcess) -> None:
        if worker.read_output() == 0:
            self._poller.remove(worker.output)

    def _watch(self, now: float) -> None:
        """Kill who is late, replace who is too large."""
        options = self.crew.options
        for worker in list(self.workers):
            late = now - worker.busy_since()
            if worker.phase is Phase.STARTING:
                if late > options.start_timeout:
                    self.lose(worker, f"did not open the scene within {options.start_timeout:g} s")
            elif worker.leases and options.deadline is not None and late > options.deadline:
                self.lose(worker, f"did not answer within its deadline of {options.deadline:g} s")
            elif self.crew.outgrown(worker):
                self._supersede(worker)
        with self.lock:
            self._collect()

    def renew(self, worker: WorkerProcess) -> None:
        """Replace a worker that has done enough."""
        if self.crew.spent(worker) and worker in self.workers:
            self._supersede(worker)

    def _supersede(self, worker: WorkerProcess) -> None:
        """Start an heir; the old one works on until that is ready."""
        worker.has_heir = True
        self.start(heir_of=worker)

    def _freest(self) -> WorkerProcess | None:
        best, least = None, self.crew.options.depth
        for worker in self.workers:
            if len(worker.leases) < least and worker.phase is Phase.READY:
                best, least = worker, len(worker.leases)
        return best

    def _lease(self, worker: WorkerProcess, order: Order) -> None:
        region = order.region
        if worker.attendant is not None and worker.attendant.order is not order:
            self.listen(worker)
        try:
            if region is None:
                self._collect()
                region = self.regions.take(order.nbytes)
            worker.lease(Lease(self._next, order, region))
            self._next += 1
        except HeliographError as error:
            if region is not None and order.region is None:
                self.give(region)
            self.later.append(partial(order.fail, error))

    def _collect(self) -> None:
        """Put away the memory that came back; the lock is held."""
        while self._returned:
            self.regions.give(self._returned.popleft())

    def _forget(self, region: int) -> None:
        for worker in self.workers:
            worker.forget(region)

    def _blamed(self, worker: WorkerProcess, leases: list[Lease], why: str) -> list[Order]:
        """Blame the order that a dead worker was at; the orders that are to be done again."""
        if not leases or self._closing:
            return [lease.order for lease in leases]
        self.kills += 1
        status = worker.status()
        guilty = was_at(leases, status.ticket)
        left: list[Order] = []
        for lease in leases:
            if lease is not guilty or lease.order.blame(status.entry) < self.crew.options.max_kills:
                left.append(lease.order)
            else:
                error = self._verdict(lease.order, status.entry, why + worker.last_output())
                left.extend(lease.order.give_up(status.entry, error))
        return left

    def _verdict(self, order: Order, entry: int, why: str) -> WorkerError:
        index, seed, wire = order.numbers(entry)
        return WorkerError(
            f"given up: {self.crew.options.max_kills} workers died over it; the last one {why}",
            index=index,
            seed=seed,
            repro=command(self.crew.opening, wire, self.crew.options.python),
        )

    def _replace(self, worker: WorkerProcess, why: str) -> None:
        error = self.crew.mourn(worker, why)
        if self._closing or worker.phase is Phase.RETIRING:
            return
        if worker.has_heir:
            for heir in self.workers:
                heir.heir_of = None if heir.heir_of is worker else heir.heir_of
        elif worker.heir_of is not None and worker.phase is Phase.STARTING:
            worker.heir_of.has_heir = False  # the one it was to replace is still there
        elif error is None:
            self.start()
        elif not self.workers or not self.ready.done():
            self.give_up(error)

    def _regained(self, region: Region) -> None:
        self._lent.discard(region.id)
        self.give(region)

    def check_open(self) -> None:
        """Raise why there can be no orders, if so."""
        if self._pid != os.getpid():
            raise WorkerError(
                "this pool was opened before the process forked, and belongs to the parent; open "
                "one in the child, or start processes with the 'spawn' method"
            )
        if self._closing:
            raise ClosedError("this pool is closed")
        if self.broken is not None:
            raise type(self.broken)(self.broken.message)

    def _shut(self) -> None:
        """End everything, whatever state it is in."""
        self._closing = True
        with self.lock:
            workers, self.workers = self.workers, []
            queue, self.queue = list(self.queue), deque()
            orders = [lease.order for worker in workers for lease in worker.leases.values()]
            for worker in workers:
                worker.attendant = None  # so that nobody else finishes them
        self.crew.dismiss(workers, _GRACE)
        self._finish()
        closed = self.broken.message if self.broken else "this pool is closed"
        for order in (*orders, *queue):
            order.fail(ClosedError(closed))
        if not self.ready.done():
            self.ready.set_exception(ClosedError("the pool was closed while it started"))
        self._poller.close()
        with self.lock:
            self._ended = True
            os.close(self._wake)
            self.regions.close()
