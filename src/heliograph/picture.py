"""Pictures for people: passes in colour, and contact sheets with legends."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from heliograph.frame import Array, Frame, Sample

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

Pixels = NDArray[np.uint8]

_ANCHORS = np.array(
    [
        *([68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142]),
        *([31, 158, 137], [53, 183, 121], [109, 205, 89], [180, 222, 44], [253, 231, 37]),
    ],
    float,
)
"""Ten colours of viridis, dark to light, evenly spaced."""

_NOTHING = (24, 24, 28)
_PAPER, _INK = (250, 250, 248), (30, 30, 34)
_GOLDEN = 0.61803398875
_MARGIN, _HEADER, _LEGEND_ROW, _SHOWN = 10, 24, 18, 24


def colour_map(values: NDArray[Any]) -> Pixels:
    """Numbers from 0 to 1 in a perceptual colour map, (..., 3) uint8."""
    place = np.clip(values, 0, 1) * (len(_ANCHORS) - 1)
    low = np.minimum(place.astype(int), len(_ANCHORS) - 2)
    part = (place - low)[..., None]
    return np.round(_ANCHORS[low] * (1 - part) + _ANCHORS[low + 1] * part).astype(np.uint8)


def depth_range(depths: Sequence[Array]) -> tuple[float, float]:
    """Nearest depth, and the 98th percentile of what was hit, metres; (0, 1) if nothing was."""
    seen = np.concatenate([depth[np.isfinite(depth)] for depth in depths] or [np.empty(0)])
    if not seen.size:
        return 0.0, 1.0
    near, far = float(seen.min()), float(np.percentile(seen, 98))
    return near, max(far, near + 1e-6)


def depth_picture(depth: Array, limits: tuple[float, float] | None = None) -> Pixels:
    """(H, W) metres as (H, W, 3): near is light, far is dark, nothing is nearly black."""
    near, far = limits or depth_range([depth])
    hit = np.isfinite(depth)
    picture = colour_map(1 - (np.where(hit, depth, far) - near) / (far - near))
    picture[~hit] = _NOTHING
    return picture


def normals_picture(normals: Array) -> Pixels:
    """(H, W, 3) unit normals as colours: x, y, z from -1..1 to red, green, blue."""
    picture = np.round(normals * 127.5 + 127.5).astype(np.uint8)
    picture[~normals.any(-1)] = _NOTHING
    return picture


def segment_colour(ids: NDArray[Any]) -> Pixels:
    """A colour for each id that is always the same and far from its neighbours'; 0 is dark."""
    numbers = np.asarray(ids, np.int64)
    hue = (numbers * _GOLDEN) % 1.0
    value = 0.95 - 0.35 * ((numbers // 3) % 2)
    strength = 0.75 - 0.3 * ((numbers // 7) % 2)
    ramps = [(hue * 6 + shift) % 6 for shift in (5, 3, 1)]
    rgb = [value - value * strength * np.clip(np.minimum(r, 4 - r), 0, 1) for r in ramps]
    picture = np.round(np.stack(rgb, -1) * 255).astype(np.uint8)
    picture[numbers == 0] = _NOTHING
    return picture


def segmentation_picture(ids: Array) -> Pixels:
    """(H, W) ids as (H, W, 3) distinct colours."""
    known, places = np.unique(ids, return_inverse=True)
    return segment_colour(known)[places.reshape(ids.shape)]


def pass_picture(name: str, array: Array, limits: tuple[float, float] | None = None) -> Pixels:
    """Any pass as (H, W, 3) uint8 for people."""
    if name == "depth":
        return depth_picture(array, limits)
    if name == "normals":
        return normals_picture(array)
    return segmentation_picture(array) if name == "segmentation" else array


def frame_png(frame: Frame) -> bytes:
    """All passes of a frame side by side, as PNG."""
    return _png(np.hstack([pass_picture(name, array) for name, array in frame.passes.items()]))


def sample_html(sample: Sample) -> str:
    """A sample as HTML for notebooks: one row of pictures per camera."""
    rows = []
    for name, frame in sample.frames.items():
        image = base64.b64encode(frame_png(frame)).decode()
        rows.append(f'<div>{escape(name)}<br><img src="data:image/png;base64,{image}"></div>')
    return "\n".join(rows)


def _png(pixels: Pixels) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def contact_sheet(samples: Sequence[Sample]) -> Image.Image:
    """Samples as one picture: a row for each camera of each sample, a column for each pass.

    Below stand the depth scale in metres, what the colours of normals mean, and the names of the
    largest segments.
    """
    from PIL import Image, ImageDraw

    rows = [(sample, frame) for sample in samples for frame in sample]
    names = list(rows[0][1].passes)
    width = max(frame.camera.width for _, frame in rows)
    heights = [frame.camera.height for _, frame in rows]
    segments = _largest_segments(samples) if "segmentation" in names else []
    columns = max(1, (len(names) * (width + _MARGIN)) // 220)
    legend = 34 + _LEGEND_ROW * -(-len(segments) // columns) + 3 * _LEGEND_ROW
    sheet_width = max(_MARGIN + len(names) * (width + _MARGIN), 480)
    sheet_height = _HEADER + sum(height + _HEADER for height in heights) + legend
    sheet = Image.new("RGB", (sheet_width, sheet_height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    limits = depth_range([frame.depth for _, frame in rows]) if "depth" in names else (0.0, 1.0)
    for place, name in enumerate(names):
        _write(draw, (_MARGIN + place * (width + _MARGIN), 5), name)
    top = _HEADER
    for sample, frame in rows:
        _write(draw, (_MARGIN, top + 3), f"sample {sample.index} · camera {frame.camera.name}", 12)
        top += _HEADER - 4
        for place, name in enumerate(names):
            picture = Image.fromarray(pass_picture(name, frame[name], limits))
            sheet.paste(picture, (_MARGIN + place * (width + _MARGIN), top))
        top += frame.camera.height + 4
    _legend(sheet, top + 8, names, limits, (segments, columns))
    return sheet


def _legend(
    sheet: Image.Image,
    top: int,
    names: Sequence[str],
    limits: tuple[float, float],
    segments: tuple[list[tuple[int, str]], int],
) -> None:
    from PIL import Image, ImageDraw

    draw = ImageDraw.Draw(sheet)
    if "depth" in names:
        bar = np.tile(colour_map(1 - np.linspace(0, 1, 200))[None], (12, 1, 1))
        _write(draw, (_MARGIN, top), f"depth {limits[0]:.2f} m", 12)
        sheet.paste(Image.fromarray(bar), (_MARGIN + 100, top + 2))
        _write(draw, (_MARGIN + 308, top), f"{limits[1]:.2f} m", 12)
        top += _LEGEND_ROW + 4
    if "normals" in names:
        text = "normals: red = right, green = up, blue = towards the camera"
        _write(draw, (_MARGIN, top), text, 12)
        top += _LEGEND_ROW + 4
    rows, columns = segments
    for place, (number, text) in enumerate(rows):
        x = _MARGIN + (place % columns) * 220
        y = top + (place // columns) * _LEGEND_ROW
        colour = tuple(int(part) for part in segment_colour(np.array(number)))
        draw.rectangle((x, y + 2, x + 12, y + 13), fill=colour)
        _write(draw, (x + 18, y), text, 12)


def _largest_segments(samples: Sequence[Sample]) -> list[tuple[int, str]]:
    """(id, name) of what covers the most pixels, and a last row for how many more there are."""
    ids = np.concatenate([frame.segmentation.ravel() for sample in samples for frame in sample])
    known, areas = np.unique(ids[ids != 0], return_counts=True)
    order = known[np.argsort(-areas, kind="stable")]
    labels = samples[0].labels
    rows = [(int(i), f"{i} {labels[int(i)].name}"[:30]) for i in order[:_SHOWN]]
    if len(order) > _SHOWN:
        rows.append((0, f"+{len(order) - _SHOWN} more"))
    return rows


def _write(draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, size: int = 14) -> None:
    from PIL import ImageFont

    draw.text(at, text, fill=_INK, font=ImageFont.load_default(size))
