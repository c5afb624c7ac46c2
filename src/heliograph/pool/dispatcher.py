"""Gives workers their orders and takes their answers: where scheduler, supervisor and memory meet.

All of it is called by the loop, with the lock held; it owns nothing but the wiring.
"""

from __future__ import annotations

import selectors
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

from heliograph.engine import VERSIONS_KEPT
from heliograph.errors import ClosedError, HeliographError, WorkerError
from heliograph.frame import Labels
from heliograph.passes import specs
from heliograph.pool.buffers import BufferPool
from heliograph.pool.futures import QUICK, Command, Event, Later, PutOff
from heliograph.pool.history import AdvanceOrder, SceneHistory
from heliograph.pool.jobs import ChunkOrder, JobOrder, LostReader, StreamOrder
from heliograph.pool.scheduler import Scheduler
from heliograph.pool.supervisor import Supervisor
from heliograph.pool.worker_handle import Phase, WorkerHandle
from heliograph.transport.messages import (
    Advanced,
    Cancel,
    Credit,
    Done,
    Failed,
    Hello,
    Opened,
    Partial,
)
from heliograph.transport.problems import unpack_error
from heliograph.transport.scenes import unpack_pass
from heliograph.transport.values import unpack_camera
from heliograph.worker.replay import command

_GRACE = 0.5
_CUT_OFF = "was cut off by an interrupt"


class _Heard(NamedTuple):
    """What a descriptor belongs to."""

    worker: WorkerHandle
    what: str  # "channel", "end" or "output"


