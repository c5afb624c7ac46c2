"""Where each pass stands in shared memory: one function, which both sides call."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from heliograph.camera import Camera
from heliograph.frame import Array
from heliograph.passes import PassSpecs

ALIGNMENT = 64
"""Every array begins at a multiple of this many bytes: a cache line, and any SIMD load."""


class Part(NamedTuple):
    """One array: which camera (by place in the view), which pass, where, shape and dtype."""

    camera: int
    name: str
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class Layout(NamedTuple):
    """The arrays of one view, or of a whole batch.

    Attributes:
        nbytes: how much memory they take.
        cameras: how many cameras.
        parts: the arrays, camera after camera.
    """

    nbytes: int
    cameras: int
    parts: tuple[Part, ...]

    def arrays(self, memory: Any) -> list[dict[str, Array]]:
        """The arrays over memory: for each camera pass name -> array."""
        made: list[dict[str, Array]] = [{} for _ in range(self.cameras)]
        for camera, name, offset, shape, dtype in self.parts:
            made[camera][name] = np.ndarray(shape, dtype, memory, offset)
        return made


def lay_out(cameras: Sequence[Camera], specs: PassSpecs, count: int | None = None) -> Layout:
    """Where the passes of these cameras stand.

    Args:
        cameras: only their sizes matter.
        specs: the passes that each yields.
        count: number of entries of a batch, stacked along a first axis; None for one view.
    """
    sizes = tuple((c.height, c.width) for c in cameras)
    return _laid_out(sizes, tuple(spec.layout for spec in specs.values()), count)


@lru_cache(maxsize=256)
def _laid_out(
    sizes: tuple[tuple[int, int], ...],
    passes: tuple[tuple[str, int, np.dtype[Any]], ...],
    count: int | None,
) -> Layout:
    parts: list[Part] = []
    end = 0
    for camera, size in enumerate(sizes):
        for name, channels, dtype in passes:
            shape = (*size, channels) if channels else size
            shape = shape if count is None else (count, *shape)
            parts.append(Part(camera, name, end, shape, dtype))
            end += -(-math.prod(shape) * dtype.itemsize // ALIGNMENT) * ALIGNMENT
    return Layout(end, len(sizes), tuple(parts))
