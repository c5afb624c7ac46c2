"""A Blender that streams in the manner of blendtorch: offscreen draw, pickle over ZeroMQ.

Runs inside a `blender` program with a 3D view, as

    blender --python peer.py -- ADDRESS WIDTH HEIGHT smooth|plain

The loop blocks the interface, blendtorch's fastest mode; Workbench, solid shading.
"""

import os
import pickle
import sys
from pathlib import Path

import bpy
import gpu
import numpy as np
import zmq

sys.path.insert(0, str(Path(__file__).parent))
import cube as scenes

address, width, height, look = sys.argv[sys.argv.index("--") + 1 :][:4]
width, height = int(width), int(height)
cube, material = scenes.build(width, height)
area = next(each for each in bpy.context.screen.areas if each.type == "VIEW_3D")
space, region = area.spaces[0], next(each for each in area.regions if each.type == "WINDOW")
space.shading.type = "SOLID"
space.shading.color_type = "MATERIAL"
space.overlay.show_overlays = False
if look == "plain":
    display = bpy.context.scene.display
    display.viewport_aa = display.render_aa = "OFF"
    bpy.context.preferences.system.viewport_aa = "OFF"
offscreen = gpu.types.GPUOffScreen(width, height)
scene, camera = bpy.context.scene, bpy.context.scene.camera
socket = zmq.Context().socket(zmq.PUSH)
socket.setsockopt(zmq.SNDHWM, 10)
socket.setsockopt(zmq.LINGER, 0)
socket.bind(address)
pixels = np.empty((height, width, 4), np.uint8)


def read():
    """The picture as (H, W, 4), row 0 on top."""
    if bpy.app.version < (3, 5):
        import bgl

        buffer = bgl.Buffer(bgl.GL_BYTE, pixels.shape, pixels)
        bgl.glActiveTexture(bgl.GL_TEXTURE0)
        bgl.glBindTexture(bgl.GL_TEXTURE_2D, offscreen.color_texture)
        bgl.glGetTexImage(bgl.GL_TEXTURE_2D, 0, bgl.GL_RGBA, bgl.GL_UNSIGNED_BYTE, buffer)
        return np.flipud(pixels)
    read_back = offscreen.texture_color.read()
    read_back.dimensions = width * height * 4
    return np.flipud(np.array(read_back, np.uint8).reshape(height, width, 4))


frame, rng = 0, np.random.default_rng()
while True:
    frame = frame % 100 + 1
    cube.rotation_euler = rng.uniform(0, np.pi, 3)
    material.diffuse_color = (*rng.random(3), 1)
    scene.frame_set(frame)
    graph = bpy.context.evaluated_depsgraph_get()
    projection = camera.calc_matrix_camera(graph, x=width, y=height)
    view = camera.matrix_world.normalized().inverted()
    offscreen.draw_view3d(scene, bpy.context.view_layer, space, region, view, projection)
    corners = np.array([cube.matrix_world @ each.co for each in cube.data.vertices])
    message = {"image": read()[..., :3], "xy": corners, "frameid": frame, "btid": 0}
    socket.send(pickle.dumps(message, protocol=4))
    if os.getppid() == 1:  # who started us is gone
        os._exit(0)
