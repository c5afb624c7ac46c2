"""A model's cameras and lights as values."""

from __future__ import annotations

import math
from itertools import count
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.engines.mujoco.standard import StandardLightEdits, StandardLook
from heliograph.engines.mujoco.versions import (
    CAMERA_KIND,
    LIGHT_KIND,
    PRINCIPAL_UP,
    light_ids,
    light_memory,
)
from heliograph.engines.mujoco.visual import SHOWN_GROUPS
from heliograph.engines.shared.lights import LightEdits, SceneLight
from heliograph.errors import InvalidValueError
from heliograph.raster import Light, LightKind
from heliograph.scene import EditLight

FREE = "free"
FIT = "fit"
HEAD = "head"
_LINEAR = ("decay", "distance", "size")
_SOFT = 0.3
"""Over which part of its cone a spot fades in linear light."""
_LIGHT_KINDS = {0: LightKind.SPOT, 1: LightKind.DIRECTIONAL, 2: LightKind.POINT}
"""MuJoCo's numbers of them; other kinds are drawn as points."""


def model_cameras(
    model: mujoco.MjModel, data: mujoco.MjData, size: tuple[int, int]
) -> dict[str, Camera]:
    """The model's cameras by name as this state places them, in its order, then two of ours.

    `free` is MuJoCo's default view; `fit` looks from the same side and frames all bounded geoms.
    Both give way to a model's camera of that name. Unnamed cameras are called `camera0`, ... as far
    as the model leaves these names; a camera with a resolution of its own keeps it.
    """
    names = enumerate(_names(model))
    cameras = {name: _fixed(model, data, index, name, size) for index, name in names}
    free = _free(model, size)
    ours = {FREE: free, FIT: _fit(model, data, free)}
    return cameras | {name: camera for name, camera in ours.items() if name not in cameras}


def _names(model: mujoco.MjModel) -> list[str]:
    """A name for each camera; an unnamed one gets the first free `cameraN` from its own number."""
    kind = mujoco.mjtObj.mjOBJ_CAMERA
    names = [mujoco.mj_id2name(model, kind, index) or "" for index in range(model.ncam)]
    for index, name in enumerate(names):
        if not name:
            numbered = (f"camera{number}" for number in count(index))
            names[index] = next(free for free in numbered if free not in names)
    return names


class CameraPoses:
    """Where the model's cameras stand in the state that some data have.

    What depends on a camera alone is kept by identity, and most cameras stand still: while one
    does, it is the same object.
    """

    def __init__(self, data: mujoco.MjData) -> None:
        self._turn, self._position = data.cam_xmat, data.cam_xpos
        self._last: dict[int, tuple[bytes, Camera]] = {}

    def placed(self, camera: Camera, index: int) -> Camera:
        """One of the model's cameras where it is now."""
        now = self._turn[index].tobytes() + self._position[index].tobytes()
        last = self._last.get(index)
        if last is None or last[0] != now:
            last = self._last[index] = now, camera.placed(self.pose(index))
        return last[1]

    def pose(self, index: int) -> NDArray[np.float64]:
        """Its world_from_camera (4, 4)."""
        pose = np.eye(4)
        pose[:3, :3] = self._turn[index].reshape(3, 3)
        pose[:3, 3] = self._position[index]
        return pose


def _range(model: mujoco.MjModel) -> dict[str, float]:
    extent = float(model.stat.extent)
    return {"near": model.vis.map.znear * extent, "far": model.vis.map.zfar * extent}


def _fixed(
    model: mujoco.MjModel, data: mujoco.MjData, index: int, name: str, size: tuple[int, int]
) -> Camera:
    resolution = tuple(int(n) for n in model.cam_resolution[index])
    width, height = resolution if resolution != (1, 1) else size
    common: dict[str, Any] = {"width": width, "height": height, "name": name, **_range(model)}
    pose = CameraPoses(data).pose(index)
    fovy = float(model.cam_fovy[index])
    if getattr(model, CAMERA_KIND)[index]:
        return Camera.orthographic(extent_y=fovy, world_from_camera=pose, **common)
    if model.cam_sensorsize[index].any():
        return Camera.from_K(
            _intrinsics(model, index, width, height), world_from_camera=pose, **common
        )
    return Camera.perspective(fov_y=math.radians(fovy), world_from_camera=pose, **common)


