"""Camera components to cameras, and the camera that frames everything."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph import poses
from heliograph.camera import Camera
from heliograph.errors import InvalidValueError
from heliograph.scene import CameraView
from heliograph.scene.placement import rigid
from heliograph.scene.values import MAX_PIXELS

FIT = "fit"
_FIT_FOV = math.radians(45)
_FIT_FROM = (0.8, -1.0, 0.6)
_MARGIN = 1.08
_SMALLEST = 1e-3

Matrix = NDArray[np.float64]


def camera(view: CameraView, world: Matrix) -> Camera:
    """The camera of a component whose world_from_component is `world` (4, 4).

    Raises:
        InvalidValueError: the component is scaled to nothing.
    """
    common: dict[str, Any] = {
        "name": str(view.key),
        "width": _pixels(view, "width"),
        "height": _pixels(view, "height"),
        "near": view.get("near"),
        "far": view.get("far"),
        "world_from_camera": _pose(view, world),
    }
    if view.get("ctype") == "orthographic":
        return Camera.orthographic(extent_y=view.get("extent"), **common)
    return Camera.perspective(fov_y=math.radians(view.get("fov")), **common)


def _pixels(view: CameraView, side: str) -> int:
    """Of a side of its picture."""
    pixels = round(view.get(side) * view.get("dpr") / view.get("downsample"))
    return int(min(max(pixels, 1), MAX_PIXELS))


def _pose(view: CameraView, world: Matrix) -> Matrix:
    target = view.get("lookAt")
    if target is not None and "matrix" not in view.props:
        return poses.look_at(world[:3, 3], target)
    if not np.linalg.det(world[:3, :3]):
        raise InvalidValueError(
            f"CameraView {view.key!r}: it or a parent of it is scaled to nothing"
        )
    return rigid(world)


def fit(corners: Matrix, size: tuple[int, int]) -> Camera:
    """A camera from the front, right and above that just frames world points (N, 3)."""
    if not len(corners):
        corners = np.array([[-1.0, -1, -1], [1, 1, 1]])
    pose = poses.look_at(_FIT_FROM, (0, 0, 0))
    width, height = size
    tall = math.tan(_FIT_FOV / 2) / _MARGIN
    seen = corners @ pose[:3, :3]
    x, far_x = _between(seen, 0, tall * width / height)
    y, far_y = _between(seen, 1, tall)
    nearest, deepest = float(seen[:, 2].max()), float(seen[:, 2].min())
    size_of_all = float(np.linalg.norm(seen.max(0) - seen.min(0)))
    back = max(far_x - nearest, far_y - nearest, _SMALLEST * (size_of_all or _SMALLEST))
    z = nearest + back
    pose[:3, 3] = pose[:3, :3] @ np.array([x, y, z])
    return Camera.perspective(
        fov_y=_FIT_FOV,
        width=width,
        height=height,
        name=FIT,
        near=back / 10,
        far=10 * max(z - deepest, back),
        world_from_camera=pose,
    )


def _between(seen: Matrix, axis: int, slope: float) -> tuple[float, float]:
    """Where on an axis a camera has points (N, 3) between its two edges, and how far back."""
    high = float((seen[:, 2] + seen[:, axis] / slope).max())
    low = float((seen[:, 2] - seen[:, axis] / slope).max())
    return (high - low) * slope / 2, (high + low) / 2
