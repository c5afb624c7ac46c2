"""Vuer's elements by their names there; each gives a component of ours.

Fields keep Vuer's names and units. Grids, frustums, markers and the like are shown to whoever
looks, and are in no picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from heliograph import poses, scene
from heliograph.compat.vuer.element import Element, Fields, flat
from heliograph.scene import Component

Box = Element(scene.Box, "Box")
Sphere = Element(scene.Sphere, "Sphere")
Plane = Element(scene.Plane, "Plane")
Cylinder = Element(scene.Cylinder, "Cylinder")
Cone = Element(scene.Cone, "Cone")
Capsule = Element(scene.Capsule, "Capsule")
Torus = Element(scene.Torus, "Torus")
Circle = Element(scene.Circle, "Circle")
Ring = Element(scene.Ring, "Ring")
Group = Element(scene.Group, "Group")
group = Group
Movable = Element(
    scene.Movable, "Movable", silent=("handle", "showFrame", "wireframe", "localRotation")
)
Pivot = Movable

TriMesh = Element(scene.Mesh, "TriMesh", renamed={"uv": "uvs"})
PointCloud = Element(scene.PointCloud, "PointCloud")


def _file_as_it_stands(fields: Fields) -> None:
    """Vuer shows a file's axes as they are, whatever the file says is up."""
    fields.setdefault("up", "z")


Glb = Element(scene.Mesh, "Glb", adapt=_file_as_it_stands)
Obj = Element(scene.Mesh, "Obj", silent=("mtl", "materials"), adapt=_file_as_it_stands)
Ply = Element(scene.Mesh, "Ply", silent=("encoding",), adapt=_file_as_it_stands)
Stl = Element(scene.Mesh, "Stl", adapt=_file_as_it_stands)
Urdf = Element(
    scene.Urdf,
    "Urdf",
    renamed={"jointValues": "joints"},
    silent=("workingPath", "parseVisual", "parseCollision"),
)
Splat = Element(scene.Splat, "Splat")
VuerSplat = SparkSplats = Splat

Image = Element(scene.ImagePlane, "Image", silent=("aspect", "format", "quality"))
ImageBackground = Element(
    scene.ImageBackground, "ImageBackground", silent=("distance", "scale", "quality", "format")
)
Frustum = Element(
    scene.Frustum,
    "Frustum",
    renamed={"colorFrustum": "color"},
    silent=(
        "focus",
        "focalLength",
        "upScale",
        "showUp",
        "showFrustum",
        "showFocalPlane",
        "showImagePlane",
        "colorOrigin",
        "colorCone",
        "colorFocalPlane",
        "colorUp",
        "colorTarget",
        "colorCross",
    ),
)
CoordsMarker = Element(scene.CoordsMarker, "CoordsMarker")
Arrow = Element(scene.Arrow, "Arrow")
Grid = Element(scene.Grid, "Grid")
OrbitControls = Element(
    scene.OrbitControls,
    "OrbitControls",
    silent=(
        "enableDamping",
        "makeDefault",
        "maxPolarAngle",
        "minPolarAngle",
        "panSpeed",
        "rotateSpeed",
        "screenSpacePanning",
        "stream",
        "zoomSpeed",
    ),
)
SceneCamera = Element(
    scene.SceneCamera, "SceneCamera", silent=("active", "makeDefault", "zoom", "cx", "cy")
)
PerspectiveCamera = SceneCamera

_text = Element(scene.Text, "Text")


def Text(*children: Any, **fields: Any) -> Component:  # noqa: N802 - an element's name
    """Vuer's Text, whose words are its child; gives a `Text`."""
    words = [child for child in children if isinstance(child, str)]
    return _text(
        *[child for child in children if not isinstance(child, str)],
        **({"text": " ".join(words)} if words else {}),
        **fields,
    )


# Lights.


def _aim_hemisphere(fields: Fields) -> None:
    """Vuer's sky is where the light stands, seen from the middle; ours is at its own +z."""
    up = np.asarray(fields.pop("position", (0.0, 1.0, 0.0)), float)
    if not up.any():
        up = np.array([0.0, 1.0, 0.0])
    turn = poses.look_at((0.0, 0.0, 0.0), -up, _across(up))[:3, :3]
    fields["quaternion"] = poses.to_quaternion(turn, order=poses.QuaternionOrder.XYZW)


def _aim_area(fields: Fields) -> None:
    """Vuer's shining rectangle faces `lookAt`."""
    if "lookAt" in fields:
        eye, target = fields.get("position", (0.0, 0.0, 0.0)), fields.pop("lookAt")
        way = np.subtract(target, eye)
        if way.any():
            turn = poses.look_at((0.0, 0.0, 0.0), way, _across(way))[:3, :3]
            fields["quaternion"] = poses.to_quaternion(turn, order=poses.QuaternionOrder.XYZW)


