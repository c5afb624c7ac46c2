"""What program and state instances need, packed into numbers, and in what order they are drawn.

Of surfaces that coincide the first one drawn shows, so the order must follow from the scene and the
view alone, not from the handles of textures.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from heliograph.raster.table import GeometryTable
from heliograph.raster.types import InstanceTable, Mapping, Shading, Shape, Side

MIRRORED = 1 << 21
"""Set in the key of a mirrored instance."""

BOXED = 1 << 37
"""Set in the key of an instance that is drawn as a box into which rays are cast."""

_WIDEST = 31
_REFLECTIVE_BIT = 23
_SIDE_BIT, _THREE_JS_BIT, _TINTED_BIT = 50, 52, 53
_PLANE_BIT, _CUTOUT_BIT, _EMISSIVE_BIT = 38, 39, 40
_ABOVE = 38  # bits below it are those of single states and levels, as in keys


@dataclass(frozen=True)
class Kind:
    """What program and state a group of instances needs."""

    solver: int
    shading: Shading
    side: Side
    mirrored: bool
    own_uv: bool
    three_js: bool  # of shapes: its own are three.js's
    reflective: bool
    texture: int
    line: int  # width in pixels, 0 for triangles
    boxed: bool  # drawn as a box that rays are cast into
    cutout: bool  # with holes where the texture is clear
    emissive: bool
    tinted: bool  # by colours of its vertices


def keys(table: InstanceTable, geometries: GeometryTable) -> NDArray[np.int64]:
    """A key (N,) for each instance, without the bits of its material.

    Instances with equal keys are of one kind, and drawn together.
    """
    textured = (table.texture >= 0) & (table.mapping != Mapping.NONE)
    key: NDArray[np.int64] = np.where(textured, table.texture + 1, 0).astype(np.int64)
    key |= table.side.astype(np.int64) << _SIDE_BIT
    three_js = textured & (table.mapping == Mapping.THREE_JS)
    key |= (textured & (table.mapping == Mapping.UV) | three_js).astype(np.int64) << 22
    key |= three_js.astype(np.int64) << _THREE_JS_BIT
    key |= table.shading.astype(np.int64) << 24
    key |= geometries.solver[table.geometry] << 28
    width = np.clip(np.rint(table.texture_scale[:, 0]), 1, _WIDEST).astype(np.int64)
    key |= np.where(table.geometry == Shape.LINE, width, 0) << 32
    key |= geometries.plane[table.geometry].astype(np.int64) << _PLANE_BIT
    key |= geometries.tinted[table.geometry].astype(np.int64) << _TINTED_BIT
    if table.cutoff is not None:
        key |= (textured & (table.cutoff > 0)).astype(np.int64) << _CUTOUT_BIT
    return key


def with_material_bits(
    key: NDArray[np.int64], mirrors: NDArray[np.intp], glowing: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Keys (N,) with the bits of other materials.

    Args:
        key: of the instances.
        mirrors: rows that show a mirror image.
        glowing: (N,) what has light of its own.
    """
    key = key & ~(1 << _REFLECTIVE_BIT | 1 << _EMISSIVE_BIT)
    key[mirrors] |= 1 << _REFLECTIVE_BIT
    key |= glowing.astype(np.int64) << _EMISSIVE_BIT
    return key


def order(key: NDArray[np.int64]) -> NDArray[np.int64]:
    """When each instance (N,) is drawn, small numbers first; of equal ones the last row.

    Kinds go together, the one first whose first row is the last. The bits BOXED and MIRRORED are
    free. Planes come last: most of a floor is behind other things.
    """
    _, first, kind = np.unique(key, return_index=True, return_inverse=True)
    when: NDArray[np.int64] = len(key) * (1 + (key >> _PLANE_BIT & 1)) - first[kind]
    return when << _ABOVE


@lru_cache(maxsize=4096)
def unpack(key: int) -> Kind:
    """What a key says."""
    mirrored, own_uv, reflective = (bool(key >> bit & 1) for bit in range(21, 24))
    return Kind(
        solver=key >> 28 & 15,
        shading=Shading(key >> 24 & 15),
        side=Side(key >> _SIDE_BIT & 3),
        mirrored=mirrored,
        own_uv=own_uv,
        three_js=bool(key >> _THREE_JS_BIT & 1),
        tinted=bool(key >> _TINTED_BIT & 1),
        reflective=reflective,
        texture=(key & 0xFFFFF) - 1,
        line=key >> 32 & _WIDEST,
        boxed=bool(key & BOXED),
        cutout=bool(key >> _CUTOUT_BIT & 1),
        emissive=bool(key >> _EMISSIVE_BIT & 1),
    )
