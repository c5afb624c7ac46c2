"""What MuJoCo shows for one state, as arrays: its abstract geoms, straight from its own memory.

`mjv_updateScene` decides what is visible (groups, flags, tendons, connectors, skins). Reading its
geoms one Python attribute at a time costs more than drawing them, so the buffer is viewed as a
structured array; `GeomBuffer` compares it with MuJoCo's accessors once, when it is made.
"""

from __future__ import annotations

import ctypes
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from heliograph.errors import EngineError, SceneError

GEOM = np.dtype(
    {
        "names": [
            *("type", "dataid", "objtype", "objid", "category", "matid", "texid", "texuniform"),
            *("texcoord", "segid", "size", "pos", "mat", "rgba", "surface", "texrepeat"),
            "castshadow",
        ],
        "formats": [
            *(["<i4"] * 10),
            *(("<f4", 3), ("<f4", 3), ("<f4", (3, 3)), ("<f4", 4), ("<f4", 4), ("<f4", 2), "u1"),
        ],
        "offsets": [*range(0, 40, 4), 40, 52, 64, 100, 116, 132, 140],
        "itemsize": 256,
    }
)
"""mjvGeom as mjvisualize.h declares it; `surface` is emission, specular, shininess, reflectance."""

_SPARE_ROOM = 20_000
_POSITION = 52  # where `pos` lies in it


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
        self._all = self._view(room)
        self._checked = False

    def update(self, data: mujoco.MjData) -> NDArray[Any]:
        """The geoms (N,) of dtype GEOM that this state shows; valid until the next call."""
        if not self._checked:  # endless planes are put below where the camera was before
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
        if self.scene.status:
            raise EngineError(
                f"this state shows more than the {self.scene.maxgeom} elements there is room for "
                f"({data.ncon} contacts); show fewer kinds of them (flags and groups of MjvOption)"
            )
        geoms = self._all[: self.scene.ngeom]
        if not self._checked and len(geoms):
            self._check(geoms)
        return geoms

    def _view(self, room: int) -> NDArray[Any]:
        address = self.scene.geoms[0].pos.ctypes.data - _POSITION
        memory = (ctypes.c_char * (room * GEOM.itemsize)).from_address(address)
        return np.frombuffer(memoryview(memory), GEOM)

    def _check(self, geoms: NDArray[Any]) -> None:
        for place in {0, len(geoms) - 1}:
            truth, row = self.scene.geoms[place], geoms[place]
            same = [truth.type == row["type"], truth.objid == row["objid"]]
            same += [truth.castshadow == row["castshadow"], truth.texid == row["texid"]]
            for name in ("size", "pos", "mat", "rgba", "texrepeat"):
                same.append(_equal(np.ravel(getattr(truth, name)), row[name].ravel()))
            same.append(_equal(truth.reflectance, row["surface"][3]))
            if not all(same):
                raise SceneError(
                    f"MuJoCo {mujoco.__version__} lays out its geoms in a way this version does "
                    "not know; install mujoco>=4,<5"
                )
        self._checked = True


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


def _equal(truth: Any, read: Any) -> bool:
    return np.array_equal(np.float32(truth), read, equal_nan=True)
