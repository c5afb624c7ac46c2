"""Lays drawn gaussian splats over a picture of something else, pass by pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.frame import Buffers
from heliograph.passes import PassSpec
from heliograph.splats.draw import draw_splats, prepare
from heliograph.splats.gaussians import Gaussians

EXPECTED_DEPTH = PassSpec(
    "expected_depth",
    np.dtype(np.float32),
    0,
    "m",
    np.inf,
    "mean depth of all splats along the ray by how much each is seen, inf where nothing is",
)

OPAQUE = 0.5
"""How opaque splats must be together to be what depth, normals and ids show."""

_SMOOTH = 0.02  # slopes on both sides of a pixel that differ less belong to one surface

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class DrawnSplats:
    """Splats as one camera sees them.

    Attributes:
        colour: (H, W, 3) float32 sRGB, 0 to 1, times `alpha`.
        alpha: (H, W) float32, how opaque they are together, 0 to 1.
        depth: (H, W) float32, metres along the optical axis; inf where `alpha` is below `OPAQUE`.
        expected: (H, W) float32, the mean of their depths by how much each is seen; inf likewise.
        ids: (H, W) int32, which object is at that depth; 0 where that is inf.
    """

    colour: Floats
    alpha: Floats
    depth: Floats
    expected: Floats
    ids: NDArray[np.int32]


def lay_over(arrays: Buffers, camera: Camera, splats: DrawnSplats) -> None:
    """Draw splats over the pictures in these arrays, which show what is behind them."""
    front = np.isfinite(splats.depth)
    for name, array in arrays.items():
        _LAY[name](array, camera, splats, front)


def normals_from_depth(camera: Camera, depth: Floats) -> Floats:
    """Normals (H, W, 3), unit, camera axes, of the surface that depth (H, W) describes.

    The inverse of depth is linear in the image on a plane, so that its slopes say how the plane
    stands. Where the slopes on both sides of a pixel differ, the smaller one belongs to its
    surface; a pixel without neighbours faces the camera.
    """
    parallel = camera.projection is Projection.ORTHOGRAPHIC
    hit = np.isfinite(depth)
    values = np.where(hit, depth, 1.0).astype(np.float64)
    values = values if parallel else 1 / values
    across = _slope(values, hit, 1) * camera.fx
    up = _slope(values, hit, 0) * -camera.fy
    if parallel:
        towards = np.ones_like(values)
        normals = np.stack((across, up, towards), -1)
    else:
        u = (np.arange(camera.width) + 0.5 - camera.cx)[None, :] / camera.fx
        v = (camera.cy - np.arange(camera.height) - 0.5)[:, None] / camera.fy
        normals = np.stack((-across, -up, values - u * across - v * up), -1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    normals[~hit] = 0
    return normals.astype(np.float32)


def _slope(values: NDArray[np.float64], hit: NDArray[np.bool_], axis: int) -> NDArray[np.float64]:
    """Change of values per pixel along an axis."""
    values, hit = np.moveaxis(values, axis, 0), np.moveaxis(hit, axis, 0)
    steps = np.full((len(values) + 1, *values.shape[1:]), np.nan)
    steps[1:-1] = np.where(hit[1:] & hit[:-1], np.diff(values, axis=0), np.nan)
    before, after = steps[:-1], steps[1:]
    smooth = np.abs(after - before) <= _SMOOTH * np.abs(values)
    nearer = np.where(np.abs(after) < np.abs(before), after, before)
    one = np.where(np.isnan(before), after, np.where(np.isnan(after), before, nearer))
    found = np.where(smooth, (before + after) / 2, one)
    return np.moveaxis(np.nan_to_num(found), 0, axis)


def ray_lengths(camera: Camera) -> NDArray[np.float64]:
    """(H, W) how much longer a pixel's ray is than its depth."""
    if camera.projection is Projection.ORTHOGRAPHIC:
        return np.ones((camera.height, camera.width))
    u = (np.arange(camera.width) + 0.5 - camera.cx)[None, :] / camera.fx
    v = (camera.cy - np.arange(camera.height) - 0.5)[:, None] / camera.fy
    lengths: NDArray[np.float64] = np.sqrt(1 + u * u + v * v)
    return lengths


