"""Textures to draw from: image files, or patterns that are made from a number and kept."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from heliograph.errors import (
    InvalidValueError,
    MissingDependencyError,
    SceneError,
    UnknownNameError,
)
from heliograph.randomize.hsv import hsv_to_rgb
from heliograph.randomize.streams import stream

Image: TypeAlias = NDArray[np.uint8]
Recipe: TypeAlias = list[Any]
"""`[kind, number]` of a made pattern, or `["file", name]`."""

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
_KEPT = 512


@dataclass(frozen=True)
class Textures:
    """What textures are drawn from.

    Attributes:
        kinds: patterns to make: `noise`, `checker`, `gradient`, `perlin`; none with a folder.
        count: how many there are of each pattern; more give more variety and cost more memory.
        size: their width and height, pixels.
        folder: where image files lie (png, jpg, bmp, webp); drawn from besides `kinds`.
    """

    kinds: tuple[str, ...] = ("noise", "checker", "gradient", "perlin")
    count: int = 16
    size: int = 64
    folder: str | None = None

    def __post_init__(self) -> None:
        for kind in self.kinds:
            if kind not in PATTERNS:
                raise UnknownNameError.of("texture", kind, PATTERNS)
        if not 1 <= self.count <= 10_000 or not 2 <= self.size <= 4096:
            raise InvalidValueError(
                f"textures: expected count 1 to 10000 and size 2 to 4096, got {self}"
            )
        if not self.kinds and self.folder is None:
            raise InvalidValueError("textures: expected kinds, a folder or both, got neither")

    def draw(self, rng: Generator, count: int) -> list[Recipe]:
        """Draw `count` recipes; a file is as likely as a made pattern."""
        files = _files(self.folder) if self.folder else ()
        made = len(self.kinds) * self.count
        picked = rng.integers(0, made + len(files), count).tolist()
        return [
            ["file", files[i - made]]
            if i >= made
            else [self.kinds[i // self.count], i % self.count]
            for i in picked
        ]

    def image(self, recipe: Recipe) -> Image:
        """The image (H, W, 3) of a recipe, read-only; the same array each time while it is kept."""
        kind, which = recipe
        if kind == "file":
            return _read(str(Path(self.folder or ".") / which))
        if kind not in PATTERNS:
            raise UnknownNameError.of("texture", kind, PATTERNS)
        return _made(kind, int(which), self.size)


@functools.lru_cache(maxsize=64)
def _files(folder: str) -> tuple[str, ...]:
    path = Path(folder)
    if not path.is_dir():
        raise SceneError(f"textures: {folder} is no folder")
    found = sorted(each.name for each in path.iterdir() if each.suffix.lower() in _SUFFIXES)
    if not found:
        raise SceneError(f"textures: {folder} holds no {', '.join(_SUFFIXES)} file")
    return tuple(found)


@functools.lru_cache(maxsize=_KEPT)
def _read(path: str) -> Image:
    try:
        from PIL import Image as Pictures
    except ImportError:
        raise MissingDependencyError.of("PIL") from None
    try:
        with Pictures.open(path) as picture:
            return _frozen(np.array(picture.convert("RGB")))
    except OSError as error:
        raise SceneError(f"{path}: cannot be read as an image ({error})") from None


@functools.lru_cache(maxsize=_KEPT)
def _made(kind: str, number: int, size: int) -> Image:
    rng = stream(0, number, f"texture/{kind}")
    mix = PATTERNS[kind](rng, size)
    low, high = _two_colours(rng)
    picture = low + (high - low) * (mix if mix.ndim == 3 else mix[..., None])
    return _frozen(np.round(np.clip(picture, 0.0, 1.0) * 255).astype(np.uint8))


def noise(rng: Generator, size: int) -> NDArray[np.float64]:
    """Independent colours per pixel, (size, size, 3), 0 to 1."""
    return rng.random((size, size, 3))


def checker(rng: Generator, size: int) -> NDArray[np.float64]:
    """A checkerboard of 2 to 16 fields across, (size, size), 0 and 1."""
    fields = 2 * int(rng.integers(1, 9))
    at = np.arange(size) * fields // size
    return ((at[:, None] + at[None, :]) % 2).astype(float)


def gradient(rng: Generator, size: int) -> NDArray[np.float64]:
    """A linear ramp in any direction, (size, size), 0 to 1."""
    angle = rng.random() * 2 * np.pi
    at = (np.arange(size) + 0.5) / size - 0.5
    ramp = at[None, :] * np.cos(angle) + at[:, None] * np.sin(angle)
    reach = np.abs(ramp).max()
    return np.asarray(0.5 + ramp / (2 * reach))


def perlin(rng: Generator, size: int) -> NDArray[np.float64]:
    """Gradient noise (Perlin 2002) of four octaves that tiles, (size, size), 0 to 1."""
    first = int(rng.integers(1, 5))
    total = np.zeros((size, size))
    for octave in range(4):
        total += _octave(rng, size, first * 2**octave) / 2**octave
    low, high = total.min(), total.max()
    return np.asarray((total - low) / max(high - low, 1e-9))


def _octave(rng: Generator, size: int, cells: int) -> NDArray[np.float64]:
    angles = rng.random((cells, cells)) * 2 * np.pi
    at = np.arange(size) * cells / size
    cell = at.astype(int)
    part = at - cell
    fade = part**3 * (part * (part * 6 - 15) + 10)
    corners = [[_corner(angles, cell, part, dy, dx) for dx in (0, 1)] for dy in (0, 1)]
    rows = [left + (right - left) * fade[None, :] for left, right in corners]
    return np.asarray(rows[0] + (rows[1] - rows[0]) * fade[:, None])


def _corner(
    angles: NDArray[Any], cell: NDArray[Any], part: NDArray[Any], dy: int, dx: int
) -> NDArray[Any]:
    """The slope at one corner of every pixel's cell, times the way there."""
    cells = len(angles)
    turned = angles[np.ix_((cell + dy) % cells, (cell + dx) % cells)]
    slope = np.cos(turned) * (part[None, :] - dx)
    return np.asarray(slope + np.sin(turned) * (part[:, None] - dy))


def _two_colours(rng: Generator) -> NDArray[np.float64]:
    """A darker and a lighter colour, (2, 3)."""
    return hsv_to_rgb(rng.random(2), rng.random(2) * 0.8, [0.1, 0.6] + rng.random(2) * 0.4)


def _frozen(image: NDArray[Any]) -> Image:
    image.flags.writeable = False
    return image


PATTERNS: dict[str, Callable[[Generator, int], NDArray[np.float64]]] = {
    "noise": noise,
    "checker": checker,
    "gradient": gradient,
    "perlin": perlin,
}
