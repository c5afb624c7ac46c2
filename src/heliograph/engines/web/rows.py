"""Components as rows: plain data, with arrays as blobs and files as assets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

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
    """Makes plain data of a component's properties, and collects their arrays."""

    def __init__(self, node: Component, assets: AssetStore) -> None:
        self.blobs: Blobs = {}
        self._node = node
        self._assets = assets

    def of(self, value: Any, name: str) -> Any:
        """A property as plain data; `name` is its own after those of the maps it stands in."""
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is tuple or kind is list:
            plain = _PLAIN.issuperset(map(type, value))
            return list(value) if plain else [self.of(each, name) for each in value]
        make = self._OTHERS.get(kind)
        if make is None:
            raise self._refused(value, name)
        return make(self, value, name)

    def _text(self, value: str, name: str) -> str | dict[str, Any]:
        return self._file(value, name) if name in self._node.named_files else value

    def _map(self, value: Mapping[str, Any], name: str) -> dict[str, Any]:
        if name in self._node.named_files:  # an image, and how it lies on a surface
            rest = {part: self.of(value[part], name) for part in value if part != "image"}
            return {"image": self._file(value["image"], name), **rest}
        return {part: self.of(value[part], f"{name}.{part}") for part in value}

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

    def _file(self, path: str, name: str) -> dict[str, Any]:
        try:
            ref = self._assets.register(path)
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

    _OTHERS: ClassVar[Mapping[type, Callable[[_Plain, Any, str], Any]]] = {
        str: _text,
        int: _whole,
        np.ndarray: _array,
        dict: _map,
        MappingProxyType: _map,
    }


_PLAIN = frozenset({float, bool, type(None)})
