"""Queues that results are put into."""

from __future__ import annotations

import threading
from queue import Full
from typing import Any, Protocol


class Destination(Protocol):
    """`queue.Queue` and whatever else has its `put`."""

    def put(self, item: Any) -> object:
        """Take an item, maybe after a while."""


def put(queue: Destination, item: Any) -> None:
    """Put an item; a queue that is full keeps a thread of its own waiting and nobody else."""
    now = getattr(queue, "put_nowait", None)
    if now is not None:
        try:
            now(item)
        except Full:
            pass
        else:
            return
    threading.Thread(target=queue.put, args=(item,), daemon=True).start()
