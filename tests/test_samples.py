import gc
import hashlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import heliograph as hg
from heliograph import array_pool
from heliograph.camera import Camera
from heliograph.delivery.call import LocalRenderer
from heliograph.delivery.dataset import Dataset
from heliograph.delivery.samples import as_arrays, batches, samples
from heliograph.delivery.views import random_states
from heliograph.engines.fake import FakeEngine, Paint
from heliograph.errors import (
    ClosedError,
    EngineError,
    HeliographError,
    InvalidValueError,
    UnknownNameError,
)
from heliograph.frame import Sample
from heliograph.passes import PASSES
from heliograph.randomize import stream
from heliograph.record import record
from heliograph.view import View

SIZE = (16, 12)
ALL = PASSES


class ThreadedRenderer(LocalRenderer):
    """Answers later, as a pool does, and counts what is in flight."""

    def __init__(self, engine: FakeEngine) -> None:
        super().__init__(engine)
        self.threads = ThreadPoolExecutor(2)
        self.submitted: list[Future[Sample]] = []
        self.most = 0

    def submit(self, view: View, *, priority: int = 0) -> Future[Sample]:
        future = self.threads.submit(self.render, view)
        self.submitted.append(future)
        self.most = max(self.most, sum(not f.done() for f in self.submitted))
        return future

    def close(self) -> None:
        self.threads.shutdown(cancel_futures=True)
        super().close()


def local(**options: Any) -> LocalRenderer:
    return LocalRenderer(FakeEngine(size=SIZE, **options))


def digest(sample: Sample) -> str:
    found = hashlib.sha256(repr((sample.index, sample.seed)).encode())
    for frame in sample:
        for name, array in frame.passes.items():
            found.update(name.encode() + array.tobytes())
    return found.hexdigest()


def ball(rng: np.random.Generator) -> dict[str, Any]:
    return {"ball": rng.uniform(-0.5, 1, 3)}


def painted(view: View) -> tuple[View, dict[str, Any]]:
    colour = stream(view.seed or 0, view.index, "colour").uniform(size=3)
    return replace(view, edits=[Paint("globe", tuple(colour))]), {"colour": colour.tolist()}


def poisoned(view: View) -> tuple[View, dict[str, Any]]:
    return replace(view, state={"crash": 3 if view.index % 4 == 1 else 0}), {}


def test_a_sample_depends_on_seed_and_index_alone() -> None:
    with local() as renderer:
        run = [digest(s) for s in samples(renderer, count=9, seed=5, state=ball, passes=ALL)]
        late = samples(renderer, count=3, seed=5, start=4, state=ball, passes=ALL)
        assert [digest(s) for s in late] == run[4:7]
        other = [digest(s) for s in samples(renderer, count=9, seed=6, state=ball, passes=ALL)]
    assert len({*run, *other}) == 18


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(6)), window=st.integers(1, 9))
def test_order_and_window_change_nothing(order: list[int], window: int) -> None:
    with local() as renderer:
        expected = [digest(s) for s in samples(renderer, count=6, state=ball)]
    with ThreadedRenderer(FakeEngine(size=SIZE)) as renderer:
        dataset = Dataset(renderer, 6, window=window, state=ball)
        outcomes = dict(dataset.outcomes(order))
        assert renderer.most <= window
    assert list(outcomes) == order
    assert [digest(s) for _, s in sorted(outcomes.items()) if isinstance(s, Sample)] == expected


def test_without_a_state_the_scene_stays_as_it_is() -> None:
    with local() as renderer:
        found = list(samples(renderer, count=2))
        assert [dict(s.state) for s in found] == [{}, {}]
        assert [(s.seed, s.index) for s in found] == [(0, 0), (0, 1)]


def test_what_was_drawn_is_in_the_sample_and_can_be_shown_by_hand() -> None:
    with local() as renderer:
        sample = Dataset(renderer, 3, seed=2, randomize=painted)[1]
        by_hand = renderer.render(
            View(edits=[Paint("globe", tuple(sample.randomization["colour"]))], seed=2, index=1)
        )
        assert digest(by_hand) == digest(sample)


def test_the_first_error_is_raised_and_names_its_sample() -> None:
    with local() as renderer:
        found = samples(renderer, count=8, seed=3, randomize=poisoned)
        assert next(found).index == 0
        with pytest.raises(EngineError, match="sample: index 1, seed 3"):
            next(found)


def test_failed_samples_can_be_left_out() -> None:
    failed: list[HeliographError] = []
    with local() as renderer:
        found = samples(renderer, count=8, randomize=poisoned, on_error=failed.append)
        assert [s.index for s in found] == [0, 2, 3, 4, 6, 7]
    assert [(error.index, error.seed) for error in failed] == [(1, 0), (5, 0)]


