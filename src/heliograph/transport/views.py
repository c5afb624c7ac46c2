"""Views as messages, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.errors import WorkerError
from heliograph.scene import Edit
from heliograph.transport.messages import ViewWire
from heliograph.transport.values import (
    Blobs,
    CameraWire,
    pack,
    pack_array,
    pack_camera,
    unpack,
    unpack_array,
    unpack_camera,
)
from heliograph.view import View, unchecked_view


def pack_view(
    view: View, known: Mapping[str, Camera], *, inline: bool = False
) -> tuple[ViewWire, Blobs]:
    """A view for the wire, and the arrays that it names by their hash.

    Args:
        view: the view.
        known: the scene's own cameras. One of them by value (the very object) means the camera
            that follows the scene's state, so it goes by its name.
        inline: whether large arrays are inside as well.

    Raises:
        InvalidValueError: an edit that cannot travel.
    """
    blobs = Blobs()
    wire = ViewWire(
        pack_cameras(view.cameras, known) if view.cameras else [],
        list(view.pass_names),
        {name: pack_array(value) for name, value in view.state.items()} if view.state else {},
        pack_edits(view.edits, None if inline else blobs) if view.edits else None,
        view.seed if view.seed is None else int(view.seed),
        int(view.index),
        view.scene_version if view.scene_version is None else int(view.scene_version),
    )
    return wire, blobs


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


def pack_edits(edits: Sequence[Edit], blobs: Blobs | None = None) -> Any:
    """Edits for the wire."""
    return [pack(edit, f"edits[{i}]", blobs) for i, edit in enumerate(edits)] or None


def unpack_view(wire: ViewWire, blobs: Mapping[bytes, NDArray[Any]] | None = None) -> View:
    """The view of a wire, with the arrays that it names by their hash.

    Raises:
        WorkerError: not as `pack_view` writes it.
    """
    cameras = [c if isinstance(c, str) else unpack_camera(c) for c in wire.cameras]
    state = {name: unpack_array(value) for name, value in wire.state.items()}
    edits = unpack_edits(wire.edits, blobs) if wire.edits else ()
    return unchecked_view(
        cameras=tuple(cameras),
        passes=tuple(wire.passes),
        state=state,
        edits=edits,
        seed=wire.seed,
        index=wire.index,
        scene_version=wire.scene_version,
    )


def unpack_edits(data: Any, blobs: Mapping[bytes, NDArray[Any]] | None = None) -> tuple[Edit, ...]:
    """The edits of a wire."""
    edits = tuple(unpack(data or [], blobs))
    if not all(isinstance(edit, Edit) for edit in edits):
        raise WorkerError("something that is no edit among the edits of a view")
    return edits
