"""Pictures of half and twice the size."""

from __future__ import annotations

import numpy as np

from heliograph.randomize.imaging.step import Planes


def halved(planes: Planes) -> Planes:
    """The means of squares of 2 x 2 pixels, (C, ceil(H / 2), ceil(W / 2)); edges are repeated."""
    if planes.shape[1] % 2 or planes.shape[2] % 2:
        pad = ((0, 0), (0, planes.shape[1] % 2), (0, planes.shape[2] % 2))
        planes = np.pad(planes, pad, mode="edge")
    rows = planes[:, ::2] + planes[:, 1::2]
    squares: Planes = rows[:, :, ::2] + rows[:, :, 1::2]
    squares *= np.float32(0.25)
    return squares


def doubled(planes: Planes, shape: tuple[int, ...]) -> Planes:
    """Twice the size, bilinear, cut to (H, W)."""
    return _doubled(_doubled(planes, 2), 1)[:, : shape[0], : shape[1]]


def _doubled(planes: Planes, axis: int) -> Planes:
    """Between two pixels come one at a quarter of the way and one at three quarters."""
    size = list(planes.shape)
    count = size[axis]
    size[axis] = 2 * count
    wide = np.empty(size, np.float32)
    near = planes * np.float32(0.75)
    far = planes * np.float32(0.25)
    view = np.moveaxis(wide, axis, 0)
    near, far = np.moveaxis(near, axis, 0), np.moveaxis(far, axis, 0)
    np.add(near[1:], far[:-1], out=view[2::2])
    np.add(near[:-1], far[1:], out=view[1:-1:2])
    np.add(near[0], far[0], out=view[0])
    np.add(near[-1], far[-1], out=view[-1])
    return wide
