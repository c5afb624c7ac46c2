"""MuJoCo models in linear light: their light, materials, maps and sky, by formula."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
from PIL import Image

import heliograph as hg
import standard_shading as ref
from engine_contract import CASES, MJCF
from heliograph.camera import Camera
from heliograph.engines.mujoco import MujocoEngine
from heliograph.engines.mujoco.standard import StandardLook, decoded, radiance
from heliograph.errors import InvalidValueError
from heliograph.raster import RasterOptions, Texture, TextureKind
from heliograph.scene.appearance import EditLight, EditMaterial
from heliograph.testing import Verdict, check_engine

pytestmark = pytest.mark.usefixtures("backend")

SIZE = (64, 48)
UP = np.array([0.0, 0.0, 1.0])
DARK = "<visual><headlight active='0'/></visual>"
LAMP = "<light name='lamp' pos='0 0 2' {}/>"
FLOOR = "<geom name='floor' type='plane' size='5 5 1' {}/>"
ABOVE = Camera.look_at(
    eye=(0, -1.5, 2.0), target=(0, 0, 0), fov_y=0.6, width=SIZE[0], height=SIZE[1]
)


def model(*world: str, head: str = DARK, assets: str = "") -> str:
    return f"<mujoco>{head}<asset>{assets}</asset><worldbody>{''.join(world)}</worldbody></mujoco>"


def shown(source: Any, *edits: Any, camera: Camera = ABOVE, **options: Any) -> Any:
    given: dict[str, Any] = {"shading": "standard", "tone_mapping": "none", "lod": "off", **options}
    with hg.open(source, size=SIZE, **given) as renderer:
        return renderer.render(hg.View([camera], passes=("rgb", "normals"), edits=edits)).frames


def picture(*args: Any, **options: Any) -> Any:
    (frame,) = shown(*args, **options).values()
    return frame.rgb.astype(float)


def gain(source: str) -> float:
    return StandardLook.of(mujoco.MjModel.from_xml_string(source)).gain


def floor_points(camera: Camera = ABOVE) -> tuple[Any, Any]:
    """Where each pixel's middle meets the floor (H, W, 3), and the way back to the eye."""
    x, y = np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5)
    ray = np.stack([(x - camera.cx) / camera.fx, (camera.cy - y) / camera.fy, -np.ones_like(x)], -1)
    ray = ray @ camera.world_from_camera[:3, :3].T
    eye = camera.world_from_camera[:3, 3]
    return eye - ray * (eye[2] / ray[..., 2:]), -ray / np.linalg.norm(ray, axis=-1, keepdims=True)


def predicted(lights: list[ref.Light], **paint: Any) -> Any:
    points, eye = floor_points()
    up = np.zeros_like(points)
    up[..., 2] = 1
    return ref.finish(ref.Standard(**paint).shade(up, eye, points, lights)).astype(float)


def sun(colour: float, factor: float = 1.0) -> ref.Light:
    power = np.pi * factor * ref.srgb_decode(np.full(3, colour))
    return ref.Light("directional", power, position=UP)


def hemisphere(colour: float, factor: float) -> ref.Light:
    around = 0.5 * np.pi * factor * ref.srgb_decode(np.full(3, colour))
    return ref.Light("hemisphere", 1.5 * around, ground=0.5 * around, position=UP)


GREY = {"color": ref.srgb_decode((0.5, 0.5, 0.5)), "roughness": 0.6}
"""MuJoCo's geom without a material."""


def test_a_rough_floor_in_parallel_light_is_as_the_formulas_say() -> None:
    source = model(
        LAMP.format("directional='true' diffuse='.6 .6 .6'"),
        FLOOR.format("material='m'"),
        assets="<material name='m' roughness='.7' rgba='.8 .4 .2 1'/>",
    )
    orange = ref.srgb_decode((0.8, 0.4, 0.2))
    expected = predicted([sun(0.6, gain(source))], color=orange, roughness=0.7)
    assert np.abs(picture(source) - expected).max() <= 1


