"""Points of the world in a picture, and whether they are seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heliograph.camera import Camera
from heliograph.errors import InvalidValueError
from heliograph.frame import Frame
from heliograph.poses import Floats

TOLERANCE = 0.01


class Keypoints(NamedTuple):
    """Where points fall in a picture.

    Attributes:
        pixels: (..., 2) x and y, also outside the picture; NaN for points that a perspective
            camera has not in front of it.
        depth: (...) metres along the optical axis, below 0 behind the camera.
        visible: (...) whether a point is in the picture and nothing stands before it.
    """

    pixels: Floats
    depth: Floats
    visible: NDArray[np.bool_]


def in_picture(camera: Camera, pixels: Floats, depth: Floats) -> NDArray[np.bool_]:
    """Which points (...), of these pixels (..., 2) and depths (...), a camera has in its picture.

    They are inside its edges and between its near and far plane.
    """
    size = np.array(camera.size)
    inside = ((pixels >= 0) & (pixels <= size)).all(-1)
    return np.asarray(inside & (depth >= camera.near) & (depth <= camera.far))


def keypoints(frame: Frame, points: ArrayLike, *, tolerance: float = TOLERANCE) -> Keypoints:
    """Where points of the world fall in a frame, and whether they are seen there.

    A point is seen where one of the four pixels around it shows something at the point's depth or
    behind it. So a corner of an object is seen although half of those pixels show what is behind,
    and a point that something covers by less than a pixel counts as seen.

    Args:
        frame: with the pass `depth`.
        points: (..., 3) world points, metres; NaN for none, which is not seen. `world_points`
            gives those of an object.
        tolerance: how much nearer, as a part of the point's depth, the surface that it is on may
            be: steep surfaces change within a pixel, and points may lie a little inside.

    Raises:
        InvalidValueError: no such points, or a tolerance below 0.
        UnknownNameError: the frame has no depth.
    """
    if not 0 <= tolerance < np.inf:
        raise InvalidValueError(f"tolerance: expected a number from 0, got {tolerance!r}")
    camera, picture = frame.camera, frame.depth
    pixels, depth = camera.project(points), camera.depth_of(points)
    inside = in_picture(camera, pixels, depth)
    corner = np.floor(np.where(inside[..., None], pixels, 0) - 0.5).astype(np.intp)
    around = corner[..., None, :] + np.array([(0, 0), (1, 0), (0, 1), (1, 1)])
    x, y = np.moveaxis(np.clip(around, 0, np.array(camera.size) - 1), -1, 0)
    seen = picture[y, x].max(-1)
    return Keypoints(pixels, depth, np.asarray(inside & (seen >= depth * (1 - tolerance))))
