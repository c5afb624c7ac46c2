# mypy: allow-untyped-defs, allow-untyped-calls
"""Edits of appearance: what they take, how they keep it, and what they refuse."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import heliograph as hg
from heliograph.scene import Edit
from heliograph.transport.values import pack, unpack

CAMERA = hg.Camera.perspective(fov_y=1.0, width=9, height=7, name="eye")
PIXELS = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
EDITS = (
    hg.EditMaterial(("a", "b"), (0.1, 0.2, 0.3, None), 0.5, texture=PIXELS, repeat=(2.0, 3.0)),
    hg.EditMaterial(("a",), metallic=0.5, roughness=0.25, emissive=(0.1, 0.2, 0.3)),
    hg.EditMaterials(
        (("a", "b"), ("c",)),
        np.array([[0.1, 0.2, 0.3, np.nan], [np.nan] * 4]),
        emission=np.array([np.nan, 0.5]),
        texture=np.array([0, -1]),
        images=(PIXELS,),
        repeat=np.array([[1.0, 2.0], [1.0, 1.0]]),
        metallic=np.array([0.5, np.nan]),
        roughness=np.array([np.nan, 0.25]),
        emissive=np.array([[0.1, 0.2, 0.3], [np.nan] * 3]),
    ),
    hg.EditLight("lamp", kind="spot", position=(1.0, 2.0, 3.0), cutoff=0.5, active=True),
    hg.EditLight("lamp", decay=1.5, distance=4.0, size=0.1),
    hg.MoveCamera("eye", CAMERA, relative=True),
    hg.MoveObject("a", np.diag([1.0, 2.0, 3.0, 1.0]), (1.0, 1.0, 2.0)),
    hg.Hide(("a",)),
    hg.EditBackground((0.0, 0.5, 1.0)),
    hg.EditImage((("blur", {"sigma": 2.0}),), 7),
)


def loose(call: Callable[..., Any]) -> Any:
    """The same, of any arguments: users need not run a type checker."""
    return call


material = loose(lambda **given: hg.EditMaterial(**{"objects": ("a",), **given}))
materials = loose(lambda **given: hg.EditMaterials(**{"objects": (("a",), ("b",)), **given}))
light = loose(lambda **given: hg.EditLight(**{"name": "lamp", **given}))
move = loose(lambda **given: hg.MoveObject(**{"name": "a", "pose": np.eye(4), **given}))
camera = loose(lambda **given: hg.MoveCamera(**{"name": "eye", "camera": CAMERA, **given}))
image = loose(hg.EditImage)
hide = loose(hg.Hide)
background = loose(hg.EditBackground)


def content(value: Any) -> Any:
    """What equal values have in common."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes(), value.flags.writeable
    if isinstance(value, tuple):
        return tuple(map(content, value))
    if isinstance(value, Edit):
        return type(value), {key: content(each) for key, each in vars(value).items()}
    return value


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ((1, 0, 0), (1.0, 0.0, 0.0, None)),
        ((1, 0, 0, None), (1.0, 0.0, 0.0, None)),
        ((1, 0, 0, 1), (1.0, 0.0, 0.0, 1.0)),
        ([0.5, 0.25, 1.0], (0.5, 0.25, 1.0, None)),
        (np.array([0.5, 0.25, 1.0, 0.5], np.float32), (0.5, 0.25, 1.0, 0.5)),
        (np.array([1, 0, 0, None]), (1.0, 0.0, 0.0, None)),
    ],
)
def test_colours_become_four_floats(given, kept):
    rgba = material(rgba=given).rgba
    assert rgba == kept
    assert all(type(each) in (float, type(None)) for each in rgba)


def test_canonical_values_are_kept_as_they_are():
    objects, rgba = ("a", "b"), (0.1, 0.2, 0.3, 0.4)
    edit = hg.EditMaterial(objects, rgba)
    assert edit.objects is objects
    assert edit.rgba is rgba


@pytest.mark.parametrize("given", [["a", "b"], ("a", "b"), np.array(["a", "b"]), iter("ab")])
def test_names_become_a_tuple(given):
    names = hide(given).objects
    assert names == ("a", "b")
    assert all(type(each) is str for each in names)


def test_a_single_name_is_one_object():
    assert hide("cube").objects == material(objects="cube").objects == ("cube",)
    assert type(hide(np.str_("cube")).objects[0]) is str


