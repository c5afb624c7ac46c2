"""Streams of a pool whose workers die, and whose readers rest."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import heliograph as hg
from altered_workers import MANY_SAMPLES, altered
from heliograph.engines.fake import FakeEngine
from heliograph.errors import WorkerError
from heliograph.frame import Sample
from heliograph.pool import Pool
from heliograph.pool.buffers import BufferPool
from heliograph.pool.jobs import DrawnBy, StreamOrder
from heliograph.transport.messages import Partial, Publish
from heliograph.transport.slots import Region
from heliograph.transport.status import StatusPage
from heliograph.worker.drawing import RenderExecutor

SIZE = {"size": (8, 8)}
WAIT = 40


class Stream:
    """An order for what is published, and a worker's answers to it."""

    def __init__(self, ahead: int) -> None:
        self.engine = FakeEngine("blank", size=SIZE["size"])
        self.buffers = BufferPool()
        drawn_by = DrawnBy(self.engine.provenance, self.engine.passes)
        self.order = StreamOrder(None, None, drawn_by, ahead)

    def answers(self, ticket: int) -> tuple[Publish, Iterator[Partial]]:
        """What a new worker is told, and what it answers."""
        message = self.order.message(ticket)
        assert isinstance(message, Publish)
        executor = RenderExecutor(self.engine, StatusPage(Region.create(-1, 1)))
        stream = executor.begin_stream(message)

        def draw() -> Iterator[Partial]:
            while True:
                answer = executor.step(stream)
                assert isinstance(answer, Partial)
                yield answer

        return message, draw()

    def hear(self, answer: Partial) -> object:
        """Hear an answer; what is to be done after the step."""
        return self.order.answer(answer, self.engine.labels, self.buffers).do

    def take(self, answer: Partial) -> None:
        do = self.hear(answer)
        assert callable(do)
        do()

    def samples(self) -> list[int]:
        """The indices of the samples that nobody took yet."""
        taken = [self.order.samples.get() for _ in range(self.order.samples.qsize())]
        assert all(isinstance(each, Sample) for each in taken)
        return [each.index for each in taken if isinstance(each, Sample)]


def test_what_a_dead_worker_published_last_does_not_hide_what_the_next_one_does() -> None:
    stream = Stream(ahead=64)
    _, first = stream.answers(1)
    late = [stream.hear(next(first)) for _ in range(5)]
    _, second = stream.answers(2)  # leased anew in the same step
    for do in late:
        assert callable(do)
        do()
    for _ in range(3):
        stream.take(next(second))
    assert stream.samples() == [0, 1, 2]


def test_a_slow_reader_has_no_more_ahead_however_often_workers_die() -> None:
    stream = Stream(ahead=4)
    for ticket, left in ((1, 4), (2, 1), (3, 0)):
        message, answers = stream.answers(ticket)
        assert message.credits == left
        for _ in range(min(3, left)):
            stream.take(next(answers))
    stream.order.samples.get()
    stream.order.taken()
    message, _ = stream.answers(4)
    assert message.credits == 1


def test_a_stream_goes_on_however_often_workers_die_in_its_life() -> None:
    with Pool("fake", "blank", 2, SIZE, max_kills=2) as pool:
        stream = pool.published()
        for _ in range(5):
            for _ in range(10):
                next(stream)
            for worker in pool.stats().workers:
                if worker.in_flight:
                    os.kill(worker.pid, signal.SIGKILL)
        assert pool.stats().quarantined == 0
        assert pool.stats().died >= 4


def test_a_stream_that_kills_before_it_shows_anything_is_given_up(tmp_path: Path) -> None:
    dies = """
def publish(self, cancel=None):
    yield from islice(iter(lambda: self.render(fake.View()), None), 0)
    os._exit(1)
FakeEngine.publish = publish
"""
    with Pool("fake", "blank", 1, SIZE, max_kills=2, launcher=altered(tmp_path, dies)) as pool:
        with pytest.raises(WorkerError, match="given up: 2 workers"):
            next(pool.published())
        assert pool.submit(hg.View()).result(WAIT).index == 0


def test_streams_that_nobody_reads_leave_room_for_views(tmp_path: Path) -> None:
    launcher = altered(tmp_path, MANY_SAMPLES)
    with Pool("fake", "blank", 1, SIZE, launcher=launcher) as pool:
        streams = [pool.refine(hg.View(index=index)) for index in range(4)]
        for stream in streams:
            next(stream)
        assert pool.submit(hg.View(index=9)).result(WAIT).index == 9
        assert [len(list(stream)) for stream in streams] == [14] * 4
