"""One version of a scene as the web engine knows it: components, where they stand, their numbers.

The page draws; what is here answers questions about the scene, places cameras, and says which rows
of the page differ.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.engines.shared import cameras as cams
from heliograph.engines.shared.lights import HEAD
from heliograph.engines.shared.state import check_keys, items, moved_rows
from heliograph.engines.web.boxes import Corners, Parts, drawn_of
from heliograph.errors import SceneError, UnknownNameError
from heliograph.frame import BACKGROUND, Label, Labels
from heliograph.scene import CameraView, Component, Description, Edit, Item, Material, ObjectTable
from heliograph.scene.files import file_digest
from heliograph.scene.numbers import ObjectIds, Sort, kept_rows
from heliograph.scene.objects import union_box
from heliograph.scene.shapes import Shape
from heliograph.scene.tree import Tree

Matrix = NDArray[np.float64]
Rows = NDArray[np.intp]


class SceneVersion:
    """One version of a scene.

    Args:
        tree: its components; its own.
        numbers: those of its objects.
        size: of the camera that frames everything, pixels.
        base: the version that it was made of, whose answers hold for the components it shares.

    Attributes:
        tree, numbers: as given.
        labels: segmentation id -> (key, type); the same object until something is added or removed.
        local: (N, 4, 4) parent_from_component.

    Raises:
        SceneError: a file of the scene is missing or malformed.
        InvalidValueError: a key that no component may have, or a camera that sees nothing.
    """

    def __init__(
        self,
        tree: Tree,
        numbers: ObjectIds,
        size: tuple[int, int],
        base: SceneVersion | None = None,
    ) -> None:
        check_keys(tree.index)
        self.tree, self.numbers, self._size = tree, numbers, size
        self._nodes = tree.nodes()
        same = base is not None and base.numbers is numbers
        self.labels: Labels = base.labels if same and base else _labels(self._nodes, numbers)
        self.local = np.array([node.local for node in self._nodes])
        self._files = _digests(self._nodes, base)
        self._parts: Mapping[object, Parts] = self._looked_at({} if base is None else base._parts)
        for row in np.flatnonzero(numbers.sorts == Sort.CAMERA).tolist():
            self.camera(str(self._nodes[row].key), self.worlds)

    def edited(self, edits: Sequence[Edit]) -> SceneVersion:
        """Another version; this one stays as it is.

        Raises:
            HeliographError: an edit that does not fit, or a file that it names does not.
        """
        tree = self.tree.copy()
        changes = tree.apply(edits)
        numbers = self.numbers
        if changes.spliced:
            kept = kept_rows(self.tree, tree, changes)
            numbers = numbers.followed(self.tree, tree, kept, replaced=changes.replaced)
        return SceneVersion(tree, numbers, self._size, self)

    @cached_property
    def worlds(self) -> Matrix:
        """(N, 4, 4) world_from_component in the scene's own state."""
        return worlds_of(self.tree, self.local)

    def state(self, state: Mapping[str, NDArray[Any]]) -> tuple[Rows, Matrix]:
        """The rows (K,) that a state moves, and (N, 4, 4) parent_from_component of all in it.

        Raises:
            UnknownNameError, InvalidValueError: a state that does not fit the scene.
        """
        rows, placements = moved_rows(state, self.tree, self.local)
        local = self.local
        if len(rows):
            local = local.copy()
            local[rows] = placements
        return rows, local

    @cached_property
    def camera_names(self) -> list[str]:
        """Keys of the cameras, and `fit`."""
        rows = np.flatnonzero(self.numbers.sorts == Sort.CAMERA).tolist()
        names = [str(self._nodes[row].key) for row in rows]
        return names if cams.FIT in names else [*names, cams.FIT]

    def camera(self, name: str, worlds: Matrix) -> Camera:
        """A camera where the components are; `fit` frames the scene in its own state.

        Raises:
            UnknownNameError: there is none called so.
        """
        row = self.tree.index.get(name, 0)
        node = self._nodes[row]
        if isinstance(node, CameraView):
            return cams.camera(node, worlds[row])
        if name != cams.FIT:
            raise UnknownNameError.of("camera", name, self.camera_names)
        return self._fit

    @cached_property
    def cameras(self) -> dict[str, Camera]:
        """The cameras by name, in the scene's own state."""
        return {name: self.camera(name, self.worlds) for name in self.camera_names}

    @cached_property
    def visible(self) -> NDArray[np.bool_]:
        """(N,) what neither it nor anything above it hides."""
        shown = np.array([node.get("visible") for node in self._nodes], bool)
        for row in range(1, len(shown)):
            shown[row] &= shown[self.tree.parents[row]]
        return shown

    @cached_property
    def objects(self) -> ObjectTable:
        """The object table."""
        numbers, nodes, worlds = self.numbers, self._nodes, self.worlds
        drawn = np.flatnonzero(numbers.sorts == Sort.DRAWN)
        rows = np.concatenate([drawn, np.setdiff1d(np.flatnonzero(numbers.ids > 0), drawn)]).astype(
            np.intp
        )
        boxes = np.full((len(rows), 2, 3), np.nan)
        colours = np.full((len(rows), 4), np.nan)
        own = boxes[: len(drawn)]
        for i, row in enumerate(rows.tolist()):
            corners = self._corners(nodes[row])
            if i >= len(drawn):
                below = (drawn > row) & (drawn < self.tree.stop(row))
                boxes[i] = union_box(own[below], worlds[drawn[below]], worlds[row])
            elif len(corners):
                boxes[i] = corners.min((0, 1)), corners.max((0, 1))
                colours[i] = self._materials[i].base_color
        above = np.where(self.tree.parents >= 0, numbers.ids[self.tree.parents], 0)
        worn = [self._named[material].name for material in self._materials]
        return ObjectTable(
            ids=numbers.ids[rows],
            names=tuple(str(nodes[row].key) for row in rows.tolist()),
            categories=tuple(nodes[row].kind for row in rows.tolist()),
            materials=(*worn, *[""] * (len(rows) - len(drawn))),
            parents=above[rows].astype(np.int32),
            boxes=boxes,
            seen=np.arange(len(rows)) < len(drawn),
            poses=worlds[rows],
            colours=colours,
        )

    def described(self, source: str, version: int) -> Description:
        """What it holds."""
        rows = np.flatnonzero(self.numbers.sorts == Sort.LIGHT).tolist()
        lights = tuple(
            Item(str(self._nodes[row].key), self._nodes[row].kind, active=bool(self.visible[row]))
            for row in rows
        )
        if self.lit_from_camera:
            lights = (Item(HEAD, "head", "at the camera, as nothing in the scene sheds light"),)
        return Description(
            source=source,
            hash=self.hash,
            objects=self.objects,
            materials=tuple(self._named.values()),
            lights=lights,
            state=items(self.tree.names()),
            version=version,
        )

    @cached_property
    def hash(self) -> str:
        """Digest of the scene with its files as they are shown here."""
        return self.tree.scene().digest_with(self._files.values())

    @property
    def lit_from_camera(self) -> bool:
        """Whether nothing in it sheds light, so that one at the camera does."""
        no_light = not (self.numbers.sorts == Sort.LIGHT).any()
        return no_light and self._nodes[0].get("environment") is None

    @property
    def outdated(self) -> bool:
        """Whether a file that it shows has changed since.

        Raises:
            SceneError: it cannot be read any more.
        """
        return any(file_digest(path) != digest for path, digest in self._files.items())

    def check_files(self, keys: Collection[str] | None) -> None:
        """Refuse to show a page a file that has changed: it would show another version of it.

        Args:
            keys: of the components that the page is told of; None for all.

        Raises:
            SceneError: one has changed since, or cannot be read any more.
        """
        index = self.tree.index
        rows = range(len(self._nodes)) if keys is None else [index[k] for k in keys if k in index]
        for row in rows:
            for path in self._nodes[row].files:
                if file_digest(path) != self._files[path]:
                    raise SceneError(
                        f"{path}: expected the file as it was when the scene was opened or an edit "
                        "named it last, and it has changed; have `advance` name it again"
                    )

    @cached_property
    def _fit(self) -> Camera:
        """A camera that frames everything."""
        found = [np.empty((0, 3))]
        for row in np.flatnonzero(self.visible).tolist():
            corners, world = self._corners(self._nodes[row]).reshape(-1, 3), self.worlds[row]
            found.append(corners @ world[:3, :3].T + world[:3, 3])
        return cams.fit(np.concatenate(found), self._size)

    @cached_property
    def _materials(self) -> list[Material]:
        """The material of each component that is drawn, in order, without names."""
        drawn = np.flatnonzero(self.numbers.sorts == Sort.DRAWN).tolist()
        return [self._material(self._nodes[row], self._nodes[row]) for row in drawn]

    @cached_property
    def _named(self) -> dict[Material, Material]:
        """The materials, each once; components give them no names, so they are numbered."""
        distinct = dict.fromkeys(self._materials)
        return {each: replace(each, name=f"material-{i}") for i, each in enumerate(distinct, 1)}

    def material_of(self, node: Component) -> Material:
        """The material of a component, as edits of how things look have it so far."""
        return self._material(node, self._nodes[self.tree.index[str(node.key)]])

    def _material(self, node: Component, own: Component) -> Material:
        said = self._parts[self._key(own)].said
        return Material.of(node, said) if isinstance(node, Shape) else Material()

    def _looked_at(self, known: Mapping[object, Parts]) -> dict[object, Parts]:
        """What each component draws, by what decides it."""
        found: dict[object, Parts] = {}
        for node in self._nodes:
            key = self._key(node)
            if node.drawable and key not in found:
                found[key] = known[key] if key in known else drawn_of(node)
        return found

    def _key(self, node: Component) -> object:
        return node.look, *[self._files[path] for path in node.files]

    def _corners(self, node: Component) -> Corners:
        """Corners (K, 8, 3) of the boxes round a component's parts, in its own axes."""
        return self._parts[self._key(node)].corners if node.drawable else np.empty((0, 8, 3))


