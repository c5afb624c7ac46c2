"""A server that draws for other programs and machines.

    /render     the WebSocket: messages.py
    /health     whether it draws, as JSON
    /metrics    what it has done, as Prometheus reads it

Every request passes `security.Access` first, as those of a page do.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from ssl import SSLContext
from types import TracebackType
from typing import Final, Self

from heliograph.engine import Renderer
from heliograph.engines.web.security import Access
from heliograph.engines.web.server import Handler, bound_socket, guard
from heliograph.errors import ClosedError, InvalidValueError
from heliograph.pool import Pool
from heliograph.requires import Requires
from heliograph.serve.clients import Client, advanced
from heliograph.serve.messages import (
    FROM_CLIENT,
    PROTOCOL,
    Advance,
    Advanced,
    Changed,
    Hello,
    Refused,
    Welcome,
    pack,
    unpack,
)
from heliograph.serve.metrics import CONTENT_TYPE, Metrics, resident_bytes
from heliograph.serve.samples import Packer
from heliograph.serve.turns import Turns
from heliograph.transport.messages import Opened, version
from heliograph.worker.opening import describe

with Requires("aiohttp"):
    from aiohttp import WSMsgType, web

PORT: Final = 7007
PORTS_TRIED: Final = 20
HELLO_WITHIN: Final = 5.0
"""Seconds that a client has for its first message."""
HEARTBEAT: Final = 30.0
MOST_BYTES: Final = 1 << 28
"""Bytes that the pictures of one order may have."""
MOST_MESSAGE: Final = 1 << 26
"""Bytes that a client's message may have."""
_REFUSALS: Final = (401, 403)


