"""Datasets in NumPy: samples of a run by position, in any order, several in flight."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import PurePath
from typing import Any, Self, TypeAlias, Unpack

from heliograph.checks import check_integer
from heliograph.delivery.views import Order, ViewOptions, Views
from heliograph.engine import Renderer
from heliograph.errors import ClosedError, HeliographError, InvalidValueError, shown
from heliograph.frame import Sample
from heliograph.source import Outcome, ahead, check_position, samples_of
from heliograph.view import View

WINDOW = 32
"""How many samples are in flight at once, and so at most in memory, where nothing is said."""

_Ordered: TypeAlias = tuple[int, Order | HeliographError]

_DECIDE_NOTHING = ("backend", "threads")
"""Options of what draws: `drawn_by` names the one that did, and threads change no byte."""


class RunOptions(ViewOptions, total=False):
    """What a run takes besides its renderer and count: see `Dataset`."""

    seed: int | None
    start: int
    window: int
    together: int


class Dataset:
    """`count` samples of a run: position i is sample `start + i`, which depends on (seed, i) alone.

    Args:
        renderer: who draws; it stays open, and is the caller's to close.
        count: how many samples.
        seed: of the run, 0 ... 2**63 - 1; the renderer's without it.
        start: index of the first sample.
        window: how many samples are in flight at once where several are asked for.
        together: so many consecutive samples share one piece of memory, where a pool draws them:
            batches of as many need not be copied to be stacked.
        **options: `cameras`, `passes`, `state` and `randomize`, as in `Views`.

    Raises:
        InvalidValueError: a number out of its range.
        UnknownNameError: a camera or pass that the renderer does not have.
    """

    def __init__(
        self,
        renderer: Renderer,
        count: int,
        *,
        seed: int | None = None,
        start: int = 0,
        window: int = WINDOW,
        together: int = 1,
        **options: Unpack[ViewOptions],
    ) -> None:
        if not isinstance(renderer, Renderer):
            raise InvalidValueError(
                "renderer: expected a Renderer, such as heliograph.open returns, got "
                f"{shown(renderer)}"
            )
        self.renderer = renderer
        self.count = check_integer("count", count)
        given = renderer.seed if seed is None else seed
        self.seed = check_integer("seed", given)
        self.start = check_integer("start", start)
        self.window = check_integer("window", window, least=1)
        self.together = check_integer("together", together, least=1)
        self.views = Views(**options)
        self.views.check(renderer)

    def __len__(self) -> int:
        """How many samples there are."""
        return self.count

    def __getitem__(self, position: int) -> Sample:
        """One sample; `IndexError` where there is none, a `HeliographError` where it failed."""
        return next(samples_of(self.outcomes([check_position(position, self.count)])))

    def __iter__(self) -> Iterator[Sample]:
        """All samples, in order; the first error is raised."""
        return samples_of(self.outcomes(range(self.count)))

    def __getstate__(self) -> Any:
        raise InvalidValueError(LIVE)

    def shifted(self, by: int) -> Self:
        """The samples of the same run that begin `by` later."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.start = check_integer("start", self.start + by)
        return other

    def order(self, position: int) -> Order:
        """The view at a position, and what was drawn for it."""
        return self.views.order(self.seed, self.start + position)

    def outcomes(self, positions: Iterable[int], together: int | None = None) -> Iterator[Outcome]:
        """What comes of each position, in this order, with `window` of them in flight.

        Args:
            positions: which samples.
            together: as for the whole dataset.

        Raises:
            ClosedError: the renderer is closed.
        """
        orders = ((position, self._try_order(position)) for position in positions)
        submit = self._submitter(self.together if together is None else together)
        for (position, order), future in ahead(submit, orders, self.window):
            yield position, self._result(position, order, future)

    def describe(self) -> dict[str, Any]:
        """What decides the samples, in terms of JSON."""
        scene, made = self.renderer.scene, self.renderer.provenance
        return {
            "drawn_by": {"engine": made.engine, "device": made.device},
            "scene": {"source": PurePath(scene.source).name, "hash": scene.hash},
            "renderer": _deciding(self.renderer.opened),
            "seed": self.seed,
            "start": self.start,
            "count": self.count,
            "views": self.views.describe(),
        }

    def _try_order(self, position: int) -> Order | HeliographError:
        try:
            return self.order(position)
        except HeliographError as error:
            return self._named(error, position)

    def _submitter(self, together: int) -> Callable[[_Ordered], Future[Sample]]:
        send: Callable[[View], Future[Sample]] = self.renderer.submit
        if together > 1:
            send = self.renderer.side_by_side(together)

        def submit(item: _Ordered) -> Future[Sample]:
            order = item[1]
            if isinstance(order, Order):
                return send(order.view)
            failed: Future[Sample] = Future()
            failed.set_exception(order)
            return failed

        return submit

    def _result(
        self, position: int, order: Order | HeliographError, future: Future[Sample]
    ) -> Sample | HeliographError:
        try:
            sample = future.result()
        except ClosedError:
            raise
        except HeliographError as error:
            return self._named(error, position)
        return order.completed(sample) if isinstance(order, Order) else order

    def _named(self, error: HeliographError, position: int) -> HeliographError:
        if error.index is None:
            error.index, error.seed = self.start + position, self.seed
        return error


LIVE = (
    "a dataset over a live renderer cannot be sent to another process, such as a DataLoader "
    "worker: use num_workers=0 (render workers, heliograph.open(..., workers=N), draw beside your "
    "program all the same), or record it once and load the heliograph.Recording with any number "
    "of DataLoader workers"
)


def _deciding(opened: Mapping[str, Any]) -> dict[str, Any]:
    """What a renderer was opened with, without what decides no sample beside `drawn_by`."""
    if "options" not in opened:
        return dict(opened)
    options = {k: v for k, v in opened["options"].items() if k not in _DECIDE_NOTHING}
    return {**opened, "options": options}
