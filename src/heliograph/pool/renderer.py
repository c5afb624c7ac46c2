"""The pool: a renderer over worker processes."""

from __future__ import annotations

import queue as queues
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent import futures
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Unpack, overload

from heliograph.batch import Batch
from heliograph.camera import Camera
from heliograph.checks import check_integer
from heliograph.engine import Capability, Renderer, Submit
from heliograph.engines.registry import resolve_source
from heliograph.errors import InvalidValueError, UnknownNameError, WorkerError
from heliograph.frame import Labels, Provenance, Sample
from heliograph.passes import PassSpecs, select_passes, specs
from heliograph.pool.attendant import attend
from heliograph.pool.batches import BatchJob, Stacked
from heliograph.pool.blocks import Blocks
from heliograph.pool.courier import Courier
from heliograph.pool.crew import Crew
from heliograph.pool.driver import Driver
from heliograph.pool.flow import in_order, unordered
from heliograph.pool.options import PoolOptions, PoolSettings, check_workers
from heliograph.pool.orders import SampleOrder
from heliograph.randomize import Facts
from heliograph.scene import Description
from heliograph.transport.scenes import unpack_pass, unpack_scene
from heliograph.transport.values import unpack_camera
from heliograph.transport.views import pack_view
from heliograph.view import View
from heliograph.worker.layouts import Layouts
from heliograph.worker.opening import describe_opening, pack_opening, with_randomization

_UNKNOWN_SIZE = 1 << 20
PASSED_ON = frozenset({Capability.RANDOM_STATE})
"""What a pool passes on of what its engines can do."""


