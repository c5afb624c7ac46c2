import gc
import random
import sys
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from heliograph.pool.scheduler import MOST_VAIN, Lease, Order, Scheduler, Verdict

Worker = str
Leased = Lease[Worker, Order]
PICKS = st.integers(0, 1 << 16)
WEIGHTS = st.sampled_from([1, 1, 1, 2, 5])


class Views(Order):
    """Some views, drawn in one go; once that killed a worker, one after the other."""

    def __init__(self, views: Sequence[int], priority: int = 0, *, alone: bool = False) -> None:
        self.views = tuple(views)
        self.weight = len(self.views)
        self.priority = priority
        self.alone = alone or self.weight == 1
        self.kills: Counter[int] = Counter()

    def blame(self, entry: int) -> int:
        if not self.alone:
            self.alone = True
            return 0
        self.kills[self.entry(entry)] += 1
        return self.kills[self.entry(entry)]

    def without(self, entry: int) -> Sequence[Order]:
        at = self.entry(entry)
        pieces = self.views[:at], self.views[at + 1 :]
        return [self.piece(each) for each in pieces if each]

    def piece(self, views: Sequence[int]) -> "Views":
        return Views(views, alone=True)

    def entry(self, entry: int) -> int:
        return entry if 0 <= entry < self.weight else 0


def one(view: int = 0, priority: int = 0) -> Views:
    return Views((view,), priority)


