"""ORRB's Python interface: `import heliograph.compat.orrb as orrb` is the line that changes.

The names below load on first access: a worker that draws with ORRB's components needs no more than
these. See docs/orrb.md.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from heliograph import __version__

if TYPE_CHECKING:
    from heliograph.compat.orrb import utils
    from heliograph.compat.orrb.config import RemoteRendererConfig
    from heliograph.compat.orrb.message import RendererConfig
    from heliograph.compat.orrb.problems import RendererError
    from heliograph.compat.orrb.renderer import RemoteRenderer

_HOMES = {
    "RemoteRenderer": "renderer",
    "RemoteRendererConfig": "config",
    "RendererConfig": "message",
    "RendererError": "problems",
}

__all__ = [
    "RemoteRenderer",
    "RemoteRendererConfig",
    "RendererConfig",
    "RendererError",
    "__version__",
    "get_renderer_executable",
    "get_renderer_version",
    "utils",
]


def get_renderer_version() -> str:
    """What draws: this package's own version. No binaries are picked by it."""
    return __version__


def get_renderer_executable(version: str | None = None) -> str | None:
    """Where ORRB's binary would be: None, as there is none; workers draw."""
    del version
    return None


if not TYPE_CHECKING:  # type checkers read the imports above

    def __getattr__(name: str) -> Any:
        if name == "utils":
            return import_module(f"{__name__}.utils")
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
