"""The viewer's face: what opens it, and the server that its pages come from."""

from __future__ import annotations

import asyncio
import html
import logging
import runpy
import secrets
import shutil
import threading
import time
import webbrowser
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent import futures
from concurrent.futures import Future
from contextlib import suppress
from inspect import isclass, isfunction
from pathlib import Path
from ssl import SSLContext
from types import TracebackType
from typing import Any, Final, ParamSpec, Self, TypedDict, TypeVar, Unpack

from heliograph.delivery.call import open as open_scene
from heliograph.delivery.options import OpenOptions
from heliograph.engine import Renderer
from heliograph.engines.registry import engine_of, rasterizes, resolve_source
from heliograph.engines.web.link import PageLink
from heliograph.engines.web.server import PageServer
from heliograph.errors import HeliographError, SceneError
from heliograph.live.thread import WorkThread
from heliograph.live.viewer.dropped import (
    MOST_BYTES,
    place_files,
    private_folder,
    remove_stale_folders,
)
from heliograph.live.viewer.look import Look
from heliograph.live.viewer.pages import ViewerPage
from heliograph.live.viewer.python_code import Opening, open_expression, quoted
from heliograph.live.viewer.recorded import RecordedRun
from heliograph.live.viewer.recorder import Recorder
from heliograph.live.viewer.rendered import RenderedScene
from heliograph.live.viewer.sources import Source
from heliograph.record import Recording
from heliograph.record.manifest import MANIFEST

_P = ParamSpec("_P")
_T = TypeVar("_T")
_LOG = logging.getLogger("heliograph.live")

_REMEMBERED: Final = 64
"""Pages that have gone whose looks are kept for when they come back."""
_DROPPED_SIZE: Final = (640, 480)
_PATIENCE: Final = 5.0
"""Seconds in which a viewer closes, whatever its engines do."""
_SAVING: Final = 3.0
"""Of these for what is still being saved or opened."""
_DROPPED: Final = 4
"""Dropped scenes that stay open; older ones only as long as a page shows them."""


class SceneOptions(OpenOptions, total=False):
    """All keywords of `heliograph.open`."""

    size: tuple[int, int]
    engine: str | None
    workers: int
    seed: int


class Address(TypedDict, total=False):
    """Where a viewer is reached."""

    host: str
    port: int
    origins: Sequence[str]
    ssl: SSLContext | None


class ViewOptions(SceneOptions, Address, total=False):
    """What `view` takes besides."""


def view(
    source: object,
    *,
    open_browser: bool = False,
    out: str | Path = ".",
    **options: Unpack[ViewOptions],
) -> Viewer:
    """Show a scene or a recording in a page of a browser.

    In a notebook the viewer that is returned shows itself in the cell; elsewhere open its `url`.

    Args:
        source: what `heliograph.open` opens; a renderer, which stays open; a Python file that
            defines `scene` or `renderer`; a `heliograph.Recording` or the folder of one.
        open_browser: open the page in the default browser.
        out: folder for trajectories that the page's record button writes.
        **options: `host`, `port`, `origins` and `ssl` as for `Viewer`; the rest as for
            `heliograph.open`, where something is opened.

    Raises:
        HeliographError: the source cannot be opened, or the port is taken.
    """
    keywords: dict[str, Any] = {**options}
    address = {name: keywords.pop(name) for name in Address.__annotations__ if name in keywords}
    viewer = Viewer(opened_source(source, keywords), out=out, **address)
    if open_browser:
        webbrowser.open(viewer.url)
    return viewer


def opened_source(source: object, keywords: Mapping[str, Any]) -> Source:
    """What a viewer shows of a source, opened where it is not open yet.

    Args:
        source: see `view`.
        keywords: of `heliograph.open`.

    Raises:
        HeliographError: it cannot be opened.
    """
    if isinstance(source, Renderer):
        return RenderedScene(source, source.scene.source or type(source).__name__, Opening())
    if isinstance(source, Recording):
        return RecordedRun(source, source.path.name)
    path = Path(source) if isinstance(source, (str, Path)) and _is_path(source) else None
    if path is not None and path.is_dir() and (path / MANIFEST).is_file():
        return RecordedRun(Recording(path), path.name or str(path))
    if path is not None and path.suffix == ".py":
        return _of_program(path, keywords)
    if not isinstance(source, (str, Path)):
        return _opened(source, type(source).__name__, "scene", keywords)
    text = str(source)
    name = "MJCF" if text.lstrip().startswith("<") else Path(text).name
    return _opened(source, name, quoted(text), keywords)


