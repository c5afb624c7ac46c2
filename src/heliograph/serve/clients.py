"""One connection of the server: its orders, and what is sent to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Final

from heliograph.camera import Camera
from heliograph.engine import CancelToken, Renderer, attempt, check_levels, resolve_cameras
from heliograph.errors import EngineError, HeliographError, InvalidValueError, WorkerError
from heliograph.frame import Sample
from heliograph.passes import select_passes
from heliograph.requires import Requires
from heliograph.serve.files import check_no_files
from heliograph.serve.messages import (
    FROM_CLIENT,
    Advance,
    Advanced,
    Cancel,
    Draw,
    Drawn,
    Failed,
    FromServer,
    pack,
    unpack,
)
from heliograph.serve.metrics import Metrics
from heliograph.serve.samples import Packer
from heliograph.serve.turns import Turns
from heliograph.transport.problems import pack_error
from heliograph.transport.views import unpack_edits, unpack_view
from heliograph.view import View

with Requires("aiohttp"):
    from aiohttp import web

MOST_ORDERS: Final = 1024
"""Orders of a client that are not answered yet."""
MOST_CAMERAS: Final = 256
"""Cameras of one order."""
MOST_UNSENT: Final = 2
"""Pictures that wait to be sent to a client; then nothing more is drawn for it."""
MOST_SILENT: Final = 60.0
"""Seconds that a client may take to read one message."""
MOST_MALFORMED: Final = 20
"""Messages that could not be read, before a client is given up."""


class Order:
    """A view that a client has ordered, drawn picture by picture in a thread of `Turns`.

    Args:
        client: whose.
        message: what it ordered.
        view: the same.
    """

    def __init__(self, client: Client, message: Draw, view: View) -> None:
        self.priority = message.priority
        self.number = message.order
        self.token = CancelToken()
        self._client = client
        self._view = view
        self._levels = None if message.levels is None else check_levels(message.levels)
        self._skip = message.skip
        self._sent = 0
        self._until = None if message.within is None else time.monotonic() + message.within
        self._samples: Iterator[Sample] | None = None

    def step(self) -> bool:
        """Draw the next picture, and have it sent."""
        client = self._client
        if self.token.cancelled:
            client.metrics.count("cancelled")
            return client.over(self)
        if self._samples is None and self._until is not None and time.monotonic() > self._until:
            client.metrics.count("dropped")
            late = WorkerError("it was not begun in time, as the server has too much to draw")
            return client.failed(self, late)
        begun = time.perf_counter()
        drawn = attempt(self._drawn)
        seconds = time.perf_counter() - begun
        if isinstance(drawn, HeliographError):
            client.metrics.count("failed")
            return client.failed(self, drawn)
        if drawn is None:  # it was cancelled meanwhile
            client.metrics.count("cancelled")
            return client.over(self)
        client.metrics.drew(seconds)
        last = self._sent + 1 == (1 if self._levels is None else len(self._levels))
        packed = attempt(self._packed, drawn, last)
        if isinstance(packed, HeliographError):
            return client.failed(self, packed)
        return not last

    def end(self) -> None:
        """Nobody waits for it any more."""
        self.token.cancel()

    def _drawn(self) -> Sample | None:
        renderer = self._client.renderer
        if self._levels is None:
            return renderer.render(self._view)
        if self._samples is None:
            self._samples = renderer.refine(self._view, self.token, self._levels)
        return next(self._samples, None)

    def _packed(self, sample: Sample, last: bool) -> None:
        number, self._sent = self._sent, self._sent + 1
        if number >= self._skip or last:
            self._client.drawn(self, number, sample, last=last)
        if last:
            self.close()

    def close(self) -> None:
        """Let go of what draws it."""
        samples, self._samples = self._samples, None
        if isinstance(samples, Generator):
            samples.close()

    @property
    def view(self) -> View:
        """What it shows."""
        return self._view


class Client:
    """A connection. Its orders are drawn in threads; all else happens in the server's loop.

    Args:
        socket: where to.
        renderer: draws.
        turns: has it drawn.
        packer: writes samples for it.
        metrics: what the server has done.
        most_bytes: that the pictures of one order may have.

    Attributes:
        allow_files: whether its edits may name files of this machine.
        on_advance: is called with what changes the scene.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        renderer: Renderer,
        turns: Turns,
        packer: Packer,
        metrics: Metrics,
        most_bytes: int,
    ) -> None:
        self.renderer = renderer
        self.metrics = metrics
        self._socket = socket
        self._turns = turns
        self._packer = packer
        self._most_bytes = most_bytes
        self._loop = asyncio.get_running_loop()
        self._orders: dict[int, Order] = {}
        self._unsent: asyncio.Queue[bytes] = asyncio.Queue()
        self._malformed = 0
        self._gone = False
        self.allow_files = False
        self.on_advance: Callable[[Client, Advance], object] = lambda client, message: None

    # In the loop.

    async def send(self) -> None:
        """Send what is to be sent, until the client is gone or does not read."""
        while True:
            frame = await self._unsent.get()
            async with asyncio.timeout(MOST_SILENT):
                await self._socket.send_bytes(frame)
            self._hold()

    def receive(self, frame: bytes) -> bool:
        """Take a message; says whether the client may go on."""
        try:
            message, _ = unpack(frame, FROM_CLIENT)
        except InvalidValueError:
            self.metrics.count("refused")
            self._malformed += 1
            return self._malformed < MOST_MALFORMED
        if isinstance(message, Draw):
            self._ordered(message)
        elif isinstance(message, Cancel):
            order = self._orders.pop(message.order, None)
            if order is not None:
                order.end()
        elif isinstance(message, Advance):
            self.on_advance(self, message)
        return self._unsent.qsize() < 2 * MOST_ORDERS

    def tell(self, message: FromServer, buffers: Sequence[memoryview] = ()) -> None:
        """Have a message sent."""
        if not self._gone:
            self._unsent.put_nowait(pack(message, buffers))
            self._hold()

    def leave(self) -> None:
        """The connection is gone: nothing is drawn for it any more."""
        self._gone = True
        self._turns.drop(self)
        self.metrics.count("dropped", len(self._orders))
        for order in self._orders.values():
            order.end()
        self._orders.clear()
        self._unsent = asyncio.Queue()

    def _hold(self) -> None:
        self._turns.hold(self, self._unsent.qsize() >= MOST_UNSENT)

    def _ordered(self, message: Draw) -> None:
        made = attempt(self._order, message)
        if isinstance(made, HeliographError):
            self.metrics.count("refused")
            self.tell(Failed(message.order, pack_error(made)))
        else:
            self._orders[message.order] = made
            self._turns.put(self, made)

    def _order(self, message: Draw) -> Order:
        """A checked order.

        Raises:
            HeliographError: it asks for too much, or for what there is not.
        """
        if len(self._orders) >= MOST_ORDERS or message.order in self._orders:
            raise InvalidValueError(
                f"expected at most {MOST_ORDERS} orders that are not answered, each with a number "
                "of its own"
            )
        packed = unpack_view(message.view)
        view = View(**vars(packed))  # checks it
        if not self.allow_files:
            check_no_files(view.edits)
        cameras = [each for each in view.cameras if isinstance(each, Camera)]
        if len(cameras) < len(view.cameras) or not cameras:
            cameras = list(resolve_cameras(view, self.renderer.cameras))
        specs = select_passes(view.pass_names, self.renderer.passes)
        if len(cameras) > MOST_CAMERAS:
            raise InvalidValueError(
                f"cameras: expected at most {MOST_CAMERAS} in one order, got {len(cameras)}"
            )
        pixels = sum(camera.width * camera.height for camera in cameras)
        each = sum(spec.dtype.itemsize * max(spec.channels, 1) for spec in specs.values())
        if pixels * each > self._most_bytes:
            raise InvalidValueError(
                f"cameras: expected pictures of at most {self._most_bytes >> 20} MiB in one order, "
                f"got {pixels * each >> 20} MiB; ask for fewer or smaller ones"
            )
        return Order(self, message, view)

    # From the threads that draw.

    def drawn(self, order: Order, number: int, sample: Sample, *, last: bool) -> None:
        """A picture of an order is there."""
        parts, buffers = self._packer.pictures(sample)

        def tell() -> None:
            if self._orders.get(order.number) is order:
                wire = self._packer.sample(sample, order.view)
                if last:
                    del self._orders[order.number]
                self.tell(Drawn(order.number, number, last, wire, parts), buffers)

        self._call(tell)

    def failed(self, order: Order, error: HeliographError) -> bool:
        """An order came to nothing; False, as there is nothing more to draw."""

        def tell() -> None:
            if self._orders.pop(order.number, None) is order:
                self.tell(Failed(order.number, pack_error(error)))

        order.close()
        self._call(tell)
        return False

    def over(self, order: Order) -> bool:
        """Nobody waits for an order any more; False, as there is nothing more to draw."""
        return self.failed(order, EngineError("it was cancelled"))

    def _call(self, tell: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(tell)
        except RuntimeError:  # the loop is closed, and the client with it
            self._gone = True


def advanced(renderer: Renderer, message: Advance, *, allow_files: bool) -> FromServer:
    """Change the scene for good, and say what came of it; takes as long as it takes."""

    def advance() -> int:
        changes = unpack_edits(message.changes)
        if not allow_files:
            check_no_files(changes)
        return renderer.advance(changes)

    version = attempt(advance)
    if isinstance(version, HeliographError):
        return Failed(message.order, pack_error(version))
    return Advanced(message.order, version)
