# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type, union-attr"
"""Lights, materials and surroundings of components as the rasterizer gets them: linear light."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

import heliograph as hg
import standard_shading as three
from component_scenes import TOP, reference_light, shown
from heliograph.engines.components import ComponentEngine
from heliograph.engines.mujoco import MujocoEngine
from heliograph.engines.shared.tree import sky
from heliograph.errors import InvalidValueError, SceneError
from heliograph.raster import Lighting, LightKind, RasterOptions, Shading, Side, ToneMapping
from heliograph.scene import EditBackground, EditLight, EditMaterial, EditMaterials, Material
from heliograph.view import View
from standard_shading import srgb_decode

pytestmark = pytest.mark.usefixtures("backend")

RED = (1.0, 0.0, 0.0)


def light_of(rgb):
    """Linear light (3,) of 0xrrggbb."""
    return srgb_decode(np.array([rgb >> 16, rgb >> 8 & 255, rgb & 255]) / 255)


@pytest.fixture
def listed(monkeypatch):
    """What the rasterizer is told to draw of a scene."""
    engines = []

    def draw_list(source, *edits, options=None):
        engine, found = source, []
        if isinstance(source, hg.Scene):
            engine = ComponentEngine(source, options=options)
            engines.append(engine)
        rasterizer = getattr(engine, "_backend", engine)._rasterizer
        monkeypatch.setattr(rasterizer, "draw", lambda things, *_: found.append(things))
        engine.render(View((TOP,), ("rgb",), edits=edits))
        return found[0]

    yield draw_list
    for engine in engines:
        engine.close()


def test_lights_have_three_js_units(listed):
    scene = hg.Scene(
        hg.DirectionalLight(color="#808080", intensity=3, size=0.01),
        hg.PointLight(color="#ff8000", intensity=2, decay=1.5, distance=7, size=0.2),
        hg.SpotLight(intensity=5, angle=0.4, penumbra=0.25, decay=0, distance=3),
    )
    things = listed(scene)
    sun, bulb, lamp = things.lights
    assert things.lighting is Lighting.STANDARD
    assert (sun.kind, sun.size) == (LightKind.DIRECTIONAL, 0.01)
    assert sun.diffuse == pytest.approx(3 * light_of(0x808080))
    assert bulb.diffuse == pytest.approx(2 * light_of(0xFF8000))
    assert (bulb.decay, bulb.distance, bulb.size) == (1.5, 7.0, 0.2)
    assert bulb.attenuation == (0.0, 0.0, 0.0)
    assert (lamp.decay, lamp.distance, lamp.attenuation) == (0.0, 3.0, (1.0, 0.0, 0.0))
    assert (lamp.cutoff, lamp.softness, lamp.exponent) == (0.4, 0.25, 0.0)
    assert (things.ambient, things.gradient) == ((0.0, 0.0, 0.0), None)


def test_light_from_everywhere_is_a_mean_and_a_gradient_along_the_hemispheres_axis(listed):
    turned = hg.HemisphereLight(
        color="#ff0000", groundColor="#0000ff", intensity=2, rotation=[math.pi / 2, 0, 0]
    )
    things = listed(hg.Scene(hg.AmbientLight(color="#808080", intensity=0.5), turned))
    assert things.lights == ()
    assert things.ambient == pytest.approx(0.5 * light_of(0x808080) + (1, 0, 1))
    assert np.array(things.gradient) == pytest.approx(np.outer((0, -1, 0), (1, 0, -1)), abs=1e-12)
    both = listed(hg.Scene(turned, hg.HemisphereLight(color="white", groundColor="black", scale=3)))
    expected = np.outer((0, -1, 0), (1, 0, -1)) + np.outer((0, 0, 1), (0.5, 0.5, 0.5))
    assert np.array(both.gradient) == pytest.approx(expected, abs=1e-12)


def test_edits_of_a_hemisphere_change_its_sides_and_its_axis(listed):
    sky_light = hg.HemisphereLight(key="sky", color="white", groundColor="black")
    scene = hg.Scene(sky_light)
    down = listed(scene, EditLight("sky", direction=(0, 0, 2)))
    assert np.array(down.gradient) == pytest.approx(np.outer((0, 0, -1), (0.5,) * 3))
    red = listed(scene, EditLight("sky", diffuse=(3, 0, 0)), EditLight("sky", ambient=(1, 0, 0)))
    assert red.ambient == (2.0, 0.0, 0.0)
    assert np.array(red.gradient) == pytest.approx(np.outer((0, 0, 1), (1, 0, 0)))
    off = listed(scene, EditLight("sky", active=False))
    assert (off.ambient, off.gradient) == ((0.0, 0.0, 0.0), None)


def test_a_light_that_an_edit_adds_is_a_spot_lights_as_far_as_it_does_not_say(listed):
    (lamp,) = listed(hg.Scene(hg.SpotLight(intensity=3))).lights
    added = EditLight("new", kind="spot", diffuse=(3, 3, 3))
    for scene in (hg.Scene(hg.AmbientLight()), hg.Scene()):
        new = listed(scene, added).lights[-1]
        assert replace(new, shadow_range=lamp.shadow_range) == lamp
    turned = EditLight("bulb", kind="spot", cutoff=0.4)
    (bulb,) = listed(hg.Scene(hg.PointLight(key="bulb")), turned).lights
    assert (bulb.exponent, bulb.decay, bulb.cutoff) == (0.0, 2.0, 0.4)


@pytest.mark.parametrize("light", [hg.PointLight, hg.SpotLight])
def test_a_light_that_ends_where_it_begins_is_refused(listed, light):
    told = (
        "'bulb': expected a distance from 1e-16 m, or 0 for a light that does not end, got 1e-100"
    )
    with pytest.raises(InvalidValueError, match=told):
        listed(hg.Scene(light(key="bulb", distance=1e-100)))
    with pytest.raises(InvalidValueError, match=told):
        listed(hg.Scene(light(key="bulb")), EditLight("bulb", distance=1e-100))
    assert listed(hg.Scene(light(distance=1e-16))).lights[0].distance == 1e-16


def test_edits_leave_the_gradient_of_what_is_lit_from_the_camera(listed):
    scene = hg.Scene(hg.Box())
    plain = listed(scene)
    same = listed(scene, EditLight("head", diffuse=plain.lights[0].diffuse))
    assert plain.gradient is not None
    assert (same.lights, same.ambient, same.gradient) == (
        plain.lights,
        plain.ambient,
        plain.gradient,
    )


def test_edits_of_lights_give_them_a_decay_a_distance_and_a_size(listed):
    scene = hg.Scene(hg.PointLight(key="bulb"))
    changed = listed(scene, EditLight("bulb", decay=3, distance=2, size=0.1)).lights[0]
    assert (changed.decay, changed.distance, changed.size) == (3.0, 2.0, 0.1)
    constant = listed(scene, EditLight("bulb", decay=0)).lights[0]
    assert (constant.decay, constant.attenuation) == (0.0, (1.0, 0.0, 0.0))
    new = listed(scene, EditLight("new", kind="point", decay=2)).lights[1]
    assert (new.decay, new.attenuation) == (2.0, (0.0, 0.0, 0.0))
    with pytest.raises(InvalidValueError, match=r"'bulb': expected lengths up to 1e\+17 m"):
        listed(scene, EditLight("bulb", distance=1e18))
    with pytest.raises(InvalidValueError, match=r"EditLight decay: .*from 0 to 100"):
        EditLight("bulb", decay=101)


def test_materials_are_columns(listed):
    boxes = [
        hg.Box(material={"color": "#808080", "metalness": 0.25, "roughness": 0.75}),
        hg.Box(materialType="phong", material={"specular": "#808080", "shininess": 60}),
        hg.Box(materialType="lambert", material={"emissive": "#800000", "emissiveIntensity": 4}),
        hg.Box(materialType="basic", material={"side": "back"}),
        hg.Box(materialType="normal", material={"side": 2}),
        hg.Box(materialType="depth"),
    ]
    instances = listed(hg.Scene(*boxes)).instances
    table, materials = instances.table, instances.materials
    kinds = ("LIT", "PHONG", "LAMBERT", "UNLIT", "NORMAL", "DEPTH")
    assert table.shading.tolist() == [Shading[kind] for kind in kinds]
    assert table.side.tolist() == [0, 0, 0, Side.BACK, Side.DOUBLE, 0]
    assert materials.rgba[0] == pytest.approx([128 / 255] * 3 + [1])
    assert materials.surface.tolist() == [[0, 0.5, 0.5, 0]] * 6
    assert materials.metallic_roughness[:2].tolist() == [[0.25, 0.75], [0, 1]]
    assert materials.highlight[1] == pytest.approx([*light_of(0x808080), 60])
    assert materials.emissive[2] == pytest.approx(4 * light_of(0x800000))
    assert listed(hg.Scene(boxes[0])).instances.materials.highlight is None


def test_edits_of_materials_say_how_metallic_and_rough_they_are(listed):
    phong = hg.Box(key="p", materialType="phong")
    engine = ComponentEngine(hg.Scene(hg.Box(key="b", material={"roughness": 0.3}), phong))
    edits = EditMaterial("b", metallic=1, roughness=0.25, emissive=(0.5, 0, 1))
    many = EditMaterials(["b"], metallic=[1], roughness=[0.25], emissive=[[0.5, 0, 1]])
    for edit in (edits, many):
        made = listed(engine, edit).instances.materials
        assert made.metallic_roughness[0].tolist() == [1, 0.25]
        assert made.emissive[0] == pytest.approx(srgb_decode([0.5, 0, 1]))
        assert made.emissive[1].tolist() == [0, 0, 0]
    shiny = listed(engine, EditMaterial("b", specular=0.7, shininess=0.5)).instances.materials
    assert np.isnan(shiny.metallic_roughness[0, 1])
    assert shiny.surface[0, 1:3] == pytest.approx([0.7, 0.5])
    rough = listed(engine, EditMaterial("b", shininess=0.5), EditMaterial("b", roughness=0.1))
    assert rough.instances.materials.metallic_roughness[0, 1] == pytest.approx(0.1)
    kept = listed(engine, EditMaterials(["b", "p"], roughness=[np.nan, 0.4])).instances.materials
    assert kept.metallic_roughness[:, 1] == pytest.approx([0.3, 0.4])
    glossy = listed(engine, EditMaterial("p", specular=0.5, shininess=0.5)).instances.materials
    assert glossy.highlight[1] == pytest.approx([*srgb_decode([0.5] * 3), 64])
    lit = listed(engine, EditMaterial("b", emissive=RED), EditMaterial("b", emission=0.5))
    assert lit.instances.materials.emissive[0].tolist() == [0, 0, 0]
    assert lit.instances.materials.surface[0, 0] == 0.5
    engine.close()


def test_mujocos_classic_look_shows_metal_and_roughness_as_highlights(listed):
    text = """<mujoco><asset><material name="m" specular="0.3" shininess="0.25"/></asset>
    <worldbody><geom name="g" type="sphere" size="1" material="m"/></worldbody></mujoco>"""
    engine = MujocoEngine(text, size=(20, 20))
    for given, expected in (
        ({"roughness": 0.5}, (0.5 * 0.4, 0.25)),
        ({"metallic": 1, "roughness": 0.2}, (0.8, 0.64)),
        ({"metallic": 0.5}, (0.5 * 0.7, 0.25)),  # its shininess says a roughness of one half
        ({"roughness": 1}, (0.0, 0.02)),
    ):
        columns = {name: [value] for name, value in given.items()}
        for edit in (EditMaterial("g", **given), EditMaterials(["g"], **columns)):
            surface = listed(engine, edit).instances.materials.surface
            assert surface[0, 1:3] == pytest.approx(expected, abs=1e-6)
    engine.close()


def test_tone_mapping_and_exposure_are_the_scenes_and_the_options(listed):
    plain = listed(hg.Scene())
    assert (plain.tone_mapping, plain.exposure) == (ToneMapping.NONE, 1.0)
    toned = hg.Scene(toneMapping="aces", exposure=2)
    made = listed(toned)
    assert (made.tone_mapping, made.exposure) == (ToneMapping.ACES, 2.0)
    other = listed(toned, options=RasterOptions(tone_mapping="neutral", exposure=1.5))
    assert (other.tone_mapping, other.exposure) == (ToneMapping.NEUTRAL, 3.0)
    updated = listed(hg.Scene(), hg.Update(hg.Scene(key="scene", exposure=0.5)))
    assert updated.exposure == 0.5


@pytest.mark.parametrize("options", [{"shading": "classic"}, {"lighting": "vertex"}])
def test_the_classic_look_is_refused(options):
    with pytest.raises(InvalidValueError, match=r"linear space.*leave both out"):
        ComponentEngine(hg.Scene(), options=RasterOptions(**options))


def test_a_sky_of_three_colours_goes_smoothly_from_one_to_the_next():
    colours = {"sky": (0.2, 0.4, 1.0), "horizon": (1.0, 1.0, 1.0), "ground": (0.3, 0.2, 0.1)}
    light = sky.gradient(colours)
    assert light.shape == (32, 64, 3)
    assert light[0, 0] == pytest.approx(srgb_decode(colours["sky"]), abs=1e-3)
    assert light[-1, 0] == pytest.approx(srgb_decode(colours["ground"]), abs=1e-3)
    assert light[15:17, 0] == pytest.approx(np.ones((2, 3)), abs=0.01)
    assert np.array_equal(light, np.repeat(light[:, :1], 64, 1))
    assert (np.diff(light[:16, 0, 0]) > 0).all()
    assert (np.diff(light[16:, 0, 0]) < 0).all()


def test_surroundings_light_a_scene_and_are_uploaded_once(listed):
    blue, tan = {"sky": "skyblue", "ground": "tan"}, {"sky": "tan"}
    engine = ComponentEngine(hg.Scene(hg.Box(key="b"), environment=blue, environmentIntensity=2))
    first = listed(engine)
    assert (first.lights, first.ambient) == ((), (0.0, 0.0, 0.0))
    assert engine.scene.lights == ()
    around = first.environment
    assert (around.radiance_scale, around.radiance_shown) == (2.0, False)
    behind = hg.Scene(key="scene", background="environment", environmentIntensity=0.5)
    engine.advance([hg.Update(behind)])
    second = listed(engine).environment
    assert second.radiance == around.radiance
    assert (second.radiance_scale, second.radiance_shown) == (0.5, True)
    red = listed(engine, EditBackground(RED)).environment
    assert (red.colour, red.radiance, red.radiance_shown) == (RED, around.radiance, False)
    other = listed(engine, hg.Update(hg.Scene(key="scene", environment=tan))).environment
    assert other.radiance != around.radiance
    engine.close()


def test_surroundings_leave_with_the_last_version_that_shows_them(monkeypatch):
    engine = ComponentEngine(hg.Scene(environment={"sky": "skyblue"}))
    gone: list[int] = []
    monkeypatch.setattr(engine._tree.assets._radiances, "_remove", gone.append)
    (first,) = engine._tree.newest[1].handles[2]
    for step in range(20):
        colour = f"#{step:02x}0000"
        engine.advance([hg.Update(hg.Scene(key="scene", environment={"sky": colour}))])
    assert len(gone) == 5
    assert gone[0] == first
    engine.close()


def test_surroundings_that_are_missing_are_refused(tmp_path):
    with pytest.raises(InvalidValueError, match=r"'environment' shows .* it has none; give it one"):
        ComponentEngine(hg.Scene(background="environment"))
    with pytest.raises(SceneError, match=r"^Scene 'scene' environment: .*none\.hdr"):
        ComponentEngine(hg.Scene(environment=str(tmp_path / "none.hdr")))
    engine = ComponentEngine(hg.Scene())
    with pytest.raises(InvalidValueError, match="it has none"):
        engine.advance([hg.Update(hg.Scene(key="scene", background="environment"))])
    assert engine.scene.version == 0
    engine.close()


def test_a_scene_without_lights_shows_white_that_faces_the_camera_bright_but_not_clipped():
    for kind, least in (("standard", 200), ("lambert", 175)):
        wall = hg.Plane(args=[8, 8], materialType=kind)
        assert least <= shown(hg.Scene(wall), TOP).rgb[60, 80].min() <= 240


def test_new_fields_of_edits_reach_workers(backend):
    eye = hg.CameraView(key="eye", position=[0, 0, 4], lookAt=[0, 0, 0], width=32, height=24)
    light = hg.PointLight(key="bulb", position=[1, 0, 2], intensity=8)
    scene = hg.Scene(
        hg.Sphere(key="ball", material={"color": "#c08040"}),
        light,
        eye,
        environment={"sky": "skyblue"},
        toneMapping="neutral",
    )
    edits = [
        EditMaterial("ball", metallic=0.5, roughness=0.3, emissive=(0.1, 0, 0)),
        EditMaterials(["ball"], metallic=[0.75], roughness=[np.nan], emissive=[[0.2, 0, 0]]),
        EditLight("bulb", decay=1, distance=5, size=0.1),
    ]
    views = [hg.View(["eye"], edits=edits[:count]) for count in range(4)]
    how: Any = {"backend": backend}
    with hg.open(scene, **how) as here, hg.open(scene, **how, workers=1) as there:
        ours, theirs = ([r.render(view)["eye"].rgb for view in views] for r in (here, there))
    for one, other in zip(ours, theirs, strict=True):
        assert np.array_equal(one, other)
    assert len({rgb.tobytes() for rgb in ours}) == 4


def write_hdr(path, red, green, blue):
    """A picture of one linear colour, up to 1 and a bit."""
    texel = bytes([*(int(128 * part) for part in (red, green, blue)), 129])
    path.write_bytes(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 2 +X 4\n" + texel * 8)


def test_a_file_of_surroundings_is_read_again_where_a_change_names_it(tmp_path):
    path = tmp_path / "sky.hdr"
    write_hdr(path, 1, 1, 1)
    ball = hg.Sphere(radius=1, material={"color": "#808080"})
    named = hg.Scene(ball, key="scene", environment=str(path), background="environment")
    engine = ComponentEngine(named)

    def seen(version=None):
        rgb = engine.render(View((TOP,), ("rgb",), scene_version=version))["top"].rgb
        return rgb[60, 80].astype(int), rgb[0, 0].tolist()

    (white, behind), digest = seen(), engine.scene.hash
    assert behind == [255, 255, 255]
    assert np.ptp(white) <= 1
    write_hdr(path, 1, 0.5, 1)
    assert seen()[1] == behind
    engine.advance([hg.Update(hg.Scene(key="scene", environment=str(path)))])
    pink, there = seen()
    assert there == [255, 188, 255]
    assert pink[0] == white[0] > pink[1]
    assert engine.scene.hash != digest
    assert seen(0)[1] == behind
    engine.close()


GLOWING = {"emissive": "#301008", "emissiveIntensity": 1.5}
LOOKS = (
    ("standard", {"color": "#d04030", "roughness": 0.3}),
    ("standard", {"color": "#e0b060", "metalness": 1, "roughness": 0.4}),
    ("standard", {"color": "#60a0d0", "metalness": 0.3, "roughness": 0.8, **GLOWING}),
    ("phong", {"color": "#40b070", "specular": "#808080", "shininess": 40, **GLOWING}),
    ("lambert", {"color": "#b0b0b0", **GLOWING}),
    ("basic", {"color": "#c86432"}),
)
LAMPS = (
    hg.DirectionalLight(color="#fff0d0", intensity=1.2, position=[1, -2, 3]),
    hg.PointLight(color="#80ff80", intensity=4, position=[-1, 1, 1.5], decay=1.7, distance=5),
    hg.SpotLight(intensity=12, position=[1, 1, 2.5], target=[0.5, 0, 0], angle=0.6, penumbra=0.4),
    hg.HemisphereLight(color="#a0c0ff", groundColor="#604020", intensity=0.6, rotation=[0.4, 0, 0]),
    hg.AmbientLight(color="#404050", intensity=0.8),
)


def a_row(kind, y, **props):
    return [
        kind(position=[0.7 * (i - 2.5), y, 0], materialType=look, material=material, **props)
        for i, (look, material) in enumerate(LOOKS)
    ]


def as_reference(component, normals):
    """A material of a component as the reference has it; `normals` (H, W, 3) where they turn."""
    look, given = component.get("materialType"), Material.of(component)
    colour = srgb_decode(given.base_color[:3])
    glow = given.emissive_strength * srgb_decode(given.emissive)
    if look == "standard":
        return three.Standard(colour, given.roughness, given.metallic, glow, normals)
    if look == "phong":
        said = component.get("material")
        return three.Phong(colour, glow, srgb_decode(said["specular"][:3]), said["shininess"])
    return three.Lambert(colour, glow) if look == "lambert" else three.Basic(colour)


@pytest.mark.parametrize("tone", ["none", "neutral", "aces"])
def test_a_scene_looks_as_in_three_js(tone):
    things = [
        *a_row(hg.Sphere, 0.5, radius=0.33),
        *a_row(hg.Box, -0.5, size=[0.4, 0.4, 0.4], rotation=[0.3, 0.2, 0.4]),
    ]
    camera = hg.Camera.look_at(
        eye=(0.3, -2.2, 3.4), target=(0, 0, 0), fov_y=0.75, width=320, height=240
    )
    frame = shown(hg.Scene(*things, *LAMPS, toneMapping=tone, exposure=1.3), camera)
    turn, eye = camera.world_from_camera[:3, :3], camera.world_from_camera[:3, 3]
    hit = frame.segmentation > 0
    depth = np.where(hit, frame.depth, 1.0).astype(float)
    point = camera.unproject(camera.pixel_centres(), depth)
    normal, view = frame.normals @ turn.T, three.unit(eye - point)
    lights = [reference_light(light) for light in LAMPS]
    light = np.zeros(point.shape)
    for number, thing in enumerate(things, 1):
        mine = frame.segmentation == number
        assert mine.sum() > 500
        turning = frame.normals if isinstance(thing, hg.Sphere) else None
        material = as_reference(thing, turning)
        light[mine] = material.shade(normal, view, point, lights)[mine]
    expected = three.finish(1.3 * light, tone).astype(int)
    ids = np.pad(frame.segmentation, 2, constant_values=-1)
    inside = hit.copy()
    for y, x in np.ndindex(5, 5):
        inside &= ids[y : y + hit.shape[0], x : x + hit.shape[1]] == frame.segmentation
    away = np.abs(frame.rgb.astype(int) - expected)[inside]
    assert away.mean() <= 1
    assert np.quantile(away, 0.99) <= 3


def test_a_texture_of_an_edit_is_as_bright_as_a_map():
    pixels = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    lit = shown(hg.Scene(hg.Plane(size=[3, 3], material={"map": pixels})), TOP)
    plain = hg.Scene(hg.Plane(key="p", size=[3, 3]))
    edited = shown(plain, TOP, edits=[EditMaterial("p", texture=pixels)])
    assert len(np.unique(lit.rgb)) > 50
    assert np.array_equal(edited.rgb, lit.rgb)


def test_what_has_no_light_is_lit_from_the_camera_and_metal_reflects_a_studio() -> None:
    shining = {"metalness": 1.0, "roughness": 0.2}
    scene = hg.Scene(
        hg.Sphere(key="metal", material=shining), hg.Sphere(key="matt", position=[3, 0, 0])
    )
    with hg.open(scene, size=(160, 100)) as renderer:
        sample = renderer.render(hg.View(passes=("rgb", "segmentation")))
    frame, names = sample["fit"], {name: number for number, (name, _) in sample.labels.items()}
    for name in ("metal", "matt"):
        ball = frame.rgb[frame.segmentation == names[name]]
        assert 60 < np.median(ball) < 235
        assert (ball < 255).any(1).mean() > 0.98


def test_metal_of_an_edit_reflects_the_studio_as_metal_of_the_scene_does() -> None:
    edit, shine = (
        EditMaterial("ball", metallic=1, roughness=0.3),
        EditLight("head", diffuse=(2,) * 3),
    )
    metal = hg.Scene(hg.Sphere(key="ball", material={"metalness": 1.0, "roughness": 0.3}))
    plain = hg.Scene(hg.Sphere(key="ball"))
    for edits in ((), (shine,), (EditLight("new", kind="point", position=(1, 0, 2)),)):
        own, made = (
            shown(scene, TOP, edits=given).rgb
            for scene, given in ((metal, edits), (plain, (edit, *edits)))
        )
        assert own.max() > 60
        assert np.abs(own.astype(int) - made).max() <= 1


def test_another_background_leaves_the_light_of_the_surroundings() -> None:
    scene = hg.Scene(
        hg.Sphere(key="ball", radius=0.5),
        background="environment",
        environment={"sky": "white", "horizon": "white", "ground": "white"},
    )
    with hg.open(scene, size=(80, 60)) as renderer:
        plain = hg.View(passes=("rgb", "segmentation"))
        red = hg.View(passes=plain.passes, edits=(EditBackground((1.0, 0.0, 0.0)),))
        before, after = (renderer.render(view)["fit"] for view in (plain, red))
    ball = before.segmentation > 0
    assert (before.rgb[ball] == after.rgb[ball]).all()
    assert (after.rgb[~ball] == (255, 0, 0)).all()


def test_colours_of_vertices_blend_in_linear_light() -> None:
    corners = [[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]])
    quad = hg.Mesh(
        key="quad",
        vertices=corners,
        faces=[[0, 1, 2], [0, 2, 3]],
        colors=colours,
        materialType="basic",
    )
    eye = hg.CameraView(
        key="eye", ctype="orthographic", extent=2, position=[0, 0, 1], width=40, height=40
    )
    with hg.open(hg.Scene(quad, eye)) as renderer:
        got = renderer.render(hg.View(["eye"]))["eye"].rgb
    x, y = np.meshgrid((np.arange(40) + 0.5) / 20 - 1, 1 - (np.arange(40) + 0.5) / 20)
    u, v = (x + 1) / 2, (y + 1) / 2
    red, green, blue, white = (srgb_decode(colour / 255) for colour in colours)
    lower = (1 - u)[..., None] * red + (u - v)[..., None] * green + v[..., None] * blue
    upper = (1 - v)[..., None] * red + u[..., None] * blue + (v - u)[..., None] * white
    want = three.to_uint8(three.srgb_encode(np.where((u > v)[..., None], lower, upper)))
    assert np.abs(got.astype(int) - want.astype(int)).max() <= 1


def test_many_small_triangles_have_the_colours_of_their_own_vertices() -> None:
    ball = trimesh.creation.icosphere(5)
    colours = np.round((np.asarray(ball.vertices) + 1) * 127.5).astype(np.uint8)
    mesh = hg.Mesh(
        key="ball",
        vertices=ball.vertices,
        faces=ball.faces,
        colors=colours,
        normals=ball.vertices,
        materialType="basic",
    )
    eye = hg.CameraView(key="eye", position=[0, 0, 4], lookAt=[0, 0.001, 0], width=48, height=48)
    with hg.open(hg.Scene(mesh, eye)) as renderer:
        frame = renderer.render(hg.View(["eye"], passes=("rgb", "normals")))["eye"]
    inside = frame.normals[..., 2] > 0.3
    turn = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1.0]])  # the camera's axes are the world's
    want = (frame.normals[inside] @ turn + 1) * 127.5
    assert np.abs(frame.rgb[inside] - want).max() < 8


@pytest.mark.parametrize("kind", ["lambert", "phong"])
def test_surroundings_light_what_is_matt_as_ambient_light_does(kind: str) -> None:
    ball = hg.Sphere(key="ball", materialType=kind, material={"specular": "black"})
    grey = {"sky": "#bcbcbc", "horizon": "#bcbcbc", "ground": "#bcbcbc"}
    lit = shown(hg.Scene(ball, environment=grey), TOP).rgb.astype(int)
    ambient = hg.AmbientLight(color="#bcbcbc", intensity=math.pi)
    assert np.abs(shown(hg.Scene(ball, ambient), TOP).rgb - lit).max() <= 1
    assert lit.max() > 180


def test_surroundings_may_be_an_array_that_lies_as_a_file_does(tmp_path: Path) -> None:
    light = np.full((16, 32, 3), 0.25, np.float32)
    light[6:10, 14:18] = (8.0, 0.5, 0.0)  # the middle: to the right
    (tmp_path / "sky.hdr").write_bytes(radiance_file(light))
    chrome = hg.Sphere(key="ball", material={"metalness": 1.0, "roughness": 0.1})
    eye = hg.CameraView(
        key="eye", position=[0, -4, 0], lookAt=[0, 0, 0], fov=35, width=64, height=64
    )
    scenes = [
        hg.Scene(chrome, eye, environment=given) for given in (light, str(tmp_path / "sky.hdr"))
    ]
    pictures = []
    for scene in (*scenes, hg.Scene.from_dict(scenes[0].to_dict())):
        with hg.open(scene) as renderer:
            pictures.append(renderer.render(hg.View(["eye"]))["eye"].rgb.astype(int))
    assert np.abs(pictures[0] - pictures[1]).max() <= 3
    assert (pictures[0] == pictures[2]).all()
    red = pictures[0][..., 0] - pictures[0][..., 2]
    assert np.argwhere(red > 100)[:, 1].min() > 32


def radiance_file(light: np.ndarray[Any, Any]) -> bytes:
    """A .hdr file without compression."""
    fraction, exponent = np.frexp(light.max(-1))
    scale = fraction * 256 / light.max(-1)
    rows = np.concatenate([light * scale[..., None], (exponent + 128)[..., None]], -1)
    head = f"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y {len(light)} +X {light.shape[1]}\n"
    return head.encode() + rows.astype(np.uint8).tobytes()


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 8)), np.full((4, 8, 3), np.nan), np.full((4, 8, 3), -1.0)]
)
def test_surroundings_that_are_no_light_are_refused(wrong: np.ndarray[Any, Any]) -> None:
    with pytest.raises(InvalidValueError, match="environment"):
        hg.Scene(environment=wrong)
