# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type, union-attr"
"""Materials of glTF files: factors, textures and how they lie, extensions, what is missing."""

from __future__ import annotations

import json
import struct
import warnings
from base64 import b64encode
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

import heliograph as hg
from component_scenes import FRONT, shown
from heliograph.engines.components import ComponentEngine
from heliograph.engines.shared import meshes
from heliograph.errors import SceneError
from heliograph.raster.types import SAME_UV, SMOOTH, Sampler, Use, Wrap
from heliograph.scene import AmbientLight, Mesh, Scene

CORNERS = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0.0]])  # faces +z, comes forward
FACES = [[0, 1, 2], [0, 2, 3]]


def picture(seed, size=(4, 4)):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (*size, 3), dtype=np.uint8)


PICTURES = {
    name: picture(seed)
    for seed, name in enumerate(
        (
            "baseColorTexture",
            "metallicRoughnessTexture",
            "normalTexture",
            "occlusionTexture",
            "emissiveTexture",
        )
    )
}


FOUR_COLOURS = np.array([[[200, 30, 30], [30, 200, 30]], [[30, 30, 200], [200, 200, 30]]], np.uint8)


def quad(path, material=None, **said):
    """A square 2 m wide in a .glb file, with texture coordinates from corner to corner."""
    mesh = trimesh.Trimesh(CORNERS, FACES, process=False)
    material = material or PBRMaterial(**said)
    mesh.visual = TextureVisuals(uv=CORNERS[:, :2] / 2 + 0.5, material=material)
    mesh.export(path)
    return path


def whole(path):
    """The square with a texture for each use."""
    return quad(path, **{name: Image.fromarray(pixels) for name, pixels in PICTURES.items()})


def changed(path, change):
    """Change what the JSON of a .glb file says."""
    data = path.read_bytes()
    length = struct.unpack_from("<I", data, 12)[0]
    said = json.loads(data[20 : 20 + length])
    change(said)
    text = json.dumps(said).encode()
    text += b" " * (-len(text) % 4)
    rest = data[20 + length :]
    head = struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text) + len(rest), len(text), b"JSON")
    path.write_bytes(head + text + rest)
    return path


def material_of(said):
    return said["materials"][0]


def infos(said):
    """What the material says of each of its textures."""
    material = material_of(said)
    both = {**material, **material["pbrMetallicRoughness"]}
    return {name: both[name] for name in PICTURES}


def test_all_textures_of_a_material_are_read(tmp_path):
    (part,) = meshes.load(whole(tmp_path / "a.glb"))
    assert np.array_equal(part.texture.pixels, PICTURES["baseColorTexture"])
    layers = {layer.use: layer for layer in part.texture.layers}
    for use, name in (
        (Use.METALLIC_ROUGHNESS, "metallicRoughnessTexture"),
        (Use.NORMAL, "normalTexture"),
        (Use.OCCLUSION, "occlusionTexture"),
        (Use.EMISSIVE, "emissiveTexture"),
    ):
        assert np.array_equal(layers[use].pixels, PICTURES[name])
        assert (layers[use].sampler, layers[use].uv_map) == (SMOOTH, SAME_UV)
        assert layers[use].strength == (1.0, 1.0)
    assert len(layers) == 4


def test_factors_that_a_file_does_not_give_are_those_of_gltf(tmp_path):
    quad(tmp_path / "a.glb")
    changed(tmp_path / "a.glb", lambda said: said.update(materials=[{}]))
    (part,) = meshes.load(tmp_path / "a.glb")
    trimesh.Trimesh(CORNERS, FACES, process=False).export(tmp_path / "b.glb")
    (bare,) = meshes.load(tmp_path / "b.glb")
    assert (
        part.material
        == bare.material
        == {
            "color": (1.0, 1.0, 1.0),
            "opacity": 1.0,
            "emissive": (0.0, 0.0, 0.0),
            "emissiveIntensity": 1.0,
            "side": "front",
            "roughness": 1.0,
            "metalness": 1.0,
        }
    )
    assert part.kind == bare.kind == "standard"
    assert part.texture is bare.texture is None


