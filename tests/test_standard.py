"""Linear light: pictures agree with the formulas of three.js, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import standard_shading as ref
from heliograph.camera import Camera
from heliograph.raster import (
    DrawList,
    Environment,
    Instances,
    Layer,
    Light,
    Lighting,
    LightKind,
    Mapping,
    Rasterizer,
    Shading,
    Shape,
    Texture,
    ToneMapping,
    Use,
    albedo,
    make_rasterizer,
)

pytestmark = pytest.mark.usefixtures("backend")

SIZE = (320, 240)
PASSES = ("rgb", "depth", "normals", "segmentation")
CAMERA = Camera.look_at(
    eye=(2.5, -4.5, 3.0), target=(0, 0, 0.4), fov_y=0.9, width=SIZE[0], height=SIZE[1]
)


@dataclass(frozen=True)
class Paint:
    """A material as both sides understand it; colours are sRGB."""

    kind: Shading = Shading.LIT
    colour: tuple[float, float, float] = (0.8, 0.4, 0.2)
    roughness: float = 0.5
    metallic: float = 0.0
    emissive: tuple[float, float, float] = (0.0, 0.0, 0.0)  # linear
    highlight: tuple[float, float, float, float] = (0.3, 0.2, 0.5, 40.0)  # linear, shininess


PAINTS = (
    Paint(roughness=0.3),
    Paint(roughness=0.6, metallic=1.0, colour=(0.9, 0.8, 0.3)),
    Paint(roughness=0.0, metallic=0.5, colour=(0.2, 0.5, 0.9)),
    Paint(roughness=1.0, emissive=(0.02, 0.05, 0.1)),
    Paint(Shading.PHONG),
    Paint(Shading.LAMBERT, colour=(0.3, 0.9, 0.5)),
    Paint(Shading.UNLIT, colour=(0.5, 0.25, 0.75)),
    Paint(Shading.PHONG, colour=(1.0, 1.0, 1.0), highlight=(0.0056, 0.0056, 0.0056, 30.0)),
)

SUN = Light(LightKind.DIRECTIONAL, direction=(-0.3, 0.6, -0.9), diffuse=(1.5, 1.4, 1.2))
BULB = Light(
    LightKind.POINT, position=(0.5, -2.0, 1.5), diffuse=(4.0, 2.0, 1.0), attenuation=(0, 0, 1)
)
ENDING = replace(BULB, diffuse=(0.5, 2.0, 4.0), attenuation=(0, 0, 0), decay=1.5, distance=4.0)
SPOT = Light(
    LightKind.SPOT,
    position=(-1.0, -2.0, 3.0),
    direction=(0.3, 0.5, -0.8),
    diffuse=(20.0, 20.0, 25.0),
    attenuation=(0, 0, 1),
    cutoff=0.5,
    exponent=0.0,
    softness=0.4,
)


def things(paints: tuple[Paint, ...] = PAINTS) -> Instances:
    """A sphere and a box for each paint, on a floor of the first."""
    count = len(paints)
    made = Instances.blank(2 * count + 1)
    table, materials, pose = made.table, made.materials, made.transforms.world_from_object
    table.geometry[:] = [*[Shape.SPHERE] * count, *[Shape.BOX] * count, Shape.PLANE]
    worn = [*paints, *paints, paints[0]]
    pose[:, :, :3] *= 0.35
    pose[-1, :, :3] *= 20
    for row in range(2 * count):
        column, line = row % count % 4, row % count // 4
        pose[row, :, 3] = 1.1 * column - 1.6, 1.3 * line - 1.2, 0.35 + 0.9 * (row >= count)
        if row >= count:
            turn = 0.7 * row
            pose[row, :2, :2] = 0.25 * np.array(
                [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
            )
            pose[row, 2, 2] = 0.25
    table.shading[:] = [paint.kind for paint in worn]
    materials.rgba[:] = [(*paint.colour, 1.0) for paint in worn]
    materials.emissive = np.array([paint.emissive for paint in worn], np.float32)
    materials.metallic_roughness = np.array(
        [(paint.metallic, paint.roughness) for paint in worn], np.float32
    )
    materials.highlight = np.array([paint.highlight for paint in worn], np.float32)
    return made


def drawn(rasterizer: Rasterizer, scene: DrawList, camera: Camera = CAMERA) -> dict[str, Any]:
    width, height = camera.size
    out: dict[str, Any] = {
        "rgb": np.zeros((height, width, 3), np.uint8),
        "depth": np.zeros((height, width), np.float32),
        "normals": np.zeros((height, width, 3), np.float32),
        "segmentation": np.zeros((height, width), np.int32),
    }
    rasterizer.draw(scene, [camera], PASSES, [out])
    return out


def reference_light(light: Light, camera: Camera) -> ref.Light:
    kind = "directional" if light.kind is LightKind.HEAD else light.kind.value
    position, direction = np.array(light.position), np.array(light.direction)
    if light.kind is LightKind.HEAD:
        direction = -camera.world_from_camera[:3, 2]
    decay = light.decay or float(np.argmax(light.attenuation))
    return ref.Light(
        kind,
        np.array(light.diffuse),
        position=position if kind != "directional" else -direction,
        target=position + direction if kind != "directional" else np.zeros(3),
        decay=decay,
        distance=light.distance,
        angle=light.cutoff,
        penumbra=light.softness,
    )


def expected(
    out: dict[str, Any],
    paints: tuple[Paint, ...],
    scene: DrawList,
    hemispheres: tuple[ref.Light, ...] = (),
    camera: Camera = CAMERA,
) -> NDArray[np.uint8]:
    """The reference's picture, from our normals, depths and ids, all in world axes."""
    turn, eye = camera.world_from_camera[:3, :3], camera.world_from_camera[:3, 3]
    height, width = out["depth"].shape
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    ray = np.stack(
        [(x - camera.cx) / camera.fx, -(y - camera.cy) / camera.fy, -np.ones_like(x)], -1
    )
    hit = np.isfinite(out["depth"])
    point = eye + (np.where(hit, out["depth"], 1.0)[..., None] * ray) @ turn.T
    normal = out["normals"].astype(float) @ turn.T
    view = ref.unit(eye - point)
    lights = [reference_light(light, camera) for light in scene.lights]
    ambient = ref.Light("ambient", np.array(scene.ambient))
    lights = [*lights, ambient, *hemispheres]
    colour = np.zeros((height, width, 3))
    for number in range(1, 2 * len(paints) + 2):
        paint = ([*paints, *paints, paints[0]])[number - 1]
        mine = out["segmentation"] == number
        image = out["normals"] if number <= len(paints) else None  # boxes are flat
        colour[mine] = material(paint, image).shade(normal, view, point, lights)[mine]
    shown = ref.finish(colour * scene.exposure, scene.tone_mapping.value)
    shown[~hit] = np.round(np.array(scene.environment.colour) * 255)
    return shown


