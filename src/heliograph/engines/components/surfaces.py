"""The maps of a component's material as one texture of the rasterizer, with layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heliograph.errors import SceneError
from heliograph.raster.types import (
    SAME_UV,
    SMOOTH,
    Layer,
    Sampler,
    Texture,
    Use,
    UvMap,
    Wrap,
)
from heliograph.requires import Requires
from heliograph.scene.textures import TEXTURE_MAP, USES, image_of, uv_map_of

Pixels: TypeAlias = NDArray[np.uint8]
_ROUGH, _METAL = 1, 2  # channels
_LAYERS = (
    (Use.NORMAL, "normalMap", "normalScale"),
    (Use.OCCLUSION, "aoMap", "aoMapIntensity"),
    (Use.EMISSIVE, "emissiveMap", None),
)


class _Laid(NamedTuple):
    """Pixels (H, W, 3 or 4), and how they lie on a surface."""

    pixels: Pixels
    sampler: Sampler = SMOOTH
    uv_map: UvMap = SAME_UV


_WHITE = _Laid(np.full((1, 1, 3), 255, np.uint8))
SAID = (*USES, *(strength for _, _, strength in _LAYERS if strength))
"""The properties of a material that its texture depends on."""


def texture(
    material: Mapping[str, Any], read: Callable[[str], Pixels], own: Texture | None = None
) -> Texture | None:
    """The texture of a material; None for one without images.

    Args:
        material: properties as components have them.
        read: gives the pixels of an image file.
        own: what a mesh's own file says; a map that is given takes the place of the one there.

    Raises:
        SceneError: an image cannot be read, or two that make one texture lie differently.
    """
    given = {n: _laid(material[n], n, read) for n in USES if material.get(n) is not None}
    if own is None and not given:
        return None
    base = given.get("map", _WHITE if own is None else _Laid(own.pixels, own.sampler, own.uv_map))
    if "alphaMap" in given:
        base = _cut(base, given["alphaMap"])
    before = {} if own is None else {layer.use: layer for layer in own.layers}
    layers = [_metallic_roughness(given, before.get(Use.METALLIC_ROUGHNESS))]
    for use, name, strength in _LAYERS:
        said = None if strength is None else material.get(strength)
        layers.append(_layer(use, given.get(name), said, before.get(use)))
    return Texture(
        base.pixels,
        name="texture" if own is None else own.name,
        linear=True,
        sampler=base.sampler,
        uv_map=base.uv_map,
        layers=tuple(layer for layer in layers if layer is not None),
    )


def _laid(given: Any, name: str, read: Callable[[str], Pixels]) -> _Laid:
    image = image_of(given)
    if isinstance(image, str):
        try:
            image = read(image)
        except SceneError as error:
            raise SceneError(f"material.{name}: {error}") from None
    if image.shape[2] == 1:
        image = np.repeat(image, 3, 2)
    if isinstance(given, Mapping):
        wrap = given.get("wrap", TEXTURE_MAP["wrap"].default)
        sampler = Sampler(Wrap(wrap[0]), Wrap(wrap[1]), given.get("nearest", False))
        return _Laid(image, sampler, uv_map_of(given))
    return _Laid(image)


def _cut(base: _Laid, alpha: _Laid) -> _Laid:
    """A base whose opacity is multiplied by the green of another image."""
    (pixels, other), sampler, uv_map = _alike({"map": base, "alphaMap": alpha})
    own = pixels[:, :, 3].astype(int) if pixels.shape[2] == 4 else 255
    opacity = np.round(own * other[:, :, 1].astype(int) / 255).astype(np.uint8)
    return _Laid(np.dstack([pixels[:, :, :3], opacity]), sampler, uv_map)


def _metallic_roughness(given: Mapping[str, _Laid], own: Layer | None) -> Layer | None:
    """Roughness in green, metalness in blue."""
    names = {"roughnessMap": _ROUGH, "metalnessMap": _METAL}
    if given.keys().isdisjoint(names):
        return own
    kept = _WHITE if own is None else _Laid(own.pixels, own.sampler, own.uv_map)
    both = {name: given.get(name, kept) for name in names}
    images, sampler, uv_map = _alike(
        {name: laid._replace(pixels=laid.pixels[:, :, :3]) for name, laid in both.items()}
    )
    pixels = np.full_like(images[0], 255)
    for channel, image in zip(names.values(), images, strict=True):
        pixels[:, :, channel] = image[:, :, channel]
    return Layer(Use.METALLIC_ROUGHNESS, pixels, sampler, uv_map)


def _layer(use: Use, given: _Laid | None, said: Any, own: Layer | None) -> Layer | None:
    """A given map, or a file's own with the strength that is said."""
    if given is None:
        if own is None:
            return None
        given = _Laid(own.pixels, own.sampler, own.uv_map)
    strength = (1.0, 1.0) if own is None else own.strength
    if said is not None:
        strength = said if use is Use.NORMAL else (said, said)
    return Layer(use, given.pixels[:, :, :3], given.sampler, given.uv_map, strength)


def _alike(parts: Mapping[str, _Laid]) -> tuple[list[Pixels], Sampler, UvMap]:
    """Images that lie alike, all in the largest size; those of one pixel lie anyhow."""
    places = {part[1:] for part in parts.values() if part.pixels.shape[:2] != (1, 1)}
    if len(places) > 1:
        names = " and ".join(f"material.{name}" for name in parts)
        raise SceneError(
            f"{names}: expected two maps that lie alike; give both the same repeat, offset, "
            "rotation, center, wrap and nearest, or draw them into one image"
        )
    sampler, uv_map = places.pop() if places else (SMOOTH, SAME_UV)
    height, width = np.max([part.pixels.shape[:2] for part in parts.values()], 0).tolist()
    sized = [_sized(part.pixels, width, height, sampler.nearest) for part in parts.values()]
    return sized, sampler, uv_map


def _sized(pixels: Pixels, width: int, height: int, nearest: bool) -> Pixels:
    if pixels.shape[:2] == (height, width):
        return pixels
    with Requires("PIL"):
        from PIL import Image

    how = Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR
    planes = [Image.fromarray(plane).resize((width, height), how) for plane in _planes(pixels)]
    return np.dstack([np.asarray(plane) for plane in planes])


def _planes(pixels: Pixels) -> list[Pixels]:
    """The channels (H, W) one by one, as opacity must not weigh the others."""
    return [np.ascontiguousarray(pixels[:, :, channel]) for channel in range(pixels.shape[2])]
