"""Samples as files, without loss; a file is either whole or not there."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from heliograph.errors import RecordError
from heliograph.frame import Frame, Sample
from heliograph.passes import PassSpec
from heliograph.requires import Requires

_SHORT = 2**16


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> Path:
    """Write a file under a temporary name beside it, then rename.

    Args:
        path: the file.
        write: puts the content into the open file.

    Raises:
        RecordError: the disk is full or the folder cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as stream:
            write(stream)
        part.replace(path)
    except OSError as error:
        raise RecordError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return path


def save_sample(sample: Sample, folder: Path, stem: str) -> list[Path]:
    """Write every pass of every camera, and a JSON file that says what they are.

    rgb and alpha are PNG, lengths and normals are .npy float32, segmentation is 16-bit PNG or, for
    larger ids, .npy int32. Names read `<stem>_<camera>_<pass>`; the JSON, `<stem>.json`, comes
    last, so where it stands all it names stand too. It holds the cameras (K, pose, size, near,
    far), the files, labels, state, seed and index.

    Returns:
        The paths written.

    Raises:
        RecordError: something cannot be written.
    """
    paths: list[Path] = []
    cameras: dict[str, Any] = {}
    for (name, frame), file in zip(sample.frames.items(), _file_names(sample), strict=True):
        files = {
            kind: _save_pass(folder / f"{stem}_{file}_{kind}", frame, kind) for kind in frame.passes
        }
        paths += files.values()
        cameras[name] = {**_camera(frame), "files": {kind: p.name for kind, p in files.items()}}
    text = json.dumps({**_facts(sample), "cameras": cameras}, indent=1, default=_plain).encode()
    return [*paths, write_atomically(folder / f"{stem}.json", lambda stream: stream.write(text))]


def png(array: NDArray[Any]) -> bytes:
    """An array as PNG: uint8 or (H, W) uint16."""
    with Requires("PIL"):
        from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG", compress_level=3)
    return stream.getvalue()


def _save_pass(path: Path, frame: Frame, kind: str) -> Path:
    suffix, data = _encoded(frame.spec(kind), frame[kind])
    return write_atomically(path.with_name(path.name + suffix), lambda stream: stream.write(data))


def _file_names(sample: Sample) -> list[str]:
    """The cameras' names as parts of file names; made different where they would be the same."""
    names = [_safe(name) for name in sample.frames]
    return [
        f"{name}-{place}" if names.count(name) > 1 else name for place, name in enumerate(names)
    ]


def _safe(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)[:80]


def _encoded(spec: PassSpec, array: NDArray[Any]) -> tuple[str, bytes]:
    if spec.file_form == "png" and array.dtype == np.uint8:
        return ".png", png(array)
    if spec.name == "segmentation" and array.min(initial=0) >= 0 and array.max(initial=0) < _SHORT:
        return ".png", png(array.astype(np.uint16))
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return ".npy", stream.getvalue()


def _facts(sample: Sample) -> dict[str, Any]:
    return {
        "seed": sample.seed,
        "index": sample.index,
        "state": dict(sample.state),
        "labels": {str(number): list(label) for number, label in sample.labels.items()},
        "randomization": dict(sample.randomization),
        "annotations": dict(sample.annotations),
    }


def _camera(frame: Frame) -> dict[str, Any]:
    camera = frame.camera
    return {
        "width": camera.width,
        "height": camera.height,
        "K": camera.K,
        "world_from_camera": camera.world_from_camera,
        "near": camera.near,
        "far": camera.far,
        "projection": camera.projection.value,
    }


def _plain(value: object) -> Any:
    """What JSON does not know: arrays and numpy's numbers."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
