# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type, call-arg, dict-item"
# mypy: disable-error-code="index, typeddict-item, typeddict-unknown-key"
"""Components as values: what they take, what they refuse, hashes, edits."""

from __future__ import annotations

import copy
import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import trimesh
from PIL import Image
from scipy.spatial.transform import Rotation

import heliograph
import heliograph as hg
from heliograph.errors import InvalidValueError, SceneError, UnknownNameError
from heliograph.scene import (
    Add,
    AmbientLight,
    Box,
    CameraView,
    Capsule,
    Component,
    Cone,
    Cylinder,
    DirectionalLight,
    Edit,
    Group,
    HemisphereLight,
    Mesh,
    Plane,
    PointLight,
    Remove,
    Scene,
    Set,
    Sphere,
    SpotLight,
    Torus,
    Update,
    Upsert,
    apply,
)
from heliograph.scene.tree import Tree

EVERY = (
    Box(args=[1, 2, 3], position=[1, 2, 3], rotation=[0.1, 0.2, 0.3]),
    Sphere(args=[0.5], scale=2, material={"color": "tomato", "opacity": 0.5}),
    Plane(args=[2, 3], quaternion=[0, 0, 1, 1], visible=False),
    Cylinder(args=[0, 1, 2], materialType="phong"),
    Capsule(args=[0.3, 1]),
    Cone(args=[1, 2]),
    Torus(args=[1, 0.2]),
    Mesh(vertices=np.eye(3), faces=[[0, 1, 2]], colors=[[255, 0, 0]] * 3),
    AmbientLight(intensity=0.5),
    DirectionalLight(castShadow=True),
    PointLight(decay=1.5, distance=4, size=0.1),
    SpotLight(angle=0.3, penumbra=0.5),
    HemisphereLight(groundColor="#420"),
    CameraView(key="ego", fov=60, lookAt=[0, 0, 1]),
    Group(Box(), Group(Sphere(), key="inner"), key="outer", matrix=np.eye(4).T.ravel()),
)
MAP = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


@pytest.fixture
def scene():
    return Scene(Box(key="a"), Group(Sphere(key="b"), Group(Cone(key="c"), key="h"), key="g"))


def keys(tree):
    return [node.key for node in tree.walk()]


