# mypy: allow-untyped-defs, allow-untyped-calls
"""Round shapes against rays cast in float64: pixels they cover, distance, normals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heliograph.camera import Camera
from heliograph.raster import (
    DrawList,
    Environment,
    Geometry,
    Instances,
    Light,
    Lighting,
    Mapping,
    Shading,
    Shape,
    Side,
    Texture,
    TextureKind,
)
from raster_scenes import ALL, HEAD, MIDDLE, buffers, camera

ROUND = (Shape.SPHERE, Shape.CYLINDER, Shape.CAPSULE)
SLACK = 1e-5  # as part of the shape: rays that pass closer to its outline may do either
NOTHING = np.inf


def things(*rows):
    """Instances from (shape, pose (3, 4), length)."""
    made = Instances.blank(len(rows))
    made.transforms.length = np.array([length for _, _, length in rows], float)
    for i, (shape, pose, _) in enumerate(rows):
        made.table.geometry[i], made.transforms.world_from_object[i] = shape, pose
    return made


def draw(rasterizer, instances, view, passes=ALL, lighting=Lighting.VERTEX):
    out = buffers(view, passes)
    scene = DrawList(instances, HEAD, Environment(), (0.1, 0.1, 0.1), lighting=lighting)
    rasterizer.draw(scene, [view], passes, [out])
    return out


def posed(rng, size=0.4):
    """An affine map: turned, stretched, sometimes mirrored."""
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    scale = size * rng.uniform(0.4, 1.0, 3) * rng.choice([-1, 1], 3)
    skew = np.eye(3) + np.triu(rng.uniform(-0.3, 0.3, (3, 3)), 1)
    return np.column_stack([turn * scale @ skew, rng.uniform(-0.3, 0.3, 3) + MIDDLE])


def rays(view):
    """Origins and directions (H, W, 3), one metre along the optical axis."""
    ahead, near = view.pixel_centres(), np.ones((view.height, view.width))
    one, two = view.unproject(ahead, near), view.unproject(ahead, 2 * near)
    return 2 * one - two, two - one


def interval(a, b, c):
    """Where a t^2 + 2 b t + c <= 0: first and last t; NOTHING and -NOTHING where it never is."""
    inside = b * b - a * c
    root = np.sqrt(np.maximum(inside, 0))
    hit = inside >= 0
    return np.where(hit, (-b - root) / a, NOTHING), np.where(hit, (-b + root) / a, -NOTHING)


def cast(shape, pose, length, view, grown=0.0):
    """Depth (H, W) of a shape, NOTHING where rays miss it, and its outward normals."""
    return enter(shape, pose, length, rays(view), grown)


def cast_out(shape, pose, length, view, grown=0.0):
    """Depth (H, W) where rays leave a shape, NOTHING where they do not, and its inward normals."""
    origin, ray = rays(view)
    far = 100.0
    depth, normals = enter(shape, pose, length, (origin + far * ray, -ray), grown)
    return np.where(depth < far - view.near, far - depth, NOTHING), -normals


def enter(shape, pose, length, lines, grown):
    """How far along lines (origins, directions) they enter a shape, and its outward normals."""
    origin, ray = lines
    back = np.linalg.inv(pose[:, :3])
    o, d = (origin - pose[:, 3]) @ back.T, ray @ back.T
    o, d = o / (1 + grown), d / (1 + grown)
    length = length / (1 + grown)
    if shape is Shape.SPHERE:
        first, _ = interval((d * d).sum(-1), (o * d).sum(-1), (o * o).sum(-1) - 1)
        return first, outward(o + first[..., None] * d, back)
    if shape is Shape.BOX:
        near, far = np.sort(np.stack([(-1 - o) / d, (1 - o) / d]), 0)
        first = near.max(-1)
        normal = -np.sign(d) * (near == first[..., None])
        return np.where(first <= far.min(-1), first, NOTHING), outward(normal, back)
    flat_o, flat_d = o[..., :2], d[..., :2]
    tube = interval((flat_d**2).sum(-1), (flat_o * flat_d).sum(-1), (flat_o**2).sum(-1) - 1)
    end = 1.0 if shape is Shape.CYLINDER else length
    caps = np.sort(np.stack([(-end - o[..., 2]) / d[..., 2], (end - o[..., 2]) / d[..., 2]]), 0)
    first, last = np.maximum(tube[0], caps[0]), np.minimum(tube[1], caps[1])
    first = np.where(first <= last, first, NOTHING)
    points = o + first[..., None] * d
    normal = points * (1, 1, 0)
    if shape is Shape.CYLINDER:
        flat = (caps[0] > tube[0])[..., None]
        return first, outward(np.where(flat, points * (0, 0, 1), normal), back)
    for z in (-length, length):
        from_end = o - (0, 0, z)
        ball, _ = interval(
            (d * d).sum(-1), (from_end * d).sum(-1), (from_end * from_end).sum(-1) - 1
        )
        nearer = ball < first
        first = np.where(nearer, ball, first)
        normal = np.where(nearer[..., None], from_end + ball[..., None] * d, normal)
    return first, outward(normal, back)


def outward(normal, back):
    with np.errstate(invalid="ignore"):
        turned = normal @ back
        return turned / np.linalg.norm(turned, axis=-1, keepdims=True)


@pytest.fixture(autouse=True)
def _misses_are_infinite():
    with np.errstate(invalid="ignore", over="ignore"):
        yield


def check(out, shape, pose, length, view, slack=SLACK, crossing=cast):
    """The picture of one round thing is that of the exact surface."""
    surely, _ = crossing(shape, pose, length, view, -slack)
    maybe, _ = crossing(shape, pose, length, view, slack)
    depth, normals = crossing(shape, pose, length, view)
    hit = out["segmentation"] == 1
    assert hit[surely < NOTHING].all()
    assert not hit[maybe == NOTHING].any()
    assert not (hit & (depth == NOTHING))[surely < NOTHING].any()
    hit &= surely < NOTHING
    steep = np.abs((normals * rays(view)[1]).sum(-1)) > 0.1  # else a hair's breadth is far
    wrong = np.abs(out["depth"] / depth - 1)
    assert wrong[hit & steep].max(initial=0) < 1e-5
    assert wrong[hit].max(initial=0) < 1e-4
    towards = view.world_from_camera[:3, :3]
    cosine = ((out["normals"] @ towards.T) * normals).sum(-1)
    rim = shape in (Shape.CYLINDER, Shape.BOX)  # where flat faces begin either normal is right
    wrong = (np.degrees(np.arccos(np.clip(cosine, -1, 1))) > 0.1) & hit & steep
    assert wrong.sum() <= (4 if rim else 0)
    return hit


@pytest.mark.parametrize("lighting", Lighting)
@pytest.mark.parametrize("size", [(24, 18), (120, 90), (640, 480)])
@pytest.mark.parametrize("shape", ROUND)
def test_every_pixel_of_round_shapes_is_right(rasterizer, shape, size, lighting):
    rng, count = np.random.default_rng(7), 3 if size[0] > 200 else 12
    covered = 0
    for _ in range(count):
        view = camera(eye=rng.normal(size=3) * 2 + (0, -2.5, 0.5), width=size[0], height=size[1])
        pose, length = posed(rng), float(rng.uniform(0, 2))
        out = draw(rasterizer, things((shape, pose, length)), view, lighting=lighting)
        covered += check(out, shape, pose, length, view).sum()
    assert covered > 0.02 * count * size[0] * size[1]


@pytest.mark.parametrize("shape", ROUND)
@pytest.mark.parametrize("pixels", [48, 400])
def test_every_pixel_is_right_without_perspective(rasterizer, shape, pixels):
    rng = np.random.default_rng(3)
    for _ in range(6):
        stand = camera(eye=rng.normal(size=3) * 3).world_from_camera
        view = Camera.orthographic(
            extent_y=2.4, width=pixels, height=pixels, world_from_camera=stand, near=0.01, far=30
        )
        pose, length = posed(rng), float(rng.uniform(0, 2))
        out = draw(rasterizer, things((shape, pose, length)), view)
        assert check(out, shape, pose, length, view).sum() > 20


@pytest.mark.parametrize("shape", ROUND)
@pytest.mark.parametrize("distance", [0.45, 0.8, 1.6, 12.0, 100.0])
def test_every_pixel_is_right_from_close_and_from_afar(rasterizer, shape, distance):
    rng = np.random.default_rng(11)
    for width in (16, 200):
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        pose = np.column_stack([0.1 * turn, MIDDLE])
        eye = distance * np.array([0.6, -0.64, 0.48]) + MIDDLE
        fov = min(2.0, 0.5 / distance)
        view = camera(eye=eye, fov_y=fov, width=width, height=width, far=400)
        out = draw(rasterizer, things((shape, pose, 1.5)), view)
        slack = SLACK + 1e-7 * distance / 0.1  # float32 knows no better where far things are
        assert check(out, shape, pose, 1.5, view, slack).sum() > 10


@given(seed=st.integers(0, 2**32 - 1), shape=st.sampled_from(ROUND), width=st.integers(8, 200))
@settings(max_examples=60, deadline=None)
def test_any_pose_from_anywhere(rasterizer, seed, shape, width):
    rng = np.random.default_rng(seed)
    eye = rng.normal(size=3)
    eye *= rng.uniform(1.5, 8) / np.linalg.norm(eye)
    view = camera(eye=eye + MIDDLE, fov_y=rng.uniform(0.2, 1.8), width=width, height=width)
    pose, length = posed(rng, size=rng.uniform(0.01, 0.5)), float(rng.uniform(0, 1))
    out = draw(rasterizer, things((shape, pose, length)), view)
    check(out, shape, pose, length, view)


@pytest.mark.parametrize("width", [40, 160, 640])
def test_where_things_pass_through_each_other_the_nearer_one_shows(rasterizer, width):
    rng = np.random.default_rng(5)
    for _ in range(2 if width > 200 else 4):
        rows = [(shape, posed(rng, 0.6), float(rng.uniform(0, 1))) for shape in (*ROUND, *ROUND)]
        view = camera(width=width, height=width * 3 // 4)
        ids = draw(rasterizer, things(*rows), view)["segmentation"]
        depths = np.stack([cast(*row, view)[0] for row in rows])
        order = np.sort(depths, axis=0)
        sure = (order[1] - order[0] > 3e-4) | (order[0] == NOTHING)
        for grown in (-SLACK, SLACK):
            edges = np.stack([cast(*row, view, grown)[0] for row in rows])
            sure &= ((edges == NOTHING) == (depths == NOTHING)).all(0)
        truth = np.where(order[0] == NOTHING, 0, depths.argmin(0) + 1)
        assert sure.mean() > 0.98
        assert np.array_equal(ids[sure], truth[sure])


@pytest.mark.parametrize("shape", ROUND)
def test_what_is_beyond_the_far_plane_is_not_drawn(rasterizer, shape):
    pose = np.column_stack([0.5 * np.eye(3), MIDDLE])
    for far, seen in ((3.0, False), (3.9, True), (50, True)):
        view = camera(far=far)
        out = draw(rasterizer, things((shape, pose, 0.5)), view)
        hit = out["segmentation"] == 1
        assert hit.any() == seen
        assert out["depth"][hit].max(initial=0) <= far


def test_light_in_boxes_and_on_polygons_agree(rasterizer):
    # The same picture at two sizes is drawn by two programs; their light is much the same.
    sphere = things((Shape.SPHERE, np.column_stack([0.3 * np.eye(3), MIDDLE]), 0.0))
    small, large = (
        draw(rasterizer, sphere, camera(width=width, height=width))["rgb"].astype(float)
        for width in (100, 1000)
    )
    mean = large.reshape(100, 10, 100, 10, 3).mean((1, 3))
    inside = (small.min(-1) > 0) & (mean.min(-1) > 0)
    assert inside.sum() > 200
    assert small[inside].std() > 15
    assert np.abs(mean - small)[inside].mean() < 3


@pytest.mark.parametrize("kind", TextureKind)
@pytest.mark.parametrize("shape", ROUND)
def test_textures_are_laid_alike_on_boxes_and_polygons(rasterizer, shape, kind):
    rng = np.random.default_rng(0)
    shades = np.kron(rng.integers(60, 255, (4, 4, 3)), np.ones((16, 16, 1)))
    pixels = shades if kind is TextureKind.FLAT else np.stack([shades] * 6)
    handle = rasterizer.add_texture(Texture(pixels.astype(np.uint8), kind))
    pose = np.column_stack([0.3 * np.eye(3), MIDDLE])
    instances = things((shape, pose, 0.8))
    instances.table.texture[:] = handle
    instances.table.mapping[:] = Mapping.UV if kind is TextureKind.FLAT else Mapping.OBJECT
    small = draw(rasterizer, instances, camera(width=80, height=80))["rgb"].astype(float)
    large = draw(rasterizer, instances, camera(width=800, height=800))["rgb"].astype(float)
    mean = large.reshape(80, 10, 80, 10, 3).mean((1, 3))
    inside = (small.min(-1) > 0) & (mean.min(-1) > 0)
    assert inside.sum() > 150
    assert small[inside].std() > 15
    assert np.abs(mean - small)[inside].mean() < 12


@pytest.mark.parametrize("size", [(60, 45), (640, 480)])
@pytest.mark.parametrize("shape", [*ROUND, Shape.BOX])
@pytest.mark.parametrize(("side", "crossing"), [(Side.DOUBLE, cast), (Side.BACK, cast_out)])
def test_every_side_of_shapes_is_exact(rasterizer, side, crossing, shape, size):
    rng = np.random.default_rng(8)
    covered = 0
    for turn in range(3 if size[0] > 200 else 12):
        view = camera(eye=rng.normal(size=3) * 2 + (0, -2.5, 0.5), width=size[0], height=size[1])
        if turn % 3 == 2:
            stand = view.world_from_camera
            facts = {"width": size[0], "height": size[1], "world_from_camera": stand}
            view = Camera.orthographic(extent_y=2.4, near=0.01, far=30, **facts)
        pose, length = posed(rng), float(rng.uniform(0, 2))
        rows = things((shape, pose, length))
        rows.table.side[:] = side
        covered += check(
            draw(rasterizer, rows, view), shape, pose, length, view, 2e-5, crossing
        ).sum()
    assert covered > 0.03 * size[0] * size[1]


@pytest.mark.parametrize("shape", [*ROUND, Shape.BOX])
@pytest.mark.parametrize("side", [Side.DOUBLE, Side.BACK])
def test_from_within_the_inside_of_a_shape_is_exact(rasterizer, shape, side):
    rng = np.random.default_rng(2)
    for _ in range(4):
        pose, length = posed(rng, 2.0), float(rng.uniform(0, 2))
        middle = pose[:, 3]
        ahead = middle + rng.normal(size=3)
        view = camera(eye=middle, target=ahead, near=1e-3, width=120, height=90, fov_y=1.4)
        rows = things((shape, pose, length))
        rows.table.side[:] = side
        out = draw(rasterizer, rows, view)
        assert check(out, shape, pose, length, view, crossing=cast_out).all()


@pytest.mark.parametrize("shape", [*ROUND, Shape.BOX])
@pytest.mark.parametrize("width", [80, 500])
def test_holes_in_a_shape_of_two_sides_show_its_inside(rasterizer, shape, width):
    pixels = np.full((8, 64, 4), 255, np.uint8)
    pixels[:, :16, 3] = pixels[:, 48:, 3] = 0  # where the object's own x is below 0
    pose, length = np.column_stack([0.4 * np.eye(3), MIDDLE]), 0.5
    rows = things((shape, pose, length))
    rows.table.side[:] = Side.DOUBLE
    rows.table.texture[:] = rasterizer.add_texture(Texture(pixels))
    rows.table.mapping[:] = Mapping.OBJECT
    rows.table.texture_scale[:] = 0.25
    rows.table.cutoff = np.full(1, 0.5, np.float32)
    view = camera(width=width, height=width, eye=(-2.0, -2.0, 2.0), fov_y=0.5)
    out = draw(rasterizer, rows, view)
    origin, ray = rays(view)
    seen = np.zeros((width, width), int)  # 1: the outside, 2: the inside
    truth, normals = np.full(seen.shape, NOTHING), np.zeros((*seen.shape, 3))
    for which, crossing in ((2, cast_out), (1, cast)):
        depth, normal = crossing(shape, pose, length, view)
        across = (origin + np.where(depth < NOTHING, depth, 0)[..., None] * ray - MIDDLE)[..., 0]
        shown = (depth < NOTHING) & (across > 0)
        seen[shown], truth[shown], normals[shown] = which, depth[shown], normal[shown]
        seen[np.abs(across) < 0.03] = -1  # where the texture goes from clear to solid
    sure = seen > 0
    assert min((seen == 1).sum(), (seen == 2).sum()) > 0.02 * seen.size
    wrong = np.abs(out["depth"][sure] / truth[sure] - 1) > 1e-4
    assert wrong.mean() < 0.01  # outlines
    cosine = (out["normals"] @ view.world_from_camera[:3, :3].T * normals).sum(-1)[sure]
    assert (cosine[~wrong] < 0.999).mean() < 0.01  # rims
    assert (out["segmentation"][seen == 0] == 0).mean() > 0.99


@pytest.mark.parametrize("shape", [*ROUND, Shape.BOX])
@pytest.mark.parametrize("width", [80, 500])
@pytest.mark.parametrize("behind", [False, True])
def test_through_glass_of_two_sides_the_back_shows_behind_the_front(
    rasterizer, shape, width, behind
):
    pixels = np.zeros((64, 8, 3), np.uint8)
    pixels[:, :, 0] = 255  # red where the object's own y is below 0, else blue
    pixels[:16] = pixels[48:] = (0, 0, 255)
    pose = np.column_stack([0.3 * np.eye(3), MIDDLE])
    rows = things((shape, pose, 0.5))
    rows.table.side[:], rows.table.shading[:] = Side.DOUBLE, Shading.UNLIT
    rows.table.texture[:] = rasterizer.add_texture(Texture(pixels))
    rows.table.mapping[:] = Mapping.OBJECT
    rows.table.texture_scale[:] = 0.25
    rows.materials.rgba[:] = 1, 1, 1, 0.5
    view = camera(width=width, height=width, eye=(0, -3 if not behind else 3, 0.45), fov_y=0.5)
    red, green, blue = draw(rasterizer, rows, view, ("rgb",))["rgb"][width // 2, width // 2]
    front, back = (blue, red) if behind else (red, blue)
    assert (abs(int(front) - 128), abs(int(back) - 64), green) <= (1, 1, 0)


def test_only_the_back_of_a_mesh_shows(rasterizer):
    square = Geometry(
        np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]),
        np.array([[0, 1, 2], [0, 2, 3]]),
    )
    rows = things((rasterizer.add_geometry(square), np.column_stack([np.eye(3), MIDDLE]), 0.0))
    for mirrored in (1, -1):
        rows = rows.moved(np.column_stack([np.diag([mirrored, 1, 1]), MIDDLE])[None])
        for side in Side:
            rows.table.side = np.full(1, side, np.int8)
            rows = replace(rows, table=replace(rows.table))
            for height in (2.0, -2.0):
                view = camera(eye=(0.1, -0.1, height), target=MIDDLE, fov_y=0.3)
                out = draw(rasterizer, rows, view)
                shown = side is Side.DOUBLE or (height > 0) == (side is Side.FRONT)
                assert (out["segmentation"] == 1).all() == shown
                assert (out["segmentation"] == 1).any() == shown
                assert not shown or (out["normals"][..., 2] > 0.9).all()


def test_a_capsule_casts_a_shadow_as_long_as_it_is(rasterizer):
    pose = np.column_stack([0.2 * np.eye(3)[:, [1, 2, 0]], (0, 0, 1.0)])  # along x
    floor = np.column_stack([np.diag([4, 4, 1]), (0, 0, 0)])
    lamp = Light(position=(0, 0, 4), casts_shadow=True, shadow_extent=4)
    view = camera(eye=(0, -5, 5), target=(0, 0, 0), width=320, height=240)
    instances = things((Shape.PLANE, floor, 0.0), (Shape.CAPSULE, pose, 4.0))
    out = buffers(view, ("rgb",))
    rasterizer.draw(DrawList(instances, (lamp,)), [view], ("rgb",), [out])
    spots = np.array([[0.9, 0, 0], [-0.9, 0, 0], [1.2, 0, 0], [-1.2, 0, 0]])
    columns, rows = view.project(spots).astype(int).T
    light = out["rgb"][rows, columns].sum(-1)
    assert (light[:2] < 0.3 * light[2:]).all()
