# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type, union-attr"
"""Point clouds, image planes, outlines, and what only the viewport shows."""

from __future__ import annotations

import math

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import heliograph as hg
from component_scenes import ALL, FRONT, TOP, draw, points_of, shown
from heliograph.engines.components import ComponentEngine
from heliograph.engines.shared.tree import outlines
from heliograph.errors import InvalidValueError, SceneError, UnknownNameError
from heliograph.raster import Geometry
from heliograph.scene import Component, apply
from heliograph.testing import Verdict, check_engine

GIZMOS = (
    *(hg.Grid(), hg.CoordsMarker(size=2), hg.Frustum(fov=60), hg.Arrow(direction=[1, 0, 0])),
    *(hg.Text(text="hello"), hg.ImageBackground(image=np.zeros((2, 2, 3), np.uint8))),
    *(hg.OrbitControls(target=[0, 0, 1]), hg.SceneCamera(position=[1, 1, 1])),
)
ODD = FRONT.replace(width=161, height=121, cx=80.5, cy=60.5)
LINE = {"thickness": 0.1, "color": "red"}


def same_pictures(one, other):
    return all(np.array_equal(one[name], other[name]) for name in ALL)


@pytest.mark.parametrize("gizmo", GIZMOS, ids=lambda each: each.kind)
def test_gizmos_change_no_picture_and_are_no_objects(gizmo):
    bare = hg.Scene(hg.Box(key="box", size=[1, 1, 1], rotation=[0.3, 0.2, 0.1]))
    scene = hg.Scene(gizmo, *bare.children)
    assert gizmo.gizmo
    assert not gizmo.drawable
    assert same_pictures(shown(scene), shown(bare))
    engine = ComponentEngine(scene)
    table = engine.scene.objects
    engine.advance([hg.Update(type(gizmo)(key=f"{gizmo.kind}-1", position=[0, 0, 3]))])
    assert engine.scene.hash != scene.digest()
    engine.advance([hg.Remove(f"{gizmo.kind}-1")])
    last = engine.scene.objects
    engine.close()
    assert table.names == last.names == ("box",)
    assert table.ids.tolist() == last.ids.tolist() == [1]
    assert Component.from_dict(scene.to_dict()) == scene


def test_what_stands_on_a_gizmo_or_a_movable_is_placed_by_it():
    for parent in (hg.Arrow, hg.Movable):
        scene = hg.Scene(parent(hg.Sphere(radius=0.5), position=[0.4, 0, 0.2]))
        points, _ = points_of(shown(scene))
        distance = np.linalg.norm(points - [0.4, 0, 0.2], axis=1)
        assert np.abs(distance - 0.5).max() < 1e-5
    engine = ComponentEngine(hg.Scene(hg.Movable(hg.Box(), key="handle")))
    assert engine.scene.objects["handle"].category == "movable"
    assert not engine.scene.objects["handle"].seen
    engine.close()


def test_an_image_plane_shows_its_pixels_as_they_are(tmp_path):
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0, 0], pixels[0, 1], pixels[1, 0], pixels[1, 1] = 250, (200, 0, 0), (0, 90, 0), 17
    Image.fromarray(pixels).save(tmp_path / "a.png")
    texture = {"image": pixels, "nearest": True}
    dark = hg.DirectionalLight(intensity=0.01)
    frame = shown(hg.Scene(hg.ImagePlane(image=texture, width=1.6, height=0.8), dark), TOP)
    seen = frame.segmentation == 1
    rows, columns = np.nonzero(seen)
    across, down = 1.6 * TOP.fx / 4, 0.8 * TOP.fy / 4
    assert abs(np.ptp(columns) + 1 - across) <= 1
    assert abs(np.ptp(rows) + 1 - down) <= 1
    for y, x in ((0, 0), (0, 1), (1, 0), (1, 1)):
        row, column = round(60 + down * (y - 0.5) / 2), round(80 + across * (x - 0.5) / 2)
        assert frame.rgb[row, column].tolist() == pixels[y, x].tolist()
    assert np.abs(frame.depth[seen] - 4).max() < 1e-5
    by_name = hg.ImagePlane(src=tmp_path / "a.png", width=1.6, height=0.8)
    assert by_name == hg.ImagePlane(
        material={"map": str(tmp_path / "a.png")}, width=1.6, height=0.8
    )
    assert by_name.get("src") == str(tmp_path / "a.png")
    assert np.array_equal(shown(hg.Scene(by_name), TOP).segmentation, frame.segmentation)
    with pytest.raises(InvalidValueError, match="either src or image"):
        hg.ImagePlane(src="a.png", image=pixels)
    with pytest.raises(InvalidValueError, match=r"image is short for material\.map"):
        hg.ImagePlane(image=pixels, material={"map": pixels + 1})
    with pytest.raises(SceneError, match=r"ImagePlane 'imageplane-1' .*gone\.png"):
        shown(hg.Scene(hg.ImagePlane(src=tmp_path / "gone.png")))