def material(paint: Paint, image: NDArray[Any] | None) -> ref.Standard | ref.Lambert | ref.Basic:
    """A material as the reference has it."""
    base, glow = ref.srgb_decode(paint.colour), np.array(paint.emissive)
    if paint.kind is Shading.UNLIT:
        return ref.Basic(base)
    if paint.kind is Shading.LAMBERT:
        return ref.Lambert(base, glow)
    if paint.kind is Shading.PHONG:
        return ref.Phong(base, glow, np.array(paint.highlight[:3]), paint.highlight[3])
    return ref.Standard(base, paint.roughness, paint.metallic, glow, image)


def inner(out: dict[str, Any]) -> NDArray[np.bool_]:
    """Pixels whose neighbours show the same thing."""
    ids = np.pad(out["segmentation"], 1, mode="edge")
    middle = ids[1:-1, 1:-1]
    same = np.ones(middle.shape, bool)
    for i in range(3):
        for j in range(3):
            same &= ids[i : i + middle.shape[0], j : j + middle.shape[1]] == middle
    return same


def agree(out: dict[str, Any], wanted: NDArray[np.uint8]) -> None:
    """Within 1 of 255 on average, 3 at the 99th percentile away from edges."""
    error = np.abs(out["rgb"].astype(int) - wanted.astype(int))
    assert error.mean() <= 1.0
    assert np.percentile(error[inner(out)], 99) <= 3


