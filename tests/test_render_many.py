# mypy: allow-untyped-defs, allow-untyped-calls
"""Many views in one call: pictures may come late, and are the same as one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import heliograph as hg
from engine_contract import CASES, MJCF
from heliograph.delivery.batch import render_batch
from heliograph.engines.fake import FakeEngine
from heliograph.engines.mujoco import MujocoEngine
from heliograph.errors import ClosedError, EngineError, InvalidValueError
from heliograph.frame import Buffers, allocate
from heliograph.passes import PASSES
from heliograph.raster import RasterOptions
from heliograph.raster.gl import readback
from heliograph.scene import EditImage
from heliograph.testing import Verdict, check_engine
from heliograph.wrappers import PostProcessingEngine

ALL = tuple(PASSES)
LATE = RasterOptions(backend="gl", readback="deferred")
EMPTY = 0xA5


@pytest.fixture
def engine():
    made = MujocoEngine(MJCF, size=(60, 45), options=LATE)
    yield made
    made.close()


def blank(engine: Any, name: str = "front") -> list[Buffers]:
    out = allocate(engine.cameras[name], PASSES)
    for array in out.values():
        array.view(np.uint8).fill(EMPTY)
    return [out]


def is_blank(out: list[Buffers]) -> bool:
    return all((array.view(np.uint8) == EMPTY).all() for each in out for array in each.values())


def view(turn: float, **changes: Any) -> hg.View:
    return hg.View(**{"cameras": ["front"], "passes": ALL, "state": {"qpos": [turn]}, **changes})


def same(out: list[Buffers], sample: hg.Sample) -> bool:
    return all(
        np.array_equal(array, frame[name])
        for each, frame in zip(out, sample, strict=True)
        for name, array in each.items()
    )


def watched(views, outs, seen):
    """The views; before each and at the end, which arrays are blank goes to `seen`."""
    for each in views:
        seen.append([is_blank(out) for out in outs])
        yield each
    seen.append([is_blank(out) for out in outs])


def too_deep(engine: Any, turn: float) -> hg.View:
    """A view of two cameras whose ranges are too far apart to be drawn."""
    front = engine.cameras["front"].resized(60, 45)
    return view(turn, cameras=[front, front.replace(near=1e-20, far=1e20, name="deep")])


def test_engines_keep_their_promises_when_pictures_come_late():
    case = CASES["mujoco gl"]
    found = check_engine(lambda: MujocoEngine(MJCF, size=(120, 90), options=LATE), **case.told)
    assert "views_together_are_as_alone" in found.of(Verdict.PASSED)


def test_nothing_is_waited_for_within_and_all_is_there_after(engine):
    turns = [0.1 * i for i in range(9)]
    outs = [blank(engine) for _ in turns]
    seen: list[list[bool]] = []
    outcomes = engine.render_many(watched(map(view, turns), outs, seen), outs)
    assert seen == [[True] * 9] * 10
    for turn, out, outcome in zip(turns, outs, outcomes, strict=True):
        assert same(out, outcome)
        assert same(out, engine.render(view(turn)))


def test_more_than_may_wait_comes_over_in_between(engine, monkeypatch):
    outs = [blank(engine) for _ in range(7)]
    monkeypatch.setattr(readback, "_MOST", int(2.5 * sum(a.nbytes for a in outs[0][0].values())))
    seen: list[list[bool]] = []
    views = [view(0.2 * i) for i in range(7)]
    engine.render_many(watched(views, outs, seen), outs)
    assert seen[-1] == [False] * 6 + [True]
    for each, out in zip(views, outs, strict=True):
        assert same(out, engine.render(each))


@pytest.mark.parametrize("most", [readback._MOST, 1])
def test_a_view_that_fails_leaves_its_arrays_alone_and_harms_no_other(engine, monkeypatch, most):
    monkeypatch.setattr(readback, "_MOST", most)
    first, failed, last = blank(engine), [*blank(engine), *blank(engine)], blank(engine)
    views = [view(0.1), too_deep(engine, 0.2), view(0.3)]
    good, error, other = engine.render_many(views, [first, failed, last])
    assert isinstance(error, InvalidValueError)
    assert "too far apart" in str(error)
    assert is_blank(failed)
    assert same(first, good)
    assert same(last, other)
    assert same(first, engine.render(views[0]))
    assert same(last, engine.render(views[2]))


def test_an_error_of_the_views_themselves_still_fills_what_was_drawn(engine):
    out = blank(engine)

    def views():
        yield view(0.1)
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        engine.render_many(views(), [out, out])
    assert same(out, engine.render(view(0.1)))


def test_what_is_done_to_a_picture_is_done_to_all_of_it(engine):
    finishing = PostProcessingEngine(engine)
    darker = EditImage((("brightness", {"amount": -0.2}),))
    outs = [blank(engine) for _ in range(3)]
    views = [view(0.1 * i, edits=[darker]) for i in range(3)]
    finishing.render_many(views, outs)
    for i, (each, out) in enumerate(zip(views, outs, strict=True)):
        assert same(out, finishing.render(each))
        assert not np.array_equal(out[0]["rgb"], engine.render(view(0.1 * i))["front"].rgb)


def test_engines_that_draw_at_once_are_given_one_view_after_the_other():
    engine = FakeEngine(size=(20, 15))
    drawn: list[int] = []

    def views():
        for index in range(3):
            drawn.append(index)
            yield hg.View(index=index)

    samples = engine.render_many(views())
    assert drawn == [0, 1, 2]
    assert [sample.index for sample in samples if isinstance(sample, hg.Sample)] == drawn


def test_whatever_one_view_raises_is_an_outcome_of_its_own():
    class Breaks(FakeEngine):
        def render(self, view, out=None):
            return 1 // view.index and super().render(view, out)

    first, second = Breaks(size=(8, 6)).render_many([hg.View(), hg.View(index=1)])
    assert isinstance(first, EngineError)
    assert "ZeroDivisionError" in str(first)
    assert isinstance(second, hg.Sample)


@pytest.mark.parametrize("wrap", [lambda engine: engine, PostProcessingEngine])
def test_fewer_arrays_than_views_are_an_error(engine, wrap):
    wrapped, outs = wrap(engine), [blank(engine), None]
    with pytest.raises(InvalidValueError, match=r"outs: expected one for each view, got 2 and"):
        wrapped.render_many(iter([view(0.1), view(0.2), view(0.3)]), iter(outs))
    assert len(wrapped.render_many([view(0.1)], outs)) == 1


def test_closed_engines_say_so(engine):
    engine.close()
    with pytest.raises(ClosedError):
        engine.render_many([view(0.1)])


def test_workers_draw_batches_in_one_go():
    batch = {"qpos": np.linspace(0, 1, 11)[:, None], "seed": 1, "passes": ALL, "cameras": ["front"]}
    on_gl: Any = {"engine": "mujoco", "size": (60, 45), "backend": "gl"}
    with hg.open(MJCF, **on_gl) as local:
        expected = render_batch(local, batch)
    with hg.open(MJCF, **on_gl, readback="deferred", workers=2) as pool:
        found = render_batch(pool, batch)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[key], expected[key]) for key in expected)
