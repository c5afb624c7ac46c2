"""A session: one live scene, the pages that show it, and what a program does with it."""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias, TypedDict, get_args

from heliograph.camera import Camera
from heliograph.engines.web.link import PageLink
from heliograph.engines.web.messages import (
    Answer,
    Ask,
    Configure,
    Encoding,
    FromPage,
    Hello,
    Moved,
    Problem,
    Viewport,
)
from heliograph.engines.web.messages import Event as PageEvent
from heliograph.engines.web.specs import camera_of
from heliograph.errors import ClosedError, HeliographError, InvalidValueError
from heliograph.frame import Sample
from heliograph.live.drawing import VIEWPORT, Adjust, Drawer, PageDrawer, Shot
from heliograph.live.events import (
    CAMERA_MOVE,
    CAMERA_VIEW,
    DROP,
    INIT,
    OBJECT_MOVE,
    OWN,
    PROBLEM,
    VIEWPORT_MOVE,
    Event,
    Handler,
    Subscription,
)
from heliograph.live.operations import Operation
from heliograph.live.scene import LiveScene
from heliograph.live.streams import CameraStreams
from heliograph.live.viewer.dropped import MOST_BYTES, sent_files
from heliograph.passes import Passes
from heliograph.scene import (
    Add,
    CameraView,
    Component,
    Edit,
    Remove,
    Scene,
    Set,
    Update,
    Upsert,
)

_LOG = logging.getLogger("heliograph.live")

Components: TypeAlias = Component | Sequence[Component]
Keys: TypeAlias = str | Sequence[str]


class GrabOptions(TypedDict, total=False):
    """What `Session.grab_render` takes besides."""

    poses: Mapping[str, Any] | None
    downsample: float | None
    ttl: float
    encoding: Encoding


@dataclass(frozen=True)
class GrabRender:
    """An order of pictures, for `session.rpc`; see `Session.grab_render`."""

    keys: Keys = VIEWPORT
    passes: Passes = ("rgb",)
    poses: Mapping[str, Any] = field(default_factory=dict)
    encoding: Encoding = "raw"


