"""Messages as frames of bytes, and back: one msgpack header, then the buffers that it names.

Numbers, text, lists and dicts stand in the header. An array is an extension in it, with its dtype
and shape; its bytes stand beside them where they are few, and are a frame of their own otherwise,
which is neither packed nor unpacked: an array that comes in is that frame. Nothing that comes in
can name a class or a function, so no bytes can make code run.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from heliograph.errors import InvalidValueError, WorkerError, shown

Buffer: TypeAlias = Any
"""Bytes, or what has the buffer protocol: an array, a memoryview, a frame of ZeroMQ's."""

MAX_HEADER: Final = 8 << 20
"""Bytes of a header: what is in it takes up to 60 times as many once it is unpacked."""
MAX_FRAMES: Final = 4096
MAX_FRAME: Final = 1 << 30
"""Bytes of one array."""
MAX_DEPTH: Final = 64
MAX_ITEMS: Final = 1_000_000
"""Values in a message, those inside others counted, before a message is refused."""

_OWN_FRAME: Final = 4096
"""Bytes from which on text, bytes or an array is a frame of its own."""
_MAX_AXES: Final = 32
"""Of an array: what numpy 1.26 holds."""

_TUPLE, _ARRAY, _SCALAR, _BYTES, _TEXT = range(1, 6)
_NUMBERS: Final = re.compile("[|]b1|[|][iu]1|[<>][iu][248]|[<>]f[248]|[<>]c(8|16)")

Whole: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class _Header(msgspec.Struct, array_like=True, tag="heliograph-1", frozen=True):
    kind: Literal["values", "end"]
    instance: int
    number: Whole
    seed: int | None
    index: Whole | None
    frames: Annotated[int, msgspec.Meta(ge=0, le=MAX_FRAMES)]
    values: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Message:
    """What was published, and by whom.

    Attributes:
        values: by name; arrays may be written and belong to whoever received them.
        instance: number of the publisher among those of its kind.
        number: of the message, counted by its publisher from 0.
        seed: of the run, where the publisher said.
        index: of the sample in the run, where the publisher said.
        ended: whether this is the last there is of this publisher, and holds no values.
    """

    values: dict[str, Any] = field(default_factory=dict)
    instance: int = 0
    number: int = 0
    seed: int | None = None
    index: int | None = None
    ended: bool = False

    def __getitem__(self, name: str) -> Any:
        """A value by its name."""
        return self.values[name]


def pack(message: Message) -> list[Buffer]:
    """A message as frames; arrays are not copied unless their items are strewn in memory.

    Raises:
        InvalidValueError: a value that does not travel; says where it is, why, and what to give.
    """
    packer = _Packer()
    values = packer.mapping(message.values, "", 0)
    header = _Header(
        "end" if message.ended else "values",
        message.instance,
        message.number,
        message.seed,
        message.index,
        len(packer.frames),
        values,
    )
    try:
        told = msgspec.msgpack.encode(header)
    except (OverflowError, UnicodeEncodeError) as error:
        raise InvalidValueError(
            f"a message: expected integers of 64 bits and text that is Unicode ({error})"
        ) from None
    if len(told) > MAX_HEADER:
        raise InvalidValueError(
            f"a message: expected at most {MAX_HEADER >> 20} MiB beside arrays, text and bytes, "
            f"got {len(told) >> 20}; give long lists as arrays (numpy.array)"
        )
    return [told, *packer.frames]


def unpack(frames: Sequence[Buffer]) -> Message:
    """The message of frames; large arrays share the memory of their frames.

    Raises:
        WorkerError: they are not as `pack` makes them, whatever they are.
    """
    try:
        return _unpack(frames)
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError) as error:
        raise WorkerError(f"expected a message of heliograph's publishers, got {error}") from None
    except (RecursionError, MemoryError) as error:
        raise WorkerError(f"a message that cannot be unpacked: {type(error).__name__}") from None


def _unpack(frames: Sequence[Buffer]) -> Message:
    if not frames:
        raise ValueError("no frames")
    told = memoryview(frames[0])
    if told.nbytes > MAX_HEADER:
        raise ValueError(f"a header of {told.nbytes} bytes")
    unpacker = _Unpacker(frames[1:])
    header = msgspec.msgpack.decode(told, type=_Header, ext_hook=unpacker.extension)
    if header.frames != len(frames) - 1 or unpacker.left:
        raise ValueError(f"{len(frames) - 1} frames where the header names others")
    return Message(
        header.values,
        header.instance,
        header.number,
        header.seed,
        header.index,
        header.kind == "end",
    )


