"""Threads that draw chunks of rays side by side, each on one core.

Chunks beside each other keep cores busy where torch's own threads, which share every single
operation, wait for each other (measured on two busy cores: a quarter of the speed of one thread).
And since one thread draws a chunk, the bits do not depend on how many there are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

_T = TypeVar("_T")


class ChunkThreads:
    """A fixed number of threads in which torch uses one core.

    Args:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool = ThreadPoolExecutor(count, "nerf", initializer=_use_one_core)
        before = torch.get_num_threads()
        everyone = threading.Barrier(count)
        for future in [self._pool.submit(everyone.wait) for _ in range(count)]:
            future.result()
        torch.set_num_threads(before)  # what the threads said was for every thread yet to come

    def run(self, work: Callable[[_T], None], items: Iterator[_T]) -> None:
        """Do some work with every item, several at a time; the first error ends it.

        Args:
            work: called in any of the threads.
            items: taken from as threads become free.
        """
        lock = threading.Lock()

        def share() -> None:
            while True:
                with lock:
                    item = next(items, None)
                if item is None:
                    return
                try:
                    work(item)
                except BaseException:
                    with lock:
                        for _ in items:
                            pass
                    raise

        for future in [self._pool.submit(share) for _ in range(self._count)]:
            future.result()

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()


def _use_one_core() -> None:
    torch.set_num_threads(1)
    torch.get_num_threads()  # it is set when it is first asked for
