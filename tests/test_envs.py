"""Gymnasium's environments whose world is in another process: here a thread that counts."""

from __future__ import annotations

import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from heliograph.envs import RemoteEnv, RemoteVectorEnv, protocol
from heliograph.envs.protocol import Described, Rendered, Reset, Stepped, WasReset
from heliograph.errors import (
    ClosedError,
    EngineError,
    InvalidValueError,
    UnknownNameError,
    WorkerError,
)
from heliograph.publish.duplex import Duplex

SAYS = Described(
    protocol.box(-1, 100, (2,)), protocol.box(-1, 1, (1,)), ["rgb_array"], render_fps=25.0
)


class Counting:
    """A world of (noise, frame); the episode ends at a frame and an action of 0.5 raises."""

    def __init__(self, ends: int, says: Described) -> None:
        self.ends, self.says, self.frame = ends, says, 0
        self.rng = np.random.default_rng()

    def answer(self, request: protocol.Request) -> protocol.Reply:
        match request:
            case protocol.Describe():
                return self.says
            case Reset(seed, options):
                self.rng = self.rng if seed is None else np.random.default_rng(seed)
                self.frame = int((options or {}).get("begin", 0))
                return WasReset(self.observation(), {"frame": self.frame})
            case protocol.Step(action):
                self.frame += 1
                if action == 0.5:
                    raise ArithmeticError("the world has come apart")
                over = self.frame == self.ends
                return Stepped(self.observation(), 0.25, over, False, {"frame": self.frame})
            case protocol.Render():
                return Rendered(np.full((4, 6, 3), self.frame, np.uint8))
            case _:
                return protocol.Closed()

    def observation(self) -> list[float]:
        return [float(self.rng.random()), float(self.frame)]

    def serve(self, duplex: Duplex) -> None:
        reply: protocol.Reply | None = None
        with duplex:
            while not isinstance(reply, protocol.Closed) and (came := duplex.recv(30)):
                ticket, request = protocol.request_of(came)
                try:
                    reply = self.answer(request)
                except ArithmeticError:
                    reply = protocol.Failed(traceback.format_exc())
                duplex.send(**protocol.message_of(reply, ticket))


@contextmanager
def remote(ends: int = 1000, says: Described = SAYS, **keywords: Any) -> Iterator[RemoteEnv]:
    duplex = Duplex("tcp://127.0.0.1:0", bind=True)
    thread = threading.Thread(target=Counting(ends, says).serve, args=[duplex], daemon=True)
    thread.start()
    env = RemoteEnv(duplex.address, render_mode="rgb_array", timeout=20, **keywords)
    try:
        yield env
    finally:
        env.close()
        thread.join(20)
        assert not thread.is_alive()


@contextmanager
def many(count: int, ends: int) -> Iterator[RemoteVectorEnv]:
    with ExitStack() as stack:
        yield RemoteVectorEnv([stack.enter_context(remote(ends)) for _ in range(count)])


def test_gymnasium_finds_nothing_wrong() -> None:
    with remote() as env, warnings.catch_warnings():
        # An environment made without `gymnasium.make` has no spec to make it again from.
        warnings.filterwarnings("ignore", message=".*not able to test alternative render modes")
        check_env(env)
        assert env.metadata == {"render_modes": ["rgb_array"], "render_fps": 25.0}
        assert env.observation_space == spaces.Box(-1, 100, (2,))


def test_an_episode() -> None:
    with remote(ends=2) as env:
        first, info = env.reset(seed=4, options={"begin": 0})
        assert (first.dtype, info) == (np.float32, {"frame": 0})
        assert env.step(np.array([0], np.float32))[1:] == (0.25, False, False, {"frame": 1})
        assert env.step(np.array([0], np.float32))[1:] == (0.25, True, False, {"frame": 2})
        picture = env.render()
        assert picture is not None
        np.testing.assert_array_equal(picture, np.full((4, 6, 3), 2))
        np.testing.assert_array_equal(env.reset(seed=4)[0], first)


def test_what_the_world_raises_is_raised_here_and_it_goes_on() -> None:
    with remote() as env:
        env.reset(seed=1)
        with pytest.raises(EngineError, match=r"(?s)raised:.*Traceback.*has come apart"):
            env.step(np.array([0.5], np.float32))
        assert env.step(np.array([0], np.float32))[4] == {"frame": 2}


def test_wrong_use_is_refused() -> None:
    with remote() as env:
        env.close()
        env.close()
        with pytest.raises(ClosedError, match="closed"):
            env.reset()


@pytest.mark.parametrize("seed", [2**80, 2**63, -1, 1.5])
def test_a_seed_that_does_not_travel_is_named(seed: Any) -> None:
    with remote() as env:
        with pytest.raises(InvalidValueError, match="seed: expected an integer from 0"):
            env.reset(seed=seed)
        assert env.reset(seed=2**63 - 1)[1] is not None
    with many(2, 3) as envs:
        for each in ([1, seed], 2**63 - 1):
            with pytest.raises(InvalidValueError, match="seed: expected an integer from 0"):
                envs.reset(seed=each)
        envs.reset(seed=[1, None])


def test_a_world_that_says_nothing_is_told_in_time() -> None:
    with (
        Duplex("tcp://127.0.0.1:0", bind=True) as duplex,
        pytest.raises(WorkerError, match=r"has not answered for 0\.2 s"),
    ):
        RemoteEnv(duplex.address, timeout=0.2)


def test_a_render_mode_that_is_not_there() -> None:
    with remote() as env:
        assert env.render_mode == "rgb_array"
    with (
        pytest.raises(UnknownNameError, match="render mode 'rgb_array'"),
        remote(says=Described(SAYS.observation_space, SAYS.action_space)),
    ):
        pass


def test_spaces_that_are_given() -> None:
    box = spaces.Box(0, 1000, (2,), np.float64)
    with remote(says=Described(render_modes=["rgb_array"]), **given(box)) as env:
        assert env.reset(seed=1)[0] in box


def given(box: spaces.Box) -> dict[str, Any]:
    return {"observation_space": box, "action_space": spaces.Discrete(2)}


def test_environments_side_by_side() -> None:
    with many(3, ends=2) as envs:
        assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
        first, infos = envs.reset(seed=7)
        assert first.shape == (3, 2)
        assert first in envs.observation_space
        np.testing.assert_array_equal(infos["frame"], [0, 0, 0])
        alone = [np.random.default_rng(seed).random() for seed in (7, 8, 9)]
        np.testing.assert_array_equal(first[:, 0], np.array(alone, np.float32))
        actions = envs.action_space.sample() * 0
        frames = []
        for _ in range(5):
            observations, rewards, over, cut, _ = envs.step(actions)
            frames.append((observations[0, 1], rewards[0], over[0], cut[0]))
        assert frames == [
            (1, 0.25, False, False),
            (2, 0.25, True, False),
            (0, 0, False, False),
            (1, 0.25, False, False),
            (2, 0.25, True, False),
        ]
        pictures = envs.render()
        assert [None if each is None else each.shape for each in pictures] == [(4, 6, 3)] * 3


def test_vectors_of_nothing_or_of_different_spaces_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="envs: expected an integer from 1"):
        RemoteVectorEnv([])
    other = Described(protocol.box(0, 1, (2,)), SAYS.action_space, ["rgb_array"])
    with (
        remote() as first,
        remote(says=other) as second,
        pytest.raises(InvalidValueError, match="number 1 has"),
    ):
        RemoteVectorEnv([first, second])
    with many(2, 3) as envs, pytest.raises(InvalidValueError, match="seed: one for each of 2"):
        envs.reset(seed=[1, 2, 3])
