"""Checks of component properties: what came is turned into one canonical, frozen value, or refused.

A check takes the value and what messages call it, and returns tuples of floats, numbers, strings,
read-only mappings or read-only arrays.
"""

from __future__ import annotations

import hashlib
import math
import os
import reprlib
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.poses import check_numbers, check_vector
from heliograph.requires import Requires

Check: TypeAlias = Callable[[Any, str], Any]
MAX_PIXELS = 16384
_MOST_SEGMENTS = 1_000_000


class Prop(NamedTuple):
    """A property: how it is checked, and what it is where it is not given."""

    check: Check
    default: Any = None


def refuse(where: str, expected: str, came: object) -> InvalidValueError:
    """The error that says what was expected and what came."""
    return InvalidValueError(f"{where}: expected {expected}, got {reprlib.repr(came)}")


def number(low: float = -math.inf, high: float = math.inf, *, above: bool = False) -> Check:
    """A finite number from `low` (or above it) to `high`."""
    limits = "" if low == -math.inf else f" {'above' if above else 'from'} {low:g}"
    limits += "" if high == math.inf else f" to {high:g}"

    def check(value: Any, where: str) -> float:
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
            raise refuse(where, f"a number{limits}", value)
        result = float(value) + 0.0
        if not (math.isfinite(result) and low <= result <= high) or (above and result == low):
            raise refuse(where, f"a finite number{limits}", value)
        return result

    return check


def whole(low: int, high: int) -> Check:
    """An integer from `low` to `high`."""

    def check(value: Any, where: str) -> int:
        integer = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not integer or not low <= value <= high:
            raise refuse(where, f"a whole number from {low} to {high}", value)
        return int(value)

    return check


def flag(value: Any, where: str) -> bool:
    """True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise refuse(where, "True or False", value)
    return bool(value)


def choice(*known: str) -> Check:
    """One of some words."""

    def check(value: Any, where: str) -> str:
        if value not in known:
            raise refuse(where, " or ".join(map(repr, known)), value)
        return str(value)

    return check


def path(value: Any, where: str) -> str:
    """A file's path, kept as text."""
    if not isinstance(value, (str, os.PathLike)) or not str(value):
        raise refuse(where, "the path of a file", value)
    return os.fspath(value) if isinstance(value, str) else str(value)


def vector(length: int) -> Check:
    """`length` finite numbers."""

    def check(value: Any, where: str) -> tuple[float, ...]:
        return tuple(check_vector(value, where, length).tolist())

    return check


def quaternion(value: Any, where: str) -> tuple[float, ...]:
    """x, y, z, w, of any length but 0."""
    result: tuple[float, ...] = vector(4)(value, where)
    if not any(result):
        raise refuse(where, "a quaternion (x, y, z, w) that is not zero", value)
    return result


def scale(value: Any, where: str) -> tuple[float, ...]:
    """One factor for all axes, or three; none of them 0 (a negative one mirrors)."""
    factors = (value,) * 3 if isinstance(value, Real) else value
    result: tuple[float, ...] = vector(3)(factors, where)
    if 0.0 in result:
        raise refuse(where, "factors that are not 0", value)
    return result


def matrix(value: Any, where: str) -> tuple[float, ...]:
    """16 numbers, column after column, an affine map whose last row is (0, 0, 0, 1)."""
    elements = check_numbers(value, where)
    if elements.shape == (4, 4):
        raise refuse(where, "16 numbers, column after column (m.T.ravel() of a 4x4 m)", value)
    result: tuple[float, ...] = vector(16)(elements, where)
    if result[3::4] != (0.0, 0.0, 0.0, 1.0):
        raise refuse(where, "0, 0, 0, 1 as numbers 4, 8, 12 and 16", result[3::4])
    return result


def sizes(*low: tuple[str, float], segments: int = 2) -> Check:
    """A shape's `args`: named sizes, then up to `segments` counts as three.js takes them.

    Args:
        *low: name of each size, and its least value (0 for more than 0, -1 for 0 or more).
        segments: how many segment counts may follow; shapes are exact, so these are dropped.
    """
    names = f"[{', '.join(name for name, _ in low)}]"

    def check(value: Any, where: str) -> tuple[float, ...]:
        if isinstance(value, (str, Mapping)) or not isinstance(value, (Sequence, np.ndarray)):
            raise refuse(where, names, value)
        if len(value) > len(low) + segments:
            raise refuse(where, f"{names} and at most {segments} segment counts", value)
        for each in value[len(low) :]:
            whole(1, _MOST_SEGMENTS)(each, f"{where} segments")
        pairs = zip(low, value, strict=False)
        return tuple(_size(each, least, f"{where} {name}") for (name, least), each in pairs)

    return check


def _size(value: Any, least: float, where: str) -> float:
    result: float = number(max(least, 0.0), above=least == 0)(value, where)
    return result


def colour(value: Any, where: str) -> tuple[float, ...]:
    """SRGB from 0 to 1, of three or (with opacity) four numbers.

    Takes "#rrggbb", "#rgb", a CSS name, an integer 0xrrggbb, or the numbers themselves.
    """
    if isinstance(value, str):
        return _named(value, where)
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        if not 0 <= value <= 0xFFFFFF:
            raise refuse(where, "a colour from 0x000000 to 0xffffff", value)
        return tuple((int(value) >> shift & 255) / 255 for shift in (16, 8, 0))
    return _shares(value, where)


