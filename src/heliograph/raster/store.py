"""Where geometry and pixels go before anything of them is drawn."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from heliograph.raster.types import Geometry, Texture


class AssetStore(Protocol):
    """Takes in what draw lists name by handle; a `Rasterizer` is one."""

    def add_geometry(self, geometry: Geometry) -> int:
        """Take in triangles; the handle that `InstanceTable.geometry` names them by."""

    def update_geometry(self, handle: int, positions: NDArray[Any], normals: NDArray[Any]) -> None:
        """Move a geometry's vertices: positions and normals (V, 3); the triangles stay."""

    def remove_geometry(self, handle: int) -> None:
        """Free a geometry that no later draw shows; its handle is given out again."""

    def add_texture(self, texture: Texture) -> int:
        """Take in pixels; the handle that `InstanceTable.texture` names them by."""

    def lend_texture(self, texture: Texture) -> int:
        """A handle for pixels that may change with every view: equal pixels, equal handle.

        Only the last few are kept, so a handle is good for the next `draw` alone.
        """

    def remove_texture(self, handle: int) -> None:
        """Free a texture that no later draw shows; its handle is given out again."""

    def add_radiance(self, radiance: NDArray[np.float32]) -> int:
        """Take in light from all around; the handle that `Environment.radiance` names it by.

        Args:
            radiance: (H, W, 3) linear, an equirectangular picture of the world: row 0 is straight
                up (+z), the middle column is ahead (+y), to its right is +x.
        """

    def remove_radiance(self, handle: int) -> None:
        """Free a picture of all around that no later draw shows."""

    def has_uvs(self, geometry: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which of these geometries (N,) have texture coordinates of their own."""

    def radii(self, geometry: NDArray[np.int32]) -> NDArray[np.float64]:
        """Radii (N,) of these geometries' bounding spheres, before scaling."""
