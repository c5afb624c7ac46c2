# mypy: allow-untyped-defs, allow-untyped-calls
"""What comes at any line of a draw, Ctrl-C or a time limit, leaves the next pictures right."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import heliograph
from heliograph.camera import Camera
from heliograph.frame import allocate
from heliograph.passes import PASSES, select_passes
from heliograph.raster import (
    DrawList,
    Environment,
    Geometry,
    Instances,
    Light,
    LightKind,
    Mapping,
    RasterOptions,
    Shape,
    Texture,
    TextureKind,
    make_rasterizer,
)
from heliograph.raster.gl.signals import held_back
from raster_scenes import BACKENDS

COMPILES = """
import signal, _moderngl, heliograph as hg

made = _moderngl.Attribute.__init__

def interrupted(self):
    made(self)
    _moderngl.Attribute.__init__ = made
    signal.raise_signal(signal.SIGINT)

_moderngl.Attribute.__init__ = interrupted
with hg.open(hg.Scene(hg.Sphere(key="ball")), size=(16, 16), backend="gl") as renderer:
    try:
        renderer.render(hg.View(["fit"]))
    except KeyboardInterrupt:
        print("interrupted")
    print((renderer.render(hg.View(["fit"], ("segmentation",)))["fit"].segmentation > 0).sum() > 50)
"""
"""Ctrl-C while C code makes an object of Python's for each attribute of a program."""

ALL = tuple(PASSES)
CAMERA = Camera.look_at(eye=(2, -4, 3), target=(0, 0, 0), fov_y=0.9, width=24, height=24)
RASTER = str(Path(heliograph.__file__).parent / "raster")
OTHERS = ("context.py", "egl.py")
"""Parts of it that only hold GL, where leaving and entering are not undone."""


class Interrupt(BaseException):
    """Comes between two lines."""


def interrupted(scenes, line, camera):
    """Have an exception come at a line of a draw, counted from 1; whether it did."""
    left = line

    def trace(frame, event, _):
        nonlocal left
        name = frame.f_code.co_filename
        if not name.startswith(RASTER) or name.endswith(OTHERS):
            return None
        left -= event == "line"
        if left == 0:
            left = -1
            raise Interrupt
        return trace

    sys.settrace(trace)
    try:
        scenes.drawn(scenes.state(line), camera)
    except Interrupt:
        return True
    finally:
        sys.settrace(None)
    return False


class Scenes:
    """States of a scene in one rasterizer, each needing other things of it than the last."""

    def __init__(self, options):
        self.rasterizer = make_rasterizer(options)
        corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
        triangles = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])
        self.normals = np.array([[-1, -1, -1], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
        self.corners, self.triangles = corners, triangles
        self.meshes = [self.mesh()]
        pixels = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
        self.texture = self.rasterizer.add_texture(Texture(pixels))
        sky = np.arange(72, dtype=np.uint8).reshape(6, 2, 2, 3) * 3
        self.sky = self.rasterizer.add_texture(Texture(sky, TextureKind.CUBE))

    def mesh(self):
        return self.rasterizer.add_geometry(
            Geometry(self.corners, self.triangles, self.normals, simplify=False)
        )

    def state(self, number):
        """A draw list that differs from that of every other number."""
        self.rasterizer.update_geometry(
            self.meshes[0], self.corners * (1 + 0.01 * (number % 50)), self.normals
        )
        count = len(self.meshes) + 2
        things = Instances.blank(count)
        things.table.geometry[:] = Shape.PLANE, Shape.SPHERE, *self.meshes
        things.table.texture[1], things.table.mapping[1] = self.texture, Mapping.OBJECT
        poses = things.transforms.world_from_object
        poses[0, :2, :2] *= 3
        poses[1, :, 3] = 0.5, -0.5, 1.2
        poses[2:, 0, 3] = np.linspace(-1, 1, count - 2)
        things.materials.rgba[:, number % 3] = 0.1 + 0.01 * (number % 80)
        things.materials.rgba[2, 3] = 0.5
        things.materials.surface[0, 3] = 0.3
        lights = (
            Light(diffuse=(0.3, 0.3, 0.1 * (number % 7)), kind=LightKind.HEAD),
            Light(LightKind.SPOT, (0, 0.1 * (number % 5), 4), casts_shadow=True),
        )
        colour = (0.1 * (number % 9), 0.2, 0.3)
        back = Environment(colour, sky=self.sky if number % 2 else None)
        return DrawList(things, lights[: 1 + number % 3], back, (0.1, 0.01 * (number % 11), 0))

    def drawn(self, scene, camera=CAMERA):
        out = allocate(camera, select_passes(ALL, PASSES))
        self.rasterizer.draw(scene, [camera], ALL, [out])
        return out


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_line_at_which_a_draw_ends_spoils_a_later_one(backend):
    options = RasterOptions(backend=backend, readback="deferred")
    hurt, calm = Scenes(options), Scenes(options)
    for number in range(6):  # compiles its programs
        assert_alike(hurt, calm, number)
    line, came = 0, True
    while came:
        line += 1
        if line % 60 == 0:
            for each in (hurt, calm):  # more vertices and instances than there was room for
                each.meshes.append(each.mesh())
        moved = CAMERA.moved(CAMERA.world_from_camera + np.eye(4, k=3) * 1e-3 * line)
        came = interrupted(hurt, line, moved if line % 3 else CAMERA)
        assert_alike(hurt, calm, line - 1)
        assert_alike(hurt, calm, line)
    assert line > 300
    hurt.rasterizer.close()
    calm.rasterizer.close()


def assert_alike(hurt, calm, number):
    got, expected = (each.drawn(each.state(number)) for each in (hurt, calm))
    for name in ALL:
        assert np.array_equal(got[name], expected[name]), (number, name)


def test_ctrl_c_while_a_program_is_compiled_is_raised_when_it_is_whole():
    done = subprocess.run(
        [sys.executable, "-c", COMPILES], capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stdout) == (0, "interrupted\nTrue\n"), done.stderr


def test_signals_that_are_held_back_come_when_that_ends():
    came = []

    def handle(number, _):
        came.append(number)
        raise Interrupt

    numbers = signal.SIGUSR1, signal.SIGUSR2
    before = [signal.signal(number, handle) for number in numbers]
    try:
        with pytest.raises(Interrupt):
            raised_within(came)
        assert came == [[], signal.SIGUSR1]
        with pytest.raises(Interrupt):
            signal.raise_signal(signal.SIGUSR2)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def raised_within(came):
    with held_back():
        signal.raise_signal(signal.SIGUSR1)
        came.append(list(came))


def test_a_thread_holds_nothing_back():
    def inside():
        with held_back():
            found.append(signal.getsignal(signal.SIGINT))

    found: list[object] = []
    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGINT)]
