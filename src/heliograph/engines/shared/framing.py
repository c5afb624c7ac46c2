"""Where a camera stands that just frames what there is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_MARGIN = 1.08
_SMALLEST = 1e-3

Points = NDArray[np.floating[Any]]


def framing_eye(points: Points, slopes: tuple[float, float]) -> tuple[NDArray[np.float64], float]:
    """The eye (3,) of a perspective camera that has points (N, 3) just inside its picture.

    And how far behind the nearest of them it is, which may be too little for numbers so large to
    tell. Eye and points are in the camera's axes, about any origin.

    Args:
        points: at least one; what is framed.
        slopes: tangents of half the fields of view, across and down.
    """
    x, far_x = _between(points, 0, slopes[0] / _MARGIN)
    y, far_y = _between(points, 1, slopes[1] / _MARGIN)
    nearest = float(points[:, 2].max())
    extent = float(np.linalg.norm(points.max(0) - points.min(0)))
    back = max(far_x - nearest, far_y - nearest, _SMALLEST * (extent or _SMALLEST))
    return np.array([x, y, nearest + back]), back


def _between(points: Points, axis: int, slope: float) -> tuple[float, float]:
    """Where on an axis a camera has points between its two edges, and how far back."""
    high = float((points[:, 2] + points[:, axis] / slope).max())
    low = float((points[:, 2] - points[:, axis] / slope).max())
    return (high - low) * slope / 2, (high + low) / 2
