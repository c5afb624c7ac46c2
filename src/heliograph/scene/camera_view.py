"""The camera that stands in a scene."""

# No `from __future__ import annotations`: properties are read from them when this is imported.
from typing import Annotated, Literal, TypeAlias, Unpack

from heliograph.errors import InvalidValueError
from heliograph.scene import values as v
from heliograph.scene.components import Component, Props
from heliograph.scene.placement import PlacementProps
from heliograph.scene.props import Number, Prop, Vector, Whole

_CameraType: TypeAlias = Literal["perspective", "orthographic"]
_pixels, _above_0 = v.whole(1, v.MAX_PIXELS), v.number(0, above=True)


class CameraViewProps(PlacementProps, total=False):
    """What a camera takes."""

    fov: Annotated[
        Number,
        Prop(v.number(1e-4, 179.9), 50.0, "Vertical field of view; perspective only.", "deg"),
    ]
    width: Annotated[Whole, Prop(_pixels, 320, "Of its picture.", "px")]
    height: Annotated[Whole, Prop(_pixels, 240, "Of its picture.", "px")]
    near: Annotated[Number, Prop(_above_0, 0.1, "Nothing nearer is seen.", "m")]
    far: Annotated[Number, Prop(_above_0, 20.0, "Nothing farther is seen.", "m")]
    lookAt: Annotated[
        Vector,
        Prop(v.vector(3), None, "A world point; it wins over the rotation, world z is up.", "m"),
    ]
    ctype: Annotated[_CameraType, Prop(v.choice(_CameraType), "perspective", "Its projection.")]
    extent: Annotated[
        Number, Prop(_above_0, 2.0, "What the picture's height shows; orthographic only.", "m")
    ]


class CameraView(Component):
    """A virtual camera; it looks along its own -z with +y up, and is never seen itself."""

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[CameraViewProps]
    ) -> None:
        self._build(children, key, props)

    @classmethod
    def _check_together(cls, props: Props, where: str) -> None:
        near = props.get("near", cls.SPEC["near"].default)
        far = props.get("far", cls.SPEC["far"].default)
        if near >= far:
            raise InvalidValueError(f"{where} near: expected less than far ({far}), got {near}")
