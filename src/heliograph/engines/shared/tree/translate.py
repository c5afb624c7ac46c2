"""Components to instances: which geometry, how posed in the component, painted with what."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from heliograph.colour import linear
from heliograph.engines.shared import tessellate
from heliograph.engines.shared.holes import ALMOST, HOLE
from heliograph.engines.shared.tessellate import WHOLE
from heliograph.engines.shared.tree import outlines
from heliograph.engines.shared.tree.assets import Assets, Files, Handles
from heliograph.errors import InvalidValueError, SceneError
from heliograph.lru import LruCache
from heliograph.raster import Geometry, Instances, Shading, Shape, Side
from heliograph.raster import Mapping as TextureMapping
from heliograph.raster.types import InstanceTable, MaterialTable, Transforms
from heliograph.scene import Component, Mesh, PointCloud, Splat
from heliograph.scene.components import ENVIRONMENT
from heliograph.scene.material import MATERIAL, Material
from heliograph.scene.shapes import OUTLINES
from heliograph.scene.shapes import Shape as Drawn

_MOST_PARTS, _OF_PARTS = 32 << 20, 2048  # bytes of all, and of one besides its arrays
_SURFACE = (0.0, 0.5, 0.5, 0.0)  # what glTF's dielectrics reflect; the rest is said elsewhere
_ROUND = WHOLE[1]

Matrix = NDArray[np.float64]

Z_TO_Y: Matrix = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""Turns a shape along z into one along y."""
UPRIGHT: Matrix = Z_TO_Y.T
"""Turns what is y-up into z-up."""


@dataclass(frozen=True, eq=False)
class Parts:
    """What components draw; row i is one instance.

    Attributes:
        geometry, texture: (K,) handles.
        pose: (K, 4, 4), component_from_object.
        length: (K,), of capsules, as `Transforms` has it.
        rgba, surface: (K, 4).
        emissive, metallic_roughness, highlight: (K, 3), (K, 2) and (K, 4), as `MaterialTable` has
            them.
        cutoff: (K,), as `InstanceTable` has it.
        side, shading: (K,) members of `Side` and `Shading`.
        corners: (K, 8, 3), those of the boxes round them, in the component's axes.
        line: (K,) which are outlines; of a component they come last.
        plain: whether another colour of the component changes nothing but the first three numbers
            of `rgba`.
    """

    geometry: NDArray[np.int32]
    pose: Matrix
    length: NDArray[np.float64]
    rgba: NDArray[np.float32]
    surface: NDArray[np.float32]
    emissive: NDArray[np.float32]
    metallic_roughness: NDArray[np.float32]
    highlight: NDArray[np.float32]
    cutoff: NDArray[np.float32]
    texture: NDArray[np.int32]
    side: NDArray[np.int8]
    shading: NDArray[np.int8]
    corners: Matrix
    line: NDArray[np.bool_]
    plain: bool = False

    @classmethod
    def joined(cls, parts: Sequence[Parts]) -> Parts:
        """The instances of all, one after the other."""
        columns: dict[str, Any] = {
            name: np.concatenate([like, *(getattr(part, name) for part in parts)])
            for name, like in _NOTHING.items()
        }
        return cls(**columns)

    def taken(self, rows: NDArray[np.intp]) -> Parts:
        """Some of the instances, in this order."""
        columns: dict[str, Any] = {name: getattr(self, name)[rows] for name in _NOTHING}
        return Parts(**columns)

    def and_lines(self, lines: Parts) -> Parts:
        """These with outlines."""
        return Parts.joined([self, replace(lines, line=np.ones(len(lines), np.bool_))])

    def __len__(self) -> int:
        """How many instances."""
        return len(self.geometry)

    def instances(self, ids: NDArray[np.int32]) -> Instances:
        """What the rasterizer draws, at some place.

        Args:
            ids: (K,) for the segmentation pass.
        """
        count = len(self)
        table = InstanceTable(
            geometry=self.geometry,
            texture=self.texture,
            mapping=np.full(count, TextureMapping.THREE_JS, np.int8),
            texture_scale=np.ones((count, 3), np.float32),
            ids=ids,
            side=self.side,
            shading=self.shading,
            casts_shadow=~self.line,
            cutoff=self.cutoff if self.cutoff.any() else None,
        )
        emissive = self.emissive if self.emissive.any() else None
        highlight = self.highlight if (self.shading == Shading.PHONG).any() else None
        materials = MaterialTable(
            self.rgba, self.surface, emissive, self.metallic_roughness, highlight
        )
        pose, length = np.zeros((count, 3, 4)), self.length if self.length.any() else None
        return Instances(table, materials, Transforms(pose, pose, np.ones(count, np.bool_), length))

    @property
    def size(self) -> int:
        """Bytes, about."""
        return _OF_PARTS + sum(int(getattr(self, name).nbytes) for name in _NOTHING)

    def shows(self, geometries: set[int], textures: set[int]) -> bool:
        """Whether it needs one of these handles."""
        here, painted = self.geometry.tolist(), self.texture.tolist()
        return not (geometries.isdisjoint(here) and textures.isdisjoint(painted))


