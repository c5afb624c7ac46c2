"""Recording: samples into shards on disk, resumable at any point."""

from __future__ import annotations

import fcntl
import heapq
import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, count, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from heliograph.checks import check_integer
from heliograph.codec import encode
from heliograph.disk import PART, cannot_write, write_file
from heliograph.errors import HeliographError, RecordError
from heliograph.frame import Sample
from heliograph.record.manifest import (
    MANIFEST,
    Manifest,
    Shard,
    is_unfinished,
    plain,
    read_manifest,
)
from heliograph.record.recording import Recording
from heliograph.record.shard import Files, ShardWriter, check_hash, read_samples
from heliograph.source import OnError, Outcome, SampleSource, ahead
from heliograph.versions import versions

_Encoded: TypeAlias = Files | tuple[int, HeliographError]
_AHEAD = 8
_MOST_TOLD = 8
_MOST_SHOWN = 100
"""How many differences between two runs an error lists, and letters of each value."""


def record(
    source: SampleSource | Iterable[Sample],
    path: str | Path,
    *,
    shard_size: int = 1000,
    resume: bool = False,
    retry_failed: bool = False,
    on_error: OnError | None = None,
) -> Recording:
    """Write samples to disk, sharded; what is finished stays, whatever happens.

    The same source gives the same bytes, however often it was killed and resumed.

    Args:
        source: a `Dataset`, a `Recording`, or samples one after another; of the last, those that
            are on disk already are made again and dropped when it is resumed.
        path: folder; absent or empty, or with `resume` that of the same source.
        shard_size: samples in one tar file.
        resume: go on where an earlier call stopped, also one that had finished: the hashes of all
            finished shards are compared first, and a missing or damaged one is drawn again.
        retry_failed: resume, and draw again what failed in finished shards.
        on_error: told of each sample that failed, which the manifest then names; without it the
            first error is raised.

    Raises:
        RecordError: the folder holds something else, the disk is full, another process records
            there.
        HeliographError: a sample failed, and there is no `on_error`.
    """
    shard_size = check_integer("shard_size", shard_size, 1)
    samples = source if isinstance(source, SampleSource) else _Sequential(source)
    folder = Path(path)
    with _locked(folder):
        fresh = Manifest(
            length=None if isinstance(samples, _Sequential) else len(samples),
            shard_size=shard_size,
            source=plain(samples.describe()),
            versions=versions(),
        )
        work = _begun(folder, fresh, resume=resume, retry_failed=retry_failed)
        if work.again or not work.manifest.complete:
            outcomes = samples.outcomes(work)
            with (
                ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as threads,
                closing(_encoded(threads, outcomes, on_error)) as coming,
            ):
                _write_shards(folder, work, coming)
    return Recording(folder)


