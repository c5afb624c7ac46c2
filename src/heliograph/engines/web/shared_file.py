"""Files that a page of our own browser writes its pictures into, and that we map.

Pictures then go through the operating system's page cache and not through the WebSocket, which
takes longer than to draw them. The page writes into files of its own (OPFS), which Chromium keeps
as plain files in its profile. Where is not documented, so a file is found by its mark; where it is
not found, the WebSocket is used.

    0      the mark
    32     how many answers were written into it, uint32; written last
    4096   the buffers of one answer
"""

from __future__ import annotations

import mmap
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from heliograph.errors import InvalidValueError

_COUNT_AT: Final = 32
_BODY_AT: Final = 4096
_PLACES: Final = ("Default/File System", "Default", "")
"""Folders of a profile, the likeliest first."""


def new_mark() -> str:
    """32 letters that no other file begins with."""
    return secrets.token_hex(16)


class SharedFile:
    """The file of one slot.

    Args:
        number: of the slot.
        path: the file.

    Attributes:
        number: of the slot.
    """

    def __init__(self, number: int, path: Path) -> None:
        self.number = number
        self._descriptor = os.open(path, os.O_RDONLY)
        self._count = 0
        self._memory = self._mapped()

    @classmethod
    def find(cls, number: int, profile: Path, mark: str) -> Self | None:
        """The file with a mark somewhere in a browser's profile; None if it is not there."""
        wanted = mark.encode()
        for place in _PLACES:
            for path in _files(profile / place):
                with suppress(OSError), path.open("rb") as file:
                    if file.read(len(wanted)) == wanted:
                        return cls(number, path)
        return None

    def body(self) -> memoryview:
        """The buffers of the newest answer; they change when the next one is written.

        Raises:
            InvalidValueError: there is no new one.
        """
        if os.fstat(self._descriptor).st_size != len(self._memory):
            self._memory = self._mapped()  # who still looks at the old one keeps it
        count = int.from_bytes(self._memory[_COUNT_AT : _COUNT_AT + 4], "little")
        if count == self._count:
            raise InvalidValueError(f"expected a new answer in the shared file, got number {count}")
        self._count = count
        return memoryview(self._memory)[_BODY_AT:]

    def close(self) -> None:
        """Let go of it; may be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _mapped(self) -> mmap.mmap:
        return mmap.mmap(self._descriptor, 0, prot=mmap.PROT_READ)


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent) / name for name in names)
