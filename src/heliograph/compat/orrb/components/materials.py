"""ORRB's components on materials.

Metallic becomes our specular, glossiness our shininess. Names of materials match by prefix, in
comma lists; an object without a material goes by its own name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.random import Generator

from heliograph.compat.orrb.components.component import Component, dressed
from heliograph.compat.orrb.unity import uniforms
from heliograph.randomize.facts import Facts
from heliograph.randomize.hsv import hsv_to_rgb, rgb_to_hsv
from heliograph.randomize.materials import paint
from heliograph.randomize.randomizer import Drawn, Values
from heliograph.randomize.textures import Recipe, Textures

TEXTURES: tuple[tuple[str, int], ...] = (
    *(("perlin", i) for i in range(5)),
    *((kind, i) for kind in ("noise", "checker", "gradient") for i in range(2)),
)
"""The eleven textures that are drawn from."""
_MADE = Textures(size=128)
_UNKNOWN = (0.5, 0.5, 0.5, 1.0)


@dataclass(frozen=True, kw_only=True)
class MaterialRandomizer(Component):
    """Paints each object in a colour uniform in hue, saturation and value; alpha stays.

    Attributes:
        blacklist_prefix: materials to leave alone.
        whitelist_prefix: materials to paint; all, where it is empty.
        min_metallic, max_metallic, min_glossiness, max_glossiness: 0 to 1.
        randomize_textures: one of eleven textures, tiled 0.4 to 4 times; without it textures go.
    """

    blacklist_prefix: str = "cube"
    whitelist_prefix: str = ""
    min_metallic: float = 0.05
    max_metallic: float = 0.25
    min_glossiness: float = 0.0
    max_glossiness: float = 1.0
    randomize_textures: bool = False
    type_name: ClassVar[str] = "MaterialRandomizer"

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`."""
        objects = dressed(scene, self.whitelist_prefix, self.blacklist_prefix, "cube")
        count = len(objects)
        drawn = rng.random((5, count))
        values: Values = {
            "objects": [[name] for name in objects],
            "colour": hsv_to_rgb(*drawn[:3]).tolist(),
            "specular": _between(self.min_metallic, self.max_metallic, drawn[3]),
            "shininess": _between(self.min_glossiness, self.max_glossiness, drawn[4]),
            "texture": [None] * count,
        }
        return values | (_textures(rng, count) if self.randomize_textures else {})

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`."""
        return Drawn(paint(values, _MADE))


@dataclass(frozen=True, kw_only=True)
class MaterialFixedHueRandomizer(Component):
    """Paints objects around their own colours: the hue wraps, all else is clamped.

    Attributes:
        material_prefix: materials to paint; all, where it is empty.
        material_blacklist_prefix: materials to leave alone.
        hue_radius, saturation_radius, value_radius: how far each goes to either side.
        emission_radius: the same for emission, around none.
        min_..., max_...: what saturation, value and emission are clamped to, and between which
            metallic and glossiness are drawn.
        emission_probability: how likely an object is to emit at all.
    """

    material_prefix: str = "cube"
    material_blacklist_prefix: str = ""
    hue_radius: float = 0.02
    saturation_radius: float = 0.15
    value_radius: float = 0.15
    emission_radius: float = 0.0
    min_saturation: float = 0.5
    max_saturation: float = 1.0
    min_value: float = 0.5
    max_value: float = 1.0
    min_metallic: float = 0.05
    max_metallic: float = 0.15
    min_glossiness: float = 0.05
    max_glossiness: float = 0.15
    min_emission: float = 0.0
    max_emission: float = 0.0
    emission_probability: float = 0.25
    type_name: ClassVar[str] = "MaterialFixedHueRandomizer"

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`."""
        objects = dressed(scene, self.material_prefix, self.material_blacklist_prefix, "")
        count = len(objects)
        own = np.array([scene.colours.get(name, _UNKNOWN)[:3] for name in objects])
        hue, saturation, value = rgb_to_hsv(own.reshape(count, 3)).T
        drawn = rng.random((7, count))
        side = 2 * drawn[:4] - 1
        saturation = saturation + side[1] * self.saturation_radius
        value = value + side[2] * self.value_radius
        colour = hsv_to_rgb(
            hue + side[0] * self.hue_radius,
            _clamped(saturation, self.min_saturation, self.max_saturation),
            _clamped(value, self.min_value, self.max_value),
        )
        glow = _clamped(side[3] * self.emission_radius, self.min_emission, self.max_emission)
        glow *= drawn[4] < self.emission_probability
        return {
            "objects": [[name] for name in objects],
            "colour": colour.tolist(),
            "emission": _clamped(glow, 0.0, 1.0).tolist(),
            "specular": _between(self.min_metallic, self.max_metallic, drawn[5]),
            "shininess": _between(self.min_glossiness, self.max_glossiness, drawn[6]),
        }

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`."""
        return Drawn(paint(values, _MADE))


def _textures(rng: Generator, count: int) -> Values:
    picked = rng.integers(0, len(TEXTURES), count).tolist()
    recipes: list[Recipe] = [list(TEXTURES[i]) for i in picked]
    repeat = uniforms(rng, 0.4, 4.0, 2 * count).reshape(count, 2)
    return {
        "texture": recipes,
        "repeat": repeat.tolist(),
        "offset": rng.random((count, 2)).tolist(),
    }


def _clamped(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], low: float, high: float
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.minimum(np.maximum(values, low), high)


def _between(
    low: float, high: float, drawn: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> list[float]:
    mixed: list[float] = (low + (high - low) * drawn).tolist()
    return mixed