_NOTHING: Mapping[str, NDArray[Any]] = MappingProxyType(
    {
        "geometry": np.empty(0, np.int32),
        "pose": np.empty((0, 4, 4)),
        "length": np.empty(0),
        "rgba": np.empty((0, 4), np.float32),
        "surface": np.empty((0, 4), np.float32),
        "emissive": np.empty((0, 3), np.float32),
        "metallic_roughness": np.empty((0, 2), np.float32),
        "highlight": np.empty((0, 4), np.float32),
        "cutoff": np.empty(0, np.float32),
        "texture": np.empty(0, np.int32),
        "side": np.empty(0, np.int8),
        "shading": np.empty(0, np.int8),
        "corners": np.empty((0, 8, 3)),
        "line": np.empty(0, np.bool_),
    }
)
"""The columns of parts, empty."""
_NO_PARTS = Parts.joined([])


class Translator:
    """Turns components into parts; equal ones once.

    Args:
        assets: what is on the rasterizer.

    Attributes:
        assets: that.
    """

    def __init__(self, assets: Assets) -> None:
        self.assets = assets
        self._parts: LruCache[Parts] = LruCache(_MOST_PARTS)

    def trim(self, shown: Handles, dropped: Handles) -> None:
        """Free what was not used for long, and what no version shows any more.

        Args:
            shown: handles of what versions show that are kept; they stay.
            dropped: handles of what versions showed that are not kept.
        """
        geometries, textures = self.assets.trim(shown, dropped)
        if geometries or textures:
            self._parts.drop_if(lambda parts: parts.shows(geometries, textures))
        self._parts.trim()

    def parts(self, component: Component, files: Files) -> Parts:
        """What a component draws, whatever stands below it.

        Args:
            component: what to draw.
            files: those of the version that shows it.

        Raises:
            SceneError: a file of it is missing or malformed.
        """
        if not component.drawable:
            return _NO_PARTS
        made = self._parts.get(_key(component, files))
        if made is None:
            made = self._make(component, files)
            self._parts.put(_key(component, files), made, made.size)
        return made

    def material(self, component: Component, files: Files) -> Material | None:
        """The material of a component; of a mesh whose file has several, that of its first part.

        Splats have none.

        Args:
            component: something that is drawn.
            files: those of the version that shows it.
        """
        if isinstance(component, Splat):
            return None
        pieces = []
        if isinstance(component, Mesh) and component.get("src") is not None:
            pieces = self.assets.mesh(component, files)
        return Material.of(component, pieces[0].said if pieces else None)

    def radiance(self, scene: Component, files: Files) -> int | None:
        """The handle of the light from all around a scene; None where it has none.

        Args:
            scene: the scene.
            files: those of the version that shows it.

        Raises:
            SceneError: its file is missing or malformed.
            InvalidValueError: it is to be seen behind everything and is not there.
        """
        environment = scene.get("environment")
        if environment is not None:
            try:
                return self.assets.radiance(environment, files)
            except SceneError as error:
                raise SceneError(f"Scene {scene.key!r} environment: {error}") from None
        if scene.get("background") == ENVIRONMENT:
            raise InvalidValueError(
                "Scene background: 'environment' shows the scene's environment, and it has none; "
                "give it one, such as environment={'sky': 'skyblue', 'ground': 'tan'}"
            )
        return None

    def _make(self, component: Component, files: Files) -> Parts:
        try:
            return self._drawn(component, files)
        except SceneError as error:
            name = f"{type(component).__name__} {component.key!r}"
            raise SceneError(f"{name} {error}") from None

    def _drawn(self, component: Component, files: Files) -> Parts:
        if isinstance(component, Splat):
            return self._splat(component, files)
        if isinstance(component, (Mesh, PointCloud)):
            return self._mesh(component, files)
        posed = _SHAPES[type(component).__name__](self.assets, cast("Drawn", component))
        texture, clear = self.assets.surface(component.get("material"), files)
        paint = _paint(component.get("material"), component.get("materialType"), clear)
        line = component.props.get("outlines")
        if line is None:
            return self._rows([posed], [paint], [texture], plain=paint.plain)
        return self._rows([posed], [paint], [texture]).and_lines(
            self._rows([self._hull(cast("Drawn", component), posed, line)], [_line(line)], [-1])
        )

    def _splat(self, splat: Splat, files: Files) -> Parts:
        """One instance without triangles, which `SplatCompositor` knows by its geometry."""
        source = splat.get("src")
        if source is None:
            return _NO_PARTS
        stand_in = _Posed(self.assets.splat(source, files), np.eye(4))
        return self._rows([stand_in], [_paint({}, "basic", clear=False)], [-1])

    def _hull(self, shape: Drawn, posed: _Posed, line: Mapping[str, Any]) -> _Posed:
        """A shape that is larger by its outline."""
        thickness, angle = (line.get(each, OUTLINES[each].default) for each in _HULL)
        if posed.geometry in (Shape.SPHERE, Shape.CAPSULE):  # which grow exactly
            radius = shape.get("radius")
            grown, pose = radius + thickness, posed.pose.copy()
            pose[:3, :3] *= grown / radius
            return _Posed(posed.geometry, pose, posed.length * radius / grown)
        made = posed.made or _TRIANGLES[Shape(posed.geometry)]
        key = ("outline", shape.kind, shape.args, shape.arc, thickness, angle)
        return _Posed(
            self.assets.shape(key, lambda: outlines.hull(made(), posed.pose, thickness, angle)),
            np.eye(4),
        )

    def _mesh(self, mesh: Mesh | PointCloud, files: Files) -> Parts:
        pieces = self.assets.mesh(mesh, files)
        given = mesh.get("material")
        turn = UPRIGHT if isinstance(mesh, Mesh) and mesh.y_up else np.eye(4)
        paints = [
            _paint(
                {**piece.said.properties, **given},
                mesh.props.get("materialType", piece.said.kind),
                piece.see_through,
            )
            for piece in pieces
        ]
        posed = [_Posed(piece.geometry, turn @ piece.pose) for piece in pieces]
        made = self._rows(posed, paints, [piece.texture for piece in pieces])
        line = mesh.props.get("outlines")
        if line is None or not isinstance(mesh, Mesh):
            return made
        size = [line.get(each, OUTLINES[each].default) for each in _HULL]
        hulls = [_Posed(each, np.eye(4)) for each in self.assets.hulls(mesh, files, turn, *size)]
        return made.and_lines(self._rows(hulls, [_line(line)] * len(hulls), [-1] * len(hulls)))

    def _rows(
        self,
        posed: list[_Posed],
        paints: list[_Paint],
        textures: list[int],
        *,
        plain: bool = False,
    ) -> Parts:
        count = len(posed)
        return Parts(
            geometry=np.array([each.geometry for each in posed], np.int32),
            pose=np.array([each.pose for each in posed], float).reshape(count, 4, 4),
            length=np.array([each.length for each in posed], float),
            rgba=np.array([paint.rgba for paint in paints], np.float32).reshape(count, 4),
            surface=np.tile(np.array(_SURFACE, np.float32), (count, 1)),
            emissive=np.array([paint.emissive for paint in paints], np.float32).reshape(count, 3),
            metallic_roughness=np.array(
                [paint.metallic_roughness for paint in paints], np.float32
            ).reshape(count, 2),
            highlight=np.array([paint.highlight for paint in paints], np.float32).reshape(count, 4),
            cutoff=np.array([paint.cutoff for paint in paints], np.float32),
            texture=np.array(textures, np.int32),
            side=np.array([paint.side for paint in paints], np.int8),
            shading=np.array([paint.shading for paint in paints], np.int8),
            corners=self._corners(posed),
            line=np.zeros(count, np.bool_),
            plain=plain,
        )

    def _corners(self, posed: list[_Posed]) -> Matrix:
        """Corners (K, 8, 3) of the parts' boxes in the component's axes."""
        corners = []
        for each in posed:
            pose, ends = each.pose, np.stack(self.assets.bounds(each.geometry))
            ends[:, 2] += -each.length, each.length
            box = np.stack(np.meshgrid(*ends.T), -1).reshape(-1, 3)
            corners.append(box @ pose[:3, :3].T + pose[:3, 3])
        return np.array(corners).reshape(-1, 8, 3)


