"""Batches over a pool: one piece of shared memory, written in place by the workers."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

import numpy as np

from heliograph.batch import Batch, key_of
from heliograph.camera import Camera
from heliograph.errors import HeliographError, WorkerError
from heliograph.frame import Array
from heliograph.passes import PassSpecs, select_passes
from heliograph.pool.orders import Order, deliver
from heliograph.transport.layout import lay_out
from heliograph.transport.messages import DoneMany, RenderMany, ViewWire
from heliograph.transport.problems import unpack_error
from heliograph.transport.slots import Region
from heliograph.transport.values import ArrayWire, CameraWire, pack_array, pack_camera
from heliograph.transport.views import pack_cameras, pack_edits, pack_view
from heliograph.view import View

Stacked = dict[str, Array]


class Memory(Protocol):
    """Where a batch's memory comes from."""

    def give(self, region: Region) -> None:
        """Take it back."""

    def lend(self, root: Array, region: Region) -> bool:
        """Take it back once an array is gone; whether that is possible."""


LARGEST_CHUNK = 256


class BatchJob:
    """A batch on its way.

    Args:
        batch: what to draw.
        known: the scene's own cameras.
        passes: the passes there are.
        memory: where the memory of the result came from.

    Raises:
        HeliographError: cameras, poses or edits that are refused.
    """

    def __init__(
        self, batch: Batch, known: dict[str, Camera], passes: PassSpecs, memory: Memory
    ) -> None:
        self.batch = batch
        self.cameras = batch.resolved(known)
        self.layout = lay_out(
            self.cameras, select_passes(batch.common.pass_names, passes), len(batch)
        )
        self.future: Future[Stacked] = Future()
        self.future.set_running_or_notify_cancel()  # a batch cannot be cancelled
        self.region: Region | None = None
        self.problems: dict[int, HeliographError] = {}
        self.kills: dict[int, int] = {}
        self._known = known
        self._memory = memory
        self._left = len(batch)
        self.common = pack_view(batch.common, known)
        if batch.poses:
            self.common.cameras = self._by_value()

    def chunks(self, workers: int) -> list[ChunkOrder]:
        """The batch in pieces, ever smaller ones: few, and all workers finish at about a time."""
        pieces: list[ChunkOrder] = []
        first, count = 0, len(self.batch)
        while first < count:
            size = min(-(-(count - first) // (2 * workers)), LARGEST_CHUNK)
            pieces.append(ChunkOrder(self, first, size))
            first += size
        return pieces

    def settle(self, count: int) -> None:
        """So many entries are drawn or given up; the future gets the result with the last."""
        self._left -= count
        if self._left > 0 or self.future.done():
            return
        region = self.region
        if self.problems or region is None:
            if region is not None:
                self._memory.give(region)
            deliver(self.future.set_exception, self._first_problem())
        else:
            deliver(self.future.set_result, self._stacked(region))

    def _first_problem(self) -> HeliographError:
        entry = min(self.problems, default=0)
        error = self.problems.get(entry) or WorkerError("the batch has no memory")
        others = len(self.problems) - 1
        more = f" (and {others} further entries failed)" if others > 0 else ""
        seed = int(self.batch.seeds[entry]) if len(self.batch) else None
        message = f"entry {entry} of {len(self.batch)}: {error.message}{more}"
        return type(error)(message, index=entry, seed=seed, repro=error.repro)

    def _stacked(self, region: Region) -> Stacked:
        root = self._owned(region)
        stacks = self.layout.arrays(root)
        return {
            key_of(camera.name, name): array
            for camera, arrays in zip(self.cameras, stacks, strict=True)
            for name, array in arrays.items()
        }

    def _owned(self, region: Region) -> Array:
        """The memory of the result, which is its arrays' from now on."""
        root = np.frombuffer(region.memory, np.uint8)
        if self._memory.lend(root, region):
            return root
        copy = root[: self.layout.nbytes].copy()
        self._memory.give(region)
        return copy

    def _by_value(self) -> list[str | CameraWire]:
        """Cameras that get poses of their own go by value, so that no state moves them."""
        wires = pack_cameras(self.batch.common.cameras or self.cameras[:1], self._known)
        return [
            pack_camera(camera) if camera.name in self.batch.poses else wire
            for wire, camera in zip(wires, self.cameras, strict=True)
        ]

    def view_wire(self, entry: int) -> ViewWire:
        """One entry as a view of its own."""
        view: View = self.batch.view(entry, self._known)
        return pack_view(view, self._known)


class ChunkOrder:
    """Consecutive entries of a batch.

    Args:
        job: the batch.
        first: the first entry.
        count: how many.
    """

    nbytes = 0

    def __init__(self, job: BatchJob, first: int, count: int) -> None:
        self._job = job
        self._first = first
        self._count = count

    @property
    def region(self) -> Region | None:
        """The memory of the whole batch."""
        return self._job.region

    @property
    def weight(self) -> int:
        """How many entries."""
        return self._count

    def begin(self) -> bool:
        """Whether it is still wanted."""
        return True

    def message(self, ticket: int, region: int) -> RenderMany:
        """What to tell the worker."""
        batch, rows = self._job.batch, slice(self._first, self._first + self._count)
        return RenderMany(
            ticket=ticket,
            region=region,
            total=len(batch),
            first=self._first,
            view=self._job.common,
            seeds=pack_array(batch.seeds[rows]),
            state={key: pack_array(column[rows]) for key, column in batch.state.items()},
            poses=self._poses(rows),
            edits=[pack_edits(edits) for edits in batch.edits[rows]],
        )

    def fail(self, error: HeliographError) -> None:
        """All its entries fail."""
        self._job.problems.update(dict.fromkeys(range(self._first, self._end), error))
        self._job.settle(self._count)

    def blame(self, entry: int) -> int:
        """Count a worker that died over an entry; how many there are now."""
        entry = self._inside(entry)
        self._job.kills[entry] = self._job.kills.get(entry, 0) + 1
        return self._job.kills[entry]

    def give_up(self, entry: int, error: WorkerError) -> Sequence[Order]:
        """The entry fails; the rest before and after it goes on."""
        entry = self._inside(entry)
        self._job.problems[entry] = error
        pieces = [(self._first, entry - self._first), (entry + 1, self._end - entry - 1)]
        left = [ChunkOrder(self._job, first, count) for first, count in pieces if count]
        self._job.settle(1)
        return left

    def numbers(self, entry: int) -> tuple[int, int | None, ViewWire]:
        """Entry, seed and view."""
        entry = self._inside(entry)
        return entry, int(self._job.batch.seeds[entry]), self._job.view_wire(entry)

    def finish(self, done: DoneMany) -> None:
        """Its entries are drawn, or have problems."""
        for entry, problem in done.problems.items():
            self._job.problems[entry] = unpack_error(problem)
        self._job.settle(self._count)

    @property
    def _end(self) -> int:
        return self._first + self._count

    def _inside(self, entry: int) -> int:
        return entry if self._first <= entry < self._end else self._first

    def _poses(self, rows: slice) -> dict[str, ArrayWire]:
        return {name: pack_array(poses[rows]) for name, poses in self._job.batch.poses.items()}
