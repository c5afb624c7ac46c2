"""ORRB's components: what each does, in numbers; and its config files."""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heliograph.camera import Camera
from heliograph.compat.orrb.components import COMPONENTS
from heliograph.compat.orrb.components import cameras as orrb_cameras
from heliograph.compat.orrb.components import component as orrb_component
from heliograph.compat.orrb.components import lights as orrb_lights
from heliograph.compat.orrb.components import materials as orrb_materials
from heliograph.compat.orrb.components import objects as orrb_objects
from heliograph.compat.orrb.components import post as orrb_post
from heliograph.compat.orrb.components import tracker as orrb_tracker
from heliograph.compat.orrb.components.lights import EXPOSURE
from heliograph.compat.orrb.facts import OrrbFacts, Posed
from heliograph.compat.orrb.reading import OrrbRandomization, read_components
from heliograph.compat.orrb.unity import Quaternion, Vector3, rotation, vector
from heliograph.errors import InvalidValueError, UnknownNameError
from heliograph.randomize import Facts, Materials, Randomization, load_randomization
from heliograph.randomize.hsv import hsv_to_rgb, rgb_to_hsv
from heliograph.randomize.randomizer import Drawn
from heliograph.scene import Description, Item, Joint, Material
from heliograph.scene.appearance import (
    EditImage,
    EditLight,
    EditMaterial,
    EditMaterials,
    Hide,
    MoveCamera,
    MoveObject,
)
from randomize_scenes import objects

CAM = Camera.look_at(eye=(1, 1, 1), target=(0, 0, 0), fov_y=0.8, width=64, height=48, name="cam")
NAMES = {"cube:a": "box", "palm": "mesh", "finger": "mesh", "touch1": "site", "floor": "plane"}
RED = (0.8, 0.1, 0.1, 1.0)


def pose(x: float, y: float, z: float) -> Any:
    matrix = np.eye(4)
    matrix[:3, 3] = (x, y, z)
    return matrix


def scene(**more: Any) -> Facts:
    lights = (Item("sun", "light"), Item("head", "head"))
    known: dict[str, Any] = {
        "materials": {"cube:mat": ("cube:a",), "robot0:skin": ("palm", "finger")},
        "bodies": {"hand": ("palm", "finger", "touch1"), "thumb": ("finger",)},
        "colours": {"cube:a": RED},
        "poses": {"palm": pose(1, 0, 0), "finger": pose(2, 0, 0), "hand": pose(1, 0, 0)}
        | {"touch1": pose(1, 1, 0)},
        "joints": (Joint("j", "hinge", 0, -1, 2), Joint("f", "hinge", 1), Joint("b", "ball", 2)),
        "state": {"qpos": np.array([0.0, 7.0, 1.0, 0.0, 0.0, 0.0])},
    }
    description = Description("test", "0", objects(NAMES), lights, more.pop("lit_materials", ()))
    return Facts(description, {"cam": CAM}, **(known | more))


def drawn_by(
    *components: orrb_component.Component, index: int = 0, known: Facts | None = None
) -> Drawn:
    return OrrbRandomization(components)(3, index, known or scene())


def test_a_component_among_randomizers_of_ours_draws_from_a_stream_of_its_own() -> None:
    chain = Randomization([orrb_lights.LightRandomizer(), Materials()])
    first, second = (chain(3, index, scene()).facts["LightRandomizer"] for index in (0, 1))
    assert first == chain(3, 0, scene()).facts["LightRandomizer"]
    assert first != second


def components(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"components": list(entries)}


@pytest.mark.parametrize("index", range(5))
@pytest.mark.parametrize("kind", sorted(COMPONENTS))
def test_every_component_draws_and_replays(kind: str, index: int) -> None:
    entry = {"type": kind, "path": "world/cam" if kind in ("LookAt", NEEDS) else ""}
    config = {"stringProperties": {"camera_name": "cam"}} if kind == "CameraCalibrator" else {}
    randomization = read_components(components(entry | {"config": config}))
    drawn = randomization(1, index, scene())
    again = randomization.replay(json.loads(json.dumps(drawn.facts)))
    assert [type(e) for e in again.edits] == [type(e) for e in drawn.edits]
    assert again.facts == drawn.facts


NEEDS = "TranslateRotateScale"


