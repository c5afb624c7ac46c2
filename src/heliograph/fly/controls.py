"""Keys that are held, as a motion."""

from __future__ import annotations

from typing import Final

from heliograph.fly.flight import Motion

HELP: Final = (
    "W A S D  fly      Q E  down, up      Shift  fast      wheel  speed",
    "drag or arrows  look      Tab  next pass      P  save a PNG      R  back to the start",
    "F1  this text      Esc  leave",
)

_AXES: Final = {
    "w": ("forward", 1),
    "s": ("forward", -1),
    "d": ("right", 1),
    "a": ("right", -1),
    "e": ("up", 1),
    "q": ("up", -1),
    "left": ("yaw", 1),
    "right": ("yaw", -1),
    "up": ("pitch", 1),
    "down": ("pitch", -1),
}
"""Keys as pygame names them: what they add to."""
_FAST: Final = frozenset({"left shift", "right shift"})


class Controls:
    """Which keys are down; by their names, so that it needs no display."""

    def __init__(self) -> None:
        self._held: set[str] = set()

    def press(self, key: str) -> None:
        """A key went down."""
        if key in _AXES or key in _FAST:
            self._held.add(key)

    def release(self, key: str) -> None:
        """A key came up."""
        self._held.discard(key)

    def release_all(self) -> None:
        """The window lost the keyboard: nobody tells when a key comes up now."""
        self._held.clear()

    @property
    def motion(self) -> Motion:
        """What the keys that are held say together; opposite ones undo each other."""
        sums: dict[str, int] = {}
        for key in self._held & _AXES.keys():
            axis, way = _AXES[key]
            sums[axis] = sums.get(axis, 0) + way
        return Motion(
            right=sums.get("right", 0),
            up=sums.get("up", 0),
            forward=sums.get("forward", 0),
            yaw=sums.get("yaw", 0),
            pitch=sums.get("pitch", 0),
            fast=bool(self._held & _FAST),
        )
