"""The pool: a renderer over worker processes."""

from __future__ import annotations

import selectors
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from queue import Empty, Queue, SimpleQueue
from typing import Any, Unpack

from heliograph.batch import Batch, Stacked
from heliograph.camera import Camera
from heliograph.checks import check_integer
from heliograph.engine import CancelToken, Capability, Renderer, Submit, check_levels
from heliograph.engines.registry import interpreter_of, resolve_source
from heliograph.errors import ClosedError, InvalidValueError, UnknownNameError, shown
from heliograph.frame import Labels, Provenance, Sample
from heliograph.passes import PassSpecs, select_passes, specs
from heliograph.pool.buffers import Blocks, BufferPool
from heliograph.pool.dispatcher import Dispatcher
from heliograph.pool.futures import PoolFuture
from heliograph.pool.history import AdvanceOrder, SceneHistory, SceneVersion
from heliograph.pool.jobs import (
    BatchJob,
    DescribeOrder,
    DrawnBy,
    JobOrder,
    Reader,
    SampleOrder,
    StreamOrder,
)
from heliograph.pool.loop import Loop
from heliograph.pool.options import PoolOptions, PoolSettings, check_workers
from heliograph.pool.scheduler import Scheduler
from heliograph.pool.supervisor import Supervisor
from heliograph.pool.worker_handle import WorkerHandle
from heliograph.queues import QueueWriter
from heliograph.randomize import Facts
from heliograph.scene import Description, Edit
from heliograph.transport.channel import encoded
from heliograph.transport.layout import Layout
from heliograph.transport.messages import Opened, ViewWire
from heliograph.transport.scenes import unpack_pass, unpack_scene
from heliograph.transport.values import Blobs
from heliograph.transport.views import pack_edits, pack_view
from heliograph.versions import versions
from heliograph.view import View, check_edits
from heliograph.worker.opening import (
    describe_opening,
    pack_opening,
    random_digest,
    with_randomization,
)

_PATIENCE = 10.0
"""Seconds that `close` waits; a callback of the user's may hold the thread."""

_AHEAD = 4
"""How many samples of a stream a worker may be ahead of who takes them."""

PASSED_ON = frozenset(Capability) - {Capability.RENDER_MANY}
"""What a pool passes on of what its engines can do."""


@dataclass(frozen=True)
class WorkerStats:
    """One worker.

    Attributes:
        pid: its process id.
        phase: "starting", "ready" or "retiring".
        in_flight: views that it has.
        done: views that it has drawn.
        rate: views that it has drawn per second of those in which it had any to draw.
    """

    pid: int
    phase: str
    in_flight: int
    done: int
    rate: float


@dataclass(frozen=True)
class PoolStats:
    """What a pool has done so far, in views, and what it is at.

    Attributes:
        started, died: workers.
        done: answered, be it by an error.
        retried: given to another worker, as the first one died.
        quarantined: given up, as too many workers died over them.
        cancelled: nobody waited any more.
        queued: no worker has them.
        in_flight: a worker has them.
        workers: those there are right now.
    """

    started: int
    died: int
    done: int
    retried: int
    quarantined: int
    cancelled: int
    queued: int
    in_flight: int
    workers: tuple[WorkerStats, ...]


