# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="union-attr, index, arg-type"
"""Alpha and distance: against analytic truth, alone and together, and wherever passes go."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import heliograph as hg
from heliograph.camera import Camera, Projection
from heliograph.passes import ALPHA, DISTANCE, KNOWN_PASSES
from heliograph.raster import (
    DrawList,
    Environment,
    Geometry,
    Instances,
    Lighting,
    Mapping,
    RasterOptions,
    Shading,
    Shape,
    Texture,
    make_rasterizer,
)
from heliograph.record import Recording, record
from raster_scenes import ALL, HEAD, buffers, camera

pytestmark = pytest.mark.usefixtures("backend")

BOTH = ("alpha", "distance")
SIDE = 96
MJCF = """<mujoco><worldbody><light pos="0 0 3"/>
<camera name="front" pos="0 -3 0" xyaxes="1 0 0 0 0 1"/>
<body><joint name="x" type="slide" axis="1 0 0"/>
<geom name="ball" size="0.5" rgba="1 0 0 0.3"/></body>
<geom name="box" type="box" size="0.3 0.3 0.3" pos="0.8 0.5 0"/>
</worldbody></mujoco>"""


@pytest.fixture(scope="module", params=[0, 4])
def sampled(request, backend):
    """A rasterizer without and with multisampling."""
    made = make_rasterizer(RasterOptions(msaa=request.param))
    yield made
    made.close()


def placed(*rows):
    """Instances from (geometry, position, scale, opacity)."""
    instances = Instances.blank(len(rows))
    for i, (shape, position, scale, opacity) in enumerate(rows):
        instances.table.geometry[i] = shape
        instances.transforms.world_from_object[i, :, :3] = np.diag(scale)
        instances.transforms.world_from_object[i, :, 3] = position
        instances.materials.rgba[i, 3] = opacity
    return instances


def draw(rasterizer, instances, view, passes=BOTH, lighting=Lighting.PIXEL, **around):
    out = buffers(view, passes)
    scene = DrawList(instances, HEAD, Environment(**around), lighting=lighting)
    rasterizer.draw(scene, [view], passes, [out])
    return out


def above(width=SIDE):
    """An orthographic camera 5 m above the origin that shows 4 m by 4 m."""
    pose = np.eye(4)
    pose[2, 3] = 5
    return Camera.orthographic(
        world_from_camera=pose, extent_y=4, width=width, height=width, near=0.1, far=20
    )


def lenses():
    near = camera()
    parallel = near.replace(fx=50.0, fy=50.0, projection=Projection.ORTHOGRAPHIC)
    return [near, near.replace(cx=near.cx + 31.5, cy=near.cy - 17.25), parallel]


def rays(view):
    """Where rays start and their unit directions, (H, W, 3) each."""
    pixels, one = view.pixel_centres(), np.ones((view.height, view.width))
    way = view.unproject(pixels, 2 * one) - view.unproject(pixels, one)
    way /= np.linalg.norm(way, axis=-1, keepdims=True)
    if view.projection is Projection.PERSPECTIVE:
        return np.broadcast_to(view.world_from_camera[:3, 3], way.shape), way
    return view.unproject(pixels, 0 * one), way


def to_plane(start, way):
    t = -start[..., 2] / way[..., 2]
    inside = np.abs(start + t[..., None] * way)[..., :2].max(-1) < 1.5
    return np.where(inside & (t > 0), t, np.inf)


def to_sphere(start, way):
    """A ball of 0.7 m at the origin; where it is seen too slantingly, NaN."""
    middle = -(start * way).sum(-1)
    within = 0.49 - ((start + middle[..., None] * way) ** 2).sum(-1)
    t = middle - np.sqrt(np.maximum(within, 0))
    return np.where(np.abs(within) < 0.05, np.nan, np.where(within > 0, t, np.inf))


def to_box(start, way):
    ends = np.stack([(side * np.array([0.7, 0.4, 0.5]) - start) / way for side in (-1, 1)])
    enter, leave = ends.min(0).max(-1), ends.max(0).min(-1)
    return np.where(enter < leave, enter, np.inf)


THINGS = {
    "plane": (Shape.PLANE, (1.5, 1.5, 1), to_plane),
    "sphere": (Shape.SPHERE, (0.7, 0.7, 0.7), to_sphere),
    "box": (Shape.BOX, (0.7, 0.4, 0.5), to_box),
}


@pytest.mark.parametrize("kind", THINGS)
@pytest.mark.parametrize("lens", range(3))
def test_distance_is_along_the_ray(rasterizer, kind, lens):
    shape, scale, truth = THINGS[kind]
    view = lenses()[lens]
    found = draw(rasterizer, placed((shape, (0, 0, 0), scale, 1)), view, ("distance",))["distance"]
    expected = truth(*rays(view))
    clear = ~np.isnan(expected) & (np.isinf(expected) == np.isinf(found))
    hit = clear & np.isfinite(expected)
    assert clear.sum() > 0.99 * (~np.isnan(expected)).sum()
    assert hit.sum() > 500
    np.testing.assert_allclose(found[hit], expected[hit], rtol=1e-5)


@pytest.mark.parametrize("lens", range(3))
def test_distance_of_a_mesh_is_that_of_its_triangles(rasterizer, lens):
    corners = np.array([[-1.5, -1.5, 0], [1.5, -1.5, 0], [1.5, 1.5, 0], [-1.5, 1.5, 0]])
    mesh = Geometry(corners, np.array([[0, 1, 2], [0, 2, 3]]), np.tile([0.0, 0, 1], (4, 1)))
    view = lenses()[lens]
    rows = placed((rasterizer.add_geometry(mesh), (0, 0, 0), (1, 1, 1), 1))
    found, expected = draw(rasterizer, rows, view)["distance"], to_plane(*rays(view))
    hit = np.isfinite(found) & np.isfinite(expected)
    assert hit.sum() > 500
    assert (np.isfinite(found) == np.isfinite(expected)).mean() > 0.99
    np.testing.assert_allclose(found[hit], expected[hit], rtol=1e-5)


def test_distance_is_that_of_the_nearest_surface_transparent_or_not(rasterizer):
    view = camera()
    rows = placed(
        (Shape.PLANE, (0, 0, 0), (3, 3, 1), 1), (Shape.BOX, (0, 0, 0), (0.7, 0.4, 0.5), 0.2)
    )
    found, truth = draw(rasterizer, rows, view)["distance"], to_box(*rays(view))
    seen = np.isfinite(truth) & (found < to_plane(*rays(view)) * 0.99)
    assert seen.sum() > 500
    np.testing.assert_allclose(found[seen], truth[seen], rtol=1e-5)


@pytest.mark.parametrize("lighting", Lighting)
@pytest.mark.parametrize(("a", "b"), [(0.25, 0.5), (0.9, 0.1), (0.6, 0.6)])
def test_alpha_of_surfaces_over_each_other(sampled, lighting, a, b):
    """One quad on the left two thirds, one on the right two, an opaque one on the lower half."""
    rows = placed(
        (Shape.PLANE, (-0.5, 0, 1), (1, 1.5, 1), a),
        (Shape.PLANE, (0.5, 0, 0), (1, 1.5, 1), b),
        (Shape.PLANE, (0, -1, -1), (1.75, 0.75, 1), 1),
    )
    alpha = draw(sampled, rows, above(), lighting=lighting)["alpha"].astype(int)
    upper = {x: alpha[SIDE // 2 - 10, round((x + 2) / 4 * SIDE)] for x in (-1.9, -1, 0, 1)}
    expected = {-1.9: 0, -1: a, 0: 1 - (1 - a) * (1 - b), 1: b}
    assert (upper[-1.9], alpha[2].max()) == (0, 0)
    for x, value in expected.items():
        assert abs(upper[x] - 255 * value) <= 1
    assert (alpha[SIDE // 2 + 10, 10:-10] == 255).all()


def test_nothing_is_clear_whatever_the_background(sampled):
    rows = placed((Shape.SPHERE, (0, 0, 30), (1, 1, 1), 1))
    out = draw(sampled, rows, above(), ALL, colour=(0.3, 0.6, 0.9))
    assert out["rgb"].any()
    assert not out["alpha"].any()
    assert np.isposinf(out["distance"]).all()


def holed(rasterizer, opacity, cutoff):
    """White things that only shine over each other: a fence with holes, balls, and a wall."""
    rows = placed(
        (Shape.PLANE, (0, 0, 1), (1.5, 1.5, 1), opacity),
        (Shape.SPHERE, (0.8, 0.3, 0.2), (0.8, 0.8, 0.8), 0.4),
        (Shape.CYLINDER, (-0.8, 0.3, 0.2), (0.8, 0.8, 0.8), 0.7),
        (Shape.BOX, (0, -1, -2), (1.8, 0.5, 0.5), 1),
    )
    pixels = np.full((16, 16, 4), 255, np.uint8)
    pixels[..., 3] = np.where(np.add.outer(np.arange(16), np.arange(16)) // 4 % 2, 60, 200)
    rows.materials.rgba[:, :3] = 1
    rows.table.shading[:] = Shading.UNLIT
    rows.table.texture[0] = rasterizer.add_texture(Texture(pixels))
    rows.table.mapping[0] = Mapping.UV
    rows.table.texture_scale[0, :2] = 1
    table = replace(rows.table, cutoff=np.array([cutoff, 0, 0, 0], np.float32), layers=2)
    return replace(rows, table=table)


@pytest.mark.parametrize("opacity", [1.0, 0.5])
@pytest.mark.parametrize("cutoff", [0, 0.5])
@pytest.mark.parametrize("lens", range(4))
def test_alpha_is_what_rgb_shows(sampled, opacity, cutoff, lens):
    """In white on black colour is alpha: with holes, textures, layers, and smooth edges."""
    view = [*lenses(), above()][lens]
    rows = holed(sampled, opacity, cutoff)
    whole = draw(sampled, rows, view, ALL)
    assert np.abs(whole["rgb"].astype(int) - whole["alpha"][..., None]).max() <= 1
    assert len(np.unique(whole["alpha"])) > 3
    for passes in (("alpha",), ("distance",), BOTH, ("alpha", "depth"), ("rgb", "distance")):
        some = draw(sampled, rows, view, passes)
        assert list(some) == list(passes)
        for name in passes:
            assert np.array_equal(some[name], whole[name]), (name, passes)


def test_holes_are_clear_and_what_is_between_is_opaque(rasterizer):
    pixels = np.full((4, 4, 4), 255, np.uint8)
    pixels[..., 3] = 255 * (np.add.outer(np.arange(4), np.arange(4)) % 2)
    rows = placed((Shape.PLANE, (0, 0, 0), (2, 2, 1), 1))
    rows.table.texture[:] = rasterizer.add_texture(Texture(pixels))
    rows.table.mapping[:] = Mapping.UV
    rows.table.texture_scale[:, :2] = 1
    rows = replace(rows, table=replace(rows.table, cutoff=np.array([0.5], np.float32)))
    alpha = draw(rasterizer, rows, above(), ("alpha",))["alpha"]
    size = SIDE // 4
    for y in range(4):
        for x in range(4):
            middle = alpha[y * size + 4 : (y + 1) * size - 4, x * size + 4 : (x + 1) * size - 4]
            assert (middle == 255 * ((x + y) % 2)).all()


@pytest.mark.parametrize("opacity", [1.0, 0.5])
@pytest.mark.parametrize("angle", [0.13, 0.4, 0.7])
def test_alpha_at_edges_is_the_area_that_is_covered(sampled, opacity, angle):
    """The edge of half a plane, turned: what it covers of the pixels it goes through."""
    rows = placed((Shape.PLANE, (0, 0, 0), (9, 9, 1), opacity))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    rows.transforms.world_from_object[0, :2, :2] = 9 * turn
    rows.transforms.world_from_object[0, :2, 3] = turn @ (9.013, 0)
    view = above(128)
    alpha = draw(sampled, rows, view, ("alpha",))["alpha"]
    steps = (np.arange(128 * 16) + 0.5) / (128 * 16) * 4 - 2
    x, y = np.meshgrid(steps, -steps)
    fine = x * turn[0, 0] + y * turn[1, 0] > 0.013
    covered = fine.reshape(128, 16, 128, 16).mean((1, 3))
    edge = (covered > 0) & (covered < 1)
    full = round(255 * opacity)
    assert edge.sum() > 120
    assert np.abs(alpha[~edge].astype(int) - full * covered[~edge]).max() <= 1
    if sampled.options.msaa:
        assert alpha[edge].mean() == pytest.approx(255 * opacity * covered[edge].mean(), rel=0.02)
        assert len(np.unique(alpha[edge])) >= 4
    else:
        assert set(np.unique(alpha[edge])) <= {0, full, full + 1}


@pytest.mark.parametrize(
    ("scene", "opacity"),
    [
        (MJCF, 1 - 0.7**2),  # in MuJoCo what is transparent is drawn twice
        (
            hg.Scene(
                hg.Sphere(key="ball", radius=0.5, opacity=0.3),
                hg.Box(key="box", size=(0.6, 0.6, 0.6), position=[0.8, 0.5, 0]),
                hg.CameraView(key="front", position=[0, -3, 0], lookAt=[0, 0, 0]),
            ),
            0.3,
        ),
    ],
)
def test_both_engines_have_them(scene, opacity):
    with hg.open(scene, size=(64, 48)) as renderer:
        assert renderer.passes == KNOWN_PASSES
        view = Camera.look_at(eye=(0, -3, 0), target=(0, 0, 0), fov_y=0.8, width=65, height=49)
        frame = renderer.render(hg.View((view,), KNOWN_PASSES))["camera"]
    middle = frame["alpha"][24, 32], frame["distance"][24, 32]
    assert middle == (pytest.approx(255 * opacity, abs=1), pytest.approx(2.5, rel=1e-5))
    assert (frame["alpha"][24, 50], frame["alpha"][0, 0]) == (255, 0)
    assert np.array_equal(frame["alpha"] > 0, frame.segmentation > 0)


def test_the_classic_style_has_not():
    with hg.open(MJCF, size=(8, 6), style="classic") as renderer:
        assert renderer.passes.keys() == {"rgb", "depth", "segmentation"}


def same(one, other):
    assert one.passes.keys() == other.passes.keys()
    for name in one.passes:
        assert one[name].dtype == other[name].dtype
        assert one[name].tobytes() == other[name].tobytes(), name


def test_pools_batches_and_recordings_carry_them(tmp_path, backend):
    places = np.linspace(-0.4, 0.4, 3)[:, None]
    how = {"size": (24, 18), "backend": backend}
    with hg.open(MJCF, **how) as local, hg.open(MJCF, **how, workers=1) as pool:
        assert pool.passes == local.passes
        views = [hg.View((), KNOWN_PASSES, {"qpos": each}) for each in places]
        frames = [local.render(view)["front"] for view in views]
        for view, frame in zip(views, frames, strict=True):
            same(pool.render(view)["front"], frame)
        batch = {"qpos": places, "seed": 0, "passes": KNOWN_PASSES, "cameras": ["front"]}
        for renderer in (local, pool):
            stacked = renderer.render_batch(batch)
            assert stacked["front_alpha"].shape == (3, 18, 24)
            for name in KNOWN_PASSES:
                expected = np.stack([frame[name] for frame in frames])
                key = "front" if name == "rgb" else f"front_{name}"
                assert stacked[key].tobytes() == expected.tobytes()
        dataset = hg.Dataset(pool, 3, passes=[ALPHA, DISTANCE], seed=4)
        record(dataset, tmp_path / "run")
        for sample, replayed in zip(dataset, Recording(tmp_path / "run"), strict=True):
            same(replayed["front"], sample["front"])
