"""ORRB's post-processing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.random import Generator

from heliograph.compat.orrb.components.component import Component
from heliograph.compat.orrb.unity import uniform
from heliograph.randomize.facts import Facts
from heliograph.randomize.postprocess import image_edit
from heliograph.randomize.randomizer import Drawn, Values
from heliograph.randomize.streams import subseed

_PERCENT = 0.01
_GRAIN = 0.1
"""Our grain for Unity's at full intensity."""
_AO_RADIUS = 0.1


@dataclass(frozen=True, kw_only=True)
class PostProcessingRandomizer(Component):
    """Ambient occlusion, bloom, grain and colour grading, in this order.

    Attributes:
        enable_color_grading, enable_bloom, enable_ambient_occlusion, enable_grain: which.
        cg_...: hue in degrees, the others in hundredths.
        bloom_...: intensity is in steps of a tenth of a power of two, diffusion is 1 to 10.
        ao_...: how dark covered places get.
        grain_color_probability: how likely grain is to be coloured.
        grain_...: intensity 0 to 1, size in pixels.
    """

    enable_color_grading: bool = True
    enable_bloom: bool = True
    enable_ambient_occlusion: bool = True
    enable_grain: bool = False
    cg_min_hue_shift: float = -10.0
    cg_max_hue_shift: float = 10.0
    cg_min_saturation: float = -20.0
    cg_max_saturation: float = 20.0
    cg_min_contrast: float = -20.0
    cg_max_contrast: float = 20.0
    cg_min_brightness: float = -20.0
    cg_max_brightness: float = 20.0
    cg_min_temperature: float = 0.0
    cg_max_temperature: float = 0.0
    cg_min_tint: float = 0.0
    cg_max_tint: float = 0.0
    bloom_min_intensity: float = 0.75
    bloom_max_intensity: float = 1.25
    bloom_min_diffusion: float = 2.0
    bloom_max_diffusion: float = 2.5
    ao_min_intensity: float = 1.75
    ao_max_intensity: float = 2.25
    grain_color_probability: float = 0.75
    grain_min_intensity: float = 0.0
    grain_max_intensity: float = 0.0
    grain_min_size: float = 0.0
    grain_max_size: float = 0.0
    type_name: ClassVar[str] = "PostProcessingRandomizer"

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`; all numbers are drawn, whatever is enabled."""
        drawn = {name: self._drawn(rng, name) for name in _RANGES}
        drawn["grain_color"] = float(rng.random() < self.grain_color_probability)
        enabled = (
            (self.enable_ambient_occlusion, _occlusion),
            (self.enable_bloom, _bloom),
            (self.enable_grain, _grain),
            (self.enable_color_grading, _grading),
        )
        steps = [step for on, make in enabled if on for step in make(drawn)]
        return {"steps": steps, "seed": subseed(rng)}

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`."""
        return Drawn(image_edit(values["steps"], values["seed"]))

    def _drawn(self, rng: Generator, name: str) -> float:
        effect, _, what = name.partition("_")
        low, high = (getattr(self, f"{effect}_{end}_{what}") for end in ("min", "max"))
        return uniform(rng, low, high)


_RANGES = (
    "cg_hue_shift",
    "cg_saturation",
    "cg_contrast",
    "cg_brightness",
    "cg_temperature",
    "cg_tint",
    "bloom_intensity",
    "bloom_diffusion",
    "ao_intensity",
    "grain_intensity",
    "grain_size",
)
Steps = list[list[Any]]


def _clipped(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _occlusion(drawn: dict[str, float]) -> Steps:
    intensity = _clipped(drawn["ao_intensity"], 0.0, 10.0)
    return [["ambient_occlusion", {"intensity": intensity, "radius": _AO_RADIUS}]]


def _bloom(drawn: dict[str, float]) -> Steps:
    intensity = _clipped(2.0 ** (drawn["bloom_intensity"] / 10.0) - 1.0, 0.0, 20.0)
    diffusion = _clipped(drawn["bloom_diffusion"], 1.0, 10.0)
    return [["bloom", {"intensity": intensity, "diffusion": diffusion}]]


def _grain(drawn: dict[str, float]) -> Steps:
    parameters = {
        "intensity": _clipped(drawn["grain_intensity"] * _GRAIN, 0.0, 1.0),
        "size": _clipped(drawn["grain_size"], 0.0, 64.0),
        "colour": drawn["grain_color"],
    }
    return [["grain", parameters]]


def _grading(drawn: dict[str, float]) -> Steps:
    def amount(name: str) -> dict[str, float]:
        return {"amount": _clipped(drawn[name] * _PERCENT, -1.0, 10.0)}

    balance = {key: _clipped(drawn[f"cg_{key}"], -100.0, 100.0) for key in ("temperature", "tint")}
    return [
        ["brightness", amount("cg_brightness")],
        ["contrast", amount("cg_contrast")],
        ["white_balance", balance],
        ["hue", {"degrees": _clipped(drawn["cg_hue_shift"], -360.0, 360.0)}],
        ["saturation", amount("cg_saturation")],
        ["tone_map", {"strength": 1.0}],
    ]
