"""Checks of versions of a scene, and of what a sample says of who drew it."""

from __future__ import annotations

from typing import Any

from heliograph.engine import Capability
from heliograph.errors import HeliographError
from heliograph.testing.probe import Probe, differs, identical
from heliograph.testing.refusals import UnknownEdit
from heliograph.testing.report import BrokenPromiseError, expect, promise


@promise("a sample says who drew it, what and when")
def sample_says_who_drew_it(probe: Probe) -> None:
    """Engine, device and version are the engine's; it began and ended in this order."""
    made = probe.render(probe.camera).provenance
    own = probe.engine.provenance
    expect(own.engine, "provenance: expected the name of the engine, got nothing")
    said, known = (made.engine, made.device), (own.engine, own.device)
    expect(said == known, f"provenance: expected {known}, got {said}")
    expect(0 < made.begun <= made.done, f"provenance: begun {made.begun}, done {made.done}")
    version = probe.engine.scene.version
    expect(made.scene_version == version, f"scene_version: got {made.scene_version}, not {version}")


@promise("versions of a scene stay what they are")
def versions_stay(probe: Probe) -> None:
    """`advance` shows from the next view on; each version is the same bits however it is asked."""
    engine, changes = probe.engine, probe.setting.changes
    able = Capability.ADVANCE in engine.capabilities
    probe.need(able and changes, "its scene does not change, or no changes were given")
    probe.reopen()
    engine = probe.engine
    first, before = engine.scene.version, probe.frame(probe.camera)
    version = engine.advance(changes)
    expect(version > first, f"expected a version after {first}, got {version}")
    after = probe.render(probe.camera)
    frame = after[probe.camera.name]
    expect(differs(before, frame), "expected the changes to show, got an equal picture")
    came = after.provenance.scene_version
    expect(came == version, f"scene_version: expected {version}, got {came}")
    old = probe.render(probe.camera, scene_version=first)
    identical(old[probe.camera.name], before, "the version before, asked for by number")
    came = old.provenance.scene_version
    expect(came == first, f"scene_version: expected {first}, got {came}")
    new = probe.render(probe.camera, scene_version=version)
    identical(new[probe.camera.name], frame, "the newest version, asked for by number")
    _refused(probe, "a version that never was", scene_version=version + 1000)
    _check_refused_change(probe, version)
    identical(probe.frame(probe.camera), frame, "the newest version after refused changes")


def _check_refused_change(probe: Probe, version: int) -> None:
    """Changes of which one is refused change nothing."""
    try:
        probe.engine.advance([*probe.setting.changes, UnknownEdit()])
    except HeliographError:
        now = probe.engine.scene.version
        expect(now == version, f"expected version {version} after refused changes, got {now}")
        return
    raise BrokenPromiseError("advance: expected an unknown change to be refused")


def _refused(probe: Probe, what: str, **order: Any) -> None:
    try:
        probe.render(probe.camera, **order)
    except HeliographError:
        return
    raise BrokenPromiseError(f"{what}: expected a HeliographError, got a sample")
