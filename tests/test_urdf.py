# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type, union-attr"
"""Robots of URDF files: where their links are, what is seen of them, and how joints move them."""

from __future__ import annotations

import time
from pathlib import Path

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.spatial.transform import Rotation

import heliograph as hg
from component_scenes import ALL, draw
from heliograph.camera import Camera
from heliograph.engines.components import ComponentEngine
from heliograph.engines.mujoco import MujocoEngine
from heliograph.errors import HeliographError, InvalidValueError, SceneError, UnknownNameError
from heliograph.scene import Component, apply

MASS = (
    '<inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/>'
    "</inertial>"
)
ARM = f"""<?xml version="1.0"?>
<robot name="arm">
  <mujoco><compiler fusestatic="false" discardvisual="false"/></mujoco>
  <material name="steel"><color rgba="0.2 0.4 0.6 1"/></material>
  <link name="base">
    <visual><geometry><box size="0.4 0.3 0.1"/></geometry><material name="steel"/></visual>
  </link>
  <joint name="turn" type="continuous">
    <parent link="base"/><child link="column"/>
    <origin xyz="0 0.02 0.1" rpy="0.1 0.2 0.3"/><axis xyz="0 0 2"/>
  </joint>
  <link name="column">{MASS}
    <visual>
      <origin xyz="0 0 0.25" rpy="0.1 0 0.2"/>
      <geometry><cylinder radius="0.05" length="0.5"/></geometry>
      <material name="own"><color rgba="1 0 0 0.5"/></material>
    </visual>
    <visual><geometry><sphere radius="0.08"/></geometry></visual>
  </link>
  <joint name="bend" type="revolute">
    <parent link="column"/><child link="fore"/>
    <origin xyz="0 0 0.5" rpy="0 0.3 0"/><axis xyz="0 1 1"/>
    <limit lower="-1" upper="1.5" effort="1" velocity="1"/>
  </joint>
  <link name="fore">{MASS}
    <visual><origin xyz="0.15 0 0"/><geometry><box size="0.3 0.05 0.05"/></geometry></visual>
  </link>
  <joint name="reach" type="prismatic">
    <parent link="fore"/><child link="hand"/>
    <origin xyz="0.3 0 0" rpy="0.5 0 0"/><axis xyz="1 0 0"/>
    <limit lower="0" upper="0.2" effort="1" velocity="1"/>
  </joint>
  <link name="hand">{MASS}
    <visual><geometry><sphere radius="0.06"/></geometry></visual>
  </link>
  <joint name="grip" type="prismatic">
    <parent link="hand"/><child link="finger"/><origin xyz="0 0.1 0"/><axis xyz="0 1 0"/>
    <limit lower="-1" upper="1" effort="1" velocity="1"/>
    <mimic joint="reach" multiplier="-0.5" offset="0.02"/>
  </joint>
  <link name="finger">{MASS}
    <visual><geometry><box size="0.02 0.02 0.1"/></geometry></visual>
  </link>
  <joint name="mount" type="fixed">
    <parent link="hand"/><child link="eye"/><origin xyz="0.05 0 0.1" rpy="0 0 1.57"/>
  </joint>
  <link name="eye">{MASS}</link>
</robot>
"""
LINKS = ("base", "column", "fore", "hand", "finger", "eye")
LOOK = Camera.look_at(
    eye=(1.2, -1.4, 1), target=(0.1, 0, 0.4), fov_y=0.8, width=200, height=150, name="look", far=50
)


@pytest.fixture
def arm(tmp_path):
    path = tmp_path / "arm.urdf"
    path.write_text(ARM)
    return path


def robot(*parts: str) -> str:
    return f'<robot name="r">{"".join(parts)}</robot>'


def link(name: str, inside: str = "") -> str:
    return f'<link name="{name}">{inside}</link>'


def joint(name: str, parent: str, child: str, kind: str = "fixed", inside: str = "") -> str:
    ends = f'<parent link="{parent}"/><child link="{child}"/>'
    return f'<joint name="{name}" type="{kind}">{ends}{inside}</joint>'


