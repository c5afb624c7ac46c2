"""Style `cycles` against what geometry and light say, and against itself."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

import blender_shapes as made
import heliograph
from heliograph.camera import Camera
from heliograph.colour import encoded
from heliograph.engine import CancelToken
from heliograph.engines.blender import cycles, result
from heliograph.engines.blender.cycles import CyclesStyle
from heliograph.engines.blender.engine import BlenderEngine
from heliograph.engines.blender.world import Shown
from heliograph.errors import ClosedError, EngineError
from heliograph.frame import allocate
from heliograph.passes import KNOWN_PASSES, PASSES
from heliograph.testing import check_engine
from heliograph.view import View

SIZE: dict[str, Any] = {"width": 64, "height": 48}
Arrays = dict[str, np.ndarray]


def above(height: float, extent: float = 4.0) -> Camera:
    """Looks straight down from a height."""
    pose = np.eye(4)
    pose[2, 3] = height
    return Camera.orthographic(extent_y=extent, world_from_camera=pose, **SIZE)


def draw(shown: Shown, camera: Camera, samples: int = 1, **options: Any) -> Arrays:
    arrays = allocate(camera, KNOWN_PASSES)
    CyclesStyle(samples, **options).draw(shown, [camera], KNOWN_PASSES, [arrays])
    return arrays


def same(one: Arrays, two: Arrays) -> bool:
    return all(np.array_equal(one[name], two[name]) for name in one)


@pytest.fixture
def scene() -> Any:
    return made.empty_scene()


@pytest.fixture
def renders(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One entry for each render."""
    done: list[None] = []

    def counted(*args: Any) -> Any:
        done.append(None)
        return result.render(*args)

    monkeypatch.setattr(cycles, "render", counted)
    return done


def test_a_plane_is_where_it_is_and_as_bright_as_it_must_be(
    scene: Any, renders: list[None]
) -> None:
    made.plane(scene, "Floor", 50.0, 0.5, made.material("White"))
    made.sun(scene, 2.0)
    camera = Camera.look_at(eye=(0.0, 0.0, 5.5), target=(0, 0, 0), up=(0, 1, 0), fov_y=1.0, **SIZE)
    arrays = draw(made.shown(scene), camera)
    assert len(renders) == 1
    assert np.abs(arrays["depth"] - 5.0).max() < 1e-5
    x, y = np.moveaxis((camera.pixel_centres() - (32, 24)) / camera.fx, -1, 0)
    assert np.abs(arrays["distance"] - 5 * np.sqrt(1 + x * x + y * y)).max() < 1e-5
    assert np.abs(arrays["normals"] - (0, 0, 1)).max() < 1e-6
    assert set(arrays["segmentation"].ravel()) == {made.Numbers().of_object("Floor")}
    assert (arrays["alpha"] == 255).all()
    assert np.abs(arrays["rgb"] - 255 * encoded(2.0 / np.pi)).max() <= 0.51


