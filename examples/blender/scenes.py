"""What the scenes of these examples share; scripts inside Blender import it."""

from typing import TypeAlias

import bpy
from mathutils import Vector

Place: TypeAlias = tuple[float, float, float]


def begin(width: int, height: int) -> bpy.types.Scene:
    """An empty scene with a sun; pictures of it have this many pixels."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.world = bpy.data.worlds.new("World")
    bpy.ops.object.light_add(type="SUN", rotation=(0.6, 0.2, 0.3))
    bpy.context.object.data.energy = 3
    return scene


def add_camera(where: Place, towards: Place = (0, 0, 0)) -> None:
    """A camera that looks at a point; the scene's from now on."""
    turn = (Vector(towards) - Vector(where)).to_track_quat("-Z", "Y")
    bpy.ops.object.camera_add(location=where, rotation=turn.to_euler())
    bpy.context.scene.camera = bpy.context.object


def add_cube(
    name: str, size: float | Place = 1.0, colour: Place = (0.8, 0.8, 0.8)
) -> bpy.types.Object:
    """A cube, or a box with a size for each axis, of one colour, in the middle of the world."""
    bpy.ops.mesh.primitive_cube_add(size=1)
    cube = bpy.context.object
    cube.name = name
    cube.scale = (size,) * 3 if isinstance(size, float) else size
    bpy.ops.object.transform_apply(location=False, rotation=False)
    cube.active_material = bpy.data.materials.new(name)
    cube.active_material.diffuse_color = (*colour, 1)
    return cube


def make_rigid(
    thing: bpy.types.Object, kind: str = "ACTIVE", **properties: float | str | bool
) -> bpy.types.Object:
    """Gives a thing to Blender's physics: "ACTIVE" moves, "PASSIVE" rests."""
    if bpy.context.scene.rigidbody_world is None:
        bpy.ops.rigidbody.world_add()
    bpy.context.view_layer.objects.active = thing
    bpy.ops.rigidbody.object_add(type=kind)
    for name, value in {"collision_shape": "BOX", **properties}.items():
        setattr(thing.rigid_body, name, value)
    return thing