def test_vectors_of_numpy_become_tuples_of_floats():
    vector = np.array([1, 2, 3])
    edit = light(position=vector, direction=[0, 0, -2], diffuse=vector, cutoff=np.float32(0.5))
    assert edit.position == edit.diffuse == (1.0, 2.0, 3.0)
    assert edit.direction == (0.0, 0.0, -2.0)
    assert all(type(each) is float for each in (*edit.position, *edit.direction, edit.cutoff))
    assert light(casts_shadow=np.True_).casts_shadow is True
    assert move(scale=2).scale == (2.0, 2.0, 2.0)
    assert move(scale=np.array([1, -1, 1])).scale == (1.0, -1.0, 1.0)
    assert background(np.array([0, 1, 0])).colour == (0.0, 1.0, 0.0)
    assert material(repeat=[1, 2], offset=np.array([-1, 2])).offset == (-1.0, 2.0)


def test_a_cutoff_may_be_a_right_angle():
    assert light(cutoff=math.radians(90)).cutoff == math.pi / 2


def test_arrays_are_read_only_copies():
    pixels, pose = PIXELS.copy(), np.eye(4, dtype=np.float32)
    texture, moved = material(texture=pixels).texture, move(pose=pose).pose
    pixels[:] = 0
    pose[:] = 0
    assert np.array_equal(texture, PIXELS)
    assert moved.dtype == np.float64
    assert np.array_equal(moved, np.eye(4))
    assert not texture.flags.writeable
    assert not moved.flags.writeable


def test_a_frozen_texture_is_not_copied_but_a_view_is():
    pixels = PIXELS.copy()
    view = pixels[:]
    view.flags.writeable = False
    assert material(texture=view).texture is not view
    pixels.flags.writeable = False
    assert material(texture=pixels).texture is pixels


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_textures_have_as_many_channels_as_are_drawn(channels):
    pixels = np.zeros((2, 5, channels), np.uint8)
    assert material(texture=pixels).texture.shape == (2, 5, channels)


@pytest.mark.parametrize("empty", [[], np.zeros((0, 0, 3), np.uint8), np.zeros((0, 4))])
def test_any_empty_texture_is_none(empty):
    assert material(texture=empty).texture.shape == (0, 0, 3)


def test_steps_are_copied_as_pairs():
    parameters = {"sigma": 2}
    edit = image([["blur", parameters]])
    parameters["sigma"] = 5
    assert edit.steps == (("blur", {"sigma": 2.0}),)


