"""What differs between the versions of MuJoCo that the engine runs on, 3.2.7 to 4.

MuJoCo's structs are read straight from its memory: reading their fields one Python attribute at a
time costs more than drawing. Where each field lies differs between versions, so it is found out
once in a process: a field is written through MuJoCo's own accessor, and the bytes that change are
where it lies.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from heliograph.errors import SceneError

GEOM = np.dtype(
    {
        "names": [
            *("type", "dataid", "objtype", "objid", "category", "matid", "texid", "texuniform"),
            *("texcoord", "segid", "size", "pos", "mat", "rgba"),
            *("emission", "specular", "shininess", "reflectance", "surface"),
            *("texrepeat", "castshadow"),
        ],
        "formats": [
            *(["<i4"] * 10),
            *(("<f4", 3), ("<f4", 3), ("<f4", (3, 3)), ("<f4", 4)),
            *(["<f4"] * 4),
            *(("<f4", 4), ("<f4", 2), "u1"),
        ],
        "offsets": [*range(0, 40, 4), 40, 52, 64, 100, *range(116, 132, 4), 116, 132, 140],
        "itemsize": 256,
    }
)
"""mjvGeom as MuJoCo 4 declares it; `surface` is emission, specular, shininess, reflectance."""

_LIGHT = np.dtype([("id", "<i4"), ("pos", "<f4", 3), ("dir", "<f4", 3)])
_WORN = np.dtype(
    [(name, GEOM[name]) for name in ("texid", "texuniform", "texrepeat", "castshadow")]
)
_RGB_ROLE = int(mujoco.mjtTextureRole.mjTEXROLE_RGB)

CAMERA_KIND = "cam_projection"
if not hasattr(mujoco.MjModel, CAMERA_KIND):
    CAMERA_KIND = "cam_orthographic"
"""The field of a model that tells how each camera projects: 0 is in perspective, 1 orthographic."""

_VERSION = tuple(int(part) for part in mujoco.__version__.split(".")[:2])
FLAT_TEXTURES = _VERSION < (3, 12)
"""Whether a 2d texture lies flat on every shape that has no texture coordinates of its own."""
PRINCIPAL_UP = -1 if _VERSION < (3, 6) else 1
"""Which way a camera's principal point moves its picture along y."""

LIGHT_KIND = "type" if hasattr(mujoco.MjvLight, "type") else "directional"
"""The field of a light that tells its kind: 0 is a spot, 1 directional, in all versions."""


def metallic_roughness(model: mujoco.MjModel) -> NDArray[np.float32]:
    """What materials (nmat, 2) say of metal and roughness, NaN where they do not.

    Before 3.3.4 those that do not have a 1, and cannot be told from those that say so.
    """
    said = np.column_stack([model.mat_metallic, model.mat_roughness])
    unsaid = (said == _unsaid()) | (said < 0)
    return np.where(unsaid, np.nan, np.minimum(said, 1)).astype(np.float32)


@cache
def _unsaid() -> float:
    plain = mujoco.MjModel.from_xml_string('<mujoco><asset><material name="m"/></asset></mujoco>')
    return float(plain.mat_metallic[0])


class GeomMemory:
    """The geoms of MuJoCo's abstract scenes of one model as arrays of dtype GEOM.

    Where this MuJoCo has another layout they are copied, and what it does not keep with a geom
    comes from the geom's material.
    """

    def __init__(self, model: mujoco.MjModel, scene: mujoco.MjvScene) -> None:
        layout, room = _layout("geoms", GEOM), scene.maxgeom
        fields: Any = layout.fields
        wanted: Any = GEOM.fields
        self._same = list(fields)
        self._lacking = [name for name in _WORN.names or () if name not in fields]
        self._direct = not self._lacking and layout.itemsize == GEOM.itemsize
        self._direct &= all(fields[name][1] == wanted[name][1] for name in self._same)
        self._all = _view(scene.geoms, GEOM if self._direct else layout, room)
        self._copies = np.zeros(0 if self._direct else room, GEOM)
        self._worn = _worn(model)
        self._finders = model.sensor_type == mujoco.mjtSensor.mjSENS_RANGEFINDER

    def first(self, count: int) -> NDArray[Any]:
        """The first geoms (count,) of dtype GEOM; valid until the next call or update."""
        geoms = self._all[:count]
        if self._direct:
            return geoms
        copies = self._copies[:count]
        for name in self._same:
            copies[name] = geoms[name]
        worn = self._worn[geoms["matid"]]
        for name in self._lacking:
            copies[name] = worn[name]
        if self._finders.any():  # before 3.3.4 their lines tell the sensor, but not that it is one
            lines = copies["type"] == mujoco.mjtGeom.mjGEOM_LINE
            lines &= copies["objtype"] == mujoco.mjtObj.mjOBJ_UNKNOWN
            copies["objtype"][lines] = mujoco.mjtObj.mjOBJ_SENSOR
        return copies


