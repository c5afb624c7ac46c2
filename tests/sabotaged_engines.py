# mypy: allow-untyped-defs, allow-untyped-calls
"""Engines with one fault each, as wrappers of a good one: the suite must find every fault."""

from __future__ import annotations

from dataclasses import replace
from itertools import repeat

import numpy as np

from heliograph.camera import Projection
from heliograph.engine import Capability, Engine, attempt, attempt_all, resolve_cameras
from heliograph.engines.fake import Paint
from heliograph.errors import ClosedError, HeliographError, InvalidValueError, UnknownNameError
from heliograph.frame import Frame, Provenance, Sample
from heliograph.scene import StateSpace
from heliograph.wrappers import Wrapper


class Sabotaged(Wrapper):
    """A good engine; subclasses spoil what they override.

    Args:
        engine: the good engine.
    """

    def __init__(self, engine):
        super().__init__(engine)
        self.good = engine

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

    def render_many(self, views, outs=None):
        return attempt_all(self, views, outs)

    def refine(self, view, cancel=None, levels=None):
        sizes = [camera.size for camera in resolve_cameras(view, self.cameras)]
        for sample in self.good.refine(view, cancel, levels):
            whole = [frame.camera.size for frame in sample] == sizes
            yield self.render(view) if whole else sample

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


def directions(camera):
    """(H, W, 3) in camera axes, unit depth."""
    own = camera.moved(np.eye(4))
    pixels = own.pixel_centres()
    return own.unproject(pixels, 2.0) - own.unproject(pixels, 1.0)


class SaysItCanWhatItCannot(Sabotaged):
    render_many = Engine.render_many

    @property
    def capabilities(self):
        return self.good.capabilities | {Capability.RENDER_MANY}


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


class DistanceAlongTheAxis(Sabotaged):
    def spoil(self, name, frame):
        if name != "distance":
            return frame[name]
        length = np.linalg.norm(directions(frame.camera), axis=-1)
        return (frame["distance"] / length).astype(np.float32)


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


class LeavesArraysAloneInOneGo(Sabotaged):
    """The samples of `render_many` are right, the arrays that were given are not filled."""

    def render_many(self, views, outs=None):
        return self.good.render_many(views, None if outs is None else (None for _ in outs))


class MixesUpWhatIsInOneGo(Sabotaged):
    """Within `render_many` every view looks as the first one of its size."""

    within = False

    def render_many(self, views, outs=None):
        self.within, self.first = True, {}
        try:
            return super().render_many(views, outs)
        finally:
            self.within = False

    def spoil(self, name, frame):
        if not self.within:
            return frame[name]
        return self.first.setdefault((name, frame[name].shape), frame[name]).copy()


class LastBitsDifferInOneGo(Sabotaged):
    def render_many(self, views, outs=None):
        outcomes = self.good.render_many(views, outs)
        for outcome in outcomes:
            if isinstance(outcome, Sample):
                depth = next(iter(outcome)).depth
                np.nextafter(depth, np.float32(0), out=depth)
        return outcomes


class OneErrorFailsAllInOneGo(Sabotaged):
    def render_many(self, views, outs=None):
        outcomes = self.good.render_many(views, outs)
        errors = [each for each in outcomes if not isinstance(each, Sample)]
        return errors[:1] * len(outcomes) if errors else outcomes


class RaisesInOneGo(Sabotaged):
    def render_many(self, views, outs=None):
        outs = repeat(None) if outs is None else outs
        return [self.render(view, out) for view, out in zip(views, outs, strict=False)]


class TakesAllViewsAtOnce(Sabotaged):
    def render_many(self, views, outs=None):
        outs = repeat(None) if outs is None else outs
        pairs = list(zip(views, outs, strict=False))
        return [attempt(self.render, view, out) for view, out in pairs]


class TakesArraysBeforeTheirView(Sabotaged):
    def render_many(self, views, outs=None):
        outs = repeat(None) if outs is None else outs
        return [attempt(self.render, view, out) for out, view in zip(outs, views, strict=False)]


