"""Checks of versions of a scene, and of what a sample says of who drew it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from heliograph.engine import Capability
from heliograph.errors import HeliographError
from heliograph.frame import Frame
from heliograph.scene import Edit, ObjectTable
from heliograph.testing.probe import Probe, differs, identical
from heliograph.testing.refusals import UnknownEdit
from heliograph.testing.report import BrokenPromiseError, expect, promise

_SEEDED: dict[str, Any] = {"seed": 3, "index": 5}
"""Of a view that an engine draws at random, where it does."""


@promise("a sample says who drew it, what and when")
def sample_says_who_drew_it(probe: Probe) -> None:
    """Engine, device and version are the engine's; it began and ended in this order, just now."""
    before = time.time()
    made = probe.render(probe.camera).provenance
    after = time.time()
    own = probe.engine.provenance
    expect(own.engine, "provenance: expected the name of the engine, got nothing")
    said, known = (made.engine, made.device), (own.engine, own.device)
    expect(said == known, f"provenance: expected {known}, got {said}")
    expect(
        before <= made.begun <= made.done <= after,
        f"provenance: expected {before} <= begun <= done <= {after} (time.time()), got begun "
        f"{made.begun}, done {made.done}",
    )
    _expect_version(made.scene_version, probe.engine.scene.version)


@promise("a scene that does not change says so")
def refuses_changes_it_cannot_make(probe: Probe) -> None:
    """Without `Capability.ADVANCE` changes are refused, not left out in silence."""
    able = Capability.ADVANCE in probe.engine.capabilities
    probe.need(not able, "its scene can change")
    _expect_refused_change(probe, probe.setting.changes or probe.setting.edits)
    identical(probe.frame(probe.camera), probe.picture, "a view after refused changes")


@promise("versions of a scene stay what they are")
def versions_stay(probe: Probe) -> None:
    """`advance` shows from the next view on; each version is the same bits however it is asked.

    Ids mean what they meant, changes of which one is refused change nothing, and what a view's
    seed draws stays too.
    """
    changes = probe.setting.changes
    able = Capability.ADVANCE in probe.engine.capabilities
    probe.need(able and changes, "its scene does not change, or no changes were given")
    probe.reopen()
    engine = probe.engine
    old, before = engine.scene, probe.frame(probe.camera)
    drawn = probe.frame(probe.camera, **_SEEDED)
    _expect_refused_change(probe, [*changes, UnknownEdit()])
    identical(probe.frame(probe.camera), before, "the scene after changes of which one is refused")
    version = engine.advance(changes)
    expect(version > old.version, f"expected a version after {old.version}, got {version}")
    _expect_version(engine.scene.version, version)
    expect(
        engine.scene.hash != old.hash, "expected another hash of the changed scene, got the same"
    )
    _expect_same_ids(old.objects, engine.scene.objects)
    after = _version(probe, None, version)
    expect(differs(before, after), "expected the changes to show, got an equal picture")
    identical(_version(probe, old.version, old.version), before, "the old version by its number")
    seeded = _version(probe, old.version, old.version, **_SEEDED)
    identical(seeded, drawn, "the old version with a seed")
    identical(_version(probe, version, version), after, "the newest version by its number")
    identical(_version(probe, None, version), after, "the newest version after the old one")
    _refused(probe, "a version that never was", scene_version=version + 1000)
    _expect_refused_change(probe, [*changes, UnknownEdit()])
    identical(probe.frame(probe.camera), after, "the newest version after refused changes")


def _version(probe: Probe, asked: int | None, expected: int, **order: Any) -> Frame:
    """The picture of a version, which the sample must say it is."""
    sample = probe.render(probe.camera, scene_version=asked, **order)
    _expect_version(sample.provenance.scene_version, expected)
    return sample[probe.camera.name]


def _expect_version(came: int, expected: int) -> None:
    expect(came == expected, f"scene version: expected {expected}, got {came}")


def _expect_same_ids(old: ObjectTable, new: ObjectTable) -> None:
    """An id that stands in both tables means the same thing."""
    known = set(old.ids.tolist())
    meant = {(thing.id, thing.name, thing.category) for thing in old}
    for thing in new:
        came = (thing.id, thing.name, thing.category)
        same = thing.id not in known or came in meant
        expect(same, f"expected an id that nothing had before for what is new, got {came}")


def _expect_refused_change(probe: Probe, changes: Sequence[Edit]) -> None:
    """Changes of which one is refused make no version."""
    before = probe.engine.scene
    try:
        probe.engine.advance(changes)
    except HeliographError:
        after = probe.engine.scene
        _expect_version(after.version, before.version)
        expect(after.hash == before.hash, "expected refused changes to keep the hash")
        return
    raise BrokenPromiseError("advance: expected the changes to be refused, got a version")


def _refused(probe: Probe, what: str, **order: Any) -> None:
    try:
        probe.render(probe.camera, **order)
    except HeliographError:
        return
    raise BrokenPromiseError(f"{what}: expected a HeliographError, got a sample")