class _Sequential:
    """Samples one after another as a source that is read once, from any position onwards."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = samples

    def outcomes(self, positions: Iterable[int]) -> Iterator[Outcome]:
        coming = iter(positions)
        wanted = next(coming, None)
        if wanted is None:
            return
        for position, sample in enumerate(self._samples):
            if position == wanted:
                yield position, sample
                wanted = next(coming, None)
            if wanted is None:
                return

    def describe(self) -> Mapping[str, Any]:
        return {}


def _begun(folder: Path, fresh: Manifest, *, resume: bool, retry_failed: bool) -> _Work:
    """What is left to draw; the folder then holds nothing unfinished.

    A recording with damaged shards does not count as complete any more.
    """
    if not os.path.lexists(folder / MANIFEST):
        foreign = sorted(path.name for path in folder.iterdir() if path.name != MANIFEST + PART)
        if foreign:
            raise RecordError(
                f"{folder}: holds {foreign[0]!r} but no {MANIFEST}; give an empty folder"
            )
        write_file(folder / MANIFEST, fresh.encoded())
        return _Work(fresh, {})
    if not (resume or retry_failed):
        raise RecordError(
            f"{folder}: holds a recording; resume it (resume=True, --resume) or give another folder"
        )
    found = read_manifest(folder)
    _check_same(folder, found, fresh)
    _remove_unfinished(folder, len(found.shards))
    again = {
        number: positions
        for number in range(len(found.shards))
        if (positions := _to_draw_again(folder, found, number, retry_failed=retry_failed))
    }
    if found.complete and any(again[n] == found.positions(n) for n in again):
        found = _saved(folder, found, complete=False)
    return _Work(found, again)


def _check_same(folder: Path, found: Manifest, fresh: Manifest) -> None:
    told = [
        f"{what}: expected {_shortened(there)}, got {_shortened(here)}"
        for name in ("shard_size", "versions", "source", "length")
        for what, there, here in _differences(name, getattr(found, name), getattr(fresh, name))
        if what != "length" or here is not None
    ]
    if told:
        more = [f"and {len(told) - _MOST_TOLD} more"] if len(told) > _MOST_TOLD else []
        raise RecordError(
            f"{folder}: holds another run ({'; '.join(told[:_MOST_TOLD] + more)}): use what it was "
            "begun with, or give another folder"
        )


def _differences(name: str, there: Any, here: Any) -> Iterator[tuple[str, Any, Any]]:
    """The places where two descriptions differ."""
    if isinstance(there, list) and isinstance(here, list):
        there, here = dict(enumerate(there)), dict(enumerate(here))
    if isinstance(there, dict) and isinstance(here, dict):
        for key in {**there, **here}:
            yield from _differences(f"{name}.{key}", there.get(key), here.get(key))
    elif there != here:
        yield name, there, here


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def _remove_unfinished(folder: Path, finished: int) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_unfinished(entry.name, finished) and entry.is_file(follow_symlinks=False):
                with suppress(OSError):
                    Path(entry).unlink()


def _to_draw_again(
    folder: Path, manifest: Manifest, number: int, *, retry_failed: bool
) -> Sequence[int]:
    """Of a finished shard, all positions where it is damaged, else those that failed."""
    shard = manifest.shards[number]
    try:
        check_hash(folder, manifest, number)
    except RecordError:
        return manifest.positions(number)
    return [failure.position for failure in shard.failed] if retry_failed else []


@dataclass(frozen=True)
class _Work:
    """What is left to draw.

    Attributes:
        manifest: of what is there; all that follows is to be drawn.
        again: positions of finished shards that are to be drawn again, by the shard's number.
    """

    manifest: Manifest
    again: Mapping[int, Sequence[int]]

    def __iter__(self) -> Iterator[int]:
        """The positions to draw, in order; without end where it is not known how many there are."""
        yield from chain.from_iterable(self.again.values())
        start, length = len(self.manifest.shards) * self.manifest.shard_size, self.manifest.length
        yield from count(start) if length is None else range(start, length)

    def __length_hint__(self) -> int:
        """How many positions there are; where that is not known, those of finished shards."""
        start, length = len(self.manifest.shards) * self.manifest.shard_size, self.manifest.length
        return sum(map(len, self.again.values())) + max((length or 0) - start, 0)


def _write_shards(folder: Path, work: _Work, coming: Iterator[_Encoded]) -> None:
    manifest = work.manifest
    for number, positions in work.again.items():
        shards = list(manifest.shards)
        kept: Iterator[_Encoded] = iter(())
        if len(positions) < len(manifest.positions(number)):
            kept = read_samples(folder, manifest, number)
        drawn = _again(folder, shards[number], len(positions), coming)
        outcomes = heapq.merge(kept, drawn, key=itemgetter(0))
        shards[number] = _write_shard(folder, manifest, number, outcomes)
        manifest = _saved(folder, manifest, shards=tuple(shards))
    for first in coming:
        shard = _write_shard(folder, manifest, len(manifest.shards), chain([first], coming))
        manifest = _saved(folder, manifest, shards=(*manifest.shards, shard))
    length = _positions(manifest.shards) if manifest.length is None else manifest.length
    _saved(folder, manifest, complete=True, length=length)


def _saved(folder: Path, manifest: Manifest, **changes: Any) -> Manifest:
    """The manifest with these changes, on disk as well."""
    changed = msgspec.structs.replace(manifest, **changes)
    write_file(folder / MANIFEST, changed.encoded())
    return changed


def _again(
    folder: Path, shard: Shard, wanted: int, coming: Iterator[_Encoded]
) -> Iterator[_Encoded]:
    """As many outcomes as a shard lacks."""
    for made in range(wanted):
        outcome = next(coming, None)
        if outcome is None:
            raise RecordError(
                f"{folder}: {wanted} samples of {shard.name} are missing or damaged and are to be "
                f"drawn again, but only {made} were given; give all that it was recorded from"
            )
        yield outcome


def _write_shard(
    folder: Path, manifest: Manifest, number: int, coming: Iterable[_Encoded]
) -> Shard:
    with ShardWriter(folder, number) as writer:
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


def _positions(shards: Iterable[Shard]) -> int:
    return sum(shard.samples + len(shard.failed) for shard in shards)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The folder, made where it is missing, for this process alone."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise cannot_write(folder, error) from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RecordError(f"{folder}: another process is recording there") from None
        yield
    finally:
        os.close(handle)
