"""What happens in a session, and whom it is told."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from heliograph.errors import ClosedError

if TYPE_CHECKING:
    from heliograph.live.session import Session

INIT: Final = "INIT"
"""A page has come, or a session begins without one; `value` is what is told of it."""
CAMERA_VIEW: Final = "CAMERA_VIEW"
"""A camera with a stream has a new picture; `value` is the sample."""
CAMERA_MOVE: Final = "CAMERA_MOVE"
"""Somebody dragged a camera; `value` has its `matrix`."""
OBJECT_MOVE: Final = "OBJECT_MOVE"
"""Somebody dragged a `Movable`; `value` has its `matrix`."""
VIEWPORT_MOVE: Final = "VIEWPORT_MOVE"
"""Somebody looks around in a page; `value` is the camera."""
CLICK: Final = "CLICK"
"""Somebody clicked on a component; `value` says where."""
DROP: Final = "DROP"
"""Somebody dropped files on the page; `value` is their content, bytes by name."""
PROBLEM: Final = "PROBLEM"
"""A page or a stream could not do something; `value` says what."""

OWN: Final = frozenset({INIT, CAMERA_VIEW, CAMERA_MOVE, OBJECT_MOVE, VIEWPORT_MOVE, DROP, PROBLEM})
"""Events that a session tells itself; a page cannot make them up."""
FRAMES_KEPT = 2
EVENTS_KEPT = 1000


@dataclass(frozen=True)
class Event:
    """Something that happened.

    Attributes:
        etype: what sort of thing, such as `CAMERA_MOVE`.
        key: of the component that it is about; empty for none.
        value: what is told of it.
        ts: when, seconds since the epoch.
    """

    etype: str
    key: str = ""
    value: Any = None
    ts: float = field(default_factory=time.time)


Handler: TypeAlias = Callable[[Event, "Session"], Awaitable[None] | None]
"""A function or a coroutine function, given the event and its session."""


class Subscription:
    """Events on their way to somebody who may be slow: the oldest are dropped, and counted.

    Args:
        etypes: the sorts of events that it takes; empty for all.

    Attributes:
        dropped: how many events were dropped.
    """

    def __init__(self, *etypes: str) -> None:
        self._etypes = frozenset(etypes)
        self._waiting: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._ended = False
        self.dropped = 0

    def takes(self, etype: str) -> bool:
        """Whether it takes events of a sort."""
        return not self._etypes or etype in self._etypes

    def put(self, event: Event) -> None:
        """Add an event; of pictures of one camera the newest two are kept, of all else 1,000."""
        if not self.takes(event.etype):
            return
        self._make_room(event)
        self._waiting.append(event)
        self._arrived.set()

    def _make_room(self, event: Event) -> None:
        if event.etype == CAMERA_VIEW:
            same = [each for each in self._waiting if (each.etype, each.key) == _kind(event)]
            if len(same) >= FRAMES_KEPT:
                self._waiting.remove(same[0])
                self.dropped += 1
        elif len(self._waiting) >= EVENTS_KEPT:
            self._waiting.popleft()
            self.dropped += 1

    async def get(self) -> Event:
        """The oldest event, once there is one.

        Raises:
            ClosedError: nothing comes any more.
        """
        while not self._waiting:
            if self._ended:
                raise ClosedError("this subscription has ended")
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()

    def end(self) -> None:
        """Nothing comes any more; whoever waits is told."""
        self._ended = True
        self._waiting.clear()
        self._arrived.set()

    def get_nowait(self) -> Event | None:
        """The oldest event, or None where none waits."""
        return self._waiting.popleft() if self._waiting else None

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """The events, until it ends."""
        with suppress(ClosedError):
            while True:
                yield await self.get()


def _kind(event: Event) -> tuple[str, str]:
    return event.etype, event.key
