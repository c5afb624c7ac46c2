# mypy: allow-untyped-defs, allow-untyped-calls
"""Facts of geometries, which plans are made from."""

from __future__ import annotations

import numpy as np

from heliograph.raster.geometries import GeometryStore
from heliograph.raster.types import Geometry

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
