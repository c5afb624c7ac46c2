"""What a launcher has started, by blendtorch's names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from heliograph.publish.info import Addresses
from heliograph.publish.info import LaunchInfo as Launched


class LaunchedAddress(str):
    """An address that still knows of its launcher when it is taken out of the list."""

    __slots__ = ("key", "status")

    key: str | None
    status: str | None

    def __new__(cls, address: str, key: str | None = None, status: str | None = None) -> Any:
        """An address, the key of its connections and the file that says how its process is."""
        made = super().__new__(cls, address)
        made.key, made.status = key, status
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return LaunchedAddress, (str(self), self.key, self.status)


def listed(address: str | Addresses) -> str | Addresses:
    """An address as `heliograph.publish` takes it, with what its launcher says."""
    if not isinstance(address, LaunchedAddress):
        return address
    return Addresses([str(address)], address.key, address.status)


class LaunchInfo:
    """What was launched.

    Attributes:
        addresses: of each named socket a list, instance by instance.
        commands: of the instances.
        processes: of the instances; empty where another program launched them.
    """

    def __init__(
        self,
        addresses: Mapping[str, Sequence[str]],
        commands: Sequence[Sequence[str]],
        processes: Sequence[Any] = (),
    ) -> None:
        self.addresses = {name: _knowing(each) for name, each in addresses.items()}
        self.commands = commands
        self.processes = processes

    @staticmethod
    def save_json(file: str | Path, launch_info: LaunchInfo) -> None:
        """Writes it for consumers elsewhere; only this user can read the file.

        Raises:
            RecordError: it cannot be written.
        """
        lists = [*launch_info.addresses.values()]
        key, status = (lists[0].key, lists[0].status) if lists else (None, None)
        plain = {name: Addresses(map(str, each)) for name, each in launch_info.addresses.items()}
        commands = [list(each) for each in launch_info.commands]
        Launched(plain, commands, (), key, status).save_json(file)

    @staticmethod
    def load_json(file: str | Path) -> LaunchInfo:
        """What `save_json` wrote.

        Raises:
            RecordError: there is no such file, or it is another one.
        """
        told = Launched.load_json(file)
        return LaunchInfo(told.addresses, told.commands)


def _knowing(addresses: Sequence[str]) -> Addresses:
    key, status = getattr(addresses, "key", None), getattr(addresses, "status", None)
    return Addresses((LaunchedAddress(each, key, status) for each in addresses), key, status)
