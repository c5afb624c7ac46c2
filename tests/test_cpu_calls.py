# mypy: allow-untyped-calls
"""Calls of the native rasterizer that meet, name what is gone, and need what is not there."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace

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
    LightKind,
    Mapping,
    Rasterizer,
    RasterOptions,
    Shading,
    Shape,
    Texture,
    make_rasterizer,
)
from raster_scenes import ALL, HEAD, buffers, camera


@pytest.fixture
def drawer() -> Iterator[Rasterizer]:
    made = make_rasterizer(RasterOptions(backend="cpu", lod="off"))
    yield made
    made.close()


def things(count: int = 1, shape: int = Shape.BOX) -> Instances:
    made = Instances.blank(count)
    made.table.geometry[:], made.table.ids[:] = shape, 1
    made.transforms.world_from_object[:, :, 3] = (
        np.random.default_rng(0).normal(size=(count, 3)) * 0.1
    )
    return made


def drawn(drawer: Rasterizer, scene: DrawList, view: Camera) -> dict[str, bytes]:
    out = buffers(view)
    drawer.draw(scene, [view], ALL, [out])
    return {name: array.tobytes() for name, array in out.items()}


def test_shadows_do_not_depend_on_cameras_of_other_sizes(drawer: Rasterizer) -> None:
    made = Instances.blank(2)
    made.table.geometry[:] = Shape.BOX
    made.table.ids[:] = 1, 2
    made.table.casts_shadow[:] = True
    made.materials.rgba[:] = 0.8, 0.8, 0.8, 1
    made.table.geometry[0] = Shape.PLANE
    made.transforms.world_from_object[:, :, :3] *= np.array([3, 0.4])[:, None, None]
    made.transforms.world_from_object[1, 2, 3] = 0.8
    way = (0.3, 0.2, -1.0)
    sun = Light(LightKind.DIRECTIONAL, (0, 0, 5), way, diffuse=(1, 1, 1), casts_shadow=True)
    scene = DrawList(made, (sun,))
    views = [camera(width=640, height=480), camera(width=32, height=24)]
    views.append(views[0])
    out = [buffers(view, ("rgb",)) for view in views]
    drawer.draw(scene, views, ("rgb",), out)
    assert np.array_equal(out[0]["rgb"], out[2]["rgb"])


def test_what_is_behind_everything_is_of_the_picture_that_is_there_now(drawer: Rasterizer) -> None:
    view = camera(width=16, height=12)
    for shade in np.linspace(0.05, 1.0, 8):
        handle = drawer.add_radiance(np.full((16, 32, 3), shade, np.float32))
        back = Environment(radiance=handle, radiance_shown=True)
        scene = DrawList(things(0), (), back, lighting=Lighting.STANDARD)
        seen = [np.frombuffer(drawn(drawer, scene, view)["rgb"], np.uint8) for _ in range(3)]
        code = 255 * (1.055 * shade ** (1 / 2.4) - 0.055)
        assert np.allclose(seen, code, atol=1), shade
        drawer.remove_radiance(handle)


def test_threads_wait_for_each_other(drawer: Rasterizer) -> None:
    scene = DrawList(things(100), HEAD)
    views = camera(width=320, height=240), camera(width=33, height=20)
    right = [drawn(drawer, scene, view) for view in views]
    wrong: list[dict[str, bytes]] = []

    def draw(place: int) -> None:
        made = [drawn(drawer, scene, views[place]) for _ in range(40)]
        wrong.extend(each for each in made if each != right[place])

    threads = [threading.Thread(target=draw, args=(place,)) for place in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_signal_handler_cannot_draw_into_the_middle_of_a_picture(drawer: Rasterizer) -> None:
    made = things(12, Shape.SPHERE)
    made.materials.rgba[:, 3] = 0.5
    view, small, told = camera(width=800, height=800), camera(width=32, height=24), []

    def handler(*_: object) -> None:
        try:
            drawn(drawer, DrawList(things(), HEAD), small)
        except EngineError as error:
            told.append(str(error))

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.05)
        drawn(drawer, DrawList(made, HEAD), view)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert told
    assert "signal handler" in told[0]


def test_what_was_removed_is_not_drawn_once_others_lie_there(drawer: Rasterizer) -> None:
    def mesh(vertices: int, triangles: int) -> Geometry:
        rng = np.random.default_rng(0)
        places = rng.integers(0, vertices, (triangles, 3)).astype(np.uint32)
        return Geometry(rng.normal(size=(vertices, 3)), places, None)

    handle = drawer.add_geometry(mesh(10, 500))
    scene, view = DrawList(things(1, handle), HEAD), camera(width=64, height=48)
    assert np.frombuffer(drawn(drawer, scene, view)["segmentation"], np.int32).any()
    drawer.remove_geometry(handle)
    drawer.add_geometry(mesh(100_000, 100))
    drawer.add_geometry(mesh(100_000, 100_000))
    assert not np.frombuffer(drawn(drawer, scene, view)["segmentation"], np.int32).any()


@pytest.mark.parametrize("shading", [len(Shading), -1])
def test_a_shading_that_there_is_not_is_refused(drawer: Rasterizer, shading: int) -> None:
    made = things()
    made.table.shading[:] = shading
    with pytest.raises(ValueError, match="shading"):
        drawn(drawer, DrawList(made, HEAD), camera())


def test_every_channel_of_a_texture_comes_out_as_it_went_in(drawer: Rasterizer) -> None:
    view = Camera.perspective(fov_y=0.5, width=61, height=61)
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0.0]])
    mesh = Geometry(corners, np.array([[0, 1, 2], [0, 2, 3]]), None, (corners[:, :2] + 1) / 2)
    made = things(1, drawer.add_geometry(mesh))
    made.transforms.world_from_object[0, :, 3] = 0, 0, -3
    made.table.shading[:], made.table.mapping[:] = Shading.UNLIT, Mapping.UV
    made.materials.rgba[:] = 1
    for colour in ((255, 255, 255), (0, 0, 255), (1, 2, 3), (200, 100, 50)):
        handle = drawer.add_texture(Texture(np.full((32, 32, 3), colour, np.uint8)))
        made = replace(made, table=replace(made.table, texture=np.full(1, handle, np.int32)))
        rgb = np.frombuffer(drawn(drawer, DrawList(made, ()), view)["rgb"], np.uint8)
        assert np.unique(rgb.reshape(61, 61, 3)[8:-8, 8:-8].reshape(-1, 3), axis=0).tolist() == [
            list(colour)
        ]


FEW_THREADS = """
from heliograph.raster import DrawList, Instances, RasterOptions, Shape, make_rasterizer
from raster_scenes import HEAD, buffers, camera
drawer = make_rasterizer(RasterOptions(backend="cpu", threads=16))
made, view = Instances.blank(1), camera()
made.table.geometry[:] = Shape.BOX
out = buffers(view)
drawer.draw(DrawList(made, HEAD), [view], tuple(out), [out])
print(out["rgb"].any())
"""


def test_a_system_that_gives_no_threads_gives_a_picture_all_the_same() -> None:
    limits = "ulimit -s 4000000; ulimit -v 8000000; exec"  # no room for more than one stack
    command = ["bash", "-c", f'{limits} "$0" -c "$1"', sys.executable, FEW_THREADS]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd="tests")
    assert run.stdout == "True\n", run.stderr
