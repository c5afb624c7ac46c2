"""What a pool's workers are asked for, and what is done with their answers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from heliograph.camera import Camera
from heliograph.errors import HeliographError, WorkerError
from heliograph.frame import Array, Frame, Labels, Provenance, Sample, assembled
from heliograph.passes import PassSpecs, select_passes
from heliograph.pool.blocks import Block, Blocks
from heliograph.transport.layout import Layout, lay_out
from heliograph.transport.messages import Done, Render, Used, ViewWire
from heliograph.transport.slots import Region
from heliograph.transport.values import unpack, unpack_array, unpack_camera, unpack_pose
from heliograph.view import View

_LOG = logging.getLogger(__name__)

Later = Callable[[], object]
"""Something to be done once the pool's lock is free: copies, and setting futures."""


class Order(Protocol):
    """Something that one worker can be asked for in one message."""

    @property
    def nbytes(self) -> int:
        """How much memory it needs, of its own."""

    @property
    def region(self) -> Region | None:
        """The memory it goes to; None to be given some."""

    @property
    def weight(self) -> int:
        """How many views it is."""

    def begin(self) -> bool:
        """Whether it is still wanted; from now on it cannot be cancelled."""

    def message(self, ticket: int, region: int) -> Any:
        """What to tell the worker."""

    def fail(self, error: HeliographError) -> None:
        """It will not be done."""

    def blame(self, entry: int) -> int:
        """Count a worker that died over it; how many there are now."""

    def give_up(self, entry: int, error: WorkerError) -> Sequence[Order]:
        """Fail what killed too many workers; the orders that are left of it."""

    def numbers(self, entry: int) -> tuple[int, int | None, ViewWire]:
        """Index, seed and view of an entry."""


class SampleOrder:
    """An order for one sample.

    Args:
        view: what to show.
        wire: the same for the wire.
        cameras: the cameras by value, or None where only the engine can tell.
        layout: where their passes stand, or how many bytes to try with.
        drawn_by: what all samples of the pool bear, and the specs of its passes.
    """

    weight = 1

    def __init__(
        self,
        view: View,
        wire: ViewWire,
        cameras: Sequence[Camera] | None,
        layout: Layout | int,
        drawn_by: tuple[Provenance, PassSpecs],
    ) -> None:
        self.view = view
        self.nbytes = layout if isinstance(layout, int) else layout.nbytes
        self.borrowed = False
        self._made, self._specs = drawn_by
        self._ordered = time.time()
        self.future: Future[Sample] = Future()
        self.lent: Region | None = None
        self.block: Block | None = None
        self._place = 0
        self._wire = wire
        self._cameras = cameras
        self._layout = layout
        self._kills = 0
        self._begun: bool | None = None

    @property
    def region(self) -> Region | None:
        """The memory of the block that it has a place in; None to be given some."""
        return None if self.block is None else self.block.region

    def take_place(self, blocks: Blocks) -> None:
        """Take a place beside others', where the cameras say how much room that is."""
        if self._cameras is None:
            return
        found = blocks.place(lay_out(self._cameras, self._asked_specs(), blocks.total))
        if found is not None:
            self.block, self._place = found

    def begin(self) -> bool:
        """Whether it is still wanted; from now on it cannot be cancelled."""
        if self._begun is None:
            # It runs already where an interrupt hit before that was noted down.
            self._begun = self.future.running() or self.future.set_running_or_notify_cancel()
        return self._begun

    def message(self, ticket: int, region: int) -> Render:
        """What to tell the worker."""
        total = 0 if self.block is None else self.block.total
        return Render(ticket, region, self._wire, self._place, total)

    def fail(self, error: HeliographError) -> None:
        """The future gets the error, with the sample's numbers where it has a seed."""
        if self.view.seed is not None and error.seed is None:
            error.index, error.seed = self.view.index, self.view.seed
        if self.begin() and not self.future.done():
            deliver(self.future.set_exception, error)

    def blame(self, entry: int) -> int:
        """Count a worker that died over it; how many there are now."""
        del entry
        self._kills += 1
        return self._kills

    def give_up(self, entry: int, error: WorkerError) -> Sequence[Order]:
        """The future gets the error."""
        del entry
        self.fail(error)
        return ()

    def numbers(self, entry: int) -> tuple[int, int | None, ViewWire]:
        """Index, seed and view."""
        del entry
        return self.view.index, self.view.seed, self._wire

    def finish(self, done: Done, memory: Any, labels: Labels | None, *, copy: bool = False) -> None:
        """Make the sample of arrays that lie in this memory, or of copies; the future gets it.

        The sample of a block lies there, whatever memory this is.
        """
        try:
            sample = self._sample(done.used, memory, labels, copy)
        except Exception as error:  # noqa: BLE001 -- whatever it is belongs to the future
            self.fail(
                WorkerError(f"a worker's answer makes no sample: {error!r}", index=self.view.index)
            )
            return
        deliver(self.future.set_result, sample)

    def _sample(self, used: Used, memory: Any, labels: Labels | None, copy: bool) -> Sample:
        if labels is None:
            raise WorkerError(f"a table of labels {used.labels} that never came")
        view = self.view
        cameras, layout = self._shown(used)
        block, place = self.block, self._place
        shown = layout.arrays(memory) if block is None else block.arrays(place)
        frames = {
            camera.name: assembled(
                Frame,
                camera=camera,
                passes=_copied(arrays) if copy else arrays,
                labels=labels,
                specs=self._specs,
            )
            for camera, arrays in zip(cameras, shown, strict=True)
        }
        state: Mapping[str, Any] = view.state
        if used.state is not None:
            state = {key: unpack_array(each) for key, each in used.state.items()}
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
                engine=self._made.engine,
                device=self._made.device,
                scene_version=used.scene_version,
                ordered=self._ordered,
                begun=used.begun,
                done=used.done,
            ),
        )

    def _shown(self, used: Used) -> tuple[Sequence[Camera], Layout]:
        """The cameras as they were used, and where their passes stand."""
        asked, layout = self._cameras, self._layout
        if asked is not None and isinstance(layout, Layout) and not any(used.cameras):
            if len(asked) != len(used.cameras):
                raise WorkerError("an answer with another number of cameras")
            return asked, layout
        wanted: Sequence[Camera | None] = asked or [None] * len(used.cameras)
        cameras = [_camera(*each) for each in zip(wanted, used.cameras, strict=True)]
        return cameras, lay_out(cameras, self._asked_specs())

    def _asked_specs(self) -> PassSpecs:
        return select_passes(self.view.pass_names, self._specs)


def deliver(give: Callable[[Any], None], what: Any) -> None:
    """Give a future what it waits for.

    A future lets `SystemExit` and the like out of the callbacks of users. They must not end the
    thread that serves everybody; but Ctrl-C in a thread of the user's is theirs.
    """
    try:
        give(what)
    except Exception:
        raise  # no callback's: the future itself says so
    except BaseException:
        if threading.current_thread() is threading.main_thread():
            raise
        _LOG.exception("a callback of a future wanted to end the thread of its pool")


def _copied(arrays: dict[str, Array]) -> dict[str, Array]:
    return {name: array.copy() for name, array in arrays.items()}


def _camera(asked: Camera | None, used: Any) -> Camera:
    if asked is None or not (used is None or isinstance(used, bytes)):
        return unpack_camera(used)
    return asked if used is None else asked.moved(unpack_pose(used))
