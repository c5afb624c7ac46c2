"""Values as plain data, for msgpack, and back. Only what is registered by name can be made."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from enum import Enum
from functools import lru_cache
from pathlib import PurePath
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.errors import InvalidValueError, WorkerError
from heliograph.scene import Component, Edit

MAX_DEPTH = 200
"""How deep values may be nested; scenes may be 100 deep, and each level of them takes two."""

SMALLEST_BLOB = 1 << 12
"""Bytes of an array from which its hash travels in its place."""

_PLAIN = (type(None), bool, int, float, str, bytes)
_REGISTERED: dict[str, type] = {}


class ArrayWire(msgspec.Struct, array_like=True, frozen=True):
    """An array: dtype, shape, and its bytes in C order."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


class CameraWire(msgspec.Struct, array_like=True, frozen=True):
    """A camera by value; the pose is 16 float64 in C order."""

    name: str
    pose: bytes
    size: tuple[int, int]
    intrinsics: tuple[float, float, float, float]
    near: float
    far: float
    projection: str


def register(*classes: type) -> None:
    """Let instances of dataclasses or enums stand inside edits and options that travel.

    Subclasses of `Edit` need not be registered.
    """
    _REGISTERED.update({_name(each): each for each in classes})


def pack_array(value: NDArray[Any]) -> ArrayWire:
    """An array of numbers for the wire."""
    return ArrayWire(value.dtype.str, value.shape, value.tobytes())


def unpack_array(wire: ArrayWire) -> NDArray[Any]:
    """The array of a wire, read-only, without a copy.

    Raises:
        WorkerError: the bytes do not fit the shape, or the dtype is not one of numbers.
    """
    try:
        return np.frombuffer(wire.data, _dtype(wire.dtype)).reshape(wire.shape)
    except (ValueError, TypeError) as error:
        raise WorkerError(f"an array that is none: {error}") from None


@lru_cache(maxsize=64)
def pack_camera(camera: Camera) -> CameraWire:
    """A camera for the wire."""
    return CameraWire(
        camera.name,
        camera.world_from_camera.tobytes(),
        camera.size,
        (camera.fx, camera.fy, camera.cx, camera.cy),
        camera.near,
        camera.far,
        camera.projection.value,
    )


@lru_cache(maxsize=64)
def unpack_camera(wire: CameraWire) -> Camera:
    """The camera of a wire, checked anew."""
    fx, fy, cx, cy = wire.intrinsics
    try:
        projection = Projection(wire.projection)
    except ValueError:
        raise WorkerError(f"an unknown projection {wire.projection[:40]!r}") from None
    return Camera(
        name=wire.name,
        world_from_camera=unpack_pose(wire.pose),
        width=wire.size[0],
        height=wire.size[1],
        fx=fx,
        fy=fy,
        cx=cx,
        cy=cy,
        near=wire.near,
        far=wire.far,
        projection=projection,
    )


def unpack_pose(data: bytes) -> NDArray[np.float64]:
    """A pose (4, 4), read-only."""
    return unpack_array(ArrayWire("<f8", (4, 4), data))


class Blobs(dict[bytes, ArrayWire]):
    """Arrays that values name by the hash of their content, to be sent once to each worker."""

    def named(self, value: NDArray[Any]) -> bytes:
        """Keep an array; the name that it has here."""
        digest = _digest(value)
        if digest not in self:
            self[digest] = pack_array(value)
        return digest


def pack(value: Any, where: str = "value", blobs: Blobs | None = None) -> Any:
    """A value as plain data: numbers, text, arrays, containers, cameras, components, edits.

    Args:
        value: the value.
        where: what messages call it.
        blobs: takes large arrays, which are then named by their hash; without it all is inside.

    Raises:
        InvalidValueError: something that does not travel; `where` names it.
    """
    return _pack(value, where, 0, blobs)


def unpack(data: Any, blobs: Mapping[bytes, NDArray[Any]] | None = None) -> Any:
    """The value of plain data.

    Args:
        data: as `pack` writes it.
        blobs: the arrays that are named by their hash; they are not copied.

    Raises:
        WorkerError: not as `pack` writes it, or a name that is not known in this process.
        HeliographError: the values themselves are refused.
    """
    if isinstance(data, list):
        return [unpack(each, blobs) for each in data]
    if not isinstance(data, dict):
        return data
    tag, inside = next(iter(data.items())) if len(data) == 1 else ("?", data)
    make = _UNPACK.get(tag)
    if make is None:
        raise WorkerError(f"a value of unknown kind {str(tag)[:40]!r}")
    try:
        return make(inside, blobs or {})
    except (TypeError, ValueError, KeyError, AttributeError, msgspec.MsgspecError) as error:
        if isinstance(error, InvalidValueError):
            raise
        raise WorkerError(f"a value {tag!r} that is none: {error}") from None


def _pack(value: Any, where: str, depth: int, blobs: Blobs | None) -> Any:
    if depth > MAX_DEPTH:
        raise InvalidValueError(f"{where}: nested too deeply to travel to a worker")
    if type(value) in _PLAIN:
        return value
    for kind, make in _PACK:
        if isinstance(value, kind):
            return make(value, where, depth + 1, blobs)
    cls = type(value)
    if _name(cls) in _REGISTERED or (issubclass(cls, Edit) and dataclasses.is_dataclass(cls)):
        return _pack_object(value, where, depth + 1, blobs)
    raise InvalidValueError(
        f"{where}: a {cls.__module__}.{cls.__name__} does not travel to a worker; "
        "give numbers, text, arrays, cameras, components, or paths of files"
    )