def test_unity_axes() -> None:
    assert vector(Vector3(1, 2, 3)).tolist() == [-1, -3, 2]
    half = math.sqrt(0.5)
    up = rotation(Quaternion(0, half, 0, half))  # a quarter turn about Unity's vertical
    ahead = vector(Vector3(0, 0, 1))
    np.testing.assert_allclose(up @ ahead, vector(Vector3(1, 0, 0)), atol=1e-12)
    np.testing.assert_allclose(up @ (0, 0, 1), (0, 0, 1), atol=1e-12)


def test_camera_jitter_is_as_wide_as_its_radius() -> None:
    shifts, turns, fovs = [], [], []
    component = orrb_cameras.CameraRandomizer(position_radius=0.2, quat_radius=0.4, fov_radius=10.0)
    for index in range(300):
        (move,) = drawn_by(component, index=index).edits
        assert isinstance(move, MoveCamera)
        matrix = move.camera.world_from_camera
        shifts.append(CAM.world_from_camera[:3, :3] @ matrix[:3, 3])  # along the world's axes
        turns.append(np.arccos(np.clip((np.trace(matrix[:3, :3]) - 1) / 2, -1, 1)))
        fovs.append(math.degrees(move.camera.fov_y - CAM.fov_y))
    assert 0.095 < np.abs(shifts).max() <= 0.1
    assert 0.19 < max(turns) <= 0.2 + 1e-6
    assert 4.8 < max(fovs) <= 5 + 1e-9
    assert min(fovs) < -4.8


def test_orbit_keeps_the_distance_to_the_vertical() -> None:
    centre = Vector3(-0.5, 0.2, -0.3)
    middle = vector(centre)
    component = orrb_cameras.CameraRandomizer(
        mode=orrb_cameras.CameraMode.ORBIT, orbit_center=centre
    )
    eyes = []
    for index in range(50):
        (move,) = drawn_by(component, index=index).edits
        assert isinstance(move, MoveCamera)
        assert not move.relative
        assert move.camera.fov_y == pytest.approx(CAM.fov_y)
        eyes.append(move.camera.world_from_camera[:3, 3])
    reach = np.linalg.norm((np.array(eyes) - middle)[:, :2], axis=1)
    np.testing.assert_allclose(reach, np.linalg.norm(((1, 1, 1) - middle)[:2]))
    np.testing.assert_allclose(np.array(eyes)[:, 2], 1)
    angles = np.arctan2(*(np.array(eyes) - middle)[:, 1::-1].T)
    assert np.ptp(angles) > 5


def test_camera_properties() -> None:
    (move,) = drawn_by(orrb_cameras.CameraProperties(path="a/cam", field_of_view=30.0)).edits
    assert isinstance(move, MoveCamera)
    assert (move.camera.near, move.camera.far) == (0.1, 20.0)
    assert math.degrees(move.camera.fov_y) == pytest.approx(30)
    assert move.relative
    with pytest.raises(UnknownNameError, match="did you mean 'cam'"):
        drawn_by(orrb_cameras.CameraProperties(path="a/cams"))


def test_calibrator_offsets_and_reports() -> None:
    component = orrb_cameras.CameraCalibrator(
        camera_name="cam", local_position_delta=Vector3(0, 1, 0), fov_delta=2.0
    )
    drawn = drawn_by(component)
    values = drawn.facts["CameraCalibrator"]
    np.testing.assert_allclose(values["position"], (1, 1, 2))
    assert values["fov"] == pytest.approx(math.degrees(0.8) + 2)
    (move,) = drawn.edits
    assert isinstance(move, MoveCamera)
    np.testing.assert_allclose(
        (CAM.world_from_camera @ move.camera.world_from_camera)[:3, 3], (1, 1, 2)
    )


def test_look_at_aims_a_camera() -> None:
    target = Vector3(-0.5, 0.1, 0.3)
    component = orrb_objects.LookAt(path="world/cam", target_offset=target)
    (move,) = drawn_by(component).edits
    assert isinstance(move, MoveCamera)
    placed = CAM.moved(CAM.world_from_camera @ move.camera.world_from_camera)
    np.testing.assert_allclose(placed.project(vector(target)), (32, 24), atol=1e-6)
    np.testing.assert_allclose(placed.world_from_camera[:3, 3], (1, 1, 1))


