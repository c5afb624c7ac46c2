"""Which Blender there is, as blendtorch's programs ask."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from typing import Any

from heliograph.engines.blender.install import blender_python, environment, find_blender
from heliograph.errors import MissingDependencyError

_TELLS_BPY = "from importlib.metadata import version; print(version('bpy'))"


def discover_blender(
    additional_blender_paths: str
    | os.PathLike[str]
    | Iterable[str | os.PathLike[str]]
    | None = None,
) -> dict[str, Any] | None:
    """The Blender that a launcher would start.

    Args:
        additional_blender_paths: programs, or folders they are in, looked at first.

    Returns:
        `path` of the program, or of the Python interpreter that has `bpy`, and its version as
        `major` and `minor`; None without either.
    """
    given = additional_blender_paths
    paths = [given] if isinstance(given, str | os.PathLike) else [*(given or ())]
    for path in [*paths, None]:
        try:
            program = find_blender(path)
        except MissingDependencyError:
            continue
        if program is not None:
            return _found(str(program), [str(program), "--version"])
    try:
        python = str(blender_python())
    except MissingDependencyError:
        return None
    return _found(python, [python, "-c", _TELLS_BPY])


def _found(path: str, command: Sequence[str]) -> dict[str, Any] | None:
    said = subprocess.run(command, capture_output=True, text=True, env=environment()).stdout
    version = re.search(r"(\d+)\.(\d+)", said)
    if version is None:
        return None
    return {"path": path, "major": int(version[1]), "minor": int(version[2])}
