"""The session that a Vuer program is given."""

from __future__ import annotations

import asyncio
import inspect
import warnings
from collections.abc import Callable, Coroutine, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from heliograph import scene
from heliograph.compat.vuer.element import flat
from heliograph.compat.vuer.events import (
    Add,
    ClientEvent,
    GrabRender,
    Noop,
    Remove,
    ServerEvent,
    ServerRPC,
    Set,
    Update,
    Upsert,
)
from heliograph.compat.vuer.pictures import picture_value
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.frame import Sample
from heliograph.live.drawing import VIEWPORT
from heliograph.live.events import CAMERA_VIEW, INIT, Event, Subscription
from heliograph.live.operations import Operation
from heliograph.live.session import Session
from heliograph.scene import Component

_C = TypeVar("_C", bound=Component)
DEFAULT = "DEFAULT"
"""Vuer's key of the page's own view."""
_ROOTS = ("children", "rawChildren", "bgChildren", "htmlChildren", "scene")
_FIRST = 20.0  # seconds that the first picture may take in any case: who draws starts with it

_DEFAULTS: Mapping[type[Component], Component] = MappingProxyType(
    {
        type(each): each
        for each in (
            scene.CameraView(
                fov=60,
                width=640,
                height=480,
                downsample=2,
                distanceToCamera=0.5,
                showFrustum=True,
                movable=True,
            ),
            scene.AmbientLight(intensity=0.5),
            scene.DirectionalLight(intensity=0.5),
            scene.SpotLight(intensity=0.5),
            scene.PointLight(intensity=20),
            scene.RectAreaLight(width=1, height=1),
        )
    }
)
"""What Vuer's elements are where it is not said and ours are not the same."""


class Localize(Protocol):
    """Puts files that are found here in the place of addresses."""

    def __call__(self, component: _C, /) -> _C:
        """The component with such files."""


