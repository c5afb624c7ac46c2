"""Annotations drawn over the picture that they are of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from heliograph.camera import Camera
from heliograph.checks import check_integer
from heliograph.frame import Frame, Sample
from heliograph.picture.colours import Pixels, segment_colours, segmentation_picture
from heliograph.picture.layout import font, scaled
from heliograph.requires import Requires

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

_CORNERS = 2 * np.indices((2, 2, 2)).reshape(3, -1).T - 1
_EDGES = np.argwhere(np.triu(np.abs(_CORNERS[:, None] - _CORNERS).sum(-1) == 2))
_TEXT, _DOT = 11, 4
_DARK = 420  # sum of red, green and blue below which letters are white
_SEEN, _UNSEEN = (255, 255, 255), (255, 80, 80)

Colour = tuple[int, int, int]


def annotation_picture(sample: Sample, camera: str, *, scale: int = 2) -> Image.Image:
    """One frame of a sample with what `annotate` and `annotate_keypoints` said of it drawn on it.

    Outlines and boxes have the colour of their object's id, amodal boxes are thin, 3D boxes show
    all edges that lie before the camera. Keypoints are filled where they are seen, red rings where
    they are hidden. Under the drawing is `rgb` or, without it, the segmentation.

    Args:
        sample: annotated.
        camera: which frame.
        scale: pixels of the drawing for each of the picture, 1 to 16.

    Raises:
        UnknownNameError: no such camera, or a frame with neither rgb nor segmentation.
    """
    with Requires("PIL"):
        from PIL import ImageDraw

    frame, scale = sample[camera], check_integer("scale", scale, 1, 16)
    size = (frame.camera.width * scale, frame.camera.height * scale)
    image = scaled(_behind(frame), size, smooth=False)
    pen = _Pen(ImageDraw.Draw(image), scale)
    for each in sample.annotations.get("objects", {}).get(camera, ()):
        pen.object(each, frame.camera)
    for points in sample.annotations.get("keypoints", {}).get(camera, {}).values():
        pen.keypoints(points)
    return image


def _behind(frame: Frame) -> Pixels:
    if "rgb" in frame.passes:
        return np.ascontiguousarray(frame.rgb)
    return segmentation_picture(frame.segmentation) // 3


class _Pen:
    """Draws annotations, scaled."""

    def __init__(self, draw: ImageDraw.ImageDraw, scale: int) -> None:
        self._draw, self._scale = draw, scale

    def object(self, told: Mapping[str, Any], camera: Camera) -> None:
        """What is said of one object."""
        red, green, blue = segment_colours([told["id"]])[0].tolist()
        colour = (red, green, blue)
        for outline in told.get("polygons", ()):
            self._line([*outline, *outline[:2]], colour)
        for kind, width in (("amodal_box", 1), ("loose_box", 1), ("box", 2)):
            if kind in told:
                self._box(told[kind], colour, width)
        if "box_3d" in told:
            self._box_3d(told["box_3d"], camera, colour)
        if "box" in told:
            self._name(told, colour)

    def keypoints(self, told: Mapping[str, Any]) -> None:
        """Points of one name."""
        for pixel, seen in zip(told["pixels"], told["visible"], strict=True):
            if pixel is not None:
                x, y = (each * self._scale for each in pixel)
                place = (x - _DOT, y - _DOT, x + _DOT, y + _DOT)
                ink = _SEEN if seen else _UNSEEN
                self._draw.ellipse(place, fill=_SEEN if seen else None, outline=ink, width=2)

    def _box(self, box: Sequence[float], colour: Colour, width: int) -> None:
        x0, y0, x1, y1 = (each * self._scale for each in box)
        within = (x0, y0, max(x0, x1 - 1), max(y0, y1 - 1))
        self._draw.rectangle(within, outline=colour, width=width)

    def _box_3d(self, told: Mapping[str, Any], camera: Camera, colour: Colour) -> None:
        own = _CORNERS * np.array(told["half_sizes"])
        corners = own @ np.array(told["rotation"]).T + np.array(told["centre"])
        pixels = camera.project(corners)
        ahead = camera.depth_of(corners) >= camera.near
        for one, other in _EDGES.tolist():
            if ahead[one] and ahead[other]:
                self._line([*pixels[one].tolist(), *pixels[other].tolist()], colour)

    def _line(self, points: Sequence[float], colour: Colour) -> None:
        self._draw.line([each * self._scale for each in points], fill=colour)

    def _name(self, told: Mapping[str, Any], colour: Colour) -> None:
        x, y = (each * self._scale for each in told["box"][:2])
        place = (x + 3, y + 2)
        bounds = self._draw.textbbox(place, told["name"], font(_TEXT))
        self._draw.rectangle((bounds[0] - 2, bounds[1] - 1, bounds[2] + 1, bounds[3] + 1), colour)
        ink = (0, 0, 0) if sum(colour) > _DARK else (255, 255, 255)
        self._draw.text(place, told["name"], ink, font(_TEXT))
