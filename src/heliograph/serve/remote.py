"""A renderer on another machine.

    caller's threads                    thread "heliograph-remote", with its own loop
    submit, refine, advance  -------->  orders  --- WebSocket --->  RenderServer
    futures, queues  <----------------  answers <------------------

An order is a value and its answer the same whenever it is given; so after a lost connection all
that are not answered are ordered again.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit, urlunsplit

from heliograph.camera import Camera
from heliograph.delivery.progressive import Levels, RenderQueue
from heliograph.engine import CancelToken, Capability, Renderer, check_levels, resolve_cameras
from heliograph.errors import (
    ClosedError,
    HeliographError,
    InvalidValueError,
    WorkerError,
    shown,
)
from heliograph.frame import Labels, Provenance, Sample
from heliograph.passes import Passes, PassSpecs, select_passes, specs
from heliograph.requires import Requires
from heliograph.scene import Description, Edit
from heliograph.serve.messages import (
    CODECS,
    FROM_SERVER,
    PROTOCOL,
    Advance,
    Advanced,
    Cancel,
    Changed,
    Codec,
    Draw,
    Drawn,
    Failed,
    FromClient,
    Hello,
    Refused,
    Welcome,
    pack,
    unpack,
)
from heliograph.serve.samples import Unpacker
from heliograph.transport.messages import Opened, version
from heliograph.transport.problems import unpack_error
from heliograph.transport.scenes import unpack_pass, unpack_scene
from heliograph.transport.values import unpack_camera
from heliograph.transport.views import pack_edits, pack_view
from heliograph.view import View, check_edits

with Requires("aiohttp"):
    import aiohttp

_PASSED_ON: Final = frozenset({Capability.REFINE, Capability.ADVANCE})
_PAUSES: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds before the connection is tried again, the last one over and over."""
_MOST_MESSAGE: Final = 1 << 30
_HEARTBEAT: Final = 20.0
_ENDS_WITHIN: Final = 5.0


def connect(
    url: str,
    token: str | None = None,
    *,
    codec: Codec = "raw",
    quality: int = 90,
    timeout: float = 10.0,
    deadline: float | None = None,
) -> RemoteRenderer:
    """A renderer that `heliograph serve` serves, here or on another machine.

    Args:
        url: what the server printed, such as "http://127.0.0.1:7007/?token=..."; ws:// and wss://
            are as good.
        token: the token, where the url has none.
        codec: how rgb travels: "raw", "png", "jpeg" or "webp". Depth, normals and ids are never
            changed.
        quality: of jpeg and webp, 1 to 100.
        timeout: seconds for the first connection.
        deadline: seconds that an order may take, lost connections and all; None for no end.

    Raises:
        InvalidValueError: no such address, codec, quality or deadline; or the server is of another
            version.
        WorkerError: nobody answers there, or not with this token.
    """
    if deadline is not None and not 0 < deadline < math.inf:
        raise InvalidValueError(f"deadline: expected seconds above 0 or None, got {deadline}")
    if not 1 <= quality <= 100:
        raise InvalidValueError(f"quality: expected 1 to 100, got {quality}")
    if codec not in CODECS:
        raise InvalidValueError(f"codec: expected one of {', '.join(CODECS)}, got {shown(codec)}")
    address, said = _parts_of(url)
    hello = Hello(PROTOCOL, version(), codec, quality)
    connection = _Connection(address, token or said, hello, deadline)
    try:
        connection.wait_ready(timeout)
        return RemoteRenderer(connection)
    except BaseException:
        connection.close()
        raise


