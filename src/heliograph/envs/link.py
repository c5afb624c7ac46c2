"""One environment in another process: a request at a time, an answer or an error that says why."""

from __future__ import annotations

import time
from typing import Any, Protocol, TypeVar

from heliograph.envs.protocol import Close, Closed, Failed, Reply, Request, message_of, reply_of
from heliograph.errors import EngineError, HeliographError, WorkerError

_FAREWELL = 2.0
"""Seconds that a process may take to say goodbye before it is left to its launcher."""

_Reply = TypeVar("_Reply", bound=Reply)


class Channel(Protocol):
    """What a link needs of a `heliograph.publish.Duplex`."""

    def send(self, **fields: Any) -> Any:
        """Sends one message."""

    def recv(self, timeout: float | None = None) -> dict[str, Any] | None:
        """The next message; None when none came in time. Raises when the process has died."""

    def close(self) -> None:
        """Closes the socket."""


class Link:
    """Asks an environment in another process.

    Args:
        channel: to the process.
        name: of the process in errors, such as its address.
        timeout: seconds that an answer may take.
    """

    def __init__(self, channel: Channel, name: str, timeout: float) -> None:
        self.name = name
        self._channel = channel
        self._timeout = timeout
        self._ticket = 0
        self._lost = False

    def ask(self, request: Request) -> None:
        """Sends a request; `answer` waits for what is said to it.

        Raises:
            WorkerError: the process died, or is not there in time.
        """
        self._ticket += 1
        try:
            self._channel.send(**message_of(request, self._ticket))
        except TimeoutError as error:
            self._lost = True
            raise WorkerError(f"the environment at {error}") from error

    def answer(self, kind: type[_Reply], timeout: float | None = None) -> _Reply:
        """The reply to the request sent last.

        Args:
            kind: of reply that goes with the request.
            timeout: seconds, where another one than the link's holds.

        Raises:
            EngineError: the environment's code raised; carries its traceback.
            WorkerError: the process died, or did not answer in time.
        """
        try:
            reply = self._reply(self._timeout if timeout is None else timeout)
        except WorkerError:
            self._lost = True
            raise
        if isinstance(reply, Failed):
            raise EngineError(f"the environment at {self.name} raised:\n{reply.traceback}")
        if not isinstance(reply, kind):
            raise WorkerError(
                f"the environment at {self.name} should have answered {kind.__name__}, "
                f"but answered {type(reply).__name__}"
            )
        return reply

    def request(self, request: Request, kind: type[_Reply]) -> _Reply:
        """Asks and waits; see `answer`."""
        self.ask(request)
        return self.answer(kind)

    def part(self) -> None:
        """Tells the process to leave, waits a moment for its goodbye and closes the socket."""
        try:
            if not self._lost:
                self.ask(Close())
                self.answer(Closed, _FAREWELL)
        except HeliographError:
            pass  # it has died or hangs: its launcher ends it
        finally:
            self.close()

    def close(self) -> None:
        """Closes the socket; the process is left as it is."""
        self._channel.close()

    def _reply(self, timeout: float) -> Reply:
        deadline = time.monotonic() + timeout
        while True:
            message = self._channel.recv(timeout=max(0.0, deadline - time.monotonic()))
            if message is None:
                break
            ticket, reply = reply_of(message)
            if ticket == self._ticket:
                return reply
        raise WorkerError(
            f"the environment at {self.name} has not answered for {timeout:g} s: it is not "
            "there, still loads its scene, or hangs; give a longer timeout, or look at its output"
        )
