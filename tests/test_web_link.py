"""A link to one page: what reaches it, in which order, and what waits while it is slow."""

import asyncio
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import heliograph as hg
from heliograph.engines.web import link as web_link
from heliograph.engines.web import page_scene
from heliograph.engines.web.assets import AssetStore
from heliograph.engines.web.link import PageLink
from heliograph.engines.web.messages import (
    Answer,
    Applied,
    Apply,
    Configure,
    Forget,
    Moved,
    Panel,
    Picture,
    Refused,
    Render,
    Rendered,
)
from heliograph.engines.web.page_scene import PageScene
from heliograph.engines.web.scene_rows import SceneRows
from heliograph.engines.web.specs import spec_of
from heliograph.engines.web.wire import pack, unpack_to_page
from heliograph.errors import EngineError, InvalidValueError, UnknownNameError, WorkerError
from heliograph.scene.tree import Tree
from page_client import HELLO, Page, answer_to, connected, serving, socket_url, transport_of, until

CAMERA = hg.Camera.perspective(fov_y=1.0, width=8, height=6, name="ego")


class Scene:
    """A scene that changes, and its rows."""

    def __init__(self, *children: Any, **props: Any) -> None:
        self.tree = Tree(hg.Scene(*children, **props))
        self.version = 0
        self._numbers: dict[str, int] = {}

    def apply(self, *edits: Any) -> Any:
        """Apply edits; the keys that changed."""
        before = set(self.tree.index)
        changes = self.tree.apply(edits)
        self.version += 1
        return {*changes.given, *changes.fresh, *(before - set(self.tree.index))}

    def change(self, *edits: Any) -> Any:
        """Apply edits; the rows then, and the keys that changed."""
        keys = self.apply(*edits)
        return self.rows, keys

    @property
    def rows(self) -> Any:
        ids = [self._numbers.setdefault(key, len(self._numbers)) for key in self.tree.names()]
        return SceneRows(self.version, self.tree, np.array(ids, np.int32))


class Shown:
    """What a page keeps of messages, without any socket."""

    def __init__(self) -> None:
        self.scene, self.page = PageScene(AssetStore()), Page(None)

    def bring_to(self, rows: Any, keys: Any = None) -> Any:
        messages = []
        for message, buffers in self.scene.bring_to(rows, keys):
            again, body = unpack_to_page(pack(message, buffers))
            messages.append(again)
            if isinstance(again, Apply):
                self.page.apply(again, body)
            else:
                assert isinstance(again, Forget)
                for blob in again.blobs:
                    del self.page.blobs[blob]
        return messages

    def check(self, rows: Any) -> None:
        """The page shows these rows, with their blobs and no others."""
        fresh = Shown()
        fresh.bring_to(rows)
        assert {**fresh.page.rows} == {**self.page.rows}
        assert fresh.page.blobs == self.page.blobs
        assert self.page.version == rows.version


# What a page shows.


def test_only_what_changed_is_sent() -> None:
    scene = Scene(hg.Box(key="a"), hg.Group(hg.Sphere(key="c"), key="b"))
    shown = Shown()
    (first,) = shown.bring_to(scene.rows)
    assert first.reset
    assert [(row.key, row.parent, row.tag) for row in first.rows] == [
        ("scene", None, "Scene"),
        ("a", "scene", "Box"),
        ("b", "scene", "Group"),
        ("c", "b", "Sphere"),
    ]
    keys = scene.apply(hg.Update(hg.Sphere(key="c", position=(1, 2, 3))))
    (second,) = shown.bring_to(scene.rows, keys)
    assert (second.reset, second.version, second.removed) == (False, 1, [])
    assert [(row.key, row.props) for row in second.rows] == [("c", {"position": [1, 2, 3]})]
    (third,) = shown.bring_to(scene.rows)
    assert third.rows == []
    keys = scene.apply(hg.Remove("b"))
    (fourth,) = shown.bring_to(scene.rows, keys)
    assert (sorted(fourth.removed), fourth.rows) == (["b", "c"], [])


def test_keys_that_nobody_told_are_found() -> None:
    scene, shown = Scene(hg.Group(hg.Box(key="a"), key="g")), Shown()
    shown.bring_to(scene.rows)
    scene.apply(hg.Remove("g"), hg.Add(hg.Group(hg.Box(key="x"), key="h")))
    shown.bring_to(scene.rows, {"x"})
    shown.check(scene.rows)
    scene.apply(hg.Remove("h"))
    shown.bring_to(scene.rows, set())
    shown.check(scene.rows)


