"""Which changes of the scene were made for good, and which worker has which of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from heliograph.camera import Camera
from heliograph.errors import HeliographError
from heliograph.passes import PassSpecs
from heliograph.pool.buffers import BufferPool
from heliograph.pool.jobs import JobOrder
from heliograph.pool.worker_handle import WorkerHandle
from heliograph.transport.messages import Advance, Advanced
from heliograph.transport.values import ArrayWire, unpack_camera
from heliograph.worker.layouts import Layouts


class AdvanceOrder(JobOrder):
    """Changes that are to be made by every worker, in the same order.

    Args:
        changes: as `transport.values.pack` writes them.
        blobs: arrays that they name by their hash.
    """

    def __init__(self, changes: Any, blobs: Mapping[bytes, ArrayWire]) -> None:
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


class SceneHistory:
    """Tries each change on one worker; all others, and those that come later, get what it took.

    Attributes:
        now: the newest version, replaced as a whole, so any thread may take it.
    """

    def __init__(self) -> None:
        self.now = SceneVersion(0, {}, Layouts({}, {}))
        self._passes: PassSpecs = {}
        self._made: list[AdvanceOrder] = []
        self._first = 0
        self._waiting: deque[AdvanceOrder] = deque()
        self._tried_by: WorkerHandle | None = None
        self._accepted: tuple[AdvanceOrder, Advanced] | None = None

    @property
    def newest(self) -> int:
        """The newest version of the scene."""
        return self.now.number

    def begin(self, version: int, cameras: Mapping[str, Camera], passes: PassSpecs) -> None:
        """The scene as it was opened."""
        self._first, self._passes = version, passes
        self.now = SceneVersion(version, cameras, Layouts(cameras, passes))

    @property
    def waiting(self) -> bool:
        """Whether any change is not made yet."""
        return bool(self._waiting)

    @property
    def pending(self) -> AdvanceOrder | None:
        """The change that is to be tried next, if none is being tried."""
        return self._waiting[0] if self._waiting and self._tried_by is None else None

    def add(self, order: AdvanceOrder) -> None:
        """Take a change; one that is here already stays as it is."""
        if order.sequence < 0 and order not in self._waiting:
            self._waiting.append(order)
            order.sequence = 0

    def tries(self, worker: WorkerHandle, ticket: int) -> bool:
        """Whether an answer is that of a worker to the change that it tries, and to none before."""
        return worker is self._tried_by and ticket == -(self.newest + 1)

    def try_on(self, worker: WorkerHandle) -> None:
        """Have a worker try the next change."""
        self._tried_by = worker
        self._tell(worker, self._waiting[0], self.newest + 1)

    def tell_all(self, worker: WorkerHandle) -> None:
        """Tell a worker that has just opened the scene all that has changed since."""
        for number, order in enumerate(self._made, start=self._first + 1):
            self._tell(worker, order, number)

    def accept(self, answer: Advanced, others: list[WorkerHandle]) -> AdvanceOrder:
        """The change that was tried is made: tell the others. `done` says that all is done."""
        order = self._waiting[0]
        self._accepted = order, answer
        self._make(order, answer)
        for worker in others:
            self._tell(worker, order, self.newest)
        return order

    def done(self) -> None:
        """The change that was accepted is told to whom it concerns."""
        self._accepted = None

    @property
    def tried(self) -> AdvanceOrder:
        """The change that is being tried."""
        return self._waiting[0]

    def refuse(self) -> None:
        """The change that was tried does not fit the scene."""
        self._tried_by = None
        self._waiting.popleft()

    def lost(self, worker: WorkerHandle) -> AdvanceOrder | None:
        """A worker is dead; the change that it tried, which another one may try."""
        if worker is not self._tried_by:
            return None
        self._tried_by = None
        return self._waiting[0]

    def clear(self) -> list[AdvanceOrder]:
        """The changes that will not be made."""
        orders, self._waiting = list(self._waiting), deque()
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
        self._make(*self._accepted)
        return self._accepted[0], self.newest

    def _make(self, order: AdvanceOrder, answer: Advanced) -> None:
        if not self._made or self._made[-1] is not order:
            self._made.append(order)
        cameras: Mapping[str, Camera] = {wire.name: unpack_camera(wire) for wire in answer.cameras}
        layouts = self.now.layouts
        if cameras == self.now.cameras:
            cameras = self.now.cameras  # the same objects: one of them by value goes by its name
        else:
            layouts = Layouts(cameras, self._passes)
        self.now = SceneVersion(answer.version, cameras, layouts)
        self._tried_by = None
        if self._waiting and self._waiting[0] is order:
            self._waiting.popleft()

    def _tell(self, worker: WorkerHandle, order: AdvanceOrder, version: int) -> None:
        worker.put_blobs(order.blobs)
        worker.put(Advance(-version, version, order.changes))
