"""One page of a viewer: what it looks at, the pictures on their way to it, what it asks.

A change (its camera, a control) makes a new look, which is drawn twice: small and at once
(`Urgency.MOVING`), then whole where the camera rests (`Urgency.STILL`). Orders wait in slots of the
source's desk, where a newer one replaces an older; every picture bears the number of its order, and
none is sent after one of a higher number.

All of it runs in the server's loop, but for the jobs of desks (`_draw_...`), which report back.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from heliograph.engine import CancelToken, attempt
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
from heliograph.errors import HeliographError, InvalidValueError, UnknownNameError
from heliograph.live.viewer import answers, controls
from heliograph.live.viewer.look import CAMERA, Look
from heliograph.live.viewer.pictures import encoded, shown_pass
from heliograph.live.viewer.progressive import Urgency
from heliograph.live.viewer.recorder import Recorder
from heliograph.live.viewer.sources import Drawn, Source

MOST_PIXELS: Final = 2048
"""Of a side of a picture that a page asks for; larger windows stretch it."""
SETTLE: Final = 0.25
"""Seconds without news of a moving camera after which it counts as resting."""
_PAUSE: Final = 1.0
"""Seconds without pictures after which their rate is measured anew."""
_WEIGHT: Final = 0.2
"""Of the newest time between two pictures in the running mean."""
_THUMBNAIL: Final = 512
_PANEL_EVERY: Final = 0.5
"""Seconds between two panels while samples are looked through."""


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

    @property
    def out(self) -> Path:
        """Folder for trajectories."""

    async def open_files(self, files: Mapping[str, bytes]) -> str:
        """Open dropped files as one more source; returns its name."""


@dataclass(frozen=True, eq=False)
class _Shot:
    """One order: a look, and which news of the page's camera it answers."""

    number: int
    update: int
    arrived: float
    source: Source
    look: Look

    @property
    def size(self) -> tuple[int, int]:
        camera = self.look.camera
        return (1, 1) if camera is None else camera.size


@dataclass(frozen=True, eq=False)
class _Picture:
    """A picture as it is sent."""

    drawn: Drawn
    encoding: Any
    data: bytes
    facts: dict[str, Any]
    final: bool


