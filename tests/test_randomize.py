"""Randomizers: their own streams, the same in every process, replayed from JSON, in range."""

from __future__ import annotations

import gc
import json
import linecache
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import heliograph as hg
from heliograph.camera import Camera
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.randomize import (
    Background,
    CameraJitter,
    CameraOrbit,
    CameraPlace,
    Drawn,
    Facts,
    FieldOfView,
    JointStates,
    Lights,
    Materials,
    ObjectPoses,
    Own,
    PostProcess,
    Randomization,
    Textures,
    Visibility,
    sampler,
    stream,
)
from heliograph.scene import Description, Edit, Item, Joint, StateSpace
from heliograph.scene.appearance import (
    EditBackground,
    EditImage,
    EditLight,
    EditMaterial,
    EditMaterials,
    Hide,
    MoveCamera,
    MoveObject,
)
from heliograph.view import View
from randomize_scenes import objects

T = TypeVar("T")
NAMES = {f"{kind}{i}": "box" for kind in ("cube", "hand:finger") for i in range(4)}
TOP = Camera.look_at(eye=(1, 1, 1), target=(0, 0, 0), fov_y=0.8, width=64, height=48, name="top")
SIDE = Camera.look_at(
    eye=(2, 0, 0.5), target=(0, 0, 0), fov_y=0.6, width=64, height=48, name="side"
)

ARM = "<mujoco><worldbody><body><joint/><geom size='1'/></body></worldbody></mujoco>"
EMPTY = "<mujoco><worldbody><light pos='0 0 3'/><geom size='1'/></worldbody></mujoco>"


def scene() -> Facts:
    lights = (Item("sun", "light"), Item("lamp", "light"))
    description = Description("test", "0", objects(NAMES), lights)
    materials = {"red": ("cube0", "cube1"), "skin": ("hand:finger0",)}
    return Facts(description, {"top": TOP, "side": SIDE}, materials=materials)


def all_of_them() -> list[object]:
    steps = {"hue": {"degrees": sampler({"uniform": [-10, 10]})}, "grain": {}}
    state = {"qpos": sampler([{"uniform": [-1, 1]}, 0.5])}
    return [
        Materials(texture_probability=0.5, emission=sampler(0.2)),
        Lights(number=sampler({"integer": [0, 3]})),
        CameraJitter(),
        CameraOrbit(cameras=("top",)),
        CameraPlace(cameras=("side",)),
        FieldOfView(),
        ObjectPoses(objects=("cube",)),
        Visibility(hidden=0.3),
        JointStates(state=state),
        Background(),
        PostProcess(steps=steps),
    ]


def everything() -> Randomization:
    return Randomization(all_of_them())  # type: ignore[arg-type]


def as_text(edits: tuple[Edit, ...]) -> str:
    return "\n".join(plain(edit) for edit in edits)


def plain(edit: Edit) -> str:
    parts = {k: v.tobytes() if isinstance(v, np.ndarray) else v for k, v in vars(edit).items()}
    if isinstance(edit, MoveCamera):
        parts["pose"] = edit.camera.world_from_camera.tobytes()
    return f"{type(edit).__name__} {parts}"


def same(one: Drawn, other: Drawn) -> None:
    assert as_text(one.edits) == as_text(other.edits)
    assert one.state.keys() == other.state.keys()
    for key in one.state:
        np.testing.assert_array_equal(one.state[key], other.state[key])
    assert one.facts == other.facts


def of_type(drawn: Drawn, kind: type[T]) -> list[T]:
    return [edit for edit in drawn.edits if isinstance(edit, kind)]


def painted(drawn: Drawn) -> list[EditMaterial]:
    return [row for edit in of_type(drawn, EditMaterials) for row in edit.rows()]


def test_equal_seeds_draw_the_same_and_others_do_not() -> None:
    same(everything()(7, 3, scene()), everything()(7, 3, scene()))
    drawn = [everything()(*key, scene()).facts for key in ((7, 3), (7, 4), (8, 3))]
    assert len({json.dumps(facts) for facts in drawn}) == 3


