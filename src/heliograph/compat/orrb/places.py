"""Where a model's joints put everything, without drawing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.compat.orrb.facts import OrrbFacts, Posed, shapes_of
from heliograph.engine import Described
from heliograph.engines.mujoco.cameras import CameraPoses
from heliograph.engines.mujoco.state import Poser

NEAR, FAR = 0.1, 20.0
"""What ORRB's cameras have, metres, unless a CameraProperties says otherwise."""


class Places:
    """Knows a model's tree; for one thread.

    Args:
        model: the compiled model.
        drawn: whoever draws it.
        size: (width, height) in pixels of all cameras.

    Attributes:
        cameras: the model's cameras as ORRB has them, before any state.
    """

    def __init__(self, model: Any, drawn: Described, size: tuple[int, int]) -> None:
        self._model = model
        self._poser = Poser(model)
        self._camera_poses = CameraPoses(self._poser.data)
        self.cameras: dict[str, Camera] = {
            name: camera.resized(*size).replace(near=NEAR, far=FAR)
            for name, camera in drawn.cameras.items()
        }
        objects = drawn.scene.objects
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
            drawn,
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
        data, model = self._poser.apply({"qpos": qpos}), self._model
        turns = np.concatenate((data.geom_xmat, data.site_xmat, data.xmat))
        poses = np.tile(np.eye(4), (len(turns), 1, 1))
        poses[:, :3, :3] = turns.reshape(-1, 3, 3)
        poses[:, :3, 3] = np.concatenate((data.geom_xpos, data.site_xpos, data.xpos))
        cameras, bodies = dict(self.cameras), data.xmat[model.cam_bodyid].reshape(-1, 3, 3)
        names = list(cameras)[: model.ncam]
        for index, name in enumerate(names):
            cameras[name] = self._camera_poses.placed(cameras[name], index)
        axes = dict(zip(names, bodies, strict=True))
        return Posed({name: poses[row] for name, row in self._rows.items()}, cameras, axes)


_KINDS = {3: "capsule"}
"""MuJoCo's numbers of the kinds of sites that are more than one shape."""
