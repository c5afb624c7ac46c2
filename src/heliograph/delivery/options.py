"""The keywords of `heliograph.open`; what each means stands there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from heliograph.pool.options import PoolSettings
from heliograph.randomize import Randomization


class OpenOptions(PoolSettings, total=False):
    """What `heliograph.open` takes besides source, size, engine, workers and seed."""

    randomize: str | Path | Mapping[str, Any] | Randomization | None
    engine_options: Mapping[str, Any] | None

    msaa: Literal[0, 4]
    shadows: bool
    shadow_size: int
    lod: Literal["auto", "off"]
    backend: Literal["auto", "cpu", "gl"]
    device: int | None
    threads: int | None
    lighting: Literal["auto", "vertex", "pixel"]
    shading: Literal["auto", "classic", "standard"]
    tone_mapping: Literal["auto", "none", "neutral", "aces"]
    exposure: float
    readback: Literal["auto", "direct", "deferred"]

    style: Literal["raster", "classic", "fast", "cycles", "eevee"]
    visual: object
    segment_by: Literal["object", "body", "category", "material", "collection"]

    samples: int
    denoise: bool
    trust: bool
    allow_missing: bool
