# mypy: allow-untyped-defs, allow-untyped-calls
"""The page's user interface and viewport, used as people do, in a real browser."""

import gzip
import io
import json
import math
import re
import shutil
import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image, ImageChops
from playwright.sync_api import expect

import heliograph as hg
from heliograph.engines.web import server
from heliograph.engines.web.messages import Answer, Ask, CameraSpec, Panel, Show
from heliograph.engines.web.server import BUNDLE
from heliograph.engines.web.wire import Buffers
from heliograph.live.trajectories import Trajectory
from heliograph.picture.colours import segment_colours
from page_stage import Stage, browser, hash_of, pose_hash, pose_of
from tabs import tab

pytestmark = pytest.mark.web

WIDTH, HEIGHT = 1280, 720
EYE, TARGET = (0.0, -4.0, 0.0), (0.0, 0.0, 0.0)
FOV = 50.0
TILT = (math.pi / 2, 0.0, 0.0)  # of a camera that looks along +y with z up, and of a wall before it
GROUP = hg.Group(
    hg.CameraView(
        key="hand",
        position=(0.1, -1.0, 0.25),
        rotation=TILT,
        distanceToCamera=0.5,
        fov=30,
        movable=True,
    ),
    key="rig",
    position=(0.3, 0.1, -0.2),
    scale=2.0,
)
SCENE = hg.Scene(
    hg.Plane(key="wall", size=(40, 40), rotation=TILT),
    hg.Sphere(key="ball", radius=0.25, position=(-0.8, -1, 0)),
    hg.Movable(hg.Box(key="box", size=(0.4, 0.4, 0.4)), key="held", position=(0.9, -1, -0.6)),
    hg.CameraView(
        key="ego", position=(-0.9, -2, 0.6), rotation=TILT, distanceToCamera=0.4, showFrustum=True
    ),
    GROUP,
    hg.AmbientLight(key="light", intensity=1),
    key="scene",
)


@pytest.fixture(scope="module")
def chromium():
    with browser() as started:
        yield started


@pytest.fixture
def stage():
    made = Stage(SCENE, title="Test scene")
    yield made
    made.close()


@pytest.fixture
def opened(chromium):
    """Opens pages, each in a fresh profile."""
    contexts = []

    def opens(stage, fragment="", **options):
        size = {"width": WIDTH, "height": HEIGHT}
        context = chromium.new_context(**{"viewport": size, **options})
        contexts.append(context)
        page = context.new_page()
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on("console", lambda said: said.type == "error" and page.errors.append(said.text))
        page.goto(stage.url + fragment)
        return page

    yield opens
    for context in contexts:
        for page in context.pages:
            assert not getattr(page, "errors", [])
        context.close()


@pytest.fixture
def page(opened, stage):
    """The scene, looked at along +y from four metres."""
    made = opened(stage, pose_hash(EYE, TARGET, FOV))
    ready(made)
    return made


def ready(page):
    """Wait until the viewport has drawn the scene, and has told where it looks from."""
    expect(page.locator(".tree .row[data-key='ball']")).to_be_visible()
    expect(page).to_have_url(re.compile("pose="))


def view_box(page):
    return page.locator("canvas.main").bounding_box()


class Screen:
    """Where points of the world are in the window."""

    def __init__(self, page, eye=EYE, target=TARGET, fov=FOV):
        box = view_box(page)
        self.left, self.top = box["x"], box["y"]
        self.height = round(box["height"])
        self.camera = hg.Camera.look_at(
            eye=eye, target=target, fov_y=math.radians(fov), width=round(box["width"]),
            height=self.height,
        )  # fmt: skip

    def at(self, point):
        x, y = self.camera.project(point)
        return float(x + self.left), float(y + self.top)

    def metres(self, pixels, depth):
        return pixels * 2 * math.tan(self.camera.fov_y / 2) * depth / self.height


def drag(page, start, by, steps=6):
    """Press at a place, move by pixels, release."""
    x, y = round(start[0]), round(start[1])
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, steps + 1):
        page.mouse.move(x + by[0] * step / steps, y + by[1] * step / steps)
    page.mouse.up()


def eventually(page, check):
    """Check again and again until it holds."""
    for _ in range(100):
        with suppress(AssertionError):
            return check()
        page.wait_for_timeout(100)
    return check()


def turned(page, pixels):
    """The eye after a drag to the right, which goes round the target 2 pi a height of the view."""
    angle = 2 * math.pi * pixels / view_box(page)["height"]
    return 4 * np.array([-math.sin(angle), -math.cos(angle), 0])


def stands_at(page, eye):
    eventually(page, lambda: np.testing.assert_allclose(pose_of(page)[:3, 3], eye, atol=1e-5))


@contextmanager
def in_thread(manager):
    """A context entered in a thread of its own: Playwright's loop runs in this one."""
    with ThreadPoolExecutor(1) as own:
        own.submit(manager.__enter__).result()
        try:
            yield
        finally:
            own.submit(manager.__exit__, None, None, None).result()


