"""The cameras and the layout of a view, found once for many views; driver and worker use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heliograph.camera import Camera
from heliograph.engine import resolve_cameras
from heliograph.passes import PassSpecs, select_passes
from heliograph.transport.layout import Layout, lay_out
from heliograph.view import View

_CACHE_SIZE = 256


class Layouts:
    """Finds cameras and layouts of views; cached for views that name all their cameras.

    Args:
        known: the scene's own cameras.
        passes: the passes there are.
    """

    def __init__(self, known: Mapping[str, Camera], passes: PassSpecs) -> None:
        self._known = known
        self._passes = passes
        self._cache: dict[Any, tuple[tuple[Camera, ...], Layout]] = {}

    def of(self, view: View) -> tuple[tuple[Camera, ...], Layout]:
        """Cameras and layout of a view.

        Raises:
            UnknownNameError: lists the cameras or passes there are.
        """
        key = (view.cameras, view.pass_names)
        # To look a camera up by value would cost more than to lay it out.
        named = all(isinstance(camera, str) for camera in view.cameras)
        if named and key in self._cache:
            return self._cache[key]
        cameras = resolve_cameras(view, self._known)
        found = cameras, lay_out(cameras, select_passes(view.pass_names, self._passes))
        if named and len(self._cache) < _CACHE_SIZE:
            self._cache[key] = found
        return found
