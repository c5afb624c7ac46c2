"""Mapping files: which columns of a request's qpos are which joint of the model."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.compat.orrb.problems import RendererError
from heliograph.disk import read_file, reason
from heliograph.errors import UnknownNameError
from heliograph.scene import Joint

WIDTHS: Mapping[str, int] = {"free": 7, "ball": 4, "slide": 1, "hinge": 1}
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class QposMapping:
    """How a row of a request becomes the model's qpos.

    Attributes:
        initial: (nq,) the model's own; joints that are not mapped stay so.
        joints: the model's.
        columns: columns of the request.
        places: where they go.
    """

    initial: NDArray[np.float64]
    joints: Sequence[Joint]
    columns: Sequence[int]
    places: Sequence[int]

    @property
    def width(self) -> int:
        """How many columns a request must have."""
        return max(self.columns, default=-1) + 1

    def rows(self, given: NDArray[Any]) -> NDArray[np.float64]:
        """The model's qpos (N, nq) of a request's (N, >= width), hinges and slides in their range.

        Raises:
            RendererError: too few columns.
        """
        if not len(given):
            return np.empty((0, len(self.initial)))
        if given.shape[1] < self.width:
            raise RendererError(
                f"qpos: expected (N, {self.width}) or more columns, got {given.shape}"
            )
        rows = np.tile(self.initial, (len(given), 1))
        rows[:, list(self.places)] = given[:, list(self.columns)]
        for joint in self.joints:
            if joint.kind in ("hinge", "slide") and joint.low is not None:
                np.clip(rows[:, joint.at], joint.low, joint.high, out=rows[:, joint.at])
        return rows


def identity(joints: Sequence[Joint], initial: NDArray[np.float64]) -> QposMapping:
    """Requests hold the model's own qpos."""
    every = range(len(initial))
    return QposMapping(initial, joints, every, every)


def read_mapping(path: Path, joints: Sequence[Joint], initial: NDArray[np.float64]) -> QposMapping:
    """Read lines `joint_name, qpos_index`.

    A joint that the model does not have is warned of and left out, as in ORRB; empty lines and
    those that start with # are skipped.

    Args:
        path: the file.
        joints: the model's.
        initial: (nq,) the model's own qpos.

    Raises:
        RendererError: `file:line` and what is wrong with it.
    """
    known = {joint.name: joint for joint in joints}
    columns: list[int] = []
    places: list[int] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(_lines(path), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, index = _parsed(line, f"{path}:{number}")
        if name in seen:
            raise RendererError(f"{path}:{number}: {name!r} stands in line {seen[name]} already")
        seen[name] = number
        joint = known.get(name)
        if joint is None:
            told = UnknownNameError.of("joint", name, known).message
            _LOG.warning("%s:%s: %s; this line is left out", path, number, told)
            continue
        width = WIDTHS[joint.kind]
        columns += range(index, index + width)
        places += range(joint.at, joint.at + width)
    return QposMapping(initial, joints, columns, places)


def _lines(path: Path) -> list[str]:
    try:
        return read_file(path).decode("utf-8-sig").splitlines()
    except OSError as error:
        raise RendererError(f"{path}: cannot be read ({reason(error)})") from None
    except UnicodeDecodeError as error:
        raise RendererError(f"{path}: cannot be read ({error})") from None


def _parsed(line: str, where: str) -> tuple[str, int]:
    parts = [part.strip() for part in line.split(",")]
    if len(parts) != 2 or not parts[0] or not parts[1].isascii() or not parts[1].isdigit():
        raise RendererError(
            f"{where}: expected `joint_name, qpos_index` with an index from 0, got {line!r}"
        )
    index = int(parts[1])
    if index > 100_000:
        raise RendererError(f"{where}: qpos index {index} is beyond any state")
    return parts[0], index
