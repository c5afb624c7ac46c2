"""Pictures that a script takes of the scene it works on."""

import math

import bpy
import mathutils
import numpy as np
import pytest

from heliograph.colour import encoded
from heliograph.engines.blender.offscreen import OffScreenRenderer
from heliograph.errors import ClosedError, InvalidValueError, SceneError, UnknownNameError

ORANGE = (0.9, 0.4, 0.1, 1.0)
FLAT = {"light": "FLAT", "color_type": "OBJECT", "show_object_outline": False}


@pytest.fixture(autouse=True)
def factory():
    bpy.ops.wm.read_factory_settings()
    cube = bpy.data.objects["Cube"]
    cube.color = ORANGE
    camera = bpy.context.scene.camera
    camera.location = (0, 0, 10)
    camera.rotation_euler = (0, 0, 0)
    render = bpy.context.scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = 128, 96, 50
    return cube


@pytest.fixture
def cube():
    return bpy.data.objects["Cube"]


@pytest.fixture
def make():
    made = []

    def make(*args, **kwargs):
        made.append(OffScreenRenderer(*args, **kwargs))
        return made[-1]

    yield make
    for each in made:
        each.close()


def srgb(linear):
    return np.round(encoded(np.array(linear[:3])) * 255).astype(int)


def silhouette(picture, colour, within=1):
    return (np.abs(picture[..., :3].astype(int) - colour) <= within).all(axis=-1)


def covered(camera, half=1.0, distance=9.0):
    """Pixels whose centres the top of the cube covers, from straight above."""
    focal = camera.data.lens / camera.data.sensor_width * 64
    x = (np.arange(64) + 0.5 - 32) / focal * distance
    y = (np.arange(48) + 0.5 - 24) / focal * distance
    return (np.abs(x)[None] <= half) & (np.abs(y)[:, None] <= half)


def test_a_flat_view_has_the_colour_and_the_outline_of_what_is_there(make):
    off = make(mode="rgb")
    off.set_render_style("SOLID", **FLAT)
    picture = off.render()
    assert (picture.shape, picture.dtype, off.shape) == ((48, 64, 3), np.uint8, (48, 64))
    seen = silhouette(picture, srgb(ORANGE))
    np.testing.assert_array_equal(seen, covered(bpy.context.scene.camera))
    assert len(np.unique(picture[~seen], axis=0)) == 1


@pytest.mark.parametrize("shading", ["SOLID", "RENDERED"])
def test_rows_begin_where_the_origin_is(make, cube, shading):
    cube.location.y = 2
    upper, lower = make(mode="rgb"), make(mode="rgb", origin="lower-left")
    pictures = []
    for off in (upper, lower):
        off.set_render_style(shading, **(FLAT if shading == "SOLID" else {}))
        pictures.append(off.render())
    np.testing.assert_array_equal(pictures[0][::-1], pictures[1])
    different = (pictures[0] != pictures[0][-1, 0]).any(axis=-1)
    assert different[:24].sum() > 4 * different[24:].sum()


@pytest.mark.parametrize("style", ["fast", "cycles", "eevee"])
def test_all_styles_see_the_same_cube(make, style):
    passes = make(style=style).render_passes(["rgb", "depth"])
    assert passes["depth"][24, 32] == pytest.approx(9, abs=1e-4)
    assert passes["rgb"][24, 32].min() > passes["rgb"][0, 0].max()


@pytest.mark.parametrize("shading", ["SOLID", "WIREFRAME", "RENDERED", "MATERIAL"])
def test_each_picture_is_an_array_of_its_own(make, cube, shading):
    off = make()
    off.set_render_style(shading)
    first = off.render()
    kept = first.copy()
    cube.location.x = 1
    second = off.render()
    np.testing.assert_array_equal(first, kept)
    assert first.shape == second.shape == (48, 64, 4)
    assert (first != second).any()
    assert (first[..., 3] == 255).all()
    cube.location.x = 0
    np.testing.assert_array_equal(off.render(), first)


