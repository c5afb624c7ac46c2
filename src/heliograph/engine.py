"""The protocols: what an engine is, what a renderer is, and what either may be able to do."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from enum import Enum
from itertools import islice, pairwise, repeat
from pathlib import Path
from queue import Queue
from types import TracebackType
from typing import (
    Any,
    ClassVar,
    ParamSpec,
    Protocol,
    Self,
    TypeAlias,
    TypeVar,
    overload,
    runtime_checkable,
)

import numpy as np

from heliograph.batch import Batch, Stacked, copying, stack
from heliograph.camera import Camera
from heliograph.checks import check_integer
from heliograph.errors import (
    EngineError,
    HeliographError,
    InvalidValueError,
    UnknownNameError,
    shown,
)
from heliograph.frame import Array, Buffers, Frame, Labels, Provenance, Sample, assembled
from heliograph.passes import KNOWN_PASSES, PassSpecs, select_passes
from heliograph.scene import Description, Edit
from heliograph.view import View, unchecked_view

_P = ParamSpec("_P")
_T = TypeVar("_T")

Outcome: TypeAlias = Sample | HeliographError
"""What came of a view: errors are results."""

Outs: TypeAlias = Sequence[Buffers] | None
"""Where a view is drawn into: for each camera an array by pass name; None for fresh arrays."""


LEVELS: tuple[float, ...] = (1 / 64, 1 / 16, 1 / 4, 1.0)
"""Of `refine`, where none are given."""

VERSIONS_KEPT = 16
"""How many versions of a scene that changes an engine keeps at least, the newest ones."""


class Capability(Enum):
    """What an engine does beyond drawing one view after the other.

    Attributes:
        RENDER_MANY: `render_many` is faster than `render` in a loop.
        REFINE: `refine` has a way of its own (rays, samples) and looks at its token while it draws.
        ADVANCE: `advance` makes new versions of the scene.
        RANDOM_STATE: `random_state` draws states that suit the scene.
        PUBLISH: `publish` yields samples that nobody ordered.
    """

    RENDER_MANY = "render_many"
    REFINE = "refine"
    ADVANCE = "advance"
    RANDOM_STATE = "random_state"
    PUBLISH = "publish"


class CancelToken:
    """Says that nobody waits for a view any more; set in one thread, looked at in another."""

    def __init__(self) -> None:
        self._cancelled = False
        self._calls: list[Callable[[], object]] = []

    def cancel(self) -> None:
        """Nobody waits any more; from any thread or signal handler."""
        self._cancelled = True
        with suppress(IndexError):  # another thread calls them as well
            while self._calls:
                self._calls.pop()()

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits; takes a tenth of a microsecond."""
        return self._cancelled

    def on_cancel(self, call: Callable[[], object]) -> None:
        """Have something called, once, when nobody waits any more; now, where that is so."""
        self._calls.append(call)
        if self._cancelled:
            self.cancel()

    def forget(self, call: Callable[[], object]) -> None:
        """What `on_cancel` was told is called no more."""
        with suppress(ValueError):  # it was called
            self._calls.remove(call)


class Described(Protocol):
    """What everything that can draw says about itself."""

    @property
    def scene(self) -> Description:
        """The newest version of the scene: where it came from, its hash, what it holds."""

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """The scene's own cameras by name, as they stand before any state; at least one."""

    @property
    def passes(self) -> PassSpecs:
        """The passes it can yield, by name."""

    @property
    def labels(self) -> Labels:
        """Segmentation id -> (name, category); 0 is the background."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What it does beyond drawing one view after the other; what it lacks has a default."""
        return frozenset()

    @property
    def provenance(self) -> Provenance:
        """Engine, device and newest version, as samples bear them."""
        return Provenance(engine=type(self).__name__)

    def advance(self, changes: Sequence[Edit]) -> int:
        """Change the scene for good; views that name no version show it from now on.

        The cost follows what changes, hardly how large the scene is.

        Args:
            changes: applied in order, all of them or, if one is refused, none.

        Returns:
            The new version, for `View.scene_version`; the scene as it was opened is version 0.

        Raises:
            HeliographError: a change that does not fit the scene.
        """
        del changes
        raise InvalidValueError(
            f"{type(self).__name__}: its scene does not change (it has no Capability.ADVANCE); "
            "give the changes as edits of a view"
        )

    def random_state(self, rng: np.random.Generator) -> Mapping[str, Array]:
        """A random state for `View.state`, from these random numbers alone.

        By default what the scene's description says: empty where it says nothing.
        """
        return self.scene.random_state(rng)