class _Packer:
    """Values as plain data for msgpack, and the frames that are beside it."""

    def __init__(self) -> None:
        self.frames: list[Buffer] = []
        self._items = 0

    def mapping(self, value: Mapping[Any, Any], where: str, depth: int) -> dict[str, Any]:
        """The values of a mapping whose keys are text."""
        for key in value:
            if not isinstance(key, str):
                raise InvalidValueError(
                    f"{where or 'a message'}: expected keys that are text, got {shown(key)}"
                )
        return {
            str(key): self._pack(each, f"{where}[{str(key)!r}]", depth)
            for key, each in value.items()
        }

    def _pack(self, value: Any, where: str, depth: int) -> Any:
        self._items += 1
        if depth > MAX_DEPTH or self._items > MAX_ITEMS:
            raise InvalidValueError(
                f"{where[:200]}: expected at most {MAX_DEPTH} values inside each other and "
                f"{MAX_ITEMS} in all; does one hold itself?"
            )
        kind = type(value)
        if kind in (int, float, bool, type(None)):
            return value
        make = _EXACT.get(kind) or _maker(value)
        return make(self, value, where, depth)

    def text(self, value: str, where: str, depth: int) -> Any:
        """Text; where it is long, as a frame."""
        del depth
        if len(value) < _OWN_FRAME:
            return value
        try:
            return self._frame(_TEXT, value.encode())
        except UnicodeEncodeError as error:
            raise InvalidValueError(f"{where}: expected text that is Unicode ({error})") from None

    def octets(self, value: Any, where: str, depth: int) -> Any:
        """Bytes; where they are many, as a frame."""
        del where, depth
        return bytes(value) if len(value) < _OWN_FRAME else self._frame(_BYTES, bytes(value))

    def items(self, value: Any, where: str, depth: int) -> list[Any]:
        """A list."""
        return [
            self._pack(each, f"{where}[{place}]", depth + 1) for place, each in enumerate(value)
        ]

    def inside(self, value: Any, where: str, depth: int) -> dict[str, Any]:
        """A dict in another."""
        return self.mapping(value, where, depth + 1)

    def fixed(self, value: Any, where: str, depth: int) -> Any:
        """A tuple."""
        return msgspec.msgpack.Ext(_TUPLE, _encoded(self.items(value, where, depth), where))

    def scalar(self, value: np.generic, where: str, depth: int) -> Any:
        """One of numpy's numbers."""
        del depth
        dtype = _dtype_of(value, where)
        return msgspec.msgpack.Ext(_SCALAR, _encoded([dtype, value.tobytes()], where))

    def array(self, value: NDArray[Any], where: str, depth: int) -> Any:
        """An array of numbers."""
        del depth
        dtype = _dtype_of(value, where)
        if value.ndim > _MAX_AXES:
            raise InvalidValueError(f"{where}: expected at most {_MAX_AXES} axes, got {value.ndim}")
        plain = np.asarray(value, order="C")
        if plain.nbytes < _OWN_FRAME:
            told: Any = plain.tobytes()
        else:
            told = len(self.frames)
            self._add(plain.reshape(-1).view(np.uint8))
        return msgspec.msgpack.Ext(_ARRAY, _encoded([dtype, value.shape, told], where))

    def _frame(self, kind: int, data: bytes) -> Any:
        self._add(data)
        return msgspec.msgpack.Ext(kind, msgspec.msgpack.encode(len(self.frames) - 1))

    def _add(self, data: bytes | NDArray[np.uint8]) -> None:
        if len(data) > MAX_FRAME:
            raise InvalidValueError(
                f"a message: expected arrays of at most {MAX_FRAME >> 20} MiB each, "
                f"got one of {len(data) >> 20}; publish it in parts"
            )
        if len(self.frames) == MAX_FRAMES:
            raise InvalidValueError(
                f"a message: expected at most {MAX_FRAMES} large arrays; stack them (numpy.stack)"
            )
        self.frames.append(data)


_Make: TypeAlias = Callable[[_Packer, Any, str, int], Any]

_EXACT: Mapping[type, _Make] = {
    str: _Packer.text,
    bytes: _Packer.octets,
    dict: _Packer.inside,
    list: _Packer.items,
    tuple: _Packer.fixed,
    np.ndarray: _Packer.array,
}


def _maker(value: Any) -> _Make:
    """How a value is packed whose type is not one of the plain ones."""
    if isinstance(value, (Enum, np.ma.MaskedArray)):
        return _refuse
    return next((make for kinds, make in _KINDS if isinstance(value, kinds)), _as_array)


def _refuse(packer: _Packer, value: Any, where: str, depth: int) -> Any:
    del packer, depth
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else _full_name(kind)
    instead = _INSTEAD.get(kind.__name__, "numbers, text, bytes, arrays, lists or dicts of these")
    raise InvalidValueError(f"{where}: a value of type {name} does not travel; give {instead}")


