# mypy: allow-untyped-defs, allow-untyped-calls
"""Native textures: against the GL backend's, against truth, and build against build."""

from __future__ import annotations

import numpy as np
import pytest

from heliograph.raster.shapes import SOLVERS
from heliograph.raster.types import Sampler, Texture, TextureKind, Wrap
from native_shading import BUILDS
from native_texturing import GlTexturing, native_builds

SAMPLERS = {
    "repeat": Sampler(),
    "mirror-clamp": Sampler(Wrap.MIRROR, Wrap.CLAMP),
    "clamp-repeat": Sampler(Wrap.CLAMP, Wrap.REPEAT),
    "nearest": Sampler(nearest=True),
}
FLOATS_IN_MESA = ("mirror-clamp", "nearest")
"""Other samplers Mesa's software looks up in bytes, unless colours are linear."""
SIZES = [(64, 64), (37, 53), (1, 1), (5, 16)]
STEPS = [0.04, 0.9, 1.1, 1.9, 2.0, 7.3, 300.0]
"""How many texels are in a pixel."""
COUNT = 4096
ROUND = [k for k, names in enumerate(SOLVERS) if "ROUND" in names]
EXACT = [k for k, names in enumerate(SOLVERS) if "EXACT" in names]


@pytest.fixture(scope="module")
def native(tmp_path_factory):
    """The builds by name."""
    return native_builds(str(tmp_path_factory.mktemp("native")))


@pytest.fixture(scope="module")
def reference():
    """The GL backend's."""
    made = GlTexturing()
    yield made
    made.release()


def flat(pixels, sampler=SAMPLERS["repeat"], *, linear=False):
    """A texture of pixels."""
    return Texture(name="t", kind=TextureKind.FLAT, pixels=pixels, linear=linear, sampler=sampler)


def cube(pixels, *, linear=False):
    """A cube of pixels."""
    return Texture(name="t", kind=TextureKind.CUBE, pixels=pixels, linear=linear)


def noise(*shape):
    """Pixels."""
    return np.random.default_rng(sum(shape)).integers(0, 256, shape, dtype=np.uint8)


