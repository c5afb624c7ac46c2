"""Entries of a batch: seed and joints in, an order to draw out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph import poses as rigid
from heliograph.camera import Camera
from heliograph.compat.orrb.components import Tracker
from heliograph.compat.orrb.config import Settings
from heliograph.compat.orrb.stage import Posed, Stage, bounding, transformed
from heliograph.errors import UnknownNameError
from heliograph.passes import PASSES, PassSpecs
from heliograph.poses import Floats
from heliograph.randomize import Drawn, Randomization
from heliograph.randomize.names import split
from heliograph.scene.appearance import MoveCamera, MoveObject
from heliograph.view import View

Streams = dict[str, NDArray[Any]]
_INDEX = 0


@dataclass(frozen=True, eq=False)
class Entry:
    """One entry on its way.

    Attributes:
        view: what to draw.
        streams: what is told of it besides pictures.
    """

    view: View
    streams: Streams


@dataclass(frozen=True, eq=False)
class Director:
    """Turns seeds and joints into entries; pure.

    Attributes:
        stage: the model.
        settings: what is asked for.
        randomization: the components.
    """

    stage: Stage
    settings: Settings
    randomization: Randomization

    def entry(self, qpos: NDArray[np.float64], seed: int) -> Entry:
        """Seed the components, set the joints, run them in order; the drawing is left."""
        facts = self.stage.facts(qpos)
        drawn = self.randomization(seed, _INDEX, facts)
        state = {"qpos": qpos, **drawn.state}
        posed = self.stage.posed(state["qpos"]) if drawn.state else facts.posed
        posed = posed or self.stage.posed(qpos)
        cameras = _shown(posed, drawn)
        view = View(
            cameras=[cameras[name] for name in self.settings.cameras],
            passes=self._passes,
            state=state,
            edits=[e for e in drawn.edits if not isinstance(e, MoveCamera)],
            seed=seed,
            index=_INDEX,
        )
        return Entry(view, self._streams(posed, cameras, drawn))

    def check(self) -> None:
        """Check that trackers name cameras and objects that are there.

        Raises:
            UnknownNameError: one does not.
        """
        for tracker in self._trackers:
            for name in split(tracker.tracked_object_names):
                if name not in self.stage.trackable:
                    raise UnknownNameError.of("tracked object", name, self.stage.trackable)

    @property
    def _trackers(self) -> list[Tracker]:
        return [each for each in self.randomization.randomizers if isinstance(each, Tracker)]

    @property
    def _passes(self) -> PassSpecs:
        wanted = {"rgb", *self.settings.wanted} | ({"depth"} if self.settings.alpha else set())
        return {name: spec for name, spec in PASSES.items() if name in wanted}

    def _streams(self, posed: Posed, cameras: Mapping[str, Camera], drawn: Drawn) -> Streams:
        streams: Streams = {}
        moves = {edit.name: edit for edit in drawn.edits if isinstance(edit, MoveObject)}
        for tracker in self._trackers:
            tracked = split(tracker.tracked_object_names)
            boxes = {name: _box(self.stage, name, posed, moves) for name in tracked}
            streams |= tracker.streams(cameras, boxes)
        return streams


def _shown(posed: Posed, drawn: Drawn) -> dict[str, Camera]:
    """The cameras as they are used."""
    cameras = dict(posed.cameras)
    for edit in drawn.edits:
        if isinstance(edit, MoveCamera) and edit.name in cameras:
            before = cameras[edit.name]
            pose = edit.camera.world_from_camera
            placed = before.world_from_camera @ pose if edit.relative else pose
            cameras[edit.name] = edit.camera.replace(
                name=edit.name, world_from_camera=np.asarray(placed)
            )
    return cameras


def _box(stage: Stage, name: str, posed: Posed, moves: Mapping[str, MoveObject]) -> Floats:
    """The corners (8, 3) of what is tracked, where components have moved it to."""
    inside, pose = stage.members(name), posed.poses[name]
    own = [stage.box(each, posed) for each in inside]
    changes = [_change(posed, moves[each]) if each in moves else np.eye(4) for each in inside]
    if all(each in moves for each in inside):  # a body that was moved as a whole
        return transformed(bounding(np.concatenate(own), pose), changes[0])
    carried = [transformed(*each) for each in zip(own, changes, strict=True)]
    return bounding(np.concatenate(carried), pose)


def _change(posed: Posed, edit: MoveObject) -> Floats:
    """What a move does to points of the world."""
    own = posed.poses[edit.name]
    own_back = rigid.invert(own)
    moved = np.asarray(edit.pose, float) @ np.diag([*edit.scale, 1.0])
    return np.asarray((own if edit.relative else np.eye(4)) @ moved @ own_back)
