"""Components that are seen.

Their sizes have three.js's names (`radius`, `width`, ...); `args` gives them in three.js's order.
`color` and `opacity` are short for those of `material`. `get` knows the short names as well;
`props` and `to_dict` hold the names they stand for.

`outlines` draws a line round what is seen: a hull of it, moved `thickness` out along its normals,
of which only the sides that face away are seen, unlit. Each corner of a triangle moves along the
mean of the normals of the triangles that meet there and face within `angle` of it, weighted by
their angles at that corner. The line is of the same object, and casts no shadow.
"""

# No `from __future__ import annotations`: properties are read from them when this is imported.
import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, TypedDict, Unpack

import numpy as np

from heliograph.errors import InvalidValueError, shown
from heliograph.scene import values as v
from heliograph.scene.components import Component, Props
from heliograph.scene.material import MATERIAL, MaterialProps, MaterialType, check_material
from heliograph.scene.placement import PlacementProps
from heliograph.scene.props import (
    Color,
    FilePath,
    Flag,
    Number,
    Prop,
    Rows,
    Vector,
    properties,
)
from heliograph.scene.textures import image_files

SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".stl")
_Y_UP = (".glb", ".gltf")
_Axis: TypeAlias = Literal["y", "z"]
_above_0, _from_0 = v.number(0, above=True), v.number(0)
_start = Prop(v.number(), 0.0, "Where it starts going round.", "rad")
_length = Prop(_above_0, 2 * math.pi, "How far it goes round; at most once.", "rad")
_open = Prop(v.flag, False, "Whether it has no flat ends.")


class Outlines(TypedDict, total=False):
    """A line round what is seen."""

    angle: Annotated[
        Number, Prop(v.number(0, math.pi), math.pi, "Edges sharper than this are split.", "rad")
    ]
    thickness: Annotated[Number, Prop(_from_0, 0.05, "Of the line, scaled with its object.", "m")]
    color: Annotated[Color, Prop(v.colour, (0.0, 0.0, 0.0), "Of the line.")]


OUTLINES = properties(Outlines)


def _outlines(value: Any, where: str) -> Mapping[str, Any] | None:
    """A read-only mapping of what is given; None for no line."""
    return None if value is None else v.mapping(OUTLINES, "{'thickness': 0.02}")(value, where)


class SurfaceProps(PlacementProps, total=False):
    """What everything with a surface takes."""

    material: Annotated[
        MaterialProps, Prop(check_material, MappingProxyType({}), "Properties of its surface.")
    ]
    color: Annotated[Color, MATERIAL["color"]._replace(doc="Short for that of `material`.")]
    opacity: Annotated[Number, MATERIAL["opacity"]._replace(doc="Short for that of `material`.")]


class UnlitProps(SurfaceProps, total=False):
    """What has a surface that is shown as it is, if nothing else is said."""

    materialType: Annotated[
        MaterialType, Prop(v.choice(MaterialType), "basic", "How light makes its colour.")
    ]


class ShapeProps(SurfaceProps, total=False):
    """What shapes and meshes take."""

    materialType: Annotated[
        MaterialType, Prop(v.choice(MaterialType), "standard", "How light makes its colour.")
    ]
    outlines: Annotated[
        Outlines | None, Prop(_outlines, None, "A line round it: `angle`, `thickness`, `color`.")
    ]