def worlds_of(tree: Tree, local: Matrix) -> Matrix:
    """(N, 4, 4) world_from_component of components that stand so in their parents."""
    worlds = local.copy()
    for depth in range(1, int(tree.depths.max()) + 1):
        rows = np.flatnonzero(tree.depths == depth)
        worlds[rows] = worlds[tree.parents[rows]] @ local[rows]
    return worlds


def _labels(nodes: Sequence[Component], numbers: ObjectIds) -> Labels:
    drawn = np.flatnonzero(numbers.sorts == Sort.DRAWN).tolist()
    by_id = sorted(drawn, key=numbers.ids.__getitem__)
    named = {int(numbers.ids[r]): Label(str(nodes[r].key), nodes[r].kind) for r in by_id}
    return MappingProxyType({0: BACKGROUND, **named})


def _digests(nodes: Sequence[Component], base: SceneVersion | None) -> dict[str, str]:
    """Digests of the files of components; those that the base shows unchanged are as they were."""
    known = {} if base is None else base._files
    same = set() if base is None else set(map(id, base._nodes))
    digests: dict[str, str] = {}
    for node in nodes:
        for name, path in node.named_files.items():
            kept = id(node) in same and path in known
            try:
                if not kept or path not in digests:
                    digests[path] = known[path] if kept else file_digest(path)
            except SceneError as error:
                raise SceneError(f"{type(node).__name__} {node.key!r} {name}: {error}") from None
    return digests
