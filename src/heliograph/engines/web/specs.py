"""Cameras as pages have them, and back."""

from __future__ import annotations

import numpy as np

from heliograph.camera import Camera, Projection
from heliograph.engines.web.messages import CameraSpec
from heliograph.errors import InvalidValueError


def spec_of(camera: Camera) -> CameraSpec:
    """A camera as a page takes it."""
    return CameraSpec(
        name=camera.name,
        width=camera.width,
        height=camera.height,
        matrix=camera.world_from_camera.T.ravel().tolist(),
        projection=camera.projection_matrix.T.ravel().tolist(),
        near=camera.near,
        far=camera.far,
        orthographic=camera.projection is Projection.ORTHOGRAPHIC,
    )


def camera_of(spec: CameraSpec, name: str, size: tuple[int, int] | None = None) -> Camera:
    """A camera of a page.

    Args:
        spec: the camera.
        name: its name here.
        size: of its picture, pixels; None for its own.

    Raises:
        InvalidValueError: it is none.
    """
    if len(spec.matrix) != 16 or len(spec.projection) != 16:
        raise InvalidValueError("camera: expected matrices of 16 numbers each")
    pose, matrix = (np.array(m, float).reshape(4, 4).T for m in (spec.matrix, spec.projection))
    width, height = size or (spec.width, spec.height)
    x, y = (matrix[:2, 3] if spec.orthographic else -matrix[:2, 2]).tolist()
    return Camera(
        name=name,
        world_from_camera=pose,
        width=width,
        height=height,
        fx=float(matrix[0, 0]) * width / 2,
        fy=float(matrix[1, 1]) * height / 2,
        cx=(x + 1) * width / 2,
        cy=(1 - y) * height / 2,
        near=spec.near,
        far=spec.far,
        projection=Projection.ORTHOGRAPHIC if spec.orthographic else Projection.PERSPECTIVE,
    )
