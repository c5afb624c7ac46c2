"""Reading and writing ORRB's renderer_config.json, and running what it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from heliograph.compat.orrb.components import COMPONENTS
from heliograph.compat.orrb.components.component import Component
from heliograph.compat.orrb.components.tracker import Tracker
from heliograph.compat.orrb.facts import OrrbFacts
from heliograph.compat.orrb.message import snake_case
from heliograph.compat.orrb.unity import UnityRandom
from heliograph.errors import HeliographError, InvalidValueError, UnknownNameError, shown
from heliograph.randomize.facts import Facts
from heliograph.randomize.randomizer import Drawn, Randomization, Randomizer, merged

_KEYS = ("type", "name", "path", "config")
_PATHS = ("modelXmlPath", "modelMappingPath")


class OrrbRandomization(Randomization):
    """ORRB's components: they run in order and draw from one stream of Unity's numbers.

    Its seed is the run's and the sample's index together: ORRB counts entries up from one seed.
    """

    def __call__(self, seed: int, index: int, scene: Facts) -> Drawn:
        """Draw what sample `index` of run `seed` shows differently from the scene."""
        return self.run(seed, index, OrrbFacts.widened(scene))[0]

    def run(self, seed: int, index: int, scene: OrrbFacts) -> tuple[Drawn, OrrbFacts]:
        """Draw, and tell what is known of the scene then; trackers look when all else is done."""
        random, parts = UnityRandom(seed + index), {}
        pairs = list(zip(self.names, self.randomizers, strict=True))
        for name, component in sorted(pairs, key=lambda pair: isinstance(pair[1], Tracker)):
            part = parts[name] = component.draw(random, scene)  # type: ignore[arg-type]
            scene = scene.after(part.edits, part.state)
        return merged({name: parts[name] for name in self.names}), scene

    def config(self) -> dict[str, Any]:
        """What a renderer_config.json of them holds."""
        entries = []
        for name, component in zip(self.names, self.randomizers, strict=True):
            if not isinstance(component, Component):
                raise InvalidValueError(f"{name}: {component!r} is no component of ORRB's")
            own = {"type": component.type_name, "name": name, "path": component.path}
            entries.append({**own, "config": component.config()})
        return {"components": entries}


def read_components(
    config: Mapping[str, Any], where: str = "config", current: Randomization | None = None
) -> OrrbRandomization:
    """Read what a renderer_config.json holds.

    Args:
        config: what it holds.
        where: what messages call it.
        current: what it updates: a component of a name that is there keeps the properties that
            are absent; without it they have their defaults.

    Raises:
        UnknownNameError: a component, property group, parameter or enum value there is not; the
            message says where and names the nearest.
        InvalidValueError: a value is of the wrong type.
    """
    for key in config:
        if snake_case(key) not in map(snake_case, ("components", *_PATHS)):
            raise UnknownNameError.of(f"key in {where}", key, ("components", *_PATHS))
    components = config.get("components")
    if not isinstance(components, Sequence) or isinstance(components, str):
        raise InvalidValueError(f"{where}: expected a list of components, got {shown(components)}")
    pairs = () if current is None else zip(current.names, current.randomizers, strict=True)
    found: dict[str, Randomizer] = dict(pairs)
    fresh: set[str] = set()
    for number, entry in enumerate(components):
        try:
            name, component = _entry(entry, found, fresh)
        except HeliographError as error:
            raise type(error)(f"{where}: components[{number}]: {error.message}") from None
        found[name] = component
        fresh.add(name)
    return OrrbRandomization(tuple(found.values()), tuple(found))


def _entry(entry: Any, found: Mapping[str, Randomizer], fresh: set[str]) -> tuple[str, Component]:
    if not isinstance(entry, Mapping):
        raise InvalidValueError(f"expected an object, got {shown(entry)}")
    for key in entry:
        if key not in _KEYS:
            raise UnknownNameError.of("key", key, _KEYS)
    kind = entry.get("type", "")
    if not isinstance(kind, str) or kind not in COMPONENTS:
        raise UnknownNameError.of("component", kind, COMPONENTS)
    stem = entry.get("name") or kind
    if not isinstance(stem, str):
        raise InvalidValueError(f"name: expected a text, got {shown(stem)}")
    name = _free(stem, fresh)
    before = found.get(name)
    component = before if isinstance(before, COMPONENTS[kind]) else COMPONENTS[kind]()
    path, config = entry.get("path", component.path), entry.get("config") or {}
    if not isinstance(path, str) or not isinstance(config, Mapping):
        raise InvalidValueError(
            f"path and config: expected a text and an object, got {shown(path)} and {shown(config)}"
        )
    made = component.updated(config, path)
    try:
        msgspec.json.encode((name, path, made.config()))  # as it travels to the workers
    except UnicodeEncodeError:
        raise InvalidValueError("expected text, got lone surrogates, which UTF-8 lacks") from None
    return name, made


def _free(name: str, taken: set[str]) -> str:
    """The name, numbered where one of this config has it already."""
    number, free = 2, name
    while free in taken:
        free, number = f"{name}{number}", number + 1
    return free
