"""blendtorch's renderer, which needs neither a window nor a display here."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from heliograph.compat.blendtorch.btb.camera import Camera
from heliograph.engines.blender import offscreen
from heliograph.engines.blender.offscreen import Mode, Origin, StyleName


class OffScreenRenderer(offscreen.OffScreenRenderer):
    """Draws the scene; see `heliograph.engines.blender.offscreen.OffScreenRenderer`.

    Pictures are sRGB already, and arrays of their own. With a `Camera`, they are seen through its
    matrices, as of when they were updated; else the scene's camera is followed.

    Args:
        camera: a `Camera` or an object that is a camera; the scene's own without it.
        mode: "rgb" or "rgba".
        origin: which corner row 0 begins at: "upper-left" or "lower-left".
        gamma_coeff: taken for blendtorch's sake: there it made of linear colour what it is here.
        style: what draws.
    """

    def __init__(
        self,
        camera: Any = None,
        mode: Mode = "rgba",
        origin: Origin = "upper-left",
        gamma_coeff: float | None = None,
        *,
        style: StyleName = "auto",
    ) -> None:
        del gamma_coeff
        self._given = camera if isinstance(camera, Camera) else None
        seen_by = camera if self._given is None else self._given.bpy_camera
        shape = None if self._given is None else self._given.shape
        super().__init__(seen_by, mode, origin, shape=shape, style=style)

    def matrices(self) -> tuple[ArrayLike | None, ArrayLike | None]:
        """View and projection that were set by hand, or those of the `Camera`."""
        view, projection = super().matrices()
        if self._given is not None:
            view = self._given.view_matrix if view is None else view
            projection = self._given.proj_matrix if projection is None else projection
        return view, projection
