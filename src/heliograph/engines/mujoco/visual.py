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
_SPARE_ROOM, _MOST_SPARE_ROOM = 1000, 20_000
_PER_CONTACT = 8  # its point, forces and axes
_PER_TENDON = 32  # one that hangs through is shown in some thirty pieces
_COUNTLESS = [
    int(getattr(mujoco.mjtVisFlag, name))
    for name in dir(mujoco.mjtVisFlag)
    if name.endswith(("BVH", "SDFITER"))
]
"""Flags that show something of each triangle of a mesh, or nearly so."""


class GeomBuffer:
    """MuJoCo's abstract scene of one model, and its geoms as an array.

    Memory for a geom takes MuJoCo a microsecond, a second for all that might be shown of a heavy
    mesh: that for what is rarely shown is made once it is.

    Args:
        model: the compiled model.
        option: what to show.

    Attributes:
        scene: its flexes, skins and lights as of the last update.

    Raises:
        SceneError: this build of MuJoCo lays its geoms out in another way.
    """

    def __init__(self, model: mujoco.MjModel, option: mujoco.MjvOption) -> None:
        self._model = model
        self._option, self._flags = option, option.flags
        self._camera = mujoco.MjvCamera()
        mujoco.mjv_defaultFreeCamera(model, self._camera)
        self.scene = mujoco.MjvScene(model, maxgeom=_room(model))
        self._shown = self.scene  # whose geoms are shown
        self._memory = GeomMemory(model, self.scene)
        self._aimed = False

    def update(self, data: mujoco.MjData) -> NDArray[Any]:
        """The geoms (N,) of dtype GEOM that this state shows; valid until the next call."""
        if self._shown is self.scene and self._shows_more(data):
            room = _room(self._model) + self._model.nbvh + 8 * self._model.nflexvert
            self._shown = mujoco.MjvScene(self._model, maxgeom=room + _MOST_SPARE_ROOM)
            self._memory = GeomMemory(self._model, self._shown)
            self._aimed = False
        if not self._aimed:  # endless planes are put below where the camera was before
            mujoco.mjv_updateCamera(self._model, data, self._camera, self._shown)
        if self._shown is not self.scene:
            self._update(data, self.scene, 0)  # of which others hold the flexes, skins and lights
        self._update(data, self._shown, mujoco.mjtCatBit.mjCAT_ALL)
        if self._shown.ngeom >= self._shown.maxgeom:
            raise EngineError(
                f"this state shows more than the {self._shown.maxgeom} elements there is room for "
                f"({data.ncon} contacts); show fewer kinds of them (flags and groups of MjvOption)"
            )
        self._aimed = True
        return self._memory.first(self._shown.ngeom)

    def _shows_more(self, data: mujoco.MjData) -> bool:
        """Whether there may be more than `scene` has memory for."""
        countless = any(self._flags[flag] for flag in _COUNTLESS)
        return countless or _PER_CONTACT * data.ncon > _SPARE_ROOM

    def _update(self, data: mujoco.MjData, scene: mujoco.MjvScene, shown: int) -> None:
        mujoco.mjv_updateScene(self._model, data, self._option, None, self._camera, shown, scene)


def _room(model: mujoco.MjModel) -> int:
    """How many geoms to have memory for, but for contacts and what is countless.

    Each kind of element counts as often as MuJoCo may show it with every flag on.
    """
    often = model.ngeom + model.nsite + model.nu + model.neq + model.nskin
    frames = 8 * (model.nbody + model.njnt + model.ncam + model.nlight)
    tendons = _PER_TENDON * model.ntendon + 4 * model.nwrap
    return int(_SPARE_ROOM + 5 * often + frames + tendons)
