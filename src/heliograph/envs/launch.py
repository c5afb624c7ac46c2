"""Blenders that are started for environments, and end with them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, TypeAlias, TypedDict, Unpack

from heliograph.engines.blender.install import environment, program_command
from heliograph.envs.protocol import SOCKET
from heliograph.publish.launcher import Command, Launcher

if TYPE_CHECKING:
    from heliograph.envs.env import RemoteEnv
    from heliograph.envs.spaces import Space
    from heliograph.envs.vector import RemoteVectorEnv

Path_: TypeAlias = str | os.PathLike[str]


class EnvOptions(TypedDict, total=False):
    """How environments are started and used.

    Attributes:
        arguments: what the script finds after those of the launcher.
        render_mode: "rgb_array", or None (without it).
        timeout: (60) seconds that an answer may take; the first includes loading the scene.
        observation_space, action_space: where the environment does not say them.
        blender: a `blender` program; without it an interpreter with `bpy`.
        trust: (False) whether scripts inside the .blend file may run.
        echo: (False) whether what Blender writes is also written to standard error.
    """

    arguments: Sequence[str]
    render_mode: str | None
    timeout: float
    observation_space: Space | None
    action_space: Space | None
    blender: Path_ | None
    trust: bool
    echo: bool


@contextmanager
def launch_env(
    scene: Path_ | None, script: Path_, **options: Unpack[EnvOptions]
) -> Iterator[RemoteEnv]:
    """An environment in a Blender of its own, which ends with the block.

    Args:
        scene: a .blend file; None for the scene that Blender starts with.
        script: makes the environment and runs it.
        **options: see `EnvOptions`.

    Raises:
        MissingDependencyError: there is no Blender; says how to get one.
        WorkerError: Blender has died; carries its last output.
    """
    with _launched(scene, script, 1, options) as (env,):
        yield env


@contextmanager
def launch_envs(
    scene: Path_ | None, script: Path_, count: int, **options: Unpack[EnvOptions]
) -> Iterator[RemoteVectorEnv]:
    """Environments side by side, each in a Blender of its own; see `launch_env`.

    Args:
        scene: a .blend file; None for the scene that Blender starts with.
        script: makes the environment and runs it.
        count: how many.
        **options: see `EnvOptions`.
    """
    from heliograph.envs.vector import RemoteVectorEnv

    with _launched(scene, script, count, options) as envs:
        yield RemoteVectorEnv(envs)


@contextmanager
def _launched(
    scene: Path_ | None, script: Path_, count: int, options: EnvOptions
) -> Iterator[list[RemoteEnv]]:
    from heliograph.envs.env import RemoteEnv

    command = blender_command(
        scene, script, blender=options.get("blender"), trust=options.get("trust", False)
    )
    arguments = [list(options.get("arguments", ()))] * count
    echo = options.get("echo", False)
    with (
        Launcher(command, count, sockets=[SOCKET], arguments=arguments, echo=echo) as launcher,
        ExitStack() as stack,
    ):
        envs = []
        for number in range(count):
            env = RemoteEnv(
                launcher.addresses[SOCKET],
                instance=number,
                render_mode=options.get("render_mode"),
                timeout=options.get("timeout", 60.0),
                observation_space=options.get("observation_space"),
                action_space=options.get("action_space"),
            )
            stack.callback(env.close)
            envs.append(env)
        yield envs


def blender_command(
    scene: Path_ | None, script: Path_, *, blender: Path_ | None = None, trust: bool = False
) -> Command:
    """The command of a launcher's instances: a script inside Blender.

    Args:
        scene: a .blend file; None for the scene that Blender starts with.
        script: what runs inside.
        blender: a `blender` program; without it an interpreter with `bpy`.
        trust: whether scripts inside the .blend file may run.

    Raises:
        MissingDependencyError: there is no Blender; says how to get one.
    """
    wanted = environment(blender)
    prefix = ["env"]
    for name in sorted(os.environ.keys() - wanted.keys()):
        prefix += ["-u", name]
    prefix += [f"{name}={value}" for name, value in wanted.items() if os.environ.get(name) != value]

    def command(instance: int, arguments: list[str]) -> list[str]:
        del instance
        return [*prefix, *program_command(scene, script, arguments, blender=blender, trust=trust)]

    return command