def visual(geometry: str, inside: str = "") -> str:
    return f"<visual><geometry>{geometry}</geometry>{inside}</visual>"


def worlds(scene: Component) -> dict[str, np.ndarray]:
    """World_from_component of all components by key."""
    found = {}

    def go(node, above):
        found[node.key] = above @ node.local
        for child in node.children:
            go(child, found[node.key])

    go(scene, np.eye(4))
    return found


def chain(turn: float, bend: float, reach: float) -> dict[str, np.ndarray]:
    """The frames of the arm's links, written out by hand."""

    def at(xyz, rpy=(0, 0, 0)):
        made = np.eye(4)
        made[:3, :3] = Rotation.from_euler("xyz", rpy).as_matrix()
        made[:3, 3] = xyz
        return made

    def about(axis, angle):
        made = np.eye(4)
        axis = np.array(axis) / np.linalg.norm(axis)
        made[:3, :3] = Rotation.from_rotvec(angle * axis).as_matrix()
        return made

    base = np.eye(4)
    column = base @ at((0, 0.02, 0.1), (0.1, 0.2, 0.3)) @ about((0, 0, 1), turn)
    fore = column @ at((0, 0, 0.5), (0, 0.3, 0)) @ about((0, 1, 1), bend)
    hand = fore @ at((0.3, 0, 0), (0.5, 0, 0)) @ at((reach, 0, 0))
    finger = hand @ at((0, 0.1 - 0.5 * reach + 0.02, 0))
    eye = hand @ at((0.05, 0, 0.1), (0, 0, 1.57))
    return dict(zip(LINKS, (base, column, fore, hand, finger, eye), strict=True))


values = st.fixed_dictionaries(
    {"turn": st.floats(-4, 4), "bend": st.floats(-1, 1.5), "reach": st.floats(0, 0.2)}
)


@settings(max_examples=60, deadline=None)
@given(values)
def test_links_are_where_the_chain_and_mujoco_put_them(tmp_path_factory, joints):
    path = tmp_path_factory.getbasetemp() / "chain.urdf"
    path.write_text(ARM)
    start = hg.Scene(hg.Urdf(key="arm", src=path, joints=joints))
    moved = apply(
        hg.Scene(hg.Urdf(key="arm", src=path, joints={"bend": 1})),
        [hg.Update(hg.Urdf(key="arm", joints={name: joints[name]})) for name in joints],
    )
    model = mujoco.MjModel.from_xml_string(ARM)
    data = mujoco.MjData(model)
    for name, value in joints.items():
        data.joint(name).qpos[0] = value
    data.joint("grip").qpos[0] = -0.5 * joints["reach"] + 0.02
    mujoco.mj_kinematics(model, data)
    expected = chain(**joints)
    for scene in (start, moved):
        found = worlds(scene)
        for name in LINKS:
            frame = found[f"arm/{name}/frame"]
            assert np.abs(frame - expected[name]).max() < 1e-9
            body = data.body(name)
            assert np.abs(frame[:3, 3] - body.xpos).max() < 1e-9
            assert np.abs(frame[:3, :3] - body.xmat.reshape(3, 3)).max() < 1e-9


def test_it_looks_as_mujoco_draws_the_same_file(arm):
    joints = {"turn": 0.7, "bend": -0.6, "reach": 0.1}
    ours = draw(hg.Scene(hg.Urdf(key="arm", src=arm, joints=joints)), LOOK)["look"]
    engine = MujocoEngine(arm)
    state = {"qpos": [*joints.values(), -0.03]}  # MuJoCo holds `mimic` only while it simulates
    theirs = engine.render(hg.View((LOOK,), ALL, state=state))["look"]
    engine.close()
    seen = ours.segmentation > 0
    assert seen.sum() > 1400
    assert (seen == (theirs.segmentation > 0)).mean() > 0.9999
    both = seen & (theirs.segmentation > 0)
    assert np.abs(ours.depth[both] - theirs.depth[both]).max() < 1e-5
    assert np.abs(ours.normals[both] - theirs.normals[both]).max() < 1e-3


