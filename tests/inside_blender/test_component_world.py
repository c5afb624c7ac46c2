"""Scenes of components, as Blender draws them, beside the component engine."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import bpy
import numpy as np
import pytest

import heliograph as hg
from heliograph.engines.blender.component_world import ComponentWorld
from heliograph.engines.blender.cycles import CyclesStyle
from heliograph.engines.blender.fast import FastStyle
from heliograph.engines.components import ComponentEngine
from heliograph.errors import ClosedError, InvalidValueError, SceneError, UnknownNameError
from heliograph.frame import own_or_given
from heliograph.passes import PassName, select_passes
from heliograph.scene import (
    Add,
    AmbientLight,
    Box,
    CameraView,
    Capsule,
    Cone,
    Cylinder,
    DirectionalLight,
    EditBackground,
    EditLight,
    EditMaterial,
    Group,
    HemisphereLight,
    Hide,
    Mesh,
    MoveCamera,
    MoveObject,
    Plane,
    PointLight,
    RectAreaLight,
    Remove,
    Scene,
    Sphere,
    Splat,
    SpotLight,
    Torus,
    Update,
)

PASSES: tuple[PassName, ...] = ("rgb", "depth", "normals", "segmentation")
TETRA = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
CHECKS = np.kron(np.indices((4, 4)).sum(0) % 2, np.ones((8, 8)))[..., None] * (160, 90, 30) + 60


def scene(kind: str = "standard", sun: float = 2.5, ambient: float = 0.6) -> Scene:
    """One of each shape, posed, tilted, mirrored and scaled, lit by a sun."""

    def look(color: str, **more: Any) -> dict[str, Any]:
        return {"material": {"color": color, **more}, "materialType": kind}

    checks = CHECKS.astype(np.uint8)
    return Scene(
        Plane(key="floor", args=[6, 6], **look("white", map=checks, roughness=1.0)),
        Box(key="box", args=[0.8, 0.6, 1], position=[-1.2, 0, 0.5], **look("tomato")),
        Sphere(key="ball", args=[0.5], position=[0, 0, 0.5], **look("gold", roughness=0.4)),
        Cylinder(
            key="tube",
            args=[0.3, 0.3, 1],
            position=[1.2, 0.2, 0.5],
            rotation=[np.pi / 2, 0, 0],
            **look("#3366cc"),
        ),
        Cone(
            key="cone",
            args=[0.4, 0.9],
            position=[0, 1.4, 0.45],
            rotation=[np.pi / 2, 0, 0],
            **look("green"),
        ),
        Torus(
            key="ring",
            args=[0.4, 0.12],
            position=[1.3, 1.4, 0.5],
            rotation=[0.7, 0.3, 0],
            **look("purple"),
        ),
        Capsule(
            key="pill",
            args=[0.2, 0.5],
            position=[-1.3, 1.4, 0.6],
            rotation=[0, 0.6, 0],
            **look("cyan"),
        ),
        Group(
            Mesh(key="tetra", vertices=TETRA, faces=FACES, **look("orange")),
            Box(
                key="inner",
                args=[0.3, 0.3, 0.3],
                position=[0.9, 0.4, 0.4],
                rotation=[0.3, 0.5, 0.2],  # sheared, as the group is longer in y
                **look("#888888"),
            ),
            key="mirrored",
            position=[0.6, -1.6, 0.02],
            rotation=[0, 0, 0.4],
            scale=[-1, 1.5, 0.7],
        ),
        DirectionalLight(key="sun", position=[2, -3, 5], intensity=sun),
        AmbientLight(key="all", intensity=ambient),
        CameraView(
            key="ego",
            position=[1.6, -4.2, 2.8],
            lookAt=[0, 0.2, 0.3],
            fov=48,
            width=96,
            height=72,
            near=0.1,
            far=50,
        ),
        background="#223344",
    )


@pytest.fixture(scope="module")
def fast() -> Iterator[FastStyle]:
    style = FastStyle()
    yield style
    style.close()


def draw(world: ComponentWorld, style: Any, view: hg.View) -> dict[str, Any]:
    """What a view's first camera sees, by pass."""
    with world.shown(view) as (shown, cameras):
        specs = select_passes(view.pass_names, style.passes)
        buffers = own_or_given(cameras, specs, None)
        style.draw(shown, cameras, specs, buffers)
    return dict(buffers[0])


