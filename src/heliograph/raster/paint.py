"""Materials as the shaders read them: records of numbers per instance, for either way to add light.

Of sRGB light a record holds colour and MuJoCo's numbers as they are. Of linear light it holds the
decoded colour, and what glTF's or Phong's formulas take.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heliograph.colour import linear
from heliograph.raster.types import Floats, MaterialTable, Shading

MATERIAL_RECORD = 19
"""float32 numbers per instance that do not depend on where it is: rgba and surface (4 each), the
texture's scale (3), the cutoff, the bits of the id, the texture's offset (2), the emissive colour
(3) and reflectance."""

_SHARPEST = 128.0
_HEAD_ON = 0.08  # of light that a dielectric reflects, for a specular of 1

Records = NDArray[np.float32]
Bools = NDArray[np.bool_]


def write_classic(materials: MaterialTable, mirrors: NDArray[np.intp], records: Records) -> Bools:
    """Write what materials say into records (N, MATERIAL_RECORD); which (N,) glow.

    Args:
        materials: the materials.
        mirrors: rows that show a mirror image.
        records: written to.
    """
    surface = materials.surface
    records[:, 0:3] = materials.rgba[:, :3]
    records[:, 4:7] = surface[:, :3]
    records[:, 6] *= _SHARPEST
    records[:, 7] = 0  # what is no plane shows no mirror image
    records[mirrors, 7] = surface[mirrors, 3]
    records[:, 15:18] = 0.0 if materials.emissive is None else materials.emissive
    return _any_above_0(records[:, 15:18])


def write_linear(
    materials: MaterialTable,
    shading: NDArray[np.int8],
    mirrors: NDArray[np.intp],
    records: Records,
) -> Bools:
    """The same for linear light; `shading` (N,) are members of `Shading`."""
    surface, colour = materials.surface, linear(materials.rgba[:, :3])
    records[:, 0:3] = colour
    records[:, 4], records[:, 5] = 0.0, roughness(surface[:, 2])
    if materials.metallic_roughness is not None:
        given = ~np.isnan(materials.metallic_roughness)
        np.copyto(records[:, 4:6], materials.metallic_roughness, where=given)
    records[:, 6], records[:, 18] = _HEAD_ON * surface[:, 1], 0.0
    records[mirrors, 18] = surface[mirrors, 3]
    if materials.highlight is not None:
        phong = shading == Shading.PHONG
        records[phong, 4:8] = materials.highlight[phong]
    records[:, 15:18] = surface[:, :1] * colour
    if materials.emissive is not None:
        records[:, 15:18] += materials.emissive
    return _any_above_0(records[:, 15:18])


def _any_above_0(rows: Records) -> Bools:
    above: Bools = np.logical_or.reduce(rows > 0, axis=1)
    return above


def roughness(shininess: Floats) -> Floats:
    """The roughness (N,) of glTF for MuJoCo's shininess: of highlights as wide in the middle."""
    rough: Floats = (2.0 / (_SHARPEST * np.maximum(shininess, 0.0) + 2.0)) ** 0.25
    return rough
