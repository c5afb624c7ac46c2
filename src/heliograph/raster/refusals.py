"""What draw lists may hold, checked; and words for what has failed for want of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.errors import HeliographError, InvalidValueError, shown
from heliograph.frame import Buffers, own_or_given
from heliograph.passes import KNOWN_PASSES, select_passes
from heliograph.raster.types import (
    DrawList,
    InstanceTable,
    Mapping,
    MaterialTable,
    Shading,
    Side,
    Transforms,
)

FAILURES = (IndexError, KeyError, TypeError, ValueError)
"""What comes of values that nothing was made for."""

_Columns: TypeAlias = dict[str, tuple[str, tuple[int, ...]]]
"""By name the kinds of dtype that a column may have, and the shape of its rows."""

_TABLE: _Columns = {
    **dict.fromkeys(("geometry", "texture", "mapping", "ids", "side", "shading"), ("iu", ())),
    "texture_scale": ("f", (3,)),
    "casts_shadow": ("b", ()),
    "texture_offset": ("f", (2,)),
    "cutoff": ("f", ()),
}
_MATERIALS: _Columns = {
    "rgba": ("f", (4,)),
    "surface": ("f", (4,)),
    "emissive": ("f", (3,)),
    "metallic_roughness": ("f", (2,)),
    "highlight": ("f", (4,)),
}
_TRANSFORMS: _Columns = {
    "world_from_object": ("f", (3, 4)),
    "scales": ("f", (3, 4)),
    "visible": ("b", ()),
    "length": ("f", ()),
}
_MOST_TEXTURES = (1 << 20) - 1  # as many as sort keys have room for
_KINDS = {"iu": "integers", "f": "floating-point numbers", "b": "bools"}


def check_table(table: InstanceTable, geometries: int) -> None:
    """Refuse columns of another shape, and numbers that nothing stands for.

    Args:
        table: what instances are.
        geometries: how many handles of geometries were given out.

    Raises:
        InvalidValueError: there are such.
    """
    _check_columns(table, _TABLE, len(table.geometry))
    if not len(table.geometry):
        return
    for name, first, end in (
        ("geometry", 0, geometries),
        ("texture", -1, _MOST_TEXTURES),
        ("mapping", 0, len(Mapping)),
        ("side", 0, len(Side)),
        ("shading", 0, len(Shading)),
    ):
        numbers = getattr(table, name)
        least, most = numbers.min(), numbers.max()
        if least < first or most >= end:
            raise InvalidValueError(
                f"InstanceTable.{name}: expected numbers from {first} to {end - 1}, got "
                f"{least if least < first else most}"
            )


def check_materials(materials: MaterialTable, count: int) -> None:
    """Refuse columns of another shape than so many instances need.

    Raises:
        InvalidValueError: there are such.
    """
    _check_columns(materials, _MATERIALS, count)


def check_lengths(length: NDArray[np.float64]) -> None:
    """Refuse lengths of capsules that none can have.

    Raises:
        InvalidValueError: one is negative, infinite or NaN.
    """
    least, most = length.min(initial=0), length.max(initial=0)
    if not (least >= 0 and most < np.inf):
        wrong = int(np.argmin((length >= 0) & (length < np.inf)))
        raise InvalidValueError(
            "Transforms.length: expected finite numbers from 0, in radii of the capsule, got "
            f"{length[wrong]} of instance {wrong}"
        )


class Textures(Protocol):
    """Textures by handle."""

    def at(self, handle: int) -> object:
        """A texture; `InvalidValueError` where there is none."""


def explained(
    error: Exception,
    scene: DrawList,
    textures: Textures,
    cameras: Sequence[Camera],
    passes: Sequence[str],
    out: Sequence[Buffers],
) -> HeliographError | None:
    """What is wrong with a draw that failed; None where nothing is found but what came of it.

    To look only now costs nothing where all is well.
    """
    if isinstance(error, HeliographError):
        return None
    transforms = scene.instances.transforms
    try:
        _check_columns(transforms, _TRANSFORMS, len(scene.instances))
        if transforms.length is not None:
            check_lengths(transforms.length)
        for handle in np.unique(scene.instances.table.texture[transforms.visible]).tolist():
            if handle >= 0:
                textures.at(handle)
        own_or_given(cameras, select_passes(passes, KNOWN_PASSES), out)
    except HeliographError as found:
        return found
    return None


def _check_columns(
    rows: InstanceTable | MaterialTable | Transforms,
    columns: _Columns,
    count: int,
) -> None:
    for name, (kinds, width) in columns.items():
        column: Any = getattr(rows, name)
        shape = (count, *width)
        if column is None or (
            type(column) is np.ndarray and column.shape == shape and column.dtype.kind in kinds
        ):
            continue
        is_array = isinstance(column, np.ndarray)
        raise InvalidValueError(
            f"{type(rows).__name__}.{name}: expected an array {shape} of {_KINDS[kinds]}, got "
            f"{f'{column.shape} {column.dtype}' if is_array else shown(column)}"
        )
