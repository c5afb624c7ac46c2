# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="index"
"""OBJ files with several objects, and text that is not UTF-8."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import SimpleMaterial

from heliograph.camera import Camera
from heliograph.engines.components import ComponentEngine
from heliograph.engines.shared import obj
from heliograph.errors import SceneError
from heliograph.scene import Mesh
from heliograph.scene.shapes import ShapeProps
from heliograph.view import View

FRONT = Camera.look_at(
    eye=(0, -4, 0), target=(0, 0, 0), fov_y=0.8, width=160, height=120, name="front", far=100
)
UNLIT: ShapeProps = {"materialType": "basic"}
TRIANGLE = "v -1 0 -1\nv 1 0 -1\nv 1 0 1\n"


def shown(source):
    engine = ComponentEngine(source)
    try:
        return engine.render(View((FRONT,), ("rgb", "depth", "normals")))["front"]
    finally:
        engine.close()


def quad(x, visual=None):
    """A square in the xz plane, 0.8 wide, that faces the camera."""
    corners = np.array([[-0.4, 0, -0.4], [0.4, 0, -0.4], [0.4, 0, 0.4], [-0.4, 0, 0.4]])
    corners[:, 0] += x
    mesh = trimesh.Trimesh(corners, [[0, 1, 2], [0, 2, 3]], process=False)
    if visual is not None:
        mesh.visual = visual
    return mesh


def textured(x, colour):
    pixels = np.full((4, 4, 3), colour, np.uint8)
    pixels[:2] //= 2
    material = SimpleMaterial(image=Image.fromarray(pixels), diffuse=[255, 255, 255, 255])
    return quad(x, TextureVisuals(uv=[[0, 0], [1, 0], [1, 1], [0, 1]], material=material))


def test_every_object_keeps_its_texture_and_colours(tmp_path):
    coloured = quad(1.0)
    colours = np.array([[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255], [255] * 4], np.uint8)
    coloured.visual = ColorVisuals(coloured, vertex_colors=colours)
    things = [textured(-1.0, (240, 40, 40)), textured(0.0, (40, 240, 40)), coloured]
    scene = trimesh.Scene(things)
    scene.export(tmp_path / "a.obj")
    from_obj = shown(Mesh(src=tmp_path / "a.obj", **UNLIT)).rgb.astype(int)
    coloured.visual.vertex_colors = np.where(colours > 0, 255, 0)  # the same in linear light
    scene.export(tmp_path / "a.glb")
    from_glb = shown(Mesh(src=tmp_path / "a.glb", up="z", **UNLIT)).rgb
    assert np.abs(from_obj - from_glb).max() <= 2
    assert len(np.unique(from_obj.reshape(-1, 3), axis=0)) > 50
    (tmp_path / "merged.obj").write_text(
        (tmp_path / "a.obj").read_text().replace("\no ", "\ng ")  # and groups
    )
    assert np.array_equal(shown(Mesh(src=tmp_path / "merged.obj", **UNLIT)).rgb, from_obj)


@pytest.mark.parametrize("suffix", [".obj", ".stl", ".ply"])
def test_text_that_is_not_utf_8(tmp_path, suffix):
    plain, odd = tmp_path / f"plain{suffix}", tmp_path / f"odd{suffix}"
    mesh = trimesh.creation.box()
    if suffix == ".obj":
        (tmp_path / "größe.mtl").write_bytes("newmtl größe\n# Grün\nKd 0 1 0\n".encode("latin-1"))
        text = f"# Würfel\nmtllib größe.mtl\n{TRIANGLE}usemtl größe\nf 1 2 3\n"
    elif suffix == ".stl":
        text = trimesh.exchange.stl.export_stl_ascii(mesh).replace("solid", "solid Würfel", 1)
    else:
        text = trimesh.exchange.ply.export_ply(mesh, encoding="ascii").decode()
        text = text.replace("element vertex", "comment Würfel\nelement vertex", 1)
    plain.write_text(text, encoding="utf-8")
    odd.write_text(text, encoding="latin-1")
    frame = shown(Mesh(src=odd, **UNLIT))
    assert np.isfinite(frame.depth).any()
    assert np.array_equal(frame.rgb, shown(Mesh(src=plain, **UNLIT)).rgb)
    if suffix == ".obj":
        assert frame.rgb[80, 90].tolist() == [0, 255, 0]


@pytest.mark.parametrize("suffix", [".stl", ".ply"])
def test_headers_of_binary_files_that_are_not_utf_8(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    trimesh.creation.box().export(path)
    before, data = shown(path).depth, path.read_bytes()
    umlaut = "Würfel".encode("latin-1")
    if suffix == ".stl":
        path.write_bytes(umlaut + data[len(umlaut) :])
    else:
        path.write_bytes(data.replace(b"\nelement", b"\ncomment " + umlaut + b"\nelement", 1))
    assert np.array_equal(shown(path).depth, before)


def test_images_that_cannot_be_shown_are_warned_of(tmp_path):
    Image.new("RGB", (4, 4), "red").save(tmp_path / "a.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    path = tmp_path / "a.obj"
    for image, corners, says in (
        ("a.png", "1 2 3", "'m' has no texture coordinates"),
        ("gone.png", "1/1 2/1 3/1", "'gone.png' of material 'm' is not there"),
        ("bad.png", "1/1 2/1 3/1", "bad.png of material 'm' is not a readable image"),
    ):
        (tmp_path / "a.mtl").write_text(f"newmtl m\nKd 0 1 0\nmap_Kd {image}\n")
        path.write_text(f"mtllib a.mtl\n{TRIANGLE}vt 0 0\nusemtl m\nf {corners}\n")
        with pytest.warns(UserWarning, match=says):
            frame = shown(Mesh(src=path, **UNLIT))
        assert frame.rgb[80, 90].tolist() == [0, 255, 0]
    mesh = textured(0.0, (255, 0, 0))
    mesh.visual.uv = None
    mesh.export(tmp_path / "a.glb")
    with pytest.warns(UserWarning, match="no texture coordinates"):
        shown(tmp_path / "a.glb")


def test_forms_of_faces(tmp_path):
    path = tmp_path / "a.obj"
    path.write_text(
        "v 0 0 0 1 0 0\nv 1 0 0 # a comment\nv 1 0 1\nv 0 0 1 1\nvt 0\nvt 1\nvn 0 -2 0\r\n"
        "f 1 2 \\\n3 4\nf -4//-1 -3//-1 -2//-1\nf 1/1 2/2 3/2\nf 1/1/1 2/2/1 3/1/1\n"
        "f 1/1 2 3\nf 1 2\n"
    )
    pieces = obj.read(path)
    # Vertices alone (a quad and the mixed one), with normals, with uvs, with both.
    assert [len(piece.triangles) for piece in pieces] == [3, 1, 1, 1]
    assert [piece.uvs is not None for piece in pieces] == [False, False, True, True]
    assert [piece.normals is not None for piece in pieces] == [False, True, False, True]
    for piece in pieces:
        corners = piece.positions[piece.triangles]
        assert np.allclose(np.cross(*(corners[:, 1:] - corners[:, :1]).swapaxes(0, 1))[:, 1], -1)
        assert (piece.colours[(piece.positions == 0).all(1)] == [1, 0, 0]).all()
        assert (piece.colours[piece.positions[:, 0] > 0] == 1).all()
    shown(path)


@pytest.mark.parametrize("faces", ["f 1 2 9", "f 1 2 -9", "f 0 1 2", "f a b c", "f 1/9 2/9 3/9"])
def test_faces_that_name_nothing_are_refused(tmp_path, faces):
    path = tmp_path / "a.obj"
    path.write_text(f"{TRIANGLE}vt 0 0\n{faces}\n")
    with pytest.raises(SceneError, match="not a readable OBJ file"):
        ComponentEngine(path)


def test_materials_of_an_mtl_file(tmp_path):
    path = tmp_path / "a.mtl"
    path.write_text(
        "Kd 1 1 1\nnewmtl one\n\tKd\t0.2 0.4 2\nd 0.5\nnewmtl two words\nKd 0.5\n"
        "Kd spectral a.rfl\nd -halo 0.3\n"
    )
    found = {name: each.properties for name, each in obj.materials(path).items()}
    assert found["one"] == {"color": (0.2, 0.4, 1.0), "opacity": 0.5}
    assert found["two words"] == {"color": (0.5, 0.5, 0.5)}
