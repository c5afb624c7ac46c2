"""Heliograph: pictures from virtual cameras, delivered to Python programs as arrays.

Nothing heavy is imported until it is used; the names below load on first access.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heliograph.camera import Camera, Projection
    from heliograph.delivery.call import LocalRenderer, open  # noqa: A004
    from heliograph.delivery.dataset import Dataset
    from heliograph.delivery.options import OpenOptions
    from heliograph.delivery.progressive import QueuedImage, RenderQueue
    from heliograph.delivery.samples import batches, samples
    from heliograph.engine import CancelToken
    from heliograph.errors import (
        ClosedError,
        ContextError,
        EngineError,
        HeliographError,
        InvalidValueError,
        MissingDependencyError,
        RecordError,
        SceneError,
        UnknownNameError,
        WorkerError,
    )
    from heliograph.frame import Frame, Label, Sample
    from heliograph.live.app import App
    from heliograph.live.session import Session
    from heliograph.live.trajectories import Trajectory
    from heliograph.live.viewer.viewer import Viewer, view
    from heliograph.pool import Pool
    from heliograph.raster import RasterOptions
    from heliograph.record import Recording
    from heliograph.scene import (
        Add,
        AmbientLight,
        Arrow,
        Box,
        CameraView,
        Capsule,
        Circle,
        Component,
        Cone,
        CoordsMarker,
        Cylinder,
        Description,
        DirectionalLight,
        Edit,
        EditBackground,
        EditImage,
        EditLight,
        EditMaterial,
        EditMaterials,
        Frustum,
        Grid,
        Group,
        HemisphereLight,
        Hide,
        ImageBackground,
        ImagePlane,
        Item,
        Mesh,
        Movable,
        MoveCamera,
        MoveObject,
        OrbitControls,
        Plane,
        PointCloud,
        PointLight,
        RectAreaLight,
        Remove,
        Ring,
        Scene,
        SceneCamera,
        Set,
        Sphere,
        Splat,
        SpotLight,
        Text,
        Torus,
        Update,
        Upsert,
        Urdf,
    )
    from heliograph.serve.remote import RemoteRenderer, connect
    from heliograph.view import View

__version__ = "0.1.0"

_NAMES = {
    "camera": (
        "Camera",
        "Projection",
    ),
    "engine": ("CancelToken",),
    "delivery.call": (
        "LocalRenderer",
        "open",
    ),
    "delivery.dataset": ("Dataset",),
    "delivery.progressive": ("QueuedImage", "RenderQueue"),
    "serve.remote": ("RemoteRenderer", "connect"),
    "delivery.options": ("OpenOptions",),
    "delivery.samples": (
        "batches",
        "samples",
    ),
    "errors": (
        "ClosedError",
        "ContextError",
        "EngineError",
        "HeliographError",
        "InvalidValueError",
        "MissingDependencyError",
        "RecordError",
        "SceneError",
        "UnknownNameError",
        "WorkerError",
    ),
    "frame": (
        "Frame",
        "Label",
        "Sample",
    ),
    "live.app": ("App",),
    "live.session": ("Session",),
    "live.trajectories": ("Trajectory",),
    "live.viewer.viewer": (
        "Viewer",
        "view",
    ),
    "pool": ("Pool",),
    "raster": ("RasterOptions",),
    "record": ("Recording",),
    "scene": (
        "Add",
        "AmbientLight",
        "Arrow",
        "Box",
        "CameraView",
        "Capsule",
        "Circle",
        "Component",
        "Cone",
        "CoordsMarker",
        "Cylinder",
        "Description",
        "DirectionalLight",
        "Edit",
        "EditBackground",
        "EditImage",
        "EditLight",
        "EditMaterial",
        "EditMaterials",
        "Frustum",
        "Grid",
        "Group",
        "HemisphereLight",
        "Hide",
        "ImageBackground",
        "ImagePlane",
        "Item",
        "Mesh",
        "Movable",
        "MoveCamera",
        "MoveObject",
        "OrbitControls",
        "Plane",
        "PointCloud",
        "PointLight",
        "RectAreaLight",
        "Remove",
        "Ring",
        "Scene",
        "SceneCamera",
        "Set",
        "Sphere",
        "Splat",
        "SpotLight",
        "Text",
        "Torus",
        "Update",
        "Upsert",
        "Urdf",
    ),
    "view": ("View",),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "Add",
    "AmbientLight",
    "App",
    "Arrow",
    "Box",
    "Camera",
    "CameraView",
    "CancelToken",
    "Capsule",
    "Circle",
    "ClosedError",
    "Component",
    "Cone",
    "ContextError",
    "CoordsMarker",
    "Cylinder",
    "Dataset",
    "Description",
    "DirectionalLight",
    "Edit",
    "EditBackground",
    "EditImage",
    "EditLight",
    "EditMaterial",
    "EditMaterials",
    "EngineError",
    "Frame",
    "Frustum",
    "Grid",
    "Group",
    "HeliographError",
    "HemisphereLight",
    "Hide",
    "ImageBackground",
    "ImagePlane",
    "InvalidValueError",
    "Item",
    "Label",
    "LocalRenderer",
    "Mesh",
    "MissingDependencyError",
    "Movable",
    "MoveCamera",
    "MoveObject",
    "OpenOptions",
    "OrbitControls",
    "Plane",
    "PointCloud",
    "PointLight",
    "Pool",
    "Projection",
    "QueuedImage",
    "RasterOptions",
    "RecordError",
    "Recording",
    "RectAreaLight",
    "RemoteRenderer",
    "Remove",
    "RenderQueue",
    "Ring",
    "Sample",
    "Scene",
    "SceneCamera",
    "SceneError",
    "Session",
    "Set",
    "Sphere",
    "Splat",
    "SpotLight",
    "Text",
    "Torus",
    "Trajectory",
    "UnknownNameError",
    "Update",
    "Upsert",
    "Urdf",
    "View",
    "Viewer",
    "WorkerError",
    "__version__",
    "batches",
    "connect",
    "open",
    "samples",
    "view",
]


if not TYPE_CHECKING:  # type checkers read the imports above

    class _Package(ModuleType):
        """The package; `view` is its function, although a module of it has the same name."""

        def __setattr__(self, name: str, value: Any) -> None:
            if not (name == "view" and isinstance(value, ModuleType)):
                super().__setattr__(name, value)

    sys.modules[__name__].__class__ = _Package

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'heliograph' has no attribute {name!r}")
        value = getattr(import_module(f"heliograph.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
