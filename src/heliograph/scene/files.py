"""Digests of the files that components show, with the files these name in turn."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

from heliograph.errors import SceneError

_NAMED = {
    ".gltf": re.compile(rb'"uri"\s*:\s*"(?!data:)([^"]+)"'),
    ".obj": re.compile(rb"(?m)^\s*mtllib\s+(.+?)\s*$"),
    ".mtl": re.compile(rb"(?m)^\s*(?:map_\w+|bump|disp|decal|norm|refl)\s+(?:.*\s)?(\S+)\s*$"),
}


def file_digest(path: str) -> str:
    """Hexadecimal digest of a file and of those it names (buffers, materials, textures).

    Raises:
        SceneError: the file cannot be read.
    """
    return hashlib.sha256("".join(_chain(Path(path), 0)).encode()).hexdigest()


def _chain(path: Path, depth: int) -> list[str]:
    digest, named = _read(str(path), *_stamp(path))
    below = [path.parent / name for name in named] if depth < 2 else []
    # A file that names one that is missing may still be drawn, so only the first must be there.
    return [digest, *(part for each in below if each.is_file() for part in _chain(each, depth + 1))]


def _stamp(path: Path) -> tuple[int, int]:
    try:
        facts = path.stat()
    except (OSError, ValueError) as error:
        raise SceneError(f"{path}: {_reason(error)}") from None
    return facts.st_mtime_ns, facts.st_size


@lru_cache(maxsize=1024)
def _read(path: str, _changed: int, _size: int) -> tuple[str, tuple[str, ...]]:
    """Digest of one file and the names in it, read once for each change of the file."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise SceneError(f"{path}: {_reason(error)}") from None
    pattern = _NAMED.get(Path(path).suffix.lower())
    names = pattern.findall(data) if pattern else []
    return hashlib.sha256(data).hexdigest(), tuple(
        unquote(n.decode(errors="replace")) for n in names
    )


def _reason(error: Exception) -> str:
    return "no such file" if isinstance(error, FileNotFoundError) else str(error)
