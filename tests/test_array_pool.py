"""Memory kept for reuse: shared by all sizes, bounded, and given back in any thread at any time."""

import gc
import os
import threading

import numpy as np
import pytest

from heliograph import array_pool


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch) -> array_pool._Store:
    """A store that nothing was given back to yet."""
    fresh = array_pool._Store()
    monkeypatch.setattr(array_pool, "_store", fresh)
    return fresh


def use(nbytes: int) -> None:
    array_pool.empty((nbytes,), np.uint8)[:: 1 << 12] = 1


def test_pictures_of_all_sizes_share_memory(store: array_pool._Store) -> None:
    sizes = np.random.default_rng(0).integers(1 << 18, 4 << 20, 4000)
    for nbytes in sizes.tolist():
        use(nbytes)
    assert array_pool.pooled_bytes() < 48 << 20  # four sizes between a power of two and the next
    assert len(store._free) <= 17
    assert array_pool.pooled_bytes() == sum(n * len(free) for n, free in store._free.items())
    before = array_pool.pooled_bytes()
    use(640 * 480 * 4)
    assert array_pool.pooled_bytes() == before  # it came from there


def test_an_array_is_as_large_as_asked_for() -> None:
    for nbytes in ((1 << 18) + 1, (1 << 20) - 3, 3 << 19, 5_000_001):
        array = array_pool.empty((nbytes,), np.uint8)
        assert array.shape == (nbytes,)
        assert nbytes <= array_pool._rounded(nbytes) <= 1.25 * nbytes


def test_the_size_that_was_not_used_for_the_longest_goes_first(
    store: array_pool._Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(array_pool, "KEPT", 8 << 20)
    for megabytes in (1, 2, 4, 1, 2):
        use(megabytes << 20)
    assert [nbytes >> 20 for nbytes in store._free] == [4, 1, 2]
    use(3 << 20)
    assert [nbytes >> 20 for nbytes in store._free] == [1, 2, 3]
    use(9 << 20)  # more than may be kept
    assert array_pool.pooled_bytes() == 0
    assert not store._free


def test_memory_may_come_back_while_memory_is_taken_or_given(store: array_pool._Store) -> None:
    array = array_pool.empty((1 << 20,), np.uint8)
    with store._lock:  # as if this thread were at work there when garbage is collected
        del array
        assert array_pool.pooled_bytes() == 0
        assert array_pool.empty((1 << 20,), np.uint8).size == 1 << 20
    use(1 << 19)
    assert array_pool.pooled_bytes() == (1 << 19) + 2 * (1 << 20)


def test_a_lock_that_is_never_free_again_costs_only_reuse(store: array_pool._Store) -> None:
    store._lock.acquire()  # as in a process that was forked while another thread had it
    for _ in range(200):
        use(1 << 20)
    assert len(store._returned) <= array_pool._MOST_WAITING


def test_threads_and_the_garbage_collector_give_back_at_once(store: array_pool._Store) -> None:
    wrong: list[int] = []

    def work(number: int) -> None:
        rng = np.random.default_rng(number)
        for _ in range(400):
            array = array_pool.empty((int(rng.integers(1 << 18, 1 << 20)),), np.uint8)
            array[:: 1 << 12] = number
            ring: list[object] = [array]
            ring.append(ring)  # only the collector finds it
            if (array[:: 1 << 12] != number).any():
                wrong.append(number)

    threshold = gc.get_threshold()
    gc.set_threshold(20, 2, 2)
    try:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    use(1 << 20)  # what was still waiting is put away
    assert not wrong
    assert not store._returned
    assert array_pool.pooled_bytes() == sum(n * len(free) for n, free in store._free.items())
    assert array_pool.pooled_bytes() <= array_pool.KEPT


def test_a_forked_child_has_memory_as_well() -> None:
    use(1 << 20)
    child = os.fork()
    if not child:
        use(1 << 20)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