class SchedulerMachine(RuleBasedStateMachine):
    """A plain ledger beside the scheduler: whatever comes, both say the same."""

    made: type[Scheduler[Worker, Order]] = Scheduler

    @initialize(depth=st.integers(1, 3), max_kills=st.integers(1, 3))
    def begin(self, depth: int, max_kills: int) -> None:
        self.scheduler = self.made(depth, max_kills)
        self.depth = depth
        self.max_kills = max_kills
        self.waiting: list[Views] = []
        self.held: dict[Worker, list[Leased]] = {}
        self.open: set[Worker] = set()
        self.old: list[tuple[Worker, int]] = []
        self.settled: dict[int, str] = {}
        self.past: list[Views] = []
        self.age: dict[Order, int] = {}
        self.workers = self.views = self.vain = 0
        self.retried = self.deaths = 0
        self.add_worker()

    # Orders ------------------------------------------------------------------------------------

    @rule(
        orders=st.lists(st.tuples(st.integers(-1, 2), st.sampled_from([1, 1, 1, 2, 5])), min_size=1)
    )
    def submit(self, orders: list[tuple[int, int]]) -> None:
        for priority, weight in orders:
            self.submit_one(priority, weight)

    def submit_one(self, priority: int, weight: int) -> None:
        order = Views(range(self.views, self.views + weight), priority)
        self.views += weight
        self.scheduler.submit(order)
        self.wait(order, self.views)

    @precondition(lambda self: self.views)
    @rule(pick=PICKS)
    def submit_again(self, pick: int) -> None:
        self.scheduler.submit(self.any_order(pick))

    @precondition(lambda self: self.views)
    @rule(pick=PICKS)
    def cancel(self, pick: int) -> None:
        order = self.any_order(pick)
        lease = self.scheduler.cancel(order)
        if order in self.waiting:
            assert lease is None
            self.waiting.remove(order)
            self.settle(order, "cancelled")
        else:
            assert lease == next((e for e in self.all_leases() if e.order is order), None)
        assert order.cancelled or order in self.past

    @precondition(lambda self: len(self.known()) > 9)
    @rule()
    def clear(self) -> None:
        expected = self.known()
        orders = list(self.scheduler.clear())
        assert len(orders) == len(expected)
        assert set(orders) == expected
        self.waiting.clear()
        for leases in self.held.values():
            leases.clear()
        for order in expected:
            self.settle(order, "closed")

    # Workers -----------------------------------------------------------------------------------

    @rule()
    def add_worker(self) -> None:
        self.workers += 1
        worker = f"worker {self.workers}"
        self.scheduler.add_worker(worker)
        self.held[worker] = []
        self.open.add(worker)

    @precondition(lambda self: self.held)
    @rule(pick=PICKS)
    def stop_worker(self, pick: int) -> None:
        worker = self.worker(pick)
        self.scheduler.stop_worker(worker)
        self.open.discard(worker)

    @precondition(lambda self: self.held)
    @rule(pick=PICKS)
    def recycle(self, pick: int) -> None:
        self.add_worker()
        self.stop_worker(pick)
        worker = self.worker(pick)
        for lease in tuple(self.held[worker]):
            self.answer_one(lease)
        assert self.scheduler.remove_worker(worker, 0) == ([], [])
        del self.held[worker]

    @precondition(lambda self: self.held)
    @rule(pick=PICKS, begun=st.integers(-1, 3), entry=st.integers(-1, 5), innocent=st.booleans())
    def remove_worker(self, pick: int, begun: int, entry: int, innocent: bool) -> None:
        self.die(self.worker(pick), begun, entry, innocent=innocent)

    @precondition(lambda self: self.waiting)
    @rule(count=st.sampled_from([1, MOST_VAIN + 3]))
    def workers_die_in_vain(self, count: int) -> None:
        for _ in range(count):
            self.add_worker()
            self.assign()
            self.die(next(reversed(self.held)), -1, 0, innocent=False)

    def die(self, worker: Worker, begun: int, entry: int, *, innocent: bool) -> None:
        leases = self.held.pop(worker)
        self.open.discard(worker)
        self.deaths += bool(leases)
        self.old.extend((worker, each.ticket) for each in leases)
        guilty = None
        if leases and not innocent:
            guilty = leases[begun % len(leases)] if begun >= 0 else None
            self.vain = 0 if guilty else self.vain + 1
            if self.vain > MOST_VAIN:
                guilty = leases[0]
        blamed = guilty.order if guilty and not guilty.order.cancelled else None
        before = sum(blamed.kills.values()) if isinstance(blamed, Views) else 0
        alone = blamed is not None and blamed.alone  # type: ignore[attr-defined]
        ticket = leases[begun % len(leases)].ticket if leases and begun >= 0 else 0
        dropped, verdicts = self.scheduler.remove_worker(worker, ticket, entry, innocent=innocent)
        assert Counter(dropped) == Counter(e.order for e in leases if e.order.cancelled)
        known = {*self.known(), *(lease.order for lease in leases)}
        for lease in leases:
            order = lease.order
            assert isinstance(order, Views)
            if order.cancelled:
                self.settle(order, "cancelled")
                continue
            kills = sum(order.kills.values())
            if order is blamed:
                assert kills == before + alone
            if order is blamed and order.kills[order.entry(entry)] >= self.max_kills:
                assert verdicts == [Verdict(order, entry)]
                self.past.append(order)
                self.settled[order.views[order.entry(entry)]] = "given up"
                rests = [each for each in self.scheduler if each not in known]
                assert sorted(self.of(rests)) == sorted(
                    set(order.views) - {order.views[order.entry(entry)]}
                )
                for rest in rests:
                    self.wait(rest, self.age[order])
            else:
                assert all(each.order is not order for each in verdicts)
                self.retried += order.weight
                self.waiting.append(order)

    # Leases ------------------------------------------------------------------------------------

    @rule()
    def assign(self) -> None:
        while self.assigned():
            pass

    @rule()
    def assign_one(self) -> None:
        self.assigned()

    def assigned(self) -> bool:
        lease = self.scheduler.assign()
        if not self.waiting:
            assert lease is None
            return False
        urgent = max(each.priority for each in self.waiting)
        rooms = {each: self.room(each, urgent) for each in self.open}
        free = {each: room for each, room in rooms.items() if room[0] < self.depth}
        if not free:
            assert lease is None
            return False
        assert lease is not None
        order = lease.order
        assert order in self.waiting
        assert isinstance(order, Views)
        assert order.priority == urgent
        ages = [self.age[each] for each in self.waiting if each.priority == urgent]
        assert self.age[order] == min(ages)
        assert lease.worker in free
        assert isinstance(lease.worker, str)
        assert free[lease.worker] == min(free.values())
        assert lease.ticket > max((each.ticket for each in self.all_leases()), default=0)
        assert order.lease is not None
        assert order.lease.ticket == lease.ticket
        self.waiting.remove(order)
        self.held[lease.worker].append(lease)
        return True

    @precondition(lambda self: self.all_leases())
    @rule(pick=PICKS)
    def answer(self, pick: int) -> None:
        leases = self.all_leases()
        self.answer_one(leases[pick % len(leases)])

    def answer_one(self, lease: Leased) -> None:
        assert isinstance(lease.worker, str)
        assert isinstance(lease.order, Views)
        assert self.scheduler.lease(lease.worker, lease.ticket) == lease
        self.scheduler.settle(lease)
        self.vain = 0
        self.drop(lease)
        self.settle(lease.order, "cancelled" if lease.order.cancelled else "answered")

    @rule(pick=PICKS)
    def answer_what_is_not_held(self, pick: int) -> None:
        stale = [*self.old, ("nobody", 1)]
        stale += [(each, 1 << 40) for each in self.held]
        stale += [
            (worker, lease.ticket)
            for lease in self.all_leases()
            for worker in self.held
            if worker != lease.worker
        ]
        assert self.scheduler.lease(*stale[pick % len(stale)]) is None

    @precondition(lambda self: self.all_leases())
    @rule(pick=PICKS, done=PICKS)
    def answer_a_part(self, pick: int, done: int) -> None:
        leases = [
            each for each in self.all_leases() if each.order.weight > 1 and not each.order.cancelled
        ]
        if not leases:
            return
        lease = leases[pick % len(leases)]
        order = lease.order
        assert isinstance(order, Views)
        done %= order.weight
        rest = order.piece(order.views[done:])
        self.scheduler.replace(lease, [rest])
        self.vain = 0
        assert rest.priority == order.priority
        self.drop(lease)
        self.past.append(order)
        self.settled.update(dict.fromkeys(order.views[:done], "answered"))
        self.wait(rest, self.age[order])

    # Interrupts --------------------------------------------------------------------------------

    @rule(seed=st.integers(0, 1 << 32))
    def repair_what_an_interrupt_left(self, seed: int) -> None:
        chance, scheduler = random.Random(seed), self.scheduler
        queue, leases = scheduler._queue, scheduler._leases
        damages: list[Callable[[], object]] = [
            queue.clear,
            lambda: chance.shuffle(queue),
            lambda: queue.extend(queue[:2]),
            lambda: queue and queue.pop(chance.randrange(len(queue))),
            lambda: [each.popitem() for each in leases.values() for _ in tuple(each)],
            lambda: [each.popitem() for each in leases.values() if each],
            lambda: [each.update({-1: Lease(-1, one(), "nobody")}) for each in leases.values()],
            lambda: scheduler._open.add("nobody"),
        ]
        for damage in chance.sample(damages, chance.randrange(len(damages))):
            damage()
        scheduler.repair()

    # What always holds -------------------------------------------------------------------------

    @invariant()
    def every_order_is_in_one_place(self) -> None:
        orders = list(self.scheduler)
        assert len(orders) == len(set(orders))
        assert set(orders) == self.known()
        assert all(order.lease is None for order in (*self.waiting, *self.past))
        for worker, leases in self.held.items():
            assert list(self.scheduler.leases(worker)) == leases
        views = [*self.of(orders), *self.settled]
        assert sorted(views) == list(range(self.views))

    @invariant()
    def nobody_has_too_much(self) -> None:
        for worker, leases in self.held.items():
            if leases:
                assert self.room(worker, leases[-1].order.priority)[0] <= self.depth
            urgency = max((lease.order.priority for lease in leases), default=0)
            assert self.scheduler.urgency(worker) == urgency

    @invariant()
    def counts_add_up(self) -> None:
        counts, fates = self.scheduler.counts, Counter(self.settled.values())
        leased = [lease.order for lease in self.all_leases()]
        late = sum(order.weight for order in leased if order.cancelled)
        assert self.scheduler.in_flight == sum(order.weight for order in leased)
        assert self.scheduler.queued() == sum(order.weight for order in self.waiting)
        assert counts.done == fates["answered"]
        assert counts.quarantined == fates["given up"]
        assert counts.cancelled == fates["cancelled"] + late
        assert (counts.retried, counts.deaths) == (self.retried, self.deaths)

    def wait(self, order: Order, age: int) -> None:
        assert isinstance(order, Views)
        self.waiting.append(order)
        self.age[order] = age

    def settle(self, order: Views, fate: str) -> None:
        assert not self.settled.keys() & set(order.views)
        self.settled.update(dict.fromkeys(order.views, "cancelled" if order.cancelled else fate))
        self.past.append(order)

    def drop(self, lease: Leased) -> None:
        assert isinstance(lease.worker, str)
        self.held[lease.worker].remove(lease)
        self.old.append((lease.worker, lease.ticket))

    def any_order(self, pick: int) -> Views:
        orders = [*self.past, *self.waiting, *(lease.order for lease in self.all_leases())]
        return orders[pick % len(orders)]  # type: ignore[return-value]

    def worker(self, pick: int) -> Worker:
        return list(self.held)[pick % len(self.held)]

    def all_leases(self) -> list[Leased]:
        return [lease for leases in self.held.values() for lease in leases]

    def known(self) -> set[Views]:
        return {*self.waiting, *(lease.order for lease in self.all_leases())}  # type: ignore[arg-type]

    def room(self, worker: Worker, priority: int) -> tuple[int, int]:
        leases = self.held[worker]
        return sum(lease.order.priority >= priority for lease in leases), len(leases)

    def of(self, orders: Sequence[Order]) -> list[int]:
        return [view for order in orders for view in order.views]  # type: ignore[attr-defined]


