"""The native rasterizer's bytes do not depend on which of its builds draws, nor on its threads."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from raster_hashes import KERNELS, Calls, hash_of, pictures, recorded

KERNELS_CPP = Path(__file__).parent.parent / "native/raster/kernels.cpp"
EIGHTS = range(0, 48, 8)
"""Of each eight scenes none has another's settings; together they hold all that can be drawn."""


@pytest.mark.parametrize("first", EIGHTS)
def test_three_builds_of_the_kernels_draw_the_same_bytes(first: int) -> None:
    for seed in range(first, first + 8):
        calls = recorded(seed)
        made = {hash_of(pictures(seed, calls, kernels)) for kernels in KERNELS}
        assert len(made) == 1, f"scene {seed}"


@pytest.mark.parametrize("first", EIGHTS[:2])
def test_threads_change_no_byte(first: int) -> None:
    for seed in range(first, first + 8):
        calls = recorded(seed)
        made = {hash_of(pictures(seed, calls, 2, threads=threads)) for threads in (1, 2, 5)}
        assert len(made) == 1, f"scene {seed}"


@pytest.mark.parametrize("first", EIGHTS[:2])
def test_cameras_of_one_view_are_drawn_as_each_alone(first: int) -> None:
    for seed in range(first, first + 8):
        calls = recorded(seed, tame=True)
        alone: Calls = []
        for name, arguments in calls:
            if name == "draw":
                scene, cameras = arguments
                alone += [(name, (scene, [camera])) for camera in cameras]
            else:
                alone.append((name, arguments))
        made = {hash_of(pictures(seed, each, 2, threads=3)) for each in (calls, alone)}
        assert len(made) == 1, f"scene {seed}"


@pytest.mark.skipif(shutil.which("clang++") is None, reason="clang++ is not installed")
def test_clang_takes_the_kernels_too() -> None:
    """Here g++ builds them, which knows more of C++20 than the oldest clang++ that we promise."""
    options = ["-std=c++20", "-fsyntax-only"]
    if platform.machine() == "x86_64":
        options += ["-mavx2", "-DHELIOGRAPH_BUILD_AVX2"]
    done = subprocess.run(["clang++", *options, KERNELS_CPP], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