def test_each_thing_seen_is_one_object_and_each_link_a_group(arm):
    engine = ComponentEngine(hg.Scene(hg.Urdf(key="arm", src=arm)))
    table = engine.scene.objects
    engine.close()
    seen = ["arm/base", "arm/column", "arm/column/2", "arm/fore", "arm/hand", "arm/finger"]
    assert [each.name for each in table if each.seen] == seen
    assert [each.category for each in table if each.seen] == [
        *("box", "cylinder", "sphere", "box", "sphere", "box")
    ]
    assert {each.name for each in table if not each.seen} == {
        "arm",
        *(f"arm/{name}/frame" for name in LINKS),
    }
    rgba = table.colours[table.row("arm/base")]
    assert rgba == pytest.approx([0.2, 0.4, 0.6, 1])
    assert table.colours[table.row("arm/column")] == pytest.approx([1, 0, 0, 0.5])
    assert table.colours[table.row("arm/fore")] == pytest.approx([1, 1, 1, 1])


def test_joints_that_are_left_out_keep_their_value_and_ids_stay(arm):
    scene = hg.Scene(hg.Urdf(key="arm", src=arm, joints={"bend": 0.5, "turn": 0.1}))
    engine = ComponentEngine(scene)
    before = engine.scene
    engine.advance([hg.Update(hg.Urdf(key="arm", joints={"reach": 0.1}))])
    engine.advance([hg.Update(hg.Urdf(key="arm", joints={"turn": 2.0}, position=[0, 0, 1]))])
    after = engine.scene
    state = {"arm/fore/frame": np.eye(4)}
    shot = engine.render(hg.View((LOOK,), ALL, state=state))
    engine.close()
    assert after.objects.ids.tolist() == before.objects.ids.tolist()
    expected = chain(turn=2.0, bend=0.5, reach=0.1)
    lift = np.eye(4)
    lift[2, 3] = 1
    for name in LINKS:
        frame = after.objects.poses[after.objects.row(f"arm/{name}/frame")]
        assert np.abs(frame - lift @ expected[name]).max() < 1e-9
    direct = hg.Urdf(
        key="arm", src=arm, joints={"bend": 0.5, "turn": 2.0, "reach": 0.1}, position=[0, 0, 1]
    )
    again = ComponentEngine(hg.Scene(direct))
    same = again.render(hg.View((LOOK,), ALL, state=state))
    assert again.scene.hash == after.hash == hg.Scene(direct).digest()
    again.close()
    for name in ALL:
        assert np.array_equal(shot["look"][name], same["look"][name])


def test_what_is_added_to_a_frame_moves_with_its_link(arm):
    scene = hg.Scene(hg.Urdf(key="arm", src=arm))
    camera = hg.CameraView(key="cam", position=[0.05, 0, 0])
    changes = [
        hg.Add(camera, to="arm/hand/frame"),
        hg.Update(hg.Urdf(key="arm", joints={"turn": 1.0})),
    ]
    found = worlds(apply(scene, changes))["cam"]
    lift = np.eye(4)
    lift[0, 3] = 0.05
    assert np.abs(found - chain(1.0, 0, 0)["hand"] @ lift).max() < 1e-9


def test_children_that_are_given_anew_leave_the_links(arm):
    scene = hg.Scene(hg.Urdf(hg.Box(key="old"), key="arm", src=arm))
    for edit in (hg.Update, hg.Upsert):
        changed = apply(scene, [edit(hg.Urdf(hg.Sphere(key="new"), key="arm"))])
        keys = [node.key for node in changed.children[0].children]
        assert keys == ["arm/base/frame", "new"]
        assert changed == apply(changed, [edit(hg.Urdf(hg.Sphere(key="new"), key="arm"))])


