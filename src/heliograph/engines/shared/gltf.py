"""What glTF files say of materials, read from their JSON: trimesh keeps only a part of it.

Materials are named by their number in what trimesh reads, so that those of its meshes are known
again. Texture coordinates that it makes have v = 0 at the bottom, glTF's at the top.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heliograph.colour import encoded
from heliograph.engines.shared import animation
from heliograph.engines.shared.accessors import binaries, with_floats
from heliograph.engines.shared.maps import WHITE
from heliograph.raster.types import SAME_UV, SMOOTH, Layer, Sampler, Texture, Use, UvMap, Wrap
from heliograph.scene import images

SUFFIXES = (".glb", ".gltf")
SUPPORTED = frozenset(
    {
        "EXT_texture_webp",
        "KHR_materials_emissive_strength",
        "KHR_materials_unlit",
        "KHR_mesh_quantization",
        "KHR_texture_transform",
    }
)
"""Extensions that are drawn as they say."""
Moment: TypeAlias = tuple[str | None, float]
"""The name of an animation, or None, and seconds since it began."""
_HEAD, _CHUNK = struct.Struct("<4sII"), struct.Struct("<I4s")
_WRAPS = {33071: Wrap.CLAMP, 33648: Wrap.MIRROR, 10497: Wrap.REPEAT}
_NEAREST = 9728
_LAYERS = (
    (Use.METALLIC_ROUGHNESS, "metallicRoughnessTexture", ""),
    (Use.NORMAL, "normalTexture", "scale"),
    (Use.OCCLUSION, "occlusionTexture", "strength"),
    (Use.EMISSIVE, "emissiveTexture", ""),
)


@dataclass(eq=False)
class Look:
    """What a surface looks like.

    Attributes:
        material: properties as components have them, without images.
        kind: how light makes its colour.
        texture: its images, or None.
        opaque: whether colours of vertices have no opacity.
        troubles: what of it is not shown.
    """

    material: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "standard"
    texture: Texture | None = None
    opaque: bool = False
    troubles: tuple[str, ...] = ()


class Document:
    """A glTF file.

    Args:
        data: of a .glb or .gltf file.
        read: gives what is in a file beside it.
        binary: whether it is a .glb file.
        moment: the animation that it shows, None for none, and the seconds since that began.

    Attributes:
        unsupported: the extensions that it uses and that are not drawn.
        lacking: those of them without which it is not what its author meant.

    Raises:
        ValueError: it is none.
    """

    def __init__(
        self,
        data: bytes,
        read: Callable[[str], bytes],
        *,
        binary: bool,
        moment: Moment = (None, 0.0),
    ) -> None:
        text, self._rest = _chunks(data) if binary else (data, b"")
        self._binary, self._read = binary, read
        self._animation, self._time = moment
        said = json.loads(text)
        if not isinstance(said, dict):
            raise ValueError("its JSON is no object")
        self._said: dict[str, Any] = said
        self._pixels: dict[int, tuple[Any, NDArray[np.uint8] | None]] = {}
        self.unsupported = sorted({*said.get("extensionsUsed", ())} - SUPPORTED)
        self.lacking = sorted({*said.get("extensionsRequired", ())} - SUPPORTED)

    def numbered(self) -> bytes:
        """The file with materials that have nothing but their textures, and a number as name."""
        said = self._said.get("materials", ())
        materials = [{**_infos(each), "name": str(number)} for number, each in enumerate(said)]
        binary = binaries(self._said.get("buffers", ()), self._rest, self._read)
        said_then = animation.posed(self._said, binary, self._animation, self._time)
        floats = with_floats(said_then, self._rest, self._read)
        text = json.dumps({**floats, "materials": materials}).encode()
        if not self._binary:
            return text
        text += b" " * (-len(text) % 4)
        size = _HEAD.size + _CHUNK.size + len(text) + len(self._rest)
        head = _HEAD.pack(b"glTF", 2, size) + _CHUNK.pack(len(text), b"JSON")
        return head + text + self._rest

    def look(self, read: Any) -> Look:
        """What a material looks like.

        Args:
            read: what trimesh makes of it; None for a mesh without one.
        """
        said = {} if read is None else self._said["materials"][int(read.name)]
        opaque = said.get("alphaMode", "OPAQUE") == "OPAQUE"
        troubles: list[str] = []
        name = f"material {said.get('name', getattr(read, 'name', ''))!r}"
        found = {}
        for key, info in _infos(said).items():
            try:
                found[key] = self._laid(info, getattr(read, key, None))
            except ValueError as error:
                troubles.append(f"the {key} of {name} is not shown: {error}")
        return Look(
            material=_properties(said),
            kind="basic" if "KHR_materials_unlit" in _extensions(said) else "standard",
            texture=_texture(found, _infos(said), opaque=opaque),
            opaque=opaque,
            troubles=tuple(troubles),
        )

    def _laid(self, info: Mapping[str, Any], image: Any) -> _Laid:
        """A texture as it lies on a surface.

        Raises:
            ValueError: it cannot be shown.
        """
        moved = _extensions(info).get("KHR_texture_transform", {})
        uv_set = moved.get("texCoord", info.get("texCoord", 0))
        if uv_set:
            raise ValueError(
                f"it uses TEXCOORD_{uv_set}; of texture coordinates TEXCOORD_0 is read"
            )
        if image is None:
            raise ValueError("its image is missing or not a readable image")
        if id(image) not in self._pixels:
            self._pixels[id(image)] = image, _pixels(image)
        pixels = self._pixels[id(image)][1]
        if pixels is None:
            raise ValueError("its image is not a readable image")
        number = self._said["textures"][info["index"]].get("sampler")
        sampler = SMOOTH if number is None else _sampler(self._said["samplers"][number])
        return _Laid(pixels, sampler, _uv_map(moved) if moved else SAME_UV)


@dataclass(frozen=True, eq=False)
class _Laid:
    pixels: NDArray[np.uint8]
    sampler: Sampler
    uv_map: UvMap


def _chunks(data: bytes) -> tuple[bytes, bytes]:
    """The JSON of a .glb file, and all that follows it."""
    start = _HEAD.size + _CHUNK.size
    if len(data) < start or not data.startswith(b"glTF"):
        raise ValueError("it does not begin with glTF")
    _, version, _ = _HEAD.unpack_from(data)
    length, kind = _CHUNK.unpack_from(data, _HEAD.size)
    if version != 2 or kind != b"JSON" or len(data) < start + length:
        raise ValueError(f"expected version 2 and all of its JSON, got version {version}")
    return data[start : start + length], data[start + length :]


def _extensions(said: Mapping[str, Any]) -> Mapping[str, Any]:
    return said.get("extensions") or {}


def _infos(said: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What a material says of its textures, by name."""
    both = {**said, **said.get("pbrMetallicRoughness", {})}
    names = ("baseColorTexture", *(name for _, name, _ in _LAYERS))
    return {name: both[name] for name in names if name in both}


