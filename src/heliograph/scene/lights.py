"""Lights, in three.js's units.

`color` is sRGB and decoded; `intensity` multiplies what is linear: lux of directional, ambient and
hemisphere lights, candela of point and spot lights, nits of shining rectangles. A white matt
surface that faces a directional light of intensity pi is just white. Point and spot lights fade
with the distance to the power of `decay`. Directional and spot lights shine from their `position`
towards `target`, a world point. `castShadow` asks for shadows where the rasterizer draws them; what
shines with a `size` of its own makes their rims soft.
"""

# No `from __future__ import annotations`: properties are read from them when this is imported.
import math
from typing import Annotated, TypedDict, Unpack

from heliograph.scene import values as v
from heliograph.scene.components import Component
from heliograph.scene.placement import PlacementProps, TurnProps
from heliograph.scene.props import Color, Flag, Number, Prop, Vector

_from_0 = v.number(0)


class _LightProps(TypedDict, total=False):
    color: Annotated[Color, Prop(v.colour, (1.0, 1.0, 1.0), "Its colour.")]
    intensity: Annotated[Number, Prop(_from_0, 1.0, "Multiplies the linear colour.")]


class _Casting(TypedDict, total=False):
    castShadow: Annotated[Flag, Prop(v.flag, False, "Whether things in it cast shadows.")]


class _Fading(TypedDict, total=False):
    decay: Annotated[
        Number, Prop(v.number(0, v.MOST_DECAY), 2.0, "Fades with the distance to this power.")
    ]
    distance: Annotated[Number, Prop(_from_0, 0.0, "Where it ends; 0 for nowhere.", "m")]
    size: Annotated[Number, Prop(_from_0, 0.0, "Radius of what shines; softens shadows.", "m")]


class _Aimed(TypedDict, total=False):
    position: Annotated[Vector, Prop(v.vector(3), (0.0, 0.0, 1.0), "(x, y, z) in its parent.", "m")]
    target: Annotated[
        Vector, Prop(v.vector(3), (0.0, 0.0, 0.0), "A world point that it shines on.", "m")
    ]


class AmbientLightProps(PlacementProps, _LightProps, total=False):
    """What ambient light takes."""


class HemisphereLightProps(PlacementProps, _LightProps, total=False):
    """What hemisphere light takes."""

    groundColor: Annotated[Color, Prop(v.colour, (1.0, 1.0, 1.0), "Light from below.")]


class DirectionalLightProps(_Aimed, TurnProps, _LightProps, _Casting, total=False):
    """What directional light takes."""

    size: Annotated[
        Number,
        Prop(v.number(0, math.pi / 4), 0.0, "Half the angle it fills; softens shadows.", "rad"),
    ]


class PointLightProps(PlacementProps, _LightProps, _Fading, _Casting, total=False):
    """What a point light takes."""


class SpotLightProps(_Aimed, TurnProps, _LightProps, _Fading, _Casting, total=False):
    """What a spot light takes."""

    angle: Annotated[
        Number,
        Prop(v.number(0, math.pi / 2, above=True), math.pi / 3, "From its axis to its rim.", "rad"),
    ]
    penumbra: Annotated[Number, Prop(v.number(0, 1), 0.0, "The part of the cone that fades.")]


class RectAreaLightProps(PlacementProps, _LightProps, total=False):
    """What a shining rectangle takes."""

    width: Annotated[Number, Prop(v.number(0, above=True), 10.0, "Along its own x.", "m")]
    height: Annotated[Number, Prop(v.number(0, above=True), 10.0, "Along its own y.", "m")]


class Light(Component, abstract=True):
    """Base of lights; not a component itself."""

    __slots__ = ()


class AmbientLight(Light):
    """Light from everywhere."""

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[AmbientLightProps]
    ) -> None:
        self._build(children, key, props)


class HemisphereLight(Light):
    """Light from all round: `color` from above (its own +z), `groundColor` from below."""

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[HemisphereLightProps]
    ) -> None:
        self._build(children, key, props)


class DirectionalLight(Light):
    """Parallel light; without a position it comes from straight above."""

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[DirectionalLightProps]
    ) -> None:
        self._build(children, key, props)


class PointLight(Light):
    """Light in all directions from a point."""

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[PointLightProps]
    ) -> None:
        self._build(children, key, props)


class SpotLight(Light):
    """A cone of light."""

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[SpotLightProps]
    ) -> None:
        self._build(children, key, props)


class RectAreaLight(Light):
    """A rectangle in its own xy plane that shines towards its own -z, its own colour all over.

    `intensity` is in nits; it is not seen itself, and casts no shadows.
    """

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[RectAreaLightProps]
    ) -> None:
        self._build(children, key, props)