def test_styles_share_a_process_and_do_not_disturb_each_other(make, backend):
    view, ours = make(mode="rgb"), make(mode="rgb")
    view.set_render_style("SOLID", **FLAT)
    first = view.render(), ours.render()
    again = ours.render(), view.render()
    np.testing.assert_array_equal(first[0], again[1])
    np.testing.assert_array_equal(first[1], again[0])
    shading = next(
        space.shading
        for screen in bpy.data.screens
        for area in screen.areas
        for space in area.spaces
        if space.type == "VIEW_3D"
    )
    assert shading.color_type == "MATERIAL"
    assert bpy.context.preferences.system.viewport_aa != "OFF"
    assert len(bpy.data.scenes) == len(bpy.data.cameras) == 1


@pytest.mark.parametrize("style", ["fast", "cycles", "eevee"])
def test_the_view_is_drawn_on_after_any_style_was_and_was_closed(make, style):
    view, other = make(mode="rgb"), make(mode="rgb", style=style)
    view.set_render_style("SOLID", **FLAT)
    first = view.render(), other.render()
    np.testing.assert_array_equal(view.render(), first[0])
    np.testing.assert_array_equal(other.render(), first[1])
    other.close()
    smaller = make(mode="rgb", shape=(12, 16))
    smaller.set_render_style("SOLID", **FLAT)
    assert silhouette(smaller.render(), srgb(ORANGE)).any()
    np.testing.assert_array_equal(view.render(), first[0])


def test_all_passes_agree_with_geometry(make, cube):
    bpy.data.objects["Light"].location = (0, 0, 8)
    off = make()
    passes = off.render_passes()
    top = covered(bpy.context.scene.camera)
    (number,) = (each for each, label in off.labels.items() if label.name == "Cube")
    np.testing.assert_array_equal(passes["segmentation"], np.where(top, number, 0))
    np.testing.assert_allclose(passes["depth"][top], 9, rtol=1e-5)
    assert np.isinf(passes["depth"][~top]).all()
    np.testing.assert_allclose(passes["normals"][top], [[0, 0, 1]] * top.sum(), atol=1e-6)
    assert passes["rgb"][top].mean() > passes["rgb"][~top].mean() + 20
    np.testing.assert_array_equal(off.render()[..., :3], passes["rgb"])


@pytest.mark.parametrize("shading", ["SOLID", "RENDERED"])
def test_matrices_set_by_hand_are_what_is_seen_through(make, shading):
    scene = bpy.context.scene
    other = bpy.data.objects.new("other", bpy.data.cameras.new("other"))
    scene.collection.objects.link(other)
    other.location, other.rotation_euler = (5, -6, 4), (1.1, 0.1, 0.6)
    other.data.lens, other.data.shift_x = 35, 0.1
    options = FLAT if shading == "SOLID" else {}
    for kind in ("PERSP", "ORTHO"):
        other.data.type = kind
        bpy.context.view_layer.update()
        by_hand, by_camera = make(mode="rgb"), make(other, mode="rgb")
        graph = bpy.context.evaluated_depsgraph_get()
        by_hand.view_matrix = other.matrix_world.inverted()
        by_hand.proj_matrix = other.calc_matrix_camera(graph, x=64, y=48)
        for off in (by_hand, by_camera):
            off.set_render_style(shading, **options)
        ours, theirs = by_hand.seen_from(), by_camera.seen_from()
        assert ours.near == pytest.approx(theirs.near, abs=1e-3)
        for name in ("fx", "fy", "cx", "cy"):
            assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-5), name
        np.testing.assert_allclose(ours.world_from_camera, theirs.world_from_camera, atol=1e-5)
        pictures = by_hand.render().astype(int), by_camera.render().astype(int)
        assert (np.abs(pictures[0] - pictures[1]).max(axis=-1) > 2).sum() <= 2
        assert pictures[0].std() > 5


def test_a_shape_of_its_own(make):
    off = make(mode="rgb", shape=(30, 20))
    off.set_render_style("SOLID")
    assert off.shape == (30, 20)
    assert off.render().shape == (30, 20, 3)
    bpy.context.scene.render.resolution_percentage = 100
    follows = make()
    follows.set_render_style("SOLID")
    assert follows.render().shape == (96, 128, 4)


