"""Messages are read from WebSocket frames, however they are cut; nothing else gets through."""

import asyncio
import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heliograph.engines.web.reader import SPARE, MessageReader


class Behind(asyncio.Protocol):
    """aiohttp's place."""

    def __init__(self) -> None:
        self.got = bytearray()
        self.calls: list[Any] = []

    def data_received(self, data: bytes) -> None:
        self.got += data

    def __getattribute__(self, name: str) -> Any:
        if name in ("eof_received", "connection_lost", "pause_writing", "resume_writing"):
            return lambda *args: self.calls.append((name, *args))
        return super().__getattribute__(name)


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        self.protocol: Any = Behind()
        self.aborted = False

    def get_protocol(self) -> Any:
        return self.protocol

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def abort(self) -> None:
        self.aborted = True


class Reading:
    """A reader, and what it read."""

    def __init__(self) -> None:
        self.transport = Transport()
        self.behind = self.transport.protocol
        self.reader = MessageReader.before(self.transport)
        self.messages: list[bytes] = []
        self.views: list[memoryview] = []
        self.texts = 0
        self.reader.on_message = self._take
        self.reader.on_text = self._count

    def _take(self, message: memoryview) -> None:
        self.views.append(message)
        self.messages.append(bytes(message))

    def _count(self) -> None:
        self.texts += 1

    def feed(self, data: bytes, step: int = 1 << 20) -> None:
        start = 0
        while start < len(data) and not self.transport.aborted:
            room = self.reader.get_buffer(-1)
            part = data[start : start + min(step, len(room))]
            room[: len(part)] = part
            self.reader.buffer_updated(len(part))
            start += len(part)


def frame(
    payload: bytes, opcode: int = 2, *, final: bool = True, mask: bytes = b"\1\2\3\4"
) -> bytes:
    count = len(payload)
    if count < 126:
        length = bytes([0x80 | count])
    elif count < 1 << 16:
        length = b"\xfe" + count.to_bytes(2, "big")
    else:
        length = b"\xff" + count.to_bytes(8, "big")
    masked = np.frombuffer(payload, np.uint8) ^ np.resize(np.frombuffer(mask, np.uint8), count)
    return bytes([opcode | (0x80 if final else 0)]) + length + mask + masked.tobytes()


def random_bytes(count: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).bytes(count)


@pytest.mark.parametrize("size", [0, 1, 3, 125, 126, 4095, 4096, 4097, 65535, 65536, 700_001])
@pytest.mark.parametrize("step", [1, 7, 4096, 1 << 20])
def test_messages_of_any_size(size: int, step: int) -> None:
    reading, payload = Reading(), random_bytes(size)
    data = frame(payload) + frame(b"next")
    if step == 1:
        data = data if size < 10_000 else frame(b"next")
    reading.feed(data, step)
    assert reading.messages[-1] == b"next"
    assert len(reading.messages) == 1 or reading.messages[0] == payload


MESSAGES = st.lists(
    st.tuples(
        st.integers(0, 20_000),
        st.lists(st.integers(0, 20_000), max_size=5),
        st.sampled_from([1, 2]),
        st.binary(min_size=4, max_size=4),
        st.booleans(),
    ),
    max_size=6,
)


@settings(max_examples=200, deadline=None, database=None)
@given(MESSAGES, st.integers(1, 9000), st.integers(0, 1000))
def test_fragments_of_any_size_with_pings_between_them(messages: Any, step: int, seed: int) -> None:
    reading, data, pings = Reading(), b"", b""
    expected, texts = [], 0
    for size, cuts, opcode, mask, ping in messages:
        payload = random_bytes(size, seed)
        places = [0, *sorted(cut % (size + 1) for cut in cuts), size]
        for number, (start, stop) in enumerate(itertools.pairwise(places)):
            last = number == len(places) - 2
            kind = opcode if number == 0 else 0
            data += frame(payload[start:stop], kind, final=last, mask=mask)
            if ping:
                pings += frame(b"ping", 9, mask=mask)
                data += frame(b"ping", 9, mask=mask)
        if opcode == 2:
            expected.append(payload)
        texts += opcode == 1
    reading.feed(data, step)
    assert reading.messages == expected
    assert reading.texts == texts
    assert reading.behind.got == pings
    assert not reading.transport.aborted


