"""Samples that a pool draws side by side: rows of one array, and nothing else is different."""

import gc
import os
import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import heliograph as hg
import heliograph.torch as hgt
from heliograph.delivery.samples import side_by_side, stack
from heliograph.frame import Sample
from heliograph.passes import PASSES
from heliograph.pool import Pool
from heliograph.pool.buffers import MOST_LENT

ALL = PASSES


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool("fake", "fake", 2, {"size": (32, 24)}) as opened:
        yield opened


@pytest.fixture(scope="module")
def local() -> Iterator[hg.LocalRenderer]:
    with hg.open("fake", size=(32, 24)) as opened:
        yield opened


def views(count: int, **changes: Any) -> list[hg.View]:
    facts = {"passes": ALL, "seed": 3, **changes}
    return [hg.View(index=i, state={"ball": [0.1 * i, 0, 0]}, **facts) for i in range(count)]


def drawn(pool: Pool, count: int, wanted: list[hg.View]) -> list[Sample]:
    submit = pool.side_by_side(count)
    futures = [submit(view) for view in wanted]
    return [future.result(60) for future in futures]


def rows(samples: list[Sample], name: str, camera: str = "front") -> np.ndarray | None:
    return side_by_side([sample[camera][name] for sample in samples])


def test_the_rows_of_one_array_are_what_each_view_shows_alone(
    pool: Pool, local: hg.LocalRenderer
) -> None:
    wanted = views(10, cameras=("top", "front"))
    samples = drawn(pool, 4, wanted)
    for sample, view in zip(samples, wanted, strict=True):
        alone = local.render(view)
        assert (sample.index, sample.seed) == (alone.index, alone.seed)
        for camera in ("top", "front"):
            for name in ALL:
                assert np.array_equal(sample[camera][name], alone[camera][name])
    for first in (0, 4):
        for name in ALL:
            whole = rows(samples[first : first + 4], name)
            assert whole is not None
            assert np.array_equal(whole[2], samples[first + 2]["front"][name])
            assert np.shares_memory(whole, samples[first]["front"][name])
    assert rows(samples[8:], "rgb") is not None
    assert rows(samples[2:6], "rgb") is None
    assert rows(samples[:4][::-1], "rgb") is None


def test_other_passes_begin_anew(pool: Pool, local: hg.LocalRenderer) -> None:
    wanted = [*views(3), *views(3, passes=("rgb",)), *views(2)]
    samples = drawn(pool, 8, wanted)
    for sample, view in zip(samples, wanted, strict=True):
        assert np.array_equal(sample["front"].rgb, local.render(view)["front"].rgb)
    assert rows(samples[:3], "rgb") is not None
    assert rows(samples[3:6], "rgb") is not None
    assert rows(samples[2:4], "rgb") is None


def test_what_grows_with_its_edits_lies_by_itself() -> None:
    scene = hg.Scene(hg.Sphere(key="ball"), hg.CameraView(key="eye", position=[0, 0, 3]))
    eye = hg.CameraView(key="eye", position=[0, 0, 3], width=50, height=40)
    grown = (hg.Update(eye),)
    with hg.open(scene, size=(8, 8)) as local, hg.open(scene, size=(8, 8), workers=1) as pool:
        assert isinstance(pool, Pool)
        wanted = [hg.View(("eye",), ALL, edits=grown if i == 1 else ()) for i in range(4)]
        samples = drawn(pool, 4, wanted)
        for sample, view in zip(samples, wanted, strict=True):
            alone = local.render(view)["eye"]
            for name in ALL:
                assert np.array_equal(sample["eye"][name], alone[name])
    assert samples[1]["eye"].rgb.shape == (40, 50, 3)


def test_the_dead_leave_no_hole(local: hg.LocalRenderer) -> None:
    with Pool("fake", "fake", 2, {"size": (32, 24)}, max_kills=50) as pool:
        wanted = views(400)
        submit = pool.side_by_side(8)
        futures = []
        for place, view in enumerate(wanted):
            futures.append(submit(view))
            if place % 40 == 20:
                futures[place - 10].result(60)
                os.kill(pool.pids[0], signal.SIGKILL)
        for future, view in zip(futures, wanted, strict=True):
            assert np.array_equal(future.result(60)["front"].rgb, local.render(view)["front"].rgb)