def ego(*edits: Any, **state: Any) -> hg.View:
    return hg.View(cameras=["ego"], passes=PASSES, edits=edits, state=state)


def agree(drawn: dict[str, Any], expected: Any) -> Any:
    """Ids, depth and normals are those of the component engine; which pixels show the same."""
    same = drawn["segmentation"] == expected.segmentation
    assert same.mean() >= 0.995
    seen = same & (expected.segmentation > 0)
    error = np.abs(drawn["depth"][seen] / expected.depth[seen] - 1)
    assert (error < 1e-3).mean() >= 0.99
    cosine = (drawn["normals"][seen] * expected.normals[seen]).sum(-1)
    assert (cosine > np.cos(np.radians(2))).mean() >= 0.8
    return same


def test_fast_draws_what_the_component_engine_does(fast: FastStyle) -> None:
    world, engine = ComponentWorld(scene()), ComponentEngine(scene())
    try:
        assert world.labels == engine.labels
        ours, theirs = world.scene, engine.scene
        assert (ours.hash, ours.materials, ours.lights) == (
            theirs.hash,
            theirs.materials,
            theirs.lights,
        )
        assert ours.objects.ids.tolist() == theirs.objects.ids.tolist()
        assert list(world.cameras) == ["ego", "fit"]
        drawn, expected = draw(world, fast, ego()), engine.render(ego())["ego"]
        same = agree(drawn, expected)
        cosine = (drawn["normals"] * expected.normals).sum(-1)[same & (drawn["segmentation"] > 0)]
        assert (cosine > np.cos(np.radians(1))).mean() > 0.99
        off = np.abs(drawn["rgb"][same] - expected.rgb[same].astype(float)).max(-1)
        assert (off <= 3).mean() >= 0.995  # but for rims, where normals are those of triangles
    finally:
        world.close()
        engine.close()


EDITS: dict[str, list[Any]] = {
    "material": [EditMaterial("ball", rgba=(0.1, 0.8, 0.2, 1.0), roughness=0.9)],
    "hidden": [Hide(("box", "ring"))],
    "moved": [MoveObject("tube", pose=np.eye(4) + np.eye(4, k=3) * 0.3, scale=(1, 2, 0.5))],
    "sun": [EditLight("sun", diffuse=(0.5, 0.0, 0.0))],
    "lamp": [EditLight("new", kind="point", position=(0, -1, 2), diffuse=(3, 3, 3))],
    "background": [EditBackground((1.0, 0.5, 0.0))],
    "texture": [EditMaterial("box", texture=CHECKS.astype(np.uint8))],
    "added": [Add(Box(key="more", args=[0.4, 0.4, 0.4], position=[0, -1, 0.2]))],
    "removed": [Remove("ball")],
    "updated": [Update(Sphere(key="ball", args=[0.8]))],
    "bent": [Update(Mesh(key="tetra", vertices=TETRA * (1, 1, 1.5), faces=FACES))],
}


@pytest.mark.parametrize("edits", EDITS.values(), ids=EDITS)
def test_edits_show_what_they_show_in_the_component_engine_and_nothing_afterwards(
    fast: FastStyle, edits: list[Any]
) -> None:
    world, engine = ComponentWorld(scene()), ComponentEngine(scene())
    try:
        before = draw(world, fast, ego())
        agree(draw(world, fast, ego(*edits)), engine.render(ego(*edits))["ego"])
        after = draw(world, fast, ego())
        for name, pixels in before.items():
            assert np.array_equal(pixels, after[name]), name
    finally:
        world.close()
        engine.close()


def test_a_view_shows_nothing_of_any_view_before_it(fast: FastStyle) -> None:
    views = [ego(*edits) for edits in EDITS.values()]
    views += [ego(ball=np.eye(4)), ego(mirrored=np.diag([1.0, 1, 2, 1]))]
    world = ComponentWorld(scene())
    try:
        for view in [*views, *views[::-1]]:
            drawn = draw(world, fast, view)
            fresh = ComponentWorld(scene())
            alone = draw(fresh, fast, view)
            fresh.close()
            for name, pixels in alone.items():
                assert np.array_equal(pixels, drawn[name]), name
    finally:
        world.close()


