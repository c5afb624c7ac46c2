import pickle
import tarfile
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

import heliograph as hg
import heliograph.torch as hgt
from heliograph.delivery.call import LocalRenderer
from heliograph.delivery.dataset import Dataset
from heliograph.engines.fake import FakeEngine
from heliograph.errors import EngineError, HeliographError, InvalidValueError, UnknownNameError
from heliograph.frame import Provenance, Sample
from heliograph.passes import PASSES
from heliograph.record import Recording, record
from heliograph.view import View

SIZE = (16, 12)
ALL = PASSES


def local(source: str = "fake") -> LocalRenderer:
    return LocalRenderer(FakeEngine(source, size=SIZE))


def ball(rng: np.random.Generator) -> dict[str, Any]:
    return {"ball": rng.uniform(-0.5, 1, 3)}


def second_fails(view: View) -> tuple[View, dict[str, Any]]:
    return replace(view, state={"crash": 3 if view.index == 1 else 0}), {}


def indices(loader: Any) -> list[int]:
    return [int(item["index"]) for item in loader]


@pytest.fixture
def recording(tmp_path: Any) -> Recording:
    with local() as renderer:
        dataset = Dataset(renderer, 23, passes=("rgb",), state=ball)
        return record(dataset, tmp_path / "run", shard_size=7)


def test_numpy_datasets_are_sequences() -> None:
    with local() as renderer:
        dataset = Dataset(renderer, 4, start=10, state=ball)
        assert [sample.index for sample in dataset] == [10, 11, 12, 13]
        assert (len(dataset), dataset[-1].index) == (4, 13)
        with pytest.raises(IndexError, match="position 4: there are 4 samples"):
            dataset[4]
        with pytest.raises(IndexError):
            dataset[-5]
        with pytest.raises(InvalidValueError, match="position"):
            dataset["one"]  # type: ignore[index]


