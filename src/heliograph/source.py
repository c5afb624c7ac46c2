"""What yields samples by position: the protocol that datasets, recordings and recorders share."""

from __future__ import annotations

import hashlib
import json
import operator
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable

from heliograph.errors import HeliographError, InvalidValueError
from heliograph.frame import Sample

Outcome: TypeAlias = tuple[int, Sample | HeliographError]
"""A position, and what came of it: errors are results."""

OnError: TypeAlias = Callable[[HeliographError], object]
"""Told of each sample that failed; the sample is then left out and the rest goes on."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@runtime_checkable
class SampleSource(Protocol):
    """Samples by position: the same position, the same sample, in any order and any number."""

    def __len__(self) -> int:
        """How many positions there are."""

    def outcomes(self, positions: Iterable[int]) -> Iterator[Outcome]:
        """What comes of each of these positions, in their order; several are made at once."""

    def describe(self) -> Mapping[str, Any]:
        """What decides the samples, in terms of JSON: equal descriptions, equal samples."""


def digests(described: Mapping[str, Any]) -> dict[str, str]:
    """A short hash of each part of a description: equal parts, equal hashes."""
    return {name: _digest(part) for name, part in described.items()}


def _digest(part: object) -> str:
    text = json.dumps(part, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: object) -> Any:
    tolist = getattr(value, "tolist", None)  # an array, or a number of numpy's
    return str(type(value)) if tolist is None else tolist()


def ahead(
    submit: Callable[[_Item], Future[_Result]], items: Iterable[_Item], window: int
) -> Iterator[tuple[_Item, Future[_Result]]]:
    """Submit up to `window` items before the first is asked for; yields in the order of `items`.

    What is finished when it is submitted needs no company: whoever works in this thread is asked
    for one item at a time. Leaving the loop cancels what was submitted and not yet yielded.
    """
    coming = iter(items)
    pending: deque[tuple[_Item, Future[_Result]]] = deque()
    try:
        while True:
            _fill(pending, coming, submit, window)
            if not pending:
                return
            yield pending.popleft()
    finally:
        for _, future in pending:
            future.cancel()
        close(coming)


def samples_of(outcomes: Iterable[Outcome], on_error: OnError | None = None) -> Iterator[Sample]:
    """The samples among the outcomes; the first error is raised, or each is told to `on_error`."""
    try:
        for _, result in outcomes:
            if isinstance(result, Sample):
                yield result
            elif on_error is None:
                raise result
            else:
                on_error(result)
    finally:
        close(outcomes)


def close(iterator: object) -> None:
    """Close a generator now, so that its orders are cancelled although an error may refer to it."""
    if isinstance(iterator, Generator):
        iterator.close()


def check_position(position: object, count: int) -> int:
    """A position among `count`; negative ones count from the end, as in a list.

    Raises:
        InvalidValueError: not a whole number.
        IndexError: no sample has this position.
    """
    try:
        number = operator.index(position)  # type: ignore[arg-type]
    except TypeError:
        raise InvalidValueError(f"position: expected an integer, got {position!r}") from None
    if not -count <= number < count:
        raise IndexError(f"position {number}: there are {count} samples")
    return number % count


def _fill(
    pending: deque[tuple[_Item, Future[_Result]]],
    coming: Iterator[_Item],
    submit: Callable[[_Item], Future[_Result]],
    window: int,
) -> None:
    while len(pending) < window:
        for item in coming:
            pending.append((item, submit(item)))
            break
        else:
            return
        if pending[-1][1].done():
            return
