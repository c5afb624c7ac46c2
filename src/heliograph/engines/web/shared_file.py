"""A file that a page writes its pictures into, and we read them from."""

from __future__ import annotations


class SharedFile:
    """To come."""

    number = 0

    def body(self) -> memoryview:
        """What the slot holds."""
        return memoryview(b"")

    def close(self) -> None:
        """Unmap it."""
