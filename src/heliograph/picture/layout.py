"""Pictures and words beside and below one another, on the paper of contact sheets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from heliograph.errors import InvalidValueError
from heliograph.picture.colours import Pixels
from heliograph.requires import Requires

if TYPE_CHECKING:
    from PIL import Image, ImageFont

PAPER, INK, FAINT = (252, 252, 250), (32, 32, 36), (120, 120, 126)
_CAPTION = 18
_GAP = 12


def scaled(pixels: Pixels, size: tuple[int, int], *, smooth: bool) -> Image.Image:
    """Pixels (H, W, 3) as an image of (width, height).

    Args:
        pixels: colours.
        size: pixels across and down.
        smooth: blends pixels where it shrinks; ids and numbers shown as colours must not blend.
    """
    with Requires("PIL"):
        from PIL import Image

    picture = Image.fromarray(pixels)
    if picture.size == size:
        return picture
    shrinks = size[0] < picture.width
    how = Image.Resampling.LANCZOS if smooth and shrinks else Image.Resampling.NEAREST
    return picture.resize(size, how)


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that comes with Pillow, `size` pixels high."""
    with Requires("PIL"):
        from PIL import ImageFont

    return ImageFont.load_default(size)


def words(text: str, size: int = _CAPTION, *, faint: bool = False) -> Image.Image:
    """A line of text as an image just large enough."""
    with Requires("PIL"):
        from PIL import Image, ImageDraw

    letters = font(size)
    width = round(ImageDraw.Draw(Image.new("RGB", (1, 1))).textlength(text, letters)) + 1
    image = Image.new("RGB", (width, round(1.3 * size)), PAPER)
    ink = FAINT if faint else INK
    ImageDraw.Draw(image).text((0, image.height // 2), text, ink, letters, anchor="lm")
    return image


def captioned(picture: Image.Image, text: str) -> Image.Image:
    """A picture below its caption."""
    return stacked([words(text, faint=True), picture], _GAP // 2)


def grid(pictures: Sequence[Image.Image], columns: int, gap: int = _GAP) -> Image.Image:
    """Pictures in rows of so many columns."""
    rows = [pictures[first : first + columns] for first in range(0, len(pictures), columns)]
    return stacked([beside(row, gap) for row in rows], gap)


def beside(pictures: Sequence[Image.Image], gap: int = _GAP) -> Image.Image:
    """Pictures from left to right, their tops in line."""
    return _placed(pictures, gap, across=True)


def stacked(pictures: Sequence[Image.Image], gap: int = _GAP) -> Image.Image:
    """Pictures from top to bottom, their left edges in line."""
    return _placed(pictures, gap, across=False)


def framed(picture: Image.Image, margin: int = 2 * _GAP) -> Image.Image:
    """A picture with paper all round."""
    with Requires("PIL"):
        from PIL import ImageOps

    return ImageOps.expand(picture, margin, PAPER)


def _placed(pictures: Sequence[Image.Image], gap: int, *, across: bool) -> Image.Image:
    with Requires("PIL"):
        from PIL import Image

    if not pictures:
        raise InvalidValueError("layout: expected at least one picture")
    sizes = [picture.size for picture in pictures]
    along, thick = (0, 1) if across else (1, 0)
    extent = [0, 0]
    extent[along] = sum(size[along] for size in sizes) + gap * (len(sizes) - 1)
    extent[thick] = max(size[thick] for size in sizes)
    sheet, at = Image.new("RGB", (extent[0], extent[1]), PAPER), 0
    for picture in pictures:
        sheet.paste(picture, (at, 0) if across else (0, at))
        at += picture.size[along] + gap
    return sheet
