"""The same scene in metres, atoms and galaxies is the same picture, or is refused by name."""

from typing import Any

import numpy as np
import pytest

import heliograph as hg
from heliograph.passes import PassName
from heliograph.raster import LARGEST, SMALLEST
from heliograph.scene.appearance import BRIGHTEST

pytestmark = pytest.mark.usefixtures("backend")

PASSES: tuple[PassName, ...] = ("rgb", "depth", "normals", "segmentation")
CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
FACES = [[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]


def at(key: str, *place: float, unit: float) -> dict[str, Any]:
    return {"key": key, "position": [each * unit for each in place]}


def scene(unit: float) -> hg.Scene:
    """One of each shape, on a floor, with shadows."""
    return hg.Scene(
        hg.Box(args=[unit] * 3, **at("box", -1.2, 0, 0, unit=unit)),
        hg.Sphere(args=[0.5 * unit], key="sphere"),
        hg.Mesh(vertices=CORNERS * unit, faces=FACES, **at("mesh", 1, 0, 0, unit=unit)),
        hg.Torus(args=[0.4 * unit, 0.1 * unit], **at("torus", 0, 1.2, 0, unit=unit)),
        hg.Capsule(args=[0.2 * unit, 0.5 * unit], **at("capsule", 0, -1.2, 0, unit=unit)),
        hg.Cone(args=[0.3 * unit, 0.6 * unit], **at("cone", 1, 1, 0, unit=unit)),
        hg.Cylinder(args=[0.1 * unit, 0.1 * unit, unit], **at("rod", -1, 1, 0, unit=unit)),
        hg.Plane(args=[5 * unit, 5 * unit], **at("floor", 0, 0, -1, unit=unit)),
        hg.AmbientLight(key="ambient", intensity=0.2),
        hg.DirectionalLight(castShadow=True, intensity=0.5, **at("sun", 1, 2, 4, unit=unit)),
        hg.SpotLight(castShadow=True, intensity=0.3, decay=0, **at("spot", -1, 2, 4, unit=unit)),
    )


def camera(unit: float, **options: Any) -> hg.Camera:
    lens = {"fov_y": 1.0, "width": 96, "height": 96, "near": 0.1 * unit, "far": 100 * unit}
    eye = (0, 0.5 * unit, 4 * unit)
    return hg.Camera.look_at(eye=eye, target=(0, 0, 0), up=(0, 1, 0), **{**lens, **options})


def pictures(unit: float) -> list[hg.Frame]:
    """The scene as its camera sees it, in parallel projection, and as a whole."""
    mine = camera(unit)
    parallel = mine.replace(
        name="parallel", projection=hg.Projection.ORTHOGRAPHIC, fx=16 / unit, fy=16 / unit
    )
    with hg.open(scene(unit), size=(96, 96)) as renderer:
        return list(renderer.render(hg.View(cameras=[mine, parallel, "fit"], passes=PASSES)))


@pytest.fixture(scope="module")
def metres(backend: str) -> list[hg.Frame]:
    """The scene in metres."""
    return pictures(1.0)


@pytest.mark.parametrize("power", [-15, -14, -12, -9, -8, -6, -3, 3, 6, 9, 12, 13, 14])
def test_the_unit_does_not_show(power: int, metres: list[hg.Frame]) -> None:
    unit = 10.0**power
    for found, expected in zip(pictures(unit), metres, strict=True):
        assert len(np.unique(expected.segmentation)) == 9
        assert (found.segmentation == expected.segmentation).mean() > 0.999
        same = found.segmentation == expected.segmentation
        hit = same & (expected.segmentation > 0)
        assert np.isinf(found.depth[same & ~hit]).all()
        depth = found.depth[hit].astype(float) / unit
        assert np.abs(depth / expected.depth[hit] - 1).max() < 1e-5
        assert np.abs(found.normals - expected.normals)[hit].max() < 1e-3
        shades = np.abs(found.rgb.astype(int) - expected.rgb)[same]
        assert np.quantile(shades, 0.995) <= 1
        assert (shades > 8).mean() < 0.005  # at a shadow's edge


def test_thin_and_wide_things_keep_their_normals() -> None:
    """A sheet 20 orders of magnitude thinner than it is wide, seen from above."""
    sheet = hg.Scene(hg.Box(key="sheet", args=[1e6, 1e6, 1e-14]))
    with hg.open(sheet) as renderer:
        frame = renderer.render(hg.View(cameras=[camera(1.0)], passes=PASSES))["camera"]
    assert (frame.segmentation == 1).all()
    assert np.isfinite(frame.normals).all()
    assert np.allclose(np.linalg.norm(frame.normals, axis=2), 1, atol=1e-5)
    assert np.isclose(frame.depth[48, 48], np.hypot(4, 0.5), rtol=1e-2)


@pytest.mark.parametrize(
    "component",
    [
        hg.Box(key="thing", args=[1, 1, SMALLEST / 10]),
        hg.Sphere(key="thing", args=[LARGEST * 10]),
        hg.Sphere(key="thing", args=[1], position=[0, 0, -LARGEST * 10]),
        hg.Sphere(key="thing", args=[1], scale=1e-30),
        hg.Mesh(key="thing", vertices=CORNERS * LARGEST * 10, faces=FACES),
        hg.Mesh(key="thing", vertices=CORNERS * 1e200, faces=FACES),
        hg.Group(hg.Box(key="thing", args=[1, 1, 1]), scale=1e40),
    ],
)
def test_what_is_beyond_is_refused_by_name(component: Any) -> None:
    def draw() -> None:
        with hg.open(hg.Scene(component)) as renderer:
            renderer.render(hg.View(cameras=[camera(1.0)], passes=PASSES))

    with pytest.raises(hg.HeliographError, match=r"'thing'.* m, got"):
        draw()


def test_a_state_beyond_is_refused_by_name_and_the_next_view_is_drawn() -> None:
    with hg.open(hg.Scene(hg.Box(key="thing", args=[1, 1, 1]))) as renderer:
        before = renderer.render(hg.View(cameras=[camera(1.0)]))["camera"]
        matrix = np.diag([1e30, 1, 1, 1])
        with pytest.raises(hg.InvalidValueError, match=r"'thing'"):
            renderer.render(hg.View(cameras=[camera(1.0)], state={"thing": matrix}))
        after = renderer.render(hg.View(cameras=[camera(1.0)]))["camera"]
    assert np.array_equal(before.rgb, after.rgb)


@pytest.mark.parametrize("planes", [{"near": 1e13, "far": 1e18}, {"near": 1e-18, "far": 1e-13}])
def test_planes_beyond_are_refused_by_name(planes: dict[str, float]) -> None:
    with (
        hg.open(scene(1.0)) as renderer,
        pytest.raises(hg.InvalidValueError, match=r"camera 'far off'.*near and far"),
    ):
        renderer.render(hg.View(cameras=[camera(1.0, name="far off", **planes)]))


def test_a_camera_may_look_at_what_is_near_it_however_small_the_scene() -> None:
    for unit in (1e-30, 1e-12, 1.0, 1e12):
        pose = hg.poses.look_at((0, 0, 0), (unit, 0, 0))
        assert np.allclose(pose[:3, 2], (-1, 0, 0))
        with pytest.raises(hg.InvalidValueError, match="two points"):
            hg.poses.look_at((unit, 0, 0), (unit * (1 + 1e-14), 0, 0))


def sheet(normals: Any) -> hg.Frame:
    """A square in two triangles that faces the camera, with the normals given."""
    corners = [[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]
    square = hg.Mesh(key="sheet", vertices=corners, faces=[[0, 1, 2], [0, 2, 3]], normals=normals)
    with hg.open(hg.Scene(square)) as renderer:
        view = hg.View(cameras=[camera(1.0).replace(world_from_camera=STRAIGHT)], passes=PASSES)
        return renderer.render(view)["camera"]


STRAIGHT = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 3.0], [0, 0, 0, 1]])
TILTED = np.array([[0.6, 0, 0.8]] * 4)


