# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="union-attr, index, arg-type"
"""Surfaces that coincide: who shows follows from the scene and the view, never from history."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import heliograph as hg
from heliograph.camera import Camera
from heliograph.engines.components import ComponentEngine
from heliograph.engines.mujoco import MujocoEngine
from heliograph.raster import (
    DrawList,
    Geometry,
    Instances,
    Mapping,
    RasterOptions,
    Shape,
    Side,
    Texture,
    make_rasterizer,
)
from raster_scenes import ALL, BACKENDS, HEAD, buffers

VIEWS, THINGS = 10, 6
OPTIONS = [
    {"backend": backend, **more}
    for backend in BACKENDS
    for more in ({}, {"msaa": 4, "readback": "deferred"})
]
NAMES = [f"thing {number}" for number in range(THINGS)]
KINDS = ["box", "box", "sphere", "box", "sphere", "box"]
GEOMS = "".join(
    f'<geom name="{name}" type="{kind}" size=".3 .3 .3" pos="0 0 {0.3 * (kind == "box")}"/>'
    for name, kind in zip(NAMES, KINDS, strict=True)
)
MJCF = f"""<mujoco><worldbody><light pos="0 0 3"/><geom name="floor" type="plane" size="1 1 .1"/>
{GEOMS}</worldbody></mujoco>"""
COMPONENTS = hg.Scene(
    hg.Plane(key="floor", args=[2, 2]),
    *[
        hg.Box(key=name, args=[0.6, 0.6, 0.6], position=[0, 0, 0.3])
        if kind == "box"
        else hg.Sphere(key=name, args=[0.3])
        for name, kind in zip(NAMES, KINDS, strict=True)
    ],
)
DOWN = Camera.look_at(
    eye=(0, 0, 3), target=(0, 0, 0), up=(0, 1, 0), fov_y=0.4, width=32, height=24, near=0.1, far=9
)


def image(number):
    """One plain colour, of 12."""
    colour = np.random.default_rng(number % 12).integers(1, 256, 3, np.uint8)
    return np.full((4, 4, 3), colour, np.uint8)


def pictures(number):
    """Which image each thing wears in a view, -1 for none."""
    rng = np.random.default_rng(number)
    return np.where(rng.random(THINGS) < 0.7, rng.permutation(12)[:THINGS], -1)


def view(number):
    """Things that coincide, each with an image of its own or none, seen from somewhere above."""
    worn, rng = pictures(number), np.random.default_rng(number)
    edit = hg.EditMaterials(
        objects=[(name,) for name in NAMES],
        texture=np.where(worn < 0, -1, np.arange(THINGS)),
        images=[image(each) for each in worn],
    )
    eye = (0, 0, 3) if number % 2 else (*rng.normal(size=2), 2.5)
    camera = Camera.look_at(eye=eye, target=(0, 0, 0.3), fov_y=0.5, width=48, height=40, name="c")
    return hg.View([camera], ALL, edits=[edit])


def engine(which, options):
    if which == "mujoco":
        return MujocoEngine(MJCF, options=RasterOptions(**options))
    return ComponentEngine(COMPONENTS, options=RasterOptions(**options))


class Raw:
    """The rasterizer itself as something that draws view `number`."""

    def __init__(self, options):
        self.rasterizer = make_rasterizer(RasterOptions(**options))
        corners = [(x, y, 0.0) for y in (-1, 1) for x in (-1, 1)]
        mesh = Geometry(np.array(corners), np.array([[0, 1, 3], [0, 3, 2]]), uvs=np.eye(4, 2))
        self.mesh = self.rasterizer.add_geometry(mesh)

    def draw(self, number):
        worn = pictures(number)
        things = Instances.blank(2 * THINGS)
        for row in range(2 * THINGS):
            wears = worn[row % THINGS]
            if wears >= 0:
                picture = Texture(image(wears))
                things.table.texture[row] = self.rasterizer.lend_texture(picture)
                things.table.mapping[row] = Mapping.OBJECT
        shapes = (Shape.BOX, Shape.SPHERE, self.mesh, Shape.PLANE)
        rng = np.random.default_rng(number)
        things.table.geometry[:] = rng.permutation(np.resize(shapes, 2 * THINGS))
        things.table.side[::5] = Side.DOUBLE
        things.materials.rgba[rng.random(2 * THINGS) < 0.2, 3] = 0.5
        poses = things.transforms.world_from_object
        poses[things.table.geometry == Shape.BOX, 2, 3] = -1.0
        poses[::4, :, 0] *= -1.0  # mirrored ones are drawn apart from others
        camera = DOWN if number % 2 else DOWN.replace(cx=3.0)
        out = buffers(camera)
        self.rasterizer.draw(DrawList(things, HEAD), [camera], ALL, [out])
        return b"".join(out[name].tobytes() for name in ALL)

    def close(self):
        self.rasterizer.close()


class Drawn:
    """An engine as something that draws view `number`."""

    def __init__(self, which, options):
        self.engine = engine(which, options)

    def draw(self, number):
        frame = self.engine.render(view(number))["c"]
        return b"".join(np.asarray(getattr(frame, name)).tobytes() for name in ALL)

    def close(self):
        self.engine.close()


def digests(which, options, numbers):
    """Digests of all passes of these views, drawn one after the other."""
    made = Raw(options) if which == "raster" else Drawn(which, options)
    found = {number: hashlib.sha256(made.draw(number)).hexdigest() for number in numbers}
    made.close()
    return found


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("which", ["raster", "mujoco", "components"])
def test_views_are_the_same_in_any_order_and_in_a_fresh_process(which, options):
    forward = digests(which, options, range(VIEWS))
    assert digests(which, options, reversed(range(VIEWS))) == forward
    for number in range(3):
        assert digests(which, options, [number]) == {number: forward[number]}
    program = f"import test_ties; print(test_ties.digests({which!r}, {options!r}, [7])[7])"
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent,
    )
    assert run.stdout.split() == [forward[7]]


def stack(rasterizer, shapes, images):
    """The id that shows of shapes that coincide, seen from above; images as numbers, -1 for none.

    Other images were put on the rasterizer before, in another order.
    """
    for number in sorted({*images} - {-1}, reverse=True):
        rasterizer.lend_texture(Texture(image(number)))
    things = Instances.blank(len(shapes))
    things.table.geometry[:] = shapes
    for row, number in enumerate(images):
        if number >= 0:
            things.table.texture[row] = rasterizer.lend_texture(Texture(image(number)))
            things.table.mapping[row] = Mapping.OBJECT
    out = buffers(DOWN)
    rasterizer.draw(DrawList(things, HEAD), [DOWN], ALL, [out])
    (shown,) = set(np.unique(out["segmentation"][8:16, 10:22]))
    return shown


@pytest.mark.parametrize("shape", [Shape.BOX, Shape.SPHERE, Shape.CYLINDER, Shape.PLANE])
@pytest.mark.parametrize(
    "images", [(-1, -1, -1), (0, 1, 2), (2, 1, 0), (1, 0, 1), (-1, 4, 3), (5, -1, 4)]
)
def test_of_equal_shapes_the_later_one_shows_whatever_it_wears(backend, shape, images):
    made = make_rasterizer(RasterOptions(backend=backend))
    expected = len(images) if len({*images}) != 2 else 2  # a kind has the place of its first row
    assert stack(made, [shape] * len(images), images) == expected
    made.close()


def test_the_nearer_of_two_centres_has_no_say(backend):
    made = make_rasterizer(RasterOptions(backend=backend))
    things = Instances.blank(2)
    for order in ((0, 1), (1, 0)):
        poses = np.zeros((2, 3, 4))
        for row, middle in zip(order, (-1.0, -3.0), strict=True):
            poses[row, :, :3] = np.diag([1, 1, -middle])
            poses[row, 2, 3] = middle
        out = buffers(DOWN)
        made.draw(DrawList(things.moved(poses), HEAD), [DOWN], ALL, [out])
        assert set(np.unique(out["segmentation"])) == {2}
    made.close()


@pytest.mark.parametrize("first", [Shape.PLANE, Shape.BOX])
def test_planes_yield_to_other_things(rasterizer, first):
    shapes = [first, Shape.BOX if first == Shape.PLANE else Shape.PLANE]
    things = Instances.blank(2)
    things.table.geometry[:] = shapes
    things.transforms.world_from_object[things.table.geometry == Shape.BOX, 2, 3] = -1.0
    out = buffers(DOWN)
    rasterizer.draw(DrawList(things, HEAD), [DOWN], ALL, [out])
    assert set(np.unique(out["segmentation"])) == {1 + shapes.index(Shape.BOX)}
