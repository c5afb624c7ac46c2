"""Values that are kept while there is room, the last used ones longest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Set
from typing import Generic, TypeVar

_V = TypeVar("_V")


class LruCache(Generic[_V]):
    """Values by key; the least recently used go first.

    Args:
        most: bytes of all values.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._loose: OrderedDict[Hashable, tuple[_V, int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable) -> _V | None:
        """The value of a key, which is now the last used; or None."""
        found = self._loose.get(key)
        if found is None:
            return None
        self._loose.move_to_end(key)
        return found[0]

    def put(self, key: Hashable, value: _V, size: int) -> None:
        """Keep a value of so many bytes; what was there goes."""
        self.drop([key])
        self._loose[key] = value, size
        self._bytes += size

    def trim(self, stays: Callable[[_V], bool] = lambda _: False) -> list[_V]:
        """Drop the oldest values if there are too many bytes, down to three quarters; returns them.

        Values for which `stays` is true are left alone and do not count.
        """
        if self._bytes <= self._most:
            return []
        loose = [(key, size) for key, (value, size) in self._loose.items() if not stays(value)]
        left, gone = sum(size for _, size in loose), []
        if left > self._most:
            for key, size in loose:
                gone.append(self._loose[key][0])
                self.drop([key])
                left -= size
                if left <= self._most * 3 // 4:
                    break
        return gone

    def drop(self, keys: Iterable[Hashable]) -> None:
        """Forget these keys as far as they are here."""
        for key in keys:
            self._bytes -= self._loose.pop(key, (None, 0))[1]

    def drop_if(self, unwanted: Callable[[_V], bool]) -> None:
        """Forget the values that are not wanted."""
        self.drop([key for key, (value, _) in self._loose.items() if unwanted(value)])


class HandleCache:
    """Handles of what is on the rasterizer, each thing once, by its content.

    Args:
        most: bytes of all that no version shows.
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

    def trim(self, shown: Set[int], dropped: Set[int]) -> set[int]:
        """Take off the rasterizer what was dropped and, if there is too much, what is not shown.

        Returns:
            Handles that are no more.
        """
        gone = [entry for h in dropped - shown if (entry := self._kept.get(h)) is not None]
        self._kept.drop(handle for _, handle in gone)
        gone += self._kept.trim(lambda entry: entry[1] in shown)
        for key, handle in gone:
            del self._handles[key]
            self._remove(handle)
        return {handle for _, handle in gone}
