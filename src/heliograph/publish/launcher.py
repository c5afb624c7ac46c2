"""Starts the programs that publish, watches them, and ends them with all their processes.

Each program runs under a guard (`guard.py`), a process that outlives the launcher's by a moment: it
sees when that is gone, even by `kill -9`, and ends the program. One thread here listens to the
guards and keeps the last output of each program. How all are stands in a file, which subscribers in
this and in other processes look at.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self, TypeAlias, TypedDict, Unpack

import msgspec

from heliograph.checks import check_integer
from heliograph.condition import Condition
from heliograph.errors import ClosedError, InvalidValueError, UnknownNameError, WorkerError, shown
from heliograph.publish import guard
from heliograph.publish.addresses import PRIMARY, free_ports, is_local, primary_ip
from heliograph.publish.info import Addresses, LaunchInfo, Status, write_private
from heliograph.publish.keys import VARIABLE, make_key

Command: TypeAlias = Callable[[int, list[str]], Sequence[str]]
"""Makes the command of an instance from its number and the arguments that it must get."""

INSTANCES: Final = "HELIOGRAPH_INSTANCES"
"""The environment variable that tells a program how many there are of its kind."""
RESTARTS: Final = "HELIOGRAPH_RESTARTS"
"""The one that tells a program how often it was started again."""

_TAIL: Final = 8192
"""Bytes of the last output of each program that are kept."""
_CHUNK: Final = 1 << 16
_MAX_INSTANCES: Final = 4096
_EVERYWHERE: Final = ("*", "0.0.0.0", "::", "[::]")


class LaunchOptions(TypedDict, total=False):
    """How programs are launched.

    Attributes:
        seed: instance i is told seed + i; drawn without it.
        host: that the programs bind: "127.0.0.1" without it, "primaryip" or an address of this
            machine for consumers on others, "ipc" for sockets in a folder of this machine.
        start_port: the first port that is tried; without it free ones are drawn.
        arguments: further ones for each instance.
        restarts: how often programs that fail are started again, all together; 0 without it.
        echo: whether what the programs write is also written to standard error.
    """

    seed: int
    host: str
    start_port: int
    arguments: Sequence[Sequence[str]]
    restarts: int
    echo: bool


@dataclass
class _Instance:
    """One program; only the launcher's thread changes it, once it runs."""

    number: int
    command: Sequence[str]
    pid: int = 0
    code: int | None = None
    tail: bytearray = field(default_factory=bytearray)
    told: bytes = b""
    process: subprocess.Popen[bytes] | None = None
    control: socket.socket | None = None
    output: int = -1

    def let_go(self) -> None:
        """Close this process's ends of what connects it to the guard."""
        if self.control is not None:
            self.control.close()
            self.control = None
        if self.output >= 0:
            os.close(self.output)
            self.output = -1


