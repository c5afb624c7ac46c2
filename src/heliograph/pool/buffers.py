"""The pool's shared memory: what is in use, what comes back, what the caller holds."""

from __future__ import annotations

import mmap
import weakref
from collections import deque
from functools import lru_cache

import numpy as np

from heliograph.frame import Array
from heliograph.transport.layout import Layout
from heliograph.transport.slots import Region

SMALLEST = max(1 << 16, 2 * mmap.PAGESIZE)
KEPT = 1 << 30
MOST_KEPT = 96
"""Bytes, and pieces, that are kept for the next: more than may be lent, so that a list of samples
that is gone serves for the next one. A piece costs a descriptor."""

MOST_LENT = 64
"""How many samples and batches may lie in shared memory with the caller; further are copied."""


@lru_cache(maxsize=256)
def size_class(nbytes: int) -> int:
    """What is taken for so many bytes: `SMALLEST` or more, 1 or 1.5 times a power of two."""
    if nbytes <= SMALLEST:
        return SMALLEST
    power = 1 << (nbytes - 1).bit_length()
    return power // 4 * 3 if nbytes <= power // 4 * 3 else power


class _Loan(weakref.ref[Array]):
    """A piece of memory that comes back once an array over it is gone."""

    region: Region


class BufferPool:
    """Shared memory for orders and for their results.

    Only `give` and `lend` may be called by anybody at any time, even while garbage is collected.
    """

    def __init__(self) -> None:
        self._free: dict[int, Region] = {}
        self._all: dict[int, Region] = {}
        self._returned: deque[Region | _Loan] = deque()
        self._lent: dict[int, _Loan] = {}
        self._gone: list[int] = []
        self._next = 0
        self._closed = False

    def take(self, nbytes: int) -> Region:
        """Memory for nobody else until it is given back.

        Raises:
            WorkerError: the system has no more memory or descriptors.
        """
        nbytes = size_class(nbytes)
        self._collect()
        for region in reversed(self._free.values()):  # what came back last may still be in caches
            if region.nbytes == nbytes:
                del self._free[region.id]
                return region
        name, self._next = self._next, self._next + 1
        return Region.create(name, nbytes, self._all)

    def give(self, region: Region) -> None:
        """Take memory back."""
        if not self._closed:
            self._returned.append(region)

    def lend(self, root: Array, region: Region) -> bool:
        """Take memory back once an array is gone; False if so much is lent that it must be copied.

        Every mapping holds a descriptor, and who collects batches must not run out of them.
        """
        if len(self._lent) >= MOST_LENT and region.id not in self._lent:
            alive = sum(each() is not None for each in tuple(self._lent.values()))
            if alive >= MOST_LENT:
                return False
        # In place of one from before an interrupt, so that memory does not come back twice. Its
        # callback runs no Python code, in which an interrupt could come.
        loan = _Loan(root, self._returned.append)
        loan.region = region
        self._lent[region.id] = loan
        return True

    def trim(self) -> list[int]:
        """Let go of what is too much; the ids of what went since the last time, to be forgotten."""
        self._collect()
        gone, self._gone = self._gone, []
        return gone

    def close(self) -> None:
        """Close every descriptor; memory that the caller still looks at stays until they stop."""
        self._closed = True
        self._lent.clear()
        self._returned.clear()
        self._free.clear()
        for region in tuple(self._all.values()):
            region.close()
        self._all.clear()

    def _collect(self) -> None:
        while self._returned:
            came = self._returned[0]
            region = came.region if isinstance(came, _Loan) else came
            if self._lent.get(region.id) is came:
                del self._lent[region.id]
            if region.id in self._all:
                self._free[region.id] = region
                self._limit(large=region.nbytes > KEPT // MOST_KEPT)
            self._returned.popleft()

    def _limit(self, *, large: bool) -> None:
        """Let go of the oldest ones that are too many or too large, never of the last.

        A batch that is larger than all that is kept would otherwise find new memory each time, and
        getting that from the system takes as long as drawing it.
        """
        while len(self._free) > MOST_KEPT or (
            large
            and len(self._free) > 1
            and sum(each.nbytes for each in self._free.values()) > KEPT
        ):
            oldest = next(iter(self._free))
            del self._free[oldest]
            self._gone.append(oldest)
            self._all[oldest].close()
            del self._all[oldest]


class Block:
    """Memory for several samples, stacked pass by pass; goes back once nobody looks at an array.

    Args:
        layout: of all the samples.
        total: how many there are.
    """

    def __init__(self, layout: Layout, total: int) -> None:
        self.total = total
        self.region: Region | None = None
        self._layout = layout
        self._stacks: list[dict[str, Array]] = []

    def mapped(self, buffers: BufferPool) -> Region | None:
        """Its memory, taken by the first who asks; None if so much is lent that there is none."""
        if self.region is None:
            region = buffers.take(self._layout.nbytes)
            root = np.frombuffer(region.memory, np.uint8)
            if not buffers.lend(root, region):
                buffers.give(region)
                return None
            self.region, self._stacks = region, self._layout.arrays(root)
        return self.region

    def arrays(self, place: int) -> list[dict[str, Array]]:
        """The arrays of one sample: for each camera pass name -> array."""
        return [{name: stack[place] for name, stack in each.items()} for each in self._stacks]


class Blocks:
    """Hands out the places of one block after the other.

    Args:
        total: places in a block.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._layout: Layout | None = None
        self._block: Block | None = None
        self._next = 0

    def place(self, layout: Layout) -> tuple[Block, int]:
        """The next place for a sample of which `layout` says how many would lie in a block."""
        if self._block is None or self._next == 0 or layout != self._layout:
            self._layout, self._block, self._next = layout, Block(layout, self.total), 0
        place, self._next = self._next, (self._next + 1) % self.total
        return self._block, place
