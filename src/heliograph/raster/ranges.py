"""Runs of rows in shared buffers: what is given back is used again."""

from __future__ import annotations


class Ranges:
    """Hands out runs of rows: the first gap that is large enough, else rows at the end.

    Attributes:
        size: rows up to the end of the last run.
    """

    def __init__(self) -> None:
        self.size = 0
        self._gaps: list[tuple[int, int]] = []  # (start, end) in order; no two touch

    def take(self, count: int) -> int:
        """Where a run of this many rows starts."""
        for place, (start, end) in enumerate(self._gaps):
            if end - start >= count:
                rest = (start + count, end)
                self._gaps[place : place + 1] = [rest] if rest[0] < end else []
                return start
        start, self.size = self.size, self.size + count
        return start

    def give(self, start: int, count: int) -> None:
        """Take a run back."""
        gaps: list[tuple[int, int]] = []
        for first, end in sorted([*self._gaps, (start, start + count)]):
            if gaps and gaps[-1][1] == first:
                gaps[-1] = (gaps[-1][0], end)
            elif first < end:
                gaps.append((first, end))
        if gaps and gaps[-1][1] == self.size:
            self.size = gaps.pop()[0]
        self._gaps = gaps
