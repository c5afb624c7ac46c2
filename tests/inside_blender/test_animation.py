"""Animation: which function is called when, and physics that repeat."""

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest

from heliograph.engines.blender import animation
from heliograph.engines.blender.animation import AnimationController
from heliograph.errors import EngineError, InvalidValueError

SIGNALS = ["pre_play", "pre_animation", "pre_frame", "post_frame", "post_animation", "post_play"]


@pytest.fixture(autouse=True)
def factory():
    bpy.ops.wm.read_factory_settings()


@pytest.fixture
def anim():
    return AnimationController()


def recorded(anim):
    calls = []
    for name in SIGNALS:
        getattr(anim, name).add(lambda name=name: calls.append((name, anim.frameid)))
    return calls


def frame(number):
    return [("pre_frame", number), ("post_frame", number)]


def episode(*numbers):
    return [
        ("pre_animation", numbers[0]),
        *(call for number in numbers for call in frame(number)),
        ("post_animation", numbers[-1]),
    ]


def test_the_order_of_two_episodes(anim):
    bpy.context.scene.frame_set(7)
    calls = recorded(anim)
    anim.play((1, 3), num_episodes=2, use_animation=False)
    expected = [("pre_play", 7), *episode(1, 2, 3), *episode(1, 2, 3), ("post_play", 3)]
    assert calls == expected
    assert not anim.playing


def test_a_range_of_one_frame_and_the_scenes_own(anim):
    calls = recorded(anim)
    anim.play((5, 5), num_episodes=1, use_animation=False)
    assert calls == [("pre_play", 1), *episode(5), ("post_play", 5)]
    calls.clear()
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = 4, 6
    anim.play(num_episodes=1, use_animation=False)
    assert calls[1:-1] == episode(4, 5, 6)


def test_no_episode_is_a_play_too(anim):
    calls = recorded(anim)
    anim.play((1, 3), num_episodes=0, use_animation=False)
    assert [name for name, _ in calls] == ["pre_play", "post_play"]


def test_functions_are_called_in_order_with_their_arguments_until_removed(anim):
    calls: list[object] = []
    anim.pre_frame.add(calls.append, "a")
    handle = anim.pre_frame.add(lambda *args, **kw: calls.append((args, kw)), 1, key=2)
    anim.pre_frame.add(calls.append, "c")
    anim.play((1, 1), 1, use_animation=False)
    assert calls == ["a", ((1,), {"key": 2}), "c"]
    anim.pre_frame.remove(handle)
    calls.clear()
    anim.play((1, 1), 1, use_animation=False)
    assert calls == ["a", "c"]
    with pytest.raises(InvalidValueError, match="handle"):
        anim.pre_frame.remove(handle)
    with pytest.raises(InvalidValueError, match="function"):
        anim.pre_frame.add(None)


@pytest.mark.parametrize(
    ("signal", "until"),
    [
        ("pre_frame", [*frame(1), ("pre_frame", 2)]),
        ("post_frame", [*frame(1), *frame(2)]),
    ],
)
def test_a_rewound_episode_begins_anew(anim, signal, until):
    calls = recorded(anim)
    rewound: list[bool] = []

    def once():
        if anim.frameid == 2 and not rewound:
            rewound.append(True)
            anim.rewind()

    getattr(anim, signal).add(once)
    anim.play((1, 3), num_episodes=1, use_animation=False)
    assert calls[1:-1] == [("pre_animation", 1), *until, *episode(1, 2, 3)]


def test_rewinding_where_there_is_nothing_to_rewind_changes_nothing(anim):
    calls = recorded(anim)
    for name in ("pre_play", "pre_animation", "post_animation", "post_play"):
        getattr(anim, name).add(anim.rewind)
    anim.rewind()
    anim.play((1, 2), num_episodes=2, use_animation=False)
    assert calls[1:-1] == episode(1, 2) * 2


def test_a_play_that_is_stopped(anim):
    calls = recorded(anim)
    anim.pre_frame.add(lambda: anim.stop() if anim.frameid == 2 else None)
    anim.play((1, 3), use_animation=False)
    assert calls[1:] == [("pre_animation", 1), *frame(1), ("pre_frame", 2), ("post_play", 2)]


