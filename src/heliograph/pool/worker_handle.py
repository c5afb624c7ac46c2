"""The driver's side of one worker: its process, its channel, its status page."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from enum import Enum
from pathlib import Path
from typing import Any

from heliograph.errors import HeliographError, WorkerError
from heliograph.lru import LruCache
from heliograph.transport.channel import Channel, pair
from heliograph.transport.messages import Blob, Drop, DropBlobs, Hello, Map
from heliograph.transport.slots import Region, close_all
from heliograph.transport.status import StatusPage
from heliograph.transport.tables import HeardTables
from heliograph.transport.values import ArrayWire

STATUS_REGION = -1
KEPT_OUTPUT = 1 << 14
"""Bytes of a worker's last output that are kept."""

KEPT_BLOBS = 256 << 20
"""Bytes of arrays that a worker keeps by the hash of their content."""

_MOST_READS = 64
"""How often the output of a dead worker is read; more than any pipe holds."""

_LONGEST_WAIT = 1.0
"""Seconds to wait for a process that was killed."""


class Phase(Enum):
    """What a worker is good for."""

    STARTING = "starting"
    READY = "ready"
    RETIRING = "retiring"


class WorkerHandle:
    """One worker, seen from the driver.

    Args:
        command: the descriptor of its socket and our process id are appended.
        environment: of the process.
        cwd: its working directory; None for ours.
        replaces: the worker that this one is to replace.

    Attributes:
        phase: what it is good for.
        replaces: the worker that it is to replace.
        successor: whether a worker that is to replace it is on its way.
        dying: it is dead or about to be killed, so nothing is leased to it.
        done: views that it has drawn.
        busy: seconds in which it had any to draw.
        since: when it was started or answered last, by the monotonic clock; seconds.
        torn: somebody is talking with it. Where that is still so at the next step, an interrupt hit
            in between: bytes may be lost, and the worker is of no use any more.
        taking: the same for taking what it said.
        innocent: it dies of that, so none of its orders is to blame.
        refused: what it said as it could not open the scene.
        why: what was wrong with it, if it was killed by us.
        writing: more waits to be sent than its socket takes.

    Raises:
        WorkerError: the process, its descriptors or its memory are not to be had.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        cwd: str | os.PathLike[str] | None = None,
        replaces: WorkerHandle | None = None,
    ) -> None:
        self.phase = Phase.STARTING
        self.replaces = replaces
        self.successor = False
        self.dying = False
        self.done = 0
        self.busy = 0.0
        self.since = time.monotonic()
        self.torn = False
        self.taking = False
        self.innocent = False
        self.refused: HeliographError | None = None
        self.why = ""
        self.writing = False
        self.tables = HeardTables()
        self.pid = 0
        self._excused = (0, 0.0)
        self._owned: list[int] = []  # of its output, of its process, maybe of the worker itself
        self._urgency = 0
        self._mapped: set[int] = set()
        self._blobs: LruCache[bytes] = LruCache(KEPT_BLOBS)
        self._output: deque[bytes] = deque()
        self._theirs: list[Any] = []  # its ends of the socket and of the pipe
        try:
            with ExitStack() as undo:
                self._open_channel(undo)
                self.process = self._start(command, environment, cwd)
                undo.callback(self._take_back)
                self.pid = self.process.pid
                self._owned.append(os.pidfd_open(self.pid))
                undo.pop_all()
        except OSError as error:
            raise WorkerError(f"cannot start a worker with {command[0]}: {error}") from None
        finally:
            for each in self._theirs:
                each.close()

    def _open_channel(self, undo: ExitStack) -> None:
        """Make what connects us with the process; `undo` takes back what there is of it."""
        page = Region.create(STATUS_REGION, 1)
        undo.callback(page.close)
        self.page = StatusPage(page)
        ours, theirs = pair()
        self._theirs.append(theirs)
        self.channel = Channel(ours)
        undo.callback(self.channel.close)
        ours.setblocking(False)
        self.channel.put(Map(STATUS_REGION, page.nbytes), page.descriptor)
        page.close()
        output, writes = os.pipe2(os.O_CLOEXEC)
        self._owned.append(output)
        undo.callback(close_all, self._owned)
        self._theirs.append(os.fdopen(writes, "wb", buffering=0))
        os.set_blocking(output, False)

    def _start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        cwd: str | os.PathLike[str] | None,
    ) -> subprocess.Popen[bytes]:
        socket, writes = (each.fileno() for each in self._theirs)
        return subprocess.Popen(
            [*command, str(socket), str(os.getpid())],
            pass_fds=[socket],
            stdin=subprocess.DEVNULL,
            stdout=writes,
            stderr=writes,
            env=environment,
            cwd=cwd,
            start_new_session=True,  # Ctrl-C is for the driver alone, and we can kill the group
        )

    def _take_back(self) -> None:
        """Kill the process, as something else that it needs is not to be had."""
        with suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_LONGEST_WAIT)

    def greeted(self, hello: Hello) -> None:
        """Note which process it is; a wrapper may have started it.

        Where the wrapper numbers processes anew, only the wrapper is known.
        """
        if hello.pid != self.process.pid and _descends(hello.pid, self.process.pid):
            with suppress(OSError):  # it is gone, and so will be its socket
                self._owned.extend(map(os.pidfd_open, (hello.pid,)))
                self.pid = hello.pid

    @property
    def output(self) -> int:
        """What it prints; -1 once closed."""
        return self._owned[0] if self._owned else -1

    @property
    def pidfd(self) -> int:
        """Of the process that we started; -1 once closed."""
        return self._owned[1] if self._owned else -1

    @property
    def own_pidfd(self) -> int:
        """Of the worker itself, where a wrapper started it; else -1."""
        return self._owned[2] if len(self._owned) > 2 else -1

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What is to be heard of it."""
        return (self.channel.fileno(), self.pidfd, self.output)

    @property
    def rate(self) -> float:
        """Views that it has drawn per second of those in which it had any to draw."""
        return self.done / max(self.busy, 1e-9) if self.done else 0.0

    def put(self, message: Any, region: Region | None = None) -> None:
        """Queue a message with the memory it needs; `flush` sends it.

        Raises:
            WorkerError: it cannot be sent.
        """
        self.torn = True
        try:
            if region is not None and region.id not in self._mapped:
                self.channel.put(Map(region.id, region.nbytes), region.descriptor)
                self._mapped.add(region.id)
            self.channel.put(message)
        except WorkerError:
            self.torn = False
            raise
        except OSError as error:
            if error.errno is None:  # a signal handler's `TimeoutError`, say
                raise
            self.torn = False
            raise WorkerError(f"its memory cannot be sent to a worker: {error}") from None
        self.torn = False

    def put_blobs(
        self, blobs: Mapping[bytes, ArrayWire], needed: Callable[[bytes], bool] = lambda _: False
    ) -> None:
        """Queue the arrays that the worker does not have, before what names them.

        Args:
            blobs: the arrays by name.
            needed: whether an order that it has not begun names an array, which then stays.

        Raises:
            WorkerError: one is too large.
        """
        for digest, array in blobs.items():
            if self._blobs.get(digest) is None:
                self.put(Blob(digest, array))
                self._blobs.put(digest, digest, len(array.data))
        gone = self._blobs.trim(lambda digest: digest in blobs or needed(digest))
        if gone:
            self.put(DropBlobs(gone))

    def forget(self, region: int) -> None:
        """Have the worker unmap a region."""
        if region in self._mapped and not self.torn and not self.dying:
            self._mapped.discard(region)
            self.put(Drop(region))

    def flush(self) -> None:
        """Send what is queued, as far as it goes. A dead worker is noticed elsewhere."""
        self.torn = True
        try:
            self.channel.flush()
        except OSError as error:  # such as too many descriptors on their way: tried again
            if error.errno is None:  # a signal handler's `TimeoutError`, say
                raise
        self.torn = False

    def urge(self, priority: int) -> None:
        """Say on the status page how urgent the most urgent order is that it has."""
        if priority != self._urgency:
            self._urgency = priority
            self.page.urge(priority)

    def busy_for(self, tickets: Sequence[int], now: float) -> float:
        """How long it has been at what it is at, seconds.

        Args:
            tickets: of what it has.
            now: by the monotonic clock.
        """
        status = self.page.status()
        since = max(self.since, status.since) if status.ticket in tickets else self.since
        ticket, excused = self._excused
        return now - since - (excused if ticket == status.ticket else 0.0)

    def excuse(self, seconds: float) -> None:
        """Time in which the whole machine stood still is not its fault."""
        ticket, before = self._excused
        now = self.page.status().ticket
        self._excused = now, seconds + (before if ticket == now else 0.0)

    def resident(self) -> int:
        """Its resident memory, bytes; 0 if it is gone."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return 0
        return int(pages) * os.sysconf("SC_PAGESIZE")

    def read_output(self) -> int:
        """Keep what it printed; how many bytes, 0 at the end, -1 if there are none now."""
        if self.output < 0:
            return 0
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

    def kill(self) -> None:
        """Kill it and all that it started; it is dead once `dead` says so.

        Its group is not another's by now: that is only after somebody has waited for the process,
        and then the first signal is refused.
        """
        if self.process.returncode is None:
            with suppress(OSError):
                signal.pidfd_send_signal(self.pidfd, 0)
                os.killpg(self.process.pid, signal.SIGKILL)
        if self.own_pidfd >= 0:
            with suppress(OSError):  # a wrapper may have put it into another group
                signal.pidfd_send_signal(self.own_pidfd, signal.SIGKILL)

    def dead(self, seconds: float = 0.0) -> bool:
        """Whether the process that we started and the worker itself are surely dead.

        Args:
            seconds: how long to wait for it at most.
        """
        end = time.monotonic() + seconds
        for pidfd in (self.pidfd, self.own_pidfd):
            if pidfd < 0:
                continue
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            if not poll.poll(max(0.0, end - time.monotonic()) * 1000):
                return False
        return True

    def reap(self) -> str:
        """How a dead process ended; nobody is left to be killed by its number afterwards."""
        try:
            code = self.process.wait(_LONGEST_WAIT)
        except subprocess.TimeoutExpired:  # an interrupt left the lock of `Popen` behind
            return "ended"
        if code >= 0:
            return f"exited with status {code}"
        with suppress(ValueError):
            return f"was killed by {signal.Signals(-code).name}"
        return f"was killed by signal {-code}"

    def last_words(self) -> list[Any]:
        """The messages that a dead worker had still sent; and read the last of its output."""
        for _ in range(_MOST_READS):  # another process may still print into the same pipe
            if self.read_output() <= 0:
                break
        with suppress(WorkerError):
            return self.channel.drain()
        return []

    def close(self) -> None:
        """Close every descriptor."""
        self.channel.close()
        close_all(self._owned)


def _descends(pid: int, ancestor: int) -> bool:
    """Whether a process was started by another one, or by one that this one started."""
    with suppress(OSError, ValueError, IndexError):
        while pid > 1 and pid != ancestor:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return pid == ancestor
