"""How much of an object is hidden by others, or lies outside the picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heliograph.annotate.boxes import SeenBoxes, tight_boxes
from heliograph.annotate.oriented import OrientedBoxes
from heliograph.annotate.silhouettes import seen_faces
from heliograph.camera import Camera
from heliograph.errors import InvalidValueError
from heliograph.frame import Sample
from heliograph.poses import Floats
from heliograph.scene.appearance import Hide
from heliograph.scene.objects import ObjectTable
from heliograph.view import View


class Draws(Protocol):
    """What every renderer does: draw views, several at once if it can."""

    def map(self, views: Iterable[View], /) -> Iterator[Sample]:
        """Their samples, in the order of the views."""


def padded(camera: Camera, margin: int) -> Camera:
    """A camera that sees `margin` more pixels on every side; the picture's own are where they were.

    Its pixels are those of the smaller picture plus `margin`, both across and down.
    """
    return camera.replace(
        width=camera.width + 2 * margin,
        height=camera.height + 2 * margin,
        cx=camera.cx + margin,
        cy=camera.cy + margin,
    )


def view_alone(view: View, objects: ObjectTable, number: int) -> View:
    """The segmentation of a view with everything hidden but one object.

    Edits hide objects by name, so objects of the same name stay.

    Raises:
        InvalidValueError: nothing is shown by this id.
    """
    if number <= 0 or number not in objects.shown_as:
        raise InvalidValueError(f"id: expected one that the scene shows, got {number}")
    mine = objects.shown_as == number
    kept = {name for name, own in zip(objects.names, mine, strict=True) if own}
    others = tuple(dict.fromkeys(name for name in objects.seen_names if name not in kept))
    hidden = replace(view, passes=("segmentation",))
    return hidden.edited([*view.edits, Hide(others)]) if others else hidden


def unhidden(
    renderer: Draws, view: View, objects: ObjectTable, ids: Sequence[int]
) -> dict[str, SeenBoxes]:
    """What each object would show if it were alone: one more view for each.

    Args:
        renderer: who drew the view; with workers it draws several at once.
        view: as it was drawn. With cameras that are `padded` it tells of what lies outside too.
        objects: the scene's object table.
        ids: of the objects, as segmentations show them.

    Returns:
        by camera, amodal boxes and areas for all of `ids`, ascending; an object that is not in
        the picture has a box of NaN and the area 0.

    Raises:
        HeliographError: a view cannot be drawn.
    """
    numbers = sorted({int(each) for each in ids})
    views = [view_alone(view, objects, number) for number in numbers]
    boxes: dict[str, list[Floats]] = {}
    areas: dict[str, list[int]] = {}
    for number, sample in zip(numbers, renderer.map(views), strict=True):
        for name, frame in sample.frames.items():
            alone = tight_boxes(frame.segmentation == number)
            boxes.setdefault(name, []).append(alone.of(1))
            areas.setdefault(name, []).append(int(alone.areas.sum()))
    every = np.array(numbers, np.int32)
    return {
        name: SeenBoxes(every, np.array(boxes[name]), np.array(areas[name], np.intp))
        for name in boxes
    }


def occlusion(segmentation: ArrayLike, alone: SeenBoxes) -> Floats:
    """How much of each object others hide, 0 to 1: its pixels against those that it has alone.

    Args:
        segmentation: (H, W) ids.
        alone: of the same camera, as `unhidden` gives them.

    Returns:
        (N,) for `alone.ids`; NaN for objects that are not in the picture.
    """
    return _missing(seen_areas(segmentation, alone.ids), alone.areas)


def estimated_occlusion(camera: Camera, segmentation: ArrayLike, boxes: OrientedBoxes) -> Floats:
    """How much of each object others hide, 0 to 1, without another view: from its 3D box.

    Exact but for the pixels along its outline where the object fills its box, as a box does; too
    large for all others (0.2 to 0.4 for a ball that nothing hides).

    Args:
        camera: as it was used.
        segmentation: (H, W) ids.
        boxes: in the world's axes.

    Returns:
        (N,) for `boxes.ids`; NaN for objects that are not in the picture.
    """
    inside = seen_faces(camera, boxes.corners, inside=True).areas()
    return _missing(seen_areas(segmentation, boxes.ids), inside)


def truncation(camera: Camera, boxes: OrientedBoxes) -> Floats:
    """How much of the 3D box of each object lies outside the picture, 0 to 1.

    Args:
        camera: as it was used.
        boxes: in the world's axes.

    Returns:
        (N,) part of what the box would cover in an endless picture; NaN for one that is not
        between the near and the far plane.
    """
    inside = seen_faces(camera, boxes.corners, inside=True).areas()
    return _missing(inside, seen_faces(camera, boxes.corners, inside=False).areas())


def seen_areas(segmentation: ArrayLike, ids: NDArray[np.int32]) -> NDArray[np.intp]:
    """How many pixels show each of these ids."""
    found = tight_boxes(segmentation)
    areas = dict(zip(found.ids.tolist(), found.areas.tolist(), strict=True))
    return np.array([areas.get(number, 0) for number in ids.tolist()], np.intp)


def _missing(part: NDArray[Any], whole: NDArray[Any]) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        missing = np.clip(1 - part / whole, 0.0, 1.0)
    missing[whole <= 0] = np.nan
    return np.asarray(missing, np.float64)
