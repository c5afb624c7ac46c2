"""Randomizers, and how several of them draw what one sample shows differently."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.errors import HeliographError, InvalidValueError, UnknownNameError
from heliograph.randomize.facts import Facts
from heliograph.randomize.parameters import parameters
from heliograph.randomize.removal import without_removed
from heliograph.randomize.samplers import plain
from heliograph.randomize.streams import stream
from heliograph.scene import Edit
from heliograph.scene.appearance import MoveCamera
from heliograph.view import View

Values: TypeAlias = dict[str, Any]
"""What one randomizer drew: names -> numbers, words and lists of them, as JSON holds them."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """What was drawn for one sample.

    Attributes:
        edits: what it shows differently from the scene.
        state: what moves, by keys of `View.state`.
        facts: what was drawn, for JSON, by name of the randomizer; `Randomization.replay` makes
            the same edits and state of it.
    """

    edits: tuple[Edit, ...] = ()
    state: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


class Randomizer(ABC):
    """Turns random numbers into edits, by way of plain values that can be stored and used again.

    One that is a dataclass may declare what its parameters are, see
    `heliograph.randomize.parameters`; they are read and checked when it is made.
    """

    type_name: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for name, each in parameters(self).items():
            object.__setattr__(self, name, each.read(name, getattr(self, name)))

    def check(self, scene: Facts) -> None:  # noqa: B027 -- most fit any scene
        """Refuse a scene no view of which could be drawn; called once when it is opened.

        Raises:
            HeliographError: says why.
        """

    @abstractmethod
    def choose(self, rng: Generator, scene: Facts) -> Values:
        """Draw values for one sample; they hold all that `build` needs."""

    @abstractmethod
    def build(self, values: Values) -> Drawn:
        """Turn values, new or read back from JSON, into edits and state; `facts` stays empty."""

    def draw(self, rng: Generator, scene: Facts) -> Drawn:
        """Draw for one sample; `facts` are the values."""
        values = self.choose(rng, scene)
        built = self.build(values)
        for_json = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in values.items()}
        return Drawn(built.edits, built.state, for_json)


class Randomization:
    """Several randomizers, each with a stream of its own named after it.

    They run in order: a later one sees cameras where an earlier one put them, and lights that an
    earlier one added. None changes what another draws from its stream.

    Args:
        randomizers: what draws.
        names: a name for each, all different; without them the types' names, numbered from the
            second of a type on (`materials`, `materials2`).
    """

    def __init__(
        self, randomizers: Sequence[Randomizer], names: Sequence[str] | None = None
    ) -> None:
        self.randomizers = tuple(randomizers)
        self.names = _default_names(self.randomizers) if names is None else tuple(names)
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice or len(self.names) != len(self.randomizers) or not all(self.names):
            raise InvalidValueError(
                f"names: expected {len(self.randomizers)} different names, got {self.names!r}"
            )

    def __call__(self, seed: int, index: int, scene: Facts) -> Drawn:
        """Draw what sample `index` of run `seed` shows differently from the scene."""
        parts: dict[str, Drawn] = {}
        part = Drawn()
        for name, randomizer in zip(self.names, self.randomizers, strict=True):
            scene = scene.after(part.edits, part.state)
            part = parts[name] = randomizer.draw(stream(seed, index, name), scene)
        return merged(parts)

    def check(self, scene: Facts) -> None:
        """Refuse a scene that a randomizer does not fit; warn of prefixes that match nothing.

        What draws later may be another process, whose warnings nobody reads.

        Raises:
            HeliographError: names the randomizer.
        """
        for name, each in zip(self.names, self.randomizers, strict=True):
            try:
                each.check(scene)
            except HeliographError as error:
                raise type(error)(f"randomizer {name!r}: {error.message}") from None
        with suppress(HeliographError):
            self(0, 0, scene)

    def replay(self, facts: Mapping[str, Any]) -> Drawn:
        """Make the same edits and state again from `Drawn.facts`, also after a trip through JSON.

        Raises:
            UnknownNameError: values of a randomizer that is not here.
        """
        for name in facts:
            if name not in self.names:
                raise UnknownNameError.of("randomizer", name, self.names)
        parts = {
            name: dataclasses.replace(randomizer.build(facts[name]), facts=facts[name])
            for name, randomizer in zip(self.names, self.randomizers, strict=True)
            if name in facts
        }
        return merged(parts)

    def describe(self) -> list[dict[str, Any]]:
        """Types, names and parameters, for JSON."""
        described = []
        for name, each in zip(self.names, self.randomizers, strict=True):
            own: dict[str, Any] = plain(each) if dataclasses.is_dataclass(each) else {}
            kind = each.type_name or type(each).__name__
            described.append({"type": kind, "name": name, **own})
        return described

    def config(self) -> dict[str, Any]:
        """What a config of it holds."""
        return {"randomizers": self.describe()}

    def apply(self, view: View, scene: Facts) -> tuple[View, Drawn]:
        """Return a view with what its seed and index draw for it, and what was drawn.

        The view's own edits come after the drawn ones, of which those are left out that name what
        the view's remove; a state key that was drawn takes the place of the view's.
        """
        if view.seed is None:
            raise InvalidValueError("randomize: the view has no seed; give it one (View(seed=0))")
        asked = view.cameras or tuple(scene.cameras)[:1]
        shown = tuple(each if isinstance(each, str) else each.name for each in asked)
        known = dataclasses.replace(scene, state={**scene.state, **view.state}, shown=shown)
        drawn = self(view.seed, view.index, known)
        left = without_removed(drawn.edits, view.edits, scene.description.objects)
        edits = (*left, *view.edits)
        if not drawn.state:
            return view.edited(edits), drawn
        return dataclasses.replace(view, edits=edits, state={**view.state, **drawn.state}), drawn


def _default_names(randomizers: Iterable[Randomizer]) -> tuple[str, ...]:
    counts: dict[str, int] = {}
    names = []
    for randomizer in randomizers:
        stem = randomizer.type_name or type(randomizer).__name__
        counts[stem] = counts.get(stem, 0) + 1
        names.append(stem if counts[stem] == 1 else f"{stem}{counts[stem]}")
    return tuple(names)


def merged(parts: Mapping[str, Drawn]) -> Drawn:
    """What several randomizers drew, by name, as one."""
    edits = [edit for part in parts.values() for edit in part.edits]
    state = {key: value for part in parts.values() for key, value in part.state.items()}
    return Drawn(
        _one_move_per_camera(edits), state, {name: part.facts for name, part in parts.items()}
    )


def _one_move_per_camera(edits: Sequence[Edit]) -> tuple[Edit, ...]:
    """Put the moves of one camera together, where the last of them stood."""
    moves: dict[str, MoveCamera] = {}
    for edit in edits:
        if isinstance(edit, MoveCamera):
            before = moves.pop(edit.name, None)
            moves[edit.name] = edit if before is None else _after(before, edit)
    if not moves:
        return tuple(edits)
    others = [edit for edit in edits if not isinstance(edit, MoveCamera)]
    return (*others, *moves.values())


def _after(first: MoveCamera, second: MoveCamera) -> MoveCamera:
    """One move that does what the first and then the second does."""
    if not second.relative:
        return second
    pose: Any = np.asarray(first.camera.world_from_camera @ second.camera.world_from_camera)
    camera: Camera = second.camera.moved(pose)
    return MoveCamera(second.name, camera, relative=first.relative)
