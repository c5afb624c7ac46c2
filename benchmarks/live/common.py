"""What every side of the live benchmark shares: the scene's numbers, the browser, the clock.

Runs under the interpreter of a peer as well, so it needs numpy and the standard library alone.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

WIDTH, HEIGHT, FOV = 320, 240, 50.0
NEAR, FAR = 0.1, 20.0
WARM_UP = 10
# Name of a shape, its sizes as in three.js, where it stands, its colour.
SHAPES = (
    ("Box", [0.4, 0.4, 0.4], [0.0, 0.0, 0.2], "#c86432"),
    ("Sphere", [0.25, 32, 32], [0.7, 0.0, 0.25], "#3264c8"),
    ("Cylinder", [0.2, 0.2, 0.5, 32], [-0.7, 0.0, 0.25], "#32c864"),
    ("Cone", [0.25, 0.5, 32], [0.0, 0.7, 0.25], "#c8c832"),
    ("Torus", [0.25, 0.08, 16, 48], [0.0, -0.7, 0.2], "#c832c8"),
    ("Plane", [4.0, 4.0], [0.0, 0.0, 0.0], "#808080"),
)
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=gl-egl",
    "--ignore-gpu-blocklist",
    "--no-first-run",
    "--mute-audio",
    "--disable-background-networking",
    "--window-size=800,600",
)


def pose(step: int) -> np.ndarray:
    """world_from_camera (4, 4) of a camera on a circle that looks at the middle, z up."""
    angle = 0.03 * step
    eye = np.array([2.0 * np.cos(angle), 2.0 * np.sin(angle), 1.2])
    back = eye / np.linalg.norm(eye)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right)
    made = np.eye(4)
    made[:3] = np.column_stack([right, np.cross(back, right), back, eye])
    return made


def columns(matrix: np.ndarray) -> list[float]:
    """The 16 numbers of a matrix (4, 4), column after column."""
    return [float(number) for number in matrix.T.ravel()]


@contextmanager
def browser(url: str) -> Iterator[None]:
    """A headless Chromium at an address; the driver ends it with the group of its side."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or "chromium"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [program, *FLAGS, f"--user-data-dir={profile}", url]
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        yield


def summary(
    seconds: list[float], *, first: float = 0.0, idle: float = 0.0, late: int = 0
) -> dict[str, float]:
    """What a side says of one way of asking.

    Args:
        seconds: of each request.
        first: seconds from the start of the side to its first picture.
        idle: percent of a core that the server takes while nobody asks.
        late: requests that were given up.
    """
    return {
        "rate": 1 / statistics.median(seconds) if seconds else 0.0,
        "first": first,
        "idle": idle,
        "late": late,
    }


class Idle:
    """Percent of a core that this process takes from its making to `percent`."""

    def __init__(self) -> None:
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def percent(self) -> float:
        """Since it was made."""
        wall = time.perf_counter() - self._wall
        return 100 * (time.process_time() - self._cpu) / wall


def report(**ways: dict[str, float]) -> None:
    """Tell the driver, which ends this process and its browser."""
    sys.__stdout__.write(json.dumps(ways) + "\n")
    sys.__stdout__.flush()
    time.sleep(60)