def _hits(camera: Camera, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depth of a cube from -1 to 1 at pixels, inf beside it, and the axis of the face."""
    near, far = (camera.unproject(pixels, np.full(pixels.shape[:-1], z)) for z in (1.0, 2.0))
    ray = far - near
    with np.errstate(divide="ignore"):
        planes = np.stack(((-1 - near) / ray, (1 - near) / ray))
    enter, leave = planes.min(0), planes.max(0)
    at = enter.max(-1)
    return np.where(at < leave.min(-1), 1 + at, np.inf), enter.argmax(-1)


def test_a_cube_ends_where_its_corners_are_projected(scene: Any) -> None:
    made.cube(scene, "Cube")
    camera = Camera.look_at(eye=(5.0, -4.0, 3.0), target=(0.2, 0, 0), fov_y=0.6, **SIZE)
    camera = camera.replace(fx=camera.fx * 1.2, cx=30.3, cy=25.1)
    arrays = draw(made.shown(scene), camera, 4)
    centres = camera.pixel_centres()
    depth, face = _hits(camera, centres)
    steady, whole = np.ones(depth.shape, bool), np.ones(depth.shape, bool)
    around = []
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            near_depth, near_face = _hits(camera, centres + 0.05 * np.array((dx, dy)))
            steady &= (np.isinf(near_depth) == np.isinf(depth)) & (near_face == face)
            around.append(_hits(camera, centres + 0.01 * np.array((dx, dy)))[0])
            far_depth, far_face = _hits(camera, centres + 2.0 * np.array((dx, dy)))
            whole &= np.isfinite(far_depth) & (far_face == face)
    assert steady.mean() > 0.9
    assert whole.sum() > 100
    there = np.isfinite(depth)
    assert np.array_equal(np.isfinite(arrays["depth"])[steady], there[steady])
    assert np.array_equal((arrays["segmentation"] > 0)[steady], there[steady])
    assert np.array_equal((arrays["normals"] != 0).any(-1)[steady], there[steady])
    seen = steady & there
    low, high = np.min(around, 0)[seen], np.max(around, 0)[seen]  # within 0.01 pixels
    assert ((low <= arrays["depth"][seen]) & (arrays["depth"][seen] <= high)).all()
    world = arrays["normals"] @ camera.world_from_camera[:3, :3].T
    assert np.abs(world[whole] - (np.eye(3) * (1, -1, 1))[face[whole]]).max() < 1e-5


def test_normals_of_a_sphere_point_outwards_and_have_length_one(scene: Any) -> None:
    bpy.ops.mesh.primitive_uv_sphere_add(segments=128, ring_count=64)
    bpy.ops.object.shade_smooth()
    camera = Camera.look_at(eye=(3.0, -3.0, 2.0), target=(0, 0, 0), fov_y=0.6, **SIZE)
    arrays = draw(made.shown(scene), camera)
    seen = np.isfinite(arrays["depth"])
    normals = arrays["normals"][seen]
    assert np.abs(np.linalg.norm(normals, axis=-1) - 1).max() < 1e-5
    points = camera.unproject(camera.pixel_centres()[seen], arrays["depth"][seen])
    outwards = points / np.linalg.norm(points, axis=-1, keepdims=True)
    cosines = (normals @ camera.world_from_camera[:3, :3].T * outwards).sum(-1)
    assert cosines.min() > np.cos(np.radians(2.0))


def _ids_at(shown: Shown, camera: Camera, parent: str) -> dict[tuple[int, int], int]:
    """Pixel at which the origin of each instance of a parent is, and its id."""
    found = {}
    for each in shown.view_layer.depsgraph.object_instances:
        if each.is_instance and each.parent.name == parent:
            x, y = camera.project(tuple(each.matrix_world.translation)).astype(int).tolist()
            found[x, y] = shown.numbering.of_instance(parent, each.object.name, each.persistent_id)
    return found


@pytest.mark.parametrize("kind", ["object", "mesh"])
def test_instances_are_told_apart(scene: Any, kind: str, renders: list[None]) -> None:
    source = made.cube(scene, "Source", half=0.25) if kind == "object" else None
    if source is not None:
        source.location = (-2.4, 0.0, 0.0)  # seen beside its instances
        source.data.materials.append(made.material("White"))
    made.instancer(scene, "Many", source, 1.0)
    shown, camera = made.shown(scene), above(9.0)
    ids = draw(shown, camera, 4)["segmentation"]
    assert len(renders) == 2
    wanted = _ids_at(shown, camera, "Many")
    assert len(set(wanted.values())) == 12
    assert {ids[y, x] for x, y in wanted} == set(wanted.values())
    assert all(ids[y, x] == number for (x, y), number in wanted.items())
    own = set() if source is None else {made.Numbers().of_object("Source")}
    assert set(ids.ravel()) == {0, *wanted.values(), *own}


def _holed() -> Any:
    """A material that is wholly transparent where x of the object is below 0.5."""
    made_of = made.with_nodes(bpy.data.materials.new("Holed"))
    tree = made_of.node_tree
    place, apart, step = (
        tree.nodes.new(f"ShaderNode{each}") for each in ("TexCoord", "SeparateXYZ", "Math")
    )
    step.operation = "GREATER_THAN"
    step.inputs[1].default_value = 0.5
    tree.links.new(place.outputs["Generated"], apart.inputs[0])
    tree.links.new(apart.outputs["X"], step.inputs[0])
    tree.links.new(step.outputs[0], tree.nodes["Principled BSDF"].inputs["Alpha"])
    return made_of


def test_instances_are_seen_through_the_holes_of_others(scene: Any, renders: list[None]) -> None:
    holed = made.plane(scene, "Leaf", 0.45, of=_holed())
    holed.location = (0.0, 0.0, -50.0)
    made.instancer(scene, "Above", holed, 2.0)
    made.instancer(scene, "Below", holed, 1.0).location.x = -0.5
    nodes = len(bpy.data.materials["Holed"].node_tree.nodes)
    shown, camera = made.shown(scene), above(9.0)
    arrays = draw(shown, camera, 4)
    assert len(renders) == 3
    assert len(bpy.data.materials["Holed"].node_tree.nodes) == nodes
    assert len(shown.view_layer.aovs) == 0
    ids, depth = arrays["segmentation"], arrays["depth"]
    for parent, height in {"Above": 2.0, "Below": 1.0}.items():
        for (x, y), number in _ids_at(shown, camera, parent).items():
            solid = slice(x + 1, x + 5)  # the half of a leaf that has no hole
            assert np.abs(depth[y, solid] - (9.0 - height)).max() < 1e-5
            assert (ids[y, solid] == number).all()


def test_materials_may_be_told_apart(scene: Any, renders: list[None]) -> None:
    thing = made.plane(scene, "Left", 4.0, of=made.material("First"))
    made.cube(scene, "Bare", (0.0, 0.0, 1.0), 0.5)
    del thing
    ids = draw(made.shown(scene, by_material=True), above(9.0))["segmentation"]
    assert len(renders) == 1
    assert ids[24, 32] == 100
    assert set(ids.ravel()) == {100, 101 + bpy.data.materials.find("First")}


def test_nothing_is_seen_of_nothing(scene: Any) -> None:
    arrays = draw(made.shown(scene), above(9.0))
    assert np.isinf(arrays["depth"]).all()
    assert np.isinf(arrays["distance"]).all()
    for name in ("rgb", "normals", "segmentation", "alpha"):
        assert not arrays[name].any()


def test_backgrounds_are_the_sky_black_or_what_an_edit_says(scene: Any) -> None:
    scene.world = made.with_nodes(bpy.data.worlds.new("Sky"))
    sky = scene.world.node_tree.nodes["Background"].inputs
    sky["Color"].default_value = (0.5, 0.25, 0.125, 1.0)
    white = made.plane(scene, "Card", 0.5, 0.0, made.material("White"))
    del white
    seen = draw(made.shown(scene), above(9.0))
    corner, middle = (0, 0), (24, 32)
    assert seen["rgb"][corner].tolist() == np.rint(255 * encoded((0.5, 0.25, 0.125))).tolist()
    assert (seen["alpha"][corner], seen["alpha"][middle]) == (0, 255)
    edited = draw(made.shown(scene, background=(0.2, 0.4, 1.0)), above(9.0))
    assert edited["rgb"][corner].tolist() == [51, 102, 255]
    assert edited["rgb"][middle].tolist() == seen["rgb"][middle].tolist()  # its light stays
    scene.render.film_transparent = True
    assert draw(made.shown(scene), above(9.0))["rgb"][corner].tolist() == [0, 0, 0]


def test_half_of_a_surface_shows_in_alpha_and_all_of_it_elsewhere(scene: Any) -> None:
    glass = made.with_nodes(bpy.data.materials.new("Half"))
    glass.node_tree.nodes["Principled BSDF"].inputs["Alpha"].default_value = 0.25
    made.plane(scene, "Pane", 4.0, 1.0, glass)
    made.plane(scene, "Floor", 4.0, 0.0)
    arrays = draw(made.shown(scene), above(9.0))
    assert (arrays["depth"] == 8.0).all()
    assert (arrays["alpha"] == 255).all()
    bpy.data.objects.remove(bpy.data.objects["Floor"])
    alpha = draw(made.shown(scene), above(9.0), 64)["alpha"]
    assert abs(float(alpha.mean()) - 0.25 * 255) < 4


def _lively(scene: Any) -> Camera:
    """Light from a lamp of some size on two cubes and a floor, so that samples differ."""
    made.cube(scene, "Red", (0.0, 0.0, 0.5), 0.5, made.material("Red", (0.8, 0.1, 0.1)))
    made.cube(scene, "Bare", (1.2, 0.4, 0.3), 0.3)
    made.plane(scene, "Floor", 4.0, 0.0, made.material("White"))
    made.sun(scene, 2.0).data.angle = 1.0
    return Camera.look_at(eye=(3.0, -4.0, 3.0), target=(0.3, 0, 0.2), fov_y=0.6, **SIZE)


def test_the_same_view_gives_the_same_bits_whatever_came_before(scene: Any) -> None:
    camera = _lively(scene)
    first = draw(made.shown(scene), camera, 3)
    other = draw(made.shown(scene, seed=8), camera, 3)
    draw(made.shown(scene, background=(1.0, 0.0, 0.0)), camera.replace(width=20), 2)
    assert same(first, draw(made.shown(scene), camera, 3))
    assert (first["rgb"] != other["rgb"]).mean() > 0.2
    assert all(np.array_equal(first[name], other[name]) for name in ("depth", "segmentation"))


def test_depth_and_ids_take_one_sample_and_are_the_same(
    scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera, style, wanted = _lively(scene), CyclesStyle(16), ("depth", "distance", "segmentation")
    whole = draw(made.shown(scene), camera, 16)
    taken: list[tuple[bool, int]] = []

    def counted(*args: Any) -> Any:
        taken.append((scene.cycles.use_sample_subset, scene.cycles.sample_subset_length))
        return result.render(*args)

    monkeypatch.setattr(cycles, "render", counted)
    arrays = allocate(camera, {name: KNOWN_PASSES[name] for name in wanted})
    style.draw(made.shown(scene), [camera], KNOWN_PASSES, [arrays])
    assert taken == [(True, 1)]
    assert all(np.array_equal(arrays[name], whole[name]) for name in wanted)


PROGRAM = """
import hashlib, os, sys
import bpy
sys.path.insert(0, sys.argv[2])
import blender_shapes as made, test_cycles
scene = made.empty_scene()
scene.render.threads_mode, scene.render.threads = "FIXED", int(sys.argv[1])
arrays = test_cycles.draw(made.shown(scene), test_cycles._lively(scene), 3)
print(test_cycles.digest(arrays), flush=True)
os._exit(0)
"""


def digest(arrays: Arrays) -> str:
    return hashlib.sha256(b"".join(each.tobytes() for each in arrays.values())).hexdigest()


def test_another_process_and_any_number_of_threads_give_the_same_bits(scene: Any) -> None:
    expected = digest(draw(made.shown(scene), _lively(scene), 3))
    places = (Path(__file__).parents[1], Path(heliograph.__file__).parents[1])
    for threads in ("1", "3"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, threads, str(Path(__file__).parent)],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))},
        )
        assert done.stdout.split()[-1] == expected


def test_levels_become_better_and_the_last_one_is_the_picture(scene: Any) -> None:
    camera, style = _lively(scene), CyclesStyle(16)
    whole = draw(made.shown(scene), camera, 16)
    levels = list(style.refine(made.shown(scene), [camera], KNOWN_PASSES, (1 / 64, 1 / 4, 1.0)))
    assert same(dict(levels[2][0]), whole)
    errors = [np.abs(level[0]["rgb"].astype(float) - whole["rgb"]).mean() for level in levels[:2]]
    assert errors[0] > 1.5 * errors[1] > 0
    assert np.array_equal(levels[0][0]["depth"], whole["depth"])


def test_a_refinement_that_is_cancelled_stops(scene: Any, renders: list[None]) -> None:
    camera, token = _lively(scene), CancelToken()
    levels = CyclesStyle(4).refine(made.shown(scene), [camera] * 2, PASSES, (0.5, 1.0), token)
    assert len(next(levels)) == 2
    token.cancel()
    assert list(levels) == []
    assert len(renders) == 2


def _all_of(*owners: Any) -> list[Any]:
    kinds = {"BOOLEAN", "INT", "FLOAT", "ENUM", "STRING"}
    return [
        (each.identifier, getattr(owner, each.identifier))
        for owner in owners
        for each in owner.bl_rna.properties
        if each.identifier != "use_nodes"  # warns
        and each.type in kinds
        and not getattr(each, "is_array", False)
    ]


def test_the_scene_is_as_it_was_afterwards_and_after_an_error(
    scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = _lively(scene)
    scene.camera = bpy.data.objects.new("Own", bpy.data.cameras.new("Own"))
    scene.cycles.samples, scene.render.engine = 5, "BLENDER_WORKBENCH"
    bpy.data.objects["Red"].pass_index, bpy.data.materials["White"].pass_index = 9, 8
    scene.view_settings.view_transform = "AgX"
    scene.render.image_settings.file_format = "OPEN_EXR"
    layer = scene.view_layers[0]
    layer.use_pass_cryptomatte_object = True
    made.instancer(scene, "Many", None, 2.0)

    def state() -> list[Any]:
        things = (*bpy.data.objects, *bpy.data.materials)
        indices = {each.name: each.pass_index for each in things if each.name[0] != "."}
        owners = (scene, scene.render, scene.cycles, scene.render.image_settings, layer)
        return [*_all_of(*owners, layer.cycles), scene.camera, indices, list(scene.objects)]

    before = state()
    draw(made.shown(scene), camera)
    assert state() == before

    def failing(name: str) -> int:
        raise EngineError(f"nothing is known of {name}")

    shown = made.shown(scene)
    monkeypatch.setattr(shown.numbering, "of_object", failing)
    with pytest.raises(EngineError, match="nothing is known of"):
        draw(shown, camera)
    assert state() == before


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (5, 4)])
def test_small_pictures_are_parts_of_larger_ones(scene: Any, size: tuple[int, int]) -> None:
    camera = _lively(scene).replace(fx=20.0, fy=20.0, cx=2.0, cy=2.0, width=8, height=8)
    large = draw(made.shown(scene), camera)
    small = draw(made.shown(scene), camera.replace(width=size[0], height=size[1]))
    for name in ("depth", "segmentation"):
        assert np.array_equal(small[name], large[name][: size[1], : size[0]])


def test_denoising_evens_out_rgb_alone(scene: Any) -> None:
    camera = _lively(scene)
    plain, even = (draw(made.shown(scene), camera, 2, denoise=each) for each in (False, True))
    floor = plain["segmentation"] == made.Numbers().of_object("Floor")
    assert plain["rgb"][floor].std() > even["rgb"][floor].std()
    for name in ("depth", "segmentation", "distance"):
        assert np.array_equal(plain[name], even[name])


def test_a_closed_style_draws_no_more(scene: Any) -> None:
    style, camera = CyclesStyle(1), above(9.0)
    style.close()
    style.close()
    with pytest.raises(ClosedError):
        style.draw(made.shown(scene), [camera], PASSES, [allocate(camera, PASSES)])


def test_what_blender_says_of_a_render_that_fails_is_told(scene: Any) -> None:
    with pytest.raises(EngineError, match=r"could not render: .*no camera"):
        result.render(scene, scene.view_layers[0])


SCRIPT = """
import blender_shapes as made
import bpy

scene = made.empty_scene()
scene.cycles.max_bounces = 0  # nothing at random is left but where a sample goes through its pixel
made.plane(scene, "Floor", 3.0, 0.0, made.material("White"))
made.cube(scene, "Red", (0.5, 0.0, 0.6), 0.5, made.material("Red", (0.8, 0.1, 0.1)))
made.sun(scene, 2.0)
"""
MANY = 'made.instancer(scene, "Many", None, 2.0).scale = (0.4, 0.4, 0.4)'


def opened(folder: Path, program: str) -> BlenderEngine:
    script = folder / "scene.py"
    script.write_text(program)
    return BlenderEngine(script, style="cycles", samples=1, size=(32, 24))


def test_it_keeps_the_promises_of_an_engine(tmp_path: Path) -> None:
    check_engine(lambda: opened(tmp_path, SCRIPT))


def test_a_sample_s_labels_know_all_instances_that_are_seen(tmp_path: Path) -> None:
    engine = opened(tmp_path, SCRIPT + MANY)
    try:
        frame = next(iter(engine.render(View(passes=("segmentation",)))))
    finally:
        engine.close()
    seen = set(np.unique(frame.segmentation).tolist())
    assert seen <= set(frame.labels)
    assert sum(frame.labels[each].name.startswith("Many") for each in seen) > 6


def test_ids_and_depth_are_those_of_style_fast_and_levels_end_in_the_picture() -> None:
    drawn: dict[str, list[Any]] = {}
    state = {"frame": np.array(10.0), 'objects["Cube"].location': np.array([0.0, -1.0, 1.0])}
    wanted = View(passes=("rgb", "depth", "segmentation"), state=state)
    for style in ("fast", "cycles"):
        engine = BlenderEngine(
            Path(__file__).parents[1] / "blender_scene.py", style=style, size=(96, 64), samples=4
        )
        try:
            drawn[style] = [next(iter(engine.render(wanted)))]
            if style == "cycles":
                drawn["levels"] = [next(iter(each)) for each in engine.refine(wanted)]
        finally:
            engine.close()
    (fast,), (traced,), levels = drawn.values()
    assert (fast.segmentation == traced.segmentation).mean() >= 0.995
    assert np.isclose(fast.depth, traced.depth, rtol=1e-3).mean() >= 0.99
    assert len(levels) == 4
    assert all(np.array_equal(levels[-1][name], traced[name]) for name in wanted.pass_names)


HIDDEN = """
made.instancer(scene, "Many", bpy.data.objects["Red"], 2.0).scale = (0.4, 0.4, 0.4)
bpy.data.objects["Red"].hide_render = True
"""


def test_what_nodes_show_of_a_hidden_object_is_seen_in_both_styles(tmp_path: Path) -> None:
    script = tmp_path / "scene.py"
    script.write_text(SCRIPT + HIDDEN)
    seen = []
    for style in ("fast", "cycles"):
        engine = BlenderEngine(script, style=style, samples=1, size=(64, 48))
        try:
            (frame,) = engine.render(View(passes=("segmentation",)))
        finally:
            engine.close()
        names = [frame.labels[each].name for each in np.unique(frame.segmentation).tolist()]
        assert "Red" not in names
        seen.append(frame.segmentation)
    assert len(np.unique(seen[0])) > 6
    assert (seen[0] == seen[1]).mean() >= 0.98
