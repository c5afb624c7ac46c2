"""Style `fast` kept in step with Blender: nothing of a view before shows in the next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from heliograph.engines.blender.engine import BlenderEngine
from heliograph.engines.blender.fast import FastStyle
from heliograph.engines.blender.things import ThingTable
from heliograph.errors import InvalidValueError
from heliograph.raster import RasterOptions
from heliograph.view import View
from inside_blender.fast_scene import (
    add_light,
    add_material,
    add_mesh,
    camera,
    empty_scene,
    fresh_picture,
    picture,
    set_world,
    shown,
)

Rng = np.random.Generator


def _scene(*, text: bool = False) -> None:
    """Something of each kind; a text counts as an instance, which is looked for in other ways."""
    scene = empty_scene()
    add_light("SUN", 3.0)
    add_light("POINT", 300.0, location=(1, 1, 3))
    red, blue = add_material("Red", Base_Color=(1, 0, 0, 1)), add_material("Blue")
    cube = add_mesh("Cube", size=1.0)
    cube.data.materials.append(red)
    cube.data.materials.append(blue)
    cube.data.polygons[1].material_index = 1
    cube.shape_key_add(name="Basis")
    cube.shape_key_add(name="Key").data[0].co = (1.5, 0.2, 1.0)
    ball = add_mesh("Ball", "ico_sphere", location=(1, 1, 0), radius=0.6)
    ball.modifiers.new("Subdivision", "SUBSURF")
    ball.keyframe_insert("location", frame=1)
    ball.location = (-1, 1, 0.5)
    ball.keyframe_insert("location", frame=10)
    twin = bpy.data.objects.new("Twin", cube.data)
    twin.location = (-1, -1, 0)
    scene.collection.objects.link(twin)
    add_mesh("Monkey", "monkey", location=(1, -1, 0), size=1.0)
    _add_rig(add_mesh("Bent", "cylinder", location=(-1.5, 0.5, 0), radius=0.3, vertices=8))
    bpy.ops.object.text_add(location=(-0.5, 1.2, 0))
    bpy.context.object.name = "Text"
    if not text:
        scene.collection.objects.unlink(bpy.context.object)
    scene.frame_set(1)


def _add_rig(mesh: Any) -> None:
    rig = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    bone = rig.data.edit_bones.new("Bone")
    bone.head, bone.tail = (0, 0, 0), (0, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    mesh.vertex_groups.new(name="Bone").add(range(8), 1.0, "ADD")
    mesh.modifiers.new("Armature", "ARMATURE").object = rig


def _object(rng: Rng) -> Any:
    scene = bpy.context.scene
    names = sorted(each.name for each in scene.objects if each.type != "ARMATURE")
    return bpy.data.objects[names[rng.integers(len(names))]]


def _mesh(rng: Rng) -> Any:
    names = sorted(each.name for each in bpy.data.objects if each.type == "MESH")
    return bpy.data.objects[names[rng.integers(len(names))]]


def _move(rng: Rng) -> None:
    _object(rng).location = rng.uniform(-1.5, 1.5, 3).tolist()


def _scale(rng: Rng) -> None:
    _object(rng).scale = rng.choice([-1.0, 0.5, 1.0, 1.5], 3).tolist()


def _frame(rng: Rng) -> None:
    bpy.context.scene.frame_set(int(rng.integers(1, 11)))


def _key(rng: Rng) -> None:
    bpy.data.shape_keys[0].key_blocks["Key"].value = float(rng.uniform())


def _pose(rng: Rng) -> None:
    bone = bpy.data.objects["Rig"].pose.bones["Bone"]
    bone.rotation_mode = "XYZ"
    bone.rotation_euler = rng.uniform(-1, 1, 3).tolist()


def _colour(rng: Rng) -> None:
    nodes = bpy.data.materials[rng.choice(["Red", "Blue"])].node_tree.nodes
    shader = next(each for each in nodes if "Base Color" in each.inputs)
    shader.inputs["Base Color"].default_value = (*rng.uniform(0, 1, 3).tolist(), 1)


def _assign(rng: Rng) -> None:
    materials = _mesh(rng).data.materials
    materials.clear()
    materials.append(bpy.data.materials[rng.choice(["Red", "Blue"])])


def _hide(rng: Rng) -> None:
    thing = _object(rng)
    thing.hide_render = not thing.hide_render


def _hide_in_viewport(rng: Rng) -> None:
    thing = _object(rng)
    thing.hide_set(not thing.hide_get())


def _light(rng: Rng) -> None:
    bpy.data.lights[rng.choice(["SUN", "POINT"])].energy = float(rng.uniform(0, 100))


def _world(rng: Rng) -> None:
    set_world(rng.uniform(0, 1, 3).tolist())


def _modifier(rng: Rng) -> None:
    modifiers = _mesh(rng).modifiers
    if "Test" in modifiers:
        modifiers.remove(modifiers["Test"])
    else:
        kind = rng.choice(["SUBSURF", "WIREFRAME", "SOLIDIFY"])
        modifiers.new("Test", str(kind))


def _vertices(rng: Rng) -> None:
    mesh = _mesh(rng).data
    mesh.vertices[int(rng.integers(len(mesh.vertices)))].co = rng.uniform(-1, 1, 3).tolist()


def _smooth(rng: Rng) -> None:
    mesh = _mesh(rng).data
    mesh.polygons.foreach_set("use_smooth", rng.integers(0, 2, len(mesh.polygons)).astype(bool))
    mesh.update()


def _text(rng: Rng) -> None:
    bpy.data.curves["Text"].body = str(rng.choice(["ab", "Hi", "x"]))


def _add(rng: Rng) -> None:
    made = bpy.data.objects.new("New", _mesh(rng).data)
    made.location = rng.uniform(-1.5, 1.5, 3).tolist()
    bpy.context.scene.collection.objects.link(made)


def _remove(rng: Rng) -> None:
    added = [each for each in bpy.data.objects if each.name.startswith("New")]
    if added:
        bpy.data.objects.remove(added[0])


def _swap(rng: Rng) -> None:
    thing, other = _mesh(rng), _mesh(rng)
    if thing.name != "Bent":
        thing.data = other.data


def _instance(rng: Rng) -> None:
    name = "Group"
    if name in bpy.data.objects:
        bpy.data.objects.remove(bpy.data.objects[name])
        return
    group = bpy.data.collections.get(name) or bpy.data.collections.new(name)
    if not group.objects:
        group.objects.link(bpy.data.objects["Cube"])
    maker = bpy.data.objects.new(name, None)
    maker.instance_type, maker.instance_collection = "COLLECTION", group
    maker.location = rng.uniform(-1, 1, 3).tolist()
    bpy.context.scene.collection.objects.link(maker)


def _collection(_: Rng) -> None:
    collection = bpy.data.collections.get("Group")
    if collection is not None:
        collection.hide_render = not collection.hide_render


def _exposure(rng: Rng) -> None:
    bpy.context.scene.view_settings.exposure = float(rng.uniform(-1, 1))


def _nothing(_: Rng) -> None:
    pass


CHANGES: list[Callable[[Rng], None]] = [
    *(_move, _scale, _frame, _key, _pose, _colour, _assign, _hide, _hide_in_viewport, _light),
    *(_world, _modifier, _vertices, _smooth, _text, _add, _remove, _swap, _instance, _collection),
    *(_exposure, _nothing),
]


@pytest.mark.parametrize("seed", range(4))
def test_a_view_does_not_depend_on_those_before(seed: int) -> None:
    rng = np.random.default_rng(seed)
    _scene(text=seed >= 2)
    options = RasterOptions(shadows=seed % 2 == 1, lod="auto" if seed % 3 else "off")
    style = FastStyle(options)
    done = []
    for _ in range(8):
        for change in rng.choice(len(CHANGES), rng.integers(1, 4)).tolist():
            CHANGES[change](rng)
            done.append(CHANGES[change].__name__)
        seen = shown(by_material=bool(rng.integers(2)))
        eye = camera(eye=(*rng.uniform(-2, 2, 2).tolist(), 5))
        got = picture(style, seen, eye)
        expected = fresh_picture(seen, eye, **vars(options))
        for name in expected:
            np.testing.assert_array_equal(got[name], expected[name], f"{name} after {done}")
    style.close()


@pytest.mark.parametrize("instances", [False, True])
@pytest.mark.parametrize("change", CHANGES, ids=lambda each: each.__name__.strip("_"))
def test_each_change_is_shown(change: Callable[[Rng], None], instances: bool) -> None:
    _scene(text=instances)
    rng = np.random.default_rng(1)
    if instances:
        _instance(rng)
    style = FastStyle()
    picture(style, shown())
    change(rng)
    got = picture(style, shown())
    for name, expected in fresh_picture(shown()).items():
        np.testing.assert_array_equal(got[name], expected, name)
    style.close()


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one whenever the whole scene is read."""
    counted: list[str] = []
    scan = ThingTable._scan

    def counting(table: ThingTable, layer: Any, graph: Any) -> None:
        counted.append(layer.name)
        scan(table, layer, graph)

    monkeypatch.setattr(ThingTable, "_scan", counting)
    return counted


