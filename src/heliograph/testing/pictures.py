"""Checks of arrays: layout, ids, and passes and cameras that do not depend on their company."""

from __future__ import annotations

import numpy as np

from heliograph.engine import Gathering
from heliograph.frame import PASSES, Frame
from heliograph.testing.probe import Probe, identical
from heliograph.testing.report import NothingToCheckError, expect, promise

SIZES = ((97, 61), (33, 47), (8, 5), (1, 1))


@promise("shapes, dtypes, memory order")
def arrays_are_laid_out(probe: Probe) -> None:
    """Every pass has the shape and dtype of `heliograph.frame`, at any size."""
    for width, height in SIZES:
        frame = probe.frame(probe.camera.resized(width, height))
        expect(set(frame.passes) == set(probe.passes), f"passes: got {set(frame.passes)}")
        for name, array in frame.passes.items():
            _laid_out(frame, name, array)


def _laid_out(frame: Frame, name: str, array: np.ndarray) -> None:
    shape, dtype = PASSES[name].shape(frame.camera), PASSES[name].dtype
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
    """What is drawn within `together` is complete by its end, and bit-identical."""
    engine = probe.engine
    if not isinstance(engine, Gathering):
        raise NothingToCheckError("the engine does not take several views in one go")
    picture = probe.picture
    cameras = [probe.camera, probe.turned(yaw=0.1).resized(31, 50), probe.turned(roll=0.4)]
    states = (probe.setting.state, probe.setting.other_state or {})
    views = [(camera, state) for state in states for camera in cameras]
    with engine.together():
        early = probe.frame(probe.camera)
        engine.settle()
        identical(early, picture, "settled within")
        late = [probe.frame(camera, state=state) for camera, state in views]
    for (camera, state), frame in zip(views, late, strict=True):
        identical(frame, probe.frame(camera, state=state), "in one go and alone")
