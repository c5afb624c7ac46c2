"""Checks of the edits of appearance: each field in one canonical, frozen form, or refused.

Randomizers make hundreds of edits per view, so values that are canonical already pass quickly.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import (
    Any,
    ClassVar,
    Generic,
    Literal,
    Self,
    TypeAlias,
    TypeVar,
    cast,
    dataclass_transform,
    get_args,
    overload,
)

import numpy as np

from heliograph.camera import Camera
from heliograph.checks import MAX_INTEGER
from heliograph.errors import InvalidValueError
from heliograph.poses import check_matrix, check_numbers
from heliograph.scene import values as v
from heliograph.scene.edit import Edit
from heliograph.scene.values import Check

LightType: TypeAlias = Literal["directional", "point", "spot"]
KINDS = get_args(LightType)
_E = TypeVar("_E", bound="CheckedEdit")
_Stored = TypeVar("_Stored", covariant=True)
_Taken = TypeVar("_Taken", contravariant=True)
_MOST, _LEAST = sys.float_info.max, sys.float_info.min
_SHORTEST = 1e-12
_LAST_ROW = (0.0, 0.0, 0.0, 1.0)
_TOLERANCE = 1e-6


class Converted(Generic[_Stored, _Taken]):
    """The type of an edit's field, as type checkers read it: what it stores, and what it takes."""

    @overload
    def __get__(self, edit: None, owner: Any = ...) -> Self: ...
    @overload
    def __get__(self, edit: object, owner: Any = ...) -> _Stored: ...
    def __get__(self, edit: object, owner: Any = None) -> Any:
        """Never called: at run time a field is a plain attribute."""
        raise NotImplementedError

    def __set__(self, edit: Any, value: _Taken) -> None:
        """Never called: see `__get__`."""
        raise NotImplementedError


def convert(check: Check, *, default: Any = dataclasses.MISSING) -> Any:
    """A field whose value a check converts; its default passes as it is."""
    return dataclasses.field(default=default, metadata={"check": check})


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(convert,))
def checked(kind: type[_E]) -> type[_E]:
    """Make a class a frozen dataclass whose fields are converted when one is made."""
    made = dataclasses.dataclass(frozen=True, eq=False)(kind)
    made.CHECKS = [
        (each.name, f"{kind.__name__} {each.name}", each.metadata["check"], each.default)
        for each in dataclasses.fields(cast("Any", made))
    ]
    return made


class CheckedEdit(Edit):
    """Base of edits made by `checked`; a copy of one is checked and frozen anew."""

    __slots__ = ()
    CHECKS: ClassVar[Sequence[tuple[str, str, Check, Any]]] = ()
    """A field's name, what messages call it, its check, and its default, which passes."""

    def __post_init__(self) -> None:
        fields = self.__dict__
        for name, where, check, default in self.CHECKS:
            value = fields[name]
            if value is not default:
                fields[name] = check(value, where)

    def __reduce__(self) -> tuple[Any, ...]:
        """Make it again from its fields: arrays of a copy are read-only as well."""
        return _make, (type(self), dict(vars(self)))


def _make(kind: type[Edit], fields: Mapping[str, Any]) -> Edit:
    return kind(**fields)


def floats(expected: str, length: int, low: float = -_MOST, high: float = _MOST) -> Check:
    """A tuple of `length` finite floats from `low` to `high`."""

    def check(value: Any, where: str) -> tuple[float, ...]:
        if _is_canonical(value, length, low, high):
            passed: tuple[float, ...] = value
            return passed
        numbers = check_numbers(value, where)
        if numbers.shape != (length,) or not ((numbers >= low) & (numbers <= high)).all():
            large = high == 1 and numbers.size and numbers.max() > 1
            hint = "; divide by 255 if it counts from 0 to 255" if large else ""
            raise InvalidValueError(f"{v.refuse(where, expected, value)}{hint}")
        return tuple(numbers.tolist())

    return check


def _is_canonical(value: Any, length: int, low: float, high: float) -> bool:
    if type(value) is not tuple or len(value) != length:
        return False
    for each in value:  # noqa: SIM110 - `all` takes three times as long
        if type(each) is not float or not low <= each <= high:
            return False
    return True


vector = floats("3 finite numbers (x, y, z)", 3)
colour = floats("red, green and blue from 0 to 1", 3, 0.0, 1.0)
light_colour = floats("red, green and blue, finite numbers from 0", 3, 0.0)
repeat = floats("2 finite numbers above 0", 2, _LEAST)
offset = floats("2 finite numbers", 2)
_RGBA = "red, green, blue and maybe alpha (or None) from 0 to 1"
_opaque, _translucent = (floats(_RGBA, length, 0.0, 1.0) for length in (3, 4))
_from_0_to_1 = v.number(0, 1)
from_0 = v.number(0)
decay = v.number(0, v.MOST_DECAY)
_cutoff = v.number(0, math.pi / 2, above=True)
_KINDS = " or ".join(map(repr, KINDS))
seed = v.whole(0, MAX_INTEGER)


