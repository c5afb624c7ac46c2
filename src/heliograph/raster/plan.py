"""What to draw for one camera: culling, levels of detail and order. Pure numpy, no GL."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.raster.prepared import PlacedInstances, Prepared
from heliograph.raster.shapes import BOX_LEVEL
from heliograph.raster.sort_keys import BOXED, Kind, unpack
from heliograph.raster.table import MAX_LEVELS

MAP_RECORD = 13
"""float32 numbers per instance for each camera: camera_from_object (12), and a capsule's length."""

REFLECTED = 3.0
"""How many times larger the error of a level may be where it is only seen in a mirror."""

_ROOM = 3.5  # how much farther than what is in it a box reaches that is turned to the camera
_ROUNDING = 4e-6  # of a vertex's numbers, as a part of the largest: several roundings of a float32
_BOXED = np.where(np.arange(MAX_LEVELS) == BOX_LEVEL, BOXED, 0)


class LodPolicy(NamedTuple):
    """How a picture is drawn, as far as levels of detail depend on it.

    Attributes:
        vertex_lit: whether light is computed per vertex.
        cast: whether rays decide the outline of what is round.
        reflected: whether it is only seen in a mirror, faintly and without depth, so that coarser
            levels do.
    """

    vertex_lit: bool = False
    cast: bool = False
    reflected: bool = False


class Group(NamedTuple):
    """A run of draw commands that one program draws in one call."""

    kind: Kind
    first: int
    number: int


@dataclass(eq=False)
class Plan:
    """Draw commands for one camera.

    Attributes:
        commands: (M, 5) uint32: index count, 1, first index, base vertex, instance.
        opaque, transparent: the groups they fall into, in drawing order.
        maps: (N, MAP_RECORD) float32, a row per instance.
        prepared: what the instances are.
        extreme: whether their scales call for care, as `Scaling` says.
    """

    commands: NDArray[np.uint32]
    opaque: list[Group]
    transparent: list[Group]
    maps: NDArray[np.float32]
    prepared: Prepared
    extreme: bool


def plan(
    placed: PlacedInstances,
    camera: Camera,
    mask: NDArray[np.bool_] | None = None,
    policy: LodPolicy | None = None,
) -> Plan:
    """Cull, choose levels, and order: opaque things by `sort_keys.order`, others back to front.

    Only what `mask` (N,) says may be seen is drawn.
    """
    prepared, view, policy = placed.prepared, camera.camera_from_world, policy or LodPolicy()
    maps = view[:3, :3] @ placed.pose
    maps[:, :, 3] += view[:3, 3]
    seen = placed.centre @ view[:3, :3].T + view[:3, 3]
    depth = -seen[:, 2]
    show = _in_frustum(seen, placed.radius, camera) & placed.show
    if mask is not None:
        show &= mask
    chosen = show.nonzero()[0]
    level = _levels(placed, maps, depth, camera, policy)
    keys, order = placed.key, placed.order
    if policy.cast and prepared.cast is not None:
        boxed = _BOXED[level] & prepared.cast
        keys, order = keys | boxed, order | boxed
    clear = chosen[:0]
    if prepared.clear:
        mask = prepared.transparent[chosen]
        chosen, clear = chosen[~mask], chosen[mask]
        clear = clear[(-depth[clear]).argsort(kind="stable")]
    split, later_first = len(chosen), chosen[::-1]
    chosen = later_first[order[later_first].argsort(kind="stable")]
    if len(clear):
        chosen = np.concatenate([chosen, clear])
    ordered = keys[chosen].tolist()
    records = np.empty((len(maps), MAP_RECORD), np.float32)
    records[:, :12] = maps.reshape(-1, 12)
    records[:, 12] = 0.0 if placed.length is None else placed.length
    return Plan(
        commands=prepared.commands[chosen, level[chosen]],
        opaque=_groups(ordered, 0, split),
        transparent=_groups(ordered, split, len(ordered)),
        maps=records,
        prepared=prepared,
        extreme=placed.scaling.extreme,
    )


def _levels(
    placed: PlacedInstances,
    maps: NDArray[np.float64],
    depth: NDArray[np.float64],
    camera: Camera,
    policy: LodPolicy,
) -> NDArray[np.intp]:
    """The coarsest level of each instance (N,) that does."""
    size = _pixel_sizes(placed, maps, depth, camera)
    cast = placed.prepared.cast
    if policy.cast and cast is not None:
        # Near and far plane must not cut boxes.
        middle, half = (camera.near + camera.far) / 2, (camera.far - camera.near) / 2
        cut = np.abs(depth - middle) + _ROOM * placed.radius >= half
        size[cut & (cast > 0)] = 0
    needed = placed.scaling.pixel[policy.vertex_lit, policy.cast]
    if policy.reflected:
        good = needed <= REFLECTED * size[:, None]
    else:
        distance = np.maximum(depth, camera.near)
        good = (needed <= size[:, None]) & (placed.scaling.far <= distance[:, None])
    good[:, 0] = True  # nothing is finer
    levels: NDArray[np.intp] = np.add.reduce(good, 1, np.intp) - 1
    return levels


