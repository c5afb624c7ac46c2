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

FOLDER = Path(__file__).parent.parent / "examples" / "blender"

pytestmark = pytest.mark.blender


def run(program: str, folder: Path) -> str:
    """What an example prints; it ends well and complains of nothing."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(FOLDER / program)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


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
