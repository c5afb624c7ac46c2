"""Checks of arrays: layout, ids, and passes and cameras that do not depend on their company."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import zip_longest
from math import inf

import numpy as np

from heliograph.engine import CancelToken
from heliograph.errors import HeliographError
from heliograph.frame import Frame, Sample, allocate
from heliograph.passes import PassSpec
from heliograph.testing.probe import Probe, identical, same_frames
from heliograph.testing.report import BrokenPromiseError, expect, promise
from heliograph.view import View

SIZES = ((97, 61), (33, 47), (8, 5), (1, 1))


@promise("shapes, dtypes, memory order")
def arrays_are_laid_out(probe: Probe) -> None:
    """Every pass has the shape and dtype of its spec, at any size."""
    for width, height in SIZES:
        frame = probe.frame(probe.camera.resized(width, height))
        expect(set(frame.passes) == set(probe.passes), f"passes: got {set(frame.passes)}")
        for name, array in frame.passes.items():
            _laid_out(frame, probe.specs[name], array)


def _laid_out(frame: Frame, spec: PassSpec, array: np.ndarray) -> None:
    name, shape, dtype = spec.name, spec.shape(frame.camera), spec.dtype
    right = isinstance(array, np.ndarray) and (array.shape, array.dtype) == (shape, dtype)
    came = f"{getattr(array, 'shape', array)} {getattr(array, 'dtype', '')}"
    expect(right, f"{name}: expected {shape} {dtype}, got {came}")
    expect(array.flags.c_contiguous, f"{name}: expected C-contiguous memory")


@promise("ids have labels", "segmentation")
def ids_have_labels(probe: Probe) -> None:
    """Every id in the picture is among the labels, at any size."""
    for width, height in SIZES:
        frame = probe.frame(probe.camera.resized(width, height))
        seen, known = np.unique(frame.segmentation).tolist(), probe.engine.labels
        unknown = [number for number in seen if number not in known]
        expect(not unknown, f"ids {unknown[:5]} of a {width}x{height} picture have no label")
    expect(np.ptp(probe.picture.segmentation) > 0 or probe.picture.segmentation.all(), "no ids")


@promise("each pass alone is as all together")
def passes_do_not_depend_on_each_other(probe: Probe) -> None:
    """A pass asked for alone, or in another order, is bit-identical."""
    together = probe.frame(probe.camera)
    for name in probe.passes:
        alone = probe.frame(probe.camera, (name,))
        expect(list(alone.passes) == [name], f"asked for {name}, got {list(alone.passes)}")
        identical(alone, together, "asked for alone and together")
    backwards = probe.frame(probe.camera, probe.passes[::-1])
    identical(backwards, together, "asked for in another order")


@promise("each camera alone is as all together, sizes mixed")
def cameras_do_not_depend_on_each_other(probe: Probe) -> None:
    """Cameras of several sizes in one view give what each gives alone."""
    cameras = [
        probe.camera,
        probe.turned(yaw=0.1).resized(31, 50).replace(name="small"),
        probe.turned(pitch=0.1).resized(160, 20).replace(name="wide"),
    ]
    together = probe.render(cameras)
    for camera in cameras:
        identical(together[camera.name], probe.frame(camera), f"{camera.name} together and alone")


@promise("views in one go are as one by one")
def views_together_are_as_alone(probe: Probe) -> None:
    """`render_many` is bit-identical to `render`, in given and fresh arrays; errors are results."""
    cameras = [probe.camera, probe.turned(yaw=0.1).resized(31, 50), probe.turned(roll=0.4)]
    states = (probe.setting.state, probe.setting.other_state or {})
    named = probe.specs
    views = [View((camera,), named, state) for state in states for camera in cameras]
    views.insert(1, View(("nothing is called this",), named))
    outs = [None, None, *([allocate(camera, probe.specs)] for camera in cameras[1:]), *[None] * 3]
    outcomes = probe.engine.render_many(iter(views), iter(outs))
    expect(len(outcomes) == len(views), f"expected {len(views)} outcomes, got {len(outcomes)}")
    failed = outcomes.pop(1)
    expect(isinstance(failed, HeliographError), f"expected an error for its view, got {failed!r}")
    del views[1], outs[1]
    for view, out, outcome in zip(views, outs, outcomes, strict=True):
        if not isinstance(outcome, Sample):
            raise BrokenPromiseError(f"expected a sample, got {outcome!r}")
        frame = next(iter(outcome))
        identical(frame, next(iter(probe.engine.render(view))), "in one go and alone")
        if out is not None:
            identical(Frame(frame.camera, out[0]), frame, "given arrays and the sample")


@promise("views of one go are taken one after the other")
def views_are_taken_one_by_one(probe: Probe) -> None:
    """`render_many` takes a view, then its arrays, when its drawing begins and not before."""
    taken: list[float] = []
    asked: list[int] = []

    def views() -> Iterator[View]:
        for _ in range(3):
            taken.append(time.time())
            yield View((probe.camera,), probe.specs, probe.setting.state)

    def outs() -> Iterator[None]:
        while True:
            asked.append(len(taken))
            yield None

    outcomes = probe.engine.render_many(views(), outs())
    expect(len(taken) == len(outcomes) == 3, f"expected each view once, got {len(taken)} taken")
    expect(asked == [1, 2, 3], f"expected each `out` right after its view, got them after {asked}")
    for number, (outcome, after) in enumerate(zip(outcomes, [*taken[1:], inf], strict=True)):
        begun = outcome.provenance.begun if isinstance(outcome, Sample) else inf
        timely = taken[number] <= begun <= after
        expect(timely, f"view {number}: expected it to be begun before the next one is taken")


@promise("refinement ends with the picture")
def refinement_ends_with_the_picture(probe: Probe) -> None:
    """The last sample of `refine` is what `render` gives; once cancelled nothing is yielded."""
    view = View((probe.camera,), probe.specs, probe.setting.state)
    samples = list(probe.engine.refine(view))
    expect(len(samples) > 0, "expected at least one sample")
    identical(samples[-1][probe.camera.name], probe.picture, "the last refinement and the picture")
    expect(len(samples) > 1, "expected coarser samples first, got one alone")
    told = list(probe.engine.refine(view, levels=(0.3, 1.0)))
    expect(len(told) == 2, f"expected a sample of each of two levels, got {len(told)}")
    identical(told[-1][probe.camera.name], probe.picture, "the last of two levels and the picture")
    for sample in samples:
        (width, height), most = sample[probe.camera.name].camera.size, probe.camera.size
        small = width <= most[0] and height <= most[1]
        expect(small, f"expected samples of up to {most} pixels, got {width}x{height}")
    for before in (0, 1):
        _expect_cancelled(probe, view, before)
    identical(probe.frame(probe.camera), probe.picture, "a view after a cancelled one")


def _expect_cancelled(probe: Probe, view: View, before: int) -> None:
    """Nothing more comes of a view that is cancelled after so many samples."""
    cancel = CancelToken()
    samples = probe.engine.refine(view, cancel)
    for _ in range(before):
        next(iter(samples))
    cancel.cancel()
    left = sum(1 for _ in samples)
    expect(not left, f"expected nothing once it is cancelled, got {left} more samples")


@promise("other views between two samples of a refinement do not show")
def refinements_share_nothing(probe: Probe) -> None:
    """Another view may be drawn, and another one refined, before the next sample is taken."""
    states = (probe.setting.state, probe.setting.other_state or {})
    cameras = (probe.camera, probe.turned(roll=0.4))
    views = [View((c,), probe.specs, s) for c, s in zip(cameras, states, strict=True)]
    alone = [list(probe.engine.refine(view)) for view in views]
    first, second = (probe.engine.refine(view) for view in views)
    for number, (ours, theirs) in enumerate(zip_longest(*alone)):
        for refined, expected in ((first, ours), (second, theirs)):
            probe.frame(probe.turned(pitch=0.1))
            sample = next(iter(refined), None)
            if sample is None or expected is None:
                expect(sample is expected, "expected as many samples as without other views")
            else:
                same_frames(sample, expected, f"sample {number} with other views before it")
