"""Newest-best first: a rough picture now, better ones soon, never an older one after a newer one.

caller's threads                     thread "heliograph-queue"
update(camera) -> newest order --->  renderer.refine(view, token, levels)
get, wait, async for  <------------  offered one by one; `Newest` takes what goes forward
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import threading
import time
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Final, NamedTuple, Self, TypeAlias, TypeVar

from heliograph.camera import Camera
from heliograph.checks import check_integer
from heliograph.condition import Condition
from heliograph.delivery.pace import SLOW_SCALES, Pace
from heliograph.engine import (
    CancelToken,
    Renderer,
    at_level,
    attempt,
    check_levels,
    resolve_cameras,
)
from heliograph.errors import (
    ClosedError,
    EngineError,
    HeliographError,
    InvalidValueError,
    shown,
)
from heliograph.frame import Frame, Sample
from heliograph.passes import Passes
from heliograph.view import View, unchecked_view

_T = TypeVar("_T")
_LOG = logging.getLogger("heliograph.queue")
_GROWTH: Final = 4
"""How many times the pixels of a level the next one has, where levels are chosen here."""
_FLOOR: Final = 16
"""Pixels of the shorter side below which no level is chosen here."""
_CLOSES_WITHIN: Final = 10.0
"""Seconds that are waited for what is drawn when the queue is closed."""


class Level(NamedTuple):
    """The pictures of one level.

    Attributes:
        width: pixels.
        height: pixels.
        fov_y: vertical field of view, radians; None for the camera's own.
    """

    width: int
    height: int
    fov_y: float | None = None

    def of(self, camera: Camera) -> Camera:
        """A camera at this level."""
        seen = camera.resized(self.width, self.height)
        if self.fov_y is None:
            return seen
        focal = 0.5 * self.height / math.tan(0.5 * self.fov_y)
        return seen.replace(fx=focal, fy=focal, cx=0.5 * self.width, cy=0.5 * self.height)


Levels: TypeAlias = Sequence[float] | Sequence[Level] | Sequence[tuple[int, int]]


@dataclass(frozen=True, eq=False)
class QueuedImage:
    """One picture of an update.

    Attributes:
        sample: its frames, with the cameras as they were used.
        update_id: of the update that it shows, as `RenderQueue.update` gave it.
        level: 0 for the coarsest of its update.
        final: whether no better one of this update follows.
        fraction: the part of the whole work that it is worth.
        render_time: seconds that drawing it took.
        updated: when its update was made, by the clock of `time.monotonic`.
    """

    sample: Sample
    update_id: int
    level: int
    final: bool
    fraction: float
    render_time: float
    updated: float

    @property
    def frame(self) -> Frame:
        """The frame of the first camera."""
        return next(iter(self.sample))

    @property
    def camera(self) -> Camera:
        """The first camera, as it was used."""
        return self.frame.camera

    @property
    def passes(self) -> tuple[str, ...]:
        """Names of the passes."""
        return tuple(self.frame.passes)

    @property
    def age(self) -> float:
        """Seconds since its update was made."""
        return time.monotonic() - self.updated


@dataclass(frozen=True)
class QueueStats:
    """What a queue has done.

    Attributes:
        updates: that were made.
        images: that were drawn and went forward.
        cancelled: updates that a newer one ended before their final image.
        skipped: updates of which nothing was drawn, as a newer one came before.
        unread: images that were replaced before anybody read them.
        failed: updates that could not be drawn.
    """

    updates: int = 0
    images: int = 0
    cancelled: int = 0
    skipped: int = 0
    unread: int = 0
    failed: int = 0


@dataclass(frozen=True, eq=False)
class _Order:
    """An update."""

    id: int
    view: View
    made: float
    token: CancelToken = field(default_factory=CancelToken)


class _Step(NamedTuple):
    """One call of `refine`: a view, and the parts of the work that its samples are worth."""

    view: View
    levels: tuple[float, ...]


Callback: TypeAlias = Callable[[QueuedImage], object]


class Newest:
    """Keeps the best picture of the newest update; it goes forward alone.

    What is offered is compared with what was taken last, and stored, under one lock.
    """

    def __init__(self) -> None:
        self.changed = Condition()
        self._locked_by: set[int] = set()
        self._key = (0, -1)
        self._unread: QueuedImage | None = None
        self._error: HeliographError | None = None
        self.unread = 0

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock; its own thread may take it again, in a signal handler."""
        here, again = threading.get_ident(), self.is_locked_here
        self._locked_by.add(here)
        try:
            with self.changed:
                yield
        finally:
            if not again:
                self._locked_by.discard(here)

    @property
    def is_locked_here(self) -> bool:
        """Whether this thread holds the lock, or is about to."""
        return threading.get_ident() in self._locked_by

    @property
    def update_id(self) -> int:
        """Of the newest picture that was taken; 0 before the first."""
        return self._key[0]

    def offer(self, image: QueuedImage) -> bool:
        """Take a picture if it goes forward; says whether it did."""
        with self.locked():
            key = image.update_id, image.level
            if key <= self._key:
                return False
            if key[0] > self._key[0]:
                self._error = None  # of an older update
            self.unread += self._unread is not None
            self._key, self._unread = key, image
            self.changed.notify_all()
            return True

    def fail(self, update_id: int, error: HeliographError) -> bool:
        """Take what went wrong with an update, unless there is a picture of a newer one."""
        with self.locked():
            if update_id < self._key[0]:
                return False
            self._error = error
            self.changed.notify_all()
            return True

    def take(self, min_level: int = 0, *, final: bool = False) -> QueuedImage | None:
        """The picture that nobody has read, if it is good enough; a coarser one is forgotten.

        Raises:
            HeliographError: what went wrong with an update since which none was drawn; once.
        """
        with self.locked():
            image, self._unread = self._unread, None
            if image is not None and (image.final or (image.level >= min_level and not final)):
                return image
            error, self._error = self._error, None
            if error is not None:
                raise error
            return None


