"""ORRB's post-processing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from heliograph.compat.orrb.components.component import Component
from heliograph.compat.orrb.facts import OrrbFacts
from heliograph.compat.orrb.unity import UnityRandom
from heliograph.randomize.postprocess import image_edit
from heliograph.randomize.randomizer import Drawn, Values

_GRAIN = 0.1
"""Our grain for Unity's at full intensity."""
_AO_RADIUS = 0.1


@dataclass(frozen=True, kw_only=True)
class PostProcessingRandomizer(Component):
    """Ambient occlusion, bloom and colour grading of linear light, then grain.

    Grading is contrast about mid-grey in stops, brightness, white balance, hue, saturation, and a
    filmic curve, without which what is brighter than white is cut off.
    Takes hue shift, saturation, contrast, brightness, temperature, tint, intensity and diffusion of
    bloom, intensity of occlusion, then of grain whether it is coloured, intensity and size,
    whatever is enabled.

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

    def drawn(self, random: UnityRandom, scene: OrrbFacts) -> Values:
        """See `Component.drawn`."""

        def draw(name: str, least: float, most: float, unit: float = 1.0) -> float:
            effect, _, what = name.partition("_")
            ends = (getattr(self, f"{effect}_{end}_{what}") for end in ("min", "max"))
            return min(max(random.range(*ends) * unit, least), most)

        hue = draw("cg_hue_shift", -360.0, 360.0)
        saturation = draw("cg_saturation", -1.0, 10.0, 0.01)
        contrast = draw("cg_contrast", -1.0, 10.0, 0.01)
        brightness = draw("cg_brightness", -1.0, 10.0, 0.01)
        balance = {key: draw(f"cg_{key}", -100.0, 100.0) for key in ("temperature", "tint")}
        bloom = {
            "intensity": 2.0 ** (draw("bloom_intensity", 0.0, 43.9) / 10.0) - 1.0,
            "diffusion": draw("bloom_diffusion", 1.0, 10.0),
            "threshold": 1.0,
        }
        occlusion = {"intensity": draw("ao_intensity", 0.0, 10.0), "radius": _AO_RADIUS}
        grain = {
            "colour": float(random.value() < self.grain_color_probability),
            "intensity": draw("grain_intensity", 0.0, 1.0, _GRAIN),
            "size": draw("grain_size", 0.0, 64.0),
        }
        grading = [
            ["light_contrast", {"amount": contrast}],
            ["brightness", {"amount": brightness}],
            ["white_balance", balance],
            ["hue", {"degrees": hue}],
            ["saturation", {"amount": saturation}],
            ["filmic", {}],
        ]
        effects: list[tuple[bool, list[list[Any]]]] = [
            (True, [["linear_light", {"gain": 1.0}]]),
            (self.enable_ambient_occlusion, [["ambient_occlusion", occlusion]]),
            (self.enable_bloom, [["bloom", bloom]]),
            (True, grading if self.enable_color_grading else [["display", {}]]),
            (self.enable_grain, [["grain", grain]]),
        ]
        steps = [step for enabled, parts in effects if enabled for step in parts]
        return {"steps": steps, "seed": random.seed_of_state}

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`."""
        return Drawn(image_edit(values["steps"], values["seed"]))
