"""Recordings that are resumed: only by the same run, and not over damage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

import heliograph as hg
import heliograph.torch as hgt
from heliograph.errors import InvalidValueError, RecordError
from heliograph.record import Recording, record
from heliograph.source import Outcome
from heliograph.view import View

SIZE = (16, 12)
MJCF = """<mujoco><worldbody><light pos="0 0 3"/><camera name="front" pos="0 -3 0"
xyaxes="1 0 0 0 0 1"/><geom name="ball" size="0.5"/></worldbody></mujoco>"""


def config(**keys: Any) -> dict[str, Any]:
    steps = {"jpeg": {"quality": {"uniform": [40, 90]}}}
    return {"randomizers": [{"type": "postprocess", "steps": steps, **keys}]}


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


class Counted:
    """A source that knows what it was asked for, and may stop in the middle of things."""

    def __init__(self, source: hg.Dataset, most: int = 1000) -> None:
        self.source, self.most, self.asked = source, most, list[int]()

    def __len__(self) -> int:
        return len(self.source)

    def describe(self) -> Any:
        return self.source.describe()

    def outcomes(self, positions: Any) -> Iterator[Outcome]:
        for outcome in self.source.outcomes(positions):
            if len(self.asked) == self.most:
                raise KeyboardInterrupt
            self.asked.append(outcome[0])
            yield outcome


def damage(path: Path, how: str) -> None:
    if how == "gone":
        path.unlink()
    elif how == "short":
        path.write_bytes(path.read_bytes()[:-600])
    else:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)


@pytest.mark.parametrize("how", ["gone", "short", "bit"])
@pytest.mark.parametrize("name", ["shard-000001.tar", "shard-000001.json", "shard-000003.tar"])
@pytest.mark.parametrize("stopped", [False, True])
def test_damaged_shards_are_drawn_again(
    tmp_path: Path, name: str, how: str, *, stopped: bool
) -> None:
    with hg.open("fake", size=SIZE) as renderer:
        dataset = hg.Dataset(renderer, 10)
        record(dataset, tmp_path / "whole", shard_size=2)
        if stopped:
            with pytest.raises(KeyboardInterrupt):
                record(Counted(dataset, 9), tmp_path / "cut", shard_size=2)
        else:
            record(dataset, tmp_path / "cut", shard_size=2)
        if not (tmp_path / "cut" / name).exists():
            return
        damage(tmp_path / "cut" / name, how)
        source = Counted(dataset)
        record(source, tmp_path / "cut", shard_size=2, resume=True)
    first = int(name[6:12]) * 2
    assert source.asked[:2] == [first, first + 1]
    assert stopped or len(source.asked) == 2
    assert digests(tmp_path / "cut") == digests(tmp_path / "whole")


def test_a_recording_with_damage_is_not_complete_until_it_is_mended(tmp_path: Path) -> None:
    with hg.open("fake", size=SIZE) as renderer:
        dataset = hg.Dataset(renderer, 6)
        record(dataset, tmp_path, shard_size=2)
        damage(tmp_path / "shard-000001.tar", "bit")
        with pytest.raises(KeyboardInterrupt):
            record(Counted(dataset, 1), tmp_path, shard_size=2, resume=True)
        with pytest.raises(RecordError, match="not finished"):
            Recording(tmp_path)
        assert len(record(dataset, tmp_path, shard_size=2, resume=True)) == 6
    Recording(tmp_path, verify=True)


def test_samples_one_after_another_mend_a_shard_if_there_are_enough(tmp_path: Path) -> None:
    with hg.open("fake", size=SIZE) as renderer:
        record(hg.samples(renderer, count=6), tmp_path, shard_size=2)
        before = digests(tmp_path)
        damage(tmp_path / "shard-000001.tar", "gone")
        few = islice(hg.samples(renderer, count=6), 3)
        with pytest.raises(RecordError, match=r"2 samples of shard-000001 are missing.*only 1 were given"):
            record(few, tmp_path, shard_size=2, resume=True)
        record(hg.samples(renderer, count=9**9), tmp_path, shard_size=2, resume=True)
    assert digests(tmp_path) == before


def test_a_run_is_not_resumed_with_another_randomization(tmp_path: Path) -> None:
    with (
        hg.open("fake", size=SIZE, randomize=config()) as renderer,
        pytest.raises(KeyboardInterrupt),
    ):
        record(Counted(hg.Dataset(renderer, 6), 3), tmp_path, shard_size=2)
    with (
        hg.open("fake", size=SIZE, randomize=config(probability={"jpeg": 0.5})) as renderer,
        pytest.raises(RecordError, match=r"another run \(source\.renderer\.randomize\.randomizers\.0\.prob"),
    ):
        record(hg.Dataset(renderer, 6), tmp_path, shard_size=2, resume=True)
    with hg.open("fake", size=SIZE) as renderer, pytest.raises(RecordError, match="randomize"):
        record(hg.Dataset(renderer, 6), tmp_path, shard_size=2, resume=True)
    with hg.open("fake", size=SIZE, randomize=config(), workers=1) as pool:
        assert len(record(hg.Dataset(pool, 6), tmp_path, shard_size=2, resume=True)) == 6


def test_a_run_is_not_resumed_with_other_options_of_the_engine(tmp_path: Path) -> None:
    with hg.open(MJCF, size=SIZE, msaa=4) as renderer:
        record(hg.Dataset(renderer, 2), tmp_path)
    with (
        hg.open(MJCF, size=SIZE) as renderer,
        pytest.raises(RecordError, match=r"renderer\.options\.msaa: expected 4, got None"),
    ):
        record(hg.Dataset(renderer, 2), tmp_path, resume=True)
    with hg.open(MJCF, size=SIZE, msaa=4, lod="auto") as renderer:
        assert len(record(hg.Dataset(renderer, 2), tmp_path, resume=True)) == 2


def test_renderers_tell_what_they_were_opened_with() -> None:
    with hg.open("fake", size=SIZE, randomize=config()) as renderer:
        told = dict(renderer.opened)
    assert told["engine"] == "fake"
    assert told["options"] == {"size": [16, 12]}
    assert told["randomize"]["randomizers"][0]["probability"] == {}
    assert json.loads(json.dumps(told)) == told
    with hg.open("fake", size=SIZE, randomize=config(), workers=1) as pool:
        assert pool.opened == told


def test_states_of_other_samples_are_refused() -> None:
    with hg.open("fake", size=SIZE, randomize=config()) as renderer:
        state = hgt.IterableDataset(renderer, 4).state_dict()
        hgt.IterableDataset(renderer, 4).load_state_dict(state)
        with pytest.raises(InvalidValueError, match="start differs"):
            hgt.IterableDataset(renderer, 4, start=4).load_state_dict(state)
        with pytest.raises(InvalidValueError, match="views differs"):
            hgt.IterableDataset(renderer, 4, passes=("depth",)).load_state_dict(state)
        with pytest.raises(InvalidValueError, match="expected a mapping"):
            hgt.IterableDataset(renderer, 4).load_state_dict({**state, "samples": None})
    with (
        hg.open("fake", size=SIZE) as renderer,
        pytest.raises(InvalidValueError, match="renderer differs"),
    ):
        hgt.IterableDataset(renderer, 4).load_state_dict(state)


def test_what_is_no_batch_is_an_error_of_ours() -> None:
    state = torch.zeros(2, 3, requires_grad=True)
    with hg.open("fake", size=SIZE) as renderer:
        wrong: Any
        for wrong, told in [
            ({"ball": [[0, 0, 0]], "seeds": None}, "'seed'"),
            ({"ball": [[0, 0, 0]], "seed": None}, "'seed'"),
            ({"seeds": [1], "passes": None}, "passes"),
            ({"seeds": [1], "passes": 5}, "passes"),
            ({"seeds": [1, 2], "ball": state}, "detach"),
        ]:
            with pytest.raises(InvalidValueError, match=told):
                renderer.render_batch(wrong)


@pytest.mark.parametrize("facts", [5, None, [1]])
def test_a_randomize_without_facts_is_an_error_of_ours(facts: Any) -> None:
    def wrong(view: View) -> Any:
        return view, facts

    with (
        hg.open("fake", size=SIZE) as renderer,
        pytest.raises(InvalidValueError, match="a View and a mapping"),
    ):
        list(hg.samples(renderer, count=1, randomize=wrong))
