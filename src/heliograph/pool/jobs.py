"""What the workers are asked for, and what is made of their answers."""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

import numpy as np

from heliograph.batch import Batch, Stacked, key_of
from heliograph.camera import Camera
from heliograph.errors import ClosedError, HeliographError, WorkerError
from heliograph.frame import Array, Frame, Labels, Provenance, Sample, assembled
from heliograph.passes import PassSpecs, select_passes
from heliograph.pool.buffers import Block, BufferPool
from heliograph.pool.futures import PoolFuture
from heliograph.pool.scheduler import Order
from heliograph.pool.worker_handle import WorkerHandle
from heliograph.transport.layout import Layout, lay_out
from heliograph.transport.messages import (
    Describe,
    Described,
    Done,
    DoneMany,
    Failed,
    Opened,
    Partial,
    Publish,
    Refine,
    Render,
    RenderMany,
    Used,
    ViewWire,
)
from heliograph.transport.problems import unpack_error
from heliograph.transport.slots import Region
from heliograph.transport.values import (
    ArrayWire,
    Blobs,
    CameraWire,
    pack_array,
    pack_camera,
    unpack,
    unpack_array,
    unpack_camera,
    unpack_pose,
)
from heliograph.transport.views import pack_cameras, pack_edits, pack_view
from heliograph.view import View, unchecked_view

_LOG = logging.getLogger("heliograph.pool")
_T = TypeVar("_T")

LARGEST_CHUNK = 256
LENT_FROM = 1 << 16
"""Bytes from which a sample keeps the memory that it was drawn into; copying less costs little."""


class Answer(NamedTuple):
    """What an order makes of a message of its worker.

    Attributes:
        do: what is to be done once the lock is free.
        last: whether the order is settled.
        rest: orders that take its place.
    """

    do: Callable[[], object] | None = None
    last: bool = True
    rest: Sequence[JobOrder] = ()


class JobOrder(Order):
    """An order of a pool.

    Attributes:
        blobs: arrays that its message names by the hash of their content.
        region: the memory that it is drawn into.
        sent: the ticket of its last message.
        shows: the version of the scene that it shows, where that changes.
        held: the future that gets what comes of it, if there is one.
    """

    shows: int | None = None

    def __init__(self, priority: int = 0) -> None:
        self.priority = priority
        self.sent = 0
        self.held: PoolFuture[Any] | None = None
        self.blobs: Mapping[bytes, ArrayWire] = {}
        self.region: Region | None = None
        self._kills = 0

    @property
    def begun(self) -> bool:
        """Whether a worker is at it."""
        lease = self.lease
        if lease is None or not isinstance(lease.worker, WorkerHandle):
            return False
        return lease.worker.page.status().ticket == lease.ticket

    def prepare(self, buffers: BufferPool) -> None:
        """Get the memory that it needs.

        Raises:
            WorkerError: there is none.
        """

    def message(self, ticket: int) -> Any:
        """What to tell the worker."""
        raise NotImplementedError

    def answer(self, message: Any, labels: Labels | None, buffers: BufferPool) -> Answer:
        """Take what its worker says.

        Args:
            message: the message.
            labels: the table that it names, if it names one.
            buffers: where memory goes back to.
        """
        del labels
        error: HeliographError = WorkerError("a worker's answer does not fit its order")
        if self.cancelled:
            error = ClosedError("it was cancelled")
        elif isinstance(message, Failed):
            error = unpack_error(message.problem)
        return Answer(partial(self.fail, error, buffers))

    def fail(self, error: HeliographError, buffers: BufferPool) -> None:
        """It will not be done."""

    def blame(self, entry: int) -> int:
        """Count a worker that died over it; how many there are now."""
        del entry
        self._kills += 1
        return self._kills

    def give_up(self, entry: int, error: WorkerError, buffers: BufferPool) -> None:
        """An entry of it killed too many workers."""
        del entry
        self.fail(error, buffers)

    def numbers(self, entry: int) -> tuple[int, int | None, ViewWire | None]:
        """Index, seed and view of an entry."""
        del entry
        return 0, None, None