def test_a_fresh_process_draws_the_same() -> None:
    code = (
        "import sys, json; sys.path.insert(0, sys.argv[1]);"
        "import test_randomize as t; print(json.dumps(t.everything()(7, 3, t.scene()).facts))"
    )
    folder = str(__file__).rpartition("/")[0]
    out = subprocess.run(
        [sys.executable, "-c", code, folder], capture_output=True, text=True, check=True
    )
    assert json.loads(out.stdout) == everything()(7, 3, scene()).facts


def test_streams_do_not_change_between_versions() -> None:
    words = stream(7, 3, "materials").bit_generator.random_raw(2)
    assert [hex(word) for word in words.tolist()] == STREAM


STREAM = ["0x3b1886fa41b5b696", "0x67f63aef7f5bee8b"]


@pytest.mark.parametrize(("seed", "index"), [(-1, 0), (2**63, 0), (0, -1), (True, 0), (0.5, 0)])
def test_a_stream_needs_whole_numbers(seed: int, index: int) -> None:
    with pytest.raises(InvalidValueError, match="expected an integer"):
        stream(seed, index, "x")


def test_adding_a_randomizer_does_not_shift_the_others() -> None:
    few = Randomization([Materials(), Lights()])
    more = Randomization([Background(), Materials(), Visibility(), Lights()])
    one, other = few(1, 2, scene()), more(1, 2, scene())
    for name in few.names:
        assert one.facts[name] == other.facts[name]


@given(seed=st.integers(0, 2**63 - 1), index=st.integers(0, 10**12))
@settings(max_examples=30, deadline=None)
def test_facts_read_back_from_json_replay_exactly(seed: int, index: int) -> None:
    drawn = everything()(seed, index, scene())
    same(drawn, everything().replay(json.loads(json.dumps(drawn.facts))))


def test_replaying_a_part_gives_that_part() -> None:
    drawn = everything()(1, 2, scene())
    part = everything().replay({"background": drawn.facts["background"]})
    assert [type(edit) for edit in part.edits] == [EditBackground]
    with pytest.raises(UnknownNameError, match="did you mean 'background'"):
        everything().replay({"backgrond": {}})


def test_names_must_differ_and_are_numbered_without() -> None:
    assert Randomization([Background(), Background()]).names == ("background", "background2")
    with pytest.raises(InvalidValueError, match="different names"):
        Randomization([Background(), Background()], ["a", "a"])


def test_materials_paint_each_object() -> None:
    drawn = Randomization([Materials(exclude=("hand",), alpha=sampler(0.5))])(0, 0, scene())
    paints = painted(drawn)
    assert [each.objects for each in paints] == [(f"cube{i}",) for i in range(4)]
    for each in paints:
        assert each.rgba is not None
        assert each.rgba[3] == 0.5
        assert all(0 <= part <= 1 for part in each.rgba[:3])
        assert each.specular is not None
        assert 0 <= each.specular <= 1
        assert each.emission is None
        assert each.texture is None


def test_metal_and_roughness_are_drawn_where_they_are_asked_for() -> None:
    given = Materials(metallic=sampler(1.0), roughness=sampler({"uniform": [0.2, 0.4]}))
    shiny, plain = (painted(Randomization([each])(0, 0, scene())) for each in (given, Materials()))
    rough = [each.roughness for each in shiny if each.roughness is not None]
    assert len({*rough}) == len(shiny) > 1
    assert 0.2 <= min(rough) <= max(rough) <= 0.4
    assert {each.metallic for each in shiny} == {1.0}
    assert {(each.metallic, each.roughness) for each in plain} == {(None, None)}
    assert [each.rgba for each in plain] == [each.rgba for each in shiny]


def test_materials_paint_what_shares_one_alike() -> None:
    drawn = Randomization([Materials(materials=("red",))])(0, 0, scene())
    assert [each.objects for each in painted(drawn)] == [("cube0", "cube1")]