def matrix_of(message):
    return np.array(message.matrix).reshape(4, 4).T


def probed(page, name):
    return page.locator(f".status dd[data-name='{name}']")


def downloaded(file, path):
    """Keep a file that the page gave; `save_as` leaves it open."""
    shutil.copy(file.path(), path)
    return path


def canvas_pixel(page, x, y):
    shot = page.screenshot(clip={"x": x, "y": y, "width": 1, "height": 1})
    return Image.open(io.BytesIO(shot)).convert("RGB").getpixel((0, 0))


def shows(page, x, y, colour, within=1):
    """Wait until a pixel of the window has a colour."""

    def check():
        np.testing.assert_allclose(canvas_pixel(page, x, y), colour, atol=within)

    eventually(page, check)


def test_dragging_a_movable_frustum_moves_it_in_the_plane_of_the_picture(page, stage):
    screen = Screen(page)
    parent, own = GROUP.local, GROUP.children[0].local
    camera = parent @ own
    # The upper edge of its picture plane, half a metre before it: all as far from the eye.
    middle = camera[:3, 3] + (0, 0.5, 0.5 * math.tan(math.radians(15)))
    depth = middle[1] - EYE[1]
    drag(page, screen.at(middle), (60, -35))
    stage.until(lambda: stage.moves() and stage.moves()[-1].final)
    moves = stage.moves()
    assert {each.key for each in moves} == {"hand"}
    assert [each.final for each in moves] == [False] * (len(moves) - 1) + [True]
    rigid = camera.copy()
    rigid[:3, :3] /= 2  # a camera's pose has no scale
    rigid[:3, 3] += (screen.metres(60, depth), 0, screen.metres(35, depth))
    np.testing.assert_allclose(matrix_of(moves[-1]), np.linalg.inv(parent) @ rigid, atol=1e-6)


def test_dragging_a_child_of_a_movable_moves_the_movable(page, stage):
    screen = Screen(page)
    drag(page, screen.at((0.9, -1.2, -0.6)), (-40, 20))
    stage.until(lambda: stage.moves() and stage.moves()[-1].final)
    last = stage.moves()[-1]
    assert last.key == "held"
    expected = np.eye(4)
    # The front of the box, which was grabbed, is 2.8 m from the eye.
    expected[:3, 3] = (0.9 - screen.metres(40, 2.8), -1, -0.6 - screen.metres(20, 2.8))
    np.testing.assert_allclose(matrix_of(last), expected, atol=1e-6)
    expect(page.locator(".tree .row[data-key='held']")).to_have_attribute("aria-selected", "true")


def test_a_handle_moves_along_its_axis_alone(page, stage):
    page.locator(".tree .row[data-key='held'] .key").click()
    x, y = Screen(page).at((0.9, -1, -0.6))

    def on_the_arrow():
        page.mouse.move(x + 44, y)
        page.mouse.move(x + 45, y)
        page.wait_for_timeout(100)
        assert page.locator("canvas.main").evaluate("e => e.style.cursor") == "grab"

    eventually(page, on_the_arrow)
    drag(page, (x + 45, y), (50, 30))
    stage.until(lambda: stage.moves() and stage.moves()[-1].final)
    pose = matrix_of(stage.moves()[-1])
    assert pose[0, 3] > 0.95
    np.testing.assert_allclose(pose[1:3, 3], (-1, -0.6), atol=1e-9)
    np.testing.assert_allclose(pose[:3, :3], np.eye(3), atol=1e-9)


def test_sensor_pictures_do_not_follow_the_hand_before_the_program_does(page, stage):
    camera = stage.scene.camera("ego")

    def drawn():
        work = stage.link.render([camera], ["rgb"], timeout=20)
        return np.array(stage.do(work).pictures["ego", "rgb"])

    before = drawn()
    x, y = Screen(page).at((0.9, -1.2, -0.6))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 200, y - 100, steps=4)
    stage.until(lambda: stage.moves())
    np.testing.assert_array_equal(drawn(), before)
    page.mouse.up()


