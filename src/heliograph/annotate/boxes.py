"""Boxes in the picture: tight round what is seen of objects, loose round their 3D boxes.

Boxes are in pixels, (x0, y0, x1, y1), between the edges of pixels: the first pixel alone is
(0, 0, 1, 1), so that x1 - x0 is how many columns a box covers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heliograph.annotate.places import Poses, shown_rows, world_corners, world_poses
from heliograph.annotate.runs import runs_of
from heliograph.annotate.silhouettes import seen_faces
from heliograph.camera import Camera
from heliograph.poses import Floats
from heliograph.scene.objects import ObjectTable


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes of objects in one picture.

    Attributes:
        ids: (N,) int32 segmentation ids, ascending.
        xyxy: (N, 4) float64 left, top, right, bottom, pixels; NaN for an object without a box.
    """

    ids: NDArray[np.int32]
    xyxy: Floats

    @property
    def xywh(self) -> Floats:
        """(N, 4) left, top, width, height, as COCO has them."""
        return np.concatenate([self.xyxy[:, :2], self.xyxy[:, 2:] - self.xyxy[:, :2]], 1)

    def of(self, number: int) -> Floats:
        """The box (4,) of an id; NaN where there is none."""
        found = np.flatnonzero(self.ids == number)
        return self.xyxy[found[0]] if len(found) else np.full(4, np.nan)


@dataclass(frozen=True, eq=False)
class SeenBoxes(Boxes):
    """Boxes round what is seen.

    Attributes:
        areas: (N,) how many pixels show each object.
    """

    areas: NDArray[np.intp]


def tight_boxes(segmentation: ArrayLike) -> SeenBoxes:
    """The boxes that hold just the pixels of each id; all objects in one pass.

    Args:
        segmentation: (H, W) ids; the background, 0, has no box.
    """
    runs = runs_of(segmentation)
    count = len(runs.known)
    low, high = np.full((2, count), np.inf), np.full((2, count), -np.inf)
    for axis, starts, stops in ((0, runs.starts, runs.stops), (1, runs.rows, runs.rows + 1)):
        np.minimum.at(low[axis], runs.places, starts)
        np.maximum.at(high[axis], runs.places, stops)
    areas = np.bincount(runs.places, runs.stops - runs.starts, count).astype(np.intp)
    seen = runs.known != 0
    boxes = np.concatenate([low, high]).T
    return SeenBoxes(runs.known[seen].astype(np.int32), boxes[seen], areas[seen])


def loose_boxes(
    camera: Camera, objects: ObjectTable, poses: Poses = None, *, amodal: bool = False
) -> Boxes:
    """The boxes round the 3D boxes of all objects as a camera sees them, whatever hides them.

    A 3D box is first cut at the near and the far plane of the camera and, unless `amodal`, at the
    edges of the picture. An object that the
    segmentation shows as one but that has several boxes, as a body of several shapes, has the box
    round them all. NaN for what has no 3D box, is not between the planes, or, unless `amodal`, not
    in the picture.

    Args:
        camera: as it was used, `frame.camera`.
        objects: the scene's object table.
        poses: see `world_poses`.
        amodal: round the whole object, also outside the picture.
    """
    rows, places, ids = shown_rows(objects)
    corners = world_corners(objects, world_poses(objects, poses))[rows]
    bounds = seen_faces(camera, corners, inside=not amodal).bounds()
    low, high = np.full((len(ids), 2), np.inf), np.full((len(ids), 2), -np.inf)
    np.fmin.at(low, places, bounds[:, :2])
    np.fmax.at(high, places, bounds[:, 2:])
    boxes = np.concatenate([low, high], 1)
    boxes[~np.isfinite(boxes).all(1)] = np.nan
    return Boxes(ids, boxes)
