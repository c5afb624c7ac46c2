"""Textures on the GPU."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from ctypes import c_int, c_uint
from dataclasses import dataclass
from functools import cached_property

import moderngl
import numpy as np
from numpy.typing import NDArray

from heliograph.errors import InvalidValueError
from heliograph.raster.gl import egl
from heliograph.raster.gl.programs import LAYER_UNITS, uniform
from heliograph.raster.types import SAME_UV, SMOOTH, Layer, Sampler, Texture, TextureKind, Use, Wrap

_MOST_LENT, _MOST_LENT_BYTES = 256, 256 << 20
_SRGB, _SRGB_ALPHA = 0x8C41, 0x8C43
_TEXTURE_2D, _WRAP_S, _WRAP_T = 0x0DE1, 0x2802, 0x2803
_WRAPS = {Wrap.REPEAT: 0x2901, Wrap.MIRROR: 0x8370, Wrap.CLAMP: 0x812F}
_LINEAR_LIGHT = (Use.EMISSIVE,)
"""Layers whose pixels are colours."""
_UV_MAP = 3 * 2 * 4
"""Bytes of an affine map."""


@dataclass(frozen=True, eq=False)
class Made:
    """A texture on the GPU.

    Attributes:
        image: its pixels.
        kind: how it is looked up.
        layers: further textures of the same surface, by what they say.
        uv_maps: (5, 3, 2) of it and of the layers, in the order of `Use`; columns of affine maps.
        strengths: of normals along u and v, and of the occlusion.
    """

    image: moderngl.Texture | moderngl.TextureCube
    kind: TextureKind
    layers: Mapping[Use, moderngl.Texture]
    uv_maps: bytes
    strengths: tuple[float, float, float, float]

    @property
    def layered(self) -> bool:
        """Whether programs must know more of it than its pixels."""
        return bool(self.uv_maps)

    @cached_property
    def form(self) -> tuple[object, ...]:
        """What programs are made for."""
        return self.kind, self.layered, *self.layers


class TextureStore:
    """All textures of one rasterizer."""

    def __init__(self, gl: moderngl.Context) -> None:
        self._gl = gl
        self._textures: list[Made | None] = []
        self._free: list[int] = []
        self._lent: OrderedDict[bytes, tuple[int, int]] = OrderedDict()

    def lend(self, texture: Texture) -> int:
        """A handle for pixels that may soon be forgotten, but not before they are drawn."""
        _check_texture(texture)
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
        made = self.at(handle)
        self._textures[handle] = None
        for image in (made.image, *made.layers.values()):
            image.release()
        if (
            made.kind is TextureKind.FLAT
        ):  # pictures of a sky are kept by the handle of its cube map
            self._free.append(handle)

    def at(self, handle: int) -> Made:
        """A texture.

        Raises:
            InvalidValueError: it was removed.
        """
        made = self._textures[handle]
        if made is None:
            raise InvalidValueError(f"texture {handle} was removed")
        return made

    def use(self, handle: int, program: moderngl.Program | None = None) -> None:
        """Bind a texture to unit 0, its layers to theirs, and tell a program how they lie."""
        made = self.at(handle)
        made.image.use(0)
        if program is None or not made.layered:
            return
        for use, image in made.layers.items():
            image.use(LAYER_UNITS[use])
        if "uv_maps" in program:
            lying = uniform(program, "uv_maps")  # drivers drop those at its end that are not used
            lying.write(made.uv_maps[: lying.array_length * _UV_MAP])
        if "strengths" in program:
            uniform(program, "strengths").value = made.strengths

    def _made(self, texture: Texture) -> Made:
        pixels = np.ascontiguousarray(texture.pixels)
        if texture.kind is TextureKind.CUBE:
            pixels, form, swizzle = _stored(pixels, linear=texture.linear)
            cube = self._gl.texture_cube(
                pixels.shape[1:3],
                pixels.shape[-1],
                pixels.tobytes(),
                alignment=1,
                internal_format=form,
            )
            _smooth(cube, swizzle)
            return Made(cube, texture.kind, {}, b"", (1.0, 1.0, 1.0, 0.0))
        image = self._flat(pixels, texture.sampler, linear=texture.linear)
        layers = {
            layer.use: self._flat(layer.pixels, layer.sampler, linear=layer.use in _LINEAR_LIGHT)
            for layer in texture.layers
        }
        return Made(image, texture.kind, layers, *_placed(texture))

    def _flat(
        self, pixels: NDArray[np.uint8], sampler: Sampler, *, linear: bool
    ) -> moderngl.Texture:
        pixels, form, swizzle = _stored(pixels, linear=linear)
        size, channels = (pixels.shape[1], pixels.shape[0]), pixels.shape[-1]
        made = self._gl.texture(
            size, channels, pixels[::-1].tobytes(), alignment=1, internal_format=form
        )
        _smooth(made, swizzle)
        if sampler.nearest:
            made.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.NEAREST)
        if sampler.wrap_u is not Wrap.REPEAT or sampler.wrap_v is not Wrap.REPEAT:
            made.use(0)
            wrap = egl.load().function("glTexParameteri", c_uint, c_uint, c_int)
            wrap(_TEXTURE_2D, _WRAP_S, _WRAPS[sampler.wrap_u])
            wrap(_TEXTURE_2D, _WRAP_T, _WRAPS[sampler.wrap_v])
        return made


def _smooth(made: moderngl.Texture | moderngl.TextureCube, swizzle: str) -> None:
    made.build_mipmaps()
    made.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
    made.swizzle = swizzle


def _stored(
    pixels: NDArray[np.uint8], *, linear: bool
) -> tuple[NDArray[np.uint8], int | None, str]:
    """Pixels, their format there (None: by their channels), and what stands for red to alpha."""
    channels = pixels.shape[-1]
    if linear and channels == 1:  # there is no such format
        pixels, channels = np.repeat(pixels, 3, -1), 3
    form = (_SRGB if channels == 3 else _SRGB_ALPHA) if linear else None
    return pixels, form, {1: "RRR1", 3: "RGB1", 4: "RGBA"}[channels]


def _placed(texture: Texture) -> tuple[bytes, tuple[float, float, float, float]]:
    """How a texture and its layers lie; nothing where it lies as the surface says, alone."""
    if not texture.layers and texture.uv_map == SAME_UV:
        return b"", (1.0, 1.0, 1.0, 0.0)
    by_use = {layer.use: layer for layer in texture.layers}
    maps = [texture.uv_map, *(by_use[use].uv_map if use in by_use else SAME_UV for use in Use)]
    bump, occlusion = by_use.get(Use.NORMAL), by_use.get(Use.OCCLUSION)
    along = (1.0, 1.0) if bump is None else bump.strength
    strengths = (*along, 1.0 if occlusion is None else occlusion.strength[0], 0.0)
    return np.array(maps, np.float32).transpose(0, 2, 1).tobytes(), strengths


def _check_texture(texture: Texture) -> None:
    for layer in texture.layers:
        _check_pixels(f"{texture.name} {layer.use.value}", layer)
    _check_pixels(texture.name, texture)


def _check_pixels(name: str, texture: Texture | Layer) -> None:
    shape, cube = texture.pixels.shape, getattr(texture, "kind", None) is TextureKind.CUBE
    fits = len(shape) == 4 and shape[0] == 6 and shape[1] == shape[2] if cube else len(shape) == 3
    if not fits or shape[-1] not in (1, 3, 4) or 0 in shape or texture.pixels.dtype != np.uint8:
        expected = "(6, N, N, C)" if cube else "(H, W, C)"
        raise InvalidValueError(
            f"{name}: expected uint8 pixels {expected} with C 1, 3 or 4, got {shape} "
            f"{texture.pixels.dtype}"
        )
