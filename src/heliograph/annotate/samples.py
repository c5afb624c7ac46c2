"""Annotations of whole samples, as plain data that is recorded and sent along with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from heliograph.annotate.boxes import Boxes, SeenBoxes, loose_boxes, tight_boxes
from heliograph.annotate.contours import flat_polygons
from heliograph.annotate.keypoints import TOLERANCE, keypoints
from heliograph.annotate.masks import label_of, rles
from heliograph.annotate.oriented import OrientedBoxes, oriented_boxes
from heliograph.annotate.places import Poses, world_poses
from heliograph.annotate.visibility import estimated_occlusion, occlusion, truncation
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.frame import Frame, Sample
from heliograph.poses import Floats
from heliograph.scene.objects import ObjectTable

Kind: TypeAlias = Literal[
    "box",
    "loose_box",
    "amodal_box",
    "box_3d",
    "camera_box_3d",
    "occluded",
    "truncated",
    "rle",
    "polygons",
]
"""What may be said of an object."""

Column: TypeAlias = Mapping[int, Any]
"""Plain data by segmentation id."""


def annotate(
    sample: Sample,
    objects: ObjectTable,
    what: Sequence[Kind] = ("box",),
    *,
    poses: Poses = None,
    alone: Mapping[str, SeenBoxes] | None = None,
    hidden: bool = False,
) -> Sample:
    """The sample with `annotations["objects"]`: by camera, a list with a dict for each object.

    Each has `id`, `name`, `category`, `area` (pixels seen) and, of `what`, all that there is of it:
    `box`, `loose_box` and `amodal_box` are [x0, y0, x1, y1] in pixels, a 3D box has `centre`,
    `half_sizes` and `rotation` (in the world's or the camera's axes), `occluded` and `truncated`
    are parts of 1, `rle` is COCO's and `polygons` are lists [x, y, x, y, ...]. All of it is plain
    data. Other annotations that the sample has stay.

    Args:
        sample: frames with the pass `segmentation`.
        objects: the object table of its scene.
        what: what to say.
        poses: where objects are that have moved since the scene was opened; see `world_poses`.
            What comes from 3D boxes needs it where the sample shows a state: {} says that nothing
            moved.
        alone: by camera, what `unhidden` found: `amodal_box` and `occluded` are taken from there,
            where without it they come from 3D boxes.
        hidden: whether objects with a 3D box that lies in the picture but of which nothing is
            seen are listed too.

    Raises:
        UnknownNameError: there is no such thing to say, or a frame has no segmentation.
        InvalidValueError: the sample shows a state, and nobody says where its objects are.
        MissingDependencyError: `rle` without pycocotools.
    """
    for each in what:
        if each not in _KINDS:
            raise UnknownNameError.of("kind of annotation", each, _KINDS)
    from_boxes = [each for each in what if each in (_FROM_BOXES if alone else _FROM_TABLE)]
    if poses is None and from_boxes and sample.state:
        raise InvalidValueError(
            f"{from_boxes[0]}: the sample shows a state ({', '.join(sample.state)}), so objects "
            "may be elsewhere than in the table; give poses= by name of what moved, {} for nothing"
        )
    worlds = world_poses(objects, poses)
    boxes = oriented_boxes(objects, worlds)
    told = {
        name: _Annotator(frame, objects, worlds, boxes, (alone or {}).get(name)).rows(what, hidden)
        for name, frame in sample.frames.items()
    }
    return replace(sample, annotations={**sample.annotations, "objects": told})


def annotate_keypoints(
    sample: Sample, points: Mapping[str, ArrayLike], *, tolerance: float = TOLERANCE
) -> Sample:
    """The sample with `annotations["keypoints"]`: by camera, and by the names given.

    Each has `pixels` ([x, y], or null where a point is not in front of the camera), `depth` and
    `visible`, lists of one length; see `keypoints`. Other annotations that the sample has stay.

    Args:
        sample: frames with the pass `depth`.
        points: by a name, (K, 3) world points, metres.
        tolerance: see `keypoints`.

    Raises:
        InvalidValueError: no such points.
        UnknownNameError: a frame has no depth.
    """
    told: dict[str, dict[str, Any]] = {name: {} for name in sample.frames}
    for name, row in points.items():
        if np.ndim(row) != 2:
            raise InvalidValueError(f"points[{name!r}]: expected (K, 3), got {np.shape(row)}")
        for camera, frame in sample.frames.items():
            found = keypoints(frame, row, tolerance=tolerance)
            pixels: list[list[float]] = found.pixels.tolist()
            depth: list[float] = found.depth.tolist()
            told[camera][name] = {
                "pixels": [None if math.isnan(each[0]) else each for each in pixels],
                "depth": [None if math.isnan(each) else each for each in depth],
                "visible": found.visible.tolist(),
            }
    return replace(sample, annotations={**sample.annotations, "keypoints": told})


class _Annotator:
    """Says things of the objects in one frame, each as a column by segmentation id."""

    def __init__(
        self,
        frame: Frame,
        objects: ObjectTable,
        worlds: Floats,
        boxes: OrientedBoxes,
        alone: SeenBoxes | None,
    ) -> None:
        self.frame, self.objects, self.worlds = frame, objects, worlds
        self.boxes, self.alone = boxes, alone
        self.seen = tight_boxes(frame.segmentation)

    def rows(self, what: Sequence[Kind], hidden: bool) -> list[dict[str, Any]]:
        """A dict for each object, by id."""
        labels = {**self.objects.labels, **self.frame.labels}
        areas = dict(zip(self.seen.ids.tolist(), self.seen.areas.tolist(), strict=True))
        listed = {*areas, *(self._boxes(self._loose(amodal=False)) if hidden else ())}
        columns: dict[str, Column] = {kind: _KINDS[kind](self) for kind in what}
        rows: list[dict[str, Any]] = []
        for number in sorted(listed):
            name, category = label_of(labels, number)
            area = areas.get(number, 0)
            row = {"id": number, "name": name, "category": category, "area": area}
            said = {kind: told[number] for kind, told in columns.items() if number in told}
            rows.append({**row, **said})
        return rows

    def box(self) -> Column:
        return self._boxes(self.seen)

    def loose_box(self) -> Column:
        return self._boxes(self._loose(amodal=False))

    def amodal_box(self) -> Column:
        return self._boxes(self._loose(amodal=True) if self.alone is None else self.alone)

    def box_3d(self) -> Column:
        return _told_3d(self.boxes)

    def camera_box_3d(self) -> Column:
        return _told_3d(self.boxes.seen_by(self.frame.camera))

    def occluded(self) -> Column:
        ids = self.frame.segmentation
        if self.alone is not None:
            return _numbers(self.alone, occlusion(ids, self.alone))
        return _numbers(self.boxes, estimated_occlusion(self.frame.camera, ids, self.boxes))

    def truncated(self) -> Column:
        return _numbers(self.boxes, truncation(self.frame.camera, self.boxes))

    def rle(self) -> Column:
        return rles(self.frame.segmentation)

    def polygons(self) -> Column:
        return flat_polygons(self.frame.segmentation)

    def _loose(self, *, amodal: bool) -> Boxes:
        return loose_boxes(self.frame.camera, self.objects, self.worlds, amodal=amodal)

    def _boxes(self, boxes: Boxes) -> Column:
        rows: list[list[float]] = boxes.xyxy.tolist()
        pairs = zip(boxes.ids.tolist(), rows, strict=True)
        return {number: box for number, box in pairs if not math.isnan(box[0])}


_KINDS: Mapping[str, Callable[[_Annotator], Column]] = {
    "box": _Annotator.box,
    "loose_box": _Annotator.loose_box,
    "amodal_box": _Annotator.amodal_box,
    "box_3d": _Annotator.box_3d,
    "camera_box_3d": _Annotator.camera_box_3d,
    "occluded": _Annotator.occluded,
    "truncated": _Annotator.truncated,
    "rle": _Annotator.rle,
    "polygons": _Annotator.polygons,
}


_FROM_BOXES = ("loose_box", "box_3d", "camera_box_3d", "truncated")
_FROM_TABLE = (*_FROM_BOXES, "amodal_box", "occluded")
"""What comes from the 3D boxes of the table; the last two not where `alone` says them."""


def _numbers(boxes: Boxes | OrientedBoxes, values: Floats) -> Column:
    pairs = zip(boxes.ids.tolist(), values.tolist(), strict=True)
    return {number: value for number, value in pairs if not math.isnan(value)}


def _told_3d(boxes: OrientedBoxes) -> Column:
    columns = (boxes.ids, boxes.centres, boxes.half_sizes, boxes.rotations)
    return {
        number: {"centre": centre, "half_sizes": half_sizes, "rotation": rotation}
        for number, centre, half_sizes, rotation in zip(
            *(column.tolist() for column in columns), strict=True
        )
    }
