"""What turns the lobe of a rough surface (GGX) into that of a matt one: for light of rectangles."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray


@lru_cache(maxsize=1)
def table() -> NDArray[np.float64]:
    """(N, N, 4): numbers a, b, c, d of the map [[a, 0, b], [0, 1, 0], [c, 0, d]].

    Rows are sqrt(1 - cosine to the eye), columns the roughness, both from 0 to 1 with the ends.
    `scripts/area_light_table.py` computes them; E. Heitz et al., "Real-Time Polygonal-Light Shading
    with Linearly Transformed Cosines", 2016.
    """
    with as_file(files("heliograph.raster") / "area_lights.npy") as path:
        return np.asarray(np.load(path), np.float64)
