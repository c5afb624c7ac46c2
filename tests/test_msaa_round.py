# mypy: allow-untyped-defs, allow-untyped-calls
"""Outlines of round shapes with several samples a pixel, against the true shape at each sample."""

from __future__ import annotations

import numpy as np
import pytest

from heliograph.camera import Camera
from heliograph.raster import (
    DrawList,
    RasterOptions,
    Shading,
    Shape,
    Side,
    make_rasterizer,
)
from heliograph.raster.gl.targets import Target
from raster_scenes import buffers
from test_raster_round import NOTHING, ROUND, cast, things

LENGTH = 0.6


@pytest.fixture(scope="module")
def smooth(backend):
    made = make_rasterizer(RasterOptions(msaa=4))
    yield made
    made.close()


@pytest.fixture(scope="module")
def places(smooth, backend):
    if backend == "cpu":
        return (-0.125, -0.375), (0.375, -0.125), (-0.375, 0.125), (0.125, 0.375)
    with smooth.context.current() as gl:
        target = Target(gl, (4, 4), ("alpha",), smooth.options.msaa)
        found = target.places
        target.release()
    return found


@pytest.fixture(autouse=True)
def _misses_are_infinite():
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        yield


def seen(shape, pose, view, places):
    """Which part of the samples at these places of each pixel sees a shape."""
    moved = [view.replace(cx=view.cx - x, cy=view.cy - y) for x, y in places]
    return np.mean([cast(shape, pose, LENGTH, each)[0] < NOTHING for each in moved], axis=0)


def drawn(rasterizer, view, *rows, side=Side.FRONT):
    instances = things(*rows)
    instances.table.shading[:] = Shading.UNLIT
    instances.table.side[:] = side
    instances.materials.rgba[:] = 1
    out = buffers(view, ("rgb", "alpha"))
    rasterizer.draw(DrawList(instances), [view], ("rgb", "alpha"), [out])
    return out["rgb"][..., 0] / 255, out["alpha"] / 255


def setting(shape, radius, *, parallel=False):
    """A pose, and a view in which its radius is so many pixels."""
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    size = min(4 * radius, 1000 if shape is Shape.SPHERE else 1100)
    facts = {"width": size, "height": size, "near": 0.01, "far": 50}
    view = Camera.look_at(eye=(0, -3, 0), target=(0, 0, 0), fov_y=0.6, **facts)
    scale = 3 * radius / view.fy
    if parallel:
        stand = view.world_from_camera
        view = Camera.orthographic(extent_y=size / radius, world_from_camera=stand, **facts)
        scale = 1.0
    return np.column_stack([turn * scale, np.zeros(3)]), view


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("radius", [3, 20, 100, 470])
@pytest.mark.parametrize("shape", ROUND)
def test_an_outline_is_as_opaque_as_samples_see_the_shape(smooth, places, shape, radius, parallel):
    pose, view = setting(shape, radius, parallel=parallel)
    truth = seen(shape, pose, view, places)
    edge = (truth > 0) & (truth < 1)
    for side in (Side.FRONT, Side.DOUBLE, Side.BACK):
        pictures = drawn(smooth, view, (shape, pose, LENGTH), side=side)
        for name, part in zip(("rgb", "alpha"), pictures, strict=True):
            wrong = np.abs(part - truth)
            assert wrong[edge].mean() < 5e-3, (name, side)
            assert (wrong > 0.01).sum() <= 0.02 * edge.sum(), (name, side)


def test_no_sample_is_lost_where_shapes_pass_through_each_other(smooth, places):
    """Two spheres before nothing: what either of them covers, both do together."""
    _, view = setting(Shape.SPHERE, 100)
    poses = [np.column_stack([0.3 * np.eye(3), (x, 0.0, 0.0)]) for x in (-0.15, 0.2)]
    _, alpha = drawn(smooth, view, *((Shape.SPHERE, pose, 0.0) for pose in poses))
    moved = [view.replace(cx=view.cx - x, cy=view.cy - y) for x, y in places]
    hit = [
        np.any([cast(Shape.SPHERE, pose, 0.0, each)[0] < NOTHING for pose in poses], axis=0)
        for each in moved
    ]
    wrong = np.abs(alpha - np.mean(hit, axis=0))
    assert (wrong > 0.01).sum() < 10


@pytest.mark.parametrize("distance", [1.3, 2.0])
def test_what_is_larger_than_the_finest_level_allows_is_drawn(smooth, distance):
    view = Camera.look_at(
        eye=(0, -distance, 0), target=(0, 0, 0), fov_y=0.6, width=900, height=900, near=0.01
    )
    _, alpha = drawn(smooth, view, (Shape.SPHERE, np.column_stack([np.eye(3), np.zeros(3)]), 0.0))
    assert alpha[300:600, 300:600].min() == 1
