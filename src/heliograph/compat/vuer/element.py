"""Elements: what a Vuer program calls to describe a component."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from heliograph.errors import UnknownNameError
from heliograph.scene import Component
from heliograph.scene.material import MATERIAL

Fields: TypeAlias = dict[str, Any]
Adapt: TypeAlias = Callable[[Fields], None]
"""Turns fields as Vuer has them into properties as components have them, in place."""

_SILENT = frozenset(
    {"frustumCulled", "helper", "lod", "onLoad", "receiveShadow", "renderOrder", "show_helper"}
)
"""Fields that change no picture, whatever they are."""
_SAME_LOOK = MappingProxyType({"physical": "standard"})
_told: set[tuple[str, str]] = set()


class Element:
    """One of Vuer's elements: called with its fields, it gives a component of ours.

    Only fields that are given are kept, so that an update changes nothing else. A field that
    is not known here is left out, with a warning the first time.

    Args:
        kind: type of the component.
        name: what Vuer calls it.
        renamed: Vuer's name of a field -> ours.
        silent: fields that are left out without a word.
        adapt: see `Adapt`; called before fields are renamed.
    """

    def __init__(
        self,
        kind: type[Component],
        name: str,
        *,
        renamed: Mapping[str, str] = MappingProxyType({}),
        silent: Iterable[str] = (),
        adapt: Adapt | None = None,
    ) -> None:
        self.kind = kind
        self.name = self.__name__ = name
        self.__doc__ = f"Vuer's {name}; gives a `{kind.__name__}`."
        self._renamed = renamed
        self._silent = _SILENT | set(silent)
        self._adapt = adapt

    def __call__(self, *children: Any, key: str | None = None, **fields: Any) -> Component:
        """The component of fields.

        Raises:
            InvalidValueError: a field of the wrong type, length or range.
        """
        given = {name: value for name, value in fields.items() if value is not None}
        below = flat((*children, *given.pop("children", ())))
        if "hide" in given:
            given["visible"] = not given.pop("hide")
        if self._adapt is not None:
            self._adapt(given)
        props: Fields = {}
        for name, value in given.items():
            ours = self._renamed.get(name, name)
            if ours in self.kind.SPEC:
                props[ours] = value
            elif name not in self._silent:
                tell(self.name, "field", name, (*self.kind.SPEC, *self._renamed))
        adapt_look(self.name, props)
        return self.kind(*below, key=key, **props)

    def __repr__(self) -> str:
        """Its name."""
        return f"<element {self.name}>"


def flat(children: Iterable[Any]) -> list[Component]:
    """Components among children, which may be nested in lists or None."""
    found: list[Component] = []
    for child in children:
        if isinstance(child, (list, tuple)):
            found += flat(child)
        elif child is not None:
            found.append(child)
    return found


def adapt_look(name: str, props: Fields) -> None:
    """Make a material of Vuer's one of ours, in place."""
    kind = props.get("materialType")
    if kind is not None:
        props["materialType"] = _SAME_LOOK.get(kind, kind)
    material = props.get("material")
    if not isinstance(material, Mapping):
        return
    known = {field: material[field] for field in material if field in MATERIAL}
    for field in material.keys() - known.keys():
        tell(name, "material field", field, MATERIAL)
    if "opacity" in known and not known.get("transparent"):
        known["transparent"] = False  # three.js's default, which then ignores the opacity
    props["material"] = {field: value for field, value in known.items() if value is not None}


def tell(element: str, sort: str, field: str, known: Iterable[str]) -> None:
    """Warn of a field that is left out, once."""
    if (element, field) in _told:
        return
    _told.add((element, field))
    what = UnknownNameError.of(f"{sort} of {element}", field, known)
    warnings.warn(f"{what}; it is left out", stacklevel=3)
