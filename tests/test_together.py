# mypy: allow-untyped-defs, allow-untyped-calls
"""Several views in one go: pictures may come late, and are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import heliograph as hg
from engine_contract import CASES, MJCF
from heliograph.delivery.batch import render_batch
from heliograph.engine import Gathering, together
from heliograph.engines.components import ComponentEngine
from heliograph.engines.fake import FakeEngine
from heliograph.engines.mujoco import MujocoEngine
from heliograph.errors import ClosedError, InvalidValueError
from heliograph.frame import Buffers, allocate
from heliograph.passes import PASSES
from heliograph.raster import RasterOptions
from heliograph.raster.gl import readback
from heliograph.scene import Box, EditImage, Scene, Sphere
from heliograph.testing import Verdict, check_engine
from heliograph.wrappers import PostProcessingEngine

ALL = tuple(PASSES)
LATE = RasterOptions(readback="deferred")
EMPTY = 0xA5


@pytest.fixture
def engine():
    made = MujocoEngine(MJCF, size=(60, 45), options=LATE)
    yield made
    made.close()


def blank(engine: Any, name: str = "front") -> list[Buffers]:
    out = allocate(engine.cameras[name], ALL)
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


def test_engines_keep_their_promises_when_pictures_come_late():
    case = CASES["mujoco"]
    found = check_engine(lambda: MujocoEngine(MJCF, size=(120, 90), options=LATE), **case.told)
    assert "views_together_are_as_alone" in found.of(Verdict.PASSED)
    tree = Scene(Box(key="box"), Sphere(key="ball", position=[0.4, -0.6, 0.5]))
    found = check_engine(lambda: ComponentEngine(tree, options=LATE))
    assert "views_together_are_as_alone" in found.of(Verdict.PASSED)


def test_nothing_is_waited_for_within_and_all_is_there_after(engine):
    turns = [0.1 * i for i in range(9)]
    outs = [blank(engine) for _ in turns]
    with engine.together():
        for turn, out in zip(turns, outs, strict=True):
            engine.render(view(turn), out)
        assert all(is_blank(out) for out in outs)
    for turn, out in zip(turns, outs, strict=True):
        assert same(out, engine.render(view(turn)))


def test_only_the_outermost_end_waits(engine):
    out, other, expected = blank(engine), blank(engine), engine.render(view(0.3))
    with engine.together():
        with engine.together():
            engine.render(view(0.3), out)
        assert is_blank(out)
        engine.settle()
        assert same(out, expected)
        engine.render(view(0.5), other)
    assert not is_blank(other)


def test_more_than_may_wait_comes_over_in_between(engine, monkeypatch):
    outs = [blank(engine) for _ in range(7)]
    monkeypatch.setattr(readback, "_MOST", int(2.5 * sum(a.nbytes for a in outs[0][0].values())))
    with engine.together():
        for i, out in enumerate(outs):
            engine.render(view(0.2 * i), out)
        assert [is_blank(out) for out in outs] == [False] * 6 + [True]
    assert all(same(out, engine.render(view(0.2 * i))) for i, out in enumerate(outs))


def test_a_view_that_fails_leaves_its_arrays_alone_and_harms_no_other(engine):
    first, failed, last = blank(engine), blank(engine), blank(engine)
    shallow = engine.cameras["front"].resized(60, 45)
    twice = [*failed, *blank(engine)]
    deep = [shallow, shallow.replace(near=1e-20, far=1e20, name="deep")]
    with engine.together():
        engine.render(view(0.1), first)
        with pytest.raises(InvalidValueError, match="too far apart"):
            engine.render(view(0.2, cameras=deep), twice)
        engine.render(view(0.3), last)
    assert is_blank(failed)
    assert same(first, engine.render(view(0.1)))
    assert same(last, engine.render(view(0.3)))


def test_an_error_within_still_fills_what_was_drawn(engine):
    out = blank(engine)

    def fail():
        engine.render(view(0.1), out)
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"), engine.together():
        fail()
    assert same(out, engine.render(view(0.1)))


def test_what_is_done_to_a_picture_is_done_to_all_of_it(engine):
    finishing = PostProcessingEngine(engine)
    darker = EditImage((("brightness", {"amount": -0.2}),))
    outs = [blank(engine) for _ in range(3)]
    with together(finishing):
        for i, out in enumerate(outs):
            finishing.render(view(0.1 * i, edits=[darker]), out)
    for i, out in enumerate(outs):
        assert same(out, finishing.render(view(0.1 * i, edits=[darker])))
        assert not np.array_equal(out[0]["rgb"], engine.render(view(0.1 * i))["front"].rgb)


def test_engines_that_draw_at_once_are_given_one_view_after_the_other():
    engine = FakeEngine(size=(20, 15))
    assert not isinstance(engine, Gathering)
    with together(engine):
        frame = next(iter(engine.render(hg.View())))
    assert frame.rgb.any()


def test_closed_engines_say_so(engine):
    engine.close()
    with pytest.raises(ClosedError):
        engine.together()
    with pytest.raises(ClosedError):
        engine.settle()


def test_workers_draw_batches_in_one_go():
    batch = {"qpos": np.linspace(0, 1, 11)[:, None], "seed": 1, "passes": ALL, "cameras": ["front"]}
    with hg.open(MJCF, engine="mujoco", size=(60, 45)) as local:
        expected = render_batch(local, batch)
    with hg.open(MJCF, engine="mujoco", size=(60, 45), readback="deferred", workers=2) as pool:
        found = render_batch(pool, batch)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[key], expected[key]) for key in expected)


def test_a_view_that_fails_after_others_had_to_come_over_leaves_its_arrays_alone(
    engine, monkeypatch
):
    first, failed = blank(engine), [*blank(engine), *blank(engine)]
    monkeypatch.setattr(readback, "_MOST", 1)
    good = engine.cameras["front"].resized(60, 45)
    deep = [good, good.replace(near=1e-20, far=1e20, name="deep")]
    with engine.together():
        engine.render(view(0.1), first)
        with pytest.raises(InvalidValueError, match="too far apart"):
            engine.render(view(0.2, cameras=deep), failed)
    assert is_blank(failed)
    assert same(first, engine.render(view(0.1)))
