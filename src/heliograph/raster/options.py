"""How to rasterize."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from heliograph.checks import is_integer
from heliograph.errors import InvalidValueError, shown
from heliograph.raster.types import Lighting

_CHOICES = {
    "msaa": (0, 4),
    "lighting": ("auto", "vertex", "pixel"),
    "readback": ("auto", "direct", "deferred"),
    "lod": ("auto", "off"),
}


@dataclass(frozen=True)
class RasterOptions:
    """How to rasterize.

    Attributes:
        msaa: samples per pixel for rgb and alpha, 0 or 4; no other pass is multisampled.
        shadows: whether lights that cast shadows get shadow maps.
        shadow_size: upper limit of a shadow map's side in texels; the side follows the picture's.
        lod: `auto` draws a simplified surface where its error is under a quarter of a pixel, `off`
            draws every triangle.
        device: index of the EGL device, None for the driver's default.
        readback: `direct` waits for each picture, `deferred` once for all cameras of a view, or for
            all views of a batch, while the GPU draws on; `auto` is direct where the CPU draws.
        lighting: `vertex` computes light at vertices as fixed-function OpenGL does, which is
            cheaper, `pixel` everywhere; `auto` is what the engine's own renderer would do.
    """

    msaa: Literal[0, 4] = 0
    shadows: bool = True
    shadow_size: int = 4096
    lod: Literal["auto", "off"] = "auto"
    device: int | None = None
    lighting: Literal["auto", "vertex", "pixel"] = "auto"
    readback: Literal["auto", "direct", "deferred"] = "auto"

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            value = getattr(self, name)
            if not isinstance(value, (int, str)) or value not in known:
                *others, last = map(repr, known)
                raise InvalidValueError(
                    f"{name}: expected {', '.join(others)} or {last}, got {shown(value)}"
                )
        if not isinstance(self.shadows, (bool, np.bool_)):
            raise InvalidValueError(f"shadows: expected True or False, got {shown(self.shadows)}")
        if not is_integer(self.shadow_size, 16, 16384):
            raise InvalidValueError(
                f"shadow_size: expected 16 to 16384 texels, got {shown(self.shadow_size)}"
            )
        if self.device is not None and not is_integer(self.device):
            raise InvalidValueError(
                f"device: expected an EGL device index, got {shown(self.device)}"
            )

    def lit(self, default: Lighting) -> Lighting:
        """Where light is computed, for an engine whose own way is `default`."""
        return default if self.lighting == "auto" else Lighting(self.lighting)
