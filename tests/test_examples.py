"""Every example runs as it stands, in a process of its own and an empty folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "examples"
SAYS = {
    "01_first_picture.py": "nearest to the camera",
    "02_components.py": "% of the pixels changed",
    "03_many_workers.py": "8 samples; (16, 64, 64, 3) uint8",
    "04_randomize.py": "the same alone: True",
    "05_torch.py": "(16, 64, 64, 3) torch.uint8",
    "06_record_and_replay.py": "6 samples in 2 shards; 5",
    "07_an_engine.py": "promises hold",
    "progressive/levels.py": "the last one is the whole picture: True",
    "progressive/moving_robot.py": "never back: True",
    "progressive/as_they_come.py": "the last is whole: True",
    "live/record_camera_moves.py": "poses in camera.npz",
    "live/move_camera.py": "in the middle of 60 of 60 pictures",
    "live/grab_renders.py": "the crate's top is 2.600 m below the camera",
    "live/collect_renders.py": "200 pictures; number 123 drawn alone is the same: True",
    "live/frustum.py": "9 pictures; the mark is within 0.1",
    "live/height_map.py": "right within 0.0 mm, the post 0.600 m high",
}


def test_every_example_is_run() -> None:
    patterns = ("[0-9]*.py", "live/*.py", "progressive/*.py")
    found = [path for pattern in patterns for path in FOLDER.glob(pattern)]
    assert {path.relative_to(FOLDER).as_posix() for path in found} == SAYS.keys()


@pytest.mark.parametrize("name", SAYS)
def test_an_example_runs(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(FOLDER / name)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert SAYS[name] in done.stdout
