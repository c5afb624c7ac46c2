"""Engines inside another one: randomization before a view is drawn, post-processing of rgb after.

Engines know nothing of either. Whoever opens one wraps it, so that both happen in the process that
draws a view.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np

from heliograph.camera import Camera
from heliograph.engine import CancelToken, Capability, Engine, Outcome, Outs
from heliograph.frame import Array, Buffers, Frame, Labels, Provenance, Sample
from heliograph.passes import PassSpecs
from heliograph.randomize import Drawn, Facts, Randomization
from heliograph.scene import Description, Edit, EditImage
from heliograph.view import View, unchecked_view


class Wrapper(Engine):
    """An engine inside another one; whatever is asked of this one goes to it.

    Args:
        engine: who draws.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def scene(self) -> Description:
        """The engine's."""
        return self._engine.scene

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """The engine's."""
        return self._engine.cameras

    @property
    def passes(self) -> PassSpecs:
        """The engine's."""
        return self._engine.passes

    @property
    def labels(self) -> Labels:
        """The engine's."""
        return self._engine.labels

    @property
    def capabilities(self) -> frozenset[Capability]:
        """The engine's."""
        return self._engine.capabilities

    @property
    def provenance(self) -> Provenance:
        """The engine's."""
        return self._engine.provenance

    def render(self, view: View, out: Outs = None) -> Sample:
        """Draw one view; see `heliograph.engine.Engine`."""
        return self._engine.render(view, out)

    def render_many(
        self, views: Iterable[View], outs: Iterable[Outs] | None = None
    ) -> list[Outcome]:
        """Draw several views; see `heliograph.engine.Engine`."""
        return self._engine.render_many(views, outs)

    def refine(self, view: View, cancel: CancelToken | None = None) -> Iterator[Sample]:
        """Draw one view coarsely first; see `heliograph.engine.Engine`."""
        return self._engine.refine(view, cancel)

    def advance(self, changes: Sequence[Edit]) -> int:
        """Change the scene for good; see `heliograph.engine.Engine`."""
        return self._engine.advance(changes)

    def random_state(self, rng: np.random.Generator) -> Mapping[str, Array]:
        """A random state that suits the scene."""
        return self._engine.random_state(rng)

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()


class RandomizedEngine(Wrapper):
    """An engine that draws a view with a seed as its seed and index say: pure in both.

    Args:
        engine: who draws.
        randomization: what draws at random.

    Attributes:
        randomization: the same.
    """

    def __init__(self, engine: Engine, randomization: Randomization) -> None:
        super().__init__(engine)
        self.randomization = randomization
        self._facts = Facts.of(engine)

    def render(self, view: View, out: Outs = None) -> Sample:
        """Draw one view; without a seed it is drawn as it is."""
        changed, drawn = self._randomized(view)
        return _told(self._engine.render(changed, out), drawn)

    def render_many(
        self, views: Iterable[View], outs: Iterable[Outs] | None = None
    ) -> list[Outcome]:
        """Draw several views, each randomized when its drawing begins."""
        told: list[Drawn | None] = []

        def randomized() -> Iterator[View]:
            for view in views:
                changed, drawn = self._randomized(view)
                told.append(drawn)
                yield changed

        outcomes = self._engine.render_many(randomized(), outs)
        return [
            _told(outcome, drawn) if isinstance(outcome, Sample) else outcome
            for outcome, drawn in zip(outcomes, told, strict=True)
        ]

    def refine(self, view: View, cancel: CancelToken | None = None) -> Iterator[Sample]:
        """Draw one view coarsely first, all of them with one randomization."""
        changed, drawn = self._randomized(view)
        for sample in self._engine.refine(changed, cancel):
            yield _told(sample, drawn)

    def advance(self, changes: Sequence[Edit]) -> int:
        """Change the scene for good; randomizers know it as it is now."""
        version = self._engine.advance(changes)
        self._facts = Facts.of(self._engine)
        return version

    def _randomized(self, view: View) -> tuple[View, Drawn | None]:
        return (view, None) if view.seed is None else self.randomization.apply(view, self._facts)


