"""Style `fast` of 100 objects with 200,000 triangles: milliseconds per view by how many move.

Run with an interpreter that has `bpy`: PYTHONPATH=src python benchmarks/blender_sides/moving.py
For each number and backend: all four passes at 640x480 and 320x240, with shadows and without, and
what of a view is Python's and Blender's: the same at 16x12 without the rasterizer's part.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import product
from typing import Any, Literal
from unittest import mock

import bpy
import numpy as np

from heliograph.camera import Camera
from heliograph.engines.blender.fast import FastStyle
from heliograph.engines.blender.numbering import SceneNumbering
from heliograph.engines.blender.world import FAST, Shown
from heliograph.frame import allocate
from heliograph.passes import PASSES
from heliograph.raster.cpu.rasterizer import CpuRasterizer
from heliograph.raster.gl.rasterizer import GlRasterizer

_SIDE = 10
_HEAD = (
    "| ms | backend | update | 640x480 | no shadows | 320x240 | no shadows | without drawing |\n"
    "|---|---|---|---|---|---|---|---|\n"
)

Backend = Literal["cpu", "gl"]


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


def line(name: str, backend: Backend, change: Callable[[int], None], views: int) -> None:
    """Measure and print a row."""
    times = []
    for size, shadows in product(((640, 480), (320, 240)), (True, False)):
        style = FastStyle(replace(FAST, backend=backend, shadows=shadows))
        times.append(view_times(style, change, size, views))
        style.close()
    style = FastStyle(replace(FAST, backend=backend))
    with without_drawing():
        times.append(view_times(style, change, (16, 12), views))
    style.close()
    drawn = " | ".join(f"{each:.2f}" for _, each in times)
    sys.stdout.write(f"| {name} | {backend} | {times[0][0]:.2f} | {drawn} |\n")
    sys.stdout.flush()


@contextmanager
def without_drawing() -> Iterator[None]:
    """Have rasterizers draw nothing within."""
    with ExitStack() as stack:
        for each in (CpuRasterizer, GlRasterizer):
            stack.enter_context(mock.patch.object(each, "draw"))
        yield


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
    parser.add_argument("--backend", default="cpu,gl")
    given = parser.parse_args()
    sys.stdout.write(_HEAD)
    for what, act in (("moved", moving), ("deformed", bending)):
        balls = scene(deformed=what == "deformed", objects=given.objects)
        for count, backend in product((0, 1, 10, 100), given.backend.split(",")):
            name = f"{count} of {given.objects} {what}"
            line(name, backend, act(balls, count), given.views)


if __name__ == "__main__":
    main()
    os._exit(0)  # Blender 4.5 may hang at the end
