"""Cameras of Blender, and where things are in their pictures."""

from __future__ import annotations

from typing import Any, TypeAlias

import bpy
import mathutils
import numpy as np
from numpy.typing import ArrayLike

from heliograph.compat.blendtorch.btb import utils
from heliograph.compat.blendtorch.btb.utils import Floats
from heliograph.engines.blender.offscreen import Origin, check_choice
from heliograph.errors import SceneError

Points: TypeAlias = Any
"""(N, 2) or (N, 3) float64; where `return_depth` is asked for a pair of it and (N,) depths."""


class Camera:
    """A camera of Blender with its matrices as of when it was made or they were updated.

    Args:
        bpy_camera: an object that is a camera; the scene's own without it.
        shape: rows and columns of its pictures; the scene's resolution without it.

    Attributes:
        bpy_camera: as given.
        shape: as given.
        view_matrix: camera_from_world, a `mathutils.Matrix`.
        proj_matrix: clip_from_camera as of OpenGL, a `mathutils.Matrix`.

    Raises:
        SceneError: the scene has no camera.
    """

    def __init__(self, bpy_camera: Any = None, shape: tuple[int, int] | None = None) -> None:
        self.bpy_camera = bpy_camera or bpy.context.scene.camera
        if self.bpy_camera is None:
            raise SceneError("expected a scene with a camera, or one as `bpy_camera`, got neither")
        self.shape = shape or self.shape_from_bpy()
        self.view_matrix = self.view_from_bpy(self.bpy_camera)
        self.proj_matrix = self.proj_from_bpy(self.bpy_camera, self.shape)

    def update_view_matrix(self) -> None:
        """Read where the camera is now."""
        self.view_matrix = self.view_from_bpy(self.bpy_camera)

    def update_proj_matrix(self) -> None:
        """Read the camera's lens anew."""
        self.proj_matrix = self.proj_from_bpy(self.bpy_camera, self.shape)

    @property
    def type(self) -> str:
        """Blender's name of the projection: "PERSP" or "ORTHO"."""
        kind: str = self.bpy_camera.data.type
        return kind

    @property
    def clip_range(self) -> tuple[float, float]:
        """Nearest and farthest that is seen, metres."""
        return self.bpy_camera.data.clip_start, self.bpy_camera.data.clip_end

    @staticmethod
    def shape_from_bpy(bpy_render: Any = None) -> tuple[int, int]:
        """Rows and columns that the settings of a render say."""
        render = bpy_render or bpy.context.scene.render
        sides = (render.resolution_y, render.resolution_x)
        rows, columns = (max(1, each * render.resolution_percentage // 100) for each in sides)
        return rows, columns

    @staticmethod
    def view_from_bpy(bpy_camera: Any) -> Any:
        """camera_from_world of an object of Blender's, scale left out."""
        bpy.context.view_layer.update()
        return bpy_camera.matrix_world.normalized().inverted()

    @staticmethod
    def proj_from_bpy(bpy_camera: Any, shape: tuple[int, int]) -> Any:
        """clip_from_camera of an object of Blender's for pictures of this shape."""
        render = bpy.context.scene.render
        return bpy_camera.calc_matrix_camera(
            bpy.context.evaluated_depsgraph_get(),
            x=shape[1],
            y=shape[0],
            scale_x=render.pixel_aspect_x,
            scale_y=render.pixel_aspect_y,
        )

    def world_to_ndc(self, xyz_world: ArrayLike, return_depth: bool = False) -> Points:
        """Normalized device coordinates, (N, 3) in -1 .. 1, of points (N, 3) in the world.

        Args:
            xyz_world: metres.
            return_depth: whether to return distances along the optical axis too, (N,) metres.
        """
        ndc, depth = self._ndc(xyz_world)
        return (ndc, depth) if return_depth else ndc

    def ndc_to_pixel(self, ndc: ArrayLike, origin: Origin = "upper-left") -> Floats:
        """Pixel coordinates, (N, 2), of normalized device coordinates, (N, 2) or (N, 3).

        Args:
            ndc: as from `world_to_ndc`.
            origin: "upper-left", as of OpenCV, or "lower-left", as of OpenGL.
        """
        check_choice("origin", origin, ("upper-left", "lower-left"))
        xy = (np.atleast_2d(np.asarray(ndc, np.float64))[:, :2] + 1) / 2
        if origin == "upper-left":
            xy[:, 1] = 1 - xy[:, 1]
        rows, columns = self.shape
        return xy * (columns, rows)

    def object_to_pixel(self, *objs: Any, return_depth: bool = False) -> Points:
        """Pixel coordinates (N, 2) of the vertices of objects, and their depths (N,) if asked."""
        return self._to_pixel(utils.world_coordinates(*objs), return_depth)

    def bbox_object_to_pixel(self, *objs: Any, return_depth: bool = False) -> Points:
        """Pixel coordinates (8 N, 2) of the corners of objects' boxes, and depths if asked."""
        return self._to_pixel(utils.bbox_world_coordinates(*objs), return_depth)

    def look_at(self, look_at: ArrayLike | None = None, look_from: ArrayLike | None = None) -> None:
        """Turn the camera.

        Args:
            look_at: (3,), what it looks at; the origin without it.
            look_from: (3,), where it stands; where it is without it.
        """
        bpy.context.view_layer.update()
        here = self.bpy_camera.matrix_world.translation
        target = mathutils.Vector((0, 0, 0) if look_at is None else look_at)
        place = mathutils.Vector(here if look_from is None else look_from)
        turn = (target - place).to_track_quat("-Z", "Y")
        self.bpy_camera.matrix_world = mathutils.Matrix.LocRotScale(place, turn, None)
        self.update_view_matrix()

    def set_as_active_camera(self) -> None:
        """Make it the scene's camera."""
        bpy.context.scene.camera = self.bpy_camera

    def _ndc(self, xyz_world: ArrayLike) -> tuple[Floats, Floats]:
        points = utils.hom(np.atleast_2d(np.asarray(xyz_world, np.float64)))
        before = points @ np.array(self.view_matrix).T
        return utils.dehom(before @ np.array(self.proj_matrix).T), -before[:, 2]

    def _to_pixel(self, points: Floats, return_depth: bool) -> Points:
        ndc, depth = self._ndc(points)
        pixels = self.ndc_to_pixel(ndc)
        return (pixels, depth) if return_depth else pixels


def image_shape() -> tuple[int, int]:
    """Rows and columns of the scene's pictures."""
    return Camera.shape_from_bpy()


def view_matrix(camera: Any = None) -> Any:
    """camera_from_world of an object that is a camera; of the scene's own without it."""
    return Camera(camera).view_matrix


def projection_matrix(camera: Any = None) -> Any:
    """clip_from_camera of an object that is a camera; of the scene's own without it."""
    return Camera(camera).proj_matrix


def project_points(obj: Any, camera: Any = None) -> Floats:
    """Pixel coordinates, (N, 2) from the upper left, of a mesh's own vertices, without modifiers.

    Args:
        obj: an object that is a mesh.
        camera: an object that is a camera, or a `Camera`; the scene's own without it.
    """
    seen_by = camera if isinstance(camera, Camera) else Camera(camera)
    flat = np.empty(3 * len(obj.data.vertices), np.float32)
    obj.data.vertices.foreach_get("co", flat)
    world = utils.hom(flat.reshape(-1, 3)) @ np.array(obj.matrix_world).T
    return seen_by.ndc_to_pixel(seen_by.world_to_ndc(world[:, :3]))
