# mypy: allow-untyped-defs, allow-untyped-calls
"""Height fields: tiles with levels of detail that look as one surface without."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import zoom

from heliograph.camera import Camera
from heliograph.engines.mujoco import MujocoEngine, terrain
from heliograph.frame import Frame
from heliograph.passes import PASSES
from heliograph.raster import RasterOptions
from heliograph.scene import EditMaterial, Hide
from heliograph.view import View

pytestmark = pytest.mark.usefixtures("backend")

SIZE = (6.0, 4.0, 1.5, 0.5)  # half-sizes along x and y, height, depth of the base
MJCF = """<mujoco><asset><hfield name="field" nrow="{}" ncol="{}" size="{} {} {} {}"/></asset>
<worldbody><light pos="2 -3 9" dir="-.2 .3 -1"/>
<geom name="ground" type="hfield" hfield="field" pos="1 2 3" rgba=".6 .5 .4 1"/></worldbody>
</mujoco>"""


def bumps(rows: int, columns: int, noise: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(3)
    smooth = zoom(rng.random((5, 6)), (rows / 5, columns / 6), order=3)[:rows, :columns]
    heights = smooth + rng.normal(0, noise, smooth.shape)
    result: np.ndarray = (heights - heights.min()) / max(np.ptp(heights), 1e-9)
    return result


def model(heights: np.ndarray) -> mujoco.MjModel:
    made = mujoco.MjModel.from_xml_string(MJCF.format(*heights.shape, *SIZE))
    made.hfield_data[:] = heights.ravel()
    return made


def frame(heights: np.ndarray, camera: Camera, lod: Any = "auto", **order: Any) -> Frame:
    engine = MujocoEngine(model(heights), options=RasterOptions(shadows=False, lod=lod))
    try:
        view = View(cameras=[camera], passes=PASSES, **order)
        return engine.render(view)[camera.name]
    finally:
        engine.close()


def above(width: int = 151, height: int = 101) -> Camera:
    """Straight down, parallel: a column of pixels is one x, a row one y."""
    pose = np.eye(4)
    pose[:3, 3] = 1, 2, 20
    return Camera.orthographic(
        extent_y=2 * SIZE[1], width=width, height=height, world_from_camera=pose, near=1, far=40
    )


def looking(eye: Any, target: Any = (1, 2, 3), size: Any = (160, 120)) -> Camera:
    return Camera.look_at(
        eye=eye, target=target, fov_y=0.9, width=size[0], height=size[1], near=0.1, far=200
    )


def heights_at(heights: np.ndarray, points: np.ndarray) -> np.ndarray:
    """World heights (...) of the surface at world points (..., 2), by the rule of its triangles."""
    rows, columns = heights.shape
    u = (points[..., 0] - 1 + SIZE[0]) / (2 * SIZE[0]) * (columns - 1)
    v = (points[..., 1] - 2 + SIZE[1]) / (2 * SIZE[1]) * (rows - 1)
    i, j = np.clip(v.astype(int), 0, rows - 2), np.clip(u.astype(int), 0, columns - 2)
    u, v = u - j, v - i
    a, b, c, d = heights[i, j], heights[i, j + 1], heights[i + 1, j + 1], heights[i + 1, j]
    z = np.where(u >= v, a + u * (b - a) + v * (c - b), a + v * (d - a) + u * (c - d))
    result: np.ndarray = 3 + SIZE[2] * z
    return result


@pytest.mark.parametrize("shape", [(40, 70), (2, 2), (3, 97), (33, 34)])
def test_every_triangle_is_where_the_heights_say(shape):
    (rows, columns), camera = shape, above()
    heights = bumps(rows, columns, 0.05)
    found = frame(heights, camera, lod="off")
    points = camera.unproject(camera.pixel_centres(), np.ones((camera.height, camera.width)))
    inside = np.abs(points[..., 0] - 1) < SIZE[0] - 1e-3
    assert inside.mean() > 0.9
    expected = 20 - heights_at(heights, points[..., :2])
    assert np.abs(found.depth - expected)[inside].max() < 1e-4
    assert (found.segmentation[inside] == 1).all()


def test_normals_are_those_of_the_triangles():
    slope = np.tile(np.linspace(0, 1, 50), (40, 1))
    found = frame(slope, above())
    rise = SIZE[2] / (2 * SIZE[0])
    expected = np.array([-rise, 0, 1]) / np.hypot(rise, 1)
    assert np.abs(found.normals[found.segmentation == 1] - expected).max() < 1e-3


@pytest.mark.parametrize("noise", [0.0, 0.02])
@pytest.mark.parametrize("eye", [(1, -9, 9), (-20, -20, 6), (1, -2, 5.2), (60, 40, 30)])
def test_levels_of_detail_look_as_all_triangles_do(noise, eye):
    heights, camera = bumps(150, 180, noise), looking(eye)
    coarse, fine = frame(heights, camera), frame(heights, camera, lod="off")
    both = (coarse.segmentation == 1) & (fine.segmentation == 1)
    assert both.sum() > 100
    assert (coarse.segmentation != fine.segmentation).mean() < 2e-3
    near = np.abs(coarse.depth[both] - fine.depth[both]) <= 1e-3 * fine.depth[both]
    assert near.mean() >= 0.995
    assert np.abs(coarse.rgb.astype(int) - fine.rgb).mean() < 1.0


@pytest.mark.parametrize("eye", [(1, -30, 12), (-25, -20, 15), (1, 2, 45)])
def test_there_are_no_holes_between_tiles(eye):
    step = np.zeros((160, 160))
    step[:, 70:] = 1.0
    step[90:, :70] = bumps(70, 70)
    camera = looking(eye, size=(400, 300))
    coarse, fine = frame(step, camera), frame(step, camera, lod="off")
    ground = fine.segmentation == 1
    inner = ground.copy()
    inner[1:-1, 1:-1] &= ground[:-2, 1:-1] & ground[2:, 1:-1] & ground[1:-1, :-2] & ground[1:-1, 2:]
    assert inner.sum() > 3000
    assert (coarse.segmentation[inner] == 1).all()


def test_walls_reach_down_to_the_base():
    heights = bumps(50, 60)
    pose = Camera.look_at(eye=(1, -30, 3.1), target=(1, 2, 3.1), fov_y=0.3, width=9, height=9)
    camera = Camera.orthographic(
        extent_y=0.9, width=90, height=90, world_from_camera=pose.world_from_camera, near=1, far=90
    )
    found = frame(heights, camera)
    rows = 3.1 + 0.45 - 0.9 * (np.arange(90) + 0.5) / 90
    wall = (rows > 3 - SIZE[3] + 0.01) & (rows < 3)
    assert np.abs(found.depth[wall] - (30 + 2 - SIZE[1])).max() < 1e-4
    assert np.abs(found.normals[wall] - (0, 0, 1)).max() < 1e-5
    below = rows < 3 - SIZE[3] - 0.01
    assert wall.any()
    assert not found.segmentation[below].any()


def test_all_tiles_are_one_object():
    heights, camera = bumps(100, 100), above()
    painted = frame(
        heights, camera, edits=[EditMaterial(("ground",), rgba=(0, 1, 0, None), specular=0.0)]
    )
    plain = frame(heights, camera)
    assert np.unique(plain.segmentation).tolist() in ([1], [0, 1])
    ground = plain.segmentation == 1
    assert plain.rgb[ground][:, 0].min() > 0
    assert painted.rgb[ground][:, 0].max() == 0
    assert not frame(heights, camera, edits=[Hide(("ground",))]).segmentation.any()


@given(
    hnp.arrays(float, st.tuples(st.integers(2, 20), st.integers(2, 20)), elements=st.floats(0, 1)),
    st.integers(1, 20),
)
def test_a_gap_is_the_largest_distance_from_what_is_left(heights, step):
    rows, columns = terrain._cut(heights.shape[0] - 1, heights.shape[1] - 1, step)
    gap = terrain._gap(heights, rows, columns)
    found = 0.0
    for i in range(heights.shape[0]):
        for j in range(heights.shape[1]):
            r = max(k for k in range(len(rows) - 1) if rows[k] <= i)
            c = max(k for k in range(len(columns) - 1) if columns[k] <= j)
            v = (i - rows[r]) / (rows[r + 1] - rows[r])
            u = (j - columns[c]) / (columns[c + 1] - columns[c])
            corner = [heights[rows[r + y], columns[c + x]] for y in (0, 1) for x in (0, 1)]
            weights = (1 - u, u - v, 0, v) if u >= v else (1 - v, 0, v - u, u)
            found = max(found, abs(np.dot(weights, corner) - heights[i, j]))
    assert gap == pytest.approx(found, abs=1e-12)


@given(st.integers(2, 40), st.integers(2, 40))
def test_every_level_covers_the_tile_once_and_keeps_its_border(rows, columns):
    heights = np.random.default_rng(rows * 41 + columns).random((rows, columns))
    xs, ys = np.meshgrid(np.arange(columns), np.arange(rows))
    points = np.stack([xs, ys, heights], -1).astype(float)
    tile = terrain._tile(points, 0, 0, -1.0, "tile")
    height, width = min(rows - 1, 32), min(columns - 1, 32)
    around = 2 * (height + width)
    for geometry, _ in tile:
        corners = np.asarray(geometry.positions)[geometry.triangles]
        a, b, c = corners.transpose(1, 0, 2)
        area = np.cross(b - a, c - a)[:, 2] / 2
        ground = area > 1e-9
        assert (area > -1e-9).all()
        assert area.sum() == pytest.approx(height * width)
        edges = corners[ground][:, [[0, 1], [1, 2], [2, 0]], :2].reshape(-1, 4).astype(int)
        ways = {tuple(edge) for edge in edges.tolist()}
        assert len(ways) == len(edges)
        outer = {way for way in ways if (*way[2:], *way[:2]) not in ways}
        assert len(outer) == around
        assert all(abs(x - u) + abs(y - v) == 1 for x, y, u, v in outer)
