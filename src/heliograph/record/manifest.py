"""The manifest of a recording: what it holds, from what it was made, and the hashes of its files.

A recording is a folder with `manifest.json`, and for every shard `shard-000000.tar` (the samples,
in WebDataset's layout) and `shard-000000.json` (where in the tar they stand). A shard counts once
it stands in the manifest.
"""

from __future__ import annotations

from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import msgspec

from heliograph.codec import as_lists
from heliograph.disk import read_file
from heliograph.errors import RecordError

MANIFEST = "manifest.json"
_WROTE = "written by heliograph.record or `heliograph generate`"


class Failure(msgspec.Struct, frozen=True):
    """A sample that is not in the recording, and why.

    Attributes:
        position: its place in the run.
        message: the error, with index, seed and how to reproduce it where known.
    """

    position: int
    message: str


class Shard(msgspec.Struct, frozen=True):
    """One finished shard: its files' name without suffix, hashes, bytes, samples, failures."""

    name: str
    sha256: str
    index_sha256: str
    size: int
    samples: int
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
    length: int | None
    shard_size: int
    source: dict[str, Any]
    versions: dict[str, str]
    shards: tuple[Shard, ...] = ()

    @property
    def failed(self) -> tuple[Failure, ...]:
        """All failures, in the order of the run."""
        return tuple(failure for shard in self.shards for failure in shard.failed)

    def encoded(self) -> bytes:
        """As it stands in the file."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


def versions() -> dict[str, str]:
    """Versions of the installed packages that decide the bytes of a recording."""
    named = {}
    for name in ("heliograph", "numpy", "pillow", "mujoco", "moderngl"):
        with suppress(PackageNotFoundError):
            named[name] = version(name)
    return named


def plain(value: Any) -> Any:
    """A description as JSON gives it back: tuples become lists, arrays and numpy's numbers too.

    Raises:
        RecordError: it holds something that JSON does not know.
    """
    try:
        return msgspec.json.decode(msgspec.json.encode(value, enc_hook=as_lists, order="sorted"))
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
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
        data = read_file(path)
    except FileNotFoundError:
        raise RecordError(
            f"{folder}: holds no {MANIFEST}, so it is no recording {_WROTE}"
        ) from None
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, ValueError) as error:
        raise RecordError(
            f"{path}: damaged, or not a manifest {_WROTE} of this version ({error})"
        ) from None
