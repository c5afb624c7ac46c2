# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type, union-attr"
"""Mesh and image files: what opens, where it stands, how it is painted, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import PBRMaterial

import heliograph
from component_scenes import ALL, FRONT, TOP, UNLIT, points_of, shown
from heliograph.engines.components import ComponentEngine
from heliograph.errors import SceneError
from heliograph.scene import (
    Box,
    Mesh,
    Plane,
    Scene,
)
from heliograph.view import View
from standard_shading import srgb_encode, to_uint8


def centre_of(frame):
    return frame.rgb[60, 80].astype(int)


def a_mesh(visual=None, **box):
    mesh = trimesh.creation.box((1, 2, 3), **box)
    if visual is not None:
        mesh.visual = visual
    return mesh


@pytest.mark.parametrize("suffix", [".glb", ".gltf", ".obj", ".ply", ".stl"])
def test_mesh_files_open(tmp_path, suffix):
    path = tmp_path / f"thing{suffix}"
    if suffix == ".gltf":
        files = trimesh.exchange.gltf.export_gltf(trimesh.Scene(a_mesh()))
        for name, data in files.items():
            (tmp_path / name.replace("model.gltf", path.name)).write_bytes(data)
    else:
        a_mesh().export(path)
    engine = ComponentEngine(path, size=(100, 80))
    try:
        assert engine.labels[1] == ("thing", "mesh")
        assert list(engine.cameras) == ["fit"]
        frame = engine.render(View((FRONT,), ALL))["front"]
        fit = engine.render(View(()))["fit"]
    finally:
        engine.close()
    points, seen = points_of(frame)
    # Across 1 m and up 3 m; a glTF's up is y (2 m), which becomes z, and its z comes forward.
    across, forward, up = (1, 3, 2) if suffix in (".glb", ".gltf") else (1, 2, 3)
    assert np.abs(points[:, 1] + forward / 2).max() < 1e-4
    rows, columns = np.nonzero(seen)
    assert np.ptp(columns) + 1 == pytest.approx(FRONT.fx * across / (4 - forward / 2), abs=1.5)
    assert np.ptp(rows) + 1 == pytest.approx(min(120, FRONT.fx * up / (4 - forward / 2)), abs=1.5)
    assert fit.rgb.max() > 100
    assert 0.1 < (fit.rgb.sum(2) > 0).mean() < 0.9


def test_up_can_be_told(tmp_path):
    a_mesh().export(tmp_path / "a.glb")
    a_mesh().export(tmp_path / "a.ply")
    as_is = shown(Mesh(src=tmp_path / "a.glb", up="z"))
    assert np.array_equal(as_is.segmentation, shown(Mesh(src=tmp_path / "a.ply")).segmentation)


def test_a_textured_glb_shows_its_texture(tmp_path):
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0, 0], pixels[0, 1] = (200, 30, 30), (30, 200, 30)
    pixels[1, 0], pixels[1, 1] = (30, 30, 200), (200, 200, 30)
    material = PBRMaterial(
        baseColorTexture=Image.fromarray(pixels.repeat(8, 0).repeat(8, 1)),
        roughnessFactor=1.0,
        metallicFactor=0.0,
    )
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0.0]])  # faces +z: forward
    quad = trimesh.Trimesh(
        corners,
        [[0, 1, 2], [0, 2, 3]],
        visual=TextureVisuals(uv=corners[:, :2] / 2 + 0.5, material=material),
        process=False,
    )
    quad.export(tmp_path / "quad.glb")
    frame = shown(Mesh(src=tmp_path / "quad.glb", **UNLIT))
    for (x, z), texel in (((-0.5, 0.5), (0, 0)), ((0.5, 0.5), (0, 1)), ((-0.5, -0.5), (1, 0))):
        column, row = FRONT.project(np.array([x, 0, z])).astype(int)
        assert frame.rgb[row, column] == pytest.approx(pixels[texel], abs=2)
    red = shown(Mesh(src=tmp_path / "quad.glb", material={"map": pixels[:1, :1].copy()}, **UNLIT))
    assert centre_of(red) == pytest.approx([200, 30, 30], abs=1)


def test_nodes_of_a_glb_stand_where_they_are_baked(tmp_path):
    scene = trimesh.Scene()
    ball = trimesh.creation.icosphere(4, 0.3)
    for x in (-1.0, 0.0, 1.0):
        scene.add_geometry(ball, transform=trimesh.transformations.translation_matrix([x, 0, x]))
    scene.export(tmp_path / "balls.glb")
    source = Scene(Mesh(key="balls", src=tmp_path / "balls.glb"), Mesh(src=tmp_path / "balls.glb"))
    engine = ComponentEngine(source)
    try:
        assert len(engine.labels) == 3
        assert len(engine._rasterizer._geometries._rows) == len(heliograph.raster.Shape) + 1
        frame = engine.render(View((FRONT,), ALL))["front"]
    finally:
        engine.close()
    points, _ = points_of(frame)
    centres = np.array([[-1, 1, 0], [0, 0, 0], [1, -1, 0]])  # its z becomes -y
    distance = np.linalg.norm(points[:, None] - centres, axis=2)
    assert np.abs(distance.min(1) - 0.3).max() < 2e-3
    assert set(distance.argmin(1)) == {0, 1, 2}


@pytest.mark.parametrize("suffix", [".ply", ".glb"])
def test_colours_of_vertices_blend(tmp_path, suffix):
    corners = np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1.0]])
    colours = np.array([[0, 0, 0], [255, 0, 0], [255, 255, 0], [0, 255, 0]], np.uint8)
    faces = [[0, 1, 2], [0, 2, 3]]
    quad = trimesh.Trimesh(corners, faces, process=False)
    quad.visual = ColorVisuals(quad, vertex_colors=colours)
    quad.export(tmp_path / f"quad{suffix}")
    mesh = Mesh(src=tmp_path / f"quad{suffix}", up="z", **UNLIT)
    frame = shown(mesh)
    for x, z in ((-0.5, -0.5), (0.5, 0.0), (0.0, 0.6), (0.9, -0.9)):
        column, row = FRONT.project(np.array([x, 0, z])).astype(int)
        expected = to_uint8(srgb_encode(np.array([x + 1, z + 1, 0]) / 2))
        assert frame.rgb[row, column] == pytest.approx(expected, abs=6)
    arrays = Mesh(vertices=corners, faces=faces, colors=colours, **UNLIT)
    assert np.abs(shown(arrays).rgb.astype(int) - frame.rgb).max() <= 2
    one = Mesh(vertices=corners, faces=faces, colors=[[0.0, 0.0, 1.0]] * 4, **UNLIT)
    assert centre_of(shown(one)).tolist() == [0, 0, 255]


def test_an_obj_with_materials(tmp_path):
    (tmp_path / "a.mtl").write_text("newmtl m\nKd 0.2 0.4 0.6\n")
    (tmp_path / "a.obj").write_text(
        "mtllib a.mtl\nv -1 0 -1\nv 1 0 -1\nv 1 0 1\nusemtl m\nf 1 2 3\n"
    )
    frame = shown(Mesh(src=tmp_path / "a.obj", **UNLIT))
    assert frame.rgb[80, 90] == pytest.approx([51, 102, 153], abs=2)
    green = shown(Mesh(src=tmp_path / "a.obj", material={"color": "lime"}, **UNLIT))
    assert green.rgb[80, 90].tolist() == [0, 255, 0]


def test_factors_of_a_glb_are_linear_light(tmp_path):
    material = PBRMaterial(baseColorFactor=[0.5, 0.5, 0.5, 1.0], doubleSided=True)
    mesh = a_mesh(TextureVisuals(material=material))
    mesh.export(tmp_path / "a.glb")
    assert centre_of(shown(Mesh(src=tmp_path / "a.glb", **UNLIT))) == pytest.approx(188, abs=2)


@pytest.mark.parametrize("suffix", [".glb", ".gltf", ".obj", ".ply", ".stl"])
@pytest.mark.parametrize("content", [b"", b"glTF\x02junk", b"ply\nformat ascii 1.0\n", b"v 1 2\n"])
def test_malformed_files_are_one_line(tmp_path, suffix, content):
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    with pytest.raises(SceneError) as caught:
        ComponentEngine(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_damaged_glb_is_one_line(tmp_path):
    path = tmp_path / "a.glb"
    a_mesh().export(path)
    whole = path.read_bytes()
    for cut in (20, 100, len(whole) // 2, len(whole) - 4):
        path.write_bytes(whole[:cut])
        with pytest.raises(SceneError, match=r"a\.glb: not a readable GLB|found none"):
            ComponentEngine(path)


def test_an_image_file_is_shown(tmp_path):
    Image.new("RGB", (4, 4), (10, 200, 30)).save(tmp_path / "a.png")
    frame = shown(Plane(args=[2, 2], material={"map": tmp_path / "a.png"}, **UNLIT), TOP)
    assert centre_of(frame).tolist() == [10, 200, 30]


def test_normals_of_a_file_are_kept_and_faces_are_flat_without(tmp_path):
    ball = trimesh.creation.icosphere(1, 1.0)
    ball.export(tmp_path / "flat.ply", vertex_normal=False)
    (tmp_path / "smooth.obj").write_text(
        trimesh.exchange.obj.export_obj(ball, include_normals=True)
    )
    flat, smooth = (shown(Mesh(src=tmp_path / name)) for name in ("flat.ply", "smooth.obj"))
    counts = [
        len(np.unique(f.normals[f.segmentation > 0].round(3), axis=0)) for f in (flat, smooth)
    ]
    assert counts[0] <= 80
    assert counts[1] > 1000


def test_colours_of_faces_and_clear_textures(tmp_path):
    box = a_mesh()
    colours = np.tile([[255, 0, 0, 255]], (len(box.faces), 1)).astype(np.uint8)
    colours[box.face_normals[:, 1] < -0.5] = (0, 0, 255, 255)
    box.visual = ColorVisuals(box, face_colors=colours)
    box.export(tmp_path / "faces.ply")
    assert centre_of(shown(Mesh(src=tmp_path / "faces.ply", **UNLIT))).tolist() == [0, 0, 255]
    pixels = np.full((4, 4, 4), (255, 0, 0, 128), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "clear.png")
    (tmp_path / "a.mtl").write_text("newmtl m\nKd 1 1 1\nmap_Kd clear.png\n")
    (tmp_path / "a.obj").write_text(
        "mtllib a.mtl\nv -1 0 -1\nv 1 0 -1\nv 1 0 1\nvt 0 0\nvt 1 0\nvt 1 1\n"
        "usemtl m\nf 1/1 2/2 3/3\n"
    )
    glass = Mesh(src=tmp_path / "a.obj", **UNLIT)
    frame = shown(Scene(Box(args=[4, 1, 4], position=[0, 2, 0], **UNLIT), glass))
    assert frame.rgb[80, 90] == pytest.approx([255, 127, 127], abs=3)


def test_pbr_factors_and_what_replaces_them(tmp_path):
    material = PBRMaterial(
        baseColorFactor=[1.0, 0.0, 0.0, 0.5],
        metallicFactor=0.0,
        roughnessFactor=0.2,
        emissiveFactor=[0.2, 0.2, 0.2],
        alphaMode="BLEND",
    )
    a_mesh(TextureVisuals(material=material)).export(tmp_path / "a.glb")
    frame = shown(Mesh(src=tmp_path / "a.glb", **UNLIT))
    assert frame.rgb[60, 80] == pytest.approx([128, 0, 0], abs=2)
    solid = shown(Mesh(src=tmp_path / "a.glb", material={"opacity": 1.0}, **UNLIT))
    assert solid.rgb[60, 80].tolist() == [255, 0, 0]
    assert not shown(Mesh()).segmentation.any()


def test_parts_of_a_file_that_are_scaled_to_nothing_are_hidden(tmp_path):
    scene = trimesh.Scene()
    scene.add_geometry(trimesh.creation.box((1, 1, 1)), node_name="seen", geom_name="seen")
    hidden = np.diag([0.0, 0.0, 0.0, 1.0])
    other = trimesh.creation.icosphere()
    scene.add_geometry(other, node_name="hidden", geom_name="hidden", transform=hidden)
    scene.export(tmp_path / "two.glb")
    engine = ComponentEngine(tmp_path / "two.glb")
    try:
        frame = engine.render(View(("fit",), ("segmentation",)))["fit"]
        low, high = engine.scene.objects.boxes[0]
    finally:
        engine.close()
    assert (frame.segmentation > 0).mean() > 0.05
    assert np.allclose(high - low, 1)
