# mypy: allow-untyped-calls
"""Pictures of any size: drawn band by band in little memory, and ended by Ctrl-C."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from heliograph.camera import Camera
from heliograph.passes import KNOWN_PASSES
from heliograph.raster import DrawList, Instances, RasterOptions, Shape, make_rasterizer
from raster_scenes import HEAD, buffers

ENDLESS = """
import os, signal, sys, threading
import numpy as np
from heliograph.camera import Camera
from heliograph.raster import DrawList, Instances, Light, RasterOptions, Shape, make_rasterizer

made = Instances.blank(400)
made.table.geometry[:] = Shape.SPHERE
made.materials.rgba[:] = 1, 1, 1, 0.5
made.transforms.world_from_object[:, :, 3] = np.random.default_rng(0).normal(size=(400, 3)) * 0.1
drawer = make_rasterizer(RasterOptions(backend="cpu", msaa=4, threads=int(sys.argv[1])))
side = 16384
camera = Camera.look_at(eye=(0, -3, 0), target=(0, 0, 0), fov_y=0.7, width=side, height=side)
rgb = np.empty((side, side, 3), np.uint8)
threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    drawer.draw(DrawList(made, (Light(),)), [camera], ("rgb",), [{"rgb": rgb}])
except KeyboardInterrupt:
    # Not getrusage's: that is at least what the process had that started this one.
    status = open("/proc/self/status").read()
    peak = int(status.split("VmHWM:")[1].split()[0]) // 1024
    print("interrupted", peak < 1500)
"""
"""Draws for hours, a gigabyte per plane if it were all held at once."""


@pytest.mark.parametrize("threads", [1, 3])
def test_control_c_ends_a_picture_that_takes_hours(threads: int) -> None:
    run = subprocess.run(
        [sys.executable, "-c", ENDLESS, str(threads)], capture_output=True, text=True, timeout=60
    )
    assert run.stdout == "interrupted True\n", run.stderr


def scene() -> DrawList:
    made = Instances.blank(3)
    made.table.geometry[:] = Shape.SPHERE, Shape.BOX, Shape.CYLINDER
    made.materials.rgba[:, 3] = 1, 0.5, 1
    made.transforms.world_from_object[:, :, 3] = np.eye(3)
    return DrawList(made, HEAD)


def test_bands_of_a_large_picture_are_the_same_wherever_they_begin() -> None:
    camera = Camera.look_at(eye=(2, -5, 3), target=(0, 0, 0), fov_y=0.7, width=2500, height=2500)
    made = []
    for threads in (1, 5):
        drawer = make_rasterizer(RasterOptions(backend="cpu", threads=threads))
        made.append(buffers(camera))
        drawer.draw(scene(), [camera], tuple(KNOWN_PASSES), made[-1:])
    assert len(np.unique(made[0]["segmentation"])) == 4
    for name in KNOWN_PASSES:
        assert np.array_equal(made[0][name], made[1][name]), name