def test_shininess_says_how_rough_a_material_without_roughness_is() -> None:
    for shine in (0.1, 0.9):
        source = model(
            LAMP.format("directional='true' diffuse='.6 .6 .6' dir='0 1 -1'"),
            FLOOR.format("material='m'"),
            assets=f"<material name='m' shininess='{shine}' rgba='.2 .2 .2 1'/>",
        )
        slanting = replace(sun(0.6, gain(source)), position=np.array([0.0, -1.0, 1.0]))
        rough = (2 / (128 * shine + 2)) ** 0.25
        expected = predicted([slanting], color=ref.srgb_decode(np.full(3, 0.2)), roughness=rough)
        assert np.abs(picture(source) - expected).max() <= 1


def test_light_from_all_sides_comes_rather_from_above() -> None:
    head = "<visual><headlight ambient='.4 .4 .4' diffuse='0 0 0'/></visual>"
    source = model(FLOOR.format(""), head=head)
    expected = predicted([hemisphere(0.4, gain(source))], **GREY)
    assert np.abs(picture(source) - expected).max() <= 1


def test_half_of_the_head_light_is_there() -> None:
    head = "<visual><headlight ambient='0 0 0' diffuse='.8 .8 .8'/></visual>"
    source = model(FLOOR.format(""), head=head)
    along = replace(sun(0.8, 0.5 * gain(source)), position=ABOVE.world_from_camera[:3, 2])
    assert np.abs(picture(source) - predicted([along], **GREY)).max() <= 1


def test_spots_fade_as_mujoco_has_it() -> None:
    source = model(
        LAMP.format("attenuation='0 0 1' cutoff='80' exponent='0' diffuse='.9 .9 .9'"),
        FLOOR.format(""),
    )
    power = np.pi * gain(source) * ref.srgb_decode(np.full(3, 0.9))
    lamp = ref.Light("point", power, position=np.array([0.0, 0.0, 2.0]))
    assert np.abs(picture(source) - predicted([lamp], **GREY)).max() <= 1


def test_edits_of_lights_are_in_mujocos_words() -> None:
    source = model(LAMP.format("directional='true'"), FLOOR.format(""))
    factor = gain(source)  # of the model, whatever edits make of its lights
    edit = EditLight("lamp", diffuse=(0.3, 0.3, 0.3), ambient=(0.2, 0.2, 0.2))
    expected = predicted([sun(0.3, factor), hemisphere(0.2, factor)], **GREY)
    assert np.abs(picture(source, edit) - expected).max() <= 1
    brighter = EditLight("lamp", diffuse=(1.5, 1.5, 1.5))
    strong = replace(sun(0.0), color=np.full(3, np.pi * factor * 1.5**2.2))
    expected = predicted([strong], **GREY)
    assert np.abs(picture(source, brighter) - expected).max() <= 1


def test_a_light_that_moves_stays_as_bright() -> None:
    source = model(
        "<body><joint type='slide' axis='1 0 0'/><geom size='.01' pos='0 0 9'/>",
        LAMP.format("attenuation='0 0 1' cutoff='80' exponent='0'"),
        "</body>",
        FLOOR.format(""),
    )
    with hg.open(source, size=SIZE, shading="standard") as renderer:
        order = [hg.View([ABOVE], state={"qpos": [x]}) for x in (0.0, 0.4, 0.0)]
        first, moved, again = (next(iter(renderer.render(each))).rgb for each in order)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, moved)
    assert abs(int(first.max()) - int(moved.max())) <= 1


