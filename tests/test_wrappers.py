# mypy: allow-untyped-defs, allow-untyped-calls
"""Randomization and post-processing round any engine, wherever it draws."""

from __future__ import annotations

import numpy as np
import pytest

import heliograph as hg
from heliograph.engines.fake import FakeEngine
from heliograph.errors import UnknownNameError
from heliograph.frame import allocate
from heliograph.passes import PASSES, RGB, specs
from heliograph.scene import EditImage
from heliograph.testing import check_engine
from heliograph.view import View
from heliograph.wrappers import PostProcessingEngine

DARKER = EditImage((("brightness", {"amount": -0.5}),))
CORNERS = EditImage((("ambient_occlusion", {"intensity": 3.0, "radius": 0.6}),))


@pytest.fixture
def engine():
    made = PostProcessingEngine(FakeEngine(size=(64, 48)))
    yield made
    made.close()


def test_an_engine_that_finishes_keeps_every_promise():
    check_engine(lambda: PostProcessingEngine(FakeEngine(size=(120, 90))), edits=(DARKER,))


def test_rgb_changes_and_nothing_else(engine):
    plain, dark = (engine.render(View((), PASSES, edits=each)) for each in ((), (DARKER,)))
    (a,), (b,) = plain, dark
    assert b.rgb.mean() < 0.8 * a.rgb.mean()
    for name in PASSES.keys() - {"rgb"}:
        assert np.array_equal(a[name], b[name])


@pytest.mark.parametrize("own", [False, True])
def test_what_a_step_needs_is_drawn_but_not_delivered(engine, own):
    camera = next(iter(engine.cameras.values()))
    out = [allocate(camera, specs(RGB))] if own else None
    (frame,) = engine.render(View((), ("rgb",), edits=(CORNERS,)), out)
    (plain,) = engine.render(View((), ("rgb",)))
    assert list(frame.passes) == ["rgb"]
    assert not np.array_equal(frame.rgb, plain.rgb)
    assert out is None or frame.rgb is out[0]["rgb"]


def test_without_rgb_nothing_is_done(engine):
    (frame,) = engine.render(View((), ("depth",), edits=(DARKER,)))
    assert list(frame.passes) == ["depth"]


def test_unknown_steps_are_refused_and_the_next_view_works(engine):
    with pytest.raises(UnknownNameError, match="brightness"):
        engine.render(View(edits=(EditImage((("brightnes", {}),)),)))
    assert len(engine.render(View())) == 1


def test_workers_finish_as_this_process_does():
    view = View((), PASSES, edits=(DARKER, CORNERS), seed=1)
    with hg.open("fake", size=(64, 48)) as here, hg.open("fake", size=(64, 48), workers=1) as there:
        (a,), (b,) = here.render(view), there.render(view)
    for name in PASSES:
        assert np.array_equal(a[name], b[name])


CONFIG = {
    "randomizers": [
        {"type": "postprocess", "steps": {"brightness": {"amount": {"uniform": [-0.5, 0.5]}}}},
    ]
}


def shots(renderer):
    return [
        (sample.randomization, [frame.rgb.tobytes() for frame in sample])
        for sample in hg.samples(renderer, count=4)
    ]


def test_a_run_is_the_same_in_any_process_and_another_with_another_seed():
    with hg.open("fake", size=(64, 48), randomize=CONFIG, seed=7) as here:
        first, again = shots(here), shots(here)
        plain = here.render(View())
    with hg.open("fake", size=(64, 48), randomize=CONFIG, seed=7, workers=2) as pool:
        there = shots(pool)
    with hg.open("fake", size=(64, 48), randomize=CONFIG, seed=8) as other:
        different = shots(other)
    assert first == again == there
    assert len({pixels[0] for _, pixels in first}) == 4
    assert first != different
    assert plain.randomization == {}  # no seed, nothing drawn


def test_batches_are_randomized_entry_by_entry():
    with hg.open("fake", size=(64, 48), randomize=CONFIG) as here:
        batch = here.render_batch({"ball": np.tile((0, 0, 0.5), (3, 1)), "seed": 5})
        one = here.render(View(state={"ball": (0, 0, 0.5)}, seed=7))
    assert np.array_equal(batch["front"][2], one["front"].rgb)
    assert not np.array_equal(batch["front"][0], batch["front"][1])


def test_a_wrong_config_is_told_before_anything_is_drawn():
    with pytest.raises(UnknownNameError, match="camera_jitter"):
        hg.open("fake", randomize={"randomizers": [{"type": "camera_jiter"}]})
