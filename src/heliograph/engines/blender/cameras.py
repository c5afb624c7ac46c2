"""Cameras: those of Blender as values, and values as what Blender's scene is rendered from.

Blender's view plane, in pixels from the middle of the image, is scaled so that `sensor / lens`
(`ortho_scale` of an orthographic camera) lies across the side that the sensor fits, and moved by
`shift` of that side (`BKE_camera_params_compute_viewplane`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import bpy
import mathutils
import numpy as np
from numpy.typing import ArrayLike

from heliograph.camera import Camera, Projection
from heliograph.engines.blender.settings import settings
from heliograph.errors import InvalidValueError, SceneError
from heliograph.poses import Floats

NAME = ".heliograph camera"
"""Of the object and the camera that pictures are taken from; in no collection, so never seen."""

LEAST_SIDE = 4
"""The fewest pixels that a picture of Blender's has across."""

MAX_ASPECT = 200.0
"""Of Blender's pixels."""

NEAREST = 1e-6
"""The smallest `clip_start` of Blender, metres."""

_SENSOR = 36.0  # mm
_PROJECTIONS = {"PERSP": Projection.PERSPECTIVE, "ORTHO": Projection.ORTHOGRAPHIC}


def camera_of(
    scene: Any,
    camera: Any,
    size: tuple[int, int] | None = None,
    matrix: ArrayLike | None = None,
) -> Camera:
    """A camera of Blender's as a value.

    What a value does not hold (depth of field, motion blur, stereo) is left out.

    Args:
        scene: a `bpy.types.Scene`, for the size of pictures and the shape of their pixels.
        camera: an object that is a camera.
        size: width and height, pixels; without it the scene's resolution times its percentage.
        matrix: (4, 4), its pose; without it the object's `matrix_world`. Scale is left out.

    Raises:
        SceneError: no camera, a panoramic one, a mirrored or degenerate pose.
        InvalidValueError: no such size.
    """
    lens = camera.data
    if camera.type != "CAMERA" or lens.type not in _PROJECTIONS:
        kind = camera.type if camera.type != "CAMERA" else lens.type
        raise SceneError(
            f"camera {camera.name!r}: expected a perspective or orthographic camera, got {kind}; "
            "panoramic and custom lenses have no pinhole model"
        )
    render = scene.render
    width, height = _resolution(render) if size is None else size
    tall = render.pixel_aspect_y / render.pixel_aspect_x
    side = width if _fits_width(lens, width, height * tall) else height * tall
    sensor = lens.sensor_height if lens.sensor_fit == "VERTICAL" else lens.sensor_width
    across = lens.ortho_scale if lens.type == "ORTHO" else sensor / lens.lens
    pose = np.array(camera.matrix_world if matrix is None else matrix, np.float64)
    near = lens.clip_start
    return Camera(
        name=camera.name,
        world_from_camera=_rigid(pose, camera.name),
        width=width,
        height=height,
        fx=side / across,
        fy=side / (across * tall),
        cx=width / 2 - lens.shift_x * side,
        cy=height / 2 + lens.shift_y * side / tall,
        near=near,
        far=max(lens.clip_end, float(np.nextafter(near, np.inf))),
        projection=_PROJECTIONS[lens.type],
    )


@contextmanager
def camera_set(scene: Any, camera: Camera) -> Iterator[None]:
    """Have Blender render a scene from exactly this camera within.

    The whole picture, one eye, sharp at every distance and at one moment: border, stereo, depth of
    field and motion blur of the scene are off. All of it is as it was afterwards. A picture of less
    than `LEAST_SIDE` pixels is the upper left of the one that Blender then draws.

    Raises:
        InvalidValueError: pixels 200 times as high as wide or the other way round.
    """
    camera = camera.replace(
        width=max(camera.width, LEAST_SIDE), height=max(camera.height, LEAST_SIDE)
    )
    ours = _prepared(camera)
    wide, tall = _pixel_aspect(camera)
    with ExitStack() as stack:
        stack.enter_context(settings(scene, camera=ours))
        for marker in scene.timeline_markers:  # whoever touches their cameras sets the scene's
            stack.enter_context(settings(marker, camera=None))
        stack.enter_context(
            settings(
                scene.render,
                resolution_x=camera.width,
                resolution_y=camera.height,
                resolution_percentage=100,
                pixel_aspect_x=wide,
                pixel_aspect_y=tall,
                use_border=False,
                use_crop_to_border=False,
                use_multiview=False,
                use_motion_blur=False,
            )
        )
        yield


def _prepared(camera: Camera) -> Any:
    """The object of ours, made this camera."""
    ours = bpy.data.objects.get(NAME)
    if ours is None:
        ours = bpy.data.objects.new(NAME, bpy.data.cameras.new(NAME))
        ours.rotation_mode = "QUATERNION"
    lens, tall = ours.data, camera.fx / camera.fy
    across = camera.width / camera.fx
    if camera.projection is Projection.ORTHOGRAPHIC:
        lens.type, lens.ortho_scale = "ORTHO", across
    else:
        lens.type = "PERSP"
        lens.sensor_width = _SENSOR * max(1.0, across)  # Blender takes neither below 1 mm
        lens.lens = lens.sensor_width / across
    lens.sensor_fit = "HORIZONTAL"
    lens.shift_x = (camera.width / 2 - camera.cx) / camera.width
    lens.shift_y = (camera.cy - camera.height / 2) * tall / camera.width
    lens.clip_start, lens.clip_end = max(camera.near, NEAREST), camera.far
    ours.matrix_world = mathutils.Matrix(camera.world_from_camera.tolist())
    return ours


def _pixel_aspect(camera: Camera) -> tuple[float, float]:
    """Width and height of a pixel, the smaller one being 1, as Blender wants it."""
    least = min(camera.fx, camera.fy)
    wide, tall = camera.fy / least, camera.fx / least
    if max(wide, tall) > MAX_ASPECT:
        raise InvalidValueError(
            f"camera {camera.name!r}: expected fx and fy within {MAX_ASPECT:g} times each other, "
            f"as Blender's pixels are, got {camera.fx:g} and {camera.fy:g}"
        )
    return wide, tall


def _resolution(render: Any) -> tuple[int, int]:
    """Width and height in pixels as Blender rounds them."""
    sides = (render.resolution_x, render.resolution_y)
    width, height = (max(1, side * render.resolution_percentage // 100) for side in sides)
    return width, height


def _fits_width(lens: Any, width: float, height: float) -> bool:
    """Whether the sensor lies across the width of the image."""
    if lens.sensor_fit == "AUTO":
        return width >= height
    return bool(lens.sensor_fit == "HORIZONTAL")


def _rigid(pose: Floats, name: str) -> Floats:
    """A pose without scale and shear: it looks where the camera looks, and up is kept."""
    back, up = pose[:3, 2], pose[:3, 1]
    right = np.cross(up, back)
    sizes = np.linalg.norm(right), np.linalg.norm(back)
    if not min(sizes) > 0 or np.linalg.det(pose[:3, :3]) <= 0:
        raise SceneError(
            f"camera {name!r}: expected a pose that is neither flat nor mirrored, got scales "
            f"{np.linalg.norm(pose[:3, :3], axis=0).tolist()}; apply the scale of what it hangs on"
        )
    rigid = np.eye(4)
    rigid[:3, 0], rigid[:3, 2] = right / sizes[0], back / sizes[1]
    rigid[:3, 1] = np.cross(rigid[:3, 2], rigid[:3, 0])
    rigid[:3, 3] = pose[:3, 3]
    return rigid