def reach(plan: Plan, placed: PlacedInstances, camera: Camera) -> tuple[float, float]:
    """Nearest and farthest depth of what is drawn, as far as the camera sees it, in metres.

    Without perspective depth is equally fine everywhere, so it must not be spread over more than
    that. With it, it is fine enough from the near plane to the far one.
    """
    if camera.projection is Projection.PERSPECTIVE:
        return camera.near, camera.far
    rows = plan.commands[:, 4]
    along, centre, radius = plan.maps[rows, 8:12], placed.centre[rows], placed.radius[rows]
    view = camera.camera_from_world[2]
    depth = -(centre @ view[:3] + view[3])
    around = np.minimum(np.einsum("ni,ni->n", np.abs(along[:, :3]), placed.half[rows]), radius)
    if placed.prepared.cast is not None:
        around = np.where(placed.prepared.cast[rows] > 0, _ROOM * radius, around)
    aside = centre - placed.pose[rows, :, 3]
    around += _ROUNDING * (np.abs(along[:, 3]) + np.abs(aside).sum(1) + radius)
    first, last = np.maximum(depth - around, camera.near), np.minimum(depth + around, camera.far)
    seen = first < last
    if not seen.any():
        return camera.near, camera.far
    return float(first[seen].min()), float(last[seen].max())


def facing(placed: PlacedInstances, camera: Camera) -> NDArray[np.bool_] | None:
    """Which instances may show a front to the camera; None where that is unknown of all.

    There are few planes: they are looked at one by one, which costs less than arrays of them.
    """
    rows = placed.prepared.flat
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
        mask[row] = side * placed.scaling.determinant[row] > 0
    return mask


def _pixel_sizes(
    placed: PlacedInstances, maps: NDArray[np.float64], depth: NDArray[np.float64], camera: Camera
) -> NDArray[np.float64]:
    """How large a pixel is, in metres, where each instance (N,) comes nearest to the camera."""
    pixel = 1 / max(camera.fx, camera.fy)
    if camera.projection is Projection.ORTHOGRAPHIC:
        return np.full(len(depth), pixel)
    reach = np.einsum("ni,ni->n", np.abs(maps[:, 2, :3]), placed.half)
    nearest = depth - np.minimum(reach, placed.radius)
    size: NDArray[np.float64] = pixel * np.maximum(nearest, camera.near)
    return size


def _groups(keys: list[int], start: int, end: int) -> list[Group]:
    """Runs of equal keys."""
    groups = []
    for key, run in groupby(keys[start:end]):
        number = len(list(run))
        groups.append(Group(unpack(key), start, number))
        start += number
    return groups


def _in_frustum(
    seen: NDArray[np.float64], radius: NDArray[np.float64], camera: Camera
) -> NDArray[np.bool_]:
    planes, offset = _planes(
        camera.projection,
        camera.size,
        (camera.fx, camera.fy, camera.cx, camera.cy),
        (camera.near, camera.far),
    )
    inside = seen @ planes + offset > -radius[:, None]
    everywhere: NDArray[np.bool_] = np.logical_and.reduce(inside, axis=1)
    return everywhere


@lru_cache(maxsize=256)
def _planes(
    projection: Projection,
    size: tuple[int, int],
    intrinsics: tuple[float, float, float, float],
    reach: tuple[float, float],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Inward normals (3, 6) of a frustum's six sides in camera axes, and their offsets (6,)."""
    (width, height), (fx, fy, cx, cy), (near, far) = size, intrinsics, reach
    left, right, top, bottom = -cx / fx, (width - cx) / fx, cy / fy, (cy - height) / fy
    rows: list[tuple[Any, ...]]
    if projection is Projection.PERSPECTIVE:
        rows = [(1, 0, left, 0), (-1, 0, -right, 0), (0, -1, -top, 0), (0, 1, bottom, 0)]
    else:
        rows = [(1, 0, 0, -left), (-1, 0, 0, right), (0, -1, 0, top), (0, 1, 0, -bottom)]
    planes = np.array([*rows, (0, 0, -1, -near), (0, 0, 1, far)], float)
    planes /= np.linalg.norm(planes[:, :3], axis=1, keepdims=True)
    return np.ascontiguousarray(planes[:, :3].T), planes[:, 3]
