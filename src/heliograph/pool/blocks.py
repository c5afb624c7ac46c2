"""Samples side by side: one piece of shared memory for several, stacked pass by pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from heliograph.errors import WorkerError
from heliograph.frame import Array
from heliograph.transport.layout import Layout
from heliograph.transport.slots import Region

if TYPE_CHECKING:
    from heliograph.pool.driver import Driver


class Block:
    """Memory for some samples, which goes back once none of their arrays is looked at.

    Args:
        region: the memory.
        root: the array over all of it that its arrays are views of.
        layout: of all the samples.
        total: how many there are.
    """

    def __init__(self, region: Region, root: Array, layout: Layout, total: int) -> None:
        self.region = region
        self.total = total
        self._stacks = layout.arrays(root)

    def arrays(self, place: int) -> list[dict[str, Array]]:
        """The arrays of one sample: for each camera pass name -> array."""
        return [{name: stack[place] for name, stack in each.items()} for each in self._stacks]


class Blocks:
    """Hands out the places of one block after the other.

    Args:
        driver: whose memory it is.
        total: places in a block.
    """

    def __init__(self, driver: Driver, total: int) -> None:
        self.total = total
        self._driver = driver
        self._layout: Layout | None = None
        self._block: Block | None = None
        self._next = 0

    def place(self, layout: Layout) -> tuple[Block, int] | None:
        """The next place for a sample of which `layout` says how many would lie in a block.

        None where so much memory is lent already that there can be no block.

        Raises:
            ClosedError: the pool is closed.
        """
        if self._next == 0 or layout != self._layout:
            self._layout, self._block, self._next = layout, self._made(layout), 0
        place, self._next = self._next, (self._next + 1) % self.total
        return None if self._block is None else (self._block, place)

    def _made(self, layout: Layout) -> Block | None:
        try:
            region = self._driver.take(layout.nbytes)
        except WorkerError:
            return None
        root = np.frombuffer(region.memory, np.uint8)
        if self._driver.stock.lend(root, region):
            return Block(region, root, layout, self.total)
        self._driver.stock.give(region)
        return None