class LastRefinementIsCoarse(Sabotaged):
    def refine(self, view, cancel=None, levels=None):
        *coarse, _ = self.good.refine(view, cancel, levels) if not cancelled(cancel) else [None]
        yield from coarse


class RefinesAfterCancel(Sabotaged):
    def refine(self, view, cancel=None, levels=None):
        del cancel
        yield from self.good.refine(view, None, levels)


class RefinesOnceMoreAfterCancel(Sabotaged):
    """Looks at the token before the first sample alone."""

    def refine(self, view, cancel=None, levels=None):
        if not cancelled(cancel):
            yield from self.good.refine(view, None, levels)


class RefinesNothing(Sabotaged):
    """Says that it refines, and yields the picture alone."""

    def refine(self, view, cancel=None, levels=None):
        if not cancelled(cancel):
            yield self.good.render(view)


class RefinesWhatIsDrawnBetween(Sabotaged):
    """Its samples show the view that was begun last."""

    def draw(self, view):
        self.begun = view
        return self.good.render(view)

    def refine(self, view, cancel=None, levels=None):
        self.begun = view
        for sample in self.good.refine(view, cancel, levels):
            whole = next(iter(sample)).camera == resolve_cameras(view, self.cameras)[0]
            yield self.good.render(self.begun) if whole else sample


def cancelled(cancel):
    return cancel is not None and cancel.cancelled


class OldVersionsShowTheNewScene(Sabotaged):
    def draw(self, view):
        sample = self.good.render(replace(view, scene_version=None))
        self.good.render(view)  # refuses versions that never were
        if view.scene_version is None:
            return sample
        return stamped(sample, scene_version=view.scene_version)


class SeedsDrawOfTheNewestScene(Sabotaged):
    """What a seed draws depends on the version that is the newest."""

    def draw(self, view):
        if view.seed is None:
            return self.good.render(view)
        red = np.random.default_rng((view.seed, view.index, self.good.scene.version)).random()
        sample = self.good.render(replace(view, edits=(*view.edits, Paint("ball", (red, 0, 0)))))
        return replace(sample, state=view.state)


class AdvancesInPart(Sabotaged):
    """Changes before the one that is refused stay."""

    def __init__(self, engine):
        super().__init__(engine)
        self.kept = ()

    def advance(self, changes):
        try:
            return self.good.advance(changes)
        except HeliographError:
            self.kept = changes[:-1]
            raise

    def draw(self, view):
        sample = self.good.render(replace(view, edits=(*self.kept, *view.edits)))
        return replace(sample, state=view.state)


class CountsRefusedChanges(Sabotaged):
    def advance(self, changes):
        try:
            return self.good.advance(changes)
        except HeliographError:
            self.good.advance(())
            raise


class SamplesSayAnotherVersion(Sabotaged):
    def draw(self, view):
        return stamped(self.good.render(view), scene_version=0)


class ChangesDoNotShow(Sabotaged):
    def draw(self, view):
        sample = self.good.render(view)
        first = self.good.render(replace(view, scene_version=0))
        return replace(sample, frames=first.frames)


class SwallowsChanges(Sabotaged):
    """Says that its scene does not change, and takes changes in silence."""

    capabilities = frozenset()

    def refine(self, view, cancel=None, levels=None):
        return Engine.refine(self, view, cancel, levels)


class DrawsVersionsThatNeverWere(Sabotaged):
    def draw(self, view):
        try:
            return self.good.render(view)
        except InvalidValueError:
            return self.good.render(replace(view, scene_version=None))


class NumbersAnew(Sabotaged):
    """Another version's objects have ids that others had."""

    @property
    def scene(self):
        scene = self.good.scene
        if not scene.version:
            return scene
        return replace(scene, objects=replace(scene.objects, ids=scene.objects.ids[::-1].copy()))


