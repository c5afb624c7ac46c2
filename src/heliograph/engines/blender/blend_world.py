"""The world of a .blend file or of a script: its state, its edits, and everything put back."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import bpy
import numpy as np

from heliograph.camera import Camera
from heliograph.engine import resolve_cameras
from heliograph.engines.blender import inventory, opening
from heliograph.engines.blender.cameras import camera_of
from heliograph.engines.blender.changes import Changes, set_path
from heliograph.engines.blender.edited import SceneEdits
from heliograph.engines.blender.inventory import FRAME
from heliograph.engines.blender.numbering import (
    By,
    InstanceKey,
    SceneNumbering,
    instance_key,
    is_itself,
)
from heliograph.engines.blender.physics import bake
from heliograph.engines.blender.posing import Poser
from heliograph.engines.blender.seeds import seed_of
from heliograph.engines.blender.settings import MAX_FRAME
from heliograph.engines.blender.world import Shown
from heliograph.engines.shared import cameras as cams
from heliograph.engines.shared.edits import camera_moves, edited_camera
from heliograph.errors import InvalidValueError, SceneError, UnknownNameError
from heliograph.frame import Array, Labels
from heliograph.scene import Description, MoveCamera
from heliograph.scene.objects import ObjectTable
from heliograph.view import POSE_KEYS, POSES, SEPARATOR, View


class BlendWorld:
    """Blender's scene as a file or a script leaves it.

    `View.state` may hold `frame` (with a fraction between two frames), `poses` of objects in the
    world, and any number that a data path leads to below `bpy.data`, such as
    `objects["Rig"].pose.bones["Arm"].rotation_quaternion`. Poses and data paths win over animation.
    Physics is simulated once, as the scene is opened; what a state or an edit changes does not have
    things fall otherwise.

    Args:
        source: path of a .blend file or of a script.
        size: (width, height) in pixels of its cameras; the scene's resolution without it.
        segment_by: what the segmentation pass tells apart.
        trust: whether code that a .blend holds is run.
        allow_missing: whether files that are not there are left out.
        scene, view_layer: their names; the active ones without them.

    Raises:
        SceneError: see `opening.open_source`.
        UnknownNameError: no such scene or view layer.
    """

    def __init__(  # noqa: PLR0913 -- options of the engine
        self,
        source: str | os.PathLike[str],
        *,
        size: tuple[int, int] | None = None,
        segment_by: By = "object",
        trust: bool = False,
        allow_missing: bool = False,
        scene: str | None = None,
        view_layer: str | None = None,
    ) -> None:
        self._opened = opening.open_source(
            source, trust=trust, allow_missing=allow_missing, scene=scene, view_layer=view_layer
        )
        shown = self._opened.scene
        self._closed = False
        self._size = size
        self._by = segment_by
        self._rest = float(shown.frame_current_final)
        bake(shown, self._opened.view_layer)
        self._frame: float | None = None
        self._show_frame(self._rest)
        self._inventory = inventory.inventory(shown, segment_by)
        self._makes_instances = any(_may_instance(each) for each in shown.objects)
        self._cameras = self._own_cameras()
        self._scene = self._described()

    @property
    def scene(self) -> Description:
        """What it holds."""
        return self._scene

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """Its own cameras, the active one first, and `fit`, which frames everything."""
        return self._cameras

    @property
    def labels(self) -> Labels:
        """Id -> (name, category)."""
        return self._inventory.table.labels

    @contextmanager
    def shown(self, view: View) -> Iterator[tuple[Shown, list[Camera]]]:
        """Have Blender's scene show a view; see `heliograph.engines.blender.world.World`."""
        changes = Changes()
        scene, layer = self._opened.scene, self._opened.view_layer
        asked = view.cameras or (next(iter(self._cameras)),)
        resolve_cameras(view, self._cameras)
        try:
            edits, moves = camera_moves(view.edits, self._cameras)
            self._show_frame(_frame(view.state, self._rest))
            poser = Poser(scene, layer, changes)
            self._show_state(view.state, poser, changes)
            applied = SceneEdits(scene, poser, changes)
            applied.apply(edits)
            layer.update()
            numbering = self._numbering(applied.copies)
            yield (
                Shown(
                    scene,
                    layer,
                    numbering,
                    self._by == "material",
                    applied.background,
                    seed_of(view),
                ),
                [self._camera(each, moves) for each in asked],
            )
        finally:
            if changes.restore():
                self._frame = None  # evaluated anew for the next view

    def close(self) -> None:
        """Forget the scene; may be called twice."""
        if not self._closed:
            self._closed = True
            opening.close_source(self._opened)

    def _show_frame(self, frame: float) -> None:
        if frame != self._frame:
            whole = int(np.floor(frame))
            self._opened.scene.frame_set(whole, subframe=frame - whole)
            self._frame = frame

    def _show_state(self, state: Mapping[str, Array], poser: Poser, changes: Changes) -> None:
        paths = [key for key in state if key not in (FRAME, POSES, POSE_KEYS)]
        for path in paths:
            if not set(path) & set(".["):
                raise UnknownNameError.of("state", path, [each.name for each in self._scene.state])
            set_path(changes, path, state[path])
        if POSES in state or POSE_KEYS in state:
            poser.move(self._poses(state, poser))

    def _poses(self, state: Mapping[str, Array], poser: Poser) -> dict[Any, Array]:
        """World_from_object by object."""
        names = _names(state.get(POSE_KEYS, np.empty(0, np.uint8)))
        given = state.get(POSES, np.empty(0))
        if given.shape not in ((len(names), 3), (len(names), 4, 4)):
            raise InvalidValueError(
                f"state[{POSES!r}]: expected names of objects, and (K, 4, 4) poses or (K, 3) "
                f"positions, one for each, got {len(names)} names and {given.shape}"
            )
        if given.ndim == 3 and (given[:, 3] != (0, 0, 0, 1)).any():
            raise InvalidValueError(
                f"state[{POSES!r}]: expected (0, 0, 0, 1) as last row of each pose"
            )
        objects = self._opened.scene.objects
        for name in names:
            if name not in objects:
                raise UnknownNameError.of("object", name, objects.keys())
        things = [objects[name] for name in names]
        if given.ndim == 3:
            return dict(zip(things, given.astype(float), strict=True))
        return {
            thing: _moved_to(poser.pose(thing), position)
            for thing, position in zip(things, given, strict=True)
        }

    def _camera(self, asked: str | Camera, moves: Mapping[str, Sequence[MoveCamera]]) -> Camera:
        """A camera by value; one that is named follows the state and edits."""
        if isinstance(asked, Camera):
            return asked
        camera = self._cameras[asked]
        thing = self._opened.scene.objects.get(asked)
        if thing is not None and thing.type == "CAMERA":
            camera = camera_of(self._opened.scene, thing, self._size)
        return edited_camera(camera, moves.get(asked, ()))

    def _own_cameras(self) -> dict[str, Camera]:
        scene = self._opened.scene
        things = sorted(
            (each for each in scene.objects if each.type == "CAMERA"),
            key=lambda each: (each != scene.camera, each.name),
        )
        found: dict[str, Camera] = {}
        for thing in things:
            with suppress(SceneError):  # it is no camera of ours, a panoramic one, say
                found[thing.name] = camera_of(scene, thing, self._size)
        render = scene.render
        part = render.resolution_percentage / 100
        size = self._size or (
            max(1, int(render.resolution_x * part)),
            max(1, int(render.resolution_y * part)),
        )
        found.setdefault(cams.FIT, cams.fit(_corners(self._inventory.table), size))
        return found

    def _numbering(self, copies: Mapping[str, str]) -> SceneNumbering:
        known = self._inventory.materials
        worn = {name: known[of] for name, of in copies.items() if of in known}
        return SceneNumbering(
            self._by,
            self._inventory.objects,
            {**known, **worn},
            self.labels,
            self._instances if self._makes_instances else tuple,
        )

    def _instances(self) -> Iterator[InstanceKey]:
        for each in self._opened.view_layer.depsgraph.object_instances:
            if each.is_instance and not is_itself(each):
                yield instance_key(each.parent.name, each.object.name, each.persistent_id)

    def _described(self) -> Description:
        scene, table = self._opened.scene, self._inventory.table
        made = hashlib.sha256(self._opened.digest.encode())
        made.update(repr((scene.name, self._opened.view_layer.name, self._by)).encode())
        made.update(repr((table.names, table.materials)).encode())
        made.update(table.poses.tobytes() + table.boxes.tobytes() + table.colours.tobytes())
        materials = sorted(bpy.data.materials, key=lambda each: each.name)
        return Description(
            source=self._opened.name,
            hash=made.hexdigest(),
            objects=table,
            lights=inventory.lights(scene),
            materials=tuple(map(inventory.material_value, materials)),
            state=inventory.state_items(scene),
            space=inventory.state_space(scene, self._opened.view_layer),
        )


