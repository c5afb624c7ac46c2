"""Programs that make what a page shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from heliograph.camera import Camera, Projection
from heliograph.view import View


@dataclass(frozen=True)
class Opening:
    """How a program comes by a renderer.

    Attributes:
        context: an expression for `with ... as renderer`; None where the program has it already.
        imports: lines that the expression needs besides `import heliograph as hg`.
    """

    context: str | None = None
    imports: tuple[str, ...] = ()


def open_expression(source: str, options: Mapping[str, Any]) -> str:
    """A call of `heliograph.open`.

    Args:
        source: an expression.
        options: keywords.
    """
    given = "".join(f", {name}={_literal(value)}" for name, value in options.items())
    return f"hg.open({source}{given})"


def rendering_code(opening: Opening, view: View) -> str:
    """A program that draws a view of one camera and keeps its passes."""
    (camera,) = view.cameras
    if not isinstance(camera, Camera):
        raise TypeError("expected a camera by value")
    head = [
        *opening.imports,
        "import heliograph as hg",
        "",
        f"camera = {_camera(camera)}",
        f"view = {_view(view)}",
    ]
    shots = [
        "sample = renderer.render(view)",
        *(f"{name} = sample[{quoted(camera.name)}][{quoted(name)}]" for name in view.pass_names),
    ]
    if opening.context is None:
        return "\n".join([*head, "# renderer: the one that is viewed", *shots, ""])
    inside = (f"    {line}" for line in shots)
    return "\n".join([*head, f"with {opening.context} as renderer:", *inside, ""])


def recording_code(path: Path, position: int, camera: str, passes: Sequence[str]) -> str:
    """A program that reads a recorded frame."""
    return "\n".join(
        [
            "import heliograph as hg",
            "",
            f"recording = hg.Recording({quoted(str(path))})",
            f"sample = recording[{position}]",
            f"frame = sample[{quoted(camera)}]",
            *(f"{name} = frame[{quoted(name)}]" for name in passes),
            "",
        ]
    )


def _camera(camera: Camera) -> str:
    numbers = ("width", "height", "fx", "fy", "cx", "cy", "near", "far")
    lines = [
        f"world_from_camera={camera.world_from_camera.tolist()}",
        *(f"{name}={getattr(camera, name)!r}" for name in numbers),
        f"name={quoted(camera.name)}",
    ]
    if camera.projection is Projection.ORTHOGRAPHIC:
        lines.append("projection=hg.Projection.ORTHOGRAPHIC")
    return "\n".join(["hg.Camera(", *(f"    {line}," for line in lines), ")"])


def _view(view: View) -> str:
    names = ", ".join(map(quoted, view.pass_names))
    parts = ["cameras=[camera]", f"passes=({names},)"]
    if view.state:
        state = ", ".join(f"{quoted(key)}: {_literal(v)}" for key, v in view.state.items())
        parts.append(f"state={{{state}}}")
    if view.seed is not None:
        parts.append(f"seed={view.seed}")
        parts.append(f"index={view.index}")
    return f"hg.View({', '.join(parts)})"


def _literal(value: Any) -> str:
    if isinstance(value, (np.ndarray, np.generic)):
        return repr(value.tolist())
    return quoted(str(value)) if isinstance(value, (str, Path)) else repr(value)


def quoted(text: str) -> str:
    """A literal in double quotes, as the page writes them."""
    literal = repr(text)
    if literal[0] == '"':
        return literal
    inside = literal[1:-1].replace("\\'", "'").replace('"', '\\"')
    return f'"{inside}"'