def test_look_at_turns_an_object_to_face_it() -> None:
    (move,) = drawn_by(orrb_objects.LookAt(path="palm", target_offset=Vector3(0, 0, 0))).edits
    assert isinstance(move, MoveObject)
    np.testing.assert_allclose(move.pose[:3, :3] @ (0, -1, 0), (-1, 0, 0), atol=1e-12)
    np.testing.assert_allclose(move.pose[:3, :3] @ (0, 0, 1), (0, 0, 1), atol=1e-12)
    with pytest.raises(InvalidValueError, match="pose is not known"):
        drawn_by(orrb_objects.LookAt(path="floor"))
    with pytest.raises(UnknownNameError, match="did you mean 'palm'"):
        drawn_by(orrb_objects.LookAt(path="plam"))


def test_translate_rotate_scale_of_an_object_and_of_a_body() -> None:
    moved = orrb_objects.TranslateRotateScale(
        path="palm", translate=Vector3(1, 2, 3), scale=Vector3(1, 2, 3)
    )
    (move,) = drawn_by(moved).edits
    assert isinstance(move, MoveObject)
    np.testing.assert_allclose(move.pose[:3, 3], (-1, -3, 2))
    assert list(move.scale) == [1, 3, 2]
    half = math.sqrt(0.5)
    turned = orrb_objects.TranslateRotateScale(
        path="hand", rotate=Quaternion(0, half, 0, half), scale=Vector3(2, 2, 2)
    )
    moves = {m.name: m for m in drawn_by(turned).edits if isinstance(m, MoveObject)}
    assert set(moves) == {"palm", "finger", "touch1"}
    places = {name: scene().poses[name] @ move.pose for name, move in moves.items()}
    np.testing.assert_allclose(places["palm"][:3, 3], (1, 0, 0), atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(places["finger"][:3, 3] - (1, 0, 0)), 2, atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(places["finger"]), 1)


def test_hide_takes_bodies_with_all_below_geoms_and_sites() -> None:
    hidden = [
        drawn_by(component).edits[0]
        for component in (
            orrb_objects.Hide(body_prefix="hand"),
            orrb_objects.Hide(geom_prefix="cube,fl"),
            orrb_objects.Hide(site_prefix="touch"),
        )
    ]
    found = [edit.objects for edit in hidden if isinstance(edit, Hide)]
    assert found == [("palm", "finger", "touch1"), ("cube:a", "floor"), ("touch1",)]
    assert not drawn_by(orrb_objects.Hide()).edits
    with pytest.warns(UserWarning, match="no site starts with 'palm'; there are touch"):
        drawn_by(orrb_objects.Hide(site_prefix="palm"))


def test_joints_with_a_range_and_balls_are_drawn_others_stay() -> None:
    states = [drawn_by(orrb_objects.JointRandomizer(), index=i).state["qpos"] for i in range(100)]
    rows = np.array(states)
    assert rows[:, 0].min() < -0.9
    assert rows[:, 0].max() <= 2
    assert (rows[:, 1] == 7).all()
    np.testing.assert_allclose(np.linalg.norm(rows[:, 2:], axis=1), 1)
    with pytest.raises(InvalidValueError, match="names no joints"):
        drawn_by(orrb_objects.JointRandomizer(), known=scene(joints=()))


def test_lighting_rig_stands_on_a_ring_and_aims_at_the_target() -> None:
    target = Vector3(-1.05, 0, -1)
    drawn = drawn_by(orrb_lights.LightingRig(target=target, light_head_count=8))
    lights = [edit for edit in drawn.edits if isinstance(edit, EditLight)]
    assert [edit.name for edit in lights[:2]] == ["sun", "head"]
    assert lights[0].active is False
    assert lights[1].active is None
    assert list(lights[1].diffuse or ()) == [0, 0, 0]
    assert len(lights) == 10
    for edit in lights[2:]:
        offset = np.array(edit.position) - vector(target)
        assert 1 <= np.hypot(*offset[:2]) <= 1.5
        assert 0.5 <= offset[2] <= 1.5
        np.testing.assert_allclose(edit.direction or (), -offset / np.linalg.norm(offset))
        assert edit.casts_shadow
        assert edit.exponent == 0
        assert edit.softness == pytest.approx(1 / 3)


def test_light_intensities_add_up() -> None:
    chain = (orrb_lights.LightingRig(), orrb_lights.LightRandomizer())
    for index in range(20):
        drawn = drawn_by(*chain, index=index)
        values = drawn.facts["LightRandomizer"]
        assert 1 <= values["scene_intensity"] <= 15
        assert sum(values["intensity"]) == pytest.approx(values["scene_intensity"])
        assert max(values["intensity"]) / min(values["intensity"]) <= 3
        lights = [e for e in drawn.edits if isinstance(e, EditLight)][-6:]
        sums = sum(edit.diffuse[0] for edit in lights if edit.diffuse)
        assert sums == pytest.approx(values["scene_intensity"] * EXPOSURE)
        for edit in lights:
            assert edit.cutoff is not None
            assert 27 <= math.degrees(edit.cutoff) * 2 <= 33


