"""Starts workers, greets them, looks after them, replaces them; and says so in the log.

Only `start` takes long, and needs nobody else's state; it is called from the pool's own thread, as
workers die with the thread that started them. All else is called with the pool's lock held.
"""

from __future__ import annotations

import logging
import math
import re
import shlex
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from heliograph.errors import HeliographError, WorkerError
from heliograph.pool.options import PoolOptions
from heliograph.pool.worker_handle import Phase, WorkerHandle
from heliograph.transport.messages import PROTOCOL, Hello, Open, Opened, Stop, version

_LOG = logging.getLogger("heliograph.pool")

MAX_FAILED_STARTS = 4
"""How many workers in a row may fail to start, while there is none, before the pool gives up."""

MOST_ALONE = 10
"""How often in a row no process can be had, while there is no worker, before the pool gives up."""

_MERCY = 8
"""Who is killed from outside while it starts did not fail: it counts so many times less."""

_AFTER_DEATH = (0.5, 60.0)
"""Seconds between two tries, the first and the last: each is twice the one before."""

_AFTER_REFUSAL = (0.05, 1.0)
"""The same where the system refused a process, which passes by itself."""

_TICK = 1.0
_NOT_INSTALLED = re.compile("No module named '(heliograph|numpy|msgspec)")
_INSTALL = (
    "\ninstall what workers need: {python} -m pip install numpy msgspec && "
    "{python} -m pip install --no-deps heliograph"
)


class Death(NamedTuple):
    """A worker that is surely dead.

    Attributes:
        worker: the worker.
        why: how it ended.
        error: why no more can be started, where that is so.
    """

    worker: WorkerHandle
    why: str
    error: HeliographError | None = None


@dataclass
class _Wanted:
    """A worker that is to be started, in place of one that still works or of none."""

    replaces: WorkerHandle | None = None