def test_factors_are_linear_and_strengths_are_kept(tmp_path):
    def change(said):
        material_of(said).update(
            pbrMetallicRoughness={
                "baseColorFactor": [0.5, 0.0031308, 1.0, 0.25],
                "metallicFactor": 0.25,
                "roughnessFactor": 0.75,
                "baseColorTexture": {"index": 0},
            },
            emissiveFactor=[0.0, 0.2158605, 1.0],
            extensions={"KHR_materials_emissive_strength": {"emissiveStrength": 7.5}},
            alphaMode="BLEND",
            doubleSided=True,
            name="shiny",
        )
        material_of(said)["normalTexture"] |= {"scale": -0.5}
        material_of(said)["occlusionTexture"] |= {"strength": 0.25}
        said["extensionsUsed"] = ["KHR_materials_emissive_strength"]

    (part,) = meshes.load(changed(whole(tmp_path / "a.glb"), change))
    material = part.material
    assert material["color"] == pytest.approx((0.735357, 0.04045, 1.0), abs=1e-5)
    assert material["emissive"] == pytest.approx((0.0, 0.501961, 1.0), abs=1e-5)
    assert (material["opacity"], material["side"]) == (0.25, "double")
    assert (material["metalness"], material["roughness"]) == (0.25, 0.75)
    assert material["emissiveIntensity"] == 7.5
    strengths = {layer.use: layer.strength for layer in part.texture.layers}
    assert strengths[Use.NORMAL] == (-0.5, -0.5)
    assert strengths[Use.OCCLUSION][0] == 0.25


@pytest.mark.parametrize(
    ("said", "opacity", "test", "channels"),
    [
        ({}, 1.0, None, 3),
        ({"alphaMode": "OPAQUE"}, 1.0, None, 3),
        ({"alphaMode": "BLEND"}, 0.5, None, 4),
        ({"alphaMode": "MASK"}, 0.5, 0.5, 4),
        ({"alphaMode": "MASK", "alphaCutoff": 0.25}, 0.5, 0.25, 4),
        ({"alphaMode": "MASK", "alphaCutoff": 0.0}, 1.0, None, 4),
    ],
)
def test_what_alpha_does(tmp_path, said, opacity, test, channels):
    pixels = np.dstack([picture(0), picture(1)[:, :, :1]])
    quad(tmp_path / "a.glb", baseColorTexture=Image.fromarray(pixels))

    def change(document):
        material_of(document)["pbrMetallicRoughness"]["baseColorFactor"] = [1, 1, 1, 0.5]
        material_of(document).pop("alphaMode", None)
        material_of(document).update(said)

    (part,) = meshes.load(changed(tmp_path / "a.glb", change))
    assert (part.material["opacity"], part.material.get("alphaTest")) == (opacity, test)
    assert np.array_equal(part.texture.pixels, pixels[:, :, :channels])


def test_an_unlit_material_is_basic_unless_told_otherwise(tmp_path):
    quad(tmp_path / "a.glb", baseColorFactor=[1.0, 0.0, 0.0, 1.0])

    def change(said):
        material_of(said)["extensions"] = {"KHR_materials_unlit": {}}
        said["extensionsUsed"] = said["extensionsRequired"] = ["KHR_materials_unlit"]

    changed(tmp_path / "a.glb", change)
    assert meshes.load(tmp_path / "a.glb")[0].kind == "basic"
    assert shown(Mesh(src=tmp_path / "a.glb")).rgb[60, 80].tolist() == [255, 0, 0]
    lit = Mesh(src=tmp_path / "a.glb", materialType="standard")
    assert shown(Scene(lit, AmbientLight(intensity=0))).rgb[60, 80].tolist() == [0, 0, 0]


def spec(uv, offset=(0.0, 0.0), rotation=0.0, scale=(1.0, 1.0)):
    """KHR_texture_transform of glTF's coordinates: turned counter-clockwise as they are seen."""
    u, v = np.multiply(uv, scale)
    seen = (u + 1j * -v) * np.exp(1j * rotation)  # v runs downwards
    return np.array([seen.real, -seen.imag]) + offset