def test_what_is_below_a_row_of_another_type_is_sent_again() -> None:
    scene = Scene(hg.Sphere(hg.Box(key="a"), key="g", radius=2), hg.Box(key="o"))
    for keys in (None, {"g"}):
        shown = Shown()
        shown.bring_to(Scene(hg.Group(hg.Box(key="a"), key="g")).rows)
        (changes,) = shown.bring_to(scene.rows, keys)
        assert [row.key for row in changes.rows if row.key != "o"] == ["g", "a"]
        shown.check(scene.rows)


def test_another_root_takes_the_place_of_all() -> None:
    scene, shown = Scene(hg.Box(key="a", material={"map": pixels(1)})), Shown()
    shown.bring_to(scene.rows)
    scene.apply(hg.Set(hg.Scene(hg.Box(key="a"), key="other")))
    changes, forget = shown.bring_to(scene.rows, {"a"})
    assert changes.reset
    assert len(forget.blobs) == 1
    shown.check(scene.rows)


def pixels(value: Any, size: int = 16) -> Any:
    return np.full((size, size, 3), value, np.uint8)


def test_arrays_are_sent_once_and_forgotten_when_no_row_has_them() -> None:
    one, two = (hg.Box(key=key, material={"map": pixels(5)}) for key in ("one", "two"))
    scene, shown = Scene(one), Shown()
    (first,) = shown.bring_to(scene.rows)
    assert [blob.nbytes for blob in first.blobs] == [16 * 16 * 3]
    (second,) = shown.bring_to(*scene.change(hg.Add(two)))
    assert second.blobs == []
    (_,) = shown.bring_to(*scene.change(hg.Remove("one")))
    assert shown.page.blobs
    changed = hg.Update(hg.Box(key="two", material={"map": pixels(6)}))
    apply, forget = shown.bring_to(*scene.change(changed))
    assert len(apply.blobs) == 1
    assert isinstance(forget, Forget)
    assert forget.blobs == [first.blobs[0].blob]
    shown.check(scene.rows)
    shown.bring_to(*scene.change(hg.Remove("two")))
    assert shown.page.blobs == {}
    shown.bring_to(*scene.change(hg.Add(one)))  # it was forgotten
    shown.check(scene.rows)


def test_many_arrays_travel_in_several_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_scene, "MOST_BLOBS", 2000)
    boxes = [hg.Box(key=f"b{i}", material={"map": pixels(i)}) for i in range(6)]
    scene, shown = Scene(*boxes), Shown()
    messages = shown.bring_to(scene.rows)
    assert [len(each.blobs) for each in messages] == [2, 2, 2]
    assert [each.reset for each in messages] == [True, False, False]
    assert [len(each.rows) for each in messages] == [0, 0, 7]
    shown.check(scene.rows)


def test_what_cannot_be_sent_leaves_an_empty_place(tmp_path: Path) -> None:
    path = tmp_path / "a.glb"
    mesh = hg.Mesh(hg.Box(key="on"), key="m", src=str(path), position=(1, 2, 3))
    scene, shown = Scene(mesh), Shown()
    shown.bring_to(scene.rows)
    assert [*shown.scene.broken] == ["m"]
    row = shown.page.rows["m"]
    assert (row.tag, row.props) == ("Group", {"position": [1, 2, 3]})
    assert shown.page.rows["on"].parent == "m"
    path.write_bytes(b"model")
    shown.bring_to(scene.rows, {"m"})
    assert not shown.scene.broken
    assert shown.page.rows["m"].tag == "Mesh"
    shown.check(scene.rows)


def test_a_row_that_was_dragged_is_told_again() -> None:
    scene, shown = Scene(hg.Box(key="a")), Shown()
    shown.bring_to(scene.rows)
    shown.scene.distrust("a")
    shown.scene.distrust("gone")
    (changes,) = shown.bring_to(scene.rows)
    assert [row.key for row in changes.rows] == ["a"]


KEYS = [f"k{i}" for i in range(6)]


def component(kind: Any, key: Any, value: Any) -> Any:
    if kind == "group":
        return hg.Group(key=key, position=(value, 0, 0))
    look: Any = {"map": pixels(value, 4)} if kind == "textured" else {}
    return hg.Box(key=key, width=1 + value, material=look)


