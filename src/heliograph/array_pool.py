"""Memory of large pictures and batches that are gone, kept for the next ones.

The system hands out fresh memory page by page, each filled with zeros first: for a large batch
that costs more than to copy the samples into it, for a picture as much as to read it.
"""

from __future__ import annotations

import math
import weakref
from collections import defaultdict, deque
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

SMALLEST = 1 << 18
"""Bytes of the smallest array that is worth it."""

KEPT = 256 << 20
"""Bytes that are kept at most."""

_free: dict[int, deque[memoryview]] = defaultdict(deque)


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An uninitialized array, the caller's as long as anything looks at it."""
    nbytes = math.prod(shape) * np.dtype(dtype).itemsize
    if nbytes < SMALLEST:
        return np.empty(shape, dtype)
    try:
        memory = _free[nbytes].pop()
    except IndexError:
        memory = np.empty(nbytes, np.uint8).data
    root = np.frombuffer(memory, np.uint8)  # what all views of the array keep alive
    weakref.finalize(root, _give, memory).atexit = False
    return np.ndarray(shape, dtype, root)


def kept() -> int:
    """Bytes that are kept."""
    return sum(nbytes * len(free) for nbytes, free in list(_free.items()))


def _give(memory: memoryview) -> None:
    """Take memory back; called in any thread, even while garbage is collected."""
    if kept() + memory.nbytes <= KEPT:
        _free[memory.nbytes].append(memory)