def test_splats_are_sorted_for_the_camera_of_a_picture_while_somebody_looks_around(
    page, stage, tmp_path
):
    file = tmp_path / "two.splat"
    turn = (255, 128, 128, 128)
    file.write_bytes(
        struct.pack("<6f8B", 0, -1, 0, 0.2, 0.2, 0.2, 255, 0, 0, 255, *turn)
        + struct.pack("<6f8B", 0, -2, 0, 0.2, 0.2, 0.2, 0, 255, 0, 255, *turn)
    )
    behind = hg.CameraView(key="behind", position=(0, -0.2, 0), lookAt=(0, -3, 0), fov=90)
    stage.apply(hg.Add(hg.Splat(key="two", src=str(file))), hg.Add(behind))
    camera = stage.scene.camera("behind")

    def drawn():
        work = stage.link.render([camera], ["rgb"], timeout=20)
        return np.array(stage.do(work).pictures["behind", "rgb"])

    before = drawn()
    red, green, _ = before[camera.height // 2, camera.width // 2].astype(int)
    assert red > green + 50
    box = view_box(page)
    x, y = box["x"] + 450, box["y"] + 560
    page.mouse.move(x, y)
    page.mouse.down()
    with ThreadPoolExecutor(1) as pool:
        later = pool.submit(lambda: [drawn() for _ in range(60)])
        step = 0
        while not later.done():
            step += 1
            page.mouse.move(x + 100 * math.sin(step / 7), y + 50 * math.cos(step / 9))
            page.wait_for_timeout(20)
    page.mouse.move(x, y)
    page.mouse.up()
    assert [bool((picture == before).all()) for picture in later.result()] == [True] * 60

    def sorted_for_whoever_looks():
        shown = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)
        column, row = Screen(page).at((0, -2, 0))
        red, green, _ = shown[round(row), round(column)]
        assert green > red + 50

    eventually(page, sorted_for_whoever_looks)


def test_a_drag_turns_the_camera_about_what_it_looks_at(page):
    before = pose_of(page)
    box = view_box(page)
    drag(page, (box["x"] + 450, box["y"] + 560), (100, 0))
    stands_at(page, turned(page, 100))
    assert np.linalg.norm(before[:3, 3]) == pytest.approx(4)


def test_a_click_selects_what_is_drawn_there(page, stage):
    x, y = Screen(page).at((-0.8, -1, 0))
    page.mouse.click(x, y)
    row = page.locator(".tree .row[data-key='ball']")
    expect(row).to_have_attribute("aria-selected", "true")
    stage.until(lambda: stage.events("CLICK"))
    (event,) = stage.events("CLICK")
    assert event.key == "ball"
    assert event.value["depth"] == pytest.approx(2.76, abs=0.02)
    page.keyboard.press("Escape")
    expect(row).to_have_attribute("aria-selected", "false")


def test_passes_are_chosen_by_press_and_by_key(page, stage):
    ids = {label.name: number for number, label in stage.scene.labels.items()}
    x, y = Screen(page).at((-0.8, -1, 0))
    page.get_by_role("radio", name="Segments").click()
    expect(page.get_by_role("radio", name="Segments")).to_have_attribute("aria-checked", "true")
    shows(page, x, y, segment_colours(ids["ball"]))
    page.keyboard.press("3")
    expect(page.get_by_role("radio", name="Normals")).to_have_attribute("aria-checked", "true")
    # The wall faces the camera.
    x, y = Screen(page).at((0, 0, 0))
    shows(page, x, y, (128, 128, 255))
    expect(page).to_have_url(re.compile("pass=normals"))


def test_hovering_tells_what_stands_at_a_pixel(page, stage):
    ids = {label.name: number for number, label in stage.scene.labels.items()}
    page.mouse.move(*Screen(page).at((1.5, 0, 0.4)))
    expect(probed(page, "depth")).to_have_text("4.0000 m")
    expect(probed(page, "object")).to_contain_text("wall")
    expect(probed(page, "id")).to_have_text(str(ids["wall"]))
    expect(probed(page, "normal")).to_have_text(re.compile(r"^-?0\.000 -?0\.000 1\.000$"))
    page.mouse.move(5, 5)
    expect(page.locator(".status .hint")).to_be_visible()


def test_a_resting_pointer_tells_what_has_come_under_it(page, stage):
    page.mouse.move(*Screen(page).at((-0.8, -1, 0)))
    expect(probed(page, "object")).to_have_text("ball · Sphere")
    stage.apply(hg.Remove("ball"))
    expect(probed(page, "object")).to_have_text("wall · Plane")


def test_over_a_frustum_it_tells_the_camera_that_a_press_takes(page):
    middle = (-0.9, -1.6, 0.6 - 0.4 * math.tan(math.radians(25)))  # the lower edge of its picture
    page.mouse.move(*Screen(page).at(middle))
    expect(probed(page, "object")).to_have_text("ego · camera")


def test_a_click_on_a_frustum_looks_through_it_and_escape_leaves(page):
    before = pose_of(page)
    # A little below its top edge, inside the picture on its plane.
    page.mouse.click(*Screen(page).at((-0.9, -1.6, 0.62)))
    chip = page.locator(".chip")
    expect(chip).to_be_visible()
    expect(chip).to_contain_text("ego")
    box = view_box(page)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(probed(page, "depth")).to_have_text("2.0000 m")
    expect(page).to_have_url(re.compile("through=ego"))
    page.keyboard.press("Escape")
    expect(chip).to_be_hidden()
    expect(page).not_to_have_url(re.compile("through"))
    np.testing.assert_allclose(pose_of(page), before, atol=1e-6)


