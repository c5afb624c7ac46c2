"""What pages may fetch: registered files with what they name, and nothing else."""

import gc
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heliograph as hg
from heliograph.engines.web.assets import AssetStore, content
from heliograph.engines.web.rows import row_of
from heliograph.engines.web.server import confined
from heliograph.errors import InvalidValueError, SceneError

PIXELS = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


@pytest.fixture
def model(tmp_path: Path) -> Any:
    """A folder with a glTF file, what it names inside and outside of it, and a stranger."""
    folder = tmp_path / "models"
    (folder / "textures").mkdir(parents=True)
    (tmp_path / "outside.bin").write_bytes(b"secret")
    (folder / "a.bin").write_bytes(b"numbers")
    (folder / "stranger.bin").write_bytes(b"not named")
    (folder / "textures" / "a b.png").write_bytes(b"pixels")
    (folder / "link.bin").symlink_to(tmp_path / "outside.bin")
    uris = ["a.bin", "../outside.bin", "link.bin", str(tmp_path / "outside.bin"), "gone.bin"]
    images = [{"uri": "textures/a%20b.png"}, {"uri": "textures/../a.bin"}]
    gltf = {"buffers": [{"uri": uri} for uri in uris], "images": images}
    (folder / "model.gltf").write_text(json.dumps(gltf))
    return folder / "model.gltf"


def test_a_file_is_found_by_its_digest_with_what_it_names_in_its_folder(model: Path) -> None:
    assets = AssetStore()
    ref = assets.register(model)
    assert (ref.url, ref.name) == (f"assets/{ref.asset}/model.gltf", "model.gltf")
    assert assets.find(ref.asset, "model.gltf") == model
    assert assets.find(ref.asset, "a.bin") == model.parent / "a.bin"
    assert assets.find(ref.asset, "textures/a b.png") == model.parent / "textures" / "a b.png"
    for name in (
        "stranger.bin",
        "gone.bin",
        "link.bin",
        "../outside.bin",
        "textures/../a.bin",
        str(model.parent.parent / "outside.bin"),
        str(model),
        "",
        ".",
    ):
        assert assets.find(ref.asset, name) is None
    assert assets.find("0" * 64, "model.gltf") is None


def test_materials_and_robots_bring_what_they_name(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "wood.png").write_bytes(b"png")
    (tmp_path / "a.mtl").write_text("newmtl a\nmap_Kd -s 1 1 1 maps/wood.png\n")
    (tmp_path / "a.obj").write_text("mtllib a.mtl\n")
    (tmp_path / "robot.urdf").write_text(
        '<robot><mesh filename="a.obj"/><mesh filename="package://a/b.stl"/></robot>'
    )
    assets = AssetStore()
    mesh, robot = assets.register(tmp_path / "a.obj"), assets.register(tmp_path / "robot.urdf")
    assert assets.find(mesh.asset, "a.mtl") == tmp_path / "a.mtl"
    assert assets.find(mesh.asset, "maps/wood.png") == tmp_path / "maps" / "wood.png"
    assert assets.find(robot.asset, "a.obj") == tmp_path / "a.obj"
    assert assets.find(robot.asset, "a.mtl") == tmp_path / "a.mtl"


def test_a_file_that_changed_has_another_digest_and_is_not_found_by_the_old_one(
    tmp_path: Path,
) -> None:
    path, assets = tmp_path / "a.bin", AssetStore()
    path.write_bytes(b"one")
    first = assets.register(path)
    path.write_bytes(b"other")
    assert assets.find(first.asset, "a.bin") is None
    second = assets.register(path)
    assert second.asset != first.asset
    assert assets.find(first.asset, "a.bin") is None
    assert assets.find(second.asset, "a.bin") == path
    path.unlink()
    assert assets.find(second.asset, "a.bin") is None
    with pytest.raises(SceneError, match=r"a\.bin: no such file"):
        assets.register(path)


def test_a_file_that_changes_all_the_time_leaves_one_entry(tmp_path: Path) -> None:
    path, assets = tmp_path / "a.bin", AssetStore()
    for number in range(50):
        path.write_bytes(bytes([number]) * 100)
        assets.register(path)
    assert len(assets._paths) == 1


def test_two_files_of_one_content_are_both_found(tmp_path: Path) -> None:
    for name in ("a.png", "b c#.png"):
        (tmp_path / name).write_bytes(b"same")
    assets = AssetStore()
    refs = [assets.register(tmp_path / name) for name in ("a.png", "b c#.png")]
    assert refs[1].url.endswith("/b%20c%23.png")
    for ref in refs:
        found = assets.find(ref.asset, ref.name)
        assert found is not None
        assert found.name == ref.name


def test_equal_arrays_have_one_hash_and_are_not_kept_alive() -> None:
    assets = AssetStore()
    mesh = hg.Mesh(vertices=np.eye(3), faces=[[0, 1, 2]])
    vertices = mesh.props["vertices"]
    ref = assets.array(vertices)
    assert (ref.dtype, ref.shape) == ("float32", [3, 3])
    assert assets.array(vertices) is ref
    assert assets.array(np.eye(3)).blob == ref.blob
    assert content(vertices).tobytes() == np.eye(3, dtype=np.float32).tobytes()
    del mesh, vertices
    gc.collect()
    assert not assets._hashed


