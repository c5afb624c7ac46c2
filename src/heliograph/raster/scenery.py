"""Edits of a view that every engine over the rasterizer takes, applied to what it is to draw."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.errors import UnknownNameError
from heliograph.raster.drawables import (
    DrawList,
    Instances,
    Light,
    LightKind,
    Shape,
    Surroundings,
    Texture,
)
from heliograph.raster.drawables import Mapping as TextureMapping
from heliograph.raster.renderer import Rasterizer
from heliograph.scene import (
    Edit,
    EditBackground,
    EditLight,
    EditMaterial,
    Hide,
    MoveCamera,
    MoveObject,
)

_SURFACE = ("emission", "specular", "shininess", "reflectance")
_LIGHT_FIELDS = (
    *("position", "direction", "diffuse", "specular", "ambient"),
    *("cutoff", "exponent", "softness", "casts_shadow"),
)
_SHADOW_EXTENT = 3.0


class Scenery:
    """What one state shows, while edits change it.

    Args:
        things: what is drawn; never changed in place.
        light_names: names of its lights.
        placed: the instances of each object, and (M, 3, 4) where each instance's object is.
        names: object name -> numbers of the objects called so.
        rasterizer: where textures go.
        dark: lights that are off, by name; an edit may switch them on.
    """

    def __init__(
        self,
        things: DrawList,
        light_names: Sequence[str],
        placed: tuple[Mapping[int, list[int]], NDArray[np.float64]],
        names: Mapping[str, Sequence[int]],
        rasterizer: Rasterizer,
        *,
        dark: Mapping[str, Light] | None = None,
    ) -> None:
        self.things = things
        self._instances = things.instances
        self._own = False
        self._lights = dict(zip(light_names, things.lights, strict=True))
        self._dark = dict(dark or {})
        self._objects, self._frames = placed
        self._names = names
        self._rasterizer = rasterizer
        self._painted: dict[tuple[str, int], tuple[list[int], list[Any]]] = {}

    def apply(self, edits: Iterable[Edit]) -> DrawList:
        """What is to be drawn after all edits, in their order.

        Raises:
            UnknownNameError: an object or light that is not there.
            InvalidValueError: an edit of another kind.
        """
        for edit in edits:
            _APPLY[type(edit)](self, edit)
        self._flush()
        lights = tuple(self._lights.values())
        if lights == self.things.lights:
            lights = self.things.lights
        return replace(self.things, instances=self._instances, lights=lights)

    def paint(self, edit: EditMaterial) -> None:
        """Apply an EditMaterial."""
        rows = self._rows(edit.objects)
        if not rows:
            return
        for column, value in enumerate(edit.rgba or ()):
            self._note("rgba", column, value, rows)
        for column, name in enumerate(_SURFACE):
            self._note("surface", column, getattr(edit, name), rows)
        if edit.texture is not None:
            self._lay(np.array(rows), edit, self._changed())

    def hide(self, edit: Hide) -> None:
        """Apply a Hide."""
        visible = np.array(self._instances.visible)
        visible[self._rows(edit.objects)] = False
        self._instances = self._instances.moved(self._instances.world_from_object, visible)

    def move(self, edit: MoveObject) -> None:
        """Apply a MoveObject."""
        rows = self._rows((edit.name,))
        change = np.array(edit.pose, float) @ np.diag([*edit.scale, 1.0])
        poses = np.array(self._instances.world_from_object)
        for row in rows:
            frame, pose = _square(self._frames[row]), _square(poses[row])
            local = np.linalg.solve(frame, pose)
            poses[row] = ((frame if edit.relative else np.eye(4)) @ change @ local)[:3]
        self._instances = self._instances.moved(poses)

    def light(self, edit: EditLight) -> None:
        """Apply an EditLight."""
        known = self._lights.get(edit.name) or self._dark.get(edit.name)
        if known is None and edit.kind is None:
            raise UnknownNameError.of("light", edit.name, (*self._lights, *self._dark))
        light = known or Light(shadow_extent=_SHADOW_EXTENT)
        given = {name: getattr(edit, name) for name in _LIGHT_FIELDS}
        given["kind"] = None if edit.kind is None else _kind(edit.kind)
        given = {name: value for name, value in given.items() if value is not None}
        on = edit.name not in self._dark if edit.active is None else edit.active
        here, there = (self._lights, self._dark) if on else (self._dark, self._lights)
        here[edit.name] = replace(light, **given)
        there.pop(edit.name, None)

    def back(self, edit: EditBackground) -> None:
        """Apply an EditBackground."""
        self.things = replace(self.things, surroundings=Surroundings(colour=edit.colour))

    def _rows(self, objects: Sequence[str]) -> list[int]:
        for name in objects:
            if name not in self._names:
                raise UnknownNameError.of("object", name, self._names)
        numbers = [number for name in objects for number in self._names[name]]
        return [row for number in numbers for row in self._objects.get(number, ())]

    def _note(self, field: str, column: int, value: float | None, rows: list[int]) -> None:
        """Remember a number; randomizers paint hundreds of objects, so all are written at once."""
        if value is not None:
            where, what = self._painted.setdefault((field, column), ([], []))
            where.extend(rows)
            what.extend([value] * len(rows))

    def _flush(self) -> None:
        for (field, column), (where, what) in self._painted.items():
            getattr(self._changed(), field)[where, column] = what

    def _changed(self) -> Instances:
        """Instances whose looks are ours to change."""
        if not self._own:
            arrays = vars(self._instances).items()
            copies = {name: rows.copy() for name, rows in arrays if isinstance(rows, np.ndarray)}
            self._instances = replace(self._instances, **copies)
            self._own = True
        return self._instances

    def _lay(self, rows: NDArray[np.intp], edit: EditMaterial, mine: Instances) -> None:
        if edit.texture is None or not edit.texture.size:
            mine.texture[rows] = -1
            mine.mapping[rows] = TextureMapping.NONE
            return
        texture = Texture(edit.texture, name="texture of an edit")
        mine.texture[rows] = self._rasterizer.lend_texture(texture)
        if mine.texture_offset is None:
            mine.texture_offset = np.zeros((len(mine), 2), np.float32)
        mine.texture_offset[rows] = edit.offset
        geometry = mine.geometry[rows]
        own = self._rasterizer.has_uvs(geometry)
        mine.mapping[rows] = np.where(own, TextureMapping.UV, TextureMapping.OBJECT)
        size = np.where(geometry < len(Shape), 1.0, self._rasterizer.radii(geometry))
        scale = np.where(own, 1.0, 0.5 / np.maximum(size, 1e-9))
        mine.texture_scale[rows, :2] = scale[:, None] * np.array(edit.repeat)


_APPLY: dict[type[Edit], Callable[[Scenery, Any], None]] = {
    EditMaterial: Scenery.paint,
    EditLight: Scenery.light,
    EditBackground: Scenery.back,
    MoveObject: Scenery.move,
    Hide: Scenery.hide,
}


APPEARANCE: tuple[type[Edit], ...] = (*_APPLY, MoveCamera)
"""The edits that `Scenery` and `edited_camera` apply."""


def camera_moves(
    edits: Iterable[Edit], known: Mapping[str, Camera]
) -> tuple[list[Edit], dict[str, list[MoveCamera]]]:
    """Edits of what is seen, and those of cameras by the camera's name, in order.

    Raises:
        UnknownNameError: a camera that is not known.
    """
    seen: list[Edit] = []
    cameras: dict[str, list[MoveCamera]] = {}
    for edit in edits:
        if not isinstance(edit, MoveCamera):
            seen.append(edit)
        elif edit.name in known:
            cameras.setdefault(edit.name, []).append(edit)
        else:
            raise UnknownNameError.of("camera", edit.name, known)
    return seen, cameras


def edited_camera(camera: Camera, edits: Iterable[MoveCamera]) -> Camera:
    """A camera of the scene as edits show it, one after the other; it keeps its name and size."""
    for edit in edits:
        camera = _moved(camera, edit)
    return camera


def _moved(camera: Camera, edit: MoveCamera) -> Camera:
    pose = edit.camera.world_from_camera
    if edit.relative:
        pose = camera.world_from_camera @ pose
    changed = edit.camera.replace(name=camera.name, world_from_camera=pose)
    return changed if changed.size == camera.size else changed.resized(*camera.size)


def _kind(name: str) -> LightKind:
    known = {kind.value: kind for kind in LightKind}
    if name not in known:
        raise UnknownNameError.of("kind of light", name, known)
    return known[name]


def _square(pose: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([pose, [[0.0, 0, 0, 1]]])
