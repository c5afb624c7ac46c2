"""Answers to what a page's user interface asks about the picture that it shows."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np

from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.live.viewer.controls import check_number
from heliograph.live.viewer.pictures import encoded, shown_pass
from heliograph.live.viewer.sources import Drawn

PROBED = ("rgb", "depth", "normals", "segmentation")
"""The passes that are read at a pixel."""


def probe(drawn: Drawn, x: object, y: object) -> dict[str, Any]:
    """What is at a place of a picture.

    Args:
        drawn: the picture, with those of `PROBED` that there are.
        x: from 0 to 1, rightwards from the left edge.
        y: from 0 to 1, downwards from the top edge.

    Raises:
        InvalidValueError: outside the picture.
    """
    frame, camera = drawn.frame, drawn.frame.camera
    part_x, part_y = check_number("x", x), check_number("y", y)
    if not (0 <= part_x <= 1 and 0 <= part_y <= 1):
        raise InvalidValueError(f"probe: expected x and y from 0 to 1, got {part_x}, {part_y}")
    column = min(int(part_x * camera.width), camera.width - 1)
    row = min(int(part_y * camera.height), camera.height - 1)
    found = {name: frame.passes[name][row, column] for name in PROBED if name in frame.passes}
    depth = float(found["depth"]) if "depth" in found else np.inf
    normal = found["normals"].tolist() if "normals" in found else [0.0, 0.0, 0.0]
    number = int(found.get("segmentation", 0))
    label = drawn.sample.labels.get(number)
    hit = bool(np.isfinite(depth))
    world = camera.unproject((column + 0.5, row + 0.5), depth).tolist() if hit else None
    return {
        "x": column,
        "y": row,
        "rgb": found["rgb"].tolist() if "rgb" in found else None,
        "depth": depth if hit else None,
        "normal": normal if any(normal) else None,
        "world": world,
        "id": number,
        "name": label.name if label and number else "",
        "category": label.category if label and number else "",
    }


def saved(drawn: Drawn, form: object, shown: str) -> tuple[str, str, bytes]:
    """A picture as a file: its name, its media type, its bytes.

    `png` is the shown pass in the colours that it is shown in; `npz` holds all passes as they are,
    the camera, and what the ids stand for.

    Raises:
        UnknownNameError: another form.
    """
    sample, frame = drawn.sample, drawn.frame
    stem = f"{frame.camera.name}-{sample.index:06d}"
    if form == "png":
        return (
            f"{stem}-{shown}.png",
            "image/png",
            encoded(shown_pass(frame, shown).pixels, lossless=True)[1],
        )
    if form != "npz":
        raise UnknownNameError.of("form", form, ("png", "npz"))
    camera = frame.camera
    facts = {
        "seed": sample.seed,
        "index": sample.index,
        "projection": camera.projection.value,
        "near": camera.near,
        "far": camera.far,
        "labels": {str(number): list(label) for number, label in sample.labels.items()},
    }
    stream = io.BytesIO()
    arrays: dict[str, Any] = {
        **frame.passes,
        "K": camera.K,
        "world_from_camera": camera.world_from_camera,
        **{f"state.{key}": value for key, value in sample.state.items()},
        "meta": np.array(json.dumps(facts)),
    }
    np.savez_compressed(stream, **arrays)
    return f"{stem}.npz", "application/octet-stream", stream.getvalue()
