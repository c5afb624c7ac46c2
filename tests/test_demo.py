"""The demo's sheet has what it says, in a process of its own as `scripts/demo` runs it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

PROGRAM = Path(__file__).parents[1] / "examples" / "demo.py"


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_sheet_is_whole_and_no_part_of_it_is_empty(demo: ModuleType, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", str(PROGRAM), "--out", "a/b", "--seconds", "0.1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["a/b/demo.png"]
    with Image.open(tmp_path / "a/b/demo.png") as image:
        sheet = np.array(image.convert("L"), float)
    height, width = sheet.shape
    large, small = demo.LARGE, demo.SMALL
    assert width == pytest.approx(large[0] + 3 * small[0], abs=100)
    assert height == pytest.approx(large[1] * 1.6, abs=100)
    left, top = width - 24 - 3 * small[0] - 16, 24 + 29  # of the twelve
    cells = [sheet[top : top + large[1], 24 : 24 + large[0]]]
    for row in range(4):
        for column in range(3):
            y, x = top + row * (small[1] + 8), left + column * (small[0] + 8)
            cells.append(sheet[y : y + small[1], x : x + small[0]])
    below = top + large[1] + 24 + 29
    cells += [sheet[below:-24, 24 + i * 465 : 24 + i * 465 + 453] for i in range(3)]
    assert min(cell.std() for cell in cells) > 10
    assert (sheet[below:-24, 24 + 3 * 465 :] < 100).mean() > 0.01  # words


def test_the_robot_fills_the_picture(demo: ModuleType) -> None:
    frame = demo.portrait()
    table = [number for number, label in frame.labels.items() if label.name == "table"]
    robot = ~np.isin(frame.segmentation, [0, *table])
    assert robot.mean() > 0.4
    rows, columns = np.flatnonzero(robot.any(1)), np.flatnonzero(robot.any(0))
    assert np.ptp(rows) > 0.7 * robot.shape[0]
    assert np.ptp(columns) > 0.8 * robot.shape[1]
    dark, light = np.percentile(frame.rgb[robot], [5, 95])
    assert dark < 60
    assert light > 180
    assert (frame.rgb.min(-1) == 255).mean() < 0.02  # hardly anything is burnt out


def test_the_dozen_differ(demo: ModuleType) -> None:
    drawn = [sample["front"].rgb.astype(int) for sample in demo.variants()]
    gaps = [np.abs(a - b).mean() for i, a in enumerate(drawn) for b in drawn[:i]]
    assert len(drawn) == 12
    assert min(gaps) > 10
