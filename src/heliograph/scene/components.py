"""Components: immutable values that make up a scene, with three.js's names and meanings.

The world is Z up and in metres. Every component takes `PlacementProps`. What is not given keeps its
default.
"""

# No `from __future__ import annotations`: properties are read from them when this is imported.
import inspect
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias, TypeVar, Unpack, get_args

import numpy as np
from numpy.typing import NDArray

from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.scene import placement
from heliograph.scene import values as v
from heliograph.scene.files import file_digest
from heliograph.scene.placement import PLACEMENT, PlacementProps
from heliograph.scene.props import (
    Color,
    Number,
    Prop,
    Surroundings,
    described,
    properties,
    signature,
)

Props = Mapping[str, Any]
_C = TypeVar("_C", bound="Component")
_KINDS: dict[str, type["Component"]] = {}
_RESERVED = ("tag", "key", "children")
MAX_DEPTH = 100


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

    __signature__: ClassVar[inspect.Signature]
    SPEC: ClassVar[Mapping[str, Prop]] = PLACEMENT
    drawable: ClassVar[bool] = False
    gizmo: ClassVar[bool] = False
    """Whether it is of the viewport alone: pictures never show it, and it is no object."""

    __slots__ = ("_depth", "_equal", "_local", "_look", "_own", "_props", "children", "key")
    key: str | None
    children: tuple["Component", ...]
    _props: dict[str, Any]
    _depth: int
    _local: NDArray[np.float64]
    _own: bytes
    _look: bytes
    _equal: bytes

    def __init_subclass__(cls, *, abstract: bool = False) -> None:
        """Read the properties that a component's `__init__` names."""
        super().__init_subclass__()
        if abstract:
            return
        _KINDS[cls.__name__] = cls
        (takes,) = get_args(cls.__init__.__annotations__["props"])
        cls.SPEC = properties(takes)
        cls.__doc__ = described(cls.__doc__ or "", cls.SPEC)
        cls.__signature__ = signature(cls.SPEC)

    def __init__(
        self, *children: "Component", key: str | None = None, **props: Unpack[PlacementProps]
    ) -> None:
        self._build(children, key, props)

    def _build(
        self, children: tuple["Component", ...], key: str | None, props: Mapping[str, Any]
    ) -> None:
        """What `__init__` of every component does."""
        kind = type(self)
        if _KINDS.get(kind.__name__) is not kind:
            raise InvalidValueError(f"{kind.__name__} is only a base; use one of {[*_KINDS]}")
        checked = _check_key(kind.__name__, key)
        where = f"{kind.__name__} {checked!r}" if checked else kind.__name__
        self._fill(checked, _check_children(where, children), self._check(props, where))

    def _fill(
        self, key: str | None, children: tuple["Component", ...], props: dict[str, Any]
    ) -> None:
        depth = 1 + max([child._depth for child in children]) if children else 1
        _set(self, "key", key)
        _set(self, "children", children)
        _set(self, "_props", props)
        _set(self, "_depth", depth)
        if depth > MAX_DEPTH:
            raise InvalidValueError(f"{self._name}: nested deeper than {MAX_DEPTH}")

    @classmethod
    def _check(cls, props: Props, where: str) -> dict[str, Any]:
        spec, checked = cls.SPEC, {}
        for name in props:
            if name not in spec:
                raise UnknownNameError.of(f"property of {where}", name, spec)
            checked[name] = spec[name].check(props[name], f"{where} {name}")
        if "rotation" in checked and "quaternion" in checked:
            raise InvalidValueError(f"{where}: give either rotation or quaternion, not both")
        cls._expand(checked, where)
        cls._check_together(checked, where)
        return checked

    @classmethod
    def _expand(cls, props: dict[str, Any], where: str) -> None:
        """Replace short forms among checked properties by what they stand for."""

    @classmethod
    def _check_together(cls, props: Props, where: str) -> None:
        """Refuse properties that do not go together."""

    @property
    def props(self) -> Props:
        """The properties that were given, checked and canonical; read-only."""
        return MappingProxyType(self._props)

    def get(self, name: str) -> Any:
        """A property's value, its default where it was not given."""
        if name in self._props:
            return self._props[name]
        if name not in self.SPEC:
            raise UnknownNameError.of(f"property of {self._name}", name, self.SPEC)
        return self.SPEC[name].default

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
        try:
            return self._local
        except AttributeError:
            props = {"position": self.get("position"), **self._props}
            _set(self, "_local", v.frozen(placement.matrix_of(props)))
        return self._local

    def walk(self) -> Iterator["Component"]:
        """This component and all below it, parents first, in order."""
        yield self
        for child in self.children:
            yield from child.walk()

    def merged(self, props: Props) -> Self:
        """This component with checked properties changed; what is given later holds.

        Material properties change one by one, as sizes do: `color` and `radius` leave all else as
        it was, `args` and `size` give all sizes. A rotation replaces a quaternion and the other
        way round. Where a matrix was given before, a new position, rotation or scale replaces just
        its part of that matrix.
        """
        together = placement.before(self._props, props, self._name)
        together.update(props)
        before = self._props.get("material")
        if before is not None and "material" in props:
            together["material"] = MappingProxyType({**before, **props["material"]})
        self._check_together(together, self._name)
        return self.changed(props=together)

    def unfolded(self) -> Self:
        """This component, which has its key, with all below it that it stands for."""
        return self

    def changed(
        self,
        *,
        key: str | None = None,
        children: tuple["Component", ...] | None = None,
        props: dict[str, Any] | None = None,
    ) -> Self:
        """This component with parts replaced by checked ones, all else shared."""
        made = object.__new__(type(self))
        made._fill(
            self.key if key is None else key,
            self.children if children is None else children,
            self._props if props is None else props,
        )
        return made

    def to_dict(self) -> dict[str, Any]:
        """Plain data: `tag`, `key`, the properties given, `children`; arrays stay numpy arrays."""
        data: dict[str, Any] = {"tag": type(self).__name__}
        if self.key is not None:
            data["key"] = self.key
        data.update({name: _plain(value) for name, value in self._props.items()})
        if self.children:
            data["children"] = [child.to_dict() for child in self.children]
        return data

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> "Component":
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
        return self.digest_with(map(file_digest, paths))

    def digest_with(self, files: Iterable[str]) -> str:
        """What its `digest` is where its files, each once and in order, have these digests."""
        return v.fingerprint((self._hash(), tuple(files))).hex()

    @property
    def named_files(self) -> Mapping[str, str]:
        """Paths of the files it shows, by property."""
        return MappingProxyType({})

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of the files it shows."""
        return tuple(self.named_files.values())

    def _hash(self) -> bytes:
        try:
            return self._equal
        except AttributeError:
            below = tuple([child._hash() for child in self.children])
            _set(self, "_equal", v.fingerprint((self.own, below)))
        return self._equal

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays in its properties."""
        return _nbytes(self._props)

    @property
    def own(self) -> bytes:
        """Digest of its type, key and properties, without files and children."""
        try:
            return self._own
        except AttributeError:
            _set(self, "_own", v.fingerprint((type(self).__name__, self.key, self._props)))
        return self._own

    @property
    def look(self) -> bytes:
        """Digest of its type and properties other than the placement, without files."""
        try:
            return self._look
        except AttributeError:
            props = {name: self._props[name] for name in self._props if name not in PLACEMENT}
            _set(self, "_look", v.fingerprint((type(self).__name__, props)))
        return self._look

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


