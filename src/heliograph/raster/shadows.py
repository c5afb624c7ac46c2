"""Shadow maps: the scene's depth as lights see it, drawn once for all cameras of a state.

A map covers only what casts shadows: its texels stay as fine as those of a map of all that the
light reaches, at a fraction of the work. Outside of it everything is lit.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from heliograph import poses
from heliograph.camera import Camera, Projection
from heliograph.raster import plan as planning
from heliograph.raster.gl.pipeline import Pipeline
from heliograph.raster.gl.programs import MAX_LIGHTS, MAX_SHADOWS, LightPlan
from heliograph.raster.instances import Placed
from heliograph.raster.options import RasterOptions
from heliograph.raster.types import DrawList, Light, LightKind

_TO_UNIT = np.array([[0.5, 0, 0, 0.5], [0, 0.5, 0, 0.5], [0, 0, 0.5, 0.5], [0, 0, 0, 1]])
_SLOPE_BIAS, _UNIT_BIAS = 2.0, 4.0
_WIDEST = math.radians(85)
_TEXELS, _LEAST = 2, 256
_STEP = 64  # maps have sides of whole tiles, so that a few framebuffers serve all states
_MARGIN = 2.0  # texels round what casts, for the filter
_KEPT = 16

Bools = NDArray[np.bool_]


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
        self._lights: tuple[Light, ...] = ()
        self._plan = LightPlan()
        self._kept: OrderedDict[Any, tuple[moderngl.Texture, moderngl.Framebuffer]] = OrderedDict()

    def size(self, camera: Camera) -> int:
        """Texels over a light's whole reach: two to four for each pixel of the camera's picture."""
        wanted = 1 << math.ceil(math.log2(max(_TEXELS * max(camera.size), _LEAST)))
        return min(wanted, self._options.shadow_size)

    def draw(self, scene: DrawList, placed: Placed, size: int) -> tuple[LightPlan, list[ShadowMap]]:
        """Draw a map for each light that casts shadows.

        Args:
            scene: its lights.
            placed: its instances.
            size: as `size` gives it.

        Returns:
            What shaders must know of the lights, and the maps in its order.
        """
        lights = scene.lights[:MAX_LIGHTS]
        if self._lights is not scene.lights:
            kinds = tuple(light.kind for light in lights)
            casting = [place for place, light in enumerate(lights) if self._casts(light)]
            self._lights, self._plan = scene.lights, LightPlan(kinds, tuple(casting[:MAX_SHADOWS]))
        if not self._plan.shadows:
            return self._plan, []
        casters = _casters(placed)
        maps = [
            self._map(shadow_camera(lights[place], size), placed, casters, number)
            for number, place in enumerate(self._plan.shadows)
        ]
        return self._plan, maps

    def _casts(self, light: Light) -> bool:
        able = light.kind in (LightKind.DIRECTIONAL, LightKind.SPOT)
        return self._options.shadows and light.casts_shadow and able

    def _map(self, whole: Camera, placed: Placed, casters: Bools, number: int) -> ShadowMap:
        camera = _cropped(whole, placed, casters)
        texture, framebuffer = self._target(camera.size, number)
        plan = planning.plan(placed, camera, casters)
        framebuffer.use()
        framebuffer.depth_mask = True
        framebuffer.clear(depth=1.0)
        self._gl.enable_only(moderngl.DEPTH_TEST)
        self._gl.depth_func = "<"
        self._gl.polygon_offset = _SLOPE_BIAS, _UNIT_BIAS
        self._pipeline.draw_depth(plan, camera.projection_matrix)
        self._gl.polygon_offset = 0.0, 0.0
        return ShadowMap(texture, _TO_UNIT @ camera.projection_matrix @ camera.camera_from_world)

    def _target(
        self, size: tuple[int, int], number: int
    ) -> tuple[moderngl.Texture, moderngl.Framebuffer]:
        key = (size, number)
        if key not in self._kept:
            while len(self._kept) >= _KEPT:
                for thing in reversed(self._kept.popitem(last=False)[1]):
                    thing.release()
            texture = self._gl.depth_texture(size)
            texture.compare_func = "<="
            texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
            texture.repeat_x = texture.repeat_y = False
            self._kept[key] = texture, self._gl.framebuffer(depth_attachment=texture)
        self._kept.move_to_end(key)
        return self._kept[key]


def _casters(placed: Placed) -> Bools:
    """What can throw a shadow on something: not a floor with nothing behind it."""
    looks = placed.looks
    casters = looks.casts_shadow & placed.show
    solid = np.array(placed.show)
    solid[looks.flat] = False
    for row in looks.flat[casters[looks.flat]]:
        pose = placed.pose[row]
        normal = np.cross(pose[:, 0], pose[:, 1]) * np.sign(placed.scaling.determinant[row])
        casters[row] = bool(((placed.centre[solid] - pose[:, 3]) @ normal < 0).any())
    return casters


def _cropped(whole: Camera, placed: Placed, casters: Bools) -> Camera:
    """The light's camera with its picture cut down to what casts shadows."""
    view = whole.camera_from_world
    seen = placed.centre[casters] @ view[:3, :3].T + view[:3, 3]
    low, high = _extent(seen, placed.radius[casters], whole.projection)
    focal, centre = np.array([whole.fx, -whole.fy]), np.array([whole.cx, whole.cy])
    corners = np.sort(np.stack([low, high]) * focal + centre, axis=0)
    first = np.clip(np.floor(corners[0] - _MARGIN), 0, whole.width - _STEP)
    last = np.clip(np.ceil(corners[1] + _MARGIN), first + 1, whole.width)
    sides = (np.ceil((last - first) / _STEP) * _STEP).astype(int)
    cx, cy = (centre - first).tolist()
    return whole.replace(width=int(sides[0]), height=int(sides[1]), cx=cx, cy=cy)


def _extent(
    seen: NDArray[np.float64], radius: NDArray[np.float64], projection: Projection
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where spheres (N, 3) in camera axes fall on the plane one metre ahead: lowest, highest."""
    if not len(seen):
        return np.zeros(2), np.zeros(2)
    if projection is Projection.ORTHOGRAPHIC:
        return (seen[:, :2] - radius[:, None]).min(0), (seen[:, :2] + radius[:, None]).max(0)
    ahead = -seen[:, 2:]
    angle = np.arctan2(seen[:, :2], ahead)
    half = np.arcsin(np.clip(radius[:, None] / np.hypot(seen[:, :2], ahead), 0, 1))
    widest = math.tan(_WIDEST)
    low = np.where(angle - half < -_WIDEST, -widest, np.tan(np.minimum(angle - half, _WIDEST)))
    high = np.where(angle + half > _WIDEST, widest, np.tan(np.maximum(angle + half, -_WIDEST)))
    return low.min(0), high.max(0)


@lru_cache(maxsize=64)
def shadow_camera(light: Light, size: int) -> Camera:
    """The light as a camera whose picture is all that it can shadow."""
    near, far = light.shadow_range
    pose = poses.look_at(np.zeros(3), light.direction)  # beside a far position it would vanish
    pose[:3, 3] = light.position
    common = {"width": size, "height": size, "near": near, "far": far, "name": "shadow"}
    if light.kind is LightKind.SPOT:
        angle = 2 * min(light.cutoff, _WIDEST)
        return Camera.perspective(fov_y=angle, world_from_camera=pose, **common)  # type: ignore[arg-type]
    return Camera.orthographic(
        extent_y=2 * light.shadow_extent,
        world_from_camera=pose,
        **common,  # type: ignore[arg-type]
    )