def _intrinsics(model: mujoco.MjModel, index: int, width: int, height: int) -> NDArray[np.float64]:
    """K from focal length and principal point in metres on the sensor."""
    sensor = np.asarray(model.cam_sensorsize[index], float)
    fx, fy, px, py = np.asarray(model.cam_intrinsic[index], float)
    per_metre = np.array([width, height]) / sensor
    return np.array(
        [
            [fx * per_metre[0], 0, width / 2 - px * per_metre[0]],
            [0, fy * per_metre[1], height / 2 - PRINCIPAL_UP * py * per_metre[1]],
            [0, 0, 1.0],
        ]
    )


def _free(model: mujoco.MjModel, size: tuple[int, int]) -> Camera:
    """MuJoCo's default free camera."""
    view = mujoco.MjvCamera()
    mujoco.mjv_defaultFreeCamera(model, view)
    azimuth, elevation = math.radians(view.azimuth), math.radians(view.elevation)
    forward = np.array(
        [
            math.cos(elevation) * math.cos(azimuth),
            math.cos(elevation) * math.sin(azimuth),
            math.sin(elevation),
        ]
    )
    target = np.asarray(view.lookat, float)
    return Camera.look_at(
        eye=target - view.distance * forward,
        target=target,
        fov_y=math.radians(float(model.vis.global_.fovy)),
        width=size[0],
        height=size[1],
        name=FREE,
        **_range(model),
    )


def _fit(model: mujoco.MjModel, data: mujoco.MjData, free: Camera) -> Camera:
    """The free camera, moved so that the bounding spheres of all visible bounded geoms just fit."""
    shown = (model.geom_rbound > 0) & (model.geom_group < SHOWN_GROUPS)
    radius = model.geom_rbound[shown]
    if not len(radius):
        return free.replace(name=FIT)
    centres = data.geom_xpos[shown] @ free.world_from_camera[:3, :3]  # camera axes
    low, high = (centres - radius[:, None]).min(0), (centres + radius[:, None]).max(0)
    half = (high - low) / 2
    distance = max(half[0] * free.fx / (free.width / 2), half[1] * free.fy / (free.height / 2))
    pose = np.array(free.world_from_camera)
    pose[:3, 3] = pose[:3, :3] @ ((low + high) / 2 + (0, 0, distance + half[2]))
    return free.moved(pose).replace(name=FIT)


class ClassicLightEdits(LightEdits):
    """Edits of lights that shine as MuJoCo's own renderer has them."""

    def apply(self, edit: EditLight) -> None:
        """See `LightEdits`; what only linear light knows is refused."""
        given = [name for name in _LINEAR if getattr(edit, name) is not None]
        if given:
            raise InvalidValueError(
                f"EditLight {edit.name!r}: {', '.join(given)}: MuJoCo's classic look knows no such "
                "thing; leave it out, or open the model with shading='standard'"
            )
        super().apply(edit)


