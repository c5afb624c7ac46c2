"""Orders as one line of text, and drawing one again by hand."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import shlex
import stat
import sys
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from heliograph.disk import part_file, put_in_place, read_file
from heliograph.errors import HeliographError, InvalidValueError
from heliograph.transport.messages import Open, ViewWire
from heliograph.transport.values import ArrayWire, unpack_array
from heliograph.transport.views import unpack_view
from heliograph.worker.opening import open_engine

MAX_INLINE = 8000
"""Characters of an order on the command line; a longer one is written to a file."""

MAX_KEPT = 32
"""Files of orders that are kept; beyond them the oldest are removed."""

MAX_BYTES = 256 << 20
"""Size of an order; a larger one is neither written nor read."""

_DIGITS = 16


class Order(msgspec.Struct, array_like=True, tag=True):
    """One view of one scene."""

    opening: Open
    view: ViewWire
    blobs: dict[bytes, ArrayWire]


def command(
    opening: Open, view: ViewWire, blobs: Mapping[bytes, ArrayWire], worker: Sequence[str]
) -> str:
    """The one-line command that draws this view in a process of its own.

    An order that does not fit a command line is written to a folder of this user's in the directory
    for temporary files, of which the newest `MAX_KEPT` stay. The same order has the same command.

    Args:
        opening: what a worker opens.
        view: the view.
        blobs: arrays that it names by the hash of their content.
        worker: the command that starts a worker.

    Raises:
        OSError: there is no room for that file, or the order is too large.
    """
    encoded = msgspec.msgpack.encode(Order(opening, view, dict(blobs)))
    if len(encoded) > MAX_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    data = zlib.compress(encoded)
    text = base64.urlsafe_b64encode(data).decode()
    if len(text) > MAX_INLINE:
        text = f"@{_kept(data)}"
    return shlex.join([*worker, "--replay", text])


def replay(text: str) -> int:
    """Draw an order and say what came of it; the exit status is 0 if it was drawn."""
    try:
        order = _read(text)
        engine = open_engine(order.opening)
        blobs = {digest: unpack_array(array) for digest, array in order.blobs.items()}
        view = unpack_view(order.view, blobs)
        sys.stderr.write(f"drawing seed {view.seed}, index {view.index} ...\n")
        sample = engine.render(view)
    except HeliographError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    for frame in sample:
        sys.stdout.write(f"{frame.camera!r}: {', '.join(frame.passes)}\n")
    engine.close()
    return 0


def _kept(data: bytes) -> Path:
    """The file of an order, written now."""
    folder = Path(tempfile.gettempdir()) / f"heliograph-orders-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    facts = folder.lstat()
    # Others may write to the directory for temporary files, and so make this folder before us.
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        raise OSError(errno.EPERM, "expected a folder that this user alone may write", str(folder))
    path = folder / f"{hashlib.sha256(data).hexdigest()[:_DIGITS]}.order"
    with part_file(path) as stream:
        stream.write(data)
        put_in_place(stream, path, settle=False)
    with suppress(OSError):  # another process may remove them at the same time
        kept = folder.glob("[0-9a-f]" * _DIGITS + ".order")
        for each in sorted(kept, key=lambda each: each.lstat().st_mtime_ns)[:-MAX_KEPT]:
            each.unlink()
    return path


def _read(text: str) -> Order:
    try:
        data = read_file(text[1:]) if text.startswith("@") else base64.urlsafe_b64decode(text)
        return msgspec.msgpack.decode(_decompressed(data), type=Order)
    except FileNotFoundError:
        raise InvalidValueError(
            f"not an order as an error message shows it: no such file (the newest {MAX_KEPT} stay)"
        ) from None
    except (OSError, ValueError, RecursionError, zlib.error, msgspec.MsgspecError) as error:
        raise InvalidValueError(f"not an order as an error message shows it: {error}") from None


def _decompressed(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    made = stream.decompress(data, MAX_BYTES)
    if not stream.eof:
        raise ValueError(f"cut short, or larger than {MAX_BYTES >> 20} MiB")
    return made