def test_a_new_image_of_a_plane_is_shown_by_an_update():
    red, blue = (np.full((4, 4, 3), each, np.uint8) for each in ((255, 0, 0), (0, 0, 255)))
    engine = ComponentEngine(hg.Scene(hg.ImagePlane(key="a", image=red)))
    engine.advance([hg.Update(hg.ImagePlane(key="a", image=blue))])
    after = engine.render(hg.View((TOP,), ("rgb",)))["top"].rgb[60, 80]
    painted = [hg.EditMaterial(["a"], rgba=(1, 0, 1, None), texture=red)]
    edited = engine.render(hg.View((TOP,), ("rgb",), edits=painted))["top"].rgb[60, 80]
    engine.close()
    assert after.tolist() == [0, 0, 255]
    assert edited.tolist() == [255, 0, 0]


def test_points_are_octahedra_of_their_size_colour_and_place():
    vertices = [[0, 0, 0], [0.8, 0, 0.5], [-0.6, 0.5, -0.4]]
    colors = [[255, 0, 0], [0, 255, 0], [10, 20, 30]]
    frame = shown(hg.Scene(hg.PointCloud(vertices=vertices, colors=colors, size=0.2)), ODD)
    assert frame.depth[60, 80] == pytest.approx(3.9, abs=1e-3)
    points, seen = points_of(frame)
    away = points[:, None] - np.array(vertices, float)
    nearest = np.abs(away).sum(2).argmin(1)
    assert np.abs(np.abs(away).sum(2).min(1) - 0.1).max() < 1e-4
    assert (frame.rgb[seen] == np.array(colors)[nearest]).all()
    assert set(np.unique(frame.segmentation)) == {0, 1}
    area = math.sqrt(1 / 2) * 0.2
    corner = (nearest == 0).sum()
    assert corner == pytest.approx((area * ODD.fx / 4) ** 2, rel=0.06)


def test_a_lit_point_is_shaded_like_a_ball():
    cloud = hg.PointCloud(vertices=[[0, 0, 0]], size=1.0, materialType="standard")
    frame = shown(hg.Scene(cloud), FRONT)
    points, seen = points_of(frame)
    turn = frame.camera.world_from_camera[:3, :3]
    normals = frame.normals[seen] @ turn.T
    ball = points / np.linalg.norm(points, axis=1, keepdims=True)
    assert (normals * ball).sum(1).min() > 0.999


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(*[st.floats(-1, 1)] * 3), min_size=1, max_size=20),
    st.floats(0.05, 0.4),
)
def test_a_cloud_is_the_octahedra_one_by_one(centres, size):
    reach = np.concatenate([np.eye(3), -np.eye(3)]) * size / 2
    faces = [(x, y, z) for x in (0, 3) for y in (1, 4) for z in (2, 5)]
    odd = [sum(each > 2 for each in face) % 2 for face in faces]
    faces = [face[::-1] if turned else face for face, turned in zip(faces, odd, strict=True)]
    shapes = [
        hg.Mesh(vertices=reach + centre, faces=faces, color="gold", materialType="basic")
        for centre in centres
    ]
    cloud = hg.PointCloud(vertices=centres, size=size, color="gold")
    one, other = shown(hg.Scene(cloud)), shown(hg.Scene(*shapes))
    assert np.array_equal(one.segmentation > 0, other.segmentation > 0)
    assert np.array_equal(one.rgb, other.rgb)
    seen = one.segmentation > 0
    assert np.abs(one.depth[seen] - other.depth[seen]).max(initial=0) < 1e-5


