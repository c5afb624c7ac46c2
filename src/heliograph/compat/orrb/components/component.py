"""What ORRB's components share: a path, typed parameters, names chosen by prefix."""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Self

from heliograph.compat.orrb.unity import Quaternion, Vector3
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.randomize import names
from heliograph.randomize.facts import Facts
from heliograph.randomize.randomizer import Randomizer

GROUPS: dict[str, type] = {
    "intProperties": int,
    "floatProperties": float,
    "stringProperties": str,
    "boolProperties": bool,
    "quaternionProperties": Quaternion,
    "vector3Properties": Vector3,
    "vector2Properties": tuple,
    "enumProperties": Enum,
    "colorProperties": list,
}


@dataclass(frozen=True, kw_only=True)
class Component(Randomizer):
    """A component of ORRB's; its other fields are its parameters, by ORRB's names.

    Attributes:
        path: the scene node that it is on, its names parted by slashes; empty is the root.
    """

    path: str = ""

    @property
    def node(self) -> str:
        """The last name of the path."""
        return self.path.rstrip("/").rpartition("/")[2]

    def chosen_cameras(self, scene: Facts) -> tuple[str, ...]:
        """The camera at the path, or all of them where it is on the root."""
        if not self.node:
            return tuple(scene.cameras)
        scene.camera(self.node)
        return (self.node,)

    @classmethod
    def parameters(cls) -> Mapping[str, type]:
        """Name and type of each parameter."""
        return _parameters(cls)

    def updated(self, config: Mapping[str, Any], path: str | None = None) -> Self:
        """This component with the properties of a config; those that are absent stay.

        Raises:
            UnknownNameError: an unknown group or parameter.
            InvalidValueError: a parameter in another group than its own, or of another type.
        """
        changes: dict[str, Any] = {"path": self.path if path is None else path}
        for group, properties in config.items():
            if group not in GROUPS:
                raise UnknownNameError.of("property group", group, GROUPS)
            if not isinstance(properties, Mapping):
                raise InvalidValueError(f"{group}: expected an object, got {properties!r}")
            for key, value in properties.items():
                changes[key] = self._read(group, key, value)
        return dataclasses.replace(self, **changes)

    def config(self) -> dict[str, dict[str, Any]]:
        """Its properties by group, as `updated` reads them."""
        groups: dict[str, dict[str, Any]] = {}
        for key, kind in self.parameters().items():
            value = getattr(self, key)
            written = value._asdict() if hasattr(value, "_asdict") else value
            plain = value.value if isinstance(value, Enum) else written
            groups.setdefault(_group(kind), {})[key] = plain
        return groups

    def _read(self, group: str, key: str, value: Any) -> Any:
        known = self.parameters()
        if key not in known:
            raise UnknownNameError.of(f"parameter of {type(self).__name__}", key, known)
        kind = known[key]
        own = _group(kind)
        if own != group:
            raise InvalidValueError(f"{key}: expected in {own}, got it in {group}")
        return _READERS[own](value, kind, key)


def _group(kind: type) -> str:
    """The group that properties of a type stand in."""
    if kind is bool:  # which is an int as well
        return "boolProperties"
    return next(name for name, base in GROUPS.items() if issubclass(kind, base))


@functools.cache
def _parameters(cls: type[Component]) -> dict[str, type]:
    hints = typing.get_type_hints(cls)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls) if f.name != "path"}


def worn(scene: Facts) -> Mapping[str, str]:
    """Objects -> the name of the material that they wear, or their own without one."""

    def find() -> dict[str, str]:
        own = {name: name for name in scene.objects}
        for material, objects in scene.materials.items():
            own |= dict.fromkeys(objects, material)
        return own

    return scene.remember("orrb worn", find)


def dressed(scene: Facts, include: str, exclude: str, usual: str) -> tuple[str, ...]:
    """Objects whose material's name starts with a prefix of `include` and none of `exclude`.

    Warns, once, of prefixes that match nothing, but not of those excluded by default (`usual`).
    """

    def find() -> tuple[str, ...]:
        by_object = worn(scene)
        known = tuple(dict.fromkeys(by_object.values()))
        unwanted = names.split(exclude)
        asked = names.split(include) + (unwanted if exclude != usual else ())
        names.warn_of_nothing("material", asked, known)
        chosen = set(names.choose(known, names.split(include), unwanted))
        return tuple(name for name, material in by_object.items() if material in chosen)

    return scene.remember(("orrb dressed", include, exclude, usual), find)


def _number(value: Any, kind: type, key: str) -> float:
    whole = kind is int
    fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not fits or (whole and value != int(value)) or not abs(value) < 1e30:
        expected = "a whole number" if whole else "a number"
        raise InvalidValueError(f"{key}: expected {expected}, got {value!r}")
    return int(value) if whole else float(value)


def _plain(value: Any, kind: type, key: str) -> Any:
    if not isinstance(value, kind):
        raise InvalidValueError(f"{key}: expected {kind.__name__}, got {value!r}")
    return value


def _word(value: Any, kind: type, key: str) -> Any:
    known = {member.value: member for member in typing.cast("type[Enum]", kind)}
    if value not in known:
        raise UnknownNameError.of(key, str(value), known)
    return known[value]


def _vector(value: Any, kind: type, key: str) -> Any:
    fields: tuple[str, ...] = kind._fields  # type: ignore[attr-defined]
    if isinstance(value, (list, tuple)) and len(value) == len(fields):
        value = dict(zip(fields, value, strict=True))
    if not isinstance(value, Mapping):
        raise InvalidValueError(f"{key}: expected {', '.join(fields)}, got {value!r}")
    for name in value:
        if name not in fields:
            raise UnknownNameError.of(f"part of {key}", str(name), fields)
    return kind(*(_number(value.get(name, 0.0), float, f"{key}.{name}") for name in fields))


_READERS: Mapping[str, typing.Callable[[Any, type, str], Any]] = {
    "intProperties": _number,
    "floatProperties": _number,
    "stringProperties": _plain,
    "boolProperties": _plain,
    "enumProperties": _word,
    "vector3Properties": _vector,
    "quaternionProperties": _vector,
}
