"""The cube of the benchmark: a cube on nothing, a camera, a lamp. Runs inside any Blender."""

import bpy
import mathutils


def build(width, height):
    """Make the scene; its cube and the cube's material."""
    scene = bpy.context.scene
    for each in list(bpy.data.objects):
        bpy.data.objects.remove(each)
    corners = [(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    mesh = bpy.data.meshes.new("Cube")
    mesh.from_pydata(corners, [], faces)
    cube = bpy.data.objects.new("Cube", mesh)
    scene.collection.objects.link(cube)
    material = bpy.data.materials.new("random")
    material.use_nodes = True
    cube.data.materials.append(material)
    eye = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    eye.location = (7.36, -6.93, 4.96)
    eye.rotation_euler = (-eye.location).to_track_quat("-Z", "Y").to_euler()
    lamp = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    lamp.data.energy, lamp.data.angle = 3, 0
    lamp.rotation_euler = mathutils.Euler((0.6, 0.2, 0.3))
    for each in (eye, lamp):
        scene.collection.objects.link(each)
    scene.camera = eye
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.render.resolution_percentage = 100
    return cube, material


if __name__ == "__main__":  # as the scene script of our engine
    build(640, 480)