class Lights:
    """The lights MuJoCo shows, made anew only when its memory of them changes.

    Args:
        model: the compiled model.
        scene: what is shown of it.
        look: how they become linear light; without one they stay as they are.
    """

    def __init__(
        self, model: mujoco.MjModel, scene: mujoco.MjvScene, look: StandardLook | None = None
    ) -> None:
        self._model = model
        self._scene = scene
        self._style = look
        self._softness = 0.0 if look is None else _SOFT
        self._memory, self._place = light_memory(scene)
        self._before, self._look = b"", (b"", b"")
        self._lights: tuple[Light, ...] = ()
        self._drawn: tuple[Light, ...] = ()
        self._names: tuple[str, ...] = ()

    def edits(self, data: mujoco.MjData, _: object = None) -> LightEdits:
        """The lights by name, to be edited; the model says how far their shadows reach."""
        on = {
            name: SceneLight((light,))
            for name, light in zip(self._names, self._lights, strict=True)
        }
        stat = self._model.stat
        sphere = np.array(stat.center, float), float(stat.extent)
        if self._style is None:
            return ClassicLightEdits(on, self._dark(data), lambda: sphere)
        return StandardLightEdits(on, self._dark(data), lambda: sphere, self._style)

    def _dark(self, data: mujoco.MjData) -> dict[str, SceneLight]:
        """The lights that are off, where the state has them."""
        model, extent = self._model, float(self._model.stat.extent)
        reach = (model.vis.map.znear * extent, model.vis.map.zfar * extent)
        found, names = {}, light_names(model)
        for index in np.flatnonzero(model.light_active == 0).tolist():
            light = mujoco.MjvLight()
            for name in ("attenuation", "ambient", "diffuse", "specular"):
                getattr(light, name)[:] = getattr(model, f"light_{name}")[index]
            light.pos[:], light.dir[:] = data.light_xpos[index], data.light_xdir[index]
            setattr(light, LIGHT_KIND, int(getattr(model, f"light_{LIGHT_KIND}")[index]))
            light.cutoff, light.exponent = model.light_cutoff[index], model.light_exponent[index]
            light.castshadow = int(model.light_castshadow[index])
            clip = float(model.vis.map.shadowclip) * extent
            found[names[index]] = SceneLight((_light(light, clip, reach, self._softness),))
        return found

    def update(self) -> tuple[Light, ...]:
        """The lights of the scene's last update; the same tuple while nothing changes."""
        rows, place = self._memory[: self._scene.nlight], self._place
        now = rows.tobytes()
        if now != self._before:
            look = rows[:, : place.start].tobytes(), rows[:, place.stop :].tobytes()
            if look == self._look:
                places = rows[:, place].tolist()
                plain = self._drawn is self._lights
                self._lights = _moved(self._lights, places)
                self._drawn = self._lights if plain else _moved(self._drawn, places)
            else:
                self._make()
            self._before, self._look = now, look
        return self._drawn

    def _make(self) -> None:
        shown = self._scene.lights[: self._scene.nlight]
        extent, reach = float(self._model.stat.extent), self._model.vis.map
        clip, ends = float(reach.shadowclip) * extent, (reach.znear * extent, reach.zfar * extent)
        self._lights = tuple(_light(light, clip, ends, self._softness) for light in shown)
        self._drawn = self._lights if self._style is None else self._style.lights(self._lights)
        *names, head = light_names(self._model)
        ids = light_ids(self._model, shown)
        self._names = tuple(head if index < 0 else names[index] for index in ids)


def _moved(lights: tuple[Light, ...], places: list[list[float]]) -> tuple[Light, ...]:
    pairs = zip(lights, places, strict=True)
    return tuple(light.moved((x, y, z), (u, v, w)) for light, (x, y, z, u, v, w) in pairs)


def light_names(model: mujoco.MjModel) -> list[str]:
    """Names of the model's lights, `light0`, ... without one, and then of the head light.

    The model's own names win: where they are taken already, ours have `_` behind them, and the
    head light is `headlight` instead of `head`.
    """
    given = [str(model.light(index).name) for index in range(model.nlight)]
    taken = set(given)
    names = [name or _free_name(f"light{index}", taken) for index, name in enumerate(given)]
    return [*names, _free_name("headlight" if HEAD in taken else HEAD, taken)]


def _free_name(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _light(
    light: mujoco.MjvLight, clip: float, shadow_range: tuple[float, float], softness: float
) -> Light:
    kind = (
        LightKind.HEAD
        if light.headlight
        else _LIGHT_KINDS.get(int(getattr(light, LIGHT_KIND)), LightKind.POINT)
    )
    a, b, c = (float(n) for n in light.attenuation)
    return Light(
        kind=kind,
        position=_triple(light.pos),
        direction=_triple(light.dir),
        diffuse=_triple(light.diffuse),
        specular=_triple(light.specular),
        ambient=_triple(light.ambient),
        attenuation=(a, b, c) if a + b + c > 0 else (1.0, 0.0, 0.0),
        cutoff=math.radians(float(light.cutoff)),
        exponent=float(light.exponent),
        softness=softness,
        # MuJoCo's renderer draws no shadows of point lights.
        casts_shadow=bool(light.castshadow) and kind is not LightKind.POINT,
        shadow_extent=clip,
        shadow_range=shadow_range,
    )


def _triple(values: NDArray[Any]) -> tuple[float, float, float]:
    x, y, z = values.tolist()
    return x, y, z