class Launcher:
    """Programs that publish, each with addresses of its own; they end before this process does.

    Args:
        command: makes the command of an instance, of its number and of the arguments it must get:
            `-btid I -btseed S -btsockets NAME=ADDRESS ...` and those of `arguments`.
        instances: how many are started.
        sockets: names; each instance gets an address for each.
        **options: see `LaunchOptions`.

    Attributes:
        addresses: by name of the socket, one an instance; for `Subscriber`.

    Raises:
        InvalidValueError: an option out of its range, a command that is none, or no free ports.
    """

    def __init__(
        self,
        command: Command,
        instances: int = 1,
        *,
        sockets: Sequence[str] = (),
        **options: Unpack[LaunchOptions],
    ) -> None:
        count = check_integer("instances", instances, 1, _MAX_INSTANCES)
        self._options = _check_options(options, count)
        self._restarts = self._options.get("restarts", 0)
        self._restarted = 0
        self._changed = Condition()
        self._status = Status()
        self._owner = os.getpid()
        self._closing = False
        self._folder = Path(tempfile.mkdtemp(prefix="heliograph-"))
        self._selector = selectors.DefaultSelector()
        self._instances: list[_Instance] = []
        self._thread = threading.Thread(target=self._watch, name="heliograph-launcher", daemon=True)
        try:
            self._write_status()
            self.addresses = self._addresses(_check_names(sockets), count)
            self._instances = [
                _Instance(each, _check_command(each, command(each, self._arguments(each))))
                for each in range(count)
            ]
            for each in self._instances:
                self._start(each)
            self._thread.start()
        except BaseException:
            self.close()
            raise

    @property
    def info(self) -> LaunchInfo:
        """What runs, as it is told to consumers elsewhere."""
        commands = [each.command for each in self._instances]
        pids = [each.pid if each.code is None else 0 for each in self._instances]
        return LaunchInfo(self.addresses, commands, pids, self._key, self._status_file)

    def check(self) -> None:
        """Raise an error where a program has died for good.

        Raises:
            WorkerError: says which, how it ended, and its last output.
        """
        if self._status.failed is not None:
            raise WorkerError(self._status.failed)

    def wait(self, timeout: float | None = None) -> None:
        """Wait until all programs have ended well.

        Raises:
            WorkerError: one has died.
            TimeoutError: some still run; says which.
            ClosedError: they were ended by `close`; says which.
        """
        with self._changed:
            self._changed.wait_for(self._over, timeout)
        self.check()
        if self._closing:
            cut = sorted({each.number for each in self._instances} - {*self._status.finished})
            if cut:
                raise ClosedError(f"the launcher was closed while instances {cut} ran")
        running = [each.number for each in self._instances if each.code is None]
        if running:
            raise TimeoutError(f"instances {running} still run after {timeout} s")

    def close(self) -> None:
        """End all programs with all their processes; may be called twice.

        They get SIGTERM, and SIGKILL two seconds later.
        """
        if os.getpid() != self._owner:  # a fork of the process that launched them
            return
        with self._changed:
            self._closing = True
        for each in self._instances:
            control = each.control  # who watches may take it away meanwhile
            if control is not None:
                with suppress(OSError):
                    control.send(b"\n")  # as we are alive, the folder is ours to remove
                    control.shutdown(socket.SHUT_RDWR)
        until = time.monotonic() + guard.GRACE + 3
        for each in self._instances:
            _end(each, until)
        if self._thread.ident is not None:
            self._thread.join()
        for each in self._instances:
            each.let_go()
        self._selector.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _status_file(self) -> str:
        return str(self._folder / "status.json")

    @property
    def _host(self) -> str:
        host = self._options.get("host", "127.0.0.1")
        return primary_ip() if host == PRIMARY else host

    def _addresses(self, names: Sequence[str], count: int) -> Mapping[str, Addresses]:
        host = self._host
        if host == "ipc":
            self._key = None
            made = {
                name: [f"ipc://{self._folder}/{place}-{each}" for each in range(count)]
                for place, name in enumerate(names)
            }
        else:
            self._key = None if is_local(f"tcp://{host}:1") else make_key()
            ports = iter(free_ports(host, count * len(names), self._options.get("start_port")))
            made = {name: [f"tcp://{host}:{next(ports)}" for _ in range(count)] for name in names}
        return {name: Addresses(each, self._key, self._status_file) for name, each in made.items()}

    def _arguments(self, number: int) -> list[str]:
        seed = self._options["seed"]
        found = ["-btid", str(number), "-btseed", str(seed + number)]
        if self.addresses:
            found.append("-btsockets")
            found += [f"{name}={each[number]}" for name, each in self.addresses.items()]
        further = self._options.get("arguments")
        return found + (list(further[number]) if further else [])

    def _environment(self) -> dict[str, str]:
        told = {INSTANCES: str(len(self._instances)), RESTARTS: str(self._restarted)}
        if self._key is not None:
            told[VARIABLE] = self._key
        return {"PYTHONUNBUFFERED": "1", **os.environ, **told}

    def _start(self, instance: _Instance) -> None:
        ours, theirs = socket.socketpair()
        reads, writes = os.pipe()
        facts = [str(theirs.fileno()), str(self._owner), str(self._folder)]
        try:
            instance.process = subprocess.Popen(
                [sys.executable, "-I", "-S", guard.__file__, *facts, *instance.command],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=writes,
                stderr=writes,
                env=self._environment(),
                start_new_session=True,  # Ctrl-C is for whoever launched it
            )
        except BaseException:
            ours.close()
            os.close(reads)
            raise
        finally:
            theirs.close()
            os.close(writes)
        instance.control, instance.output = ours, reads
        instance.pid, instance.code, instance.told = 0, None, b""
        ours.setblocking(False)
        os.set_blocking(reads, False)
        self._selector.register(ours, selectors.EVENT_READ, (self._hear, instance))
        self._selector.register(reads, selectors.EVENT_READ, (self._read, instance))

    def _watch(self) -> None:
        """What the thread does, until no program is left."""
        while self._selector.get_map():
            for key, _ in self._selector.select():
                act, instance = key.data
                act(instance)

    def _read(self, instance: _Instance) -> None:
        """Keep what a program has written."""
        if instance.output < 0:  # its end was told at the same moment
            return
        try:
            data = os.read(instance.output, _CHUNK)
        except BlockingIOError:
            return
        instance.tail = (instance.tail + data)[-_TAIL:]
        if self._options.get("echo", False):
            with suppress(OSError, ValueError):
                sys.stderr.write(data.decode(errors="replace"))
        if not data:
            self._selector.unregister(instance.output)
            os.close(instance.output)
            instance.output = -1

    def _hear(self, instance: _Instance) -> None:
        """What a guard has told."""
        control = instance.control
        if control is None:
            return
        try:
            data = control.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        instance.told += data
        facts = dict(line.split() for line in instance.told.decode().splitlines())
        instance.pid = int(facts.get("pid", 0))
        if not data:
            self._selector.unregister(control)
            self._ended(instance, int(facts.get("exit", -signal.SIGKILL)))

    def _ended(self, instance: _Instance, code: int) -> None:
        """Start it again, or note how it ended."""
        if instance.pid and code == -signal.SIGKILL:  # the guard may have been killed, not it
            with suppress(OSError):
                os.killpg(instance.pid, signal.SIGKILL)
        while instance.output >= 0 and _has_data(instance.output):
            self._read(instance)
        if instance.output >= 0:
            self._selector.unregister(instance.output)
        instance.let_go()
        if instance.process is not None:
            instance.process.wait()
        with self._changed:
            again = code != 0 and self._restarted < self._restarts and not self._closing
            if again:
                self._restarted += 1
                with suppress(OSError):
                    self._start(instance)
                    return
            instance.code = code
            self._note(instance, code)
            self._changed.notify_all()

    def _note(self, instance: _Instance, code: int) -> None:
        if self._closing:
            return
        finished, failed = self._status.finished, self._status.failed
        if code == 0:
            finished = (*finished, instance.number)
        elif failed is None:
            failed = self._failure(instance, code)
        self._status = Status(failed, finished)
        self._write_status()

    def _failure(self, instance: _Instance, code: int) -> str:
        how = f"ended with exit code {code}"
        if code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
            how = f"was killed by {name}"
        again = f", after {self._restarted} restarts" if self._restarted else ""
        last = bytes(instance.tail).decode(errors="replace").strip()
        said = f"; it wrote last:\n{last}" if last else "; it wrote nothing"
        pid = f" (pid {instance.pid})" if instance.pid else ""
        return f"instance {instance.number} of {len(self._instances)}{pid} {how}{again}{said}"

    def _write_status(self) -> None:
        with suppress(OSError):  # a full disk: others come to know by the silence
            write_private(Path(self._status_file), msgspec.json.encode(self._status))

    def _over(self) -> bool:
        ended = all(each.code is not None for each in self._instances)
        return ended or self._status.failed is not None


