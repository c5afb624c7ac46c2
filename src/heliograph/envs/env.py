"""A Gymnasium environment whose world is a Blender process."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heliograph.checks import check_integer
from heliograph.envs.link import Link
from heliograph.envs.protocol import (
    Describe,
    Described,
    Render,
    Rendered,
    Reset,
    Step,
    Stepped,
    WasReset,
)
from heliograph.envs.spaces import Space, fitted, plain, space_of
from heliograph.errors import ClosedError, UnknownNameError
from heliograph.publish.duplex import Duplex
from heliograph.publish.info import Addresses
from heliograph.requires import Requires

with Requires("gymnasium"):
    import gymnasium

_Env: TypeAlias = gymnasium.Env[Any, Any]


class RemoteEnv(_Env):
    """An environment that lives in a Blender process, reset and stepped from here.

    Args:
        address: of the process; or those of a launcher's socket, `info.addresses["GYM"]`: then it
            is told at once when the process has died.
        instance: which of the launcher's processes.
        render_mode: "rgb_array" or None; `gymnasium.wrappers.HumanRendering` shows the pictures.
        timeout: seconds that an answer may take; the first includes loading the scene.
        observation_space: where the environment does not say; likewise `action_space`.

    Raises:
        InvalidValueError: the environment does not say its spaces and none are given.
        UnknownNameError: no such render mode.
        WorkerError: the process died, or did not answer in time.
    """

    def __init__(
        self,
        address: str | Addresses,
        *,
        instance: int = 0,
        render_mode: str | None = None,
        timeout: float = 60.0,
        observation_space: Space | None = None,
        action_space: Space | None = None,
    ) -> None:
        channel = Duplex(address, bind=False, instance=instance, timeout=timeout)
        self._link: Link | None = Link(channel, channel.address, timeout)
        try:
            said = self._link.request(Describe(), Described)
            self.observation_space = space_of(
                observation_space, said.observation_space, "observation"
            )
            self.action_space = space_of(action_space, said.action_space, "action")
            if render_mode is not None and render_mode not in said.render_modes:
                raise UnknownNameError.of("render mode", render_mode, said.render_modes)
        except BaseException:
            self._link.close()
            raise
        self.metadata = {"render_modes": list(said.render_modes), "render_fps": said.render_fps}
        self.render_mode = render_mode

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Starts an episode.

        Args:
            seed: of the environment's generator; the same seed starts the same episode.
            options: whatever the environment understands.

        Returns:
            The first observation and a dict of information.

        Raises:
            InvalidValueError: a seed of more than 64 bits, or below 0.
            EngineError: the environment's code raised; carries its traceback.
            WorkerError: the process died, or did not answer in time.
        """
        self.reset_async(seed=seed, options=options)
        return self.reset_wait()

    def reset_async(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> None:
        """Asks for an episode, so that several environments start theirs at once."""
        seed = None if seed is None else check_integer("seed", seed)
        super().reset(seed=seed)
        self._open().ask(Reset(seed, options))

    def reset_wait(self) -> tuple[Any, dict[str, Any]]:
        """What `reset` returns, after `reset_async`."""
        began = self._open().answer(WasReset)
        return fitted(self.observation_space, began.obs), began.info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Applies an action and lets one frame pass; errors as those of `reset`.

        Returns:
            The observation, the reward, whether the episode has come to its end (`terminated`) or
            was cut off (`truncated`), and a dict of information.
        """
        self.step_async(action)
        return self.step_wait()

    def step_async(self, action: Any) -> None:
        """Sends an action, so that several environments step at once."""
        self._open().ask(Step(plain(action)))

    def step_wait(self) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """What `step` returns, after `step_async`."""
        done = self._open().answer(Stepped)
        flags = bool(done.terminated), bool(done.truncated)
        return (fitted(self.observation_space, done.obs), float(done.reward), *flags, done.info)

    def render(self) -> NDArray[np.uint8] | None:
        """A picture of the world as it stands: (H, W, 3) uint8, None without a render mode."""
        if self.render_mode is None:
            return None
        return self._open().request(Render(self.render_mode), Rendered).rgb

    def close(self) -> None:
        """Tells the process to leave and closes the socket; again does nothing."""
        if self._link is not None:
            self._link.part()
            self._link = None

    def _open(self) -> Link:
        if self._link is None:
            raise ClosedError("this environment is closed")
        return self._link
