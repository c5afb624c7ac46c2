"""Running the checks."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from heliograph.camera import Camera
from heliograph.engine import Capability, Engine
from heliograph.errors import UnknownNameError
from heliograph.scene import Edit

# The order of imports is the order in which the checks run.
from heliograph.testing import (  # noqa: F401
    described,
    geometry,
    history,
    lenses,
    normals,
    objects,
    ownership,
    pictures,
    refusals,
    versions,
)
from heliograph.testing.probe import Probe, Setting
from heliograph.testing.report import (
    CHECKS,
    BrokenPromiseError,
    Check,
    ContractError,
    NothingToCheckError,
    Outcome,
    Report,
    Verdict,
)

_LAST = ("closed_means_closed",)


def check_engine(  # noqa: PLR0913 -- what is told about a scene
    factory: Callable[[], Engine],
    *,
    state: Mapping[str, Any] | None = None,
    other_state: Mapping[str, Any] | None = None,
    edits: Sequence[Edit] = (),
    changes: Sequence[Edit] = (),
    camera: Camera | str | None = None,
    skip: Collection[str] = (),
) -> Report:
    """Check that an engine keeps its promises.

    The scene must show something from the camera, best several things at several depths, and
    need not be known otherwise: pictures are compared with other pictures of the same engine.

    Args:
        factory: makes a fresh engine of always the same scene; no two are open at a time.
        state: a state to look at; the scene's own without it.
        other_state: one that looks different; without it a random one where the engine has
            `random_state(rng)`.
        edits: edits the engine knows, which change the picture.
        changes: what `advance` takes, which change the picture.
        camera: where to look from, by name or by value; the scene's first without it.
        skip: names of checks to leave out; they are reported as skipped.

    Returns:
        What came of every check.

    Raises:
        ContractError: lists every broken promise, with what was expected and what came.
        UnknownNameError: `skip` names no check.
    """
    for name in skip:
        if name not in CHECKS:
            raise UnknownNameError.of("check", name, CHECKS)
    began = time.perf_counter()
    setting = _setting(factory, state, other_state, edits)
    probe = Probe(factory, setting._replace(changes=changes, camera=camera))
    try:
        outcomes = {check.name: _outcome(check, probe, skip) for check in _ordered()}
    finally:
        probe.engine.close()
    report = Report(outcomes, probe.passes, time.perf_counter() - began)
    if report.of(Verdict.FAILED):
        raise ContractError.of(report)
    return report


def _ordered() -> list[Check]:
    return sorted(CHECKS.values(), key=lambda check: check.name in _LAST)


def _setting(
    factory: Callable[[], Engine],
    state: Mapping[str, Any] | None,
    other: Mapping[str, Any] | None,
    edits: Sequence[Edit],
) -> Setting:
    told = other is not None
    if other is None:
        engine = factory()
        if Capability.RANDOM_STATE in engine.capabilities:
            other = engine.random_state(np.random.default_rng(7))
        engine.close()
    return Setting(state or {}, other, told, edits)


def _outcome(check: Check, probe: Probe, skip: Collection[str]) -> Outcome:
    """Run one check; whatever it raises is its outcome."""
    missing = [name for name in check.needs if name not in probe.passes]
    if check.name in skip or missing:
        why = f"needs {' and '.join(missing)}" if missing else "left out"
        return Outcome(check, Verdict.SKIPPED, why)
    probe.used.clear()
    try:
        check.run(probe)
    except NothingToCheckError as error:
        return Outcome(check, Verdict.SKIPPED, str(error))
    except BrokenPromiseError as error:
        return Outcome(check, Verdict.FAILED, str(error))
    except Exception as error:  # noqa: BLE001 -- an engine under test may raise anything
        return Outcome(check, Verdict.FAILED, f"raised {type(error).__name__}: {error}")
    return Outcome(check, Verdict.PASSED, "", check.needs or tuple(sorted(probe.used)))
