"""The Blender engine: the contract, its state and its edits, and that nothing of a view stays."""

import math
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.engines.blender.blend_world import BlendWorld
from heliograph.engines.blender.engine import BlenderEngine, StyleName
from heliograph.engines.blender.numbering import FIRST_INSTANCE, By
from heliograph.engines.blender.seeds import seed_of
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.poses import AngleUnit, Floats, from_euler
from heliograph.scene import (
    Add,
    Box,
    Edit,
    EditBackground,
    EditLight,
    EditMaterial,
    EditMaterials,
    Hide,
    MoveCamera,
    MoveObject,
)
from heliograph.testing import check_engine
from heliograph.view import View

SCRIPT = Path(__file__).parents[1] / "blender_scene.py"
TALL = 'shape_keys["Shapes"].key_blocks["Tall"].value'
ARM = 'objects["Rig"].pose.bones["Arm"].rotation_quaternion'
BALL = 'objects["Ball"].location'
CHECKED = np.kron([[0, 1], [1, 0]], np.full((4, 4), 255)).astype(np.uint8)[..., None]


def shifted(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Floats:
    pose = np.eye(4)
    pose[:3, 3] = x, y, z
    return pose


EDITS = (
    EditMaterial("Cube", rgba=(0, 1, 0, 1), roughness=0.2),
    EditMaterial("Floor", texture=CHECKED, repeat=(3, 3)),
    EditMaterials([["Cone"], ["Post", "Lid"]], rgba=[[1, 1, 0, 1], [0, 1, 1, 1]]),
    Hide("Ball"),
    MoveObject("Lid", shifted(x=0.3)),
    EditLight("Lamp", diffuse=(30, 0, 0)),
    EditLight("New", kind="point", position=(0, 0, 3), diffuse=(5, 5, 5)),
    EditBackground((0, 0.5, 0)),
)
OTHER = {
    "frame": 12.5,
    BALL: [0.0, 0, 2],
    TALL: 1.0,
    ARM: [0.7, 0.7, 0, 0],
    **View(state={"poses": (["Lid", "Cone"], [shifted(z=1.5), np.eye(4)])}).state,
}


def test_the_contract_holds_with_style_fast() -> None:
    check_engine(
        lambda: BlenderEngine(SCRIPT),
        state={"frame": 3.0, 'objects["Cube"].location': [-0.7, 0, 0.5]},
        other_state=OTHER,
        edits=EDITS,
    )


@pytest.fixture
def world() -> Iterator[BlendWorld]:
    opened = BlendWorld(SCRIPT)
    yield opened
    opened.close()


def show(world: BlendWorld, view: View) -> None:
    with world.shown(view):
        pass


def where(name: str) -> Floats:
    """World_from_object as the dependency graph has it."""
    graph = bpy.context.evaluated_depsgraph_get()
    return np.array(bpy.data.objects[name].evaluated_get(graph).matrix_world)


def rendered() -> None:
    """Have Blender render, which evaluates the animation anew."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    scene.render.resolution_percentage = 25
    bpy.ops.render.render()


def snapshot() -> dict[str, Any]:
    """Everything in Blender's data that views may change."""
    data = bpy.data
    found: dict[str, Any] = {each.name: _object(each) for each in data.objects}
    found["names"] = [
        blocks.keys() for blocks in (data.objects, data.materials, data.lights, data.cameras)
    ]
    found["images"] = [each.name for each in data.images if each.type != "RENDER_RESULT"]
    found["lights"] = [(each.type, each.energy, *each.color) for each in data.lights]
    found["inputs"] = [
        (node.name, socket.name, socket.is_linked, np.ravel(socket.default_value).tolist())
        for each in data.materials
        for node in each.node_tree.nodes
        for socket in node.inputs
        if hasattr(socket, "default_value")
    ]
    return found


def _object(thing: Any) -> tuple[Any, ...]:
    animation = thing.animation_data
    return (
        *thing.location,
        *thing.rotation_euler,
        *thing.scale,
        *np.ravel(thing.matrix_parent_inverse),
        *np.ravel(thing.matrix_world),
        thing.parent,
        thing.hide_render,
        thing.hide_viewport,
        thing.data,
        [(slot.link, slot.material) for slot in thing.material_slots],
        None if animation is None else (animation.action, animation.action_slot),
        [constraint.mute for constraint in thing.constraints],
        [np.ravel(bone.matrix_basis).tolist() for bone in thing.pose.bones] if thing.pose else (),
    )


@pytest.mark.parametrize("rendering", [False, True])
def test_everything_is_put_back(world: BlendWorld, rendering: bool) -> None:
    with world.shown(View(cameras="Camera")):
        before = snapshot()
    with world.shown(View(cameras="Camera", state=OTHER, edits=EDITS)):
        assert snapshot() != before
        if rendering:
            rendered()
    with world.shown(View(cameras="Camera")):
        assert snapshot() == before


@pytest.mark.parametrize("bad", [Hide("Bal"), Add(Box()), EditLight("Sunn", active=False)])
def test_everything_is_put_back_after_an_error(world: BlendWorld, bad: Edit) -> None:
    with world.shown(View()):
        before = snapshot()
    with pytest.raises((UnknownNameError, InvalidValueError), match=r"Ball|Add|Sun"):
        show(world, View(state=OTHER, edits=(*EDITS, bad)))
    with world.shown(View()):
        assert snapshot() == before


def test_the_frame_moves_what_is_animated(world: BlendWorld) -> None:
    for frame, x in ((1.0, 0.8), (20.0, 1.8), (10.5, None), (1.0, 0.8)):
        with world.shown(View(state={"frame": frame})):
            came = where("Ball")[0, 3]
            assert x is None or came == pytest.approx(x)
            assert x is not None or came == pytest.approx(1.3)  # halfway, by symmetry
            curve = came
    assert curve == pytest.approx(0.8)


def test_what_a_state_sets_stays_while_blender_renders(world: BlendWorld) -> None:
    state = {**OTHER, 'lights["Lamp"].energy': 7.0}
    with world.shown(View(state=state)) as (shown, _):
        mesh = bpy.data.objects["Cone"].evaluated_get(shown.view_layer.depsgraph).data
        tall = max(each.co.z for each in mesh.vertices)
        before = {each.name: where(each.name).tolist() for each in bpy.data.objects}
        rendered()
        assert {each.name: where(each.name).tolist() for each in bpy.data.objects} == before
        mesh = bpy.data.objects["Cone"].evaluated_get(shown.view_layer.depsgraph).data
        assert max(each.co.z for each in mesh.vertices) == tall == 2
    assert np.allclose(before["Ball"], shifted(z=2), atol=1e-6)
    assert np.allclose(before["Lid"], shifted(z=1.5), atol=1e-6)


def turned(x: float, y: float, z: float) -> Floats:
    pose = np.eye(4)
    pose[:3, :3] = from_euler((x, y, z), unit=AngleUnit.DEGREES)
    return pose


def hang() -> None:
    """Put things below others in all ways, and under a constraint."""
    cube, lid, post = (bpy.data.objects[name] for name in ("Cube", "Lid", "Post"))
    cube.scale, cube.rotation_euler = (1, 2, 0.5), (0.3, 0.4, 0.5)
    lid.rotation_euler = (0.5, 0.2, 0.1)
    post.parent, post.parent_type = bpy.data.objects["Rig"], "BONE"
    post.parent_bone = "Arm"
    post.modifiers.clear()
    cone = bpy.data.objects["Cone"]
    follow = cone.constraints.new("COPY_LOCATION")
    follow.target = cube
    ball = bpy.data.objects["Ball"]
    ball.driver_add("location", 1).driver.expression = "frame"


@pytest.mark.parametrize("name", ["Cube", "Lid", "Post", "Cone", "Ball", "Floor", "Lamp"])
def test_a_pose_is_where_the_object_stands_whatever_else_places_it(
    world: BlendWorld, name: str
) -> None:
    hang()
    pose = shifted(1, 2, 3) @ turned(30, 40, 50) @ np.diag([1.5, 2, 0.5, 1])
    with world.shown(View(state={"frame": 5.0, "poses": ([name], [pose])})):
        assert np.allclose(where(name), pose, atol=1e-5)
        rendered()
        assert np.allclose(where(name), pose, atol=1e-5)
    with world.shown(View(state={"frame": 5.0})):
        own = where(name)
    edits = [MoveObject(name, shifted(z=1) @ turned(0, 0, 10)), MoveObject(name, shifted(x=1))]
    with world.shown(View(state={"frame": 5.0}, edits=edits)):
        moved = own @ shifted(z=1) @ turned(0, 0, 10) @ shifted(x=1)
        assert np.allclose(where(name), moved, atol=1e-5)
    with world.shown(View(state={"frame": 5.0}, edits=[MoveObject(name, pose, relative=False)])):
        assert np.allclose(where(name), pose, atol=1e-5)
    with world.shown(View(state={"frame": 5.0, "poses": ([name], [[7.0, 8, 9]])})):
        assert np.allclose(where(name)[:3, :3], own[:3, :3], atol=1e-6)
        assert np.allclose(where(name)[:3, 3], [7, 8, 9], atol=1e-6)


def test_a_child_goes_with_its_parent_or_stands_where_it_is_put(world: BlendWorld) -> None:
    poses = {"Cube": turned(0, 0, 90), "Lid": shifted(5, 5, 5)}
    with world.shown(View(edits=[MoveObject("Cube", poses["Cube"], relative=False)])):
        assert np.allclose(where("Lid"), turned(0, 0, 90) @ shifted(z=0.7), atol=1e-6)
    for names in (["Cube", "Lid"], ["Lid", "Cube"]):
        with world.shown(View(state={"poses": (names, [poses[name] for name in names])})):
            assert np.allclose(where("Lid"), poses["Lid"], atol=1e-6)
            assert np.allclose(where("Cube"), poses["Cube"], atol=1e-6)


@pytest.mark.parametrize("name", ["Cube", "Lid", "Ball"])
def test_a_pose_may_shear(world: BlendWorld, name: str) -> None:
    sheared = shifted(y=3)
    sheared[0, 1] = 0.5
    with world.shown(View()):
        before = snapshot()
    with world.shown(View(state={"poses": ([name], [sheared])})):
        assert np.allclose(where(name), sheared, atol=1e-6)
        rendered()
        assert np.allclose(where(name), sheared, atol=1e-6)
    with world.shown(View()):
        assert snapshot() == before


FALLING = """
import bpy
bpy.ops.rigidbody.world_add()
bpy.ops.object.camera_add(location=(0, 0, 9))
bpy.context.scene.camera = bpy.context.object
bodies = bpy.data.collections.new("Bodies")
bpy.context.scene.rigidbody_world.collection = bodies
bpy.context.scene.frame_end = 40
bpy.context.scene.render.resolution_x = bpy.context.scene.render.resolution_y = 96
bpy.ops.mesh.primitive_plane_add(size=10)
bodies.objects.link(bpy.context.object)
bpy.context.object.rigid_body.type = "PASSIVE"
for i in range(4):
    bpy.ops.mesh.primitive_cube_add(size=0.5, location=(0.1 * i, 0.07 * i, 1 + i))
    bodies.objects.link(bpy.context.object)
    bpy.context.object.name = f"Cube {i}"
"""


@pytest.fixture
def falling(tmp_path: Path) -> Iterator[tuple[Path, BlendWorld]]:
    path = tmp_path / "falling.py"
    path.write_text(FALLING)
    opened = BlendWorld(path)
    yield path, opened
    opened.close()


def bodies() -> Floats:
    return np.stack([where(f"Cube {i}") for i in range(4)])


def test_any_frame_of_physics_follows_any_other(falling: tuple[Path, BlendWorld]) -> None:
    path, world = falling
    came = {}
    for frame in (30.0, 5.0, 40.0, 1.0, 17.0):
        with world.shown(View(state={"frame": frame})):
            came[frame] = bodies()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    runpy.run_path(str(path))
    for frame in range(1, 41):
        bpy.context.scene.frame_set(frame)
        if frame in came:
            assert np.array_equal(bodies(), came[frame])
    assert np.abs(came[40.0] - came[1.0]).max() > 1


def test_a_body_that_is_moved_leaves_the_others_where_they_are(
    falling: tuple[Path, BlendWorld],
) -> None:
    _, world = falling
    with world.shown(View(state={"frame": 25.0})):
        before = bodies()
    state = {"frame": 25.0, "poses": (["Cube 2"], [shifted(3, 3, 3)])}
    with world.shown(View(state=state)):
        assert np.allclose(where("Cube 2"), shifted(3, 3, 3))
        assert np.allclose(bodies()[[0, 1, 3]], before[[0, 1, 3]], atol=1e-6)
        rendered()
        assert np.allclose(bodies()[[0, 1, 3]], before[[0, 1, 3]], atol=1e-6)
    with world.shown(View(state={"frame": 25.0})):
        assert np.array_equal(bodies(), before)


@pytest.fixture
def engine() -> Iterator[BlenderEngine]:
    opened = BlenderEngine(SCRIPT)
    yield opened
    opened.close()


def pixels_of(engine: BlenderEngine, name: str, **order: Any) -> NDArray[Any]:
    sample = engine.render(View("Camera", ("rgb", "segmentation"), **order))
    frame = sample["Camera"]
    seen: NDArray[Any] = frame.rgb[frame.segmentation == engine.scene.objects[name].id]
    return seen.astype(int)


VIEWS = (
    View("Camera", ("rgb", "depth", "segmentation")),
    *(View("Camera", ("rgb", "segmentation"), edits=[edit]) for edit in EDITS),
    View("Camera", ("rgb", "depth"), state=OTHER),
    View("Top", ("rgb", "depth"), state={"frame": 20.0}, edits=EDITS),
    View("Camera", ("rgb", "depth"), state={ARM: OTHER[ARM], TALL: 0.5}),
    View("Camera", edits=[EditMaterial("Floor", texture=255 - CHECKED), Hide(("Lid", "Rig"))]),
)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_views_does_not_show(engine: BlenderEngine, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(VIEWS)), 2))
    came: dict[int, bytes] = {}
    for place in order.tolist():
        (frame,) = engine.render(VIEWS[place])
        drawn = b"".join(frame.passes[name].tobytes() for name in sorted(frame.passes))
        assert came.setdefault(place, drawn) == drawn
    assert len(set(came.values())) == len(VIEWS)


