"""What a camera sees of boxes: their faces, cut at the planes of its field of view.

Each face is cut by one plane after the other (Sutherland and Hodgman 1974), all faces of all boxes
at once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.poses import Floats, rotate
from heliograph.scene.objects import CORNERS

_ROUND = np.array([[0, 0], [0, 1], [1, 1], [1, 0]])


def _face(axis: int, side: int) -> list[int]:
    """The corners of a face of a box, one after another along its edge."""
    wanted = np.insert(_ROUND, axis, side, 1)
    return [int(np.flatnonzero((each == CORNERS).all(1))[0]) for each in wanted]


FACES = np.array([_face(axis, side) for axis in range(3) for side in range(2)])
"""(6, 4) the corners of each face of a box, in the order of `scene.objects.CORNERS`."""


class Faces(NamedTuple):
    """Faces of boxes as a camera sees them.

    Attributes:
        pixels: (N, 6, K, 2) corners of what is left of each face; the first is repeated at the end
            of those that have fewer than K.
        there: (N, 6) whether anything is left.
        away: (N, 6) whether the face is one on the far side of its box.
    """

    pixels: Floats
    there: NDArray[np.bool_]
    away: NDArray[np.bool_]

    def bounds(self) -> Floats:
        """(N, 4) the boxes (x0, y0, x1, y1) round what is left of each; NaN for nothing."""
        there = self.there[..., None, None]
        low = np.where(there, self.pixels, np.inf).min((1, 2))
        high = np.where(there, self.pixels, -np.inf).max((1, 2))
        bounds = np.concatenate([low, high], 1)
        bounds[~self.there.any(1)] = np.nan
        return bounds

    def areas(self) -> Floats:
        """(N,) pixels that each box covers; a ray leaves a box through just one of its faces."""
        x, y = np.moveaxis(self.pixels, -1, 0)
        twice = (x * np.roll(y, -1, -1) - y * np.roll(x, -1, -1)).sum(-1)
        return np.asarray(np.where(self.there & self.away, np.abs(twice) / 2, 0.0).sum(1))


def seen_faces(camera: Camera, corners: Floats, *, inside: bool) -> Faces:
    """The faces of boxes between the near and the far plane of a camera.

    Args:
        camera: what sees them.
        corners: (N, 8, 3) world corners, in the order of `scene.objects.CORNERS`.
        inside: only what is in the picture.
    """
    pose, count = camera.world_from_camera, len(corners)
    points = rotate(pose[:3, :3].T, corners - pose[:3, 3])
    faces = points[:, FACES]
    away = _faces_away(camera, points, faces)
    polygons, counts = faces.reshape(-1, 4, 3), np.full(6 * count, 4)
    for plane, offset in _planes(camera, inside=inside):
        polygons, counts = _cut(polygons, counts, polygons @ plane + offset)
    there = counts > 0
    place = np.arange(polygons.shape[1])
    index = np.where(place < counts[:, None], place, 0)
    polygons = np.take_along_axis(polygons, index[..., None], 1)
    polygons[~there] = (0, 0, -1)
    scale = -polygons[..., 2] if camera.projection is Projection.PERSPECTIVE else 1.0
    x = camera.cx + camera.fx * polygons[..., 0] / scale
    y = camera.cy - camera.fy * polygons[..., 1] / scale
    pixels = np.stack([x, y], -1).reshape(count, 6, len(place), 2)
    return Faces(pixels, there.reshape(count, 6), away)


def _faces_away(camera: Camera, points: Floats, faces: Floats) -> NDArray[np.bool_]:
    normals = np.cross(faces[:, :, 1] - faces[:, :, 0], faces[:, :, 3] - faces[:, :, 0])
    middles = faces.mean(2)
    outward = ((middles - points.mean(1)[:, None]) * normals).sum(-1)
    perspective = camera.projection is Projection.PERSPECTIVE
    sight = middles if perspective else np.array([0.0, 0.0, -1.0])
    return np.asarray((sight * normals).sum(-1) * np.sign(outward) > 0)


def _planes(camera: Camera, *, inside: bool) -> list[tuple[Floats, float]]:
    """Planes (normal, offset) in camera axes; what is seen is where none is below 0."""
    planes = [(np.array([0.0, 0.0, -1.0]), -camera.near), (np.array([0.0, 0.0, 1.0]), camera.far)]
    perspective = camera.projection is Projection.PERSPECTIVE
    for axis, focal, low, high in (
        (0, camera.fx, camera.cx, camera.width - camera.cx),
        (1, -camera.fy, camera.cy, camera.height - camera.cy),
    ):
        for sign, edge in ((1.0, low), (-1.0, high)):
            normal = np.array([0.0, 0.0, -edge if perspective else 0.0])
            normal[axis] = sign * focal
            planes.append((normal, 0.0 if perspective else edge))
    return planes if inside else planes[:2]


def _cut(
    polygons: Floats, counts: NDArray[np.intp], values: Floats
) -> tuple[Floats, NDArray[np.intp]]:
    """Convex polygons where a linear function is not below 0.

    Args:
        polygons: (P, K, 3) their corners.
        counts: (P,) how many of them each has; those after are anything.
        values: (P, K) of the function at the corners.

    Returns:
        (P, K + 1, 3) corners and how many.
    """
    place = np.arange(polygons.shape[1])
    valid = place < counts[:, None]
    after = np.where(place + 1 < counts[:, None], place + 1, 0)
    following = np.take_along_axis(values, after, 1)
    inside = valid & (values >= 0)
    crosses = valid & (inside != (following >= 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(crosses, values / (values - following), 0.0)
    along = np.take_along_axis(polygons, after[..., None], 1) - polygons
    both = np.stack([polygons, polygons + part[..., None] * along], 2)
    width = 2 * len(place)
    keep = np.stack([inside, crosses], 2).reshape(-1, width)
    order = np.argsort(~keep, axis=1, kind="stable")[:, : len(place) + 1]
    kept = np.take_along_axis(both.reshape(-1, width, 3), order[..., None], 1)
    return kept, keep.sum(1)
