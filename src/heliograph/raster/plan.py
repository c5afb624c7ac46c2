"""What to draw for one camera: culling, levels of detail and order. Pure numpy, no GL."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.raster.drawables import Instances, Mapping, Shading, Side
from heliograph.raster.store import Tables

LOD_PIXELS = 0.25
"""Largest error of a simplified surface on the picture, pixels."""

RECORD = 37
"""float32 numbers per instance on the GPU: camera_from_object (12), object_from_camera (12), rgba,
surface, texturing (4 each) and the bits of the id."""


@dataclass(frozen=True)
class Group:
    """A run of draw commands that one program draws in one call."""

    solver: int
    shading: Shading
    double_sided: bool
    mirrored: bool
    own_uv: bool
    reflective: bool
    texture: int
    first: int
    count: int


@dataclass(eq=False)
class Placed:
    """Instances prepared once for all cameras; row i is a visible instance.

    Attributes:
        geometry: (N,) handles.
        world_from_object, object_from_world: (N, 3, 4).
        centre, radius, stretch: world bounding spheres, and the largest scale of each map.
        key: (N,) what program an instance needs, packed so that it sorts.
        transparent, casts_shadow, reflective: (N,) bool.
        records: (N, RECORD) float32 for the GPU; the maps are filled in for each camera.
    """

    geometry: NDArray[np.int32]
    world_from_object: NDArray[np.float64]
    object_from_world: NDArray[np.float64]
    centre: NDArray[np.float64]
    radius: NDArray[np.float64]
    stretch: NDArray[np.float64]
    key: NDArray[np.int64]
    transparent: NDArray[np.bool_]
    casts_shadow: NDArray[np.bool_]
    reflective: NDArray[np.bool_]
    records: NDArray[np.float32]


@dataclass(eq=False)
class Plan:
    """Draw commands for one camera.

    Attributes:
        commands: (M, 5) uint32: index count, 1, first index, base vertex, instance.
        opaque, transparent: the groups they fall into, in drawing order.
        records: (N, RECORD) float32, a row per instance.
    """

    commands: NDArray[np.uint32]
    opaque: list[Group]
    transparent: list[Group]
    records: NDArray[np.float32]


def place(instances: Instances, tables: Tables) -> Placed:
    """Prepare the visible instances for drawing from any number of cameras."""
    pose = instances.world_from_object
    inverse, determinant = _invert(pose)
    keep = instances.visible & (np.abs(determinant) > 0) & (instances.rgba[:, 3] > 0)
    if not keep.all():
        instances = _take(instances, keep)
        pose, inverse, determinant = pose[keep], inverse[keep], determinant[keep]
    geometry = instances.geometry
    stretch = np.sqrt((pose[:, :, :3] ** 2).sum(1).max(1, initial=0))
    centre = np.einsum("nij,nj->ni", pose[:, :, :3], tables.centre[geometry]) + pose[:, :, 3]
    return Placed(
        geometry=geometry,
        world_from_object=pose,
        object_from_world=inverse,
        centre=centre,
        radius=tables.radius[geometry] * stretch,
        stretch=stretch,
        key=_key(instances, tables, determinant < 0),
        transparent=instances.rgba[:, 3] < 1,
        casts_shadow=instances.casts_shadow,
        reflective=instances.surface[:, 3] > 0,
        records=_records(instances),
    )


def plan(placed: Placed, camera: Camera, tables: Tables, mask: NDArray[np.bool_] | None) -> Plan:
    """Cull, choose levels, and order: opaque front to back by program, then back to front."""
    view = camera.camera_from_world
    spin, shift = view[:3, :3], view[:3, 3]
    seen = placed.centre @ spin.T + shift
    depth = -seen[:, 2]
    show = _in_frustum(seen, depth, placed.radius, camera)
    if mask is not None:
        show &= mask
    chosen = np.flatnonzero(show)
    clear = placed.transparent[chosen]
    key = np.where(clear, 1 << 40, placed.key[chosen])
    order = np.lexsort((np.where(clear, -depth[chosen], depth[chosen]), key))
    chosen = chosen[order]
    commands = _commands(placed, chosen, _levels(placed, chosen, depth, camera, tables), tables)
    split = len(chosen) - int(clear.sum())
    groups = _groups(placed.key[chosen], split)
    return Plan(
        commands,
        [group for group in groups if group.first < split],
        [group for group in groups if group.first >= split],
        _records_from(placed, camera),
    )


def _records_from(placed: Placed, camera: Camera) -> NDArray[np.float32]:
    """The instances' records with both maps between objects and this camera."""
    view, back = camera.camera_from_world, camera.world_from_camera
    records = placed.records.copy()
    maps = records[:, :24].reshape(-1, 6, 4)
    forward = view[:3, :3] @ placed.world_from_object
    forward[:, :, 3] += view[:3, 3]
    inverse = placed.object_from_world[:, :, :3] @ back[:3]
    inverse[:, :, 3] += placed.object_from_world[:, :, 3]
    maps[:, :3], maps[:, 3:] = forward, inverse
    records[:, :24] = maps.reshape(-1, 24)
    return records


