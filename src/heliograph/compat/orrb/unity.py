"""Unity's vectors and turns in our axes: its (x, y, z) is (-x, z, -y) of ours, left-handed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator

from heliograph import poses
from heliograph.poses import Floats, QuaternionOrder


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


_UNITY_FROM_OURS = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
_UNITY_FROM_CAMERA = np.diag([1.0, 1.0, -1.0])
"""A camera of Unity's looks along +z, one of ours along -z."""


def vector(unity: Vector3) -> Floats:
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


def uniform(rng: Generator, low: float, high: float) -> float:
    """One number from low to high, which may be given the other way round."""
    return low + (high - low) * float(rng.random())


def uniforms(rng: Generator, low: float, high: float, count: int) -> Any:
    """`count` numbers from low to high."""
    return low + (high - low) * rng.random(count)


def _turn(unity: Quaternion) -> Floats:
    numbers = unity if any(unity) else Quaternion()
    return poses.from_quaternion(np.array(numbers, float), order=QuaternionOrder.XYZW)
