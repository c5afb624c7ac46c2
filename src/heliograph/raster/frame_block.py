"""The uniform block of one picture, laid out as gl/shaders/frame.glsl declares it."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from operator import attrgetter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.errors import InvalidValueError
from heliograph.raster.intake import MOST
from heliograph.raster.light_layouts import LightLayout, LightLayouts
from heliograph.raster.refusals import check_lights, check_surroundings, surely_within
from heliograph.raster.shadows import MAX_SHADOWS, atlas_grid
from heliograph.raster.types import (
    LARGEST,
    MAX_LIGHTS,
    SMALLEST,
    DrawList,
    Light,
    Lighting,
    LightKind,
)

_POSITIONAL = (LightKind.POINT, LightKind.SPOT)
_DARK = (0.0, 0.0, 0.0)
_BLACK = Light(LightKind.HEAD, diffuse=_DARK, specular=_DARK)

_COUNT = 52
BEHIND = slice(16, _COUNT)
"""Where the numbers are that the background depends on."""
BRIGHTNESS = slice(116, 118)
"""Where exposure and the factor of a picture of all around are."""
_DEEPEST = 1e30  # beyond it depth is too small for a float32
_AROUND, _BENT, _LEVELS, _SHADOWS = 56, 68, BRIGHTNESS.start, 120
_ROW = 24
_LIGHTS = _SHADOWS + _ROW * MAX_SHADOWS
SIZE = _LIGHTS + _ROW * MAX_LIGHTS
"""Length of the block in float32 numbers."""

Matrix = NDArray[np.float64]
Reach = tuple[float, float]

_emission = attrgetter(
    *("kind", "diffuse", "specular", "ambient", "attenuation", "cutoff", "exponent", "softness"),
    *("decay", "distance", "size"),
)
"""What a light's row holds besides its position and direction."""


class Irradiance(Protocol):
    """What arrives on surfaces of a picture of all around, as `Radiance` has it."""

    @property
    def linear(self) -> Matrix:
        """(3, 4)."""

    @property
    def quadratic(self) -> Matrix:
        """(3, 3, 3)."""