def test_a_drag_while_looking_through_a_camera_goes_on_from_there(page):
    page.locator(".card[data-key='ego'] .look").click()
    expect(page.locator(".chip")).to_be_visible()
    box = view_box(page)
    drag(page, (box["x"] + 480, box["y"] + 300), (10, 0))
    expect(page.locator(".chip")).to_be_hidden()

    def goes_on():
        assert 0 < np.linalg.norm(pose_of(page)[:3, 3] - (-0.9, -2, 0.6)) < 0.7

    eventually(page, goes_on)


def test_the_link_restores_camera_pass_and_camera_looked_through(opened, stage):
    first = opened(stage, pose_hash((1, -3, 2), (0, 0.5, 0), 40) + "&pass=depth")
    ready(first)
    expect(first.get_by_role("radio", name="Depth")).to_have_attribute("aria-checked", "true")
    first.keyboard.press("]")
    expect(first).to_have_url(re.compile("through="))
    link = first.url
    again = opened(stage, "#" + link.split("#")[1])
    ready(again)
    expect(again.locator(".chip")).to_be_visible()
    assert hash_of(again)["through"] == hash_of(first)["through"]
    assert hash_of(again)["pass"] == "depth"


def test_the_code_that_is_copied_makes_the_same_camera(opened, stage):
    page = opened(stage, pose_hash((1.2, -3.4, 2.1), (0.1, 0.5, 0.2), 47))
    ready(page)
    page.keyboard.press("y")
    code = page.locator("dialog pre").inner_text()
    page.keyboard.press("Escape")
    names: dict[str, Any] = {}
    exec(code, names)
    np.testing.assert_allclose(names["camera"].world_from_camera, pose_of(page), atol=2e-6)
    assert names["camera"].fov_y == pytest.approx(math.radians(47), abs=1e-6)
    assert names["view"].passes == ("rgb",)
    page.locator(".card[data-key='hand']").hover()
    page.get_by_role("button", name="Copy hand as Python").click()
    exec(page.locator("dialog pre").inner_text(), names)
    np.testing.assert_allclose(
        names["camera"].world_from_camera, stage.scene.camera("hand").world_from_camera, atol=1e-6
    )


def test_light_and_dark_follow_the_system_until_somebody_chooses(opened, stage):
    page = opened(stage, color_scheme="dark")
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "dark")
    page.keyboard.press("t")
    expect(root).to_have_attribute("data-theme", "light")
    page.reload()
    expect(root).to_have_attribute("data-theme", "light")


def test_all_is_reached_by_keyboard(page):
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keys and gestures")
    expect(sheet).to_be_visible()
    expect(sheet).to_contain_text("look through the next camera")
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    page.keyboard.press("/")
    page.keyboard.type("sph")
    expect(page.locator(".tree .row")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator(".tree .row[data-key='wall']")).to_be_visible()
    page.locator(".tree").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".tree .row[data-key='wall']")).to_have_attribute("aria-selected", "true")
    names = page.locator("button, input, select, canvas.main, [role=tree]").evaluate_all(
        "all => all.filter(e => e.tabIndex >= 0 && e.checkVisibility()).map(e => "
        "e.ariaLabel || e.title || e.textContent || e.labels?.[0]?.textContent || '')"
    )
    assert all(names)


def test_a_hidden_component_is_hidden_in_the_viewport_alone(page, stage):
    at = Screen(page).at((-0.8, -1, 0))
    page.locator(".tree .row[data-key='ball']").hover()
    page.get_by_role("button", name="Hide ball in the viewport").click()
    page.mouse.move(*at)
    expect(probed(page, "object")).to_contain_text("wall")
    camera = hg.Camera.look_at(eye=EYE, target=(-0.8, -1, 0), fov_y=0.5, width=8, height=8)
    drawn = stage.do(stage.link.render([camera], ["segmentation"], timeout=20))
    ids = {label.name: number for number, label in stage.scene.labels.items()}
    assert drawn.pictures["camera", "segmentation"][4, 4] == ids["ball"]


def test_a_page_whose_server_restarts_recovers(opened):
    first = Stage(SCENE)
    page = opened(first, pose_hash(EYE, TARGET, FOV))
    ready(page)
    port = first.port
    first.close()
    notice = page.locator(".lost")
    expect(notice).to_be_visible()
    page.errors.clear()
    again = Stage(hg.Scene(hg.Box(key="newcomer"), key="other"), port=port)
    try:
        expect(page.locator(".tree .row[data-key='newcomer']")).to_be_visible()
        expect(notice).to_be_hidden()
        expect(page.locator(".tree .row[data-key='ball']")).to_have_count(0)
        page.errors.clear()  # the browser's own words about the refused connections
    finally:
        again.close()
    page.close()


