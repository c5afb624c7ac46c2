"""What a scene says about itself: its hash, and the names of what it holds."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Item:
    """One named thing of a scene: an object, a light, a material, a joint.

    Attributes:
        name: its name, unique among its kind.
        category: what sort of thing it is (`box`, `mesh`, `spot`, `hinge`, ...).
        detail: one short line for people.
        members: names of the objects it belongs to, for a material.
    """

    name: str
    category: str
    detail: str = ""
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Description:
    """The scene as a renderer describes it.

    Attributes:
        source: file path, or a short name of what it was built from.
        hash: hexadecimal digest of everything that can change a pixel; equal scenes, equal hash.
        objects: what carries segmentation ids.
        lights: its lights.
        materials: its materials.
        state: the keys of `View.state` it knows, with shape and meaning.
    """

    source: str
    hash: str
    objects: tuple[Item, ...] = ()
    lights: tuple[Item, ...] = ()
    materials: tuple[Item, ...] = ()
    state: tuple[Item, ...] = field(default=())
