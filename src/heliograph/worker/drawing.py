"""Drawing orders straight into shared memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.engine import (
    VERSIONS_KEPT,
    CancelToken,
    Engine,
    Outcome,
    Outs,
    attempt,
    resolve_cameras,
)
from heliograph.errors import ClosedError, HeliographError, UnknownNameError, WorkerError
from heliograph.frame import LaidOut, Sample
from heliograph.passes import PassSpecs, select_passes
from heliograph.scene import Edit
from heliograph.transport.layout import Layout, lay_out
from heliograph.transport.messages import (
    Advance,
    Advanced,
    Describe,
    Described,
    Done,
    DoneMany,
    Partial,
    Publish,
    Refine,
    Render,
    RenderMany,
    Used,
    ViewWire,
)
from heliograph.transport.problems import pack_error
from heliograph.transport.slots import Region
from heliograph.transport.status import StatusPage
from heliograph.transport.tables import SentTables
from heliograph.transport.values import (
    CameraWire,
    pack,
    pack_array,
    pack_camera,
    unpack_array,
    unpack_camera,
)
from heliograph.transport.views import unpack_edits, unpack_view
from heliograph.view import View, unchecked_view
from heliograph.worker.layouts import Layouts
from heliograph.worker.opening import describe

_MOST_RESIZED = 256


class SharedToken(CancelToken):
    """A token that is cancelled by the status page, or in this process.

    Args:
        page: the page.
        ticket: of the order.
    """

    def __init__(self, page: StatusPage, ticket: int) -> None:
        super().__init__()
        self._page = page
        self._ticket = ticket

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits any more."""
        return self._page.cancelled(self._ticket) or super().cancelled


@dataclass
class SampleStream:
    """Samples that are drawn one after the other for one order.

    Attributes:
        ticket: of the order.
        priority: of the order.
        token: says that nobody waits any more.
        samples: draws the next one.
        credits: how many may be sent.
        sent: how many were.
    """

    ticket: int
    priority: int
    token: CancelToken
    samples: Iterator[Sample]
    credits: int
    sent: int = 0

    @property
    def runnable(self) -> bool:
        """Whether the next sample may be sent; or the end, as nobody waits any more."""
        return self.credits > self.sent or self.token.cancelled


