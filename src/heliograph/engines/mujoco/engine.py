"""The MuJoCo engine: MJCF models, drawn by our rasterizer or by MuJoCo's own renderer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import ClassVar, TypeVar

import mujoco

from heliograph.camera import Camera
from heliograph.engine import (
    Capability,
    Engine,
    Outcome,
    Outs,
    attempt_all,
    check_version,
    made_sample,
    resolve_cameras,
)
from heliograph.engines.mujoco import cameras as cams
from heliograph.engines.mujoco.backends import Backend, ClassicBackend, RasterBackend
from heliograph.engines.mujoco.model import ModelSource, digest, load
from heliograph.engines.mujoco.objects import ModelObjects, SegmentBy, material
from heliograph.engines.mujoco.state import Poser, state_space
from heliograph.engines.shared.edits import APPEARANCE, camera_moves, edited_camera
from heliograph.errors import ClosedError, InvalidValueError
from heliograph.frame import Labels, Provenance, Sample, assembled, own_or_given
from heliograph.passes import PassSpecs, select_passes
from heliograph.raster import RasterOptions
from heliograph.scene import Description, Edit, Item, MoveCamera, ObjectTable
from heliograph.view import View

_E = TypeVar("_E", bound=Enum)
_NAME = "mujoco"


class Style(Enum):
    """Who draws."""

    RASTER = "raster"
    CLASSIC = "classic"


class MujocoEngine(Engine):
    """Draws a MuJoCo model.

    Args:
        source: path to MJCF, URDF or .mjb, MJCF text, or a compiled `mujoco.MjModel`.
        size: (width, height) in pixels of the model's cameras that name no resolution.
        options: how to rasterize; the classic style keeps to `msaa` and `shadows`;
            light is computed per vertex, as in MuJoCo, unless `lighting` says otherwise, or
            `shading` that it is added in linear space.
        style: `raster` is ours, `classic` is `mujoco.Renderer` (no normals, one per process).
        visual: which geom groups and elements to show; MuJoCo's defaults without it.
        segment_by: what one segmentation id stands for: `object`, `body` or `category`.

    Raises:
        SceneError: the model cannot be loaded.
        ContextError: GL is to draw, and there is no usable one here.
        InvalidValueError: an unknown option or value.

    Attributes:
        backends: who draws each style.
    """

    backends: ClassVar[Mapping[Style, Callable[..., Backend]]] = {
        Style.RASTER: RasterBackend,
        Style.CLASSIC: ClassicBackend,
    }

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
        data = self._poser.apply({})
        by = _member(SegmentBy, segment_by, "segment_by")
        self._objects = ModelObjects(self.model, data, by)
        self._cameras = cams.model_cameras(self.model, data, size)
        self._places = {name: place for place, name in enumerate(self._cameras)}
        self._own_cameras = int(self.model.ncam)
        self._camera_poses = cams.CameraPoses(self._poser.data)
        self._scene = _describe(self.model, name, self._poser, self._objects.table)
        visual = visual or mujoco.MjvOption()
        backend = self.backends[_member(Style, style, "style")]
        self._backend: Backend | None = backend(
            self.model, self._objects, visual, options or RasterOptions()
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
    def passes(self) -> PassSpecs:
        """All six passes; rgb, depth and segmentation in the classic style."""
        return self._open.passes

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Several views in one go, and random joint states."""
        return frozenset({Capability.RENDER_MANY, Capability.RANDOM_STATE})

    @property
    def provenance(self) -> Provenance:
        """Who draws."""
        return Provenance(_NAME, self._open.device)

    @property
    def labels(self) -> Labels:
        """Segmentation id -> (name, category)."""
        return self._objects.table.labels

    def render(self, view: View, out: Outs = None) -> Sample:
        """Draw one view; see `heliograph.engine.Engine`."""
        begun, backend = time.time(), self._open
        chosen = resolve_cameras(view, self._cameras)
        specs = select_passes(view.pass_names, backend.passes)
        check_version(view, 0, 0)
        edits: Sequence[Edit] = ()
        moves: Mapping[str, list[MoveCamera]] = {}
        if view.edits:
            _check_edits(view.edits, backend.edits)
            edits, moves = camera_moves(view.edits, self._cameras)
        data = self._poser.apply(view.state)
        placed = [
            camera if camera is given else self._place(camera, moves)
            for camera, given in zip(chosen, view.cameras or (None,), strict=True)
        ]
        buffers = own_or_given(placed, specs, out)
        backend.draw(data, placed, view, buffers, edits)
        made = assembled(
            Provenance,
            engine=_NAME,
            device=backend.device,
            scene_version=0,
            ordered=0.0,
            begun=begun,
            done=time.time(),
        )
        return made_sample(view, placed, buffers, self._objects.table.labels, made)

    def render_many(
        self, views: Iterable[View], outs: Iterable[Outs] | None = None
    ) -> list[Outcome]:
        """Draw several views; a GPU is waited for once. See `heliograph.engine.Engine`."""
        with self._open.together():
            return attempt_all(self, views, outs)

    def close(self) -> None:
        """Free all it holds; may be called twice."""
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
        if place < self._own_cameras:  # ours come after the model's, and stay
            camera = self._camera_poses.placed(camera, place)
        return edited_camera(camera, moves[name]) if name in moves else camera


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


def _describe(
    model: mujoco.MjModel, source: str, poser: Poser, objects: ObjectTable
) -> Description:
    *light_names, head = cams.light_names(model)
    lights = (Item(head, "head", "at the camera"),) * bool(model.vis.headlight.active)
    lights += tuple(
        Item(name, "light", f"at {model.light_pos[i].tolist()}", active=bool(model.light_active[i]))
        for i, name in enumerate(light_names)
    )
    return Description(
        source=source,
        hash=digest(model),
        objects=objects,
        lights=lights,
        materials=tuple(material(model, i) for i in range(model.nmat)),
        state=poser.items,
        space=state_space(model),
    )
