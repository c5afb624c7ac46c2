"""What a page's user interface asks: what is at a pixel, a program, a thumbnail, to open files."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

from heliograph.engine import CancelToken
from heliograph.engines.web.messages import Answer, Ask
from heliograph.engines.web.wire import Buffers
from heliograph.errors import HeliographError, InvalidValueError, UnknownNameError
from heliograph.live.viewer import answers, controls
from heliograph.live.viewer.desk import Urgency
from heliograph.live.viewer.dropped import sent_files
from heliograph.live.viewer.look import Look
from heliograph.live.viewer.pictures import encoded, shown_pass
from heliograph.live.viewer.sources import Drawn, Source

T = TypeVar("T")

_SAVES: Final = 16
"""Pictures to save that wait for a page, at most."""
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

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task; the viewer waits for it before it ends."""

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
        self._newest: dict[str, Ask] = {}  # of each slot that the desk has an order of
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
                self._page.spawn(self._drop(ask, sent_files(value.get("files"), body)))
                return
            if ask.what not in self._known:
                raise UnknownNameError.of("question", ask.what, self._known)
            self._known[ask.what](ask, value)
        except HeliographError as error:
            self._refuse(ask, error)

    def forget(self) -> None:
        """Nothing more is drawn for what was asked; who waits is told."""
        for slot, ask in list(self._newest.items()):
            if self._page.source.desk.drop(self._page.slot(slot)):
                self._done(slot, ask, self._refuse, ask, _superseded())

    def _probe(self, ask: Ask, value: Mapping[str, Any]) -> None:
        page = self._page
        look, whole = page.look, page.whole
        passes = [name for name in answers.PROBED if name in page.source.passes(look)]
        at = value.get("x"), value.get("y")
        if whole is not None and whole[0] is look and _has(whole[1], passes):
            self._reply(ask, answers.probe(whole[1], *at))
            return

        def reply(drawn: Drawn) -> None:
            if page.look is look:
                page.whole = look, drawn
            self._reply(ask, answers.probe(drawn, *at))

        self._draw(ask, "probe", passes, reply)

    def _python(self, ask: Ask, value: Mapping[str, Any]) -> None:
        del value
        self._reply(ask, {"code": self._page.source.python(self._page.look)})

    def _save(self, ask: Ask, value: Mapping[str, Any]) -> None:
        look, form = self._page.look, value.get("format")
        if sum(slot.startswith("save/") for slot in self._newest) >= _SAVES:
            raise InvalidValueError(
                f"save: expected at most {_SAVES} pictures that wait; ask again once they have come"
            )
        passes = [look.shown] if form == "png" else self._page.source.passes(look)

        def reply(drawn: Drawn) -> None:
            name, mime, data = answers.saved(drawn, form, look.shown)
            self._reply(ask, {"name": name, "mime": mime}, data)

        self._draw(ask, f"save/{ask.ask}", passes, reply)

    def _draw(
        self, ask: Ask, slot: str, passes: Sequence[str], reply: Callable[[Drawn], None]
    ) -> None:
        """Have these passes drawn whole, and answer with them."""
        source, look = self._page.source, self._page.look
        size = (1, 1) if look.camera is None else look.camera.size

        def draw(cancel: CancelToken) -> Drawn:
            last = deque(source.drawn(look, passes, size, cancel), maxlen=1)
            if not last:  # it was cancelled
                raise _superseded()
            return last[0]

        self._order(ask, slot, Urgency.QUESTION, draw, reply)

    def _order(
        self,
        ask: Ask,
        slot: str,
        urgency: Urgency,
        work: Callable[[CancelToken], T],
        reply: Callable[[T], None],
    ) -> None:
        """Have the desk do some work, and reply with it; who waited in the slot is told."""
        page = self._page

        def answer(found: T) -> None:
            try:
                reply(found)
            except HeliographError as error:
                self._refuse(ask, error)

        def job(cancel: CancelToken) -> None:
            try:
                found = work(cancel)
            except Exception as error:  # noqa: BLE001 -- whatever it is, who asks is told
                page.call(self._done, slot, ask, self._refuse, ask, error)
            else:
                page.call(self._done, slot, ask, answer, found)

        if page.source.desk.put(page.slot(slot), urgency, job):
            self._refuse(self._newest[slot], _superseded())
        self._newest[slot] = ask

    def _done(self, slot: str, ask: Ask, tell: Callable[..., None], *told: Any) -> None:
        """Answer; nobody waits in the slot any more, unless for something newer."""
        if self._newest.get(slot) is ask:
            del self._newest[slot]
        tell(*told)

    def _thumbnail(self, ask: Ask, value: Mapping[str, Any]) -> None:
        source, look = self._page.source, self._page.look
        name = controls.check_choice("camera", value.get("camera"), [*source.cameras()])
        width, height = (
            controls.check_whole(side, value.get(side), 1, _THUMBNAIL)
            for side in ("width", "height")
        )

        def draw(cancel: CancelToken) -> bytes:
            del cancel
            frame = source.thumbnail(look, name, (width, height))
            return encoded(shown_pass(frame, next(iter(frame.passes))).pixels, lossless=False)[1]

        def reply(data: bytes) -> None:
            self._reply(ask, {"camera": name, "mime": "image/jpeg"}, data)

        self._order(ask, f"thumbnail/{name}", Urgency.IDLE, draw, reply)

    async def _drop(self, ask: Ask, files: Mapping[str, bytes]) -> None:
        try:
            name = await self._page.open_files(files)
        except Exception as error:  # noqa: BLE001 -- whatever it is, who asks is told
            self._refuse(ask, error)
        else:
            self._reply(ask, {"opened": name})
            self._page.show(name)

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


def _superseded() -> HeliographError:
    return InvalidValueError("superseded")


def _has(drawn: Drawn, passes: Sequence[str]) -> bool:
    return all(name in drawn.frame.passes for name in passes)
