"""Streams of views with a bounded number on their way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from itertools import islice
from queue import SimpleQueue

from heliograph.frame import Sample
from heliograph.view import View

Submit = Callable[[View], Future[Sample]]


def in_order(submit: Submit, views: Iterable[View], window: int) -> Iterator[Future[Sample]]:
    """Finished futures in the order of the views; never more than `window` on their way."""
    source = iter(views)
    waiting: deque[Future[Sample]] = deque()
    try:
        waiting.extend(submit(view) for view in islice(source, window))
        while waiting:
            future = waiting.popleft()
            future.exception()
            yield future
            del future  # or its sample would live while the next ones are made
            waiting.extend(submit(view) for view in islice(source, 1))
    finally:
        for future in waiting:
            future.cancel()


def unordered(submit: Submit, views: Iterable[View], window: int) -> Iterator[Future[Sample]]:
    """Finished futures as they come; never more than `window` on their way."""
    source = iter(views)
    finished: SimpleQueue[Future[Sample]] = SimpleQueue()
    waiting: set[Future[Sample]] = set()

    def send(count: int) -> None:
        for view in islice(source, count):
            future = submit(view)
            waiting.add(future)
            future.add_done_callback(finished.put)

    try:
        send(window)
        while waiting:
            future = finished.get()
            waiting.remove(future)
            yield future
            del future
            send(1)
    finally:
        for future in waiting:
            future.cancel()
