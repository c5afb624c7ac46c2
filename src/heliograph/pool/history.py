"""Which changes of the scene were made for good, and which worker has which of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from heliograph.camera import Camera
from heliograph.errors import HeliographError
from heliograph.passes import PassSpecs
from heliograph.pool.buffers import BufferPool
from heliograph.pool.jobs import JobOrder
from heliograph.pool.worker_handle import WorkerHandle
from heliograph.transport.messages import Advance
from heliograph.transport.values import ArrayWire
from heliograph.worker.layouts import Layouts


class AdvanceOrder(JobOrder):
    """Changes that are to be made by every worker, in the same order.

    Args:
        changes: as `transport.values.pack` writes them, encoded.
        blobs: arrays that they name by their hash.
    """

    def __init__(self, changes: msgspec.Raw, blobs: Mapping[bytes, ArrayWire]) -> None:
        super().__init__()
        self.changes = changes
        self.blobs = blobs

    def fail(self, error: HeliographError, buffers: BufferPool) -> None:
        """The future gets the error."""
        del buffers
        if self.held is not None:
            self.held.settle(None, error)


class SceneVersion(NamedTuple):
    """What an order has to know of the version of the scene that it shows.

    Attributes:
        number: the version.
        cameras: its cameras by name.
        layouts: cameras and layouts of views of it.
    """

    number: int
    cameras: Mapping[str, Camera]
    layouts: Layouts


class _Made(NamedTuple):
    """A change that was taken: the version that it made, and the cameras there are since."""

    order: AdvanceOrder
    version: int
    cameras: Mapping[str, Camera]


@dataclass
class _Replica:
    """The scene of one worker.

    Attributes:
        version: what it has said to have.
        told: what it will have once it has answered all that it was told.
        opened_at: the newest version as it opened the scene.
    """

    version: int
    told: int
    opened_at: int


class SceneHistory:
    """Tries each change on one worker; all others, and those that come later, get what it took.

    Attributes:
        now: the newest version, replaced as a whole, so any thread may take it.
        begun: whether a worker has opened the scene.
    """

    def __init__(self) -> None:
        self.now = SceneVersion(0, {}, Layouts({}, {}))
        self.begun = False
        self._passes: PassSpecs = {}
        self._made: list[AdvanceOrder] = []
        self._arrays: dict[bytes, ArrayWire] = {}
        self._first = 0
        self._waiting: deque[AdvanceOrder] = deque()
        self._tried_by: WorkerHandle | None = None
        self._accepted: _Made | None = None
        self._replicas: dict[WorkerHandle, _Replica] = {}

    @property
    def newest(self) -> int:
        """The newest version of the scene."""
        return self.now.number

    def begin(self, version: int, cameras: Mapping[str, Camera], passes: PassSpecs) -> None:
        """The scene as it was opened."""
        self._first, self._passes = version, passes
        self.now = SceneVersion(version, cameras, Layouts(cameras, passes))
        self.begun = True

    @property
    def waiting(self) -> bool:
        """Whether any change is not made yet."""
        return bool(self._waiting)

    @property
    def pending(self) -> bool:
        """Whether a change is to be tried, and none is being tried."""
        return bool(self._waiting) and self._tried_by is None

    def add(self, order: AdvanceOrder) -> None:
        """Take a change; one that is here already stays as it is."""
        if order.sequence < 0 and order not in self._waiting:
            self._waiting.append(order)
            order.sequence = 0

    def withdraw(self, order: AdvanceOrder) -> None:
        """Nobody waits for a change any more: it is not made, unless it is being tried."""
        if order in self._waiting and (self._tried_by is None or order is not self.tried):
            self._waiting.remove(order)

    def owed(self, worker: WorkerHandle) -> range:
        """The tickets of the changes that a worker has not answered yet, the oldest first."""
        replica = self._replicas.get(worker)
        return range(0) if replica is None else range(-replica.version - 1, -replica.told - 1, -1)

    def tries(self, worker: WorkerHandle) -> bool:
        """Whether what a worker answers next is the change that it tries."""
        return worker is self._tried_by and self._replicas[worker].version == self.newest

    def knows(self, worker: WorkerHandle) -> bool:
        """Whether a worker is told of each change, as it has opened the scene."""
        return worker in self._replicas

    def caught_up(self, worker: WorkerHandle) -> bool:
        """Whether a worker has made all changes that there were as it opened the scene."""
        replica = self._replicas[worker]
        return replica.version >= replica.opened_at

    def try_on(self, worker: WorkerHandle) -> None:
        """Have a worker try the next change.

        Raises:
            WorkerError: it cannot be sent.
        """
        self._tell(worker, self.tried, self.newest + 1)
        self._tried_by = worker

    def tell_all(self, worker: WorkerHandle) -> None:
        """Tell a worker that has just opened the scene all that has changed since."""
        self._replicas[worker] = _Replica(self._first, self._first, self.newest)
        for number, order in enumerate(self._made, start=self._first + 1):
            self._tell(worker, order, number)

    def taken(self, worker: WorkerHandle) -> None:
        """A worker has made the oldest change that it owed."""
        self._replicas[worker].version += 1

    def accept(
        self, cameras: Mapping[str, Camera], others: list[WorkerHandle]
    ) -> tuple[AdvanceOrder, int]:
        """The change that was tried is made: tell the others. `done` says that all is done.

        Returns:
            The change, and the version that it made.
        """
        made = self._accepted = _Made(self.tried, self.newest + 1, cameras)
        self._make(made)
        for worker in others:
            self._tell(worker, made.order, made.version)
        return made.order, made.version

    def done(self) -> None:
        """The change that was accepted is told to whom it concerns."""
        self._accepted = None

    @property
    def tried(self) -> AdvanceOrder:
        """The change that is being tried, or will be next."""
        return self._waiting[0]

    def refuse(self) -> None:
        """The change that was tried does not fit the scene, or cannot be sent."""
        if self._tried_by is not None:
            replica = self._replicas[self._tried_by]
            replica.version = replica.told = self.newest
        self._tried_by = None
        self._waiting.popleft()

    def lost(self, worker: WorkerHandle) -> AdvanceOrder | None:
        """A worker is dead; the change that it tried, which another one may try."""
        self._replicas.pop(worker, None)
        if worker is not self._tried_by:
            return None
        self._tried_by = None
        return self.tried

    def clear(self) -> list[AdvanceOrder]:
        """The changes that will not be made."""
        orders, self._waiting, self._tried_by = list(self._waiting), deque(), None
        return orders

    def repair(self, workers: Collection[WorkerHandle]) -> tuple[AdvanceOrder, int] | None:
        """After an interrupt left a step half done.

        Args:
            workers: those there are.

        Returns:
            A change that was just accepted, of which nobody may know yet, and the version it made.
        """
        if self._tried_by not in workers:
            self._tried_by = None
        if self._accepted is None:
            return None
        self._make(self._accepted)
        return self._accepted.order, self._accepted.version

    def _make(self, made: _Made) -> None:
        order, cameras, layouts = made.order, made.cameras, self.now.layouts
        if not self._made or self._made[-1] is not order:
            self._made.append(order)
            keep = self._arrays.setdefault  # an array that many changes name is there once
            order.blobs = {digest: keep(digest, array) for digest, array in order.blobs.items()}
        if cameras == self.now.cameras:
            cameras = self.now.cameras  # the same objects: one of them by value goes by its name
        else:
            layouts = Layouts(cameras, self._passes)
        self.now = SceneVersion(made.version, cameras, layouts)
        self._tried_by = None
        if self._waiting and self._waiting[0] is order:
            self._waiting.popleft()

    def _tell(self, worker: WorkerHandle, order: AdvanceOrder, version: int) -> None:
        worker.put_blobs(order.blobs)
        worker.put(Advance(-version, version, order.changes))
        self._replicas[worker].told = version
