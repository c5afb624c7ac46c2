"""Scenes for tests of style `fast`, and pictures of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.engines.blender.fast import FastStyle
from heliograph.engines.blender.nodes import give_nodes, has_nodes
from heliograph.engines.blender.numbering import SceneNumbering
from heliograph.engines.blender.world import FAST, Shown
from heliograph.frame import allocate
from heliograph.passes import KNOWN_PASSES
from heliograph.raster import RasterOptions

Pictures = Mapping[str, NDArray[Any]]


def empty_scene() -> Any:
    """A new file with nothing in it, black all around."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.world = bpy.data.worlds.new("World")
    set_world((0, 0, 0))
    return scene


def set_world(colour: tuple[float, float, float]) -> None:
    """Have the open scene lie in even light of this colour."""
    world = bpy.context.scene.world
    world.color = colour
    if has_nodes(world):
        world.node_tree.nodes["Background"].inputs["Color"].default_value = (*colour, 1)


def shown(*, by_material: bool = False, background: Any = None) -> Shown:
    """The open scene; ids of objects and materials are their places among sorted names, from 1."""
    scene, layer = bpy.context.scene, bpy.context.view_layer
    layer.update()
    objects, materials = (
        {name: number for number, name in enumerate(sorted(each.name for each in things), 1)}
        for things in (bpy.data.objects, bpy.data.materials)
    )
    numbering = SceneNumbering("object", objects, materials, {})
    return Shown(scene, layer, numbering, by_material, background, 0)


def camera(**options: Any) -> Camera:
    """64 x 48 pixels, from 5 m above the origin unless told otherwise."""
    given = {"eye": (0, 0, 5), "target": (0, 0, 0), "up": (0, 1, 0), "fov_y": 0.8}
    return Camera.look_at(**{**given, "width": 64, "height": 48, **options})


def picture(style: FastStyle, seen: Shown, from_camera: Camera | None = None) -> Pictures:
    """All passes."""
    from_camera = from_camera or camera()
    buffers = allocate(from_camera, KNOWN_PASSES)
    style.draw(seen, [from_camera], KNOWN_PASSES, [buffers])
    return buffers


def fresh_picture(seen: Shown, from_camera: Camera | None = None, **options: Any) -> Pictures:
    """All passes, of a style that has drawn nothing before."""
    style = FastStyle(RasterOptions(**{**vars(FAST), **options}))
    try:
        return picture(style, seen, from_camera)
    finally:
        style.close()


def add_mesh(name: str, maker: str = "cube", **options: Any) -> Any:
    """A new object of one of Blender's primitive meshes."""
    getattr(bpy.ops.mesh, f"primitive_{maker}_add")(**options)
    made = bpy.context.object
    made.name = name
    return made


def add_material(name: str, shader: str = "ShaderNodeBsdfPrincipled", **inputs: Any) -> Any:
    """A new material of one shader; names of inputs have underscores for spaces."""
    made = bpy.data.materials.new(name)
    give_nodes(made)
    nodes = made.node_tree.nodes
    nodes.clear()
    node, output = nodes.new(shader), nodes.new("ShaderNodeOutputMaterial")
    made.node_tree.links.new(node.outputs[0], output.inputs["Surface"])
    for key, value in inputs.items():
        node.inputs[key.replace("_", " ")].default_value = value
    return made


def add_light(kind: str, energy: float, *, location: Any = (0, 0, 0), **fields: Any) -> Any:
    """A new light that shines down."""
    lamp = bpy.data.lights.new(kind, kind)
    lamp.energy = energy
    for key, value in fields.items():
        setattr(lamp, key, value)
    made = bpy.data.objects.new(kind, lamp)
    made.location = location
    bpy.context.scene.collection.objects.link(made)
    return made


def add_image(name: str, pixels: NDArray[Any], *, space: str = "sRGB") -> Any:
    """A new image of pixels (H, W, 4) from 0 to 1, row 0 at the top."""
    height, width = pixels.shape[:2]
    made = bpy.data.images.new(name, width, height, alpha=True)
    made.colorspace_settings.name = space
    made.pixels.foreach_set(np.ascontiguousarray(pixels[::-1], np.float32).ravel())
    made.pack()
    return made
