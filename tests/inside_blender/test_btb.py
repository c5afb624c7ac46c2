"""blendtorch's Blender side: what its scripts call."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

from heliograph.colour import encoded
from heliograph.compat.blendtorch import btb
from heliograph.envs import protocol
from heliograph.envs.link import Link
from heliograph.errors import EngineError, InvalidValueError, SceneError, UnknownNameError
from heliograph.publish.duplex import Duplex
from heliograph.publish.sockets import Subscriber

ANY_PORT = "tcp://127.0.0.1:0"


@pytest.fixture(autouse=True)
def factory():
    bpy.ops.wm.read_factory_settings()
    render = bpy.context.scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = 320, 240, 50


@pytest.fixture
def cube():
    return bpy.data.objects["Cube"]


@pytest.fixture
def bpy_camera():
    return bpy.context.scene.camera


# Arguments and sockets


def test_what_a_launcher_says_is_read_and_the_rest_left():
    command = ["blender", "a.blend", "--", "-btid", "3", "-btseed", "14"]
    command += ["-btsockets", "DATA=tcp://127.0.0.1:11000", "CTRL=ipc:///tmp/x=y", "--own", "7"]
    args, remainder = btb.parse_blendtorch_args(command)
    assert (args.btid, args.btseed, remainder) == (3, 14, ["--own", "7"])
    assert args.btsockets == {"DATA": "tcp://127.0.0.1:11000", "CTRL": "ipc:///tmp/x=y"}
    drawn = np.random.random(3)  # noqa: NPY002
    btb.parse_blendtorch_args(command)
    np.testing.assert_array_equal(np.random.random(3), drawn)  # noqa: NPY002


def test_without_a_launcher_nothing_is_set(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["blender", "--background"])
    args, remainder = btb.parse_blendtorch_args()
    assert (args.btid, args.btseed, args.btsockets, remainder) == (None, None, {}, [])


def test_what_no_launcher_says_is_refused():
    with pytest.raises(InvalidValueError, match=r"-btid.*'x'"):
        btb.parse_blendtorch_args(["blender", "--", "-btid", "x"])


def test_words_behind_the_sockets_are_the_script_s():
    args, remainder = btb.parse_blendtorch_args(["blender", "--", "-btsockets", "A=b:1", "train"])
    assert (args.btsockets, remainder) == ({"A": "b:1"}, ["train"])


@pytest.mark.parametrize("kind", [btb.DataPublisher, btb.BlenderOutputChannel])
def test_what_is_published_carries_who_made_it(kind):
    publisher = kind(ANY_PORT, 5)
    with ThreadPoolExecutor() as pool, Subscriber([publisher.address], timeout=20) as subscriber:
        got = pool.submit(subscriber.recv)
        publisher.publish(image=np.arange(6).reshape(2, 3), frameid=1)
        message = got.result()
        pool.submit(publisher.close)
        assert next(iter(subscriber), None) is None
    assert message.instance == message.values["btid"] == 5
    np.testing.assert_array_equal(message.values["image"], [[0, 1, 2], [3, 4, 5]])


def test_a_channel_goes_both_ways():
    here = btb.DuplexChannel(ANY_PORT, 2, timeoutms=20_000)
    assert here.recv(timeoutms=0) is None
    with Duplex(here.address, bind=False) as there:
        number = there.send(shape=[1, 2])
        got = here.recv()
        assert got is not None
        assert (got["shape"], got["btmid"]) == ([1, 2], number)
        assert here.send(loss=0.5) == here.send(loss=0.25) - 1
        assert [there.recv() for _ in range(2)] == [
            {"btid": 2, "loss": 0.5},
            {"btid": 2, "loss": 0.25},
        ]
    here.close()


# Cameras


@pytest.mark.parametrize("kind", ["PERSP", "ORTHO"])
@pytest.mark.parametrize("size", [(160, 120), (120, 160)])
def test_points_fall_where_blender_says(cube, bpy_camera, kind, size):
    scene = bpy.context.scene
    scene.render.resolution_percentage = 100
    scene.render.resolution_x, scene.render.resolution_y = size
    scene.render.pixel_aspect_y = 1.5
    lens = bpy_camera.data
    lens.type, lens.shift_x, lens.shift_y, lens.clip_start = kind, 0.1, -0.05, 0.5
    cube.rotation_euler = (0.3, 0.5, 0.7)
    camera = btb.Camera()
    assert (camera.shape, camera.type, camera.clip_range) == (size[::-1], kind, (0.5, 100))
    points = btb.utils.world_coordinates(cube)
    theirs = np.array([world_to_camera_view(scene, bpy_camera, Vector(p)) for p in points])
    expected = np.stack([theirs[:, 0] * size[0], (1 - theirs[:, 1]) * size[1]], 1)
    pixels, depth = camera.object_to_pixel(cube, return_depth=True)
    np.testing.assert_allclose(pixels, expected, atol=2e-3)
    np.testing.assert_allclose(depth, theirs[:, 2], atol=1e-4)
    np.testing.assert_array_equal(camera.object_to_pixel(cube), pixels)
    np.testing.assert_allclose(btb.camera.project_points(cube, camera=bpy_camera), pixels)
    np.testing.assert_allclose(btb.camera.project_points(cube, camera=camera), pixels)
    corners = camera.bbox_object_to_pixel(cube)
    order = [np.argmin(np.abs(pixels - each).sum(1)) for each in corners]
    assert sorted(order) == list(range(8))
    np.testing.assert_allclose(corners, pixels[order], atol=1e-3)
    ndc = camera.world_to_ndc(points)
    assert ndc.shape == (8, 3)
    assert (np.abs(ndc[:, 2]) < 1).all()
    below = camera.ndc_to_pixel(ndc, origin="lower-left")
    np.testing.assert_allclose(below[:, 1], size[1] - pixels[:, 1])


def inside(corners, xy):
    """How far points are inside the convex hull of others, pixels; negative outside."""
    from scipy.spatial import ConvexHull

    faces = ConvexHull(corners).equations
    return -(xy @ faces[:, :2].T + faces[:, 2]).max(axis=-1)


@pytest.mark.parametrize("kind", ["PERSP", "ORTHO"])
def test_what_is_drawn_ends_where_the_corners_fall(cube, bpy_camera, kind):
    bpy_camera.data.type, bpy_camera.data.shift_x = kind, 0.07
    cube.rotation_euler = (0.3, 0.5, 0.7)
    camera = btb.Camera()
    off = btb.OffScreenRenderer(camera)
    passes = off.render_passes(("segmentation", "depth"))
    rows, columns = np.mgrid[:120, :160]
    centres = np.stack([columns, rows], -1) + 0.5
    depth_in = inside(camera.object_to_pixel(cube), centres)
    seen = passes["segmentation"] > 0
    sure = np.abs(depth_in) > 0.05
    assert sure.mean() > 0.98
    np.testing.assert_array_equal(seen[sure], depth_in[sure] > 0)
    _, depth = camera.object_to_pixel(cube, return_depth=True)
    drawn = passes["depth"][seen]
    assert depth.min() <= drawn.min() < depth.min() + 0.1
    off.close()


def test_a_camera_keeps_its_matrices_until_they_are_updated(bpy_camera):
    camera = btb.Camera()
    before = camera.view_matrix.copy()
    bpy_camera.location.x += 1
    bpy_camera.data.lens = 35
    assert camera.view_matrix == before
    camera.update_view_matrix()
    assert camera.view_matrix != before
    lens = camera.proj_matrix.copy()
    camera.update_proj_matrix()
    assert camera.proj_matrix[0][0] == pytest.approx(lens[0][0] * 35 / 50)
    assert btb.camera.view_matrix() == camera.view_matrix
    assert btb.camera.projection_matrix() == camera.proj_matrix
    assert btb.camera.image_shape() == (120, 160)


def test_a_camera_looks_where_it_is_told(cube, bpy_camera):
    parent = bpy.data.objects.new("parent", None)
    bpy.context.scene.collection.objects.link(parent)
    parent.location, parent.rotation_euler = (1, 2, 3), (0.1, 0.2, 0.3)
    bpy_camera.parent = parent
    camera = btb.Camera()
    camera.look_at(look_at=(1, 0, 0), look_from=(4, -3, 2))
    ndc, depth = camera.world_to_ndc([(1.0, 0, 0), (1, 0, 0.5)], return_depth=True)
    np.testing.assert_allclose(ndc[0, :2], 0, atol=1e-5)
    assert ndc[1, 0] == pytest.approx(0, abs=1e-5)
    assert ndc[1, 1] > 0.01
    assert depth[0] == pytest.approx(np.sqrt(9 + 9 + 4), rel=1e-5)
    camera.update_view_matrix()
    np.testing.assert_allclose(camera.world_to_ndc([1, 0, 0])[0, :2], 0, atol=1e-5)
    camera.look_at(look_at=cube.location)
    np.testing.assert_allclose(camera.world_to_ndc(cube.location)[0, :2], 0, atol=1e-5)


def test_another_camera_is_made_the_scenes():
    other = bpy.data.objects.new("other", bpy.data.cameras.new("other"))
    bpy.context.scene.collection.objects.link(other)
    btb.Camera(other).set_as_active_camera()
    assert bpy.context.scene.camera == other
    bpy.context.scene.camera = None
    with pytest.raises(SceneError, match="camera"):
        btb.Camera()


def test_a_renderer_sees_through_the_cameras_matrices(cube, bpy_camera):
    camera = btb.Camera(shape=(48, 64))
    off = btb.OffScreenRenderer(camera=camera, mode="rgb", gamma_coeff=2.2)
    first = off.render()
    assert first.shape == (48, 64, 3)
    assert first.std() > 5
    bpy_camera.location.x += 2
    np.testing.assert_array_equal(off.render(), first)
    camera.update_view_matrix()
    assert (off.render() != first).any()
    off.close()


# The compositor


def compositor(scene):
    """A new compositor of a scene: its tree, and a File Output node named Out1."""
    if bpy.app.version < (5,):
        scene.use_nodes = True
        tree = scene.node_tree
        tree.nodes.clear()
    else:
        tree = bpy.data.node_groups.new("Compositor", "CompositorNodeTree")
        if hasattr(scene, "compositor_effects"):
            scene.compositor_effects.new("Effect").node_group = tree
        else:
            scene.compositing_node_group = tree
    files = tree.nodes.new("CompositorNodeOutputFile")
    files.name = "Out1"
    return tree, files


def add_slot(files, name):
    if bpy.app.version < (5,):
        return files.file_slots.new(name)
    return files.file_output_items.new("RGBA", name)


def composed(scene):
    scene.render.engine = "CYCLES"
    tree, files = compositor(scene)
    scene.view_layers[0].use_pass_object_index = True
    layers = tree.nodes.new("CompositorNodeRLayers")
    scene.view_layers[0].use_pass_z = scene.view_layers[0].use_pass_normal = True
    for slot, output in {
        "Color": "Image",
        "Depth": "Depth",
        "Normals": "Normal",
        "Ids": "IndexOB" if "IndexOB" in layers.outputs else "Object Index",
    }.items():
        add_slot(files, slot)
        tree.links.new(layers.outputs[output], files.inputs[slot])
    add_slot(files, "Turned")
    inverted = tree.nodes.new("CompositorNodeInvert")
    tree.links.new(layers.outputs["Image"], inverted.inputs["Color"])
    tree.links.new(inverted.outputs["Color"], files.inputs["Turned"])
    add_slot(files, "Loose")


def test_outputs_of_the_compositor_come_as_arrays(cube, bpy_camera):
    composed(bpy.context.scene)
    bpy_camera.location, bpy_camera.rotation_euler = (10, 0, 0), (np.pi / 2, 0, np.pi / 2)
    cube.pass_index = 7
    renderer = btb.CompositeRenderer(
        [
            btb.CompositeSelection("color", "Out1", "Color", "RGB"),
            btb.CompositeSelection("depth", "Out1", "Depth", "V"),
            btb.CompositeSelection("normals", "Out1", "Normals", "RGB"),
            btb.CompositeSelection("ids", "Out1", "Ids", "V"),
        ],
        btid=0,
        camera=btb.Camera(),
    )
    got = renderer.render()
    assert {name: each.shape for name, each in got.items()} == {
        "color": (120, 160, 3),
        "depth": (120, 160, 1),
        "normals": (120, 160, 3),
        "ids": (120, 160, 1),
    }
    assert all(each.dtype == np.float32 for each in got.values())
    middle = {name: each[60, 80] for name, each in got.items()}
    assert (middle["depth"], middle["ids"]) == (pytest.approx(9, rel=1e-5), 7)
    np.testing.assert_allclose(middle["normals"], (1, 0, 0), atol=1e-5)
    corner = {name: each[0, 0] for name, each in got.items()}
    assert (corner["depth"], corner["ids"], *corner["normals"]) == (np.float32(1e10), 0, 0, 0, 0)
    assert 0 < got["color"].max() <= 1
    renderer.close()


def test_an_instance_has_the_pass_index_of_the_object_it_shows(cube, bpy_camera):
    composed(bpy.context.scene)
    bpy_camera.location, bpy_camera.rotation_euler = (10, 0, 0), (np.pi / 2, 0, np.pi / 2)
    cube.pass_index = 7
    group = bpy.data.collections.new("Group")
    group.objects.link(cube)
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("Maker", None))
    maker = bpy.data.objects["Maker"]
    maker.instance_type, maker.instance_collection = "COLLECTION", group
    for collection in cube.users_collection:
        if collection != group:
            collection.objects.unlink(cube)
    wanted = btb.CompositeSelection("ids", "Out1", "Ids", "V")
    renderer = btb.CompositeRenderer([wanted], camera=btb.Camera())
    ids = renderer.render()["ids"]
    assert (ids[60, 80], ids[0, 0]) == (7, 0)
    renderer.close()


@pytest.mark.parametrize(
    ("selection", "error", "said"),
    [
        (("a", "Out2", "Color", "RGB"), UnknownNameError, "Out1"),
        (("a", "Out1", "Colour", "RGB"), UnknownNameError, "Color"),
        (("a", "Out1", "Turned", "RGB"), InvalidValueError, "Invert"),
        (("a", "Out1", "Loose", "RGB"), InvalidValueError, "nothing"),
    ],
)
def test_outputs_that_are_not_there_are_named(selection, error, said):
    composed(bpy.context.scene)
    with pytest.raises(error, match=said):
        btb.CompositeRenderer([btb.CompositeSelection(*selection)])


# What helps


def test_coordinates_are_those_of_what_is_seen(cube):
    cube.location, cube.scale = (1, 2, 3), (2, 1, 1)
    cube.modifiers.new("more", "SUBSURF").levels = 1
    bpy.context.view_layer.update()
    own = btb.utils.object_coordinates(cube)
    world = btb.utils.world_coordinates(cube)
    assert own.shape == world.shape == (26, 3)
    np.testing.assert_allclose(world, own * (2, 1, 1) + (1, 2, 3), atol=1e-6)
    box = btb.utils.bbox_world_coordinates(cube)
    np.testing.assert_allclose(box.min(0), world.min(0), atol=1e-6)
    np.testing.assert_allclose(box.max(0), world.max(0), atol=1e-6)
    assert len(btb.utils.world_coordinates(cube, cube)) == 52
    with pytest.raises(InvalidValueError, match="Light"):
        btb.utils.world_coordinates(bpy.data.objects["Light"])


def test_homogeneous_coordinates():
    points = np.array([[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(btb.utils.hom(points, 2), [[1, 2, 3, 2], [4, 5, 6, 2]])
    np.testing.assert_array_equal(btb.utils.dehom(btb.utils.hom(points, 2) * 2), points / 2)


def test_places_on_a_sphere():
    rng = np.random.default_rng(1)
    many = [
        btb.utils.random_spherical_loc((2, 3), (0, np.pi / 2), (0, np.pi), rng) for _ in range(200)
    ]
    radii = np.linalg.norm(many, axis=1)
    assert (radii >= 2).all()
    assert (radii <= 3).all()
    assert (np.array(many)[:, 1:] >= -1e-12).all()
    assert np.linalg.norm(btb.utils.random_spherical_loc()) == pytest.approx(1)


def test_how_much_of_a_thing_is_seen(cube):
    camera = btb.Camera()
    assert btb.utils.compute_object_visibility(cube, camera, N=20) == 1
    assert btb.utils.compute_object_visibility(cube, camera, N=20, dist=5) == 0
    bpy.ops.mesh.primitive_plane_add(size=1, location=(0, 0, 10))
    plane = bpy.context.object
    camera.look_at(look_at=(0, 0, 0), look_from=(1, 0, 20))
    plane.location = (1.5, 0, 10)  # between the camera and the half of the cube at x = 1
    plane.scale = (1, 40, 1)
    bpy.context.view_layer.update()
    rng = np.random.default_rng(3)
    half = btb.utils.compute_object_visibility(cube, camera, N=400, rng=rng)
    assert half == pytest.approx(0.5, abs=0.08)
    plane.scale = (40, 40, 1)
    bpy.context.view_layer.update()
    assert btb.utils.compute_object_visibility(cube, camera, N=20) == 0
    cube.location = (0, 0, 40)
    bpy.context.view_layer.update()
    behind = btb.Camera()
    behind.look_at(look_at=(0, 0, 0), look_from=(0, 0.1, 30))
    assert btb.utils.compute_object_visibility(cube, behind, N=20) == 0


def test_what_a_file_holds(cube):
    before = btb.utils.scene_stats()
    assert before["objects"] == (3, 0)
    bpy.data.meshes.new("loose")
    assert btb.utils.scene_stats()["meshes"] == (1, 1)


def test_a_view_is_found_and_modules_beside_the_scene(tmp_path, monkeypatch):
    area, space, region = btb.utils.find_first_view3d()
    assert (area.type, space.type, region.type) == ("VIEW_3D", "VIEW_3D", "WINDOW")
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = list(sys.path)
    btb.add_scene_dir_to_path()
    assert sys.path == before
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    btb.add_scene_dir_to_path()
    assert sys.path[-1] == str(Path(bpy.data.filepath).parent) == str(tmp_path)


def test_a_material_of_normals_is_the_colour_that_it_says(cube, bpy_camera):
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 64, 48
    scene.view_settings.view_transform = "Standard"
    cube.active_material = btb.materials.create_normal_material("normals")
    cube.rotation_euler = (0.3, 0.5, 0.7)
    off = btb.OffScreenRenderer(mode="rgb", style="cycles")
    passes = off.render_passes(("rgb", "normals", "segmentation"))
    off.close()
    seen = passes["segmentation"] > 0
    inner = seen.copy()
    for axis in (0, 1):  # whole pixels of one face: the filter mixes neighbours
        for step in (1, -1):
            beside = np.roll(passes["normals"], step, axis)
            inner &= np.abs(beside - passes["normals"]).max(-1) < 1e-3
    assert inner.sum() > 20
    expected = encoded((passes["normals"][inner] + 1) / 2) * 255
    assert np.ptp(expected, axis=0).max() > 50
    np.testing.assert_allclose(passes["rgb"][inner], expected, atol=1.5)


# Environments


class Counter(btb.BaseEnv):
    """Adds up actions to a number that a reset draws."""

    observation_space = protocol.box(-1, 1, (2,))

    def _env_reset(self):
        self.total = float(self.np_random.random())
        self.resets = getattr(self, "resets", 0) + 1

    def _env_prepare_step(self, action):
        self.total += action

    def _env_post_step(self):
        if self.total > 1000:
            raise ValueError("too much")
        return {"obs": np.array([self.total]), "reward": 1.0, "done": self.total > 100, "more": "x"}


@pytest.fixture
def remote():
    """A link to a `Counter`, which the main thread runs while the test's function asks."""

    def run(ask, every_nth=1):
        agent = btb.RemoteControlledAgent(ANY_PORT)
        env = Counter(agent)
        env.attach_default_renderer(every_nth)
        with ThreadPoolExecutor() as pool:
            link = Link(Duplex(agent.address, bind=False), "here", 20)
            asked = pool.submit(ask, link)
            try:
                env.run((1, 5), use_animation=False)
            finally:
                answer = asked.result()
                link.close()
                agent.close()
        return answer

    return run


