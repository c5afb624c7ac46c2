"""ORRB's random numbers: Unity's generator, and the order in which components take its numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliograph.camera import Camera
from heliograph.compat.orrb.components import cameras as orrb_cameras
from heliograph.compat.orrb.components import lights as orrb_lights
from heliograph.compat.orrb.components import materials as orrb_materials
from heliograph.compat.orrb.components import objects as orrb_objects
from heliograph.compat.orrb.components import post as orrb_post
from heliograph.compat.orrb.components import tracker as orrb_tracker
from heliograph.compat.orrb.components.component import Component
from heliograph.compat.orrb.facts import OrrbFacts, shapes_of
from heliograph.compat.orrb.reading import OrrbRandomization
from heliograph.compat.orrb.unity import UnityRandom, Vector3, vector
from heliograph.randomize import Facts, load_randomization
from heliograph.randomize.hsv import hsv_to_rgb, rgb_to_hsv
from heliograph.scene import Description, Item, Joint, Material, ObjectTable
from heliograph.scene.objects import SceneObject

ANY = st.integers(-(2**63), 2**63 - 1)


def words(seed: int) -> Iterator[int]:
    """xorshift128 as its recurrence is written down, in unbounded integers."""
    state = [seed % 2**32]
    while len(state) < 4:
        state.append((state[-1] * 1812433253 + 1) % 2**32)
    while True:
        mixed = (state[0] ^ (state[0] * 2**11)) % 2**32
        mixed = mixed ^ (mixed // 2**8)
        state = [*state[1:], state[3] ^ (state[3] // 2**19) ^ mixed]
        yield state[-1]


def values(seed: int) -> Iterator[float]:
    return ((word % 2**23) / 8388607 for word in words(seed))


def between(low: float, high: float, value: float) -> float:
    return high + (low - high) * value


GOLDEN = {
    0: [1900725526, 1900725046, 559298752, 107093222, 556206921],
    1: [3690984874, 2346916618, 2899782266, 2285563962, 2890667570],
    2**31 - 1: [102086792, 3599327808, 313896755, 964098680, 2450314278],
    -1: [110471304, 1451848272, 305508131, 3111582328, 302830646],
}
"""Words worked out by hand from the recurrence."""


@pytest.mark.parametrize("seed", GOLDEN)
def test_the_first_numbers_of_a_seed(seed: int) -> None:
    random = UnityRandom(seed)
    assert [random.bits() for _ in range(5)] == GOLDEN[seed]
    assert list(islice(words(seed), 5)) == GOLDEN[seed]


@given(ANY)
def test_any_integer_is_a_seed_of_which_32_bits_count(seed: int) -> None:
    random = UnityRandom(seed)
    assert [random.bits() for _ in range(40)] == list(islice(words(seed), 40))
    assert UnityRandom(seed + 2**32).bits() == UnityRandom(seed).bits()


@given(ANY, st.floats(-9, 9), st.floats(-9, 9))
def test_values_are_the_low_23_bits_and_ranges_begin_at_their_end(
    seed: int, low: float, high: float
) -> None:
    random, expected = UnityRandom(seed), values(seed)
    assert random.value() == next(expected)
    assert random.range(low, high) == between(low, high, next(expected))
    assert min(low, high) - 1e-9 <= random.range(low, high) <= max(low, high) + 1e-9


@given(ANY)
def test_a_rotation_takes_three_numbers_and_is_one(seed: int) -> None:
    random, expected = UnityRandom(seed), values(seed)
    turn = random.rotation()
    u, theta, rho = 1 - next(expected), *(2 * math.pi * (1 - next(expected)) for _ in range(2))
    i, j = math.sqrt(1 - u), math.sqrt(u)
    by_hand = [i * math.sin(theta), i * math.cos(theta), j * math.sin(rho), j * math.cos(rho)]
    np.testing.assert_allclose(turn, by_hand, atol=1e-9)
    assert math.hypot(*turn) == pytest.approx(1)
    assert random.value() == next(expected)


def test_rotations_and_colours_are_uniform() -> None:
    random = UnityRandom(5)
    turns = np.array([random.rotation() for _ in range(4000)])
    np.testing.assert_allclose(turns.T @ turns / len(turns), np.eye(4) / 4, atol=0.02)
    colours = np.array([random.colour((0.2, 0.4), (0.5, 1.0)) for _ in range(4000)])
    np.testing.assert_allclose(colours.min(0), (0, 0.2, 0.5), atol=0.005)
    np.testing.assert_allclose(colours.max(0), (1, 0.4, 1.0), atol=0.005)


TABLE = [
    # name, category, material, parent
    ("floor", "plane", "", 9),
    ("wall", "box", "skin", 9),
    ("arm", "capsule", "skin", 10),
    ("cube:a", "box", "cube:side", 11),
    ("led", "site", "glow", 10),
    ("tip", "site", "", 10),
    ("string", "tendon", "skin", 0),
    ("far", "box", "glow", 9),
    ("world", "body", "", 0),
    ("arm", "body", "", 9),
    ("cube", "body", "", 10),
]
GLOW = Material("glow", base_color=(1.0, 0.5, 0.5, 1.0), emission=0.4)
MATERIALS = (Material("skin"), Material("cube:side"), GLOW)
JOINTS = (
    Joint("a", "hinge", 0, -1.0, 3.0),
    Joint("b", "ball", 1),
    Joint("c", "hinge", 5),
    Joint("d", "slide", 6, 0.0, 1.0),
    Joint("e", "hinge", 7, 5.0, 6.0),
)


def camera(name: str, x: float) -> Camera:
    return Camera.look_at(
        eye=(x, 1, 1), target=(0, 0, 0), fov_y=0.8, width=64, height=48, name=name
    )


def scene() -> Facts:
    box = np.array([[-0.1] * 3, [0.1] * 3])
    rows = [
        SceneObject(1 + i, name, kind, material, parent, box, kind != "body")
        for i, (name, kind, material, parent) in enumerate(TABLE)
    ]
    lights = (Item("sun", "light"), Item("lamp", "light"), Item("head", "head"))
    known = Description("test", "0", ObjectTable.of(rows), lights, MATERIALS)
    return Facts(
        known,
        {each.name: each for each in (camera("left", 1), camera("right", 2), camera("free", 3))},
        colours={"cube:a": (0.8, 0.1, 0.1, 1.0)},
        joints=JOINTS,
        state={"qpos": np.zeros(8)},
        shown=("right", "left"),
    )


def run(*components: Component, seed: int = 3) -> dict[str, Any]:
    return OrrbRandomization(components)(seed, 0, scene()).facts


def test_shapes_stand_in_the_order_of_the_tree() -> None:
    nodes = [shape.node for shape in shapes_of(scene().description.objects, {"tip": "capsule"})]
    parts = ("top_sphere", "bottom_sphere", "cylinder")
    assert nodes == [
        *("floor(primitive)", "wall(primitive)", "far(primitive)"),
        *(f"arm({part})" for part in parts),
        "led(primitive)",
        *(f"tip({part})" for part in parts),
        "cube:a(primitive)",
    ]
    meshes = ObjectTable.of([SceneObject(1, "g", "mesh", "", 0, np.zeros((2, 3)), True)])
    assert shapes_of(meshes, meshes={"g": "m"})[0] == ("m_mesh_0", "g")


SHAPES = 9
TAKEN = {
    orrb_cameras.CameraRandomizer(): 2 * 8,
    orrb_cameras.CameraRandomizer(mode=orrb_cameras.CameraMode.ORBIT): 2,
    orrb_cameras.CameraRandomizer(mode=orrb_cameras.CameraMode.BOTH): 2 * 9,
    orrb_cameras.CameraRandomizer(path="a/right"): 8,
    orrb_cameras.CameraProperties(): 0,
    orrb_cameras.CameraCalibrator(camera_name="left"): 0,
    orrb_objects.LookAt(path="left"): 0,
    orrb_objects.TranslateRotateScale(path="left"): 0,
    orrb_objects.Hide(geom_prefix="wall"): 0,
    orrb_objects.JointRandomizer(): 1 + 3 + 1,
    orrb_lights.LightingRig(light_head_count=5): 5 * 3,
    orrb_lights.LightRandomizer(): 1 + 2 * 2,
    orrb_lights.LightRandomizer(randomize_hue=True): 1 + 2 * 6,
    orrb_materials.MaterialRandomizer(): 6 * (SHAPES - 1),
    orrb_materials.MaterialRandomizer(blacklist_prefix="cube,glow"): 6 * (SHAPES - 3),
    orrb_materials.MaterialRandomizer(randomize_textures=True): 12 * (SHAPES - 1),
    orrb_materials.MaterialFixedHueRandomizer(): 7,
    orrb_materials.MaterialFixedHueRandomizer(material_prefix="skin"): 4 * 7,
    orrb_materials.MaterialFixedHueRandomizer(material_prefix="glow", emission_probability=1.1): 2
    * 13,
    orrb_materials.MaterialFixedHueRandomizer(material_prefix="glow", emission_probability=0): 2
    * 8,
    orrb_post.PostProcessingRandomizer(): 12,
    orrb_post.PostProcessingRandomizer(enable_bloom=False, enable_grain=True): 12,
    orrb_tracker.Tracker(camera_names="left", tracked_object_names="arm"): 0,
}


@pytest.mark.parametrize("component", TAKEN, ids=repr)
def test_each_component_takes_its_numbers_and_no_more(component: Component) -> None:
    rig = orrb_lights.LightingRig(light_head_count=1)
    drawn = OrrbRandomization((component, rig), ("first", "rig"))(3, 0, scene()).facts
    left = islice(values(3), TAKEN[component], None)
    angle, height, reach = 2 * math.pi * (1 - next(left)), 1.5 - next(left), 1.5 - next(left) / 2
    at = vector(Vector3(reach * math.cos(angle), height, reach * math.sin(angle)))
    np.testing.assert_allclose(drawn["rig"]["position"][0], at, atol=1e-12)


def test_hidden_shapes_take_no_numbers() -> None:
    paint = orrb_materials.MaterialRandomizer(whitelist_prefix="skin")
    assert run(paint)["MaterialRandomizer"]["objects"] == [["wall"], ["arm"]]
    after = run(orrb_objects.Hide(geom_prefix="wall"), paint)["MaterialRandomizer"]
    assert after["objects"] == [["arm"]]
    # The last of three shapes is the one whose colour is seen.
    hue, saturation, value = islice(values(3), 12, 15)
    np.testing.assert_allclose(after["colour"][0], hsv_to_rgb(hue, saturation, value))


def test_cameras_draw_in_the_scenes_order_whichever_are_asked_for() -> None:
    moves = run(orrb_cameras.CameraRandomizer(position_radius=0.4, quat_radius=0, fov_radius=8))
    numbers = values(3)
    for name, move in zip(("left", "right"), moves["CameraRandomizer"]["cameras"], strict=True):
        own = scene().cameras[name]
        fov, x, y, z, *_ = (next(numbers) for _ in range(8))
        assert move["name"] == name
        assert move["fov_y_degrees"] == pytest.approx(math.degrees(0.8) + 4 - 8 * fov)
        placed = own.world_from_camera @ np.array(move["pose"])
        shift = vector((0.2 - 0.4 * x, 0.2 - 0.4 * y, 0.2 - 0.4 * z))  # along the world's axes
        np.testing.assert_allclose(placed[:3, 3] - own.world_from_camera[:3, 3], shift, atol=1e-12)


def test_a_camera_turns_about_the_up_of_a_random_turn() -> None:
    shaken = orrb_cameras.CameraRandomizer(position_radius=0, quat_radius=0.6, fov_radius=0)
    move = run(shaken)["CameraRandomizer"]["cameras"][0]
    u, theta, rho, angle = (1 - value for value in islice(values(3), 4, 8))
    i, j, theta, rho = math.sqrt(1 - u), math.sqrt(u), 2 * math.pi * theta, 2 * math.pi * rho
    x, y, z, w = i * math.sin(theta), i * math.cos(theta), j * math.sin(rho), j * math.cos(rho)
    up = np.array([2 * (x * y - z * w), 1 - 2 * (x * x + z * z), 2 * (y * z + x * w)])
    turned = np.array(move["pose"])[:3, :3]
    # Our camera's axes are Unity's with z the other way; that turns the sense round as well.
    np.testing.assert_allclose(turned @ (up * (1, 1, -1)), up * (1, 1, -1), atol=1e-9)
    assert (np.trace(turned) - 1) / 2 == pytest.approx(math.cos(0.6 * (angle - 0.5)))


def test_materials_around_a_hue() -> None:
    painter = orrb_materials.MaterialFixedHueRandomizer(
        material_prefix="glow", min_saturation=0, min_value=0, emission_probability=0.5,
        emission_radius=0.3, max_emission=1.0,
    )  # fmt: skip
    drawn, numbers = run(painter)["MaterialFixedHueRandomizer"], values(3)
    assert drawn["objects"] == [["far"], ["led"]]
    owns = {"far": (0.0, 0.0, 0.5), "led": tuple(rgb_to_hsv((1.0, 0.5, 0.5)))}
    for i, own in enumerate(owns.values()):
        hue = between(own[0] - 0.02, own[0] + 0.02, next(numbers))
        _, s, v, _, metallic, gloss = (next(numbers) for _ in range(6))
        low, high = max(own[1] - 0.15, 0), min(own[1] + 0.15, 1)
        dark, bright = max(own[2] - 0.15, 0), min(own[2] + 0.15, 1)
        colour = hsv_to_rgb(hue, low + (high - low) * s, dark + (bright - dark) * v)
        np.testing.assert_allclose(drawn["colour"][i], colour)
        assert drawn["metallic"][i] == between(0.05, 0.15, metallic)
        assert drawn["roughness"][i] == 1 - between(0.05, 0.15, gloss)
        emission = 0.0
        if next(numbers) < 0.5:
            _, _, _, strength, _ = (next(numbers) for _ in range(5))
            emission = 0.1 + 0.6 * strength
        assert drawn["emission"][i] == pytest.approx(emission)


def test_joints_lights_and_post_processing_in_their_order() -> None:
    chain = (
        orrb_objects.JointRandomizer(),
        orrb_lights.LightRandomizer(),
        orrb_post.PostProcessingRandomizer(),
    )
    drawn, numbers = run(*chain), values(3)
    qpos = drawn["JointRandomizer"]["qpos"]
    assert qpos[0] == between(-1, 3, next(numbers))
    list(islice(numbers, 3))
    assert math.hypot(*qpos[1:5]) == pytest.approx(1)
    assert qpos[5:7] == [0, 0]
    assert qpos[7] == between(5, 6, next(numbers))
    lights = drawn["LightRandomizer"]
    assert lights["lights"] == ["sun", "lamp"]
    assert lights["scene_intensity"] == between(1, 15, next(numbers))
    pairs = [(between(27, 33, next(numbers)), between(1, 3, next(numbers))) for _ in range(2)]
    assert lights["spotlight_angle"] == [angle for angle, _ in pairs]
    whole = lights["scene_intensity"] / sum(weight for _, weight in pairs)
    assert lights["intensity"] == pytest.approx([whole * weight for _, weight in pairs])
    steps = dict(drawn["PostProcessingRandomizer"]["steps"])
    hue, saturation, contrast, brightness, _, _, bloom, diffusion, ao = islice(numbers, 9)
    assert steps["hue"]["degrees"] == between(-10, 10, hue)
    assert steps["saturation"]["amount"] == between(-20, 20, saturation) * 0.01
    assert steps["light_contrast"]["amount"] == between(-20, 20, contrast) * 0.01
    assert steps["brightness"]["amount"] == between(-20, 20, brightness) * 0.01
    assert steps["bloom"]["diffusion"] == between(2, 2.5, diffusion)
    assert steps["bloom"]["intensity"] == 2 ** (between(0.75, 1.25, bloom) / 10) - 1
    assert steps["ambient_occlusion"]["intensity"] == between(1.75, 2.25, ao)


def test_a_sample_of_a_run_draws_as_the_entry_of_a_batch() -> None:
    config = {"components": [{"type": "LightRandomizer"}, {"type": "MaterialRandomizer"}]}
    randomization = load_randomization(config)
    known = scene()
    for seed in (0, 2**31 - 1, 2**31, 2**63 - 9):
        entry = randomization(seed + 5, 0, known).facts
        assert randomization(seed, 5, known).facts == entry
        assert randomization(seed, 4, known).facts != entry


def test_facts_are_widened_once_and_know_what_was_hidden() -> None:
    known = OrrbFacts.widened(scene())
    assert OrrbFacts.widened(known) is known
    hide = orrb_objects.Hide(geom_prefix="wall").draw(np.random.default_rng(0), known)
    assert known.after(hide.edits, {}).hidden == {"wall"}
    assert not known.hidden
