"""Materials: the properties that components take, and one value for what all engines have."""

# No `from __future__ import annotations`: properties are read from them when this is imported.
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, TypeAlias, TypedDict

from heliograph.scene import checks
from heliograph.scene import values as v
from heliograph.scene.components import Component
from heliograph.scene.props import Color, Flag, Number, Prop, Shine, Vector, properties
from heliograph.scene.textures import USES, MaterialTexture, Picture, TextureUse, check_map

MaterialType: TypeAlias = Literal["standard", "phong", "lambert", "basic", "normal", "depth"]
"""How light makes a surface's colour; "basic" shows it as it is, unlit, "normal" and "depth" show
where it faces, in camera axes, and how near it is."""
Side: TypeAlias = Literal["front", "back", "double"]
AlphaMode: TypeAlias = Literal["opaque", "mask", "blend"]

MOST_SHININESS = 128.0
"""three.js's `shininess` that MuJoCo's 1 stands for."""

_SIDES = {0: "front", 1: "back", 2: "double"}
_word = v.choice(Side)


def _side(value: Any, where: str) -> str:
    """Front, back or double; three.js's numbers 0, 1 and 2 are good as well."""
    whole_number = isinstance(value, Integral) and not isinstance(value, bool)
    name: str = _word(_SIDES.get(int(value), value) if whole_number else value, where)
    return name


def _specular(value: Any, where: str) -> tuple[float, ...]:
    """A colour, or one strength from 0 to 1."""
    return v.colour((value,) * 3 if isinstance(value, float) else value, where)


class MaterialProps(TypedDict, total=False):
    """What `material` takes, with three.js's names."""

    color: Annotated[Color, Prop(v.colour, (1.0, 1.0, 1.0), "Its colour.")]
    opacity: Annotated[Number, Prop(v.number(0, 1), 1.0, "0 is clear, 1 hides what is behind.")]
    transparent: Annotated[Flag, Prop(v.flag, None, "False draws it as if opacity were 1.")]
    emissive: Annotated[Color, Prop(v.colour, (0.0, 0.0, 0.0), "Light of its own.")]
    emissiveIntensity: Annotated[Number, Prop(v.number(0), 1.0, "Multiplies `emissive`.")]
    roughness: Annotated[Number, Prop(v.number(0, 1), 1.0, "Of `standard`: 0 mirrors, 1 is matt.")]
    metalness: Annotated[Number, Prop(v.number(0, 1), 0.0, "Of `standard`: 1 is metal.")]
    shininess: Annotated[Number, Prop(v.number(0), 30.0, "Of `phong`: how sharp highlights are.")]
    specular: Annotated[
        Shine,
        Prop(_specular, (0x11 / 255,) * 3, "Of `phong`: colour or strength of highlights."),
    ]
    side: Annotated[
        Side | Literal[0, 1, 2], Prop(_side, "front", "Which sides are seen; or three.js's 0 to 2.")
    ]
    alphaTest: Annotated[
        Number, Prop(v.number(0, 1), 0.0, "What is less opaque is a hole in all passes.")
    ]
    map: Annotated[Picture, Prop(check_map, None, "An image that multiplies the colour.")]
    alphaMap: Annotated[Picture, Prop(check_map, None, "Its green multiplies the opacity.")]
    normalMap: Annotated[
        Picture, Prop(check_map, None, "Where the surface faces; x along u, y along v.")
    ]
    normalScale: Annotated[
        Vector, Prop(v.vector(2), (1.0, 1.0), "Of `normalMap`: how far it turns along u and v.")
    ]
    roughnessMap: Annotated[Picture, Prop(check_map, None, "Its green multiplies `roughness`.")]
    metalnessMap: Annotated[Picture, Prop(check_map, None, "Its blue multiplies `metalness`.")]
    aoMap: Annotated[
        Picture, Prop(check_map, None, "Its red is how much of the light from all around arrives.")
    ]
    aoMapIntensity: Annotated[Number, Prop(v.number(0, 1), 1.0, "Of `aoMap`: 0 is no effect.")]
    emissiveMap: Annotated[Picture, Prop(check_map, None, "An image that multiplies `emissive`.")]


MATERIAL = properties(MaterialProps)


check_material = v.mapping(MATERIAL, "{'color': 'red'}")
"""A read-only mapping of material properties, those given only."""