@pytest.mark.parametrize("name", PICTURES)
def test_textures_lie_as_khr_texture_transform_says(tmp_path, name):
    moved = {"offset": [0.3, -0.7], "rotation": 0.4, "scale": [2.0, 3.0]}

    def change(said):
        infos(said)[name]["extensions"] = {"KHR_texture_transform": moved}
        said["extensionsUsed"] = ["KHR_texture_transform"]

    (part,) = meshes.load(changed(whole(tmp_path / "a.glb"), change))
    lying = [part.texture.uv_map, *(layer.uv_map for layer in part.texture.layers)]
    turned = lying[list(PICTURES).index(name)]
    assert sum(each == SAME_UV for each in lying) == 4
    for u, v in ((0.0, 0.0), (1.0, 0.0), (0.2, 0.9)):
        across, down = spec((u, 1 - v), **moved)
        assert np.array(turned) @ [u, v, 1] == pytest.approx([across, 1 - down])


def test_a_map_that_lies_otherwise_than_the_files_own_is_refused_by_name(tmp_path):
    def turned(said):
        transform = {"KHR_texture_transform": {"scale": [2, 2]}}
        infos(said)["metallicRoughnessTexture"]["extensions"] = transform

    path = str(changed(whole(tmp_path / "a.glb"), turned))
    scene = Scene(Mesh(key="m", src=path, material={"roughnessMap": picture(1)}))
    with pytest.raises(SceneError) as told:
        ComponentEngine(scene)
    names = "material.roughnessMap and the metallicRoughnessTexture of its file: expected two maps"
    assert names in str(told.value)
    assert "metalnessMap" not in str(told.value)


def test_samplers_are_read(tmp_path):
    def change(said):
        said["samplers"] = [
            {"wrapS": 33071, "wrapT": 33648, "magFilter": 9728},
            {"wrapT": 33071, "magFilter": 9729, "minFilter": 9984},
        ]
        numbers = {name: info["index"] for name, info in infos(said).items()}
        said["textures"][numbers["baseColorTexture"]]["sampler"] = 0
        said["textures"][numbers["normalTexture"]]["sampler"] = 1

    (part,) = meshes.load(changed(whole(tmp_path / "a.glb"), change))
    assert part.texture.sampler == Sampler(Wrap.CLAMP, Wrap.MIRROR, nearest=True)
    samplers = {layer.use: layer.sampler for layer in part.texture.layers}
    assert samplers[Use.NORMAL] == Sampler(Wrap.REPEAT, Wrap.CLAMP, nearest=False)
    assert samplers[Use.EMISSIVE] == SMOOTH


def test_extensions_that_are_not_drawn_are_named_once(tmp_path):
    def change(said):
        material_of(said)["extensions"] = {"KHR_materials_clearcoat": {"clearcoatFactor": 1}}
        said["extensionsUsed"] = ["KHR_materials_clearcoat", "KHR_texture_transform", "ACME_wax"]
        said["nodes"] = [{"mesh": 0}, {"mesh": 0, "translation": [0, 0, -1]}]
        said["scenes"] = [{"nodes": [0, 1]}]

    path = changed(whole(tmp_path / "a.glb"), change)
    with pytest.warns(UserWarning, match="drawn without") as caught:
        parts = meshes.load(path)
    assert len(parts) == 2
    assert [str(each.message) for each in caught] == [
        f"{path}: drawn without ACME_wax, KHR_materials_clearcoat: not supported"
    ]


