"""Who draws the cameras of a live scene: any renderer, or a page that somebody has open."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeAlias

import numpy as np

from heliograph.camera import Camera
from heliograph.delivery.call import LocalRenderer
from heliograph.engine import Renderer
from heliograph.engines.web.decode import PAGE_PASSES
from heliograph.engines.web.drawn import Drawn
from heliograph.engines.web.link import PageLink
from heliograph.engines.web.messages import Encoding
from heliograph.errors import EngineError, HeliographError, WorkerError
from heliograph.frame import Array, Frame, Labels, Provenance, Sample
from heliograph.live.scene import Changed, LiveScene
from heliograph.live.thread import WorkThread
from heliograph.passes import Passes
from heliograph.requires import Requires
from heliograph.scene import Component, Edit, Scene, Set, Update, Urdf
from heliograph.view import View

VIEWPORT: Final = "viewport"
"""Key of the page's own view, or of the camera `fit` where no page draws."""
CLOSE_WITHIN: Final = 5.0
"""Seconds that a renderer has to end."""
_LOG = logging.getLogger("heliograph.live")
EDITS_KEPT: Final = 2000
"""Edits that wait for a renderer; of more, the whole scene takes their place."""


Adjust: TypeAlias = Callable[[Camera], Camera]


@dataclass(frozen=True)
class Shot:
    """What is to be drawn.

    Attributes:
        cameras: by value; in the place of one, what is to be done to the renderer's camera `fit`.
        passes: of each camera.
        encoding: how a page sends rgb.
        ttl: seconds that it may take.
    """

    cameras: Sequence[Camera | Adjust]
    passes: Passes
    encoding: Encoding
    ttl: float


class Drawer(Protocol):
    """Draws shots of a live scene; the newest version when its turn comes."""

    def note(self, changed: Changed) -> None:
        """The scene has changed."""

    async def draw(self, scene: LiveScene, shot: Shot) -> Sample:
        """Draw it.

        Raises:
            HeliographError: it cannot be drawn.
            TimeoutError: it was not drawn in time; says why.
        """

    async def close(self) -> None:
        """Free what it holds."""


class RendererDrawer:
    """Draws with a renderer in a thread of its own, which brings it up to date before each shot.

    Args:
        make: opens the renderer of a scene; called in the thread.
    """

    def __init__(self, make: Callable[[Scene], Renderer]) -> None:
        self._make = make
        self._thread = WorkThread("heliograph-live")
        self._renderer: Renderer | None = None
        self._whole = True  # whether the renderer needs the whole scene
        self._edits: list[Edit] = []
        self._updates: dict[str, int] = {}  # key -> which of the edits updates it, and it alone
        self._turn = asyncio.Lock()
        self._job: asyncio.Future[Sample] | None = None  # what the thread draws

    def note(self, changed: Changed) -> None:
        """Keep what the renderer must be told before it draws; updates of one key are merged."""
        for edit in changed.edits:
            key = edit.component.key if type(edit) is Update else None
            if not isinstance(edit, Update) or key is None or _stands_apart(edit.component):
                self._updates.clear()
            elif key in self._updates:
                place = self._updates[key]
                before = self._edits[place]
                if isinstance(before, Update):
                    merged = before.component.merged(edit.component.props)
                    self._edits[place] = Update(merged)
                    continue
            else:
                self._updates[key] = len(self._edits)
            self._edits.append(edit)
        if len(self._edits) > EDITS_KEPT or changed.keys is None:
            self._forget(whole=True)

    def _forget(self, *, whole: bool) -> None:
        self._edits, self._updates = [], {}
        self._whole = self._whole or whole

    async def draw(self, scene: LiveScene, shot: Shot) -> Sample:
        """Draw it; see `Drawer`. Who waits longer than its time is not drawn for."""
        try:
            async with asyncio.timeout(shot.ttl), self._turn:
                if self._job is not None:  # of somebody who has given up
                    await asyncio.wait([self._job])
                version, labels = scene.version, scene.labels
                self._job = self._order(scene, shot)
                sample = await asyncio.shield(self._job)
        except TimeoutError:
            raise TimeoutError(
                f"{_named(shot)}: was not drawn within {shot.ttl:g} s; give a longer ttl"
            ) from None
        told = replace(sample, provenance=replace(sample.provenance, scene_version=version))
        return _numbered(told, labels)

    def _order(self, scene: LiveScene, shot: Shot) -> asyncio.Future[Sample]:
        """Have the thread draw the newest version; it is idle, so nothing is told it twice."""
        edits: Sequence[Edit] = self._edits
        whole = scene.tree.scene() if self._whole else None
        self._whole = False
        self._forget(whole=False)
        job = asyncio.wrap_future(self._thread.submit(self._draw, whole, edits, shot))
        job.add_done_callback(_look_at)
        return job

    def _draw(self, whole: Scene | None, edits: Sequence[Edit], shot: Shot) -> Sample:
        try:
            renderer = self._brought_up(whole, edits)
        except BaseException:
            self._whole = True  # seen before the next order
            raise
        view = View([_by_value(each, renderer) for each in shot.cameras], shot.passes)
        try:
            return renderer.render(view)
        except EngineError:
            if not isinstance(renderer, LocalRenderer) or not renderer.engine.failure:
                raise
            return renderer.render(view)  # its browser has died, and another one took its place

    def _brought_up(self, whole: Scene | None, edits: Sequence[Edit]) -> Renderer:
        if self._renderer is None:
            if whole is None:  # the last attempt to open it failed
                raise HeliographError("the scene could not be opened; see the error before")
            self._renderer = self._make(whole)
        elif whole is not None:
            self._renderer.advance([Set(whole)])
        elif edits:
            self._renderer.advance(edits)
        return self._renderer

    async def close(self) -> None:
        """Close the renderer; one that hangs is left behind."""
        closed = asyncio.wrap_future(self._thread.submit(self._close))
        self._thread.end()
        done, _ = await asyncio.wait([closed], timeout=CLOSE_WITHIN)
        if not done:
            _LOG.error("a renderer has not ended within %g s; it is left behind", CLOSE_WITHIN)
        elif (error := closed.exception()) is not None:
            _LOG.error("a renderer could not be closed", exc_info=error)

    def _close(self) -> None:
        renderer, self._renderer = self._renderer, None
        if renderer is not None:
            renderer.close()


