"""Levels of detail: coarser triangles over the same vertices, with a measured error in metres."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from ctypes import c_float, c_size_t, c_uint
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heliograph.raster import lod_cache
from heliograph.requires import Requires

Positions = NDArray[np.float32]
Triangles = NDArray[np.uint32]

FEWEST = 96
"""Meshes with fewer triangles are not worth simplifying."""

MOST = 0.99
"""Part of the surface that keeps to a level's error; the rest stays within `WORST` times it."""

WORST = 4.0
_FORMAT = b"levels 6"
_NEIGHBOURS = (16, 64)
_FEW_PROBES, _PROBES = 800, 4000
_MEASURED = 2
_PAIRS = 1 << 16
_POSE_WEIGHT = 20.0  # what a pose counts beside the places themselves
_SAMPLES = 48


def optimize(positions: Positions, triangles: Triangles) -> Triangles:
    """The same triangles, ordered so that vertices are shaded as seldom as possible."""
    with Requires("meshoptimizer"):
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
        poses: other places (V, 3) of the vertices, which coarser levels must fit as well.
    """

    positions: Positions
    normals: Positions
    triangles: Triangles
    uvs: NDArray[np.float32] | None = None
    poses: tuple[Positions, ...] = ()


def levels(surface: Surface) -> list[tuple[Triangles, float]]:
    """Coarser and coarser versions of a mesh, the mesh itself (error 0) first.

    Each level uses the same vertices. Its error is as `distance` measures it.
    The result is cached on disk under the mesh's hash.
    """
    triangles = surface.triangles
    if len(triangles) < 2 * FEWEST:
        return [(triangles, 0.0)]
    key = _digest(surface)
    coarser = lod_cache.load(key)
    if coarser is None:
        coarser = _simplify(surface)
        lod_cache.save(key, coarser)
    return [(triangles, 0.0), *coarser]


def _digest(surface: Surface) -> str:
    digest = hashlib.sha256(_FORMAT + repr((FEWEST, MOST, WORST)).encode())
    arrays = (surface.positions, surface.normals, surface.triangles, surface.uvs, *surface.poses)
    for array in arrays:
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
    poses = [pose[welded.first] for pose in surface.poses]
    found: list[tuple[Triangles, float]] = []
    count = len(surface.triangles)
    while count > FEWEST:
        coarse = _reduce(places, poses, welded.triangles, max(count // 2, FEWEST // 2))
        if not 0 < len(coarse) < 0.8 * count:
            break
        looked_at = [places, *poses[:_MEASURED]]
        error = max(distance(each, welded.triangles, coarse) for each in looked_at)
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
    uvs = [] if surface.uvs is None else [surface.uvs]
    keys = [surface.positions, *uvs, *surface.poses]
    _, first, place = np.unique(
        np.concatenate(keys, 1), axis=0, return_index=True, return_inverse=True
    )
    place = place.reshape(-1)
    triangles = place[surface.triangles].astype(np.uint32)
    a, b, c = triangles.T
    start = np.concatenate([[0], np.cumsum(np.bincount(place))])
    order = np.argsort(place, kind="stable")
    return _Welded(first, triangles[(a != b) & (b != c) & (c != a)], order, start)


def _reduce(
    positions: Positions, poses: Sequence[Positions], triangles: Triangles, target: int
) -> Triangles:
    with Requires("meshoptimizer"):
        import meshoptimizer

    flat = np.ascontiguousarray(triangles, np.uint32).reshape(-1)
    result = np.empty_like(flat)
    positions = np.ascontiguousarray(positions, np.float32)
    if not poses:
        size = meshoptimizer.simplify(
            result, flat, positions, target_index_count=3 * target, target_error=1.0
        )
        return result[:size].reshape(-1, 3)
    extent = float(np.ptp(positions, axis=0).max()) or 1.0
    others = np.ascontiguousarray(np.concatenate(poses, 1) / extent, np.float32)
    columns = others.shape[1]
    # The binding declares no argument types for this one, so the C types are given here.
    size = meshoptimizer.simplify_with_attributes(
        result,
        flat,
        positions,
        others,
        np.full(columns, _POSE_WEIGHT, np.float32),
        index_count=c_size_t(flat.size),
        vertex_count=c_size_t(len(positions)),
        vertex_positions_stride=c_size_t(positions.strides[0]),
        vertex_attributes_stride=c_size_t(others.strides[0]),
        attribute_count=c_size_t(columns),
        target_index_count=c_size_t(3 * target),
        target_error=c_float(1.0),
        options=c_uint(0),
    )
    return result[:size].reshape(-1, 3)


def distance(positions: Positions, fine: Triangles, coarse: Triangles) -> float:
    """How far two surfaces over the same vertices are apart, metres.

    `MOST` of either surface is nearer than that to the other, and all of it nearer than `WORST`
    times that: the largest distance alone would tell of a bolt's edge, not of what a picture shows.
    The one is looked at in points spread evenly over the surfaces, the other in the fine one's
    vertices and the coarse one's middles; the search never understates the distance of a point.
    """
    fine_corners = positions[fine].astype(np.float64)
    corners = positions[coarse].astype(np.float64)
    middles = (corners + np.roll(corners, 1, 1)).reshape(-1, 3) / 2
    worst = (
        _thinned(positions[np.unique(fine)].astype(np.float64)),
        _thinned(np.concatenate([corners.mean(1), middles])),
    )
    errors = []
    for here, there, probes in zip(
        (fine_corners, corners), (corners, fine_corners), worst, strict=True
    ):
        spread = _spread(here)
        gaps = _to_surface(np.concatenate([spread, probes]), there)
        errors += [np.quantile(gaps[: len(spread)], MOST), gaps.max() / WORST]
    return float(max(errors))


def _spread(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points spread evenly over triangles (T, 3, 3), always the same ones."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    if not area.sum() > 0:
        middles: NDArray[np.float64] = corners.mean(1)
        return middles
    count = min(max(_FEW_PROBES, len(corners)), _PROBES)
    rng = np.random.default_rng(0)
    places = (np.arange(count) + 0.5) / count
    chosen = np.searchsorted(np.cumsum(area) / area.sum(), places)
    chosen = np.minimum(chosen, len(area) - 1)
    u, v = rng.random((2, count, 1))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    spread: NDArray[np.float64] = a[chosen] + u * (b - a)[chosen] + v * (c - a)[chosen]
    return spread


def _thinned(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points[:: -(-len(points) // _PROBES)]


def _to_surface(points: NDArray[np.float64], corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of each point (P, 3) to triangles (T, 3, 3), from the nearest few candidates."""
    with Requires("scipy"):
        from scipy.spatial import cKDTree

    samples, owner, reach = _sampled(corners)
    tree = cKDTree(samples, balanced_tree=False)  # quicker to make, as quick to ask
    best = np.empty(len(points))
    doubtful = np.arange(len(points))
    for near in _NEIGHBOURS:
        count = min(near, len(samples))
        away, found = tree.query(points[doubtful], np.arange(1, count + 1), workers=-1)
        best[doubtful] = _nearest(points[doubtful], owner[found], corners)
        # Triangles whose samples were not found have them farther off than the last one that was.
        doubtful = doubtful[best[doubtful] > np.asarray(away)[:, -1] - reach]
    return best


