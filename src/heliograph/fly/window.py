"""The window: keys and mouse in, pictures out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from heliograph.camera import MAX_SIZE
from heliograph.codec import encode_array
from heliograph.fly.controls import HELP, Controls
from heliograph.fly.flight import Flight
from heliograph.fly.images import Images, OpenQueue
from heliograph.fly.overlay import place, status
from heliograph.passes import RGB, PassSpec
from heliograph.picture import pass_picture
from heliograph.picture.colours import Pixels
from heliograph.requires import Requires

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
with Requires("pygame"):
    import pygame

_IMAGE: Final = pygame.event.custom_type()
"""An image is there."""
_RATE: Final = 60
"""Moves a second while a key is held."""
_SLEEP: Final = 250
"""Milliseconds that the window sleeps at most: Ctrl-C is heard and figures are counted anew."""
_LONGEST: Final = 0.1
"""Seconds of one move at most: a window that was held up does not leap."""
_FASTER: Final = 1.25
"""Of one step of the wheel."""
_LEFT: Final = 1
_PARALLEL_FOV: Final = 0.8
"""Radians that an orthographic camera is turned by from one edge of the window to the other."""
_TEXT, _TROUBLE, _SHADE = (255, 255, 255), (255, 140, 120), (0, 0, 0, 150)
_MARGIN: Final = 6
_FONT_SIZE: Final = 20


class Window:
    """A window that shows what a flying camera sees; for the main thread.

    Args:
        flight: the camera; its pictures have the window's size.
        open_queue: opens what draws them.
        passes: those that Tab goes through.
        out: folder that P saves PNG files in.
        title: of the window.

    Attributes:
        flight: the camera.
        images: what comes of it.
        screen: pygame's window.
    """

    def __init__(
        self,
        flight: Flight,
        open_queue: OpenQueue,
        passes: Sequence[PassSpec] = (RGB,),
        *,
        out: Path = Path(),
        title: str = "heliograph",
    ) -> None:
        pygame.display.init()
        pygame.font.init()
        self.flight = flight
        self._out = out
        self.screen = pygame.Window(title, flight.camera.size, resizable=True)
        self._font = pygame.font.Font(None, _FONT_SIZE)
        self._clock = pygame.time.Clock()
        self._controls = Controls()
        self._looks = False
        self._help = False
        self._note = ""
        self._open = True
        self._stale = True  # what is on the screen
        self._last = time.monotonic()
        self.images = Images(open_queue, passes, _wake)
        self._ways = {
            pygame.QUIT: self._quit,
            pygame.KEYDOWN: self._key_down,
            pygame.KEYUP: lambda event: self._controls.release(pygame.key.name(event.key)),
            pygame.WINDOWFOCUSLOST: self._focus_lost,
            pygame.MOUSEBUTTONDOWN: self._button,
            pygame.MOUSEBUTTONUP: self._button,
            pygame.MOUSEMOTION: self._mouse,
            pygame.MOUSEWHEEL: self._wheel,
            pygame.WINDOWSIZECHANGED: self._resize,
            pygame.WINDOWEXPOSED: self._expose,
        }
        self._keys: dict[int, Callable[[], object]] = {
            pygame.K_ESCAPE: self.leave,
            pygame.K_TAB: self._next_pass,
            pygame.K_p: self.save,
            pygame.K_r: self._reset,
            pygame.K_F1: self._toggle_help,
        }

    def run(self) -> None:
        """Show it until somebody leaves."""
        self.images.order(self.flight.camera)
        while self._open:
            self._handle(self._events())
            self._fly()
            self._stale |= self.images.take()
            if self._stale and self._open:
                self._draw()

    def leave(self) -> None:
        """End `run`."""
        self._open = False

    def save(self) -> Path | None:
        """Write the newest image as `fly-0001.png`, numbered on, in the pixels that it came in.

        Returns:
            The file; None where there is no image, or it cannot be written, which the window says.
        """
        picture = self._picture()
        if picture is None:
            self._say("no image yet")
            return None
        data = encode_array(picture, "png")
        try:
            path = _written(self._out, data)
        except OSError as error:
            self._say(f"{self._out}: cannot be written ({error.strerror}); give another --out")
            return None
        self._say(f"saved {path}")
        return path

    def close(self) -> None:
        """End the queue and the window; may be called twice."""
        self.images.close()
        self.screen.destroy()
        pygame.display.quit()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # Events.

    def _events(self) -> list[pygame.event.Event]:
        """What happened; waits for something to happen where nothing moves."""
        if self._controls.motion.moves:
            self._clock.tick(_RATE)
            return pygame.event.get()
        first = pygame.event.wait(_SLEEP)
        self._last = time.monotonic()
        self._stale |= first.type == pygame.NOEVENT  # the rate goes down
        return [first, *pygame.event.get()]

    def _handle(self, events: Sequence[pygame.event.Event]) -> None:
        for event in events:
            way = self._ways.get(event.type)
            if way is not None:
                way(event)

    def _quit(self, _: pygame.event.Event) -> None:
        self.leave()

    def _key_down(self, event: pygame.event.Event) -> None:
        self._controls.press(pygame.key.name(event.key))
        if event.key in self._keys:
            self._keys[event.key]()
            self._stale = True

    def _focus_lost(self, _: pygame.event.Event) -> None:
        self._controls.release_all()
        self._looks = False

    def _button(self, event: pygame.event.Event) -> None:
        if event.button == _LEFT:
            self._looks = event.type == pygame.MOUSEBUTTONDOWN

    def _mouse(self, event: pygame.event.Event) -> None:
        """What was pressed stays under the mouse, about."""
        if self._looks:
            angle = (self.flight.camera.fov_y or _PARALLEL_FOV) / self.flight.camera.height
            right, down = event.rel
            self.flight.turn(right * angle, down * angle)
            self._moved()

    def _wheel(self, event: pygame.event.Event) -> None:
        self.flight.hurry(_FASTER**event.y)
        self._stale = True

    def _resize(self, event: pygame.event.Event) -> None:
        width, height = (min(max(side, 1), MAX_SIZE) for side in (event.x, event.y))
        if (width, height) != self.flight.camera.size:
            self.flight.resize(width, height)
            self._moved()
        self._stale = True

    def _expose(self, _: pygame.event.Event) -> None:
        self._stale = True

    def _next_pass(self) -> None:
        self.images.next_pass()
        self._moved()

    def _reset(self) -> None:
        self.flight.reset()
        self._moved()

    def _toggle_help(self) -> None:
        self._help = not self._help

    def _say(self, note: str) -> None:
        self._note, self._stale = note, True

    def _fly(self) -> None:
        now = time.monotonic()
        seconds, self._last = min(now - self._last, _LONGEST), now
        if self.flight.fly(self._controls.motion, seconds):
            self._moved()

    def _moved(self) -> None:
        self._note, self._stale = "", True
        self.images.order(self.flight.camera)

    # Pictures.

    def _picture(self) -> Pixels | None:
        image = self.images.newest
        if image is None:
            return None
        name = image.passes[0]
        frame = image.frame
        return frame.rgb if name == "rgb" else pass_picture(frame.spec(name), frame[name])

    def _draw(self) -> None:
        self._stale = False
        picture = self._picture()
        surface = self.screen.get_surface()
        if picture is None:
            surface.fill((0, 0, 0))
        else:
            height, width, _ = picture.shape
            image = pygame.image.frombuffer(picture.tobytes(), (width, height), "RGB")
            pygame.transform.smoothscale(image.convert(surface), surface.get_size(), surface)
        self._write(surface)
        self.screen.flip()

    def _write(self, surface: pygame.Surface) -> None:
        x, y, z = self.flight.camera.world_from_camera[:3, 3].tolist()
        lines = [
            *status(self.images.newest, self.images.shown, self.images.lateness),
            place((x, y, z), self.flight.speed),
            *(HELP if self._help else ()),
        ]
        told = [(line, _TEXT) for line in (*lines, self._note) if line]
        told += [(self.images.trouble.replace("\n", " "), _TROUBLE)] if self.images.trouble else []
        texts = [self._font.render(line, True, colour) for line, colour in told]
        wide = max(text.get_width() for text in texts) + 2 * _MARGIN
        high = sum(text.get_height() for text in texts) + 2 * _MARGIN
        shade = pygame.Surface((wide, high), pygame.SRCALPHA)
        shade.fill(_SHADE)
        top = _MARGIN
        for text in texts:
            shade.blit(text, (_MARGIN, top))
            top += text.get_height()
        surface.blit(shade, (0, 0))


def _wake() -> None:
    with suppress(pygame.error):  # the window is closed
        pygame.event.post(pygame.event.Event(_IMAGE))


def _written(folder: Path, data: bytes) -> Path:
    """Write a file that is not there yet.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        path = folder / f"fly-{number:04d}.png"
        with suppress(FileExistsError), path.open("xb") as stream:
            stream.write(data)
            return path
    raise FileExistsError(folder)
