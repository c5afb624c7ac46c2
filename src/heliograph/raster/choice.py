"""Which backend draws: a GPU through GL where there is one, else the CPU."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from heliograph.errors import ContextError, MissingDependencyError
from heliograph.raster.cpu import native_scene
from heliograph.raster.intake import instance
from heliograph.raster.options import RasterOptions
from heliograph.requires import Requires

_GPUS = ("dri/render*", "nvidia[0-9]*", "dxg")


@dataclass(frozen=True)
class Choice:
    """Which backend draws.

    Attributes:
        backend: its name.
        why: the reason, a clause.
    """

    backend: Literal["cpu", "gl"]
    why: str


def choose(options: RasterOptions | None = None) -> Choice:
    """Which backend draws with these options on this machine."""
    options = RasterOptions() if options is None else instance("options", options, RasterOptions)
    if options.backend != "auto":
        return Choice(options.backend, f"backend={options.backend!r} was given")
    if options.device is not None:
        return Choice("gl", f"device={options.device} was given")
    try:
        native_scene()
    except MissingDependencyError as error:
        return Choice("gl", str(error))
    if not has_gpu():
        return Choice("cpu", "there is no GPU here")
    return _of_gl()


def has_gpu(devices: Path = Path("/dev")) -> bool:
    """Whether the system shows a GPU that GL may draw on; looks at files alone."""
    return any(any(devices.glob(pattern)) for pattern in _GPUS)


@lru_cache(maxsize=1)
def _of_gl() -> Choice:
    """GL, if a GPU draws it; found out once, by trying it."""
    try:
        with Requires("moderngl"):
            from heliograph.raster.gl.context import Context
        context = Context()
    except (ContextError, MissingDependencyError) as error:
        return Choice("cpu", f"GL does not work here: {error}")
    renderer, software = context.renderer, context.software
    context.release()
    if software:
        return Choice("cpu", f"GL would draw on the CPU as well, with {renderer}")
    return Choice("gl", f"there is a GPU here: {renderer}")
