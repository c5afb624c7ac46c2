"""Patterns that textures are made of: each from a stream of its own, grey or in colours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from heliograph.randomize.hsv import hsv_to_rgb
from heliograph.randomize.streams import stream


def make(kind: str, number: int, size: int) -> NDArray[np.uint8]:
    """The pattern (size, size, 3) of a kind that a number stands for."""
    rng = stream(0, number, f"texture/{kind}")
    mix = PATTERNS[kind](rng, size)
    # A darker and a lighter colour.
    low, high = hsv_to_rgb(rng.random(2), rng.random(2) * 0.8, [0.1, 0.6] + rng.random(2) * 0.4)
    picture = low + (high - low) * (mix if mix.ndim == 3 else mix[..., None])
    image: NDArray[np.uint8] = np.round(np.clip(picture, 0.0, 1.0) * 255).astype(np.uint8)
    return image


def noise(rng: Generator, size: int) -> NDArray[np.float64]:
    """Independent colours per pixel, (size, size, 3), 0 to 1."""
    return rng.random((size, size, 3))


def checker(rng: Generator, size: int) -> NDArray[np.float64]:
    """A checkerboard of 2 to 16 fields across, (size, size), 0 and 1."""
    fields = 2 * int(rng.integers(1, 9))
    at = np.arange(size) * fields // size
    return ((at[:, None] + at[None, :]) % 2).astype(float)


def gradient(rng: Generator, size: int) -> NDArray[np.float64]:
    """A linear ramp in any direction, (size, size), 0 to 1."""
    angle = rng.random() * 2 * np.pi
    at = (np.arange(size) + 0.5) / size - 0.5
    ramp = at[None, :] * np.cos(angle) + at[:, None] * np.sin(angle)
    reach = np.abs(ramp).max()
    return np.asarray(0.5 + ramp / (2 * reach))


def perlin(rng: Generator, size: int) -> NDArray[np.float64]:
    """Gradient noise (Perlin 2002) of four octaves that tiles, (size, size), 0 to 1."""
    first = int(rng.integers(1, 5))
    total = np.zeros((size, size))
    for octave in range(4):
        total += _octave(rng, size, first * 2**octave) / 2**octave
    low, high = total.min(), total.max()
    return np.asarray((total - low) / max(high - low, 1e-9))


def _octave(rng: Generator, size: int, cells: int) -> NDArray[np.float64]:
    angles = rng.random((cells, cells)) * 2 * np.pi
    at = np.arange(size) * cells / size
    cell = at.astype(int)
    part = at - cell
    fade = part**3 * (part * (part * 6 - 15) + 10)
    slopes = np.cos(angles), np.sin(angles)
    corners = [[_corner(slopes, cell, part, dy, dx) for dx in (0, 1)] for dy in (0, 1)]
    rows = [left + (right - left) * fade[None, :] for left, right in corners]
    return np.asarray(rows[0] + (rows[1] - rows[0]) * fade[:, None])


def _corner(
    slopes: tuple[NDArray[Any], NDArray[Any]],
    cell: NDArray[Any],
    part: NDArray[Any],
    dy: int,
    dx: int,
) -> NDArray[Any]:
    """The slope at one corner of every pixel's cell, times the way there."""
    cells = len(slopes[0])
    rows, columns = (cell + dy) % cells, (cell + dx) % cells
    along, across = (each[:, columns] for each in slopes)
    along = along * (part[None, :] - dx)
    return np.asarray(along[rows] + across[rows] * (part[:, None] - dy))


PATTERNS: dict[str, Callable[[Generator, int], NDArray[np.float64]]] = {
    "noise": noise,
    "checker": checker,
    "gradient": gradient,
    "perlin": perlin,
}
