"""What ORRB's components share: a path, typed parameters, random numbers of Unity's."""

from __future__ import annotations

import dataclasses
import functools
import typing
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, Self

import msgspec
from numpy.random import Generator

from heliograph.compat.orrb.facts import OrrbFacts
from heliograph.compat.orrb.message import GROUPS, camel_case, snake_case
from heliograph.compat.orrb.unity import Quaternion, UnityRandom, Vector3
from heliograph.errors import InvalidValueError, UnknownNameError, shown
from heliograph.randomize.facts import Facts
from heliograph.randomize.randomizer import Randomizer, Values
from heliograph.randomize.streams import subseed

_GROUPS: Mapping[type, str] = {
    bool: "bool_properties",  # before int, which it is as well
    int: "int_properties",
    float: "float_properties",
    str: "string_properties",
    Quaternion: "quaternion_properties",
    Vector3: "vector3_properties",
    Enum: "enum_properties",
}
"""In which group values of a type stand."""
_MOST = 1e30
_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


@dataclass(frozen=True, kw_only=True)
class Component(Randomizer):
    """A component of ORRB's; its other fields are its parameters, by ORRB's names.

    Attributes:
        path: the scene node that it is on, its names parted by slashes; empty is the root.
    """

    path: str = ""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.type_name = cls.__name__

    @abstractmethod
    def drawn(self, random: UnityRandom, scene: OrrbFacts) -> Values:
        """As `choose`; takes its numbers in ORRB's order from the stream that all share."""

    def choose(self, rng: Generator | UnityRandom, scene: Facts) -> Values:
        """See `Randomizer.choose`; of a stream of ours one of Unity's is made."""
        random = rng if isinstance(rng, UnityRandom) else UnityRandom(subseed(rng))
        return self.drawn(random, OrrbFacts.widened(scene))

    @property
    def node(self) -> str:
        """The last name of the path."""
        return self.path.rstrip("/").rpartition("/")[2]

    def updated(self, config: Mapping[str, Any], path: str) -> Self:
        """This component at a path, with the properties of a config; those that are absent stay.

        Raises:
            UnknownNameError: an unknown group or parameter.
            InvalidValueError: a parameter in another group than its own, or of another type.
        """
        changes: dict[str, Any] = {"path": path}
        for group, properties in config.items():
            if snake_case(group) not in GROUPS:
                raise UnknownNameError.of("property group", group, map(camel_case, GROUPS))
            if not isinstance(properties, Mapping):
                raise InvalidValueError(f"{group}: expected an object, got {shown(properties)}")
            for key, value in properties.items():
                changes[key] = self._read(snake_case(group), key, value)
        return dataclasses.replace(self, **changes)

    def config(self) -> dict[str, dict[str, Any]]:
        """Its properties by group, as `updated` reads them."""
        groups: dict[str, dict[str, Any]] = {}
        for key, kind in _parameters(type(self)).items():
            value = getattr(self, key)
            plain = value._asdict() if isinstance(value, (Vector3, Quaternion)) else value
            groups.setdefault(camel_case(_group(kind)), {})[key] = msgspec.to_builtins(plain)
        return groups

    def _read(self, group: str, key: str, value: Any) -> Any:
        known = _parameters(type(self))
        if key not in known:
            raise UnknownNameError.of(f"parameter of {self.type_name}", key, known)
        kind = known[key]
        own = _group(kind)
        if own != group:
            raise InvalidValueError(
                f"{key}: expected in {camel_case(own)}, got it in {camel_case(group)}"
            )
        if issubclass(kind, Enum) and value not in (words := [each.value for each in kind]):
            raise UnknownNameError.of(key, value, words)
        if issubclass(kind, (Vector3, Quaternion)):
            return _vector(value, kind, key)
        return _converted(value, kind, key)


def _group(kind: type) -> str:
    """The group that properties of a type stand in."""
    return next(group for base, group in _GROUPS.items() if issubclass(kind, base))


@functools.cache
def _parameters(cls: type[Component]) -> dict[str, type]:
    """Name and type of each parameter."""
    hints = typing.get_type_hints(cls)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls) if f.name != "path"}


def _vector(value: Any, kind: type[Vector3] | type[Quaternion], key: str) -> Any:
    names = kind._fields
    if isinstance(value, (list, tuple)) and len(value) == len(names):
        value = dict(zip(names, value, strict=True))
    if not isinstance(value, Mapping):
        raise InvalidValueError(f"{key}: expected {', '.join(names)}, got {shown(value)}")
    for name in value:
        if name not in names:
            raise UnknownNameError.of(f"part of {key}", name, names)
    return kind(*(_converted(value.get(name, 0.0), float, f"{key}.{name}") for name in names))


def _converted(value: Any, kind: type, key: str) -> Any:
    whole = kind is int and isinstance(value, float) and value.is_integer()
    made: Any = None
    with suppress(msgspec.ValidationError):
        made = msgspec.convert(int(value) if whole else value, kind)
    if made is None or (isinstance(made, (int, float)) and not abs(made) < _MOST):
        expected = _WORDS.get(kind, kind.__name__)
        raise InvalidValueError(f"{key}: expected {expected}, got {shown(value)}")
    return made