class RenderServer:
    """Serves a renderer, which stays the caller's.

    Args:
        renderer: draws: an engine here, a pool.
        host: address to bind; others than loopback need a token.
        port: 0 picks one; of several the first that is free.
        token: what every request must bring; one is made without it.
        insecure: whether no token is needed; on loopback alone.
        origins: further origins that it is reached by, as behind a reverse proxy that ends TLS.
        ssl: how it speaks TLS itself.
        most_bytes: that the pictures of one order may have.
        allow_files: whether edits of clients may name files of this machine.
        scene: what /health calls the scene.

    Attributes:
        metrics: what it has done.

    Raises:
        InvalidValueError: options that do not go together.
    """

    def __init__(  # noqa: PLR0913 -- each is said by name
        self,
        renderer: Renderer,
        *,
        host: str = "127.0.0.1",
        port: int | Sequence[int] = 0,
        token: str | None = None,
        insecure: bool = False,
        origins: Sequence[str] = (),
        ssl: SSLContext | None = None,
        most_bytes: int = MOST_BYTES,
        allow_files: bool = False,
        scene: str = "",
    ) -> None:
        self.metrics = Metrics()
        self._renderer = renderer
        self._host = host
        self._ports = [port] if isinstance(port, int) else list(port)
        self._ssl = ssl
        self._most_bytes = most_bytes
        self._allow_files = allow_files
        self._scene = scene
        self._access = Access(
            host, token, insecure=insecure, origins=origins, secure=ssl is not None
        )
        self._clients: set[Client] = set()
        self._turns: Turns | None = None
        self._runner: web.AppRunner | None = None
        self._advancing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._routes: Mapping[str, Handler] = {
            "/render": self._socket,
            "/health": self._health,
            "/metrics": self._scraped,
        }
        # Not aiohttp's middlewares: a cache of its module would keep the server and its renderer.
        self._guarded = guard(self._access)
        self._app = web.Application()
        self._app.router.add_get("/{path:.*}", self._answered)

    @property
    def url(self) -> str:
        """What `heliograph.connect` takes, with the token.

        Raises:
            ClosedError: it was not started.
        """
        if self._runner is None:
            raise ClosedError("the server has no address before start() and after close()")
        token = self._access.token
        return f"{self._access.origin}/" + (f"?token={token}" if token else "")

    @property
    def waiting(self) -> int:
        """How many orders wait to be drawn."""
        return 0 if self._turns is None else len(self._turns)

    async def start(self) -> None:
        """Bind and serve.

        Raises:
            InvalidValueError: the port is taken, or the host is none of this machine's.
        """
        bound = bound_socket(self._host, self._ports)
        self._access.bound(bound.getsockname()[1])
        self._turns = Turns(_threads(self._renderer))
        runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.SockSite(runner, bound, ssl_context=self._ssl).start()
        self._runner = runner

    async def close(self) -> None:
        """End all connections and stop serving; may be called twice."""
        runner, self._runner = self._runner, None
        turns, self._turns = self._turns, None
        if runner is None or turns is None:
            return
        for client in list(self._clients):
            client.leave()
        await runner.cleanup()
        await asyncio.to_thread(turns.close)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def run(self, tell: Callable[[str], object] = print) -> None:
        """Serve until it is interrupted or asked to end (SIGTERM).

        Args:
            tell: is told the url, once it serves.
        """
        with suppress(KeyboardInterrupt):
            asyncio.run(self._forever(tell))

    async def _forever(self, tell: Callable[[str], object]) -> None:
        over = asyncio.Event()
        with suppress(NotImplementedError):  # Windows
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
        async with self:
            tell(self.url)
            await over.wait()

    # What is asked over HTTP.

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        answer = await self._guarded(request, self._routed)
        if answer.status in _REFUSALS:
            self.metrics.count("refused")
        return answer

    async def _routed(self, request: web.Request) -> web.StreamResponse:
        handler = self._routes.get(request.path)
        if handler is None:
            return web.Response(status=404, text=f"Here are {', '.join(self._routes)}.\n")
        return await handler(request)

    async def _health(self, request: web.Request) -> web.Response:
        del request
        made = self._renderer.provenance
        return web.json_response(
            {
                "status": "ok",
                "engine": made.engine,
                "device": made.device,
                "scene": self._scene,
                "clients": len(self._clients),
                "waiting": self.waiting,
                "workers": _workers(self._renderer),
                "version": version(),
            }
        )

    async def _scraped(self, request: web.Request) -> web.Response:
        del request
        text = self.metrics.text(
            {
                "heliograph_clients": ("Connections now.", len(self._clients)),
                "heliograph_waiting": ("Orders that wait to be drawn.", self.waiting),
                "heliograph_workers": (
                    "Processes that draw besides the server's own.",
                    _workers(self._renderer),
                ),
                "process_resident_memory_bytes": ("Resident memory.", resident_bytes()),
            }
        )
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})

    # Connections.

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(
            compress=False, heartbeat=HEARTBEAT, max_msg_size=MOST_MESSAGE
        )
        await socket.prepare(request)
        hello = await _hello(socket)
        if isinstance(hello, str):
            self.metrics.count("refused")
            await socket.send_bytes(pack(Refused(hello)))
            await socket.close()
            return socket
        await self._serve(socket, hello, request.transport)
        return socket

    async def _serve(
        self, socket: web.WebSocketResponse, hello: Hello, transport: asyncio.Transport | None
    ) -> None:
        """Serve a client until it is gone."""
        turns = self._turns
        if turns is None:
            return
        async with self._advancing:  # or it would not be told of a change meanwhile
            opened = await asyncio.to_thread(self._described)
            packer = Packer(opened.labels, hello.codec, hello.quality)
            client = Client(socket, self._renderer, turns, packer, self.metrics, self._most_bytes)
            client.on_advance, client.allow_files = self._advance, self._allow_files
            limits = self._renderer.seed, self._most_bytes
            settings = dict(self._renderer.opened)
            client.tell(Welcome(PROTOCOL, version(), opened, *limits, settings))
            self._clients.add(client)
        sending = asyncio.create_task(client.send())
        sending.add_done_callback(partial(_cut_off, transport))
        try:
            async for message in socket:
                binary = message.type is WSMsgType.BINARY
                if not client.receive(message.data if binary else b""):
                    break
        finally:
            self._clients.discard(client)
            client.leave()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    def _described(self) -> Opened:
        return describe(self._renderer)

    def _advance(self, client: Client, message: Advance) -> None:
        task = asyncio.create_task(self._advanced(client, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _advanced(self, client: Client, message: Advance) -> None:
        async with self._advancing:
            how = {"allow_files": self._allow_files}
            answer = await asyncio.to_thread(advanced, self._renderer, message, **how)
            if isinstance(answer, Advanced):
                changed = Changed(await asyncio.to_thread(self._described))
                for each in self._clients:
                    each.tell(changed)
        client.tell(answer)


def _workers(renderer: Renderer) -> int:
    return renderer.workers if isinstance(renderer, Pool) else 0


def _threads(renderer: Renderer) -> int:
    """How many pictures are drawn at once: a pool has some more on their way than workers."""
    return max(1, 2 * _workers(renderer))


def _cut_off(transport: asyncio.Transport | None, sending: asyncio.Task[None]) -> None:
    """Who does not read any more is cut off."""
    if not sending.cancelled() and sending.exception() is not None and transport is not None:
        transport.abort()


async def _hello(socket: web.WebSocketResponse) -> Hello | str:
    """A client's first message, or what is wrong with it."""
    try:
        frame = await socket.receive_bytes(timeout=HELLO_WITHIN)
        hello, _ = unpack(frame, FROM_CLIENT)
    except TimeoutError:
        return f"expected a Hello within {HELLO_WITHIN:g} s"
    except (TypeError, InvalidValueError) as error:
        return f"expected a Hello first: {error}"
    if not isinstance(hello, Hello):
        return f"expected a Hello first, got {type(hello).__name__}"
    if hello.protocol != PROTOCOL:
        return (
            f"expected protocol {PROTOCOL} (heliograph {version()} serves), got "
            f"{hello.protocol} (heliograph {hello.version} asks); install the same version on both"
        )
    return hello