def _properties(said: Mapping[str, Any]) -> dict[str, Any]:
    """A material as components have it."""
    mode = said.get("alphaMode", "OPAQUE")
    surface = said.get("pbrMetallicRoughness", {})
    base = _shares(surface.get("baseColorFactor", (1.0,) * 4), "baseColorFactor", 4)
    glow = _shares(said.get("emissiveFactor", (0.0,) * 3), "emissiveFactor", 3)
    strength = _extensions(said).get("KHR_materials_emissive_strength", {})
    found = {
        "color": tuple(encoded(base[:3]).tolist()),
        "opacity": 1.0 if mode == "OPAQUE" else float(base[3]),
        "emissive": tuple(encoded(glow).tolist()),
        "emissiveIntensity": _number(strength.get("emissiveStrength", 1.0), "emissiveStrength"),
        "side": "double" if said.get("doubleSided") else "front",
    }
    for name, ours in (("roughnessFactor", "roughness"), ("metallicFactor", "metalness")):
        found[ours] = min(_number(surface.get(name, 1.0), name), 1.0)
    if mode == "MASK":
        cutoff = _number(said.get("alphaCutoff", 0.5), "alphaCutoff")
        found |= {"alphaTest": min(cutoff, 1.0)} if cutoff else {"opacity": 1.0}
    return found


def _number(value: Any, name: str) -> float:
    """A finite number, at least 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{name}: expected a finite number, got {value!r}")
    return max(float(value), 0.0)


def _shares(values: Iterable[Any], name: str, count: int) -> NDArray[np.float64]:
    """`count` numbers from 0 to 1."""
    shares = np.array([_number(value, name) for value in values])
    if len(shares) != count:
        raise ValueError(f"{name}: expected {count} numbers, got {len(shares)}")
    return shares.clip(0.0, 1.0)


def _texture(
    found: Mapping[str, _Laid], infos: Mapping[str, Mapping[str, Any]], *, opaque: bool
) -> Texture | None:
    """All textures of a material as one; None without any."""
    if not found:
        return None
    white = _Laid(WHITE, SMOOTH, SAME_UV)
    base = found.get("baseColorTexture", white)
    layers = []
    for use, name, strength in _LAYERS:
        if name in found:
            laid, factor = found[name], _factor(infos[name].get(strength, 1.0), strength)
            layers.append(
                Layer(use, laid.pixels[:, :, :3], laid.sampler, laid.uv_map, (factor, factor))
            )
    pixels = base.pixels[:, :, :3] if opaque else base.pixels
    return Texture(pixels, sampler=base.sampler, uv_map=base.uv_map, layers=tuple(layers))


def _factor(value: Any, name: str) -> float:
    """A strength; that of normals may be below 0, which turns them over."""
    return math.copysign(_number(abs(value), name), value)


def _pixels(image: Any) -> NDArray[np.uint8] | None:
    try:
        return images.pixels(image)
    except Exception:  # noqa: BLE001 -- decoders of broken files raise whatever they like
        return None


def _sampler(said: Mapping[str, Any]) -> Sampler:
    wrap_u, wrap_v = (_WRAPS.get(said.get(name, 0), Wrap.REPEAT) for name in ("wrapS", "wrapT"))
    return Sampler(wrap_u, wrap_v, said.get("magFilter") == _NEAREST)


def _uv_map(moved: Mapping[str, Any]) -> UvMap:
    """KHR_texture_transform's T R S, where R turns counter-clockwise, for v = 0 at the bottom."""
    right, down = (float(each) for each in moved.get("offset", (0.0, 0.0)))
    across, up = (float(each) for each in moved.get("scale", (1.0, 1.0)))
    angle = float(moved.get("rotation", 0.0))
    cos, sin = math.cos(angle), math.sin(angle)
    if not math.isfinite(right + down + across + up + angle):
        raise ValueError("its KHR_texture_transform is not finite")
    # u' = cos across u + sin up v + right, v' = cos up v - sin across u + down; ours are 1 - v.
    return (
        (across * cos, -up * sin, right + up * sin),
        (across * sin, up * cos, 1 - down - up * cos),
    )
