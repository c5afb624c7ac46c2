# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="union-attr, index, arg-type"
"""The rasterizer against analytic truth, and what must not depend on history."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heliograph.camera import Camera
from heliograph.errors import ClosedError, ContextError, InvalidValueError
from heliograph.frame import Buffers
from heliograph.raster import (
    DrawList,
    Environment,
    Geometry,
    Instances,
    Light,
    Mapping,
    RasterOptions,
    Shading,
    Shape,
    Side,
    Texture,
    TextureKind,
    make_rasterizer,
)
from heliograph.raster.gl import targets
from heliograph.raster.gl.rasterizer import GlRasterizer
from raster_scenes import ALL, EYE, HEAD, buffers, camera

pytestmark = pytest.mark.usefixtures("backend")


def placed(*rows):
    """Instances from (shape, position, scale)."""
    instances = Instances.blank(len(rows))
    for i, (shape, position, scale) in enumerate(rows):
        instances.table.geometry[i] = shape
        instances.transforms.world_from_object[i, :, :3] = np.diag(scale)
        instances.transforms.world_from_object[i, :, 3] = position
    return instances


def draw(rasterizer, instances, view=None, passes=ALL, lights=HEAD, **around):
    view = view or camera()
    out = buffers(view, passes)
    scene = DrawList(instances, lights, Environment(**around))
    rasterizer.draw(scene, [view], passes, [out])
    return out


def rays(view):
    """Ray directions (H, W, 3) with unit length along the optical axis."""
    points = view.unproject(view.pixel_centres(), np.ones((view.height, view.width)))
    return points - view.world_from_camera[:3, 3]


def world_normals(view, out):
    return out["normals"] @ view.world_from_camera[:3, :3].T


def degrees_between(a, b):
    return np.degrees(np.arccos(np.clip((a * b).sum(-1), -1, 1)))


@pytest.mark.parametrize("half", [5.0, 1000.0])
def test_plane_has_exact_depth_and_normals(rasterizer, half):
    view = camera(far=5000)
    out = draw(rasterizer, placed((Shape.PLANE, (0, 0, 0), (half, half, 1))), view)
    hit = out["segmentation"] == 1
    truth = -EYE[2] / rays(view)[..., 2]
    assert hit.mean() > 0.5
    assert np.abs(out["depth"][hit] / truth[hit] - 1).max() < 1e-5
    assert degrees_between(world_normals(view, out)[hit], (0, 0, 1.0)).max() < 0.1


def test_box_has_exact_faces_and_its_corners_where_they_project(rasterizer):
    view, centre, half = camera(width=640, height=480), np.array([0.1, 0.2, 0.5]), 0.3
    out = draw(rasterizer, placed((Shape.BOX, centre, (half,) * 3)), view)
    hit = out["segmentation"] == 1
    points = view.unproject(view.pixel_centres(), out["depth"].astype(float))
    assert np.abs(np.abs(points[hit] - centre).max(-1) - half).max() < 2e-5
    signs = np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, -1).T
    corners = view.project(centre + half * signs)
    rows, columns = np.nonzero(hit)
    assert abs(columns.min() - corners[:, 0].min()) <= 1.05
    assert abs(columns.max() + 1 - corners[:, 0].max()) <= 1.05
    assert abs(rows.min() - corners[:, 1].min()) <= 1.05
    assert abs(rows.max() + 1 - corners[:, 1].max()) <= 1.05


def test_an_edge_lies_within_a_twentieth_of_a_pixel_of_its_projection(rasterizer):
    # Moving an edge over a pixel centre flips the pixel; bisect where that happens.
    view = Camera.perspective(fov_y=0.8, width=64, height=64, near=0.01, far=50)
    low, high = 0.0, 0.2
    for _ in range(20):
        middle = (low + high) / 2
        out = draw(rasterizer, placed((Shape.BOX, (middle - 1, 0, -3), (1, 1, 1))), view)
        low, high = (low, middle) if out["segmentation"][32, 34] else (middle, high)
    assert view.project(np.array([low, 0, -2.0]))[0] == pytest.approx(34.5, abs=0.05)


def test_meshes_of_any_scale_and_mirroring_face_the_camera(rasterizer):
    corners = np.array([[-1, -1, -1], [1, -1, -1], [0, 1, -1], [0, 0, 1.0]])
    faces = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])
    handle = rasterizer.add_geometry(Geometry(corners, faces))
    view = camera()
    for scale in ((0.5, 0.5, 0.5), (-0.5, 0.5, 0.5), (0.7, -0.2, 0.4)):
        out = draw(rasterizer, placed((handle, (0, 0, 0.5), scale)), view)
        hit = out["segmentation"] == 1
        towards = (world_normals(view, out) * rays(view)).sum(-1)[hit]
        assert hit.sum() > 100
        assert towards.max() < 0
        points = view.unproject(view.pixel_centres(), out["depth"].astype(float))[hit]
        assert np.abs((points - (0, 0, 0.5)) / scale).max() < 1.001


def test_orthographic_depth_is_exact(rasterizer):
    pose = camera().world_from_camera
    view = Camera.orthographic(extent_y=3, width=80, height=60, world_from_camera=pose, far=50)
    corners = np.array([[-2, -2, 0], [2, -2, 0], [2, 2, 0], [-2, 2, 0.0]])
    mesh = rasterizer.add_geometry(Geometry(corners, np.array([[0, 1, 2], [0, 2, 3]])))
    for shape, scale in ((Shape.PLANE, (2, 2, 1)), (mesh, (1, 1, 1))):
        out = draw(rasterizer, placed((shape, (0, 0, 0), scale)), view)
        hit = out["segmentation"] == 1
        points = view.unproject(view.pixel_centres(), out["depth"].astype(float))
        assert hit.mean() > 0.4
        assert np.abs(points[hit][:, 2]).max() < 2e-5


def test_where_nothing_is(rasterizer):
    out = draw(rasterizer, placed(), colour=(0.2, 0.4, 0.6))
    assert (out["rgb"] == (51, 102, 153)).all()
    assert np.isposinf(out["depth"]).all()
    assert not out["normals"].any()
    assert not out["segmentation"].any()


def test_big_ids_survive(rasterizer):
    instances = placed((Shape.BOX, (0, 0, 0.4), (0.5, 0.5, 0.5)))
    instances.table.ids[0] = 2**31 - 7
    assert set(np.unique(draw(rasterizer, instances)["segmentation"])) == {0, 2**31 - 7}


def test_subsets_of_passes_and_repetition_give_the_same_bits(rasterizer):
    instances = placed(
        (Shape.SPHERE, (0, 0, 0.5), (0.5, 0.4, 0.3)), (Shape.PLANE, (0, 0, 0), (3, 3, 1))
    )
    whole = draw(rasterizer, instances)
    other = placed((Shape.BOX, (0, 0, 1), (1, 1, 1)))
    for name in ALL:
        draw(rasterizer, other)
        assert np.array_equal(draw(rasterizer, instances, passes=(name,))[name], whole[name])


def test_transparent_things_blend_in_rgb_and_are_solid_elsewhere(rasterizer):
    instances = placed((Shape.BOX, (0, 0, -4), (1, 1, 1)), (Shape.BOX, (0, 0, -2), (0.2, 0.2, 0.2)))
    instances.materials.rgba[:] = [[1, 0, 0, 1], [0, 0, 1, 0.25]]
    instances.table.shading[:] = Shading.UNLIT
    view = Camera.perspective(fov_y=0.6, width=32, height=32)
    out = draw(rasterizer, instances, view)
    assert out["rgb"][16, 16].tolist() == pytest.approx([191, 0, 64], abs=1)
    assert out["segmentation"][16, 16] == 2
    assert out["depth"][16, 16] == pytest.approx(1.8, rel=1e-5)


def test_flat_textures_stand_upright(rasterizer):
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0, 0], pixels[0, 1], pixels[1, 0] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    texture = rasterizer.add_texture(Texture(np.kron(pixels, np.ones((16, 16, 1), np.uint8))))
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0.0]])
    uvs = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]])
    mesh = Geometry(corners, np.array([[0, 1, 2], [0, 2, 3]]), np.tile([0, 0, 1.0], (4, 1)), uvs)
    instances = placed((rasterizer.add_geometry(mesh), (0, 0, -3), (1, 1, 1)))
    instances.materials.rgba[:], instances.table.shading[:] = 1, Shading.UNLIT
    instances.table.texture[:], instances.table.mapping[:] = texture, Mapping.UV
    view = Camera.perspective(fov_y=0.6, width=64, height=64)
    rgb = draw(rasterizer, instances, view)["rgb"]
    assert rgb[22, 22].tolist() == [255, 0, 0]
    assert rgb[22, 42].tolist() == [0, 255, 0]
    assert rgb[42, 22].tolist() == [0, 0, 255]


def test_double_sided_things_show_their_back_with_a_normal_towards_the_camera(rasterizer):
    instances = placed((Shape.PLANE, (0, 0, 3), (1, 1, 1)))
    assert not draw(rasterizer, instances)["segmentation"].any()
    double = replace(instances.table, side=np.full(1, Side.DOUBLE, np.int8))
    instances = replace(instances, table=double)
    view = camera(target=(0, 0, 3))
    out = draw(rasterizer, instances, view)
    hit = out["segmentation"] == 1
    assert hit.any()
    assert degrees_between(world_normals(view, out)[hit], (0, 0, -1.0)).max() < 0.1


def test_shadows_darken_what_lies_behind(rasterizer):
    instances = placed((Shape.PLANE, (0, 0, 0), (3, 3, 1)), (Shape.BOX, (0, 0, 1), (0.3, 0.3, 0.1)))
    lamp = Light(position=(0, 0, 4), casts_shadow=True, shadow_extent=4)
    view = camera(eye=(0, -4, 3), target=(0, 0, 0))
    rgb = draw(rasterizer, instances, view, lights=(lamp,))["rgb"].astype(int)
    under, beside = view.project(np.array([[0, 0.0, 0], [1.2, 0, 0]])).astype(int)
    assert rgb[under[1], under[0]].sum() < 0.2 * rgb[beside[1], beside[0]].sum()
    assert rgb[beside[1], beside[0]].sum() > 100


def test_each_pass_is_the_same_whatever_else_is_asked_for(rasterizer):
    instances = placed(
        (Shape.PLANE, (0, 0, 0), (1, 1, 1)),
        (Shape.BOX, (0, 0, 0.3), (0.3, 0.2, 0.3)),
        (Shape.CAPSULE, (0.5, 0, 0.5), (0.2, 0.2, 0.2)),
        (Shape.SPHERE, (0.3, 0, 0.2), (0.5, 0.4, 0.3)),
        (Shape.CYLINDER, (-0.3, 0, 0.2), (0.3, 0.3, 0.2)),
    )
    instances.transforms.length = np.array([0, 0, 1.5, 0, 0])
    for colour in [*np.random.default_rng(0).random((20, 3)).tolist(), [0.5, 0.1, 0.3]]:
        whole = draw(rasterizer, instances, colour=tuple(colour))
        for name in ALL:
            alone = draw(rasterizer, instances, passes=(name,), colour=tuple(colour))
            assert np.array_equal(alone[name], whole[name]), (name, colour)


@pytest.mark.parametrize("msaa", [0, 4])
def test_pictures_that_come_back_late_are_the_same(msaa):
    instances = placed((Shape.PLANE, (0, 0, 0), (3, 3, 1)), (Shape.SPHERE, (0, 0, 0.4), (0.4,) * 3))
    views = [camera(width=width, height=11, eye=EYE * k) for width, k in ((7, 1), (64, 2), (33, 1))]
    scene = DrawList(instances, HEAD, Environment(colour=(0.1, 0.2, 0.3)))
    drawn: dict[str, list[Buffers]] = {}
    for readback in ("direct", "deferred"):
        made = GlRasterizer(RasterOptions(msaa=msaa, readback=readback))
        for passes in (("depth",), ALL, ("segmentation", "rgb")):
            for chosen in (views, views[::-1], views[:1]):
                out = [buffers(view, passes) for view in chosen]
                made.draw(scene, chosen, passes, out)
                drawn.setdefault(readback, []).extend(out)
        made.close()
    for direct, deferred in zip(drawn["direct"], drawn["deferred"], strict=True):
        assert direct.keys() == deferred.keys()
        for name in direct:
            assert np.array_equal(direct[name], deferred[name])


def test_drivers_that_draw_four_floats_but_not_three_yield_the_same(monkeypatch):
    usual = GlRasterizer()
    monkeypatch.setattr(targets, "formats", lambda gl: targets._WIDE)
    wide = GlRasterizer()
    instances = placed((Shape.PLANE, (0, 0, 0), (3, 3, 1)), (Shape.SPHERE, (0, 0, 0.4), (0.4,) * 3))
    expected, found = draw(usual, instances), draw(wide, instances)
    for each in (usual, wide):
        each.close()
    for name in ALL:
        assert np.array_equal(found[name], expected[name]), name


def test_a_call_that_fails_late_leaves_nothing_behind():
    made = make_rasterizer(RasterOptions(readback="deferred"))
    instances = placed((Shape.BOX, (0, 0, 0.4), (0.4,) * 3))
    good, deep = camera(), camera(near=1e-20, far=1e20)
    out = [buffers(view) for view in (good, deep)]
    with pytest.raises(InvalidValueError, match="too far apart"):
        made.draw(DrawList(instances, HEAD), [good, deep], ALL, out)
    again = draw(made, instances, good)
    assert (again["segmentation"] == 1).sum() > 100
    made.close()


def test_multisampling_smooths_rgb_and_alpha_and_nothing_else(rasterizer):
    smooth = make_rasterizer(RasterOptions(msaa=4))
    try:
        instances = placed((Shape.BOX, (0, 0, 0.5), (0.5, 0.3, 0.4)))
        plain, fine = draw(rasterizer, instances), draw(smooth, instances)
        alone = {name: draw(smooth, instances, passes=(name,)) for name in ALL}
    finally:
        smooth.close()
    for name in ALL:
        assert np.array_equal(alone[name][name], fine[name]), name
    for name in ("depth", "normals", "segmentation", "distance"):
        assert np.array_equal(plain[name], fine[name])
    assert np.unique(plain["alpha"]).tolist() == [0, 255]
    assert len(np.unique(fine["alpha"])) == 5
    assert len(np.unique(fine["rgb"].reshape(-1, 3), axis=0)) > len(
        np.unique(plain["rgb"].reshape(-1, 3), axis=0)
    )


def test_simplified_meshes_stay_within_a_quarter_of_a_pixel(tmp_path, monkeypatch):
    monkeypatch.setenv("HELIOGRAPH_CACHE", str(tmp_path))
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    u, v = np.meshgrid(angle, angle, indexing="ij")
    points = np.stack([(2 + np.cos(v)) * np.cos(u), (2 + np.cos(v)) * np.sin(u), np.sin(v)], -1)
    normals = np.stack([np.cos(v) * np.cos(u), np.cos(v) * np.sin(u), np.sin(v)], -1)
    i, j = np.meshgrid(np.arange(200), np.arange(200), indexing="ij")
    a, b = i * 200 + j, (i + 1) % 200 * 200 + j
    c, d = (i + 1) % 200 * 200 + (j + 1) % 200, i * 200 + (j + 1) % 200
    faces = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).reshape(-1, 3)
    torus = Geometry(points.reshape(-1, 3), faces, normals.reshape(-1, 3))
    view, pictures, drawn = camera(), {}, {}
    for lod in ("auto", "off"):
        rasterizer: Any = make_rasterizer(RasterOptions(lod=lod))
        handle = rasterizer.add_geometry(torus)
        pictures[lod] = draw(rasterizer, placed((handle, (0, 0, 0.3), (0.3, 0.3, 0.3))), view)
        drawn[lod] = int((rasterizer._geometries.tables.count[handle] > 0).sum())
        rasterizer.close()
    assert drawn["auto"] > 3
    assert drawn["off"] == 1
    fine, coarse = pictures["off"], pictures["auto"]
    assert (fine["segmentation"] == coarse["segmentation"]).mean() > 0.998
    both = (fine["segmentation"] == 1) & (coarse["segmentation"] == 1)
    gap = np.abs(fine["depth"][both] / coarse["depth"][both] - 1)
    assert np.quantile(gap, 0.9) < 1e-3
    assert list((tmp_path / "lod").glob("*.lod"))


def test_a_plane_loses_nothing(tmp_path, monkeypatch):
    from heliograph.raster import lod

    monkeypatch.setenv("HELIOGRAPH_CACHE", str(tmp_path))
    x, y = np.meshgrid(np.linspace(0, 1, 30), np.linspace(0, 1, 30))
    points = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], 1).astype(np.float32)
    cells = (np.arange(29)[:, None] * 30 + np.arange(29)).ravel()
    faces = np.concatenate(
        [np.stack([cells, cells + 1, cells + 31], 1), np.stack([cells, cells + 31, cells + 30], 1)]
    ).astype(np.uint32)
    normals = np.tile(np.float32([0, 0, 1]), (900, 1))
    first = lod.levels(lod.Surface(points, normals, faces))
    assert first[-1][1] < 1e-6


def test_cameras_of_all_sizes_leave_nothing_behind(rasterizer):
    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    rng, sizes = np.random.default_rng(0), set()
    instances = placed((Shape.SPHERE, (0, 0, 0.5), (0.5, 0.5, 0.5)))
    for turn in range(1500):
        width, height = rng.integers(8, 160, 2).tolist()
        sizes.add((width, height))
        lens = {"fov_y": rng.uniform(0.3, 1.5), "near": rng.uniform(0.01, 0.1)}
        eye = rng.normal(size=3) * 3
        view = Camera.look_at(eye=eye, target=(0, 0, 0), width=width, height=height, **lens)
        draw(rasterizer, instances, view)
        if turn == 200:
            before = resident()
    assert len(sizes) > 1000
    assert resident() - before < 20 << 20


def test_two_rasterizers_do_not_disturb_each_other(rasterizer):
    instances = placed((Shape.SPHERE, (0, 0, 0.5), (0.5, 0.5, 0.5)))
    before = draw(rasterizer, instances)
    second = make_rasterizer(RasterOptions())
    draw(second, placed((Shape.BOX, (0, 0, 0), (1, 1, 1))))
    second.close()
    assert np.array_equal(draw(rasterizer, instances)["rgb"], before["rgb"])


def test_drawing_from_another_thread_works(rasterizer):
    instances = placed((Shape.SPHERE, (0, 0, 0.5), (0.5, 0.5, 0.5)))
    here, there = draw(rasterizer, instances), []
    thread = threading.Thread(target=lambda: there.append(draw(rasterizer, instances)))
    thread.start()
    thread.join()
    assert np.array_equal(here["rgb"], there[0]["rgb"])


def told_in_a_fork(act):
    """What a forked child says of an act: the error's text, or that it was done."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            act()
            os.write(write, b"done")
        except Exception as error:  # noqa: BLE001 -- the parent looks at it
            os.write(write, repr(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read, "rb") as said:
        return said.read()


def test_a_forked_child_is_told_why_gl_cannot_draw():
    made, texture = GlRasterizer(), Texture(np.zeros((2, 2, 3), np.uint8))
    assert b"fork" in told_in_a_fork(lambda: made.add_texture(texture))
    assert b"'spawn'" in told_in_a_fork(GlRasterizer)
    made.close()


@pytest.mark.parametrize("threads", [None, 2])
def test_the_cpu_draws_in_a_forked_child_as_before(threads):
    made = make_rasterizer(RasterOptions(backend="cpu", threads=threads))
    instances = placed((Shape.SPHERE, (0, 0, 0.5), (0.5, 0.5, 0.5)))
    expected = draw(made, instances)

    def check():
        again = make_rasterizer(RasterOptions(backend="cpu"))
        for each in (made, again):
            found = draw(each, instances)
            assert all(np.array_equal(found[name], expected[name]) for name in ALL)

    assert told_in_a_fork(check) == b"done"
    made.close()


def test_planes_too_far_apart_for_a_depth_buffer_are_refused(rasterizer):
    instances = placed((Shape.BOX, (0, 0, 0), (1, 1, 1)))
    with pytest.raises(InvalidValueError, match="at least far"):
        draw(rasterizer, instances, camera(near=1e-15, far=1e16))
    with pytest.raises(InvalidValueError, match="near"):
        draw(rasterizer, instances, camera(near=1e-29))
    shown = draw(rasterizer, instances, camera(near=1e-15, far=1e14))
    assert shown["segmentation"].any()


def test_closed_means_closed():
    rasterizer = make_rasterizer()
    rasterizer.close()
    rasterizer.close()
    with pytest.raises(ClosedError):
        draw(rasterizer, placed())


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"msaa": 3}, "0 or 4"),
        ({"lod": "fast"}, "auto"),
        ({"shadow_size": 0}, "16"),
        ({"device": -1}, "device"),
        ({"threads": 0}, "threads: expected an integer from 1 to 64, got 0"),
        ({"threads": 65}, "threads"),
        ({"backend": "vulkan"}, "backend: expected 'auto', 'cpu' or 'gl', got 'vulkan'"),
        ({"backend": "cpu", "device": 0}, "device: 0 is an EGL device, which backend='cpu'"),
    ],
)
def test_wrong_options_are_refused(wrong, says):
    with pytest.raises(InvalidValueError, match=says):
        RasterOptions(**wrong)


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(ContextError, match="99"):
        make_rasterizer(RasterOptions(device=99))