class Session:
    """One live scene: change it, look at it, get pictures of it.

    `session.add @ box` is the same as `session.add(box)`, and so with `set`, `update`, `upsert`,
    `remove` and `rpc`. A change counts at once: what is grabbed after it shows it.

    Args:
        name: for its link and its messages.
        scene: what it shows at first.
        drawer: who draws its cameras.
        configure: how its pages behave.

    Attributes:
        name: for its link and its messages.
        info: what the page said of itself, or the program that takes the place of one.
        dropped: events that a slow handler has missed.
    """

    def __init__(self, name: str, scene: Scene, drawer: Drawer, configure: Configure) -> None:
        self.name = name
        self.info: Mapping[str, Any] = {}
        self.set = Operation(self._set)
        self.add = Operation(self._add)
        self.update = Operation(self._update)
        self.upsert = Operation(self._upsert)
        self.remove = Operation(self._remove)
        self.rpc = Operation(self._rpc)
        self._scene = LiveScene(scene)
        self._drawer = drawer
        self._configure = configure
        self._pages: list[PageLink] = []
        self._viewport: Camera | None = None  # of the page that moved last
        self._samples = 0
        self._subscriptions: list[Subscription] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = asyncio.Event()
        self._streams = CameraStreams(self._scene, self._drawn_stream, self.tell)

    @property
    def scene(self) -> Scene:
        """The scene as it is now."""
        return self._scene.tree.scene()

    @property
    def version(self) -> int:
        """The number of the scene's newest version."""
        return self._scene.version

    def __contains__(self, key: object) -> bool:
        """Whether a component has this key."""
        return key in self._scene.tree.index

    @property
    def keys(self) -> list[str]:
        """The keys of all components, the scene's own first."""
        return self._scene.tree.names()

    def camera(self, key: str) -> CameraView:
        """A camera's component as it is now.

        Raises:
            UnknownNameError: lists the cameras there are.
        """
        return self._scene.camera_view(key)

    @property
    def cameras(self) -> list[str]:
        """The keys of the cameras in the scene."""
        return [str(node.key) for node in self._scene.cameras]

    @property
    def pages(self) -> int:
        """How many pages show it."""
        return len(self._pages)

    @property
    def dropped(self) -> int:
        """How many events slow handlers have missed."""
        return sum(each.dropped for each in self._subscriptions)

    # Changes of the scene.

    def apply(self, edits: Edit | Sequence[Edit]) -> int:
        """Apply edits, all of them or none; returns the version that shows them.

        Raises:
            HeliographError: one does not fit the scene.
            ClosedError: the session is over.
        """
        if self._closed.is_set():
            raise ClosedError(f"session {self.name!r} is over")
        given = [edits] if isinstance(edits, Edit) else list(edits)
        changed = self._scene.apply(given)
        self._drawer.note(changed)
        for page in self._pages:
            page.show(self._scene.rows, changed.keys)
        self._streams.changed()
        return self._scene.version

    def __matmul__(self, edits: Edit | Sequence[Edit]) -> int:
        """The same as `apply`."""
        return self.apply(edits)

    def _set(self, scene: Scene | Components) -> int:
        """Show another scene, or these components and nothing else."""
        made = scene if isinstance(scene, Scene) else Scene(*_components(scene))
        return self.apply(Set(made))

    def _add(self, components: Components, *, to: str | None = None) -> int:
        """Add components to the scene, or to the component with the key `to`."""
        return self.apply([Add(each, to) for each in _components(components)])

    def _update(self, components: Components) -> int:
        """Change the properties given of components that are there, found by their keys."""
        return self.apply([Update(each) for each in _components(components)])

    def _upsert(self, components: Components, *, to: str | None = None) -> int:
        """Update what is there, add what is not."""
        return self.apply([Upsert(each, to) for each in _components(components)])

    def _remove(self, keys: Keys | Components) -> int:
        """Remove components with all below them, by key."""
        given = [keys] if isinstance(keys, (str, Component)) else list(keys)
        named = [each.key if isinstance(each, Component) else each for each in given]
        return self.apply([Remove(key) for key in named])  # type: ignore[arg-type]  # it looks

    # Pictures.

    async def grab_render(
        self,
        keys: Keys = VIEWPORT,
        passes: Passes = ("rgb",),
        *,
        poses: Mapping[str, Any] | None = None,
        downsample: float | None = None,
        ttl: float = 10.0,
        encoding: Encoding = "raw",
    ) -> Sample:
        """Pictures of one camera or several, of one and the same version of the scene.

        All changes made before show, and whatever the pictures show is loaded first.

        Args:
            keys: of cameras; `viewport` is the page's own view, or `fit` where no page draws.
            passes: of each camera, one or several.
            poses: (4, 4) world_from_camera by key, for these pictures alone.
            downsample: divides the pictures' size, in the place of the cameras' own `downsample`.
            ttl: seconds that it may take.
            encoding: how a page sends rgb: "raw", "png", "jpeg" or "webp".

        Returns:
            The sample: frames by key with their cameras as used; its provenance has the version,
            its index counts the session's samples.

        Raises:
            UnknownNameError: no such camera; lists those there are.
            HeliographError: it cannot be drawn, or something it shows could not be loaded.
            TimeoutError: it was not drawn in time; names the cameras and says why.
        """
        if self._closed.is_set():
            raise ClosedError(f"session {self.name!r} is over")
        if not isinstance(keys, (str, Sequence)):
            raise InvalidValueError(f"keys: expected a camera's or several, got {keys!r}")
        names = [keys] if isinstance(keys, str) else list(keys)
        _check_shot(ttl, encoding)
        if not names or len(set(names)) != len(names):
            raise InvalidValueError(f"keys: expected cameras, each once, got {names}")
        given = poses or {}
        for key in given:
            if key not in names:
                raise InvalidValueError(f"poses: {key!r} is not among the keys {names}")
        if VIEWPORT in names and isinstance(self._drawer, PageDrawer) and self._viewport is None:
            await self._drawer.wait_for_page(VIEWPORT, ttl)
            if self._viewport is None:
                await self.till(VIEWPORT_MOVE, ttl)
        cameras = [self._camera(key, given.get(key), downsample) for key in names]
        sample = await self._drawer.draw(self._scene, Shot(cameras, passes, encoding, ttl))
        self._samples += 1
        return replace(sample, index=self._samples - 1)

    def _camera(self, key: str, pose: Any, downsample: float | None) -> Camera | Adjust:
        """A camera by value; of a view that nobody has told, what is to be done to it."""
        if key != VIEWPORT or key in self:
            return self._scene.camera(key, pose, downsample)
        adjust = partial(_adjusted, pose=pose, downsample=downsample)
        return adjust if self._viewport is None else adjust(self._viewport)

    async def _rpc(self, request: GrabRender, *, ttl: float = 10.0) -> Sample:
        """Ask for something and wait for it: `await (session.rpc @ GrabRender(keys="ego"))`."""
        if not isinstance(request, GrabRender):
            raise InvalidValueError(f"rpc: expected a GrabRender, got {request!r}")
        return await self.grab_render(
            request.keys, request.passes, poses=request.poses, ttl=ttl, encoding=request.encoding
        )

    async def _drawn_stream(self, key: str, passes: Passes) -> Sample | None:
        """A picture of a stream; None where nobody would look at it."""
        if not any(each.takes(CAMERA_VIEW) for each in self._subscriptions):
            return None
        return await self.grab_render(key, passes)

    # Events.

    def tell(self, event: Event) -> None:
        """Give an event to everybody who takes its sort."""
        for each in self._subscriptions:
            each.put(event)

    def subscribe(self, *etypes: str) -> Subscription:
        """Events of these sorts from now on, or of all; end it with `unsubscribe`."""
        made = Subscription(*etypes)
        self._subscriptions.append(made)
        self._streams.changed()
        return made

    def unsubscribe(self, subscription: Subscription) -> None:
        """No more events for it."""
        subscription.end()
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    async def events(self, *etypes: str) -> AsyncIterator[Event]:
        """Events of these sorts, or all, as they come."""
        subscription = self.subscribe(*etypes)
        try:
            async for event in subscription:
                yield event
        finally:
            self.unsubscribe(subscription)

    async def till(self, etype: str, timeout: float | None = None) -> Event:
        """The next event of a sort.

        Raises:
            TimeoutError: none came in so many seconds.
        """
        subscription = self.subscribe(etype)
        try:
            return await asyncio.wait_for(subscription.get(), timeout)
        except TimeoutError:
            raise TimeoutError(f"no {etype} within {timeout:g} s") from None
        finally:
            self.unsubscribe(subscription)

    def handle(self, etype: str, handler: Handler, *, once: bool = False) -> Subscription:
        """Have a handler called for events of a sort, one after the other; ends with the session.

        While it runs, newer pictures take the place of older ones that wait.
        """
        subscription = self.subscribe(etype)
        self.spawn_task(self._run(subscription, handler, once=once))
        return subscription

    async def _run(self, subscription: Subscription, handler: Handler, *, once: bool) -> None:
        async for event in subscription:
            await self._call(handler, event)
            if once:
                break
        self.unsubscribe(subscription)

    async def _call(self, handler: Handler, event: Event) -> None:
        try:
            result = handler(event, self)
            if inspect.isawaitable(result):
                await result
        except Exception:  # noqa: BLE001 -- told in the log; the next event is another matter
            _LOG.exception("session %s: a handler of %s failed", self.name, event.etype)

    # Tasks and its end.

    def spawn_task(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine beside everything else, until it returns or the session ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):  # not for a program that calls `exit()`
            _LOG.error("session %s: a task failed", self.name, exc_info=error)

    async def forever(self) -> None:
        """Wait until the session ends."""
        await self._closed.wait()

    async def close(self) -> None:
        """End it: its tasks, its streams, its pages' links and who draws for it."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._streams.close()
        for page in list(self._pages):
            page.close("the session is over")
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._drawer.close()

    # Pages.

    def begin(self, hello: Hello | None = None) -> None:
        """Tell that the session begins, with what its page says of itself."""
        self.info = {"client": "engine"} if hello is None else dict(hello.info)
        self.tell(Event(INIT, self.name, self.info))

    async def serve(self, page: PageLink) -> None:
        """Show the scene in a page until that is closed."""
        page.on_message = lambda message, body: self._heard(page, message, body)
        page.spare += MOST_BYTES
        page.configure(self._configure)
        page.show(self._scene.rows)
        self._pages.append(page)
        if isinstance(self._drawer, PageDrawer):
            self._drawer.joined(page)
        try:
            await page.wait_closed()
        finally:
            self._pages.remove(page)
            if isinstance(self._drawer, PageDrawer):
                self._drawer.left(page)

    def _heard(self, page: PageLink, message: FromPage, body: memoryview) -> None:
        if isinstance(message, Moved):
            self._moved(page, message)
        elif isinstance(message, PageEvent):
            if message.etype in OWN:
                _LOG.warning("page of session %s: %s is not a page's", self.name, message.etype)
                return
            self.tell(Event(message.etype, message.key, message.value))
        elif isinstance(message, Problem):
            _LOG.warning("page of session %s: %s: %s", self.name, message.key, message.text)
            self.tell(Event(PROBLEM, message.key, message.text))
        elif isinstance(message, Viewport):
            self._looked(message)
        elif isinstance(message, Ask):
            page.send(self._answer(message, body))

    def _answer(self, ask: Ask, body: memoryview) -> Answer:
        """The answer to what the page's user interface asks: it takes dropped files, no more."""
        if ask.what != "drop":
            return Answer(ask.ask, None, f"this program answers no {ask.what!r}")
        if not any(each.takes(DROP) for each in self._subscriptions):
            return Answer(ask.ask, None, "this program takes no files (it handles no DROP)")
        try:
            files = sent_files(_files(ask.value), body)
        except HeliographError as error:
            return Answer(ask.ask, None, error.message)
        self.tell(Event(DROP, VIEWPORT, files))
        return Answer(ask.ask, {})

    def _looked(self, message: Viewport) -> None:
        """Somebody looks from elsewhere."""
        try:
            self._viewport = camera_of(message.camera, VIEWPORT)
        except HeliographError as error:
            _LOG.warning("session %s: a viewport that is none: %s", self.name, error)
            return
        self.tell(Event(VIEWPORT_MOVE, VIEWPORT, self._viewport))

    def _moved(self, page: PageLink, message: Moved) -> None:
        """Somebody dragged a component: it stands there from now on, in the other pages too."""
        try:
            edit = self._scene.moved(message.key, message.matrix)
            changed = self._scene.apply([edit])
        except HeliographError as error:  # it was removed meanwhile, say
            _LOG.info("session %s: a move that came too late: %s", self.name, error)
            return
        self._drawer.note(changed)
        for other in self._pages:
            if other is not page or message.final:
                other.show(self._scene.rows, changed.keys)
        self._streams.changed()
        kind = self._scene.tree.kind(self._scene.tree.row(message.key))
        etype = CAMERA_MOVE if issubclass(kind, CameraView) else OBJECT_MOVE
        value = {"matrix": list(message.matrix), "final": message.final}
        self.tell(Event(etype, message.key, value))


def _check_shot(ttl: object, encoding: object) -> None:
    if not isinstance(ttl, (int, float)) or not 0 < ttl < math.inf:
        raise InvalidValueError(f"ttl: expected seconds above 0, got {ttl!r}")
    if encoding not in get_args(Encoding):
        raise InvalidValueError(f"encoding: expected one of {get_args(Encoding)}, got {encoding!r}")


def _files(value: object) -> object:
    return value.get("files") if isinstance(value, Mapping) else None


def _adjusted(camera: Camera, *, pose: Any, downsample: float | None) -> Camera:
    """The camera of a viewport, from another pose or in another size where these are given."""
    moved = camera if pose is None else camera.moved(pose)
    if downsample is None:
        return moved
    return moved.resized(*(max(round(side / downsample), 1) for side in camera.size))


def _components(given: Components) -> Iterable[Component]:
    return [given] if isinstance(given, Component) else list(given)