def footprints(size, step, seed=0):
    """(6, N): places and steps of `step` texels the longer way, four alike as GPUs have them."""
    rng = np.random.default_rng(seed)
    uv = rng.uniform(-3, 3, (2, COUNT))
    angle, shorter = rng.uniform(0, 2 * np.pi, COUNT // 4), rng.uniform(0, 1, COUNT // 4)
    cos, sin = np.cos(angle) * step, np.sin(angle) * step
    steps = np.stack([cos, sin, -sin * shorter, cos * shorter]) / np.tile(size[::-1], 2)[:, None]
    return np.concatenate([uv, np.repeat(steps, 4, 1)]).astype(np.float32)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize(("channels", "linear"), [(1, False), (3, True), (4, False), (4, True)])
@pytest.mark.parametrize("size", SIZES)
def test_flat_textures_are_opengl_s(native, reference, size, channels, linear, name, step):
    texture = flat(noise(*size, channels), SAMPLERS[name], linear=linear)
    where = footprints(size, step)
    difference = 255 * np.abs(
        native["avx2"].look_up(texture, where) - reference.look_up(texture, where)
    )
    assert difference.mean() < (0.5 if step < min(size) else 1.5)  # a texel or two are all
    assert difference.max() < 3
    # Where the driver computes in floats as well, and halves bytes without fractions.
    if name in FLOATS_IN_MESA and not linear and (size == (64, 64) or step < 1):
        assert difference.max() < 0.01


@pytest.mark.parametrize("step", [0.0, 0.02, 0.1, 0.4, 3.0])
@pytest.mark.parametrize(("channels", "linear"), [(4, False), (3, True)])
@pytest.mark.parametrize("size", [64, 20, 3, 2, 1])
def test_cubes_are_opengl_s_across_edges_and_corners(
    native, reference, size, channels, linear, step
):
    rng = np.random.default_rng(size)
    texture = cube(noise(6, size, size, channels), linear=linear)
    way = rng.normal(size=(3, COUNT))
    way[:, ::5] = np.sign(way[:, ::5]) * rng.uniform(0.97, 1, (3, len(way[0, ::5])))  # corners
    steps = np.repeat(rng.normal(size=(6, COUNT // 4)) * step, 4, 1)
    way = np.repeat(way[:, ::4], 4, 1) if step else way
    where = np.concatenate([way, steps]).astype(np.float32)
    difference = 255 * np.abs(
        native["avx2"].look_up(texture, where) - reference.look_up(texture, where)
    )
    assert difference.max() < (2 if linear else 0.25)
    assert difference.mean() < (0.3 if linear else 0.05)


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("size", [(64, 64), (9, 7)])
def test_what_is_white_stays_so(native, size, linear):
    white = flat(np.full((*size, 4), 255, np.uint8), linear=linear)
    for step in STEPS:
        assert (native["avx2"].look_up(white, footprints(size, step)) == 1).all()


def test_all_channels_blend_alike(native):
    grey = np.repeat(np.random.default_rng(0).integers(0, 256, (8, 8, 1), np.uint8), 4, axis=2)
    found = native["avx2"].look_up(flat(grey), footprints((8, 8), 0.5))
    assert (found == found[0]).all()


def test_colours_are_decoded_before_they_blend_and_alpha_is_not(native):
    pixels = np.zeros((1, 2, 4), np.uint8)
    pixels[0, 1] = 255, 188, 10, 255
    middle = np.zeros((6, 8), np.float32)
    middle[0] = 0.5
    found = native["avx2"].look_up(flat(pixels, linear=True), middle)[:, 0]
    code = pixels[0, 1, :3] / 255
    light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    assert found == pytest.approx([*light / 2, 0.5], abs=1 / 65535)


def test_rows_go_up_and_channels_are_filled_up(native):
    grey = flat(np.array([[[200]], [[100]]], np.uint8), Sampler(nearest=True))
    where = np.zeros((6, 8), np.float32)
    where[1, :4], where[1, 4:] = 0.25, 0.75
    found = native["avx2"].look_up(grey, where) * 255
    assert found[:, 0] == pytest.approx([100, 100, 100, 255])
    assert found[:, 4] == pytest.approx([200, 200, 200, 255])


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize(
    "shape", [(64, 64, 4), (37, 53, 3), (1, 7, 1), (6, 16, 16, 3), (6, 1, 1, 4)]
)
def test_builds_agree_to_the_bit_whatever_comes_in(native, shape, name, linear):
    rng = np.random.default_rng(7)
    rows = 9 if len(shape) == 4 else 6
    where = rng.normal(size=(rows, COUNT)) * 10 ** rng.uniform(-4, 9, (rows, COUNT))
    for strange in (np.nan, np.inf, -1e30, 0.0, 1.0, -1e-9, 1e-40):
        where[rng.random(where.shape) < 0.02] = strange
    pixels = noise(*shape)
    texture = (
        cube(pixels, linear=linear) if rows == 9 else flat(pixels, SAMPLERS[name], linear=linear)
    )
    found = {build: native[build].look_up(texture, where) for build in BUILDS}
    assert ((found["plain"] >= 0) & (found["plain"] <= 1)).all()
    for build in BUILDS:
        assert found[build].tobytes() == found["plain"].tobytes(), build


def surface_points(solver, length):
    """(6, N): points of a shape and their normals."""
    rng = np.random.default_rng(solver)
    normal = rng.normal(size=(3, COUNT))
    normal /= np.linalg.norm(normal, axis=0)
    if solver in ROUND:
        p = normal.copy()
        if "CAPSULE" in SOLVERS[solver]:
            p[2] += np.sign(p[2]) * length
            p[2, ::2] = rng.uniform(-length, length, COUNT // 2)
            p[:2, ::2] /= np.linalg.norm(p[:2, ::2], axis=0)
        if "CAPS" in SOLVERS[solver]:
            cap = np.arange(COUNT) % 2 == 0
            p[2], normal[2] = (
                np.where(cap, np.sign(p[2]), rng.uniform(-1, 1, COUNT)),
                cap * np.sign(p[2]),
            )
            p[:2, ~cap] /= np.linalg.norm(p[:2, ~cap], axis=0)
            normal[:2] = np.where(cap, 0, p[:2])
    else:
        face, p = rng.integers(0, 3, COUNT), rng.uniform(-1, 1, (3, COUNT))
        normal = np.eye(3)[:, face] * rng.choice([-1, 1], COUNT)
        p[face, np.arange(COUNT)] = normal[face, np.arange(COUNT)]
    return np.concatenate([p, normal]).astype(np.float32)


@pytest.mark.parametrize("three_js", [False, True])
@pytest.mark.parametrize("solver", EXACT)
def test_texture_coordinates_of_shapes_are_the_shaders(native, reference, solver, three_js):
    where = surface_points(solver, 0.7)
    made, expected = (
        each.coordinates(solver, where, three_js=three_js, length=0.7)
        for each in (native["avx2"], reference)
    )
    turned = made[0] - expected[0]
    assert np.abs(turned - np.round(turned)).max() < 1e-5  # at the seam both 0 and 1 are right
    assert np.abs(made[1] - expected[1]).max() < 2e-4  # arc cosines of the driver are coarse
    if three_js:
        assert made[2:] == pytest.approx(expected[2:], rel=1e-4, abs=1e-5)
    for build in BUILDS:
        other = native[build].coordinates(solver, where, three_js=three_js, length=0.7)
        assert other.tobytes() == made.tobytes(), build


@pytest.mark.parametrize("three_js", [False, True])
@pytest.mark.parametrize("solver", EXACT)
def test_texture_coordinates_grow_as_they_say(native, solver, three_js):
    where = surface_points(solver, 0.7).astype(np.float64)
    away = np.hypot(where[0], where[1]) > 0.2  # not at the poles
    step = np.random.default_rng(0).normal(size=(3, COUNT)) * 1e-3
    step -= (step * where[3:]).sum(0) * where[3:]  # along the surface

    def at(share):
        moved = np.concatenate([where[:3] + share * step, where[3:]])
        return native["avx2"].coordinates(solver, moved, three_js=three_js, length=0.7)

    here, difference = at(0), at(0.5)[:2] - at(-0.5)[:2]
    grown = np.stack([(here[2:5] * step).sum(0), (here[5:] * step).sum(0)])
    crossed = np.abs(difference) > 0.3  # from one end of the texture to the other
    error = np.where(crossed, 0, np.abs(difference - grown))[:, away]
    assert np.quantile(error, 0.99) < 2e-5  # 1e-3 long steps; the rest cross an edge
