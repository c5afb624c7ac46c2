"""Many environments, each in a Blender process of its own, that step at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heliograph.checks import MAX_INTEGER, check_integer
from heliograph.envs.env import RemoteEnv
from heliograph.errors import InvalidValueError
from heliograph.requires import Requires

with Requires("gymnasium"):
    from gymnasium import vector
    from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate

_VectorEnv: TypeAlias = vector.VectorEnv[Any, Any, NDArray[Any]]


class RemoteVectorEnv(_VectorEnv):
    """Environments of one kind that step side by side.

    An environment whose episode is over starts the next one with the step after, whose action it
    does not see: `metadata["autoreset_mode"]` is `AutoresetMode.NEXT_STEP`.

    Args:
        envs: connected environments with the same spaces; closed with this one.

    Raises:
        InvalidValueError: no environment, or environments with different spaces.
    """

    def __init__(self, envs: Sequence[RemoteEnv]) -> None:
        self.envs = list(envs)
        check_integer("envs", len(self.envs), least=1)
        first = self.envs[0]
        for number, env in enumerate(self.envs):
            _check_alike(first, env, number)
        self.num_envs = len(self.envs)
        self.metadata = {**first.metadata, "autoreset_mode": vector.AutoresetMode.NEXT_STEP}
        self.render_mode = first.render_mode
        self.single_observation_space = first.observation_space
        self.single_action_space = first.action_space
        self.observation_space = batch_space(first.observation_space, self.num_envs)
        self.action_space = batch_space(first.action_space, self.num_envs)
        self._over = np.zeros(self.num_envs, bool)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Starts an episode in every environment.

        Args:
            seed: one for each, or the first one's: the others get those that follow it.
            options: of every environment.

        Returns:
            The first observations, batched, and the information.
        """
        for env, each in zip(self.envs, self._seeds(seed), strict=True):
            env.reset_async(seed=each, options=options)
        self._over[:] = False
        infos: dict[str, Any] = {}
        observations = []
        for number, env in enumerate(self.envs):
            observation, info = env.reset_wait()
            observations.append(observation)
            infos = self._add_info(infos, info, number)
        return self._batched(observations), infos

    def step(
        self, actions: Any
    ) -> tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Steps every environment; those whose episode was over start the next one.

        Args:
            actions: one for each, batched as `action_space` has them.

        Returns:
            Observations, rewards, terminations and truncations, batched, and the information.
        """
        resets = self._over
        for env, reset, action in zip(
            self.envs, resets, iterate(self.action_space, actions), strict=True
        ):
            if reset:
                env.reset_async()
            else:
                env.step_async(action)
        infos: dict[str, Any] = {}
        observations, rewards, flags = [], [], []
        for number, (env, reset) in enumerate(zip(self.envs, resets, strict=True)):
            observation, reward, *ends, info = _begun(env) if reset else env.step_wait()
            observations.append(observation)
            rewards.append(reward)
            flags.append(ends)
            infos = self._add_info(infos, info, number)
        terminated, truncated = np.array(flags, bool).T.copy()
        self._over = terminated | truncated
        return self._batched(observations), np.array(rewards), terminated, truncated, infos

    def render(self) -> tuple[Any, ...]:
        """A picture of each environment, (H, W, 3) uint8, None without a render mode."""
        return tuple(env.render() for env in self.envs)

    def close_extras(self, **kwargs: Any) -> None:
        """Closes the environments; called by `close`."""
        for env in self.envs:
            env.close()

    def _seeds(self, seed: int | Sequence[int | None] | None) -> Sequence[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, int):
            first = check_integer("seed", seed, 0, MAX_INTEGER - self.num_envs + 1)
            return range(first, first + self.num_envs)
        if len(seed) != self.num_envs:
            raise InvalidValueError(
                f"seed: one for each of {self.num_envs} environments, not {len(seed)}"
            )
        return [None if each is None else check_integer("seed", each) for each in seed]

    def _batched(self, observations: Sequence[Any]) -> Any:
        space = self.single_observation_space
        batch: Any = create_empty_array(space, self.num_envs)
        return concatenate(space, observations, batch)


def _begun(env: RemoteEnv) -> tuple[Any, float, bool, bool, dict[str, Any]]:
    """The first observation of an episode as a step that rewards nothing."""
    observation, info = env.reset_wait()
    return observation, 0.0, False, False, info


def _check_alike(first: RemoteEnv, env: RemoteEnv, number: int) -> None:
    if (env.observation_space, env.action_space) != (first.observation_space, first.action_space):
        raise InvalidValueError(
            f"envs: all must have the same spaces, but number {number} has "
            f"{env.observation_space} and {env.action_space}, "
            f"not {first.observation_space} and {first.action_space}"
        )
