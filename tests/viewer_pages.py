"""A page of the viewer without a browser: a WebSocket client that keeps what it is sent."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import numpy as np
from PIL import Image

import heliograph as hg
from heliograph.engines.web import wire
from heliograph.engines.web.messages import (
    PROTOCOL,
    Answer,
    Ask,
    Configure,
    Event,
    Hello,
    Panel,
    Show,
    Viewport,
)
from heliograph.engines.web.specs import spec_of

PATIENCE = 30.0


class FakePage:
    """A page; `shows` are the pictures that it was sent, oldest first, decoded."""

    def __init__(
        self, client: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse, url: str
    ) -> None:
        self.client, self.url = client, url
        self._socket = socket
        self._news = asyncio.Condition()
        self._asked = 0
        self.update = 0
        self.configured: Any = None
        self.panel: Any = None
        self.panels = 0
        self.shows: list[tuple[Show, Any]] = []
        self.answers: dict[int, tuple[Answer, bytes]] = {}

    @property
    def facts(self) -> Any:
        return self.panel.facts

    def control(self, name: Any) -> Any:
        return next(each for each in self.panel.controls if each["name"] == name)

    async def send(self, message: Any, buffers: Any = None) -> None:
        await self._socket.send_bytes(wire.pack(message, buffers))

    async def look(self, camera: hg.Camera, *, moving: bool = False) -> int:
        """Tell the viewport's camera; returns the update's number."""
        self.update += 1
        await self.send(Viewport(self.update, spec_of(camera), moving))
        return self.update

    async def set(self, name: Any, value: Any) -> None:
        await self.send(Event("CONTROL", name, value))

    async def ask(self, what: str, buffers: Any = None, **value: Any) -> tuple[Any, bytes]:
        """The value and the buffers of an answer."""
        self._asked += 1
        number = self._asked
        await self.send(Ask(number, what, value), buffers)
        await self.until(lambda: number in self.answers)
        answer, body = self.answers[number]
        if answer.error is not None:
            raise RuntimeError(answer.error)
        return answer.value, body

    async def until(self, done: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(done)

    async def has(self, name: Any, value: Any) -> None:
        """Wait until a control has a value."""
        await self.until(lambda: self.control(name)["value"] == value)

    async def final(self, after: int = 0) -> tuple[Show, Any]:
        """The first whole picture after so many pictures: what was told, and its pixels."""

        def found() -> list[tuple[Show, Any]]:
            return [each for each in self.shows[after:] if each[0].facts["final"]]

        await self.until(lambda: bool(found()))
        return found()[0]

    async def seen(self, camera: hg.Camera) -> tuple[Show, Any]:
        """The whole picture of a camera that rests."""
        number = await self.look(camera)

        def found() -> list[tuple[Show, Any]]:
            return [s for s in self.shows if s[0].update >= number and s[0].facts["final"]]

        await self.until(lambda: bool(found()))
        return found()[0]

    async def changed(self, name: Any, value: Any) -> tuple[Show, Any]:
        """Set a control; the whole picture after it."""
        before = len(self.shows)
        await self.set(name, value)
        return await self.final(before)

    async def read(self) -> None:
        async for message in self._socket:
            if message.type is not aiohttp.WSMsgType.BINARY:
                break
            told, body = wire.unpack_to_page(message.data)
            async with self._news:
                self._take(told, body)
                self._news.notify_all()

    def _take(self, told: Any, body: Any) -> None:
        if isinstance(told, Configure):
            self.configured = told
        elif isinstance(told, Panel):
            self.panel = told
            self.panels += 1
        elif isinstance(told, Show):
            self.shows.append((told, pixels(body[told.offset : told.offset + told.nbytes])))
        elif isinstance(told, Answer):
            self.answers[told.ask] = told, bytes(body)


def pixels(data: Any) -> Any:
    with Image.open(io.BytesIO(data)) as image:
        return np.array(image)


@asynccontextmanager
async def opened(viewer: Any, session: str = "") -> AsyncIterator[FakePage]:
    """A page of a viewer, once it has its panel."""
    address, _, token = viewer.url.partition("?")
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        aiohttp.ClientSession(cookie_jar=jar) as client,
        client.ws_connect(f"{address}ws?{token}", max_msg_size=0) as socket,
    ):
        page = FakePage(client, socket, viewer.url)
        await page.send(Hello(PROTOCOL, "none", {}, session))
        reading = asyncio.create_task(page.read())
        await page.until(lambda: page.panel is not None)
        try:
            yield page
        finally:
            reading.cancel()
