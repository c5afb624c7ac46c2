"""Object tables for tests of randomizers: names, categories and materials, nothing else."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from heliograph.scene import ObjectTable, SceneObject

NO_BOX = np.full((2, 3), np.nan)


def objects(
    categories: Mapping[str, str], materials: Mapping[str, str] | None = None
) -> ObjectTable:
    """A table of objects that can be seen: name -> category, and name -> material for some."""
    worn = materials or {}
    return ObjectTable.of(
        [
            SceneObject(number, name, category, worn.get(name, ""), 0, NO_BOX, seen=True)
            for number, (name, category) in enumerate(categories.items(), 1)
        ]
    )
