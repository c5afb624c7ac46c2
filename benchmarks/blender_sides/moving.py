"""Style `fast` of 100 objects with 200,000 triangles: milliseconds per view by how many move.

Run with an interpreter that has `bpy`: PYTHONPATH=src python benchmarks/blender_sides/moving.py
For each number: at 320x240 with all four passes, at 16x12 so that next to nothing is drawn, and
what of a view is Python's and Blender's: the same without the rasterizer's part.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import bpy
import numpy as np

from heliograph.camera import Camera
from heliograph.engines.blender.fast import FastStyle
from heliograph.engines.blender.numbering import SceneNumbering
from heliograph.engines.blender.world import Shown
from heliograph.frame import allocate
from heliograph.passes import PASSES
from heliograph.raster.gl.rasterizer import GlRasterizer

_SIDE = 10


def scene(*, deformed: bool, objects: int) -> list[Any]:
    """A grid of balls of 2,000 triangles, each a mesh of its own, on a sheet of light."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    lamp = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    lamp.data.energy = 3.0
    bpy.context.scene.collection.objects.link(lamp)
    made = []
    for number in range(objects):
        bpy.ops.mesh.primitive_uv_sphere_add(
            segments=40, ring_count=26, radius=0.4, location=(number % _SIDE, number // _SIDE, 0)
        )
        ball = bpy.context.object
        bpy.ops.object.shade_smooth()
        material = bpy.data.materials.new("Material")
        material.use_nodes = True
        ball.data.materials.append(material)
        if deformed:
            ball.shape_key_add(name="Basis")
            key = ball.shape_key_add(name="Key")
            key.data[0].co = (0, 0, 1)
        made.append(ball)
    return made


def view_times(
    style: FastStyle, change: Callable[[int], None], size: tuple[int, int], views: int
) -> tuple[float, float]:
    """Median milliseconds of Blender's update and of `draw`."""
    numbering = SceneNumbering(
        "object", {each.name: n for n, each in enumerate(bpy.data.objects, 1)}, {}, {}
    )
    eye = (_SIDE / 2 - 0.5, -6.0, 9.0)
    camera = Camera.look_at(
        eye=eye, target=(_SIDE / 2 - 0.5, 4.5, 0), fov_y=0.8, width=size[0], height=size[1]
    )
    buffers = allocate(camera, PASSES)
    spent = []
    for number in range(views):
        change(number)
        begun = time.perf_counter()
        bpy.context.view_layer.update()
        updated = time.perf_counter()
        seen = Shown(bpy.context.scene, bpy.context.view_layer, numbering, False, None, 0)
        style.draw(seen, [camera], PASSES, [buffers])
        spent.append((updated - begun, time.perf_counter() - updated))
    first, second = np.median(spent[views // 5 :], axis=0) * 1e3
    return float(first), float(second)


def line(name: str, style: FastStyle, change: Callable[[int], None], views: int) -> None:
    """Measure and print a row."""
    large = view_times(style, change, (320, 240), views)
    small = view_times(style, change, (16, 12), views)
    drawing = GlRasterizer.draw
    GlRasterizer.draw = lambda *_: None  # type: ignore[method-assign]
    try:
        bare = view_times(style, change, (16, 12), views)
    finally:
        GlRasterizer.draw = drawing  # type: ignore[method-assign]
    sys.stdout.write(
        f"| {name} | {large[0]:.2f} | {large[1]:.2f} | {small[1]:.2f} | {bare[1]:.2f} |\n"
    )
    sys.stdout.flush()


def moving(balls: Sequence[Any], count: int) -> Callable[[int], None]:
    """Move the first balls up and down."""

    def change(number: int) -> None:
        for ball in balls[:count]:
            ball.location.z = 0.3 * np.sin(number)

    return change


def bending(balls: Sequence[Any], count: int) -> Callable[[int], None]:
    """Change the shape keys of the first balls."""

    def change(number: int) -> None:
        for ball in balls[:count]:
            ball.data.shape_keys.key_blocks["Key"].value = 0.5 + 0.5 * np.sin(number)

    return change


def main() -> None:
    """Print milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--views", type=int, default=40)
    parser.add_argument("--objects", type=int, default=100)
    given = parser.parse_args()
    sys.stdout.write("| ms | update | 320x240 | 16x12 | without drawing |\n|---|---|---|---|---|\n")
    for what, act in (("moved", moving), ("deformed", bending)):
        balls = scene(deformed=what == "deformed", objects=given.objects)
        style = FastStyle()
        for count in (0, 1, 10, 100):
            line(f"{count} of {given.objects} {what}", style, act(balls, count), given.views)
        style.close()


if __name__ == "__main__":
    main()
    os._exit(0)  # Blender 4.5 may hang at the end
