"""Objects: where they are, and whether they are seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator

from heliograph import poses
from heliograph.poses import Floats, QuaternionOrder
from heliograph.randomize.facts import Facts
from heliograph.randomize.parameters import METRES, SHARE, Numbers, drawn, fixed
from heliograph.randomize.randomizer import Drawn, Randomizer, Values
from heliograph.randomize.samplers import Sampler, constant, quaternion, uniform
from heliograph.scene.appearance import Hide, MoveObject

_TURN = '(w, x, y, z), as {"quaternion": 10} draws them'


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
    position: Sampler = drawn(uniform(-0.05, 0.05), METRES)
    rotation: Sampler = drawn(quaternion(10.0), Numbers(widths=(4,), away=True, what=_TURN))
    scale: Sampler = drawn(constant(1.0), Numbers(widths=(0, 3), nonzero=True))
    type_name: ClassVar[str] = "object_poses"

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`."""
        names = list(scene.choose("objects", self.objects, self.exclude))
        positions = self.position.vectors(rng, len(names), 3)
        rotations = self.rotation.rows(rng, len(names))
        scales = self.scale.rows(rng, len(names))
        if not self.scale.width:
            scales = np.repeat(scales[:, None], 3, axis=1)
        columns = {"position": positions, "rotation": rotations, "scale": scales}
        return {"objects": names, **{key: rows.tolist() for key, rows in columns.items()}}

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
    hidden: float = fixed(0.1, SHARE)
    type_name: ClassVar[str] = "visibility"

    def choose(self, rng: Generator, scene: Facts) -> Values:
        """See `Randomizer.choose`."""
        names = scene.choose("objects", self.objects, self.exclude)
        gone = (rng.random(len(names)) < self.hidden).tolist()
        return {"hidden": [name for name, hide in zip(names, gone, strict=True) if hide]}

    def build(self, values: Values) -> Drawn:
        """See `Randomizer.build`."""
        return Drawn((Hide(tuple(values["hidden"])),) if values["hidden"] else ())


def pose_of(position: Any, quaternion: Any) -> Floats:
    """A pose (4, 4) of a position (3,) and a quaternion (w, x, y, z)."""
    rotation = poses.from_quaternion(quaternion, order=QuaternionOrder.WXYZ)
    return poses.compose(position, rotation)
