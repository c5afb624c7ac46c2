"""Levels of detail: coarser triangles over the same vertices, with a measured error in metres."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.float32]
Triangles = NDArray[np.uint32]

FEWEST = 96
"""Meshes with fewer triangles are not worth simplifying."""

MOST = 0.99
"""Part of the surface that keeps to a level's error; the rest stays within `WORST` times it."""

WORST = 4.0
_FORMAT = b"levels 5"
_NEIGHBOURS = (8, 32)
_PROBES = 6000
_CERTAIN = 5e-4
_SAMPLES = 48


def optimize(positions: Positions, triangles: Triangles) -> Triangles:
    """The same triangles, ordered so that vertices are shaded as seldom as possible."""
    import meshoptimizer

    flat = np.ascontiguousarray(triangles, np.uint32).reshape(-1)
    ordered = np.empty_like(flat)
    if flat.size:
        meshoptimizer.optimize_vertex_cache(ordered, flat, flat.size, len(positions))
    return ordered.reshape(-1, 3)


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles over vertices that may share places, with normals and maybe texture coordinates.

    Attributes:
        positions, normals: (V, 3) float32.
        triangles: (T, 3) uint32.
        uvs: (V, 2) or None.
    """

    positions: Positions
    normals: Positions
    triangles: Triangles
    uvs: NDArray[np.float32] | None = None


def levels(surface: Surface) -> list[tuple[Triangles, float]]:
    """Coarser and coarser versions of a mesh, the mesh itself (error 0) first.

    Each level uses the same vertices. Its error is as `distance` measures it.
    The result is cached on disk under the mesh's hash.
    """
    triangles = surface.triangles
    if len(triangles) < 2 * FEWEST:
        return [(triangles, 0.0)]
    path = cache_folder() / f"{_digest(surface)}.npz"
    coarser = _load(path, len(surface.positions))
    if coarser is None:
        coarser = _simplify(surface)
        _save(path, coarser)
    return [(triangles, 0.0), *coarser]


def cache_folder() -> Path:
    """Where simplified meshes are kept: `$HELIOGRAPH_CACHE`, else the user's cache folder."""
    chosen = os.environ.get("HELIOGRAPH_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return (Path(chosen) if chosen else Path(base).expanduser() / "heliograph") / "lod"


def _digest(surface: Surface) -> str:
    digest = hashlib.sha256(_FORMAT + repr((FEWEST, MOST, WORST)).encode())
    for array in (surface.positions, surface.normals, surface.triangles, surface.uvs):
        if array is not None:
            digest.update(repr((array.shape, array.dtype.str)).encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:40]


def _simplify(surface: Surface) -> list[tuple[Triangles, float]]:
    """Halve the triangles again and again, as if vertices that share a place were one.

    Normals differ along every sharp edge; edges that may not collapse would leave a machined part
    as heavy as it is. Each corner then takes, of the vertices at its place, the one whose normal
    is nearest to its new face's. Seams of the texture stay seams.
    """
    welded = _weld(surface)
    places = surface.positions[welded.first]
    found: list[tuple[Triangles, float]] = []
    count = len(surface.triangles)
    while count > FEWEST:
        coarse = _reduce(places, welded.triangles, max(count // 2, FEWEST // 2))
        if not 0 < len(coarse) < 0.8 * count:
            break
        error = distance(places, welded.triangles, coarse)
        found.append((optimize(surface.positions, welded.corners(surface, coarse)), error))
        count = len(coarse)
    return found


@dataclass(frozen=True, eq=False)
class _Welded:
    """A surface whose vertices are its places.

    Attributes:
        first: (P,) a vertex at each place.
        triangles: (T, 3) places.
        members, start: vertices sorted by place, and where each place's begin (P + 1,).
    """

    first: NDArray[np.intp]
    triangles: Triangles
    members: NDArray[np.intp]
    start: NDArray[np.intp]

    def corners(self, surface: Surface, coarse: Triangles) -> Triangles:
        """Vertices for the corners of triangles of places."""
        points = surface.positions[self.first][coarse].astype(np.float64)
        face = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
        chosen = self.members[self.start[coarse]]
        best = np.full(coarse.shape, -np.inf)
        for turn in range(int(np.diff(self.start).max())):
            at = self.start[coarse] + turn
            there = at < self.start[coarse + 1]
            vertex = self.members[np.where(there, at, 0)]
            near = (surface.normals[vertex] * face[:, None, :]).sum(2)
            better = there & (near > best)
            chosen, best = np.where(better, vertex, chosen), np.where(better, near, best)
        return chosen.astype(np.uint32)


def _weld(surface: Surface) -> _Welded:
    keys = [surface.positions] if surface.uvs is None else [surface.positions, surface.uvs]
    _, first, place = np.unique(
        np.concatenate(keys, 1), axis=0, return_index=True, return_inverse=True
    )
    place = place.reshape(-1)
    triangles = place[surface.triangles].astype(np.uint32)
    a, b, c = triangles.T
    start = np.concatenate([[0], np.cumsum(np.bincount(place))])
    order = np.argsort(place, kind="stable")
    return _Welded(first, triangles[(a != b) & (b != c) & (c != a)], order, start)


def _reduce(positions: Positions, triangles: Triangles, target: int) -> Triangles:
    import meshoptimizer

    flat = np.ascontiguousarray(triangles, np.uint32).reshape(-1)
    result = np.empty_like(flat)
    size = meshoptimizer.simplify(
        result,
        flat,
        np.ascontiguousarray(positions, np.float32),
        target_index_count=3 * target,
        target_error=1.0,
    )
    return result[:size].reshape(-1, 3)


def distance(positions: Positions, fine: Triangles, coarse: Triangles) -> float:
    """How far two surfaces over the same vertices are apart, metres.

    `MOST` of the surface is nearer than that and all of it nearer than `WORST` times that: the
    largest distance alone would tell of a bolt's edge, not of what a picture shows. Probes are the
    fine mesh's vertices against the coarse triangles, and the coarse triangles' centres and edge
    middles against the fine ones; the search never understates the distance of a probe.
    """
    corners = positions[coarse].astype(np.float64)
    middles = (corners + np.roll(corners, 1, 1)).reshape(-1, 3) / 2
    probes = _thinned(np.concatenate([corners.mean(1), middles]))
    used = _thinned(positions[np.unique(fine)].astype(np.float64))
    fine_corners = positions[fine].astype(np.float64)
    gaps = (_to_surface(used, corners), _to_surface(probes, fine_corners))
    return max(float(max(np.quantile(gap, MOST), gap.max() / WORST)) for gap in gaps)


def _thinned(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points[:: -(-len(points) // _PROBES)]


def _to_surface(points: NDArray[np.float64], corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of each point (P, 3) to triangles (T, 3, 3), from the nearest few candidates."""
    from scipy.spatial import cKDTree

    samples, owner = _sampled(corners)
    tree = cKDTree(samples)
    best = np.full(len(points), np.inf)
    doubtful = np.arange(len(points))
    for near in _NEIGHBOURS:
        count = min(near, len(samples))
        _, found = tree.query(points[doubtful], k=count)
        for column in np.reshape(found, (len(doubtful), count)).T:
            gap = _point_triangle(points[doubtful], corners[owner[column]])
            best[doubtful] = np.minimum(best[doubtful], gap)
        # A large triangle's samples may lie farther off than many small ones': look wider there.
        doubtful = doubtful[best[doubtful] > _CERTAIN * float(np.ptp(samples, axis=0).max())]
    return best


def _sampled(corners: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Points all over triangles (T, 3, 3), the more the larger one is, and whose they are."""
    edges = np.linalg.norm(corners - np.roll(corners, 1, 1), axis=2).max(1)
    extent = float(np.ptp(corners.reshape(-1, 3), axis=0).max())
    parts = np.clip(np.ceil(edges / max(extent / _SAMPLES, 1e-12)), 1, _SAMPLES).astype(int)
    samples, owners = [], []
    for count in np.unique(parts):
        rows = np.flatnonzero(parts == count)
        samples.append(np.einsum("sk,tkc->tsc", _barycentric(int(count)), corners[rows]))
        owners.append(np.repeat(rows, samples[-1].shape[1]))
    return np.concatenate([s.reshape(-1, 3) for s in samples]), np.concatenate(owners)


def _barycentric(count: int) -> NDArray[np.float64]:
    """Weights (S, 3) of the centres of a triangle's count * (count + 1) / 2 upright parts."""
    u, v = np.meshgrid(np.arange(count), np.arange(count))
    keep = u + v < count
    first, second = (u[keep] + 1 / 3) / count, (v[keep] + 1 / 3) / count
    return np.stack([first, second, 1 - first - second], 1)


def _point_triangle(
    points: NDArray[np.float64], corners: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distance of point i to triangle i: to its plane where inside, else to its nearest edge."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    normal = np.cross(b - a, c - a)
    length = np.linalg.norm(normal, axis=1)
    safe = np.where(length > 0, length, 1.0)
    plane = np.abs(_dot(points - a, normal)) / safe
    inside = length > 0
    edges = np.full(len(points), np.inf)
    for start, end in ((a, b), (b, c), (c, a)):
        inside &= _dot(np.cross(end - start, points - start), normal) >= 0
        edges = np.minimum(edges, _point_segment(points, start, end))
    result: NDArray[np.float64] = np.where(inside, plane, edges)
    return result


def _point_segment(
    points: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64]
) -> NDArray[np.float64]:
    along = end - start
    square = _dot(along, along)
    part = np.clip(_dot(points - start, along) / np.where(square > 0, square, 1.0), 0, 1)
    gap: NDArray[np.float64] = np.linalg.norm(points - start - part[:, None] * along, axis=1)
    return gap


def _dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    product: NDArray[np.float64] = np.einsum("ij,ij->i", a, b)
    return product


def _load(path: Path, vertices: int) -> list[tuple[Triangles, float]] | None:
    """What the cache holds, or None if nothing or not readable (then it is made anew)."""
    with suppress(OSError, ValueError, KeyError, EOFError, TypeError, BadZipFile):
        with path.open("rb") as stream:
            stored = np.load(stream)
            errors: NDArray[Any] = stored["errors"]
            found = [(stored[f"level{i}"], float(error)) for i, error in enumerate(errors)]
        if all(level.size and level.max() < vertices for level, _ in found):
            return found
    return None


def _save(path: Path, coarser: list[tuple[Triangles, float]]) -> None:
    """Keep the levels; a cache that cannot be written only costs time."""
    arrays: dict[str, Any] = {f"level{i}": level for i, (level, _) in enumerate(coarser)}
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
            np.savez_compressed(part, errors=np.array([e for _, e in coarser]), **arrays)
        Path(part.name).replace(path)
