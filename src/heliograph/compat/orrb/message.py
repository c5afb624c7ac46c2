"""The renderer config as an object that programs change: ORRB's message, with its names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any, Protocol, Self, runtime_checkable


@dataclass
class Vector2:
    """A vector."""

    x: float = 0.0
    y: float = 0.0


@dataclass
class Vector3(Vector2):
    """A vector in Unity's axes."""

    z: float = 0.0


@dataclass
class Quaternion(Vector3):
    """A turn in Unity's axes."""

    w: float = 0.0


@dataclass
class Color:
    """A colour."""

    r: float = 0.0
    g: float = 0.0
    b: float = 0.0
    a: float = 0.0


@dataclass
class RendererComponentConfig:
    """Properties of one component: key -> value, in a group for each type."""

    int_properties: dict[str, int] = field(default_factory=dict)
    float_properties: dict[str, float] = field(default_factory=dict)
    string_properties: dict[str, str] = field(default_factory=dict)
    bool_properties: dict[str, bool] = field(default_factory=dict)
    quaternion_properties: dict[str, Quaternion] = field(
        default_factory=lambda: defaultdict(Quaternion)
    )
    vector3_properties: dict[str, Vector3] = field(default_factory=lambda: defaultdict(Vector3))
    vector2_properties: dict[str, Vector2] = field(default_factory=lambda: defaultdict(Vector2))
    enum_properties: dict[str, str] = field(default_factory=dict)
    color_properties: dict[str, Color] = field(default_factory=lambda: defaultdict(Color))


@dataclass
class RendererComponent:
    """One component: its type, its own name, the scene node it is on, its properties."""

    type: str = ""
    name: str = ""
    path: str = ""
    config: RendererComponentConfig = field(default_factory=RendererComponentConfig)


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
    def of(cls, config: Mapping[str, Any]) -> Self:
        """The message of a renderer_config.json that was read without complaint."""
        config = {snake_case(key): value for key, value in config.items()}
        parts = [
            RendererComponent(
                *(part.get(key, "") for key in ("type", "name", "path")),
                _properties(part.get("config") or {}),
            )
            for part in config["components"]
        ]
        paths = [config.get(key, "") for key in ("model_xml_path", "model_mapping_path")]
        return cls(*paths, parts)


@runtime_checkable
class HasComponents(Protocol):
    """A `RendererConfig`, a protobuf message or whatever else has its fields."""

    components: Any


def as_json(message: HasComponents) -> dict[str, Any]:
    """What a renderer_config.json holds, of a `RendererConfig` or whatever has its fields.

    Raises:
        AttributeError: a field is missing.
    """
    components = [
        {
            **{key: getattr(part, key) for key in ("type", "name", "path")},
            "config": {
                each.name: {key: _plain(value) for key, value in group.items()}
                for each in fields(RendererComponentConfig)
                if (group := getattr(part.config, each.name))
            },
        }
        for part in message.components
    ]
    return {"components": components}


def snake_case(name: str) -> str:
    """A name in camel case, or already as it shall be: `intProperties` is `int_properties`."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in str(name))


_MESSAGES = {
    "quaternion_properties": Quaternion,
    "vector3_properties": Vector3,
    "vector2_properties": Vector2,
    "color_properties": Color,
}


def _properties(given: Mapping[str, Any]) -> RendererComponentConfig:
    made = RendererComponentConfig()
    for group, properties in given.items():
        kind = _MESSAGES.get(snake_case(group))
        values = {
            key: value if kind is None else kind(*value) if isinstance(value, (list, tuple))
            else kind(**value)
            for key, value in properties.items()
        }  # fmt: skip
        getattr(made, snake_case(group)).update(values)
    return made


def _plain(value: Any) -> Any:
    """A number or text as it is; a vector, turn or colour as an object of its parts."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    parts = {key: getattr(value, key) for key in "xyzwrgba" if hasattr(value, key)}
    return parts or value
