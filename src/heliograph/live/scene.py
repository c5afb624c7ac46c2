"""A scene that changes: the one place where a session's state lives."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.engines.shared.cameras import camera as camera_of
from heliograph.engines.web.scene_rows import SceneRows
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.frame import BACKGROUND, Label, Labels
from heliograph.scene import CameraView, Edit, Scene, Update
from heliograph.scene.numbers import ObjectIds, kept_rows
from heliograph.scene.tree import Tree


@dataclass(frozen=True)
class Changed:
    """What edits did.

    Attributes:
        edits: those that a renderer must be told of: not what moves cameras, which go by value.
        keys: of components that are new, changed or gone; None for another scene.
    """

    edits: Sequence[Edit]
    keys: Collection[str] | None


class LiveScene:
    """The newest version of a scene.

    Attributes:
        version: counts the changes.
        tree: the components.
    """

    def __init__(self, scene: Scene) -> None:
        self.version = 0
        self.tree = Tree(scene)
        self._ids = ObjectIds.of(self.tree)
        self._labels: Labels | None = None
        self._untold: set[str] = set()  # cameras that stand elsewhere than a renderer was told

    def apply(self, edits: Sequence[Edit]) -> Changed:
        """Apply edits, all of them or none.

        Raises:
            HeliographError: one does not fit the scene.
        """
        tree = self.tree.copy()
        changes = tree.apply(edits)
        keys: Collection[str] | None = None
        if not changes.replaced:
            gone = self.tree.index.keys() - tree.index.keys() if changes.spliced else set()
            keys = {*changes.given, *changes.fresh, *gone}
        if changes.spliced:
            kept = kept_rows(self.tree, tree, changes)
            followed = self._ids.followed(self.tree, tree, kept, replaced=changes.replaced)
            self._ids, self._labels = followed, None
        self.tree = tree
        if keys is None or keys:
            self.version += 1
        told = [edit for edit in edits if not self._moves_a_camera(edit)]
        if changes.replaced:
            self._untold.clear()
        elif changes.spliced:
            told = [*self._late(), *told]
        return Changed(told, keys)

    def _moves_a_camera(self, edit: Edit) -> bool:
        """Whether nothing but a camera's own pictures shows an edit; such a camera is noted."""
        if type(edit) is not Update or not isinstance(edit.component, CameraView):
            return False
        key = str(edit.component.key)
        row = self.tree.index.get(key)
        if row is None or edit.component.children or self.tree.stop(row) > row + 1:
            return False
        self._untold.add(key)
        return True

    def _late(self) -> list[Edit]:
        """What moves the cameras that something stands on by now, and of which nobody was told."""
        rows = {key: self.tree.index[key] for key in self._untold if key in self.tree.index}
        late = [key for key, row in rows.items() if self.tree.stop(row) > row + 1]
        self._untold = rows.keys() - late
        return [Update(self.tree.node(rows[key])) for key in late]

    @property
    def rows(self) -> SceneRows:
        """The newest version as pages show it."""
        return SceneRows(self.version, self.tree, self._ids.ids)

    @property
    def cameras(self) -> Iterator[CameraView]:
        """The cameras of the scene, in order."""
        for row, kind in enumerate(self.tree.kinds()):
            if issubclass(kind, CameraView):
                node = self.tree.node(row)
                if isinstance(node, CameraView):
                    yield node

    @property
    def labels(self) -> Labels:
        """Segmentation id -> (key, type); 0 is the background."""
        if self._labels is None:
            named = zip(self._ids.ids.tolist(), self.tree.things(), strict=True)
            found = {
                number: Label(name, kind.__name__.lower())
                for number, (name, kind) in named
                if number and kind.drawable
            }
            self._labels = MappingProxyType({0: BACKGROUND, **found})
        return self._labels

    def camera_view(self, key: str) -> CameraView:
        """The component of a camera.

        Raises:
            UnknownNameError: lists the cameras there are.
        """
        row = self.tree.index.get(key)
        node = None if row is None else self.tree.node(row)
        if not isinstance(node, CameraView):
            raise UnknownNameError.of("camera", key, [str(each.key) for each in self.cameras])
        return node

    def camera(
        self,
        key: str,
        pose: NDArray[np.float64] | None = None,
        downsample: float | None = None,
    ) -> Camera:
        """A camera as it stands now.

        Args:
            key: of a `CameraView`.
            pose: (4, 4) world_from_camera to look from instead.
            downsample: divides its size, in the place of its own.

        Raises:
            UnknownNameError: lists the cameras there are.
        """
        node = self.camera_view(key)
        if downsample is not None:
            node = node.merged(CameraView(downsample=downsample).props)
        camera = camera_of(node, self.world(self.tree.row(key)))
        return camera if pose is None else camera.replace(world_from_camera=pose)

    def world(self, row: int) -> NDArray[np.float64]:
        """(4, 4) world_from_component of a row."""
        world = self.tree.node(row).local
        above = int(self.tree.parents[row])
        while above >= 0:
            world = self.tree.node(above).local @ world
            above = int(self.tree.parents[above])
        return np.asarray(world)

    def moved(self, key: str, matrix: Sequence[float]) -> Edit:
        """The edit that places a component where somebody dragged it.

        Args:
            key: of the component.
            matrix: its parent_from_component, 16 numbers, column after column.

        Raises:
            UnknownNameError: no such component.
            InvalidValueError: no placement.
        """
        node = self.tree.node(self.tree.row(key))
        if "matrix" not in node.SPEC:
            raise InvalidValueError(f"{key!r}: a {type(node).__name__} has no placement")
        given: Mapping[str, Any] = {"matrix": list(matrix)}
        return Update(type(node)(key=key, **given))
