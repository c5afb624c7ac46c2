"""Environments in real Blenders: the cart-pole example, by Gymnasium and by blendtorch's names."""

from __future__ import annotations

import os
import signal
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from numpy.typing import NDArray

from heliograph.compat.blendtorch import btt
from heliograph.envs import RemoteEnv, launch_env, launch_envs
from heliograph.errors import EngineError, InvalidValueError, WorkerError

SCRIPT = Path(__file__).parent.parent / "examples" / "blender" / "cartpole" / "cartpole.blend.py"

pytestmark = pytest.mark.blender

BROKEN = """
import numpy as np
from heliograph.compat.blendtorch import btb


class Broken(btb.BaseEnv):
    def _env_reset(self):
        self.options = self.reset_options

    def _env_prepare_step(self, action):
        self.moves = {"left": -1, "right": 1}[action]

    def _env_post_step(self):
        return {"obs": np.zeros(2), "reward": 0.0, "done": False}


args, words = btb.parse_blendtorch_args()
print("words", words)
env = Broken(btb.RemoteControlledAgent(args.btsockets["GYM"]))
env.run(frame_range=(1, 100), use_animation=True)
"""


def episode(env: Any, seed: int, steps: int = 12) -> NDArray[np.float32]:
    """The observations of an episode that pushes to and fro, the first included."""
    first, _ = env.reset(seed=seed)
    return np.array(
        [first, *(env.step(np.array([np.sin(each)], np.float32))[0] for each in range(steps))]
    )


def test_gymnasium_finds_nothing_wrong_and_seeds_repeat_in_another_blender() -> None:
    with launch_env(None, SCRIPT, render_mode="rgb_array") as env:
        with warnings.catch_warnings():
            # An environment made without `gymnasium.make` has no spec to make it again from.
            warnings.filterwarnings("ignore", message=".*able to test alternative render modes")
            check_env(env)
        first = [episode(env, seed) for seed in (3, 4, 3)]
        picture = env.render()
        assert picture is not None
        assert picture.shape == (120, 160, 3)
        assert picture.dtype == np.uint8
        assert np.ptp(picture) > 100
    np.testing.assert_array_equal(first[0], first[2])
    assert (first[0][0] != first[1][0]).any()
    assert np.ptp(first[0][:, 0]) > 0.01  # the cart has moved
    with launch_envs(None, SCRIPT, 2) as envs:
        start, _ = envs.reset(seed=3)
        pushes = np.sin(np.arange(12)).astype(np.float32)
        together = np.array([start, *(envs.step(np.full((2, 1), each))[0] for each in pushes)])
    np.testing.assert_array_equal(together[:, 0], first[0])
    np.testing.assert_array_equal(together[:, 1], first[1])


def test_a_pole_that_is_left_alone_falls_and_the_episode_ends() -> None:
    with launch_env(None, SCRIPT) as env:
        env.reset(seed=3)
        still = np.zeros(1, np.float32)
        rewards, over, cut = [], False, False
        while not (over or cut):
            observation, reward, over, cut, _ = env.step(still)
            rewards.append(reward)
        assert over
        assert 0.6 < abs(observation[2]) < 1
        assert rewards == [1.0] * (len(rewards) - 1) + [0.0]
        again, _ = env.reset(seed=3)
        assert abs(again[2]) < 0.2


def test_a_blender_that_dies_during_a_step_is_told_at_once() -> None:
    with btt.BlenderLauncher(None, SCRIPT, 1, ["GYM"]) as launcher:
        info = launcher.launch_info
        env = RemoteEnv(info.addresses["GYM"], timeout=60)
        env.reset(seed=1)
        pid = info.processes[0].pid
        os.kill(pid, signal.SIGSTOP)
        env.step_async(np.zeros(1, np.float32))
        os.kill(pid, signal.SIGKILL)
        begun = time.monotonic()
        with pytest.raises(WorkerError, match=rf"instance 0 of 1 \(pid {pid}\) was killed by SIGK"):
            env.step_wait()
        assert time.monotonic() - begun < 30  # not the timeout
        env.close()


def test_what_an_environment_raises_is_told_with_its_traceback(tmp_path: Path) -> None:
    script = tmp_path / "broken.blend.py"
    script.write_text(BROKEN)
    with (
        pytest.raises(InvalidValueError, match="does not say what its observations are"),
        launch_env(None, script),
    ):
        pass
    with btt.launch_env("", script, speed=2, fast=True, slow_motion=False) as env:
        observation, _ = env.reset(seed=1)
        np.testing.assert_array_equal(observation, [0, 0])
        assert env.step("left")[1:4] == (0.0, False, False)
        assert env.render() is None
        with pytest.raises(InvalidValueError, match="'rgb_array', got 'human'"):
            env.render("human")
        with pytest.raises(EngineError, match=r"(?s)Traceback.*broken\.blend\.py.*KeyError: 'up'"):
            env.step("up")


class CartPole(btt.OpenAIRemoteEnv):
    """As blendtorch's example has it."""

    def __init__(self) -> None:
        super().__init__(version="0.0.1")
        self.launch(scene="", script=SCRIPT, background=True)


def test_an_environment_that_launches_its_own_blender() -> None:
    env = CartPole()
    try:
        assert env.action_space.shape == (1,)
        observation, _ = env.reset(seed=3)
        assert env.observation_space.contains(observation)
        assert len(env.step(np.zeros(1, np.float32))) == 5
        picture = env.render()
        assert picture is not None
        assert picture.shape == (120, 160, 3)
        with pytest.raises(InvalidValueError, match="launched before"):
            env.launch("", SCRIPT)
    finally:
        env.close()
    with pytest.raises(InvalidValueError, match="call launch"):
        env.reset()
