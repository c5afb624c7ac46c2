"""A renderer in this process has the face of a pool."""

from __future__ import annotations

import inspect
import signal
from collections.abc import Iterator
from itertools import count
from queue import Queue
from typing import Any

import numpy as np
import pytest

import heliograph as hg
from heliograph.delivery.call import LocalRenderer
from heliograph.errors import HeliographError, InvalidValueError, UnknownNameError
from heliograph.pool import Pool

BAD = hg.View(cameras=["nope"])


@pytest.fixture(params=[0, 2])
def renderer(request: pytest.FixtureRequest) -> Iterator[Any]:
    with hg.open("fake", size=(16, 12), workers=request.param) as opened:
        yield opened


def test_signatures_are_alike() -> None:
    for name, wanted in vars(Pool).items():
        if name.startswith("_") or name == "stats" or not inspect.isfunction(wanted):
            continue  # statistics are of workers
        own = inspect.signature(getattr(LocalRenderer, name))
        assert list(own.parameters) == list(inspect.signature(wanted).parameters), name


@pytest.mark.parametrize("ordered", [True, False])
def test_views_are_drawn_as_they_are_asked_for(renderer: Any, *, ordered: bool) -> None:
    views = (hg.View(seed=1, index=i) for i in count())
    stream = renderer.map(views, ordered=ordered, window=2)
    assert {next(stream).index for _ in range(3)} <= set(range(5))
    stream.close()
    assert next(views).index <= 5


def test_futures_go_on_after_a_failure(renderer: Any) -> None:
    made = list(renderer.futures([hg.View(), BAD, hg.View()]))
    assert [future.exception() is None for future in made] == [True, False, True]
    with pytest.raises(UnknownNameError):
        list(renderer.map([BAD]))
    for window in (0, True, 1.5):
        with pytest.raises(InvalidValueError, match="window"):
            list(renderer.futures([hg.View()], window=window))


def test_a_sample_is_lent(renderer: Any) -> None:
    whole = renderer.render(hg.View())
    with renderer.borrow(hg.View()) as sample:
        assert np.array_equal(sample["front"].rgb, whole["front"].rgb)
    with pytest.raises(UnknownNameError), renderer.borrow(BAD):
        pass


def test_views_and_columns_are_batches(renderer: Any) -> None:
    drawn = renderer.render_batch([hg.View(), hg.View(seed=2)])
    assert [each.seed for each in drawn] == [None, 2]
    stacked = renderer.submit_batch({"seed": 0, "ball": np.zeros((3, 3))}).result()
    assert stacked["front"].shape == (3, 12, 16, 3)
    assert renderer.render_batch({"seeds": [1]})["front"].shape == (1, 12, 16, 3)
    assert renderer.render_batch([]) == []
    for wrong in ({"seeds": [1], "passes": ("nope",)}, {"seeds": [1], "cameras": ["nope"]}, {}, 5):
        with pytest.raises(HeliographError):
            renderer.submit_batch(wrong)
    with pytest.raises(InvalidValueError, match="expected a heliograph"):
        renderer.render_batch([5])


def test_a_batch_that_fails_is_told_by_its_future_and_queue(renderer: Any) -> None:
    failing = {"seeds": [1, 2], "crash": [0, 3]}
    error = renderer.submit_batch(failing).exception()
    assert "entry 1 of 2" in str(error)
    queue: Queue[Any] = Queue()
    renderer.render_batch_async(failing, queue)
    assert "entry 1 of 2" in str(queue.get(timeout=20))


def test_a_batch_reaches_the_engine_in_groups_and_is_drawn_into_what_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with hg.open("fake", size=(16, 12)) as opened:
        draw, groups, outs = opened.engine.render_many, list[int](), list[Any]()

        def watched(views: list[hg.View], given: Iterator[Any]) -> Any:
            pairs = list(zip(views, given, strict=False))
            groups.append(len(pairs))
            outs.extend(out for _, out in pairs)
            return draw([view for view, _ in pairs], [out for _, out in pairs])

        monkeypatch.setattr(opened.engine, "render_many", watched)
        balls = np.linspace(0, 1, 3 * 70).reshape(70, 3)
        whole = opened.render_batch({"seed": 0, "ball": balls})["front"]
        assert groups == [64, 6]
        assert all(np.shares_memory(out[0]["rgb"], whole[i]) for i, out in enumerate(outs))
        drawn = opened.render_batch([hg.View(state={"ball": ball}) for ball in balls])
        assert groups == [64, 6] * 2
        assert np.array_equal([sample["front"].rgb for sample in drawn], whole)
        assert all(sample.provenance.ordered > 0 for sample in drawn)


def test_what_comes_after_a_view_that_fails_is_drawn(renderer: Any) -> None:
    failing = hg.View(cameras=["nope"], seed=5, index=6)
    with pytest.raises(UnknownNameError) as caught:
        renderer.render_batch([hg.View(seed=1), failing, hg.View(seed=2), BAD])
    assert (caught.value.seed, caught.value.index) == (5, 6)
    assert renderer.render(hg.View(seed=3)).seed == 3


@pytest.mark.parametrize("act", ["close", "render"])
def test_a_signal_handler_may_close_and_may_not_draw(act: str) -> None:
    renderer = hg.open("fake", size=(16, 12))
    engine, told = renderer.engine, list[str]()
    draw = engine.render

    def handle(*_: object) -> None:
        try:
            getattr(renderer, act)(*([hg.View()] if act == "render" else []))
        except HeliographError as error:
            told.append(str(error))

    def interrupted(view: hg.View, out: Any = None) -> hg.Sample:
        signal.raise_signal(signal.SIGUSR1)
        return draw(view, out)

    engine.render = interrupted  # type: ignore[method-assign]
    before = signal.signal(signal.SIGUSR1, handle)
    try:
        assert renderer.render(hg.View(index=4)).index == 4
    finally:
        signal.signal(signal.SIGUSR1, before)
    engine.render = draw  # type: ignore[method-assign]
    if act == "render":
        assert "do not draw in signal handlers" in told[0]
        assert renderer.render(hg.View(index=5)).index == 5
    else:
        with pytest.raises(hg.ClosedError):
            renderer.render(hg.View())
    renderer.close()


def test_one_change_is_as_good_as_a_sequence() -> None:
    with hg.open(hg.Scene(hg.Box(key="b"))) as renderer:
        assert renderer.advance(hg.Remove("b")) == 1
        for wrong in (None, "b", [3]):
            with pytest.raises(InvalidValueError, match="advance: expected heliograph edits"):
                renderer.advance(wrong)  # type: ignore[arg-type]
