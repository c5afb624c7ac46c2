"""The fly-through window: keys and mouse as events, pictures on a dummy display."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

os.environ["SDL_VIDEODRIVER"] = "dummy"

import pygame

import heliograph as hg
from heliograph import cli
from heliograph.delivery.progressive import QueuedImage
from heliograph.engine import Outs
from heliograph.engines.fake import FakeEngine
from heliograph.errors import EngineError, InvalidValueError
from heliograph.fly.controls import Controls
from heliograph.fly.flight import FAST, Flight, Motion
from heliograph.fly.images import Lateness, offered_passes, start_speed
from heliograph.fly.overlay import status
from heliograph.fly.window import Window
from heliograph.passes import PassSpec
from serving import serving

CAMERA = hg.Camera.look_at(eye=(0, -3, 1), target=(0, 0, 1), fov_y=0.9, width=160, height=120)
AHEAD, RIGHT, UP = np.array([0, 1.0, 0]), np.array([1.0, 0, 0]), np.array([0, 0, 1.0])


def place(camera: hg.Camera) -> np.ndarray:
    return camera.world_from_camera[:3, 3]


def ahead(camera: hg.Camera) -> np.ndarray:
    return -camera.world_from_camera[:3, 2]


# The camera.


@pytest.mark.parametrize(
    ("motion", "way"),
    [
        (Motion(forward=1), AHEAD),
        (Motion(forward=-1), -AHEAD),
        (Motion(right=1), RIGHT),
        (Motion(right=-1), -RIGHT),
        (Motion(up=1), UP),
        (Motion(up=-1, fast=True), -FAST * UP),
    ],
)
def test_it_moves_at_its_speed(motion: Motion, way: np.ndarray) -> None:
    flight = Flight(CAMERA, speed=2.0)
    assert flight.fly(motion, 0.5)
    np.testing.assert_allclose(place(flight.camera) - place(CAMERA), way, atol=1e-12)
    np.testing.assert_allclose(ahead(flight.camera), AHEAD, atol=1e-12)


def test_it_goes_where_it_looks_but_up_is_the_worlds() -> None:
    flight = Flight(CAMERA)
    flight.turn(math.pi / 2, 0.3)
    way = np.array([-math.cos(0.3), 0, math.sin(0.3)])
    np.testing.assert_allclose(ahead(flight.camera), way, atol=1e-12)
    flight.fly(Motion(forward=1), 1.0)
    np.testing.assert_allclose(place(flight.camera), place(CAMERA) + way, atol=1e-12)
    flight.fly(Motion(up=1), 1.0)
    np.testing.assert_allclose(place(flight.camera), place(CAMERA) + way + UP, atol=1e-12)


def test_it_never_turns_over_and_stays_level() -> None:
    flight = Flight(CAMERA)
    for step in range(200):
        flight.turn(0.1, 0.2 if step < 100 else -0.2)
        assert abs(flight.camera.world_from_camera[2, 0]) < 1e-12  # its x axis is level
        assert flight.camera.world_from_camera[2, 1] > 0  # and its y axis points up
    assert ahead(flight.camera)[2] == pytest.approx(-math.sin(math.radians(89)))


def test_a_camera_that_begins_straight_down_turns_up_from_there() -> None:
    down = hg.Camera.look_at(eye=(0, 0, 3), target=(0, 0, 0), fov_y=0.9, width=8, height=6)
    flight = Flight(down)
    flight.turn(0.0, -0.2)
    np.testing.assert_allclose(ahead(flight.camera), -UP, atol=1e-12)
    flight.turn(0.0, 0.2)
    assert ahead(flight.camera)[2] == pytest.approx(-math.cos(0.2))


def test_what_is_up_is_told() -> None:
    flight = Flight(CAMERA, up=(0, 3, 0))
    flight.fly(Motion(up=1), 1.0)
    np.testing.assert_allclose(place(flight.camera) - place(CAMERA), AHEAD, atol=1e-12)


def test_nothing_moves_without_a_motion() -> None:
    flight = Flight(CAMERA)
    assert not flight.fly(Motion(fast=True), 1.0)
    assert not flight.fly(Motion(forward=1), 0.0)
    assert flight.camera is CAMERA


def test_another_size_keeps_the_vertical_field_of_view_and_reset_the_size() -> None:
    flight = Flight(CAMERA)
    flight.fly(Motion(forward=1, yaw=1), 0.4)
    before = flight.camera
    flight.resize(300, 60)
    assert flight.camera.size == (300, 60)
    assert flight.camera.fov_y == pytest.approx(before.fov_y)
    np.testing.assert_array_equal(flight.camera.world_from_camera, before.world_from_camera)
    assert flight.camera.fx == flight.camera.fy
    np.testing.assert_allclose(
        flight.camera.project(place(before) + ahead(before)), (150, 30), atol=1e-9
    )
    flight.reset()
    assert flight.camera.size == (300, 60)
    np.testing.assert_array_equal(flight.camera.world_from_camera, CAMERA.world_from_camera)


@pytest.mark.parametrize("speed", [0, -1, math.nan, math.inf])
def test_no_speed_is_refused(speed: float) -> None:
    with pytest.raises(InvalidValueError, match="speed: expected metres a second"):
        Flight(CAMERA, speed)


def test_no_direction_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="up: expected a direction"):
        Flight(CAMERA, up=(0, 0, 0))


def test_keys_add_up() -> None:
    keys = Controls()
    for key in ("w", "d", "left shift", "x"):
        keys.press(key)
    assert keys.motion == Motion(right=1, forward=1, fast=True)
    keys.press("a")
    keys.release("left shift")
    assert keys.motion == Motion(forward=1)
    keys.release_all()
    assert not keys.motion.moves


def test_the_speed_suits_the_scene() -> None:
    for scale in (0.01, 1.0, 100.0):
        scene = hg.Scene(hg.Sphere(key="ball", radius=scale))
        with hg.open(scene) as renderer:
            camera = renderer.cameras["fit"]
            metres = float(np.linalg.norm(place(camera))) - scale
            assert start_speed(renderer, camera) == pytest.approx(metres / 3, rel=0.3)
    with hg.open(hg.Scene()) as renderer:
        assert start_speed(renderer, CAMERA) == 1.0


# The window.


class Scripted:
    """What a person does, from another thread than the window's.

    Args:
        window: whose events they are.
    """

    def __init__(self, window: Window) -> None:
        self.window = window

    def post(self, kind: int, **fields: object) -> None:
        pygame.event.post(pygame.event.Event(kind, fields))

    def down(self, key: int) -> None:
        self.post(pygame.KEYDOWN, key=key)

    def up(self, key: int) -> None:
        self.post(pygame.KEYUP, key=key)

    def tap(self, key: int) -> None:
        self.down(key)
        self.up(key)

    def until(self, true: Callable[[], object]) -> None:
        end = time.monotonic() + 20
        while not true():
            assert time.monotonic() < end, "it never came to that"
            time.sleep(0.005)

    def until_shown(self, name: str) -> None:
        self.until(lambda: self.window.images.shown == name and self.rests())

    def until_saved(self, folder: Path, count: int) -> None:
        self.until(lambda: len(list(folder.glob("*"))) == count)

    @property
    def camera(self) -> hg.Camera:
        return self.window.flight.camera

    @property
    def newest(self) -> QueuedImage | None:
        return self.window.images.newest

    def rests(self) -> bool:
        """Whether the last picture of the camera as it is now is there."""
        image = self.newest
        return image is not None and image.final and image.camera == self.camera


@contextmanager
def flown(
    renderer: hg.LocalRenderer, folder: Path, script: Callable[[Scripted], None]
) -> Iterator[Window]:
    """A window while and after a script was played; it ends with the script."""

    def open_queue(shown: PassSpec) -> hg.RenderQueue:
        return hg.RenderQueue(renderer, passes=(shown,))

    passes = offered_passes(renderer.passes)
    with (
        ThreadPoolExecutor(1) as people,
        Window(Flight(CAMERA), open_queue, passes, out=folder) as window,
    ):
        person = people.submit(script, Scripted(window))
        person.add_done_callback(lambda _: window.leave())
        window.run()
        person.result()
        yield window


@pytest.fixture
def renderer() -> Iterator[hg.LocalRenderer]:
    with hg.open("fake") as made:
        yield made


def test_keys_fly_and_reset_brings_back(renderer: hg.LocalRenderer, tmp_path: Path) -> None:
    def script(person: Scripted) -> None:
        person.until(person.rests)
        person.down(pygame.K_w)
        person.until(lambda: place(person.camera)[1] > -2.8)
        person.up(pygame.K_w)
        person.down(pygame.K_LEFT)
        person.until(lambda: ahead(person.camera)[0] < -0.1)
        person.up(pygame.K_LEFT)
        person.until(person.rests)
        assert person.newest is not None
        assert person.newest.update_id > 2
        assert np.linalg.norm(person.newest.camera.world_from_camera[:3, 3] - place(CAMERA)) > 0.19
        person.tap(pygame.K_r)
        person.until(lambda: person.camera == CAMERA)
        person.until(person.rests)

    with flown(renderer, tmp_path, script) as window:
        assert window.images.lateness.seconds < 20


def test_keys_are_let_go_when_the_window_loses_them(
    renderer: hg.LocalRenderer, tmp_path: Path
) -> None:
    def script(person: Scripted) -> None:
        person.down(pygame.K_d)
        person.until(lambda: place(person.camera)[0] > 0.05)
        person.post(pygame.WINDOWFOCUSLOST)
        person.until(person.rests)

    with flown(renderer, tmp_path, script):
        pass


def test_the_mouse_looks_while_its_button_is_held(
    renderer: hg.LocalRenderer, tmp_path: Path
) -> None:
    def script(person: Scripted) -> None:
        person.until(person.rests)
        person.post(pygame.MOUSEMOTION, rel=(50, 0), pos=(0, 0), buttons=(0, 0, 0))
        person.post(pygame.MOUSEBUTTONDOWN, button=1, pos=(80, 60))
        person.post(pygame.MOUSEMOTION, rel=(16, -12), pos=(96, 48), buttons=(1, 0, 0))
        person.post(pygame.MOUSEBUTTONUP, button=1, pos=(96, 48))
        person.post(pygame.MOUSEMOTION, rel=(50, 50), pos=(0, 0), buttons=(0, 0, 0))
        person.post(pygame.MOUSEWHEEL, y=2)
        person.until(lambda: person.window.flight.speed > 1)
        person.until(person.rests)

    with flown(renderer, tmp_path, script) as window:
        angle = CAMERA.fov_y / CAMERA.height
        way = ahead(window.flight.camera)
        assert math.atan2(-way[0], way[1]) == pytest.approx(16 * angle)
        assert math.asin(way[2]) == pytest.approx(-12 * angle)
        assert window.flight.speed == pytest.approx(1.25**2)


def test_tab_goes_through_the_passes_and_p_saves_what_is_shown(
    renderer: hg.LocalRenderer, tmp_path: Path
) -> None:
    seen: list[tuple[str, ...]] = []

    def script(person: Scripted) -> None:
        for shown in offered_passes(renderer.passes):
            person.until_shown(shown.name)
            assert person.newest is not None
            seen.append(person.newest.passes)
            before = len(list((tmp_path / "out").glob("*")))
            person.tap(pygame.K_p)
            person.until_saved(tmp_path / "out", before + 1)
            person.tap(pygame.K_TAB)
        person.until_shown("rgb")

    with flown(renderer, tmp_path / "out", script):
        pass
    assert seen[:3] == [("rgb",), ("depth",), ("normals",)]
    assert {name for (name,) in seen} == set(renderer.passes)
    with Image.open(tmp_path / "out" / "fly-0001.png") as image:
        saved = np.array(image)
    np.testing.assert_array_equal(saved, renderer.render(hg.View([CAMERA]))["camera"].rgb)
    with Image.open(tmp_path / "out" / "fly-0002.png") as image:
        assert image.size == CAMERA.size


def test_a_folder_that_cannot_be_written_is_told_and_it_goes_on(
    renderer: hg.LocalRenderer, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.write_text("a file")

    def script(person: Scripted) -> None:
        person.until(person.rests)
        assert person.window.save() is None
        person.tap(pygame.K_F1)
        person.until(person.rests)

    with flown(renderer, out, script):
        pass


def test_another_window_size_asks_for_such_pictures(
    renderer: hg.LocalRenderer, tmp_path: Path
) -> None:
    def script(person: Scripted) -> None:
        person.until(person.rests)
        person.window.screen.size = (200, 80)
        person.until(lambda: person.camera.size == (200, 80))
        person.until(person.rests)
        assert person.newest is not None
        assert person.newest.camera.size == (200, 80)

    with flown(renderer, tmp_path, script):
        pass


class Fails(FakeEngine):
    """Draws nothing from the right."""

    def render(self, view: hg.View, out: Outs = None) -> hg.Sample:
        camera = view.cameras[0]
        if isinstance(camera, hg.Camera) and place(camera)[0] > 0.02:
            raise EngineError("nothing is there")
        return super().render(view, out)


def test_errors_are_shown_and_it_flies_on(tmp_path: Path) -> None:
    def script(person: Scripted) -> None:
        person.until(person.rests)
        person.down(pygame.K_d)
        person.until(lambda: person.window.images.trouble == "nothing is there")
        person.up(pygame.K_d)
        person.tap(pygame.K_r)
        person.until(lambda: person.camera == CAMERA and person.rests())
        assert not person.window.images.trouble

    with hg.LocalRenderer(Fails("fake")) as renderer, flown(renderer, tmp_path, script):
        pass


def test_the_picture_fills_the_window_with_words_over_it(
    renderer: hg.LocalRenderer, tmp_path: Path
) -> None:
    shots: list[np.ndarray] = []

    def script(person: Scripted) -> None:
        person.window.screen.size = (640, 480)
        person.until(lambda: person.camera.size == (640, 480) and person.rests())
        time.sleep(0.3)
        shots.append(pygame.surfarray.array3d(person.window.screen.get_surface()).swapaxes(0, 1))

    with flown(renderer, tmp_path, script):
        pass
    (shot,) = shots
    drawn = renderer.render(hg.View([Flight(CAMERA).camera.resized(640, 480)]))["camera"].rgb
    np.testing.assert_array_equal(shot[100:], drawn[100:])
    over = shot[:40, :300].astype(int) - drawn[:40, :300]
    assert (over < -20).any()  # the shade
    assert (shot[:40, :300] == 255).all(-1).any()  # the letters


@pytest.mark.parametrize("final", [False, True])
def test_the_words_tell_level_update_and_lateness(final: bool) -> None:
    sample = FakeEngine("fake").render(hg.View([CAMERA]))
    image = QueuedImage(sample, 7, 2, final, 1.0, 0.0, 0.0)
    assert status(image, "rgb", Lateness(0.0426, 31)) == (
        f"rgb   level 2{' (final)' if final else ''}   160x120",
        "update 7   latency 43 ms   31 fps",
    )
    assert status(None, "depth", Lateness()) == ("depth   waiting for the first image",)


# The command.


@pytest.mark.parametrize("way", ["escape", "close"])
def test_the_command_flies_through_a_scene_from_where_everything_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    path = tmp_path / "ball.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 1 2 4\nf 1 3 4\nf 2 3 4\n")
    windows: list[Window] = []
    run = Window.run

    def play(window: Window) -> None:
        windows.append(window)
        person = Scripted(window)

        def script() -> None:
            person.until(person.rests)
            if way == "escape":
                person.tap(pygame.K_ESCAPE)
            else:
                person.post(pygame.QUIT)

        thread = threading.Thread(target=script)
        thread.start()
        run(window)
        thread.join()

    monkeypatch.setattr(Window, "run", play)
    with pytest.raises(SystemExit) as done:
        cli.main(["fly", str(path), "--size", "96x64", "--out", str(tmp_path)])
    assert not done.value.code
    (window,) = windows
    with hg.open(path, size=(96, 64)) as renderer:
        fit = renderer.cameras["fit"]
    np.testing.assert_array_equal(window.flight.camera.world_from_camera, fit.world_from_camera)
    assert window.flight.camera.size == (96, 64)
    assert window.images.newest is not None
    assert window.images.newest.frame.rgb.any()


def test_the_command_flies_through_what_another_machine_draws(
    renderer: hg.LocalRenderer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HELIOGRAPH_TOKEN", "of-another-server")
    moved: list[QueuedImage] = []
    run = Window.run

    def play(window: Window) -> None:
        person = Scripted(window)

        def script() -> None:
            person.until(person.rests)
            person.down(pygame.K_w)
            person.until(lambda: person.newest is not None and person.newest.update_id > 3)
            person.up(pygame.K_w)
            person.until(person.rests)
            assert person.newest is not None
            moved.append(person.newest)

        with ThreadPoolExecutor(1) as people:
            done = people.submit(script)
            done.add_done_callback(lambda _: window.leave())
            run(window)
            done.result()

    monkeypatch.setattr(Window, "run", play)
    with serving(renderer) as server, pytest.raises(SystemExit) as done:
        cli.main(["fly", server.url, "--camera", "front", "--size", "64x48"])
    assert not done.value.code
    (image,) = moved
    expected = renderer.render(hg.View([image.camera]))[image.camera.name].rgb
    np.testing.assert_array_equal(image.frame.rgb, expected)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fake", "--camera", "frnt"], "unknown camera 'frnt'; did you mean 'front'"),
        (["fake", "--size", "0x5"], "--size: expected"),
        (["fake", "--speed", "-1"], "speed: expected"),
        (["nothing.glb"], "nothing.glb"),
        (["fake", "--option", "cost"], "--option: expected NAME=VALUE, got 'cost'"),
        (["fake", "--option", "csot=0.5"], "unknown option"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        cli.main(["fly", *words])
    assert done.value.code == 2
    told = capsys.readouterr().err
    assert message in told
    assert len(told.splitlines()) == 1
