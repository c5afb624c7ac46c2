"""A program that publishes what Blender's Workbench draws of the cube: ADDRESS WIDTH HEIGHT."""

import sys
from pathlib import Path

import bpy
import numpy as np

from heliograph.engines.blender.offscreen import OffScreenRenderer
from heliograph.publish import Publisher

sys.path.insert(0, str(Path(__file__).parent))
import cube as scenes

address, width, height = sys.argv[sys.argv.index("--") + 1 :][:3]
cube, material = scenes.build(int(width), int(height))
renderer = OffScreenRenderer(mode="rgb")
renderer.set_render_style(shading="SOLID")
with Publisher(address) as publisher:
    frame, rng = 0, np.random.default_rng()
    while True:
        frame = frame % 100 + 1
        cube.rotation_euler = rng.uniform(0, np.pi, 3)
        material.diffuse_color = (*rng.random(3), 1)
        bpy.context.scene.frame_set(frame)
        publisher.publish(image=renderer.render(), frameid=frame)
