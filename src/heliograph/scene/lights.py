"""Lights. `intensity` 1 lights a surface that faces the light with its full colour.

A point or spot light is that bright one metre away and fades with `decay` (0 not at all, 1 with the
distance, 2 with its square). Directional and spot lights shine from their `position` towards
`target`, a world point. `castShadow` asks for shadows where the rasterizer draws them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from heliograph.scene import values as v
from heliograph.scene.components import Component
from heliograph.scene.values import Prop

_ABOVE = (0.0, 0.0, 1.0)


def _decay(value: Any, where: str) -> int:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value not in (0, 1, 2):
        raise v.refuse(where, "0, 1 or 2", value)
    return int(value)


class Light(Component, abstract=True):
    """Base of lights; not a component itself."""

    OWN: ClassVar[Mapping[str, Prop]] = {
        "color": Prop(v.colour, (1.0, 1.0, 1.0)),
        "intensity": Prop(v.number(0), 1.0),
    }
    __slots__ = ()


class AmbientLight(Light):
    """Light from everywhere."""

    __slots__ = ()


class HemisphereLight(Light):
    """Light from all round: `color` from above (its own +z), `groundColor` from below."""

    OWN: ClassVar[Mapping[str, Prop]] = {"groundColor": Prop(v.colour, (1.0, 1.0, 1.0))}
    __slots__ = ()


class DirectionalLight(Light):
    """Parallel light; without a position it comes from straight above."""

    OWN: ClassVar[Mapping[str, Prop]] = {
        "position": Prop(v.vector(3), _ABOVE),
        "target": Prop(v.vector(3), (0.0, 0.0, 0.0)),
        "castShadow": Prop(v.flag, False),
    }
    __slots__ = ()


class PointLight(Light):
    """Light in all directions from a point."""

    OWN: ClassVar[Mapping[str, Prop]] = {
        "decay": Prop(_decay, 2),
        "castShadow": Prop(v.flag, False),
    }
    __slots__ = ()


class SpotLight(Light):
    """A cone of light: `angle` from its axis in radians, `penumbra` the part that fades, 0 to 1."""

    OWN: ClassVar[Mapping[str, Prop]] = {
        "position": Prop(v.vector(3), _ABOVE),
        "target": Prop(v.vector(3), (0.0, 0.0, 0.0)),
        "angle": Prop(v.number(0, math.pi / 2, above=True), math.pi / 3),
        "penumbra": Prop(v.number(0, 1), 0.0),
        "decay": Prop(_decay, 2),
        "castShadow": Prop(v.flag, False),
    }
    __slots__ = ()