SOME = settings(
    max_examples=300,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def test_every_order_is_settled_exactly_once_whatever_comes() -> None:
    run_state_machine_as_test(SchedulerMachine, settings=SOME)


class KeepsSettledLeases(Scheduler[Worker, Order]):
    def settle(self, lease: Leased) -> None:
        self.counts.done += 0 if lease.order.cancelled else lease.order.weight
        self._vain = 0
        self.orders.pop(lease.order)


class LosesAnOrderOfTheDead(Scheduler[Worker, Order]):
    def remove_worker(self, worker: Worker, *args: Any, **kwargs: Any) -> Any:
        leases = self._leases.get(worker, {})
        if len(leases) > 1:
            self._forget(leases.popitem()[1].order)
        return super().remove_worker(worker, *args, **kwargs)


class GivesTooMuch(Scheduler[Worker, Order]):
    def _freest(self, priority: int) -> Worker | None:
        return super()._freest(priority) or next(iter(self._open), None)


class ForgetsWhatIsLeased(Scheduler[Worker, Order]):
    def repair(self) -> None:
        for order in self:
            order.lease = None
        super().repair()


class KeepsWhatIsCancelled(Scheduler[Worker, Order]):
    def cancel(self, order: Order) -> Leased | None:
        if order.cancelled or order not in self.orders:
            return None
        order.cancelled = True
        self.counts.cancelled += order.weight
        return order.lease


class BlamesTheInnocent(Scheduler[Worker, Order]):
    def _guilty(self, leases: Sequence[Leased], begun: int) -> Leased | None:
        return super()._guilty(leases, begun) or (leases[0] if leases else None)


class AnswersToAnybody(Scheduler[Worker, Order]):
    def lease(self, worker: Worker, ticket: int) -> Leased | None:
        found = (leases.get(ticket) for leases in self._leases.values())
        return next((each for each in found if each is not None), None)


@pytest.mark.parametrize(
    "wrong",
    [
        KeepsSettledLeases,
        LosesAnOrderOfTheDead,
        GivesTooMuch,
        ForgetsWhatIsLeased,
        KeepsWhatIsCancelled,
        BlamesTheInnocent,
        AnswersToAnybody,
    ],
)
def test_the_machine_finds_what_is_wrong(wrong: type[Scheduler[Worker, Order]]) -> None:
    machine = type("Sabotaged", (SchedulerMachine,), {"made": wrong})
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            machine,
            settings=settings(
                SOME, phases=[Phase.generate], derandomize=True, report_multiple_bugs=False
            ),
        )


