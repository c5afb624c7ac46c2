"""Evaluated meshes of Blender as arrays.

Attributes are read through `foreach_get` of float32 and int32 buffers, which copies memory; other
buffers and the older properties convert number by number and take ten times as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.raster import Geometry

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False)
class Part:
    """The faces of a mesh that have one material.

    Attributes:
        slot: number of the material, as the mesh counts them.
        geometry: its triangles.
    """

    slot: int
    geometry: Geometry


def parts(mesh: Any) -> list[Part]:
    """The parts of an evaluated `bpy.types.Mesh`, one for each material that it shows.

    A vertex is what corners share that have one place, normal and texture coordinates. What the
    arrays are depends on the mesh alone, not on what it was before.
    """
    if not mesh.polygons:
        return []
    triangles = _triangles(mesh)
    vertices = _read(mesh.attributes[".corner_vert"].data, "value", len(mesh.loops), np.int32)
    positions = _read(mesh.attributes["position"].data, "vector", (len(mesh.vertices), 3))
    normals = _read(mesh.corner_normals, "vector", (len(mesh.loops), 3))
    uvs = _uvs(mesh)
    slots = _slots(mesh)
    found = []
    for slot in [0] if slots is None else np.unique(slots).tolist():
        mine = triangles if slots is None else triangles[slots == slot]
        corners, used = _shared(mine, vertices, normals, uvs)
        geometry = Geometry(
            positions[vertices[corners]],
            used,
            normals[corners],
            None if uvs is None else uvs[corners],
            simplify=False,
            name=f"mesh {mesh.name!r}",
        )
        found.append(Part(slot, geometry))
    return found


def _shared(
    triangles: Ints, vertices: Ints, normals: Floats, uvs: Floats | None
) -> tuple[NDArray[np.intp], NDArray[np.uint32]]:
    """One corner of each vertex (V,), and triangles (T, 3) of vertices.

    Args:
        triangles: (T, 3) of corners.
        vertices: (C,), what Blender calls so.
        normals: (C, 3).
        uvs: (C, 2), or None.
    """
    corners = triangles.reshape(-1)
    columns = [vertices[corners].view(np.uint32), *normals[corners].view(np.uint32).T]
    if uvs is not None:
        columns += list(uvs[corners].view(np.uint32).T)
    key = np.zeros(len(corners), np.uint64)
    for column in columns:  # multiplies and folds, so that equal rows alone meet
        key = (key ^ column) * _MIX
        key ^= key >> np.uint64(29)
    _, first, place = np.unique(key, return_index=True, return_inverse=True)
    return corners[first], place.reshape(-1, 3).astype(np.uint32)


def _triangles(mesh: Any) -> Ints:
    """Corners (T, 3) of triangles."""
    count = len(mesh.loop_triangles)
    if count == len(mesh.polygons) and 3 * count == len(mesh.loops):
        return np.arange(3 * count, dtype=np.int32).reshape(-1, 3)
    return _read(mesh.loop_triangles, "loops", (count, 3), np.int32)


def _uvs(mesh: Any) -> Floats | None:
    """Texture coordinates (C, 2) of the layer that renders show."""
    layer = next((each for each in mesh.uv_layers if each.active_render), None)
    if layer is None:
        return None
    return _read(mesh.attributes[layer.name].data, "vector", (len(mesh.loops), 2))


def _slots(mesh: Any) -> Ints | None:
    """The material of each triangle (T,); None where it is the first of all."""
    attribute = mesh.attributes.get("material_index")
    if attribute is None:
        return None
    faces = _read(attribute.data, "value", len(mesh.polygons), np.int32)
    if not faces.any():
        return None
    return faces[_read(mesh.loop_triangle_polygons, "value", len(mesh.loop_triangles), np.int32)]


def _read(rows: Any, field: str, shape: Any, dtype: Any = np.float32) -> NDArray[Any]:
    made = np.empty(shape, dtype)
    rows.foreach_get(field, made.reshape(-1))
    return made
