"""Results put into queues of the user's, which may be full for as long as they like."""

from __future__ import annotations

import logging
import queue as queues
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

_LOG = logging.getLogger(__name__)
_LOOK = 0.1
"""Seconds after which to look whether anybody still holds a queue that stays full."""


class Courier:
    """One thread that puts things into queues, so that nobody else waits for room in them.

    It begins with the first thing. After `close` it ends once all that it was told to expect is
    put, or nobody else holds the queues that are full.
    """

    def __init__(self) -> None:
        self._parcels: queues.SimpleQueue[tuple[weakref.ref[Any], Any] | None]
        self._parcels = queues.SimpleQueue()
        self._expected = 0
        self._lock = threading.Lock()

    def expect(self, queue: queues.Queue[Any]) -> Callable[[Future[Any]], None]:
        """What to call with a future once it is done, so that what came of it is put."""
        held = [queue]  # not longer than until then

        def send(done: Future[Any]) -> None:
            self._parcels.put((weakref.ref(held.pop()), done.exception() or done.result()))

        with self._lock:
            if not self._expected:
                threading.Thread(target=self._run, name="heliograph-courier", daemon=True).start()
            self._expected += 1
        return send

    def close(self) -> None:
        """Nothing more is going to be expected; may be called while garbage is collected."""
        self._parcels.put(None)

    def _run(self) -> None:
        sent, closed = 0, False
        while not closed or sent < self._expected:
            parcel = self._parcels.get()
            if parcel is None:
                closed = True
                continue
            sent += 1
            while not _put(*parcel):
                pass
            del parcel  # a batch is large, and the next may take its time


def _put(where: weakref.ref[Any], what: object) -> bool:
    """Whether it was put, or never will be."""
    queue = where()
    if queue is None:
        return True
    try:
        queue.put(what, timeout=_LOOK)
    except queues.Full:
        return False
    except Exception:  # noqa: BLE001 -- whose queue it is finds it in the log
        _LOG.exception("a batch could not be put into its queue")
    return True
