"""Packages that are imported where they are used; a missing one is named with what brings it."""

from __future__ import annotations

import importlib
from types import TracebackType
from typing import Any

from heliograph.errors import HeliographError, MissingDependencyError

EXTRAS = {
    "OpenEXR": "exr",
    "aiohttp": "web",  # and "serve", which is the same
    "gsplat": "splat",
    "gymnasium": "envs",
    "pycocotools": "coco",
    "pygame": "fly",
    "torch": "torch",
    "yaml": "yaml",
    "zmq": "blender",
}
"""Packages that only an extra brings, and its name."""

_ON_PYPI = {"PIL": "pillow"}
_LINKED = {"libEGL": "libegl1", "libGL": "libgl1"}


class Requires:
    """Stands around an import: `with Requires("PIL"): from PIL import Image`.

    Args:
        package: what is imported, by the name it is imported by.

    Raises:
        MissingDependencyError: it or what it imports is not installed; names what to install.
    """

    def __init__(self, package: str) -> None:
        self._package = package

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, ImportError) and not isinstance(error, HeliographError):
            raise missing(error, self._package) from error


def missing(
    error: ImportError, package: str = "", extra: str | None = None
) -> MissingDependencyError:
    """What to say of an import that failed.

    Args:
        error: that of the import.
        package: what was imported, for errors that do not name it.
        extra: what brings all that was to be imported, where an extra does.
    """
    if not isinstance(error, ModuleNotFoundError):
        apt = next((_LINKED[name] for name in _LINKED if name in str(error)), None)
        return MissingDependencyError.of(package, apt=apt, cause=str(error))
    name = (error.name or package).partition(".")[0]
    extra = extra if extra and name in EXTRAS else EXTRAS.get(name)
    pip = None if extra else _ON_PYPI.get(name, name)
    return MissingDependencyError.of(name, extra=extra, pip=pip)


def native_module(purpose: str) -> Any:
    """Heliograph's own native module.

    Args:
        purpose: what it is for, up to "by", such as "splats are drawn".

    Raises:
        MissingDependencyError: it is not built here; says how to build it.
    """
    try:
        return importlib.import_module("heliograph._native")
    except ImportError as error:
        unbuilt = MissingDependencyError(
            f"{purpose} by heliograph's native module, which is not built here ({error}): install "
            "a C++ compiler (apt-get install g++), then heliograph again (in a checkout: "
            "scripts/setup)"
        )
        unbuilt.name = "heliograph._native"
        raise unbuilt from error
