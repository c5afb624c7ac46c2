"""Plays the frames of a scene, calling a program's functions on the way.

One play, two episodes of the frames first .. last:

    pre_play
      frame first:        pre_animation, pre_frame, [Blender evaluates the frame], post_frame
      first + 1 .. last:  pre_frame, [Blender evaluates the frame], post_frame
                          post_animation
      the same again, from first
    post_play

Blender evaluates a frame by `scene.frame_set`: animation, drivers, and one step of the physics.
What a function sets in `pre_animation` or `pre_frame` is there in that frame, unless the animation
of the scene moves it.

Who runs the frames of a `play(use_animation=True)`:

- a script run by `heliograph.engines.blender.program`: that program, when the script has ended,
- Blender with windows: its timers, so that the windows stay alive; what a function raises is
  printed by Blender and ends the play,
- any other (`blender --background`, a Python program that imports `bpy`): nobody could, so `play`
  does, and returns when all is played.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import bpy

from heliograph.engines.blender.leaving import leave
from heliograph.engines.blender.physics import start_physics
from heliograph.engines.blender.settings import MAX_FRAME
from heliograph.errors import EngineError, InvalidValueError, shown

LAUNCHED = "-btid"
"""Argument of programs that a launcher started."""

ENDLESS = -1

Function = Callable[..., object]


@dataclass(frozen=True, eq=False)
class Handle:
    """A function that was added to a signal, as `Signal.remove` takes it."""

    function: Function
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]


class Signal:
    """Functions that are called when something happens, in the order in which they were added."""

    def __init__(self) -> None:
        """Begin with none."""
        self._handles: list[Handle] = []

    def add(self, function: Function, *arguments: Any, **keywords: Any) -> Handle:
        """Have `function(*arguments, **keywords)` called from now on; the handle removes it."""
        if not callable(function):
            raise InvalidValueError(f"expected a function to call, got {type(function).__name__}")
        handle = Handle(function, arguments, keywords)
        self._handles.append(handle)
        return handle

    def remove(self, handle: Handle) -> None:
        """Call a function no more.

        Raises:
            InvalidValueError: it was not added here, or was removed before.
        """
        if handle not in self._handles:
            raise InvalidValueError("expected a handle that `add` of this signal returned")
        self._handles.remove(handle)

    def invoke(self) -> None:
        """Call all; what they add or remove counts from the next time on."""
        for each in tuple(self._handles):
            each.function(*each.arguments, **each.keywords)


@dataclass
class _Play:
    """One call of `play`."""

    first: int
    last: int
    episodes: int
    physics: bool
    rewound: bool = False
    stopped: bool = False


class AnimationController:
    """Plays frames, calling what was added to its six signals.

    Attributes:
        pre_play: before the first episode.
        pre_animation: before an episode's first frame; `frameid` is that frame.
        pre_frame: before a frame is evaluated; `frameid` is that frame.
        post_frame: after it; pictures drawn here show it.
        post_animation: after an episode's last frame.
        post_play: after the last episode; another play may be started here.
    """

    def __init__(self) -> None:
        """Begin with nothing to call."""
        self.pre_play = Signal()
        self.pre_animation = Signal()
        self.pre_frame = Signal()
        self.post_frame = Signal()
        self.post_animation = Signal()
        self.post_play = Signal()
        self._play: _Play | None = None

    @property
    def frameid(self) -> int:
        """The frame that the scene is at."""
        frame: int = bpy.context.scene.frame_current
        return frame

    @property
    def playing(self) -> bool:
        """Whether a play was started that has not come to its end."""
        return self._play is not None

    def play(
        self,
        frame_range: tuple[int, int] | None = None,
        num_episodes: int = ENDLESS,
        use_animation: bool = True,
        use_offline_render: bool = True,
        use_physics: bool = True,
    ) -> None:
        """Play frames; the module's text says what is called when.

        Args:
            frame_range: first and last frame, both are played; None for the scene's own. The
                scene's range is set to it.
            num_episodes: how often; -1 for ever.
            use_animation: leave it to who runs the process to play, see the module's text; False:
                play now, and return when it is done.
            use_offline_render: for programs that were there before: `post_frame` may draw always.
            use_physics: have the caches of physics span the same frames, and begin anew in each
                episode; False: physics as the scene has them.

        Raises:
            InvalidValueError: frames or episodes that cannot be played.
            EngineError: it plays already.
        """
        if self.playing:
            raise EngineError("this controller plays already; wait for `post_play`, or call `stop`")
        del use_offline_render
        self._play = _checked(frame_range, num_episodes, physics=use_physics)
        frames = self._frames(self._play)
        if use_animation and _deferred is not None:
            _deferred.add(frames)
        elif use_animation and not bpy.app.background:
            bpy.app.timers.register(lambda: _next_frame(frames), persistent=True)
        else:
            for _ in frames:
                pass

    def rewind(self) -> None:
        """Give up this episode and begin it anew, once the functions of this signal were called.

        Neither what is left of this frame nor `post_animation` comes, and the episode does not
        count. In `pre_animation`, and when nothing plays, there is nothing to rewind.
        """
        if self._play is not None:
            self._play.rewound = True

    def stop(self) -> None:
        """End the play, once the functions of this signal were called; `post_play` comes next."""
        if self._play is not None:
            self._play.stopped = True

    def _frames(self, play: _Play) -> Iterator[float]:
        """Play; stops after each frame, with the seconds that Blender may wait until the next."""
        try:
            self.pre_play.invoke()
            played = 0
            while played != play.episodes and not play.stopped:
                played += yield from self._episode(play)
        finally:
            self._play = None
        self.post_play.invoke()

    def _episode(self, play: _Play) -> Generator[float, None, bool]:
        """Play an episode; returns whether it came to its end."""
        scene = bpy.context.scene
        for frame in range(play.first, play.last + 1):
            scene.frame_current = frame
            if frame == play.first:
                if play.physics:
                    start_physics(scene, play.first, play.last)
                self.pre_animation.invoke()
                play.rewound = False
            if self._given_up(play, self.pre_frame):
                return False
            scene.frame_set(frame)
            if self._given_up(play, self.post_frame):
                return False
            yield 0.0
        self.post_animation.invoke()
        return True

    def _given_up(self, play: _Play, signal: Signal) -> bool:
        """Call what is to be called; whether that ended the episode."""
        if not play.stopped:
            signal.invoke()
        return play.stopped or play.rewound


@dataclass
class Deferred:
    """Plays that wait for the script to end."""

    plays: list[Iterator[float]] = field(default_factory=list)

    def add(self, frames: Iterator[float]) -> None:
        """Play these frames after those that wait already."""
        self.plays.append(frames)

    def run(self) -> None:
        """Play all that waits, and what that adds."""
        while self.plays:
            for _ in self.plays.pop(0):
                pass


_deferred: Deferred | None = None


@contextmanager
def plays_deferred() -> Iterator[Deferred]:
    """Have plays wait until they are run by whoever asked for it."""
    global _deferred  # noqa: PLW0603 - one process, one script, one who plays
    _deferred = Deferred()
    try:
        yield _deferred
    finally:
        _deferred = None


def _next_frame(frames: Iterator[float]) -> float | None:
    """A step of a timer: seconds until the next one; None where all is played."""
    try:
        return next(frames, None)
    except Exception:
        if LAUNCHED not in sys.argv:
            raise
        traceback.print_exc()  # who waits for its messages is told, not the windows
        leave(1)


def _checked(frame_range: tuple[int, int] | None, episodes: int, *, physics: bool) -> _Play:
    scene = bpy.context.scene
    first, last = frame_range or (scene.frame_start, scene.frame_end)
    if not (isinstance(first, int) and isinstance(last, int) and -MAX_FRAME <= first <= last):
        message = "expected a frame_range of two whole numbers, the first frame and the last"
        raise InvalidValueError(f"{message}, got {shown(frame_range)}")
    if not isinstance(episodes, int) or episodes < ENDLESS:
        message = "expected num_episodes of -1 (for ever) or more"
        raise InvalidValueError(f"{message}, got {shown(episodes)}")
    last = min(last, MAX_FRAME)
    scene.frame_start, scene.frame_end = max(first, 0), max(last, 0)
    return _Play(first, last, episodes, physics)
