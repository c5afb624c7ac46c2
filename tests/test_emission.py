# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="union-attr, index, arg-type"
"""Light that things have of their own: its colour is theirs to say, whatever colour they are."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from PIL import Image

from heliograph.camera import Camera
from heliograph.engines.components.engine import ComponentEngine
from heliograph.frame import allocate
from heliograph.passes import PASSES, select_passes
from heliograph.raster import DrawList, Instances, Light, Lighting, LightKind, Shading
from heliograph.scene import AmbientLight, Box, EditMaterial, EditMaterials, Mesh, Scene
from heliograph.view import View
from standard_shading import srgb_decode, srgb_encode, to_uint8

pytestmark = pytest.mark.usefixtures("backend")

TOP = Camera.look_at(eye=(0, 0, 5), target=(0, 0, 0), up=(0, 1, 0), fov_y=0.8, width=64, height=64)
KINDS = ("standard", "phong", "lambert")
GREY = np.full((4, 4, 3), 128, np.uint8)


def colours(*boxes, edits=()):
    """Of one box the colour in the middle, of two those on the left and on the right, unlit."""
    engine = ComponentEngine(Scene(AmbientLight(intensity=0), *boxes))
    rgb = engine.render(View(cameras=[TOP], passes=("rgb",), edits=edits))["camera"].rgb
    engine.close()
    return [rgb[32, 32]] if len(boxes) == 1 else [rgb[32, 14], rgb[32, 50]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("material", "expected"),
    [
        ({"color": "white", "emissive": "red"}, (255, 0, 0)),
        ({"color": "black", "emissive": "#204060"}, (0x20, 0x40, 0x60)),
        ({"color": "blue", "emissive": "#ff8000", "emissiveIntensity": 0.5}, (188, 92, 0)),
        ({"map": GREY, "emissive": "lime"}, (0, 255, 0)),
    ],
)
def test_what_glows_has_the_colour_it_glows_in(material, expected, kind):
    (found,) = colours(Box(material=material, materialType=kind))
    assert found == pytest.approx(expected, abs=1)


def test_what_is_told_how_much_to_emit_does_so_in_its_own_colour():
    left = Box(key="l", position=[-1, 0, 0], material={"color": "white", "emissive": "red"})
    right = Box(key="r", position=[1, 0, 0], material={"color": "lime", "emissive": "blue"})
    assert [each.tolist() for each in colours(left, right)] == [[255, 0, 0], [0, 0, 255]]
    one = colours(left, right, edits=[EditMaterial(("r",), emission=0.5)])
    assert one[0].tolist() == [255, 0, 0]
    assert one[1].tolist() == [0, 188, 0]  # half of the linear light of green
    nan = np.nan
    both = [EditMaterials((("l",), ("r",)), emission=np.array([0.0, nan]))]
    assert [each.tolist() for each in colours(left, right, edits=both)] == [[0, 0, 0], [0, 0, 255]]


@pytest.mark.parametrize("lighting", list(Lighting))
def test_emission_is_added_to_light_and_saturates(rasterizer, lighting):
    instances = Instances.blank(2)
    instances.transforms.world_from_object[:, 0, 3] = -1, 1
    instances.materials.rgba[:, :3] = 0.5
    instances.materials.surface[:] = 0
    instances.table.shading[:] = Shading.LAMBERT if lighting is Lighting.STANDARD else Shading.LIT
    glowing = instances.painted(emissive=np.array([[0.25, 0, 2], [0, 0, 0]], np.float32))
    lights = (Light(kind=LightKind.HEAD, diffuse=(0.5, 0.5, 0.5)),)
    out = allocate(TOP, select_passes(("rgb",), PASSES))
    rasterizer.draw(DrawList(glowing, lights, lighting=lighting), [TOP], ("rgb",), [out])
    glow, around = np.array([128, 64, 255]), np.array([64, 64, 64])
    if lighting is Lighting.STANDARD:
        light = srgb_decode(0.5) * 0.5 / np.pi
        glow, around = (
            to_uint8(srgb_encode(light + np.array(own))).astype(int)
            for own in ((0.25, 0, 2), [0] * 3)
        )
    assert out["rgb"][32, 16].astype(int) == pytest.approx(glow, abs=1)
    assert out["rgb"][32, 48].astype(int) == pytest.approx(around, abs=1)


def test_a_file_glows_in_its_factor_times_its_texture(tmp_path):
    spots = np.zeros((8, 8, 3), np.uint8)
    spots[:4] = 255, 128, 0
    for texture, expected in ((None, (255, 0, 255)), (Image.fromarray(spots), (255, 0, 0))):
        box = trimesh.creation.box((1, 1, 1))
        surface = trimesh.visual.material.PBRMaterial(
            baseColorFactor=[255, 255, 255, 255], emissiveFactor=[1, 0, 1], emissiveTexture=texture
        )
        box.visual = trimesh.visual.TextureVisuals(uv=np.full((8, 2), 0.75), material=surface)
        box.export(tmp_path / "lamp.glb")
        (found,) = colours(Mesh(src=str(tmp_path / "lamp.glb")))
        assert found == pytest.approx(expected, abs=1)
