"""Unity's random numbers, and its vectors and turns in our axes.

Its (x, y, z) is (-x, z, -y) of ours, left-handed. The generator is xorshift128 of Marsaglia,
"Xorshift RNGs" (2003), as Unity seeds and reads it.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from heliograph import poses
from heliograph.poses import Floats, QuaternionOrder

_WORD = 0xFFFFFFFF
_LARGEST = 0x7FFFFF
_SPREAD = 1812433253


class Vector3(NamedTuple):
    """A vector in Unity's axes."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0


class Quaternion(NamedTuple):
    """A turn in Unity's axes, x, y, z, w."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    w: float = 1.0


class UnityRandom:
    """Unity's stream of random numbers of one seed; 0.5 microseconds each.

    Args:
        seed: any integer; its low 32 bits count, of negative ones in two's complement.
    """

    def __init__(self, seed: int) -> None:
        words = [seed & _WORD]
        for _ in range(3):
            words.append(words[-1] * _SPREAD + 1 & _WORD)
        self._words = tuple(words)

    def bits(self) -> int:
        """The next 32 bits."""
        x, y, z, w = self._words
        t = (x ^ x << 11) & _WORD
        t ^= t >> 8
        w_next = w ^ w >> 19 ^ t
        self._words = (y, z, w, w_next)
        return w_next

    def value(self) -> float:
        """From 0 to 1, both among them."""
        return (self.bits() & _LARGEST) / _LARGEST

    def range(self, low: float, high: float) -> float:
        """Between two numbers, which may be given the other way round."""
        return high + (low - high) * self.value()

    def index(self, count: int) -> int:
        """An integer from 0 to count - 1."""
        return self.bits() % count

    def spread(self, width: float) -> float:
        """To either side of 0, together as wide as this."""
        return self.range(-width / 2, width / 2)

    def colour(
        self, saturation: tuple[float, float] = (0, 1), value: tuple[float, float] = (0, 1)
    ) -> tuple[float, float, float]:
        """Hue (0 to 1), saturation and value; a fourth number, of alpha, is taken and not used.

        From the lower end up, unlike `range`: so does Unity's ColorHSV.
        """
        h, s, v, _ = (self.value() for _ in range(4))
        return h, _mixed(saturation, s), _mixed(value, v)

    def rotation(self) -> Quaternion:
        """A turn, uniform over all; takes three numbers."""
        u, theta, rho = (self.range(0.0, most) for most in (1.0, 2 * math.pi, 2 * math.pi))
        i, j = math.sqrt(1.0 - u), math.sqrt(u)
        turns = (i * math.sin(theta), i * math.cos(theta), j * math.sin(rho), j * math.cos(rho))
        return Quaternion(*turns)

    @property
    def seed_of_state(self) -> int:
        """A seed, 0 to 2**53 - 1, that follows from where the stream is; takes no number."""
        x, _, _, w = self._words
        return x << 21 ^ w


def _mixed(ends: tuple[float, float], part: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * part


_UNITY_FROM_OURS = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
_UNITY_FROM_CAMERA = np.diag([1.0, 1.0, -1.0])
"""A camera of Unity's looks along +z, one of ours along -z."""


def vector(unity: Any) -> Floats:
    """The vector (3,) in our axes."""
    return np.asarray(_UNITY_FROM_OURS.T @ np.array(unity, float) + 0.0)


def factors(unity: Vector3) -> tuple[float, float, float]:
    """Scale factors along our axes."""
    return (unity.x, unity.z, unity.y)


def rotation(unity: Quaternion) -> Floats:
    """The turn (3, 3) in our axes."""
    return np.asarray(_UNITY_FROM_OURS.T @ _turn(unity) @ _UNITY_FROM_OURS + 0.0)


def camera_rotation(unity: Quaternion) -> Floats:
    """The turn (3, 3) of a camera, in our camera's axes."""
    return np.asarray(_UNITY_FROM_CAMERA @ _turn(unity) @ _UNITY_FROM_CAMERA + 0.0)


def about(axis: Any, angle: float) -> Quaternion:
    """The turn by an angle, radians, about a unit axis."""
    x, y, z = (math.sin(angle / 2) * float(part) for part in axis)
    return Quaternion(x, y, z, math.cos(angle / 2))


def up_of(turn: Quaternion) -> Floats:
    """Unity's (0, 1, 0) as turned."""
    return np.asarray(_turn(turn)[:, 1])


def _turn(unity: Quaternion) -> Floats:
    numbers = unity if any(unity) else Quaternion()
    return poses.from_quaternion(np.array(numbers, float), order=QuaternionOrder.XYZW)
