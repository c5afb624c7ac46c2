"""The maps of a component's material as one texture of the rasterizer, with layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from heliograph.engines.shared import maps
from heliograph.engines.shared.maps import Pixels
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
from heliograph.scene.textures import (
    TEXTURE_MAP,
    USES,
    MaterialTexture,
    TextureUse,
    image_of,
    uv_map_of,
)
from heliograph.scene.values import fingerprint

_OWN = "the metallicRoughnessTexture of its file"
_LAYERS = (
    (Use.NORMAL, "normalMap", "normalScale"),
    (Use.OCCLUSION, "aoMap", "aoMapIntensity"),
    (Use.EMISSIVE, "emissiveMap", None),
)
_SAID: Mapping[Use, tuple[TextureUse, ...]] = MappingProxyType(
    {
        Use.METALLIC_ROUGHNESS: ("metallic", "roughness"),
        Use.NORMAL: ("normal",),
        Use.OCCLUSION: ("occlusion",),
        Use.EMISSIVE: ("emissive",),
    }
)


class _Laid(NamedTuple):
    """Pixels (H, W, 3 or 4), and how they lie on a surface."""

    pixels: Pixels
    sampler: Sampler = SMOOTH
    uv_map: UvMap = SAME_UV


_WHITE = _Laid(maps.WHITE)
SAID = (*USES, *(strength for _, _, strength in _LAYERS if strength))
"""The properties of a material that its texture depends on."""


def said_of(own: Texture | None) -> tuple[MaterialTexture, ...]:
    """The images of a mesh's file as a material says them; equal ones have equal names."""
    if own is None:
        return ()
    made = []
    if own.pixels is not maps.WHITE:
        made.append(_said("base_color", own, (1.0, 1.0)))
    for layer in own.layers:
        made += [_said(use, layer, layer.strength) for use in _SAID[layer.use]]
    return tuple(made)


def _said(
    use: TextureUse, image: Texture | Layer, strength: tuple[float, float]
) -> MaterialTexture:
    sampler = image.sampler
    return MaterialTexture(
        use=use,
        image=fingerprint(image.pixels).hex(),
        wrap=(sampler.wrap_u.value, sampler.wrap_v.value),
        nearest=sampler.nearest,
        uv_map=image.uv_map,
        strength=strength,
    )


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
    sampler, uv_map = _place({"material.map": base, "material.alphaMap": alpha})
    pixels, other = maps.same_size((base.pixels, alpha.pixels), nearest=sampler.nearest)
    own = pixels[:, :, 3].astype(int) if pixels.shape[2] == 4 else 255
    opacity = np.round(own * other[:, :, 1].astype(int) / 255).astype(np.uint8)
    return _Laid(np.dstack([pixels[:, :, :3], opacity]), sampler, uv_map)


def _metallic_roughness(given: Mapping[str, _Laid], own: Layer | None) -> Layer | None:
    """Roughness in green, metalness in blue."""
    names = ("roughnessMap", "metalnessMap")
    if given.keys().isdisjoint(names):
        return own
    kept = _WHITE if own is None else _Laid(own.pixels, own.sampler, own.uv_map)
    rough, metal = (given.get(name, kept) for name in names)
    told = [f"material.{name}" if name in given else _OWN for name in names]
    sampler, uv_map = _place(dict(zip(told, (rough, metal), strict=True)))
    green, blue = rough.pixels[:, :, 1], metal.pixels[:, :, 2]
    pixels = maps.packed(green, blue, nearest=sampler.nearest)
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


def _place(parts: Mapping[str, _Laid]) -> tuple[Sampler, UvMap]:
    """How images lie that lie alike; those of one pixel lie anyhow.

    Args:
        parts: the images by what messages call them.

    Raises:
        SceneError: they lie differently.
    """
    places = {part[1:] for part in parts.values() if part.pixels.shape[:2] != (1, 1)}
    if len(places) > 1:
        raise SceneError(
            f"{' and '.join(parts)}: expected two maps that lie alike; give both the same repeat, "
            "offset, rotation, center, wrap and nearest, or draw them into one image"
        )
    return places.pop() if places else (SMOOTH, SAME_UV)