def test_random_hues_of_lights_are_pale() -> None:
    drawn = drawn_by(orrb_lights.LightingRig(), orrb_lights.LightRandomizer(randomize_hue=True))
    colours = rgb_to_hsv(drawn.facts["LightRandomizer"]["colour"])
    assert colours[:, 1].max() <= 0.3
    assert colours[:, 2].min() >= 0.9


def paints(drawn: Drawn) -> dict[str, EditMaterial]:
    edits = [edit for edit in drawn.edits if isinstance(edit, EditMaterials)]
    return {row.objects[0]: row for edit in edits for row in edit.rows()}


def test_materials_by_white_and_black_list() -> None:
    assert set(paints(drawn_by(orrb_materials.MaterialRandomizer()))) == set(NAMES) - {"cube:a"}
    only = orrb_materials.MaterialRandomizer(whitelist_prefix="robot0:")
    found = paints(drawn_by(only))
    assert set(found) == {"palm", "finger"}
    assert found["palm"].rgba != found["finger"].rgba
    for edit in found.values():
        assert edit.rgba is not None
        assert edit.rgba[3] is None
        assert edit.specular == 0.5
        assert edit.metallic is not None
        assert 0.05 <= edit.metallic <= 0.25
        assert edit.texture is not None
        assert edit.texture.size == 0


def test_materials_with_textures() -> None:
    found = paints(drawn_by(orrb_materials.MaterialRandomizer(randomize_textures=True)))
    for edit in found.values():
        assert edit.texture is not None
        assert edit.texture.shape == (128, 128, 3)
        assert all(0.4 <= r <= 4 for r in edit.repeat)
        assert all(0 <= o <= 1 for o in edit.offset)


