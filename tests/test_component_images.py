# mypy: allow-untyped-defs, allow-untyped-calls
"""Image files of every mode are right by value; light from all around is where three.js has it."""

from __future__ import annotations

import math
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from heliograph.engines.shared.tree import hdr
from heliograph.errors import SceneError
from heliograph.scene import images

GREY, RGB, GREY_ALPHA, RGBA = 0, 2, 4, 6


def png(path, rows, depth, kind, clear=None):
    """Write a PNG file of numbers (H, W, C) as they are, without any library's view of them."""
    rows = np.asarray(rows)
    kept = rows.astype(">u2" if depth == 16 else "u1").reshape(len(rows), -1)
    body = zlib.compress(b"".join(b"\0" + row.tobytes() for row in kept))
    head = struct.pack(">IIBBBBB", rows.shape[1], rows.shape[0], depth, kind, 0, 0, 0)
    key = b"" if clear is None else struct.pack(f">{len(clear)}H", *clear)
    chunks = [(b"IHDR", head), *([(b"tRNS", key)] if key else []), (b"IDAT", body), (b"IEND", b"")]
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            for name, data in chunks
        )
    )
    return path


DEEP = [0, 255, 32768, 65535]
EIGHT = [0, 0, 128, 255]


@pytest.mark.parametrize(("kind", "channels"), [(GREY, 1), (RGB, 3), (GREY_ALPHA, 2), (RGBA, 4)])
def test_16_bits_keep_their_upper_8(tmp_path, kind, channels):
    rows = np.repeat(np.array(DEEP)[None, :, None], channels, 2)
    read = images.read(png(tmp_path / "a.png", rows, 16, kind))
    assert read.dtype == np.uint8
    assert read.shape == (1, 4, 3 + (channels % 2 == 0))
    assert (read[0] == np.array(EIGHT)[:, None]).all()


@pytest.mark.parametrize(("kind", "channels"), [(GREY, 1), (RGB, 3)])
@pytest.mark.parametrize("depth", [8, 16])
def test_the_clear_colour_of_a_png_is_clear(tmp_path, kind, channels, depth):
    values = DEEP if depth == 16 else EIGHT
    rows = np.repeat(np.array(values)[None, :, None], channels, 2)
    read = images.read(png(tmp_path / "a.png", rows, depth, kind, clear=[values[2]] * channels))
    assert read[0, :, 3].tolist() == [255, 255, 0, 255]
    assert read[0, :, 0].tolist() == EIGHT


COLOURS = np.array([[[200, 30, 30], [30, 200, 30], [30, 30, 200]]] * 2, np.uint8)  # 2 x 3


def written(path, image, **options):
    image.save(path, **options)
    return images.read(path)


def test_modes_are_right_by_value(tmp_path):
    colours, path = Image.fromarray(COLOURS), tmp_path / "a.png"
    assert np.array_equal(written(path, colours), COLOURS)
    palette = colours.quantize(4)
    assert np.array_equal(written(path, palette), COLOURS)
    clear = palette.getpixel((1, 0))
    read = written(path, palette, transparency=clear)
    assert read[0, :, 3].tolist() == [255, 0, 255]
    assert np.array_equal(read[:, ::2, :3], COLOURS[:, ::2])
    grey = Image.fromarray(np.array([[0, 77, 255]], np.uint8))
    assert written(path, grey)[0].tolist() == [[0] * 3, [77] * 3, [255] * 3]
    both = Image.merge("LA", (grey, grey.point([255 - i for i in range(256)])))
    assert written(path, both)[0].tolist() == [[0, 0, 0, 255], [77, 77, 77, 178], [255] * 3 + [0]]
    bits = Image.fromarray(np.array([[0, 255, 255]], np.uint8)).convert("1")
    assert written(path, bits)[0, :, 1].tolist() == [0, 255, 255]
    odd = np.arange(7 * 13 * 3, dtype=np.uint8).reshape(7, 13, 3)
    assert np.array_equal(written(path, Image.fromarray(odd)), odd)
    assert np.array_equal(written(tmp_path / "a.gif", palette), COLOURS)


