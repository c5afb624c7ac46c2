"""A page in a headless browser of our own, asked for pictures from a thread that waits.

    caller's thread                         thread "heliograph-page", with its own loop
    draw(rows, groups of cameras)  ------>  PageLink.show, PageLink.render
                                            PageServer  <--- WebSocket --->  the page in Chromium

Whoever has a loop and a server of their own needs `open_page` alone.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Collection, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, Final, Self, TypeVar

from heliograph.camera import Camera
from heliograph.engines.web.chromium import Chromium, GlChoice, gl_choices, remember, suffices
from heliograph.engines.web.drawn import Drawn
from heliograph.engines.web.link import PageLink
from heliograph.engines.web.messages import Configure, FromPage, Problem, Share, Shared
from heliograph.engines.web.scene_rows import SceneRows
from heliograph.engines.web.server import PageServer
from heliograph.engines.web.shared_file import SharedFile, new_mark
from heliograph.errors import EngineError, HeliographError

_LOG = logging.getLogger(__name__)

GROUPS: Final = 2
"""How many groups of cameras are on their way at once."""
_ARRIVES_WITHIN: Final = 30.0  # seconds
_CLOSES_WITHIN: Final = 10.0
_SHARES_WITHIN: Final = 5.0
_T = TypeVar("_T")


async def open_page(url: str, arrivals: asyncio.Queue[PageLink]) -> tuple[Chromium, PageLink]:
    """A page in a browser of our own that draws in the best way there is.

    Args:
        url: of the page, with the token.
        arrivals: where the server puts the pages of such browsers.

    Raises:
        MissingDependencyError: no browser is installed.
        EngineError: none that is can draw.
    """
    said, worked = list[str](), list[GlChoice]()
    for choice in chain(gl_choices(), worked):
        browser, settled = Chromium(url, choice), False
        try:
            link = await _arrival(browser, arrivals)
            if link is not None and link.hello.gl:
                settled = choice in worked or suffices(choice, link.hello.gl)
                worked.append(choice)
                if settled:
                    remember(choice)
                    return browser, link
            what = browser.last_words() if link is None else "no context"
            said.append(f"{choice.name}: {what}")
        finally:
            if not settled:
                await asyncio.to_thread(browser.close)
    raise EngineError(f"no browser here can draw with WebGL 2; {'; '.join(said)}")


async def _arrival(browser: Chromium, arrivals: asyncio.Queue[PageLink]) -> PageLink | None:
    """The next page; None where the browser ends, or shows none."""
    waiting = asyncio.create_task(arrivals.get())
    try:
        async with asyncio.timeout(_ARRIVES_WITHIN):
            while browser.running and not waiting.done():
                await asyncio.wait({waiting}, timeout=0.1)
    except TimeoutError:
        pass
    if waiting.done():
        return waiting.result()
    waiting.cancel()
    return None


class HeadlessPage:
    """A browser with one page that draws no viewport, and the server it speaks to.

    Args:
        shares: whether pictures may come through a shared file.
        must_share: whether they must.

    Attributes:
        gl: name of its GL renderer.

    Raises:
        MissingDependencyError: no browser is installed.
        EngineError: none that is can draw, or it cannot share a file and must.
    """

    def __init__(self, *, shares: bool = True, must_share: bool = False) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="heliograph-page", daemon=True)
        self._thread.start()
        self._arrived: asyncio.Queue[PageLink] = asyncio.Queue()
        self._answers: asyncio.Queue[Shared] = asyncio.Queue()
        self._links: list[PageLink] = []
        self._browser: Chromium | None = None
        self._server = PageServer(self._on_page)
        self._shared: list[SharedFile | None] = [None] * GROUPS
        try:
            self._wait(self._server.start())
            self._browser, self._link = self._wait(open_page(self._server.url, self._arrived))
            if shares:
                self._share(must_share)
        except BaseException:
            self.close()
            raise
        self.gl = self._link.hello.gl

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        return self._link.connected

    @property
    def browser(self) -> Chromium:
        """The browser."""
        if self._browser is None:
            raise EngineError("the browser was closed")
        return self._browser

    @property
    def shares(self) -> bool:
        """Whether pictures come through a shared file."""
        return self._shared[0] is not None

    def draw(
        self,
        show: tuple[SceneRows, Collection[str] | None] | None,
        groups: Sequence[Sequence[Camera]],
        passes: Sequence[str],
        *,
        samples: int,
        timeout: float,
    ) -> Iterator[Drawn]:
        """Show rows, if any, and draw pictures of them, a group of cameras after the other.

        All groups are ordered at once, so that one can be looked at while the next one is drawn.

        Args:
            show: rows and the keys of those that differ, as `PageLink.show` takes them.
            groups: of cameras, at most `GROUPS`.
            passes: names.
            samples: 1 or 4 for a pixel of rgb.
            timeout: seconds for all of them.

        Yields:
            What came of each group. What came through a shared file is overwritten by the next
            call.

        Raises:
            EngineError: the page cannot draw that.
            WorkerError: the page or its browser is gone, or does not answer.
        """
        options: dict[str, Any] = {"samples": samples, "timeout": timeout}
        futures = [
            asyncio.run_coroutine_threadsafe(
                self._draw(None if at else show, group, passes, {**options, "shared": shared}),
                self._loop,
            )
            for at, (group, shared) in enumerate(zip(groups, self._shared, strict=False))
        ]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()

    def last_words(self) -> str:
        """How the browser is, and what it said at last."""
        return self.browser.last_words()

    def close(self) -> None:
        """End the browser and all that belongs to it; may be called twice."""
        if self._loop.is_closed():
            return
        browser, self._browser = self._browser, None
        if browser is not None:
            browser.close()
        with suppress(HeliographError, TimeoutError):
            self._wait(self._ended())
        self._release_shared()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSES_WITHIN)
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _wait(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def _ended(self) -> None:
        """Wait until the server has heard that the browser is gone, and end it."""
        async with asyncio.timeout(_CLOSES_WITHIN):
            await asyncio.gather(*(link.wait_closed() for link in self._links))
            await self._server.close()

    async def _on_page(self, link: PageLink) -> None:
        self._links.append(link)
        link.on_message = self._heard
        link.configure(Configure(link.id, draws_viewport=False))
        self._arrived.put_nowait(link)
        await link.wait_closed()

    def _heard(self, message: FromPage, _: memoryview) -> None:
        if isinstance(message, Problem):
            _LOG.warning("page: %s: %s", message.key, message.text)
        elif isinstance(message, Shared):
            self._answers.put_nowait(message)

    def _share(self, must: bool) -> None:
        """Have pictures come through shared files, if this browser can."""
        try:
            for slot in range(GROUPS):
                self._shared[slot] = self._shared_file(slot)
        except EngineError:
            self._release_shared()
            if must:
                raise

    def _shared_file(self, slot: int) -> SharedFile:
        mark = new_mark()
        why = self._wait(self._asked_to_share(Share(slot, mark)))
        shared = None if why else SharedFile.find(slot, self.browser.profile, mark)
        if shared is None:
            raise EngineError(
                "transport: expected a browser that can share a file, and it cannot: "
                f"{why or 'its file is nowhere in its profile'}; give 'socket' or 'auto'"
            )
        return shared

    def _release_shared(self) -> None:
        shared, self._shared = self._shared, [None] * GROUPS
        for each in shared:
            if each is not None:
                each.close()

    async def _asked_to_share(self, message: Share) -> str:
        """Why the page cannot share a file; empty if it does."""
        self._link.send(message)
        try:
            async with asyncio.timeout(_SHARES_WITHIN):
                while (answer := await self._answers.get()).slot != message.slot:
                    continue
                return answer.error
        except TimeoutError:
            return f"the page has not answered within {_SHARES_WITHIN:g} s"

    async def _draw(
        self,
        show: tuple[SceneRows, Collection[str] | None] | None,
        cameras: Sequence[Camera],
        passes: Sequence[str],
        options: Mapping[str, Any],
    ) -> Drawn:
        if show is not None:
            self._link.show(*show)
        return await self._link.render(cameras, passes, **options)