def test_a_material_prefix_that_matches_nothing_names_those_there_are() -> None:
    with pytest.warns(UserWarning, match="no material starts with 'kube'; there are cube, robot"):
        drawn_by(orrb_materials.MaterialRandomizer(whitelist_prefix="kube"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn_by(orrb_materials.MaterialRandomizer(), known=scene(materials={}))


def test_fixed_hue_stays_near_the_colour_and_wraps() -> None:
    hues, values = [], []
    red = (*hsv_to_rgb(0.005, 0.9, 0.9), 1.0)
    for index in range(200):
        known = scene(colours={"cube:a": red})
        found = paints(
            drawn_by(orrb_materials.MaterialFixedHueRandomizer(), index=index, known=known)
        )
        assert set(found) == {"cube:a"}
        hue, saturation, value = rgb_to_hsv(found["cube:a"].rgba[:3])  # type: ignore[index]
        hues.append((hue - 0.005 + 0.5) % 1 - 0.5)
        assert 0.74 <= saturation <= 1
        values.append(value)
        assert found["cube:a"].emission is None
    assert max(np.abs(hues)) <= 0.02 + 1e-9
    assert min(hues) < -0.015
    assert 0.99 < max(values) <= 1
    assert 0.74 < min(values) < 0.76


def test_what_emits_does_so_with_its_probability() -> None:
    component = orrb_materials.MaterialFixedHueRandomizer(
        emission_radius=10.0, min_emission=0.2, max_emission=0.6, emission_probability=0.5
    )
    lamp = Material("cube:mat", emission=0.4)
    known = scene(lit_materials=(lamp,))
    glow = [paints(drawn_by(component, index=i, known=known))["cube:a"] for i in range(300)]
    lit = [each.emission for each in glow if each.emission]
    assert all(each.emission is not None for each in glow)
    assert 0.4 < len(lit) / len(glow) < 0.6
    assert 0.2 <= min(lit) <= max(lit) <= 0.6


def test_sites_count_as_wearers_of_a_material() -> None:
    leds = {"materials": {"led": ("touch1",), "cube:mat": ("cube:a",)}}
    lit = (Material("led", base_color=(0.1, 0.9, 0.1, 1.0), emission=0.5),)
    known = scene(**leds, lit_materials=lit)
    green = orrb_materials.MaterialFixedHueRandomizer(
        material_prefix="led", emission_radius=1, max_emission=1, emission_probability=1.1
    )
    (painted,) = paints(drawn_by(green, known=known)).values()
    assert painted.objects == ("touch1",)
    assert painted.emission
    assert np.argmax((painted.rgba or ())[:3]) == 1
    spared = paints(
        drawn_by(orrb_materials.MaterialRandomizer(blacklist_prefix="led"), known=known)
    )
    assert "touch1" not in spared
    assert "cube:a" in spared


def test_post_processing_orders_its_steps_and_their_units() -> None:
    (edit,) = drawn_by(orrb_post.PostProcessingRandomizer(enable_grain=True)).edits
    assert isinstance(edit, EditImage)
    steps = dict(edit.steps)
    order = "linear_light ambient_occlusion bloom light_contrast brightness white_balance hue"
    assert list(steps) == [*order.split(), "saturation", "filmic", "grain"]
    assert abs(steps["hue"]["degrees"]) <= 10
    assert abs(steps["saturation"]["amount"]) <= 0.2
    assert steps["white_balance"] == {"temperature": 0, "tint": 0}
    off = orrb_post.PostProcessingRandomizer(enable_color_grading=False, enable_bloom=False)
    (edit,) = drawn_by(off).edits
    assert isinstance(edit, EditImage)
    assert [name for name, _ in edit.steps] == ["linear_light", "ambient_occlusion", "display"]


def posed(**more: Any) -> OrrbFacts:
    """Facts that know where everything is."""
    corners = np.array(np.meshgrid(*[(-0.1, 0.1)] * 3)).reshape(3, -1).T
    known = scene(boxes=dict.fromkeys(("palm", "finger"), corners), **more)
    places = Posed(known.poses, known.cameras, {"cam": np.eye(3)})
    return replace(OrrbFacts.widened(known), posing=lambda _: places).at(
        known.state["qpos"], ("cam",)
    )


def test_tracker_says_where_objects_are() -> None:
    tracker = orrb_tracker.Tracker(
        camera_names="cam", tracked_object_names="palm", tracked_object_aliases="p"
    )
    middle = drawn_by(tracker, known=posed(poses={"palm": np.eye(4)})).facts["Tracker"]
    np.testing.assert_allclose(middle["tracker_p_X_cam"], (0.5, 0.5))
    left, right, low, high = middle["tracker_p_X_cam_bbox"]
    assert 0 < left < 0.5 < right < 1
    assert 0 < low < 0.5 < high < 1
    raised = drawn_by(tracker, known=posed(poses={"palm": pose(0, 0, 0.2)})).facts["Tracker"]
    assert raised["tracker_p_X_cam"][1] > 0.5
    with pytest.raises(UnknownNameError, match="did you mean 'cam'"):
        drawn_by(
            orrb_tracker.Tracker(camera_names="camm", tracked_object_names="palm"), known=posed()
        )
    with pytest.raises(UnknownNameError, match="did you mean 'palm'"):
        drawn_by(
            orrb_tracker.Tracker(camera_names="cam", tracked_object_names="plam"), known=posed()
        )
    with pytest.raises(InvalidValueError, match="one for each of a, b"):
        orrb_tracker.Tracker(tracked_object_names="a,b", tracked_object_aliases="c")
    assert drawn_by(tracker).facts["Tracker"] == {}  # who knows no places tells none


def test_boxes_are_along_the_worlds_axes() -> None:
    turned = np.eye(4)
    turned[:3, :3] = rotation(Quaternion(0, math.sin(math.pi / 8), 0, math.cos(math.pi / 8)))
    known = posed(poses={"palm": turned, "finger": pose(0.5, 0, 0)})
    reach = 0.1 * math.sqrt(2)
    box = known.bounds("palm")
    np.testing.assert_allclose(box.min(0), (-reach, -reach, -0.1), atol=1e-12)
    np.testing.assert_allclose(box.max(0), (reach, reach, 0.1), atol=1e-12)
    np.testing.assert_allclose(known.bounds("palm_mesh_0"), box)
    body = known.bounds("hand")  # palm and finger
    np.testing.assert_allclose(body.min(0), (-reach, -reach, -0.1), atol=1e-12)
    np.testing.assert_allclose(body.max(0), (0.6, reach, 0.1), atol=1e-12)


def test_trackers_follow_what_others_move_and_cameras_that_come_after() -> None:
    tracker = orrb_tracker.Tracker(camera_names="cam", tracked_object_names="palm")
    known = posed(poses={"palm": np.eye(4)})
    lift = orrb_objects.TranslateRotateScale(path="palm", translate=Vector3(0, 0.2, 0))
    raised = drawn_by(tracker, lift, known=known).facts["Tracker"]["tracker_palm_X_cam"]
    assert raised[1] > 0.5
    wide = orrb_cameras.CameraProperties(field_of_view=90)
    for chain in ((tracker, wide), (wide, tracker)):
        box = drawn_by(*chain, known=known).facts["Tracker"]["tracker_palm_X_cam_bbox"]
        plain = drawn_by(tracker, known=known).facts["Tracker"]["tracker_palm_X_cam_bbox"]
        assert (box[1] - box[0]) / (plain[1] - plain[0]) == pytest.approx(math.tan(0.4))


def test_a_geoms_name_wins_over_a_bodys() -> None:
    known = posed(bodies={"palm": ("palm", "finger")}, poses={"palm": np.eye(4)})
    np.testing.assert_allclose(known.bounds("palm").max(0), 0.1)
    (move,) = drawn_by(orrb_objects.TranslateRotateScale(path="palm"), known=known).edits
    assert isinstance(move, MoveObject)
    (same,) = drawn_by(orrb_objects.TranslateRotateScale(path="a/palm_mesh_0"), known=known).edits
    assert isinstance(same, MoveObject)
    assert same.name == move.name == "palm"


def test_a_config_is_read(tmp_path: Path) -> None:
    config = components(
        {
            "type": "LightingRig",
            "name": "rig",
            "config": {
                "intProperties": {"light_head_count": 3},
                "floatProperties": {"max_light_height": 2},
                "vector3Properties": {"target": {"x": -1.05, "z": -1}},
            },
        },
        {
            "type": "CameraRandomizer",
            "path": "scene/cam",
            "config": {"enumProperties": {"mode": "Both"}},
        },
        {"type": "Hide", "name": "rig"},
    )
    path = tmp_path / "renderer_config.json"
    path.write_text(json.dumps(config))
    read = load_randomization(path)
    assert read.names == ("rig", "CameraRandomizer", "rig2")
    rig, camera, _ = read.randomizers
    assert rig == orrb_lights.LightingRig(
        light_head_count=3, max_light_height=2.0, target=Vector3(-1.05, 0, -1)
    )
    assert camera == orrb_cameras.CameraRandomizer(
        path="scene/cam", mode=orrb_cameras.CameraMode.BOTH
    )


def test_an_update_keeps_what_is_absent() -> None:
    first = components(
        {
            "type": "LightRandomizer",
            "name": "l",
            "config": {"boolProperties": {"randomize_hue": True}},
        }
    )
    second = components(
        {
            "type": "LightRandomizer",
            "name": "l",
            "config": {"floatProperties": {"min_scene_intensity": 4}},
        }
    )
    updated = read_components(second, current=read_components(first))
    assert updated.randomizers == (
        orrb_lights.LightRandomizer(min_scene_intensity=4.0, randomize_hue=True),
    )


def one(kind: str, **groups: Any) -> dict[str, Any]:
    return components({"type": kind, "config": groups})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (components({"type": "LigthingRig"}), "did you mean 'LightingRig'"),
        (components({"type": "Hide", "cfg": {}}), "unknown key 'cfg'"),
        ({"component": []}, "did you mean 'components'"),
        (one("Hide", stringProps={}), "did you mean 'stringProperties'"),
        (
            one("LightingRig", floatProperties={"max_light_hight": 1}),
            r"components\[0\]: unknown parameter.*did you mean 'max_light_height'",
        ),
        (one("CameraRandomizer", enumProperties={"mode": "Jiter"}), "did you mean 'Jitter'"),
        (one("LookAt", vector3Properties={"target_offset": {"q": 1}}), "part of target_offset"),
    ],
)
def test_unknown_names_name_the_nearest(config: Any, message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        read_components(config)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"components": {}}, "list of components"),
        (components("x"), "expected an object"),  # type: ignore[arg-type]
        (one("LightingRig", floatProperties={"light_head_count": 3}), "expected in intProperties"),
        (one("LightingRig", intProperties={"light_head_count": 3.5}), "whole number"),
        (one("LightingRig", floatProperties={"max_light_height": "2"}), "expected a number"),
        (one("LightRandomizer", boolProperties={"randomize_hue": 1}), "expected true or false"),
        (one("LookAt", vector3Properties={"target_offset": 3}), "expected x, y, z"),
        (one("Hide", stringProperties=[]), "expected an object"),
    ],
)
def test_wrong_values_say_where(config: Any, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        read_components(config)
