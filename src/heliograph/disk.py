"""Whole files: only regular ones are read; what is written is whole or not there."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader, BufferedWriter
from pathlib import Path

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


def read_file(path: str | Path, *, follow: bool = True) -> bytes:
    """The content of a regular file; never waits for another process, as a FIFO would.

    Args:
        path: the file.
        follow: whether the file may be a link to one; its folder may be in any case.

    Raises:
        OSError: no such file, not a regular one, larger than `MAX_BYTES`, or not readable; its
            `strerror` says which.
    """
    with open_file(path, follow=follow) as stream:
        data: bytes | None = stream.read()
    if data is None:  # of what only looks like a regular file, and has nothing at hand
        raise OSError(errno.EINVAL, "not a regular file")
    return data


def open_file(
    path: str | Path, *, follow: bool = True, most: int | None = MAX_BYTES
) -> BufferedReader:
    """A regular file, opened for reading.

    Args:
        path: the file.
        follow: as for `read_file`.
        most: size of the largest that is opened; None for any.

    Raises:
        OSError: as `read_file`.
    """
    handle = _opened(path, os.O_RDONLY | (0 if follow else os.O_NOFOLLOW), most)
    return os.fdopen(handle, "rb")


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
    try:
        with part_file(path) as stream:
            stream.write(data)
            put_in_place(stream, path, settle=settle)
    except OSError as error:
        raise cannot_write(path, error) from None


@contextmanager
def part_file(path: Path) -> Iterator[BufferedWriter]:
    """The temporary file beside `path`, empty and opened for writing; removed unless put in place.

    Raises:
        OSError: it cannot be made, or its place is taken by something else, such as a link.
    """
    part = path.with_name(path.name + PART)
    handle = _opened(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, None)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
    finally:
        with suppress(OSError):
            part.unlink()


def put_in_place(stream: BufferedWriter, path: Path, *, settle: bool = True) -> None:
    """Close the temporary file beside `path`, and give it its own name."""
    stream.flush()
    if settle:
        os.fsync(stream.fileno())
    stream.close()
    path.with_name(path.name + PART).replace(path)
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


def _opened(path: str | Path, flags: int, most: int | None) -> int:
    """The descriptor of a regular file."""
    try:
        # What is opened is what is looked at, whatever the path names a moment later.
        handle = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except ValueError as error:  # a NUL, or letters that the file system's encoding lacks
        raise OSError(0, str(error)) from None
    except OSError as error:
        if error.errno == errno.ELOOP and flags & os.O_NOFOLLOW:
            raise OSError(errno.ELOOP, "expected a regular file, got a link") from None
        raise
    try:
        _check_regular(os.fstat(handle), most)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _check_regular(facts: os.stat_result, most: int | None) -> None:
    if not stat.S_ISREG(facts.st_mode):
        kind = next((name for fits, name in _KINDS if fits(facts.st_mode)), "something else")
        raise OSError(0, f"expected a regular file, got {kind}")
    if most is not None and facts.st_size > most:
        raise OSError(
            0, f"expected at most {most >> 30} GiB, got {facts.st_size / (1 << 30):.1f} GiB"
        )
