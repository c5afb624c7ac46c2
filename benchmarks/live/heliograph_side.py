"""Requests through our `App.grab_render`, and what else its live scenes promise.

Who draws is "engine" (no browser), "browser" (a headless one that the app starts) or "page" (the
page of a headless browser that is started here, as a person's tab would be).
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext

import common

import heliograph as hg
from heliograph.live.app import App

ALL = ("rgb", "depth", "normals", "segmentation")
ASKED = {"rgb": ("rgb",), "depth": ("rgb", "depth"), "all": ALL}
SECONDS = 5.0
began = time.perf_counter()


def camera(step: int, key: str = "ego", **options: object) -> hg.CameraView:
    return hg.CameraView(
        key=key,
        fov=common.FOV,
        width=common.WIDTH,
        height=common.HEIGHT,
        near=common.NEAR,
        far=common.FAR,
        matrix=common.columns(common.pose(step)),
        **options,
    )


def light_scene(**options: object) -> hg.Scene:
    shapes = [
        getattr(hg, name)(key=f"shape-{name}", args=args, position=position, color=color)
        for name, args, position, color in common.SHAPES
    ]
    cameras = [camera(0, **options), *[camera(9 * i, f"other-{i}") for i in range(1, 4)]]
    sky = hg.HemisphereLight(key="sky", groundColor="black")
    sun = hg.DirectionalLight(key="sun", position=(4, 1, 10))
    return hg.Scene(*shapes, *cameras, sky, sun)


async def requests(
    app: App, count: int, passes: Sequence[str], *, moved: bool, keys: Sequence[str] = ("ego",)
) -> list[float]:
    """Seconds of each request, after some to warm up."""
    seconds = []
    for step in range(common.WARM_UP + count):
        start = time.perf_counter()
        if moved:
            app.scene.update @ camera(step)
        await app.grab_render(keys, passes, ttl=60)
        seconds.append(time.perf_counter() - start)
    return seconds[common.WARM_UP :]


async def rates(app: App, count: int, passes: Sequence[str]) -> None:
    """Tell of requests one after the other, and of an idle server."""
    app.scene.set @ light_scene()
    await app.grab_render("ego", passes, ttl=60)
    first = time.perf_counter() - began
    idle = common.Idle()
    await asyncio.sleep(3)
    percent = idle.percent()
    moved = await requests(app, count, passes, moved=True)
    still = await requests(app, count, passes, moved=False)
    common.report(
        moved=common.summary(moved, first=first, idle=percent), still=common.summary(still)
    )


async def promises(app: App, count: int) -> None:
    """Tell of several cameras in a request, of a stream, and of many objects that move."""
    app.scene.set @ light_scene()
    one = await requests(app, count, ALL, moved=True)
    keys = ("ego", "other-1", "other-2", "other-3")
    four = await requests(app, count, ALL, moved=True, keys=keys)
    cameras = {"ratio": statistics.median(four) / statistics.median(one)}
    common.report(cameras=cameras, stream=await stream(app), thousand=await thousand(app))


async def stream(app: App) -> dict[str, float]:
    """Pictures a second of a stream at 30, and milliseconds from an update to its picture."""
    app.scene.set @ light_scene(stream="frame", fps=30)
    told: dict[int, float] = {}
    late: list[float] = []

    def shown(event: object, _session: object) -> None:
        version = event.value.provenance.scene_version
        late.append(1000 * (time.perf_counter() - told.get(version, time.perf_counter())))

    remove = app.add_handler("CAMERA_VIEW", shown)
    await asyncio.sleep(1)
    late.clear()
    start, step = time.perf_counter(), 0
    while (now := time.perf_counter()) < start + SECONDS:
        step += 1
        told[app.scene.update @ camera(step)] = now
        await asyncio.sleep(start + step / 30 - time.perf_counter())
    remove()
    return {"fps": len(late) / SECONDS, "p95": statistics.quantiles(late, n=20)[-1]}


async def thousand(app: App) -> dict[str, float]:
    """Percent of a core that 3,000 updates a second take, and milliseconds of a grab among them."""
    boxes = [
        hg.Box(
            key=f"box-{i}",
            size=(0.05, 0.05, 0.05),
            position=(0.1 * (i % 40) - 2, 0.1 * (i // 40) - 1.2, 0),
            color=(i % 256) << 16 | (i * 7 % 256) << 8 | 128,
        )
        for i in range(1000)
    ]
    app.scene.set @ hg.Scene(*boxes, camera(0), hg.HemisphereLight(key="sky"))
    await app.grab_render("ego", ALL, ttl=60)
    idle, start, frame, updated = common.Idle(), time.perf_counter(), 0, 0
    while time.perf_counter() < start + SECONDS:
        frame += 1
        changed = [
            hg.Box(
                key=f"box-{i}", position=(0.1 * (i % 40) - 2, 0.1 * (i // 40), 0.01 * (frame % 9))
            )
            for i in range(frame % 10, 1000, 10)
        ]
        app.scene.update @ changed
        updated += len(changed)
        await asyncio.sleep(max(start + frame / 30 - time.perf_counter(), 0))
    percent = idle.percent()
    grabs = []
    for step in range(10):
        app.scene.update @ [hg.Box(key=f"box-{i}", position=(0, 0, step)) for i in range(100)]
        now = time.perf_counter()
        await app.grab_render("ego", ALL, ttl=60)
        grabs.append(1000 * (time.perf_counter() - now))
    return {"server": percent, "updates": updated / SECONDS, "grab": statistics.median(grabs)}


async def main() -> None:
    count, port, who, what = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    async with App(renderer=who, port=port) as app:
        with common.browser(app.url) if who == "page" else nullcontext():
            if what == "promises":
                await promises(app, count)
            else:
                await rates(app, count, ASKED[what])


asyncio.run(main())
