"""Environments for reinforcement learning whose world is a Blender process; `heliograph[envs]`.

    trainer                                      Blender
    RemoteEnv, RemoteVectorEnv   -- Request -->  RemoteControlledAgent, BaseEnv
                                 <-- Reply ---

`protocol` says what the two ask and answer, and is all that the side inside Blender needs: it
imports no gymnasium. So the names below load on first access.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heliograph.envs.env import RemoteEnv
    from heliograph.envs.launch import launch_env, launch_envs
    from heliograph.envs.vector import RemoteVectorEnv

_HOMES = {
    "RemoteEnv": "env",
    "RemoteVectorEnv": "vector",
    "launch_env": "launch",
    "launch_envs": "launch",
}

__all__ = ["RemoteEnv", "RemoteVectorEnv", "launch_env", "launch_envs"]

if not TYPE_CHECKING:  # type checkers read the imports above

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