def light_memory(scene: mujoco.MjvScene) -> tuple[NDArray[np.float32], slice]:
    """The lights of a scene as rows (L, W) of numbers, and which are position and direction."""
    layout = _layout("lights", _LIGHT)
    start, after = (layout.fields[name][1] for name in ("pos", "dir"))  # type: ignore[index]
    if after != start + 12:
        raise _unknown("lights", "dir")
    memory = _view(scene.lights, layout, len(scene.lights)).view(np.float32)
    return memory.reshape(-1, layout.itemsize // 4), slice(start // 4, start // 4 + 6)


def light_ids(model: mujoco.MjModel, lights: list[Any]) -> list[int]:
    """Which of the model's lights these lights of a scene are; -1 for the head light."""
    shown = iter(np.flatnonzero(model.light_active).tolist())  # older lights do not tell
    return [-1 if light.headlight else getattr(light, "id", next(shown, -1)) for light in lights]


def _worn(model: mujoco.MjModel) -> NDArray[Any]:
    """What each material gives to its geoms, and last what a geom without one has."""
    worn = np.zeros(model.nmat + 1, _WORN)
    worn["castshadow"], worn["texrepeat"], worn["texid"][-1] = 1, 1, -1
    worn["texid"][:-1] = model.mat_texid[:, _RGB_ROLE]
    worn["texuniform"][:-1] = model.mat_texuniform
    worn["texrepeat"][:-1] = model.mat_texrepeat
    return worn


def _view(structs: Any, layout: np.dtype[Any], count: int) -> NDArray[Any]:
    """The memory of so many of MuJoCo's structs."""
    address = structs[0].pos.ctypes.data - layout.fields["pos"][1]  # type: ignore[index]
    memory = (ctypes.c_ubyte * (count * layout.itemsize)).from_address(address)
    return np.frombuffer(memoryview(memory), layout)


@cache
def _layout(kind: str, wanted: np.dtype[Any]) -> np.dtype[Any]:
    """The layout of MjvScene's `geoms` or `lights`: offsets of the wanted fields that exist."""
    scene = mujoco.MjvScene(mujoco.MjModel.from_xml_string("<mujoco/>"), maxgeom=3)
    structs = getattr(scene, kind)
    start, here, end = (structs[i].pos.ctypes.data for i in range(3))
    memory = np.ctypeslib.as_array((ctypes.c_ubyte * (end - start)).from_address(start))
    fields = {name: wanted[name] for name in wanted.names or () if hasattr(structs[1], name)}
    offsets = []
    for name, form in fields.items():
        place = _place(structs[1], name, form, memory)
        if place is None:
            raise _unknown(kind, name)
        offsets.append(start + place - here)
    layout: Any = {
        "names": list(fields),
        "formats": list(fields.values()),
        "offsets": [offset - min(offsets) for offset in offsets],
        "itemsize": end - here,
    }
    made: np.dtype[Any] = np.dtype(layout)
    return made


def _place(struct: Any, name: str, form: np.dtype[Any], memory: NDArray[np.uint8]) -> int | None:
    """Where in the memory a field of a struct lies; None if it is not what it should be."""
    blank = np.zeros((), form)
    marked = np.frombuffer(bytes(range(1, 1 + blank.nbytes)), form.base).reshape(form.shape)
    _write(struct, name, blank)
    before = memory.copy()
    _write(struct, name, marked)
    changed = np.flatnonzero(memory != before)
    whole = len(changed) == blank.nbytes and np.ptp(changed) == blank.nbytes - 1
    return int(changed[0]) if whole else None


def _write(struct: Any, name: str, value: NDArray[Any]) -> None:
    if value.shape:
        getattr(struct, name)[:] = value.reshape(getattr(struct, name).shape)
    else:
        setattr(struct, name, value.item())


def _unknown(kind: str, field: str) -> SceneError:
    return SceneError(
        f"MuJoCo {mujoco.__version__} lays out '{field}' of its {kind} in a way this version does "
        "not know; install mujoco>=3.2.7,<5"
    )