def test_cameras_follow_edits() -> None:
    world = ComponentWorld(scene())
    try:
        moved = hg.Camera.look_at(eye=(3, 0, 1), target=(0, 0, 0), fov_y=1, width=96, height=72)
        with world.shown(ego(MoveCamera("ego", moved))) as (_, (camera,)):
            assert np.allclose(camera.world_from_camera, moved.world_from_camera)
            assert camera.name == "ego"
    finally:
        world.close()


def test_closing_leaves_nothing_in_blender() -> None:
    def counts() -> list[int]:
        data = bpy.data
        groups = (data.objects, data.meshes, data.materials, data.images, data.lights)
        return [len(each) for each in (*groups, data.worlds, data.scenes)]

    before = counts()
    world = ComponentWorld(scene())
    for edits in EDITS.values():
        with world.shown(ego(*edits)):
            pass
    world.close()
    world.close()
    assert counts() == before
    with pytest.raises(ClosedError), world.shown(ego()):
        pass


def test_edits_do_not_pile_up() -> None:
    world = ComponentWorld(scene())
    random = np.random.default_rng(3)
    try:
        sizes = []
        for _ in range(120):
            texture = random.integers(0, 255, (8, 8, 3), np.uint8)
            rgba = (*random.random(3).tolist(), 1.0)
            edits = EditMaterial("box", texture=texture), EditMaterial("ball", rgba=rgba)
            with world.shown(ego(*edits)):
                pass
            sizes.append(len(bpy.data.materials) + len(bpy.data.images))
        assert max(sizes) < 200
        assert sizes[-1] <= max(sizes[:90])
    finally:
        world.close()


def test_a_view_costs_what_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ball that moves and is painted: one object is placed, one material is written."""
    from heliograph.engines.blender import mirror, surfaces

    balls = [Sphere(key=f"b{i}", args=[0.1], position=[i, 0, 0]) for i in range(50)]
    world = ComponentWorld(Scene(*balls))
    written: list[str] = []
    try:
        with world.shown(hg.View()):
            pass
        for module, name in ((mirror, "Matrix"), (surfaces, "_write"), (mirror, "made_mesh")):
            kept = getattr(module, name)

            def noted(*args: Any, name: str, kept: Any) -> Any:
                written.append(name)
                return kept(*args)

            monkeypatch.setattr(module, name, partial(noted, name=name, kept=kept))
        paint = EditMaterial("b7", rgba=(1.0, 0.0, 0.0, 1.0))
        with world.shown(hg.View(state={"b3": np.eye(4)}, edits=[paint])):
            assert sorted(written) == ["Matrix", "_write"]
    finally:
        world.close()


def lamps(world: ComponentWorld) -> Any:
    """The lights as `bpy.types.Light`."""
    with world.shown(hg.View()) as (shown, _):
        return [each.data for each in shown.scene.objects if each.type == "LIGHT"]


def test_lights_keep_their_units() -> None:
    box = Box(key="box", args=[1, 1, 1])
    world = ComponentWorld(
        Scene(
            box,
            DirectionalLight(key="sun", position=[0, 0, 3], intensity=2.0),
            PointLight(key="point", position=[0, 0, 3], intensity=5.0),
            SpotLight(key="spot", position=[0, 0, 3], intensity=7.0, angle=0.4),
            RectAreaLight(key="area", position=[0, 0, 3], intensity=3.0, width=2.0, height=0.5),
        )
    )
    try:
        sun, point, spot, area = lamps(world)
        assert sun.energy == pytest.approx(2.0)
        assert point.energy == pytest.approx(4 * np.pi * 5)
        assert (spot.energy, spot.spot_size) == (pytest.approx(4 * np.pi * 7), pytest.approx(0.8))
        assert area.energy == pytest.approx(np.pi * 3 * 2 * 0.5)
    finally:
        world.close()


def test_what_blender_cannot_show_is_refused_by_name() -> None:
    with pytest.raises(SceneError, match="materialType 'normal'"):
        ComponentWorld(Scene(Box(key="box", materialType="normal")))
    with pytest.raises(SceneError, match="Splat 'cloud'"):
        ComponentWorld(Scene(Splat(key="cloud")))
    with pytest.raises(SceneError, match="aces"):
        ComponentWorld(Scene(Box(key="box"), toneMapping="aces"))
    with pytest.raises(InvalidValueError, match="segment_by"):
        ComponentWorld(Scene(Box(key="box")), segment_by="collection")
    with pytest.raises(InvalidValueError, match="expected a component"):
        ComponentWorld(3)  # type: ignore[arg-type]
    world = ComponentWorld(scene())
    try:
        with pytest.raises(UnknownNameError, match="ball"), world.shown(ego(Hide(("bal",)))):
            pass
        with world.shown(ego()) as (shown, _):
            assert shown.numbering.labels[3].name == "ball"
    finally:
        world.close()


def test_mesh_files_are_scenes(tmp_path: Any, fast: FastStyle) -> None:
    path = tmp_path / "tetra.obj"
    lines = [f"v {x} {y} {z}" for x, y, z in TETRA]
    lines += [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in FACES]
    path.write_text("\n".join(lines))
    world, engine = ComponentWorld(path, size=(64, 48)), ComponentEngine(path, size=(64, 48))
    try:
        view = hg.View(passes=PASSES)
        agree(draw(world, fast, view), engine.render(view)["fit"])
    finally:
        world.close()
        engine.close()


def test_light_from_all_sides_arrives_as_it_should() -> None:
    """What a plane gets of a sky's picture is what the light says of its normal."""
    from heliograph.engines.blender.light_objects import surroundings

    world = ComponentWorld(
        Scene(Box(key="box"), HemisphereLight(key="h", color="#ff8040", groundColor="#203040"))
    )
    things = world._tree.newest[1].placed({}).draw_list
    world.close()
    picture = surroundings(things, None)
    assert isinstance(picture, np.ndarray)
    rows, columns = picture.shape[:2]
    up = np.pi * (np.arange(rows) + 0.5) / rows
    turn = 2 * np.pi * ((np.arange(columns) + 0.5) / columns - 0.5)
    ways = np.stack(
        [
            np.sin(up)[:, None] * np.sin(turn),
            np.sin(up)[:, None] * np.cos(turn),
            np.tile(np.cos(up)[:, None], (1, columns)),
        ],
        -1,
    )
    area = (np.sin(up) * (np.pi / rows) * (2 * np.pi / columns))[:, None]
    gradient = np.array(things.gradient)
    for normal in ((0, 0, 1), (0, 0, -1), (0.6, 0, 0.8), (0, 1, 0)):
        falls = (np.maximum(ways @ np.array(normal), 0) * area)[..., None] * picture
        expected = np.array(things.ambient) + np.array(normal) @ gradient
        assert np.allclose(falls.sum((0, 1)), expected, rtol=5e-3, atol=1e-3)


