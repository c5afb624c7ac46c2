"""What a scene says about itself: its hash, and the names of what it holds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from heliograph.frame import Array
from heliograph.scene.material import Material
from heliograph.scene.objects import ObjectTable
from heliograph.scene.state_space import StateSpace


@dataclass(frozen=True)
class Item:
    """One named thing of a scene: a light, or a key of its state.

    Attributes:
        name: its name, unique among its kind.
        category: what sort of thing it is (`box`, `mesh`, `spot`, `hinge`, ...).
        detail: one short line for people.
        active: whether a light shines; edits may switch it.
    """

    name: str
    category: str
    detail: str = ""
    active: bool = True


@dataclass(frozen=True, eq=False)
class Description:
    """One version of a scene as a renderer describes it.

    Attributes:
        source: file path, or a short name of what it was built from.
        hash: hexadecimal digest of everything that can change a pixel; equal scenes, equal hash.
        objects: the object table.
        lights: its lights.
        materials: its materials by name; `objects.wearers` says who wears them.
        state: the keys of `View.state` it knows, with shape and meaning.
        space: its own state, its joints, and which random states suit it.
        version: which version it is; the scene as it was opened is 0.
    """

    source: str
    hash: str
    objects: ObjectTable = field(default_factory=ObjectTable.empty)
    lights: tuple[Item, ...] = ()
    materials: tuple[Material, ...] = ()
    state: tuple[Item, ...] = ()
    space: StateSpace = field(default_factory=StateSpace)
    version: int = 0

    def random_state(self, rng: np.random.Generator) -> dict[str, Array]:
        """A random state that suits the scene; empty where nothing in it moves."""
        return self.space.draw(rng)