class FrameBlocks:
    """Makes uniform blocks, each in the memory of the last: what stands still stays written.

    Args:
        layouts: chooses what programs the lights need.
    """

    def __init__(self, layouts: LightLayouts) -> None:
        self._layouts = layouts
        self._lights: tuple[Light, ...] = ()
        self._casting: tuple[int, ...] = ()
        self._linear = False
        self._sky: object = None
        self._seen: tuple[object, ...] = ()
        self._emissions: Sequence[object] | None = None
        self._camera: Camera | None = None
        self._lens: object = None
        self._reach: object = None
        self._around: object = None
        self._block = np.zeros(SIZE, np.float32)
        self._whole = False

    def layout(self, scene: DrawList, casting: tuple[int, ...]) -> LightLayout:
        """What programs a picture is for, with a scene's lights, of which those cast shadows."""
        lights, linear = scene.lights, scene.lighting is Lighting.STANDARD
        if not self._whole or linear != self._linear:
            self._linear = linear
            self._forget()
        if lights is not self._lights or casting != self._casting:
            self._whole = False
            self._pack(lights, casting)
            self._camera = None  # which has them written
        self._whole = True
        return self._layout

    def make(
        self,
        scene: DrawList,
        camera: Camera,
        reach: Reach,
        casting: tuple[int, ...] = (),
        shadows: Sequence[NDArray[np.float64]] | Matrix = (),
        radiance: Irradiance | None = None,
    ) -> tuple[NDArray[np.float32], LightLayout]:
        """The block, (N,) float32, good until the next call, and what programs it is for.

        Matrices are column-major, lights in camera axes.

        Args:
            scene: its lights and environment.
            camera: the camera of the picture.
            reach: nearest and farthest depth to be told apart, as `plan.reach` has it.
            casting: places of its lights that have shadow maps.
            shadows: (K, 24), the numbers of each map, as `ShadowMap.numbers` gives them.
            radiance: the scene's picture of all around.
        """
        if not self._whole:
            self._forget()
        self._whole = False
        block, around = self._block, (scene.environment, scene.ambient)
        if around != self._around:
            check_surroundings(scene)
            self._around = around
            block[20:23], back = scene.ambient, scene.environment
            block[24:27] = back.colour if back.haze is None else back.haze
            block[27], block[32] = back.haze_range
            block[28:32] = back.haze_plane
        relit = scene.lights is not self._lights or casting != self._casting
        if relit:
            self._pack(scene.lights, casting)
        if relit or camera is not self._camera:
            self._look_through(camera)
            self._write_lights(camera)
        if (self._lens, reach) != self._reach:
            block[0:16] = clip_from_camera(camera, reach).T.ravel()
            self._reach = self._lens, reach
        for place, numbers in enumerate(shadows):
            row = block[_SHADOWS + _ROW * place :][:_ROW]
            row[:16] = (numbers[:16].reshape(4, 4) @ camera.world_from_camera).T.ravel()
            row[16:] = numbers[16:]
        if self._linear:
            self._write_around(scene, camera, radiance)
        self._whole = True
        return block, self._layout

    def _write_around(self, scene: DrawList, camera: Camera, radiance: Irradiance | None) -> None:
        """Write the light from all sides as the camera sees it, and how bright all is shown."""
        scale = 0.0 if radiance is None else scene.environment.radiance_scale
        sky = scene.ambient, scene.gradient, scene.exposure, scale
        seen = (camera, scene.lights, radiance)
        if sky == self._sky and all(map(operator.is_, seen, self._seen)):
            return
        self._sky, self._seen, block = None, seen, self._block
        turn = camera.world_from_camera[:3, :3]
        linear = np.zeros((3, 4))
        linear[:, 3] = np.sum([scene.ambient, *(light.ambient for light in scene.lights)], axis=0)
        if scene.gradient is not None:
            linear[:, :3] = np.array(scene.gradient).T @ turn
        block[_AROUND:_BENT] = linear.ravel()
        bent = block[_BENT:_LEVELS].reshape(3, 4, 4)
        bent[:] = 0.0
        if radiance is not None:
            bent[:, :3, :3] = scale * (turn.T @ radiance.quadratic @ turn)
            bent[:, 3, :3] = scale * (radiance.linear[:, :3] @ turn)
            bent[:, 3, 3] = scale * radiance.linear[:, 3]
        block[_LEVELS : _LEVELS + 3] = scene.exposure, scale, camera.far
        if not surely_within(block[_AROUND : _LEVELS + 2], MOST) or scene.exposure < 0:
            check_surroundings(scene)
        self._sky = sky

    def _forget(self) -> None:
        """Have all written again: an exception (Ctrl-C, say) may have come at any line."""
        self._camera = self._lens = self._reach = self._around = self._sky = None
        self._emissions = None
        self._pack((), ())

    def _look_through(self, camera: Camera) -> None:
        block, fx, fy, cx, cy = self._block, camera.fx, camera.fy, camera.cx, camera.cy
        lens = camera.projection, camera.size, fx, fy, cx, cy, camera.near, camera.far
        if lens != self._lens:
            _check_reach(camera)
            block[16:20] = 1 / fx, -1 / fy, -cx / fx, cy / fy
            block[23] = camera.near
            block[33] = camera.projection is Projection.ORTHOGRAPHIC
            self._lens = lens
        block[36:52] = camera.world_from_camera.T.ravel()
        self._camera = camera

    def _write_lights(self, camera: Camera) -> None:
        """Write the lights with positions and directions as the camera sees them."""
        rows = self._block[_LIGHTS : _LIGHTS + self._rows.size].reshape(-1, _ROW)
        rows[:] = self._rows
        view = camera.camera_from_world
        rows[self._in_world, 0:3] = self._position @ view[:3].T
        rows[self._in_world, 4:7] = self._direction @ view[:3, :3].T
        if self._areas:
            rows[self._areas, 4:7], rows[self._areas, 20:23] = self._sides @ view[:3, :3].T

    def _pack(self, lights: tuple[Light, ...], casting: tuple[int, ...]) -> None:
        """Lay lights out in rows: those that cast shadows, the others; a black one for none."""
        first = [lights[place] for place in casting]
        others = [light for place, light in enumerate(lights) if place not in casting]
        shown = [*first, *others] or [_BLACK]
        emissions = tuple(_emission(light) for light in shown)
        if emissions != self._emissions or casting != self._casting:
            check_lights(lights)
            self._emissions = emissions
            self._layout = self._layouts.choose(lights, casting, linear=self._linear)
            row = _linear_row if self._linear else _row
            self._rows = np.array([row(light) for light in shown], np.float32)
            rows = enumerate(shown)
            self._in_world = [row for row, light in rows if light.kind is not LightKind.HEAD]
            kinds = [shown[row].kind for row in self._in_world]
            self._parallel = np.array([kind is LightKind.DIRECTIONAL for kind in kinds], bool)
            self._block[_COUNT] = len(shown)
            self._block[_COUNT + 1 : _AROUND] = len(casting), *atlas_grid(len(casting))
        self._lights, self._casting = lights, casting
        self._areas = [row for row, light in enumerate(shown) if light.kind is LightKind.AREA]
        sides = [shown[row].sides for row in self._areas]
        self._sides = np.array(sides, float).reshape(-1, 2, 3).swapaxes(0, 1)
        in_world, parallel = [shown[row] for row in self._in_world], self._parallel
        direction = np.array([light.direction for light in in_world], float).reshape(-1, 3)
        length = np.sqrt((direction * direction).sum(1, keepdims=True))
        self._direction = direction / np.maximum(length, 1e-12)
        # Homogeneous, as GL has them: parallel light comes from infinitely far away.
        self._position = np.ones((len(in_world), 4))
        self._position[:, :3] = np.array([light.position for light in in_world]).reshape(-1, 3)
        if not (surely_within(self._position, MOST) and surely_within(self._direction, MOST)):
            check_lights(lights)
        self._position[parallel, :3], self._position[parallel, 3] = -self._direction[parallel], 0.0