def _end(instance: _Instance, until: float) -> None:
    """Wait for a guard, and kill it where it does not come to an end."""
    process = instance.process
    if process is None:
        return
    try:
        process.wait(max(0.1, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        _kill_descendants(process.pid)
        process.kill()
        process.wait()


def _kill_descendants(root: int) -> None:
    """Kill all that descend from a guard that does not; once it is gone, nobody finds them."""
    killed = {root}
    while found := {pid for pid, parent in guard.parents().items() if parent in killed} - killed:
        for each in found:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        killed |= found


def _has_data(descriptor: int) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        return bool(selector.select(0))


def _check_options(options: LaunchOptions, count: int) -> dict[str, Any]:
    for name in options:
        if name not in LaunchOptions.__annotations__:
            raise UnknownNameError.of("option of Launcher", name, LaunchOptions.__annotations__)
    if options.get("host") in _EVERYWHERE:
        raise InvalidValueError(
            f"host: expected {PRIMARY!r} or one address of this machine, which consumers can "
            f"connect to, got {options.get('host')!r}"
        )
    seed = options.get("seed")
    found: dict[str, Any] = {**options}
    found["seed"] = _drawn_seed() if seed is None else check_integer("seed", seed)
    check_integer("restarts", options.get("restarts", 0))
    if options.get("start_port") is None:
        found.pop("start_port", None)
    else:
        check_integer("start_port", options["start_port"], 1, 65535)
    arguments = options.get("arguments")
    if arguments is not None and len(arguments) != count:
        raise InvalidValueError(
            f"arguments: expected those of each of {count} instances, got {len(arguments)}"
        )
    return found


def _check_command(number: int, command: Sequence[str]) -> list[str]:
    found = [] if isinstance(command, str) else list(command)
    if not found or not all(isinstance(each, str) and "\0" not in each for each in found):
        raise InvalidValueError(
            f"command of instance {number}: expected a list of text without NUL, the program "
            f"first, got {shown(command)}"
        )
    return found


def _drawn_seed() -> int:
    return int.from_bytes(os.urandom(4), "little") >> 1


def _check_names(names: Sequence[str]) -> list[str]:
    found = list(names)
    plain = all(isinstance(each, str) and each and "=" not in each for each in found)
    if isinstance(names, str) or not plain or len(set(found)) != len(found):
        raise InvalidValueError(
            f"sockets: expected a list of different names without '=', got {shown(names)}"
        )
    return found