class Shape(Component, abstract=True):
    """Base of what is seen; not a component itself."""

    drawable: ClassVar[bool] = True
    SHORT: ClassVar[Mapping[str, str]] = MappingProxyType({"color": "color", "opacity": "opacity"})
    """Properties that are short for one of the material."""
    TOGETHER: ClassVar[tuple[str, ...]] = ("args", "size")
    """Properties that give several sizes at once."""
    SIZES: ClassVar[tuple[str, ...]] = ()
    ARC: ClassVar[tuple[str, ...]] = ()
    __slots__ = ()

    def __init_subclass__(cls, *, abstract: bool = False) -> None:
        super().__init_subclass__(abstract=abstract)
        args = cls.SPEC.get("args")
        if args is not None and isinstance(args.check, v.Sizes):
            cls.SIZES, cls.ARC = args.check.names, args.check.arc

    @property
    def args(self) -> tuple[float, ...]:
        """Its sizes in three.js's order, those that were not given filled in."""
        return tuple(self._filled(name) for name in self.SIZES)

    @property
    def arc(self) -> tuple[float, ...]:
        """How much of it there is, in three.js's order, what was not given filled in."""
        return tuple(self._filled(name) for name in self.ARC)

    def _filled(self, name: str) -> Any:
        return self._props.get(name, self.SPEC[name].default)

    @property
    def named_files(self) -> Mapping[str, str]:
        """Paths of the files it shows, by property."""
        images = image_files(self.get("material"))
        return {f"material.{name}": path for name, path in images.items()}

    def get(self, name: str) -> Any:
        """A property's value, its default where it was not given."""
        if name in self.SHORT:
            of = self.SHORT[name]
            return self.get("material").get(of, MATERIAL[of].default)
        return self.args if name in self.TOGETHER and name in self.SPEC else super().get(name)

    @classmethod
    def _expand(cls, props: dict[str, Any], where: str) -> None:
        for short in cls.TOGETHER:
            if short in props:
                cls._name_sizes(short, props, where)
        for name, of in cls.SHORT.items():
            if name in props:
                given, said = props.pop(name), props.get("material", {})
                if of in said and v.fingerprint(said[of]) != v.fingerprint(given):
                    raise InvalidValueError(
                        f"{where}: {name} is short for material.{of}, and they differ: got "
                        f"{shown(given)} and {shown(said[of])}; give one of them"
                    )
                props["material"] = MappingProxyType({**said, of: given})

    @classmethod
    def _name_sizes(cls, short: str, props: dict[str, Any], where: str) -> None:
        """Put the numbers of `args` or `size` under their names, defaults for sizes left out."""
        given = props.pop(short)
        for place, name in enumerate((*cls.SIZES, *cls.ARC)):
            if place >= len(given):
                if name in cls.SIZES:
                    props.setdefault(name, cls.SPEC[name].default)
                continue
            size = cls.SPEC[name].check(given[place], f"{where} {short} {name}")
            if props.setdefault(name, size) != size:
                raise InvalidValueError(
                    f"{where}: {short} and {name} differ: got {size:g} and {props[name]:g}; give "
                    "one of them"
                )


_ROUND_Y = ("openEnded", "thetaStart", "thetaLength")


class BoxProps(ShapeProps, total=False):
    """What a box takes."""

    width: Annotated[Number, Prop(_above_0, 1.0, "Along x.", "m")]
    height: Annotated[Number, Prop(_above_0, 1.0, "Along y.", "m")]
    depth: Annotated[Number, Prop(_above_0, 1.0, "Along z.", "m")]
    size: Annotated[Vector, Prop(v.vector(3), None, "[width, height, depth]", "m")]
    args: Annotated[
        Vector,
        Prop(v.Sizes("width", "height", "depth", segments=3), None, "[width, height, depth]", "m"),
    ]


class Box(Shape):
    """A box round its own origin."""

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[BoxProps]
    ) -> None:
        self._build(children, key, props)


class SphereProps(ShapeProps, total=False):
    """What a sphere takes."""

    radius: Annotated[Number, Prop(_above_0, 1.0, "From its middle to its surface.", "m")]
    phiStart: Annotated[Number, _start]
    phiLength: Annotated[Number, _length]
    thetaStart: Annotated[
        Number, Prop(v.number(0, math.pi), 0.0, "Where it starts, down from +y.", "rad")
    ]
    thetaLength: Annotated[
        Number, Prop(_above_0, math.pi, "How far it goes down; at most to -y.", "rad")
    ]
    args: Annotated[
        Vector,
        Prop(
            v.Sizes("radius", arc=("phiStart", "phiLength", "thetaStart", "thetaLength")),
            None,
            "[radius, segments, segments, phiStart, phiLength, thetaStart, thetaLength]",
        ),
    ]


class Sphere(Shape):
    """A sphere round its own origin, or part of one; `phi` goes round its y axis from -x to +z."""

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[SphereProps]
    ) -> None:
        self._build(children, key, props)


class PlaneProps(ShapeProps, total=False):
    """What a plane takes."""

    width: Annotated[Number, Prop(_above_0, 1.0, "Along x.", "m")]
    height: Annotated[Number, Prop(_above_0, 1.0, "Along y.", "m")]
    size: Annotated[Vector, Prop(v.vector(2), None, "[width, height]", "m")]
    args: Annotated[Vector, Prop(v.Sizes("width", "height"), None, "[width, height]", "m")]


class Plane(Shape):
    """A rectangle in the xy plane that faces +z."""

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[PlaneProps]
    ) -> None:
        self._build(children, key, props)


