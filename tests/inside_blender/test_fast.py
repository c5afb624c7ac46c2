"""Style `fast` against what geometry and the formulas of light say."""

from __future__ import annotations

import itertools
import math
from typing import Any

import bpy
import numpy as np
import pytest

from heliograph.colour import encoded
from heliograph.engines.blender.fast import FastStyle
from heliograph.engines.blender.nodes import give_nodes
from heliograph.errors import ClosedError, InvalidValueError
from heliograph.frame import allocate
from heliograph.passes import KNOWN_PASSES
from heliograph.raster import RasterOptions
from inside_blender.fast_scene import (
    add_image,
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

pytestmark = pytest.mark.usefixtures("backend")

WHITE = {"Color": (1, 1, 1, 1)}


@pytest.fixture(autouse=True)
def _scene() -> None:
    empty_scene()


def _white_plane(**options: Any) -> Any:
    plane = add_mesh("Plane", "plane", **{"size": 20, **options})
    plane.data.materials.append(add_material("White", "ShaderNodeBsdfDiffuse", **WHITE))
    return plane


def _middle(image: Any) -> Any:
    return image[24, 32].astype(float)


def _shade(light: float) -> float:
    return float(encoded(min(light, 1.0))) * 255


def test_plane_at_a_known_depth() -> None:
    _white_plane(location=(0, 0, 1))
    got = fresh_picture(shown())
    np.testing.assert_allclose(got["depth"], 4.0, rtol=1e-5)
    np.testing.assert_allclose(got["normals"], np.broadcast_to((0, 0, 1), (48, 64, 3)), atol=1e-5)
    assert (got["segmentation"] == 1).all()


def test_tilted_plane_turns_depth_and_normals() -> None:
    _white_plane(rotation=(0, math.radians(30), 0))
    eye = camera()
    got = fresh_picture(shown(), eye)
    normal = np.array([math.sin(math.radians(30)), 0, math.cos(math.radians(30))])
    np.testing.assert_allclose(got["normals"], np.broadcast_to(normal, (48, 64, 3)), atol=1e-4)
    points = eye.unproject(eye.pixel_centres(), got["depth"])
    np.testing.assert_allclose(points @ normal, 0, atol=1e-4)


def test_cube_stands_where_its_corners_are_projected() -> None:
    cube = add_mesh("Cube", size=2.0, rotation=(0.3, 0.5, 0.7), location=(0.1, -0.2, 0.3))
    eye = camera(eye=(4, -5, 3), up=(0, 0, 1), width=640, height=480)
    got = fresh_picture(shown(), eye)
    corners = np.array([cube.matrix_world @ each.co for each in cube.data.vertices])
    pixels = eye.project(corners)
    rows, columns = np.nonzero(got["segmentation"])
    for axis, found in enumerate((columns, rows)):
        low, high = pixels[:, axis].min(), pixels[:, axis].max()
        # The first pixel whose centre is inside: what is nearer than a pixel to the corner.
        assert 0 <= found.min() + 0.5 - low <= 1.0
        assert 0 <= high - (found.max() + 0.5) <= 1.0
    seen = eye.unproject(eye.pixel_centres(), got["depth"])[rows, columns]
    inside = (np.c_[seen, np.ones(len(seen))] @ np.linalg.inv(cube.matrix_world).T)[:, :3]
    np.testing.assert_allclose(np.abs(inside).max(1), 1.0, atol=2e-4)  # on its surface
    # Faces through depth and normals meet where the nearest corner is projected.
    normals = got["normals"][rows, columns] @ eye.world_from_camera[:3, :3].T
    faces = np.unique(np.round(normals, 3), axis=0)
    assert len(faces) == 3
    planes = [(face, (seen @ face)[np.abs(normals - face).max(1) < 0.01].mean()) for face in faces]
    nearest = np.linalg.solve(*(np.array(each) for each in zip(*planes, strict=True)))
    assert np.abs(pixels - eye.project(nearest)).max(1).min() < 0.05


def test_mirrored_objects_face_outwards() -> None:
    cube = add_mesh("Cube", size=2.0)
    cube.scale = (-1, 1, 1)
    got = fresh_picture(shown())
    assert got["depth"][24, 32] == pytest.approx(4.0, rel=1e-5)
    np.testing.assert_allclose(_middle(got["normals"]), (0, 0, 1), atol=1e-5)


def test_faces_are_seen_from_behind() -> None:
    _white_plane(rotation=(math.pi, 0, 0))
    got = fresh_picture(shown())
    np.testing.assert_allclose(_middle(got["normals"]), (0, 0, 1), atol=1e-5)


def test_materials_of_faces_and_their_ids() -> None:
    grid = add_mesh("Grid", "grid", x_subdivisions=2, y_subdivisions=1, size=20)
    for name, colour in (("A", (1, 0, 0, 1)), ("B", (0, 0, 1, 1))):
        grid.data.materials.append(
            add_material(name, "ShaderNodeEmission", Color=colour, Strength=1.0)
        )
    right = max(grid.data.polygons, key=lambda each: each.center.x)
    right.material_index = 1
    got = fresh_picture(shown(by_material=True))
    assert set(got["segmentation"][:, :31].flat) == {1}
    assert set(got["segmentation"][:, 33:].flat) == {2}
    assert got["rgb"][24, 10].tolist() == [255, 0, 0]
    assert got["rgb"][24, 50].tolist() == [0, 0, 255]
    assert set(fresh_picture(shown())["segmentation"].flat) == {1}


def test_collection_instances_have_ids_of_their_own() -> None:
    scene = bpy.context.scene
    group = bpy.data.collections.new("Group")
    cube = add_mesh("Cube", size=0.8)
    scene.collection.objects.unlink(cube)
    group.objects.link(cube)
    for number, x in enumerate((-1.2, 1.2)):
        maker = bpy.data.objects.new(f"Maker{number}", None)
        maker.instance_type, maker.instance_collection = "COLLECTION", group
        maker.location = (x, 0, 0)
        scene.collection.objects.link(maker)
    seen = shown()
    ids = fresh_picture(seen)["segmentation"]
    left, right = (seen.numbering.of_instance(f"Maker{n}", "Cube", (0,)) for n in (0, 1))
    assert set(ids[:, :32].flat) == {0, left}
    assert set(ids[:, 32:].flat) == {0, right}


def test_instances_of_geometry_nodes_have_ids_of_their_own() -> None:
    maker = add_mesh("Maker", "plane", size=2.4)
    tree = bpy.data.node_groups.new("Tree", "GeometryNodeTree")
    for way in ("INPUT", "OUTPUT"):
        tree.interface.new_socket("Geometry", in_out=way, socket_type="NodeSocketGeometry")
    kinds = ("NodeGroupInput", "NodeGroupOutput", "GeometryNodeInstanceOnPoints")
    first, last, points = (tree.nodes.new(each) for each in kinds)
    cube = tree.nodes.new("GeometryNodeMeshCube")
    cube.inputs["Size"].default_value = (0.5, 0.5, 0.5)
    tree.links.new(first.outputs[0], points.inputs["Points"])
    tree.links.new(cube.outputs[0], points.inputs["Instance"])
    tree.links.new(points.outputs[0], last.inputs[0])
    maker.modifiers.new("Nodes", "NODES").node_group = tree
    seen = shown()
    ids = fresh_picture(seen)["segmentation"]
    quarters = [ids[:24, :32], ids[:24, 32:], ids[24:, :32], ids[24:, 32:]]
    found = {number for each in quarters for number in set(each.flat) - {0}}
    expected = {seen.numbering.of_instance("Maker", "Maker", (0, n)) for n in range(4)}
    assert found == expected
    assert all(len(set(each.flat) - {0}) == 1 for each in quarters)


@pytest.mark.parametrize("maker", ["text", "curve", "metaball", "surface"])
def test_what_is_no_mesh_is_drawn_as_its_object(maker: str) -> None:
    if maker == "text":
        bpy.ops.object.text_add(location=(-1, -1, 0))
        bpy.context.object.scale = (3, 3, 3)
    elif maker == "curve":
        bpy.ops.curve.primitive_bezier_circle_add()
        bpy.context.object.data.bevel_depth = 0.3
    elif maker == "metaball":
        bpy.ops.object.metaball_add()
    else:
        bpy.ops.surface.primitive_nurbs_surface_sphere_add()
    assert set(fresh_picture(shown())["segmentation"].flat) == {0, 1}


@pytest.mark.parametrize("way", ["object", "collection", "parent collection"])
def test_what_renders_hide_is_not_drawn(way: str) -> None:
    plane = _white_plane()
    outer, inner = bpy.data.collections.new("Outer"), bpy.data.collections.new("Inner")
    bpy.context.scene.collection.children.link(outer)
    outer.children.link(inner)
    inner.objects.link(plane)
    bpy.context.scene.collection.objects.unlink(plane)
    {"object": plane, "collection": inner, "parent collection": outer}[way].hide_render = True
    assert not fresh_picture(shown())["segmentation"].any()


def test_sun_on_a_white_plane() -> None:
    _white_plane()
    sun = add_light("SUN", 1.5)
    assert _middle(fresh_picture(shown())["rgb"]) == pytest.approx(_shade(1.5 / math.pi), abs=1)
    sun.rotation_euler = (math.radians(60), 0, 0)
    expected = _shade(1.5 / math.pi * 0.5)
    assert _middle(fresh_picture(shown())["rgb"]) == pytest.approx(expected, abs=2)


@pytest.mark.parametrize("kind", ["POINT", "SPOT"])
@pytest.mark.parametrize("distance", [1.0, 2.0])
def test_lamp_on_a_white_plane(kind: str, distance: float) -> None:
    _white_plane()
    add_light(kind, 20.0, location=(0, 0, distance))
    expected = _shade(20.0 / (4 * math.pi**2 * distance**2))
    assert _middle(fresh_picture(shown())["rgb"]) == pytest.approx(expected, abs=2)


@pytest.mark.parametrize("shape", ["SQUARE", "RECTANGLE", "DISK", "ELLIPSE"])
def test_area_light_on_a_white_plane(shape: str) -> None:
    _white_plane()
    add_light("AREA", 60.0, location=(0, 0, 3), shape=shape, size=0.2, size_y=0.1)
    expected = _shade(60.0 / (math.pi**2 * 9))
    assert _middle(fresh_picture(shown())["rgb"]) == pytest.approx(expected, abs=2)


def test_spot_ends_at_its_cone() -> None:
    _white_plane()
    add_light("SPOT", 200.0, location=(0, 0, 4), spot_size=math.radians(40), spot_blend=0.0)
    eye = camera()
    lit = fresh_picture(shown(), eye)["rgb"][:, :, 0] > 0
    aside = np.linalg.norm(
        eye.unproject(eye.pixel_centres(), np.full((48, 64), 5.0))[..., :2], axis=2
    )
    edge = 4 * math.tan(math.radians(20))
    assert lit[aside < edge - 0.05].all()
    assert not lit[aside > edge + 0.05].any()


def test_world_lights_and_is_behind_everything() -> None:
    set_world((0.2, 0.2, 0.2))
    assert _middle(fresh_picture(shown())["rgb"]) == pytest.approx(_shade(0.2), abs=1)
    _white_plane()
    assert _middle(fresh_picture(shown())["rgb"]) == pytest.approx(_shade(0.2), abs=2)


def test_background_of_an_edit_leaves_the_light() -> None:
    set_world((0.2, 0.2, 0.2))
    _white_plane(size=2)
    rgb = fresh_picture(shown(background=(1.0, 0.0, 0.0)))["rgb"]
    assert rgb[0, 0].tolist() == [255, 0, 0]
    assert _middle(rgb) == pytest.approx(_shade(0.2), abs=2)


def test_environment_texture_is_seen_where_blender_has_it() -> None:
    # A column for each quarter of the way round: from -x over -y ... as Blender unrolls it.
    pixels = np.ones((8, 16, 4))
    pixels[:, :, :3] = 0
    pixels[:, 6:10, 0] = 1  # middle: +x
    pixels[:, 10:14, 1] = 1  # right of it: -y
    pixels[:, 2:6, 2] = 1  # left of it: +y
    world = bpy.context.scene.world
    give_nodes(world)
    tree = world.node_tree
    sky = tree.nodes.new("ShaderNodeTexEnvironment")
    sky.image = add_image("Sky", pixels)
    tree.links.new(sky.outputs[0], tree.nodes["Background"].inputs["Color"])
    style = FastStyle()
    for target, expected in (
        ((1, 0, 0), [255, 0, 0]),
        ((0, -1, 0), [0, 255, 0]),
        ((0, 1, 0), [0, 0, 255]),
        ((-1, 0, 0), [0, 0, 0]),
    ):
        eye = camera(eye=(0, 0, 0), target=target, up=(0, 0, 1), fov_y=0.1)
        assert _middle(picture(style, shown(), eye)["rgb"]).tolist() == expected
    style.close()


def test_image_lies_by_its_texture_coordinates() -> None:
    plane = add_mesh("Plane", "plane", size=4)
    colours = np.ones((2, 2, 4))
    colours[:, :, :3] = np.reshape([(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.5, 0.5, 0.5)], (2, 2, 3))
    material = add_material("Painted", "ShaderNodeEmission", Strength=1.0)
    tree = material.node_tree
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image, node.interpolation = add_image("Colours", colours), "Closest"
    tree.links.new(node.outputs["Color"], tree.nodes[0].inputs["Color"])
    plane.data.materials.append(material)
    rgb = fresh_picture(shown())["rgb"]
    assert rgb[14, 22].tolist() == [255, 0, 0]
    assert rgb[14, 42].tolist() == [0, 255, 0]
    assert rgb[34, 22].tolist() == [0, 0, 255]
    np.testing.assert_allclose(rgb[34, 42], 128, atol=1)


def test_image_repaints_show_at_once() -> None:
    plane = _white_plane()
    image = bpy.data.images.new("Painted", 2, 2)
    material = plane.data.materials[0]
    node = material.node_tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    material.node_tree.links.new(node.outputs[0], material.node_tree.nodes[0].inputs["Color"])
    set_world((1, 1, 1))
    style = FastStyle()
    for colour in ((1, 0, 0, 1), (0, 1, 0, 1)):
        image.pixels.foreach_set(np.tile(np.array(colour, np.float32), 4))
        np.testing.assert_allclose(
            _middle(picture(style, shown())["rgb"]), np.array(colour[:3]) * 255, atol=2
        )
    style.close()


def test_emission_is_what_it_says() -> None:
    plane = add_mesh("Plane", "plane", size=20)
    colour = (0.5, 0.25, 0.1, 1)
    plane.data.materials.append(add_material("Lamp", "ShaderNodeEmission", Color=colour))
    got = _middle(fresh_picture(shown())["rgb"])
    np.testing.assert_allclose(got, encoded(colour[:3]) * 255, atol=1)


def test_what_cannot_be_shown_is_told() -> None:
    plane = _white_plane()
    material = add_material("Noisy")
    noise = material.node_tree.nodes.new("ShaderNodeTexNoise")
    material.node_tree.links.new(noise.outputs[0], material.node_tree.nodes[0].inputs[0])
    plane.data.materials[0] = material
    material.diffuse_color = (0, 0, 1, 1)
    set_world((1, 1, 1))
    style = FastStyle()
    red, _, blue = _middle(picture(style, shown())["rgb"])
    assert blue > 200 > red
    assert style.approximated == {"Noisy": "'Noise Texture' is linked to its Base Color"}
    plane.data.materials[0] = bpy.data.materials["White"]
    picture(style, shown())
    assert style.approximated == {}
    style.close()


def test_opacity_lets_through_what_is_behind() -> None:
    set_world((1, 1, 1))
    plane = add_mesh("Pane", "plane", size=20)
    plane.data.materials.append(add_material("Glass", Base_Color=(0, 0, 0, 1), Alpha=0.25))
    clear = _middle(fresh_picture(shown())["rgb"]).mean()
    plane.data.materials[0].node_tree.nodes[0].inputs["Alpha"].default_value = 1.0
    dark = _middle(fresh_picture(shown())["rgb"]).mean()
    assert dark < 100 < clear


def test_closed_style_and_wrong_options() -> None:
    style = FastStyle()
    style.close()
    buffers = allocate(camera(), KNOWN_PASSES)
    with pytest.raises(ClosedError, match="closed"):
        style.draw(shown(), [camera()], KNOWN_PASSES, [buffers])
    with pytest.raises(InvalidValueError, match="shading='standard'"):
        FastStyle(RasterOptions(shading="classic"))


def test_two_cameras_of_different_sizes() -> None:
    _white_plane()
    cameras = [camera(), camera(width=32, height=24)]
    buffers = [allocate(each, KNOWN_PASSES) for each in cameras]
    style = FastStyle()
    style.draw(shown(), cameras, KNOWN_PASSES, buffers)
    style.close()
    for each in buffers:
        np.testing.assert_allclose(each["depth"], 5.0, rtol=1e-5)


def test_blenders_own_drawing_goes_on_beside_it() -> None:
    import gpu

    _white_plane()
    scene, layer = bpy.context.scene, bpy.context.view_layer
    eye = bpy.data.objects.new("Eye", bpy.data.cameras.new("Eye"))
    scene.collection.objects.link(eye)
    scene.camera, scene.render.engine = eye, "BLENDER_WORKBENCH"
    scene.render.resolution_x = scene.render.resolution_y = 16
    bpy.ops.render.render()
    colours = list(itertools.product((0.0, 1.0), repeat=3))[1:3]
    style = FastStyle()
    for red, green, blue in colours:
        screen = gpu.types.GPUOffScreen(8, 8)
        with screen.bind():
            buffer = gpu.state.active_framebuffer_get()
            buffer.clear(color=(red, green, blue, 1.0))
            picture(style, shown())
            read = buffer.read_color(0, 0, 8, 8, 4, 0, "FLOAT")
        screen.free()
        got = np.array(read.to_list()).reshape(8, 8, 4)
        assert got[4, 4].tolist() == [red, green, blue, 1.0]
    style.close()
    assert layer.depsgraph is not None


def test_metal_reflects_an_even_world() -> None:
    set_world((0.2, 0.4, 0.1))
    ball = add_mesh("Ball", "uv_sphere", radius=1.5, segments=64, ring_count=32)
    ball.data.materials.append(
        add_material("Mirror", Base_Color=(1, 1, 1, 1), Metallic=1.0, Roughness=0.1)
    )
    got = _middle(fresh_picture(shown())["rgb"])
    np.testing.assert_allclose(got, [_shade(each) for each in (0.2, 0.4, 0.1)], atol=2)
