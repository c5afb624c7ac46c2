"""What the rasterizer draws: geometry, textures, instances, lights, environment. Plain values.

Colours of surfaces are sRGB numbers from 0 to 1. Light is added in one of two ways (`Lighting`): in
sRGB as fixed-function OpenGL and MuJoCo do it, or in linear light with glTF's materials and
three.js's formulas and units. Positions are world metres; textures have row 0 at the top.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.checks import check_integer
from heliograph.errors import UnknownNameError

Floats = NDArray[np.floating[Any]]

SMALLEST, LARGEST = 1e-16, 1e17
"""Metres that can be drawn: the shaders' float32 holds squares of lengths, and one over them."""


class Shape(IntEnum):
    """Built-in geometries; their numbers are the geometry handles that are always there.

    Depth and normals of these are computed from the exact surface, whatever the tessellation.
    All are centred, with half-extent 1; PLANE is the square -1..1 at z = 0 facing +z; CYLINDER has
    radius 1 and z from -1 to 1; CAPSULE is a sphere in halves along z, `Transforms.length` apart.
    LINE runs from the origin to z = 1, is as many pixels wide as the first number of its
    `texture_scale` says, is never lit or textured, and its normal points at the camera.
    """

    PLANE = 0
    BOX = 1
    SPHERE = 2
    CYLINDER = 3
    CAPSULE = 4
    LINE = 5


@dataclass(frozen=True, eq=False)
class Geometry:
    """Triangles in object space, counter-clockwise seen from outside.

    Attributes:
        positions: (V, 3) float32.
        triangles: (T, 3) uint32.
        normals: (V, 3) float32 unit; None for flat faces (vertices are then split by face).
        uvs: (V, 2) float32 texture coordinates, v = 0 at the bottom row of the texture; or None.
        simplify: whether coarser levels of detail may be made of it.
        name: for messages.
        surface: the exact shape that the triangles stand for, if any; depth and normals are
            then computed from it, and the triangles decide only where it is and how it is lit.
        poses: other places (V, 3) of the vertices, for geometry that is deformed later: coarser
            levels are made to fit all of them.
        colours: (V, 4) linear colours and opacities of the vertices, which multiply the material's,
            with STANDARD lighting alone; or None.
    """

    positions: Floats
    triangles: NDArray[np.integer[Any]]
    normals: Floats | None = None
    uvs: Floats | None = None
    simplify: bool = True
    name: str = "geometry"
    surface: Shape | None = None
    poses: tuple[Floats, ...] = ()
    colours: Floats | None = None


class TextureKind(Enum):
    """How a texture is looked up."""

    FLAT = "2d"
    CUBE = "cube"


class Wrap(Enum):
    """What a texture shows beyond its edges."""

    REPEAT = "repeat"
    MIRROR = "mirror"
    CLAMP = "clamp"


@dataclass(frozen=True)
class Sampler:
    """How a FLAT texture is looked up.

    Attributes:
        wrap_u, wrap_v: beyond its edges, along u and along v.
        nearest: whether texels have hard edges where they are large, else they blend into another.
    """

    wrap_u: Wrap = Wrap.REPEAT
    wrap_v: Wrap = Wrap.REPEAT
    nearest: bool = False


SMOOTH = Sampler()

UvMap = tuple[tuple[float, float, float], tuple[float, float, float]]
"""An affine map of texture coordinates: rows of (u, v, 1) -> (u', v')."""
SAME_UV: UvMap = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


class Use(Enum):
    """What a further texture of a surface says, in glTF's channels."""

    METALLIC_ROUGHNESS = "metallic_roughness"  # blue and green, multiply the material's
    NORMAL = "normal"  # tangent space, x along u, y along v
    OCCLUSION = "occlusion"  # red: how much light from all sides arrives
    EMISSIVE = "emissive"  # sRGB, multiplies the material's


