"""Checks of the object table: one numbering, and boxes that hold what is seen."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from heliograph.frame import Frame
from heliograph.poses import Floats
from heliograph.scene import ObjectTable
from heliograph.testing.probe import Probe
from heliograph.testing.report import expect, promise

_SLACK = 1e-3
"""How far outside of its box a point may be seen, as part of its depth."""


@promise("objects are numbered once")
def objects_are_numbered_once(probe: Probe) -> None:
    """Ids of the object table differ and are above 0, parents are in it, labels are the table's."""
    table = probe.engine.scene.objects
    ids = table.ids.tolist()
    _check_columns(table)
    twice = sorted({number for number in ids if ids.count(number) > 1})
    expect(not twice, f"objects: ids {twice[:5]} stand for several objects")
    expect(all(number > 0 for number in ids), "objects: expected ids above 0")
    known = {0, *ids}
    for what, column in (("parents", table.parents), ("shown_as", table.shown_as)):
        strange = sorted(set(column.tolist()) - known)
        expect(not strange, f"objects: {what} {strange[:5]} are not among the ids")
    _check_parents(dict(zip(ids, table.parents.tolist(), strict=True)))
    labels = probe.engine.labels
    expect(labels == table.labels, f"labels: expected the object table's, got {dict(labels)}")


def _check_columns(table: ObjectTable) -> None:
    count = len(table)
    wrong = [each.name for each in fields(table) if len(getattr(table, each.name)) != count]
    expect(not wrong, f"objects: expected columns of {count} rows, got others: {wrong}")
    low, high = table.boxes[:, 0], table.boxes[:, 1]
    empty = np.isnan(table.boxes).all((1, 2))
    sound = empty | (low <= high).all(-1)
    expect(sound.all(), "boxes: expected a lower and an upper corner, or NaN throughout")


def _check_parents(parents: dict[int, int]) -> None:
    for number in parents:
        above, steps = parents[number], 0
        while above and steps <= len(parents):
            above, steps = parents[above], steps + 1
        expect(not above, f"objects: {number} is below itself")


@promise("boxes hold what is seen", "depth", "segmentation")
def boxes_hold_what_is_seen(probe: Probe) -> None:
    """In the scene's own state what is seen of an object lies in its box at its pose."""
    table = probe.engine.scene.objects
    frame = probe.frame(probe.camera, ("depth", "segmentation"), state={})
    checked = 0
    for number in np.unique(frame.segmentation[frame.segmentation > 0]).tolist():
        rows = np.flatnonzero(table.shown_as == number).tolist()
        if not len(rows) or np.isnan(table.boxes[rows]).any():
            continue
        points, slack = _seen(frame, frame.segmentation == number)
        outside = np.min([_outside(table, row, points) for row in rows], axis=0)
        worst = float((outside / slack).max())
        name = table.names[rows[0]]
        expect(worst <= 1, f"{name!r}: seen {worst * _SLACK:.4f} of its depth outside of its box")
        checked += 1
    probe.need(checked, "nothing that is seen has a box")


def _seen(frame: Frame, where: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Points (n, 3) that are seen, and how far each may be off, metres."""
    depth = frame.depth[where].astype(float)
    points = frame.camera.unproject(frame.camera.pixel_centres()[where], depth)
    return points, _SLACK * depth


def _outside(table: ObjectTable, row: int, points: Floats) -> Floats:
    """How far (n,) points are outside of a row's box, along the axis where it is farthest."""
    pose, (low, high) = table.poses[row], table.boxes[row]
    own = (points - pose[:3, 3]) @ np.linalg.inv(pose[:3, :3]).T
    scale = np.linalg.norm(pose[:3, :3], axis=0)
    return np.asarray((np.maximum(np.maximum(low - own, own - high), 0) * scale).max(-1))
