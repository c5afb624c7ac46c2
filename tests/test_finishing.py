# mypy: allow-untyped-defs, allow-untyped-calls
"""EditImage over any engine: rgb changes, nothing else does, wherever it is drawn."""

from __future__ import annotations

import numpy as np
import pytest

import heliograph as hg
from heliograph.engines.fake import FakeEngine
from heliograph.errors import UnknownNameError
from heliograph.finishing import Finishing
from heliograph.frame import allocate
from heliograph.scene import EditImage
from heliograph.testing import check_engine
from heliograph.view import View

PASSES = ("rgb", "depth", "normals", "segmentation")
DARKER = EditImage((("brightness", {"amount": -0.5}),))
CORNERS = EditImage((("ambient_occlusion", {"intensity": 3.0, "radius": 0.6}),))


@pytest.fixture
def engine():
    made = Finishing(FakeEngine(size=(64, 48)))
    yield made
    made.close()


def test_an_engine_that_finishes_keeps_every_promise():
    check_engine(lambda: Finishing(FakeEngine(size=(120, 90))), edits=(DARKER,))


def test_rgb_changes_and_nothing_else(engine):
    plain, dark = (engine.render(View((), PASSES, edits=each)) for each in ((), DARKER))
    (a,), (b,) = plain, dark
    assert b.rgb.mean() < 0.8 * a.rgb.mean()
    for name in PASSES[1:]:
        assert np.array_equal(a[name], b[name])


@pytest.mark.parametrize("own", [False, True])
def test_what_a_step_needs_is_drawn_but_not_delivered(engine, own):
    camera = next(iter(engine.cameras.values()))
    out = [allocate(camera, ("rgb",))] if own else None
    (frame,) = engine.render(View((), ("rgb",), edits=CORNERS), out)
    (plain,) = engine.render(View((), ("rgb",)))
    assert list(frame.passes) == ["rgb"]
    assert not np.array_equal(frame.rgb, plain.rgb)
    assert out is None or frame.rgb is out[0]["rgb"]


def test_without_rgb_nothing_is_done(engine):
    (frame,) = engine.render(View((), ("depth",), edits=DARKER))
    assert list(frame.passes) == ["depth"]


def test_unknown_steps_are_refused_and_the_next_view_works(engine):
    with pytest.raises(UnknownNameError, match="brightness"):
        engine.render(View(edits=EditImage((("brightnes", {}),))))
    assert len(engine.render(View())) == 1


def test_workers_finish_as_this_process_does():
    view = View((), PASSES, edits=(DARKER, CORNERS), seed=1)
    with hg.open("fake", size=(64, 48)) as here, hg.open("fake", size=(64, 48), workers=1) as there:
        (a,), (b,) = here.render(view), there.render(view)
    for name in PASSES:
        assert np.array_equal(a[name], b[name])
