"""The rasterizer's face: draw lists and cameras in, all requested passes out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from heliograph.camera import Camera
from heliograph.errors import ContextError
from heliograph.frame import Buffers
from heliograph.passes import PassSpecs
from heliograph.raster.choice import choose
from heliograph.raster.cpu import native_scene
from heliograph.raster.intake import instance
from heliograph.raster.options import RasterOptions
from heliograph.raster.store import AssetStore
from heliograph.raster.types import DrawList, Geometry, Light
from heliograph.requires import Requires


class Rasterizer(AssetStore, Protocol):
    """Draws triangles, all passes in one go; `make_rasterizer` makes one."""

    @property
    def options(self) -> RasterOptions:
        """How it draws."""

    @property
    def passes(self) -> PassSpecs:
        """The passes it can draw."""

    @property
    def device(self) -> str:
        """What draws, in words that differ wherever pictures may: a driver's own, or a version."""

    def expect_lights(self, lights: tuple[Light, ...]) -> None:
        """Prepare for such kinds of lights; call it before the first `draw`.

        All others are drawn as well, on GL by programs that suit any, of which there are few.
        """

    def add_levels(self, levels: Sequence[tuple[Geometry, float]]) -> int:
        """Take in one surface at several levels of detail, finest first, with errors in metres."""

    def together(self) -> AbstractContextManager[None]:
        """Calls of `draw` that need not wait one by one: their arrays are filled by the end.

        Where the CPU draws (and for `readback="direct"`) they are filled at once all the same.
        """

    def settle(self) -> None:
        """Wait until the arrays of all pictures drawn so far are filled."""

    def draw(
        self,
        scene: DrawList,
        cameras: Sequence[Camera],
        passes: Sequence[str],
        out: Sequence[Buffers],
    ) -> None:
        """Draw one state of a scene from each camera into the arrays given.

        Args:
            scene: what is to be seen.
            cameras: from where; each with its own size.
            passes: which images each camera yields.
            out: per camera, an array of the right shape and dtype for each pass; filled when this
                returns, or within `together` by its end.

        Raises:
            InvalidValueError: more lights than can be drawn.
        """

    def close(self) -> None:
        """Free all it holds; may be called twice."""


def make_rasterizer(options: RasterOptions | None = None) -> Rasterizer:
    """A rasterizer, of the backend that `heliograph.raster.choice.choose` names.

    Args:
        options: how to draw.

    Raises:
        InvalidValueError: `options` are none.
        ContextError: it is GL, and there is no usable one here.
        MissingDependencyError: it is the CPU, and the native module is not built here.
    """
    options = RasterOptions() if options is None else instance("options", options, RasterOptions)
    choice = choose(options)
    if choice.backend == "cpu":
        native_scene()
        from heliograph.raster.cpu.rasterizer import CpuRasterizer

        return CpuRasterizer(options)
    with Requires("moderngl"):
        from heliograph.raster.gl.rasterizer import GlRasterizer
    try:
        return GlRasterizer(options)
    except ContextError as error:
        if options.backend == "auto" and options.device is None:
            raise ContextError(f"{error}; GL was tried as {choice.why}") from None
        if choose().backend == "cpu":
            given = {"backend": options.backend != "auto", "device": options.device is not None}
            out = " and ".join(name for name, is_given in given.items() if is_given)
            raise ContextError(f"{error}; leave {out} out to draw without GL") from None
        raise
