"""Textures on the GPU."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

import moderngl
import numpy as np

from heliograph.errors import InvalidValueError
from heliograph.raster.types import Texture, TextureKind

_MOST_LENT, _MOST_LENT_BYTES = 256, 256 << 20

_Made = tuple[moderngl.Texture | moderngl.TextureCube, TextureKind]


class TextureStore:
    """All textures of one rasterizer."""

    def __init__(self, gl: moderngl.Context) -> None:
        self._gl = gl
        self._textures: list[_Made | None] = []
        self._free: list[int] = []
        self._lent: OrderedDict[bytes, tuple[int, int]] = OrderedDict()

    def lend(self, texture: Texture) -> int:
        """A handle for pixels that may soon be forgotten, but not before they are drawn."""
        _check_texture(texture)
        text = repr((texture.kind, texture.pixels.shape)).encode()
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
        _check_texture(texture)
        made = self._made(texture)
        if self._free:
            handle = self._free.pop()
            self._textures[handle] = made
            return handle
        self._textures.append(made)
        return len(self._textures) - 1

    def remove(self, handle: int) -> None:
        """Forget a texture that nothing shows any more; its handle is given out again."""
        texture, kind = self._at(handle)
        self._textures[handle] = None
        texture.release()
        if kind is TextureKind.FLAT:  # pictures of a sky are kept by the handle of its cube map
            self._free.append(handle)

    def _made(self, texture: Texture) -> _Made:
        pixels = np.ascontiguousarray(texture.pixels)
        channels = pixels.shape[-1]
        made: moderngl.Texture | moderngl.TextureCube
        if texture.kind is TextureKind.CUBE:
            made = self._gl.texture_cube(pixels.shape[1:3], channels, pixels.tobytes(), alignment=1)
        else:
            size = (pixels.shape[1], pixels.shape[0])
            made = self._gl.texture(size, channels, pixels[::-1].tobytes(), alignment=1)
        made.build_mipmaps()
        made.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
        made.swizzle = {1: "RRR1", 3: "RGB1", 4: "RGBA"}[channels]
        return made, texture.kind

    def kind(self, handle: int) -> TextureKind:
        """The kind of a texture."""
        return self._at(handle)[1]

    def use(self, handle: int) -> None:
        """Bind a texture to unit 0."""
        self._at(handle)[0].use(0)

    def _at(self, handle: int) -> _Made:
        made = self._textures[handle]
        if made is None:
            raise InvalidValueError(f"texture {handle} was removed")
        return made


def _check_texture(texture: Texture) -> None:
    shape, cube = texture.pixels.shape, texture.kind is TextureKind.CUBE
    fits = len(shape) == 4 and shape[0] == 6 and shape[1] == shape[2] if cube else len(shape) == 3
    if not fits or shape[-1] not in (1, 3, 4) or 0 in shape or texture.pixels.dtype != np.uint8:
        expected = "(6, N, N, C)" if cube else "(H, W, C)"
        raise InvalidValueError(
            f"{texture.name}: expected uint8 pixels {expected} with C 1, 3 or 4, got {shape} "
            f"{texture.pixels.dtype}"
        )