def test_clouds_take_edits_and_updates_like_meshes():
    vertices = np.array([[0, 0, 0], [0.5, 0, 0]])
    scene = hg.Scene(hg.PointCloud(key="p", vertices=vertices, size=0.3, color="lime"))
    engine = ComponentEngine(scene)
    red = [hg.EditMaterial(["p"], rgba=(1, 0, 0, None))]
    painted = engine.render(hg.View((FRONT,), ALL, edits=red))["front"]
    assert (painted.rgb[painted.segmentation == 1] == (255, 0, 0)).all()
    colors = np.array([[0, 0, 1.0], [0, 1, 1]])
    new = hg.PointCloud(
        key="p", vertices=vertices + np.array([0, 0, 0.2]), colors=colors, color="white"
    )
    engine.advance([hg.Update(new)])
    moved = engine.render(hg.View((FRONT,), ALL))["front"]
    row = engine.scene.objects["p"]
    engine.advance([hg.Update(hg.PointCloud(key="p", size=0.1))])
    smaller = engine.render(hg.View((FRONT,), ALL))["front"]
    smallest = hg.Update(hg.PointCloud(key="p", size=0.1))
    assert engine.scene.hash == apply(scene, [hg.Update(new), smallest]).digest()
    engine.close()
    assert {tuple(each) for each in moved.rgb[moved.segmentation == 1]} == {
        (0, 0, 255),
        (0, 255, 255),
    }
    assert row.box == pytest.approx(np.array([[-0.15, -0.15, 0.05], [0.65, 0.15, 0.35]]))
    assert row.category == "pointcloud"
    assert (smaller.segmentation > 0).sum() < (moved.segmentation > 0).sum() / 6
    empty = shown(hg.Scene(hg.PointCloud(), hg.PointCloud(vertices=np.zeros((0, 3)))))
    assert not empty.segmentation.any()
    with pytest.raises(InvalidValueError, match="colors: expected 2 rows, got 1"):
        hg.PointCloud(vertices=vertices, colors=[[0, 0, 0]])
    with pytest.raises(InvalidValueError, match="size: expected a finite number above 0"):
        hg.PointCloud(size=0)


def silhouette(component, camera=FRONT):
    return shown(hg.Scene(component), camera).segmentation == 1


@pytest.mark.parametrize(
    ("shape", "grown"),
    [
        (hg.Sphere(radius=0.6), hg.Sphere(radius=0.7)),
        (
            hg.Capsule(args=[0.3, 0.8], rotation=[0.4, 0, 1]),
            hg.Capsule(args=[0.4, 0.8], rotation=[0.4, 0, 1]),
        ),
        (
            hg.Box(size=[1, 0.5, 0.7], rotation=[0.4, 0.3, 1]),
            hg.Box(size=np.array([1, 0.5, 0.7]) + 0.2 / 3**0.5, rotation=[0.4, 0.3, 1]),
        ),
        (
            hg.Torus(args=[0.6, 0.2], rotation=[1, 0, 0]),
            hg.Torus(args=[0.6, 0.3], rotation=[1, 0, 0]),
        ),
    ],
    ids=["sphere", "capsule", "box", "torus"],
)
def test_an_outlined_shape_is_seen_as_large_as_its_hull(shape, grown):
    lined = shape.merged(type(shape)(outlines=LINE, materialType="basic", color="blue").props)
    frame = shown(hg.Scene(lined))
    inner, outer = silhouette(shape), silhouette(grown)
    differing = (frame.segmentation == 1) != outer
    assert differing.sum() < 0.02 * outer.sum()
    assert (frame.rgb[inner] == (0, 0, 255)).all()
    ring = outer & ~inner & ~differing
    assert ring.sum() > 200
    assert (frame.rgb[ring] == (255, 0, 0)).all()
    bare = shown(hg.Scene(shape))
    assert np.array_equal(frame.depth[inner], bare.depth[inner])
    assert np.array_equal(frame.normals[inner], bare.normals[inner])
    assert (frame.depth[ring] > bare.depth[inner].min()).all()


def test_outlines_are_of_their_object():
    scene = hg.Scene(
        hg.Box(key="a", size=[1, 1, 1], outlines=LINE, color="white", materialType="basic"),
        hg.Sphere(key="b", radius=0.3, position=[1, 0, 0]),
    )
    engine = ComponentEngine(scene)
    view = hg.View((FRONT,), ALL)
    plain = engine.render(view)["front"]
    line = (plain.segmentation == 1) & (plain.rgb[:, :, 1] == 0)
    assert line.sum() > 100
    for edit in (
        hg.EditMaterial(["a"], rgba=(0, 1, 0, None)),
        hg.EditMaterials((("a",),), rgba=[[0, 1, 0, np.nan]]),
    ):
        painted = engine.render(hg.View((FRONT,), ALL, edits=[edit]))["front"]
        assert (painted.rgb[line] == (255, 0, 0)).all()
        assert (painted.rgb[(plain.segmentation == 1) & ~line] == (0, 255, 0)).all()
    hidden = engine.render(hg.View((FRONT,), ALL, edits=[hg.Hide(["a"])]))["front"]
    assert not (hidden.segmentation == 1).any()
    shift = np.eye(4)
    shift[0, 3] = -0.5
    moved = engine.render(hg.View((FRONT,), ALL, edits=[hg.MoveObject("a", shift)]))["front"]
    state = engine.render(hg.View((FRONT,), ALL, state={"a": [-0.5, 0, 0]}))["front"]
    assert same_pictures(moved, state)
    engine.advance([hg.Update(hg.Box(key="a", color="blue"))])
    tinted = engine.render(view)["front"]
    assert (tinted.rgb[line] == (255, 0, 0)).all()
    engine.advance([hg.Update(hg.Box(key="a", outlines=None, color="white"))])
    without = engine.render(view)["front"]
    bare = shown(hg.Scene(hg.Box(size=[1, 1, 1], materialType="basic"), scene.children[1]))
    engine.close()
    assert same_pictures(without, bare)
    assert scene.digest() != apply(scene, [hg.Update(hg.Box(key="a", outlines=None))]).digest()