class VuerSession:
    """One client's scene.

    `set`, `add`, `update`, `upsert` and `remove` take one element or key or a list, as
    `session.add @ box` or `session.add(box, to="group")`. A change counts at once: a picture
    grabbed after it shows it.

    Args:
        session: ours.
        localize: from a component to one whose files are found here.
    """

    def __init__(self, session: Session, localize: Localize) -> None:
        self._session = session
        self._localize = localize
        self._drew = False
        self._shown: dict[str, float] = {}
        self._waiting: Subscription | None = None
        self.set = Operation(self._set)
        self.add = Operation(self._add)
        self.update = Operation(self._update)
        self.upsert = Operation(self._upsert)
        self.remove = Operation(self._remove)

    @property
    def native(self) -> Session:
        """The session by the names of `heliograph.live`."""
        return self._session

    # Changes of the scene.

    def _set(self, given: Component) -> None:
        """Show another scene."""
        if not isinstance(given, scene.Scene):
            raise InvalidValueError(f"set: expected a Scene or DefaultScene, got {given!r}")
        self._session.apply(scene.Set(self._placed(given)))

    def _add(self, given: Any, to: str | None = None) -> None:
        """Add elements; one whose key is there already is replaced."""
        edits: list[scene.Edit] = []
        for each in flat([given]):
            if each.key is not None and each.key in self._session:
                edits.append(scene.Remove(each.key))
            edits.append(scene.Add(self._placed(each), _parent(to)))
        self._session.apply(edits)

    def _update(self, given: Any) -> None:
        """Change the fields given of elements that are there."""
        known = [each for each in flat([given]) if self._knows("update", each.key)]
        self._session.apply([scene.Update(self._localize(each)) for each in known])

    def _upsert(self, given: Any, to: str | None = None, *, strict: bool = False) -> None:
        """Update what is there, add what is not; `strict` replaces what is there."""
        for each in flat([given]):
            there = each.key is not None and each.key in self._session
            if there and not strict:
                self._session.apply(scene.Upsert(self._localize(each)))
            else:
                self._add(each, to)

    def _remove(self, given: Any) -> None:
        """Remove elements with all below them, by key."""
        keys = [given] if isinstance(given, (str, Component)) else list(given)
        named = [str(key.key) if isinstance(key, Component) else key for key in keys]
        self._session.apply([scene.Remove(key) for key in named if self._knows("remove", key)])

    def _knows(self, verb: str, key: str | None) -> bool:
        """Whether there is an element; Vuer's page passes over what it does not know."""
        if key is not None and key in self._session:
            return True
        problem = UnknownNameError.of("key", key, self._session.keys)
        warnings.warn(f"{verb}: {problem}; nothing is changed", stacklevel=5)
        return False

    def _placed(self, given: _C) -> _C:
        """An element with Vuer's defaults where it says nothing, and all below it so."""
        made = self._localize(given)
        default = _DEFAULTS.get(type(given))
        if default is not None:
            made = made.changed(props=dict(default.merged(made.props).props))
        return made.changed(children=tuple(self._placed(child) for child in given.children))

    # Pictures.

    async def grab_render(
        self,
        ttl: float = 2.0,
        *,
        key: str = DEFAULT,
        downsample: float | None = None,
        quality: float = 1.0,
        **_: Any,
    ) -> ClientEvent:
        """A picture of a camera, which shows every change made before.

        Args:
            ttl: seconds that it may take; the very first one may take 20.
            key: of a `CameraView`; without one the page's own view.
            downsample: divides its size, instead of the camera's own.
            quality: of its encoding, 0 to 1.

        Returns:
            An event whose `value` is as `CAMERA_VIEW` has it; `value["depthFrame"]` is None
            without `renderDepth`.

        Raises:
            TimeoutError: it was not drawn in time; names the camera and says why.
            UnknownNameError: no such camera; names those there are.
        """
        view = key == DEFAULT
        depth = not view and "depth" in self._session.camera(key).get("passes")
        sample = await self._session.grab_render(
            VIEWPORT if view else key,
            ("rgb", "depth") if depth else ("rgb",),
            ttl=ttl if self._drew else max(ttl, _FIRST),
            downsample=downsample,
        )
        self._drew = True
        return self._pictured("GRAB_RENDER_RESPONSE", key, sample, depth=depth, quality=quality)

    def _pictured(
        self, etype: str, key: str, sample: Sample, *, depth: bool, quality: float = 1.0
    ) -> ClientEvent:
        event = ClientEvent(etype, key)
        delta = event.ts - self._shown.get(key, event.ts)
        self._shown[key] = event.ts
        event.value = picture_value(sample, depth=depth, quality=quality, delta=delta)
        return event

    async def rpc(self, event: ServerRPC, ttl: float = 2.0) -> ClientEvent:
        """Ask for something and wait for it."""
        if not isinstance(event, GrabRender):
            raise InvalidValueError(f"rpc: expected a GrabRender, got {event!r}")
        return await self.grab_render(ttl, key=event.key, **event.data)

    # Events.

    def send(self, event: ServerEvent) -> None:
        """Do what an event says."""
        if isinstance(event, Set):
            self.set(event.data)
        elif isinstance(event, Add):
            self.add(event.data, to=event.to)
        elif isinstance(event, Update):
            self.update(event.data)
        elif isinstance(event, Upsert):
            self.upsert(event.data, to=event.to, strict=event.strict)
        elif isinstance(event, Remove):
            self.remove(event.data)
        elif not isinstance(event, Noop):
            raise InvalidValueError(f"expected Set, Add, Update, Upsert or Remove, got {event!r}")

    def __matmul__(self, event: ServerEvent) -> None:
        """The same as `send`."""
        self.send(event)

    def translate(self, event: Event) -> ClientEvent:
        """An event of ours as Vuer has it."""
        if event.etype == CAMERA_VIEW and isinstance(event.value, Sample):
            (frame,) = event.value
            return self._pictured(
                event.etype, event.key, event.value, depth="depth" in frame.passes
            )
        return ClientEvent(event.etype, event.key, event.value, event.ts)

    def popleft(self) -> ClientEvent | None:
        """The oldest event that nobody took yet, or None; they are kept from the first call on."""
        event = self._kept.get_nowait()
        return None if event is None else self.translate(event)

    def clear(self) -> None:
        """Forget the events that nobody took yet."""
        self._kept.clear()

    def stream(self) -> Iterator[ClientEvent]:
        """The events that nobody took yet, oldest first."""
        while (event := self.popleft()) is not None:
            yield event

    async def next_event(self) -> ClientEvent:
        """The oldest event that nobody took yet, once there is one."""
        return self.translate(await self._kept.get())

    @property
    def _kept(self) -> Subscription:
        if self._waiting is None:
            self._waiting = self._session.subscribe()
            self._waiting.put(Event(INIT, "", self._session.info))
        return self._waiting

    async def till(self, event: str, timeout: float | None = None) -> ClientEvent:
        """The next event of a sort.

        Raises:
            TimeoutError: none came in so many seconds.
        """
        return self.translate(await self._session.till(event, timeout))

    # Tasks.

    def spawn_task(
        self, task: Coroutine[Any, Any, Any] | Callable[[], Any], name: str | None = None
    ) -> asyncio.Task[Any]:
        """Run a coroutine, or what a coroutine function gives, until the session ends."""
        work = task if inspect.iscoroutine(task) else task()  # type: ignore[operator]
        made = self._session.spawn_task(work)
        if name is not None:
            made.set_name(name)
        return made

    async def forever(self) -> None:
        """Wait until the session ends."""
        await self._session.forever()


def _parent(to: str | None) -> str | None:
    """The key of a parent; Vuer's names of the scene's own lists are the scene."""
    return None if to in _ROOTS else to
