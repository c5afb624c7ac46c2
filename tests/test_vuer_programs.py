# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type, union-attr"
"""The documents' programs, with a tab open, hidden, with a browser of our own, and with none."""

import os
import subprocess
import sys
import threading
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

import heliograph as hg
from heliograph import poses
from heliograph.compat.vuer.logger import ML_Logger
from tabs import tab

ROOT = Path(__file__).parent.parent
PROGRAMS = ROOT / "examples" / "vuer"
STAND_IN = Path(__file__).parent / "stand_in"
WAYS = ["engine", "browser", "tab", "hidden tab"]
COUNT = 12
NEAR, FAR, RADIUS = 0.45, 1.8, 0.1
ROUND = 120  # steps after which the programs show the same again

MATRICES = [
    poses.look_at((np.cos(turn), np.sin(turn), 0.6), (0.1, 0.0, 0.15))
    for turn in np.linspace(0, 2 * np.pi, 30, endpoint=False)
]


def ball(step):
    """Where the programs put the ball."""
    return np.array([0.2, 0.0, 0.1 + 0.25 - (0.00866 * (step % ROUND - 60)) ** 2])


def run(program, way, folder, tmp_path):
    """The pictures that a program shows, and what it prints; it ends by itself."""
    log = ML_Logger(root=tmp_path, prefix="assets")
    for pose in MATRICES:
        log.log(matrix=pose.T.ravel())
    (tmp_path / "shown").mkdir()
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "HELIOGRAPH_RENDERER": "page" if "tab" in way else way,
        "PYTHONPATH": os.pathsep.join([str(STAND_IN), *sys.path]),
        "SHOWN": str(tmp_path / "shown"),
        "SHOWN_COUNT": str(COUNT),
    }
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(PROGRAMS / program)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watch = threading.Timer(90, process.kill)
    watch.start()
    with process:
        url = process.stderr.readline().removeprefix("Vuer: ").strip()
        with tab(url, hidden=way == "hidden tab") if "tab" in way else nullcontext():
            said, complaints = process.communicate()
    watch.cancel()
    assert (process.returncode, complaints) == (0, "")
    shown = [np.load(path).astype(int) for path in sorted((tmp_path / "shown").iterdir())]
    assert len(shown) == COUNT
    return shown, said


@pytest.mark.web
@pytest.mark.parametrize("way", WAYS)
def test_rendering_on_demand(way, tmp_path):
    shown, said = run("grab_render.py", way, tmp_path, tmp_path)
    assert "timed out" not in said
    for step, picture in enumerate(shown, 1):
        # The first picture is of the first update: nothing lags behind.
        camera = hg.Camera.perspective(
            fov_y=np.radians(50),
            width=320,
            height=240,
            world_from_camera=MATRICES[step % len(MATRICES)],
        )
        centre = ball(step)
        x, y = camera.project(centre)
        way_there = (camera.camera_from_world @ [*centre, 1])[:3]
        nearest = -way_there[2] * (1 - RADIUS / np.linalg.norm(way_there))
        grey = 255 * (1 - (nearest - NEAR) / (FAR - NEAR))
        assert picture.shape == (240, 320, 3)
        assert picture[int(y), int(x)] == pytest.approx(np.full(3, grey), abs=3)
        assert not picture[:, [0, -1]].any()  # no grid, no frustum


@pytest.mark.web
@pytest.mark.parametrize("way", WAYS)
def test_rendering_every_frame(way, tmp_path):
    shown, _ = run("collect_render.py", way, tmp_path / "a" / "b" / "c", tmp_path)
    expected = np.array([*expected_frames()])[:, ::2, ::2].astype(int)
    step, ahead = 0, []
    for picture in shown:
        difference = np.abs(expected - picture[::2, ::2]).mean(axis=(1, 2, 3))
        assert difference.min() < 1.5
        # Some steps look alike, and the program begins anew after a round: the next one that fits.
        fits = np.flatnonzero(difference < difference.min() + 0.01)
        ahead.append(int(((fits - step) % ROUND).min()))
        step += ahead[-1]
    # Never back; the second picture may be much later, of when who draws had started.
    assert max(ahead[2:]) < ROUND - 10
    assert np.count_nonzero(ahead) > COUNT / 2


def expected_frames():
    """What the program draws in its first steps, by the component engine."""
    box = hg.Box(
        key="box",
        size=(0.2, 0.2, 0.2),
        position=(0, 0, 0.1),
        materialType="depth",
        outlines={"angle": 0, "thickness": 0.005, "color": "white"},
    )
    floor = hg.Plane(key="floor", size=(10, 10), position=(0, 0, -0.01), materialType="depth")
    sphere = hg.Sphere(
        key="sphere",
        radius=RADIUS,
        materialType="depth",
        outlines={"angle": 0, "thickness": 0.002, "color": "white"},
    )
    camera = hg.CameraView(key="ego", fov=50, near=NEAR, far=FAR)
    with hg.open(hg.Scene(box, floor, sphere, camera)) as renderer:
        for step in range(ROUND):
            matrix = MATRICES[step % len(MATRICES)].T.ravel()
            edits = (
                hg.Update(hg.Sphere(key="sphere", position=ball(step))),
                hg.Update(hg.CameraView(key="ego", matrix=matrix)),
            )
            yield renderer.render(hg.View(cameras=["ego"], edits=edits))["ego"].rgb.copy()
