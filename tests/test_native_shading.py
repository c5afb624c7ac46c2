# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs
# mypy: disable-error-code="arg-type, assignment"
"""The native shading code: against libm, the GL backend's shaders, and build against build."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heliograph.camera import Camera
from heliograph.raster import albedo, area_lights, radiance, shadows
from heliograph.raster.frame_block import BRIGHTNESS, FrameBlocks
from heliograph.raster.light_layouts import LightLayouts, kinds
from heliograph.raster.types import (
    DrawList,
    Environment,
    Instances,
    Light,
    Lighting,
    LightKind,
    ToneMapping,
)
from native_shading import BUILDS, MODELS, TONES, builds, frame
from shader_reference import ShaderReference
from standard_shading import srgb_decode

COUNT = 4096
SIDE = 128
CAMERA = Camera.look_at(
    eye=(2.0, -3.0, 2.5), target=(0, 0, 0.5), fov_y=0.8, width=64, height=48, name="c", far=50
)


@pytest.fixture(scope="session")
def native(tmp_path_factory):
    """The builds by name."""
    return builds(str(tmp_path_factory.mktemp("native")))


@pytest.fixture(scope="module")
def reference():
    """The shaders."""
    made = ShaderReference()
    yield made
    made.release()


def halves(array):
    """Numbers as the GL backend holds them."""
    return np.minimum(array, 65504.0).astype(np.float16).astype(np.float32)


def unit(a):
    """Vectors of unit length, one a column."""
    return a / np.linalg.norm(a, axis=0)


def surfaces(seed=0, count=COUNT):
    """Surfaces of all kinds before the camera, (channels, N)."""
    rng = np.random.default_rng(seed)
    pixel = np.floor(rng.uniform(0, 1, (2, count)) * [[64], [48]]) + 0.5
    depth = rng.uniform(0.5, 6, count)
    x = (pixel[0] - CAMERA.cx) / CAMERA.fx
    y = -(pixel[1] - CAMERA.cy) / CAMERA.fy
    point = np.stack([x, y, -np.ones(count)]) * depth
    view = unit(-point)
    normal = unit(view + 0.9 * unit(rng.normal(size=(3, count))))
    bumped = unit(normal + 0.2 * rng.normal(size=(3, count)))
    material = rng.uniform(0, 1, (4, count))
    material[3] *= 100
    material[0, ::3] = 0.0
    return np.concatenate(
        [
            *(rng.uniform(0, 1, (3, count)), material, point, normal, bumped, view),
            *(rng.uniform(0, 0.2, (1, count)), rng.uniform(0, 1, (1, count)), pixel),
        ]
    ).astype(np.float32)


def classic_surfaces():
    """The same with exponents in the third place of the material."""
    given = surfaces()
    given[3] *= 0.3
    given[5] *= 100
    return given


KEY: dict[str, Any] = {"specular": (0.4, 0.5, 0.6), "ambient": (0.02, 0.01, 0.03)}
BULB: dict[str, Any] = {"position": (0.5, -1.5, 3.0), "attenuation": (0.5, 0.2, 0.1), **KEY}
LIGHTS = {
    "head": Light(LightKind.HEAD, **KEY),
    "parallel": Light(LightKind.DIRECTIONAL, direction=(0.4, 0.3, -1.0), position=(0, 0, 4), **KEY),
    "point": Light(LightKind.POINT, **BULB),
    "spot": Light(
        LightKind.SPOT, direction=(-0.1, 0.5, -1), cutoff=0.7, exponent=3.0, softness=0.4, **BULB
    ),
    "fading": Light(
        LightKind.POINT, diffuse=(4, 5, 6), position=(-1, 0, 2), attenuation=(0, 0, 0), decay=2.0,
        distance=7.0,
    ),
    "slow": Light(
        LightKind.SPOT, diffuse=(4, 5, 6), position=(-1, 0, 3), attenuation=(0, 0, 0), decay=1.3,
        exponent=0.0,
    ),
    "area": Light(
        LightKind.AREA, position=(0.5, 0.2, 2.5), sides=((0.7, 0.1, 0.1), (0.0, -0.5, 0.2)),
        diffuse=(3, 2, 1),
    ),
}  # fmt: skip
CASTING = {"casts_shadow": True, "shadow_extent": 2.5, "shadow_range": (0.5, 8.0)}
MIXED = ("point", "spot", "parallel")
PLAIN = tuple(LIGHTS[name] for name in ("head", "parallel", "point", "spot"))
FADING = tuple(LIGHTS[name] for name in ("fading", "slow", "parallel"))


def casting(names, size=0.0):
    """Lights that cast shadows, and the head light, which does not."""
    mine = [
        LIGHTS[name].__class__(**vars(LIGHTS[name]) | CASTING | {"size": size}) for name in names
    ]
    return (*mine, LIGHTS["head"])


class Scene:
    """What a frame is made of: the same for the shaders and for the native code."""

    def __init__(
        self, lights, lighting, *, lit_around=False, tone="NONE", measured=True, ortho=False
    ):
        rng = np.random.default_rng(1)
        self.tone, self.lit_around = tone, lit_around
        self.camera = CAMERA
        if ortho:
            pose = CAMERA.world_from_camera
            self.camera = Camera.orthographic(
                extent_y=3.0, world_from_camera=pose, width=64, height=48, name="o", far=50
            )
        made = radiance.prepared(rng.gamma(0.3, 2.0, (32, 64, 3)))
        picture = made if lit_around else None
        environment = Environment(
            radiance_scale=0.8,
            haze=(0.3, 0.5, 0.7),
            haze_range=(2.0, 9.0),
            haze_plane=(0, 0, 1, 0.1),
        )
        drawn = DrawList(
            Instances.blank(1), lights, environment, ambient=(0.2, 0.15, 0.1),
            gradient=((0.1, 0, 0), (0, 0.2, 0.1), (0.1, 0.1, 0.3)), lighting=lighting,
            tone_mapping=ToneMapping[tone], exposure=1.3,
        )  # fmt: skip
        places = shadows.casting(lights)
        self.atlas, numbers = self.shadow_maps([lights[place] for place in places], rng)
        layouts = LightLayouts()
        if measured:
            layouts.expect(lights, places)
        blocks = FrameBlocks(layouts)
        self.layout = blocks.layout(drawn, places)
        block, _ = blocks.make(drawn, self.camera, (0.1, 50.0), places, numbers, picture)
        self.block = block.copy()
        self.kinds = kinds(lights, places)
        self.tables = {
            "atlas": self.atlas, "albedo": halves(albedo.table()),
            "lobes": halves(area_lights.table()), "seen": halves(rng.gamma(0.5, 1.0, (32, 64, 3))),
        }  # fmt: skip
        if lit_around:
            self.tables["radiance"] = halves(made.levels)

    def shadow_maps(self, lights, rng):
        """An atlas of blocks at random depths, as 24-bit numbers, and where the maps are on it."""
        maps = [
            shadows.shadow_map(light, SIDE, None, None)
            if light.kind is LightKind.POINT
            else shadows.ShadowMap(
                ((shadows.shadow_camera(light, SIDE), (0, 0)),), (SIDE, SIDE), light
            )
            for light in lights
        ]
        if not maps:
            return np.ones((1, 1)), ()
        whole, corners = shadows.arrange(maps)
        away = rng.uniform(0.6, 8.0, (whole[1] // 8 + 1, whole[0] // 8 + 1))
        away = np.kron(away, np.ones((8, 8)))[: whole[1], : whole[0]]
        depth = 8.0 / 7.5 * (1 - 0.5 / away)
        for light, each, (left, low) in zip(lights, maps, corners, strict=True):
            if light.kind is LightKind.DIRECTIONAL:
                mine = np.s_[low : low + each.size[1], left : left + each.size[0]]
                depth[mine] = (away[mine] - 0.5) / 7.5
        numbers = [each.numbers(at, whole) for each, at in zip(maps, corners, strict=True)]
        levels = 2**24 - 1
        return (np.round(depth * levels) / levels).astype(np.float32), numbers

    def frame(self):
        """For the native code."""
        return frame(self.block, self.kinds, self.tone, **self.tables)

    def textures(self):
        """For the shaders."""
        return self.tables | {
            "shadow_atlas": self.atlas, "shadow_depths": self.atlas,
        }  # fmt: skip

    def flags(self, *more):
        """For the shaders."""
        return (*more, *["RADIANCE"] * self.lit_around)


def alike(native, name, scene, given, *choices):
    """What all builds make of it, to the last bit."""
    made = {each: native[each].shade(name, scene.frame(), given, *choices) for each in BUILDS}
    for each in made.values():
        np.testing.assert_array_equal(each.view(np.uint32), made["plain"].view(np.uint32))
    return made["plain"]


def assert_close(ours, theirs, *, share=1.0):
    """Equal but for the roundings of the driver's powers, on that share of surfaces."""
    assert np.isfinite(ours).all()
    close = (np.abs(ours - theirs) <= 1e-4 * (1 + np.abs(theirs))).all(1)
    assert close.mean() >= share, f"{(~close).sum()} of {len(close)} differ"
    assert len(np.unique(ours)) > len(ours) / 2


