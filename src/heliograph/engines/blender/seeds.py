"""The seed of what a renderer draws at random for one view."""

from __future__ import annotations

import numpy as np

from heliograph.view import View

_MASK = 2**31 - 1


def seed_of(view: View) -> int:
    """A number from 0 to 2**31 - 1, from a view's seed and index alone; 0 without a seed."""
    if view.seed is None:
        return 0
    drawn = np.random.SeedSequence([view.seed, view.index]).generate_state(1, np.uint32)
    return int(drawn[0]) & _MASK
