"""What was launched, as whoever consumes it needs to know it, in this process or another."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from heliograph.disk import read_file, reason
from heliograph.errors import RecordError, WorkerError


class Status(msgspec.Struct, frozen=True):
    """How the processes of a launcher are; it stands in a file that consumers look at.

    Attributes:
        failed: the error of the first that died for good, or None.
        finished: numbers of those that ended well.
    """

    failed: str | None = None
    finished: tuple[int, ...] = ()


class Addresses(list[str]):
    """The addresses of one named socket, instance by instance, and how their processes are.

    Args:
        addresses: of the instances, in order.
        key: that both ends have, or None.
        status: file of the launcher with a `Status`; None where there is none.
    """

    def __init__(
        self, addresses: Iterable[str] = (), key: str | None = None, status: str | None = None
    ) -> None:
        super().__init__(addresses)
        self.key = key
        self.status = status
        self._read: tuple[object, Status] = (None, Status())

    def __reduce__(self) -> tuple[Any, ...]:
        return Addresses, (list(self), self.key, self.status)

    def finished(self) -> list[str] | None:
        """Those over which nothing more will come, as their processes have ended well.

        None where it cannot be told: the launcher is on another machine, or is gone.

        Raises:
            WorkerError: a process of the launcher has died; says which, and its last output.
        """
        status = self._status()
        if status is None:
            return None
        if status.failed is not None:
            raise WorkerError(status.failed)
        return [self[number] for number in status.finished if number < len(self)]

    def _status(self) -> Status | None:
        """What the file says; None where there is none."""
        if self.status is None:
            return None
        try:
            facts = Path(self.status).stat()
            seen = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
            if seen != self._read[0]:
                told = msgspec.json.decode(read_file(self.status), type=Status)
                self._read = (seen, told)
        except (OSError, msgspec.MsgspecError):
            return None
        return self._read[1]


@dataclass(frozen=True)
class LaunchInfo:
    """What a launcher has started.

    Attributes:
        addresses: of each named socket, one an instance.
        commands: one an instance.
        pids: of the programs, one an instance; 0 where one does not run.
        key: that both ends of each connection have, or None.
        status: file in which the launcher writes how its processes are, or None.
    """

    addresses: Mapping[str, Addresses]
    commands: Sequence[Sequence[str]]
    pids: Sequence[int] = ()
    key: str | None = field(default=None, repr=False)
    status: str | None = None

    def save_json(self, path: str | Path) -> None:
        """Write it to a file that only this user can read, as it may hold a key.

        Raises:
            RecordError: it cannot be written.
        """
        told = {
            "addresses": {name: list(each) for name, each in self.addresses.items()},
            "commands": [list(each) for each in self.commands],
            "pids": list(self.pids),
            "key": self.key,
            "status": self.status,
        }
        try:
            write_private(Path(path), msgspec.json.format(msgspec.json.encode(told), indent=1))
        except OSError as error:
            raise RecordError(f"{path}: cannot be written ({reason(error)})") from None

    @classmethod
    def load_json(cls, path: str | Path) -> LaunchInfo:
        """What `save_json` wrote.

        Raises:
            RecordError: there is no such file, or it is another one.
        """
        try:
            told = msgspec.json.decode(read_file(path), type=_Saved)
        except OSError as error:
            raise RecordError(f"{path}: cannot be read ({reason(error)})") from None
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise RecordError(
                f"{path}: expected what LaunchInfo.save_json writes, got another file ({error})"
            ) from None
        made = {
            name: Addresses(each, told.key, told.status) for name, each in told.addresses.items()
        }
        return cls(made, told.commands, told.pids, told.key, told.status)


class _Saved(msgspec.Struct):
    addresses: dict[str, list[str]]
    commands: list[list[str]]
    pids: list[int] = []
    key: str | None = None
    status: str | None = None


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only this user can read, whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
    part.replace(path)