@dataclass(frozen=True, eq=False)
class Layer:
    """A further texture of a surface, beside the colours of a `Texture`; STANDARD lighting only.

    Attributes:
        use: what it says.
        pixels: (H, W, C) uint8, C 1, 3 or 4.
        sampler: how it is looked up.
        uv_map: from the surface's own texture coordinates to its own.
        strength: along u and v of a NORMAL one; the first number of an OCCLUSION one.
    """

    use: Use
    pixels: NDArray[np.uint8]
    sampler: Sampler = SMOOTH
    uv_map: UvMap = SAME_UV
    strength: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Texture:
    """Pixels to paint on surfaces.

    Attributes:
        pixels: (H, W, C) uint8 for FLAT, (6, N, N, C) uint8 for CUBE (faces +x -x +y -y +z -z in
            OpenGL's order and orientation); C is 1, 3 or 4.
        kind: FLAT or CUBE.
        name: for messages.
        linear: whether the colours are decoded to linear light before they are blended, as
            STANDARD lighting needs it.
        sampler: how a FLAT one is looked up.
        uv_map: from the surface's own texture coordinates to its own, before the `texture_scale`
            and `texture_offset` of instances.
        layers: what else a FLAT one says of the surface, each use once.
    """

    pixels: NDArray[np.uint8]
    kind: TextureKind = TextureKind.FLAT
    name: str = "texture"
    linear: bool = False
    sampler: Sampler = SMOOTH
    uv_map: UvMap = SAME_UV
    layers: tuple[Layer, ...] = ()


class Mapping(IntEnum):
    """Where texture coordinates come from."""

    NONE = 0
    UV = 1  # the geometry's own uvs (for shapes: their natural ones) times `texture_scale`
    THREE_JS = 3  # the same, those of shapes as three.js has them (its y along the z of round ones)
    OBJECT = 2  # times scale: FLAT 1 + x and 1 - y, CUBE the direction from its centre


class Side(IntEnum):
    """Which side of triangles is seen."""

    FRONT = 0
    DOUBLE = 1
    BACK = 2


class Shading(IntEnum):
    """How colour is made. Those from PHONG on are for STANDARD lighting."""

    LIT = 0  # with STANDARD lighting metallic and rough
    UNLIT = 1
    HAZY = 2  # lit, and fading into `Environment.haze` with distance
    PHONG = 3
    LAMBERT = 4
    NORMAL = 5  # the normal in camera axes, as a colour
    DEPTH = 6  # white at the near plane, black at the far one


@dataclass(eq=False)
class InstanceTable:
    """What N instances are, apart from their materials and where they are; row i is one instance.

    A table is not changed after it was drawn: what is prepared from it is kept while the same
    table is drawn again, and its arrays are read-only from then on.

    Attributes:
        geometry: (N,) int32 handles: `Shape` members or what `Rasterizer.add_geometry` returned.
        texture: (N,) int32 handles from `Rasterizer.add_texture`, -1 for none.
        mapping: (N,) int8, `Mapping` members.
        texture_scale: (N, 3) float32, multiplies texture coordinates.
        ids: (N,) int32 for the segmentation pass; 0 is drawn as background.
        side: (N,) int8, `Side` members.
        shading: (N,) int8, `Shading` members.
        casts_shadow: (N,) bool.
        texture_offset: (N, 2) float32, added to FLAT texture coordinates; or None for none.
        cutoff: (N,) float32; where the texture's alpha is below it there is a hole in all passes,
            and in shadows of meshes that have uvs and of THREE_JS shapes; or None for no holes.
        layers: how many times what is transparent counts, one over the other.
    """

    geometry: NDArray[np.int32]
    texture: NDArray[np.int32]
    mapping: NDArray[np.int8]
    texture_scale: NDArray[np.float32]
    ids: NDArray[np.int32]
    side: NDArray[np.int8]
    shading: NDArray[np.int8]
    casts_shadow: NDArray[np.bool_]
    texture_offset: NDArray[np.float32] | None = None
    cutoff: NDArray[np.float32] | None = None
    layers: int = 1


@dataclass(eq=False)
class MaterialTable:
    """Colours of N instances. Kept by identity and read-only once drawn, as `InstanceTable` is.

    Attributes:
        rgba: (N, 4) float32, sRGB; alpha below 1 is blended.
        surface: (N, 4) float32: emission, specular, shininess (0 to 1), reflectance (planes only).
            With STANDARD lighting `specular` 0.5 reflects the 4 % of glTF's dielectrics, and
            `shininess` says how rough what has no `roughness` is.
        emissive: (N, 3) float32, light of its own, where it is lit at all, in the space in which
            light is added; or None for none.
        metallic_roughness: (N, 2) float32, 0 to 1, NaN where `surface` says it; or None.
        highlight: (N, 4) float32 of what is PHONG: linear colour and three.js's shininess; or None.
    """

    rgba: NDArray[np.float32]
    surface: NDArray[np.float32]
    emissive: NDArray[np.float32] | None = None
    metallic_roughness: NDArray[np.float32] | None = None
    highlight: NDArray[np.float32] | None = None


