"""The record button: what a page looks at, view after view, as a trajectory."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from heliograph.errors import InvalidValueError, RecordError
from heliograph.live.trajectories import Trajectory
from heliograph.view import View

MOST_VIEWS: Final = 36_000
"""At 30 a second, 20 minutes."""
_NAMES: Final = 1_000_000


class Recorder:
    """Collects views and when they were looked at.

    Attributes:
        views: so far.
        times: seconds since the first one.
    """

    def __init__(self) -> None:
        self.views: list[View] = []
        self.times: list[float] = []
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """From the first view to the last one."""
        return self.times[-1] if self.times else 0.0

    def add(self, view: View) -> bool:
        """Keep a view; whether there is room for more."""
        if not self.views:
            self._began = time.monotonic()
        self.views.append(view)
        self.times.append(time.monotonic() - self._began)
        return len(self.views) < MOST_VIEWS

    def save(self, folder: Path, source: str) -> Path:
        """Write what was collected, as `trajectory-0001.npz` and `.json`, numbered on.

        Returns:
            The .npz file.

        Raises:
            InvalidValueError: nothing was collected.
            RecordError: the files cannot be written.
        """
        if not self.views:
            raise InvalidValueError("trajectory: nothing was looked at while it was recorded")
        made = Trajectory.of(self.views, self.times, source=source)
        shown: Any = tuple(dict.fromkeys(n for view in self.views for n in view.pass_names))
        made = replace(made, passes=shown)
        stem = _unused(folder)
        for suffix in (".json", ".npz"):
            made.save(stem.with_suffix(suffix))
        return stem.with_suffix(".npz")


def _unused(folder: Path) -> Path:
    """A path without suffix that no trajectory has."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordError(f"{folder}: cannot be used ({error.strerror})") from None
    paths = (folder / f"trajectory-{number:04d}" for number in range(1, _NAMES))
    return next(
        path
        for path in paths
        if not any(path.with_suffix(suffix).exists() for suffix in (".npz", ".json"))
    )