def test_outlines_cast_no_shadow():
    def below(**props):
        sun = hg.DirectionalLight(position=[0, 0, 5], castShadow=True)
        floor = hg.Plane(size=[6, 6], position=[0, 0, -1])
        ball = hg.Sphere(radius=0.3, position=[0, 0, 0.5], **props)
        camera = FRONT.replace(name="low")
        return shown(hg.Scene(floor, ball, sun), camera)

    bare, lined = below(), below(outlines={"thickness": 0.2})
    floor = (bare.segmentation == 1) & (lined.segmentation == 1)
    dark = [(each.rgb[floor][:, 0] < 75).sum() for each in (bare, lined)]
    assert 50 < dark[0] == pytest.approx(dark[1], rel=0.05)


def test_outlines_of_meshes_split_where_edges_are_sharper_than_the_angle(tmp_path):
    box = trimesh.creation.box((1, 0.6, 0.8))
    box.export(tmp_path / "box.stl")
    for angle, grow in ((math.pi, 0.2 / 3**0.5), (1.0, None)):
        line = {**LINE, "angle": angle}
        mesh = silhouette(hg.Mesh(src=tmp_path / "box.stl", outlines=line, rotation=[0.3, 0.5, 1]))
        shape = silhouette(hg.Box(size=[1, 0.6, 0.8], outlines=line, rotation=[0.3, 0.5, 1]))
        assert (mesh != shape).sum() <= 0.001 * shape.sum()
        if grow:
            size = np.array([1, 0.6, 0.8]) + grow
            assert (mesh != silhouette(hg.Box(size=size, rotation=[0.3, 0.5, 1]))).mean() < 1e-3


def test_a_split_hull_moves_each_face_along_its_own_normal():
    box = Geometry(
        np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float),
        np.array([[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]]),
    )
    hull = outlines.hull(box, np.eye(4), 0.25, 1.0)
    corners = np.asarray(hull.positions)[np.asarray(hull.triangles)]
    own = np.asarray(box.positions)[np.asarray(box.triangles)]
    normals = np.cross(own[:, 1] - own[:, 0], own[:, 2] - own[:, 0])
    assert np.abs(corners - own - 0.25 * normals[:, None]).max() < 1e-12
    mirrored = outlines.hull(box, np.diag([-2.0, 1, 1, 1]), 0.25, math.pi)
    flat = np.asarray(mirrored.positions)[np.asarray(mirrored.triangles)]
    out = np.cross(flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0])
    assert (out[0] / np.linalg.norm(out[0])) @ [1, 0, 0] > 0.9  # the face at x = 0 faces +x now


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 3.1))
def test_creased_normals_are_what_the_rule_says(seed, angle):
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 3, (8, 3)).astype(float)
    triangles = np.array([rng.choice(8, 3, replace=False) for _ in range(12)])
    own = points[triangles]
    across = np.cross(own[:, 1] - own[:, 0], own[:, 2] - own[:, 0])
    area = np.linalg.norm(across, axis=1)
    hull = outlines.hull(Geometry(points, triangles), np.eye(4), 1.0, angle)
    moved = np.asarray(hull.positions)[np.asarray(hull.triangles)]
    unit = across / np.where(area > 0, area, 1)[:, None]
    for triangle in np.flatnonzero(area > 0):
        for corner in range(3):
            total = np.zeros(3)
            for other in np.flatnonzero(area > 0):
                for place in range(3):
                    if (own[other, place] == own[triangle, corner]).all():
                        a, b = (own[other, (place + k) % 3] - own[other, place] for k in (1, 2))
                        cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
                        gap = unit[other] @ unit[triangle] - math.cos(angle)
                        if abs(gap) < 1e-6:
                            return  # on the edge of the rule
                        total += (gap > 0) * math.acos(np.clip(cosine, -1, 1)) * unit[other]
            length = np.linalg.norm(total)
            if length > 1e-6:
                expected = own[triangle, corner] + total / length
                assert np.abs(moved[triangle, corner] - expected).max() < 1e-6


