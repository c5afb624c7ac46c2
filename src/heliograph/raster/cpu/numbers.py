"""Cameras as the native scene takes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera


def camera_numbers(camera: Camera) -> NDArray[np.float64]:
    """A camera's 24 numbers.

    Rows of camera_from_world (12), where it is and its backward axis (3 each), fx, fy, cx, cy, near
    and far.
    """
    numbers = np.empty(24)
    numbers[:12] = camera.camera_from_world[:3].ravel()
    numbers[12:15] = camera.world_from_camera[:3, 3]
    numbers[15:18] = camera.world_from_camera[:3, 2]
    numbers[18:] = camera.fx, camera.fy, camera.cx, camera.cy, camera.near, camera.far
    return numbers
