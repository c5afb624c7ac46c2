"""Style `fast`: Blender's evaluated meshes, drawn by our own rasterizer.

A view goes through it so:

    dependency graph --updates--> ThingTable --rows--> DrawList --> Rasterizer --> buffers
                                      |
                                      +-- EvaluatedMeshes, Textures: what is on the rasterizer

`Updates` hears from Blender what was evaluated. `ThingTable` reads again what that concerns:
matrices of all objects in one go, the vertices of what was deformed, the rest where what is shown
is something else. What is prepared for drawing is kept while it is the same.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import bpy
import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.engines.blender.sky import Sky
from heliograph.engines.blender.things import Surface, Thing, ThingTable
from heliograph.engines.blender.world import FAST, Shown
from heliograph.engines.shared.holes import ALMOST, HOLE
from heliograph.engines.shared.lights import covering
from heliograph.errors import ClosedError, InvalidValueError
from heliograph.frame import Buffers
from heliograph.passes import PassSpecs
from heliograph.raster import (
    DrawList,
    Instances,
    Light,
    Lighting,
    LightKind,
    Mapping,
    Rasterizer,
    RasterOptions,
    make_rasterizer,
)

_LOG = logging.getLogger("heliograph.blender")


class FastStyle:
    """Draws the meshes that Blender's dependency graph evaluates.

    What is drawn is visible both in renders and in the viewport, as the graph is the viewport's:
    with its levels of subdivision, without what is hidden in it. Faces are seen from both sides.
    Light is added with our formulas, without what bounces from surface to surface, and encoded as
    sRGB; Blender's view transform is not applied, its exposure is.

    Args:
        options: how to rasterize.

    Raises:
        InvalidValueError: options of the classic look.
        ContextError: GL is to draw, and there is no usable one here.
    """

    def __init__(self, options: RasterOptions = FAST) -> None:
        if options.lit(Lighting.STANDARD) is not Lighting.STANDARD:
            raise InvalidValueError(
                "style 'fast' adds light in linear space, so expected shading='standard' and "
                f"lighting='auto', got shading={options.shading!r} and "
                f"lighting={options.lighting!r}; leave both out"
            )
        self._rasterizer: Rasterizer | None = make_rasterizer(options)
        self._table = ThingTable(self._rasterizer)
        self._sky = Sky(self._rasterizer)
        self._rows: list[tuple[Thing, Surface]] = []
        self._places = np.empty(0, np.intp)
        self._boxes = np.empty((0, 2, 3))
        self._things = Instances.blank(0)
        self._metallic = False
        self._lights: tuple[Light, ...] = ()
        self._told: dict[str, str] = {}

    @property
    def device(self) -> str:
        """Blender's version, and what draws."""
        return f"fast {bpy.app.version_string}; {self._open.device}"

    @property
    def passes(self) -> PassSpecs:
        """All passes."""
        return self._open.passes

    @property
    def approximated(self) -> dict[str, str]:
        """What of the last view does not look as Blender draws it, by material or world, and why.

        Materials are shown in the colour they have in the viewport then.
        """
        return {**self._table.approximated, **self._sky.approximated}

    def draw(
        self,
        shown: Shown,
        cameras: Sequence[Camera],
        specs: PassSpecs,
        buffers: Sequence[Buffers],
    ) -> None:
        """Draw a scene from each camera into the arrays given.

        Raises:
            ClosedError: the style is closed.
            InvalidValueError: more lights than can be drawn.
        """
        rasterizer = self._open
        changed = self._table.refresh(shown.scene, shown.view_layer)
        if changed:
            self._arrange()
            self._tell()
        self._number(shown)
        self._place()
        exposure = 2.0**shown.scene.view_settings.exposure * rasterizer.options.exposure
        back, around = self._sky.environment(shown, exposure, reflected=self._metallic)
        draw_list = DrawList(
            self._things,
            self._shining(shown, rasterizer),
            back,
            ambient=around,
            lighting=Lighting.STANDARD,
            tone_mapping=rasterizer.options.toned(),
            exposure=exposure,
        )
        rasterizer.draw(draw_list, cameras, tuple(specs), buffers)

    def _tell(self) -> None:
        """Say once of each material and world that it does not look as Blender draws it."""
        for name, why in self.approximated.items():
            if self._told.get(name) != why:
                self._told[name] = why
                _LOG.warning("%s: style fast shows it in its plain colour: %s", name, why)

    def close(self) -> None:
        """Free what draws, and stop listening to Blender; may be called twice."""
        self._table.close()
        rasterizer, self._rasterizer = self._rasterizer, None
        if rasterizer is not None:
            rasterizer.close()

    @property
    def _open(self) -> Rasterizer:
        if self._rasterizer is None:
            raise ClosedError("this style is closed")
        return self._rasterizer

    def _arrange(self) -> None:
        """Make the rows that are drawn, from the things."""
        rows = [(thing, surface) for thing in self._table.things for surface in thing.surfaces]
        made = Instances.blank(len(rows))
        table, materials, looks = made.table, made.materials, [each.paint for _, each in rows]
        table.geometry[:] = [each.piece.handle for _, each in rows]
        table.texture[:] = [each.texture for _, each in rows]
        table.side[:] = [look.side for look in looks]
        table.mapping[:] = Mapping.UV
        holes = [HOLE if each.clear else 0 for _, each in rows]
        cuts = [look.cutoff for look in looks]
        table.cutoff = np.maximum(holes, cuts).astype(np.float32)
        materials.rgba[:] = np.reshape([look.rgba for look in looks], (-1, 4))
        clear = (table.cutoff > 0) & (np.array(cuts) < HOLE)
        materials.rgba[clear, 3] = np.minimum(materials.rgba[clear, 3], ALMOST)
        materials.surface[:, 0] = 0.0
        materials.surface[:, 1] = [look.specular for look in looks]
        materials.emissive = np.reshape([look.emissive for look in looks], (-1, 3)).astype("f4")
        shiny = [(look.metallic, look.roughness) for look in looks]
        materials.metallic_roughness = np.reshape(shiny, (-1, 2)).astype(np.float32)
        self._metallic = any(look.metallic > 0 for look in looks)
        self._rows, self._things = rows, made
        self._places = np.array([thing.place for thing, _ in rows], np.intp)
        self._boxes = np.reshape([each.piece.box for _, each in rows], (-1, 2, 3))

    def _number(self, shown: Shown) -> None:
        """Give each row its id."""
        numbering = shown.numbering
        if shown.by_material:
            ids = [numbering.of_material(surface.material) for _, surface in self._rows]
        else:
            ids = [thing.identity(numbering) for thing, _ in self._rows]
        table = self._things.table
        if ids != table.ids.tolist():
            table = replace(table, ids=np.array(ids, np.int32))
            self._things = Instances(table, self._things.materials, self._things.transforms)

    def _place(self) -> None:
        """Put each row where it is."""
        poses = self._table.matrices[self._places, :3] if len(self._places) else np.empty((0, 3, 4))
        for row in np.flatnonzero(self._places < 0).tolist():
            pose = self._rows[row][0].pose
            if pose is not None:
                poses[row] = pose[:3]
        if not np.array_equal(poses, self._things.transforms.world_from_object):
            self._things = self._things.moved(poses)

    def _shining(self, shown: Shown, rasterizer: Rasterizer) -> tuple[Light, ...]:
        """The lights; the same tuple as long as they are."""
        lights = self._table.lights(shown.view_layer.depsgraph)
        if rasterizer.options.shadows and len(self._rows):
            sphere = self._sphere()
            lights = [covering(each, sphere) if _casts(each) else each for each in lights]
        if tuple(lights) != self._lights:
            self._lights = tuple(lights)
        return self._lights

    def _sphere(self) -> tuple[NDArray[np.float64], float]:
        """Centre and radius of what is seen."""
        poses = self._things.transforms.world_from_object
        centre = np.einsum("nij,nj->ni", poses[:, :, :3], self._boxes[:, 0]) + poses[:, :, 3]
        half = np.einsum("nij,nj->ni", np.abs(poses[:, :, :3]), self._boxes[:, 1])
        low, high = (centre - half).min(0), (centre + half).max(0)
        return (low + high) / 2, float(np.linalg.norm(high - low)) / 2


def _casts(light: Light) -> bool:
    return light.casts_shadow and light.kind is not LightKind.AREA