def _key(component: Component, files: Files) -> tuple[object, ...]:
    return component.look, *[files[path] for path in component.files]


@dataclass(frozen=True, eq=False)
class _Posed:
    geometry: int
    pose: Matrix
    length: float = 0.0
    made: Callable[[], Geometry] | None = None
    """Its triangles, where it is not one of the rasterizer's own shapes."""


@dataclass(frozen=True)
class _Paint:
    rgba: tuple[float, ...]
    emissive: tuple[float, ...]
    metallic_roughness: tuple[float, float]
    highlight: tuple[float, ...]
    cutoff: float
    side: Side
    shading: Shading
    plain: bool


def _paint(given: Mapping[str, Any], kind: str, clear: bool) -> _Paint:
    """A material as the rasterizer has it."""
    material = {name: given.get(name, MATERIAL[name].default) for name in MATERIAL}
    red, green, blue, alpha = (*material["color"], 1.0)[:4]
    test, blended, cutoff = material["alphaTest"], material["transparent"], HOLE if clear else 0.0
    if blended is not False or test:
        alpha *= material["opacity"]
    if test:
        cutoff = test / max(alpha, test)
        alpha = (alpha if blended else 1.0) * (alpha >= test)
    if clear and (blended or not test):
        alpha = min(alpha, ALMOST)
    glow = material["emissiveIntensity"] * linear(material["emissive"][:3])
    return _Paint(
        rgba=(red, green, blue, alpha),
        emissive=tuple(glow.tolist()),
        metallic_roughness=(material["metalness"], material["roughness"]),
        highlight=(*linear(material["specular"][:3]).tolist(), material["shininess"]),
        cutoff=cutoff,
        side=_SIDES[material["side"]],
        shading=_SHADINGS[kind],
        plain=len(material["color"]) == 3,
    )


