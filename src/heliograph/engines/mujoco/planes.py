"""MuJoCo's planes: how far endless ones reach, and how planes are cut for light per vertex."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.raster import Lighting, Rasterizer, Shape, plane_grid

_FINE = 2
_GROWTH = 2.0
_SQUARES = 198 / 2.1  # MuJoCo cuts an endless plane into this many for each far-plane distance
_REACH = 8.0


class Planes:
    """Geometries of the planes of one model.

    Args:
        rasterizer: where they go.
        far: distance of the far clipping plane, metres.
        extent: the model's size, metres.
        lighting: how they will be lit.
    """

    def __init__(
        self, rasterizer: Rasterizer, far: float, extent: float, lighting: Lighting
    ) -> None:
        self._rasterizer = rasterizer
        self._far = far
        self._extent = float(extent)
        self._cut = lighting is Lighting.VERTEX
        self._made: dict[tuple[tuple[float, float], ...], int] = {}

    def half_sizes(self, planes: NDArray[Any]) -> NDArray[np.float64]:
        """Half-sizes (P, 3) of planes (P,); endless ones reach twice as far as can be seen."""
        scale = planes["size"].astype(float)
        scale[:, 2] = 1
        for axis in (0, 1):
            endless = scale[:, axis] <= 0
            scale[endless, axis] = _odd(2 * self._far, planes["texrepeat"][endless, axis])
        return scale

    def handles(self, planes: NDArray[Any], half_sizes: NDArray[np.float64]) -> NDArray[np.int32]:
        """A geometry (P,) for each plane."""
        if not self._cut:
            return np.full(len(planes), Shape.PLANE, np.int32)
        handles = []
        for plane, half in zip(planes, half_sizes, strict=True):
            step = np.where(plane["size"][:2] <= 0, self._far / _SQUARES, 2 * plane["size"][2])
            key = tuple((float(half[axis]), float(step[axis])) for axis in (0, 1))
            if key not in self._made:
                grid = plane_grid(_cuts(*key[0]), _cuts(*key[1]))
                self._made[key] = self._rasterizer.add_geometry(grid)
            handles.append(self._made[key])
        return np.array(handles, np.int32)

    def recentre(
        self, pose: NDArray[np.float64], rows: NDArray[np.intp], geoms: NDArray[Any]
    ) -> None:
        """Move endless planes along themselves to below what there is, by whole textures.

        Args:
            pose: (M, 3, 4) poses of all instances, changed in place.
            rows: which of them are planes.
            geoms: all geoms.
        """
        middle = geoms["pos"].mean(0, dtype=float)
        for row in rows:
            for axis in (0, 1):
                along = pose[row, :, axis]
                half = float(np.sqrt(along @ along))
                if half < self._far:
                    continue
                way = float((middle - pose[row, :, 3]) @ along) / half
                if abs(way) > _REACH * self._extent:
                    whole = 2.0 * round(way / 2.0)  # textures repeat every 2 / repeat, so they stay
                    pose[row, :, 3] += along / half * whole


def _cuts(half: float, step: float) -> NDArray[np.float64]:
    """Where to cut -1..1: every `step` metres about the middle, then ever wider."""
    places, width = [0.0], max(step, half / 1000)
    while places[-1] + width < half:
        places.append(places[-1] + width)
        width *= 1.0 if len(places) <= _FINE else _GROWTH
    side = np.array([*places[1:], half]) / half
    return np.concatenate([-side[::-1], [0.0], side])


def _odd(reach: float, repeat: NDArray[np.float32]) -> NDArray[np.float64]:
    """Half-sizes of about `reach` that an odd number of texture repeats fits into twice.

    MuJoCo centres a texel block, not an edge, on the origin of an endless plane.
    """
    repeat = np.where(repeat > 0, repeat, 1).astype(float)
    odd: NDArray[np.float64] = (2 * np.ceil(reach * repeat / 2) + 1) / repeat
    return odd
