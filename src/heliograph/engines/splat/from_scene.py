"""Turns what a renderer shows into gaussian splats: flat discs on the surfaces its cameras see.

Every pixel of every camera is carried back to the point it shows. Points are gathered in cubes; the
mean of those in a cube that face the same way becomes a disc that lies in their surface, in the
colour that the pictures have there. What is seen closer and less slanted counts more. So light is
baked in, as in a capture, and what no camera sees is not there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.engine import Renderer
from heliograph.errors import InvalidValueError, SceneError
from heliograph.frame import Frame
from heliograph.scene.objects import CORNERS
from heliograph.splats.gaussians import Gaussians
from heliograph.view import View

DISCS = 100_000
"""How many discs there are at most, about, where no spacing is given."""

_Y0 = 0.28209479177387814  # the constant spherical harmonic
_OPACITY = 0.98
_WIDE, _THIN = 0.65, 0.05  # standard deviations of a disc in spacings, along and across it
_SLANTED = 0.1  # cosine between a surface and the ray below which it is not taken
_FOV = math.radians(60)
_AROUND = 24
_GOLDEN = math.pi * (3 - math.sqrt(5))

Floats = NDArray[np.float64]


class _Points(NamedTuple):
    """Points (N, 3), normals (N, 3) in the world, colours (N, 3) 0 to 1, and how well each is seen.

    The last is (N,): pixels per metre, less for what is slanted.
    """

    at: Floats
    normals: Floats
    colours: Floats
    sharpness: Floats


def splat_scene(
    renderer: Renderer,
    cameras: Sequence[Camera | str] | None = None,
    *,
    size: tuple[int, int] = (640, 480),
    spacing: float | None = None,
) -> Gaussians:
    """What a renderer's scene looks like from some cameras, as gaussian splats.

    Args:
        renderer: anything that yields rgb, depth and normals.
        cameras: from where to look, by value or name; by default from all around the scene and from
            its own cameras.
        size: (width, height) of the pictures of the default cameras.
        spacing: metres between two discs; by default so that there are about `DISCS`.

    Raises:
        SceneError: the cameras see nothing.
        InvalidValueError: a spacing that is not above 0.
    """
    if spacing is not None and not (spacing > 0 and math.isfinite(spacing)):
        raise InvalidValueError(f"spacing: expected metres above 0, got {spacing!r}")
    chosen = cameras if cameras is not None else _cameras(renderer, size)
    found = [
        _points(frame)
        for camera in chosen
        for frame in renderer.render(View((camera,), ("rgb", "depth", "normals")))
    ]
    points = _Points(*(np.concatenate(column) for column in zip(*found, strict=True)))
    if not len(points.at):
        raise SceneError("the cameras see nothing of the scene; give some that look at it")
    spacing = _spacing(points) if spacing is None else spacing
    return _discs(_sparser(points, spacing), spacing)


def around(low: Floats, high: Floats, size: tuple[int, int], count: int = _AROUND) -> list[Camera]:
    """Cameras (count) on a sphere round a box, that each see all of it.

    Args:
        low: lower corner (3,) of the box, metres.
        high: its upper corner.
        size: (width, height) of their pictures.
        count: how many.
    """
    centre, radius = (low + high) / 2, max(float(np.linalg.norm(high - low)) / 2, 1e-6)
    narrow = 2 * math.atan(math.tan(_FOV / 2) * min(1.0, size[0] / size[1]))
    away = radius / math.sin(narrow / 2)
    made = []
    for number in range(count):
        z, turn = 1 - (2 * number + 1) / count, number * _GOLDEN
        flat = math.sqrt(1 - z * z)
        eye = centre + away * np.array([flat * math.cos(turn), flat * math.sin(turn), z])
        made.append(
            Camera.look_at(
                eye=eye,
                target=centre,
                fov_y=_FOV,
                width=size[0],
                height=size[1],
                near=(away - radius) / 4 + 1e-6 * away,
                far=2 * (away + radius),
                name=f"around {number}",
            )
        )
    return made


def _cameras(renderer: Renderer, size: tuple[int, int]) -> list[Camera]:
    """The scene's cameras as large as these, and some all around it."""
    own = [
        camera.resized(size[0], max(1, round(size[0] * camera.height / camera.width)))
        for camera in renderer.cameras.values()
    ]
    table = renderer.scene.objects
    boxes, seen = table.boxes, table.seen & np.isfinite(table.boxes).all((1, 2))
    if not seen.any():
        return own
    corners = boxes[seen, None, 0] + CORNERS * (boxes[seen, None, 1] - boxes[seen, None, 0])
    placed = corners @ table.poses[seen, :3, :3].transpose(0, 2, 1) + table.poses[seen, None, :3, 3]
    flat = placed.reshape(-1, 3)
    return [*own, *around(flat.min(0), flat.max(0), size)]


