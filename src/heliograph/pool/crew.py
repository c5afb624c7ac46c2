"""Who is hired, what they must agree on, and when they are replaced."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress

from heliograph.errors import HeliographError, WorkerError
from heliograph.pool.options import PoolOptions
from heliograph.pool.process import Phase, WorkerProcess
from heliograph.transport.messages import PROTOCOL, Hello, Open, Opened, Stop, version

MAX_FAILED_STARTS = 4
"""How many workers in a row may fail to start before no more are tried."""

_MERCY = 8
"""Who is killed from outside while it starts did not fail: it counts so many times less."""

_TICK = 1.0


class Crew:
    """Makes workers and keeps count of those that fail to start.

    Args:
        opening: what every worker opens.
        options: how to treat them.
        count: how many there are to be.
    """

    def __init__(self, opening: Open, options: PoolOptions, count: int) -> None:
        self.opening = opening
        self.options = options
        self.count = count
        self.started = 0
        self._environment = options.environment(count)
        self._failed = 0
        self._scene: str | None = None

    def hire(self, heir_of: WorkerProcess | None = None) -> WorkerProcess:
        """A new worker.

        Raises:
            WorkerError: the interpreter cannot be started.
        """
        return WorkerProcess(str(self.options.python), self._environment, heir_of)

    def greet(self, worker: WorkerProcess, hello: Hello) -> str:
        """Tell a worker what to open, if it is of our kind; what is wrong otherwise."""
        if (hello.version, hello.protocol) == (version(), PROTOCOL):
            worker.open(self.opening)
            return ""
        wrong = (
            f"runs heliograph {hello.version} (protocol {hello.protocol}) under {hello.python}, "
            f"and this is {version()} (protocol {PROTOCOL}); install the same version there"
        )
        worker.refused = WorkerError(f"the worker {wrong}")
        return wrong

    def admit(self, worker: WorkerProcess, opened: Opened) -> str:
        """Take a worker on; what is wrong if it opened something else than the others."""
        if self._scene not in (None, opened.scene.hash):
            worker.refused = WorkerError(
                f"{opened.scene.source} has changed since the pool was opened; open it anew"
            )
            return "opened another scene than the others"
        self._scene = opened.scene.hash
        self._failed = 0
        self.started += 1
        worker.opened = opened
        worker.phase = Phase.READY
        if worker.heir_of is not None:
            worker.heir_of.phase = Phase.RETIRING
            self.relieve(worker.heir_of)
        return ""

    def relieve(self, worker: WorkerProcess) -> None:
        """Let a retiring worker go once it has nothing left to do."""
        if worker.phase is Phase.RETIRING and not worker.leases:
            with suppress(OSError):
                worker.channel.send([Stop()])

    def freest(self, workers: Iterable[WorkerProcess]) -> WorkerProcess | None:
        """The worker with the fewest orders, if it has room for one more."""
        best, least = None, self.options.depth
        for worker in workers:
            if len(worker.leases) < least and worker.ready:
                best, least = worker, len(worker.leases)
        return best

    @property
    def patience(self) -> float:
        """How often to look whether anybody is late, seconds."""
        deadline = self.options.deadline
        return _TICK if deadline is None else min(_TICK, deadline / 8)

    def spent(self, worker: WorkerProcess) -> bool:
        """Whether a worker has done enough to be replaced."""
        most = self.options.recycle_after
        return most is not None and worker.done >= most and self._replaceable(worker)

    def outgrown(self, worker: WorkerProcess) -> bool:
        """Whether a worker has grown enough to be replaced."""
        most = self.options.memory_limit
        return most is not None and self._replaceable(worker) and worker.resident() > most

    def late(self, worker: WorkerProcess, now: float) -> str:
        """What a worker should have done by now; empty if nothing."""
        late, options = now - worker.busy_since(), self.options
        if worker.phase is Phase.STARTING:
            over = late > options.start_timeout
            return f"did not open the scene within {options.start_timeout:g} s" if over else ""
        if worker.leases and options.deadline is not None and late > options.deadline:
            return f"did not answer within its deadline of {options.deadline:g} s"
        return ""

    def _replaceable(self, worker: WorkerProcess) -> bool:
        return not worker.has_heir and worker.phase is Phase.READY

    def mourn(self, worker: WorkerProcess, why: str) -> HeliographError | None:
        """Note a death; an error if it is no use to start another."""
        if worker.phase is not Phase.STARTING:
            return None
        self._failed += 1 if why.startswith("was killed by SIGKILL") else _MERCY
        first = self._scene is None
        if isinstance(worker.refused, HeliographError):
            error = worker.refused
        else:
            error = WorkerError(f"a worker could not be started: it {why}{worker.last_output()}")
        return error if first or self._failed >= _MERCY * MAX_FAILED_STARTS else None

    def dismiss(self, workers: Iterable[WorkerProcess], grace: float) -> None:
        """End workers: those with nothing to do may close their engine, the rest are killed."""
        idle = [each for each in workers if each.phase is Phase.READY and not each.leases]
        for worker in idle:
            with suppress(OSError, HeliographError):
                worker.channel.send([Stop()])
        for worker in workers:
            if worker not in idle:
                worker.kill()
        patience = time.monotonic() + grace
        while any(each.process.poll() is None for each in idle) and time.monotonic() < patience:
            time.sleep(0.002)
        for worker in workers:
            worker.kill()
            worker.close()
