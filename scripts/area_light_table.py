"""Computes src/heliograph/raster/area_lights.npy: rough lobes as stretched cosine lobes.

    python scripts/area_light_table.py    # a minute; needs scipy

E. Heitz, J. Dupuy, S. Hill, D. Neubelt: "Real-Time Polygonal-Light Shading with Linearly
Transformed Cosines", 2016. For each roughness and each angle of the eye a map M is fitted such that
the cosine lobe, stretched by it, is nearest to what GGX sends on; the table holds what undoes it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

SIZE, SAMPLES = 32, 48
PLACE = Path(__file__).parents[1] / "src/heliograph/raster/area_lights.npy"
Floats = NDArray[np.float64]

_steps = (np.arange(SAMPLES) + 0.5) / SAMPLES
_part, _turn = (each.ravel() for each in np.meshgrid(_steps, 2 * np.pi * _steps))


def ways(cosine: Floats) -> Floats:
    """Unit vectors (N, 3) at these cosines to z, turned evenly round it."""
    sine = np.sqrt(np.maximum(1 - cosine**2, 0))
    return np.stack([sine * np.cos(_turn), sine * np.sin(_turn), cosine], 1)


COSINE = ways(np.sqrt(1 - _part))


def ggx(eye: Floats, light: Floats, alpha2: float) -> tuple[Floats, Floats]:
    """What is sent to an eye of light from these ways (cosine included), and how dense they are."""
    half = light + eye
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    lit, facing = np.maximum(light[:, 2], 1e-6), eye[2]
    upright = half[:, 2].clip(0, 1)
    density = alpha2 / (np.pi * (upright**2 * (alpha2 - 1) + 1) ** 2)
    masked = lit * np.sqrt(alpha2 + (1 - alpha2) * facing**2)
    masked += facing * np.sqrt(alpha2 + (1 - alpha2) * lit**2)
    sent = density * 0.5 / masked * lit * (light[:, 2] > 0)
    return sent, density * upright / (4 * np.maximum(half @ eye, 1e-9))


def fitted(alpha: float, facing: float, start: Floats) -> tuple[Floats, Floats]:
    """Three numbers of the map that fits best, and what undoes it, (3, 3)."""
    alpha2, eye = alpha**2, np.array([np.sqrt(max(1 - facing**2, 0)), 0, facing])
    half = ways(np.sqrt((1 - _part) / (1 + (alpha2 - 1) * _part)))
    light = 2 * half * (half @ eye)[:, None] - eye
    sent, density = ggx(eye, light, alpha2)
    weights = np.where(density > 0, sent / np.maximum(density, 1e-30), 0)
    mean = (weights[:, None] * light).mean(0) * (1, 0, 1)
    mean /= np.linalg.norm(mean)
    axes = np.array([[mean[2], 0, -mean[0]], [0, 1, 0], mean]).T
    is_round = facing > 0.9999

    def stretched(numbers: Floats) -> Floats:
        wide = max(abs(numbers[0]), 1e-4)
        high = wide if is_round else max(abs(numbers[1]), 1e-4)
        skew = 0.0 if is_round else numbers[2]
        made: Floats = axes @ [[wide, 0, skew], [0, high, 0], [0, 0, 1]]
        return made

    def error(numbers: Floats) -> float:
        stretch = stretched(numbers)
        back = np.linalg.inv(stretch)
        total, lobe = 0.0, COSINE @ stretch.T
        for way in (light, lobe / np.linalg.norm(lobe, axis=1, keepdims=True)):
            wanted, dense = ggx(eye, way, alpha2)
            before = way @ back.T
            length = np.linalg.norm(before, axis=1)
            here = np.maximum(before[:, 2] / length, 0) / np.pi
            here *= abs(np.linalg.det(back)) / length**3
            off = np.abs(wanted / weights.mean() - here) ** 3
            total += (off / np.maximum(dense + here, 1e-30) * (dense + here > 0)).mean()
        return total

    options = {"xatol": 1e-4, "fatol": 1e-9, "maxiter": 300}
    found: Any = minimize(error, start, method="Nelder-Mead", options=options)
    back = np.linalg.inv(stretched(found.x))
    return found.x, back / back[1, 1]


def main() -> None:
    """Fit all of them, each starting from its neighbour."""
    table, first = np.zeros((SIZE, SIZE, 4)), np.array([1.0, 1.0, 0.0])
    for column in reversed(range(SIZE)):
        alpha = max(column / (SIZE - 1), 0.02) ** 2
        start = np.array([alpha, alpha, 0.0]) if alpha < 0.3 else first
        for row in range(SIZE):
            facing = max(1 - (row / (SIZE - 1)) ** 2, 0.0005)
            start, back = fitted(alpha, facing, start)
            if not row:
                first = start = np.array([start[0], start[0], 0.0])
            table[row, column] = back[0, 0], back[0, 2], back[2, 0], back[2, 2]
    np.save(PLACE, table.astype(np.float16))


if __name__ == "__main__":
    main()
