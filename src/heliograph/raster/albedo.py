"""How much of even light a rough surface reflects (GGX, with shadowing of either way)."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SIZE = 16
_STEPS, _TURNS = 64, 32


@lru_cache(maxsize=1)
def table() -> NDArray[np.float64]:
    """(SIZE, SIZE, 2): scale and bias of what is reflected head-on.

    Rows are the cosine to the eye, columns the roughness, both at the middles of SIZE cells from 0
    to 1. Half vectors are taken evenly from the distribution of GGX.
    """
    cells = (np.arange(SIZE) + 0.5) / SIZE
    facing, alpha2 = cells[:, None, None, None], cells[:, None, None] ** 4
    nodes, weights = np.polynomial.legendre.leggauss(_STEPS)
    part, share = (nodes[:, None] + 1) / 2, weights[:, None] / 2 / _TURNS
    turn = (np.arange(_TURNS) + 0.5) / _TURNS * math.pi  # the other half is the same
    cosine = np.sqrt((1 - part) / (1 + (alpha2 - 1) * part))
    sine = np.sqrt(np.maximum(1 - cosine**2, 0))
    eye = np.sqrt(1 - facing**2)
    half_eye = np.maximum(sine * np.cos(turn) * eye + cosine * facing, 0)
    light = 2 * half_eye * cosine - facing
    hidden = light * np.sqrt(alpha2 + (1 - alpha2) * facing**2)
    hidden = hidden + facing * np.sqrt(alpha2 + (1 - alpha2) * light**2)
    seen = np.where(light > 0, 2 * light * half_eye / np.maximum(hidden * cosine, 1e-9), 0) * share
    rest = (1 - half_eye) ** 5
    return np.stack([((1 - rest) * seen).sum((2, 3)), (rest * seen).sum((2, 3))], -1)