LIGHTS = {
    "sun": (SUN,),
    "bulb": (BULB,),
    "ending": (ENDING,),
    "spot": (SPOT,),
    "head": (Light(LightKind.HEAD, diffuse=(1.5, 1.5, 1.5)),),
    "all": (SUN, BULB, ENDING, SPOT),
}


@pytest.mark.parametrize("name", LIGHTS)
@pytest.mark.parametrize("ambient", [(0.0, 0.0, 0.0), (0.4, 0.5, 0.6)])
def test_materials_look_as_in_three_js(
    rasterizer: Rasterizer, name: str, ambient: tuple[float, float, float]
) -> None:
    scene = DrawList(
        things(), LIGHTS[name], Environment((0.1, 0.2, 0.3)), ambient, lighting=Lighting.STANDARD
    )
    out = drawn(rasterizer, scene)
    assert set(np.unique(out["segmentation"])) >= set(range(1, 18))
    agree(out, expected(out, PAINTS, scene))


@pytest.mark.parametrize("tone", ToneMapping)
@pytest.mark.parametrize("exposure", [0.5, 3.0])
def test_tone_mapping_is_three_js_s(
    rasterizer: Rasterizer, tone: ToneMapping, exposure: float
) -> None:
    scene = DrawList(
        things(),
        LIGHTS["all"],
        ambient=(0.4, 0.5, 0.6),
        lighting=Lighting.STANDARD,
        tone_mapping=tone,
        exposure=exposure,
    )
    out = drawn(rasterizer, scene)
    agree(out, expected(out, PAINTS, scene))


def test_hemisphere_light_is_a_mean_and_a_gradient(rasterizer: Rasterizer) -> None:
    sky, ground = np.array([0.5, 0.8, 1.2]), np.array([0.4, 0.2, 0.1])
    half = tuple((sky - ground) / 2)
    scene = DrawList(
        things(),
        (SUN,),
        ambient=tuple((sky + ground) / 2),
        gradient=((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), half),
        lighting=Lighting.STANDARD,
    )
    out = drawn(rasterizer, scene)
    light = ref.Light("hemisphere", sky, ground=ground, position=np.array([0.0, 0.0, 1.0]))
    plain = replace(scene, ambient=(0.0, 0.0, 0.0))
    agree(out, expected(out, PAINTS, plain, (light,)))


def test_normals_and_depths_are_shown_as_colours(rasterizer: Rasterizer) -> None:
    for kind in (Shading.NORMAL, Shading.DEPTH):
        scene = DrawList(
            things((Paint(kind),) * 8),
            (SUN,),
            lighting=Lighting.STANDARD,
            tone_mapping=ToneMapping.ACES,
            exposure=2.0,
        )
        out = drawn(rasterizer, scene)
        hit = out["segmentation"] > 0
        depth = np.where(hit, out["depth"], 1.0)[..., None].astype(float)
        wanted = (
            ref.normal_uint8(out["normals"].astype(float))
            if kind is Shading.NORMAL
            else ref.depth_uint8(depth, CAMERA.near, CAMERA.far)
        )
        error = np.abs(out["rgb"].astype(int) - wanted.astype(int))[hit]
        assert error.max() <= 1


