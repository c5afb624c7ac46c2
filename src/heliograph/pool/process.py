"""The driver's side of one worker: its process, its channel, its leases."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from heliograph.errors import WorkerError
from heliograph.pool.orders import Order
from heliograph.transport.channel import Channel, pair
from heliograph.transport.messages import Drop, Map, Open, Opened
from heliograph.transport.slots import Region
from heliograph.transport.status import Status, read_status
from heliograph.transport.tables import HeardTables

if TYPE_CHECKING:
    from heliograph.pool.attendant import Attendant

STATUS_REGION = -1
KEPT_OUTPUT = 1 << 14
"""Bytes of a worker's last output that are kept."""


class Phase(Enum):
    """What a worker is good for."""

    STARTING = "starting"
    READY = "ready"
    RETIRING = "retiring"


class Lease(NamedTuple):
    """An order that a worker has: a new ticket for each attempt."""

    ticket: int
    order: Order
    region: Region


class WorkerProcess:
    """One worker, seen from the driver.

    Args:
        python: the interpreter.
        environment: of the process.
        heir_of: the worker that this one is to replace.

    Attributes:
        dying: it is dead or about to be killed, so nothing is leased to it.
        torn: somebody is talking with it, under the lock. Where that is true and nobody holds the
            lock, an interrupt hit in between, and the worker is of no use any more.
        innocent: it dies of that, so none of its orders is to blame.
        heard: the driver's thread listens to it; it need not while there are no orders for it, or
            while an attendant does.
        quick: its last answer to an attendant came at once.

    Raises:
        WorkerError: the process, its descriptors or its memory are not to be had.
    """

    def __init__(
        self, python: str, environment: Mapping[str, str], heir_of: WorkerProcess | None = None
    ) -> None:
        self.phase = Phase.STARTING
        self.leases: dict[int, Lease] = {}
        self.tables = HeardTables()
        self.opened: Opened | None = None
        self.since = time.monotonic()
        self.done = 0
        self.heir_of = heir_of
        self.has_heir = False
        self.refused: Exception | None = None
        self.writing = False
        self.dying = False
        self.torn = False
        self.innocent = False
        self.quick = False
        self.heard = True
        self.attendant: Attendant | None = None
        self._mapped: set[int] = set()
        self._output: deque[bytes] = deque()
        try:
            with ExitStack() as undo:
                self._begin(python, environment, undo)
                undo.pop_all()
        except OSError as error:
            raise WorkerError(f"cannot start a worker with {python}: {error}") from None

    def _begin(self, python: str, environment: Mapping[str, str], undo: ExitStack) -> None:
        """Start the process with all it needs; `undo` takes back what there is of it."""
        self._status = Region.create(STATUS_REGION, 1)
        undo.callback(self._status.close)
        ours, theirs = pair()
        self.channel = Channel(ours)
        undo.callback(self.channel.close)
        with theirs:
            ours.setblocking(False)
            self.channel.put(Map(STATUS_REGION, self._status.nbytes), self._status.descriptor)
            self._status.close()
            self.output, writes = os.pipe2(os.O_CLOEXEC)
            undo.callback(os.close, self.output)
            os.set_blocking(self.output, False)
            try:
                self.process = _spawn(python, environment, theirs.fileno(), writes)
            finally:
                os.close(writes)
        undo.callback(self.kill)
        self.pidfd = os.pidfd_open(self.process.pid)

    def open(self, opening: Open) -> None:
        """Hand over the status word and ask to open the scene."""
        self.channel.put(opening)
        self.flush()

    def lease(self, lease: Lease) -> None:
        """Queue an order with the memory it needs; `flush` sends it.

        Raises:
            WorkerError: the order cannot be sent.
        """
        region = lease.region
        if region.id not in self._mapped:
            try:
                self.channel.put(Map(region.id, region.nbytes), region.descriptor)
            except OSError as error:
                raise WorkerError(f"its memory cannot be sent to a worker: {error}") from None
            self._mapped.add(region.id)
        self.channel.put(lease.order.message(lease.ticket, region.id))
        if not self.leases:
            self.since = time.monotonic()
        self.leases[lease.ticket] = lease

    @property
    def ready(self) -> bool:
        """Whether orders can be given to it."""
        return self.phase is Phase.READY and not self.dying and not self.torn

    @property
    def idle(self) -> bool:
        """Whether it has nothing to do, and nobody but the driver's thread hears it."""
        return not self.leases and not self.writing and self.attendant is None

    def forget(self, region: int) -> None:
        """Have the worker unmap a region."""
        if region in self._mapped and not (self.dying or self.torn):
            self._mapped.discard(region)
            self.channel.put(Drop(region))

    def flush(self) -> bool:
        """Send what is queued; whether all of it went. A dead worker is noticed elsewhere."""
        self.torn, all_went = True, True
        with suppress(OSError):  # such as too many descriptors on their way: tried again each tick
            all_went = self.channel.flush()
        self.torn = False
        return all_went

    def status(self) -> Status:
        """What it began last."""
        return read_status(self._status)

    def busy_since(self) -> float:
        """When it began what it is at, seconds by the monotonic clock."""
        status = self.status()
        return max(self.since, status.since) if status.ticket in self.leases else self.since

    def resident(self) -> int:
        """Its resident memory, bytes; 0 if it is gone."""
        try:
            pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return 0
        return int(pages) * os.sysconf("SC_PAGESIZE")

    def read_output(self) -> int:
        """Keep what it printed; how many bytes, 0 at the end, -1 if there are none now."""
        try:
            data = os.read(self.output, KEPT_OUTPUT)
        except BlockingIOError:
            return -1
        self._output.append(data)
        while sum(map(len, self._output)) - len(self._output[0]) > KEPT_OUTPUT:
            self._output.popleft()
        return len(data)

    def last_output(self) -> str:
        """The end of what it printed, for people."""
        text = b"".join(self._output)[-4000:].decode(errors="replace").strip()
        return f"; its last output:\n{text}" if text else ""

    def kill(self) -> str:
        """Kill it and all that it started, and wait until it is surely dead; how it ended."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        code = self.process.wait()
        if code >= 0:
            return f"exited with status {code}"
        with suppress(ValueError):
            return f"was killed by {signal.Signals(-code).name}"
        return f"was killed by signal {-code}"

    def last_words(self) -> list[Any]:
        """The messages that a dead worker had still sent; and read the last of its output."""
        while self.read_output() > 0:
            pass
        with suppress(WorkerError):
            return self.channel.drain()
        return []

    def close(self) -> None:
        """Close every descriptor."""
        self.channel.close()
        self._status.close()
        os.close(self.output)
        os.close(self.pidfd)


def _spawn(
    python: str, environment: Mapping[str, str], socket: int, output: int
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [python, "-P", "-m", "heliograph.worker", str(socket), str(os.getpid())],
        pass_fds=[socket],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env=environment,
        start_new_session=True,  # Ctrl-C is for the driver alone, and we can kill the group
    )


def was_at(leases: list[Lease], ticket: int) -> Lease | None:
    """The lease that a worker had begun; None if it had not begun any of them."""
    return next((lease for lease in leases if lease.ticket == ticket), None)
