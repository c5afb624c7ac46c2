"""Draws gaussian splats slowly and plainly, in float64: what the native module is compared with.

Every splat is laid over the whole picture, nearest first: no tiles, no early end.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heliograph.camera import Camera, Projection
from heliograph.splats import Gaussians

Floats = NDArray[np.float64]


def draw(
    gaussians: Gaussians, camera: Camera, behind: ArrayLike = np.inf
) -> dict[str, NDArray[Any]]:
    """Returns what `draw_splats` does, all passes, in float64."""
    height, width = camera.height, camera.width
    turn, offset, depth = _seen_from(gaussians, camera)
    colours = gaussians.colours(turn[2] if _parallel(camera) else offset)
    pixels = camera.pixel_centres()
    colour, light = np.zeros((height, width, 3)), np.ones((height, width))
    total, median = np.zeros((height, width)), np.full((height, width), np.inf)
    index = np.full((height, width), -1)
    for i in np.argsort(depth, kind="stable"):
        if not camera.near < depth[i] < camera.far:
            continue
        jacobian = _jacobian(turn, offset[i], camera)
        covariance = jacobian @ gaussians.covariances[i] @ jacobian.T
        steep = np.linalg.solve(covariance[:2, :2] + 0.03 * np.eye(2), covariance[:2, 2])
        covariance[:2, :2] += 0.3 * np.eye(2)
        inverse = np.linalg.inv(covariance[:2, :2])
        delta = pixels - camera.project(gaussians.positions[i])
        exponent = -0.5 * np.einsum("hwi,ij,hwj->hw", delta, inverse, delta)
        alpha = np.minimum(gaussians.opacities[i] * np.exp(exponent), 0.99)
        slope = delta @ steep
        part = 0.0 if _parallel(camera) else np.clip(slope / depth[i], -1, 0.5)
        here = depth[i] + slope / (1 - part)
        alpha[(alpha < 1 / 255) | (here > behind)] = 0
        weight, rest = alpha * light, light * (1 - alpha)
        half = (light > 0.5) & (rest <= 0.5)
        median[half], index[half] = here[half], i
        colour += weight[..., None] * colours[i]
        total += weight * here
        light = rest
    alpha = 1 - light
    mean = np.where(alpha >= 0.5, total / np.maximum(alpha, 0.5), np.inf)
    return {
        "colour": colour, "alpha": alpha, "depth": mean, "median_depth": median, "index": index,
    }  # fmt: skip


def _parallel(camera: Camera) -> bool:
    return camera.projection is Projection.ORTHOGRAPHIC


def _seen_from(gaussians: Gaussians, camera: Camera) -> tuple[Floats, Floats, Floats]:
    turn = camera.opencv_from_world[:3, :3]
    offset = gaussians.positions.astype(np.float64) - camera.world_from_camera[:3, 3]
    return turn, offset, offset @ turn[2]


def _jacobian(turn: Floats, offset: Floats, camera: Camera) -> Floats:
    """Of (pixel x, pixel y, depth) by the world's position; splats far outside bend no further."""
    x, y, z = turn @ offset
    if _parallel(camera):
        return np.diag([camera.fx, camera.fy, 1.0]) @ turn
    sides = (camera.width, camera.fx, camera.cx, x), (camera.height, camera.fy, camera.cy, y)
    u, v = (
        np.clip(along / z, (-0.15 * size - centre) / focal, (1.15 * size - centre) / focal)
        for size, focal, centre, along in sides
    )
    fx, fy = camera.fx / z, camera.fy / z
    return np.array([[fx, 0, -fx * u], [0, fy, -fy * v], [0, 0, 1]]) @ turn
