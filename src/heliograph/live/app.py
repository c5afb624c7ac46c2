"""The app: serves live scenes to pages, and draws them with or without one."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
import webbrowser
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias, Unpack, overload
from weakref import WeakKeyDictionary

from heliograph.engine import Renderer
from heliograph.engines.registry import engine_names
from heliograph.engines.web.link import PageLink
from heliograph.engines.web.messages import Configure
from heliograph.engines.web.server import PageServer
from heliograph.errors import ClosedError, InvalidValueError, UnknownNameError
from heliograph.frame import Sample
from heliograph.live.drawing import VIEWPORT, Drawer, PageDrawer, RendererDrawer
from heliograph.live.events import Handler, Subscription
from heliograph.live.options import AppOptions, AppSettings
from heliograph.live.session import GrabOptions, Keys, Session
from heliograph.passes import Passes
from heliograph.scene import Edit, Scene

PORT = 8012
"""Where an app is served, unless that is taken."""
_TRIED = 20
_ENGINES = {"auto": "components", "engine": "components", "browser": "web"}
_NOT_SERVED = "this app is not served: use `async with app:`, or `app.run()`"
_GRACE = 10.0  # seconds that a session of a page's own outlives the page, which may come back

Drawn: TypeAlias = str | Callable[[Scene], Renderer]
Program: TypeAlias = Callable[
    [Session], Awaitable[None] | AsyncIterator[Edit | Sequence[Edit]] | None
]


@dataclass(frozen=True)
class _Spawned:
    """A program of a session, and which sessions it is for."""

    program: Program
    filters: Mapping[str, str]

    def suits(self, info: Mapping[str, Any]) -> bool:
        return all(fnmatch(str(info.get(name, "")), want) for name, want in self.filters.items())


class _Handled:
    """A handler, and what brings it the events of each session."""

    def __init__(self, etype: str, handler: Handler, *, once: bool) -> None:
        self._etype = etype
        self._handler = handler
        self._once = once
        self._subscriptions: WeakKeyDictionary[Session, Subscription] = WeakKeyDictionary()

    def begin(self, session: Session) -> None:
        """Call it with the events of a session."""
        made = session.handle(self._etype, self._handler, once=self._once)
        self._subscriptions[session] = made

    def end(self) -> None:
        """Call it no more."""
        for session, subscription in self._subscriptions.items():
            session.unsubscribe(subscription)


class App:
    """A live scene that somebody may look at, and nobody has to.

    Use it as `async with App() as app:` where a loop runs already (a notebook), or give it a
    program (`@app.spawn`) and let `app.run()` serve until it is interrupted. The page is at
    `app.url`.

    Pages are closed and opened again as people like: the scene is kept here, and a page gets all of
    it. With `shared` all pages show one scene, `app.scene`; without it each page has a session of
    its own, as in Vuer, and where no page comes, one session runs without any.

    Args:
        scene: what is shown at first.
        renderer: who draws the cameras: "engine" (the component engine; "auto" is the same), "page"
            (the page that somebody has open), "browser" (a browser without a window that is started
            for it), the name of another engine, or a function from a `Scene` to a renderer whose
            scene changes. The environment variable HELIOGRAPH_RENDERER wins over "auto".
        **options: see `heliograph.live.options.AppSettings`.

    Raises:
        UnknownNameError: no such option, or no such renderer.
    """

    def __init__(
        self,
        scene: Scene | None = None,
        *,
        renderer: Drawn = "auto",
        **options: Unpack[AppOptions],
    ) -> None:
        self._settings = settings = AppSettings.of(options)
        self._first = Scene() if scene is None else scene
        self._renderer = _chosen(renderer)
        self._configure = Configure(
            session="",
            title=settings.title,
            tone_mapping=settings.tone_mapping,
            up=[float(each) for each in settings.up],
            queries=dict(settings.queries),
        )
        root = None if settings.static_root is None else Path(settings.static_root)
        self._make_server = partial(
            PageServer,
            self._joined,
            host=settings.host,
            token=settings.token,
            insecure=settings.insecure,
            static_root=root,
            origins=settings.origins,
            ssl=settings.ssl,
        )
        self._server: PageServer | None = None
        self._sessions: dict[str, Session] = {}
        self._numbers = 0
        self._came = asyncio.Event()
        self._spawned: list[_Spawned] = []
        self._handlers: list[_Handled] = []
        self._routes: list[tuple[str, Callable[..., Any]]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where the page is, with its token.

        Raises:
            ClosedError: it is not served.
        """
        return self._open.url

    @property
    def scene(self) -> Session:
        """The session that all pages share.

        Raises:
            InvalidValueError: each page has its own; see `spawn`.
            ClosedError: it is not served.
        """
        if not self._settings.shared:
            raise InvalidValueError("scene: each page has its own; take the one `spawn` gives you")
        if "" not in self._sessions:
            raise ClosedError(_NOT_SERVED)
        return self._sessions[""]

    @property
    def sessions(self) -> Sequence[Session]:
        """The sessions there are."""
        return tuple(self._sessions.values())

    @property
    def _open(self) -> PageServer:
        if self._server is None:
            raise ClosedError(_NOT_SERVED)
        return self._server

    async def grab_render(
        self,
        keys: Keys = VIEWPORT,
        passes: Passes = ("rgb",),
        **options: Unpack[GrabOptions],
    ) -> Sample:
        """Pictures of the shared scene; see `Session.grab_render`."""
        return await self.scene.grab_render(keys, passes, **options)

    # Programs and handlers.

    @overload
    def spawn(self, program: Program, *, start: bool = False, **filters: str) -> Program: ...

    @overload
    def spawn(
        self, program: None = None, *, start: bool = False, **filters: str
    ) -> Callable[[Program], Program]: ...

    def spawn(
        self, program: Program | None = None, *, start: bool = False, **filters: str
    ) -> Program | Callable[[Program], Program]:
        """Run a program for each session, as a decorator or as a call.

        Args:
            program: a coroutine function that is given the session, or one that yields edits.
            start: serve at once, and return when that is over.
            **filters: patterns such as `client="robot-*"` of what a page says of itself; of several
                programs the first one that suits runs.
        """
        if program is None:
            return lambda given: self.spawn(given, start=start, **filters)
        self._spawned.append(_Spawned(program, filters))
        if start:
            self.run()
        return program

    bind = spawn

    @overload
    def add_handler(
        self, etype: str, handler: Handler, *, once: bool = False
    ) -> Callable[[], None]: ...

    @overload
    def add_handler(
        self, etype: str, handler: None = None, *, once: bool = False
    ) -> Callable[[Handler], Callable[[], None]]: ...

    def add_handler(
        self, etype: str, handler: Handler | None = None, *, once: bool = False
    ) -> Callable[[], None] | Callable[[Handler], Callable[[], None]]:
        """Have a handler called for events of a sort, as a decorator or as a call.

        Args:
            etype: such as "CAMERA_MOVE".
            handler: a function or coroutine function of the event and its session.
            once: for the first event alone.

        Returns:
            A function that removes it.
        """
        if handler is None:
            return lambda given: self.add_handler(etype, given, once=once)
        entry = _Handled(etype, handler, once=once)
        self._handlers.append(entry)
        for session in self._sessions.values():
            entry.begin(session)

        def remove() -> None:
            with suppress(ValueError):
                self._handlers.remove(entry)
            entry.end()

        return remove

    def add_route(self, path: str, handler: Callable[..., Any]) -> None:
        """Serve something of your own under a path, from the start; it needs the token as all else.

        Args:
            path: such as "/status".
            handler: a coroutine function as aiohttp has them.

        Raises:
            InvalidValueError: it is served already.
        """
        if self._server is not None:
            raise InvalidValueError(
                f"add_route: {path!r} comes too late, the app is served already"
            )
        self._routes.append((path, handler))

    # Its life.

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _start(self) -> None:
        self._server = await self._served()
        if self._settings.shared:
            session = self._new_session("")
            session.begin()
            self._run_program(session)
        else:
            self._spawn(self._without_page())

    async def _served(self) -> PageServer:
        port = range(PORT, PORT + _TRIED) if self._settings.port is None else self._settings.port
        server = self._make_server(port=port)
        for path, handler in self._routes:
            server.add_route(path, handler)
        await server.start()
        return server

    async def close(self) -> None:
        """End all sessions and the server; may be called twice."""
        server, self._server = self._server, None
        if server is not None:
            await server.close()  # first, so that pages are told to come back
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for session in list(self._sessions.values()):
            await session.close()
        self._sessions.clear()

    def run(self, *, open_browser: bool = False) -> None:
        """Serve until it is interrupted; prints where.

        Args:
            open_browser: open the page, too.

        Raises:
            InvalidValueError: a loop runs here already; use `async with app:` there.
        """
        with suppress(RuntimeError):
            asyncio.get_running_loop()
            raise InvalidValueError("run: a loop runs here already; use `async with app:` there")
        with suppress(KeyboardInterrupt):
            asyncio.run(self._forever(open_browser=open_browser))

    start = run

    async def _forever(self, *, open_browser: bool) -> None:
        async with self:
            sys.stderr.write(f"Heliograph: {self.url}\n")
            if open_browser:
                webbrowser.open(self.url)
            await asyncio.Event().wait()

    # Sessions.

    def _new_session(self, name: str) -> Session:
        configure = Configure(**{**_plain(self._configure), "session": name})
        session = Session(name, self._first, self._drawer(), configure)
        self._sessions[name] = session
        for entry in self._handlers:
            entry.begin(session)
        return session

    def _drawer(self) -> Drawer:
        if self._renderer == "page":
            return PageDrawer(lambda: self.url, samples=self._settings.msaa or 1)
        if callable(self._renderer):
            return RendererDrawer(self._renderer)
        size, msaa = self._settings.size, self._settings.msaa
        options = {"msaa": msaa} if msaa else {}
        return RendererDrawer(partial(_opened, engine=self._renderer, size=size, options=options))

    def _run_program(self, session: Session) -> None:
        for each in self._spawned:
            if each.suits(session.info):
                session.spawn_task(_follow(each.program, session))
                return

    async def _without_page(self) -> None:
        """Begin a session without a page, where none comes."""
        if self._renderer == "page":
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._came.wait(), self._settings.patience)
            return
        session = self._new_session("engine")
        session.begin()
        self._run_program(session)

    async def _joined(self, page: PageLink) -> None:
        """Serve a page that has come."""
        self._came.set()
        if self._settings.shared:
            session = self._sessions[""]
            session.begin(page.hello)
            await session.serve(page)
            return
        session = self._sessions.get(page.hello.session) or self._own_session(page)
        try:
            await session.serve(page)
        finally:  # the server cancels this where the page is gone
            self._spawn(self._end_later(session))

    def _own_session(self, page: PageLink) -> Session:
        self._numbers += 1
        session = self._new_session(f"session-{self._numbers}")
        session.begin(page.hello)
        self._run_program(session)
        return session

    async def _end_later(self, session: Session) -> None:
        await asyncio.sleep(_GRACE)
        if not session.pages and self._sessions.get(session.name) is session:
            del self._sessions[session.name]
            await session.close()

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _follow(program: Program, session: Session) -> None:
    """Run a program to its end; what one yields is applied."""
    result = program(session)
    if isinstance(result, AsyncIterator):
        async for edits in result:
            session.apply(edits)
    elif inspect.isawaitable(result):
        await result


def _chosen(renderer: Drawn) -> Drawn:
    """Who draws, with "auto" and the environment resolved."""
    if not isinstance(renderer, str):
        return renderer
    chosen = os.environ.get("HELIOGRAPH_RENDERER", "auto") if renderer == "auto" else renderer
    known = [*_ENGINES, "page", *engine_names()]
    if chosen not in known:
        raise UnknownNameError.of("renderer", chosen, known)
    return _ENGINES.get(chosen, chosen)


def _opened(
    scene: Scene, *, engine: str, size: tuple[int, int], options: Mapping[str, Any]
) -> Renderer:
    from heliograph.delivery.call import open as open_renderer

    opened: Renderer = open_renderer(scene, engine=engine, size=size, **options)
    return opened


def _plain(configure: Configure) -> dict[str, Any]:
    return {name: getattr(configure, name) for name in configure.__struct_fields__}