@pytest.fixture(scope="module")
def cycles() -> Iterator[CyclesStyle]:
    style = CyclesStyle(samples=16)
    yield style
    style.close()


def test_cycles_draws_what_the_component_engine_does(cycles: CyclesStyle) -> None:
    """Colours differ by light that goes on from surface to surface, and by rims."""
    world, engine = ComponentWorld(scene()), ComponentEngine(scene())
    try:
        drawn, expected = draw(world, cycles, ego()), engine.render(ego())["ego"]
        same = agree(drawn, expected)
        assert drawn["rgb"][0, 0].tolist() == [0x22, 0x33, 0x44]
        assert np.median(np.abs(drawn["rgb"][same] - expected.rgb[same].astype(float))) <= 3
        draw(world, cycles, ego(*EDITS["material"], *EDITS["added"]))
        again = draw(world, cycles, ego())
        for name, pixels in drawn.items():
            assert np.array_equal(pixels, again[name]), name
    finally:
        world.close()
        engine.close()


ABOVE = hg.Camera.look_at(eye=(0.3, -0.4, 3), target=(0, 0, 0), fov_y=0.75, width=32, height=32)
LAMPS = {
    "sun": [DirectionalLight(key="l", position=[1, 1, 3], intensity=2.0)],
    "point": [PointLight(key="l", position=[0.3, 0, 2], intensity=6.0)],
    "linear": [PointLight(key="l", position=[0.3, 0, 2], intensity=6.0, decay=1)],
    "ends": [PointLight(key="l", position=[0.3, 0, 2], intensity=6.0, distance=3)],
    "spot": [SpotLight(key="l", position=[0, 0, 3], intensity=20.0, angle=0.4, penumbra=0.9)],
    "all sides": [AmbientLight(key="l", intensity=1.5)],
    "hemisphere": [HemisphereLight(key="l", color="#ff8040", groundColor="#203040")],
    "none": [],
}