def test_a_message_is_not_overwritten_by_the_next_and_its_numbers_are_aligned() -> None:
    reading = Reading()
    for number in range(20):
        payload = bytes([number]) * 300_000
        half = frame(payload[:150_001], final=False) + frame(payload[150_001:], 0)
        reading.feed(frame(payload) if number % 2 else half)
    for number, view in enumerate(reading.views):
        assert bytes(view) == bytes([number]) * 300_000
        assert np.frombuffer(view, np.uint8).ctypes.data % 16 == 0


@pytest.mark.parametrize(
    "data",
    [
        b"\x82\x05hello",  # not masked
        frame(b"a", 2)[:1].replace(b"\x82", b"\xc2") + frame(b"a", 2)[1:],  # compressed
        frame(b"a", 3),
        frame(b"a", 0),  # continues nothing
        frame(b"a", 2, final=False) + frame(b"b", 2),  # begins within a message
        frame(b"a", 9, final=False),
        frame(b"a" * 126, 9),
        frame(b"a" * 126, 8),
        b"\x82\xff" + (SPARE + 1).to_bytes(8, "big") + bytes(4),
        b"\x82\xff" + b"\xff" * 8 + bytes(4),
        frame(bytes(SPARE), 2, final=False) + frame(b"a", 0),
    ],
    ids=range(11),
)
def test_what_breaks_the_rules_ends_the_connection(data: bytes) -> None:
    reading = Reading()
    reading.feed(frame(b"good") + data)
    assert reading.messages == [b"good"]
    assert reading.transport.aborted
    assert reading.reader.refused.startswith("it sent a ")


def test_a_limit_that_grows_while_a_message_comes() -> None:
    reading = Reading()
    reading.reader.limit = lambda: 100
    reading.feed(frame(bytes(100), final=False))
    reading.reader.limit = lambda: 300
    reading.feed(frame(b"\1" * 200, 0))
    assert reading.messages == [bytes(100) + b"\1" * 200]
    reading.feed(frame(bytes(301)))
    assert reading.reader.refused == "it sent a message of 301 bytes where 300 were allowed"


def test_nothing_is_allocated_for_what_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    empty = np.empty

    def counted(shape: Any, *args: Any) -> Any:
        made.append(shape)
        return empty(shape, *args)

    reading = Reading()
    monkeypatch.setattr(np, "empty", counted)
    reading.feed(b"\x82\xff" + (1 << 40).to_bytes(8, "big") + bytes(4))
    assert reading.transport.aborted
    assert made == []


@settings(max_examples=300, deadline=None, database=None)
@given(st.lists(st.binary(max_size=60), max_size=8), st.integers(1, 100))
def test_noise_breaks_nothing(noise: Any, step: int) -> None:
    reading = Reading()
    for each in noise:
        reading.feed(each, step)
    other = Reading()
    other.feed(frame(b"good"))
    assert other.messages == [b"good"]


def test_everything_else_goes_to_the_protocol_behind() -> None:
    reading = Reading()
    close = frame(b"\x03\xe8bye", 8)
    reading.feed(close[:3])
    assert reading.behind.got == b""
    reading.feed(close[3:])
    assert reading.behind.got == close
    reading.reader.pause_writing()
    reading.reader.resume_writing()
    reading.reader.eof_received()
    reading.reader.connection_lost(None)
    assert reading.behind.calls == [
        ("pause_writing",),
        ("resume_writing",),
        ("eof_received",),
        ("connection_lost", None),
    ]


def test_memory_is_used_again_once_nobody_looks_at_it() -> None:
    reading, payloads = Reading(), [random_bytes(5000, seed) for seed in range(4)]

    def place() -> int:
        return int(np.frombuffer(reading.views[-1], np.uint8).ctypes.data)

    reading.feed(frame(payloads[0]))
    reading.feed(frame(payloads[1]))
    second = place()
    assert [bytes(view) for view in reading.views] == payloads[:2]
    part = reading.views[-1][:16]
    reading.views.clear()
    reading.feed(frame(payloads[2]))
    assert bytes(part) == payloads[1][:16]
    assert place() != second
    third = place()
    reading.views.clear()
    reading.feed(frame(payloads[3]))
    assert place() == third
    assert reading.messages == payloads
