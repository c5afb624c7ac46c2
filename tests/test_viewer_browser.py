"""The viewer in a real browser: a hand on the camera, probes, dropped files, notebooks."""

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
import trimesh
from aiohttp import web
from playwright.async_api import Page, async_playwright, expect

import heliograph as hg
from heliograph.delivery.call import LocalRenderer
from heliograph.delivery.dataset import Dataset
from heliograph.engines.fake import FakeEngine
from heliograph.engines.web.chromium import find_chromium
from heliograph.record import record

pytestmark = pytest.mark.web

expect.set_options(timeout=60_000)  # a busy machine is no failure
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=gl-egl", "--ignore-gpu-blocklist"]
OpenPage: TypeAlias = Callable[[str], Awaitable[Page]]
Work: TypeAlias = Callable[[OpenPage], Awaitable[None]]
MJCF = """<mujoco><worldbody><light pos="0 0 3"/>
<body><joint name="x" type="slide" axis="1 0 0" range="-1 1"/>
<geom name="ball" size="0.5" rgba="1 0 0 1"/>
<geom name="box" type="box" size="0.2 0.3 0.4" pos="0.9 0 0"/></body>
</worldbody></mujoco>"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "arm.xml"
    path.write_text(MJCF)
    return path


def in_browser(work: Work) -> None:
    """Run `work(open_page)`; no page may have an error of its own."""

    async def main() -> None:
        errors = []
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=str(find_chromium()), args=FLAGS
            )

            async def open_page(url: str) -> Page:
                page = await browser.new_page(viewport={"width": 900, "height": 560})
                page.on("pageerror", lambda error: errors.append(str(error)))
                await page.goto(url)
                return page

            await asyncio.wait_for(work(open_page), 90)
            await browser.close()
        assert errors == []

    asyncio.run(main())


async def middle(page: Page) -> tuple[float, float]:
    """The middle of the viewport in the page, once the engine's pictures are there."""
    await expect(page.locator(".badge b")).to_have_text(re.compile("mujoco|fake|recording"))
    box = await page.locator("canvas.main").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


async def probed(page: Page, name: Any, text: Any) -> None:
    """Wait until the line below says this of the pixel under the pointer."""
    found = page.locator(f'[data-testid="probe"] dd[data-name="{name}"]')
    await expect(found).to_have_text(text)


async def drag(page: Page, at: tuple[float, float], by: tuple[float, float]) -> None:
    await page.mouse.move(*at)
    await page.mouse.down()
    for step in range(1, 11):
        await page.mouse.move(at[0] + by[0] * step / 10, at[1] + by[1] * step / 10)
        await page.wait_for_timeout(20)
    await page.mouse.up()


def test_a_drag_turns_the_camera_and_a_probe_reads_what_the_engine_draws(
    model: Path, tmp_path: Path
) -> None:
    async def work(open_page: OpenPage) -> None:
        with hg.view(model, out=tmp_path) as viewer:
            page = await open_page(viewer.url)
            x, y = await middle(page)
            await page.keyboard.press("r")
            await expect(page.locator("button.record")).to_have_attribute("aria-pressed", "true")
            await drag(page, (x, y), (120, 40))
            await page.wait_for_timeout(500)
            await page.keyboard.press("r")
            await expect(page.get_by_text("trajectory-0001.npz").first).to_be_visible()
            await page.mouse.move(x - 20, y)
            await probed(page, "px", re.compile(f"^{int(x) - 20}, "))
            await probed(page, "object", re.compile("ball|box"))
            at = await page.locator('[data-testid="probe"] dd[data-name="px"]').inner_text()
            depth = await page.locator('[data-testid="probe"] dd[data-name="depth"]').inner_text()
            name = await page.locator('[data-testid="probe"] dd[data-name="object"]').inner_text()
            found.extend((at, depth, name))

    found: list[str] = []
    in_browser(work)
    trajectory = hg.Trajectory.load(tmp_path / "trajectory-0001.npz")
    assert len(trajectory) > 3
    assert not np.allclose(trajectory.world_from_camera[0], trajectory.world_from_camera[-1])
    with hg.open(model, msaa=4) as renderer:
        view = trajectory.views(("depth", "segmentation"))[-1]
        frame = renderer.render(view)["camera"]
    column, row = map(int, found[0].split(","))
    assert float(found[1].removesuffix(" m")) == pytest.approx(
        float(frame.depth[row, column]), abs=6e-5
    )
    assert found[2].startswith(frame.labels[int(frame.segmentation[row, column])].name)


