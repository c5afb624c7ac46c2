"""A started renderer: batches in, results out, several at once, each to its own caller."""

from __future__ import annotations

import atexit
import threading
from collections import deque
from collections.abc import Callable, MutableMapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from heliograph.compat.orrb.config import Settings
from heliograph.compat.orrb.encode import Stacks, category_table
from heliograph.compat.orrb.entries import Director, Entry
from heliograph.compat.orrb.mapping import identity, read_mapping
from heliograph.compat.orrb.problems import RendererError, as_renderer_error
from heliograph.compat.orrb.repair import load_repaired
from heliograph.compat.orrb.request import Request
from heliograph.compat.orrb.servers import Servers
from heliograph.compat.orrb.stage import Stage
from heliograph.frame import Sample
from heliograph.randomize import Randomization

Batch = MutableMapping[str, Any]
Outcome = Batch | RendererError
Deliver = Callable[[Outcome], None]
_AHEAD = 4
"""Entries on their way for each worker."""


@dataclass(frozen=True, eq=False)
class Job:
    """A batch, what it asked for when it came, and who gets the outcome."""

    batch: Batch
    request: Request
    randomization: Randomization
    deliver: Deliver


class Session:
    """Worker processes and threads from start to shutdown.

    Args:
        settings: what is asked for.
        configs: the servers.
        randomization: the components at the start, to be checked.

    Raises:
        HeliographError: the model, the mapping, a camera or a component cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        configs: Sequence[tuple[int, int]],
        randomization: Randomization,
    ) -> None:
        from heliograph.engines.mujoco.model import load

        source, model = load_repaired(Path(settings.model), load)
        self._settings = settings
        self.servers = Servers(source, configs, settings.size, settings.deadline)
        try:
            self._prepare(model, randomization)
        except BaseException:
            self.servers.close()
            raise
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._writers = ThreadPoolExecutor(max(2, self.servers.count), "orrb-write")
        self._lanes = [
            threading.Thread(target=self._work, name=f"orrb-{i}", daemon=True)
            for i in range(self.servers.count + 1)
        ]
        for lane in self._lanes:
            lane.start()
        atexit.register(self.close)  # a thread inside MuJoCo at the interpreter's end is a crash

    def check(self, randomization: Randomization) -> None:
        """Draw one entry's numbers, so that what is wrong with components shows now.

        Raises:
            HeliographError: something is.
        """
        director = Director(self._stage, self._settings, randomization)
        director.check()
        director.entry(self._stage.initial, 0)

    def submit(self, batch: Batch, randomization: Randomization, deliver: Deliver) -> None:
        """Take a batch as it is now; its outcome, which may be an error, is delivered."""
        try:
            job = Job(batch, Request.of(batch, self._mapping), randomization, deliver)
            self._enqueue(job)
        except Exception as error:  # noqa: BLE001 -- whatever it is belongs to who asked
            deliver(as_renderer_error(error))

    def close(self) -> None:
        """End everything; batches that are not finished fail."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            atexit.unregister(self.close)
            waiting = self._drained()
            for _ in self._lanes:
                self._jobs.put(None)
        for job in waiting:
            job.deliver(RendererError("the renderer was shut down before this batch was drawn"))
        self.servers.close()
        for lane in self._lanes:
            lane.join()
        self._writers.shutdown()

    def _enqueue(self, job: Job) -> None:
        with self._lock:
            if self._closed:
                raise RendererError("the renderer is shut down")
            self._jobs.put(job)

    def _prepare(self, model: Any, randomization: Randomization) -> None:
        drawn, settings = self.servers.first, self._settings
        self._stage = Stage(model, drawn, settings.cameras, settings.size)
        self._table = category_table(drawn.labels, self._stage.categories)
        self._mapping = (
            identity(self._stage.initial)
            if settings.mapping is None
            else read_mapping(settings.mapping, self._stage.joints, self._stage.initial)
        )
        self.check(randomization)

    def _drained(self) -> list[Job]:
        waiting = []
        while not self._jobs.empty():
            job = self._jobs.get()
            if job is not None:
                waiting.append(job)
        return waiting

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.deliver(self._outcome(job))

    def _outcome(self, job: Job) -> Outcome:
        try:
            job.batch.update(self._drawn(job.request, job.randomization))
        except Exception as error:  # noqa: BLE001 -- whatever it is belongs to who asked
            return as_renderer_error(error)
        return job.batch

    def _drawn(self, request: Request, randomization: Randomization) -> dict[str, Any]:
        stacks = Stacks(self._settings, self._table, len(request))
        director = Director(self._stage, self._settings, randomization)
        flow = _Flow(self.servers, self._writers, stacks)
        try:
            for number, seed in enumerate(request.seeds):
                flow.add(number, director.entry(request.qpos[number], seed))
            flow.finish()
        except BaseException:
            flow.cancel()
            raise
        return stacks.result()


class _Flow:
    """Entries of one batch on their way, so many at a time.

    Args:
        servers: who draws.
        writers: threads that post-process and write.
        stacks: where to.
    """

    def __init__(self, servers: Servers, writers: ThreadPoolExecutor, stacks: Stacks) -> None:
        self._servers = servers
        self._writers = writers
        self._stacks = stacks
        self._window = _AHEAD * servers.count
        self._drawing: deque[tuple[int, Entry, Future[Sample]]] = deque()
        self._writing: deque[Future[None]] = deque()

    def add(self, number: int, entry: Entry) -> None:
        """Order an entry; waits while there are too many on their way."""
        while len(self._drawing) >= self._window:
            self._write()
        self._drawing.append((number, entry, self._servers.submit(entry.view)))

    def finish(self) -> None:
        """Wait for all."""
        while self._drawing:
            self._write()
        while self._writing:
            self._writing.popleft().result()

    def cancel(self) -> None:
        """Wait for none; what is written still is written to arrays that nobody sees."""
        for _, _, future in self._drawing:
            future.cancel()
        for writing in self._writing:
            writing.cancel()

    def _write(self) -> None:
        number, entry, future = self._drawing.popleft()
        try:
            sample = future.result()
        except Exception as error:
            raise _of_entry(error, number) from error
        while len(self._writing) >= self._window:
            self._writing.popleft().result()
        self._writing.append(self._writers.submit(self._stacks.write, number, entry, sample))


def _of_entry(error: Exception, number: int) -> RendererError:
    made = as_renderer_error(error)
    return RendererError(f"entry {number}: {made.message}", seed=made.seed, repro=made.repro)