def _nearest(
    points: NDArray[np.float64], candidates: NDArray[np.intp], corners: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distance of each point (P, 3) to the nearest of its candidates (P, K) among triangles."""
    near = np.empty(len(points))
    rows = max(_PAIRS // candidates.shape[1], 1)
    for start in range(0, len(points), rows):
        # Neighbouring samples are often of one triangle: look at each triangle once.
        mine = np.sort(candidates[start : start + rows], axis=1)
        row, column = np.nonzero(np.diff(mine, axis=1, prepend=-1))
        gaps = _point_triangle(points[start + row], corners[mine[row, column]])
        near[start : start + rows] = np.minimum.reduceat(gaps, np.flatnonzero(column == 0))
    return near


def _sampled(
    corners: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.intp], float]:
    """Points on triangles (T, 3, 3), more on larger ones, and each point's triangle.

    And how far a point of a triangle can be from the nearest of its samples.
    """
    edges = np.linalg.norm(corners - np.roll(corners, 1, 1), axis=2).max(1)
    extent = float(np.ptp(corners.reshape(-1, 3), axis=0).max())
    parts = np.clip(np.ceil(edges / (extent / _SAMPLES or 1.0)), 1, _SAMPLES).astype(int)
    samples, owners = [], []
    for count in np.unique(parts):
        rows = np.flatnonzero(parts == count)
        samples.append(np.einsum("sk,tkc->tsc", _barycentric(int(count)), corners[rows]))
        owners.append(np.repeat(rows, samples[-1].shape[1]))
    reach = 2 / 3 * float((edges / parts).max(initial=0.0))
    return np.concatenate([s.reshape(-1, 3) for s in samples]), np.concatenate(owners), reach


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
