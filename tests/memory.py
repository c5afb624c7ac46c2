"""How much memory of Python's and numpy's a block takes at most."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def traced_peak() -> Iterator[Callable[[], int]]:
    """What is given tells the most bytes that were in use at once; also after the block."""
    peaks: list[int] = []
    tracemalloc.start()
    try:
        yield lambda: peaks[0]
        peaks.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
