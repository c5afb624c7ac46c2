"""Steps that mix pixels with their neighbours, and what a JPEG file does to them."""

from __future__ import annotations

import io
import math

import numpy as np

from heliograph.randomize.imaging.step import Kind, Planes, Shot, step
from heliograph.randomize.parameters import Numbers
from heliograph.requires import Requires


@step(Kind.SPATIAL, "sigma", sigma=Numbers(0.0, 50.0, what="pixels"))
def gaussian_blur(planes: Planes, _: Shot, sigma: float = 1.0) -> Planes:
    """A Gaussian of `sigma` pixels; edges are repeated."""
    return weighted(weighted(planes, _column(sigma, 1)), _column(sigma, 0))


@step(
    Kind.SPATIAL,
    "length",
    length=Numbers(0.0, 200.0, what="pixels"),
    angle=Numbers(-360.0, 360.0, what="degrees, counter-clockwise from the right"),
)
def motion_blur(planes: Planes, _: Shot, length: float = 5.0, angle: float = 0.0) -> Planes:
    """The mean along a line of `length` pixels at an angle, 0 to the right, counter-clockwise."""
    along = math.radians(angle)
    return weighted(planes, line(length, math.cos(along), -math.sin(along)))


@step(Kind.SPATIAL, quality=Numbers(1.0, 95.0, what="as Pillow counts it"))
def jpeg(planes: Planes, _: Shot, quality: float = 75.0) -> Planes:
    """What is left of the picture in a JPEG file of this quality."""
    with Requires("PIL"):
        from PIL import Image

    rgb = np.round(np.clip(planes, 0.0, 1.0) * 255).astype(np.uint8).transpose(1, 2, 0)
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgb)).save(file, "JPEG", quality=round(quality))
    read = np.asarray(Image.open(file)).transpose(2, 0, 1)
    return np.asarray(np.multiply(read, np.float32(1 / 255), dtype=np.float32))


Taps = dict[tuple[int, int], float]
"""Weights by (rows down, columns right)."""


def weighted(planes: Planes, taps: Taps) -> Planes:
    """The weighted sum of shifted pictures; edges are repeated."""
    reach_y = max(abs(dy) for dy, _ in taps)
    reach_x = max(abs(dx) for _, dx in taps)
    padded = np.pad(planes, ((0, 0), (reach_y, reach_y), (reach_x, reach_x)), mode="edge")
    height, width = planes.shape[1:]
    total = np.zeros_like(planes)
    for (dy, dx), weight in taps.items():
        y, x = reach_y + dy, reach_x + dx
        total += padded[:, y : y + height, x : x + width] * np.float32(weight)
    return total


def line(length: float, x: float, y: float) -> Taps:
    """Weights of a line through the middle, in direction (x right, y down), adding up to 1."""
    count = 2 * math.ceil(length) + 1
    taps: Taps = {}
    for at in np.linspace(-length / 2, length / 2, count).tolist():
        for key, weight in _shared(at * y, at * x).items():
            taps[key] = taps.get(key, 0.0) + weight / count
    return {key: weight for key, weight in taps.items() if weight > 1e-6}


def _shared(y: float, x: float) -> Taps:
    """The weights of the four pixels around a place."""
    top, left = math.floor(y), math.floor(x)
    down, right = y - top, x - left
    return {
        (top, left): (1 - down) * (1 - right),
        (top, left + 1): (1 - down) * right,
        (top + 1, left): down * (1 - right),
        (top + 1, left + 1): down * right,
    }


def _column(sigma: float, axis: int) -> Taps:
    reach = max(1, math.ceil(3 * sigma))
    at = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (at / max(sigma, 1e-6)) ** 2)
    weights /= weights.sum()
    pairs = zip(at.tolist(), weights.tolist(), strict=True)
    return {(i, 0) if axis == 0 else (0, i): weight for i, weight in pairs}
