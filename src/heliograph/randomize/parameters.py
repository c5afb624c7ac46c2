"""What the parameters of randomizers may be, said once, where a randomizer declares them.

    intensity: Sampler = drawn(uniform(0.3, 1.0), Numbers(0.0, what="a factor"))
    probability: float = fixed(1.0, Numbers(0.0, 1.0))

From that follow how they are read and checked when a randomizer is made, of a config or in Python,
so that what would fail at some view fails there, and what the JSON schema says of them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from heliograph.errors import HeliographError, InvalidValueError, UnknownNameError, shown
from heliograph.randomize.samplers import Sampler, Span, sampler

_COUNTS = {0: "one number", 2: "two numbers", 3: "three numbers", 4: "four numbers"}


@dataclass(frozen=True)
class Numbers:
    """Numbers in a range.

    Attributes:
        low, high: both included; infinite ones are no limits.
        widths: how many one draw may have, 0 being a plain number; any, where it is empty.
        whole: whether only whole ones.
        nonzero: whether no part of a draw may be 0.
        away: whether a draw may not be 0 in all of its parts.
        what: what they are, for people.
    """

    low: float = -math.inf
    high: float = math.inf
    widths: tuple[int, ...] = (0,)
    whole: bool = False
    nonzero: bool = False
    away: bool = False
    what: str = ""

    def __str__(self) -> str:
        """The range."""
        span = f"{self.low:g} to {self.high:g}"
        if math.isinf(self.high):
            span = "finite numbers" if math.isinf(self.low) else f"{self.low:g} or more"
        zero = ", but not 0" if self.nonzero or self.away else ""
        return f"{span}{zero} ({self.what})" if self.what else f"{span}{zero}"

    def check(self, name: str, value: Sampler) -> None:
        """Refuse a sampler that may draw anything else.

        Raises:
            InvalidValueError: says what it draws.
        """
        got, span = f"got {shown(value.to_json())}", value.span
        if span is None:
            raise InvalidValueError(f"{name}: expected numbers, {got}")
        if self.widths and value.width not in self.widths:
            counts = " or ".join(_COUNTS[width] for width in self.widths)
            what = f" ({self.what})" if self.what else ""
            raise InvalidValueError(f"{name}: expected {counts}{what}, {got}")
        if self.whole and not span.whole:
            ends = f"[{math.ceil(span.low)}, {math.floor(span.high)}]"
            hint = f'; {{"integer": {ends}}} draws them' if span.low < span.high else ""
            raise InvalidValueError(f"{name}: expected whole numbers, {got}{hint}")
        if not self.low <= span.low <= span.high <= self.high:
            hint = f", which draws from {span.low:g} to {span.high:g}" * (span.low < span.high)
            raise InvalidValueError(f"{name}: expected {self}, {got}{hint}{value.hint}")
        if (self.nonzero or self.away) and self._may_be_zero(value):
            raise InvalidValueError(f"{name}: expected {self}, {got}")

    def _may_be_zero(self, value: Sampler) -> bool:
        if self.nonzero and value.parts:
            return any(self._may_be_zero(part) for part in value.parts)
        listed = value.outcomes if self.nonzero or not value.width else ()
        return value.span in (Span(0, 0), Span(0, 0, whole=True)) or 0 in listed


@dataclass(frozen=True)
class OneOf:
    """One of several words, or true or false.

    Attributes:
        known: which.
    """

    known: tuple[str | bool, ...]

    def __str__(self) -> str:
        """What there is."""
        return ", ".join(
            each if isinstance(each, str) else str(each).lower() for each in self.known
        )

    def check(self, name: str, value: Sampler) -> None:
        """Refuse a sampler that may draw anything else.

        Raises:
            UnknownNameError: another word.
            InvalidValueError: something else.
        """
        strange = next((each for each in value.outcomes if each not in self.known), None)
        if isinstance(strange, str) and isinstance(self.known[0], str):
            raise UnknownNameError.of(name, strange, map(str, self.known))
        if strange is not None or not value.outcomes or value.width:
            raise InvalidValueError(
                f"{name}: expected {self} or a choice of them, got {shown(value.to_json())}"
            )


@dataclass(frozen=True)
class Parameter:
    """How a field of a randomizer is read.

    Attributes:
        expected: what it may be.
        depth: how many levels of names stand over each value.
        drawn: whether it is drawn; otherwise it is a plain number.
        optional: whether it may be None.
    """

    expected: Numbers | OneOf
    depth: int = 0
    drawn: bool = True
    optional: bool = False

    def read(self, name: str, value: Any, depth: int | None = None) -> Any:
        """The value as a randomizer keeps it: a sampler, a number, or a mapping of them.

        Raises:
            HeliographError: it is none, or may be something that is not expected; says where.
        """
        depth = self.depth if depth is None else depth
        if value is None and self.optional:
            return None
        if depth and not isinstance(value, Mapping):
            raise InvalidValueError(f"{name}: expected an object, got {shown(value)}")
        if depth:
            parts = value.items()
            return {key: self.read(f"{name}.{key}", each, depth - 1) for key, each in parts}
        try:
            made = sampler(value)
        except HeliographError as error:
            raise type(error)(f"{name}: {error.message}") from None
        self.expected.check(name, made)
        if not self.drawn and not isinstance(value, Real):
            raise InvalidValueError(f"{name}: expected a plain number, got {shown(value)}")
        return made if self.drawn else float(value)

    def schema(self) -> dict[str, Any]:
        """The JSON schema of it in a config."""
        schema: dict[str, Any] = {"$ref": "#/$defs/Sampler"} if self.drawn else {"type": "number"}
        if self.optional:
            schema = {"anyOf": [schema, {"type": "null"}]}
        for _ in range(self.depth):
            schema = {"type": "object", "additionalProperties": schema}
        return {"description": str(self.expected), **schema}


SHARE = Numbers(0.0, 1.0)
COLOUR = Numbers(0.0, 1.0, widths=(3,), what="red, green, blue")
METRES = Numbers(-1e17, 1e17, widths=(0, 3), what="metres")
POINT = dataclasses.replace(METRES, widths=(3,))
SHAKE = Numbers(-1.6, 1.6, what='radians; {"angle": [-3, 3]} takes degrees')
"""A quarter turn, rounded up: whoever shakes a camera by more means degrees."""
TURN = Numbers(-6.3, 6.3, what='radians; {"angle": [-180, 180]} takes degrees')
"""A whole turn, rounded up."""
FIELD_OF_VIEW = Numbers(0.0, math.pi, what='radians; {"angle": [40, 60]} takes degrees')


def drawn(
    default: Any, expected: Numbers | OneOf, *, depth: int = 0, optional: bool = False
) -> Any:
    """A field that holds a sampler; with `depth` samplers by name."""
    return _field(default, Parameter(expected, depth, optional=optional))


def fixed(default: Any, expected: Numbers, *, depth: int = 0) -> Any:
    """A field that holds a plain number; with `depth` numbers by name."""
    return _field(default, Parameter(expected, depth, drawn=False))


def _field(default: Any, parameter: Parameter) -> Any:
    return dataclasses.field(default_factory=lambda: default, metadata={"parameter": parameter})


def parameters(kind: Any) -> dict[str, Parameter]:
    """The parameters that a class, or a randomizer of it, declares so, by name."""
    if not dataclasses.is_dataclass(kind):
        return {}
    declared = {field.name: field.metadata.get("parameter") for field in dataclasses.fields(kind)}
    return {name: each for name, each in declared.items() if each is not None}
