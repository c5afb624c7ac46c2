"""Checks that nothing but the view enters a pixel."""

from __future__ import annotations

from heliograph.testing.probe import Probe, differs, identical
from heliograph.testing.report import expect, promise


@promise("the same view twice is the same bits")
def same_view_same_bits(probe: Probe) -> None:
    """A view drawn again at once is bit-identical."""
    identical(probe.frame(probe.camera), probe.frame(probe.camera), "one view drawn twice")


@promise("no state leaks into the next view")
def no_state_leaks(probe: Probe) -> None:
    """States A, B, A: both A are bit-identical, also where A leaves out keys that B gives."""
    other = probe.setting.other_state
    probe.need(other is not None, "no other state is known")
    for state in (probe.setting.state, {}, {**(other or {}), **probe.setting.state}):
        probe.reopen()  # what has leaked already would leak into both
        before = probe.frame(probe.camera, state=state)
        probe.frame(probe.camera, state=other)
        after = probe.frame(probe.camera, state=state)
        identical(before, after, "one state before and after another")


@promise("no edit leaks into the next view")
def no_edit_leaks(probe: Probe) -> None:
    """A view without edits is bit-identical before and after one with; and edits do show."""
    edits = probe.setting.edits
    probe.need(edits, "no edits were given")
    probe.reopen()
    before = probe.frame(probe.camera)
    edited = probe.frame(probe.camera, edits=edits)
    expect(differs(before, edited), "expected the edits to show, got an equal picture")
    identical(before, probe.frame(probe.camera), "no edits before and after edits")
    identical(edited, probe.frame(probe.camera, edits=edits), "edits drawn twice")


@promise("sizes, cameras and passes of other views do not matter")
def history_of_cameras_does_not_matter(probe: Probe) -> None:
    """Other cameras, sizes, passes and indices in between change nothing."""
    before = probe.frame(probe.camera)
    probe.frame(probe.camera.resized(200, 150))
    probe.frame(probe.turned(yaw=0.3, pitch=-0.1))
    probe.frame(probe.parallel(), probe.passes[-1:])
    probe.frame(probe.camera.resized(3, 2), probe.passes[:1], index=9, seed=9)
    identical(before, probe.frame(probe.camera), "one view before and after others")


@promise("a fresh engine gives the same bits")
def fresh_engine_same_bits(probe: Probe) -> None:
    """Engines with different pasts draw a view bit-identically, in any order of views."""
    other = probe.setting.other_state or {}
    first = probe.frame(probe.camera)
    second = probe.frame(probe.turned(roll=0.4), state=other)
    probe.reopen()
    identical(probe.frame(probe.turned(roll=0.4), state=other), second, "a fresh engine")
    identical(probe.frame(probe.camera), first, "a fresh engine, other order of views")
