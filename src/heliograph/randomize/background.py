"""What is seen where nothing is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from numpy.random import Generator

from heliograph.randomize.facts import Facts
from heliograph.randomize.parameters import COLOUR, SHARE, drawn, fixed
from heliograph.randomize.randomizer import Drawn, Randomizer, Values
from heliograph.randomize.samplers import Sampler, hsv
from heliograph.scene.appearance import EditBackground


@dataclass(frozen=True, kw_only=True)
class Background(Randomizer):
    """Draws the background's colour.

    Attributes:
        colour: red, green, blue, 0 to 1.
        probability: how likely it is to be changed at all.
    """

    colour: Sampler = drawn(hsv(), COLOUR)
    probability: float = fixed(1.0, SHARE)
    type_name: ClassVar[str] = "background"

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`."""
        changed = rng.random() < self.probability
        colour = self.colour.draw(rng).tolist()
        return {"colour": colour if changed else None}

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`."""
        colour = values["colour"]
        return Drawn(() if colour is None else (EditBackground(tuple(colour)),))
