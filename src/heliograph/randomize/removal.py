"""Drawn edits without what a view's own edits take out of the scene.

A view's own edits come after the drawn ones: what is painted first and removed then is gone.
Engines change the tree before they paint anything, so they are not told to paint what is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from heliograph.scene import (
    Add,
    Edit,
    EditLight,
    EditMaterial,
    EditMaterials,
    Hide,
    MoveCamera,
    MoveObject,
    ObjectTable,
    Remove,
    Set,
    Update,
    Upsert,
)


def without_removed(
    drawn: tuple[Edit, ...], own: Sequence[Edit], table: ObjectTable
) -> tuple[Edit, ...]:
    """The drawn edits, of what is still there after the view's own.

    Args:
        drawn: what randomizers drew.
        own: the view's edits.
        table: the objects of the version that the view shows.
    """
    gone = _removed(own, table)
    return tuple(each for edit in drawn for each in _left(edit, gone)) if gone else drawn


def _removed(edits: Iterable[Edit], table: ObjectTable) -> set[str]:
    """Names that edits of a tree take away, and none after them brings again."""
    gone: set[str] = set()
    for edit in edits:
        if isinstance(edit, Remove):
            gone |= {edit.key, *_below(edit.key, table)}
        elif isinstance(edit, Set):
            gone = set(table.names).difference(str(node.key) for node in edit.scene.walk())
        elif isinstance(edit, (Add, Update, Upsert)):
            if edit.component.children and not isinstance(edit, Add):
                gone.update(_below(str(edit.component.key), table))
            gone.difference_update(str(node.key) for node in edit.component.walk())
    return gone


def _below(name: str, table: ObjectTable) -> Iterator[str]:
    """Names of all objects below one."""
    rows = table.rows.get(name, [])
    while rows:
        rows = np.flatnonzero(np.isin(table.parents, table.ids[rows])).tolist()
        yield from (table.names[row] for row in rows)


def _left(edit: Edit, gone: set[str]) -> tuple[Edit, ...]:
    """An edit of what is not gone, if anything is left of it."""
    if isinstance(edit, (Hide, EditMaterial)):
        return (replace(edit, objects=_kept(edit.objects, gone)),)
    if isinstance(edit, EditMaterials):
        return (replace(edit, objects=tuple(_kept(group, gone) for group in edit.objects)),)
    if isinstance(edit, (MoveObject, MoveCamera, EditLight)) and edit.name in gone:
        new = isinstance(edit, EditLight) and edit.kind is not None
        return (edit,) if new else ()
    return (edit,)


def _kept(names: tuple[str, ...], gone: set[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in gone)