def test_even_light_from_a_picture_is_that_of_an_ambient_light(rasterizer: Rasterizer) -> None:
    # A white furnace: what a white surface reflects and diffuses of even light is all of it.
    handle = rasterizer.add_radiance(np.full((16, 32, 3), 0.5, np.float32))
    white = tuple(
        Paint(colour=(1.0, 1.0, 1.0), roughness=roughness, metallic=metallic)
        for roughness in (0.1, 0.4, 0.7, 1.0)
        for metallic in (0.0, 1.0)
    )
    scene = DrawList(
        things(white),
        (),
        Environment(radiance=handle, radiance_shown=True),
        lighting=Lighting.STANDARD,
    )
    out = drawn(rasterizer, scene)
    want = int(ref.to_uint8(ref.srgb_encode(np.array(0.5))))
    assert np.abs(out["rgb"][inner(out)].astype(int) - want).max() <= 4
    assert (out["rgb"][~np.isfinite(out["depth"])] == want).all()
    rasterizer.remove_radiance(handle)


def test_a_bright_spot_is_reflected_where_a_mirror_shows_it(rasterizer: Rasterizer) -> None:
    height, width = 128, 256
    picture = np.zeros((height, width, 3), np.float32)
    way = ref.unit(np.array([0.6, 0.5, 0.7]))
    row = int((0.5 - np.arcsin(way[2]) / np.pi) * height)
    column = int((np.arctan2(way[0], way[1]) / (2 * np.pi) + 0.5) * width)
    picture[row - 1 : row + 2, column - 1 : column + 2] = 50.0
    handle = rasterizer.add_radiance(picture)
    chrome = (Paint(colour=(1.0, 1.0, 1.0), roughness=0.0, metallic=1.0),)
    scene = DrawList(things(chrome), (), Environment(radiance=handle), lighting=Lighting.STANDARD)
    out = drawn(rasterizer, scene)
    ball = out["segmentation"] == 1
    light = np.where(ball[..., None], out["rgb"], 0).sum(-1)
    y, x = np.unravel_index(light.argmax(), light.shape)
    turn = CAMERA.world_from_camera[:3, :3]
    ray = np.array([(x + 0.5 - CAMERA.cx) / CAMERA.fx, -(y + 0.5 - CAMERA.cy) / CAMERA.fy, -1.0])
    seen, normal = turn @ ref.unit(ray), turn @ out["normals"][y, x]
    mirrored = seen - 2 * (seen @ normal) * normal
    assert light.max() > 600
    assert mirrored @ way > np.cos(np.radians(4))
    rasterizer.remove_radiance(handle)


def test_the_table_of_what_rough_surfaces_reflect_is_the_reference_s() -> None:
    error = np.abs(albedo.table() - ref.dfg_table())
    assert error.mean() < 1e-3
    assert error.max() < 7e-3  # nearly along the surface, where both are sums of few samples


def one(shape: Shape, shading: Shading = Shading.LIT) -> Instances:
    """A single white thing with texture coordinates of its own."""
    made = Instances.blank(1)
    made.table.geometry[:], made.table.shading[:] = shape, shading
    made.materials.rgba[:] = 1.0
    return made


def grey(value: int, *layers: Layer) -> Texture:
    return Texture(np.full((4, 4, 3), value, np.uint8), linear=True, layers=layers)


def test_a_texture_that_gets_another_s_handle_is_drawn_as_itself() -> None:
    rasterizer = make_rasterizer()
    dark = Layer(Use.OCCLUSION, np.zeros((2, 2, 3), np.uint8))
    camera = Camera.look_at(eye=(0, 0, 3), target=(0, 0.001, 0), fov_y=0.5, width=16, height=16)

    def shown(texture: Texture) -> tuple[int, int]:
        handle = rasterizer.add_texture(texture)
        made = one(Shape.PLANE)
        made.table.texture[:], made.table.mapping[:] = handle, Mapping.UV
        scene = DrawList(made, ambient=(2.5, 2.5, 2.5), lighting=Lighting.STANDARD)
        value = int(drawn(rasterizer, scene, camera)["rgb"][8, 8, 0])
        rasterizer.remove_texture(handle)
        return handle, value

    plain, occluded, again = shown(grey(200)), shown(grey(200, dark)), shown(grey(200))
    assert plain[0] == occluded[0] == again[0]
    assert plain[1] == again[1] > 100
    assert occluded[1] == 0
    rasterizer.close()