def test_colours_of_textures_are_decoded_those_of_edits_as_well() -> None:
    builtin = "builtin='flat' width='8' height='8' rgb1='.6 .3 .1'"
    texture = f"<texture name='t' type='2d' {builtin}/><material name='m' texture='t'/>"
    source = model(LAMP.format("directional='true'"), FLOOR.format("material='m'"), assets=texture)
    bytes_of = np.floor(np.array([0.6, 0.3, 0.1]) * 255)
    factor = gain(source)
    rough = (2 / (128 * 0.5 + 2)) ** 0.25
    colour = ref.srgb_decode(bytes_of / 255)
    expected = predicted([sun(0.7, factor)], color=colour, roughness=rough)
    assert np.abs(picture(source) - expected).max() <= 1.5
    pixels = np.full((4, 4, 3), (200, 100, 50), np.uint8)
    colour = ref.srgb_decode(np.array([200, 100, 50]) / 255)
    expected = predicted([sun(0.7, factor)], color=colour, roughness=rough)
    painted = picture(source, EditMaterial("floor", texture=pixels))
    assert np.abs(painted - expected).max() <= 1


def painted_with(folder: Path, role: str, colour: tuple[int, ...], material: str = "") -> str:
    """A floor whose material has one map of one colour."""
    Image.fromarray(np.full((4, 4, 3), colour, np.uint8)).save(folder / f"{role}.png")
    maps = f"<texture name='t' type='2d' file='{folder / role}.png'/>"
    maps += f"<material name='m' {material}><layer texture='t' role='{role}'/></material>"
    lamp = LAMP.format("directional='true' dir='0 1 -1' ambient='.3 .3 .3' diffuse='.6 .6 .6'")
    return model(lamp, FLOOR.format("material='m' rgba='.4 .4 .4 1'"), assets=maps)


@pytest.mark.parametrize(
    ("role", "colour", "material", "like"),
    [
        ("normal", (128, 128, 255), "roughness='.4'", "roughness='.4'"),
        ("roughness", (102, 102, 102), "", "roughness='.4'"),
        ("roughness", (102, 102, 102), "roughness='.5'", "roughness='.2'"),
        ("metallic", (0, 0, 0), "roughness='.3'", "roughness='.3'"),
        ("orm", (255, 102, 0), "", "roughness='.4'"),
        ("occlusion", (255, 255, 255), "roughness='.4'", "roughness='.4'"),
        ("emissive", (0, 0, 0), "roughness='.4'", "roughness='.4'"),
    ],
)
def test_maps_say_what_numbers_say(
    tmp_path: Path, role: str, colour: tuple[int, ...], material: str, like: str
) -> None:
    with_map = painted_with(tmp_path, role, colour, material)
    start = with_map.index("<texture")
    end = with_map.index("</asset>")
    plain = f"{with_map[:start]}<material name='m' {like}/>{with_map[end:]}"
    edit = EditLight("lamp", active=True)
    drawn = [picture(each, edit) for each in (with_map, plain)]
    tolerance = 2 if role == "normal" else 1  # 128 is not quite the middle
    assert np.abs(drawn[0] - drawn[1]).mean() <= 0.6 * tolerance
    assert np.abs(np.median(drawn[0] - drawn[1])) <= tolerance


@pytest.mark.parametrize("tilt", [(0.5, 0.0), (-0.5, 0.0), (0.0, 0.5), (0.3, -0.4)])
def test_a_normal_map_tilts_to_the_right_and_to_the_top_of_its_image(
    tmp_path: Path, tilt: tuple[float, float]
) -> None:
    normal = np.array([*tilt, (1 - tilt[0] ** 2 - tilt[1] ** 2) ** 0.5])
    byte = np.round(127.5 * (normal + 1)).astype(int)
    source = painted_with(tmp_path, "normal", tuple(byte), "roughness='.4'")
    drawn = picture(source, EditLight("lamp", ambient=(0, 0, 0)))
    points, eye = floor_points()
    tilted = np.broadcast_to(ref.unit(byte / 127.5 - 1), points.shape)
    slanting = replace(sun(0.6, gain(source)), position=np.array([0.0, -1.0, 1.0]))
    surface = ref.Standard(ref.srgb_decode(np.full(3, 0.4)), roughness=0.4)
    expected = ref.finish(surface.shade(tilted, eye, points, [slanting]))
    assert np.abs(drawn - expected).max() <= 1


