"""Recordings that are resumed: only by the same run, and not over damage."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

import heliograph as hg
import heliograph.torch as hgt
from heliograph.errors import EngineError, HeliographError, InvalidValueError, RecordError
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


class Failing(Counted):
    """A source of which some samples fail, as others do by a deadline on a busy machine."""

    def __init__(self, source: hg.Dataset, *failing: int, most: int = 1000) -> None:
        super().__init__(source, most)
        self.failing = failing

    def outcomes(self, positions: Any) -> Iterator[Outcome]:
        for position, result in super().outcomes(positions):
            fails = position in self.failing
            yield position, EngineError(f"{position} failed") if fails else result


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
        with pytest.raises(
            RecordError, match=r"2 samples of shard-000001 are missing.*only 1 were given"
        ):
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
        pytest.raises(
            RecordError, match=r"another run \(source\.renderer\.randomize\.randomizers\.0\.prob"
        ),
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


FOREIGN = (
    *("shard-notes.txt", "shard-000009.tar.bak", "shard-00009.tar", "shard-0000009.tar", "shard-"),
    *("shard-000009", "shard-000009.tar.part.part", "xshard-000009.tar", "shard-000009.json5"),
    *(
        "movie.mp4.part",
        "shard-00000x.tar",
        "shard-\u0661\u0661\u0661\u0661\u0661\u0661.tar",
        ".part",
    ),
)
UNFINISHED = (
    *("shard-000002.tar", "shard-000002.json", "shard-000031.tar", "shard-1234567.tar"),
    *("shard-000000.tar.part", "shard-000002.json.part", "manifest.json.part"),
)


def test_only_unfinished_files_of_ours_are_removed(tmp_path: Path) -> None:
    run, outside = tmp_path / "run", tmp_path / "outside"
    outside.write_text("kept")
    with hg.open("fake", size=SIZE) as renderer:
        dataset = hg.Dataset(renderer, 4)
        record(dataset, run, shard_size=2)
        before = digests(run)
        for name in (*FOREIGN, *UNFINISHED):
            (run / name).write_text("x")
        (run / "shard-000007.tar").mkdir()
        (run / "shard-000008.tar").symlink_to(outside)
        (run / "shard-000008.json.part").symlink_to(outside)
        record(dataset, run, shard_size=2, resume=True)
    others = {*FOREIGN, "shard-000007.tar", "shard-000008.tar", "shard-000008.json.part"}
    assert {path.name for path in run.iterdir()} == before.keys() | others
    assert outside.read_text() == "kept"


@pytest.mark.parametrize("name", ["shard-000001.tar", "shard-000001.json", "shard-000001.tar.part"])
@pytest.mark.parametrize("what", ["link", "folder"])
def test_nothing_of_others_is_written_over(tmp_path: Path, name: str, what: str) -> None:
    outside = tmp_path / "outside"
    outside.write_text("kept")
    run = tmp_path / "run"
    with hg.open("fake", size=SIZE) as renderer:
        dataset = hg.Dataset(renderer, 4)
        with pytest.raises(KeyboardInterrupt):
            record(Counted(dataset, 3), run, shard_size=2)
        (run / name).mkdir() if what == "folder" else (run / name).symlink_to(outside)
        with pytest.raises(RecordError, match="link" if what == "link" else "Is a directory"):
            record(dataset, run, shard_size=2, resume=True)
        assert (run / name).is_symlink() if what == "link" else (run / name).is_dir()
        (run / name).unlink() if what == "link" else (run / name).rmdir()
        record(dataset, run, shard_size=2, resume=True)
    assert outside.read_text() == "kept"


def test_files_that_others_still_write_are_theirs(tmp_path: Path) -> None:
    (tmp_path / "movie.mp4.part").write_text("kept")
    with (
        hg.open("fake", size=SIZE) as renderer,
        pytest.raises(RecordError, match=r"holds 'movie\.mp4\.part' but no manifest\.json"),
    ):
        record(hg.Dataset(renderer, 2), tmp_path, resume=True)
    (tmp_path / "movie.mp4.part").rename(tmp_path / "manifest.json.part")  # of a killed process
    with hg.open("fake", size=SIZE) as renderer:
        assert len(record(hg.Dataset(renderer, 2), tmp_path, resume=True)) == 2


def test_the_manifest_says_what_decides_pixels(tmp_path: Path) -> None:
    with hg.open(MJCF, size=SIZE) as renderer:
        made = renderer.provenance
        found = record(hg.Dataset(renderer, 1), tmp_path).manifest
    assert found.source["drawn_by"] == {"engine": "mujoco", "device": made.device}
    assert made.device  # the GL driver's name for itself
    assert {"heliograph", "numpy", "mujoco", "moderngl"} <= found.versions.keys()
    assert "python" not in (tmp_path / "manifest.json").read_text().lower()


def test_a_run_is_not_resumed_with_other_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hg.open("fake", size=SIZE) as renderer:
        dataset = hg.Dataset(renderer, 4)
        with pytest.raises(KeyboardInterrupt):
            record(Counted(dataset, 2), tmp_path, shard_size=2)
        before, real = digests(tmp_path), importlib.metadata.version
        other = {"mujoco": "9.9.8", "numpy": "9.9.9"}
        monkeypatch.setattr(
            "heliograph.versions.version", lambda name: other.get(name) or real(name)
        )
        with pytest.raises(RecordError) as told:
            record(dataset, tmp_path, shard_size=2, resume=True)
        for name, here in other.items():
            assert f"versions.{name}: expected {real(name)!r}, got {here!r}" in str(told.value)
        assert digests(tmp_path) == before
        monkeypatch.setattr("heliograph.versions.version", real)
        assert len(record(dataset, tmp_path, shard_size=2, resume=True)) == 4


def test_a_run_is_not_resumed_on_another_device(tmp_path: Path) -> None:
    with hg.open("fake", size=SIZE) as renderer:
        dataset = hg.Dataset(renderer, 2)
        record(dataset, tmp_path)
        path = tmp_path / "manifest.json"
        path.write_text(path.read_text().replace(renderer.provenance.device, "Some GPU"))
        with pytest.raises(RecordError, match=r"drawn_by\.device: expected 'Some GPU', got 'numpy"):
            record(dataset, tmp_path, resume=True)


def test_a_recording_of_a_recording_keeps_what_decided_its_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hg.open("fake", size=SIZE) as renderer:
        first = record(hg.Dataset(renderer, 2), tmp_path / "a")
    monkeypatch.setattr("heliograph.versions.version", lambda name: "9")
    second = record(first, tmp_path / "b")
    third = record(second, tmp_path / "c")
    assert third.describe() == second.describe() == first.describe()
    assert third.describe()["versions"] == first.manifest.versions != third.manifest.versions


@pytest.mark.parametrize("size", [1, 3, 10])
def test_failed_samples_are_drawn_again_if_asked_for(tmp_path: Path, size: int) -> None:
    told: list[HeliographError] = []
    options: Any = {"shard_size": size, "on_error": told.append}
    with hg.open("fake", size=SIZE) as renderer:
        dataset = hg.Dataset(renderer, 10)
        record(dataset, tmp_path / "whole", shard_size=size)
        some = record(Failing(dataset, 0, 4, 5, 9), tmp_path / "run", **options)
        assert [failure.position for failure in some.failed] == [0, 4, 5, 9]
        source = Counted(dataset)
        record(source, tmp_path / "run", resume=True, **options)
        assert source.asked == []
        fewer = record(
            source := Failing(dataset, 5), tmp_path / "run", retry_failed=True, **options
        )
        assert source.asked == [0, 4, 5, 9]
        assert [sample.index for sample in fewer] == [i for i in range(10) if i != 5]
        fewer.verify()
        with pytest.raises(EngineError):  # what there is stays as it is
            record(Failing(dataset, 5), tmp_path / "run", shard_size=size, retry_failed=True)
        Recording(tmp_path / "run", verify=True)
        record(source := Counted(dataset), tmp_path / "run", retry_failed=True, **options)
        assert source.asked == [5]
        record(source := Counted(dataset), tmp_path / "run", retry_failed=True, **options)
        assert source.asked == []
    assert len(told) == 5
    assert digests(tmp_path / "run") == digests(tmp_path / "whole")


def test_failed_samples_of_damaged_shards_and_what_follows_are_drawn_in_order(
    tmp_path: Path,
) -> None:
    options: Any = {"shard_size": 3, "on_error": lambda error: None}
    with hg.open("fake", size=SIZE) as renderer:
        dataset = hg.Dataset(renderer, 30)
        record(dataset, tmp_path / "whole", shard_size=3)
        with pytest.raises(KeyboardInterrupt):
            record(Failing(dataset, 1, 5, 8, most=20), tmp_path / "cut", **options)
        damage(tmp_path / "cut" / "shard-000001.tar", "bit")
        record(source := Counted(dataset), tmp_path / "cut", retry_failed=True, **options)
    assert source.asked[:5] == [1, 3, 4, 5, 8]
    assert source.asked[5:] == list(range(source.asked[5], 30))
    assert digests(tmp_path / "cut") == digests(tmp_path / "whole")


SLOW = set[int]()


def may_hang(view: View) -> tuple[View, dict[str, Any]]:
    hangs = view.index in SLOW
    return View(state={"crash": 4 if hangs else 0}, seed=view.seed, index=view.index), {}


def test_a_sample_that_missed_a_deadline_is_drawn_again(tmp_path: Path) -> None:
    with hg.open("fake", size=SIZE) as renderer:
        whole = hg.Dataset(renderer, 6, randomize=may_hang)
        record(whole, tmp_path / "whole", shard_size=4)
    SLOW.add(2)
    try:
        with hg.open("fake", size=SIZE, workers=1, deadline=2.0, max_kills=1) as pool:
            dataset, failed = hg.Dataset(pool, 6, randomize=may_hang), list[HeliographError]()
            record(dataset, tmp_path / "run", shard_size=4, on_error=failed.append)
            assert [(type(error), error.index) for error in failed] == [(hg.WorkerError, 2)]
            SLOW.clear()
            record(dataset, tmp_path / "run", shard_size=4, retry_failed=True)
    finally:
        SLOW.clear()
    assert digests(tmp_path / "run") == digests(tmp_path / "whole")


KILLED = """
import os, shutil, signal, sys
import heliograph as hg
from heliograph.record import record
from heliograph.errors import EngineError

