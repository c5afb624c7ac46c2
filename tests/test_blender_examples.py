"""The examples with Blender show what they say, each run as it stands in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import heliograph as hg
from heliograph import poses
from heliograph.compat.blendtorch import btt

FOLDER = Path(__file__).parent.parent / "examples" / "blender"

QUIET = ["-W", "ignore:This DataLoader will create"]
"""More of a DataLoader's workers than this machine has cores."""

pytestmark = pytest.mark.blender


def run(program: str, folder: Path) -> str:
    """What an example prints; it ends well and complains of nothing."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *QUIET, str(FOLDER / program)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_every_example_is_run() -> None:
    tested = Path(__file__).read_text() + Path(__file__).with_name("test_blendtorch.py").read_text()
    for folder in FOLDER.iterdir():
        if folder.is_dir() and folder.name != "__pycache__":
            assert f'run("{folder.name}/' in tested or f'"{folder.name}" / "' in tested


def picture(path: Path) -> NDArray[np.int64]:
    return np.asarray(Image.open(path)).astype(int)


def test_annotations_of_a_cube(tmp_path: Path) -> None:
    said = run("cube/cube.py", tmp_path)
    seen = [int(count) for count in re.findall(r"corners seen (\d) of 8", said)]
    hidden = [int(part) for part in re.findall(r"hidden (\d+)%", said)]
    assert len(seen) == len(hidden) == 4
    assert min(hidden) > 0
    assert max(hidden) < 40
    camera = hg.Camera.perspective(
        fov_y=2 * np.arctan(18 / 50 * 240 / 320),
        width=320,
        height=240,
        world_from_camera=poses.look_at((6, -6, 4.5), (0, 0, 0)),
    )
    corners = np.stack(np.meshgrid(*[[-1.0, 1.0]] * 3), axis=-1).reshape(8, 3)
    rng = np.random.default_rng(1)
    for number, count in enumerate(seen):
        turn = poses.from_quaternion(rng.normal(size=4), order=poses.QuaternionOrder.WXYZ)
        x, y = np.floor(2 * camera.project(corners @ turn.T)).astype(int).T
        at = picture(tmp_path / f"cube_{number}.png")[y, x]
        assert (at == 255).all(axis=1).sum() == count  # a filled dot where a corner is seen


def test_falling_cubes_of_four_blenders(tmp_path: Path) -> None:
    said = run("falling_cubes/generate.py", tmp_path)
    assert said == "120 pictures in output_*.png, from the instances [0, 1, 2, 3]\n"
    shapes = {picture(path).shape for path in tmp_path.glob("output_*.png")}
    assert (len([*tmp_path.iterdir()]), shapes) == (120, {(120, 160, 3)})


def test_cubes_fall_as_things_fall_and_stand_where_their_boxes_are() -> None:
    script = FOLDER / "falling_cubes" / "falling_cubes.blend.py"
    with btt.BlenderLauncher("", script, named_sockets=["DATA"], seed=3) as launcher:
        items = [*btt.RemoteIterableDataset(launcher.launch_info.addresses["DATA"])]
    assert [item["frameid"] for item in items] == [*range(1, 31)]
    heights = np.array([item["heights"] for item in items])
    starts, ends = heights[0], heights[-1]
    assert (np.abs(starts - 2 - np.arange(6)) < 0.02).all()
    assert (ends < starts - 1).all()
    assert ends.min() > 0.3  # the half of a cube is 0.4; none fell through the floor
    top = heights[:10, 5]  # nothing is in the way of the highest one
    assert np.diff(top, 2)[1:] == pytest.approx(-9.81 / 24**2, rel=0.05)
    for item in items[::10]:
        coloured = np.ptp(item["image"].astype(int), axis=2) > 40  # all but the cubes is grey
        low, high = item["xy"].min(axis=1) - 1, item["xy"].max(axis=1) + 1
        y, x = np.nonzero(coloured)
        at = np.stack([x, y], axis=1)[:, None]
        assert len(at) > 20
        assert ((at >= low) & (at <= high)).all(axis=2).any(axis=1).all()


def test_normals_and_depth_of_the_compositor(tmp_path: Path) -> None:
    said = run("compositor/generate.py", tmp_path)
    lines = re.findall(r"depth ([\d.]+) to ([\d.]+) m, (\d+)% face upwards", said)
    # The crate's top is 5 m below the camera, the floor 6; it looks straight down.
    assert {(low, high) for low, high, _ in lines} == {("5.000", "6.000")}
    assert all(96 <= int(up) <= 100 for _, _, up in lines)
    for number in range(4):
        depth, normals = np.split(picture(tmp_path / f"output_{number}.png"), 2, axis=1)
        assert depth.min() == 0  # the floor is farthest
        top = (depth[..., 0] >= 254) & (normals == [127, 127, 255]).all(axis=2)
        assert top.sum() == pytest.approx((160 * 50 / 36 / 5) ** 2, rel=0.01)  # 1 m at 5 m


def test_a_pole_is_balanced(tmp_path: Path) -> None:
    said = run("cartpole/cartpole.py", tmp_path)
    found = re.search(r"(\d+) steps; from ([+-][\d.]+) to ([+-][\d.]+) radians", said)
    assert found is not None
    steps, first, last = int(found[1]), float(found[2]), float(found[3])
    assert steps == 250
    assert abs(first) > 0.1
    assert abs(last) < 0.03
    assert "a picture (120, 160, 3)" in said


def test_density_optimization_moves_the_right_way(tmp_path: Path) -> None:
    said = run("densityopt/densityopt.py", tmp_path)
    means = np.array(re.findall(r"width ([\d.]+), height ([\d.]+)", said), float)
    assert len(means) == 17
    errors = np.linalg.norm(means - [1.7, 0.6], axis=1)
    assert errors[0] == pytest.approx(np.hypot(0.7, 0.4), abs=0.01)
    assert errors[-1] < 0.3 * errors[0]
    assert (np.diff(errors[::4]) < 0).all()
