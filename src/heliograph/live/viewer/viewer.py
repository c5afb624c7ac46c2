"""The viewer's face: what opens it, and the server that its pages come from."""

from __future__ import annotations

import asyncio
import html
import runpy
import secrets
import shutil
import tempfile
import threading
import webbrowser
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, Unpack

from heliograph.delivery.call import open as open_scene
from heliograph.delivery.options import OpenOptions
from heliograph.engine import Renderer
from heliograph.engines.registry import engine_of, rasterizes, resolve_source
from heliograph.engines.web.link import PageLink
from heliograph.engines.web.server import PageServer
from heliograph.errors import ClosedError, HeliographError, SceneError
from heliograph.live.viewer.dropped import MOST_BYTES, place_files
from heliograph.live.viewer.look import Look
from heliograph.live.viewer.pages import ViewerPage
from heliograph.live.viewer.python_code import Opening, open_expression
from heliograph.live.viewer.recorded import RecordedRun
from heliograph.live.viewer.rendered import RenderedScene
from heliograph.live.viewer.sources import Source
from heliograph.record import Recording
from heliograph.record.manifest import MANIFEST

_REMEMBERED: Final = 64
"""Pages that have gone whose looks are kept for when they come back."""
_DROPPED_SIZE: Final = (640, 480)


class SceneOptions(OpenOptions, total=False):
    """All keywords of `heliograph.open`."""

    size: tuple[int, int]
    engine: str | None
    workers: int
    seed: int


def view(
    source: object,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    open_browser: bool = False,
    out: str | Path = ".",
    **options: Unpack[SceneOptions],
) -> Viewer:
    """Show a scene or a recording in a page of a browser.

    In a notebook the viewer that is returned shows itself in the cell; elsewhere open its `url`.

    Args:
        source: what `heliograph.open` opens; a renderer, which stays open; a Python file that
            defines `scene` or `renderer`; a `heliograph.Recording` or the folder of one.
        host: address to serve at; others than this machine can reach one that is not loopback.
        port: 0 takes a free one.
        open_browser: open the page in the default browser.
        out: folder for trajectories that the page's record button writes.
        **options: as for `heliograph.open`, where something is opened.

    Raises:
        HeliographError: the source cannot be opened, or the port is taken.
    """
    viewer = Viewer(opened_source(source, options), host=host, port=port, out=out)
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
    return _opened(source, name, repr(text), keywords)


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
    found, run = names[name], f"runpy.run_path({str(path)!r})[{name!r}]"
    imports = ("import runpy", "")
    if isinstance(found, Renderer):
        return RenderedScene(found, path.name, Opening(run, imports), found.close)
    return _opened(found, path.name, run, keywords, imports)


class Viewer:
    """Pages that show a source; a `with` block, or `close`, ends it.

    Args:
        source: shown first; closed with the viewer.
        host: address to serve at.
        port: 0 takes a free one.
        out: folder for trajectories.

    Raises:
        HeliographError: the port is taken, or the address is not ours.

    Attributes:
        url: of the page, with the token that it needs.
        sources: what can be shown, by name; files that are dropped on a page join it.
        out: folder for trajectories.
    """

    def __init__(
        self,
        source: Source,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        out: str | Path = ".",
    ) -> None:
        self.sources: dict[str, Source] = {source.name: source}
        self.out = Path(out)
        self._remembered: OrderedDict[str, tuple[str, Look]] = OrderedDict()
        self._folders: list[Path] = []
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._closed = False
        ready: Future[str] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(host, port, ready), name="heliograph viewer", daemon=True
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
        """End the pages and the server, close what was opened for it; may be called twice."""
        if self._closed:
            return
        self._closed = True
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join()
        for source in self.sources.values():
            source.close()
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)

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

    async def open_files(self, files: Mapping[str, bytes]) -> str:
        """Open dropped files as one more source, from a private folder; returns its name.

        Raises:
            HeliographError: they are no scene, or name files that are not among them.
        """
        return await asyncio.to_thread(self._open_files, files)

    def _open_files(self, files: Mapping[str, bytes]) -> str:
        folder = Path(tempfile.mkdtemp(prefix="heliograph-dropped-"))
        self._folders.append(folder)
        try:
            path = place_files(files, folder)
            made = opened_source(path, {"size": _DROPPED_SIZE})
        except HeliographError as error:
            raise SceneError(str(error).replace(f"{folder}/", "")) from None
        made.name = _unused(path.name, self.sources)
        if self._closed:
            made.close()
            raise ClosedError("this viewer is closed")
        self.sources[made.name] = made
        return made.name

    def _run(self, host: str, port: int, ready: Future[str]) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve(host, port, ready))
        except BaseException as error:  # noqa: BLE001 -- who waits for the address is told
            if not ready.done():
                ready.set_exception(error)
        finally:
            self._loop.close()

    async def _serve(self, host: str, port: int, ready: Future[str]) -> None:
        server = PageServer(self._on_page, host=host, port=port)
        try:
            await server.start()
            ready.set_result(server.url)
            await self._stopped.wait()
        finally:
            await server.close()

    async def _on_page(self, link: PageLink) -> None:
        session = link.hello.session
        known = self._remembered.pop(session, None) if session else None
        page = ViewerPage(link, self, session if known else secrets.token_urlsafe(9), known)
        link.on_message = page.on_message
        link.spare += MOST_BYTES
        page.start()
        try:
            await link.wait_closed()
        finally:
            page.close()
            self._remembered[page.session] = (page.source.name, page.look)
            while len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)


def _unused(name: str, taken: Mapping[str, Source]) -> str:
    if name not in taken:
        return name
    return next(
        f"{name} ({number})"
        for number in range(2, len(taken) + 3)
        if f"{name} ({number})" not in taken
    )
