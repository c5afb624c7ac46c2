"""What is kept from view to view: all of the opened scene, and the last that edits brought."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

_V = TypeVar("_V")


class LruCache(Generic[_V]):
    """Values by key; those that are not pinned go, the least recently used first.

    Args:
        most: bytes of all values that are not pinned.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._pinned: dict[Hashable, _V] = {}
        self._loose: OrderedDict[Hashable, tuple[_V, int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable) -> _V | None:
        """The value of a key, which is now the last used; or None."""
        found = self._loose.get(key)
        if found is None:
            return self._pinned.get(key)
        self._loose.move_to_end(key)
        return found[0]

    def put(self, key: Hashable, value: _V, size: int) -> None:
        """Keep a value of so many bytes; what was there goes."""
        self.drop([key])
        self._loose[key] = value, size
        self._bytes += size

    def pin(self) -> None:
        """From now on keep all that is here."""
        self._pinned.update({key: value for key, (value, _) in self._loose.items()})
        self._loose.clear()
        self._bytes = 0

    def trim(self) -> list[_V]:
        """Forget the oldest if there are too many bytes, down to three quarters; what went."""
        gone: list[_V] = []
        if self._bytes > self._most:
            while self._bytes > self._most * 3 // 4:
                _, (value, size) = self._loose.popitem(last=False)
                self._bytes -= size
                gone.append(value)
        return gone

    def drop(self, keys: Iterable[Hashable]) -> None:
        """Forget these keys as far as they are here and not pinned."""
        for key in keys:
            self._bytes -= self._loose.pop(key, (None, 0))[1]

    def drop_if(self, unwanted: Callable[[_V], bool]) -> None:
        """Forget the values that are not wanted, other than those pinned."""
        self.drop([key for key, (value, _) in self._loose.items() if unwanted(value)])


class HandleCache:
    """Handles of what is on the rasterizer, each thing once, by its content.

    Args:
        most: bytes of all that is not pinned.
        remove: takes a handle off the rasterizer.
    """

    def __init__(self, most: int, remove: Callable[[int], None]) -> None:
        self._handles: dict[Hashable, int] = {}
        self._kept: LruCache[tuple[Hashable, int]] = LruCache(most)
        self._remove = remove

    def get(self, key: Hashable, make: Callable[[], tuple[int, int]]) -> int:
        """The handle of a content; `make` puts it there, and returns handle and bytes."""
        if key not in self._handles:
            handle, size = make()
            self._handles[key] = handle
            self._kept.put(handle, (key, handle), size)
        return self._handles[key]

    def touch(self, handles: Iterable[int]) -> None:
        """These are in use."""
        for handle in handles:
            self._kept.get(handle)

    def pin(self) -> None:
        """From now on keep all that is there."""
        self._kept.pin()

    def trim(self) -> set[int]:
        """Take what was not used for long off the rasterizer if there is too much; what went."""
        gone = self._kept.trim()
        for key, handle in gone:
            del self._handles[key]
            self._remove(handle)
        return {handle for _, handle in gone}