class Pool(Renderer):
    """A renderer over worker processes, each with an engine of its own.

    Every view is drawn exactly once, whatever dies: dead and hanging workers are replaced and
    their orders given to others; a view over which `max_kills` workers died fails with a
    `WorkerError` that says how to reproduce it, and all others go on. Safe for threads; not for
    a fork.

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
        self._seed = seed
        self._opened: Mapping[str, Any] = describe_opening(engine, chosen)
        opening = pack_opening(engine, resolve_source(source), chosen)
        crew = Crew(opening, PoolOptions(**settings), check_workers(workers))
        self._courier = Courier()
        self._driver = Driver(crew)
        self._gone = weakref.finalize(self, _abandon, self._driver, self._courier)
        self._gone.atexit = False
        try:
            opened = self._driver.ready.result()
            self._scene = unpack_scene(opened.scene)
            self._cameras = {wire.name: unpack_camera(wire) for wire in opened.cameras}
            self._passes = specs(*map(unpack_pass, opened.passes))
            self._layouts = Layouts(self._cameras, self._passes)
            self._provenance = opened.provenance
            self._drawn_by = (opened.provenance, self._passes)
            self._capabilities = frozenset(map(Capability, opened.capabilities)) & PASSED_ON
            self._labels = opened.labels
            self.workers = crew.count
            self.options = crew.options
            if "randomize" in chosen:  # workers would warn where nobody reads it
                chosen["randomize"].check(Facts.of(self))
        except BaseException:
            self.close()
            raise

    @property
    def scene(self) -> Description:
        """What the scene holds."""
        return self._scene

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """The scene's cameras by name."""
        return dict(self._cameras)

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
        """Engine and device of the workers."""
        return self._provenance

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
        return self._labels

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers there are right now."""
        return [worker.process.pid for worker in list(self._driver.workers)]

    def render(self, view: View) -> Sample:
        """Draw one view and wait for it.

        Raises:
            HeliographError: the view cannot be drawn; it names the sample if the view has a seed.
            WorkerError: too many workers died over it.
            ClosedError: the pool is closed, or was while this waited.
        """
        self._check_thread()
        order = self._order(view)
        attend(self._driver, order)
        return order.future.result()

    def submit(self, view: View) -> Future[Sample]:
        """Order one view; the future holds the sample or the error.

        Callbacks of the future run in the pool's thread: they must not wait for the pool.

        Raises:
            InvalidValueError: not a view, or it holds an edit that cannot travel.
            UnknownNameError: no such camera or pass.
            ClosedError: the pool is closed.
        """
        return self._submitted(view)

    def side_by_side(self, count: int) -> Submit:
        """A `submit` whose samples lie side by side, `count` of them in one piece of memory.

        The arrays of a pass of consecutive views with the same cameras and passes are then the rows
        of one array. What there is no room for lies by itself. For one thread.

        Raises:
            InvalidValueError: a count that is no integer above 0.
        """
        blocks = Blocks(self._driver, check_integer("count", count, 1))

        def submit(view: View) -> Future[Sample]:
            return self._submitted(view, blocks)

        return submit

    def map(
        self, views: Iterable[View], *, ordered: bool = True, window: int | None = None
    ) -> Iterator[Sample]:
        """Draw views as they are asked for, some ahead of the consumer.

        Args:
            views: taken from as there is room for more, so they may be endless.
            ordered: whether samples come in the order of the views, or as they are finished.
            window: how many views are on their way or finished and not taken; it bounds memory.

        Raises:
            HeliographError: a view cannot be drawn; use `futures` to go on with the others.
        """
        for future in self.futures(views, ordered=ordered, window=window):
            yield future.result()

    def futures(
        self, views: Iterable[View], *, ordered: bool = True, window: int | None = None
    ) -> Iterator[Future[Sample]]:
        """As `map`, but finished futures: a view that fails does not end the rest."""
        self._check_thread()
        if window is None:
            window = max(4, 2 * self.workers * self.options.depth)
        flow = in_order if ordered else unordered
        return flow(self.submit, views, check_integer("window", window, 1))

    @contextmanager
    def borrow(self, view: View) -> Iterator[Sample]:
        """Draw one view and look at it in the worker's memory, without a copy.

        The arrays are valid inside the `with` only; afterwards the next view is drawn there.
        """
        self._check_thread()
        order = self._order(view)
        order.borrowed = True
        try:
            attend(self._driver, order)
            yield order.future.result()
        finally:
            order.future.cancel()
            order.future.add_done_callback(lambda _: self._give_back(order))

    @overload
    def render_batch(self, batch: Mapping[str, Any]) -> Stacked: ...

    @overload
    def render_batch(self, batch: Sequence[View]) -> list[Sample]: ...

    def render_batch(self, batch: Mapping[str, Any] | Sequence[View]) -> Stacked | list[Sample]:
        """Draw many views: a mapping of columns gives stacked arrays, views give samples.

        See `heliograph.delivery.batch` for the keys. The arrays are the memory that the workers
        drew into; they are the caller's.

        Raises:
            HeliographError: something is wrong with the batch, or an entry could not be drawn; all
                others were drawn first.
        """
        self._check_thread()
        if isinstance(batch, Mapping) or not isinstance(batch, Sequence):
            return self.submit_batch(batch).result()
        orders = [self._order(view) for view in batch]
        try:
            self._driver.submit(orders)
            futures.wait([order.future for order in orders])
        except BaseException:
            for order in orders:
                order.future.cancel()
            raise
        return [order.future.result() for order in orders]

    def submit_batch(self, batch: Mapping[str, Any]) -> Future[Stacked]:
        """Order a batch; the future holds the stacked arrays or the error.

        Raises:
            InvalidValueError: something is wrong with the batch.
            UnknownNameError: no such camera or pass.
            ClosedError: the pool is closed.
        """
        checked = Batch.of(batch)
        self._check_passes(checked.common)
        job = BatchJob(checked, self._cameras, self._passes, self._driver.stock)
        job.region = self._driver.take(job.layout.nbytes)
        chunks = job.chunks(self.workers)
        if not chunks:
            job.settle(0)
        self._driver.submit(chunks)
        return job.future

    def render_batch_async(self, batch: Mapping[str, Any], queue: queues.Queue[Any]) -> None:
        """Draw a batch and put the stacked arrays, or the error, into a queue.

        Where the queue is full, a thread of its own waits for room, and nobody else.

        Raises:
            HeliographError: something is wrong with the batch.
        """
        future = self.submit_batch(batch)
        future.add_done_callback(self._courier.expect(queue))

    def close(self) -> None:
        """End the workers; whatever is not finished fails with `ClosedError`. Safe to repeat."""
        self._gone.detach()
        self._driver.close()
        self._courier.close()

    def _submitted(self, view: View, blocks: Blocks | None = None) -> Future[Sample]:
        try:
            order = self._order(view)
        except (InvalidValueError, UnknownNameError) as error:
            future: Future[Sample] = Future()
            future.set_exception(error)
            return future
        if blocks is not None:
            order.take_place(blocks)
        self._driver.submit((order,))
        return order.future

    def _order(self, view: View) -> SampleOrder:
        if not isinstance(view, View):
            raise InvalidValueError(f"expected a heliograph.View, got {type(view).__name__}")
        try:
            return self._checked(view)
        except (InvalidValueError, UnknownNameError) as error:
            if view.seed is not None:
                error.index, error.seed = view.index, view.seed
            raise

    def _checked(self, view: View) -> SampleOrder:
        self._check_passes(view)
        wire = pack_view(view, self._cameras)
        try:
            cameras, layout = self._layouts.of(view)
        except UnknownNameError:
            if not view.edits:
                raise
            return SampleOrder(view, wire, None, _UNKNOWN_SIZE, self._drawn_by)
        return SampleOrder(view, wire, cameras, layout, self._drawn_by)

    def _check_passes(self, view: View) -> None:
        select_passes(view.pass_names, self._passes)

    def _give_back(self, order: SampleOrder) -> None:
        if order.lent is not None:
            self._driver.stock.give(order.lent)

    def _check_thread(self) -> None:
        if self._driver.here:
            raise WorkerError(
                "a callback of a future waits for its own pool, which would never end; hand the "
                "work to another thread"
            )


def _abandon(driver: Driver, courier: Courier) -> None:
    """The pool is garbage: its driver ends once all that was ordered is done."""
    driver.abandon()
    courier.close()
