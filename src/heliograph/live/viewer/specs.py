"""Cameras as pages have them, as values."""

from __future__ import annotations

import numpy as np

from heliograph.camera import Camera, Projection
from heliograph.engines.web.messages import CameraSpec
from heliograph.errors import InvalidValueError

NAME = "view"
"""The name of the camera of a page's viewport."""


def camera_of(spec: CameraSpec) -> Camera:
    """The camera of a page's viewport.

    Raises:
        InvalidValueError: no camera.
    """
    if len(spec.matrix) != 16 or len(spec.projection) != 16:
        raise InvalidValueError("camera: expected matrices of 16 numbers each")
    pose = np.array(spec.matrix, float).reshape(4, 4).T
    matrix = np.array(spec.projection, float).reshape(4, 4).T
    x, y = (matrix[:2, 3] if spec.orthographic else -matrix[:2, 2]).tolist()
    return Camera(
        name=NAME,
        world_from_camera=pose,
        width=spec.width,
        height=spec.height,
        fx=float(matrix[0, 0]) * spec.width / 2,
        fy=float(matrix[1, 1]) * spec.height / 2,
        cx=(x + 1) * spec.width / 2,
        cy=(1 - y) * spec.height / 2,
        near=spec.near,
        far=spec.far,
        projection=Projection.ORTHOGRAPHIC if spec.orthographic else Projection.PERSPECTIVE,
    )