class RenderExecutor:
    """Draws the orders of a pool with one engine.

    Args:
        engine: draws the views.
        page: where to say what is being drawn, and to see what nobody waits for.
        more_urgent: whether an order came of a higher priority than this.

    Attributes:
        regions: the shared memory by number.
        blobs: arrays by the hash of their content.
    """

    def __init__(
        self,
        engine: Engine,
        page: StatusPage,
        more_urgent: Callable[[int], bool] = lambda _: False,
    ) -> None:
        self.engine = engine
        self.regions: dict[int, Region] = {}
        self.blobs: dict[bytes, NDArray[Any]] = {}
        self._page = page
        self._more_urgent = more_urgent
        self._own_labels = engine.labels
        self._passes = engine.passes
        self._tables = SentTables(self._own_labels)
        self._known: dict[int, Mapping[str, Camera]] = {}
        self._layouts: dict[int, Layouts] = {}
        self._look_again()

    def _look_again(self) -> None:
        """Take the cameras of the newest version of the scene; those of the last few are kept."""
        self._newest = self.engine.provenance.scene_version
        self._known[self._newest] = self.engine.cameras
        self._layouts[self._newest] = Layouts(self.engine.cameras, self._passes)
        self._resized: set[tuple[Any, ...]] = set()
        for version in list(self._known)[:-VERSIONS_KEPT]:
            del self._known[version], self._layouts[version]

    def _version(self, named: int | None) -> int:
        """The version that a view shows; of one that is gone, the engine says so."""
        return named if named in self._known else self._newest

    def draw(self, order: Render) -> Done:
        """Draw one view.

        Raises:
            HeliographError: it cannot be drawn, or nobody waits for it.
        """
        self._begin(order.ticket)
        view = unpack_view(order.view, self.blobs)
        asked = None if order.region < 0 else self._asked(view)
        sample = None if asked is None else self._direct(view, asked, order)
        if sample is not None and asked is not None:
            return Done(order.ticket, self._used(view, asked[0], sample))
        sample = self.engine.render(view)
        if asked is not None and len(self._resized) < _MOST_RESIZED:
            self._resized.add((view.cameras, view.pass_names))  # not tried in vain again
        return Done(order.ticket, self._used(view, None, sample), self._packed(sample))

    def draw_many(self, order: RenderMany) -> DoneMany:
        """Draw entries of a batch until something more urgent comes; those that fail are reported.

        What fails as a whole is drawn again one by one, so that each entry has its own error.
        """
        self._begin(order.ticket, order.first)
        columns = _Columns(order, self.blobs)
        known = self._known[self._version(order.view.scene_version)]
        cameras = resolve_cameras(columns.view(0), known)
        region = self._region(order.region)
        specs = select_passes(order.view.passes, self._passes)
        layout = lay_out(cameras, specs, order.total)
        if layout.nbytes > region.nbytes:
            raise WorkerError(f"a batch of {layout.nbytes} bytes in {region.nbytes}")
        stacks = [list(arrays.items()) for arrays in layout.arrays(region.memory)]
        entries = range(order.first, order.first + columns.count)

        def outs() -> Iterator[LaidOut]:
            for entry in entries:
                yield LaidOut({name: stack[entry] for name, stack in each} for each in stacks)

        outcomes: Sequence[Outcome] | None = None
        if not order.alone:
            try:
                outcomes = self.engine.render_many(self._begun(order, columns), outs())
            except Exception:  # noqa: BLE001 -- whoever it belongs to raises it again
                outcomes = None
        if outcomes is None:
            outcomes = _one_by_one(self.engine, self._begun(order, columns), outs())
        problems = {
            entry: pack_error(outcome)
            for entry, outcome in zip(entries, outcomes, strict=False)
            if isinstance(outcome, HeliographError)
        }
        return DoneMany(order.ticket, len(outcomes), problems)

    def begin_stream(self, order: Refine | Publish) -> SampleStream:
        """What yields the samples of an order.

        Raises:
            HeliographError: it cannot be drawn.
        """
        token = SharedToken(self._page, order.ticket)
        if isinstance(order, Publish):
            samples = self.engine.publish(token)
        else:
            samples = self.engine.refine(unpack_view(order.view, self.blobs), token, order.levels)
        return SampleStream(order.ticket, order.priority, token, iter(samples), order.credits)

    def step(self, stream: SampleStream) -> Partial | Done:
        """Draw the next sample of a stream; `Done` where that is its end.

        Raises:
            HeliographError: it cannot be drawn.
        """
        self._page.begin(stream.ticket, stream.sent)
        sample = None if stream.token.cancelled else next(stream.samples, None)
        if sample is None or stream.token.cancelled:
            return Done(stream.ticket)
        used, names = self._used(None, None, sample), list(next(iter(sample)).passes)
        stream.sent += 1
        what = (used, names, self._packed(sample), sample.seed, int(sample.index))
        return Partial(stream.ticket, stream.sent - 1, *what)

    def _packed(self, sample: Sample) -> bytes:
        """The passes of a sample, for a message that holds them itself."""
        frames = list(sample)
        specs = select_passes(tuple(frames[0].passes), self._passes)
        layout = lay_out([frame.camera for frame in frames], specs)
        data = bytearray(layout.nbytes)
        _copy(sample, layout, data)
        return bytes(data)

    def advance(self, order: Advance) -> Advanced:
        """Change the scene for good.

        Raises:
            HeliographError: the changes do not fit the scene.
        """
        self._page.begin(order.ticket)
        changes = [] if order.changes is None else unpack_edits(order.changes, self.blobs)
        version = self.engine.advance(changes)
        self._look_again()
        if version != order.version:
            raise WorkerError(f"a change made version {version}, expected {order.version}")
        cameras = [pack_camera(each) for each in self.engine.cameras.values()]
        return Advanced(order.ticket, version, cameras)

    def describe(self, order: Describe) -> Described:
        """What the engine says about the newest version of the scene."""
        return Described(order.ticket, describe(self.engine))

    def _begin(self, ticket: int, entry: int = 0) -> None:
        self._page.begin(ticket, entry)
        if self._page.cancelled(ticket):
            raise ClosedError("it was cancelled")

    def _begun(self, order: RenderMany, columns: _Columns) -> Iterator[View]:
        """The views of a batch; the page tells the driver which one we drew if we die."""
        for i in range(columns.count):
            if self._page.cancelled(order.ticket) or self.engine.failure:
                return
            if i and self._page.urgency > order.priority and self._more_urgent(order.priority):
                return
            self._page.begin(order.ticket, order.first + i)
            yield columns.view(i)

    def close(self) -> None:
        """Close the engine."""
        self.engine.close()

    def _region(self, region: int) -> Region:
        try:
            return self.regions[region]
        except KeyError:
            raise WorkerError(f"shared memory {region} was never mapped here") from None

    def _asked(self, view: View) -> tuple[Sequence[Camera], Layout] | None:
        """Cameras and layout; None where edits may add cameras, which only the engine knows."""
        if view.edits and (view.cameras, view.pass_names) in self._resized:
            return None
        try:
            return self._layouts[self._version(view.scene_version)].of(view)
        except UnknownNameError:
            if view.edits:
                return None
            raise

    def _direct(
        self, view: View, asked: tuple[Sequence[Camera], Layout], order: Render
    ) -> Sample | None:
        """Draw into the region; None where it failed, but perhaps because edits changed sizes."""
        cameras, layout = asked
        region = self._region(order.region)
        if order.total:
            layout = lay_out(cameras, self._specs(view), order.total)
        if layout.nbytes > region.nbytes:
            raise WorkerError(f"a view of {layout.nbytes} bytes in {region.nbytes}")
        out = layout.arrays(region.memory)
        if order.total:
            out = [{name: stack[order.place] for name, stack in each.items()} for each in out]
        try:
            return self.engine.render(view, out=LaidOut(out))
        except HeliographError:
            if view.edits:
                return None
            raise

    def _specs(self, view: View) -> PassSpecs:
        return select_passes(view.pass_names, self._passes)

    def _used(self, view: View | None, asked: Sequence[Camera] | None, sample: Sample) -> Used:
        """What came of a view, or of what was published, besides the pictures."""
        made = sample.provenance
        cameras: list[bytes | CameraWire | None]
        if asked is None:
            cameras = [pack_camera(frame.camera) for frame in sample]
        else:
            cameras = [_camera_used(*each) for each in zip(asked, sample, strict=True)]
        used = Used(
            cameras,
            scene_version=made.scene_version,
            begun=made.begun,
            done=made.done,
        )
        ordered = {} if view is None else view.state
        if sample.state is not ordered and not _same_state(sample.state, ordered):
            used.state = {key: pack_array(each) for key, each in sample.state.items()}
        if sample.randomization:
            used.randomization = pack(sample.randomization, "randomization")
        if sample.annotations:
            used.annotations = pack(sample.annotations, "annotations")
        if sample.labels is not self._own_labels:  # last: what is above may be refused
            used.labels, used.table = self._tables.number(sample.labels)
        return used