def test_outlines_are_checked():
    with pytest.raises(UnknownNameError, match="property of Box outlines 'width'"):
        hg.Box(outlines={"width": 1})
    with pytest.raises(InvalidValueError, match=r"Box outlines\.thickness"):
        hg.Box(outlines={"thickness": -1})
    with pytest.raises(InvalidValueError, match=r"outlines: expected a mapping such as"):
        hg.Box(outlines=3)
    box = hg.Box(outlines={"thickness": 0.1, "angle": 1, "color": "red"})
    assert Component.from_dict(box.to_dict()) == box
    assert box != hg.Box()


def test_live_options_of_cameras_change_no_pixel_but_their_number():
    def picture(**props):
        camera = hg.CameraView(key="c", position=[0, -4, 1], lookAt=[0, 0, 0], **props)
        return draw(hg.Scene(hg.Box(rotation=[1, 2, 3]), camera), "c")["c"]

    plain = picture()
    live = picture(
        stream="time",
        fps=10,
        showFrustum=True,
        distanceToCamera=1,
        movable=True,
        monitor=True,
    )
    assert same_pictures(plain, live)
    half = picture(downsample=2)
    assert half.rgb.shape == (120, 160, 3)
    assert same_pictures(half, picture(width=160, height=120))
    assert picture(dpr=2, downsample=4).rgb.shape == (120, 160, 3)
    assert picture(downsample=1e6).rgb.shape == (1, 1, 3)
    with pytest.raises(InvalidValueError, match="stream: expected 'ondemand' or 'frame'"):
        hg.CameraView(stream="always")


def test_a_scene_of_all_of_them_passes_the_conformance_suite(tmp_path):
    geometry = '<visual><geometry><box size="0.2 0.2 0.4"/></geometry></visual>'
    (tmp_path / "arm.urdf").write_text(
        f'<robot name="arm"><link name="a">{geometry}</link><link name="b">{geometry}</link>'
        '<joint name="j" type="continuous"><parent link="a"/><child link="b"/>'
        '<origin xyz="0 0 0.5"/><axis xyz="0 1 0"/></joint></robot>'
    )
    rng = np.random.default_rng(0)
    scene = hg.Scene(
        hg.Urdf(key="arm", src=tmp_path / "arm.urdf", joints={"j": 0.5}),
        hg.PointCloud(vertices=rng.normal(size=(50, 3)), colors=rng.random((50, 3)), size=0.1),
        hg.Movable(hg.Box(key="box", position=[1.5, 0, 0], outlines=LINE)),
        hg.ImagePlane(image=np.full((4, 4, 3), 99, np.uint8), position=[0, 2, 0]),
        hg.RectAreaLight(position=[0, 0, 3]),
        hg.CameraView(key="c", position=[3, -4, 3], lookAt=[0, 0, 0], downsample=2),
        *GIZMOS,
    )
    report = check_engine(
        lambda: ComponentEngine(scene),
        other_state={"box": [1, 1, 0]},
        edits=[hg.Update(hg.Urdf(key="arm", joints={"j": 1.0}))],
        changes=[hg.Update(hg.Urdf(key="arm", joints={"j": -1.0}))],
    )
    assert set(report.of(Verdict.SKIPPED)) == {
        "random_states_are_the_generator_s",  # nothing in it moves by itself
        "refuses_changes_it_cannot_make",  # it can make changes
    }


def test_workers_draw_the_same(tmp_path):
    vertices = np.random.default_rng(0).normal(size=(50, 3))
    scene = hg.Scene(
        hg.PointCloud(key="p", vertices=vertices, size=0.1, color="gold"),
        hg.Box(key="b", outlines=LINE, position=[1, 0, 0]),
        hg.RectAreaLight(position=[0, 0, 3]),
        hg.Grid(),
    )
    edits = [hg.Update(hg.Box(key="b", outlines={"color": "blue"}))]
    view = hg.View([FRONT], ALL, edits=edits)
    with hg.open(scene) as local, hg.open(scene, workers=1) as pool:
        assert local.scene.hash == pool.scene.hash == scene.digest()
        assert same_pictures(local.render(view)["front"], pool.render(view)["front"])
