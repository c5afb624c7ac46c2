"""Versions of the installed packages that decide pixels."""

from __future__ import annotations

from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from heliograph import __version__

_DECIDING = (
    *("numpy", "scipy", "pillow"),
    *("trimesh", "meshoptimizer", "mujoco", "moderngl", "bpy"),
)


def versions() -> dict[str, str]:
    """Those that are installed for this interpreter, by the package's name."""
    named = {"heliograph": __version__}  # Blender's environment only refers to it
    for name in _DECIDING:
        with suppress(PackageNotFoundError):
            named[name] = version(name)
    return named