@pytest.mark.parametrize("length", [1e-200, 1e-30, 0.5, 1.0, 3.0, 1e30, 1e200])
def test_normals_of_a_mesh_may_have_any_length(length: float) -> None:
    frame = sheet(TILTED * length)
    hit = frame.segmentation == 1
    assert np.allclose(frame.normals[hit], TILTED[0], atol=1e-5)
    assert np.array_equal(frame.rgb, sheet(TILTED).rgb)


def test_normals_of_different_lengths_count_alike_between_vertices() -> None:
    lengths = np.array([[1.0], [100.0], [0.01], [1.0]])
    ways = np.array([[0.6, 0, 0.8], [-0.6, 0, 0.8], [0, 0.6, 0.8], [0, 0, 1]])
    assert np.array_equal(sheet(ways * lengths).normals, sheet(ways).normals)


def test_normals_without_a_length_are_those_of_the_face() -> None:
    frame = sheet(np.zeros((4, 3)))
    assert np.allclose(frame.normals[frame.segmentation == 1], (0, 0, 1), atol=1e-5)
    some = sheet([*TILTED[:3], [0, 0, 0]])
    assert np.array_equal(some.normals, sheet([*TILTED[:3], [0, 0, 1]]).normals)


def test_vertices_of_no_face_need_no_normal() -> None:
    vertices, faces = [*CORNERS.tolist(), [5, 5, 5]], [[0, 1, 2], [0, 0, 3]]
    mesh = hg.Mesh(key="mesh", normals=np.zeros((5, 3)), vertices=vertices, faces=faces)
    with hg.open(hg.Scene(mesh)) as renderer:
        frame = renderer.render(hg.View(cameras=[camera(1.0)], passes=PASSES))["camera"]
    assert (frame.segmentation == 1).any()
    assert np.isfinite(frame.normals).all()


