"""Recipes: which view a sample of a run shows, as a pure function of (seed, index)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, Protocol, TypeAlias, TypedDict, TypeVar, runtime_checkable

import numpy as np

from heliograph.camera import Camera
from heliograph.checks import check_integer
from heliograph.engine import Capability, Described, resolve_cameras
from heliograph.errors import HeliographError, InvalidValueError
from heliograph.frame import Sample
from heliograph.passes import Passes, check_pass_names, select_passes
from heliograph.randomize import stream
from heliograph.view import View, check_state, unchecked_view

StateRecipe: TypeAlias = Mapping[str, Any] | Callable[[np.random.Generator], Mapping[str, Any]]
"""One state for every sample, or what draws one from a generator of its own."""

Randomize: TypeAlias = Callable[[View], tuple[View, Mapping[str, Any]]]
"""Turns a view into what (its seed, its index) draw for it, and facts for `Sample.randomization`.

It is pure. If it has a method `describe`, recordings keep what that returns, in terms of JSON.
"""

_Given = TypeVar("_Given")
_Made = TypeVar("_Made")

STATE = "/state"
"""Name of the stream of random numbers of `Views.state`; no randomizer's starts with a slash."""


@runtime_checkable
class DescribesItself(Protocol):
    """A function of `Views` of which recordings keep more than its name."""

    def describe(self) -> Any:
        """What it does, in terms of JSON."""


class ViewOptions(TypedDict, total=False):
    """What every delivery takes besides: see `Views`."""

    cameras: Sequence[str | Camera]
    passes: Passes
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
        randomize: changes the view and says what it drew, besides what the renderer was opened
            with (`heliograph.open(..., randomize=)`), which draws where the view is drawn.
    """

    cameras: Sequence[str | Camera] = ()
    passes: Passes = ("rgb",)
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
        select_passes(check_pass_names(self.passes), renderer.passes)

    def order(self, seed: int, index: int) -> Order:
        """The view of one sample, and what was drawn for it."""
        view = unchecked_view(
            cameras=self.cameras,
            passes=self.passes,
            state=check_state(self._state(seed, index)),
            seed=check_integer("seed", seed),
            index=check_integer("index", index),
        )
        if self.randomize is None:
            return Order(view, {})
        return Order(*_check_drawn(_called("randomize", self.randomize, view)))

    def describe(self) -> dict[str, Any]:
        """The recipe in terms of JSON; functions by name, or as their own `describe` says."""
        return {
            "cameras": [_described_camera(camera) for camera in self.cameras],
            "passes": list(check_pass_names(self.passes)),
            "state": _described(self.state),
            "randomize": _described(self.randomize),
        }

    def _state(self, seed: int, index: int) -> Mapping[str, Any]:
        if callable(self.state):
            return _called("state", self.state, stream(seed, index, STATE))
        return self.state or {}


@dataclass(frozen=True)
class RandomStates:
    """Random states as an engine draws them; the same for whoever holds the engine."""

    draw: Callable[[np.random.Generator], Mapping[str, Any]]

    def __call__(self, rng: np.random.Generator) -> Mapping[str, Any]:
        """A state."""
        return self.draw(rng)

    def describe(self) -> str:
        """What recordings keep of it."""
        return "random_state of the engine"


def random_states(renderer: Described) -> RandomStates | None:
    """What draws random states for a renderer, as `Views.state` takes; None where nothing does."""
    able = Capability.RANDOM_STATE in renderer.capabilities
    return RandomStates(renderer.random_state) if able else None


def _called(name: str, function: Callable[[_Given], _Made], given: _Given) -> _Made:
    """What a user's function returns; one that fails fails for its sample alone."""
    try:
        return function(given)
    except HeliographError:
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise InvalidValueError(f"{name}: the function raised {what}") from error


def _check_drawn(drawn: object) -> tuple[View, Mapping[str, Any]]:
    pair = drawn if isinstance(drawn, tuple) and len(drawn) == 2 else (None, None)
    view, facts = pair
    if isinstance(view, View) and isinstance(facts, Mapping):
        return view, facts
    raise InvalidValueError(
        f"randomize: expected (view, facts), a View and a mapping, got {drawn!r}"
    )


def _described_camera(camera: str | Camera) -> Any:
    if isinstance(camera, str):
        return camera
    facts = {field.name: getattr(camera, field.name) for field in fields(camera)}
    pose = camera.world_from_camera.tolist()
    return {**facts, "projection": camera.projection.value, "world_from_camera": pose}


def _described(recipe: object) -> Any:
    if recipe is None:
        return None
    if isinstance(recipe, Mapping):
        return {str(key): np.asarray(value).tolist() for key, value in recipe.items()}
    if isinstance(recipe, DescribesItself):
        return recipe.describe()
    kind = type(recipe)
    name = getattr(recipe, "__qualname__", kind.__qualname__)
    return f"{getattr(recipe, '__module__', kind.__module__)}.{name}"