def test_a_server_that_comes_back_with_another_token_is_told(opened):
    first = Stage(SCENE)
    page = opened(first)
    ready(page)
    port = first.port
    first.close()
    again = Stage(SCENE, port=port, token="another-token-that-is-long-enough-0123")
    try:
        notice = page.locator(".lost")
        expect(notice).to_contain_text("with another token: open its new link")
        expect(notice).not_to_contain_text("Reconnecting")
        page.errors.clear()  # the browser's own words about the refused connections
    finally:
        again.close()
    page.close()


def drop(page, name, content):
    transfer = page.evaluate_handle(
        "([name, content]) => { const data = new DataTransfer();"
        " data.items.add(new File([content], name)); return data; }",
        [name, content],
    )
    page.dispatch_event("main", "dragover", {"dataTransfer": transfer})
    expect(page.locator(".dropping")).to_be_visible()
    page.dispatch_event("main", "drop", {"dataTransfer": transfer})
    expect(page.locator(".dropping")).to_be_hidden()


def test_files_that_are_dropped_reach_the_server(page, stage):
    stage.answers["drop"] = lambda ask: (Answer(ask.ask, {"opened": "thing (2)"}),)
    drop(page, "thing.stl", "solid x")
    expect(page.locator(".notice")).to_contain_text("thing (2) is shown")
    (ask,) = stage.of(Ask)
    assert ask.value == {"files": [{"name": "thing.stl", "offset": 0, "nbytes": 7}]}
    assert stage.bodies[-1][:7] == b"solid x"
    stage.answers["drop"] = lambda ask: (Answer(ask.ask, None, "no scene in it"),)
    drop(page, "other.glb", "x")
    expect(page.locator(".notice").last).to_contain_text("no scene in it")
    drop(page, "thing.exe", "x")
    expect(page.locator(".notice").last).to_contain_text("expected GLB")
    assert len(stage.of(Ask)) == 2


def test_a_hidden_page_keeps_answering(stage):
    camera = stage.scene.camera("ego")
    with in_thread(tab(stage.url, hidden=True)):
        before = stage.do(stage.link.render([camera], ["depth"], timeout=20))
        stage.apply(hg.Update(hg.Plane(key="wall", position=(0, 1, 0))))
        after = stage.do(stage.link.render([camera], ["depth"], timeout=20))
    shift = after.pictures["ego", "depth"][0, 0] - before.pictures["ego", "depth"][0, 0]
    assert shift == pytest.approx(1, abs=1e-5)


def test_an_idle_page_draws_nothing(page):
    worker = page.workers[0]
    worker.evaluate(
        "() => { self.frames = 0; const own = self.requestAnimationFrame.bind(self);"
        " self.requestAnimationFrame = (run) => { self.frames += 1; return own(run); }; }"
    )

    def rests():
        worker.evaluate("() => { self.frames = 0; }")
        page.wait_for_timeout(1500)
        assert worker.evaluate("() => self.frames") == 0

    eventually(page, rests)
    page.keyboard.press("g")

    def draws():
        assert worker.evaluate("() => self.frames") > 0

    eventually(page, draws)
    eventually(page, rests)


def test_recorded_cameras_are_a_trajectory(page, tmp_path):
    page.keyboard.press("r")
    box = view_box(page)
    drag(page, (box["x"] + 450, box["y"] + 560), (120, 0), steps=12)
    stands_at(page, turned(page, 120))
    with page.expect_download() as download:
        page.keyboard.press("r")
    path = downloaded(download.value, tmp_path / "trajectory.json")
    cameras = Trajectory.load(path).cameras()
    assert len(cameras) >= 3
    np.testing.assert_allclose(cameras[-1].world_from_camera, pose_of(page), atol=1e-5)
    assert cameras[-1].fov_y == pytest.approx(math.radians(FOV))


def test_what_is_shown_is_saved_as_png(page, tmp_path):
    with page.expect_download() as download:
        page.keyboard.press("p")
    path = downloaded(download.value, tmp_path / download.value.suggested_filename)
    box = view_box(page)
    with Image.open(path) as image:
        assert image.size == (round(box["width"]), round(box["height"]))
        assert image.convert("RGB").getextrema() != ((0, 0), (0, 0), (0, 0))


def test_all_passes_are_saved_as_arrays(page, stage, tmp_path):
    with page.expect_download() as download:
        page.keyboard.press("n")
    path = downloaded(download.value, tmp_path / "view.npz")
    ids = {label.name: number for number, label in stage.scene.labels.items()}
    camera = Screen(page).camera
    with np.load(path) as saved:
        assert {*saved} == {
            *("rgb", "depth", "normals", "segmentation", "K", "world_from_camera", "meta")
        }
        np.testing.assert_allclose(saved["K"], camera.K, rtol=1e-12)
        np.testing.assert_allclose(saved["world_from_camera"], camera.world_from_camera, atol=1e-9)
        assert json.loads(str(saved["meta"]))["labels"][str(ids["ball"])] == ["ball", "sphere"]
        column, row = map(int, camera.project((-0.8, -1, 0.1)))
        assert saved["segmentation"][row, column] == ids["ball"]
        assert saved["segmentation"].dtype == np.int32
        top, right = saved["depth"][0, -1], saved["normals"][0, -1]
        assert top == pytest.approx(4, abs=1e-5)
        np.testing.assert_allclose(right, (0, 0, 1), atol=1e-4)
        drawn = stage.do(stage.link.render([camera], ["rgb"], timeout=20))
        np.testing.assert_array_equal(saved["rgb"], drawn.pictures["camera", "rgb"][..., :3])


