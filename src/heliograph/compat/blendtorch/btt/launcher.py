"""Starts Blenders with a script inside, by blendtorch's names."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import Self, TypeAlias

from heliograph.compat.blendtorch.btt.launch_info import LaunchInfo
from heliograph.envs.launch import blender_command
from heliograph.errors import InvalidValueError
from heliograph.publish.launcher import Launcher, LaunchOptions

Path_: TypeAlias = str | os.PathLike[str]

_NOTHING = "nothing is launched: use `with BlenderLauncher(...) as launcher:`"


class LaunchedProcess:
    """A Blender that was launched.

    Args:
        launcher: which watches it.
        number: of the instance.
    """

    def __init__(self, launcher: Launcher, number: int) -> None:
        self._launcher = launcher
        self._number = number

    @property
    def pid(self) -> int:
        """Its process id; 0 where it does not run (any more, or yet)."""
        return self._launcher.info.pids[self._number]

    def kill(self) -> None:
        """Kills it at once, with all its processes."""
        if self.pid:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)


class BlenderLauncher:
    """Blenders that run a script, from the beginning of a `with` block to its end.

    Each script is told its number, a seed of its own and its addresses (`parse_blendtorch_args`).
    They end with the block, and with this program, also when it is killed.

    Args:
        scene: a .blend file; None or "" for the scene that Blender starts with.
        script: runs inside.
        num_instances: how many Blenders.
        named_sockets: each instance gets an address for each.
        start_port: the first port that is tried; those in use are passed over. Without it ports
            are drawn, so that programs that start at once do not get in each other's way.
        bind_addr: "127.0.0.1" for consumers here, "primaryip" or an address of this machine for
            consumers elsewhere too, which then need the key in the launch info.
        instance_args: further words of each instance's command line.
        proto: "tcp", or "ipc" for sockets in a folder.
        blend_path: a `blender` program, or the folder it is in; without it an interpreter with
            `bpy`, which needs no display.
        seed: instance i is told seed + i; drawn without it.
        background: taken for blendtorch's sake: no display is needed.
        restarts: how often Blenders that die are started again, all together.
        echo: whether what they write is also written to standard error; the last of it is kept for
            errors anyway.

    Raises:
        InvalidValueError: an argument out of its range.
    """

    def __init__(  # noqa: PLR0913 -- blendtorch's arguments
        self,
        scene: Path_ | None,
        script: Path_,
        num_instances: int = 1,
        named_sockets: Sequence[str] | None = None,
        start_port: int | None = None,
        bind_addr: str = "127.0.0.1",
        instance_args: Sequence[Sequence[str]] | None = None,
        proto: str = "tcp",
        blend_path: Path_ | None = None,
        seed: int | None = None,
        background: bool = False,
        *,
        restarts: int = 0,
        echo: bool = False,
    ) -> None:
        del background
        if proto not in ("tcp", "ipc"):
            raise InvalidValueError(f"proto: expected 'tcp' or 'ipc', got {proto!r}")
        self._scene, self._script, self._blender = scene or None, script, blend_path
        self._count, self._sockets = num_instances, list(named_sockets or ())
        self._options: LaunchOptions = {
            "host": "ipc" if proto == "ipc" else bind_addr,
            "restarts": restarts,
            "echo": echo,
        }
        if instance_args is not None:
            self._options["arguments"] = [[*map(str, each)] for each in instance_args]
        if start_port is not None:
            self._options["start_port"] = start_port
        if seed is not None:
            self._options["seed"] = seed
        self._launcher: Launcher | None = None
        self._info: LaunchInfo | None = None

    def __enter__(self) -> Self:
        """Starts the Blenders.

        Raises:
            MissingDependencyError: there is no Blender; says how to get one.
        """
        command = blender_command(self._scene, self._script, blender=self._blender)
        launcher = Launcher(command, self._count, sockets=self._sockets, **self._options)
        processes = [LaunchedProcess(launcher, number) for number in range(self._count)]
        self._launcher = launcher
        self._info = LaunchInfo(launcher.addresses, launcher.info.commands, processes)
        return self

    def __exit__(self, *_: object) -> None:
        launcher, self._launcher, self._info = self._launcher, None, None
        if launcher is not None:
            launcher.close()

    @property
    def launch_info(self) -> LaunchInfo:
        """What was launched; only inside of the block."""
        if self._info is None:
            raise InvalidValueError(_NOTHING)
        return self._info

    def assert_alive(self) -> None:
        """Raises an error where a Blender has died.

        Raises:
            WorkerError: says which, how it ended and what it wrote last.
        """
        self._launched().check()

    def wait(self) -> None:
        """Waits until all scripts have come to their end.

        Raises:
            WorkerError: a Blender has died.
        """
        self._launched().wait()

    def _launched(self) -> Launcher:
        if self._launcher is None:
            raise InvalidValueError(_NOTHING)
        return self._launcher
