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
        *(f'{name} = sample["{camera.name}"]["{name}"]' for name in view.pass_names),
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
            f"recording = hg.Recording({str(path)!r})",
            f"sample = recording[{position}]",
            f"frame = sample[{camera!r}]",
            *(f'{name} = frame["{name}"]' for name in passes),
            "",
        ]
    )


def _camera(camera: Camera) -> str:
    rows = ",\n        ".join(str(row) for row in camera.world_from_camera.tolist())
    numbers = ", ".join(f"{name}={getattr(camera, name)!r}" for name in ("fx", "fy", "cx", "cy"))
    kind = ""
    if camera.projection is Projection.ORTHOGRAPHIC:
        kind = "    projection=hg.Projection.ORTHOGRAPHIC,\n"
    return (
        f"hg.Camera(\n    name={camera.name!r},\n"
        f"    world_from_camera=[\n        {rows},\n    ],\n"
        f"    width={camera.width}, height={camera.height},\n    {numbers},\n"
        f"    near={camera.near!r}, far={camera.far!r},\n{kind})"
    )


def _view(view: View) -> str:
    parts = ["camera", f"passes={view.pass_names!r}"]
    if view.state:
        state = ", ".join(f"{key!r}: {_literal(value)}" for key, value in view.state.items())
        parts.append(f"state={{{state}}}")
    if view.seed is not None:
        parts.append(f"seed={view.seed}")
        parts.append(f"index={view.index}")
    return f"hg.View({', '.join(parts)})"


def _literal(value: Any) -> str:
    if isinstance(value, (np.ndarray, np.generic)):
        return repr(value.tolist())
    return repr(str(value) if isinstance(value, Path) else value)
