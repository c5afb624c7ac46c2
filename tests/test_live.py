"""Live scenes without a page: operations, pictures, events, streams, sessions."""

import asyncio
import math
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

import heliograph as hg
from heliograph.errors import ClosedError, InvalidValueError, UnknownNameError
from heliograph.live import drawing
from heliograph.live.app import App
from heliograph.live.drawing import RendererDrawer
from heliograph.live.events import CAMERA_VIEW, EVENTS_KEPT, FRAMES_KEPT, Event, Subscription
from heliograph.live.session import GrabRender, Session

Work: TypeAlias = Callable[[App], Awaitable[None]]

DOWN = hg.CameraView(key="ego", position=(0, 0, 2), width=40, height=30, near=0.01)
FLOOR = hg.Plane(key="floor", size=(20, 20))


def live(work: Work, **options: Any) -> None:
    """Run a coroutine function of an app that is served."""

    async def main() -> None:
        async with App(hg.Scene(FLOOR, DOWN), port=0, **options) as app:
            await asyncio.wait_for(work(app), 60)

    asyncio.run(main())


def lift(height: float) -> hg.Plane:
    """The floor at a height."""
    return hg.Plane(key="floor", position=(0, 0, height))


def test_what_is_grabbed_after_an_update_shows_it() -> None:
    async def work(app: App) -> None:
        for i in range(40):
            height = i / 40
            version = app.scene.update @ lift(height)
            sample = await app.grab_render("ego", ("depth",))
            assert np.allclose(sample["ego"].depth, 2 - height, rtol=1e-6)
            assert sample.provenance.scene_version == version == app.scene.version

    live(work)


def test_operations_as_calls_and_with_an_at() -> None:
    async def work(app: App) -> None:
        session = app.scene
        session.add @ hg.Box(key="a")
        session.add([hg.Box(key="b"), hg.Group(key="g")])
        session.add(hg.Sphere(key="s"), to="g")
        session.update([hg.Box(key="a", position=(1, 2, 3))])
        session.upsert @ [hg.Box(key="c"), hg.Box(key="b", width=3)]
        session.remove @ "a"
        session.remove(["g"])
        keys = {node.key: node for node in session.scene.walk()}
        assert sorted(map(str, keys)) == ["b", "c", "ego", "floor", "scene"]
        assert keys["b"].get("width") == 3
        session @ [hg.Remove("b"), hg.Add(hg.Box(key="d"))]
        assert "d" in {node.key for node in session.scene.walk()}
        session.set @ hg.Scene(DOWN)
        assert [node.key for node in session.scene.walk()] == ["scene", "ego"]
        sample = await session.grab_render("ego", ("segmentation",))
        assert not sample["ego"].segmentation.any()

    live(work)


def test_a_refused_change_changes_nothing() -> None:
    async def work(app: App) -> None:
        before, version = app.scene.scene, app.scene.version
        with pytest.raises(UnknownNameError, match="flor"):
            app.scene.update([lift(1), hg.Plane(key="flor")])
        with pytest.raises(InvalidValueError, match="there already"):
            app.scene.add @ [hg.Box(key="x"), FLOOR]
        assert app.scene.scene == before
        assert app.scene.version == version
        assert np.allclose((await app.grab_render("ego", "depth"))["ego"].depth, 2)

    live(work)


def test_several_cameras_of_one_version_and_poses_of_one_grab() -> None:
    async def work(app: App) -> None:
        app.scene.add @ hg.CameraView(key="far", position=(0, 0, 5), width=8, height=6)
        pose = np.eye(4)
        pose[2, 3] = 3
        sample = await app.grab_render(["ego", "far"], ("rgb", "depth"), poses={"ego": pose})
        assert np.allclose(sample["ego"].depth, 3, rtol=1e-6)
        assert np.allclose(sample["far"].depth, 5, rtol=1e-6)
        assert sample["far"].rgb.shape == (6, 8, 3)
        assert np.allclose(sample["ego"].camera.world_from_camera, pose)
        again = await app.grab_render("ego", "depth")
        assert np.allclose(again["ego"].depth, 2, rtol=1e-6)

    live(work)


