"""Shards: tar files that any tar reads, the same bytes for the same samples, whole or not there."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from io import BufferedReader
from itertools import pairwise
from pathlib import Path
from typing import Self, TypeAlias

import msgspec

from heliograph.disk import (
    cannot_write,
    open_file,
    part_file,
    put_in_place,
    read_file,
    reason,
    write_file,
)
from heliograph.errors import RecordError
from heliograph.record.manifest import Count, Failure, Manifest, Shard, shard_name

Files: TypeAlias = tuple[int, int, Mapping[str, bytes]]
"""A sample as it is recorded: its position in the run, its index, its files by name."""

Member: TypeAlias = tuple[str, Count, Count]
"""What follows the key in a file's name, where its bytes start in the tar, how many they are."""

_BLOCK = 512
_END = bytes(2 * _BLOCK)


class Place(msgspec.Struct, frozen=True):
    """Where in its shard a sample stands: its position in the run, index, and files."""

    position: Count
    index: Count
    members: tuple[Member, ...]


class ShardWriter:
    """Writes one shard under a temporary name; `finish` puts it in place, `with` drops the rest.

    Args:
        folder: of the recording.
        number: of the shard.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self._path = folder / f"{shard_name(number)}.tar"
        self._hash = hashlib.sha256()
        self._size = 0
        self._places: list[Place] = []
        self._indices: set[int] = set()
        self._failed: list[Failure] = []
        for path in (self._path, self._path.with_suffix(".json")):
            if path.is_symlink():
                raise RecordError(f"{path}: expected nothing or a file, got a link; move it away")
        self._opened = ExitStack()
        try:
            self._stream = self._opened.enter_context(part_file(self._path))
        except OSError as error:
            raise cannot_write(self._path, error) from None

    def add(self, position: int, index: int, files: Mapping[str, bytes]) -> None:
        """Append the files of a sample.

        Raises:
            RecordError: one with this index is there already.
        """
        if index in self._indices:
            raise RecordError(
                f"{self._path}: two samples with index {index}, whose files would have one name; "
                "give each its own (dataclasses.replace(sample, index=number))"
            )
        self._indices.add(index)
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
        with suppress(OSError):  # what is not written yet and finds no room
            self._opened.close()

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


def read_places(folder: Path, manifest: Manifest, number: int) -> tuple[Place, ...]:
    """Where the samples of a shard stand.

    Raises:
        RecordError: the index of the shard is missing or damaged.
    """
    shard = manifest.shards[number]
    path = folder / f"{shard.name}.json"
    try:
        data = read_file(path, follow=False)
        places = msgspec.json.decode(data, type=tuple[Place, ...])
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RecordError(f"{path}: missing or damaged ({error})") from None
    if hashlib.sha256(data).hexdigest() != shard.index_sha256 or len(places) != shard.samples:
        raise RecordError(f"{path}: damaged, its hash is not that of the manifest")
    failed = {failure.position for failure in shard.failed}
    expected = [each for each in manifest.positions(number) if each not in failed]
    ends = [(start, start + size) for place in places for _, start, size in place.members]
    apart = all(end <= start for (_, end), (start, _) in pairwise(ends))
    if [place.position for place in places] != expected or not apart:
        raise RecordError(f"{path}: damaged, expected each sample that did not fail once, in order")
    return places


def open_shard(folder: Path, shard: Shard) -> BufferedReader:
    """The tar of a shard, opened for reading, with as many bytes as it had.

    Raises:
        RecordError: it is not there, no regular file, or of another size.
    """
    path = folder / f"{shard.name}.tar"
    try:
        stream = open_file(path, follow=False, most=None)
    except FileNotFoundError:
        raise RecordError(f"{path}: expected {shard.size} bytes, it is missing") from None
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({reason(error)})") from None
    size = os.fstat(stream.fileno()).st_size
    if size != shard.size:
        stream.close()
        raise RecordError(f"{path}: damaged, expected {shard.size} bytes, it has {size}")
    return stream


def check_hash(folder: Path, manifest: Manifest, number: int) -> None:
    """Check every byte of a shard and of its index.

    Raises:
        RecordError: one differs.
    """
    read_places(folder, manifest, number)
    shard = manifest.shards[number]
    with open_shard(folder, shard) as stream:
        try:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise RecordError(f"{stream.name}: cannot be read ({reason(error)})") from None
    if found != shard.sha256:
        raise RecordError(
            f"{folder / shard.name}.tar: damaged, its SHA-256 is not that of the manifest"
        )


def read_samples(folder: Path, manifest: Manifest, number: int) -> Iterator[Files]:
    """The samples of a shard, not decoded.

    Raises:
        RecordError: it is missing or damaged.
    """
    with open_shard(folder, manifest.shards[number]) as stream:
        for place in read_places(folder, manifest, number):
            files = {name: read_member(stream, start, size) for name, start, size in place.members}
            yield place.position, place.index, files


def read_member(stream: BufferedReader, start: int, size: int) -> bytes:
    """The bytes of one file of a sample.

    Raises:
        RecordError: the shard ends before them, or cannot be read.
    """
    handle = stream.fileno()
    try:
        data = os.pread(handle, min(size, os.fstat(handle).st_size), start)
    except OSError as error:
        raise RecordError(f"cannot be read ({reason(error)})") from None
    if len(data) != size:
        raise RecordError(f"expected {size} bytes at {start}, got {len(data)}")
    return data