class DrawnBy:
    """What all samples of a pool have in common.

    Args:
        provenance: who draws.
        specs: the passes there are.
    """

    def __init__(self, provenance: Provenance, specs: PassSpecs) -> None:
        self.provenance = provenance
        self.specs = specs

    def sample(
        self, view: View, used: Used, labels: Labels | None, shown: Shown, ordered: float
    ) -> Sample:
        """The sample of a view.

        Args:
            view: what was ordered.
            used: what the worker says of it.
            labels: the table that it names.
            shown: the cameras as they were used, each with its arrays.
            ordered: when it was ordered.
        """
        if labels is None:
            raise WorkerError(f"a table of labels {used.labels} that never came")
        state: Mapping[str, Any] = view.state
        if used.state is not None:
            state = {key: unpack_array(each) for key, each in used.state.items()}
        frames = {
            camera.name: assembled(
                Frame, camera=camera, passes=arrays, labels=labels, specs=self.specs
            )
            for camera, arrays in shown
        }
        return assembled(
            Sample,
            frames=frames,
            labels=labels,
            state=state,
            seed=view.seed,
            index=view.index,
            randomization=unpack(used.randomization) or {},
            annotations=unpack(used.annotations) or {},
            provenance=assembled(
                Provenance,
                engine=self.provenance.engine,
                device=self.provenance.device,
                scene_version=used.scene_version,
                ordered=ordered,
                begun=used.begun,
                done=used.done,
            ),
        )


Shown = Sequence[tuple[Camera, dict[str, Array]]]


class SampleOrder(JobOrder):
    """An order for one sample.

    Args:
        view: what to show.
        wire: the same for the wire.
        blobs: arrays that the wire names.
        cameras: the cameras by value, or None where only the engine can tell.
        layout: where their passes stand.
        drawn_by: what all samples of the pool have in common.
        priority: which of the orders goes first.
    """

    def __init__(
        self,
        view: View,
        packed: tuple[ViewWire, Blobs],
        cameras: Sequence[Camera] | None,
        layout: Layout | None,
        drawn_by: DrawnBy,
        priority: int = 0,
    ) -> None:
        super().__init__(priority)
        self.view = view
        self._wire, self.blobs = packed
        self.shows = self._wire.scene_version
        self.borrowed = False
        self.lent: Region | None = None
        self._block: Block | None = None
        self._place = 0
        self._lent = False
        self._root: Array | None = None
        self._made: Sample | None = None
        self._cameras = cameras
        self._layout = layout
        self._drawn_by = drawn_by
        self._ordered = time.time()

    def bind(self, future: PoolFuture[Sample]) -> PoolFuture[Sample]:
        """The future gets what comes of it."""
        self.held = future
        return future

    def take_place(self, place: Callable[[Layout], tuple[Block, int]], total: int) -> None:
        """Take a place beside others', where the cameras say how much room that is."""
        if self._cameras is not None:
            self._block, self._place = place(lay_out(self._cameras, self._specs(), total))

    def prepare(self, buffers: BufferPool) -> None:
        """Get the memory of its block, or some of its own; see `JobOrder.prepare`."""
        if self._layout is None:  # its cameras are the engine's alone: passes come in the message
            return
        try:
            if self._block is not None:
                self.region = self._block.mapped(buffers)
            if self.region is None:
                self._block = None
                self.region = buffers.take(self._layout.nbytes)
        except WorkerError:  # as they do where there is no shared memory
            return

    def answer(self, message: Any, labels: Labels | None, buffers: BufferPool) -> Answer:
        """It is drawn."""
        if isinstance(message, Done):
            return Answer(partial(self.finish, message, labels, buffers))
        return super().answer(message, labels, buffers)

    def message(self, ticket: int) -> Render:
        """What to tell the worker."""
        region = -1 if self.region is None else self.region.id
        total = 0 if self._block is None else self._block.total
        return Render(ticket, region, self._wire, self._place, total, self.priority)

    def fail(self, error: HeliographError, buffers: BufferPool) -> None:
        """The future gets the error, with the sample's numbers where it has a seed."""
        self._give_back(buffers)
        if self.view.seed is not None and error.seed is None:
            error.index, error.seed = self.view.index, self.view.seed
        if self.held is not None:
            self.held.settle(None, error)

    def numbers(self, entry: int) -> tuple[int, int | None, ViewWire | None]:
        """Index, seed and view."""
        del entry
        return self.view.index, self.view.seed, self._wire

    def finish(self, done: Done, labels: Labels | None, buffers: BufferPool) -> None:
        """Make the sample; the future gets it. Nothing if that was done."""
        future = self.held
        if future is None:
            return
        came = self.region is not None or done.data is not None
        if came and self._made is None and not future.done():
            try:
                self._made = self._sample(done, labels, buffers)
            except OSError:  # a signal handler's `TimeoutError`, say: done again
                raise
            except Exception as error:  # noqa: BLE001 -- whatever it is belongs to the future
                why = f"a worker's answer makes no sample: {error!r}"
                self.fail(WorkerError(why, index=self.view.index), buffers)
                return
        given = future.settle(self._made)
        if not given:
            self.give_back_lent(buffers)
        self._give_back(buffers)
        self._made = self._root = None

    def give_back_lent(self, buffers: BufferPool) -> None:
        """Nobody looks at what was borrowed any more."""
        region, self.lent = self.lent, None
        if region is not None:
            buffers.give(region)

    def _sample(self, done: Done, labels: Labels | None, buffers: BufferPool) -> Sample:
        if done.used is None:
            raise WorkerError("an answer that does not say what came of the view")
        cameras, layout = self._shown(done.used)
        if done.data is not None or self.region is None:
            arrays = layout.arrays(bytearray(done.data or b""))
        else:
            arrays = self._in_memory(layout, self.region, buffers)
        shown = list(zip(cameras, arrays, strict=True))
        return self._drawn_by.sample(self.view, done.used, labels, shown, self._ordered)

    def _in_memory(
        self, layout: Layout, region: Region, buffers: BufferPool
    ) -> list[dict[str, Array]]:
        """The arrays that the worker drew into, or copies where it needs the memory again."""
        block = self._block
        self._lent = self.borrowed or block is not None
        if self.borrowed:
            self.lent = region
        if block is not None:
            return block.arrays(self._place)
        if self._root is None:  # kept, or an interrupt would give back what is still lent
            self._root = np.frombuffer(region.memory, np.uint8)
        if not self._lent and layout.nbytes >= LENT_FROM:
            self._lent = buffers.lend(self._root, region)
        arrays = layout.arrays(self._root)
        if self._lent:
            return arrays
        return [{name: each.copy() for name, each in one.items()} for one in arrays]

    def _shown(self, used: Used) -> tuple[Sequence[Camera], Layout]:
        """The cameras as they were used, and where their passes stand."""
        asked, layout = self._cameras, self._layout
        if asked is not None and layout is not None and not any(used.cameras):
            if len(asked) != len(used.cameras):
                raise WorkerError("an answer with another number of cameras")
            return asked, layout
        wanted: Sequence[Camera | None] = asked or [None] * len(used.cameras)
        cameras = [_camera(*each) for each in zip(wanted, used.cameras, strict=True)]
        return cameras, lay_out(cameras, self._specs())

    def _give_back(self, buffers: BufferPool) -> None:
        region, self.region = self.region, None
        if region is not None and self._block is None and not self._lent:
            buffers.give(region)

    def _specs(self) -> PassSpecs:
        return select_passes(self.view.pass_names, self._drawn_by.specs)


