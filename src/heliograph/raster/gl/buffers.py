"""Vertices and indices on the GPU."""

from __future__ import annotations

from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray


class VertexBuffers:
    """The buffers that all geometries of one rasterizer share.

    Attributes:
        streams: by name, what each is filled through.
        buffers: by name, as of the last upload.
        version: another number whenever a buffer was made anew, and vertex arrays are stale.
    """

    def __init__(self, gl: moderngl.Context) -> None:
        self.streams = {
            "in_position": Stream(gl, 3, np.float32),
            "in_normal": Stream(gl, 3, np.float32),
            "in_uv": Stream(gl, 2, np.float32),
            "in_colour": Stream(gl, 4, np.float16),
            "indices": Stream(gl, 1, np.uint32),
        }
        self.buffers: dict[str, moderngl.Buffer] = {}
        self.version = 0

    def upload(self) -> None:
        """Bring the buffers up to date."""
        made = {name: stream.upload() for name, stream in self.streams.items()}
        old = self.buffers
        if any(made[name] is not old.get(name) for name in made):
            self.version += 1
            self.buffers = made
            for name, buffer in old.items():
                if buffer is not made[name]:
                    buffer.release()


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
