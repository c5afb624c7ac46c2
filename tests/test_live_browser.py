"""Live scenes in a real browser: pictures of its page, tabs that come, go and hide."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.async_api import Browser, Page, async_playwright

import heliograph as hg
from heliograph.engines.web.chromium import find_chromium
from heliograph.live.app import App

pytestmark = pytest.mark.web

FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=gl-egl", "--ignore-gpu-blocklist"]
SCENE = hg.Scene(
    hg.Plane(key="floor", size=(6, 6), color="gray"),
    hg.Box(key="box", position=(0, 0, 0.5), color="red"),
    hg.Sphere(key="ball", radius=0.3, position=(1, 0, 0.3), color="blue", materialType="phong"),
    hg.DirectionalLight(position=(1, 2, 3), intensity=3),
    hg.AmbientLight(intensity=0.5),
    hg.CameraView(key="ego", position=(3, -3, 2), lookAt=(0, 0, 0.3), width=160, height=120),
    hg.Grid(key="grid"),
    hg.CoordsMarker(key="axes"),
    background="#204060",
)
ALL: Final = ("rgb", "depth", "normals", "segmentation")
Work: TypeAlias = Callable[[Browser], Awaitable[None]]


def in_browser(work: Work) -> None:
    async def main() -> None:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=str(find_chromium()), args=FLAGS
            )
            await asyncio.wait_for(work(browser), 90)
            await browser.close()

    asyncio.run(main())


@asynccontextmanager
async def tab(browser: Browser, app: App) -> AsyncIterator[Page]:
    """A page of the app whose scene is shown."""
    page = await browser.new_page(viewport={"width": 800, "height": 500})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto(app.url)
    try:
        yield page
    finally:
        await page.close()
        assert errors == []


def away_from_edges(ids: hg.Frame) -> NDArray[np.bool_]:
    """(H, W) pixels all of whose neighbours show the same object."""
    seen = ids.segmentation
    same = np.ones(seen.shape, bool)
    for axis in (0, 1):
        for step in (1, -1):
            same &= np.roll(seen, step, axis) == seen
    same[[0, -1]] = same[:, [0, -1]] = False
    return same


def test_a_page_draws_what_the_engine_draws() -> None:
    async def work(browser: Browser) -> None:
        async with App(SCENE, port=0, renderer="page") as app, App(SCENE, port=0) as engine:
            async with tab(browser, app):
                page = (await app.grab_render("ego", ALL, ttl=20))["ego"]
            ours = (await engine.grab_render("ego", ALL))["ego"]
            assert (page.segmentation == ours.segmentation).mean() > 0.995
            inner = away_from_edges(ours) & (page.segmentation == ours.segmentation)
            seen = inner & np.isfinite(ours.depth)
            close = np.abs(page.depth[seen] / ours.depth[seen] - 1) < 1e-3
            assert close.mean() > 0.99
            assert np.abs(page.rgb[inner].astype(int) - ours.rgb[inner]).mean() < 1
            turned = (page.normals[seen] * ours.normals[seen]).sum(-1)
            assert np.percentile(turned, 1) > np.cos(np.radians(2))
            assert set(np.unique(page.segmentation)) == {0, 1, 2, 3}

    in_browser(work)


def test_an_update_shows_in_the_next_picture_of_a_page() -> None:
    async def work(browser: Browser) -> None:
        scene = hg.Scene(
            hg.Plane(key="floor", size=(90, 90)),
            hg.CameraView(key="ego", position=(0, 0, 2), width=16, height=12),
        )
        async with App(scene, port=0, renderer="page") as app, tab(browser, app):
            await app.grab_render("ego", ttl=20)
            for i in range(60):
                version = app.scene.update @ hg.CameraView(key="ego", position=(0, 0, 2 + i / 10))
                sample = await app.grab_render("ego", "depth")
                assert sample.provenance.scene_version == version
                assert np.allclose(sample["ego"].depth, 2 + i / 10, rtol=1e-6)

    in_browser(work)


def test_a_hundred_cameras_share_one_context() -> None:
    async def work(browser: Browser) -> None:
        cameras = [
            hg.CameraView(key=f"c{i}", position=(0, 0, 1 + i / 10), width=8 + i % 5, height=6)
            for i in range(100)
        ]
        scene = hg.Scene(hg.Plane(key="floor", size=(90, 90)), *cameras)
        async with App(scene, port=0, renderer="page") as app, tab(browser, app):
            sample = await app.grab_render([str(each.key) for each in cameras], "depth", ttl=30)
            for i in range(100):
                frame = sample[f"c{i}"]
                assert frame.depth.shape == (6, 8 + i % 5)
                assert np.allclose(frame.depth, 1 + i / 10, rtol=1e-6)

    in_browser(work)


def test_a_page_finds_a_server_that_was_started_again() -> None:
    async def work(browser: Browser) -> None:
        first = App(SCENE, port=0, token="known-to-both", renderer="page")
        async with first:
            port = int(first.url.rsplit(":", 1)[1].split("/")[0])
            page = await browser.new_page()
            await page.goto(first.url)
            await first.grab_render("ego", ttl=20)
        again = App(
            hg.Scene(SCENE.children[0], SCENE.children[5]), port=port, token="known-to-both"
        )
        again._renderer = "page"
        async with again:
            sample = await again.grab_render("ego", "segmentation", ttl=30)
            assert set(np.unique(sample["ego"].segmentation)) <= {0, 1}
        await page.close()

    in_browser(work)


def test_tabs_that_go_and_come() -> None:
    async def work(browser: Browser) -> None:
        async with App(SCENE, port=0, renderer="page") as app:
            async with tab(browser, app):
                await app.grab_render("ego", ttl=20)
                async with tab(browser, app) as second:
                    while app.scene.pages < 2:
                        await asyncio.sleep(0.01)
                    await app.grab_render("ego", ttl=20)
                    await second.goto("about:blank")
                    while app.scene.pages > 1:
                        await asyncio.sleep(0.01)
                await app.grab_render("ego", ttl=20)
            with pytest.raises(TimeoutError, match=r"page (was closed|is gone)"):
                await app.grab_render("ego", ttl=0.1)

    in_browser(work)


def test_what_somebody_sees_in_the_page_is_drawn_by_whoever_draws() -> None:
    async def work(browser: Browser) -> None:
        for renderer in ("engine", "page"):
            async with App(SCENE, port=0, renderer=renderer) as app, tab(browser, app):
                sample = await app.grab_render(passes=ALL, ttl=20)
                while renderer == "engine" and sample["viewport"].camera.size == (320, 240):
                    await asyncio.sleep(0.05)  # the page has not told yet
                    sample = await app.grab_render(passes=ALL, ttl=20)
                frame = sample["viewport"]
                assert frame.camera.width > 300
                assert frame.camera.height > 300
                assert frame.rgb.shape[:2] == frame.camera.size[::-1]
                assert {1, 2, 3} <= set(np.unique(frame.segmentation))
                half = await app.grab_render(["ego", "viewport"], downsample=2, ttl=20)
                assert half["viewport"].camera.width == round(frame.camera.width / 2)

    in_browser(work)


def pids_with(text: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:  # it has ended
            continue
        if text in line:
            found.append(int(folder.name))
    return found


def ours(pid: int) -> bool:
    """Whether a process comes from this one."""
    while pid > 1 and pid != os.getpid():
        try:
            pid = int(Path(f"/proc/{pid}/status").read_text().split("PPid:")[1].split()[0])
        except OSError:
            return False
    return pid == os.getpid()


def test_a_browser_of_ours_that_is_killed_costs_no_picture() -> None:
    async def main() -> None:
        async with App(SCENE, port=0, renderer="browser") as app:
            await app.grab_render("ego", ttl=30)
            killed = [pid for pid in pids_with("--type=renderer") if ours(pid)]
            assert killed
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
            assert (await app.grab_render("ego", ttl=30))["ego"].rgb.any()

    asyncio.run(main())
