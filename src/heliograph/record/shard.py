"""Shards: tar files that any tar reads, the same bytes for the same samples, whole or not there."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Self, TypeAlias

import msgspec

from heliograph.disk import PART, cannot_write, put_in_place, read_file, write_file
from heliograph.errors import RecordError
from heliograph.record.manifest import Failure, Shard

Member: TypeAlias = tuple[str, int, int]
"""What follows the key in a file's name, where its bytes start in the tar, how many they are."""

_BLOCK = 512
_END = bytes(2 * _BLOCK)


class Place(msgspec.Struct, frozen=True):
    """Where in its shard a sample stands: its position in the run, index, and files."""

    position: int
    index: int
    members: tuple[Member, ...]


def shard_name(number: int) -> str:
    """Name of the files of a shard, without suffix."""
    return f"shard-{number:06d}"


class ShardWriter:
    """Writes one shard under a temporary name; `finish` puts it in place, `with` drops the rest.

    Args:
        folder: of the recording.
        number: of the shard.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self._path = folder / f"{shard_name(number)}.tar"
        self._part = self._path.with_name(self._path.name + PART)
        self._hash = hashlib.sha256()
        self._size = 0
        self._places: list[Place] = []
        self._failed: list[Failure] = []
        try:
            self._stream: BinaryIO = self._part.open("wb")
        except OSError as error:
            raise cannot_write(self._part, error) from None

    def add(self, position: int, index: int, files: Mapping[str, bytes]) -> None:
        """Append the files of a sample."""
        members = tuple(
            (name, self._append(f"{index:09d}.{name}", data), len(data))
            for name, data in files.items()
        )
        self._places.append(Place(position, index, members))

    def fail(self, position: int, message: str) -> None:
        """Note that a sample failed."""
        self._failed.append(Failure(position, message))

    def finish(self) -> Shard:
        """Put the shard and its index in place, safe from a power cut."""
        self._write(_END)
        try:
            put_in_place(self._stream, self._path)
        except OSError as error:
            raise cannot_write(self._path, error) from None
        listed = msgspec.json.encode(self._places)
        write_file(self._path.with_suffix(".json"), listed)
        return Shard(
            self._path.stem,
            self._hash.hexdigest(),
            hashlib.sha256(listed).hexdigest(),
            self._size,
            len(self._places),
            tuple(self._failed),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._stream.close()
        with suppress(OSError):
            self._part.unlink(missing_ok=True)

    def _append(self, name: str, data: bytes) -> int:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        self._write(info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict"))
        start = self._size
        self._write(data)
        self._write(bytes(-len(data) % _BLOCK))
        return start

    def _write(self, data: bytes) -> None:
        self._hash.update(data)
        self._size += len(data)
        try:
            self._stream.write(data)
        except OSError as error:
            raise cannot_write(self._path, error) from None


def read_places(folder: Path, shard: Shard) -> tuple[Place, ...]:
    """Where the samples of a shard stand.

    Raises:
        RecordError: the index of the shard is missing or damaged.
    """
    path = folder / f"{shard.name}.json"
    try:
        data = read_file(path)
        places = msgspec.json.decode(data, type=tuple[Place, ...])
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise RecordError(f"{path}: missing or damaged ({error})") from None
    if hashlib.sha256(data).hexdigest() != shard.index_sha256 or len(places) != shard.samples:
        raise RecordError(f"{path}: damaged, its hash is not that of the manifest")
    return places


def check_size(folder: Path, shard: Shard) -> None:
    """Check that a shard is there with as many bytes as it had.

    Raises:
        RecordError: it is not.
    """
    path = folder / f"{shard.name}.tar"
    try:
        size = path.stat().st_size if path.is_file() else None
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror})") from None
    if size != shard.size:
        came = "it is missing" if size is None else f"it has {size}"
        raise RecordError(f"{path}: damaged, expected {shard.size} bytes, {came}")


def check_hash(folder: Path, shard: Shard) -> None:
    """Check every byte of a shard and of its index.

    Raises:
        RecordError: one differs.
    """
    check_size(folder, shard)
    read_places(folder, shard)
    path = folder / f"{shard.name}.tar"
    try:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror})") from None
    if found != shard.sha256:
        raise RecordError(f"{path}: damaged, its SHA-256 is not that of the manifest")