class Reader:
    """Who takes the samples of a stream."""


class LostReader(weakref.ref[Reader]):
    """Tells once a reader is gone, which an interrupt may have kept from saying so."""

    order: StreamOrder


class StreamOrder(JobOrder):
    """An order whose answer is many samples, one after the other.

    Args:
        view: what is refined; None for what an engine publishes by itself.
        packed: the same for the wire.
        drawn_by: what all samples of the pool have in common.
        ahead: how many samples a worker may be ahead of who takes them.
        priority: which of the orders goes first.
        levels: of what is refined; None for the engine's own.

    Attributes:
        samples: what came and was not taken yet; at the end an error, or None.
    """

    several = True

    def __init__(
        self,
        view: View | None,
        packed: tuple[ViewWire, Blobs] | None,
        drawn_by: DrawnBy,
        ahead: int,
        priority: int = 0,
        *,
        levels: Sequence[float] | None = None,
    ) -> None:
        super().__init__(priority)
        self._levels = None if levels is None else list(levels)
        self.samples: SimpleQueue[Sample | BaseException | None] = SimpleQueue()
        self.ended = False
        self._view = view or View()
        self._wire = None if packed is None else packed[0]
        self.blobs = {} if packed is None else packed[1]
        self.shows = self._view.scene_version if packed is None else packed[0].scene_version
        self._drawn_by = drawn_by
        self._ahead = ahead
        self._ticket = 0
        self._heard = 0
        self._next = 0
        self._taken = 0
        self._ordered = time.time()

    def message(self, ticket: int) -> Refine | Publish:
        """What to tell the worker; one that begins anew also draws again what was taken."""
        self._ticket, self._heard = ticket, 0
        if self._wire is None:  # what nobody took yet counts as ahead
            self._next, self._taken = 0, -self.samples.qsize()
            return Publish(ticket, self._ahead + self._taken, self.priority)
        most = self._taken + self._ahead
        return Refine(ticket, self._wire, most, self.priority, self._levels)

    def read_by(self, reader: Reader, lost: Callable[[LostReader], object]) -> None:
        """Have `lost` called once a reader is gone; written in C, as interrupts end what is not."""
        self._reader = LostReader(reader, lost)
        self._reader.order = self

    @property
    def idle(self) -> bool:
        """Whether all was sent that may be until a sample is taken."""
        return self.lease is not None and self._heard >= self._taken + self._ahead

    @property
    def may_wait(self) -> bool:
        """Whether no deadline holds: also where the engine shows something when it likes."""
        return self.idle or self._wire is None

    def taken(self) -> None:
        """One sample was taken, so one more may be sent; and workers that died count no more."""
        self._taken += 1
        self._kills = 0

    def answer(self, message: Any, labels: Labels | None, buffers: BufferPool) -> Answer:
        """One more sample came, or all of them."""
        if isinstance(message, Partial):
            self._heard += 1
            return Answer(partial(self._take, message, labels), last=False)
        if isinstance(message, Done):
            return Answer(partial(self._end, None))
        return super().answer(message, labels, buffers)

    def _take(self, message: Partial, labels: Labels | None) -> None:
        """Take a sample; left out is one that came before, or whose worker has died meanwhile."""
        if message.number < self._next or message.ticket != self._ticket:
            return
        try:
            self.samples.put(self._sample(message, labels))
        except OSError:  # a signal handler's `TimeoutError`, say: done again
            raise
        except Exception as error:  # noqa: BLE001 -- whatever it is belongs to who waits
            self._end(WorkerError(f"a worker's answer makes no sample: {error!r}"))
        self._next = message.number + 1

    def fail(self, error: HeliographError, buffers: BufferPool) -> None:
        """Who waits gets the error."""
        del buffers
        self._end(error)

    def numbers(self, entry: int) -> tuple[int, int | None, ViewWire | None]:
        """Index, seed and view."""
        del entry
        return self._view.index, self._view.seed, self._wire

    def _end(self, what: BaseException | None) -> None:
        if not self.ended:
            self.samples.put(what)
            self.ended = True

    def _sample(self, message: Partial, labels: Labels | None) -> Sample:
        cameras = [_camera(None, each) for each in message.used.cameras]
        layout = lay_out(cameras, select_passes(message.passes, self._drawn_by.specs))
        if layout.nbytes > len(message.data):
            raise WorkerError(f"{len(message.data)} bytes for passes of {layout.nbytes}")
        arrays = layout.arrays(bytearray(message.data))
        shown = list(zip(cameras, arrays, strict=True))
        view = self._view
        if self._wire is None:
            view = unchecked_view(seed=message.seed, index=message.index)
        return self._drawn_by.sample(view, message.used, labels, shown, self._ordered)


