"""The size of a page's messages, checked as soon as it is announced.

aiohttp has one limit for a connection's whole life. What a page may send depends on what it was
asked for, so a protocol in front of aiohttp's reads the heads of WebSocket frames (RFC 6455, 5.2)
and ends the connection before the first byte of a message that is too large is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Self, cast

SPARE: Final = 1 << 20
"""Bytes of a message, until somebody says otherwise."""

_FIN, _OPCODE, _MASKED, _LENGTH = 0x80, 0x0F, 0x80, 0x7F
_CONTROL = 8


class FrameGate(asyncio.Protocol):
    """Hands what arrives on to another protocol, up to a message that is too large.

    Attributes:
        limit: tells how many bytes the next message may have.
        refused: why the connection was ended; empty if it was not.
    """

    def __init__(self, transport: asyncio.Transport, behind: asyncio.Protocol) -> None:
        self.limit: Callable[[], int] = lambda: SPARE
        self.refused = ""
        self._transport = transport
        self._behind = behind
        self._head = bytearray()
        self._payload = 0  # bytes of the frame's payload that are still to come
        self._message = 0  # bytes of the message's frames before this one

    @classmethod
    def before(cls, transport: asyncio.Transport) -> Self:
        """Stand in front of a transport's protocol."""
        behind = cast("asyncio.Protocol", transport.get_protocol())
        gate = cls(transport, behind)
        transport.set_protocol(gate)
        return gate

    def data_received(self, data: bytes) -> None:
        """Look at the heads of the frames, and hand on what came."""
        start, stop = 0, len(data)
        while start < stop and not self.refused:
            if self._payload:
                passed = min(self._payload, stop - start)
                self._payload -= passed
                start += passed
            else:
                self._head.append(data[start])
                start += 1
                if len(self._head) >= 2 and len(self._head) == _head_length(self._head[1]):
                    self._frame(bytes(self._head))
                    self._head.clear()
        if self.refused:
            self._transport.abort()
        else:
            self._behind.data_received(data)

    def _frame(self, head: bytes) -> None:
        short = head[1] & _LENGTH
        wide = {126: 2, 127: 8}.get(short, 0)
        self._payload = int.from_bytes(head[2 : 2 + wide], "big") if wide else short
        if head[0] & _OPCODE >= _CONTROL:  # may stand between the frames of a message
            return
        self._message += self._payload
        most = self.limit()
        if self._message > most:
            self.refused = f"it sent a message of {self._message} bytes where {most} were allowed"
        if head[0] & _FIN:
            self._message = 0

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


def _head_length(second: int) -> int:
    wide = {126: 2, 127: 8}.get(second & _LENGTH, 0)
    return 2 + wide + (4 if second & _MASKED else 0)
