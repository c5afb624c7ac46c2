"""One page of a viewer: what it looks at, the pictures on their way to it, its panel.

A change (its camera, a control) makes a new look, which is drawn twice: small and at once
(`Urgency.MOVING`), then whole where the camera rests (`Urgency.STILL`). Orders wait in slots of the
source's desk, where a newer one replaces an older; every picture bears the number of its order, and
none is sent after one of a higher number.

All of it runs in the server's loop, but for the jobs of desks, which report back by `call`.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from heliograph.engine import CancelToken
from heliograph.engines.web.messages import (
    Answer,
    Ask,
    CameraSpec,
    Configure,
    Event,
    FromPage,
    Message,
    Panel,
    Show,
    Viewport,
)
from heliograph.engines.web.specs import camera_of, spec_of
from heliograph.engines.web.wire import Buffers
from heliograph.errors import HeliographError, RecordError
from heliograph.live.viewer import controls
from heliograph.live.viewer.desk import Job, Urgency
from heliograph.live.viewer.look import CAMERA, Look
from heliograph.live.viewer.questions import Questions, text_of
from heliograph.live.viewer.recorder import Recorder
from heliograph.live.viewer.shots import Deliver, Picture, Shot, draw_moving, draw_still
from heliograph.live.viewer.sources import Drawn, Source

MOST_PIXELS: Final = 2048
"""Of a side of a picture that a page asks for; larger windows stretch it."""
SETTLE: Final = 0.25
"""Seconds without news of a moving camera after which it counts as resting."""
_PAUSE: Final = 1.0
"""Seconds without pictures after which their rate is measured anew."""
_WEIGHT: Final = 0.2
"""Of the newest time between two pictures in the running mean."""
_PANEL_EVERY: Final = 0.1
"""Seconds between two panels, at least."""

Draw: TypeAlias = Callable[[Shot, Deliver, CancelToken], None]


class Link(Protocol):
    """One connected page, as `heliograph.engines.web` has it."""

    id: str

    def configure(self, message: Configure) -> None:
        """Say how it behaves."""

    def send(
        self, message: Message, buffers: Buffers | None = None, *, slot: str | None = None
    ) -> None:
        """Send a message; of a slot only the newest one that waits."""


class Home(Protocol):
    """The viewer, as its pages know it."""

    @property
    def sources(self) -> Mapping[str, Source]:
        """What can be shown, by name."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task; the viewer waits for it before it ends."""

    async def save(self, recorder: Recorder, source: str) -> Path:
        """Write a trajectory; returns its file."""

    async def open_files(self, files: Mapping[str, bytes]) -> str:
        """Open dropped files as one more source; returns its name."""


