"""What one view shows: a version of a scene, moved by its state, with edits of how things look.

A page knows rows alone, so the edits of appearance become components that differ. Three.js places
children with their parents, and hides them with these; such an edit is of one object alone, so
what stands on it is told where it stood.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from heliograph.engines.web.lights import edited_light, new_light
from heliograph.engines.web.scene import Matrix, SceneVersion, worlds_of
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.raster.paint import roughness
from heliograph.scene import (
    Component,
    Edit,
    EditBackground,
    EditLight,
    EditMaterial,
    EditMaterials,
    Group,
    Hide,
    Mesh,
    MoveObject,
)
from heliograph.scene.material import MOST_SHININESS, check_material
from heliograph.scene.numbers import Sort
from heliograph.scene.placement import PLACEMENT

_PLACED: Final = PLACEMENT.keys() - {"visible"}
_LIT: Final = ("standard",)


class Shown:
    """The components of one view.

    Args:
        scene: the version.
        state: what moves.

    Attributes:
        scene: the version.
        tree: the components as they are seen.
        ids: (N,) int32, the object ids of its rows.
        touched: keys of those that differ from the version's.

    Raises:
        UnknownNameError, InvalidValueError: a state that does not fit the scene.
    """

    def __init__(self, scene: SceneVersion, state: Mapping[str, NDArray[Any]]) -> None:
        self.scene, self.tree, self.ids = scene, scene.tree, scene.numbers.ids
        self.touched: set[str] = set()
        self._local: Matrix = scene.local
        if state:
            rows, self._local = scene.state(state)
            for row in rows.tolist():
                self._place(row, self._local[row])

    @classmethod
    def of(
        cls, scene: SceneVersion, state: Mapping[str, NDArray[Any]], looks: Iterable[Edit]
    ) -> Shown:
        """What a view shows, but for its cameras.

        Raises:
            UnknownNameError: something that an edit names is not there.
            InvalidValueError: an edit that a page cannot show.
        """
        shown = cls(scene, state)
        for edit in looks:
            _APPLY[type(edit)](shown, edit)
        return shown

    @cached_property
    def worlds(self) -> Matrix:
        """(N, 4, 4) world_from_component in the state, before edits of how things look."""
        if self._local is self.scene.local:
            return self.scene.worlds
        return worlds_of(self.scene.tree, self._local)

    def differing(self, before: Shown | None) -> Collection[str] | None:
        """Keys of what differs from what was shown before; None for all."""
        if before is None:
            return None
        if before.scene is self.scene:
            return before.touched | self.touched
        ours, theirs = (shown.tree.nodes() for shown in (self, before))
        if len(ours) != len(theirs) or not (
            np.array_equal(self.tree.parents, before.tree.parents)
            and np.array_equal(self.ids, before.ids)
        ):
            return None
        pairs = zip(ours, theirs, strict=True)
        return {str(each.key) for pair in pairs if pair[0] is not pair[1] for each in pair}

    def paint(self, edit: EditMaterial) -> None:
        """Apply an EditMaterial."""
        for row in self._drawn(edit.objects):
            node = self.tree.node(row)
            material = _painted(node, self.scene, edit)
            self._change(row, material=check_material(material, f"{node.kind} {node.key!r}"))

    def paint_all(self, edit: EditMaterials) -> None:
        """Apply an EditMaterials."""
        for each in edit.rows():
            self.paint(each)

    def hide(self, edit: Hide) -> None:
        """Apply a Hide."""
        for row in self._drawn(edit.objects):
            node = self.tree.node(row)
            if self.tree.stop(row) == row + 1:
                self._change(row, visible=False)
            else:  # what stands on it is still seen
                placed = {name: node.props[name] for name in PLACEMENT if name in node.props}
                self._put(row, Group(key=node.key).changed(props=placed))

    def move(self, edit: MoveObject) -> None:
        """Apply a MoveObject; after others of the object it is relative to where they put it."""
        (row,) = self._drawn((edit.name,))
        now = self.tree.node(row).local
        change = np.array(edit.pose, float) @ np.diag([*edit.scale, 1.0])
        moved: Matrix = now @ change if edit.relative else _over(self._above(row), change)
        self._place(row, moved)
        for below in np.flatnonzero(self.tree.parents == row).tolist():
            self._place(below, _over(moved, now @ self.tree.node(below).local))

    def light(self, edit: EditLight) -> None:
        """Apply an EditLight.

        Raises:
            UnknownNameError: a light that is not there, and no kind for a new one.
            InvalidValueError: what no light of a page has.
        """
        if self.scene.lit_from_camera:
            raise InvalidValueError(
                f"EditLight {edit.name!r}: the web engine lights a scene without a light of its "
                "own from the camera, and cannot change that; give the scene lights"
            )
        lights = [str(node.key) for node in self.tree.nodes() if Sort.of(type(node)) is Sort.LIGHT]
        if edit.name in lights:
            row = self.tree.index[edit.name]
            self._put(row, edited_light(self.tree.node(row), self._above(row), edit))
        elif edit.kind is not None and edit.name not in self.tree.index:
            self._add(new_light(edit))
        else:
            raise UnknownNameError.of("light", edit.name, lights)

    def back(self, edit: EditBackground) -> None:
        """Apply an EditBackground."""
        self._change(0, background=edit.colour)

    def _drawn(self, names: Sequence[str]) -> list[int]:
        """The rows of objects.

        Raises:
            UnknownNameError: an object that is not there.
        """
        index, sorts = self.scene.tree.index, self.scene.numbers.sorts
        for name in names:
            if name not in index or sorts[index[name]] != Sort.DRAWN:
                known = self.scene.objects.seen_names
                raise UnknownNameError.of("object", name, known)
        return [index[name] for name in names]

    def _above(self, row: int) -> Matrix:
        """World_from_parent (4, 4) of a row, as it is seen."""
        world, above = np.eye(4), int(self.tree.parents[row])
        while above >= 0:
            world = self.tree.node(above).local @ world
            above = int(self.tree.parents[above])
        return world

    def _place(self, row: int, local: Matrix) -> None:
        node = self.tree.node(row)
        kept = {name: node.props[name] for name in node.props if name not in _PLACED}
        matrix = tuple(local.T.ravel().tolist())
        self._put(row, node.changed(props={**kept, "matrix": matrix}))

    def _change(self, row: int, **props: Any) -> None:
        node = self.tree.node(row)
        self._put(row, node.changed(props={**node.props, **props}))

    def _put(self, row: int, node: Component) -> None:
        self._own()
        self.tree.put(row, node)
        self.touched.add(str(node.key))

    def _add(self, node: Component) -> None:
        self._own()
        self.tree.append(node)
        self.ids = np.append(self.ids, np.int32(0))
        self.touched.add(str(node.key))

    def _own(self) -> None:
        if self.tree is self.scene.tree:
            self.tree = self.tree.copy()


def _over(world: Matrix, placed: Matrix) -> Matrix:
    """Where in a frame something is that is placed in the frame's own parent."""
    local = np.asarray(np.linalg.solve(world, placed), float)
    local[3] = 0, 0, 0, 1
    return local


