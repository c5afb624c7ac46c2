"""What Blender prints stays off standard output."""

import os
import subprocess
import sys
from pathlib import Path

import bpy
import pytest

from heliograph.engines.blender.quiet import quiet

PROGRAM = """
import ctypes, os
from heliograph.engines.blender.quiet import quiet
print("first")
ctypes.pythonapi.puts(b"second")  # as Blender does: C's own buffer
with quiet() as outer:
    print("hidden")
    os.write(1, b"raw\\n")
    with quiet() as inner:
        ctypes.pythonapi.puts(b"deep")
        assert inner() == "deep"
    ctypes.pythonapi.puts(b"buffered")
    assert outer() == "hidden\\nraw\\nbuffered", outer()
print("last")
"""


def test_only_what_is_printed_outside_comes_out() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["first", "second", "last"]


def test_what_a_render_prints_is_not_seen(capfd: pytest.CaptureFixture[str]) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    render = bpy.context.scene.render
    render.engine, render.resolution_x, render.resolution_y = "CYCLES", 4, 4
    bpy.context.scene.cycles.samples = 1
    bpy.context.scene.camera = bpy.data.objects.new("Eye", bpy.data.cameras.new("Eye"))
    capfd.readouterr()
    with quiet():
        bpy.ops.render.render()
    assert capfd.readouterr().out == ""


def test_an_error_passes_through_and_output_is_back(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), quiet():
        os.write(1, b"hidden %d" % (1 // 0))
    os.write(1, b"seen")
    assert capfd.readouterr().out == "seen"


def test_long_output_keeps_its_end_and_no_descriptor_is_left() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for count in (0, 1, 100_000):
        with quiet() as printed:
            os.write(1, b"x" * count + b"the end")
            assert printed().endswith("the end")
            assert len(printed()) <= 4000
    assert len(list(Path("/proc/self/fd").iterdir())) == before
