"""What randomizers may know of a model besides its description; in its initial state."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from heliograph.engines.mujoco.cameras import light_names
from heliograph.engines.mujoco.segments import Segments
from heliograph.randomize import Joint

_KINDS = {
    mujoco.mjtJoint.mjJNT_HINGE: "hinge",
    mujoco.mjtJoint.mjJNT_SLIDE: "slide",
    mujoco.mjtJoint.mjJNT_BALL: "ball",
    mujoco.mjtJoint.mjJNT_FREE: "free",
}
_CORNERS = np.array(np.meshgrid(*[[-1.0, 1.0]] * 3)).reshape(3, -1).T

Array = NDArray[Any]


def details(model: mujoco.MjModel, data: mujoco.MjData, segments: Segments) -> dict[str, Any]:
    """Fields of `heliograph.randomize.Facts`.

    Args:
        model: the compiled model.
        data: its initial state, with positions computed.
        segments: the names of its objects.
    """
    geoms = [label.name for label in segments.objects[: model.ngeom]]
    sites = [label.name for label in segments.objects[model.ngeom : model.ngeom + model.nsite]]
    bodies = [model.body(i).name or f"body{i}" for i in range(model.nbody)]
    boxes = {name: _box(model, i) for i, name in enumerate(geoms)}
    poses = {
        **{name: _pose(data.geom_xpos[i], data.geom_xmat[i]) for i, name in enumerate(geoms)},
        **{name: _pose(data.site_xpos[i], data.site_xmat[i]) for i, name in enumerate(sites)},
    }
    places = {name: _pose(data.xpos[i], data.xmat[i]) for i, name in enumerate(bodies)}
    members = _subtrees(model, bodies, (geoms, sites))
    return {
        "bodies": members,
        "colours": {
            **{name: _colour(model, i) for i, name in enumerate(geoms)},
            **{name: tuple(model.site_rgba[i].tolist()) for i, name in enumerate(sites)},
        },
        "poses": places | poses,
        "boxes": _body_boxes(places, members, poses, boxes) | boxes,
        "joints": tuple(_joint(model, i) for i in range(model.njnt)),
        "state": {"qpos": np.array(model.qpos0)},
        "lights": _shining(model),
    }


def _shining(model: mujoco.MjModel) -> tuple[str, ...]:
    """Names of the lights that are on, in the description's order."""
    *names, head = light_names(model)
    on = [name for name, active in zip(names, model.light_active, strict=True) if active]
    return (*[head] * bool(model.vis.headlight.active), *on)


def _pose(position: Array, rotation: Array) -> Array:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation.reshape(3, 3), position
    return pose


def _colour(model: mujoco.MjModel, geom: int) -> tuple[float, ...]:
    material = int(model.geom_matid[geom])
    own = model.geom_rgba[geom]
    plain = own.tolist() == [0.5, 0.5, 0.5, 1.0]  # MuJoCo's default: not set
    return tuple((model.mat_rgba[material] if material >= 0 and plain else own).tolist())


def _box(model: mujoco.MjModel, geom: int) -> Array:
    """Corners (8, 3) of a geom's bounding box in its own axes; empty planes have none."""
    centre, half = model.geom_aabb[geom, :3], model.geom_aabb[geom, 3:]
    return np.asarray(centre + _CORNERS * half).astype(float)


def _subtrees(
    model: mujoco.MjModel, bodies: list[str], names: tuple[list[str], list[str]]
) -> dict[str, tuple[str, ...]]:
    """Body -> the names of the geoms and sites on it and on all below it."""
    held: list[list[str]] = [[] for _ in bodies]
    for owners, each in zip((model.geom_bodyid, model.site_bodyid), names, strict=True):
        for owner, name in zip(owners, each, strict=True):
            held[owner].append(name)
    for body in range(model.nbody - 1, 0, -1):  # children come after their parents
        held[model.body_parentid[body]] += held[body]
    return {name: tuple(each) for name, each in zip(bodies, held, strict=True)}


def _body_boxes(
    places: dict[str, Array],
    members: dict[str, tuple[str, ...]],
    poses: dict[str, Array],
    boxes: dict[str, Array],
) -> dict[str, Array]:
    """Body -> corners (8, 3), in its own axes, of the box round all that is on it and below."""
    found = {}
    for body, place in places.items():
        inside = [name for name in members[body] if name in boxes]
        if not inside:
            continue
        world = [boxes[name] @ poses[name][:3, :3].T + poses[name][:3, 3] for name in inside]
        local = (np.concatenate(world) - place[:3, 3]) @ place[:3, :3]
        low, high = local.min(0), local.max(0)
        found[body] = (low + high) / 2 + _CORNERS * (high - low) / 2
    return found


def _joint(model: mujoco.MjModel, index: int) -> Joint:
    kind = _KINDS[mujoco.mjtJoint(int(model.jnt_type[index]))]
    low, high = np.asarray(model.jnt_range[index], float).tolist()
    limited = bool(model.jnt_limited[index])
    return Joint(
        name=model.joint(index).name or f"joint{index}",
        kind=kind,
        at=int(model.jnt_qposadr[index]),
        low=low if limited else None,
        high=high if limited else None,
    )
