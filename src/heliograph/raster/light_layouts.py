"""What programs must know of a picture's lights, and which pictures share programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from heliograph.errors import InvalidValueError
from heliograph.raster.shadows import MAX_SHADOWS
from heliograph.raster.types import Light, LightKind

KINDS = ("HEAD_LIGHT", "PARALLEL_LIGHT", "POINT_LIGHT", "SPOT_LIGHT", "AREA_LIGHT")
"""What a light is to a program."""


class LightLayout(NamedTuple):
    """What programs are compiled for of the lights; all else is data.

    Attributes:
        shadows: how many of the first have shadow maps.
        six_faces: whether any of those may be a point light.
        kinds: what each one is, an index into KINDS; empty for programs that suit all lights.
            To those it is data how many there are and how many have shadow maps.
        soft: whether any of those with shadow maps is more than a point.
        area: whether there may be area lights.
    """

    shadows: int = 0
    six_faces: bool = False
    kinds: tuple[int, ...] = (0,)
    soft: bool = False
    area: bool = False

    @property
    def any_lights(self) -> bool:
        """Whether programs suit all lights."""
        return not self.kinds


ANY_LIGHTS = tuple(LightLayout(most, most > 0, ()) for most in (0, 1, 2, MAX_SHADOWS))
"""Of lights in any number and of any kind, for at most so many shadows: room for more costs."""

_KINDS = {
    LightKind.HEAD: KINDS.index("HEAD_LIGHT"),
    LightKind.DIRECTIONAL: KINDS.index("PARALLEL_LIGHT"),
    LightKind.POINT: KINDS.index("POINT_LIGHT"),
    LightKind.SPOT: KINDS.index("SPOT_LIGHT"),
    LightKind.AREA: KINDS.index("AREA_LIGHT"),
}
_MOST_MEASURED = 8


def kinds(lights: Sequence[Light], casting: tuple[int, ...]) -> tuple[int, ...]:
    """What lights are, indices into KINDS, in the order of their rows: those with maps first."""
    others = (light for place, light in enumerate(lights) if place not in casting)
    rows = [*(lights[place] for place in casting), *others]
    return tuple(_KINDS[light.kind] for light in rows) or LightLayout().kinds


class LightLayouts:
    """Chooses what programs a picture's lights need.

    Programs made to measure are for the lights of the opened scene alone: else every combination
    of kinds and shadows that views ask for would have its own. Which ones a picture gets depends
    on nothing but the scene and the picture, so that equal views are equal to the last bit.
    """

    def __init__(self) -> None:
        self._expected: tuple[tuple[int, ...], tuple[int, ...]] | None = None

    def expect(self, lights: Sequence[Light], casting: tuple[int, ...]) -> None:
        """Have programs made to measure for such lights."""
        if len(lights) <= _MOST_MEASURED:
            self._expected = tuple(_KINDS[light.kind] for light in lights), casting

    def expect_mirrored(self, lights: Sequence[Light]) -> None:
        """The same for what is seen in mirrors, where a head light is like any other."""
        if len(lights) <= _MOST_MEASURED:
            parallel = _KINDS[LightKind.DIRECTIONAL]
            self._expected = tuple(max(_KINDS[each.kind], parallel) for each in lights), ()

    def choose(
        self, lights: Sequence[Light], casting: tuple[int, ...], *, linear: bool
    ) -> LightLayout:
        """What programs must know of these lights; those at the places `casting` cast shadows."""
        soft = linear and any(lights[place].size > 0 for place in casting)
        area = any(light.kind is LightKind.AREA for light in lights)
        if area and not linear:
            raise InvalidValueError("area lights: expected STANDARD lighting, got CLASSIC")
        if (tuple(_KINDS[light.kind] for light in lights), casting) == self._expected:
            six_faces = any(lights[place].kind is LightKind.POINT for place in casting)
            return LightLayout(len(casting), six_faces, kinds(lights, casting), soft, area)
        fitting = next(each for each in ANY_LIGHTS if each.shadows >= len(casting))
        return fitting._replace(soft=soft, area=area)