def test_numbers_are_as_exact_as_their_comments_say(native) -> None:
    rng = np.random.default_rng(0)
    plain = native["plain"]

    def off(name, exact, *given):
        given = [each.astype(np.float32) for each in given]
        return plain.number(name, *given), exact(*(each.astype(float) for each in given))

    ours, true = off("log2", np.log2, 2 ** rng.uniform(-126, 127.9, COUNT))
    assert (np.abs(ours - true) <= 1.2e-7 * np.maximum(1, np.abs(true))).all()
    ours, true = off("exp2", np.exp2, rng.uniform(-126, 127.4, COUNT))
    assert (np.abs(ours / true - 1) <= 2e-7).all()
    base, exponent = 2 ** rng.uniform(-20, 20, COUNT), rng.uniform(-6, 6, COUNT)
    ours, true = off("power", np.power, base, exponent)
    assert (np.abs(ours / true - 1) <= 2e-7 * (1 + np.abs(np.log2(true)))).all()
    turn = rng.uniform(-10, 10, COUNT)
    for name, exact in (("sine", np.sin), ("cosine", np.cos)):
        ours, true = off(name, exact, turn)
        assert (np.abs(ours - true) <= 1.2e-7).all()
    part = rng.uniform(-1, 1, COUNT)
    ours, true = off("arc_cosine", np.arccos, part)
    assert (np.abs(ours - true) <= 3e-7).all()
    ours, true = off("arc_tangent", np.arctan2, rng.normal(size=COUNT), rng.normal(size=COUNT))
    assert (np.abs(ours - true) <= 3e-7).all()


