"""The object table of a MuJoCo model: geoms, sites, tendons and the like, then bodies."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from heliograph.engines.mujoco.versions import metallic_roughness
from heliograph.frame import Label
from heliograph.scene import Material, MaterialTexture, ObjectTable
from heliograph.scene.objects import union_box
from heliograph.scene.textures import TextureUse

_O = mujoco.mjtObj
_KINDS = (
    (_O.mjOBJ_GEOM, "ngeom"),
    (_O.mjOBJ_SITE, "nsite"),
    (_O.mjOBJ_TENDON, "ntendon"),
    (_O.mjOBJ_SKIN, "nskin"),
    (_O.mjOBJ_FLEX, "nflex"),
    (_O.mjOBJ_ACTUATOR, "nu"),
    (_O.mjOBJ_SENSOR, "nsensor"),
)
_RANGE = int(mujoco.mjtSensor.mjSENS_RANGEFINDER)
_TYPES = 64


class SegmentBy(Enum):
    """What one id stands for."""

    OBJECT = "object"
    BODY = "body"
    CATEGORY = "category"


class ModelObjects:
    """The objects of a model, numbered from 1.

    Geoms in the model's order, then sites, tendons, skins, flexes, actuators and, where range
    finders show as lines, sensors; then bodies, which only group; then, by category, categories.

    Args:
        model: the compiled model.
        data: its initial state, with positions computed.
        by: what one segmentation id stands for: each object, its body (what is not on a body keeps
            its own id) or its category (geom type, `site`, `tendon`, ...).

    Attributes:
        table: the object table.
        names: name -> numbers (ids) of the objects of that name, without bodies and categories.
    """

    def __init__(
        self, model: mujoco.MjModel, data: mujoco.MjData, by: SegmentBy = SegmentBy.OBJECT
    ) -> None:
        self._start = np.zeros(_TYPES, np.int64)
        self._count = np.zeros(_TYPES, np.int64)
        labels: list[Label] = []
        for kind, field in _KINDS:
            count = getattr(model, field)
            if kind == _O.mjOBJ_SENSOR and not (model.sensor_type == _RANGE).any():
                count = 0  # only range finders show: a line each
            self._start[kind], self._count[kind] = 1 + len(labels), count
            labels += [_label(model, kind, i) for i in range(count)]
        self.names: dict[str, list[int]] = {}
        for number, label in enumerate(labels):
            self.names.setdefault(label.name, []).append(1 + number)
        self.table = _table(model, data, labels, by)
        self._shown_as = np.concatenate([[0], self.table.shown_as]).astype(np.int32)

    def ids(self, objtype: NDArray[Any], objid: NDArray[Any]) -> NDArray[np.int32]:
        """What the segmentation pass shows MuJoCo objects (N,) as; 0 for none of the model's."""
        return self._shown_as[self.numbers(objtype, objid)]

    def numbers(self, objtype: NDArray[Any], objid: NDArray[Any]) -> NDArray[np.int64]:
        """Ids of MuJoCo objects (N,), whatever they are shown as."""
        known = (objid >= 0) & (objid < self._count[np.clip(objtype, 0, _TYPES - 1)])
        rows: NDArray[np.int64] = np.where(
            known, self._start[np.clip(objtype, 0, _TYPES - 1)] + objid, 0
        )
        return rows


def _table(
    model: mujoco.MjModel, data: mujoco.MjData, labels: list[Label], by: SegmentBy
) -> ObjectTable:
    first_body, bodies = len(labels), [model.body(i).name or f"body{i}" for i in range(model.nbody)]
    categories = sorted({label.category for label in labels}) if by is SegmentBy.CATEGORY else []
    rows = [*labels, *(Label(name, "body") for name in bodies)]
    rows += [Label(name, name) for name in categories]
    count, on_body = len(rows), model.ngeom + model.nsite
    seen = np.arange(count) < first_body
    parents = np.zeros(count, np.int32)
    parents[:on_body] = 1 + first_body + np.concatenate([model.geom_bodyid, model.site_bodyid])
    inner = np.arange(1, model.nbody)  # the world has no parent
    parents[first_body + inner] = 1 + first_body + model.body_parentid[inner]
    poses = np.tile(np.eye(4), (count, 1, 1))
    turns = np.concatenate([data.geom_xmat, data.site_xmat]).reshape(-1, 3, 3)
    poses[:on_body, :3, :3] = turns
    poses[:on_body, :3, 3] = np.concatenate([data.geom_xpos, data.site_xpos])
    there = slice(first_body, first_body + model.nbody)
    poses[there, :3, :3], poses[there, :3, 3] = data.xmat.reshape(-1, 3, 3), data.xpos
    return ObjectTable(
        ids=np.arange(1, count + 1, dtype=np.int32),
        names=tuple(row.name for row in rows),
        categories=tuple(row.category for row in rows),
        materials=_materials(model, count),
        parents=parents,
        boxes=_boxes(model, poses, first_body, count),
        seen=seen,
        poses=poses,
        colours=_colours(model, count),
        shown_as=_shown_as(rows, parents, seen, by),
    )