def _told(sample: Sample, drawn: Drawn | None) -> Sample:
    """The sample with what was drawn for it."""
    if drawn is None:
        return sample
    return replace(sample, randomization={**sample.randomization, **drawn.facts})


class _Order(NamedTuple):
    """A view with post-processing: what the engine draws for it, and what is made of that."""

    asked: View
    plain: View
    finish: tuple[EditImage, ...]
    out: Outs
    extra: bool

    @property
    def plain_out(self) -> Outs:
        """Where the engine draws to."""
        return None if self.extra else self.out

    def finished(self, sample: Sample) -> Sample:
        """The sample with its rgb finished, and no pass that was not asked for."""
        if self.plain is self.asked or not self.finish:
            return sample
        frames = {
            name: _finished(frame, self.asked.pass_names, self.finish)
            for name, frame in sample.frames.items()
        }
        if self.extra and self.out is not None:
            frames = _copied(frames, self.out)
        return replace(sample, frames=frames)


class PostProcessingEngine(Wrapper):
    """An engine whose views may hold `EditImage`; no pass but rgb changes."""

    def render(self, view: View, out: Outs = None) -> Sample:
        """Draw one view and finish its rgb; see `heliograph.engine.Engine`."""
        if not view.edits:
            return self._engine.render(view, out)
        order = _order(view, out)
        return order.finished(self._engine.render(order.plain, order.plain_out))

    def render_many(
        self, views: Iterable[View], outs: Iterable[Outs] | None = None
    ) -> list[Outcome]:
        """Draw several views and finish the rgb of each."""
        orders: list[_Order] = []

        def plain() -> Iterator[View]:
            for view, out in zip(views, repeat(None) if outs is None else outs, strict=False):
                orders.append(_order(view, out))
                yield orders[-1].plain

        def plain_outs() -> Iterator[Outs]:
            while True:  # asked right after a view
                yield orders[-1].plain_out

        outcomes = self._engine.render_many(plain(), plain_outs())
        return [
            order.finished(outcome) if isinstance(outcome, Sample) else outcome
            for order, outcome in zip(orders, outcomes, strict=True)
        ]

    def refine(self, view: View, cancel: CancelToken | None = None) -> Iterator[Sample]:
        """Draw one view coarsely first, and finish the rgb of each sample."""
        order = _order(view, None)
        return map(order.finished, self._engine.refine(order.plain, cancel))


def _order(view: View, out: Outs) -> _Order:
    finish = tuple(edit for edit in view.edits if isinstance(edit, EditImage))
    if not finish:
        return _Order(view, view, (), out, extra=False)
    plain = view.edited(tuple(edit for edit in view.edits if not isinstance(edit, EditImage)))
    if "rgb" not in view.pass_names:
        return _Order(view, plain, (), out, extra=False)
    from heliograph.randomize import imaging

    steps = [step for edit in finish for step in edit.steps]
    more = tuple(p for p in imaging.needed_passes(steps) if p not in view.pass_names)
    names = (*view.pass_names, *more)
    complete = unchecked_view(**{**vars(plain), "passes": names}) if more else plain
    return _Order(view, complete, finish, out, extra=bool(more))


def _copied(frames: Mapping[str, Frame], out: Sequence[Buffers]) -> dict[str, Frame]:
    """The frames in the caller's arrays."""
    copies = {}
    for (name, frame), arrays in zip(frames.items(), out, strict=True):
        for each, pixels in frame.passes.items():
            arrays[each][...] = pixels
        copies[name] = replace(frame, passes={each: arrays[each] for each in frame.passes})
    return copies


def _finished(frame: Frame, passes: Sequence[str], finish: Sequence[EditImage]) -> Frame:
    """The frame with its rgb finished in place, and no pass that was not asked for."""
    from heliograph.randomize import imaging

    rgb: Any = frame.rgb
    for edit in finish:
        rgb[...] = imaging.apply(
            edit.steps,
            rgb,
            depth=frame.passes.get("depth"),
            normals=frame.passes.get("normals"),
            camera=frame.camera,
            seed=edit.seed,
        )
    return replace(frame, passes={name: frame[name] for name in passes})