def _shares(value: Any, where: str) -> tuple[float, ...]:
    shares = check_numbers(value, where)
    inside = np.isfinite(shares).all() and (shares >= 0).all() and (shares <= 1).all()
    if shares.shape not in ((3,), (4,)) or not inside:
        raise refuse(where, "'#rrggbb', a CSS name, 0xrrggbb or 3 to 4 numbers from 0 to 1", value)
    return tuple(shares.tolist())


def _named(name: str, where: str) -> tuple[float, ...]:
    with Requires("PIL"):
        from PIL import ImageColor

    try:
        parts = ImageColor.getrgb(name)
    except ValueError:
        raise refuse(where, "'#rrggbb' or the name of a CSS colour", name) from None
    return tuple(part / 255 for part in parts)


def pixels(value: Any, where: str) -> Any:
    """An image file's path, or (H, W, C) uint8 with C 1, 3 or 4, row 0 at the top."""
    if not isinstance(value, np.ndarray):
        return path(value, where)
    fits = value.ndim == 3 and value.shape[2] in (1, 3, 4) and value.dtype == np.uint8
    if not fits or not value.size or max(value.shape[:2]) > MAX_PIXELS:
        came = f"{value.shape} {value.dtype}"
        raise refuse(where, "a path or (H, W, C) uint8 pixels with C 1, 3 or 4", came)
    return frozen(value)


def array(width: int, dtype: type[np.generic], *, wider: int = 0) -> Check:
    """(N, width) numbers as an array of one dtype; with `wider` that width is good as well."""

    def check(value: Any, where: str) -> Any:
        try:
            rows = np.asarray(value)
        except ValueError:
            raise refuse(where, f"an array (N, {width})", value) from None
        if rows.ndim != 2 or rows.shape[1] not in (width, wider) or rows.dtype.kind not in "iuf":
            raise refuse(where, f"numbers (N, {width})", f"{rows.shape} {rows.dtype}")
        if rows.dtype.kind == "f" and not np.isfinite(rows).all():
            raise refuse(where, "finite numbers", "NaN or infinity")
        return frozen(rows.astype(dtype))

    return check


def indices(value: Any, where: str) -> Any:
    """(N, 3) vertex numbers."""
    rows = np.asarray(value)
    if rows.dtype.kind not in "iu" or (rows.size and rows.min() < 0):
        raise refuse(where, "whole numbers (N, 3) from 0", f"{rows.shape} {rows.dtype}")
    return array(3, np.uint32)(rows, where)


def vertex_colours(value: Any, where: str) -> Any:
    """(N, 3 or 4) colours, integers from 0 to 255 or numbers from 0 to 1, as uint8."""
    rows = np.asarray(value)
    top = 255 if rows.dtype.kind in "iu" else 1
    checked = array(3, np.float64, wider=4)(rows, where)
    if checked.size and not 0 <= checked.min() <= checked.max() <= top:
        raise refuse(where, f"colours from 0 to {top}", f"{checked.min()} to {checked.max()}")
    return frozen(np.round(checked * (255 / top)).astype(np.uint8))


def frozen(rows: Any) -> Any:
    """A read-only copy in C order."""
    copy = np.array(rows, order="C")
    copy.flags.writeable = False
    return copy


_SIDES = {0: "front", 2: "double"}


def side(value: Any, where: str) -> str:
    """Front or double; three.js's numbers 0 and 2 are good as well."""
    whole_number = isinstance(value, Integral) and not isinstance(value, bool)
    name: str = choice("front", "double")(
        _SIDES.get(int(value), value) if whole_number else value, where
    )
    return name


def specular(value: Any, where: str) -> tuple[float, ...]:
    """A colour, or one strength from 0 to 1."""
    return colour((value,) * 3 if isinstance(value, float) else value, where)


MATERIAL: Mapping[str, Prop] = MappingProxyType(
    {
        "color": Prop(colour, (1.0, 1.0, 1.0)),
        "opacity": Prop(number(0, 1), 1.0),
        "transparent": Prop(flag, None),
        "emissive": Prop(colour, (0.0, 0.0, 0.0)),
        "emissiveIntensity": Prop(number(0), 1.0),
        "roughness": Prop(number(0, 1), 1.0),
        "metalness": Prop(number(0, 1), 0.0),
        "shininess": Prop(number(0), 30.0),
        "specular": Prop(specular, (0x11 / 255,) * 3),
        "side": Prop(side, "front"),
        "map": Prop(pixels, None),
    }
)


def material(value: Any, where: str) -> Mapping[str, Any]:
    """A read-only mapping of material properties, those given only."""
    if not isinstance(value, Mapping):
        raise refuse(where, "a mapping such as {'color': 'red'}", value)
    for name in value:
        if name not in MATERIAL:
            raise UnknownNameError.of(f"property of {where}", name, MATERIAL)
    return MappingProxyType(
        {name: MATERIAL[name].check(value[name], f"{where}.{name}") for name in sorted(value)}
    )


def fingerprint(value: Any) -> bytes:
    """Digest (32 bytes) of a canonical value; equal values have equal digests."""
    digest = hashlib.sha256()
    _feed(digest, value)
    return digest.digest()


def _feed(digest: Any, value: Any) -> None:
    if isinstance(value, np.ndarray):
        digest.update(f"array {value.shape} {value.dtype.str} ".encode())
        digest.update(value.tobytes())
    elif isinstance(value, Mapping):
        digest.update(f"mapping {len(value)} ".encode())
        for name in sorted(value):
            _feed(digest, name)
            _feed(digest, value[name])
    elif isinstance(value, tuple):
        digest.update(f"tuple {len(value)} ".encode())
        for each in value:
            _feed(digest, each)
    else:
        text = repr(value).encode()
        digest.update(f"{type(value).__name__} {len(text)} ".encode() + text)
