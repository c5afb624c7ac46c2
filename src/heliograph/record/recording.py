"""Recordings: samples from disk, as the dataset they were recorded from, without an engine."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

from heliograph.codec import decode
from heliograph.errors import HeliographError, RecordError
from heliograph.frame import Sample
from heliograph.record.manifest import Failure, Manifest, Shard, read_manifest
from heliograph.record.shard import Place, check_hash, open_shard, read_member, read_places
from heliograph.source import Outcome, check_position


class Recording:
    """A map-style dataset of recorded samples; may be sent to other processes.

    Samples that failed when they were recorded are not counted; `failed` lists them.

    Args:
        path: folder that `record` or `heliograph generate` wrote.
        verify: read every byte and compare the hashes first; `verify()` does it later.

    Raises:
        RecordError: no recording, not finished, or damaged.
    """

    def __init__(self, path: str | Path, *, verify: bool = False) -> None:
        self.path = Path(path)
        self.manifest: Manifest = read_manifest(self.path)
        shards = self.manifest.shards
        if not self.manifest.complete:
            raise RecordError(
                f"{self.path}: this recording is not finished ({len(shards)} shards are); "
                "resume it (record(..., resume=True), heliograph generate --resume)"
            )
        for shard in shards:
            open_shard(self.path, shard).close()
        self._ends = list(accumulate(shard.samples for shard in shards))
        self._places: dict[int, tuple[Place, ...]] = {}
        if verify:
            self.verify()

    @property
    def failed(self) -> tuple[Failure, ...]:
        """The samples that failed when they were recorded."""
        return self.manifest.failed

    def __len__(self) -> int:
        """How many samples it holds."""
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, position: int) -> Sample:
        """One sample, its arrays new and the caller's; `IndexError` where there is none.

        Raises:
            RecordError: it is damaged.
        """
        shard, place = self._find(position)
        members = {name: (start, size) for name, start, size in place.members}
        with open_shard(self.path, shard) as stream:
            try:
                return decode(lambda name: read_member(stream, *members[name]))
            except RecordError as error:
                where = f"{self.path / shard.name}.tar: sample {place.index}"
                raise RecordError(f"{where}: {error.message}") from None

    def __iter__(self) -> Iterator[Sample]:
        """All samples, in the order of the run."""
        return (self[position] for position in range(len(self)))

    def outcomes(self, positions: Iterable[int]) -> Iterator[Outcome]:
        """The samples at these positions; a damaged one is an error in its place."""
        for position in positions:
            try:
                yield position, self[position]
            except HeliographError as error:
                yield position, error

    def describe(self) -> dict[str, Any]:
        """What decided the samples when they were recorded, and the versions they were made with.

        Where those were themselves read from a recording, its versions stand.
        """
        return {"versions": self.manifest.versions, **self.manifest.source}

    def verify(self) -> None:
        """Read every byte and compare the hashes.

        Raises:
            RecordError: names the first shard that is missing or damaged.
        """
        for number in range(len(self.manifest.shards)):
            check_hash(self.path, self.manifest, number)

    def _find(self, position: int) -> tuple[Shard, Place]:
        """The shard of a position, and where the sample is in it."""
        wanted = check_position(position, len(self))
        number = bisect_right(self._ends, wanted)
        shard = self.manifest.shards[number]
        if number not in self._places:
            self._places[number] = read_places(self.path, self.manifest, number)
        return shard, self._places[number][wanted - self._ends[number]]