COMPONENTS = st.builds(
    component,
    st.sampled_from(["group", "box", "textured"]),
    st.sampled_from(KEYS),
    st.integers(0, 2),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["upsert", "remove", "update"]),
        COMPONENTS,
        st.sampled_from(["scene", *KEYS]),
        st.sampled_from(["now", "later", "all"]),
    ),
    max_size=30,
)


@settings(max_examples=150, deadline=None, database=None)
@given(STEPS)
def test_a_page_ends_with_the_newest_rows_however_updates_are_merged(steps: Any) -> None:
    scene, shown, dirty = Scene(), Shown(), set()
    for what, component, other, when in steps:
        tree = scene.tree
        try:
            if what == "remove":
                dirty |= scene.apply(hg.Remove(component.key))
            elif what == "update":
                dirty |= scene.apply(hg.Update(component))
            else:
                dirty |= scene.apply(hg.Upsert(component, to=other))
        except hg.HeliographError:
            scene.tree = tree
        if when != "later":
            shown.bring_to(scene.rows, None if when == "all" else dirty)
            dirty = set()
            shown.check(scene.rows)
    shown.bring_to(scene.rows, dirty)
    shown.check(scene.rows)


# A page that reads.


def run(work: Any, kind: Any = Page) -> Any:
    async def main() -> Any:
        async with serving() as (server, links), connected(server, kind) as page:
            return await asyncio.wait_for(work(await links.get(), page), 100)

    return asyncio.run(main())


def test_pictures_show_what_was_shown_just_before() -> None:
    async def work(link: PageLink, page: Page) -> None:
        scene = Scene(hg.Box(key="a"))
        link.show(scene.rows)
        for _ in range(50):
            keys = scene.apply(hg.Update(hg.Box(key="a", width=1 + scene.version)))
            link.show(scene.rows, keys)
            drawn = await link.render([CAMERA], ["rgb"], timeout=20)
            assert drawn.version == scene.version
            assert (drawn.pictures["ego", "rgb"][:-1] == scene.version).all()
        scene.version += 1
        link.show(scene.rows, [])  # a version in which no row differs
        assert (await link.render([CAMERA], ["rgb"], timeout=20)).version == scene.version

    run(work)


def test_pictures_are_ours() -> None:
    async def work(link: PageLink, page: Page) -> None:
        link.show(Scene().rows)
        passes = ["rgb", "depth", "normals", "segmentation", "alpha", "distance"]
        other = CAMERA.replace(name="other", width=4)
        drawn = await link.render([CAMERA, other], passes, timeout=20)
        assert set(drawn.pictures) == {(name, each) for name in ("ego", "other") for each in passes}
        rgb = drawn.pictures["ego", "rgb"]
        assert rgb.shape == (6, 8, 3)
        assert (rgb[-1] == 77).all()
        assert (rgb[:-1] == 0).all()
        assert (drawn.pictures["other", "depth"] == 3).all()
        assert drawn.pictures["other", "segmentation"].shape == (6, 4)
        assert (drawn.pictures["other", "segmentation"] == 5).all()
        out = np.empty((6, 8), np.float32)
        assert drawn.pictures.read("ego", "depth", out) is out
        assert (out == 3).all()
        (render,) = page.of(Render)
        assert render.passes == ["rgb", "depth", "normals", "segmentation", "alpha"]
        assert render.cameras[0].matrix == CAMERA.world_from_camera.T.ravel().tolist()
        assert render.cameras[0].projection == CAMERA.projection_matrix.T.ravel().tolist()

    run(work)


def test_an_encoded_picture_is_the_bytes_of_its_file() -> None:
    async def work(link: PageLink, page: Page) -> None:
        link.show(Scene().rows)
        drawn = await link.render(
            [CAMERA], ["rgb", "depth", "alpha"], encoding="jpeg", quality=0.5, timeout=20
        )
        assert drawn.pictures["ego", "rgb"].tobytes() == b"a file"
        assert drawn.pictures["ego", "alpha"].shape == (6, 8)
        (render,) = page.of(Render)
        assert (render.encoding, render.quality) == ("jpeg", 0.5)

    run(work)