def share(value: Any, where: str) -> float:
    """A number from 0 to 1."""
    if type(value) is float and 0.0 <= value <= 1.0:
        return value
    result: float = _from_0_to_1(value, where)
    return result


def rgba(value: Any, where: str) -> tuple[float | None, ...]:
    """Red, green, blue, alpha from 0 to 1; alpha may be None, or left out for None."""
    if type(value) is tuple and len(value) == 4 and value[3] is None:
        return value if _is_canonical(value[:3], 3, 0.0, 1.0) else _without_alpha(value[:3], where)
    parts = value if type(value) is tuple else _parts(value, where, _RGBA)
    if len(parts) == 4 and parts[3] is not None:
        result: tuple[float, ...] = _translucent(parts, where)
        return result
    return _without_alpha(parts[:3] if len(parts) == 4 else parts, where)


def _without_alpha(parts: tuple[Any, ...], where: str) -> tuple[float | None, ...]:
    return (*_opaque(parts, where), None)


def names(value: Any, where: str) -> tuple[str, ...]:
    """Names of objects as a tuple; a single one may come as it is."""
    if isinstance(value, str):
        return (str(value),)
    found = value if type(value) is tuple else _parts(value, where, "names of objects")
    for each in found:
        if type(each) is not str:
            return tuple(_word(name, where, "names of objects") for name in found)
    return found


def name(value: Any, where: str) -> str:
    """A name."""
    if not isinstance(value, str) or not value:
        raise v.refuse(where, "a name", value)
    return str(value)


def _parts(value: Any, where: str, expected: str) -> tuple[Any, ...]:
    if isinstance(value, (str, bytes, Mapping)):
        raise v.refuse(where, expected, value)
    try:
        return tuple(value)
    except TypeError:
        raise v.refuse(where, expected, value) from None


def _word(value: Any, where: str, expected: str) -> str:
    if not isinstance(value, str):
        raise v.refuse(where, expected, value)
    return value if type(value) is str else str(value)


def kind(value: Any, where: str) -> str:
    """A kind of light."""
    word = _word(value, where, _KINDS)
    if word not in KINDS:
        raise v.refuse(where, _KINDS, value)
    return word


def cutoff(value: Any, where: str) -> float:
    """Half-angle of a cone, radians above 0 to pi / 2."""
    try:
        result: float = _cutoff(value, where)
    except InvalidValueError as error:
        hint = "radians; math.radians(...) makes them of degrees"
        raise InvalidValueError(f"{error.message} ({hint})") from None
    return result


def direction(value: Any, where: str) -> tuple[float, ...]:
    """A vector that is not zero."""
    result: tuple[float, ...] = vector(value, where)
    if math.hypot(*result) < _SHORTEST:
        raise v.refuse(where, "a direction (x, y, z) that is not zero", value)
    return result


def pose(value: Any, where: str) -> Any:
    """An affine map (4, 4) that is not flat, a read-only float64 copy."""
    matrix = check_matrix(value, where, 4)
    if np.abs(matrix[3] - _LAST_ROW).max() > _TOLERANCE:
        raise InvalidValueError(
            f"{where}: expected (0, 0, 0, 1) as last row, got {tuple(matrix[3].tolist())}; if the "
            "translation stands there, transpose it"
        )
    matrix[3] = _LAST_ROW
    if np.linalg.det(matrix[:3, :3]) == 0.0:
        raise v.refuse(where, "a map that can be undone (Hide leaves an object out)", value)
    matrix.flags.writeable = False
    return matrix


def texture(value: Any, where: str) -> Any:
    """(H, W, C) uint8 with C 1, 3 or 4, read-only, or an empty array.

    A read-only array that owns its memory is not copied, so that its pixels are known again.
    """
    try:
        pixels = np.asarray(value)
    except ValueError:
        raise v.refuse(where, "an array (H, W, C) uint8", value) from None
    if not pixels.size:
        return _NO_TEXTURE
    fits = pixels.ndim == 3 and pixels.shape[2] in (1, 3, 4) and pixels.dtype == np.uint8
    if not fits or max(pixels.shape[:2]) > v.MAX_PIXELS:
        expected = f"(H, W, C) uint8 pixels, C 1, 3 or 4, up to {v.MAX_PIXELS} a side"
        raise InvalidValueError(f"{where}: expected {expected}, got {pixels.shape} {pixels.dtype}")
    shared = pixels.base is None and pixels.flags.c_contiguous and not pixels.flags.writeable
    return pixels if shared else v.frozen(pixels)


