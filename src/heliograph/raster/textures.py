"""Textures by handle, whatever holds their pixels: checks, handles, and what is only lent."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections import OrderedDict
from typing import Generic, TypeVar

import numpy as np

from heliograph.checks import is_integer
from heliograph.errors import InvalidValueError, shown
from heliograph.raster.intake import checked_texture
from heliograph.raster.types import SAME_UV, SMOOTH, Texture, TextureKind, Use

_MOST_LENT, _MOST_LENT_BYTES = 256, 256 << 20
LINEAR_LAYERS = (Use.EMISSIVE,)
"""Layers whose pixels are colours, to be decoded to linear light."""

Stored = TypeVar("Stored")


class TextureStore(ABC, Generic[Stored]):
    """All textures of one rasterizer, each as `make` made it."""

    def __init__(self) -> None:
        self._textures: list[tuple[Stored, TextureKind] | None] = []
        self._free: list[int] = []
        self._lent: OrderedDict[bytes, tuple[int, int]] = OrderedDict()

    @abstractmethod
    def make(self, texture: Texture) -> Stored:
        """What is kept of a texture that was checked."""

    @abstractmethod
    def release(self, made: Stored) -> None:
        """Free what `make` gave."""

    def lend(self, texture: Texture) -> int:
        """A handle for pixels that may soon be forgotten, but not before they are drawn."""
        texture = checked_texture(texture)
        if texture.layers or texture.uv_map != SAME_UV or texture.sampler != SMOOTH:
            raise InvalidValueError(f"{texture.name}: expected nothing but pixels of what is lent")
        text = repr((texture.kind, texture.linear, texture.pixels.shape)).encode()
        key = hashlib.blake2b(text + np.ascontiguousarray(texture.pixels).tobytes()).digest()
        if key not in self._lent:
            self._lent[key] = self.add(texture), texture.pixels.size
        self._lent.move_to_end(key)
        return self._lent[key][0]

    def settle(self) -> None:
        """Forget what was lent and drawn, the oldest first, beyond what is kept."""
        if not self._lent:
            return
        size = sum(size for _, size in self._lent.values())
        while len(self._lent) > _MOST_LENT or (size > _MOST_LENT_BYTES and self._lent):
            _, (handle, freed) = self._lent.popitem(last=False)
            self.remove(handle)
            size -= freed

    def add(self, texture: Texture) -> int:
        """Take a texture in; its handle.

        Raises:
            InvalidValueError: pixels of another shape or dtype than the kind takes.
        """
        texture = checked_texture(texture)
        made = self.make(texture), texture.kind
        if self._free:
            handle = self._free.pop()
            self._textures[handle] = made
            return handle
        self._textures.append(made)
        return len(self._textures) - 1

    def remove(self, handle: int) -> None:
        """Forget a texture that nothing shows any more; its handle is given out again.

        But not that of a cube map: pictures of a sky are kept by it.
        """
        made, kind = self._entry(handle)
        self._textures[handle] = None
        self.release(made)
        if kind is TextureKind.FLAT:
            self._free.append(handle)

    def at(self, handle: int) -> Stored:
        """A texture.

        Raises:
            InvalidValueError: it was removed.
        """
        return self._entry(handle)[0]

    def check_sky(self, handle: int | None) -> None:
        """Refuse a sky that cannot be drawn.

        Raises:
            InvalidValueError: it is no cube map, or was removed.
        """
        if handle is None:
            return
        try:
            kind = self._entry(handle)[1]
        except InvalidValueError as error:
            raise InvalidValueError(f"Environment.sky: {error}") from None
        if kind is not TextureKind.CUBE:
            raise InvalidValueError(
                f"Environment.sky: expected a texture of kind CUBE, but texture {handle} is FLAT"
            )

    def _entry(self, handle: int) -> tuple[Stored, TextureKind]:
        known = is_integer(handle, 0, len(self._textures) - 1)
        entry = self._textures[handle] if known else None
        if entry is None:
            raise InvalidValueError(
                f"texture {shown(handle)} was removed, or never added; expected a handle of "
                "`add_texture`"
            )
        return entry


def placed(texture: Texture) -> tuple[bytes, tuple[float, float, float, float]]:
    """How a texture and its layers lie; nothing where it lies as the surface says, alone.

    Affine maps (5, 3, 2) float32 of it and of its layers in the order of `Use`, their columns one
    by one; and the strengths of normals along u and v, and of the occlusion.
    """
    if not texture.layers and texture.uv_map == SAME_UV:
        return b"", (1.0, 1.0, 1.0, 0.0)
    by_use = {layer.use: layer for layer in texture.layers}
    maps = [texture.uv_map, *(by_use[use].uv_map if use in by_use else SAME_UV for use in Use)]
    bump, occlusion = by_use.get(Use.NORMAL), by_use.get(Use.OCCLUSION)
    along = (1.0, 1.0) if bump is None else bump.strength
    strengths = (*along, 1.0 if occlusion is None else occlusion.strength[0], 0.0)
    return np.array(maps, np.float32).transpose(0, 2, 1).tobytes(), strengths
