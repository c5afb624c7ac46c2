"""What goes round an engine: randomization before a view is drawn, post-processing of rgb after.

Engines know nothing of either. Whoever opens one wraps it, so that both happen in the process that
draws a view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from heliograph.camera import Camera
from heliograph.engine import Engine, Gathering
from heliograph.frame import Buffers, Frame, Labels, Sample
from heliograph.randomize import Facts, Randomization
from heliograph.scene import Description, EditImage
from heliograph.view import View


class Wrapper:
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
    def passes(self) -> tuple[str, ...]:
        """The engine's."""
        return self._engine.passes

    @property
    def labels(self) -> Labels:
        """The engine's."""
        return self._engine.labels

    def render(self, view: View, out: Sequence[Buffers] | None = None) -> Sample:
        """Draw one view; see `heliograph.engine.Engine`."""
        return self._engine.render(view, out)

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()

    def __getattr__(self, name: str) -> Any:
        """Anything that only some engines have, such as `random_state` or `details`."""
        return getattr(self._engine, name)


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

    def render(self, view: View, out: Sequence[Buffers] | None = None) -> Sample:
        """Draw one view; without a seed it is drawn as it is."""
        if view.seed is None:
            return self._engine.render(view, out)
        changed, drawn = self.randomization.apply(view, self._facts)
        sample = self._engine.render(changed, out)
        return replace(sample, randomization={**sample.randomization, **drawn.facts})


class PostProcessingEngine(Wrapper):
    """An engine whose views may hold `EditImage`; no pass but rgb changes."""

    def render(self, view: View, out: Sequence[Buffers] | None = None) -> Sample:
        """Draw one view and finish its rgb; see `heliograph.engine.Engine`."""
        finish = [edit for edit in view.edits if isinstance(edit, EditImage)]
        if not finish:
            return self._engine.render(view, out)
        rest = tuple(edit for edit in view.edits if not isinstance(edit, EditImage))
        if "rgb" not in view.passes:
            return self._engine.render(view.edited(rest), out)
        return self._finished(view, view.edited(rest), finish, out)

    def _finished(
        self,
        asked: View,
        plain: View,
        finish: Sequence[EditImage],
        out: Sequence[Buffers] | None,
    ) -> Sample:
        from heliograph.randomize import imaging

        steps = [step for edit in finish for step in edit.steps]
        more = tuple(p for p in imaging.needed_passes(steps) if p not in asked.passes)
        complete = replace(plain, passes=(*asked.passes, *more))
        sample = self._engine.render(complete, None if more else out)
        if isinstance(self._engine, Gathering):
            self._engine.settle()
        frames = {
            name: _frame(frame, asked.passes, finish) for name, frame in sample.frames.items()
        }
        if more and out is not None:
            frames = _copied(frames, out)
        return replace(sample, frames=frames)


def _copied(frames: Mapping[str, Frame], out: Sequence[Buffers]) -> dict[str, Frame]:
    """The frames in the caller's arrays."""
    copies = {}
    for (name, frame), arrays in zip(frames.items(), out, strict=True):
        for each, pixels in frame.passes.items():
            arrays[each][...] = pixels
        copies[name] = replace(frame, passes={each: arrays[each] for each in frame.passes})
    return copies


def _frame(frame: Frame, passes: Sequence[str], finish: Sequence[EditImage]) -> Frame:
    """The frame with its rgb finished in place, and no pass that was not asked for."""
    from heliograph.randomize import imaging

    rgb = frame.rgb
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
