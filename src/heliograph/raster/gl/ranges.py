"""Runs of rows in shared buffers: what is given back is used again."""

from __future__ import annotations

from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray


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


class Stream:
    """Rows on the GPU, with a copy of them here for when the buffer is made anew.

    An exception (Ctrl-C, a time limit) may come at any line: what was put stays noted until the
    buffer holds it.
    """

    def __init__(self, gl: moderngl.Context, width: int, dtype: type[np.generic]) -> None:
        self._gl = gl
        self._rows: NDArray[Any] = np.zeros((0, width), dtype)
        self._waiting: list[tuple[int, NDArray[Any]]] = []  # what there is no room for yet
        self._written: list[tuple[int, int]] = []
        self.buffer: moderngl.Buffer | None = None

    def put(self, start: int, rows: NDArray[Any]) -> None:
        """Write rows with the next upload."""
        end = start + len(rows)
        if self._waiting or end > len(self._rows):  # in the order they came: rows are used again
            self._waiting.append((start, np.array(rows, self._rows.dtype, order="C")))
            return
        self._written.append((start, end))
        self._rows[start:end] = rows

    def upload(self) -> moderngl.Buffer:
        """The buffer, brought up to date; another one where it had to grow."""
        if not self._waiting and not self._written and self.buffer is not None:
            return self.buffer
        self._grow(max((start + len(rows) for start, rows in self._waiting), default=0))
        for start, rows in self._waiting:
            self._written.append((start, start + len(rows)))
            self._rows[start : start + len(rows)] = rows
        if self.buffer is None or self.buffer.size < self._rows.nbytes:
            self.buffer = self._gl.buffer(self._rows)  # vertex arrays may hold the old one yet
        else:
            for start, end in self._written:
                if end > start:
                    self.buffer.write(self._rows[start:end], offset=start * self._rows.strides[0])
        self._waiting, self._written = [], []
        return self.buffer

    def _grow(self, count: int) -> None:
        had = len(self._rows)
        if count > had:  # with room for more, but for what is there from the start
            grown = np.zeros((max(count, had + had // 2), self._rows.shape[1]), self._rows.dtype)
            grown[:had] = self._rows
            self._rows = grown
