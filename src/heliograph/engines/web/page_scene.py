"""What one page shows of a scene, and the messages that bring it to another version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, cast

import msgspec
import numpy as np

from heliograph.engines.web.assets import AssetStore, content
from heliograph.engines.web.messages import Apply, BlobData, Forget, Message, Row
from heliograph.engines.web.rows import Blobs, empty_row, row_of
from heliograph.engines.web.scene_rows import SceneRows
from heliograph.engines.web.wire import Buffers
from heliograph.errors import HeliographError

MOST_BLOBS = 32 << 20
"""Bytes of blobs in one message; a larger one travels alone."""

_ENCODER = msgspec.msgpack.Encoder()


class _Shown(NamedTuple):
    """A row that the page has."""

    encoded: bytes
    tag: str
    parent: str | None
    blobs: tuple[str, ...]


class PageScene:
    """The rows and blobs that a page has, once it has read the messages made for it.

    Args:
        assets: where files are registered.

    Attributes:
        version: of the scene it shows.
        broken: why a component could not be sent, by key; an empty group stands in its place.
    """

    def __init__(self, assets: AssetStore) -> None:
        self.version = 0
        self.broken: dict[str, HeliographError] = {}
        self._assets = assets
        self._root: str | None = None
        self._rows: dict[str, _Shown] = {}
        self._uses: Counter[str] = Counter()
        self._held: set[str] = set()

    def bring_to(
        self, rows: SceneRows, keys: Collection[str] | None = None
    ) -> Iterator[tuple[Message, Buffers | None]]:
        """The messages that bring the page to a version, in order.

        Args:
            rows: what it is to show.
            keys: of the rows that may differ from what it shows; None for any. A row that is equal
                all the same is not sent again.
        """
        root = str(rows.tree.node(0).key)
        reset = root != self._root
        if reset:
            self._root = root
            for shown in self._rows.values():
                self._release(shown)
            self._rows.clear()
            self.broken.clear()
        todo, removed = self._differing(rows, None if reset else keys)
        fresh: Blobs = {}
        remade: set[int] = set()
        encoded = [each for row in todo if (each := self._put(rows, row, fresh, remade))]
        for key in removed:
            self._release(self._rows.pop(key))
            self.broken.pop(key, None)
        changes = Apply(rows.version, reset, removed, cast("list[Row]", encoded), [])
        yield from self._messages(changes, fresh)

    def distrust(self, key: str) -> None:
        """Note that the page shows a row otherwise than it was told, as it was dragged there."""
        shown = self._rows.get(key)
        if shown is not None:
            self._rows[key] = shown._replace(encoded=b"")

    def _differing(
        self, rows: SceneRows, keys: Collection[str] | None
    ) -> tuple[Sequence[int], list[str]]:
        """The rows that may differ, parents first, and the keys that are gone."""
        index, shown = rows.tree.index, self._rows
        if keys is None:
            return range(len(index)), [key for key in shown if key not in index]
        todo = {index[key] for key in keys if key in index}
        for row in list(todo):
            if self._is_remade(rows, row):
                todo.update(range(row + 1, rows.tree.stop(row)))
        count = len(shown) + sum(1 for key in keys if key in index and key not in shown)
        gone = [key for key in shown if key not in index] if count > len(index) else []
        if count - len(gone) != len(index):  # somebody told too few keys
            return range(len(index)), gone
        return sorted(todo), gone

    def _is_remade(self, rows: SceneRows, row: int) -> bool:
        """Whether the page has the row's key, but of another type or on another parent."""
        node = rows.tree.node(row)
        shown = self._rows.get(str(node.key))
        return shown is not None and (shown.tag, shown.parent) != (
            type(node).__name__,
            _parent(rows, row),
        )

    def _put(self, rows: SceneRows, row: int, fresh: Blobs, remade: set[int]) -> msgspec.Raw | None:
        """A row as it is sent; None if the page has it.

        Args:
            rows: what the page is to show.
            row: which.
            fresh: takes the arrays of the row.
            remade: takes the row if the page makes it anew; then it does so with all below it.
        """
        node, parent = rows.tree.node(row), _parent(rows, row)
        key, blobs = str(node.key), Blobs()
        if int(rows.tree.parents[row]) in remade or self._is_remade(rows, row):
            remade.add(row)
        try:
            made, blobs = row_of(node, parent, int(rows.ids[row]), self._assets)
            self.broken.pop(key, None)
        except HeliographError as error:
            made = empty_row(node, parent)
            self.broken[key] = error
        encoded, before = _ENCODER.encode(made), self._rows.get(key)
        if before is not None and before.encoded == encoded and row not in remade:
            return None
        self._uses.update(blobs.keys())
        fresh.update(blobs)
        if before is not None:
            self._release(before)
        self._rows[key] = _Shown(encoded, made.tag, parent, tuple(blobs))
        return msgspec.Raw(encoded)

    def _release(self, shown: _Shown) -> None:
        self._uses.subtract(shown.blobs)

    def _messages(self, changes: Apply, fresh: Blobs) -> Iterator[tuple[Message, Buffers | None]]:
        """The rows in one message, after blobs that are too many for it; then what to forget."""
        reset = changes.reset
        buffers, blobs = Buffers(), list[BlobData]()
        for blob, array in fresh.items():
            if blob in self._held or not self._uses[blob]:
                continue
            data = content(array)
            if blobs and buffers.nbytes + data.nbytes > MOST_BLOBS:
                yield Apply(self.version, reset, [], [], blobs), buffers
                buffers, blobs, reset = Buffers(), [], False
            blobs.append(BlobData(blob, *buffers.add(data.reshape(-1).view(np.uint8).data)))
            self._held.add(blob)
        self.version = changes.version
        yield msgspec.structs.replace(changes, reset=reset, blobs=blobs), buffers
        unused = [blob for blob, uses in self._uses.items() if not uses]
        if unused:
            for blob in unused:
                del self._uses[blob]
            self._held.difference_update(unused)
            yield Forget(unused), None


def _parent(rows: SceneRows, row: int) -> str | None:
    above = int(rows.tree.parents[row])
    return None if above < 0 else str(rows.tree.node(above).key)