def _across(way: Sequence[float] | np.ndarray) -> tuple[float, float, float]:
    """An axis that is not along a way."""
    return (0.0, 0.0, 1.0) if abs(np.asarray(way)[2]) < 0.9 * np.linalg.norm(way) else (1.0, 0, 0)


AmbientLight = Element(scene.AmbientLight, "AmbientLight")
DirectionalLight = Element(scene.DirectionalLight, "DirectionalLight")
PointLight = Element(scene.PointLight, "PointLight", silent=("radius", "showSphere"))
SpotLight = Element(scene.SpotLight, "SpotLight")
HemisphereLight = Element(
    scene.HemisphereLight,
    "HemisphereLight",
    renamed={"skyColor": "color"},
    adapt=_aim_hemisphere,
)
RectAreaLight = Element(scene.RectAreaLight, "RectAreaLight", adapt=_aim_area)


def HemisphereLightStage(*, key: str | None = None, **_: Any) -> Component:  # noqa: N802
    """Vuer's light where nothing else is said: sky from +y over black ground, and a sun."""
    name = "light-stage" if key is None else key
    return scene.Group(
        HemisphereLight(key=f"{name}/sky", intensity=1.0, groundColor="black"),
        scene.DirectionalLight(key=f"{name}/sun", intensity=1.0, position=(4.0, 10.0, 1.0)),
        key=name,
    )


# Cameras.


def _camera(fields: Fields) -> None:
    """Vuer's options of a camera that have another name or form here."""
    if "renderDepth" in fields:
        fields["passes"] = ("rgb", "depth") if fields.pop("renderDepth") else ("rgb",)
    top, bottom = fields.pop("top", None), fields.pop("bottom", None)
    if top is not None or bottom is not None:
        fields["extent"] = (1.0 if top is None else top) - (-1.0 if bottom is None else bottom)
    if "width" in fields:
        fields["width"] = round(fields["width"])
    if "height" in fields:
        fields["height"] = round(fields["height"])
    fields.pop("scale", None)  # of what stands for the camera in Vuer's viewport


CameraView = Element(
    scene.CameraView,
    "CameraView",
    silent=(
        "aspect",
        "left",
        "right",
        "movableScale",
        "origin",
        "quality",
        "showCamera",
        "showCameraFrustum",
    ),
    adapt=_camera,
)


# Scenes.

_UP_OF_THREE = (0.0, 1.0, 0.0)
_OF_THE_VIEWPORT = ("camPosition", "camRotation", "frameloop", "show_helper")


def Scene(  # noqa: N802 - an element's name
    *children: Any,
    rawChildren: Sequence[Any] | Component | None = None,  # noqa: N803 - Vuer's names
    htmlChildren: object = None,  # noqa: N803
    bgChildren: Sequence[Any] | Component | None = None,  # noqa: N803
    up: Sequence[float] = _UP_OF_THREE,
    **fields: Any,
) -> scene.Scene:
    """Vuer's Scene: nothing is in it but what it is given.

    Args:
        *children: elements.
        rawChildren: elements; no different here.
        htmlChildren: left out, as no page of ours shows HTML of the program.
        bgChildren: elements; no different here.
        up: of the grid of `DefaultScene`; what is up for whoever looks is told to `Vuer`.
        **fields: `key`, `background`; tone mapping is the viewport's alone.
    """
    del htmlChildren, up
    given = {name: fields[name] for name in ("key", "background") if fields.get(name) is not None}
    below = flat((children, fields.get("children"), [rawChildren], [bgChildren]))
    return scene.Scene(*below, **given)


def DefaultScene(  # noqa: N802 - an element's name
    *children: Any,
    bgChildren: Sequence[Any] | Component | None = None,  # noqa: N803 - Vuer's names
    up: Sequence[float] = _UP_OF_THREE,
    grid: bool = True,
    **fields: Any,
) -> scene.Scene:
    """Vuer's DefaultScene: a scene with light, and with a grid for whoever looks."""
    turn = (0.0, 0.0, 0.0) if np.argmax(np.abs(up)) == 2 else (-math.pi / 2, 0.0, 0.0)
    behind = [
        scene.Grid(key="grid", rotation=turn) if grid else None,
        HemisphereLightStage(),
        scene.SceneCamera(key="SceneCamera", position=(0.0, 5.0, 10.0), lookAt=(0.0, 0.0, 0.0)),
        bgChildren,
    ]
    return Scene(*children, bgChildren=behind, up=up, **fields)
