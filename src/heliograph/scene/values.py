"""Checks of component properties: what came is turned into one canonical, frozen value, or refused.

A check takes the value and what messages call it, and returns tuples of floats, numbers, strings,
read-only mappings or read-only arrays.
"""

from __future__ import annotations

import hashlib
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from numbers import Real
from operator import index
from types import MappingProxyType
from typing import Any, TypeAlias, get_args

import numpy as np

from heliograph.checks import is_integer
from heliograph.errors import InvalidValueError, UnknownNameError, shown
from heliograph.poses import as_array, check_numbers, check_vector
from heliograph.requires import Requires

Check: TypeAlias = Callable[[Any, str], Any]
MAX_PIXELS = 16384
MOST_DECAY = 100.0
_MOST_SEGMENTS = 1_000_000
_MOST = sys.float_info.max


def refuse(where: str, expected: str, came: object) -> InvalidValueError:
    """The error that says what was expected and what came."""
    return InvalidValueError(f"{where}: expected {expected}, got {shown(came)}")


def number(low: float = -math.inf, high: float = math.inf, *, above: bool = False) -> Check:
    """A finite number from `low` (or above it) to `high`."""
    limits = "" if low == -math.inf else f" {'above' if above else 'from'} {low:g}"
    limits += "" if high == math.inf else f" to {high:g}"

    def check(value: Any, where: str) -> float:
        if type(value) is float and low < value < high:
            return value + 0.0
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
            raise refuse(where, f"a number{limits}", value)
        try:
            result = float(value) + 0.0
        except OverflowError:
            result = math.inf
        if not (math.isfinite(result) and low <= result <= high) or (above and result == low):
            raise refuse(where, f"a finite number{limits}", value)
        return result

    return check


def whole(low: int, high: int) -> Check:
    """An integer from `low` to `high`."""

    def check(value: Any, where: str) -> int:
        if not is_integer(value, low, high):
            raise refuse(where, f"a whole number from {low} to {high}", value)
        return index(value)

    return check


def flag(value: Any, where: str) -> bool:
    """True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise refuse(where, "True or False", value)
    return bool(value)


def choice(words: Any) -> Check:
    """One of the words of a `Literal`."""
    known = get_args(words)

    def check(value: Any, where: str) -> str:
        if not isinstance(value, str) or value not in known:
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
        numbers = _floats(value)
        if numbers is None or len(numbers) != length:
            return tuple(check_vector(value, where, length).tolist())
        return numbers

    return check


def _floats(value: Any) -> tuple[float, ...] | None:
    """A plain row of finite numbers as `check_vector` keeps it, without its cost; None for else."""
    if type(value) is np.ndarray and value.ndim == 1 and value.dtype.kind in "iuf":
        value = value.tolist()
    if type(value) is not tuple and type(value) is not list:
        return None
    for each in value:
        if (type(each) is not float and type(each) is not int) or not -_MOST <= each <= _MOST:
            return None
    return tuple([each + 0.0 for each in value])


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


class Sizes:
    """The check of a shape's `args`: named sizes, segment counts, its arc, as three.js has them.

    Args:
        *names: of the sizes, whose own checks look at them.
        segments: how many segment counts may follow; shapes are exact, so these are dropped.
        arc: names of what may come after them, whose own checks look at them.
    """

    def __init__(self, *names: str, segments: int = 2, arc: tuple[str, ...] = ()) -> None:
        self.names = names
        self.arc = arc
        self._segments = segments

    def __call__(self, value: Any, where: str) -> tuple[Any, ...]:
        """The sizes that are given, and the arc."""
        names = f"[{', '.join(self.names)}]"
        listed = isinstance(value, Sequence) or (isinstance(value, np.ndarray) and value.ndim > 0)
        if isinstance(value, str) or not listed:
            raise refuse(where, names, value)
        count = len(self.names)
        last = count + self._segments
        if len(value) > last + len(self.arc):
            then = f", then {', '.join(self.arc)}" if self.arc else ""
            raise refuse(where, f"{names} and at most {self._segments} segment counts{then}", value)
        for each in value[count:last]:
            _segment_count(each, f"{where} segments")
        return (*value[:count], *value[last:])


_segment_count = whole(1, _MOST_SEGMENTS)


def colour(value: Any, where: str) -> tuple[float, ...]:
    """SRGB from 0 to 1, of three or (with opacity) four numbers.

    Takes "#rrggbb", "#rgb", a CSS name, an integer 0xrrggbb, or the numbers themselves.
    """
    if isinstance(value, str):
        named = _css(value)
        if named is None:
            raise refuse(where, "'#rrggbb' or the name of a CSS colour", value)
        return named
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        if not 0 <= value <= 0xFFFFFF:
            raise refuse(where, "a colour from 0x000000 to 0xffffff", value)
        return tuple((int(value) >> shift & 255) / 255 for shift in (16, 8, 0))
    return _shares(value, where)


def _shares(value: Any, where: str) -> tuple[float, ...]:
    plain = _floats(value)
    if plain is not None and len(plain) in (3, 4) and min(plain) >= 0 and max(plain) <= 1:
        return plain
    shares = check_numbers(value, where)
    inside = np.isfinite(shares).all() and (shares >= 0).all() and (shares <= 1).all()
    if shares.shape not in ((3,), (4,)) or not inside:
        raise refuse(where, "'#rrggbb', a CSS name, 0xrrggbb or 3 to 4 numbers from 0 to 1", value)
    return tuple(shares.tolist())


@lru_cache(maxsize=1024)
def _css(name: str) -> tuple[float, ...] | None:
    with Requires("PIL"):
        from PIL import ImageColor

    try:
        return tuple(part / 255 for part in ImageColor.getrgb(name))
    except ValueError:
        return None


def pixels(value: Any, where: str) -> Any:
    """An image file's path, or (H, W, C) uint8 with C 1, 3 or 4, row 0 at the top."""
    if not isinstance(value, np.ndarray):
        return path(value, where)
    fits = value.ndim == 3 and value.shape[2] in (1, 3, 4) and value.dtype == np.uint8
    if not fits or not value.size or max(value.shape[:2]) > MAX_PIXELS:
        came = f"{value.shape} {value.dtype}"
        raise refuse(where, "a path or (H, W, C) uint8 pixels with C 1, 3 or 4", came)
    return frozen(value)