_NO_TEXTURE = v.frozen(np.zeros((0, 0, 3), np.uint8))


def images(value: Any, where: str) -> tuple[Any, ...]:
    """Textures in a row."""
    rows = _parts(value, where, "a row of textures")
    return tuple(texture(each, f"{where}[{row}]") for row, each in enumerate(rows))


def places(value: Any, where: str) -> Any:
    """Whole numbers (N,) from -1, a read-only int64 copy."""
    numbers = check_numbers(value, where)
    if numbers.ndim != 1 or not ((numbers >= -1) & (numbers == np.floor(numbers))).all():
        raise v.refuse(where, "(N,) whole numbers from -1", value)
    return v.frozen(numbers.astype(np.int64))


def groups(value: Any, where: str) -> tuple[tuple[str, ...], ...]:
    """Rows of names."""
    rows = value if type(value) is tuple else _parts(value, where, "rows of names of objects")
    if {*map(type, rows)} <= {tuple} and {*map(type, chain.from_iterable(rows))} <= {str}:
        return rows
    return tuple(names(row, f"{where}[{place}]") for place, row in enumerate(rows))


def _column(expected: str, columns: int, low: float, high: float, *, nan: bool = False) -> Check:
    def check(value: Any, where: str) -> Any:
        numbers = value if _is_frozen(value) else check_numbers(value, where)
        fits = numbers.ndim == 1 + bool(columns) and numbers.shape[1:] == (columns,) * bool(columns)
        if not (fits and numbers.size and low <= numbers.min() <= numbers.max() <= high):
            sound = (numbers >= low) & (numbers <= high)
            if not fits or not (sound | np.isnan(numbers) if nan else sound).all():
                raise v.refuse(where, expected, value)
        numbers.flags.writeable = False
        return numbers

    return check


def _is_frozen(value: Any) -> bool:
    """Whether it is what `check_numbers` makes, and nobody can change it."""
    return (
        type(value) is np.ndarray
        and value.dtype == np.float64
        and value.base is None
        and value.flags.c_contiguous
        and not value.flags.writeable
    )


def pairs(*, above: float | None = None) -> Check:
    """Finite numbers (N, 2), a read-only float64 copy."""
    if above is None:
        return _column("(N, 2) finite numbers", 2, -_MOST, _MOST)
    return _column(f"(N, 2) finite numbers above {above:g}", 2, _LEAST, _MOST)


shares = _column("(N,) numbers from 0 to 1, or NaN to keep the object's own", 0, 0.0, 1.0, nan=True)
_colours = _column(
    "(N, 4) numbers from 0 to 1 (red, green, blue, alpha), or NaN to keep the object's own",
    *(4, 0.0, 1.0),
    nan=True,
)


_emissive = _column(
    "(N, 3) numbers from 0 to 1 (red, green, blue), or NaN to keep the object's own",
    *(3, 0.0, 1.0),
    nan=True,
)


def emissive(value: Any, where: str) -> Any:
    """Red, green, blue (N, 3); NaN where the object keeps its own."""
    numbers = _emissive(value, where)
    missing, expected = np.isnan(numbers), f"{where}: expected red, green and blue, or NaN for all"
    _check_rows(numbers, missing.any(1) & ~missing.all(1), expected)
    return numbers


def colours(value: Any, where: str) -> Any:
    """Red, green, blue, alpha (N, 4); NaN where the object keeps its alpha, or all four."""
    numbers = _colours(value, where)
    missing = np.isnan(numbers)
    expected = f"{where}: expected red, green and blue, or NaN for all three and alpha"
    _check_rows(numbers, missing[:, :3].any(1) & ~missing.all(1), expected)
    return numbers


def _check_rows(numbers: Any, wrong: Any, expected: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InvalidValueError(f"{expected}, got {tuple(numbers[row].tolist())} in row {row}")


def camera(value: Any, where: str) -> Camera:
    """A camera."""
    if not isinstance(value, Camera):
        raise v.refuse(where, "a Camera", value)
    return value


def steps(value: Any, where: str) -> tuple[tuple[str, dict[str, float]], ...]:
    """Steps of post-processing: names, each with numbers by name."""
    pairs = _parts(value, where, "(name, parameters) pairs")
    return tuple(_step(each, f"{where}[{i}]") for i, each in enumerate(pairs))


def _step(value: Any, where: str) -> tuple[str, dict[str, float]]:
    pair = isinstance(value, (tuple, list)) and len(value) == 2
    if not pair or not isinstance(value[1], Mapping):
        raise v.refuse(where, "(name, {parameter: number})", value)
    title = name(value[0], where)
    return title, {
        name(key, where): _number(number, f"{where} {title!r} {key}")
        for key, number in value[1].items()
    }


_number = v.number()