def test_paint_shows_on_what_is_named_alone(engine: BlenderEngine) -> None:
    cone = pixels_of(engine, "Cone")
    edit = EditMaterial("Cube", rgba=(0, 0, 1, 1))
    cube = pixels_of(engine, "Cube", edits=[edit])
    assert (cube[:, 2] > cube[:, 0] + 20).all()
    assert np.array_equal(pixels_of(engine, "Cone", edits=[edit]), cone)  # of the same material
    group = pixels_of(engine, "Ball", edits=[EditMaterial("Moving", rgba=(0, 1, 0, 1))])
    assert (group[:, 1] > group[:, 2]).mean() > 0.95


def test_hidden_things_are_gone_and_their_children_are_not(engine: BlenderEngine) -> None:
    sample = engine.render(View("Camera", ("segmentation",), edits=[Hide("Cube")]))
    table, seen = engine.scene.objects, np.unique(sample["Camera"].segmentation)
    assert table["Cube"].id not in seen
    assert table["Lid"].id in seen


def test_lights_go_on_and_off(engine: BlenderEngine) -> None:
    dark = [EditLight("Sun", active=False), EditLight("Lamp", active=False)]
    state = {'worlds["World"].node_tree.nodes["Background"].inputs["Strength"].default_value': 0.0}
    floor = [EditLight("Noon", kind="directional", direction=(0, 0, -1), diffuse=(math.pi,) * 3)]
    white = EditMaterial("Floor", rgba=(1, 1, 1, 1), roughness=1, specular=0)
    assert not pixels_of(engine, "Floor", state=state, edits=[*dark, white]).any()
    lit = pixels_of(engine, "Floor", state=state, edits=[*dark, white, *floor])
    assert (lit == 255).mean() > 0.6


