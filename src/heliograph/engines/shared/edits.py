"""Applies the edits of a view, for every engine over the rasterizer, to what is to be drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.colour import linear
from heliograph.engines.shared.holes import ALMOST, HOLE, has_holes
from heliograph.engines.shared.lights import LightEdits
from heliograph.errors import UnknownNameError
from heliograph.raster.store import AssetStore
from heliograph.raster.types import DrawList, Lighting, MaterialTable, Shading, Shape, Texture
from heliograph.raster.types import Mapping as TextureMapping
from heliograph.scene import (
    Edit,
    EditBackground,
    EditLight,
    EditMaterial,
    EditMaterials,
    Hide,
    MoveCamera,
    MoveObject,
)
from heliograph.scene.appearance import SHADES
from heliograph.scene.material import MOST_SHININESS

Moved = Mapping[int, NDArray[np.float64]]
_MATERIAL = ("rgba", "surface", "emissive", "metallic_roughness", "highlight")
_METALLIC_ROUGHNESS = ("metallic", "roughness")
_DULL = 0.02  # shininess of what is rough, so that its highlight has an end
_SURFACE = ("emission", "specular", "shininess", "reflectance")
_WIDTHS = {"emissive": 3, "metallic_roughness": 2, "texture_offset": 2}


class EditApplier:
    """Applies edits to what one state shows.

    Args:
        things: what is drawn; never changed in place.
        lights: its lights, where objects were moved: world_from_object (4, 4) by row; asked for
            where an edit changes one, or moves what casts a shadow.
        objects: which instances show which objects.
        frames: (M, 3, 4) where each instance's object is; asked for where an edit moves one.
        store: where textures go.
    """

    def __init__(
        self,
        things: DrawList,
        lights: Callable[[Moved], LightEdits],
        objects: Objects,
        frames: Callable[[], NDArray[np.float64]],
        store: AssetStore,
    ) -> None:
        self.things = things
        self._instances = things.instances
        self._own: dict[str, NDArray[Any]] = {}
        self._moved: dict[int, NDArray[np.float64]] = {}
        self._holed = np.zeros(len(things.instances), bool)
        self._lights, self._lit = lights, list[EditLight]()
        self._objects, self._frames = objects, frames
        self._store = store
        self._standard = things.lighting is Lighting.STANDARD

    def apply(self, edits: Iterable[Edit]) -> DrawList:
        """What is to be drawn after all edits, in their order.

        Raises:
            UnknownNameError: an object or light that is not there.
            InvalidValueError: an edit of another kind.
        """
        for edit in edits:
            _APPLY[type(edit)](self, edit)
        if self._holed.any():
            self._cut(self._holed.nonzero()[0])
        material = {name: rows for name, rows in self._own.items() if name in _MATERIAL}
        others: dict[str, Any] = {n: rows for n, rows in self._own.items() if n not in _MATERIAL}
        if material:
            self._instances = self._instances.painted(**material)
        if others:
            table = replace(self._instances.table, **others)
            self._instances = replace(self._instances, table=table)
        shown = replace(self.things, instances=self._instances)
        if self._lit or (self._moved and any(light.casts_shadow for light in shown.lights)):
            lights = self._lights(self._moved)
            for edit in self._lit:  # last: shadow maps hold all that was moved
                lights.apply(edit)
            shown.ambient = lights.ambient(shown.ambient)
            shown.gradient = lights.gradient(shown.gradient)
            if lights.lights != shown.lights:  # caches compare it by identity
                shown.lights = lights.lights
        return shown

    def paint(self, edit: EditMaterial) -> None:
        """Apply an EditMaterial."""
        rows = self._objects.surfaces(edit.objects)
        if not rows:
            return
        if edit.rgba is not None:
            width = 3 if edit.rgba[3] is None else 4
            self._mine("rgba")[rows, :width] = edit.rgba[:width]
        given = {name: getattr(edit, name) for name in (*SHADES, "emissive")}
        self._shade(
            np.array(rows),
            {
                name: np.tile(np.array(value, float), (len(rows), *[1] * np.ndim(value)))
                for name, value in given.items()
                if value is not None
            },
        )
        if edit.texture is not None:
            self._lay(
                np.array(rows), edit.texture, np.array([edit.repeat]), np.array([edit.offset])
            )

    def paint_all(self, edit: EditMaterials) -> None:
        """Apply an EditMaterials; where rows name the same object the last one holds."""
        group, rows, distinct = self._objects.grouped(edit.objects)
        if not distinct:
            for each in edit.rows():
                self.paint(each)
            return
        if edit.rgba is not None:
            _put(self._mine("rgba"), rows, edit.rgba[group])
        columns = {name: getattr(edit, name) for name in (*SHADES, "emissive")}
        self._shade(rows, {n: each[group] for n, each in columns.items() if each is not None})
        if edit.texture is not None:
            self._lay_all(edit, edit.texture[group], group, rows)

    def _shade(self, rows: NDArray[np.intp], given: Mapping[str, NDArray[np.float64]]) -> None:
        """Write columns (M,), and `emissive` (M, 3), of rows that differ; NaN keeps what is there.

        What is told to emit by `emission` does so in its own colour, so its emissive one goes.
        """
        for column, name in enumerate(_SURFACE):
            if name in given:
                _put(self._mine("surface")[:, column], rows, given[name])
        if "emission" in given and self._has("emissive"):
            self._mine("emissive")[rows[~np.isnan(given["emission"])]] = 0.0
        if "emissive" in given:
            light = linear(given["emissive"]) if self._standard else given["emissive"]
            _put(self._mine("emissive"), rows, light)
        if self._standard:
            self._gloss(rows, given)
        elif "metallic" in given or "roughness" in given:
            self._gloss_classic(rows, given)

    def _gloss(self, rows: NDArray[np.intp], given: Mapping[str, NDArray[np.float64]]) -> None:
        """Write what glTF's materials and three.js's phong say of highlights."""
        if "shininess" in given and self._has("metallic_roughness"):
            self._mine("metallic_roughness")[rows[~np.isnan(given["shininess"])], 1] = np.nan
        for column, name in enumerate(_METALLIC_ROUGHNESS):
            if name in given:
                _put(self._mine("metallic_roughness")[:, column], rows, given[name])
        if self._has("highlight") and ("specular" in given or "shininess" in given):
            is_phong = self._instances.table.shading[rows] == Shading.PHONG
            highlight, phong = self._mine("highlight"), rows[is_phong]
            if "specular" in given:
                for column in range(3):
                    _put(highlight[:, column], phong, linear(given["specular"][is_phong]))
            if "shininess" in given:
                _put(highlight[:, 3], phong, given["shininess"][is_phong] * MOST_SHININESS)

    def _gloss_classic(
        self, rows: NDArray[np.intp], given: Mapping[str, NDArray[np.float64]]
    ) -> None:
        """Write the highlights of MuJoCo's classic look that come near glTF's materials."""
        surface, unknown = self._mine("surface"), np.full(len(rows), np.nan)
        metallic = np.nan_to_num(given.get("metallic", unknown))
        roughness = given.get("roughness", unknown)
        own = 1 - np.sqrt(np.clip(surface[rows, 2], 0, 1))
        smooth = 1 - np.where(np.isnan(roughness), own, roughness)
        said = ~np.isnan(given.get("metallic", unknown)) | ~np.isnan(roughness)
        shine = np.stack([smooth * (0.4 + 0.6 * metallic), np.maximum(smooth**2, _DULL)], 1)
        surface[rows[said], 1:3] = shine[said]

    def _lay_all(
        self,
        edit: EditMaterials,
        chosen: NDArray[np.int64],
        group: NDArray[np.intp],
        rows: NDArray[np.intp],
    ) -> None:
        ones = np.ones((len(edit.objects), 2))
        repeat = ones if edit.repeat is None else edit.repeat
        offset = ones - 1 if edit.offset is None else edit.offset
        for place, pixels in enumerate(edit.images):
            mine = chosen == place
            if mine.any():
                self._lay(rows[mine], pixels, repeat[group[mine]], offset[group[mine]])

    def hide(self, edit: Hide) -> None:
        """Apply a Hide."""
        visible = np.array(self._instances.transforms.visible)
        visible[self._objects.rows(edit.objects)] = False
        poses = self._instances.transforms.world_from_object
        self._instances = self._instances.moved(poses, visible, rigidly=True)

    def move(self, edit: MoveObject) -> None:
        """Apply a MoveObject; after others of the object it is relative to where they put it."""
        rows, frames = self._objects.rows((edit.name,)), self._frames()
        before = self.things.instances.transforms.world_from_object
        change = np.array(edit.pose, float) @ np.diag([*edit.scale, 1.0])
        poses = np.array(self._instances.transforms.world_from_object)
        for row in rows:
            frame = _square(frames[row])
            local = np.linalg.solve(frame, _square(before[row]))
            moved = (self._moved.get(row, frame) if edit.relative else np.eye(4)) @ change
            self._moved[row] = moved
            poses[row] = (moved @ local)[:3]
        self._instances = self._instances.moved(poses)

    def light(self, edit: EditLight) -> None:
        """Have an EditLight applied, when all is where it is shown."""
        self._lit.append(edit)

    def back(self, edit: EditBackground) -> None:
        """Apply an EditBackground."""
        before = self.things.environment
        behind = replace(before, colour=edit.colour, sky=None, haze=None, radiance_shown=False)
        self.things = replace(self.things, environment=behind)

    def _has(self, field: str) -> bool:
        """Whether there is a column of this name of `MaterialTable`."""
        return field in self._own or getattr(self._instances.materials, field) is not None

    def _mine(self, field: str) -> NDArray[Any]:
        """An array of the instances that is ours to change."""
        if field not in self._own:
            instances = self._instances
            owner = instances.materials if field in _MATERIAL else instances.table
            rows = getattr(owner, field)
            if rows is None:
                shape = (len(instances), _WIDTHS[field]) if field in _WIDTHS else len(instances)
                rows = np.full(shape, np.nan if field == "metallic_roughness" else 0.0, np.float32)
            self._own[field] = rows.copy()
        return self._own[field]

    def _cut(self, rows: NDArray[np.intp]) -> None:
        """Have holes where textures are clear, unless the material says how clear that must be."""
        cutoff, rgba = self._mine("cutoff"), self._mine("rgba")
        rows = rows[cutoff[rows] <= HOLE]
        cutoff[rows] = HOLE
        rgba[rows, 3] = np.minimum(rgba[rows, 3], ALMOST)

    def _lay(
        self,
        rows: NDArray[np.intp],
        pixels: NDArray[np.uint8],
        repeat: NDArray[np.float64],
        offset: NDArray[np.float64],
    ) -> None:
        """Lay an image on rows (M,), repeated and shifted by (M or 1, 2); an empty one clears."""
        self._holed[rows] = pixels.size > 0 and has_holes(pixels)
        if not pixels.size:
            rows = rows[self._own.get("texture", self._instances.table.texture)[rows] >= 0]
            if len(rows):
                self._mine("texture")[rows] = -1
            return
        texture = Texture(pixels, name="texture of an edit", linear=self._standard)
        self._mine("texture")[rows] = self._store.lend_texture(texture)
        self._mine("texture_offset")[rows] = offset
        geometry = self._instances.table.geometry[rows]
        mapping = self._mine("mapping")
        three_js = mapping[rows] == TextureMapping.THREE_JS
        own = self._store.has_uvs(geometry) | three_js
        laid = np.where(own, TextureMapping.UV, TextureMapping.OBJECT)
        mapping[rows] = np.where(three_js, mapping[rows], laid)
        size = np.where(geometry < len(Shape), 1.0, self._store.radii(geometry))
        scale = np.where(own, 1.0, 0.5 / np.maximum(size, 1e-9))
        self._mine("texture_scale")[rows, :2] = scale[:, None] * repeat


class Objects:
    """Which instances show which objects, while they only move.

    Args:
        rows: the instances of each object, by its number.
        names: object name -> numbers of the objects of that name.
        surfaces: as `rows`, those instances alone that show the object's material; all without.
    """

    def __init__(
        self,
        rows: Mapping[int, Sequence[int]],
        names: Mapping[str, Sequence[int]],
        surfaces: Mapping[int, Sequence[int]] | None = None,
    ) -> None:
        self._rows = rows
        self._names = names
        self._surfaces = rows if surfaces is None else surfaces
        self._last: tuple[Any, tuple[NDArray[np.intp], NDArray[np.intp], bool]] | None = None

    def rows(self, objects: Sequence[str]) -> list[int]:
        """The instances of the objects of these names.

        Raises:
            UnknownNameError: an object that is not there.
        """
        return [row for number in self._numbers(objects) for row in self._rows.get(number, ())]

    def surfaces(self, objects: Sequence[str]) -> list[int]:
        """Those of these instances that show the material of their object.

        Raises:
            UnknownNameError: an object that is not there.
        """
        return [row for number in self._numbers(objects) for row in self._surfaces.get(number, ())]

    def _numbers(self, objects: Sequence[str]) -> list[int]:
        for name in objects:
            if name not in self._names:
                raise UnknownNameError.of("object", name, self._names)
        return [number for name in objects for number in self._names[name]]

    def grouped(
        self, groups: tuple[tuple[str, ...], ...]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], bool]:
        """Which group each instance belongs to (M,), its row (M,), and whether all rows differ.

        Randomizers name the same ones for every sample, so the last answer is kept.
        """
        if self._last is None or self._last[0] != groups:
            found = [self.surfaces(group) for group in groups]
            group = np.repeat(np.arange(len(groups)), [len(rows) for rows in found])
            flat = np.array([row for rows in found for row in rows], np.intp)
            self._last = groups, (group, flat, len(np.unique(flat)) == len(flat))
        return self._last[1]


def has_metal(materials: MaterialTable) -> bool:
    """Whether anything mirrors what is around it, without which metal is black."""
    said = materials.metallic_roughness
    return said is not None and bool((said[:, 0] > 0).any())


def _put(target: NDArray[Any], rows: NDArray[np.intp], values: NDArray[np.float64]) -> None:
    """Write values that are not NaN into rows."""
    given = ~np.isnan(values)
    if given.all():
        target[rows] = values
        return
    where = given.nonzero()
    target[rows[where[0]], *where[1:]] = values[where]


_APPLY: dict[type[Edit], Callable[[EditApplier, Any], None]] = {
    EditMaterial: EditApplier.paint,
    EditMaterials: EditApplier.paint_all,
    EditLight: EditApplier.light,
    EditBackground: EditApplier.back,
    MoveObject: EditApplier.move,
    Hide: EditApplier.hide,
}


APPEARANCE: tuple[type[Edit], ...] = (*_APPLY, MoveCamera)
"""The edits that `EditApplier` and `edited_camera` apply."""


def camera_moves(
    edits: Iterable[Edit], known: Iterable[str]
) -> tuple[list[Edit], dict[str, list[MoveCamera]]]:
    """The edits that are not of cameras, and those of cameras by name, both in order.

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
        pose = edit.camera.world_from_camera
        if edit.relative:
            pose = camera.world_from_camera @ pose
        changed = edit.camera.replace(name=camera.name, world_from_camera=pose)
        camera = changed if changed.size == camera.size else changed.resized(*camera.size)
    return camera


def _square(pose: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([pose, [[0.0, 0, 0, 1]]])