def test_every_option_of_a_camera_may_change() -> None:
    async def work(app: App) -> None:
        app.scene.update @ hg.CameraView(key="ego", width=10, height=20, fov=90)
        frame = (await app.grab_render("ego", "depth"))["ego"]
        assert frame.depth.shape == (20, 10)
        assert math.isclose(frame.camera.fov_y, math.pi / 2)
        app.scene.update @ hg.CameraView(key="ego", far=1.0)
        assert np.isinf((await app.grab_render("ego", "depth"))["ego"].depth).all()
        app.scene.update @ hg.CameraView(key="ego", far=9.0, ctype="orthographic", extent=4)
        ortho = (await app.grab_render("ego", "depth"))["ego"]
        assert np.allclose(ortho.depth, 2, rtol=1e-6)
        assert ortho.camera.projection is hg.Projection.ORTHOGRAPHIC

    live(work)


def test_what_is_on_a_moving_parent_moves() -> None:
    async def work(app: App) -> None:
        app.scene.add @ hg.Group(hg.CameraView(key="on", width=8, height=6), key="arm")
        app.scene.update @ hg.Group(key="arm", position=(0, 0, 4))
        sample = await (app.scene.rpc @ GrabRender(keys="on", passes="depth"))
        assert np.allclose(sample["on"].depth, 4, rtol=1e-6)

    live(work)


def test_grabs_that_cannot_be() -> None:
    async def work(app: App) -> None:
        with pytest.raises(UnknownNameError, match=r"eggo.*did you mean 'ego'"):
            await app.grab_render("eggo")
        with pytest.raises(UnknownNameError, match="dept"):
            await app.grab_render("ego", "dept")  # type: ignore[arg-type]
        with pytest.raises(InvalidValueError, match="each once"):
            await app.grab_render(["ego", "ego"])
        with pytest.raises(InvalidValueError, match="'x' is not among"):
            await app.grab_render("ego", poses={"x": np.eye(4)})
        for ttl in (0, math.nan, math.inf, "x"):
            with pytest.raises(InvalidValueError, match="ttl: expected seconds"):
                await app.grab_render("ego", ttl=ttl)  # type: ignore[arg-type]
        with pytest.raises(InvalidValueError, match="encoding: expected one of"):
            await app.grab_render("ego", encoding="gif")  # type: ignore[arg-type]
        with pytest.raises(InvalidValueError, match="keys: expected a camera"):
            await app.grab_render(5)  # type: ignore[arg-type]
        with pytest.raises(TimeoutError, match=r"'ego'.*0.0001 s"):
            await app.grab_render("ego", ttl=0.0001)
        assert (await app.grab_render("ego"))["ego"].rgb.shape == (30, 40, 3)

    live(work)


def test_without_a_page_a_page_cannot_draw() -> None:
    async def work(app: App) -> None:
        with pytest.raises(TimeoutError, match=r"'ego': no page is open.*open http://127.0.0.1"):
            await app.grab_render("ego", ttl=0.05)

    live(work, renderer="page")


def test_an_engine_error_is_told_and_mended_by_another_scene() -> None:
    async def work(app: App) -> None:
        app.scene.add @ hg.Mesh(key="m", src="/nowhere/x.obj")
        for _ in range(2):
            with pytest.raises(hg.HeliographError, match=r"x\.obj"):
                await app.grab_render("ego")
        app.scene.remove @ "m"
        assert np.allclose((await app.grab_render("ego", "depth"))["ego"].depth, 2)

    live(work)


def test_more_updates_than_anybody_grabs_stay_bounded() -> None:
    async def work(app: App) -> None:
        for i in range(3000):
            app.scene.add @ hg.Box(key=f"b{i}", position=(0, 0, 50))
            app.scene.remove @ f"b{i}"
            app.scene.update @ lift(i / 3000)
        drawer = app.scene._drawer
        assert isinstance(drawer, RendererDrawer)
        assert len(drawer._edits) <= 2000
        sample = await app.grab_render("ego", "depth")
        assert np.allclose(sample["ego"].depth, 2 - 2999 / 3000, rtol=1e-5)

    live(work)