def test_cameras_follow_the_state_and_are_moved(engine: BlenderEngine) -> None:
    with pytest.raises(UnknownNameError, match="'Top'"):
        engine.render(View("Tob"))
    top = engine.cameras["Top"]
    state = {'objects["Top"].location': [1.0, 0, 9]}
    moved = engine.render(View("Top", state=state))["Top"].camera
    assert np.allclose(moved.world_from_camera[:3, 3], [1, 0, 9])
    edit = MoveCamera("Top", top.moved(shifted(z=-1)), relative=True)
    edited = engine.render(View("Top", state=state, edits=[edit]))["Top"].camera
    assert np.allclose(edited.world_from_camera, moved.world_from_camera @ shifted(z=-1))
    zoom = engine.render(View("Top", state={'cameras["Top"].lens': 100.0}))["Top"].camera
    assert zoom.fx == pytest.approx(2 * top.fx)


def test_cameras_have_the_scene_s_size_or_the_one_given(engine: BlenderEngine) -> None:
    assert {camera.size for camera in engine.cameras.values()} == {(96, 64)}
    engine.close()
    with pytest.raises(Exception, match="closed"):
        engine.render(View())
    other = BlenderEngine(SCRIPT, size=(32, 24))
    assert {camera.size for camera in other.cameras.values()} == {(32, 24)}
    other.close()