def test_an_extension_that_holds_the_vertices(tmp_path):
    def compress(said):
        said["extensionsUsed"] = said["extensionsRequired"] = ["KHR_draco_mesh_compression"]
        primitive = said["meshes"][0]["primitives"][0]
        primitive["extensions"] = {
            "KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {"POSITION": 0}}
        }
        for accessor in said["accessors"]:
            accessor.pop("bufferView", None)

    path = changed(quad(tmp_path / "a.glb"), compress)
    with pytest.raises(SceneError) as caught:
        ComponentEngine(path)
    assert str(caught.value) == (
        f"Mesh 'a' src: {path}: needs KHR_draco_mesh_compression, not supported; save it without"
    )

    def require(said):
        said["extensionsUsed"] = said["extensionsRequired"] = ["KHR_texture_basisu"]

    with pytest.warns(UserWarning, match="drawn without KHR_texture_basisu"):
        assert meshes.load(changed(quad(tmp_path / "b.glb"), require))


def test_textures_that_cannot_be_shown_are_named(tmp_path):
    def change(said):
        material_of(said)["name"] = "wood"
        both = infos(said)
        both["normalTexture"]["texCoord"] = 1
        both["emissiveTexture"]["extensions"] = {"KHR_texture_transform": {"texCoord": 2}}
        both["occlusionTexture"]["extensions"] = {
            "KHR_texture_transform": {"offset": [float("nan"), 0]}
        }
        source = said["textures"][both["metallicRoughnessTexture"]["index"]]["source"]
        said["images"][source] = {"uri": "none.png"}

    path = changed(whole(tmp_path / "a.glb"), change)
    with pytest.warns(UserWarning, match="is not shown") as caught:
        (part,) = meshes.load(path)
    start = f"{path}: the {{}} of material 'wood' is not shown: "
    assert sorted(str(each.message) for each in caught) == sorted(
        [
            start.format("normalTexture")
            + "it uses TEXCOORD_1; of texture coordinates TEXCOORD_0 is read",
            start.format("emissiveTexture")
            + "it uses TEXCOORD_2; of texture coordinates TEXCOORD_0 is read",
            start.format("occlusionTexture") + "its KHR_texture_transform is not finite",
            start.format("metallicRoughnessTexture")
            + "its image is missing or not a readable image",
        ]
    )
    assert part.texture.layers == ()
    assert np.array_equal(part.texture.pixels, PICTURES["baseColorTexture"])


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"metallicFactor": float("nan")}, "metallicFactor: expected a finite number, got nan"),
        ({"roughnessFactor": "high"}, "roughnessFactor: expected a finite number, got 'high'"),
        ({"baseColorFactor": [1, 1]}, "baseColorFactor: expected 4 numbers, got 2"),
    ],
)
def test_numbers_of_a_material_that_are_none(tmp_path, said, says):
    path = quad(tmp_path / "a.glb")
    changed(path, lambda document: material_of(document).update(pbrMetallicRoughness=said))
    with pytest.raises(SceneError, match=rf"a\.glb: not a readable GLB file \({says}\)"):
        meshes.load(path)


def test_numbers_beyond_their_range_are_at_its_end(tmp_path):
    beyond = {"metallicFactor": 1.5, "roughnessFactor": -3, "baseColorFactor": [2, -1, 0, 9]}
    path = quad(tmp_path / "a.glb")
    changed(path, lambda said: material_of(said).update(pbrMetallicRoughness=beyond))
    (part,) = meshes.load(path)
    assert (part.material["metalness"], part.material["roughness"]) == (1.0, 0.0)
    assert part.material["color"] == (1.0, 0.0, 0.0)


def test_colours_of_vertices_multiply_the_material(tmp_path):
    path = tmp_path / "a.glb"
    mesh = trimesh.Trimesh(CORNERS, FACES, process=False)
    mesh.visual.vertex_colors = np.array([[255, 188, 0, 128]] * 4, np.uint8)
    mesh.export(path)
    (bare,) = meshes.load(path)
    assert bare.material["opacity"] == 1.0  # opaque, as its material, glTF's default, is

    def change(said):
        said["materials"] = [
            {"pbrMetallicRoughness": {"baseColorFactor": [1, 0.5, 1, 1], "roughnessFactor": 0.5}}
        ]
        said["meshes"][0]["primitives"][0]["material"] = 0

    (part,) = meshes.load(changed(path, change))
    assert part.material["roughness"] == 0.5
    assert part.material["color"] == pytest.approx(
        (1.0, 1.055 * (188 / 255 * 0.5) ** (1 / 2.4) - 0.055, 0.0), abs=2e-3
    )


