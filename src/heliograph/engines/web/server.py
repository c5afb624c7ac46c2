"""The server that pages come from and speak to.

    /                         the page; gives the cookie to whoever brings the token
    /<file>                   the rest of its bundle; what draws splats comes from heliograph-spark
    /assets/<digest>/<name>   files that were registered, and those they name
    /static/<path>            files below `static_root`
    /ws                       the WebSocket: messages.py, framed by wire.py

Every request passes `security.Access` first.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from ssl import SSLContext
from typing import Any, Final, TypedDict, Unpack

from heliograph.disk import open_file, reason
from heliograph.engines.web.assets import PREFIX, AssetStore
from heliograph.engines.web.link import PageLink
from heliograph.engines.web.messages import PROTOCOL, Close, Hello
from heliograph.engines.web.reader import MessageReader
from heliograph.engines.web.security import HEADERS, SANDBOX, Access
from heliograph.engines.web.wire import pack, unpack
from heliograph.errors import ClosedError, InvalidValueError
from heliograph.requires import Requires

with Requires("aiohttp"):
    from aiohttp import web
    from aiohttp.typedefs import Middleware

OnPage = Callable[[PageLink], Awaitable[None]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

BUNDLE: Final = Path(__file__).parent / "static"
SPARK: Final = "heliograph_spark"
"""The package whose folder `static` holds what draws splats in the page."""
HELLO_WITHIN: Final = 5.0
"""Seconds that a page has for its first message."""
HEARTBEAT: Final = 120.0
"""Seconds of silence before a page is asked whether it is still there.

