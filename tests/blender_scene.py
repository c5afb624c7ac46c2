"""A scene of Blender, built by a script: things at several depths, some of which move."""

from collections.abc import Callable
from math import radians
from typing import Any, TypeAlias

import bpy
from mathutils import Vector

FRAMES = 20

Place: TypeAlias = tuple[float, float, float]


def give_nodes(owner: Any) -> None:
    """Have a material or a world look as its nodes say, which it always does since Blender 5."""
    if bpy.app.version < (5,):
        owner.use_nodes = True


def material(name: str, colour: Place, **inputs: float) -> Any:
    made = bpy.data.materials.new(name)
    give_nodes(made)
    principled = made.node_tree.nodes["Principled BSDF"]
    for key, value in {"Base Color": (*colour, 1.0), **inputs}.items():
        principled.inputs[key].default_value = value
    made.diffuse_color = (*colour, 1.0)
    return made


def added(thing: Any, name: str, wears: Any = None) -> Any:
    thing.name = name
    if wears is not None:
        thing.data.materials.append(wears)
    return thing


def primitive(call: Callable[..., object], name: str, wears: Any, **where: Any) -> Any:
    call(**where)
    return added(bpy.context.object, name, wears)


def aimed(data: Any, name: str, place: Place, target: Place = (0, 0, 0.5)) -> Any:
    made = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(made)
    made.location = place
    made.rotation_euler = (Vector(target) - Vector(place)).to_track_quat("-Z", "Y").to_euler()
    return made


def build() -> None:
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, FRAMES
    scene.render.resolution_x, scene.render.resolution_y = 96, 64
    scene.view_settings.view_transform = "Standard"
    scene.world = bpy.data.worlds.new("World")
    give_nodes(scene.world)
    scene.world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.2
    mesh = bpy.ops.mesh
    red, blue = material("Red", (0.8, 0.1, 0.1)), material("Blue", (0.1, 0.2, 0.8), Roughness=0.3)
    grey = material("Grey", (0.6, 0.6, 0.6))
    primitive(mesh.primitive_plane_add, "Floor", grey, size=8)
    primitive(mesh.primitive_cube_add, "Cube", red, size=1, location=(-0.8, 0, 0.5))
    lid = primitive(mesh.primitive_cube_add, "Lid", blue, size=0.4, location=(0, 0, 0.7))
    lid.parent = bpy.data.objects["Cube"]
    ball = primitive(
        mesh.primitive_uv_sphere_add, "Ball", blue, radius=0.5, location=(0.8, 0.4, 0.5)
    )
    for frame, x in ((1, 0.8), (FRAMES, 1.8)):
        ball.location.x = x
        ball.keyframe_insert("location", index=0, frame=frame)
    moving = bpy.data.collections.new("Moving")
    scene.collection.children.link(moving)
    moving.objects.link(ball)
    scene.collection.objects.unlink(ball)
    shape(primitive(mesh.primitive_cone_add, "Cone", red, radius1=0.3, location=(0, -1, 0.5)))
    camera = bpy.data.cameras.new("Camera")
    scene.camera = aimed(camera, "Camera", (3, -5, 3))
    aimed(bpy.data.cameras.new("Top"), "Top", (0, 0, 7))
    sun = bpy.data.lights.new("Sun", "SUN")
    sun.energy, sun.angle = 3.0, radians(1)
    aimed(sun, "Sun", (1, -2, 4))
    lamp = bpy.data.lights.new("Lamp", "POINT")
    lamp.energy = 100.0
    aimed(lamp, "Lamp", (-2, -2, 3))


def shape(thing: Any) -> None:
    """Give a thing a shape key, and an armature beside it."""
    thing.shape_key_add(name="Basis")
    tall = thing.shape_key_add(name="Tall")
    for point in tall.data:
        point.co.z *= 2
    thing.data.shape_keys.name = "Shapes"
    rig = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    bone = rig.data.edit_bones.new("Arm")
    bone.head, bone.tail = (0, 1.5, 0), (0, 1.5, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.ops.mesh.primitive_cube_add(size=0.6, location=(0, 1.5, 1.0))
    post = added(bpy.context.object, "Post", bpy.data.materials["Grey"])
    group = post.vertex_groups.new(name="Arm")
    group.add(range(len(post.data.vertices)), 1.0, "REPLACE")
    post.modifiers.new("Armature", "ARMATURE").object = rig


if __name__ == "__main__":
    build()
