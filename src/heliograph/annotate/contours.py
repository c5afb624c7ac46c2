"""Contours of masks as polygons that draw the same mask again.

The edges between pixels are linked into rings, all of them at once: the edge after another one is
found by looking at the two pixels ahead, and edges of a ring find one another by doubling their
steps. The ring round a hole is joined to the one above it by an edge that is walked there and back,
as the polygons of COCO have no holes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heliograph.annotate.runs import Ints, check_ids
from heliograph.poses import Floats

TOP, RIGHT, BOTTOM, LEFT = range(4)
_STARTS = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
"""(4, 2) where the edge on each side of a pixel starts; they go round it clockwise."""


def polygons(segmentation: ArrayLike) -> dict[int, list[Floats]]:
    """The outlines of what every id of a segmentation covers.

    Pixels that touch at a corner only are apart. A hole is joined to the outline above it by an
    edge there and back again. Drawn by `pycocotools` they give the very pixels.

    Args:
        segmentation: (H, W) ids, or a mask of true and false; the background, 0, has none.

    Returns:
        by id, outlines (K, 2), (x, y) in pixels between their edges, clockwise on the screen.
    """
    ids = np.pad(check_ids(segmentation).astype(np.int64), 1)
    height, width = ids.shape
    flat = ids.ravel()
    pixels, sides = _edges(flat, width)
    following = _linked(flat, width, pixels, sides)
    x, y = pixels % width, pixels // width
    points = np.stack([x, y], 1) + _STARTS[sides] - 1
    outer, inner = _joints(following, points, sides, x * height + y)
    copies = following[inner]
    following, edges = _joined(following, outer, inner), np.arange(len(pixels))
    edges = np.concatenate([edges, copies, outer])
    ring, step = _rings(following)
    order = np.lexsort((step, ring))
    edges = edges[order]
    return _split(flat[pixels[edges]], ring[order], points[edges])


def flat_polygons(segmentation: ArrayLike) -> dict[int, list[list[float]]]:
    """The outlines of every id as COCO has them: lists [x, y, x, y, ...]; see `polygons`."""
    found = polygons(segmentation)
    return {number: [each.ravel().tolist() for each in found[number]] for number in found}


def _edges(flat: NDArray[Any], width: int) -> tuple[Ints, Ints]:
    """The pixel and the side of every edge between different ids; bottom ones first."""
    found = []
    for side, beside in ((BOTTOM, width), (TOP, -width), (RIGHT, 1), (LEFT, -1)):
        pixels = np.flatnonzero((flat != np.roll(flat, -beside)) & (flat != 0))
        found.append((pixels, np.full(len(pixels), side)))
    pixels, sides = (np.concatenate(each) for each in zip(*found, strict=True))
    return pixels, sides


def _linked(flat: NDArray[Any], width: int, pixels: Ints, sides: Ints) -> Ints:
    """The edge that follows each: with the object on the right hand, as far right as can be."""
    ahead = pixels + np.array([1, width, -1, -width])[sides]
    across = ahead + np.array([-width, 1, width, -1])[sides]
    own = flat[pixels]
    turns_right, straight = flat[ahead] != own, flat[across] != own
    pixel = np.where(turns_right, pixels, np.where(straight, ahead, across))
    side = np.where(turns_right, sides + 1, np.where(straight, sides, sides - 1)) % 4
    places = np.empty(4 * len(flat), np.intp)
    places[4 * pixels + sides] = np.arange(len(pixels))
    following: Ints = places[4 * pixel + side]
    return following


def _rings(following: Ints) -> tuple[Ints, Ints]:
    """The ring of each edge, named by the first edge in it, and its place along it from there."""
    count = len(following)
    ring, jump = np.arange(count), following
    for _ in range(count.bit_length()):
        ring, jump = np.minimum(ring, ring[jump]), jump[jump]
    first = ring == np.arange(count)
    left, jump = np.where(first, 0, 1), np.where(first, ring, following)
    for _ in range(count.bit_length()):
        left, jump = left + left[jump], jump[jump]
    return ring, -left + np.where(first, -count, 0)


def _joints(following: Ints, points: Ints, sides: Ints, columns: Ints) -> tuple[Ints, Ints]:
    """Where holes are joined to the ring above: an edge of that one, and an edge of each hole.

    The first edge of a ring round a hole is the bottom of the pixel above the hole's top left one.
    From its end one can go straight up, inside the object, to the start of the next top of a pixel.

    Args:
        following: the edge after each.
        points: (E, 2) where each starts.
        sides: of the pixel.
        columns: (E,) the pixels in the order of columns, and of rows in each.
    """
    ring, _ = _rings(following)
    x, y = points.T
    turned = x * y[following] - y * x[following]
    inner = np.flatnonzero(np.bincount(ring, turned, len(ring)) < 0)
    tops = np.flatnonzero(sides == TOP)
    tops = tops[np.argsort(columns[tops])]
    return tops[np.searchsorted(columns[tops], columns[inner], "right") - 1], inner


def _joined(following: Ints, outer: Ints, inner: Ints) -> Ints:
    """The edge after each, where rings are joined by two more edges for each hole.

    From the start of `outer` to the end of `inner`, round the hole, and after a copy of that end
    and one of that start on as before.
    """
    ends, starts = len(following) + np.arange(2 * len(inner)).reshape(2, -1)
    joined = np.concatenate([following, starts, following[outer]])
    joined[outer], joined[inner] = following[inner], ends
    return joined


def _split(ids: NDArray[Any], rings: Ints, points: Ints) -> dict[int, list[Floats]]:
    """The rings of each id, without the points along straight lines."""
    first = np.flatnonzero(np.diff(rings, prepend=-1))
    last = np.flatnonzero(np.diff(rings, append=-1))
    before, after = np.arange(len(rings)) - 1, np.arange(len(rings)) + 1
    before[first], after[last] = last, first
    turns = np.sign(points - points[before]) != np.sign(points[after] - points)
    corners = turns.any(1)
    kept = np.cumsum(corners)[last]
    outlines = np.split(points[corners].astype(np.float64), kept[:-1])
    found: dict[int, list[Floats]] = {}
    for number, outline in zip(ids[first].tolist(), outlines, strict=False):
        found.setdefault(number, []).append(outline)
    return dict(sorted(found.items()))
