"""Textures to draw from: image files, or patterns that are made from a number."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from heliograph.disk import read_file
from heliograph.errors import InvalidValueError, SceneError, UnknownNameError, shown
from heliograph.lru import LruCache
from heliograph.randomize import patterns
from heliograph.randomize.patterns import PATTERNS
from heliograph.requires import Requires
from heliograph.scene import images

Image: TypeAlias = NDArray[np.uint8]
Recipe: TypeAlias = list[Any]
"""`[kind, number]` of a made pattern, or `["file", name]`."""

FORMATS = ("PNG", "JPEG", "WebP", "TIFF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
_REFUSED = (".bmp",)
"""Not left out in silence, as they were read once."""
_MOST_BYTES = 256 << 20
MOST_PIXELS = 1024
"""Along a side of a made pattern: so large ones are made in a fraction of a second, and 16 of each
kind are kept; larger ones come from files."""
_IMAGES: LruCache[Image] = LruCache(_MOST_BYTES)
_LOCK = threading.RLock()


@dataclass(frozen=True)
class Textures:
    """What textures are drawn from.

    Attributes:
        kinds: patterns to make: `noise`, `checker`, `gradient`, `perlin`; none with a folder.
        count: how many there are of each pattern; more give more variety and cost more memory.
        size: their width and height, 2 to 1024 pixels.
        folder: where image files lie (PNG, JPEG, WebP, TIFF); drawn from besides `kinds`. In a
            config file it is relative to that file. What is in it is read, and must not change.
        sha256: of the names and bytes of the folder's files, which is taken where it is not given;
            where it is, other files are refused.

    Raises:
        InvalidValueError: a number out of its range; no folder, no image in it, one that cannot
            be read, or others than `sha256` says.
    """

    kinds: tuple[str, ...] = ("noise", "checker", "gradient", "perlin")
    count: int = 16
    size: int = 64
    folder: str | None = None
    sha256: str | None = None

    def __post_init__(self) -> None:
        for kind in self.kinds:
            if kind not in PATTERNS:
                raise UnknownNameError.of("texture", kind, PATTERNS)
        if not 1 <= self.count <= 10_000 or not 2 <= self.size <= MOST_PIXELS:
            raise InvalidValueError(
                f"textures: expected count 1 to 10000 and size 2 to {MOST_PIXELS}, got "
                f"{shown(self.count)} and {shown(self.size)}"
            )
        if self.folder is None and (self.sha256 is not None or not self.kinds):
            raise InvalidValueError(
                "textures: expected kinds, a folder or both, got neither"
                if self.sha256 is None
                else "textures: sha256 is of a folder, and there is none"
            )
        if self.folder is not None:
            object.__setattr__(self, "folder", str(Path(self.folder).absolute()))
            object.__setattr__(self, "sha256", self._checked_hash())

    def draw(self, rng: Generator, count: int) -> list[Recipe]:
        """Draw `count` recipes; a file is as likely as a made pattern."""
        files = tuple(self._files)
        made = len(self.kinds) * self.count
        picked = rng.integers(0, made + len(files), count).tolist()
        return [
            ["file", files[i - made]]
            if i >= made
            else [self.kinds[i // self.count], i % self.count]
            for i in picked
        ]

    def image(self, recipe: Recipe) -> Image:
        """The image (H, W, 3) of a recipe, read-only; the same array while it is kept.

        Raises:
            UnknownNameError: no such pattern or file.
            SceneError: the file cannot be read, or holds other bytes by now.
        """
        kind, which = recipe
        if kind != "file" and kind not in PATTERNS:
            raise UnknownNameError.of("texture", kind, PATTERNS)
        if kind != "file":
            return _kept(patterns.make, kind, which, self.size)
        if which not in self._files:
            raise UnknownNameError.of("texture file", which, self._files)
        return _kept(_pixels, f"{self.folder}/{which}", self._files[which])

    @cached_property
    def _files(self) -> dict[str, str]:
        """The folder's files by name, with the SHA-256 of their bytes when this was made."""
        return {} if self.folder is None else _listed(Path(self.folder), decode=self.sha256 is None)

    def _checked_hash(self) -> str:
        """One SHA-256 of the names and hashes of all files."""
        lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(self._files.items()))
        found = hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()
        if self.sha256 not in (None, found):
            raise InvalidValueError(
                f"textures: the files in {self.folder} are not those that were there when the "
                "config was loaded; put them back, or leave out sha256 to take these"
            )
        return found


def _kept(make: Callable[..., Image], *recipe: Any) -> Image:
    """What is made of a recipe, or is kept of it; so many bytes are kept, the last used ones."""
    with _LOCK:
        image = _IMAGES.get(recipe)
    if image is None:
        image = make(*recipe)
        image.flags.writeable = False
        with _LOCK:
            _IMAGES.put(recipe, image, image.nbytes)
            _IMAGES.trim()
    return image


def _listed(folder: Path, *, decode: bool) -> dict[str, str]:
    """The image files in a folder, in order: name -> SHA-256; maybe each is decoded first."""
    try:
        paths = sorted(each for each in folder.iterdir() if each.is_file())
    except OSError as error:
        raise InvalidValueError(f"textures: folder {folder}: {error.strerror}") from None
    paths = [each for each in paths if each.suffix.lower() in (*SUFFIXES, *_REFUSED)]
    if not paths:
        raise InvalidValueError(f"textures: folder {folder} holds no {', '.join(SUFFIXES)} file")

    def digest(path: Path) -> str:
        try:
            data = read_file(path)
        except OSError as error:
            raise InvalidValueError(
                f"textures: {path}: cannot be read ({error.strerror})"
            ) from None
        if decode:
            _decoded(path, data, draft=True)
        return hashlib.sha256(data).hexdigest()

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
        return {
            path.name: each for path, each in zip(paths, threads.map(digest, paths), strict=True)
        }


def _pixels(path: str, digest: str) -> Image:
    """The pixels of a file with this SHA-256."""
    try:
        data = read_file(path)
    except OSError as error:
        raise SceneError(f"textures: {path}: cannot be read ({error.strerror})") from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise SceneError(f"textures: {path} has changed since the config was loaded; load it anew")
    try:
        return np.ascontiguousarray(images.pixels(_decoded(path, data))[:, :, :3])
    except ValueError as error:
        raise SceneError(f"textures: {path}: cannot be shown ({error})") from None


def _decoded(path: str | Path, data: bytes, *, draft: bool = False) -> Any:
    """The picture in a file; of a JPEG a draft has read every byte, but not made every pixel."""
    with Requires("PIL"):
        from PIL import Image as Pillow
        from PIL import UnidentifiedImageError
    try:
        picture = Pillow.open(io.BytesIO(data), formats=FORMATS)
        if draft:
            picture.draft("RGB", (8, 8))
        picture.load()
    except UnidentifiedImageError:
        *others, last = FORMATS
        raise InvalidValueError(
            f"textures: {path}: expected what a {', '.join(others)} or {last} file holds, got "
            "something else; convert it, or take it out of the folder"
        ) from None
    except Exception as error:  # noqa: BLE001 -- broken images raise whatever they like
        raise InvalidValueError(
            f"textures: {path}: cannot be read as an image ({error}); take it out of the folder"
        ) from None
    return picture