@pytest.mark.parametrize("shading", ["SOLID", "RENDERED"])
def test_another_scene_may_be_opened(make, shading):
    off = make(mode="rgb", shape=(48, 64))
    off.set_render_style(shading)
    for _ in range(2):
        off.render()
        bpy.ops.wm.read_factory_settings()
    after = off.render()
    fresh = make(mode="rgb", shape=(48, 64))
    fresh.set_render_style(shading)
    np.testing.assert_array_equal(after, fresh.render())
    bpy.data.objects["Cube"].location.x = 1
    moved = off.render()
    assert (moved != after).any()
    np.testing.assert_array_equal(moved, fresh.render())


def test_what_a_script_makes_and_takes_away_is_seen_at_once(make, cube):
    off = make()
    mesh = bpy.data.meshes.new("plate")
    mesh.from_pydata([(-9, -9, 0), (9, -9, 0), (9, 9, 0), (-9, 9, 0)], [], [(0, 1, 2, 3)])
    plate = bpy.data.objects.new("plate", mesh)
    first = off.render_passes()
    bpy.context.scene.collection.objects.link(plate)
    both = off.render_passes()
    names = [{off.labels[n].name for n in np.unique(p["segmentation"])} for p in (first, both)]
    assert names == [{"background", "Cube"}, {"Cube", "plate"}]
    bpy.data.objects.remove(plate)
    again = off.render_passes()
    for name, picture in first.items():
        np.testing.assert_array_equal(again[name], picture)


def test_instances_have_numbers_of_their_own_that_stay(make, cube):
    cube.instance_type = "VERTS"
    child = bpy.data.objects.new("child", bpy.data.objects["Cube"].data.copy())
    bpy.context.scene.collection.objects.link(child)
    child.parent, child.scale = cube, (0.2,) * 3
    off = make()
    first = off.render_passes(("segmentation",))["segmentation"]
    names = {off.labels[number].name for number in np.unique(first)}
    assert len({name for name in names if name.startswith("Cube/child")}) >= 4
    child.scale = (0.3,) * 3
    off.render_passes(("segmentation",))
    child.scale = (0.2,) * 3
    np.testing.assert_array_equal(off.render_passes(("segmentation",))["segmentation"], first)


@pytest.mark.parametrize("style", ["fast", "cycles"])
def test_labels_are_of_what_was_seen(make, cube, style):
    beside = bpy.data.objects.new("Beside", cube.data)
    bpy.context.scene.collection.objects.link(beside)
    beside.location.x = 99
    off = make(style=style, shape=(6, 8))
    assert dict(off.labels) == {0: ("background", "background")}
    for names in ({"background", "Cube"}, {"background", "Cube", "Beside"}):
        ids = off.render_passes(("segmentation",))["segmentation"]
        assert set(np.unique(ids)) <= set(off.labels)
        assert {label.name for label in off.labels.values()} == names
        cube.location.x, beside.location.x = 99, 0


def test_what_it_refuses(make):
    for bad in ({"mode": "bgr"}, {"origin": "middle"}):
        with pytest.raises(InvalidValueError, match=next(iter(bad))):
            make(**bad)
    with pytest.raises(UnknownNameError, match="viewport"):
        make(style="viewports")
    off = make()
    with pytest.raises(InvalidValueError, match="RENDERED"):
        off.set_render_style("rendered")
    with pytest.raises(UnknownNameError, match="depth"):
        off.render_passes(("dept",))
    for name in ("view_matrix", "proj_matrix"):
        setattr(off, name, mathutils.Matrix.Scale(3, 4) * math.nan)
        with pytest.raises(InvalidValueError, match=name):
            off.render()
        setattr(off, name, None)
    off.close()
    off.close()
    with pytest.raises(ClosedError):
        off.render()
    bpy.context.scene.camera = None
    with pytest.raises(SceneError, match="camera"):
        make().render()
