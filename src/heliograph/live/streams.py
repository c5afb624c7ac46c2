"""Streams: cameras whose pictures come by themselves, paced here, whoever draws them.

`stream="frame"` draws a picture after every change of the scene, at most `fps` a second; changes in
between show together. `stream="time"` draws `fps` pictures a second.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from heliograph.frame import Sample
from heliograph.live.events import CAMERA_VIEW, PROBLEM, Event
from heliograph.live.scene import LiveScene
from heliograph.passes import Passes
from heliograph.scene import CameraView

Draw: TypeAlias = Callable[[str, Passes], Awaitable[Sample | None]]
_LOG = logging.getLogger("heliograph.live")
_AFTER_ERROR = 1.0


class CameraStreams:
    """One task for each camera with a stream.

    Args:
        scene: whose cameras.
        draw: draws a camera; gives None where nobody would look at the picture.
        tell: takes the events.
    """

    def __init__(self, scene: LiveScene, draw: Draw, tell: Callable[[Event], None]) -> None:
        self._scene = scene
        self._draw = draw
        self._tell = tell
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._change = asyncio.Event()

    def changed(self) -> None:
        """The scene has changed: cameras may have come or gone."""
        wanted = {str(node.key) for node in self._scene.cameras if _streams(node)}
        for key in self._tasks.keys() - wanted:
            self._tasks.pop(key).cancel()
        for key in wanted - self._tasks.keys():
            self._tasks[key] = asyncio.get_running_loop().create_task(self._run(key))
        change, self._change = self._change, asyncio.Event()
        change.set()

    def close(self) -> None:
        """End all of them."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()

    async def _run(self, key: str) -> None:
        pace = _Pace()
        while key in self._tasks:
            try:
                await self._step(key, pace)
            except Exception as error:  # noqa: BLE001 -- told, and tried again
                if str(error) != pace.told:
                    pace.told = str(error)
                    _LOG.warning("stream of camera %s: %s", key, error)
                    self._tell(Event(PROBLEM, key, pace.told))
                await asyncio.sleep(_AFTER_ERROR)

    async def _step(self, key: str, pace: _Pace) -> None:
        """One picture, when its time has come and there is something new to see."""
        change, node = self._change, self._scene.camera_view(key)
        if node.get("stream") == "frame" and self._scene.version == pace.shown:
            await change.wait()
            return
        await pace.next(node.get("fps"))
        version = self._scene.version
        sample = await self._draw(key, node.get("passes"))
        if sample is None:  # nobody would have looked at it
            await change.wait()
            return
        pace.shown = version
        self._tell(Event(CAMERA_VIEW, key, sample))


class _Pace:
    """When the next picture of a camera is due, and which version the last one showed."""

    def __init__(self) -> None:
        self.shown = -1
        self.told = ""
        self._due = asyncio.get_running_loop().time()

    async def next(self, fps: float) -> None:
        """Wait until it is due."""
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(self._due - now)
        self._due = max(self._due, now - 1 / fps) + 1 / fps


def _streams(node: CameraView) -> bool:
    return bool(node.get("stream") != "ondemand")
