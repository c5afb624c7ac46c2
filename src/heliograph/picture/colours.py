"""Passes as colours that people can read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heliograph.frame import Array
from heliograph.passes import PassSpec

Pixels = NDArray[np.uint8]
Limits = tuple[float, float]

_VIRIDIS = np.array(
    [
        *([68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142]),
        *([31, 158, 137], [53, 183, 121], [109, 205, 89], [180, 222, 44], [253, 231, 37]),
    ],
    float,
)
"""Ten colours of viridis, dark to light, evenly spaced."""

_NOTHING = (0, 0, 0)
_GOLDEN = 0.61803398875
_LEAST = 1e-6  # metres
_FAR_PERCENTILE = (
    98  # of what was hit: a floor that runs to the horizon leaves colours for the rest
)


def colour_map(values: ArrayLike) -> Pixels:
    """Numbers (...) from 0 to 1 in a perceptual colour map, (..., 3) uint8."""
    place = np.clip(values, 0, 1) * (len(_VIRIDIS) - 1)
    low = np.minimum(place.astype(int), len(_VIRIDIS) - 2)
    part = (place - low)[..., None]
    mixed: Pixels = np.round(_VIRIDIS[low] * (1 - part) + _VIRIDIS[low + 1] * part).astype(np.uint8)
    return mixed


def depth_range(depths: Sequence[Array]) -> Limits:
    """Nearest depth, and the 98th percentile of what was hit, metres; (0.1, 10) if nothing was."""
    seen = np.concatenate([depth[np.isfinite(depth)] for depth in depths] or [np.empty(0)])
    if not seen.size:
        return 0.1, 10.0
    near, far = max(float(seen.min()), _LEAST), float(np.percentile(seen, _FAR_PERCENTILE))
    return near, max(far, near * 1.001)


def depth_picture(depth: Array, limits: Limits | None = None) -> Pixels:
    """(H, W) metres as (H, W, 3): near is light, far is dark, nothing is black.

    Equal steps of colour are equal ratios of distance, so that a far wall or floor does not take
    the colours from what stands in front of it.

    Args:
        depth: the pass.
        limits: metres of the lightest and the darkest colour; `depth_range` without it.
    """
    near, far = limits or depth_range([depth])
    hit = np.isfinite(depth)
    metres = np.maximum(np.where(hit, depth, far), _LEAST).astype(np.float64)
    picture = colour_map(1 - np.log(metres / near) / np.log(far / near))
    picture[~hit] = _NOTHING
    return picture


def normals_picture(normals: Array) -> Pixels:
    """(H, W, 3) unit normals as colours: x, y, z from -1..1 to red, green, blue; nothing black."""
    picture = np.clip(np.round(normals * 127.5 + 127.5), 0, 255).astype(np.uint8)
    picture[~normals.any(-1)] = _NOTHING
    return picture


def segment_colours(ids: ArrayLike) -> Pixels:
    """A colour (..., 3) for each id, always the same, far from its neighbours'; 0 is black."""
    numbers = np.asarray(ids, np.int64)
    hue = (numbers * _GOLDEN) % 1.0
    value = 0.95 - 0.3 * ((numbers // 3) % 2)
    strength = 0.75 - 0.3 * ((numbers // 7) % 2)
    ramps = [(hue * 6 + shift) % 6 for shift in (5, 3, 1)]
    rgb = [value - value * strength * np.clip(np.minimum(r, 4 - r), 0, 1) for r in ramps]
    picture = np.round(np.stack(rgb, -1) * 255).astype(np.uint8)
    picture[numbers == 0] = _NOTHING
    return picture


def segmentation_picture(ids: Array) -> Pixels:
    """(H, W) ids as (H, W, 3) distinct colours; the background is black."""
    known, places = np.unique(ids, return_inverse=True)
    return segment_colours(known)[places.reshape(ids.shape)]


def is_length(spec: PassSpec) -> bool:
    """Whether a pass is a distance as depth is: metres, one a pixel, inf where nothing is."""
    return spec.unit == "m" and not spec.channels and spec.fill == np.inf


def pass_picture(spec: PassSpec, array: Array, limits: Limits | None = None) -> Pixels:
    """Any pass as (H, W, 3) uint8 for people; `limits` (metres) are for distances.

    Distances, ids and unit vectors are shown as `depth`, `segmentation` and `normals` are; other
    numbers from their least to their greatest, in grey or, of three channels, in colour.
    """
    if is_length(spec):
        return depth_picture(array, limits)
    if spec.unit == "id" and not spec.channels:
        return segmentation_picture(array)
    if spec.name == "normals":
        return normals_picture(array)
    pixels = array if array.dtype == np.uint8 else _stretched(array)
    if not spec.channels or spec.channels < 3:
        grey = pixels if not spec.channels else pixels[..., 0]
        return np.repeat(grey[..., None], 3, -1)
    return pixels[..., :3]


def _stretched(array: Array) -> Pixels:
    """Numbers as bytes, from their least to their greatest; what is not finite is black."""
    finite = np.isfinite(array)
    values = np.where(finite, array, 0).astype(float)
    low = float(values[finite].min()) if finite.any() else 0.0
    high = float(values[finite].max()) if finite.any() else 1.0
    part = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    return np.where(finite, np.round(255 * part), 0).astype(np.uint8)
