"""Arrays as ORRB's users get them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.camera import Camera
from heliograph.compat.orrb.config import (
    DepthEncoding,
    FirstRow,
    NormalsEncoding,
    SegmentationEncoding,
    Settings,
)
from heliograph.compat.orrb.entries import Entry
from heliograph.compat.orrb.problems import RendererError
from heliograph.frame import Labels, Sample

_NO_GEOMS = frozenset({"site", "tendon", "skin", "flex", "actuator", "sensor"})
_MOST = 255


class Stacks:
    """The arrays of one batch, written entry by entry from any thread.

    Args:
        settings: cameras, size, encodings.
        table: category of each segmentation id, for ORRB's encoding.
        count: how many entries.
    """

    def __init__(self, settings: Settings, table: NDArray[np.uint8], count: int) -> None:
        self._settings = settings
        self._table = table
        self._streams: list[Mapping[str, NDArray[Any]]] = [{}] * count
        self.arrays: dict[str, NDArray[Any]] = {}
        for name in settings.cameras:
            self._allocate(name, count)

    def write(self, number: int, entry: Entry, sample: Sample) -> None:
        """Put what was drawn for one entry in its row."""
        for name in self._settings.cameras:
            frame = sample[name]
            self._put(name, number, frame.rgb, slice(0, 3))
            if self._settings.alpha:
                there = np.isfinite(frame.depth)[..., None] * np.uint8(255)
                self._put(name, number, there, slice(3, 4))
            for each in self._settings.wanted:
                encoded = _ENCODERS[each](self, frame[each], frame.camera)
                self._put(f"{name}_{each}", number, encoded)
        self._streams[number] = entry.streams

    def result(self) -> dict[str, NDArray[Any]]:
        """All arrays, streams among them."""
        names = dict.fromkeys(name for each in self._streams for name in each)
        streams = {
            name: np.array([each[name] for each in self._streams], dtype=None) for name in names
        }
        return {**self.arrays, **streams}

    def depth(self, depth: NDArray[Any], camera: Camera) -> NDArray[Any]:
        """Depth (H, W) as it is asked for."""
        if self._settings.depth is DepthEncoding.METRIC:
            return depth
        scale = (camera.far - camera.near) / camera.far
        return np.asarray(np.where(np.isfinite(depth), depth * scale + camera.near, 0.0))

    def normals(self, normals: NDArray[Any], camera: Camera) -> NDArray[Any]:
        """Normals (H, W, 3) as they are asked for."""
        if self._settings.normals is NormalsEncoding.UNIT:
            return normals
        return np.where(normals.any(axis=-1, keepdims=True), normals * 0.5 + 0.5, 0.0)

    def segmentation(self, ids: NDArray[Any], camera: Camera) -> NDArray[Any]:
        """Segmentation (H, W) as it is asked for."""
        if self._settings.segmentation is SegmentationEncoding.IDS:
            return ids
        return np.asarray(self._table[ids])

    def _put(self, key: str, number: int, picture: NDArray[Any], part: slice | None = None) -> None:
        if self._settings.first_row is FirstRow.BOTTOM:
            picture = picture[::-1]
        place = self.arrays[key][number]
        (place if part is None else place[..., part])[...] = picture

    def _allocate(self, name: str, count: int) -> None:
        width, height = self._settings.size
        shape = (count, height, width)
        self.arrays[name] = np.zeros((*shape, 4 if self._settings.alpha else 3), np.uint8)
        categories = self._settings.segmentation is SegmentationEncoding.ORRB
        kinds: dict[str, tuple[tuple[int, ...], type]] = {
            "depth": (shape, np.float32),
            "normals": ((*shape, 3), np.float32),
            "segmentation": (shape, np.uint8 if categories else np.int32),
        }
        for each in self._settings.wanted:
            self.arrays[f"{name}_{each}"] = np.zeros(*kinds[each])


_ENCODERS = {
    "depth": Stacks.depth,
    "normals": Stacks.normals,
    "segmentation": Stacks.segmentation,
}


def category_table(labels: Labels, categories: Mapping[str, int]) -> NDArray[np.uint8]:
    """ORRB's category of each segmentation id.

    Args:
        labels: what the ids stand for.
        categories: geom name -> category.

    Raises:
        RendererError: more categories than a byte holds.
    """
    if max(categories.values(), default=0) > _MOST:
        raise RendererError(
            f"segmentation: the geoms have {max(categories.values())} categories (the part of "
            f"their name before a colon), a byte holds {_MOST}; use segmentation_encoding='ids'"
        )
    table = np.zeros(max(labels, default=0) + 1, np.uint8)
    for number, label in labels.items():
        if label.category not in _NO_GEOMS:
            table[number] = categories.get(label.name, 0)
    return table
