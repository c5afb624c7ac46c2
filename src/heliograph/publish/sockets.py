"""Publishers and subscribers: messages one way, each to one of those who subscribe.

A publisher blocks while the queues of all its subscribers are full. Several subscribers share a
stream: each message goes to one of them. What waits in the queues of a subscriber that dies is lost
with it.

A publisher that is closed tells all its subscribers that this is the end: it says so again and
again until each has hung up. So one that is gone and did not say so has died.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

from heliograph.checks import check_integer
from heliograph.errors import ClosedError, InvalidValueError, WorkerError, shown
from heliograph.publish.framing import Buffer, Message, pack, unpack
from heliograph.publish.info import Addresses
from heliograph.publish.zeromq import PULL, PUSH, Link, wait_any

_LOOK: Final = 0.1
"""Seconds after which to look who is still there."""
_GONE: Final = 5.0
"""Seconds that a publisher may be gone, where nobody says whether it is started again."""
_END: Final = 30.0
"""Seconds that subscribers may take to come to the end."""
_MAX_QUEUE: Final = 1 << 16


class Publisher:
    """Sends messages to whoever subscribes; for one thread at a time.

    Args:
        address: bound here: `tcp://host:port` or `ipc://path`; port 0 is a free one.
        instance: number of this publisher among those of its kind.
        seed: of the run; goes with each message.
        queue: messages that wait at each end of each connection.
        timeout: seconds that `publish` waits at most; None for any time.
        key: as from `make_key`; needed where other machines reach the address.

    Attributes:
        address: with the port that was chosen.

    Raises:
        InvalidValueError: the address is none, is in use, or needs a key.
    """

    def __init__(
        self,
        address: str,
        *,
        instance: int = 0,
        seed: int | None = None,
        queue: int = 10,
        timeout: float | None = None,
        key: str | None = None,
    ) -> None:
        self._instance = check_integer("instance", instance, -(2**31), 2**31)
        self._seed = None if seed is None else check_integer("seed", seed)
        self._timeout = check_timeout(timeout)
        queue = check_integer("queue", queue, 1, _MAX_QUEUE)
        self._link = Link(PUSH, address, bind=True, queue=queue, key=key)
        self.address = self._link.address
        self._number = 0

    def publish(self, *, index: int | None = None, **values: Any) -> None:
        """Send values by name; waits while the queues of all subscribers are full, or none is here.

        Args:
            index: of the sample in the run; goes beside the values.
            **values: numbers, text, bytes, arrays, and lists, tuples and dicts of these; they may
                be changed afterwards.

        Raises:
            InvalidValueError: a value that does not travel; says where it is.
            TimeoutError: nobody took it within the timeout; says who is there.
        """
        self.send(values, index=index)

    def send(self, values: Mapping[str, Any], *, index: int | None = None) -> None:
        """As `publish`, where the names are any text."""
        self._link.check_open("the publisher")
        index = None if index is None else check_integer("index", index)
        message = Message(dict(values), self._instance, self._number, self._seed, index)
        frames = pack(message)
        self._deliver(frames)
        self._number += 1

    def _deliver(self, frames: Sequence[Buffer]) -> None:
        """Send a message once somebody has room for it."""
        until = None if self._timeout is None else time.monotonic() + self._timeout
        while not (
            self._link.poll_out(_LOOK if until is None else until - time.monotonic())
            and self._link.send(frames)
        ):
            self._link.peers()  # so that what it says is not kept for ever
            if until is not None and time.monotonic() >= until:
                raise TimeoutError(f"{self._waits_for()}, waited {self._timeout} s")

    def _waits_for(self) -> str:
        there = self._link.peers()
        if there:
            return f"{self.address}: the queues of all {there} subscribers are full"
        refused = ", one came with another key or none" if self._link.failures else ""
        return f"{self.address}: no subscriber is connected{refused}"

    def close(self, timeout: float = _END) -> None:
        """Tell the subscribers that this is the end, and wait until they have come to it.

        Args:
            timeout: seconds to wait at most; with 0 they are not told, and take it for a death.
        """
        if self._link.closed:
            return
        until = time.monotonic() + timeout
        end = pack(Message(instance=self._instance, number=self._number, ended=True))
        try:
            with suppress(ClosedError):  # by a signal's handler or another thread
                while self._link.peers() and (left := until - time.monotonic()) > 0:
                    if self._link.poll_out(min(left, _LOOK)):
                        self._link.send(end)
                        time.sleep(0.01)
        finally:
            self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.close(_END if kind is None else 0)


class _Source:
    """One of a subscriber's publishers."""

    def __init__(self, address: str, queue: int, key: str | None) -> None:
        self.address = address
        self.link = Link(PULL, address, bind=False, queue=queue, key=key)
        self.last: float | None = None
        self.ended = False

    def end(self) -> None:
        """Hang up."""
        self.ended = True
        self.link.close()

    def missing(self, now: float) -> str:
        """What is told of it to whoever waits."""
        there = self.link.peers()
        if self.link.refused:
            return "it would not talk to us: it needs a key, or another one, or is no publisher"
        if self.last is None:
            return "nothing ever came" + ("" if there else ", nobody is there")
        since = f"nothing came for {now - self.last:.1f} s"
        return since if there else f"{since}, gone for {now - (self.link.gone_since or now):.1f} s"