def _levels(
    placed: Placed,
    chosen: NDArray[np.intp],
    depth: NDArray[np.float64],
    camera: Camera,
    tables: Tables,
) -> NDArray[np.intp]:
    """The coarsest level of each instance whose error stays under LOD_PIXELS."""
    focal = max(camera.fx, camera.fy)
    allowed = np.full(len(chosen), LOD_PIXELS / focal)
    if camera.projection is Projection.PERSPECTIVE:
        allowed *= np.maximum(depth[chosen] - placed.radius[chosen], camera.near)
    error = tables.error[placed.geometry[chosen]] * placed.stretch[chosen, None]
    level: NDArray[np.intp] = np.maximum((error <= allowed[:, None]).sum(1) - 1, 0)
    return level


def _commands(
    placed: Placed, chosen: NDArray[np.intp], level: NDArray[np.intp], tables: Tables
) -> NDArray[np.uint32]:
    geometry = placed.geometry[chosen]
    commands = np.empty((len(chosen), 5), np.uint32)
    commands[:, 0] = tables.count[geometry, level]
    commands[:, 1] = 1
    commands[:, 2] = tables.first[geometry, level]
    commands[:, 3] = tables.base[geometry]
    commands[:, 4] = chosen
    return commands


def _groups(keys: NDArray[np.int64], split: int) -> list[Group]:
    """Runs of equal keys; none crosses from the opaque into the transparent."""
    if not len(keys):
        return []
    starts = np.flatnonzero(np.diff(keys)) + 1
    edges = sorted({0, split, len(keys), *starts.tolist()})
    return [_unpack(int(keys[first]), first, end - first) for first, end in pairwise(edges)]


def _key(instances: Instances, tables: Tables, mirrored: NDArray[np.bool_]) -> NDArray[np.int64]:
    double = instances.side == Side.DOUBLE
    textured = (instances.texture >= 0) & (instances.mapping != Mapping.NONE)
    key: NDArray[np.int64] = np.where(textured, instances.texture + 1, 0).astype(np.int64)
    flags = (
        double,
        mirrored,
        textured & (instances.mapping == Mapping.UV),
        instances.surface[:, 3] > 0,
    )
    for place, flag in enumerate(flags):
        key |= flag.astype(np.int64) << (20 + place)
    key |= instances.shading.astype(np.int64) << 24
    key |= np.where(double, 0, tables.solver[instances.geometry]) << 28
    return key


def _unpack(key: int, first: int, count: int) -> Group:
    double, mirrored, own_uv, reflective = (bool(key >> (20 + place) & 1) for place in range(4))
    return Group(
        solver=key >> 28 & 15,
        shading=Shading(key >> 24 & 15),
        double_sided=double,
        mirrored=mirrored,
        own_uv=own_uv,
        reflective=reflective,
        texture=(key & 0xFFFFF) - 1,
        first=first,
        count=count,
    )


def _records(instances: Instances) -> NDArray[np.float32]:
    records = np.empty((len(instances), RECORD), np.float32)
    records[:, 24:28] = instances.rgba
    records[:, 28:32] = instances.surface
    records[:, 30] *= 128
    records[:, 32:35] = instances.texture_scale
    records[:, 35] = 0
    records[:, 36] = instances.ids.astype(np.int32).view(np.float32)
    return records


def _take(instances: Instances, keep: NDArray[np.bool_]) -> Instances:
    return Instances(**{name: rows[keep] for name, rows in vars(instances).items()})


def _invert(pose: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Inverses of (N, 3, 4) affine maps, and determinants; garbage where the latter is 0."""
    a, b, c = pose[:, 0, :3], pose[:, 1, :3], pose[:, 2, :3]
    columns = np.stack([_cross(b, c), _cross(c, a), _cross(a, b)], 2)
    determinant = (a * columns[:, :, 0]).sum(1)
    inverse = np.empty_like(pose)
    inverse[:, :, :3] = columns / np.where(determinant == 0, 1, determinant)[:, None, None]
    inverse[:, :, 3] = -np.einsum("nij,nj->ni", inverse[:, :, :3], pose[:, :, 3])
    return inverse, determinant


def _cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    left, right = [1, 2, 0], [2, 0, 1]
    return a[:, left] * b[:, right] - a[:, right] * b[:, left]


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
