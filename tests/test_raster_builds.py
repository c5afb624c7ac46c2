"""The native rasterizer's bytes do not depend on which of its builds draws, nor on its threads."""

from __future__ import annotations

import pytest

from raster_hashes import KERNELS, Calls, hash_of, pictures, recorded

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