class Subscriber:
    """Receives the messages of publishers, from each in turn; for one thread at a time.

    Args:
        addresses: of the publishers; those of a `Launcher` tell at once when a process has died.
        queue: messages that wait at each end of each connection.
        timeout: seconds to wait for a message at most; None for any time.
        key: as the publishers have it; needed where other machines reach an address.

    Raises:
        InvalidValueError: an address is none, or needs a key.
    """

    def __init__(
        self,
        addresses: str | Sequence[str],
        *,
        queue: int = 10,
        timeout: float | None = 10.0,
        key: str | None = None,
    ) -> None:
        given = [addresses] if isinstance(addresses, str) else addresses
        if not given:
            raise InvalidValueError("addresses: expected at least one, got none")
        queue = check_integer("queue", queue, 1, _MAX_QUEUE)
        self._timeout = check_timeout(timeout)
        self._launched = given if isinstance(given, Addresses) else None
        if self._launched is not None and key is None:
            key = self._launched.key
        self._sources: list[_Source] = []
        self._looked = 0.0
        self._ready: list[_Source] = []
        try:
            for each in given:
                self._sources.append(_Source(each, queue, key))
        except BaseException:
            self.close()
            raise

    def recv(self, timeout: float | None = None) -> Message:
        """The next message.

        Args:
            timeout: seconds to wait at most; that of the subscriber without it.

        Raises:
            TimeoutError: none came; says from whom.
            WorkerError: a publisher has died or sent what is no message; says which.
            ClosedError: all publishers have ended, or this is closed.
        """
        seconds = self._timeout if timeout is None else check_timeout(timeout)
        begun = time.monotonic()
        while True:
            now = time.monotonic()
            if now - self._looked >= _LOOK:
                self._look(now)
            left = _LOOK if seconds is None else begun + seconds - now
            message = self._take(min(_LOOK, left))
            if message is not None:
                return message
            if left <= 0:
                raise TimeoutError(self._missing(now - begun))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Message:
        """The next message; ends when all publishers have."""
        try:
            return self.recv()
        except ClosedError:
            raise StopIteration from None

    def _take(self, seconds: float) -> Message | None:
        """A message, if one comes meanwhile; those that have one are asked in turn."""
        if not self._ready:
            sources = {each.link: each for each in self._sources if not each.ended}
            if not sources:
                raise ClosedError("all publishers have ended, or the subscriber is closed")
            self._ready = [sources[link] for link in wait_any([*sources], seconds)]
        while self._ready:
            source = self._ready.pop()
            message = self._read(source)
            if message.ended:
                source.end()
                continue
            source.last = time.monotonic()
            return message
        return None

    def _read(self, source: _Source) -> Message:
        try:
            return unpack(source.link.receive())
        except WorkerError as error:
            raise WorkerError(f"{source.address}: {error.message}") from None

    def _look(self, now: float) -> None:
        """Who has died, and who has ended without a word.

        Raises:
            WorkerError: one that has died, or will not talk to us.
        """
        self._looked = now
        finished = None if self._launched is None else self._launched.finished()
        for source in self._sources:
            if source.ended or source.link.peers():
                continue
            if source.address in (finished or ()) and not source.link.ever:
                source.end()  # it came to its end before we came
                continue
            lost = self._loss(source, now, finished)
            if lost is not None:
                raise WorkerError(f"{source.address}: {lost}")

    def _loss(self, source: _Source, now: float, finished: Sequence[str] | None) -> str | None:
        """Why nothing more will come of a publisher that is not there, if that is so."""
        if source.link.refused:
            return source.missing(now)
        gone = source.link.gone_since
        if gone is None or source.link.poll_in(0):
            return None
        if finished is None and now - gone > self._patience():
            return f"its publisher has died, or was not closed: {source.missing(now)}"
        if source.address in (finished or ()):
            return (
                "its program has ended without closing its publisher, so its last messages may "
                "be missing; there, use `with Publisher(...)`"
            )
        return None

    def _patience(self) -> float:
        return _GONE if self._timeout is None else min(_GONE, self._timeout)

    def _missing(self, waited: float) -> str:
        now = time.monotonic()
        told = [f"{each.address}: {each.missing(now)}" for each in self._sources if not each.ended]
        return f"no message within {waited:.1f} s: {'; '.join(told)}"

    def close(self) -> None:
        """Hang up; may be called twice."""
        self._ready = []
        for source in self._sources:
            source.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def check_timeout(seconds: float | None) -> float | None:
    """Seconds to wait, or None for any time.

    Raises:
        InvalidValueError: neither.
    """
    if seconds is None or (isinstance(seconds, (int, float)) and 0 <= seconds < 1e9):
        return seconds
    raise InvalidValueError(f"timeout: expected seconds from 0 on, or None, got {shown(seconds)}")