@pytest.mark.parametrize("change", [_nothing, _move, _frame, _key, _pose, _exposure])
def test_the_scene_is_not_read_again_for_what_moves(
    scans: list[str], change: Callable[[Rng], None]
) -> None:
    _scene()
    rng = np.random.default_rng(1)
    style = FastStyle()
    picture(style, shown())
    assert len(scans) == 1
    for _ in range(3):
        change(rng)
        picture(style, shown())
    assert len(scans) == 1
    _add(rng)
    picture(style, shown())
    assert len(scans) == 2
    style.close()


def test_the_scene_is_read_again_where_instances_may_have_moved(scans: list[str]) -> None:
    _scene(text=True)
    style = FastStyle()
    picture(style, shown())
    picture(style, shown())
    assert len(scans) == 1
    bpy.data.objects["Text"].location.x += 1
    picture(style, shown())
    assert len(scans) == 2
    style.close()


def test_states_and_poses_of_an_engine_do_not_have_the_scene_read_again(scans: list[str]) -> None:
    engine = BlenderEngine(Path(__file__).parents[1] / "blender_scene.py", size=(32, 24))
    try:
        engine.render(View("Camera"))
        begun = len(scans)
        for state in (
            {},
            {'objects["Ball"].location': [0.1, 0, 2]},
            {"poses": (["Lid"], [[0.0, 0, 2]])},
            {"frame": 7.0},
            {},
        ):
            engine.render(View("Camera", state=state))
        assert len(scans) == begun
    finally:
        engine.close()


