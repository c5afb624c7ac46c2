"""Steps that treat the picture as light: bloom, vignette, ambient occlusion."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.errors import InvalidValueError
from heliograph.randomize.imaging.step import Kind, Planes, Shot, step
from heliograph.randomize.parameters import Numbers
from heliograph.requires import Requires

_DIRECTIONS = 8
_BIAS = 0.05
"""Cosine below which a neighbour does not stand over the surface; flat ones would, by rounding."""


@step(
    Kind.SPATIAL,
    "intensity",
    intensity=Numbers(0.0, 20.0, what="factor on what is spread"),
    threshold=Numbers(0.0, 1.0, what="how bright is too bright"),
    diffusion=Numbers(1.0, 10.0, what="how far it spreads; 10 is all over"),
)
def bloom(
    planes: Planes, _: Shot, intensity: float = 0.5, threshold: float = 0.8, diffusion: float = 5.0
) -> Planes:
    """Add what is brighter than `threshold`, spread over a pyramid of ever smaller pictures."""
    level = halved(planes)
    level -= np.float32(threshold)
    np.maximum(level, 0, out=level)
    most = max(1, int(math.log2(max(2, min(planes.shape[1:])))) - 1)
    levels = max(1, round(most * diffusion / 10))
    pyramid = [level]
    for _level in range(levels - 1):
        pyramid.append(halved(pyramid[-1]))
    glow = pyramid.pop()
    while pyramid:
        finer = pyramid.pop()
        glow = doubled(glow, finer.shape[1:])
        glow += finer
    glow *= np.float32(intensity / levels)
    spread = doubled(glow, planes.shape[1:])
    spread += planes
    return spread


@step(
    Kind.SPATIAL,
    "intensity",
    intensity=Numbers(0.0, 1.0, what="how much is lost in the corner"),
    falloff=Numbers(0.1, 16.0, what="power of the distance"),
)
def vignette(planes: Planes, _: Shot, intensity: float = 0.3, falloff: float = 2.0) -> Planes:
    """Darken towards the corners, by 1 - intensity * r**falloff; r is 1 in the corner."""
    squared = _distance(planes.shape[1], planes.shape[2])
    shade = squared if falloff == 2 else np.power(squared, np.float32(falloff / 2))
    return planes * (np.float32(1.0) - shade * np.float32(intensity))


@step(
    Kind.SPATIAL,
    "intensity",
    intensity=Numbers(0.0, 10.0, what="how dark covered places get"),
    radius=Numbers(1e-6, 1e6, what="metres within which surfaces cover each other"),
)
def ambient_occlusion(
    planes: Planes, shot: Shot, intensity: float = 1.0, radius: float = 0.1
) -> Planes:
    """Darken where nearby surfaces stand over a pixel's own, by depth and normals.

    Every other pixel looks along 8 directions at two distances; what stands above its surface
    within `radius` metres takes light away, less the further it is.
    """
    depth, normals, camera = shot.depth, shot.normals, shot.camera
    if depth is None or normals is None or camera is None:
        raise InvalidValueError(
            "ambient_occlusion: needs depth, normals and the camera; render with "
            "passes=('rgb', 'depth', 'normals')"
        )
    points = _points(depth[::2, ::2], camera)
    reach = _reach(depth, camera, radius)
    covered = _covered(points, normals[::2, ::2], reach, radius)
    light = 1.0 - np.clip(covered * np.float32(intensity), 0.0, 1.0)
    with Requires("scipy"):
        from scipy.ndimage import uniform_filter

    smooth = np.asarray(uniform_filter(light, 3, mode="nearest"), np.float32)
    return planes * doubled(smooth[None], planes.shape[1:])


@functools.lru_cache(maxsize=16)
def _distance(height: int, width: int) -> NDArray[np.float32]:
    """Squared distance from the middle, 1 in the corners."""
    y = (np.arange(height, dtype=np.float32) + 0.5) * 2 / height - 1
    x = (np.arange(width, dtype=np.float32) + 0.5) * 2 / width - 1
    return np.asarray((y[:, None] ** 2 + x[None, :] ** 2) / 2, np.float32)


def _points(depth: NDArray[Any], camera: Camera) -> NDArray[np.float32]:
    """Camera-space points (3, h, w) of every other pixel; far behind where nothing is."""
    metres = np.where(np.isfinite(depth), depth, 1e6).astype(np.float32)
    height, width = depth.shape
    x = (np.arange(width, dtype=np.float32) * 2 + 0.5 - camera.cx) / camera.fx
    y = (camera.cy - np.arange(height, dtype=np.float32) * 2 - 0.5) / camera.fy
    scale = metres if camera.projection is Projection.PERSPECTIVE else np.ones_like(metres)
    return np.stack((x * scale, y[:, None] * scale, -metres)).astype(np.float32)


def _reach(depth: NDArray[Any], camera: Camera, radius: float) -> int:
    """The radius in (every other) pixels at the middling depth."""
    seen = depth[::4, ::4]
    seen = seen[np.isfinite(seen)]
    middle = float(np.median(seen)) if seen.size else 1.0
    scale = middle if camera.projection is Projection.PERSPECTIVE else 1.0
    most = max(2, min(depth.shape) // 8)
    return int(np.clip(round(camera.fy * radius / max(scale, 1e-6) / 2), 2, most))


def _covered(
    points: NDArray[np.float32], normals: NDArray[Any], reach: int, radius: float
) -> NDArray[np.float32]:
    """How much of the sky over each pixel is covered, 0 to about 1."""
    pad = ((0, 0), (reach, reach), (reach, reach))
    around = np.pad(points, pad, mode="edge")
    facing = np.ascontiguousarray(normals.transpose(2, 0, 1), np.float32)
    height, width = points.shape[1:]
    total = np.zeros((height, width), np.float32)
    for dy, dx in _offsets(reach):
        y, x = reach + dy, reach + dx
        # How far the neighbour stands over the surface, less the further it is.
        away = around[:, y : y + height, x : x + width] - points
        squared = (away * away).sum(axis=0) + np.float32(1e-12)
        above = (away * facing).sum(axis=0) / np.sqrt(squared) - np.float32(_BIAS)
        near = np.maximum(0, 1 - squared / np.float32(radius * radius))
        total += np.asarray(np.maximum(above, 0) * near, np.float32)
    return total / np.float32(_DIRECTIONS)


def _offsets(reach: int) -> list[tuple[int, int]]:
    """Directions around, near and far in turn, (rows, columns)."""
    angles = [2 * math.pi * (i + 0.25) / _DIRECTIONS for i in range(_DIRECTIONS)]
    return [
        (round(length * math.sin(angle)), round(length * math.cos(angle)))
        for angle in angles
        for length in (reach, max(1, reach // 2))
    ]


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
