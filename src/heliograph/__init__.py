"""Heliograph: pictures from virtual cameras, delivered to Python programs as arrays.

Nothing heavy is imported until it is used; the names below load on first access.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heliograph.camera import Camera, Projection
    from heliograph.delivery.call import LocalRenderer, open  # noqa: A004
    from heliograph.errors import (
        ClosedError,
        ContextError,
        EngineError,
        HeliographError,
        InvalidValueError,
        MissingDependencyError,
        SceneError,
        UnknownNameError,
    )
    from heliograph.frame import Frame, Label, Sample
    from heliograph.raster import RasterOptions
    from heliograph.view import View

__version__ = "0.1.0"

_HOMES = {
    "Camera": "camera",
    "ClosedError": "errors",
    "ContextError": "errors",
    "EngineError": "errors",
    "Frame": "frame",
    "HeliographError": "errors",
    "InvalidValueError": "errors",
    "Label": "frame",
    "LocalRenderer": "delivery.call",
    "MissingDependencyError": "errors",
    "Projection": "camera",
    "RasterOptions": "raster",
    "Sample": "frame",
    "SceneError": "errors",
    "UnknownNameError": "errors",
    "View": "view",
    "open": "delivery.call",
}

__all__ = [
    "Camera",
    "ClosedError",
    "ContextError",
    "EngineError",
    "Frame",
    "HeliographError",
    "InvalidValueError",
    "Label",
    "LocalRenderer",
    "MissingDependencyError",
    "Projection",
    "RasterOptions",
    "Sample",
    "SceneError",
    "UnknownNameError",
    "View",
    "__version__",
    "open",
]


def __getattr__(name: str) -> Any:
    value = getattr(import_module(f"heliograph.{_home(name)}"), name)
    globals()[name] = value
    return value


def _home(name: str) -> str:
    """The module that holds a name; whatever `heliograph.scene` exports is ours too."""
    if name in _HOMES:
        return _HOMES[name]
    if not name.startswith("_") and name in import_module("heliograph.scene").__all__:
        return "scene"
    raise AttributeError(f"module 'heliograph' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *import_module("heliograph.scene").__all__})