def test_colours_of_vertices_multiply_images(tmp_path):
    mesh = trimesh.Trimesh(CORNERS, FACES, process=False)
    material = PBRMaterial(baseColorTexture=Image.fromarray(FOUR_COLOURS))
    mesh.visual = TextureVisuals(uv=CORNERS[:, :2] / 2 + 0.5, material=material)
    mesh.export(tmp_path / "a.glb")

    def colour(said):  # the positions, of which there are as many
        attributes = said["meshes"][0]["primitives"][0]["attributes"]
        attributes["COLOR_0"] = attributes["POSITION"]

    (part,) = meshes.load(changed(tmp_path / "a.glb", colour))
    assert np.array_equal(part.texture.pixels, FOUR_COLOURS)
    want = np.clip(CORNERS, 0, 1)  # linear, as glTF has them
    assert part.geometry.colours is not None
    assert np.abs(part.geometry.colours[:, :3] - want).max() < 5e-3


def test_a_gltf_file_beside_its_images(tmp_path):
    quad_path = whole(tmp_path / "a.glb")
    files = trimesh.exchange.gltf.export_gltf(trimesh.load_scene(quad_path))
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    (part,) = meshes.load(tmp_path / "model.gltf")
    assert np.array_equal(part.texture.pixels, PICTURES["baseColorTexture"])
    assert len(part.texture.layers) == 4


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int8, np.int16])
@pytest.mark.parametrize("normalized", [True, False])
def test_vertices_of_whole_numbers(tmp_path, dtype, normalized):
    """Quantized by hand: numbers of 8 or 16 bits, four bytes apart as the extension asks."""
    path = quad(tmp_path / "a.glb")
    (plain,) = meshes.load(path)
    top = np.iinfo(dtype).max if normalized else 1
    coordinates = np.asarray(plain.geometry.uvs) * [1, -1] + [0, 1]  # v runs downwards in the file
    rows = np.zeros((4, 2 if np.dtype(dtype).itemsize == 2 else 4), dtype)
    rows[:, :2] = np.round(coordinates * top)
    data = path.read_bytes()
    length = struct.unpack_from("<I", data, 12)[0]
    said, binary = json.loads(data[20 : 20 + length]), data[28 + length :]
    primitive = said["meshes"][0]["primitives"][0]
    said["bufferViews"].append(
        {"buffer": 0, "byteOffset": len(binary), "byteLength": 16, "byteStride": 4}
    )
    kinds = {np.int8: 5120, np.uint8: 5121, np.int16: 5122, np.uint16: 5123}
    accessor = {"bufferView": len(said["bufferViews"]) - 1, "count": 4, "type": "VEC2"}
    accessor |= {"componentType": kinds[dtype], "normalized": normalized}
    said["accessors"].append(accessor)
    primitive["attributes"]["TEXCOORD_0"] = len(said["accessors"]) - 1
    said["extensionsUsed"] = said["extensionsRequired"] = ["KHR_mesh_quantization"]
    said["buffers"][0]["byteLength"] = len(binary) + 16
    text = json.dumps(said).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    chunks += struct.pack("<I4s", len(binary) + 16, b"BIN\0") + binary + rows.tobytes()
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
    (part,) = meshes.load(path)
    assert np.allclose(part.geometry.uvs, plain.geometry.uvs, atol=1e-6)
    assert np.array_equal(part.geometry.positions, plain.geometry.positions)
    beside = binary + rows.tobytes()
    (tmp_path / "beside.bin").write_bytes(beside)
    for uri in ("beside.bin", "data:application/gltf-buffer;base64," + b64encode(beside).decode()):
        buffers = [{"uri": uri, "byteLength": len(beside)}]
        (tmp_path / "b.gltf").write_text(json.dumps({**said, "buffers": buffers}))
        (part,) = meshes.load(tmp_path / "b.gltf")
        assert np.allclose(part.geometry.uvs, plain.geometry.uvs, atol=1e-6)
    for name, value in (("count", 5), ("count", 10**12), ("byteOffset", 4), ("byteOffset", -999)):

        def break_off(said, name=name, value=value):
            said["accessors"][-1] = {**accessor, name: value}

        with pytest.raises(SceneError, match=r"a\.glb: not a readable GLB file \(its vertices are"):
            meshes.load(changed(path, break_off))
    changed(path, lambda said: said["bufferViews"][-1].update(byteStride=0))
    with pytest.raises(SceneError, match=r"a\.glb: not a readable GLB file \(its vertices are"):
        meshes.load(path)


