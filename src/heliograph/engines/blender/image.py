"""What Cycles rendered, as our passes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.engines.blender.colour import as_shown
from heliograph.engines.blender.instances import Instances, told_apart
from heliograph.engines.blender.result import (
    COLOUR,
    DEPTH,
    MATERIAL,
    NORMAL,
    OBJECT,
    SKY,
    Pass,
    Passes,
)
from heliograph.frame import Array

NOTHING = np.float32(1e10)
"""Depth of Cycles where nothing is, metres."""

Background = tuple[float, float, float]


class Image:
    """One render, seen from a camera.

    Args:
        camera: whose picture it is; what Blender drew beyond it is left out.
        passes: as Cycles gave them.
    """

    def __init__(self, camera: Camera, passes: Passes) -> None:
        self._camera = camera
        self._passes = self._cropped(passes)

    @cached_property
    def seen(self) -> NDArray[np.bool_]:
        """Whether something is there, (H, W)."""
        return np.asarray(self._passes[DEPTH][..., 0] < NOTHING)

    @cached_property
    def depth(self) -> Pass:
        """Metres along the optical axis, (H, W); inf where nothing is."""
        return np.where(self.seen, self._passes[DEPTH][..., 0], np.float32(np.inf))

    @property
    def distance(self) -> Array:
        """Metres along the ray of the pixel, (H, W)."""
        camera = self._camera
        if camera.projection is Projection.ORTHOGRAPHIC:
            return self.depth
        x = (np.arange(camera.width) + 0.5 - camera.cx) / camera.fx
        y = (np.arange(camera.height) + 0.5 - camera.cy) / camera.fy
        return np.asarray(self.depth * np.sqrt(1 + x * x + (y * y)[:, None]))

    @property
    def normals(self) -> Pass:
        """Of unit length in the camera's axes, (H, W, 3); 0 where nothing is."""
        x, y, z = np.moveaxis(self._passes[NORMAL], -1, 0)
        lengths = np.sqrt(x * x + y * y + z * z)
        shown = self.seen & (lengths > 0)
        scale = np.divide(1, lengths, out=np.zeros_like(lengths), where=shown)
        axes = self._camera.world_from_camera[:3, :3].astype(np.float32).T
        rows = [scale * (x * right + y * up + z * back) for right, up, back in axes]
        return np.stack(rows, axis=-1)

    @property
    def alpha(self) -> Array:
        """How opaque what is seen is, (H, W), 0 to 255."""
        return np.rint(255 * np.clip(self._passes[COLOUR][..., 3], 0, 1))

    def colour(self, scene: Any, background: Background | None, film_open: bool) -> Array:
        """sRGB, (H, W, 3), as the scene's colour management shows it.

        Args:
            scene: a `bpy.types.Scene`.
            background: sRGB; None for the scene's own.
            film_open: whether the scene's own is a transparent film, which shows black.
        """
        light = self._passes[COLOUR].copy()
        if background is None and not film_open:
            light[..., :3] += self._passes[SKY]
            light[..., 3] = 1
        return as_shown(scene, light, background or (0.0, 0.0, 0.0))

    def ids_of_materials(self, ids: Array) -> Array:
        """Ids (H, W), given those of the materials by pass index."""
        return np.where(self.seen, ids[self._index(MATERIAL)], 0)

    def ids_of_objects(
        self, ids: Array, instances: Instances, layer: Any, render: Callable[[], Passes]
    ) -> Array:
        """Ids (H, W).

        Args:
            ids: of the objects by pass index.
            instances: what was rendered.
            layer: the view layer that it is in.
            render: see `told_apart`.
        """
        table, several = instances.by_index(ids)
        index = self._index(OBJECT)
        shown = np.where(self.seen, table[index], 0)
        mixed = self.seen & several[index]
        if not mixed.any():
            return shown
        wanted = np.where(mixed, index, -1)
        rows = told_apart(instances, layer, wanted, self.depth, lambda: self._cropped(render()))
        guess = mixed & (rows < 0)
        points = self._camera.unproject(self._camera.pixel_centres()[guess], self.depth[guess])
        rows[guess] = instances.nearest(index[guess], points)
        shown[mixed] = instances.ids[rows[mixed]]
        return shown

    def _cropped(self, passes: Passes) -> Passes:
        """Without what Blender drew beyond the camera's picture."""
        height, width = self._camera.height, self._camera.width
        return {name: each[:height, :width] for name, each in passes.items()}

    def _index(self, name: str) -> NDArray[np.int64]:
        return np.asarray(np.rint(self._passes[name][..., 0]), np.int64)
