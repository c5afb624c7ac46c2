"""Samplers: small frozen values that say how a number, a colour or a direction is drawn.

Each says once what it is: its fields are its parameters, checked when it is made and listed in this
order by its form in config files, `{"uniform": [0, 1]}`; `width`, `span` and `outcomes` say what it
may draw, `rows` draws. `sampler(value)` reads a form, `Sampler.to_json` writes it.
"""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from numbers import Real
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from heliograph.errors import InvalidValueError, UnknownNameError, shown
from heliograph.randomize.hsv import hsv_to_rgb

_DEVIATIONS = 8.5
"""Further out is less than one of 10**16 normal numbers."""
_LARGEST = sys.float_info.max
_REFERENCE = {"$ref": "#/$defs/Sampler"}


class Span(NamedTuple):
    """The smallest and the largest number that may be drawn, and whether all are whole."""

    low: float
    high: float
    whole: bool = False


def directions(rng: Generator, count: int) -> NDArray[Any]:
    """Draw unit vectors (count, 3), uniform over the sphere."""
    return _units(rng.standard_normal((count, 3)))


def _units(rows: NDArray[Any]) -> NDArray[Any]:
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    units: NDArray[Any] = rows / np.maximum(lengths, 1e-300)[:, None]
    return units


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


def _covering(spans: Sequence[Span | None]) -> Span | None:
    """The span of all of these; None where one of them is of words."""
    numbers = [each for each in spans if each is not None]
    if len(numbers) < len(spans):
        return None
    lows, highs, whole = zip(*numbers, strict=True)
    return Span(min(lows), max(highs), all(whole))


def _single(whole: Sampler, name: str) -> Span:
    """Read a part, a sampler of single numbers or its form; returns its span."""
    part = whole.__dict__[name] = sampler(getattr(whole, name))
    if part.width or part.span is None:
        form = shown(part.to_json())
        raise InvalidValueError(f"{whole.kind}: expected one number as {name}, got {form}")
    return part.span


def plain(value: Any) -> Any:
    """A parameter, or a dataclass of parameters, for JSON."""
    if isinstance(value, Sampler):
        return value.to_json()
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value.value if isinstance(value, Enum) else value


class Sampler(ABC):
    """How something is drawn; a kind of one's own is a frozen dataclass of its parameters."""

    kind: ClassVar[str] = ""
    width: int = 0
    """How many numbers one draw has; 0 for a plain number or word."""
    span: Span | None = Span(-math.inf, math.inf)
    """Of the numbers that it draws; everything where that is not known, None of words."""
    outcomes: Sequence[Any] = ()
    """All that it may draw where that can be listed; of vectors all of their parts."""

    @abstractmethod
    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """Draw `count` of them: (count,) or (count, width)."""

    def draw(self, rng: Generator, size: int | None = None) -> NDArray[Any]:
        """Draw one, () or (width,), or `size` of them, (size,) or (size, width)."""
        if size is not None:
            return self.rows(rng, size)
        one: NDArray[Any] = self.rows(rng, 1)[0]
        return one

    def to_json(self) -> Any:
        """The form that config files use."""
        values = [plain(getattr(self, field.name)) for field in fields(self)]  # type: ignore[arg-type]
        return {self.kind: values if len(values) > 1 else values[0]}

    @classmethod
    def counts(cls) -> Sequence[int]:
        """How many parameters its form may list."""
        return (len(fields(cls)),)  # type: ignore[arg-type]

    @classmethod
    def read(cls, given: Any) -> Self:
        """The sampler with the parameters that its form lists.

        Raises:
            InvalidValueError: too many or too few of them, or parameters out of range.
        """
        values = given if isinstance(given, (list, tuple)) else [given]
        if len(values) not in cls.counts():
            counts = " or ".join(map(str, cls.counts()))
            raise InvalidValueError(f"{cls.kind}: expected {counts} parameters, got {shown(given)}")
        make: Any = cls
        made: Self = make(*values)
        return made

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """The JSON schema of the parameters."""
        composite = fields(cls)[0].type == "Sampler"  # type: ignore[arg-type]  # as it is written
        item = _REFERENCE if composite else {"type": "number"}
        limits = {"minItems": min(cls.counts()), "maxItems": max(cls.counts())}
        listed = {"type": "array", "items": item, **limits}
        return {"anyOf": [listed, item]} if 1 in cls.counts() else listed


