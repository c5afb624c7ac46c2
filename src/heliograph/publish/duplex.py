"""Messages both ways between two programs, such as parameters there and what came of them back."""

from __future__ import annotations

import time
from typing import Any, Final, Self

from heliograph.checks import check_integer
from heliograph.errors import WorkerError
from heliograph.publish.framing import Message, pack, unpack
from heliograph.publish.info import Addresses
from heliograph.publish.sockets import check_timeout
from heliograph.publish.zeromq import PAIR, Link

_LOOK: Final = 0.1
_QUEUE: Final = 10
_LINGER: Final = 2.0
"""Seconds that what was sent last has to get on its way when a channel is closed."""


class Duplex:
    """One end of a channel between two programs, for one thread at a time.

    Args:
        address: `tcp://host:port` or `ipc://path`; or those of a launcher's socket, where
            `instance` says which: then it is told at once when that process has died.
        bind: whether this end waits for the other; just one of the two does.
        instance: number of the process that launched this end, or that it talks to.
        timeout: seconds that `send` and `recv` wait at most; None for any time.
        key: as from `make_key`; needed where other machines reach the address.

    Attributes:
        address: with the port that was chosen.

    Raises:
        InvalidValueError: the address is none, is in use, or needs a key.
    """

    def __init__(
        self,
        address: str | Addresses,
        *,
        bind: bool,
        instance: int = 0,
        timeout: float | None = 10.0,
        key: str | None = None,
    ) -> None:
        self._launched = address if isinstance(address, Addresses) else None
        if isinstance(address, Addresses):
            check_integer("instance", instance, 0, len(address) - 1)
            key = address.key if key is None else key
            address = address[instance]
        self._instance = check_integer("instance", instance, -(2**31), 2**31)
        self._timeout = check_timeout(timeout)
        self._link = Link(PAIR, address, bind=bind, queue=_QUEUE, key=key)
        self.address = self._link.address
        self._sent = 0

    def send(self, **values: Any) -> int:
        """Send values by name.

        Returns:
            The message's number: how many this end sent before it.

        Raises:
            InvalidValueError: a value that does not travel.
            TimeoutError: the other end is not there, or did not read what it was sent before.
        """
        self._link.check_open("the channel")
        frames = pack(Message(values, self._instance, self._sent))
        until = None if self._timeout is None else time.monotonic() + self._timeout
        while not (self._link.poll_out(_LOOK) and self._link.send(frames)):
            self._look()
            if until is not None and time.monotonic() >= until:
                there = self._link.peers()
                what = "does not read what it was sent" if there else "is not connected"
                raise TimeoutError(
                    f"{self.address}: the other end {what}, waited {self._timeout} s"
                )
        self._sent += 1
        return self._sent - 1

    def recv(self, timeout: float | None = None) -> dict[str, Any] | None:
        """The values of the next message, or None where none came in time.

        Args:
            timeout: seconds to wait at most; that of the channel without it.

        Raises:
            WorkerError: it is no message, or the other end is a launched process that has died.
        """
        message = self.receive(timeout)
        return None if message is None else message.values

    def receive(self, timeout: float | None = None) -> Message | None:
        """As `recv`, with the number of the message and of the instance that sent it."""
        self._link.check_open("the channel")
        seconds = self._timeout if timeout is None else check_timeout(timeout)
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            left = _LOOK if until is None else max(0.0, until - time.monotonic())
            if self._link.poll_in(min(_LOOK, left)):
                return self._unpacked()
            self._look()
            if left <= 0:
                return None

    def _unpacked(self) -> Message:
        try:
            return unpack(self._link.receive())
        except WorkerError as error:
            raise WorkerError(f"{self.address}: {error.message}") from None

    def _look(self) -> None:
        self._link.peers()
        if self._launched is not None:
            self._launched.finished()

    def close(self) -> None:
        """Hang up, once what was sent is on its way; may be called twice."""
        self._link.close(_LINGER)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
