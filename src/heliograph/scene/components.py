"""Components: immutable values that make up a scene, with three.js's names and meanings.

The world is Z up and in metres. Every component takes `position` [x, y, z], `rotation` (Euler
angles in radians, three.js's order "XYZ"), `quaternion` (x, y, z, w), `scale` (one number or
three), `matrix` (16 floats, column after column; it wins over the others) and `visible`. All of
these are relative to the parent. What is not given keeps its default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.scene import placement
from heliograph.scene import values as v
from heliograph.scene.files import file_digest
from heliograph.scene.values import Prop

Props = Mapping[str, Any]
_C = TypeVar("_C", bound="Component")
_KINDS: dict[str, type[Component]] = {}
_RESERVED = ("tag", "key", "children")
MAX_DEPTH = 100

PLACEMENT: Props = MappingProxyType(
    {
        "position": Prop(v.vector(3), (0.0, 0.0, 0.0)),
        "rotation": Prop(v.vector(3)),
        "quaternion": Prop(v.quaternion),
        "scale": Prop(v.scale, (1.0, 1.0, 1.0)),
        "matrix": Prop(v.matrix),
        "visible": Prop(v.flag, True),
    }
)


class Component:
    """A node of a scene: a key, properties and children. A value: frozen, equal by content.

    Args:
        *children: components placed relative to this one.
        key: its name, unique in a scene; a scene gives those without one a key by their place.
        **props: properties; `SPEC` of its class lists them.

    Attributes:
        key: its name, or None outside a scene.
        children: components.
        props: the properties that were given, checked and canonical.

    Raises:
        UnknownNameError: no such property.
        InvalidValueError: a property of the wrong type, length or range.
    """

    SPEC: ClassVar[Mapping[str, Prop]] = PLACEMENT
    drawable: ClassVar[bool] = False

    __slots__ = ("_depth", "_memo", "children", "key", "props")
    key: str | None
    children: tuple[Component, ...]
    props: Props
    _memo: dict[str, Any]
    _depth: int

    def __init_subclass__(cls, *, abstract: bool = False) -> None:
        super().__init_subclass__()
        cls.SPEC = MappingProxyType({**cls.SPEC, **cls.__dict__.get("OWN", {})})
        if not abstract:
            _KINDS[cls.__name__] = cls

    def __init__(self, *children: Component, key: str | None = None, **props: Any) -> None:
        if _KINDS.get(type(self).__name__) is not type(self):
            raise InvalidValueError(f"{type(self).__name__} is only a base; use one of {[*_KINDS]}")
        checked = _check_key(type(self).__name__, key)
        where = f"{type(self).__name__} {checked!r}" if checked else type(self).__name__
        self._fill(checked, _check_children(where, children), self._check(props, where))

    def _fill(self, key: str | None, children: tuple[Component, ...], props: Props) -> None:
        object.__setattr__(self, "key", key)
        object.__setattr__(self, "children", children)
        object.__setattr__(self, "props", MappingProxyType(dict(props)))
        object.__setattr__(self, "_memo", {})
        depth = 1 + max((child._depth for child in children), default=0)
        if depth > MAX_DEPTH:
            raise InvalidValueError(f"{self._name}: nested deeper than {MAX_DEPTH}")
        object.__setattr__(self, "_depth", depth)

    @classmethod
    def _check(cls, props: Props, where: str) -> Props:
        for name in props:
            if name not in cls.SPEC:
                raise UnknownNameError.of(f"property of {where}", name, cls.SPEC)
        checked = {name: cls.SPEC[name].check(props[name], f"{where} {name}") for name in props}
        if "rotation" in checked and "quaternion" in checked:
            raise InvalidValueError(f"{where}: give either rotation or quaternion, not both")
        cls._check_together(checked, where)
        return checked

    @classmethod
    def _check_together(cls, props: Props, where: str) -> None:
        """Refuse properties that do not go together."""

    def get(self, name: str) -> Any:
        """A property's value, its default where it was not given."""
        if name not in self.SPEC:
            raise UnknownNameError.of(f"property of {self._name}", name, self.SPEC)
        return self.props.get(name, self.SPEC[name].default)

    @property
    def kind(self) -> str:
        """Its type in lower case."""
        return type(self).__name__.lower()

    @property
    def _name(self) -> str:
        return f"{type(self).__name__} {self.key!r}" if self.key else type(self).__name__

    @property
    def local(self) -> NDArray[np.float64]:
        """parent_from_component, (4, 4), read-only."""
        if "local" not in self._memo:
            props = {"position": self.get("position"), **self.props}
            self._memo["local"] = v.frozen(placement.matrix_of(props))
        made: NDArray[np.float64] = self._memo["local"]
        return made

    def walk(self) -> Iterator[Component]:
        """This component and all below it, parents first, in order."""
        yield self
        for child in self.children:
            yield from child.walk()

    def merged(self, props: Props) -> Self:
        """This component with checked properties changed; material properties one by one.

        A rotation replaces a quaternion and the other way round. Where a matrix was given before,
        a new position, rotation or scale replaces just its part of that matrix.
        """
        kept = placement.before(self.props, props, self._name)
        if "material" in kept and "material" in props:
            both = {**kept["material"], **props["material"]}
            props = {**props, "material": MappingProxyType(both)}
        together = {**kept, **props}
        self._check_together(together, self._name)
        return self.changed(props=together)

    def changed(
        self,
        *,
        key: str | None = None,
        children: tuple[Component, ...] | None = None,
        props: Props | None = None,
    ) -> Self:
        """This component with parts replaced by checked ones; all else is shared."""
        made = object.__new__(type(self))
        made._fill(
            self.key if key is None else key,
            self.children if children is None else children,
            self.props if props is None else props,
        )
        return made

    def to_dict(self) -> dict[str, Any]:
        """Plain data: `tag`, `key`, the properties given, `children`; arrays stay numpy arrays."""
        data: dict[str, Any] = {"tag": type(self).__name__}
        if self.key is not None:
            data["key"] = self.key
        data.update({name: _plain(value) for name, value in self.props.items()})
        if self.children:
            data["children"] = [child.to_dict() for child in self.children]
        return data

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Component:
        """The component of plain data, checked anew.

        Raises:
            UnknownNameError: an unknown `tag` or property.
            InvalidValueError: anything else that is not as `to_dict` writes it.
        """
        return _from_dict(data, 0)

    def digest(self) -> str:
        """Hexadecimal hash of the tree with the bytes of its files, as they are now.

        Raises:
            SceneError: a file cannot be read.
        """
        paths = dict.fromkeys(path for node in self.walk() for path in node.files)
        return v.fingerprint((self._hash(), tuple(map(file_digest, paths)))).hex()

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of the files it shows."""
        return ()

    def _hash(self) -> bytes:
        if "equal" not in self._memo:
            below = tuple(child._hash() for child in self.children)
            self._memo["equal"] = v.fingerprint((self.own, below))
        made: bytes = self._memo["equal"]
        return made

    @property
    def size(self) -> int:
        """Bytes of the arrays in its properties."""
        given = (*self.props.values(), *self.props.get("material", {}).values())
        return sum(each.nbytes for each in given if isinstance(each, np.ndarray))

    @property
    def own(self) -> bytes:
        """Digest of its type, key and properties, without files and children."""
        if "own" not in self._memo:
            self._memo["own"] = v.fingerprint((type(self).__name__, self.key, self.props))
        made: bytes = self._memo["own"]
        return made

    @property
    def look(self) -> bytes:
        """Digest of its type and properties other than the placement, without files."""
        if "look" not in self._memo:
            props = {name: self.props[name] for name in self.props if name not in PLACEMENT}
            self._memo["look"] = v.fingerprint((type(self).__name__, props))
        made: bytes = self._memo["look"]
        return made

    def __eq__(self, other: object) -> bool:
        """Whether type, key, properties and children are equal."""
        if not isinstance(other, Component):
            return NotImplemented
        return self is other or self._hash() == other._hash()

    def __hash__(self) -> int:
        """Hash of the content."""
        return hash(self._hash())

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{self._name} is a value; make another one, or use an edit")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{self._name} is a value; make another one, or use an edit")

    def __reduce__(self) -> tuple[Any, ...]:
        return (Component.from_dict, (self.to_dict(),))

    def __repr__(self) -> str:
        """Its type, key and how many components are below."""
        below = sum(1 for _ in self.walk()) - 1
        return f"<{self._name}{f' with {below} below' if below else ''}>"


class Group(Component):
    """Draws nothing; places its children."""

    __slots__ = ()


class CameraView(Component):
    """A virtual camera; it looks along its own -z with +y up, and is never seen itself.

    Properties besides the placement: `fov` (vertical, degrees), `width`, `height` (pixels),
    `near`, `far` (metres), `lookAt` (a world point, with world z up; it wins over the rotation),
    `ctype` ("perspective" or "orthographic"), `extent` (metres that the picture's height shows,
    orthographic only).
    """

    OWN: ClassVar[Mapping[str, Prop]] = {
        "fov": Prop(v.number(1e-4, 179.9), 50.0),
        "width": Prop(v.whole(1, v.MAX_PIXELS), 320),
        "height": Prop(v.whole(1, v.MAX_PIXELS), 240),
        "near": Prop(v.number(0, above=True), 0.1),
        "far": Prop(v.number(0, above=True), 20.0),
        "lookAt": Prop(v.vector(3)),
        "ctype": Prop(v.choice("perspective", "orthographic"), "perspective"),
        "extent": Prop(v.number(0, above=True), 2.0),
    }
    __slots__ = ()

    @classmethod
    def _check_together(cls, props: Props, where: str) -> None:
        near = props.get("near", cls.SPEC["near"].default)
        far = props.get("far", cls.SPEC["far"].default)
        if near >= far:
            raise InvalidValueError(f"{where} near: expected less than far ({far}), got {near}")


class Scene(Component):
    """The root of a tree: gives every component a key, and refuses one given twice.

    Properties besides the placement: `background`, a colour.
    """

    OWN: ClassVar[Mapping[str, Prop]] = {"background": Prop(v.colour, (0.0, 0.0, 0.0))}
    __slots__ = ()

    def __init__(self, *children: Component, key: str | None = None, **props: Any) -> None:
        super().__init__(*children, key="scene" if key is None else key, **props)
        object.__setattr__(self, "children", keyed(self.children, {self.key}))

    @property
    def parents(self) -> Mapping[str, str]:
        """Key of each component -> key of its parent; the scene's own is not in it."""
        if "parents" not in self._memo:
            self._memo["parents"] = {
                str(child.key): str(node.key) for node in self.walk() for child in node.children
            }
        made: Mapping[str, str] = self._memo["parents"]
        return made

    def with_parents(self, parents: Mapping[str, str]) -> Self:
        """The same scene, told its `parents`."""
        self._memo["parents"] = parents
        return self


