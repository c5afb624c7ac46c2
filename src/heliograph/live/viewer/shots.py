"""Shots: what a page looks at, drawn and encoded; all of it in the thread of a source's desk."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from heliograph.engine import CancelToken
from heliograph.engines.web.messages import Encoding
from heliograph.live.viewer.look import Look
from heliograph.live.viewer.pictures import encoded, shown_pass
from heliograph.live.viewer.sources import Drawn, Source


@dataclass(frozen=True, eq=False)
class Shot:
    """One order: a look, and which news of the page's camera it answers.

    Attributes:
        number: counts up; no picture is sent after one of a higher number.
        update: of the page's camera.
        arrived: when that came, as `time.monotonic` has it.
        moving: whether a hand moves it.
        source: draws.
        look: what is drawn.
    """

    number: int
    update: int
    arrived: float
    moving: bool
    source: Source
    look: Look

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the whole picture."""
        camera = self.look.camera
        return (1, 1) if camera is None else camera.size


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as it is sent.

    Attributes:
        drawn: what it shows.
        encoding: of its bytes.
        data: they.
        facts: as `Show` has them, but for what is known when it is sent.
        final: whether it is whole and without loss.
    """

    drawn: Drawn
    encoding: Encoding
    data: bytes
    facts: dict[str, Any]
    final: bool


Deliver: TypeAlias = Callable[[Shot, Picture], None]


def draw_moving(shot: Shot, deliver: Deliver, cancel: CancelToken) -> None:
    """Draw as large as comes in time; nothing where the whole picture comes in time, and next.

    Raises:
        Exception: whatever the source raises.
    """
    pace = shot.source.pace(shot.look.shown)
    if not shot.moving and pace.whole_in_time:
        return
    began = time.monotonic()
    drawn = next(_drawn(shot, pace.size(*shot.size), cancel), None)
    if drawn is not None:
        deliver(shot, _picture(shot, drawn, began, final=False))
        pace.took(time.monotonic() - began)


def draw_still(shot: Shot, deliver: Deliver, cancel: CancelToken) -> None:
    """Draw whole pictures, better and better; the last one once more without loss.

    Raises:
        Exception: whatever the source raises.
    """
    began, last = time.monotonic(), None
    for last in _drawn(shot, shot.size, cancel):
        if shot.source.refines:
            deliver(shot, _picture(shot, last, began, final=False))
    if last is not None and not cancel.cancelled:
        deliver(shot, _picture(shot, last, began, final=True))


def _drawn(shot: Shot, size: tuple[int, int], cancel: CancelToken) -> Any:
    return shot.source.drawn(shot.look, (shot.look.shown,), size, cancel)


def _picture(shot: Shot, drawn: Drawn, began: float, *, final: bool) -> Picture:
    made = time.monotonic()
    shown = shown_pass(drawn.frame, shot.look.shown)
    encoding, data = encoded(shown.pixels, lossless=final)
    sample = drawn.sample
    facts = {
        "engine": sample.provenance.engine or "recording",
        "device": sample.provenance.device,
        "version": sample.provenance.scene_version,
        "pass": shot.look.shown,
        "level": "full" if final else "coarse",
        "final": final,
        "size": list(drawn.frame.camera.size),
        "milliseconds": 1000 * (made - began),
        "encode_milliseconds": 1000 * (time.monotonic() - made),
        "scale": shown.scale and {"near": shown.scale[0], "far": shown.scale[1], "unit": "m"},
        "seed": sample.seed,
        "index": sample.index,
    }
    return Picture(drawn, encoding, data, facts, final)
