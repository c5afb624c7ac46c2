"""Applies the edits of a view to Blender's scene, each change logged."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from heliograph.engines.blender import shaders
from heliograph.engines.blender.changes import Changes
from heliograph.engines.blender.posing import Poser
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.poses import Floats
from heliograph.scene import (
    Edit,
    EditBackground,
    EditLight,
    EditMaterial,
    EditMaterials,
    Hide,
    MoveObject,
)

_TYPES = {"directional": "SUN", "point": "POINT", "spot": "SPOT"}
_UNFELT = ("ambient", "exponent", "decay")
_NEW = "light of an edit"


class SceneEdits:
    """Shows edits in a scene.

    Objects are named by their own names, or by those of collections, for all that is in them.
    Materials that edited objects wear are theirs alone for this view.

    Attributes:
        background: sRGB, 0 to 1, that an edit gave; else None.
        copies: name of a material of ours -> name of the one it was made from.
    """

    def __init__(self, scene: Any, poser: Poser, changes: Changes) -> None:
        self._scene = scene
        self._poser = poser
        self._changes = changes
        self.background: tuple[float, float, float] | None = None
        self.copies: dict[str, str] = {}
        self._painted_ones: list[Any] = []

    def apply(self, edits: Iterable[Edit]) -> None:
        """Apply edits in order.

        Raises:
            UnknownNameError: an object or a light that is not there.
            InvalidValueError: an edit of another kind, or that Blender cannot show.
        """
        for edit in edits:
            if type(edit) not in _APPLY:
                known = ", ".join(kind.__name__ for kind in _APPLY)
                raise InvalidValueError(
                    f"edits: expected {known} or MoveCamera, got {type(edit).__name__}; a scene of "
                    "Blender has no tree of components"
                )
            _APPLY[type(edit)](self, edit)

    def paint(self, edit: EditMaterial) -> None:
        """Apply an EditMaterial."""
        copies: dict[tuple[str, bool], Any] = {}
        for thing in self._things(edit.objects):
            if hasattr(thing.data, "materials"):
                self._wear(thing, edit, copies)

    def paint_all(self, edit: EditMaterials) -> None:
        """Apply an EditMaterials."""
        for row in edit.rows():
            self.paint(row)

    def hide(self, edit: Hide) -> None:
        """Apply a Hide."""
        for thing in self._things(edit.objects):
            for name in ("hide_render", "hide_viewport"):
                self._changes.hold(thing, name)
                self._changes.set(thing, name, value=True)

    def move(self, edit: MoveObject) -> None:
        """Apply a MoveObject; after others of the object it is relative to where they put it."""
        (thing,) = self._things((edit.name,), "MoveObject")
        change = np.array(edit.pose, float) @ np.diag([*edit.scale, 1.0])
        pose = self._poser.pose(thing) @ change if edit.relative else change
        self._poser.move({thing: pose})

    def light(self, edit: EditLight) -> None:
        """Apply an EditLight."""
        things = {each.name: each for each in self._scene.objects if each.type == "LIGHT"}
        if edit.name in things:
            thing = self._own_light(things[edit.name])
        elif edit.kind is not None:
            thing = self._new_light(edit.name)
        else:
            raise UnknownNameError.of("light", edit.name, things)
        data = thing.data
        if edit.kind is not None:
            data.type = _TYPES[edit.kind]
            data = thing.data
        for name, value in _properties(edit, data).items():
            self._changes.set(data, name, value)
        if edit.active is not None:
            for name in ("hide_render", "hide_viewport"):
                self._changes.hold(thing, name)
                self._changes.set(thing, name, not edit.active)
        if edit.position is not None or edit.direction is not None:
            self._poser.move({thing: _placed(edit, self._poser.pose(thing))})

    def back(self, edit: EditBackground) -> None:
        """Apply an EditBackground."""
        red, green, blue = edit.colour
        self.background = red, green, blue

    def _things(self, names: Sequence[str], single: str = "") -> list[Any]:
        """Objects of these names, and all objects of the collections of these names."""
        found: dict[Any, None] = {}
        objects = self._scene.objects
        groups: dict[str, Any] = {}
        for name in names:
            if name in objects:
                found[objects[name]] = None
                continue
            groups = groups or {
                each.name: each for each in self._scene.collection.children_recursive
            }
            if name in groups and not single:
                found.update(dict.fromkeys(groups[name].all_objects))
            else:
                raise UnknownNameError.of("object", name, sorted({*objects.keys(), *groups}))
        return list(found)

    def _wear(self, thing: Any, edit: EditMaterial, copies: dict[tuple[str, bool], Any]) -> None:
        """Give an object painted materials in place of its own."""
        if not thing.material_slots:
            materials = thing.data.materials
            materials.append(None)
            self._changes.undone_by(lambda: materials.pop(index=len(materials) - 1))
        has_uv = bool(getattr(thing.data, "uv_layers", ()))
        for slot in thing.material_slots:
            before = slot.material
            key = ("" if before is None else before.name, has_uv)
            if key not in copies:
                copies[key] = self._painted(before, edit, has_uv=has_uv)
            self._changes.set(slot, "link", "OBJECT")
            self._changes.set(slot, "material", copies[key])

    def _painted(self, before: Any, edit: EditMaterial, *, has_uv: bool) -> Any:
        """A material of ours, painted."""
        if before is None:
            made = shaders.fresh_material("material of an edit")
        else:
            made = before.copy()
            made.animation_data_clear()
            if made.node_tree is not None:
                made.node_tree.animation_data_clear()
            self.copies[made.name] = self.copies.get(before.name, before.name)
        if not self._painted_ones:  # all in one go: each removal walks through all data
            self._changes.undone_by(lambda: bpy.data.batch_remove(self._painted_ones))
        self._painted_ones.append(made)
        shaders.paint(made, edit, self._changes, has_uv=has_uv)
        return made

    def _own_light(self, thing: Any) -> Any:
        """Have an object shine by a light that nothing else has."""
        data = thing.data.copy()
        data.animation_data_clear()
        self._changes.undone_by(lambda: bpy.data.lights.remove(data))
        self._changes.set(thing, "data", data)
        return thing

    def _new_light(self, name: str) -> Any:
        data = bpy.data.lights.new(_NEW, "POINT")
        self._changes.undone_by(lambda: bpy.data.lights.remove(data))
        thing = bpy.data.objects.new(name, data)
        self._changes.undone_by(lambda: bpy.data.objects.remove(thing))
        data.energy = shaders.light_power("POINT", 1.0)
        self._scene.collection.objects.link(thing)
        return thing


def _properties(edit: EditLight, data: Any) -> Mapping[str, Any]:
    """What Blender has of an edit's fields."""
    unfelt = [name for name in _UNFELT if getattr(edit, name) is not None]
    if unfelt and edit.diffuse is None and len(unfelt) == _said(edit):
        raise InvalidValueError(
            f"EditLight of {edit.name!r}: Blender's lights have no {', '.join(unfelt)}; they fade "
            "with the square of the distance"
        )
    given: dict[str, Any] = {}
    if edit.diffuse is not None:
        strength = max(edit.diffuse)
        given["color"] = tuple(each / strength for each in edit.diffuse) if strength else (1.0,) * 3
        given["energy"] = shaders.light_power(data.type, strength, _area(data))
        if getattr(data, "use_temperature", False):
            given["use_temperature"] = False
        if hasattr(data, "exposure"):
            given["exposure"] = 0.0
    if edit.casts_shadow is not None:
        given["use_shadow"] = edit.casts_shadow
    if edit.size is not None and data.type != "AREA":
        name, factor = ("angle", 2) if data.type == "SUN" else ("shadow_soft_size", 1)
        given[name] = edit.size * factor
    if edit.distance:
        given |= {"use_custom_distance": True, "cutoff_distance": edit.distance}
    return {**given, **(_cone(edit) if data.type == "SPOT" else {})}