class KeepsItsHash(Sabotaged):
    def __init__(self, engine):
        super().__init__(engine)
        self.hash = engine.scene.hash

    @property
    def scene(self):
        return replace(self.good.scene, hash=self.hash)


def stamped(sample, **changes):
    return replace(sample, provenance=replace(sample.provenance, **changes))


class NoEngineName(Sabotaged):
    provenance = Provenance()

    def draw(self, view):
        return stamped(self.good.render(view), engine="", device="")


class SaysAnotherDevice(Sabotaged):
    def draw(self, view):
        return stamped(self.good.render(view), device="another")


class DoneBeforeBegun(Sabotaged):
    def draw(self, view):
        sample = self.good.render(view)
        made = sample.provenance
        return stamped(sample, done=made.begun - 1e-6)


class PassesAsSaidWrong(Sabotaged):
    """Its depth is float32, its spec says float64."""

    @property
    def passes(self):
        wrong = replace(self.good.passes["depth"], dtype=np.dtype(np.float64))
        return {**self.good.passes, "depth": wrong}


class SpecsUnderAnotherName(Sabotaged):
    @property
    def passes(self):
        known = dict(self.good.passes)
        return {**known, "depth": replace(known["depth"], name="deep")}


class WithAnotherTable(Sabotaged):
    """Its object table is changed by `other`."""

    @property
    def scene(self):
        return replace(self.good.scene, objects=self.other(self.good.scene.objects))

    def other(self, table):
        return table


class IdsTwice(WithAnotherTable):
    def other(self, table):
        return replace(table, ids=np.where(np.arange(len(table)) < 2, table.ids[0], table.ids))


class LabelsAreNotTheTables(Sabotaged):
    """The picture's ids have labels, and the object table calls them otherwise."""

    @property
    def scene(self):
        table = self.good.scene.objects
        named = tuple(f"{name}'s twin" for name in table.names)
        return replace(self.good.scene, objects=replace(table, names=named))


class ParentsAreNotThere(WithAnotherTable):
    def other(self, table):
        return replace(table, parents=np.full(len(table), 4711, np.int32))


class ObjectsBelowThemselves(WithAnotherTable):
    def other(self, table):
        return replace(table, parents=np.roll(table.ids, 1))


class BoxesInsideOut(WithAnotherTable):
    def other(self, table):
        return replace(table, boxes=table.boxes[:, ::-1].copy())


class BoxesAreTooSmall(WithAnotherTable):
    def other(self, table):
        return replace(table, boxes=0.97 * table.boxes)


class BoxesStandElsewhere(WithAnotherTable):
    def other(self, table):
        poses = np.array(table.poses)
        poses[:, :3, 3] += 0.02
        return replace(table, poses=poses)


class RandomStatesOfItsOwn(Sabotaged):
    """Takes its random numbers from elsewhere as well."""

    rng = np.random.default_rng(1)

    def random_state(self, rng):
        return self.good.random_state(self.rng)


class RandomStatesTheSame(Sabotaged):
    def random_state(self, rng):
        return self.good.scene.space.rest


class RandomStatesOthersThanDescribed(Sabotaged):
    def random_state(self, rng):
        rng.random()
        return self.good.random_state(rng)


class RandomStatesNobodyKnows(Sabotaged):
    def random_state(self, rng):
        return {"nobody": rng.random(3)}

    @property
    def scene(self):
        none = np.zeros(3)
        space = StateSpace(ranges={"nobody": (none, none + 1)})
        return replace(self.good.scene, space=space)


class HeatIsWide(Sabotaged):
    """A pass of its own is float64, its spec says float32."""

    def spoil(self, name, frame):
        return frame[name].astype(np.float64) if name == "heat" else frame[name]


class HeatLacksAChannel(Sabotaged):
    def spoil(self, name, frame):
        return frame[name][..., :1].copy() if name == "heat" else frame[name]


class HeatOfNothingIsZero(Sabotaged):
    def spoil(self, name, frame):
        return np.nan_to_num(frame[name], nan=0.0) if name == "heat" else frame[name]
