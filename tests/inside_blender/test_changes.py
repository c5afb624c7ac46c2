"""Data paths are read and set, and everything is put back as it was."""

import runpy
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from heliograph.engines.blender.changes import Changes, set_path, steps_of
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.poses import Floats

SCRIPT = str(Path(__file__).parents[1] / "blender_scene.py")
ROUGHNESS = 'materials["Red"].node_tree.nodes["Principled BSDF"].inputs["Roughness"].default_value'
PATHS = {
    'objects["Cube"].location': (3,),
    'objects["Lid"].location[2]': (),
    "objects['Ball'].matrix_world": (4, 4),
    'objects["Cube"].dimensions': (3,),
    'objects["Cube"].hide_render': (),
    'objects["Floor"]["weight"]': (),
    'objects["Rig"].pose.bones["Arm"].rotation_quaternion': (4,),
    'objects["Rig"].pose.bones["Arm"].matrix_basis': (4, 4),
    'shape_keys["Shapes"].key_blocks["Tall"].value': (),
    'cameras["Camera"].angle': (),
    "lights[0].energy": (),
    ROUGHNESS: (),
}


@pytest.fixture(autouse=True)
def scene() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    runpy.run_path(SCRIPT, run_name="__main__")
    bpy.data.objects["Floor"]["weight"] = 2.5
    bpy.context.scene.frame_set(1)


def value(path: str) -> Floats:
    found = eval(f"bpy.data.{path}")  # the oracle: what Python itself reads there
    return np.array(found, float)


def everything() -> dict[str, Any]:
    """All numbers of objects, materials, cameras, lights and bones that paths may lead to."""
    bpy.context.view_layer.update()
    found = {path: value(path).tolist() for path in PATHS}
    for each in bpy.data.objects:
        found[each.name] = [
            *each.location,
            *each.scale,
            *each.rotation_euler,
            *each.rotation_quaternion,
            *np.ravel(each.matrix_basis),
        ]
    found["lens"] = [each.lens for each in bpy.data.cameras]
    found["bones"] = [np.ravel(each.matrix_basis).tolist() for each in bones()]
    return found


def bones() -> Any:
    return bpy.data.objects["Rig"].pose.bones


@pytest.mark.parametrize("path", PATHS)
def test_a_value_is_set_and_put_back(path: str) -> None:
    before, changes = everything(), Changes()
    shape = PATHS[path]
    new = np.diag([1.0, 2, 3, 1]) if shape == (4, 4) else np.full(shape, 1.0)
    set_path(changes, path, new)
    bpy.context.view_layer.update()
    assert np.allclose(value(path), new, atol=1e-6)
    changes.restore()
    assert everything() == before


def test_the_first_value_comes_back_after_several() -> None:
    before, changes = everything(), Changes()
    for number in (0.5, 2.0, 3.0):
        for path, shape in PATHS.items():
            if len(shape) == 1 or "Roughness" in path:
                set_path(changes, path, np.full(shape, min(number, 1.0) if not shape else number))
    changes.restore()
    assert everything() == before


def test_animation_does_not_write_over_what_is_set() -> None:
    scene, ball, changes = bpy.context.scene, bpy.data.objects["Ball"], Changes()
    action = ball.animation_data.action
    set_path(changes, 'objects["Ball"].location', np.array([0.0, 1, 2]))
    scene.frame_set(10)
    assert list(ball.location) == [0, 1, 2]
    changes.restore()
    assert ball.animation_data.action == action
    scene.frame_set(20)
    assert ball.location.x == pytest.approx(1.8)


def test_a_driver_does_not_write_over_what_is_set() -> None:
    scene, changes = bpy.context.scene, Changes()
    curve = bpy.data.objects["Cube"].driver_add("location", 0)
    curve.driver.expression = "7.0"
    scene.frame_set(1)
    assert value('objects["Cube"].location[0]') == 7
    set_path(changes, 'objects["Cube"].location', np.array([0.0, 1, 2]))
    scene.frame_set(2)
    assert value('objects["Cube"].location').tolist() == [0, 1, 2]
    changes.restore()
    scene.frame_set(1)
    assert value('objects["Cube"].location[0]') == 7


