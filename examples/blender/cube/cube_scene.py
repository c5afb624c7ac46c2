"""A cube, and a ball that hides a part of it: a scene that a script builds."""

import sys
from pathlib import Path

import bpy

sys.path.append(str(Path(__file__).parents[1]))
import scenes

scenes.begin(320, 240)
scenes.add_cube("Cube", 2.0, colour=(0.8, 0.3, 0.1))
bpy.ops.mesh.primitive_uv_sphere_add(radius=0.6, location=(2.2, -2, 0.4))
bpy.context.object.name = "Ball"
scenes.add_camera((6, -6, 4.5))
