"""The two calls, over any queue of pictures; and the queue of a checkpoint in this process."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Protocol, Self, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heliograph.camera import Camera
from heliograph.checks import check_integer
from heliograph.compat.nerfstudio_renderer.cameras import (
    PathLike,
    finest_camera,
    known_cameras,
    read_cameras,
)
from heliograph.compat.nerfstudio_renderer.pose import camera_pose, rotation_unit
from heliograph.delivery.call import open as open_scene
from heliograph.delivery.progressive import Level, QueuedImage, RenderQueue
from heliograph.engine import Renderer

_FULL = np.float32(255)


class Images(Protocol):
    """What is needed of a queue, here or on another machine."""

    def update(self, what: Camera) -> int:
        """Show this camera from now on."""

    def get(self) -> QueuedImage | None:
        """The newest and best image that nobody has read."""

    def close(self) -> None:
        """End it."""


class PoseOptions(TypedDict, total=False):
    """What a queue takes besides what the original takes.

    Attributes:
        rotation_unit: of Euler angles: "degrees", as in the document, or "radians", as in later
            versions.
        cameras: the list of cameras, by name, where there is no `camera_config_path`: "default" or
            "document", see `CAMERAS`.
    """

    rotation_unit: str
    cameras: str


class PoseQueue:
    """Poses in, pictures out: `update_camera` and `get_rgb_image`.

    Both may be called at any time and from any thread; they need not be paired. A picture of an
    update is never followed by one of an update before it, nor by a coarser one of the same.

    Args:
        open_images: opens what draws, with these levels; closed with the queue, or once nobody
            holds that any more.
        camera_config_path: JSON list of cameras.
        **options: see `PoseOptions`.

    Raises:
        HeliographError: no such cameras or unit, or nothing can be opened.
    """

    def __init__(
        self,
        open_images: Callable[[tuple[Level, ...]], Images],
        camera_config_path: PathLike | None = None,
        **options: Unpack[PoseOptions],
    ) -> None:
        self._unit = rotation_unit(options.get("rotation_unit", "degrees"))
        self._cameras = (
            known_cameras(options.get("cameras", "default"))
            if camera_config_path is None
            else read_cameras(camera_config_path)
        )
        self._images = open_images(self._cameras)
        self._end = weakref.finalize(self, self._images.close)

    def update_camera(self, position: ArrayLike, rotation: ArrayLike | None = None) -> int:
        """Show what a camera sees from now on; returns at once.

        Args:
            position: (3,), in nerfstudio's own frame and units; or, without a rotation, the whole
                pose (4, 4).
            rotation: three Euler angles as scipy's "xyz", or a rotation matrix (3, 3). A camera
                looks along its -z, with +y up.

        Returns:
            The number of the update, from 1.

        Raises:
            InvalidValueError: no such pose.
            ClosedError: the queue is closed.
        """
        pose = camera_pose(position, rotation, self._unit)
        return self._images.update(finest_camera(self._cameras, pose))

    def get_rgb_image(self) -> NDArray[np.float32] | None:
        """The newest and best picture, once; None until there is another one.

        Returns:
            (H, W, 3) float32 from 0 to 1.

        Raises:
            HeliographError: the newest update cannot be drawn; the next one still can.
            ClosedError: the queue is closed.
        """
        image = self._images.get()
        return None if image is None else image.frame.rgb.astype(np.float32) / _FULL

    def close(self) -> None:
        """End what is drawn and free the model; `del` does the same. May be called twice."""
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class NerfStudioRenderQueue(PoseQueue):
    """Pictures of a checkpoint that nerfstudio trained, drawn in this process.

    Args:
        model_config_path: `config.yml` of the run.
        checkpoint_path: `step-*.ckpt`; None for the newest one of the run.
        device: such as "cuda" or "cpu", or a `torch.device`.
        thread_count: taken and not needed: one picture at a time is drawn, on all cores.
        camera_config_path: JSON list of `{"width", "height", "fov"}` from coarse to fine, `fov`
            being the vertical field of view in degrees.
        **options: see `PoseOptions`.

    Raises:
        HeliographError: the model cannot be loaded, or an argument is wrong.
    """

    def __init__(
        self,
        model_config_path: PathLike,
        checkpoint_path: PathLike | None = None,
        device: Any = None,
        thread_count: int = 3,
        camera_config_path: PathLike | None = None,
        **options: Unpack[PoseOptions],
    ) -> None:
        check_integer("thread_count", thread_count, 1)
        super().__init__(
            lambda levels: ModelImages(
                open_model(model_config_path, checkpoint_path, device), levels
            ),
            camera_config_path,
            **options,
        )


class ModelImages:
    """Pictures of a model that is closed with them.

    Args:
        renderer: draws them.
        levels: from coarse to fine.
    """

    def __init__(self, renderer: Renderer, levels: Sequence[Level]) -> None:
        self._renderer = renderer
        self._queue = RenderQueue(renderer, levels=levels)

    def update(self, what: Camera) -> int:
        """Show this camera from now on."""
        return self._queue.update(what)

    def get(self) -> QueuedImage | None:
        """The newest and best image that nobody has read."""
        return self._queue.get()

    def close(self) -> None:
        """End the queue and free the model."""
        try:
            self._queue.close()
        finally:
            self._renderer.close()


def open_model(config: PathLike, checkpoint: PathLike | None, device: Any) -> Renderer:
    """A checkpoint, opened in nerfstudio's own frame.

    Raises:
        HeliographError: it cannot be loaded.
    """
    given = {
        "frame": "nerfstudio",
        "checkpoint": None if checkpoint is None else str(checkpoint),
        "device": None if device is None else str(device),
    }
    options = {name: value for name, value in given.items() if value is not None}
    return open_scene(str(config), engine="nerf", engine_options=options)
