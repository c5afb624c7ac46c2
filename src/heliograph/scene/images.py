"""Image files of any kind as 8-bit pixels."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.errors import SceneError
from heliograph.requires import Requires
from heliograph.scene.files import read_scene_file
from heliograph.scene.values import MAX_PIXELS

_DEEP = ("I", "F")  # what Pillow's modes of more than 8 bits per channel begin with


def read(path: Path) -> NDArray[np.uint8]:
    """The pixels (H, W, 3 or 4) of an image file, sRGB, turned as its EXIF orientation says.

    Raises:
        SceneError: the file is missing, or no image that can be shown.
    """
    with Requires("PIL"):
        from PIL import Image, UnidentifiedImageError

    data = read_scene_file(path)
    try:
        with Image.open(io.BytesIO(data)) as image:
            return pixels(image)
    except UnidentifiedImageError:
        raise SceneError(f"{path}: not a readable image (of no format that Pillow knows)") from None
    except Exception as error:  # noqa: BLE001 -- decoders of broken files raise whatever they like
        reason = next(iter(str(error).splitlines()), "")[:200]
        raise SceneError(f"{path}: not a readable image ({reason})") from None


def pixels(image: Any) -> NDArray[np.uint8]:
    """An opened Pillow image as pixels (H, W, 3), or (H, W, 4) where it may be clear.

    Of 16 bits the upper 8 are kept, as browsers do.

    Raises:
        ValueError: it is too large, or its numbers are no colours.
        OSError: it is damaged.
    """
    with Requires("PIL"):
        from PIL import ImageOps

    if max(image.size) > MAX_PIXELS:
        raise ValueError(f"it is {image.size[0]} x {image.size[1]}, at most {MAX_PIXELS} a side")
    turned = ImageOps.exif_transpose(image)
    if turned.mode.startswith(_DEEP):
        return _deep(turned)
    key = turned.info.get("transparency")
    if isinstance(key, tuple) and max(key) > 255:  # the one clear colour of a 16-bit RGB file
        turned.info["transparency"] = tuple(part >> 8 for part in key)
    clear = "A" in turned.getbands() or "transparency" in turned.info
    return np.asarray(turned.convert("RGBA" if clear else "RGB"))


def _deep(image: Any) -> NDArray[np.uint8]:
    """Pixels of a greyscale image of 16 bits."""
    values = np.asarray(image)
    if values.dtype.kind == "f" or not 0 <= values.min() <= values.max() <= 0xFFFF:
        raise ValueError("its numbers are no colours; save it with 8 or 16 bits per channel")
    grey = np.repeat((values >> 8).astype(np.uint8)[:, :, None], 3, 2)
    key = image.info.get("transparency")
    if key is None:
        return grey
    return np.dstack([grey, np.where(values == key, 0, 255).astype(np.uint8)])
