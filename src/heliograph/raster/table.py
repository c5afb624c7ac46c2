"""Numbers per geometry, from which plans are made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_LEVELS = 12


@dataclass(eq=False)
class GeometryTable:
    """Facts of all geometries as arrays; row g is geometry handle g.

    Attributes:
        first, count: (G, MAX_LEVELS) index ranges, finest level first.
        base: (G,) first vertex.
        error: (G, MAX_LEVELS) metres before scaling; inf where there is no such level.
        box: (G, 2, 3) bounding boxes in object space: centre and half-sizes.
        radius: (G,) bounding spheres round the same centres.
        solver: (G,) how the shader computes the true surface, an index into `shapes.SOLVERS`.
        lit_pixels: (G, MAX_LEVELS) up to which radius on the picture light per vertex looks right.
        plane: (G,) bool, what is a plane.
        tinted: (G,) bool, what has colours of its own at its vertices.
    """

    first: NDArray[np.uint32]
    count: NDArray[np.uint32]
    base: NDArray[np.uint32]
    error: NDArray[np.float64]
    box: NDArray[np.float64]
    radius: NDArray[np.float64]
    solver: NDArray[np.int64]
    lit_pixels: NDArray[np.float64]
    plane: NDArray[np.bool_]
    tinted: NDArray[np.bool_]
