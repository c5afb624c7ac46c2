"""Puts Blender's objects where a view has them, whatever else would place them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from heliograph.engines.blender.changes import Changes

Pose = NDArray[np.float64]

_SHEAR = 1e-5
_ORIGIN = ".heliograph origin"


class Poser:
    """Moves objects for one view; children go with what they hang on, as everywhere in Blender.

    A pose wins over animation, constraints and rigid bodies. Physics is not simulated again: as
    soon as one rigid body is moved all others stay where the frame has them.

    Args:
        scene: a `bpy.types.Scene`.
        view_layer: the `bpy.types.ViewLayer` that is shown.
        changes: where everything is logged.
    """

    def __init__(self, scene: Any, view_layer: Any, changes: Changes) -> None:
        self._scene = scene
        self._view_layer = view_layer
        self._changes = changes
        self._stale = True

    def pose(self, thing: Any) -> Pose:
        """World_from_object (4, 4), with all that was moved before."""
        self._update()
        return np.array(thing.matrix_world, float)

    def move(self, poses: Mapping[Any, Pose]) -> None:
        """Have objects stand at world_from_object (4, 4), all at once."""
        if any(self._is_simulated(thing) for thing in poses):
            self._freeze()
        levels: dict[int, list[Any]] = {}
        for thing in poses:
            levels.setdefault(_depth(thing), []).append(thing)
        for level in sorted(levels):
            for thing in levels[level]:
                self._release(thing)
            if level:
                self._update()  # what they hang on may have been moved
            for thing in levels[level]:
                self._place(thing, poses[thing])
            self._stale = True

    def _update(self) -> None:
        if self._stale:
            self._view_layer.update()
            self._stale = False

    def _release(self, thing: Any) -> None:
        """Have nothing but location, rotation, scale and parent place an object."""
        if thing.animation_data is not None:
            self._changes.hold(thing)
        for constraint in thing.constraints:
            if not constraint.mute:
                self._changes.set(constraint, "mute", value=True)
                self._stale = True

    def _place(self, thing: Any, pose: Pose) -> None:
        if thing.parent is None:
            if not _shears(pose):
                self._changes.set(thing, "matrix_world", Matrix(pose.tolist()))
                return
            self._changes.set(thing, "parent", self._origin())
        own = np.array(thing.matrix_basis, float)
        if not np.linalg.det(own):
            own = np.eye(4)
            self._changes.set(thing, "matrix_basis", Matrix.Identity(4))
        frame = np.linalg.pinv(_parent_matrix(thing)) @ pose @ np.linalg.inv(own)
        self._changes.undone_by(thing.update_tag)  # Blender does not see that it changes
        self._changes.set(thing, "matrix_parent_inverse", Matrix(frame.tolist()))
        thing.update_tag()

    def _origin(self) -> Any:
        """An object at the origin: below a parent a pose may shear."""
        made = bpy.data.objects.new(_ORIGIN, None)
        self._changes.undone_by(lambda: bpy.data.objects.remove(made))
        return made

    def _is_simulated(self, thing: Any) -> bool:
        world, body = self._scene.rigidbody_world, thing.rigid_body
        return world is not None and world.enabled and body is not None and body.type == "ACTIVE"

    def _freeze(self) -> None:
        """Switch rigid bodies off, and leave all of them where they are."""
        self._update()
        world = self._scene.rigidbody_world
        bodies = [each for each in world.collection.objects if self._is_simulated(each)]
        poses = {each: self.pose(each) for each in bodies}
        self._changes.set(world, "enabled", value=False)
        self._stale = True
        self.move(poses)


def _depth(thing: Any) -> int:
    """How many objects one hangs on."""
    depth = 0
    while thing.parent is not None:
        thing, depth = thing.parent, depth + 1
    return depth


def _parent_matrix(thing: Any) -> Pose:
    """World_from_parent (4, 4): of an object, a bone or a vertex."""
    if thing.parent_type == "OBJECT":
        return np.array(thing.parent.matrix_world, float)
    return np.array(thing.matrix_world, float) @ np.linalg.pinv(np.array(thing.matrix_local, float))


def _shears(pose: Pose) -> bool:
    """Whether a pose is more than location, rotation and scale: its axes are not square."""
    x, y, z = pose[:3, :3].T
    sizes = float(x @ x), float(y @ y), float(z @ z)
    products = float(x @ y), float(y @ z), float(z @ x)
    return max(map(abs, products)) > _SHEAR * max(*sizes)
