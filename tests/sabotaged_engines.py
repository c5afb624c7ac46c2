# mypy: allow-untyped-defs, allow-untyped-calls
"""Engines with one fault each, as wrappers of a good one: the suite must find every fault."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from heliograph.camera import Projection
from heliograph.errors import ClosedError, UnknownNameError
from heliograph.frame import Frame


class Sabotaged:
    """A good engine; subclasses spoil what they override.

    Args:
        engine: the good engine.
    """

    def __init__(self, engine):
        self.good = engine

    @property
    def scene(self):
        return self.good.scene

    @property
    def cameras(self):
        return self.good.cameras

    @property
    def passes(self):
        return self.good.passes

    @property
    def labels(self):
        return self.good.labels

    def render(self, view, out=None):
        if out is not None:
            self.good.render(view, out)  # refuses what is wrong with them
        sample = self.draw(view)
        frames = {}
        for i, frame in enumerate(sample):
            passes = {name: self.spoil(name, frame) for name in frame.passes}
            if out is not None:
                passes = self.deliver(passes, out[i])
            frames[frame.camera.name] = self.framed(frame, passes)
        return replace(sample, frames=frames)

    def draw(self, view):
        return self.good.render(view)

    def spoil(self, name, frame):
        return frame[name]

    def deliver(self, passes, out):
        for name, array in passes.items():
            out[name][...] = array
        return {name: out[name] for name in passes}

    def framed(self, frame, passes):
        return Frame(frame.camera, passes, frame.labels)

    def close(self):
        self.good.close()


def directions(camera):
    """(H, W, 3) in camera axes, unit depth."""
    own = camera.moved(np.eye(4))
    pixels = own.pixel_centres()
    return own.unproject(pixels, 2.0) - own.unproject(pixels, 1.0)


class ReturnsItsOwnBuffer(Sabotaged):
    def __init__(self, engine):
        super().__init__(engine)
        self.buffers = {}

    def spoil(self, name, frame):
        kept = self.buffers.setdefault((name, frame[name].shape), frame[name])
        kept[...] = frame[name]
        return kept


class FlipsRows(Sabotaged):
    def spoil(self, name, frame):
        return np.ascontiguousarray(frame[name][::-1])


class FlipsRowsOfRgb(Sabotaged):
    def spoil(self, name, frame):
        return np.ascontiguousarray(frame[name][::-1]) if name == "rgb" else frame[name]


class MirrorsColumns(Sabotaged):
    def spoil(self, name, frame):
        return np.ascontiguousarray(frame[name][:, ::-1])


class TurnsUpsideDown(Sabotaged):
    def spoil(self, name, frame):
        return np.ascontiguousarray(frame[name][::-1, ::-1])


class DepthIsRayLength(Sabotaged):
    def spoil(self, name, frame):
        if name != "depth":
            return frame[name]
        length = np.linalg.norm(directions(frame.camera), axis=-1)
        return (frame.depth * length).astype(np.float32)


class DepthIsOnePercentOff(Sabotaged):
    def spoil(self, name, frame):
        return frame.depth * np.float32(1.01) if name == "depth" else frame[name]


class DepthOfBackgroundIsZero(Sabotaged):
    def spoil(self, name, frame):
        if name != "depth":
            return frame[name]
        return np.where(np.isinf(frame.depth), np.float32(0), frame.depth)


class DepthOfBackgroundIsFar(Sabotaged):
    def spoil(self, name, frame):
        if name != "depth":
            return frame[name]
        return np.minimum(frame.depth, np.float32(frame.camera.far))


class NormalsInWorldAxes(Sabotaged):
    def spoil(self, name, frame):
        if name != "normals":
            return frame[name]
        turn = frame.camera.world_from_camera[:3, :3].astype(np.float32)
        return np.ascontiguousarray(frame.normals @ turn.T)


class NormalsInOpenCvAxes(Sabotaged):
    def spoil(self, name, frame):
        return frame[name] * np.array([1, -1, -1], np.float32) if name == "normals" else frame[name]


class NormalsAreNotUnit(Sabotaged):
    def spoil(self, name, frame):
        return frame[name] * np.float32(0.99) if name == "normals" else frame[name]


class LeaksState(Sabotaged):
    last = None

    def draw(self, view):
        self.last = {**(self.last or {}), **view.state}
        sample = self.good.render(replace(view, state=self.last))
        return replace(sample, state=view.state)


class LeaksEdits(Sabotaged):
    edits = ()

    def draw(self, view):
        self.edits = (*self.edits, *view.edits)
        return self.good.render(replace(view, edits=self.edits))


class IgnoresState(Sabotaged):
    def draw(self, view):
        self.good.render(view)
        return replace(self.good.render(replace(view, state={})), state=view.state)


class IgnoresEdits(Sabotaged):
    def draw(self, view):
        return self.good.render(replace(view, edits=()))


class BlendsIds(Sabotaged):
    """The mean of 2 x 2 pixels, as smoothing does."""

    def spoil(self, name, frame):
        if name != "segmentation":
            return frame[name]
        return self.snapped(blended(frame.segmentation))

    def snapped(self, ids):
        return np.round(ids).astype(np.int32)


class BlendsIdsIntoKnownOnes(BlendsIds):
    """As above, and then the nearest id that has a label."""

    def snapped(self, ids):
        known = np.array(sorted(self.labels))
        return known[np.abs(ids[..., None] - known).argmin(-1)].astype(np.int32)


def blended(ids):
    rows = np.minimum(np.arange(ids.shape[0]) + 1, ids.shape[0] - 1)
    columns = np.minimum(np.arange(ids.shape[1]) + 1, ids.shape[1] - 1)
    return (ids + ids[rows] + ids[:, columns] + ids[rows][:, columns]) / 4


class ShiftsIdsOffLabels(Sabotaged):
    def spoil(self, name, frame):
        if name != "segmentation":
            return frame[name]
        return np.where(frame.segmentation > 0, frame.segmentation + 1000, 0).astype(np.int32)


class IgnoresOut(Sabotaged):
    def deliver(self, passes, out):
        return passes


class FillsOutInPart(Sabotaged):
    """Leaves the last row as it was."""

    def render(self, view, out=None):
        self.before = [{name: a.copy() for name, a in each.items()} for each in out or ()]
        return super().render(view, out)

    def deliver(self, passes, out):
        super().deliver(passes, out)
        before = next(b for b in self.before if b["rgb"].shape == out["rgb"].shape)
        for name in passes:
            out[name][-1] = before[name][-1]
        return {name: out[name] for name in passes}


class WrongDtype(Sabotaged):
    def spoil(self, name, frame):
        return frame[name].astype(np.float64) if name == "depth" else frame[name]


class WrongCameraOnTheFrame(Sabotaged):
    def framed(self, frame, passes):
        pose = np.array(frame.camera.world_from_camera)
        pose[0, 3] += 0.01
        return Frame(frame.camera.moved(pose), passes, frame.labels)


class Noisy(Sabotaged):
    def __init__(self, engine):
        super().__init__(engine)
        self.rng = np.random.default_rng()

    def spoil(self, name, frame):
        noise = self.rng.integers(0, 2, frame.rgb.shape, np.uint8) if name == "rgb" else 0
        return frame[name] ^ noise if name == "rgb" else frame[name]


class DepthDependsOnPasses(Sabotaged):
    def spoil(self, name, frame):
        if name != "depth" or "rgb" in frame.passes:
            return frame[name]
        return np.nextafter(frame.depth, np.float32(0))


class SecondCameraDependsOnTheFirst(Sabotaged):
    def render(self, view, out=None):
        self.count = 0
        return super().render(view, out)

    def framed(self, frame, passes):
        self.count += 1
        if self.count == 2:
            passes["segmentation"][-1] = 0
        return super().framed(frame, passes)


class OnePixelOff(Sabotaged):
    def spoil(self, name, frame):
        return np.roll(frame[name], 1, axis=1)


class WithAnotherCamera(Sabotaged):
    """Draws with cameras changed by `other`."""

    def draw(self, view):
        asked = view.cameras or (next(iter(self.cameras)),)
        true = [self.cameras[each] if isinstance(each, str) else each for each in asked]
        sample = self.good.render(replace(view, cameras=[self.other(each) for each in true]))
        frames = {each.name: Frame(each, sample[each.name].passes) for each in true}
        return replace(sample, frames=frames)

    def other(self, camera):
        return camera


class HalfAPixelOff(WithAnotherCamera):
    """Takes pixel centres to be at whole numbers."""

    def other(self, camera):
        return camera.replace(cx=camera.cx + 0.5, cy=camera.cy + 0.5)


class IgnoresThePrincipalPoint(WithAnotherCamera):
    def other(self, camera):
        return camera.replace(cx=camera.width / 2, cy=camera.height / 2)


class TakesPixelsForSquare(WithAnotherCamera):
    def other(self, camera):
        return camera.replace(fx=camera.fy)


class IgnoresNearAndFar(WithAnotherCamera):
    def other(self, camera):
        return camera.replace(near=0.001, far=1e4)


class KnowsPerspectiveOnly(WithAnotherCamera):
    def other(self, camera):
        distance = 3.0 if camera.projection is Projection.ORTHOGRAPHIC else 1.0
        return camera.replace(
            fx=camera.fx * distance, fy=camera.fy * distance, projection=Projection.PERSPECTIVE
        )


class SwallowsUnknownState(Sabotaged):
    def draw(self, view):
        try:
            return self.good.render(view)
        except UnknownNameError:
            return self.good.render(replace(view, state={}))


class LosesTheSeed(Sabotaged):
    def draw(self, view):
        return replace(self.good.render(view), seed=None)


class DrawsAfterClose(Sabotaged):
    def render(self, view, out=None):
        try:
            return super().render(view, out)
        except ClosedError:
            self.good = type(self.good)()
            return super().render(view, out)


class ReadOnly(Sabotaged):
    def spoil(self, name, frame):
        frame[name].flags.writeable = False
        return frame[name]


class AnswersToAnEarlierView(Sabotaged):
    """One view late, where the earlier answer fits."""

    def __init__(self, engine):
        super().__init__(engine)
        self.late = {}

    def draw(self, view):
        sample = self.good.render(view)
        frames = {each.camera.name: self.swapped(each) for each in sample}
        return replace(sample, frames=frames)

    def swapped(self, frame):
        key = (frame.camera.name, frame.camera.size, tuple(frame.passes))
        late = self.late.get(key, frame)
        self.late[key] = frame
        return Frame(frame.camera, late.passes, frame.labels)


class FillsNothingInOneGo(Sabotaged):
    """Within `together` nothing is filled, nor after."""

    within = False

    @contextmanager
    def together(self):
        self.within = True
        yield
        self.within = False

    def settle(self):
        pass

    def spoil(self, name, frame):
        return np.zeros_like(frame[name]) if self.within else frame[name]


class MixesUpWhatIsInOneGo(FillsNothingInOneGo):
    """Within `together` every view looks as the first one of its size."""

    def __init__(self, engine):
        super().__init__(engine)
        self.first = {}

    def spoil(self, name, frame):
        if not self.within:
            return frame[name]
        return self.first.setdefault((name, frame[name].shape), frame[name]).copy()
