# mypy: allow-untyped-defs, allow-untyped-calls
"""Randomization and post-processing round any engine, wherever it draws."""

from __future__ import annotations

import numpy as np
import pytest

import heliograph as hg
from heliograph.engine import VERSIONS_KEPT
from heliograph.engines.components import ComponentEngine
from heliograph.engines.fake import FakeEngine
from heliograph.errors import EngineError, HeliographError, InvalidValueError, UnknownNameError
from heliograph.frame import allocate
from heliograph.passes import PASSES, RGB, specs
from heliograph.randomize import (
    CameraJitter,
    Drawn,
    Materials,
    ObjectPoses,
    Randomization,
    Visibility,
)
from heliograph.scene import EditImage
from heliograph.testing import check_engine
from heliograph.view import View
from heliograph.wrappers import GROUP_NBYTES, PostProcessingEngine, RandomizedEngine
from memory import traced_peak

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


def test_memory_of_what_is_drawn_beside_is_bounded(engine):
    camera = next(iter(engine.cameras.values())).resized(128, 96)
    outs = [[allocate(camera, specs(RGB))] for _ in range(120)]
    views = [View((camera,), ("rgb",), edits=(CORNERS,), index=i) for i in range(120)]
    with traced_peak() as peak:
        outcomes = engine.render_many(iter(views), iter(outs))
    assert [sample.index for sample in outcomes] == list(range(120))
    rgb = [sample.frames[camera.name].rgb for sample in outcomes]
    assert all(array is out[0]["rgb"] for array, out in zip(rgb, outs, strict=True))
    assert peak() < 1.5 * GROUP_NBYTES < 120 * 128 * 96 * 19


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


class Fails(Randomization):
    """Draws nothing, and fails for the second view and the third."""

    def __init__(self):
        super().__init__([])

    def __call__(self, seed, index, scene):
        if index in (1, 2):
            raise ((UnknownNameError, ZeroDivisionError)[index - 1])(f"index {index}")
        return Drawn(facts={"index": index})


def one_by_one(engine, views, outs=None):
    """The outcomes, and how many views were begun when each was taken."""
    taken: list[int] = []
    drawn: list[View] = []
    render = FakeEngine.render

    def watched():
        for view in views:
            taken.append(len(drawn))
            yield view

    class Counted(FakeEngine):
        def render(self, view, out=None):
            drawn.append(view)
            return render(self, view, out)

    return engine(Counted(size=(16, 12))).render_many(watched(), outs), taken


def test_a_view_that_cannot_be_randomized_fails_alone():
    views = [View(seed=3, index=index, passes=PASSES) for index in range(5)]
    camera = FakeEngine(size=(16, 12)).cameras["front"]
    outs = [[allocate(camera, PASSES)] for _ in views]
    outs[1][0]["rgb"].fill(0)
    outcomes, taken = one_by_one(lambda engine: RandomizedEngine(engine, Fails()), views, outs)
    assert taken == [0, 1, 1, 1, 2]
    assert isinstance(outcomes[1], UnknownNameError)
    assert isinstance(outcomes[2], EngineError)
    assert "ZeroDivisionError: index 2" in str(outcomes[2])
    assert not outs[1][0]["rgb"].any()
    for index in (0, 3, 4):
        assert outcomes[index].index == index
        assert outcomes[index].randomization == {"index": index}
        assert outcomes[index]["front"].rgb is outs[index][0]["rgb"]
        assert outs[index][0]["rgb"].any()


@pytest.mark.parametrize("wrong", [("brightnes", {}), ("brightness", {"amout": 1.0})])
def test_a_picture_that_cannot_be_finished_fails_alone(wrong):
    edits = [(DARKER,), (EditImage((wrong,)),), (), (DARKER,)]
    views = [View(index=index, edits=each) for index, each in enumerate(edits)]
    outcomes, taken = one_by_one(PostProcessingEngine, views)
    assert taken == [0, 1, 2, 3]
    assert isinstance(outcomes[1], HeliographError)
    alone = PostProcessingEngine(FakeEngine(size=(16, 12)))
    for index in (0, 2, 3):
        assert outcomes[index].index == index
        assert np.array_equal(outcomes[index]["front"].rgb, alone.render(views[index])["front"].rgb)


