"""What a page's user interface asks: what is at a pixel, a program, a thumbnail, to open files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from heliograph.engine import CancelToken
from heliograph.engines.web.messages import Answer, Ask
from heliograph.engines.web.wire import Buffers
from heliograph.errors import HeliographError, InvalidValueError, UnknownNameError
from heliograph.live.viewer import answers, controls
from heliograph.live.viewer.dropped import sent_files
from heliograph.live.viewer.look import Look
from heliograph.live.viewer.pictures import encoded, shown_pass
from heliograph.live.viewer.progressive import Urgency
from heliograph.live.viewer.sources import Drawn, Source

_THUMBNAIL: Final = 512
"""Pixels of a side of a thumbnail, at most."""


class Asked(Protocol):
    """The page, as its questions know it."""

    source: Source
    look: Look
    whole: tuple[Look, Drawn] | None

    def slot(self, what: str) -> str:
        """A slot of the source's desk that is this page's own."""

    def call(self, function: Callable[..., None], *arguments: Any) -> None:
        """Run something in the server's loop, from another thread."""

    def answer(self, message: Answer, buffers: Buffers | None = None) -> None:
        """Send an answer."""

    async def open_files(self, files: Mapping[str, bytes]) -> str:
        """Open dropped files; returns what they are called among what can be shown."""

    def show(self, name: str) -> None:
        """Show another source."""


class Questions:
    """Answers a page's questions; those that need a picture from the source's desk.

    Args:
        page: whose they are.
    """

    def __init__(self, page: Asked) -> None:
        self._page = page
        self._probing: Ask | None = None
        self._opening: asyncio.Task[str] | None = None
        self._known: dict[str, Callable[[Ask, Mapping[str, Any]], None]] = {
            "probe": self._probe,
            "python": self._python,
            "save": self._save,
            "thumbnail": self._thumbnail,
        }

    def take(self, ask: Ask, body: memoryview) -> None:
        """Answer a question, now or once what it needs is drawn.

        Args:
            ask: the question.
            body: the bytes that came with it.
        """
        value = ask.value if isinstance(ask.value, dict) else {}
        try:
            if ask.what == "drop":
                self._drop(ask, sent_files(value.get("files"), body))
                return
            if ask.what not in self._known:
                raise UnknownNameError.of("question", ask.what, self._known)
            self._known[ask.what](ask, value)
        except HeliographError as error:
            self._refuse(ask, error)

    def _probe(self, ask: Ask, value: Mapping[str, Any]) -> None:
        page = self._page
        look, whole = page.look, page.whole
        passes = [name for name in answers.PROBED if name in page.source.passes(look)]
        at = value.get("x"), value.get("y")
        if whole is not None and whole[0] is look and _has(whole[1], passes):
            self._reply(ask, answers.probe(whole[1], *at))
            return
        if self._probing is not None:
            self._refuse(self._probing, InvalidValueError("superseded"))
        self._probing = ask

        def reply(drawn: Drawn) -> None:
            if page.look is look:
                page.whole = look, drawn
            if self._probing is ask:
                self._probing = None
                self._reply(ask, answers.probe(drawn, *at))

        self._draw(ask, "probe", passes, reply)

    def _python(self, ask: Ask, value: Mapping[str, Any]) -> None:
        del value
        self._reply(ask, {"code": self._page.source.python(self._page.look)})

    def _save(self, ask: Ask, value: Mapping[str, Any]) -> None:
        look, form = self._page.look, value.get("format")
        passes = [look.shown] if form == "png" else self._page.source.passes(look)

        def reply(drawn: Drawn) -> None:
            name, mime, data = answers.saved(drawn, form, look.shown)
            self._reply(ask, {"name": name, "mime": mime}, data)

        self._draw(ask, f"save/{ask.ask}", passes, reply)

    def _draw(
        self, ask: Ask, slot: str, passes: Sequence[str], reply: Callable[[Drawn], None]
    ) -> None:
        """Have these passes drawn whole, and answer with them."""
        page, source, look = self._page, self._page.source, self._page.look
        size = (1, 1) if look.camera is None else look.camera.size

        def answer(drawn: Drawn) -> None:
            try:
                reply(drawn)
            except HeliographError as error:
                self._refuse(ask, error)

        def job(cancel: CancelToken) -> None:
            try:
                *_, last = source.drawn(look, passes, size, cancel)
            except Exception as error:  # noqa: BLE001 -- whatever it is, who asks is told
                page.call(self._refuse, ask, error)
            else:
                page.call(answer, last)

        source.desk.put(page.slot(slot), Urgency.QUESTION, job)

    def _thumbnail(self, ask: Ask, value: Mapping[str, Any]) -> None:
        page, source, look = self._page, self._page.source, self._page.look
        name = controls.check_choice("camera", value.get("camera"), [*source.cameras()])
        width, height = (
            controls.check_whole(side, value.get(side), 1, _THUMBNAIL)
            for side in ("width", "height")
        )

        def job(cancel: CancelToken) -> None:
            del cancel
            try:
                frame = source.thumbnail(look, name, (width, height))
                shown = shown_pass(frame, next(iter(frame.passes)))
                _, data = encoded(shown.pixels, lossless=False)
            except Exception as error:  # noqa: BLE001 -- whatever it is, who asks is told
                page.call(self._refuse, ask, error)
            else:
                page.call(self._reply, ask, {"camera": name, "mime": "image/jpeg"}, data)

        source.desk.put(page.slot(f"thumbnail/{name}"), Urgency.IDLE, job)

    def _drop(self, ask: Ask, files: Mapping[str, bytes]) -> None:
        def done(opening: asyncio.Task[str]) -> None:
            error = None if opening.cancelled() else opening.exception()
            if isinstance(error, Exception):
                self._refuse(ask, error)
            elif error is None and not opening.cancelled():
                self._reply(ask, {"opened": opening.result()})
                self._page.show(opening.result())

        self._opening = asyncio.get_running_loop().create_task(self._page.open_files(files))
        self._opening.add_done_callback(done)

    def _reply(self, ask: Ask, value: dict[str, Any], data: bytes | None = None) -> None:
        if data is None:
            self._page.answer(Answer(ask=ask.ask, value=value))
            return
        buffers = Buffers()
        offset, nbytes = buffers.add(data)
        told = {**value, "offset": offset, "nbytes": nbytes}
        self._page.answer(Answer(ask=ask.ask, value=told), buffers)

    def _refuse(self, ask: Ask, error: Exception) -> None:
        self._page.answer(Answer(ask=ask.ask, value=None, error=text_of(error)))


def text_of(error: Exception) -> str:
    """An error as people read it."""
    return str(error) if isinstance(error, HeliographError) else f"{type(error).__name__}: {error}"


def _has(drawn: Drawn, passes: Sequence[str]) -> bool:
    return all(name in drawn.frame.passes for name in passes)
