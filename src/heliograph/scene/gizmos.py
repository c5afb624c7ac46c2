"""What the viewport alone shows or does: pictures never contain it, and it is no object.

Scenes carry these so that whoever looks sees the same; engines that draw pictures pass them over.
What stands on one is placed by it, and seen as anything else is.
"""

# No `from __future__ import annotations`: properties are read from them when this is imported.
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, Unpack

from heliograph.scene import values as v
from heliograph.scene.components import Component
from heliograph.scene.placement import PlacementProps
from heliograph.scene.props import Color, FilePath, Flag, Image, Number, Prop, Vector

_AnchorX: TypeAlias = Literal["left", "center", "right"]
_AnchorY: TypeAlias = Literal["top", "middle", "bottom"]
_above_0, _from_0 = v.number(0, above=True), v.number(0)


class Gizmo(Component, abstract=True):
    """Base of what is of the viewport alone; not a component itself."""

    gizmo: ClassVar[bool] = True
    __slots__ = ()


class GridProps(PlacementProps, total=False):
    """What a grid takes."""

    size: Annotated[Vector, Prop(v.vector(2), None, "[along x, along y]; endless without.", "m")]
    cellSize: Annotated[Number, Prop(_above_0, 0.1, "Between thin lines.", "m")]
    cellColor: Annotated[Color, Prop(v.colour, (0.5, 0.5, 0.5), "Of thin lines.")]
    sectionSize: Annotated[Number, Prop(_above_0, 1.0, "Between thick lines.", "m")]
    sectionColor: Annotated[Color, Prop(v.colour, (0.35, 0.35, 0.35), "Of thick lines.")]
    fadeDistance: Annotated[Number, Prop(_above_0, 10.0, "Where it is gone.", "m")]


class Grid(Gizmo):
    """Lines in its own xy plane."""

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[GridProps]
    ) -> None:
        self._build(children, key, props)


class CoordsMarkerProps(PlacementProps, total=False):
    """What a marker of axes takes."""

    size: Annotated[Number, Prop(_above_0, 1.0, "Length of an axis.", "m")]
    headScale: Annotated[Number, Prop(_from_0, 1.0, "Of the arrows' heads.")]


class CoordsMarker(Gizmo):
    """The axes of its frame: x red, y green, z blue."""

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[CoordsMarkerProps]
    ) -> None:
        self._build(children, key, props)


class FrustumProps(PlacementProps, total=False):
    """What a frustum takes."""

    fov: Annotated[Number, Prop(v.number(1e-4, 179.9), 50.0, "Vertical angle.", "deg")]
    aspect: Annotated[Number, Prop(_above_0, 4 / 3, "Width by height.")]
    near: Annotated[Number, Prop(_above_0, 0.1, "Where it begins.", "m")]
    far: Annotated[Number, Prop(_above_0, 2.0, "Where it ends.", "m")]
    color: Annotated[Color, Prop(v.colour, (1.0, 0.65, 0.0), "Of its lines.")]
    src: Annotated[Image, Prop(v.pixels, None, "A picture on its far end.")]


class Frustum(Gizmo):
    """What a camera would see that looks along its own -z with +y up."""

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[FrustumProps]
    ) -> None:
        self._build(children, key, props)

    @property
    def named_files(self) -> Mapping[str, str]:
        """Path of its picture, if that is a file."""
        return _file("src", self.get("src"))


class ArrowProps(PlacementProps, total=False):
    """What an arrow takes."""

    direction: Annotated[Vector, Prop(v.vector(3), (0.0, 0.0, 1.0), "Where it points.")]
    length: Annotated[Number, Prop(_above_0, 1.0, "From end to tip.", "m")]
    headScale: Annotated[Number, Prop(_from_0, 1.0, "Of its head.")]
    color: Annotated[Color, Prop(v.colour, (1.0, 1.0, 0.0), "Its colour.")]


class Arrow(Gizmo):
    """An arrow from its own origin."""

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[ArrowProps]
    ) -> None:
        self._build(children, key, props)


class TextProps(PlacementProps, total=False):
    """What a text takes."""

    text: Annotated[str, Prop(v.text, "", "What it says.")]
    color: Annotated[Color, Prop(v.colour, (1.0, 1.0, 1.0), "Of its letters.")]
    fontSize: Annotated[Number, Prop(_above_0, 0.1, "Height of a line.", "m")]
    anchorX: Annotated[_AnchorX, Prop(v.choice(_AnchorX), "center", "What of it is at x = 0.")]
    anchorY: Annotated[_AnchorY, Prop(v.choice(_AnchorY), "middle", "What of it is at y = 0.")]
    billboard: Annotated[Flag, Prop(v.flag, True, "Whether it always faces who looks.")]


class Text(Gizmo):
    """Words at a place."""

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[TextProps]
    ) -> None:
        self._build(children, key, props)


class ImageBackgroundProps(PlacementProps, total=False):
    """What a picture behind everything takes."""

    src: Annotated[FilePath, Prop(v.path, None, "An image file.")]
    image: Annotated[Image, Prop(v.pixels, None, "Pixels, instead of `src`.")]
    opacity: Annotated[Number, Prop(v.number(0, 1), 1.0, "0 is clear.")]


class ImageBackground(Gizmo):
    """A picture behind all that the viewport shows, as large as it."""

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[ImageBackgroundProps]
    ) -> None:
        self._build(children, key, props)

    @property
    def named_files(self) -> Mapping[str, str]:
        """Paths of its picture, by property."""
        return {**_file("src", self.get("src")), **_file("image", self.get("image"))}


class OrbitControlsProps(PlacementProps, total=False):
    """What the mouse's hold of the viewport's camera takes."""

    target: Annotated[Vector, Prop(v.vector(3), (0.0, 0.0, 0.0), "What it goes round.", "m")]
    minDistance: Annotated[Number, Prop(_from_0, 0.0, "How near it comes.", "m")]
    maxDistance: Annotated[Number, Prop(_above_0, None, "How far it goes.", "m")]
    enablePan: Annotated[Flag, Prop(v.flag, True, "Whether it can be moved aside.")]
    enableZoom: Annotated[Flag, Prop(v.flag, True, "Whether it can come nearer.")]
    enableRotate: Annotated[Flag, Prop(v.flag, True, "Whether it can go round.")]


class OrbitControls(Gizmo):
    """How mouse and fingers move the viewport's camera."""

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[OrbitControlsProps]
    ) -> None:
        self._build(children, key, props)


class SceneCameraProps(PlacementProps, total=False):
    """What the viewport's camera takes."""

    fov: Annotated[Number, Prop(v.number(1e-4, 179.9), 50.0, "Vertical field of view.", "deg")]
    near: Annotated[Number, Prop(_above_0, 0.01, "Nothing nearer is seen.", "m")]
    far: Annotated[Number, Prop(_above_0, 1000.0, "Nothing farther is seen.", "m")]
    lookAt: Annotated[
        Vector, Prop(v.vector(3), None, "A world point; it wins over the rotation.", "m")
    ]


class SceneCamera(Gizmo):
    """Where the viewport's camera starts; `CameraView` is what takes pictures."""

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[SceneCameraProps]
    ) -> None:
        self._build(children, key, props)


class Movable(Component):
    """Draws nothing; places its children, which people can drag in the viewport together."""

    __slots__ = ()


def _file(name: str, picture: Any) -> dict[str, str]:
    return {name: picture} if isinstance(picture, str) else {}
