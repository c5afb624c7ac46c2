"""Samples as files, without loss; a file is either whole or not there."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from heliograph.errors import RecordError
from heliograph.frame import Frame, Sample

_SHORT = 2**16


def write_atomically(path: Path, write: Callable[[IO[bytes]], None]) -> Path:
    """Write a file under a temporary name beside it, then rename.

    Raises:
        RecordError: the disk is full or the folder cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as stream:
            write(stream)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise RecordError(f"{path}: cannot be written ({error.strerror or error})") from None
    return path


def save_sample(sample: Sample, folder: Path, stem: str) -> list[Path]:
    """Write every pass of every camera, and a JSON file that says what they are.

    rgb is PNG, depth and normals are .npy float32, segmentation is 16-bit PNG or, for larger ids,
    .npy int32.

    Returns:
        The paths written.

    Raises:
        RecordError: something cannot be written.
    """
    paths = []
    for name, frame in sample.frames.items():
        base = f"{stem}_{_safe(name)}"
        for kind, array in frame.passes.items():
            suffix, data = _encoded(kind, array)
            path = folder / f"{base}_{kind}{suffix}"
            paths.append(write_atomically(path, lambda stream, data=data: _put(stream, data)))
    text = json.dumps(_facts(sample), indent=1).encode()
    paths.append(write_atomically(folder / f"{stem}.json", lambda stream: _put(stream, text)))
    return paths


def _put(stream: IO[bytes], data: bytes) -> None:
    stream.write(data)


def _safe(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)


def _encoded(kind: str, array: NDArray[Any]) -> tuple[str, bytes]:
    if kind == "rgb":
        return ".png", png(array)
    if kind == "segmentation" and array.min(initial=0) >= 0 and array.max(initial=0) < _SHORT:
        return ".png", png(array.astype(np.uint16))
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return ".npy", stream.getvalue()


def png(array: NDArray[Any]) -> bytes:
    """An array as PNG: (H, W, 3) uint8 or (H, W) uint16."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG", compress_level=3)
    return stream.getvalue()


def _facts(sample: Sample) -> dict[str, Any]:
    return {
        "seed": sample.seed,
        "index": sample.index,
        "state": {name: np.asarray(value).tolist() for name, value in sample.state.items()},
        "labels": {str(i): list(label) for i, label in sample.labels.items()},
        "cameras": {name: _camera(frame) for name, frame in sample.frames.items()},
        "randomization": dict(sample.randomization),
    }


def _camera(frame: Frame) -> dict[str, Any]:
    camera = frame.camera
    return {
        "width": camera.width,
        "height": camera.height,
        "K": camera.K.tolist(),
        "world_from_camera": camera.world_from_camera.tolist(),
        "near": camera.near,
        "far": camera.far,
        "projection": camera.projection.value,
    }
