"""Splats that tests know the truth of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heliograph.splats.gaussians import Gaussians

Y0 = 0.28209479177387814


def wall(
    *,
    x: tuple[float, float] = (-1.0, 1.0),
    z: tuple[float, float] = (-1.0, 1.0),
    y: float = 0.0,
    colour: tuple[float, float, float] = (1.0, 0.0, 0.0),
    spacing: float = 0.04,
    opacity: float = 0.99,
) -> Gaussians:
    """Flat discs in the plane of this y, so dense that nothing is seen between them."""
    xs = np.arange(x[0] + spacing / 2, x[1], spacing)
    zs = np.arange(z[0] + spacing / 2, z[1], spacing)
    grid = np.stack(np.meshgrid(xs, zs), -1).reshape(-1, 2)
    positions = np.stack((grid[:, 0], np.full(len(grid), y), grid[:, 1]), -1)
    return splats(positions, (0.7 * spacing, 1e-3, 0.7 * spacing), colour, opacity)


def splats(
    positions: NDArray[np.float64],
    scales: tuple[float, float, float],
    colour: tuple[float, float, float],
    opacity: float = 0.99,
) -> Gaussians:
    """Splats of one size and colour, along the axes."""
    count = len(positions)
    return Gaussians(
        positions=positions.astype(np.float32),
        scales=np.tile(np.array(scales, np.float32), (count, 1)),
        rotations=np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
        opacities=np.full(count, opacity, np.float32),
        sh=np.tile(((np.array(colour) - 0.5) / Y0).astype(np.float32), (count, 1, 1)),
    )
