"""Pictures of Blender's 3D view, drawn on its GPU interface without a window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import bpy
import gpu
import numpy as np
from numpy.typing import NDArray

from heliograph.engines.blender.quiet import quiet
from heliograph.engines.blender.settings import settings
from heliograph.errors import ClosedError, ContextError, SceneError

Shading: TypeAlias = Literal["WIREFRAME", "SOLID", "MATERIAL", "RENDERED"]


@dataclass(frozen=True)
class Look:
    """How the 3D view draws.

    Attributes:
        shading: Blender's name of it.
        overlays: whether what helps to edit (grid, outlines, axes) is drawn too.
        antialiasing: whether edges are smoothed; it takes ten times as long on a CPU.
        options: of the view's shading by Blender's names, `light="FLAT"` say.
    """

    shading: Shading = "SOLID"
    overlays: bool = False
    antialiasing: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


class Viewport:
    """Draws the 3D view of a scene into arrays of one size.

    Args:
        width, height: pixels.

    Attributes:
        size: width and height.

    """

    def __init__(self, width: int, height: int) -> None:
        self.size = (width, height)
        self._target: Any = None
        self._closed = False

    def draw(
        self, scene: Any, view_layer: Any, matrices: tuple[Any, Any], look: Look
    ) -> NDArray[np.uint8]:
        """Draw.

        Args:
            scene: a `bpy.types.Scene`.
            view_layer: of it.
            matrices: camera_from_world and clip_from_camera, `mathutils.Matrix`.
            look: how.

        Returns:
            (height, width, 4) uint8, sRGB and alpha, row 0 at the bottom; an array of your own.

        Raises:
            ContextError: no usable GL here.
            SceneError: no workspace of the file has a 3D view.
            ClosedError: it is closed.
        """
        if self._closed:
            raise ClosedError("this viewport is closed")
        _, space, region = first_view3d()
        _have_context()
        with _looking(space, look):
            target = self._made()
            view, projection = matrices
            target.draw_view3d(
                scene,
                view_layer,
                space,
                region,
                view,
                projection,
                do_color_management=True,
            )
            pixels = target.texture_color.read()
        width, height = self.size
        pixels.dimensions = width * height * 4  # with more dimensions numpy reads it scrambled
        return np.array(pixels, np.uint8).reshape(height, width, 4)

    def close(self) -> None:
        """Free the buffers; may be called twice."""
        self._closed = True
        target, self._target = self._target, None
        if target is not None:
            target.free()

    def _made(self) -> Any:
        if self._target is None:
            try:
                self._target = gpu.types.GPUOffScreen(*self.size)
            except (
                RuntimeError,
                SystemError,
            ) as error:  # the latter: in the background, before 4.2
                raise ContextError(f"Blender's GPU interface cannot draw here: {error}") from error
        return self._target


def first_view3d() -> tuple[Any, Any, Any]:
    """The area of a 3D view, its space and its region, of the first workspace that has one.

    Raises:
        SceneError: none has.
    """
    screens = [bpy.context.screen, *bpy.data.screens]
    for area in (area for screen in screens if screen is not None for area in screen.areas):
        if area.type == "VIEW_3D":
            region = next(each for each in area.regions if each.type == "WINDOW")
            return area, area.spaces.active, region
    raise SceneError("expected a workspace with a 3D view; the .blend was saved without one")


_ENGINE = "HELIOGRAPH_CONTEXT"


@lru_cache(maxsize=1)
def _have_context() -> None:
    """Have Blender's own GPU context current from now on: without a window it has none at first."""
    if bpy.app.background:
        if hasattr(gpu, "init"):
            gpu.init()
        _render_nothing()


def _render_nothing() -> None:
    """A render that draws nothing and needs the GPU: it makes Blender's context current."""
    if not _Nothing.is_registered:
        bpy.utils.register_class(_Nothing)
    scene = bpy.data.scenes.new(_ENGINE)
    lens = bpy.data.cameras.new(_ENGINE)
    camera = bpy.data.objects.new(_ENGINE, lens)
    try:
        scene.camera = camera
        scene.render.engine = _ENGINE
        scene.render.resolution_x = scene.render.resolution_y = 4
        with quiet():
            bpy.ops.render.render(scene=scene.name)
    finally:
        bpy.data.scenes.remove(scene)
        bpy.data.objects.remove(camera)
        bpy.data.cameras.remove(lens)


class _Nothing(bpy.types.RenderEngine):  # type: ignore[misc]
    """Draws nothing."""

    bl_idname = _ENGINE
    bl_label = "Heliograph: makes the GPU context current"
    bl_use_gpu_context = True

    def render(self, depsgraph: Any) -> None:
        """Leave the picture empty."""


@contextmanager
def _looking(space: Any, look: Look) -> Iterator[None]:
    """Have a 3D view look like this within; it is as it was afterwards."""
    with ExitStack() as stack:
        if not look.antialiasing:
            system = bpy.context.preferences.system
            stack.enter_context(settings(system, viewport_aa="OFF"))
        stack.enter_context(settings(space.overlay, show_overlays=look.overlays))
        stack.enter_context(settings(space.shading, type=look.shading))
        stack.enter_context(settings(space.shading, **look.options))
        yield
