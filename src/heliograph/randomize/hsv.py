"""Hue, saturation and value, all from 0 to 1, to and from red, green and blue."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_SHIFT = np.array([5.0, 3.0, 1.0])


def hsv_to_rgb(hue: Any, saturation: Any, value: Any) -> NDArray[np.float64]:
    """Return colours (..., 3); the hue wraps around, the others are clipped to 0 ... 1."""
    s = _unit(np.asarray(saturation, float))[..., None]
    v = _unit(np.asarray(value, float))[..., None]
    k = (_SHIFT + np.asarray(hue, float)[..., None] * 6.0) % 6.0
    rgb: NDArray[np.float64] = v - v * s * _unit(np.minimum(k, 4.0 - k))
    return rgb


def _unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Clipped to 0 ... 1; `np.clip` takes twice as long for a few."""
    clipped: NDArray[np.float64] = np.minimum(np.maximum(values, 0.0), 1.0)
    return clipped


def rgb_to_hsv(rgb: Any) -> NDArray[np.float64]:
    """Return hue, saturation and value (..., 3) of colours (..., 3); grey has hue 0."""
    r, g, b = np.moveaxis(np.asarray(rgb, float), -1, 0)
    value = np.maximum(np.maximum(r, g), b)
    chroma = value - np.minimum(np.minimum(r, g), b)
    safe = np.where(chroma > 0, chroma, 1.0)
    hue = np.where(
        value == r,
        (g - b) / safe % 6.0,
        np.where(value == g, (b - r) / safe + 2.0, (r - g) / safe + 4.0),
    )
    saturation = chroma / np.where(value > 0, value, 1.0)
    return np.stack((np.where(chroma > 0, hue / 6.0, 0.0), saturation, value), axis=-1)
