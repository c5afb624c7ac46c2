"""Light from all around, of three colours."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from heliograph.colour import linear

_ROWS, _COLUMNS = 32, 64


def gradient(colours: Mapping[str, tuple[float, ...]]) -> NDArray[np.float32]:
    """An equirectangular picture (32, 64, 3) in linear light, row 0 straight up (+z).

    Args:
        colours: sRGB of the `sky` straight above, the `horizon`, and the `ground` straight below;
            between them light goes over smoothly.
    """
    up = np.cos(np.pi * (np.arange(_ROWS) + 0.5) / _ROWS)[:, None]
    share = up**2 * (3 - 2 * np.abs(up))
    horizon = linear(colours["horizon"])
    end = np.where(up > 0, linear(colours["sky"]), linear(colours["ground"]))
    rows = horizon + share * (end - horizon)
    return np.repeat(rows[:, None].astype(np.float32), _COLUMNS, 1)
