"""Contact sheets: samples and cameras down, passes across, legends below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from heliograph.errors import InvalidValueError
from heliograph.frame import BACKGROUND, Frame, Sample
from heliograph.passes import PassSpecs
from heliograph.picture.colours import (
    Limits,
    Pixels,
    colour_map,
    depth_range,
    is_length,
    normals_picture,
    pass_picture,
    segment_colours,
)
from heliograph.picture.layout import FAINT, INK, PAPER, font, scaled
from heliograph.requires import Requires

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

_MARGIN, _TITLE, _CAPTION, _LINE = 16, 30, 24, 20
_HEADING_SIZE, _TEXT_SIZE = 16, 12
_SMALLEST, _LARGEST = 200, 640  # pixels across of a picture on the sheet
_SHOWN = 24
_NAME_WIDTH = 200
_BAR = (240, 14)
_BALL = 48


@dataclass(frozen=True)
class _Row:
    sample: Sample
    frame: Frame


def contact_sheet(samples: Sequence[Sample]) -> Image.Image:
    """Samples as one picture: a row for each camera of each sample, a column for each pass.

    Below stand the depth scale in metres, what the colours of normals mean, and the names of the
    segments that cover most.

    Raises:
        InvalidValueError: no sample, or none with a frame.
    """
    with Requires("PIL"):
        from PIL import Image, ImageDraw

    rows = [_Row(sample, frame) for sample in samples for frame in sample]
    if not rows:
        raise InvalidValueError("contact sheet: expected at least one sample with a frame")
    passes = {name: row.frame.spec(name) for row in rows for name in row.frame.passes}
    cell = max(_shown_size(row.frame)[0] for row in rows)
    width = max(_MARGIN + len(passes) * (cell + _MARGIN), 2 * _MARGIN + 3 * _NAME_WIDTH)
    segments = _segments(rows)
    bottom = _TITLE + sum(_CAPTION + _shown_size(row.frame)[1] for row in rows) + _MARGIN
    sheet = Image.new("RGB", (width, bottom + _legend_height(passes, segments, width)), PAPER)
    _Sheet(sheet, ImageDraw.Draw(sheet)).fill(rows, passes, cell, segments)
    return sheet


class _Sheet:
    def __init__(self, image: Image.Image, draw: ImageDraw.ImageDraw) -> None:
        self.image, self.draw = image, draw

    def fill(
        self,
        rows: Sequence[_Row],
        passes: PassSpecs,
        cell: int,
        segments: Sequence[tuple[int, str]],
    ) -> None:
        shown = [row.frame.passes.get(name) for row in rows for name in _lengths(passes)]
        limits = depth_range([array for array in shown if array is not None])
        lefts = {name: _MARGIN + place * (cell + _MARGIN) for place, name in enumerate(passes)}
        for name, left in lefts.items():
            self.write((left, 8), name, _HEADING_SIZE)
        top = _TITLE
        for row in rows:
            name, (width, height) = row.frame.camera.name, row.frame.camera.size
            caption = f"sample {row.sample.index}, camera {name}, {width} x {height}"
            self.write((_MARGIN, top + 5), caption, faint=True)
            self.pictures(row.frame, lefts, top + _CAPTION, limits)
            top += _CAPTION + _shown_size(row.frame)[1]
        self.legend(top + _MARGIN, passes, limits, segments)

    def pictures(self, frame: Frame, lefts: dict[str, int], top: int, limits: Limits) -> None:
        size = _shown_size(frame)
        for name, array in frame.passes.items():
            picture = scaled(
                pass_picture(frame.spec(name), array, limits), size, smooth=name == "rgb"
            )
            self.image.paste(picture, (lefts[name], top))

    def legend(
        self, top: int, passes: PassSpecs, limits: Limits, segments: Sequence[tuple[int, str]]
    ) -> None:
        left, lengths = _MARGIN, _lengths(passes)
        if lengths:
            self.write((left, top - 2), f"{', '.join(lengths)}: log scale (black: nothing there)")
            self.depth_scale(left, top, limits)
            left += _BAR[0] + 3 * _MARGIN
        if "normals" in passes:
            self.normals_ball(left, top)
        if lengths or "normals" in passes:
            top += _BALL + _MARGIN
        if segments:
            self.names(top, segments)

    def depth_scale(self, left: int, top: int, limits: Limits) -> None:
        with Requires("PIL"):
            from PIL import Image

        width, height = _BAR
        bar = np.tile(colour_map(np.linspace(1, 0, width))[None], (height, 1, 1))
        self.image.paste(Image.fromarray(bar), (left, top + 18))
        for part, anchor in ((0.0, "la"), (0.5, "ma"), (1.0, "ra")):
            metres = limits[0] * (limits[1] / limits[0]) ** part
            at = (left + round(part * width), top + 36)
            self.write(at, _metres(metres, limits), anchor=anchor)

    def normals_ball(self, left: int, top: int) -> None:
        with Requires("PIL"):
            from PIL import Image, ImageDraw

        mask = Image.new("L", (4 * _BALL, 4 * _BALL))
        ImageDraw.Draw(mask).ellipse((0, 0, 4 * _BALL - 1, 4 * _BALL - 1), fill=255)
        self.image.paste(Image.fromarray(_ball()), (left, top), mask.resize((_BALL, _BALL)))
        text = "normals, camera axes\nred: right   green: up\nblue: towards the camera"
        self.draw.multiline_text(
            (left + _BALL + 10, top - 2), text, fill=INK, font=font(_TEXT_SIZE), spacing=3
        )

    def names(self, top: int, segments: Sequence[tuple[int, str]]) -> None:
        self.write((_MARGIN, top - 2), "segments, largest first")
        columns = _columns(self.image.width)
        for place, (number, name) in enumerate(segments):
            x = _MARGIN + (place % columns) * _NAME_WIDTH
            y = top + (1 + place // columns) * _LINE
            if number:
                colour = tuple(segment_colours(number).tolist())
                self.draw.rectangle((x, y, x + 12, y + 12), fill=colour)
            self.write((x + 18, y - 1), self.shortened(name, _NAME_WIDTH - 28))

    def shortened(self, text: str, width: int) -> str:
        """The text, its middle left out where it is too wide."""
        letters, length = font(_TEXT_SIZE), len(text)
        short = text
        while self.draw.textlength(short, font=letters) > width and length > 2:
            length -= 1
            short = f"{text[: (length + 1) // 2]}...{text[len(text) - length // 2 :]}"
        return short

    def write(
        self,
        at: tuple[int, int],
        text: str,
        size: int = _TEXT_SIZE,
        *,
        faint: bool = False,
        anchor: str = "la",
    ) -> None:
        ink = FAINT if faint else INK
        self.draw.text(at, text, fill=ink, font=font(size), anchor=anchor)


def _shown_size(frame: Frame) -> tuple[int, int]:
    """(width, height) on the sheet: whole multiples of small pictures, large ones smaller."""
    width, height = frame.camera.size
    if width <= _LARGEST:
        factor = -(-_SMALLEST // width) if width < _SMALLEST and height < _SMALLEST else 1
        return width * factor, height * factor
    return _LARGEST, max(1, round(height * _LARGEST / width))


def _metres(value: float, limits: Limits) -> str:
    """Enough digits to tell the ends of the scale apart."""
    span = limits[1] - limits[0]
    digits = max(0, 2 - int(np.floor(np.log10(span)))) if span < 100 else 0
    return f"{value:.{min(digits, 6)}f} m"


def _ball() -> Pixels:
    """A ball as the normals pass shows it, (_BALL, _BALL, 3)."""
    steps = (np.arange(_BALL) + 0.5) / _BALL * 2 - 1
    x, y = np.meshgrid(steps, -steps)
    z = np.sqrt(np.maximum(0, 1 - x * x - y * y))
    normals = np.stack((x, y, z), -1)
    return normals_picture(normals / np.linalg.norm(normals, axis=-1, keepdims=True))


def _segments(rows: Sequence[_Row]) -> list[tuple[int, str]]:
    """(id, name) of what covers most pixels, and at the end how many more there are."""
    areas: dict[int, int] = {}
    names: dict[int, str] = {0: BACKGROUND.name}
    for row in rows:
        names |= {number: label.name for number, label in row.sample.labels.items()}
        if "segmentation" in row.frame.passes:
            known, counts = np.unique(row.frame.segmentation, return_counts=True)
            for number, count in zip(known.tolist(), counts.tolist(), strict=True):
                areas[number] = areas.get(number, 0) + count
    areas.pop(0, None)
    order = sorted(areas, key=lambda number: (-areas[number], number))
    shown = [(number, names.get(number) or f"id {number}") for number in order[:_SHOWN]]
    more = len(order) - _SHOWN
    return [*shown, (0, f"+{more} more")] if more > 0 else shown


def _columns(width: int) -> int:
    return max(1, (width - _MARGIN) // _NAME_WIDTH)


def _lengths(passes: PassSpecs) -> list[str]:
    return [name for name, spec in passes.items() if is_length(spec)]


def _legend_height(passes: PassSpecs, segments: Sequence[tuple[int, str]], width: int) -> int:
    height = _BALL + _MARGIN if _lengths(passes) or "normals" in passes else 0
    if segments:
        height += _LINE * (1 + -(-len(segments) // _columns(width))) + _MARGIN // 2
    return height