def test_a_failure_harms_no_neighbour(pool: Pool, local: hg.LocalRenderer) -> None:
    wanted = views(4)
    submit = pool.side_by_side(4)
    wrong = hg.View(cameras=("nowhere",))
    futures = [submit(view) for view in (wanted[0], wrong, *wanted[1:])]
    assert isinstance(futures.pop(1).exception(60), hg.UnknownNameError)
    for future, view in zip(futures, wanted, strict=True):
        assert np.array_equal(future.result()["front"].rgb, local.render(view)["front"].rgb)


def test_memory_comes_back_and_runs_out_softly(pool: Pool) -> None:
    kept = [drawn(pool, 2, views(2)) for _ in range(MOST_LENT + 5)]
    together = [rows(samples, "rgb") is not None for samples in kept]
    assert together[:MOST_LENT] == [True] * MOST_LENT
    assert not any(together[MOST_LENT:])
    del kept
    gc.collect()
    assert rows(drawn(pool, 2, views(2)), "rgb") is not None


@pytest.mark.parametrize("style", ["map", "iterable"])
def test_batches_of_a_loader_are_the_memory_that_was_drawn_into(pool: Pool, style: str) -> None:
    made: list[dict[str, Any]] = []

    def remember(tree: dict[str, Any]) -> dict[str, Any]:
        made.append(tree)
        return tree

    options: dict[str, Any] = {"passes": ALL, "transform": remember, "seed": 1}
    dataset: Any = (
        hgt.Dataset(pool, 10, **options)
        if style == "map"
        else hgt.IterableDataset(pool, 10, together=4, **options)
    )
    for place, batch in enumerate(DataLoader(dataset, batch_size=4, collate_fn=hgt.collate)):
        trees = made[4 * place : 4 * place + 4]
        plain = torch.utils.data.default_collate(trees)
        assert list(batch) == list(plain)
        assert torch.equal(batch["index"], plain["index"])
        for name in (*ALL, "K", "world_from_camera"):
            ours = batch["frames"]["front"][name]
            assert torch.equal(ours, plain["frames"]["front"][name])
            if name in ALL:
                assert ours.data_ptr() == trees[0]["frames"]["front"][name].data_ptr()


def test_batches_of_another_size_are_copied_rightly(pool: Pool) -> None:
    dataset = hgt.IterableDataset(pool, 11, together=4, share={"shuffle": False})
    loader = DataLoader(dataset, batch_size=3, collate_fn=hgt.collate)
    pictures = torch.cat([batch["frames"]["front"]["rgb"] for batch in loader])
    alone = torch.stack([tree["frames"]["front"]["rgb"] for tree in hgt.Dataset(pool, 11)])
    assert torch.equal(pictures, alone)


def test_a_block_has_a_place_at_least(pool: Pool) -> None:
    for count in (0, -1, True, 1.5, "4"):
        with pytest.raises(hg.InvalidValueError, match="count: expected an integer from 1"):
            pool.side_by_side(count)  # type: ignore[arg-type]


def test_only_rows_of_one_array_are_side_by_side() -> None:
    whole = np.arange(24, dtype=np.float32).reshape(4, 6)
    found = side_by_side(list(whole))
    assert found is not None
    assert np.array_equal(found, whole)
    assert np.shares_memory(found, whole)
    assert side_by_side([whole[0], whole[2]]) is None
    assert side_by_side([whole[0], whole[1].view(np.int32)]) is None
    assert side_by_side([whole[0], whole[1][:3]]) is None
    assert side_by_side([whole[0], whole[1].copy()]) is None
    assert side_by_side(list(whole.T)) is None
    assert side_by_side([1, 2]) is None


def test_what_does_not_stack_says_where() -> None:
    with pytest.raises(hg.InvalidValueError, match=r"batch, rgb: shapes \(2,\), \(3,\)"):
        stack([np.zeros(2), np.zeros(3)], "batch, rgb")
    with pytest.raises(
        hg.InvalidValueError, match=r"batch, frames: \['b'\] does not stack with \['a'\]"
    ):
        hgt.collate([{"frames": {"a": 1}}, {"frames": {"b": 1}}])
    assert hgt.collate([]) == {}
