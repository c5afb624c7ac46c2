"""A version of a scene as a page is to show it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heliograph.scene.tree import Tree


@dataclass(frozen=True, eq=False)
class SceneRows:
    """What a page is to show.

    Attributes:
        version: its number.
        tree: the components, one row each, parents first; not changed any more, or changed only
            together with the keys that are told.
        ids: (N,) int32, the object id of each row; 0 for what the segmentation never shows.
    """

    version: int
    tree: Tree
    ids: NDArray[np.int32]