def second_draw_fails() -> Callable[[Any], Any]:
    """A function of `Views` that has a bug which shows when it is called the second time."""
    calls = count()

    def called(given: Any) -> Any:
        if next(calls) == 1:
            raise KeyError("bal")
        return (given, {}) if isinstance(given, View) else {}

    return called


@pytest.mark.parametrize("name", ["state", "randomize"])
def test_an_exception_in_a_recipe_is_that_sample_s_error(tmp_path: Path, name: str) -> None:
    failed: list[HeliographError] = []
    options: Any = {"seed": 3, "start": 10}
    with local() as renderer:
        broken: Any = {name: second_draw_fails(), **options}
        found = samples(renderer, count=3, on_error=failed.append, **broken)
        assert [sample.index for sample in found] == [10, 12]
        broken = {name: second_draw_fails(), **options}
        told = rf"{name}: the function raised KeyError: 'bal'\n  sample: index 11, seed 3"
        with pytest.raises(InvalidValueError, match=told) as caught:
            list(samples(renderer, count=3, **broken))
        assert isinstance(caught.value.__cause__, KeyError)
        source = Dataset(renderer, 3, **{**options, name: second_draw_fails()})
        recording = record(source, tmp_path, on_error=failed.append)
    assert [sample.index for sample in recording] == [10, 12]
    assert [(error.index, error.seed) for error in failed] == [(11, 3)] * 2


def test_a_recipe_that_yields_nonsense_is_that_sample_s_error() -> None:
    failed: list[HeliographError] = []
    with local() as renderer:
        found = samples(
            renderer,
            count=3,
            randomize=lambda view: (
                replace(view, state={"ball": [0, 0, np.nan if view.index == 1 else 1]}),
                {},
            ),
            on_error=failed.append,
        )
        assert [s.index for s in found] == [0, 2]
    assert "NaN" in str(failed[0])
    assert failed[0].index == 1


def test_a_closed_renderer_ends_the_run() -> None:
    renderer = local()
    found = samples(renderer, count=8, on_error=lambda error: None)
    next(found)
    renderer.close()
    with pytest.raises(ClosedError):
        next(found)


def test_leaving_the_loop_cancels_what_was_ordered() -> None:
    with ThreadedRenderer(FakeEngine(size=SIZE, cost=0.02)) as renderer:
        found = samples(renderer, count=100, window=10)
        next(found)
        found.close()  # type: ignore[attr-defined]
        assert sum(future.cancelled() for future in renderer.submitted) >= 5
        assert len(renderer.submitted) == 10


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"count": -1}, "count: expected an integer from 0 to 2\\*\\*63 - 1, got -1"),
        ({"count": 1.5}, "count"),
        ({"count": True}, "count"),
        ({"count": 1, "seed": 2**63}, "seed"),
        ({"count": 1, "start": -1}, "start"),
        ({"count": 1, "window": 0}, "window: expected an integer from 1"),
        ({"count": 1, "state": 3}, "state: expected a function"),
        ({"count": 1, "randomize": {}}, "randomize: expected a function"),
        ({"count": 1, "randomize": lambda view: view}, "expected .view, facts"),
    ],
)
def test_wrong_arguments(wrong: dict[str, Any], message: str) -> None:
    with local() as renderer, pytest.raises(InvalidValueError, match=message):
        list(samples(renderer, **wrong))


def test_unknown_cameras_and_passes_are_told_before_anything_is_drawn() -> None:
    with local() as renderer:
        with pytest.raises(UnknownNameError, match="did you mean 'front'"):
            samples(renderer, count=1, cameras=["frond"])
        with pytest.raises(UnknownNameError, match="did you mean 'depth'"):
            samples(renderer, count=1, passes=["deppth"])  # type: ignore[list-item]


@pytest.mark.parametrize("drop_last", [False, True])
def test_batches_stack_what_samples_hold(drop_last: bool) -> None:
    cameras = ("front", "top")
    with local() as renderer:
        dataset = Dataset(renderer, 7, cameras=cameras, passes=ALL, state=ball)
        found = list(batches(dataset, 3, drop_last=drop_last))
        assert [batch["index"].tolist() for batch in found] == [[0, 1, 2], [3, 4, 5], [6]][
            : 2 if drop_last else 3
        ]
        batch, sample = found[1], dataset[4]
    assert np.array_equal(batch["frames"]["top"]["depth"][1], sample["top"].depth)
    assert batch["frames"]["front"]["rgb"].shape == (3, 12, 16, 3)
    assert batch["frames"]["front"]["K"].shape == (3, 3, 3)
    assert np.array_equal(batch["state"]["ball"][1], sample.state["ball"])
    assert batch["seed"].tolist() == [0, 0, 0]


