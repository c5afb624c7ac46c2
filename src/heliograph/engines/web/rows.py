"""Components as rows: plain data, with arrays as blobs and files as assets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliograph.engines.web.assets import AssetStore
from heliograph.engines.web.messages import Row
from heliograph.errors import InvalidValueError, SceneError, shown
from heliograph.scene.components import Component
from heliograph.scene.placement import PLACEMENT

Blobs = dict[str, NDArray[Any]]
"""Arrays by the hash of what is sent of them."""


def row_of(
    node: Component, parent: str | None, object_id: int, assets: AssetStore
) -> tuple[Row, Blobs]:
    """A component without its children as a row, and the arrays that the row refers to.

    Args:
        node: the component; it has a key.
        parent: key of what it stands on.
        object_id: what the segmentation shows it as.
        assets: where its files are registered.

    Raises:
        SceneError: a file of it cannot be read.
        InvalidValueError: a property that is no plain data, array or file.
    """
    plain = _Plain(node, assets)
    props = {name: plain.of(value, name) for name, value in node.props.items()}
    return Row(str(node.key), parent, type(node).__name__, object_id, props), plain.blobs


def empty_row(node: Component, parent: str | None) -> Row:
    """A row that draws nothing in a component's place, for what cannot be sent."""
    props = {name: node.props[name] for name in PLACEMENT if name in node.props}
    return Row(str(node.key), parent, "Group", 0, props)


class _Plain:
    def __init__(self, node: Component, assets: AssetStore) -> None:
        self.blobs: Blobs = {}
        self._node = node
        self._files = node.named_files
        self._assets = assets

    def of(self, value: Any, name: str) -> Any:
        """A property as plain data; `name` is its own after those of the maps it stands in."""
        if name in self._files:
            return self._file(value, name)
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is int:
            return self._whole(value, name)
        if isinstance(value, np.ndarray):
            return self._array(value, name)
        if isinstance(value, Mapping):
            return {str(part): self.of(value[part], f"{name}.{part}") for part in value}
        if isinstance(value, Sequence):
            return self._row(value, name)
        raise self._refused(value, name)

    def _row(self, value: Sequence[Any], name: str) -> list[Any]:
        numbers = all(type(each) in _PLAIN for each in value)
        return list(value) if numbers else [self.of(each, name) for each in value]

    def _whole(self, value: int, name: str) -> int:
        if not -(1 << 53) <= value <= 1 << 53:  # what a page's numbers hold
            raise self._refused(value, name)
        return value

    def _array(self, value: NDArray[Any], name: str) -> dict[str, Any]:
        if value.dtype.kind not in "iufb":
            raise self._refused(f"an array of {value.dtype}", name)
        if value.dtype.itemsize == 8 and value.dtype.kind in "iu" and value.size:
            least, most = int(value.min()), int(value.max())
            if least < -(1 << 31) or most >= 1 << (31 if value.dtype.kind == "i" else 32):
                raise self._refused(f"whole numbers from {least} to {most}", name)
        ref = self._assets.array(value)
        self.blobs[ref.blob] = value
        return {"blob": ref.blob, "dtype": ref.dtype, "shape": ref.shape}

    def _file(self, value: Any, name: str) -> dict[str, Any]:
        if isinstance(value, Mapping):  # an image, and how it lies on a surface
            rest = {part: value[part] for part in value if part != "image"}
            return {"image": self._file(value["image"], name), **self.of(rest, f"{name} ")}
        try:
            ref = self._assets.register(self._files[name])
        except SceneError as error:
            raise SceneError(f"{self._called} {name}: {error}") from None
        return {"asset": ref.asset, "url": ref.url, "name": ref.name}

    @property
    def _called(self) -> str:
        return f"{type(self._node).__name__} {self._node.key!r}"

    def _refused(self, value: Any, name: str) -> InvalidValueError:
        return InvalidValueError(
            f"{self._called} {name}: expected numbers, text, flags, arrays or files, which a page "
            f"can be sent, got {shown(value)}"
        )


_PLAIN = frozenset({float, bool, str, type(None)})
