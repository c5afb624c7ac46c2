"""Mirrors: the scene as a reflective plane shows it, drawn first and added to its colour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.raster.drawables import (
    DrawList,
    Light,
    LightKind,
    Surroundings,
)
from heliograph.raster.kinds import MIRRORED
from heliograph.raster.placed import Placed

Matrix = NDArray[np.float64]


def mirrored(scene: DrawList, placed: Placed, camera: Camera) -> tuple[DrawList, Placed] | None:
    """What the first reflective plane of a scene reflects, turned over to behind the plane.

    Whole instances count as in front of the plane or behind it, by their bounding sphere's centre.
    None where nothing reflects or the camera is behind the mirror.
    """
    instances, rows = scene.instances, placed.looks.mirrors
    rows = rows[instances.visible[rows]] if len(rows) else rows
    if not len(rows):
        return None
    pose = instances.world_from_object[rows[0]]
    normal = pose[:, 2] / np.linalg.norm(pose[:, 2])
    turn = _reflection(normal, pose[:, 3])
    if (camera.world_from_camera[:3, 3] - pose[:, 3]) @ normal <= 0:
        return None
    ahead = (placed.centre - pose[:, 3]) @ normal > 1e-9
    poses = turn[:3, :3] @ instances.world_from_object
    poses[:, :, 3] += turn[:3, 3]
    behind = replace(
        placed,
        scaling=placed.scaling.mirrored(),
        key=placed.key ^ MIRRORED,
        pose=poses,
        centre=placed.centre @ turn[:3, :3].T + turn[:3, 3],
        show=placed.show & ahead,
    )
    lights = tuple(_turn(light, turn, camera) for light in scene.lights)
    turned = instances.moved(poses, behind.show)
    return DrawList(turned, lights, Surroundings(), scene.ambient, scene.lighting), behind


def _reflection(normal: Matrix, point: Matrix) -> Matrix:
    matrix = np.eye(4)
    matrix[:3, :3] -= 2 * np.outer(normal, normal)
    matrix[:3, 3] = 2 * (normal @ point) * normal
    return matrix


def _turn(light: Light, turn: Matrix, camera: Camera) -> Light:
    direction = np.array(light.direction)
    if light.kind is LightKind.HEAD:
        light = replace(light, kind=LightKind.DIRECTIONAL)
        direction = -camera.world_from_camera[:3, 2]
    x, y, z = (turn[:3, :3] @ light.position + turn[:3, 3]).tolist()
    u, v, w = (turn[:3, :3] @ direction).tolist()
    return light.moved((x, y, z), (u, v, w))
