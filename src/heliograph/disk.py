"""Whole files: only regular ones are read; what is written is whole or not there."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from heliograph.errors import RecordError

MAX_BYTES = 2 << 30
"""Size of the largest file that is read."""

PART = ".part"
"""What names of unfinished files end in."""

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe (FIFO)"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_file(path: str | Path) -> bytes:
    """The content of a regular file; never waits for another process, as a FIFO would.

    Raises:
        OSError: no such file, not a regular one, larger than `MAX_BYTES`, or not readable; its
            `strerror` says which.
    """
    with open_file(path) as stream:
        data: bytes | None = stream.read()
    if data is None:  # of what only looks like a regular file, and has nothing at hand
        raise OSError(errno.EINVAL, "not a regular file")
    return data


def open_file(path: str | Path) -> BinaryIO:
    """A regular file of bounded size, opened for reading.

    Raises:
        OSError: as `read_file`.
    """
    try:
        # What is opened is what is looked at, whatever the path names a moment later.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:  # a NUL, or letters that the file system's encoding lacks
        raise OSError(0, str(error)) from None
    try:
        _check_regular(os.fstat(handle))
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def check_file(path: str | Path) -> None:
    """Check a file that a library opens itself.

    Raises:
        OSError: as `read_file`.
    """
    open_file(path).close()


def reason(error: OSError) -> str:
    """Why a file cannot be used, in a few words."""
    return "no such file" if isinstance(error, FileNotFoundError) else error.strerror or str(error)


def printable(path: str | Path) -> str:
    """A path as text that can be encoded: bytes of it that are no text are written as escapes."""
    with suppress(UnicodeEncodeError):  # letters that the file system's encoding lacks
        return os.fsencode(path).decode(errors="backslashreplace")
    return str(path)


def write_file(path: Path, data: bytes, *, settle: bool = True) -> None:
    """Write a file under a temporary name beside it, then rename.

    Args:
        path: the file.
        data: its content.
        settle: wait until it would survive a power cut.

    Raises:
        RecordError: the disk is full or the folder cannot be written.
    """
    part = path.with_name(path.name + PART)
    try:
        with part.open("wb") as stream:
            stream.write(data)
            put_in_place(stream, path, settle=settle)
    except OSError as error:
        raise cannot_write(path, error) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def put_in_place(stream: BinaryIO, path: Path, *, settle: bool = True) -> None:
    """Close a file that was written under another name in the same folder, and give it its own."""
    stream.flush()
    if settle:
        os.fsync(stream.fileno())
    stream.close()
    Path(stream.name).replace(path)
    if settle:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def cannot_write(path: Path, error: OSError) -> RecordError:
    """What is told when the disk is full, a limit is reached or the folder is read-only."""
    return RecordError(
        f"{path}: cannot be written ({reason(error)}); files finished so far are whole: make room, "
        "then resume or start again"
    )


def _check_regular(facts: os.stat_result) -> None:
    if not stat.S_ISREG(facts.st_mode):
        kind = next((name for fits, name in _KINDS if fits(facts.st_mode)), "something else")
        raise OSError(0, f"expected a regular file, got {kind}")
    if facts.st_size > MAX_BYTES:
        raise OSError(
            0, f"expected at most {MAX_BYTES >> 30} GiB, got {facts.st_size / (1 << 30):.1f} GiB"
        )
