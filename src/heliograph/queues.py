"""Results put into queues of users', which may be full for as long as they like."""

from __future__ import annotations

import logging
import queue as queues
import threading
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

_LOG = logging.getLogger("heliograph.pool")
_LOOK = 0.1
"""Seconds after which to look whether anybody still holds a queue that stays full."""


class QueueWriter:
    """Puts results into queues, in the order in which they come.

    Each queue that is full has a thread that waits for room in it, so none holds up another.
    """

    def __init__(self) -> None:
        self._waiting: weakref.WeakKeyDictionary[Any, deque[Any]] = weakref.WeakKeyDictionary()
        self._lock: Any = threading.RLock()

    def expect(self, queue: queues.Queue[Any]) -> Callable[[Future[Any]], None]:
        """What to call with a future once it is done, so that what came of it is put."""
        held = [queue]  # not longer than until then

        def put(done: Future[Any]) -> None:
            self._put(held.pop(), done.exception() or done.result())

        return put

    def _put(self, queue: queues.Queue[Any], what: object) -> None:
        if self._lock._is_owned():  # a signal handler that came in here: another thread waits
            threading.Thread(target=self._put, args=(queue, what), daemon=True).start()
            return
        with self._lock:
            waiting = self._waiting.get(queue)
            if waiting is not None:
                waiting.append(what)
                return
            if _put_within(queue, what, 0):
                return
            self._waiting[queue] = deque([what])
        writes = threading.Thread(
            target=self._write, args=(weakref.ref(queue),), name="heliograph-queue", daemon=True
        )
        writes.start()

    def _write(self, where: weakref.ref[Any]) -> None:
        """Put what waits for a queue, until there is nothing more or nobody else holds it."""
        while (queue := where()) is not None:
            with self._lock:
                waiting = self._waiting[queue]
                if not waiting:
                    del self._waiting[queue]
                    return
            if _put_within(queue, waiting[0], _LOOK):
                waiting.popleft()
            del queue


def _put_within(queue: queues.Queue[Any], what: object, seconds: float) -> bool:
    """Whether it was put, or never will be."""
    try:
        queue.put(what, timeout=seconds)
    except queues.Full:
        return False
    except Exception:  # noqa: BLE001 -- whose queue it is finds it in the log
        _LOG.exception("a batch could not be put into its queue")
    return True