_INSTEAD: Mapping[str, str] = {
    "set": "sorted(x), or a list of it",
    "frozenset": "sorted(x), or a list of it",
    "Sample": "what of it is needed, such as sample['camera'].rgb",
    "Frame": "its arrays, such as frame.rgb",
    "PosixPath": "str(x)",
    "MaskedArray": "x.filled(0) and its mask",
    "complex": "numpy.complex128(x)",
    "datetime": "x.isoformat()",
}


def _as_array(packer: _Packer, value: Any, where: str, depth: int) -> Any:
    """Numbers in a row or a table that are no array yet, such as Blender's vectors and matrices."""
    buffer = hasattr(value, "__array__") or isinstance(value, memoryview)
    row = hasattr(value, "__len__") and hasattr(value, "__getitem__")
    if not (buffer or row) or isinstance(value, type):
        return _refuse(packer, value, where, depth)
    try:
        found = np.asarray(value)
    except Exception:  # noqa: BLE001 -- whatever a stranger's class raises
        return _refuse(packer, value, where, depth)
    if found.dtype.kind not in "biufc" or (row and found.shape[:1] != (len(value),)):
        return _refuse(packer, value, where, depth)
    return packer.array(found, where, depth)


_KINDS: tuple[tuple[Any, _Make], ...] = (
    (np.str_, lambda packer, value, *rest: packer.text(str(value), *rest)),
    (np.bytes_, lambda packer, value, *rest: packer.octets(bytes(value), *rest)),
    (np.generic, _Packer.scalar),
    (np.ndarray, _Packer.array),
    (bool, lambda packer, value, *_: bool(value)),
    (int, lambda packer, value, *_: int(value)),
    (float, lambda packer, value, *_: float(value)),
    (str, lambda packer, value, *rest: packer.text(str(value), *rest)),
    ((bytes, bytearray), _Packer.octets),
    (tuple, _Packer.fixed),
    (list, _Packer.items),
    (Mapping, _Packer.inside),
)


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _encoded(value: Any, where: str) -> bytes:
    try:
        return msgspec.msgpack.encode(value)
    except (OverflowError, UnicodeEncodeError) as error:
        raise InvalidValueError(
            f"{where}: expected integers of 64 bits and text that is Unicode ({error})"
        ) from None


def _dtype_of(value: Any, where: str) -> str:
    text: str = value.dtype.str
    if _NUMBERS.fullmatch(text) is None:
        raise InvalidValueError(
            f"{where}: an array of {str(value.dtype)[:80]} does not travel; give one of integers, "
            "floats of up to 64 bits or bool (numpy.asarray(x, float)), or a list of text"
        )
    return text


class _Unpacker:
    """Makes the values of a header that are not msgpack's own."""

    def __init__(self, frames: Sequence[Buffer]) -> None:
        self._frames = dict(enumerate(frames))

    @property
    def left(self) -> int:
        """How many frames nothing has named."""
        return len(self._frames)

    def extension(self, kind: int, data: memoryview) -> Any:
        """The value of an extension."""
        if kind == _TUPLE:
            return tuple(msgspec.msgpack.decode(data, type=list, ext_hook=self.extension))
        if kind == _ARRAY:
            return self._array(*msgspec.msgpack.decode(data, type=_ArrayWire))
        if kind == _SCALAR:
            dtype, told = msgspec.msgpack.decode(data, type=_ScalarWire)
            return self._array(dtype, (), told)[()]
        if kind in (_BYTES, _TEXT):
            found = bytes(self._take(msgspec.msgpack.decode(data, type=int)))
            return found if kind == _BYTES else found.decode()
        raise ValueError(f"an extension {kind}")

    def _array(self, dtype: str, shape: tuple[int, ...], told: int | bytes) -> NDArray[Any]:
        kind, there = _dtype(dtype), self._take(told) if isinstance(told, int) else bytearray(told)
        size = math.prod(shape)
        if memoryview(there).nbytes != size * kind.itemsize or len(shape) > _MAX_AXES:
            raise ValueError(f"an array of another size than {shape[:8]} of {dtype}")
        if size == 0:
            return np.empty(shape, kind)
        found = np.frombuffer(there, kind).reshape(shape)
        return found if found.flags.aligned and found.flags.writeable else found.copy()

    def _take(self, number: int) -> Buffer:
        try:
            return self._frames.pop(number)
        except KeyError:
            raise ValueError("a frame that is not there, or is named twice") from None


_ArrayWire: TypeAlias = tuple[str, tuple[Whole, ...], int | bytes]
_ScalarWire: TypeAlias = tuple[str, bytes]


def _dtype(text: str) -> np.dtype[Any]:
    if _NUMBERS.fullmatch(text) is None:
        raise ValueError(f"an array of {text[:20]!r}")
    return np.dtype(text)
