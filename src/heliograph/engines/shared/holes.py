"""Holes where a texture is clear."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

HOLE = 1 / 512
"""A cutoff: what is less opaque than half of the least step is not there."""

ALMOST = 0.999
"""How opaque at most what has a clear texture is, so that it is drawn with the transparent."""


def has_holes(pixels: NDArray[np.uint8]) -> bool:
    """Whether pixels (H, W, C) are clear anywhere."""
    return pixels.shape[2] == 4 and bool((pixels[:, :, 3] < 255).any())