def test_colours_of_depth_are_told_in_metres(page):
    page.keyboard.press("2")
    scale = page.locator(".scale")
    expect(scale).to_be_visible()
    expect(scale.locator("span").last).to_have_text("4.00 m")
    x, y = Screen(page).at((1.6, 0, 0.8))
    shows(page, x, y, (68, 1, 84), within=6)
    page.keyboard.press("1")
    expect(scale).to_be_hidden()


def test_what_only_the_viewport_shows_is_in_no_sensor_picture(opened):
    blue = np.zeros((2, 2, 3), np.uint8)
    blue[:] = (10, 20, 200)
    gizmos = [
        hg.ImageBackground(key="back", image=blue),
        hg.Grid(key="grid", sectionSize=0.5),
        hg.CoordsMarker(key="axes", size=0.5),
        hg.Arrow(key="arrow", position=(0.5, 0, 0), color=(1, 0, 0)),
        hg.Text(key="words", text="here", position=(-0.5, 0, 0.3)),
        hg.Frustum(key="pyramid", position=(0, 0, 1)),
        hg.OrbitControls(key="orbit", target=(0, 0, 0.25)),
        hg.SceneCamera(key="start", position=(0, -3, 0.25), lookAt=(0, 0, 0.25), fov=40),
    ]
    stage = Stage(hg.Scene(*gizmos, hg.Sphere(key="ball", position=(0, 0, -9)), key="scene"))
    try:
        page = opened(stage)
        ready(page)
        stands_at(page, (0, -3, 0.25))
        assert float(hash_of(page)["fov"]) == pytest.approx(40)
        box = view_box(page)
        shows(page, box["x"] + 30, box["y"] + 80, (10, 20, 200))
        shot = Image.open(io.BytesIO(page.locator("canvas.main").screenshot())).convert("RGB")
        assert (np.asarray(shot) == (255, 0, 0)).all(-1).any()  # the arrow
        camera = hg.Camera.look_at(
            eye=(0, -3, 0.25), target=(0, 0, 0.25), fov_y=0.6, width=64, height=48
        )
        drawn = stage.do(stage.link.render([camera], ["rgb", "depth"], timeout=20))
        assert not drawn.pictures["camera", "rgb"][..., :3].any()
        assert np.isinf(drawn.pictures["camera", "depth"]).all()
        page.close()
    finally:
        stage.close()


def test_another_axis_may_be_up(opened):
    stage = Stage(hg.Scene(hg.Box(key="ball")), up=[0.0, 1.0, 0.0])
    try:
        page = opened(stage)
        ready(page)

        def level():
            right = pose_of(page)[:3, 0]
            assert right[1] == pytest.approx(0, abs=1e-6)
            assert abs(right[2]) > 0.1

        eventually(page, level)
        page.close()
    finally:
        stage.close()


def test_what_a_page_loads_at_once_is_small():
    first = [BUNDLE / name for name in ("index.html", "index.css", "index.js", "worker.js")]
    assert sum(len(gzip.compress(path.read_bytes())) for path in first) < 300_000


def test_problems_are_notes_that_can_be_dismissed(page, stage, tmp_path):
    path = tmp_path / "lost.png"
    path.write_bytes(b"no picture")
    stage.apply(hg.Add(hg.Box(key="lost", material={"map": str(path)})))
    notice = page.locator(".notice")
    expect(notice.first).to_contain_text("lost")
    page.errors.clear()
    notice.first.get_by_role("button", name="Dismiss").click()
    expect(notice).to_have_count(0)


def test_a_note_says_what_to_install_for_splats(page, stage, tmp_path, monkeypatch):
    monkeypatch.setattr(server, "SPARK", "heliograph_spark_elsewhere")
    (tmp_path / "one.splat").write_bytes(bytes(32))
    stage.apply(hg.Add(hg.Splat(key="dust", src=str(tmp_path / "one.splat"))))
    notice = page.locator(".notice").first
    expect(notice).to_contain_text("dust: one.splat: splats in the page need heliograph-spark")
    expect(notice).to_contain_text("pip install heliograph-spark")
    page.errors.clear()


