"""The MuJoCo engine: MJCF models, drawn by our rasterizer or by MuJoCo's own renderer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from typing import Any, TypeVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.engine import resolve_cameras
from heliograph.engines.mujoco import cameras as cams
from heliograph.engines.mujoco.backends import Backend, ClassicBackend, RasterBackend
from heliograph.engines.mujoco.details import details
from heliograph.engines.mujoco.model import ModelSource, digest, load
from heliograph.engines.mujoco.segments import SegmentBy, Segments, material_members
from heliograph.engines.mujoco.state import Poser, random_qpos
from heliograph.engines.shared.edits import APPEARANCE, camera_moves, edited_camera
from heliograph.errors import ClosedError, InvalidValueError
from heliograph.frame import Buffers, Frame, Labels, Sample, check_passes, own_or_given
from heliograph.raster import RasterOptions
from heliograph.scene import Description, Edit, Item, MoveCamera
from heliograph.view import View

_E = TypeVar("_E", bound=Enum)


class Style(Enum):
    """Who draws."""

    RASTER = "raster"
    CLASSIC = "classic"


class MujocoEngine:
    """Draws a MuJoCo model.

    Args:
        source: path to MJCF, URDF or .mjb, MJCF text, or a compiled `mujoco.MjModel`.
        size: (width, height) in pixels of the model's cameras that name no resolution.
        options: how to rasterize; the classic style keeps to `msaa` and `shadows`;
            light is computed per vertex, as in MuJoCo, unless `lighting` says otherwise.
        style: `raster` is ours, `classic` is `mujoco.Renderer` (no normals, one per process).
        visual: which geom groups and elements to show; MuJoCo's defaults without it.
        segment_by: what one segmentation id stands for: `object`, `body` or `category`.

    Raises:
        SceneError: the model cannot be loaded.
        ContextError: no usable GL here.
        InvalidValueError: an unknown option or value.
    """

    def __init__(
        self,
        source: ModelSource,
        *,
        size: tuple[int, int] = (320, 240),
        options: RasterOptions | None = None,
        style: Style | str = Style.RASTER,
        visual: mujoco.MjvOption | None = None,
        segment_by: SegmentBy | str = SegmentBy.OBJECT,
    ) -> None:
        self.model, name = load(source)
        self._poser = Poser(self.model)
        self._segments = Segments(self.model, _member(SegmentBy, segment_by, "segment_by"))
        self._cameras = cams.model_cameras(self.model, self._poser.apply({}), size)
        self._places = {name: place for place, name in enumerate(self._cameras)}
        self._camera_poses = cams.CameraPoses(self._poser.data)
        self._scene = _describe(self.model, name, self._poser, self._segments)
        visual = visual or mujoco.MjvOption()
        backend = _BACKENDS[_member(Style, style, "style")]
        self._backend: Backend | None = backend(
            self.model, self._segments, visual, options or RasterOptions()
        )

    @property
    def scene(self) -> Description:
        """What the model holds."""
        return self._scene

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """The model's cameras in its initial state, then `free` and `fit` unless it has its own."""
        return dict(self._cameras)

    @property
    def passes(self) -> tuple[str, ...]:
        """All passes; without normals in the classic style."""
        return self._open.passes

    @property
    def labels(self) -> Labels:
        """Segmentation id -> (name, category)."""
        return self._segments.labels

    @property
    def details(self) -> dict[str, Any]:
        """What randomizers may know of the model besides: fields of `randomize.Facts`."""
        return details(self.model, self._poser.apply({}), self._segments)

    def random_state(self, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
        """A random joint state for `View.state`."""
        return {"qpos": random_qpos(self.model, rng)}

    def render(self, view: View, out: Sequence[Buffers] | None = None) -> Sample:
        """Draw one view; see `heliograph.engine.Engine`."""
        backend = self._open
        chosen = resolve_cameras(view, self._cameras)
        check_passes(view.passes, backend.passes)
        _check_edits(view.edits, backend.edits)
        edits, moves = camera_moves(view.edits, self._cameras)
        data = self._poser.apply(view.state)
        named = [isinstance(camera, str) for camera in view.cameras] or [True]
        placed = [
            self._place(camera, moves) if by_name else camera
            for camera, by_name in zip(chosen, named, strict=True)
        ]
        buffers = own_or_given(placed, view.passes, out)
        backend.draw(data, placed, view, buffers, edits)
        return self._sample(view, placed, buffers)

    def together(self) -> AbstractContextManager[None]:
        """See `heliograph.engine.Gathering`."""
        return self._open.together()

    def settle(self) -> None:
        """See `heliograph.engine.Gathering`."""
        self._open.settle()

    def close(self) -> None:
        """Free the GL context; may be called twice."""
        backend, self._backend = self._backend, None
        if backend is not None:
            backend.close()

    @property
    def _open(self) -> Backend:
        if self._backend is None:
            raise ClosedError("this renderer is closed")
        return self._backend

    def _place(self, camera: Camera, moves: Mapping[str, list[MoveCamera]]) -> Camera:
        """A camera that was named follows the state and edits."""
        name = camera.name
        place = self._places[name]
        if place < self.model.ncam:  # ours come after the model's, and stay
            camera = self._camera_poses.placed(camera, place)
        return edited_camera(camera, moves[name]) if name in moves else camera

    def _sample(self, view: View, placed: list[Camera], buffers: Sequence[Buffers]) -> Sample:
        labels = self._segments.labels
        frames = {
            camera.name: Frame(camera, passes, labels)
            for camera, passes in zip(placed, buffers, strict=True)
        }
        return Sample(frames, labels, view.state, view.seed, view.index)


_BACKENDS: dict[Style, type[RasterBackend] | type[ClassicBackend]] = {
    Style.RASTER: RasterBackend,
    Style.CLASSIC: ClassicBackend,
}


def _member(kind: type[_E], value: _E | str, name: str) -> _E:
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(str(member.value) for member in kind)
        raise InvalidValueError(f"{name}: expected one of {known}, got {value!r}") from None


def _check_edits(edits: Sequence[Edit], able: bool) -> None:
    for edit in edits:
        if not able or not isinstance(edit, APPEARANCE):
            known = ", ".join(kind.__name__ for kind in APPEARANCE) if able else "none"
            raise InvalidValueError(
                f"edits: a {type(edit).__name__} cannot be applied here; this engine and style "
                f"apply: {known}"
            )


def _describe(model: mujoco.MjModel, source: str, poser: Poser, segments: Segments) -> Description:
    objects = tuple(Item(label.name, label.category) for label in segments.objects)
    lights = (Item(cams.HEAD, "light", "at the camera"),) * bool(model.vis.headlight.active)
    lights += tuple(
        Item(cams.light_name(model, i), "light", f"at {model.light_pos[i].tolist()}")
        for i in range(model.nlight)
    )
    materials = tuple(
        Item(model.mat(i).name, "material", members=members)
        for i, members in enumerate(material_members(model, segments))
    )
    return Description(source, digest(model), objects, lights, materials, poser.items)
