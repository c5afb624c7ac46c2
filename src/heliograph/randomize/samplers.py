"""Samplers: small frozen values that say how a number, colour or direction is drawn."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from heliograph.errors import InvalidValueError
from heliograph.randomize.hsv import hsv_to_rgb


def directions(rng: Generator, count: int) -> NDArray[Any]:
    """Draw unit vectors (count, 3), uniform over the sphere."""
    return _units(rng.standard_normal((count, 3)))


def _units(rows: NDArray[Any]) -> NDArray[Any]:
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    units: NDArray[Any] = rows / np.maximum(lengths, 1e-300)[:, None]
    return units


def _finite(kind: str, *values: Any) -> None:
    for value in values:
        if isinstance(value, str) or not math.isfinite(value):
            raise InvalidValueError(f"{kind}: expected finite numbers, got {value!r}")


def _ordered(kind: str, low: Any, high: Any) -> None:
    _finite(kind, low, high)
    if low > high:
        raise InvalidValueError(f"{kind}: expected low <= high, got {low} and {high}")


class Sampler(ABC):
    """How something is drawn."""

    kind: ClassVar[str] = ""
    width: int = 0
    """How many numbers one draw has; 0 for a plain number or word."""

    @abstractmethod
    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """Draw `count` of them: (count,) or (count, width)."""

    @abstractmethod
    def to_json(self) -> Any:
        """The form that config files use."""

    def draw(self, rng: Generator, size: int | None = None) -> NDArray[Any]:
        """Draw one, () or (width,), or `size` of them, (size,) or (size, width)."""
        if size is not None:
            return self.rows(rng, size)
        one: NDArray[Any] = self.rows(rng, 1)[0]
        return one


@dataclass(frozen=True)
class Constant(Sampler):
    """Always the same number, word or truth."""

    value: float | str | bool

    def __post_init__(self) -> None:
        if not isinstance(self.value, str):
            _finite("constant", float(self.value))

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`; takes nothing from the stream."""
        return np.array([self.value] * count)

    def to_json(self) -> Any:
        """The value itself."""
        return self.value


@dataclass(frozen=True)
class Uniform(Sampler):
    """Uniform from `low` to `high`."""

    low: float
    high: float
    kind: ClassVar[str] = "uniform"

    def __post_init__(self) -> None:
        _ordered(self.kind, self.low, self.high)

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`."""
        span: NDArray[Any] = rng.random(count)
        span *= self.high - self.low
        span += self.low
        return np.asarray(np.minimum(span, self.high))

    def to_json(self) -> Any:
        """`{"uniform": [low, high]}`."""
        return {self.kind: [self.low, self.high]}


@dataclass(frozen=True)
class Angle(Sampler):
    """Uniform from `low` to `high` degrees; what is drawn is in radians."""

    low: float
    high: float
    kind: ClassVar[str] = "angle"

    def __post_init__(self) -> None:
        _ordered(self.kind, self.low, self.high)

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`."""
        return np.asarray(np.radians(Uniform(self.low, self.high).rows(rng, count)))

    def to_json(self) -> Any:
        """`{"angle": [low, high]}`, degrees."""
        return {self.kind: [self.low, self.high]}


@dataclass(frozen=True)
class Normal(Sampler):
    """Normal, clipped to `low` ... `high`."""

    mean: float
    deviation: float
    low: float = -math.inf
    high: float = math.inf
    kind: ClassVar[str] = "normal"

    def __post_init__(self) -> None:
        _finite(self.kind, self.mean, self.deviation)
        if self.deviation < 0 or not self.low <= self.high:
            raise InvalidValueError(f"normal: expected deviation >= 0 and low <= high, got {self}")

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`."""
        drawn = rng.standard_normal(count) * self.deviation + self.mean
        return np.clip(drawn, self.low, self.high)

    def to_json(self) -> Any:
        """`{"normal": [mean, deviation]}`, with the limits where there are any."""
        limits = [self.low, self.high] if math.isfinite(self.high - self.low) else []
        return {self.kind: [self.mean, self.deviation, *limits]}


