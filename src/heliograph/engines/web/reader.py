"""Messages of a page, read from WebSocket frames (RFC 6455, section 5) straight into one buffer.

aiohttp answers the handshake, pings and the closing, and writes. It would copy a picture of a
browser, which comes in many fragments, six times, and has one limit of size for the life of a
connection. So a protocol stands in front of it that keeps the frames of messages to itself:

    socket -> recv_into a scratch buffer -> unmasked into the message's buffer -> `on_message`
                                         -> frames of control, as they came -> aiohttp

The size of a message is checked when a frame announces it; what is too large ends the connection
before a buffer is made for it.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from collections.abc import Callable
from typing import Final, NamedTuple, Self, cast

import numpy as np
from numpy.typing import NDArray

SPARE: Final = 1 << 20
"""Bytes that a message may have where no picture is asked for."""
_SCRATCH: Final = 1 << 18
_ROW: Final = 4096  # bytes that are unmasked by one inner loop
_TEXT, _CONTROL = 1, 8
_MOST_OF_CONTROL: Final = 125
_MOST_KEPT: Final = 1 << 25  # bytes of a message whose memory the next one uses again


class _Head(NamedTuple):
    """What a frame begins with."""

    final: bool
    reserved: int
    opcode: int
    masked: bool
    length: int

    @classmethod
    def of(cls, head: bytes) -> _Head:
        short, wide = head[1] & 0x7F, _WIDE.get(head[1] & 0x7F, 0)
        length = int.from_bytes(head[2 : 2 + wide], "big") if wide else short
        return cls(bool(head[0] & 0x80), head[0] & 0x70, head[0] & 0x0F, head[1] > 0x7F, length)


_WIDE = {126: 2, 127: 8}
"""Bytes of a longer length."""


class MessageReader(asyncio.BufferedProtocol):
    """Reads messages in front of another protocol, which gets all else.

    Attributes:
        limit: tells how many bytes the next message may have.
        on_message: is called with each binary message.
        on_text: is called for each text message, which pages do not send.
        refused: why the connection was ended; empty if it was not.
    """

    def __init__(self, transport: asyncio.Transport, behind: asyncio.Protocol) -> None:
        self.limit: Callable[[], int] = lambda: SPARE
        self.on_message: Callable[[memoryview], None] = _ignore
        self.on_text: Callable[[], None] = lambda: None
        self.refused = ""
        self._transport = transport
        self._behind = behind
        self._scratch = np.empty(_SCRATCH, np.uint8)
        self._head = bytearray()
        self._frame: _Head | None = None  # whose payload is coming
        self._left = 0  # bytes of that payload that are still to come
        self._mask = _EMPTY  # of that payload, again and again
        self._control = bytearray()  # a frame of control as far as it has come
        self._opcode: int | None = None  # of the message that is coming
        self._message = _EMPTY
        self._filled = 0
        self._before = _EMPTY  # the memory of the message before
        self._seen: Callable[[], object] = lambda: None  # what still looks at it

    @classmethod
    def before(cls, transport: asyncio.Transport) -> Self:
        """Stand in front of a transport's protocol."""
        reader = cls(transport, cast("asyncio.Protocol", transport.get_protocol()))
        transport.set_protocol(reader)
        return reader

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where to read to."""
        return self._scratch.data

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read."""
        start = 0
        while start < nbytes and not self.refused:
            if self._frame is None:
                self._head.append(int(self._scratch[start]))
                start += 1
                if len(self._head) >= 2 and len(self._head) == _head_length(self._head[1]):
                    self._begin(bytes(self._head))
                    self._head.clear()
            else:
                stop = min(start + self._left, nbytes)
                self._take(self._frame, self._scratch[start:stop])
                start = stop
        if self.refused:
            self._transport.abort()

    def _begin(self, head: bytes) -> None:
        """Begin a frame."""
        frame = _Head.of(head)
        self.refused = self._refusal(frame)
        if self.refused:
            return
        self._frame, self._left = frame, frame.length
        if frame.opcode >= _CONTROL:
            self._control[:] = head
        else:
            four = int.from_bytes(head[-4:], sys.byteorder)
            self._mask = np.full(_ROW // 4 + 1, four, np.uint32).view(np.uint8)
            self._make_room(frame)
        if not frame.length:
            self._end(frame)

    def _refusal(self, frame: _Head) -> str:
        """Why a frame is not taken; empty if it is."""
        if not frame.masked or frame.reserved:
            return "it sent a frame that is not masked or of an unknown extension"
        if frame.opcode >= _CONTROL:
            short = frame.final and frame.length <= _MOST_OF_CONTROL
            return "" if short else "it sent a frame of control in parts, or too long"
        if frame.opcode > 2 or (frame.opcode == 0) != (self._opcode is not None):
            return "it sent a frame out of order"
        size, most = self._filled + frame.length, self.limit()
        return f"it sent a message of {size} bytes where {most} were allowed" * (size > most)

    def _make_room(self, frame: _Head) -> None:
        """Make a message's buffer, of the size that is known or else allowed."""
        if frame.opcode:
            self._opcode = frame.opcode
            self._message = self._memory(frame.length if frame.final else self.limit())
        elif self._filled + frame.length > len(self._message):  # more is allowed now
            before = self._message[: self._filled]
            self._message = np.empty(self.limit(), np.uint8)
            self._message[: self._filled] = before

    def _memory(self, count: int) -> NDArray[np.uint8]:
        """Room for a message: that of the one before, whose pages are there, if nobody needs it."""
        free, self._before = self._before, _EMPTY
        return free if len(free) >= count and self._seen() is None else np.empty(count, np.uint8)

    def _take(self, frame: _Head, part: NDArray[np.uint8]) -> None:
        """Take bytes of a frame's payload."""
        count = len(part)
        if frame.opcode >= _CONTROL:
            self._control += part.data
        else:
            phase = (frame.length - self._left) % 4
            out = self._message[self._filled : self._filled + count]
            mask, whole = self._mask[phase : phase + _ROW], count - count % _ROW
            if whole:
                rows = (whole // _ROW, _ROW)
                np.bitwise_xor(part[:whole].reshape(rows), mask, out=out[:whole].reshape(rows))
            np.bitwise_xor(part[whole:], mask[: count - whole], out=out[whole:])
            self._filled += count
        self._left -= count
        if not self._left:
            self._end(frame)

    def _end(self, frame: _Head) -> None:
        """End a frame, and the message with its last one."""
        self._frame = None
        if frame.opcode >= _CONTROL:
            self._behind.data_received(bytes(self._control))
        elif frame.final:
            opcode, message = self._opcode, self._message[: self._filled]
            if self._filled <= _MOST_KEPT:
                self._before, self._seen = self._message, weakref.ref(message)
            self._opcode, self._filled, self._message = None, 0, _EMPTY
            if opcode == _TEXT:
                self.on_text()
            else:
                self.on_message(message.data)

    def eof_received(self) -> bool | None:
        """As the protocol behind."""
        return self._behind.eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        """As the protocol behind."""
        self._behind.connection_lost(error)

    def pause_writing(self) -> None:
        """As the protocol behind."""
        self._behind.pause_writing()

    def resume_writing(self) -> None:
        """As the protocol behind."""
        self._behind.resume_writing()


_EMPTY: Final = np.empty(0, np.uint8)


def _head_length(second: int) -> int:
    return 2 + _WIDE.get(second & 0x7F, 0) + (4 if second > 0x7F else 0)


def _ignore(message: memoryview) -> None:
    """What is done with messages that nobody waits for."""
