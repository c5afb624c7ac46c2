"""Textures to draw from: image files, or patterns that are made from a number and cached."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.randomize import folder as folders
from heliograph.randomize.hsv import hsv_to_rgb
from heliograph.randomize.streams import stream

Image: TypeAlias = NDArray[np.uint8]
Recipe: TypeAlias = list[Any]
"""`[kind, number]` of a made pattern, or `["file", name]`."""

_CACHE_SIZE = 512


@dataclass(frozen=True)
class Textures:
    """What textures are drawn from.

    Attributes:
        kinds: patterns to make: `noise`, `checker`, `gradient`, `perlin`; none with a folder.
        count: how many there are of each pattern; more give more variety and cost more memory.
        size: their width and height, pixels.
        folder: where image files lie (png, jpg, bmp, webp); drawn from besides `kinds`. In a
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
        if not 1 <= self.count <= 10_000 or not 2 <= self.size <= 4096:
            raise InvalidValueError(
                f"textures: expected count 1 to 10000 and size 2 to 4096, got {self}"
            )
        if not self.kinds and self.folder is None:
            raise InvalidValueError("textures: expected kinds, a folder or both, got neither")
        object.__setattr__(self, "_files", self._listed())

    def draw(self, rng: Generator, count: int) -> list[Recipe]:
        """Draw `count` recipes; a file is as likely as a made pattern."""
        files = tuple(self._known())
        made = len(self.kinds) * self.count
        picked = rng.integers(0, made + len(files), count).tolist()
        return [
            ["file", files[i - made]]
            if i >= made
            else [self.kinds[i // self.count], i % self.count]
            for i in picked
        ]

    def image(self, recipe: Recipe) -> Image:
        """The image (H, W, 3) of a recipe, read-only; the same array while it is cached."""
        kind, which = recipe
        if kind == "file":
            return self._read(which)
        if kind not in PATTERNS:
            raise UnknownNameError.of("texture", kind, PATTERNS)
        return _made(kind, int(which), self.size)

    def _listed(self) -> dict[str, str]:
        """Names and hashes of the folder's files, checked against `sha256` or setting it."""
        if self.folder is None:
            if self.sha256 is not None:
                raise InvalidValueError("textures: sha256 is of a folder, and there is none")
            return {}
        folder = str(Path(self.folder).absolute())
        files = folders.listed(folder, decode=self.sha256 is None)
        found = folders.combined(files)
        if self.sha256 not in (None, found):
            raise InvalidValueError(
                f"textures: the files in {folder} are not those that were there when the config "
                "was loaded; put them back, or leave out sha256 to take these"
            )
        object.__setattr__(self, "folder", folder)
        object.__setattr__(self, "sha256", found)
        return files

    def _known(self) -> dict[str, str]:
        files: dict[str, str] = self.__dict__["_files"]
        return files

    def _read(self, name: str) -> Image:
        files = self._known()
        if self.folder is None or name not in files:
            raise UnknownNameError.of("texture file", name, files)
        return folders.image(str(Path(self.folder) / name), files[name])


@functools.lru_cache(maxsize=_CACHE_SIZE)
def _made(kind: str, number: int, size: int) -> Image:
    rng = stream(0, number, f"texture/{kind}")
    mix = PATTERNS[kind](rng, size)
    # A darker and a lighter colour.
    low, high = hsv_to_rgb(rng.random(2), rng.random(2) * 0.8, [0.1, 0.6] + rng.random(2) * 0.4)
    picture = low + (high - low) * (mix if mix.ndim == 3 else mix[..., None])
    image: Image = np.round(np.clip(picture, 0.0, 1.0) * 255).astype(np.uint8)
    image.flags.writeable = False
    return image


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


PATTERNS: dict[str, Callable[[Generator, int], NDArray[np.float64]]] = {
    "noise": noise,
    "checker": checker,
    "gradient": gradient,
    "perlin": perlin,
}
