"""What the native rasterizer keeps from one picture to the next shows in none of them."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from typing import Any

import numpy as np
import pytest

from heliograph.camera import Camera
from heliograph.errors import EngineError
from heliograph.raster import (
    DrawList,
    Environment,
    Geometry,
    Instances,
    Light,
    Lighting,
    RasterOptions,
    Shading,
    Shape,
    Texture,
    TextureKind,
)
from heliograph.raster.cpu.rasterizer import CpuRasterizer

COLOURS = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1), (1, 1, 0), (0, 1, 1))


def spheres(count: int) -> Instances:
    made = Instances.blank(count)
    made.table.geometry[:] = Shape.SPHERE
    made.materials.rgba[:] = 1, 1, 1, 0.5
    places = np.random.default_rng(0).normal(size=(count, 3)) * 0.1
    made.transforms.world_from_object[:, :, 3] = places
    return made


def drawn(drawer: CpuRasterizer, scene: DrawList, side: int) -> Any:
    eye, middle = (0, -3, 0), (0, 0, 0)
    camera = Camera.look_at(eye=eye, target=middle, fov_y=0.7, width=side, height=side)
    rgb = np.empty((side, side, 3), np.uint8)
    drawer.draw(scene, [camera], ("rgb",), [{"rgb": rgb}])
    return rgb


def test_a_picture_of_all_around_is_never_an_earlier_one() -> None:
    drawer, instances = CpuRasterizer(), spheres(1)
    for colour in COLOURS:
        handle = drawer.add_radiance(np.full((8, 16, 3), colour, np.float32))
        around = Environment(radiance=handle, radiance_shown=True)
        scene = DrawList(instances, (), around, lighting=Lighting.STANDARD)
        for _ in range(3):  # from the third time on it is kept
            assert tuple(drawn(drawer, scene, 8)[0, 0]) == tuple(255 * part for part in colour)
        drawer.remove_radiance(handle)


def with_sky() -> tuple[CpuRasterizer, DrawList]:
    drawer = CpuRasterizer(RasterOptions(threads=1))
    pixels = np.random.default_rng(0).integers(0, 255, (6, 64, 64, 3), np.uint8)
    sky = drawer.add_texture(Texture(pixels, TextureKind.CUBE))
    return drawer, DrawList(spheres(1), (), Environment(sky=sky))


def test_a_child_forked_while_another_thread_draws_is_not_left_waiting() -> None:
    """Most of that thread's time skies are made, to be kept, which only one thread may do."""
    (drawer, scene), over = with_sky(), threading.Event()

    def draw(x: float, side: int) -> None:
        view = Camera.look_at(eye=(0, -3, 0), target=(x, -9, 0), fov_y=0.7, width=side, height=side)
        rgb = np.empty((side, side, 3), np.uint8)
        for _ in range(2):  # the second time it is kept
            drawer.draw(scene, [view], ("rgb",), [{"rgb": rgb}])

    def draw_on() -> None:
        for number in itertools.takewhile(lambda _: not over.is_set(), itertools.count()):
            draw(number / 1000, 500)

    thread = threading.Thread(target=draw_on)
    thread.start()
    codes = []
    for pause in np.linspace(0.01, 0.03, 10):
        time.sleep(pause)
        child = os.fork()
        if not child:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(5)
            draw(0, 16)
            os._exit(0)
        codes.append(os.waitpid(child, 0)[1])
    over.set()
    thread.join()
    assert codes == [0] * 10


