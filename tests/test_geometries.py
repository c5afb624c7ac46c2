# mypy: allow-untyped-defs, allow-untyped-calls
"""Facts of geometries, which plans are made from."""

from __future__ import annotations

import numpy as np
import pytest

from heliograph.raster import DrawList, Instances, RasterOptions
from heliograph.raster.cpu.rasterizer import CpuRasterizer
from heliograph.raster.geometries import GeometryStore
from heliograph.raster.types import Geometry
from raster_scenes import ALL, HEAD, buffers, camera

STREAMS = ("in_position", "in_normal", "in_uv", "in_colour", "indices")


class Nowhere:
    """Takes rows and forgets them."""

    def put(self, start, rows):
        del start, rows


def test_moved_vertices_are_bounded_by_their_box_and_a_sphere_round_its_middle():
    rng = np.random.default_rng(3)
    store = GeometryStore({name: Nowhere() for name in STREAMS}, simplify=False)
    points, up = rng.normal(size=(701, 3)).astype(np.float32), np.tile([0.0, 0, 1], (701, 1))
    handle = store.add(Geometry(points, np.arange(699).reshape(-1, 3), up))
    for scale in (1.0, 3e-9, 2e8):
        moved = (scale * (points + rng.normal(size=3))).astype(np.float32)
        store.update(handle, moved, up)
        centre, half = store.tables.box[handle]
        assert (np.abs(moved - centre) <= half * (1 + 1e-6)).all()
        farthest = np.linalg.norm(moved.astype(float) - centre, axis=1).max()
        np.testing.assert_allclose(store.tables.radius[handle], farthest, rtol=1e-15)


def mesh(rng, vertices):
    """A crumpled ribbon."""
    strip = np.arange(vertices - 2)[:, None] + np.arange(3)
    points = rng.normal(size=(vertices, 3))
    return Geometry(points, np.concatenate([strip, strip[:, ::-1]]), points)


def drawn(drawer, handle):
    """Ids of a mesh."""
    things, view = Instances.blank(1), camera(width=32, height=24)
    things.table.geometry[:] = handle
    out = buffers(view)
    drawer.draw(DrawList(things, HEAD), [view], ALL, [out])
    return out["segmentation"]


@pytest.fixture
def drawer():
    made = CpuRasterizer(RasterOptions(lod="off"))
    yield made
    made.close()


def test_memory_of_a_mesh_that_was_removed_is_used_again(drawer):
    rng, sizes, handles = np.random.default_rng(5), [], set()
    for _ in range(1000):
        handle = drawer.add_geometry(mesh(rng, int(rng.integers(3, 400))))
        sizes.append(drawer._native.nbytes)
        handles.add(handle)
        drawer.remove_geometry(handle)
    assert max(sizes) == sizes[0]
    assert len(handles) == 1


def test_memory_of_meshes_that_come_and_go_beside_others_is_bounded(drawer):
    rng, there, sizes = np.random.default_rng(6), [], []
    for _ in range(400):
        there.append(drawer.add_geometry(mesh(rng, int(rng.integers(3, 4000)))))
        sizes.append(drawer._native.nbytes)
        if len(there) > 8:
            drawer.remove_geometry(there.pop(int(rng.integers(9))))
    assert max(sizes[100:]) <= max(sizes[:100])


def test_memory_of_a_large_mesh_is_given_back_and_what_is_left_is_drawn_as_before(drawer):
    rng, before = np.random.default_rng(7), drawer._native.nbytes
    small = drawer.add_geometry(mesh(rng, 50))
    picture = drawn(drawer, small)
    large = drawer.add_geometry(mesh(rng, 100_000))
    assert drawn(drawer, large).any()
    assert drawer._native.nbytes > 2 * before
    drawer.remove_geometry(large)
    assert drawer._native.nbytes <= before
    assert picture.any()
    assert np.array_equal(drawn(drawer, small), picture)
    assert not drawn(drawer, large).any()
    again = drawer.add_geometry(mesh(rng, 100_000))
    assert drawn(drawer, again).any()