def test_streams_by_change_and_by_time() -> None:
    async def work(app: App) -> None:
        app.scene.update @ hg.CameraView(key="ego", stream="frame", fps=200)
        seen: list[Any] = []
        app.scene.handle(CAMERA_VIEW, lambda event, _: seen.append((event.key, event.value)))
        for i in range(5):
            version = app.scene.update @ lift(i / 10)
            while not seen or seen[-1][1].provenance.scene_version < version:
                await asyncio.sleep(0.005)
        assert {key for key, _ in seen} == {"ego"}
        assert np.allclose(seen[-1][1]["ego"].rgb.shape, (30, 40, 3))
        count = len(seen)
        await asyncio.sleep(0.1)
        assert len(seen) == count  # nothing has changed
        app.scene.update @ hg.CameraView(key="ego", stream="time", fps=100)
        while len(seen) < count + 5:
            await asyncio.sleep(0.01)
        app.scene.update @ hg.CameraView(key="ego", stream="ondemand")
        await asyncio.sleep(0.05)
        count = len(seen)
        await asyncio.sleep(0.1)
        assert len(seen) == count

    live(work)


def test_a_slow_handler_misses_the_oldest_pictures_and_they_are_counted() -> None:
    async def work(app: App) -> None:
        seen: list[Any] = []

        async def slow(event: Event, session: Session) -> None:
            seen.append(event.value.provenance.scene_version)
            await asyncio.sleep(0.1)

        app.add_handler("CAMERA_VIEW", slow)
        app.scene.update @ hg.CameraView(key="ego", stream="frame", fps=1000)
        for i in range(60):
            last = app.scene.update @ lift(i / 100)
            await asyncio.sleep(0.01)
        while seen[-1] != last:
            await asyncio.sleep(0.01)
        assert seen == sorted(seen)
        assert app.scene.dropped > 5

    live(work)


def test_what_waits_for_a_slow_handler_is_bounded() -> None:
    waiting = Subscription()
    for i in range(EVENTS_KEPT + 10):
        waiting.put(Event("E", str(i)))
    for i in range(10):
        waiting.put(Event(CAMERA_VIEW, "a", i))
        waiting.put(Event(CAMERA_VIEW, "b", i))
    assert waiting.dropped == 10 + 2 * (10 - FRAMES_KEPT)


def test_handlers_are_called_in_turn_once_and_until_they_are_removed() -> None:
    async def work(app: App) -> None:
        seen: list[Any] = []

        @app.add_handler("PING", once=True)
        async def first(event: Event, session: Session) -> None:
            seen.append(("first", event.value))

        @app.add_handler("PING")
        def broken(event: Event, session: Session) -> None:
            raise RuntimeError("of the handler")

        remove = app.add_handler("PING", lambda event, _: seen.append(("all", event.value)))
        for i in range(3):
            app.scene.tell(Event("PING", value=i))
            await asyncio.sleep(0.01)
        remove()
        app.scene.tell(Event("PING", value=3))
        await asyncio.sleep(0.01)
        assert sorted(seen) == [("all", 0), ("all", 1), ("all", 2), ("first", 0)]

    live(work)


def test_the_next_event() -> None:
    async def work(app: App) -> None:
        async def later() -> None:
            await asyncio.sleep(0.01)
            app.scene.tell(Event("PING", "k", 7))

        app.scene.spawn_task(later())
        event = await app.scene.till("PING", 5)
        assert (event.key, event.value) == ("k", 7)
        with pytest.raises(TimeoutError, match=r"no PONG within 0\.01 s"):
            await app.scene.till("PONG", 0.01)

    live(work)


