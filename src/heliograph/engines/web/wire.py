"""Frames: how a message and its buffers stand in one WebSocket message.

    buffer, buffer, ...   each at a multiple of 16 bytes
    message               msgpack
    length of the message uint32, little-endian

The buffers come first, so that a page reads its pixels straight into what it sends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from heliograph.engines.web.messages import FromPage, Message, ToPage
from heliograph.errors import InvalidValueError

ALIGNMENT: Final = 16
MAX_HEADER: Final = 1 << 24
"""Bytes of the msgpack part that are looked at, at most."""

_ENCODER = msgspec.msgpack.Encoder()
_FROM_PAGE = msgspec.msgpack.Decoder(FromPage)
_TO_PAGE = msgspec.msgpack.Decoder(ToPage)


class Buffers:
    """Collects what goes before a message, and says where each part stands."""

    def __init__(self) -> None:
        self._parts: list[bytes | memoryview] = []
        self._nbytes = 0

    def add(self, data: bytes | bytearray | memoryview) -> tuple[int, int]:
        """Add bytes; returns their offset and how many they are."""
        flat = memoryview(data).cast("B")
        offset, nbytes = self._nbytes, flat.nbytes
        gap = -nbytes % ALIGNMENT
        self._parts += [flat, bytes(gap)] if gap else [flat]
        self._nbytes += nbytes + gap
        return offset, nbytes

    @property
    def nbytes(self) -> int:
        """How many bytes, with the gaps between them."""
        return self._nbytes

    @property
    def parts(self) -> Sequence[bytes | memoryview]:
        """The bytes, in order."""
        return self._parts


def pack(message: Message, buffers: Buffers | None = None) -> bytes:
    """A message with its buffers as one frame."""
    header = _ENCODER.encode(message)
    parts = () if buffers is None else buffers.parts
    return b"".join((*parts, header, len(header).to_bytes(4, "little")))


def unpack(frame: bytes | memoryview) -> tuple[FromPage, memoryview]:
    """A page's message, and the bytes that its offsets point into.

    Raises:
        InvalidValueError: bytes that are no message of a page.
    """
    message, body = unpacked(frame, _FROM_PAGE)
    return message, body


def unpack_to_page(frame: bytes | memoryview) -> tuple[ToPage, memoryview]:
    """A server's message, and the bytes that its offsets point into; for tests and tools.

    Raises:
        InvalidValueError: bytes that are no message of a server.
    """
    message, body = unpacked(frame, _TO_PAGE)
    return message, body


def unpacked(
    frame: bytes | memoryview, decoder: msgspec.msgpack.Decoder[Any], most: int = MAX_HEADER
) -> tuple[Any, memoryview]:
    """A frame's message, and the bytes that its offsets point into.

    Args:
        frame: as it came.
        decoder: of the messages that may come.
        most: bytes of the msgpack part.

    Raises:
        InvalidValueError: bytes that are no such message.
    """
    view = memoryview(frame)
    length = int.from_bytes(view[-4:], "little") if len(view) >= 4 else -1
    if not 0 < length <= min(most, len(view) - 4):
        raise InvalidValueError(
            f"expected a frame that ends with its message's length, got {len(view)} bytes that "
            "do not"
        )
    end = len(view) - 4
    try:
        return decoder.decode(view[end - length : end]), view[: end - length]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidValueError(f"expected a message of the other side: {error}") from None
