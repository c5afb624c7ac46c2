# mypy: allow-untyped-defs, allow-untyped-calls
"""Captures of a scene of ours, and a nerfacto model that is trained on one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import heliograph as hg
import training_scene
from heliograph.compat.nerfstudio_renderer import connect
from heliograph.engines.nerf.capture import dome_cameras, read_capture, write_capture
from heliograph.engines.nerf.run_folder import write_run
from heliograph.engines.nerf.train import Training, held_out_psnr, train
from heliograph.errors import InvalidValueError, SceneError
from heliograph.view import View
from serving import parts, process

PROGRAM = Path(__file__).parent.parent / "examples/nerfstudio_renderer/program.py"


@pytest.fixture(scope="module")
def renderer():
    with hg.open(training_scene.scene()) as opened:
        yield opened


def dome(count=32, size=(64, 64)):
    return dome_cameras(
        count, target=training_scene.TARGET, radius=training_scene.RADIUS, size=size
    )


@pytest.fixture(scope="module")
def capture(renderer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("capture")
    write_capture(renderer, dome(), folder)
    return read_capture(folder)


@pytest.fixture(scope="module")
def trained(capture):
    return train(capture)


# -- captures


def test_corners_are_where_the_pictures_show_them(renderer, tmp_path):
    """What of the box is seen reaches as far as its corners, within a pixel."""
    write_capture(renderer, dome(12, (320, 240)), tmp_path)
    free = 0
    for photo in read_capture(tmp_path).training:
        camera = photo.camera
        red = (photo.rgb[..., 0] > 2.5 * photo.rgb[..., 1]) & (photo.rgb[..., 2] < 120)
        rows, columns = np.nonzero(red)
        corners = camera.project(training_scene.CORNERS)
        low, high = corners.min(0), corners.max(0)
        assert columns.min() > low[0] - 1
        assert columns.max() + 1 < high[0] + 1
        assert rows.min() == pytest.approx(low[1], abs=1)  # nothing is above it
        if min(camera.depth_of(training_scene.BALL) - camera.depth_of(training_scene.CORNERS)) > 0:
            free += 1
            seen = (columns.min(), columns.max() + 1, rows.max() + 1)
            assert seen == pytest.approx((low[0], high[0], high[1]), abs=1)
    assert free >= 2


def test_poses_are_exact_and_pictures_lossless(renderer, tmp_path):
    cameras = dome(5, (40, 30))
    write_capture(renderer, cameras, tmp_path, hold_out=3)
    found = read_capture(tmp_path)
    photos = {photo.camera.name: photo for photo in (*found.training, *found.held_out)}
    assert [photo.camera.name for photo in found.held_out] == ["view_0001", "view_0004"]
    assert {name: photo.camera for name, photo in photos.items()} == {c.name: c for c in cameras}
    for camera in cameras:
        drawn = renderer.render(View((camera,), ("rgb",)))[camera.name].rgb
        np.testing.assert_array_equal(photos[camera.name].rgb, drawn)


def test_the_frame_puts_what_is_looked_at_in_the_middle(capture):
    frame = capture.frame()
    target = frame.pose(np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0.15], [0, 0, 0, 1]]))
    np.testing.assert_allclose(target[:3, 3], 0, atol=1e-9)
    assert frame.scale == pytest.approx(1 / training_scene.RADIUS)


def test_what_is_no_capture_is_refused(renderer, tmp_path):
    with pytest.raises(InvalidValueError, match="at least 2 of different names"):
        write_capture(renderer, dome(3)[:1] * 2, tmp_path)
    with pytest.raises(InvalidValueError, match="radius: expected metres above 0"):
        dome_cameras(3, radius=-1, size=(8, 8))
    with pytest.raises(SceneError, match="no such file"):
        read_capture(tmp_path / "nowhere")
    path = write_capture(renderer, dome(4, (8, 8)), tmp_path)
    said = json.loads(path.read_text())
    said["frames"][0]["w"] = 9
    path.write_text(json.dumps(said))
    with pytest.raises(SceneError, match=r"view_0000\.png: expected 9x8 pixels"):
        read_capture(path)
    (tmp_path / "images" / "view_0000.png").write_bytes(b"no picture")
    with pytest.raises(SceneError, match=r"view_0000\.png: expected a picture"):
        read_capture(path)


# -- training


def test_it_learns_what_no_guess_reaches(capture, trained):
    """A blank picture, the mean colour and the mean picture are what a model could cheat with."""
    seen = np.stack([photo.rgb for photo in capture.training]).astype(float)
    held = np.stack([photo.rgb for photo in capture.held_out])
    guesses = (0, 255, seen.mean((0, 1, 2)), seen.mean(0))
    cheated = max(-10 * np.log10((((held - guess) / 255) ** 2).mean()) for guess in guesses)
    assert held_out_psnr(trained, capture) > cheated + 8


def test_a_trained_run_opens_without_its_pictures(renderer, capture, trained, tmp_path):
    """Depth is metric and along the axis, in the frame of the capture."""
    data = tmp_path / "data"
    write_capture(renderer, dome(3, (8, 8)), data)
    run = tmp_path / "run"
    config = write_run(run, trained, capture.frame(), data, step=499)
    shutil.rmtree(data)
    camera = capture.held_out[0].camera.resized(48, 48)
    true = renderer.render(View((camera,), ("depth",)))[camera.name].depth
    passes: Any = ("median_depth",)
    for source in (run, config):
        with hg.open(source) as opened:
            seen = opened.render(View((camera,), passes))[camera.name]
        surface = np.isfinite(true)
        error = np.abs(seen["median_depth"][surface] / true[surface] - 1)
        assert np.mean(error < 0.05) > 0.9
        assert np.median(error) < 0.025


def seen_by_it(port, token, capture):
    """What the two calls give where a picture was taken; the program looks from anywhere."""
    camera = capture.held_out[0].camera
    with connect("localhost", port, token) as conn:
        queue = conn.NerfStudioRenderQueue()
        queue.update_camera(capture.frame().pose(camera.world_from_camera))
        while (image := queue.get_rgb_image()) is None:
            time.sleep(0.01)
    return image


def test_the_document_s_program_runs_on_what_was_trained(capture, trained, tmp_path):
    """The program of Nerfstudio Renderer's document, and the command that serves for it."""
    config = write_run(tmp_path / "run", trained, capture.frame(), tmp_path / "gone", step=499)
    with process(str(config), "--option", "frame=nerfstudio", "--port", "0") as (_, url):
        port, token = parts(url)
        told = {"PORT": str(port), "HELIOGRAPH_TOKEN": token}
        done = subprocess.run(
            [sys.executable, "-W", "error", str(PROGRAM)],
            cwd=tmp_path,
            env={**os.environ, **told},
            capture_output=True,
            text=True,
            check=False,
        )
        seen = seen_by_it(port, token, capture)
    assert seen.std() > 0.1
    assert (done.returncode, done.stderr) == (0, "")
    image = np.load(tmp_path / "image.npy")
    assert image.shape[:2] in [(36, 64), (72, 128), (180, 320), (360, 640), (720, 1280)]
    assert image.dtype == np.float32
    assert 0 <= image.min() <= image.max() <= 1


