"""One camera's picture, drawn ray by ray from coarse to fine.

The pixels of a coarse picture are pixels of the finer ones: those in every second, fourth, eighth
... column and row. So nothing is computed twice: the finest picture takes as long as without the
coarse ones, and has the same bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.engines.nerf.frames import CaptureFrame
from heliograph.engines.nerf.render import RayRenderer, Rays, Rendered
from heliograph.poses import Floats

FIRST = {1: 0, 2: 1, 4: 1, 8: 5, 16: 5, 32: 21}
"""Stride of a coarse picture -> its first column and row, near the middle of the first pixel."""

Pixels = NDArray[np.intp]


class Grid(NamedTuple):
    """The pixels in every so many columns and rows of a picture."""

    camera: Camera
    stride: int

    @property
    def coarse(self) -> Camera:
        """The camera of these pixels alone."""
        camera, stride, first = self.camera, self.stride, FIRST[self.stride]
        if stride == 1:
            return camera
        width, height = ((size - first - 1) // stride + 1 for size in camera.size)
        cx, cy = ((at - first - 0.5) / stride + 0.5 for at in (camera.cx, camera.cy))
        fx, fy = camera.fx / stride, camera.fy / stride
        return camera.replace(width=width, height=height, fx=fx, fy=fy, cx=cx, cy=cy)

    @property
    def pixels(self) -> tuple[slice, slice]:
        """Where in the picture they are, rows and columns."""
        part = slice(FIRST[self.stride], None, self.stride)
        return part, part


def strides_of(camera: Camera) -> list[int]:
    """The strides of the pictures of a camera, coarse ones first; small pictures have few."""
    return [stride for stride in sorted(FIRST, reverse=True) if FIRST[stride] < min(camera.size)]


def stride_for(camera: Camera, part: float) -> int:
    """The finest stride whose picture has at most this part of the pixels."""
    strides = strides_of(camera)
    return min((each for each in strides if part * each**2 >= 1), default=strides[0])


@dataclass(frozen=True, eq=False)
class Viewpoint:
    """A camera in the model's frame: its rays, and what becomes of their distances.

    Attributes:
        camera: in the capture's frame.
        frame: of the capture.
        device: where rays are made.
    """

    camera: Camera
    frame: CaptureFrame
    device: torch.device

    def rays(self, pixels: Pixels) -> Rays:
        """The rays of pixels, by flat index."""
        camera, pose = self.camera, self.frame.pose(self.camera.world_from_camera)
        across, along = self._directions(pixels)
        origins = np.broadcast_to(pose[:3, 3], across.shape)
        if camera.projection is Projection.ORTHOGRAPHIC:
            origins = origins + across * self.frame.scale @ pose[:3, :3].T
            ways = np.broadcast_to(-pose[:3, 2], across.shape)
        else:
            ways = (across - (0, 0, 1)) @ pose[:3, :3].T / along[:, None]
        reach = along[:, None] * self.frame.scale
        made = (origins, ways, camera.near * reach, camera.far * reach)
        return Rays(*(self._planes(each) for each in made))

    def _planes(self, values: Floats) -> torch.Tensor:
        """(n, m) numbers, each column in one piece."""
        columns = np.array(values.T, np.float32, order="C")
        return torch.from_numpy(columns).to(self.device).t()

    def _directions(self, pixels: Pixels) -> tuple[Floats, Floats]:
        """(n, 3) across the axis at depth 1, and the lengths of the rays to there, (n,)."""
        camera = self.camera
        rows, columns = np.divmod(pixels, camera.width)
        x = (columns + 0.5 - camera.cx) / camera.fx
        y = (camera.cy - rows - 0.5) / camera.fy
        along = np.ones_like(x)
        if camera.projection is Projection.PERSPECTIVE:
            along = np.sqrt(x * x + y * y + 1)
        return np.stack((x, y, np.zeros_like(x)), -1), along

    def passes(self, pixels: Pixels, rendered: Rendered) -> dict[str, NDArray[Any]]:
        """All passes of pixels, (n,) or (n, 3)."""
        along = self._directions(pixels)[1] * self.frame.scale
        alpha = np.rint(_numbers(rendered.accumulation.clamp(0, 1)) * 255).astype(np.uint8)
        found = {
            "rgb": np.rint(_numbers(rendered.rgb) * 255).astype(np.uint8),
            "depth": np.where(alpha > 0, _numbers(rendered.expected) / along, np.inf),
            "median_depth": np.where(alpha > 0, _numbers(rendered.median) / along, np.inf),
            "alpha": alpha,
        }
        if rendered.normals is not None:
            turn = self.frame.pose(self.camera.world_from_camera)[:3, :3]
            normals = _numbers(rendered.normals).astype(np.float64) @ turn
            unknown = ~normals.any(-1)
            normals[unknown] = (0, 0, 1)
            found["normals"] = normals * (alpha > 0)[:, None]
        return found


class Picture:
    """A picture that is being drawn.

    Args:
        view: from where.
        arrays: what it is drawn into, by pass name, (H, W) or (H, W, 3).
    """

    def __init__(self, view: Viewpoint, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._view = view
        self._flat = {name: array.reshape(-1, *array.shape[2:]) for name, array in arrays.items()}
        self._arrays = arrays
        self._left = strides_of(view.camera)
        self._drawn = np.zeros((view.camera.height, view.camera.width), np.bool_)

    def chunks(self, stride: int, size: int) -> Iterator[Pixels]:
        """What is left to draw for a stride, in chunks of pixels by flat index."""
        while self._left and self._left[0] >= stride:
            here = np.zeros_like(self._drawn)
            here[Grid(self._view.camera, self._left.pop(0)).pixels] = True
            here &= ~self._drawn
            self._drawn |= here
            pixels = np.flatnonzero(here)
            yield from (pixels[first : first + size] for first in range(0, len(pixels), size))

    def draw(self, renderer: RayRenderer, pixels: Pixels) -> None:
        """Draw a chunk."""
        found = self._view.passes(pixels, renderer.render(self._view.rays(pixels)))
        for name, array in self._flat.items():
            array[pixels] = found[name]

    def frame(self, stride: int) -> tuple[Camera, Mapping[str, NDArray[Any]]]:
        """What was drawn for a stride: its camera and arrays; those of stride 1 are its own."""
        if stride == 1:
            return self._view.camera, self._arrays
        grid = Grid(self._view.camera, stride)
        return grid.coarse, {
            name: array[grid.pixels].copy() for name, array in self._arrays.items()
        }


def _numbers(tensor: torch.Tensor) -> NDArray[np.float32]:
    numbers: NDArray[np.float32] = tensor.cpu().numpy()
    return numbers