class DescribeOrder(JobOrder):
    """An order to say how the newest version of the scene is.

    Attributes:
        described: what a worker said; or why there is no answer.
    """

    described: Opened | HeliographError | None = None

    def message(self, ticket: int) -> Describe:
        """What to tell the worker."""
        return Describe(ticket, self.priority)

    def answer(self, message: Any, labels: Labels | None, buffers: BufferPool) -> Answer:
        """Take what the worker says."""
        if not isinstance(message, Described):
            return super().answer(message, labels, buffers)
        self.described = message.opened
        return Answer()

    def fail(self, error: HeliographError, buffers: BufferPool) -> None:
        """There will be no answer."""
        del buffers
        self.described = error


class BatchJob:
    """A batch on its way.

    Args:
        batch: what to draw.
        known: the scene's own cameras.
        passes: the passes there are.
        scene_version: which version of the scene it shows, where that changes.
        priority: which of the orders goes first.

    Raises:
        HeliographError: cameras, poses or edits that are refused.
    """

    def __init__(
        self,
        batch: Batch,
        known: Mapping[str, Camera],
        passes: PassSpecs,
        scene_version: int | None = None,
        priority: int = 0,
    ) -> None:
        self.batch = batch
        self.priority = priority
        self.region: Region | None = None
        self.problems: dict[int, HeliographError] = {}
        self.kills: dict[int, int] = {}
        self._leased: list[tuple[WorkerHandle, int]] = []
        self._begun = False
        self._settled = False
        self._root: Array | None = None
        self.held: PoolFuture[Stacked] | None = None
        self.cameras = batch.resolved(known)
        self.layout = lay_out(
            self.cameras, select_passes(batch.common.pass_names, passes), len(batch)
        )
        self._known = known
        self._left = set(range(len(batch)))
        self.common, _ = pack_view(batch.common, known)
        self.common.scene_version = scene_version
        if batch.poses:
            self.common.cameras = self._by_value()

    @property
    def begun(self) -> bool:
        """Whether a worker is at any part of it, or was."""
        if not self._begun:
            self._begun = any(
                worker.page.status().ticket == ticket for worker, ticket in self._leased
            )
        return self._begun

    def leased(self, worker: WorkerHandle, ticket: int) -> None:
        """A worker got a part of it."""
        self._leased.append((worker, ticket))

    def chunks(self, workers: int) -> list[ChunkOrder]:
        """The batch in pieces, ever smaller ones: few, and all workers finish at about a time."""
        pieces: list[ChunkOrder] = []
        first, count = 0, len(self.batch)
        while first < count:
            size = min(-(-(count - first) // (2 * workers)), LARGEST_CHUNK)
            pieces.append(ChunkOrder(self, first, size))
            first += size
        return pieces

    def settle(self, entries: range, buffers: BufferPool) -> None:
        """These entries are drawn or given up; the future gets the result with the last."""
        self._left.difference_update(entries)
        self._begun, self._leased = True, []
        future, region = self.held, self.region
        if self._left or future is None or self._settled:
            return
        if self.problems or future.cancelled() or (region is None and len(self.batch)):
            self.region = None
            if region is not None:
                buffers.give(region)
            future.settle(None, self._first_problem())
        else:
            future.settle(self._stacked(region, buffers))
        self._settled, self._root = True, None

    def _first_problem(self) -> HeliographError:
        entry = min(self.problems, default=0)
        error = self.problems.get(entry) or WorkerError("the batch has no memory")
        others = len(self.problems) - 1
        more = f" (and {others} further entries failed)" if others > 0 else ""
        return self.batch.error(entry, error, more)

    def _stacked(self, region: Region | None, buffers: BufferPool) -> Stacked:
        if self._root is None:  # kept, or an interrupt would give back what is still lent
            memory = b"" if region is None else region.memory
            self._root = np.frombuffer(memory, np.uint8)
        root = self._root
        if region is not None and not buffers.lend(root, region):
            root = self._root = root[: self.layout.nbytes].copy()
            buffers.give(region)
        return {
            key_of(camera.name, name): array
            for camera, arrays in zip(self.cameras, self.layout.arrays(root), strict=True)
            for name, array in arrays.items()
        }

    def _by_value(self) -> list[str | CameraWire]:
        """Cameras that get poses of their own go by value, so that no state moves them."""
        wires = pack_cameras(self.batch.common.cameras or self.cameras[:1], self._known)
        return [
            pack_camera(camera) if camera.name in self.batch.poses else wire
            for wire, camera in zip(wires, self.cameras, strict=True)
        ]

    def view_wire(self, entry: int) -> ViewWire:
        """One entry as a view of its own, to be drawn by hand."""
        return pack_view(self.batch.view(entry, self._known), self._known, inline=True)[0]


class ChunkOrder(JobOrder):
    """Consecutive entries of a batch.

    Args:
        job: the batch.
        first: the first entry.
        count: how many.
        alone: whether they are drawn one after the other, as one of them killed a worker.
    """

    def __init__(self, job: BatchJob, first: int, count: int, *, alone: bool = False) -> None:
        super().__init__(job.priority)
        self._job = job
        self.held = job.held
        self.shows = job.common.scene_version
        self._first = first
        self._alone = alone
        self.weight = count
        rows = slice(first, first + count)
        self.blobs = Blobs()
        self._edits = [pack_edits(edits, self.blobs) for edits in job.batch.edits[rows]]

    def of(self, target: object) -> bool:
        """Whether it is a part of a batch."""
        return target is self._job

    def prepare(self, buffers: BufferPool) -> None:
        """Get the memory of the whole batch, which the first one takes."""
        if self._job.region is None:
            self._job.region = buffers.take(self._job.layout.nbytes)
        self.region = self._job.region
        if self.lease is not None and isinstance(self.lease.worker, WorkerHandle):
            self._job.leased(self.lease.worker, self.lease.ticket)

    def message(self, ticket: int) -> RenderMany:
        """What to tell the worker."""
        batch, rows = self._job.batch, slice(self._first, self._first + self.weight)
        region = self._job.region
        return RenderMany(
            ticket=ticket,
            region=-1 if region is None else region.id,
            total=len(batch),
            first=self._first,
            view=self._job.common,
            seeds=pack_array(batch.seeds[rows]),
            indices=pack_array(batch.indices[rows]),
            state={key: pack_array(column[rows]) for key, column in batch.state.items()},
            poses={name: pack_array(poses[rows]) for name, poses in batch.poses.items()},
            edits=self._edits,
            priority=self.priority,
            alone=self._alone or self.weight == 1,
        )

    def fail(self, error: HeliographError, buffers: BufferPool) -> None:
        """All its entries fail."""
        self._job.problems.update(dict.fromkeys(self._entries, error))
        self._job.settle(self._entries, buffers)

    def blame(self, entry: int) -> int:
        """Count a worker that died over an entry; how many there are now.

        A group that dies may do so at its end, where no entry is to blame by itself: it is drawn
        one by one from then on.
        """
        if not self._alone and self.weight > 1:
            self._alone = True
            return 0
        entry = self._inside(entry)
        self._job.kills[entry] = self._job.kills.get(entry, 0) + 1
        return self._job.kills[entry]

    def without(self, entry: int) -> Sequence[JobOrder]:
        """The pieces before and after an entry that is given up."""
        entry = self._inside(entry)
        end = self._entries.stop
        pieces = [(self._first, entry - self._first), (entry + 1, end - entry - 1)]
        return [ChunkOrder(self._job, first, n, alone=True) for first, n in pieces if n]

    def give_up(self, entry: int, error: WorkerError, buffers: BufferPool) -> None:
        """The entry fails; `without` says what goes on."""
        entry = self._inside(entry)
        self._job.problems[entry] = error
        self._job.settle(range(entry, entry + 1), buffers)

    def numbers(self, entry: int) -> tuple[int, int | None, ViewWire | None]:
        """Index, seed and view."""
        batch, entry = self._job.batch, self._inside(entry)
        return int(batch.indices[entry]), int(batch.seeds[entry]), self._job.view_wire(entry)

    def answer(self, message: Any, labels: Labels | None, buffers: BufferPool) -> Answer:
        """Its entries are drawn; or only the first of them, as something more urgent came."""
        if self.cancelled or not isinstance(message, DoneMany) or not self._fits(message):
            return super().answer(message, labels, buffers)
        do, first = partial(self.finish, message, buffers), self._first + message.count
        left = self.weight - message.count
        rest = [ChunkOrder(self._job, first, left, alone=self._alone)] if left else ()
        return Answer(do, rest=rest)

    def _fits(self, done: DoneMany) -> bool:
        """Whether an answer is about entries of it, and about one at least."""
        known = all(entry in self._entries for entry in done.problems)
        return known and 0 < done.count <= self.weight

    def finish(self, done: DoneMany, buffers: BufferPool) -> None:
        """Its first entries are drawn, or have problems."""
        for entry, problem in done.problems.items():
            self._job.problems[entry] = unpack_error(problem)
        self._job.settle(self._entries[: done.count], buffers)

    @property
    def _entries(self) -> range:
        return range(self._first, self._first + self.weight)

    def _inside(self, entry: int) -> int:
        return entry if entry in self._entries else self._first


def _camera(asked: Camera | None, used: Any) -> Camera:
    if asked is None or not (used is None or isinstance(used, bytes)):
        return unpack_camera(used)
    return asked if used is None else asked.moved(unpack_pose(used))