def test_in_a_batch_of_a_pool_one_that_cannot_be_randomized_fails_alone(tmp_path):
    from PIL import Image

    for i in range(4):
        Image.fromarray(np.full((8, 8, 3), 60 * i, np.uint8)).save(tmp_path / f"{i}.png")
    textures = {"folder": str(tmp_path), "kinds": []}
    worn = {"type": "materials", "texture_probability": 1.0, "textures": textures}
    scene = hg.Scene(hg.Box(key="box"))
    with hg.open(scene, size=(8, 8), workers=1, randomize={"randomizers": [worn]}) as pool:
        (tmp_path / "2.png").unlink()
        failed = [
            i for i, f in enumerate(pool.futures(View(seed=i) for i in range(8))) if f.exception()
        ]
        assert len(failed) == 1
        with pytest.raises(HeliographError, match=rf"entry {failed[0]} of 8") as caught:
            pool.render_batch({"seed": 0, "seeds": np.arange(8)})
    assert "further" not in str(caught.value)
    assert caught.value.seed == failed[0]


SCENE = hg.Scene(
    hg.Box(key="a", position=[-0.8, 0, 0]),
    hg.Group(hg.Box(key="b", position=[0.8, 0, 0]), key="group"),
    hg.CameraView(key="ego", position=[0.1, -1, 5], width=40, height=30),
)
EVERYTHING = Randomization(
    [Materials(), Visibility(hidden=0.5), ObjectPoses(), CameraJitter()],
)
CHANGES = [
    (hg.Add(hg.Box(key="c", position=[0, 2, 0])),),
    (hg.Remove("a"),),
    (hg.Set(hg.Scene(hg.Sphere(key="ball"), hg.CameraView(key="ego", position=[0, 0, 5]))),),
]


@pytest.mark.parametrize("changes", CHANGES)
def test_an_old_version_is_randomized_as_it_was(changes):
    check_engine(lambda: RandomizedEngine(ComponentEngine(SCENE), EVERYTHING), changes=changes)


def test_an_old_version_s_cameras_are_jittered_where_they_were():
    engine = RandomizedEngine(ComponentEngine(SCENE), EVERYTHING)
    old = engine.render(View(["ego", "fit"], PASSES, seed=3, index=5))
    engine.advance([hg.Update(hg.CameraView(key="ego", position=[0.3, -2, 4])), hg.Remove("a")])
    new = engine.render(View(["ego", "fit"], PASSES, seed=3, index=5))
    again = engine.render(View(["ego", "fit"], PASSES, seed=3, index=5, scene_version=0))
    engine.close()
    for name in ("ego", "fit"):
        assert again[name].camera == old[name].camera != new[name].camera
        assert all(np.array_equal(again[name][each], old[name][each]) for each in PASSES)


def test_versions_are_randomized_as_far_as_they_are_kept():
    with hg.open("fake", size=(8, 6), randomize=CONFIG) as here:
        first = here.render(View(seed=3, scene_version=0))["front"].rgb
        for version in range(1, VERSIONS_KEPT):
            assert here.advance([]) == version
        again = here.render(View(seed=3, scene_version=0))["front"].rgb
        assert np.array_equal(first, again)
        here.advance([])
        with pytest.raises(InvalidValueError, match=r"scene_version: expected one of.*got 0"):
            here.render(View(seed=3, scene_version=0))


def changed(engine, *edits, passes=("rgb", "segmentation")):
    view = View(["ego"], passes, seed=3, index=2, edits=edits)
    return engine.render(view)["ego"]


@pytest.mark.parametrize(
    ("gone", "edit"),
    [
        ("a", hg.Remove("a")),
        ("b", hg.Remove("group")),
        ("b", hg.Update(hg.Group(hg.Box(key="d", position=[9, 9, 9]), key="group"))),
        ("b", hg.Set(hg.Scene(*[each for each in SCENE.children if each.key != "group"]))),
    ],
)
def test_what_a_view_removes_is_gone_and_all_else_is_as_drawn(gone, edit):
    drawn = Randomization([Materials(), ObjectPoses()])
    engine = RandomizedEngine(ComponentEngine(SCENE), drawn)
    table = engine.scene.objects
    left = changed(engine, edit)
    whole = changed(engine)
    engine.close()
    number = int(table.ids[table.row(gone)])
    assert (whole.segmentation == number).any()
    other = {"a", "b"}.difference({gone}).pop()
    assert {left.labels[i].name for i in np.unique(left.segmentation).tolist() if i} == {other}
    mine = whole.segmentation == int(table.ids[table.row(other)])
    assert mine.sum() > 20
    assert np.array_equal(whole.rgb[mine], left.rgb[mine])
