"""What one page shows of a scene, and the messages that bring it to another version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
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


class _Fresh(NamedTuple):
    """What is to be sent: rows, and the arrays they refer to."""

    rows: list[msgspec.Raw]
    blobs: Blobs


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
        fresh = _Fresh([], {})
        done = 0
        for row in todo:
            if row >= done and self._put(rows, row, fresh):
                done = rows.tree.stop(row)
                for below in range(row + 1, done):
                    self._put(rows, below, fresh, anew=True)
        for key in removed:
            self._release(self._rows.pop(key))
            self.broken.pop(key, None)
        changes = Apply(rows.version, reset, removed, cast("list[Row]", fresh.rows), [])
        yield from self._messages(changes, fresh.blobs)

    def distrust(self, key: str) -> None:
        """Note that the page shows a row otherwise than it was told, as it was dragged there."""
        shown = self._rows.get(key)
        if shown is not None:
            self._rows[key] = shown._replace(encoded=b"")

    def _differing(
        self, rows: SceneRows, keys: Collection[str] | None
    ) -> tuple[Iterable[int], list[str]]:
        """The rows that may differ, parents first, and the keys that are gone."""
        index, shown = rows.tree.index, self._rows
        if keys is None:
            return range(len(index)), [key for key in shown if key not in index]
        there = [key for key in keys if key in index]
        count = len(shown) + sum(1 for key in there if key not in shown)
        gone = [key for key in shown if key not in index] if count > len(index) else []
        if count - len(gone) != len(index):  # somebody told too few keys
            return range(len(index)), gone
        return sorted([index[key] for key in there]), gone

    def _put(self, rows: SceneRows, row: int, fresh: _Fresh, *, anew: bool = False) -> bool:
        """Note a row, and send it unless the page has it.

        Args:
            rows: what the page is to show.
            row: which.
            fresh: takes what is to be sent.
            anew: whether the page makes what it stands on anew.

        Returns:
            Whether the page makes the row's object anew, as its type or its parent is another.
        """
        tree = rows.tree
        node, above = tree.node(row), int(tree.parents[row])
        parent = None if above < 0 else str(tree.node(above).key)
        key, blobs = str(node.key), Blobs()
        try:
            made, blobs = row_of(node, parent, int(rows.ids[row]), self._assets)
            if self.broken:
                self.broken.pop(key, None)
        except HeliographError as error:
            made = empty_row(node, parent)
            self.broken[key] = error
        encoded, before = _ENCODER.encode(made), self._rows.get(key)
        if before is not None:
            if before.encoded == encoded and not anew:
                return False
            self._release(before)
        self._uses.update(blobs.keys())
        fresh.blobs.update(blobs)
        fresh.rows.append(msgspec.Raw(encoded))
        self._rows[key] = _Shown(encoded, made.tag, parent, tuple(blobs))
        return before is not None and (before.tag != made.tag or before.parent != parent)

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