class CylinderProps(ShapeProps, total=False):
    """What a cylinder takes."""

    radiusTop: Annotated[Number, Prop(_from_0, 1.0, "At +y.", "m")]
    radiusBottom: Annotated[Number, Prop(_from_0, 1.0, "At -y.", "m")]
    height: Annotated[Number, Prop(_above_0, 1.0, "Along y.", "m")]
    openEnded: Annotated[Flag, _open]
    thetaStart: Annotated[Number, _start]
    thetaLength: Annotated[Number, _length]
    args: Annotated[
        Vector,
        Prop(
            v.Sizes("radiusTop", "radiusBottom", "height", arc=_ROUND_Y),
            None,
            "[radiusTop, radiusBottom, height, segments, segments, openEnded, thetaStart, "
            "thetaLength]",
        ),
    ]


class Cylinder(Shape):
    """A cylinder or cone stump along its own y, or part of one; `theta` goes from +z to +x."""

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[CylinderProps]
    ) -> None:
        self._build(children, key, props)

    @classmethod
    def _check_together(cls, props: Props, where: str) -> None:
        if props.get("radiusTop") == props.get("radiusBottom") == 0.0:
            raise InvalidValueError(f"{where}: expected one radius above 0, got two zeros")


class CapsuleProps(ShapeProps, total=False):
    """What a capsule takes."""

    radius: Annotated[Number, Prop(_above_0, 1.0, "Of its tube and its caps.", "m")]
    length: Annotated[Number, Prop(_from_0, 1.0, "Of its tube; the caps come on top.", "m")]
    args: Annotated[Vector, Prop(v.Sizes("radius", "length"), None, "[radius, length]", "m")]


class Capsule(Shape):
    """A capsule along its own y."""

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[CapsuleProps]
    ) -> None:
        self._build(children, key, props)


class ConeProps(ShapeProps, total=False):
    """What a cone takes."""

    radius: Annotated[Number, Prop(_above_0, 1.0, "Of its base, at -y.", "m")]
    height: Annotated[Number, Prop(_above_0, 1.0, "Along y.", "m")]
    openEnded: Annotated[Flag, _open]
    thetaStart: Annotated[Number, _start]
    thetaLength: Annotated[Number, _length]
    args: Annotated[
        Vector,
        Prop(
            v.Sizes("radius", "height", arc=_ROUND_Y),
            None,
            "[radius, height, segments, segments, openEnded, thetaStart, thetaLength]",
        ),
    ]


class Cone(Shape):
    """A cone along its own y with the tip at +y, or part of one; `theta` goes from +z to +x."""

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[ConeProps]
    ) -> None:
        self._build(children, key, props)


class TorusProps(ShapeProps, total=False):
    """What a torus takes."""

    radius: Annotated[Number, Prop(_above_0, 1.0, "Of the tube's centre line.", "m")]
    tube: Annotated[Number, Prop(_above_0, 0.4, "The tube's own radius.", "m")]
    arc: Annotated[Number, _length]
    args: Annotated[
        Vector,
        Prop(
            v.Sizes("radius", "tube", arc=("arc",)),
            None,
            "[radius, tube, segments, segments, arc]",
        ),
    ]


class Torus(Shape):
    """A tube round its own z, or part of one, from +x to +y."""

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[TorusProps]
    ) -> None:
        self._build(children, key, props)


class CircleProps(ShapeProps, total=False):
    """What a circle takes."""

    radius: Annotated[Number, Prop(_above_0, 1.0, "From its middle to its rim.", "m")]
    thetaStart: Annotated[Number, _start]
    thetaLength: Annotated[Number, _length]
    args: Annotated[
        Vector,
        Prop(
            v.Sizes("radius", segments=1, arc=("thetaStart", "thetaLength")),
            None,
            "[radius, segments, thetaStart, thetaLength]",
        ),
    ]


class Circle(Shape):
    """A disc in the xy plane that faces +z, or part of one, from +x to +y."""

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[CircleProps]
    ) -> None:
        self._build(children, key, props)


class RingProps(ShapeProps, total=False):
    """What a ring takes."""

    innerRadius: Annotated[Number, Prop(_from_0, 0.5, "Of its hole.", "m")]
    outerRadius: Annotated[Number, Prop(_above_0, 1.0, "Of its rim.", "m")]
    thetaStart: Annotated[Number, _start]
    thetaLength: Annotated[Number, _length]
    args: Annotated[
        Vector,
        Prop(
            v.Sizes("innerRadius", "outerRadius", arc=("thetaStart", "thetaLength")),
            None,
            "[innerRadius, outerRadius, segments, segments, thetaStart, thetaLength]",
        ),
    ]


