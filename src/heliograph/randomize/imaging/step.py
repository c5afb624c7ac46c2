"""What a step of post-processing is, and the picture it works on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.errors import InvalidValueError, UnknownNameError

Planes: TypeAlias = NDArray[np.float32]
"""A picture while it is worked on: (3, H, W), 0 to 1, sRGB; red, green and blue apart."""


class Affine(NamedTuple):
    """A linear change of colours: matrix (3, 3) @ rgb + offset (3,)."""

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]

    def then(self, later: Affine) -> Affine:
        """This one and then another, as one."""
        return Affine(later.matrix @ self.matrix, later.matrix @ self.offset + later.offset)


class Shot(NamedTuple):
    """What is known of a picture besides its colours; any of it may be None.

    Attributes:
        depth: (H, W) metres along the optical axis, inf where nothing is.
        normals: (H, W, 3) unit, camera axes, 0 where nothing is.
        camera: the camera as it was used.
    """

    depth: NDArray[Any] | None
    normals: NDArray[Any] | None
    camera: Camera | None


class Parameter(NamedTuple):
    """One number of a step: what it is by default, its range, and what it means."""

    default: float
    low: float
    high: float
    meaning: str


Colour: TypeAlias = Callable[[Mapping[str, float]], Affine]
Curve: TypeAlias = Callable[[Mapping[str, float], NDArray[np.float32]], NDArray[np.float32]]
Spatial: TypeAlias = Callable[[Planes, Mapping[str, float], Shot, Generator], Planes]


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        parameters: its numbers by name.
        neutral: the parameters that do nothing when all of them are 0; such a step is left out.
            Empty for a step that always does something.
        colour: what it does to colours, where that is linear; such steps are folded into one.
        curve: what it does to every value, where red, green and blue are treated alike.
        spatial: what it does to the picture, otherwise.
    """

    parameters: Mapping[str, Parameter]
    neutral: tuple[str, ...]
    colour: Colour | None = None
    curve: Curve | None = None
    spatial: Spatial | None = None

    def check_names(self, names: Mapping[str, Any]) -> None:
        """Raise `UnknownNameError` for a parameter that it has not."""
        for name in names:
            if name not in self.parameters:
                raise UnknownNameError.of("parameter", name, self.parameters)

    def complete(self, given: Mapping[str, float]) -> dict[str, float]:
        """All parameters, the defaults among them.

        Raises:
            UnknownNameError: a parameter that it has not.
            InvalidValueError: one out of its range.
        """
        self.check_names(given)
        values = {name: given.get(name, each.default) for name, each in self.parameters.items()}
        for name, each in self.parameters.items():
            if not each.low <= values[name] <= each.high:
                raise InvalidValueError(
                    f"{name}: expected {each.low:g} to {each.high:g} ({each.meaning}), "
                    f"got {values[name]!r}"
                )
        return values

    def does_nothing(self, values: Mapping[str, float]) -> bool:
        """Whether these values leave every picture as it is."""
        return bool(self.neutral) and not any(values[name] for name in self.neutral)
