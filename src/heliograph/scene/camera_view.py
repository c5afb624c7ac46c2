"""The camera that stands in a scene."""

# No `from __future__ import annotations`: properties are read from them when this is imported.
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias, Unpack

from heliograph.errors import InvalidValueError
from heliograph.scene import values as v
from heliograph.scene.components import Component, Props
from heliograph.scene.placement import PlacementProps
from heliograph.scene.props import Flag, Number, Prop, Vector, Whole

_Stream: TypeAlias = Literal["ondemand", "frame", "time"]
_CameraType: TypeAlias = Literal["perspective", "orthographic"]
_pixels, _above_0 = v.whole(1, v.MAX_PIXELS), v.number(0, above=True)


def _names(value: Any, where: str) -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, Sequence) or not all(isinstance(n, str) and n for n in names):
        raise v.refuse(where, "names of passes", value)
    return tuple(names)


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
    downsample: Annotated[Number, Prop(_above_0, 1.0, "Divides the size of its picture.")]
    dpr: Annotated[Number, Prop(_above_0, 1.0, "Multiplies the size of its picture.")]
    stream: Annotated[
        _Stream, Prop(v.choice(_Stream), "ondemand", "When a live scene sends its pictures.")
    ]
    fps: Annotated[Number, Prop(_above_0, 30.0, "How often, at most.", "Hz")]
    passes: Annotated[
        str | Sequence[str], Prop(_names, ("rgb",), "Of the pictures that it sends by itself.")
    ]
    showFrustum: Annotated[Flag, Prop(v.flag, False, "Whether the viewport shows its frustum.")]
    distanceToCamera: Annotated[
        Number, Prop(_above_0, 2.0, "Where the frustum's picture stands.", "m")
    ]
    movable: Annotated[Flag, Prop(v.flag, False, "Whether the viewport lets people drag it.")]
    monitor: Annotated[
        Flag, Prop(v.flag, False, "Whether the viewport shows its picture in a corner.")
    ]


class CameraView(Component):
    """A virtual camera; it looks along its own -z with +y up, and is never seen itself.

    `stream` and what comes after it are of live scenes, and change no pixel of its pictures.
    """

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