def test_batches_hold_extras_as_lists() -> None:
    with local() as renderer:
        run = Dataset(renderer, 5, randomize=painted)
        found = list(batches(run, 2, extras=("randomization", "labels")))
        expected = [sample.randomization for sample in run]
    assert [fact for batch in found for fact in batch["randomization"]] == expected
    assert [len(batch["labels"]) for batch in found] == [2, 2, 1]
    assert found[0]["labels"][0] == renderer.labels
    assert "annotations" not in found[0]
    with pytest.raises(UnknownNameError, match="randomization"):
        batches(run, 2, extras=["randomisation"])


def test_samples_that_do_not_stack_say_why() -> None:
    small = Camera.perspective(fov_y=1, width=4, height=4, name="front")
    with local() as renderer:
        mixed = [renderer.render(View()), renderer.render(View(cameras=[small], index=1))]
        with pytest.raises(InvalidValueError, match=r"sample 1, frames, front, rgb: shape \(4, 4"):
            list(batches(mixed, 2))
        named = [renderer.render(View()), renderer.render(View(cameras=["top"]))]
        with pytest.raises(InvalidValueError, match="top do not stack with front"):
            list(batches(named, 2))
        with pytest.raises(InvalidValueError, match="size"):
            batches(mixed, 0)


def test_pixels_are_not_copied_into_the_dict() -> None:
    with local() as renderer:
        sample = renderer.render(View())
        assert as_arrays(sample)["frames"]["front"]["rgb"] is sample["front"].rgb
        assert as_arrays(sample)["seed"] == -1


def test_random_states_are_those_of_the_engine() -> None:
    with local() as renderer:
        states = random_states(renderer)
        assert states is not None
        found = [s.state["ball"].tolist() for s in samples(renderer, count=3, state=states)]
        assert len({tuple(each) for each in found}) == 3


def test_streams_are_told_apart_by_all_of_their_names() -> None:
    keys = [(0, 0, "a"), (0, 1, "a"), (1, 0, "a"), (0, 0, "b"), (2**63 - 1, 2**63 - 1, "a")]
    drawn = {tuple(stream(*key).integers(0, 2**60, 4).tolist()) for key in keys}
    assert len(drawn) == len(keys)
    assert stream(1, 2, "x").integers(0, 2**60) == stream(1, 2, "x").integers(0, 2**60)


def test_memory_of_large_batches_comes_back_once_nothing_looks_at_it() -> None:
    def address(array: NDArray[Any]) -> int:
        return int(array.__array_interface__["data"][0])

    first = array_pool.empty((64, 100, 100, 3), np.float32)
    second = array_pool.empty((64, 100, 100, 3), np.float32)
    assert not np.shares_memory(first, second)
    view, place = first[3, :50].reshape(-1), address(first)
    view[:] = 7
    del first
    gc.collect()
    assert address(array_pool.empty((64, 100, 100, 3), np.float32)) != place
    assert (view == 7).all()
    del view
    gc.collect()
    again = array_pool.empty((64 * 100, 300), np.float32)
    assert address(again) == place
    assert again.flags.writeable


def test_no_more_memory_is_kept_than_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array_pool, "KEPT", array_pool.pooled_bytes() + (5 << 20))
    arrays = [array_pool.empty((2 << 20,), np.uint8) for _ in range(6)]
    del arrays
    gc.collect()
    assert array_pool.pooled_bytes() <= array_pool.KEPT
    assert array_pool.empty((10,), np.uint8).nbytes == 10


MJCF = """<mujoco><worldbody><light pos="0 0 3"/>
<camera name="eye" pos="0 -3 0" xyaxes="1 0 0 0 0 1"/>
<body><joint name="hinge" range="-1 1" limited="true"/><joint name="slide" type="slide"/>
<geom name="box" type="box" size=".5 .2 .1"/></body></worldbody></mujoco>"""


@pytest.mark.parametrize("scene", ["fake", MJCF])
def test_random_states_are_the_same_wherever_they_are_drawn(scene: str) -> None:
    with hg.open(scene, size=SIZE) as here, hg.open(scene, size=SIZE, workers=2) as pool:
        runs = [
            list(samples(each, count=6, seed=3, start=2, passes=ALL, state=random_states(each)))
            for each in (here, pool)
        ]
        states = [[{k: v.tolist() for k, v in s.state.items()} for s in run] for run in runs]
        assert states[0] == states[1]
        assert [digest(s) for s in runs[0]] == [digest(s) for s in runs[1]]
        assert len({repr(each) for each in states[0]}) == 6
        assert len({next(iter(s)).depth.tobytes() for s in runs[1]}) == 6


def test_a_renderer_without_random_states_has_none() -> None:
    with hg.open("<mujoco/>", size=SIZE) as still:
        assert random_states(still) is not None
        assert dict(still.random_state(np.random.default_rng(0))) == {}