def test_a_loader_with_its_own_collation() -> None:
    with local() as renderer:
        dataset = hgt.Dataset(renderer, 10, cameras=["front", "top"], passes=ALL, state=ball)
        batches = list(DataLoader(dataset, batch_size=4))
        exact = Dataset(renderer, 10, cameras=["front", "top"], passes=ALL, state=ball)[5]
    assert [batch["index"].tolist() for batch in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    top = batches[1]["frames"]["top"]
    assert {name: (tuple(t.shape), t.dtype) for name, t in top.items()} == {
        "rgb": ((4, 12, 16, 3), torch.uint8),
        "depth": ((4, 12, 16), torch.float32),
        "normals": ((4, 12, 16, 3), torch.float32),
        "segmentation": ((4, 12, 16), torch.int32),
        "K": ((4, 3, 3), torch.float64),
        "world_from_camera": ((4, 4, 4), torch.float64),
    }
    assert np.array_equal(top["rgb"][1].numpy(), exact["top"].rgb)
    assert np.array_equal(top["K"][1].numpy(), exact["top"].camera.K)
    assert np.array_equal(batches[1]["state"]["ball"][1].numpy(), exact.state["ball"])


@pytest.mark.parametrize("wrong", [None, "fake", FakeEngine])
def test_a_dataset_is_of_a_renderer(wrong: Any) -> None:
    with pytest.raises(InvalidValueError, match="renderer: expected a Renderer, such as"):
        Dataset(wrong, 3)


def test_our_collation_makes_what_the_loader_s_own_makes() -> None:
    with local() as renderer:
        dataset = hgt.Dataset(renderer, 5, cameras=["front", "top"], passes=ALL, state=ball)
        own = DataLoader(dataset, batch_size=2)
        ours = DataLoader(dataset, batch_size=2, collate_fn=hgt.collate)
        for one, other in zip(own, ours, strict=True):
            assert equal(one, other)


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return list(one) == list(other) and all(equal(one[key], other[key]) for key in one)
    return bool(one.dtype == other.dtype and torch.equal(one, other))


def test_a_shuffled_loader_shows_the_same_pixels() -> None:
    with local() as renderer:
        dataset = hgt.Dataset(renderer, 8, seed=4, state=ball)
        straight = [item["frames"]["front"]["rgb"] for item in dataset]
        loader = DataLoader(dataset, batch_size=3, shuffle=True)
        for batch in loader:
            for place, index in enumerate(batch["index"].tolist()):
                assert torch.equal(batch["frames"]["front"]["rgb"][place], straight[index])


def test_tensors_share_the_memory_of_the_arrays() -> None:
    class Keeping(LocalRenderer):
        def render(self, view: Any, *, priority: int = 0) -> Any:
            self.last = super().render(view)
            return self.last

    with Keeping(FakeEngine(size=SIZE)) as renderer:
        item = hgt.Dataset(renderer, 1)[0]
        array = renderer.last["front"].rgb
        assert item["frames"]["front"]["rgb"].data_ptr() == array.ctypes.data


def test_transforms_see_the_dict() -> None:
    with local() as renderer:
        dataset = hgt.Dataset(renderer, 2, transform=lambda tree: tree["frames"]["front"]["rgb"])
        assert next(iter(DataLoader(dataset, batch_size=2))).shape == (2, 12, 16, 3)


@pytest.mark.parametrize("kind", [hgt.Dataset, hgt.IterableDataset])
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_live_renderer_in_loader_workers_says_what_to_do(kind: Any, start: str) -> None:
    with local() as renderer:
        loader = DataLoader(kind(renderer, 4), num_workers=1, multiprocessing_context=start)
        with pytest.raises(InvalidValueError, match="use num_workers=0"):
            next(iter(loader))


def test_a_dataset_over_a_renderer_is_not_pickled() -> None:
    with local() as renderer, pytest.raises(InvalidValueError, match="num_workers=0"):
        pickle.dumps(Dataset(renderer, 3))


def test_recordings_go_to_loader_workers(recording: Recording) -> None:
    straight = {item["index"]: item["frames"]["front"]["rgb"] for item in hgt.Dataset(recording)}
    dataset = hgt.IterableDataset(recording)
    found: list[int] = []
    for batch in DataLoader(dataset, batch_size=4, num_workers=2):
        found += batch["index"].tolist()
        for place, index in enumerate(batch["index"].tolist()):
            assert torch.equal(batch["frames"]["front"]["rgb"][place], straight[index])
    assert sorted(found) == list(range(23))
    mapped = DataLoader(hgt.Dataset(recording), batch_size=5, num_workers=2)
    assert [i for batch in mapped for i in batch["index"].tolist()] == list(range(23))


def test_workers_that_live_on_hear_of_the_epoch(recording: Recording) -> None:
    dataset = hgt.IterableDataset(recording)
    loader = DataLoader(dataset, batch_size=None, num_workers=1, persistent_workers=True)
    orders = []
    for epoch in (0, 1, 0):
        dataset.set_epoch(epoch)
        orders.append(indices(loader))
    assert orders[0] == orders[2] != orders[1]
    del loader


def test_epochs_differ_and_can_be_had_again() -> None:
    with local("blank") as renderer:
        dataset = hgt.IterableDataset(renderer, 20, seed=3)
        orders = [indices(dataset) for _ in range(3)]
        assert len({tuple(order) for order in orders}) == 3
        assert all(sorted(order) == list(range(20)) for order in orders)
        assert dataset.epoch == 3
        dataset.set_epoch(1)
        assert [indices(dataset), indices(dataset)] == orders[1:]
        other = hgt.IterableDataset(renderer, 20, seed=3)
        assert [indices(DataLoader(other, batch_size=None)) for _ in range(3)] == orders
        assert indices(hgt.IterableDataset(renderer, 20, share={"shuffle": False})) == list(
            range(20)
        )
        assert indices(hgt.IterableDataset(renderer, 20, seed=4)) != orders[0]


def test_an_iteration_that_was_left_is_an_epoch_too() -> None:
    with local("blank") as renderer:
        dataset = hgt.IterableDataset(renderer, 9)
        whole = [indices(dataset) for _ in range(2)]
        dataset.set_epoch(0)
        next(iter(dataset))
        assert indices(dataset) == whole[1]


# A worker of torch's loader that ends while its own thread still sends a tensor may abort, as
# Python 3.11 takes that thread's life inside C++; torch says so in `__del__`, and nothing is lost.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <function _MultiProcessingDataLoaderIter.__del__"
    ":pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_loader_workers_agree_on_the_epoch(
    recording: Recording, persistent: bool, start: str
) -> None:
    options: dict[str, Any] = {
        "batch_size": 3,
        "num_workers": 2,
        "persistent_workers": persistent,
        "multiprocessing_context": start,
    }

    def epoch(loader: Any) -> list[int]:
        return [int(index) for batch in loader for index in batch["index"]]

    dataset = hgt.IterableDataset(recording, seed=5)
    loader = DataLoader(dataset, **options)
    orders = [epoch(loader) for _ in range(2)]
    next(iter(loader))  # the third is left
    orders.append(epoch(loader))
    assert all(sorted(order) == list(range(23)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    dataset.set_epoch(3)
    assert epoch(loader) == orders[2]
    assert dataset.epoch == 4
    del loader


def test_workers_that_begin_late_find_their_epoch() -> None:
    epochs = hgt._Epochs()

    class Worker:
        """One loader worker: what it is told, and its count of iterations."""

        def __init__(self, number: int, base: int) -> None:
            self.info = type("Info", (), {"id": number, "seed": base + number})()
            self.begun = 0

        def begin(self, patch: pytest.MonkeyPatch) -> int:
            patch.setattr(torch.utils.data, "get_worker_info", lambda: self.info)
            epochs._begun, self.begun = self.begun, self.begun + 1
            return epochs.begin()

    with pytest.MonkeyPatch.context() as patch:
        first, second = ([Worker(i, base) for i in range(3)] for base in (10**18, -7))
        assert [first[0].begin(patch), first[1].begin(patch)] == [0, 0]
        assert [worker.begin(patch) for worker in second] == [1, 1, 1]
        assert first[2].begin(patch) == 0  # its iteration was left before it began
        assert [worker.begin(patch) for worker in second] == [2, 2, 2]  # they live on
    assert epochs.begin() == 3  # in no worker
    epochs.set(1)
    assert (epochs.begin(), epochs.begin()) == (1, 2)


def test_a_recording_is_shuffled_by_the_seed_of_its_run_or_one_of_its_own(
    recording: Recording, tmp_path: Any
) -> None:
    with local() as renderer:
        live = indices(hgt.IterableDataset(renderer, 23, seed=6))
        same = record(Dataset(renderer, 23, seed=6), tmp_path / "six")
    assert indices(hgt.IterableDataset(same)) == live
    assert indices(hgt.IterableDataset(recording)) != live
    assert indices(hgt.IterableDataset(recording, seed=6)) == live
    for wrong in (-1, 1.5, True):
        with pytest.raises(InvalidValueError, match="seed"):
            hgt.IterableDataset(recording, seed=wrong)  # type: ignore[arg-type]


def test_fresh_epochs_have_samples_of_their_own(recording: Recording) -> None:
    with local("blank") as renderer:
        dataset = hgt.IterableDataset(renderer, 5, start=2, share={"fresh": True})
        seen = [index for _ in range(3) for index in indices(dataset)]
        assert sorted(seen) == list(range(2, 17))
    with pytest.raises(InvalidValueError, match="fresh"):
        hgt.IterableDataset(recording, share={"fresh": True})


@settings(max_examples=40, deadline=None)
@given(count=st.integers(0, 30), world=st.integers(1, 5), shuffle=st.booleans())
def test_ranks_share_an_epoch_out(count: int, world: int, shuffle: bool) -> None:
    with local("blank") as renderer:
        shares: list[list[int]] = []
        for rank in range(world):
            part: hgt.Share = {"rank": rank, "world_size": world, "shuffle": shuffle}
            dataset = hgt.IterableDataset(renderer, count, share=part)
            shares.append(indices(dataset))
            assert len(shares[-1]) == len(dataset)
            even = hgt.IterableDataset(renderer, count, share={**part, "even": True})
            assert indices(even) == shares[-1][: count // world]
            assert len(even) == count // world
    assert sorted(index for share in shares for index in share) == list(range(count))


def test_torch_distributed_names_the_rank(tmp_path: Any) -> None:
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1
    )
    try:
        with local("blank") as renderer:
            assert len(indices(hgt.IterableDataset(renderer, 6))) == 6
    finally:
        torch.distributed.destroy_process_group()


@settings(max_examples=40, deadline=None)
@given(count=st.integers(1, 25), taken=st.integers(0, 25), epoch=st.integers(0, 3))
def test_a_state_goes_on_with_exactly_the_rest(count: int, taken: int, epoch: int) -> None:
    taken = min(taken, count)
    with local("blank") as renderer:
        whole = hgt.IterableDataset(renderer, count, window=4)
        whole.set_epoch(epoch)
        expected = indices(whole)
        first = hgt.IterableDataset(renderer, count)
        first.set_epoch(epoch)
        running = iter(first)
        begun = [int(next(running)["index"]) for _ in range(taken)]
        second = hgt.IterableDataset(renderer, count)
        second.load_state_dict(first.state_dict())
        assert begun + indices(second) == expected
        assert second.epoch == first.epoch == epoch + 1
        assert indices(second) == indices(whole)  # the next iteration is whole again


def test_after_a_whole_epoch_the_next_one_is_gone_on_with() -> None:
    with local("blank") as renderer:
        first = hgt.IterableDataset(renderer, 8)
        orders = [[b["index"].tolist() for b in DataLoader(first, batch_size=4)] for _ in range(2)]
        first.set_epoch(0)
        list(DataLoader(first, batch_size=4))
        second = hgt.IterableDataset(renderer, 8)
        second.load_state_dict(first.state_dict())
        assert second.epoch == 1
        assert [b["index"].tolist() for b in DataLoader(second, batch_size=4)] == orders[1]
        third = hgt.IterableDataset(renderer, 8)
        assert third.state_dict()["position"] == third.state_dict()["epoch"] == 0


def test_a_loader_is_resumed_between_batches() -> None:
    with local("blank") as renderer:
        dataset = hgt.IterableDataset(renderer, 17)
        expected = [batch["index"].tolist() for batch in DataLoader(dataset, batch_size=4)]
        dataset.set_epoch(0)
        running = iter(DataLoader(dataset, batch_size=4))
        for _ in range(2):
            next(running)
        state = dataset.state_dict()
        other = hgt.IterableDataset(renderer, 17)
        other.load_state_dict(state)
        assert [b["index"].tolist() for b in DataLoader(other, batch_size=4)] == expected[2:]


def test_a_state_of_another_run_is_refused(recording: Recording) -> None:
    with local("blank") as renderer:
        state = hgt.IterableDataset(renderer, 5).state_dict()
        with pytest.raises(InvalidValueError, match="its count is 5, here it is 6"):
            hgt.IterableDataset(renderer, 6).load_state_dict(state)
        with pytest.raises(InvalidValueError, match="its seed is 0"):
            hgt.IterableDataset(renderer, 5, seed=1).load_state_dict(state)
        with pytest.raises(InvalidValueError, match="position"):
            hgt.IterableDataset(renderer, 5).load_state_dict({**state, "position": -1})
    dataset = hgt.IterableDataset(recording)
    dataset.load_state_dict({**dataset.state_dict(), "position": 3})
    with pytest.raises(InvalidValueError, match="StatefulDataLoader"):
        list(DataLoader(dataset, num_workers=2))


def test_the_rest_may_be_drawn_elsewhere_but_not_of_another_run() -> None:
    class Elsewhere(FakeEngine):
        @property
        def provenance(self) -> Provenance:
            return replace(super().provenance, device="another")

    with local() as renderer, LocalRenderer(Elsewhere(size=SIZE)) as other:
        dataset = hgt.IterableDataset(renderer, 6)
        begun = indices(islice(dataset, 2))
        state = dataset.state_dict()
        on = hgt.IterableDataset(other, 6)
        on.load_state_dict(state)
        assert sorted(begun + indices(on)) == list(range(6))
        ours, theirs = (Dataset(renderer, 6, seed=seed) for seed in (1, 2))
        state = hgt.IterableDataset(ours, seed=5).state_dict()
        hgt.IterableDataset(ours, seed=5).load_state_dict(state)
        with pytest.raises(InvalidValueError, match="other samples, whose seed differs"):
            hgt.IterableDataset(theirs, seed=5).load_state_dict(state)
        with pytest.raises(InvalidValueError, match="its seed is 5, here it is 1"):
            hgt.IterableDataset(ours).load_state_dict(state)


def test_a_state_at_the_start_of_an_epoch_goes_to_any_workers(recording: Recording) -> None:
    def epoch(dataset: hgt.IterableDataset) -> list[int]:
        return indices(DataLoader(dataset, batch_size=None, num_workers=2))

    first = hgt.IterableDataset(recording)
    orders = [epoch(first) for _ in range(3)]
    first.set_epoch(1)
    second = hgt.IterableDataset(recording)
    second.load_state_dict(first.state_dict())
    assert [epoch(second), epoch(second)] == orders[1:]
    assert second.state_dict()["epoch"] == 3


def test_failed_samples_raise_or_are_left_out() -> None:
    failed: list[HeliographError] = []
    straight: hgt.Share = {"shuffle": False}
    with local() as renderer:
        with pytest.raises(EngineError, match="index 1"):
            list(DataLoader(hgt.Dataset(renderer, 3, randomize=second_fails), batch_size=3))
        with pytest.raises(EngineError, match="index 1"):
            list(hgt.IterableDataset(renderer, 3, randomize=second_fails))
        dataset = hgt.IterableDataset(
            renderer, 3, randomize=second_fails, on_error=failed.append, share=straight
        )
        assert indices(dataset) == [0, 2]
    assert [error.index for error in failed] == [1]


def test_something_stands_in_the_place_of_a_failed_sample() -> None:
    failed: list[HeliographError] = []

    def spare(error: HeliographError) -> Sample:
        failed.append(error)
        return blank

    with local() as renderer:
        blank = renderer.render(View(index=99, state={"crash": 0}))
        dataset = hgt.Dataset(renderer, 4, randomize=second_fails, on_error=spare)
        (batch,) = DataLoader(dataset, batch_size=4)
        assert batch["index"].tolist() == [0, 99, 2, 3]
        assert [error.index for error in failed] == [1]
        assert dataset[1]["index"] == 99
        assert [item["index"] for item in dataset] == [0, 99, 2, 3]
        named = hgt.Dataset(
            renderer, 2, randomize=second_fails, on_error=spare, transform=lambda t: t["index"]
        )
        assert named[1] == 99


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_failed_sample_is_left_out_of_its_batch(tmp_path: Any, on_disk: bool) -> None:
    failed: list[HeliographError] = []
    with local() as renderer:
        source: Any = Dataset(renderer, 4, randomize=None if on_disk else second_fails)
        if on_disk:
            source = record(source, tmp_path)
            damage(source, 1)
        dataset = hgt.Dataset(source, on_error=failed.append)
        batches = DataLoader(dataset, batch_size=2, collate_fn=hgt.collate)
        assert [batch["index"].tolist() for batch in batches] == [[0], [2, 3]]
        assert len(failed) == 1
        assert dataset[1] is None
        assert [item["index"] for item in dataset] == [0, 2, 3]
        assert hgt.collate([None, None]) == {}
        with pytest.raises(HeliographError):
            list(hgt.Dataset(source))


def damage(recording: Recording, position: int) -> None:
    """Overwrite the facts of one sample."""
    _, place = recording._find(position)
    start = next(start for name, start, _ in place.members if name == "json")
    shard = recording.path / f"{recording.manifest.shards[0].name}.tar"
    with shard.open("r+b") as file:
        file.seek(start)
        file.write(b"no JSON")


def test_a_stand_in_that_is_no_sample_is_refused() -> None:
    with local() as renderer:
        dataset = hgt.Dataset(
            renderer,
            2,
            randomize=second_fails,
            on_error=lambda error: {},  # type: ignore[arg-type, return-value]
        )
        with pytest.raises(InvalidValueError, match=r"on_error: expected the heliograph\.Sample"):
            dataset[1]


def drawn(view: View) -> tuple[View, dict[str, Any]]:
    return view, {"parts": ["a"] * view.index}


@pytest.mark.parametrize("kind", [hgt.Dataset, hgt.IterableDataset])
def test_extras_come_as_lists(kind: Any) -> None:
    extras = ("randomization", "labels", "annotations")
    with local() as renderer:
        options = {"randomize": drawn, "extras": extras}
        if kind is hgt.IterableDataset:
            options["share"] = {"shuffle": False}
        dataset = kind(renderer, 3, **options)
        first, second = DataLoader(dataset, batch_size=2, collate_fn=hgt.collate)
        assert first["randomization"] == [{"parts": []}, {"parts": ["a"]}]
        assert second["randomization"] == [{"parts": ["a", "a"]}]
        assert first["labels"] == [dict(renderer.labels)] * 2
        assert first["annotations"] == [{}, {}]
        assert first["index"].tolist() == [0, 1]
        plain = next(iter(DataLoader(kind(renderer, 3, randomize=drawn), batch_size=2)))
        assert plain.keys() == first.keys() - set(extras)
        chosen = kind(renderer, 1, **options, transform=lambda tree: tree["labels"])
        assert list(chosen) == [dict(renderer.labels)]
        with pytest.raises(UnknownNameError, match="labels"):
            kind(renderer, 3, extras=["label"])


@pytest.mark.parametrize("name", ["labels", "annotations"])
def test_a_camera_may_have_the_name_of_an_extra(name: str) -> None:
    with local() as renderer:
        camera = renderer.cameras["top"].replace(name=name)
        dataset = hgt.Dataset(renderer, 2, cameras=[camera])
        (batch,) = DataLoader(dataset, batch_size=2, collate_fn=hgt.collate)
        assert batch["frames"][name]["rgb"].shape == (2, 12, 16, 3)


@pytest.mark.parametrize(
    ("share", "message"),
    [
        ({"rank": 2}, "rank and world_size"),
        ({"rank": 2, "world_size": 2}, "rank: expected an integer from 0 to 1, got 2"),
        ({"rank": 0, "world_size": 0}, "world_size"),
        ({"shufle": True}, "unknown key of share 'shufle'; did you mean 'shuffle'"),
    ],
)
def test_wrong_shares(share: Any, message: str) -> None:
    with local() as renderer, pytest.raises(HeliographError, match=message):
        hgt.IterableDataset(renderer, 4, share=share)


def test_wrong_sources(recording: Recording) -> None:
    with pytest.raises(InvalidValueError, match="has its own count and options"):
        hgt.Dataset(recording, 4)
    with pytest.raises(InvalidValueError, match="seed"):
        hgt.Dataset(recording, seed=4)
    with pytest.raises(InvalidValueError, match="expected a renderer"):
        hgt.Dataset("run")  # type: ignore[arg-type]
    with local() as renderer:
        with pytest.raises(InvalidValueError, match="count"):
            hgt.Dataset(renderer)
        with pytest.raises(UnknownNameError, match="frond"):
            hgt.Dataset(renderer, 3, cameras=["frond"])


def crowded(view: View) -> tuple[View, dict[str, Any]]:
    """Nothing but background, what there is, or more than there is."""
    places = ([-1.2, 0, 0], [1.2, 0, 0])[: view.index]
    more = [hg.Add(hg.Box(key=f"box{i}", position=at)) for i, at in enumerate(places)]
    return replace(view, edits=more or [hg.Remove("ball")]), {}


def test_a_recording_has_one_form_of_segmentation(tmp_path: Path) -> None:
    scene = hg.Scene(hg.Sphere(key="ball"), hg.CameraView(key="eye", position=[0, 0, 4]))
    with hg.open(scene, size=(16, 12)) as renderer:
        run = hg.Dataset(renderer, 3, passes=("segmentation",), randomize=crowded)
        shown = [set(np.unique(sample["eye"].segmentation).tolist()) for sample in run]
        recording = record(run, tmp_path / "run")
    assert shown[0] == {0}
    assert len(set(map(frozenset, shown))) == 3
    with tarfile.open(recording.path / "shard-000000.tar") as tar:
        names = [name.partition(".")[2] for name in tar.getnames()]
    assert sorted(names) == ["eye.segmentation.png"] * 3 + ["json"] * 3