def test_the_viewport_of_a_page_comes_as_a_camera() -> None:
    pose = np.eye(4)
    pose[:3, 3] = 1, 2, 3
    seen = hg.Camera.perspective(fov_y=0.7, width=400, height=300, world_from_camera=pose)

    class Viewing(Page):
        async def take(self, message: Any, body: memoryview) -> None:
            if isinstance(message, Render):
                await self.send(*answer_to(message, 0, camera=spec_of(seen)))
            else:
                await super().take(message, body)

    async def work(link: PageLink, page: Page) -> None:
        link.show(Scene().rows)
        drawn = await link.render([CAMERA], ["rgb"], viewport=True, timeout=20)
        assert drawn.camera is not None
        assert (drawn.camera.name, drawn.camera.size) == ("ego", (8, 6))
        assert np.allclose(drawn.camera.world_from_camera, pose)
        assert drawn.camera.fov_y == pytest.approx(0.7)
        assert drawn.pictures["ego", "rgb"].shape == (6, 8, 3)

    run(work, Viewing)


def test_pictures_through_a_slot_of_a_shared_file() -> None:
    class Slot:
        number = 3

        def body(self) -> Any:
            return memoryview(bytes([9]) * (8 * 6 * 4))

    class Filing(Page):
        async def take(self, message: Any, body: memoryview) -> None:
            if isinstance(message, Render):
                answer, _ = answer_to(message, 0)
                await self.send(answer)
            else:
                await super().take(message, body)

    async def work(link: PageLink, page: Page) -> None:
        link.show(Scene().rows)
        drawn = await link.render([CAMERA], ["rgb"], shared=Slot(), timeout=20)
        assert (drawn.pictures["ego", "rgb"] == 9).all()
        assert page.of(Render)[0].file_slot == 3

    run(work, Filing)


def test_what_a_page_cannot_be_asked_for() -> None:
    async def work(link: PageLink, page: Page) -> None:
        for cameras, passes in (
            ([], ["rgb"]),
            ([CAMERA, CAMERA], ["rgb"]),
            ([CAMERA], []),
            ([CAMERA.replace(width=16384, height=16384)], ["rgb", "alpha"]),
        ):
            with pytest.raises(InvalidValueError, match=r"cameras|passes"):
                await link.render(cameras, passes, timeout=1)
        with pytest.raises(UnknownNameError, match="did you mean 'depth'"):
            await link.render([CAMERA], ["deph"], timeout=1)
        assert not page.of(Render)

    run(work)


# Why there is no picture.


def test_a_refusal_names_the_camera_and_what_is_missing() -> None:
    class Refusing(Page):
        async def take(self, message: Any, body: memoryview) -> None:
            if isinstance(message, Render):
                await self.send(Refused(message.request, "not loaded within 10 s", ["bear.glb"]))
            else:
                await super().take(message, body)

    async def work(link: PageLink, page: Page) -> None:
        link.show(Scene().rows)
        with pytest.raises(EngineError, match=r"camera 'ego': not loaded.*missing: bear\.glb"):
            await link.render([CAMERA], ["rgb"], timeout=20)

    run(work, Refusing)


def test_a_component_that_cannot_be_sent_is_named(tmp_path: Path) -> None:
    async def work(link: PageLink, page: Page) -> None:
        path = tmp_path / "a.glb"
        link.show(Scene(hg.Mesh(key="m", src=str(path))).rows)
        for _ in range(2):
            with pytest.raises(hg.HeliographError, match=r"Mesh 'm' src: .*no such file"):
                await link.render([CAMERA], ["rgb"], timeout=20)
        path.write_bytes(b"model")
        await link.render([CAMERA], ["rgb"], timeout=20)
        assert page.rows["m"].tag == "Mesh"

    run(work)