class RemoteRenderer(Renderer):
    """What `connect` gives. It connects again by itself; what was ordered is drawn all the same."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    @property
    def _facts(self) -> _Facts:
        return self._connection.facts

    @property
    def scene(self) -> Description:
        """The newest version of the scene that the server has told of."""
        return self._facts.scene

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """The scene's own cameras by name."""
        return self._facts.cameras

    @property
    def passes(self) -> PassSpecs:
        """The passes it can yield."""
        return self._facts.passes

    @property
    def labels(self) -> Labels:
        """Segmentation id -> (name, category)."""
        return self._facts.labels

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What is passed on of what the renderer there does."""
        return self._facts.capabilities & _PASSED_ON

    @property
    def provenance(self) -> Provenance:
        """Who draws there."""
        return self._facts.provenance

    @property
    def seed(self) -> int:
        """Seed of the run there."""
        return self._facts.seed

    @property
    def opened(self) -> Mapping[str, Any]:
        """What decides its pictures besides the scene, in terms of JSON."""
        return self._facts.settings

    def submit(self, view: View, *, priority: int = 0) -> Future[Sample]:
        """Order one view; see `heliograph.engine.Renderer`."""
        future: Future[Sample] = Future()
        order = self._order(view, priority, None, lambda sample: _settle(future, sample))

        def forget(done: Future[Sample]) -> None:
            if done.cancelled():
                self._connection.cancel(order)

        future.add_done_callback(forget)
        self._connection.put(order)
        return future

    def refine(
        self,
        view: View,
        cancel: CancelToken | None = None,
        levels: Sequence[float] | None = None,
        *,
        priority: int = 0,
    ) -> Iterator[Sample]:
        """Draw one view coarsely first, then better and better; see `heliograph.engine.Engine`."""
        parts = check_levels(levels)
        came: SimpleQueue[Sample | HeliographError | None] = SimpleQueue()
        order = self._order(view, priority, parts, came.put)
        return self._refined(order, came, cancel or CancelToken(), len(parts))

    def _refined(
        self,
        order: _Order,
        came: SimpleQueue[Sample | HeliographError | None],
        cancel: CancelToken,
        count: int,
    ) -> Iterator[Sample]:
        def end() -> None:
            came.put(None)

        cancel.on_cancel(end)
        try:
            if not cancel.cancelled:
                self._connection.put(order)
            while count and not cancel.cancelled and (sample := came.get()) is not None:
                if isinstance(sample, HeliographError):
                    raise sample
                count -= 1
                yield sample
        finally:
            cancel.forget(end)
            self._connection.cancel(order)

    def advance(self, changes: Edit | Sequence[Edit]) -> int:
        """Change the scene there for good, for everybody; see `heliograph.engine.Described`.

        Raises:
            WorkerError: the connection was lost meanwhile; nobody knows whether it was done.
        """
        edits = pack_edits(check_edits(changes, "advance"))
        return self._connection.advance(edits)

    def queue(
        self,
        *,
        passes: Passes = ("rgb",),
        levels: Levels | None = None,
        latency: float = 0.1,
    ) -> RenderQueue:
        """A queue over it, newest-best first; see `heliograph.RenderQueue`."""
        return RenderQueue(self, passes=passes, levels=levels, latency=latency)

    def close(self) -> None:
        """End the connection; what is not answered fails with `ClosedError`."""
        self._connection.close()

    def _order(
        self,
        view: View,
        priority: int,
        levels: Sequence[float] | None,
        give: Callable[[Sample | HeliographError], object],
    ) -> _Order:
        if not isinstance(view, View):
            raise InvalidValueError(f"expected a heliograph.View, got {shown(view)}")
        facts = self._facts
        resolve_cameras(view, facts.cameras)
        select_passes(view.pass_names, facts.passes)
        wire, _ = pack_view(view, facts.cameras, inline=True)
        parts = None if levels is None else list(levels)
        return _Order(Draw(0, wire, parts, priority), view, give)


@dataclass(eq=False)
class _Order:
    """What was ordered and is not answered to its end.

    Attributes:
        message: what the server is told.
        view: the same.
        give: takes each sample, or what went wrong.
        next: number of the next level that was not given yet.
        ordered: when, seconds since the epoch.
        until: when it is given up, by the monotonic clock.
    """

    message: Draw
    view: View
    give: Callable[[Sample | HeliographError], object]
    next: int = 0
    ordered: float = field(default_factory=time.time)
    until: float | None = None


@dataclass(frozen=True)
class _Facts:
    """What the server says of its renderer."""

    scene: Description
    cameras: Mapping[str, Camera]
    passes: PassSpecs
    labels: Labels
    capabilities: frozenset[Capability]
    provenance: Provenance
    seed: int
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, opened: Opened, seed: int, settings: Mapping[str, Any]) -> _Facts:
        cameras = [unpack_camera(each) for each in opened.cameras]
        known = {each.value: each for each in Capability}
        return cls(
            unpack_scene(opened.scene),
            MappingProxyType({camera.name: camera for camera in cameras}),
            specs(*[unpack_pass(each) for each in opened.passes]),
            opened.labels,
            frozenset(known[each] for each in opened.capabilities if each in known),
            opened.provenance,
            seed,
            settings,
        )


class _Connection:
    """The thread that speaks to a server; its orders belong to its loop."""

    def __init__(
        self, address: str, token: str | None, hello: Hello, deadline: float | None
    ) -> None:
        self.facts: _Facts
        self._address, self._hello, self._deadline = address, hello, deadline
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._numbers = itertools.count(1)
        self._orders: dict[int, _Order] = {}
        self._advances: dict[int, Future[int]] = {}
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._unpacker: Unpacker | None = None
        self._ready: Future[None] = Future()
        self._sending: set[asyncio.Task[None]] = set()
        self._why = ""
        self._why_closed = "this renderer is closed"
        self._closed = False
        self._calling = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(self._stay_connected())
        self._thread = threading.Thread(target=self._run, name="heliograph-remote", daemon=True)
        self._thread.start()

    # From any thread.

    def wait_ready(self, timeout: float) -> None:
        """Wait for the first connection.

        Raises:
            WorkerError: there is none in time.
            InvalidValueError: the server refuses us.
        """
        try:
            self._ready.result(timeout)
        except TimeoutError:
            why = self._why or "it does not answer"
            raise WorkerError(
                f"{self._address}: no renderer there within {timeout:g} s: {why}; is `heliograph "
                "serve` running, and is this what it printed?"
            ) from None

    def put(self, order: _Order) -> None:
        """Have something drawn."""
        self._call(self._put, order)

    def cancel(self, order: _Order) -> None:
        """Nobody waits for it any more."""
        with suppress(ClosedError):
            self._call(self._cancel, order)

    def advance(self, changes: Any) -> int:
        """See `RemoteRenderer.advance`."""
        future: Future[int] = Future()
        self._call(self._advance, changes, future)
        return future.result()

    def close(self) -> None:
        """End it; may be called twice."""
        with suppress(ClosedError):
            self._call(self._task.cancel)
        if threading.current_thread() is not self._thread:  # or it is a callback of ours
            self._thread.join(_ENDS_WITHIN)

    def _call(self, call: Any, *arguments: Any) -> None:
        """Have something done in the loop; all that it takes is done, or fails with the rest."""
        with self._calling:
            if self._closed:
                raise ClosedError(self._why_closed)
            self._loop.call_soon_threadsafe(call, *arguments)

    # In the loop.

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            with suppress(asyncio.CancelledError):
                self._loop.run_until_complete(self._task)
        finally:
            with self._calling:
                self._closed = True
            self._loop.run_until_complete(asyncio.sleep(0))  # what was put meanwhile
            self._fail_all(ClosedError(self._why_closed))
            self._loop.close()

    async def _stay_connected(self) -> None:
        deadlines = asyncio.ensure_future(self._keep_deadlines())
        pauses = iter(_PAUSES)
        try:
            async with aiohttp.ClientSession(headers=self._headers) as session:
                while True:
                    try:
                        if await self._connected(session):
                            pauses = iter(_PAUSES)
                    except (aiohttp.ClientError, OSError, TimeoutError) as error:
                        self._why = _said(error)
                    except HeliographError as error:  # it will not be better next time
                        self._why_closed = error.message
                        if not self._ready.done():
                            self._ready.set_exception(error)
                        return
                    await asyncio.sleep(next(pauses, _PAUSES[-1]))
        finally:
            deadlines.cancel()

    async def _connected(self, session: aiohttp.ClientSession) -> bool:
        """Serve one connection to its end; whether the server welcomed us.

        Raises:
            HeliographError: the server will not serve us.
        """
        url = f"{self._address}/render"
        try:
            socket = await session.ws_connect(
                url, max_msg_size=_MOST_MESSAGE, heartbeat=_HEARTBEAT, compress=0
            )
        except aiohttp.WSServerHandshakeError as error:
            if error.status in (401, 403):
                raise WorkerError(
                    f"{self._address}: refused ({error.status}); expected the token and the "
                    "address that `heliograph serve` printed"
                ) from None
            raise
        welcomed = False
        async with socket:
            await socket.send_bytes(pack(self._hello))
            try:
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.BINARY:
                        welcomed = self._receive(socket, message.data) or welcomed
            finally:
                self._socket = None
                self._lose_advances()
        self._why = "the connection was lost"
        return welcomed

    def _receive(self, socket: aiohttp.ClientWebSocketResponse, frame: bytes) -> bool:
        """Take a message; whether it is a welcome."""
        message, body = unpack(frame, FROM_SERVER)
        if isinstance(message, Welcome):
            self._welcome(socket, message)
            return True
        if isinstance(message, Refused):
            raise InvalidValueError(f"{self._address}: {message.reason}")
        if isinstance(message, Drawn):
            self._drawn(message, body)
        elif isinstance(message, Failed):
            self._failed(message)
        elif isinstance(message, Advanced):
            _settle(self._advances.pop(message.order, Future()), message.version)
        elif isinstance(message, Changed):
            self.facts = _Facts.of(message.opened, self.facts.seed, self.facts.settings)
        return False

    def _welcome(self, socket: aiohttp.ClientWebSocketResponse, message: Welcome) -> None:
        if message.protocol != PROTOCOL:
            raise InvalidValueError(
                f"{self._address}: expected protocol {PROTOCOL} (heliograph {version()}), got "
                f"{message.protocol} (heliograph {message.version} serves); install the same "
                "version on both"
            )
        self.facts = facts = _Facts.of(message.opened, message.seed, message.settings)
        self._unpacker = Unpacker(facts.labels, facts.passes, facts.provenance)
        self._socket = socket
        if not self._ready.done():
            self._ready.set_result(None)
        for order in self._orders.values():
            order.message.skip = order.next
            self._send(order.message)

    def _drawn(self, message: Drawn, body: memoryview) -> None:
        order = self._orders.get(message.order)
        if order is None or self._unpacker is None:
            return
        try:
            made = self._unpacker.sample(message.sample, message.parts, body, order.view)
        except Exception as error:  # noqa: BLE001 -- whatever it holds, others are drawn all the same
            why = f"an answer that makes no sample: {type(error).__name__}: {error}"
            made_of = error if isinstance(error, HeliographError) else WorkerError(why)
            self._give_up(order, made_of)
            return
        if message.last:
            del self._orders[message.order]
        if message.number >= order.next:
            order.next = message.number + 1
            provenance = replace(made.provenance, ordered=order.ordered)
            order.give(replace(made, provenance=provenance))

    def _failed(self, message: Failed) -> None:
        error = unpack_error(message.problem)
        if message.order in self._advances:
            _settle(self._advances.pop(message.order), error)
        elif message.order in self._orders:
            self._give_up(self._orders[message.order], error)

    def _give_up(self, order: _Order, error: HeliographError) -> None:
        self._orders.pop(order.message.order, None)
        if order.view.seed is not None and error.seed is None:
            error.index, error.seed = order.view.index, order.view.seed
        order.give(error)

    def _put(self, order: _Order) -> None:
        if self._task.done():
            self._give_up(order, ClosedError(self._why_closed))
            return
        order.message.order = next(self._numbers)
        if self._deadline is not None:
            order.until = time.monotonic() + self._deadline
            order.message.within = self._deadline
        self._orders[order.message.order] = order
        self._send(order.message)

    def _cancel(self, order: _Order) -> None:
        if self._orders.pop(order.message.order, None) is not None:
            self._send(Cancel(order.message.order))

    def _advance(self, changes: Any, future: Future[int]) -> None:
        number = next(self._numbers)
        if self._socket is None:
            _settle(future, WorkerError(f"{self._address}: {self._why or 'not connected'}"))
            return
        self._advances[number] = future
        self._send(Advance(number, changes))

    def _send(self, message: FromClient) -> None:
        """Have a message sent; where there is no connection, orders are sent with the next one."""
        socket = self._socket
        if socket is not None:
            task = self._loop.create_task(_sent(socket, pack(message)))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    def _lose_advances(self) -> None:
        advances, self._advances = self._advances, {}
        for future in advances.values():
            lost = "the connection was lost; whether the scene was changed is not known"
            _settle(future, WorkerError(f"{self._address}: {lost}"))

    def _fail_all(self, error: HeliographError) -> None:
        orders, self._orders = self._orders, {}
        for order in orders.values():
            order.give(error)
        self._lose_advances()
        if not self._ready.done():
            self._ready.set_exception(error)

    async def _keep_deadlines(self) -> None:
        while self._deadline is not None:
            await asyncio.sleep(min(0.25 * self._deadline, 1.0))
            now = time.monotonic()
            for order in [each for each in self._orders.values() if (each.until or now) < now]:
                self._cancel(order)
                why = self._why if self._socket is None else "it has too much to draw"
                order.give(WorkerError(f"not drawn within {self._deadline:g} s: {why}"))


async def _sent(socket: aiohttp.ClientWebSocketResponse, frame: bytes) -> None:
    with suppress(ConnectionError, aiohttp.ClientError):  # it is sent again with the next one
        await socket.send_bytes(frame)


def _settle(future: Future[Any], what: Any) -> None:
    if not future.set_running_or_notify_cancel():
        return
    if isinstance(what, BaseException):
        future.set_exception(what)
    else:
        future.set_result(what)


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def _parts_of(url: str) -> tuple[str, str | None]:
    """The address without its path, and the token that it names.

    Raises:
        InvalidValueError: it is no address.
    """
    parts = urlsplit(url) if isinstance(url, str) else urlsplit("")
    schemes = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
    if parts.scheme not in schemes or not parts.netloc:
        raise InvalidValueError(
            f"url: expected such as 'http://127.0.0.1:7007/?token=...', got {shown(url)}"
        )
    said = parse_qs(parts.query).get("token", [None])[0]
    return urlunsplit((schemes[parts.scheme], parts.netloc, "", "", "")), said
