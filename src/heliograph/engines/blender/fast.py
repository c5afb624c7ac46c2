"""Style `fast`: Blender's evaluated meshes, drawn by our own rasterizer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.colour import encoded
from heliograph.engines.blender import evaluated, lamps
from heliograph.engines.blender.materials import Paint, paint
from heliograph.engines.blender.world import Shown
from heliograph.engines.shared.lights import covering
from heliograph.errors import ClosedError, InvalidValueError
from heliograph.frame import Buffers
from heliograph.passes import PassSpecs
from heliograph.raster import (
    DrawList,
    Environment,
    Instances,
    Lighting,
    LightKind,
    Mapping,
    Rasterizer,
    RasterOptions,
    Side,
)
from heliograph.raster.types import Light

_SELF = 2


@dataclass(frozen=True, eq=False)
class _Row:
    """A part of an object, as it is drawn."""

    geometry: int
    paint: Paint
    identity: int
    pose: NDArray[np.float64]


class FastStyle:
    """Draws the meshes that Blender's dependency graph evaluates.

    What is drawn is visible both in renders and in the viewport, as the graph is the viewport's:
    with its levels of subdivision, without what is hidden in it. Light is added with our formulas
    and shown as sRGB; a view transform is not applied.

    Args:
        options: how to rasterize.

    Raises:
        InvalidValueError: options of the classic look.
        ContextError: no usable GL here.
    """

    def __init__(self, options: RasterOptions | None = None) -> None:
        options = options or RasterOptions()
        if options.lit(Lighting.STANDARD) is not Lighting.STANDARD:
            raise InvalidValueError(
                "style 'fast' adds light in linear space, so expected shading='standard' and "
                f"lighting='auto', got shading={options.shading!r} and "
                f"lighting={options.lighting!r}; leave both out"
            )
        self._rasterizer: Rasterizer | None = Rasterizer(options)
        self._approximated: dict[str, str] = {}

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
        """Materials of the last view that do not look as Blender draws them, and why."""
        return dict(self._approximated)

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
        self._approximated = {}
        rows, lights = self._scene(shown, rasterizer)
        try:
            draw_list = self._draw_list(shown, rows, lights, rasterizer)
            rasterizer.draw(draw_list, cameras, tuple(specs), buffers)
        finally:
            for row in {row.geometry for row in rows}:
                rasterizer.remove_geometry(row)

    def close(self) -> None:
        """Free the GL context; may be called twice."""
        rasterizer, self._rasterizer = self._rasterizer, None
        if rasterizer is not None:
            rasterizer.close()

    @property
    def _open(self) -> Rasterizer:
        if self._rasterizer is None:
            raise ClosedError("this style is closed")
        return self._rasterizer

    def _scene(self, shown: Shown, rasterizer: Rasterizer) -> tuple[list[_Row], list[Light]]:
        rows: list[_Row] = []
        lights: list[Light] = []
        taken: dict[int, list[tuple[int, int]]] = {}
        for instance in shown.view_layer.depsgraph.object_instances:
            thing = instance.object
            if thing.type not in ("MESH", "LIGHT") or not _rendered(instance):
                continue
            pose = np.array(instance.matrix_world)
            if thing.type == "LIGHT":
                made = lamps.light(thing.data, pose)
                lights += [] if made is None else [made]
                continue
            mesh = thing.data
            key = mesh.as_pointer()
            if key not in taken:
                taken[key] = [
                    (part.slot, rasterizer.add_geometry(part.geometry))
                    for part in evaluated.parts(mesh)
                ]
            for slot, geometry in taken[key]:
                material = _material(thing, slot)
                name = "" if material is None else material.name
                look = paint(material)
                if look.approximated:
                    self._approximated[name] = look.approximated
                if shown.by_material:
                    identity = shown.numbering.of_material(name)
                else:
                    identity = _identity(shown, instance)
                rows.append(_Row(geometry, look, identity, pose[:3]))
        return rows, lights

    def _draw_list(
        self, shown: Shown, rows: list[_Row], lights: list[Light], rasterizer: Rasterizer
    ) -> DrawList:
        things = Instances.blank(len(rows))
        table, materials = things.table, things.materials
        looks = [row.paint for row in rows]
        table.geometry[:] = [row.geometry for row in rows]
        table.ids[:] = [row.identity for row in rows]
        table.side[:] = Side.DOUBLE
        table.mapping[:] = Mapping.UV
        materials.rgba[:] = np.reshape([look.rgba for look in looks], (-1, 4))
        materials.surface[:, 1] = [look.specular for look in looks]
        materials.surface[:, 0] = 0.0
        materials.emissive = np.array([look.emissive for look in looks], np.float32).reshape(-1, 3)
        materials.metallic_roughness = np.array(
            [(look.metallic, look.roughness) for look in looks], np.float32
        ).reshape(-1, 2)
        poses = np.array([row.pose for row in rows]).reshape(-1, 3, 4)
        radii = rasterizer.radii(table.geometry) * np.linalg.norm(poses[:, :, :3], axis=(1, 2))
        placed = things.moved(poses)
        if rasterizer.options.shadows and len(rows):
            lights = _covering(lights, poses[:, :, 3], radii)
        exposure = 2.0**shown.scene.view_settings.exposure
        back, ambient = _background(shown, exposure)
        return DrawList(
            placed,
            tuple(lights),
            Environment(back),
            ambient=ambient,
            lighting=Lighting.STANDARD,
            tone_mapping=rasterizer.options.toned(),
            exposure=exposure * rasterizer.options.exposure,
        )


def _covering(
    lights: list[Light], places: NDArray[np.float64], radii: NDArray[np.float64]
) -> list[Light]:
    """Lights with shadow maps that hold all that is seen."""
    low, high = (places - radii[:, None]).min(0), (places + radii[:, None]).max(0)
    sphere = (low + high) / 2, float(np.linalg.norm(high - low)) / 2
    return [
        covering(light, sphere)
        if light.casts_shadow and light.kind is not LightKind.AREA
        else light
        for light in lights
    ]


def _background(
    shown: Shown, exposure: float
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """SRGB of what is behind everything, and the irradiance that comes from it."""
    world = shown.scene.world
    light = np.zeros(3)
    if world is not None:
        light = np.array(world.color[:])
        node = world.use_nodes and next(
            (n for n in world.node_tree.nodes if n.bl_idname == "ShaderNodeBackground"), None
        )
        if node:
            light = np.array(node.inputs["Color"].default_value[:3])
            light = light * node.inputs["Strength"].default_value
    red, green, blue = (math.pi * light).tolist()
    back = shown.background
    if back is None:
        r, g, b = encoded(np.clip(light * exposure, 0, 1)).tolist()
        back = (r, g, b)
    return back, (red, green, blue)


def _rendered(instance: Any) -> bool:
    thing = instance.object
    if thing.hide_render:
        return False
    if instance.is_instance:
        return not instance.parent.hide_render
    return not thing.is_instancer or thing.show_instancer_for_render


def _identity(shown: Shown, instance: Any) -> int:
    name = instance.object.name
    if not instance.is_instance or _is_itself(instance):
        return shown.numbering.of_object(name)
    return shown.numbering.of_instance(instance.parent.name, name, tuple(instance.persistent_id))


def _is_itself(instance: Any) -> bool:
    """Whether an instance is the mesh of a text, a curve or a metaball."""
    parent = instance.parent
    return parent.type != "MESH" and parent.name == instance.object.name


def _material(thing: Any, slot: int) -> Any:
    """What the faces of a slot are made of; faces beyond the last one have its material."""
    own = thing.data.materials
    if not len(own):
        return None
    slot = min(slot, len(own) - 1)
    slots = thing.material_slots
    if slot < len(slots) and slots[slot].link == "OBJECT":
        return slots[slot].material
    return own[slot]
