"""Versions of the installed packages that decide pixels."""

from __future__ import annotations

from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

_DECIDING = (
    *("heliograph", "numpy", "scipy", "pillow"),
    *("trimesh", "meshoptimizer", "mujoco", "moderngl", "bpy"),
)


def versions() -> dict[str, str]:
    """Those that are installed for this interpreter, by the package's name."""
    named = {}
    for name in _DECIDING:
        with suppress(PackageNotFoundError):
            named[name] = version(name)
    return named