def leased(scheduler: Scheduler[Worker, Order]) -> Leased:
    lease = scheduler.assign()
    assert lease is not None
    return lease


def test_what_is_urgent_goes_on_top_of_a_full_worker() -> None:
    scheduler: Scheduler[Worker, Order] = Scheduler(depth=2, max_kills=3)
    scheduler.add_worker("a")
    for i in range(3):
        scheduler.submit(one(i))
    for _ in range(2):
        leased(scheduler)
    assert scheduler.assign() is None
    assert scheduler.waiting
    urgent, less = one(3, priority=9), one(4, priority=-1)
    scheduler.submit(less)
    scheduler.submit(urgent)
    assert leased(scheduler).order is urgent
    assert scheduler.urgency("a") == 9
    assert scheduler.assign() is None


def test_nobody_is_blamed_for_a_while_where_nothing_was_begun() -> None:
    scheduler: Scheduler[Worker, Order] = Scheduler(depth=2, max_kills=2)
    first, second = one(0), one(1)
    scheduler.submit(first)
    scheduler.submit(second)
    for i in range(MOST_VAIN + 1):
        scheduler.add_worker(f"{i}")
        assert (leased(scheduler).order, leased(scheduler).order) == (first, second)
        assert scheduler.remove_worker(f"{i}", 0) == ([], [])
    assert (first.kills[0], second.kills[0]) == (1, 0)
    scheduler.add_worker("last")
    leased(scheduler)
    leased(scheduler)
    assert scheduler.remove_worker("last", 0) == ([], [Verdict(first, 0)])
    assert list(scheduler) == [second]
    assert scheduler.counts.quarantined == 1


