"""Messages as frames: what goes in comes out, and nothing that comes in can do harm."""

import array
import datetime
import math
import pathlib
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from heliograph.errors import InvalidValueError, WorkerError
from heliograph.publish import framing
from heliograph.publish.framing import Message, pack, unpack

_ARRAYS = nps.arrays(
    st.sampled_from(["|b1", "|u1", "<i2", ">i4", "<u8", "<f2", "<f4", ">f8", "<c16"]),
    nps.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=40),
)
_PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text()
    | st.binary()
    | _ARRAYS
    | _ARRAYS.filter(lambda each: each.size > 0).map(lambda each: each.reshape(-1)[0])
)
_VALUES = st.recursive(
    _PLAIN,
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.lists(inside, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=8), inside, max_size=4)
    ),
    max_leaves=12,
)


def _same(one: Any, two: Any) -> bool:
    if type(one) is not type(two):
        return False
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(_same(one[key], two[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(two) and all(map(_same, one, two))
    if isinstance(one, (np.ndarray, np.generic)):
        return bool(
            one.dtype == two.dtype and one.shape == two.shape and one.tobytes() == two.tobytes()
        )
    if isinstance(one, float):
        return one == two or (math.isnan(one) and math.isnan(two))
    return bool(one == two)


def _through(**values: Any) -> Any:
    return unpack([bytes(frame) for frame in pack(Message(values))]).values


@given(st.dictionaries(st.text(max_size=8), _VALUES, max_size=4), st.data())
def test_what_goes_in_comes_out(values: dict[str, Any], data: st.DataObject) -> None:
    whole = st.integers(0, 2**63 - 1)
    message = Message(
        values,
        data.draw(st.integers(0, 1000)),
        data.draw(whole),
        data.draw(st.none() | st.integers(0, 2**63 - 1)),
        data.draw(st.none() | whole),
    )
    got = unpack([bytes(frame) for frame in pack(message)])
    assert _same(got.values, values)
    assert (got.instance, got.number, got.seed, got.index, got.ended) == (
        *(message.instance, message.number, message.seed, message.index),
        False,
    )


@given(_ARRAYS)
def test_what_comes_in_may_be_written(value: Any) -> None:
    got = _through(value=value)["value"]
    assert got.flags.writeable
    assert got.flags.aligned
    assert got.flags.c_contiguous


def test_a_large_array_is_a_frame_that_is_not_copied() -> None:
    image = np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)
    header, frame = pack(Message({"image": image, "text": "x"}))
    assert np.shares_memory(frame, image)
    arrived = bytearray(frame)
    got = unpack([header, arrived])["image"]
    assert np.shares_memory(got, np.frombuffer(arrived, np.uint8))
    np.testing.assert_array_equal(got, image)


def test_flipped_and_strided_arrays_travel() -> None:
    image = np.arange(64 * 64 * 3, dtype=np.float32).reshape(64, 64, 3)
    for each in (image[::-1], image[:, ::2], image.T, np.asfortranarray(image)):
        np.testing.assert_array_equal(_through(image=each)["image"], each)


class Vector:
    """As Blender's are: a sequence of numbers, no array."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, place: int) -> float:
        return [1.0, 2.0, 3.0][place]


class Broken:
    def __array__(self, *_: object, **__: object) -> Any:
        raise RuntimeError


class Names:
    def __len__(self) -> int:
        return 2

    def __getitem__(self, place: int) -> object:
        return [object(), object()][place]


def test_what_is_almost_an_array_travels_as_one() -> None:
    got = _through(a=Vector(), b=array.array("f", [1, 2]), c=memoryview(b"ab"), d=range(3))
    assert [each.tolist() for each in got.values()] == [[1, 2, 3], [1, 2], [97, 98], [0, 1, 2]]
    assert got["a"].dtype == np.float64
    assert got["b"].dtype == np.float32


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (pathlib.Path("/x"), r"\['pose'\]: .*PosixPath.* give str\(x\)"),
        ({1, 2}, r"\['pose'\]: .*set.* give sorted"),
        (object(), r"\['pose'\]: .*object does not travel"),
        (print, "does not travel"),
        (Vector, "does not travel"),
        (Names(), "Names does not travel"),
        (Broken(), "Broken does not travel"),
        (1j, r"numpy.complex128\(x\)"),
        (datetime.datetime(2020, 1, 1), "isoformat"),
        ([0, {"deep": object()}], r"\['pose'\]\[1\]\['deep'\]: .*does not travel"),
        ({"a": {1: 2}}, r"\['pose'\]\['a'\]: expected keys that are text, got 1"),
        (2**64, "64 bits"),
        ((1, -(2**63) - 1), r"\['pose'\]: expected integers of 64 bits"),
        ("\ud800", "Unicode"),
        ("\ud800" * 5000, r"\['pose'\]: .*Unicode"),
        (np.array(["text"]), "list of text"),
        (np.array([object()]), "does not travel"),
        (np.zeros(2, [("a", "f4")]), "does not travel"),
        (np.longdouble(1), "up to 64 bits"),
        (np.datetime64("2020-01-01"), "does not travel"),
        (np.ma.zeros(3), "mask"),
        ([0.5] * 2_000_000, "1000000 in all"),
        ([0.5] * 999_000, "give long lists as arrays"),
    ],
)
def test_anything_else_is_refused(value: Any, says: str) -> None:
    with pytest.raises(InvalidValueError, match=says):
        pack(Message({"pose": value}))


def test_values_that_hold_themselves_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "MAX_ITEMS", 10_000)
    one: list[Any] = []
    one.append(one)
    wide: list[Any] = [1]
    for _ in range(40):
        wide = [wide, wide]
    for each in (one, wide):
        with pytest.raises(InvalidValueError, match="does one hold itself"):
            pack(Message({"pose": each}))


_FRAMES = [
    bytes(frame)
    for frame in pack(
        Message(
            {
                "image": np.zeros((40, 40, 3), np.uint8),
                "xy": np.ones((4, 2)),
                "text": "t" * 5000,
                "more": [1.5, ("a", None), {"b": np.float32(2)}],
            },
            index=3,
        )
    )
]


@settings(max_examples=300)
@given(st.data())
def test_damaged_bytes_are_an_error(data: st.DataObject) -> None:
    frames = [bytearray(frame) for frame in _FRAMES]
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(frames[0]) - 1))
        frames[0][place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(frames)))
    try:
        unpack(frames[:cut] if data.draw(st.booleans()) else frames)
    except WorkerError:
        return


@given(st.lists(st.binary(max_size=200), max_size=3))
def test_garbage_is_an_error(frames: list[bytes]) -> None:
    with pytest.raises(WorkerError, match="expected a message of heliograph"):
        unpack(frames)


def _message(body: Any, frames: int = 0, **changes: Any) -> bytes:
    values = {"kind": "values", "instance": 0, "number": 0, "seed": None, "index": None} | changes
    return msgspec.msgpack.encode(["heliograph-1", *values.values(), frames, {"value": body}])


def _array(dtype: Any, shape: Any, told: Any) -> msgspec.msgpack.Ext:
    return msgspec.msgpack.Ext(2, msgspec.msgpack.encode([dtype, shape, told]))


@pytest.mark.parametrize(
    "frames",
    [
        [_message(_array("|u1", [2**40], 0), 1), b"x"],
        [_message(_array("|u1", [2**62, 2**62], 0), 1), b"x"],
        [_message(_array("|u1", [-1], 0), 1), b"x"],
        [_message(_array("<f8", [1], 0), 1), b"x"],
        [_message(_array("|O", [1], 0), 1), b"xxxxxxxx"],
        [_message(_array("<M8[s]", [1], b"xxxxxxxx"))],
        [_message(_array("<f8", [0, 2**62], b""))],
        [_message(_array("|u1", [1] * 33, b"x"))],
        [_message(_array("|u1", [1], 3), 1), b"x"],
        [_message([_array("|u1", [1], 0), _array("|u1", [1], 0)], 1), b"x"],
        [_message(1, 1), b"x"],
        [_message(1, 2), b"x"],
        [_message(1, 5000)],
        [_message(msgspec.msgpack.Ext(9, b""))],
        [_message(msgspec.msgpack.Ext(3, msgspec.msgpack.encode(["<f8", b"x"])))],
        [_message(msgspec.msgpack.Ext(5, msgspec.msgpack.encode(0)), 1), b"\xff\xfe"],
        [_message(1, kind="run")],
        [_message(1, number=-1)],
        [b"\xdd\xff\xff\xff\xff"],
        [b"\x91" * (1 << 20)],
        [bytes(framing.MAX_HEADER + 1)],
        [],
    ],
    ids=range(22),
)
def test_messages_that_lie_are_an_error(frames: list[bytes]) -> None:
    with pytest.raises(WorkerError):
        unpack(frames)


def test_tuples_nested_without_end_are_an_error() -> None:
    inside = msgspec.msgpack.encode([])
    for _ in range(2000):
        inside = msgspec.msgpack.encode([msgspec.msgpack.Ext(1, inside)])
    with pytest.raises(WorkerError, match="RecursionError"):
        unpack([_message(msgspec.msgpack.Ext(1, inside))])
