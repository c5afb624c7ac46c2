"""Radiance .hdr files (RGBE): pictures of light from all around.

The format is from Greg Ward, "Real Pixels", Graphics Gems II, 1991, and Radiance's `color.c`: lines
of text, an empty one, the size, then rows of red, green, blue and a shared exponent, plain or
run-length encoded in one of two ways.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heliograph.errors import SceneError
from heliograph.scene.files import read_scene_file
from heliograph.scene.values import MAX_PIXELS

_KINDS = (b"#?RADIANCE", b"#?RGBE")
_FORMAT = re.compile(rb"(?m)^FORMAT=[ \t]*(.*?)[ \t\r]*$")
_SIZE = re.compile(rb"([-+])Y (\d{1,6}) ([-+])X (\d{1,6})[ \t\r]*\n")
_MOST_PIXELS = 32 << 20
_LONGEST_HEAD = 1 << 16
_BY_CHANNEL = range(8, 0x8000)  # widths of rows that may be encoded channel by channel


def read(path: Path) -> NDArray[np.float32]:
    """Linear light (H, W, 3) as `Rasterizer.add_radiance` takes it in.

    Row 0 is straight up (+z), the middle column ahead (+y), to its right is +x: where a three.js
    scene with this environment has them, once it is turned from y-up to z-up. As there, the
    exposure that a file notes is not undone.

    Raises:
        SceneError: it is missing, not such a file, cut off, or too large.
    """
    data = read_scene_file(path)
    try:
        return ahead(_decoded(data))
    except (ValueError, IndexError) as error:
        why = "its pixels are cut off" if isinstance(error, IndexError) else error
        raise SceneError(f"{path}: not a readable Radiance .hdr file ({why})") from None


def _decoded(data: bytes) -> NDArray[np.float32]:
    """The picture as it is seen."""
    if not data.startswith(_KINDS):
        raise ValueError(f"expected {_KINDS[0].decode()} at its start, got {data[:10]!r}")
    end = data.find(b"\n\n", 0, _LONGEST_HEAD)
    size = _SIZE.match(data, end + 2)
    if end < 0 or size is None:
        raise ValueError("expected an empty line, then a size such as -Y 512 +X 1024")
    named = _FORMAT.search(data, 0, end)
    if named is not None and named[1] != b"32-bit_rle_rgbe":
        raise ValueError(f"expected FORMAT=32-bit_rle_rgbe, got {named[1][:40]!r}")
    height, width = int(size[2]), int(size[4])
    if not (0 < max(height, width) <= MAX_PIXELS and 0 < height * width <= _MOST_PIXELS):
        raise ValueError(f"expected 1 to {_MOST_PIXELS} pixels, got {width} x {height}")
    if len(data) - size.end() < height * min(4 * width, 8):  # a pixel, and how often it is repeated
        raise IndexError
    picture, place = np.empty((height, width, 3), np.float32), size.end()
    for row in picture:
        encoded, place = _row(data, place, width)
        row[:] = np.ldexp(encoded[:, :3].astype(np.float32), encoded[:, 3:].astype(np.int32) - 136)
    return picture[:: 1 if size[1] == b"-" else -1, :: 1 if size[3] == b"+" else -1]


def _row(data: bytes, place: int, width: int) -> tuple[NDArray[np.uint8], int]:
    """Red, green, blue and exponent (W, 4) of the row that starts here; where the next one does."""
    head = data[place : place + 4]
    if width in _BY_CHANNEL and head == b"\2\2" + width.to_bytes(2):
        row, place = _by_channel(data, place + 4, width)
        return np.frombuffer(row, np.uint8).reshape(4, width).T, place
    plain = data[place : place + 4 * width]
    if len(plain) == 4 * width:
        pixels = np.frombuffer(plain, np.uint8).reshape(width, 4)
        if not (pixels[:, :3] == 1).all(1).any():
            return pixels, place + 4 * width
    row, place = _by_pixel(data, place, width)
    return np.frombuffer(row, np.uint8).reshape(width, 4), place


def _by_channel(data: bytes, place: int, width: int) -> tuple[bytearray, int]:
    """Runs of each channel: more than 128 repeat one byte, others are as they stand."""
    row = bytearray()
    for end in range(width, 4 * width + 1, width):
        while len(row) < end:
            count = data[place]
            if count > 128:
                row += data[place + 1 : place + 2] * (count - 128)
                place += 2
            else:
                row += data[place + 1 : place + 1 + count]
                place += 1 + count
        if len(row) > end:
            raise ValueError("a run passes the end of its row")
    return row, place


def _by_pixel(data: bytes, place: int, width: int) -> tuple[bytearray, int]:
    """Pixels, where (1, 1, 1, n) repeats the one before; several in a row are digits of n."""
    row, shift = bytearray(), 0
    while len(row) < 4 * width:
        pixel = data[place : place + 4]
        if len(pixel) < 4:
            raise IndexError
        if pixel[:3] == b"\1\1\1":
            count, shift = pixel[3] << shift, shift + 8
            if not row or count > width:
                raise ValueError("a run passes the ends of its row")
            row += row[-4:] * count
        else:
            row += pixel
            shift = 0
        place += 4
    if len(row) > 4 * width:
        raise ValueError("a run passes the end of its row")
    return row, place


def ahead(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """A picture (H, W, 3) as three.js has it, its columns moved by a quarter turn.

    three.js looks up u = atan2(z, x) / 2 pi + 1/2, so ahead, its -z and our +y, is at u = 1/4.
    """
    whole, part = divmod(picture.shape[1], 4)
    moved = np.roll(picture, whole, 1)
    if part:  # between two columns
        moved += (np.roll(moved, 1, 1) - moved) * np.float32(part / 4)
    return moved
