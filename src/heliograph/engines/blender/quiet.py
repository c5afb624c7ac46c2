"""Keeps what Blender prints off standard output, for the message of an error."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from heliograph.engines.blender.ram_file import ram_file

STDOUT = 1
"""The file descriptor: Blender's own code knows nothing of `sys.stdout`."""

KEPT = 4000
"""How many of the last bytes printed are kept for a message."""


@contextmanager
def quiet() -> Iterator[Callable[[], str]]:
    """Have whatever this process prints go into memory within; blocks may be nested.

    A render prints tens of lines. All threads are silent meanwhile, for there is one descriptor.

    Yields:
        The end of what has been printed within so far.
    """
    _flush()
    with ram_file() as printed:
        before = os.dup(STDOUT)
        os.dup2(printed, STDOUT)
        try:
            yield lambda: _end(printed)
        finally:
            _flush()
            os.dup2(before, STDOUT)
            os.close(before)


def _end(printed: int) -> str:
    _flush()
    size = os.fstat(printed).st_size
    start = max(0, size - KEPT)
    return os.pread(printed, size - start, start).decode(errors="replace").strip()


def _flush() -> None:
    """Python's and C's buffers of standard output are emptied."""
    with suppress(AttributeError, ValueError):  # there is none, or it is closed
        sys.stdout.flush()
    ctypes.pythonapi.fflush(None)