def test_nothing_is_warned_of_in_a_plain_file(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        meshes.load(Path(whole(tmp_path / "a.glb")))


@pytest.mark.parametrize("name", ["baseColorTexture", "emissiveTexture"])
def test_a_moved_texture_shows_its_texels_there(tmp_path, name):
    """The base unlit, or a glow on black in the dark; the other texture lies as it did."""
    images = {name: FOUR_COLOURS, "normalTexture": PICTURES["normalTexture"]}
    path = quad(tmp_path / "a.glb", **{n: Image.fromarray(each) for n, each in images.items()})
    # A quarter turn: the upper left of the surface shows what is at the lower left.
    moved = {"rotation": np.pi / 2, "offset": [0, 1]}

    def change(said):
        material = material_of(said)
        info = {**material, **material.get("pbrMetallicRoughness", {})}[name]
        info["extensions"] = {"KHR_texture_transform": moved}
        material["emissiveFactor"] = [1, 1, 1] if name == "emissiveTexture" else [0, 0, 0]
        said["samplers"] = [{"magFilter": 9728}]
        said["textures"][info["index"]]["sampler"] = 0
        said["extensionsUsed"] = ["KHR_texture_transform"]

    kind = "standard" if name == "emissiveTexture" else "basic"
    mesh = Mesh(src=changed(path, change), materialType=kind)
    frame = shown(Scene(mesh, AmbientLight(intensity=0)))
    for x, z in ((-0.5, 0.5), (0.5, 0.5), (-0.5, -0.5), (0.5, -0.5)):
        across, down = spec(((x + 1) / 2, (1 - z) / 2), **moved)
        column, row = FRONT.project(np.array([x, 0, z])).astype(int)
        texel = FOUR_COLOURS[int(down * 2), int(across * 2)]
        assert np.abs(frame.rgb[row, column].astype(int) - texel).max() <= 1


def test_the_materials_of_files_are_those_of_the_scene(tmp_path):
    path = quad(
        tmp_path / "a.glb",
        baseColorFactor=[255, 128, 0, 255],
        roughnessFactor=0.25,
        **{name: Image.fromarray(pixels) for name, pixels in PICTURES.items()},
    )
    scene = hg.Scene(
        hg.Mesh(key="own", src=str(path)),
        hg.Mesh(key="rough", src=str(path), material={"roughness": 0.75, "aoMap": FOUR_COLOURS}),
    )
    with hg.open(scene, size=(16, 16)) as renderer:
        materials = {each.name: each for each in renderer.scene.materials}
        worn = dict(
            zip(renderer.scene.objects.names, renderer.scene.objects.materials, strict=True)
        )
    own, rough = materials[worn["own"]], materials[worn["rough"]]
    assert (own.kind, own.metallic, own.roughness) == ("standard", 1.0, 0.25)
    assert own.base_color == pytest.approx((1, 0.737, 0, 1), abs=3e-3)  # glTF's factors are linear
    uses = {each.use: each.image for each in own.textures}
    assert uses.keys() == {
        "base_color", "metallic", "roughness", "normal", "occlusion", "emissive"
    }  # fmt: skip
    assert uses["metallic"] == uses["roughness"]
    assert rough.roughness == 0.75
    other = {each.use: each.image for each in rough.textures}
    assert {use for use in uses if uses[use] != other[use]} == {"occlusion"}
