"""A page as far as its server knows: a WebSocket client that keeps the rows it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, TypeVar, cast

import aiohttp
import numpy as np

from heliograph.engines.web.link import PageLink
from heliograph.engines.web.messages import (
    PROTOCOL,
    Applied,
    Apply,
    CameraSpec,
    Close,
    Forget,
    Hello,
    Picture,
    Render,
    Rendered,
    Row,
    ToPage,
)
from heliograph.engines.web.server import PageServer
from heliograph.engines.web.wire import Buffers, pack, unpack_to_page

Links: TypeAlias = asyncio.Queue[PageLink]
HELLO = Hello(PROTOCOL, "none", {"client": "test"})


def socket_url(server: PageServer, query: str = "") -> str:
    address, _, token = server.url.partition("?")
    return f"{address}ws?{query or token}"


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[tuple[PageServer, Links]]:
    """A server, and the links of the pages that come."""
    links: Links = asyncio.Queue()
    server = PageServer(links.put, **options)
    await server.start()
    try:
        yield server, links
    finally:
        await server.close()


_M = TypeVar("_M")


class Page:
    """Keeps rows and blobs as a page does, and answers."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.rows: dict[str, Row] = {}
        self.blobs: dict[str, bytes] = {}
        self.version = 0
        self.told: list[ToPage] = []
        self.closed: Close | None = None
        self.answers = True

    async def send(self, message: Any, buffers: Any = None) -> None:
        await self.socket.send_bytes(pack(message, buffers))

    async def read(self) -> None:
        async for frame in self.socket:
            message, body = unpack_to_page(frame.data)
            self.told.append(message)
            await self.take(message, body)

    async def take(self, message: Any, body: memoryview) -> None:
        if isinstance(message, Apply):
            self.apply(message, body)
            await self.send(Applied(message.version))
        elif isinstance(message, Forget):
            for blob in message.blobs:
                del self.blobs[blob]
        elif isinstance(message, Close):
            self.closed = message
        elif isinstance(message, Render) and self.answers:
            await self.send(*answer_to(message, self.version))

    def apply(self, message: Any, body: memoryview) -> None:
        if message.reset:
            self.rows = {}
        for blob in message.blobs:
            self.blobs[blob.blob] = bytes(body[blob.offset : blob.offset + blob.nbytes])
        for key in message.removed:
            del self.rows[key]
        for row in message.rows:
            assert row.parent is None or row.parent in self.rows
            self.rows[row.key] = row
        self.version = message.version

    def of(self, kind: type[_M]) -> list[_M]:
        return [message for message in self.told if isinstance(message, kind)]


def answer_to(message: Render, version: int, **changes: Any) -> tuple[Rendered, Buffers]:
    """An answer whose colours are the version, and whose depth is 3 m."""
    buffers, pictures = Buffers(), list[Picture]()
    for camera in message.cameras:
        for content, made in made_contents(message, camera, version).items():
            place = buffers.add(made)
            size = camera.width, camera.height
            pictures.append(Picture(camera.name, cast("Any", content), *size, *place))
    return Rendered(message.request, version, pictures, **changes), buffers


def made_contents(message: Render, camera: CameraSpec, version: int) -> dict[str, bytes]:
    size, made = (camera.height, camera.width), {}
    if "rgb" in message.passes and message.encoding != "raw":
        made[f"image/{message.encoding}"] = b"a file"
    alpha = "alpha" in message.passes
    if alpha or ("rgb" in message.passes and message.encoding == "raw"):
        colour = np.full((*size, 4 if alpha else 3), version, np.uint8)
        colour[0] = 77  # the lowest row
        made["rgba" if alpha else "rgb"] = colour.tobytes()
    shapes = {
        "depth": np.full(size, 3, np.float32),
        "normals": np.zeros(size, np.uint32),
        "segmentation": np.full(size, 5, np.uint32),
    }
    for name in set(message.passes) & set(shapes):
        made["ids" if name == "segmentation" else name] = shapes[name].tobytes()
    return made


@asynccontextmanager
async def connected(
    server: PageServer, kind: Callable[[Any], Any] = Page, hello: Hello = HELLO, **options: Any
) -> AsyncIterator[Any]:
    """A page that reads by itself."""
    url = socket_url(server)
    async with (
        aiohttp.ClientSession() as client,
        client.ws_connect(url, max_msg_size=0, **options) as socket,
    ):
        page = kind(socket)
        await page.send(hello)
        reader = asyncio.create_task(page.read())
        try:
            yield page
        finally:
            await socket.close()
            await reader


def transport_of(socket: aiohttp.ClientWebSocketResponse) -> asyncio.Transport:
    """What a client reads from, to be paused."""
    connection = socket._conn
    assert connection is not None
    assert isinstance(connection.transport, asyncio.Transport)
    return connection.transport


async def until(condition: Callable[[], object]) -> None:
    """Wait until something holds; the test's own time limit ends it otherwise."""
    while not condition():
        await asyncio.sleep(0.002)