class ViewerPage:
    """A page, from its connection to its end.

    Args:
        link: to it.
        home: its viewer.
        session: what it is called when it comes back.
        shown: name of the source that it showed when it was here before, and its look.

    Attributes:
        session: the same.
        source: what it shows.
        look: how.
        whole: the last whole picture that it was sent, and its look.
    """

    def __init__(
        self, link: Link, home: Home, session: str, shown: tuple[str, Look] | None = None
    ) -> None:
        self._link, self._home, self.session = link, home, session
        self._loop = asyncio.get_running_loop()
        name = next(iter(home.sources)) if shown is None else shown[0]
        self.source = home.sources[name]
        self.look = self.source.first_look() if shown is None else shown[1]
        self.whole: tuple[Look, Drawn] | None = None
        self._questions = Questions(self)
        self._moving, self._update, self._arrived = False, 0, time.monotonic()
        self._number, self._sent = 0, 0
        self._note, self._gap, self._when = "", math.inf, -math.inf
        self._recorder: Recorder | None = None
        self._unsaved: list[tuple[Recorder, str]] = []
        self._files: list[str] = []
        self._panel_sent = -math.inf
        self._panel_due: asyncio.TimerHandle | None = None
        self._closed = False

    def start(self) -> None:
        """Tell the page what it is, and what it offers."""
        title = f"{self.source.name} · Heliograph"
        self._link.configure(Configure(session=self.session, title=title, shows="pictures"))
        self._send_panel()
        self._order()

    def close(self) -> None:
        """Nothing more is drawn for it; a trajectory that it records is written."""
        self._closed = True
        self._forget_orders()
        if self._panel_due is not None:
            self._panel_due.cancel()
        if self._recorder is None or self._recorder.views:
            self._stop_recording()

    def sources_changed(self) -> None:
        """Tell the page what can be shown now."""
        self._panel_soon()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task; the viewer waits for it before it ends."""
        self._home.spawn(work)

    async def open_files(self, files: Mapping[str, bytes]) -> str:
        """Open dropped files as one more source; returns its name."""
        return await self._home.open_files(files)

    def show(self, name: str) -> None:
        """Show another source, from its own first camera."""
        if self._closed:
            return
        self._stop_recording()
        self._forget_orders()
        self.source = self._home.sources[name]
        self.look, self.whole = self.source.first_look(), None
        self.start()

    def on_message(self, message: FromPage, body: memoryview) -> None:
        """What the page says."""
        try:
            if isinstance(message, Viewport):
                self._look_from(message)
            elif isinstance(message, Event) and message.etype == "CONTROL":
                self._set(message.key, message.value)
            elif isinstance(message, Ask):
                self._questions.take(message, body)
        except HeliographError as error:
            self._tell(error)

    def slot(self, what: str) -> str:
        """A slot of the source's desk that is this page's own."""
        return f"{self._link.id}/{what}"

    def call(self, function: Callable[..., None], *arguments: Any) -> None:
        """Run something in the server's loop, from another thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)

    def answer(self, message: Answer, buffers: Buffers | None = None) -> None:
        """Send an answer."""
        if not self._closed:
            self._link.send(message, buffers)

    def _look_from(self, message: Viewport) -> None:
        self._update, self._moving = message.update, message.moving
        self._arrived = time.monotonic()
        if self.source.kind == "scene":
            camera = camera_of(message.camera, CAMERA, _capped(message.camera))
            self._change(replace(self.look, camera=camera))

    def _set(self, name: str, value: object) -> None:
        """Somebody set a control."""
        self._arrived = time.monotonic()
        if name == "scene":
            self.show(controls.check_choice("scene", value, [*self._home.sources]))
        elif name == "record" and self.source.kind == "scene":
            self._record(controls.check_switch("record", value))
        else:
            self._moving = False
            self._change(self.source.changed(self.look, name, value))
            self._panel_soon()

    def _change(self, look: Look) -> None:
        searched = look.wanted != self.look.wanted
        self.look = look
        if self._recorder is not None:
            self._keep(self._recorder)
        if searched:
            self._search()
        self._order()

    # Pictures.

    def _order(self) -> None:
        """Have the look drawn: at once and small, then whole."""
        source, look = self.source, self.look
        if source.kind == "scene" and look.camera is None:
            return
        self._number += 1
        shot = Shot(self._number, self._update, self._arrived, self._moving, source, look)
        source.desk.drop(self.slot("still"))
        if source.kind == "scene":
            source.desk.put(self.slot("moving"), Urgency.MOVING, self._job(shot, draw_moving))
        delay = SETTLE if self._moving else 0.0
        still = self._job(shot, draw_still)
        source.desk.put(self.slot("still"), Urgency.STILL, still, delay=delay)

    def _forget_orders(self) -> None:
        for what in ("moving", "still", "search"):
            self.source.desk.drop(self.slot(what))
        self._questions.forget()

    def _job(self, shot: Shot, draw: Draw) -> Job:
        """What the desk does for a shot; an error is told to the page."""
        deliver = partial(self.call, self._deliver)

        def job(cancel: CancelToken) -> None:
            try:
                draw(shot, deliver, cancel)
            except Exception as error:  # noqa: BLE001 -- whatever it is, the page is told
                self.call(self._failed, shot, error)

        return job

    def _deliver(self, shot: Shot, picture: Picture) -> None:
        """Send a picture, unless a newer one was sent."""
        if self._closed or shot.number < self._sent or shot.source is not self.source:
            return
        self._sent = shot.number
        if picture.final:
            self.whole = shot.look, picture.drawn
        facts = {**picture.facts, **self._times(shot)}
        buffers = Buffers()
        offset, nbytes = buffers.add(picture.data)
        show = Show(
            update=shot.update,
            camera=spec_of(picture.drawn.frame.camera),
            encoding=picture.encoding,
            offset=offset,
            nbytes=nbytes,
            facts=facts,
        )
        self._link.send(show, buffers, slot="show")
        if self._note:
            self._note = ""
            self._send_panel()

    def _times(self, shot: Shot) -> dict[str, float]:
        """How old the news is that a shot answers, and how many pictures a second there are."""
        now = time.monotonic()
        gap, self._when = now - self._when, now
        mean = self._gap + _WEIGHT * (gap - self._gap)
        self._gap = mean if max(gap, self._gap) < _PAUSE else gap
        rate = 1 / max(self._gap, 1e-3) if self._gap < _PAUSE else 0.0
        return {"age": 1000 * (now - shot.arrived), "rate": rate}

    def _failed(self, shot: Shot, error: Exception) -> None:
        if not self._closed and shot.number >= self._sent:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        """Show an error on the page, until a picture comes."""
        text = text_of(error)
        if text != self._note:
            self._note = text
            self._send_panel()

    # Trajectories.

    @property
    def _source_name(self) -> str:
        return str(self.source.facts(self.look)["source"])

    def _record(self, on: bool) -> None:
        if on and self._recorder is None:
            self._save_again()
            self._recorder = Recorder()
            self._keep(self._recorder)
        elif not on:
            self._stop_recording()
        self._send_panel()

    def _keep(self, recorder: Recorder) -> None:
        view = self.source.view(self.look, (self.look.shown,))
        if view is not None and not recorder.add(view):
            self._record(False)

    def _stop_recording(self) -> None:
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            self._home.spawn(self._save(recorder, self._source_name))
        self._save_again()

    def _save_again(self) -> None:
        """Save what could not be saved before."""
        unsaved, self._unsaved = self._unsaved, []
        for recorder, source in unsaved:
            self._home.spawn(self._save(recorder, source))

    async def _save(self, recorder: Recorder, source: str) -> None:
        try:
            file = await self._home.save(recorder, source)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the page is told
            if recorder.views:
                self._unsaved.append((recorder, source))
                error = RecordError(f"{text_of(error)}; to save it again, press Record again")
            self._tell(error)
        else:
            self._files.append(str(file))
            self._note = ""
            self._send_panel()

    # The panel.

    def _panel_soon(self) -> None:
        """Send the panel, at most every so often."""
        wait = self._panel_sent + _PANEL_EVERY - time.monotonic()
        if wait <= 0:
            self._send_panel()
        elif self._panel_due is None:
            self._panel_due = self._loop.call_later(wait, self._send_panel)

    def _send_panel(self) -> None:
        if self._closed:
            return
        if self._panel_due is not None:
            self._panel_due.cancel()
            self._panel_due = None
        source, recorder = self.source, self._recorder
        facts = {
            **source.facts(self.look),
            "kind": source.kind,
            "scene": source.name,
            "passes": list(source.passes(self.look)),
            "note": self._note,
            "note_level": "error",
            "files": self._files,
            "recording": {
                "on": recorder is not None,
                "poses": len(recorder.views) if recorder else 0,
                "seconds": recorder.seconds if recorder else 0.0,
            },
        }
        cameras = [spec_of(camera) for camera in source.cameras().values()]
        self._link.send(
            Panel(controls=self._controls(), cameras=cameras, facts=facts), slot="panel"
        )
        self._panel_sent = time.monotonic()

    def _controls(self) -> list[controls.Control]:
        source, made = self.source, self.source.controls(self.look)
        names = [*self._home.sources]
        if len(names) > 1:
            made.insert(0, controls.select("scene", "Scene", source.name, names, "Scene"))
        if source.kind == "scene":
            on = self._recorder is not None
            made.append(controls.toggle("record", "Record trajectory", on, "Record"))
        return made

    def _search(self) -> None:
        """Have samples looked through for what is wanted, a moment at a time."""
        source, look = self.source, self.look

        def moment(cancel: CancelToken) -> None:
            del cancel
            self.call(self._searched, look, source.search(look))

        source.desk.put(self.slot("search"), Urgency.IDLE, moment)

    def _searched(self, look: Look, more: bool) -> None:
        if not self._closed and look.wanted == self.look.wanted:
            self._panel_soon()
            if more:
                self._search()


def _capped(spec: CameraSpec) -> tuple[int, int]:
    """The size of the camera's picture, with sides of at most `MOST_PIXELS`."""
    scale = min(1.0, MOST_PIXELS / max(spec.width, spec.height, 1))
    return max(1, round(spec.width * scale)), max(1, round(spec.height * scale))
