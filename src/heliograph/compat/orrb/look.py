"""ORRB's light: linear, from spots that fade within a few metres and from a sky.

Unity multiplies a light's colour and intensity, decodes the product, and multiplies an albedo with
it; so do MuJoCo's numbers in `StandardLook`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heliograph.colour import encoded, linear
from heliograph.compat.orrb.components.lights import EXPOSURE
from heliograph.engines.mujoco.standard import StandardLook
from heliograph.engines.shared.lights import triple
from heliograph.raster import DrawList, Light, LightKind, Texture
from heliograph.scene import Edit
from heliograph.scene.appearance import EditImage, EditLight

DARKENED = 0.25
"""How bright a picture is drawn, so that what the filmic curve makes white of is not cut off."""
_RANGE = math.sqrt(1.5**2 + 3) + 1
_FADING = (1.0, 0.0, 25 / _RANGE**2)
_BLACK = (0.0, 0.0, 0.0)
_ABOVE, _BESIDE = 0.2, 0.07
"""Light from a sky of 0.5, an equator of 0.184 and a dark ground (sRGB), as far as it is linear in
a normal: on what faces up, and to the side."""


@dataclass(frozen=True)
class OrrbLook(StandardLook):
    """How ORRB reads lights: all spots fade alike, and what is around is the same everywhere."""

    mirrors_edits: ClassVar[bool] = False

    def light(self, light: Light) -> Light:
        """One light in linear units, without an ambient part."""
        read = replace(super().light(light), ambient=_BLACK)
        return replace(read, attenuation=_FADING) if read.kind is LightKind.SPOT else read

    def sky(self, sky: Texture) -> Texture:
        """A sky box that is itself again once the picture is developed."""
        return replace(sky, pixels=np.round(255 * _darkened(sky.pixels / 255)).astype(np.uint8))

    def surrounded(self, things: DrawList) -> DrawList:
        """The same things under ORRB's sky, before what is itself again once it is developed."""
        beside, more = math.pi * _BESIDE, math.pi * (_ABOVE - _BESIDE)
        gradient = (_BLACK, _BLACK, (more,) * 3)
        behind, haze = things.environment, things.environment.haze
        behind = replace(
            behind,
            colour=triple(_darkened(behind.colour)),
            haze=None if haze is None else triple(_darkened(haze)),
        )
        return replace(things, ambient=(beside,) * 3, gradient=gradient, environment=behind)


def _darkened(colours: ArrayLike) -> NDArray[np.float64]:
    """SRGB colours, which exposure leaves alone, as bright as what it does not."""
    return encoded(DARKENED * linear(colours))


def brightened(edits: Sequence[Edit]) -> list[Edit]:
    """The edits of components with lights as bright as ORRB's."""
    return [
        replace(edit, diffuse=tuple(part / EXPOSURE for part in edit.diffuse))
        if isinstance(edit, EditLight) and edit.diffuse is not None
        else edit
        for edit in edits
    ]


def developed(edits: Sequence[Edit]) -> list[Edit]:
    """The edits with the first of an image beginning with as much light as was not drawn."""
    shown = list(edits)
    place = next((i for i, edit in enumerate(shown) if isinstance(edit, EditImage)), len(shown))
    first = shown[place] if place < len(shown) else None
    if isinstance(first, EditImage) and first.steps and first.steps[0][0] == "linear_light":
        gain = first.steps[0][1].get("gain", 1.0)
        shown[place] = replace(first, steps=(_brightened(gain), *first.steps[1:]))
    else:
        shown.insert(place, EditImage((_brightened(1.0), ("display", {}))))
    return shown


def _brightened(gain: float) -> tuple[str, dict[str, float]]:
    return "linear_light", {"gain": gain / DARKENED}
