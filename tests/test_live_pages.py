"""Live scenes with pages: here a page is a WebSocket client that keeps the rows it is sent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import aiohttp
import numpy as np
import pytest

import heliograph as hg
from heliograph.engines.web import wire
from heliograph.engines.web.messages import (
    PROTOCOL,
    Answer,
    Applied,
    Apply,
    Ask,
    CameraSpec,
    Configure,
    Event,
    Hello,
    Message,
    Moved,
    Picture,
    Problem,
    Refused,
    Render,
    Rendered,
    Row,
    ToPage,
    Viewport,
)
from heliograph.live import app as app_module
from heliograph.live.app import App
from heliograph.live.session import Session

Work: TypeAlias = Callable[[App], Awaitable[None]]

SCENE = hg.Scene(
    hg.Plane(key="floor", size=(20, 20)),
    hg.CameraView(key="ego", position=(0, 0, 2), width=4, height=3, movable=True),
    hg.Movable(hg.Box(key="box"), key="held"),
)


class Page:
    """A page that shows nothing."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.rows: dict[str, Row] = {}
        self.version = -1
        self.configured: Configure | None = None
        self.renders: list[Render] = []
        self.applied = 0
        self.answers: list[Answer] = []

    async def send(self, message: Message, buffers: wire.Buffers | None = None) -> None:
        await self._socket.send_bytes(wire.pack(message, buffers))

    async def read(self) -> None:
        async for message in self._socket:
            if message.type is not aiohttp.WSMsgType.BINARY:
                break
            told, _ = wire.unpack_to_page(message.data)
            await self.take(told)

    async def take(self, told: ToPage) -> None:
        if isinstance(told, Configure):
            self.configured = told
        elif isinstance(told, Apply):
            self.rows = {} if told.reset else self.rows
            for key in told.removed:
                del self.rows[key]
            self.rows.update({row.key: row for row in told.rows})
            self.version, self.applied = told.version, self.applied + 1
            await self.send(Applied(told.version))
        elif isinstance(told, Answer):
            self.answers.append(told)
        elif isinstance(told, Render):
            self.renders.append(told)
            await self.answer(told)

    async def answer(self, told: Render) -> None:
        buffers, pictures = wire.Buffers(), []
        for camera in told.cameras:
            pixels = np.full((camera.height, camera.width, 3), self.version, np.uint8)
            place = buffers.add(pixels.tobytes())
            size = camera.width, camera.height
            pictures.append(Picture(camera.name, "rgb", *size, *place))
        await self.send(Rendered(told.request, self.version, pictures), buffers)

    async def until(self, condition: Callable[[], object]) -> None:
        for _ in range(2000):
            if condition():
                return
            await asyncio.sleep(0.005)
        raise AssertionError(f"version {self.version}, rows {sorted(self.rows)}")


@asynccontextmanager
async def opened(app: App, kind: type[Page] = Page, session: str = "") -> AsyncIterator[Page]:
    url = app.url.replace("/?", "/ws?")
    async with aiohttp.ClientSession() as client, client.ws_connect(url) as socket:
        page = kind(socket)
        await page.send(Hello(PROTOCOL, "none", {"client": "robot-1"}, session))
        reader = asyncio.create_task(page.read())
        try:
            yield page
        finally:
            await socket.close()
            await reader


def live(work: Work, **options: Any) -> None:
    async def main() -> None:
        async with App(SCENE, port=0, **options) as app:
            await asyncio.wait_for(work(app), 60)

    asyncio.run(main())


def test_a_page_gets_the_whole_scene_and_then_what_changes() -> None:
    async def work(app: App) -> None:
        app.scene.add @ hg.Sphere(key="early")
        async with opened(app) as page:
            await page.until(lambda: page.version == 1)
            assert {*page.rows} == {"scene", "floor", "ego", "held", "box", "early"}
            assert page.rows["box"].parent == "held"
            app.scene.update @ hg.Box(key="box", position=(1, 2, 3))
            app.scene.remove @ "early"
            await page.until(lambda: page.version == 3)
            assert page.rows["box"].props["position"] == [1, 2, 3]
            assert "early" not in page.rows
            async with opened(app) as other:
                await other.until(lambda: other.version == 3)
                assert other.rows == page.rows
                app.scene.set @ hg.Scene(hg.Box(key="alone"))
                await page.until(lambda: {*page.rows} == {"scene", "alone"})
                await other.until(lambda: {*other.rows} == {"scene", "alone"})

    live(work)


