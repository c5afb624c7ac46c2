"""The ledger: which order waits, which worker has it, how often it killed one.

Pure: no process, no clock, no lock. An order is in exactly one place: in the queue, leased to one
worker, or settled. Each attempt is a lease with a ticket of its own, and an answer counts only
while its ticket is in the ledger of the worker that sent it; so nothing counts twice.

Where an order is, is told by the order alone (`lease`, and whether it is among `orders`). All else
here is an index over that, which `repair` makes anew after an interrupt left one half done.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

MOST_VAIN = 16
"""Workers in a row that may die with orders, none of them begun, before the first is blamed."""

_MOST_STALE = 64
"""Entries of cancelled orders that may lie in the queue, where fewer orders than that are kept."""

_W = TypeVar("_W", bound=Hashable)
_O = TypeVar("_O", bound="Order")


class Order:
    """What one worker can be asked for in one message.

    Attributes:
        priority: higher ones go first; among equals the one that came first.
        weight: how many views it is.
        lease: the worker that has it now.
        cancelled: nobody waits for it; a worker that has it settles it all the same.
        sequence: when it came.
        several: it is answered bit by bit, and may be idle between.
    """

    priority = 0
    weight = 1
    lease: Lease[Any, Any] | None = None
    cancelled = False
    sequence = -1
    several = False

    @property
    def idle(self) -> bool:
        """Whether its worker waits for who takes its answers, and not the other way round."""
        return False

    def blame(self, entry: int) -> int:
        """Count a worker that died over it, or over an entry of it; how many there are now."""
        raise NotImplementedError

    def without(self, entry: int) -> Sequence[Any]:
        """What is left to do where an entry of it is given up."""
        del entry
        return ()


class Lease(NamedTuple, Generic[_W, _O]):
    """An order that a worker has: a new ticket for each attempt."""

    ticket: int
    order: _O
    worker: _W


class Verdict(NamedTuple, Generic[_O]):
    """An order that killed too many workers: it is settled, without an answer.

    Attributes:
        order: the order.
        entry: which entry of it.
    """

    order: _O
    entry: int


@dataclass
class Counts:
    """What has happened so far; views, not orders.

    Attributes:
        done: answered, and somebody waited.
        retried: given to another worker, as the first one died.
        quarantined: given up.
        cancelled: nobody waited any more.
        deaths: workers that died with orders.
    """

    done: int = 0
    retried: int = 0
    quarantined: int = 0
    cancelled: int = 0
    deaths: int = 0


class Scheduler(Generic[_W, _O]):
    """Shares orders out among workers.

    Args:
        depth: how many orders a worker holds at once; more urgent and idle ones come on top.
        max_kills: how many workers an order may kill before it is given up.
    """

    def __init__(self, depth: int, max_kills: int) -> None:
        self.counts = Counts()
        self.orders: dict[_O, None] = {}
        self._depth = depth
        self._max_kills = max_kills
        self._queue: list[tuple[int, int, int, _O]] = []
        self._leases: dict[_W, dict[int, Lease[_W, _O]]] = {}
        self._open: set[_W] = set()
        self._sequence = 0
        self._ticket = 0
        self._pushed = 0
        self._vain = 0
        self._mixed = False  # whether any order was not as usual: urgency, or several answers

    @property
    def waiting(self) -> bool:
        """Whether any order has no worker."""
        return self._head() is not None

    @property
    def in_flight(self) -> int:
        """How many views the workers have."""
        return sum(lease.order.weight for each in self._leases.values() for lease in each.values())

    def queued(self) -> int:
        """How many views wait."""
        return sum(order.weight for order in self.orders if order.lease is None)

    def submit(self, order: _O) -> None:
        """Take an order; one that is here already stays as it is."""
        if order.sequence >= 0:
            return
        self._mixed = self._mixed or bool(order.priority) or order.several
        self.orders[order] = None  # first of all: whatever comes between, it is not lost
        self._number(order)
        self._push(order)

    def add_worker(self, worker: _W) -> None:
        """A worker takes orders from now on."""
        self._leases.setdefault(worker, {})
        self._open.add(worker)

    def stop_worker(self, worker: _W) -> None:
        """A worker gets no more orders; those that it has it may still answer."""
        self._open.discard(worker)

    def leases(self, worker: _W) -> Sequence[Lease[_W, _O]]:
        """What a worker has, the oldest first."""
        return tuple(self._leases.get(worker, {}).values())

    def urgency(self, worker: _W) -> int:
        """The highest priority of what a worker has; 0 for nothing."""
        leases = self._leases.get(worker)
        if not self._mixed or not leases:
            return 0
        return max(lease.order.priority for lease in leases.values())

    def assign(self) -> Lease[_W, _O] | None:
        """Lease[_W, _O] the most urgent order to the worker with the fewest; None if none has room.

        Only what is at least as urgent takes up room, so a long batch holds up nothing urgent; and
        nothing that waits for its reader, which may be for ever.
        """
        order = self._head()
        worker = None if order is None else self._freest(order.priority)
        if order is None or worker is None:
            return None
        self._ticket += 1
        lease = order.lease = Lease(self._ticket, order, worker)
        heapq.heappop(self._queue)
        self._leases[worker][lease.ticket] = lease
        return lease

    def lease(self, worker: _W, ticket: int) -> Lease[_W, _O] | None:
        """What a ticket stands for; None if the worker does not have it (any more)."""
        return self._leases.get(worker, {}).get(ticket)

    def settle(self, lease: Lease[_W, _O]) -> None:
        """The order is answered, or failed: it leaves the ledger."""
        if not lease.order.cancelled:
            self.counts.done += lease.order.weight
        self._vain = 0
        self._forget(lease.order)

    def replace(self, lease: Lease[_W, _O], rest: Sequence[_O]) -> None:
        """The order is done but for a rest, new orders, which are in the queue in its place."""
        self.counts.done += lease.order.weight - sum(order.weight for order in rest)
        self._vain = 0
        for order in rest:
            self._follow(lease.order, order)
        self._forget(lease.order)

    def cancel(self, order: _O) -> Lease[_W, _O] | None:
        """Nobody waits for an order. One that waits leaves the ledger; else its lease is told.

        To cancel it twice is as good as once.
        """
        if order not in self.orders:
            return None
        if not order.cancelled:
            order.cancelled = True
            self.counts.cancelled += order.weight
        if order.lease is None:
            self._forget(order)
            if len(self._queue) > len(self.orders) + max(len(self.orders), _MOST_STALE):
                self._queue = [each for each in self._queue if each[3] in self.orders]
                heapq.heapify(self._queue)
        return order.lease

    def remove_worker(
        self, worker: _W, begun: int, entry: int = 0, *, innocent: bool = False
    ) -> tuple[list[_O], list[Verdict[_O]]]:
        """A worker is dead: what it had goes back to the queue, except for what killed too many.

        Args:
            worker: the worker.
            begun: the ticket that it began last.
            entry: and the entry of that.
            innocent: nothing that it had is to blame.

        Returns:
            The orders that leave the ledger as nobody waits for them; and those that are given up.
        """
        self._open.discard(worker)
        leases = self._leases.pop(worker, {})
        self.counts.deaths += bool(leases)
        guilty = None if innocent else self._guilty(list(leases.values()), begun)
        dropped: list[_O] = []
        verdicts: list[Verdict[_O]] = []
        for lease in leases.values():
            order = lease.order
            if order.cancelled:
                self._forget(order)
                dropped.append(order)
            elif lease is guilty and order.blame(entry) >= self._max_kills:
                verdicts.append(Verdict(order, entry))
                self.counts.quarantined += 1
                for rest in order.without(entry):
                    self._follow(order, rest)
                self._forget(order)
            else:
                self.counts.retried += order.weight
                order.lease = None
                self._push(order)
        return dropped, verdicts

    def clear(self) -> Iterator[_O]:
        """All orders leave the ledger, each once the next one is asked for."""
        for order in self:
            yield order
            self._forget(order)
        self._queue.clear()

    def repair(self) -> None:
        """Make the queue and the lists of the workers anew, from what the orders themselves say."""
        self._queue = []
        self._open.intersection_update(self._leases)
        for leases in self._leases.values():
            leases.clear()
        for order in sorted(self.orders, key=lambda each: each.lease.ticket if each.lease else 0):
            lease = order.lease
            if lease is not None and lease.worker in self._leases:
                self._leases[lease.worker][lease.ticket] = lease
            else:
                order.lease = None
                self._number(order)
                self._push(order)

    def __iter__(self) -> Iterator[_O]:
        """The orders that are not settled."""
        return iter(tuple(self.orders))

    def _number(self, order: _O) -> None:
        if order.sequence < 0:
            self._sequence += 1
            order.sequence = self._sequence

    def _push(self, order: _O) -> None:
        self._pushed += 1  # so that orders themselves are never compared
        heapq.heappush(self._queue, (-order.priority, order.sequence, self._pushed, order))

    def _head(self) -> _O | None:
        """The next order; what was cancelled in the queue is still there, and goes now."""
        while self._queue and self._queue[0][3] not in self.orders:
            heapq.heappop(self._queue)
        return self._queue[0][3] if self._queue else None

    def _freest(self, priority: int) -> _W | None:
        best, least = None, (self._depth, 0)
        for worker in self._open:
            leases = self._leases[worker]
            ahead = len(leases)
            if self._mixed:
                orders = [lease.order for lease in leases.values()]
                ahead = sum(each.priority >= priority and not each.idle for each in orders)
            if (ahead, len(leases)) < least:
                best, least = worker, (ahead, len(leases))
        return best

    def _follow(self, order: _O, rest: _O) -> None:
        """Put the rest of an order where it was in the queue."""
        rest.priority, rest.sequence = order.priority, order.sequence
        self.orders[rest] = None
        self._push(rest)

    def _unlease(self, lease: Lease[_W, _O]) -> None:
        if lease.worker in self._leases:
            self._leases[lease.worker].pop(lease.ticket, None)
        lease.order.lease = None

    def _forget(self, order: _O) -> None:
        self.orders.pop(order, None)
        if order.lease is not None:
            self._unlease(order.lease)

    def _guilty(self, leases: Sequence[Lease[_W, _O]], begun: int) -> Lease[_W, _O] | None:
        """The order that was begun; nobody if none was, unless that goes on and on."""
        if not leases:
            return None
        guilty = next((lease for lease in leases if lease.ticket == begun), None)
        self._vain = 0 if guilty is not None else self._vain + 1
        return leases[0] if self._vain > MOST_VAIN else guilty
