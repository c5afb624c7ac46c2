# mypy: allow-untyped-defs, allow-untyped-calls
"""What the tests of the rasterizer share: a camera, a light, all passes."""

from __future__ import annotations

from typing import Literal

import numpy as np

from heliograph.camera import Camera
from heliograph.frame import allocate
from heliograph.passes import KNOWN_PASSES, select_passes
from heliograph.raster import Light, LightKind

BACKENDS: tuple[Literal["gl", "cpu"], ...] = ("gl", "cpu")
ALL = tuple(KNOWN_PASSES)
EYE = np.array([2.0, -3.0, 2.0])
HEAD = (Light(kind=LightKind.HEAD),)
MIDDLE = np.array([0, 0, 0.4])


def camera(**changes):
    """A camera at EYE that looks at MIDDLE."""
    facts = {"eye": EYE, "target": MIDDLE, "fov_y": 0.8, "width": 160, "height": 120}
    return Camera.look_at(**{**facts, "near": 0.01, "far": 50, **changes})


def buffers(view, passes=ALL):
    """Fresh arrays for these passes of a camera."""
    return allocate(view, select_passes(passes, KNOWN_PASSES))