@dataclass(frozen=True)
class LogUniform(Sampler):
    """Uniform in the logarithm, from `low` to `high`, both above 0."""

    low: float
    high: float
    kind: ClassVar[str] = "log_uniform"

    def __post_init__(self) -> None:
        _ordered(self.kind, self.low, self.high)
        if self.low <= 0:
            raise InvalidValueError(f"log_uniform: expected low above 0, got {self.low}")

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`."""
        exponents = Uniform(math.log(self.low), math.log(self.high)).rows(rng, count)
        return np.asarray(np.clip(np.exp(exponents), self.low, self.high))

    def to_json(self) -> Any:
        """`{"log_uniform": [low, high]}`."""
        return {self.kind: [self.low, self.high]}


@dataclass(frozen=True)
class Integer(Sampler):
    """Whole numbers from `low` to `high`, both included."""

    low: int
    high: int
    kind: ClassVar[str] = "integer"

    def __post_init__(self) -> None:
        _ordered(self.kind, self.low, self.high)
        if self.low != int(self.low) or self.high != int(self.high):
            raise InvalidValueError(f"integer: expected whole numbers, got {self}")

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`."""
        return rng.integers(int(self.low), int(self.high), count, endpoint=True)

    def to_json(self) -> Any:
        """`{"integer": [low, high]}`."""
        return {self.kind: [self.low, self.high]}


@dataclass(frozen=True)
class Choice(Sampler):
    """One of several numbers, words or vectors of one length, all equally likely."""

    options: tuple[Any, ...]
    kind: ClassVar[str] = "choice"

    def __post_init__(self) -> None:
        lengths = {len(o) if isinstance(o, (list, tuple)) else 0 for o in self.options}
        if len(lengths) != 1:
            raise InvalidValueError(
                f"choice: expected one or more options of one length, got {list(self.options)}"
            )
        object.__setattr__(self, "width", lengths.pop())

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`."""
        picked: NDArray[Any] = np.array(self.options)[rng.integers(0, len(self.options), count)]
        return picked

    def to_json(self) -> Any:
        """`{"choice": [...]}`."""
        return {self.kind: [list(o) if isinstance(o, tuple) else o for o in self.options]}


@dataclass(frozen=True)
class Vector(Sampler):
    """A vector whose parts are drawn apart."""

    parts: tuple[Sampler, ...]

    def __post_init__(self) -> None:
        if not self.parts or any(part.width for part in self.parts):
            raise InvalidValueError(f"vector: expected samplers of numbers, got {self.parts!r}")
        object.__setattr__(self, "width", len(self.parts))

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`."""
        return np.stack([part.rows(rng, count) for part in self.parts], axis=1)

    def to_json(self) -> Any:
        """A list of the parts."""
        return [part.to_json() for part in self.parts]


@dataclass(frozen=True)
class Hsv(Sampler):
    """A colour (red, green, blue) drawn as hue, saturation and value, each 0 to 1; hue wraps."""

    hue: Sampler = Uniform(0.0, 1.0)
    saturation: Sampler = Uniform(0.0, 1.0)
    value: Sampler = Uniform(0.0, 1.0)
    kind: ClassVar[str] = "hsv"
    width = 3

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`."""
        hue = self.hue.rows(rng, count)
        saturation = self.saturation.rows(rng, count)
        return hsv_to_rgb(hue, saturation, self.value.rows(rng, count))

    def to_json(self) -> Any:
        """`{"hsv": [hue, saturation, value]}`."""
        return {self.kind: [part.to_json() for part in (self.hue, self.saturation, self.value)]}


@dataclass(frozen=True)
class OnSphere(Sampler):
    """A point on a sphere about the origin."""

    radius: Sampler = Constant(1.0)
    kind: ClassVar[str] = "on_sphere"
    width = 3

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`."""
        return np.asarray(directions(rng, count) * self.radius.rows(rng, count)[:, None])

    def to_json(self) -> Any:
        """`{"on_sphere": radius}`."""
        return {self.kind: self.radius.to_json()}


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
        _ordered(self.kind, 0.0, self.radius)

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`."""
        reach = self.radius * np.cbrt(rng.random(count))
        return directions(rng, count) * reach[:, None]

    def to_json(self) -> Any:
        """`{"in_ball": radius}`."""
        return {self.kind: self.radius}


@dataclass(frozen=True)
class Quaternion(Sampler):
    """A turn as a unit quaternion (w, x, y, z); `angle` degrees at most, 180 is any rotation.

    At 180 it is uniform over all rotations; below, the axis is uniform and so is the angle.
    """

    angle: float = 180.0
    kind: ClassVar[str] = "quaternion"
    width = 4

    def __post_init__(self) -> None:
        _ordered(self.kind, 0.0, self.angle)
        if self.angle > 180:
            raise InvalidValueError(f"quaternion: expected at most 180 degrees, got {self.angle}")

    def rows(self, rng: Generator, count: int) -> NDArray[Any]:
        """See `Sampler.rows`."""
        if self.angle == 180:
            return _units(rng.standard_normal((count, 4)))
        half = np.radians(self.angle) / 2 * rng.random(count)
        parts = directions(rng, count) * np.sin(half)[:, None]
        return np.column_stack((np.cos(half), parts))

    def to_json(self) -> Any:
        """`{"quaternion": angle}`, degrees."""
        return {self.kind: self.angle}
