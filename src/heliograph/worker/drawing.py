"""Drawing orders straight into shared memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from heliograph.camera import Camera
from heliograph.engine import Engine, resolve_cameras
from heliograph.errors import HeliographError, UnknownNameError, WorkerError
from heliograph.frame import Sample
from heliograph.passes import PassSpecs, select_passes
from heliograph.scene import Edit
from heliograph.transport.layout import Layout, lay_out
from heliograph.transport.messages import (
    Done,
    DoneMany,
    Render,
    RenderMany,
    TooSmall,
    Used,
    ViewWire,
)
from heliograph.transport.problems import pack_error
from heliograph.transport.slots import Region
from heliograph.transport.status import write_status
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


class RenderExecutor:
    """Draws the orders of a pool with one engine.

    Args:
        engine: draws the views.
        status: where to say what is being drawn.
    """

    def __init__(self, engine: Engine, status: Region) -> None:
        self.engine = engine
        self.regions: dict[int, Region] = {}
        self._status = status
        self._known = engine.cameras
        self._passes = engine.passes
        self._layouts = Layouts(self._known, self._passes)
        self._tables = SentTables(engine.labels)

    def draw(self, order: Render) -> Done | TooSmall:
        """Draw one view.

        Raises:
            HeliographError: it cannot be drawn.
        """
        write_status(self._status, order.ticket)
        view = unpack_view(order.view)
        region = self._region(order.region)
        asked = self._asked(view)
        sample = None if asked is None else self._direct(view, asked, region, order)
        if sample is None:
            sample = self.engine.render(view)
            layout = lay_out([frame.camera for frame in sample], self._specs(view))
            if order.total or layout.nbytes > region.nbytes:
                return TooSmall(order.ticket, layout.nbytes)
            for frame, arrays in zip(sample, layout.arrays(region.memory), strict=True):
                for name, array in arrays.items():
                    array[...] = frame[name]
            asked = None
        return Done(order.ticket, self._used(view, asked and asked[0], sample))

    def draw_many(self, order: RenderMany) -> DoneMany:
        """Draw entries of a batch; those that fail are reported."""
        write_status(self._status, order.ticket, order.first)
        columns = _Columns(order)
        cameras = resolve_cameras(columns.view(0), self._known)
        region = self._region(order.region)
        specs = select_passes(order.view.passes, self._passes)
        layout = lay_out(cameras, specs, order.total)
        if layout.nbytes > region.nbytes:
            raise WorkerError(f"a batch of {layout.nbytes} bytes in {region.nbytes}")
        stacks = [list(arrays.items()) for arrays in layout.arrays(region.memory)]
        entries = range(order.first, order.first + columns.count)
        outs = (
            [{name: stack[entry] for name, stack in each} for each in stacks] for entry in entries
        )
        outcomes = self.engine.render_many(self._begun(order, columns), outs)
        problems = {
            entry: pack_error(outcome)
            for entry, outcome in zip(entries, outcomes, strict=True)
            if isinstance(outcome, HeliographError)
        }
        return DoneMany(order.ticket, problems)

    def _begun(self, order: RenderMany, columns: _Columns) -> Iterator[View]:
        """The views of a batch; the status tells the driver which one we drew if we die."""
        for i in range(columns.count):
            write_status(self._status, order.ticket, order.first + i)
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
        try:
            return self._layouts.of(view)
        except UnknownNameError:
            if view.edits:
                return None
            raise

    def _direct(
        self, view: View, asked: tuple[Sequence[Camera], Layout], region: Region, order: Render
    ) -> Sample | None:
        """Draw into the region; None where it failed, but perhaps because edits changed sizes."""
        cameras, layout = asked
        if order.total:
            layout = lay_out(cameras, self._specs(view), order.total)
        if layout.nbytes > region.nbytes:
            return None
        out = layout.arrays(region.memory)
        if order.total:
            out = [{name: stack[order.place] for name, stack in each.items()} for each in out]
        try:
            return self.engine.render(view, out=out)
        except HeliographError:
            if view.edits:
                return None
            raise

    def _specs(self, view: View) -> PassSpecs:
        return select_passes(view.pass_names, self._passes)

    def _used(self, view: View, asked: Sequence[Camera] | None, sample: Sample) -> Used:
        """What came of a view besides the pictures."""
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
        if sample.state is not view.state and not _same_state(sample.state, view.state):
            used.state = {key: pack_array(each) for key, each in sample.state.items()}
        if sample.randomization:
            used.randomization = pack(sample.randomization, "randomization")
        if sample.annotations:
            used.annotations = pack(sample.annotations, "annotations")
        if sample.labels is not self.engine.labels:  # last: what is above may be refused
            used.labels, used.table = self._tables.number(sample.labels)
        return used


class _Columns:
    """The entries of an order as views."""

    def __init__(self, order: RenderMany) -> None:
        wire: ViewWire = order.view
        self._cameras = [c if isinstance(c, str) else unpack_camera(c) for c in wire.cameras]
        self._passes = tuple(wire.passes)
        self._version = wire.scene_version
        self._seeds = unpack_array(order.seeds).tolist()
        self._state = [(key, unpack_array(each)) for key, each in order.state.items()]
        self._poses = {name: unpack_array(each) for name, each in order.poses.items()}
        self._edits = [unpack_edits(each) for each in order.edits] or [()] * len(self._seeds)
        self.count = len(self._seeds)
        lengths = {len(each) for _, each in self._state}
        if lengths - {self.count} or len(self._edits) != self.count:
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
            scene_version=self._version,
        )


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