def keyed(components: tuple[Component, ...], taken: set[Any]) -> tuple[Component, ...]:
    """The components with a key each: `box-1`, `box-2`, ... for those that have none.

    Args:
        components: trees.
        taken: keys that are in use; those given here are added.

    Raises:
        InvalidValueError: a key is given twice.
    """
    for component in components:
        for node in component.walk():
            if node.key in taken and node.key is not None:
                raise InvalidValueError(f"{node._name}: a component with this key is there already")
            taken.add(node.key)
    taken.discard(None)
    numbers: dict[str, int] = {}
    return tuple(_keyed(component, taken, numbers) for component in components)


def _keyed(component: _C, taken: set[Any], numbers: dict[str, int]) -> _C:
    key = component.key
    while key is None or (component.key is None and key in taken):
        numbers[component.kind] = numbers.get(component.kind, 0) + 1
        key = f"{component.kind}-{numbers[component.kind]}"
    taken.add(key)
    children = tuple(_keyed(child, taken, numbers) for child in component.children)
    same = all(a is b for a, b in zip(children, component.children, strict=True))
    if same and key == component.key:
        return component
    return component.changed(key=key, children=children)


def _check_key(kind: str, key: object) -> str | None:
    if key is None:
        return None
    if not isinstance(key, str) or not key:
        raise InvalidValueError(f"{kind} key: expected a non-empty string, got {key!r}")
    return key


def _check_children(where: str, children: tuple[Any, ...]) -> tuple[Component, ...]:
    for child in children:
        if not isinstance(child, Component):
            raise InvalidValueError(f"{where} children: expected components, got {child!r}")
        if isinstance(child, Scene):
            raise InvalidValueError(f"{where} children: a Scene is a root only; use a Group")
    return children


def _from_dict(data: Any, depth: int) -> Component:
    if not isinstance(data, Mapping) or not isinstance(data.get("tag"), str):
        raise v.refuse("component", "a mapping with a 'tag' such as 'Box'", data)
    if depth > MAX_DEPTH:
        raise InvalidValueError(f"component: nested deeper than {MAX_DEPTH}")
    if data["tag"] not in _KINDS:
        raise UnknownNameError.of("component", data["tag"], _KINDS)
    below = data.get("children", [])
    if not isinstance(below, (list, tuple)):
        raise v.refuse(f"{data['tag']} children", "a list", below)
    children = [_from_dict(each, depth + 1) for each in below]
    props = {str(name): data[name] for name in data if name not in _RESERVED}
    return _KINDS[data["tag"]](*children, key=data.get("key"), **props)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(value[name]) for name in value}
    return list(value) if isinstance(value, tuple) else value