def test_a_prefix_that_matches_nothing_is_warned_of_once() -> None:
    known, paint = scene(), Randomization([Materials(objects=("kube",))])
    with pytest.warns(UserWarning, match="no object starts with 'kube'; there are cube, hand"):
        assert not paint(0, 0, known).edits
    assert not paint(0, 1, known).edits


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("kind", ["objects", "exclude"])
def test_whoever_draws_the_user_is_warned_once(workers: int, kind: str) -> None:
    config = {"randomizers": [{"type": "materials", kind: ["bal", "kube"]}]}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with hg.open("fake", size=(8, 6), workers=workers, randomize=config) as renderer:
            for index in range(3):
                renderer.submit(View(seed=0, index=index)).exception()
    found = [each for each in told if "starts with" in str(each.message)]
    assert [str(each.message) for each in found] == [
        "no object starts with 'kube'; there are floor, ball, globe, marble"
    ]
    assert "hg.open(" in linecache.getline(found[0].filename, found[0].lineno)


def test_a_pool_whose_warnings_are_errors_leaves_nothing_behind() -> None:
    config = {"randomizers": [{"type": "materials", "objects": ["kube"]}]}
    with hg.open("fake", size=(8, 6), workers=1):
        pass  # what a first pool leaves open for others is not this one's
    gc.collect()  # of what earlier tests left to it
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(UserWarning, match="kube"):
        hg.open("fake", size=(8, 6), workers=1, randomize=config)
    gc.collect()  # the error holds the pool that holds the error
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("scene", "state", "told"),
    [
        (EMPTY, {}, "randomizer 'joint_states': .*draws no random state"),
        (ARM, {"qpos": [0, 0]}, r"state.qpos: expected samplers for shape \(1,\).*of shape \(2,\)"),
        (ARM, {"qpos": 0}, r"state.qpos: expected samplers for shape \(1,\)"),
        (ARM, {"qpos": {"choice": [[1, 2], [3, 4]]}}, "state.qpos: .*choice"),
    ],
)
def test_a_config_that_does_not_fit_the_scene_is_refused_when_it_is_opened(
    workers: int, scene: str, state: Any, told: str
) -> None:
    config = {"randomizers": [{"type": "joint_states", "state": state}]}
    with pytest.raises(InvalidValueError, match=told):
        hg.open(scene, size=(8, 6), workers=workers, randomize=config)


def test_states_of_the_right_length_and_those_of_other_keys_are_taken() -> None:
    state = {"qpos": [{"uniform": [-1, 1]}], "qvel": [1]}
    config = {"randomizers": [{"type": "joint_states", "state": state}]}
    with hg.open(ARM, size=(8, 6), randomize=config) as renderer:
        assert -1 <= renderer.render(View(seed=0)).state["qpos"][0] <= 1


def test_textures_are_made_once_and_read_only() -> None:
    textures = Textures(kinds=("perlin", "checker"), count=2, size=16)
    image = textures.image(["perlin", 1])
    assert image is textures.image(["perlin", 1])
    assert image.shape == (16, 16, 3)
    assert image.dtype == np.uint8
    assert not image.flags.writeable
    assert image.std() > 5


@pytest.mark.parametrize("kind", ["noise", "checker", "gradient", "perlin"])
def test_every_pattern_has_contrast_and_varies(kind: str) -> None:
    made = [Textures(size=32).image([kind, i]) for i in range(4)]
    assert all(int(each.max()) - int(each.min()) > 20 for each in made)
    assert len({each.tobytes() for each in made}) == 4


def test_perlin_tiles() -> None:
    image = Textures(size=64).image(["perlin", 3]).astype(float)
    inside = np.abs(np.diff(image, axis=1)).max()
    assert np.abs(image[:, 0] - image[:, -1]).max() <= 1.5 * inside


def test_textures_of_a_folder(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (4, 4), (10, 20, 30)).save(tmp_path / "a.png")
    textures = Textures(kinds=(), folder=str(tmp_path))
    assert textures.draw(stream(0, 0, "x"), 2) == [["file", "a.png"]] * 2
    assert textures.image(["file", "a.png"])[0, 0].tolist() == [10, 20, 30]