@pytest.mark.parametrize("answered", [False, True])
def test_one_answer_or_one_that_was_begun_ends_a_row_of_deaths_in_vain(answered: bool) -> None:
    scheduler: Scheduler[Worker, Order] = Scheduler(depth=2, max_kills=MOST_VAIN)
    orders = [one(0), one(1)]
    for i in range(2 * MOST_VAIN - 1):
        scheduler.add_worker(f"{i}")
        for order in orders:
            scheduler.submit(order)
        leases = [leased(scheduler), leased(scheduler)]
        begun = leases[1].ticket if i == MOST_VAIN - 1 and not answered else 0
        if i == MOST_VAIN - 1 and answered:
            scheduler.settle(leases[1])
            orders[1] = one(1)
        scheduler.remove_worker(f"{i}", begun)
    assert orders[0].kills[0] == 0
    assert orders[1].kills[0] == (not answered)


def test_what_is_cancelled_does_not_pile_up_behind_what_waits() -> None:
    scheduler: Scheduler[Worker, Order] = Scheduler(depth=1, max_kills=3)
    scheduler.submit(one(0, priority=1))  # nobody is there to take it, and it is first in the queue
    kept = [one(i) for i in range(20)]
    gone = []
    for i in range(5000):
        order = one(i)
        scheduler.submit(order)
        if i % 250 == 0:
            scheduler.submit(kept[i // 250])
        gone.append(weakref.ref(order))
        scheduler.cancel(order)
        del order
        if i % 500 == 499:
            gc.collect()
            assert sum(each() is not None for each in gone) < 200
    scheduler.add_worker("a")
    drawn = []
    for _ in range(21):
        lease = leased(scheduler)
        drawn.append(lease.order)
        scheduler.settle(lease)
    assert drawn[1:] == kept
    assert not scheduler.waiting


def test_a_cancelled_order_is_told_of_as_long_as_a_worker_has_it() -> None:
    scheduler: Scheduler[Worker, Order] = Scheduler(depth=1, max_kills=3)
    scheduler.add_worker("a")
    order = one()
    scheduler.submit(order)
    lease = leased(scheduler)
    assert scheduler.cancel(order) == scheduler.cancel(order) == lease
    scheduler.settle(lease)
    assert scheduler.cancel(order) is None
    assert (scheduler.counts.cancelled, scheduler.counts.done) == (1, 0)


class Interrupted(BaseException):
    """Like Ctrl-C, which may come between any two instructions."""


class Interrupter:
    """Interrupts this thread before the n-th line that it runs of the scheduler."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self, frame: FrameType, event: str, argument: object) -> "Interrupter | None":
        if not frame.f_code.co_filename.endswith("pool/scheduler.py"):
            return None
        self.left -= event == "line"
        if not self.left:
            self.left = -1
            raise Interrupted
        return self


def interrupted(at: int, act: Callable[[], object]) -> bool:
    """Whether an interrupt came before it was through."""
    before = sys.gettrace()
    sys.settrace(Interrupter(at))
    try:
        act()
    except Interrupted:
        return True
    finally:
        sys.settrace(before)
    return False


Act = Callable[[Scheduler[Worker, Order], list[Views]], object]
ACTS: dict[str, Act] = {
    "submit": lambda scheduler, orders: scheduler.submit(orders[-1]),
    "assign": lambda scheduler, _: scheduler.assign(),
    "remove_worker": lambda scheduler, _: scheduler.remove_worker("a", 1),
}


def at_every_line(act: Act) -> Iterator[tuple[Scheduler[Worker, Order], list[Views]]]:
    """Interrupt an act before every line in turn, and repair what that leaves."""
    for at in range(1, 1000):
        scheduler: Scheduler[Worker, Order] = Scheduler(depth=2, max_kills=3)
        orders = [one(i) for i in range(5)]
        scheduler.add_worker("a")
        for order in orders[:-1]:
            scheduler.submit(order)
        first = leased(scheduler).order, leased(scheduler).order
        assert first == tuple(orders[:2])
        if not interrupted(at, lambda s=scheduler, o=orders: act(s, o)):  # type: ignore[misc]
            return
        scheduler.repair()
        yield scheduler, orders
    raise AssertionError("it never came to its end")


def drawn(scheduler: Scheduler[Worker, Order]) -> list[Order]:
    """What another worker draws once the first one is gone."""
    scheduler.remove_worker("a", 0, innocent=True)
    scheduler.add_worker("b")
    orders = []
    while (lease := scheduler.assign()) is not None:
        orders.append(lease.order)
        scheduler.settle(lease)
    return orders


@pytest.mark.parametrize("act", ACTS)
def test_an_interrupt_at_any_line_loses_no_order(act: str) -> None:
    for scheduler, orders in at_every_line(ACTS[act]):
        scheduler.submit(orders[-1])
        assert drawn(scheduler) == orders


def test_an_interrupt_at_any_line_of_a_cancellation_can_be_made_good() -> None:
    for at in (0, 3):  # with a worker, in the queue
        for scheduler, orders in at_every_line(lambda s, o, at=at: s.cancel(o[at])):  # type: ignore[misc]
            scheduler.cancel(orders[at])
            assert orders[at].cancelled
            assert drawn(scheduler) == [e for e in orders[:-1] if not e.cancelled]
            assert scheduler.counts.cancelled <= 1


def test_an_interrupt_at_any_line_hides_no_order_from_who_clears() -> None:
    told: list[Order] = []
    for scheduler, orders in at_every_line(lambda s, _: told.extend(s.clear())):
        told.extend(scheduler.clear())
        assert set(told) == set(orders[:-1])
        assert drawn(scheduler) == []
        told.clear()
