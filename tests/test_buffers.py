import gc
import mmap
import os
import threading
import weakref
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import heliograph as hg
from heliograph.errors import WorkerError
from heliograph.frame import Provenance
from heliograph.passes import DEPTH, RGB, specs
from heliograph.pool.buffers import (
    KEPT,
    MOST_KEPT,
    MOST_LENT,
    SMALLEST,
    Block,
    Blocks,
    BufferPool,
    size_class,
)
from heliograph.pool.futures import PoolFuture
from heliograph.pool.jobs import DrawnBy, SampleOrder
from heliograph.transport.layout import lay_out
from heliograph.transport.messages import Done, Used
from heliograph.transport.slots import Region
from heliograph.transport.values import Blobs, pack_camera
from heliograph.transport.views import pack_view

CAMERA = hg.Camera.look_at(eye=(1, 2, 3), target=(0, 0, 0), fov_y=0.8, width=8, height=4, name="a")


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@given(st.one_of(st.integers(0, 1 << 40), st.sampled_from([SMALLEST - 1, SMALLEST, SMALLEST + 1])))
def test_size_classes_hold_what_they_are_for(nbytes: int) -> None:
    size = size_class(nbytes)
    assert nbytes <= size <= max(SMALLEST, nbytes * 3 // 2)
    assert size_class(size) == size
    assert size % mmap.PAGESIZE == 0  # or a region would be larger than its class, and never reused


def test_memory_is_shared_sealed_and_used_again() -> None:
    buffers = BufferPool()
    one = buffers.take(100_000)
    assert one.nbytes == size_class(100_000)
    other = Region.attach(one.id, one.nbytes, os.dup(one.descriptor))
    one.memory[5] = 77
    assert other.memory[5] == 77
    with pytest.raises(OSError, match="not permitted"):
        os.ftruncate(one.descriptor, 10)
    assert buffers.take(100_000) is not one
    buffers.give(one)
    assert buffers.take(99_000) is one
    assert buffers.trim() == []
    buffers.close()


def test_what_came_back_last_is_taken_first() -> None:
    buffers = BufferPool()
    three = [buffers.take(1) for _ in range(3)]
    for each in (three[1], three[2], three[0]):
        buffers.give(each)
    assert [buffers.take(1).id for _ in range(4)] == [0, 2, 1, 3]
    buffers.close()


def test_no_more_is_kept_than_is_allowed() -> None:
    buffers = BufferPool()
    big = [buffers.take(KEPT // 2) for _ in range(3)]
    for each in big:
        buffers.give(each)
    assert buffers.trim() == [big[0].id]
    small = [buffers.take(1) for _ in range(MOST_KEPT + 5)]
    for each in small:
        buffers.give(each)
    assert buffers.trim() == [each.id for each in (*big[1:], *small[:5])]
    assert buffers.trim() == []
    assert big[0].descriptor == small[0].descriptor == -1
    buffers.close()


def test_what_is_larger_than_all_that_is_kept_serves_again() -> None:
    buffers = BufferPool()
    for _ in range(3):
        big = buffers.take(KEPT + 1)
        buffers.give(big)
        assert buffers.take(KEPT + 1) is big
        buffers.give(big)
    other = buffers.take(1)
    buffers.give(other)
    another = buffers.take(2 * KEPT)
    buffers.give(another)
    assert buffers.trim() == [big.id, other.id]
    buffers.close()


def test_sizes_that_vary_between_two_looks_cost_no_descriptors() -> None:
    gc.collect()
    before = descriptors()
    buffers = BufferPool()
    for power in range(17, 31):
        pieces = [buffers.take(size) for size in (1 << power, 3 << power - 1) for _ in range(3)]
        for each in pieces:
            buffers.give(each)
    del pieces, each
    assert descriptors() <= before + 2 * (6 + MOST_KEPT)
    buffers.close()


@given(st.lists(st.tuples(st.integers(1, 1 << 31), st.integers(0, 7), st.booleans()), max_size=200))
@settings(max_examples=30, deadline=None)
def test_however_sizes_vary_descriptors_are_bounded(steps: list[tuple[int, int, bool]]) -> None:
    gc.collect()
    before = descriptors()
    buffers, used, dropped = BufferPool(), dict[int, Region](), set[int]()
    for nbytes, place, trim in steps:
        old = used.pop(place, None)
        if old is not None:
            buffers.give(old)
        used[place] = region = buffers.take(nbytes)
        assert region.nbytes == size_class(nbytes)
        assert len({each.id for each in used.values()}) == len(used)
        # Each has one of its own, and one of its mapping.
        assert descriptors() <= before + 2 * (len(used) + MOST_KEPT)
        if trim:
            gone = buffers.trim()
            assert not dropped.intersection(gone)
            dropped.update(gone)
        assert not dropped.intersection(each.id for each in used.values())
        assert all(each.descriptor >= 0 for each in used.values())
        del region
    used.clear()
    old = None
    buffers.close()
    assert descriptors() == before


def test_memory_that_is_given_twice_goes_to_one_only() -> None:
    buffers = BufferPool()
    region = buffers.take(1)
    buffers.give(region)
    buffers.give(region)
    assert buffers.take(1) is region
    assert buffers.take(1) is not region
    buffers.close()


def test_memory_is_lent_until_the_last_array_is_gone() -> None:
    buffers = BufferPool()
    region = buffers.take(1)
    root: Any = np.frombuffer(region.memory, np.uint8)
    assert buffers.lend(root, region)
    part = root[10:20].reshape(2, 5)
    del root
    assert buffers.take(1) is not region
    del part
    assert buffers.take(1) is region
    buffers.close()


def test_no_more_is_lent_than_there_are_descriptors_for() -> None:
    buffers = BufferPool()
    lent = []
    for _ in range(MOST_LENT):
        region = buffers.take(1)
        root = np.frombuffer(region.memory, np.uint8)
        assert buffers.lend(root, region)
        lent.append(root)
    last = buffers.take(1)
    root = np.frombuffer(last.memory, np.uint8)
    assert not buffers.lend(root, last)
    lent.pop()
    assert buffers.lend(root, last)
    buffers.close()


def test_what_the_caller_holds_outlives_the_pool() -> None:
    gc.collect()
    before = descriptors()
    buffers = BufferPool()
    region = buffers.take(1)
    root = np.frombuffer(region.memory, np.uint8)
    buffers.lend(root, region)
    buffers.give(buffers.take(1))
    buffers.close()
    root[0] = 5
    assert root[0] == 5
    del root, region
    gc.collect()
    assert descriptors() == before


class Cycle:
    """Gives memory back while garbage is collected."""

    def __init__(self, buffers: BufferPool, region: Region) -> None:
        self.me = self
        weakref.finalize(self, buffers.give, region)


def test_memory_may_come_back_while_garbage_is_collected() -> None:
    buffers = BufferPool()
    threshold = gc.get_threshold()
    gc.set_threshold(1)  # it is collected all the time, also in the middle of `take`
    try:
        for _ in range(2000):
            Cycle(buffers, buffers.take(1))
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    ids = {buffers.take(1).id for _ in range(50)}
    assert len(ids) == 50
    assert min(ids) < 2000  # some were used again
    buffers.close()


def test_many_threads_may_give() -> None:
    buffers = BufferPool()
    regions = [buffers.take(1) for _ in range(8 * 50)]

    def give(part: list[Region]) -> None:
        for each in part:
            buffers.give(each)

    threads = [threading.Thread(target=give, args=(regions[i::8],)) for i in range(8)]
    for thread in threads:
        thread.start()
    taken = [buffers.take(1) for _ in range(200)]
    for thread in threads:
        thread.join()
    taken += [buffers.take(1) for _ in range(600)]
    assert len({each.id for each in taken}) == len(taken)
    buffers.close()


def test_a_block_goes_back_once_nobody_looks_at_any_of_its_samples() -> None:
    buffers = BufferPool()
    layout = lay_out([CAMERA], specs(RGB, DEPTH), 3)
    block = Block(layout, 3)
    region = block.mapped(buffers)
    assert region is not None
    assert block.mapped(buffers) is region
    arrays = [block.arrays(place)[0] for place in range(3)]
    for place, each in enumerate(arrays):
        each["depth"][:] = place
    assert [each["depth"].shape for each in arrays] == [(4, 8)] * 3
    assert [each["depth"].max() for each in arrays] == [0, 1, 2]
    del block, each
    last = arrays[2]["rgb"]
    del arrays
    assert buffers.take(layout.nbytes) is not region
    del last
    assert buffers.take(layout.nbytes) is region
    buffers.close()


def test_there_is_no_block_where_too_much_is_lent() -> None:
    buffers = BufferPool()
    layout = lay_out([CAMERA], specs(RGB), 2)
    blocks = [Block(layout, 2) for _ in range(MOST_LENT + 1)]
    mapped = [block.mapped(buffers) for block in blocks]
    assert [each is None for each in mapped] == [False] * MOST_LENT + [True]
    del blocks[0]
    assert blocks[-1].mapped(buffers) is not None
    buffers.close()


def test_blocks_hand_out_their_places_and_begin_anew_for_another_layout() -> None:
    blocks = Blocks(3)
    one, other = lay_out([CAMERA], specs(RGB), 3), lay_out([CAMERA], specs(DEPTH), 3)
    places = [blocks.place(layout) for layout in (one, one, one, one, other, one, one)]
    assert [place for _, place in places] == [0, 1, 2, 0, 0, 0, 1]
    made = [block for block, _ in places]
    assert made[0] is made[1] is made[2]
    assert made[5] is made[6]
    assert len({id(block) for block in made}) == 4


class NoLoop:
    def run_until(self, done: Any, timeout: float | None = None) -> None: ...

    def cancel(self, target: Any) -> None: ...

    def read(self, look: Any) -> Any: ...

    elsewhere = False


def test_memory_of_an_answer_that_makes_no_sample_comes_back_once() -> None:
    buffers, view = BufferPool(), hg.View()
    large = CAMERA.resized(400, 300)
    drawn_by = DrawnBy(Provenance("fake", "none"), specs(RGB))
    cameras = [CAMERA.resized(200, 200)]
    layout = lay_out(cameras, specs(RGB))
    order = SampleOrder(view, (pack_view(view, {})[0], Blobs()), cameras, layout, drawn_by)
    taken: list[Region] = []

    def finished(_: Future[Any]) -> None:
        taken.append(buffers.take(layout.nbytes))

    future = order.bind(PoolFuture(NoLoop(), order, finished))
    order.prepare(buffers)
    order.finish(Done(1, Used([pack_camera(large)])), {}, buffers)
    assert isinstance(future.exception(), WorkerError)
    gc.collect()
    assert buffers.take(layout.nbytes) is not taken[0]
    buffers.close()
