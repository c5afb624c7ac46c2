"""Engines inside another one: randomization before a view is drawn, post-processing of rgb after.

Engines know nothing of either. Whoever opens one wraps it, so that both happen in the process that
draws a view.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np

from heliograph.camera import Camera
from heliograph.engine import (
    VERSIONS_KEPT,
    CancelToken,
    Capability,
    Engine,
    Outcome,
    Outs,
    attempt,
    with_outs,
)
from heliograph.errors import HeliographError, InvalidValueError
from heliograph.frame import Array, Buffers, Frame, Labels, Provenance, Sample
from heliograph.passes import PassSpecs, select_passes
from heliograph.randomize import Drawn, Facts, Randomization
from heliograph.scene import Description, Edit, EditImage
from heliograph.view import View, unchecked_view

GROUP_NBYTES = 1 << 24
"""Bytes of pictures that are drawn before they are finished; a GPU is waited for once for them."""


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

    @property
    def failure(self) -> str:
        """The engine's."""
        return self._engine.failure

    def render(self, view: View, out: Outs = None) -> Sample:
        """Draw one view; see `heliograph.engine.Engine`."""
        return self._engine.render(view, out)

    def render_many(
        self, views: Iterable[View], outs: Iterable[Outs] | None = None
    ) -> list[Outcome]:
        """Draw several views; see `heliograph.engine.Engine`."""
        return self._engine.render_many(views, outs)

    def refine(
        self,
        view: View,
        cancel: CancelToken | None = None,
        levels: Sequence[float] | None = None,
    ) -> Iterator[Sample]:
        """Draw one view coarsely first; see `heliograph.engine.Engine`."""
        return self._engine.refine(view, cancel, levels)

    def publish(self, cancel: CancelToken | None = None) -> Iterator[Sample]:
        """As the engine does."""
        return self._engine.publish(cancel)

    def advance(self, changes: Sequence[Edit]) -> int:
        """Change the scene for good; see `heliograph.engine.Engine`."""
        return self._engine.advance(changes)

    def random_state(self, rng: np.random.Generator) -> Mapping[str, Array]:
        """A random state that suits the scene."""
        return self._engine.random_state(rng)

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()


class Order(NamedTuple):
    """What a wrapper makes of a view, and of its sample.

    Attributes:
        view: what the engine draws.
        out: where it draws to.
        finish: makes the sample of the view of the engine's.
        nbytes: of pictures that are needed only until it is finished.
    """

    view: View
    out: Outs
    finish: Callable[[Sample], Sample] | None = None
    nbytes: int = 0

    def finished(self, sample: Sample) -> Sample:
        """The sample of the view."""
        return sample if self.finish is None else self.finish(sample)


class PreparingEngine(Wrapper):
    """An engine that changes views before another one draws them, and maybe its samples after."""

    @abstractmethod
    def _prepare(self, view: View, out: Outs) -> Order:
        """What is drawn for a view, and what is done to the sample.

        Raises:
            HeliographError: the view cannot be drawn.
        """

    def render(self, view: View, out: Outs = None) -> Sample:
        """Draw one view; see `heliograph.engine.Engine`."""
        order = self._prepare(view, out)
        return order.finished(self._engine.render(order.view, order.out))

    def render_many(
        self, views: Iterable[View], outs: Iterable[Outs] | None = None
    ) -> list[Outcome]:
        """Draw several views, each prepared when its drawing begins.

        They are drawn in groups, and each group is finished before the next one begins, so that
        memory is bounded. A view that cannot be prepared never reaches the engine, and fails alone.
        """
        pairs, outcomes = with_outs(views, outs), list[Outcome]()
        while group := self._render_group(pairs):
            outcomes += group
        return outcomes

    def _render_group(self, pairs: Iterator[tuple[View, Outs]]) -> list[Outcome]:
        """Draw views until their pictures take `GROUP_NBYTES`, and finish them."""
        orders: list[Order | HeliographError] = []
        sound: list[Order] = []

        def prepared() -> Iterator[View]:
            nbytes = 0
            while nbytes < GROUP_NBYTES and (pair := next(pairs, None)) is not None:
                order = attempt(self._prepare, *pair)
                orders.append(order)
                if isinstance(order, Order):
                    sound.append(order)
                    nbytes += order.nbytes
                    yield order.view

        def given() -> Iterator[Outs]:
            while True:  # asked right after a view
                yield sound[-1].out

        drawn = self._engine.render_many(prepared(), given())
        finished = iter([_finished(*each) for each in zip(sound, drawn, strict=True)])
        return [order if isinstance(order, HeliographError) else next(finished) for order in orders]

    def refine(
        self,
        view: View,
        cancel: CancelToken | None = None,
        levels: Sequence[float] | None = None,
    ) -> Iterator[Sample]:
        """Draw one view coarsely first; all samples are prepared and finished alike."""
        order = self._prepare(view, None)
        return map(order.finished, self._engine.refine(order.view, cancel, levels))


def _finished(order: Order, outcome: Outcome) -> Outcome:
    return attempt(order.finished, outcome) if isinstance(outcome, Sample) else outcome


