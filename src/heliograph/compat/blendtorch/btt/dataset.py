"""What Blenders publish, and recordings of it, as PyTorch's datasets by blendtorch's names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeAlias

from heliograph.checks import check_integer
from heliograph.compat.blendtorch.btt.duplex import seconds
from heliograph.compat.blendtorch.btt.file import FileReader, FileRecorder
from heliograph.compat.blendtorch.btt.launch_info import listed
from heliograph.errors import ClosedError, RecordError
from heliograph.publish.info import Addresses
from heliograph.publish.sockets import Subscriber
from heliograph.requires import Requires

with Requires("torch"):
    from torch.utils import data

Item: TypeAlias = dict[str, Any]
Transform: TypeAlias = Callable[[Item], Any]

_START = 60.0
"""Seconds that a Blender may take to start and to open its scene."""

_IterableBase: TypeAlias = data.IterableDataset[Any]
_Base: TypeAlias = data.Dataset[Any]
_Concatenated: TypeAlias = data.ConcatDataset[Any]


def _as_it_is(item: Item) -> Item:
    return item


class RemoteIterableDataset(_IterableBase):
    """Takes what Blenders publish, from each in turn; ends early where all have ended.

    A DataLoader's workers share the items: all of them together yield `max_items`.

    Args:
        addresses: of the publishers, as the launcher says: told at once then when one has died.
        queue_size: messages that wait for each connection.
        timeoutms: milliseconds without any message after which `TimeoutError` says who is silent;
            Blenders that were launched have a minute, or more, to send the first one.
        max_items: how many items an epoch has.
        item_transform: applied to each item, unless `_item` is overridden.
        record_path_prefix: see `enable_recording`.
    """

    def __init__(
        self,
        addresses: str | Sequence[str],
        queue_size: int = 10,
        timeoutms: int = 10000,
        max_items: int = 100000,
        item_transform: Transform | None = None,
        record_path_prefix: str | Path | None = None,
    ) -> None:
        self.addresses = listed(addresses) if isinstance(addresses, str) else addresses
        self.queue_size = queue_size
        self.timeoutms = timeoutms
        self.max_items = check_integer("max_items", max_items)
        self.item_transform = item_transform or _as_it_is
        self.record_path_prefix = record_path_prefix

    def stream_length(self, max_items: int) -> None:
        """Sets how many items an epoch has, over all workers."""
        self.max_items = check_integer("max_items", max_items)

    def enable_recording(self, fname: str | Path) -> None:
        """Has what comes recorded, worker w in the file `{fname}_{w:02d}.btr`."""
        self.record_path_prefix = fname

    def __iter__(self) -> Iterator[Any]:
        """This worker's share of the items, as they come."""
        info = data.get_worker_info()
        worker, workers = (0, 1) if info is None else (info.id, info.num_workers)
        share = self.max_items // workers + (worker < self.max_items % workers)
        timeout = seconds(self.timeoutms)
        with (
            Subscriber(self.addresses, queue=self.queue_size, timeout=timeout) as subscriber,
            self._recorder(worker, share) as recorder,
        ):
            wait = self._first_wait(timeout)
            for _ in range(share):
                try:
                    message = subscriber.recv(wait)
                except ClosedError:
                    return
                wait = timeout
                item = {"btid": message.instance, **message.values}
                if recorder is not None:
                    recorder.save(item)
                yield self._item(item)

    def _item(self, item: Item) -> Any:
        """What becomes of an item that came; to be overridden."""
        return self.item_transform(item)

    def _first_wait(self, timeout: float | None) -> float | None:
        """Seconds for the first message: a launched Blender starts first, or its death is told."""
        launched = isinstance(self.addresses, Addresses) and self.addresses.status is not None
        return max(timeout, _START) if launched and timeout is not None else timeout

    def _recorder(self, worker: int, share: int) -> FileRecorder | nullcontext[None]:
        if self.record_path_prefix is None:
            return nullcontext()
        path = FileRecorder.filename(self.record_path_prefix, worker)
        return FileRecorder(path, max_messages=share)


class SingleFileDataset(_Base):
    """The items of one recording, by their number, without Blender.

    Args:
        path: of the recording.
        item_transform: applied to each item, unless `_item` is overridden.
    """

    def __init__(self, path: str | Path, item_transform: Transform | None = None) -> None:
        self.reader = FileReader(path)
        self.item_transform = item_transform or _as_it_is

    def __len__(self) -> int:
        """How many items were recorded."""
        return len(self.reader)

    def __getitem__(self, number: int) -> Any:
        """An item by its number."""
        return self._item(self.reader[number])

    def close(self) -> None:
        """Closes the file."""
        self.reader.close()

    def _item(self, item: Item) -> Any:
        """What becomes of a recorded item; to be overridden."""
        return self.item_transform(item)


class FileDataset(_Concatenated):
    """The items of all files of a recording, in the files' order, without Blender.

    Args:
        record_path_prefix: as it was given to `enable_recording`.
        item_transform: applied to each item, unless `_item` is overridden.

    Raises:
        RecordError: there are no such files.
    """

    def __init__(
        self, record_path_prefix: str | Path, item_transform: Transform | None = None
    ) -> None:
        prefix = Path(record_path_prefix)
        paths = sorted(prefix.parent.glob(f"{prefix.name}_*.btr"))
        if not paths:
            raise RecordError(f"{prefix}_*.btr: expected recorded files, found none")
        self.item_transform = item_transform or _as_it_is
        self._files = [SingleFileDataset(path, self._item) for path in paths]
        super().__init__(self._files)

    def close(self) -> None:
        """Closes the files."""
        for each in self._files:
            each.close()

    def _item(self, item: Item) -> Any:
        """What becomes of a recorded item; to be overridden."""
        return self.item_transform(item)
