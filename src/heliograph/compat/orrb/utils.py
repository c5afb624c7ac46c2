"""ORRB's helpers: lists of servers, requests, logging, and pictures of passes."""

from __future__ import annotations

import logging
import os
import sys
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
    """An absolute path for one below the folder that holds `assets`.

    In ORRB that was its own checkout; here it is the folder that HELIOGRAPH_ORRB_ROOT names, or
    the working directory without it.
    """
    root = os.environ.get(ROOT_VARIABLE) or Path.cwd()
    return os.path.normpath(Path(root).absolute() / path)


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
    """Return a picture (H, W, 3) of depth (H, W): 0 is black, 1 and above (and inf) white."""
    grey = _bytes(np.asarray(image))
    return np.repeat(grey[..., None], 3, axis=-1)


def render_normals(image: ArrayLike) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) of normals (H, W, 3) from 0 to 1."""
    return _bytes(np.asarray(image))


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


def _image(data: bytes, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    expected = int(np.prod(shape)) * dtype.itemsize
    if len(data) != expected:
        raise RendererError(f"expected {expected} bytes for {shape} {dtype}, got {len(data)}")
    return np.frombuffer(data, dtype).reshape(shape)


def _bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.nan_to_num(values, posinf=1.0) * 255, 0, 255), np.uint8)
