"""blendtorch's training side: starts Blenders, takes what they publish, steps what lives in them.

    from heliograph.compat.blendtorch import btt

is the line that changes; docs/blendtorch.md says what else differs. The names load on first access:
what speaks to Blender needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heliograph.compat.blendtorch.btt import colors, env
    from heliograph.compat.blendtorch.btt.dataset import (
        FileDataset,
        RemoteIterableDataset,
        SingleFileDataset,
    )
    from heliograph.compat.blendtorch.btt.duplex import DuplexChannel
    from heliograph.compat.blendtorch.btt.env import OpenAIRemoteEnv, RemoteEnv, launch_env
    from heliograph.compat.blendtorch.btt.file import FileReader, FileRecorder
    from heliograph.compat.blendtorch.btt.finder import discover_blender
    from heliograph.compat.blendtorch.btt.launch_info import LaunchInfo
    from heliograph.compat.blendtorch.btt.launcher import BlenderLauncher
    from heliograph.compat.blendtorch.btt.utils import get_primary_ip

_HOMES = {
    "BlenderLauncher": "launcher",
    "DuplexChannel": "duplex",
    "FileDataset": "dataset",
    "FileReader": "file",
    "FileRecorder": "file",
    "LaunchInfo": "launch_info",
    "OpenAIRemoteEnv": "env",
    "RemoteEnv": "env",
    "RemoteIterableDataset": "dataset",
    "SingleFileDataset": "dataset",
    "discover_blender": "finder",
    "get_primary_ip": "utils",
    "launch_env": "env",
}
_MODULES = {"apps", "colors", *_HOMES.values()}

__all__ = [
    "BlenderLauncher",
    "DuplexChannel",
    "FileDataset",
    "FileReader",
    "FileRecorder",
    "LaunchInfo",
    "OpenAIRemoteEnv",
    "RemoteEnv",
    "RemoteIterableDataset",
    "SingleFileDataset",
    "colors",
    "discover_blender",
    "env",
    "get_primary_ip",
    "launch_env",
]

if not TYPE_CHECKING:  # type checkers read the imports above

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return import_module(f"{__name__}.{name}")
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
