"""What scenes of components are opened from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

from heliograph.disk import printable
from heliograph.engines.shared.state import TAKEN
from heliograph.errors import InvalidValueError, SceneError
from heliograph.scene import Component, Mesh, Scene, Urdf
from heliograph.scene.shapes import SUFFIXES

ROBOT = ".urdf"
"""What files of robots end in."""

Source: TypeAlias = Component | str | os.PathLike[str]


def scene_of(source: Source) -> tuple[Scene, str]:
    """The scene of a source, and a name for it.

    Raises:
        InvalidValueError: another kind of source.
        SceneError: a file of another kind.
    """
    if isinstance(source, Scene):
        return source, "Scene"
    if isinstance(source, Component):
        return Scene(source), type(source).__name__
    if not isinstance(source, (str, os.PathLike)):
        raise InvalidValueError(
            f"expected a component or the path of a {' '.join(SUFFIXES)} file, got {source!r}"
        )
    path = Path(source)
    is_robot = path.suffix.lower() == ROBOT
    if path.suffix.lower() not in SUFFIXES and not is_robot:
        raise SceneError(f"{path}: expected a file of {' '.join(SUFFIXES)} {ROBOT}")
    kind = Urdf if is_robot else Mesh
    key = kind.__name__.lower() if path.stem in ("", *TAKEN) else path.stem
    return Scene(kind(key=key, src=str(path))), printable(path)
