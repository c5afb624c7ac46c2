"""Splats and meshes in one picture.

A `Splat` is an instance like any other, of a geometry without triangles that is as large as its
splats; so edits, visibility and bounding boxes know it. The rasterizer draws the meshes. Then all
splats that are visible are sorted together and laid over them, each as far as no mesh hides it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.engines.shared.splats import Cloud, lay_over
from heliograph.frame import Buffers
from heliograph.raster import DrawList, Instances, Rasterizer
from heliograph.splats.gaussians import Gaussians


class _Placed(NamedTuple):
    """Splats of one object: as their file has them, where (3, 4) and in the world; its id."""

    own: Gaussians
    pose: NDArray[np.float64]
    here: Gaussians
    id: int


class SplatCompositor:
    """Draws a scene with its splats.

    Args:
        rasterizer: draws the meshes.
        splats: what the geometries that stand in for splats stand for, by handle.
    """

    def __init__(self, rasterizer: Rasterizer, splats: Mapping[int, Gaussians]) -> None:
        self._rasterizer = rasterizer
        self._splats = splats
        self._last: tuple[list[_Placed], Cloud] | None = None

    def draw(
        self,
        scene: DrawList,
        cameras: Sequence[Camera],
        passes: Sequence[str],
        out: Sequence[Buffers],
    ) -> None:
        """Draw one state of a scene from each camera; see `Rasterizer.draw`."""
        rows = self._rows(scene.instances)
        if not len(rows):
            self._rasterizer.draw(scene, cameras, passes, out)
            return
        cloud = self._cloud(scene.instances, rows)
        drawn = list(passes) if "depth" in passes else [*passes, "depth"]
        sizes = [(camera.height, camera.width) for camera in cameras]
        whole = [
            {"depth": np.empty(size, np.float32), **each}
            for size, each in zip(sizes, out, strict=True)
        ]
        self._rasterizer.draw(scene, cameras, drawn, whole)
        self._rasterizer.settle()
        for camera, arrays, each in zip(cameras, whole, out, strict=True):
            lay_over(each, camera, cloud.draw(camera, np.array(arrays["depth"])))

    def _rows(self, instances: Instances) -> NDArray[np.intp]:
        """The instances that stand for splats that are visible."""
        if not self._splats:
            return np.empty(0, np.intp)
        shown = np.isin(instances.table.geometry, list(self._splats))
        return np.flatnonzero(shown & instances.transforms.visible)

    def _cloud(self, instances: Instances, rows: NDArray[np.intp]) -> Cloud:
        """Their splats in the world; those that stand where they stood are not moved again."""
        before = [] if self._last is None else self._last[0]
        placed, handles = list[_Placed](), instances.table.geometry[rows].tolist()
        poses, ids = instances.transforms.world_from_object[rows], instances.table.ids[rows]
        for handle, pose, number in zip(handles, poses, ids.tolist(), strict=True):
            own = self._splats[handle]
            same = (each for each in before if each.own is own and (each.pose == pose).all())
            here = next((each.here for each in same), None)
            if here is None:
                here = own.transformed(np.vstack([pose, [0, 0, 0, 1]]))
            placed.append(_Placed(own, pose.copy(), here, number))
        if self._last is None or not _equal(self._last[0], placed):
            self._last = placed, Cloud([(each.here, each.id) for each in placed])
        return self._last[1]


def _equal(one: Sequence[_Placed], other: Sequence[_Placed]) -> bool:
    """Whether these are the same splats in the same places, and the same objects."""
    pairs = zip(one, other, strict=False)
    return len(one) == len(other) and all(a.here is b.here and a.id == b.id for a, b in pairs)
