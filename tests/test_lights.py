# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="union-attr, index, arg-type"
"""Lights: shadows on all sides, limits, names, and how few programs they need."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

import heliograph as hg
from component_scenes import TOP, shown
from heliograph.engines.components import ComponentEngine
from heliograph.engines.mujoco import MujocoEngine
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.frame import allocate
from heliograph.passes import PASSES, select_passes
from heliograph.randomize import Facts
from heliograph.raster import (
    DrawList,
    Instances,
    Light,
    Lighting,
    LightKind,
    RasterOptions,
    Shape,
    make_rasterizer,
)
from heliograph.raster.gl.programs import Variant
from heliograph.raster.gl.rasterizer import GlRasterizer
from heliograph.raster.shadows import casting
from heliograph.scene import Description, EditLight, Item
from heliograph.view import View
from raster_scenes import camera

pytestmark = pytest.mark.usefixtures("backend")

LAMP = np.array([0.1, -0.2, 0.15])
REACH = 3.0
WAYS = np.array(
    [
        *([1, 0.1, 0], [-1, 0, 0.1], [0, 1, -0.1], [0.1, -1, 0], [0, 0, 1], [0, 0.1, -1]),
        *([1, 1, 0.1], [-1, 1, 0.2], [0.2, -1, -1], [-1, 0.1, 1], [1, -0.9, 1.05]),
    ],
    float,
)
HALF = 0.15


def room():
    """Six walls that face inwards, ids 1 to 6, and boxes all round its middle."""
    instances = Instances.blank(6 + len(WAYS))
    for wall in range(6):
        axis, sign = wall // 2, 1.0 - 2 * (wall % 2)
        turn = np.zeros((3, 3))
        turn[(axis + 1) % 3, 0], turn[(axis + 2) % 3, 1], turn[axis, 2] = -sign, 1.0, -sign
        instances.table.geometry[wall] = Shape.PLANE
        instances.transforms.world_from_object[wall, :, :3] = REACH * turn
        instances.transforms.world_from_object[wall, axis, 3] = sign * REACH
    instances.transforms.world_from_object[6:, :, :3] = HALF * np.eye(3)
    instances.transforms.world_from_object[6:, :, 3] = LAMP + WAYS
    instances.materials.surface[:] = 0
    return instances


def hidden(points):
    """Which points (N, 3) a box hides from the lamp, by the slab test."""
    way = points[:, None] - LAMP
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.stack([(WAYS - HALF) / way, (WAYS + HALF) / way])
    enter, leave = ends.min(0).max(-1), ends.max(0).min(-1)
    return ((enter < leave) & (enter > 0) & (enter < 1)).any(1)


def near_change(mask, pixels=2):
    """Where a mask (H, W) changes within so many pixels."""
    padded = np.pad(mask, pixels, mode="edge")
    height, width = mask.shape
    steps = range(2 * pixels + 1)
    windows = [padded[y : y + height, x : x + width] for y in steps for x in steps]
    return np.any(windows, 0) != np.all(windows, 0)


def picture(rasterizer, instances, lights, view, lighting=Lighting.PIXEL):
    out = allocate(view, select_passes(("rgb", "depth", "segmentation"), PASSES))
    rasterizer.draw(DrawList(instances, lights, lighting=lighting), [view], tuple(out), [out])
    return out


@pytest.mark.parametrize("lighting", list(Lighting))
@pytest.mark.parametrize("measured", [False, True])
def test_a_point_light_casts_shadows_to_all_sides(lighting, measured):
    lamp = Light(
        LightKind.POINT,
        position=tuple(LAMP),
        diffuse=(1, 1, 1),
        specular=(0, 0, 0),
        casts_shadow=True,
        shadow_range=(0.02, 12.0),
    )
    rasterizer = make_rasterizer()
    if measured:
        rasterizer.expect_lights((lamp,))
    shadowed, lit = set(), set()
    for corner in ((1, 1, 1), (-1, -1, -1), (1, -1, 0.3), (-1, 1, -0.4)):
        eye = 2.8 * np.array(corner)
        view = camera(eye=eye, target=-eye, fov_y=1.6, width=240, height=180)
        out = picture(rasterizer, room(), (lamp,), view, lighting)
        walls = (out["segmentation"] > 0) & (out["segmentation"] <= 6)
        points = view.unproject(view.pixel_centres(), out["depth"].astype(float))
        truth = hidden(points.reshape(-1, 3)).reshape(walls.shape) & walls
        dark = (out["rgb"].max(-1) == 0) & walls
        clear = walls & ~near_change(truth) & ~near_change(walls)
        assert clear.mean() > 0.4
        assert np.array_equal(dark[clear], truth[clear])
        shadowed |= set(out["segmentation"][clear & truth].tolist())
        lit |= set(out["segmentation"][clear & ~truth].tolist())
    rasterizer.close()
    assert shadowed == lit == {1, 2, 3, 4, 5, 6}


def lamps(number, **fields):
    return tuple(Light(direction=(0, 0, -1), specular=(0, 0, 0), **fields) for _ in range(number))


def test_as_many_lights_shine_as_are_allowed_and_more_are_refused(rasterizer):
    floor = Instances.blank(1)
    floor.table.geometry[0] = Shape.PLANE
    one = picture(rasterizer, floor, lamps(1, diffuse=(0.9, 0.6, 0.3)), camera())
    many = picture(rasterizer, floor, lamps(100, diffuse=(0.009, 0.006, 0.003)), camera())
    assert one["rgb"].max() > 100
    assert np.abs(one["rgb"].astype(int) - many["rgb"]).max() <= 1
    with pytest.raises(InvalidValueError, match="at most 100 that are on, got 101"):
        picture(rasterizer, floor, lamps(101), camera())


def test_of_more_casting_lights_than_maps_the_strongest_have_one(rasterizer):
    strong = lamps(8, diffuse=(0.1, 0.1, 0.1), casts_shadow=True, position=(0, 0, 4))
    weak = lamps(2, diffuse=(0.05, 0.05, 0.05), casts_shadow=True, position=(0, 0, 4))
    assert casting((*weak, *strong)) == tuple(range(2, 10))
    assert casting((*strong, *weak)) == tuple(range(8))
    assert casting((*strong[:4], *weak)) == tuple(range(6))
    scene = Instances.blank(2)
    scene.table.geometry[0] = Shape.PLANE
    scene.transforms.world_from_object[0, :, :3] *= 3
    scene.transforms.world_from_object[1, :, :3] *= 0.3
    scene.transforms.world_from_object[1, :, 3] = 0, 0, 1
    scene.materials.rgba[:, :3] = 1
    scene.materials.surface[:] = 0
    view = camera(eye=(0, -4, 3), target=(0, 0, 0))
    x, y = view.project(np.zeros((1, 3))).astype(int)[0]
    both = picture(rasterizer, scene, (*weak, *strong), view)["rgb"][y, x]
    assert both.tolist() == [26, 26, 26]  # the two weak ones


def test_programs_to_measure_and_those_for_all_lights_agree():
    kinds = (LightKind.HEAD, LightKind.DIRECTIONAL, LightKind.SPOT, LightKind.POINT)
    lights = tuple(
        Light(kind, (0, 0.3, 0.2), (0.1, 0.2, -1), (0.2, 0.3, 0.1), attenuation=(1, 0.1, 0.02),
              cutoff=1.2, exponent=3, softness=0.2, ambient=(0.02, 0, 0.05), casts_shadow=True)
        for kind in kinds
    )  # fmt: skip
    view = camera(eye=2.6 * np.ones(3), target=-np.ones(3), fov_y=1.2)
    for lighting in Lighting:
        pictures = []
        for expected in (lights, ()):
            rasterizer = make_rasterizer()
            rasterizer.expect_lights(expected)
            pictures.append(picture(rasterizer, room(), lights, view, lighting)["rgb"].astype(int))
            rasterizer.close()
        assert pictures[0].std() > 8
        assert np.abs(pictures[0] - pictures[1]).max() <= 1


LIGHTS = (
    hg.DirectionalLight(key="sun", position=[1, -1, 3], castShadow=True, intensity=0.4),
    hg.PointLight(key="bulb", position=[0, 1, 2], intensity=0.5),
    hg.SpotLight(key="spot", position=[-1, 0, 3], angle=0.5, castShadow=True, intensity=2.0),
    hg.HemisphereLight(key="sky", color="#88f", groundColor="#420", intensity=0.3),
    hg.PointLight(key="lamp", position=[1, 0, 1.5], castShadow=True, intensity=0.5),
)
THINGS = (
    hg.Plane(key="floor", args=[6, 6]),
    hg.Box(key="box", args=[0.6, 0.6, 0.6], position=[0, 0, 0.5]),
    hg.Sphere(key="ball", args=[0.3], position=[1, 0.5, 0.5]),
)


def test_lights_that_are_switched_need_few_programs_and_leave_nothing_behind():
    names = [str(light.key) for light in LIGHTS]
    engine = ComponentEngine(hg.Scene(*THINGS, *LIGHTS), options=RasterOptions(backend="gl"))
    drawn = {}
    for number in range(len(names) + 1):
        for off in combinations(names, number):
            edits = tuple(EditLight(name, active=False) for name in off)
            drawn[off] = next(iter(engine.render(View((TOP,), edits=edits)))).rgb
    compiled = engine._rasterizer._pipeline._programs._compiled
    programs = [each for each in compiled if isinstance(each, Variant)]
    shapes = {(each.solver, each.boxed, each.double_sided) for each in programs}
    engine.close()
    assert len(drawn) == 32
    assert len(programs) <= 5 * len(shapes)
    for off in (("sun",), ("bulb", "sky", "lamp"), tuple(names)):
        edits = tuple(EditLight(name, active=False) for name in off)
        alone = shown(hg.Scene(*THINGS, *LIGHTS), TOP, edits=edits)
        assert np.array_equal(alone.rgb, drawn[off])


def test_a_light_that_cast_no_shadow_does_where_an_edit_says_so():
    floor, thing = hg.Plane(args=[6, 6]), hg.Box(args=[0.5, 0.5, 0.5], position=[1, 0, 1])
    away = {"position": [3, 0, 3], "key": "sun"}
    own = shown(hg.Scene(floor, thing, hg.DirectionalLight(**away, castShadow=True)), TOP)
    plain = hg.Scene(floor, thing, hg.DirectionalLight(**away))
    edited = shown(plain, TOP, edits=(EditLight("sun", casts_shadow=True),))
    assert not np.array_equal(shown(plain, TOP).rgb, own.rgb)
    assert np.array_equal(edited.rgb, own.rgb)
    for kind in ("directional", "spot", "point"):
        dark = hg.Scene(floor, thing, hg.AmbientLight(key="dim", intensity=0.1))
        new = EditLight("new", kind=kind, position=(3, 0, 3), direction=(-1, 0, -1), decay=0)
        cast = EditLight("new", casts_shadow=True)
        lit, shaded = (shown(dark, TOP, edits=edits).rgb for edits in ((new,), (new, cast)))
        assert lit[60, 80].min() > 2 * shaded[60, 80].min()
        assert lit[60, 140].tolist() == shaded[60, 140].tolist()


def test_a_hemisphere_is_one_light_and_takes_no_name_but_its_own():
    floor = hg.Plane(args=[6, 6])
    sky = hg.HemisphereLight(key="sky", color="#0000ff", groundColor="#000000")
    other = hg.DirectionalLight(key="sky1", color="#ff0000")

    def middle(*edits):
        return shown(hg.Scene(floor, sky, other), TOP, edits=edits).rgb[60, 80].tolist()

    both = middle()
    assert both[0] > 0
    assert both[2] > 0
    assert middle(EditLight("sky", active=False)) == [both[0], 0, 0]
    assert middle(EditLight("sky1", active=False)) == [0, 0, both[2]]
    assert middle(EditLight("sky", diffuse=(0.0, 1.0, 0.0))) == [both[0], both[2], 0]
    assert middle(EditLight("sky", direction=(0.0, 0.0, 1.0))) == [both[0], 0, 0]
    assert middle(EditLight("sky", ambient=(0.0, 1.0, 0.0))) == both  # from below
    with pytest.raises(UnknownNameError, match="sky2"):
        middle(EditLight("sky2"))


def test_light_from_everywhere_can_be_edited_too():
    scene = hg.Scene(hg.Plane(args=[6, 6]), hg.AmbientLight(key="dim", intensity=0.25))
    half = shown(scene, TOP).rgb[60, 80, 0]
    assert half > 0
    bright = hg.Scene(hg.Plane(args=[6, 6]), hg.AmbientLight(key="dim", intensity=0.5))
    whole = shown(bright, TOP).rgb[60, 80, 0]
    assert whole > half
    for edit in (EditLight("dim", diffuse=(0.5,) * 3), EditLight("dim", ambient=(0.5,) * 3)):
        assert shown(scene, TOP, edits=(edit,)).rgb[60, 80, 0] == whole
    assert shown(scene, TOP, edits=(EditLight("dim", active=False),)).rgb[60, 80, 0] == 0


def test_a_hidden_light_can_be_switched_on():
    floor, lamp = hg.Plane(args=[6, 6]), hg.DirectionalLight(key="lamp")
    dim = hg.AmbientLight(intensity=0.1)
    scene = hg.Scene(floor, dim, hg.Group(lamp, visible=False))
    lit = shown(scene, TOP, edits=(EditLight("lamp", active=True),))
    assert np.array_equal(lit.rgb, shown(hg.Scene(floor, dim, lamp), TOP).rgb)


MJCF = """<mujoco><visual><headlight ambient="0 0 0" diffuse="0 0 .4" specular="0 0 0"/></visual>
<worldbody><light name="{}" pos="0 0 4" dir="0 0 -1" type="{}" castshadow="{}" diffuse=".5 0 0"
specular="0 0 0"/>
<light pos="0 0 5" dir="0 0 -1" diffuse="0 .2 0" specular="0 0 0" active="{}"/>
<geom type="plane" size="2 2 .1" rgba="1 1 1 1"/>
<geom type="box" pos="0 0 1" size=".3 .3 .1"/>
<camera name="eye" pos="0 -3 3" xyaxes="1 0 0 0 1 1"/></worldbody></mujoco>"""


def mujoco_shots(text, *edits):
    engine = MujocoEngine(text, size=(60, 60))
    try:
        known = [item.name for item in engine.scene.lights], Facts.of(engine).lit
        shots = [engine.render(View(("eye",), edits=each))["eye"].rgb for each in ((), *edits)]
    finally:
        engine.close()
    return known, shots


def test_a_models_light_called_head_and_the_one_at_the_camera_are_two():
    text = MJCF.format("head", "directional", "false", "false")
    off = [(EditLight(name, active=False),) for name in ("head", "headlight")]
    (names, on), (both, no_own, no_camera) = mujoco_shots(text, *off)
    assert names == ["headlight", "head", "light1"]
    assert on == ("headlight", "head")
    assert both[..., 0].max() > 100
    assert no_own[..., 0].max() == 0
    assert np.abs(no_own[..., 2].astype(int) - both[..., 2]).max() <= 1
    assert no_camera[..., 2].max() == 0
    assert np.abs(no_camera[..., 0].astype(int) - both[..., 0]).max() <= 1


def test_names_given_to_lights_without_one_take_none_of_the_models():
    text = MJCF.format("light1", "directional", "false", "true")
    (names, _), (both, one) = mujoco_shots(text, (EditLight("light1", active=False),))
    assert names == ["head", "light1", "light1_"]
    assert one[..., 0].max() == 0
    assert np.abs(one[..., 1].astype(int) - both[..., 1]).max() <= 1


def test_point_lights_of_models_cast_no_shadow_as_in_mujoco():
    models = (MJCF.format("lamp", "point", casts, "false") for casts in ("true", "false"))
    (casting_one, edited), (plain,) = (
        mujoco_shots(text, *edits)[1]
        for text, edits in zip(models, ([(EditLight("lamp", casts_shadow=True),)], []), strict=True)
    )
    assert np.array_equal(casting_one, plain)
    assert edited.astype(int).sum() < 0.99 * plain.astype(int).sum()


def test_shadow_maps_that_fail_leave_no_offset_to_pictures(monkeypatch):
    rasterizer = GlRasterizer()
    pipeline = rasterizer._pipeline
    lights = lamps(1, casts_shadow=True, position=(0, 0, 4))

    def fail(*_):
        raise RuntimeError("no")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "draw_depth", fail)
        with pytest.raises(RuntimeError):
            picture(rasterizer, Instances.blank(1), lights, camera())
    picture(rasterizer, Instances.blank(1), (), camera())
    with rasterizer.context.current() as gl:
        offset = gl.polygon_offset
    rasterizer.close()
    assert offset == (0.0, 0.0)


def test_maps_of_cameras_of_other_sizes_do_not_replace_each_other():
    scene = room()
    lights = lamps(3, casts_shadow=True, position=(0, 0, 2.9), diffuse=(0.2, 0.2, 0.2))
    views = [
        camera(eye=2.6 * np.ones(3), target=(0, 0, -1), width=size, height=size)
        for size in (64, 300, 64, 600, 64)
    ]
    for options in (RasterOptions(), RasterOptions(shadow_size=256)):
        rasterizer = make_rasterizer(options)
        out = [allocate(view, select_passes(("rgb",), PASSES)) for view in views]
        rasterizer.draw(DrawList(scene, lights), views, ("rgb",), out)
        alone = picture(rasterizer, scene, lights, views[0])
        rasterizer.close()
        for each in out[::2]:
            assert np.array_equal(each["rgb"], alone["rgb"])


def test_a_randomizer_knows_a_light_that_stays_dark():
    lights = (Item("sun", "light"), Item("lamp", "light"), Item("headlight", "head"))
    facts = Facts(Description("test", "0", lights=lights), lights=("sun", "headlight"))
    assert facts.is_head("headlight")
    assert not facts.is_head("sun")
    still = facts.after([EditLight("lamp", diffuse=(1, 1, 1))], {})
    assert still.lit == ("sun", "headlight")
    assert still.after([EditLight("lamp", active=True)], {}).lit == ("sun", "headlight", "lamp")
    new = facts.after([EditLight("new", kind="spot")], {})
    assert new.lit == ("sun", "headlight", "new")
    gone = new.after([EditLight("new", active=False)], {})
    assert gone.after([EditLight("new", cutoff=0.3)], {}).lit == ("sun", "headlight")


@pytest.mark.parametrize("kind", [hg.HemisphereLight, hg.AmbientLight])
def test_a_light_from_all_around_that_gets_a_kind_is_a_light_of_this_kind_alone(kind):
    scene = hg.Scene(hg.Sphere(key="ball"), kind(key="sky", intensity=1.0))
    given = {"kind": "point", "position": (1, 2, 5), "specular": (0, 0, 0)}
    black, red = ({**given, "diffuse": colour} for colour in ((0, 0, 0), (0.7, 0, 0)))
    dark = shown(scene, TOP, edits=[EditLight("sky", **black)])
    assert dark.rgb[dark.segmentation > 0].max() == 0
    off = EditLight("sky", active=False)
    ours = shown(scene, TOP, edits=[EditLight("sky", **red)])
    assert np.array_equal(ours.rgb, shown(scene, TOP, edits=[off, EditLight("new", **red)]).rgb)
