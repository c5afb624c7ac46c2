# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="union-attr, index, arg-type"
"""What is nearer shows, however far near plane, far plane and things are apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliograph.camera import Camera
from heliograph.frame import allocate
from heliograph.passes import PASSES, select_passes
from heliograph.raster import (
    DrawList,
    Instances,
    RasterOptions,
    Shape,
    make_rasterizer,
)
from raster_scenes import HEAD

pytestmark = pytest.mark.usefixtures("backend")

WALL, PLATE = 1, 2
ROUND = (Shape.SPHERE, Shape.CAPSULE, Shape.CYLINDER)


def looking(near, far, *, parallel=False):
    """A camera at the origin that looks along +y, 1 metre of it 1 metre high (parallel: always)."""
    view = Camera.look_at(
        eye=(0, 0, 0), target=(0, 1, 0), fov_y=2 * np.arctan(0.5), width=40, height=30,
        near=near, far=far,
    )  # fmt: skip
    if not parallel:
        return view
    return Camera.orthographic(
        world_from_camera=view.world_from_camera,
        extent_y=1.0, width=40, height=30, near=near, far=far,
    )  # fmt: skip


def drawn(rasterizer, view, *rows, passes=("depth", "segmentation"), lights=HEAD):
    """Pictures of (shape, centre, half sizes): the first is red and number 1, then green and 2."""
    instances = Instances.blank(len(rows))
    instances.materials.rgba[:, :3] = np.eye(3)[: len(rows)]
    instances.materials.surface[:, 1] = 0.0
    for i, (shape, centre, half) in enumerate(rows):
        instances.table.geometry[i] = shape
        instances.transforms.world_from_object[i, :, :3] = np.diag(half)
        instances.transforms.world_from_object[i, :, 3] = centre
    out = allocate(view, select_passes(passes, PASSES))
    rasterizer.draw(DrawList(instances, lights), [view], passes, [out])
    return out


def before(shape, distance, gap, size):
    """A wall, and a smaller thing whose front is at that distance, before the wall by a gap."""
    wall = (Shape.BOX, (0, distance + 3 * gap, 0), (2 * size, 2 * gap, 2 * size))
    plate = (shape, (0, distance + 2 * gap, 0), (0.24 * size, 2 * gap, 0.24 * size))
    return wall, plate


@pytest.mark.parametrize("msaa", [0, 4])
@pytest.mark.parametrize("flipped", [False, True])
def test_a_plate_two_centimetres_before_a_wall_a_hundred_metres_away_shows(msaa, flipped):
    made = make_rasterizer(RasterOptions(msaa=msaa))
    wall, plate = before(Shape.BOX, 99.98, 0.02, 100.0)
    rows = [plate, wall] if flipped else [wall, plate]
    out = drawn(made, looking(0.01, 1000.0), *rows, passes=("rgb", "depth", "segmentation"))
    made.close()
    here = np.abs(looking(1, 2).pixel_centres() - (20, 15)).max(-1) < 7.2  # of 30 pixels
    assert np.array_equal(out["segmentation"], np.where(here != flipped, PLATE, WALL))
    np.testing.assert_allclose(out["depth"], np.where(here, 99.98, 100.0), rtol=1e-6)
    assert np.array_equal(out["rgb"].argmax(-1) + 1, out["segmentation"])


@given(
    near=st.floats(-4, 1).map(lambda power: 10**power),
    reach=st.floats(0.5, 8).map(lambda power: 10**power),
    share=st.floats(0.01, 0.98),
    gap=st.floats(-5.5, -1.5).map(lambda power: 10**power),
    shape=st.sampled_from([Shape.BOX, *ROUND]),
    first=st.booleans(),
)
def test_order_holds_at_any_distance(rasterizer, near, reach, share, gap, shape, first):
    distance = near * reach**share
    wall, plate = before(shape, distance, gap * distance, distance)
    rows = [plate, wall] if first else [wall, plate]
    shown = drawn(rasterizer, looking(near, near * reach), *rows)["segmentation"]
    assert shown[14:16, 19:21].tolist() == [[1 if first else 2] * 2] * 2


@given(
    near=st.floats(-3, 1).map(lambda power: 10**power),
    reach=st.floats(0.5, 4).map(lambda power: 10**power),
    share=st.floats(0.01, 0.98),
    gap=st.floats(-5.5, -1.5).map(lambda power: 10**power),
    shape=st.sampled_from([Shape.BOX, *ROUND]),
    first=st.booleans(),
)
def test_order_holds_without_perspective(rasterizer, near, reach, share, gap, shape, first):
    far = near * reach
    wall, plate = before(shape, near + (far - near) * share, gap * far, 1.0)
    rows = [plate, wall] if first else [wall, plate]
    shown = drawn(rasterizer, looking(near, far, parallel=True), *rows)["segmentation"]
    assert shown[14:16, 19:21].tolist() == [[1 if first else 2] * 2] * 2


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("shape", [Shape.BOX, Shape.SPHERE, Shape.CYLINDER, Shape.PLANE])
def test_where_surfaces_coincide_the_later_one_shows(rasterizer, parallel, shape):
    row = (shape, (0.1, 2.0, -0.7), (0.3, 0.2, 0.4))
    aside = Camera.look_at(
        eye=(0, 0, 0), target=(0.1, 2, -0.7), fov_y=1, width=4, height=4
    ).world_from_camera
    for near, far in ((0.001, 1000.0), (0.1, 3.0), (1.0, 1e6)):
        view = looking(near, far, parallel=parallel).moved(aside)
        shown = drawn(rasterizer, view, row, row)["segmentation"]
        assert set(np.unique(shown)) == {0, PLATE}


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("plane", ["near", "far"])
@pytest.mark.parametrize(("near", "far"), [(0.5, 4.0), (0.01, 1000.0), (1e-4, 1e4)])
def test_near_and_far_plane_cut_where_they_are(rasterizer, parallel, plane, near, far):
    view = looking(near, far, parallel=parallel)
    off = 1e-5 if not parallel else 1e-6 * far / (near if plane == "near" else far)
    for share in (1 - off, 1 + off):
        distance = share * (near if plane == "near" else far)
        size = 1.0 if parallel else distance
        wall = (Shape.BOX, (0, distance + size, 0), (2 * size, size, 2 * size))
        shown = drawn(rasterizer, view, wall)["segmentation"]
        assert (shown == (near <= distance <= far)).all()  # nothing shows a wall from inside


@pytest.mark.parametrize("msaa", [0, 4])
@pytest.mark.parametrize("shape", [Shape.BOX, *ROUND])
@pytest.mark.parametrize("aside", [False, True])
def test_far_planes_cost_no_order_without_perspective(msaa, shape, aside):
    made = make_rasterizer(RasterOptions(msaa=msaa))
    wall, plate = before(shape, 999.98, 0.02, 1.0)
    behind = (Shape.BOX, (0, -5, 0), (50, 1, 50))
    view = looking(1e-4, 1e6, parallel=True)
    rows = [plate, wall, behind] if aside else [plate, wall]
    shown = drawn(made, view, *rows, passes=("rgb", "segmentation"))
    made.close()
    assert shown["segmentation"][14:16, 19:21].tolist() == [[1, 1]] * 2
    assert (shown["rgb"][14:16, 19:21].argmax(-1) == 0).all()


@pytest.mark.parametrize("shape", [Shape.BOX, Shape.PLANE, *ROUND])
@pytest.mark.parametrize("cut", ["near", "far", "neither"])
def test_what_is_drawn_does_not_depend_on_the_planes_that_cut_nothing(rasterizer, shape, cut):
    row = (shape, (0.1, 1000.0, 0.05), (0.3, 0.2, 0.25))
    near, far = (1000 if cut == "near" else 1), (1000 if cut == "far" else 2e3)
    pictures = [
        drawn(rasterizer, looking(*ends, parallel=True), row, passes=tuple(PASSES))
        for ends in ((near, far), (near if cut == "near" else 999, far if cut == "far" else 1001))
    ]
    for name in PASSES:
        assert np.array_equal(pictures[0][name], pictures[1][name])
