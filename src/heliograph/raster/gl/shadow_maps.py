"""Draws shadow maps, all of one state side by side in one depth texture, for all its cameras."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import moderngl
import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.raster import plan as planning
from heliograph.raster import shadows
from heliograph.raster.gl.pipeline import Pipeline
from heliograph.raster.options import RasterOptions
from heliograph.raster.prepared import PlacedInstances
from heliograph.raster.types import Light

_SLOPE_BIAS, _UNIT_BIAS = 2.0, 4.0
_CACHE_SIZE = 8  # more than the sizes that one state can need

Texels = tuple[int, int]


@dataclass(frozen=True, eq=False)
class ShadowAtlas:
    """Drawn shadow maps.

    Attributes:
        texture: their depths; None without any.
        casting: places of the lights that have one.
        maps: (K, 24) their numbers, as `ShadowMap.numbers` gives them.
    """

    texture: moderngl.Texture | None = None
    casting: tuple[int, ...] = ()
    maps: NDArray[np.float64] | tuple[()] = ()


NO_SHADOWS = ShadowAtlas()


class ShadowMaps:
    """Draws and keeps the shadow maps of one rasterizer."""

    def __init__(self, gl: moderngl.Context, pipeline: Pipeline, options: RasterOptions) -> None:
        self._gl = gl
        self._pipeline = pipeline
        self._options = options
        self._lights: tuple[Light, ...] = ()
        self._casting: tuple[int, ...] = ()
        self._widest: int = gl.info["GL_MAX_TEXTURE_SIZE"]
        self._targets: OrderedDict[
            tuple[int, Texels], tuple[moderngl.Texture, moderngl.Framebuffer]
        ] = OrderedDict()

    def size(self, camera: Camera) -> int:
        """How fine the maps for a camera are, for `draw`."""
        return shadows.map_size(camera, self._options.shadow_size)

    def casting(self, lights: tuple[Light, ...]) -> tuple[int, ...]:
        """Places of the lights that get a shadow map."""
        if self._lights is not lights:
            self._casting = shadows.casting(lights) if self._options.shadows else ()
            self._lights = lights
        return self._casting

    def draw(self, lights: tuple[Light, ...], placed: PlacedInstances, size: int) -> ShadowAtlas:
        """Draw a map for each light that casts shadows; `size` as `size` gives it."""
        casting = self.casting(lights)
        if not casting:
            return NO_SHADOWS
        made = shadows.atlas([lights[place] for place in casting], placed, size, self._widest)
        texture, framebuffer = self._target(size, made.size)
        framebuffer.use()
        framebuffer.depth_mask = True
        framebuffer.clear(depth=1.0)
        self._gl.enable_only(moderngl.DEPTH_TEST)
        self._gl.depth_func = "<"
        self._gl.polygon_offset = _SLOPE_BIAS, _UNIT_BIAS
        for mine, camera, corner in made.faces:
            framebuffer.viewport = (*corner, *camera.size)
            plan = planning.plan(placed, camera, mine)
            self._pipeline.draw_depth(plan, camera.projection_matrix)
        return ShadowAtlas(texture, casting, made.numbers)

    def _target(self, size: int, whole: Texels) -> tuple[moderngl.Texture, moderngl.Framebuffer]:
        """A texture for what is drawn for one size; other sizes' stay as they are meanwhile."""
        key = (size, whole)
        if key not in self._targets:
            while len(self._targets) >= _CACHE_SIZE:
                for thing in reversed(self._targets.popitem(last=False)[1]):
                    thing.release()
            texture = self._gl.depth_texture(whole)
            texture.compare_func = "<="
            texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
            texture.repeat_x = texture.repeat_y = False
            self._targets[key] = texture, self._gl.framebuffer(depth_attachment=texture)
        self._targets.move_to_end(key)
        return self._targets[key]
