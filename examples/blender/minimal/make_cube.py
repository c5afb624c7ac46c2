"""Writes the scene of `minimal.py`: a cube, a camera that sees it, a sun.

Run by the interpreter that has bpy, in this folder:

    python -m heliograph.engines.blender.program - make_cube.py -- cube.blend
"""

import sys
from pathlib import Path

import bpy

sys.path.append(str(Path(__file__).parents[1]))
import scenes

scenes.begin(320, 240)
bpy.data.materials.remove(scenes.add_cube("Cube", 2.0).active_material)
scenes.add_camera((5, -5, 4))
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[-1])
