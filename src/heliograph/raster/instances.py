"""Instances prepared for drawing: what they look like, how large they are, where they are.

Each step is kept as long as its input stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.raster.shapes import CAST, CAST_PIXELS
from heliograph.raster.sort_keys import BOXED, MIRRORED, keys, repainted
from heliograph.raster.table import MAX_LEVELS, GeometryTable
from heliograph.raster.types import Instances, Shape, Side

LOD_PIXELS = 0.25
"""Largest error of a simplified surface on the picture, pixels."""

LOD_DEPTH = 6.5e-4
"""Largest error of a simplified surface as a part of its distance."""

_ALONG = np.array([0.0, 0.0, 1.0])
_SPECK = 1e-30  # metres; every pixel is larger, unless it is given as none
_SPARE = [np.inf] * (MAX_LEVELS - len(CAST_PIXELS))
_PER_CAST_PIXEL = np.array([1 / pixels for pixels in CAST_PIXELS] + _SPARE)
_CAST_LEVELS = np.array([min(1 / pixels, _SPECK) for pixels in CAST_PIXELS] + _SPARE)

LOOKS_RECORD = 18
"""float32 numbers per instance that only its looks decide: rgba and surface (4 each), the texture's
scale (3), the cutoff, the bits of the id, the texture's offset (2), and the emissive colour (3)."""


@dataclass(eq=False)
class Looks:
    """What instances look like, prepared; row i is instance i.

    Attributes:
        geometry: (N,) handles.
        key: (N,) what program an instance needs, packed so that it sorts.
        drawn, transparent, casts_shadow: (N,) bool.
        flat: rows of one-sided planes.
        mirrors: those of them that reflect.
        records: (N, LOOKS_RECORD) float32 for the GPU.
        commands: (N, MAX_LEVELS, 5) uint32, the draw command of each level.
        error, lit_pixels: the rows of GeometryTable of each instance's geometry.
        mesh: (N,) bool, what is no exact shape.
        straight: (N,) bool, what is straight along z, so that coarser levels err only across it.
        cast: (N,) `kinds.BOXED` for what has an outline that rays can decide, else 0; None where
            nothing has.
        clear: whether anything is transparent.
    """

    geometry: NDArray[np.int32]
    key: NDArray[np.int64]
    drawn: NDArray[np.bool_]
    transparent: NDArray[np.bool_]
    casts_shadow: NDArray[np.bool_]
    flat: NDArray[np.intp]
    mirrors: NDArray[np.intp]
    records: NDArray[np.float32]
    commands: NDArray[np.uint32]
    error: NDArray[np.float64]
    lit_pixels: NDArray[np.float64]
    mesh: NDArray[np.bool_]
    straight: NDArray[np.bool_]
    cast: NDArray[np.int64] | None
    clear: bool


@dataclass(eq=False)
class Scaling:
    """What follows from how instances are scaled; row i is instance i.

    Attributes:
        determinant: (N,) of the linear part of each map.
        largest: (N,) the largest scale of each map.
        turned: (N,) what mirrored maps change of the key; None where there are none.
        solid: (N,) bool, what is not flattened to nothing.
        pixel, lit_pixel: (N, MAX_LEVELS) how large a pixel must be, in metres, for a level to do;
            without and with light per vertex.
        cast_pixel, lit_cast_pixel: the same where rays decide the outline of what is round.
        far: (N, MAX_LEVELS) how far away an instance must be for it, metres.
        length: (N,) of capsules, as Instances has it; or None.
    """

    determinant: NDArray[np.float64]
    largest: NDArray[np.float64]
    turned: NDArray[np.int64] | None
    solid: NDArray[np.bool_]
    pixel: NDArray[np.float64]
    lit_pixel: NDArray[np.float64]
    cast_pixel: NDArray[np.float64]
    lit_cast_pixel: NDArray[np.float64]
    far: NDArray[np.float64]
    length: NDArray[np.float64] | None

    def needed(self, *, vertex_lit: bool, cast: bool) -> NDArray[np.float64]:
        """How large a pixel must be (N, MAX_LEVELS), in metres, for a level to do."""
        if cast:
            return self.lit_cast_pixel if vertex_lit else self.cast_pixel
        return self.lit_pixel if vertex_lit else self.pixel


@dataclass(eq=False)
class Placed:
    """Instances of one state; row i is instance i.

    Attributes:
        looks: what they look like.
        scaling: how they are scaled.
        pose: (N, 3, 4) world_from_object.
        half: (N, 3) half-sizes of their bounding boxes in object axes.
        centre, radius: (N, 3), (N,) world bounding spheres; the boxes have the same centres.
        key: (N,) as in Looks, with what mirrored maps need.
        show: (N,) bool, what can be seen at all.
    """

    looks: Looks
    scaling: Scaling
    pose: NDArray[np.float64]
    half: NDArray[np.float64]
    centre: NDArray[np.float64]
    radius: NDArray[np.float64]
    key: NDArray[np.int64]
    show: NDArray[np.bool_]


def compile_looks(instances: Instances, tables: GeometryTable) -> Looks:
    """Prepare what does not move; the arrays are made read-only, since the result is kept."""
    for name, rows in vars(instances).items():
        if isinstance(rows, np.ndarray) and name not in ("world_from_object", "visible", "length"):
            rows.flags.writeable = False
    one_sided, geometry = instances.side == Side.FRONT, instances.geometry
    cast = np.array(CAST)[tables.solver[geometry]] & one_sided
    flat = np.flatnonzero(tables.plane[geometry] & one_sided)
    return Looks(
        geometry=geometry,
        key=keys(instances, tables),
        casts_shadow=instances.casts_shadow,
        flat=flat,
        mirrors=_mirrors(flat, instances),
        records=_records(instances),
        commands=_commands(geometry, tables),
        error=tables.error[geometry],
        lit_pixels=tables.lit_pixels[geometry],
        mesh=tables.solver[geometry] == 0,
        straight=geometry == Shape.CYLINDER,
        cast=np.where(cast, BOXED, 0) if cast.any() else None,
        **_alphas(instances),
    )