@dataclass(frozen=True, eq=False)
class _Version:
    """What a version of a scene said of itself while it was the newest."""

    scene: Description
    cameras: Mapping[str, Camera]

    @cached_property
    def facts(self) -> Facts:
        """What randomizers know of it."""
        return Facts.of(self)


class RandomizedEngine(PreparingEngine):
    """An engine that draws a view with a seed as its seed and index say: pure in both.

    Randomizers know the version of the scene that a view shows, of the newest 16.

    Args:
        engine: who draws.
        randomization: what draws.

    Attributes:
        randomization: the same.

    Raises:
        HeliographError: the scene is none that a randomizer fits; the engine stays open.
    """

    def __init__(self, engine: Engine, randomization: Randomization) -> None:
        super().__init__(engine)
        self.randomization = randomization
        self._versions: dict[int, _Version] = {}
        self._keep()
        randomization.check(self._versions[engine.scene.version].facts)

    def advance(self, changes: Sequence[Edit]) -> int:
        """Change the scene for good; see `heliograph.engine.Described`."""
        version = self._engine.advance(changes)
        self._keep()
        return version

    def _keep(self) -> None:
        """Note what the newest version says of itself, before it is an old one."""
        scene = self._engine.scene
        self._versions[scene.version] = _Version(scene, self._engine.cameras)
        while len(self._versions) > VERSIONS_KEPT:
            del self._versions[min(self._versions)]

    def _prepare(self, view: View, out: Outs) -> Order:
        """What the seed and index draw; without a seed the view as it is."""
        if view.seed is None:
            return Order(view, out)
        version = max(self._versions) if view.scene_version is None else view.scene_version
        if version not in self._versions:
            raise InvalidValueError(
                f"scene_version: expected one of {[*self._versions]} for a view with a seed (older "
                f"ones are not kept), got {version}"
            )
        changed, drawn = self.randomization.apply(view, self._versions[version].facts)
        return Order(changed, out, partial(_told, drawn))


def _told(drawn: Drawn, sample: Sample) -> Sample:
    """The sample with what was drawn for it."""
    return replace(sample, randomization={**sample.randomization, **drawn.facts})


class PostProcessingEngine(PreparingEngine):
    """An engine whose views may hold `EditImage`; no pass but rgb changes."""

    def _prepare(self, view: View, out: Outs) -> Order:
        """What the engine draws for a view, its `EditImage`s left out; they finish its rgb."""
        if not view.edits:  # as for most
            return Order(view, out)
        edits = tuple(edit for edit in view.edits if isinstance(edit, EditImage))
        if not edits:
            return Order(view, out)
        plain = view.edited(tuple(edit for edit in view.edits if not isinstance(edit, EditImage)))
        if "rgb" not in view.pass_names:
            return Order(plain, out)
        from heliograph.randomize import imaging

        steps = [step for edit in edits for step in edit.steps]
        more = tuple(p for p in imaging.needed_passes(steps) if p not in view.pass_names)
        if not more:
            return Order(plain, out, partial(_post_processed, edits, view.pass_names, None))
        complete = unchecked_view(**{**vars(plain), "passes": (*view.pass_names, *more)})
        finish = partial(_post_processed, edits, view.pass_names, out)
        return Order(complete, None, finish, self._nbytes(complete.pass_names, out or ()))

    def _nbytes(self, passes: Sequence[str], out: Sequence[Buffers]) -> int:
        """Bytes of these passes for the cameras of which there are arrays."""
        pixels = sum(math.prod(buffers["rgb"].shape[:2]) for buffers in out)
        chosen = select_passes(passes, self._engine.passes).values()
        return pixels * sum(max(1, each.channels) * each.dtype.itemsize for each in chosen)


def _post_processed(
    edits: Sequence[EditImage], passes: Sequence[str], out: Outs, sample: Sample
) -> Sample:
    """The sample with its rgb finished, and no pass that was not asked for.

    Args:
        edits: what is done to rgb.
        passes: those asked for.
        out: where frames are copied to; None where they may stay.
        sample: the engine's.
    """
    frames = {name: _with_edits(frame, passes, edits) for name, frame in sample.frames.items()}
    return replace(sample, frames=frames if out is None else _copied(frames, out))


def _copied(frames: Mapping[str, Frame], out: Sequence[Buffers]) -> dict[str, Frame]:
    """The frames in the caller's arrays."""
    copies = {}
    for (name, frame), arrays in zip(frames.items(), out, strict=True):
        for each, pixels in frame.passes.items():
            arrays[each][...] = pixels
        copies[name] = replace(frame, passes={each: arrays[each] for each in frame.passes})
    return copies


def _with_edits(frame: Frame, passes: Sequence[str], edits: Sequence[EditImage]) -> Frame:
    """The frame with its rgb finished in place, and no pass that was not asked for."""
    from heliograph.randomize import imaging

    rgb: Any = frame.rgb
    for edit in edits:
        rgb[...] = imaging.apply(
            edit.steps,
            rgb,
            depth=frame.passes.get("depth"),
            normals=frame.passes.get("normals"),
            camera=frame.camera,
            seed=edit.seed,
        )
    return replace(frame, passes={name: frame[name] for name in passes})