@pytest.mark.parametrize("style", ["fast", "cycles"])
def test_a_version_that_is_not_kept_is_refused_before_anything_is_drawn(style: StyleName) -> None:
    engine = BlenderEngine(SCRIPT, size=(8, 6), style=style, samples=4)
    try:
        with pytest.raises(InvalidValueError, match="scene_version"):
            next(engine.refine(View(scene_version=5)))
    finally:
        engine.close()


@pytest.mark.parametrize(
    ("state", "kind", "why"),
    [
        ({"fram": 1.0}, UnknownNameError, "'frame'"),
        ({"frame": [1.0, 2.0]}, InvalidValueError, "one number"),
        ({"frame": 1e9}, InvalidValueError, "1048574"),
        ({"poses": (["Cubi"], np.zeros((1, 3)))}, UnknownNameError, "'Cube'"),
        ({"poses": (["Cube"], np.zeros((2, 3)))}, InvalidValueError, "1 names"),
        ({"poses": (["Cube"], np.zeros((1, 4, 4)))}, InvalidValueError, "last row"),
        ({"poses.keys": [300]}, InvalidValueError, "as View writes them"),
    ],
)
def test_states_that_do_not_fit_are_refused(
    world: BlendWorld, state: dict[str, Any], kind: type[Exception], why: str
) -> None:
    with pytest.raises(kind, match=why), world.shown(View(state=state)):
        pass