_COLUMNS = frozenset(MaterialTable.__dataclass_fields__)
_MOST = 2**31 - 1  # instances, as many as there are ids


@dataclass(eq=False)
class Transforms:
    """Where N instances are.

    Attributes:
        world_from_object: (N, 3, 4) float64 affine maps; scale and mirroring are allowed.
        scales: (N, 3, 4) float64 maps whose axes have the same lengths and handedness, from which
            levels of detail follow. `world_from_object` itself will do; transforms that differ
            rigidly share one array, and what is prepared from it is kept while they do. It is
            read-only once it was drawn.
        visible: (N,) bool.
        length: (N,) float64, half the way between the ends' centres of a CAPSULE, in its radii; or
            None for spheres.
    """

    world_from_object: NDArray[np.float64]
    scales: NDArray[np.float64]
    visible: NDArray[np.bool_]
    length: NDArray[np.float64] | None = None


@dataclass(eq=False)
class Instances:
    """N geometries, their materials and where they are."""

    table: InstanceTable
    materials: MaterialTable
    transforms: Transforms

    def moved(
        self,
        world_from_object: NDArray[np.float64],
        visible: NDArray[np.bool_] | None = None,
        *,
        rigidly: bool = False,
    ) -> Instances:
        """The same things elsewhere, (N, 3, 4), and maybe some of them hidden, (N,).

        Moved `rigidly`, nothing may be scaled or mirrored otherwise than here.
        """
        here = self.transforms
        there = Transforms(
            world_from_object,
            here.scales if rigidly else world_from_object,
            here.visible if visible is None else visible,
            here.length,
        )
        return Instances(self.table, self.materials, there)

    def painted(self, **columns: NDArray[np.float32]) -> Instances:
        """The same things with other columns of their `MaterialTable`.

        Raises:
            UnknownNameError: it has no such column.
        """
        for name in columns.keys() - _COLUMNS:
            raise UnknownNameError.of("column of a MaterialTable", name, sorted(_COLUMNS))
        return Instances(self.table, replace(self.materials, **columns), self.transforms)

    @classmethod
    def blank(cls, count: int) -> Instances:
        """`count` grey unit boxes at the origin, ids 1 to `count`, to be filled in.

        Raises:
            InvalidValueError: no such number.
        """
        count = check_integer("count", count, 0, _MOST)
        pose = np.zeros((count, 3, 4))
        pose[:, :, :3] = np.eye(3)
        table = InstanceTable(
            geometry=np.full(count, Shape.BOX, np.int32),
            texture=np.full(count, -1, np.int32),
            mapping=np.zeros(count, np.int8),
            texture_scale=np.ones((count, 3), np.float32),
            ids=np.arange(1, count + 1, dtype=np.int32),
            side=np.zeros(count, np.int8),
            shading=np.zeros(count, np.int8),
            casts_shadow=np.ones(count, np.bool_),
        )
        materials = MaterialTable(
            rgba=np.full((count, 4), (0.5, 0.5, 0.5, 1.0), np.float32),
            surface=np.full((count, 4), (0.0, 0.5, 0.5, 0.0), np.float32),
        )
        return cls(table, materials, Transforms(pose, pose, np.ones(count, np.bool_)))

    def __len__(self) -> int:
        """Number of instances."""
        return len(self.table.geometry)


class LightKind(Enum):
    """What a light is."""

    DIRECTIONAL = "directional"
    POINT = "point"
    SPOT = "spot"
    HEAD = "head"  # directional, from the camera
    AREA = "area"  # a rectangle; STANDARD lighting of what is LIT alone


Colour = tuple[float, float, float]

MAX_LIGHTS = 100
"""How many lights a draw list may have; as many as a MuJoCo scene."""