def test_cmyk_is_shown_in_its_colours(tmp_path):
    inks = np.zeros((16, 32, 4), np.uint8)  # cyan, then half black
    inks[:, :16, 0], inks[:, 16:, 3] = 255, 128
    read = written(tmp_path / "a.jpg", Image.fromarray(inks, "CMYK"), quality=100)
    assert read.shape == (16, 32, 3)
    assert np.abs(read[:, 2:12].astype(int) - [0, 255, 255]).max() <= 2
    assert np.abs(read[:, 20:30].astype(int) - 127).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_their_exif_says(tmp_path, orientation):
    upright = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    # How the picture was stored, by TIFF 6.0's names of where its first row and column are seen.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: upright.T[::-1],
        7: upright.T[::-1, ::-1],
        8: upright.T[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    read = written(tmp_path / "a.png", Image.fromarray(np.ascontiguousarray(stored)), exif=exif)
    assert np.array_equal(read[:, :, 0], upright)


def test_images_that_cannot_be_shown(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(COLOURS).save(path)
    whole = path.read_bytes()
    Image.fromarray(np.ones((2, 2), np.float32)).save(tmp_path / "a.tif")
    for name, content, says in (
        ("a.png", whole[: len(whole) // 2], "not a readable image"),
        ("a.png", b"", "of no format that Pillow knows"),
        ("a.png", b"#!/bin/sh", "of no format that Pillow knows"),
        ("a.tif", None, "its numbers are no colours"),
        ("wide.png", None, r"it is 16385 x 1, at most 16384 a side"),
        ("none.png", None, "no such file"),
    ):
        if name == "wide.png":
            Image.new("L", (16385, 1)).save(tmp_path / name)
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(SceneError, match=says) as caught:
            images.read(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


def rgbe(light):
    """Red, green, blue and exponent (H, W, 4) of light (H, W, 3)."""
    most = light.max(2, keepdims=True)
    _, exponent = np.frexp(most)
    pixels = np.floor(np.ldexp(light, 8 - exponent))
    return np.concatenate([pixels, np.where(most > 0, exponent + 128, 0)], 2).astype(np.uint8)


def flat(row):
    return row.tobytes()


def by_pixel(row):
    """A row with runs of equal pixels, as old writers have them: counts of 8 bits."""
    out, column = b"", 0
    while column < len(row):
        run = 1
        while column + run < len(row) and (row[column + run] == row[column]).all():
            run += 1
        out += row[column].tobytes()
        repeats = run - 1
        while repeats:
            out += bytes([1, 1, 1, repeats & 255])
            repeats >>= 8
        column += run
    return out


def by_channel(row):
    """A row with runs of each channel, as writers have them today."""
    out = b"\2\2" + len(row).to_bytes(2)
    for channel in row.T:
        column = 0
        while column < len(channel):
            run = 1
            while (
                run < 127
                and column + run < len(channel)
                and channel[column + run] == channel[column]
            ):
                run += 1
            if run > 1:
                out += bytes([128 + run, channel[column]])
            else:
                out += bytes([1, channel[column]])
            column += run
    return out


def write_hdr(path, pixels, row=flat, size="-Y {0} +X {1}", head="FORMAT=32-bit_rle_rgbe\n"):
    text = f"#?RADIANCE\n# by hand\n{head}\n{size.format(*pixels.shape[:2])}\n"
    path.write_bytes(text.encode() + b"".join(row(each) for each in pixels))
    return path


@pytest.mark.parametrize("encode", [flat, by_pixel, by_channel])
@pytest.mark.parametrize("width", [16, 1200])
def test_light_is_read_however_it_is_encoded(tmp_path, encode, width):
    rng = np.random.default_rng(3)
    light = 10.0 ** rng.uniform(-3, 4, (6, width, 1)) * rng.uniform(0, 1, (6, width, 3))
    light[1], light[2], light[3, 3:9] = 0.0, (2.0, 1.0, 0.5), (7.0, 7.0, 7.0)
    read = hdr.read(write_hdr(tmp_path / "a.hdr", rgbe(light), encode))
    assert read.dtype == np.float32
    expected = np.roll(light, width // 4, 1)
    assert (np.abs(read - expected) <= expected.max(2, keepdims=True) / 128).all()
    assert (read[1] == 0).all()
    assert read[2, 5].tolist() == [2.0, 1.0, 0.5]


def three(direction):
    """Where three.js looks light from a y-up direction up: its `equirectUv`."""
    x, y, z = direction
    return math.atan2(z, x) / (2 * math.pi) + 0.5, math.asin(y) / math.pi + 0.5


@pytest.mark.parametrize(
    ("ours", "row", "column"),
    [((0, 1, 0), 8, 16), ((1, 0, 0), 8, 24), ((-1, 0, 0), 8, 8), ((0, -1, 0), 8, 0)],
)
def test_light_comes_from_where_three_has_it(tmp_path, ours, row, column):
    x, y, z = ours
    u, v = three((x, z, -y))  # (x, y, z) of three.js is (x, z, -y) of the z-up world
    light = np.zeros((16, 32, 3))
    light[int((1 - v) * 16), int(u * 32) % 32] = 1.0
    read = hdr.read(write_hdr(tmp_path / "a.hdr", rgbe(light)))
    assert np.argwhere(read[:, :, 0] > 0).tolist() == [[row, column]]


def test_up_is_the_first_row_whichever_way_it_is_written(tmp_path):
    light = np.zeros((4, 8, 3))
    light[0], light[:, 2] = 1.0, 2.0
    upright = hdr.read(write_hdr(tmp_path / "a.hdr", rgbe(light)))
    assert (upright[0] > 0).all()
    for size, turned in (("+Y", light[::-1]), ("-Y {0} -X", light[:, ::-1])):
        size = f"{size} {{1}}" if "X" in size else f"{size} {{0}} +X {{1}}"
        path = write_hdr(tmp_path / "b.hdr", rgbe(turned), size=size)
        assert np.array_equal(hdr.read(path), upright)


def test_a_quarter_turn_between_columns(tmp_path):
    light = np.zeros((2, 6, 3))
    light[:, 1] = 4.0
    read = hdr.read(write_hdr(tmp_path / "a.hdr", rgbe(light)))
    assert read[0, :, 0].tolist() == [0, 0, 2.0, 2.0, 0, 0]  # by one and a half


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", r"expected #\?RADIANCE at its start, got b''"),
        (b"\x89PNG\r\n\x1a\n", r"expected #\?RADIANCE at its start, got b'.x89PNG"),
        (b"#?RADIANCE\n", "expected an empty line, then a size such as"),
        (b"#?RADIANCE\n\n+X 4 -Y 2\n", "expected an empty line, then a size such as"),
        (b"#?RADIANCE\n\n-Y nan +X 4\n", "expected an empty line, then a size such as"),
        (b"#?RADIANCE\nFORMAT=32-bit_rle_xyze\n\n-Y 1 +X 1\n....", "got b'32-bit_rle_xyze'"),
        (b"#?RADIANCE\n\n-Y 0 +X 4\n", "expected 1 to 33554432 pixels, got 4 x 0"),
        (b"#?RGBE\n\n-Y 16384 +X 16384\n", "expected 1 to 33554432 pixels, got 16384 x 16384"),
        (b"#?RGBE\n\n-Y 999999 +X 999999\n", "pixels, got 999999 x 999999"),
        (b"#?RGBE\n\n-Y 4096 +X 8192\n1234", "its pixels are cut off"),
        (b"#?RGBE\n\n-Y 1 +X 8\n\2\2\0\x08\x88\0\x88\0", "its pixels are cut off"),
        (b"#?RGBE\n\n-Y 1 +X 8\n\2\2\0\x08\x89\0\x88\0", "a run passes the end of its row"),
        (b"#?RGBE\n\n-Y 1 +X 8\n\1\1\1\x08....", "a run passes the ends of its row"),
        (b"#?RGBE\n\n-Y 1 +X 8\n....\1\1\1\x08", "a run passes the end of its row"),
        (b"#?RGBE\n\n-Y 1 +X 8\n........", "its pixels are cut off"),
    ],
)
def test_light_that_cannot_be_read(tmp_path, content, says):
    path = tmp_path / "a.hdr"
    path.write_bytes(content)
    with pytest.raises(SceneError, match=says) as caught:
        hdr.read(path)
    assert str(caught.value).startswith(f"{path}: not a readable Radiance .hdr file (")
    with pytest.raises(SceneError, match="no such file"):
        hdr.read(tmp_path / "none.hdr")