def _points(frame: Frame) -> _Points:
    """What one frame shows."""
    camera, depth = frame.camera, frame.depth.astype(np.float64)
    pose = camera.world_from_camera
    normals = frame.normals.astype(np.float64)
    own = camera.moved(np.eye(4))
    pixels = camera.pixel_centres()
    rays = own.unproject(pixels, 2.0) - own.unproject(pixels, 1.0)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    cosine = -(normals * rays).sum(-1)
    kept = np.isfinite(depth) & (cosine > _SLANTED)
    return _Points(
        at=camera.unproject(pixels[kept], depth[kept]),
        normals=normals[kept] @ pose[:3, :3].T,
        colours=frame.rgb[kept] / 255.0,
        sharpness=cosine[kept] * camera.fx / depth[kept],
    )


def _spacing(points: _Points) -> float:
    """The spacing that leaves about `DISCS` of the points, and no less than a pixel.

    Of a surface the number of cubes goes with the inverse of the spacing squared.
    """
    pixel = float(1 / np.median(points.sharpness))
    spacing = float((points.at.max(0) - points.at.min(0)).max()) / 200 or pixel
    for _ in range(3):
        spacing *= math.sqrt(len(np.unique(_cells(points.at, spacing))) / DISCS)
    return max(spacing, pixel)


def _cells(at: Floats, spacing: float) -> NDArray[np.int64]:
    """A number (N,) for the cube that each point is in."""
    cell = np.floor((at - at.min(0)) / spacing).astype(np.int64)
    wide = cell.max(0) + 1
    numbers: NDArray[np.int64] = (cell[:, 0] * wide[1] + cell[:, 1]) * wide[2] + cell[:, 2]
    return numbers


def _sparser(points: _Points, spacing: float) -> _Points:
    """The points of each cube, and of each side of a surface in it, as one: their mean."""
    side = np.abs(points.normals).argmax(1)
    face = 2 * side + (points.normals[np.arange(len(side)), side] > 0)
    groups = _cells(points.at, spacing) * 6 + face
    order = np.argsort(groups, kind="stable")
    first = np.flatnonzero(np.diff(groups[order], prepend=-1))
    weight = points.sharpness[order]
    whole = np.add.reduceat(weight, first)

    def mean(column: Floats) -> Floats:
        """Of each group."""
        sums: Floats = np.add.reduceat(column[order] * weight[:, None], first)
        return sums / whole[:, None]

    normals = mean(points.normals)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return _Points(mean(points.at), normals, mean(points.colours), whole)


def _discs(points: _Points, spacing: float) -> Gaussians:
    count = len(points.at)
    scales = np.tile(np.array([_WIDE, _WIDE, _THIN]) * spacing, (count, 1))
    return Gaussians(
        positions=points.at.astype(np.float32),
        scales=scales.astype(np.float32),
        rotations=_facing(points.normals).astype(np.float32),
        opacities=np.full(count, _OPACITY, np.float32),
        sh=((points.colours - 0.5) / _Y0).astype(np.float32)[:, None],
    )


def _facing(normals: Floats) -> Floats:
    """Quaternions (N, 4) wxyz that turn z to these normals (N, 3)."""
    x, y, z = normals.T
    half = np.stack((1 + z, -y, x, np.zeros_like(z)), -1)
    length = np.linalg.norm(half, axis=-1, keepdims=True)
    turned: Floats = np.where(length > 1e-6, half / np.maximum(length, 1e-6), [0.0, 1, 0, 0])
    return turned
