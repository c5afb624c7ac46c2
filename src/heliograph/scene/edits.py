"""Edits of a scene of components; they stand in `View.edits` and are applied in order."""

from __future__ import annotations

from dataclasses import dataclass

from heliograph.errors import InvalidValueError
from heliograph.scene.components import Component, Scene
from heliograph.scene.edit import Edit


@dataclass(frozen=True)
class Set(Edit):
    """Show another scene."""

    scene: Scene

    def __post_init__(self) -> None:
        if not isinstance(self.scene, Scene):
            raise InvalidValueError(f"Set: expected a Scene, got {self.scene!r}")


@dataclass(frozen=True)
class Add(Edit):
    """Add a component as the last child of `to`, of the scene without it.

    A key that is there already is an error; a component without one gets the next free.
    """

    component: Component
    to: str | None = None

    def __post_init__(self) -> None:
        _check_component("Add", self.component)
        _check_to("Add", self.to)


@dataclass(frozen=True)
class Update(Edit):
    """Change the properties given of the component with this key; children only if some are given.

    `material` is changed property by property, and so are sizes; `args` and `size` give them all.
    Of two updates the later holds.
    """

    component: Component

    def __post_init__(self) -> None:
        _check_component("Update", self.component, root=True)
        if self.component.key is None:
            raise InvalidValueError(f"Update: {self.component!r} needs a key, to be found by")


@dataclass(frozen=True)
class Upsert(Edit):
    """`Update` where the key is there (a component of another type is replaced), else `Add`."""

    component: Component
    to: str | None = None

    def __post_init__(self) -> None:
        _check_component("Upsert", self.component)
        _check_to("Upsert", self.to)


@dataclass(frozen=True)
class Remove(Edit):
    """Remove a component with all below it."""

    key: str

    def __post_init__(self) -> None:
        if not isinstance(self.key, str) or not self.key:
            raise InvalidValueError(f"Remove: expected a key, got {self.key!r}")


def _check_component(name: str, component: object, *, root: bool = False) -> None:
    if not isinstance(component, Component) or (isinstance(component, Scene) and not root):
        raise InvalidValueError(f"{name}: expected a component, got {component!r}")


def _check_to(name: str, to: object) -> None:
    if to is not None and (not isinstance(to, str) or not to):
        raise InvalidValueError(f"{name} to: expected a key, got {to!r}")