_set = object.__setattr__  # components are values, so their own `__setattr__` refuses


class Group(Component):
    """Draws nothing; places its children."""

    __slots__ = ()


ToneMapping: TypeAlias = Literal["none", "neutral", "aces"]
"""How linear light becomes colours; "none" cuts off what is brighter than white."""

ENVIRONMENT = "environment"
_SKY = ("sky", "horizon", "ground")
_MOST_EXPOSURE = 1e6


def _background(value: Any, where: str) -> Any:
    return value if isinstance(value, str) and value == ENVIRONMENT else v.colour(value, where)


def _surroundings(value: Any, where: str) -> Any:
    """A path as text, linear light as an array, or the colours `sky`, `horizon` and `ground`."""
    if isinstance(value, np.ndarray):
        return v.light(value, where)
    if not isinstance(value, Mapping):
        file = v.path(value, where)
        if Path(file).suffix.lower() != ".hdr":
            raise v.refuse(where, "a .hdr file, an array or {'sky': 'skyblue', ...}", value)
        return file
    for name in value:
        if name not in _SKY:
            raise UnknownNameError.of(f"colour of {where}", name, _SKY)
    if "sky" not in value:
        raise v.refuse(where, "at least the colour 'sky'", dict(value))
    horizon = value.get("horizon", value["sky"])
    colours = value["sky"], horizon, value.get("ground", horizon)
    pairs = zip(_SKY, colours, strict=True)
    return MappingProxyType({name: v.colour(part, f"{where} {name}")[:3] for name, part in pairs})


class SceneProps(PlacementProps, total=False):
    """What a scene takes."""

    background: Annotated[
        Color, Prop(_background, (0.0, 0.0, 0.0), "Seen where nothing is; or 'environment'.")
    ]
    environment: Annotated[
        Surroundings,
        Prop(_surroundings, None, "Light from all around: .hdr, (H, W, 3), {'sky': ...}."),
    ]
    environmentIntensity: Annotated[
        Number, Prop(v.number(0), 1.0, "Multiplies the light of `environment`.")
    ]
    toneMapping: Annotated[
        ToneMapping, Prop(v.choice(ToneMapping), "none", "How bright light becomes colours.")
    ]
    exposure: Annotated[
        Number, Prop(v.number(0, _MOST_EXPOSURE, above=True), 1.0, "Multiplies all light.")
    ]


class Scene(Component):
    """The root of a tree: gives every component a key, and refuses one given twice."""

    __slots__ = ("_parents",)
    _parents: Mapping[str, str]

    def __init__(
        self, *children: Component, key: str | None = None, **props: Unpack[SceneProps]
    ) -> None:
        self._build(children, "scene" if key is None else key, props)
        _set(self, "children", keyed(self.children, {self.key}))

    @property
    def parents(self) -> Mapping[str, str]:
        """Key of each component -> key of its parent; the scene's own is not in it."""
        try:
            return self._parents
        except AttributeError:
            parents = {
                str(child.key): str(node.key) for node in self.walk() for child in node.children
            }
            self.with_parents(parents)
        return self._parents

    @property
    def named_files(self) -> Mapping[str, str]:
        """Path of its environment, if that is a file."""
        environment = self.get("environment")
        return {"environment": environment} if isinstance(environment, str) else {}

    def with_parents(self, parents: Mapping[str, str]) -> Self:
        """The same scene, told its `parents`."""
        _set(self, "_parents", parents)
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
    if not same or key != component.key:
        component = component.changed(key=key, children=children)
    whole = component.unfolded()
    if whole is not component:
        keyed(whole.children[: -len(children) or None], taken)
    return whole


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
    kind: Any = _KINDS[data["tag"]]
    made: Component = kind(*children, key=data.get("key"), **props)
    return made


def _nbytes(value: Any) -> int:
    if isinstance(value, Mapping):
        return sum(_nbytes(each) for each in value.values())
    return value.nbytes if isinstance(value, np.ndarray) else 0


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(value[name]) for name in value}
    return list(value) if isinstance(value, tuple) else value