@pytest.mark.parametrize(
    "role", ["roughness", "metallic", "orm", "occlusion", "normal", "emissive"]
)
def test_a_cube_says_nothing_but_colours(role: str) -> None:
    builtin = "builtin='flat' width='8' rgb1='.2 .2 .2' rgb2='.2 .2 .2'"
    cube = f"<texture name='t' type='cube' {builtin}/>"
    layer = f"<material name='m'><layer texture='t' role='{role}'/></material>"
    drawn = [
        picture(model(LAMP.format(""), "<geom type='box' size='.4 .4 .4' material='m'/>", assets=a))
        for a in (cube + layer, "<material name='m'/>")
    ]
    assert np.array_equal(*drawn)


def test_maps_of_emission_and_occlusion(tmp_path: Path) -> None:
    source = painted_with(tmp_path, "emissive", (200, 100, 50))
    dark = EditLight("lamp", active=False)
    assert np.abs(picture(source, dark) - (200, 100, 50)).max() <= 1
    source = painted_with(tmp_path, "occlusion", (0, 0, 0))
    gloomy = EditLight("lamp", diffuse=(0, 0, 0))
    assert picture(source, gloomy).max() == 0


def sky(**colours: str) -> str:
    given = " ".join(f"{name}='{colour}'" for name, colour in colours.items())
    return f"<texture name='s' type='skybox' builtin='flat' width='8' height='48' {given}/>"


def test_metal_mirrors_the_sky() -> None:
    metal = "<material name='m' metallic='.999' roughness='.3' rgba='1 1 1 1'/>"
    source = model(
        FLOOR.format("material='m'"), assets=sky(rgb1=".6 .6 .6", rgb2=".6 .6 .6") + metal
    )
    byte = np.floor(0.6 * 255) / 255
    expected = 255 * ref.srgb_encode(0.7 * ref.srgb_decode(byte))
    assert np.abs(picture(source) - expected).max() <= 2
    source = model(FLOOR.format("material='m'"), assets=metal)
    assert 60 < picture(source).mean() < 200  # of a sky that is grey


@pytest.mark.parametrize("around", ["", "sky"])
def test_metal_of_edits_mirrors_the_sky_as_that_of_models_does(around: str) -> None:
    assets = sky(rgb1=".3 .5 .8", rgb2=".2 .2 .2") if around else ""
    material = "<material name='m' {} rgba='.8 .8 .8 1'/>"
    metal, plain = (
        model(LAMP.format(""), FLOOR.format("material='m'"), assets=assets + material.format(each))
        for each in ("metallic='.9' roughness='.3'", "")
    )
    edit = EditMaterial("floor", metallic=0.9, roughness=0.3)
    assert np.abs(picture(metal) - picture(plain, edit)).max() <= 1
    with hg.open(plain, size=SIZE, shading="standard") as renderer:
        order = [hg.View([ABOVE], edits=edits) for edits in ((), (edit,), ())]
        first, _, again = (next(iter(renderer.render(each))).rgb for each in order)
    assert np.array_equal(first, again)


def test_the_sky_is_shown_as_it_is() -> None:
    source = model(FLOOR.format(""), assets=sky(rgb1=".2 .4 .6", rgb2=".2 .4 .6"))
    up = Camera.look_at(eye=(0, 0, 1), target=(0, 1, 3), fov_y=0.6, width=SIZE[0], height=SIZE[1])
    looks = [picture(source, camera=up, shading=each, tone_mapping=tone) for each, tone in LOOKS]
    assert np.array_equal(looks[0], looks[1])


LOOKS = (("classic", "auto"), ("standard", "aces"))


