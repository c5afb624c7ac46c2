"""Streams on disk: messages one after another, each whole or not there, read by their place.

A file begins with `MAGIC`. Each message is a head (4 bytes `HGm1`, uint32 CRC-32 of the body,
uint32 number of frames, uint64 bytes of the body, uint32 CRC-32 of the head so far; little-endian)
and a body (uint64 size of each frame, then the frames, as `framing.pack` makes them). So a writer
that is killed leaves all messages before the last one readable, and where each begins is found from
the heads alone.
"""

from __future__ import annotations

import fcntl
import logging
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Self, overload

from heliograph.disk import cannot_write, open_file, reason
from heliograph.errors import ClosedError, RecordError, WorkerError
from heliograph.publish.framing import MAX_FRAME, MAX_FRAMES, MAX_HEADER, Message, pack, unpack

MAGIC: Final = b"heliograph-stream 1\n"
_HEAD: Final = struct.Struct("<4sIIQ")
_MARK: Final = b"HGm1"
_CHECK: Final = struct.Struct("<I")
_SIZE: Final = _HEAD.size + _CHECK.size
_MOST: Final = MAX_HEADER + 8 * MAX_FRAME
"""Bytes of one message."""
_VECTORS: Final = 512
"""Buffers that are written at once."""
_CHUNK: Final = 1 << 20
"""Bytes that are searched at once."""
_LOG = logging.getLogger("heliograph.publish")