def _line(outlines: Mapping[str, Any]) -> _Paint:
    """An outline as the rasterizer has it."""
    color = outlines.get("color", OUTLINES["color"].default)
    return _paint({"color": color[:3], "side": "back"}, "basic", clear=False)


_HULL = ("thickness", "angle")
_SIDES: Mapping[str, Side] = MappingProxyType(
    {"front": Side.FRONT, "back": Side.BACK, "double": Side.DOUBLE}
)
_SHADINGS: Mapping[str, Shading] = MappingProxyType(
    {
        "standard": Shading.LIT,
        "phong": Shading.PHONG,
        "lambert": Shading.LAMBERT,
        "basic": Shading.UNLIT,
        "normal": Shading.NORMAL,
        "depth": Shading.DEPTH,
    }
)


def _scaled(x: float, y: float, z: float) -> Matrix:
    return np.diag([x, y, z, 1.0])


def _box(_: Assets, shape: Drawn) -> _Posed:
    width, height, depth = shape.args
    return _Posed(Shape.BOX, _scaled(width / 2, height / 2, depth / 2))


def _plane(_: Assets, shape: Drawn) -> _Posed:
    width, height = shape.get("width"), shape.get("height")
    return _Posed(Shape.PLANE, _scaled(width / 2, height / 2, max(width, height) / 2))


