"""Cycles at 4 samples, 640x480, all passes: the engine against Cycles' own render, in turn."""

import statistics
import time
from pathlib import Path

import bpy

import heliograph as hg
from heliograph.engines.blender.engine import BlenderEngine
from heliograph.engines.blender.quiet import quiet

ROUNDS, SAMPLES = 9, 4
PASSES = ("rgb", "depth", "normals", "segmentation")
scene_script = Path(__file__).parent / "cube.py"
engine = BlenderEngine(str(scene_script), style="cycles", samples=SAMPLES, size=(640, 480))


def ours(index: int) -> None:
    engine.render(hg.View(passes=PASSES, seed=0, index=index))


def alone(index: int) -> None:
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.seed = SAMPLES, index
    scene.cycles.use_adaptive_sampling = scene.cycles.use_denoising = False
    scene.render.resolution_x, scene.render.resolution_y = 640, 480
    layer = bpy.context.view_layer
    layer.use_pass_z = layer.use_pass_normal = layer.use_pass_object_index = True
    with quiet():
        bpy.ops.render.render()


taken: dict[str, list[float]] = {"ours, all passes as arrays": [], "Cycles alone": []}
for index in range(ROUNDS):
    for name, way in zip(taken, (ours, alone), strict=True):
        begun = time.perf_counter()
        way(index)
        taken[name].append(time.perf_counter() - begun)
for name, times in taken.items():
    print(f"| {name} | {1e3 * statistics.median(times):.0f} ms |")
first, second = (statistics.median(each) for each in taken.values())
print(f"| ratio | {first / second:.3f} |", flush=True)

import os  # noqa: E402

os._exit(0)  # Blender may hang in its exit handlers