begun, work, failing = sys.argv[1], sys.argv[2], {1, 4}

class Source:
    def __init__(self, failing):
        self.failing = failing
        self.dataset = hg.Dataset(hg.open("fake", size=(16, 12)), 7)
        self.describe, self.__class__.__len__ = self.dataset.describe, lambda self: 7
    def outcomes(self, positions):
        for position, result in self.dataset.outcomes(positions):
            yield position, EngineError("failed") if position in self.failing else result

def recorded(folder, failing=()):
    record(Source(failing), folder, shard_size=3, retry_failed=True, on_error=lambda error: None)

def killed_before(step, folder):
    def count(event, args):
        nonlocal step
        if event in ("open", "os.rename", "os.remove") and str(args[0]).startswith(folder):
            step -= 1
            if step < 0:
                os.kill(os.getpid(), signal.SIGKILL)
    child = os.fork()
    if child == 0:
        sys.addaudithook(count)
        recorded(folder)
        os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL

if begun == "failed":
    recorded(work + "/begun", failing)
step = 0
while True:
    folder = f"{work}/{step}"
    if begun == "failed":
        shutil.copytree(work + "/begun", folder)
    if not killed_before(step, folder):
        break
    recorded(folder)
    step += 1
print(step)
"""


@pytest.mark.parametrize("begun", ["new", "failed"])
def test_killed_before_any_step_and_resumed_gives_the_same_bytes(
    tmp_path: Path, begun: str
) -> None:
    """`kill -9` before each opening, renaming and removing of a file, one run for each."""
    with hg.open("fake", size=SIZE) as renderer:
        record(hg.Dataset(renderer, 7), tmp_path / "whole", shard_size=3)
    work = tmp_path / "work"
    work.mkdir()
    words = [sys.executable, "-c", KILLED, begun, str(work)]
    steps = int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    assert steps > 20
    shutil.rmtree(work / "begun", ignore_errors=True)
    whole = digests(tmp_path / "whole")
    assert [digests(folder) == whole for folder in work.iterdir()] == [True] * (steps + 1)
