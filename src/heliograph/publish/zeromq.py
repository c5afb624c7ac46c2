"""ZeroMQ: sockets that are bound or connected, with or without a key, and who is at their ends.

The only module that imports it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from heliograph.errors import ClosedError, InvalidValueError
from heliograph.publish.addresses import check_address, is_listening
from heliograph.publish.framing import MAX_FRAME, MAX_HEADER, Buffer
from heliograph.publish.keys import find_key, secret_of
from heliograph.requires import Requires

with Requires("zmq"):
    import zmq
    from zmq.auth.thread import ThreadAuthenticator
    from zmq.utils import z85
    from zmq.utils.monitor import recv_monitor_message

PUSH: Final = int(zmq.PUSH)
PULL: Final = int(zmq.PULL)
PAIR: Final = int(zmq.PAIR)

_SURE: Final = 3
_DOMAIN: Final = "heliograph"
_HANDSHAKE: Final = 3000
"""Milliseconds that who has connected may take to say who it is."""

_REFUSED: Final = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)
_EVENTS: Final = (
    _REFUSED
    | zmq.EVENT_ACCEPTED
    | zmq.EVENT_CONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_DISCONNECTED
)


class Link:
    """A socket that is bound or connected, for one thread at a time.

    Args:
        kind: `PUSH`, `PULL` or `PAIR`.
        address: `tcp://host:port` or `ipc://path`.
        bind: whether to bind it.
        queue: messages that wait at each end of a connection.
        key: what both ends have; needed where other machines reach the address.

    Attributes:
        address: with the port that was chosen.
        gone_since: when the last of those that were there went (`time.monotonic`), or None.
        failures: whether another end would not talk to us since the last that did.
        ever: whether anybody at the other end has ever said who it is.

    Raises:
        InvalidValueError: the address is none, is in use, or needs a key.
    """

    def __init__(
        self, kind: int, address: str, *, bind: bool, queue: int, key: str | None = None
    ) -> None:
        self.address = check_address(address, bind=bind)
        key = find_key(self.address, key)
        self.gone_since: float | None = None
        self.failures = 0
        self.ever = False
        self._peers: set[int] = set()
        self._closed = False
        self._guard: ThreadAuthenticator | None = None
        self._context = zmq.Context()
        try:
            self._socket = self._context.socket(kind)
            self._socket.set_hwm(queue)
            self._set(LINGER=0, MAXMSGSIZE=max(MAX_FRAME, MAX_HEADER), HANDSHAKE_IVL=_HANDSHAKE)
            # Asked by the kernel: ZeroMQ's own beats wait behind the messages of a full queue.
            self._set(TCP_KEEPALIVE=1, TCP_KEEPALIVE_IDLE=5)
            self._set(TCP_KEEPALIVE_INTVL=2, TCP_KEEPALIVE_CNT=3)
            self._set(RECONNECT_IVL=50, RECONNECT_IVL_MAX=500, IPV6=int("[" in self.address))
            self._monitor: Any = self._socket.get_monitor_socket(_EVENTS)
            if key is not None:
                self._encrypt(key, bind)
            if bind:
                # With it ZeroMQ turns away what speaks no ZMTP 3, such as a browser, which it would
                # take for a peer of ZMTP 1 and send messages to.
                self._socket.setsockopt_string(zmq.ZAP_DOMAIN, _DOMAIN)
                self._bind()
            else:
                self._socket.connect(self.address)
        except BaseException:
            self.close()
            raise

    def poll_out(self, seconds: float) -> bool:
        """Whether a message can be sent; waits for it."""
        with _while_open(self):
            return bool(self._socket.poll(max(0, round(seconds * 1000)), zmq.POLLOUT))

    def poll_in(self, seconds: float) -> bool:
        """Whether a message is there; waits for it."""
        with _while_open(self):
            return bool(self._socket.poll(max(0, round(seconds * 1000)), zmq.POLLIN))

    def send(self, frames: Sequence[Buffer]) -> bool:
        """Send a message; False where who had room for it is gone. Its frames are copied."""
        try:
            with _while_open(self):
                self._socket.send_multipart(frames, zmq.NOBLOCK)
            return True
        except zmq.Again:  # of the first frame: the others go where it went
            return False
        except BaseException:
            self.close()  # part of it is sent, and the next would be taken for the rest
            raise

    def receive(self) -> Sequence[Buffer]:
        """A message that is there; its frames may be written."""
        with _while_open(self):
            frames: Sequence[Buffer] = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
        return frames

    def peers(self) -> int:
        """How many are at the other end now; none where this is closed."""
        monitor = self._monitor
        with suppress(ClosedError), _while_open(self):
            while not self._closed and monitor.poll(0):
                event = recv_monitor_message(monitor)
                self._note(event["event"], event["value"])
        return 0 if self._closed else len(self._peers)

    def _note(self, event: int, value: int) -> None:
        if event & _REFUSED:
            # One that dies while we connect looks like this, but once; of the rest ZeroMQ is sure,
            # and does not try again.
            self.failures += 1 if event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL else _SURE
        elif event in (zmq.EVENT_ACCEPTED, zmq.EVENT_CONNECTED):
            self._peers.add(value)
        elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self.ever, self.failures, self.gone_since = True, 0, None
        else:
            self._peers.discard(value)
            if not self._peers:  # also one that went before it said who it is
                self.gone_since = time.monotonic()

    def close(self, linger: float = 0) -> None:
        """Let go of the connections; may be called twice.

        Args:
            linger: seconds that what was sent has to get on its way, at most.
        """
        self._closed = True
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.stop()
        self._context.destroy(linger=round(linger * 1000))

    @property
    def refused(self) -> bool:
        """Whether another end is there that will not talk to us."""
        return self.failures >= _SURE

    @property
    def closed(self) -> bool:
        """Whether it is."""
        return self._closed

    def check_open(self, what: str) -> None:
        """Raise an error where it is closed."""
        if self.closed:
            raise ClosedError(f"{what} at {self.address} is closed")

    def _set(self, **options: int) -> None:
        for name, value in options.items():
            self._socket.setsockopt(getattr(zmq, name), value)

    def _bind(self) -> None:
        path = self.address.removeprefix("ipc://")
        try:
            if path != self.address and is_listening(path):  # ZeroMQ would take it away from them
                raise zmq.ZMQError(zmq.EADDRINUSE)
            self._socket.bind(self.address)
        except zmq.ZMQError as error:
            taken = error.errno == zmq.EADDRINUSE
            advice = "another process has it; use another, or port 0 for a free one"
            raise InvalidValueError(
                f"{self.address}: cannot be bound ({advice if taken else error})"
            ) from None
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def _encrypt(self, key: str, bind: bool) -> None:
        server, client = (_pair(secret_of(key, side)) for side in ("server", "client"))
        mine = server if bind else client
        self._socket.curve_publickey, self._socket.curve_secretkey = mine
        if not bind:
            self._socket.curve_serverkey = server[0]
            return
        self._socket.curve_server = True
        self._socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # without its guard nobody comes in
        self._guard = ThreadAuthenticator(self._context)
        self._guard.start()
        self._guard.configure_curve_callback(_DOMAIN, _Allowed(client[0]))


class _Allowed:
    """Tells ZeroMQ who may come in."""

    def __init__(self, public: bytes) -> None:
        self._public = public

    def callback(self, domain: str, public: bytes) -> bool:
        """Whether who has this public key may."""
        del domain
        return public == self._public


def wait_any(links: Sequence[Link], seconds: float) -> list[Link]:
    """Those where a message is there; waits for the first.

    Raises:
        ClosedError: one is closed, or was meanwhile.
    """
    poller = zmq.Poller()
    sockets = {link._socket: link for link in links}
    with _while_open(*links):
        for each in sockets:
            poller.register(each, zmq.POLLIN)
        return [sockets[each] for each, _ in poller.poll(max(0, round(seconds * 1000)))]


@contextmanager
def _while_open(*links: Link) -> Iterator[None]:
    """Tell of links that a signal's handler or another thread closes meanwhile."""
    try:
        yield
    except zmq.ZMQError:
        for each in links:
            each.check_open("the socket")
        raise


def _pair(secret: bytes) -> tuple[bytes, bytes]:
    """(public, secret) as ZeroMQ writes them."""
    told = z85.encode(secret)
    return zmq.curve_public(told), told