@runtime_checkable
class Opener(Protocol):
    """What the class of an engine says before anything is opened; all of it has a default.

    It is asked of classes that the entry-point group `heliograph.engines` names, whenever a source
    is opened without `engine=`; so the module of such a class should be quick to import.

    Attributes:
        suffixes: endings of the files it opens, in lower case, such as `.ply`.
    """

    suffixes: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def opens(cls, path: Path, head: bytes) -> bool:
        """Whether it opens this file or folder; by default its ending says so.

        Args:
            path: it exists.
            head: the first 4096 bytes of a file, or all of a shorter one; empty for a folder.
        """
        del head
        return path.suffix.lower() in cls.suffixes

    @classmethod
    def accepts(cls, source: object) -> bool:
        """Whether it opens what is no file: text, an address, an object; by default it does not."""
        del source
        return False


@runtime_checkable
class Engine(Described, Opener, Protocol):
    """Draws views of one scene in the process it lives in; one thread at a time.

    Derive from it: only `scene`, `cameras`, `passes`, `labels`, `render` and `close` must be
    written, all else has a default. `heliograph.testing.check_engine` checks that an engine keeps
    its promises.
    """

    @property
    def failure(self) -> str:
        """Why something that it draws with died, such as a process of its own; else empty.

        A worker whose engine says so ends, and the pool puts a fresh one in its place, which draws
        the view again.
        """
        return ""

    def render(self, view: View, out: Outs = None) -> Sample:
        """Draw one view.

        Args:
            view: what to show; nothing of any view before it shows.
            out: one mapping of pass name -> array for each camera of the view, to draw into;
                without it every call returns new arrays that belong to the caller.

        Raises:
            HeliographError: the view cannot be drawn; the next one still can.
        """

    def render_many(
        self, views: Iterable[View], outs: Iterable[Outs] | None = None
    ) -> list[Outcome]:
        """Draw several views; the same bits as one by one.

        On a GPU, say, to fetch each picture before the next one is begun is to wait twice for each.

        Args:
            views: what to show; the next one is taken when its drawing begins, and not before.
            outs: for each view as `out` of `render`; taken right after its view.

        Returns:
            For each view its sample, or the error; one that fails does not touch another.

        Raises:
            InvalidValueError: fewer `outs` than views.
        """
        return attempt_all(self, views, outs)

    def refine(
        self,
        view: View,
        cancel: CancelToken | None = None,
        levels: Sequence[float] | None = None,
    ) -> Iterator[Sample]:
        """Draw one view coarsely first, then better and better.

        By default coarse pictures are small ones. Where cameras are named and move with the view's
        state or edits, only the last level is drawn then.

        Between two samples other views may be drawn and refined: what an engine keeps from one
        sample to the next belongs to that call of `refine` alone.

        Args:
            view: what to show.
            cancel: looked at where it is cheap; once it is cancelled nothing more is yielded.
            levels: parts of the whole work (pixels, rays, samples) that the samples are worth,
                ascending, the last one 1; by default `LEVELS`.

        Yields:
            A sample of each level, in any size up to the cameras'; the last one is what `render`
            returns.

        Raises:
            InvalidValueError: no such levels.
            HeliographError: the view cannot be drawn.
        """
        yield from refined(self.render, self.cameras, view, cancel, levels)

    def publish(self, cancel: CancelToken | None = None) -> Iterator[Sample]:
        """What the engine shows by itself, without an end; other views are drawn between two.

        Args:
            cancel: looked at where it is cheap; once it is cancelled nothing more is yielded.

        Raises:
            InvalidValueError: it publishes nothing, as most engines.
        """
        del cancel
        raise InvalidValueError(
            f"{type(self).__name__}: publishes nothing (it has no Capability.PUBLISH); order views "
            "of it"
        )

    def close(self) -> None:
        """Free what it holds; may be called twice. `render` then raises `ClosedError`."""


