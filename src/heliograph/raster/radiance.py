"""Light from all around, a picture of the whole sky and ground, as surfaces need it. Pure numpy.

A picture is equirectangular: (H, W, 3) linear, row 0 straight up (+z), its middle column ahead
(+y), to the right of that +x. A matt surface sees it blurred over half of all directions, which is
a polynomial of second degree in the normal; a smoother one sees a copy that is blurred less.

What is blurred the same all round a direction is blurred along each pair of rows by a convolution,
so every level is exact to its resolution, and free of the noise of random samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVELS = 5
"""Copies for reflections, of roughness 0, 1/4, 1/2, 3/4 and 1."""


_NARROWEST, _WIDEST = 64, 512  # pictures that they are made from, pixels
_BRIGHTEST = 1e12  # of which the sum over all directions is a float32
_BATCH = 64

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Radiance:
    """A picture of all around, ready to light a scene.

    Attributes:
        linear: (3, 4) per colour: irradiance along a normal's world x, y and z, and its mean.
        quadratic: (3, 3, 3) per colour, symmetric: n Q n is added to it.
        levels: (LEVELS, S, S, 3) float32 for reflections: squares onto which directions are folded
            as the sides of an octahedron, which takes no more than a few sums, with a texel beyond
            each edge.
    """

    linear: NDArray[np.float64]
    quadratic: NDArray[np.float64]
    levels: NDArray[np.float32]


def prepared(picture: Floats) -> Radiance:
    """Prepare a picture (H, W, 3) of finite numbers from 0."""
    picture = np.minimum(picture, _BRIGHTEST)
    width = 1 << (picture.shape[1] - 1).bit_length()
    width = min(max(width, _NARROWEST), _WIDEST)
    levels = [resized(picture, width)]
    linear, quadratic = irradiance(levels[0])
    for step in range(1, LEVELS):
        width = max(width // 2, _NARROWEST)
        levels.append(blurred(resized(levels[0], width), step / (LEVELS - 1)))
    side = levels[0].shape[1] // 2
    return Radiance(linear, quadratic, np.stack([_folded(level, side) for level in levels]))


def _folded(picture: Floats, side: int) -> NDArray[np.float32]:
    """A picture on the sides of an octahedron, (side, side, 3)."""
    inside = side - 2
    x, y = np.meshgrid(*[(np.arange(side) - 0.5) / inside * 2 - 1] * 2)
    beyond = np.maximum(np.abs(x), np.abs(y)) > 1  # where the next side goes on
    x, y = (np.where(beyond, np.where(np.abs(a) > 1, np.sign(a) * 2 - a, -a), a) for a in (x, y))
    z = 1 - np.abs(x) - np.abs(y)
    lower = np.maximum(-z, 0)
    x, y = x - np.where(x >= 0, lower, -lower), y - np.where(y >= 0, lower, -lower)
    length = np.sqrt(x * x + y * y + z * z)
    turn, tilt = np.arctan2(x, y) / (2 * math.pi) + 0.5, 0.5 - np.arcsin(z / length) / math.pi
    return _between(picture, tilt * len(picture) - 0.5, turn * picture.shape[1] - 0.5)


def _between(picture: Floats, row: Floats, column: Floats) -> NDArray[np.float32]:
    """A picture between its texels, which go on from the right edge at the left one."""
    height, width = picture.shape[:2]
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)
    down, right = (row - top)[..., None], (column - left)[..., None]
    rows = np.clip(np.stack([top, top + 1]), 0, height - 1)
    columns = np.stack([left, left + 1]) % width
    upper = picture[rows[0], columns[0]] * (1 - right) + picture[rows[0], columns[1]] * right
    lower = picture[rows[1], columns[0]] * (1 - right) + picture[rows[1], columns[1]] * right
    made: NDArray[np.float32] = (upper * (1 - down) + lower * down).astype(np.float32)
    return made


def irradiance(picture: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What arrives on a surface by its normal: the linear and the quadratic part, as in Radiance.

    Cosine-weighted light varies slowly: what is beyond second degree in the normal is under 1 %.
    """
    way, solid = _directions(*picture.shape[:2])
    light = np.asarray(picture, float) * solid[:, None, None]
    mean = light.sum((0, 1)) / (4 * math.pi)
    first = np.einsum("hwc,hwi->ci", light, way) * 3 / (4 * math.pi)
    second = np.einsum("hwc,hwi,hwj->cij", light, way, way, optimize=True)
    second = (second - np.eye(3) * light.sum((0, 1))[:, None, None] / 3) * 15 / (8 * math.pi)
    linear = np.column_stack([2 * math.pi / 3 * first, math.pi * mean])
    return linear, math.pi / 4 * second