def test_lights_vary_go_out_and_are_added() -> None:
    vary = of_type(Randomization([Lights()])(0, 0, scene()), EditLight)
    assert [each.name for each in vary] == ["sun", "lamp"]
    assert all(each.position is None and each.kind is None for each in vary)
    new = Lights(own=Own.OFF, number=sampler(2), intensity=sampler(0.5))
    edits = of_type(Randomization([new])(0, 0, scene()), EditLight)
    assert [each.active for each in edits] == [False, False, None, None]
    for each in edits[2:]:
        assert each.position is not None
        assert each.direction is not None
        np.testing.assert_allclose(np.cross(each.position, each.direction), 0, atol=1e-12)
        assert np.dot(each.position, each.direction) < 0
        assert each.diffuse is not None
        assert max(each.diffuse) == pytest.approx(0.5)


def test_a_later_randomizer_sees_the_lights_of_an_earlier_one() -> None:
    new = Lights(own=Own.OFF, number=sampler(3))
    drawn = Randomization([new, Lights()])(0, 0, scene())
    assert drawn.facts["lights2"]["name"] == ["lights/0", "lights/1", "lights/2"]


def test_jitter_keeps_to_its_range_and_is_relative() -> None:
    for index in range(50):
        drawn = Randomization([CameraJitter(cameras=("top",))])(0, index, scene())
        (move,) = of_type(drawn, MoveCamera)
        assert move.relative
        pose = move.camera.world_from_camera
        assert np.abs(pose[:3, 3]).max() <= 0.02
        angle = np.arccos(np.clip((np.trace(pose[:3, :3]) - 1) / 2, -1, 1))
        assert angle <= 0.03 + 1e-7
        assert abs(move.camera.fov_y - TOP.fov_y) <= 0.01


def test_an_orbit_keeps_distance_height_and_what_is_seen_of_the_centre() -> None:
    centre = np.array([0.2, -0.1, 0.3])
    drawn = Randomization([CameraOrbit(centre=sampler(centre.tolist()))])(0, 1, scene())
    for move in of_type(drawn, MoveCamera):
        before, after = scene().cameras[move.name], move.camera
        eyes = (before.world_from_camera[:3, 3], after.world_from_camera[:3, 3])
        lengths = [np.linalg.norm(eye - centre) for eye in eyes]
        assert lengths[0] == pytest.approx(lengths[1])
        assert eyes[0][2] == pytest.approx(eyes[1][2])
        np.testing.assert_allclose(before.project(centre), after.project(centre))


def test_a_placed_camera_looks_at_the_target() -> None:
    place = CameraPlace(target=sampler([0, 0, 0.5]), roll=sampler({"angle": [-30, 30]}))
    for move in of_type(Randomization([place])(0, 2, scene()), MoveCamera):
        camera = move.camera
        np.testing.assert_allclose(camera.project((0, 0, 0.5)), (camera.cx, camera.cy))
        assert 1 <= np.linalg.norm(camera.world_from_camera[:3, 3] - (0, 0, 0.5)) <= 2


def test_moves_of_one_camera_become_one() -> None:
    chain = Randomization([CameraOrbit(), CameraJitter(), FieldOfView(fov=sampler(0.9))])
    drawn = chain(0, 0, scene())
    moves = {move.name: move for move in of_type(drawn, MoveCamera)}
    assert set(moves) == {"top", "side"}
    orbit = np.array(drawn.facts["camera_orbit"]["cameras"][0]["pose"])
    jitter = np.array(drawn.facts["camera_jitter"]["cameras"][0]["pose"])
    np.testing.assert_allclose(moves["top"].camera.world_from_camera, orbit @ jitter)
    assert not moves["top"].relative
    assert moves["top"].camera.fov_y == pytest.approx(0.9)


def test_cameras_that_are_not_shown_get_no_edits_but_their_numbers() -> None:
    both = Randomization([CameraJitter()])
    view, drawn = both.apply(View(cameras=("side",), seed=3, index=1), scene())
    (move,) = of_type(drawn, MoveCamera)
    assert move.name == "side"
    everyone = {m.name: m for m in of_type(both(3, 1, scene()), MoveCamera)}
    assert plain(everyone["side"]) == plain(move)
    assert tuple(view.edits) == drawn.edits


