"""Segmentation ids of a MuJoCo model, and what they stand for."""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from heliograph.frame import BACKGROUND, Label, Labels

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


class Segments:
    """Ids of a model: geoms from 1 in the model's order, then sites, tendons, skins, flexes, ...

    Sensors come last, and only where range finders show as lines.

    Args:
        model: the compiled model.
        by: one id for each object, body (what is not on a body keeps ids of its own behind them)
            or category (geom type, `site`, `tendon`, ...).
    """

    def __init__(self, model: mujoco.MjModel, by: SegmentBy = SegmentBy.OBJECT) -> None:
        self._start = np.zeros(_TYPES, np.int64)
        self._count = np.zeros(_TYPES, np.int64)
        objects: list[Label] = []
        for kind, field in _KINDS:
            count = getattr(model, field)
            if kind == _O.mjOBJ_SENSOR and not (model.sensor_type == _RANGE).any():
                count = 0  # only range finders show: a line each
            self._start[kind], self._count[kind] = 1 + len(objects), count
            objects += [_label(model, kind, i) for i in range(count)]
        self.objects = tuple(objects)
        self.names: dict[str, list[int]] = {}
        for number, label in enumerate(objects):
            self.names.setdefault(label.name, []).append(1 + number)
        groups = [_group(model, by, number, label) for number, label in enumerate(objects)]
        distinct = list(dict.fromkeys(groups))
        place = {label: 1 + i for i, label in enumerate(distinct)}
        self._id = np.array([0, *(place[label] for label in groups)], np.int32)
        self.labels: Labels = MappingProxyType(
            {0: BACKGROUND, **{i: label for label, i in place.items()}}
        )

    def ids(self, objtype: NDArray[Any], objid: NDArray[Any]) -> NDArray[np.int32]:
        """Ids of MuJoCo objects (N,); 0 for what is no object of the model."""
        return self._id[self.numbers(objtype, objid)]

    def numbers(self, objtype: NDArray[Any], objid: NDArray[Any]) -> NDArray[np.int64]:
        """Numbers of MuJoCo objects (N,) as `names` has them, whatever ids stand for."""
        known = (objid >= 0) & (objid < self._count[np.clip(objtype, 0, _TYPES - 1)])
        rows: NDArray[np.int64] = np.where(
            known, self._start[np.clip(objtype, 0, _TYPES - 1)] + objid, 0
        )
        return rows


def material_members(model: mujoco.MjModel, segments: Segments) -> list[tuple[str, ...]]:
    """The names of the objects that wear each of a model's materials, in the order of ids."""
    kinds = ("geom", "site", "tendon", "skin", "flex")  # as the objects are numbered
    worn = np.concatenate([getattr(model, f"{kind}_matid") for kind in kinds])
    flexes = np.arange(model.nflex)
    if len(model.flex_matid) != model.nflex:  # since MuJoCo 4 each of their elements has its own
        flexes = np.repeat(flexes, model.flex_elemnum)
    others = len(worn) - len(flexes)
    rows = np.concatenate([np.arange(others), others + flexes])
    return [
        tuple(segments.objects[row].name for row in np.unique(rows[worn == material]))
        for material in range(model.nmat)
    ]


def _label(model: mujoco.MjModel, kind: mujoco.mjtObj, index: int) -> Label:
    category = kind.name.removeprefix("mjOBJ_").lower()
    name = mujoco.mj_id2name(model, kind, index) or _unnamed(model, kind, index)
    if kind == _O.mjOBJ_GEOM:
        category = mujoco.mjtGeom(int(model.geom_type[index])).name.removeprefix("mjGEOM_").lower()
    return Label(name, category)


def _unnamed(model: mujoco.MjModel, kind: mujoco.mjtObj, index: int) -> str:
    """A stable name: the body's, and the number of the geom or site in the model."""
    word = kind.name.removeprefix("mjOBJ_").lower()
    bodies = {_O.mjOBJ_GEOM: model.geom_bodyid, _O.mjOBJ_SITE: model.site_bodyid}.get(kind)
    body = "" if bodies is None else model.body(int(bodies[index])).name
    return f"{body}/{word}{index}" if body else f"{word}{index}"


def _group(model: mujoco.MjModel, by: SegmentBy, number: int, label: Label) -> Label:
    """The label an object is shown under; equal labels share an id."""
    if by is SegmentBy.CATEGORY:
        return Label(label.category, label.category)
    if by is SegmentBy.BODY and number < model.ngeom + model.nsite:
        site = number - model.ngeom
        body = model.geom_bodyid[number] if site < 0 else model.site_bodyid[site]
        return Label(model.body(int(body)).name or f"body{body}", "body")
    return label
