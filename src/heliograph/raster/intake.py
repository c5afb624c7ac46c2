"""What stores are given, checked and as arrays, before anything of it is kept.

What numpy can turn into the right array (lists of numbers, integers for floats) is taken as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from enum import Enum
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from heliograph.errors import InvalidValueError, shown
from heliograph.raster.table import MAX_LEVELS
from heliograph.raster.types import (
    LARGEST,
    Geometry,
    Layer,
    Sampler,
    Shape,
    Texture,
    TextureKind,
    Use,
    UvMap,
    Wrap,
)

MOST = 3e38
"""What a float32 holds."""
_BRIGHTEST = 65504.0  # of a 16-bit float
_REAL = "fiu"  # kinds of dtype that are numbers
_BY_VERTEX = {"normals": 3, "uvs": 2, "colours": 4}

Kind = TypeVar("Kind")


def told(value: object) -> str:
    """A short text for what came: of an array its shape and dtype."""
    if isinstance(value, np.ndarray):
        return f"{value.shape} {value.dtype}"
    return shown(value)


def instance(name: str, value: object, kind: type[Kind]) -> Kind:
    """A value of a class.

    Raises:
        InvalidValueError: it is of another.
    """
    if isinstance(value, kind):
        return value
    members = f" (such as {next(iter(kind))})" if issubclass(kind, Enum) else ""
    raise InvalidValueError(f"{name}: expected a {kind.__name__}{members}, got {told(value)}")


def real(name: str, value: object, least: float = -MOST, most: float = MOST) -> float:
    """A number from `least` to `most`.

    Raises:
        InvalidValueError: it is not.
    """
    if type(value) is float and least <= value <= most:  # the quicker question
        return value
    found = None if isinstance(value, np.ndarray) else _array(value)
    if found is None or found.shape != () or not _within(found, least, most):
        raise InvalidValueError(
            f"{name}: expected a number from {least:g} to {most:g}, got {told(value)}"
        )
    return float(found)


def flag(name: str, value: object) -> bool:
    """True or False.

    Raises:
        InvalidValueError: it is neither.
    """
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise InvalidValueError(f"{name}: expected True or False, got {told(value)}")


def reals(name: str, value: object, shape: tuple[int, ...]) -> NDArray[Any]:
    """Finite numbers of a shape.

    Raises:
        InvalidValueError: they are not.
    """
    found = _array(value)
    if found is None or found.shape != shape or not _within(found, -MOST, MOST):
        raise InvalidValueError(
            f"{name}: expected {shape} finite numbers, up to {MOST:g}, got {shown(value)}"
        )
    return found


def row(name: str, value: object) -> NDArray[Any]:
    """Finite numbers (N,).

    Raises:
        InvalidValueError: they are not.
    """
    found = _array(value)
    if found is None or found.ndim != 1 or not _within(found, -LARGEST, LARGEST):
        raise InvalidValueError(f"{name}: expected finite numbers (N,), got {told(value)}")
    return found


def vertex_rows(name: str, column: str, value: object, count: int | None = None) -> NDArray[Any]:
    """Numbers of vertices, (V, width), all finite.

    Args:
        name: of the geometry.
        column: what they are.
        value: what came.
        count: how many vertices there are; None for any number.

    Raises:
        InvalidValueError: another shape, or others than finite numbers.
    """
    width = _BY_VERTEX.get(column, 3)
    shape = f"({'V' if count is None else count}, {width})"
    each = "" if count is None else ", a row for each vertex"
    found = _array(value)
    fits = found is not None and found.ndim == 2 and found.shape[1] == width
    if (
        found is None
        or not fits
        or count not in (None, len(found))
        or found.dtype.kind not in _REAL
    ):
        raise InvalidValueError(
            f"{name}: expected {column} {shape}{each}, of finite numbers, got {told(value)}"
        )
    if not np.isfinite(found).all():
        row = int(np.argmin(np.isfinite(found).all(1)))
        raise InvalidValueError(
            f"{name}: expected {column} {shape} of finite numbers, got "
            f"{found[row].tolist()} in row {row}"
        )
    return found


def check_reach(name: str, column: str, rows: NDArray[Any], most: float = LARGEST) -> None:
    """Refuse numbers too large to be drawn.

    Raises:
        InvalidValueError: there are such.
    """
    if rows.size and not _within(rows, -most, most):
        largest = max(float(rows.max()), -float(rows.min()))
        advice = "; give all lengths in a larger unit" if column == "positions" else ""
        unit = " m" if column == "positions" else ""
        raise InvalidValueError(
            f"{name}: expected {column} up to {most:g}{unit}, got {largest:g}{advice}"
        )


def flat_shaded(geometry: Geometry) -> Geometry:
    """A geometry with normals: without any its vertices are split by face, each with its face's.

    Its numbers are in arrays.

    Raises:
        InvalidValueError: wrong types or shapes, NaN, or triangle indices beyond the vertices.
    """
    geometry = _checked(geometry)
    if geometry.normals is not None:
        return geometry
    corners = np.asarray(geometry.positions, np.float64)[geometry.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = np.repeat(normals / np.where(length > 0, length, 1), 3, 0)
    flat = geometry.triangles.reshape(-1)
    uvs = None if geometry.uvs is None else geometry.uvs[flat]
    colours = None if geometry.colours is None else geometry.colours[flat]
    triangles = np.arange(corners.shape[0] * 3).reshape(-1, 3)
    points, name = corners.reshape(-1, 3), geometry.name
    return Geometry(points, triangles, normals, uvs, False, name=name, colours=colours)


def checked_levels(levels: Iterable[tuple[Geometry, float]]) -> list[tuple[Geometry, float]]:
    """Levels of detail with their errors, as `flat_shaded` gives them.

    Raises:
        InvalidValueError: there are none or too many, or one cannot be drawn.
    """
    expected = f"1 to {MAX_LEVELS} pairs (geometry, error in metres)"
    pairs = [tuple(listed("levels", pair, expected)) for pair in listed("levels", levels, expected)]
    if not 1 <= len(pairs) <= MAX_LEVELS or any(len(pair) != 2 for pair in pairs):
        raise InvalidValueError(f"levels: expected {expected}, got {shown(levels)}")
    return [(flat_shaded(geometry), real("levels: error", error, 0.0)) for geometry, error in pairs]


def checked_handles(handles: object, count: int) -> NDArray[np.integer[Any]]:
    """Handles (N,) of geometries, of which `count` were given out.

    Raises:
        InvalidValueError: they are not.
    """
    found = _array(handles)
    if found is None or found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
        raise InvalidValueError(f"geometry: expected handles (N,), got {told(handles)}")
    if found.size and not _within(found, 0, count - 1):
        raise InvalidValueError(
            f"geometry: expected handles from 0 to {count - 1}, got {shown(found.tolist())}"
        )
    return found if found.size else found.astype(np.intp)


def checked_texture(texture: Texture) -> Texture:
    """The same texture, its pixels in arrays.

    Raises:
        InvalidValueError: wrong types, or pixels of another shape or dtype than the kind takes.
    """
    name = instance("texture", texture, Texture).name
    if not isinstance(name, str):
        raise InvalidValueError(f"Texture.name: expected a string, got {told(name)}")
    cube = instance(f"{name}: kind", texture.kind, TextureKind) is TextureKind.CUBE
    flag(f"{name}: linear", texture.linear)
    layers = [_layer(name, layer) for layer in listed(f"{name}: layers", texture.layers, "Layers")]
    if len({layer.use for layer in layers}) < len(layers):
        raise InvalidValueError(f"{name}: expected each use once among the layers")
    return replace(
        texture,
        pixels=_pixels(name, texture.pixels, cube=cube),
        sampler=_sampler(name, texture.sampler),
        uv_map=_uv_map(name, texture.uv_map),
        layers=tuple(layers),
    )


def checked_radiance(picture: object) -> NDArray[np.floating[Any]]:
    """A picture of all around, (H, W, 3).

    Raises:
        InvalidValueError: another shape, negative or not finite.
    """
    found = _array(picture)
    fits = found is not None and found.ndim == 3 and found.shape[2] == 3 and found.size
    if found is None or not fits or found.dtype.kind not in _REAL:
        raise InvalidValueError(
            f"radiance: expected an equirectangular picture (H, W, 3), got {told(picture)}"
        )
    if not np.isfinite(found).all() or found.min() < 0:
        raise InvalidValueError("radiance: expected finite numbers from 0, got others among them")
    return found if found.dtype.kind == "f" else found.astype(np.float32)


def unknown_radiance(handle: object) -> InvalidValueError:
    """What is wrong with a handle of no picture of all around."""
    return InvalidValueError(
        f"radiance {shown(handle)} was removed, or never added; expected a handle of `add_radiance`"
    )


def _checked(geometry: Geometry) -> Geometry:
    """The same geometry, its numbers in arrays."""
    name = instance("geometry", geometry, Geometry).name
    if not isinstance(name, str):
        raise InvalidValueError(f"Geometry.name: expected a string, got {told(name)}")
    positions = vertex_rows(name, "positions", geometry.positions)
    check_reach(name, "positions", positions)
    columns: dict[str, Any] = {"positions": positions}
    for column in _BY_VERTEX:
        given = getattr(geometry, column)
        if given is not None:
            columns[column] = vertex_rows(name, column, given, len(positions))
            most = _BRIGHTEST if column == "colours" else MOST
            check_reach(name, column, columns[column], most)
    columns["poses"] = tuple(
        vertex_rows(name, "poses", pose, len(positions))
        for pose in listed(f"{name}: poses", geometry.poses, "arrays (V, 3)")
    )
    for pose in columns["poses"]:
        check_reach(name, "positions", pose)
    columns["triangles"] = _triangles(name, geometry.triangles, len(positions))
    flag(f"{name}: simplify", geometry.simplify)
    if geometry.surface is not None:
        instance(f"{name}: surface", geometry.surface, Shape)
    return replace(geometry, **columns)


def _layer(name: str, layer: Layer) -> Layer:
    use = instance(f"{name}: layer", layer, Layer).use
    name = f"{name} {instance(f'{name}: use', use, Use).value}"
    along, across = reals(f"{name}: strength", layer.strength, (2,)).tolist()
    return replace(
        layer,
        pixels=_pixels(name, layer.pixels),
        sampler=_sampler(name, layer.sampler),
        uv_map=_uv_map(name, layer.uv_map),
        strength=(along, across),
    )


def _sampler(name: str, sampler: Sampler) -> Sampler:
    instance(f"{name}: sampler", sampler, Sampler)
    for wrap in (sampler.wrap_u, sampler.wrap_v):
        instance(f"{name}: wrap", wrap, Wrap)
    flag(f"{name}: nearest", sampler.nearest)
    return sampler


def _uv_map(name: str, value: object) -> UvMap:
    (a, b, c), (d, e, f) = reals(f"{name}: uv_map", value, (2, 3)).tolist()
    return (a, b, c), (d, e, f)


def _pixels(name: str, value: object, *, cube: bool = False) -> NDArray[np.uint8]:
    found = _array(value)
    listed = found is not None and not isinstance(value, np.ndarray) and found.dtype.kind == "i"
    if found is not None and listed and found.size and _within(found, 0, 255):
        found = found.astype(np.uint8)
    shape = () if found is None else found.shape
    fits = len(shape) == 4 and shape[0] == 6 and shape[1] == shape[2] if cube else len(shape) == 3
    if (
        found is None
        or not fits
        or shape[-1] not in (1, 3, 4)
        or 0 in shape
        or found.dtype != np.uint8
    ):
        expected = "(6, N, N, C)" if cube else "(H, W, C)"
        raise InvalidValueError(
            f"{name}: expected uint8 pixels {expected} with C 1, 3 or 4, got {told(value)}"
        )
    return found


def _triangles(name: str, value: object, count: int) -> NDArray[np.integer[Any]]:
    found = _array(value)
    fits = found is not None and found.ndim == 2 and found.shape[1] == 3
    if found is None or not fits or found.dtype.kind not in "iu":
        raise InvalidValueError(f"{name}: expected triangles (T, 3) of integers, got {told(value)}")
    if found.size and not 0 <= found.min() <= found.max() < count:
        raise InvalidValueError(
            f"{name}: triangle indices must be 0 to {count - 1}, got {found.min()} to {found.max()}"
        )
    return found


def listed(name: str, value: Any, expected: str) -> list[Any]:
    """The members of whatever may be iterated over, but for text.

    Raises:
        InvalidValueError: it may not.
    """
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        try:
            return list(value)
        except TypeError:  # an array of no dimensions
            pass
    raise InvalidValueError(f"{name}: expected {expected}, got {told(value)}")


def _array(value: object) -> NDArray[Any] | None:
    """A value as numpy sees it; None where it sees none."""
    if type(value) is np.ndarray:
        return value
    try:
        return np.asarray(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):  # ragged, say, or on a GPU
        return None


def _within(numbers: NDArray[Any], least: float, most: float) -> bool:
    """Whether all are real numbers in a range, which NaN is not."""
    if numbers.dtype.kind not in _REAL:
        return False
    return bool(
        not numbers.size or (float(numbers.min()) >= least and float(numbers.max()) <= most)
    )