def _blend(behind: NDArray[Any], front: Floats, alpha: Floats) -> NDArray[np.uint8]:
    mixed: NDArray[np.uint8] = np.clip(255 * front + (1 - alpha) * behind + 0.5, 0, 255).astype(
        np.uint8
    )
    return mixed


def _rgb(array: Any, _: Camera, splats: DrawnSplats, __: NDArray[np.bool_]) -> None:
    array[...] = _blend(array, splats.colour, splats.alpha[..., None])


def _alpha(array: Any, _: Camera, splats: DrawnSplats, __: NDArray[np.bool_]) -> None:
    array[...] = _blend(array, splats.alpha, splats.alpha)


def _depth(array: Any, _: Camera, splats: DrawnSplats, front: NDArray[np.bool_]) -> None:
    array[front] = splats.depth[front]


def _expected(array: Any, _: Camera, splats: DrawnSplats, front: NDArray[np.bool_]) -> None:
    array[front] = splats.expected[front]


def _distance(array: Any, camera: Camera, splats: DrawnSplats, front: NDArray[np.bool_]) -> None:
    array[front] = (splats.depth * ray_lengths(camera))[front]


def _normals(array: Any, camera: Camera, splats: DrawnSplats, front: NDArray[np.bool_]) -> None:
    array[front] = normals_from_depth(camera, splats.expected)[front]


def _segmentation(array: Any, _: Camera, splats: DrawnSplats, front: NDArray[np.bool_]) -> None:
    array[front] = splats.ids[front]


_LAY: Mapping[str, Callable[[Any, Camera, DrawnSplats, NDArray[np.bool_]], None]] = (
    MappingProxyType(
        {
            "rgb": _rgb,
            "alpha": _alpha,
            "depth": _depth,
            "distance": _distance,
            "normals": _normals,
            "segmentation": _segmentation,
            EXPECTED_DEPTH.name: _expected,
        }
    )
)


def joined(parts: Sequence[Gaussians]) -> Gaussians:
    """All splats of these, one after the other."""
    if len(parts) == 1:
        return parts[0]
    most = max(each.sh.shape[1] for each in parts)
    padded = [np.pad(each.sh, ((0, 0), (0, most - each.sh.shape[1]), (0, 0))) for each in parts]
    return Gaussians(
        positions=np.concatenate([each.positions for each in parts]),
        scales=np.concatenate([each.scales for each in parts]),
        rotations=np.concatenate([each.rotations for each in parts]),
        opacities=np.concatenate([each.opacities for each in parts]),
        sh=np.concatenate(padded),
    )


class Cloud:
    """Splats of several objects in the world, sorted and drawn together.

    Args:
        parts: splats in the world, and the id of the object they are.

    Raises:
        MissingDependencyError: the native module is not there.
    """

    def __init__(self, parts: Sequence[tuple[Gaussians, int]]) -> None:
        self._ids = np.repeat(
            np.array([number for _, number in parts], np.int32), [len(each) for each, _ in parts]
        )
        self._prepared = prepare(joined([each for each, _ in parts]))

    def draw(self, camera: Camera, depth_behind: Floats | None = None) -> DrawnSplats:
        """The splats from a camera.

        Args:
            camera: from where.
            depth_behind: (H, W), metres along the optical axis, what hides splats behind it.
        """
        made = draw_splats(self._prepared, camera, depth_behind=depth_behind)
        front = made["index"] >= 0
        ids = np.where(front, self._ids[made["index"]], 0).astype(np.int32)
        # A splat whose centre is between near and far may reach beyond them.
        depth, expected = (
            np.where(front, np.clip(made[name], camera.near, camera.far), np.float32(np.inf))
            for name in ("median_depth", "depth")
        )
        return DrawnSplats(made["colour"], made["alpha"], depth, expected, ids)