@pytest.mark.parametrize("key", ["reach", 'a "b" \\ c'])
@pytest.mark.parametrize("owner", ['objects["Rig"].pose.bones["Arm"]', 'objects["Cube"]'])
def test_a_driver_does_not_write_over_a_custom_property(owner: str, key: str) -> None:
    scene, changes = bpy.context.scene, Changes()
    thing, name = eval(f"bpy.data.{owner}"), f'["{bpy.utils.escape_identifier(key)}"]'
    thing[key] = 0.5
    thing.driver_add(name).driver.expression = "7.0"
    scene.frame_set(1)
    assert thing[key] == 7
    set_path(changes, f"{owner}{name}", np.array(2.0))
    scene.frame_set(2)
    assert thing[key] == 2
    changes.restore()
    scene.frame_set(1)
    assert thing[key] == 7


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ('objects["Cubi"].location', "'Cube'"),
        ('objects["Cube"].locatoin', "'location'"),
        ('objetcs["Cube"].location', "'objects'"),
        ('objects["Floor"]["wieght"]', "'weight'"),
        ("lights[9].energy", "below 2"),
    ],
)
def test_what_does_not_exist_is_named_with_what_is_near(path: str, near: str) -> None:
    with pytest.raises(UnknownNameError, match=near):
        set_path(Changes(), path, np.array(1.0))


@pytest.mark.parametrize(
    ("path", "given", "why"),
    [
        ('objects["Cube"].location', np.zeros(2), r"expected shape \(3,\)"),
        ('objects["Cube"].location[3]', 0.0, "no number 3"),
        ('objects["Cube"].name', 1.0, "type string"),
        ('objects["Cube"].data', 1.0, "type pointer"),
        ('objects["Cube"].rotation_mode', 1.0, "type enum"),
        ('objects["Cube"].bound_box', np.zeros((8, 3)), "works it out"),
        ('objects["Cube"]', 1.0, "whole thing"),
        ('objects["Cube"].location.x', 1.0, "is a value"),
        ('objects["Cube"].parent.location', np.zeros(3), "is empty"),
        ('objects["Cube"].hide_render', 0.5, "whole numbers"),
        ('objects["Cube"].hide_render', 2, "0 or 1"),
        ('cameras["Camera"].lens', -5.0, "expected 1 to"),
        ("objects[0][1][2]", 1.0, "array of arrays"),
        ('objects["Cube"].__class__', 1.0, "cannot read on"),
        ('objects["Cube"].copy()', 1.0, "cannot read on"),
        ("objects[-]", 1.0, "cannot read on"),
        (".objects", 1.0, "cannot read on"),
        ('["objects"]', 1.0, "cannot read on"),
        ("objects location", 1.0, "cannot read on"),
    ],
)
def test_what_cannot_be_set_is_refused_and_nothing_changes(path: str, given: Any, why: str) -> None:
    before = everything()
    with pytest.raises(InvalidValueError, match=why):
        set_path(Changes(), path, np.array(given))
    assert everything() == before


def test_functions_cannot_be_reached() -> None:
    for path in ('objects["Cube"].copy', 'objects["Cube"].bl_rna', 'objects["Cube"].as_pointer'):
        with pytest.raises((UnknownNameError, InvalidValueError)):
            set_path(Changes(), path, np.array(1.0))


def test_keys_may_hold_quotes_and_brackets() -> None:
    assert steps_of(r'objects["a\"].b"].location[1]') == ["objects", ('a"].b',), "location", 1]


def test_what_blender_does_not_look_at_is_refused() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    thing = bpy.data.objects.new("Thing", None)
    thing.rotation_mode = "QUATERNION"
    changes = Changes()
    with pytest.raises(
        InvalidValueError, match="expected rotation_quaternion, as its rotation_mod"
    ):
        set_path(changes, 'objects["Thing"].rotation_euler', np.zeros(3))
    set_path(changes, 'objects["Thing"].rotation_quaternion', np.array([0.0, 1, 0, 0]))
    tree = bpy.data.node_groups.new("Tree", "ShaderNodeTree")
    first, second = (tree.nodes.new("ShaderNodeMath") for _ in range(2))
    tree.links.new(first.outputs[0], second.inputs[0])
    path = f'node_groups["Tree"].nodes["{second.name}"].inputs[0].default_value'
    with pytest.raises(InvalidValueError, match="a node is linked to this input"):
        set_path(changes, path, np.array(0.3))
    set_path(changes, path.replace("inputs[0]", "inputs[1]"), np.array(0.3))
    changes.restore()
