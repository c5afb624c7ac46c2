"""An engine that draws in a process of its own, with the face of one in this process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from heliograph.camera import Camera
from heliograph.engine import CancelToken, Capability, Engine, Outcome, Outs, attempt, with_outs
from heliograph.frame import Array, Labels, Provenance, Sample, own_or_given
from heliograph.passes import PassSpecs
from heliograph.pool import Pool
from heliograph.scene import Description, Edit
from heliograph.view import View


class PooledEngine(Engine):
    """Draws with a pool.

    Args:
        pool: closed with it.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @property
    def scene(self) -> Description:
        """The newest version of the scene."""
        return self._pool.scene

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """The scene's cameras."""
        return self._pool.cameras

    @property
    def passes(self) -> PassSpecs:
        """The engine's."""
        return self._pool.passes

    @property
    def labels(self) -> Labels:
        """Segmentation id -> (name, category)."""
        return self._pool.labels

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the pool passes on."""
        return self._pool.capabilities

    @property
    def provenance(self) -> Provenance:
        """Who draws."""
        return self._pool.provenance

    def advance(self, changes: Sequence[Edit]) -> int:
        """Change the scene for good; see `heliograph.engine.Described`."""
        return self._pool.advance(changes)

    def random_state(self, rng: np.random.Generator) -> Mapping[str, Array]:
        """A random state that suits the scene."""
        return self._pool.random_state(rng)

    def render(self, view: View, out: Outs = None) -> Sample:
        """Draw one view; see `heliograph.engine.Engine`."""
        return _into(self._pool.render(view), out)

    def render_many(
        self, views: Iterable[View], outs: Iterable[Outs] | None = None
    ) -> list[Outcome]:
        """Draw several views, some ahead; see `heliograph.engine.Engine`."""
        pairs = list(with_outs(views, outs))
        futures = self._pool.futures(view for view, _ in pairs)
        return [
            attempt(lambda done, into: _into(done.result(), into), future, out)
            for future, (_, out) in zip(futures, pairs, strict=True)
        ]

    def refine(
        self,
        view: View,
        cancel: CancelToken | None = None,
        levels: Sequence[float] | None = None,
    ) -> Iterator[Sample]:
        """Draw one view coarsely first, then better and better; see `heliograph.engine.Engine`."""
        return self._pool.refine(view, cancel, levels)

    def close(self) -> None:
        """End the process; may be called twice."""
        self._pool.close()


def _into(sample: Sample, out: Outs) -> Sample:
    """A sample whose arrays are the caller's, where there are any.

    Raises:
        InvalidValueError: they do not fit.
    """
    if out is None:
        return sample
    frames = list(sample)
    cameras = [frame.camera for frame in frames]
    specs = {name: frames[0].spec(name) for name in frames[0].passes}
    buffers = own_or_given(cameras, specs, out)
    for frame, given in zip(frames, buffers, strict=True):
        for name, array in given.items():
            array[...] = frame[name]
    filled = {
        frame.camera.name: replace(frame, passes=given)
        for frame, given in zip(frames, buffers, strict=True)
    }
    return replace(sample, frames=filled)