class StreamWriter:
    """Appends messages to a file; one writer at a time.

    Args:
        path: the file.
        append: whether to go on after what the file holds; else it must not be there, or be empty.

    Attributes:
        cut: bytes of an unfinished message at the end of the file, which were removed.

    Raises:
        RecordError: the file holds something, is another one, has a writer, cannot be written, or
            is damaged before its last message; then it is left as it is.
    """

    def __init__(self, path: str | Path, *, append: bool = False) -> None:
        self._path = Path(path)
        self._count = 0
        self.cut = 0
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(self._path, flags, 0o666)
        except OSError as error:
            raise cannot_write(self._path, error) from None
        try:
            self._end = self._begin(append)
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        """How many messages the file holds."""
        return self._count

    def write(self, message: Message) -> None:
        """Append a message; when this returns, no death of this process can take it away.

        Raises:
            InvalidValueError: a value that cannot be kept.
            RecordError: the disk is full; the messages before it are whole.
        """
        if self._handle < 0:
            raise ClosedError(f"{self._path}: the writer is closed")
        frames = [memoryview(frame).cast("B") for frame in pack(message)]
        body: list[Any] = [struct.pack(f"<{len(frames)}Q", *map(len, frames)), *frames]
        size, check = sum(map(len, body)), 0
        for each in body:
            check = zlib.crc32(each, check)
        head = _HEAD.pack(_MARK, check, len(frames), size)
        self._append([head + _CHECK.pack(zlib.crc32(head)), *body])
        self._count += 1

    def close(self) -> None:
        """Wait until what was written would survive a power cut; may be called twice."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            try:
                os.fsync(handle)
            except OSError as error:
                raise cannot_write(self._path, error) from None
            finally:
                os.close(handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self, append: bool) -> int:
        """Make the file ready; where its messages end."""
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RecordError(f"{self._path}: another writer has it") from None
        size = os.fstat(self._handle).st_size
        if size and not append:
            raise RecordError(
                f"{self._path}: expected no such file, it holds {size} bytes; give another path, "
                "or append=True to go on after them"
            )
        if size <= len(MAGIC) and MAGIC.startswith(os.pread(self._handle, size, 0)):
            self._end = 0
            self._append([MAGIC])
            return self._end
        starts, end = _scan(self._handle, self._path)
        self._count, self.cut = len(starts), size - end
        if self.cut:
            following = _next_whole(self._handle, end)
            if following is not None:
                raise RecordError(
                    f"{self._path}: damaged at {end}, and whole messages follow at {following}, "
                    "which append=True would remove; write to another path"
                )
            _LOG.warning("%s: removed %d bytes of an unfinished message", self._path, self.cut)
            os.ftruncate(self._handle, end)
        return end

    def _append(self, parts: Sequence[bytes | memoryview]) -> None:
        left = [memoryview(each) for each in parts if len(each)]
        place = self._end
        try:
            while left:
                written = os.pwritev(self._handle, left[:_VECTORS], place)
                place += written
                while left and written >= len(left[0]):
                    written -= len(left.pop(0))
                if written:
                    left[0] = left[0][written:]
        except OSError as error:
            os.ftruncate(self._handle, self._end)
            raise cannot_write(self._path, error) from None
        self._end = place


class StreamReader(Sequence[Message]):
    """The messages of a file by their place; what an unfinished one left at its end is not there.

    Args:
        path: the file; what is written to it later is not seen.

    Attributes:
        cut: bytes at the end of the file that are no message.

    Raises:
        RecordError: no such file, or another one.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        try:
            self._stream = open_file(self._path, most=None)
        except OSError as error:
            raise RecordError(f"{self._path}: cannot be read ({reason(error)})") from None
        try:
            handle = self._stream.fileno()
            self._starts, end = _scan(handle, self._path)
            self.cut = os.fstat(handle).st_size - end
        except BaseException:
            self.close()
            raise
        if self.cut:
            _LOG.warning("%s: left out %d bytes of an unfinished message", self._path, self.cut)

    def __len__(self) -> int:
        """How many messages there are."""
        return len(self._starts)

    @overload
    def __getitem__(self, place: int) -> Message: ...
    @overload
    def __getitem__(self, place: slice) -> list[Message]: ...
    def __getitem__(self, place: int | slice) -> Message | list[Message]:
        """The message at a place, or those of a slice.

        Raises:
            IndexError: there are not so many.
            RecordError: it is damaged.
        """
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        if self._stream.closed:
            raise ClosedError(f"{self._path}: the reader is closed")
        return self._read(self._starts[place])

    def __iter__(self) -> Iterator[Message]:
        return (self[place] for place in range(len(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        return StreamReader, (self._path,)

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, start: int) -> Message:
        try:
            frames = _body(self._stream.fileno(), start)
            return unpack(frames)
        except (OSError, ValueError, WorkerError) as error:
            raise RecordError(f"{self._path}: a damaged message at {start} ({error})") from None


def _scan(handle: int, path: Path) -> tuple[list[int], int]:
    """Where the messages of a file begin, and where the last one ends.

    Raises:
        RecordError: it is another file.
    """
    if os.pread(handle, len(MAGIC), 0) != MAGIC:
        raise RecordError(
            f"{path}: expected a stream as StreamWriter writes it, got another file; blendtorch's "
            ".btr files are converted by `heliograph stream convert`"
        )
    size = os.fstat(handle).st_size
    starts: list[int] = []
    end = len(MAGIC)
    while (head := _head(handle, end)) and end + _SIZE + head[2] <= size:
        starts.append(end)
        end += _SIZE + head[2]
    while starts and not _is_whole(handle, starts[-1]):  # as a power cut leaves it
        end = starts.pop()
    return starts, end


def _head(handle: int, start: int) -> tuple[int, int, int] | None:
    """(CRC-32, number of frames, size) of a body; None where no message begins."""
    data = os.pread(handle, _SIZE, start)
    if len(data) < _SIZE or _CHECK.unpack_from(data, _HEAD.size)[0] != zlib.crc32(data[:-4]):
        return None
    mark, check, count, size = _HEAD.unpack_from(data)
    fits = mark == _MARK and 0 < count <= MAX_FRAMES + 1 and 8 * count <= size <= _MOST
    return (check, count, size) if fits else None


def _next_whole(handle: int, start: int) -> int | None:
    """Where a whole message begins behind what is none; None where there is no such."""
    while head := _head(handle, start):  # unfinished: what it holds may look like messages
        start += _SIZE + head[2]
    while data := os.pread(handle, _CHUNK, start):
        place = data.find(_MARK)
        while place >= 0:
            if _is_whole(handle, start + place):
                return start + place
            place = data.find(_MARK, place + 1)
        start += max(1, len(data) - len(_MARK) + 1)  # a mark may lie across the end
    return None


def _body(handle: int, start: int) -> list[memoryview]:
    """The frames of a message."""
    head = _head(handle, start)
    if head is None:
        raise ValueError("it has no head")
    check, count, size = head
    if start + _SIZE + size > os.fstat(handle).st_size:
        raise ValueError("the file ends before it does")
    data = memoryview(bytearray(size))
    done = 0
    while done < size:
        read = os.preadv(handle, [data[done:]], start + _SIZE + done)
        if read == 0:
            raise ValueError("the file ends before it does")
        done += read
    sizes = struct.unpack_from(f"<{count}Q", data)
    if zlib.crc32(data) != check or 8 * count + sum(sizes) != size:
        raise ValueError("its CRC-32 differs")
    frames, place = [], 8 * count
    for each in sizes:
        frames.append(data[place : place + each])
        place += each
    return frames


def _is_whole(handle: int, start: int) -> bool:
    try:
        _body(handle, start)
    except (OSError, ValueError):
        return False
    return True
