"""What is seen where nothing is."""

# ruff: noqa: RUF009 - the defaults are frozen values
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from numpy.random import Generator

from heliograph.errors import InvalidValueError
from heliograph.randomize.facts import Facts
from heliograph.randomize.limits import check_span
from heliograph.randomize.randomizer import Drawn, Randomizer, Values
from heliograph.randomize.samplers import Hsv, Sampler
from heliograph.scene.appearance import EditBackground


@dataclass(frozen=True, kw_only=True)
class Background(Randomizer):
    """Draws the background's colour.

    Attributes:
        colour: red, green, blue, 0 to 1.
        probability: how likely it is to be changed at all.
    """

    colour: Sampler = Hsv()
    probability: float = 1.0
    type_name: ClassVar[str] = "background"

    def __post_init__(self) -> None:
        if self.colour.width != 3:
            raise InvalidValueError("colour: expected a sampler of (red, green, blue)")
        check_span("colour", self.colour, 0.0, 1.0)
        if not 0 <= self.probability <= 1:
            raise InvalidValueError(f"probability: expected 0 to 1, got {self.probability}")

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`."""
        changed = rng.random() < self.probability
        colour = self.colour.draw(rng).tolist()
        return {"colour": colour if changed else None}

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`."""
        colour = values["colour"]
        return Drawn(() if colour is None else (EditBackground(tuple(colour)),))