class Pool(Renderer):
    """A renderer over worker processes, each with an engine of its own.

    Every view is drawn exactly once, whatever dies: dead and hanging workers are replaced and
    their orders given to others; a view over which `max_kills` workers died fails with a
    `WorkerError` that says how to reproduce it, and all others go on. Safe for threads and signal
    handlers; not for a fork.

    Args:
        engine: name of the engine.
        source: what it opens. It travels to the workers, so it is a path, text or components.
        workers: how many processes.
        options: keywords of the engine.
        seed: of the run; samples and datasets over the pool take it unless told otherwise.
        **settings: fields of `PoolOptions`.

    Raises:
        HeliographError: whatever the engine says about the source and its options.
        WorkerError: a worker could not be started; the message ends with its last output.
    """

    def __init__(
        self,
        engine: str,
        source: object,
        workers: int = 2,
        options: Mapping[str, Any] | None = None,
        *,
        seed: int = 0,
        **settings: Unpack[PoolSettings],
    ) -> None:
        for name in settings:
            if name not in PoolOptions.__dataclass_fields__:
                raise UnknownNameError.of(
                    "option of a pool", name, PoolOptions.__dataclass_fields__
                )
        chosen = with_randomization(options or {})
        self.workers = check_workers(workers)
        apart = None if settings.keys() & {"python", "launcher"} else interpreter_of(engine)
        if apart is not None:
            settings["python"] = apart
        self.options = PoolOptions(**settings)
        self._seed = seed
        self._opened: Mapping[str, Any] = describe_opening(engine, chosen)
        opening = pack_opening(engine, resolve_source(source), chosen)
        # An engine with an interpreter of its own draws at random there alone, not here as well.
        random = random_digest() if "randomize" in chosen and apart is None else ""
        selector = selectors.DefaultSelector()
        self._supervisor = Supervisor(opening, self.options, self.workers, random)
        self._scheduler: Scheduler[WorkerHandle, JobOrder] = Scheduler(
            self.options.depth, self.options.max_kills
        )
        self._history = SceneHistory()
        self._buffers = BufferPool()
        self._core = Dispatcher(
            self._supervisor, self._scheduler, self._buffers, self._history, selector
        )
        self._loop = Loop(self._core, selector)
        self._queues = QueueWriter()
        self._gone = weakref.finalize(self, self._loop.abandon)
        self._gone.atexit = False
        try:
            self._begin(self._core.ready.result())
            if "randomize" in chosen:  # workers would warn where nobody reads it
                chosen["randomize"].check(Facts.of(self))
        except BaseException:
            self.close()
            raise

    def _begin(self, opened: Opened) -> None:
        """Take what the first worker says about the scene."""
        self._described = unpack_scene(opened.scene)
        self._labels: Labels = opened.labels
        self._passes = specs(*map(unpack_pass, opened.passes))
        self._capabilities = frozenset(map(Capability, opened.capabilities)) & PASSED_ON
        self._advances = Capability.ADVANCE in self._capabilities
        if self._supervisor.versions != versions():  # workers under another interpreter
            self._opened = {**self._opened, "worker": dict(self._supervisor.versions)}
        self._provenance = opened.provenance
        self._drawn_by = DrawnBy(opened.provenance, self._passes)

    @property
    def scene(self) -> Description:
        """The newest version of the scene, and what it holds."""
        self._describe()
        return self._described

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """The scene's cameras by name."""
        return dict(self._history.now.cameras)

    @property
    def passes(self) -> PassSpecs:
        """The passes it can yield, by name."""
        return self._passes

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the engines can do that the pool passes on."""
        return self._capabilities

    @property
    def provenance(self) -> Provenance:
        """Engine and device of the workers, and the newest version of the scene."""
        if self._history.newest == self._provenance.scene_version:
            return self._provenance
        return replace(self._provenance, scene_version=self._history.newest)

    @property
    def seed(self) -> int:
        """Seed of the run; samples and datasets over the pool take it unless told otherwise."""
        return self._seed

    @property
    def opened(self) -> Mapping[str, Any]:
        """What decides its pictures besides the scene, in terms of JSON."""
        return self._opened

    @property
    def labels(self) -> Labels:
        """Segmentation id -> (name, category)."""
        self._describe()
        return self._labels

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers there are right now."""
        return [worker.pid for worker in list(self._supervisor.workers)]

    def stats(self) -> PoolStats:
        """What has been done so far, and what is going on."""
        stats: PoolStats = self._loop.read(self._stats)
        return stats

    def render(self, view: View, *, priority: int = 0) -> Sample:
        """Draw one view and wait for it.

        Args:
            view: what to show.
            priority: higher ones go first, even before the rest of a batch that is being drawn.

        Raises:
            HeliographError: the view cannot be drawn; it names the sample if the view has a seed.
            WorkerError: too many workers died over it.
            ClosedError: the pool is closed, or was while this waited.
        """
        future = self._ordered(self._order(view, priority))
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def submit(self, view: View, *, priority: int = 0) -> Future[Sample]:
        """Order one view; the future holds the sample or the error.

        It is running once a worker has begun it, and can be cancelled until then. Its callbacks run
        in the pool's thread: they must not wait for the pool.

        Args:
            view: what to show.
            priority: higher ones go first, even before the rest of a batch that is being drawn.

        Raises:
            ClosedError: the pool is closed.
        """
        return self._submitted(view, priority)

    def side_by_side(self, count: int) -> Submit:
        """A `submit` whose samples lie side by side, `count` of them in one piece of memory.

        The arrays of a pass of consecutive views with the same cameras and passes are then the rows
        of one array. What there is no room for lies by itself. For one thread.

        Raises:
            InvalidValueError: a count that is no integer above 0.
        """
        blocks = Blocks(check_integer("count", count, 1))

        def submit(view: View, *, priority: int = 0) -> Future[Sample]:
            return self._submitted(view, priority, blocks)

        return submit

    def futures(
        self, views: Iterable[View], *, ordered: bool = True, window: int | None = None
    ) -> Iterator[Future[Sample]]:
        """As `map`, but finished futures: a view that fails does not end the rest."""
        if window is None:
            window = max(4, 2 * self.workers * self.options.depth)
        if ordered:
            return super().futures(views, window=window)
        return self._as_finished(iter(views), check_integer("window", window, 1))

    @contextmanager
    def borrow(self, view: View) -> Iterator[Sample]:
        """Draw one view and look at it in the worker's memory, without a copy.

        The arrays are valid inside the `with` only; afterwards the next view is drawn there.
        """
        order = self._order(view)
        order.borrowed = True
        future = self._ordered(order)
        try:
            yield future.result()
        finally:
            future.cancel()
            order.give_back_lent(self._buffers)

    def refine(
        self,
        view: View,
        cancel: CancelToken | None = None,
        levels: Sequence[float] | None = None,
        *,
        priority: int = 0,
    ) -> Iterator[Sample]:
        """Draw one view coarsely first, then better and better; see `heliograph.engine.Engine`.

        A worker is a few samples ahead of who takes them at most, and stops as soon as it is
        cancelled or nobody takes them any more. If it dies, another one goes on with what was not
        taken yet.

        Args:
            view: what to show.
            cancel: ends it, from any thread.
            levels: see `heliograph.engine.Engine.refine`.
            priority: higher ones go first, sample by sample.

        Raises:
            InvalidValueError: no such levels.
            HeliographError: the view cannot be drawn.
        """
        if not isinstance(cancel, CancelToken | None):
            raise InvalidValueError(f"cancel: expected a CancelToken or None, got {shown(cancel)}")
        packed = self._packed(self._asked(view), self._history.now)
        urgency = _checked_priority(priority)
        parts = None if levels is None else check_levels(levels)
        order = StreamOrder(view, packed, self._drawn_by, _AHEAD, urgency, levels=parts)
        return self._stream(order) if cancel is None else self._until(cancel, order)

    def published(self, *, ahead: int = _AHEAD, priority: int = 0) -> Iterator[Sample]:
        """What the engine of a worker shows by itself, from now on; see `heliograph.engine.Engine`.

        Other views are drawn between two samples. If the worker dies, another one begins anew.

        Args:
            ahead: how many samples it may be ahead; then it waits for who takes them.
            priority: higher ones go first, sample by sample.

        Raises:
            InvalidValueError: the engine publishes nothing.
        """
        if Capability.PUBLISH not in self._capabilities:
            raise InvalidValueError(
                f"{self._provenance.engine}: publishes nothing (it has no Capability.PUBLISH); "
                "order views of it"
            )
        ahead = check_integer("ahead", ahead, 1, 1 << 16)
        urgency = _checked_priority(priority)
        return self._stream(StreamOrder(None, None, self._drawn_by, ahead, urgency))

    def advance(self, changes: Edit | Sequence[Edit]) -> int:
        """Change the scene for good, by one edit or several; see `heliograph.engine.Described`.

        One worker tries the changes; what it takes, all others and all that are started later get
        before the next view. Views that were ordered before show the version that was the newest
        then; so this waits while views are on their way that show too old a one. It does not wait
        for streams that wait for their readers.

        Raises:
            HeliographError: the changes do not fit the scene; nothing has changed.
            WorkerError: they cannot be sent, or too many workers died over them.
        """
        if not self._advances:
            return super().advance(check_edits(changes, "advance"))
        blobs = Blobs()
        packed = pack_edits(check_edits(changes, "advance"), blobs) or []
        order = AdvanceOrder(encoded(packed), blobs)
        future: PoolFuture[int] = PoolFuture(self._loop, order)
        order.held = future
        self._check_open()
        try:
            self._loop.post(partial(self._core.advance, order))
            return future.result()
        finally:
            if not future.done():  # an interrupt
                self._loop.post(partial(self._core.withdraw, order))

    def submit_batch(self, batch: Mapping[str, Any], *, priority: int = 0) -> Future[Stacked]:
        """Order a batch; the future holds the stacked arrays or the error.

        Args:
            batch: see `heliograph.delivery.batch` for the keys.
            priority: higher ones go first.

        Raises:
            InvalidValueError: something is wrong with the batch.
            UnknownNameError: no such camera or pass.
            ClosedError: the pool is closed.
        """
        checked = Batch.of(batch)
        self._check_passes(checked.common)
        now = self._history.now
        job = BatchJob(
            checked, now.cameras, self._passes, self._shown(now), _checked_priority(priority)
        )
        future: PoolFuture[Stacked] = PoolFuture(self._loop, job)
        job.held = future
        chunks = job.chunks(self.workers)
        if not chunks:
            self._check_open()
            job.settle(range(0), self._buffers)
        self._post(chunks)
        return future

    def render_batch_async(self, batch: Mapping[str, Any], queue: Queue[Any]) -> None:
        """Draw a batch and put the stacked arrays, or the error, into a queue.

        Where the queue is full, a thread of its own waits for room, and nobody else.

        Raises:
            HeliographError: something is wrong with the batch.
        """
        future = self.submit_batch(batch)
        future.add_done_callback(self._queues.expect(queue))

    def close(self) -> None:
        """End the workers; whatever is not finished fails with `ClosedError`. Safe to repeat.

        A signal handler that interrupted the pool at work returns at once, and the pool is closed
        as soon as that work is done.
        """
        self._gone.detach()
        self._loop.post(self._core.close)
        self._loop.close(_PATIENCE)

    # Orders ---------------------------------------------------------------------------------------

    def _order(self, view: View, priority: int = 0) -> SampleOrder:
        view = self._asked(view)
        if type(priority) is not int or priority:
            priority = _checked_priority(priority)
        try:
            now = self._history.now
            packed = self._packed(view, now)
            shown: tuple[Sequence[Camera] | None, Layout | None]
            try:
                shown = now.layouts.of(view)
            except UnknownNameError:
                if not view.edits:
                    raise
                self._check_passes(view)
                shown = None, None  # its edits bring cameras, which only the engine knows
        except (InvalidValueError, UnknownNameError) as error:
            if view.seed is not None:
                error.index, error.seed = view.index, view.seed
            raise
        return SampleOrder(view, packed, shown[0], shown[1], self._drawn_by, priority)

    def _asked(self, view: View) -> View:
        if not isinstance(view, View):
            raise InvalidValueError(f"expected a heliograph.View, got {type(view).__name__}")
        return view

    def _packed(self, view: View, now: SceneVersion) -> tuple[ViewWire, Blobs]:
        """The view for the wire, with the version of the scene that it shows."""
        wire, blobs = pack_view(view, now.cameras)
        if wire.scene_version is None:
            wire.scene_version = self._shown(now)
        return wire, blobs

    def _shown(self, now: SceneVersion) -> int | None:
        return now.number if self._advances else None

    def _submitted(
        self,
        view: View,
        priority: int = 0,
        blocks: Blocks | None = None,
        finished: Callable[[Future[Sample]], None] | None = None,
    ) -> Future[Sample]:
        try:
            order = self._order(view, priority)
        except (InvalidValueError, UnknownNameError) as error:
            failed: Future[Sample] = Future()
            failed.set_exception(error)
            return failed
        if blocks is not None:
            order.take_place(blocks.place, blocks.total)
        return self._ordered(order, finished)

    def _ordered(
        self, order: SampleOrder, finished: Callable[[Future[Sample]], None] | None = None
    ) -> PoolFuture[Sample]:
        future = self._future(order, finished)
        self._post((order,))
        return future

    def _future(
        self,
        order: SampleOrder,
        finished: Callable[[Future[Sample]], None] | None = None,
    ) -> PoolFuture[Sample]:
        return order.bind(PoolFuture(self._loop, order, finished))

    def _post(self, orders: Iterable[JobOrder]) -> None:
        self._check_open()
        self._loop.post(partial(self._core.submit, orders))

    def _as_finished(self, views: Iterator[View], window: int) -> Iterator[Future[Sample]]:
        """Finished futures as they come; never more than `window` on their way."""
        finished: SimpleQueue[Future[Sample]] = SimpleQueue()
        waiting: set[Future[Sample]] = set()

        def send(count: int) -> None:
            for view in islice(views, count):
                future = self._submitted(view, finished=finished.put)
                waiting.add(future)
                if not isinstance(future, PoolFuture):  # it failed at once
                    finished.put(future)

        try:
            send(window)
            while waiting:
                future = self._next(finished)
                waiting.remove(future)
                yield future
                del future
                send(1)
        finally:
            for future in waiting:
                future.cancel()

    def _stream(self, order: StreamOrder) -> Iterator[Sample]:
        """The samples of an order; it is cancelled where they are not all taken."""
        reader = Reader()
        order.read_by(reader, self._core.lost.append)
        try:
            self._post((order,))
            while True:
                came = self._next(order.samples)
                if came is None:
                    return
                if isinstance(came, BaseException):
                    raise came
                self._loop.post(partial(self._core.credit, order))
                yield came
        except ClosedError:
            if not order.cancelled or self._core.closed:
                raise
        finally:
            self._loop.cancel(order)

    def _until(self, cancel: CancelToken, order: StreamOrder) -> Iterator[Sample]:
        """The samples of an order, until it is cancelled."""
        end = partial(self._loop.cancel, order)
        cancel.on_cancel(end)
        try:
            if not cancel.cancelled:
                yield from (each for each in self._stream(order) if not cancel.cancelled)
        finally:
            cancel.forget(end)

    def _next(self, queue: SimpleQueue[Any]) -> Any:
        """Take something out of a queue; this thread runs the loop meanwhile."""
        while True:
            self._loop.run_until(lambda: not queue.empty())
            try:
                return queue.get(timeout=1.0)
            except Empty:
                self._check_open()

    def _wait(self, done: Callable[[], bool]) -> None:
        """Wait for something that is no future; another thread may lead meanwhile."""
        while not done():
            self._loop.run_until(done)
            time.sleep(0 if done() else 0.002)

    def _describe(self) -> None:
        """Ask a worker how the newest version of the scene is, if that is not known."""
        if self._described.version == self._history.newest:
            return
        order = DescribeOrder()
        self._post((order,))
        self._wait(lambda: order.described is not None)
        if isinstance(order.described, Opened):
            self._described = unpack_scene(order.described.scene)
            self._labels = order.described.labels
        elif order.described is not None:
            raise order.described

    def _check_passes(self, view: View) -> None:
        select_passes(view.pass_names, self._passes)

    def _check_open(self) -> None:
        self._loop.check_process()
        if self._core.broken is not None:
            raise type(self._core.broken)(self._core.broken.message)
        if self._core.closed:
            raise ClosedError("this pool is closed")

    def _stats(self) -> PoolStats:
        counts, workers = self._scheduler.counts, self._supervisor.workers
        return PoolStats(
            started=self._supervisor.started,
            died=self._supervisor.died,
            done=counts.done,
            retried=counts.retried,
            quarantined=counts.quarantined,
            cancelled=counts.cancelled,
            queued=self._scheduler.queued(),
            in_flight=self._scheduler.in_flight,
            workers=tuple(
                WorkerStats(
                    worker.pid,
                    worker.phase.value,
                    sum(lease.order.weight for lease in self._scheduler.leases(worker)),
                    worker.done,
                    worker.rate,
                )
                for worker in workers
            ),
        )


def _checked_priority(priority: object) -> int:
    return check_integer("priority", priority, -(1 << 31), (1 << 31) - 1)