def _pack_list(value: Any, where: str, depth: int, blobs: Blobs | None) -> Any:
    return [_pack(each, where, depth, blobs) for each in value]


def _pack_dict(value: Mapping[Any, Any], where: str, depth: int, blobs: Blobs | None) -> Any:
    pairs = [(key, _pack(each, f"{where}[{key!r}]", depth, blobs)) for key, each in value.items()]
    return {"dict": [[_pack(key, where, depth, blobs), each] for key, each in pairs]}


def _pack_object(value: Any, where: str, depth: int, blobs: Blobs | None) -> Any:
    if isinstance(value, Enum):
        return {"enum": [_name(type(value)), value.value]}
    inside = {
        field.name: _pack(getattr(value, field.name), f"{where}.{field.name}", depth, blobs)
        for field in dataclasses.fields(value)
        if field.init
    }
    return {"object": [_name(type(value)), inside]}


def _pack_numbers(value: NDArray[Any], where: str, depth: int, blobs: Blobs | None) -> Any:
    del depth
    if value.dtype.kind not in "biufSU":
        raise InvalidValueError(f"{where}: an array of {value.dtype} does not travel to a worker")
    if value.dtype.kind in "SU":
        return {"text": [str(value.dtype.kind), value.tolist()]}
    if blobs is not None and value.nbytes >= SMALLEST_BLOB:
        return {"blob": blobs.named(value)}
    wire = pack_array(value)
    return {"array": [wire.dtype, wire.shape, wire.data]}


def _pack_component(value: Component, where: str, depth: int, blobs: Blobs | None) -> Any:
    return {"component": _pack(value.to_dict(), where, depth, blobs)}


_Pack: TypeAlias = Callable[[Any, str, int, Blobs | None], Any]

_PACK: tuple[tuple[Any, _Pack], ...] = (
    (np.ndarray, _pack_numbers),
    (np.generic, lambda value, where, depth, blobs: _pack(value.item(), where, depth, blobs)),
    (list, _pack_list),
    (tuple, lambda value, *rest: {"tuple": _pack_list(value, *rest)}),
    (Camera, lambda value, *_: {"camera": msgspec.to_builtins(pack_camera(value))}),
    (Component, _pack_component),
    (Mapping, _pack_dict),
    (PurePath, lambda value, *_: str(value)),
    ((set, frozenset), lambda value, *rest: {"set": _pack_list(value, *rest)}),
)

_Arrays: TypeAlias = Mapping[bytes, NDArray[Any]]


def _unpack_object(inside: Any, blobs: _Arrays) -> Any:
    name, values = inside
    made = _class(name)
    return made(**{key: unpack(each, blobs) for key, each in values.items()})


def _unpack_blob(inside: Any, blobs: _Arrays) -> Any:
    if inside not in blobs:
        raise WorkerError("a value names an array that never came")
    return blobs[inside]


_UNPACK: Mapping[str, Callable[[Any, _Arrays], Any]] = {
    "array": lambda inside, _: unpack_array(msgspec.convert(inside, ArrayWire)).copy(),
    "blob": _unpack_blob,
    "text": lambda inside, _: np.array(inside[1], inside[0]),
    "tuple": lambda inside, blobs: tuple(unpack(each, blobs) for each in inside),
    "set": lambda inside, blobs: frozenset(unpack(each, blobs) for each in inside),
    "dict": lambda inside, blobs: {unpack(k, blobs): unpack(v, blobs) for k, v in inside},
    "camera": lambda inside, _: unpack_camera(msgspec.convert(inside, CameraWire)),
    "component": lambda inside, blobs: Component.from_dict(unpack(inside, blobs)),
    "object": _unpack_object,
    "enum": lambda inside, _: _class(inside[0])(inside[1]),
}


def _digest(value: NDArray[Any]) -> bytes:
    """The hash of an array, of its dtype and its shape."""
    told = hashlib.blake2b(f"{value.dtype.str} {value.shape}".encode(), digest_size=16)
    told.update(np.ascontiguousarray(value).data)
    return told.digest()


@lru_cache(maxsize=64)
def _dtype(text: str) -> np.dtype[Any]:
    dtype = np.dtype(text) if len(text) <= 4 else None
    if dtype is None or dtype.kind not in "biuf":
        raise ValueError(f"expected a dtype of numbers, got {text[:20]!r}")
    return dtype


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _class(name: str) -> Any:
    """A registered class or an edit; edits are found among the subclasses there are."""
    if name not in _REGISTERED:
        _register_edits(Edit)
    if name not in _REGISTERED:
        raise WorkerError(
            f"{name} is not known in this process; the module of the engine must import it"
        )
    return _REGISTERED[name]


def _register_edits(kind: type[Edit]) -> None:
    for each in kind.__subclasses__():
        if hasattr(each, "__dataclass_fields__"):
            register(each)
        _register_edits(each)


register(Projection)
