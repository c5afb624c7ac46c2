"""The object table: everything that a version of a scene shows, numbered once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from heliograph.errors import UnknownNameError
from heliograph.frame import BACKGROUND, Label, Labels

Floats = NDArray[np.float64]

CORNERS: Floats = np.array(np.meshgrid(*[[0.0, 1.0]] * 3)).reshape(3, -1).T
"""(8, 3) which of lower and upper bound each corner of a box has along each axis."""


class SceneObject(NamedTuple):
    """One row of an `ObjectTable`.

    Attributes:
        id: what the segmentation pass shows it as, from 1; never used again in a scene's life.
        name: its name, or its component's key.
        category: what sort of thing it is (`box`, `mesh`, `body`, ...).
        material: name of the material it wears; empty without one.
        parent: id of the object it is fixed to or grouped by; 0 for none.
        box: (2, 3) lower and upper corner of its bounding box in its own axes, metres; NaN where
            it has none (what only groups, what has no end).
        seen: whether it can be seen itself; else it only groups others.
    """

    id: int
    name: str
    category: str
    material: str
    parent: int
    box: Floats
    seen: bool


@dataclass(frozen=True, eq=False)
class ObjectTable(Sequence[SceneObject]):
    """Everything that one version of a scene shows; row i of every column is one object.

    Labels, segmentation ids, randomizers and annotations read it; nobody numbers objects a second
    time.

    Attributes:
        ids: (N,) int32.
        names, categories, materials: (N,) text.
        parents: (N,) int32 ids, 0 for none.
        boxes: (N, 2, 3) float64, NaN where there is none.
        seen: (N,) bool.
        poses: (N, 4, 4) float64, world_from_object in the scene's own state.
        colours: (N, 4) float64, red, green, blue, alpha, 0 to 1; NaN where there is none.
        shown_as: (N,) int32, the id that the segmentation pass shows each as: its own, or that of
            the row that stands for it, its body's or its category's, say.
    """

    ids: NDArray[np.int32]
    names: tuple[str, ...]
    categories: tuple[str, ...]
    materials: tuple[str, ...]
    parents: NDArray[np.int32]
    boxes: Floats
    seen: NDArray[np.bool_]
    poses: Floats
    colours: Floats
    shown_as: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))

    def __post_init__(self) -> None:
        if len(self.shown_as) != len(self.ids):
            object.__setattr__(self, "shown_as", np.where(self.seen, self.ids, 0).astype(np.int32))
        for column in vars(self).values():
            if isinstance(column, np.ndarray):
                column.flags.writeable = False

    @classmethod
    def empty(cls) -> ObjectTable:
        """A table of nothing."""
        return cls.of(())

    @classmethod
    def of(cls, rows: Sequence[SceneObject]) -> ObjectTable:
        """A table of rows at the origin, without colours."""
        count = len(rows)
        return cls(
            ids=np.array([row.id for row in rows], np.int32),
            names=tuple(row.name for row in rows),
            categories=tuple(row.category for row in rows),
            materials=tuple(row.material for row in rows),
            parents=np.array([row.parent for row in rows], np.int32),
            boxes=np.array([row.box for row in rows], float).reshape(count, 2, 3),
            seen=np.array([row.seen for row in rows], bool),
            poses=np.tile(np.eye(4), (count, 1, 1)),
            colours=np.full((count, 4), np.nan),
        )

    def __len__(self) -> int:
        """How many objects."""
        return len(self.ids)

    def __iter__(self) -> Iterator[SceneObject]:
        """The objects, in the order of their rows."""
        return (self._row(row) for row in range(len(self)))

    @overload
    def __getitem__(self, row: int | str) -> SceneObject: ...

    @overload
    def __getitem__(self, row: slice) -> tuple[SceneObject, ...]: ...

    def __getitem__(self, row: int | str | slice) -> SceneObject | tuple[SceneObject, ...]:
        """The object of a row, the first of a name, or those of several rows.

        Raises:
            UnknownNameError: nothing has this name.
        """
        if isinstance(row, str):
            return self._row(self.row(row))
        if isinstance(row, slice):
            return tuple(self._row(each) for each in range(len(self))[row])
        return self._row(range(len(self))[row])

    def _row(self, row: int) -> SceneObject:
        return SceneObject(
            int(self.ids[row]),
            self.names[row],
            self.categories[row],
            self.materials[row],
            int(self.parents[row]),
            self.boxes[row],
            bool(self.seen[row]),
        )

    @cached_property
    def rows(self) -> dict[str, list[int]]:
        """Name -> the rows of all objects of that name."""
        found: dict[str, list[int]] = {}
        for row, name in enumerate(self.names):
            found.setdefault(name, []).append(row)
        return found

    def row(self, name: str) -> int:
        """The first row of this name.

        Raises:
            UnknownNameError: no object has it.
        """
        if name not in self.rows:
            raise UnknownNameError.of("object", name, self.rows)
        return self.rows[name][0]

    @cached_property
    def labels(self) -> Labels:
        """Segmentation id -> (name, category), 0 for the background."""
        places = {int(number): row for row, number in enumerate(self.ids)}
        used = sorted(set(self.shown_as.tolist()) - {0})
        named = {
            number: Label(self.names[places[number]], self.categories[places[number]])
            for number in used
        }
        return MappingProxyType({0: BACKGROUND, **named})

    @cached_property
    def seen_names(self) -> tuple[str, ...]:
        """Names of all objects that can be seen themselves."""
        return tuple(name for name, seen in zip(self.names, self.seen, strict=True) if seen)

    @cached_property
    def wearers(self) -> dict[str, tuple[str, ...]]:
        """Material -> names of the objects that wear it."""
        found: dict[str, list[str]] = {}
        for name, material in zip(self.names, self.materials, strict=True):
            if material:
                found.setdefault(material, []).append(name)
        return {material: tuple(names) for material, names in found.items()}

    @cached_property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Name of a group -> names of all visible objects below it, in the table's order.

        Where several groups have one name, the last one counts.
        """
        row_of = {int(number): row for row, number in enumerate(self.ids)}
        below: dict[int, list[int]] = {row: [] for row in np.flatnonzero(~self.seen).tolist()}
        for row in np.flatnonzero(self.seen).tolist():
            above = row_of.get(int(self.parents[row]))
            while above is not None:
                if above in below:
                    below[above].append(row)
                above = row_of.get(int(self.parents[above]))
        return {
            self.names[group]: tuple(self.names[row] for row in rows)
            for group, rows in below.items()
        }

    def corners(self, row: int) -> Floats | None:
        """Corners (8, 3) of a row's box in its own axes, metres; None where it has none.

        The box of a group encloses everything below it.
        """
        box = self.boxes[row]
        if np.isnan(box).any():
            return None
        low, high = box
        return np.asarray(low + CORNERS * (high - low))


def union_box(boxes: Floats, poses: Floats, frame: Floats) -> Floats:
    """The box (2, 3) in the axes of `frame` (4, 4) around boxes (N, 2, 3) at poses (N, 4, 4).

    Boxes of NaN are left out; NaN where none is left.
    """
    known = ~np.isnan(boxes).any((1, 2))
    if not known.any():
        return np.full((2, 3), np.nan)
    low, high = boxes[known, 0], boxes[known, 1]
    corners = low[:, None] + CORNERS * (high - low)[:, None]
    maps = np.linalg.inv(frame) @ poses[known]
    seen = corners @ maps[:, :3, :3].transpose(0, 2, 1) + maps[:, None, :3, 3]
    return np.stack([seen.min((0, 1)), seen.max((0, 1))])
