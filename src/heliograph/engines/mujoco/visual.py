"""What MuJoCo shows for one state, as arrays: its abstract geoms, straight from its own memory.

`mjv_updateScene` decides what is visible (groups, flags, tendons, connectors, skins).
"""

from __future__ import annotations

from typing import Any

import mujoco
from numpy.typing import NDArray

from heliograph.engines.mujoco.versions import GeomMemory
from heliograph.errors import EngineError

SHOWN_GROUPS = 3
"""Groups of geoms below this one are shown unless a `mujoco.MjvOption` says otherwise."""
_SPARE_ROOM = 20_000


class GeomBuffer:
    """MuJoCo's abstract scene of one model, and its geoms as an array.

    Args:
        model: the compiled model.
        option: what to show.

    Raises:
        SceneError: this build of MuJoCo lays its geoms out in another way.
    """

    def __init__(self, model: mujoco.MjModel, option: mujoco.MjvOption) -> None:
        self._model = model
        self._option = option
        self._camera = mujoco.MjvCamera()
        mujoco.mjv_defaultFreeCamera(model, self._camera)
        room = _room(model)
        self.scene = mujoco.MjvScene(model, maxgeom=room)
        self._memory = GeomMemory(model, self.scene)
        self._aimed = False

    def update(self, data: mujoco.MjData) -> NDArray[Any]:
        """The geoms (N,) of dtype GEOM that this state shows; valid until the next call."""
        if not self._aimed:  # endless planes are put below where the camera was before
            mujoco.mjv_updateCamera(self._model, data, self._camera, self.scene)
        mujoco.mjv_updateScene(
            self._model,
            data,
            self._option,
            None,
            self._camera,
            mujoco.mjtCatBit.mjCAT_ALL,
            self.scene,
        )
        if self.scene.ngeom >= self.scene.maxgeom:
            raise EngineError(
                f"this state shows more than the {self.scene.maxgeom} elements there is room for "
                f"({data.ncon} contacts); show fewer kinds of them (flags and groups of MjvOption)"
            )
        self._aimed = True
        return self._memory.first(self.scene.ngeom)


def _room(model: mujoco.MjModel) -> int:
    """How many geoms to have memory for; the system gives none for those that are never shown.

    Each kind of element counts as often as MuJoCo may show it with every flag on; contacts, of
    which there is no end, have what is left.
    """
    often = model.ngeom + model.nsite + model.nu + model.neq + model.ntendon + model.nskin
    frames = 8 * (model.nbody + model.njnt + model.ncam + model.nlight)
    return int(
        _SPARE_ROOM + 5 * often + frames + 4 * model.nwrap + model.nbvh + 8 * model.nflexvert
    )
