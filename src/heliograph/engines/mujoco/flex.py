"""Flexes (cloth, soft bodies, ropes): triangles that move with every state."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from heliograph.raster import Geometry

_SLICES = 12
_RINGS = 5

Array = NDArray[Any]


class Flex:
    """The surface of one flex: MuJoCo's skin of it, or round edges for a rope.

    Args:
        model: the compiled model.
        scene: MuJoCo's abstract scene of it.
        index: which flex.
    """

    def __init__(self, model: mujoco.MjModel, scene: mujoco.MjvScene, index: int) -> None:
        self._scene = scene
        self._index = index
        self._radius = float(model.flex_radius[index])
        self._round = int(model.flex_dim[index]) == 1
        start, count = int(scene.flexfaceadr[index]), int(scene.flexfacenum[index])
        self._faces = slice(start, start + count)
        start, count = int(scene.flexvertadr[index]), int(scene.flexvertnum[index])
        self._vertices = slice(start, start + count)
        start, count = int(scene.flexedgeadr[index]), int(scene.flexedgenum[index])
        edges = np.reshape(scene.flexedge, (-1, 2))[start : start + count]
        self._edges = np.array(edges)
        self._ball, self._ball_triangles = _ball()

    def geometry(self) -> Geometry:
        """Its triangles, before any state."""
        triangles = self._triangles()
        blank = np.zeros((int(triangles.max(initial=-1)) + 1, 3))
        up = np.tile([0.0, 0, 1], (len(blank), 1))
        return Geometry(blank, triangles, up, simplify=False, name=f"flex {self._index}")

    def place(self) -> tuple[Array, Array]:
        """Positions and normals (V, 3) of its vertices in the scene's last update."""
        if self._round:
            return self._rope()
        points = np.array(np.reshape(self._scene.flexface, (-1, 9))[self._faces])
        normals = np.array(np.reshape(self._scene.flexnormal, (-1, 9))[self._faces])
        points[int(self._scene.flexfaceused[self._index]) :] = 0
        return points.reshape(-1, 3), normals.reshape(-1, 3)

    def _triangles(self) -> Array:
        if not self._round:
            return np.arange(3 * (self._faces.stop - self._faces.start)).reshape(-1, 3)
        here = np.arange(_SLICES)
        after = (here + 1) % _SLICES
        side = np.concatenate(
            [
                np.stack([here, after, after + _SLICES], 1),
                np.stack([here, after + _SLICES, here + _SLICES], 1),
            ]
        )
        tubes = side + np.arange(len(self._edges))[:, None, None] * 2 * _SLICES
        base = len(self._edges) * 2 * _SLICES
        count = self._vertices.stop - self._vertices.start
        balls = base + self._ball_triangles + np.arange(count)[:, None, None] * len(self._ball)
        return np.concatenate([tubes.reshape(-1, 3), balls.reshape(-1, 3)])

    def _rope(self) -> tuple[Array, Array]:
        places = np.reshape(self._scene.flexvert, (-1, 3))[self._vertices].astype(float)
        ends = places[self._edges]
        along = ends[:, 1] - ends[:, 0]
        length = np.linalg.norm(along, axis=1, keepdims=True)
        along = along / np.where(length > 0, length, 1)
        across = np.cross(along, np.eye(3)[np.abs(along).argmin(1)])
        across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12)
        third = np.cross(along, across)
        angle = np.arange(_SLICES) * (2 * np.pi / _SLICES)
        ring = (
            np.cos(angle)[None, :, None] * across[:, None]
            + np.sin(angle)[None, :, None] * third[:, None]
        )
        tubes = ends[:, :, None] + self._radius * ring[:, None]
        balls = places[:, None] + self._radius * self._ball
        normals = [np.repeat(ring[:, None], 2, 1), np.broadcast_to(self._ball, balls.shape)]
        return (
            np.concatenate([tubes.reshape(-1, 3), balls.reshape(-1, 3)]),
            np.concatenate([part.reshape(-1, 3) for part in normals]),
        )


def _ball() -> tuple[Array, Array]:
    """A unit sphere: points (P, 3), which are its normals too, and triangles."""
    latitude = np.linspace(-np.pi / 2, np.pi / 2, _RINGS + 2)
    angle = np.arange(_SLICES) * (2 * np.pi / _SLICES)
    rings = [
        np.stack(
            [np.cos(a) * np.cos(angle), np.cos(a) * np.sin(angle), np.full(_SLICES, np.sin(a))], 1
        )
        for a in latitude
    ]
    grid = np.arange(len(rings) * _SLICES).reshape(len(rings), _SLICES)
    right = np.roll(grid, -1, 1)
    halves = [
        np.stack([grid[:-1], right[:-1], right[1:]], -1),
        np.stack([grid[:-1], right[1:], grid[1:]], -1),
    ]
    return np.concatenate(rings), np.concatenate([half.reshape(-1, 3) for half in halves])