@dataclass(frozen=True)
class Light:
    """One light.

    With STANDARD lighting `diffuse` is linear, colour times intensity in three.js's units (lux of
    parallel light, candela of others), and lights highlights too; `ambient` is irradiance.

    Attributes:
        kind: directional, point, spot, head (follows the camera), or area (casts no shadow).
        position: world metres (point, spot; a directional one's shadow map is centred there).
        direction: world, the way the light goes.
        diffuse, specular, ambient: colours; each light adds its ambient everywhere.
        attenuation: constant, linear and quadratic terms of 1 / (a + b d + c d^2).
        cutoff: half-angle of a spot's cone, radians.
        exponent: how a spot fades from its axis, cos(angle) ** exponent.
        softness: part of the cutoff over which a spot's rim fades out, 0 (hard) to 1.
        decay: adds d^decay to the three terms of `attenuation`, if above 0; STANDARD only.
        distance: metres at which a point light or spot ends, 0 for nowhere; STANDARD only.
        size: radius of what shines, metres (radians of directional ones): how soft the rims of
            shadows are; STANDARD only.
        casts_shadow: whether it does, where the rasterizer draws shadows.
        shadow_extent: half-width in metres of a directional light's shadow map.
        shadow_range: near and far end of the shadow map, metres from the light.
        sides: of an area light half of its width and of its height, world vectors in metres; it
            shines against the way of their cross product.
    """

    kind: LightKind = LightKind.DIRECTIONAL
    position: Colour = (0.0, 0.0, 0.0)
    direction: Colour = (0.0, 0.0, -1.0)
    diffuse: Colour = (0.7, 0.7, 0.7)
    specular: Colour = (0.3, 0.3, 0.3)
    ambient: Colour = (0.0, 0.0, 0.0)
    attenuation: Colour = (1.0, 0.0, 0.0)
    cutoff: float = 0.785398163
    exponent: float = 10.0
    softness: float = 0.0
    decay: float = 0.0
    distance: float = 0.0
    size: float = 0.0
    casts_shadow: bool = False
    shadow_extent: float = 10.0
    shadow_range: tuple[float, float] = (0.05, 100.0)
    sides: tuple[Colour, Colour] = ((0.5, 0.0, 0.0), (0.0, 0.5, 0.0))

    def moved(self, position: Colour, direction: Colour) -> Light:
        """The same light elsewhere."""
        other = object.__new__(type(self))
        other.__dict__.update(vars(self), position=position, direction=direction)
        return other


@dataclass(frozen=True)
class Environment:
    """What is behind everything.

    Attributes:
        colour: background colour where there is no sky.
        sky: handle of a CUBE texture (its +y face is up, its -z face ahead of +y), or None.
        haze: colour that the far parts of hazy instances fade to, or None.
        haze_range: distances in metres along the plane where fading starts and is complete.
        haze_plane: normal and offset of the endless plane at whose end the sky is hazy too.
        radiance: handle of what `Rasterizer.add_radiance` took in: light from all around, diffuse
            and in reflections; STANDARD only.
        radiance_scale: multiplies it.
        radiance_shown: whether it is the background.
    """

    colour: Colour = (0.0, 0.0, 0.0)
    sky: int | None = None
    haze: Colour | None = None
    haze_range: tuple[float, float] = (0.0, 1.0)
    haze_plane: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 0.0)
    radiance: int | None = None
    radiance_scale: float = 1.0
    radiance_shown: bool = False


class Lighting(Enum):
    """Where light is computed, and how."""

    PIXEL = "pixel"
    VERTEX = "vertex"  # and interpolated, as fixed-function OpenGL and MuJoCo do it: cheaper
    STANDARD = "standard"  # per pixel, in linear light, after glTF and three.js


class ToneMapping(Enum):
    """How linear light becomes what a screen can show; STANDARD lighting only."""

    NONE = "none"  # what is brighter than white is cut off
    NEUTRAL = "neutral"  # Khronos PBR Neutral
    ACES = "aces"  # ACES filmic, as three.js fits it


@dataclass(eq=False)
class DrawList:
    """Everything one state of a scene shows.

    Attributes:
        instances: the things.
        lights: the lights; what is prepared for them is kept while it is the same tuple.
        environment: what is behind everything.
        ambient: light that is everywhere; irradiance with STANDARD lighting.
        gradient: irradiance that is added per part of a normal along world x, y and z, as three
            colours; its light from one side is taken away on the other. STANDARD only.
        lighting: per pixel or per vertex; double-sided instances are always lit per pixel.
        tone_mapping: how light becomes colours; STANDARD only.
        exposure: multiplies all light before that, whatever the tone mapping.
    """

    instances: Instances
    lights: tuple[Light, ...] = ()
    environment: Environment = field(default_factory=Environment)
    ambient: Colour = (0.0, 0.0, 0.0)
    gradient: tuple[Colour, Colour, Colour] | None = None
    lighting: Lighting = Lighting.PIXEL
    tone_mapping: ToneMapping = ToneMapping.NONE
    exposure: float = 1.0
