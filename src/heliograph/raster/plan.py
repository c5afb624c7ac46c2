"""What to draw for one camera: culling, levels of detail and order. Pure numpy, no GL."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.raster.kinds import TRANSPARENT, Kind, unpack
from heliograph.raster.placed import Looks, Placed

REFLECTED = 3.0
"""How many times larger the error may be of what is only seen in a mirror."""


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
        maps: (N, 12) float32 camera_from_object, a row per instance.
        looks: what the instances look like.
    """

    commands: NDArray[np.uint32]
    opaque: list[Group]
    transparent: list[Group]
    maps: NDArray[np.float32]
    looks: Looks


def plan(
    placed: Placed,
    camera: Camera,
    mask: NDArray[np.bool_] | None = None,
    *,
    vertex_lit: bool = False,
    reflected: bool = False,
) -> Plan:
    """Cull, choose levels, and order: opaque front to back by program, then back to front.

    What is only `reflected` shows faintly and without depth: coarser levels do.
    """
    looks, view = placed.looks, camera.camera_from_world
    maps = view[:3, :3] @ placed.pose
    maps[:, :, 3] += view[:3, 3]
    seen = placed.centre @ view[:3, :3].T + view[:3, 3]
    depth = -seen[:, 2]
    show = _in_frustum(seen, placed.radius, camera) & placed.show
    if mask is not None:
        show &= mask
    chosen = show.nonzero()[0]
    far, key = depth[chosen], placed.key[chosen]
    split = len(chosen)
    if looks.clear:
        clear = looks.transparent[chosen]
        far, key = np.where(clear, -far, far), np.where(clear, TRANSPARENT, key)
        split -= int(clear.sum())
    chosen = chosen[np.lexsort((far, key))]
    size = _pixel_sizes(placed, maps, depth, camera)
    needed = placed.scaling.lit_pixel if vertex_lit else placed.scaling.pixel
    if reflected:
        good = needed <= REFLECTED * size[:, None]
    else:
        distance = np.maximum(depth, camera.near)
        good = (needed <= size[:, None]) & (placed.scaling.far <= distance[:, None])
    level = good.sum(1) - 1  # the finest one always does
    keys = placed.key[chosen].tolist()
    return Plan(
        commands=looks.commands[chosen, level[chosen]],
        opaque=_groups(keys, 0, split),
        transparent=_groups(keys, split, len(keys)),
        maps=maps.astype(np.float32).reshape(-1, 12),
        looks=looks,
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
        mask[row] = side * placed.scaling.determinant[row] > 0
    return mask


def _pixel_sizes(
    placed: Placed, maps: NDArray[np.float64], depth: NDArray[np.float64], camera: Camera
) -> NDArray[np.float64]:
    """How large a pixel is, in metres, where each instance (N,) comes nearest to the camera."""
    pixel = 1 / max(camera.fx, camera.fy)
    if camera.projection is Projection.ORTHOGRAPHIC:
        return np.full(len(depth), pixel)
    reach = (np.abs(maps[:, 2, :3]) * placed.half).sum(1)
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