def test_whole_powers_and_none_are_exact(native) -> None:
    plain = native["plain"]
    whole = np.arange(-126, 122, dtype=np.float32)
    np.testing.assert_array_equal(plain.number("exp2", whole), 2.0 ** whole.astype(float))
    np.testing.assert_array_equal(plain.number("log2", 2.0 ** whole.astype(float)), whole)
    some = np.random.default_rng(0).uniform(0, 9, 64)
    np.testing.assert_array_equal(plain.number("power", some, np.zeros(64)), 1.0)
    assert not plain.number("exp2", np.full(8, -1e9)).any()


@pytest.mark.parametrize(
    "name", ["log2", "exp2", "power", "sine", "cosine", "arc_cosine", "arc_tangent"]
)
def test_any_bits_give_the_same_bits_in_every_build(native, name: str) -> None:
    rng = np.random.default_rng(2)
    x, y = rng.integers(0, 2**32, (2, 1 << 14), dtype=np.uint32).view(np.float32)
    made = [native[each].number(name, x, y) for each in BUILDS]
    numbers = ~np.isnan(made[0])
    for each in made[1:]:
        np.testing.assert_array_equal(np.isnan(each), ~numbers)
        np.testing.assert_array_equal(
            each[numbers].view(np.uint32), made[0][numbers].view(np.uint32)
        )


CLASSIC_BODY = "    made = shade(rgb, material, point, normal, view);\n"
SPECIAL = "vec4(material.x, material.y, material.z, 0.0)"


@pytest.mark.parametrize("measured", [True, False])
@pytest.mark.parametrize(
    "lights", [PLAIN, casting(["parallel", "spot"]), casting(["point", "parallel", "spot"]), ()]
)
def test_classic_light_is_that_of_the_shader(native, reference, lights, measured) -> None:
    scene = Scene(lights, Lighting.PIXEL, measured=measured)
    given = classic_surfaces()
    theirs = reference.shade(
        ["lighting"], CLASSIC_BODY, scene.layout, given, scene.block, scene.textures()
    )
    ours = alike(native, "classic_pixels", scene, given)
    assert_close(ours, theirs, share=0.999)
    per_vertex = alike(native, "classic_vertices", scene, given)
    dim = (ours <= 0.9).all(1) & (ours >= 0).all(1)
    np.testing.assert_allclose(per_vertex[dim], ours[dim], atol=1e-6)


@pytest.mark.parametrize("lit_around", [False, True])
@pytest.mark.parametrize("occlusion", [False, True])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("lights", [PLAIN, FADING, (LIGHTS["area"], LIGHTS["spot"])])
def test_linear_light_is_that_of_the_shader(
    native, reference, lights, model, occlusion, lit_around
) -> None:
    scene = Scene(lights, Lighting.STANDARD, lit_around=lit_around)
    _compare_standard(native, reference, scene, model, occlusion=occlusion)


@pytest.mark.parametrize("size", [0.0, 0.15])
@pytest.mark.parametrize("measured", [True, False])
@pytest.mark.parametrize(
    "names", [["parallel"], ["spot"], ["point"], ["point", "spot", "parallel"]]
)
def test_shadows_of_linear_light_are_those_of_the_shader(
    native, reference, names, measured, size
) -> None:
    scene = Scene(casting(names, size), Lighting.STANDARD, measured=measured)
    _compare_standard(native, reference, scene, "METALLIC", share=0.999)


