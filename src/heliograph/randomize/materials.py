"""Materials: colours, how they shine, textures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from heliograph.errors import InvalidValueError
from heliograph.randomize.facts import Facts
from heliograph.randomize.parameters import COLOUR, SHARE, Numbers, drawn, fixed
from heliograph.randomize.randomizer import Drawn, Randomizer, Values
from heliograph.randomize.samplers import Sampler, hsv, uniform
from heliograph.randomize.textures import Textures
from heliograph.scene.appearance import SHADES, EditMaterials

_EMPTY = np.zeros((0, 0, 3), np.uint8)
_EMPTY.flags.writeable = False


@dataclass(frozen=True, kw_only=True)
class Materials(Randomizer):
    """Paints objects, each (or all of one material) in a colour of its own.

    Attributes:
        objects: prefixes of objects to paint; all, where it is empty.
        exclude: prefixes of objects to leave alone.
        materials: prefixes of materials instead: objects that share one are painted alike.
        colour: red, green, blue, 0 to 1; None keeps the colours.
        alpha: 0 to 1; None keeps it.
        specular, shininess, emission, reflectance: 0 to 1; None keeps it.
        metallic, roughness: 0 to 1; None keeps it. Roughness takes the place of shininess.
        texture_probability: how likely an object is to get a texture; otherwise it loses its own,
            except where the probability is 0, which leaves textures alone.
        textures: what textures are drawn from.
        repeat: how often a texture repeats along its two directions.
        offset: where it starts, in parts of itself.
    """

    objects: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    materials: tuple[str, ...] = ()
    colour: Sampler | None = drawn(hsv(), COLOUR, optional=True)
    alpha: Sampler | None = drawn(None, SHARE, optional=True)
    specular: Sampler | None = drawn(uniform(0.0, 1.0), SHARE, optional=True)
    shininess: Sampler | None = drawn(uniform(0.0, 1.0), SHARE, optional=True)
    emission: Sampler | None = drawn(None, SHARE, optional=True)
    reflectance: Sampler | None = drawn(None, SHARE, optional=True)
    metallic: Sampler | None = drawn(None, SHARE, optional=True)
    roughness: Sampler | None = drawn(None, SHARE, optional=True)
    texture_probability: float = fixed(0.0, SHARE)
    textures: Textures = Textures()
    repeat: Sampler = drawn(uniform(1.0, 4.0), Numbers(1e-6, widths=(0, 2)))
    offset: Sampler = drawn(uniform(0.0, 1.0), Numbers(widths=(0, 2)))
    type_name: ClassVar[str] = "materials"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.objects and self.materials:
            raise InvalidValueError("materials: expected prefixes of objects or of materials")

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`."""
        key = ("groups", self.objects, self.materials, self.exclude)
        groups = scene.remember(key, lambda: self._groups(scene))
        count = len(groups)
        values: Values = {"objects": groups}
        for name in ("colour", "alpha", *SHADES):
            sampler: Sampler | None = getattr(self, name)
            if sampler is not None:
                values[name] = sampler.rows(rng, count)
        if self.texture_probability > 0:
            values |= self._textured(rng, count)
        return values

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`."""
        return Drawn(paint(values, self.textures))

    def _groups(self, scene: Facts) -> list[list[str]]:
        if not self.materials:
            chosen = scene.choose("objects", self.objects, self.exclude)
            return [[name] for name in chosen]
        chosen = scene.choose("materials", self.materials, self.exclude)
        return [list(scene.materials[name]) for name in chosen]

    def _textured(self, rng: Generator, count: int) -> Values:
        wears = (rng.random(count) < self.texture_probability).tolist()
        recipes = self.textures.draw(rng, count)
        textures = [recipe if worn else None for recipe, worn in zip(recipes, wears, strict=True)]
        repeat = self.repeat.vectors(rng, count, 2).tolist()
        offset = self.offset.vectors(rng, count, 2).tolist()
        return {"texture": textures, "repeat": repeat, "offset": offset}


def paint(values: Values, textures: Textures) -> tuple[EditMaterials, ...]:
    """The edit of columns of values, one row for each group of objects; none without rows.

    Columns: `objects` (lists of names), and maybe `colour`, `alpha`, `specular`, `shininess`,
    `emission`, `reflectance`, `metallic`, `roughness`, `texture` (recipes; None clears it),
    `repeat`, `offset`.
    """
    groups = tuple(map(tuple, values["objects"]))
    if not groups:
        return ()
    shades = {name: values[name] for name in SHADES if name in values}
    return (EditMaterials(groups, _rgba(values), **shades, **_textures(values, textures)),)


def _rgba(values: Values) -> NDArray[np.float64] | None:
    if "colour" not in values:
        return None
    rgba = np.full((len(values["colour"]), 4), np.nan)
    rgba[:, :3] = values["colour"]
    if "alpha" in values:
        rgba[:, 3] = values["alpha"]
    rgba.flags.writeable = False  # so that the edit need not copy it
    return rgba


def _textures(values: Values, textures: Textures) -> dict[str, Any]:
    if "texture" not in values:
        return {}
    columns: dict[str, Any] = {key: values[key] for key in ("repeat", "offset") if key in values}
    recipes = [() if recipe is None else tuple(recipe) for recipe in values["texture"]]
    places = {recipe: place for place, recipe in enumerate(dict.fromkeys(recipes))}
    images = tuple(textures.image([*recipe]) if recipe else _EMPTY for recipe in places)
    texture = np.array([places[recipe] for recipe in recipes], np.int64)
    return {"texture": texture, "images": images, **columns}
