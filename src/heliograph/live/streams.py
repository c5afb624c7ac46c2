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
        loop = asyncio.get_running_loop()
        shown, due, told = -1, loop.time(), ""
        while True:
            node = self._scene.camera_view(key)
            if node.get("stream") == "frame" and self._scene.version == shown:
                await self._change.wait()
                continue
            await asyncio.sleep(due - loop.time())
            due = max(due, loop.time() - 1 / node.get("fps")) + 1 / node.get("fps")
            shown = self._scene.version
            try:
                sample = await self._draw(key, node.get("passes"))
            except Exception as error:  # noqa: BLE001 -- told, and tried again
                if str(error) != told:
                    told = str(error)
                    _LOG.warning("stream of camera %s: %s", key, error)
                    self._tell(Event(PROBLEM, key, told))
                await asyncio.sleep(_AFTER_ERROR)
                continue
            if sample is None:
                shown = -1
                await self._change.wait()
                continue
            self._tell(Event(CAMERA_VIEW, key, sample))


def _streams(node: CameraView) -> bool:
    return bool(node.get("stream") != "ondemand")
