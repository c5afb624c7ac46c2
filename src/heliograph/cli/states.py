"""What `heliograph render` shows: the size, the light, the states, the views."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import MAX_SIZE
from heliograph.delivery.views import StateRecipe, random_states
from heliograph.disk import read_file, reason
from heliograph.engine import Renderer
from heliograph.errors import InvalidValueError
from heliograph.passes import PASSES, PassSpecs, check_pass_names, select_passes

_DIGITS = 9

Backend: TypeAlias = Literal["auto", "cpu", "gl"]


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How to draw: options of every command that opens a scene to draw it.

    Attributes:
        backend: which rasterizer draws: "cpu" natively, "gl" through OpenGL; "auto" takes a GPU
            where there is one, else the CPU.
        shading: "standard" adds light in linear space, "classic" in sRGB; "auto" as the engine's
            own renderer does it.
        tone_mapping: how linear light becomes colours; "auto" as the scene says.
        exposure: multiplies linear light.
    """

    backend: Backend = "auto"
    shading: Literal["auto", "classic", "standard"] = "auto"
    tone_mapping: Literal["auto", "none", "neutral", "aces"] = "auto"
    exposure: float = 1.0

    def drawing(self) -> dict[str, Any]:
        """Options of `heliograph.open`, without those that are left to the engine or scene."""
        given = {field.name: getattr(self, field.name) for field in fields(Drawing)}
        return {name: value for name, value in given.items() if value not in ("auto", 1.0)}


def parse_size(text: str) -> tuple[int, int]:
    """(width, height) of a text like 320x240.

    Raises:
        InvalidValueError: not such a text, zero, or beyond the limit.
    """
    sides = text.lower().split("x")
    counts = [side.isascii() and side.isdigit() and len(side) <= _DIGITS for side in sides]
    if len(sides) != 2 or not all(counts):
        raise InvalidValueError(f"--size: expected WIDTHxHEIGHT like 320x240, got {text[:80]!r}")
    width, height = (int(side) for side in sides)
    if not (1 <= width <= MAX_SIZE and 1 <= height <= MAX_SIZE):
        raise InvalidValueError(
            f"--size: expected sides from 1 to {MAX_SIZE} pixels, got {width}x{height}"
        )
    return width, height


def split_names(words: Sequence[str]) -> tuple[str, ...]:
    """Names given apart, or in one word with commas between."""
    return tuple(name for word in words for name in word.split(",") if name)


def engine_options(words: Sequence[str]) -> dict[str, Any]:
    """Options of an engine alone, each a word NAME=VALUE; a value is JSON, or else text.

    Raises:
        InvalidValueError: a word without `=`.
    """
    options: dict[str, Any] = {}
    for word in words:
        name, sign, text = word.partition("=")
        if not sign or not name.isidentifier():
            raise InvalidValueError(f"--option: expected NAME=VALUE, got {word[:80]!r}")
        try:
            options[name] = json.loads(text)
        except ValueError:
            options[name] = text
    return options


def recipes(
    renderer: Renderer,
    *,
    qpos: Path | None = None,
    index: int | None = None,
    count: int | None = None,
    random: bool = True,
) -> tuple[range, Callable[[int], StateRecipe | None]]:
    """The states to show: rows of a file, random ones of the run, or the scene's own.

    Args:
        renderer: who draws them.
        qpos: the file.
        index: of the first; 0 without it.
        count: how many; without it all rows, or one.
        random: whether states are random where `index` or `count` ask for samples of the run.

    Returns:
        The indices of the samples, and what shows one, as `Views.state` takes it.

    Raises:
        InvalidValueError: the file is not as it should be, or has too few states.
    """
    start = index or 0
    if qpos is not None:
        rest = renderer.scene.space.rest
        rows = read_states(qpos, np.size(rest["qpos"]) if "qpos" in rest else None)
        end = len(rows) if count is None else start + count
        if not start < end <= len(rows):
            raise InvalidValueError(
                f"--index, --count: expected some of the {len(rows)} states (from 0) in --qpos "
                f"{qpos}, got {start} to {max(start, end - 1)}"
            )
        return range(start, end), lambda place: {"qpos": rows[place]}
    asked = count is not None or index is not None
    state = random_states(renderer) if asked and random else None
    return range(start, start + (count or 1)), lambda _: state


def read_states(path: Path, width: int | None = None) -> NDArray[Any]:
    """Joint states (N, nq) from .npy, or from text with one state a line.

    Args:
        path: holds (N, nq) or (nq,) numbers.
        width: nq, where it is known: numbers in a column are then told from a state.

    Raises:
        InvalidValueError: no such file, or not numbers in rows of equal length.
    """
    try:
        data = io.BytesIO(read_file(path))
    except OSError as error:
        raise InvalidValueError(f"--qpos: {path}: {reason(error)}") from None
    try:
        rows = np.asarray(_parsed(data, path.suffix))
    except (ValueError, EOFError) as error:
        raise InvalidValueError(f"--qpos: {path}: not an array of numbers ({error})") from None
    if rows.ndim == 1:
        rows = rows.reshape((-1, 1) if width == 1 else (1, -1))
    if rows.ndim != 2 or not rows.size or rows.dtype.kind not in "iuf":
        raise InvalidValueError(
            f"--qpos: {path}: expected numbers, (N, nq) or (nq,), got {rows.shape} {rows.dtype}"
        )
    finite = np.isfinite(rows).all(1)
    if not finite.all():
        raise InvalidValueError(f"--qpos: {path}: NaN or infinity in row {int(finite.argmin())}")
    return rows


def _parsed(data: io.BytesIO, suffix: str) -> NDArray[Any]:
    if suffix == ".npy":
        array: NDArray[Any] = np.load(data, allow_pickle=False)
        return array
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an empty file is told by its shape
        return np.loadtxt(data, delimiter="," if suffix == ".csv" else None)


def chosen_passes(names: Sequence[str], renderer: Renderer) -> PassSpecs:
    """The passes of these names, apart or joined by commas; without names those of every engine.

    Raises:
        UnknownNameError: a pass that the renderer does not have.
        InvalidValueError: one given twice.
    """
    known = renderer.passes
    asked = split_names(names) or tuple(name for name in PASSES if name in known)
    return select_passes(check_pass_names(asked), known)
