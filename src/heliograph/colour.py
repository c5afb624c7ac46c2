"""Colours as people give them, and as light."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def linear(colours: ArrayLike) -> NDArray[np.float64]:
    """Linear light of sRGB numbers from 0 to 1 (IEC 61966-2-1), of the same shape."""
    shares: NDArray[Any] = np.asarray(colours, float)
    return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)


def encoded(light: ArrayLike) -> NDArray[np.float64]:
    """SRGB numbers of linear light from 0 to 1, of the same shape; exact at both ends."""
    shares: NDArray[Any] = np.asarray(light, float)
    return np.where(shares <= 0.0031308, shares * 12.92, 1 + 1.055 * (shares ** (1 / 2.4) - 1))