def faceted(size: float) -> Geometry:
    """A ball of flat faces, each with vertices of its own: six at every place."""
    around, up = np.meshgrid(np.linspace(0, 2 * np.pi, 25), np.linspace(0, np.pi, 13))
    places = np.stack([np.sin(up) * np.cos(around), np.sin(up) * np.sin(around), np.cos(up)], -1)
    low_left, high_left = places[1:, :-1], places[:-1, :-1]
    low_right, high_right = places[1:, 1:], places[:-1, 1:]
    halves = (low_left, low_right, high_right), (low_left, high_right, high_left)
    corners = np.concatenate([np.stack(half, 2).reshape(-1, 3, 3) for half in halves])
    normals = np.repeat(corners.mean(1), 3, 0)
    return Geometry(
        (corners.reshape(-1, 3) * size).astype(np.float32),
        np.arange(3 * len(corners), dtype=np.uint32).reshape(-1, 3),
        (normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype(np.float32),
    )


def test_a_mesh_is_drawn_where_its_vertices_are_however_often_it_was_drawn_before() -> None:
    def scene(handle: int) -> DrawList:
        instances = spheres(1)
        instances.table.geometry[:] = handle
        instances.materials.rgba[:] = 1
        return DrawList(instances, (Light(),))

    drawer = CpuRasterizer()
    handle = drawer.add_geometry(faceted(0.2))
    for size in (0.2, 0.8, 0.5, 0.5):
        moved, fresh = faceted(size), CpuRasterizer()
        assert moved.normals is not None
        drawer.update_geometry(handle, moved.positions, moved.normals)
        wanted = drawn(fresh, scene(fresh.add_geometry(moved)), 60)
        assert wanted.any()
        for _ in range(6):  # from the third time on vertices at one place are one
            assert np.array_equal(drawn(drawer, scene(handle), 60), wanted)


def test_a_signal_handler_that_draws_is_refused_and_spoils_nothing() -> None:
    drawer = CpuRasterizer()
    large, small = (DrawList(spheres(count), (Light(),)) for count in (60, 3))
    refused: list[str] = []

    def handle(*_: Any) -> None:
        with pytest.raises(EngineError, match="in the middle of another call") as caught:
            drawn(drawer, small, 16)
        refused.append(str(caught.value))

    wanted = drawn(drawer, large, 500)
    before = signal.signal(signal.SIGALRM, handle)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        found = drawn(drawer, large, 500)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert len(refused) == 1
    assert np.array_equal(found, wanted)
    assert drawn(drawer, small, 16).any()


def test_of_triangles_at_one_place_the_first_is_seen_or_the_last_blended_on_top() -> None:
    """However many pixels each covers: large ones are drawn apart from small ones."""
    small = [(-0.2, -0.2, 0), (0.2, -0.2, 0), (0, 0.3, 0)]
    large = [(-9, -9, 0), (9, -9, 0), (0, 9, 0)]
    red, green = [(1, 0, 0, 1)] * 3, [(0, 1, 0, 1)] * 3
    for corners, colours in ((small + large, red + green), (large + small, green + red)):
        for opacity, wanted in ((1.0, colours[0]), (0.5, colours[-1])):
            drawer = CpuRasterizer(RasterOptions(lod="off"))
            mesh = Geometry(
                np.array(corners, np.float32),
                np.arange(6, dtype=np.uint32).reshape(2, 3),
                np.tile(np.array([0, 0, 1], np.float32), (6, 1)),
                colours=np.array(colours, np.float32),
            )
            instances = Instances.blank(1)
            instances.table.geometry[:] = drawer.add_geometry(mesh)
            instances.table.shading[:] = Shading.UNLIT
            instances.materials.rgba[:] = 1, 1, 1, opacity
            scene = DrawList(instances, (), lighting=Lighting.STANDARD)
            for side in (16, 256):
                rgb = np.empty((side, side, 3), np.uint8)
                camera = Camera.look_at(
                    eye=(0, 0, 3),
                    target=(0, 0, 0),
                    up=(0, 1, 0),
                    fov_y=0.8,
                    width=side,
                    height=side,
                )
                drawer.draw(scene, [camera], ("rgb",), [{"rgb": rgb}])
                assert np.argmax(rgb[side // 2, side // 2]) == np.argmax(wanted[:3])
