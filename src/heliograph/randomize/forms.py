"""The forms that samplers have in config files.

`sampler(value)` reads them, `Sampler.to_json` writes them:

| JSON | draws |
|---|---|
| `0.5`, `"spot"`, `true` | that, always |
| `[s, s, s]` | a vector, each part by its own sampler |
| `{"uniform": [low, high]}` | uniform |
| `{"angle": [low, high]}` | uniform; given in degrees, drawn in radians |
| `{"normal": [mean, deviation]}` | normal; `[mean, deviation, low, high]` clips |
| `{"log_uniform": [low, high]}` | uniform in the logarithm |
| `{"integer": [low, high]}` | whole numbers, both ends included |
| `{"choice": [...]}` | one of them, all alike |
| `{"hsv": [h, s, v]}` | a colour (red, green, blue), each of the three by a sampler, 0 to 1 |
| `{"on_sphere": radius}` | a point on a sphere about the origin |
| `{"on_dome": radius}` | the same on its upper half |
| `{"in_ball": radius}` | a point in a ball |
| `{"quaternion": angle}` | a turn (w, x, y, z) by up to so many degrees; 180 is any rotation |
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

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
    OnDome,
    OnSphere,
    Quaternion,
    Sampler,
    Uniform,
    Vector,
)

_NUMBERS: dict[str, tuple[type[Sampler], int, int]] = {
    "uniform": (Uniform, 2, 2),
    "angle": (Angle, 2, 2),
    "normal": (Normal, 2, 4),
    "log_uniform": (LogUniform, 2, 2),
    "integer": (Integer, 2, 2),
    "in_ball": (InBall, 1, 1),
    "quaternion": (Quaternion, 1, 1),
}
KINDS = (*_NUMBERS, "choice", "hsv", "on_sphere", "on_dome")


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
    if isinstance(value, (int, float, np.number)):
        return Constant(float(value))
    if isinstance(value, (list, tuple)):
        return Vector(tuple(sampler(part) for part in value))
    if not isinstance(value, Mapping) or len(value) != 1:
        raise InvalidValueError(
            f"sampler: expected a number, a list or one of {', '.join(KINDS)} as in "
            f'{{"uniform": [0, 1]}}, got {value!r}'
        )
    ((kind, given),) = value.items()
    return _of_kind(str(kind), given)


def _of_kind(kind: str, given: Any) -> Sampler:
    if kind in _NUMBERS:
        return _of_numbers(kind, given)
    if kind not in KINDS:
        raise UnknownNameError.of("sampler", kind, KINDS)
    if kind in ("on_sphere", "on_dome"):
        return (OnDome if kind == "on_dome" else OnSphere)(sampler(given))
    if not isinstance(given, (list, tuple)) or (kind == "hsv" and len(given) != 3):
        raise InvalidValueError(f"{kind}: expected a list, got {given!r}")
    if kind == "choice":
        return Choice(tuple(given))
    hue, saturation, brightness = (sampler(part) for part in given)
    return Hsv(hue, saturation, brightness)


def _of_numbers(kind: str, given: Any) -> Sampler:
    cls, least, most = _NUMBERS[kind]
    numbers = list(given) if isinstance(given, (list, tuple)) else [given]
    real = all(isinstance(each, Real) and not isinstance(each, bool) for each in numbers)
    if not real or not least <= len(numbers) <= most or len(numbers) == 3:
        raise InvalidValueError(f"{kind}: expected {least} numbers, got {given!r}")
    return cls(*numbers)


def schema() -> dict[str, Any]:
    """The JSON schema of a sampler."""
    pair = {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 4}
    ref = {"$ref": "#/$defs/Sampler"}
    forms: dict[str, Any] = {kind: {"anyOf": [pair, {"type": "number"}]} for kind in _NUMBERS}
    forms |= {"choice": {"type": "array", "minItems": 1}, "on_sphere": ref, "on_dome": ref}
    forms["hsv"] = {"type": "array", "items": ref, "minItems": 3, "maxItems": 3}
    draws = [
        {"type": "object", "properties": {k: v}, "required": [k], "additionalProperties": False}
        for k, v in forms.items()
    ]
    plain = [{"type": ["number", "string", "boolean"]}, {"type": "array", "items": ref}]
    return {"title": "Sampler", "anyOf": [*plain, *draws]}
