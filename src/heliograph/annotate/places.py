"""Where the objects of a table are, and which of them a segmentation shows as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heliograph import poses as conventions
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.poses import Floats
from heliograph.scene.appearance import MoveObject
from heliograph.scene.edit import Edit
from heliograph.scene.objects import CORNERS, ObjectTable

Poses: TypeAlias = Mapping[str, ArrayLike] | ArrayLike | None
"""Where objects are: those that moved by name, or all rows of the table, (N, 4, 4)."""


def world_poses(objects: ObjectTable, poses: Poses = None) -> Floats:
    """Where every row of a table is, (N, 4, 4) world_from_object.

    A sample does not say where its objects are: the table has them in the scene's own state, and
    only who moved them, or the engine's own library, knows where they went.

    Args:
        objects: the scene's object table.
        poses: world_from_object (4, 4) by name of what is elsewhere than in the scene's own state;
            what is fixed to it moves along unless it is named itself. Or (N, 4, 4) for all rows.
            Without it the table's.

    Raises:
        UnknownNameError: no object has one of the names.
        InvalidValueError: no maps of this shape.
    """
    if poses is None:
        return objects.poses
    if isinstance(poses, Mapping):
        return _moved(objects, poses)
    maps = conventions.check_numbers(poses, "poses")
    if maps.shape != objects.poses.shape:
        raise InvalidValueError(
            f"poses: expected maps by name, or {objects.poses.shape} for all objects of the "
            f"table, got {maps.shape}"
        )
    return maps


def _moved(objects: ObjectTable, poses: Mapping[str, ArrayLike]) -> Floats:
    worlds = objects.poses.copy()
    moved = np.zeros(len(objects), bool)
    for name, pose in poses.items():
        objects.row(name)
        named = objects.rows[name]
        worlds[named] = conventions.check_matrix(pose, f"poses[{name!r}]", 4)
        moved[named] = True
    places = {int(number): row for row, number in enumerate(objects.ids)}
    above = np.array([places.get(int(parent), -1) for parent in objects.parents], np.intp)
    while len(rows := np.flatnonzero(~moved & (above >= 0) & moved[above])):
        parents = above[rows]
        local = np.linalg.inv(objects.poses[parents]) @ objects.poses[rows]
        worlds[rows], moved[rows] = worlds[parents] @ local, True
    return worlds


def edited_poses(objects: ObjectTable, edits: Iterable[Edit], poses: Poses = None) -> Floats:
    """Where every row of a table is, (N, 4, 4), after the moves among the edits of a view.

    What was drawn at random is in a sample: `Randomization.replay(sample.randomization).edits`.

    Args:
        objects: the scene's object table.
        edits: of the view; those that move no object change nothing.
        poses: where the state has the objects; see `world_poses`.

    Raises:
        UnknownNameError: an edit moves an object that cannot be seen or is not there.
    """
    worlds = world_poses(objects, poses).copy()
    for edit in edits:
        if isinstance(edit, MoveObject):
            if edit.name not in objects.seen_names:
                raise UnknownNameError.of("object", edit.name, objects.seen_names)
            change = np.array(edit.pose, float) @ np.diag([*edit.scale, 1.0])
            rows = [row for row in objects.rows[edit.name] if objects.seen[row]]
            worlds[rows] = worlds[rows] @ change if edit.relative else change
    return worlds


def world_points(objects: ObjectTable, name: str, points: ArrayLike, poses: Poses = None) -> Floats:
    """World points (..., 3) of points (..., 3) in the own axes of an object, metres.

    Args:
        objects: the scene's object table.
        name: the object, the first of this name.
        points: metres.
        poses: see `world_poses`.

    Raises:
        UnknownNameError: no object has this name.
        InvalidValueError: no such points.
    """
    pose = world_poses(objects, poses)[objects.row(name)]
    own = conventions.check_vectors(points, "points", 3, nan=True)
    return np.asarray(conventions.rotate(pose[:3, :3], own) + pose[:3, 3])


def world_corners(objects: ObjectTable, worlds: Floats) -> Floats:
    """World corners (N, 8, 3) of the boxes of all rows; NaN where there is none."""
    low, high = objects.boxes[:, None, 0], objects.boxes[:, None, 1]
    own = low + CORNERS * (high - low)
    return np.asarray(np.einsum("nij,nkj->nki", worlds[:, :3, :3], own) + worlds[:, None, :3, 3])


def shown_rows(
    objects: ObjectTable,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int32]]:
    """The rows (M,) that can be seen and have a box, the object of each, and the objects' ids (K,).

    An object is what the segmentation shows as one: one row, or all of a body, say.
    """
    ids = np.unique(objects.shown_as[objects.shown_as > 0]).astype(np.int32)
    rows = np.flatnonzero((objects.shown_as > 0) & ~np.isnan(objects.boxes).any((1, 2)))
    return rows, np.searchsorted(ids, objects.shown_as[rows]), ids