class RenderQueue:
    """Draws the newest update over and over, coarse first; what is read never goes back.

    An image of update n is never followed by one of an update before n, nor by a coarser one of n.
    A newer update ends what is drawn, as soon as one image of it is there: so the coarsest level is
    always finished, however fast updates come. All methods may be called from any thread.

    Args:
        renderer: draws; it stays the caller's. Anything with `refine`: an engine here, a pool, a
            renderer on another machine.
        passes: that every image has, where updates are cameras.
        levels: parts of the whole work, ascending, the last one 1; or sizes (width, height) from
            coarse to fine, or `Level`s. By default they are chosen from how long images take, so
            that the coarsest takes at most `latency`; each next one has four times the pixels.
        latency: seconds from an update to its first image that are aimed at.

    Raises:
        InvalidValueError: no such levels or latency.
    """

    def __init__(
        self,
        renderer: Renderer,
        *,
        passes: Passes = ("rgb",),
        levels: Levels | None = None,
        latency: float = 0.1,
    ) -> None:
        if not isinstance(latency, (int, float)) or not 0 < latency < math.inf:
            raise InvalidValueError(f"latency: expected seconds above 0, got {shown(latency)}")
        View(passes=passes)
        self._passes = passes
        self._work = _Work(renderer, _checked(levels), latency)
        self._end = weakref.finalize(self, _Work.close, self._work)

    @property
    def stats(self) -> QueueStats:
        """What it has done so far."""
        return self._work.stats

    def update(self, what: Camera | str | View) -> int:
        """Show something else from now on.

        Args:
            what: a camera, by value or by name, or a whole view.

        Returns:
            The update's id: 1, 2, 3, ...

        Raises:
            InvalidValueError: something else came.
            ClosedError: the queue is closed.
        """
        if isinstance(what, (Camera, str)):
            what = View((what,), self._passes)
        if not isinstance(what, View):
            raise InvalidValueError(f"update: expected a Camera or a View, got {shown(what)}")
        return self._work.update(what)

    def get(self) -> QueuedImage | None:
        """The newest and best image, if nobody has read it yet; does not wait.

        Raises:
            HeliographError: what went wrong with an update since which none was drawn; once.
            ClosedError: the queue is closed.
        """
        self._work.check_open()
        return self._work.newest.take()

    def wait(
        self, min_level: int = 0, *, final: bool = False, timeout: float | None = None
    ) -> QueuedImage:
        """The next image that nobody has read yet, as soon as there is one.

        Args:
            min_level: what is coarser is passed over, but for the last image of an update.
            final: pass over all but the last image of an update.
            timeout: seconds; None for as long as it takes.

        Raises:
            HeliographError: what went wrong with an update since which none was drawn; once.
            TimeoutError: there was none in time.
            ClosedError: the queue is closed, or was meanwhile.
        """
        check_integer("min_level", min_level)
        until = math.inf if timeout is None else time.monotonic() + timeout
        newest = self._work.newest
        with newest.locked():
            while True:
                self._work.check_open()
                image = newest.take(min_level, final=final)
                if image is not None:
                    return image
                left = until - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"no image within {timeout:g} s; {self._work.doing()}")
                newest.changed.wait(min(left, threading.TIMEOUT_MAX))

    def __aiter__(self) -> AsyncIterator[QueuedImage]:
        """Images as they come, those that were replaced before they were read left out."""
        return self._images()

    async def _images(self) -> AsyncIterator[QueuedImage]:
        loop, there = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(there.set)

        forget = self._work.listen(tell)
        try:
            while not self._work.closed:
                there.clear()
                image = self._work.newest.take()
                if image is None:
                    await there.wait()
                else:
                    yield image
        finally:
            forget()

    def on_image(self, call: Callback) -> Callable[[], None]:
        """Have something called with each image that goes forward, in the queue's thread.

        It counts as read by nobody. What it raises is logged.

        Returns:
            A function that ends it.
        """
        return self._work.call(call)

    def pin(self, fraction: float | None) -> None:
        """Draw images of one resolution alone.

        Args:
            fraction: the part of the pixels, above 0 to 1; None for all levels again.

        Raises:
            InvalidValueError: another fraction.
        """
        if fraction is not None and not 0 < fraction <= 1:
            raise InvalidValueError(f"pin: expected a part above 0 to 1, got {shown(fraction)}")
        self._work.pin(fraction)

    def close(self) -> None:
        """End what is drawn, and let go of the renderer; may be called twice.

        Who waits gets a `ClosedError`.
        """
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Work:
    """What the thread of a queue and its face share; the thread does not know the face.

    So a queue that nobody holds any more is closed.
    """

    def __init__(self, renderer: Renderer, levels: Levels | None, latency: float) -> None:
        self.newest = Newest()
        self.closed = False
        self._renderer: Renderer | None = renderer
        self._levels = levels
        self._pace = Pace(latency, scales=SLOW_SCALES, first=SLOW_SCALES[-1], floor=_FLOOR)
        self._pinned: float | None = None
        self._counts: Counter[str] = Counter()
        self._numbers = itertools.count(1)
        self._order: _Order | None = None  # the newest, if nothing of it is drawn yet
        self._running: _Order | None = None
        self._calls: list[Callback] = []
        self._listeners: list[Callable[[], None]] = []
        self._thread = threading.Thread(target=self._run, name="heliograph-queue", daemon=True)
        self._thread.start()

    # What the face calls.

    @property
    def stats(self) -> QueueStats:
        """What was done so far."""
        with self.newest.locked():
            return QueueStats(**self._counts, unread=self.newest.unread)

    def check_open(self) -> None:
        """Raise if the queue is closed."""
        if self.closed:
            raise ClosedError("this queue is closed")

    def doing(self) -> str:
        """What it does, for messages."""
        if not self._counts["updates"]:
            return "no update was made"
        running = self._running
        return "nothing is drawn" if running is None else f"update {running.id} is being drawn"

    def update(self, view: View) -> int:
        """Note the newest update; end what is drawn of an older one, if some of it was shown."""
        self.check_open()
        order = _Order(next(self._numbers), view, time.monotonic())
        with self.newest.locked():
            self._counts["updates"] += 1
            before = self._order
            self._counts["skipped"] += before is not None
            if before is None or before.id < order.id:  # or a signal handler made a newer one
                self._order = order
            running = self._running
            self.newest.changed.notify_all()
        if running is not None and self._shown(running):
            running.token.cancel()
        return order.id

    def pin(self, fraction: float | None) -> None:
        """See `RenderQueue.pin`."""
        self._pinned = fraction

    def call(self, callback: Callback) -> Callable[[], None]:
        """See `RenderQueue.on_image`."""
        return _kept(self._calls, callback)

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have something called whenever there may be something to take."""
        return _kept(self._listeners, listener)

    def close(self) -> None:
        """See `RenderQueue.close`."""
        interrupts = self.newest.is_locked_here  # a signal handler, so the thread cannot end now
        with self.newest.locked():
            self.closed = True
            self._order = None
            running = self._running
            self.newest.changed.notify_all()
        if running is not None:
            running.token.cancel()
        self._tell()
        if threading.current_thread() is not self._thread and not interrupts:
            self._thread.join(_CLOSES_WITHIN)
            if self._thread.is_alive():
                _LOG.error("a picture is drawn on after its queue was closed; it is left to itself")
        self._renderer = None
        self._calls.clear()

    # What the thread does.

    def _run(self) -> None:
        while (order := self._next()) is not None:
            error = self._attempt(order)
            if isinstance(error, HeliographError) and not self.closed:
                self._fail(order, error)
            del order, error  # or what they hold would live until the next one

    def _attempt(self, order: _Order) -> HeliographError | None:
        """Draw an update; what went wrong, whatever it is: the next one is drawn all the same."""
        try:
            return attempt(self._draw, order)
        except BaseException as error:  # noqa: BLE001 -- such as `sys.exit` in somebody's code
            return EngineError(f"{type(error).__name__}: {error}")

    def _fail(self, order: _Order, error: HeliographError) -> None:
        self._count("failed")
        if self.newest.fail(order.id, error):
            self._tell()

    def _next(self) -> _Order | None:
        """The newest update, as soon as there is one; None at the end."""
        with self.newest.locked():
            self._running = None
            while self._order is None and not self.closed:
                self.newest.changed.wait()
            order, self._order = self._order, None
            self._running = order
            return order

    def _draw(self, order: _Order) -> None:
        """Draw an update, level after level, until all are there or a newer one has come."""
        renderer = self._renderer
        if renderer is None:
            return
        steps = self._steps(order, renderer)
        level, count = 0, sum(len(step.levels) for step in steps)
        for step in steps:
            for image in self._images(renderer, order, step):
                self._give(replace(image, level=level, final=level + 1 == count))
                level += 1
                if self._outdated(order):
                    order.token.cancel()
                    break
        if level < count and not order.token.cancelled:
            raise EngineError(
                f"{type(renderer).__name__}.refine: expected {count} samples, got {level}"
            )
        if level < count:
            self._count("cancelled")

    def _images(self, renderer: Renderer, order: _Order, step: _Step) -> Iterator[QueuedImage]:
        if order.token.cancelled:
            return
        samples, since = renderer.refine(step.view, order.token, step.levels), time.monotonic()
        try:
            for fraction, sample in zip(step.levels, samples, strict=False):
                took = time.monotonic() - since
                yield QueuedImage(sample, order.id, 0, False, fraction, took, order.made)
                since = time.monotonic()
        finally:
            if isinstance(samples, Generator):
                samples.close()

    def _outdated(self, order: _Order) -> bool:
        """Whether something else is to be shown by now."""
        with self.newest.locked():
            return self._order is not None or self.closed

    def _give(self, image: QueuedImage) -> None:
        self._measure(image)
        if not self.newest.offer(image):
            return
        self._count("images")
        for call in tuple(self._calls):
            try:
                call(image)
            except BaseException:  # noqa: BLE001 -- the user's own code raises whatever it likes
                _LOG.exception("what was called with an image failed")
        self._tell()

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener()

    def _steps(self, order: _Order, renderer: Renderer) -> list[_Step]:
        view = _named_cameras_found(order.view, renderer)
        cameras = [each for each in view.cameras if isinstance(each, Camera)]
        if len(cameras) < len(view.cameras):  # they move with the state
            return [_Step(view, (1.0,))]
        pinned = self._pinned
        if pinned is not None:
            return [_Step(_seen_by(view, [at_level(each, pinned) for each in cameras]), (1.0,))]
        if self._levels is None:
            return [_Step(view, self._chosen(cameras[0]))]
        sizes = [each for each in self._levels if isinstance(each, Level)]
        if not sizes:
            return [_Step(view, check_levels([float(each) for each in self._levels]))]  # type: ignore[arg-type]
        return [
            _Step(_seen_by(view, [size.of(each) for each in cameras]), (1.0,)) for size in sizes
        ]

    def _chosen(self, camera: Camera) -> tuple[float, ...]:
        """Levels whose first one should come in time."""
        width, height = self._pace.size(*camera.size)
        first = width * height / (camera.width * camera.height)
        parts = [1.0]
        while parts[0] > _GROWTH * first:
            parts.insert(0, parts[0] / _GROWTH)
        return tuple(parts) if parts[0] <= 1.5 * first else (first, *parts)

    def _measure(self, image: QueuedImage) -> None:
        if self._levels is not None or self._pinned is not None:
            return
        if image.level == 0:
            self._pace.took(image.render_time)
        elif image.final:
            self._pace.whole_took(image.render_time)

    def _shown(self, order: _Order) -> bool:
        return self.newest.update_id >= order.id

    def _count(self, what: str) -> None:
        with self.newest.locked():
            self._counts[what] += 1


def _checked(levels: Levels | None) -> Levels | None:
    """Levels as they are used: parts, or `Level`s.

    Raises:
        InvalidValueError: they are neither.
    """
    if levels is None:
        return None
    if all(isinstance(each, (int, float)) for each in levels):
        return check_levels(levels)  # type: ignore[arg-type]  # all are numbers
    return tuple(_level(each) for each in levels)


def _level(given: object) -> Level:
    parts = tuple(given) if isinstance(given, (tuple, list)) else ()
    if len(parts) not in (2, 3):
        raise InvalidValueError(
            f"levels: expected parts of the whole work, or (width, height) in pixels, got "
            f"{shown(given)}"
        )
    width, height = (check_integer("levels: a side", side, 1) for side in parts[:2])
    fov = parts[2] if len(parts) == 3 else None
    if fov is not None and not 0 < fov < math.pi:
        raise InvalidValueError(f"levels: expected a fov_y of 0 to pi radians, got {shown(fov)}")
    return Level(width, height, fov)


def _named_cameras_found(view: View, renderer: Renderer) -> View:
    """A view with its cameras by value, where they do not move with its state or edits."""
    if view.state or view.edits:
        return view
    return _seen_by(view, resolve_cameras(view, renderer.cameras))


def _seen_by(view: View, cameras: Sequence[Camera]) -> View:
    return unchecked_view(**{**vars(view), "cameras": tuple(cameras)})


def _kept(calls: list[_T], call: _T) -> Callable[[], None]:
    """Keep something to call; what comes back takes it away again."""
    calls.append(call)

    def forget() -> None:
        with suppress(ValueError):
            calls.remove(call)

    return forget
