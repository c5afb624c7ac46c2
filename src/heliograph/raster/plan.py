"""What to draw for one camera: culling, levels of detail and order. Pure numpy, no GL.

Three steps, each kept as long as its input stays: `compile_looks` (what things look like), `place`
(where they are in one state), `plan` (what one camera sees of them, in which order).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.raster.drawables import Instances, Mapping, Shading, Shape, Side
from heliograph.raster.store import Tables

LOD_PIXELS = 0.25
"""Largest error of a simplified surface on the picture, pixels."""

LOD_DEPTH = 1e-3
"""Largest error of a simplified surface as a part of its distance."""

LOOKS_RECORD = 15
"""float32 numbers per instance that only its looks decide: rgba, surface, texturing (4 each), the
bits of the id, and the texture's offset (2)."""

_CLEAR = 1 << 40
_WIDEST = 31
_FLOOR_BIT = 38


@dataclass(frozen=True)
class Kind:
    """What program and state a group of instances needs."""

    solver: int
    shading: Shading
    double_sided: bool
    mirrored: bool
    own_uv: bool
    reflective: bool
    texture: int
    line: int  # width in pixels, 0 for triangles


class Group(NamedTuple):
    """A run of draw commands that one program draws in one call."""

    kind: Kind
    first: int
    number: int


@dataclass(eq=False)
class Looks:
    """What instances look like, prepared; row i is instance i.

    Attributes:
        geometry: (N,) handles.
        key: (N,) what program an instance needs, packed so that it sorts.
        drawn, transparent, casts_shadow: (N,) bool.
        flat: rows of one-sided planes.
        records: (N, LOOKS_RECORD) float32 for the GPU.
        error, lit_pixels, first, count, base: the rows of Tables of each instance's geometry.
        mesh: (N,) bool, what is no exact shape.
        clear: whether anything is transparent.
    """

    geometry: NDArray[np.int32]
    key: NDArray[np.int64]
    drawn: NDArray[np.bool_]
    transparent: NDArray[np.bool_]
    casts_shadow: NDArray[np.bool_]
    flat: NDArray[np.intp]
    records: NDArray[np.float32]
    error: NDArray[np.float64]
    lit_pixels: NDArray[np.float64]
    first: NDArray[np.uint32]
    count: NDArray[np.uint32]
    base: NDArray[np.uint32]
    mesh: NDArray[np.bool_]
    clear: bool


@dataclass(eq=False)
class Placed:
    """Instances of one state; row i is instance i.

    Attributes:
        looks: what they look like.
        pose: (N, 3, 4) world_from_object.
        determinant: (N,) of its linear part.
        centre, radius, stretch: world bounding spheres, and the largest scale of each map.
        key: (N,) as in Looks, with what mirrored maps need.
        show: (N,) bool, what can be seen at all.
    """

    looks: Looks
    pose: NDArray[np.float64]
    determinant: NDArray[np.float64]
    centre: NDArray[np.float64]
    radius: NDArray[np.float64]
    stretch: NDArray[np.float64]
    key: NDArray[np.int64]
    show: NDArray[np.bool_]


@dataclass(eq=False)
class Plan:
    """Draw commands for one camera.

    Attributes:
        commands: (M, 5) uint32: index count, 1, first index, base vertex, instance.
        opaque, transparent: the groups they fall into, in drawing order.
        maps: (N, 12) float32 camera_from_object, a row per instance.
        looks: what the instances look like.
    """

    commands: NDArray[np.uint32]
    opaque: list[Group]
    transparent: list[Group]
    maps: NDArray[np.float32]
    looks: Looks


def compile_looks(instances: Instances, tables: Tables) -> Looks:
    """Prepare what does not move; the arrays are made read-only, since the result is kept."""
    for name, rows in vars(instances).items():
        if isinstance(rows, np.ndarray) and name not in ("world_from_object", "visible"):
            rows.flags.writeable = False
    one_sided, geometry = instances.side == Side.FRONT, instances.geometry
    return Looks(
        geometry=geometry,
        key=_key(instances, tables),
        drawn=instances.rgba[:, 3] > 0,
        transparent=instances.rgba[:, 3] < 1,
        casts_shadow=instances.casts_shadow,
        flat=np.flatnonzero(tables.plane[geometry] & one_sided),
        records=_records(instances),
        error=tables.error[geometry],
        lit_pixels=tables.lit_pixels[geometry],
        first=tables.first[geometry],
        count=tables.count[geometry],
        base=tables.base[geometry],
        mesh=tables.solver[geometry] == 0,
        clear=bool((instances.rgba[:, 3] < 1).any()),
    )


