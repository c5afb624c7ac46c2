"""What is published, as a dataset of torch's; any number of DataLoader workers share it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from heliograph.checks import check_integer
from heliograph.errors import RecordError
from heliograph.publish.recording import StreamWriter
from heliograph.publish.sockets import Subscriber
from heliograph.requires import Requires

with Requires("torch"):
    from torch.utils import data

SUFFIX = ".stream"

_Base: TypeAlias = data.IterableDataset[Any]


class StreamDataset(_Base):
    """Messages as they come, each in one DataLoader worker; ends when the publishers have.

    Args:
        addresses: of the publishers; those of a `Launcher` tell at once when a process has died.
        count: items of an epoch, all workers together; without it until the publishers end. What
            waits for a worker that has its share is lost, so give it where they do not end.
        item_transform: makes an item of the values by name; without it they are the item.
        record: where all that comes is kept: worker w writes `{record}_{w:02d}.stream`.
        queue: messages that wait at each end of each connection.
        timeout: seconds without a message after which `TimeoutError` says who is missing.

    Raises:
        InvalidValueError: an argument out of its range.
        RecordError: there is a recording of that name.
    """

    def __init__(
        self,
        addresses: str | Sequence[str],
        count: int | None = None,
        *,
        item_transform: Callable[[dict[str, Any]], Any] | None = None,
        record: str | Path | None = None,
        queue: int = 10,
        timeout: float | None = 10.0,
    ) -> None:
        self._addresses = addresses
        self.count = None if count is None else check_integer("count", count)
        self._transform = item_transform
        self._record = None if record is None else _unused(Path(record))
        self._queue = queue
        self._timeout = timeout

    def __iter__(self) -> Iterator[Any]:
        """The items of this worker."""
        info = data.get_worker_info()
        worker, workers = (0, 1) if info is None else (info.id, info.num_workers)
        share = None
        if self.count is not None:
            share = self.count // workers + (worker < self.count % workers)
        with (
            Subscriber(self._addresses, queue=self._queue, timeout=self._timeout) as subscriber,
            self._writer(worker) as writer,
        ):
            for message in islice(subscriber, share):
                if writer is not None:
                    writer.write(message)
                values = message.values
                yield values if self._transform is None else self._transform(values)

    def _writer(self, worker: int) -> StreamWriter | nullcontext[None]:
        if self._record is None:
            return nullcontext()
        name = f"{self._record.name}_{worker:02d}{SUFFIX}"
        return StreamWriter(self._record.with_name(name), append=True)  # epoch after epoch


def _unused(prefix: Path) -> Path:
    there = sorted(prefix.parent.glob(f"{prefix.name}_*{SUFFIX}"))
    if there:
        raise RecordError(
            f"record: expected no recording {prefix}_*{SUFFIX}, there is {there[0]}; give another "
            "name, or move it away"
        )
    return prefix