def test_the_rows_have_the_ids_of_the_engine() -> None:
    async def work(app: App) -> None:
        app.scene.add @ hg.Sphere(key="new", position=(0, 0, 1), radius=0.2)
        async with opened(app) as page:
            await page.until(lambda: "new" in page.rows)
            sample = await app.grab_render("ego", "segmentation")
            ids = {label.name: number for number, label in sample.labels.items()}
            for key in ("floor", "box", "new"):
                assert page.rows[key].id == ids[key]
            middle = sample["ego"].segmentation[1, 1]
            assert sample.labels[int(middle)].name == "new"
            assert page.rows["ego"].id == page.rows["scene"].id == 0

    live(work)


def test_a_dragged_camera_stands_there_for_everybody() -> None:
    async def work(app: App) -> None:
        moves: list[Any] = []
        app.add_handler("CAMERA_MOVE", lambda event, _: moves.append(event))
        app.add_handler("OBJECT_MOVE", lambda event, _: moves.append(event))
        async with opened(app) as page, opened(app) as other:
            await page.until(lambda: page.rows and other.rows)
            matrix = np.eye(4)
            matrix[2, 3] = 5
            await page.send(Moved("ego", matrix.T.ravel().tolist(), True))
            await other.until(lambda: "matrix" in other.rows["ego"].props)
            await page.until(lambda: "matrix" in page.rows["ego"].props)  # or it would snap back
            assert other.rows["ego"].props["matrix"] == matrix.T.ravel().tolist()
            sample = await app.grab_render("ego", "depth")
            assert np.allclose(sample["ego"].depth, 5, rtol=1e-6)
            await page.send(Moved("held", matrix.T.ravel().tolist(), False))
            await page.send(Moved("gone", matrix.T.ravel().tolist(), True))
            await page.send(Moved("held", [0.0] * 3, True))
            await page.send(Event("CAMERA_MOVE", "ego", {"matrix": "made up"}))
            await page.send(Event("CLICK", "box", {"x": 1}))
            click = await app.scene.till("CLICK", 5)
            assert (click.key, click.value) == ("box", {"x": 1})
        assert [(each.etype, each.key) for each in moves] == [
            ("CAMERA_MOVE", "ego"),
            ("OBJECT_MOVE", "held"),
        ]
        assert moves[0].value["matrix"] == matrix.T.ravel().tolist()

    live(work)


def test_a_page_draws_what_was_updated_just_before() -> None:
    async def work(app: App) -> None:
        async with opened(app) as page:
            for i in range(30):
                version = app.scene.update @ hg.Box(key="box", width=1 + i)
                sample = await app.grab_render("ego")
                assert sample.provenance.scene_version == version
                assert (sample["ego"].rgb == version).all()
            app.scene.update @ hg.CameraView(key="ego", width=9)
            sample = await app.grab_render(["ego"], "rgb")
            assert sample["ego"].rgb.shape == (3, 9, 3)
            assert page.renders[-1].passes == ["rgb"]

    live(work, renderer="page")


def test_a_page_that_goes_while_it_draws_and_one_that_never_answers() -> None:
    class Silent(Page):
        async def answer(self, told: Render) -> None:
            pass

    class Refusing(Page):
        async def answer(self, told: Render) -> None:
            await self.send(Refused(told.request, "not loaded in time", ["bear.glb"]))

    async def work(app: App) -> None:
        async with opened(app, Silent) as page:
            await page.until(lambda: page.rows)
            with pytest.raises(TimeoutError, match=r"'ego'.*page"):
                await app.grab_render("ego", ttl=0.2)
            waiting = asyncio.create_task(app.grab_render("ego", ttl=20))
            await page.until(lambda: len(page.renders) == 2)
        with pytest.raises((TimeoutError, hg.HeliographError), match="closed"):
            await waiting
        with pytest.raises(TimeoutError, match="its page was closed"):
            await app.grab_render("ego", ttl=0.05)
        async with opened(app, Refusing):
            with pytest.raises(hg.HeliographError, match=r"bear\.glb"):
                await app.grab_render("ego", ttl=5)

    live(work, renderer="page")