def _stands_apart(component: Component) -> bool:
    """Whether updates of it are not merged: others are told by what they change below it."""
    return bool(component.children) or isinstance(component, Urdf)


def _look_at(job: asyncio.Future[Sample]) -> None:
    """Nobody may wait any more for what went wrong."""
    if not job.cancelled():
        job.exception()


def _by_value(camera: Camera | Adjust, renderer: Renderer) -> Camera:
    """A camera; of the viewport that nobody told, the one that frames everything, adjusted."""
    if isinstance(camera, Camera):
        return camera
    known = renderer.cameras
    return camera((known.get("fit") or next(iter(known.values()))).replace(name=VIEWPORT))


def _numbered(sample: Sample, labels: Labels) -> Sample:
    """The sample with the ids of the live scene, where a renderer that came later has others."""
    ids = {label.name: number for number, label in labels.items()}
    moved = {own: ids.get(label.name, own) for own, label in sample.labels.items()}
    if all(own == number for own, number in moved.items()):
        return sample
    table = np.zeros(max(moved) + 1, np.int32)
    table[list(moved)] = list(moved.values())
    named = {moved[own]: label for own, label in sample.labels.items()}
    frames = {}
    for name, frame in sample.frames.items():
        passes = dict(frame.passes)
        if "segmentation" in passes:
            passes["segmentation"] = table[passes["segmentation"]]
        frames[name] = replace(frame, passes=passes, labels=named)
    return replace(sample, frames=frames, labels=named)


class PageDrawer:
    """Draws in the newest page of a session.

    Args:
        address: where a page is opened, for messages.
        samples: per pixel of rgb, 1 or 4.
    """

    def __init__(self, address: Callable[[], str], *, samples: int = 1) -> None:
        self._address = address
        self._samples = samples
        self._pages: list[PageLink] = []
        self._arrived = asyncio.Event()
        self._had_one = False

    def note(self, changed: Changed) -> None:
        """Pages are told by the session itself."""

    def joined(self, page: PageLink) -> None:
        """A page may be drawn in from now on."""
        self._pages.append(page)
        self._had_one = True
        self._arrived.set()

    def left(self, page: PageLink) -> None:
        """A page is gone."""
        self._pages.remove(page)
        if not self._pages:
            self._arrived.clear()

    async def wait_for_page(self, names: str, ttl: float) -> None:
        """Wait until a page is there to draw these cameras.

        Raises:
            TimeoutError: none came in time.
        """
        try:
            await asyncio.wait_for(self._arrived.wait(), ttl)
        except TimeoutError:
            gone = "its page was closed" if self._had_one else "no page is open"
            raise TimeoutError(
                f"camera {names}: {gone}, and none was opened within {ttl:g} s; open "
                f"{self._address()} in a browser, or draw without one (renderer='engine')"
            ) from None

    async def draw(self, scene: LiveScene, shot: Shot) -> Sample:
        """Draw it; see `Drawer`. Without a page it waits for one."""
        loop = asyncio.get_running_loop()
        until = loop.time() + shot.ttl
        await self.wait_for_page(_listed(shot), shot.ttl)
        page, names = self._pages[-1], View(passes=shot.passes).pass_names
        cameras = [each for each in shot.cameras if isinstance(each, Camera)]
        rest = max(until - loop.time(), 0.001)
        labels = scene.labels
        try:
            drawn = await page.render(
                cameras,
                names,
                patience=rest,
                timeout=rest,
                encoding=shot.encoding,
                samples=self._samples,
            )
        except WorkerError as error:
            raise TimeoutError(error.message) from None
        labels = {**labels, **scene.labels}  # it may show a newer version; no id has two meanings
        frames = {
            camera.name: Frame(camera, _passes(camera, drawn, shot), labels, PAGE_PASSES)
            for camera in cameras
        }
        provenance = Provenance("page", page.hello.gl, drawn.version)
        return Sample(frames, labels, provenance=provenance)

    async def close(self) -> None:
        """Pages are closed by the server."""


def _passes(camera: Camera, drawn: Drawn, shot: Shot) -> dict[str, Array]:
    """The passes of a camera as arrays."""
    names = View(passes=shot.passes).pass_names
    found = {name: drawn.pictures[camera.name, name] for name in names}
    if shot.encoding != "raw" and "rgb" in found:
        found["rgb"] = _read(found["rgb"])
    return found


def _read(file: Array) -> Array:
    """The pixels of an image file."""
    with Requires("PIL"):
        from PIL import Image

    with Image.open(io.BytesIO(file.tobytes())) as image:
        return np.array(image.convert("RGB"))


def _named(shot: Shot) -> str:
    return f"camera {_listed(shot)}"


def _listed(shot: Shot) -> str:
    names = [each.name if isinstance(each, Camera) else VIEWPORT for each in shot.cameras]
    return ", ".join(map(repr, names))
