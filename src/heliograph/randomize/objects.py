"""Objects: where they are, and whether they are seen."""

# ruff: noqa: RUF009 - the defaults are frozen values
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator

from heliograph import poses
from heliograph.errors import InvalidValueError
from heliograph.poses import Floats, QuaternionOrder
from heliograph.randomize.cameras import vectors
from heliograph.randomize.facts import Facts
from heliograph.randomize.limits import check_span, check_vector
from heliograph.randomize.randomizer import Drawn, Randomizer, Values
from heliograph.randomize.samplers import Constant, Quaternion, Sampler, Uniform
from heliograph.scene.appearance import Hide, MoveObject


@dataclass(frozen=True, kw_only=True)
class ObjectPoses(Randomizer):
    """Moves, turns and scales objects from where the state has them, along their own axes.

    Attributes:
        objects: prefixes of the objects; all, where it is empty.
        exclude: prefixes of objects to leave alone.
        position: metres along each axis of the object, or a vector.
        rotation: a quaternion (w, x, y, z).
        scale: one factor for all axes, or a vector.
    """

    objects: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    position: Sampler = Uniform(-0.05, 0.05)
    rotation: Sampler = Quaternion(10.0)
    scale: Sampler = Constant(1.0)
    type_name: ClassVar[str] = "object_poses"

    def __post_init__(self) -> None:
        if self.rotation.width != 4:
            raise InvalidValueError(
                'rotation: expected a quaternion (w, x, y, z) as {"quaternion": 10} draws, got '
                f"{self.rotation.to_json()!r}"
            )
        for name in ("position", "rotation", "scale"):
            check_span(name, getattr(self, name))
        for name in ("position", "scale"):
            check_vector(name, getattr(self, name))

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`."""
        names = list(scene.choose("objects", self.objects, self.exclude))
        count = len(names)
        positions = vectors(self.position, rng, count).tolist()
        rotations = self.rotation.rows(rng, count).tolist()
        scales = self.scale.rows(rng, count)
        if not self.scale.width:
            scales = np.repeat(scales[:, None], 3, axis=1)
        return {
            "objects": names,
            "position": positions,
            "rotation": rotations,
            "scale": scales.tolist(),
        }

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`."""
        columns = (values[key] for key in ("objects", "position", "rotation", "scale"))
        return Drawn(
            tuple(
                MoveObject(name, pose_of(position, rotation), tuple(scale))
                for name, position, rotation, scale in zip(*columns, strict=True)
            )
        )


@dataclass(frozen=True, kw_only=True)
class Visibility(Randomizer):
    """Hides objects at random.

    Attributes:
        objects: prefixes of the objects; all, where it is empty.
        exclude: prefixes of objects that are always seen.
        hidden: how likely each is to be hidden.
    """

    objects: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: float = 0.1
    type_name: ClassVar[str] = "visibility"

    def __post_init__(self) -> None:
        if not 0 <= self.hidden <= 1:
            raise InvalidValueError(f"hidden: expected 0 to 1, got {self.hidden}")

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`."""
        names = scene.choose("objects", self.objects, self.exclude)
        drawn = (rng.random(len(names)) < self.hidden).tolist()
        return {"hidden": [name for name, gone in zip(names, drawn, strict=True) if gone]}

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`."""
        return Drawn((Hide(tuple(values["hidden"])),) if values["hidden"] else ())


def pose_of(position: Any, quaternion: Any) -> Floats:
    """A pose (4, 4) of a position (3,) and a quaternion (w, x, y, z)."""
    rotation = poses.from_quaternion(quaternion, order=QuaternionOrder.WXYZ)
    return poses.compose(position, rotation)
