"""How large pictures are while a camera moves, from how long the last ones took."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

SCALES: Final = (1.0, 0.75, 0.5, 0.35, 0.25, 0.18, 0.125)
"""Sides of coarse pictures, as parts of the whole one's."""
SLOW_SCALES: Final = (*SCALES, 0.09, 0.0625, 0.045, 0.03, 0.022)
"""Where a whole picture may take minutes."""
_WARM_UP: Final = 2
"""Pictures after which times count: the first ones compile programs and load what they show."""
_EARLY, _LATE = 0.75, 1.2
"""Parts of the target: what would come before the one grows, what comes after the other shrinks."""
_WEIGHT: Final = 0.3
"""Of the newest time in a running mean."""
_GAIN: Final = 0.85
"""A smaller size is only kept where it takes at most this part of what the larger one took."""
_SURE: Final = 4
"""Pictures of a size after which its running mean is compared with another's."""
_FORGET: Final = 60
"""Pictures of a size after which what other sizes took is old: they may be tried again."""


class Pace:
    """The size of pictures of one kind while the camera moves.

    Pictures shrink where they come too late, and grow where larger ones would come in time, with
    room between the two, so that their size does not flicker. A size that is hardly faster than the
    next larger one is given up: not pixels cost time there.

    Args:
        target: seconds that a picture should take, from the order to its bytes.
        scales: sides to choose from, as parts of the whole picture's, from 1 down.
        first: one of them.
        floor: pixels of the shorter side below which no coarse picture is made.
    """

    def __init__(
        self,
        target: float = 1 / 30,
        *,
        scales: Sequence[float] = SCALES,
        first: float = 0.5,
        floor: int = 48,
    ) -> None:
        self.target = target
        self._scales, self._floor = scales, floor
        self._level = scales.index(first)
        self._times: dict[int, float] = {}
        """Running mean of seconds by level."""
        self._seen = -_WARM_UP
        """Pictures at this level whose times counted."""

    @property
    def scale(self) -> float:
        """The part of the whole picture's sides."""
        return self._scales[self._level]

    @property
    def whole_in_time(self) -> bool:
        """Whether whole pictures come in time."""
        return self._times.get(0, math.inf) <= _LATE * self.target

    def size(self, width: int, height: int) -> tuple[int, int]:
        """The size of the next picture, where the whole one has this size, pixels."""
        scale = max(self.scale, min(1.0, self._floor / min(width, height)))
        return max(1, round(width * scale)), max(1, round(height * scale))

    def took(self, seconds: float) -> None:
        """Tell how long a picture of the size asked for took."""
        self._seen += 1
        if self._seen <= 0:
            return
        level = self._level
        before = self._times.get(level, seconds)
        mean = self._times[level] = before + _WEIGHT * (seconds - before)
        if level and self._larger_is_better(level, mean):
            self._go(self._largest_in_time(level, mean))
        elif mean > _LATE * self.target and self._smaller_is_better(level, mean):
            self._go(level + 1)
        elif self._seen % _FORGET == 0:
            self._times = {level: mean}

    def whole_took(self, seconds: float) -> None:
        """Tell how long a whole picture took, which says what sizes between would take."""
        self._times[0] = seconds

    def _larger_is_better(self, level: int, mean: float) -> bool:
        """Whether the next larger size would come in time, or costs hardly more than this one."""
        in_vain = self._seen == _SURE and not self._gains(level - 1, mean)
        return self._expected(level - 1, level, mean) < _EARLY * self.target or in_vain

    def _expected(self, larger: int, level: int, mean: float) -> float:
        """Seconds of a picture of a larger size, where this one took `mean`.

        Between this size and a whole picture, if that is known; else as if pixels were all.
        """
        pixels, more = self._scales[level] ** 2, self._scales[larger] ** 2
        whole = self._times.get(0, math.inf)
        if not level or whole <= mean or math.isinf(whole):
            return mean if whole <= mean else mean * more / pixels
        return mean + (whole - mean) * (more - pixels) / (1 - pixels)

    def _largest_in_time(self, level: int, mean: float) -> int:
        """The largest size that should come in time, at least the next one."""
        larger = level - 1
        while larger and self._expected(larger - 1, level, mean) < _EARLY * self.target:
            larger -= 1
        return larger

    def _smaller_is_better(self, level: int, mean: float) -> bool:
        """Whether there is a smaller size, and sizes still count."""
        if level + 1 == len(self._scales) or not self._gains(level - 1, mean):
            return False
        return self._times.get(level + 1, 0.0) <= _GAIN * mean

    def _gains(self, larger: int, mean: float) -> bool:
        """Whether this mean is much less than what a larger size took, if that is known."""
        return mean <= _GAIN * self._times.get(larger, math.inf)

    def _go(self, level: int) -> None:
        self._level, self._seen = level, 0
