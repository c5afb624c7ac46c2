import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any

import numpy as np
import pytest

import heliograph as hg
from heliograph.pool import Pool
from heliograph.pool.futures import PoolFuture
from heliograph.pool.jobs import SampleOrder

SIZE = {"size": (32, 24)}


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def cancelled_as_it_begins(future: Future[Any]) -> None:
    """Cancel a future that a worker begins at this very moment, so that it cannot be seen yet."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(PoolFuture, "running", lambda _: False)
        assert future.cancel()


def test_who_waits_is_told_of_what_was_cancelled_as_it_began() -> None:
    with Pool("fake", "blank", 1, SIZE) as pool:
        future = pool.submit(hg.View(state={"sleep": 1}))
        eventually(future.running)
        cancelled_as_it_begins(future)
        assert wait([future], timeout=10).done == {future}
        assert pool.stats().done == 0
        assert pool.stats().cancelled == 1


def test_the_rest_of_a_cancelled_batch_is_not_drawn() -> None:
    with Pool("fake", "blank", 1, SIZE) as pool:
        future = pool.submit_batch({"seed": 0, "index": np.arange(64), "sleep": np.full(64, 0.05)})
        eventually(future.running)
        cancelled_as_it_begins(future)
        pool.submit(hg.View(), priority=1).result(10)  # it comes between two entries
        assert wait([future], timeout=10).done == {future}
        eventually(lambda: pool.stats().in_flight == 0)
        assert pool.stats().done < 33
        assert pool.stats().queued == 0


def test_memory_of_a_view_that_was_cancelled_twice_goes_to_nobody_before_its_worker_answers() -> (
    None
):
    with Pool("fake", "blank", 1, SIZE) as pool:
        slow = pool.submit(hg.View(state={"sleep": 60}))
        eventually(slow.running)
        cancelled_as_it_begins(slow)
        cancelled_as_it_begins(slow)
        pool.submit(hg.View())
        regions = [order.region for order in pool._scheduler if isinstance(order, SampleOrder)]
        assert len({region.id for region in regions if region is not None}) == 2