@pytest.mark.parametrize("signal", SIGNALS)
def test_what_a_function_raises_reaches_the_user_and_ends_the_play(anim, signal):
    nothing: dict[str, object] = {}
    handle = getattr(anim, signal).add(lambda: nothing["lost"])
    with pytest.raises(KeyError, match="lost"):
        anim.play((1, 2), num_episodes=1, use_animation=False)
    assert not anim.playing
    getattr(anim, signal).remove(handle)
    anim.play((1, 2), num_episodes=1, use_animation=False)


def test_with_nobody_to_play_later_it_is_played_now(anim):
    calls = recorded(anim)
    anim.play((1, 2), num_episodes=1)
    assert calls[-1] == ("post_play", 2)


def test_plays_that_wait_are_played_in_order(anim):
    other = AnimationController()
    calls = recorded(anim)
    others = recorded(other)
    anim.post_play.add(other.play, (8, 8), 1)
    with animation.plays_deferred() as deferred:
        anim.play((1, 2), num_episodes=1)
        assert calls == []
        assert anim.playing
        with pytest.raises(EngineError, match="plays already"):
            anim.play((1, 2))
        deferred.run()
    assert calls[-1] == ("post_play", 2)
    assert others[1:-1] == episode(8)


def test_in_a_blender_with_windows_its_timers_play(anim, monkeypatch):
    steps = []
    timers = SimpleNamespace(register=lambda step, persistent: steps.append(step))
    app = SimpleNamespace(background=False, timers=timers)
    monkeypatch.setattr(animation, "bpy", SimpleNamespace(app=app, context=bpy.context))
    calls = recorded(anim)
    anim.play((1, 2), num_episodes=1)
    (step,) = steps
    assert (calls, anim.playing) == ([], True)
    assert step() == step() == 0
    assert calls == [("pre_play", 1), *episode(1, 2)[:-1]]
    assert step() is None
    assert calls[-2:] == [("post_animation", 2), ("post_play", 2)]
    assert not anim.playing


def test_a_play_may_follow_another(anim):
    calls = recorded(anim)

    def again():
        if len(calls) < 10:
            anim.play((4, 4), 1, use_animation=False)

    anim.post_play.add(again)
    anim.play((1, 1), 1, use_animation=False)
    assert [frame for _, frame in calls if frame > 1] == [4] * 5


@pytest.mark.parametrize("frames", [(3, 1), (1.5, 2), ("a", "b")])
def test_frames_that_cannot_be_played(anim, frames):
    with pytest.raises(InvalidValueError, match="frame_range"):
        anim.play(frames)
    with pytest.raises(InvalidValueError, match="num_episodes"):
        anim.play((1, 2), num_episodes=-2)
    assert not anim.playing


def test_what_is_set_before_a_frame_is_there_in_it(anim):
    cube = bpy.data.objects["Cube"]
    seen = []
    anim.pre_frame.add(lambda: setattr(cube, "location", (anim.frameid, 0, 0)))
    anim.post_frame.add(lambda: seen.append(cube.matrix_world.translation.x))
    anim.play((2, 4), num_episodes=1, use_animation=False)
    assert seen == [2, 3, 4]


def test_keyed_motion_is_played(anim):
    cube = bpy.data.objects["Cube"]
    for number, x in ((0, 0), (10, 10)):
        cube.location.x = x
        cube.keyframe_insert("location", frame=number)
    action = cube.animation_data.action
    bag = action.layers[0].strips[0].channelbag(cube.animation_data.action_slot)
    for curve in bag.fcurves:
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"
    seen = []
    anim.post_frame.add(lambda: seen.append(cube.matrix_world.translation.x))
    anim.play((0, 10), num_episodes=1, use_animation=False)
    np.testing.assert_allclose(seen, range(11), atol=1e-6)


