"""Shadow maps: the scene's depth as lights see it, drawn once for all cameras of a state."""

from __future__ import annotations

import math
from dataclasses import dataclass

import moderngl
import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.raster import plan as planning
from heliograph.raster.context import RasterOptions
from heliograph.raster.drawables import DrawList, Light, LightKind
from heliograph.raster.pipeline import Pipeline
from heliograph.raster.shaders import MAX_LIGHTS, MAX_SHADOWS, LightPlan

_TO_UNIT = np.array([[0.5, 0, 0, 0.5], [0, 0.5, 0, 0.5], [0, 0, 0.5, 0.5], [0, 0, 0, 1]])
_SLOPE_BIAS, _UNIT_BIAS = 2.0, 4.0
_WIDEST = math.radians(85)


@dataclass(eq=False)
class ShadowMap:
    """A drawn map: its depth texture, and map coordinates (0 to 1) from world, 4x4."""

    texture: moderngl.Texture
    clip_from_world: NDArray[np.float64]


class Shadows:
    """Draws and keeps the shadow maps of one rasterizer."""

    def __init__(self, gl: moderngl.Context, pipeline: Pipeline, options: RasterOptions) -> None:
        self._gl = gl
        self._pipeline = pipeline
        self._options = options
        self._kept: dict[tuple[int, int], tuple[moderngl.Texture, moderngl.Framebuffer]] = {}

    def draw(
        self, scene: DrawList, placed: planning.Placed, side: int
    ) -> tuple[LightPlan, list[ShadowMap]]:
        """Draw a map for each light that casts shadows.

        Args:
            scene: its lights.
            placed: its instances.
            side: longest side of the pictures in pixels; 0 when no colour is asked for.

        Returns:
            What shaders must know of the lights, and the maps in its order.
        """
        if not side:
            return LightPlan(), []
        lights = scene.lights[:MAX_LIGHTS]
        casting = [place for place, light in enumerate(lights) if self._casts(light)][:MAX_SHADOWS]
        size = self._size(side)
        maps = [
            self._map(lights[place], placed, size, number) for number, place in enumerate(casting)
        ]
        return LightPlan(tuple(light.kind for light in lights), tuple(casting)), maps

    def _casts(self, light: Light) -> bool:
        able = light.kind in (LightKind.DIRECTIONAL, LightKind.SPOT)
        return self._options.shadows and light.casts_shadow and able

    def _size(self, side: int) -> int:
        """Texels per side: two to four for each of the picture's pixels, a power of two."""
        wanted: int = 1 << math.ceil(math.log2(max(2 * side, 256)))
        return min(wanted, self._options.shadow_size)

    def _map(self, light: Light, placed: planning.Placed, size: int, number: int) -> ShadowMap:
        camera = shadow_camera(light, size)
        texture, framebuffer = self._target(size, number)
        tables = self._pipeline.tables
        plan = planning.plan(placed, camera, tables, placed.looks.casts_shadow & ~placed.looks.transparent)
        framebuffer.use()
        framebuffer.depth_mask = True
        framebuffer.clear(depth=1.0)
        self._gl.enable_only(moderngl.DEPTH_TEST)
        self._gl.depth_func = "<"
        self._gl.polygon_offset = _SLOPE_BIAS, _UNIT_BIAS
        self._pipeline.draw_depth(plan, camera.projection_matrix)
        self._gl.polygon_offset = 0.0, 0.0
        return ShadowMap(texture, _TO_UNIT @ camera.projection_matrix @ camera.camera_from_world)

    def _target(self, size: int, number: int) -> tuple[moderngl.Texture, moderngl.Framebuffer]:
        key = (size, number)
        if key not in self._kept:
            texture = self._gl.depth_texture((size, size))
            texture.compare_func = "<="
            texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
            texture.repeat_x = texture.repeat_y = False
            self._kept[key] = texture, self._gl.framebuffer(depth_attachment=texture)
        return self._kept[key]


def shadow_camera(light: Light, size: int) -> Camera:
    """The light as a camera whose picture is its shadow map."""
    near, far = light.shadow_range
    eye = np.array(light.position, float)
    target = eye + np.array(light.direction, float)
    common = {"width": size, "height": size, "near": near, "far": far, "name": "shadow"}
    if light.kind is LightKind.SPOT:
        angle = 2 * min(light.cutoff, _WIDEST)
        return Camera.look_at(eye=eye, target=target, fov_y=angle, **common)  # type: ignore[arg-type]
    pose = Camera.look_at(eye=eye, target=target, fov_y=1.0, **common)  # type: ignore[arg-type]
    return Camera.orthographic(
        extent_y=2 * light.shadow_extent,
        world_from_camera=pose.world_from_camera,
        **common,  # type: ignore[arg-type]
    )