@pytest.mark.parametrize(
    ("make", "given", "text"),
    [
        (material, {"objects": 3}, "EditMaterial objects: expected names of objects, got 3"),
        (material, {"objects": ("a", 3)}, "EditMaterial objects: expected names .* got 3"),
        (material, {"objects": None}, "EditMaterial objects: expected names"),
        (material, {"objects": {"a": 1}}, "EditMaterial objects: expected names"),
        (material, {"rgba": (255, 0, 0)}, r"EditMaterial rgba: .* got \(255, 0, 0\); divide by"),
        (material, {"rgba": (1, 0, 0, 2)}, "EditMaterial rgba: .* divide by 255"),
        (material, {"rgba": (-0.1, 0.0, 0.0, None)}, "EditMaterial rgba: expected red.* to 1, got"),
        (material, {"rgba": (math.nan, 0, 0)}, "EditMaterial rgba: expected red"),
        (material, {"rgba": (1, 0)}, "EditMaterial rgba: expected red"),
        (material, {"rgba": np.zeros((2, 2))}, "EditMaterial rgba: expected red"),
        (material, {"rgba": np.array(5)}, "EditMaterial rgba: expected red"),
        (material, {"rgba": "red"}, "EditMaterial rgba: expected red.* got 'red'"),
        (material, {"rgba": (None, 0, 0, 1)}, "EditMaterial rgba: expected real numbers"),
        (material, {"specular": 2}, "EditMaterial specular: expected a finite number from 0 to 1"),
        (material, {"shininess": -0.1}, "EditMaterial shininess: .* got -0.1"),
        (material, {"emission": math.nan}, "EditMaterial emission: .* got nan"),
        (material, {"reflectance": "0.5"}, "EditMaterial reflectance: .* got '0.5'"),
        (material, {"metallic": 1.5}, "EditMaterial metallic: .* 0 to 1, got 1.5"),
        (material, {"roughness": math.nan}, "EditMaterial roughness: .* got nan"),
        (material, {"emissive": (255, 0, 0)}, "EditMaterial emissive: .* divide by 255"),
        (materials, {"roughness": [0.5, -1]}, "EditMaterials roughness: .*from 0 to 1"),
        (materials, {"emissive": np.ones((2, 4))}, r"EditMaterials emissive: expected \(N, 3\)"),
        (
            materials,
            {"emissive": [[0, 0, 0], [1, math.nan, 0]]},
            r"EditMaterials emissive: expected red, green and blue, or NaN for all, .* in row 1",
        ),
        (light, {"decay": -1}, "EditLight decay: .*from 0 to 100"),
        (light, {"distance": math.inf}, "EditLight distance: .*from 0"),
        (light, {"size": -0.1}, "EditLight size: .*from 0"),
        (material, {"texture": PIXELS / 255}, r"EditMaterial texture: .*\(2, 4, 3\) float64"),
        (material, {"texture": PIXELS[0]}, r"EditMaterial texture: .*\(4, 3\) uint8"),
        (material, {"texture": PIXELS[..., :2]}, r"EditMaterial texture: .*\(2, 4, 2\) uint8"),
        (material, {"texture": [[1], [1, 2]]}, "EditMaterial texture: expected an array"),
        (material, {"texture": np.zeros((1, 16385, 1), np.uint8)}, "up to 16384 a side"),
        (material, {"repeat": (0, 1)}, "EditMaterial repeat: expected 2 finite numbers above 0"),
        (material, {"repeat": None}, "EditMaterial repeat: expected real numbers, got None"),
        (material, {"offset": (math.inf, 0.0)}, "EditMaterial offset: expected 2 finite numbers"),
        (light, {"name": ""}, "EditLight name: expected a name, got ''"),
        (light, {"name": np.zeros(2)}, "EditLight name: expected a name"),
        (light, {"kind": "laser"}, "EditLight kind: expected .*'point' or 'spot', got 'laser'"),
        (light, {"kind": np.zeros(2)}, "EditLight kind: expected 'directional'"),
        (light, {"position": (1, 2)}, "EditLight position: expected 3 finite numbers"),
        (light, {"position": (1.0, math.nan, 0.0)}, "EditLight position: expected 3 finite"),
        (light, {"position": "up"}, "EditLight position: expected real numbers, got 'up'"),
        (light, {"direction": (0, 0, 0)}, "EditLight direction: .* not zero"),
        (light, {"diffuse": (-1, 0, 0)}, "EditLight diffuse: .* from 0, got"),
        (light, {"specular": (0.0, math.inf, 0.0)}, "EditLight specular: .* finite"),
        (light, {"ambient": 0.5}, "EditLight ambient: expected red, green and blue"),
        (light, {"cutoff": 45}, r"EditLight cutoff: .* got 45 \(radians; math.radians"),
        (light, {"cutoff": 0}, "EditLight cutoff: expected a finite number above 0"),
        (light, {"exponent": -1}, "EditLight exponent: expected a finite number from 0"),
        (light, {"softness": 1.5}, "EditLight softness: .* 0 to 1"),
        (light, {"casts_shadow": 1}, "EditLight casts_shadow: expected True or False, got 1"),
        (light, {"active": "no"}, "EditLight active: expected True or False"),
        (camera, {"name": None}, "MoveCamera name: expected a name, got None"),
        (camera, {"camera": "eye"}, "MoveCamera camera: expected a Camera, got 'eye'"),
        (camera, {"relative": None}, "MoveCamera relative: expected True or False"),
        (move, {"name": ("a",)}, "MoveObject name: expected a name"),
        (move, {"pose": np.eye(3)}, r"MoveObject pose: expected shape \(4, 4\), got \(3, 3\)"),
        (move, {"pose": None}, "MoveObject pose: expected real numbers"),
        (move, {"pose": np.eye(4) * math.nan}, "MoveObject pose: expected finite numbers"),
        (move, {"pose": np.eye(4) + np.eye(4, k=-3)}, "MoveObject pose: .* last row"),
        (move, {"pose": np.diag([1, 1, 0, 1])}, "MoveObject pose: .* can be undone"),
        (move, {"scale": 0}, "MoveObject scale: expected factors that are not 0"),
        (move, {"scale": (1, 2)}, "MoveObject scale: expected shape"),
        (move, {"relative": 1}, "MoveObject relative: expected True or False"),
        (hide, {"objects": None}, "Hide objects: expected names of objects, got None"),
        (hide, {"objects": b"cube"}, "Hide objects: expected names"),
        (background, {"colour": (255, 0, 0)}, "EditBackground colour: .* divide by 255"),
        (background, {"colour": (1, 0, 0, 1)}, "EditBackground colour: expected red"),
        (background, {"colour": None}, "EditBackground colour: expected real numbers"),
        (image, {"steps": "blur"}, "EditImage steps: expected .* pairs, got 'blur'"),
        (image, {"steps": ("blur", {})}, r"EditImage steps\[0\]: expected \(name, \{"),
        (image, {"steps": [("blur", 3)]}, r"EditImage steps\[0\]: expected \(name, \{"),
        (image, {"steps": [("", {})]}, r"EditImage steps\[0\]: expected a name"),
        (image, {"steps": [("blur", {"sigma": "x"})]}, r"steps\[0\] 'blur' sigma: .* got 'x'"),
        (image, {"steps": [("blur", {3: 1.0})]}, r"steps\[0\]: expected a name, got 3"),
        (image, {"steps": 3}, "EditImage steps: expected"),
        (materials, {"objects": 3}, "EditMaterials objects: expected rows of names"),
        (materials, {"objects": [["a"], [1]]}, r"objects\[1\]: expected names of objects"),
        (materials, {"rgba": [[0, 0, 0, 1]]}, "rgba: expected 2 rows, .* got 1"),
        (materials, {"rgba": [[0, 0, 0]] * 2}, r"rgba: expected \(N, 4\) numbers from 0 to 1"),
        (materials, {"rgba": [[0, 0, 255, 1]] * 2}, r"rgba: expected \(N, 4\) numbers"),
        (materials, {"rgba": [[0, math.nan, 0, 1]] * 2}, "NaN for all three and alpha, .* row 0"),
        (materials, {"rgba": [[0, 0, 0, 1], [math.nan] * 3 + [0.5]]}, "and alpha, .* in row 1"),
        (materials, {"specular": [0.5, math.inf]}, r"specular: expected \(N,\) numbers"),
        (materials, {"repeat": [[1, 0]] * 2}, r"repeat: expected \(N, 2\) finite numbers above 0"),
        (materials, {"offset": [[1, math.nan]] * 2}, r"offset: expected \(N, 2\) finite"),
        (materials, {"texture": [0], "images": [PIXELS]}, "texture: expected 2 rows"),
        (materials, {"texture": [0, 1], "images": [PIXELS]}, "expected -1 to 0, as there are 1 im"),
        (materials, {"texture": [0.5, 1]}, r"texture: expected \(N,\) whole numbers from -1"),
        (materials, {"images": [[[1]]]}, r"images\[0\]: expected \(H, W, C\) uint8"),
        (image, {"steps": (), "seed": -1}, "EditImage seed: expected a whole number from 0"),
        (image, {"steps": (), "seed": 0.5}, "EditImage seed: expected a whole number from 0"),
    ],
)
def test_what_is_not_as_described_is_refused(make, given, text):
    with pytest.raises(hg.InvalidValueError, match=text):
        make(**given)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: type(edit).__name__)
def test_copies_are_equal_and_as_frozen(edit):
    for other in (
        pickle.loads(pickle.dumps(edit)),
        copy.deepcopy(edit),
        copy.copy(edit),
        unpack(pack(edit)),
    ):
        assert content(other) == content(edit)


def test_rows_say_the_same_one_by_one():
    (many,) = [edit for edit in EDITS if isinstance(edit, hg.EditMaterials)]
    first, second = many.rows()
    assert first.objects == ("a", "b")
    assert first.rgba == (0.1, 0.2, 0.3, None)
    assert (first.emission, second.emission) == (None, 0.5)
    assert (first.metallic, first.roughness, first.emissive) == (0.5, None, (0.1, 0.2, 0.3))
    assert (second.metallic, second.roughness, second.emissive) == (None, 0.25, None)
    assert second.rgba is None
    assert first.texture is not None
    assert np.array_equal(first.texture, PIXELS)
    assert second.texture is None
    assert first.repeat == (1.0, 2.0)
