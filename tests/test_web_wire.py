"""Frames between server and page: what was packed comes back, and nothing else gets through."""

import struct
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heliograph.engines.web import wire
from heliograph.engines.web.messages import (
    Applied,
    Apply,
    Ask,
    BlobData,
    CameraSpec,
    Event,
    Moved,
    Picture,
    Problem,
    Refused,
    Render,
    Rendered,
    Row,
    Viewport,
)
from heliograph.engines.web.wire import Buffers, pack, unpack, unpack_to_page
from heliograph.errors import InvalidValueError
from page_client import HELLO

SPEC = CameraSpec("a", 4, 3, [1.0] * 16, [0.5] * 16, 0.1, 10.0, False)
FROM_PAGE = [
    HELLO,
    Applied(3),
    Rendered(7, 3, [Picture("a", "rgba", 4, 3, 0, 48)], SPEC, 1.5),
    Refused(8, "not loaded", ["bear.glb"]),
    Moved("box", [0.25] * 16, True),
    Viewport(2, SPEC, False),
    Event("CLICK", "box", {"x": [1, None, "y"]}),
    Problem("box", "no such texture"),
    Ask(1, "save", {"what": 2}),
]


@pytest.mark.parametrize("message", FROM_PAGE, ids=lambda each: type(each).__name__)
def test_messages_of_a_page_come_back(message: Any) -> None:
    buffers = Buffers()
    places = [buffers.add(data) for data in (b"abc", b"", np.arange(5.0).data)]
    assert places == [(0, 3), (16, 0), (16, 40)]
    again, body = unpack(pack(message, buffers))
    assert again == message
    assert (len(body), buffers.nbytes) == (64, 64)
    assert bytes(body[:3]) == b"abc"
    assert np.frombuffer(body[16:56]).tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_messages_to_a_page_come_back() -> None:
    row = Row("box", "scene", "Box", 3, {"position": [1.0, 2.0, 3.0], "material": {}})
    for message in (Apply(1, True, [], [row], [BlobData("0", 0, 3)]), Render(1, [SPEC], ["rgb"])):
        assert unpack_to_page(pack(message))[0] == message
        with pytest.raises(InvalidValueError):
            unpack(pack(message))


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\0\0\0",
        b"\0\0\0\0",
        b"\x01\0\0\0",
        b"\xff\xff\xff\xff",
        pack(HELLO)[:-1],
        pack(HELLO)[1:],
        b"\xc1" + struct.pack("<I", 1),
        b"\xdd\xff\xff\xff\xff" + struct.pack("<I", 5),
        b"\x91" * 100_000 + struct.pack("<I", 100_000),
    ],
    ids=repr,
)
def test_what_is_no_frame_is_refused(frame: bytes) -> None:
    with pytest.raises(InvalidValueError, match="expected"):
        unpack(frame)


def _mutated(frame: bytes, kind: int, place: int, byte: int) -> bytes:
    """A valid frame with a byte changed, dropped or added, an end cut off, or put into itself."""
    place %= len(frame)
    if kind == 0:
        return frame[:place] + bytes([byte]) + frame[place + 1 :]
    if kind == 1:
        return frame[:place] + frame[place + 1 :]
    if kind == 2:
        return frame[:place] + bytes([byte]) + frame[place:]
    if kind == 3:
        return frame[:place]
    if kind == 4:
        return frame[place:]
    return frame[:place] + frame + frame[place:]


FRAMES = [pack(message) for message in FROM_PAGE]
MUTATIONS = st.lists(
    st.tuples(
        st.integers(0, len(FRAMES) - 1),
        st.integers(0, 5),
        st.integers(0, 1000),
        st.integers(0, 255),
    ),
    min_size=1,
)


def _taken(frame: bytes) -> bool:
    """Whether a frame is a message; anything else must be refused in one way."""
    try:
        message, body = unpack(frame)
    except InvalidValueError:
        return False
    assert isinstance(message, msgspec.Struct)
    assert isinstance(body, memoryview)
    return True


@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
@given(seed=st.integers(0, 2**32 - 1), kinds=MUTATIONS, noise=st.binary(max_size=400))
def test_no_bytes_break_the_decoder_and_the_next_message_is_read(
    seed: int, kinds: Any, noise: Any
) -> None:
    rng = np.random.default_rng(seed)
    for which, kind, place, byte in kinds:
        _taken(_mutated(FRAMES[which], kind, place, byte))
    for start in range(len(noise)):
        _taken(noise[start:])
        _taken(noise[start:] + struct.pack("<I", len(noise) - start))
    drawn = rng.integers(0, [len(FRAMES), 6, 1000, 256], (400, 4)).tolist()
    for which, kind, place, byte in drawn:  # mutations of mutations
        frame = _mutated(FRAMES[which], kind, place, byte)
        _taken(_mutated(frame or b"\0", byte % 6, which * 37 + place, kind * 40))
    for frame, message in zip(FRAMES, FROM_PAGE, strict=True):
        assert unpack(frame)[0] == message


def test_a_header_is_looked_at_up_to_a_size() -> None:
    assert wire.MAX_HEADER == 1 << 24
    header = bytes(wire.MAX_HEADER + 1)
    with pytest.raises(InvalidValueError, match="ends with its message's length"):
        unpack(header + len(header).to_bytes(4, "little"))