def blurred(picture: Floats, roughness: float) -> Floats:
    """A picture as a surface of this roughness reflects it to an eye straight above it (GGX)."""
    height, width = picture.shape[:2]
    way, solid = _directions(height, width)
    tilt = np.arcsin(way[:, 0, 2])
    light = np.fft.rfft(np.asarray(picture, float) * solid[:, None, None], axis=1)
    turn = np.cos(np.arange(width) * (2 * math.pi / width))
    made = np.empty((height, width, 3))
    for start in range(0, height, _BATCH):
        mine = slice(start, min(start + _BATCH, height))
        level = np.sin(tilt[mine, None]) * np.sin(tilt)
        across = np.cos(tilt[mine, None]) * np.cos(tilt)
        weight = _lobe(level[:, :, None] + across[:, :, None] * turn, roughness)
        total = (weight.sum(2) * solid).sum(1)
        weights = np.fft.rfft(weight, axis=2)
        summed = np.einsum("ikf,kfc->ifc", weights, light, optimize=True)
        made[mine] = np.fft.irfft(summed, width, axis=1) / total[:, None, None]
    return np.maximum(made, 0.0)


def resized(picture: Floats, width: int) -> Floats:
    """A picture `width` wide and half as high: texels of its own averaged, or repeated."""
    picture = _merged(picture, width)
    rows, columns = _shares(len(picture), width // 2), _shares(picture.shape[1], width)
    across = np.einsum("hwc,xw->hxc", np.asarray(picture, float), columns, optimize=True)
    made: Floats = np.einsum("hxc,yh->yxc", across, rows, optimize=True)
    return made


def _merged(picture: Floats, width: int) -> Floats:
    """A picture with whole blocks of texels averaged, as far as that leaves it no smaller."""
    height, before = picture.shape[:2]
    wide = _largest_part(before, before // width)
    high = _largest_part(height, height // (width // 2))
    if wide * high == 1:
        return picture
    blocks = picture.reshape(height // high, high, before // wide, wide, 3)
    merged: Floats = blocks.mean((1, 3), dtype=float)
    return merged


def _largest_part(whole: int, most: int) -> int:
    """The largest number up to `most` that divides `whole`; at least 1."""
    return next((part for part in range(most, 1, -1) if not whole % part), 1)


def _lobe(cosine: Floats, roughness: float) -> Floats:
    """How much of the light from this far beside the mirrored way is seen."""
    alpha2 = roughness**4
    middle2 = (1 + np.clip(cosine, -1, 1)) / 2  # squared cosine of half of the angle
    lobe: Floats = np.maximum(cosine, 0.0) / (middle2 * (alpha2 - 1) + 1) ** 2
    return lobe


def _directions(height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """World directions (H, W, 3) of texels, and the solid angles (H,) of those of a row."""
    edges = np.linspace(math.pi / 2, -math.pi / 2, height + 1)
    tilt, turn = (edges[1:] + edges[:-1]) / 2, (np.arange(width) + 0.5) / width * 2 * math.pi
    across, up = np.cos(tilt)[:, None], np.sin(tilt)[:, None]
    way = np.stack(
        [-across * np.sin(turn), -across * np.cos(turn), np.broadcast_to(up, (height, width))], -1
    )
    return way, -np.diff(np.sin(edges)) * (2 * math.pi / width)


def _shares(before: int, after: int) -> NDArray[np.float64]:
    """How much of each of `before` cells is in each of `after` others: (after, before)."""
    edges, wanted = np.linspace(0, 1, before + 1), np.linspace(0, 1, after + 1)
    low = np.maximum(wanted[:-1, None], edges[None, :-1])
    high = np.minimum(wanted[1:, None], edges[None, 1:])
    shares: NDArray[np.float64] = np.maximum(high - low, 0.0) * after
    return shares
