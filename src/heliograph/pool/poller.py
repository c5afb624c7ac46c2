"""Descriptors to be heard, and what to do when they say something."""

from __future__ import annotations

import select
from collections.abc import Callable

Call = Callable[[], object]


class Poller:
    """Calls what belongs to each descriptor that is ready.

    `wait` is for one thread; `listen` may be called by any, even meanwhile.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._calls: dict[int, Call] = {}

    def add(self, descriptor: int, call: Call) -> None:
        """Hear a descriptor."""
        self._epoll.register(descriptor, select.EPOLLIN)
        self._calls[descriptor] = call

    def remove(self, descriptor: int) -> None:
        """Hear it no more; nothing if it is not heard."""
        if self._calls.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def listen(self, descriptor: int, reads: bool, writes: bool) -> None:
        """What to hear of a descriptor; that its other end is gone is always heard."""
        events = (select.EPOLLIN if reads else 0) | (select.EPOLLOUT if writes else 0)
        self._epoll.modify(descriptor, events)

    def wait(self, seconds: float) -> None:
        """Wait so long for descriptors, then do what belongs to those that are ready."""
        ready = [(each, self._calls.get(each)) for each, _ in self._epoll.poll(seconds)]
        for descriptor, call in ready:
            # Not one that was removed by a call before it, whose number may be another's by now.
            if call is not None and self._calls.get(descriptor) is call:
                call()

    def close(self) -> None:
        """Hear nothing more."""
        self._epoll.close()