def repaint(looks: Looks, instances: Instances) -> Looks:
    """The same with the instances' colours and surfaces; all else is as it was."""
    instances.rgba.flags.writeable = instances.surface.flags.writeable = False
    records = looks.records.copy()
    _paint(records, instances)
    return replace(
        looks,
        mirrors=_mirrors(looks.flat, instances),
        key=repainted(looks.key, instances),
        records=records,
        **_alphas(instances),
    )


def scaling(looks: Looks, pose: NDArray[np.float64], length: NDArray[np.float64] | None) -> Scaling:
    """Prepare what depends on poses (N, 3, 4) only by how they scale."""
    linear = pose[:, :, :3]
    squares = (linear * linear).sum(1)
    largest = np.sqrt(squares.max(1, initial=0))
    across = np.sqrt(squares[:, :2].max(1, initial=0))
    stretch = np.where(looks.straight, across, largest)[:, None]
    stretch = np.maximum(stretch, _SPECK)  # times infinity, where there is no such level
    determinant = _determinant(linear)
    mirrored = determinant < 0
    error = looks.error * stretch
    pixel = error / LOD_PIXELS
    lit_pixel = np.maximum(pixel, stretch / looks.lit_pixels)
    cast_pixel, lit_cast_pixel = pixel, lit_pixel
    if looks.cast is not None:
        cast = looks.cast[:, None] > 0
        cast_pixel = np.where(cast, _CAST_LEVELS, pixel)
        lit_cast_pixel = np.where(cast, stretch * _PER_CAST_PIXEL, lit_pixel)
    return Scaling(
        determinant=determinant,
        largest=largest,
        turned=np.where(mirrored, MIRRORED, 0) if mirrored.any() else None,
        solid=determinant != 0,
        pixel=pixel,
        lit_pixel=lit_pixel,
        cast_pixel=cast_pixel,
        lit_cast_pixel=lit_cast_pixel,
        length=length,
        far=np.where(looks.mesh[:, None], error / LOD_DEPTH, 0.0),
    )


def place(
    looks: Looks,
    scaled: Scaling,
    pose: NDArray[np.float64],
    visible: NDArray[np.bool_],
    tables: GeometryTable,
) -> Placed:
    """Prepare one state for drawing from any number of cameras."""
    box, radius = tables.box[looks.geometry], tables.radius[looks.geometry]
    half = box[:, 1]
    if scaled.length is not None:
        radius = radius + scaled.length
        half = half + scaled.length[:, None] * _ALONG
    return Placed(
        looks=looks,
        scaling=scaled,
        pose=pose,
        half=half,
        centre=np.einsum("nij,nj->ni", pose[:, :, :3], box[:, 0]) + pose[:, :, 3],
        radius=radius * scaled.largest,
        key=looks.key if scaled.turned is None else looks.key | scaled.turned,
        show=visible & looks.drawn & scaled.solid,
    )


def _commands(geometry: NDArray[np.int32], tables: GeometryTable) -> NDArray[np.uint32]:
    commands = np.empty((*tables.first[geometry].shape, 5), np.uint32)
    commands[:, :, 0] = tables.count[geometry]
    commands[:, :, 1] = 1
    commands[:, :, 2] = tables.first[geometry]
    commands[:, :, 3] = tables.base[geometry][:, None]
    commands[:, :, 4] = np.arange(len(geometry))[:, None]
    return commands


def _records(instances: Instances) -> NDArray[np.float32]:
    records = np.zeros((len(instances), LOOKS_RECORD), np.float32)
    _paint(records, instances)
    records[:, 8:11] = instances.texture_scale
    records[:, 12] = instances.ids.astype(np.int32).view(np.float32)
    if instances.texture_offset is not None:
        records[:, 13:15] = instances.texture_offset
    if instances.cutoff is not None:
        records[:, 11] = instances.cutoff
    if instances.emissive is not None:
        records[:, 15:18] = instances.emissive
    return records


def _paint(records: NDArray[np.float32], instances: Instances) -> None:
    records[:, 0:3] = instances.rgba[:, :3]
    records[:, 3] = 1 - (1 - instances.rgba[:, 3]) ** instances.layers
    records[:, 4:8] = instances.surface
    records[:, 6] *= 128


def _mirrors(flat: NDArray[np.intp], instances: Instances) -> NDArray[np.intp]:
    mirrors: NDArray[np.intp] = flat[instances.surface[flat, 3] > 0]
    return mirrors


def _alphas(instances: Instances) -> dict[str, Any]:
    """What follows from how opaque things are."""
    alpha = instances.rgba[:, 3]
    transparent = alpha < 1
    return {"drawn": alpha > 0, "transparent": transparent, "clear": bool(transparent.any())}


def _determinant(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Determinants (N,) of (N, 3, 3)."""
    (a, b, c), (d, e, f), (g, h, i) = np.ascontiguousarray(matrices.transpose(1, 2, 0))
    result: NDArray[np.float64] = a * (e * i - f * h) + b * (f * g - d * i) + c * (d * h - e * g)
    return result
