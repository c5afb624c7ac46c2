"""Runs: stretches of one id along the rows of a segmentation; all that is counted starts here."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heliograph.errors import InvalidValueError
from heliograph.poses import as_array

Ints = NDArray[np.intp]


class Runs(NamedTuple):
    """Stretches of pixels of one id that lie beside one another in a row, from the top left.

    Attributes:
        ids: (R,) what is seen there; 0 is the background.
        places: (R,) the object of `known` that each is.
        known: (K,) the ids that there are, ascending.
        rows: (R,) row of each.
        starts, stops: (R,) its first column, and the one after its last.
    """

    ids: NDArray[Any]
    places: Ints
    known: NDArray[Any]
    rows: Ints
    starts: Ints
    stops: Ints


def check_ids(segmentation: ArrayLike) -> NDArray[Any]:
    """A segmentation as an array (H, W) of whole numbers.

    Raises:
        InvalidValueError: another shape, or other numbers.
    """
    ids = as_array(segmentation, "segmentation")
    if ids.ndim != 2 or ids.dtype.kind not in "biu":
        raise InvalidValueError(
            f"segmentation: expected whole numbers (H, W), got {ids.shape} {ids.dtype}"
        )
    return ids


def runs_of(segmentation: ArrayLike) -> Runs:
    """The runs of a segmentation (H, W); they cover all of it."""
    ids = check_ids(segmentation)
    height, width = ids.shape
    new = np.ones((height, width), bool)
    np.not_equal(ids[:, 1:], ids[:, :-1], out=new[:, 1:])
    first = np.flatnonzero(new)
    found = ids.ravel()[first]
    known, places = np.unique(found, return_inverse=True)
    rows, starts = np.divmod(first, max(width, 1))
    lengths = np.diff(first, append=ids.size)
    return Runs(found, places.reshape(-1), known, rows, starts, starts + lengths)