def _painted(node: Component, scene: SceneVersion, edit: EditMaterial) -> dict[str, Any]:
    """The material of a component with an edit applied.

    Raises:
        InvalidValueError: the edit says what no material of a page has.
    """
    said = scene.material_of(node)
    kind = said.kind
    material = dict(node.get("material"))
    if edit.rgba is not None:
        *colour, alpha = edit.rgba
        had = material.get("color", ())
        material["color"] = (*colour, *had[3:]) if alpha is None else tuple(colour)
        if alpha is not None:
            material["opacity"] = alpha
            material.pop("transparent", None)
    given = {"metalness": edit.metallic, "roughness": edit.roughness}
    material |= {name: value for name, value in given.items() if value is not None}
    _shine(material, kind, edit)
    _glow(material, said.base_color[:3], edit)
    if edit.texture is not None:
        _lay(material, node, edit)
    return material


def _shine(material: dict[str, Any], kind: str, edit: EditMaterial) -> None:
    if edit.reflectance:
        raise _refused(edit, "reflectance", "a page mirrors nothing; leave it out")
    if edit.specular is not None:
        if kind in _LIT and edit.specular != 0.5:
            raise _refused(edit, "specular", "a `standard` material reflects 4 %; leave it out")
        material["specular"] = (edit.specular,) * 3
    if edit.shininess is not None:
        material["shininess"] = edit.shininess * MOST_SHININESS
        if kind in _LIT and edit.roughness is None:
            material["roughness"] = float(roughness(np.array([edit.shininess]))[0])


def _glow(material: dict[str, Any], own: Sequence[float], edit: EditMaterial) -> None:
    if edit.emission is not None:
        material["emissive"] = tuple(material.get("color", own)[:3])
        material["emissiveIntensity"] = edit.emission
        if "map" in material:
            material["emissiveMap"] = material["map"]
    if edit.emissive is not None:
        material["emissive"], material["emissiveIntensity"] = edit.emissive, 1.0


def _lay(material: dict[str, Any], node: Component, edit: EditMaterial) -> None:
    texture = edit.texture
    is_file = isinstance(node, Mesh) and node.get("src") is not None
    if texture is None or not texture.size:
        if is_file:
            raise _refused(edit, "texture", f"that of {node.key!r} is its file's, and stays")
        material.pop("map", None)
        return
    if isinstance(node, Mesh) and not is_file and node.get("uvs") is None:
        raise _refused(edit, "texture", f"{node.key!r} has no texture coordinates; give it `uvs`")
    pixels = texture[..., None] if texture.ndim == 2 else texture
    material["map"] = {"image": pixels, "repeat": edit.repeat, "offset": edit.offset}


def _refused(edit: EditMaterial, field: str, why: str) -> InvalidValueError:
    return InvalidValueError(
        f"EditMaterial {field}: the web engine cannot show {getattr(edit, field)!r}, as {why}"
        if field != "texture"
        else f"EditMaterial texture: the web engine cannot show it, as {why}"
    )


_APPLY: Mapping[type[Edit], Callable[[Shown, Any], None]] = MappingProxyType(
    {
        EditMaterial: Shown.paint,
        EditMaterials: Shown.paint_all,
        EditLight: Shown.light,
        EditBackground: Shown.back,
        MoveObject: Shown.move,
        Hide: Shown.hide,
    }
)
