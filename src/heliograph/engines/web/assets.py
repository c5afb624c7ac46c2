"""What pages may fetch or be sent: files by the hash of their content, arrays as blobs.

A file has the address `/assets/<digest>/<name>`, where the digest is that of its content with the
content of the files it names (buffers, materials, textures). Those are served below the same
digest by the names that the file itself has for them, as far as they lie in its own folder. A file
that has changed since is not served under its old digest any more.
"""

from __future__ import annotations

import hashlib
import os
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from heliograph.engines.web.messages import AssetRef, BlobRef
from heliograph.errors import SceneError
from heliograph.scene.files import file_digest, files_beside

PREFIX = "assets"
"""What addresses of files begin with."""

_SENT_AS: Mapping[str, str] = MappingProxyType({"f": "<f4", "i": "<i4", "u": "<u4", "b": "|u1"})
_SENT: Final = frozenset({"float32", "uint8", "uint16", "uint32", "int32"})
"""dtypes that pages know."""


class AssetStore:
    """The files that pages may fetch, and the hashes of the arrays they are sent."""

    def __init__(self) -> None:
        self._paths: dict[str, set[Path]] = {}
        self._digests: dict[Path, str] = {}
        self._hashed: dict[int, tuple[weakref.ref[NDArray[Any]], BlobRef]] = {}

    def register(self, path: str | Path) -> AssetRef:
        """Let pages fetch a file as it is now, with the files it names.

        Raises:
            SceneError: it cannot be read.
        """
        given = Path(path).absolute()
        digest = file_digest(str(given))
        before = self._digests.get(given, digest)
        if before != digest:
            self._paths[before].discard(given)
            if not self._paths[before]:
                del self._paths[before]
        self._digests[given] = digest
        self._paths.setdefault(digest, set()).add(given)
        return AssetRef(digest, f"{PREFIX}/{digest}/{quote(given.name)}", given.name)

    def find(self, digest: str, name: str) -> Path | None:
        """The file that a page asks for; None where there is none that it may have.

        Args:
            digest: of a file that was registered.
            name: that file's own, or that of one it names, seen from its folder.
        """
        for path in self._paths.get(digest, ()):
            with suppress(SceneError):
                if file_digest(str(path)) == digest:
                    found = path if name == path.name else _beside(path).get(name)
                    if found is not None:
                        return found
        return None

    def array(self, array: NDArray[Any]) -> BlobRef:
        """What a row says of an array; a read-only one is hashed once."""
        known = self._hashed.get(id(array))
        if known is not None and known[0]() is array:
            return known[1]
        sent = content(array)
        digest = hashlib.sha256(sent.reshape(-1).view(np.uint8).data).hexdigest()[:32]
        ref = BlobRef(digest, str(sent.dtype), list(sent.shape))
        if not array.flags.writeable:
            key, hashed = id(array), self._hashed
            hashed[key] = weakref.ref(array, lambda _: hashed.pop(key, None)), ref
        return ref


def content(array: NDArray[Any]) -> NDArray[Any]:
    """An array as it is sent: in C order; numbers of 64 bits as 32 bits, which GL draws with."""
    known = str(array.dtype) in _SENT and array.dtype.isnative
    return np.ascontiguousarray(array, None if known else _SENT_AS[array.dtype.kind])


def _beside(path: Path) -> dict[str, Path]:
    """What a file names inside its own folder, by the names from there."""
    folder, real = str(path.parent), path.parent.resolve()
    found = {}
    for each in files_beside(path):
        named, resolved = Path(os.path.normpath(each)), each.resolve()
        if named.is_relative_to(folder) and resolved.is_relative_to(real):
            found[named.relative_to(folder).as_posix()] = resolved
    return found
