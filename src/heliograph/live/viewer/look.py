"""What one page shows, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from heliograph.camera import Camera

CAMERA: Final = "view"
"""The name of the camera of a page's viewport."""


@dataclass(frozen=True, eq=False)
class Look:
    """What one page shows; a new one where anything of it changes.

    Attributes:
        camera: of the page's viewport; None until the page has told it.
        shown: the pass.
        state: what moves, as in `View`; of a renderer.
        seed, index: of the run.
        randomize: whether the seed and index draw the randomizers' part.
        random_state: whether they draw the state.
        position: in a recording.
        recorded: name of the recorded camera that is shown.
        wanted: name, or part of a name, of an object that shown samples must have in sight.
    """

    camera: Camera | None = None
    shown: str = "rgb"
    state: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    index: int = 0
    randomize: bool = False
    random_state: bool = False
    position: int = 0
    recorded: str = ""
    wanted: str = ""
