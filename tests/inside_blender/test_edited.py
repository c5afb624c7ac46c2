"""What edits of looks come to, in numbers, in the styles that draw them."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heliograph.camera import Camera
from heliograph.colour import encoded
from heliograph.engines.blender.engine import BlenderEngine, StyleName
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.scene import Edit, EditBackground, EditLight, EditMaterial, EditMaterials
from heliograph.view import View

SCENE = """
import bpy
bpy.context.scene.view_settings.view_transform = "Standard"
bpy.ops.mesh.primitive_plane_add(size=400)
bpy.context.object.name = "Floor"
bpy.ops.mesh.primitive_uv_sphere_add(location=(50, 50, 50), radius=0.1)
bpy.context.object.name = "Far"
for name, kind in (("Sun", "SUN"), ("Bulb", "POINT"), ("Torch", "SPOT"), ("Panel", "AREA")):
    lamp = bpy.data.lights.new(name, kind)
    lamp.energy = 0.0
    if kind != "SUN":
        lamp.shadow_soft_size = 0.0
    if kind == "AREA":
        lamp.shape, lamp.size, lamp.size_y = "RECTANGLE", 0.02, 0.01
    thing = bpy.data.objects.new(name, lamp)
    thing.location = (0, 0, 3)
    bpy.context.scene.collection.objects.link(thing)
"""
HEIGHT = 3.0
DOWN = Camera.look_at(
    eye=(0.0, 0.0, 2), target=(0.0, 0, 0), up=(0, 1, 0), fov_y=0.02, width=16, height=16
)
SHINES = EditMaterial("Floor", emission=1)
MATT = EditMaterial("Floor", rgba=(1, 1, 1, 1), roughness=1, specular=0)


@pytest.fixture(params=["fast", "cycles"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BlenderEngine]:
    path = tmp_path / "scene.py"
    path.write_text(SCENE)
    style: StyleName = request.param
    opened = BlenderEngine(path, style=style, samples=64)
    yield opened
    opened.close()


def colour(engine: BlenderEngine, *edits: Edit, camera: Camera = DOWN) -> list[float]:
    """Mean linear light of the pixels, as sRGB from 0 to 255."""
    rgb: Any = engine.render(View([camera], edits=edits))[camera.name].rgb
    mean: list[float] = np.round(rgb.astype(float).mean((0, 1)), 1).tolist()
    return mean


def srgb(*light: float) -> list[float]:
    shown: list[float] = (255 * encoded(light)).tolist()
    return shown


@pytest.mark.parametrize(
    ("name", "strength"),
    [
        ("Sun", math.pi),
        ("Bulb", math.pi * HEIGHT**2),
        ("Torch", math.pi * HEIGHT**2),
        ("Panel", math.pi * HEIGHT**2 / (0.02 * 0.01)),
    ],
)
@pytest.mark.parametrize("part", [(0.2, 0.5, 0.8), (0.5, 0.0, 0.0)])
def test_lights_are_in_lux_candela_and_nits(
    engine: BlenderEngine, name: str, strength: float, part: tuple[float, float, float]
) -> None:
    light = EditLight(name, diffuse=[strength * each for each in part])
    assert colour(engine, MATT, light) == pytest.approx(srgb(*part), abs=2.5)


@pytest.mark.parametrize("kind", ["directional", "point", "spot"])
def test_lights_are_added_where_an_edit_says(engine: BlenderEngine, kind: Any) -> None:
    strength = math.pi if kind == "directional" else math.pi * 4
    light = EditLight(
        "New", kind=kind, position=(0, 0, 2.01), direction=(0, 0, -1), diffuse=[strength / 2] * 3
    )
    assert colour(engine, MATT, light) == pytest.approx(srgb(0.5, 0.5, 0.5), abs=2.5)
    assert colour(engine, MATT) == [0, 0, 0]


def test_what_shines_shows_its_own_colour(engine: BlenderEngine) -> None:
    red = EditMaterial("Floor", rgba=(0.8, 0.2, 0.4, 1), emission=1, specular=0)
    assert colour(engine, red) == pytest.approx([204, 51, 102], abs=1)
    blue = EditMaterial("Floor", rgba=(0, 0, 1, 1))
    assert colour(engine, red, blue) == pytest.approx([0, 0, 255], abs=1)
    green = EditMaterial("Floor", emissive=(0, 0.5, 0))
    assert colour(engine, red, green, blue) == pytest.approx([0, 127.5, 0], abs=1)
    rows = EditMaterials([["Floor"], ["Far"]], emissive=[[0, 0, 1], [1, 1, 1]])
    assert colour(engine, red, rows) == pytest.approx([0, 0, 255], abs=1)


def test_the_background_is_what_an_edit_says(engine: BlenderEngine) -> None:
    up = Camera.look_at(eye=(0, 9, 1), target=(0, 9, 9), fov_y=0.1, width=8, height=8, up=(0, 1, 0))
    background = EditBackground((0.1, 0.6, 0.3))
    assert colour(engine, background, camera=up) == pytest.approx([25.5, 153, 76.5], abs=1)


def test_lights_that_cannot_be_are_refused(engine: BlenderEngine) -> None:
    with pytest.raises(UnknownNameError, match="'Bulb'"):
        colour(engine, EditLight("Bulp", diffuse=(1, 1, 1)))
    with pytest.raises(InvalidValueError, match="square of the distance"):
        colour(engine, EditLight("Bulb", decay=1))


def test_a_texture_is_multiplied_by_the_colour(engine: BlenderEngine) -> None:
    halves = np.zeros((8, 8, 3), np.uint8)
    halves[:4, :4] = 255  # above on the left
    camera = DOWN.replace(fx=0.08, fy=0.08)  # all of the floor
    look = EditMaterial("Floor", texture=halves, rgba=(1, 0.5, 0, 1), emission=1, specular=0)
    rgb = engine.render(View([camera], edits=[look]))[camera.name].rgb
    assert np.allclose(rgb[2, 2], [255, 127, 0], atol=2)
    assert not rgb[13, 2].any()
    assert not rgb[2, 13].any()
    again = EditMaterial("Floor", rgba=(0, 1, 0.5, 1))
    rgb = engine.render(View([camera], edits=[look, again]))[camera.name].rgb
    assert np.allclose(rgb[2, 2], [0, 255, 127], atol=2)
    assert not rgb[13, 2].any()
    bare = EditMaterial("Floor", texture=np.zeros((0, 0, 3), np.uint8), rgba=(1, 1, 0, 1))
    rgb = engine.render(View([camera], edits=[look, bare, SHINES]))[camera.name].rgb
    assert np.allclose(rgb[2:-2, 2:-2], [255, 255, 0], atol=2)
