"""Samplers: small values that say how a number, a colour or a direction is drawn.

Each kind is a function that says once what it is: its parameters and what they may be, its form in
config files (`{"uniform": [0, 1]}`), what it may draw, and how it draws. `sampler(value)` reads a
form, which functions take for a sampler, too; `Sampler.to_json` gives it back.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from numbers import Real
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from heliograph.errors import InvalidValueError, UnknownNameError, shown
from heliograph.randomize.hsv import hsv_to_rgb

_DEVIATIONS = 8.5
"""Further out is less than one of 10**16 normal numbers."""
_LARGEST = sys.float_info.max
_REFERENCE = {"$ref": "#/$defs/Sampler"}
_UNIT = {"uniform": [0.0, 1.0]}
Form: TypeAlias = "Sampler | float | str | bool | Sequence[Any] | Mapping[str, Any]"
"""A sampler, or what config files write for it."""


class Span(NamedTuple):
    """The smallest and the largest number that may be drawn, and whether all are whole."""

    low: float
    high: float
    whole: bool = False


_ANYTHING = Span(-math.inf, math.inf)


@dataclass(frozen=True)
class Sampler:
    """How something is drawn; those of one form are equal.

    Attributes:
        form: what config files write.
        rows: draws so many of them from a generator: (count,) or (count, width).
        span: of the numbers that it draws; everything where that is not known, None of words.
        width: how many numbers one draw has; 0 for a plain number or word.
        outcomes: all that it may draw where that can be listed; of vectors all of their parts.
        parts: of a vector whose parts are drawn apart.
        hint: what to write where it draws too much.
    """

    form: Any
    rows: Callable[[Generator, int], NDArray[Any]] = dataclasses.field(compare=False, repr=False)
    span: Span | None = dataclasses.field(default=_ANYTHING, compare=False, repr=False)
    width: int = dataclasses.field(default=0, compare=False, repr=False)
    outcomes: Sequence[Any] = dataclasses.field(default=(), compare=False, repr=False)
    parts: tuple[Sampler, ...] = dataclasses.field(default=(), compare=False, repr=False)
    hint: str = dataclasses.field(default="", compare=False, repr=False)

    def draw(self, rng: Generator, size: int | None = None) -> NDArray[Any]:
        """Draw one, () or (width,), or `size` of them, (size,) or (size, width)."""
        if size is not None:
            return self.rows(rng, size)
        one: NDArray[Any] = self.rows(rng, 1)[0]
        return one

    def vectors(self, rng: Generator, count: int, width: int) -> NDArray[Any]:
        """Draw vectors (count, width); where plain numbers are drawn, one for each part."""
        return self.rows(rng, count if self.width else width * count).reshape(count, width)

    def to_json(self) -> Any:
        """The form that config files use."""
        return plain(self.form)

    def __reduce__(self) -> Any:
        """Pickled and copied as its form, as functions cannot be."""
        return sampler, (self.form,)


def constant(value: float | str | bool) -> Sampler:
    """Always the same number, word or truth; takes nothing from the stream."""
    span = None
    if not isinstance(value, (str, bool)):
        number = _number(value)
        span = Span(number, number, number.is_integer())
    return Sampler(value, lambda _, count: np.array([value] * count), span, outcomes=(value,))


def vector(*parts: Form) -> Sampler:
    """A vector whose parts are drawn apart."""
    each = tuple(sampler(part) for part in parts)
    form = [part.to_json() for part in each]
    if not each or any(part.width for part in each):
        raise InvalidValueError(f"vector: expected samplers of numbers, got {shown(form)}")

    def rows(rng: Generator, count: int) -> NDArray[Any]:
        return np.stack([part.rows(rng, count) for part in each], axis=1)

    return Sampler(form, rows, _covering(each), len(each), parts=each)


def uniform(low: float, high: float) -> Sampler:
    """Uniform from `low` to `high`."""
    _check_ends("uniform", low, high)
    form = {"uniform": [low, high]}
    return Sampler(form, lambda rng, count: _between(rng, count, low, high), Span(low, high))


def angle(low: float, high: float) -> Sampler:
    """Uniform from `low` to `high` degrees; what is drawn is in radians."""
    _check_ends("angle", low, high)

    def rows(rng: Generator, count: int) -> NDArray[Any]:
        return np.asarray(np.radians(_between(rng, count, low, high)))

    return Sampler({"angle": [low, high]}, rows, Span(math.radians(low), math.radians(high)))


def log_uniform(low: float, high: float) -> Sampler:
    """Uniform in the logarithm, from `low` to `high`, both above 0."""
    _check_ends("log_uniform", low, high)
    if low <= 0:
        raise InvalidValueError(f"log_uniform: expected low above 0, got {low}")

    def rows(rng: Generator, count: int) -> NDArray[Any]:
        exponents = _between(rng, count, math.log(low), math.log(high))
        return np.asarray(np.clip(np.exp(exponents), low, high))

    return Sampler({"log_uniform": [low, high]}, rows, Span(low, high))


def integer(low: int, high: int) -> Sampler:
    """Whole numbers of 64 bits from `low` to `high`, both included."""
    _check_ends("integer", low, high)
    first, last = int(low), int(high)
    if (first, last) != (low, high) or first < -(2**63) or last >= 2**63:
        raise InvalidValueError(f"integer: expected whole numbers of 64 bits, got {low} and {high}")

    def rows(rng: Generator, count: int) -> NDArray[Any]:
        return rng.integers(first, last, count, endpoint=True)

    span = Span(first, last, whole=True)
    return Sampler({"integer": [low, high]}, rows, span, outcomes=range(first, last + 1))


def normal(
    mean: float, deviation: float, low: float = -math.inf, high: float = math.inf
) -> Sampler:
    """Normal, clipped to `low` ... `high`."""
    limits = [each for each in (low, high) if each not in (-math.inf, math.inf)]
    for each in (mean, deviation, *limits):
        _number(each, "normal: ")
    if deviation < 0 or not low <= high:
        raise InvalidValueError(
            "normal: expected deviation >= 0 and low <= high, got "
            f"{shown([mean, deviation, low, high])}"
        )
    reach = _number(_DEVIATIONS * deviation, "normal: ")
    lowest, highest = np.clip((mean - reach, mean + reach), low, high)
    ends = [max(low, -_LARGEST), min(high, _LARGEST)] if limits else []

    def rows(rng: Generator, count: int) -> NDArray[Any]:
        return np.clip(rng.standard_normal(count) * deviation + mean, low, high)

    hint = "" if limits else '; give it limits: {"normal": [mean, deviation, low, high]}'
    form = {"normal": [mean, deviation, *ends]}
    return Sampler(form, rows, Span(float(lowest), float(highest)), hint=hint)


def choice(*options: Any) -> Sampler:
    """One of several numbers, words or vectors of one length, all equally likely."""
    each = [sampler(option) for option in options]
    parts = [part for one in each for part in one.parts or [one]]
    widths = {one.width for one in each}
    if len(widths) != 1 or any(len(part.outcomes) != 1 for part in parts):
        raise InvalidValueError(
            "choice: expected one or more numbers, words or vectors of one length, got "
            f"{shown(list(options))}"
        )
    values = np.array(options)

    def rows(rng: Generator, count: int) -> NDArray[Any]:
        picked: NDArray[Any] = values[rng.integers(0, len(values), count)]
        return picked

    outcomes = [part.outcomes[0] for part in parts]
    return Sampler({"choice": list(options)}, rows, _covering(parts), widths.pop(), outcomes)


def hsv(hue: Form = _UNIT, saturation: Form = _UNIT, value: Form = _UNIT) -> Sampler:
    """A colour (red, green, blue) drawn as hue, saturation and value, each 0 to 1; hue wraps."""
    parts = [sampler(each) for each in (hue, saturation, value)]
    form = {"hsv": [part.to_json() for part in parts]}
    for part, name in zip(parts, ("hue", "saturation", "value"), strict=True):
        span = _single("hsv", name, part)
        if name != "hue" and not 0 <= span.low <= span.high <= 1:
            raise InvalidValueError(f"hsv: expected a {name} from 0 to 1, got {shown(form)}")

    def rows(rng: Generator, count: int) -> NDArray[Any]:
        h, s, v = (part.rows(rng, count) for part in parts)
        return hsv_to_rgb(h, s, v)

    return Sampler(form, rows, Span(0.0, 1.0), 3)


def on_sphere(radius: Form) -> Sampler:
    """A point on a sphere about the origin."""
    return _around("on_sphere", radius, upper=False)


def on_dome(radius: Form) -> Sampler:
    """A point on the upper half (z >= 0) of a sphere about the origin."""
    return _around("on_dome", radius, upper=True)


def _around(kind: str, radius: Form, *, upper: bool) -> Sampler:
    length = sampler(radius)
    reach = max(map(abs, _single(kind, "radius", length)[:2]))

    def rows(rng: Generator, count: int) -> NDArray[Any]:
        points: NDArray[Any] = directions(rng, count) * length.rows(rng, count)[:, None]
        if upper:
            points[:, 2] = np.abs(points[:, 2])
        return points

    return Sampler({kind: length.to_json()}, rows, Span(-reach, reach), 3)


def in_ball(radius: float) -> Sampler:
    """A point in a ball about the origin, uniform in its volume."""
    if _number(radius, "in_ball: ") < 0:
        raise InvalidValueError(f"in_ball: expected a radius of 0 or more, got {radius}")

    def rows(rng: Generator, count: int) -> NDArray[Any]:
        reach = radius * np.cbrt(rng.random(count))
        return directions(rng, count) * reach[:, None]

    return Sampler({"in_ball": radius}, rows, Span(-radius, radius), 3)


def quaternion(degrees: float) -> Sampler:
    """A turn as a unit quaternion (w, x, y, z) by up to so many degrees; 180 is any rotation.

    At 180 it is uniform over all rotations; below, the axis is uniform and so is the angle.
    """
    if not 0 <= _number(degrees, "quaternion: ") <= 180:
        raise InvalidValueError(f"quaternion: expected 0 to at most 180, got {degrees}")

    def rows(rng: Generator, count: int) -> NDArray[Any]:
        if degrees == 180:
            return units(rng.standard_normal((count, 4)))
        half = np.radians(degrees) / 2 * rng.random(count)
        parts = directions(rng, count) * np.sin(half)[:, None]
        return np.column_stack((np.cos(half), parts))

    return Sampler({"quaternion": degrees}, rows, Span(-1.0, 1.0), 4)


class Kind(NamedTuple):
    """How forms name a kind of sampler.

    Attributes:
        make: its function.
        counts: how many parameters a form may list; any number, where it is empty.
        parameter: the JSON schema of each.
    """

    make: Callable[..., Sampler]
    counts: tuple[int, ...]
    parameter: Mapping[str, Any] = {"type": "number"}


KINDS = {
    "uniform": Kind(uniform, (2,)),
    "angle": Kind(angle, (2,)),
    "normal": Kind(normal, (2, 4)),
    "log_uniform": Kind(log_uniform, (2,)),
    "integer": Kind(integer, (2,)),
    "in_ball": Kind(in_ball, (1,)),
    "quaternion": Kind(quaternion, (1,)),
    "choice": Kind(choice, (), {}),
    "hsv": Kind(hsv, (3,), _REFERENCE),
    "on_sphere": Kind(on_sphere, (1,), _REFERENCE),
    "on_dome": Kind(on_dome, (1,), _REFERENCE),
}


def sampler(value: Form) -> Sampler:
    """Read a sampler from its JSON form; a sampler is returned as it is.

    Raises:
        UnknownNameError: no such kind of sampler.
        InvalidValueError: not the form of a sampler, or parameters out of range.
    """
    if isinstance(value, Sampler):
        return value
    if isinstance(value, (bool, str)):
        return constant(value)
    if isinstance(value, Real):
        return constant(_number(value))
    if isinstance(value, (list, tuple)):
        return vector(*value)
    if not isinstance(value, Mapping) or len(value) != 1:
        raise InvalidValueError(
            f"sampler: expected a number, a list or one of {', '.join(KINDS)} as in "
            f'{{"uniform": [0, 1]}}, got {shown(value)}'
        )
    ((name, given),) = value.items()
    if name not in KINDS:
        raise UnknownNameError.of("sampler", name, KINDS)
    kind, listed = KINDS[name], given if isinstance(given, (list, tuple)) else [given]
    if kind.counts and len(listed) not in kind.counts:
        counts = " or ".join(map(str, kind.counts))
        raise InvalidValueError(f"{name}: expected {counts} parameters, got {shown(given)}")
    return kind.make(*listed)


def schema() -> dict[str, Any]:
    """The JSON schema of a sampler."""
    forms: list[Any] = [{"type": ["number", "string", "boolean"]}]
    forms.append({"type": "array", "items": _REFERENCE})
    for name, (_, counts, parameter) in KINDS.items():
        limits = {"minItems": min(counts), "maxItems": max(counts)} if counts else {"minItems": 1}
        own = {"type": "array", "items": parameter, **limits}
        own = {"anyOf": [own, parameter]} if 1 in counts else own
        closed = {"required": [name], "additionalProperties": False}
        forms.append({"type": "object", "properties": {name: own}, **closed})
    return {"title": "Sampler", "anyOf": forms}


def directions(rng: Generator, count: int) -> NDArray[Any]:
    """Draw unit vectors (count, 3), uniform over the sphere."""
    return units(rng.standard_normal((count, 3)))


def units(rows: NDArray[Any]) -> NDArray[Any]:
    """Vectors (count, width) of length 1 in the directions of these; zeros stay."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return np.asarray(rows / np.maximum(lengths, 1e-300)[:, None])


