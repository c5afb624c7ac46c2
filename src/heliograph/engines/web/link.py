"""One connected page.

What is to reach a page waits here, and nothing of it grows while the page is slow:

    show(rows, keys)   a set of keys; their rows are made when the page can take them
    send(slot=...)     the newest message of each slot
    send()             a queue of a bounded length, past which the page is given up
    render(...)        in order, as many as callers wait for

One task sends. It takes turns between the three and waits until the socket has room; of `Apply`
messages the page must acknowledge all but a few, unless pictures are asked for after them.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final, Protocol, Unpack

from heliograph.camera import Camera
from heliograph.engines.web.assets import AssetStore
from heliograph.engines.web.drawn import Drawn, RenderOptions, Request
from heliograph.engines.web.messages import (
    Applied,
    Apply,
    Close,
    Configure,
    FromPage,
    Hello,
    Message,
    Moved,
    Refused,
    Rendered,
)
from heliograph.engines.web.page_scene import PageScene
from heliograph.engines.web.reader import SPARE
from heliograph.engines.web.scene_rows import SceneRows
from heliograph.engines.web.wire import Buffers, pack, unpack
from heliograph.errors import EngineError, HeliographError, InvalidValueError, WorkerError

MOST_UNACKNOWLEDGED: Final = 2
"""`Apply` messages on their way while no picture is asked for."""
MOST_CAMERAS: Final = 16
"""Cameras that a page has been asked for and has not answered; while it has as many, requests wait
here, and those that nobody waits for any more are never sent."""
MOST_EARLY: Final = 16
"""Messages of a page that are kept until somebody takes them; the oldest go first."""
MOST_SILENT: Final = 20.0
"""Seconds that a page which owes an answer may be silent before it is given up."""
MOST_QUEUED: Final = 1000
"""Messages without a slot that wait for a page."""
MOST_MALFORMED: Final = 100
"""Messages that could not be read, before a page is given up."""
GRACE: Final = 2.0
"""Seconds that a page has to read why it is closed."""

OnMessage = Callable[[FromPage, memoryview], None]
_Frame = tuple[Message, Buffers | None]


class FrameSocket(Protocol):
    """Where frames go."""

    async def send(self, frame: bytes) -> None:
        """Send one, and wait until there is room for the next.

        Raises:
            ConnectionError: the page is gone.
        """

    async def close(self, reason: str) -> None:
        """End the connection."""

    def abort(self) -> None:
        """End the connection at once; sending to it fails."""


class PageLink:
    """One connected page. It belongs to the server's loop, and so do all its methods.

    Args:
        hello: the page's first message.
        socket: where frames go.
        assets: where files are registered.

    Attributes:
        hello: that.
        id: its own, of this connection.
        malformed: how many messages could not be read.
        spare: bytes that a message may have beyond the pictures that were asked for.
    """

    def __init__(self, hello: Hello, socket: FrameSocket, assets: AssetStore) -> None:
        self.hello = hello
        self.id = secrets.token_hex(8)
        self.malformed = 0
        self.spare = SPARE
        self._socket = socket
        self._scene = PageScene(assets)
        self._why_closed = ""
        self._closed = asyncio.Event()
        self._wake = asyncio.Event()
        self._heard = time.monotonic()
        self._on_message: OnMessage | None = None
        self._early: deque[tuple[FromPage, memoryview]] = deque(maxlen=MOST_EARLY)
        self._last: Close | None = None
        self._slots: dict[str, _Frame] = {}
        self._queue: deque[_Frame] = deque()
        self._rows: SceneRows | None = None
        self._behind = False  # whether they are still to be shown
        self._dirty: set[str] | None = set()  # what may differ in them; None for all
        self._changes: Iterator[_Frame] = iter(())
        self._unacknowledged: deque[int] = deque()
        self._numbers = itertools.count(1)
        self._waiting: deque[Request] = deque()
        self._asked: dict[int, Request] = {}
        self._answers: dict[Request, asyncio.Future[Drawn]] = {}

    @property
    def on_message(self) -> OnMessage | None:
        """Is called with messages that are no answers, and their buffers; those before it as well.

        They are `Moved`, `Viewport`, `Event`, `Problem` and `Ask`.
        """
        return self._on_message

    @on_message.setter
    def on_message(self, call: OnMessage) -> None:
        self._on_message = call
        while self._early:
            self._tell(*self._early.popleft())

    @property
    def connected(self) -> bool:
        """Whether messages still reach it."""
        return not self._why_closed

    @property
    def most_bytes(self) -> int:
        """Bytes that its next message may have."""
        return self.spare + max((each.nbytes for each in self._asked.values()), default=0)

    @property
    def queued(self) -> int:
        """How many messages, keys and requests wait to be sent."""
        rows = 0 if self._rows is None else len(self._rows.tree)
        keys = rows if self._dirty is None else len(self._dirty)
        return len(self._queue) + len(self._slots) + len(self._waiting) + keys

    def configure(self, message: Configure) -> None:
        """Say how the page behaves."""
        self.send(message, slot="configure")

    def show(self, rows: SceneRows, keys: Collection[str] | None = None) -> None:
        """Bring the page to a version of a scene, as soon as it can take it.

        Args:
            rows: the version. Its tree is read when it is sent; then it must still be as told, or
                have been shown again since.
            keys: of what changed, came or went since the last call; None for all.
        """
        if not self.connected:
            return
        self._rows, self._behind = rows, True
        if keys is None or self._dirty is None:
            self._dirty = None
        else:
            self._dirty.update(keys)
            if len(self._dirty) > 2 * len(rows.tree):  # with many that are gone again
                self._dirty = None
        self._wake.set()

    def send(
        self, message: Message, buffers: Buffers | None = None, *, slot: str | None = None
    ) -> None:
        """Send a message; of one slot only the newest that waits."""
        if not self.connected:
            return
        if slot is not None:
            self._slots[slot] = message, buffers
        elif len(self._queue) < MOST_QUEUED:
            self._queue.append((message, buffers))
        else:
            self.close(f"the page has not read {MOST_QUEUED} messages", again=True)
        self._wake.set()

    async def render(
        self,
        cameras: Sequence[Camera],
        passes: Sequence[str],
        **options: Unpack[RenderOptions],
    ) -> Drawn:
        """Let the page draw sensor pictures of what was shown last, or of a newer version.

        Raises:
            EngineError: the page could not draw them; says what is missing.
            WorkerError: the page is gone, or has not answered within `timeout` seconds.
            InvalidValueError, UnknownNameError: cameras or passes that no page can draw.
        """
        request = Request.of(next(self._numbers), cameras, passes, options)
        if not self.connected:
            raise self._gone(request)
        self._retry_broken()
        answer: asyncio.Future[Drawn] = asyncio.get_running_loop().create_future()
        self._answers[request] = answer
        self._waiting.append(request)
        self._wake.set()
        try:
            async with asyncio.timeout(options["timeout"]):
                return await answer
        except TimeoutError:
            late = WorkerError(self._why_late(request, options["timeout"]))
            silent = time.monotonic() - self._heard
            if self._asked and silent > MOST_SILENT:
                self.close(f"the page has not answered for {silent:.0f} s", again=True)
            raise late from None
        finally:
            del self._answers[request]
            if request in self._waiting:
                self._waiting.remove(request)

    async def wait_closed(self) -> None:
        """Wait until the page is gone."""
        await self._closed.wait()

    def close(self, reason: str, again: bool = False) -> None:
        """End the connection; the page shows why, and connects again if it is to."""
        if self._last is None:
            self._last = Close(reason, again)
            self._wake.set()
            asyncio.get_running_loop().call_later(GRACE, self._socket.abort)

    # What the server calls.

    async def run(self) -> None:
        """Send what is to be sent until the page is gone or closed."""
        try:
            while self._last is None:
                await self._wake.wait()
                self._wake.clear()
                await self._send_all()
            await self._socket.send(pack(self._last))
            await self._socket.close(self._last.reason)
        except ConnectionError:
            pass
        except Exception as error:  # noqa: BLE001 -- whatever it is, the page must not wait for more
            _report(f"nothing can be sent to page {self.id} any more", error)
            self.lost(f"nothing could be sent to it any more: {error}")
            self._socket.abort()
        finally:
            self.lost("it was closed" if self._last is None else self._last.reason)

    def lost(self, why: str) -> None:
        """Note that the page is gone."""
        if not self.connected:
            return
        self._why_closed = why
        self._slots.clear()
        self._queue.clear()
        self._rows, self._dirty = None, set()
        for request, answer in self._answers.items():
            if not answer.done():
                answer.set_exception(self._gone(request))
        self._waiting.clear()
        self._asked.clear()
        self._closed.set()

    def receive(self, frame: bytes | memoryview) -> None:
        """Take a message of the page."""
        self._heard = time.monotonic()
        try:
            message, body = unpack(frame)
        except InvalidValueError:
            self.note_malformed()
            return
        if isinstance(message, Applied):
            self._applied(message)
        elif isinstance(message, Rendered):
            self._rendered(message, body)
        elif isinstance(message, Refused):
            self._refused(message)
        elif isinstance(message, Hello):
            self.note_malformed()
        else:
            if isinstance(message, Moved):
                self._scene.distrust(message.key)
            self._tell(message, body)

    def _tell(self, message: FromPage, body: memoryview) -> None:
        if self._on_message is None:
            self._early.append((message, body))
            return
        try:
            self._on_message(message, body)
        except Exception as error:  # noqa: BLE001 -- the user's own code raises whatever it likes
            _report(f"on_message failed for page {self.id}", error)

    def note_malformed(self) -> None:
        """Count a message that could not be read; after many the page is given up."""
        self.malformed += 1
        if self.malformed >= MOST_MALFORMED:
            self.close(f"the page has sent {self.malformed} messages that are none")

    # Sending.

    async def _send_all(self) -> None:
        turns = itertools.cycle((self._next_message, self._next_change, self._next_render))
        idle = 0
        while idle < 3 and self._last is None:
            frame = next(turns)()
            idle = idle + 1 if frame is None else 0
            if frame is not None:
                await self._socket.send(pack(*frame))

    def _next_message(self) -> _Frame | None:
        if "configure" in self._slots:
            return self._slots.pop("configure")
        if self._queue:
            return self._queue.popleft()
        return self._slots.pop(next(iter(self._slots))) if self._slots else None

    def _next_change(self) -> _Frame | None:
        if len(self._unacknowledged) >= MOST_UNACKNOWLEDGED:
            return None
        return self._change()

    def _change(self) -> _Frame | None:
        """What brings the page's scene further."""
        frame = next(self._changes, None)
        if frame is None and self._rows is not None and self._behind:
            keys, self._dirty, self._behind = self._dirty, set(), False
            self._changes = self._scene.bring_to(self._rows, keys)
            frame = next(self._changes)
        if frame is not None and isinstance(frame[0], Apply):
            self._unacknowledged.append(frame[0].version)
        return frame

    def _next_render(self) -> _Frame | None:
        while self._waiting and self._cameras_asked() < MOST_CAMERAS:
            change = self._change()
            if change is not None:
                return change
            request = self._waiting.popleft()
            if not self._scene.broken:
                self._asked[request.number] = request
                return request.message, None
            self._answer(request, next(iter(self._scene.broken.values())))
        return None

    def _cameras_asked(self) -> int:
        return sum(max(1, len(request.cameras)) for request in self._asked.values())

    def _retry_broken(self) -> None:
        if self._scene.broken and self._dirty is not None:
            self._dirty.update(self._scene.broken)
            self._behind = True

    # Receiving.

    def _applied(self, message: Applied) -> None:
        if message.version not in self._unacknowledged:
            self.note_malformed()
            return
        while self._unacknowledged.popleft() != message.version:
            pass
        self._wake.set()

    def _rendered(self, message: Rendered, body: memoryview) -> None:
        request = self._settled(message.request, more=message.more)
        if request is None:
            return
        try:
            drawn = request.take(message, body)
            if drawn is not None:
                self._answer(request, drawn)
        except InvalidValueError as error:
            self._asked.pop(request.number, None)
            self._answer(request, EngineError(f"{request.names}: the page's answer: {error}"))
            self.note_malformed()

    def _refused(self, message: Refused) -> None:
        request = self._settled(message.request)
        if request is not None:
            kind = WorkerError if message.fatal else EngineError
            missing = f"; missing: {', '.join(message.missing[:20])}" if message.missing else ""
            self._answer(request, kind(f"{request.names}: {message.reason}{missing}"))

    def _settled(self, number: int, *, more: bool = False) -> Request | None:
        request = self._asked.get(number) if more else self._asked.pop(number, None)
        if request is None:
            self.note_malformed()
        self._wake.set()
        return request

    def _answer(self, request: Request, result: Drawn | HeliographError) -> None:
        answer = self._answers.get(request)
        if answer is None or answer.done():  # nobody waits any more
            return
        if isinstance(result, HeliographError):
            answer.set_exception(result)
        else:
            answer.set_result(result)

    def _gone(self, request: Request) -> WorkerError:
        return WorkerError(f"{request.names}: no picture, as the page is gone: {self._why_closed}")

    def _why_late(self, request: Request, timeout: float) -> str:
        silent = time.monotonic() - self._heard
        why = "it has not answered"
        if request.number not in self._asked:
            behind = len(self._asked)
            why = f"it has {behind} unanswered requests" if behind else "it does not read"
        return (
            f"{request.names}: no picture within {timeout:g} s; the page is connected, but {why}, "
            f"and was last heard of {silent:.1f} s ago; give it more time, or reload it"
        )


def _report(what: str, error: Exception) -> None:
    loop = asyncio.get_running_loop()
    loop.call_exception_handler({"message": what, "exception": error})
