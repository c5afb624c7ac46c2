"""Instances prepared for drawing: what they are, how large they are, where they are.

Each step is kept as long as its input is the same object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.raster import paint
from heliograph.raster.intake import MOST
from heliograph.raster.paint import MATERIAL_RECORD
from heliograph.raster.refusals import (
    check_lengths,
    check_materials,
    check_numbers,
    check_scales,
    check_table,
    surely_within,
)
from heliograph.raster.shapes import CAST, CAST_PIXELS
from heliograph.raster.sort_keys import BOXED, MIRRORED, keys, order, with_material_bits
from heliograph.raster.table import MAX_LEVELS, GeometryTable
from heliograph.raster.types import (
    Instances,
    InstanceTable,
    MaterialTable,
    Shape,
    Side,
    Transforms,
)

LOD_PIXELS = 0.25
"""Largest error of a simplified surface on the picture, pixels."""

LOD_DEPTH = 6.5e-4
"""Largest error of a simplified surface as a part of its distance."""

_ALONG = np.array([0.0, 0.0, 1.0])
_ORDINARY = 1e18  # squared, metres
_SPECK = 1e-30  # metres; every pixel is larger, unless it is given as none
_SPARE = [np.inf] * (MAX_LEVELS - len(CAST_PIXELS))
_PER_CAST_PIXEL = np.array([1 / pixels for pixels in CAST_PIXELS] + _SPARE)
_CAST_LEVELS = np.array([min(1 / pixels, _SPECK) for pixels in CAST_PIXELS] + _SPARE)


@dataclass(eq=False)
class Prepared:
    """All that does not depend on where instances are; row i is instance i.

    Attributes:
        table, materials, linear: what it was computed from.
        key: (N,) what program and state an instance needs.
        order: (N,) when it is drawn, as `sort_keys.order` has it.
        drawn, transparent: (N,) bool.
        flat: rows of one-sided planes.
        mirrors: those of them that reflect.
        records: (N, MATERIAL_RECORD) float32 for the GPU.
        commands: (N, MAX_LEVELS, 5) uint32, the draw command of each level.
        error, lit_pixels: the rows of GeometryTable of each instance's geometry.
        mesh: (N,) bool, what is no exact shape.
        straight: (N,) bool, what is straight along z, so that coarser levels err only across it.
        cast: (N,) `sort_keys.BOXED` for what has an outline that rays can decide, else 0; None
            where nothing has.
        clear: whether anything is transparent.
    """

    table: InstanceTable
    materials: MaterialTable
    linear: bool
    key: NDArray[np.int64]
    order: NDArray[np.int64]
    drawn: NDArray[np.bool_]
    transparent: NDArray[np.bool_]
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

    def with_materials(self, materials: MaterialTable) -> Prepared:
        """The same with other materials."""
        records = self.records.copy()
        made = _of_materials(materials, self.table, self.key, self.flat, records, self.linear)
        return replace(self, **made)


@dataclass(eq=False)
class Scaling:
    """What follows from how instances are scaled; row i is instance i.

    Attributes:
        scales: what it was computed from, as `Transforms` has it.
        determinant: (N,) of the linear part of each map.
        largest: (N,) the largest scale of each map.
        turned: (N,) what mirrored maps change of the key; None where there are none.
        solid: (N,) bool, what is not flattened to nothing.
        extreme: whether a product of three scales of any leaves the range of float32.
        pixel: (N, MAX_LEVELS) how large a pixel must be, in metres, for a level to do: by whether
            light is computed per vertex, and whether rays decide the outline of what is round.
        far: (N, MAX_LEVELS) how far away an instance must be for it, metres.
    """

    scales: NDArray[np.float64]
    determinant: NDArray[np.float64]
    largest: NDArray[np.float64]
    turned: NDArray[np.int64] | None
    solid: NDArray[np.bool_]
    extreme: bool
    pixel: Mapping[tuple[bool, bool], NDArray[np.float64]]
    far: NDArray[np.float64]

    @classmethod
    def of(cls, prepared: Prepared, scales: NDArray[np.float64]) -> Scaling:
        """Compute it for scales (N, 3, 4), which are made read-only, since the result is kept."""
        scales.flags.writeable = False
        linear = scales[:, :, :3]
        squares = (linear * linear).sum(1)
        largest = np.sqrt(squares.max(1, initial=0))
        across = np.sqrt(squares[:, :2].max(1, initial=0))
        stretch = np.where(prepared.straight, across, largest)[:, None]
        stretch = np.maximum(stretch, _SPECK)  # times infinity, where there is no such level
        determinant = _determinant(linear)
        solid = determinant != 0
        shown = squares[solid]
        extreme = shown.min(initial=1) < 1 / _ORDINARY or shown.max(initial=1) > _ORDINARY
        mirrored = determinant < 0
        error = prepared.error * stretch
        pixel = error / LOD_PIXELS
        lit_pixel = np.maximum(pixel, stretch / prepared.lit_pixels)
        cast_pixel, lit_cast_pixel = pixel, lit_pixel
        if prepared.cast is not None:
            cast = prepared.cast[:, None] > 0
            cast_pixel = np.where(cast, _CAST_LEVELS, pixel)
            lit_cast_pixel = np.where(cast, stretch * _PER_CAST_PIXEL, lit_pixel)
        return cls(
            scales=scales,
            determinant=determinant,
            largest=largest,
            turned=np.where(mirrored, MIRRORED, 0) if mirrored.any() else None,
            solid=solid,
            extreme=bool(extreme),
            pixel={
                (False, False): pixel,
                (False, True): cast_pixel,
                (True, False): lit_pixel,
                (True, True): lit_cast_pixel,
            },
            far=np.where(prepared.mesh[:, None], error / LOD_DEPTH, 0.0),
        )


@dataclass(eq=False)
class PlacedInstances:
    """Instances of one state; row i is instance i.

    Attributes:
        prepared: what they are.
        scaling: how they are scaled.
        pose: (N, 3, 4) world_from_object.
        length: (N,) of capsules, as `Transforms` has it; or None.
        half: (N, 3) half-sizes of their bounding boxes in object axes.
        centre, radius: (N, 3), (N,) world bounding spheres; the boxes have the same centres.
        key, order: (N,) as in Prepared, with what mirrored maps need.
        show: (N,) bool, what can be seen at all.
    """

    prepared: Prepared
    scaling: Scaling
    pose: NDArray[np.float64]
    length: NDArray[np.float64] | None
    half: NDArray[np.float64]
    centre: NDArray[np.float64]
    radius: NDArray[np.float64]
    key: NDArray[np.int64]
    order: NDArray[np.int64]
    show: NDArray[np.bool_]


def prepare(instances: Instances, tables: GeometryTable, *, linear: bool = False) -> Prepared:
    """Prepare what does not move; both tables are made read-only, since the result is kept.

    Args:
        instances: what is drawn.
        tables: facts of its geometries.
        linear: whether light is added in linear space.
    """
    table, geometry = instances.table, instances.table.geometry
    check_table(table, len(tables.base))
    _make_read_only(table)
    cast = np.array(CAST)[tables.solver[geometry]]
    flat = np.flatnonzero(tables.plane[geometry] & (table.side == Side.FRONT))
    commands = np.empty((*tables.first[geometry].shape, 5), np.uint32)
    commands[:, :, 0] = tables.count[geometry]
    commands[:, :, 1] = 1
    commands[:, :, 2] = tables.first[geometry]
    commands[:, :, 3] = tables.base[geometry][:, None]
    commands[:, :, 4] = np.arange(len(geometry))[:, None]
    records = np.zeros((len(geometry), MATERIAL_RECORD), np.float32)
    records[:, 8:11] = table.texture_scale
    if table.cutoff is not None:
        records[:, 11] = table.cutoff
    records[:, 12] = table.ids.astype(np.int32).view(np.float32)
    if table.texture_offset is not None:
        records[:, 13:15] = table.texture_offset
    return Prepared(
        table=table,
        flat=flat,
        commands=commands,
        error=tables.error[geometry],
        lit_pixels=tables.lit_pixels[geometry],
        mesh=tables.solver[geometry] == 0,
        straight=geometry == Shape.CYLINDER,
        cast=np.where(cast, BOXED, 0) if cast.any() else None,
        linear=linear,
        **_of_materials(instances.materials, table, keys(table, tables), flat, records, linear),
    )


def renewed(
    before: tuple[Prepared, Scaling] | None,
    instances: Instances,
    tables: GeometryTable,
    *,
    linear: bool,
) -> tuple[Prepared, Scaling]:
    """The steps before `place`, each done again only where its input changed.

    `before` itself is returned where nothing did; it is None at first.
    """
    prepared, scaling = before or (None, None)
    if prepared is None or prepared.table is not instances.table or prepared.linear is not linear:
        prepared, scaling = prepare(instances, tables, linear=linear), None
    elif prepared.materials is not instances.materials:
        prepared = prepared.with_materials(instances.materials)
    scales = instances.transforms.scales
    if scaling is None or scaling.scales is not scales:
        check_scales(instances.transforms, len(instances))
        scaling = Scaling.of(prepared, scales)
    same = before is not None and prepared is before[0] and scaling is before[1]
    return before if before is not None and same else (prepared, scaling)


def place(
    prepared: Prepared, scaling: Scaling, transforms: Transforms, tables: GeometryTable
) -> PlacedInstances:
    """Prepare one state for drawing from any number of cameras."""
    geometry, pose = prepared.table.geometry, transforms.world_from_object
    turned = scaling.turned
    box, radius = tables.box[geometry], tables.radius[geometry]
    half = box[:, 1]
    if transforms.length is not None:
        check_lengths(transforms.length)
        radius = radius + transforms.length
        half = half + transforms.length[:, None] * _ALONG
    return PlacedInstances(
        prepared=prepared,
        scaling=scaling,
        pose=pose,
        length=transforms.length,
        half=half,
        centre=np.einsum("nij,nj->ni", pose[:, :, :3], box[:, 0]) + pose[:, :, 3],
        radius=radius * scaling.largest,
        key=prepared.key if turned is None else prepared.key | turned,
        order=prepared.order if turned is None else prepared.order | turned,
        show=transforms.visible & prepared.drawn & scaling.solid,
    )


def _of_materials(
    materials: MaterialTable,
    table: InstanceTable,
    key: NDArray[np.int64],
    flat: NDArray[np.intp],
    records: NDArray[np.float32],
    linear: bool,
) -> dict[str, Any]:
    """The fields of Prepared that depend on materials, which are written into the records too."""
    check_materials(materials, len(table.geometry))
    _make_read_only(materials)
    rgba = materials.rgba
    records[:, 3] = 1 - (1 - rgba[:, 3]) ** table.layers
    mirrors = flat[materials.surface[flat, 3] > 0]
    if linear:
        glowing = paint.write_linear(materials, table.shading, mirrors, records)
    else:
        glowing = paint.write_classic(materials, mirrors, records)
    if not surely_within(records, MOST):  # or an id has the bits of NaN
        check_numbers(table, materials)
    transparent = rgba[:, 3] < 1
    key = with_material_bits(key, mirrors, glowing)
    return {
        "materials": materials,
        "key": key,
        "order": order(key),
        "drawn": rgba[:, 3] > 0,
        "transparent": transparent,
        "mirrors": mirrors,
        "records": records,
        "clear": bool(transparent.any()),
    }


def _make_read_only(table: InstanceTable | MaterialTable) -> None:
    for rows in vars(table).values():
        if isinstance(rows, np.ndarray):
            rows.flags.writeable = False


def _determinant(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Determinants (N,) of (N, 3, 3)."""
    (a, b, c), (d, e, f), (g, h, i) = np.ascontiguousarray(matrices.transpose(1, 2, 0))
    result: NDArray[np.float64] = a * (e * i - f * h) + b * (f * g - d * i) + c * (d * h - e * g)
    return result