FALLING = """
import bpy, numpy as np
from heliograph.engines.blender.animation import AnimationController

def build(count=6):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.rigidbody.world_add()
    bodies = bpy.data.collections.new("bodies")
    bpy.context.scene.rigidbody_world.collection = bodies
    things = []
    for i in range(count + 1):
        bpy.ops.mesh.primitive_cube_add(size=20 if i == 0 else 1, location=(0, 0, -10))
        things.append(bpy.context.object)
        bodies.objects.link(things[-1])
        things[-1].rigid_body.type = "ACTIVE" if i else "PASSIVE"
    return things[1:]

def fall(cubes, seeds, last=25):
    anim = AnimationController()
    seeds = iter(seeds)
    poses = []
    def throw():
        rng = np.random.default_rng(next(seeds))
        for cube in cubes:
            cube.location = rng.uniform((-2, -2, 1), (2, 2, 5))
            cube.rotation_euler = rng.uniform(-3, 3, 3)
    anim.pre_animation.add(throw)
    anim.post_frame.add(lambda: poses.append([np.array(cube.matrix_world) for cube in cubes]))
    anim.play((0, last), num_episodes=3, use_animation=False)
    return np.array(poses).reshape(3, last + 1, len(cubes), 4, 4)
"""


def falling():
    names: dict[str, Any] = {}
    exec(FALLING, names)
    return names


def test_physics_repeat_bit_by_bit():
    names = falling()
    cubes = names["build"]()
    first, other, again = names["fall"](cubes, [1, 2, 1])
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1
    later = names["fall"](cubes, [2, 1, 3])
    np.testing.assert_array_equal(later[:2], [other, first])
    fresh = names["fall"](names["build"](), [1, 3, 2])
    np.testing.assert_array_equal(fresh[[0, 2]], [first, other])


def test_physics_repeat_in_another_process():
    script = (
        FALLING + "\nimport os, sys\nsys.stderr.buffer.write(fall(build(), [4, 5, 4]).tobytes())"
    )
    script += "\nsys.stderr.flush(); os._exit(0)"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    names = falling()
    here = names["fall"](names["build"](), [4, 5, 4])
    assert done.stderr == here.tobytes()


def test_a_rewound_simulation_begins_anew(anim):
    names = falling()
    (cube,) = names["build"](1)
    cube.location.z = 3
    heights = []
    anim.post_frame.add(lambda: heights.append(cube.matrix_world.translation.z))
    anim.post_frame.add(lambda: anim.rewind() if len(heights) == 8 else None)
    anim.play((1, 12), num_episodes=1, use_animation=False)
    assert heights[:8] == heights[8:16]
    assert (len(heights), heights[0]) == (20, 3)
    assert heights[-1] < 2


def test_cloth_repeats_too(anim):
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=4, y_subdivisions=4)
    cloth = bpy.context.object
    cloth.vertex_groups.new(name="held").add([0], 1, "ADD")
    cloth.modifiers.new("cloth", "CLOTH").settings.vertex_group_mass = "held"
    turns = iter([0.0, 1.0, 0.0])
    seen = []

    def see():
        mesh = cloth.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
        points = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.attributes["position"].data.foreach_get("vector", points)
        seen.append(points)

    anim.pre_animation.add(lambda: setattr(cloth, "rotation_euler", (next(turns), 0, 0)))
    anim.post_frame.add(see)
    anim.play((1, 6), num_episodes=3, use_animation=False)
    first, other, again = np.array(seen).reshape(3, 6, -1)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first[-1] - first[0]).max() > 0.05
    assert np.abs(first - other).max() > 0.01


def test_bodies_fall_as_the_law_says():
    names = falling()
    (cube,) = names["build"](1)
    heights = names["fall"]([cube], [7, 7, 7], last=10)[0, :, 0, 2, 3]
    speed, height, expected = 0.0, heights[0], []
    step = 1 / (24 * 10)  # frames a second, steps a frame
    for _ in range(11 * 10):
        expected.append(height)
        speed = speed * (1 - cube.rigid_body.linear_damping) ** step - 9.81 * step
        height += speed * step
    np.testing.assert_allclose(heights, expected[::10], atol=1e-4)


def test_a_baked_simulation_is_left_as_it_is(anim):
    names = falling()
    (cube,) = names["build"](1)
    cube.location.z = 4
    cache = bpy.context.scene.rigidbody_world.point_cache
    cache.frame_start, cache.frame_end = 1, 12
    with bpy.context.temp_override(point_cache=cache):
        bpy.ops.ptcache.bake(bake=True)
    assert cache.is_baked
    heights = []
    anim.post_frame.add(lambda: heights.append(cube.matrix_world.translation.z))
    anim.play((1, 12), num_episodes=1, use_animation=False)
    assert cache.is_baked
    assert heights[0] > heights[-1] + 0.5