def test_a_page_that_does_not_answer_or_goes() -> None:
    other = CAMERA.replace(name="b")

    async def work(link: PageLink, page: Page) -> None:
        page.answers = False
        link.show(Scene().rows)
        with pytest.raises(WorkerError, match=r"'ego': no picture within 0\.05 s.*not answered"):
            await link.render([CAMERA], ["rgb"], timeout=0.05)
        late = page.of(Render)[0]
        await page.send(*answer_to(late, 0))  # nobody waits for it any more
        waiting = [
            asyncio.create_task(link.render([CAMERA, other], ["rgb"], timeout=60))
            for _ in range(20)
        ]
        await until(lambda: len(page.of(Render)) > web_link.MOST_CAMERAS // 2)
        await page.socket.close()
        for task in waiting:
            with pytest.raises(WorkerError, match=r"cameras 'ego', 'b': .*closed its connection"):
                await task
        with pytest.raises(WorkerError, match="closed its connection"):
            await link.render([CAMERA], ["rgb"], timeout=60)
        link.show(Scene(hg.Box(key="late")).rows)
        link.send(Panel([], [], {}), slot="panel")
        link.send(Panel([], [], {}))
        link.close("twice")
        assert link.queued == 0
        assert link.malformed == 0

    run(work)


def test_a_page_that_goes_right_after_its_answer() -> None:
    async def work(link: PageLink, page: Page) -> None:
        link.show(Scene().rows)
        page.answers = False
        task = asyncio.create_task(link.render([CAMERA], ["rgb"], timeout=20))
        await until(lambda: page.of(Render))
        link.receive(pack(*answer_to(page.of(Render)[0], 5)))
        link.lost("it has gone")
        assert (await task).version == 5

    run(work)


def test_what_fails_while_it_is_sent_ends_the_page_and_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work(link: PageLink, page: Page) -> None:
        rows = Scene(hg.Box(key="a")).rows
        link.show(SceneRows(0, rows.tree, rows.ids[:1]))
        with pytest.raises(WorkerError, match="nothing could be sent to it any more: index 1"):
            await link.render([CAMERA], ["rgb"], timeout=20)
        await link.wait_closed()

    run(work)
    assert "nothing can be sent" in caplog.text


def test_a_page_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_link, "MOST_SILENT", 0.05)

    async def work(link: PageLink, page: Page) -> None:
        page.answers = False
        link.show(Scene().rows)
        with pytest.raises(WorkerError):
            await link.render([CAMERA], ["rgb"], timeout=0.2)
        await link.wait_closed()

    run(work)


def test_a_page_has_a_bounded_number_of_requests() -> None:
    async def work(link: PageLink, page: Page) -> None:
        page.answers = False
        link.show(Scene().rows)
        for _ in range(web_link.MOST_CAMERAS + 3):
            with pytest.raises(WorkerError):
                await link.render([CAMERA], ["rgb"], timeout=0.02)
        assert len(page.of(Render)) == web_link.MOST_CAMERAS
        with pytest.raises(WorkerError, match="16 unanswered requests"):
            await link.render([CAMERA], ["rgb"], timeout=0.02)
        assert link.queued == 0
        page.answers = True
        for render in page.of(Render):
            await page.send(*answer_to(render, 0))
        await link.render([CAMERA], ["rgb"], timeout=20)

    run(work)


def test_requests_of_many_cameras_wait_until_the_page_has_drawn_those_before() -> None:
    async def work(link: PageLink, page: Page) -> None:
        page.answers = False
        link.show(Scene().rows)
        many = [CAMERA.replace(name=str(number)) for number in range(web_link.MOST_CAMERAS + 4)]
        for _ in range(4):
            with pytest.raises(WorkerError):
                await link.render(many, ["rgb"], timeout=0.02)
        (asked,) = page.of(Render)
        page.answers = True
        await page.send(*answer_to(asked, 0))
        await link.render([CAMERA], ["rgb"], timeout=20)
        assert [len(each.cameras) for each in page.of(Render)] == [len(many), 1]

    run(work)


def test_a_request_that_was_given_up_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_link, "MOST_CAMERAS", 1)

    async def work(link: PageLink, page: Page) -> None:
        page.answers = False
        link.show(Scene().rows)
        task = asyncio.create_task(link.render([CAMERA], ["rgb"], timeout=20))
        await until(lambda: page.of(Render))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gone = asyncio.create_task(link.render([CAMERA], ["depth"], timeout=20))
        await asyncio.sleep(0)
        gone.cancel()
        page.answers = True
        await page.send(*answer_to(page.of(Render)[0], 0))
        await link.render([CAMERA], ["rgb"], timeout=20)
        assert [each.passes for each in page.of(Render)] == [["rgb"], ["rgb"]]

    run(work)


