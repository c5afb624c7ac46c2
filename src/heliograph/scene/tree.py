"""A scene laid out flat, and edits of it: what changes costs, not how large the scene is.

Row i of a `Tree` is one component without its children, parents before what is below them, so that
a component and all below it are consecutive rows. Applying an edit says what it changed; engines
patch what they made of that and leave the rest alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.scene.components import MAX_DEPTH, Component, Props, Scene, keyed
from heliograph.scene.edit import Edit
from heliograph.scene.edits import Add, Remove, Set, Update, Upsert
from heliograph.scene.placement import PLACEMENT
from heliograph.scene.urdf import FILES, Urdf

_INDEPENDENT = frozenset({"position", "material"})
"""Properties that others do not depend on, unless a matrix is given."""


@dataclass
class Changes:
    """What edits did to a tree.

    Attributes:
        given: key -> the properties that were given anew, of what was there before.
        fresh: keys of what is new.
        spliced: whether rows came or went.
        replaced: whether another scene took the place of the whole one.
    """

    given: dict[str, Props] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)
    spliced: bool = False
    replaced: bool = False


class Tree:
    """A scene laid out flat; its own until `copy`.

    Attributes:
        index: key -> row.
        parents: (N,) int64, the row of each one's parent; -1 for the scene.
        depths: (N,) int64, how many are above each.
    """

    def __init__(self, scene: Scene) -> None:
        self.index: dict[str, int] = {}
        self._nodes, parents, depths = _laid_out((scene,), 0, -1, 0)
        self._number(0)
        self.parents, self.depths = np.array(parents, np.int64), np.array(depths, np.int64)
        self._pending: dict[str, Props] = {}
        self._asked: tuple[tuple[str, ...], NDArray[np.intp]] = (), np.empty(0, np.intp)

    def __len__(self) -> int:
        """How many components."""
        return len(self._nodes)

    def names(self) -> list[str]:
        """The keys, by row."""
        return [str(node.key) for node in self._nodes]

    def copy(self) -> Tree:
        """The same; what is applied to one does not show in the other."""
        other = object.__new__(type(self))
        other.index, other.parents, other.depths = dict(self.index), self.parents, self.depths
        other._nodes, other._pending = list(self._nodes), dict(self._pending)
        other._asked = self._asked
        return other

    def row(self, key: str) -> int:
        """The row of a key.

        Raises:
            UnknownNameError: there is none.
        """
        row = self.index.get(key)
        if row is None:
            raise UnknownNameError.of("component", key, self.index)
        return row

    def rows(self, keys: tuple[str, ...]) -> NDArray[np.intp]:
        """The rows of several keys; found once for the same tuple of them.

        Raises:
            UnknownNameError: one is not there.
            InvalidValueError: one is given twice.
        """
        if self._asked[0] is not keys:
            rows = np.array([self.row(key) for key in keys], np.intp)
            if len(np.unique(rows)) != len(rows):
                raise InvalidValueError("expected each key once, got one twice")
            self._asked = keys, rows
        return self._asked[1]

    def kind(self, row: int) -> type[Component]:
        """The type of a row's component."""
        return type(self._nodes[row])

    def kinds(self) -> list[type[Component]]:
        """The types, by row."""
        return [type(node) for node in self._nodes]

    def things(self) -> list[tuple[str, type[Component]]]:
        """The keys and types, by row."""
        return list(zip(self.names(), self.kinds(), strict=True))

    def node(self, row: int) -> Component:
        """The component of a row, without children."""
        node = self._nodes[row]
        pending = self._pending.pop(str(node.key), None)
        if pending is not None:
            node = self._nodes[row] = node.merged(pending)
        return node

    def put(self, row: int, node: Component) -> None:
        """Have a row hold another component of the same key, without children."""
        self._pending.pop(str(node.key), None)
        self._nodes[row] = node

    def append(self, node: Component) -> None:
        """Add a component without children to the scene, as its last row."""
        self._splice((len(self), len(self)), (node,), 0, Changes())

    def is_pending(self, row: int) -> bool:
        """Whether a component's new properties wait to be merged: a position, a material, no more.

        That is, it has no matrix, and its rotation and scale are what they were.
        """
        return str(self._nodes[row].key) in self._pending

    def nodes(self) -> list[Component]:
        """All components, by row."""
        return [self.node(row) for row in range(len(self))]

    def stop(self, row: int) -> int:
        """The first row after all that is below a row."""
        outside = self.depths[row + 1 :] <= self.depths[row]
        return row + 1 + int(outside.argmax()) if outside.any() else len(self)

    def scene(self) -> Scene:
        """The scene as a tree of components again."""
        below: list[list[Component]] = [[] for _ in range(len(self))]
        for row in range(len(self) - 1, 0, -1):
            node = self.node(row)
            made = node.changed(children=tuple(reversed(below[row]))) if below[row] else node
            below[self.parents[row]].append(made)
        root = self.node(0).changed(children=tuple(reversed(below[0])))
        if not isinstance(root, Scene):
            raise InvalidValueError(f"expected a Scene as root, got {root!r}")
        return root

    def apply(self, edits: Iterable[Edit]) -> Changes:
        """Apply edits in order; where one is refused, this tree is not to be used any more.

        Raises:
            UnknownNameError: no component with this key.
            InvalidValueError: a key that is there already, another type of component than the one
                with this key, or an edit that is none of a scene of components.
        """
        changes = Changes()
        for edit in edits:
            if type(edit) is Update and not edit.component.children:
                self._update(edit.component, changes)
                continue
            apply_one = _APPLY.get(type(edit))
            if apply_one is None:
                known = ", ".join(kind.__name__ for kind in _APPLY)
                raise InvalidValueError(f"edits: expected {known}, got {edit!r}")
            apply_one(self, edit, changes)
        return changes

    def _set(self, edit: Set, changes: Changes) -> None:
        other = Tree(edit.scene)
        self.index, self._nodes, self._pending = other.index, other._nodes, {}
        self.parents, self.depths, self._asked = other.parents, other.depths, other._asked
        changes.spliced = changes.replaced = True
        changes.given.clear()
        changes.fresh = set(self.index)

    def _add(self, edit: Add | Upsert, changes: Changes) -> None:
        parent = self.row(edit.to) if edit.to is not None else 0
        at = self.stop(parent)
        self._splice((at, at), (edit.component,), parent, changes)

    def _update(self, new: Component, changes: Changes) -> None:
        """Note properties given anew; they are merged when somebody looks at the component."""
        key: Any = new.key
        row = self.index.get(key)
        if row is None:
            row = self.row(str(key))
        old, props, before = self._nodes[row], new.props, self._pending.get(key)
        if type(old) is not type(new):
            raise InvalidValueError(
                f"Update: {old.key!r} is a {type(old).__name__}, got a {type(new).__name__}; "
                "Upsert replaces it"
            )
        if not props:
            return
        if props.keys() <= _INDEPENDENT and (before is not None or "matrix" not in old.props):
            self._pending[key] = props if before is None else _both(before, props)
        else:
            made = self._nodes[row] = self.node(row).merged(props)
            if isinstance(made, Urdf):
                props = self._move_links(made, props, changes)
            if "matrix" in old.props:  # its rotation and scale may stand there in its place
                props = {**props, **{n: made.props[n] for n in PLACEMENT if n in made.props}}
        if props and key not in changes.fresh:
            given = changes.given.get(key)
            changes.given[key] = props if given is None else _both(given, props)

    def _move_links(self, robot: Urdf, props: Props, changes: Changes) -> Props:
        """Have the links of a robot follow what it was given; what is left is its own placement."""
        made = robot.reread(props) if props.keys() & FILES else robot
        if made is not robot:
            row = self.row(str(robot.key))
            stop = self._first_child(row)
            self._nodes[row] = made.changed(children=())
            self._splice((row + 1, stop), made.children, row, changes)
            return {name: props[name] for name in props if name in PLACEMENT}
        for frame in robot.frames_moved(props.get("joints", {})):
            if frame.key in self.index:
                self._update(frame, changes)
        return {name: props[name] for name in props if name in PLACEMENT}

    def _update_whole(self, edit: Update | Upsert, changes: Changes) -> None:
        """Update properties and, where any are given, the children."""
        new = edit.component
        self._update(new, changes)
        if new.children:
            row = self.row(str(new.key))
            self._splice((self._first_child(row), self.stop(row)), new.children, row, changes)

    def _first_child(self, row: int) -> int:
        """Where the children of a row begin that somebody gave it: after a robot's own links."""
        node = self._nodes[row]
        links = node.links if isinstance(node, Urdf) else None
        return self.stop(row + 1) if links and self.index.get(links) == row + 1 else row + 1

    def _upsert(self, edit: Upsert, changes: Changes) -> None:
        row = self.index.get(str(edit.component.key))
        if edit.component.key is None or row is None:
            self._add(edit, changes)
        elif self.kind(row) is type(edit.component):
            self._update_whole(edit, changes)
        else:
            rows, parent = (row, self.stop(row)), int(self.parents[row])
            self._splice(rows, (edit.component,), parent, changes)

    def _remove(self, edit: Remove, changes: Changes) -> None:
        row = self.row(edit.key)
        if not row:
            raise InvalidValueError("Remove: the scene itself cannot be removed; use Set")
        self._splice((row, self.stop(row)), (), int(self.parents[row]), changes)

    def _splice(
        self,
        rows: tuple[int, int],
        components: tuple[Component, ...],
        parent: int,
        changes: Changes,
    ) -> None:
        """Put components with all below them in the place of the rows from one to another."""
        start, stop = rows
        self._asked = (), np.empty(0, np.intp)
        gone = [str(node.key) for node in self._nodes[start:stop]]
        taken: set[Any] = set(self.index)
        taken.difference_update(gone)
        below = keyed(components, taken)
        nodes, parents, depths = _laid_out(below, start, parent, int(self.depths[parent]) + 1)
        if max(depths, default=0) >= MAX_DEPTH:
            key = self._nodes[parent].key
            raise InvalidValueError(f"below component {key!r}: nested deeper than {MAX_DEPTH}")
        for key in gone:
            del self.index[key]
            self._pending.pop(key, None)
            changes.given.pop(key, None)
            changes.fresh.discard(key)
        shift = len(nodes) - (stop - start)
        after = self.parents[stop:]
        moved = after + np.where(after >= stop, shift, 0)
        self.parents = np.concatenate([self.parents[:start], np.array(parents, np.int64), moved])
        self.depths = np.concatenate(
            [self.depths[:start], np.array(depths, np.int64), self.depths[stop:]]
        )
        self._nodes[start:stop] = nodes
        self._number(start, None if shift else start + len(nodes))
        changes.spliced = True
        changes.fresh.update(str(node.key) for node in nodes)

    def _number(self, start: int, stop: int | None = None) -> None:
        for row, node in enumerate(self._nodes[start:stop], start):
            self.index[str(node.key)] = row


