"""Loading a MuJoCo model from a path, a text or a compiled model, with errors people can use."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TypeAlias

import mujoco
import numpy as np

from heliograph.disk import check_file, printable, reason
from heliograph.errors import InvalidValueError, SceneError

ModelSource: TypeAlias = str | Path | mujoco.MjModel


def load(source: ModelSource) -> tuple[mujoco.MjModel, str]:
    """A compiled model of our own, and a short name for it.

    Args:
        source: path to MJCF, URDF or .mjb, MJCF text (starts with `<`), or a compiled model
            (copied, so that what its owner does to it later does not show).

    Raises:
        SceneError: the file is missing or MuJoCo refuses it; the message is MuJoCo's own.
    """
    if isinstance(source, mujoco.MjModel):
        return _copy(source), "MjModel"
    if not isinstance(source, (str, Path)):
        raise InvalidValueError(
            f"expected a path, MJCF text or mujoco.MjModel, got {type(source).__name__}"
        )
    if isinstance(source, str) and source.lstrip().startswith("<"):
        return _from_text(source), "MJCF text"
    path = Path(source)
    try:
        check_file(path)
    except OSError as error:
        raise SceneError(f"{path}: {reason(error)}") from None
    return _from_file(path), printable(path)


def _copy(model: mujoco.MjModel) -> mujoco.MjModel:
    import copy

    return copy.copy(model)


def _from_text(text: str) -> mujoco.MjModel:
    try:
        return mujoco.MjModel.from_xml_string(text)
    except ValueError as error:
        raise SceneError(f"MJCF text: {_one_line(error)}") from None


def _from_file(path: Path) -> mujoco.MjModel:
    binary = path.suffix == ".mjb"
    read = mujoco.MjModel.from_binary_path if binary else mujoco.MjModel.from_xml_path
    try:
        return read(os.fsencode(path))
    except (ValueError, mujoco.FatalError) as error:
        raise SceneError(f"{path}: {_one_line(error)}") from None


def _one_line(error: BaseException) -> str:
    told = str(error)
    if isinstance(error, UnicodeDecodeError):  # MuJoCo's message holds the bytes of the file's name
        told = error.object.decode(errors="backslashreplace")
    return " ".join(told.split())


def digest(model: mujoco.MjModel) -> str:
    """Hexadecimal digest of the compiled model; equal models, equal digest."""
    buffer = np.empty(mujoco.mj_sizeModel(model), np.uint8)
    mujoco.mj_saveModel(model, None, buffer)
    return hashlib.sha256(buffer.tobytes()).hexdigest()[:32]
