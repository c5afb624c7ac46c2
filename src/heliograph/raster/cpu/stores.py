"""What the native rasterizer holds: vertices, textures and pictures of all around."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.checks import is_integer
from heliograph.raster import radiance
from heliograph.raster.intake import checked_radiance, unknown_radiance
from heliograph.raster.textures import LINEAR_LAYERS, TextureStore, placed
from heliograph.raster.types import Sampler, Texture, TextureKind, Use, Wrap
from heliograph.requires import native_module

_WIDEST = 2048  # of a background, texels
_BRIGHTEST = 65504.0  # of a 16-bit float
_WRAPS = (Wrap.REPEAT, Wrap.MIRROR, Wrap.CLAMP)


class VertexStream:
    """A stream of `GeometryStore`'s: rows of float32 in the native scene."""

    def __init__(self, native: Any, name: str) -> None:
        self._native, self._name = native, name

    def put(self, start: int, rows: NDArray[Any]) -> None:
        """Write rows (K, width) from row `start` on."""
        self._native.put(self._name, start, np.ascontiguousarray(rows, np.float32))


class HalfStream(VertexStream):
    """The same of numbers that GL holds as 16-bit floats."""

    def put(self, start: int, rows: NDArray[Any]) -> None:
        """Write rows (K, width) from row `start` on."""
        super().put(start, np.asarray(rows, np.float16))


class IndexStream:
    """A stream of `GeometryStore`'s: the triangles of one level of detail at a time."""

    def __init__(self, native: Any) -> None:
        self._native = native

    def put(self, start: int, rows: NDArray[Any]) -> None:
        """Write indices (K, 1) from row `start` on."""
        self._native.put_triangles(start, np.ascontiguousarray(rows.ravel(), np.uint32))


def streams(native: Any) -> dict[str, VertexStream | IndexStream]:
    """The streams of `GeometryStore`, in a native scene."""
    return {
        **{name: VertexStream(native, name) for name in ("in_position", "in_normal", "in_uv")},
        "in_colour": HalfStream(native, "in_colour"),
        "indices": IndexStream(native),
    }


class CpuTextureStore(TextureStore[Any]):
    """The textures of one native scene."""

    def __init__(self, native: Any) -> None:
        super().__init__()
        self._native = native
        self._make = native_module("pictures are drawn without GL").Paint

    def add(self, texture: Texture) -> int:
        """Take a texture in; its handle.

        Raises:
            InvalidValueError: pixels of another shape or dtype than the kind takes.
        """
        handle = super().add(texture)
        self._native.set_paint(handle, self.at(handle))
        return handle

    def remove(self, handle: int) -> None:
        """Forget a texture that nothing shows any more; its handle is given out again."""
        self.at(handle)
        self._native.set_paint(handle, None)
        super().remove(handle)

    def make(self, texture: Texture) -> Any:
        """A texture as the native scene looks it up, with its levels of detail."""
        cube = texture.kind is TextureKind.CUBE
        lying = _sampling(texture.sampler)
        made = self._make(np.ascontiguousarray(texture.pixels), cube, texture.linear, *lying)
        maps, strengths = placed(texture)
        if maps:
            rows = np.frombuffer(maps, np.float32).reshape(5, 3, 2).transpose(0, 2, 1)
            made.set_maps(np.ascontiguousarray(rows), np.array(strengths[:3], np.float32))
        for layer in texture.layers:
            pixels, linear = np.ascontiguousarray(layer.pixels), layer.use in LINEAR_LAYERS
            place = list(Use).index(layer.use)
            made.set_layer(place, pixels, linear, *_sampling(layer.sampler))
        return made

    def release(self, made: Any) -> None:
        """Nothing: memory is freed with the last name of it."""


def _sampling(sampler: Sampler) -> tuple[int, int, bool]:
    return _WRAPS.index(sampler.wrap_u), _WRAPS.index(sampler.wrap_v), sampler.nearest


@dataclass(frozen=True, eq=False)
class RadianceMap:
    """A picture of all around.

    Attributes:
        linear, quadratic: what arrives of it on surfaces, as `Radiance` has it.
        tables: its copies for reflections, and how it is seen behind everything.
    """

    linear: NDArray[np.float64]
    quadratic: NDArray[np.float64]
    tables: Any


class RadianceStore:
    """Pictures of all around, by handle."""

    def __init__(self) -> None:
        self._maps: dict[int, RadianceMap] = {}
        self._next = 0

    def add(self, picture: NDArray[np.floating[Any]]) -> int:
        """Take in a picture of all around; its handle.

        Raises:
            InvalidValueError: another shape than (H, W, 3), negative or not finite.
        """
        picture = checked_radiance(picture)
        light = radiance.prepared(picture)
        seen = radiance.resized(picture, min(2 * len(picture), _WIDEST))
        make = native_module("pictures are drawn without GL").RadianceTables
        handle, self._next = self._next, self._next + 1
        tables = make(halves(light.levels), halves(seen))
        self._maps[handle] = RadianceMap(light.linear, light.quadratic, tables)
        return handle

    def remove(self, handle: int) -> None:
        """Forget a picture that nothing shows any more."""
        self.at(handle)
        del self._maps[handle]

    def at(self, handle: int) -> RadianceMap:
        """A picture.

        Raises:
            InvalidValueError: it was removed.
        """
        if not is_integer(handle) or handle not in self._maps:
            raise unknown_radiance(handle)
        return self._maps[handle]


def halves(numbers: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Numbers as GL's 16-bit floats hold them, so that both backends look up the same."""
    stored: NDArray[np.float16] = np.minimum(numbers, _BRIGHTEST).astype(np.float16)
    return np.ascontiguousarray(stored, np.float32)