class Ring(Shape):
    """A disc with a hole in the xy plane that faces +z, or part of one, from +x to +y."""

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[RingProps]
    ) -> None:
        self._build(children, key, props)

    @classmethod
    def _check_together(cls, props: Props, where: str) -> None:
        inner, outer = props.get("innerRadius", 0.0), props.get("outerRadius", math.inf)
        if inner >= outer:
            raise InvalidValueError(
                f"{where}: expected innerRadius below outerRadius, got {inner:g} and {outer:g}"
            )


def _animation(value: Any, where: str) -> str | None:
    """A name; None for none."""
    if value is not None and not isinstance(value, str):
        raise v.refuse(where, "the name of an animation", value)
    return value


class MeshProps(ShapeProps, total=False):
    """What a mesh takes."""

    src: Annotated[FilePath, Prop(v.path, None, f"A file of {' '.join(SUFFIXES)}, without arrays.")]
    vertices: Annotated[Rows, Prop(v.array(3, np.float64), None, "(N, 3) positions.", "m")]
    faces: Annotated[Rows, Prop(v.indices, None, "(M, 3) vertex numbers of triangles.")]
    normals: Annotated[
        Rows, Prop(v.array(3, np.float64), None, "(N, 3) directions; without them faces are flat.")
    ]
    uvs: Annotated[Rows, Prop(v.array(2, np.float64), None, "(N, 2) texture coordinates.")]
    colors: Annotated[
        Rows, Prop(v.vertex_colours, None, "(N, 3 or 4) colours, 0 to 1, or whole ones 0 to 255.")
    ]
    up: Annotated[
        _Axis,
        Prop(
            v.choice(_Axis),
            None,
            'The file\'s axis that is turned to point up: "y" for .glb and .gltf, else "z".',
        ),
    ]
    animation: Annotated[
        str | None, Prop(_animation, None, "Of a .glb or .gltf file: which one it shows, by name.")
    ]
    time: Annotated[Number, Prop(_from_0, 0.0, "Of `animation`; it begins anew at its end.", "s")]


class Mesh(Shape):
    """Triangles, of a file (`src`) or as arrays (`vertices`, `faces`, ...).

    Material properties that are given replace the file's.
    """

    __slots__ = ()

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[MeshProps]
    ) -> None:
        self._build(children, key, props)

    @property
    def y_up(self) -> bool:
        """Whether its y axis is to point up."""
        if self.get("up") is not None:
            return bool(self.get("up") == "y")
        return Path(self.get("src") or "").suffix.lower() in _Y_UP

    @property
    def named_files(self) -> Mapping[str, str]:
        """Paths of the files it shows, by property."""
        source = self.get("src")
        return {**super().named_files, **({"src": source} if source else {})}

    @classmethod
    def _check_together(cls, props: Props, where: str) -> None:
        if "src" in props:
            arrays = [name for name in ARRAYS if name in props]
            if arrays:
                raise InvalidValueError(
                    f"{where}: give either src or {', '.join(arrays)}, not both"
                )
            if Path(props["src"]).suffix.lower() not in SUFFIXES:
                raise v.refuse(f"{where} src", f"a file of {' '.join(SUFFIXES)}", props["src"])
            if props.get("animation") and Path(props["src"]).suffix.lower() not in _Y_UP:
                raise v.refuse(
                    f"{where} src",
                    "a .glb or .gltf file, to have one of its animations",
                    props["src"],
                )
        elif props.keys() & ARRAYS:
            _check_arrays(props, where)


ARRAYS = ("vertices", "faces", "normals", "uvs", "colors")


def _check_arrays(props: Props, where: str) -> None:
    if "vertices" not in props or "faces" not in props:
        raise InvalidValueError(f"{where}: expected src, or vertices and faces together")
    count = len(props["vertices"])
    if props["faces"].size and props["faces"].max() >= count:
        top = props["faces"].max()
        raise InvalidValueError(f"{where} faces: expected numbers below {count}, got {top}")
    for name in ("normals", "uvs", "colors"):
        if name in props and len(props[name]) != count:
            came = len(props[name])
            raise InvalidValueError(f"{where} {name}: expected {count} rows, got {came}")
