"""Shadow maps: which lights have one, and what each of them sees. Pure numpy, no GL.

A map covers only what casts shadows: its texels stay as fine as those of a map of all that the
light reaches, at a fraction of the work. Outside of it everything is lit. A point light has six
square faces, side by side: those towards +x, +y, +z below, towards -x, -y, -z above them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from heliograph import poses
from heliograph.camera import Camera, Projection
from heliograph.frame import varied
from heliograph.raster.prepared import PlacedInstances
from heliograph.raster.types import SMALLEST, Colour, Light, LightKind

MAX_SHADOWS = 8
"""How many lights have shadow maps at most."""

MARGIN = 2.0
"""Texels round what casts shadows, for the filter."""

_WIDEST = math.radians(85)
_LATEST = 0.9
_TEXELS, _LEAST = 2, 256
_EVEN = 1e-6  # of its size; what is no farther behind a plane is in it
_STEP = 64  # maps have sides of whole tiles, so that a few framebuffers serve all states

Bools = NDArray[np.bool_]
Matrix = NDArray[np.float64]
Size = tuple[int, int]


@dataclass(frozen=True, eq=False)
class ShadowMap:
    """The shadow map of one light.

    Attributes:
        faces: what it sees, one camera or six, each with its lowest corner on the map, texels.
        size: of the map, texels.
        light: whose it is.
    """

    faces: tuple[tuple[Camera, Size], ...]
    size: Size
    light: Light

    def numbers(self, corner: Size, atlas: Size) -> NDArray[np.float64]:
        """The map's 24 numbers in frame.glsl's order, its matrix row-major and from world.

        Args:
            corner: its lowest corner on the atlas, texels.
            atlas: size of the atlas, texels.
        """
        camera, (width, height) = self.faces[0][0], atlas
        if len(self.faces) == 1:
            part = _to_part(
                corner[0] / width, corner[1] / height, self.size[0] / width, self.size[1] / height
            )
            matrix = part @ camera.projection_matrix @ camera.camera_from_world
            return np.array([*matrix.ravel(), *[0.0] * 6, self.light.size, _depth_of(camera)])
        matrix = np.eye(4)
        matrix[:3, 3] = -np.array(self.light.position)
        depth = -(_to_part(0, 0, 1, 1) @ camera.projection_matrix)[2]
        side, reach = camera.width, camera.width / 2 - MARGIN
        faces = side / width, side / height, reach / width, reach / height
        ends = depth[2], depth[3], self.light.size, _depth_of(camera)
        return np.array([*matrix.ravel(), *faces, *ends])


_SHADOWLESS = (LightKind.HEAD, LightKind.AREA)


def casting(lights: Sequence[Light]) -> tuple[int, ...]:
    """Places of the lights that get shadow maps: of more than MAX_SHADOWS the strongest.

    Of equally strong ones the first.
    """
    wanted = [
        place
        for place, light in enumerate(lights)
        if light.casts_shadow and light.kind not in _SHADOWLESS
    ]
    wanted.sort(key=lambda place: -sum(lights[place].diffuse))
    return tuple(sorted(wanted[:MAX_SHADOWS]))


def map_size(camera: Camera, limit: int) -> int:
    """Texels over a light's whole reach: two to four for each pixel of the camera's picture."""
    wanted = 1 << math.ceil(math.log2(max(_TEXELS * max(camera.size), _LEAST)))
    return min(wanted, limit)


def shadow_map(light: Light, size: int, placed: PlacedInstances, casters: Bools) -> ShadowMap:
    """The map of one light, cut down to what casts shadows; `size` as `map_size` gives it.

    In linear light texels are then as fine as they can be with sides of at most half of `size`, one
    or two for a pixel of the picture, by a power of two, so that they stay what they are while
    things move a little.
    """
    if light.kind is LightKind.POINT:
        side = size // 2
        faces = tuple(
            (_face_camera(light, side, axis, turned), (axis * side, turned * side))
            for axis in range(3)
            for turned in range(2)
        )
        return ShadowMap(faces, (3 * side, 2 * side), light)
    camera = _cropped(shadow_camera(light, size), placed, casters)
    finer = max(size // 2, _LEAST) // max(camera.size) if placed.prepared.linear else 1
    if finer > 1:
        whole = shadow_camera(light, size << finer.bit_length() - 1)
        camera = _cropped(whole, placed, casters)
    if placed.prepared.linear and light.kind is LightKind.DIRECTIONAL:
        camera = _begun(camera, placed, casters)
    return ShadowMap(((camera, (0, 0)),), camera.size, light)


def casters(placed: PlacedInstances, light: Light) -> Bools:
    """Which instances can cast a shadow of a light on something.

    Not a floor with nothing behind it, unless the light is there.
    """
    casters = placed.prepared.table.casts_shadow & placed.show
    flat = placed.prepared.flat
    flat = flat[casters[flat]]
    if not len(flat):
        return casters
    x, y, z = placed.centre[placed.show].T
    for row in flat.tolist():
        (a, b, _, px), (c, d, _, py), (e, f, _, pz) = placed.pose[row].tolist()
        u, v, w = c * f - e * d, e * b - a * f, a * d - c * b  # across both of its sides
        if placed.scaling.determinant[row] < 0:
            u, v, w = -u, -v, -w
        level = -_EVEN * math.sqrt(u * u + v * v + w * w) * placed.radius[row]
        casters[row] = _is_behind(light, (px, py, pz), (u, v, w)) or bool(
            ((x - px) * u + (y - py) * v + (z - pz) * w < level).any()
        )
    return casters


def _is_behind(light: Light, point: Colour, normal: Colour) -> bool:
    """Whether a light shines on the back of a plane."""
    u, v, w = normal
    if light.kind is LightKind.DIRECTIONAL:
        x, y, z = light.direction
        return x * u + y * v + z * w > 0
    x, y, z = (a - b for a, b in zip(light.position, point, strict=True))
    return x * u + y * v + z * w < 0


def atlas_grid(number: int) -> Size:
    """Columns and rows of the cells of an atlas of so many maps; the same for 3 and 4, 5 and 8.

    Cells are alike, so that programs need not be told where they are.
    """
    return 1 if number <= 2 else 2, min(number, 2) if number <= 4 else 4


def arrange(maps: Sequence[ShadowMap]) -> tuple[Size, list[Size]]:
    """Size of the atlas, and each map's lowest corner on it."""
    columns, rows = atlas_grid(len(maps))
    gap = 1 if len(maps) > 1 else 0  # where it is lit, so that no filter reads its neighbour
    width = max(each.size[0] for each in maps) + gap
    height = max(each.size[1] for each in maps) + gap
    corners = [(i % columns * width, i // columns * height) for i in range(len(maps))]
    return (columns * width, rows * height), corners


@dataclass(frozen=True, eq=False)
class Atlas:
    """Shadow maps of one state, side by side.

    Attributes:
        size: of all, texels.
        faces: what is drawn: who casts a shadow there (N,), from which camera, and the lowest
            corner of its picture on the atlas.
        numbers: (K, 24) of each map, as `ShadowMap.numbers` gives them.
    """

    size: Size
    faces: list[tuple[Bools, Camera, Size]]
    numbers: NDArray[np.float64]


def atlas(lights: Sequence[Light], placed: PlacedInstances, size: int, widest: int) -> Atlas:
    """What is to be drawn for lights that cast shadows; `size` as `map_size` gives it.

    Maps are made coarser where all would be wider or higher than `widest`.
    """
    mine = [casters(placed, light) for light in lights]
    while True:
        maps = [
            shadow_map(light, size, placed, each) for light, each in zip(lights, mine, strict=True)
        ]
        whole, corners = arrange(maps)
        if max(whole) <= widest:
            break
        size //= 2
    faces = [
        (casting, camera, (x + left, y + low))
        for casting, each, (x, y) in zip(mine, maps, corners, strict=True)
        for camera, (left, low) in each.faces
    ]
    numbers = [each.numbers(corner, whole) for each, corner in zip(maps, corners, strict=True)]
    return Atlas(whole, faces, np.array(numbers))


def _depth_of(camera: Camera) -> float:
    """The depth at an infinite distance; of parallel light what a depth of 1 is, less than 0."""
    if camera.projection is Projection.ORTHOGRAPHIC:
        return camera.near - camera.far
    return camera.far / (camera.far - camera.near)


def _to_part(x: float, y: float, width: float, height: float) -> Matrix:
    """From clip coordinates to a part of a texture, whose sides are 1."""
    right, up = width / 2, height / 2
    return np.array([[right, 0, 0, x + right], [0, up, 0, y + up], [0, 0, 0.5, 0.5], [0, 0, 0, 1]])


def _cropped(whole: Camera, placed: PlacedInstances, casters: Bools) -> Camera:
    """The light's camera with its picture cut down to what casts shadows."""
    view = whole.camera_from_world
    seen = placed.centre[casters] @ view[:3, :3].T + view[:3, 3]
    low, high = _extent(seen, placed.radius[casters], whole.projection)
    (left, bottom), (right, top) = low.tolist(), high.tolist()
    x, width = _cut(left * whole.fx + whole.cx, right * whole.fx + whole.cx, whole.width)
    y, height = _cut(whole.cy - top * whole.fy, whole.cy - bottom * whole.fy, whole.width)
    return varied(whole, width=width, height=height, cx=whole.cx - x, cy=whole.cy - y)


def _cut(low: float, high: float, side: int) -> tuple[int, int]:
    """The first texel of a map's side, and the number of them, that what lies between needs."""
    first = math.floor(min(max(0.0, low - MARGIN), side - _STEP))
    last = math.ceil(min(max(first + 1.0, high + MARGIN), side))
    return first, -(-(last - first) // _STEP) * _STEP


def _begun(camera: Camera, placed: PlacedInstances, casters: Bools) -> Camera:
    """A light's camera whose depth begins where what casts shadows does."""
    ahead = -camera.camera_from_world[2]
    depth = placed.centre[casters] @ ahead[:3] + ahead[3] - placed.radius[casters]
    first = float(depth.min(initial=camera.far))
    return varied(camera, near=min(max(first, camera.near), _LATEST * camera.far))


def _extent(
    seen: NDArray[np.float64], radius: NDArray[np.float64], projection: Projection
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where spheres (N, 3) in camera axes fall on the plane one metre ahead: lowest, highest."""
    if not len(seen):
        return np.zeros(2), np.zeros(2)
    if projection is Projection.ORTHOGRAPHIC:
        return (seen[:, :2] - radius[:, None]).min(0), (seen[:, :2] + radius[:, None]).max(0)
    ahead = -seen[:, 2:]
    angle = np.arctan2(seen[:, :2], ahead)
    away = np.maximum(np.hypot(seen[:, :2], ahead), SMALLEST)  # a light may be in the middle
    half = np.arcsin(np.clip(radius[:, None] / away, 0, 1))
    widest = math.tan(_WIDEST)
    low = np.where(angle - half < -_WIDEST, -widest, np.tan(np.minimum(angle - half, _WIDEST)))
    high = np.where(angle + half > _WIDEST, widest, np.tan(np.maximum(angle + half, -_WIDEST)))
    return low.min(0), high.max(0)


@lru_cache(maxsize=64)
def shadow_camera(light: Light, size: int) -> Camera:
    """The light as a camera whose picture is all that it can shadow."""
    near, far = light.shadow_range
    pose = poses.look_at(np.zeros(3), light.direction)  # beside a far position it would vanish
    pose[:3, 3] = light.position
    common = {"width": size, "height": size, "near": near, "far": far, "name": "shadow"}
    if light.kind is LightKind.SPOT:
        angle = 2 * min(light.cutoff, _WIDEST)
        return Camera.perspective(fov_y=angle, world_from_camera=pose, **common)  # type: ignore[arg-type]
    return Camera.orthographic(
        extent_y=2 * light.shadow_extent,
        world_from_camera=pose,
        **common,  # type: ignore[arg-type]
    )


@lru_cache(maxsize=256)
def _face_camera(light: Light, side: int, axis: int, turned: int) -> Camera:
    """One face of a point light's map: along an axis, or `turned` against it.

    It sees MARGIN texels more than its sixth of all directions.
    """
    pose = np.zeros((4, 4))
    sign = -1.0 if turned else 1.0
    pose[(axis + 1) % 3, 0], pose[(axis + 2) % 3, 1], pose[axis, 2] = -sign, 1.0, -sign
    pose[:, 3] = *light.position, 1.0
    near, far = light.shadow_range
    return Camera.perspective(
        fov_y=2 * math.atan(side / (side - 2 * MARGIN)),
        world_from_camera=pose,
        **{"width": side, "height": side, "near": near, "far": far, "name": "shadow"},  # type: ignore[arg-type]
    )
