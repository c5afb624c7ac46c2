"""What linear light is looked up in: how much surfaces reflect, and pictures of all around."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from heliograph.checks import is_integer
from heliograph.raster import albedo, area_lights, radiance
from heliograph.raster.gl.programs import ALBEDO_UNIT, AREA_UNIT, RADIANCE_UNIT
from heliograph.raster.intake import checked_radiance, unknown_radiance
from heliograph.raster.radiance import LEVELS

_WIDEST = 2048  # of a background, texels
_BRIGHTEST = 65504.0  # of a 16-bit float


@dataclass(frozen=True, eq=False)
class RadianceMap:
    """A picture of all around on the GPU.

    Attributes:
        linear, quadratic: what arrives of it on surfaces, as `Radiance` has it.
        reflected: its copies for reflections.
        seen: as it is seen behind everything.
    """

    linear: NDArray[np.float64]
    quadratic: NDArray[np.float64]
    reflected: moderngl.TextureArray
    seen: moderngl.Texture


class LightMaps:
    """The light maps of one rasterizer."""

    def __init__(self, gl: moderngl.Context) -> None:
        self._gl = gl
        self._albedo: moderngl.Texture | None = None
        self._lobes: moderngl.Texture
        self._radiances: dict[int, RadianceMap] = {}
        self._next = 0

    def add(self, picture: NDArray[np.floating[Any]]) -> int:
        """Take in a picture of all around; its handle.

        Raises:
            InvalidValueError: another shape than (H, W, 3), negative or not finite.
        """
        picture = checked_radiance(picture)
        light = radiance.prepared(picture)
        side = light.levels.shape[1]
        reflected = self._gl.texture_array(
            (side, side, LEVELS), 3, _halves(light.levels), alignment=1, dtype="f2"
        )
        reflected.repeat_x = reflected.repeat_y = False
        reflected.filter = (moderngl.LINEAR, moderngl.LINEAR)
        seen = radiance.resized(picture, min(2 * len(picture), _WIDEST))
        handle, self._next = self._next, self._next + 1
        self._radiances[handle] = RadianceMap(
            light.linear, light.quadratic, reflected, self._texture(len(seen) * 2, seen)
        )
        return handle

    def remove(self, handle: int) -> None:
        """Forget a picture that nothing shows any more."""
        made = self.at(handle)
        del self._radiances[handle]
        made.reflected.release()
        made.seen.release()

    def at(self, handle: int) -> RadianceMap:
        """A picture.

        Raises:
            InvalidValueError: it was removed.
        """
        if not is_integer(handle) or handle not in self._radiances:
            raise unknown_radiance(handle)
        return self._radiances[handle]

    def use(self, picture: RadianceMap | None) -> None:
        """Bind what programs for linear light look up."""
        if self._albedo is None:
            table = albedo.table()
            size = (albedo.SIZE, albedo.SIZE)
            self._albedo = self._gl.texture(size, 2, _halves(table), dtype="f2")
            self._albedo.repeat_x = self._albedo.repeat_y = False
            self._albedo.filter = (moderngl.LINEAR, moderngl.LINEAR)
            size = area_lights.table().shape[:2]
            self._lobes = self._gl.texture(size, 4, _halves(area_lights.table()), dtype="f2")
            self._lobes.repeat_x = self._lobes.repeat_y = False
            self._lobes.filter = (moderngl.LINEAR, moderngl.LINEAR)
        self._albedo.use(ALBEDO_UNIT)
        self._lobes.use(AREA_UNIT)
        if picture is not None:
            picture.reflected.use(RADIANCE_UNIT)

    def _texture(self, width: int, pixels: NDArray[np.floating[Any]]) -> moderngl.Texture:
        """A picture as a texture that goes on from its right edge at its left one."""
        made = self._gl.texture((width, width // 2), 3, _halves(pixels), dtype="f2", alignment=1)
        made.repeat_y = False
        made.filter = (moderngl.LINEAR, moderngl.LINEAR)
        return made


def _halves(pixels: NDArray[np.floating[Any]]) -> bytes:
    stored: NDArray[np.float16] = np.minimum(pixels, _BRIGHTEST).astype(np.float16)
    return stored.tobytes()