def test_applying_needs_a_seed_and_merges_state() -> None:
    joints = Randomization([JointStates(state={"qpos": sampler([1, 2])})])
    with pytest.raises(InvalidValueError, match="no seed"):
        joints.apply(View(), scene())
    view, _ = joints.apply(View(state={"qpos": [0, 0], "steps": 1}, seed=0), scene())
    assert view.state["qpos"].tolist() == [1, 2]
    assert int(view.state["steps"]) == 1


def test_facts_come_from_the_object_table() -> None:
    rest = {"qpos": np.zeros(2)}
    joints = (Joint("a", "hinge", 0, -1, 1), Joint("b", "slide", 1, 0, 2))
    table = objects(NAMES, materials={"cube0": "red", "cube2": "red"})
    boxes, colours = np.array(table.boxes), np.array(table.colours)
    boxes[0], colours[1] = [(-1, -2, -3), (1, 2, 3)], (1, 0, 0, 1)

    class Renderer:
        cameras: ClassVar[dict[str, Camera]] = {"top": TOP}
        scene = Description(
            "test",
            "0",
            replace(table, boxes=boxes, colours=colours),
            space=StateSpace(rest, joints),
        )

        def random_state(self, rng: np.random.Generator) -> Any:
            return self.scene.random_state(rng)

    known = Facts.of(Renderer())
    assert known.colours == {"cube1": (1, 0, 0, 1)}
    assert known.materials == {"red": ("cube0", "cube2")}
    assert set(known.boxes) == {"cube0"}
    assert np.array_equal(known.boxes["cube0"].max(0), (1, 2, 3))
    assert known.joints == joints
    drawn = known.random_state and known.random_state(np.random.default_rng(0))
    assert drawn is not None
    assert drawn["qpos"].shape == (2,)


def test_a_description_is_for_json() -> None:
    assert json.loads(json.dumps(everything().describe())) == everything().describe()


def test_objects_move_and_hide() -> None:
    drawn = Randomization([ObjectPoses(objects=("cube",)), Visibility(hidden=1.0)])(0, 0, scene())
    moves = of_type(drawn, MoveObject)
    assert [move.name for move in moves] == [f"cube{i}" for i in range(4)]
    for move in moves:
        assert np.abs(move.pose[:3, 3]).max() <= 0.05
        turned = np.arccos(np.clip((np.trace(move.pose[:3, :3]) - 1) / 2, -1, 1))
        assert turned <= np.radians(10) + 1e-7
    (hidden,) = of_type(drawn, Hide)
    assert hidden.objects == scene().objects
    assert not Randomization([Visibility(hidden=0.0)])(0, 0, scene()).edits


def test_joint_states_come_from_samplers_or_the_scene() -> None:
    known = replace(scene(), random_state=lambda rng: {"qpos": rng.random(3)})
    drawn = Randomization([JointStates()])(0, 0, known)
    assert drawn.state["qpos"].shape == (3,)
    with pytest.raises(InvalidValueError, match="draws no random state"):
        Randomization([JointStates()])(0, 0, scene())


def test_post_processing_keeps_its_order_and_seed() -> None:
    steps = {"bloom": {}, "hue": {"degrees": sampler({"uniform": [5, 6]})}}
    (edit,) = of_type(Randomization([PostProcess(steps=steps)])(0, 0, scene()), EditImage)
    assert [name for name, _ in edit.steps] == ["bloom", "hue"]
    assert 5 <= edit.steps[1][1]["degrees"] <= 6
    assert edit.seed != Randomization([PostProcess(steps=steps)])(0, 1, scene()).edits[0].seed  # type: ignore[attr-defined]
    with pytest.raises(UnknownNameError, match="did you mean 'degrees'"):
        PostProcess(steps={"hue": {"degree": sampler(1)}})
    never = PostProcess(steps=steps, probability={"bloom": 0.0, "hue": 0.0})
    assert not Randomization([never])(0, 0, scene()).edits
