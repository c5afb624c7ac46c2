"""ORRB's tracker: where objects are in the pictures. It changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heliograph.camera import Camera
from heliograph.compat.orrb.components.component import Component
from heliograph.compat.orrb.facts import OrrbFacts
from heliograph.compat.orrb.unity import UnityRandom
from heliograph.errors import InvalidValueError
from heliograph.poses import Floats
from heliograph.randomize import names
from heliograph.randomize.randomizer import Drawn, Values


@dataclass(frozen=True, kw_only=True)
class Tracker(Component):
    """Says where objects are in the pictures of some cameras; its values are its streams.

    `tracker_{alias}_X_{camera}` is the middle of the object's box (x, y) and
    `tracker_{alias}_X_{camera}_bbox` (xmin, xmax, ymin, ymax) of its corners; parts of the picture
    from its bottom left corner, NaN where part of it is behind the camera. Nothing is told where
    nobody knows how joints move things.

    Attributes:
        camera_names: cameras, a comma list.
        tracked_object_names: shapes' nodes, geoms or bodies, a comma list.
        tracked_object_aliases: what they are called, in the same order; their names without.
    """

    camera_names: str = ""
    tracked_object_names: str = ""
    tracked_object_aliases: str = ""

    def __post_init__(self) -> None:
        tracked, aliases = names.split(self.tracked_object_names), self._aliases
        if len(tracked) != len(aliases):
            raise InvalidValueError(
                f"tracked_object_aliases: expected one for each of {', '.join(tracked)}, got "
                f"{self.tracked_object_aliases!r}"
            )

    @property
    def _aliases(self) -> tuple[str, ...]:
        return names.split(self.tracked_object_aliases or self.tracked_object_names)

    @property
    def streams(self) -> dict[str, int]:
        """Names of its streams, in order -> how many numbers each is."""
        return {name: 4 if name.endswith("_bbox") else 2 for name in self._streams()}

    def drawn(self, random: UnityRandom, scene: OrrbFacts) -> Values:
        """See `Component.drawn`; takes no numbers.

        Raises:
            UnknownNameError: a camera or object that is not there.
        """
        if scene.posed is None:
            return {}
        boxes = [scene.bounds(name) for name in names.split(self.tracked_object_names)]
        cameras = [scene.camera(name) for name in names.split(self.camera_names)]
        seen = [part for camera in cameras for box in boxes for part in _seen(camera, box)]
        return dict(zip(self._streams(), seen, strict=True))

    def _streams(self) -> list[str]:
        cameras = names.split(self.camera_names)
        stems = [f"tracker_{alias}_X_{name}" for name in cameras for alias in self._aliases]
        return [stem + end for stem in stems for end in ("", "_bbox")]

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`; nothing is changed."""
        return Drawn()


def _seen(camera: Camera, corners: Floats) -> tuple[list[float], list[float]]:
    points = np.vstack((np.mean(corners, axis=0), corners))
    seen = camera.project(points) / camera.size
    seen[:, 1] = 1.0 - seen[:, 1]
    (left, bottom), (right, top) = seen[1:].min(axis=0), seen[1:].max(axis=0)
    return seen[0].tolist(), [float(left), float(right), float(bottom), float(top)]