class Supervisor:
    """Keeps so many workers alive.

    Args:
        opening: what every worker opens.
        options: how to treat them.
        count: how many there are to be.
        random: what their random numbers must be, where they draw any.

    Attributes:
        workers: those there are, in any phase.
        opened: what the first one said as it had opened the scene.
        versions: of the packages there that decide pixels, by its name.
        started, died: how many so far.
    """

    def __init__(self, opening: Open, options: PoolOptions, count: int, random: str) -> None:
        self.opening = opening
        self.options = options
        self.count = count
        self.workers: list[WorkerHandle] = []
        self.opened: Opened | None = None
        self.started = 0
        self.died = 0
        self.ready_once = 0
        self._random = random
        self._environment = options.environment(count)
        self.versions: dict[str, str] = {}
        self._kind: tuple[str, str, dict[str, str]] | None = None
        self._wanted = [_Wanted() for _ in range(count)]
        self._not_before = 0.0
        self._failed = 0
        self._refusals = 0
        self._ticked = time.monotonic()
        self._told: set[str] = set()
        self._records: deque[tuple[int, str]] = deque()

    @property
    def tick(self) -> float:
        """How often to look whether anybody is late, seconds."""
        deadline = self.options.deadline
        return _TICK if deadline is None else min(_TICK, deadline / 8)

    def due(self) -> float:
        """Seconds until a worker is to be started; infinite if none is."""
        return max(0.0, self._not_before - time.monotonic()) if self._wanted else math.inf

    def start(self) -> WorkerHandle | WorkerError:
        """Start the next worker that is wanted; the lock need not be held."""
        wanted = self._wanted[0]
        try:
            return WorkerHandle(
                self.options.command, self._environment, self.options.cwd, wanted.replaces
            )
        except WorkerError as error:
            return error

    def admit(self, started: WorkerHandle | WorkerError) -> HeliographError | None:
        """Note what came of `start`; an error if it is no use to go on."""
        if isinstance(started, WorkerHandle):
            self._wanted.pop(0)
            self.workers.append(started)
            self.started += 1
            self._refusals = 0
            return None
        self._refusals += 1
        self._put_off(self._refusals, *_AFTER_REFUSAL)
        self._tell(f"a worker cannot be started now, and is tried again: {started.message}")
        alone = not any(not each.dying for each in self.workers)
        wanted = self._wanted[0]
        if wanted.replaces is not None:
            wanted.replaces.successor = False
            self._wanted.pop(0)
        return started if alone and (self._refusals >= MOST_ALONE or not self.ready_once) else None

    def greet(self, worker: WorkerHandle, hello: Hello) -> str:
        """Tell a worker what to open, if it is of our kind; what is wrong otherwise."""
        worker.greeted(hello)
        kind = (hello.version, hello.random, hello.versions)
        wrong = ""
        if hello.protocol != PROTOCOL:
            wrong = f"speaks protocol {hello.protocol}, and this is {PROTOCOL}"
        elif self._random not in ("", hello.random):
            wrong = "draws other random numbers (its numpy is another one)"
        elif self._kind not in (None, kind):
            wrong = "is of another version than the workers before it"
        if not wrong:
            self._kind, self.versions = kind, hello.versions
            worker.put(self.opening)
            return ""
        worker.refused = WorkerError(
            f"the worker runs heliograph {hello.version} under {hello.python} and {wrong}; install "
            f"the same versions there (heliograph {version()} and numpy), or open the pool anew"
        )
        return wrong

    def welcome(self, worker: WorkerHandle, opened: Opened) -> str:
        """A worker has opened the scene; what is wrong if that is another one than the others'."""
        if self.opened is None:
            self.opened = opened
        if opened.scene.hash != self.opened.scene.hash:
            worker.refused = WorkerError(
                f"{opened.scene.source} has changed since the pool was opened; open it anew"
            )
            return "opened another scene than the others"
        # The same object for all, so that `sample.labels is pool.labels`.
        worker.tables.own(self.opened.labels)
        worker.since = time.monotonic()
        return ""

    def ready(self, worker: WorkerHandle) -> None:
        """A worker has the scene as it is now, and takes the place of the one that it replaces."""
        worker.phase = Phase.READY
        self.ready_once += 1
        self._failed = 0
        self._told.clear()
        if worker.replaces is not None:
            worker.replaces.phase = Phase.RETIRING

    def dismiss(self, worker: WorkerHandle) -> None:
        """Ask a worker to end, as it has nothing left to do."""
        with suppress(WorkerError):
            worker.put(Stop())
        worker.flush()

    def kill(self, worker: WorkerHandle, why: str) -> None:
        """Kill a worker; its end is heard like any other."""
        if not worker.dying:
            worker.why, worker.dying = why, True
        worker.kill()

    def bury(self, worker: WorkerHandle, how: str) -> Death:
        """Strike out a worker that is surely dead, and want another where there is to be one.

        Args:
            worker: the worker.
            how: it ended.
        """
        why = f"{worker.why} and {how}" if worker.why else how
        worker.dying = True
        self.workers.remove(worker)
        for wanted in self._wanted:
            wanted.replaces = None if wanted.replaces is worker else wanted.replaces
        if worker.phase is Phase.RETIRING:
            return Death(worker, why)
        self.died += 1
        # What a worker refuses to open is an error of its own.
        level = logging.WARNING if worker.refused is None else logging.DEBUG
        self._records.append((level, f"worker {worker.pid} {why}{worker.last_output()}"))
        starting = worker.phase is Phase.STARTING
        error = self._failed_to_start(worker, why) if starting else None
        self._replace(worker)
        return Death(worker, why, error)

    def watch(self, tickets: Sequence[Sequence[int]], now: float) -> list[tuple[WorkerHandle, str]]:
        """Who is late, and with what; and have those replaced that are too large.

        Time in which this process did not run either, as the machine was suspended, does not count.

        Args:
            tickets: what each worker is to answer.
            now: by the monotonic clock.
        """
        gap, self._ticked = now - self._ticked - self.tick, now
        late = []
        for worker, theirs in zip(self.workers, tickets, strict=True):
            if gap > self.tick:
                worker.excuse(gap)
            problem = self._late(worker, theirs, now)
            if problem:
                late.append((worker, problem))
            elif self._outgrown(worker):
                self.supersede(worker)
        return late

    def log(self) -> None:
        """Log what happened; without the lock, as a signal handler's thread may hold logging's."""
        while self._records:
            _LOG.log(*self._records.popleft())

    def repair(self) -> None:
        """After an interrupt: want as many workers as are missing."""
        here = [
            each
            for each in self.workers
            if each.phase is not Phase.RETIRING
            and (each.replaces not in self.workers or each.replaces.phase is Phase.RETIRING)
        ]
        wanted = sum(each.replaces is None for each in self._wanted)
        self._wanted.extend(_Wanted() for _ in range(self.count - len(here) - wanted))

    def spent(self, worker: WorkerHandle) -> bool:
        """Whether a worker has done enough to be replaced."""
        most = self.options.recycle_after
        return most is not None and worker.done >= most and self._replaceable(worker)

    def supersede(self, worker: WorkerHandle) -> None:
        """Have a worker started in place of one that works on until that is ready."""
        if time.monotonic() >= self._not_before:
            worker.successor = True
            self._wanted.append(_Wanted(worker))

    def end(self, idle: Sequence[WorkerHandle], grace: float) -> None:
        """End all workers: those with nothing to do may close their engine, the rest are killed."""
        self._wanted.clear()
        for worker in idle:
            self.dismiss(worker)
        for worker in self.workers:
            if worker not in idle:
                worker.kill()
        end = time.monotonic() + grace
        for worker in idle:
            worker.dead(max(0.0, end - time.monotonic()))
        for worker in self.workers:
            worker.kill()
        end = time.monotonic() + grace
        for worker in self.workers:
            if worker.dead(max(0.0, end - time.monotonic())):
                worker.reap()
            worker.close()
        self.workers.clear()

    def _late(self, worker: WorkerHandle, tickets: Sequence[int], now: float) -> str:
        late, options = worker.busy_for(tickets, now), self.options
        if worker.phase is Phase.STARTING and not tickets:
            over = late > options.start_timeout
            return f"did not open the scene within {options.start_timeout:g} s" if over else ""
        if tickets and options.deadline is not None and late > options.deadline:
            return f"did not answer within its deadline of {options.deadline:g} s"
        return ""

    def _outgrown(self, worker: WorkerHandle) -> bool:
        most = self.options.memory_limit
        return most is not None and self._replaceable(worker) and worker.resident() > most

    def _replaceable(self, worker: WorkerHandle) -> bool:
        return not worker.successor and not worker.dying and worker.phase is Phase.READY

    def _failed_to_start(self, worker: WorkerHandle, why: str) -> HeliographError | None:
        """Note that a worker died as it started; an error if it is no use to start another."""
        killed = worker.innocent or why.startswith("was killed by SIGKILL")
        self._failed += 1 if killed else _MERCY
        said = worker.last_output()
        if _NOT_INSTALLED.search(said):
            said += _INSTALL.format(python=shlex.quote(self.options.command[-4]))
        error: HeliographError = worker.refused or WorkerError(
            f"a worker could not be started: it {why}{said}"
        )
        hopeless = not self.ready_once or (
            not any(not each.dying for each in self.workers)
            and (worker.refused is not None or self._failed >= _MERCY * MAX_FAILED_STARTS)
        )
        if hopeless:
            return error
        if not killed:
            self._put_off(self._failed // _MERCY, *_AFTER_DEATH)
            self._tell(f"workers cannot be replaced, and are tried again: {error.message}")
        return None

    def _replace(self, worker: WorkerHandle) -> None:
        replaced = worker.replaces
        if worker.successor:
            for each in self.workers:
                each.replaces = None if each.replaces is worker else each.replaces
        elif worker.phase is Phase.STARTING and replaced is not None and replaced in self.workers:
            replaced.successor = False  # it is still there, and works on
        else:
            self._wanted.append(_Wanted())

    def _put_off(self, failures: int, shortest: float, longest: float) -> None:
        pause = min(longest, shortest * 2 ** min(failures - 1, 20))
        self._not_before = time.monotonic() + pause

    def _tell(self, what: str) -> None:
        """Log an error once, and not at each of the tries that follow."""
        if what not in self._told:
            self._told.add(what)
            self._records.append((logging.ERROR, what))