def test_everything_is_at_hand_without_anything_heavy():
    code = (
        "import sys, heliograph; heliograph.Scene(heliograph.Box(material={'color': 0xff0000}));"
        "print(*{'PIL', 'trimesh', 'moderngl', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not done.stdout.split()
    assert heliograph.Box is Box


@pytest.mark.parametrize("component", EVERY, ids=lambda each: each.kind)
def test_plain_data_and_back(component):
    data = component.to_dict()
    assert data["tag"] == type(component).__name__
    again = Component.from_dict(data)
    assert again == component
    assert hash(again) == hash(component)
    assert copy.deepcopy(component) == component
    assert Scene(component).digest() == Scene(again).digest()


def test_a_scene_with_surroundings_is_plain_data_too():
    given = {"background": "environment", "environmentIntensity": 2, "toneMapping": "aces"}
    scene = Scene(Box(), environment={"sky": "skyblue", "ground": "tan"}, exposure=2, **given)
    again = Component.from_dict(scene.to_dict())
    assert again == scene
    assert again.get("environment")["horizon"] == again.get("environment")["sky"]
    assert scene != Scene(Box(), environment={"sky": "skyblue"}, exposure=2, **given)
    assert Scene(environment="sky.hdr").files == ("sky.hdr",)


def test_arrays_stay_arrays_and_nobody_can_change_them():
    mesh = Mesh(vertices=np.eye(3), faces=[[0, 1, 2]], material={"map": MAP})
    data = mesh.to_dict()
    assert isinstance(data["vertices"], np.ndarray)
    assert isinstance(data["material"]["map"], np.ndarray)
    with pytest.raises(ValueError, match="read-only"):
        mesh.get("vertices")[0, 0] = 5
    with pytest.raises(AttributeError, match="is a value"):
        mesh.key = "other"
    with pytest.raises(AttributeError, match="is a value"):
        del mesh.key
    with pytest.raises(TypeError):
        mesh.props["visible"] = False


@pytest.mark.parametrize(
    "colour", ["#ff0000", "#f00", "red", 0xFF0000, [1.0, 0, 0], np.array([1.0, 0, 0]), (1, 0, 0)]
)
def test_one_colour_in_many_ways(colour):
    assert Box(material={"color": colour}) == Box(material={"color": (1.0, 0.0, 0.0)})


@pytest.mark.parametrize("value", ["reddish", "#12345", 0x1000000, -1, [1, 2, 3], [0, 1], None])
def test_what_is_no_colour(value):
    with pytest.raises(InvalidValueError, match="color"):
        Box(key="b", material={"color": value})


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Box(key="b", args=[1, -2, 3]), r"Box 'b' args height: .*above 0.*-2"),
        (lambda: Box(args=[1, 2, 3, 4, 5, 6, 7]), "segment counts"),
        (lambda: Box(args=[1, 1, 1, 0]), "args segments"),
        (lambda: Box(args="123"), r"\[width, height, depth\]"),
        (lambda: Sphere(args=[float("nan")]), "finite number above 0"),
        (lambda: Cylinder(args=[0, 0, 1]), "one radius above 0"),
        (lambda: Capsule(args=[1, -1]), "length"),
        (lambda: Box(position=[1, 2]), r"Box position: expected shape \(3,\)"),
        (lambda: Box(position=[1, 2, np.inf]), "finite"),
        (lambda: Box(position="far"), "Box position"),
        (lambda: Box(scale=0), "not 0"),
        (lambda: Box(scale=[1, 2]), "scale"),
        (lambda: Box(quaternion=[0, 0, 0, 0]), "not zero"),
        (lambda: Box(rotation=[0, 0, 0], quaternion=[0, 0, 0, 1]), "not both"),
        (lambda: Box(matrix=np.eye(4)), "column after column"),
        (lambda: Box(matrix=range(16)), "numbers 4, 8, 12 and 16"),
        (lambda: Box(visible="no"), "True or False"),
        (lambda: Box(materialType="glass"), "'standard' or 'phong'"),
        (lambda: Box(material="red"), "a mapping"),
        (lambda: Box(material={"opacity": 1.5}), r"material\.opacity: .*from 0 to 1"),
        (lambda: Box(material={"side": "both"}), "'front' or 'back' or 'double'"),
        (lambda: Box(material={"side": 3}), "'front' or 'back' or 'double'"),
        (lambda: Box(material={"roughness": 1.1}), r"roughness: .*from 0 to 1"),
        (lambda: Box(material={"metalness": float("nan")}), r"metalness: .*finite"),
        (lambda: Scene(toneMapping="filmic"), "toneMapping: expected 'none' or 'neutral'"),
        (lambda: Scene(exposure=0), "exposure: .*above 0"),
        (lambda: Scene(environmentIntensity=-1), "environmentIntensity: .*from 0"),
        (lambda: Scene(environment="sky.png"), r"environment: expected a \.hdr file, an array or "),
        (lambda: Scene(environment={"ground": "tan"}), "at least the colour 'sky'"),
        (lambda: Scene(environment={"sky": "tan", "ground": 3.5}), "environment ground: "),
        (lambda: Scene(background="surroundings"), "background"),
        (lambda: Box(material={"map": np.zeros((2, 2))}), r"\(H, W, C\) uint8"),
        (lambda: Box(key=""), "non-empty"),
        (lambda: Box("child"), "expected components"),
        (lambda: Group(Scene()), "root only"),
        (lambda: Component(), "only a base"),
        (lambda: CameraView(fov=180), "fov"),
        (lambda: CameraView(width=0), "width"),
        (lambda: CameraView(width=True), "width"),
        (lambda: CameraView(near=30), "near: expected less than far"),
        (lambda: CameraView(ctype="fisheye"), "ctype"),
        (lambda: PointLight(decay=-1), "decay: .*from 0 to 100"),
        (lambda: PointLight(distance=-1), "distance: .*from 0"),
        (lambda: DirectionalLight(size=2), "size: .*from 0 to"),
        (lambda: AmbientLight(intensity=-1), "intensity"),
        (lambda: Mesh(vertices=np.eye(3)), "vertices and faces together"),
        (lambda: Mesh(vertices=np.eye(3), faces=[[0, 1, 3]]), "below 3"),
        (lambda: Mesh(vertices=np.eye(3), faces=[[0, 1, -1]]), "from 0"),
        (lambda: Mesh(vertices=np.eye(3), faces=[[0.0, 1, 2]]), "whole numbers"),
        (lambda: Mesh(vertices=np.full((3, 3), np.nan), faces=[[0, 1, 2]]), "NaN"),
        (lambda: Mesh(vertices=np.eye(3), faces=[[0, 1, 2]], normals=np.eye(3)[:2]), "3 rows"),
        (lambda: Mesh(src="a.fbx"), "glb"),
        (lambda: Mesh(src="a.glb", faces=[[0, 1, 2]]), "either src or faces"),
        (lambda: Mesh(src=5), "path"),
        (lambda: Scene(Box(key="x"), Group(Box(key="x"))), "Box 'x': a component with this key"),
        (lambda: Scene(Box(key="scene")), "this key"),
        (lambda: Component.from_dict({}), "'tag'"),
        (lambda: Component.from_dict({"tag": "Box", "children": 3}), "a list"),
    ],
)
def test_refusals_say_what_was_expected_and_what_came(make, says):
    with pytest.raises(InvalidValueError, match=says):
        make()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Box(key="b", colour="red"), "property of Box 'b' 'colour'"),
        (lambda: Box(material={"colour": "red"}), "did you mean 'color'"),
        (lambda: Component.from_dict({"tag": "Boxx"}), "did you mean 'Box'"),
        (lambda: Box().get("radius"), "property of Box 'radius'"),
    ],
)
def test_unknown_names_are_named(make, says):
    with pytest.raises(UnknownNameError, match=says):
        make()