def test_another_file_shows_nothing_of_the_one_before() -> None:
    _scene()
    style = FastStyle()
    picture(style, shown())
    empty_scene()
    assert not picture(style, shown())["segmentation"].any()
    _scene()
    for name, expected in fresh_picture(shown()).items():
        np.testing.assert_array_equal(picture(style, shown())[name], expected, name)
    style.close()


def test_a_closed_style_leaves_no_handler() -> None:
    lists = [getattr(bpy.app.handlers, each) for each in ("depsgraph_update_post", "load_post")]
    before = [list(each) for each in lists]
    style = FastStyle()
    style.close()
    style.close()
    assert [list(each) for each in lists] == before


def test_names_may_come_to_mean_something_else() -> None:
    style = FastStyle()
    for red, blue in ((1, 0), (0, 1)):
        empty_scene()
        set_world((1, 1, 1))
        cube = add_mesh("Cube")
        cube.data.materials.append(add_material("Look", Base_Color=(red, 0, blue, 1)))
        picture(style, shown())
        bpy.data.batch_remove([*bpy.data.objects, *bpy.data.materials, *bpy.data.meshes])
        cube = add_mesh("Cube")
        cube.data.materials.append(add_material("Look", Base_Color=(blue, 0, red, 1)))
        got = picture(style, shown())
        for name, expected in fresh_picture(shown()).items():
            np.testing.assert_array_equal(got[name], expected, name)
    style.close()


def test_a_view_after_an_error_is_whole() -> None:
    _scene()
    style = FastStyle()
    picture(style, shown())
    mesh, before = bpy.data.objects["Monkey"].data, (0.1, 0.2, 0.3)
    mesh.vertices[0].co = (float("nan"), 0, 0)
    bpy.data.objects["Ball"].location.x += 1
    with pytest.raises(InvalidValueError, match="finite"):
        picture(style, shown())
    mesh.vertices[0].co = before
    got = picture(style, shown())
    for name, expected in fresh_picture(shown()).items():
        np.testing.assert_array_equal(got[name], expected, name)
    style.close()
