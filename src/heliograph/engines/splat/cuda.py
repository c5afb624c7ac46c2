"""Splats drawn by gsplat on a GPU; torch and gsplat are imported here alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from heliograph.camera import Camera, Projection
from heliograph.engines.shared.splats import OPAQUE, DrawnSplats
from heliograph.errors import MissingDependencyError
from heliograph.requires import Requires
from heliograph.splats.gaussians import Gaussians

_DEGREES = {1: 0, 4: 1, 9: 2, 16: 3}  # of spherical harmonics, by their number


class CudaCloud:
    """Splats of one object on a GPU.

    Its depth is the expected one, of the splats' centres; gsplat knows no other.

    Args:
        gaussians: in the world.
        number: id of the object.

    Raises:
        MissingDependencyError: no torch, no GPU that it knows, or no gsplat.
    """

    def __init__(self, gaussians: Gaussians, number: int) -> None:
        with Requires("torch"):
            import torch
        if not torch.cuda.is_available():
            raise MissingDependencyError(
                "device='cuda': torch finds no GPU here; leave device out to draw on the CPU"
            )
        with Requires("gsplat"):
            from gsplat import rasterization
        self._torch: Any = torch
        self._rasterize: Any = rasterization
        self._number = number
        self._splats = {
            "means": self._sent(gaussians.positions),
            "quats": self._sent(gaussians.rotations),
            "scales": self._sent(gaussians.scales),
            "opacities": self._sent(gaussians.opacities),
            "colors": self._sent(gaussians.sh),
            "sh_degree": _DEGREES[gaussians.sh.shape[1]],
        }

    @property
    def device(self) -> str:
        """Who draws, and on what."""
        return f"gsplat on {self._torch.cuda.get_device_name()}"

    def draw(self, camera: Camera) -> DrawnSplats:
        """The splats from a camera."""
        parallel = camera.projection is Projection.ORTHOGRAPHIC
        with self._torch.no_grad():
            pictures, opaque, _ = self._rasterize(
                **self._splats,
                viewmats=self._sent(camera.opencv_from_world[None]),
                Ks=self._sent(camera.K[None]),
                width=camera.width,
                height=camera.height,
                near_plane=camera.near,
                far_plane=camera.far,
                render_mode="RGB+ED",
                camera_model="ortho" if parallel else "pinhole",
            )
        picture, alpha = pictures[0].cpu().numpy(), opaque[0, ..., 0].cpu().numpy()
        front = alpha >= OPAQUE
        depth = np.where(front, picture[..., 3], np.float32(np.inf))
        ids = np.where(front, self._number, 0).astype(np.int32)
        return DrawnSplats(picture[..., :3], alpha, depth, depth, ids)

    def _sent(self, array: Any) -> Any:
        """An array on the GPU, float32."""
        return self._torch.tensor(np.asarray(array, np.float32), device="cuda")