def test_a_sky_box_becomes_a_picture_of_all_around() -> None:
    faces = np.zeros((6, 16, 16, 3), np.uint8)
    levels = {"right": 40, "left": 80, "up": 255, "down": 120, "back": 160, "ahead": 200}
    faces[:] = np.reshape([*levels.values()], (6, 1, 1, 1))
    around = radiance(Texture(faces, TextureKind.CUBE))
    height, width, _ = around.shape
    assert width == 2 * height
    middle = {
        "up": (0, 0),
        "down": (height - 1, 0),
        "ahead": (height // 2, width // 2),
        "right": (height // 2, 3 * width // 4),
        "left": (height // 2, width // 4),
        "back": (height // 2, 0),
    }
    for name, place in middle.items():
        assert around[place] == pytest.approx(
            np.full(3, ref.srgb_decode(levels[name] / 255)), abs=1e-6
        )


def test_what_all_lights_shine_on_is_not_cut_off_at_white() -> None:
    lamps = [
        f"<light directional='true' dir='{x} 0 -1' diffuse='1 1 1' castshadow='false'/>"
        for x in (-0.3, 0, 0.3)
    ]
    matt = "<material name='m' specular='0' roughness='1' rgba='1 1 1 1'/>"
    ball = "<geom size='.3' pos='0 0 .3' material='m'/>"
    source = model(*lamps, ball, FLOOR.format("material='m'"), head="", assets=matt)
    assert (picture(source, shading="classic", tone_mapping="auto") == 255).mean() > 0.9
    for tone in ("none", "aces"):
        assert (picture(source, tone_mapping=tone) == 255).mean() < 0.01, tone


def test_it_is_about_as_bright_as_the_classic_look() -> None:
    for level in (".3 .3 .3 1", ".7 .5 .3 1"):
        ball = f"<geom size='.4' pos='0 0 .4' rgba='{level}'/>"
        source = model(LAMP.format("directional='true'"), ball, head="")
        classic = picture(source, shading="classic", tone_mapping="auto")
        linear = picture(source)
        ball_seen = classic.max(-1) > 0
        assert linear[ball_seen].mean() == pytest.approx(classic[ball_seen].mean(), rel=0.12)


def test_a_dark_model_has_the_light_that_mujoco_gives_it() -> None:
    source = model(FLOOR.format(""))
    assert gain(source) == 1
    assert np.abs(picture(source) - predicted([hemisphere(0.3, 1.0)], **GREY)).max() <= 1


def test_a_model_whose_lights_shine_from_behind_is_drawn() -> None:
    behind = "<light directional='true' dir='-.01 0 1' diffuse='1 1 1'/>"
    source = model(behind, "<geom size='.4'/>")
    drawn = picture(source)
    assert np.isfinite(gain(source))
    assert drawn.mean() < 20


def test_options_of_another_look_are_refused() -> None:
    source = model(FLOOR.format(""))
    for options, told in (
        (
            {"style": "classic", "shading": "standard"},
            "style='classic': expected shading='classic'",
        ),
        ({"style": "classic", "exposure": 2.0}, "exposure: is of linear light alone, got 2.0"),
        ({"tone_mapping": "aces"}, "tone_mapping: is of linear light alone, got 'aces'"),
        ({"shading": "standard", "lighting": "vertex"}, "lighting"),
    ):
        with pytest.raises(InvalidValueError, match=told):
            hg.open(source, **options)


def test_exposure_multiplies_light() -> None:
    source = model(LAMP.format("directional='true' diffuse='.4 .4 .4'"), FLOOR.format(""))
    doubled = predicted([sun(0.4, 2 * gain(source))], **GREY)
    assert np.abs(picture(source, exposure=2.0) - doubled).max() <= 1


def test_light_above_white_is_decoded_by_a_power() -> None:
    assert decoded([0.0, 0.5, 1.0, 2.0]) == pytest.approx([0, 0.21404, 1, 2**2.2], abs=1e-5)


def test_the_conformance_suite_holds_in_linear_light() -> None:
    options = RasterOptions(shading="standard")
    found = check_engine(
        lambda: MujocoEngine(MJCF, size=(120, 90), options=options), **CASES["mujoco gl"].told
    )
    assert {"same_view_same_bits", "views_together_are_as_alone"} <= set(found.of(Verdict.PASSED))
