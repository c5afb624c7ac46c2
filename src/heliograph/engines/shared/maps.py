"""Images of materials brought together: to one size, and metal and roughness into one image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from heliograph.requires import Requires

Pixels: TypeAlias = NDArray[np.uint8]

WHITE: Pixels = np.full((1, 1, 3), 255, np.uint8)
"""An image that changes nothing."""


def same_size(images: Sequence[Pixels], *, nearest: bool = False) -> list[Pixels]:
    """Images (H, W, C), or (H, W), in the largest height and width among them.

    Args:
        images: which; those that have this size already are not copied.
        nearest: whether texels have hard edges, else they blend into one another.
    """
    height, width = np.max([image.shape[:2] for image in images], 0).tolist()
    return [_sized(image, width, height, nearest) for image in images]


def packed(roughness: Pixels, metalness: Pixels, *, nearest: bool = False) -> Pixels:
    """Two images (H, W) as glTF has them in one, (H, W, 3): in green and in blue."""
    green, blue = same_size((roughness, metalness), nearest=nearest)
    return np.dstack([np.full_like(green, 255), green, blue])


def _sized(pixels: Pixels, width: int, height: int, nearest: bool) -> Pixels:
    """Channel by channel, as opacity must not weigh the others."""
    if pixels.shape[:2] == (height, width):
        return pixels
    with Requires("PIL"):
        from PIL import Image

    how = Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR
    planes = pixels.reshape(*pixels.shape[:2], -1).transpose(2, 0, 1)
    sized = [Image.fromarray(each.copy()).resize((width, height), how) for each in planes]
    return np.dstack([np.asarray(each) for each in sized]).reshape(height, width, *pixels.shape[2:])
