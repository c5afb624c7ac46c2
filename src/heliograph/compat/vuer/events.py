"""Vuer's events: what pages tell, and what a program orders."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from heliograph.compat.vuer.element import flat
from heliograph.scene import Component
from heliograph.scene import Scene as _Scene


class Event:
    """Something that happened, or is ordered; equal to the name of its sort.

    Attributes:
        etype: its sort, such as "CAMERA_MOVE".
        ts: when, seconds since the epoch.
    """

    etype: str = ""
    ts: float

    def __eq__(self, other: object) -> bool:
        """Whether it is of this sort."""
        return self.etype == other if isinstance(other, str) else self is other

    __hash__ = object.__hash__


class ClientEvent(Event):
    """Something that a page told, or a picture.

    Attributes:
        key: of the component that it is about; empty for none.
        value: what is told of it.
    """

    def __init__(
        self, etype: str = "", key: str = "", value: Any = None, ts: float | None = None
    ) -> None:
        self.etype = etype or type(self).etype
        self.key = key
        self.value = value
        self.ts = time.time() if ts is None else ts

    def __repr__(self) -> str:
        """Its sort and value."""
        return f"client<{self.etype}>({self.value})"


class InitEvent(ClientEvent):
    """A session begins."""

    etype = "INIT"


class NullEvent(ClientEvent):
    """Nothing happened."""

    etype = "NULL"


INIT = InitEvent()


class ServerEvent(Event):
    """Something that a program orders.

    Attributes:
        data: what it is about.
    """

    def __init__(self, data: Any = None) -> None:
        self.data = data
        self.ts = time.time()


class Noop(ServerEvent):
    """Nothing."""

    etype = "NOOP"


NOOP = Noop()


class Set(ServerEvent):
    """Show another scene."""

    etype = "SET"

    def __init__(self, data: _Scene) -> None:
        super().__init__(data)


class _OfElements(ServerEvent):
    """About elements, given one by one or in lists."""

    def __init__(self, *elements: Component | Iterable[Component]) -> None:
        super().__init__(flat(elements))


class Update(_OfElements):
    """Change the fields given of elements that are there."""

    etype = "UPDATE"

    def __init__(self, *elements: Component | Iterable[Component], strict: bool = False) -> None:
        super().__init__(*elements)
        self.strict = strict


class Add(_OfElements):
    """Add elements to the scene, or to the element with the key `to`."""

    etype = "ADD"

    def __init__(self, *elements: Component | Iterable[Component], to: str | None = None) -> None:
        super().__init__(*elements)
        self.to = to


class Upsert(_OfElements):
    """Update what is there, add what is not; `strict` replaces what is there as a whole."""

    etype = "UPSERT"

    def __init__(
        self,
        *elements: Component | Iterable[Component],
        to: str | None = None,
        strict: bool = False,
    ) -> None:
        super().__init__(*elements)
        self.to = to
        self.strict = strict


class Remove(ServerEvent):
    """Remove elements with all below them, by key."""

    etype = "REMOVE"

    def __init__(self, *keys: str) -> None:
        super().__init__(list(keys))


class Frame(ServerEvent):
    """Another event, after which a bound generator waits for one frame's time.

    Attributes:
        frame_rate: frames a second.
    """

    etype = "FRAME"

    def __init__(self, data: ServerEvent, frame_rate: float = 60.0) -> None:
        super().__init__(data)
        self.frame_rate = frame_rate


class End(ServerEvent):
    """The session ends."""

    etype = "TERMINATE"


class ServerRPC(ServerEvent):
    """Something that is answered."""

    etype = "RPC"


class GrabRender(ServerRPC):
    """A picture of a camera; see `VuerSession.grab_render` for the options."""

    etype = "GRAB_RENDER"

    def __init__(self, *, key: str = "DEFAULT", **options: Any) -> None:
        super().__init__(options)
        self.key = key
