"""How to rasterize."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from heliograph.checks import check_integer, is_integer
from heliograph.errors import InvalidValueError, shown
from heliograph.raster.types import Lighting, ToneMapping

_CHOICES = {
    "backend": ("auto", "cpu", "gl"),
    "msaa": (0, 4),
    "lighting": ("auto", "vertex", "pixel"),
    "readback": ("auto", "direct", "deferred"),
    "lod": ("auto", "off"),
    "shading": ("auto", "classic", "standard"),
    "tone_mapping": ("auto", "none", "neutral", "aces"),
}

MOST_EXPOSURE = 1e6
MOST_THREADS = 64


@dataclass(frozen=True)
class RasterOptions:
    """How to rasterize.

    Attributes:
        msaa: samples per pixel for rgb and alpha, 0 or 4; no other pass is multisampled.
        shadows: whether lights that cast shadows get shadow maps.
        shadow_size: upper limit of a shadow map's side in texels; the side follows the picture's.
        lod: `auto` draws a simplified surface where its error is under a quarter of a pixel, `off`
            draws every triangle.
        backend: `cpu` is the native rasterizer, which needs no GL and gives the same bytes on every
            machine; `gl` draws through OpenGL; `auto` takes a GPU through GL where there is one,
            else the CPU.
        device: index of the EGL device, None for the driver's default; of `gl` alone, which `auto`
            then takes.
        readback: of `gl` alone, nothing to `cpu`: `direct` waits for each picture, `deferred` once
            for all cameras of a view, or for all views of a batch, while the GPU draws on; `auto`
            is direct where the CPU draws.
        threads: of `cpu` alone, nothing to `gl`: how many draw a view, up to 64. Its cameras share
            them, and those that are left over share the rows of each picture. None: the cameras
            share the cores that this process may use (at most what the environment's
            OMP_NUM_THREADS says), each picture drawn by one. They change no byte.
        lighting: `vertex` computes light at vertices as fixed-function OpenGL does, which is
            cheaper, `pixel` everywhere; `auto` is what the engine's own renderer would do. Of the
            classic look alone.
        shading: `classic` adds light in sRGB as fixed-function OpenGL and MuJoCo do it, `standard`
            in linear light with glTF's materials and three.js's formulas; `auto` is what the
            engine's own renderer would do.
        tone_mapping: how linear light becomes colours; `auto` as the scene says, else `none`.
        exposure: multiplies all linear light, and the scene's own exposure.
    """

    msaa: Literal[0, 4] = 0
    shadows: bool = True
    shadow_size: int = 4096
    lod: Literal["auto", "off"] = "auto"
    backend: Literal["auto", "cpu", "gl"] = "auto"
    device: int | None = None
    threads: int | None = None
    lighting: Literal["auto", "vertex", "pixel"] = "auto"
    readback: Literal["auto", "direct", "deferred"] = "auto"
    shading: Literal["auto", "classic", "standard"] = "auto"
    tone_mapping: Literal["auto", "none", "neutral", "aces"] = "auto"
    exposure: float = 1.0

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
        _check_device(self.device, self.backend)
        if self.threads is not None:
            check_integer("threads", self.threads, 1, MOST_THREADS)
        if (
            type(self.exposure) not in (int, float, np.float64, np.float32)
            or not 0 < self.exposure <= MOST_EXPOSURE
        ):
            raise InvalidValueError(
                f"exposure: expected a number above 0, up to {MOST_EXPOSURE:g}, got "
                f"{shown(self.exposure)}"
            )
        if self.shading == "standard" and self.lighting == "vertex":
            raise InvalidValueError(
                "shading='standard' computes light per pixel, so lighting='vertex' does not go "
                "with it; leave lighting out"
            )

    def lit(self, default: Lighting) -> Lighting:
        """Where light is computed, for an engine whose own way is `default`."""
        if self.shading == "standard" or (
            self.shading == "auto" and default is Lighting.STANDARD and self.lighting == "auto"
        ):
            return Lighting.STANDARD
        if self.lighting != "auto":
            return Lighting(self.lighting)
        return Lighting.PIXEL if default is Lighting.STANDARD else default

    def toned(self, asked: ToneMapping = ToneMapping.NONE) -> ToneMapping:
        """How light becomes colours, where the scene asks for `asked`."""
        return asked if self.tone_mapping == "auto" else ToneMapping(self.tone_mapping)


def _check_device(device: int | None, backend: str) -> None:
    if device is None:
        return
    if not is_integer(device):
        raise InvalidValueError(f"device: expected an EGL device index, got {shown(device)}")
    if backend == "cpu":
        raise InvalidValueError(
            f"device: {device} is an EGL device, which backend='cpu' does not draw on; leave "
            "device out, or backend"
        )
