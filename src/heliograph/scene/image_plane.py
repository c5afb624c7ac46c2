"""A picture that stands in the scene."""

# No `from __future__ import annotations`: properties are read from them when this is imported.
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Unpack

from heliograph.errors import InvalidValueError
from heliograph.scene import values as v
from heliograph.scene.components import Component
from heliograph.scene.props import FilePath, Number, Prop
from heliograph.scene.shapes import Shape, UnlitProps
from heliograph.scene.textures import Picture, check_map

_above_0 = v.number(0, above=True)


class ImagePlaneProps(UnlitProps, total=False):
    """What a picture in the scene takes."""

    src: Annotated[FilePath, Prop(v.path, None, "An image file; short for `material.map`.")]
    image: Annotated[Picture, Prop(check_map, None, "Pixels; short for `material.map`.")]
    width: Annotated[Number, Prop(_above_0, 1.0, "Along x.", "m")]
    height: Annotated[Number, Prop(_above_0, 1.0, "Along y.", "m")]


class ImagePlane(Shape):
    """A picture in the xy plane that faces +z, unlit if nothing else is said."""

    SHORT: ClassVar[Mapping[str, str]] = MappingProxyType(
        {**Shape.SHORT, "src": "map", "image": "map"}
    )
    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[ImagePlaneProps]
    ) -> None:
        self._build(children, key, props)

    @classmethod
    def _expand(cls, props: dict[str, Any], where: str) -> None:
        if "src" in props and "image" in props:
            raise InvalidValueError(f"{where}: give either src or image, not both")
        super()._expand(props, where)