@dataclass(frozen=True)
class Constant(Sampler):
    """Always the same number, word or truth."""

    value: float | str | bool

    def __post_init__(self) -> None:
        plain = isinstance(self.value, (str, bool))
        number = 0.0 if plain else _number(self.value)
        span = None if plain else Span(number, number, number.is_integer())
        self.__dict__.update(span=span, outcomes=(self.value,))

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`; takes nothing from the stream."""
        return np.array([self.value] * count)

    def to_json(self) -> Any:
        """The value itself."""
        return self.value


@dataclass(frozen=True)
class Vector(Sampler):
    """A vector whose parts are drawn apart."""

    parts: tuple[Sampler, ...]

    def __post_init__(self) -> None:
        if not self.parts or any(part.width for part in self.parts):
            raise InvalidValueError(
                f"vector: expected samplers of numbers, got {shown(self.to_json())}"
            )
        span = _covering([part.span for part in self.parts])
        self.__dict__.update(width=len(self.parts), span=span)

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`."""
        return np.stack([part.rows(rng, count) for part in self.parts], axis=1)

    def to_json(self) -> Any:
        """A list of the parts."""
        return [part.to_json() for part in self.parts]


@dataclass(frozen=True)
class _Interval(Sampler):
    """What is drawn from an interval."""

    low: float
    high: float

    def __post_init__(self) -> None:
        low, high = (_number(each, f"{self.kind}: ") for each in (self.low, self.high))
        if not 0 <= high - low < math.inf:
            raise InvalidValueError(
                f"{self.kind}: expected low <= high and less than 1.8e308 between them, got "
                f"{low:g} and {high:g}"
            )
        self.__dict__.update(span=Span(self.low, self.high))


@dataclass(frozen=True)
class Uniform(_Interval):
    """Uniform from `low` to `high`."""

    kind: ClassVar[str] = "uniform"

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`."""
        drawn: NDArray[Any] = rng.random(count)
        drawn *= self.high - self.low
        drawn += self.low
        return np.asarray(np.minimum(drawn, self.high))


@dataclass(frozen=True)
class Angle(Uniform):
    """Uniform from `low` to `high` degrees; what is drawn is in radians."""

    kind: ClassVar[str] = "angle"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.__dict__.update(span=Span(math.radians(self.low), math.radians(self.high)))

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`."""
        return np.asarray(np.radians(super().rows(rng, count)))


@dataclass(frozen=True)
class LogUniform(_Interval):
    """Uniform in the logarithm, from `low` to `high`, both above 0."""

    kind: ClassVar[str] = "log_uniform"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low <= 0:
            raise InvalidValueError(f"log_uniform: expected low above 0, got {self.low}")

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`."""
        exponents = Uniform(math.log(self.low), math.log(self.high)).rows(rng, count)
        return np.asarray(np.clip(np.exp(exponents), self.low, self.high))


@dataclass(frozen=True)
class Integer(_Interval):
    """Whole numbers of 64 bits from `low` to `high`, both included."""

    low: int
    high: int
    kind: ClassVar[str] = "integer"

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = int(self.low), int(self.high)
        if (low, high) != (self.low, self.high) or low < -(2**63) or high >= 2**63:
            raise InvalidValueError(
                f"integer: expected whole numbers of 64 bits, got {self.low} and {self.high}"
            )
        self.__dict__.update(span=Span(low, high, whole=True), outcomes=range(low, high + 1))

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`."""
        return rng.integers(int(self.low), int(self.high), count, endpoint=True)


@dataclass(frozen=True)
class Normal(Sampler):
    """Normal, clipped to `low` ... `high`."""

    mean: float
    deviation: float
    low: float = -math.inf
    high: float = math.inf
    kind: ClassVar[str] = "normal"

    def __post_init__(self) -> None:
        mean, deviation = (_number(each, "normal: ") for each in (self.mean, self.deviation))
        if deviation < 0 or not self.low <= self.high:
            raise InvalidValueError(f"normal: expected deviation >= 0 and low <= high, got {self}")
        reach = _number(_DEVIATIONS * deviation, "normal: ")
        self.__dict__.update(
            span=Span(*np.clip((mean - reach, mean + reach), self.low, self.high).tolist())
        )

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`."""
        drawn = rng.standard_normal(count) * self.deviation + self.mean
        return np.clip(drawn, self.low, self.high)

    def to_json(self) -> Any:
        """`{"normal": [mean, deviation]}`, with the limits where there are any."""
        limits = [max(self.low, -_LARGEST), min(self.high, _LARGEST)]
        unlimited = limits == [-_LARGEST, _LARGEST]
        return {self.kind: [self.mean, self.deviation, *([] if unlimited else limits)]}

    @classmethod
    def counts(cls) -> Sequence[int]:
        """Both limits or none."""
        return (2, 4)


@dataclass(frozen=True)
class Choice(Sampler):
    """One of several numbers, words or vectors of one length, all equally likely."""

    options: tuple[Any, ...]
    kind: ClassVar[str] = "choice"

    def __post_init__(self) -> None:
        drawn = [sampler(each) for each in self.options]
        parts = [part for each in drawn for part in getattr(each, "parts", [each])]
        widths = {each.width for each in drawn}
        if len(widths) != 1 or not all(isinstance(each, Constant) for each in parts):
            raise InvalidValueError(
                "choice: expected one or more numbers, words or vectors of one length, got "
                f"{shown(list(self.options))}"
            )
        span, outcomes = _covering([each.span for each in parts]), [each.value for each in parts]
        self.__dict__.update(width=widths.pop(), span=span, outcomes=outcomes)

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`."""
        picked: NDArray[Any] = np.array(self.options)[rng.integers(0, len(self.options), count)]
        return picked

    @classmethod
    def read(cls, given: Any) -> Self:
        """See `Sampler.read`; there may be any number of options."""
        if not isinstance(given, (list, tuple)):
            raise InvalidValueError(f"choice: expected a list, got {shown(given)}")
        return cls(tuple(given))

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """See `Sampler.schema`."""
        return {"type": "array", "minItems": 1}


@dataclass(frozen=True)
class Hsv(Sampler):
    """A colour (red, green, blue) drawn as hue, saturation and value, each 0 to 1; hue wraps."""

    hue: Sampler = Uniform(0.0, 1.0)
    saturation: Sampler = Uniform(0.0, 1.0)
    value: Sampler = Uniform(0.0, 1.0)
    kind: ClassVar[str] = "hsv"
    width = 3
    span = Span(0.0, 1.0)

    def __post_init__(self) -> None:
        for name in ("hue", "saturation", "value"):
            span = _single(self, name)
            if name != "hue" and not 0 <= span.low <= span.high <= 1:
                form = shown(self.to_json())
                raise InvalidValueError(f"hsv: expected a {name} from 0 to 1, got {form}")

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`."""
        hue = self.hue.rows(rng, count)
        saturation = self.saturation.rows(rng, count)
        return hsv_to_rgb(hue, saturation, self.value.rows(rng, count))


