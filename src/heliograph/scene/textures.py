"""Image maps of materials, with three.js's names and meanings."""

# No `from __future__ import annotations`: properties are read from them when this is imported.
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, TypeAlias, TypedDict

from heliograph.errors import UnknownNameError
from heliograph.scene import values as v
from heliograph.scene.props import Flag, Image, Number, Prop, Vector, properties

Wrap: TypeAlias = Literal["repeat", "mirror", "clamp"]
"""What is seen beyond an image's edges."""
TextureUse: TypeAlias = Literal[
    "base_color", "alpha", "normal", "roughness", "metallic", "occlusion", "emissive"
]
UvMap: TypeAlias = tuple[tuple[float, float, float], tuple[float, float, float]]

USES: Mapping[str, TextureUse] = MappingProxyType(
    {
        "map": "base_color",
        "alphaMap": "alpha",
        "normalMap": "normal",
        "roughnessMap": "roughness",
        "metalnessMap": "metallic",
        "aoMap": "occlusion",
        "emissiveMap": "emissive",
    }
)
"""What the maps of a material are for."""

_word = v.choice(Wrap)


def _wraps(value: Any, where: str) -> tuple[str, str]:
    """Along u and v; one word says both."""
    both = (value, value) if isinstance(value, str) else value
    if not isinstance(both, (tuple, list)) or len(both) != 2:
        raise v.refuse(where, "'repeat', 'mirror' or 'clamp', or two of them", value)
    return _word(both[0], where), _word(both[1], where)


class _Imaged(TypedDict):
    image: Annotated[Image, Prop(v.pixels, None, "The image.")]


class TextureMap(_Imaged, total=False):
    """An image, and how it lies on a surface."""

    repeat: Annotated[Vector, Prop(v.vector(2), (1.0, 1.0), "How often it repeats, along u and v.")]
    offset: Annotated[Vector, Prop(v.vector(2), (0.0, 0.0), "Added to u and v.")]
    rotation: Annotated[Number, Prop(v.number(), 0.0, "Turns it counter-clockwise.", "rad")]
    center: Annotated[Vector, Prop(v.vector(2), (0.0, 0.0), "What it turns and repeats about.")]
    wrap: Annotated[
        Wrap | tuple[Wrap, Wrap], Prop(_wraps, ("repeat", "repeat"), "Seen beyond its edges.")
    ]
    nearest: Annotated[Flag, Prop(v.flag, False, "Texels have hard edges.")]


Picture: TypeAlias = Image | TextureMap
"""An image, or a mapping that has one as `image` and says how it lies on a surface."""
TEXTURE_MAP = properties(TextureMap)


def check_map(value: Any, where: str) -> Any:
    """A path, pixels, or a read-only mapping of what differs from its default."""
    if not isinstance(value, Mapping):
        return v.pixels(value, where)
    for name in value:
        if name not in TEXTURE_MAP:
            raise UnknownNameError.of(f"property of {where}", name, TEXTURE_MAP)
    if "image" not in value:
        raise v.refuse(where, "an image, or a mapping with one as 'image'", dict(value))
    checked = {n: TEXTURE_MAP[n].check(value[n], f"{where}.{n}") for n in value}
    image = checked.pop("image")
    differing = {n: each for n, each in checked.items() if each != TEXTURE_MAP[n].default}
    return MappingProxyType({"image": image, **differing}) if differing else image


def image_of(given: Any) -> Any:
    """The path or pixels of a checked map."""
    return given["image"] if isinstance(given, Mapping) else given


def image_files(material: Mapping[str, Any]) -> dict[str, str]:
    """The image files that a checked material names, by property."""
    found = {name: image_of(material[name]) for name in USES if name in material}
    return {name: image for name, image in found.items() if isinstance(image, str)}


@dataclass(frozen=True)
class MaterialTexture:
    """An image of a material, and how it lies on a surface.

    Attributes:
        use: what it says of the surface; "roughness" is its green, "metallic" its blue, "occlusion"
            its red and "alpha" its green part.
        image: its file, or a name that equal images share.
        wrap: what is seen beyond its edges, along u and v.
        nearest: whether texels have hard edges.
        uv_map: rows of an affine map from the surface's texture coordinates (u, v, 1), v = 0 at
            the image's bottom, to the image's own.
        strength: along u and v of a normal map; the first number of an occlusion map.
    """

    use: TextureUse
    image: str
    wrap: tuple[Wrap, Wrap] = ("repeat", "repeat")
    nearest: bool = False
    uv_map: UvMap = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    strength: tuple[float, float] = (1.0, 1.0)

    @classmethod
    def of(cls, name: str, given: Any, strength: tuple[float, float] = (1.0, 1.0)) -> Self:
        """A checked map of a component's material, by the name it has there."""
        image = image_of(given)
        named = image if isinstance(image, str) else v.fingerprint(image).hex()
        said = {"wrap": TEXTURE_MAP["wrap"].default, "nearest": False}
        said |= given if isinstance(given, Mapping) else {}
        return cls(USES[name], named, said["wrap"], said["nearest"], uv_map_of(given), strength)


def uv_map_of(given: Any) -> UvMap:
    """The map of texture coordinates of a checked map, as three.js's `Matrix3.setUvTransform`."""
    said = {name: prop.default for name, prop in TEXTURE_MAP.items()}
    said |= given if isinstance(given, Mapping) else {}
    (across, up), (right, above), (u, v_) = said["repeat"], said["offset"], said["center"]
    cos, sin = math.cos(said["rotation"]), math.sin(said["rotation"])
    return (
        (across * cos, across * sin, u + right - across * (cos * u + sin * v_)),
        (-up * sin, up * cos, v_ + above - up * (cos * v_ - sin * u)),
    )
