"""Blender's images as textures of the rasterizer."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from heliograph.colour import encoded, linear
from heliograph.engines.shared import maps
from heliograph.raster import Layer, Rasterizer, Sampler, Texture, Use, Wrap
from heliograph.raster.types import SAME_UV, SMOOTH, UvMap

_WRAPS = {"REPEAT": Wrap.REPEAT, "EXTEND": Wrap.CLAMP, "MIRROR": Wrap.MIRROR}
_CHANNELS = {"Red": 0, "Green": 1, "Blue": 2, "Alpha": 3}
_TO_LINEAR = linear(np.arange(256) / 255)

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Lying:
    """An image, and how it lies on a surface."""

    image: str
    sampler: Sampler = SMOOTH
    uv_map: UvMap = SAME_UV


@dataclass(frozen=True)
class Maps:
    """The images of a material.

    Attributes:
        base: its colour.
        clear: whether the alpha of that is its opacity.
        metal, rough: what multiplies metalness and roughness, and which output says so.
        normal: a normal map, and how strong it is.
        glow: its light.
    """

    base: Lying | None = None
    clear: bool = False
    metal: Lying | None = None
    metal_channel: str = ""
    rough: Lying | None = None
    rough_channel: str = ""
    normal: Lying | None = None
    strength: float = 1.0
    glow: Lying | None = None

    @property
    def images(self) -> tuple[Lying, ...]:
        """Those that there are."""
        found = (self.base, self.metal, self.rough, self.normal, self.glow)
        return tuple(each for each in found if each is not None)


NO_MAPS = Maps()


def lying_of(node: Any, uv_map: UvMap) -> Lying:
    """The image of a node, and how it lies."""
    wrap = _WRAPS[node.extension]
    sampler = Sampler(wrap, wrap, node.interpolation == "Closest")
    return Lying(node.image.name_full, sampler, uv_map)


class Textures:
    """Textures on the rasterizer, each once, as long as something shows it.

    Args:
        rasterizer: where they are.
    """

    def __init__(self, rasterizer: Rasterizer) -> None:
        self._rasterizer = rasterizer
        self._made: dict[tuple[Any, ...], tuple[int, bool]] = {}
        self._versions: dict[str, int] = {}

    def forget(self, images: set[str]) -> None:
        """The pixels of these images may have changed."""
        for name in images:
            self._versions[name] = self._versions.get(name, 0) + 1

    def take(self, told: Maps) -> tuple[int, bool]:
        """A handle, -1 for no images; whether the texture is see-through anywhere."""
        if not told.images:
            return -1, False
        key = self.key(told)
        if key not in self._made:
            texture = _texture(told)
            clear = texture.pixels.shape[2] == 4 and bool((texture.pixels[:, :, 3] < 255).any())
            self._made[key] = self._rasterizer.add_texture(texture), clear
        return self._made[key]

    def key(self, told: Maps) -> tuple[Any, ...]:
        """What the texture depends on."""
        return told, *(self.state(bpy.data.images.get(each.image)) for each in told.images)

    def keep(self, shown: set[tuple[Any, ...]]) -> None:
        """Free all but these, by their keys."""
        for key in self._made.keys() - shown:
            self._rasterizer.remove_texture(self._made.pop(key)[0])

    def state(self, image: Any) -> tuple[Any, ...]:
        """What the pixels of an image depend on; those that were painted count themselves.

        Of one that is gone, as that of an edit is after its view, nothing is known.
        """
        if image is None:
            return ()
        pixels = blake2b(_floats(image).tobytes()).digest() if image.is_dirty else b""
        space, kind = image.colorspace_settings.name, image.source
        version = self._versions.get(image.name_full, 0)
        return image.session_uid, version, space, kind, image.filepath, *image.size, pixels


def _texture(told: Maps) -> Texture:
    base = told.base or Lying("")
    pixels = maps.WHITE if told.base is None else _colours(base.image, alpha=told.clear)
    layers = []
    shiny = told.metal or told.rough
    if shiny is not None:
        green, blue = (
            np.full((1, 1), 255, np.uint8) if image is None else _numbers(image.image, channel)
            for image, channel in (
                (told.rough, told.rough_channel),
                (told.metal, told.metal_channel),
            )
        )
        packed = maps.packed(green, blue)
        layers.append(Layer(Use.METALLIC_ROUGHNESS, packed, shiny.sampler, shiny.uv_map))
    if told.normal is not None:
        bumps = np.dstack([_numbers(told.normal.image, each) for each in ("Red", "Green", "Blue")])
        strength = (told.strength, told.strength)
        layers.append(Layer(Use.NORMAL, bumps, told.normal.sampler, told.normal.uv_map, strength))
    if told.glow is not None:
        light = _colours(told.glow.image, alpha=False)
        layers.append(Layer(Use.EMISSIVE, light, told.glow.sampler, told.glow.uv_map))
    return Texture(
        pixels,
        name=base.image or "texture",
        linear=True,
        sampler=base.sampler,
        uv_map=base.uv_map,
        layers=tuple(layers),
    )


def radiance(image: Any) -> Pixels:
    """The linear colours of an image, (H, W, 3), row 0 at the top."""
    return _linear(image)[:, :, :3]


def _colours(name: str, *, alpha: bool) -> NDArray[np.uint8]:
    """Pixels (H, W, 3 or 4) as sRGB."""
    image = bpy.data.images[name]
    pixels = _floats(image)
    if not _is_srgb(image):
        pixels = np.dstack([encoded(np.clip(pixels[:, :, :3], 0, 1)), pixels[:, :, 3:]])
    return _bytes(pixels[:, :, : 4 if alpha else 3])


def _numbers(name: str, channel: str) -> NDArray[np.uint8]:
    """One output of an image, (H, W); of its colour as a number the luminance."""
    pixels = _linear(bpy.data.images[name])
    if channel in _CHANNELS:
        return _bytes(pixels[:, :, _CHANNELS[channel]])
    return _bytes(pixels[:, :, :3] @ np.array([0.2126, 0.7152, 0.0722], np.float32))


def _linear(image: Any) -> Pixels:
    pixels = _floats(image)
    if _is_srgb(image):
        shades = np.round(np.clip(pixels[:, :, :3], 0, 1) * 255).astype(np.uint8)
        pixels[:, :, :3] = _TO_LINEAR[shades]
    return pixels


def _is_srgb(image: Any) -> bool:
    return not image.is_float and image.colorspace_settings.name == "sRGB"


def _floats(image: Any) -> Pixels:
    """Pixels (H, W, 4) as they are stored, row 0 at the top; magenta where there are none."""
    width, height = image.size
    if not image.has_data and not (width and height):
        return np.array([[[1.0, 0.0, 1.0, 1.0]]], np.float32)
    stored = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(stored)
    pixels = stored.reshape(height, width, image.channels)[::-1]
    made = np.ones((height, width, 4), np.float32)
    if image.channels < 3:
        made[:, :, :3] = pixels[:, :, :1]
    else:
        made[:, :, : image.channels] = pixels
    return made


def _bytes(shares: NDArray[Any]) -> NDArray[np.uint8]:
    made: NDArray[np.uint8] = np.round(np.clip(shares, 0, 1) * 255).astype(np.uint8)
    return made
