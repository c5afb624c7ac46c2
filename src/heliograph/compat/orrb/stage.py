"""What this process knows of the model: where everything is in a state, without drawing it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph import poses as rigid
from heliograph.camera import Camera
from heliograph.engine import Described
from heliograph.poses import Floats
from heliograph.randomize import Facts
from heliograph.scene import Edit, Joint

NEAR, FAR = 0.1, 20.0
"""What ORRB's cameras have, metres, unless a CameraProperties says otherwise."""
_CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)


class Poses(Mapping[str, Floats]):
    """(4, 4) world_from_object by name, made when asked for.

    Args:
        rows: name -> row.
        positions: (M, 3).
        rotations: (M, 3, 3).
    """

    def __init__(self, rows: Mapping[str, int], positions: Floats, rotations: Floats) -> None:
        self._rows = rows
        self._positions = positions
        self._rotations = rotations

    def __getitem__(self, name: str) -> Floats:
        row = self._rows[name]
        pose = np.eye(4)
        pose[:3, :3] = self._rotations[row]
        pose[:3, 3] = self._positions[row]
        return pose

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


@dataclass(frozen=True, eq=False)
class Posed:
    """Where everything is in one state.

    Attributes:
        poses: of geoms, sites and bodies.
        cameras: the model's, as this state places them.
    """

    poses: Mapping[str, Floats]
    cameras: Mapping[str, Camera]


@dataclass(frozen=True, eq=False)
class PosedFacts(Facts):
    """Facts that follow the joints: whoever moves them moves cameras and objects.

    Attributes:
        posing: state to places.
        posed: where the state so far has everything.
    """

    posing: Callable[[NDArray[Any]], Posed] | None = None
    posed: Posed | None = None

    def after(self, edits: Iterable[Edit], state: Mapping[str, Any]) -> Facts:
        """See `Facts.after`; cameras that were moved keep what they were moved by."""
        known = super().after(edits, state)
        if "qpos" in state and self.posing is not None and self.posed is not None:
            posed = self.posing(state["qpos"])
            cameras = {
                name: _carried(camera, self.posed.cameras[name], posed.cameras[name])
                for name, camera in known.cameras.items()
            }
            known.__dict__.update(cameras=cameras, poses=posed.poses, posed=posed)
        return known


class Stage:
    """The model in this process; safe for threads.

    Args:
        model: the compiled model.
        drawn: the renderer that draws it.
        names: cameras that are asked for.
        size: (width, height) in pixels of their pictures.

    Raises:
        UnknownNameError: no such camera.
    """

    def __init__(
        self, model: Any, drawn: Described, names: Sequence[str], size: tuple[int, int]
    ) -> None:
        from heliograph.engines.mujoco.state import Poser

        self.model = model
        self._lock = threading.Lock()
        self._poser = Poser(model)
        self._cameras = {
            name: camera.resized(*size).replace(near=NEAR, far=FAR)
            for name, camera in drawn.cameras.items()
        }
        self._facts = self._known(drawn, names)
        self._rows = _rows(model, drawn)
        self._geoms = {item.name for item in drawn.scene.objects[: model.ngeom]}
        for name in names:
            self._facts.camera(name)

    @property
    def initial(self) -> NDArray[np.float64]:
        """The model's own joint state (nq,)."""
        return np.array(self.model.qpos0, float)

    @property
    def joints(self) -> tuple[Joint, ...]:
        """The model's joints."""
        return self._facts.joints

    @property
    def categories(self) -> dict[str, int]:
        """Geom name -> its category from 1: the part of the name before a colon, sorted."""
        named = {self.model.geom(i).name for i in range(self.model.ngeom)}
        parts = {name: name.partition(":")[0] for name in named if ":" in name}
        places = {part: 1 + i for i, part in enumerate(sorted(set(parts.values())))}
        return {name: places[part] for name, part in parts.items()}

    def facts(self, qpos: NDArray[Any]) -> PosedFacts:
        """What randomizers may know when the joints are like this."""
        posed = self.posed(qpos)
        known = object.__new__(PosedFacts)  # `replace` would check and copy all fields
        known.__dict__.update(self._facts.__dict__)
        known.__dict__.update(
            cameras=posed.cameras, poses=posed.poses, posed=posed, state={"qpos": qpos}
        )
        return known

    def posed(self, qpos: NDArray[Any]) -> Posed:
        """Where everything is when the joints are like this."""
        with self._lock:
            data = self._poser.apply({"qpos": np.asarray(qpos, float)})
            positions = np.concatenate((data.geom_xpos, data.site_xpos, data.xpos))
            turns = np.concatenate((data.geom_xmat, data.site_xmat, data.xmat)).reshape(-1, 3, 3)
            placed = list(zip(data.cam_xpos.copy(), data.cam_xmat.copy(), strict=True))
        poses = Poses(self._rows, positions, turns)
        return Posed(poses, self._placed(placed))

    def box(self, name: str, posed: Posed) -> Floats:
        """Corners (8, 3) in the world of the box around one geom."""
        return transformed(self._facts.boxes[name], posed.poses[name])

    def members(self, name: str) -> tuple[str, ...]:
        """A geom itself, or the geoms on a body and below it."""
        inside = self._facts.bodies.get(name, (name,))
        return tuple(each for each in inside if each in self._geoms)

    @property
    def trackable(self) -> tuple[str, ...]:
        """What has a box."""
        return tuple(self._facts.boxes)

    def _placed(self, placed: Sequence[tuple[Floats, Floats]]) -> dict[str, Camera]:
        cameras = dict(self._cameras)
        for (position, turn), name in zip(placed, self._cameras, strict=False):
            pose = np.eye(4)
            pose[:3, :3], pose[:3, 3] = turn.reshape(3, 3), position
            cameras[name] = cameras[name].moved(pose)
        return cameras

    def _known(self, drawn: Described, names: Sequence[str]) -> PosedFacts:
        return PosedFacts.of(
            drawn,
            cameras=self._cameras,
            shown=tuple(names),
            posing=self.posed,
        )


def _rows(model: Any, drawn: Described) -> dict[str, int]:
    """Where the poses of geoms, sites and bodies stand, in this order; a geom's name wins."""
    objects = drawn.scene.objects[: model.ngeom + model.nsite]
    first = len(objects)
    rows = {model.body(i).name or f"body{i}": first + i for i in range(model.nbody)}
    return rows | {item.name: row for row, item in reversed(list(enumerate(objects)))}


def bounding(corners: Floats, pose: Floats) -> Floats:
    """Corners (8, 3) of the box along a pose's axes around points (N, 3)."""
    local = (corners - pose[:3, 3]) @ pose[:3, :3]
    low, high = local.min(axis=0), local.max(axis=0)
    return transformed((low + high) / 2 + _CORNERS * (high - low) / 2, pose)


def transformed(points: Floats, pose: Floats) -> Floats:
    """Points (N, 3) carried by a (4, 4)."""
    return np.asarray(points @ pose[:3, :3].T + pose[:3, 3])


def _carried(camera: Camera, before: Camera, now: Camera) -> Camera:
    change = rigid.invert(before.world_from_camera) @ camera.world_from_camera
    return camera.moved(np.asarray(now.world_from_camera @ change))