def test_keys_choose_passes_and_sliders_move_joints(model: Path) -> None:
    async def work(open_page: OpenPage) -> None:
        with hg.view(model) as viewer:
            page = await open_page(viewer.url)
            x, y = await middle(page)
            await page.keyboard.press("4")
            await page.mouse.move(x, y)
            await probed(page, "id", re.compile("[12]"))
            before = await page.locator("canvas.main").screenshot()
            slider = page.locator("#control-joint\\:x")
            await slider.fill("1")
            await page.wait_for_timeout(800)
            assert await page.locator("canvas.main").screenshot() != before

    in_browser(work)


def test_a_mesh_dropped_on_the_page_is_shown(model: Path) -> None:
    data = trimesh.creation.icosphere(radius=0.5).export(file_type="glb")

    async def drop(page: Page, name: Any, content: bytes) -> None:
        await page.evaluate(
            """([name, content]) => {
              const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
              const transfer = new DataTransfer();
              transfer.items.add(new File([bytes], name));
              const view = document.querySelector(".view");
              for (const type of ["dragover", "drop"])
                view.dispatchEvent(
                  new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
            }""",
            [name, base64.b64encode(content).decode()],
        )

    async def work(open_page: OpenPage) -> None:
        with hg.view(model) as viewer:
            page = await open_page(viewer.url)
            await middle(page)
            await drop(page, "ball.glb", data)
            await expect(page).to_have_title(re.compile("ball.glb"))
            await expect(page.locator(".badge b")).to_have_text("components")
            await drop(page, "arm.xml", b'<mujoco><asset><mesh file="a.stl"/></asset></mujoco>')
            notice = page.get_by_text("names a.stl, which is not among what was dropped")
            await expect(notice.first).to_be_visible()

    in_browser(work)


def test_a_recording_is_looked_through(tmp_path: Path) -> None:
    with LocalRenderer(FakeEngine(size=(64, 48))) as renderer:
        data = Dataset(renderer, 5, passes=renderer.passes, state=renderer.random_state)
        record(data, tmp_path / "run")
    recording = hg.Recording(tmp_path / "run")
    frames = [next(iter(sample)) for sample in recording]

    async def work(open_page: OpenPage) -> None:
        with hg.view(tmp_path / "run") as viewer:
            page = await open_page(viewer.url)
            await middle(page)
            for position in (0, 3, 1):
                await page.get_by_label("Position on the timeline").fill(str(position))
                await expect(page.locator(".timeline .at")).to_have_text(
                    re.compile(f"^{position} / 4")
                )
                name, body = await saved(page)
                assert name.endswith(".npz")
                with np.load(body) as stored:
                    assert np.array_equal(stored["depth"], frames[position].depth)

    async def saved(page: Page) -> tuple[str, Any]:
        await page.wait_for_timeout(300)
        async with page.expect_download() as coming:
            await page.locator("canvas.main").focus()
            await page.keyboard.press("n")
        file = await coming.value
        return file.suggested_filename, await file.path()

    in_browser(work)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_notebook_s_page_shows_the_viewer_in_a_frame(model: Path, host: str) -> None:
    async def work(open_page: OpenPage) -> None:
        with hg.view(model) as viewer:

            async def notebook(request: web.Request) -> web.Response:
                cell = viewer._repr_html_()
                return web.Response(text=f"<html>{cell}</html>", content_type="text/html")

            app = web.Application()
            app.router.add_get("/", notebook)
            runner = web.AppRunner(app)
            await runner.setup()
            try:
                site = web.TCPSite(runner, "127.0.0.1", 0)
                await site.start()
                page = await open_page(f"http://{host}:{runner.addresses[0][1]}/")
                badge = page.frame_locator("iframe").locator(".badge b")
                await expect(badge).to_have_text("mujoco")
            finally:
                await runner.cleanup()

    in_browser(work)