def test_nesting_is_bounded():
    data = {"tag": "Box"}
    for _ in range(200):
        data = {"tag": "Group", "children": [data]}
    with pytest.raises(InvalidValueError, match="deeper"):
        Component.from_dict(data)
    tree = Group()
    for _ in range(99):
        tree = Group(tree)
    with pytest.raises(InvalidValueError, match="deeper"):
        Group(tree)


def test_keys_come_by_place_and_stay():
    made = Scene(Box(), Group(Box(), Sphere(), key="g"), Box(key="box-2"), CameraView())
    assert keys(made) == ["scene", "box-1", "g", "box-3", "sphere-1", "box-2", "cameraview-1"]
    assert Scene(Box()) == Scene(Box(key="box-1"))


def test_placement_is_three_js():
    turn = Rotation.from_euler("XYZ", [0.1, -0.7, 2.0]).as_matrix()
    box = Box(position=[1, 2, 3], rotation=[0.1, -0.7, 2.0], scale=[1, 2, 3])
    assert np.allclose(box.local[:3, :3], turn * [1, 2, 3], atol=1e-12)
    assert np.allclose(box.local[:3, 3], [1, 2, 3])
    q = Rotation.from_matrix(turn).as_quat()
    assert np.allclose(Box(quaternion=q, scale=[1, 2, 3]).local[:3, :3], box.local[:3, :3])
    wins = Box(matrix=box.local.T.ravel(), position=[9, 9, 9])
    assert np.allclose(wins.local, box.local)


