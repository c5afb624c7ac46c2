"""Checks of whose memory it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from heliograph.errors import HeliographError
from heliograph.frame import Frame, allocate
from heliograph.testing.probe import Probe, identical
from heliograph.testing.report import BrokenPromiseError, expect, promise


@promise("arrays belong to the caller")
def arrays_belong_to_the_caller(probe: Probe) -> None:
    """A later view does not change them, they can be written to, and writing has no effect."""
    first = probe.frame(probe.camera)
    kept = _copied(first)
    second = probe.frame(probe.turned(yaw=0.2), state=probe.setting.other_state or {})
    identical(first, kept, "a picture before and after the next view")
    for name, array in first.passes.items():
        shared = np.shares_memory(array, second[name])
        expect(not shared, f"{name}: two views share memory")
        expect(array.flags.writeable, f"{name}: expected a writable array")
        array.fill(1)
    identical(probe.frame(probe.camera), kept, "a view after an earlier result was written to")


@promise("passes and cameras do not share memory")
def arrays_are_apart(probe: Probe) -> None:
    """No two arrays of one sample share memory."""
    sample = probe.render([probe.camera, probe.camera.replace(name="twin")])
    arrays = [(frame.camera.name, n, a) for frame in sample for n, a in frame.passes.items()]
    for i, (camera, name, array) in enumerate(arrays):
        for other in arrays[:i]:
            shared = np.shares_memory(array, other[2])
            expect(not shared, f"{camera}.{name} shares memory with {other[0]}.{other[1]}")


@promise("draws into out=")
def draws_into_given_buffers(probe: Probe) -> None:
    """Given arrays are drawn into, all of them and every pixel, and stand in the frame."""
    cameras = [probe.camera, probe.turned(roll=0.5).resized(40, 30).replace(name="other")]
    out = [allocate(camera, probe.specs) for camera in cameras]
    for buffers in out:
        for array in buffers.values():
            array.view(np.uint8).fill(0xA5)
    sample, fresh = probe.render(cameras, out=out), probe.render(cameras)
    for camera, buffers in zip(cameras, out, strict=True):
        for name, array in buffers.items():
            came = sample[camera.name][name]
            same = came.shape == array.shape and np.shares_memory(came, array)
            expect(same, f"{name}: expected the buffer that was given, got another array")
        identical(Frame(camera, buffers), fresh[camera.name], "given buffers and fresh arrays")


@promise("refuses wrong buffers")
def refuses_wrong_buffers(probe: Probe) -> None:
    """Buffers of a wrong count, shape, dtype, memory order, or read-only, are refused."""
    right = allocate(probe.camera, probe.specs)
    name = probe.passes[0]
    array = right[name]
    frozen = array.copy()
    frozen.flags.writeable = False
    wrong: dict[str, list[Mapping[str, Any]]] = {
        "no buffers for a camera": [],
        "buffers for two cameras": [right, allocate(probe.camera, probe.specs)],
        "a pass missing": [{key: right[key] for key in right if key != name}],
        "another shape": [{**right, name: np.zeros((3, *array.shape), array.dtype)}],
        "another dtype": [{**right, name: np.zeros(array.shape, np.float64)}],
        "another memory order": [{**right, name: np.asfortranarray(array)}],
        "read-only memory": [{**right, name: frozen}],
    }
    for what, out in wrong.items():
        _refused(probe, what, out)
    identical(probe.frame(probe.camera), probe.picture, "a view after refused buffers")


def _refused(probe: Probe, what: str, out: list[Mapping[str, Any]]) -> None:
    try:
        probe.render(probe.camera, out=out)
    except HeliographError:
        return
    raise BrokenPromiseError(f"{what}: expected a HeliographError, got a sample")


def _copied(frame: Frame) -> Frame:
    return Frame(frame.camera, {name: array.copy() for name, array in frame.passes.items()})