def test_wrong_geometry_and_textures_are_refused(rasterizer):
    corners = np.zeros((3, 3))
    with pytest.raises(InvalidValueError, match="0 to 2"):
        rasterizer.add_geometry(Geometry(corners, np.array([[0, 1, 3]])))
    with pytest.raises(InvalidValueError, match="finite"):
        rasterizer.add_geometry(Geometry(corners * np.nan, np.array([[0, 1, 2]])))
    with pytest.raises(InvalidValueError, match="uint8"):
        rasterizer.add_texture(Texture(np.zeros((2, 2, 3))))
    with pytest.raises(InvalidValueError, match="6, N, N"):
        rasterizer.add_texture(Texture(np.zeros((2, 2, 3), np.uint8), TextureKind.CUBE))


def test_a_mesh_without_uvs_is_painted_from_above(rasterizer):
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0, 0] = (255, 0, 0)  # u = 0 at -x, v = 0 (the bottom row) at +y
    texture = rasterizer.add_texture(Texture(np.kron(pixels, np.ones((16, 16, 1), np.uint8))))
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0.0]])
    mesh = Geometry(corners, np.array([[0, 1, 2], [0, 2, 3]]), np.tile([0, 0, 1.0], (4, 1)))
    view = Camera.perspective(fov_y=0.6, width=64, height=64)
    for geometry in (rasterizer.add_geometry(mesh), Shape.PLANE):
        instances = placed((geometry, (0, 0, -3), (1, 1, 1)))
        instances.materials.rgba[:], instances.table.shading[:] = 1, Shading.UNLIT
        instances.table.texture[:], instances.table.mapping[:] = texture, Mapping.OBJECT
        instances.table.texture_scale[:] = 0.5
        rgb = draw(rasterizer, instances, view)["rgb"]
        assert rgb[42, 22].tolist() == [255, 0, 0]
        assert rgb[22, 22].tolist() == [0, 0, 0]