class Dispatcher:
    """What the loop of a pool runs.

    Args:
        supervisor: keeps the workers.
        scheduler: keeps the orders.
        buffers: keeps the memory.
        history: keeps the changes of the scene.
        selector: hears the workers.

    Attributes:
        ready: gets what the first worker said, once all have opened the scene.
        broken: why nothing goes on.
        closed: whether it is to end.
        quick: whether the last view was drawn so soon that it is better not to sleep meanwhile.
        lost: readers of streams that are gone.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        scheduler: Scheduler[WorkerHandle, JobOrder],
        buffers: BufferPool,
        history: SceneHistory,
        selector: selectors.BaseSelector,
    ) -> None:
        self.ready: Future[Opened] = Future()
        self.broken: HeliographError | None = None
        self.closed = False
        self.quick = False
        self.lost: deque[LostReader] = deque()
        self._supervisor = supervisor
        self._scheduler = scheduler
        self._buffers = buffers
        self._history = history
        self._selector = selector
        self._ticked = time.monotonic()
        self._idle: list[WorkerHandle] = []

    # What the loop calls --------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether anything is to be done for anybody."""
        return bool(self._scheduler.orders) or self._history.waiting

    def pause(self) -> float:
        """Seconds until there is something to do in any case."""
        if self.broken is not None:
            return self._supervisor.tick
        return min(self._supervisor.tick, self._supervisor.due())

    def due(self, now: float) -> bool:
        """Whether it is time to look whether anybody is late."""
        return now - self._ticked >= self._supervisor.tick

    def hear(self, events: Iterable[Event], later: Later) -> None:
        """Take what the workers say, then give them what there is to do."""
        for heard, mask in events:
            self._hear(heard, mask, later)
        if self.closed:
            return
        self._assign(later)
        self._advance(later)
        for worker in self._supervisor.workers:
            if worker.channel.pending or worker.writing:
                self._send(worker)

    def tick(self, later: Later) -> None:
        """Kill who is late, have replaced who is too large, let go of what nobody holds."""
        while self.lost:
            self._cancel(self.lost[0].order, later)
            self.lost.popleft()
        now = self._ticked = time.monotonic()
        workers = self._supervisor.workers
        for worker, late in self._supervisor.watch([*map(self._owed, workers)], now):
            self._supervisor.kill(worker, late)
        for region in self._buffers.trim():
            for worker in workers:
                worker.forget(region)

    def _owed(self, worker: WorkerHandle) -> list[int]:
        """The tickets that a worker is to answer; not of streams whose samples nobody takes."""
        owed = [
            lease.ticket
            for lease in self._scheduler.leases(worker)
            if not (isinstance(lease.order, StreamOrder) and lease.order.may_wait)
        ]
        owed += self._history.owed(worker)
        return owed

    def chores(self) -> Command | None:
        """Log what there is to log, and start a worker, if one is due; called without the lock."""
        self._supervisor.log()
        if self.closed or self.broken is not None or self._supervisor.due() > 0:
            return None
        return partial(self._started, self._supervisor.start())

    def repair(self, later: Later) -> None:
        """Make good what an interrupt left half done: who was being talked with is replaced."""
        self._scheduler.repair()
        self._supervisor.repair()
        made = self._history.repair(self._supervisor.workers)
        if made is not None:
            self._put_off(made[0], partial(self._made, *made), later)
        for worker in tuple(self._supervisor.workers):
            if worker.dead():  # nobody may hear it any more
                worker.innocent = worker.innocent or worker.torn or worker.taking
                self._bury(worker, later)
                continue
            unsent = any(
                isinstance(lease.order, JobOrder) and lease.order.sent != lease.ticket
                for lease in self._scheduler.leases(worker)
            )
            if worker.torn or worker.taking or unsent or made is not None:
                worker.innocent = True
                self._unregister(worker, "channel")  # what it says cannot be told apart any more
                self._scheduler.stop_worker(worker)
                self._supervisor.kill(worker, _CUT_OFF)
        self._history.done()

    def fail(self, error: HeliographError, later: Later) -> None:
        """No worker can be kept alive: everything fails, now and later."""
        if self.broken is None:
            self.broken = error
        for order in chain(self._scheduler.clear(), self._history.clear()):
            self._put_off(order, partial(self._fail_order, order, error.message), later)
        later.append(PutOff(partial(self._not_ready, error)))

    def close(self, later: Later) -> None:
        """The loop is to end; whatever is not finished fails."""
        if not self.closed:
            workers = self._supervisor.workers
            ready = [each for each in workers if each.phase is Phase.READY]
            self._idle = [each for each in ready if not self._scheduler.leases(each)]
        self.closed = True
        message = self.broken.message if self.broken else "this pool is closed"
        for order in chain(self._scheduler.clear(), self._history.clear()):
            fail = partial(order.fail, ClosedError(message), self._buffers)
            self._put_off(order, fail, later)
        later.append(
            PutOff(partial(self._not_ready, ClosedError("the pool was closed while it started")))
        )

    def end(self) -> None:
        """End all workers, and close the memory; called by the loop as it ends."""
        self._supervisor.end(self._idle, _GRACE)
        self._supervisor.log()
        self._buffers.close()

    # What users post ------------------------------------------------------------------------------

    def submit(self, orders: Iterable[JobOrder], later: Later) -> None:
        """Take orders."""
        for order in orders:
            if self.closed or self.broken is not None:
                self._put_off(order, partial(self._refuse, order), later)
            else:
                self._scheduler.submit(order)

    def cancel(self, target: object, later: Later) -> None:
        """Nobody waits for an order, or for all those of a batch, any more."""
        if isinstance(target, JobOrder):
            self._cancel(target, later)
            return
        for order in self._scheduler:
            if isinstance(order, ChunkOrder) and order.of(target):
                self._cancel(order, later)

    def _cancel(self, order: JobOrder, later: Later) -> None:
        lease = self._scheduler.cancel(order)
        if lease is not None and isinstance(lease.worker, WorkerHandle):
            lease.worker.page.cancel(lease.ticket)
            lease.worker.put(Cancel(lease.ticket))
        elif order.cancelled:
            error = ClosedError("it was cancelled")
            self._put_off(order, partial(order.fail, error, self._buffers), later)

    def credit(self, order: StreamOrder, later: Later) -> None:
        """One more sample may be sent."""
        del later
        idle, lease = order.idle, order.lease
        order.taken()
        if lease is not None and isinstance(lease.worker, WorkerHandle):
            if idle:
                lease.worker.since = time.monotonic()
            lease.worker.put(Credit(lease.ticket, 1))

    def advance(self, order: AdvanceOrder, later: Later) -> None:
        """Change the scene."""
        if self.closed or self.broken is not None:
            self._put_off(order, partial(self._refuse, order), later)
        else:
            self._history.add(order)

    def withdraw(self, order: AdvanceOrder, later: Later) -> None:
        """Nobody waits for a change of the scene any more."""
        del later
        self._history.withdraw(order)

    # Workers --------------------------------------------------------------------------------------

    def _started(self, started: WorkerHandle | WorkerError, later: Later) -> None:
        error = self._supervisor.admit(started)
        if isinstance(started, WorkerHandle):
            channel, end, output = started.descriptors
            self._register(started, channel, "channel")
            self._register(started, end, "end")
            self._register(started, output, "output")
        elif error is not None:
            self.fail(error, later)

    def _register(self, worker: WorkerHandle, descriptor: int, what: str) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ, _Heard(worker, what))

    def _unregister(self, worker: WorkerHandle, *what: str) -> None:
        mapped = self._selector.get_map() or {}
        for key in tuple(mapped.values()):
            if key.data and key.data.worker is worker and (not what or key.data.what in what):
                self._selector.unregister(key.fileobj)

    def _hear(self, heard: _Heard, mask: int, later: Later) -> None:
        worker = heard.worker
        if self.closed or worker not in self._supervisor.workers:
            return
        if heard.what == "channel":
            if mask & selectors.EVENT_READ:
                self._receive(worker, later)
        elif heard.what == "output":
            if worker.read_output() == 0:
                self._selector.unregister(worker.output)
        elif heard.what == "end":
            if worker.dead():
                self._bury(worker, later)
            else:  # a wrapper, or what it wrapped, has ended without the other
                worker.kill()

    def _receive(self, worker: WorkerHandle, later: Later) -> None:
        worker.taking = True
        messages: list[Any] | None = []
        try:
            messages = worker.channel.receive()
            problem = self._take(worker, messages or [], later)
        except WorkerError as error:
            problem = f"said what is no message ({error.message})"
        except MemoryError:
            problem = "said more than there is memory for"
        if worker.channel.descriptors:
            problem = "sent descriptors, which are not for the driver"
        worker.taking = False
        if messages is None or problem:
            self._scheduler.stop_worker(worker)
            self._selector.unregister(worker.channel.fileno())
            self._supervisor.kill(worker, problem)

    def _take(self, worker: WorkerHandle, messages: Iterable[Any], later: Later) -> str:
        """Take messages in order; what is wrong with the worker, if so."""
        for message in messages:
            problem = self._take_one(worker, message, later)
            if problem:
                return problem
        return ""

    def _take_one(self, worker: WorkerHandle, message: Any, later: Later) -> str:
        if isinstance(message, Done) and message.ticket > 0:
            self._answered(worker, message, later)
            return ""
        if isinstance(message, Hello):
            problem = self._supervisor.greet(worker, message)
            if worker.own_pidfd >= 0:
                self._register(worker, worker.own_pidfd, "end")
            return problem
        if isinstance(message, Opened):
            return self._opened(worker, message, later)
        if isinstance(message, Failed) and not message.ticket:
            worker.refused = unpack_error(message.problem)
            return "could not open the scene"
        if not hasattr(message, "ticket"):
            return f"sent {type(message).__name__}, which is not for the driver"
        if message.ticket < 0:
            return self._advanced(worker, message, later)
        self._answered(worker, message, later)
        return ""

    def _opened(self, worker: WorkerHandle, opened: Opened, later: Later) -> str:
        problem = self._supervisor.welcome(worker, opened)
        if problem:
            return problem
        if not self._history.begun:
            cameras = {wire.name: unpack_camera(wire) for wire in opened.cameras}
            passes = specs(*map(unpack_pass, opened.passes))
            self._history.begin(opened.scene.version, cameras, passes)
        self._history.tell_all(worker)
        if self._history.caught_up(worker):
            self._ready(worker, later)
        return ""

    def _ready(self, worker: WorkerHandle, later: Later) -> None:
        """A worker has the scene as it was when it opened it, or newer: it may draw."""
        self._supervisor.ready(worker)
        self._scheduler.add_worker(worker)
        if worker.replaces is not None:
            self._scheduler.stop_worker(worker.replaces)
            self._relieve(worker.replaces)
        if self._supervisor.ready_once >= self._supervisor.count:
            later.append(PutOff(self._now_ready))

    def _bury(self, worker: WorkerHandle, later: Later) -> None:
        """Hear the last of a dead worker; what it had still to do is for others."""
        self._scheduler.stop_worker(worker)
        if not (worker.torn or worker.taking or worker.innocent):
            worker.taking = True
            self._take(worker, worker.last_words(), later)
        self._unregister(worker)
        status = worker.page.status()
        worker.kill()  # what it started, and left behind
        how = worker.reap()
        worker.close()
        # A change of the scene is to blame if the worker was at it, or had nothing else to do.
        changing = status.ticket in self._history.owed(worker)
        changing = changing or not self._scheduler.leases(worker)
        dropped, verdicts = self._scheduler.remove_worker(
            worker, status.ticket, status.entry, innocent=worker.innocent
        )
        # Last: who is among the workers still after an interrupt is buried once more.
        death = self._supervisor.bury(worker, how)
        for order in dropped:
            fail = partial(order.fail, ClosedError("it was cancelled"), self._buffers)
            self._put_off(order, fail, later)
        for order, entry in verdicts:
            give_up = partial(self._give_up, order, entry, death.why + worker.last_output())
            self._put_off(order, give_up, later)
        self._lost_change(worker, death.why if changing else "", later)
        if death.error is not None:
            self.fail(death.error, later)

    def _give_up(self, order: JobOrder, entry: int, why: str) -> None:
        """An order killed too many workers: it fails with what draws it by hand."""
        error = self._verdict(order, entry, why)
        order.give_up(entry, error, self._buffers)

    def _verdict(self, order: JobOrder, entry: int, why: str) -> WorkerError:
        index, seed, wire = order.numbers(entry)
        supervisor = self._supervisor
        repro = None
        if wire is not None:
            with suppress(OSError):  # a long one goes to a file, for which there is no room
                repro = command(supervisor.opening, wire, order.blobs, supervisor.options.command)
        return WorkerError(
            f"given up: {supervisor.options.max_kills} workers died over it; the last one {why}",
            index=index,
            seed=seed,
            repro=repro,
        )

    def _relieve(self, worker: WorkerHandle) -> None:
        """Let a retiring worker go once it has nothing left to do."""
        if worker.phase is Phase.RETIRING and not self._scheduler.leases(worker):
            self._supervisor.dismiss(worker)

    # Orders ---------------------------------------------------------------------------------------

    def _assign(self, later: Later) -> None:
        """Lease orders to workers that have room."""
        while (lease := self._scheduler.assign()) is not None:
            worker, order = lease.worker, lease.order
            try:
                order.prepare(self._buffers)
                if order.blobs:
                    worker.put_blobs(order.blobs, partial(self._names, worker))
                worker.put(order.message(lease.ticket), order.region)
            except HeliographError as error:
                self._scheduler.settle(lease)
                self._put_off(order, partial(order.fail, error, self._buffers), later)
            order.sent = lease.ticket
            alone = len(self._scheduler.leases(worker)) == 1
            if alone or self._owed(worker) == [lease.ticket]:
                worker.since = time.monotonic()
            worker.urge(self._scheduler.urgency(worker))

    def _names(self, worker: WorkerHandle, digest: bytes) -> bool:
        """Whether an order that a worker has names an array."""
        leases = self._scheduler.leases(worker)
        return any(digest in lease.order.blobs for lease in leases)

    def _send(self, worker: WorkerHandle) -> None:
        """Send what waits, and hear when there is room for more."""
        if worker.torn:
            return
        worker.flush()
        if worker.channel.pending != worker.writing and not worker.dying:
            worker.writing = worker.channel.pending
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker.writing else 0)
            self._selector.modify(worker.channel.fileno(), events, _Heard(worker, "channel"))

    def _answered(self, worker: WorkerHandle, message: Any, later: Later) -> None:
        """Take an answer, if it is to an order that the worker still has."""
        labels: Labels | None = None
        if isinstance(message, (Done, Partial)) and message.used is not None:
            labels = worker.tables.hear(message.used.labels, message.used.table)
            self.quick = message.used.done - message.used.begun < QUICK
        lease = self._scheduler.lease(worker, message.ticket)
        if lease is None:
            return
        order = lease.order
        answer = order.answer(message, labels, self._buffers)
        if answer.do is not None:  # before it is settled, as an interrupt may come between
            self._put_off(order, answer.do, later)
        if answer.rest:
            self._scheduler.replace(lease, answer.rest)
        elif answer.last:
            self._scheduler.settle(lease)
        else:
            return
        worker.done += order.weight - sum(each.weight for each in answer.rest)
        now = time.monotonic()
        worker.busy, worker.since = worker.busy + now - worker.since, now
        worker.urge(self._scheduler.urgency(worker))
        if worker.phase is Phase.RETIRING:
            self._relieve(worker)
        elif self._supervisor.spent(worker):
            self._supervisor.supersede(worker)

    def _put_off(self, order: Any, do: Any, later: Later) -> None:
        later.append(PutOff(do, order.held))

    def _refuse(self, order: JobOrder) -> None:
        if self.broken is not None:
            self._fail_order(order, self.broken.message)
        else:
            order.fail(ClosedError("this pool is closed"), self._buffers)

    def _fail_order(self, order: Any, message: str) -> None:
        order.fail(WorkerError(message), self._buffers)

    # The scene ------------------------------------------------------------------------------------

    def _advance(self, later: Later) -> None:
        """Have a change tried by the worker that has the least to do."""
        while self._history.pending and self._may_drop():
            ready = [
                each
                for each in self._supervisor.workers
                if each.phase is Phase.READY and not (each.dying or each.torn)
            ]
            if not ready:
                return
            worker = min(ready, key=lambda each: len(self._scheduler.leases(each)))
            self._wake(worker)
            worker.taking = True  # an interrupt in between leaves unclear whether it was told
            try:
                self._history.try_on(worker)
            except HeliographError as error:
                self._refuse_change(error, later)
            worker.taking = False

    def _may_drop(self) -> bool:
        """Whether nothing needs the version that engines drop with one more change.

        A stream that waits for its reader may do so for ever, and ends with an error instead.
        """
        oldest = self._history.newest - VERSIONS_KEPT + 2
        return not any(
            order.shows is not None and order.shows < oldest and not order.idle
            for order in self._scheduler.orders
        )

    def _wake(self, worker: WorkerHandle) -> None:
        """The time of a worker that owes nothing counts from now, as it gets something."""
        if not self._owed(worker):
            worker.since = time.monotonic()

    def _advanced(self, worker: WorkerHandle, message: Any, later: Later) -> str:
        """What became of the change that a worker is to answer next; what is wrong, if so."""
        owed, tried = self._history.owed(worker), self._history.tries(worker)
        if not owed or message.ticket != owed[0]:
            return "answered a change of the scene that it was not told"
        if isinstance(message, Failed):
            error = unpack_error(message.problem)
            if not tried:
                return f"refused a change of the scene that another one took ({error.message})"
            self._refuse_change(error, later)
            return ""
        if not isinstance(message, Advanced) or message.version != -message.ticket:
            what = f"{type(message).__name__} {getattr(message, 'version', '')}".strip()
            return f"answered change {-message.ticket} of the scene with {what}"
        if tried:
            return self._accept(worker, message, later)
        self._history.taken(worker)
        worker.since = time.monotonic()
        if worker.phase is Phase.STARTING and self._history.caught_up(worker):
            self._ready(worker, later)
        return ""

    def _accept(self, worker: WorkerHandle, answer: Advanced, later: Later) -> str:
        """A worker has taken a change: all others get it. What is wrong with its answer, if so."""
        try:
            cameras = {wire.name: unpack_camera(wire) for wire in answer.cameras}
        except HeliographError as error:
            return f"answered a change of the scene with cameras that are none ({error.message})"
        others = [
            each
            for each in self._supervisor.workers
            if each is not worker and self._history.knows(each) and not each.dying
        ]
        for each in others:
            self._wake(each)
        self._history.taken(worker)
        made = self._history.accept(cameras, others)
        self._put_off(made[0], partial(self._made, *made), later)
        self._history.done()
        return ""

    def _refuse_change(self, error: HeliographError, later: Later) -> None:
        """The change that is tried is not made."""
        order = self._history.tried
        self._put_off(order, partial(order.fail, error, self._buffers), later)
        self._history.refuse()

    def _made(self, order: AdvanceOrder, version: int) -> None:
        if order.held is not None:
            order.held.settle(version)
            order.held = None  # the order itself is kept for workers that come later

    def _lost_change(self, worker: WorkerHandle, why: str, later: Later) -> None:
        """A worker is dead; too many of them, and the change that it tried is not made."""
        order, most = self._history.lost(worker), self._supervisor.options.max_kills
        if order is not None and why and not worker.innocent and order.blame(0) >= most:
            error = WorkerError(f"a change of the scene killed workers; the last one {why}")
            self._refuse_change(error, later)

    def _now_ready(self) -> None:
        if not self.ready.done() and self._supervisor.opened is not None:
            self.ready.set_result(self._supervisor.opened)

    def _not_ready(self, error: HeliographError) -> None:
        if not self.ready.done():
            self.ready.set_exception(error)
