"""ORRB's components on materials.

Roughness is 1 less glossiness, and what is no metal reflects 4 % head-on. Names of materials match
by prefix, in comma lists; an object without a material goes by its own name. A capsule takes
numbers for each of its three shapes and wears the last one's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from heliograph.compat.orrb.components.component import Component
from heliograph.compat.orrb.facts import OrrbFacts
from heliograph.compat.orrb.unity import UnityRandom
from heliograph.randomize.hsv import hsv_to_rgb, rgb_to_hsv
from heliograph.randomize.materials import paint
from heliograph.randomize.randomizer import Drawn, Values
from heliograph.randomize.textures import Textures

TEXTURES: tuple[tuple[str, int], ...] = (
    *(("perlin", i) for i in range(5)),
    *((kind, i) for kind in ("noise", "checker", "gradient") for i in range(2)),
)
"""The eleven textures that are drawn from."""
_MADE = Textures(size=128)
_DIELECTRIC = 0.5
_UNKNOWN = (0.5, 0.5, 0.5, 1.0)


@dataclass(frozen=True, kw_only=True)
class Painter(Component):
    """A component whose values are columns of paint, a row for each object."""

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`; None among emissions keeps an object's own."""
        if "emission" in values:
            values = {**values, "emission": np.array(values["emission"], float)}
        specular = [_DIELECTRIC] * len(values["objects"])
        return Drawn(paint({**values, "specular": specular}, _MADE))


@dataclass(frozen=True, kw_only=True)
class MaterialRandomizer(Painter):
    """Paints each object in a colour uniform in hue, saturation and value; alpha stays.

    Takes of each shape hue, saturation, value, one unused, metallic and glossiness; with textures
    also which, one for a map of normals, two of tiling and two of offset.

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

    def drawn(self, random: UnityRandom, scene: OrrbFacts) -> Values:
        """See `Component.drawn`."""
        rows = {}
        for name in scene.wearers_of(self.whitelist_prefix, self.blacklist_prefix, "cube"):
            rows[name] = {
                "hsv": random.colour(),
                "metallic": random.range(self.min_metallic, self.max_metallic),
                "roughness": 1.0 - random.range(self.min_glossiness, self.max_glossiness),
                "texture": None,
                **(_textured(random) if self.randomize_textures else {}),
            }
        return _columns(rows)


@dataclass(frozen=True, kw_only=True)
class MaterialFixedHueRandomizer(Painter):
    """Paints objects around their own colours: the hue wraps, all else is clamped.

    Takes of each shape hue, one unused, saturation, value, one unused, metallic and glossiness; of
    one whose material emits also whether it does here, and if so again five as for the colour, the
    value of which is how much.

    Attributes:
        material_prefix: materials to paint; all, where it is empty.
        material_blacklist_prefix: materials to leave alone.
        hue_radius, saturation_radius, value_radius: how far each goes to either side.
        emission_radius: the same for the emission of a material that emits.
        min_..., max_...: what saturation, value and emission are clamped to, and between which
            metallic and glossiness are drawn.
        emission_probability: how likely an object whose material emits does.
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

    def drawn(self, random: UnityRandom, scene: OrrbFacts) -> Values:
        """See `Component.drawn`."""
        own = scene.remember("orrb own looks", lambda: _own_looks(scene))
        rows = {}
        for name in scene.wearers_of(self.material_prefix, self.material_blacklist_prefix, ""):
            colour, emission = own.get(name, (_UNKNOWN, 0.0))
            hsv = tuple(rgb_to_hsv(colour[:3]).tolist())
            value = _around(hsv[2], self.value_radius, self.min_value, self.max_value)
            rows[name] = {
                "hsv": self._colour(random, hsv, value),
                "metallic": random.range(self.min_metallic, self.max_metallic),
                "roughness": 1.0 - random.range(self.min_glossiness, self.max_glossiness),
                "emission": self._emission(random, hsv, emission),
            }
        return _columns(rows)

    def _colour(
        self, random: UnityRandom, own: tuple[float, ...], value: tuple[float, float]
    ) -> tuple[float, float, float]:
        hue = random.range(own[0] - self.hue_radius, own[0] + self.hue_radius)
        low, high = self.min_saturation, self.max_saturation
        _, *rest = random.colour(_around(own[1], self.saturation_radius, low, high), value)
        return hue, rest[0], rest[1]

    def _emission(self, random: UnityRandom, hsv: tuple[float, ...], own: float) -> float | None:
        """How much an object emits; None leaves one alone whose material does not."""
        if own <= 0:
            return None
        if random.value() >= self.emission_probability:
            return 0.0
        around = _around(own, self.emission_radius, self.min_emission, self.max_emission)
        return min(max(self._colour(random, hsv, around)[2], 0.0), 1.0)


def _columns(rows: dict[str, dict[str, Any]]) -> Values:
    """The rows of objects as columns, colours as red, green and blue."""
    names = dict.fromkeys(key for row in rows.values() for key in row if key != "hsv")
    values: Values = {key: [row[key] for row in rows.values()] for key in names}
    hsv = zip(*(row["hsv"] for row in rows.values()), strict=True) if rows else ((), (), ())
    colour = hsv_to_rgb(*map(list, hsv)).tolist()
    return {"objects": [[name] for name in rows], "colour": colour, **values}


def _textured(random: UnityRandom) -> dict[str, Any]:
    recipe = list(TEXTURES[random.index(len(TEXTURES))])
    random.bits()  # which of ORRB's maps of normals
    repeat = [random.range(0.4, 4.0) for _ in range(2)]
    return {"texture": recipe, "repeat": repeat, "offset": [random.range(0, 1) for _ in range(2)]}


def _own_looks(scene: OrrbFacts) -> dict[str, tuple[tuple[float, ...], float]]:
    """Objects -> their own colour, which sites have from their material, and emission."""
    looks = {name: (colour, 0.0) for name, colour in scene.colours.items()}
    sites = {each.name for each in scene.description.objects if each.category == "site"}
    for known in scene.description.materials:
        for name in scene.materials.get(known.name, ()):
            plain = known.base_color if name in sites else looks.get(name, (_UNKNOWN,))[0]
            looks[name] = (plain, known.emission or max(known.emissive))
    return looks


def _around(own: float, radius: float, low: float, high: float) -> tuple[float, float]:
    """The ends of what is drawn from: to either side, clamped."""
    return min(max(own - radius, low), high), min(max(own + radius, low), high)
