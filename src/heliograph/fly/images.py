"""Orders images of a camera, takes them as they come, and knows how late they are."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from heliograph.camera import Camera
from heliograph.delivery.progressive import QueuedImage
from heliograph.engine import Renderer
from heliograph.errors import HeliographError
from heliograph.passes import PassSpec, PassSpecs
from heliograph.view import View

_FIRST: Final = ("rgb", "depth", "normals")
"""Passes that are shown before all others."""
_PROBE: Final = (16, 12)
"""Pixels of the picture that the speed is measured in."""
_CROSSED_IN: Final = 3.0
"""Seconds that the way to what is in sight takes."""


class ImageQueue(Protocol):
    """What is needed of a queue, here or on another machine."""

    def update(self, what: Camera) -> int:
        """Show this camera from now on."""

    def get(self) -> QueuedImage | None:
        """The newest and best image that nobody has read."""

    def on_image(self, call: Callable[[QueuedImage], object]) -> Callable[[], None]:
        """Call something whenever there is an image."""

    def close(self) -> None:
        """End it."""


OpenQueue = Callable[[PassSpec], ImageQueue]
"""Opens a queue whose images have this pass."""


@dataclass(frozen=True)
class Lateness:
    """How images come.

    Attributes:
        seconds: from the newest image's update until it was taken.
        rate: images in the last second.
    """

    seconds: float = 0.0
    rate: int = 0


class Images:
    """The images of one pass at a time.

    Args:
        open_queue: opens a queue for a pass.
        passes: those to choose from; the first one is shown first.
        wake: called, in any thread, when there is an image.

    Attributes:
        newest: the image taken last; None before the first of a pass.
        trouble: what went wrong with the newest update; empty where nothing did.
    """

    def __init__(
        self, open_queue: OpenQueue, passes: Sequence[PassSpec], wake: Callable[[], object]
    ) -> None:
        self._open_queue = open_queue
        self._passes = tuple(passes)
        self._wake = wake
        self._ordered: dict[int, float] = {}
        self._taken: deque[float] = deque()
        self._late = 0.0
        self.newest: QueuedImage | None = None
        self.trouble = ""
        self._shown = 0
        self._open()

    @property
    def shown(self) -> str:
        """Name of the pass."""
        return self._passes[self._shown].name

    @property
    def lateness(self) -> Lateness:
        """How images come."""
        self._forget_old()
        return Lateness(self._late, len(self._taken))

    def next_pass(self) -> None:
        """Show the pass after this one; `order` an image of it then."""
        self._end()
        self.newest = None
        self._shown = (self._shown + 1) % len(self._passes)
        self._open()

    def order(self, camera: Camera) -> None:
        """Show this camera from now on."""
        try:
            self._ordered[self._queue.update(camera)] = time.monotonic()
        except HeliographError as error:
            self.trouble = error.message

    def take(self) -> bool:
        """Take what there is; says whether anything changed."""
        try:
            image = self._queue.get()
        except HeliographError as error:
            self.trouble = error.message
            return True
        if image is None:
            return False
        now = time.monotonic()
        self._late = now - self._ordered.get(image.update_id, now)
        self._ordered = {id_: at for id_, at in self._ordered.items() if id_ >= image.update_id}
        self._taken.append(now)
        self.newest, self.trouble = image, ""
        return True

    def close(self) -> None:
        """End the queue; may be called twice."""
        self._end()

    def _open(self) -> None:
        self._ordered.clear()
        self._queue = self._open_queue(self._passes[self._shown])
        self._deaf = self._queue.on_image(lambda _: self._wake())

    def _end(self) -> None:
        self._deaf()
        self._queue.close()

    def _forget_old(self) -> None:
        while self._taken and self._taken[0] < time.monotonic() - 1.0:
            self._taken.popleft()


def offered_passes(known: PassSpecs) -> tuple[PassSpec, ...]:
    """The passes to go through: rgb, depth and normals first."""
    first = [name for name in _FIRST if name in known]
    return tuple(known[name] for name in dict.fromkeys((*first, *known)))


def start_speed(renderer: Renderer, camera: Camera) -> float:
    """Metres a second that suit what a camera sees: a third of the way to it; 1 where nothing is.

    Raises:
        HeliographError: the view cannot be drawn.
    """
    if "depth" not in renderer.passes:
        return 1.0
    probe = camera.resized(*_PROBE)
    depth = renderer.render(View((probe,), ("depth",)))[probe.name].depth
    seen = depth[np.isfinite(depth)]
    return float(np.median(seen)) / _CROSSED_IN if seen.size else 1.0