def _compare_standard(native, reference, scene, model, *, occlusion=False, share=1.0):
    given = surfaces()
    flags = scene.flags("STANDARD", *[model] * (model != "LAMBERT"))
    flags = (*flags, *["LAYER_OCCLUSION 3"] * occlusion)
    body = "    made = shade(rgb, material, point, flat_normal, normal, view, turning, open);\n"
    theirs = reference.shade(
        ["standard"], body, scene.layout, given, scene.block, scene.textures(), flags=flags
    )
    ours = alike(native, "standard", scene, given, MODELS.index(model), int(occlusion))
    assert_close(ours, theirs, share=share)


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("name", ["standard", "classic_pixels", "classic_vertices"])
@pytest.mark.parametrize("size", [0.0, 0.15])
def test_what_is_in_other_lanes_does_not_matter(native, build, name: str, size: float) -> None:
    linear = name == "standard"
    lights = (*casting(MIXED, size * linear), *[LIGHTS["area"]] * linear)
    lighting = Lighting.STANDARD if linear else Lighting.PIXEL
    scene = Scene(lights, lighting, lit_around=linear)
    choices = (0, 1) if linear else ()
    given = surfaces() if linear else classic_surfaces()
    one = native[build]
    whole = one.shade(name, scene.frame(), given, *choices)
    rng = np.random.default_rng(6)
    for lanes in (0b00000001, 0b10110100, 0b01111110):
        others = np.flatnonzero(~(lanes >> np.arange(COUNT) % 8 & 1).astype(bool))
        noise = rng.integers(0, 2**32, (len(given), len(others)), dtype=np.uint32)
        mixed = given.copy()
        mixed[:, others] = noise.view(np.float32)
        one.want(lanes)
        try:
            made = one.shade(name, scene.frame(), mixed, *choices)
        finally:
            one.want(0xFF)
        mine = np.setdiff1d(np.arange(COUNT), others)
        np.testing.assert_array_equal(made[mine].view(np.uint32), whole[mine].view(np.uint32))


@pytest.mark.parametrize("tone", TONES)
def test_tones_are_those_of_the_shader(native, reference, tone: str) -> None:
    scene = Scene((), Lighting.STANDARD, tone=tone)
    given = surfaces()
    given[:3] = np.random.default_rng(3).gamma(0.4, 2.0, (3, COUNT)) - 0.02
    for name, call in (("shown_colours", "shown(rgb)"), ("decoded_colours", "decoded(abs(rgb))")):
        mine = np.abs(given) if name == "decoded_colours" else given
        body = f"    made = {call};\n"
        theirs = reference.shade(["tone"], body, scene.layout, mine, scene.block, {}, flags=[tone])
        assert_close(alike(native, name, scene, mine), theirs)


def test_haze_is_that_of_the_shader(native, reference) -> None:
    scene = Scene((), Lighting.STANDARD)
    given = surfaces()
    given[7:10] *= np.random.default_rng(4).uniform(0.1, 5.0, COUNT).astype(np.float32)
    body = "    made = mix(rgb, haze.rgb, haze_along(mat3(world_from_camera) * point));\n"
    theirs = reference.shade([], body, scene.layout, given, scene.block, {}, flags=["HAZE"])
    assert_close(alike(native, "hazed_colours", scene, given), theirs)


@pytest.mark.parametrize("ortho", [False, True])
def test_the_sky_is_what_its_picture_has_there(native, ortho: bool) -> None:
    scene = Scene((), Lighting.STANDARD, ortho=ortho)
    scene.block[BRIGHTNESS] = 1.3, 0.8
    given = surfaces()
    given[-2:] = np.random.default_rng(5).uniform(-150, 150, (2, COUNT))  # all that is ahead
    where = given[-2:].astype(float) * scene.block[16:18, None] + scene.block[18:20, None]
    ray = np.concatenate([where, np.full((1, COUNT), -1.0)])
    seen = np.array([[0.0], [0.0], [-1.0]]) if ortho else unit(ray)
    x, y, z = scene.camera.world_from_camera[:3, :3] @ (seen * np.ones(COUNT))
    picture = scene.tables["seen"]
    row = (0.5 - np.arcsin(z) / np.pi) * picture.shape[0] - 0.5
    column = (np.arctan2(x, y) / (2 * np.pi) + 0.5) * picture.shape[1] - 0.5
    light = radiance._between(picture, row, column).astype(float) * 1.3 * 0.8
    scene.block[31] = -9.0  # the eye is below the plane of the haze
    clear = alike(native, "sky_colours", scene, given)
    np.testing.assert_allclose(srgb_decode(clear), light, rtol=1e-4, atol=1e-4)
    scene.block[31] = 0.1
    given[:3], given[7:10] = clear.T, ray
    np.testing.assert_allclose(
        alike(native, "sky_colours", scene, given),
        alike(native, "hazed_colours", scene, given),
        atol=1e-6,
    )
    assert clear.std() > 0.1 or ortho
