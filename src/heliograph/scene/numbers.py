"""The numbers of objects: given once, kept through edits, and never used again.

What is drawn is numbered first, then what only groups, each in the order of the tree. The scene
itself, lights, cameras and what only the viewport shows have none.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from heliograph.scene.camera_view import CameraView
from heliograph.scene.components import Component
from heliograph.scene.lights import Light
from heliograph.scene.tree import Changes, Tree


class Sort(IntEnum):
    """What a component is to whoever draws it."""

    DRAWN = 0
    LIGHT = 1
    CAMERA = 2
    GROUP = 3
    GIZMO = 4

    @classmethod
    def of(cls, kind: type[Component]) -> Sort:
        """The sort of a type of component."""
        if kind.gizmo:
            return cls.GIZMO
        if kind.drawable:
            return cls.DRAWN
        if issubclass(kind, Light):
            return cls.LIGHT
        return cls.CAMERA if issubclass(kind, CameraView) else cls.GROUP


_NUMBERED = (Sort.DRAWN, Sort.GROUP)


@dataclass(frozen=True, eq=False)
class ObjectIds:
    """The numbers of one version of a scene, by row of its tree.

    Attributes:
        ids: (N,) int32, from 1; 0 for what is no object.
        sorts: (N,) int8, each a `Sort`.
        next_id: the first number that was never used.
    """

    ids: NDArray[np.int32]
    sorts: NDArray[np.int8]
    next_id: int

    @classmethod
    def of(cls, tree: Tree) -> ObjectIds:
        """Those of a scene that is new."""
        sorts = np.array([Sort.of(kind) for kind in tree.kinds()], np.int8)
        return cls(np.zeros(len(tree), np.int32), sorts, 1)._numbered()

    def followed(
        self, before: Tree, tree: Tree, kept: NDArray[np.intp], *, replaced: bool
    ) -> ObjectIds:
        """Those of a tree to which rows were added or from which some went.

        Args:
            before: the tree these are of.
            tree: the other one.
            kept: as `kept_rows` has it.
            replaced: whether it is another scene; what has the same key and type in it is the same
                object.
        """
        sorts = np.where(kept >= 0, self.sorts[kept], 0).astype(np.int8)
        new = np.flatnonzero(kept < 0).tolist()
        sorts[new] = [Sort.of(tree.kind(row)) for row in new]
        if replaced:
            own = dict(zip(before.things(), self.ids.tolist(), strict=True))
            ids = np.array([own.get(thing, 0) for thing in tree.things()], np.int32)
        else:
            ids = np.where(kept >= 0, self.ids[kept], 0).astype(np.int32)
        return ObjectIds(ids, sorts, self.next_id)._numbered()

    def _numbered(self) -> ObjectIds:
        """With numbers for the objects that have none; the arrays must be its own."""
        new = [np.flatnonzero((self.sorts == sort) & (self.ids == 0)) for sort in _NUMBERED]
        rows = np.concatenate(new)
        rows = rows[rows > 0]  # the scene itself is no object
        self.ids[rows] = self.next_id + np.arange(len(rows), dtype=np.int32)
        return ObjectIds(self.ids, self.sorts, self.next_id + len(rows))


def kept_rows(before: Tree, tree: Tree, changes: Changes) -> NDArray[np.intp]:
    """(N,) which row of the tree before each row of a changed one is, -1 for what is new."""
    if not changes.spliced:
        return np.arange(len(tree))
    known, fresh = before.index, changes.fresh
    return np.array([-1 if k in fresh else known.get(k, -1) for k in tree.names()], np.intp)