SIMULATED = """
import bpy
bpy.context.scene.frame_end = 12
bpy.ops.mesh.primitive_grid_add(x_subdivisions=6, y_subdivisions=6, size=2)
thing = bpy.context.object
thing.name = "Sheet"
"""
ZONE = """
tree = bpy.data.node_groups.new("Rise", "GeometryNodeTree")
tree.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
names = ("NodeGroupInput", "GeometryNodeSimulationInput", "GeometryNodeSetPosition",
         "GeometryNodeSimulationOutput", "NodeGroupOutput")
nodes = source, begin, move, end, output = [tree.nodes.new(each) for each in names]
begin.pair_with_output(end)
move.inputs["Offset"].default_value = (0, 0, 0.1)
for one, other in zip(nodes, nodes[1:]):
    tree.links.new(next(each for each in one.outputs if each.type == "GEOMETRY"),
                   next(each for each in other.inputs if each.type == "GEOMETRY"))
thing.modifiers.new("Rise", "NODES").node_group = tree
"""
SIMULATIONS = {
    "cloth": "thing.modifiers.new('Cloth', 'CLOTH')",
    "soft body": "thing.modifiers.new('Soft', 'SOFT_BODY')",
    "zone": ZONE,
    "particles": "thing.modifiers.new('Emitter', 'PARTICLE_SYSTEM')",
}