def plain(value: Any) -> Any:
    """A parameter, or a dataclass of parameters, for JSON."""
    if isinstance(value, Sampler):
        return value.to_json()
    if dataclasses.is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value.value if isinstance(value, Enum) else value


def _between(rng: Generator, count: int, low: float, high: float) -> NDArray[Any]:
    drawn: NDArray[Any] = rng.random(count)
    drawn *= high - low
    drawn += low
    return np.asarray(np.minimum(drawn, high))


def _number(value: Any, where: str = "") -> float:
    """A finite number; true and false are none."""
    expected = "numbers"
    if not isinstance(value, bool) and isinstance(value, Real):
        try:
            number = float(value)
        except OverflowError:  # an integer of more than 308 digits
            number = math.inf
        if math.isfinite(number):
            return number
        expected = "finite numbers"
    raise InvalidValueError(f"{where}expected {expected}, got {shown(value)}")


def _check_ends(kind: str, low: float, high: float) -> None:
    if not 0 <= _number(high, f"{kind}: ") - _number(low, f"{kind}: ") < math.inf:
        raise InvalidValueError(
            f"{kind}: expected low <= high and less than 1.8e308 between them, got {low:g} and "
            f"{high:g}"
        )


def _covering(parts: Sequence[Sampler]) -> Span | None:
    """The span of all of these; None where one of them is of words."""
    spans = [part.span for part in parts if part.span is not None]
    if len(spans) < len(parts):
        return None
    lows, highs, whole = zip(*spans, strict=True)
    return Span(min(lows), max(highs), all(whole))


def _single(kind: str, name: str, part: Sampler) -> Span:
    """The span of a part, which must draw single numbers."""
    if part.width or part.span is None:
        form = shown(part.to_json())
        raise InvalidValueError(f"{kind}: expected one number as {name}, got {form}")
    return part.span
