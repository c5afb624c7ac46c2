"""Whose picture is drawn next: clients take turns, one picture each."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Protocol

_LOG = logging.getLogger("heliograph.serve")
_ENDS_WITHIN = 10.0


class Work(Protocol):
    """Something that is drawn picture by picture."""

    @property
    def priority(self) -> int:
        """Which of one client's goes first."""

    def step(self) -> bool:
        """Draw the next picture; says whether there are more. It raises nothing."""


class Turns:
    """Threads that draw, and what waits for them.

    A client that has much to draw has it drawn one picture after the other, and all others get
    their turns in between. A client that is `held` has none until it is let go.

    Args:
        threads: how many pictures are drawn at once.
    """

    def __init__(self, threads: int) -> None:
        self._changed = threading.Condition()
        self._waiting: OrderedDict[Hashable, list[tuple[int, int, Work]]] = OrderedDict()
        self._held: set[Hashable] = set()
        self._numbers = itertools.count()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, name=f"heliograph-serve-{i}", daemon=True)
            for i in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def __len__(self) -> int:
        """How many orders wait."""
        with self._changed:
            return sum(map(len, self._waiting.values()))

    def put(self, client: Hashable, work: Work) -> None:
        """Have something drawn, after what the client has put before with the same priority."""
        with self._changed:
            waiting = self._waiting.setdefault(client, [])
            heapq.heappush(waiting, (-work.priority, next(self._numbers), work))
            self._changed.notify()

    def hold(self, client: Hashable, held: bool) -> None:
        """Whether nothing is drawn for a client for now."""
        with self._changed:
            if held:
                self._held.add(client)
            else:
                self._held.discard(client)
                self._changed.notify_all()

    def drop(self, client: Hashable) -> None:
        """Forget what a client has put."""
        with self._changed:
            self._waiting.pop(client, None)
            self._held.discard(client)

    def close(self) -> None:
        """Forget all, and wait for what is drawn."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(_ENDS_WITHIN)
            if thread.is_alive():
                _LOG.error("%s: hangs, and is left to itself", thread.name)

    def _run(self) -> None:
        while (turn := self._next()) is not None:
            client, work = turn
            if work.step():
                self._again(client, work)
            del turn, client, work  # or what they hold would live until the next turn

    def _again(self, client: Hashable, work: Work) -> None:
        with self._changed:
            if not self._closed:
                self.put(client, work)

    def _next(self) -> tuple[Hashable, Work] | None:
        """The next turn; waits for it."""
        with self._changed:
            while not self._closed:
                client = next((each for each in self._waiting if each not in self._held), None)
                if client is not None:
                    waiting = self._waiting.pop(client)
                    work = heapq.heappop(waiting)[2]
                    if waiting:
                        self._waiting[client] = waiting  # behind all others
                    return client, work
                self._changed.wait()
        return None