It has half of that to answer, as the question waits behind all that it has not read yet.
"""
_CHUNK: Final = 1 << 20
_NO_BUNDLE = (
    "The page's files are missing in this installation. In a git checkout, build them:\n\n"
    "    cd client && npm ci && npm run build\n"
)
_NO_FILE = "No such file.\n"
_SPARK_FILE: Final = "spark.module.js"
_NO_SPARK = (
    "splats in the page need heliograph-spark, which is not installed: "
    "pip install heliograph-spark (in a checkout: pip install ./client/spark, or scripts/setup)\n"
)
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".glb": "model/gltf-binary",
    ".gltf": "model/gltf+json",
}


class ServerOptions(TypedDict, total=False):
    """What a `PageServer` takes besides."""

    host: str
    port: int | Sequence[int]
    token: str | None
    insecure: bool
    static_root: Path | str | None
    origins: Sequence[str]
    ssl: SSLContext | None


class PageServer:
    """Serves the page, and gives each that connects to a function.

    Args:
        on_page: runs as a task for each page, until it is gone.
        host: address to bind.
        port: 0 picks one; of several the first that is free.
        token: what every request must bring; one is made without it.
        insecure: whether no token is needed; on loopback alone.
        static_root: a folder whose files are served below `/static/`.
        origins: further origins that pages are reached by, such as "https://robots.example.org"
            behind a reverse proxy that ends TLS and passes `Host` on.
        ssl: how it speaks TLS itself.

    Attributes:
        assets: the files that pages may fetch.

    Raises:
        InvalidValueError: options that do not go together.
    """

    def __init__(self, on_page: OnPage, **options: Unpack[ServerOptions]) -> None:
        self.assets = AssetStore()
        self._on_page = on_page
        self._host = options.get("host", "127.0.0.1")
        port = options.get("port", 0)
        self._ports = list(port) if isinstance(port, Sequence) else [port]
        self._ssl = options.get("ssl")
        root = options.get("static_root")
        self._static = None if root is None else Path(root).resolve()
        self._access = Access(
            self._host,
            options.get("token"),
            insecure=options.get("insecure", False),
            origins=options.get("origins", ()),
            secure=self._ssl is not None,
        )
        self._links: set[PageLink] = set()
        self._app = web.Application(middlewares=[guard(self._access)])
        self._app.on_response_prepare.append(_say_headers)
        self._app.router.add_get("/ws", self._socket)
        self._app.router.add_get(f"/{PREFIX}/{{digest}}/{{name:.+}}", self._asset)
        self._app.router.add_get("/static/{name:.+}", self._static_file)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The address to open, with the token.

        Raises:
            ClosedError: it was not started.
        """
        if self._runner is None:
            raise ClosedError("the server has no address before start() and after close()")
        token = self._access.token
        return f"{self._access.origin}/" + (f"?token={token}" if token else "")

    def add_route(self, path: str, handler: Handler) -> None:
        """Serve a path of one's own, for all methods; before `start`.

        The token, host and origin are checked before `handler` is called.

        Args:
            path: as aiohttp's router takes it.
            handler: makes the answer.
        """
        self._app.router.add_route("*", path, handler)

    async def start(self) -> None:
        """Bind and serve.

        Raises:
            InvalidValueError: the port is taken, or the host is none of this machine's.
        """
        bound = bound_socket(self._host, self._ports)
        self._access.bound(bound.getsockname()[1])
        self._app.router.add_get("/{name:.*}", self._bundle)
        runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.SockSite(runner, bound, ssl_context=self._ssl).start()
        self._runner = runner

    async def close(self) -> None:
        """End all pages, which connect again when a server is back, and stop serving."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        links = list(self._links)
        for link in links:
            link.close("the program has ended", again=True)
        await asyncio.gather(*(link.wait_closed() for link in links))
        await runner.cleanup()

    async def _bundle(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"] or "index.html"
        if not (BUNDLE / "index.html").is_file():
            return web.Response(status=503, text=_NO_BUNDLE)
        path = _spark() if name == _SPARK_FILE else confined(BUNDLE, name)
        if path is None:
            return _no_file(_NO_SPARK if name == _SPARK_FILE else _NO_FILE)
        data = path.read_bytes()
        answer = _unchanged(request, hashlib.sha256(data).hexdigest()[:32])
        if answer is None:
            answer = web.Response(body=data)
            _describe(answer, path, hashlib.sha256(data).hexdigest()[:32])
        if name == "index.html" and self._access.brings_token(request):
            self._give_cookie(answer)
        return answer

    def _give_cookie(self, answer: web.StreamResponse) -> None:
        answer.set_cookie(
            self._access.cookie,
            str(self._access.token),
            httponly=True,
            samesite="Strict",
            secure=self._ssl is not None,
        )

    async def _asset(self, request: web.Request) -> web.StreamResponse:
        digest, name = request.match_info["digest"], request.match_info["name"]
        path = self.assets.find(digest, name)
        return await _file(request, path, digest)

    async def _static_file(self, request: web.Request) -> web.StreamResponse:
        path = self._static and confined(self._static, request.match_info["name"])
        if path is None:
            return _no_file()
        facts = path.stat()
        return await _file(request, path, f"{facts.st_mtime_ns:x}-{facts.st_size:x}")

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        answer = web.WebSocketResponse(compress=False, heartbeat=HEARTBEAT)
        await answer.prepare(request)
        transport = request.transport
        if transport is None:  # gone already
            return answer
        reader = MessageReader.before(transport)
        ended = asyncio.create_task(_ended(answer))
        first: asyncio.Future[PageLink | str] = asyncio.get_running_loop().create_future()

        def begin(frame: memoryview) -> None:
            """Take the first message; the link takes those after it."""
            hello = _hello(frame)
            if isinstance(hello, Hello):
                link = PageLink(hello, _Frames(answer, transport), self.assets)
                reader.limit = lambda: link.most_bytes
                reader.on_message, reader.on_text = link.receive, link.note_malformed
                first.set_result(link)
            else:
                reader.on_message = lambda _: None
                first.set_result(hello)

        reader.on_message = begin
        reader.on_text = partial(begin, memoryview(b""))
        either: set[asyncio.Future[Any]] = {first, ended}
        await asyncio.wait(either, timeout=HELLO_WITHIN, return_when=asyncio.FIRST_COMPLETED)
        if not first.done():
            first.set_result(f"expected a Hello within {HELLO_WITHIN:g} s")
        come = first.result()
        if isinstance(come, PageLink):
            await self._serve(come, reader, ended)
        elif not ended.done():
            await _dismiss(answer, come)
        await ended
        return answer

    async def _serve(
        self, link: PageLink, reader: MessageReader, ended: asyncio.Task[None]
    ) -> None:
        """Send to a page and run the program for it, until it is gone."""
        self._links.add(link)
        tasks = [asyncio.create_task(link.run()), asyncio.create_task(self._run_program(link))]
        try:
            await ended
        finally:
            link.lost(reader.refused or "it has closed its connection")
            self._links.discard(link)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run_program(self, link: PageLink) -> None:
        try:
            await self._on_page(link)
        except Exception as error:  # noqa: BLE001 -- the user's own code raises whatever it likes
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"on_page failed for page {link.id}", "exception": error}
            )
            link.close(f"the program failed: {error}")


def guard(access: Access) -> Middleware:
    """Answers what `access` refuses, before anything else looks at it."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        refusal = access.refusal(request)
        if refusal is not None:
            return web.Response(status=refusal.status, text=refusal.text)
        return await handler(request)

    return guarded


