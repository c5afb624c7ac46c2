"""Runs that can be repeated: which instance draws which samples, and all of them in order again.

Instance i of n draws the samples i, i + n, i + 2 n, ... Where each depends on the run's seed and
its index alone, and its message carries the index, the stream in order is the same however many
instances drew.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Final

from heliograph.checks import check_integer
from heliograph.errors import InvalidValueError, WorkerError
from heliograph.publish.framing import Message

MAX_WAITING: Final = 256
"""Messages that are held back until the one before them comes, at most."""


def indices(instance: int, instances: int, count: int | None = None) -> Iterator[int]:
    """The indices of the samples that an instance draws.

    Args:
        instance: its number, from 0.
        instances: how many there are.
        count: samples that it draws; without it there is no end.

    Raises:
        InvalidValueError: a number out of its range.
    """
    check_integer("instances", instances, 1)
    check_integer("instance", instance, 0, instances - 1)
    count = None if count is None else check_integer("count", count)
    return itertools.islice(itertools.count(instance, instances), count)


def in_order(
    messages: Iterable[Message], *, start: int = 0, waiting: int = MAX_WAITING
) -> Iterator[Message]:
    """The messages of all instances, by index, each index once.

    An index that comes again, as where an instance was started again, is left out.

    Args:
        messages: of a subscriber that has the stream to itself.
        start: the first index.
        waiting: messages that may be held back, at most.

    Raises:
        InvalidValueError: a message without an index.
        WorkerError: an index did not come although so many after it did, or the stream has ended.
    """
    waiting = check_integer("waiting", waiting, 1)
    following = check_integer("start", start)
    held: dict[int, Message] = {}
    for message in messages:
        if message.index is None:
            raise InvalidValueError(
                f"a message of instance {message.instance}: expected one with an index, got none; "
                "give it where it is published: publish(index=..., ...)"
            )
        if message.index >= following:
            held.setdefault(message.index, message)
        while following in held:
            yield held.pop(following)
            following += 1
        if len(held) > waiting:
            raise WorkerError(_missing(following, held, f"{len(held)} after it did"))
    if held:
        raise WorkerError(_missing(following, held, "the stream has ended"))


def _missing(index: int, held: dict[int, Message], why: str) -> str:
    there = sorted(held)[:8]
    return f"the sample with index {index} did not come, and {why}: {there}"