def _cone(edit: EditLight) -> dict[str, float]:
    given = {}
    if edit.cutoff is not None:
        given["spot_size"] = 2 * edit.cutoff
    if edit.softness is not None:
        given["spot_blend"] = edit.softness
    return given


def _said(edit: EditLight) -> int:
    """How many fields an edit gives besides its name."""
    return sum(value is not None for name, value in vars(edit).items() if name != "name")


def _area(data: Any) -> float:
    """Square metres of a shining rectangle or disc; 1 of what has none."""
    if data.type != "AREA":
        return 1.0
    height = data.size_y if data.shape in ("RECTANGLE", "ELLIPSE") else data.size
    part = math.pi / 4 if data.shape in ("DISK", "ELLIPSE") else 1.0
    return float(data.size * height * part)


def _placed(edit: EditLight, pose: Floats) -> Floats:
    """Where a light is, that shines along its own -z."""
    placed = np.array(pose)
    if edit.position is not None:
        placed[:3, 3] = edit.position
    if edit.direction is not None:
        back = -np.array(edit.direction, float)
        back /= np.linalg.norm(back)
        turn = Matrix(placed[:3, :3].tolist()).to_3x3().normalized().col[2]
        turn = turn.rotation_difference(back.tolist()).to_matrix()
        placed[:3, :3] = np.array(turn, float) @ placed[:3, :3]
    return placed


_APPLY: dict[type[Edit], Callable[[SceneEdits, Any], None]] = {
    EditMaterial: SceneEdits.paint,
    EditMaterials: SceneEdits.paint_all,
    EditLight: SceneEdits.light,
    EditBackground: SceneEdits.back,
    MoveObject: SceneEdits.move,
    Hide: SceneEdits.hide,
}