class ViewerPage:
    """A page, from its connection to its end.

    Args:
        link: to it.
        home: its viewer.
        session: what it is called when it comes back.
        source: name of the source to show, and the look it had, where it was here before.
    """

    def __init__(
        self, link: Link, home: Home, session: str, shown: tuple[str, Look] | None = None
    ) -> None:
        self._link, self._home, self.session = link, home, session
        self._loop = asyncio.get_running_loop()
        name = next(iter(home.sources)) if shown is None else shown[0]
        self.source = home.sources[name]
        self.look = self.source.first_look() if shown is None else shown[1]
        self._moving, self._update, self._arrived = False, 0, time.monotonic()
        self._number, self._sent = 0, 0
        self._note, self._gap, self._when = "", math.inf, -math.inf
        self._whole: tuple[Look, Drawn] | None = None
        self._probing: Ask | None = None
        self._recorder: Recorder | None = None
        self._files: list[str] = []
        self._panel_sent = 0.0
        self._opening: asyncio.Task[None] | None = None
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
        if self._recorder is not None and self._recorder.views:
            attempt(self._recorder.save, self._home.out, self.source.name)

    def on_message(self, message: FromPage, body: memoryview) -> None:
        """What the page says."""
        try:
            if isinstance(message, Viewport):
                self._look_from(message)
            elif isinstance(message, Event) and message.etype == "CONTROL":
                self._set(message.key, message.value)
            elif isinstance(message, Ask):
                self._answer(message, body)
        except HeliographError as error:
            self._tell(error)

    def _look_from(self, message: Viewport) -> None:
        self._update, self._moving = message.update, message.moving
        self._arrived = time.monotonic()
        if self.source.kind == "run":
            return
        camera = camera_of(message.camera, CAMERA, _capped(message.camera))
        self._change(replace(self.look, camera=camera), panel=False)

    def _set(self, name: str, value: object) -> None:
        """Somebody set a control."""
        self._arrived = time.monotonic()
        if name == "scene":
            self.show(controls.check_choice("scene", value, [*self._home.sources]))
        elif name == "record" and self.source.kind == "scene":
            self._record(controls.check_switch("record", value))
        else:
            self._moving = False
            self._change(self.source.changed(self.look, name, value), panel=True)

    def show(self, name: str) -> None:
        """Show another source, from its own first camera."""
        self._stop_recording()
        self._forget_orders()
        self.source = self._home.sources[name]
        self.look, self._whole = self.source.first_look(), None
        self.start()

    def _change(self, look: Look, *, panel: bool) -> None:
        searched = look.wanted != self.look.wanted
        self.look = look
        if self._recorder is not None:
            self._keep(self._recorder)
        if searched:
            self._search()
        if panel:
            self._send_panel()
        self._order()

    def _keep(self, recorder: Recorder) -> None:
        view = self.source.view(self.look, (self.look.shown,))
        if view is not None:
            recorder.add(view)

    def _record(self, on: bool) -> None:
        if on and self._recorder is None:
            self._recorder = Recorder()
            self._keep(self._recorder)
        elif not on:
            self._stop_recording()
        self._send_panel()

    def _stop_recording(self) -> None:
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            source = self.source.facts(self.look)["source"]
            self._files.append(str(recorder.save(self._home.out, source)))

    # Pictures.

    def _order(self) -> None:
        """Have the look drawn: at once and small, then whole."""
        self._number += 1
        source, look = self.source, self.look
        if source.kind == "scene" and look.camera is None:
            return
        shot = _Shot(self._number, self._update, self._arrived, source, look)
        source.desk.drop(self._slot("still"))
        if source.kind == "scene":
            job = partial(self._draw_moving, shot, self._moving)
            source.desk.put(self._slot("moving"), Urgency.MOVING, job)
        delay = SETTLE if self._moving else 0.0
        job = partial(self._draw_still, shot)
        source.desk.put(self._slot("still"), Urgency.STILL, job, delay=delay)

    def _forget_orders(self) -> None:
        for what in ("moving", "still", "probe", "search"):
            self.source.desk.drop(self._slot(what))

    def _slot(self, what: str) -> str:
        return f"{self._link.id}/{what}"

    def _draw_moving(self, shot: _Shot, moving: bool, cancel: CancelToken) -> None:
        """A picture as large as comes in time; none where the whole one comes in time and next."""
        pace = shot.source.pace(shot.look.shown)
        if not moving and pace.whole_in_time:
            return
        size = pace.size(*shot.size)
        began = time.monotonic()
        for drawn in self._drawn(shot, size, cancel):
            self._post(shot, drawn, final=False, began=began)
            pace.took(time.monotonic() - began)
            return

    def _draw_still(self, shot: _Shot, cancel: CancelToken) -> None:
        """Whole pictures, better and better; the last one without loss."""
        began, last = time.monotonic(), None
        for drawn in self._drawn(shot, shot.size, cancel):
            if last is not None:
                self._post(shot, last, final=False, began=began)
            last = drawn
        if last is not None and not cancel.cancelled:
            self._post(shot, last, final=True, began=began)

    def _drawn(self, shot: _Shot, size: tuple[int, int], cancel: CancelToken) -> Iterator[Drawn]:
        """What is drawn of a shot; an error is told to the page."""
        try:
            yield from shot.source.drawn(shot.look, (shot.look.shown,), size, cancel)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the page is told
            self._call(self._tell_of, shot, error)

    def _post(self, shot: _Shot, drawn: Drawn, *, final: bool, began: float) -> None:
        """Encode a picture and hand it to the loop; in the desk's thread."""
        made = time.monotonic()
        shown = shown_pass(drawn.frame, shot.look.shown)
        encoding, data = encoded(shown.pixels, lossless=final)
        done = time.monotonic()
        scale = shown.scale and {"near": shown.scale[0], "far": shown.scale[1], "unit": "m"}
        sample = drawn.sample
        facts = {
            "engine": sample.provenance.engine or "recording",
            "device": sample.provenance.device,
            "version": sample.provenance.scene_version,
            "pass": shot.look.shown,
            "level": "full" if final else "coarse",
            "final": final,
            "size": list(drawn.frame.camera.size),
            "milliseconds": 1000 * (made - began),
            "encode_milliseconds": 1000 * (done - made),
            "scale": scale,
            "seed": sample.seed,
            "index": sample.index,
        }
        self._call(self._deliver, shot, _Picture(drawn, encoding, data, facts, final))

    def _deliver(self, shot: _Shot, picture: _Picture) -> None:
        """Send a picture, unless a newer one was sent."""
        if self._closed or shot.number < self._sent or shot.source is not self.source:
            return
        self._sent = shot.number
        if picture.final:
            self._whole = (shot.look, picture.drawn)
        now = time.monotonic()
        gap, self._when = now - self._when, now
        mean = self._gap + _WEIGHT * (gap - self._gap)
        self._gap = mean if max(gap, self._gap) < _PAUSE else gap
        facts = {
            **picture.facts,
            "age": 1000 * (now - shot.arrived),
            "rate": 1 / self._gap if self._gap < _PAUSE else 0.0,
        }
        buffers = Buffers()
        offset, nbytes = buffers.add(picture.data)
        camera = spec_of(picture.drawn.frame.camera)
        show = Show(
            update=shot.update,
            camera=camera,
            encoding=picture.encoding,
            offset=offset,
            nbytes=nbytes,
            facts=facts,
        )
        self._link.send(show, buffers, slot="show")
        if self._note:
            self._note = ""
            self._send_panel()

    def _tell_of(self, shot: _Shot, error: Exception) -> None:
        if not self._closed and shot.number >= self._sent:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        """Show an error on the page, until a picture comes."""
        text = _text(error)
        if text != self._note:
            self._note = text
            self._send_panel()

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        """Run something in the server's loop, from a desk's thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)

    # The panel.

    def _send_panel(self) -> None:
        source, look = self.source, self.look
        listed = source.controls(look)
        names = [*self._home.sources]
        if len(names) > 1:
            listed.insert(0, controls.select("scene", "Scene", source.name, names, "Scene"))
        recorder = self._recorder
        if source.kind == "scene":
            label = "Record trajectory"
            listed.append(controls.toggle("record", label, recorder is not None, "Record"))
        facts = {
            **source.facts(look),
            "kind": source.kind,
            "scene": source.name,
            "passes": list(source.passes(look)),
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
        self._link.send(Panel(controls=listed, cameras=cameras, facts=facts), slot="panel")
        self._panel_sent = time.monotonic()

    def _search(self) -> None:
        """Have samples looked through for what is wanted, a moment at a time."""
        source, look = self.source, self.look

        def moment(cancel: CancelToken) -> None:
            del cancel
            self._call(self._searched, look, source.search(look))

        source.desk.put(self._slot("search"), Urgency.IDLE, moment)

    def _searched(self, look: Look, more: bool) -> None:
        if self._closed or look.wanted != self.look.wanted:
            return
        if not more or time.monotonic() - self._panel_sent > _PANEL_EVERY:
            self._send_panel()
        if more:
            self._search()

    # Questions.

    def _answer(self, ask: Ask, body: memoryview) -> None:
        value = ask.value if isinstance(ask.value, dict) else {}
        known: dict[str, Callable[[], None]] = {
            "probe": lambda: self._ask_probe(ask, value),
            "python": lambda: self._reply(ask, {"code": self.source.python(self.look)}),
            "save": lambda: self._ask_save(ask, value),
            "thumbnail": lambda: self._ask_thumbnail(ask, value),
            "drop": lambda: self._ask_drop(ask, value, body),
        }
        try:
            if ask.what not in known:
                raise UnknownNameError.of("question", ask.what, known)
            known[ask.what]()
        except HeliographError as error:
            self._refuse(ask, error)

    def _ask_probe(self, ask: Ask, value: Mapping[str, Any]) -> None:
        passes = [name for name in answers.PROBED if name in self.source.passes(self.look)]
        whole = self._whole
        if whole is not None and whole[0] is self.look and _has(whole[1], passes):
            self._reply(ask, answers.probe(whole[1], value.get("x"), value.get("y")))
            return
        if self._probing is not None:
            self._refuse(self._probing, InvalidValueError("superseded"))
        self._probing = ask

        def reply(drawn: Drawn) -> None:
            self._whole = (look, drawn) if self.look is look else self._whole
            if self._probing is ask:
                self._probing = None
                self._reply(ask, answers.probe(drawn, value.get("x"), value.get("y")))

        look = self.look
        self._draw_for(ask, self._slot("probe"), passes, reply)

    def _ask_save(self, ask: Ask, value: Mapping[str, Any]) -> None:
        look, form = self.look, value.get("format")
        passes = [look.shown] if form == "png" else list(self.source.passes(look))

        def reply(drawn: Drawn) -> None:
            name, mime, data = answers.saved(drawn, form, look.shown)
            self._reply(ask, {"name": name, "mime": mime}, data)

        self._draw_for(ask, self._slot(f"save/{ask.ask}"), passes, reply)

    def _draw_for(
        self, ask: Ask, slot: str, passes: list[str], reply: Callable[[Drawn], None]
    ) -> None:
        """Have these passes drawn whole, and answer with them."""
        source, look = self.source, self.look
        size = (1, 1) if look.camera is None else look.camera.size

        def job(cancel: CancelToken) -> None:
            try:
                *_, last = source.drawn(look, passes, size, cancel)
            except Exception as error:  # noqa: BLE001 -- whatever it is, who asks is told
                self._call(self._refuse, ask, error)
            else:
                self._call(self._try_reply, ask, partial(reply, last))

        source.desk.put(slot, Urgency.QUESTION, job)

    def _ask_thumbnail(self, ask: Ask, value: Mapping[str, Any]) -> None:
        source, look, name = self.source, self.look, value.get("camera")
        controls.check_choice("camera", name, [*source.cameras()])
        sides = [controls.check_whole(n, value.get(n), 1, _THUMBNAIL) for n in ("width", "height")]
        size = (sides[0], sides[1])

        def job(cancel: CancelToken) -> None:
            del cancel
            try:
                frame = source.thumbnail(look, str(name), size)
                name_of = next(iter(frame.passes))
                _, data = encoded(shown_pass(frame, name_of).pixels, lossless=False)
            except Exception as error:  # noqa: BLE001 -- whatever it is, who asks is told
                self._call(self._refuse, ask, error)
            else:
                facts = {"camera": name, "mime": "image/jpeg"}
                self._call(self._reply, ask, facts, data)

        source.desk.put(self._slot(f"thumbnail/{name}"), Urgency.IDLE, job)

    def _ask_drop(self, ask: Ask, value: Mapping[str, Any], body: memoryview) -> None:
        files = _files(value.get("files"), body)

        async def opened() -> None:
            try:
                name = await self._home.open_files(files)
            except HeliographError as error:
                self._refuse(ask, error)
                return
            self._reply(ask, {"opened": name})
            if not self._closed:
                self.show(name)

        self._opening = self._loop.create_task(opened())

    def _try_reply(self, ask: Ask, reply: Callable[[], None]) -> None:
        try:
            reply()
        except HeliographError as error:
            self._refuse(ask, error)

    def _reply(self, ask: Ask, value: dict[str, Any], data: bytes | None = None) -> None:
        if self._closed:
            return
        if data is None:
            self._link.send(Answer(ask=ask.ask, value=value))
            return
        buffers = Buffers()
        offset, nbytes = buffers.add(data)
        told = {**value, "offset": offset, "nbytes": nbytes}
        self._link.send(Answer(ask=ask.ask, value=told), buffers)

    def _refuse(self, ask: Ask, error: Exception) -> None:
        if not self._closed:
            self._link.send(Answer(ask=ask.ask, value=None, error=_text(error)))


def _text(error: Exception) -> str:
    return str(error) if isinstance(error, HeliographError) else f"{type(error).__name__}: {error}"


def _has(drawn: Drawn, passes: list[str]) -> bool:
    return all(name in drawn.frame.passes for name in passes)


def _capped(spec: CameraSpec) -> tuple[int, int]:
    """The size of the camera's picture, with sides of at most `MOST_PIXELS`."""
    scale = min(1.0, MOST_PIXELS / max(spec.width, spec.height, 1))
    return max(1, round(spec.width * scale)), max(1, round(spec.height * scale))


def _files(given: object, body: memoryview) -> dict[str, bytes]:
    """Files that a page sent, in the buffers of its message, by name.

    Raises:
        InvalidValueError: something else.
    """
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise InvalidValueError("drop: expected a list of files, each with name, offset, nbytes")
    found: dict[str, bytes] = {}
    for each in given:
        name = each.get("name")
        if not isinstance(name, str):
            raise InvalidValueError("drop: expected a name for each file")
        start = controls.check_whole("offset", each.get("offset"), 0, len(body))
        nbytes = controls.check_whole("nbytes", each.get("nbytes"), 0, len(body) - start)
        found[name] = bytes(body[start : start + nbytes])
    return found
