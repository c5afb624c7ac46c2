# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type, union-attr"
"""What tests of the component engine share: cameras, and pictures of a scene."""

from __future__ import annotations

import standard_shading as three
from heliograph.camera import Camera
from heliograph.engines.components import ComponentEngine
from heliograph.scene import HemisphereLight
from heliograph.view import View
from standard_shading import srgb_decode

ALL = ("rgb", "depth", "normals", "segmentation")
FRONT = Camera.look_at(
    eye=(0, -4, 0), target=(0, 0, 0), fov_y=0.8, width=160, height=120, name="front", far=100
)
TOP = Camera.look_at(
    eye=(0, 0, 4), target=(0, 0, 0), fov_y=0.8, width=160, height=120, name="top", far=100
)
UNLIT = {"materialType": "basic"}


def draw(source, camera=FRONT, passes=ALL, **view):
    engine = ComponentEngine(source)
    try:
        return engine.render(View((camera,), passes, **view))
    finally:
        engine.close()


def shown(source, camera=FRONT, **view):
    """The one frame of a scene."""
    return next(iter(draw(source, camera, **view)))


def points_of(frame):
    """World points (N, 3) of all that is seen, and the mask."""
    seen = frame.segmentation > 0
    points = frame.camera.unproject(frame.camera.pixel_centres(), frame.depth.astype(float))
    return points[seen], seen


def reference_light(light):
    """A light component as the reference has it."""
    props, strength = {name: light.get(name) for name in light.SPEC}, light.get("intensity")
    axis = light.local[:3, 2] if isinstance(light, HemisphereLight) else light.local[:3, 3]
    same = ("distance", "decay", "angle", "penumbra", "target")
    return three.Light(
        light.kind.removesuffix("light"),
        color=strength * srgb_decode(props["color"]),
        ground=strength * srgb_decode(props.get("groundColor", 0)),
        position=axis,
        **{name: props[name] for name in same if name in props},
    )