def test_the_same_seed_gives_the_same_bits(capture):
    few = Training(steps=4, rays=64, seed=3)
    more = replace(few, seed=4)
    one, same, other = (
        train(capture, few),
        train(capture, few),
        train(capture, more),
    )
    for name, value in one.state_dict().items():
        assert torch.equal(value, same.state_dict()[name])
    table = "field.mlp_base.model.0.hash_table"
    assert not torch.equal(one.state_dict()[table], other.state_dict()[table])


# -- the command


def run_nerf(*words):
    return subprocess.run(
        [sys.executable, "-m", "heliograph", "nerf", "train-demo", *words],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_demo_is_trained_and_opens_with_the_cameras_of_its_capture(tmp_path):
    out = tmp_path / "demo"
    done = run_nerf(str(out), "--steps=2", "--rays=16", "--views=8", "--size=12")
    assert (done.returncode, done.stdout.count("\n")) == (0, 2), done.stderr
    assert "on 1 pictures it did not see" in done.stdout
    with hg.open(out) as opened:
        assert "view_0007" in opened.cameras
        assert opened.render(View(("view_0007",), ("rgb",)))["view_0007"].rgb.shape == (12, 12, 3)
    again = run_nerf(str(out))
    assert again.returncode == 2
    assert "is not empty" in again.stderr


def test_a_demo_of_no_steps_is_refused(tmp_path):
    refused = run_nerf(str(tmp_path / "demo"), "--steps=0")
    assert refused.returncode == 2
    assert "--steps" in refused.stderr
    assert not (tmp_path / "demo").exists()