class _Columns:
    """The entries of an order as views."""

    def __init__(self, order: RenderMany, blobs: Mapping[bytes, NDArray[Any]]) -> None:
        wire: ViewWire = order.view
        self._cameras = [c if isinstance(c, str) else unpack_camera(c) for c in wire.cameras]
        self._passes = tuple(wire.passes)
        self._version = wire.scene_version
        self._seeds = unpack_array(order.seeds).tolist()
        self._indices = unpack_array(order.indices).tolist()
        self._state = [(key, unpack_array(each)) for key, each in order.state.items()]
        self._poses = {name: unpack_array(each) for name, each in order.poses.items()}
        self._edits = [unpack_edits(each, blobs) for each in order.edits] or [()] * len(self._seeds)
        self.count = len(self._seeds)
        lengths = {len(each) for _, each in self._state}
        lengths |= {len(self._edits), len(self._indices)}
        if lengths - {self.count}:
            raise WorkerError("a batch with columns of different lengths")

    def view(self, i: int) -> View:
        """One entry."""
        cameras = self._cameras
        if self._poses:
            cameras = [_moved(camera, self._poses, i) for camera in cameras]
        state = {key: column[i, ...] for key, column in self._state}
        edits: tuple[Edit, ...] = self._edits[i]
        return unchecked_view(
            cameras=tuple(cameras),
            passes=self._passes,
            state=state,
            edits=edits,
            seed=self._seeds[i],
            index=self._indices[i],
            scene_version=self._version,
        )


def _one_by_one(engine: Engine, views: Iterator[View], outs: Iterator[Outs]) -> list[Outcome]:
    """What comes of views that are drawn each by itself, not in a group."""
    return [attempt(engine.render, view, out) for view, out in zip(views, outs, strict=False)]


def _copy(sample: Sample, layout: Layout, memory: Any) -> None:
    for frame, arrays in zip(sample, layout.arrays(memory), strict=True):
        for name, array in arrays.items():
            array[...] = frame[name]


def _moved(camera: str | Camera, poses: Mapping[str, Any], i: int) -> str | Camera:
    if isinstance(camera, str) or camera.name not in poses:
        return camera
    return camera.moved(poses[camera.name][i])


def _camera_used(asked: Camera, frame: Any) -> bytes | CameraWire | None:
    camera: Camera = frame.camera
    if camera is asked or camera == asked:
        return None
    if camera == asked.moved(camera.world_from_camera):
        return camera.world_from_camera.tobytes()
    return pack_camera(camera)


def _same_state(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one.keys() == other.keys() and all(one[key] is other[key] for key in one)