def test_hashes_are_stable_and_change_with_everything(tmp_path):
    image = tmp_path / "image.png"
    Image.new("RGB", (2, 2), "red").save(image)
    trimesh.creation.box().export(tmp_path / "box.ply")
    parts = (*EVERY, Mesh(src=tmp_path / "box.ply"), Box(material={"map": str(image)}))
    first = Scene(*parts).digest()
    assert first == Scene(*parts).digest() == Component.from_dict(Scene(*parts).to_dict()).digest()
    assert len({Scene(part).digest() for part in parts}) == len(parts)
    assert Scene(Box(), Sphere()).digest() != Scene(Sphere(), Box()).digest()
    assert Scene(Group(Box())).digest() != Scene(Group(), Box()).digest()
    Image.new("RGB", (2, 3), "blue").save(image)
    changed = Scene(*parts[:-1], Box(material={"map": str(image)})).digest()
    assert changed != first
    boxed = Scene(parts[-2]).digest()
    trimesh.creation.box((1, 1, 2)).export(tmp_path / "box.ply")
    assert Scene(Mesh(src=tmp_path / "box.ply")).digest() != boxed


def test_the_hash_covers_files_that_files_name(tmp_path):
    (tmp_path / "a.obj").write_text("mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    (tmp_path / "a.mtl").write_text("newmtl m\nmap_Kd a.png\n")
    before = Scene(Mesh(src=tmp_path / "a.obj")).digest()
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    assert Scene(Mesh(src=tmp_path / "a.obj")).digest() != before
    with pytest.raises(SceneError, match="no such file"):
        Scene(Mesh(src=tmp_path / "gone.obj")).digest()


def find(scene, key):
    return next(node for node in scene.walk() if node.key == key)


def parents(scene):
    return {child.key: node.key for node in scene.walk() for child in node.children}


def test_update_changes_only_what_is_given(scene):
    edited = apply(scene, [Update(Sphere(key="b", position=[1, 0, 0], material={"color": "red"}))])
    edited = apply(edited, [Update(Sphere(key="b", material={"opacity": 0.5}))])
    ball = find(edited, "b")
    assert ball.get("position") == (1.0, 0.0, 0.0)
    assert ball.get("material") == {"color": (1.0, 0.0, 0.0), "opacity": 0.5}
    assert find(scene, "b").props == {}
    assert keys(edited) == keys(scene)
    assert parents(edited) == parents(scene)


def test_newer_placement_shows():
    turn = Rotation.from_euler("XYZ", [0.1, -0.7, 2.0]).as_matrix()
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn * [2, 3, -4], [1, 2, 3]
    scene = Scene(Box(key="a", matrix=matrix.T.ravel()), Box(key="q", quaternion=[0, 0, 1, 1]))
    moved = find(apply(scene, [Update(Box(key="a", position=[7, 8, 9]))]), "a")
    matrix[:3, 3] = [7, 8, 9]
    assert np.allclose(moved.local, matrix)
    sheared = np.eye(4)
    sheared[0, 1] = 1
    with pytest.raises(InvalidValueError, match="sheared"):
        apply(Scene(Box(key="a", matrix=sheared.T.ravel())), [Update(Box(key="a", scale=2))])
    turned = find(apply(scene, [Update(Box(key="q", rotation=[0, 0, 0]))]), "q")
    assert np.array_equal(turned.local, np.eye(4))


def test_add(scene):
    edited = apply(scene, [Add(Box()), Add(Box(), to="h"), Add(Group(Box(), key="n"), to="g")])
    assert keys(edited) == ["scene", "a", "g", "b", "h", "c", "box-2", "n", "box-3", "box-1"]
    assert parents(edited) == parents(Scene(*edited.children))
    with pytest.raises(InvalidValueError, match="this key is there already"):
        apply(scene, [Add(Box(key="a"))])
    with pytest.raises(UnknownNameError, match="component 'nobody'"):
        apply(scene, [Add(Box(), to="nobody")])


def test_upsert(scene):
    added = apply(scene, [Upsert(Box(key="new"), to="g")])
    assert parents(added)["new"] == "g"
    updated = apply(added, [Upsert(Box(key="new", scale=2)), Upsert(Box())])
    assert find(updated, "new").get("scale") == (2.0, 2.0, 2.0)
    assert parents(updated)["new"] == "g"
    replaced = apply(updated, [Upsert(Sphere(key="new"))])
    assert find(replaced, "new") == Sphere(key="new")
    assert keys(replaced) == keys(updated)
    assert keys(apply(scene, [Upsert(Box(Sphere(key="b"), key="g"))])) == ["scene", "a", "g", "b"]


def test_remove(scene):
    edited = apply(scene, [Remove("h")])
    assert keys(edited) == ["scene", "a", "g", "b"]
    assert parents(edited) == {"a": "scene", "g": "scene", "b": "g"}
    with pytest.raises(UnknownNameError, match="component 'c'"):
        apply(edited, [Remove("c")])
    with pytest.raises(InvalidValueError, match="use Set"):
        apply(scene, [Remove("scene")])
    assert keys(apply(edited, [Add(Cone(key="c"))]))[-1] == "c"


def test_update_with_children_replaces_them(scene):
    edited = apply(scene, [Update(Group(Box(), Sphere(key="b"), key="g"))])
    assert keys(edited) == ["scene", "a", "g", "box-1", "b"]
    assert parents(edited) == {"a": "scene", "g": "scene", "box-1": "g", "b": "g"}
    with pytest.raises(InvalidValueError, match="this key is there already"):
        apply(scene, [Update(Group(Box(key="a"), key="g"))])


def test_set_and_the_scene_itself(scene):
    assert apply(scene, [Set(Scene(Box())), Add(Sphere())]) == Scene(Box(), Sphere())
    lit = apply(scene, [Update(Scene(background="red"))])
    assert lit.get("background") == (1.0, 0.0, 0.0)
    assert lit.children == scene.children


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Update(Box()), "needs a key"),
        (lambda: Add("box"), "expected a component"),
        (lambda: Add(Scene()), "expected a component"),
        (lambda: Add(Box(), to=3), "Add to"),
        (lambda: Remove(""), "expected a key"),
        (lambda: Set(Box()), "expected a Scene"),
        (lambda: apply(Scene(Box(key="a")), [Update(Sphere(key="a"))]), "is a Box, got a Sphere"),
        (lambda: apply(Scene(), [Edit()]), "expected Set, Add"),
    ],
)
def test_bad_edits(make, says):
    with pytest.raises(InvalidValueError, match=says):
        make()


