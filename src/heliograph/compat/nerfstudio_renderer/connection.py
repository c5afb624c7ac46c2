"""A queue on another machine, with the two calls of one in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from types import TracebackType
from typing import Any, Final, Protocol, Self, Unpack

import heliograph
from heliograph.checks import check_integer
from heliograph.compat.nerfstudio_renderer.cameras import PathLike
from heliograph.compat.nerfstudio_renderer.queue import Images, PoseOptions, PoseQueue
from heliograph.delivery.progressive import Level
from heliograph.errors import InvalidValueError
from heliograph.scene import Description

_COMPARED: Final = 2
"""Last parts of a path that name a run: its date and `config.yml`."""


class Served(Protocol):
    """What is needed of a renderer on another machine."""

    @property
    def scene(self) -> Description:
        """What it shows."""

    @property
    def opened(self) -> Mapping[str, Any]:
        """What decides its pictures besides the scene."""

    def queue(self, *, levels: Sequence[Level]) -> Images:
        """A queue of its pictures there."""

    def close(self) -> None:
        """End the connection."""


def connect(host: str = "localhost", port: int = 7007, token: str | None = None) -> Connection:
    """Connect to what `heliograph serve CONFIG --option frame=nerfstudio` serves.

    Args:
        host: where it runs.
        port: that it listens on.
        token: that it printed.

    Raises:
        HeliographError: nobody answers, or the token is wrong.
    """
    check_integer("port", port, 1, 65535)
    return Connection(heliograph.connect(f"ws://{host}:{port}", token))


class Connection:
    """A connection; what it can do is a fixed list of calls, no code of the caller runs there.

    Args:
        remote: the renderer at its other end; closed with it.
    """

    def __init__(self, remote: Served) -> None:
        self._remote = remote

    def NerfStudioRenderQueue(  # noqa: N802 -- as the programs have it
        self,
        model_config_path: PathLike | None = None,
        checkpoint_path: PathLike | None = None,
        device: Any = None,
        thread_count: int = 3,
        camera_config_path: PathLike | None = None,
        **options: Unpack[PoseOptions],
    ) -> PoseQueue:
        """A queue of pictures of the model that is served.

        Which model that is, and on which device, the server was told when it was started: no path
        of a client is opened there.

        Args:
            model_config_path: of the model that is expected; None for whatever is served.
            checkpoint_path: taken and not needed.
            device: taken and not needed.
            thread_count: taken and not needed.
            camera_config_path: JSON list of cameras, a file of this machine.
            **options: see `PoseOptions`.

        Raises:
            InvalidValueError: another model is served, or in another frame.
            HeliographError: an argument is wrong, or the connection is lost.
        """
        del checkpoint_path, device
        check_integer("thread_count", thread_count, 1)
        _check_model(self._remote, model_config_path)
        return PoseQueue(
            lambda levels: self._remote.queue(levels=levels), camera_config_path, **options
        )

    def close(self) -> None:
        """End the connection and its queues."""
        self._remote.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _check_model(remote: Served, config: PathLike | None) -> None:
    """Refuse pictures of another model, or poses in another frame, than the caller expects."""
    served, options = remote.scene.source, remote.opened.get("options", {})
    if config is not None and _end(config) != _end(served):
        raise InvalidValueError(
            f"model_config_path: {config}: this server shows {served}; start one for it, or leave "
            "the path out"
        )
    if remote.opened.get("engine") == "nerf" and options.get("frame") != "nerfstudio":
        raise InvalidValueError(
            "this server takes poses in the capture's frame, expected nerfstudio's; start it with "
            "--option frame=nerfstudio"
        )


def _end(path: PathLike) -> tuple[str, ...]:
    return PurePath(path).parts[-_COMPARED:]
