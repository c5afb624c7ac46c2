"""Scenes with edits applied: pure functions; what is not touched is shared.

An update costs the depth of the tree and the siblings on the way; adding and removing also copy the
table of keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.scene.components import Component, Scene, keyed
from heliograph.scene.edit import Edit
from heliograph.scene.edits import Add, Remove, Set, Update, Upsert


def apply(scene: Scene, edits: Iterable[Edit]) -> Scene:
    """The scene with edits applied in order.

    Raises:
        UnknownNameError: no component with this key.
        InvalidValueError: a key that is there already, another type of component than the one with
            this key, or an edit that is none of a scene of components.
    """
    for edit in edits:
        apply_one = _APPLY.get(type(edit))
        if apply_one is None:
            known = ", ".join(kind.__name__ for kind in _APPLY)
            raise InvalidValueError(f"edits: expected {known}, got {edit!r}")
        scene = apply_one(scene, edit)
    return scene


def find(scene: Scene, key: str) -> Component:
    """The component with a key.

    Raises:
        UnknownNameError: there is none.
    """
    return path_to(scene, key)[-1]


def path_to(scene: Scene, key: str) -> list[Component]:
    """The components from the scene down to the one with this key.

    Raises:
        UnknownNameError: there is none.
    """
    if key != scene.key and key not in scene.parents:
        raise UnknownNameError.of("component", key, [*scene.parents])
    keys = [key]
    while keys[-1] != scene.key:
        keys.append(scene.parents[keys[-1]])
    path: list[Component] = [scene]
    for name in reversed(keys[:-1]):
        path.append(next(child for child in path[-1].children if child.key == name))
    return path


def _set(_: Scene, edit: Set) -> Scene:
    return edit.scene


def _add(scene: Scene, edit: Add | Upsert) -> Scene:
    path = path_to(scene, edit.to or str(scene.key))
    parent = path[-1]
    (component,) = keyed((edit.component,), {scene.key, *scene.parents})
    made = _rebuilt(path, parent.changed(children=(*parent.children, component)))
    return made.with_parents({**scene.parents, **_below(component, str(parent.key))})


def _update(scene: Scene, edit: Update | Upsert) -> Scene:
    new = edit.component
    path = path_to(scene, str(new.key))
    old = path[-1]
    if type(old) is not type(new):
        raise InvalidValueError(
            f"Update: {old.key!r} is a {type(old).__name__}, got a {type(new).__name__}; "
            "Upsert replaces it"
        )
    changed = old.merged(new.props)
    if not new.children:
        return _rebuilt(path, changed).with_parents(scene.parents)
    kept = _without(scene, old)
    children = keyed(new.children, {scene.key, *kept, old.key})
    return _placed(scene, path, changed.changed(children=children), kept)


def _upsert(scene: Scene, edit: Upsert) -> Scene:
    key = edit.component.key
    if key is None or key not in scene.parents:
        return _add(scene, edit)
    path = path_to(scene, key)
    if type(path[-1]) is type(edit.component):
        return _update(scene, edit)
    kept = _without(scene, path[-1])
    (component,) = keyed((edit.component,), {scene.key, *kept})
    return _placed(scene, path, component, kept)


def _remove(scene: Scene, edit: Remove) -> Scene:
    path = path_to(scene, edit.key)
    if len(path) == 1:
        raise InvalidValueError("Remove: the scene itself cannot be removed; use Set")
    parent = path[-2]
    children = tuple(child for child in parent.children if child.key != edit.key)
    made = _rebuilt(path[:-1], parent.changed(children=children))
    return made.with_parents(_without(scene, path[-1]))


def _rebuilt(path: list[Component], last: Component) -> Scene:
    """The scene with the last component of a path replaced."""
    for parent, old in zip(reversed(path[:-1]), reversed(path), strict=False):
        children = tuple(last if child is old else child for child in parent.children)
        last = parent.changed(children=children)
    if not isinstance(last, Scene):
        raise InvalidValueError(f"expected a Scene as root, got {last!r}")
    return last


def _placed(scene: Scene, path: list[Component], new: Component, kept: dict[str, str]) -> Scene:
    made = _rebuilt(path, new)
    above = str(path[-2].key) if len(path) > 1 else None
    table = {**kept, **_below(new, above)}
    return made.with_parents({key: table[key] for key in table if key != scene.key})


def _below(component: Component, parent: str | None) -> dict[str, str]:
    """Keys of a tree -> keys of their parents."""
    table = {} if parent is None else {str(component.key): parent}
    for node in component.walk():
        table.update({str(child.key): str(node.key) for child in node.children})
    return table


def _without(scene: Scene, component: Component) -> dict[str, str]:
    """The scene's table of keys less those of a tree in it."""
    gone = {node.key for node in component.walk()}
    return {key: parent for key, parent in scene.parents.items() if key not in gone}


_APPLY: dict[type[Edit], Callable[[Scene, Any], Scene]] = {
    Set: _set,
    Add: _add,
    Update: _update,
    Upsert: _upsert,
    Remove: _remove,
}
