"""Heliograph: pictures from virtual cameras, delivered to Python programs as arrays.

Nothing heavy is imported until it is used; the names below load on first access.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heliograph.camera import Camera, Projection
    from heliograph.delivery.call import LocalRenderer, open  # noqa: A004
    from heliograph.delivery.dataset import Dataset
    from heliograph.delivery.samples import batches, samples
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
    from heliograph.record import Recording
    from heliograph.view import View

__version__ = "0.1.0"

_HOMES = {
    "Camera": "camera",
    "ClosedError": "errors",
    "ContextError": "errors",
    "Dataset": "delivery.dataset",
    "EngineError": "errors",
    "Frame": "frame",
    "HeliographError": "errors",
    "InvalidValueError": "errors",
    "Label": "frame",
    "LocalRenderer": "delivery.call",
    "MissingDependencyError": "errors",
    "Projection": "camera",
    "RasterOptions": "raster",
    "Recording": "record",
    "Sample": "frame",
    "SceneError": "errors",
    "UnknownNameError": "errors",
    "View": "view",
    "batches": "delivery.samples",
    "open": "delivery.call",
    "samples": "delivery.samples",
}

__all__ = [
    "Camera",
    "ClosedError",
    "ContextError",
    "Dataset",
    "EngineError",
    "Frame",
    "HeliographError",
    "InvalidValueError",
    "Label",
    "LocalRenderer",
    "MissingDependencyError",
    "Projection",
    "RasterOptions",
    "Recording",
    "Sample",
    "SceneError",
    "UnknownNameError",
    "View",
    "__version__",
    "batches",
    "open",
    "samples",
]


def __getattr__(name: str) -> Any:
    value = getattr(import_module(f"heliograph.{_home(name)}"), name)
    globals()[name] = value
    return value


def _home(name: str) -> str:
    """The module that holds a name; every class that `heliograph.scene` exports is ours too."""
    if name in _HOMES:
        return _HOMES[name]
    if name[:1].isupper() and name in import_module("heliograph.scene").__all__:
        return "scene"
    raise AttributeError(f"module 'heliograph' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *import_module("heliograph.scene").__all__})