@pytest.mark.parametrize("lamps", LAMPS.values(), ids=LAMPS)
def test_light_is_as_bright_as_in_the_component_engine(
    fast: FastStyle, cycles: CyclesStyle, lamps: list[Any]
) -> None:
    floor = Plane(key="f", args=[9, 9], material={"color": "gray"}, materialType="lambert")
    agree_on_average((fast, cycles), Scene(floor, *lamps), 1.5)


def test_a_rectangle_and_a_picture_of_all_around_light_what_is_standard(
    fast: FastStyle, cycles: CyclesStyle
) -> None:
    floor = Plane(key="f", args=[9, 9], material={"color": "gray", "roughness": 0.8})
    area = RectAreaLight(key="l", position=[0, 0, 2], intensity=3.0, width=1, height=0.5)
    agree_on_average((fast, cycles), Scene(floor, area), 2)
    around = {"sky": "skyblue", "horizon": "white", "ground": "tan"}
    agree_on_average((fast, cycles), Scene(floor, environment=around), 2)


def agree_on_average(styles: tuple[Any, ...], shown: Scene, most: float) -> None:
    """The mean colour of what is seen from above is that of the component engine."""
    view = hg.View(cameras=[ABOVE])
    world, engine = ComponentWorld(shown), ComponentEngine(shown)
    try:
        (frame,) = engine.render(view).frames.values()
        for style in styles:
            drawn = draw(world, style, view)["rgb"]
            assert np.abs(drawn.mean((0, 1)) - frame.rgb.mean((0, 1))).max() < most, style.device
    finally:
        world.close()
        engine.close()


def paper(kind: Any = "lambert", **material: Any) -> Plane:
    look: Any = material
    return Plane(key="p", args=[2, 2], materialType=kind, material=look)


ROUND_HOLE = np.dstack(
    [CHECKS.astype(np.uint8), np.where(np.hypot(*(np.indices((32, 32)) - 15.5)) < 11, 255, 40)]
).astype(np.uint8)
TURNED = {"image": CHECKS.astype(np.uint8), "repeat": [1.5, 0.8], "rotation": 0.6}
WRAPPED = {"image": CHECKS.astype(np.uint8), "repeat": [2, 2], "wrap": ["mirror", "clamp"]}
PAPERS = {
    "map": paper(map=CHECKS.astype(np.uint8), color="#ff8080"),
    "turned": paper(map=TURNED),
    "wrapped": paper(map=WRAPPED),
    "cut": paper(map=ROUND_HOLE, alphaTest=0.5),
    "unlit": paper("basic", map=CHECKS.astype(np.uint8)),
    "glows": paper("standard", emissiveMap=CHECKS.astype(np.uint8), emissive="gray", color="black"),
    "front": paper(side="front", color="red"),
    "back": paper(side="back", color="red"),
    "tints": Mesh(
        key="p",
        vertices=np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]),
        faces=np.array([[0, 1, 2], [0, 2, 3]]),
        colors=np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]),
        materialType="lambert",
    ),
    "outlined": Sphere(key="p", args=[0.6], outlines={"thickness": 0.1}, material={"color": "red"}),
}
"""Surfaces of every kind."""
APPROXIMATED_BY_FAST = {"wrapped", "tints"}
"""Shown by style fast in one colour, and it says so."""


@pytest.mark.parametrize("name", PAPERS)
def test_surfaces_look_as_in_the_component_engine(
    fast: FastStyle, cycles: CyclesStyle, name: str
) -> None:
    """Ids are the same, holes and hidden sides among them; colours nearly so."""
    lamp = DirectionalLight(key="l", position=[1, 1, 3], intensity=2.0)
    shown = Scene(PAPERS[name], lamp, AmbientLight(key="a", intensity=0.2), background="#222222")
    view = hg.View(cameras=[ABOVE], passes=("rgb", "segmentation"))
    world, engine = ComponentWorld(shown), ComponentEngine(shown)
    try:
        (frame,) = engine.render(view).frames.values()
        for style in (fast, cycles):
            drawn = draw(world, style, view)
            assert (drawn["segmentation"] == frame.segmentation).mean() >= 0.995
            if style is fast and fast.approximated:
                assert name in APPROXIMATED_BY_FAST
                continue
            assert np.abs(drawn["rgb"].mean((0, 1)) - frame.rgb.mean((0, 1))).max() < 4
            assert np.median(np.abs(drawn["rgb"] - frame.rgb.astype(float)).max(-1)) <= 3
    finally:
        world.close()
        engine.close()