def test_an_array_that_may_change_is_hashed_each_time() -> None:
    assets, array = AssetStore(), np.zeros(4)
    before = assets.array(array).blob
    array[0] = 1
    assert assets.array(array).blob != before


@pytest.mark.parametrize(
    ("dtype", "sent"),
    [
        ("<f8", "float32"),
        (">f8", "float32"),
        (">f4", "float32"),
        ("<f2", "float32"),
        ("<i8", "int32"),
        ("<u2", "uint16"),
        ("<i2", "int32"),
        ("|b1", "uint8"),
        ("|u1", "uint8"),
    ],
)
def test_arrays_are_sent_as_what_pages_know(dtype: str, sent: str) -> None:
    array = np.array([[0, 1], [1, 1]], dtype)[:, ::-1]
    assert str(content(array).dtype) == sent == AssetStore().array(array).dtype
    assert content(array).flags.c_contiguous
    assert content(array).tolist() == [[1, 0], [1, 1]]


def test_a_component_as_a_row(tmp_path: Path) -> None:
    (tmp_path / "wood.png").write_bytes(b"png")
    wood = str(tmp_path / "wood.png")
    look: Any = {"color": "red", "map": {"image": wood, "repeat": (2, 1)}, "aoMap": PIXELS}
    box = hg.Box(key="box", position=(1, 2, 3), depth=2, material=look, visible=False)
    assets = AssetStore()
    row, blobs = row_of(box, "scene", 4, assets)
    image = assets.register(wood)
    ((blob, pixels),) = blobs.items()
    assert (row.key, row.parent, row.tag, row.id) == ("box", "scene", "Box", 4)
    assert row.props == {
        "position": [1.0, 2.0, 3.0],
        "depth": 2.0,
        "visible": False,
        "material": {
            "color": [1.0, 0.0, 0.0],
            "map": {
                "image": {"asset": image.asset, "url": image.url, "name": "wood.png"},
                "repeat": [2.0, 1.0],
            },
            "aoMap": {"blob": blob, "dtype": "uint8", "shape": [4, 4, 3]},
        },
    }
    assert (pixels == PIXELS).all()


def test_scenes_and_meshes_as_rows(tmp_path: Path) -> None:
    (tmp_path / "sky.hdr").write_bytes(b"light")
    (tmp_path / "bear.glb").write_bytes(b"bear")
    assets = AssetStore()
    around = np.ones((2, 4, 3))
    given, _ = row_of(hg.Scene(environment={"sky": "white"}), None, 0, assets)
    assert given.props == {"environment": dict.fromkeys(("sky", "horizon", "ground"), [1.0] * 3)}
    file, _ = row_of(hg.Scene(environment=str(tmp_path / "sky.hdr")), None, 0, assets)
    assert file.props["environment"]["name"] == "sky.hdr"
    array, blobs = row_of(hg.Scene(environment=around), None, 0, assets)
    assert array.props["environment"]["shape"] == [2, 4, 3]
    assert [*blobs] == [array.props["environment"]["blob"]]
    mesh, _ = row_of(hg.Mesh(key="bear", src=str(tmp_path / "bear.glb"), up="z"), "a", 1, assets)
    assert mesh.props["src"]["url"].endswith("/bear.glb")
    assert mesh.props["up"] == "z"


def test_what_a_page_cannot_be_sent_is_refused_by_name(tmp_path: Path) -> None:
    assets = AssetStore()
    missing = hg.Mesh(key="bear", src=str(tmp_path / "bear.glb"))
    with pytest.raises(SceneError, match=r"Mesh 'bear' src: .*bear\.glb: no such file"):
        row_of(missing, None, 1, assets)
    textured = hg.Box(
        key="b", material={"map": {"image": str(tmp_path / "no.png"), "offset": (1, 0)}}
    )
    with pytest.raises(SceneError, match=r"Box 'b' material\.map: .*no\.png"):
        row_of(textured, None, 1, assets)
    for strange in (object(), 1 << 60, 1j, np.array([1j]), np.array(["a"]), {1, 2}):
        box = hg.Box(key="b").changed(props={"material": {"color": [strange]}})
        with pytest.raises(InvalidValueError, match=r"Box 'b' material\.color: expected numbers"):
            row_of(box, None, 1, assets)
    long = hg.Box(key="b").changed(props={"ids": np.array([1 << 40])})
    with pytest.raises(InvalidValueError, match=r"Box 'b' ids: .*1099511627776"):
        row_of(long, None, 1, assets)


def test_a_folder_cannot_be_left(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (root / "sub" / "a.txt").write_text("a")
    (root / "out").symlink_to(tmp_path)
    (root / "secret").symlink_to(tmp_path / "secret")
    (root / "inside").symlink_to(root / "sub")
    (root / "circle").symlink_to(root / "circle")
    os.mkfifo(root / "pipe")
    assert confined(root, "sub/a.txt") == root / "sub" / "a.txt"
    assert confined(root, "inside/a.txt") == root / "sub" / "a.txt"
    for name in (
        "",
        ".",
        "..",
        "../secret",
        "sub/../sub/a.txt",
        "./sub/a.txt",
        "sub//a.txt",
        "sub",
        "sub/",
        "/etc/passwd",
        "//etc/passwd",
        "out/secret",
        "secret",
        "circle",
        "pipe",
        "sub\\a.txt",
        "sub/a.txt\0",
        "no.txt",
        "a" * 5000,
        "\udc80",
    ):
        assert confined(root, name) is None
