"""Who is to blame for the death of a worker, and what is left to do of its orders."""

from __future__ import annotations

from heliograph.errors import WorkerError
from heliograph.pool.crew import Crew
from heliograph.pool.orders import Order
from heliograph.pool.process import Lease, WorkerProcess, was_at
from heliograph.worker.replay import command

MOST_VAIN = 16
"""Workers in a row that may die with orders, none of them begun, before the first is blamed."""


class Inquest:
    """Counts deaths, and blames the order that a dead worker was at.

    Args:
        crew: how workers are made.

    Attributes:
        kills: workers that died with orders.
    """

    def __init__(self, crew: Crew) -> None:
        self.kills = 0
        self._crew = crew
        self._vain = 0

    def left(self, worker: WorkerProcess, leases: list[Lease], why: str) -> list[Order]:
        """The orders that are to be done again; one that killed too many is given up."""
        self.kills += bool(leases)
        entry = worker.status().entry
        guilty = self._guilty(worker, leases)
        left: list[Order] = []
        for lease in leases:
            if lease is not guilty or lease.order.blame(entry) < self._crew.options.max_kills:
                left.append(lease.order)
            else:
                error = self._verdict(lease.order, entry, why + worker.last_output())
                left.extend(lease.order.give_up(entry, error))
        return left

    def _guilty(self, worker: WorkerProcess, leases: list[Lease]) -> Lease | None:
        """The order it had begun; nobody if it had begun none, unless that goes on and on."""
        if not leases or worker.innocent:
            return None
        guilty = was_at(leases, worker.status().ticket)
        self._vain = 0 if guilty is not None or worker.done else self._vain + 1
        return leases[0] if self._vain > MOST_VAIN else guilty

    def _verdict(self, order: Order, entry: int, why: str) -> WorkerError:
        index, seed, wire = order.numbers(entry)
        options = self._crew.options
        try:
            repro = command(self._crew.opening, wire, str(options.python))
        except OSError:  # a long one goes to a file, for which there is no room
            repro = None
        return WorkerError(
            f"given up: {options.max_kills} workers died over it; the last one {why}",
            index=index,
            seed=seed,
            repro=repro,
        )