def light(value: Any, where: str) -> Any:
    """Linear light from all around (H, W, 3) from 0, as float32."""
    fits = value.ndim == 3 and value.shape[2] == 3 and value.dtype.kind in "iuf"
    if not fits or not value.size or max(value.shape[:2]) > MAX_PIXELS:
        raise refuse(where, "linear light (H, W, 3)", f"{value.shape} {value.dtype}")
    if not np.isfinite(value).all() or value.min() < 0:
        raise refuse(where, "finite light from 0", "NaN, infinity or less than 0")
    return frozen(value.astype(np.float32))


def array(width: int, dtype: type[np.generic], *, wider: int = 0) -> Check:
    """(N, width) numbers as an array of one dtype; with `wider` that width is good as well."""

    def check(value: Any, where: str) -> Any:
        rows = as_array(value, where)
        if rows.ndim != 2 or rows.shape[1] not in (width, wider) or rows.dtype.kind not in "iuf":
            raise refuse(where, f"numbers (N, {width})", f"{rows.shape} {rows.dtype}")
        if rows.dtype.kind == "f" and not np.isfinite(rows).all():
            raise refuse(where, "finite numbers", "NaN or infinity")
        return frozen(rows.astype(dtype))

    return check


def indices(value: Any, where: str) -> Any:
    """(N, 3) vertex numbers."""
    rows = as_array(value, where)
    if rows.dtype.kind not in "iu" or (rows.size and not 0 <= rows.min() <= rows.max() < 2**32):
        raise refuse(where, "whole numbers (N, 3) from 0 to 2**32 - 1", value)
    return array(3, np.uint32)(rows, where)


def vertex_colours(value: Any, where: str) -> Any:
    """(N, 3 or 4) colours, integers from 0 to 255 or numbers from 0 to 1, as uint8."""
    rows = as_array(value, where)
    top = 255 if rows.dtype.kind in "iu" else 1
    checked = array(3, np.float64, wider=4)(rows, where)
    if checked.size and not 0 <= checked.min() <= checked.max() <= top:
        raise refuse(where, f"colours from 0 to {top}", f"{checked.min()} to {checked.max()}")
    return frozen(np.round(checked * (255 / top)).astype(np.uint8))


def mapping(spec: Mapping[str, Any], example: str) -> Check:
    """A read-only mapping of what is given of these properties."""

    def check(value: Any, where: str) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise refuse(where, f"a mapping such as {example}", value)
        checked = {}
        for name in value:
            if name not in spec:
                raise UnknownNameError.of(f"property of {where}", name, spec)
            checked[name] = spec[name].check(value[name], f"{where}.{name}")
        return MappingProxyType(checked)

    return check


def named(check: Check) -> Check:
    """A read-only mapping from names to what a check makes of its values."""

    def check_all(value: Any, where: str) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise refuse(where, "a mapping of names", value)
        made = {text(name, where): check(value[name], f"{where} {name!r}") for name in value}
        return MappingProxyType(made)

    return check_all


def text(value: Any, where: str) -> str:
    """Some text."""
    if not isinstance(value, str):
        raise refuse(where, "text", value)
    return str(value)


def frozen(rows: Any) -> Any:
    """A read-only copy in C order."""
    copy = np.array(rows, order="C")
    copy.flags.writeable = False
    return copy


def fingerprint(value: Any) -> bytes:
    """Digest (32 bytes) of a canonical value; equal values have equal digests."""
    return hashlib.sha256(repr(_ordered(value)).encode()).digest()


_FLAT = frozenset({float, int, str, bool, bytes, type(None)})


def _ordered(value: Any) -> Any:
    """The same with mappings in the order of their keys, and arrays as digests."""
    if isinstance(value, tuple):
        return tuple([each if type(each) in _FLAT else _ordered(each) for each in value])
    if isinstance(value, Mapping):
        return {name: _ordered(value[name]) for name in sorted(value)}
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(value.tobytes()).digest()
        return b"array %s %s %s" % (str(value.shape).encode(), value.dtype.str.encode(), digest)
    return value
