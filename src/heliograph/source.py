"""What yields samples by position: the protocol that datasets, recordings and recorders share."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable

from heliograph.errors import HeliographError
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


def kept(outcomes: Iterable[Outcome], on_error: OnError | None = None) -> Iterator[Sample]:
    """The samples among the outcomes; the first error is raised, or each is told to `on_error`."""
    for _, result in outcomes:
        if isinstance(result, Sample):
            yield result
        elif on_error is None:
            raise result
        else:
            on_error(result)


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
