"""The protocols: what an engine is, what a renderer is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from heliograph.camera import Camera
from heliograph.errors import UnknownNameError
from heliograph.frame import Buffers, Labels, Sample
from heliograph.scene import Description
from heliograph.view import View


class Described(Protocol):
    """What everything that can draw says about itself."""

    @property
    def scene(self) -> Description:
        """The scene: where it came from, its hash, what it holds."""

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """The scene's own cameras by name, as they stand before any state; at least one."""

    @property
    def passes(self) -> tuple[str, ...]:
        """The passes it can yield."""

    @property
    def labels(self) -> Labels:
        """Segmentation id -> (name, category); 0 is the background."""


@runtime_checkable
class Engine(Described, Protocol):
    """Draws views of one scene in the process it lives in; one thread at a time.

    `heliograph.testing.check_engine` checks that an implementation keeps its promises.
    """

    def render(self, view: View, out: Sequence[Buffers] | None = None) -> Sample:
        """Draw one view.

        Args:
            view: what to show; nothing of any view before it shows.
            out: one mapping of pass name -> array for each camera of the view, to draw into;
                without it every call returns new arrays that belong to the caller.

        Raises:
            HeliographError: the view cannot be drawn; the next one still can.
        """

    def close(self) -> None:
        """Free what it holds; may be called twice. `render` then raises `ClosedError`."""


@runtime_checkable
class Gathering(Protocol):
    """What an engine may be besides, if it gains from being given several views in one go.

    On a GPU, say, to fetch each picture before the next one is begun is to wait twice for each.
    """

    def together(self) -> AbstractContextManager[None]:
        """Arrays of what is rendered within may be filled by the end only; errors come at once."""

    def settle(self) -> None:
        """Fill the arrays of all that was rendered so far."""


def together(engine: Engine) -> AbstractContextManager[None]:
    """`engine.together()` of an engine that has it; for others nothing is different within."""
    return engine.together() if isinstance(engine, Gathering) else nullcontext()


@runtime_checkable
class Renderer(Described, Protocol):
    """Anything with `render(view) -> Sample`: an engine here, a pool of workers, a remote one."""

    def render(self, view: View) -> Sample:
        """Draw one view and wait for it."""

    def submit(self, view: View) -> Future[Sample]:
        """Order one view; the future holds the sample or the error."""

    def close(self) -> None:
        """Free what it holds; may be called twice."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def resolve_cameras(view: View, known: Mapping[str, Camera]) -> tuple[Camera, ...]:
    """The cameras of a view by value: names are looked up, no camera means the first one.

    Raises:
        UnknownNameError: lists the cameras there are.
    """
    wanted = view.cameras or (next(iter(known)),)
    for camera in wanted:
        if isinstance(camera, str) and camera not in known:
            raise UnknownNameError.of("camera", camera, known)
    return tuple(known[c] if isinstance(c, str) else c for c in wanted)
