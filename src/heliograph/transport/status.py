"""The status word: what a worker is at, readable after it has died."""

from __future__ import annotations

import struct
import time
from typing import NamedTuple

from heliograph.transport.slots import Region

_WORD = struct.Struct("<qqd")


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


def write_status(region: Region, ticket: int, entry: int = 0) -> None:
    """Say what is begun now."""
    _WORD.pack_into(region.memory, 0, ticket, entry, time.monotonic())


def read_status(region: Region) -> Status:
    """What was begun last; certain only once the worker is dead."""
    return Status(*_WORD.unpack_from(region.memory, 0))
