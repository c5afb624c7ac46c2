"""Evaluated meshes of Blender as arrays.

Attributes are read through `foreach_get` of float32 and int32 buffers, which copies memory; other
buffers and the older properties convert number by number and take ten times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.engines.blender.updates import Stamp
from heliograph.raster import Geometry, Rasterizer

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

_Key = tuple[Stamp, bool]
"""Which mesh, and whether with coarser levels."""

_LASTING = (
    *("ARRAY", "BEVEL", "DECIMATE", "EDGE_SPLIT", "MIRROR", "MULTIRES", "REMESH", "SOLIDIFY"),
    *("SUBSURF", "TRIANGULATE", "WEIGHTED_NORMAL", "WELD"),
)
"""Modifiers that yield the same mesh as long as they are the same."""

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


@dataclass(eq=False)
class Piece:
    """A part on the rasterizer.

    Attributes:
        part: what it is.
        handle: the rasterizer's.
        box: (2, 3), middle and half-sizes of the box round it.
    """

    part: Part
    handle: int
    box: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        low, high = (pick(self.part.geometry.positions, 0) for pick in (np.min, np.max))
        self.box = np.stack([low + high, high - low]).astype(float) / 2

    @property
    def slot(self) -> int:
        """Number of the material."""
        return self.part.slot


@dataclass(eq=False)
class _Entry:
    """Pieces of a mesh, and the objects that it is the whole of."""

    pieces: list[Piece]
    owners: set[str] = field(default_factory=set)


class EvaluatedMeshes:
    """Meshes on the rasterizer, each once.

    Args:
        rasterizer: where they are.
        stamp: tells a mesh from what it was when it was evaluated before.
    """

    def __init__(self, rasterizer: Rasterizer, stamp: Callable[[Any], Stamp]) -> None:
        self._rasterizer, self._stamp = rasterizer, stamp
        self._entries: dict[_Key, _Entry] = {}
        self._shown: dict[str, _Key] = {}

    def of_object(self, thing: Any) -> list[Piece]:
        """The pieces of an object's own mesh; where it was deformed its triangles stay.

        There are coarser levels of detail of what is not to be deformed.
        """
        name, mesh, lasting = thing.name_full, thing.data, _lasts(thing)
        uid, before = (self._stamp(mesh), lasting), self._shown.get(name)
        if uid == before:
            return self._entries[uid].pieces
        made = None if uid in self._entries else parts(mesh, simplify=lasting)
        old = self._left(name)
        if made is not None:
            self._entries[uid] = _Entry(self._deformed(old, made) or self._added(made))
        elif old is not None:
            self._remove(old)
        self._entries[uid].owners.add(name)
        self._shown[name] = uid
        return self._entries[uid].pieces

    def of_instance(self, mesh: Any) -> list[Piece]:
        """The pieces of a mesh that is shown as often as it is instanced."""
        uid = self._stamp(mesh), False
        if uid not in self._entries:
            self._entries[uid] = _Entry(self._added(parts(mesh, simplify=False)))
        return self._entries[uid].pieces

    def keep(self, uids: set[Stamp], names: set[str]) -> None:
        """Free all meshes but these and those of these objects."""
        for name in self._shown.keys() - names:
            old = self._left(name)
            if old is not None:
                self._remove(old)
        for uid in [uid for uid, each in self._entries.items() if not each.owners]:
            if uid[0] not in uids:
                self._remove(self._entries.pop(uid))

    def _left(self, name: str) -> _Entry | None:
        """Forget what an object shows: its entry; None where others show it, or it shows none."""
        key = self._shown.pop(name, None)
        if key is None:
            return None
        entry = self._entries[key]
        entry.owners.discard(name)
        return None if entry.owners else self._entries.pop(key)

    def _deformed(self, old: _Entry | None, made: list[Part]) -> list[Piece] | None:
        """The old pieces in their new shapes; None where they have other triangles."""
        if old is None:
            return None
        pieces = old.pieces
        if len(pieces) != len(made) or not all(map(_alike, pieces, made)):
            self._remove(old)
            return None
        for piece, part in zip(pieces, made, strict=True):
            new = part.geometry
            if new.normals is not None:
                self._rasterizer.update_geometry(piece.handle, new.positions, new.normals)
        return [Piece(part, piece.handle) for piece, part in zip(pieces, made, strict=True)]

    def _added(self, made: list[Part]) -> list[Piece]:
        return [Piece(part, self._rasterizer.add_geometry(part.geometry)) for part in made]

    def _remove(self, entry: _Entry) -> None:
        for piece in entry.pieces:
            self._rasterizer.remove_geometry(piece.handle)


def _alike(piece: Piece, part: Part) -> bool:
    """Whether a part is a piece of which only the vertices moved."""
    old, new = piece.part.geometry, part.geometry
    if (
        old.simplify
        or new.simplify
        or piece.slot != part.slot
        or len(old.positions) != len(new.positions)
    ):
        return False
    if old.uvs is None or new.uvs is None:
        same_uvs = old.uvs is new.uvs
    else:
        same_uvs = np.array_equal(old.uvs, new.uvs)
    return same_uvs and np.array_equal(old.triangles, new.triangles)


def _lasts(thing: Any) -> bool:
    """Whether an object's mesh is likely to be the same in every view."""
    if thing.data.shape_keys is not None:
        return False
    return all(each.type in _LASTING for each in thing.modifiers)


def parts(mesh: Any, *, simplify: bool) -> list[Part]:
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
            simplify=simplify,
            name=f"mesh {mesh.name!r}",
        )
        found.append(Part(slot, geometry))
    return found


def _shared(
    triangles: Ints, vertices: Ints, normals: Floats, uvs: Floats | None
) -> tuple[NDArray[np.integer[Any]], NDArray[np.uint32]]:
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
    order = np.argsort(first)  # as triangles use them, whatever their keys
    rank = np.empty(len(order), np.uint32)
    rank[order] = np.arange(len(order), dtype=np.uint32)
    return corners[first[order]], rank[place].reshape(-1, 3)


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
    of_face = _read(mesh.loop_triangle_polygons, "value", len(mesh.loop_triangles), np.int32)
    slots: Ints = faces[of_face]
    return slots


def _read(rows: Any, field: str, shape: Any, dtype: Any = np.float32) -> NDArray[Any]:
    made = np.empty(shape, dtype)
    rows.foreach_get(field, made.reshape(-1))
    return made