def _frame(state: Mapping[str, Array], rest: float) -> float:
    if FRAME not in state:
        return rest
    if state[FRAME].shape:
        raise InvalidValueError(
            f"state[{FRAME!r}]: expected one number, got shape {state[FRAME].shape}"
        )
    frame = float(state[FRAME])
    if abs(frame) > MAX_FRAME:
        raise InvalidValueError(f"state[{FRAME!r}]: expected at most {MAX_FRAME}, got {frame}")
    return frame


def _names(keys: Array) -> list[str]:
    """Names of objects, as `View` writes them."""
    if keys.ndim == 1 and keys.dtype == np.uint8:
        with suppress(UnicodeDecodeError):
            return keys.tobytes().decode().split(SEPARATOR) if len(keys) else []
    raise InvalidValueError(
        f"state[{POSE_KEYS!r}]: expected names as View writes them, got {keys.dtype} {keys.shape}"
    )


def _moved_to(pose: Array, position: Array) -> Array:
    moved = np.array(pose, float)
    moved[:3, 3] = position
    return moved


def _may_instance(thing: Any) -> bool:
    """Whether an object may show others, or itself, several times."""
    nodes = any(each.type == "NODES" for each in thing.modifiers)
    return bool(thing.instance_type != "NONE" or nodes or len(thing.particle_systems))


def _corners(table: ObjectTable) -> Array:
    """Corners (N, 3) in the world of all that is seen."""
    found = [np.empty((0, 3))]
    for row in np.flatnonzero(table.seen).tolist():
        corners = table.corners(row)
        if corners is not None:
            found.append(corners @ table.poses[row, :3, :3].T + table.poses[row, :3, 3])
    return np.concatenate(found)