def test_on_a_phone_the_panel_folds_and_nothing_sticks_out(opened, stage):
    page = opened(stage, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    expect(page).to_have_url(re.compile("pose="))
    expect(page.locator(".panel")).to_be_hidden()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Side panel").click()
    expect(page.locator(".panel")).to_be_visible()
    right = page.locator("button:visible").evaluate_all(
        "all => all.filter(e => !e.closest('.cameras')).map(e => e.getBoundingClientRect().right)"
    )
    assert max(right) <= 390
    page.get_by_role("button", name="Copy a link").click()
    note = page.locator(".notice").first.bounding_box()
    assert note["x"] + note["width"] <= page.locator(".rail").bounding_box()["x"]


# Pictures of an engine.

CAMERA = CameraSpec(
    name="start", width=64, height=48,
    matrix=[1, 0, 0, 0, 0, 0, 1, 0, 0, -1, 0, 0, 0, -3, 0, 1],
    projection=[1.5, 0, 0, 0, 0, 2, 0, 0, 0, 0, -1.002, -1, 0, 0, -0.2, 0],
    near=0.1, far=100, orthographic=False,
)  # fmt: skip


def panel(**facts):
    controls: list[dict[str, Any]] = [
        {"kind": "select", "name": "pass", "label": "Pass", "value": "rgb",
         "options": [{"value": name, "label": name} for name in ("rgb", "heat")]},
        {"kind": "slider", "name": "joint/elbow", "label": "elbow", "value": 0.25, "min": -1.0,
         "max": 1.0, "step": 0.01, "group": "Joints"},
        {"kind": "button", "name": "rest", "label": "All joints back", "value": None},
        {"kind": "list", "name": "failed", "label": "Failed", "value": None,
         "items": [{"value": 7, "label": "7", "detail": "out of memory"}]},
        {"kind": "slider", "name": "position", "label": "Sample", "value": 2, "min": 0, "max": 4,
         "step": 1},
    ]  # fmt: skip
    timeline = {"name": "position", "length": 5, "index": 2}
    told = {"kind": "scene", "scene": "arm", "start": "start", "target": [0, 0, 0], **facts}
    return Panel(controls=controls, cameras=[CAMERA], facts={"timeline": timeline, **told})


@pytest.fixture
def viewer(opened):
    stage = Stage(hg.Scene(key="empty"), shows="pictures", title="arm · Heliograph")
    page = opened(stage)
    stage.send(panel())
    expect(page.locator(".timeline")).to_be_visible()
    height = round(view_box(page)["height"])
    stage.until(lambda: [each.camera.height for each in stage.viewports()][-1:] == [height])
    yield page, stage
    page.close()
    stage.close()


def show(stage, update, colour, camera):
    pixels = Image.new("RGB", (camera.width, camera.height), colour)
    stream = io.BytesIO()
    pixels.save(stream, "PNG")
    buffers = Buffers()
    offset, nbytes = buffers.add(stream.getvalue())
    facts = {"engine": "mujoco", "milliseconds": 12.3, "rate": 20.0, "final": True}
    stage.send(Show(update, camera, "png", offset, nbytes, facts), buffers)


def test_the_viewport_tells_the_engine_where_it_looks_from(viewer):
    page, stage = viewer
    stage.until(lambda: stage.viewports())
    first = stage.viewports()[-1]
    box = view_box(page)
    assert (first.camera.width, first.camera.height) == (round(box["width"]), round(box["height"]))
    np.testing.assert_allclose(matrix_of(first.camera)[:3, 3], (0, -3, 0), atol=1e-6)
    stage.forget()
    drag(page, (box["x"] + 300, box["y"] + 300), (80, 10))
    stage.until(lambda: any(not each.moving for each in stage.viewports()))
    told = stage.viewports()
    assert told[0].moving
    assert not told[-1].moving
    updates = [each.update for each in told]
    assert updates == sorted(set(updates))
    assert updates[0] > first.update


def test_the_newest_picture_wins_and_none_comes_back(viewer):
    page, stage = viewer
    stage.until(lambda: stage.viewports())
    newest = stage.viewports()[-1]
    show(stage, newest.update, (20, 60, 220), newest.camera)
    expect(page.locator(".badge")).to_contain_text("mujoco")
    expect(page.locator(".badge")).to_contain_text("12 ms")
    shows(page, 500, 500, (20, 60, 220))
    show(stage, newest.update - 1, (220, 20, 20), newest.camera)
    page.wait_for_timeout(400)
    shows(page, 500, 500, (20, 60, 220))
    show(stage, newest.update, (20, 220, 20), newest.camera)
    shows(page, 500, 500, (20, 220, 20))


def test_controls_of_the_panel_tell_their_values(viewer):
    page, stage = viewer
    slider = page.get_by_label("elbow", exact=True)
    assert slider.input_value() == "0.25"
    slider.fill("0.75")
    page.get_by_role("button", name="All joints back").click()
    page.get_by_role("button", name="7 out of memory").click()
    page.get_by_role("radio", name="Heat").click()
    stage.until(lambda: len(stage.events("CONTROL")) >= 4)
    told = {event.key: event.value for event in stage.events("CONTROL")}
    assert told == {"joint/elbow": 0.75, "rest": True, "failed": 7, "pass": "heat"}
    expect(page.get_by_label("Sample", exact=True)).to_have_count(0)  # it is the timeline


def test_the_link_restores_controls(viewer, opened):
    page, stage = viewer
    moved = panel()
    moved.controls[1]["value"] = 0.75
    stage.send(moved)
    expect(page).to_have_url(re.compile("set.joint%2Felbow=0.75"))
    again = opened(stage, "#" + page.url.partition("#")[2])
    stage.until(lambda: len(stage.links) == 2)
    stage.forget()
    stage.send(panel())
    stage.until(lambda: stage.events("CONTROL"))
    assert [(e.key, e.value) for e in stage.events("CONTROL")][:1] == [("joint/elbow", 0.75)]
    again.close()


def test_many_controls_share_the_panel_and_long_names_keep_their_ends(viewer):
    page, stage = viewer
    told = panel()
    joint = told.controls[1]
    told.controls.extend(
        {**joint, "name": f"joint/{n}", "label": f"robot0_left_arm_shoulder_joint_{n}"}
        for n in range(30)
    )
    stage.send(told)
    last = page.get_by_label("robot0_left_arm_shoulder_joint_1", exact=True)
    expect(last).to_be_visible()
    assert page.locator(".section.shares").bounding_box()["height"] > 0.5 * 720 - 100
    end = page.locator("label[title$='joint_29'] span").last
    box, label = end.bounding_box(), page.locator("label[title$='joint_29']").bounding_box()
    assert box["x"] + box["width"] <= label["x"] + label["width"] + 0.5


def test_keys_go_through_the_cameras_of_a_recording(viewer):
    page, stage = viewer
    other = msgspec.structs.replace(CAMERA, name="other")
    told = panel(kind="run")
    told.cameras.append(other)
    stage.send(told)
    expect(page.locator(".card")).to_have_count(2)
    stage.forget()
    page.keyboard.press("]")
    stage.until(lambda: stage.events("CONTROL"))
    assert [(e.key, e.value) for e in stage.events("CONTROL")] == [("camera", "other")]


def test_the_timeline_steps_plays_and_loops(viewer):
    page, stage = viewer
    expect(page.locator(".timeline .at")).to_contain_text("2 / 4")
    page.keyboard.press(".")
    stage.until(lambda: stage.events("CONTROL"))
    assert [(e.key, e.value) for e in stage.events("CONTROL")] == [("position", 3)]
    page.get_by_role("button", name="Loop").click()
    page.keyboard.press("Tab")
    page.locator("canvas.main").focus()
    page.keyboard.press(" ")
    stage.until(lambda: [e.value for e in stage.events("CONTROL")][-3:] == [4, 0, 1])
    page.keyboard.press(" ")
    page.get_by_role("button", name="Follow the newest").click()
    stage.until(lambda: stage.events("CONTROL")[-1].value == 4)


def test_the_engine_says_what_stands_at_a_pixel(viewer):
    page, stage = viewer
    found = {"x": 10, "y": 20, "rgb": [1, 2, 3], "depth": 2.5, "normal": [0.0, 0.0, 1.0],
             "id": 4, "name": "elbow", "category": "mesh"}  # fmt: skip
    stage.answers["probe"] = lambda ask: (Answer(ask.ask, found),)
    stage.until(lambda: stage.viewports())
    newest = stage.viewports()[-1]
    show(stage, newest.update, (9, 9, 9), newest.camera)
    expect(page.locator(".badge")).to_contain_text("mujoco")
    shows(page, 500, 500, (9, 9, 9))
    box = view_box(page)
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    expect(probed(page, "depth")).to_have_text("2.5000 m")
    expect(probed(page, "object")).to_have_text("elbow · mesh")
    asked = stage.of(Ask)[-1]
    assert asked.value["x"] == pytest.approx(0.25, abs=0.01)
    assert asked.value["y"] == pytest.approx(0.5, abs=0.01)


def test_gizmos_are_no_part_of_sensor_pictures(page, stage):
    camera = hg.Camera.look_at(eye=EYE, target=TARGET, fov_y=1.0, width=160, height=120)

    def drawn():
        return stage.do(stage.link.render([camera], ["rgb"], timeout=20)).pictures["camera", "rgb"]

    with_gizmos = Image.fromarray(np.array(drawn())[..., :3])
    for key in "ccg":  # all frustums, none, no grid
        page.keyboard.press(key)
        page.wait_for_timeout(200)
        other = Image.fromarray(np.array(drawn())[..., :3])
        assert ImageChops.difference(with_gizmos, other).getbbox() is None
