# mypy: allow-untyped-defs, allow-untyped-calls
# mypy: disable-error-code="arg-type, union-attr, typeddict-item, misc"
"""Image maps of materials: what they change, how they lie on surfaces, what is refused."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

import heliograph as hg
from component_scenes import TOP, UNLIT, shown
from heliograph.colour import encoded, linear
from heliograph.engines.components import ComponentEngine
from heliograph.engines.shared import meshes
from heliograph.engines.shared.tree import surfaces
from heliograph.errors import InvalidValueError, SceneError, UnknownNameError
from heliograph.raster.types import Use
from heliograph.scene import (
    AmbientLight,
    Box,
    Component,
    DirectionalLight,
    Material,
    MaterialTexture,
    Mesh,
    Plane,
    Scene,
    Sphere,
    Update,
    images,
)
from heliograph.scene.textures import USES, uv_map_of
from heliograph.view import View

pytestmark = pytest.mark.usefixtures("backend")

FOUR = np.array(
    [[[200, 30, 30], [30, 200, 30]], [[30, 30, 200], [200, 200, 30]]], np.uint8
)  # 2 x 2, row 0 at the top
RNG = np.random.default_rng(5)


def flat(*levels):
    """An image of one colour."""
    return np.tile(np.array(levels, np.uint8), (4, 4, 1))


def three(uv, repeat=(1, 1), offset=(0, 0), rotation=0.0, center=(0, 0)):
    """Where three.js looks a texture up: turned clockwise and repeated about its centre."""
    turned = (complex(*uv) - complex(*center)) * cmath.exp(-1j * rotation)
    return (
        turned.real * repeat[0] + center[0] + offset[0],
        turned.imag * repeat[1] + center[1] + offset[1],
    )


LIES = (
    {"repeat": (2.0, 0.5)},
    {"offset": (0.25, -0.5)},
    {"rotation": 0.7},
    {"rotation": math.pi / 2, "center": (0.5, 0.5)},
    {"repeat": (-3.0, 2.0), "offset": (0.1, 0.2), "rotation": -1.2, "center": (0.3, 0.8)},
)


def test_a_map_lies_as_in_three():
    for lying in LIES:
        rows = np.array(uv_map_of({"image": FOUR, **lying}))
        for uv in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.3, 0.6)):
            assert rows @ (*uv, 1) == pytest.approx(three(uv, **lying))
    assert uv_map_of(FOUR) == uv_map_of({"image": FOUR}) == MaterialTexture("alpha", "").uv_map


def wrapped(place, wrap):
    """A coordinate that is looked up, 0 to 1."""
    if wrap == "clamp":
        return min(max(place, 0.0), 1.0)
    return place % 1 if wrap == "repeat" else 1 - abs(place % 2 - 1)


def margin(place, wrap):
    """How far it is from the border of two texels."""
    return min(abs(place - 0.5), *((place, 1 - place) if wrap == "repeat" else ()), 1.0)


@pytest.mark.parametrize("wrap", ["repeat", "mirror", "clamp", ("mirror", "clamp")])
@pytest.mark.parametrize("lying", LIES)
def test_which_texel_shows_where(wrap, lying):
    given = {"image": FOUR, "wrap": wrap, "nearest": True, **lying}
    frame = shown(Plane(args=[2, 2], material={"map": given}, **UNLIT), TOP)
    both = (wrap, wrap) if isinstance(wrap, str) else wrap
    checked = 0
    for x, y in RNG.uniform(-0.9, 0.9, (60, 2)):
        column, row = TOP.project(np.array([x, y, 0])).astype(int)
        seen = TOP.unproject(np.array([column + 0.5, row + 0.5]), 4.0)  # the pixel's middle
        places = three((seen[:2] + 1) / 2, **lying)
        u, v = (wrapped(place, each) for place, each in zip(places, both, strict=True))
        if min(margin(u, both[0]), margin(v, both[1])) < 0.03:
            continue
        texel = FOUR[int((1 - v) * 2 - 1e-9), int(u * 2 - 1e-9)]
        assert np.abs(frame.rgb[row, column].astype(int) - texel).max() <= 1
        checked += 1
    assert checked > 30


def lit(material, **props):
    """The middle of a plane under one directional light that comes at a slant."""
    light = DirectionalLight(position=[1, 0, 1], intensity=3)
    around = AmbientLight(intensity=0.5)
    frame = shown(Scene(Plane(args=[2, 2], material=material, **props), light, around), TOP)
    return frame.rgb[60, 80].astype(int)


@pytest.mark.parametrize(
    ("mapped", "plain"),
    [
        ({"roughnessMap": flat(9, 102, 77), "roughness": 0.5}, {"roughness": 0.2}),
        ({"metalnessMap": flat(9, 77, 102), "metalness": 0.5}, {"metalness": 0.2}),
        (
            {"roughnessMap": flat(9, 102, 77), "metalnessMap": flat(1, 2, 51), "metalness": 1.0},
            {"roughness": 0.4, "metalness": 0.2},
        ),
        (
            {"emissiveMap": flat(255, 0, 128), "emissive": "white", "emissiveIntensity": 0.5},
            {"emissive": (1.0, 0.0, 128 / 255), "emissiveIntensity": 0.5},
        ),
        ({"emissiveMap": flat(255, 255, 255)}, {}),
        ({"normalMap": flat(128, 128, 255)}, {}),
        ({"aoMap": flat(0, 255, 255), "aoMapIntensity": 0.0}, {}),
        ({"map": flat(128, 64, 255), "color": "white"}, {"color": "#8040ff"}),
    ],
)
def test_an_image_of_one_colour_is_a_number(mapped, plain):
    assert (
        np.abs(lit({"color": "#c08040", **mapped}) - lit({"color": "#c08040", **plain})).max() <= 1
    )


def test_occlusion_takes_light_from_all_around_alone():
    def level(light, **material):
        frame = shown(Scene(Plane(args=[2, 2], material=material), light), TOP)
        return (frame.rgb[60, 80, 0] / 255) ** 2.2

    around, sun = AmbientLight(intensity=2), DirectionalLight(position=[0, 0, 1], intensity=2)
    half = {"aoMap": flat(128, 0, 0)}
    assert level(around, **half) / level(around) == pytest.approx(128 / 255, abs=0.02)
    quarter = level(around, **half, aoMapIntensity=0.5) / level(around)
    assert quarter == pytest.approx(1 + (128 / 255 - 1) / 2, abs=0.02)
    assert level(sun, **half) == level(sun)


def test_normals_lean_along_u_and_v():
    """A map that leans by 45 degrees is lit as a plane that does."""
    leaning = flat(128 + round(127 * math.sqrt(0.5)), 128, 128 + round(127 * math.sqrt(0.5)))

    def level(light, **material):
        plane = Plane(args=[2, 2], material=material, materialType="lambert")
        sun = DirectionalLight(position=light, intensity=2)
        return (shown(Scene(plane, sun), TOP).rgb[60, 80, 0] / 255) ** 2.2

    full = level([0, 0, 1])
    assert level([1, 0, 1], normalMap=leaning) == pytest.approx(full, rel=0.02)
    assert level([-1, 0, 1], normalMap=leaning) == pytest.approx(0, abs=0.01)
    assert level([-1, 0, 1], normalMap=leaning, normalScale=(-1, 1)) == pytest.approx(
        full, rel=0.02
    )
    up = leaning[:, :, [1, 0, 2]]
    assert level([0, 1, 1], normalMap=up) == pytest.approx(full, rel=0.02)
    assert level([0, -1, 1], normalMap=up) == pytest.approx(0, abs=0.01)
    assert level([0, -1, 1], normalMap=up, normalScale=(1, -1)) == pytest.approx(full, rel=0.02)
    turned = {"image": leaning, "rotation": math.pi / 2}  # its u runs along the plane's v
    assert level([0, 1, 1], normalMap=turned) == pytest.approx(full, rel=0.02)


def test_an_alpha_map_cuts_and_blends():
    behind = Plane(args=[4, 4], position=[0, 0, -1], color="blue", **UNLIT)

    def middle(**material):
        front = Plane(args=[2, 2], material={"color": "red", **material}, **UNLIT)
        frame = shown(Scene(behind, front), TOP)
        return frame.rgb[60, 80].tolist(), frame.depth[60, 80]

    assert middle(alphaMap=flat(255, 0, 255)) == ([0, 0, 255], 5.0)
    assert middle(alphaMap=flat(0, 255, 0)) == ([255, 0, 0], 4.0)
    clear = middle(alphaMap=flat(0, 128, 0))[0]
    assert clear == pytest.approx([128, 0, 127], abs=2)
    again = middle(alphaMap=flat(0, 128, 0), opacity=0.5)[0]
    assert again == pytest.approx([64, 0, 191], abs=2)
    assert middle(alphaMap=flat(0, 128, 0), alphaTest=0.6) == ([0, 0, 255], 5.0)
    assert middle(alphaMap=flat(0, 128, 0), alphaTest=0.4) == ([255, 0, 0], 4.0)
    half = np.dstack([flat(255, 255, 255), flat(128)])
    assert middle(map=half, alphaMap=flat(0, 128, 0))[0] == pytest.approx([64, 0, 191], abs=2)


def combined(**material):
    checked = Plane(material=material).get("material")
    return surfaces.texture(checked, images.read)


def test_maps_of_one_texture_are_made_of_one_size():
    coarse, fine = flat(0, 100, 0)[:2, :2], np.dstack([flat(1, 2, 3)] * 2)[:, :, :3]
    made = combined(map=fine.repeat(2, 0), alphaMap=coarse)
    assert made.pixels.shape == (8, 4, 4)
    assert (made.pixels[:, :, 3] == 100).all()
    (layer,) = combined(roughnessMap=flat(1, 2, 3), metalnessMap=flat(4, 5, 6)[:1]).layers
    assert layer.pixels.shape == (4, 4, 3)
    assert (layer.pixels == (255, 2, 6)).all()
    (layer,) = combined(roughnessMap=flat(1, 2, 3, 0)).layers
    assert (layer.pixels == (255, 2, 255)).all()
    placed = {"image": flat(0, 9, 0), "repeat": (2, 2)}
    made = combined(alphaMap=placed)
    assert made.uv_map == ((2, 0, 0), (0, 2, 0))
    assert combined(map=flat(1, 2, 3)[:1, :1], alphaMap=placed).uv_map == made.uv_map
    with pytest.raises(SceneError, match=r"material.map and material.alphaMap: expected two maps"):
        combined(map=flat(1, 2, 3), alphaMap=placed)
    with pytest.raises(SceneError, match=r"roughnessMap and material.metalnessMap: expected two"):
        combined(roughnessMap=flat(1, 2, 3), metalnessMap=placed)
    assert combined(color="red", normalScale=(2, 2)) is None


def test_what_is_given_takes_the_place_of_the_files_one_by_one(tmp_path):
    names = ("baseColor", "metallicRoughness", "normal", "emissive")
    own = {
        name: flat(*level) for name, level in zip(names, np.arange(12).reshape(4, 3), strict=True)
    }
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0.0]])
    quad = trimesh.Trimesh(corners, [[0, 1, 2], [0, 2, 3]], process=False)
    textures = {f"{name}Texture": Image.fromarray(pixels) for name, pixels in own.items()}
    quad.visual = TextureVisuals(corners[:, :2] / 2 + 0.5, material=PBRMaterial(**textures))
    quad.export(tmp_path / "a.glb")
    (part,) = meshes.load(tmp_path / "a.glb")

    def made(**material):
        checked = Plane(material=material).get("material")
        texture = surfaces.texture(checked, images.read, part.texture)
        return texture, {layer.use: layer for layer in texture.layers}

    texture, layers = made(map=flat(90, 91, 92))
    assert (texture.pixels == (90, 91, 92)).all()
    assert np.array_equal(layers[Use.NORMAL].pixels, own["normal"])
    assert np.array_equal(layers[Use.METALLIC_ROUGHNESS].pixels, own["metallicRoughness"])
    texture, layers = made(roughnessMap=flat(90, 91, 92), normalScale=(0.5, 2))
    assert np.array_equal(texture.pixels, own["baseColor"])
    assert (layers[Use.METALLIC_ROUGHNESS].pixels == (255, 91, 5)).all()
    assert np.array_equal(layers[Use.NORMAL].pixels, own["normal"])
    assert layers[Use.NORMAL].strength == (0.5, 2.0)
    _, layers = made(emissiveMap=flat(90, 91, 92), aoMap=flat(93, 0, 0), aoMapIntensity=0.5)
    assert (layers[Use.EMISSIVE].pixels == (90, 91, 92)).all()
    assert (layers[Use.OCCLUSION].pixels[:, :, 0] == 93).all()
    assert layers[Use.OCCLUSION].strength[0] == 0.5

    def middle(**material):
        frame = shown(Mesh(src=tmp_path / "a.glb", up="z", material=material, **UNLIT), TOP)
        return frame.rgb[60, 80].tolist()

    assert middle() == [0, 1, 2]
    assert middle(map=flat(90, 91, 92)) == [90, 91, 92]
    assert middle(aoMap=flat(90, 91, 92)) == [0, 1, 2]


def test_colours_of_vertices_and_images(tmp_path):
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0.0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    colours = np.array([[255, 0, 0], [255, 0, 0], [0, 255, 0], [0, 255, 0]], np.uint8)
    uvs = corners[:, :2] / 2 + 0.5
    given = {"image": FOUR, "nearest": True}

    def upper_left(**props):
        mesh = Mesh(material={"map": given}, **props, **UNLIT)
        return shown(mesh, TOP).rgb[50, 70].tolist()

    arrays = {"vertices": corners, "faces": faces, "colors": colours}
    painted = upper_left(**arrays)  # without texture coordinates there is no place for images
    assert painted[1] > painted[0] > painted[2] == 0
    both = encoded(linear(FOUR[0, 0] / 255) * linear(np.array(painted) / 255)) * 255
    assert np.abs(upper_left(**arrays, uvs=uvs) - both).max() <= 2
    quad = trimesh.Trimesh(corners, faces, vertex_colors=colours, process=False)
    quad.export(tmp_path / "a.ply")
    assert upper_left(src=tmp_path / "a.ply") == painted


def test_maps_are_values(tmp_path):
    material = {
        "map": {"image": FOUR, "repeat": [2, 3], "wrap": "clamp", "offset": (0, 0)},
        "aoMap": "a.png",
        "normalMap": {"image": tmp_path / "n.png", "rotation": 1},
    }
    box = Box(material=material)
    checked = box.get("material")
    assert dict(checked["map"]) == {
        "image": checked["map"]["image"],
        "repeat": (2.0, 3.0),
        "wrap": ("clamp", "clamp"),
    }
    assert box.named_files == {
        "material.normalMap": str(tmp_path / "n.png"),
        "material.aoMap": "a.png",
    }
    assert box.files == tuple(box.named_files.values())
    again = Component.from_dict(box.to_dict())
    assert again == box
    assert again.look == box.look
    same = {**material, "aoMap": {"image": "a.png", "nearest": False, "wrap": ("repeat", "repeat")}}
    assert Box(material=same) == box
    for name, value in (("repeat", (2, 4)), ("wrap", ("clamp", "mirror")), ("nearest", True)):
        assert Box(material={**material, "map": {**material["map"], name: value}}) != box
    assert box.nbytes == FOUR.nbytes
    with pytest.raises(AttributeError):
        box.material = {}
    with pytest.raises(ValueError, match="read-only"):
        checked["map"]["image"][0, 0] = 0


def test_the_textures_of_a_material():
    material = {
        "map": {"image": "a.png", "repeat": (2, 2), "nearest": True, "wrap": ("clamp", "mirror")},
        "normalMap": FOUR,
        "normalScale": (0.5, -0.5),
        "aoMap": "o.png",
        "aoMapIntensity": 0.25,
    }
    textures = {each.use: each for each in Material.of(Box(material=material)).textures}
    assert textures["base_color"] == MaterialTexture(
        "base_color", "a.png", ("clamp", "mirror"), nearest=True, uv_map=((2, 0, 0), (0, 2, 0))
    )
    assert textures["normal"].strength == (0.5, -0.5)
    assert textures["occlusion"].strength[0] == 0.25
    assert len(textures) == 3
    assert {*USES.values()} == {
        *("base_color", "alpha", "normal", "roughness", "metallic", "occlusion", "emissive")
    }
    assert hash(Material.of(Box(material=material))) == hash(Material.of(Box(material=material)))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"repeat": (1, 1)}, r"material\.map: expected an image, or a mapping with one as 'image'"),
        ({"image": "a", "repeat": 2}, r"material\.map\.repeat: expected"),
        ({"image": "a", "repeat": (1, float("nan"))}, r"material\.map\.repeat: expected"),
        ({"image": "a", "rotation": float("inf")}, r"material\.map\.rotation: expected a finite"),
        ({"image": "a", "wrap": "wrap"}, r"material\.map\.wrap: expected 'repeat' or 'mirror' or"),
        (
            {"image": "a", "wrap": ("clamp",)},
            r"material\.map\.wrap: expected 'repeat', 'mirror' or",
        ),
        ({"image": "a", "nearest": 1}, r"material\.map\.nearest: expected True or False"),
        ({"image": 3}, r"material\.map\.image: expected the path of a file, got 3"),
        (np.zeros((2, 2)), r"material\.map: expected a path or \(H, W, C\) uint8 pixels"),
    ],
)
def test_maps_that_are_refused(given, says):
    with pytest.raises(InvalidValueError, match=says):
        Box(material={"map": given})


def test_names_that_are_refused():
    with pytest.raises(UnknownNameError, match=r"property of Box material\.map.*'repeats'"):
        Box(material={"map": {"image": "a.png", "repeats": (1, 1)}})
    with pytest.raises(InvalidValueError, match="aoMapIntensity: expected a finite number from 0"):
        Box(material={"aoMapIntensity": 2})


@pytest.mark.parametrize("name", USES)
def test_a_missing_image_is_named(tmp_path, name):
    good = tmp_path / "good.png"
    Image.fromarray(FOUR).save(good)
    scene = Scene(Box(key="b", material={name: {"image": good, "repeat": (2, 2)}}))
    missing = Update(Sphere(key="s", material={name: tmp_path / "none.png"}))
    says = rf"^Sphere 's' material\.{name}: .*none\.png: no such file$"
    with pytest.raises(SceneError, match=says):
        ComponentEngine(Scene(Sphere(key="s", material={name: tmp_path / "none.png"})))
    engine = ComponentEngine(Scene(*scene.children, Sphere(key="s")))
    try:
        with pytest.raises(SceneError, match=says):
            engine.advance([missing])
        (tmp_path / "none.png").write_text("no image")
        with pytest.raises(SceneError, match=rf"^Sphere 's' material\.{name}: .* not a readable"):
            engine.advance([missing])
        Image.fromarray(FOUR).save(tmp_path / "none.png")
        engine.advance([missing])
    finally:
        engine.close()


def test_an_image_that_lies_otherwise_is_drawn_anew(tmp_path):
    Image.fromarray(FOUR).save(tmp_path / "a.png")

    def middle(engine):
        return engine.render(View((TOP,)))["top"].rgb[50, 70].tolist()

    def plane(**lying):
        given = {"image": tmp_path / "a.png", "nearest": True, **lying}
        return Plane(key="p", args=[2, 2], material={"map": given}, **UNLIT)

    engine = ComponentEngine(Scene(plane()))
    try:
        assert middle(engine) == FOUR[0, 0].tolist()
        engine.advance([Update(plane(offset=(0.5, 0)))])
        assert middle(engine) == FOUR[0, 1].tolist()
        Image.fromarray(FOUR[::-1]).save(tmp_path / "a.png")
        engine.advance([Update(plane(offset=(0.5, 0)))])
        assert middle(engine) == FOUR[1, 1].tolist()
    finally:
        engine.close()


def test_maps_open_with_everything_else(tmp_path):
    Image.fromarray(FOUR).save(tmp_path / "a.png")
    scene = Scene(Box(material=dict.fromkeys(USES, tmp_path / "a.png")))
    with hg.open(scene, size=(32, 32)) as renderer:
        assert len(renderer.scene.materials[0].textures) == len(USES)