def place(
    looks: Looks, pose: NDArray[np.float64], visible: NDArray[np.bool_], tables: Tables
) -> Placed:
    """Prepare one state for drawing from any number of cameras."""
    linear = pose[:, :, :3]
    determinant = _determinant(linear)
    stretch = np.sqrt((linear * linear).sum(1).max(1, initial=0))
    centre = (linear * tables.centre[looks.geometry][:, None, :]).sum(2) + pose[:, :, 3]
    mirrored = determinant < 0
    return Placed(
        looks=looks,
        pose=pose,
        determinant=determinant,
        centre=centre,
        radius=tables.radius[looks.geometry] * stretch,
        stretch=stretch,
        key=looks.key | (mirrored.astype(np.int64) << 21) if mirrored.any() else looks.key,
        show=visible & looks.drawn & (determinant != 0),
    )


def plan(
    placed: Placed,
    camera: Camera,
    mask: NDArray[np.bool_] | None = None,
    *,
    vertex_lit: bool = False,
) -> Plan:
    """Cull, choose levels, and order: opaque front to back by program, then back to front."""
    looks, view = placed.looks, camera.camera_from_world
    seen = placed.centre @ view[:3, :3].T + view[:3, 3]
    depth = -seen[:, 2]
    show = _in_frustum(seen, depth, placed.radius, camera) & placed.show
    if mask is not None:
        show &= mask
    chosen = show.nonzero()[0]
    far, key = depth[chosen], placed.key[chosen]
    split = len(chosen)
    if looks.clear:
        clear = looks.transparent[chosen]
        far, key = np.where(clear, -far, far), np.where(clear, _CLEAR, key)
        split -= int(clear.sum())
    chosen = chosen[np.lexsort((far, key))]
    level = _levels(placed, depth, camera, vertex_lit)
    groups = _groups(placed.key[chosen], split)
    return Plan(
        _commands(looks, chosen, level[chosen]),
        [group for group in groups if group.first < split],
        [group for group in groups if group.first >= split],
        _maps(placed.pose, view),
        looks,
    )


def facing(placed: Placed, camera: Camera) -> NDArray[np.bool_] | None:
    """Which instances may show a front to the camera; None where that is unknown of all.

    There are few planes: they are looked at one by one, which costs less than arrays of them.
    """
    rows = placed.looks.flat
    if not len(rows):
        return None
    eye, ahead = camera.world_from_camera[:3, 3].tolist(), camera.world_from_camera[:3, 2].tolist()
    parallel = camera.projection is Projection.ORTHOGRAPHIC
    mask = np.ones(len(placed.pose), bool)
    for row in rows.tolist():
        (a, b, _, x), (d, e, _, y), (g, h, _, z) = placed.pose[row].tolist()
        if parallel:
            u, v, w = ahead
        else:
            u, v, w = eye[0] - x, eye[1] - y, eye[2] - z
        # How far the camera is along the normal, which is the cross product of the two axes.
        side = u * (d * h - g * e) + v * (g * b - a * h) + w * (a * e - d * b)
        mask[row] = side * placed.determinant[row] > 0
    return mask


def _maps(pose: NDArray[np.float64], view: NDArray[np.float64]) -> NDArray[np.float32]:
    """camera_from_object (N, 12) of objects with these poses."""
    count = len(pose)
    columns = view[:3, :3] @ pose.transpose(1, 0, 2).reshape(3, -1)
    maps = np.empty((count, 3, 4), np.float32)
    maps[:] = columns.reshape(3, count, 4).transpose(1, 0, 2)
    maps[:, :, 3] = columns.reshape(3, count, 4)[:, :, 3].T + view[:3, 3]
    return maps.reshape(-1, 12)


def _levels(
    placed: Placed, depth: NDArray[np.float64], camera: Camera, vertex_lit: bool
) -> NDArray[np.intp]:
    """The coarsest level of each instance whose error stays within what cannot be seen."""
    looks, pixel = placed.looks, 1 / max(camera.fx, camera.fy)
    if camera.projection is Projection.PERSPECTIVE:
        size = pixel * np.maximum(depth - placed.radius, camera.near)  # at the nearest point
    else:
        size = np.full(len(depth), pixel)
    allowed = LOD_PIXELS * size
    far = LOD_DEPTH * np.maximum(depth, camera.near)
    allowed = np.where(looks.mesh, np.minimum(allowed, far), allowed)
    good = looks.error * placed.stretch[:, None] <= allowed[:, None]
    if vertex_lit:
        good &= (placed.stretch / size)[:, None] <= looks.lit_pixels
    level: NDArray[np.intp] = np.maximum(good.sum(1) - 1, 0)
    return level


