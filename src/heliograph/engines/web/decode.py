"""What a page's pictures hold, as the arrays of passes: rows turned over, normals unfolded.

A page sends three kinds of raw picture, whose rows come from the bottom up (see
`messages.Picture`): `rgba`, which `rgb` and `alpha` are read from; `geometry`, which all other
passes are; and `depth` in its place, where depth is all that is asked for.
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

_COLOURS: Final = ("rgb", "alpha")
_FULL: Final = np.float32(1 / 32767)
_BLOCK: Final = 16384  # pixels

Words = NDArray[np.uint32]


def contents_of(passes: Sequence[str]) -> dict[str, str]:
    """Which kind of picture each of the passes is read from."""
    shapes = [name for name in passes if name not in _COLOURS]
    kind = "depth" if all(PAGE_NAMES[name] == "depth" for name in shapes) else "geometry"
    return {name: "rgba" if name in _COLOURS else kind for name in passes}


def raw_picture(data: memoryview, camera: Camera) -> Words:
    """A raw picture's rows as they came, (H, W) uint32, or (H, W, 4) of `geometry`.

    Raises:
        EngineError: as many bytes as neither has.
    """
    count = camera.width * camera.height
    if data.nbytes not in (4 * count, 16 * count):
        raise EngineError(
            f"picture of camera {camera.name!r}: expected {4 * count} or {16 * count} bytes for "
            f"{camera.width}x{camera.height}, got {data.nbytes}"
        )
    words = np.frombuffer(data, np.uint32)
    shape = camera.height, camera.width
    return words.reshape(shape if len(words) == count else (*shape, 4))


def decode(name: str, picture: Words, camera: Camera, out: NDArray[Any] | None) -> NDArray[Any]:
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


def _rgb(picture: Words, _: Camera, out: NDArray[Any]) -> None:
    channels = picture.view(np.uint8)
    for channel in range(3):  # one by one is four times as fast as all at once
        out[..., channel] = channels[:, channel::4]


def _alpha(picture: Words, _: Camera, out: NDArray[Any]) -> None:
    out[...] = picture.view(np.uint8)[:, 3::4]


def _depth(picture: Words, _: Camera, out: NDArray[Any]) -> None:
    out[...] = _depths(picture)


def _depths(picture: Words) -> NDArray[np.float32]:
    return (picture if picture.ndim == 2 else picture[..., 0]).view(np.float32)


def _distance(picture: Words, camera: Camera, out: NDArray[Any]) -> None:
    depth = _depths(picture)
    if camera.projection is Projection.ORTHOGRAPHIC:
        out[...] = depth
    else:
        lens = camera.fx, camera.fy, camera.cx, camera.cy
        np.multiply(depth, _ray_lengths(camera.size, lens), out=out)


def _segmentation(picture: Words, _: Camera, out: NDArray[Any]) -> None:
    out[...] = picture[..., 2].view(np.int32)


def _normals(picture: Words, _: Camera, out: NDArray[Any]) -> None:
    height, width = picture.shape[:2]
    rows = max(_BLOCK // width, 1)
    for first in range(0, height, rows):  # small temporaries, which stay in the processor's cache
        block = slice(first, first + rows)
        _unfold(picture[block], out[block])


def _unfold(picture: Words, out: NDArray[Any]) -> None:
    """Unfold the octahedron: |x| + |y| + |z| = 1, its lower half turned out over the corners."""
    packed = np.ascontiguousarray(picture[..., 1]).view(np.int16)
    x, y = packed[..., 0::2] * _FULL, packed[..., 1::2] * _FULL
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
    np.divide(np.isfinite(picture[..., 0].view(np.float32)), scale, out=scale)
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


_DECODERS: Mapping[str, Callable[[Words, Camera, NDArray[Any]], None]] = MappingProxyType(
    {
        "rgb": _rgb,
        "alpha": _alpha,
        "depth": _depth,
        "distance": _distance,
        "segmentation": _segmentation,
        "normals": _normals,
    }
)
