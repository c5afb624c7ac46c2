"""Vertices of glTF files that are whole numbers, made floats: trimesh takes them as they stand.

glTF has texture coordinates, and with KHR_mesh_quantization positions and normals, of 8 or 16 bits,
which are shares of the largest number where the file says `normalized`.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CHUNK = struct.Struct("<I4s")
_WHOLE: Mapping[int, Any] = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16}
_FLOAT = 5126
_DATA = "data:application/octet-stream;base64,"
_WIDTHS = {"VEC2": 2, "VEC3": 3}
_ATTRIBUTES = ("POSITION", "NORMAL", "TEXCOORD_0")


def binaries(
    buffers: Sequence[Mapping[str, Any]], rest: bytes, read: Callable[[str], bytes]
) -> Callable[[int], bytes]:
    """What gives the content of a file's buffers by their number, each read once.

    Args:
        buffers: as its JSON has them.
        rest: what follows it in a .glb file.
        read: gives what is in a file beside it.
    """

    @cache
    def binary(number: int) -> bytes:
        uri = buffers[number].get("uri")
        if uri is None and number:
            raise ValueError(f"buffer {number} has no uri")
        return _chunk(rest) if uri is None else _read(uri, read)

    return binary


def with_floats(
    said: Mapping[str, Any], rest: bytes, read: Callable[[str], bytes]
) -> dict[str, Any]:
    """A file's JSON, with floats in one more buffer.

    Args:
        said: its JSON.
        rest: what follows it in a .glb file.
        read: gives what is in a file beside it.

    Raises:
        ValueError: numbers that are not there.
    """
    accessors, views = [*said.get("accessors", ())], [*said.get("bufferViews", ())]
    buffers, floats = [*said.get("buffers", ())], b""

    binary = binaries(buffers, rest, read)
    for number in sorted(_vertices(said)):
        accessor = accessors[number]
        if not _is_whole(accessor):
            continue
        view = views[accessor["bufferView"]]
        data = _floats(accessor, view, binary(view["buffer"])).tobytes()
        views.append({"buffer": len(buffers), "byteOffset": len(floats), "byteLength": len(data)})
        made = {"componentType": _FLOAT, "bufferView": len(views) - 1, "byteOffset": 0}
        accessors[number] = {**accessor, **made, "normalized": False}
        floats += data
    if not floats:
        return dict(said)
    uri = _DATA + base64.b64encode(floats).decode()
    buffers.append({"uri": uri, "byteLength": len(floats)})
    return {**said, "accessors": accessors, "bufferViews": views, "buffers": buffers}


def _chunk(rest: bytes) -> bytes:
    if rest[4:8] != b"BIN\0":
        raise ValueError("buffer 0 has no uri")
    return rest[_CHUNK.size :][: _CHUNK.unpack_from(rest)[0]]


def _read(uri: str, read: Callable[[str], bytes]) -> bytes:
    is_data = uri.startswith("data:")
    return base64.b64decode(uri.partition("base64,")[2]) if is_data else read(uri)


def _vertices(said: Mapping[str, Any]) -> set[int]:
    """The accessors of positions, normals and texture coordinates."""
    primitives = [each for mesh in said.get("meshes", ()) for each in mesh["primitives"]]
    attributes = [each.get("attributes", {}) for each in primitives]
    return {each[name] for each in attributes for name in _ATTRIBUTES if name in each}


def _is_whole(accessor: Mapping[str, Any]) -> bool:
    """Whether its numbers are whole ones of a buffer."""
    if "bufferView" not in accessor or "sparse" in accessor:
        return False
    return accessor["componentType"] in _WHOLE and accessor["type"] in _WIDTHS


def _floats(
    accessor: Mapping[str, Any], view: Mapping[str, Any], binary: bytes
) -> NDArray[np.float32]:
    kind, width = _WHOLE[accessor["componentType"]], _WIDTHS[accessor["type"]]
    dtype = np.dtype(kind)
    stride = view.get("byteStride", dtype.itemsize * width)
    start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    end = start + stride * (accessor["count"] - 1) + dtype.itemsize * width
    if start < 0 or end > len(binary) or stride < dtype.itemsize * width:
        raise ValueError("its vertices are cut off")
    shape, strides = (accessor["count"], width), (stride, dtype.itemsize)
    rows: NDArray[Any] = np.ndarray(shape, dtype, binary, start, strides)
    values = rows.astype(np.float32)
    return np.maximum(values / np.iinfo(kind).max, -1) if accessor.get("normalized") else values