@pytest.mark.parametrize("broken", [False, True])
def test_cameras_may_come_one_after_the_other(broken: bool) -> None:
    class Parting(Page):
        async def take(self, message: Any, body: memoryview) -> None:
            if not isinstance(message, Render):
                await super().take(message, body)
                return
            for number, camera in enumerate(message.cameras):
                last = number == len(message.cameras) - 1
                one = replace(message, cameras=[message.cameras[0] if broken else camera])
                await self.send(*answer_to(one, number, more=not last))

    async def work(link: PageLink, _page: Page) -> None:
        link.show(Scene().rows)
        cameras = [CAMERA, CAMERA.replace(name="b", width=5), CAMERA.replace(name="c")]
        if broken:
            with pytest.raises(EngineError, match=r"expected .*, each once"):
                await link.render(cameras, ["rgb", "depth", "normals"], timeout=20)
            return
        drawn = await link.render(cameras, ["rgb", "depth", "normals"], timeout=20)
        for number, camera in enumerate(cameras):
            for _ in range(2):
                assert (drawn.pictures[camera.name, "rgb"][:-1] == number).all()
                assert drawn.pictures[camera.name, "depth"].shape == (camera.height, camera.width)
        assert drawn.version == 2
        assert link.malformed == 0

    run(work, Parting)


WRONG: dict[str, Callable[[list[Picture]], list[Picture]]] = {
    "no picture": lambda p: [],
    "twice": lambda p: [p[0], p[0]],
    "another camera": lambda p: [replace(p[0], camera="b")],
    "another content": lambda p: [replace(p[0], content="image/png")],
    "another size": lambda p: [replace(p[0], width=6, height=8)],
    "too few bytes": lambda p: [replace(p[0], nbytes=140)],
    "too many bytes": lambda p: [replace(p[0], nbytes=145)],
    "before the message": lambda p: [replace(p[0], offset=-16)],
    "behind the message": lambda p: [replace(p[0], offset=16)],
    "far behind": lambda p: [replace(p[0], offset=1 << 60)],
    "huge": lambda p: [replace(p[0], width=1 << 40, height=1 << 40, nbytes=1 << 62)],
    "negative": lambda p: [replace(p[0], width=-8, height=-6)],
}


@pytest.mark.parametrize("wrong", WRONG)
def test_pictures_that_were_not_asked_for_are_refused(wrong: str) -> None:
    class Lying(Page):
        lies = True

        async def take(self, message: Any, body: memoryview) -> None:
            if isinstance(message, Render) and self.lies:
                answer, buffers = answer_to(message, 0)
                await self.send(Rendered(answer.request, 0, WRONG[wrong](answer.pictures)), buffers)
            else:
                await super().take(message, body)

    async def work(link: PageLink, page: Page) -> None:
        link.show(Scene().rows)
        with pytest.raises(EngineError, match="'ego': the page's answer: expected"):
            await link.render([CAMERA], ["rgb"], timeout=20)
        assert link.malformed == 1
        vars(page)["lies"] = False
        await link.render([CAMERA], ["rgb"], timeout=20)

    run(work, Lying)


def test_answers_that_nobody_asked_for_are_counted() -> None:
    async def work(link: PageLink, page: Page) -> None:
        await page.send(Rendered(99, 0, []))
        await page.send(Refused(99, "no", []))
        await page.send(Applied(99))
        await until(lambda: link.malformed == 3)
        heard = []
        link.on_message = lambda message, _: heard.append(message)
        await page.send(Moved("a", [1.0], True))
        await until(lambda: heard)

    run(work)


def test_what_was_dragged_goes_back_where_the_program_has_it() -> None:
    async def work(link: PageLink, page: Page) -> None:
        scene = Scene(hg.Box(key="a", position=(1, 0, 0)))
        link.show(scene.rows)
        await until(lambda: page.version == 0 and page.rows)
        await page.send(Moved("a", [0.0] * 16, True))
        link.on_message = lambda *_: link.show(scene.rows)
        await until(lambda: len(page.of(Apply)) == 2)
        assert [row.key for row in page.of(Apply)[1].rows] == ["a"]

    run(work)


# A slow page.


class Slow(Page):
    """Reads, but acknowledges and answers nothing until it is told to."""

    slow = True

    async def take(self, message: Any, body: memoryview) -> None:
        if isinstance(message, Apply) and self.slow:
            self.apply(message, body)
        else:
            await super().take(message, body)


