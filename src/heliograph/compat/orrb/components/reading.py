"""Reading ORRB's renderer_config.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from heliograph.compat.orrb.components.cameras import (
    CameraCalibrator,
    CameraProperties,
    CameraRandomizer,
)
from heliograph.compat.orrb.components.component import Component
from heliograph.compat.orrb.components.lights import LightingRig, LightRandomizer
from heliograph.compat.orrb.components.materials import (
    MaterialFixedHueRandomizer,
    MaterialRandomizer,
)
from heliograph.compat.orrb.components.objects import (
    Hide,
    JointRandomizer,
    LookAt,
    TranslateRotateScale,
)
from heliograph.compat.orrb.components.post import PostProcessingRandomizer
from heliograph.compat.orrb.components.tracker import Tracker
from heliograph.errors import HeliographError, InvalidValueError, UnknownNameError
from heliograph.randomize.randomizer import Randomization, Randomizer
from heliograph.randomize.source import read

COMPONENTS: dict[str, type[Component]] = {
    kind.type_name: kind
    for kind in (
        CameraRandomizer,
        CameraProperties,
        CameraCalibrator,
        LookAt,
        TranslateRotateScale,
        Hide,
        JointRandomizer,
        LightingRig,
        LightRandomizer,
        MaterialRandomizer,
        MaterialFixedHueRandomizer,
        PostProcessingRandomizer,
        Tracker,
    )
}
_KEYS = ("type", "name", "path", "config")


class OrrbRandomization(Randomization):
    """ORRB's components, run in order."""

    def config(self) -> dict[str, Any]:
        """What a renderer_config.json of them holds."""
        return write_renderer_config(self)


def read_renderer_config(
    source: str | Path | Mapping[str, Any], current: Randomization | None = None
) -> Randomization:
    """Read a renderer_config.json.

    Args:
        source: its path, or what it holds.
        current: what it updates: a component of a name that is there keeps the properties that
            are absent; without it they have their defaults.

    Raises:
        UnknownNameError: a component, property group, parameter or enum value there is not; the
            message says where and names the nearest.
        InvalidValueError: the file cannot be read, or a value is of the wrong type.
    """
    return read_components(*read(source), current)


def read_components(
    config: Mapping[str, Any], where: str, current: Randomization | None = None
) -> Randomization:
    """Read what a renderer_config.json holds; `where` is what messages call it.

    Raises:
        HeliographError: see `read_renderer_config`.
    """
    for key in config:
        if key != "components":
            raise UnknownNameError.of(f"key in {where}", str(key), ("components",))
    components = config.get("components")
    if not isinstance(components, Sequence) or isinstance(components, str):
        raise InvalidValueError(f"{where}: expected a list of components, got {components!r}")
    found = {} if current is None else _by_name(current)
    fresh: set[str] = set()
    for number, entry in enumerate(components):
        _add(found, fresh, entry, f"{where}: components[{number}]")
    return OrrbRandomization(tuple(found.values()), tuple(found))


def write_renderer_config(randomization: Randomization) -> dict[str, Any]:
    """Return what a renderer_config.json of these components holds.

    Raises:
        InvalidValueError: one of the randomizers is no component of ORRB's.
    """
    entries = []
    for name, component in _by_name(randomization).items():
        if not isinstance(component, Component):
            raise InvalidValueError(f"{name}: {component!r} is no component of ORRB's")
        kind, config = component.type_name, component.config()
        entries.append({"type": kind, "name": name, "path": component.path, "config": config})
    return {"components": entries}


def _by_name(current: Randomization) -> dict[str, Randomizer]:
    return dict(zip(current.names, current.randomizers, strict=True))


def _add(found: dict[str, Randomizer], fresh: set[str], entry: Any, where: str) -> None:
    if not isinstance(entry, Mapping):
        raise InvalidValueError(f"{where}: expected an object, got {entry!r}")
    try:
        kind = _kind(entry)
        name = _free(str(entry.get("name") or kind.type_name), fresh)
        before = found.get(name)
        component = before if type(before) is kind else kind()
        found[name] = _configured(component, entry)
    except HeliographError as error:
        raise type(error)(f"{where}: {error.message}") from None
    fresh.add(name)


def _kind(entry: Mapping[str, Any]) -> type[Component]:
    for key in entry:
        if key not in _KEYS:
            raise UnknownNameError.of("key", str(key), _KEYS)
    kind = str(entry.get("type", ""))
    if kind not in COMPONENTS:
        raise UnknownNameError.of("component", kind, COMPONENTS)
    return COMPONENTS[kind]


def _configured(component: Randomizer, entry: Mapping[str, Any]) -> Component:
    if not isinstance(component, Component):
        raise InvalidValueError(f"expected a component of ORRB's, got {component!r}")
    path, config = entry.get("path", component.path), entry.get("config") or {}
    if not isinstance(path, str) or not isinstance(config, Mapping):
        raise InvalidValueError(f"path and config: expected a text and an object, got {entry!r}")
    return component.updated(config, path)


def _free(name: str, taken: set[str]) -> str:
    """The name, numbered where one of this config has it already."""
    number, free = 2, name
    while free in taken:
        free, number = f"{name}{number}", number + 1
    return free
