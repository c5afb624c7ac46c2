"""The manifest of a recording: what it holds, from what it was made, and the hashes of its files.

A recording is a folder with `manifest.json`, and for every shard `shard-000000.tar` (the samples,
in WebDataset's layout) and `shard-000000.json` (where in the tar they stand). A shard counts once
it stands in the manifest.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from heliograph.codec import as_lists
from heliograph.disk import PART, read_file, reason
from heliograph.errors import RecordError, shown

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A number of things, or a place among them."""

MANIFEST = "manifest.json"
_SHARD_FILE = re.compile(r"(shard-([0-9]{6,}))\.(?:tar|json)")
_WROTE = "written by heliograph.record or `heliograph generate`"


class Failure(msgspec.Struct, frozen=True):
    """A sample that is not in the recording, and why.

    Attributes:
        position: its place in the run.
        message: the error, with index, seed and how to reproduce it where known.
    """

    position: Count
    message: str


class Shard(msgspec.Struct, frozen=True):
    """One finished shard: its files' name without suffix, hashes, bytes, samples, failures."""

    name: str
    sha256: str
    index_sha256: str
    size: Count
    samples: Annotated[int, msgspec.Meta(ge=0, le=2**40)]
    failed: tuple[Failure, ...] = ()


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in `manifest.json`.

    Attributes:
        length: positions of the run, failed ones too; None until the end where it is not known.
        source: what decides the samples.
        versions: of what decides the bytes.
    """

    format: Literal["heliograph-recording"] = "heliograph-recording"
    version: Literal[1] = 1
    complete: bool = False
    length: Count | None
    shard_size: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
    source: dict[str, Any]
    versions: dict[str, str]
    shards: tuple[Shard, ...] = ()

    def positions(self, number: int) -> range:
        """The positions of the run that a finished shard holds, failed ones too."""
        shard, start = self.shards[number], number * self.shard_size
        return range(start, start + shard.samples + len(shard.failed))

    @property
    def failed(self) -> tuple[Failure, ...]:
        """All failures, in the order of the run."""
        return tuple(failure for shard in self.shards for failure in shard.failed)

    def encoded(self) -> bytes:
        """As it stands in the file."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


def shard_name(number: int) -> str:
    """Name of the files of a shard, without suffix."""
    return f"shard-{number:06d}"


def is_unfinished(name: str, finished: int) -> bool:
    """Whether a recording with so many finished shards has a file of this name in the works."""
    whole = name.removesuffix(PART)
    if whole == MANIFEST:
        return whole != name
    match = _SHARD_FILE.fullmatch(whole)
    if match is None or shard_name(number := int(match[2])) != match[1]:
        return False
    return whole != name or number >= finished


def plain(value: Any) -> Any:
    """A description as JSON gives it back: tuples become lists, arrays and numpy's numbers too.

    Raises:
        RecordError: it holds something that JSON does not know.
    """
    try:
        return msgspec.json.decode(msgspec.json.encode(value, enc_hook=as_lists, order="sorted"))
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise RecordError(f"the description of the samples is not JSON: {error}") from None


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a recording.

    Raises:
        RecordError: no such folder, not a recording, or a damaged manifest.
    """
    path = folder / MANIFEST
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "no such folder"
        raise RecordError(f"{folder}: {what}; expected one {_WROTE}")
    try:
        data = read_file(path, follow=False)
    except FileNotFoundError:
        raise RecordError(
            f"{folder}: holds no {MANIFEST}, so it is no recording {_WROTE}"
        ) from None
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({reason(error)})") from None
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
        _check_shards(manifest)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RecordError(
            f"{path}: damaged, or not a manifest {_WROTE} of this version ({error})"
        ) from None
    return manifest


def _check_shards(manifest: Manifest) -> None:
    """Check that shards are as we write them; their names are those of files that are opened."""
    for number, shard in enumerate(manifest.shards):
        if shard.name != shard_name(number):
            raise ValueError(f"expected {shard_name(number)!r}, got {shown(shard.name)}")
        failed, places = [each.position for each in shard.failed], manifest.positions(number)
        apart = failed == sorted(set(failed)) and all(each in places for each in failed)
        if not apart or len(places) > manifest.shard_size:
            raise ValueError(f"{shard.name}: other samples than a shard of this number has")
