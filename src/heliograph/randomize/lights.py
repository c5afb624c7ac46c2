"""Lights: the scene's own, and new ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, ClassVar

from numpy.random import Generator
from numpy.typing import NDArray

from heliograph.errors import InvalidValueError, shown
from heliograph.randomize.facts import Facts
from heliograph.randomize.parameters import POINT, Numbers, OneOf, drawn
from heliograph.randomize.randomizer import Drawn, Randomizer, Values
from heliograph.randomize.samplers import Sampler, constant, hsv, on_dome, uniform, units, vector
from heliograph.scene.appearance import BRIGHTEST, EditLight

_CUTOFF = 'radians; {"angle": [15, 40]} takes degrees'


class Own(Enum):
    """What becomes of the lights that are there."""

    KEEP = "keep"
    VARY = "vary"
    OFF = "off"


@dataclass(frozen=True, kw_only=True)
class Lights(Randomizer):
    """Varies the scene's lights, adds new ones, or both.

    Attributes:
        own: whether the lights that are there stay, are varied like new ones, or go out.
        lights: prefixes of the lights that `own` is about; all but the head light without them.
        number: how many to add, 0 to 100; a sampler of whole numbers (`{"integer": [1, 3]}`).
        kind: `spot`, `point` or `directional`, of new ones.
        position: metres from `target`; new lights stand there. Lights of the scene stay where
            they are unless `move` is on.
        move: whether lights of the scene are moved as well.
        target: world point, metres, that they shine at.
        colour: red, green, blue, 0 or more.
        intensity: factor on the colour, of each light; up to 1e30 after it. Lights of component
            scenes have three.js's units, in which 3 is bright, and new ones fade with the square of
            the distance.
        cutoff: half-angle of a spot's cone, radians (`{"angle": [15, 40]}` takes degrees).
        casts_shadow: true or false, or a choice.
    """

    own: Own = Own.VARY
    lights: tuple[str, ...] = ()
    number: Sampler = drawn(constant(0), Numbers(0, 100, whole=True, what="a whole number"))
    kind: Sampler = drawn(constant("spot"), OneOf(("spot", "point", "directional")))
    position: Sampler = drawn(on_dome(uniform(1.5, 3.0)), replace(POINT, away=True))
    move: bool = False
    target: Sampler = drawn(vector(0.0, 0.0, 0.0), POINT)
    colour: Sampler = drawn(
        hsv(uniform(0.0, 1.0), uniform(0.0, 0.3), 1.0),
        Numbers(0.0, BRIGHTEST, widths=(3,), what="red, green, blue"),
    )
    intensity: Sampler = drawn(uniform(0.3, 1.0), Numbers(0.0, BRIGHTEST, what="a factor"))
    cutoff: Sampler = drawn(uniform(0.35, 0.8), Numbers(1e-6, math.pi / 2, what=_CUTOFF))
    casts_shadow: Sampler = drawn(constant(True), OneOf((True, False)))
    type_name: ClassVar[str] = "lights"

    def __post_init__(self) -> None:
        super().__post_init__()
        brightest = math.prod(each.span.high for each in (self.colour, self.intensity) if each.span)
        if brightest > BRIGHTEST:
            raise InvalidValueError(
                f"intensity: expected up to {BRIGHTEST:g} times the colour, got "
                f"{shown(self.intensity.to_json())} times {shown(self.colour.to_json())}"
            )

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`."""
        if self.lights:
            chosen = [name for name in scene.lit if name.startswith(self.lights)]
        else:
            chosen = [name for name in scene.lit if not scene.is_head(name)]
        off = chosen if self.own is Own.OFF else []
        varied = chosen if self.own is Own.VARY else []
        return {"off": off, **self._lights(rng, varied, int(self.number.draw(rng)))}

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`."""
        off = tuple(EditLight(name, active=False) for name in values["off"])
        return Drawn((*off, *shine(values)))

    def _lights(self, rng: Generator, varied: Sequence[str], added: int) -> Values:
        count = len(varied) + added
        target = self.target.draw(rng)
        offsets = self.position.rows(rng, count)
        colours = self.colour.rows(rng, count) * self.intensity.rows(rng, count)[:, None]
        new = [False] * len(varied) + [True] * added
        moved = [fresh or self.move for fresh in new]
        names = [*varied, *(f"{self.type_name}/{i}" for i in range(added))]
        return {
            "name": names,
            "kind": _where(new, self.kind.rows(rng, count)),
            "position": _where(moved, target + offsets),
            "direction": _where(moved, units(-offsets)),
            "diffuse": colours.tolist(),
            "cutoff": self.cutoff.rows(rng, count).tolist(),
            "casts_shadow": self.casts_shadow.rows(rng, count).astype(bool).tolist(),
        }


def shine(values: Values) -> tuple[EditLight, ...]:
    """The edits of columns of values, named as the fields of `EditLight`, one row for each."""
    known = [key for key in values if key != "off"]
    columns = [
        [tuple(value) if isinstance(value, list) else value for value in values[key]]
        for key in known
    ]
    return tuple(
        EditLight(**dict(zip(known, row, strict=True))) for row in zip(*columns, strict=True)
    )


def _where(mask: Sequence[bool], rows: NDArray[Any]) -> list[Any]:
    return [row if there else None for row, there in zip(rows.tolist(), mask, strict=True)]
