"""Loading a MuJoCo model from a path, a text or a compiled model, with errors people can use."""

from __future__ import annotations

import hashlib
import os
from copy import copy
from pathlib import Path
from typing import TypeAlias

import mujoco
import numpy as np
from numpy.typing import NDArray

from heliograph.disk import check_file, printable, reason
from heliograph.errors import InvalidValueError, SceneError

ModelSource: TypeAlias = str | Path | mujoco.MjModel

_O, _T = mujoco.mjtObj, mujoco.mjtGeom
_FINITE = (
    (_O.mjOBJ_BODY, "body", ("pos", "quat")),
    (_O.mjOBJ_GEOM, "geom", ("pos", "quat", "size", "rgba")),
    (_O.mjOBJ_SITE, "site", ("pos", "quat", "size", "rgba")),
    (_O.mjOBJ_CAMERA, "cam", ("pos", "quat", "fovy")),
    (_O.mjOBJ_LIGHT, "light", ("pos", "dir", "diffuse", "specular", "ambient")),
    (_O.mjOBJ_MATERIAL, "mat", ("rgba", "texrepeat", "reflectance", "shininess", "specular")),
)
_REFERENCES = (
    (_O.mjOBJ_GEOM, "geom_matid", "nmat"),
    (_O.mjOBJ_BODY, "body_parentid", "nbody"),
    (_O.mjOBJ_GEOM, "geom_bodyid", "nbody"),
    (_O.mjOBJ_SITE, "site_bodyid", "nbody"),
    (_O.mjOBJ_CAMERA, "cam_bodyid", "nbody"),
    (_O.mjOBJ_LIGHT, "light_bodyid", "nbody"),
    (_O.mjOBJ_SITE, "site_matid", "nmat"),
    (_O.mjOBJ_MATERIAL, "mat_texid", "ntex"),
)


def load(source: ModelSource) -> tuple[mujoco.MjModel, str]:
    """A compiled model of our own, and a short name for it.

    Args:
        source: path to MJCF, URDF or .mjb, MJCF text (starts with `<`), or a compiled model
            (copied, so that what its owner does to it later does not show).

    Raises:
        SceneError: the file is missing or MuJoCo refuses it; the message is MuJoCo's own. Or
            something in it is not finite, or refers to what is not there.
    """
    if isinstance(source, mujoco.MjModel):
        return _checked(copy(source)), "MjModel"
    if not isinstance(source, (str, Path)):
        raise InvalidValueError(
            f"expected a path, MJCF text or mujoco.MjModel, got {type(source).__name__}"
        )
    if isinstance(source, str) and source.lstrip().startswith("<"):
        try:
            return _checked(mujoco.MjModel.from_xml_string(source)), "MJCF text"
        except ValueError as error:
            raise SceneError(f"MJCF text: {_one_line(error)}") from None
    path = Path(source)
    try:
        check_file(path)
    except OSError as error:
        raise SceneError(f"{path}: {reason(error)}") from None
    binary = path.suffix == ".mjb"
    read = mujoco.MjModel.from_binary_path if binary else mujoco.MjModel.from_xml_path
    try:
        model = read(os.fsencode(path))
    except (ValueError, mujoco.FatalError) as error:
        other = "; --engine components (engine='components') may open it"
        hint = other if path.suffix.lower() == ".urdf" else ""
        raise SceneError(f"{path}: {_one_line(error)}{hint}") from None
    return _checked(model), printable(path)


def _checked(model: mujoco.MjModel) -> mujoco.MjModel:
    """The model, if what is drawn of it is finite and refers to what there is."""
    for kind, prefix, fields in _FINITE:
        for field in fields:
            rows = np.asarray(getattr(model, f"{prefix}_{field}"))
            _refuse(model, kind, f"{prefix}_{field}", ~np.isfinite(rows), "finite numbers")
    if not np.isfinite(model.qpos0).all():
        raise SceneError(f"expected finite numbers in qpos0, got {model.qpos0.tolist()}")
    for kind, field, known in _REFERENCES:
        rows, count = getattr(model, field), getattr(model, known)
        lowest = 0 if known == "nbody" else -1
        wrong = (rows < lowest) | (rows >= count)
        _refuse(model, kind, field, wrong, f"a number from {lowest} to {known} - 1 = {count - 1}")
    start, height = model.tex_adr.astype(np.int64), model.tex_height.astype(np.int64)
    end = start + height * model.tex_width * model.tex_nchannel
    wrong = (start < 0) | (height < 0) | (model.tex_width < 0) | (end > model.ntexdata)
    told = f"pixels within ntexdata = {model.ntexdata}"
    _refuse(model, _O.mjOBJ_TEXTURE, "tex_height", wrong, f"{told} (tex_adr, tex_width)")
    kinds, data = model.geom_type, model.geom_dataid
    wrong = (kinds < 0) | (kinds >= int(_T.mjGEOM_SDF) + 1)
    _refuse(model, _O.mjOBJ_GEOM, "geom_type", wrong, "a type of geom (mjtGeom)")
    high = np.where(kinds == _T.mjGEOM_HFIELD, model.nhfield, model.nmesh)
    needed = np.isin(kinds, (_T.mjGEOM_HFIELD, _T.mjGEOM_MESH, _T.mjGEOM_SDF))
    wrong = (data < np.where(needed, 0, -1)) | (data >= high)
    _refuse(model, _O.mjOBJ_GEOM, "geom_dataid", wrong, "a mesh or height field that there is")
    return model


def _refuse(
    model: mujoco.MjModel, kind: mujoco.mjtObj, field: str, wrong: NDArray[np.bool_], expected: str
) -> None:
    if not wrong.any():
        return
    row = int(np.argwhere(wrong)[0][0])
    word = kind.name.removeprefix("mjOBJ_").lower()
    name, came = mujoco.mj_id2name(model, kind, row) or row, np.asarray(getattr(model, field))[row]
    raise SceneError(
        f"{word} {name!r}: expected {expected} in {field}, got {came.tolist()}; correct the "
        "model, or what has edited it"
    )


def _one_line(error: BaseException) -> str:
    told = str(error)
    if isinstance(error, UnicodeDecodeError):  # MuJoCo's message holds the bytes of the file's name
        told = error.object.decode(errors="backslashreplace")
    return " ".join(told.split())


def digest(model: mujoco.MjModel) -> str:
    """Hexadecimal digest of the compiled model; equal models, equal digest."""
    buffer = np.empty(mujoco.mj_sizeModel(model), np.uint8)
    mujoco.mj_saveModel(model, None, buffer)
    return hashlib.sha256(buffer.tobytes()).hexdigest()[:32]
