"""Draws shadow maps natively, all of one state side by side in one array, for all its cameras."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.raster import shadows
from heliograph.raster.cpu.numbers import camera_numbers
from heliograph.raster.options import RasterOptions
from heliograph.raster.prepared import PlacedInstances
from heliograph.raster.types import Light

_WIDEST = 16384


@dataclass(frozen=True, eq=False)
class ShadowAtlas:
    """Drawn shadow maps.

    Attributes:
        depths: (H, W) float32 from 0 to 1, row 0 lowest; None without any.
        casting: places of the lights that have one.
        maps: (K, 24) their numbers, as `ShadowMap.numbers` gives them.
    """

    depths: NDArray[np.float32] | None = None
    casting: tuple[int, ...] = ()
    maps: NDArray[np.float64] | tuple[()] = ()


NO_SHADOWS = ShadowAtlas()


class ShadowMaps:
    """Draws and keeps the shadow maps of one rasterizer.

    Args:
        native: the native scene.
        options: of the rasterizer.
    """

    def __init__(self, native: Any, options: RasterOptions) -> None:
        self._native, self._options = native, options
        self._lights: tuple[Light, ...] = ()
        self._casting: tuple[int, ...] = ()
        self._memory: dict[int, NDArray[np.float32]] = {}

    def size(self, camera: Camera) -> int:
        """How fine the maps for a camera are, for `draw`."""
        return shadows.map_size(camera, self._options.shadow_size)

    def casting(self, lights: tuple[Light, ...]) -> tuple[int, ...]:
        """Places of the lights that get a shadow map."""
        if self._lights is not lights:
            self._casting = shadows.casting(lights) if self._options.shadows else ()
            self._lights = lights
        return self._casting

    def draw(
        self,
        lights: tuple[Light, ...],
        placed: PlacedInstances,
        instances: Any,
        size: int,
        level: int,
    ) -> ShadowAtlas:
        """Draw a map for each light that casts shadows.

        Args:
            lights: the lights.
            placed: what casts shadows.
            instances: the same for the native scene.
            size: as `size` gives it.
            level: of the instructions that may be used.
        """
        casting = self.casting(lights)
        made = shadows.atlas([lights[place] for place in casting], placed, size, _WIDEST)
        width, height = made.size
        depths = self._room(width, height, size)
        for casters, camera, corner in made.faces:
            parallel = camera.projection is Projection.ORTHOGRAPHIC
            numbers = camera_numbers(camera)
            self._native.draw_shadow(
                instances, numbers, *camera.size, parallel, casters, depths, *corner, level
            )
        return ShadowAtlas(depths[:height], casting, made.numbers)

    def _room(self, width: int, height: int, size: int) -> NDArray[np.float32]:
        """Where nothing is drawn yet, with a row more: eight texels are written at once.

        Maps of another size lie elsewhere: one view has cameras that need those, and others after.
        """
        needed = width * (height + 1)
        memory = self._memory.get(size)
        if memory is None or memory.size < needed:
            memory = self._memory[size] = np.empty(needed, np.float32)
        room = memory[:needed].reshape(height + 1, width)
        room.fill(1.0)
        return room
