"""The uniform block of one picture, laid out as shaders/frame.glsl declares it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.errors import InvalidValueError
from heliograph.raster.gl.programs import MAX_LIGHTS, MAX_SHADOWS
from heliograph.raster.types import LARGEST, SMALLEST, DrawList, Light, LightKind

_LIGHTS = 52
_DEEPEST = 1e30  # beyond it depth is too small for a float32
_SHADOWS = _LIGHTS + 24 * MAX_LIGHTS
LENS = _LIGHTS
"""Numbers before the lights: all that the background depends on."""
SIZE = _SHADOWS + 16 * MAX_SHADOWS
"""Length of the block in float32 numbers."""

Matrix = NDArray[np.float64]


class FrameBlocks:
    """Makes uniform blocks, each in the memory of the last: what stands still stays written."""

    def __init__(self) -> None:
        self._lights: tuple[Light, ...] = ()
        self._looks: list[object] = []
        self._camera: Camera | None = None
        self._lens: object = None
        self._around: object = None
        self._block = np.zeros(SIZE, np.float32)
        self._pack(())

    def make(
        self, scene: DrawList, camera: Camera, shadows: Sequence[Matrix]
    ) -> NDArray[np.float32]:
        """(SIZE,) float32: matrices column-major, lights in camera axes; good until the next call.

        Args:
            scene: its lights and environment.
            camera: the camera of the picture.
            shadows: for each shadow map, map coordinates (0 to 1) from world, 4x4.
        """
        block, around = self._block, (scene.environment, scene.ambient)
        if around != self._around:
            self._around = around
            block[20:23], back = scene.ambient, scene.environment
            block[24:27] = back.colour if back.haze is None else back.haze
            block[27], block[32] = back.haze_range
            block[28:32] = back.haze_plane
        relit = scene.lights is not self._lights
        if relit:
            self._pack(scene.lights)
        if relit or camera is not self._camera:
            self._look_through(camera)
            self._place_lights(block[_LIGHTS:_SHADOWS].reshape(MAX_LIGHTS, 24), camera)
        for place, matrix in enumerate(shadows):
            start = _SHADOWS + 16 * place
            block[start : start + 16] = (matrix @ camera.world_from_camera).T.ravel()
        return block

    def _look_through(self, camera: Camera) -> None:
        block, fx, fy, cx, cy = self._block, camera.fx, camera.fy, camera.cx, camera.cy
        lens = camera.projection, camera.size, fx, fy, cx, cy, camera.near, camera.far
        if lens != self._lens:
            block[0:16] = clip_from_camera(camera).T.ravel()
            block[16:20] = 1 / fx, -1 / fy, -cx / fx, cy / fy
            block[23] = camera.near
            self._lens = lens
        block[36:52] = camera.world_from_camera.T.ravel()
        self._camera = camera

    def _place_lights(self, rows: NDArray[np.float32], camera: Camera) -> None:
        """Write the lights with positions and directions as the camera sees them."""
        rows = rows[: len(self._rows)]
        rows[:] = self._rows
        view = camera.camera_from_world
        if len(self._placed):
            rows[self._placed, 0:3] = self._position @ view[:3, :3].T + view[:3, 3]
            rows[self._placed, 4:7] = self._direction @ view[:3, :3].T

    def _pack(self, lights: tuple[Light, ...]) -> None:
        shown = lights[:MAX_LIGHTS]
        looks = [light.look for light in shown]
        if looks != self._looks or not shown:
            self._looks = looks
            self._rows = np.array([_row(light) for light in shown], np.float32).reshape(-1, 24)
            self._placed = [i for i, light in enumerate(shown) if light.kind is not LightKind.HEAD]
        self._lights = lights
        self._position = np.array([shown[i].position for i in self._placed], float).reshape(-1, 3)
        direction = np.array([shown[i].direction for i in self._placed], float).reshape(-1, 3)
        length = np.linalg.norm(direction, axis=1, keepdims=True)
        self._direction = direction / np.maximum(length, 1e-12)


def clip_from_camera(camera: Camera) -> Matrix:
    """The camera's projection with depth from 1 (near) to 0 (far), as depth.py has it.

    Its y is turned, so that row 0 of what is read is the top.
    """
    near, far = camera.near, camera.far
    if far > _DEEPEST * near:
        raise InvalidValueError(
            f"camera {camera.name!r}: near {camera.near:g} and far {camera.far:g} are too far "
            f"apart for a depth buffer; give a near of at least far / {_DEEPEST:g}"
        )
    if camera.near < SMALLEST or camera.far > LARGEST:
        raise InvalidValueError(
            f"camera {camera.name!r}: expected near and far from {SMALLEST:g} to {LARGEST:g} m, "
            f"got {camera.near:g} and {camera.far:g}; give all lengths in another unit"
        )
    matrix = np.array(camera.projection_matrix)
    matrix[1] *= -1
    slope = (1.0 if camera.projection is Projection.ORTHOGRAPHIC else near) / (far - near)
    matrix[2] = 0.0, 0.0, slope, slope * far
    return matrix


def _row(light: Light) -> list[float]:
    """A light's 24 numbers; a head light stays at the camera and looks along its axis."""
    rim = float(np.cos(light.cutoff))
    soft = float(np.cos(light.cutoff * (1 - light.softness))) - rim
    return [
        *(0.0, 0.0, 0.0, soft),
        *(0.0, 0.0, -1.0, rim),
        *(*light.diffuse, light.exponent),
        *(*light.specular, 0.0),
        *(*light.attenuation, 0.0),
        *(*light.ambient, 0.0),
    ]
