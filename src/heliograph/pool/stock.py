"""The pool's shared memory: what is in use, what comes back, what the caller holds."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable

from heliograph.frame import Array
from heliograph.transport.slots import Region, Regions

MOST_LENT = 64
"""How many samples and batches may lie in shared memory with the caller; further are copied."""


class Stock:
    """Shared memory for orders and for their results.

    Args:
        dropped: called with the id of a region that is gone for good.
    """

    def __init__(self, dropped: Callable[[int], None]) -> None:
        self._regions = Regions(dropped)
        self._returned: deque[Region] = deque()
        self._lent: set[int] = set()
        self._closed = False

    def take(self, nbytes: int) -> Region:
        """Memory for nobody else; `give` takes it back. The pool's lock is held.

        Raises:
            WorkerError: the system has no more memory or descriptors.
        """
        self.collect()
        return self._regions.take(nbytes)

    def give(self, region: Region) -> None:
        """Take memory back; from any thread, even while garbage is collected."""
        if not self._closed:
            self._returned.append(region)

    def lend(self, root: Array, region: Region) -> bool:
        """Take memory back once an array is gone; False if so much is lent that it must be copied.

        Every mapping holds a descriptor, and who collects batches must not run out of them.
        """
        if len(self._lent) >= MOST_LENT:
            return False
        self._lent.add(region.id)
        weakref.finalize(root, self._regained, region).atexit = False
        return True

    def collect(self) -> None:
        """Put away the memory that came back; the pool's lock is held."""
        while self._returned:
            self._regions.give(self._returned.popleft())

    def close(self) -> None:
        """Close every descriptor; memory that the caller still looks at stays until they stop."""
        self._closed = True
        self._returned.clear()
        self._regions.close()

    def _regained(self, region: Region) -> None:
        self._lent.discard(region.id)
        self.give(region)
