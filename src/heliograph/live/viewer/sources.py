"""What a viewer shows: the face that a renderer and a recording have in common for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from heliograph.camera import Camera
from heliograph.delivery.pace import Pace
from heliograph.engine import CancelToken
from heliograph.frame import Frame, Sample
from heliograph.live.viewer.controls import Control
from heliograph.live.viewer.desk import Desk
from heliograph.live.viewer.look import Look
from heliograph.view import View


@dataclass(frozen=True, eq=False)
class Drawn:
    """One picture of a source: a sample, and which of its frames is shown."""

    sample: Sample
    frame: Frame


class Source(ABC):
    """What is shown, and the thread that draws it; pages share it, each with a `Look` of its own.

    Args:
        name: what people call it, such as the name of its file.

    Attributes:
        name: the same.
        kind: whether it is drawn as the page looks, or was recorded.
        refines: whether coarser pictures come before the last one.
        desk: the thread; only its jobs call `drawn`.
    """

    kind: Literal["scene", "run"]
    refines: bool = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.desk = Desk(f"heliograph viewer: {name}")
        self._paces: dict[str, Pace] = {}

    def pace(self, shown: str) -> Pace:
        """The size of moving pictures of a pass; for jobs of the desk alone."""
        return self._paces.setdefault(shown, Pace())

    @abstractmethod
    def first_look(self) -> Look:
        """What a new page shows."""

    @abstractmethod
    def controls(self, look: Look) -> list[Control]:
        """What the page's panel offers."""

    @abstractmethod
    def changed(self, look: Look, name: str, value: object) -> Look:
        """What is shown after somebody set a control.

        Raises:
            HeliographError: no such control, or a value that it does not take.
        """

    @abstractmethod
    def passes(self, look: Look) -> Sequence[str]:
        """Names of the passes there are."""

    @abstractmethod
    def cameras(self) -> Mapping[str, Camera]:
        """Cameras to look through."""

    @abstractmethod
    def facts(self, look: Look) -> dict[str, Any]:
        """What else the page is told."""

    @abstractmethod
    def drawn(
        self, look: Look, passes: Sequence[str], size: tuple[int, int], cancel: CancelToken
    ) -> Iterator[Drawn]:
        """Pictures of a look, better and better; of a recording the one that there is.

        Raises:
            HeliographError: it cannot be drawn.
        """

    @abstractmethod
    def thumbnail(self, look: Look, camera: str, size: tuple[int, int]) -> Frame:
        """A small picture of what one of `cameras` sees.

        Raises:
            HeliographError: it cannot be drawn.
        """

    @abstractmethod
    def python(self, look: Look) -> str:
        """A program that makes what is shown."""

    def view(self, look: Look, passes: Sequence[str]) -> View | None:
        """The order behind a look; None where nothing is ordered."""
        del look, passes
        return None

    def search(self, look: Look) -> bool:
        """Look for what the page wants for a moment; whether there is more to look through."""
        del look
        return False

    def close(self) -> None:
        """End the thread; what was opened for this source is closed."""
        self.desk.close()