@dataclass(frozen=True)
class FileMaterial:
    """What the file of a mesh says of a material.

    Attributes:
        properties: as components have them, without images.
        kind: how light makes its colour.
        textures: its images.
    """

    properties: Mapping[str, Any]
    kind: str
    textures: tuple[MaterialTexture, ...] = ()


@dataclass(frozen=True)
class Material:
    """A material as every engine can say it: glTF 2.0's numbers, and MuJoCo's classic ones.

    Attributes:
        name: its own name; empty for one that has none.
        kind: how light makes its colour.
        base_color: red, green, blue (sRGB) and alpha, 0 to 1; a texture multiplies it.
        metallic, roughness: 0 to 1.
        emissive: red, green, blue of its own light (sRGB), 0 to 1.
        emissive_strength: multiplies what `emissive` is in linear light, from 0.
        side: which sides of it are seen.
        alpha_mode: what alpha does: nothing, cut out what is below `alpha_cutoff`, or blend.
        alpha_cutoff: 0 to 1; of "mask" only.
        textures: its images, each with how it lies on a surface, at most one for each use.
        specular, shininess, reflectance, emission: 0 to 1 as in MuJoCo; None where the scene has
            none.

    Raises:
        InvalidValueError: a number out of its range, or no number.
    """

    name: str = ""
    kind: MaterialType = "standard"
    base_color: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    metallic: float = 0.0
    roughness: float = 1.0
    emissive: tuple[float, float, float] = (0.0, 0.0, 0.0)
    emissive_strength: float = 1.0
    side: Side = "front"
    alpha_mode: AlphaMode = "opaque"
    alpha_cutoff: float = 0.5
    textures: tuple[MaterialTexture, ...] = ()
    specular: float | None = None
    shininess: float | None = None
    reflectance: float | None = None
    emission: float | None = None

    def __post_init__(self) -> None:
        for name, check in _CHECKS.items():
            value = getattr(self, name)
            if value is not None:
                self.__dict__[name] = check(value, f"Material {name}")

    @classmethod
    def of(cls, component: Component, file: FileMaterial | None = None) -> Self:
        """The material that a component's own properties say.

        Args:
            component: something that is seen.
            file: what a mesh's file says of its material; properties that are given replace it.

        Raises:
            UnknownNameError: nothing is seen of such a component.
        """
        given, kind = component.get("material"), component.get("materialType")
        textures: dict[TextureUse, MaterialTexture] = {}
        if file is not None:
            given = {**file.properties, **given}
            kind = component.props.get("materialType", file.kind)
            textures = {each.use: each for each in file.textures}
        said = {name: given.get(name, prop.default) for name, prop in MATERIAL.items()}
        red, green, blue, alpha = (*said["color"], 1.0)[:4]
        if said["transparent"] is not False:
            alpha *= said["opacity"]
        phong = kind == "phong"
        return cls(
            kind=kind,
            base_color=(red, green, blue, alpha),
            metallic=said["metalness"],
            roughness=said["roughness"],
            emissive=said["emissive"][:3],
            emissive_strength=said["emissiveIntensity"],
            side=said["side"],
            alpha_mode="mask" if said["alphaTest"] else "blend" if alpha < 1 else "opaque",
            alpha_cutoff=said["alphaTest"] or 0.5,
            textures=tuple({**textures, **_textures(said)}.values()),
            specular=sum(said["specular"][:3]) / 3 if phong else None,
            shininess=min(said["shininess"] / MOST_SHININESS, 1.0) if phong else None,
        )


_share = v.number(0, 1)
_CHECKS: Mapping[str, v.Check] = MappingProxyType(
    {
        "kind": v.choice(MaterialType),
        "base_color": checks.floats("red, green, blue and alpha from 0 to 1", 4, 0.0, 1.0),
        **dict.fromkeys(("metallic", "roughness", "alpha_cutoff"), _share),
        "emissive": checks.colour,
        "emissive_strength": v.number(0),
        "side": v.choice(Side),
        "alpha_mode": v.choice(AlphaMode),
        **dict.fromkeys(("specular", "shininess", "reflectance", "emission"), v.number()),
    }
)


def _textures(said: Mapping[str, Any]) -> dict[TextureUse, MaterialTexture]:
    strengths = {"normalMap": said["normalScale"], "aoMap": (said["aoMapIntensity"],) * 2}
    given = [name for name in USES if said[name] is not None]
    return {
        USES[name]: MaterialTexture.of(name, said[name], strengths.get(name, (1.0, 1.0)))
        for name in given
    }