@pytest.mark.parametrize("kind", [hg.PointLight, hg.SpotLight, hg.DirectionalLight])
@pytest.mark.parametrize("shadows", [False, True])
def test_the_brightest_and_farthest_light_is_white(kind: Any, shadows: bool) -> None:
    near = {"intensity": BRIGHTEST, "position": [3, -4, 5]}
    far: dict[str, Any] = {"intensity": 4, "position": [0, -LARGEST / 2, LARGEST / 2]}
    if kind is not hg.DirectionalLight:
        far["decay"] = 0
    for given in (near, far):
        light = kind(key="lamp", castShadow=shadows, **given)
        with hg.open(hg.Scene(hg.Sphere(color="white"), light), size=(32, 32)) as renderer:
            frame = renderer.render(hg.View(["fit"], passes=("rgb",)))["fit"]
        assert frame.rgb.max() > 250
        assert not np.array_equal(frame.rgb.min(), frame.rgb.max())


@pytest.mark.parametrize(
    ("light", "expected"),
    [
        (hg.PointLight(key="lamp", intensity=1e308), "intensity"),
        (hg.AmbientLight(key="lamp", intensity=1e31), "intensity"),
        (hg.HemisphereLight(key="lamp", intensity=1e31), "intensity"),
        (hg.SpotLight(key="lamp", position=[1e200, 0, 0], castShadow=True), "lengths"),
        (hg.SpotLight(key="lamp", target=[1e200, 0, 0]), "lengths"),
        (hg.DirectionalLight(key="lamp", position=[0, 0, 1e18]), "lengths"),
        (hg.Group(hg.PointLight(key="lamp", position=[1, 0, 0]), scale=1e20), "lengths"),
    ],
)
def test_lights_beyond_are_refused_by_name(light: Any, expected: str) -> None:
    with pytest.raises(hg.InvalidValueError, match=rf"'lamp': expected .*{expected} up to .*, got"):
        hg.open(hg.Scene(hg.Sphere(key="ball"), light))


@pytest.mark.parametrize(
    "given",
    [{"position": (1e300, 0, 0)}, {"diffuse": (0, 0, 1e308)}, {"ambient": (1e31, 0, 0)}],
)
def test_edits_of_lights_beyond_are_refused_by_name(given: Any) -> None:
    edit = hg.EditLight("new", kind="point", casts_shadow=True, **given)
    with hg.open(hg.Scene(hg.Sphere(key="ball"))) as renderer:
        before = renderer.render(hg.View(["fit"]))["fit"]
        with pytest.raises(hg.InvalidValueError, match=r"'new': expected .* up to .*, got 1e\+3"):
            renderer.render(hg.View(["fit"], edits=[edit]))
        assert np.array_equal(renderer.render(hg.View(["fit"]))["fit"].rgb, before.rgb)