def attempt(step: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T | HeliographError:
    """What a call returns, or what went wrong."""
    try:
        return step(*args, **kwargs)
    except HeliographError as error:
        return error
    except Exception as error:  # noqa: BLE001 -- whatever it is belongs to this view alone
        return EngineError(f"{type(error).__name__}: {error}")


def attempt_all(
    engine: Engine, views: Iterable[View], outs: Iterable[Outs] | None = None
) -> list[Outcome]:
    """What comes of views drawn one after the other.

    Raises:
        InvalidValueError: fewer `outs` than views.
    """
    return [attempt(engine.render, view, out) for view, out in with_outs(views, outs)]


def with_outs(
    views: Iterable[View], outs: Iterable[Outs] | None = None
) -> Iterator[tuple[View, Outs]]:
    """Each view with where it is drawn into, which is taken right after it.

    Raises:
        InvalidValueError: fewer `outs` than views.
    """
    given = repeat(None) if outs is None else iter(outs)
    for count, view in enumerate(views):
        try:
            out = next(given)
        except StopIteration:
            raise InvalidValueError(
                f"outs: expected one for each view, got {count} and at least {count + 1} views; "
                "give None for a view that is drawn into fresh arrays"
            ) from None
        yield view, out


class Submit(Protocol):
    """Orders one view."""

    def __call__(self, view: View, *, priority: int = 0) -> Future[Sample]:
        """The future holds the sample or the error."""


@runtime_checkable
class Renderer(Described, Protocol):
    """Anything with `render(view) -> Sample`: an engine here, a pool of workers, a remote one.

    Derive from it: what datasets and batches use has a default over `submit`.
    """

    @property
    def seed(self) -> int:
        """Seed of the run; samples and datasets over the renderer take it unless told otherwise."""
        return 0

    @property
    def opened(self) -> Mapping[str, Any]:
        """What decides its pictures besides the scene, in terms of JSON."""
        return {}

    def render(self, view: View) -> Sample:
        """Draw one view and wait for it."""
        return self.submit(view).result()

    def submit(self, view: View, *, priority: int = 0) -> Future[Sample]:
        """Order one view; the future holds the sample or the error.

        Args:
            view: what to show.
            priority: higher ones go first, where several are on their way.
        """

    def map(
        self, views: Iterable[View], *, ordered: bool = True, window: int | None = None
    ) -> Iterator[Sample]:
        """Draw views as they are asked for, some ahead of the consumer.

        Args:
            views: taken from as there is room for more, so they may be endless.
            ordered: whether samples come in the order of the views, or as they are finished.
            window: how many views are on their way or finished and not taken; it bounds memory.
                Without it as many as keep the renderer busy, which is one in this process.

        Raises:
            HeliographError: a view cannot be drawn; use `futures` to go on with the others.
        """
        for future in self.futures(views, ordered=ordered, window=window):
            yield future.result()

    def futures(
        self, views: Iterable[View], *, ordered: bool = True, window: int | None = None
    ) -> Iterator[Future[Sample]]:
        """As `map`, but finished futures: a view that fails does not end the rest."""
        del ordered
        return self._in_order(
            iter(views), check_integer("window", 1 if window is None else window, 1)
        )

    def _in_order(self, views: Iterator[View], window: int) -> Iterator[Future[Sample]]:
        waiting: deque[Future[Sample]] = deque()
        try:
            waiting.extend(self.submit(view) for view in islice(views, window))
            while waiting:
                future = waiting.popleft()
                future.exception()
                yield future
                del future  # or its sample would live while the next ones are made
                waiting.extend(self.submit(view) for view in islice(views, 1))
        finally:
            for future in waiting:
                future.cancel()

    @contextmanager
    def borrow(self, view: View) -> Iterator[Sample]:
        """Draw one view to look at inside the `with`, where a pool saves a copy so."""
        yield self.render(view)

    @overload
    def render_batch(self, batch: Mapping[str, Any]) -> Stacked: ...

    @overload
    def render_batch(self, batch: Sequence[View]) -> list[Sample]: ...

    def render_batch(self, batch: Mapping[str, Any] | Sequence[View]) -> Stacked | list[Sample]:
        """Draw many views: a mapping of columns gives stacked arrays, views give samples.

        See `heliograph.delivery.batch` for the keys. The arrays are the caller's; over a pool they
        are the memory that its workers drew into.

        Raises:
            HeliographError: something is wrong with the batch, or an entry could not be drawn; all
                others were drawn first.
        """
        if isinstance(batch, Mapping) or not isinstance(batch, Sequence):
            return self.submit_batch(batch).result()
        return self._drawn_all(batch)

    def _drawn_all(self, views: Sequence[View]) -> list[Sample]:
        made = [self.submit(view) for view in views]
        try:
            for future in made:
                future.exception()
        except BaseException:
            for future in made:
                future.cancel()
            raise
        return [future.result() for future in made]

    def side_by_side(self, count: int) -> Submit:
        """A `submit` whose samples lie side by side where the renderer can do that.

        The arrays of a pass of `count` consecutive views with the same cameras and passes are then
        the rows of one array.
        """
        del count
        return self.submit

    def submit_batch(self, batch: Mapping[str, Any], *, priority: int = 0) -> Future[Stacked]:
        """Order a batch; the future holds the stacked arrays or the error.

        By default its entries are drawn one after the other, at once.

        Args:
            batch: see `heliograph.delivery.batch` for the keys.
            priority: higher ones go first, where several are on their way.

        Raises:
            InvalidValueError: something is wrong with the batch.
            UnknownNameError: no such camera or pass.
        """
        del priority
        entries = self._checked_batch(batch)
        future: Future[Stacked] = Future()
        try:
            future.set_result(self._stacked(entries))
        except Exception as error:  # noqa: BLE001 -- whatever it is belongs to the future
            future.set_exception(error)
        return future

    def render_batch_async(self, batch: Mapping[str, Any], queue: Queue[Any]) -> None:
        """Order a batch; the queue gets the stacked arrays or the error.

        By default a thread of its own draws it.

        Raises:
            InvalidValueError: something is wrong with the batch.
            UnknownNameError: no such camera or pass.
        """
        entries = self._checked_batch(batch)

        def draw() -> None:
            try:
                queue.put(self._stacked(entries))
            except HeliographError as error:
                queue.put(error)
            except Exception as error:  # noqa: BLE001 -- who waits for it must not wait forever
                queue.put(EngineError(f"{type(error).__name__}: {error}"))

        threading.Thread(target=draw, daemon=True).start()

    def _checked_batch(self, batch: Mapping[str, Any]) -> Batch:
        made = Batch.of(batch)
        made.resolved(self.cameras)
        select_passes(made.common.pass_names, self.passes)
        return made

    def _stacked(self, batch: Batch) -> Stacked:
        return stack(batch, copying(self.render), self.cameras, self.passes)

    def refine(
        self,
        view: View,
        cancel: CancelToken | None = None,
        levels: Sequence[float] | None = None,
        *,
        priority: int = 0,
    ) -> Iterator[Sample]:
        """Draw one view coarsely first, then better and better; see `Engine.refine`."""
        del priority
        yield from refined(self.render, self.cameras, view, cancel, levels)

    def published(self, *, ahead: int = 1, priority: int = 0) -> Iterator[Sample]:
        """What an engine shows by itself; see `Engine.publish`.

        Args:
            ahead: how many samples it may be ahead; then it waits for who takes them.
            priority: higher ones go first, sample by sample.

        Raises:
            InvalidValueError: nothing is published, as by default.
        """
        del ahead, priority
        raise InvalidValueError(f"{type(self).__name__}: publishes nothing; order views of it")

    def close(self) -> None:
        """Free what it holds; may be called twice. `with` ends so, too.

        What is pending is not waited for: its futures fail with `ClosedError`. Who wants the rest
        waits for the futures first (`concurrent.futures.wait`).
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def check_levels(levels: Sequence[float] | None) -> tuple[float, ...]:
    """Levels of a refinement.

    Raises:
        InvalidValueError: they do not ascend from above 0 to 1.
    """
    if levels is None:
        return LEVELS
    try:
        parts = tuple(float(each) for each in levels)
    except (TypeError, ValueError):
        parts = ()
    ascending = all(one < two for one, two in pairwise((0.0, *parts)))
    if not parts or not ascending or parts[-1] != 1:
        raise InvalidValueError(
            f"levels: expected parts of the whole work that ascend from above 0 to 1, such as "
            f"{LEVELS}, got {shown(levels)}"
        )
    return parts


def at_level(camera: Camera, part: float) -> Camera:
    """A camera whose picture has this part of the pixels, at least one a side."""
    side = math.sqrt(part)
    width, height = (max(1, round(side * size)) for size in camera.size)
    return camera.resized(width, height)


def refined(
    render: Callable[[View], Sample],
    known: Mapping[str, Camera],
    view: View,
    cancel: CancelToken | None = None,
    levels: Sequence[float] | None = None,
) -> Iterator[Sample]:
    """A view as small pictures first, then as larger ones; see `Engine.refine`."""
    cameras: Sequence[Camera | str] = view.cameras
    if not (view.state or view.edits):
        cameras = resolve_cameras(view, known)
    fixed = [each for each in cameras if isinstance(each, Camera)]
    for part in check_levels(levels):
        if cancel is not None and cancel.cancelled:
            return
        if part == 1:
            yield render(view)
        elif fixed and len(fixed) == len(cameras):
            coarse = tuple(at_level(each, part) for each in fixed)
            yield render(unchecked_view(**{**vars(view), "cameras": coarse}))


def made_sample(
    view: View,
    cameras: Sequence[Camera],
    buffers: Sequence[Buffers],
    labels: Labels,
    provenance: Provenance,
    specs: PassSpecs = KNOWN_PASSES,
) -> Sample:
    """The sample of a view whose cameras (as they were used) were drawn into these buffers."""
    frames = {
        camera.name: assembled(Frame, camera=camera, passes=passes, labels=labels, specs=specs)
        for camera, passes in zip(cameras, buffers, strict=True)
    }
    return assembled(
        Sample,
        frames=frames,
        labels=labels,
        state=view.state,
        seed=view.seed,
        index=view.index,
        randomization={},
        annotations={},
        provenance=provenance,
    )


def check_version(view: View, oldest: int, newest: int) -> int:
    """The version that a view shows, where these are kept.

    Raises:
        InvalidValueError: it is not there (any more).
    """
    version = newest if view.scene_version is None else view.scene_version
    if not oldest <= version <= newest:
        raise InvalidValueError(
            f"scene_version: expected {oldest} to {newest} (older ones are not kept, and there is "
            f"none newer), got {version}"
        )
    return version


def resolve_cameras(view: View, known: Mapping[str, Camera]) -> tuple[Camera, ...]:
    """The cameras of a view by value: names are looked up, no camera means the first one.

    Raises:
        UnknownNameError: lists the cameras there are.
    """
    wanted = view.cameras or (next(iter(known)),)
    try:
        return tuple([known[each] if isinstance(each, str) else each for each in wanted])
    except KeyError as error:
        raise UnknownNameError.of("camera", error.args[0], known) from None