def test_unknown_keys_in_edits(scene):
    for edit in (Update(Box(key="aa")), Remove("aa")):
        with pytest.raises(UnknownNameError, match="did you mean 'a'"):
            apply(scene, [edit])


def test_edits_are_values():
    edit = Add(Box(key="a"), to="g")
    assert edit == Add(Box(key="a"), to="g")
    assert hash(edit) == hash(dataclasses.replace(edit))
    assert edit != Add(Box(key="a", scale=2), to="g")


def test_an_edit_of_a_large_scene_touches_little():
    tree = Tree(Scene(*(Group(*(Box() for _ in range(50))) for _ in range(100))))
    edited = tree.copy()
    changes = edited.apply([Update(Box(key="box-777", position=[1, 0, 0]))])
    assert changes.given.keys() == {"box-777"}
    assert not changes.spliced
    pairs = zip(tree.nodes(), edited.nodes(), strict=True)
    assert [a.key for a, b in pairs if a is not b] == ["box-777"]


def test_objects_are_found_by_name() -> None:
    with hg.open(hg.Scene(hg.Sphere(key="ball"), hg.Box(key="cup"))) as renderer:
        objects = renderer.scene.objects
        assert objects["cup"].id == objects[1].id == 2
        with pytest.raises(hg.UnknownNameError, match=r"'cap'.*cup"):
            objects["cap"]
        frame = renderer.render(hg.View(passes=("alpha", "distance")))["fit"]
    assert frame.alpha is frame["alpha"]
    assert frame.distance is frame["distance"]
