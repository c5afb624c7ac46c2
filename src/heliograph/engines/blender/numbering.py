"""Ids of what a scene of Blender shows: objects, instances, materials or collections."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from heliograph.frame import Label, Labels

By: TypeAlias = Literal["object", "material", "collection"]
"""What the segmentation pass tells apart."""

InstanceKey: TypeAlias = tuple[str, str, tuple[int, ...]]
"""Who makes an instance, of which object, and Blender's persistent id of it."""

FIRST_INSTANCE, LAST_ID = 2**20, 2**24
"""Ids of instances: above those of objects, and whole numbers of a float32."""

_UNUSED = 0x7FFFFFFF  # fills Blender's persistent ids, which have eight places


class SceneNumbering:
    """What the segmentation pass shows things as.

    Args:
        by: what is told apart.
        objects: object name -> id it is shown as.
        materials: material name -> id; empty unless materials are told apart.
        labels: of all these ids.
        instances: yields the keys of all instances that are shown; asked at most once.
    """

    def __init__(
        self,
        by: By,
        objects: Mapping[str, int],
        materials: Mapping[str, int],
        labels: Labels,
        instances: Callable[[], Iterable[InstanceKey]] = tuple,
    ) -> None:
        self.by = by
        self._objects = objects
        self._materials = materials
        self._labels = labels
        self._instances = instances

    @cached_property
    def labels(self) -> Labels:
        """Id -> (name, category) of all that this view may show."""
        if not self._ids:
            return self._labels
        named = {
            number: Label(instance_name(key), self._category(key[1]))
            for key, number in self._ids.items()
        }
        return MappingProxyType({**self._labels, **named})

    def of_object(self, name: str) -> int:
        """The id of an object; 0 of what is not to be told from the background."""
        return self._objects.get(name, 0)

    def of_material(self, name: str) -> int:
        """The id of a material where materials are told apart; 0 for none."""
        return self._materials.get(name, 0)

    def of_instance(self, parent: str, name: str, persistent_id: Sequence[int]) -> int:
        """The id of an instance that an object makes of another.

        Where collections are told apart it is that of the object it is made of, or of its maker.
        """
        if self.by == "object":
            key = instance_key(parent, name, persistent_id)
            return self._ids.get(key) or hashed(key)
        return self.of_object(name) or self.of_object(parent)

    @cached_property
    def _ids(self) -> Mapping[InstanceKey, int]:
        return instance_ids(self._instances()) if self.by == "object" else {}

    def _category(self, name: str) -> str:
        """Of an instance: that of the object where it is in the scene itself."""
        label = self._labels.get(self._objects.get(name, 0))
        return label.category if label is not None and self._objects.get(name) else "instance"


def instance_key(parent: str, name: str, persistent_id: Sequence[int]) -> InstanceKey:
    """What an instance is found by; the unused places of its persistent id are left out."""
    return parent, name, tuple(int(each) for each in persistent_id if each != _UNUSED)


def is_itself(instance: Any) -> bool:
    """Whether an instance of a dependency graph is the mesh of a text, a curve or a metaball.

    What geometry nodes of such an object instance has its name too, and a longer persistent id.
    """
    parent = instance.parent
    if parent.type == "MESH" or parent.name != instance.object.name:
        return False
    used = [each for each in instance.persistent_id if each != _UNUSED]
    return len(used) == 1


def hashed(key: InstanceKey) -> int:
    """An id from an instance's key alone."""
    parent, name, numbers = key
    text = "\0".join([parent, name, *map(str, numbers)])
    digest = hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return FIRST_INSTANCE + int.from_bytes(digest, "little") % (LAST_ID - FIRST_INSTANCE)


def instance_ids(keys: Iterable[InstanceKey]) -> dict[InstanceKey, int]:
    """Ids that differ, from the set of keys alone; where two would be equal the later one moves."""
    taken: set[int] = set()
    ids: dict[InstanceKey, int] = {}
    for key in sorted(set(keys)):
        number = hashed(key)
        while number in taken:
            number = number + 1 if number + 1 < LAST_ID else FIRST_INSTANCE
        taken.add(number)
        ids[key] = number
    return ids


def instance_name(key: InstanceKey) -> str:
    """What an instance is called in labels."""
    parent, name, numbers = key
    return f"{parent}/{name}.{'.'.join(map(str, numbers))}"
