"""A file in memory, for what Blender gives to files only."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def ram_file() -> Iterator[int]:
    """A file descriptor of an empty file without a name, gone when the process is, however it ends.

    In memory where the system has that (Linux), else in the folder of temporary files.
    """
    system: Any = os
    if hasattr(system, "memfd_create"):
        file = system.memfd_create("heliograph")
    else:
        with tempfile.TemporaryFile() as made:
            file = os.dup(made.fileno())
    try:
        yield file
    finally:
        os.close(file)


def contents(file: int) -> bytes:
    """All that has been written to a file."""
    return os.pread(file, os.fstat(file).st_size, 0)
