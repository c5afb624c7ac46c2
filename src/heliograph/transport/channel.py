"""Messages over a Unix socket: length, then msgpack; descriptors travel beside them."""

from __future__ import annotations

import array
import os
import socket
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import msgspec

from heliograph.errors import WorkerError
from heliograph.transport.messages import Message
from heliograph.transport.slots import close_all

MAX_MESSAGE = 1 << 30
"""Bytes of one message; a longer one is refused before anything is allocated for it."""

_UNSENDABLE = (TypeError, ValueError, OverflowError, RecursionError)
_HEADER = 4
_CHUNK = 1 << 18
_MAX_DESCRIPTORS = 64
_ANCILLARY = socket.CMSG_SPACE(_MAX_DESCRIPTORS * array.array("i").itemsize)


class Channel:
    """One end of a socket pair.

    Whatever is not a message raises `WorkerError`; the channel is of no use after that.

    Args:
        end: the socket; it belongs to the channel. Whether it blocks decides whether `flush` and
            `receive` wait.
    """

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        self.descriptors: deque[int] = deque()
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Message)
        self._out = bytearray()
        self._passing: list[int] = []
        self._in = bytearray()
        self._buffer = bytearray(_CHUNK)

    @property
    def pending(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._out)

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self.socket.fileno()

    def put(self, message: Any, descriptor: int | None = None) -> None:
        """Queue a message, with a descriptor to pass along; `flush` sends all of them at once.

        Raises:
            WorkerError: the message is too long.
            OSError: no descriptor is left; nothing was queued.
        """
        # Ours may be closed before it is sent. All in one call: an interrupt loses no descriptor.
        passing = () if descriptor is None else (descriptor,)
        self._passing.extend(map(os.dup, passing))
        try:
            self._encode(message)
        except WorkerError:
            if passing:
                os.close(self._passing.pop())
            raise

    def send(self, messages: Iterable[Any]) -> None:
        """Queue messages and send what can be sent."""
        for message in messages:
            self.put(message)
        self.flush()

    def flush(self) -> bool:
        """Send what is queued; whether all of it went.

        Raises:
            OSError: the other side is gone.
        """
        while self._out:
            try:
                sent = self._send()
            except BlockingIOError:
                return False
            del self._out[:sent]
        return True

    def receive(self) -> list[Any] | None:
        """The messages that have come, maybe none; None once the other side is gone.

        Raises:
            WorkerError: what came is no message.
        """
        try:
            count = self._read()
        except BlockingIOError:
            return []
        except OSError as error:
            if error.errno is None:  # a signal handler's `TimeoutError`, say
                raise
            return None
        if not count:
            return None
        if not self._in and count == _HEADER + int.from_bytes(self._buffer[:_HEADER], "little"):
            return [self._decoded(memoryview(self._buffer)[_HEADER:count])]  # the usual case
        self._in += memoryview(self._buffer)[:count]
        return list(self._messages())

    def drain(self) -> list[Any]:
        """The messages that can still be read from a side that is gone.

        Raises:
            WorkerError: what came is no message.
        """
        with suppress(OSError):
            while count := self._read():
                self._in += memoryview(self._buffer)[:count]
        return list(self._messages())

    def close(self) -> None:
        """Close the socket and the descriptors that nobody took."""
        self.socket.close()
        close_all(self._passing)
        while self.descriptors:
            os.close(self.descriptors.popleft())

    def _encode(self, message: Any) -> None:
        start = len(self._out)
        self._out += bytes(_HEADER)
        try:
            self._encoder.encode_into(message, self._out, -1)
            size = len(self._out) - start - _HEADER
            if size > MAX_MESSAGE:
                raise WorkerError(f"a message of {size} bytes; at most {MAX_MESSAGE} travel")
        except (WorkerError, *_UNSENDABLE) as error:
            del self._out[start:]
            raise WorkerError(f"something that does not travel: {error}") from None
        self._out[start : start + _HEADER] = size.to_bytes(_HEADER, "little")

    def _send(self) -> int:
        if not self._passing:
            return self.socket.send(self._out)
        passed = self._passing[:_MAX_DESCRIPTORS]
        # With more descriptors than go at once the bytes go piecemeal: none may come before its own
        limit = 1 if len(self._passing) > len(passed) else len(self._out)
        with memoryview(self._out) as view, view[:limit] as part:
            sent = socket.send_fds(self.socket, [part], passed)
        close_all(self._passing, len(passed))
        return sent

    def _read(self) -> int:
        count, ancillary, _, _ = self.socket.recvmsg_into(
            [self._buffer], _ANCILLARY, socket.MSG_CMSG_CLOEXEC
        )
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                numbers = array.array("i")
                numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
                self.descriptors.extend(numbers)
        return count

    def _messages(self) -> Iterable[Any]:
        at, total = 0, len(self._in)
        with memoryview(self._in) as view:
            while total - at >= _HEADER:
                size = int.from_bytes(view[at : at + _HEADER], "little")
                if size > MAX_MESSAGE:
                    raise WorkerError(
                        f"the channel carries no message: a length of {size} bytes, at most "
                        f"{MAX_MESSAGE} travel"
                    )
                if total - at - _HEADER < size:
                    break
                at += _HEADER
                yield self._decoded(view[at : at + size])
                at += size
        del self._in[:at]

    def _decoded(self, data: memoryview) -> Any:
        try:
            return self._decoder.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise WorkerError(f"the channel carries no message: {error}") from None
        finally:
            data.release()


def encoded(data: Any) -> msgspec.Raw:
    """Plain data as it stands inside a message, for what is sent more than once.

    Raises:
        WorkerError: it cannot be sent.
    """
    try:
        return msgspec.Raw(msgspec.msgpack.encode(data))
    except _UNSENDABLE as error:
        raise WorkerError(f"something that does not travel: {error}") from None


def pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of a new socket pair."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
