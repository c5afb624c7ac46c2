"""The renderer config as an object that programs change: ORRB's message, with its names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any, Protocol, Self, runtime_checkable

_PARTS = {"quaternion": "xyzw", "vector3": "xyz", "vector2": "xy", "color": "rgba"}
GROUPS = tuple(f"{kind}_properties" for kind in ("int", "float", "string", "bool", *_PARTS, "enum"))
"""The groups that properties of a component stand in."""
_PATHS = ("model_xml_path", "model_mapping_path")


@runtime_checkable
class HasComponents(Protocol):
    """A `RendererConfig`, a protobuf message or whatever else has its fields."""

    components: Any


class RendererConfig(SimpleNamespace):
    """All components, in the order in which they run.

    Each has `type`, `name`, `path` and `config`, which has key -> value for each of `GROUPS`.
    Vectors, turns and colours have their parts by letter; a new key begins with zeros.

    Attributes:
        model_xml_path, model_mapping_path: kept as they are; the files come from
            `RemoteRendererConfig`.
        components: the components.
    """

    components: list[SimpleNamespace]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Self:
        """The message of what `OrrbRandomization.config` returns, and paths of files beside it."""
        paths = {key: config.get(camel_case(key), "") for key in _PATHS}
        return cls(components=[_component(part) for part in config["components"]], **paths)


def as_json(message: HasComponents) -> dict[str, Any]:
    """What a renderer_config.json holds, of a `RendererConfig` or whatever has its fields.

    Raises:
        AttributeError: a field is missing.
    """
    components = [
        {
            **{key: getattr(part, key) for key in ("type", "name", "path")},
            "config": {
                group: {key: _plain(value) for key, value in getattr(part.config, group).items()}
                for group in GROUPS
            },
        }
        for part in message.components
    ]
    return {"components": components}


def snake_case(name: str) -> str:
    """A name in camel case, or already as it shall be: `intProperties` is `int_properties`."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in str(name))


def camel_case(name: str) -> str:
    """A name as JSON has it: `int_properties` is `intProperties`."""
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


def _component(part: Mapping[str, Any]) -> SimpleNamespace:
    config: dict[str, Any] = {group: {} for group in GROUPS}
    for kind, letters in _PARTS.items():
        zeros = dict.fromkeys(letters, 0.0)
        config[f"{kind}_properties"] = defaultdict(partial(SimpleNamespace, **zeros))
    for group, properties in part["config"].items():
        config[snake_case(group)] |= {
            key: SimpleNamespace(**value) if isinstance(value, Mapping) else value
            for key, value in properties.items()
        }
    named = {key: part[key] for key in ("type", "name", "path")}
    return SimpleNamespace(**named, config=SimpleNamespace(**config))


def _plain(value: Any) -> Any:
    """A number or text as it is; a vector, turn or colour as an object of its parts."""
    parts = {key: getattr(value, key) for key in "xyzwrgba" if hasattr(value, key)}
    return parts or value