@dataclass(frozen=True)
class OnSphere(Sampler):
    """A point on a sphere about the origin."""

    radius: Sampler = Constant(1.0)
    kind: ClassVar[str] = "on_sphere"
    width = 3

    def __post_init__(self) -> None:
        low, high, _ = _single(self, "radius")
        reach = max(abs(low), abs(high))
        self.__dict__.update(span=Span(-reach, reach))

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`."""
        return np.asarray(directions(rng, count) * self.radius.rows(rng, count)[:, None])


@dataclass(frozen=True)
class OnDome(OnSphere):
    """A point on the upper half (z >= 0) of a sphere about the origin."""

    kind: ClassVar[str] = "on_dome"

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`."""
        points = super().rows(rng, count)
        points[:, 2] = np.abs(points[:, 2])
        return points


@dataclass(frozen=True)
class InBall(Sampler):
    """A point in a ball about the origin, uniform in its volume."""

    radius: float = 1.0
    kind: ClassVar[str] = "in_ball"
    width = 3

    def __post_init__(self) -> None:
        if _number(self.radius, "in_ball: ") < 0:
            raise InvalidValueError(f"in_ball: expected a radius of 0 or more, got {self.radius}")
        self.__dict__.update(span=Span(-self.radius, self.radius))

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`."""
        reach = self.radius * np.cbrt(rng.random(count))
        return directions(rng, count) * reach[:, None]


@dataclass(frozen=True)
class Quaternion(Sampler):
    """A turn as a unit quaternion (w, x, y, z); `angle` degrees at most, 180 is any rotation.

    At 180 it is uniform over all rotations; below, the axis is uniform and so is the angle.
    """

    angle: float = 180.0
    kind: ClassVar[str] = "quaternion"
    width = 4
    span = Span(-1.0, 1.0)

    def __post_init__(self) -> None:
        if not 0 <= _number(self.angle, "quaternion: ") <= 180:
            raise InvalidValueError(f"quaternion: expected 0 to at most 180, got {self.angle}")

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`."""
        if self.angle == 180:
            return _units(rng.standard_normal((count, 4)))
        half = np.radians(self.angle) / 2 * rng.random(count)
        parts = directions(rng, count) * np.sin(half)[:, None]
        return np.column_stack((np.cos(half), parts))


KINDS: Mapping[str, type[Sampler]] = {
    each.kind: each
    for each in (
        *(Uniform, Angle, Normal, LogUniform, Integer),
        *(InBall, Quaternion, Choice, Hsv, OnSphere, OnDome),
    )
}


def sampler(value: Any) -> Sampler:
    """Read a sampler from its JSON form; a sampler is returned as it is.

    Raises:
        UnknownNameError: no such kind of sampler.
        InvalidValueError: not the form of a sampler, or parameters out of range.
    """
    if isinstance(value, Sampler):
        return value
    if isinstance(value, (bool, str)):
        return Constant(value)
    if isinstance(value, Real):
        return Constant(_number(value))
    if isinstance(value, (list, tuple)):
        return Vector(tuple(sampler(part) for part in value))
    if not isinstance(value, Mapping) or len(value) != 1:
        raise InvalidValueError(
            f"sampler: expected a number, a list or one of {', '.join(KINDS)} as in "
            f'{{"uniform": [0, 1]}}, got {shown(value)}'
        )
    ((kind, given),) = value.items()
    if kind not in KINDS:
        raise UnknownNameError.of("sampler", str(kind), KINDS)
    return KINDS[kind].read(given)


def schema() -> dict[str, Any]:
    """The JSON schema of a sampler."""
    plain = [{"type": ["number", "string", "boolean"]}, {"type": "array", "items": _REFERENCE}]
    draws = [
        {
            "type": "object",
            "properties": {kind: each.schema()},
            "required": [kind],
            "additionalProperties": False,
        }
        for kind, each in KINDS.items()
    ]
    return {"title": "Sampler", "anyOf": [*plain, *draws]}