def test_a_program_of_sessions_that_no_page_opens() -> None:
    ran: list[Any] = []

    async def main() -> None:
        app = App(hg.Scene(FLOOR, DOWN), port=0, shared=False, patience=0.05)

        @app.spawn(client="robot-*")
        async def never(session: Session) -> None:
            ran.append("never")

        @app.spawn
        async def program(session: Session) -> None:
            session.update @ lift(0.5)
            sample = await session.grab_render("ego", "depth")
            ran.append(float(sample["ego"].depth[0, 0]))

        async with app:
            with pytest.raises(InvalidValueError, match="each page has its own"):
                _ = app.scene
            while not ran:
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(main(), 60))
    assert ran == pytest.approx([1.5], rel=1e-6)


def test_a_program_that_yields_edits() -> None:
    async def main() -> None:
        app = App(hg.Scene(FLOOR, DOWN), port=0)

        @app.bind
        async def program(session: Session) -> AsyncIterator[hg.Edit | Sequence[hg.Edit]]:
            yield hg.Update(lift(1))
            yield [hg.Add(hg.Box(key="new"))]

        async with app:
            while app.scene.version < 2:
                await asyncio.sleep(0.01)
            assert {"new"} <= {node.key for node in app.scene.scene.walk()}

    asyncio.run(asyncio.wait_for(main(), 60))


def test_what_is_over_says_so() -> None:
    async def main() -> None:
        app = App(port=0)
        with pytest.raises(ClosedError, match="async with app"):
            _ = app.url
        async with app:
            session = app.scene
            waiting = session.spawn_task(session.forever())
        await app.close()
        assert waiting.done()
        with pytest.raises(ClosedError, match="is over"):
            session.add @ hg.Box()
        with pytest.raises(ClosedError, match="is over"):
            await session.grab_render()
        with pytest.raises(InvalidValueError, match="async with app"):
            app.run()

    asyncio.run(main())


def test_options_of_an_app() -> None:
    with pytest.raises(UnknownNameError, match=r"'prot'.*did you mean 'port'"):
        App(prot=1)  # type: ignore[call-arg]
    with pytest.raises(UnknownNameError, match=r"'chrome'.*'browser'"):
        App(renderer="chrome")


class Slow(hg.LocalRenderer):
    """Takes its time, and counts."""

    drawn = 0

    def render(self, view: hg.View, *, priority: int = 0) -> hg.Sample:
        Slow.drawn += 1
        time.sleep(0.1)
        return super().render(view, priority=priority)


def opened_slowly(scene: hg.Scene) -> hg.LocalRenderer:
    return Slow(hg.open(scene).engine)


def test_nobody_draws_for_those_who_have_given_up() -> None:
    async def work(app: App) -> None:
        await app.grab_render("ego", "depth")
        Slow.drawn = 0
        app.scene.update @ lift(0.5)
        grabs = (app.grab_render("ego", "depth", ttl=0.03) for _ in range(20))
        late = await asyncio.gather(*grabs, return_exceptions=True)
        assert all(isinstance(each, TimeoutError) for each in late)
        sample = await app.grab_render("ego", "depth", ttl=5)
        assert np.allclose(sample["ego"].depth, 1.5, rtol=1e-6)  # the update was not lost
        assert Slow.drawn <= 3

    live(work, renderer=opened_slowly)


def test_of_two_grabs_after_a_change_that_fails_neither_shows_the_old_scene() -> None:
    async def work(app: App) -> None:
        await app.grab_render("ego")
        app.scene.add @ hg.Mesh(key="m", src="/nowhere/x.obj")
        both = await asyncio.gather(
            app.grab_render("ego"), app.grab_render("ego"), return_exceptions=True
        )
        assert all(isinstance(each, hg.HeliographError) for each in both)

    live(work)


def test_the_viewport_that_nobody_told_is_the_camera_that_frames_everything() -> None:
    async def work(app: App) -> None:
        pose = np.eye(4)
        pose[2, 3] = 4
        both = await app.grab_render(["ego", "viewport"], "depth")
        assert both["viewport"].depth.shape == (240, 320)
        moved = await app.grab_render(poses={"viewport": pose}, downsample=8, passes="depth")
        assert moved["viewport"].depth.shape == (30, 40)
        middle = moved["viewport"].depth[15, 20]
        assert np.isclose(middle, 4, rtol=1e-5)
        with pytest.raises(InvalidValueError):
            await app.grab_render(poses={"viewport": "nonsense"})

    live(work)


