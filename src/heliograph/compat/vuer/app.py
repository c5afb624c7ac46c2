"""The server of a Vuer program."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit
from weakref import WeakKeyDictionary

from heliograph.compat.vuer.events import NOOP, ClientEvent, End, Frame, NullEvent
from heliograph.compat.vuer.session import VuerSession
from heliograph.errors import InvalidValueError
from heliograph.live.app import App
from heliograph.live.events import Event
from heliograph.live.session import Session
from heliograph.scene import Component

_MEANINGLESS = frozenset(
    {"ca_cert", "cert", "client_root", "client_url", "cors", "domain", "key", "queue_len"}
    | {"verbose", "web_port", "workspace_path"}
)
"""Options of Vuer's that mean nothing here."""

Program = Callable[[VuerSession], Any]
Handler = Callable[[ClientEvent, VuerSession], Awaitable[None] | None]
_C = TypeVar("_C", bound=Component)
_SERVED = ("static", "workspace")
_Y_UP = (0.0, 1.0, 0.0)


class Vuer:
    """Serves a scene to pages, a session for each; without a page one session runs all the same.

    Args:
        host: where it is served; only this machine reaches the default.
        port: without one, 8012 or the next that is free.
        free_port: take another port where this one is taken.
        static_root: folder of the files that `src="/static/..."` names; without one the working
            directory, which pages cannot read from then.
        **options: `queries` and the others of `heliograph.live.options.AppSettings`, and
            `renderer`; those of Vuer's that mean nothing here are left out.
    """

    def __init__(
        self,
        host: str = "localhost",
        port: int | None = None,
        *,
        free_port: bool = False,
        static_root: str | Path | None = None,
        **options: Any,
    ) -> None:
        folder = static_root or options.pop("workspace", None)
        self._root = Path(folder or ".")
        given = {name: value for name, value in options.items() if value is not None}
        chosen = {name: given[name] for name in given if name not in _MEANINGLESS}
        self._app = App(
            host="127.0.0.1" if host == "localhost" else host,
            port=None if free_port else port,
            shared=False,
            static_root=folder,
            **{"title": "Vuer", "up": _Y_UP, "tone_mapping": "aces", **chosen},
        )
        self._sessions: WeakKeyDictionary[Session, VuerSession] = WeakKeyDictionary()

    @property
    def native(self) -> App:
        """The app by the names of `heliograph.live`."""
        return self._app

    # Programs and handlers.

    def spawn(self, fn: Program | None = None, start: bool = False, **filters: str) -> Any:
        """Run a coroutine function for each session, as a decorator or as a call.

        Args:
            fn: given the session.
            start: serve at once, until that is over.
            **filters: patterns of what INIT says of the client, such as `client="python"`; of
                several programs the first one that suits runs.
        """
        if fn is None:
            return lambda given: self.spawn(given, start, **filters)

        async def program(session: Session) -> None:
            await fn(self._face(session))

        self._app.spawn(program, start=False, **filters)
        if start:
            self.start()
        return fn

    def bind(self, fn: Program | None = None, start: bool = False) -> Any:
        """Run a generator function for each session: it yields events and is sent what happens."""
        if fn is None:
            return lambda given: self.bind(given, start)

        async def program(session: Session) -> None:
            await _follow(fn, self._face(session))

        self._app.spawn(program)
        if start:
            self.start()
        return fn

    def add_handler(
        self,
        event_type: str,
        fn: Handler | None = None,
        once: bool = False,
    ) -> Any:
        """Have a function called with events of a sort and their session.

        As a call or as a decorator.

        Args:
            event_type: such as "CAMERA_MOVE".
            fn: a function or coroutine function.
            once: for the first event alone.

        Returns:
            A function that removes it.
        """
        if fn is None:
            return lambda given: self.add_handler(event_type, given, once)

        async def handler(event: Event, session: Session) -> None:
            face = self._face(session)
            result = fn(face.translate(event), face)
            if inspect.isawaitable(result):
                await result

        return self._app.add_handler(event_type, handler, once=once)

    def add_route(
        self,
        path: str,
        fn: Callable[..., Any],
        method: str = "GET",
        content_type: str = "text/html",
    ) -> None:
        """Serve a text of your own under a path; it needs the token as all else.

        Args:
            path: such as "/status".
            fn: gives the text.
            method: GET alone.
            content_type: of the text.
        """
        if method != "GET":
            raise InvalidValueError(f"method: expected 'GET', got {method!r}")
        self._app.add_route(path, _text(fn, content_type))

    # Its life.

    def start(self, free_port: bool | None = None, **_: Any) -> None:
        """Serve until it is interrupted; prints where."""
        del free_port
        with suppress(KeyboardInterrupt):
            asyncio.run(self.serve())

    run = start

    async def serve(self) -> None:
        """Serve until it is cancelled; for use inside a running loop."""
        async with self._app:
            sys.stderr.write(f"Vuer: {self._app.url}\n")
            await asyncio.Event().wait()

    def _face(self, session: Session) -> VuerSession:
        face = self._sessions.get(session)
        if face is None:
            face = self._sessions[session] = VuerSession(session, self._localized)
        return face

    def _localized(self, component: _C) -> _C:
        """The component with a file of ours in the place of an address under which it is served."""
        source = component.props.get("src")
        if not isinstance(source, str) or not source.startswith(("/", "http://", "https://")):
            return component
        parts = unquote(urlsplit(source).path).strip("/").split("/")
        own = urlsplit(source).hostname in (None, "localhost", "127.0.0.1")
        if own and parts[0] in _SERVED:
            return component.merged({"src": self._file(parts[1:], source)})
        if source.startswith("/"):
            return component
        raise InvalidValueError(
            f"{component!r} src: expected a file, or an address below /static of this server, got "
            f"{source!r}; download it and give its path"
        )

    def _file(self, parts: list[str], source: str) -> str:
        """The path of a file below the root."""
        root = self._root.resolve()
        path = root.joinpath(*parts).resolve()
        if not path.is_relative_to(root):
            raise InvalidValueError(f"src: expected a file below {root}, got {source!r}")
        return str(path)


async def _follow(fn: Program, session: VuerSession) -> None:
    """Drive a bound generator: do what it yields, send it what happens."""
    generator = fn(session)
    sent: ClientEvent | None = None
    with suppress(StopAsyncIteration, StopIteration):
        while True:
            event = await generator.asend(sent) if _is_async(generator) else generator.send(sent)
            if isinstance(event, End):
                return
            if isinstance(event, Frame):
                session.send(event.data)
                await asyncio.sleep(1 / event.frame_rate)
                sent = NullEvent()
                continue
            session.send(NOOP if event is None else event)
            sent = await session.next_event()


def _is_async(generator: Any) -> bool:
    return hasattr(generator, "asend")


def _text(fn: Callable[..., Any], content_type: str) -> Callable[..., Any]:
    async def answer(_request: object) -> Any:
        from aiohttp import web

        return web.Response(text=str(fn()), content_type=content_type)

    return answer