def test_an_environment_is_driven_from_elsewhere(remote):
    def ask(link):
        told = link.request(protocol.Describe(), protocol.Described)
        first = link.request(protocol.Reset(7), protocol.WasReset)
        steps = [link.request(protocol.Step(2.0), protocol.Stepped) for _ in range(5)]
        picture = link.request(protocol.Render(), protocol.Rendered).rgb
        again = link.request(protocol.Reset(7), protocol.WasReset)
        other = link.request(protocol.Reset(), protocol.WasReset)
        over = link.request(protocol.Step(101.0), protocol.Stepped)
        link.request(protocol.Close(), protocol.Closed)
        return told, first, steps, picture, again, other, over

    told, first, steps, picture, again, other, over = remote(ask)
    assert (told.render_modes, told.render_fps, told.action_space) == (["rgb_array"], 24, None)
    np.testing.assert_array_equal(told.observation_space["high"], [1, 1])
    assert first.obs == np.random.default_rng(7).random()
    assert first.obs == again.obs != other.obs
    np.testing.assert_allclose([s.obs[0] - first.obs[0] for s in steps], [2, 4, 6, 8, 10])
    assert [s.truncated for s in steps] == [False, False, False, True, True]
    assert not any(s.terminated for s in steps)
    assert steps[0].info["more"] == "x"
    assert [s.info["time"] for s in steps] == [2, 3, 4, 5, 6]
    assert (over.terminated, over.truncated, over.reward) == (True, False, 1.0)
    assert (picture.shape, picture.dtype) == ((120, 160, 3), np.uint8)