def test_a_handler_that_is_removed_leaves_nothing() -> None:
    async def work(app: App) -> None:
        before = len(asyncio.all_tasks())
        for _ in range(100):
            app.add_handler("PING", lambda event, session: None)()
        await asyncio.sleep(0.01)
        assert len(asyncio.all_tasks()) == before

    live(work)


def test_routes_come_before_an_app_is_served() -> None:
    async def work(app: App) -> None:
        with pytest.raises(InvalidValueError, match="served"):
            app.add_route("/late", lambda request: None)

    live(work)


def test_samples_are_numbered() -> None:
    async def work(app: App) -> None:
        taken = [await app.grab_render("ego") for _ in range(3)]
        assert [sample.index for sample in taken] == [0, 1, 2]

    live(work)


def test_a_robot_may_be_moved_as_often_as_one_likes_between_two_pictures(tmp_path: Path) -> None:
    (tmp_path / "arm.urdf").write_text(
        """<robot name="arm"><link name="base"/>
        <link name="tip"><visual><geometry><box size="1 1 0.2"/></geometry></visual></link>
        <joint name="lift" type="prismatic"><parent link="base"/><child link="tip"/>
        <axis xyz="0 0 1"/></joint></robot>"""
    )

    async def work(app: App) -> None:
        app.scene.add @ hg.Urdf(key="arm", src=str(tmp_path / "arm.urdf"))
        await app.grab_render("ego")
        for i in range(5):
            app.scene.update @ hg.Urdf(key="arm", joints={"lift": i / 10})
        sample = await app.grab_render("ego", "depth")
        assert np.isclose(sample["ego"].depth[15, 20], 2 - 0.1 - 0.4, rtol=1e-5)

    live(work)


class Hanging(hg.LocalRenderer):
    """Never draws."""

    def render(self, view: hg.View, *, priority: int = 0) -> hg.Sample:
        threading.Event().wait()
        raise AssertionError


def test_an_engine_that_hangs_keeps_no_app_from_ending(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(drawing, "CLOSE_WITHIN", 0.1)

    async def work(app: App) -> None:
        with pytest.raises(TimeoutError, match="was not drawn"):
            await app.grab_render("ego", ttl=0.1)

    live(work, renderer=lambda scene: Hanging(hg.open(scene).engine))
    assert "left behind" in caplog.text


@pytest.mark.parametrize("renderer", ["engine", "browser"])
def test_edges_are_smooth_where_that_is_asked_for(renderer: str) -> None:
    async def work(app: App) -> None:
        app.scene.set @ [
            hg.Box(key="b", color="white", rotation=(0, 0, 0.3), materialType="basic"),
            DOWN,
        ]
        rgb = (await app.grab_render("ego", ttl=30))["ego"].rgb
        shades.append(len(np.unique(rgb)))

    shades: list[int] = []
    live(work, renderer=renderer)
    live(work, renderer=renderer, msaa=4)
    assert shades[0] == 2
    assert shades[1] > 2


def test_what_is_put_on_a_camera_stands_where_the_camera_was_moved() -> None:
    async def work(app: App) -> None:
        app.scene.add @ hg.CameraView(key="eye", position=(0, 0, 1))
        await app.grab_render("ego")
        app.scene.update @ hg.CameraView(key="eye", position=(0, 0, 0.5))
        app.scene.add(hg.Plane(key="on", size=(20, 20)), to="eye")
        sample = await app.grab_render("ego", "depth")
        assert np.allclose(sample["ego"].depth, 1.5, rtol=1e-6)
        app.scene.update @ hg.CameraView(key="eye", position=(0, 0, 1))
        sample = await app.grab_render("ego", "depth")
        assert np.allclose(sample["ego"].depth, 1, rtol=1e-6)

    live(work)
