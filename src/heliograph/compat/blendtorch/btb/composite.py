"""What a compositor's File Output node would write, as arrays; no file is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import bpy
import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera as Pinhole
from heliograph.colour import linear
from heliograph.compat.blendtorch.btb.offscreen import OffScreenRenderer
from heliograph.engines.blender.nodes import compositor_of
from heliograph.engines.blender.offscreen import StyleName
from heliograph.errors import InvalidValueError, UnknownNameError

Passes: TypeAlias = Mapping[str, NDArray[Any]]
_BEHIND = 1e10
"""Blender's depth where nothing is."""


@dataclass(frozen=True)
class CompositeSelection:
    """One output that is wanted.

    Attributes:
        name: what `CompositeRenderer.render` gives it as.
        node: name of a File Output node of the scene's compositor.
        slot: name of one of its inputs.
        channels: letters of the channels that are wanted: "RGB", "RGBA", "V", "XYZ".
    """

    name: str
    node: str
    slot: str
    channels: str


class CompositeRenderer:
    """Draws what the inputs of File Output nodes are linked to, which must be a Render Layers node.

    | output of Render Layers | array |
    |---|---|
    | Image | (H, W, C) float32, linear |
    | Depth | (H, W, 1) float32, metres along the optical axis, 1e10 where nothing is |
    | Normal | (H, W, C) float32, in the axes of the world as Blender's pass, 0 where nothing is |
    | IndexOB, Object Index | (H, W, 1) float32, the objects' pass index |

    Args:
        slots: what is wanted.
        camera: a `Camera`, or an object that is a camera; the scene's own without it.
        delete_render_files: taken for blendtorch's sake: there are none.
        btid: likewise.
        style: what draws: "fast", "cycles" or "eevee".

    Raises:
        UnknownNameError: no such node or slot.
        InvalidValueError: something else stands between it and the Render Layers node.
    """

    def __init__(
        self,
        slots: Sequence[CompositeSelection],
        camera: Any = None,
        delete_render_files: bool = True,
        btid: int = 1,
        *,
        style: StyleName = "fast",
    ) -> None:
        del delete_render_files, btid
        self._selections = {each.name: (each, _source(each)) for each in slots}
        self._renderer = OffScreenRenderer(camera, "rgb", style=style)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of an array."""
        return self._renderer.shape

    def render(self) -> dict[str, NDArray[np.float32]]:
        """What was selected, by name."""
        wanted = {source.needs: None for _, source in self._selections.values()}
        passes = self._renderer.render_passes(list(wanted))
        camera = self._renderer.seen_from()
        objects = self._renderer.objects
        indices = np.zeros(max(objects, default=0) + 1, np.float32)
        for number, name in objects.items():
            thing = bpy.data.objects.get(name)
            indices[number] = 0 if thing is None else thing.pass_index
        return {
            name: _channels(source.made(passes, camera, indices), selection.channels)
            for name, (selection, source) in self._selections.items()
        }

    def close(self) -> None:
        """Free what draws; may be called twice."""
        self._renderer.close()


@dataclass(frozen=True)
class _Source:
    """An output of Render Layers: which pass it needs, and what it makes of it."""

    needs: str
    made: Callable[[Passes, Pinhole, NDArray[np.float32]], NDArray[Any]]


def _image(passes: Passes, _camera: Pinhole, _indices: object) -> NDArray[Any]:
    colour = linear(passes["rgb"] / 255)
    return np.dstack([colour, np.ones(colour.shape[:2])])


def _depth(passes: Passes, _camera: Pinhole, _indices: object) -> NDArray[Any]:
    depth = passes["depth"]
    return np.where(np.isinf(depth), np.float32(_BEHIND), depth)[..., None]


def _normal(passes: Passes, camera: Pinhole, _indices: object) -> NDArray[Any]:
    turned: NDArray[Any] = passes["normals"] @ camera.world_from_camera[:3, :3].T
    return turned


def _index(passes: Passes, _camera: Pinhole, indices: NDArray[np.float32]) -> NDArray[Any]:
    return indices[passes["segmentation"]][..., None]


_SOURCES = {
    "Image": _Source("rgb", _image),
    "Depth": _Source("depth", _depth),
    "Normal": _Source("normals", _normal),
    "IndexOB": _Source("segmentation", _index),
    "Object Index": _Source("segmentation", _index),
}


def _source(wanted: CompositeSelection) -> _Source:
    """What a slot of a File Output node is linked to."""
    scene = bpy.context.scene
    tree = compositor_of(scene)
    nodes = {} if tree is None else {each.name: each for each in tree.nodes}
    files = {name: each for name, each in nodes.items() if each.type == "OUTPUT_FILE"}
    if wanted.node not in files:
        raise UnknownNameError.of("File Output node of the compositor", wanted.node, files)
    inputs = {each.name: each for each in files[wanted.node].inputs}
    if wanted.slot not in inputs:
        raise UnknownNameError.of(f"slot of {wanted.node!r}", wanted.slot, inputs)
    links = inputs[wanted.slot].links
    came = links[0].from_socket if links else None
    if came is None or came.node.type != "R_LAYERS" or came.name not in _SOURCES:
        what = "nothing" if came is None else f"{came.name!r} of {came.node.name!r}"
        known = ", ".join(_SOURCES)
        raise InvalidValueError(
            f"slot {wanted.slot!r} of {wanted.node!r}: expected a link from a Render Layers node's "
            f"{known}; got {what}. What nodes make of a picture is not drawn here: do it with numpy"
        )
    return _SOURCES[came.name]


def _channels(picture: NDArray[Any], letters: str) -> NDArray[np.float32]:
    """The channels asked for, by letter or, where there is one only, that one."""
    order = {4: "RGBA", 3: "XYZ", 1: "V"}[picture.shape[-1]]
    if picture.shape[-1] == 3 and set(letters) <= set("RGB"):
        order = "RGB"
    if not letters or not set(letters) <= set(order):
        raise InvalidValueError(f"channels: expected some of {order!r}, got {letters!r}")
    chosen = picture[..., [order.index(each) for each in letters]]
    return np.ascontiguousarray(chosen, np.float32)
