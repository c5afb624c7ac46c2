"""What samplers may draw at the most, so that a config is refused when it is loaded."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.randomize.samplers import (
    Angle,
    Choice,
    Constant,
    Hsv,
    InBall,
    Integer,
    LogUniform,
    Normal,
    OnSphere,
    Quaternion,
    Sampler,
    Uniform,
    Vector,
)

_DEVIATIONS = 8.5
"""Further out is less than one of 10**16 normal numbers."""


class Span(NamedTuple):
    """From the smallest number that may be drawn to the largest; some below 0 by rounding."""

    low: float
    high: float


@functools.singledispatch
def span(sampler: Sampler) -> Span:
    """The span of the numbers that a sampler draws; of one that is not known, everything.

    Raises:
        InvalidValueError: it draws words.
    """
    del sampler
    return Span(-math.inf, math.inf)


@span.register
def _(sampler: Constant) -> Span:
    number = _number(sampler.value)
    return Span(number, number)


@span.register
def _(sampler: Choice) -> Span:
    numbers = [_number(each) for option in sampler.options for each in _parts(option)]
    return Span(min(numbers), max(numbers))


@span.register(Uniform)
@span.register(LogUniform)
@span.register(Integer)
def _(sampler: Uniform | LogUniform | Integer) -> Span:
    return Span(sampler.low, sampler.high)


@span.register
def _(sampler: Angle) -> Span:
    return Span(math.radians(sampler.low), math.radians(sampler.high))


@span.register
def _(sampler: Normal) -> Span:
    reach = _DEVIATIONS * sampler.deviation
    low, high = (sampler.mean - reach, sampler.mean + reach)
    return Span(*np.clip((low, high), sampler.low, sampler.high).tolist())


@span.register
def _(sampler: Vector) -> Span:
    spans = [span(part) for part in sampler.parts]
    return Span(min(each.low for each in spans), max(each.high for each in spans))


@span.register
def _(sampler: Hsv) -> Span:
    for name in ("hue", "saturation", "value"):
        check_one(f"hsv: {name}", getattr(sampler, name))
        drawn = span(getattr(sampler, name))
        if name != "hue" and not 0 <= drawn.low <= drawn.high <= 1:
            raise InvalidValueError(f"hsv: expected a {name} from 0 to 1, got {_told(sampler)}")
    return Span(0.0, 1.0)


@span.register
def _(sampler: OnSphere) -> Span:
    check_one(f"{sampler.kind}: radius", sampler.radius)
    reach = max(map(abs, span(sampler.radius)))
    return Span(-reach, reach)


@span.register
def _(sampler: InBall) -> Span:
    return Span(-sampler.radius, sampler.radius)


@span.register
def _(sampler: Quaternion) -> Span:
    del sampler
    return Span(-1.0, 1.0)


def check_span(
    name: str, sampler: Sampler, low: float = -math.inf, high: float = math.inf, what: str = ""
) -> None:
    """Check that a sampler draws numbers in a range only; `what` says what they are.

    Raises:
        InvalidValueError: it may draw others, or words.
    """
    drawn = _span(name, sampler)
    if low <= drawn.low and drawn.high <= high:
        return
    meaning = f" ({what})" if what else ""
    draws = "" if drawn.low == drawn.high else f", which draws from {drawn.low:g} to {drawn.high:g}"
    hint = ""
    if isinstance(sampler, Normal) and math.isinf(sampler.high - sampler.low):
        hint = '; give it limits: {"normal": [mean, deviation, low, high]}'
    raise InvalidValueError(
        f"{name}: expected {_range(low, high)}{meaning}, got {_told(sampler)}{draws}{hint}"
    )


def check_one(name: str, sampler: Sampler) -> None:
    """Check that a sampler draws single numbers or words, and no vectors.

    Raises:
        InvalidValueError: it draws vectors.
    """
    if sampler.width:
        raise InvalidValueError(f"{name}: expected one number, got {_told(sampler)}, a vector")


def check_vector(name: str, sampler: Sampler) -> None:
    """Check that a sampler draws one number or three.

    Raises:
        InvalidValueError: it draws another number of them.
    """
    if sampler.width not in (0, 3):
        raise InvalidValueError(f"{name}: expected one number or three, got {_told(sampler)}")


def check_whole(name: str, sampler: Sampler, low: int, high: int) -> None:
    """Check that a sampler draws whole numbers in a range only.

    Raises:
        InvalidValueError: it may draw others.
    """
    check_one(name, sampler)
    drawn = _span(name, sampler)
    if not _is_whole(sampler):
        ends = f"[{math.ceil(drawn.low)}, {math.floor(drawn.high)}]"
        hint = f'; {{"integer": {ends}}} draws them' if drawn.low < drawn.high else ""
        raise InvalidValueError(f"{name}: expected whole numbers, got {_told(sampler)}{hint}")
    check_span(name, sampler, low, high, "a whole number")


def check_words(name: str, sampler: Sampler, known: Sequence[str]) -> None:
    """Check that a sampler draws words among the known ones only.

    Raises:
        UnknownNameError: another word.
        InvalidValueError: no words.
    """
    if not isinstance(sampler, (Constant, Choice)):
        raise InvalidValueError(
            f"{name}: expected {' or '.join(known)}, or a choice, got {_told(sampler)}"
        )
    for word in _options(sampler):
        if word not in known:
            raise UnknownNameError.of(name, str(word), known)


def check_truth(name: str, sampler: Sampler) -> None:
    """Check that a sampler draws true and false, or 1 and 0, only.

    Raises:
        InvalidValueError: it may draw something else.
    """
    drawn = _options(sampler) if isinstance(sampler, (Constant, Choice)) else ()
    whole = isinstance(sampler, Integer) and 0 <= sampler.low <= sampler.high <= 1
    if not whole and (not drawn or any(each not in (0, 1) for each in drawn)):
        raise InvalidValueError(
            f"{name}: expected true, false or a choice of them, got {_told(sampler)}"
        )


def _span(name: str, sampler: Sampler) -> Span:
    try:
        return span(sampler)
    except InvalidValueError as error:
        raise InvalidValueError(f"{name}: {error.message}") from None


def _is_whole(sampler: Sampler) -> bool:
    if isinstance(sampler, (Constant, Choice)):
        return all(_number(each).is_integer() for each in _options(sampler))
    return isinstance(sampler, Integer)


def _options(sampler: Constant | Choice) -> Iterable[object]:
    return (sampler.value,) if isinstance(sampler, Constant) else sampler.options


def _parts(option: object) -> Sequence[object]:
    return option if isinstance(option, (list, tuple)) else (option,)


def _number(value: object) -> float:
    if isinstance(value, (int, float, np.number)):  # true and false count as 1 and 0
        return float(value)
    raise InvalidValueError(f"expected numbers, got {value!r}")


def _range(low: float, high: float) -> str:
    if math.isinf(high):
        return "finite numbers" if math.isinf(low) else f"{low:g} or more"
    return f"{low:g} to {high:g}"


def _told(sampler: Sampler) -> str:
    return repr(sampler.to_json())
