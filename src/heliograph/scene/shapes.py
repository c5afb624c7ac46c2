"""Components that are seen. `args` are three.js's, segment counts are taken and dropped.

All take `material`, a mapping with `color`, `opacity`, `transparent`, `emissive`,
`emissiveIntensity`, `roughness`, `metalness`, `shininess`, `specular`, `side` ("front" or
"double"), `map` (an image's path or pixels) and `alphaTest` (what is less opaque is a hole in all
passes), and `materialType`: "standard", "phong", "lambert" or "basic" (unlit).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from heliograph.errors import InvalidValueError
from heliograph.scene import values as v
from heliograph.scene.components import Component, Props
from heliograph.scene.values import Prop

SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".stl")
_Y_UP = (".glb", ".gltf")


class Shape(Component, abstract=True):
    """Base of what is seen; not a component itself."""

    OWN: ClassVar[Mapping[str, Prop]] = {
        "material": Prop(v.material, MappingProxyType({})),
        "materialType": Prop(v.choice("standard", "phong", "lambert", "basic"), "standard"),
    }
    drawable: ClassVar[bool] = True
    __slots__ = ()

    @property
    def args(self) -> tuple[float, ...]:
        """Its sizes, those that were not given filled in."""
        default: tuple[float, ...] = self.SPEC["args"].default
        given: tuple[float, ...] = self.props.get("args", ())
        return (*given, *default[len(given) :])

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of the files it shows."""
        image = self.get("material").get("map")
        return (image,) if isinstance(image, str) else ()


class Box(Shape):
    """A box, `args` [width, height, depth]: x, y and z."""

    OWN: ClassVar[Mapping[str, Prop]] = {
        "args": Prop(
            v.sizes(("width", 0), ("height", 0), ("depth", 0), segments=3), (1.0, 1.0, 1.0)
        )
    }
    __slots__ = ()


class Sphere(Shape):
    """A sphere, `args` [radius]."""

    OWN: ClassVar[Mapping[str, Prop]] = {"args": Prop(v.sizes(("radius", 0)), (1.0,))}
    __slots__ = ()


class Plane(Shape):
    """A rectangle in the xy plane that faces +z, `args` [width, height]."""

    OWN: ClassVar[Mapping[str, Prop]] = {
        "args": Prop(v.sizes(("width", 0), ("height", 0)), (1.0, 1.0))
    }
    __slots__ = ()


class Cylinder(Shape):
    """A cylinder or cone stump along its own y, `args` [radiusTop, radiusBottom, height]."""

    OWN: ClassVar[Mapping[str, Prop]] = {
        "args": Prop(
            v.sizes(("radiusTop", -1), ("radiusBottom", -1), ("height", 0)), (1.0, 1.0, 1.0)
        )
    }
    __slots__ = ()

    @classmethod
    def _check_together(cls, props: Props, where: str) -> None:
        if props.get("args", ())[:2] == (0.0, 0.0):
            raise InvalidValueError(f"{where} args: expected one radius above 0, got two zeros")


class Capsule(Shape):
    """A capsule along its own y, `args` [radius, length]; the caps come on top of the length."""

    OWN: ClassVar[Mapping[str, Prop]] = {
        "args": Prop(v.sizes(("radius", 0), ("length", -1)), (1.0, 1.0))
    }
    __slots__ = ()


class Cone(Shape):
    """A cone along its own y with the tip at +y, `args` [radius, height]."""

    OWN: ClassVar[Mapping[str, Prop]] = {
        "args": Prop(v.sizes(("radius", 0), ("height", 0)), (1.0, 1.0))
    }
    __slots__ = ()


class Torus(Shape):
    """A ring in the xy plane, `args` [radius, tube]; radius is that of the tube's centre line."""

    OWN: ClassVar[Mapping[str, Prop]] = {
        "args": Prop(v.sizes(("radius", 0), ("tube", 0)), (1.0, 0.4))
    }
    __slots__ = ()


class Mesh(Shape):
    """Triangles, of a file or as arrays.

    Properties besides the placement and the material: `src`, the path of a .glb, .gltf, .obj, .ply
    or .stl file; or `vertices` (N, 3), `faces` (M, 3), and maybe `normals` (N, 3), `uvs` (N, 2),
    `colors` (N, 3 or 4). Without normals faces are flat. `up` is the file's axis that is turned
    to point up, "y" or "z": without it "y" for .glb and .gltf, "z" for all else. Material
    properties that are given replace the file's.
    """

    OWN: ClassVar[Mapping[str, Prop]] = {
        "src": Prop(v.path),
        "vertices": Prop(v.array(3, np.float64)),
        "faces": Prop(v.indices),
        "normals": Prop(v.array(3, np.float64)),
        "uvs": Prop(v.array(2, np.float64)),
        "colors": Prop(v.vertex_colours),
        "up": Prop(v.choice("y", "z")),
    }
    __slots__ = ()

    @property
    def y_up(self) -> bool:
        """Whether its y axis is to point up."""
        if self.get("up") is not None:
            return bool(self.get("up") == "y")
        return Path(self.get("src") or "").suffix.lower() in _Y_UP

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of the files it shows."""
        source = self.get("src")
        return (*super().files, *((source,) if source else ()))

    @classmethod
    def _check_together(cls, props: Props, where: str) -> None:
        if "src" in props:
            _check_source(props, where)
        elif props.keys() & ARRAYS:
            _check_arrays(props, where)


ARRAYS = ("vertices", "faces", "normals", "uvs", "colors")


def _check_source(props: Props, where: str) -> None:
    arrays = [name for name in ARRAYS if name in props]
    if arrays:
        raise InvalidValueError(f"{where}: give either src or {', '.join(arrays)}, not both")
    if Path(props["src"]).suffix.lower() not in SUFFIXES:
        raise v.refuse(f"{where} src", f"a file of {' '.join(SUFFIXES)}", props["src"])


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
