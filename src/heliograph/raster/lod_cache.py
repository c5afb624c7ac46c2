"""Simplified meshes on disk: a cache that may be lost, damaged or forbidden at any time.

Whatever goes wrong here is logged once, and the levels are computed again. An entry is a checksum,
then the packed levels. It is written beside its place and renamed, so two processes may work at
once. An entry that is used is made new again; beyond the limit, the longest unused go first.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
import zlib
from contextlib import suppress
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from heliograph.disk import read_file, reason

Levels: TypeAlias = list[tuple[NDArray[np.uint32], float]]
"""Triangles (T, 3) of each level, and its error in metres."""

MEGABYTES = 512
"""Most that all entries may take together, unless `$HELIOGRAPH_CACHE_MB` says otherwise."""

STALE = 3600.0
"""Seconds after which a file that is still being written belongs to a process that is gone."""

_LOG = logging.getLogger(__name__)
_CHECKSUM = 32
# The second forms are those of earlier versions.
_ENTRY = re.compile(r"[0-9a-f]{40}\.(lod|npz)")
_PART = re.compile(r"([0-9a-f]{40}\.|tmp)[a-z0-9_]{8}\.part")


def folder() -> Path | None:
    """`$HELIOGRAPH_CACHE` or the user's cache folder, and `lod` in it; None if there is neither."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    chosen = os.environ.get("HELIOGRAPH_CACHE") or f"{base}/heliograph"
    try:
        return Path(chosen).expanduser() / "lod"
    except RuntimeError as error:  # no such user, or no home
        _warn(f"{chosen}: {error}")
        return None


def load(key: str) -> Levels | None:
    """The levels kept under a key, or None if there are none or they are damaged.

    Args:
        key: 40 hexadecimal digits.
    """
    place = folder()
    if place is None:
        return None
    path = place / f"{key}.lod"
    try:
        entry = read_file(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        _warn(f"{place}: cannot be read ({reason(error)})")
        return None
    if entry[:_CHECKSUM] != _checksum(key, entry[_CHECKSUM:]):
        _warn(f"{place}: holds a damaged file, which is made anew")
        return None
    with suppress(OSError):  # a folder that cannot be written
        os.utime(path)
    return _unpacked(entry[_CHECKSUM:])


def save(key: str, levels: Levels) -> None:
    """Keep levels under a key, if that is possible, and remove what is too old or too much."""
    place, most = folder(), _limit()
    packed = _packed(levels)
    if place is None or len(packed) + _CHECKSUM > most:
        return
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(place / f"{key}.lod", _checksum(key, packed) + packed)
        _tidy(place, most)
    except OSError as error:
        _warn(f"{place}: cannot be written ({error.strerror})")


def _write(path: Path, entry: bytes) -> None:
    part = None
    try:
        with NamedTemporaryFile(
            dir=path.parent, prefix=f"{path.stem}.", suffix=".part", delete=False
        ) as stream:
            part = Path(stream.name)
            stream.write(entry)
        part.replace(path)
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def _tidy(place: Path, most: int) -> None:
    """Remove what other processes left half written, then entries until the rest is in bounds."""
    entries = []
    with os.scandir(place) as listed:
        for each in listed:
            with suppress(FileNotFoundError):  # another process tidies as well
                if _ENTRY.fullmatch(each.name):
                    entries.append((each.stat().st_mtime_ns, each.stat().st_size, each.path))
                elif _PART.fullmatch(each.name) and each.stat().st_mtime < time.time() - STALE:
                    Path(each.path).unlink()
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= most:
            return
        Path(path).unlink(missing_ok=True)
        total -= size


def _limit() -> int:
    """Bytes that all entries may take together."""
    text = os.environ.get("HELIOGRAPH_CACHE_MB") or str(MEGABYTES)
    if re.fullmatch("[0-9]{1,9}", text):
        return int(text) << 20
    _warn(f"HELIOGRAPH_CACHE_MB: expected a whole number of megabytes, got {text!r}")
    return MEGABYTES << 20


def _checksum(key: str, packed: bytes) -> bytes:
    return blake2b(packed, digest_size=_CHECKSUM, key=bytes.fromhex(key)).digest()


def _packed(levels: Levels) -> bytes:
    head = json.dumps([(len(triangles), error) for triangles, error in levels]).encode()
    rows = [np.ascontiguousarray(triangles, "<u4").tobytes() for triangles, _ in levels]
    return zlib.compress(b"\n".join([head, b"".join(rows)]))


def _unpacked(packed: bytes) -> Levels:
    head, _, body = zlib.decompress(packed).partition(b"\n")
    rows, levels = np.frombuffer(body, "<u4").reshape(-1, 3), []
    for count, error in json.loads(head):
        levels.append((rows[:count].astype(np.uint32), error))
        rows = rows[count:]
    return levels


@lru_cache(maxsize=16)
def _warn(trouble: str) -> None:
    """Log a trouble once."""
    _LOG.warning("%s; to use another cache of simplified meshes, set HELIOGRAPH_CACHE", trouble)