def test_what_an_environment_raises_is_told_and_ends_it(remote):
    def ask(link):
        link.request(protocol.Reset(), protocol.WasReset)
        with pytest.raises(EngineError, match="too much"):
            link.request(protocol.Step(2000.0), protocol.Stepped)

    with pytest.raises(ValueError, match="too much"):
        remote(ask)


def test_an_environment_without_pictures_says_so(remote):
    def ask(link):
        told = link.request(protocol.Describe(), protocol.Described)
        picture = link.request(protocol.Render(), protocol.Rendered)
        link.request(protocol.Close(), protocol.Closed)
        return told.render_modes, picture.rgb

    assert remote(ask, every_nth=None) == ([], None)


def test_an_agent_of_the_scripts_own_sees_what_happens():
    seen = []

    def agent(env, **ctx):
        seen.append((ctx["time"], ctx["done"], ctx["prev_action"], ctx["rgb_array"].shape))
        if len(seen) == 6:
            env.events.stop()
        return (env.CMD_RESTART, None) if ctx["done"] else (env.CMD_STEP, 1.0)

    env = Counter(agent)
    env.attach_default_renderer(2)
    env.run((1, 3))
    size = (120, 160, 3)
    episode = [(1, False, None, size), (2, False, 1.0, size), (3, True, 1.0, size)]
    assert seen == episode * 2
    assert env.resets == 2


def test_in_real_time_frames_go_on_without_an_action():
    agent = btb.RemoteControlledAgent(ANY_PORT, real_time=True)
    env = Counter(agent)
    asked = threading.Event()

    def drive():
        with Duplex(agent.address, bind=False, timeout=20) as channel:
            link = Link(channel, "here", 20)
            link.request(protocol.Reset(), protocol.WasReset)
            first = link.request(protocol.Step(1.0), protocol.Stepped)
            asked.wait(20)
            later = link.request(protocol.Step(1.0), protocol.Stepped)
            link.request(protocol.Close(), protocol.Closed)
            return first, later

    def count():
        if env.events.frameid > 30:
            asked.set()

    env.events.post_frame.add(count)
    with ThreadPoolExecutor() as pool:
        driven = pool.submit(drive)
        env.run((1, 10_000), use_animation=False)
        first, later = driven.result()
    agent.close()
    assert later.info["time"] > 30 > first.info["time"]
    assert later.obs - first.obs == pytest.approx(1)
