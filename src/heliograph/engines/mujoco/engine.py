"""The MuJoCo engine: MJCF models, drawn by our rasterizer or by MuJoCo's own renderer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.engine import resolve_cameras
from heliograph.engines.mujoco import cameras as cams
from heliograph.engines.mujoco.model import ModelSource, digest, load
from heliograph.engines.mujoco.segments import SegmentBy, Segments
from heliograph.engines.mujoco.state import Poser, random_qpos
from heliograph.engines.mujoco.translate import Translator
from heliograph.engines.mujoco.visual import GeomBuffer
from heliograph.errors import ClosedError, InvalidValueError
from heliograph.frame import PASSES, Buffers, Frame, Labels, Sample, allocate, check_buffers
from heliograph.raster import DrawList, Rasterizer, RasterOptions
from heliograph.scene import Description, Item
from heliograph.view import View


class MujocoEngine:
    """Draws a MuJoCo model.

    Args:
        source: path to MJCF, URDF or .mjb, MJCF text, or a compiled `mujoco.MjModel`.
        size: (width, height) in pixels of the model's cameras that name no resolution.
        options: how to rasterize.
        visual: which geom groups and elements to show; MuJoCo's defaults without it.
        segment_by: what one segmentation id stands for.

    Raises:
        SceneError: the model cannot be loaded.
        ContextError: no usable GL here.
    """

    def __init__(
        self,
        source: ModelSource,
        *,
        size: tuple[int, int] = (320, 240),
        options: RasterOptions | None = None,
        visual: mujoco.MjvOption | None = None,
        segment_by: SegmentBy | str = SegmentBy.OBJECT,
    ) -> None:
        self.model, name = load(source)
        self._poser = Poser(self.model)
        self._segments = Segments(self.model, SegmentBy(segment_by))
        self._buffer = GeomBuffer(self.model, visual or mujoco.MjvOption())
        self._cameras = cams.model_cameras(self.model, self._poser.apply({}), size)
        self._scene = _describe(self.model, name, self._poser, self._segments.labels)
        self._rasterizer: Rasterizer | None = Rasterizer(options)
        self._translator = Translator(self.model, self._rasterizer, self._segments)

    @property
    def scene(self) -> Description:
        """What the model holds."""
        return self._scene

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """The model's cameras in its initial state, and `free`, MuJoCo's default view."""
        return dict(self._cameras)

    @property
    def passes(self) -> tuple[str, ...]:
        """All passes."""
        return tuple(PASSES)

    @property
    def labels(self) -> Labels:
        """Segmentation id -> (name, category)."""
        return self._segments.labels

    def random_state(self, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
        """A random joint state for `View.state`."""
        return {"qpos": random_qpos(self.model, rng)}

    def render(self, view: View, out: Sequence[Buffers] | None = None) -> Sample:
        """Draw one view; see `heliograph.engine.Engine`."""
        if self._rasterizer is None:
            raise ClosedError("this renderer is closed")
        chosen = resolve_cameras(view, self._cameras)
        data = self._poser.apply(view.state)
        placed = [self._place(data, camera) for camera in chosen]
        buffers = _buffers(placed, view.passes, out)
        self._rasterizer.draw(self._draw_list(data), placed, view.passes, buffers)
        return self._sample(view, placed, buffers)

    def close(self) -> None:
        """Free the GL context."""
        rasterizer, self._rasterizer = self._rasterizer, None
        if rasterizer is not None:
            rasterizer.close()

    def _place(self, data: mujoco.MjData, camera: Camera) -> Camera:
        """A camera of the model follows the state; any other is as it was given."""
        if self._cameras.get(camera.name) is not camera or camera.name == cams.FREE:
            return camera
        index = list(self._cameras).index(camera.name)
        return camera.moved(cams.place(self.model, data, index))

    def _draw_list(self, data: mujoco.MjData) -> DrawList:
        geoms = self._buffer.update(data)
        scene = self._buffer.scene
        for index in range(self.model.nskin):
            self._move_skin(scene, index)
        return DrawList(
            instances=self._translator.instances(geoms),
            lights=cams.lights(self.model, scene),
            surroundings=self._translator.haze(geoms),
        )

    def _move_skin(self, scene: mujoco.MjvScene, index: int) -> None:
        if self._rasterizer is None:
            return
        start, count = int(scene.skinvertadr[index]), int(scene.skinvertnum[index])
        rows = slice(start, start + count)
        vertices = np.reshape(scene.skinvert, (-1, 3))[rows]
        normals = np.reshape(scene.skinnormal, (-1, 3))[rows]
        self._rasterizer.update_geometry(int(self._translator.skins[index]), vertices, normals)

    def _sample(self, view: View, placed: list[Camera], buffers: Sequence[Buffers]) -> Sample:
        labels = self._segments.labels
        frames = {
            camera.name: Frame(camera, passes, labels)
            for camera, passes in zip(placed, buffers, strict=True)
        }
        return Sample(frames, labels, view.state, view.seed, view.index)


def _buffers(
    cameras: Sequence[Camera], passes: Sequence[str], out: Sequence[Buffers] | None
) -> Sequence[Buffers]:
    """Fresh arrays, or the caller's after a look at them."""
    if out is None:
        return [allocate(camera, passes) for camera in cameras]
    if len(out) != len(cameras):
        raise InvalidValueError(f"out: expected buffers for {len(cameras)} cameras, got {len(out)}")
    for camera, buffers in zip(cameras, out, strict=True):
        check_buffers(buffers, camera, passes)
    return [{name: buffers[name] for name in passes} for buffers in out]


def _describe(model: mujoco.MjModel, source: str, poser: Poser, labels: Labels) -> Description:
    objects = tuple(Item(label.name, label.category) for i, label in labels.items() if i)
    lights = tuple(
        Item(model.light(i).name or f"light{i}", "light", f"at {model.light_pos[i].tolist()}")
        for i in range(model.nlight)
    )
    materials = tuple(Item(model.mat(i).name, "material") for i in range(model.nmat))
    return Description(source, digest(model), objects, lights, materials, poser.items)
