"""Views as messages, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from heliograph.camera import Camera
from heliograph.errors import WorkerError
from heliograph.scene import Edit
from heliograph.transport.messages import ViewWire
from heliograph.transport.values import (
    CameraWire,
    pack,
    pack_array,
    pack_camera,
    unpack,
    unpack_array,
    unpack_camera,
)
from heliograph.view import View, unchecked_view


def pack_view(view: View, known: Mapping[str, Camera]) -> ViewWire:
    """A view for the wire.

    Args:
        view: the view.
        known: the scene's own cameras. One of them by value (the very object) means the camera
            that follows the scene's state, so it goes by its name.

    Raises:
        InvalidValueError: an edit that cannot travel.
    """
    return ViewWire(
        pack_cameras(view.cameras, known) if view.cameras else [],
        list(view.pass_names),
        {name: pack_array(value) for name, value in view.state.items()} if view.state else {},
        pack_edits(view.edits) if view.edits else None,
        view.seed if view.seed is None else int(view.seed),
        int(view.index),
        view.scene_version if view.scene_version is None else int(view.scene_version),
    )


def pack_cameras(
    cameras: Sequence[str | Camera], known: Mapping[str, Camera]
) -> list[str | CameraWire]:
    """Cameras for the wire; see `pack_view`."""
    return [
        camera
        if isinstance(camera, str)
        else camera.name
        if known.get(camera.name) is camera
        else pack_camera(camera)
        for camera in cameras
    ]


def pack_edits(edits: Sequence[Edit]) -> Any:
    """Edits for the wire."""
    return [pack(edit, f"edits[{i}]") for i, edit in enumerate(edits)] or None


def unpack_view(wire: ViewWire) -> View:
    """The view of a wire.

    Raises:
        WorkerError: not as `pack_view` writes it.
    """
    cameras = [c if isinstance(c, str) else unpack_camera(c) for c in wire.cameras]
    state = {name: unpack_array(value) for name, value in wire.state.items()}
    edits = unpack_edits(wire.edits) if wire.edits else ()
    return unchecked_view(
        cameras=tuple(cameras),
        passes=tuple(wire.passes),
        state=state,
        edits=edits,
        seed=wire.seed,
        index=wire.index,
        scene_version=wire.scene_version,
    )


def unpack_edits(data: Any) -> tuple[Edit, ...]:
    """The edits of a wire."""
    edits = tuple(unpack(data or []))
    if not all(isinstance(edit, Edit) for edit in edits):
        raise WorkerError("something that is no edit among the edits of a view")
    return edits
