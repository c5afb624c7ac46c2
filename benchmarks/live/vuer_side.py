"""Requests through vuer's `grab_render`; runs where vuer is installed."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time

import common
from vuer import Vuer, VuerSession, schemas

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


async def requests(session: VuerSession, depth: bool, moved: bool) -> tuple[list[float], int]:
    """Seconds of each request, and how many were given up."""
    seconds, late = [], 0
    for step in range(common.WARM_UP + count):
        start = time.perf_counter()
        if moved:
            session.update @ camera(step, depth)
            await asyncio.sleep(0.0)
        try:
            await session.grab_render(key="ego")
        except TimeoutError:
            late += 1
        if step >= common.WARM_UP:
            seconds.append(time.perf_counter() - start)
    return seconds, late


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
    moved, late = await requests(session, depth, moved=True)
    still, late_still = await requests(session, depth, moved=False)
    common.report(
        moved=common.summary(moved, first=first, idle=percent, late=late),
        still=common.summary(still, late=late_still),
    )


sys.stdout = sys.stderr
with common.browser(f"http://127.0.0.1:{port}/?ws=ws://127.0.0.1:{port}"):
    app.start()