def _shown_as(
    rows: list[Label], parents: NDArray[np.int32], seen: NDArray[np.bool_], by: SegmentBy
) -> NDArray[np.int32]:
    own = np.arange(1, len(rows) + 1, dtype=np.int32)
    if by is SegmentBy.BODY:
        own = np.where(parents > 0, parents, own)
    if by is SegmentBy.CATEGORY:
        places = {row.category: place for place, row in enumerate(rows, 1)}  # the last is its own
        own = np.array([places[row.category] for row in rows], np.int32)
    return np.where(seen, own, 0).astype(np.int32)


_USES: Mapping[str, tuple[TextureUse, ...]] = MappingProxyType(
    {
        "RGB": ("base_color",),
        "RGBA": ("base_color",),
        "OPACITY": ("alpha",),
        "NORMAL": ("normal",),
        "ROUGHNESS": ("roughness",),
        "METALLIC": ("metallic",),
        "OCCLUSION": ("occlusion",),
        "ORM": ("occlusion", "roughness", "metallic"),
        "EMISSIVE": ("emissive",),
    }
)
"""What MuJoCo's textures are for, by their roles; of two for one use the first counts."""


def _textures(model: mujoco.MjModel, material: int) -> tuple[MaterialTexture, ...]:
    found: dict[TextureUse, MaterialTexture] = {}
    for role, uses in _USES.items():
        number = int(getattr(mujoco.mjtTextureRole, f"mjTEXROLE_{role}"))
        texture = int(model.mat_texid[material, number])
        for use in uses if texture >= 0 else ():
            found.setdefault(use, MaterialTexture(use, model.texture(texture).name))
    return tuple(found.values())


def material(model: mujoco.MjModel, index: int) -> Material:
    """One of the model's materials; one without a name is called by its number."""
    red, green, blue, alpha = np.clip(model.mat_rgba[index], 0, 1).tolist()
    metallic, roughness = metallic_roughness(model)[index].tolist()
    return Material(
        name=_material_name(model, index),
        kind="phong" if math.isnan(metallic) and math.isnan(roughness) else "standard",
        base_color=(red, green, blue, alpha),
        metallic=0.0 if math.isnan(metallic) else metallic,
        roughness=1.0 if math.isnan(roughness) else roughness,
        alpha_mode="blend" if alpha < 1 else "opaque",
        textures=_textures(model, index),
        specular=float(model.mat_specular[index]),
        shininess=float(model.mat_shininess[index]),
        reflectance=float(model.mat_reflectance[index]),
        emission=float(model.mat_emission[index]),
    )


def _material_name(model: mujoco.MjModel, index: int) -> str:
    return model.mat(index).name or f"material{index}"


def _materials(model: mujoco.MjModel, count: int) -> tuple[str, ...]:
    """Name of each object's material; a flex has that of its first element."""
    flexes = model.flex_matid
    if len(flexes) != model.nflex:  # since MuJoCo 4 each of their elements has its own
        flexes = flexes[model.flex_elemadr]
    worn = [model.geom_matid, model.site_matid, model.tendon_matid, model.skin_matid, flexes]
    names = [
        _material_name(model, index) if index >= 0 else ""
        for index in np.concatenate(worn).tolist()
    ]
    return (*names, *[""] * (count - len(names)))


def _colours(model: mujoco.MjModel, count: int) -> NDArray[np.float64]:
    """Red, green, blue, alpha (N, 4) of geoms and sites."""
    colours = np.full((count, 4), np.nan)
    material, own = model.geom_matid, np.array(model.geom_rgba, float)
    plain = (own == np.array([0.5, 0.5, 0.5, 1.0], np.float32)).all(1)  # MuJoCo's default: not set
    dressed = plain & (material >= 0)
    own[dressed] = model.mat_rgba[material[dressed]]
    colours[: model.ngeom] = own
    colours[model.ngeom : model.ngeom + model.nsite] = model.site_rgba
    return colours


def _boxes(
    model: mujoco.MjModel, poses: NDArray[np.float64], first_body: int, count: int
) -> NDArray[np.float64]:
    """Boxes (N, 2, 3) of geoms, and of bodies with all geoms on them and below."""
    boxes = np.full((count, 2, 3), np.nan)
    centre, half = model.geom_aabb[:, :3], model.geom_aabb[:, 3:]
    boxes[: model.ngeom] = np.stack([centre - half, centre + half], 1)
    below = [np.flatnonzero(model.geom_bodyid == body).tolist() for body in range(model.nbody)]
    for body in range(model.nbody - 1, -1, -1):  # children come after their parents
        row, rows = first_body + body, below[body]
        boxes[row] = union_box(boxes[rows], poses[rows], poses[row])
        if body:
            below[model.body_parentid[body]] += rows
    return boxes


def _label(model: mujoco.MjModel, kind: mujoco.mjtObj, index: int) -> Label:
    """Its name, or without one its body's and its number in the model; and its category."""
    word = category = kind.name.removeprefix("mjOBJ_").lower()
    if kind == _O.mjOBJ_GEOM:
        category = mujoco.mjtGeom(int(model.geom_type[index])).name.removeprefix("mjGEOM_").lower()
    name = mujoco.mj_id2name(model, kind, index)
    if not name:
        bodies = {_O.mjOBJ_GEOM: model.geom_bodyid, _O.mjOBJ_SITE: model.site_bodyid}.get(kind)
        body = "" if bodies is None else model.body(int(bodies[index])).name
        name = f"{body}/{word}{index}" if body else f"{word}{index}"
    return Label(name, category)
