"""What draw lists may hold, checked; and words for what has failed for want of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.checks import MAX_INTEGER, is_integer
from heliograph.errors import HeliographError, InvalidValueError, UnknownNameError, shown
from heliograph.frame import Buffers, own_or_given
from heliograph.passes import KNOWN_PASSES, select_passes
from heliograph.raster.intake import MOST, flag, instance, listed, real, told
from heliograph.raster.types import (
    MAX_LIGHTS,
    DrawList,
    Environment,
    Instances,
    InstanceTable,
    Light,
    Lighting,
    LightKind,
    Mapping,
    MaterialTable,
    Shading,
    Side,
    ToneMapping,
    Transforms,
)

FAILURES = (
    *(ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError),
    RuntimeWarning,  # of numpy's, where they are raised
)
"""What comes of values that nothing was made for."""

_Columns: TypeAlias = dict[str, tuple[str, tuple[int, ...]]]
"""By name the kinds of dtype that a column may have, and the shape of its rows."""

_TABLE: _Columns = {
    **dict.fromkeys(("geometry", "texture", "mapping", "ids", "side", "shading"), ("iu", ())),
    "texture_scale": ("f", (3,)),
    "casts_shadow": ("b", ()),
    "texture_offset": ("f", (2,)),
    "cutoff": ("f", ()),
}
_MATERIALS: _Columns = {
    "rgba": ("f", (4,)),
    "surface": ("f", (4,)),
    "emissive": ("f", (3,)),
    "metallic_roughness": ("f", (2,)),
    "highlight": ("f", (4,)),
}
_TRANSFORMS: _Columns = {
    "world_from_object": ("f", (3, 4)),
    "scales": ("f", (3, 4)),
    "visible": ("b", ()),
    "length": ("f", ()),
}
_LIGHT_COLOURS = ("position", "direction", "diffuse", "specular", "ambient", "attenuation")
_LIGHT_NUMBERS = (
    *("cutoff", "exponent", "softness", "decay", "distance", "size", "shadow_extent"),
)
_ENVIRONMENT = {"colour": 3, "haze": 3, "haze_range": 2, "haze_plane": 4}
_MANY = 8192  # numbers, of which BLAS may begin to give some to other threads
_MOST_TEXTURES = (1 << 20) - 1  # as many as sort keys have room for
_PLAIN = {np.ndarray}
_OPTIONAL = frozenset(
    ("texture_offset", "cutoff", "emissive", "metallic_roughness", "highlight", "length")
)
_MOST_LAYERS = 1000
_KINDS = {"iu": "integers", "f": "floating-point numbers", "b": "bools"}


def check_table(table: InstanceTable, geometries: int) -> None:
    """Refuse columns of another shape, and numbers that nothing stands for.

    Args:
        table: what instances are.
        geometries: how many handles of geometries were given out.

    Raises:
        InvalidValueError: there are such.
    """
    _check_columns(table, _TABLE, len(table.geometry))
    if not is_integer(table.layers, 0, _MOST_LAYERS):
        raise InvalidValueError(
            f"InstanceTable.layers: expected an integer from 0 to {_MOST_LAYERS}, got "
            f"{told(table.layers)}"
        )
    if not len(table.geometry):
        return
    for name, first, end in (
        ("geometry", 0, geometries),
        ("texture", -1, _MOST_TEXTURES),
        ("mapping", 0, len(Mapping)),
        ("side", 0, len(Side)),
        ("shading", 0, len(Shading)),
    ):
        numbers = getattr(table, name)
        least, most = numbers.min(), numbers.max()
        if least < first or most >= end:
            raise InvalidValueError(
                f"InstanceTable.{name}: expected numbers from {first} to {end - 1}, got "
                f"{least if least < first else most}"
            )


def check_materials(materials: MaterialTable, count: int) -> None:
    """Refuse columns of another shape than so many instances need.

    Raises:
        InvalidValueError: there are such.
    """
    _check_columns(materials, _MATERIALS, count)


def check_numbers(table: InstanceTable, materials: MaterialTable) -> None:
    """Refuse columns with numbers that are not finite, or too large to be drawn.

    Raises:
        InvalidValueError: there are such.
    """
    for rows, columns in ((table, _TABLE), (materials, _MATERIALS)):
        for name, (kinds, _) in columns.items():
            column = getattr(rows, name)
            if kinds != "f" or column is None:
                continue
            fit = np.abs(np.asarray(column, float)) <= MOST
            if name == "metallic_roughness":
                fit |= np.isnan(column)
            if not fit.all():
                wrong = tuple(np.argwhere(~fit)[0].tolist())
                raise InvalidValueError(
                    f"{type(rows).__name__}.{name}: expected finite numbers, up to {MOST:g}, "
                    f"got {column[wrong]} of instance {wrong[0]}"
                )


def check_lengths(length: NDArray[np.float64]) -> None:
    """Refuse lengths of capsules that none can have.

    Raises:
        InvalidValueError: one is negative, infinite or NaN.
    """
    least, most = length.min(initial=0), length.max(initial=0)
    if not (least >= 0 and most < np.inf):
        wrong = int(np.argmin((length >= 0) & (length < np.inf)))
        raise InvalidValueError(
            "Transforms.length: expected finite numbers from 0, in radii of the capsule, got "
            f"{length[wrong]} of instance {wrong}"
        )


def check_drawn(scene: DrawList, passes: Sequence[str]) -> None:
    """Refuse what no later step would stumble over; quick, for it is done for every draw.

    Raises:
        InvalidValueError: more than MAX_LIGHTS lights, no way of lighting, or a string of passes.
    """
    if len(scene.lights) > MAX_LIGHTS:
        raise InvalidValueError(
            f"lights: expected at most {MAX_LIGHTS} that are on, got {len(scene.lights)}; switch "
            "some off or leave some out"
        )
    if type(scene.lighting) is not Lighting or type(scene.tone_mapping) is not ToneMapping:
        instance("DrawList.lighting", scene.lighting, Lighting)
        instance("DrawList.tone_mapping", scene.tone_mapping, ToneMapping)
    if isinstance(passes, str):
        raise InvalidValueError(f"passes: expected a sequence of names, got {shown(passes)}")


def surely_within(numbers: NDArray[Any], most: float) -> bool:
    """Whether all are from -most to most, which NaN is not; of large ones it may say they are not.

    Quick, so that whoever is told so looks more closely.
    """
    if numbers.size > _MANY:
        return bool(numbers.max() <= most and numbers.min() >= -most)
    return float(np.vdot(numbers, numbers)) <= most * most  # in half the time


def check_lights(lights: Sequence[Light]) -> None:
    """Refuse lights that are none, or whose numbers are not finite.

    Raises:
        InvalidValueError: there are such.
    """
    for place, light in enumerate(listed("lights", lights, "Lights")):
        instance(f"lights[{place}]", light, Light)
        name = f"lights[{place}]: Light"
        if not isinstance(light.kind, LightKind):
            instance(f"{name}.kind", light.kind, LightKind)
        for field in _LIGHT_COLOURS:
            _check_tuple(f"{name}.{field}", getattr(light, field), 3)
        for field in _LIGHT_NUMBERS:
            real(f"{name}.{field}", getattr(light, field))
        flag(f"{name}.casts_shadow", light.casts_shadow)
        _check_tuple(f"{name}.shadow_range", light.shadow_range, 2)
        near, far = light.shadow_range
        if not (0 < near < far and light.shadow_extent > 0):
            raise InvalidValueError(
                f"{name}: expected a shadow_range of 0 < near < far and a shadow_extent above 0, "
                f"got {near}, {far} and {light.shadow_extent}"
            )
        _check_tuples(f"{name}.sides", light.sides, 2)


def check_surroundings(scene: DrawList) -> None:
    """Refuse an environment, or light from all sides, whose numbers are not finite.

    Raises:
        InvalidValueError: there are such.
    """
    back = instance("DrawList.environment", scene.environment, Environment)
    for name, count in _ENVIRONMENT.items():
        value = getattr(back, name)
        if value is not None or name != "haze":
            _check_tuple(f"Environment.{name}", value, count)
    for name in ("sky", "radiance"):
        handle = getattr(back, name)
        if handle is not None and not is_integer(handle, -MAX_INTEGER):
            raise InvalidValueError(f"Environment.{name}: expected a handle, got {told(handle)}")
    real("Environment.radiance_scale", back.radiance_scale, 0.0)
    flag("Environment.radiance_shown", back.radiance_shown)
    _check_tuple("DrawList.ambient", scene.ambient, 3)
    if scene.gradient is not None:
        _check_tuples("DrawList.gradient", scene.gradient, 3)
    real("DrawList.exposure", scene.exposure, 0.0)


def check_goal(cameras: Sequence[Camera], passes: Sequence[str], out: Sequence[Buffers]) -> None:
    """Refuse cameras and passes that are none, and arrays that their pictures do not fit into.

    Raises:
        InvalidValueError: there are such.
        UnknownNameError: there is no such pass.
    """
    for place, camera in enumerate(listed("cameras", cameras, "Cameras")):
        instance(f"cameras[{place}]", camera, Camera)
    for name in listed("passes", passes, "names of passes"):
        if not isinstance(name, str):
            raise UnknownNameError.of("pass", name, KNOWN_PASSES)
    if out is None:  # for which there would be fresh arrays, that nobody sees
        raise InvalidValueError("out: expected arrays by pass, one mapping for each camera")
    own_or_given(cameras, select_passes(passes, KNOWN_PASSES), out)


def are_arrays(arrays: Collection[object]) -> bool:
    """Whether all are plain arrays, and no two the same; quick."""
    plain = set(map(type, arrays)) <= _PLAIN
    return plain and (len(arrays) == 1 or len(set(map(id, arrays))) == len(arrays))


class Textures(Protocol):
    """Textures by handle."""

    def at(self, handle: int) -> object:
        """A texture; `InvalidValueError` where there is none."""


def explained(
    error: Exception,
    scene: DrawList,
    textures: Textures,
    cameras: Sequence[Camera],
    passes: Sequence[str],
    out: Sequence[Buffers],
) -> HeliographError | None:
    """What is wrong with a draw that failed; None where nothing is found but what came of it.

    To look only now costs nothing where all is well.
    """
    try:
        if isinstance(error, HeliographError):
            check_lights(scene.lights)  # of which cameras were made that say less
            return None
        _check_scene(scene, textures)
        check_goal(cameras, passes, out)
    except HeliographError as found:
        return found
    return None


def _check_scene(scene: DrawList, textures: Textures) -> None:
    instance("scene", scene, DrawList)
    instances = instance("DrawList.instances", scene.instances, Instances)
    table = instance("Instances.table", instances.table, InstanceTable)
    materials = instance("Instances.materials", instances.materials, MaterialTable)
    transforms = instance("Instances.transforms", instances.transforms, Transforms)
    if not isinstance(table.geometry, np.ndarray) or table.geometry.ndim != 1:
        raise InvalidValueError(
            "InstanceTable.geometry: expected an array (N,) of integers, got "
            f"{told(table.geometry)}"
        )
    _check_columns(table, _TABLE, len(instances))
    _check_columns(materials, _MATERIALS, len(instances))
    check_numbers(table, materials)
    check_scales(transforms, len(instances))
    check_placed(transforms)
    if transforms.length is not None:
        check_lengths(transforms.length)
    for handle in np.unique(table.texture[transforms.visible]).tolist():
        if handle >= 0:
            textures.at(handle)
    check_lights(scene.lights)
    check_surroundings(scene)


def check_transforms(transforms: Transforms, count: int) -> None:
    """Refuse columns of another shape than so many instances need, and what is not finite.

    Raises:
        InvalidValueError: there are such.
    """
    pose: Any = transforms.world_from_object
    visible: Any = transforms.visible
    if not (
        type(pose) is type(visible) is np.ndarray
        and pose.dtype.kind == "f"
        and visible.dtype.kind == "b"
        and pose.shape == (count, 3, 4)
        and visible.shape == (count,)
        and transforms.length is None
    ):  # which is asked first because it is quick
        _check_columns(transforms, _TRANSFORMS, count)
    if not surely_within(pose, MOST):
        check_placed(transforms)


def check_scales(transforms: Transforms, count: int) -> None:
    """Refuse columns of another shape than so many instances need, and scales not finite.

    Raises:
        InvalidValueError: there are such.
    """
    _check_columns(transforms, _TRANSFORMS, count)
    if not surely_within(transforms.scales, MOST):
        check_placed(transforms)


def check_placed(transforms: Transforms) -> None:
    """Refuse places and scales of what is visible that are not finite.

    Raises:
        InvalidValueError: there are such.
    """
    for name in ("world_from_object", "scales"):
        rows = getattr(transforms, name)
        fit = (np.abs(np.asarray(rows, float)) <= MOST).all((1, 2)) | ~transforms.visible
        if not fit.all():
            wrong = int(np.argmin(fit))
            raise InvalidValueError(
                f"Transforms.{name}: expected finite numbers, up to {MOST:g} m, got "
                f"{shown(rows[wrong].tolist())} of instance {wrong}"
            )


def _check_tuple(name: str, value: object, count: int) -> None:
    if not isinstance(value, tuple) or len(value) != count:
        raise InvalidValueError(f"{name}: expected a tuple of {count} numbers, got {told(value)}")
    for number in value:
        real(name, number)


def _check_tuples(name: str, value: object, count: int) -> None:
    if not isinstance(value, tuple) or len(value) != count:
        raise InvalidValueError(
            f"{name}: expected a tuple of {count} tuples of 3 numbers, got {told(value)}"
        )
    for numbers in value:
        _check_tuple(name, numbers, 3)


def _check_columns(
    rows: InstanceTable | MaterialTable | Transforms,
    columns: _Columns,
    count: int,
) -> None:
    for name, (kinds, width) in columns.items():
        column: Any = getattr(rows, name)
        shape = (count, *width)
        if (column is None and name in _OPTIONAL) or (
            type(column) is np.ndarray and column.shape == shape and column.dtype.kind in kinds
        ):
            continue
        is_array = isinstance(column, np.ndarray)
        raise InvalidValueError(
            f"{type(rows).__name__}.{name}: expected an array {shape} of {_KINDS[kinds]}, got "
            f"{f'{column.shape} {column.dtype}' if is_array else shown(column)}"
        )