def _opened(
    source: object,
    name: str,
    expression: str,
    keywords: Mapping[str, Any],
    imports: tuple[str, ...] = (),
) -> RenderedScene:
    """A scene that is opened for the viewer alone, with smooth edges unless told otherwise.

    Args:
        source: of `heliograph.open`.
        name: what people call it.
        expression: the source, in a program.
        keywords: of `heliograph.open`.
        imports: lines that the expression needs.
    """
    options = dict(keywords)
    if rasterizes(options.get("engine") or engine_of(resolve_source(source))):
        options.setdefault("msaa", 4)
    renderer = open_scene(source, **options)
    opening = Opening(open_expression(expression, _told(options)), imports)
    try:
        return RenderedScene(renderer, name, opening, renderer.close)
    except BaseException:
        renderer.close()
        raise


def _told(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords that decide pixels of a view."""
    left_out = ("workers", "seed")
    return {n: value for n, value in keywords.items() if n not in left_out and value is not None}


def _is_path(source: str | Path) -> bool:
    try:
        return Path(source).exists()
    except (OSError, ValueError):  # MJCF text, say
        return False


def _of_program(path: Path, keywords: Mapping[str, Any]) -> Source:
    """What a Python file defines as `renderer` or `scene`.

    Raises:
        SceneError: it defines neither, or it fails.
    """
    try:
        names = runpy.run_path(str(path))
    except HeliographError:
        raise
    except Exception as error:
        raise SceneError(f"{path}: {type(error).__name__}: {error}") from error
    name = next((name for name in ("renderer", "scene") if name in names), None)
    if name is None:
        raise SceneError(f"{path}: expected it to define `scene` or `renderer`; it defines neither")
    found, run = names[name], f"runpy.run_path({quoted(str(path))})[{quoted(name)}]"
    imports = ("import runpy", "")
    if isfunction(found) or isclass(found):
        raise SceneError(
            f"{path}: expected `{name}` to be a scene, got a {type(found).__name__}; write "
            f"`{name} = ...` with what it returns"
        )
    if isinstance(found, Renderer):
        return RenderedScene(found, path.name, Opening(run, imports), found.close)
    return _opened(found, path.name, run, keywords, imports)


class Viewer:
    """Pages that show a source; a `with` block, or `close`, ends it.

    Args:
        source: shown first; closed with the viewer.
        out: folder for trajectories.
        **address: `host` to serve at, 127.0.0.1 without it; others than this machine can reach one
            that is not loopback. `port`; 0 takes a free one. `origins`: further addresses that
            pages are reached by, such as "https://robots.example.org" behind a reverse proxy that
            ends TLS and passes `Host` on. `ssl`: how it speaks TLS itself.

    Raises:
        HeliographError: the port is taken, or the address is not ours.

    Attributes:
        url: of the page, with the token that it needs.
        sources: what can be shown, by name; files that are dropped on a page join it, and the
            oldest of them go that no page shows.
        out: folder for trajectories.
    """

    def __init__(
        self,
        source: Source,
        *,
        out: str | Path = ".",
        **address: Unpack[Address],
    ) -> None:
        self.sources: dict[str, Source] = {source.name: source}
        self.out = Path(out)
        self._remembered: OrderedDict[str, tuple[str, Look]] = OrderedDict()
        self._pages: set[ViewerPage] = set()
        self._dropped: dict[str, Path] = {}  # folders of sources, oldest first
        self._tasks: set[asyncio.Task[None]] = set()
        self._saving = asyncio.Lock()
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        remove_stale_folders()
        self._closed = False
        ready: Future[str] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(address, ready), name="heliograph viewer", daemon=True
        )
        self._thread.start()
        try:
            self.url = ready.result()
        except BaseException:
            self.close()
            raise

    def wait(self) -> None:
        """Wait until it is closed; Ctrl-C ends the waiting."""
        self._thread.join()

    def close(self) -> None:
        """End the pages and the server, close what was opened for it; may be called twice.

        What hangs is left to itself after a few seconds, which is logged.
        """
        if self._closed:
            return
        self._closed = True
        ends = time.monotonic() + _PATIENCE
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(_PATIENCE)
        closing = {
            _begun(_close, source, self._dropped.get(name)): name
            for name, source in [*self.sources.items()]
        }
        done, hanging = futures.wait(closing, max(0.0, ends - time.monotonic()))
        for each in hanging:
            _LOG.error("%s: hangs as it is closed, and is left to itself", closing[each])
        for each in done:
            each.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _repr_html_(self) -> str:
        """The page in a notebook's cell.

        It is asked for by the name that the notebook itself has for this machine: browsers keep a
        cookie of 127.0.0.1 from a frame in a page of localhost.
        """
        if self._closed:
            return "<p>This viewer is closed.</p>"
        name = f"heliograph-{secrets.token_hex(4)}"
        url = html.escape(self.url, quote=True)
        return (
            f'<iframe id="{name}" allow="clipboard-write; fullscreen" '
            'style="width: 100%; height: 600px; border: 0"></iframe>'
            f'<p><a href="{url}" target="_blank" rel="noopener">Open in a tab</a></p>'
            f"<script>(() => {{ const url = new URL('{url}');"
            " if (location.hostname === 'localhost' && url.hostname === '127.0.0.1')"
            " url.hostname = 'localhost';"
            f" document.getElementById('{name}').src = url.href; }})();</script>"
        )

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task in the server's loop; it is waited for before the viewer ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def save(self, recorder: Recorder, source: str) -> Path:
        """Write a trajectory in a thread, one at a time; returns its file.

        Raises:
            HeliographError: there is nothing to write, or it cannot be written.
        """
        async with self._saving:
            return await asyncio.wrap_future(_begun(recorder.save, self.out, source))

    async def open_files(self, files: Mapping[str, bytes]) -> str:
        """Open dropped files as one more source, from a private folder; returns its name.

        Raises:
            HeliographError: they are no scene, or name files that are not among them.
        """
        made, folder = await asyncio.wrap_future(_begun(_of_files, files))
        made.name = _unused(made.name, self.sources)
        self.sources[made.name], self._dropped[made.name] = made, folder
        self.spawn(self._close_oldest())
        return made.name

    async def _close_oldest(self) -> None:
        """Close the dropped sources beyond a few that no page shows."""
        shown = {page.source.name for page in self._pages}
        names = [name for name in list(self._dropped)[:-_DROPPED] if name not in shown]
        old = [(self.sources.pop(name), self._dropped.pop(name)) for name in names]
        for session, (name, _) in list(self._remembered.items()):
            if name in names:
                del self._remembered[session]
        for page in self._pages:
            page.sources_changed()
        for source, folder in old:
            await asyncio.wrap_future(_begun(_close, source, folder))

    def _run(self, address: Address, ready: Future[str]) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve(address, ready))
        except BaseException as error:  # noqa: BLE001 -- who waits for the address is told
            if not ready.done():
                ready.set_exception(error)
        finally:
            self._loop.close()

    async def _serve(self, address: Address, ready: Future[str]) -> None:
        server = PageServer(self._on_page, **address)
        try:
            await server.start()
            ready.set_result(server.url)
            await self._stopped.wait()
        finally:
            await server.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(_SAVING):
                    while self._tasks:
                        await asyncio.wait(self._tasks)
            left = [*self._tasks]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _on_page(self, link: PageLink) -> None:
        session = link.hello.session
        known = self._remembered.pop(session, None) if session else None
        page = ViewerPage(link, self, session if known else secrets.token_urlsafe(9), known)
        link.on_message = page.on_message
        link.spare += MOST_BYTES
        self._pages.add(page)
        try:
            page.start()
            await link.wait_closed()
        finally:
            self._pages.remove(page)
            page.close()
            self._remembered[page.session] = (page.source.name, page.look)
            while len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)


def _begun(call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
    """Call something in a thread that keeps no program from ending."""
    thread = WorkThread("heliograph viewer: files")
    try:
        return thread.submit(call, *args, **kwargs)
    finally:
        thread.end()


def _of_files(files: Mapping[str, bytes]) -> tuple[Source, Path]:
    """What dropped files show, and the private folder that they are in.

    Raises:
        HeliographError: they are no scene; nothing is left.
    """
    folder = private_folder()
    try:
        return opened_source(place_files(files, folder), {"size": _DROPPED_SIZE}), folder
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, HeliographError):
            raise SceneError(str(error).replace(f"{folder}/", "")) from None
        raise


def _close(source: Source, folder: Path | None) -> None:
    source.close()
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _unused(name: str, taken: Mapping[str, Source]) -> str:
    if name not in taken:
        return name
    return next(
        f"{name} ({number})"
        for number in range(2, len(taken) + 3)
        if f"{name} ({number})" not in taken
    )
