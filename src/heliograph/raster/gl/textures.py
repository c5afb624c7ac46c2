"""Textures on the GPU."""

from __future__ import annotations

from collections.abc import Mapping
from ctypes import c_int, c_uint
from dataclasses import dataclass
from functools import cached_property

import moderngl
import numpy as np
from numpy.typing import NDArray

from heliograph.raster.gl import egl
from heliograph.raster.gl.programs import LAYER_UNITS, uniform
from heliograph.raster.textures import LINEAR_LAYERS, TextureStore, placed
from heliograph.raster.types import Sampler, Texture, TextureKind, Use, Wrap

_SRGB, _SRGB_ALPHA = 0x8C41, 0x8C43
_TEXTURE_2D, _WRAP_S, _WRAP_T = 0x0DE1, 0x2802, 0x2803
_WRAPS = {Wrap.REPEAT: 0x2901, Wrap.MIRROR: 0x8370, Wrap.CLAMP: 0x812F}
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


class GlTextureStore(TextureStore[Made]):
    """Textures as GL objects."""

    def __init__(self, gl: moderngl.Context) -> None:
        super().__init__()
        self._gl = gl

    def release(self, made: Made) -> None:
        """Free its pixels and those of its layers."""
        for image in (made.image, *made.layers.values()):
            image.release()

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

    def make(self, texture: Texture) -> Made:
        """Its pixels with all their levels."""
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
            layer.use: self._flat(layer.pixels, layer.sampler, linear=layer.use in LINEAR_LAYERS)
            for layer in texture.layers
        }
        return Made(image, texture.kind, layers, *placed(texture))

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
