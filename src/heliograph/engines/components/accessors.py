"""Vertices of .glb files that are whole numbers, made floats: trimesh takes them as they stand.

glTF has texture coordinates, and with KHR_mesh_quantization positions and normals, of 8 or 16 bits,
which are shares of the largest number where the file says `normalized`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CHUNK = struct.Struct("<I4s")
_WHOLE: Mapping[int, Any] = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16}
_FLOAT = 5126
_WIDTHS = {"VEC2": 2, "VEC3": 3}
_ATTRIBUTES = ("POSITION", "NORMAL", "TEXCOORD_0")


def with_floats(said: Mapping[str, Any], rest: bytes) -> tuple[dict[str, Any], bytes]:
    """A file's JSON and what follows it, with floats at the end of its binary chunk.

    Raises:
        ValueError: numbers that are not there.
    """
    accessors, views = [*said.get("accessors", ())], [*said.get("bufferViews", ())]
    numbers = {number for number in _vertices(said) if _is_whole(accessors[number], views)}
    if not numbers or rest[4:8] != b"BIN\0":
        return dict(said), rest
    (length, kind), binary = _CHUNK.unpack_from(rest), rest[_CHUNK.size :]
    after, binary = binary[length:], binary[:length]
    for number in sorted(numbers):
        accessor, view = accessors[number], views[accessors[number]["bufferView"]]
        data = _floats(accessor, view, binary).tobytes()
        binary += bytes(-len(binary) % 4)
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(data)})
        made = {"componentType": _FLOAT, "bufferView": len(views) - 1, "byteOffset": 0}
        accessors[number] = {**accessor, **made, "normalized": False}
        binary += data
    buffers = [{**said["buffers"][0], "byteLength": len(binary)}, *said["buffers"][1:]]
    changed = {"accessors": accessors, "bufferViews": views, "buffers": buffers}
    return {**said, **changed}, _CHUNK.pack(len(binary), kind) + binary + after


def _vertices(said: Mapping[str, Any]) -> set[int]:
    """The accessors of positions, normals and texture coordinates."""
    primitives = [each for mesh in said.get("meshes", ()) for each in mesh["primitives"]]
    attributes = [each.get("attributes", {}) for each in primitives]
    return {each[name] for each in attributes for name in _ATTRIBUTES if name in each}


def _is_whole(accessor: Mapping[str, Any], views: list[Any]) -> bool:
    """Whether its numbers are whole ones of the binary chunk."""
    if "bufferView" not in accessor or "sparse" in accessor:
        return False
    inside = views[accessor["bufferView"]].get("buffer") == 0
    return inside and accessor["componentType"] in _WHOLE and accessor["type"] in _WIDTHS


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