def test_links_are_components_like_others(arm):
    scene = hg.Scene(hg.Urdf(key="arm", src=arm))
    engine = ComponentEngine(scene)
    edits = [hg.Update(hg.Box(key="arm/base", color="lime", materialType="basic"))]
    shot = engine.render(hg.View((LOOK,), ("rgb", "segmentation"), edits=edits))["look"]
    base = shot.segmentation == 2 - 1
    hidden = engine.render(hg.View((LOOK,), ALL, edits=[hg.Hide(["arm/base"])]))["look"]
    engine.advance([hg.Remove("arm/hand/frame")])
    engine.advance([hg.Update(hg.Urdf(key="arm", joints={"reach": 0.1, "turn": 1}))])
    left = engine.scene.objects.seen_names
    engine.close()
    assert (shot.rgb[base] == (0, 255, 0)).all()
    assert base.sum() > 100
    assert not (hidden.segmentation == 1).any()
    assert left == ("arm/base", "arm/column", "arm/column/2", "arm/fore")


def test_it_travels_and_is_read_once(arm):
    scene = hg.Scene(hg.Urdf(key="arm", src=arm, joints={"turn": 0.3}))
    arm.unlink()
    again = Component.from_dict(scene.to_dict())
    assert again == scene
    assert again.digest() == scene.digest()
    moved = apply(again, [hg.Update(hg.Urdf(key="arm", joints={"bend": 1}))])
    expected = chain(turn=0.3, bend=1, reach=0)
    assert np.abs(worlds(moved)["arm/hand/frame"] - expected["hand"]).max() < 1e-9
    model = moved.children[0].get("model")
    assert model["joints"]["bend"]["low"] == -1
    assert model["joints"]["bend"]["high"] == 1.5
    assert "low" not in model["joints"]["turn"]


def test_src_given_again_reads_the_file_as_it_is_now(arm, tmp_path):
    scene = hg.Scene(hg.Urdf(hg.Box(key="mine"), key="arm", src=arm, joints={"turn": 0.3}))
    again = [hg.Update(hg.Urdf(key="arm", src=arm, joints={"bend": 0.2}))]
    engine = ComponentEngine(scene)
    ids = engine.scene.objects.ids.tolist()
    engine.advance(again)
    assert engine.scene.objects.ids.tolist() == ids  # the file is what it was
    assert engine.scene.hash == apply(scene, again).digest()
    arm.write_text(ARM.replace('name="eye"', 'name="lid"').replace('link="eye"', 'link="lid"'))
    engine.advance(again)
    assert "arm/lid/frame" in engine.scene.objects.rows
    assert "arm/eye/frame" not in engine.scene.objects.rows
    assert "mine" in engine.scene.objects.rows
    hand = engine.scene.objects.poses[engine.scene.objects.row("arm/hand/frame")]
    assert np.abs(hand - chain(0.3, 0.2, 0)["hand"]).max() < 1e-9
    other = tmp_path / "other.urdf"
    other.write_text(robot(link("one", visual('<box size="1 1 1"/>'))))
    engine.advance([hg.Update(hg.Urdf(key="arm", src=other))])
    assert engine.scene.objects.seen_names == ("arm/one", "mine")
    with pytest.raises(UnknownNameError, match="joint of Urdf 'arm' 'turn'"):
        engine.advance([hg.Update(hg.Urdf(key="arm", joints={"turn": 1}))])
    engine.close()


def test_two_robots_of_one_file_have_keys_of_their_own(arm):
    scene = hg.Scene(hg.Urdf(src=arm), hg.Urdf(src=arm, position=[1, 0, 0]))
    keys = [node.key for node in scene.walk()]
    assert {"urdf-1/hand", "urdf-2/hand"} < set(keys)
    assert len(keys) == len(set(keys))
    with pytest.raises(InvalidValueError, match="'a/base': a component with this key is there"):
        hg.Scene(hg.Box(key="a/base"), hg.Urdf(key="a", src=arm))


