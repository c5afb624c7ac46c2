"""Recipes: which view a sample of a run shows, as a pure function of (seed, index)."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias, TypedDict

import numpy as np

from heliograph.camera import Camera
from heliograph.engine import Described, resolve_cameras
from heliograph.errors import InvalidValueError
from heliograph.frame import Sample, check_passes
from heliograph.scene import Edit
from heliograph.view import View

StateRecipe: TypeAlias = Mapping[str, Any] | Callable[[np.random.Generator], Mapping[str, Any]]
"""One state for every sample, or what draws one from a generator of its own."""

Drawn: TypeAlias = tuple[Mapping[str, Any], Sequence[Edit], Mapping[str, Any]]
"""What a randomizer yields: state, edits, and facts for `Sample.randomization`."""

Randomize: TypeAlias = Callable[[int, int], Drawn]
"""Edits as a pure function of (seed, index). If it has a method `describe`, recordings keep it."""


class ViewOptions(TypedDict, total=False):
    """What every delivery takes besides: see `Views`."""

    cameras: Sequence[str | Camera]
    passes: Sequence[str]
    state: StateRecipe | None
    randomize: Randomize | None


class Order(NamedTuple):
    """A view, and what was drawn at random for it."""

    view: View
    facts: Mapping[str, Any]

    def completed(self, sample: Sample) -> Sample:
        """The sample with what was drawn for it."""
        if not self.facts:
            return sample
        return replace(sample, randomization={**sample.randomization, **self.facts})


@dataclass(frozen=True)
class Views:
    """A recipe: `order(seed, index)` is the same wherever, whenever and however often it is asked.

    Attributes:
        cameras: as in `View`.
        passes: as in `View`.
        state: the state of every sample, or a function that draws one from a generator, such as
            the `random_state` of an engine; the scene's own state without it.
        randomize: a function of (seed, index) that returns state, edits and facts; its state goes
            over that of `state`, key by key.
    """

    cameras: Sequence[str | Camera] = ()
    passes: Sequence[str] = ("rgb",)
    state: StateRecipe | None = None
    randomize: Randomize | None = None

    def __post_init__(self) -> None:
        checked = View(self.cameras, self.passes)
        object.__setattr__(self, "cameras", checked.cameras)
        object.__setattr__(self, "passes", checked.passes)
        for name in ("state", "randomize"):
            value = getattr(self, name)
            fits = callable(value) or (name == "state" and isinstance(value, Mapping))
            if value is not None and not fits:
                raise InvalidValueError(f"{name}: expected a function, got {value!r}")

    def check(self, renderer: Described) -> None:
        """Check that a renderer knows the cameras and passes.

        Raises:
            UnknownNameError: it does not; the ones it knows are listed.
        """
        resolve_cameras(View(self.cameras, self.passes), renderer.cameras)
        check_passes(self.passes, renderer.passes)

    def order(self, seed: int, index: int) -> Order:
        """The view of one sample, and what was drawn for it."""
        state = self._state(seed, index)
        edits: Sequence[Edit] = ()
        facts: Mapping[str, Any] = {}
        if self.randomize is not None:
            drawn, edits, facts = self.randomize(seed, index)
            state = {**state, **drawn}
        return Order(View(self.cameras, self.passes, state, edits, seed, index), facts)

    def describe(self) -> dict[str, Any]:
        """The recipe in terms of JSON; functions by name, or as their own `describe` says."""
        return {
            "cameras": [c if isinstance(c, str) else repr(c._key()) for c in self.cameras],
            "passes": list(self.passes),
            "state": _described(self.state),
            "randomize": _described(self.randomize),
        }

    def _state(self, seed: int, index: int) -> Mapping[str, Any]:
        if callable(self.state):
            return self.state(stream(seed, index, "state"))
        return self.state or {}


def stream(seed: int, index: int, name: str) -> np.random.Generator:
    """A generator of its own for (seed, index, name): none shifts or resembles another."""
    digest = hashlib.sha256(struct.pack("<QQ", seed, index) + name.encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, np.uint32))


def random_state(renderer: Described) -> Callable[[np.random.Generator], Mapping[str, Any]] | None:
    """What draws random states for a renderer, as `Views.state` takes; None where nothing does."""
    for holder in (renderer, getattr(renderer, "engine", None)):
        draw: Callable[[np.random.Generator], Mapping[str, Any]] | None
        draw = getattr(holder, "random_state", None)
        if draw is not None:
            return draw
    return None


def _described(recipe: object) -> Any:
    if recipe is None:
        return None
    if isinstance(recipe, Mapping):
        return {str(key): np.asarray(value).tolist() for key, value in recipe.items()}
    describe = getattr(recipe, "describe", None)
    if describe is not None:
        return describe()
    kind = type(recipe)
    name = getattr(recipe, "__qualname__", kind.__qualname__)
    return f"{getattr(recipe, '__module__', kind.__module__)}.{name}"
