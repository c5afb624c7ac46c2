"""ORRB's tracker: where objects are in the pictures. It changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.compat.orrb.components.component import Component
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.poses import Floats
from heliograph.randomize import names
from heliograph.randomize.facts import Facts
from heliograph.randomize.randomizer import Drawn, Values


@dataclass(frozen=True, kw_only=True)
class Tracker(Component):
    """Says where objects are in the pictures of some cameras.

    Attributes:
        camera_names: cameras, a comma list.
        tracked_object_names: objects or bodies, a comma list.
        tracked_object_aliases: what they are called, in the same order; their names without.
    """

    camera_names: str = ""
    tracked_object_names: str = ""
    tracked_object_aliases: str = ""
    type_name: ClassVar[str] = "Tracker"

    def __post_init__(self) -> None:
        tracked, aliases = names.split(self.tracked_object_names), self.aliases
        if len(tracked) != len(aliases):
            raise InvalidValueError(
                f"tracked_object_aliases: expected one for each of {', '.join(tracked)}, got "
                f"{self.tracked_object_aliases!r}"
            )

    @property
    def aliases(self) -> tuple[str, ...]:
        """What the tracked objects are called."""
        return names.split(self.tracked_object_aliases or self.tracked_object_names)

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`; nothing is drawn."""
        return {}

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`; nothing is changed."""
        return Drawn()

    def streams(
        self, cameras: Mapping[str, Camera], boxes: Mapping[str, Floats]
    ) -> dict[str, NDArray[np.float64]]:
        """Return where the tracked objects are in the pictures of the cameras.

        Args:
            cameras: cameras as they were used, by name.
            boxes: the 8 corners (8, 3) of each object's box, world metres, by name.

        Returns:
            `tracker_{alias}_X_{camera}`, the middle of the box (x, y), and
            `tracker_{alias}_X_{camera}_bbox`, (xmin, xmax, ymin, ymax) of its corners; parts of
            the picture from its bottom left corner, NaN where part of it is behind the camera.

        Raises:
            UnknownNameError: a camera or object that is not among them.
        """
        found: dict[str, NDArray[np.float64]] = {}
        for camera in names.split(self.camera_names):
            _check(camera, "camera", cameras)
            pairs = zip(names.split(self.tracked_object_names), self.aliases, strict=True)
            for name, alias in pairs:
                _check(name, "tracked object", boxes)
                key = f"tracker_{alias}_X_{camera}"
                found[key], found[f"{key}_bbox"] = _seen(cameras[camera], boxes[name])
        return found


def _check(name: str, kind: str, known: Mapping[str, object]) -> None:
    if name not in known:
        raise UnknownNameError.of(kind, name, known)


def _seen(camera: Camera, corners: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    points = np.vstack((np.mean(corners, axis=0), corners))
    seen = camera.project(points) / camera.size
    seen[:, 1] = 1.0 - seen[:, 1]
    (left, bottom), (right, top) = seen[1:].min(axis=0), seen[1:].max(axis=0)
    return seen[0], np.array([left, right, bottom, top])
