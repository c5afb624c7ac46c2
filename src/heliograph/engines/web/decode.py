"""What a page's pictures hold, as the arrays of passes: rows turned over, normals unfolded.

The rows of a raw picture come from the bottom up (see `messages.Picture`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera, Projection
from heliograph.errors import EngineError
from heliograph.passes import ALPHA, DEPTH, DISTANCE, NORMALS, RGB, SEGMENTATION, PassSpecs, specs

PAGE_PASSES: Final[PassSpecs] = specs(RGB, DEPTH, NORMALS, SEGMENTATION, ALPHA, DISTANCE)
"""The passes that a page yields."""

PAGE_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {name: "depth" if name == "distance" else name for name in PAGE_PASSES}
)
"""What a page is asked for, by the pass that is made of it."""

CONTENTS: Final[Mapping[str, tuple[type[np.generic], int]]] = MappingProxyType(
    {
        "rgb": (np.uint8, 3),
        "rgba": (np.uint8, 4),
        "depth": (np.float32, 1),
        "normals": (np.uint32, 1),
        "ids": (np.int32, 1),
    }
)
"""Raw pictures: of which numbers, and how many of a pixel."""

_SHAPES: Final = MappingProxyType({"depth": "depth", "normals": "normals", "segmentation": "ids"})
_FULL: Final = np.float32(1 / 32767)
_NOTHING: Final = np.uint32(0x80008000)  # the normal where nothing is
_BLOCK: Final = 32768  # pixels


def contents_of(passes: Sequence[str]) -> dict[str, str]:
    """Which kind of picture each of the passes is read from."""
    colour = "rgba" if "alpha" in passes else "rgb"
    return {name: _SHAPES.get(PAGE_NAMES[name], colour) for name in passes}


def raw_bytes(content: str, pixels: int) -> int:
    """Bytes of a raw picture."""
    kind, count = CONTENTS[content]
    return pixels * count * np.dtype(kind).itemsize


def raw_picture(data: memoryview, content: str, camera: Camera) -> NDArray[Any]:
    """A raw picture's rows as they came, (H, W), or (H, W, 3 or 4) of colours.

    Raises:
        EngineError: as many bytes as it has not.
    """
    expected = raw_bytes(content, camera.width * camera.height)
    if data.nbytes != expected:
        raise EngineError(
            f"picture of camera {camera.name!r}: expected {expected} bytes of {content} for "
            f"{camera.width}x{camera.height}, got {data.nbytes}"
        )
    kind, count = CONTENTS[content]
    shape = (camera.height, camera.width, count)[: 2 if count == 1 else 3]
    return np.frombuffer(data, kind).reshape(shape)


def decode(
    name: str, picture: NDArray[Any], camera: Camera, out: NDArray[Any] | None
) -> NDArray[Any]:
    """One pass of a raw picture.

    Args:
        name: of the pass.
        picture: as `raw_picture` gives it, of the kind that `contents_of` names.
        camera: as used.
        out: where to; None for an array of its own.
    """
    if out is None:
        spec = PAGE_PASSES[name]
        out = np.empty(spec.shape(camera), spec.dtype)
    _DECODERS[name](picture[::-1], camera, out)
    return out


def _same(picture: NDArray[Any], _: Camera, out: NDArray[Any]) -> None:
    out[...] = picture


def _rgb(picture: NDArray[np.uint8], _: Camera, out: NDArray[Any]) -> None:
    if picture.shape == out.shape:
        out[...] = picture
        return
    for channel in range(3):  # one by one is four times as fast as all at once
        out[..., channel] = picture[..., channel]


def _alpha(picture: NDArray[np.uint8], _: Camera, out: NDArray[Any]) -> None:
    out[...] = picture[..., 3]


def _distance(depth: NDArray[np.float32], camera: Camera, out: NDArray[Any]) -> None:
    if camera.projection is Projection.ORTHOGRAPHIC:
        out[...] = depth
    else:
        lens = camera.fx, camera.fy, camera.cx, camera.cy
        np.multiply(depth, _ray_lengths(camera.size, lens), out=out)


def _normals(picture: NDArray[np.uint32], _: Camera, out: NDArray[Any]) -> None:
    height, width = picture.shape
    rows = max(_BLOCK // width, 1)
    for first in range(0, height, rows):  # small temporaries, which stay in the processor's cache
        block = slice(first, first + rows)
        _unfold(picture[block], out[block])


def _unfold(packed: NDArray[np.uint32], out: NDArray[Any]) -> None:
    """Unfold the octahedron: |x| + |y| + |z| = 1, its lower half turned out over the corners."""
    hit = packed != _NOTHING
    words = (packed * hit).view(np.int32)
    y = (words >> 16).astype(np.float32)
    x = (words << 16 >> 16).astype(np.float32)
    x *= _FULL
    y *= _FULL
    z = np.abs(x)
    z += np.abs(y)
    np.subtract(np.float32(1), z, out=z)
    fold = np.minimum(z, np.float32(0))
    x -= np.copysign(fold, x)
    y -= np.copysign(fold, y)
    scale = x * x
    scale += y * y
    scale += z * z
    np.sqrt(scale, out=scale)
    np.divide(hit, scale, out=scale)
    for axis, values in enumerate((x, y, z)):
        np.multiply(values, scale, out=out[..., axis])


@lru_cache(maxsize=8)
def _ray_lengths(
    size: tuple[int, int], lens: tuple[float, float, float, float]
) -> NDArray[np.float32]:
    """(H, W) how far along each pixel's ray one metre along the optical axis is."""
    (width, height), (fx, fy, cx, cy) = size, lens
    x = (np.arange(width) + 0.5 - cx) / fx
    y = (np.arange(height) + 0.5 - cy) / fy
    lengths: NDArray[np.float32] = np.sqrt(1 + x * x + (y * y)[:, None]).astype(np.float32)
    lengths.flags.writeable = False
    return lengths


_DECODERS: Mapping[str, Callable[[NDArray[Any], Camera, NDArray[Any]], None]] = MappingProxyType(
    {
        "rgb": _rgb,
        "alpha": _alpha,
        "depth": _same,
        "distance": _distance,
        "segmentation": _same,
        "normals": _normals,
    }
)
