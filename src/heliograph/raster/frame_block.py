"""The uniform block of one picture, laid out as shaders/frame.glsl declares it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.raster.drawables import DrawList, Light, LightKind
from heliograph.raster.shaders import MAX_LIGHTS, MAX_SHADOWS

_LIGHTS = 52
_SHADOWS = _LIGHTS + 24 * MAX_LIGHTS
SIZE = _SHADOWS + 16 * MAX_SHADOWS
"""Length of the block in float32 numbers."""

Matrix = NDArray[np.float64]


def frame_block(scene: DrawList, camera: Camera, shadows: Sequence[Matrix]) -> NDArray[np.float32]:
    """(SIZE,) float32: matrices column-major, lights in camera axes.

    Args:
        scene: its lights and surroundings.
        camera: the camera of the picture.
        shadows: for each shadow map, map coordinates (0 to 1) from world, 4x4.
    """
    block = np.zeros(SIZE, np.float32)
    block[0:16] = clip_from_camera(camera).T.ravel()
    block[16:20] = 1 / camera.fx, -1 / camera.fy, -camera.cx / camera.fx, camera.cy / camera.fy
    block[20:23] = scene.ambient
    around = scene.surroundings
    block[24:27] = around.colour if around.haze is None else around.haze
    block[27], block[32] = around.haze_range
    block[28:32] = around.haze_plane
    block[36:52] = camera.world_from_camera.T.ravel()
    for place, light in enumerate(scene.lights[:MAX_LIGHTS]):
        start = _LIGHTS + 24 * place
        block[start : start + 24] = _light(light, camera)
    for place, matrix in enumerate(shadows):
        start = _SHADOWS + 16 * place
        block[start : start + 16] = (matrix @ camera.world_from_camera).T.ravel()
    return block


def clip_from_camera(camera: Camera) -> Matrix:
    """The camera's projection with y turned, so that row 0 of what is read is the top."""
    matrix = np.array(camera.projection_matrix)
    matrix[1] *= -1
    return matrix


def _light(light: Light, camera: Camera) -> list[Any]:
    view = camera.camera_from_world
    position, direction = np.zeros(3), np.array([0.0, 0.0, -1.0])
    if light.kind is not LightKind.HEAD:
        position = view[:3, :3] @ light.position + view[:3, 3]
        direction = view[:3, :3] @ light.direction
        direction = direction / max(float(np.sqrt(direction @ direction)), 1e-12)
    rim = np.cos(light.cutoff)
    soft = np.cos(light.cutoff * (1 - light.softness)) - rim
    return [
        *(*position, soft),
        *(*direction, rim),
        *(*light.diffuse, light.exponent),
        *(*light.specular, 0.0),
        *(*light.attenuation, 0.0),
        *(*light.ambient, 0.0),
    ]
