"""ORRB's helpers: lists of servers, requests, logging, and pictures of passes."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heliograph.compat.orrb.problems import RendererError

ROOT_VARIABLE = "HELIOGRAPH_ORRB_ROOT"
_COLOURS = 8
_FORMAT = "%(asctime)s.%(msecs)03d %(levelname)s: %(message)s"


class Shuts(Protocol):
    """What can be shut down."""

    def shutdown(self) -> None:
        """End it."""


def build_server_configs(
    num_gpus: int, num_workers: int, base_port: int, mpi_rank: int, mpi_size: int
) -> list[list[int]]:
    """Pairs [gpu, port] of one rank: the same number of workers on each GPU, consecutive ports.

    Args:
        num_gpus: how many GPUs.
        num_workers: servers on each GPU.
        base_port: port of the first server of all ranks.
        mpi_rank: which share, from 0.
        mpi_size: how many shares.

    Raises:
        RendererError: the servers cannot be shared out evenly, or there is no such rank.
    """
    total = num_gpus * num_workers
    if mpi_size < 1 or total % mpi_size:
        raise RendererError(
            f"build_server_configs: {num_gpus} GPUs x {num_workers} workers = {total} servers "
            f"cannot be shared out evenly among {mpi_size} processes (mpi_size)"
        )
    if not 0 <= mpi_rank < mpi_size:
        raise RendererError(f"mpi_rank: expected 0 to {mpi_size - 1}, got {mpi_rank}")
    share = total // mpi_size
    first = mpi_rank * share
    return [[i % num_gpus, base_port + i] for i in range(first, first + share)]


def build_batch(states: ArrayLike, seed: int) -> dict[str, Any]:
    """A request: states (N, nq), of which entry i is drawn with seed + i."""
    return {"qpos": states, "seed": seed}


def package_relative_path(path: str | os.PathLike[str]) -> str:
    """An absolute path for one below the folder that holds `assets`: in ORRB its own checkout.

    Here that is the folder that HELIOGRAPH_ORRB_ROOT names, or else the first of the working
    directory, the program's and those above them where the path is; the working directory where it
    is nowhere.
    """
    here, program = Path.cwd(), Path(sys.argv[0] or ".").absolute().parent
    named = os.environ.get(ROOT_VARIABLE)
    folders = [Path(named)] if named else [here, *here.parents, program, *program.parents]
    root = next((folder for folder in folders if (folder / path).exists()), folders[0])
    return os.path.normpath(root.absolute() / path)


def setup_logging() -> None:
    """Log to stderr, from INFO on, or from DEBUG on where the environment has DEBUG=1."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(_FORMAT, datefmt="%Y-%m-%d %H:%M:%S"))
    root = logging.getLogger()
    root.setLevel(logging.DEBUG if os.environ.get("DEBUG") == "1" else logging.INFO)
    root.handlers[:] = [handler]


def renderer_closer(renderer: Shuts) -> None:
    """Shut a renderer down; for `atexit.register(renderer_closer, renderer)`."""
    renderer.shutdown()


def read_rgba_image(data: bytes, w: int, h: int) -> NDArray[np.uint8]:
    """Return (h, w, 3) or (h, w, 4) uint8 of raw bytes."""
    pixels = max(1, w * h)
    return _image(data, np.dtype(np.uint8), (h, w, max(3, len(data) // pixels)))


def read_depth_image(data: bytes, w: int, h: int) -> NDArray[np.float32]:
    """Return (h, w) float32 of raw bytes."""
    return _image(data, np.dtype(np.float32), (h, w))


def read_normals_image(data: bytes, w: int, h: int) -> NDArray[np.float32]:
    """Return (h, w, 3) float32 of raw bytes."""
    return _image(data, np.dtype(np.float32), (h, w, 3))


def read_segmentation_image(data: bytes, w: int, h: int) -> NDArray[np.uint8]:
    """Return (h, w) uint8 of raw bytes."""
    return _image(data, np.dtype(np.uint8), (h, w))


def render_depth(image: ArrayLike) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) of depth (H, W): 0 is black, 1 white, then again from black.

    As in ORRB, whose numbers wrap: depth * 255, modulo 256. What is not finite is black.
    """
    scaled = np.nan_to_num(np.asarray(image, float), posinf=0.0, neginf=0.0) * 255
    grey = np.asarray(np.mod(np.trunc(scaled), 256), np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


def render_normals(image: ArrayLike) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) of normals (H, W, 3) from 0 to 1."""
    values = np.nan_to_num(np.asarray(image), posinf=1.0) * 255
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def render_segmentation(image: ArrayLike) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) of categories (H, W): bit i of a category is channel i.

    Raises:
        RendererError: not a picture of whole numbers from 0 to 7.
    """
    categories = np.asarray(image)
    if categories.ndim != 2 or categories.dtype.kind not in "iu":
        raise RendererError(
            f"segmentation: expected (H, W) integers, got {categories.shape} {categories.dtype}"
        )
    if categories.size and not 0 <= categories.min() <= categories.max() < _COLOURS:
        raise RendererError(
            f"segmentation: expected categories from 0 to {_COLOURS - 1}, got "
            f"{categories.min()} to {categories.max()}"
        )
    bits = categories[..., None] >> np.arange(3) & 1
    return np.asarray(bits * 255, np.uint8)


class ScreenWriter:
    """Shows pictures in the terminal, side by side, two rows of pixels in a line of text.

    Args:
        print_numbers: whether names and how many there were so far stand below them.
        columns: how wide they are together, characters; the terminal's width without it.
    """

    def __init__(self, print_numbers: bool = False, columns: int | None = None) -> None:
        self.print_numbers = print_numbers
        self.columns = columns or shutil.get_terminal_size().columns
        self._count = 0

    def write(self, images: Mapping[str, ArrayLike]) -> bool:
        """Show pictures (H, W, 3) or (H, W, 4) uint8 by name, their first row below as ORRB's.

        Returns:
            Whether to stop, as nobody can see them any more.
        """
        self._count += 1
        width = max(1, self.columns // max(1, len(images)))
        blocks = [_text(each, width) for each in images.values()]
        lines = ["".join(parts) for parts in zip(*blocks, strict=True)]
        if self.print_numbers:
            lines.append(f"{self._count}: {', '.join(images)}")
        try:
            sys.stdout.write("\n".join(lines) + "\n")
            sys.stdout.flush()
        except (OSError, ValueError):
            return True
        return False


def _text(image: ArrayLike, width: int) -> list[str]:
    """Lines of half blocks in the colours of a picture, as high as it is wide."""
    pixels = np.asarray(image)[::-1, :, :3]
    rows = np.arange(width // 2 * 2) * len(pixels) // max(1, width // 2 * 2)
    small = pixels[rows][:, np.arange(width) * pixels.shape[1] // width].tolist()
    pairs = zip(small[::2], small[1::2], strict=True)
    return [
        "".join(
            "\x1b[38;2;{};{};{}m\x1b[48;2;{};{};{}m\u2580".format(*upper, *lower)
            for upper, lower in zip(*pair, strict=True)
        )
        + "\x1b[0m"
        for pair in pairs
    ]


def _image(data: bytes, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    expected = int(np.prod(shape)) * dtype.itemsize
    if len(data) != expected:
        raise RendererError(f"expected {expected} bytes for {shape} {dtype}, got {len(data)}")
    return np.frombuffer(data, dtype).reshape(shape)