def simulated() -> Floats:
    """Where the vertices of the sheet are, or the particles that it has sent out."""
    sheet = bpy.data.objects["Sheet"].evaluated_get(bpy.context.evaluated_depsgraph_get())
    if len(sheet.particle_systems):
        particles = sheet.particle_systems[0].particles
        return np.array([each.location for each in particles if each.alive_state == "ALIVE"])
    return np.array([each.co for each in sheet.data.vertices])


@pytest.mark.parametrize("kind", SIMULATIONS)
def test_any_frame_of_a_simulation_follows_any_other(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "simulated.py"
    path.write_text(SIMULATED + SIMULATIONS[kind])
    world = BlendWorld(path)
    assert world.scene.space.drawable
    came: dict[float, Floats] = {}
    for frame in (12.0, 5.0, 12.0, 1.0):
        with world.shown(View("fit", state={"frame": frame})):
            came.setdefault(frame, simulated())
            assert np.array_equal(simulated(), came[frame])
    world.close()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    runpy.run_path(str(path))
    for frame in range(1, 13):
        bpy.context.scene.frame_set(frame)
        if frame in came:
            assert np.array_equal(simulated(), came[frame])
    assert not np.array_equal(came[12.0], came[1.0])


ANIMATED = """
import bpy
bpy.ops.mesh.primitive_cube_add()
thing = bpy.context.object
material = bpy.data.materials.new("Look")
if bpy.app.version < (5,):
    material.use_nodes = True
thing.data.materials.append(material)
thing.shape_key_add(name="Basis")
tall = thing.shape_key_add(name="Tall")
bpy.ops.object.light_add(type="POINT")
lamp = bpy.context.object
"""
ANIMATIONS = {
    "object": "thing.keyframe_insert('location', frame=1)",
    "shape key": "tall.keyframe_insert('value', frame=1)",
    "material": "material.keyframe_insert('roughness', frame=1)",
    "node": "material.node_tree.nodes['Principled BSDF'].inputs[2]"
    ".keyframe_insert('default_value', frame=1)",
    "light": "lamp.data.keyframe_insert('energy', frame=1)",
    "strip": "thing.keyframe_insert('location', frame=1); data = thing.animation_data\n"
    "data.nla_tracks.new().strips.new('Strip', 1, data.action); data.action = None",
    "nothing": "",
    "an unused action": "bpy.data.actions.new('Unused')",
}


@pytest.mark.parametrize("kind", ANIMATIONS)
def test_frames_are_drawn_at_random_where_something_is_animated(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "animated.py"
    path.write_text(ANIMATED + ANIMATIONS[kind])
    world = BlendWorld(path)
    still = kind in ("nothing", "an unused action")
    assert list(world.scene.space.ranges) == ([] if still else ["frame"])
    world.close()


INSTANCES = """
import bpy
bpy.ops.mesh.primitive_uv_sphere_add(radius=0.2, segments=8, ring_count=4)
leaf = bpy.context.object
leaf.name = "Leaf"
bpy.ops.mesh.primitive_grid_add(x_subdivisions=3, y_subdivisions=3, size=4)
tree = bpy.context.object
tree.name = "Tree"
for thing, name, colour in ((leaf, "Green", (0, 1, 0, 1)), (tree, "Brown", (0.5, 0.2, 0, 1))):
    made = bpy.data.materials.new(name)
    if bpy.app.version < (5,):
        made.use_nodes = True
    made.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = colour
    thing.data.materials.append(made)
leaf.parent = tree
tree.instance_type = "VERTS"
"""


@pytest.mark.parametrize(
    ("by", "instances", "names"),
    [
        ("object", 16, {"Tree/Leaf.0", "Tree/Leaf.15"}),
        ("material", 0, {"Green", "Brown"}),
        ("collection", 0, {"Scene Collection"}),
    ],
)
def test_instances_are_told_apart(tmp_path: Path, by: By, instances: int, names: set[str]) -> None:
    path = tmp_path / "tree.py"
    path.write_text(INSTANCES)
    engine = BlenderEngine(path, size=(96, 64), segment_by=by)
    try:
        camera = engine.cameras["fit"]
        sample = engine.render(View([camera], ("segmentation",)))
        seen = np.unique(sample["fit"].segmentation)
        assert len(seen[seen >= FIRST_INSTANCE]) == instances
        assert names <= {sample.labels[number].name for number in seen.tolist()}
        state = {'objects["Tree"].location': [0.1, 0, 0]}
        again = engine.render(View([camera], ("segmentation",), state=state))
        assert np.array_equal(np.unique(again["fit"].segmentation), seen)
        edits = [EditMaterial("Leaf", rgba=(1, 0, 0, 1))]
        edited = engine.render(View([camera], ("segmentation",), edits=edits))
        assert np.array_equal(edited["fit"].segmentation, sample["fit"].segmentation)
    finally:
        engine.close()


CURVE = """
import bpy
bpy.ops.curve.primitive_bezier_circle_add(radius=1)
thing = bpy.context.object
thing.name = "Ring"
tree = bpy.data.node_groups.new("Beads", "GeometryNodeTree")
tree.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
names = ("NodeGroupInput", "GeometryNodeCurveToPoints", "GeometryNodeMeshCube",
         "GeometryNodeInstanceOnPoints", "NodeGroupOutput")
source, points, cube, beads, output = map(tree.nodes.new, names)
points.inputs["Count"].default_value = 5
cube.inputs["Size"].default_value = (0.3, 0.3, 0.3)
tree.links.new(source.outputs[0], points.inputs[0])
tree.links.new(points.outputs[0], beads.inputs["Points"])
tree.links.new(cube.outputs[0], beads.inputs["Instance"])
tree.links.new(beads.outputs[0], output.inputs[0])
thing.modifiers.new("Beads", "NODES").node_group = tree
bpy.ops.object.text_add(location=(-0.3, -0.2, 0))
bpy.context.object.name = "Text"
"""


@pytest.mark.parametrize("style", ["fast", "cycles"])
def test_instances_of_a_curve_are_told_apart_and_a_text_is_itself(
    tmp_path: Path, style: StyleName
) -> None:
    path = tmp_path / "curve.py"
    path.write_text(CURVE)
    engine = BlenderEngine(path, style=style, samples=1)
    try:
        camera = Camera.look_at(
            eye=(0, 0, 5), target=(0, 0, 0), up=(0, 1, 0), fov_y=0.8, width=64, height=48
        )
        sample = engine.render(View([camera], "segmentation"))
        seen = np.unique(next(iter(sample.frames.values())).segmentation).tolist()
        names = {sample.labels[number].name for number in seen}
        assert len(seen) == 7
        assert {"background", "Text"} < names
        assert sum(name.startswith("Ring/Ring.") for name in names) == 5
    finally:
        engine.close()


def test_seeds_come_from_seed_and_index_alone() -> None:
    seeds = [seed_of(View(seed=seed, index=index)) for seed in (0, 2**63 - 1) for index in range(9)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert seed_of(View(index=5)) == 0
    assert seed_of(View(seed=1, index=2)) == seed_of(View(seed=1, index=2, passes="depth"))


_DRAWS = """
import os, re, sys
import bpy
import heliograph as hg

def libraries():
    with open("/proc/self/maps") as maps:
        return {line.split()[-1] for line in maps if re.search(r"lib(E?GL|gallium)|_dri", line)}

before = libraries()  # bpy itself is linked with libGL
scene = hg.Scene(hg.Sphere(key="ball", args=[1.0]))
with hg.open(scene, engine="blender", style="fast", backend="cpu", size=(32, 24)) as renderer:
    (frame,) = renderer.render(hg.View(passes=renderer.passes))
    device = renderer.provenance.device
found = [name for name in sys.modules if name.startswith(("moderngl", "glcontext"))]
print(device.partition("; ")[2], bool(frame.segmentation.any()), found, libraries() - before)
sys.stdout.flush()
os._exit(0)
"""


def test_fast_loads_nothing_of_gl_where_the_cpu_draws() -> None:
    ran = subprocess.run([sys.executable, "-c", _DRAWS], capture_output=True, text=True)
    assert ran.stdout.splitlines()[-1] == "heliograph cpu rasterizer 2 True [] set()", ran.stderr
