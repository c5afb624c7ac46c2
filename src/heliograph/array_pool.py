"""Memory of large pictures and batches that are gone, kept for the next ones.

The system hands out fresh memory page by page, each filled with zeros first: for a large batch
that costs more than to copy the samples into it, for a picture as much as to read it.

Memory comes back whenever an array is collected: in any thread, even in one that is at work here.
So nobody ever waits for the lock; who finds it taken leaves the memory to the one who has it.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

SMALLEST = 1 << 18
"""Bytes of the smallest array that is worth it."""

KEPT = 256 << 20
"""Bytes that are kept at most."""

_STEPS = 3  # of sizes: 2 ** (3 - 1) to each doubling
_MOST_WAITING = 64  # a lock that was held while the process forked is never free again


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An uninitialized array, the caller's as long as anything looks at it."""
    nbytes = math.prod(shape) * np.dtype(dtype).itemsize
    if nbytes < SMALLEST:
        return np.empty(shape, dtype)
    room = _rounded(nbytes)
    memory = _store.take(room)
    if memory is None:
        memory = np.empty(room, np.uint8).data
    root = np.frombuffer(memory, np.uint8)  # what all views of the array keep alive
    weakref.finalize(root, _store.give, memory).atexit = False
    return np.ndarray(shape, dtype, root)


def pooled_bytes() -> int:
    """Bytes of the free memory that waits here."""
    return _store.nbytes


def _rounded(nbytes: int) -> int:
    """The size that is taken for so many bytes, so that pictures of all sizes share memory.

    Pages of it that are never touched cost nothing.
    """
    step = 1 << (nbytes - 1).bit_length() - _STEPS
    return -(-nbytes // step) * step


class _Store:
    """Free memory by size; the size that came back the longest ago is first.

    Attributes:
        nbytes: how much it holds.
    """

    def __init__(self) -> None:
        self.nbytes = 0
        self._free: dict[int, list[memoryview]] = {}
        self._returned: deque[memoryview] = deque()
        self._lock = threading.Lock()

    def take(self, nbytes: int) -> memoryview | None:
        """Memory of that size, or None."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            return self._pop(nbytes) if nbytes in self._free else None
        finally:
            self._lock.release()
            self._put_away()

    def give(self, memory: memoryview) -> None:
        """Take memory back; called in any thread, even while garbage is collected."""
        if len(self._returned) < _MOST_WAITING:
            self._returned.append(memory)
            self._put_away()

    def _put_away(self) -> None:
        while self._returned and self._lock.acquire(blocking=False):
            try:
                while self._returned:
                    self._push(self._returned.popleft())
            finally:
                self._lock.release()

    def _push(self, memory: memoryview) -> None:
        same = self._free.pop(memory.nbytes, [])
        same.append(memory)
        self._free[memory.nbytes] = same
        self.nbytes += memory.nbytes
        while self.nbytes > KEPT and self._free:  # an interrupt may have hit between the two
            self._pop(next(iter(self._free)))

    def _pop(self, nbytes: int) -> memoryview:
        same = self._free[nbytes]
        memory = same.pop()
        if not same:
            del self._free[nbytes]
        self.nbytes -= nbytes
        return memory


_store = _Store()
