"""ORRB's components on lights."""

# ruff: noqa: RUF009 - the defaults are frozen values
from __future__ import annotations

import math
from dataclasses import dataclass

from heliograph.compat.orrb.components.component import Component
from heliograph.compat.orrb.facts import OrrbFacts
from heliograph.compat.orrb.unity import UnityRandom, Vector3, vector
from heliograph.errors import InvalidValueError
from heliograph.randomize.hsv import hsv_to_rgb
from heliograph.randomize.lights import shine
from heliograph.randomize.randomizer import Drawn, Values
from heliograph.scene.appearance import EditLight

EXPOSURE = 0.2
"""Our light for one of ORRB's, where light is added in sRGB and ends at white; the engine of ORRB's
programs multiplies it back."""
_CONE = 30.0
_DARK = (0.0, 0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class LightingRig(Component):
    """Spots with soft shadows on a ring around the target, aimed at it; other lights go out.

    Of the head light its ambient part stays. Takes of each spot angle, height and distance.

    Attributes:
        light_head_count: how many.
        min_light_distance, max_light_distance: metres from the target's vertical.
        min_light_height, max_light_height: metres above the target.
        target: a point of Unity's world.
    """

    light_head_count: int = 6
    min_light_distance: float = 1.0
    max_light_distance: float = 1.5
    min_light_height: float = 0.5
    max_light_height: float = 1.5
    target: Vector3 = Vector3()

    def __post_init__(self) -> None:
        if not 0 <= self.light_head_count <= 64:
            raise InvalidValueError(
                f"light_head_count: expected 0 to 64, got {self.light_head_count}"
            )

    def drawn(self, random: UnityRandom, scene: OrrbFacts) -> Values:
        """See `Component.drawn`."""
        offsets = []
        for _ in range(self.light_head_count):
            angle = random.range(0.0, 2 * math.pi)
            height = random.range(self.min_light_height, self.max_light_height)
            reach = random.range(self.min_light_distance, self.max_light_distance)
            offsets.append(vector((reach * math.cos(angle), height, reach * math.sin(angle))))
        return {
            "off": [name for name in scene.lit if not scene.is_head(name)],
            "head": [name for name in scene.lit if scene.is_head(name)],
            "position": [(each + vector(self.target)).tolist() for each in offsets],
            "direction": [(-each / max(math.hypot(*each), 1e-9)).tolist() for each in offsets],
        }

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`."""
        off = [
            *(EditLight(name, active=False) for name in values["off"]),
            *(EditLight(name, diffuse=_DARK, specular=_DARK) for name in values["head"]),
        ]
        count, white = len(values["position"]), (2 * EXPOSURE,) * 3
        each = {
            "kind": "spot",
            "diffuse": white,
            "specular": white,
            "ambient": _DARK,
            "cutoff": math.radians(_CONE) / 2,
            "exponent": 0.0,
            "softness": 1 / 3,
            "casts_shadow": True,
        }
        spots = {
            "name": [f"LightingRig/{number}" for number in range(count)],
            **{key: values[key] for key in ("position", "direction")},
            **{key: [value] * count for key, value in each.items()},
        }
        return Drawn((*off, *shine(spots)))


@dataclass(frozen=True, kw_only=True)
class LightRandomizer(Component):
    """Shares an intensity out among all lights, and draws the cones of spots.

    Takes the scene's intensity, then of each light its cone and weight, and maybe its colour.

    Attributes:
        min_scene_intensity, max_scene_intensity: of all lights together, S.
        min_light_intensity, max_light_intensity: weights w; light i gets S * w_i / sum(w).
        min_spotlight_angle, max_spotlight_angle: full cone, degrees.
        randomize_hue: hue 0 to 1, saturation 0 to 0.3, value 0.9 to 1 instead of white.
    """

    min_scene_intensity: float = 1.0
    max_scene_intensity: float = 15.0
    min_light_intensity: float = 1.0
    max_light_intensity: float = 3.0
    min_spotlight_angle: float = 27.0
    max_spotlight_angle: float = 33.0
    randomize_hue: bool = False

    def drawn(self, random: UnityRandom, scene: OrrbFacts) -> Values:
        """See `Component.drawn`; `intensity` is in ORRB's units."""
        lights = [name for name in scene.lit if not scene.is_head(name)]
        total = random.range(self.min_scene_intensity, self.max_scene_intensity)
        cones, weights, colours = [], [], []
        for _ in lights:
            cones.append(random.range(self.min_spotlight_angle, self.max_spotlight_angle))
            weights.append(random.range(self.min_light_intensity, self.max_light_intensity))
            pale = random.colour((0.0, 0.3), (0.9, 1.0)) if self.randomize_hue else (0.0, 0.0, 1.0)
            colours.append(hsv_to_rgb(*pale).tolist())
        share = total / max(sum(weights), 1e-9)
        return {
            "lights": lights,
            "scene_intensity": total,
            "intensity": [share * weight for weight in weights],
            "spotlight_angle": cones,
            "colour": colours,
        }

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`."""
        pairs = zip(values["colour"], values["intensity"], strict=True)
        light = [[part * intensity * EXPOSURE for part in colour] for colour, intensity in pairs]
        cutoff = [math.radians(min(max(a, 0.1), 179.0)) / 2 for a in values["spotlight_angle"]]
        columns = {"name": values["lights"], "diffuse": light, "specular": light, "cutoff": cutoff}
        return Drawn(shine(columns))
