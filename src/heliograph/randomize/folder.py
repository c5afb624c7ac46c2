"""Folders of images to draw textures from, known by the bytes of their files."""

from __future__ import annotations

import functools
import hashlib
import io
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.disk import read_file
from heliograph.errors import InvalidValueError, MissingDependencyError, SceneError
from heliograph.requires import Requires

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
_CACHE_SIZE = 512
_SMALL = (8, 8)


def listed(folder: str, *, decode: bool = True) -> dict[str, str]:
    """The image files in a folder, in order: name -> SHA-256.

    Args:
        folder: its path.
        decode: whether to make sure that each of them is an image.

    Raises:
        InvalidValueError: no such folder, none in it, or one that cannot be read.
    """
    try:
        paths = sorted(each for each in Path(folder).iterdir() if each.is_file())
    except OSError as error:
        raise InvalidValueError(f"textures: folder {folder}: {error.strerror}") from None
    paths = [each for each in paths if each.suffix.lower() in SUFFIXES]
    if not paths:
        raise InvalidValueError(f"textures: folder {folder} holds no {', '.join(SUFFIXES)} file")
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
        digests = threads.map(_checked if decode else _digest_of, paths)
        return {path.name: digest for path, digest in zip(paths, digests, strict=True)}


def combined(files: Mapping[str, str]) -> str:
    """One SHA-256 of the names and hashes of all files."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


@functools.lru_cache(maxsize=_CACHE_SIZE)
def image(path: str, digest: str) -> NDArray[np.uint8]:
    """The image (H, W, 3) of a file with this SHA-256, read-only.

    Raises:
        SceneError: it cannot be read, or holds other bytes by now.
    """
    try:
        data = read_file(path)
    except OSError as error:
        raise SceneError(f"textures: {path}: cannot be read ({error.strerror})") from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise SceneError(f"textures: {path} has changed since the config was loaded; load it anew")
    try:
        pixels = np.array(_opened(data).convert("RGB"))
    except MissingDependencyError:
        raise
    except Exception as error:  # noqa: BLE001 -- broken images raise whatever they like
        raise SceneError(f"textures: {path}: cannot be read as an image ({error})") from None
    pixels.flags.writeable = False
    return pixels


def _digest_of(path: Path) -> str:
    return hashlib.sha256(_bytes(path)).hexdigest()


def _checked(path: Path) -> str:
    data = _bytes(path)
    try:
        picture = _opened(data)
        picture.draft("RGB", _SMALL)  # of a JPEG every byte is read, but not every pixel made
        picture.load()
    except MissingDependencyError:
        raise
    except Exception as error:  # noqa: BLE001 -- broken images raise whatever they like
        raise InvalidValueError(
            f"textures: {path}: cannot be read as an image ({error}); take it out of the folder"
        ) from None
    return hashlib.sha256(data).hexdigest()


def _bytes(path: Path) -> bytes:
    try:
        return read_file(path)
    except OSError as error:
        raise InvalidValueError(f"textures: {path}: cannot be read ({error.strerror})") from None


def _opened(data: bytes) -> Any:
    with Requires("PIL"):
        from PIL import Image

    return Image.open(io.BytesIO(data))