def test_each_page_has_a_session_of_its_own_and_finds_it_again() -> None:
    async def main() -> None:
        app = App(SCENE, port=0, shared=False, patience=60)
        inits: list[Any] = []
        app.add_handler("INIT", lambda event, _: inits.append(event.value["client"]))

        @app.spawn(client="robot-*")
        async def program(session: Session) -> None:
            session.add @ hg.Box(key=f"of-{session.name}")
            await session.forever()

        async with app:
            async with opened(app) as page, opened(app) as other:
                await page.until(lambda: any("of-" in key for key in page.rows))
                await other.until(lambda: any("of-" in key for key in other.rows))
                assert page.configured is not None
                assert other.configured is not None
                name = page.configured.session
                assert name != other.configured.session
                assert f"of-{name}" in page.rows
                assert f"of-{name}" not in other.rows
            async with opened(app, session=name) as again:
                await again.until(lambda: f"of-{name}" in again.rows)
            assert inits == ["robot-1", "robot-1"]

    asyncio.run(asyncio.wait_for(main(), 60))


def test_the_viewport_is_drawn_from_where_the_page_looks() -> None:
    async def work(app: App) -> None:
        async with opened(app) as page:
            await page.until(lambda: page.rows)
            pose = np.eye(4)
            pose[2, 3] = 7
            camera = hg.Camera.perspective(fov_y=1.0, width=12, height=8, world_from_camera=pose)
            spec = CameraSpec(
                "",
                12,
                8,
                pose.T.ravel().tolist(),
                camera.projection_matrix.T.ravel().tolist(),
                camera.near,
                camera.far,
                False,
            )
            await page.send(Viewport(1, spec, False))
            await app.scene.till("VIEWPORT_MOVE", 5)
            sample = await app.grab_render(passes="depth")
            (frame,) = sample
            assert frame.depth.shape == (8, 12)
            assert np.allclose(frame.depth[0], 7, rtol=1e-6)
            await page.send(Problem("box", "no such texture"))
            assert (await app.scene.till("PROBLEM", 5)).value == "no such texture"

    live(work)


def test_a_session_of_a_page_that_is_gone_for_good_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "_GRACE", 0.05)
    ended: list[str] = []

    async def main() -> None:
        app = App(SCENE, port=0, shared=False, patience=60)

        @app.spawn
        async def program(session: Session) -> None:
            try:
                await session.forever()
            finally:
                ended.append(session.name)

        async with app:
            for count in range(1, 4):
                async with opened(app) as page:
                    await page.until(lambda: page.rows)
                await page.until(lambda: len(ended) == count)  # noqa: B023
            assert not app.sessions

    asyncio.run(asyncio.wait_for(main(), 60))
    assert ended == ["session-1", "session-2", "session-3"]


def test_files_that_are_dropped_on_a_page() -> None:
    async def work(app: App) -> None:
        async with opened(app) as page:
            await page.until(lambda: page.rows)
            data = bytes(range(256)) * 10_000
            buffers = wire.Buffers()
            offset, nbytes = buffers.add(data)
            value = {"files": [{"name": "a.glb", "offset": offset, "nbytes": nbytes}]}
            await page.send(Ask(1, "drop", value), buffers)
            await page.until(lambda: page.answers)
            assert "handles no DROP" in (page.answers[0].error or "")
            waiting = asyncio.create_task(app.scene.till("DROP", 5))
            await asyncio.sleep(0)
            await page.send(Ask(2, "drop", value), buffers)
            assert (await waiting).value == {"a.glb": data}
            await page.send(Ask(3, "drop", {"files": "nonsense"}), buffers)
            await page.send(Ask(4, "weather", None))
            await page.until(lambda: len(page.answers) == 4)
            assert [each.error is None for each in page.answers] == [False, True, False, False]

    live(work)


def test_labels_of_a_picture_know_what_was_removed_meanwhile() -> None:
    class Removing(Page):
        async def answer(self, told: Render) -> None:
            removed.scene.remove @ "box"
            await super().answer(told)

    removed: Any = None

    async def work(app: App) -> None:
        nonlocal removed
        removed = app
        async with opened(app, Removing) as page:
            await page.until(lambda: page.rows)
            number = page.rows["box"].id
            sample = await app.grab_render("ego")
            assert sample.labels[number].name == "box"

    live(work, renderer="page")
