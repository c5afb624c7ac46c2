"""What a step of post-processing is, and the picture it works on."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.errors import InvalidValueError, UnknownNameError, shown
from heliograph.randomize.parameters import Numbers
from heliograph.randomize.streams import stream

Planes: TypeAlias = NDArray[np.float32]
"""A picture while it is worked on: (3, H, W), 0 to 1, sRGB; red, green and blue apart.

Between `linear_light` and `display` (or `filmic`) it is linear light, from 0."""


class Affine(NamedTuple):
    """A linear change of colours: matrix (3, 3) @ rgb + offset (3,)."""

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]

    def then(self, later: Affine) -> Affine:
        """This one and then another, as one."""
        return Affine(later.matrix @ self.matrix, later.matrix @ self.offset + later.offset)


class Shot(NamedTuple):
    """What is known of a picture besides its colours.

    Attributes:
        depth: (H, W) metres along the optical axis, inf where nothing is; or None.
        normals: (H, W, 3) unit, camera axes, 0 where nothing is; or None.
        camera: the camera as it was used; or None.
        seed: what noise is drawn from.
        number: which step of the picture's it is, as each has noise of its own.
    """

    depth: NDArray[Any] | None
    normals: NDArray[Any] | None
    camera: Camera | None
    seed: int = 0
    number: int = 0

    def rng(self) -> Generator:
        """What the step draws its noise from."""
        return stream(self.seed, self.number, "imaging")


class Kind(Enum):
    """What the function of a step takes and makes; its parameters are its keywords."""

    COLOUR = "() -> Affine; those in a row are folded into one"
    CURVE = "values -> values, red, green and blue alike"
    LIGHT_CURVE = "linear light -> values, likewise"
    SPATIAL = "planes, shot -> planes"


@dataclass(frozen=True)
class Step:
    """One step of post-processing.

    Attributes:
        kind: what `work` takes and makes.
        work: the function; it has the step's name.
        parameters: its numbers by name; their defaults are the function's.
        neutral: the parameters that do nothing when all of them are 0; such a step is left out.
            Empty for a step that always does something.
    """

    kind: Kind
    work: Callable[..., Any]
    parameters: Mapping[str, Numbers]
    neutral: tuple[str, ...]

    @property
    def name(self) -> str:
        """What configs call it."""
        return self.work.__name__

    @cached_property
    def defaults(self) -> dict[str, float]:
        """The parameters where none are given."""
        signature = inspect.signature(self.work).parameters
        return {name: signature[name].default for name in self.parameters}

    def expected(self, parameter: str) -> Numbers:
        """What a parameter may be.

        Raises:
            UnknownNameError: it has no such parameter.
        """
        if parameter not in self.parameters:
            raise UnknownNameError.of(f"parameter of step {self.name}", parameter, self.parameters)
        return self.parameters[parameter]

    def complete(self, given: Mapping[str, float]) -> dict[str, float]:
        """All parameters, the defaults among them.

        Raises:
            UnknownNameError: a parameter that it has not.
            InvalidValueError: one out of its range.
        """
        for name, value in given.items():
            each = self.expected(name)
            if not each.low <= value <= each.high:
                raise InvalidValueError(f"{name}: expected {each}, got {shown(value)}")
        return {**self.defaults, **given}

    def does_nothing(self, values: Mapping[str, float]) -> bool:
        """Whether these values leave every picture as it is."""
        return bool(self.neutral) and not any(values[name] for name in self.neutral)


def step(kind: Kind, *neutral: str, **parameters: Numbers) -> Callable[[Callable[..., Any]], Step]:
    """Make the step of a function that is defined below this."""
    return lambda work: Step(kind, work, parameters, neutral)
