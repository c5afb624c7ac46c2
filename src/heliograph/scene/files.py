"""Digests of the files that components show, with the files these name in turn."""

from __future__ import annotations

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from heliograph.disk import read_file, reason
from heliograph.errors import SceneError

_NAMED = {
    ".gltf": re.compile(rb'"uri"\s*:\s*"(?!data:)([^"]+)"'),
    ".ply": re.compile(rb"(?mi)^comment\s+texturefile\s+(.+?)\s*$"),
    ".obj": re.compile(rb"(?m)^\s*mtllib\s+(.+?)\s*$"),
    ".mtl": re.compile(rb"(?m)^\s*(?:map_\w+|bump|disp|decal|norm|refl)\s+(.+?)\s*$"),
    ".urdf": re.compile(rb"""\bfilename\s*=\s*["']([^"']+)["']"""),
}
_CACHE_SIZE = 4096
_SETTLED = 2_000_000_000  # ns; clocks of file systems are coarse, so newer files are read again
Stamp = tuple[int, ...]


class _Read(NamedTuple):
    """What a file held when it had this stamp."""

    stamp: Stamp
    digest: str
    named: tuple[str, ...]


_cache: OrderedDict[str, _Read] = OrderedDict()


def file_digest(path: str) -> str:
    """Hexadecimal digest of a file and of those it names (buffers, materials, textures).

    Raises:
        SceneError: the file cannot be read.
    """
    return hashlib.sha256("".join(_chain(Path(path), 0)).encode()).hexdigest()


def read_scene_file(path: Path) -> bytes:
    """The content of a file that a scene shows.

    Raises:
        SceneError: no such file, not a regular one, too large, or not readable.
    """
    try:
        return read_file(path)
    except OSError as error:
        raise SceneError(f"{path}: {reason(error)}") from None


def text_of(data: bytes) -> str:
    """The text of a file: UTF-8, else Latin-1, which takes any bytes."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def named_files(path: Path, words: str) -> Iterator[Path]:
    """The files beside `path` that words of it may name: all words, or the last after options."""
    parts = words.replace("\\", "/").split()
    for start in range(len(parts)):
        yield path.parent / " ".join(parts[start:])
    if path.suffix.lower() == ".obj":  # `mtllib` takes several names
        yield from (path.parent / part for part in parts[:-1])


def files_beside(path: Path) -> list[Path]:
    """The files that a file names, and those that these name in turn, as far as they are there.

    Raises:
        SceneError: it cannot be read.
    """
    below = _below(path)
    return below + [each for named in below for each in _below(named)]


def _chain(path: Path, depth: int) -> list[str]:
    # A file that names one that is missing may still be drawn, so only the first must be there.
    below = _below(path) if depth < 2 else []
    return [_known(path).digest, *(part for each in below for part in _chain(each, depth + 1))]


def _below(path: Path) -> list[Path]:
    named = [each for words in _known(path).named for each in named_files(path, words)]
    return [each for each in dict.fromkeys(named) if each.is_file()]


def _known(path: Path) -> _Read:
    """What a file holds, read once for each change of it."""
    now, stamp, key = time.time_ns(), _stamp(path), str(path)
    found = _cache.pop(key, None)
    if found is None or found.stamp != stamp:
        found = _read(path, stamp)
    if now - max(stamp[:2]) > _SETTLED:
        _cache[key] = found
    while len(_cache) > _CACHE_SIZE:
        _cache.popitem(last=False)
    return found


def _stamp(path: Path) -> Stamp:
    try:
        facts = path.stat()
    except OSError as error:
        raise SceneError(f"{path}: {reason(error)}") from None
    except ValueError as error:  # a NUL inside
        raise SceneError(f"{path}: {error}") from None
    return facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_ino, facts.st_dev


def _read(path: Path, stamp: Stamp) -> _Read:
    data = read_scene_file(path)
    pattern = _NAMED.get(path.suffix.lower())
    names = pattern.findall(data) if pattern else []
    if path.suffix.lower() == ".gltf":
        names = [unquote(text_of(name)).encode() for name in names]
    return _Read(stamp, hashlib.sha256(data).hexdigest(), tuple(map(text_of, names)))
