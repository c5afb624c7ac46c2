"""Checks of errors: a view that cannot be drawn says why, and the next one still can."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from heliograph.errors import ClosedError, HeliographError
from heliograph.scene import Edit
from heliograph.testing.probe import Probe, identical
from heliograph.testing.report import BrokenPromiseError, expect, promise

UNKNOWN = "nothing is called this"


class UnknownEdit(Edit):
    """An edit that no engine knows."""


@promise("refuses unknown cameras")
def refuses_unknown_cameras(probe: Probe) -> None:
    """A camera that does not exist is refused, and the message names one that does."""
    _refused(probe, "an unknown camera", probe.engine.cameras, cameras=UNKNOWN)


@promise("refuses passes it cannot draw")
def refuses_missing_passes(probe: Probe) -> None:
    """A pass that the engine does not have is refused, and the message names one it has."""
    _refused(probe, "an unknown pass", probe.passes, passes=("nothing_is_called_this",))


@promise("refuses unknown state")
def refuses_unknown_state(probe: Probe) -> None:
    """A state key that does not exist is refused, and the message names one that does."""
    known = [item.name for item in probe.engine.scene.state]
    _refused(probe, "an unknown state key", known, state={UNKNOWN: np.zeros(3)})


@promise("refuses state of a wrong shape")
def refuses_wrong_shapes(probe: Probe) -> None:
    """Every state value with a dimension too many is refused, and the message names its key."""
    known: Mapping[str, Any] = {**(probe.setting.other_state or {}), **probe.setting.state}
    probe.need(known, "no state is known")
    for key, value in known.items():
        wrong = {**known, key: np.zeros((7, *np.shape(value)))}
        _refused(probe, f"a wrong shape of {key!r}", [key], state=wrong)


@promise("refuses edits it does not know")
def refuses_unknown_edits(probe: Probe) -> None:
    """An edit of a kind the engine does not know is refused, not left out in silence."""
    _refused(probe, "an unknown edit", (), edits=(UnknownEdit(),))


@promise("close frees; render then raises ClosedError")
def closed_means_closed(probe: Probe) -> None:
    """Closing twice is fine; drawing afterwards raises ClosedError."""
    camera = probe.camera
    probe.engine.close()
    probe.engine.close()
    try:
        probe.frame(camera)
    except ClosedError:
        return
    except Exception as error:
        raise BrokenPromiseError(f"expected ClosedError, got {error!r}") from error
    raise BrokenPromiseError("expected ClosedError, got a sample")


def _refused(probe: Probe, what: str, known: Iterable[str], **order: Any) -> None:
    """Expect a HeliographError that names a known one, and the next view unharmed."""
    before = probe.frame(probe.camera)
    message = _message(probe, what, order)
    names = list(known)
    named = not names or any(name in message for name in names)
    expect(named, f"{what}: expected a message that names one of {names[:5]}, got {message!r}")
    identical(before, probe.frame(probe.camera), f"the view before and after {what}")


def _message(probe: Probe, what: str, order: dict[str, Any]) -> str:
    cameras, passes = order.pop("cameras", probe.camera), order.pop("passes", None)
    try:
        probe.render(cameras, passes, **order)
    except HeliographError as error:
        return str(error)
    except Exception as error:
        raise BrokenPromiseError(f"{what}: expected a HeliographError, got {error!r}") from error
    raise BrokenPromiseError(f"{what}: expected a HeliographError, got a sample")