def test_a_wrong_joint_names_the_nearest(arm):
    with pytest.raises(UnknownNameError, match="'tunr'; did you mean 'turn'"):
        hg.Scene(hg.Urdf(src=arm, joints={"tunr": 1}))
    scene = hg.Scene(hg.Urdf(key="arm", src=arm))
    with pytest.raises(UnknownNameError, match=r"'mount'.*known: 'turn', 'bend', 'reach'"):
        apply(scene, [hg.Update(hg.Urdf(key="arm", joints={"mount": 1}))])
    with pytest.raises(InvalidValueError, match="'grip' follows 'reach'"):
        apply(scene, [hg.Update(hg.Urdf(key="arm", joints={"grip": 1}))])
    with pytest.raises(InvalidValueError, match="joints 'turn': expected a finite number"):
        hg.Urdf(joints={"turn": float("nan")})
    with pytest.raises(InvalidValueError, match="joints: expected a mapping of names"):
        hg.Urdf(joints=[1, 2])


def test_meshes_textures_and_packages_are_found(tmp_path):
    package = tmp_path / "ws" / "bot_description"
    (package / "meshes").mkdir(parents=True)
    (package / "urdf").mkdir()
    tetrahedron = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
    (package / "meshes" / "part.obj").write_text(tetrahedron)
    Image.fromarray(np.full((4, 4, 3), (0, 0, 255), np.uint8)).save(package / "meshes/blue.png")
    mesh = '<mesh filename="package://bot_description/meshes/part.obj" scale="0.5 1 2"/>'
    texture = '<texture filename="../meshes/blue.png"/>'
    path = package / "urdf" / "bot.urdf"
    path.write_text(
        robot(
            link("a", visual(mesh)),
            joint("j", "a", "b", inside='<origin xyz="1 0 0"/>'),
            link("b", visual('<box size="1 1 1"/>', f'<material name="t">{texture}</material>')),
        )
    )
    engine = ComponentEngine(hg.Scene(hg.Urdf(key="bot", src=path)))
    table = engine.scene.objects
    assert table["bot/a"].box == pytest.approx(np.array([[0, 0, 0], [1, 1, 1]]))
    assert np.linalg.norm(table.poses[table.row("bot/a")][:3, :3], axis=0) == pytest.approx(
        [0.5, 1, 2]
    )
    side = Camera.look_at(eye=(5, 0, 0), target=(1, 0, 0), fov_y=0.2, width=9, height=9, name="x")
    blue = engine.render(hg.View((side,), ("rgb",)))["x"].rgb[4, 4]
    engine.close()
    assert blue[2] > 100 > max(blue[:2])
    away = tmp_path / "bot.urdf"
    away.write_text(path.read_text().replace("../meshes", str(package / "meshes")))
    with pytest.raises(SceneError, match=r"is not there .*packages=\{'bot_description': folder"):
        hg.Scene(hg.Urdf(src=away))
    scene = hg.Scene(hg.Urdf(src=away, packages={"bot_description": package}))
    assert scene.digest()


def broken() -> dict[str, tuple[str, str]]:
    box = '<box size="1 1 1"/>'
    return {
        "no robot": ("<scene/>", "expected <robot> as root, got <scene>"),
        "no XML": ("hello", "not a readable URDF file"),
        "no link": (robot(), "expected one link that no joint moves, got"),
        "two roots": (robot(link("a"), link("b")), r"got \['a', 'b'\]"),
        "no such link": (robot(link("a"), joint("j", "a", "x")), "there is no link 'x'"),
        "two above": (
            robot(link("a"), link("b"), joint("j", "a", "b"), joint("k", "a", "b")),
            "link 'b': two joints move it",
        ),
        "a circle": (
            robot(*map(link, "abc"), joint("j", "b", "c"), joint("k", "c", "b")),
            "link 'b' stands on itself",
        ),
        "an odd type": (
            robot(link("a"), link("b"), joint("j", "a", "b", "hinge")),
            "joint 'j': expected a type of revolute, .* got 'hinge'",
        ),
        "no axis": (
            robot(link("a"), link("b"), joint("j", "a", "b", "revolute", '<axis xyz="0 0 0"/>')),
            "axis: expected one that is not 0",
        ),
        "words": (
            robot(link("a", visual('<box size="1 2"/>'))),
            "link 'a' visual box size: expected 3 numbers, got '1 2'",
        ),
        "nan": (
            robot(link("a", visual(box, '<origin xyz="0 nan 0"/>'))),
            "origin xyz: expected 3 numbers",
        ),
        "negative": (
            robot(link("a", visual('<sphere radius="-1"/>'))),
            "'r/a' radius: expected a finite number above 0",
        ),
        "another shape": (robot(link("a", visual("<cone/>"))), "expected box, cylinder"),
        "collada": (
            robot(link("a", visual('<mesh filename="arm.urdf"/>'))),
            "expected a mesh of .glb .* convert it",
        ),
        "a missing mesh": (
            robot(link("a", visual('<mesh filename="gone.stl"/>'))),
            r"'gone.stl' is not there \(looked for .*gone.stl\)",
        ),
        "far away": (
            robot(link("a", visual('<mesh filename="http://x/a.stl"/>'))),
            r"is not there \(looked for nowhere\)",
        ),
        "follows itself": (
            robot(
                link("a"),
                link("b"),
                joint("j", "a", "b", "prismatic", '<mimic joint="j"/>'),
            ),
            "joint 'j' cannot follow 'j'",
        ),
        "one name twice": (
            robot(*map(link, "abc"), joint("j", "a", "b"), joint("j", "a", "c")),
            "two joints have one name",
        ),
        "macros": (
            '<robot xmlns:xacro="http://ros.org/wiki/xacro"><xacro:include filename="a"/></robot>',
            "expand it by `xacro`",
        ),
        "an encoding": ("<?xml version='1.0' encoding='klingon'?><robot/>", "not a readable URDF"),
    }