def test_a_phong_plane_mirrors_as_much_as_it_is_told_to(rasterizer: Rasterizer) -> None:
    pictures = []
    for kind in (Shading.LIT, Shading.PHONG):
        made = Instances.blank(2)
        made.table.geometry[:] = np.array([Shape.PLANE, Shape.BOX])
        made.table.shading[:] = np.array([kind, Shading.UNLIT])
        made.materials.rgba[:] = 1.0
        made.materials.surface[0, 3] = 0.25
        made.materials.highlight = np.full((2, 4), 30.0, np.float32)
        made.transforms.world_from_object[0, :, :3] *= 10
        made.transforms.world_from_object[1, :, :3] *= 0.3
        made.transforms.world_from_object[1, 2, 3] = 0.5
        out = drawn(rasterizer, DrawList(made, lighting=Lighting.STANDARD))
        pictures.append(np.where(out["segmentation"][..., None] == 1, out["rgb"], 0))
    assert int(pictures[0].max()) == int(ref.to_uint8(ref.srgb_encode(np.array(0.25))))
    assert (pictures[0] == pictures[1]).all()


@pytest.mark.parametrize("distance", [1e3, 1e8, 1e15])
def test_light_that_does_not_fade_is_the_same_from_any_distance(
    rasterizer: Rasterizer, distance: float
) -> None:
    camera = Camera.look_at(eye=(0, 0, 3), target=(0, 0.001, 0), fov_y=0.5, width=16, height=16)
    lamp = Light(LightKind.POINT, (0.0, 0.0, distance), diffuse=(2.0, 2.0, 2.0))
    scene = DrawList(one(Shape.PLANE, Shading.LAMBERT), (lamp,), lighting=Lighting.STANDARD)
    want = int(ref.to_uint8(ref.srgb_encode(np.array(2 / np.pi))))
    assert abs(int(drawn(rasterizer, scene, camera)["rgb"][8, 8, 0]) - want) <= 1


@pytest.mark.parametrize("tone", ToneMapping)
def test_the_brightest_light_is_white(rasterizer: Rasterizer, tone: ToneMapping) -> None:
    camera = Camera.look_at(eye=(0, 0, 3), target=(0, 0.001, 0), fov_y=0.5, width=16, height=16)
    scene = DrawList(
        one(Shape.PLANE, Shading.LAMBERT),
        ambient=(1e25, 1e25, 1e25),
        lighting=Lighting.STANDARD,
        tone_mapping=tone,
    )
    assert drawn(rasterizer, scene, camera)["rgb"][8, 8].min() == 255


def test_the_normal_that_is_shown_as_a_colour_has_the_bumps_of_its_map(
    rasterizer: Rasterizer,
) -> None:
    tilted = np.array([0.6, 0.0, 0.8])
    pixels = np.tile(np.round((tilted + 1) * 127.5).astype(np.uint8), (4, 4, 1))
    handle = rasterizer.add_texture(grey(255, Layer(Use.NORMAL, pixels)))
    made = one(Shape.PLANE, Shading.NORMAL)
    made.table.texture[:], made.table.mapping[:] = handle, Mapping.UV
    camera = Camera.look_at(
        eye=(0, 0, 3), target=(0, 0, 0), up=(0, 1, 0), fov_y=0.5, width=16, height=16
    )
    out = drawn(rasterizer, DrawList(made, lighting=Lighting.STANDARD), camera)
    assert np.abs(out["rgb"][8, 8].astype(int) - (tilted + 1) * 127.5).max() <= 2
    assert out["normals"][8, 8] == pytest.approx((0, 0, 1))  # of the surface itself
    rasterizer.remove_texture(handle)
