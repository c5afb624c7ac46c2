"""Passes as bytes that a page shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from heliograph.codec import encode_array, encode_jpeg
from heliograph.engines.web.messages import Encoding
from heliograph.frame import Frame
from heliograph.picture import depth_range, pass_picture
from heliograph.picture.colours import is_length

JPEG_QUALITY: Final = 80


@dataclass(frozen=True, eq=False)
class Shown:
    """A pass as colours.

    Attributes:
        pixels: (H, W, 3) uint8.
        scale: nearest and farthest metres of the colours of a distance; None for other passes.
    """

    pixels: NDArray[np.uint8]
    scale: tuple[float, float] | None = None


def shown_pass(frame: Frame, name: str) -> Shown:
    """A pass of a frame as colours, as contact sheets have them."""
    array, spec = frame[name], frame.spec(name)
    if name == "rgb":
        return Shown(array)
    scale = depth_range([array]) if is_length(spec) else None
    return Shown(pass_picture(spec, array, scale), scale)


def encoded(pixels: NDArray[Any], *, lossless: bool) -> tuple[Encoding, bytes]:
    """(H, W, 3) uint8 as a file: PNG, or JPEG."""
    if lossless:
        return "png", encode_array(pixels, "png")
    return "jpeg", encode_jpeg(pixels, JPEG_QUALITY)
