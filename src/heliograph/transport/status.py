"""The status page: what a worker is at, and what its driver wants; each sees it without a message.

It can still be read after the worker has died. A word is 8 bytes and aligned, so it is written and
read whole.
"""

from __future__ import annotations

import struct
import time
from typing import NamedTuple

from heliograph.transport.slots import Region

_BEGUN = struct.Struct("<qqd")
_WORD = struct.Struct("<q")
_URGENCY = 24
_CANCELLED = 64
_TICKETS = 496
"""Cancelled tickets have a place each, by their remainder; with what is before, that is a page."""


class Status(NamedTuple):
    """What a worker began last.

    Attributes:
        ticket: number of the lease, 0 before the first.
        entry: which entry of a batch.
        since: when it began, by the clock of `time.monotonic`, which all processes share; seconds.
    """

    ticket: int
    entry: int
    since: float


class StatusPage:
    """One page of shared memory between a worker and its driver.

    Args:
        region: the page.
    """

    def __init__(self, region: Region) -> None:
        self._memory = region.memory

    def begin(self, ticket: int, entry: int = 0) -> None:
        """The worker says what it begins now."""
        _BEGUN.pack_into(self._memory, 0, ticket, entry, time.monotonic())

    def status(self) -> Status:
        """What was begun last; certain only once the worker is dead."""
        return Status(*_BEGUN.unpack_from(self._memory, 0))

    def urge(self, priority: int) -> None:
        """The driver says that an order of this priority is on its way."""
        _WORD.pack_into(self._memory, _URGENCY, priority)

    @property
    def urgency(self) -> int:
        """The priority of the most urgent order that is or was on its way."""
        return int(_WORD.unpack_from(self._memory, _URGENCY)[0])

    def cancel(self, ticket: int) -> None:
        """The driver says that nobody waits for an order."""
        _WORD.pack_into(self._memory, _place(ticket), ticket)

    def cancelled(self, ticket: int) -> bool:
        """Whether nobody waits for an order."""
        return bool(_WORD.unpack_from(self._memory, _place(ticket))[0] == ticket)


def _place(ticket: int) -> int:
    return _CANCELLED + _WORD.size * (ticket % _TICKETS)