def _commands(
    looks: Looks, chosen: NDArray[np.intp], level: NDArray[np.intp]
) -> NDArray[np.uint32]:
    commands = np.empty((len(chosen), 5), np.uint32)
    commands[:, 0] = looks.count[chosen, level]
    commands[:, 1] = 1
    commands[:, 2] = looks.first[chosen, level]
    commands[:, 3] = looks.base[chosen]
    commands[:, 4] = chosen
    return commands


def _groups(keys: NDArray[np.int64], split: int) -> list[Group]:
    """Runs of equal keys; none crosses from the opaque into the transparent."""
    if not len(keys):
        return []
    starts = (np.flatnonzero(keys[1:] != keys[:-1]) + 1).tolist()
    edges = sorted({0, split, len(keys), *starts})
    return [Group(_unpack(int(keys[a])), a, b - a) for a, b in pairwise(edges)]


def _key(instances: Instances, tables: Tables) -> NDArray[np.int64]:
    double = instances.side == Side.DOUBLE
    textured = (instances.texture >= 0) & (instances.mapping != Mapping.NONE)
    key: NDArray[np.int64] = np.where(textured, instances.texture + 1, 0).astype(np.int64)
    key |= double.astype(np.int64) << 20
    key |= (textured & (instances.mapping == Mapping.UV)).astype(np.int64) << 22
    key |= (instances.surface[:, 3] > 0).astype(np.int64) << 23
    key |= instances.shading.astype(np.int64) << 24
    key |= np.where(double, 0, tables.solver[instances.geometry]) << 28
    width = np.clip(np.rint(instances.texture_scale[:, 0]), 1, _WIDEST).astype(np.int64)
    key |= np.where(instances.geometry == Shape.LINE, width, 0) << 32
    # Planes last: most of a floor is behind other things.
    key |= tables.plane[instances.geometry].astype(np.int64) << _FLOOR_BIT
    return key


@lru_cache(maxsize=4096)
def _unpack(key: int) -> Kind:
    double, mirrored, own_uv, reflective = (bool(key >> (20 + place) & 1) for place in range(4))
    return Kind(
        solver=key >> 28 & 15,
        shading=Shading(key >> 24 & 15),
        double_sided=double,
        mirrored=mirrored,
        own_uv=own_uv,
        reflective=reflective,
        texture=(key & 0xFFFFF) - 1,
        line=key >> 32 & _WIDEST,
    )


def _records(instances: Instances) -> NDArray[np.float32]:
    records = np.zeros((len(instances), LOOKS_RECORD), np.float32)
    records[:, 0:4] = instances.rgba
    records[:, 4:8] = instances.surface
    records[:, 6] *= 128
    records[:, 8:11] = instances.texture_scale
    records[:, 12] = instances.ids.astype(np.int32).view(np.float32)
    if instances.texture_offset is not None:
        records[:, 13:15] = instances.texture_offset
    return records


def _determinant(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Determinants (N,) of (N, 3, 3)."""
    (a, b, c), (d, e, f), (g, h, i) = np.ascontiguousarray(matrices.transpose(1, 2, 0))
    result: NDArray[np.float64] = a * (e * i - f * h) + b * (f * g - d * i) + c * (d * h - e * g)
    return result


def _in_frustum(
    seen: NDArray[np.float64],
    depth: NDArray[np.float64],
    radius: NDArray[np.float64],
    camera: Camera,
) -> NDArray[np.bool_]:
    planes, offset = _side_planes(
        camera.projection, camera.size, (camera.fx, camera.fy, camera.cx, camera.cy)
    )
    inside = (seen @ planes.T + offset > -radius[:, None]).all(1)
    result: NDArray[np.bool_] = (
        inside & (depth + radius > camera.near) & (depth - radius < camera.far)
    )
    return result


@lru_cache(maxsize=256)
def _side_planes(
    projection: Projection, size: tuple[int, int], intrinsics: tuple[float, float, float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Inward normals (4, 3) of a picture's four sides in camera axes, and their offsets (4,)."""
    (width, height), (fx, fy, cx, cy) = size, intrinsics
    left, right, top, bottom = -cx / fx, (width - cx) / fx, cy / fy, (cy - height) / fy
    rows: list[tuple[Any, ...]]
    if projection is Projection.PERSPECTIVE:
        rows = [(1, 0, left, 0), (-1, 0, -right, 0), (0, -1, -top, 0), (0, 1, bottom, 0)]
    else:
        rows = [(1, 0, 0, -left), (-1, 0, 0, right), (0, -1, 0, top), (0, 1, 0, -bottom)]
    planes = np.array(rows, float)
    planes /= np.linalg.norm(planes[:, :3], axis=1, keepdims=True)
    return planes[:, :3], planes[:, 3]
