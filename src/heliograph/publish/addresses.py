"""Addresses: how they are written, which are of this machine alone, and which ports are free."""

from __future__ import annotations

import contextlib
import ipaddress
import random
import re
import socket

from heliograph.errors import InvalidValueError, shown

PRIMARY = "primaryip"
"""Stands for the address that other machines reach this one by."""

_TCP = re.compile(r"tcp://(\[[0-9a-fA-F:.]+\]|[^:/\[\]\s]+):(\*|[0-9]{1,5})")
_IPC = re.compile(r"ipc://(.+)", re.DOTALL)
_LONGEST_PATH = 107
_PORTS = range(20000, 32768)
"""Where free ports are looked for: below those that the system gives to whoever connects."""


def check_address(address: object, *, bind: bool = False) -> str:
    """An address as ZeroMQ takes it.

    Args:
        address: `tcp://host:port` or `ipc://path`; `primaryip` as a host is this machine.
        bind: whether it is bound; then port 0 or `*` is a free one, and host `*` all there are.

    Raises:
        InvalidValueError: it is none.
    """
    text = str(address) if isinstance(address, str) else ""
    if match := _IPC.fullmatch(text):
        if len(match[1].encode()) > _LONGEST_PATH:
            raise InvalidValueError(
                f"address: expected a path of at most {_LONGEST_PATH} bytes, got {shown(text)}"
            )
        return text
    match = _TCP.fullmatch(text)
    free = match is not None and match[2] in ("*", "0")
    if match is None or (free and not bind) or (not free and int(match[2]) > 65535):
        ports = "0 (a free one) to 65535" if bind else "1 to 65535"
        raise InvalidValueError(
            f"address: expected tcp://host:port with a port from {ports}, or ipc:///path, got "
            f"{shown(address)}"
        )
    host = primary_ip() if match[1] == PRIMARY else match[1]
    return f"tcp://{host}:{'*' if free else match[2]}"


def is_local(address: str) -> bool:
    """Whether only processes of this machine reach it."""
    match = _TCP.fullmatch(address)
    if match is None:
        return True
    host = match[1].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def primary_ip() -> str:
    """The address that other machines reach this one by; loopback's where there is no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent: it only chooses a way out
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def free_ports(host: str, count: int, start: int | None = None) -> list[int]:
    """Ports that nobody has bound.

    Args:
        host: which they are to be bound at.
        count: how many.
        start: the first that is tried; without it they are drawn.

    Raises:
        InvalidValueError: there are not so many.
    """
    ports = list(_PORTS) if start is None else list(range(start, 65536))
    if start is None:
        random.SystemRandom().shuffle(ports)
    found: list[int] = []
    for port in ports:
        if len(found) == count:
            break
        if _is_free(host, port):
            found.append(port)
    if len(found) < count:
        raise InvalidValueError(
            f"expected {count} free ports from {min(ports, default=start)} on, found {len(found)}; "
            "choose another start_port"
        )
    return found


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError:
            return False
    return True


def is_listening(path: str) -> bool:
    """Whether a process listens at the path of an `ipc://` address."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.connect(path)
        return True
    return False
