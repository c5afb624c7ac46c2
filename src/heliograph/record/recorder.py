"""Recording: samples into shards on disk, resumable at any point."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from heliograph.errors import HeliographError, InvalidValueError, RecordError
from heliograph.frame import Sample
from heliograph.record.codec import encode
from heliograph.record.manifest import MANIFEST, PART, Manifest, plain, read_manifest, versions
from heliograph.record.recording import Recording
from heliograph.record.shard import ShardWriter, cannot_write, check_size, write_whole
from heliograph.source import OnError, Outcome, SampleSource, ahead

_Encoded: TypeAlias = tuple[int, int, dict[str, bytes]] | tuple[int, HeliographError]
_AHEAD = 8


def record(
    source: SampleSource | Iterable[Sample],
    path: str | Path,
    *,
    shard_size: int = 1000,
    resume: bool = False,
    on_error: OnError | None = None,
) -> Recording:
    """Write samples to disk, sharded; what is finished stays, whatever happens.

    The same source gives the same bytes, however often it was killed and resumed.

    Args:
        source: a `Dataset`, a `Recording`, or samples one after another; of the last, those that
            are on disk already are made again and dropped when it is resumed.
        path: folder; absent or empty, or with `resume` that of the same source.
        shard_size: samples in one tar file.
        resume: go on where an earlier call stopped; nothing happens where it had finished.
        on_error: told of each sample that failed, which the manifest then names; without it the
            first error is raised.

    Raises:
        RecordError: the folder holds something else, the disk is full, another process records
            there.
        HeliographError: a sample failed, and there is no `on_error`.
    """
    if isinstance(shard_size, bool) or not isinstance(shard_size, int) or shard_size < 1:
        raise InvalidValueError(f"shard_size: expected an integer from 1, got {shard_size!r}")
    samples = source if isinstance(source, SampleSource) else _Sequential(source)
    folder = Path(path)
    with _locked(folder):
        manifest = _begun(folder, _fresh(samples, shard_size), resume=resume)
        if not manifest.complete:
            _write_rest(folder, manifest, samples, on_error)
    return Recording(folder)


class _Sequential:
    """Samples one after another as a source that is read once, from any position onwards."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = samples

    def outcomes(self, start: int) -> Iterator[Outcome]:
        return islice(enumerate(self._samples), start, None)

    def describe(self) -> Mapping[str, Any]:
        return {}


def _fresh(source: SampleSource | _Sequential, shard_size: int) -> Manifest:
    length = None if isinstance(source, _Sequential) else len(source)
    described = plain(source.describe())
    return Manifest(length=length, shard_size=shard_size, source=described, versions=versions())


def _begun(folder: Path, fresh: Manifest, *, resume: bool) -> Manifest:
    """The manifest to go on from; the folder then holds nothing unfinished."""
    if not (folder / MANIFEST).exists():
        _check_empty(folder)
        write_whole(folder / MANIFEST, fresh.encoded())
        return fresh
    if not resume:
        raise RecordError(
            f"{folder}: holds a recording; resume it (resume=True, --resume) or give another folder"
        )
    found = read_manifest(folder)
    _check_same(folder, found, fresh)
    for shard in found.shards:
        check_size(folder, shard)
    _remove_unfinished(folder, {shard.name for shard in found.shards})
    return found


def _check_empty(folder: Path) -> None:
    foreign = sorted(p.name for p in folder.iterdir() if p.suffix != PART)
    if foreign:
        raise RecordError(f"{folder}: holds {foreign[0]!r} but no {MANIFEST}; give an empty folder")


def _check_same(folder: Path, found: Manifest, fresh: Manifest) -> None:
    for name in ("shard_size", "versions", "source", "length"):
        there, here = getattr(found, name), getattr(fresh, name)
        if there == here or (name == "length" and here is None):
            continue
        what, there, here = _difference(name, there, here)
        raise RecordError(
            f"{folder}: holds another run, whose {what} is {there!r}; here it is {here!r}: "
            "use what it was begun with, or give another folder"
        )


def _difference(name: str, there: Any, here: Any) -> tuple[str, Any, Any]:
    """The first place where two descriptions differ."""
    if not (isinstance(there, dict) and isinstance(here, dict)):
        return name, there, here
    for key in {**there, **here}:
        if there.get(key) != here.get(key):
            return _difference(f"{name}.{key}", there.get(key), here.get(key))
    return name, there, here


def _remove_unfinished(folder: Path, finished: set[str]) -> None:
    for path in folder.iterdir():
        ours = path.name.startswith("shard-") and path.stem not in finished
        if ours or path.suffix == PART:
            with suppress(OSError):
                path.unlink()


def _write_rest(
    folder: Path,
    manifest: Manifest,
    source: SampleSource | _Sequential,
    on_error: OnError | None,
) -> None:
    start = len(manifest.shards) * manifest.shard_size
    if isinstance(source, _Sequential):
        outcomes = source.outcomes(start)
    else:
        outcomes = source.outcomes(range(start, len(source)))
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as threads:
        coming = _encoded(threads, outcomes, on_error)
        try:
            _write_shards(folder, manifest, coming)
        finally:
            coming.close()


def _write_shards(folder: Path, manifest: Manifest, coming: Iterator[_Encoded]) -> None:
    for first in coming:
        shard = _write_shard(folder, manifest, chain([first], coming))
        manifest = msgspec.structs.replace(manifest, shards=(*manifest.shards, shard))
        write_whole(folder / MANIFEST, manifest.encoded())
    length = _positions(manifest) if manifest.length is None else manifest.length
    done = msgspec.structs.replace(manifest, complete=True, length=length)
    write_whole(folder / MANIFEST, done.encoded())


def _write_shard(folder: Path, manifest: Manifest, coming: Iterator[_Encoded]) -> Any:
    with ShardWriter(folder, len(manifest.shards)) as writer:
        for each in islice(coming, manifest.shard_size):
            if len(each) == 2:
                writer.fail(each[0], str(each[1]))
            else:
                writer.add(*each)
        return writer.finish()


def _encoded(
    threads: ThreadPoolExecutor, outcomes: Iterator[Outcome], on_error: OnError | None
) -> Generator[_Encoded, None, None]:
    """Outcomes as files, in order, made by several threads: PNG takes longer than drawing."""

    def submit(outcome: Outcome) -> Future[dict[str, bytes]]:
        return threads.submit(_files, outcome[1])

    for (position, result), future in ahead(submit, outcomes, _AHEAD):
        if isinstance(result, Sample):
            yield position, result.index, future.result()
        elif on_error is None:
            raise result
        else:
            on_error(result)
            yield position, result


def _files(result: Sample | HeliographError) -> dict[str, bytes]:
    return encode(result) if isinstance(result, Sample) else {}


def _positions(manifest: Manifest) -> int:
    return sum(shard.samples + len(shard.failed) for shard in manifest.shards)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The folder, made where it is missing, for this process alone."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise cannot_write(folder, error) from None
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RecordError(f"{folder}: another process is recording there") from None
