"""Colours as blendtorch's programs change them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def gamma(x: NDArray[np.uint8], coeff: float = 2.2) -> NDArray[np.uint8]:
    """Encodes a linear picture by a power curve.

    Pictures that `btb` draws are encoded as sRGB already, unlike blendtorch's.

    Args:
        x: (..., 3 or 4) uint8; a fourth channel, alpha, stays as it is.
        coeff: each value v of 0 .. 1 becomes v ** (1 / coeff).

    Returns:
        A new array of the same shape.
    """
    table = (255 * (np.arange(256) / 255) ** (1 / coeff)).astype(np.uint8)
    encoded: NDArray[np.uint8] = table[x]
    encoded[..., 3:] = x[..., 3:]
    return encoded