class _Frames:
    """The link's socket over aiohttp's."""

    def __init__(self, answer: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        self._answer = answer
        self._transport = transport

    async def send(self, frame: bytes) -> None:
        await self._answer.send_bytes(frame)

    async def close(self, reason: str) -> None:
        await self._answer.close(message=_short(reason))

    def abort(self) -> None:
        self._transport.abort()


def _short(reason: str) -> bytes:
    """What a close frame has room for (RFC 6455, 5.5.1)."""
    return reason.encode()[:120].decode(errors="ignore").encode()


def confined(root: Path, name: str) -> Path | None:
    """The file of a name below a folder; None where there is none, or where it leads out of it."""
    parts = name.split("/")
    if "\0" in name or "\\" in name or any(part in ("", ".", "..") for part in parts):
        return None
    path, inside = Path(os.path.realpath(root.joinpath(*parts))), Path(os.path.realpath(root))
    try:
        return path if path.is_relative_to(inside) and path.is_file() else None
    except OSError:  # a name that is too long
        return None


def bound_socket(host: str, ports: Sequence[int]) -> socket.socket:
    """A socket that listens at the first of the ports that is free."""
    why = ""
    for port in ports:
        try:
            return _listening(host, port)
        except OSError as error:
            why = reason(error)
    raise InvalidValueError(
        f"port {' or '.join(map(str, ports))} of {host} cannot be had ({why}): end the program "
        "that has it, or give another port; port=0 picks a free one"
    )


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise InvalidValueError(f"host: {host!r} is no address of this machine: {error}") from None
    made = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(128)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made


async def _ended(answer: web.WebSocketResponse) -> None:
    """Wait until a socket is closed; its messages go another way."""
    async for _ in answer:
        await answer.close(code=1002, message=b"sent messages before the handshake was over")


async def _dismiss(answer: web.WebSocketResponse, why: str) -> None:
    with suppress(ConnectionError):
        await answer.send_bytes(pack(Close(why, again=False)))
    await answer.close(code=1008, message=_short(why))


def _hello(frame: memoryview) -> Hello | str:
    """A page's first message, or what is wrong with it."""
    try:
        hello, _ = unpack(frame)
    except InvalidValueError as error:
        return f"expected a Hello first: {error}"
    if not isinstance(hello, Hello):
        return f"expected a Hello first, got {type(hello).__name__}"
    if hello.protocol != PROTOCOL:
        return (
            f"expected protocol {PROTOCOL}, got {hello.protocol}: this page is of another version "
            "than its server; reload it"
        )
    return hello


async def _say_headers(request: web.Request, answer: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)
    answer.headers.setdefault("Cache-Control", "no-cache")


def _spark() -> Path | None:
    """The library that draws splats; None where it is not installed."""
    spec = find_spec(SPARK)
    if spec is None or spec.origin is None:
        return None
    return confined(Path(spec.origin).with_name("static"), _SPARK_FILE)


def _no_file(text: str = _NO_FILE) -> web.Response:
    return web.Response(status=404, text=text)


def _unchanged(request: web.Request, etag: str) -> web.StreamResponse | None:
    """The answer to who has a file already; None if they have not."""
    if f'"{etag}"' not in request.headers.get("If-None-Match", ""):
        return None
    return web.Response(status=304, headers={"ETag": f'"{etag}"'})


def _describe(answer: web.StreamResponse, path: Path, etag: str) -> None:
    answer.headers["Content-Type"] = _TYPES.get(path.suffix.lower(), "application/octet-stream")
    answer.headers["ETag"] = f'"{etag}"'


async def _file(request: web.Request, path: Path | None, etag: str) -> web.StreamResponse:
    """A file of the user's, in parts."""
    try:
        stream = None if path is None else open_file(path)
    except OSError:
        stream = None
    if path is None or stream is None:
        return _no_file()
    with stream:
        unchanged = _unchanged(request, etag)
        if unchanged is not None:
            return unchanged
        answer = web.StreamResponse(headers=dict(SANDBOX))
        _describe(answer, path, etag)
        answer.content_length = os.fstat(stream.fileno()).st_size
        await answer.prepare(request)
        left: Any = answer.content_length if request.method == "GET" else 0
        while left and (part := await asyncio.to_thread(stream.read, min(left, _CHUNK))):
            left -= len(part)
            await answer.write(part)
        await answer.write_eof()
    return answer
