"""Checks of what an engine says about itself, and of what travels with a sample."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from heliograph.camera import Camera
from heliograph.engine import Capability, Engine
from heliograph.frame import BACKGROUND, Array
from heliograph.passes import KNOWN_PASSES, PassSpec
from heliograph.testing.probe import Probe, differs, identical
from heliograph.testing.report import expect, promise


@promise("describes itself")
def describes_itself(probe: Probe) -> None:
    """It has a scene with a hash, at least one camera, passes with specs, labels with 0."""
    engine = probe.engine
    expect(isinstance(engine, Engine), "expected the methods of heliograph.engine.Engine")
    expect(engine.scene.hash and engine.scene.source, "expected a scene with a source and a hash")
    expect(len(engine.cameras) > 0, "expected at least one camera")
    for name, camera in engine.cameras.items():
        right = isinstance(camera, Camera) and camera.name == name
        expect(right, f"cameras[{name!r}]: expected a Camera of that name, got {camera!r}")
    strange = [each for each in engine.capabilities if not isinstance(each, Capability)]
    expect(not strange, f"capabilities: expected members of Capability, got {strange}")
    for each in engine.capabilities - {Capability.RANDOM_STATE}:  # its default is for all
        own = getattr(type(engine), each.value) is not getattr(Engine, each.value)
        expect(own, f"{each}: expected a method {each.value!r} of its own, got the default")
    expect(engine.passes, "expected at least one pass")
    for name, spec in engine.passes.items():
        right = isinstance(spec, PassSpec) and spec.name == name
        expect(right, f"passes[{name!r}]: expected a PassSpec of that name, got {spec!r}")
        known = KNOWN_PASSES.get(name, spec).layout
        expect(spec.layout == known, f"passes[{name!r}]: expected {known}, got {spec.layout}")
    zero = engine.labels.get(0)
    expect(zero == BACKGROUND, f"labels[0]: expected {BACKGROUND}, got {zero}")


@promise("same scene, same hash")
def hash_belongs_to_the_scene(probe: Probe) -> None:
    """A fresh engine of the same scene has the same hash, cameras and labels."""
    before = probe.engine
    known = (before.scene.hash, dict(before.cameras), dict(before.labels))
    probe.reopen()
    after = (probe.engine.scene.hash, dict(probe.engine.cameras), dict(probe.engine.labels))
    for what, was, now in zip(("hash", "cameras", "labels"), known, after, strict=True):
        expect(was == now, f"{what}: expected {was} again in a fresh engine, got {now}")


@promise("order of cameras, seed, index and state come back")
def sample_carries_the_order(probe: Probe) -> None:
    """Frames stand in the order of the view; seed, index and state are the view's."""
    cameras = [probe.camera.replace(name=name) for name in ("b", "a", "c")]
    sample = probe.render(cameras, seed=2**62 + 1, index=12345)
    expect(list(sample.frames) == ["b", "a", "c"], f"frames: got {list(sample.frames)}")
    expect(sample.seed == 2**62 + 1, f"seed: expected {2**62 + 1}, got {sample.seed}")
    expect(sample.index == 12345, f"index: expected 12345, got {sample.index}")
    for key, value in probe.setting.state.items():
        came = sample.state.get(key)
        same = came is not None and np.array_equal(came, value)
        expect(same, f"state[{key!r}]: expected {value}, got {came}")
    expect(sample.labels == probe.engine.labels, "labels: expected the engine's")


@promise("frame.camera is the camera of the picture")
def frame_carries_its_camera(probe: Probe) -> None:
    """By value it is the one given; by name it is one that draws the very same picture."""
    frame = probe.frame(probe.camera)
    expect(frame.camera == probe.camera, f"expected {probe.camera!r}, got {frame.camera!r}")
    other = probe.setting.other_state or probe.setting.state
    for name in list(probe.engine.cameras)[:3]:
        named = probe.render(name, state=other)[name]
        expect(named.camera.name == name, f"expected camera {name!r}, got {named.camera!r}")
        known = named.camera.replace(name="by value")
        again = probe.frame(known, state=other)
        identical(named, again, f"camera {name!r} by name and by value")


@promise("without cameras the first one")
def no_camera_means_the_first(probe: Probe) -> None:
    """A view without cameras shows the scene's first."""
    first = next(iter(probe.engine.cameras))
    sample = probe.render(())
    expect(list(sample.frames) == [first], f"expected frame {first!r}, got {list(sample.frames)}")
    identical(sample[first], probe.render(first)[first], "no camera and the first camera")


@promise("the state shows")
def state_shows(probe: Probe) -> None:
    """Two states that were said to look different do."""
    other = probe.setting.other_state
    probe.need(probe.setting.told and other is not None, "no two states were given")
    a, b = probe.frame(probe.camera), probe.frame(probe.camera, state=other)
    expect(differs(a, b), "expected other_state to look different from state, got equal pictures")


@promise("random states are the generator's")
def random_states_are_the_generator_s(probe: Probe) -> None:
    """One generator, one state, in any process: as the description draws it; `render` takes it."""
    probe.need(Capability.RANDOM_STATE in probe.engine.capabilities, "it draws no random states")
    first, other = _drawn(probe, 7), _drawn(probe, 8)
    expect(first, "random_state: expected a state, got nothing")
    probe.frame(probe.camera, state=first)
    _expect_state(_drawn(probe, 7), first, "drawn again")
    probe.reopen()
    _expect_state(_drawn(probe, 7), first, "drawn by a fresh engine")
    described = probe.engine.scene.random_state(np.random.default_rng(7))
    _expect_state(described, first, "drawn from the description")
    probe.frame(probe.camera, state=other)
    same = all(np.array_equal(first[key], other[key]) for key in first.keys() & other.keys())
    expect(not same, "random_state: expected other generators to give other states")


def _drawn(probe: Probe, seed: int) -> Mapping[str, Array]:
    return probe.engine.random_state(np.random.default_rng(seed))


def _expect_state(came: Mapping[str, Array], first: Mapping[str, Array], how: str) -> None:
    same = came.keys() == first.keys() and all(np.array_equal(came[k], first[k]) for k in first)
    expect(same, f"random_state {how}: expected {first}, got {came}")