def _sphere(assets: Assets, shape: Drawn) -> _Posed:
    (radius,), (phi_start, phi_length, theta_start, theta_length) = shape.args, shape.arc
    phi = phi_start, min(phi_length, _ROUND)
    theta = theta_start, min(theta_length, math.pi - theta_start)
    if (phi, theta) == (WHOLE, (0.0, math.pi)):
        return _Posed(Shape.SPHERE, Z_TO_Y @ _scaled(radius, radius, radius))
    make = partial(tessellate.sphere, phi, theta)
    return _made(assets, ("sphere", phi, theta), make, _scaled(radius, radius, radius))


def _cylinder(assets: Assets, shape: Drawn) -> _Posed:
    return _stump(assets, shape.args, shape.arc)


def _cone(assets: Assets, shape: Drawn) -> _Posed:
    radius, height = shape.args
    return _stump(assets, (0.0, radius, height), shape.arc)


def _stump(assets: Assets, args: tuple[float, ...], arc: tuple[float, ...]) -> _Posed:
    (top, bottom, height), (is_open, start, length) = args, arc
    theta, caps = (start, min(length, _ROUND)), not is_open
    if top == bottom and caps and theta == WHOLE:
        return _Posed(Shape.CYLINDER, Z_TO_Y @ _scaled(top, top, height / 2))
    wide = max(top, bottom)
    ends = (top / wide, bottom / wide)
    make = partial(tessellate.cylinder, *ends, theta, caps=caps)
    return _made(assets, ("cylinder", ends, theta, caps), make, _scaled(wide, height / 2, wide))


def _capsule(_: Assets, shape: Drawn) -> _Posed:
    radius, length = shape.args
    return _Posed(Shape.CAPSULE, Z_TO_Y @ _scaled(radius, radius, radius), length / 2 / radius)


def _torus(assets: Assets, shape: Drawn) -> _Posed:
    (radius, tube), arc = shape.args, min(shape.arc[0], _ROUND)
    share = tube / radius
    make = partial(tessellate.torus, share, arc)
    return _made(assets, ("torus", share, arc), make, _scaled(radius, radius, radius))


def _circle(assets: Assets, shape: Drawn) -> _Posed:
    return _disc(assets, 0.0, shape.args[0], shape.arc)


def _ring(assets: Assets, shape: Drawn) -> _Posed:
    inner, outer = shape.args
    return _disc(assets, inner, outer, shape.arc)


def _disc(assets: Assets, inner: float, outer: float, arc: tuple[float, ...]) -> _Posed:
    share, theta = inner / outer, (arc[0], min(arc[1], _ROUND))
    make = partial(tessellate.ring, share, theta)
    return _made(assets, ("ring", share, theta), make, _scaled(outer, outer, outer))


def _made(assets: Assets, key: object, make: Callable[[], Geometry], pose: Matrix) -> _Posed:
    return _Posed(assets.shape(key, make), pose, made=make)


def _upright_cylinder() -> Geometry:
    """A cylinder along z, as the rasterizer's own."""
    made = tessellate.cylinder(1.0, 1.0)
    positions = np.asarray(made.positions) @ UPRIGHT[:3, :3].T
    return replace(made, positions=positions, normals=None)


_TRIANGLES: Mapping[Shape, Callable[[], Geometry]] = MappingProxyType(
    {
        Shape.BOX: tessellate.box,
        Shape.PLANE: tessellate.plane,
        Shape.CYLINDER: _upright_cylinder,
    }
)
"""Triangles of the rasterizer's own shapes, for their outlines."""


_SHAPES: Mapping[str, Callable[[Assets, Drawn], _Posed]] = MappingProxyType(
    {
        "Box": _box,
        "Sphere": _sphere,
        "Plane": _plane,
        "ImagePlane": _plane,
        "Cylinder": _cylinder,
        "Cone": _cone,
        "Capsule": _capsule,
        "Torus": _torus,
        "Circle": _circle,
        "Ring": _ring,
    }
)