@pytest.mark.parametrize("case", broken())
def test_what_is_wrong_with_a_file_is_said(arm, case):
    text, message = broken()[case]
    arm.write_text(text)
    with pytest.raises(SceneError, match=f"{arm.name}: .*{message}"):
        hg.Scene(hg.Urdf(key="r", src=arm))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused_before_they_grow(arm, encoding):
    grown = "".join(f'<!ENTITY e{i + 1} "{f"&e{i};" * 10}">' for i in range(9))
    text = f'<!DOCTYPE robot [<!ENTITY e0 "boom">{grown}]><robot name="&e9;"/>'
    arm.write_bytes(text.encode(encoding))
    begun = time.perf_counter()
    with pytest.raises(SceneError, match="expected no DOCTYPE"):
        hg.Scene(hg.Urdf(src=arm))
    assert time.perf_counter() - begun < 5
    arm.write_text(f'<!DOCTYPE robot SYSTEM "{Path(__file__).as_uri()}"><robot/>')
    with pytest.raises(SceneError, match="expected no DOCTYPE"):
        hg.Scene(hg.Urdf(src=arm))


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(SceneError, match=r"gone\.urdf: "):
        hg.Scene(hg.Urdf(src=tmp_path / "gone.urdf"))
    assert hg.Urdf(src=tmp_path / "gone.urdf").key is None  # read when it joins a scene


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_files_are_refused_or_read(tmp_path_factory, data):
    text = bytearray(ARM.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        cut = data.draw(st.integers(0, 8))
        text[at : at + cut] = data.draw(st.binary(max_size=6) | st.sampled_from([b"-", b"1e999"]))
    path = tmp_path_factory.getbasetemp() / "damaged.urdf"
    path.write_bytes(bytes(text))
    try:
        scene = hg.Scene(hg.Urdf(key="arm", src=path))
    except HeliographError:
        return
    assert Component.from_dict(scene.to_dict()) == scene


def test_joints_cost_little(arm):
    scene = hg.Scene(
        *(hg.Box(size=[0.1] * 3, position=[i, 0, 0]) for i in range(300)),
        hg.Urdf(key="arm", src=arm),
    )
    engine = ComponentEngine(scene)
    columns = engine._tree.newest[1]._columns
    engine.advance([hg.Update(hg.Urdf(key="arm", joints={"turn": 1.0}))])
    assert engine._tree.newest[1]._columns is columns  # nothing is made anew but places
    engine.close()


def test_the_component_engine_opens_one_when_asked(arm):
    with hg.open(arm, engine="components") as renderer:
        assert "arm/hand" in renderer.scene.objects.rows
