"""Streams as datasets, ordered streams, and what launched programs are told."""

import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from heliograph.errors import InvalidValueError, RecordError, WorkerError
from heliograph.publish import StreamDataset, StreamReader, Subscriber
from heliograph.publish.arguments import Arguments, parse_arguments
from heliograph.publish.framing import Message
from heliograph.publish.launcher import Launcher
from heliograph.publish.seeds import in_order, indices

STREAM = """
import os, numpy, itertools
from heliograph.publish import Publisher, indices, parse_arguments
told, (count, *_) = parse_arguments()
with Publisher(told.sockets["DATA"], instance=told.instance) as publisher:
    for index in indices(told.instance, told.instances, int(count) if int(count) else None):
        image = numpy.full((8, 8, 3), index % 256, numpy.uint8)
        publisher.publish(index=index, image=image, number=index, pid=os.getpid())
"""


def _launcher(instances: int, count: int) -> Launcher:
    """So many endless publishers, or of so many messages each."""
    return Launcher(
        lambda _, arguments: [sys.executable, "-c", STREAM, "--", *arguments],
        instances,
        sockets=["DATA"],
        arguments=[[str(count)]] * instances,
    )


@pytest.mark.parametrize(("workers", "count"), [(0, 7), (2, 7), (2, 16)])
def test_workers_share_the_count_without_losing_the_remainder(workers: int, count: int) -> None:
    with _launcher(2, 0) as launcher:
        dataset = StreamDataset(launcher.addresses["DATA"], count, timeout=60)
        loader: Any = DataLoader(dataset, batch_size=4, num_workers=workers)
        got = []
        for batch in loader:
            assert batch["image"].shape[1:] == (8, 8, 3)
            assert (batch["image"][:, 0, 0, 0] == batch["number"] % 256).all()
            got += batch["number"].tolist()
    assert len(got) == len(set(got)) == count


def test_a_stream_that_ends_ends_the_epoch(tmp_path: Path) -> None:
    with _launcher(2, 10) as launcher:
        dataset = StreamDataset(
            launcher.addresses["DATA"], item_transform=_number, timeout=60, record=tmp_path / "run"
        )
        loader: Any = DataLoader(dataset, batch_size=None, num_workers=2)
        got = [int(each) for each in loader]
        launcher.wait(60)
    assert sorted(got) == list(range(20))
    files = sorted(tmp_path.iterdir())
    assert [each.name for each in files] == ["run_00.stream", "run_01.stream"]
    kept: list[Any] = []
    for each in files:
        with StreamReader(each) as reader:
            kept += [message.index for message in reader]
    assert sorted(kept) == list(range(20))
    with pytest.raises(RecordError, match=r"there is .*run_00\.stream"):
        StreamDataset("tcp://127.0.0.1:5555", record=tmp_path / "run")


def _number(values: dict[str, Any]) -> int:
    return int(values["number"])


def test_a_death_reaches_whoever_trains() -> None:
    with _launcher(2, 0) as launcher:
        loader: Any = DataLoader(
            StreamDataset(launcher.addresses["DATA"], timeout=60), batch_size=2, num_workers=2
        )
        batches = iter(loader)
        next(batches)
        os.kill(launcher.info.pids[1], signal.SIGKILL)
        with pytest.raises(WorkerError, match=r"instance 1 of 2 .*was killed by SIGKILL"):
            _count(batches)
        del batches


def _count(items: Any) -> int:
    return sum(1 for _ in items)


def test_a_loop_that_is_left_early_leaves_nothing() -> None:
    with _launcher(1, 0) as launcher:
        for _ in range(2):
            dataset = StreamDataset(launcher.addresses["DATA"], timeout=60)
            for item in dataset:
                assert isinstance(item["image"], np.ndarray)
                break
        launcher.check()


@pytest.mark.parametrize("instances", [1, 2, 3])
def test_a_run_is_the_same_however_many_instances_draw(instances: int) -> None:
    with (
        _launcher(instances, 12 // instances) as launcher,
        Subscriber(launcher.addresses["DATA"], timeout=60) as subscriber,
    ):
        got = [(each.index, each["number"]) for each in in_order(subscriber)]
    assert got == [(index, index) for index in range(12)]


@given(st.permutations(range(20)), st.lists(st.integers(0, 19), max_size=5))
def test_any_order_is_put_in_order(order: list[int], again: list[int]) -> None:
    messages = [Message(index=index) for index in [*order, *again]]
    assert [each.index for each in in_order(messages)] == list(range(20))


def test_what_is_missing_in_an_order_is_named() -> None:
    messages = [Message(index=index) for index in range(50) if index != 7]
    with pytest.raises(WorkerError, match=r"index 7 did not come, and the stream has ended: \[8"):
        list(in_order(messages))
    got = in_order(messages, waiting=5)
    assert [next(got).index for _ in range(7)] == list(range(7))
    with pytest.raises(WorkerError, match="index 7 did not come, and 6 after it did"):
        next(got)
    with pytest.raises(InvalidValueError, match="publish\\(index="):
        list(in_order([Message(instance=3)]))


@given(st.integers(1, 9), st.integers(0, 30))
def test_instances_draw_each_index_once(instances: int, count: int) -> None:
    drawn = Counter(index for each in range(instances) for index in indices(each, instances, count))
    assert drawn == Counter(range(instances * count))


def test_indices_of_no_instance() -> None:
    with pytest.raises(InvalidValueError, match="instance: expected an integer from 0 to 1"):
        indices(2, 2)


def test_what_a_program_finds_on_its_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELIOGRAPH_INSTANCES", "4")
    told = ["-btid", "2", "-btseed", "12", "-btsockets", "A=tcp://h:1", "B=ipc:///x=y", "--own"]
    monkeypatch.setattr(sys, "argv", ["blender", "--background", "--", *told, "5"])
    expected = Arguments(2, 12, {"A": "tcp://h:1", "B": "ipc:///x=y"}, 4)
    assert parse_arguments() == (expected, ["--own", "5"])
    assert parse_arguments([*told[:6], "rest"]) == (
        Arguments(2, 12, {"A": "tcp://h:1"}, 4),
        ["rest"],
    )
    monkeypatch.delenv("HELIOGRAPH_INSTANCES")
    assert parse_arguments([]) == (Arguments(), [])
    with pytest.raises(InvalidValueError, match="-btid"):
        parse_arguments(["-btid", "x"])