def clip_from_camera(camera: Camera, reach: Reach) -> Matrix:
    """The camera's projection with depth from 1 (nearest) to 0 (farthest), as depth.py has it.

    Its y is turned, so that row 0 of what is read is the top.
    """
    near, far = reach
    matrix = np.array(camera.projection_matrix)
    matrix[1] *= -1
    slope = (1.0 if camera.projection is Projection.ORTHOGRAPHIC else near) / (far - near)
    matrix[2] = 0.0, 0.0, slope, slope * far
    return matrix


def _check_reach(camera: Camera) -> None:
    near, far = camera.near, camera.far
    if far > _DEEPEST * near:
        raise InvalidValueError(
            f"camera {camera.name!r}: near {camera.near:g} and far {camera.far:g} are too far "
            f"apart for a depth buffer; give a near of at least far / {_DEEPEST:g}"
        )
    if near < SMALLEST or far > LARGEST:
        raise InvalidValueError(
            f"camera {camera.name!r}: expected near and far from {SMALLEST:g} to {LARGEST:g} m, "
            f"got {near:g} and {far:g}; give all lengths in another unit"
        )


def _linear_row(light: Light) -> list[float]:
    """The same for linear light, with the numbers in other places that only such light has."""
    row = _row(light)
    ends = 1 / max(light.distance, SMALLEST) ** 2 if light.distance > 0 else 0.0
    row[12:15] = ends, light.decay, 0.0
    row[19] = float(light.decay > 0)
    if light.kind is LightKind.AREA:
        row[3] = 2.0
    return row


def _row(light: Light) -> list[float]:
    """A light's 24 numbers; a head light stays at the camera and looks along its axis."""
    rim, exponent, fading = -2.0, 0.0, 1.0  # in these a light shines to all sides
    if light.kind is LightKind.SPOT:
        rim, exponent = float(np.cos(light.cutoff)), light.exponent
        fading = max(float(np.cos(light.cutoff * (1 - light.softness))) - rim, 1e-6)
    return [
        *(0.0, 0.0, 1.0, float(light.kind in _POSITIONAL)),
        *(0.0, 0.0, -1.0, rim),
        *(*light.diffuse, exponent),
        *(*light.specular, fading),
        *(*(light.attenuation if light.kind in _POSITIONAL else (1.0, 0.0, 0.0)), 0.0),
        *(*light.ambient, 0.0),
    ]
