"""ORRB's light: linear, from spots that fade within a few metres and from a sky.

Unity multiplies a light's colour and intensity, decodes the product, and multiplies an albedo with
it; so do MuJoCo's numbers in `StandardLook`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from heliograph.compat.orrb.components.lights import EXPOSURE
from heliograph.engines.mujoco.standard import StandardLook
from heliograph.raster import DrawList, Light, LightKind
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

    def light(self, light: Light) -> Light:
        """One light in linear units, without an ambient part."""
        read = replace(super().light(light), ambient=_BLACK)
        return replace(read, attenuation=_FADING) if read.kind is LightKind.SPOT else read

    def surrounded(self, things: DrawList) -> DrawList:
        """The same things under ORRB's sky."""
        beside, more = math.pi * _BESIDE, math.pi * (_ABOVE - _BESIDE)
        gradient = (_BLACK, _BLACK, (more,) * 3)
        return replace(things, ambient=(beside,) * 3, gradient=gradient)


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
    edits, gain = list(edits), ("linear_light", {"gain": 1 / DARKENED})
    for place, edit in enumerate(edits):
        if isinstance(edit, EditImage):
            if edit.steps and edit.steps[0][0] == "linear_light":
                edits[place] = replace(edit, steps=(gain, *edit.steps[1:]))
                return edits
            return [*edits[:place], EditImage((gain, ("display", {}))), *edits[place:]]
    return [*edits, EditImage((gain, ("display", {})))]
