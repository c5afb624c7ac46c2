"""The renderer config as an object that programs change: ORRB's message, with its names."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from heliograph.compat.orrb.problems import RendererError
from heliograph.randomize.source import read


@dataclass
class Vector2:
    """A vector."""

    x: float = 0.0
    y: float = 0.0


@dataclass
class Vector3:
    """A vector in Unity's axes."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0


@dataclass
class Quaternion:
    """A turn in Unity's axes."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    w: float = 0.0


@dataclass
class Color:
    """A colour."""

    r: float = 0.0
    g: float = 0.0
    b: float = 0.0
    a: float = 0.0


_MESSAGES = {
    "quaternion_properties": Quaternion,
    "vector3_properties": Vector3,
    "vector2_properties": Vector2,
    "color_properties": Color,
}


@dataclass
class RendererComponentConfig:
    """Properties of one component: key -> value, in a group for each type."""

    int_properties: dict[str, int] = field(default_factory=dict)
    float_properties: dict[str, float] = field(default_factory=dict)
    string_properties: dict[str, str] = field(default_factory=dict)
    bool_properties: dict[str, bool] = field(default_factory=dict)
    quaternion_properties: defaultdict[str, Quaternion] = field(
        default_factory=lambda: defaultdict(Quaternion)
    )
    vector3_properties: defaultdict[str, Vector3] = field(
        default_factory=lambda: defaultdict(Vector3)
    )
    vector2_properties: defaultdict[str, Vector2] = field(
        default_factory=lambda: defaultdict(Vector2)
    )
    enum_properties: dict[str, str] = field(default_factory=dict)
    color_properties: defaultdict[str, Color] = field(default_factory=lambda: defaultdict(Color))

    @classmethod
    def of(cls, given: Mapping[str, Any], where: str) -> Self:
        """The properties of a JSON object; groups in either spelling."""
        made = cls()
        groups = {_camel(f.name): f.name for f in dataclasses.fields(cls)}
        groups |= {name: name for name in groups.values()}
        for group, properties in given.items():
            if group not in groups:
                raise RendererError(f"{where}: no such property group: {group!r}")
            if not isinstance(properties, Mapping):
                raise RendererError(f"{where}: {group}: expected an object, got {properties!r}")
            name = groups[group]
            getattr(made, name).update(_values(name, properties, f"{where}: {group}"))
        return made

    def to_json(self) -> dict[str, Any]:
        """The JSON object."""
        groups = vars(self).items()
        return {
            _camel(name): {key: _plain(value) for key, value in group.items()}
            for name, group in groups
            if group
        }


@dataclass
class RendererComponent:
    """One component: its type, its own name, the scene node it is on, its properties."""

    type: str = ""
    name: str = ""
    path: str = ""
    config: RendererComponentConfig = field(default_factory=RendererComponentConfig)

    @classmethod
    def of(cls, given: Any, where: str) -> Self:
        """The component of a JSON object."""
        if not isinstance(given, Mapping):
            raise RendererError(f"{where}: expected an object, got {given!r}")
        known = [f.name for f in dataclasses.fields(cls)]
        unknown = [key for key in given if key not in known]
        if unknown:
            raise RendererError(f"{where}: unknown key {unknown[0]!r} (known: {', '.join(known)})")
        texts = {key: given.get(key, "") for key in known[:3]}
        config = given.get("config") or {}
        if not all(isinstance(text, str) for text in texts.values()):
            raise RendererError(f"{where}: type, name and path: expected texts, got {texts!r}")
        if not isinstance(config, Mapping):
            raise RendererError(f"{where}: config: expected an object, got {config!r}")
        return cls(**texts, config=RendererComponentConfig.of(config, where))

    def to_json(self) -> dict[str, Any]:
        """The JSON object."""
        named = {key: getattr(self, key) for key in ("type", "name", "path")}
        return {**named, "config": self.config.to_json()}


@dataclass
class RendererConfig:
    """All components, in the order in which they run.

    Attributes:
        model_xml_path, model_mapping_path: kept as they are; the files come from
            `RemoteRendererConfig`.
        components: the components.
    """

    model_xml_path: str = ""
    model_mapping_path: str = ""
    components: list[RendererComponent] = field(default_factory=list)

    @classmethod
    def read(cls, source: str | Path | Mapping[str, Any]) -> Self:
        """The config of a JSON file, or of what it holds.

        Raises:
            InvalidValueError: the file cannot be read.
            RendererError: something unknown in it.
        """
        config, where = read(source)
        given = {_snake(key): value for key, value in config.items()}
        known = [f.name for f in dataclasses.fields(cls)]
        for key in given:
            if key not in known:
                raise RendererError(f"{where}: unknown key {key!r} (known: {', '.join(known)})")
        components = given.pop("components", ())
        if not isinstance(components, Sequence) or isinstance(components, str):
            raise RendererError(f"{where}: components: expected a list, got {components!r}")
        made = cls()
        for key, value in given.items():
            setattr(made, key, str(value))
        made.components = [
            RendererComponent.of(each, f"{where}: components[{i}]")
            for i, each in enumerate(components)
        ]
        return made

    def to_json(self) -> dict[str, Any]:
        """What `heliograph.compat.orrb.components.read_renderer_config` takes."""
        return {"components": [each.to_json() for each in self.components]}


def _values(group: str, properties: Mapping[str, Any], where: str) -> dict[str, Any]:
    kind = _MESSAGES.get(group)
    if kind is None:
        return dict(properties)
    return {key: _message(kind, value, f"{where}.{key}") for key, value in properties.items()}


def _message(kind: type, value: Any, where: str) -> Any:
    names = [f.name for f in dataclasses.fields(kind)]
    if not isinstance(value, Mapping) or any(key not in names for key in value):
        raise RendererError(f"{where}: expected {', '.join(names)}, got {value!r}")
    return kind(**value)


def _plain(value: Any) -> Any:
    return dataclasses.asdict(value) if dataclasses.is_dataclass(type(value)) else value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in str(name))
