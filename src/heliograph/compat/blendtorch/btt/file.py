"""Recordings of what was received, by blendtorch's names; no pickles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TypeAlias

from heliograph.errors import InvalidValueError, shown
from heliograph.publish.framing import Message
from heliograph.publish.recording import StreamReader, StreamWriter

Item: TypeAlias = dict[str, Any]


class FileRecorder:
    """Writes items to a file, in the place of what was there; inside of a `with` block.

    A program that is killed leaves all items that were saved before.

    Args:
        outpath: the file.
        max_messages: what is saved beyond these is left out.
        update_header: taken for blendtorch's sake.
    """

    def __init__(
        self,
        outpath: str | Path = "blendtorch.btr",
        max_messages: int = 100000,
        update_header: int = 10000,
    ) -> None:
        del update_header
        self.outpath = Path(outpath)
        self.capacity = max_messages
        self._writer: StreamWriter | None = None

    @staticmethod
    def filename(prefix: str | Path, worker_idx: int) -> str:
        """The file of a DataLoader's worker."""
        return f"{prefix}_{worker_idx:02d}.btr"

    def save(self, data: Mapping[str, Any]) -> None:
        """Appends an item.

        Raises:
            InvalidValueError: it holds what cannot be kept, or this is not in its `with` block.
            RecordError: it cannot be written.
        """
        if self._writer is None:
            raise InvalidValueError("a FileRecorder is used as `with FileRecorder(path) as ...:`")
        if not isinstance(data, Mapping):
            raise InvalidValueError(f"data: expected a dict, got {shown(data)}")
        if len(self._writer) < self.capacity:
            self._writer.write(Message(dict(data)))

    def __enter__(self) -> Self:
        self.outpath.unlink(missing_ok=True)
        self._writer = StreamWriter(self.outpath)
        return self

    def __exit__(self, *_: object) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()


class FileReader:
    """The items of a file, by their number.

    Args:
        path: what a `FileRecorder` wrote.

    Raises:
        RecordError: there is no such file, or it is another one, such as blendtorch's pickles.
    """

    def __init__(self, path: str | Path) -> None:
        self._reader = StreamReader(path)

    def __len__(self) -> int:
        """How many items there are."""
        return len(self._reader)

    def __getitem__(self, number: int) -> Item:
        """An item by its number."""
        return self._reader[number].values

    def close(self) -> None:
        """Closes the file."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
