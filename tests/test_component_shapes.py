# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type, union-attr"
"""Shapes, placement, lights and materials of components against analytic truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import standard_shading as three
from component_scenes import FRONT, TOP, UNLIT, points_of, reference_light, shown
from heliograph.camera import Camera
from heliograph.scene import (
    AmbientLight,
    Box,
    Capsule,
    Cone,
    Cylinder,
    DirectionalLight,
    Group,
    HemisphereLight,
    Plane,
    PointLight,
    Scene,
    Sphere,
    SpotLight,
    Torus,
)
from standard_shading import srgb_decode

ASKEW = Camera.look_at(
    eye=(2, -3, 1.5), target=(0, 0, 0), fov_y=0.7, width=160, height=120, name="askew", far=100
)
TURN = [0.4, -0.7, 1.1]


def world_normals(frame, seen):
    return frame.normals[seen] @ frame.camera.world_from_camera[:3, :3].T


def centre_of(frame):
    return frame.rgb[60, 80].astype(int)


def test_a_sphere_is_exactly_where_it_should_be():
    odd = FRONT.replace(width=161, height=121, cx=80.5, cy=60.5)
    assert shown(Sphere(args=[0.7]), odd).depth[60, 80] == pytest.approx(3.3, abs=1e-5)
    frame = shown(Sphere(args=[0.7]))
    points, seen = points_of(frame)
    assert np.abs(np.linalg.norm(points, axis=1) - 0.7).max() < 1e-5
    assert np.abs(world_normals(frame, seen) - points / 0.7).max() < 1e-4
    radius = math.sqrt(seen.sum() / math.pi)
    assert radius == pytest.approx(FRONT.fx * 0.7 / math.sqrt(16 - 0.49), rel=5e-3)


@pytest.mark.parametrize("camera", [FRONT, ASKEW], ids=lambda each: each.name)
def test_a_boxs_corners_fall_where_they_project(camera):
    box = Box(args=[1.0, 0.6, 0.8], rotation=TURN, position=[0.1, 0.2, -0.1])
    frame = shown(box, camera)
    points, seen = points_of(frame)
    local = (points - box.local[:3, 3]) @ box.local[:3, :3] / [0.5, 0.3, 0.4]
    assert np.abs(np.abs(local).max(1) - 1).max() < 2e-5
    signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, -1).T
    corners = camera.project(signs * [0.5, 0.3, 0.4] @ box.local[:3, :3].T + box.local[:3, 3])
    rows, columns = np.nonzero(seen)
    low, high = corners.min(0), corners.max(0)
    assert np.abs([columns.min() - low[0], rows.min() - low[1]]).max() < 1
    assert np.abs([columns.max() + 1 - high[0], rows.max() + 1 - high[1]]).max() < 1


def test_a_planes_normal_and_its_back():
    plane = Plane(args=[2, 1], rotation=[-0.9, 0, 0])
    frame = shown(plane, TOP)
    points, seen = points_of(frame)
    normal = plane.local[:3, 2]
    assert seen.sum() > 1000
    assert np.abs(world_normals(frame, seen) - normal).max() < 1e-5
    assert np.abs(points @ normal).max() < 1e-5
    behind = Plane(args=[2, 1], rotation=[math.pi, 0, 0])
    assert not (shown(behind, TOP).segmentation > 0).any()
    both = Plane(args=[2, 1], rotation=[math.pi, 0, 0], material={"side": "double"})
    frame = shown(both, TOP)
    assert np.abs(world_normals(frame, frame.segmentation > 0) - [0, 0, 1]).max() < 1e-5


def capsule_distance(p, radius, length):
    along = np.clip(p[:, 1], -length / 2, length / 2)
    return np.linalg.norm(p - np.stack([0 * along, along, 0 * along], 1), axis=1) - radius


def torus_distance(p, radius, tube):
    return np.hypot(np.hypot(p[:, 0], p[:, 1]) - radius, p[:, 2]) - tube


def stump_distance(p, top, bottom, height):
    """How far points are from the nearest of the wall and the caps, those that the box allows."""
    round_, y = np.hypot(p[:, 0], p[:, 2]), p[:, 1]
    wide = bottom + (top - bottom) * (y / height + 0.5)
    wall = (round_ - wide) * height / math.hypot(height, bottom - top)
    cap = np.abs(y) - height / 2
    return np.maximum(wall, cap)


SOLIDS = [
    (Capsule, [0.3, 0.9], capsule_distance, 1e-4),
    (Torus, [0.6, 0.2], torus_distance, 2e-3),
    (Cylinder, [0.4, 0.4, 1.2], lambda p, a, b, h: stump_distance(p, a, b, h), 1e-5),
    (Cylinder, [0.2, 0.5, 1.0], stump_distance, 5e-4),
    (Cone, [0.5, 1.1], lambda p, radius, height: stump_distance(p, 0, radius, height), 5e-4),
]


@pytest.mark.parametrize(("kind", "args", "distance", "tolerance"), SOLIDS)
@pytest.mark.parametrize("camera", [FRONT, ASKEW], ids=lambda each: each.name)
def test_solids_are_where_their_formulas_say(kind, args, distance, tolerance, camera):
    solid = kind(args=args, rotation=TURN, position=[0.1, 0, 0.1])
    frame = shown(solid, camera)
    points, seen = points_of(frame)
    local = (points - solid.local[:3, 3]) @ solid.local[:3, :3]
    assert seen.sum() > 300
    assert np.abs(distance(local, *args)).max() < tolerance
    step = 1e-4
    slope = [
        distance(local + step * axis, *args) - distance(local - step * axis, *args)
        for axis in np.eye(3)
    ]
    normals = np.stack(slope, 1) / (2 * step) @ solid.local[:3, :3].T
    error = np.linalg.norm(normals - world_normals(frame, seen), axis=1)
    assert np.quantile(error, 0.95) < 0.03


@pytest.mark.parametrize(("kind", "args", "distance", "tolerance"), SOLIDS)
def test_silhouettes_are_complete(kind, args, distance, tolerance):
    solid = kind(args=args, rotation=TURN)
    frame = shown(solid, ASKEW)
    rays = ASKEW.unproject(ASKEW.pixel_centres()[:, :, None], np.linspace(2.7, 5.0, 500))
    local = rays.reshape(-1, 3) @ solid.local[:3, :3]
    hit = (distance(local, *args) < 0).reshape(*rays.shape[:3]).any(2)
    assert ((frame.segmentation > 0) != hit).sum() < 0.02 * hit.sum()


def test_zero_radius_cylinder_is_a_cone_and_textures_change_no_shape():
    cone = shown(Cone(args=[0.5, 1], rotation=TURN))
    stump = shown(Cylinder(args=[0, 0.5, 1], rotation=TURN))
    assert np.array_equal(cone.depth, stump.depth)
    checks = np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8)
    for kind, args in ((Box, [1, 1, 1]), (Sphere, [0.5]), (Capsule, [0.3, 0.5]), (Plane, [1, 1])):
        plain = shown(kind(args=args, rotation=[0.4, 0.3, 0]), TOP)
        painted = shown(kind(args=args, rotation=[0.4, 0.3, 0], material={"map": checks}), TOP)
        both = (plain.segmentation > 0) & (painted.segmentation > 0)
        assert (plain.segmentation != painted.segmentation).mean() < 2e-3
        assert np.abs(plain.depth[both] - painted.depth[both]).max() < 5e-3
        assert len(np.unique(painted.rgb[both], axis=0)) > 20


def test_a_texture_lies_as_three_js_lays_it():
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0, 0], pixels[0, 1], pixels[1, 0], pixels[1, 1] = (
        *((255, 0, 0), (0, 255, 0)),
        *((0, 0, 255), (255, 255, 0)),
    )
    image = pixels.repeat(8, 0).repeat(8, 1)
    for kind, args in ((Plane, [2, 2]), (Box, [2, 2, 0.1])):
        frame = shown(kind(args=args, material={"map": image}, **UNLIT), TOP)
        for (x, y), texel in (((-0.5, 0.5), (0, 0)), ((0.5, 0.5), (0, 1)), ((-0.5, -0.5), (1, 0))):
            column, row = TOP.project(np.array([x, y, 0.05])).astype(int)
            assert frame.rgb[row, column].tolist() == pixels[texel].tolist()


def test_parents_place_their_children():
    turn = Rotation.from_euler("XYZ", [0.3, 0.2, -0.5]).as_matrix()
    tree = Group(
        Group(Sphere(args=[0.2], position=[0.5, 0, 0]), rotation=[0.3, 0.2, -0.5]),
        position=[0, 0, 0.3],
        scale=2,
    )
    points, _ = points_of(shown(tree))
    centre = np.array([0, 0, 0.3]) + 2 * turn @ [0.5, 0, 0]
    assert np.abs(np.linalg.norm(points - centre, axis=1) - 0.4).max() < 1e-5


@pytest.mark.parametrize(
    "light",
    [
        AmbientLight(intensity=0.5),
        AmbientLight(color="#808080", intensity=2),
        DirectionalLight(intensity=2),
        DirectionalLight(position=[math.sin(1), 0, math.cos(1)]),
        PointLight(position=[0, 0, 2], intensity=8),
        PointLight(position=[0, 0, 2], decay=1.5, intensity=4),
        PointLight(position=[0, 0, 2], decay=0),
        PointLight(position=[0, 0, 2], intensity=8, distance=3),
        PointLight(position=[0, 0, 2], decay=0, distance=1.9),
        PointLight(position=[0, 0, 0.05], intensity=0.03),
        SpotLight(position=[0, 0, 1], angle=0.3, penumbra=0.1),
        SpotLight(position=[0, 0, 1], target=[1, 0, 0], angle=0.3, penumbra=0.1),
        SpotLight(position=[0, 0, 1], target=[0.2, 0, 0], angle=0.3, penumbra=0.5),
        HemisphereLight(color="white", groundColor="black"),
        HemisphereLight(color="white", groundColor="black", rotation=[1, 0, 0]),
        HemisphereLight(color="#800000", groundColor="#4080c0", rotation=[2.5, 0.3, 0]),
    ],
)
def test_lights_do_what_three_js_says(light):
    floor = Plane(args=[4, 4], material={"color": [0.5, 0.5, 0.5]}, materialType="lambert")
    frame = shown(Scene(floor, light), TOP)
    point = frame.camera.unproject(np.array([80.5, 60.5]), np.array(4.0))
    grey, facing = three.Lambert(srgb_decode(0.5)), np.array([0.0, 0, 1])
    expected = three.finish(grey.shade(facing, facing, point, [reference_light(light)]))
    assert centre_of(frame) == pytest.approx(expected.astype(int), abs=1)


def test_a_light_in_a_hidden_group_is_off():
    assert centre_of(shown(Scene(Plane(), Group(DirectionalLight(), visible=False)), TOP))[0] == 0


def test_what_is_basic_needs_no_light():
    floor = Plane(args=[4, 4], material={"color": [0.5, 0.5, 0.5]}, materialType="basic")
    assert centre_of(shown(Scene(floor, AmbientLight(intensity=0)), TOP))[0] == 128


def test_shadows_fall_where_they_are_asked_for():
    floor = Plane(args=[6, 6])
    thing = Box(args=[0.5, 0.5, 0.5], position=[1, 0, 1])
    sun = {"position": [3, 0, 3], "intensity": 3}
    dark = shown(Scene(floor, thing, DirectionalLight(castShadow=True, **sun)), TOP)
    lit = shown(Scene(floor, thing, DirectionalLight(**sun)), TOP)
    assert centre_of(dark)[0] < 10
    assert centre_of(lit)[0] > 150


def test_opacity_and_emission():
    white = Plane(args=[4, 4], position=[0, 0, -1], **UNLIT)
    glass = Box(material={"color": "red", "opacity": 0.5, "transparent": True}, **UNLIT)
    assert centre_of(shown(Scene(white, glass), TOP)) == pytest.approx([255, 128, 128], abs=2)
    solid = Box(material={"color": "red", "opacity": 0.5, "transparent": False}, **UNLIT)
    assert centre_of(shown(Scene(white, solid), TOP)).tolist() == [255, 0, 0]
    lamp = Box(material={"color": "#808080", "emissive": "#404040"})
    dark = AmbientLight(intensity=0)
    assert centre_of(shown(Scene(lamp, dark), TOP)) == pytest.approx(64, abs=2)


def test_of_two_things_at_one_place_the_later_shows():
    red, blue = {"color": "red"}, {"color": "blue"}
    for kind in (Box, Sphere, Plane):
        frame = shown(Scene(kind(material=red, **UNLIT), kind(material=blue, **UNLIT)), TOP)
        assert set(np.unique(frame.segmentation)) == {0, 2}