def test_what_a_slow_page_gets_is_the_newest() -> None:
    async def work(link: PageLink, page: Page) -> None:
        scene = Scene(*(hg.Box(key=f"b{i}") for i in range(100)))
        link.show(scene.rows)
        for number in range(1000):
            key = f"b{number % 100}"
            keys = scene.apply(hg.Update(hg.Box(key=key, width=1 + number)))
            link.show(scene.rows, keys)
            link.send(Panel([], [], {"number": number}), slot="panel")
            if number % 10 == 0:
                await asyncio.sleep(0)
        await until(lambda: page.of(Panel) and page.of(Panel)[-1].facts["number"] == 999)
        assert len(page.of(Apply)) == web_link.MOST_UNACKNOWLEDGED
        assert link.queued == 100
        vars(page)["slow"] = False
        await page.send(Applied(page.of(Apply)[0].version))
        await until(lambda: page.version == 1000)
        assert len(page.of(Apply)) == web_link.MOST_UNACKNOWLEDGED + 1
        widths = [page.rows[f"b{i}"].props["width"] for i in range(100)]
        assert widths == [901 + i for i in range(100)]
        assert link.queued == 0

    run(work, Slow)


def test_pictures_do_not_wait_for_what_is_not_acknowledged() -> None:
    async def work(link: PageLink, page: Page) -> None:
        scene = Scene(hg.Box(key="a"))
        link.show(scene.rows)
        for _ in range(10):
            link.show(*scene.change(hg.Update(hg.Box(key="a", width=2))))
            drawn = await link.render([CAMERA], ["rgb"], timeout=20)
            assert drawn.version == scene.version
        assert len(page.of(Apply)) == 10

    run(work, Slow)


@pytest.mark.parametrize("what", ["rows", "pictures"])
def test_nothing_grows_while_a_page_does_not_read(what: str) -> None:
    """The socket is full; 10,000 updates later the newest is all that waits."""
    picture = bytes(200_000)

    async def main() -> None:
        async with (
            serving() as (server, links),
            aiohttp.ClientSession() as client,
            client.ws_connect(socket_url(server), max_msg_size=0) as socket,
        ):
            page = Page(socket)
            await page.send(HELLO)
            link = await links.get()
            scene = Scene(*(hg.Box(key=f"b{i}", material={"map": pixels(i)}) for i in range(50)))
            link.show(scene.rows)
            reader = asyncio.create_task(page.read())
            await until(lambda: page.version == 0)
            transport_of(socket).pause_reading()
            for number in range(200):  # until the socket is full
                link.send(Answer(number, picture), slot="fill")
                await asyncio.sleep(0)
            assert link.queued == 1
            tracemalloc.start()
            for number in range(10_000):
                if what == "rows":
                    box = hg.Box(key=f"b{number % 50}", width=1 + number)
                    link.show(*scene.change(hg.Update(box)))
                else:
                    link.send(Answer(number, bytes(20_000)), slot="show")
                if number % 100 == 0:
                    await asyncio.sleep(0)
            grown, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert grown < 3_000_000
            assert link.queued <= 52
            assert link.connected
            link.send(Answer(-1, None), slot="last")
            transport_of(socket).resume_reading()
            await until(lambda: page.of(Answer) and page.of(Answer)[-1].ask == -1)
            if what == "rows":
                await until(lambda: page.version == 10_000)
                assert len(page.of(Apply)) <= 3
                widths = {page.rows[f"b{i}"].props["width"] for i in range(50)}
                assert widths == set(range(9951, 10_001))
            else:
                shown = [each.ask for each in page.of(Answer) if len(each.value or b"") == 20_000]
                assert shown[-1] == 9999
                assert len(shown) <= 2
            await socket.close()
            await reader

    asyncio.run(asyncio.wait_for(main(), 100))


def test_a_page_that_leaves_too_much_unread_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_link, "GRACE", 0.1)

    async def work(link: PageLink, page: Page) -> None:
        transport_of(page.socket).pause_reading()
        picture = bytes(100_000)
        for number in range(5000):
            link.send(Answer(number, picture))
            await asyncio.sleep(0)
        await link.wait_closed()
        assert link.queued == 0
        transport_of(page.socket).resume_reading()

    run(work)


def test_keys_that_come_and_go_do_not_pile_up() -> None:
    link = None

    class Nowhere:
        async def send(self, frame: bytes) -> None:
            await asyncio.Event().wait()

        async def close(self, reason: str) -> None:
            pass

        def abort(self) -> None:
            pass

    async def main() -> None:
        link = PageLink(HELLO, Nowhere(), AssetStore())
        scene = Scene()
        for number in range(1000):
            keys = scene.apply(hg.Add(hg.Box(key=f"b{number}")))
            link.show(scene.rows, keys | scene.apply(hg.Remove(f"b{number}")))
            assert link.queued <= 10
        link.send(Configure("a"))

    asyncio.run(main())
    assert link is None
