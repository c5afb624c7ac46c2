"""Where a model's joints put everything, without drawing it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.compat.orrb.facts import OrrbFacts, Posed, shapes_of
from heliograph.engines.mujoco import MujocoEngine
from heliograph.engines.mujoco.state import Poser
from heliograph.poses import Floats

NEAR, FAR = 0.1, 20.0
"""What ORRB's cameras have, metres, unless a CameraProperties says otherwise."""


class Poses(Mapping[str, Floats]):
    """(4, 4) world_from_object by name, made when asked for.

    Args:
        rows: name -> row.
        positions: (M, 3).
        turns: (M, 3, 3).
    """

    def __init__(self, rows: Mapping[str, int], positions: Floats, turns: Floats) -> None:
        self._rows = rows
        self._positions = positions
        self._turns = turns

    def __getitem__(self, name: str) -> Floats:
        row = self._rows[name]
        return _pose(self._positions[row], self._turns[row])

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


class Places:
    """Knows a model's tree; for one thread.

    Args:
        engine: who draws it.
        size: (width, height) in pixels of all cameras.

    Attributes:
        cameras: the model's cameras as ORRB has them, before any state.
    """

    def __init__(self, engine: MujocoEngine, size: tuple[int, int]) -> None:
        model = self._model = engine.model
        self._poser = Poser(model)
        self.cameras: dict[str, Camera] = {
            name: camera.resized(*size).replace(near=NEAR, far=FAR)
            for name, camera in engine.cameras.items()
        }
        objects = engine.scene.objects
        seen = objects.names[: model.ngeom + model.nsite]
        bodies = [model.body(i).name or f"body{i}" for i in range(model.nbody)]
        rows = {name: len(seen) + row for row, name in enumerate(bodies)}
        self._rows = rows | {name: row for row, name in reversed(list(enumerate(seen)))}
        site_kinds = {
            seen[model.ngeom + i]: _KINDS.get(int(model.site_type[i]), "")
            for i in range(model.nsite)
        }
        meshes = {
            seen[i]: model.mesh(int(model.geom_dataid[i])).name
            for i in range(model.ngeom)
            if objects.categories[i] == "mesh"
        }
        self._facts = OrrbFacts.of(
            engine,
            cameras=self.cameras,
            shapes=shapes_of(objects, site_kinds, meshes),
            posing=self._posed,
        )

    def facts(self, qpos: NDArray[Any] | None, shown: Sequence[str]) -> OrrbFacts:
        """What components may know when the joints are like this (None: at rest).

        Args:
            qpos: (nq,).
            shown: names of the cameras that are asked for.
        """
        at = np.array(self._model.qpos0) if qpos is None else qpos
        return self._facts.at(at, tuple(shown))

    def _posed(self, qpos: NDArray[Any]) -> Posed:
        data = self._poser.apply({"qpos": qpos})
        positions = np.concatenate((data.geom_xpos, data.site_xpos, data.xpos))
        turns = np.concatenate((data.geom_xmat, data.site_xmat, data.xmat)).reshape(-1, 3, 3)
        cameras, axes = dict(self.cameras), {}
        first_body = len(positions) - self._model.nbody
        for row, (name, camera) in enumerate(list(cameras.items())[: self._model.ncam]):
            pose = _pose(data.cam_xpos[row], data.cam_xmat[row].reshape(3, 3))
            cameras[name] = camera.moved(pose)
            axes[name] = turns[first_body + self._model.cam_bodyid[row]]
        return Posed(Poses(self._rows, positions, turns), cameras, axes)


_KINDS = {3: "capsule"}
"""MuJoCo's numbers of the kinds of sites that are more than one shape."""


def _pose(position: Floats, turn: Floats) -> Floats:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn, position
    return pose
