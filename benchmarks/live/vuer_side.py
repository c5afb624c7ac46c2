"""Requests through vuer's `grab_render`; runs where vuer is installed.

Its page may answer with a picture of the camera as it was before an update. So what is to be seen
at each step is looked up before, and a request with a moved camera lasts until a picture shows it.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import sys
import time

import common
import numpy as np
from PIL import Image
from vuer import Vuer, VuerSession, schemas

SETTLED = 0.25
"""Seconds within which its page shows what it was told."""
began = time.perf_counter()
count, port = int(sys.argv[1]), int(sys.argv[2])
app = Vuer(port=port)


def camera(step: int, depth: bool) -> schemas.CameraView:
    return schemas.CameraView(
        key="ego",
        fov=common.FOV,
        width=common.WIDTH,
        height=common.HEIGHT,
        near=common.NEAR,
        far=common.FAR,
        matrix=common.columns(common.pose(step)),
        stream="ondemand",
        fps=30,
        downsample=1,
        distanceToCamera=2,
        showFrustum=False,
        renderDepth=depth,
        movable=False,
    )


def pixels(file: bytes) -> np.ndarray:
    """(H, W, 3) of an image file."""
    with Image.open(io.BytesIO(file)) as image:
        return np.asarray(image.convert("RGB"), np.int16)


async def grabbed(session: VuerSession) -> bytes:
    """The file of one picture; empty where the page gave none."""
    with contextlib.suppress(TimeoutError):
        return (await session.grab_render(key="ego")).value["frame"]
    return b""


async def settled(session: VuerSession, depth: bool) -> list[np.ndarray]:
    """What is to be seen at each step."""
    seen = []
    for step in range(common.WARM_UP + count):
        session.update @ camera(step, depth)
        await asyncio.sleep(SETTLED)
        seen.append(pixels(await grabbed(session)))
    return seen


async def requests(
    session: VuerSession, depth: bool, seen: list[np.ndarray] | None = None
) -> tuple[list[float], int]:
    """Seconds of each request, and how many answers were none or of the step before.

    Where the camera moves, `seen` says what is to be seen at each step.
    """
    seconds, late = [], 0
    for step in range(1, common.WARM_UP + count):
        spent, start, shown = 0.0, time.perf_counter(), False
        if seen is not None:
            session.update @ camera(step, depth)
            await asyncio.sleep(0.0)
        while not shown:
            file = await grabbed(session)
            spent += time.perf_counter() - start  # what it takes to look at the picture is not its
            shown = bool(file) and (seen is None or shows(pixels(file), step, seen))
            late += not shown
            start = time.perf_counter()
        if step >= common.WARM_UP:
            seconds.append(spent)
    return seconds, late


def shows(picture: np.ndarray, step: int, seen: list[np.ndarray]) -> bool:
    """Whether a picture is nearer to that of a step than to that of the step before."""
    now, before = (np.abs(picture - seen[each]).mean() for each in (step, step - 1))
    return bool(now < before)


@app.spawn
async def main(session: VuerSession) -> None:
    depth = sys.argv[3] == "depth"
    shapes = [
        getattr(schemas, name)(
            key=f"shape-{name}", args=args, position=position, material={"color": color}
        )
        for name, args, position, color in common.SHAPES
    ]
    session.set @ schemas.DefaultScene(*shapes, rawChildren=[camera(0, depth)], grid=False)
    first = 0.0
    while not first:
        with contextlib.suppress(asyncio.TimeoutError):
            await session.grab_render(key="ego")
            first = time.perf_counter() - began
    idle = common.Idle()
    await asyncio.sleep(3)
    percent = idle.percent()
    seen = await settled(session, depth)
    moved, late = await requests(session, depth, seen)
    still, late_still = await requests(session, depth)
    common.report(
        moved=common.summary(moved, first=first, idle=percent, late=late),
        still=common.summary(still, late=late_still),
    )


sys.stdout = sys.stderr
with common.browser(f"http://127.0.0.1:{port}/?ws=ws://127.0.0.1:{port}"):
    app.start()
