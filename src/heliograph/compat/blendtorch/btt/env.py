"""Environments that live in Blender, by blendtorch's names, with Gymnasium's five values."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heliograph.compat.blendtorch.btt.duplex import seconds
from heliograph.compat.blendtorch.btt.launch_info import listed
from heliograph.compat.blendtorch.btt.launcher import BlenderLauncher
from heliograph.envs.link import Link
from heliograph.envs.protocol import (
    SOCKET,
    Describe,
    Described,
    Render,
    Rendered,
    Reset,
    Step,
    Stepped,
    WasReset,
)
from heliograph.envs.spaces import made_of, plain
from heliograph.errors import InvalidValueError
from heliograph.publish.duplex import Duplex
from heliograph.requires import Requires

with Requires("gymnasium"):
    import gymnasium

Path_: TypeAlias = str | os.PathLike[str]
_Env: TypeAlias = gymnasium.Env[Any, Any]


class RemoteEnv:
    """An environment in Blender that need not say its spaces; what it sends comes as it is.

    Args:
        address: of the environment, as the launcher says.
        timeoutms: milliseconds that an answer may take; the first includes loading the scene.
    """

    def __init__(self, address: str, timeoutms: int = 60000) -> None:
        timeout = seconds(timeoutms)
        self._link = Link(
            Duplex(listed(address), bind=False, timeout=timeout), address, timeout or 1e8
        )

    def describe(self) -> Described:
        """What the environment says of its spaces."""
        return self._link.request(Describe(), Described)

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Starts an episode: the first observation and a dict of information.

        Raises:
            EngineError: the environment's code raised; carries its traceback.
            WorkerError: that Blender has died, or did not answer in time.
        """
        began = self._link.request(Reset(seed, options), WasReset)
        return began.obs, began.info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Applies an action: observation, reward, terminated, truncated, information."""
        done = self._link.request(Step(plain(action)), Stepped)
        return done.obs, float(done.reward), bool(done.terminated), bool(done.truncated), done.info

    def render(self, mode: str = "rgb_array") -> NDArray[np.uint8] | None:
        """A picture, (H, W, 3) uint8, or None where the environment draws none."""
        if mode != "rgb_array":
            raise InvalidValueError(
                f"mode: expected 'rgb_array', got {mode!r}; gymnasium.wrappers.HumanRendering "
                "shows the pictures of an environment in a window"
            )
        return self._link.request(Render(mode), Rendered).rgb

    def close(self) -> None:
        """Tells Blender to leave and closes the connection."""
        self._link.part()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def launch_env(
    scene: Path_ | None, script: Path_, background: bool = False, **kwargs: Any
) -> Iterator[RemoteEnv]:
    """A Blender with an environment, which ends with the block.

    Args:
        scene: a .blend file; None or "" for the scene that Blender starts with.
        script: makes the environment and runs it.
        background: taken for blendtorch's sake: no display is needed.
        **kwargs: told to the script: `render_every=3` as `--render-every 3`, `fast=True` as
            `--fast`, `fast=False` as `--no-fast`.
    """
    with BlenderLauncher(
        scene,
        script,
        named_sockets=[SOCKET],
        instance_args=[_words(kwargs)],
        background=background,
    ) as launcher:
        env = RemoteEnv(launcher.launch_info.addresses[SOCKET][0])
        try:
            yield env
        finally:
            env.close()


def _words(options: dict[str, Any]) -> list[str]:
    """Options as a command line has them."""
    words: list[str] = []
    for name, value in options.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", str(value)]
    return words


class OpenAIRemoteEnv(_Env):
    """Base of environments that launch their own Blender; subclasses call `launch` and set spaces.

    Spaces that the environment in Blender describes are there after `launch`.

    Args:
        version: kept for programs that show it.
    """

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012 -- Gymnasium's own name and type

    def __init__(self, version: str = "0.0.1") -> None:
        self.version = version
        self.render_mode = "rgb_array"
        self._stack = ExitStack()
        self._env: RemoteEnv | None = None

    def launch(
        self, scene: Path_ | None, script: Path_, background: bool = False, **kwargs: Any
    ) -> None:
        """Starts the Blender; see `launch_env`.

        Raises:
            InvalidValueError: it was launched before.
        """
        if self._env is not None:
            raise InvalidValueError("this environment was launched before: close it first")
        started = launch_env(scene, script, background, **kwargs)
        env = self._stack.enter_context(started)
        said = env.describe()
        if said.observation_space is not None:
            self.observation_space = made_of(said.observation_space)
        if said.action_space is not None:
            self.action_space = made_of(said.action_space)
        self._env = env

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Starts an episode; see `RemoteEnv.reset`."""
        super().reset(seed=seed)
        return self._launched().reset(seed, options)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Applies an action; see `RemoteEnv.step`."""
        return self._launched().step(action)

    def render(self, mode: str = "rgb_array") -> NDArray[np.uint8] | None:
        """A picture; see `RemoteEnv.render`."""
        return self._launched().render(mode)

    def close(self) -> None:
        """Ends the Blender; again does nothing."""
        self._env = None
        self._stack.close()

    def _launched(self) -> RemoteEnv:
        if self._env is None:
            raise InvalidValueError("call launch(scene, script) first")
        return self._env
