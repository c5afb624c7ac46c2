"""ORRB's components on lights."""

# ruff: noqa: RUF009 - the defaults are frozen values
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator

from heliograph.compat.orrb.components.component import Component
from heliograph.compat.orrb.unity import Vector3, uniform, uniforms, vector
from heliograph.errors import InvalidValueError
from heliograph.randomize.facts import Facts
from heliograph.randomize.hsv import hsv_to_rgb
from heliograph.randomize.randomizer import Drawn, Values
from heliograph.scene.appearance import EditLight

EXPOSURE = 0.2
"""Our light for one of ORRB's: its pictures have no upper limit before tone mapping, ours end at
white."""
_CONE = 30.0
_DARK = (0.0, 0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class LightingRig(Component):
    """Spots with soft shadows on a ring around the target, aimed at it; other lights go out.

    Of the head light its ambient part stays.

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
    type_name: ClassVar[str] = "LightingRig"

    def __post_init__(self) -> None:
        if not 0 <= self.light_head_count <= 64:
            raise InvalidValueError(
                f"light_head_count: expected 0 to 64, got {self.light_head_count}"
            )

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`."""
        count = self.light_head_count
        angles = uniforms(rng, 0.0, 2 * math.pi, count)
        reach = uniforms(rng, self.min_light_distance, self.max_light_distance, count)
        heights = uniforms(rng, self.min_light_height, self.max_light_height, count)
        offsets = np.stack((reach * np.cos(angles), reach * np.sin(angles), heights), axis=1)
        lengths = np.maximum(np.linalg.norm(offsets, axis=1, keepdims=True), 1e-9)
        return {
            "off": [name for name in scene.lit if not scene.is_head(name)],
            "head": [name for name in scene.lit if scene.is_head(name)],
            "position": (offsets + vector(self.target)).tolist(),
            "direction": (-offsets / lengths).tolist(),
        }

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`."""
        off = [
            *(EditLight(name, active=False) for name in values["off"]),
            *(EditLight(name, diffuse=_DARK, specular=_DARK) for name in values["head"]),
        ]
        places = zip(values["position"], values["direction"], strict=True)
        return Drawn((*off, *(_head(i, *place) for i, place in enumerate(places))))


@dataclass(frozen=True, kw_only=True)
class LightRandomizer(Component):
    """Shares an intensity out among all lights, and draws the cones of spots.

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
    type_name: ClassVar[str] = "LightRandomizer"

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`; `intensity` is in ORRB's units."""
        names = [name for name in scene.lit if not scene.is_head(name)]
        total = uniform(rng, self.min_scene_intensity, self.max_scene_intensity)
        weights = uniforms(rng, self.min_light_intensity, self.max_light_intensity, len(names))
        shares = total * weights / max(float(weights.sum()), 1e-9)
        low, high = self.min_spotlight_angle, self.max_spotlight_angle
        return {
            "lights": names,
            "scene_intensity": total,
            "intensity": shares.tolist(),
            "spotlight_angle": uniforms(rng, low, high, len(names)).tolist(),
            "colour": self._colours(rng, len(names)),
        }

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`."""
        columns = (values[k] for k in ("lights", "intensity", "spotlight_angle", "colour"))
        return Drawn(tuple(_shining(*row) for row in zip(*columns, strict=True)))

    def _colours(self, rng: Generator, count: int) -> list[Any]:
        if not self.randomize_hue:
            return [[1.0, 1.0, 1.0]] * count
        hue, saturation, value = rng.random((3, count))
        colours: list[Any] = hsv_to_rgb(hue, 0.3 * saturation, 0.9 + 0.1 * value).tolist()
        return colours


def _shining(name: str, intensity: float, angle: float, colour: list[float]) -> EditLight:
    red, green, blue = (part * intensity * EXPOSURE for part in colour)
    half = math.radians(min(max(angle, 0.1), 179.0)) / 2
    light = (red, green, blue)
    return EditLight(name, diffuse=light, specular=light, cutoff=half)


def _head(number: int, position: Any, direction: Any) -> EditLight:
    white = (2 * EXPOSURE,) * 3
    return EditLight(
        f"LightingRig/{number}",
        kind="spot",
        position=tuple(position),
        direction=tuple(direction),
        diffuse=white,
        specular=white,
        ambient=_DARK,
        cutoff=math.radians(_CONE) / 2,
        softness=0.3,
        casts_shadow=True,
    )