def apply(scene: Scene, edits: Iterable[Edit]) -> Scene:
    """The scene with edits applied in order.

    Raises:
        UnknownNameError: no component with this key.
        InvalidValueError: a key that is there already, another type of component than the one with
            this key, or an edit that is none of a scene of components.
    """
    tree = Tree(scene)
    tree.apply(edits)
    return tree.scene()


def _both(before: Props, props: Props) -> Props:
    """Properties given one after the other; those of materials one by one."""
    old, new = before.get("material"), props.get("material")
    if old and new is not None and not old.keys() <= new.keys():
        props = {**props, "material": MappingProxyType({**old, **new})}
    return props if before.keys() <= props.keys() else {**before, **props}


def _laid_out(
    components: Iterable[Component], first: int, parent: int, depth: int
) -> tuple[list[Component], list[int], list[int]]:
    """Components and all below them from row `first` on: without children, parents, depths."""
    nodes: list[Component] = []
    parents: list[int] = []
    depths: list[int] = []
    stack = [(component, parent, depth) for component in reversed(tuple(components))]
    while stack:
        node, above, deep = stack.pop()
        row = first + len(nodes)
        nodes.append(node.changed(children=()) if node.children else node)
        parents.append(above)
        depths.append(deep)
        stack += [(child, row, deep + 1) for child in reversed(node.children)]
    return nodes, parents, depths


_APPLY: Mapping[type[Edit], Callable[[Tree, Any, Changes], None]] = MappingProxyType(
    {
        Set: Tree._set,
        Add: Tree._add,
        Update: Tree._update_whole,
        Upsert: Tree._upsert,
        Remove: Tree._remove,
    }
)
